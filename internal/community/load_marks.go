package community

import (
	"slices"

	"github.com/chalkring/chalkring/internal/store"
)

// AppTag is the app that a post was written with.
type AppTag struct {
	ID      int64
	Name    string
	Website string
}

// told asks for what clients are told of a post besides what the reader did with
// it: whether its thread is muted, whether the reader may quote it, and, of the
// reader's own, with which app it was written. done puts it in its place.
func (l *loading) told(v Viewer) (questions []store.Question, done func()) {
	if !v.Local || len(l.views) == 0 {
		return nil, func() {}
	}
	var threads, authors, apps []int64
	for _, id := range l.ids {
		view := l.views[id]
		if !slices.Contains(threads, view.ThreadID) {
			threads = append(threads, view.ThreadID)
		}
		asks := l.judging && view.Audience == Followers || view.Local() && view.Quotes() == QuotedByFollowers
		if asks && view.AuthorID != v.ID && !slices.Contains(authors, view.AuthorID) {
			authors = append(authors, view.AuthorID)
		}
		if view.AppID != nil && view.AuthorID == v.ID {
			apps = append(apps, *view.AppID)
		}
	}
	muted := map[int64]bool{}
	if v.may(BondThreadMutes) {
		questions = append(questions, store.Question{SQL: "SELECT thread_id FROM thread_mutes WHERE account_id = ? AND thread_id IN ?", Args: []any{v.ID, threads},
			Row: func(r *store.Row) { muted[r.Int()] = true }})
	}
	if len(authors) > 0 {
		l.follows = map[int64]bool{}
		questions = append(questions, store.Question{SQL: "SELECT target_id FROM follows WHERE follower_id = ? AND target_id IN ? AND state = ?",
			Args: []any{v.ID, authors, FollowAccepted}, Row: func(r *store.Row) { l.follows[r.Int()] = true }})
	}
	written := map[int64]*AppTag{}
	if len(apps) > 0 {
		questions = append(questions, store.Question{SQL: "SELECT id, name, website FROM oauth_apps WHERE id IN ?", Args: []any{apps}, Row: func(r *store.Row) {
			t := AppTag{ID: r.Int(), Name: r.Text(), Website: r.Text()}
			written[t.ID] = &t
		}})
	}
	return questions, func() {
		for _, view := range l.views {
			view.Mine.ThreadMuted = muted[view.ThreadID]
			view.Mine.MayQuote = view.AuthorID == v.ID || view.Quotes() == QuotedByAnyone || view.Local() && view.Quotes() == QuotedByFollowers && l.follows[view.AuthorID]
			if view.AppID != nil && view.AuthorID == v.ID {
				view.App = written[*view.AppID]
			}
		}
	}
}
