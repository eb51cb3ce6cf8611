package community

import (
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// Delivered is what became of one delivery of a post: the last of each server
// and inbox, with when it is tried next.
type Delivered struct {
	Host      string
	Inbox     string
	Verb      Verb   // what was delivered: Create, Update, Delete
	State     string // waiting, delivered, refused, withheld, expired
	Attempts  int
	Status    int    // HTTP status of the last answer; 0 for none
	Reason    string // message catalogue key, or what the other server said
	CreatedAt time.Time
	DoneAt    *time.Time
	NextAt    *time.Time // when the server's lane goes on
	Parked    bool       // the server has not answered for long; it is woken by a sign of life
	Name      string     // what the server is called
}

// mostDelivered bounds the panel of a post.
const mostDelivered = 1000

// Deliveries returns where a post went and why not elsewhere, by host.
func Deliveries(tx *store.Tx, post int64) ([]Delivered, error) {
	var rows []Delivered
	err := tx.Raw(`SELECT d.host, d.inbox, o.verb, d.state, d.attempts, d.status, d.reason, d.created_at, d.done_at,
			lanes.next_at, lanes.parked_at IS NOT NULL AS parked, COALESCE(NULLIF(peers.label, ''), hosts.name, '') AS name
		FROM deliveries d JOIN outgoing o ON o.id = d.outgoing_id
		LEFT JOIN lanes ON lanes.queue = 'deliveries' AND lanes.host = d.host AND d.state = 'waiting'
		LEFT JOIN peers ON peers.host = d.host LEFT JOIN hosts ON hosts.host = d.host
		WHERE d.post_id = ? ORDER BY d.host, d.id DESC LIMIT ?`, post, mostDelivered).Scan(&rows).Error
	return rows, err
}

// Spreading reports whether something about a post has still to be handed to
// the deliveries.
func Spreading(tx *store.Tx, post int64) (bool, error) {
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM outgoing WHERE post_id = ? AND state = 'waiting'", post).Scan(&n).Error
	return n > 0, err
}

// CountServers returns how many servers a post was sent to.
func CountServers(tx *store.Tx, post int64) (int, error) {
	var n int
	err := tx.Raw("SELECT COUNT(DISTINCT host) FROM deliveries WHERE post_id = ? AND state = 'delivered'", post).Scan(&n).Error
	return n, err
}
