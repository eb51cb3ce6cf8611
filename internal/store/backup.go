package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/chalkring/chalkring/internal/fault"
)

// Backup writes a copy of a SQLite database, as it is at this moment, into a
// new file, while the server goes on. On PostgreSQL it is refused: use pg_dump,
// or export the tables.
func (db *DB) Backup(ctx context.Context, path string) error {
	if db.dialect != SQLite {
		return fault.New(fault.Invalid, "A PostgreSQL database is not copied into one file. Use pg_dump.")
	}
	// Made here, so that it is nobody else's to read; VACUUM INTO takes an
	// empty file.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	f.Close()
	// A connection of its own: a long copy must keep neither writer nor readers.
	conn, err := sql.Open("sqlite", sqliteDSN(db.path, false))
	if err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return errors.Join(fmt.Errorf("back up the database: %w", err), os.Remove(path))
	}
	return nil
}
