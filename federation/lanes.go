package federation

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
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
	// claimPace is the least time between two claims: a claim costs as much for
	// many hosts as for one.
	claimPace = 25 * time.Millisecond
	// parkAfter is how long a lane may meet nothing but failures before it is
	// parked, and probeEvery how often a parked one is tried.
	parkAfter  = 24 * time.Hour
	probeEvery = 24 * time.Hour
)

// internalTrouble is why a lane is paused that failed for reasons of our own.
const internalTrouble = "delivery.internal"

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
	given        bool // back, or on: whoever held it is done with it
	slow         bool // receiving: it waits for other servers, and so is worked alone
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
	// together has lanes that become due at the same time worked by one call.
	together bool
	// work does what waits in the lanes, and gives each back by leave, pause
	// or hold. An error is a failure of our own: what it still has is paused.
	work func(ctx context.Context, lanes []*lane) error

	workers sync.WaitGroup
	wake    chan struct{}
	mu      sync.Mutex
	running map[string]bool // hosts being worked here; true: news came meanwhile
	more    bool            // the last claim took as many as there was room for: others may be due
}

func newLanes(db *store.DB, log *slog.Logger, queue string, most int, work func(context.Context, []*lane) error) *lanes {
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
	defer q.workers.Wait()
	if q.db.Dialect() == store.SQLite { // leases of a process that is no more
		if err := q.db.Write(ctx, func(tx *store.Tx) error {
			return tx.Exec("UPDATE lanes SET node = '', node_until = ? WHERE queue = ? AND node <> ''", noLease, q.queue).Error
		}); err != nil && ctx.Err() == nil {
			q.log.Error("old leases not cleared", "err", err)
		}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last time.Time // of a claim
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-timer.C:
			q.probe(ctx)
		}
		if !paced(ctx, last) {
			return
		}
		claimed, err := q.claim(ctx)
		last = time.Now()
		if err != nil && ctx.Err() == nil {
			q.log.Error("lanes not claimed", "err", err)
		}
		if q.together && len(claimed) > 0 {
			q.attend(ctx, claimed)
		} else {
			for _, l := range claimed {
				q.attend(ctx, []*lane{l})
			}
		}
		timer.Reset(q.untilNext(ctx))
	}
}

