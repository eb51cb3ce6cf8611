package federation

import (
	"context"
	"slices"
	"strings"

	"github.com/chalkring/chalkring/internal/store"
)

// comer is an activity that waits to be stored.
type comer struct {
	host, id, actor, kind string
	body                  []byte
	fresh                 bool // one row per activity, so that a repeat is harmless
	err                   error
}

// takeDown stores activities that arrived together, in one transaction. Each
// is answered for when that is on disk.
func (f *Federation) takeDown(lot []*comer) {
	// A sender that has gone meanwhile will send again, and is known then.
	err := f.db.Batch(context.Background(), func(tx *store.Tx) error { return insertIncoming(tx, lot) })
	for _, c := range lot {
		c.err = err
	}
}

func insertIncoming(tx *store.Tx, batch []*comer) error {
	var sql strings.Builder
	sql.WriteString("INSERT INTO incoming (id, host, activity_id, actor_uri, type, body, received_at) VALUES ")
	args := make([]any, 0, 7*len(batch))
	ids := make(map[int64]*comer, len(batch))
	for i, c := range batch {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("(?, ?, ?, ?, ?, ?, ?)")
		id := tx.NewID()
		ids[id] = c
		c.fresh = false
		args = append(args, id, c.host, c.id, c.actor, c.kind, c.body, tx.Now)
	}
	sql.WriteString(" ON CONFLICT (activity_id) DO NOTHING RETURNING id")
	var stored []int64
	if err := tx.Raw(sql.String(), args...).Scan(&stored).Error; err != nil || len(stored) == 0 {
		return err
	}
	var hosts []string
	for _, id := range stored {
		c := ids[id]
		c.fresh = true
		if !slices.Contains(hosts, c.host) {
			hosts = append(hosts, c.host)
		}
	}
	return enter(tx, incomingQueue, hosts...)
}
