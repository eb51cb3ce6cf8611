package community

import (
	"strings"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// filter finds out which of the reader's filters are about the posts. What the
// reader wrote is filtered for them by nothing.
func (l *loading) filter(tx *store.Tx, v Viewer, filters []Filter) {
	counting := filters[:0]
	for _, f := range filters {
		if f.Counts(tx.Now) {
			if counting = append(counting, f); f.ExpiresAt != nil {
				tx.Fleeting()
			}
		}
	}
	if len(counting) == 0 {
		return
	}
	set := newFilterSet(counting)
	for _, view := range l.views {
		if view.BoostOfID == nil && view.AuthorID != v.ID {
			view.Filtered = set.match(folded(filteredText(view)), view.ID)
		}
	}
	for _, view := range l.views {
		if view.BoostOfID == nil {
			continue
		}
		if boosted := l.views[*view.BoostOfID]; boosted != nil {
			view.Filtered = boosted.Filtered
		}
	}
}

// filteredText is all of a post that its readers read.
func filteredText(view *View) string {
	var b strings.Builder
	part := func(s string) {
		if s != "" {
			b.WriteString(s)
			b.WriteString("\n\n")
		}
	}
	part(view.Title)
	part(view.Warning)
	part(text.Plain(view.HTML))
	if view.Poll != nil {
		for _, o := range view.Poll.Options {
			part(o.Title)
		}
	}
	for _, a := range view.Media {
		part(a.Alt)
	}
	return b.String()
}

// FilteredIn returns the strictest action of the reader's filters that are
// about the post in a context, and the title of a filter that asks for it; ""
// for none.
func (v View) FilteredIn(context FilterContext) (FilterAction, string) {
	var action FilterAction
	var title string
	for _, m := range v.Filtered {
		for _, c := range m.Filter.In() {
			switch {
			case c != context:
			case m.Filter.Action == FilterHide:
				return FilterHide, m.Filter.Title
			case action == "" || action == FilterBlur && m.Filter.Action == FilterWarn:
				action, title = m.Filter.Action, m.Filter.Title
			}
		}
	}
	return action, title
}
