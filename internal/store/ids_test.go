package store_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

func TestIDs(t *testing.T) {
	db := storetest.Open(t)
	write(t, db, func(tx *store.Tx) error {
		before := time.Now().Add(-time.Millisecond)
		last, short := int64(0), int64(0)
		for range 100_000 { // more than one millisecond holds
			id := tx.NewID()
			if id <= last {
				t.Fatalf("%d after %d", id, last)
			}
			last = id
		}
		for range 10_000 {
			id := tx.NewShortID()
			if id <= short || id >= 1<<53 {
				t.Fatalf("short %d after %d", id, short)
			}
			short = id
		}
		soon := time.Now().Add(10 * time.Second)
		if at := store.IDTime(last); at.Before(before) || at.After(soon) {
			t.Errorf("an ID of now is of %v", at)
		}
		if at := store.ShortIDTime(short); at.Before(before) || at.After(soon) {
			t.Errorf("a short ID of now is of %v", at)
		}
		then := time.Date(2024, 5, 6, 7, 8, 9, 123_000_000, time.UTC)
		seen := map[int64]bool{}
		for range 1000 { // many posts of one second
			id := tx.NewIDAt(then)
			if seen[id] || !store.IDTime(id).Equal(then) || id < store.FirstIDAt(then) || id >= store.FirstIDAt(then.Add(time.Millisecond)) {
				t.Fatalf("ID %d of %v", id, store.IDTime(id))
			}
			seen[id] = true
		}
		if at := store.IDTime(tx.NewIDAt(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))); at.Year() != 2010 {
			t.Errorf("before everything: %v", at)
		}
		if id := tx.NewIDAt(time.Now().Add(1000 * time.Hour)); id <= last || store.IDTime(id).After(soon) {
			t.Errorf("from the future: %v", store.IDTime(id))
		}
		return nil
	})
}

func TestIDsOfManyWriters(t *testing.T) {
	db := storetest.Open(t)
	read(t, db, func(tx *store.Tx) error {
		all := make([][]int64, 4)
		var wg sync.WaitGroup
		for i := range all {
			wg.Go(func() {
				for range 5000 {
					all[i] = append(all[i], tx.NewID())
				}
			})
		}
		wg.Wait()
		ids := slices.Concat(all...)
		slices.Sort(ids)
		if n := len(slices.Compact(ids)); n != 20_000 {
			t.Errorf("%d different IDs of 20000", n)
		}
		return nil
	})
}

func TestOneNow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		write(t, db, func(tx *store.Tx) error {
			if tx.Now.Location() != time.UTC || tx.Now != store.Millis(tx.Now) || tx.NowFunc() != tx.Now {
				t.Errorf("now is %v", tx.Now)
			}
			if tx.Site != storetest.Site() || tx.Node() != db.Node() {
				t.Errorf("site %v, node %s", tx.Site, tx.Node())
			}
			return nil
		})
	})
}
