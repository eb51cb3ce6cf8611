package federation

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// The two queues that run in lanes, as the tables lanes and their own are called.
const (
	incomingQueue   = "incoming"
	deliveriesQueue = "deliveries"
)

const (
	// leaseFor is how long a node may be silent before another takes its lanes.
	leaseFor = 30 * time.Second
	// laneFallback is how often lanes are looked for without news of any:
	// news may be lost, rows are not.
	laneFallback = 5 * time.Second
	// parkAfter is how long a lane may meet nothing but failures before it is
	// parked, and probeEvery how often a parked one is tried.
	parkAfter  = 24 * time.Hour
	probeEvery = 24 * time.Hour
)

// noLease is in node_until of a lane that nobody works.
var noLease = time.Unix(0, 0).UTC()

// pauses are the waits after the first, second, … failure in a row.
var pauses = []time.Duration{
	time.Second, 4 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute,
	15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour,
}

// pauseAfter returns how long to wait after so many failures in a row, give or
// take a tenth, so that lanes that failed together do not return together.
func pauseAfter(failures int64) time.Duration {
	d := pauses[min(max(failures, 1), int64(len(pauses)))-1]
	return d - d/10 + rand.N(d/5)
}

// lane is one host's row of a queue, while this node works it.
type lane struct {
	Host         string
	Failures     int64
	FailingSince *time.Time
	until        time.Time
}

// failingFor is how long the lane has met nothing but failures.
func (l *lane) failingFor(now time.Time) time.Duration {
	if l.FailingSince == nil {
		return 0
	}
	return now.Sub(*l.FailingSince)
}

// lanes works one queue: one row after the other within a host, many hosts at
// once. A lane is claimed by a lease in its row, so that of several nodes one
// works it.
type lanes struct {
	db    *store.DB
	log   *slog.Logger
	queue string
	most  int // hosts at once
	// work does what waits in a lane and ends in leave or pause. An error is
	// a failure of our own: the lane is paused.
	work func(ctx context.Context, l *lane) error

	wake    chan struct{}
	mu      sync.Mutex
	running map[string]bool // hosts being worked here; true: news came meanwhile
}

func newLanes(db *store.DB, log *slog.Logger, queue string, most int, work func(context.Context, *lane) error) *lanes {
	return &lanes{db: db, log: log.With("queue", queue), queue: queue, most: most, work: work,
		wake: make(chan struct{}, 1), running: map[string]bool{}}
}

// poke says that a host's lane may have become due; with "" any may have.
func (q *lanes) poke(host string) {
	q.mu.Lock()
	if host != "" {
		if _, ok := q.running[host]; ok { // its worker looks once more before it leaves
			q.running[host] = true
			q.mu.Unlock()
			return
		}
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run claims lanes as they become due until ctx ends, and waits for its workers.
func (q *lanes) run(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	if q.db.Dialect() == store.SQLite { // leases of a process that is no more
		if err := q.db.Write(ctx, func(tx *store.Tx) error {
			return tx.Exec("UPDATE lanes SET node = '', node_until = ? WHERE queue = ? AND node <> ''", noLease, q.queue).Error
		}); err != nil && ctx.Err() == nil {
			q.log.Error("old leases not cleared", "err", err)
		}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-timer.C:
			q.probe(ctx)
		}
		claimed, err := q.claim(ctx)
		if err != nil && ctx.Err() == nil {
			q.log.Error("lanes not claimed", "err", err)
		}
		for _, l := range claimed {
			workers.Go(func() { q.attend(ctx, l) })
		}
		timer.Reset(q.untilNext(ctx))
	}
}

// free is how many more lanes may be worked.
func (q *lanes) free() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.most - len(q.running)
}

