package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// What the planner knows of a table that has grown much is brought up to date,
// whichever connection asked it.
func TestOptimizeLooksAtWhatHasGrown(t *testing.T) {
	db := storetest.Open(t)
	makeThings(t, db)
	grow := func(from, to int64) {
		write(t, db, func(tx *store.Tx) error {
			for i := from; i < to; i++ {
				if err := tx.Create(&thing{ID: i, Name: fmt.Sprint(i), At: tx.Now}).Error; err != nil {
					return err
				}
			}
			return nil
		})
	}
	known := func() (stat string) {
		read(t, db, func(tx *store.Tx) error {
			return tx.Raw("SELECT COALESCE(MAX(stat), '') FROM sqlite_stat1 WHERE tbl = 'things'").Scan(&stat).Error
		})
		return stat
	}
	grow(1, 3)
	write(t, db, func(tx *store.Tx) error {
		if err := tx.Exec("CREATE INDEX things_name ON things (name)").Error; err != nil {
			return err
		}
		return tx.Exec("ANALYZE things").Error
	})
	if got := known(); !strings.HasPrefix(got, "2 ") {
		t.Fatalf("known of two rows: %q", got)
	}
	grow(3, 2003)
	if err := db.Optimize(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := known(); !strings.HasPrefix(got, "2002 ") {
		t.Errorf("known of 2002 rows: %q", got)
	}
}

// No samples of rows are kept, with which SQLite would plan a statement anew for
// each value: not of its own looks, and not where somebody else had them made.
func TestNoSamplesOfRows(t *testing.T) {
	file := storetest.File(t)
	samples := func(db *store.DB) (n int) {
		read(t, db, func(tx *store.Tx) error {
			return tx.Raw("SELECT COUNT(*) FROM sqlite_master WHERE name = 'sqlite_stat4'").Scan(&n).Error
		})
		if n > 0 {
			read(t, db, func(tx *store.Tx) error { return tx.Raw("SELECT COUNT(*) FROM sqlite_stat4").Scan(&n).Error })
		}
		return n
	}
	db := storetest.OpenURL(t, file)
	makeThings(t, db)
	write(t, db, func(tx *store.Tx) error {
		for i := range int64(100) {
			if err := tx.Create(&thing{ID: i + 1, Name: fmt.Sprint(i), At: tx.Now}).Error; err != nil {
				return err
			}
		}
		return tx.Exec("CREATE INDEX things_name ON things (name)").Error
	})
	if err := db.Optimize(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := samples(db); n != 0 {
		t.Errorf("%d samples of its own", n)
	}
	write(t, db, func(tx *store.Tx) error { return tx.Exec("PRAGMA analysis_limit = 0").Error })
	write(t, db, func(tx *store.Tx) error { return tx.Exec("ANALYZE").Error })
	if samples(db) == 0 {
		t.Fatal("a whole look makes no samples: then nothing is tested here")
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := samples(storetest.OpenURL(t, file)); n != 0 {
		t.Errorf("%d samples of somebody else's are left", n)
	}
}

// Of a small table nothing is known, so that it is read by its indexes also once
// it has grown: not after a look of its own, and not where it was known before.
func TestNothingIsKnownOfSmallTables(t *testing.T) {
	file := storetest.File(t)
	db := storetest.OpenURL(t, file)
	makeThings(t, db)
	write(t, db, func(tx *store.Tx) error {
		if err := tx.Create(&thing{ID: 1, Name: "one", At: tx.Now}).Error; err != nil {
			return err
		}
		return tx.Exec("CREATE INDEX things_name ON things (name)").Error
	})
	known := func(db *store.DB) (n int) {
		read(t, db, func(tx *store.Tx) error {
			return tx.Raw("SELECT COUNT(*) FROM sqlite_stat1 WHERE tbl = 'things'").Scan(&n).Error
		})
		return n
	}
	write(t, db, func(tx *store.Tx) error { return tx.Exec("ANALYZE things").Error })
	if known(db) == 0 {
		t.Fatal("a look leaves nothing: then nothing is tested here")
	}
	if err := db.Optimize(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := known(db); n != 0 {
		t.Errorf("%d lines are known after a look of its own", n)
	}
	write(t, db, func(tx *store.Tx) error { return tx.Exec("ANALYZE things").Error })
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := known(storetest.OpenURL(t, file)); n != 0 {
		t.Errorf("%d lines are known at the next start", n)
	}
}
