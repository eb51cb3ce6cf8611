package federation

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/chalkring/chalkring/internal/store"
)

// mostIntake is how many activities one statement stores.
const mostIntake = 64

// intake stores activities that arrive at the same time together: while one
// transaction commits, the next gathers. When there is nothing else it adds no
// delay. An activity is answered for when its transaction is on disk.
type intake struct {
	db      *store.DB
	mu      sync.Mutex
	waiting []*comer
	running bool
}

// comer is an activity that waits to be stored.
type comer struct {
	host, id, actor, kind string
	body                  []byte
	fresh                 bool
	err                   error
	done                  chan struct{}
}

// store returns when the activity is on disk, and says whether it is new: one
// row per activity, so that a repeat is harmless.
func (in *intake) store(c *comer) (fresh bool, err error) {
	c.done = make(chan struct{})
	in.mu.Lock()
	in.waiting = append(in.waiting, c)
	lead := !in.running
	in.running = true
	in.mu.Unlock()
	if lead {
		go in.run()
	}
	<-c.done
	return c.fresh, c.err
}

func (in *intake) run() {
	for {
		in.mu.Lock()
		n := min(len(in.waiting), mostIntake)
		if n == 0 {
			in.running = false
			in.mu.Unlock()
			return
		}
		batch := append([]*comer(nil), in.waiting[:n]...)
		in.waiting = append(in.waiting[:0], in.waiting[n:]...)
		in.mu.Unlock()
		// A sender that has gone meanwhile will send again, and is known then.
		err := in.db.Batch(context.Background(), func(tx *store.Tx) error { return insertIncoming(tx, batch) })
		for _, c := range batch {
			c.err = err
			close(c.done)
		}
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
