package store_test

import (
	"errors"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

func TestRemember(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		key := store.Key{Table: "posts", ID: 7}
		write(t, db, func(tx *store.Tx) error {
			tx.Remember(key, "never committed", 1)
			return nil
		})
		read(t, db, func(tx *store.Tx) error {
			if got := tx.Recall(key); got != nil {
				t.Errorf("a writer made others remember %v", got)
			}
			tx.Remember(key, "seven", 1)
			return nil
		})
		write(t, db, func(tx *store.Tx) error {
			if got := tx.Recall(key); got != nil {
				t.Errorf("a writer remembers %v", got)
			}
			return nil
		})
		read(t, db, func(tx *store.Tx) error {
			for n := range int64(100) { // far more than there is room for
				tx.Remember(store.Key{Table: "large", ID: n}, n, 1<<20)
				if got := tx.Recall(key); got != "seven" {
					t.Fatalf("what is used is forgotten: %v", got)
				}
			}
			held := 0
			for n := range int64(100) {
				if tx.Recall(store.Key{Table: "large", ID: n}) != nil {
					held++
				}
			}
			if held == 0 || held > 8 {
				t.Errorf("%d MiB are remembered", held)
			}
			return nil
		})
	})
}

func TestReadAfter(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeSamples(t, db)
		no := errors.New("no")
		for name, ask := range map[string]func(tx *store.Tx) error{
			"asks nothing":     func(*store.Tx) error { return nil },
			"fails":            func(*store.Tx) error { return errors.New("for a reason of its own") },
			"asks a question":  func(tx *store.Tx) error { return tx.Ask(store.Question{SQL: "SELECT id FROM samples"}) },
			"asks its last":    func(tx *store.Tx) error { return tx.AskLast(store.Question{SQL: "SELECT id FROM samples"}) },
			"asks through ORM": func(tx *store.Tx) error { var all []sample; return tx.Find(&all).Error },
			"does not listen":  func(tx *store.Tx) error { _ = tx.Ask(store.Question{SQL: "SELECT id FROM samples"}); return nil },
		} {
			for _, verdict := range []error{nil, no} {
				first, checked := int64(0), 0
				err := db.ReadAfter(t.Context(), []store.Question{{SQL: "SELECT COUNT(*) FROM samples", Row: func(r *store.Row) { first = r.Int() }}},
					func(*store.Tx) error { checked++; return verdict }, ask)
				if first != 3 || checked != 1 {
					t.Errorf("%s: counted %d, checked %d times", name, first, checked)
				}
				if verdict != nil && !errors.Is(err, no) || verdict == nil && (err != nil) != (name == "fails") {
					t.Errorf("%s, checked with %v: %v", name, verdict, err)
				}
			}
		}
	})
}
