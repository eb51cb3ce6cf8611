package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// sqlitePool lends connections to one file. database/sql has a pool too, but
// its prepared statements do not outlast a transaction, and preparing costs as
// much as running: here each connection keeps its own.
type sqlitePool struct {
	db    *sql.DB
	idle  chan *sqliteConn
	slots chan struct{} // one for each open connection
}

func newSQLitePool(db *sql.DB, size int) *sqlitePool {
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return &sqlitePool{db: db, idle: make(chan *sqliteConn, size), slots: make(chan struct{}, size)}
}

var errClosed = errors.New("the database is closed")

// acquire lends a connection: an idle one, a new one, or whichever is given
// back first. Waiting callers are served in turn.
func (p *sqlitePool) acquire(ctx context.Context) (*sqliteConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case c, ok := <-p.idle:
		return lent(c, ok)
	default:
	}
	select {
	case c, ok := <-p.idle:
		return lent(c, ok)
	case p.slots <- struct{}{}:
		conn, err := p.db.Conn(context.WithoutCancel(ctx))
		if err != nil {
			<-p.slots
			return nil, err
		}
		return &sqliteConn{conn: conn, stmts: map[string]*sql.Stmt{}, raw: map[string]driver.Stmt{}}, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a database connection: %w", ctx.Err())
	}
}

func lent(c *sqliteConn, ok bool) (*sqliteConn, error) {
	if !ok {
		return nil, errClosed
	}
	return c, nil
}

// release takes a connection back, or throws it away if it is in doubt.
func (p *sqlitePool) release(c *sqliteConn, broken bool) {
	if broken {
		c.discard()
		<-p.slots
		return
	}
	p.idle <- c
}

// size returns how many connections are open, and how many of them idle.
func (p *sqlitePool) size() (open, idle int) { return len(p.slots), len(p.idle) }

// close waits until every connection is back, or ctx ends, and closes them.
func (p *sqlitePool) close(ctx context.Context) error {
	for range cap(p.slots) {
		select {
		case c := <-p.idle:
			c.close()
			// its slot stays taken, so that no new one is opened
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), p.db.Close())
		}
	}
	close(p.idle)
	return p.db.Close()
}

// sqliteConn is one connection with its prepared statements. A statement must
// not be run again while its own rows are still being read.
//
// A statement that has begun is not interrupted: watching for it costs more
// than most statements do, and an interrupted connection has to be thrown away.
// Whether the caller is still there is asked before each.
type sqliteConn struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt

	raw    map[string]driver.Stmt // for questions, as the driver has them
	named  []driver.NamedValue    // what questions reuse
	values []driver.Value
}

// How many statements a connection keeps, and how long their text may be.
const (
	mostStmts = 400
	longest   = 4096
)

// uninterrupted is the context that statements run in.
func uninterrupted() context.Context { return context.Background() }

func (c *sqliteConn) prepare(query string) (*sql.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.conn.PrepareContext(uninterrupted(), query)
	if err != nil {
		return nil, err
	}
	if len(c.stmts) >= mostStmts {
		for old, stmt := range c.stmts { // any one; the common ones come back at once
			stmt.Close()
			delete(c.stmts, old)
			break
		}
	}
	c.stmts[query] = s
	return s, nil
}

// PrepareContext, ExecContext, QueryContext and QueryRowContext make it gorm's
// connection.
func (c *sqliteConn) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return c.conn.PrepareContext(ctx, query)
}

// ExecContext runs a statement without rows.
func (c *sqliteConn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(query) > longest {
		return c.conn.ExecContext(uninterrupted(), query, args...)
	}
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(uninterrupted(), args...)
}

// QueryContext runs a statement with rows.
func (c *sqliteConn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(query) > longest {
		return c.conn.QueryContext(uninterrupted(), query, args...)
	}
	s, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(uninterrupted(), args...)
}

// QueryRowContext runs a statement with one row.
func (c *sqliteConn) QueryRowContext(_ context.Context, query string, args ...any) *sql.Row {
	if len(query) <= longest {
		if s, err := c.prepare(query); err == nil {
			return s.QueryRowContext(uninterrupted(), args...)
		}
	}
	return c.conn.QueryRowContext(uninterrupted(), query, args...)
}

func (c *sqliteConn) close() {
	c.closeStmts()
	c.conn.Close()
}

func (c *sqliteConn) closeStmts() {
	for _, s := range c.stmts {
		s.Close()
	}
	c.conn.Raw(func(any) error {
		for _, s := range c.raw {
			s.Close()
		}
		return nil
	})
	clear(c.stmts)
	clear(c.raw)
}

// discard closes the connection for good instead of giving it back to
// database/sql.
func (c *sqliteConn) discard() {
	c.closeStmts()
	c.conn.Raw(func(any) error { return driver.ErrBadConn })
	c.conn.Close()
}

// sqliteTx is a connection in a transaction.
type sqliteTx struct {
	*sqliteConn
	pool *sqlitePool

	outlook *outlook // of a page
}

func (s *sqliteTx) ask(_ context.Context, questions []Question) error {
	list := askings(questions, false)
	if s.outlook != nil {
		return s.answerPage(list)
	}
	return s.run(list)
}

// PrepareContext, ExecContext, QueryContext and QueryRowContext are what is asked
// past questions.
func (s *sqliteTx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	s.outlook.turn()
	return s.sqliteConn.PrepareContext(ctx, query)
}

// ExecContext runs a statement without rows.
func (s *sqliteTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s.outlook.turn()
	return s.sqliteConn.ExecContext(ctx, query, args...)
}

// QueryContext runs a statement with rows.
func (s *sqliteTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s.outlook.turn()
	return s.sqliteConn.QueryContext(ctx, query, args...)
}

// QueryRowContext runs a statement with one row.
func (s *sqliteTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s.outlook.turn()
	return s.sqliteConn.QueryRowContext(ctx, query, args...)
}

func (db *DB) beginSQLite(ctx context.Context, write bool) (session, error) {
	pool, begin := db.readers, "BEGIN"
	if write {
		pool, begin = db.writer, "BEGIN IMMEDIATE"
	}
	c, err := pool.acquire(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := c.ExecContext(uninterrupted(), begin); err != nil {
		pool.release(c, true)
		return nil, err
	}
	return &sqliteTx{sqliteConn: c, pool: pool}, nil
}

// Commit commits. What could not be committed is rolled back.
func (s *sqliteTx) Commit() error {
	if _, err := s.sqliteConn.ExecContext(uninterrupted(), "COMMIT"); err != nil {
		s.Rollback()
		return err
	}
	s.pool.release(s.sqliteConn, false)
	return nil
}

// Rollback ends the transaction without its changes.
func (s *sqliteTx) Rollback() error {
	_, err := s.sqliteConn.ExecContext(uninterrupted(), "ROLLBACK")
	s.pool.release(s.sqliteConn, err != nil)
	return err
}

// onWriter runs fn with the writer's connection, outside any transaction.
func (db *DB) onWriter(ctx context.Context, fn func(c *sqliteConn) error) error {
	c, err := db.writer.acquire(ctx)
	if err != nil {
		return err
	}
	err = fn(c)
	db.writer.release(c, false)
	return err
}
