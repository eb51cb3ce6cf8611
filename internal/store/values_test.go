package store_test

import (
	"slices"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
	"pgregory.net/rapid"
)

// Whatever the length of a list, its parts are the list, and few lengths occur.
func TestLotsAndEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Int(), 0, 200).Draw(t, "list")
		most := rapid.SampledFrom([]int{1, 8, 64, 100}).Draw(t, "most")
		var again []int
		for _, lot := range store.Lots(list, most) {
			if n := len(lot); n == 0 || n > most || n&(n-1) != 0 {
				t.Fatalf("a part of %d", n)
			}
			again = append(again, lot...)
		}
		if !slices.Equal(list, again) {
			t.Fatalf("%v came back as %v", list, again)
		}
		even := store.Even(list)
		if n := len(even); n&(n-1) != 0 || n < len(list) || !slices.Equal(even[:len(list)], list) {
			t.Fatalf("%v became %v", list, even)
		}
		for _, v := range even[len(list):] {
			if v != list[len(list)-1] {
				t.Fatalf("%v became %v", list, even)
			}
		}
	})
}

func TestRows(t *testing.T) {
	if got := store.Rows("(?)", 3); got != "(?), (?), (?)" {
		t.Errorf("got %q", got)
	}
}

// A list that is bound as one value finds what a list of values would, whatever
// stands in it and however long it is.
func TestLists(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		names := []string{"oak.test", `a "quoted", {braced} name`, "it's", `back\slash`, "schön", "NULL"}
		write(t, db, func(tx *store.Tx) error {
			for i, name := range names {
				if err := tx.Create(&thing{ID: int64(i) + 1<<60, Name: name, At: tx.Now}).Error; err != nil {
					return err
				}
			}
			return nil
		})
		for n := range len(names) + 1 {
			err := db.Ask(t.Context(), func(tx *store.Tx) error {
				var found, joined []string
				ids := make([]int64, n)
				for i := range ids {
					ids[i] = int64(i) + 1<<60
				}
				err := tx.Raw("SELECT name FROM things WHERE ? AND ? ORDER BY id",
					store.In[string]{Column: "name", List: names[:n]}, store.In[int64]{Column: "id", List: ids}).Scan(&found).Error
				if err != nil || !slices.Equal(found, names[:n]) {
					t.Errorf("of %q were found %q (%v)", names[:n], found, err)
				}
				from := "? l"
				if tx.Dialect() == store.Postgres {
					from = "? l (value)"
				}
				err = tx.Raw("SELECT t.name FROM "+from+" JOIN things t ON t.name = l.value ORDER BY t.id", store.List[string](names[:n])).Scan(&joined).Error
				if err != nil || !slices.Equal(joined, names[:n]) {
					t.Errorf("of %q were joined %q (%v)", names[:n], joined, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
