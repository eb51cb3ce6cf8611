// Package store opens the database, SQLite or PostgreSQL, and runs functions in
// transactions on it. A transaction carries what all it writes shares: the
// site, one time, new IDs, and the news that goes out when it commits.
//
// A commit that has returned is on disk. On SQLite there is one writer, which
// takes its lock at once, and many readers with a view of their own; on
// PostgreSQL several nodes may share one database.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
)

// Dialect names a kind of database.
type Dialect string

// The two databases.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Options say which database to open and how.
type Options struct {
	Database     string           // path of a SQLite file, or a postgres:// URL
	Site         iri.Site         // what Tx.Site will be
	Log          *slog.Logger     // slow queries and lost connections; nil: slog.Default()
	Conns        int              // SQLite: readers; Postgres: connections. 0: a sensible number
	WriteTimeout time.Duration    // longest a write transaction may last; 0: 30 seconds
	SlowQuery    time.Duration    // queries that take longer are logged, without their values; 0: 500 ms
	Now          func() time.Time // the clock; nil: time.Now
	KeepSchema   bool             // do not migrate; fail if the schema is not the newest
}

// DB is an open database. It is safe for concurrent use. A function that runs in
// one of its transactions must not begin another: on SQLite it would wait for
// itself.
type DB struct {
	dialect Dialect
	site    iri.Site
	log     *slog.Logger
	node    string
	now     func() time.Time
	timeout time.Duration
	orm     *gorm.DB

	writer, readers *sqlitePool // SQLite
	pg              *sql.DB     // Postgres
	path            string      // SQLite: the file

	ids     ids
	hub     hub
	batch   batch
	memo    memo
	pages   memo // see Reading
	reads   atomic.Int64
	writes  atomic.Int64
	retries atomic.Int64

	foreseen, missed atomic.Int64 // see script
	keptPages        atomic.Int64 // see Reading
	answers          sync.Pool    // of *answers, for them

	stop    context.CancelFunc
	waiting sync.WaitGroup
	closed  atomic.Bool
}

// Open opens the database, creates it where it is a file that does not exist,
// and brings its tables up to date. Close it in the end.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Database == "" {
		return nil, errors.New("open database: no database named; give a file for SQLite or a postgres:// URL")
	}
	db := &DB{
		dialect: DialectOf(o.Database),
		site:    o.Site,
		log:     o.Log,
		node:    newNode(),
		now:     o.Now,
		timeout: o.WriteTimeout,
	}
	if db.log == nil {
		db.log = slog.Default()
	}
	if db.now == nil {
		db.now = time.Now
	}
	if db.timeout == 0 {
		db.timeout = 30 * time.Second
	}
	db.batch.db = db
	db.pages.bound = pagesBound
	db.ids.now = db.now
	slow := o.SlowQuery
	if slow == 0 {
		slow = 500 * time.Millisecond
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	db.stop = stop
	open := db.openSQLite
	if db.dialect == Postgres {
		open = db.openPostgres
	}
	if err := open(ctx, background, o, &ormLog{log: db.log, slow: slow}); err != nil {
		stop()
		db.waiting.Wait()
		return nil, err
	}
	return db, nil
}

// DialectOf says which kind of database a setting names.
func DialectOf(database string) Dialect {
	if strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://") {
		return Postgres
	}
	return SQLite
}

func newNode() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// ormConfig is how both databases use gorm: no transactions and no
// associations of its own, and errors that are faults (see translate).
func ormConfig(log *ormLog) *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true,
		TranslateError:         true,
		DisableAutomaticPing:   true,
		Logger:                 log,
		NowFunc:                func() time.Time { return Millis(time.Now()) },
	}
}

// Dialect returns the kind of database.
func (db *DB) Dialect() Dialect { return db.dialect }

// Site returns the site that was given to Open.
func (db *DB) Site() iri.Site { return db.site }

// Node returns a random name for this opening of the database, for claims on
// rows that several nodes work on. It is never used twice.
func (db *DB) Node() string { return db.node }

// Now returns the time as transactions see it: UTC, whole milliseconds.
func (db *DB) Now() time.Time { return Millis(db.now()) }

// Ping fails when the database does not answer.
func (db *DB) Ping(ctx context.Context) error {
	return db.Read(ctx, func(tx *Tx) error {
		var one int
		return tx.Raw("SELECT 1").Scan(&one).Error
	})
}

