// Package storetest gives tests a database of their own: SQLite always, and
// PostgreSQL too when CHALKRING_TEST_POSTGRES names a server on which databases
// may be created, as a postgres:// URL.
package storetest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
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
	pgTemplate = sync.OnceValues(func() (string, error) {
		name := fmt.Sprintf("chalkring_template_%d", os.Getpid())
		server := os.Getenv(variable)
		if err := pgExec(context.Background(), server, `DROP DATABASE IF EXISTS "`+name+`"`, `CREATE DATABASE "`+name+`"`); err != nil {
			return "", err
		}
		return name, migrated(pgURL(server, name))
	})
)

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
	name := fmt.Sprintf("chalkring_test_%d_%d", os.Getpid(), pgCount.Add(1))
	if err := pgExec(t.Context(), server, `CREATE DATABASE "`+name+`" TEMPLATE "`+template+`"`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pgExec(context.Background(), server, `DROP DATABASE "`+name+`" WITH (FORCE)`); err != nil {
			t.Logf("drop the test's database: %v", err)
		}
	})
	return pgURL(server, name)
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
	name := "chalkring_empty_" + strconv.Itoa(os.Getpid()) + "_" + strconv.FormatInt(pgCount.Add(1), 10)
	if err := pgExec(t.Context(), server, `CREATE DATABASE "`+name+`"`); err != nil {
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

func pgExec(ctx context.Context, server string, statements ...string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
