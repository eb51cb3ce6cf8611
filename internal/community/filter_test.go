package community

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// A word is found as Mastodon finds it: in whatever case, and as a whole word
// only where its own edges are letters.
func TestFilterWords(t *testing.T) {
	for _, tt := range []struct {
		keyword, text string
		whole, want   bool
	}{
		{"cat", "The CAT sat", true, true},
		{"cat", "concatenate", true, false},
		{"cat", "concatenate", false, true},
		{"cat", "concatenate the cat", true, true},
		{"cat", "cat's cradle", true, true},
		{"cat", "cat_flap", true, false},
		{"cat", "cat5", true, false},
		{"#maths", "some#Maths", true, true}, // # is no letter
		{"#maths", "#mathsweek", true, false},
		{"c++", "about C++11", true, true},
		{"māori", "MĀORI", true, true},
		{"māori", "Te reo ma\u0304ori here", true, true}, // composed of two
		{"maori", "māori", true, false},
		{"résumé", "résumés", true, false},
		{"στος", "ΣΤΟΣ", true, true},
		{"выбор", "выборы", true, false},
		{"выбор", "Выбор!", true, true},
		{"猫", "黒猫です", false, true},
		{"two words", "in two\nwords", false, false},
		{"a", "", true, false},
		{"aa", "aaa", true, false},
		{"é", "né é", true, true},
	} {
		set := newFilterSet([]Filter{{Keywords: []FilterKeyword{{Keyword: tt.keyword, WholeWord: tt.whole}}}})
		if got := len(set.match(folded(tt.text))) > 0; got != tt.want {
			t.Errorf("%q (whole word %v) in %q: %v", tt.keyword, tt.whole, tt.text, got)
		}
	}
}

func (w *world) filter(owner Account, f FilterForm, words ...string) Filter {
	w.t.Helper()
	if f.Title == "" {
		f.Title = "Not now"
	}
	if f.Action == "" {
		f.Action = FilterWarn
	}
	if f.Contexts == nil {
		f.Contexts = FilterContexts()
	}
	for _, word := range words {
		f.Keywords = append(f.Keywords, KeywordForm{Keyword: word, WholeWord: true})
	}
	var made Filter
	w.write(func(tx *store.Tx) (err error) {
		made, err = CreateFilter(tx, owner, f)
		return err
	})
	return made
}

func (w *world) loaded(v Viewer, p Post) View {
	w.t.Helper()
	var view View
	w.read(func(tx *store.Tx) (err error) {
		view, err = LoadOne(tx, v, p)
		return err
	})
	return view
}

// Filters are held against all that readers read of a post, of what is passed
// on too; for their owner alone, and while they last.
func TestFiltersFindPosts(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader, amira := w.local("reader", Member), w.local("amira", Member)
		w.follows(reader, amira)
		pic := w.picture(amira, "A zebra on a bus")
		posts := map[string]Post{
			"text":    w.publish(amira, Draft{Source: "A **zebra**, seen", FormID: "1"}),
			"title":   w.publish(amira, Draft{Kind: Discussion, Title: "On zebra crossings", Source: "x", FormID: "2"}),
			"warning": w.publish(amira, Draft{Source: "x", Warning: "Zebra", FormID: "3"}),
			"answer":  w.publish(amira, Draft{Source: "x", Poll: &PollDraft{Options: []string{"zebra", "horse"}, Open: time.Hour}, FormID: "4"}),
			"picture": w.publish(amira, Draft{Source: "x", MediaIDs: []int64{pic.ID}, FormID: "5"}),
			"quiet":   w.publish(amira, Draft{Source: "zebras", FormID: "6"}),
		}
		if v := w.loaded(w.viewer(reader), posts["text"]); v.Filtered != nil {
			t.Errorf("without a filter %+v is found", v.Filtered)
		}
		f := w.filter(reader, FilterForm{}, "zebra")
		for where, p := range posts {
			v := w.loaded(w.viewer(reader), p)
			if found := len(v.Filtered) == 1 && slices.Equal(v.Filtered[0].Keywords, []string{"zebra"}); found != (where != "quiet") {
				t.Errorf("in the %s: %+v", where, v.Filtered)
			}
			for _, other := range []Viewer{w.viewer(amira), Guest} {
				if v := w.loaded(other, p); v.Filtered != nil {
					t.Errorf("viewer %d is filtered %+v", other.ID, v.Filtered)
				}
			}
		}
		var boost Post
		w.write(func(tx *store.Tx) (err error) {
			if boost, err = BoostPost(tx, reader, posts["quiet"].ID); err == nil {
				_, err = FilterOut(tx, reader, f.ID, boost.ID)
			}
			if err == nil {
				_, err = FilterOut(tx, reader, f.ID, posts["quiet"].ID)
			}
			return err
		})
		v := w.loaded(w.viewer(reader), posts["quiet"])
		if len(v.Filtered) != 1 || !slices.Equal(v.Filtered[0].Posts, []int64{posts["quiet"].ID}) || len(v.Filtered[0].Filter.Posts) != 1 {
			t.Errorf("the post itself: %+v", v.Filtered)
		}
		own := w.publish(reader, Draft{Source: "my zebra", FormID: "7"})
		if v := w.loaded(w.viewer(reader), own); v.Filtered != nil {
			t.Errorf("one's own post: %+v", v.Filtered)
		}
		past := time.Now().Add(-time.Minute)
		w.write(func(tx *store.Tx) error {
			_, err := UpdateFilter(tx, reader, f.ID, FilterForm{Title: "x", Action: FilterWarn, Contexts: f.In(), ExpiresAt: &past})
			return err
		})
		if v := w.loaded(w.viewer(reader), posts["text"]); v.Filtered != nil {
			t.Errorf("a filter that is over: %+v", v.Filtered)
		}
		w.write(func(tx *store.Tx) error { return Delete(tx, amira, posts["quiet"].ID) })
		w.read(func(tx *store.Tx) error {
			f, err := FilterOf(tx, reader.ID, f.ID)
			if len(f.Posts) != 0 {
				t.Errorf("a deleted post is filtered still: %+v", f.Posts)
			}
			return err
		})
	})
}

