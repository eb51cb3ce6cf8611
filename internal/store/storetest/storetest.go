// Package storetest gives tests a database of their own: SQLite always, and
// PostgreSQL too when CHALKRING_TEST_POSTGRES names a server on which databases
// may be created, as a postgres:// URL.
package storetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/migrations"
)

// Host is the host that test databases belong to.
const Host = "oak.test"

// Site is the site of test databases.
func Site() iri.Site { return iri.Site{Host: Host, Scheme: "https"} }

// Each runs fn as a subtest on a new SQLite database and, where there is one,
// on a new PostgreSQL database.
func Each(t *testing.T, fn func(t *testing.T, db *store.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, Open(t)) })
	if os.Getenv(variable) == "" {
		return
	}
	t.Run("postgres", func(t *testing.T) { fn(t, OpenURL(t, Postgres(t))) })
}

// Open returns a new SQLite database, migrated, with its host recorded, and
// closed when the test ends.
func Open(t testing.TB) *store.DB {
	t.Helper()
	return OpenURL(t, File(t))
}

// File returns the path of a new, migrated SQLite database, for tests that
// open it themselves.
func File(t testing.TB) string {
	t.Helper()
	template, err := liteTemplate()
	if err != nil {
		t.Fatalf("make the SQLite template: %v", err)
	}
	path := filepath.Join(t.TempDir(), "chalkring.db")
	if err := os.WriteFile(path, template, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// OpenURL opens the database for a test and closes it when the test ends.
func OpenURL(t testing.TB, database string) *store.DB {
	t.Helper()
	ctx := t.Context()
	db, err := store.Open(ctx, store.Options{
		Database: database,
		Site:     Site(),
		Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		Conns:    4,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closing, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := db.Close(closing); err != nil {
			t.Errorf("close the test's database: %v", err)
		}
	})
	if err := db.ClaimHost(ctx, Host); err != nil {
		t.Fatal(err)
	}
	return db
}

const variable = "CHALKRING_TEST_POSTGRES"

// liteTemplate makes a migrated file once a process; tests get copies.
var liteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "chalkring-template-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "template.db")
	if err := migrated(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func migrated(database string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{Database: database, Site: Site()})
	if err != nil {
		return err
	}
	return db.Close(ctx)
}

var (
	pgCount    atomic.Int64
	pgTemplate = sync.OnceValues(makePGTemplate)
)

// makePGTemplate makes a migrated database, or finds the one that an earlier
// process made of the same migrations, and returns its name.
func makePGTemplate() (name string, err error) {
	ctx := context.Background()
	sum := sha256.New()
	err = fs.WalkDir(migrations.Postgres(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(migrations.Postgres(), path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(b), b)
		return err
	})
	if err != nil {
		return "", err
	}
	name = fmt.Sprintf("chalkring_template_%x", sum.Sum(nil)[:8])
	server := os.Getenv(variable)
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	const lock = 0x6368616c6b // "chalk": one process makes the template, the others wait
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(lock)); err != nil {
		return "", err
	}
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name).Scan(&exists); err != nil || exists {
		return name, err
	}
	raw := name + "_raw"
	for _, s := range []string{`DROP DATABASE IF EXISTS "` + raw + `" WITH (FORCE)`, `CREATE DATABASE "` + raw + `"`} {
		if _, err := conn.Exec(ctx, s); err != nil {
			return "", err
		}
	}
	if err := migrated(pgURL(server, raw)); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, `ALTER DATABASE "`+raw+`" RENAME TO "`+name+`"`)
	return name, err
}

// Postgres returns the URL of a new, migrated PostgreSQL database that is
// dropped when the test ends. The test is skipped where there is no server.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv(variable)
	if server == "" {
		t.Skip(variable + " is not set")
	}
	template, err := pgTemplate()
	if err != nil {
		t.Fatalf("make the PostgreSQL template: %v", err)
	}
	return create(t, server, ` TEMPLATE "`+template+`"`)
}

// Empty returns an address of a new database without any tables, of the
// dialect, for tests of migrations.
func Empty(t testing.TB, dialect store.Dialect) string {
	t.Helper()
	if dialect == store.SQLite {
		return filepath.Join(t.TempDir(), "empty.db")
	}
	server := os.Getenv(variable)
	if server == "" {
		t.Skip(variable + " is not set")
	}
	return create(t, server, "")
}

// create makes a database that is dropped when the test ends.
func create(t testing.TB, server, options string) string {
	t.Helper()
	name := fmt.Sprintf("chalkring_test_%d_%d", os.Getpid(), pgCount.Add(1))
	if err := pgExec(t.Context(), server, `CREATE DATABASE "`+name+`"`+options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pgExec(context.Background(), server, `DROP DATABASE "`+name+`" WITH (FORCE)`); err != nil {
			t.Logf("drop the test's database: %v", err)
		}
	})
	return pgURL(server, name)
}

func pgURL(server, name string) string {
	u, err := url.Parse(server)
	if err != nil {
		panic(variable + " is no URL") // a mistake in the environment
	}
	u.Path = "/" + name
	return u.String()
}

func pgExec(ctx context.Context, server, statement string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}
