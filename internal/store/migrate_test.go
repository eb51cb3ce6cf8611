package store_test

import (
	"database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// schema describes a database's tables and indexes in words that are the same
// for both databases.
func schema(t *testing.T, db *store.DB) map[string]string {
	t.Helper()
	out := map[string]string{}
	read(t, db, func(tx *store.Tx) error {
		tables, err := tx.Tables()
		if err != nil {
			return err
		}
		for _, table := range tables {
			out[table.Name] = "key " + strings.Join(table.Key, ",")
			for _, c := range table.Columns {
				out[table.Name+"."+c.Name] = fmt.Sprintf("%s, null %v", c.Kind, c.Null)
			}
		}
		query := `SELECT i.name AS name, m.name || ' ' || i."unique" || ' ' || i.partial || ' ' ||
				(SELECT group_concat(x.name) FROM pragma_index_info(i.name) x) AS what
			FROM sqlite_master m, pragma_index_list(m.name) i WHERE m.type = 'table' AND i.origin = 'c'`
		if tx.Dialect() == store.Postgres {
			query = `SELECT i.relname AS name, t.relname || ' ' || x.indisunique::int || ' ' || (x.indpred IS NOT NULL)::int || ' ' ||
				(SELECT string_agg(a.attname, ',' ORDER BY k.place) FROM unnest(x.indkey) WITH ORDINALITY k (num, place)
					JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.num) AS what
			FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
			WHERE t.relnamespace = current_schema()::regnamespace
				AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.oid AND c.contype IN ('p', 'u'))`
		}
		var indexes []struct{ Name, What string }
		if err := tx.Raw(query).Scan(&indexes).Error; err != nil {
			return err
		}
		for _, i := range indexes {
			out["index "+i.Name] = i.What
		}
		query = `SELECT m.name || '.' || f."from" || ' -> ' || f."table" || '.' || f."to" AS name, f.on_delete AS what
			FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
		if tx.Dialect() == store.Postgres {
			query = `SELECT c.relname || '.' || a.attname || ' -> ' || f.relname || '.' || b.attname AS name,
				CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END AS what
			FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
			JOIN pg_attribute b ON b.attrelid = f.oid AND b.attnum = k.confkey[1]
			WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace`
		}
		var keys []struct{ Name, What string }
		if err := tx.Raw(query).Scan(&keys).Error; err != nil {
			return err
		}
		for _, k := range keys {
			out["foreign key "+k.Name] = k.What
		}
		return nil
	})
	return out
}

func compare(t *testing.T, nameA string, a map[string]string, nameB string, b map[string]string) {
	t.Helper()
	all := maps.Clone(a)
	maps.Copy(all, b)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if a[key] != b[key] {
			t.Errorf("%s: %s has %q, %s has %q", key, nameA, a[key], nameB, b[key])
		}
	}
}

// layout says all that migrations may do to a database's tables, in the words of
// that database.
func layout(t *testing.T, dialect store.Dialect, database string) map[string]string {
	t.Helper()
	driver, query := "sqlite", `SELECT m.name || '.' || c.name, c.type || c."notnull" || c.pk || COALESCE(c.dflt_value, '') FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'
		UNION ALL SELECT type || ' ' || name, '' FROM sqlite_master WHERE type = 'table'
		UNION ALL SELECT type || ' ' || name, sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL`
	if dialect == store.Postgres {
		driver, query = "pgx", `SELECT table_name || '.' || column_name, CONCAT_WS(' ', data_type, datetime_precision, is_nullable, column_default) FROM information_schema.columns WHERE table_schema = current_schema()
			UNION ALL SELECT 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()
			UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
			UNION ALL SELECT 'trigger ' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
			UNION ALL SELECT 'function ' || proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace`
	}
	conn, err := sql.Open(driver, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rows, err := conn.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var name, what string
		if err := rows.Scan(&name, &what); err != nil {
			t.Fatal(err)
		}
		out[name] = what
	}
	if err := rows.Err(); err != nil || len(out) == 0 {
		t.Fatalf("%d things, %v", len(out), err)
	}
	return out
}

func TestUpDownUp(t *testing.T) {
	for _, dialect := range []store.Dialect{store.SQLite, store.Postgres} {
		t.Run(string(dialect), func(t *testing.T) {
			ctx, database := t.Context(), storetest.Empty(t, dialect)
			current, newest, err := store.Versions(ctx, database)
			if err != nil || current != 0 || newest == 0 {
				t.Fatalf("an empty database is of version %d of %d, %v", current, newest, err)
			}
			up := map[int64]map[string]string{}
			for v := int64(1); v <= newest; v++ {
				if err := store.MigrateTo(ctx, database, v); err != nil {
					t.Fatal(err)
				}
				up[v] = layout(t, dialect, database)
			}
			for v := newest - 1; v >= 0; v-- {
				if err := store.MigrateTo(ctx, database, v); err != nil {
					t.Fatal(err)
				}
				if v >= 6 { // the earlier ones are closed, and leave other names of constraints behind
					compare(t, fmt.Sprintf("%d, on the way up", v), up[v], "on the way down", layout(t, dialect, database))
				}
			}
			_, err = store.Open(ctx, store.Options{Database: database, KeepSchema: true})
			if err == nil || !strings.Contains(err.Error(), "chalkring migrate") {
				t.Errorf("opened without its tables: %v", err)
			}
			if err := store.MigrateTo(ctx, database, newest); err != nil {
				t.Fatal(err)
			}
			compare(t, "the first way up", up[newest], "the second", layout(t, dialect, database))
		})
	}
}

func TestBothSchemasAreOne(t *testing.T) {
	pg := storetest.OpenURL(t, storetest.Postgres(t)) // skips where there is none
	lite := storetest.Open(t)
	compare(t, "SQLite", schema(t, lite), "PostgreSQL", schema(t, pg))
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	path := storetest.File(t)
	db := storetest.OpenURL(t, path)
	write(t, db, func(tx *store.Tx) error {
		return tx.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)").Error
	})
	_, err := store.Open(t.Context(), store.Options{Database: path})
	if err == nil || !strings.Contains(err.Error(), "9999") {
		t.Errorf("%v", err)
	}
}

func TestDatabaseFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "a b#?%41'.db")
	db := storetest.OpenURL(t, path)
	write(t, db, func(tx *store.Tx) error { return nil })
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s may be read by others: %v", name, info.Mode())
		}
	}
}
