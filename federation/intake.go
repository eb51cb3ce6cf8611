package federation

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"github.com/chalkring/chalkring/internal/store"
)

// comer is an activity that waits to be stored.
type comer struct {
	host, id, actor, kind string
	body                  []byte
	unproven              bool  // not sent by whom it says did it
	refused               error // it is only put on record, with the reason
	fresh                 bool  // one row per activity, so that a repeat is harmless
	err                   error
}

// digest tells activities of one address apart: some servers give every update
// of a post, or every answer to somebody's follow, the same. What is repeated
// to the letter is stored once.
func (c *comer) digest() string {
	sum := sha256.Sum256(c.body)
	return base64.RawStdEncoding.EncodeToString(sum[:16])
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
	var hosts []string
	var inserts []store.Question
	ids := make(map[int64]*comer, len(batch))
	for _, part := range store.Lots(batch, mostGathered) {
		args := make([]any, 0, 11*len(part))
		for _, c := range part {
			id := tx.NewID()
			ids[id], c.fresh = c, false
			state, why, body := "waiting", "", c.body
			if c.refused != nil {
				state, why, body = "done", clip(c.refused.Error()), []byte{}
			}
			args = append(args, id, c.host, c.id, c.actor, c.kind, body, tx.Now, c.unproven, c.digest(), state, why)
		}
		inserts = append(inserts, store.Question{
			SQL: "INSERT INTO incoming (id, host, activity_id, actor_uri, type, body, received_at, unproven, digest, state, error) VALUES " +
				store.Rows("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", len(part)) + " ON CONFLICT (activity_id, digest) DO NOTHING RETURNING id",
			Args: args,
			Row: func(r *store.Row) {
				c := ids[r.Int()]
				c.fresh = true
				if c.refused == nil && !slices.Contains(hosts, c.host) {
					hosts = append(hosts, c.host)
				}
			},
		})
	}
	if err := tx.Ask(inserts...); err != nil || len(hosts) == 0 {
		return err
	}
	return enter(tx, incomingQueue, hosts...)
}
