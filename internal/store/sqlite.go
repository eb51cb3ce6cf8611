package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/migrator"
	"gorm.io/gorm/schema"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// liteTime is how a time stands in SQLite: fixed width, so that text order is
// time order, and understood by SQLite's own date functions.
const liteTime = "2006-01-02 15:04:05.000"

// sqliteDSN returns the connection string for a file. synchronous is FULL since
// a commit that was answered for must survive a power cut.
func sqliteDSN(path string, readOnly bool) string {
	q := url.Values{}
	cache := "-16000" // KiB
	if readOnly {
		cache = "-8000"
	}
	pragmas := []string{
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"cache_size(" + cache + ")", "temp_store(MEMORY)", "journal_size_limit(67108864)", "analysis_limit(1000)",
	}
	if readOnly {
		pragmas = append(pragmas, "query_only(1)")
	}
	q["_pragma"] = pragmas
	q.Set("_time_format", "sqlite")
	q.Set("_timezone", "UTC")
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

func (db *DB) openSQLite(ctx, _ context.Context, o Options, log *ormLog) error {
	path, err := filepath.Abs(o.Database)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if err := private(path); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	db.path = path
	writer, err := sql.Open("sqlite", sqliteDSN(path, false))
	if err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	err = withoutSamples(ctx, writer)
	if err == nil {
		err = withoutSmall(ctx, writer)
	}
	if err == nil {
		err = migrate(ctx, SQLite, writer, o.KeepSchema)
	}
	if err != nil {
		writer.Close()
		return fmt.Errorf("open database %s: %w", path, err)
	}
	readers, err := sql.Open("sqlite", sqliteDSN(path, true))
	if err != nil {
		writer.Close()
		return fmt.Errorf("open database %s: %w", path, err)
	}
	n := o.Conns
	if n <= 0 {
		n = min(max(4, runtime.NumCPU()), 8)
	}
	db.writer = newSQLitePool(writer, 1)
	db.readers = newSQLitePool(readers, n)
	db.orm, err = gorm.Open(liteDialector{writer}, ormConfig(log))
	if err != nil {
		writer.Close()
		readers.Close()
		return fmt.Errorf("open database %s: %w", path, err)
	}
	return nil
}

// withoutSamples drops the samples of its rows that SQLite keeps when it has
// analysed a table whole, as it does for anybody who asks. With them a statement
// is planned anew for each value that it is given, which costs more than running
// it. Under an analysis_limit there are none.
//
// https://sqlite.org/pragma.html#pragma_analysis_limit
func withoutSamples(ctx context.Context, conn *sql.DB) error {
	var samples bool
	err := conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat4')").Scan(&samples)
	if err == nil && samples {
		err = conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_stat4)").Scan(&samples)
	}
	if err != nil || !samples {
		return err
	}
	_, err = conn.ExecContext(ctx, "DELETE FROM sqlite_stat4; ANALYZE sqlite_schema")
	return err
}

// smallTable is how many rows a table has whose statistics say nothing yet.
const smallTable = 1000

// forgetSmall drops the statistics of small tables: by those of a table with two
// rows SQLite reads it whole from then on, for each question, also when it has
// thousands. Without any it takes the indexes, which costs a small table nothing.
const forgetSmall = "DELETE FROM sqlite_stat1 WHERE tbl IN (SELECT tbl FROM sqlite_stat1 GROUP BY tbl HAVING MAX(CAST(stat AS INTEGER)) < ?)"

// withoutSmall does so, if there are any statistics.
func withoutSmall(ctx context.Context, conn gorm.ConnPool) error {
	var any bool
	err := conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1')").Scan(&any)
	if err != nil || !any {
		return err
	}
	res, err := conn.ExecContext(ctx, forgetSmall, smallTable)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	_, err = conn.ExecContext(ctx, "ANALYZE sqlite_schema")
	return err
}

// private makes sure that the file is there, and that one which is new is
// nobody else's to read. SQLite gives the files beside it the same mode.
func private(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// liteDialector speaks SQLite's SQL for gorm.
type liteDialector struct{ conn gorm.ConnPool }

func (d liteDialector) Name() string { return "sqlite" }

func (d liteDialector) Initialize(db *gorm.DB) error {
	db.ConnPool = d.conn
	callbacks.RegisterDefaultCallbacks(db, &callbacks.Config{
		CreateClauses: []string{"INSERT", "VALUES", "ON CONFLICT", "RETURNING"},
		UpdateClauses: []string{"UPDATE", "SET", "FROM", "WHERE", "RETURNING"},
		DeleteClauses: []string{"DELETE", "FROM", "WHERE", "RETURNING"},
	})
	// One writer: a row that is read in a write transaction is locked already.
	db.ClauseBuilders["FOR"] = func(clause.Clause, clause.Builder) {}
	// SQLite has no OFFSET without LIMIT.
	db.ClauseBuilders["LIMIT"] = func(c clause.Clause, b clause.Builder) {
		limit, ok := c.Expression.(clause.Limit)
		if !ok {
			return
		}
		n := -1
		if limit.Limit != nil && *limit.Limit >= 0 {
			n = *limit.Limit
		}
		if n >= 0 || limit.Offset > 0 {
			b.WriteString("LIMIT " + strconv.Itoa(n))
		}
		if limit.Offset > 0 {
			b.WriteString(" OFFSET " + strconv.Itoa(limit.Offset))
		}
	}
	return nil
}

func (d liteDialector) Migrator(db *gorm.DB) gorm.Migrator {
	return migrator.Migrator{Config: migrator.Config{DB: db, Dialector: d}}
}

func (d liteDialector) DataTypeOf(f *schema.Field) string { return string(f.DataType) }

func (d liteDialector) DefaultValueOf(*schema.Field) clause.Expression {
	return clause.Expr{SQL: "NULL"}
}

func (d liteDialector) BindVarTo(w clause.Writer, stmt *gorm.Statement, _ any) {
	bindTime(stmt, func(t time.Time) any { return t.UTC().Format(liteTime) })
	w.WriteByte('?')
}

func (d liteDialector) QuoteTo(w clause.Writer, name string) {
	for i, part := range strings.Split(name, ".") {
		if i > 0 {
			w.WriteByte('.')
		}
		w.WriteByte('"')
		w.WriteString(strings.ReplaceAll(strings.Trim(part, `"`), `"`, `""`))
		w.WriteByte('"')
	}
}

func (d liteDialector) Explain(sql string, vars ...any) string {
	return logger.ExplainSQL(sql, nil, `'`, vars...)
}

func (d liteDialector) Translate(err error) error { return translate(err) }

func (d liteDialector) SavePoint(tx *gorm.DB, name string) error {
	return tx.Exec("SAVEPOINT " + name).Error
}

func (d liteDialector) RollbackTo(tx *gorm.DB, name string) error {
	return tx.Exec("ROLLBACK TO SAVEPOINT " + name).Error
}
