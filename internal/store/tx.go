package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/iri"
)

// Tx is one transaction. It is gorm's handle, with what all that is written in
// the transaction shares. It must not be used after its function has returned,
// nor by two goroutines at once.
type Tx struct {
	*gorm.DB
	Site iri.Site
	Now  time.Time // UTC, whole milliseconds; the same throughout

	db    *DB
	depth int
	news  []News
	after []func()
	reads bool   // it is a Read
	asks  bool   // it is an Ask
	first *first // asked ahead of all else
}

// first is what a transaction asks ahead of all else.
type first struct {
	questions []Question
	check     func(tx *Tx) error
	foresee   bool   // what is asked behind it: see script
	as        string // see ReadPage
	page      Reading
	asked     bool
	err       error
}

// session is a connection with an open transaction. Commit and Rollback give
// the connection back.
type session interface {
	gorm.ConnPool
	gorm.TxCommitter
}

// Read runs fn in a transaction that sees one state of the database and
// cannot change it.
func (db *DB) Read(ctx context.Context, fn func(tx *Tx) error) error { return db.read(ctx, nil, fn) }

// ReadAfter is Read for which something else is asked ahead, in the same round
// and of the same state of the database. Unless check then agrees the
// transaction fails as check says, whatever came of fn, which is told so by its
// own first question.
func (db *DB) ReadAfter(ctx context.Context, questions []Question, check func(tx *Tx) error, fn func(tx *Tx) error) error {
	return db.read(ctx, &first{questions: questions, check: check}, fn)
}

// ReadPage is ReadAfter for pages that are read again and again: what fn asked
// the last times is asked along with its first questions (see script). fn and
// check may be run twice, and must begin anew each time. as says all that the
// page depends on besides the database; with "" nothing of it is Kept.
func (db *DB) ReadPage(ctx context.Context, as string, questions []Question, check func(tx *Tx) error, fn func(tx *Tx) error) (Reading, error) {
	ahead := &first{questions: questions, check: check, foresee: true, as: as}
	err := db.read(ctx, ahead, fn)
	return ahead.page, err
}

func (db *DB) read(ctx context.Context, ahead *first, fn func(tx *Tx) error) error {
	db.reads.Add(1)
	s, err := db.begin(ctx, false)
	if err != nil {
		return db.wrap(err)
	}
	ended := false
	defer func() {
		if !ended { // fn panicked
			s.Rollback()
		}
	}()
	tx := db.newTx(ctx, s)
	tx.reads, tx.first = true, ahead
	if ahead != nil && ahead.foresee {
		err = db.readForeseen(ctx, tx, s, fn)
	} else {
		err = tx.run(fn)
	}
	ended = true
	if end := s.Rollback(); err == nil && end != nil {
		if err = ctx.Err(); err == nil {
			err = end
		}
	}
	return db.wrap(err)
}

func (db *DB) readForeseen(ctx context.Context, tx *Tx, s session, fn func(tx *Tx) error) error {
	o := newOutlook(db, tx.first.as, tx.Now)
	room, _ := db.answers.Get().(*answers)
	if room == nil {
		room = new(answers)
	}
	o.answers = (*room)[:0]
	defer func() {
		if *room, o.answers = o.answers, nil; cap(*room) <= 1<<18 { // the rare large one would stay for good
			db.answers.Put(room)
		}
	}()
	pg, _ := s.(*pgRead)
	if pg != nil {
		pg.outlook = o
	} else {
		s.(*sqliteTx).outlook = o
	}
	err := tx.run(fn)
	if o.foreseen != nil && !o.missed {
		db.foreseen.Add(1)
	}
	if o.missed {
		db.missed.Add(1)
	}
	if o.missed && pg != nil {
		if err = nil; pg.begun { // in a transaction that failed
			err = pg.run(context.WithoutCancel(ctx), pgEnd)
			pg.begun = false
		}
		if err == nil {
			o.again()
			err = tx.run(fn)
		}
	}
	switch {
	case o.kept != nil && errors.Is(err, errKept):
		db.keptPages.Add(1)
		err = nil
	case err == nil:
		o.kept = nil
		o.end()
	}
	if err == nil {
		tx.first.page = o.made()
	}
	return err
}

// run runs fn in a transaction that only reads, with what is asked ahead of it.
func (tx *Tx) run(fn func(tx *Tx) error) error {
	ahead := tx.first
	if ahead != nil {
		ahead.asked, ahead.err = false, nil
	}
	err := fn(tx)
	if ahead == nil {
		return err
	}
	if !ahead.asked && len(ahead.questions) > 0 {
		ahead.err = tx.Ask()
	}
	if ahead.err != nil {
		return ahead.err
	}
	return err
}

// Ask runs fn on a connection without a transaction around it. It is for one
// question on a hot path, which sees one state of the database anyway: beginning
// and ending a transaction would cost more than the question. tx must not be
// used for more than reading, and two questions may see two states.
func (db *DB) Ask(ctx context.Context, fn func(tx *Tx) error) error {
	db.reads.Add(1)
	if db.dialect == Postgres {
		conn, err := db.pg.Conn(ctx)
		if err != nil {
			return db.wrap(err)
		}
		s := &pgRead{ctx: ctx, conn: conn}
		defer func() { _ = s.Rollback() }() // nothing was begun: gives the connection back
		tx := db.newTx(ctx, s)
		tx.asks = true
		return db.wrap(fn(tx))
	}
	c, err := db.readers.acquire(ctx)
	if err != nil {
		return db.wrap(err)
	}
	sound := false
	defer func() { db.readers.release(c, !sound) }()
	tx := db.newTx(ctx, c)
	tx.asks = true
	err = fn(tx)
	sound = ctx.Err() == nil // else a statement may have been interrupted
	return db.wrap(err)
}

