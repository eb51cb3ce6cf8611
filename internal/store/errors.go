package store

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/chalkring/chalkring/internal/fault"
)

// Wrap turns "no row" into fault.NotFound, "duplicate" into fault.Conflict and
// "these bytes are no text" into fault.Invalid, and leaves everything else, also
// nil, as it is. Inside a transaction gorm's
// errors are turned already, so both questions hold of the same error:
// fault.Is(err, fault.NotFound) and errors.Is(err, gorm.ErrRecordNotFound).
func Wrap(err error) error {
	var f *fault.Error
	if err == nil || errors.As(err, &f) {
		return err
	}
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return fault.Wrap(fault.NotFound, err, "There is nothing here.").WithKey("error.not_found", nil)
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return fault.Wrap(fault.Conflict, err, "This exists already.").WithKey("error.conflict", nil)
	case noText(err):
		return fault.Wrap(fault.Invalid, err, "There are characters in it that cannot be kept.").WithKey("error.no_text", nil)
	}
	return err
}

// translate gives the databases' constraint errors gorm's names and then makes
// faults of them.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if name := constraint(err); name != nil && !errors.Is(err, name) {
		err = named{name, err}
	}
	return Wrap(err)
}

// noText reports whether PostgreSQL was given bytes that are not UTF-8, or a
// NUL. SQLite takes them for what they are, and finds nothing.
//
// PostgreSQL documentation, appendix A, class 22 (22021, 22P05).
func noText(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "22021" || pg.Code == "22P05")
}

// named is a driver's error under gorm's name for it.
type named struct{ name, err error }

func (n named) Error() string   { return n.name.Error() + ": " + n.err.Error() }
func (n named) Unwrap() []error { return []error{n.name, n.err} }

// constraint returns gorm's name for a broken constraint, or nil.
//
// PostgreSQL documentation, appendix A, class 23; SQLite, "Result and Error
// Codes", extended codes of SQLITE_CONSTRAINT.
func constraint(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "23505":
			return gorm.ErrDuplicatedKey
		case "23503":
			return gorm.ErrForeignKeyViolated
		case "23514":
			return gorm.ErrCheckConstraintViolated
		}
		return nil
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() {
		case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_ROWID:
			return gorm.ErrDuplicatedKey
		case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			return gorm.ErrForeignKeyViolated
		case sqlite3.SQLITE_CONSTRAINT_CHECK:
			return gorm.ErrCheckConstraintViolated
		}
	}
	return nil
}

// wrap is what leaves a transaction.
func (db *DB) wrap(err error) error {
	var f *fault.Error
	if err == nil || errors.As(err, &f) {
		return err
	}
	return translate(err)
}

// Retryable reports whether the same transaction may succeed a moment later.
//
// PostgreSQL documentation, section 13.5 (serialization failure handling).
func Retryable(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "40001" || pg.Code == "40P01"
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		code := lite.Code() & 0xff
		return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
	}
	return false
}
