package community

import (
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// Exchanged is one message between this server and another, and what became of
// it. What was said in it is no part of it.
type Exchanged struct {
	ID       int64 // pages of a list go by it, within one direction
	Host     string
	Name     string // what the server is called
	Type     string // of what came: Create, Like, …
	Verb     Verb   // of what was sent
	ActorURI string `gorm:"column:actor_uri"` // who sent it, of what came
	ActorID  int64  // who did it, of what was sent
	PostID   *int64 // what it is about, of what was sent
	State    string // came: waiting, done, dropped, held; sent: waiting, delivered, refused, withheld, expired
	Status   int    // HTTP status of their last answer
	Attempts int
	Reason   string // message catalogue key, or for what came a key and a detail: see NotTaken
	At       time.Time
	DoneAt   *time.Time
}

// ExchangeFilter says what is listed: of one server, of one account, or both.
type ExchangeFilter struct {
	Host     string // the other server
	Account  int64  // a local account, for what was sent
	ActorURI string // a remote account, for what came
	Trouble  bool   // only what was refused, withheld or given up
	Before   int64
	Limit    int
}

// mostLooked is how far back a list by somebody of another server looks: there
// is an index of servers and none of their people.
const mostLooked = 5000

// Came lists what a server sent, the newest first. Rows of what was taken are
// kept for some days: see Sweep.
func Came(tx *store.Tx, f ExchangeFilter) ([]Exchanged, error) {
	if f.Host == "" {
		return nil, nil
	}
	limit := f.Limit
	if f.ActorURI != "" {
		limit = mostLooked
	}
	from, args := newestOf("incoming", f.Host, f.Before, limit)
	if f.Trouble {
		from = "SELECT * FROM incoming WHERE host = ? AND id < ? AND error <> '' ORDER BY id DESC LIMIT ?"
		args = []any{f.Host, beforeOrNewest(f.Before), limit}
	}
	sql := `SELECT i.id, i.host, i.type, i.actor_uri, CASE WHEN i.held <> 0 THEN 'held' ELSE i.state END AS state, i.attempts, i.error AS reason, i.received_at AS at
		FROM (` + from + `) i`
	if f.ActorURI != "" {
		sql += " WHERE i.actor_uri = ?"
		args = append(args, f.ActorURI)
	}
	args = append(args, f.Limit)
	var list []Exchanged
	err := tx.Raw(sql+" ORDER BY i.id DESC LIMIT ?", args...).Scan(&list).Error
	return list, err
}

// Sent lists what was sent to a server, or what an account here did and where
// that went, the newest first. Rows of what arrived are kept for some days.
func Sent(tx *store.Tx, f ExchangeFilter) ([]Exchanged, error) {
	from, where, args := "deliveries", "", []any(nil)
	switch {
	case f.Account != 0:
		most := mostLooked / 10
		if where = "d.outgoing_id IN (SELECT id FROM outgoing WHERE actor_id = ? ORDER BY id DESC LIMIT ?)"; f.Host != "" {
			where, args, most = where+" AND d.host = ?", []any{f.Host}, mostLooked
		}
		args = append([]any{f.Account, most}, args...)
	case f.Host == "":
		return nil, nil
	case f.Trouble:
		where, args = "d.state <> 'waiting' AND d.host = ?", []any{f.Host}
	default:
		from, args = newestOf("deliveries", f.Host, f.Before, f.Limit)
		from, where = "("+from+")", "TRUE"
	}
	if f.Trouble {
		where += " AND d.state IN ('refused', 'withheld', 'expired')"
	}
	args = append(args, beforeOrNewest(f.Before), f.Limit)
	var list []Exchanged
	err := tx.Raw(`SELECT d.id, d.host, COALESCE(NULLIF(peers.label, ''), hosts.name, '') AS name, o.verb, o.actor_id, d.post_id, d.state, d.status, d.attempts, d.reason,
			d.created_at AS at, d.done_at
		FROM `+from+` d JOIN outgoing o ON o.id = d.outgoing_id LEFT JOIN peers ON peers.host = d.host LEFT JOIN hosts ON hosts.host = d.host
		WHERE `+where+" AND d.id < ? ORDER BY d.id DESC LIMIT ?", args...).Scan(&list).Error
	return list, err
}

// newestOf asks for the newest rows of a queue that went to a host or came from
// it. What waits and what is past have an index each.
func newestOf(queue, host string, before int64, limit int) (sql string, args []any) {
	arm := func(state string) string {
		return "SELECT * FROM (SELECT * FROM " + queue + " WHERE host = ? AND state " + state + " 'waiting' AND id < ? ORDER BY id DESC LIMIT ?) newest"
	}
	args = []any{host, beforeOrNewest(before), limit}
	return arm("=") + " UNION ALL " + arm("<>"), append(args, args...)
}

func beforeOrNewest(id int64) int64 {
	if id <= 0 {
		return 1<<63 - 1
	}
	return id
}
