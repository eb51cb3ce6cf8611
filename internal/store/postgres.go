package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

func pgConfig(database string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return nil, errors.New("open database: the postgres:// URL cannot be read; write it as postgres://user:password@host:5432/name")
	}
	config.RuntimeParams["timezone"] = "UTC"
	config.RuntimeParams["jit"] = "off" // compiling costs a hundred times what our queries do
	// Planning a list anew for each reader costs more than running it, and no
	// value of ours changes which plan is right.
	config.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	// What is asked often is in memory, and disks have no arms any more. At the
	// default of 4 a plan made while tables are small reads them whole, and is
	// kept until they are next analysed.
	config.RuntimeParams["random_page_cost"] = "1.1"
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "chalkring"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	return config, nil
}

func pgOpen(config *pgx.ConnConfig) *sql.DB { return stdlib.OpenDB(*config) }

func (db *DB) openPostgres(ctx, background context.Context, o Options, log *ormLog) error {
	config, err := pgConfig(o.Database)
	if err != nil {
		return err
	}
	where := fmt.Sprintf("%s on %s", config.Database, config.Host)
	conns := o.Conns
	if conns <= 0 {
		conns = 16
	}
	first := pgOpen(config)
	err = migrate(ctx, Postgres, first, o.KeepSchema)
	first.Close()
	if err != nil {
		return fmt.Errorf("open database %s: %w", where, err)
	}
	config.RuntimeParams["default_transaction_isolation"] = "repeatable read" // see pgAsk; writers say what they want
	pool := pgOpen(config)
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns) // opening one costs more than a hundred queries
	pool.SetConnMaxIdleTime(5 * time.Minute)
	db.orm, err = gorm.Open(pgDialector{&postgres.Dialector{Config: &postgres.Config{Conn: pool}}}, ormConfig(log))
	if err != nil {
		pool.Close()
		return fmt.Errorf("open database %s: %w", where, err)
	}
	// Before Open returns, so that no subscriber misses anything.
	ears, err := tune(ctx, config)
	if err != nil {
		pool.Close()
		return fmt.Errorf("open database %s: listen to other nodes: %w", where, err)
	}
	db.pg = pool
	db.waiting.Go(func() { db.listen(background, config, ears) })
	return nil
}

// beginPostgres begins a transaction.
func (db *DB) beginPostgres(ctx context.Context, write bool) (session, error) {
	conn, err := db.pg.Conn(ctx) // waiting for a connection may be given up,
	if err != nil {
		return nil, err
	}
	if !write {
		return &pgRead{ctx: ctx, conn: conn, snapshot: true}, nil
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.timeout)
	tx, err := conn.BeginTx(limited, &sql.TxOptions{Isolation: sql.LevelReadCommitted}) // the transaction not
	if err != nil {
		cancel()
		conn.Close()
		return nil, err
	}
	return &pgTx{Tx: tx, conn: conn, cancel: cancel}, nil
}

// pgTx is a write transaction with the connection it holds.
type pgTx struct {
	*sql.Tx
	conn   *sql.Conn
	cancel context.CancelFunc
}

// Commit commits and gives the connection back.
func (t *pgTx) Commit() error {
	defer t.end()
	return t.Tx.Commit()
}

// Rollback ends the transaction without its changes and gives the connection
// back.
func (t *pgTx) Rollback() error {
	defer t.end()
	return t.Tx.Rollback()
}

func (t *pgTx) end() {
	t.cancel()
	t.conn.Close()
}

// pgDialector is gorm's own dialector with our times and our errors.
type pgDialector struct{ *postgres.Dialector }

func (d pgDialector) BindVarTo(w clause.Writer, stmt *gorm.Statement, v any) {
	bindTime(stmt, func(t time.Time) any { return Millis(t) })
	d.Dialector.BindVarTo(w, stmt, v)
}

func (d pgDialector) Translate(err error) error { return translate(err) }
