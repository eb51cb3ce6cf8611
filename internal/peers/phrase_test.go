package peers

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPhrase(t *testing.T) {
	all := strings.Fields(words)
	if len(all) != 1<<wordBits || len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all) {
		t.Errorf("%d words, %d of them different, want 1024", len(all), len(slices.Compact(slices.Sorted(slices.Values(all)))))
	}
	for _, w := range all {
		if !regexp.MustCompile(`^[a-z]{3,6}$`).MatchString(w) {
			t.Errorf("%q is no short plain word", w)
		}
	}
	a, b, c := strings.Repeat("a1", 32), strings.Repeat("b2", 32), strings.Repeat("c3", 32)
	phrase := func(ours, theirs string) string {
		p, err := Phrase(ours, theirs)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if phrase(a, b) != phrase(b, a) || len(strings.Fields(phrase(a, b))) != 6 {
		t.Errorf("one side reads %q, the other %q", phrase(a, b), phrase(b, a))
	}
	if phrase(a, b) == phrase(a, c) || phrase(a, a) == phrase(a, b) {
		t.Error("other keys have the same phrase")
	}
	const want = "foal paw sky hail truck cruise"
	if got := phrase(a, b); got != want { // every version must say the same words
		t.Errorf("the phrase is %q, was %q", got, want)
	}
	if got := Fingerprint("0123456789abcde"); got != "0123 4567 89ab cde" {
		t.Error(got)
	}
}
