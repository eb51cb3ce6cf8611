package store

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// mostBatch is how many functions one shared transaction runs.
const mostBatch = 256

// batch gathers functions for shared transactions.
type batch struct {
	db      *DB
	mu      sync.Mutex
	waiting []*job
	running bool
}

type job struct {
	ctx  context.Context
	fn   func(tx *Tx) error
	err  error
	done chan struct{}
}

// Batch is Write for many callers at once: while one transaction commits, the
// functions that arrive are gathered and run one after the other in the next,
// each in a savepoint of its own, so that one that fails spoils no other. The
// cost of getting a commit onto the disk is shared; when nothing else is going
// on there is no delay. Batch returns after the commit.
//
// fn may be run more than once, as with Write.
func (db *DB) Batch(ctx context.Context, fn func(tx *Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	b := &db.batch
	b.mu.Lock()
	b.waiting = append(b.waiting, j)
	lead := !b.running
	b.running = true
	b.mu.Unlock()
	if lead {
		go b.run()
	}
	<-j.done
	return db.wrap(j.err)
}

// run commits batches until nothing waits.
func (b *batch) run() {
	for {
		b.mu.Lock()
		n := min(len(b.waiting), mostBatch)
		if n == 0 {
			b.running = false
			b.mu.Unlock()
			return
		}
		jobs := append([]*job(nil), b.waiting[:n]...)
		b.waiting = append(b.waiting[:0], b.waiting[n:]...)
		b.mu.Unlock()
		b.commit(jobs)
	}
}

func (b *batch) commit(jobs []*job) {
	if len(jobs) == 1 { // nobody to spare: no savepoint
		j := jobs[0]
		j.err = b.db.Write(j.ctx, j.run)
		close(j.done)
		return
	}
	var alone []*job
	err := b.db.Write(context.Background(), func(tx *Tx) error {
		alone = alone[:0]
		for _, j := range jobs {
			if j.err = j.ctx.Err(); j.err != nil {
				continue
			}
			if j.err = tx.Attempt(j.run); retryable(j.err) {
				alone = append(alone, j)
			}
		}
		return nil
	})
	for _, j := range alone { // a deadlock: its own transaction is tried again by Write
		if err == nil {
			j.err = b.db.Write(j.ctx, j.run)
		}
	}
	for _, j := range jobs {
		if err != nil && j.err == nil {
			j.err = err
		}
		close(j.done)
	}
}

// run runs the function. Its panic fails it alone, and not the batch.
func (j *job) run(tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a database transaction: %v\n%s", p, debug.Stack())
		}
	}()
	return j.fn(tx)
}
