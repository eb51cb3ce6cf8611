// Package migrations holds the SQL files that are the only definition of the
// database's tables: one folder a database, the same numbers and names in both.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed sqlite/*.sql postgres/*.sql
var files embed.FS

// SQLite returns the migrations for SQLite, in goose's format.
func SQLite() fs.FS { return sub("sqlite") }

// Postgres returns the migrations for PostgreSQL, in goose's format.
func Postgres() fs.FS { return sub("postgres") }

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil {
		panic(err) // only an invalid path fails
	}
	return f
}
