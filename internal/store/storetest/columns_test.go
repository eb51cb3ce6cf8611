package storetest

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm/schema"

	"github.com/chalkring/chalkring/internal/store"
)

// Attempt is a struct as it should be for the table attempts.
type Attempt struct {
	Key     string `gorm:"primaryKey"`
	Count   int64
	ResetAt time.Time
}

func TestSameColumns(t *testing.T) {
	Each(t, func(t *testing.T, db *store.DB) { SameColumns(t, db, &Attempt{}) })
}

func TestDifferences(t *testing.T) {
	type wrong struct {
		Key   int64
		Count *int64
		Extra string
		Note  string
	}
	table := store.Table{Name: "wrongs", Key: []string{"key"}, Columns: []store.Column{
		{Name: "key", Kind: store.Text}, {Name: "count", Kind: store.Int}, {Name: "reset_at", Kind: store.Time}, {Name: "note", Kind: store.Text, Null: true},
	}}
	s, err := schema.Parse(&wrong{}, &sync.Map{}, schema.NamingStrategy{})
	if err != nil {
		t.Fatal(err)
	}
	got := differences(s, table)
	for _, want := range []string{"no column extra", "reset_at has no field", "Key holds int", "differ about the primary key", "Count can be NULL", "Note cannot be NULL"} {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("not noticed: %s", want)
		}
	}
	if len(got) != 6 {
		t.Errorf("%d differences: %q", len(got), got)
	}
}