// Stats are counts since the database was opened, and what is in use now.
type Stats struct {
	Reads, Writes, Retries int64 // transactions
	Foreseen, Missed       int64 // transactions that asked what was foreseen, and others (see script)
	Kept                   int64 // those for which what was made of them was kept (see Reading)
	InUse, Open            int   // connections
	Subscriptions          int
}

// Stats returns how busy the database is.
func (db *DB) Stats() Stats {
	s := Stats{Reads: db.reads.Load(), Writes: db.writes.Load(), Retries: db.retries.Load(),
		Foreseen: db.foreseen.Load(), Missed: db.missed.Load(), Kept: db.keptPages.Load(), Subscriptions: db.hub.count()}
	if db.dialect == Postgres {
		p := db.pg.Stats()
		s.InUse, s.Open = p.InUse, p.OpenConnections
		return s
	}
	for _, p := range []*sqlitePool{db.writer, db.readers} {
		open, idle := p.size()
		s.InUse += open - idle
		s.Open += open
	}
	return s
}

// Optimize lets the database refresh its statistics, which the query planner
// chooses by. SQLite looks only at tables that have grown much since the last
// time, which costs next to nothing where none has, but only it depends on this
// soon: PostgreSQL looks by itself, too. By what it knew of a table with one
// row it would read all of 20,000 that were imported since, again and again.
//
// It looks at some rows of each index only, so that nobody waits for it who wants
// to write.
//
// https://sqlite.org/pragma.html#pragma_optimize: 0x10000 is for tables that
// this connection has not asked itself.
func (db *DB) Optimize(ctx context.Context) error {
	if db.dialect == Postgres {
		_, err := db.pg.ExecContext(ctx, "ANALYZE")
		return err
	}
	return db.onWriter(ctx, func(c *sqliteConn) error {
		if _, err := c.ExecContext(ctx, "PRAGMA optimize=0x10002"); err != nil {
			return err
		}
		return withoutSmall(ctx, c)
	})
}

// Close ends all subscriptions and closes the database once what runs on it
// has ended, or when ctx ends.
func (db *DB) Close(ctx context.Context) error {
	if db.closed.Swap(true) {
		return nil
	}
	db.stop()
	db.hub.close()
	db.waiting.Wait()
	if db.dialect == Postgres {
		return db.pg.Close()
	}
	if err := db.Optimize(ctx); err != nil {
		db.log.Warn("database statistics not refreshed at close", "err", err)
	}
	return errors.Join(db.readers.close(ctx), db.writer.close(ctx))
}

// ClaimHost records, the first time, which host this database belongs to, and
// from then on refuses any other: peers keep our addresses for ever, and under
// another name none of them would be true.
func (db *DB) ClaimHost(ctx context.Context, host string) error {
	return db.Write(ctx, func(tx *Tx) error {
		err := tx.Exec("INSERT INTO site (id, host, created_at, updated_at) VALUES (1, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
			host, tx.Now, tx.Now).Error
		if err != nil {
			return err
		}
		var recorded string
		if err := tx.Raw("SELECT host FROM site WHERE id = 1").Scan(&recorded).Error; err != nil {
			return err
		}
		if recorded != host {
			return hostTaken(recorded, host)
		}
		return nil
	})
}

// RecordedHost returns the host that a database belongs to, or "" for one that
// is new or has not been claimed. It changes nothing.
func RecordedHost(ctx context.Context, database string) (string, error) {
	if DialectOf(database) == SQLite {
		if _, err := os.Stat(database); errors.Is(err, os.ErrNotExist) {
			return "", nil
		}
	}
	db, err := Open(ctx, Options{Database: database, KeepSchema: true, Conns: 1})
	if err != nil {
		return "", err
	}
	var host string
	err = db.Read(ctx, func(tx *Tx) error { return tx.Raw("SELECT host FROM site WHERE id = 1").Scan(&host).Error })
	return host, errors.Join(err, db.Close(ctx))
}

func hostTaken(recorded, host string) error {
	return fault.New(fault.Conflict, "This database belongs to %s and cannot serve %s, since other servers have stored its addresses under that name. Start with the host %s, or with an empty database.", recorded, host, recorded)
}
