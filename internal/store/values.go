package store

import (
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Millis returns t as the database keeps it: UTC, whole milliseconds.
func Millis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// bindTime brings the value that was bound last into the form in which times
// are stored, whoever made it: a local time or one with microseconds would
// otherwise come back different from how it went in.
func bindTime(stmt *gorm.Statement, form func(time.Time) any) {
	last := len(stmt.Vars) - 1
	if last < 0 {
		return
	}
	switch v := stmt.Vars[last].(type) {
	case time.Time:
		stmt.Vars[last] = form(v)
	case *time.Time:
		if v != nil {
			stmt.Vars[last] = form(*v)
		}
	case sql.NullTime:
		if v.Valid {
			stmt.Vars[last] = form(v.Time)
		}
	}
}

// A database that prepares statements keeps one for each text. Lists of every
// length would be hundreds of texts, so lists go in lengths of powers of two.

// Even returns the list with its last value repeated up to a power of two, for
// "IN ?", where repeating a value changes nothing.
func Even[T any](list []T) []T {
	if len(list) == 0 {
		return list
	}
	n := 1
	for n < len(list) {
		n *= 2
	}
	even := make([]T, n)
	copy(even, list)
	for i := len(list); i < n; i++ {
		even[i] = list[len(list)-1]
	}
	return even
}

// Lots divides a list into parts whose lengths are powers of two and at most
// most, for a statement that inserts a part at a time.
func Lots[T any](list []T, most int) [][]T {
	var lots [][]T
	for len(list) > 0 {
		n := 1
		for 2*n <= len(list) && 2*n <= most {
			n *= 2
		}
		lots = append(lots, list[:n])
		list = list[n:]
	}
	return lots
}

// Rows is a row of placeholders, n times: what follows VALUES.
func Rows(row string, n int) string {
	return strings.TrimSuffix(strings.Repeat(row+", ", n), ", ")
}

// A List is bound as one value, so that a statement has one text, and one plan,
// for lists of every length. It is for what runs all the time with long lists:
// an expression for gorm, to be given for a "?" in the place of a table, with a
// column called value.
type List[T string | int64] []T

// Build implements clause.Expression.
func (l List[T]) Build(b clause.Builder) {
	stmt := b.(*gorm.Statement)
	if stmt.Dialector.Name() == string(Postgres) {
		b.WriteString("unnest(")
		l.array(stmt)
		b.WriteString(")")
		return
	}
	b.WriteString("json_each(")
	l.json(stmt)
	b.WriteString(")")
}

// In is the condition that the column has one of the values of a List.
type In[T string | int64] struct {
	Column string
	List   List[T]
}

// Build implements clause.Expression.
func (in In[T]) Build(b clause.Builder) {
	stmt := b.(*gorm.Statement)
	b.WriteString(in.Column)
	if stmt.Dialector.Name() == string(Postgres) { // which takes any other list to have a hundred values
		b.WriteString(" = ANY (")
		in.List.array(stmt)
		b.WriteString(")")
		return
	}
	b.WriteString(" IN (SELECT value FROM json_each(")
	in.List.json(stmt)
	b.WriteString("))")
}

func (l List[T]) array(stmt *gorm.Statement) {
	bind(stmt, []T(l))
	if _, words := any(l).(List[string]); words {
		stmt.WriteString("::text[]")
	} else {
		stmt.WriteString("::bigint[]")
	}
}

func (l List[T]) json(stmt *gorm.Statement) {
	text, _ := json.Marshal(l) // strings or numbers: nothing that could fail
	bind(stmt, string(text))
}

// bind binds a value as it is, where AddVar would take a list apart.
func bind(stmt *gorm.Statement, value any) {
	stmt.Vars = append(stmt.Vars, value)
	stmt.Dialector.BindVarTo(stmt, stmt, value)
}
