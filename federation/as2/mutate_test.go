package as2

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestMutations replaces members of real documents by values of every other
// shape. It reaches what byte by byte fuzzing rarely does: valid JSON that is
// odd in one place.
func TestMutations(t *testing.T) {
	paths, _ := filepath.Glob("testdata/*.json")
	more, _ := filepath.Glob("testdata/sent/*.json")
	fixtures, _ := filepath.Glob("../../../shared/fixtures/activitypub/*/*/*.json")
	peers, _ := filepath.Glob("../testdata/peers/*/*.json")
	paths = slices.Concat(paths, more, fixtures, peers)
	rounds := 60
	if testing.Short() {
		rounds = 5
	}
	dice := rand.New(rand.NewPCG(7, 11))
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range rounds {
			var doc any
			if err := json.Unmarshal(body, &doc); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			for range 1 + dice.IntN(3) {
				doc = mutate(dice, doc, 0)
			}
			odd, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = ReadEnvelope(odd)
			if said, err := Decode(odd); err == nil {
				sayAgain(t, said)
			}
			if said, err := DecodeObject(odd); err == nil {
				sayAgain(t, said)
			}
			if said, err := DecodeActor(odd); err == nil {
				sayAgain(t, said)
			}
			if said, err := DecodeCollection(odd); err == nil {
				sayAgain(t, said)
			}
			if t.Failed() {
				t.Fatalf("%s as %s", path, odd)
			}
		}
	}
}

func mutate(dice *rand.Rand, value any, depth int) any {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 || depth > 0 && dice.IntN(6) == 0 {
			break
		}
		n := dice.IntN(len(v))
		for _, key := range sorted(v) { // maps have no order, the dice need one
			if n == 0 {
				if key == "@context" || depth == 0 && (key == "id" || key == "type" || key == "actor") {
					return v
				}
				v[key] = mutate(dice, v[key], depth+1)
				return v
			}
			n--
		}
	case []any:
		if len(v) == 0 || dice.IntN(5) == 0 {
			break
		}
		i := dice.IntN(len(v))
		v[i] = mutate(dice, v[i], depth+1)
		return v
	}
	odd := []any{nil, true, false, -1.5, 0.0, 7.0, 1e300, "", "x", "https://a.example/ü ?#", "as:Public", "-", "2026-13-01", "2026-01-02", "12",
		"\u0000", "a\u2028<b>&", []any{}, []any{nil, value, value}, []any{[]any{value}}, map[string]any{}, map[string]any{"id": "https://a.example/1"},
		map[string]any{"type": "Link", "href": "https://a.example/2", "mediaType": "text/html"}, map[string]any{"id": "https://a.example/3", "type": []any{"Odd", "Note"}, "name": "x"},
		map[string]any{"type": "Collection", "items": []any{value, "https://a.example/4"}}, map[string]any{"@value": "v", "@language": "en"}, map[string]any{"en": "one", "de": "zwei"}}
	return odd[dice.IntN(len(odd))]
}

func sorted(m map[string]any) []string {
	return slices.Sorted(maps.Keys(m))
}
