package store_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// fill stores a little of everything that a column can hold.
func fill(t *testing.T, db *store.DB) {
	t.Helper()
	write(t, db, func(tx *store.Tx) error {
		for _, id := range []int64{3, 1, 2} {
			err := tx.Exec(`INSERT INTO accounts (id, username, locked, created_at, updated_at) VALUES (?, ?, ?, ?, ?)`,
				id, "name"+string(rune('a'+id)), id == 2, tx.Now, tx.Now.Add(time.Hour)).Error
			if err != nil {
				return err
			}
		}
		if err := tx.Exec(`INSERT INTO attachments (id, account_id, mime, focus_x, alt, created_at) VALUES (1, 3, 'image/png', 0.25, ?, ?)`,
			"2026-01-01 00:00:00", tx.Now).Error; err != nil {
			return err
		}
		return tx.Exec(`INSERT INTO kept (key, value) VALUES ('k', ?)`, []byte{0, 255}).Error
	})
}

// contents returns every row of every table.
func contents(t *testing.T, db *store.DB) (tables []store.Table, rows map[string][][]any) {
	t.Helper()
	rows = map[string][][]any{}
	read(t, db, func(tx *store.Tx) (err error) {
		if tables, err = tx.Tables(); err != nil {
			return err
		}
		for _, table := range tables {
			if err := tx.ExportTable(table, func(row []any) error {
				rows[table.Name] = append(rows[table.Name], row)
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return tables, rows
}

func TestTablesInOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		tables, _ := contents(t, db)
		place := map[string]int{}
		for i, table := range tables {
			place[table.Name] = i
			if len(table.Key) == 0 {
				t.Errorf("%s has no primary key", table.Name)
			}
		}
		for _, pair := range [][2]string{{"accounts", "posts"}, {"posts", "likes"}, {"outgoing", "deliveries"}, {"accounts", "peers"}} {
			if place[pair[0]] >= place[pair[1]] {
				t.Errorf("%s comes after %s, which refers to it", pair[0], pair[1])
			}
		}
		if i := slices.IndexFunc(tables, func(t store.Table) bool { return t.Name == "likes" }); !slices.Equal(tables[i].Key, []string{"account_id", "post_id"}) {
			t.Errorf("key of likes: %v", tables[i].Key)
		}
	})
}

// A server may begin on SQLite and move to PostgreSQL, or back.
func TestExportAndImport(t *testing.T) {
	storetest.Each(t, func(t *testing.T, from *store.DB) {
		fill(t, from)
		tables, before := contents(t, from)
		if got := len(before["accounts"]); got != 3 {
			t.Fatalf("%d accounts exported", got)
		}
		storetest.Each(t, func(t *testing.T, to *store.DB) {
			write(t, to, func(tx *store.Tx) error {
				if err := tx.Exec("DELETE FROM site").Error; err != nil {
					return err
				}
				for _, table := range tables {
					rows := before[table.Name]
					n, err := tx.ImportTable(table, func() ([]any, error) {
						if len(rows) == 0 {
							return nil, nil
						}
						row := rows[0]
						rows = rows[1:]
						return row, nil
					})
					if err != nil || n != int64(len(before[table.Name])) {
						t.Errorf("%s: %d of %d rows, %v", table.Name, n, len(before[table.Name]), err)
					}
				}
				return nil
			})
			if _, after := contents(t, to); !reflect.DeepEqual(before, after) {
				t.Errorf("exported %v\nimported %v", before, after)
			}
		})
	})
}

func TestBackup(t *testing.T) {
	db := storetest.Open(t)
	fill(t, db)
	path := filepath.Join(t.TempDir(), "o'backup.db")
	if err := db.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy's mode: %v, %v", info.Mode(), err)
	}
	_, want := contents(t, db)
	if _, got := contents(t, storetest.OpenURL(t, path)); !reflect.DeepEqual(got, want) {
		t.Errorf("the copy holds %v, want %v", got, want)
	}
	if err := db.Backup(t.Context(), path); err == nil {
		t.Error("an existing file was overwritten")
	}
}

func TestOptimizeAndClose(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if err := db.Optimize(t.Context()); err != nil {
			t.Error(err)
		}
		if err := db.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		sub := db.Subscribe("x")
		if s := db.Stats(); s.Open == 0 || s.Reads == 0 || s.Subscriptions != 1 {
			t.Errorf("%+v", s)
		}
		if err := db.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if _, open := <-sub.C; open {
			t.Error("a subscription outlived the database")
		}
		sub.Close()
		if _, open := <-db.Subscribe("x").C; open {
			t.Error("subscribed to a closed database")
		}
		nothing := func(*store.Tx) error { return nil }
		if db.Read(context.Background(), nothing) == nil || db.Write(context.Background(), nothing) == nil || db.Batch(context.Background(), nothing) == nil {
			t.Error("a closed database answered")
		}
	})
}
