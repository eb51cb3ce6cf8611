package store

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Question is a statement on a hot path, whose rows are read by hand: a query,
// or a write, with or without RETURNING. gorm's reflection costs more than most
// of these do.
type Question struct {
	// SQL has a ? for each of Args. "IN ?" takes a list of numbers or strings,
	// which must not be empty. A List is one value wherever it stands.
	SQL  string
	Args []any
	// Row is called for each row, in their order. It must not ask anything
	// itself. Nil discards the rows.
	Row func(r *Row)
}

// Ask asks questions, in their order. On PostgreSQL they go out together and
// cost one round trip, so that none can build on another's answer.
func (tx *Tx) Ask(questions ...Question) error {
	ctx := tx.Statement.Context
	if err := ctx.Err(); err != nil {
		return err
	}
	ahead := tx.first
	if ahead != nil && !ahead.asked {
		ahead.asked = true
		questions = slices.Concat(ahead.questions, questions)
	} else {
		ahead = nil
	}
	begin := time.Now()
	pool, ok := tx.Statement.ConnPool.(asked)
	if !ok {
		return fmt.Errorf("a question was asked of %T", tx.Statement.ConnPool)
	}
	err := Wrap(translate(pool.ask(ctx, questions)))
	for _, q := range questions {
		tx.Logger.Trace(ctx, begin, func() (string, int64) {
			text, args := expand(q, false)
			if tx.db.dialect == Postgres {
				return q.SQL, -1
			}
			return tx.Dialector.Explain(text, args...), -1
		}, err)
	}
	if ahead != nil {
		if ahead.err = err; err == nil && ahead.check != nil {
			ahead.err = ahead.check(tx)
		}
		if o := tx.outlook(); ahead.err == nil && o != nil && o.kept != nil {
			ahead.err = errKept
		}
		return ahead.err
	}
	return err
}

// AskLast is Ask for the last that a transaction which only reads asks: on
// PostgreSQL its end goes out together with the questions. Whatever is asked
// behind it all the same sees a later state, so that nothing may be that says
// who may see a thing.
func (tx *Tx) AskLast(questions ...Question) error {
	if pool, ok := tx.Statement.ConnPool.(*pgRead); ok && pool.snapshot {
		pool.last = true
		defer func() { pool.last = false }()
	}
	return tx.Ask(questions...)
}

// asked is a connection that answers questions.
type asked interface {
	ask(ctx context.Context, questions []Question) error
}

// Row is one row of an answer. Each call takes the next column.
type Row struct {
	lite []driver.Value
	pg   [][]byte
	next int
	err  error
}

// Null reports whether the next column is NULL, and does not take it.
func (r *Row) Null() bool {
	if r.pg != nil {
		return r.next < len(r.pg) && r.pg[r.next] == nil
	}
	return r.next < len(r.lite) && r.lite[r.next] == nil
}

// bytes takes the next column on PostgreSQL.
func (r *Row) bytes(size int) []byte {
	if r.next >= len(r.pg) {
		r.fail("there are only %d columns", len(r.pg))
		return nil
	}
	b := r.pg[r.next]
	r.next++
	if size > 0 && len(b) != size {
		r.fail("column %d has %d bytes, not %d", r.next, len(b), size)
		return nil
	}
	return b
}

// number takes the next column, of eight bytes, on PostgreSQL.
func (r *Row) number() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// value takes the next column on SQLite.
func (r *Row) value() driver.Value {
	if r.next >= len(r.lite) {
		r.fail("there are only %d columns", len(r.lite))
		return nil
	}
	r.next++
	return r.lite[r.next-1]
}

// Fail says that what a column holds cannot be used.
func (r *Row) Fail(err error) { r.fail("column %d: %w", r.next, err) }

func (r *Row) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("read a row: "+format, args...)
	}
}

// Skip passes over the next columns.
func (r *Row) Skip(columns int) { r.next += columns }

