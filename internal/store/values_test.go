package store_test

import (
	"slices"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
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