// What is passed on is filtered by what it is, not by who passes it on.
func TestBoostsAreFiltered(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader, amira, bo := w.local("reader", Member), w.local("amira", Member), w.local("bo", Member)
		p := w.publish(amira, Draft{Source: "A zebra", FormID: "1"})
		w.filter(reader, FilterForm{Action: FilterHide}, "zebra")
		var boost Post
		w.write(func(tx *store.Tx) (err error) { boost, err = BoostPost(tx, bo, p.ID); return err })
		v := w.loaded(w.viewer(reader), boost)
		if len(v.Filtered) != 1 || v.Boosted == nil || len(v.Boosted.Filtered) != 1 {
			t.Errorf("a boost is filtered %+v", v.Filtered)
		}
	})
}

// The strictest of the filters that count in a place is what a page obeys.
func TestFilteredIn(t *testing.T) {
	in := func(action FilterAction, title, contexts string) FilterMatch {
		return FilterMatch{Filter: Filter{Action: action, Title: title, Contexts: contexts}}
	}
	for _, tt := range []struct {
		name   string
		found  []FilterMatch
		action FilterAction
		title  string
	}{
		{"none", nil, "", ""},
		{"elsewhere", []FilterMatch{in(FilterHide, "a", "public,thread")}, "", ""},
		{"here", []FilterMatch{in(FilterWarn, "a", "home,public")}, FilterWarn, "a"},
		{"strictest", []FilterMatch{in(FilterBlur, "a", "home"), in(FilterWarn, "b", "home"), in(FilterBlur, "c", "home")}, FilterWarn, "b"},
		{"hidden", []FilterMatch{in(FilterWarn, "a", "home"), in(FilterHide, "b", "home")}, FilterHide, "b"},
	} {
		if action, title := (View{Filtered: tt.found}).FilteredIn(FilterHome); action != tt.action || title != tt.title {
			t.Errorf("%s: %q by %q", tt.name, action, title)
		}
	}
}

// Filters are bounded, and nobody changes somebody else's.
func TestFiltersAreBounded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader, passer := w.local("reader", Member), w.local("passer", Member)
		f := w.filter(reader, FilterForm{}, "one")
		w.refuses(fault.Invalid, func(tx *store.Tx) error {
			many := make([]KeywordForm, MaxFilterKeywords)
			for i := range many {
				many[i].Keyword = "x"
			}
			_, err := UpdateFilter(tx, reader, f.ID, FilterForm{Title: "x", Action: FilterWarn, Contexts: f.In(), Keywords: many})
			return err
		})
		w.refuses(fault.Invalid, func(tx *store.Tx) error {
			_, err := ChangeKeyword(tx, reader, f.ID, KeywordForm{Keyword: strings.Repeat("x", MaxFilterKeyword+1)})
			return err
		})
		w.refuses(fault.Invalid, func(tx *store.Tx) error {
			for range MaxFilters {
				if _, err := CreateFilter(tx, reader, FilterForm{Title: "x", Action: FilterWarn, Contexts: f.In()}); err != nil {
					return err
				}
			}
			return nil
		})
		w.refuses(fault.NotFound, func(tx *store.Tx) error { return DeleteFilter(tx, passer, f.ID) })
		theirs := w.filter(passer, FilterForm{}, "two")
		w.refuses(fault.NotFound, func(tx *store.Tx) error { // a word of somebody else's, by way of one's own filter
			_, err := ChangeKeyword(tx, reader, f.ID, KeywordForm{ID: theirs.Keywords[0].ID, Keyword: "three"})
			return err
		})
	})
}
