package store

import (
	"database/sql"
	"strings"
	"time"

	"gorm.io/gorm"
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
