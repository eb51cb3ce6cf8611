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