// Int takes a BIGINT, or what counting gives.
func (r *Row) Int() int64 {
	if r.pg != nil {
		if r.next < len(r.pg) && len(r.pg[r.next]) == 4 { // a literal in the query
			return int64(int32(binary.BigEndian.Uint32(r.bytes(4))))
		}
		return int64(r.number())
	}
	n, ok := r.value().(int64)
	if !ok {
		r.fail("column %d is no number", r.next)
	}
	return n
}

// IntPtr takes a BIGINT that may be NULL.
func (r *Row) IntPtr() *int64 {
	if r.Null() {
		r.next++
		return nil
	}
	n := r.Int()
	return &n
}

// Bool takes a BOOLEAN.
func (r *Row) Bool() bool {
	if r.pg != nil {
		b := r.bytes(1)
		return b != nil && b[0] != 0
	}
	n, ok := r.value().(int64)
	if !ok {
		r.fail("column %d is no truth", r.next)
	}
	return n != 0
}

// Float takes a DOUBLE PRECISION.
func (r *Row) Float() float64 {
	if r.pg != nil {
		return math.Float64frombits(r.number())
	}
	switch v := r.value().(type) {
	case float64:
		return v
	case int64: // SQLite keeps whole numbers as such
		return float64(v)
	}
	r.fail("column %d is no number", r.next)
	return 0
}

// Text takes a TEXT.
func (r *Row) Text() string {
	if r.pg != nil {
		return string(r.bytes(0))
	}
	s, ok := r.value().(string)
	if !ok {
		r.fail("column %d is no text", r.next)
	}
	return s
}

// TextPtr takes a TEXT that may be NULL.
func (r *Row) TextPtr() *string {
	if r.Null() {
		r.next++
		return nil
	}
	s := r.Text()
	return &s
}

// Bytes takes a BLOB or BYTEA, nil for NULL.
func (r *Row) Bytes() []byte {
	if r.pg != nil {
		return bytes.Clone(r.bytes(0))
	}
	switch v := r.value().(type) {
	case nil:
		return nil
	case []byte:
		return v
	}
	r.fail("column %d is no blob", r.next)
	return nil
}

// Time takes a TIMESTAMP.
func (r *Row) Time() time.Time {
	if r.pg != nil {
		micro := int64(r.number())
		return time.UnixMicro(pgEpoch + micro).UTC()
	}
	switch v := r.value().(type) {
	case time.Time:
		return v.UTC()
	case string:
		t, ok := parseLiteTime(v)
		if !ok {
			r.fail("column %d is no time", r.next)
		}
		return t
	}
	r.fail("column %d is no time", r.next)
	return time.Time{}
}

// TimePtr takes a TIMESTAMP that may be NULL.
func (r *Row) TimePtr() *time.Time {
	if r.Null() {
		r.next++
		return nil
	}
	t := r.Time()
	return &t
}

// parseLiteTime reads liteTime.
func parseLiteTime(s string) (time.Time, bool) {
	if len(s) != len(liteTime) || s[4] != '-' || s[7] != '-' || s[10] != ' ' || s[13] != ':' || s[16] != ':' || s[19] != '.' {
		t, err := time.Parse("2006-01-02 15:04:05", s) // with or without a fraction
		return t, err == nil
	}
	ok := true
	number := func(from, to int) int {
		n := 0
		for _, c := range []byte(s[from:to]) {
			ok = ok && c >= '0' && c <= '9'
			n = 10*n + int(c-'0')
		}
		return n
	}
	t := time.Date(number(0, 4), time.Month(number(5, 7)), number(8, 10), number(11, 13), number(14, 16), number(17, 19),
		number(20, 23)*int(time.Millisecond), time.UTC)
	return t, ok
}

