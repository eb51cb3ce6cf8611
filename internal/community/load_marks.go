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
		if view.Local() && view.AuthorID != v.ID && view.Quotes() == QuotedByFollowers && !slices.Contains(authors, view.AuthorID) {
			authors = append(authors, view.AuthorID)
		}
		if view.AppID != nil && view.AuthorID == v.ID {
			apps = append(apps, *view.AppID)
		}
	}
	sql := "SELECT 'thread' AS what, thread_id AS id FROM thread_mutes WHERE account_id = ? AND thread_id IN ?"
	args := []any{v.ID, threads}
	if len(authors) > 0 {
		sql += " UNION ALL SELECT 'author', target_id FROM follows WHERE follower_id = ? AND target_id IN ? AND state = ?"
		args = append(args, v.ID, authors, FollowAccepted)
	}
	muted, followed := map[int64]bool{}, map[int64]bool{}
	questions = append(questions, store.Question{SQL: sql, Args: args, Row: func(r *store.Row) {
		if r.Text() == "thread" {
			muted[r.Int()] = true
		} else {
			followed[r.Int()] = true
		}
	}})
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
			view.Mine.MayQuote = view.AuthorID == v.ID || view.Quotes() == QuotedByAnyone || view.Quotes() == QuotedByFollowers && followed[view.AuthorID]
			if view.AppID != nil && view.AuthorID == v.ID {
				view.App = written[*view.AppID]
			}
		}
	}
}
