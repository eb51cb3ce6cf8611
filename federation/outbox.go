package federation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// mostSpread is how many outgoing rows are spread in one go.
	mostSpread = 20
	// spreadFallback is how often outgoing rows are looked for without news.
	spreadFallback = 5 * time.Second
	// mostSpreadTries is how often a row is tried that cannot be rendered.
	mostSpreadTries = 5
	// deliveryBatch is how many deliveries one statement inserts.
	deliveryBatch = 100
)

// errNothingToSay is an outgoing row whose thing has gone meanwhile.
var errNothingToSay = errors.New("nothing left to tell")

// runOutbox spreads what happens here until ctx ends. Rows are taken in their
// order by one node at a time, so that every host hears them in that order.
func (f *Federation) runOutbox(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.spreadNow:
		case <-timer.C:
		}
		for ctx.Err() == nil {
			n, err := f.spread(ctx)
			if err != nil && ctx.Err() == nil {
				f.log.Error("outgoing not spread", "err", err)
			}
			if err != nil || n == 0 {
				break
			}
		}
		timer.Reset(spreadFallback)
	}
}

// rendered is an outgoing row as it goes out.
type rendered struct {
	row     community.Outgoing
	body    []byte
	targets []community.Target
	digests map[string]string // of the followers whom each host should know
	err     error
}

// spread takes the next outgoing rows, renders each once and writes the
// deliveries. It returns how many rows it took, 0 if it is better to pause.
func (f *Federation) spread(ctx context.Context) (int, error) {
	rows, err := f.claimOutgoing(ctx)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	var out []rendered
	failed := false
	err = f.db.Read(ctx, func(tx *store.Tx) error {
		for _, row := range rows {
			r := rendered{row: row}
			if r.body, r.err = f.render(tx, row); r.err == nil {
				r.targets, r.err = community.InboxesFor(tx, row)
			}
			if r.err == nil {
				r.digests, r.err = digestsFor(tx, row, r.targets)
			}
			out = append(out, r)
			if failed = r.err != nil && !errors.Is(r.err, errNothingToSay); failed {
				return nil // what comes after it waits for it a while, to keep the order
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	err = f.db.Batch(ctx, func(tx *store.Tx) error {
		for _, r := range out {
			if err := f.spreadOne(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
	if failed {
		return 0, err // and is tried again after a pause
	}
	return len(rows), err
}

// claimOutgoing leases the oldest waiting rows to this node, unless another
// holds any.
func (f *Federation) claimOutgoing(ctx context.Context) ([]community.Outgoing, error) {
	var ids []int64
	err := f.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Raw("SELECT id FROM outgoing WHERE state = 'waiting' ORDER BY id LIMIT ?", mostSpread).Scan(&ids).Error
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var rows []community.Outgoing
	err = f.db.Batch(ctx, func(tx *store.Tx) error {
		rows = rows[:0]
		if tx.Dialect() == store.Postgres { // there is one node on SQLite
			// Waiting for the head waits for whoever is claiming it now: the next
			// statement sees what they claimed.
			var head int64
			if err := tx.Raw("SELECT id FROM outgoing WHERE state = 'waiting' ORDER BY id LIMIT 1 FOR UPDATE").Scan(&head).Error; err != nil {
				return err
			}
			res := tx.Exec(`UPDATE outgoing SET node = ?, node_until = ? WHERE id IN ? AND state = 'waiting'
				AND (node = ? OR node_until IS NULL OR node_until <= ?)
				AND NOT EXISTS (SELECT 1 FROM outgoing held WHERE held.state = 'waiting' AND held.node <> '' AND held.node <> ? AND held.node_until > ?)`,
				tx.Node(), tx.Now.Add(leaseFor), ids, tx.Node(), tx.Now, tx.Node(), tx.Now)
			if res.Error != nil || res.RowsAffected == 0 {
				return res.Error
			}
			return tx.Where("id IN ? AND state = 'waiting' AND node = ?", ids, tx.Node()).Order("id").Find(&rows).Error
		}
		return tx.Where("id IN ? AND state = 'waiting'", ids).Order("id").Find(&rows).Error
	})
	return rows, err
}

// spreadOne records one rendered row and who gets it. What cannot be rendered
// is tried a few times, and then let go with the reason on record, since what
// comes after it must not wait for ever.
func (f *Federation) spreadOne(tx *store.Tx, r rendered) error {
	if r.err != nil && !errors.Is(r.err, errNothingToSay) {
		f.log.Error("outgoing not rendered", "id", r.row.ID, "verb", r.row.Verb, "attempts", r.row.Attempts+1, "err", r.err)
		state := "waiting"
		if r.row.Attempts+1 >= mostSpreadTries {
			state = "spread"
		}
		return tx.Exec("UPDATE outgoing SET state = ?, attempts = attempts + 1, error = ? WHERE id = ?", state, clip(r.err.Error()), r.row.ID).Error
	}
	// What was deleted meanwhile took its row along.
	res := tx.Exec("UPDATE outgoing SET state = 'spread', body = ?, node = '', node_until = NULL WHERE id = ? AND state = 'waiting'", r.body, r.row.ID)
	if res.Error != nil || res.RowsAffected == 0 || r.err != nil {
		return res.Error
	}
	f.metrics.spread.With().Inc()
	var hosts []string
	for i := 0; i < len(r.targets); i += deliveryBatch {
		part := r.targets[i:min(i+deliveryBatch, len(r.targets))]
		if err := insertDeliveries(tx, r.row, part, r.digests); err != nil {
			return err
		}
		for _, t := range part {
			if t.Withheld == "" {
				hosts = append(hosts, t.Host)
			}
		}
	}
	slices.Sort(hosts)
	for part := range slices.Chunk(slices.Compact(hosts), deliveryBatch) {
		if err := enter(tx, deliveriesQueue, part...); err != nil {
			return err
		}
	}
	return nil
}

func insertDeliveries(tx *store.Tx, o community.Outgoing, targets []community.Target, digests map[string]string) error {
	sql := make([]byte, 0, 128+30*len(targets))
	sql = append(sql, "INSERT INTO deliveries (id, outgoing_id, post_id, host, inbox, state, reason, digest, created_at, done_at) VALUES "...)
	args := make([]any, 0, 10*len(targets))
	for i, t := range targets {
		if i > 0 {
			sql = append(sql, ", "...)
		}
		sql = append(sql, "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"...)
		state, done := "waiting", (*time.Time)(nil)
		if t.Withheld != "" {
			state, done = "withheld", &tx.Now
		}
		args = append(args, tx.NewID(), o.ID, o.PostID, t.Host, t.Inbox, state, t.Withheld, digests[t.Host], tx.Now, done)
	}
	sql = append(sql, " ON CONFLICT (outgoing_id, inbox) DO NOTHING"...)
	return tx.Exec(string(sql), args...).Error
}
