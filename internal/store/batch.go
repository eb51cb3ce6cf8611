package store

import (
	"context"
	"errors"
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
// functions that arrive are gathered and run one after the other in the next.
// The cost of getting a commit onto the disk is shared; when nothing else is
// going on there is no delay. If one of them fails, each is run again in a
// transaction of its own, so that it spoils no other. Batch returns after the
// commit.
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

// errSpoilt undoes a shared transaction in which a function failed.
var errSpoilt = errors.New("one of several failed")

func (b *batch) commit(jobs []*job) {
	err := errSpoilt
	if len(jobs) > 1 {
		err = b.db.Write(context.Background(), func(tx *Tx) error {
			for _, j := range jobs {
				if j.err = j.ctx.Err(); j.err != nil {
					continue
				}
				if j.err = j.run(tx); j.err != nil {
					return errSpoilt
				}
			}
			return nil
		})
	}
	for _, j := range jobs {
		switch {
		case errors.Is(err, errSpoilt):
			j.err = b.db.Write(j.ctx, j.run)
		case err != nil && j.err == nil:
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