// paced waits until claimPace has gone by since then: what comes meanwhile is
// taken together. It reports false if ctx ends before.
func paced(ctx context.Context, then time.Time) bool {
	wait := claimPace - time.Since(then)
	if wait <= 0 {
		return true
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// free is how many more lanes may be worked. If there are none, whoever gives
// one back wakes the loop.
func (q *lanes) free() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	room := q.most - len(q.running)
	q.more = q.more || room <= 0
	return room
}

// claim takes lanes that are due, as many as there is room for.
func (q *lanes) claim(ctx context.Context) ([]*lane, error) {
	room := q.free()
	if room <= 0 {
		return nil, nil
	}
	var got []*lane
	err := q.db.Batch(ctx, func(tx *store.Tx) error {
		got = got[:0]
		until := tx.Now.Add(leaseFor)
		return tx.Ask(store.Question{
			SQL: `UPDATE lanes SET node = ?, node_until = ? WHERE queue = ? AND host IN (
				SELECT host FROM lanes WHERE queue = ? AND waiting AND parked_at IS NULL AND next_at <= ? AND node_until <= ?
				ORDER BY next_at LIMIT ?` + tx.SkipLocked() + `) RETURNING host, failures, failing_since`,
			Args: []any{tx.Node(), until, q.queue, q.queue, tx.Now, tx.Now, room},
			Row: func(r *store.Row) {
				got = append(got, &lane{Host: r.Text(), Failures: r.Int(), FailingSince: r.TimePtr(), until: until})
			},
		})
	})
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	for _, l := range got {
		q.running[l.Host] = false
	}
	q.more = len(got) >= room
	again := q.more && len(q.running) < q.most // some were given back meanwhile
	q.mu.Unlock()
	if again {
		q.poke("")
	}
	return got, nil
}

// attend has lanes that this node holds worked, besides whatever else is done.
func (q *lanes) attend(ctx context.Context, group []*lane) {
	q.workers.Go(func() {
		err := q.guarded(ctx, group)
		var kept []*lane
		for _, l := range group {
			if !l.given {
				kept = append(kept, l)
			}
		}
		failed := err != nil && ctx.Err() == nil
		if failed {
			q.log.Error("lanes failed", "hosts", len(kept), "err", err)
		}
		if len(kept) == 0 {
			return
		}
		err = q.db.Batch(context.WithoutCancel(ctx), func(tx *store.Tx) error {
			for _, l := range kept {
				if failed {
					if err := q.pause(tx, l, pauseAfter(l.Failures+1), internalTrouble); err != nil {
						return err
					}
					continue
				}
				// stopping: let another node go on at once
				if err := tx.Exec("UPDATE lanes SET node = '', node_until = ? WHERE queue = ? AND host = ? AND node = ?",
					noLease, q.queue, l.Host, tx.Node()).Error; err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			q.log.Error("lanes not given back", "hosts", len(kept), "err", err)
		}
		q.gave(kept...)
	})
}

// guarded works lanes so that whatever a foreign document does to a reader of
// it pauses the lane it came by, instead of ending the process at each start.
func (q *lanes) guarded(ctx context.Context, group []*lane) (err error) {
	defer func() {
		if p := recover(); p != nil {
			q.log.Error("worker panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("worker panicked: %v", p)
		}
	}()
	return q.work(ctx, group)
}

// gave notes, after the commit, that lanes were given back.
func (q *lanes) gave(lanes ...*lane) {
	q.mu.Lock()
	again := q.more
	for _, l := range lanes {
		l.given = true
		again = again || q.running[l.Host]
		delete(q.running, l.Host)
	}
	q.mu.Unlock()
	if again {
		q.poke("")
	}
}

// leaveSQL gives lanes back in which nothing waits.
func leaveSQL(queue string) string {
	return `UPDATE lanes SET waiting = FALSE, node = '', node_until = ?, failures = 0, failing_since = NULL, parked_at = NULL, error = ''
			WHERE queue = ? AND host IN ? AND (SELECT w.id FROM ` + queue + ` w WHERE w.host = lanes.host AND w.state = 'waiting' ORDER BY w.id LIMIT 1) IS NULL RETURNING host`
}

// leave gives those of the lanes back in which nothing waits, in the
// transaction that records the last of their work, and returns them; the
// others it keeps. The transaction must have asked holds: whoever adds a row
// also writes the lane's, so the lock on it makes sure that no row is
// overlooked.
func (q *lanes) leave(tx *store.Tx, lanes ...*lane) (left []*lane, err error) {
	hosts := make([]string, len(lanes))
	for i, l := range lanes {
		hosts[i] = l.Host
	}
	var empty []string
	err = tx.Ask(store.Question{
		SQL:  leaveSQL(q.queue),
		Args: []any{noLease, q.queue, hosts},
		Row:  func(r *store.Row) { empty = append(empty, r.Text()) },
	})
	if err != nil {
		return nil, err
	}
	for _, l := range lanes {
		if slices.Contains(empty, l.Host) {
			left = append(left, l)
		} else if err := q.keep(tx, l); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// holds returns which of the lanes are still this node's, and keeps them so
// while the transaction lasts. One may have been lost while its worker waited
// for another server.
func (q *lanes) holds(tx *store.Tx, lanes ...*lane) ([]*lane, error) {
	if tx.Dialect() != store.Postgres {
		return lanes, nil
	}
	hosts := make([]string, len(lanes))
	for i, l := range lanes {
		hosts[i] = l.Host
	}
	var held []string
	err := tx.Ask(store.Question{
		SQL:  "SELECT host FROM lanes WHERE queue = ? AND host IN ? AND node = ? ORDER BY host FOR UPDATE",
		Args: []any{q.queue, hosts, tx.Node()},
		Row:  func(r *store.Row) { held = append(held, r.Text()) },
	})
	if err != nil {
		return nil, err
	}
	var kept []*lane
	for _, l := range lanes {
		if slices.Contains(held, l.Host) {
			kept = append(kept, l)
		}
	}
	return kept, nil
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
	since := tx.Now
	if l.FailingSince != nil {
		since = *l.FailingSince
	}
	var parked *time.Time
	if tx.Now.Sub(since) >= parkAfter {
		parked, wait = &tx.Now, probeEvery
	}
	return tx.Exec(`UPDATE lanes SET node = '', node_until = ?, failures = ?, failing_since = ?, next_at = ?, parked_at = ?, error = ?
		WHERE queue = ? AND host = ? AND node = ?`,
		noLease, l.Failures+1, since, tx.Now.Add(wait), parked, why, q.queue, l.Host, tx.Node()).Error
}

// hold gives a lane back until later, without counting a failure: what waits
// in it waits for something else than this host.
func (q *lanes) hold(tx *store.Tx, l *lane, wait time.Duration, why string) error {
	return tx.Exec(`UPDATE lanes SET node = '', node_until = ?, failures = 0, failing_since = NULL, next_at = ?, parked_at = NULL, error = ?
		WHERE queue = ? AND host = ? AND node = ?`, noLease, tx.Now.Add(wait), why, q.queue, l.Host, tx.Node()).Error
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
	err := q.db.Ask(ctx, func(tx *store.Tx) error {
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

// enter notes in the adding transaction that rows wait for hosts.
func enter(tx *store.Tx, queue string, hosts ...string) error {
	hosts = slices.Sorted(slices.Values(hosts)) // so that two transactions lock lanes in one order
	var sql strings.Builder
	sql.WriteString("INSERT INTO lanes (queue, host, waiting, next_at, node_until) VALUES ")
	args := make([]any, 0, 4*len(hosts))
	for i, host := range hosts {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("(?, ?, TRUE, ?, ?)")
		args = append(args, queue, host, tx.Now, noLease)
	}
	sql.WriteString(" ON CONFLICT (queue, host) DO UPDATE SET waiting = TRUE WHERE NOT lanes.waiting")
	if err := tx.Exec(sql.String(), args...).Error; err != nil {
		return err
	}
	for _, host := range hosts {
		tx.AnnounceKey(topicOf(queue), host)
	}
	return nil
}

// alive notes signs of life of hosts: what was put off because one seemed dead
// is tried now.
func alive(tx *store.Tx, hosts ...string) error {
	if len(hosts) == 0 {
		return nil
	}
	var woken []string
	err := tx.Raw(`UPDATE lanes SET parked_at = NULL, next_at = ? WHERE queue = ? AND host IN ? AND waiting
		AND (parked_at IS NOT NULL OR failures > 0 AND next_at > ?) RETURNING host`, tx.Now, deliveriesQueue, hosts, tx.Now.Add(time.Minute)).Scan(&woken).Error
	for _, host := range woken {
		tx.AnnounceKey(DeliveriesQueued, host)
	}
	return err
}

func topicOf(queue string) store.Topic {
	if queue == incomingQueue {
		return IncomingStored
	}
	return DeliveriesQueued
}