// claim takes lanes that are due, as many as there is room for.
func (q *lanes) claim(ctx context.Context) ([]*lane, error) {
	room := q.free()
	if room <= 0 {
		return nil, nil // a worker that ends wakes the loop
	}
	var got []*lane
	err := q.db.Batch(ctx, func(tx *store.Tx) error {
		got = got[:0]
		err := tx.Raw(`UPDATE lanes SET node = ?, node_until = ? WHERE queue = ? AND host IN (
			SELECT host FROM lanes WHERE queue = ? AND waiting AND parked_at IS NULL AND next_at <= ? AND node_until <= ?
			ORDER BY next_at LIMIT ?`+tx.SkipLocked()+`) RETURNING host, failures, failing_since`,
			tx.Node(), tx.Now.Add(leaseFor), q.queue, q.queue, tx.Now, tx.Now, room).Scan(&got).Error
		for _, l := range got {
			l.until = tx.Now.Add(leaseFor)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range got {
		q.running[l.Host] = false
	}
	return got, nil
}

// attend works one lane that this node holds.
func (q *lanes) attend(ctx context.Context, l *lane) {
	if err := q.work(ctx, l); err != nil && ctx.Err() == nil {
		q.log.Error("lane failed", "host", l.Host, "err", err)
		if err := q.db.Batch(context.WithoutCancel(ctx), func(tx *store.Tx) error {
			return q.pause(tx, l, pauseAfter(l.Failures+1), "internal")
		}); err != nil {
			q.log.Error("lane not paused", "host", l.Host, "err", err)
		}
	} else if ctx.Err() != nil { // stopping: let another node go on at once
		if err := q.db.Batch(context.WithoutCancel(ctx), func(tx *store.Tx) error {
			return tx.Exec("UPDATE lanes SET node = '', node_until = ? WHERE queue = ? AND host = ? AND node = ?",
				noLease, q.queue, l.Host, tx.Node()).Error
		}); err != nil {
			q.log.Error("lane not given back", "host", l.Host, "err", err)
		}
	}
	q.mu.Lock()
	again := q.running[l.Host]
	full := len(q.running) >= q.most
	delete(q.running, l.Host)
	q.mu.Unlock()
	if again || full {
		q.poke("")
	}
}

// leave gives a lane back if nothing waits in it, in the transaction that
// records the last of its work. Otherwise it keeps the lease alive and reports
// that there is more. Whoever adds a row also writes the lane's, so the lock
// on it makes sure that no row is overlooked.
func (q *lanes) leave(tx *store.Tx, l *lane) (more bool, err error) {
	if held, err := q.holds(tx, l); err != nil || !held {
		return false, err
	}
	var waiting []int64
	if err := tx.Raw("SELECT id FROM "+q.queue+" WHERE host = ? AND state = 'waiting' LIMIT 1", l.Host).Scan(&waiting).Error; err != nil {
		return false, err
	}
	if len(waiting) > 0 {
		return true, q.keep(tx, l)
	}
	return false, tx.Exec(`UPDATE lanes SET waiting = FALSE, node = '', node_until = ?, failures = 0, failing_since = NULL, parked_at = NULL, error = ''
		WHERE queue = ? AND host = ?`, noLease, q.queue, l.Host).Error
}

// holds reports whether the lane is still this node's, and keeps it so while
// the transaction lasts. It may have been lost while its worker waited for
// another server.
func (q *lanes) holds(tx *store.Tx, l *lane) (bool, error) {
	if tx.Dialect() != store.Postgres {
		return true, nil
	}
	var node []string
	err := tx.Raw("SELECT node FROM lanes WHERE queue = ? AND host = ? FOR UPDATE", q.queue, l.Host).Scan(&node).Error
	return len(node) == 1 && node[0] == tx.Node(), err
}

// keep renews the lease when half of it is gone.
func (q *lanes) keep(tx *store.Tx, l *lane) error {
	if l.until.Sub(tx.Now) > leaseFor/2 {
		return nil
	}
	l.until = tx.Now.Add(leaseFor)
	return tx.Exec("UPDATE lanes SET node_until = ? WHERE queue = ? AND host = ? AND node = ?", l.until, q.queue, l.Host, tx.Node()).Error
}

// pause gives a lane back until later and counts a failure. A lane that has
// failed for long is parked: it is tried once a day and at the host's next sign
// of life.
func (q *lanes) pause(tx *store.Tx, l *lane, wait time.Duration, why string) error {
	l.Failures++
	if l.FailingSince == nil {
		l.FailingSince = &tx.Now
	}
	var parked *time.Time
	if l.failingFor(tx.Now) >= parkAfter {
		parked, wait = &tx.Now, probeEvery
	}
	return tx.Exec(`UPDATE lanes SET node = '', node_until = ?, failures = ?, failing_since = ?, next_at = ?, parked_at = ?, error = ?
		WHERE queue = ? AND host = ?`,
		noLease, l.Failures, l.FailingSince, tx.Now.Add(wait), parked, why, q.queue, l.Host).Error
}

// hold gives a lane back until later, without counting a failure: what waits
// in it waits for something else than this host.
func (q *lanes) hold(tx *store.Tx, l *lane, wait time.Duration, why string) error {
	return tx.Exec(`UPDATE lanes SET node = '', node_until = ?, failures = 0, failing_since = NULL, next_at = ?, parked_at = NULL, error = ?
		WHERE queue = ? AND host = ?`, noLease, tx.Now.Add(wait), why, q.queue, l.Host).Error
}

// recovered forgets a lane's failures after the first success.
func (q *lanes) recovered(tx *store.Tx, l *lane) error {
	if l.Failures == 0 {
		return nil
	}
	l.Failures, l.FailingSince = 0, nil
	return tx.Exec("UPDATE lanes SET failures = 0, failing_since = NULL, error = '' WHERE queue = ? AND host = ?", q.queue, l.Host).Error
}

// untilNext is how long the loop may sleep if no news comes.
func (q *lanes) untilNext(ctx context.Context) time.Duration {
	var next []time.Time
	err := q.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Raw(`SELECT next_at FROM lanes WHERE queue = ? AND waiting AND parked_at IS NULL AND next_at > ?
			ORDER BY next_at LIMIT 1`, q.queue, tx.Now).Scan(&next).Error
	})
	if err != nil || len(next) == 0 {
		return laneFallback
	}
	return min(max(next[0].Sub(q.db.Now()), time.Millisecond), laneFallback)
}

// probe lets parked lanes have their daily try.
func (q *lanes) probe(ctx context.Context) {
	var due []string
	err := q.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Raw("SELECT host FROM lanes WHERE queue = ? AND parked_at IS NOT NULL AND next_at <= ?", q.queue, tx.Now).Scan(&due).Error
	})
	if err == nil && len(due) > 0 {
		err = q.db.Write(ctx, func(tx *store.Tx) error {
			return tx.Exec("UPDATE lanes SET parked_at = NULL WHERE queue = ? AND host IN ? AND next_at <= ?", q.queue, due, tx.Now).Error
		})
	}
	if err != nil && ctx.Err() == nil {
		q.log.Error("parked lanes not looked at", "err", err)
	}
}

// enter notes in the adding transaction that rows wait for a host.
func enter(tx *store.Tx, queue, host string) error {
	err := tx.Exec(`INSERT INTO lanes (queue, host, waiting, next_at, node_until) VALUES (?, ?, TRUE, ?, ?)
		ON CONFLICT (queue, host) DO UPDATE SET waiting = TRUE WHERE NOT lanes.waiting`, queue, host, tx.Now, noLease).Error
	if err != nil {
		return err
	}
	tx.AnnounceKey(topicOf(queue), host)
	return nil
}

// alive notes a sign of life of a host: what was put off because it seemed
// dead is tried now.
func alive(tx *store.Tx, host string) error {
	res := tx.Exec(`UPDATE lanes SET parked_at = NULL, next_at = ? WHERE queue = ? AND host = ? AND waiting
		AND (parked_at IS NOT NULL OR failures > 0 AND next_at > ?)`, tx.Now, deliveriesQueue, host, tx.Now.Add(time.Minute))
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error
	}
	tx.AnnounceKey(DeliveriesQueued, host)
	return nil
}

func topicOf(queue string) store.Topic {
	if queue == incomingQueue {
		return IncomingStored
	}
	return DeliveriesQueued
}
