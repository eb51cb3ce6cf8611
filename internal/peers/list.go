package peers

import (
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// Filter narrows List.
type Filter struct {
	Standing Standing // Unknown: all
	Query    string   // part of the host, the label or the note
	After    string   // the last host of the page before
	Limit    int      // 0: 50
}

// Row is one line of the administrator's list.
type Row struct {
	Peer
	Known        Host  // the zero value if it was never talked to
	Accounts     int64 // accounts of it that are known here
	FollowedHere int64 // follows of its people by ours
	FollowsUs    int64 // follows of our people by its
	Waiting      int64 // messages for it that have not gone out
	FailingSince *time.Time
	Error        string // why the last delivery failed
	CoveredBy    string // the blocked domain above that overrules this entry
}

// Admits reports whether the server is talked to.
func (r Row) Admits() bool { return r.Standing == Allowed && r.CoveredBy == "" }

// List returns the entries that match, by name, with what is going on with each.
func List(tx *store.Tx, f Filter) ([]Row, error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	q := tx.Order("host").Limit(f.Limit)
	if f.Standing != Unknown {
		q = q.Where("standing = ?", f.Standing)
	}
	if f.After != "" {
		q = q.Where("host > ?", f.After)
	}
	if s := strings.ToLower(strings.TrimSpace(f.Query)); s != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(s) + "%"
		q = q.Where(`(host LIKE ? ESCAPE '\' OR LOWER(label) LIKE ? ESCAPE '\' OR LOWER(note) LIKE ? ESCAPE '\')`, like, like, like)
	}
	var entries []Peer
	if err := q.Find(&entries).Error; err != nil {
		return nil, err
	}
	return rows(tx, entries)
}

// RowOf returns one entry as List shows it, or fault.NotFound.
func RowOf(tx *store.Tx, host string) (Row, error) {
	p, err := Get(tx, host)
	if err != nil {
		return Row{}, err
	}
	all, err := rows(tx, []Peer{p})
	if err != nil {
		return Row{}, err
	}
	return all[0], nil
}

// rows adds to the entries what is known and going on, with one query for each kind of thing.
func rows(tx *store.Tx, entries []Peer) ([]Row, error) {
	hosts := make([]string, len(entries))
	list := make([]Row, len(entries))
	at := make(map[string]*Row, len(entries))
	var above []string
	for i, p := range entries {
		hosts[i], list[i].Peer = p.Host, p
		at[p.Host] = &list[i]
		above = append(above, withParents(p.Host)[1:]...)
	}
	if len(hosts) == 0 {
		return list, nil
	}
	known, err := HostsByName(tx, hosts)
	if err != nil {
		return nil, err
	}
	blocks := map[string]Standing{}
	for part := range chunks(above, 400) {
		if err := standings(tx, part, blocks); err != nil {
			return nil, err
		}
	}
	for i := range list {
		list[i].Known = known[list[i].Host]
		for _, h := range withParents(list[i].Host)[1:] {
			if blocks[h] == Blocked {
				list[i].CoveredBy = h
			}
		}
	}
	for _, c := range []struct {
		sql string
		set func(*Row, int64)
	}{
		{"SELECT host, COUNT(*) AS n FROM accounts WHERE host IN ? AND deleted_at IS NULL GROUP BY host",
			func(r *Row, n int64) { r.Accounts = n }},
		{"SELECT a.host, COUNT(*) AS n FROM accounts a JOIN follows f ON f.target_id = a.id WHERE a.host IN ? AND f.state = 'accepted' AND f.follower_local GROUP BY a.host",
			func(r *Row, n int64) { r.FollowedHere = n }},
		{"SELECT a.host, COUNT(*) AS n FROM accounts a JOIN follows f ON f.follower_id = a.id WHERE a.host IN ? AND f.state = 'accepted' GROUP BY a.host",
			func(r *Row, n int64) { r.FollowsUs = n }},
		{"SELECT host, COUNT(*) AS n FROM deliveries WHERE host IN ? AND state = 'waiting' GROUP BY host",
			func(r *Row, n int64) { r.Waiting = n }},
	} {
		var counts []struct {
			Host string
			N    int64
		}
		if err := tx.Raw(c.sql, hosts).Scan(&counts).Error; err != nil {
			return nil, err
		}
		for _, n := range counts {
			c.set(at[n.Host], n.N)
		}
	}
	var lanes []struct {
		Host         string
		FailingSince *time.Time
		Error        string
	}
	err = tx.Raw("SELECT host, failing_since, error FROM lanes WHERE queue = 'deliveries' AND host IN ?", hosts).Scan(&lanes).Error
	for _, l := range lanes {
		at[l.Host].FailingSince, at[l.Host].Error = l.FailingSince, l.Error
	}
	return list, err
}

// CountAllowed returns how many servers are connected: allowed, and covered by
// no block.
func CountAllowed(tx *store.Tx) (int, error) {
	var n int
	err := tx.Raw(`SELECT COUNT(*) FROM peers LEFT JOIN hosts ON hosts.host = peers.host
		WHERE peers.standing = 'allowed' AND (hosts.host IS NULL OR NOT hosts.blocked)`).Scan(&n).Error
	return n, err
}
