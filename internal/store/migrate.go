package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/chalkring/chalkring/migrations"
)

func provider(dialect Dialect, conn *sql.DB) (*goose.Provider, error) {
	var files fs.FS = migrations.SQLite()
	kind := goose.DialectSQLite3
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if dialect == Postgres {
		files, kind = migrations.Postgres(), goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker() // several nodes may start at once
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(kind, conn, files, options...)
}

// migrate brings the tables up to date, or with keep only looks whether they
// are.
func migrate(ctx context.Context, dialect Dialect, conn *sql.DB, keep bool) error {
	p, err := provider(dialect, conn)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	current, newest, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("ask for the version of the tables: %w", err)
	}
	switch {
	case current > newest:
		return fmt.Errorf("its tables are of version %d, and this program knows only up to %d: start a newer chalkring, or restore the backup made before the update", current, newest)
	case current == newest:
		return nil
	case keep:
		return fmt.Errorf("its tables are of version %d, and this program needs %d: run chalkring migrate", current, newest)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate from version %d: %w", current, err)
	}
	return nil
}

// Versions returns the version of a database's tables and the newest that this
// program has, without changing anything but what records the version.
func Versions(ctx context.Context, database string) (current, newest int64, err error) {
	conn, err := connect(database)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	p, err := provider(DialectOf(database), conn)
	if err != nil {
		return 0, 0, err
	}
	return p.GetVersions(ctx)
}

// MigrateTo brings a database's tables to a version, up or down; 0 takes all
// tables away, and with them everything in them. Nothing else may have the
// database open.
func MigrateTo(ctx context.Context, database string, version int64) error {
	conn, err := connect(database)
	if err != nil {
		return err
	}
	defer conn.Close()
	p, err := provider(DialectOf(database), conn)
	if err != nil {
		return err
	}
	current, _, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if version < current {
		_, err = p.DownTo(ctx, version)
	} else {
		_, err = p.UpTo(ctx, version)
	}
	if err != nil {
		return fmt.Errorf("migrate from version %d to %d: %w", current, version, err)
	}
	return nil
}

func connect(database string) (*sql.DB, error) {
	if DialectOf(database) == Postgres {
		config, err := pgConfig(database)
		if err != nil {
			return nil, err
		}
		return pgOpen(config), nil
	}
	if err := private(database); err != nil {
		return nil, err
	}
	return sql.Open("sqlite", sqliteDSN(database, false))
}
