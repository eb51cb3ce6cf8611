package app

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// backupTables lists every table, each after those that it refers to. A test
// holds the list against the schema.
func backupTables() []string {
	return []string{
		"site", "accounts", "account_keys", "account_counts", "users", "follows", "blocks", "mutes",
		"invites", "sessions", "attempts", "oauth_apps", "oauth_codes", "oauth_tokens", "kept",
		"scheduled_posts", "posts", "fetched_posts", "post_mentions", "post_tags", "post_revisions", "attachments", "likes", "bookmarks",
		"home_entries", "thread_mutes", "conversations", "conversation_posts", "tombstones",
		"polls", "poll_options", "poll_votes", "pins", "ghosts", "featured_tags", "quote_approvals", "quote_lookups", "reports", "chores",
		"lists", "list_members", "list_entries", "tag_follows", "filters", "filter_keywords", "filter_posts", "markers",
		"notification_policies", "notification_requests", "notification_permissions", "host_blocks", "account_notes", "endorsements",
		"suggestions_refused", "announcements", "announcement_reads", "announcement_reactions",
		"departed", "push_subscriptions", "push_lanes",
		"published_lists", "published_entries", "published_readers", "list_subs", "list_sub_entries", "list_drafts", "list_excludes",
		"peers", "peer_hosts", "peer_requests", "peer_messages", "peer_offers", "peer_invitations", "notifications", "severed", "pushes", "held_items", "held_authors", "peer_days", "severed_ties", "severed_counts", "peer_imports", "peer_import_entries", "audit", "audit_chain", "hosts", "lanes", "incoming", "outgoing", "deliveries",
	}
}

// A row is a JSON array. What JSON has no type for is an object with one
// member: {"t": time} in RFC 3339, {"b": bytes} in base64. Integers are JSON
// numbers, which hold 64 bits as long as nobody makes a float of them.
type (
	timeValue  struct{ T time.Time }
	bytesValue struct{ B []byte }
)

func (v timeValue) MarshalJSON() ([]byte, error) {
	return []byte(`{"t":"` + v.T.UTC().Format(time.RFC3339Nano) + `"}`), nil
}

func (v bytesValue) MarshalJSON() ([]byte, error) {
	return []byte(`{"b":"` + base64.StdEncoding.EncodeToString(v.B) + `"}`), nil
}

// plainValue is a column's value in the one form that both databases take:
// SQLite gives a boolean as a number and a time as text, and Postgres a small
// integer as a smaller one.
func plainValue(v any, columnType string) (any, error) {
	switch v := v.(type) {
	case int64:
		if columnType == "BOOLEAN" {
			return v != 0, nil
		}
	case string:
		if columnType == "TIMESTAMP" {
			return time.Parse(time.RFC3339Nano, v)
		}
	case int32:
		return int64(v), nil
	case float32:
		return float64(v), nil
	}
	return v, nil
}

func encodeRow(values []any) ([]byte, error) {
	row := make([]any, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case nil, bool, int64, float64, string:
			row[i] = v
		case time.Time:
			row[i] = timeValue{v}
		case []byte:
			row[i] = bytesValue{v}
		default:
			return nil, fmt.Errorf("column %d holds a %T, which a backup has no form for", i+1, v)
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(row)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func decodeRow(line []byte, columns int) ([]any, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var row []any
	if err := d.Decode(&row); err != nil {
		return nil, err
	}
	if len(row) != columns {
		return nil, fmt.Errorf("a row has %d values for %d columns", len(row), columns)
	}
	for i, v := range row {
		var err error
		switch v := v.(type) {
		case json.Number:
			row[i], err = decodeNumber(v)
		case map[string]any:
			row[i], err = decodeObject(v)
		case []any:
			err = fmt.Errorf("a list is no value")
		}
		if err != nil {
			return nil, err
		}
	}
	return row, nil
}

func decodeNumber(n json.Number) (any, error) {
	if i, err := n.Int64(); err == nil {
		return i, nil
	}
	return n.Float64()
}

func decodeObject(o map[string]any) (any, error) {
	if s, ok := o["t"].(string); ok && len(o) == 1 {
		return time.Parse(time.RFC3339Nano, s)
	}
	if s, ok := o["b"].(string); ok && len(o) == 1 {
		return base64.StdEncoding.DecodeString(s)
	}
	return nil, fmt.Errorf("a value has a form that this program does not know")
}
