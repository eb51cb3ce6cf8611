package community

import "github.com/chalkring/chalkring/internal/store"

// AppTag is the app that a post was written with.
type AppTag struct {
	ID      int64
	Name    string
	Website string
}

// marks brings what clients are told of a post besides what the reader did with
// it: whether its thread is muted, whether the reader may quote it, and, of the
// reader's own, with which app it was written.
func (l *loading) marks(tx *store.Tx, v Viewer) error {
	if !v.Local || len(l.views) == 0 {
		return nil
	}
	var threads, authors, apps []int64
	for _, view := range l.views {
		threads = append(threads, view.ThreadID)
		if view.Local() && view.AuthorID != v.ID && view.Quotes() == QuotedByFollowers {
			authors = append(authors, view.AuthorID)
		}
		if view.AppID != nil && view.AuthorID == v.ID {
			apps = append(apps, *view.AppID)
		}
	}
	sql := "SELECT 'thread' AS what, thread_id AS id FROM thread_mutes WHERE account_id = ? AND thread_id IN ?"
	args := []any{v.ID, store.Even(threads)}
	if len(authors) > 0 {
		sql += " UNION ALL SELECT 'author', target_id FROM follows WHERE follower_id = ? AND target_id IN ? AND state = ?"
		args = append(args, v.ID, store.Even(authors), FollowAccepted)
	}
	var rows []struct {
		What string
		ID   int64
	}
	if err := tx.Raw(sql, args...).Scan(&rows).Error; err != nil {
		return err
	}
	muted, followed := map[int64]bool{}, map[int64]bool{}
	for _, r := range rows {
		if r.What == "thread" {
			muted[r.ID] = true
		} else {
			followed[r.ID] = true
		}
	}
	written := map[int64]*AppTag{}
	if len(apps) > 0 {
		var tags []AppTag
		if err := tx.Raw("SELECT id, name, website FROM oauth_apps WHERE id IN ?", store.Even(apps)).Scan(&tags).Error; err != nil {
			return err
		}
		for _, t := range tags {
			written[t.ID] = &t
		}
	}
	for _, view := range l.views {
		view.Mine.ThreadMuted = muted[view.ThreadID]
		view.Mine.MayQuote = view.AuthorID == v.ID || view.Quotes() == QuotedByAnyone || view.Quotes() == QuotedByFollowers && followed[view.AuthorID]
		if view.AppID != nil && view.AuthorID == v.ID {
			view.App = written[*view.AppID]
		}
	}
	return nil
}
