package community

import (
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// Load returns all that a page or a client needs to show the posts to v, in
// their order. It asks the same number of questions for one post and for
// hundreds. It does not judge who may see the posts, save those boosted.
func Load(tx *store.Tx, v Viewer, posts []Post) ([]View, error) {
	if len(posts) == 0 {
		return nil, nil
	}
	l := loading{views: make(map[int64]*View, len(posts))}
	if err := l.boosted(tx, v, posts); err != nil {
		return nil, err
	}
	for _, p := range posts {
		l.add(p)
	}
	for _, step := range []func(*store.Tx, Viewer) error{l.quotes, l.mentions, l.tags, l.media, l.polls, l.accounts, l.schools, l.mine, l.marks, l.filters} {
		if err := step(tx, v); err != nil {
			return nil, err
		}
	}
	for _, view := range l.views {
		if view.QuoteID != nil && view.QuoteState == QuoteAccepted && l.quotable[*view.QuoteID] {
			quoted := *l.views[*view.QuoteID]
			quoted.Quoted = nil // one within another is a link
			view.Quoted = &quoted
		}
	}
	views := make([]View, len(posts))
	for i, p := range posts {
		view := l.views[p.ID]
		if p.BoostOfID != nil && l.passedOn[*p.BoostOfID] {
			view.Boosted = l.views[*p.BoostOfID]
		}
		views[i] = *view
	}
	return views, nil
}

// LoadOne is Load for one post.
func LoadOne(tx *store.Tx, v Viewer, p Post) (View, error) {
	views, err := Load(tx, v, []Post{p})
	if err != nil {
		return View{}, err
	}
	return views[0], nil
}

// loading gathers views: of the posts asked for, and of those they boost.
type loading struct {
	views    map[int64]*View
	ids      []int64           // of all of them
	passedOn map[int64]bool    // those that are boosted and that the reader may see
	named    map[int64][]int64 // whom each mentions
	quotable map[int64]bool    // those that are quoted and that the reader may see

	filtering bool // the reader has filters
}

func (l *loading) add(p Post) {
	if l.views[p.ID] == nil {
		l.views[p.ID] = &View{Post: p}
		l.ids = append(l.ids, p.ID)
	}
}

func (l *loading) boosted(tx *store.Tx, v Viewer, posts []Post) error {
	var ids []int64
	for _, p := range posts {
		if p.BoostOfID != nil {
			ids = append(ids, *p.BoostOfID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var found []Post
	if err := tx.Scopes(visibleTo(v)).Where("posts.id IN ?", ids).Find(&found).Error; err != nil {
		return err
	}
	l.passedOn = make(map[int64]bool, len(found))
	for _, p := range found {
		l.passedOn[p.ID] = true
		l.add(p)
	}
	return nil
}

func (l *loading) mentions(tx *store.Tx, _ Viewer) error {
	var rows []struct{ PostID, AccountID int64 }
	if err := tx.Raw("SELECT post_id, account_id FROM post_mentions WHERE post_id IN ?", l.ids).Scan(&rows).Error; err != nil {
		return err
	}
	l.named = make(map[int64][]int64, len(rows))
	for _, r := range rows {
		l.named[r.PostID] = append(l.named[r.PostID], r.AccountID)
	}
	return nil
}

func (l *loading) tags(tx *store.Tx, _ Viewer) error {
	var rows []struct {
		PostID    int64
		Tag, Name string
	}
	if err := tx.Raw("SELECT post_id, tag, name FROM post_tags WHERE post_id IN ? ORDER BY post_id, tag", l.ids).Scan(&rows).Error; err != nil {
		return err
	}
	for _, r := range rows {
		view := l.views[r.PostID]
		view.Tags = append(view.Tags, Tag{Tag: r.Tag, Name: r.Name})
	}
	return nil
}

func (l *loading) media(tx *store.Tx, _ Viewer) error {
	var rows []media.Attachment
	if err := tx.Where("post_id IN ?", l.ids).Order("post_id, position").Find(&rows).Error; err != nil {
		return err
	}
	for _, a := range rows {
		view := l.views[*a.PostID]
		view.Media = append(view.Media, a)
	}
	return nil
}

// accounts brings the authors with their figures, whom they answer and whom they name.
func (l *loading) accounts(tx *store.Tx, _ Viewer) error {
	var authors, all []int64
	seen := map[int64]bool{}
	want := func(id int64) {
		if !seen[id] {
			seen[id] = true
			all = append(all, id)
		}
	}
	for _, view := range l.views {
		want(view.AuthorID)
	}
	authors = all
	for _, view := range l.views {
		if view.InReplyToAuthor != nil {
			want(*view.InReplyToAuthor)
		}
		for _, id := range l.named[view.ID] {
			want(id)
		}
	}
	known, err := AccountsByID(tx, all)
	if err != nil {
		return err
	}
	counts, err := CountsOf(tx, authors)
	if err != nil {
		return err
	}
	for _, view := range l.views {
		view.Author, view.AuthorCounts = known[view.AuthorID], counts[view.AuthorID]
		if view.InReplyToAuthor != nil {
			if a, ok := known[*view.InReplyToAuthor]; ok {
				view.ReplyTo = &a
			}
		}
		if view.ReplyTo == nil && view.InReplyToURI != "" {
			view.ReplyToHost, _ = iri.HostOf(view.InReplyToURI)
		}
		for _, id := range l.named[view.ID] {
			if a, ok := known[id]; ok {
				view.Mentions = append(view.Mentions, a)
			}
		}
	}
	return nil
}

// schools brings what the servers are called, of the authors and of those they
// answer and name.
func (l *loading) schools(tx *store.Tx, _ Viewer) error {
	hosts := make([]string, 0, 2*len(l.views))
	for _, view := range l.views {
		hosts = append(hosts, view.AuthorHost)
		if view.ReplyTo != nil {
			hosts = append(hosts, view.ReplyTo.Host)
		}
		for _, a := range view.Mentions {
			hosts = append(hosts, a.Host)
		}
	}
	names, err := hostNames(tx, hosts)
	if err != nil {
		return err
	}
	for _, view := range l.views {
		view.School, view.Schools = names[view.AuthorHost], names
	}
	return nil
}

// mine brings what the reader did with the posts.
func (l *loading) mine(tx *store.Tx, v Viewer) error {
	if !v.Local {
		return nil
	}
	var rows []struct {
		PostID int64
		Did    string
	}
	// The plus keeps SQLite from walking all that the reader ever wrote.
	err := tx.Raw(`SELECT post_id, 'like' AS did FROM likes WHERE account_id = ? AND post_id IN ?
		UNION ALL SELECT post_id, 'bookmark' FROM bookmarks WHERE account_id = ? AND post_id IN ?
		UNION ALL SELECT boost_of_id, 'boost' FROM posts WHERE author_id = ? AND boost_of_id IN ? AND deleted_at IS NULL
		UNION ALL SELECT in_reply_to_id, 'use' FROM posts WHERE +author_id = ? AND in_reply_to_id IN ? AND kind = 'acknowledgement' AND deleted_at IS NULL
		UNION ALL SELECT post_id, 'pin' FROM pins WHERE account_id = ? AND post_id IN ?
		UNION ALL SELECT posts.id, 'mute' FROM posts JOIN mutes ON mutes.target_id = posts.author_id
			WHERE posts.id IN ? AND mutes.account_id = ? AND (mutes.expires_at IS NULL OR mutes.expires_at > ?)
		UNION ALL SELECT 0, 'filter' WHERE EXISTS (SELECT 1 FROM filters WHERE account_id = ?)`,
		v.ID, l.ids, v.ID, l.ids, v.ID, l.ids, v.ID, l.ids, v.ID, l.ids, l.ids, v.ID, tx.Now, v.ID).Scan(&rows).Error
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Did == "filter" {
			l.filtering = true
			continue
		}
		mine := &l.views[r.PostID].Mine
		switch r.Did {
		case "like":
			mine.Liked = true
		case "bookmark":
			mine.Bookmarked = true
		case "boost":
			mine.Boosted = true
		case "pin":
			mine.Pinned = true
		case "use":
			mine.Used = true
		case "mute":
			mine.Muted = true
		}
	}
	for _, view := range l.views {
		view.Mine.Author = view.AuthorID == v.ID
	}
	return nil
}
