package store

import (
	"slices"
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// How many rows a page has.
const (
	DefaultLimit = 20
	MaxLimit     = 80
)

// Page says which part of a list is wanted, as Mastodon's clients say it:
// below MaxID; above SinceID, the newest; or above MinID, the nearest. The zero
// value is the head of the list.
type Page struct {
	MaxID   int64
	SinceID int64
	MinID   int64
	Limit   int // 0: DefaultLimit; never more than MaxLimit
}

// Size returns how many rows the page may have.
func (p Page) Size() int {
	if p.Limit <= 0 {
		return DefaultLimit
	}
	return min(p.Limit, MaxLimit)
}

// On returns a scope that narrows a query to the page by the given column,
// which holds IDs. Keyset, not offset: a list that grows at its head must not
// show a row twice.
func (p Page) On(column string) func(*gorm.DB) *gorm.DB {
	return p.on(clause.Column{Name: column})
}

// Scope is On for the column id of the query's own table.
func (p Page) Scope(q *gorm.DB) *gorm.DB {
	return p.on(clause.Column{Table: clause.CurrentTable, Name: "id"})(q)
}

func (p Page) on(column clause.Column) func(*gorm.DB) *gorm.DB {
	return func(q *gorm.DB) *gorm.DB {
		if p.MaxID > 0 {
			q = q.Where(clause.Lt{Column: column, Value: p.MaxID})
		}
		if after := max(p.SinceID, p.MinID); after > 0 {
			q = q.Where(clause.Gt{Column: column, Value: after})
		}
		q = q.Order(clause.OrderByColumn{Column: column, Desc: p.MinID <= 0})
		if q.Dialector.Name() == string(Postgres) {
			return q.Clauses(limit(p.Size()))
		}
		return q.Limit(p.Size())
	}
}

// SQL is On for a query that is written by hand: a condition, which begins with
// AND or is empty, with its values, and what stands at the query's end.
func (p Page) SQL(column string) (where string, args []any, end string) {
	if p.MaxID > 0 {
		where, args = where+" AND "+column+" < ?", append(args, p.MaxID)
	}
	if after := max(p.SinceID, p.MinID); after > 0 {
		where, args = where+" AND "+column+" > ?", append(args, after)
	}
	order := " DESC"
	if p.MinID > 0 {
		order = ""
	}
	return where, args, " ORDER BY " + column + order + " LIMIT " + strconv.Itoa(p.Size())
}

// limit is a LIMIT whose number stands in the statement. Postgres plans a
// statement once for all its parameters; were the number one of them, it would
// reckon with a tenth of the table and sort it.
type limit int

// Name says which part of a statement it is.
func (limit) Name() string { return "LIMIT" }

// Build writes it.
func (l limit) Build(b clause.Builder) { b.WriteString("LIMIT " + strconv.Itoa(int(l))) }

// MergeClause puts it in place of another.
func (l limit) MergeClause(c *clause.Clause) { c.Name, c.Expression = "", l }

// Find returns a page of q's rows, newest first whichever way they were
// looked for. T is the row's struct, and its table has a column id.
func Find[T any](q *gorm.DB, p Page) ([]T, error) {
	var rows []T
	if err := q.Scopes(p.Scope).Find(&rows).Error; err != nil {
		return nil, err
	}
	if p.MinID > 0 { // the nearest above came lowest first
		slices.Reverse(rows)
	}
	return rows, nil
}

// FindOn is Find by another column than the table's id, such as "likes.id" in
// a query that joins.
func FindOn[T any](q *gorm.DB, p Page, column string) ([]T, error) {
	var rows []T
	if err := q.Scopes(p.On(column)).Find(&rows).Error; err != nil {
		return nil, err
	}
	if p.MinID > 0 {
		slices.Reverse(rows)
	}
	return rows, nil
}