// expand returns a question's text and values as a driver takes them: lists are
// spread out, in lengths of powers of two, or for PostgreSQL with arrays made
// one value each.
func expand(q Question, arrays bool) (string, []any) {
	args := make([]any, 0, len(q.Args)+32)
	rest := q.SQL
	var b strings.Builder
	b.Grow(len(rest) + 64)
	put := func(placeholder bool) {
		if arrays {
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(len(args)))
		} else if placeholder {
			b.WriteByte('?')
		}
	}
	for _, arg := range q.Args {
		before, after, ok := strings.Cut(rest, "?")
		if !ok {
			break // too many values: the database says so
		}
		rest = after
		if list, ok := wholeList(arg, arrays); ok {
			b.WriteString(before)
			args = append(args, list)
			put(true)
			continue
		}
		list, many := listOf(arg)
		switch {
		case many && arrays:
			b.WriteString(strings.TrimSuffix(before, "IN "))
			b.WriteString("= ANY(")
			args = append(args, list)
			put(true)
			b.WriteByte(')')
		case many:
			b.WriteString(before)
			b.WriteByte('(')
			for i, v := range Even(list) {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteByte('?')
				args = append(args, v)
			}
			b.WriteByte(')')
		default:
			b.WriteString(before)
			args = append(args, plain(arg))
			put(true)
		}
	}
	b.WriteString(rest)
	return b.String(), args
}

// wholeList returns the one value that a List is bound as: behind "unnest(" on
// PostgreSQL, and behind "json_each(" on SQLite.
func wholeList(arg any, array bool) (any, bool) {
	switch arg.(type) {
	case List[string], List[int64]:
	default:
		return nil, false
	}
	if !array {
		text, _ := json.Marshal(arg) // strings or numbers: nothing that could fail
		return string(text), true
	}
	var values []any
	switch list := arg.(type) {
	case List[string]:
		values, _ = listOf([]string(list))
	case List[int64]:
		values, _ = listOf([]int64(list))
	}
	return values, true
}

// listOf returns the values of a list.
func listOf(arg any) ([]any, bool) {
	switch list := arg.(type) {
	case []int64:
		out := make([]any, len(list))
		for i, n := range list {
			out[i] = n
		}
		return out, true
	case []string:
		out := make([]any, len(list))
		for i, s := range list {
			out[i] = s
		}
		return out, true
	}
	v := reflect.ValueOf(arg)
	if v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.String {
		return nil, false
	}
	out := make([]any, v.Len())
	for i := range out {
		out[i] = v.Index(i).String()
	}
	return out, true
}

// plain makes a value one of int64, float64, bool, string, []byte and nil.
func plain(arg any) any {
	switch v := arg.(type) {
	case nil, int64, float64, bool, string:
		return v
	case []byte:
		if v == nil {
			return nil
		}
		return v
	case time.Time:
		return v.UTC().Format(liteTime)
	case int:
		return int64(v)
	case *int64:
		if v == nil {
			return nil
		}
		return *v
	case *string:
		if v == nil {
			return nil
		}
		return *v
	case *time.Time:
		if v == nil {
			return nil
		}
		return v.UTC().Format(liteTime)
	}
	if v := reflect.ValueOf(arg); v.Kind() == reflect.String {
		return v.String()
	}
	return arg // the driver refuses it
}

// ask answers questions on a SQLite connection, past database/sql, which would
// look at each value anew.
func (c *sqliteConn) ask(_ context.Context, questions []Question) error {
	return c.run(askings(questions, false))
}

func (c *sqliteConn) run(list []asking) error {
	return c.conn.Raw(func(conn any) error {
		for _, a := range list {
			if err := c.answer(conn.(driver.Conn), a); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *sqliteConn) answer(conn driver.Conn, a asking) (err error) {
	text := a.text.Value()
	stmt, ok := c.raw[text]
	if !ok {
		if stmt, err = conn.Prepare(text); err != nil {
			return err
		}
		if len(c.raw) >= mostStmts {
			for old, s := range c.raw {
				s.Close()
				delete(c.raw, old)
				break
			}
		}
		c.raw[text] = stmt
	}
	named := c.named[:0]
	for i, v := range a.args {
		named = append(named, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	c.named = named
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(uninterrupted(), named)
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	c.values = slices.Grow(c.values[:0], len(rows.Columns()))[:len(rows.Columns())]
	r := Row{lite: c.values}
	for {
		if err := rows.Next(c.values); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if r.next = 0; a.row != nil {
			a.row(&r)
		}
		if r.err != nil {
			return r.err
		}
	}
}
