package store

import (
	"database/sql"
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
