package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// pgEpoch is where PostgreSQL's times begin, in microseconds since 1970.
var pgEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// pgRead is a connection that only reads: with snapshot in a transaction, which
// begins together with the first question.
type pgRead struct {
	ctx      context.Context
	conn     *sql.Conn
	snapshot bool
	begun    bool
	last     bool // what is asked now ends the transaction

	outlook *outlook // where it may be begun again
}

// A reader sees one state of the database throughout, as on SQLite.
const (
	pgSnapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	pgEnd      = "ROLLBACK"
)

// begin begins the transaction that is due.
func (s *pgRead) begin(ctx context.Context) error {
	if o := s.outlook; o != nil {
		if o.foreseen != nil {
			return o.miss()
		}
		o.foreign = true
	}
	if !s.snapshot || s.begun {
		return nil
	}
	s.begun = true
	return s.run(ctx, pgSnapshot)
}

// run runs a statement without values or rows.
func (s *pgRead) run(ctx context.Context, statement string) error {
	return s.conn.Raw(func(conn any) error {
		return conn.(*stdlib.Conn).Conn().PgConn().Exec(ctx, statement).Close()
	})
}

// PrepareContext, ExecContext, QueryContext and QueryRowContext make it gorm's
// connection.
func (s *pgRead) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return s.conn.PrepareContext(ctx, query)
}

// ExecContext runs a statement without rows.
func (s *pgRead) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return s.conn.ExecContext(ctx, query, args...)
}

// QueryContext runs a statement with rows.
func (s *pgRead) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return s.conn.QueryContext(ctx, query, args...)
}

// QueryRowContext runs a statement with one row.
func (s *pgRead) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if err := s.begin(ctx); errors.Is(err, errMissed) {
		gone, cancel := context.WithCancel(ctx)
		cancel() // the statement fails: its transaction is begun again
		return s.conn.QueryRowContext(gone, query, args...)
	}
	return s.conn.QueryRowContext(ctx, query, args...)
}

// Commit ends the transaction, which has changed nothing.
func (s *pgRead) Commit() error { return s.Rollback() }

// Rollback ends the transaction and gives the connection back. A connection
// that is still in one is thrown away there.
func (s *pgRead) Rollback() error {
	var err error
	if s.begun {
		err = s.run(context.WithoutCancel(s.ctx), pgEnd)
	}
	return errors.Join(err, s.conn.Close())
}

func (s *pgRead) ask(ctx context.Context, questions []Question) error {
	list := askings(questions, true)
	if s.outlook != nil {
		return s.answer(ctx, list)
	}
	return s.send(ctx, list)
}

func (s *pgRead) send(ctx context.Context, list []asking) error {
	first, last := s.snapshot && !s.begun, s.last
	s.begun = s.begun || first && !last
	err := pgAsk(ctx, s.conn, first, last, list)
	if err == nil && last {
		s.begun = false
	}
	return err
}

func (t *pgTx) ask(ctx context.Context, questions []Question) error {
	return pgAsk(ctx, t.conn, false, false, askings(questions, true))
}

// pgStatements are what a connection has prepared for questions.
type pgStatements struct {
	byText map[string]*pgconn.StatementDescription
	made   int
}

// pgAsk sends all questions at once, behind the beginning of a transaction and
// before its end if wanted, and reads the answers. Where a question fails the
// transaction is not ended, if it was begun before. What is all of a transaction
// needs neither: questions that are sent together are one (PostgreSQL
// documentation, section 55.2.4), which is a snapshot by the connection's default.
func pgAsk(ctx context.Context, conn *sql.Conn, begin, end bool, questions []asking) error {
	if begin && end {
		begin, end = false, false
	}
	return conn.Raw(func(c any) error {
		pg := c.(*stdlib.Conn).Conn().PgConn()
		var batch pgconn.Batch
		if begin {
			s, err := pgPrepared(ctx, pg, pgSnapshot)
			if err != nil {
				return err
			}
			batch.ExecStatement(s, nil, nil, nil)
		}
		for _, q := range questions {
			s, err := pgPrepared(ctx, pg, q.text.Value())
			if err != nil {
				return err
			}
			values, forms := pgValues(q.args)
			batch.ExecStatement(s, values, forms, binary1)
		}
		if end {
			s, err := pgPrepared(ctx, pg, pgEnd)
			if err != nil {
				return err
			}
			batch.ExecStatement(s, nil, nil, nil)
		}
		answers := pg.ExecBatch(ctx, &batch)
		if begin {
			answers.NextResult()
		}
		var row Row
		for _, q := range questions {
			if !answers.NextResult() {
				break
			}
			for rows := answers.ResultReader(); rows.NextRow(); {
				row.pg, row.next = rows.Values(), 0
				if q.row != nil && row.err == nil {
					q.row(&row)
				}
			}
		}
		return errors.Join(answers.Close(), row.err)
	})
}

// binary1 asks for every column in its binary form.
var binary1 = []int16{1}

// pgPrepared returns a statement of the connection's, prepared once.
func pgPrepared(ctx context.Context, conn *pgconn.PgConn, text string) (*pgconn.StatementDescription, error) {
	const key = "chalkring"
	kept, ok := conn.CustomData()[key].(*pgStatements)
	if !ok {
		kept = &pgStatements{byText: map[string]*pgconn.StatementDescription{}}
		conn.CustomData()[key] = kept
	}
	if s, ok := kept.byText[text]; ok {
		return s, nil
	}
	if len(kept.byText) >= mostStmts {
		for old, s := range kept.byText { // any one; the common ones come back at once
			if err := conn.Deallocate(ctx, s.Name); err != nil {
				return nil, err
			}
			delete(kept.byText, old)
			break
		}
	}
	kept.made++
	s, err := conn.Prepare(ctx, "question_"+strconv.Itoa(kept.made), text, nil)
	if err == nil {
		kept.byText[text] = s
	}
	return s, err
}

// pgValues writes values in their text form, which suits a parameter of
// whatever type; bytes as they are. Without any bytes there are no forms.
func pgValues(args []any) (values [][]byte, forms []int16) {
	values = make([][]byte, len(args))
	for i, arg := range args {
		switch v := arg.(type) {
		case nil:
		case []byte:
			if forms == nil {
				forms = make([]int16, len(args))
			}
			values[i], forms[i] = v, 1
		default:
			values[i] = pgValue([]byte{}, arg) // not nil, which would be NULL
		}
	}
	return values, forms
}

func pgValue(b []byte, arg any) []byte {
	switch v := arg.(type) {
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return append(b, v...)
	case []any: // PostgreSQL documentation, section 8.15.2
		b = append(b, '{')
		for i, one := range v {
			if i > 0 {
				b = append(b, ',')
			}
			if s, ok := one.(string); ok {
				b = append(b, '"')
				b = append(b, arrayText.Replace(s)...)
				b = append(b, '"')
			} else {
				b = pgValue(b, one)
			}
		}
		return append(b, '}')
	}
	return fmt.Append(b, arg)
}

var arrayText = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