// Write runs fn in a transaction and commits it; when Write returns nil, what
// fn did is on disk. If fn fails or panics nothing of it stays.
//
// Where the database asks for it (a deadlock, a lock held by another process)
// fn is run again, up to four times: it must not do anything that cannot be
// done twice except through tx. While Write waits for its turn ctx may end it;
// once fn has begun it is carried through, within a time limit of its own,
// though the client that asked has gone.
func (db *DB) Write(ctx context.Context, fn func(tx *Tx) error) error {
	const tries = 5
	for try := 1; ; try++ {
		err := db.writeOnce(ctx, fn)
		if err == nil || try == tries || !Retryable(err) {
			return db.wrap(err)
		}
		db.retries.Add(1)
		if err := pause(ctx, time.Duration(1<<try)*5*time.Millisecond); err != nil {
			return err
		}
	}
}

// pause waits for between half of d and d.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d/2 + rand.N(d/2+1))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (db *DB) writeOnce(ctx context.Context, fn func(tx *Tx) error) error {
	db.writes.Add(1)
	s, err := db.begin(ctx, true)
	if err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended { // fn panicked
			s.Rollback()
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.timeout)
	defer cancel()
	tx := db.newTx(ctx, s)
	if err = fn(tx); err == nil {
		err = db.notify(ctx, s, tx.news)
	}
	ended = true
	if err != nil {
		s.Rollback()
		return err
	}
	if err := s.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	db.hub.publish(tx.news)
	for _, f := range tx.after {
		f()
	}
	return nil
}

func (db *DB) begin(ctx context.Context, write bool) (session, error) {
	if db.dialect == Postgres {
		return db.beginPostgres(ctx, write)
	}
	return db.beginSQLite(ctx, write)
}

func (db *DB) newTx(ctx context.Context, s gorm.ConnPool) *Tx {
	now := db.Now()
	orm := db.orm.Session(&gorm.Session{NewDB: true, Context: ctx, NowFunc: func() time.Time { return now }})
	orm.Statement.ConnPool = s
	return &Tx{DB: orm, Site: db.site, Now: now, db: db}
}

// Attempt runs fn in a part of the transaction that can fail alone: if fn
// returns an error nothing of it stays, its news is forgotten, and the
// transaction goes on.
func (tx *Tx) Attempt(fn func(tx *Tx) error) (err error) {
	child := &Tx{DB: tx.DB, Site: tx.Site, Now: tx.Now, db: tx.db, depth: tx.depth + 1}
	name := fmt.Sprintf("attempt_%d", child.depth)
	if err := tx.Exec("SAVEPOINT " + name).Error; err != nil {
		return err
	}
	done := false
	defer func() {
		if done && err == nil {
			return
		}
		if e := tx.Exec("ROLLBACK TO SAVEPOINT " + name).Error; e != nil && err != nil {
			err = fmt.Errorf("%w (and its savepoint: %v)", err, e)
			return
		}
		tx.Exec("RELEASE SAVEPOINT " + name)
	}()
	err = fn(child)
	done = true
	if err != nil {
		return err
	}
	if err := tx.Exec("RELEASE SAVEPOINT " + name).Error; err != nil {
		return err
	}
	tx.news = append(tx.news, child.news...)
	tx.after = append(tx.after, child.after...)
	return nil
}

// AfterCommit has f called once the transaction is committed, and never if it
// is not. f must be quick; what needs to be certain belongs in a table.
func (tx *Tx) AfterCommit(f func()) { tx.after = append(tx.after, f) }

// Dialect returns the kind of database, for the few places where SQL differs.
func (tx *Tx) Dialect() Dialect { return tx.db.dialect }

// Node returns the name of this node (see DB.Node).
func (tx *Tx) Node() string { return tx.db.node }

// NewID returns an ID for something that happens now. IDs sort by time.
func (tx *Tx) NewID() int64 { return tx.db.ids.next() }

// NewIDAt returns an ID whose place is at t, for what was published elsewhere
// some time ago. Times before 2010 or after now are moved to that end.
func (tx *Tx) NewIDAt(t time.Time) int64 { return tx.db.ids.nextAt(t) }

// NewShortID returns an ID below 2^53, so that clients in JavaScript can hold
// it in a number, for notifications.
func (tx *Tx) NewShortID() int64 { return tx.db.ids.nextShort() }

// SkipLocked is what a claiming SELECT ends in: " FOR UPDATE SKIP LOCKED" on
// PostgreSQL, so that two nodes never claim one row, and nothing on SQLite,
// where there is one writer anyway.
func (tx *Tx) SkipLocked() string {
	if tx.db.dialect == Postgres {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}

// ForUpdate is the same for a row that must be waited for: " FOR UPDATE" on
// PostgreSQL.
func (tx *Tx) ForUpdate() string {
	if tx.db.dialect == Postgres {
		return " FOR UPDATE"
	}
	return ""
}
