package community

import (
	"cmp"
	"slices"

	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// Load returns all that a page or a client needs to show the posts to v, in
// their order. It asks the same number of questions for one post and for
// hundreds. It does not judge who may see the posts, save those boosted.
func Load(tx *store.Tx, v Viewer, posts []Post) ([]View, error) {
	views, _, err := LoadWith(tx, v, posts, nil, tx.Ask)
	return views, err
}

// LoadLast is Load for the last that a transaction asks. See store.Tx.AskLast.
func LoadLast(tx *store.Tx, v Viewer, posts []Post) ([]View, error) {
	views, _, err := LoadWith(tx, v, posts, nil, tx.AskLast)
	return views, err
}

// Shown is an account as posts show their author.
type Shown struct {
	Account
	Counts AccountCounts
}

// LoadWith is Load with what is shown of some people besides; ask is tx.Ask or
// tx.AskLast.
func LoadWith(tx *store.Tx, v Viewer, posts []Post, people []int64, ask func(...store.Question) error) ([]View, map[int64]Shown, error) {
	if len(posts) == 0 && len(people) == 0 {
		return nil, nil, nil
	}
	l := loading{views: make(map[int64]*View, len(posts)), besides: people, ask: ask}
	views, err := l.load(tx, v, posts)
	if err != nil {
		return nil, nil, err
	}
	shown := make(map[int64]Shown, len(people))
	for _, id := range people {
		if p, ok := l.people[id]; ok {
			shown[id] = Shown{p.Account, p.counts}
		}
	}
	return views, shown, nil
}

func (l *loading) load(tx *store.Tx, v Viewer, posts []Post) ([]View, error) {
	if err := l.boosted(tx, v, posts); err != nil {
		return nil, err
	}
	for _, p := range posts {
		l.add(p)
	}
	if err := l.quotes(tx, v); err != nil {
		return nil, err
	}
	if err := l.rest(tx, v); err != nil {
		return nil, err
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

// loading gathers views: of the posts asked for, and of those they boost and quote.
type loading struct {
	views    map[int64]*View
	ids      []int64          // of all of them
	passedOn map[int64]bool   // those that are boosted and that the reader may see
	quotable map[int64]bool   // those that are quoted and that the reader may see
	people   map[int64]person // the authors and those they answer
	besides  []int64          // whom else to bring
	ask      func(...store.Question) error
	schools  map[string]string

	filtering bool // the reader has filters
}

// person is an account with what is shown beside it.
type person struct {
	Account
	counts AccountCounts
	muted  bool // by the reader
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
	found, err := visiblePosts(tx, v, ids)
	l.passedOn = make(map[int64]bool, len(found))
	for _, p := range found {
		l.passedOn[p.ID] = true
		l.add(p)
	}
	return err
}

// rest brings all that hangs on the posts, in one round.
func (l *loading) rest(tx *store.Tx, v Viewer) error {
	polls := map[int64]*PollView{}
	questions := []store.Question{l.accounts(tx, v)}
	if len(l.ids) > 0 {
		questions = append(questions, l.mentions(tx), l.polls(tx, v, polls), l.marks(v))
	}
	told, done := l.told(v)
	questions = append(questions, told...)
	if q, ok := l.media(tx); ok {
		questions = append(questions, q)
	}
	if err := l.ask(questions...); err != nil {
		return err
	}
	done()
	for _, view := range l.views {
		author := l.people[view.AuthorID]
		view.Author, view.AuthorCounts = author.Account, author.counts
		view.Mine.Author, view.Mine.Muted = v.Local && view.AuthorID == v.ID, author.muted
		if view.InReplyToAuthor != nil {
			if a, ok := l.people[*view.InReplyToAuthor]; ok {
				view.ReplyTo = &a.Account
			}
		}
		if view.ReplyTo == nil && view.InReplyToURI != "" {
			view.ReplyToHost, _ = iri.HostOf(view.InReplyToURI)
		}
		school, ok := l.schools[view.AuthorHost]
		if !ok {
			school = view.AuthorHost
		}
		view.School, view.Schools = school, l.schools
		slices.SortFunc(view.Mentions, func(a, b Account) int { return cmp.Compare(a.ID, b.ID) })
		slices.SortFunc(view.Tags, func(a, b Tag) int { return cmp.Compare(a.Tag, b.Tag) })
	}
	if err := l.chosen(tx, v, polls); err != nil {
		return err
	}
	return l.filters(tx, v)
}

// accounts brings the authors and whom they answer, with their figures and
// their schools.
func (l *loading) accounts(tx *store.Tx, v Viewer) store.Question {
	seen := make(map[int64]bool, len(l.views))
	var ids []int64
	want := func(id int64) {
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	for _, id := range l.ids {
		want(l.views[id].AuthorID)
		if to := l.views[id].InReplyToAuthor; to != nil {
			want(*to)
		}
	}
	for _, id := range l.besides {
		want(id)
	}
	l.people, l.schools = make(map[int64]person, len(ids)), map[string]string{}
	muted, args := "FALSE", []any(nil)
	if v.Local {
		muted = "EXISTS (SELECT 1 FROM mutes WHERE mutes.account_id = ? AND mutes.target_id = accounts.id AND (mutes.expires_at IS NULL OR mutes.expires_at > ?))"
		args = []any{v.ID, tx.Now}
	}
	return store.Question{
		SQL: "SELECT " + authorColumns.In(tx.Dialect()) + ", " + schoolSQL + ", " + muted + ", " + countColumns.In(tx.Dialect()) +
			" FROM accounts LEFT JOIN account_counts ON account_counts.account_id = accounts.id " + schoolJoins + " WHERE accounts.id IN ?",
		Args: append(args, ids),
		Row: func(r *store.Row) {
			var p person
			authorColumns.Read(r, &p.Account)
			l.schools[p.Host] = r.Text()
			p.muted = r.Bool()
			if !r.Null() {
				countColumns.Read(r, &p.counts)
			}
			l.people[p.ID] = p
		},
	}
}

// mentions brings those who are named.
func (l *loading) mentions(tx *store.Tx) store.Question {
	return store.Question{
		SQL: "SELECT post_mentions.post_id, " + namedColumns.In(tx.Dialect()) + ", " + schoolSQL +
			" FROM post_mentions JOIN accounts ON accounts.id = post_mentions.account_id " + schoolJoins + " WHERE post_mentions.post_id IN ?",
		Args: []any{l.ids},
		Row: func(r *store.Row) {
			view := l.views[r.Int()]
			view.Mentions = append(view.Mentions, Account{})
			a := &view.Mentions[len(view.Mentions)-1]
			namedColumns.Read(r, a)
			l.schools[a.Host] = r.Text()
		},
	}
}

// media brings the pictures of the posts that have some.
func (l *loading) media(tx *store.Tx) (store.Question, bool) {
	ids := l.where(func(p *View) bool { return p.MediaCount > 0 })
	return store.Question{
		SQL:  "SELECT " + attachmentColumns.In(tx.Dialect()) + " FROM attachments WHERE attachments.post_id IN ? ORDER BY attachments.post_id, attachments.position",
		Args: []any{ids},
		Row: func(r *store.Row) {
			var a media.Attachment
			attachmentColumns.Read(r, &a)
			view := l.views[*a.PostID]
			view.Media = append(view.Media, a)
		},
	}, len(ids) > 0
}

// where returns those of the posts that are so.
func (l *loading) where(so func(p *View) bool) []int64 {
	var ids []int64
	for _, id := range l.ids {
		if so(l.views[id]) {
			ids = append(ids, id)
		}
	}
	return ids
}

// marks brings the hashtags, and what the reader did with the posts. What a
// post counts none of is not looked for.
func (l *loading) marks(v Viewer) store.Question {
	sql, args := "SELECT post_id, 'tag' AS did, tag, name FROM post_tags WHERE post_id IN ?", []any{l.ids}
	arm := func(ids []int64, more string, these ...any) {
		if len(ids) > 0 {
			sql, args = sql+" UNION ALL "+more, append(args, these...)
		}
	}
	if v.Local {
		arm(l.ids, "SELECT 0, 'filter', '', '' WHERE EXISTS (SELECT 1 FROM filters WHERE account_id = ?)", v.ID)
		arm(l.ids, "SELECT post_id, 'bookmark', '', '' FROM bookmarks WHERE account_id = ? AND post_id IN ?", v.ID, l.ids)
		liked := l.where(func(p *View) bool { return p.LikesCount > 0 })
		arm(liked, "SELECT post_id, 'like', '', '' FROM likes WHERE account_id = ? AND post_id IN ?", v.ID, liked)
		boosted := l.where(func(p *View) bool { return p.BoostsCount > 0 })
		arm(boosted, "SELECT boost_of_id, 'boost', '', '' FROM posts WHERE author_id = ? AND boost_of_id IN ? AND deleted_at IS NULL", v.ID, boosted)
		// The plus keeps SQLite from walking all that the reader ever wrote.
		used := l.where(func(p *View) bool { return p.UsesCount > 0 })
		arm(used, "SELECT in_reply_to_id, 'use', '', '' FROM posts WHERE +author_id = ? AND in_reply_to_id IN ? AND kind = 'acknowledgement' AND deleted_at IS NULL", v.ID, used)
		own := l.where(func(p *View) bool { return p.AuthorID == v.ID })
		arm(own, "SELECT post_id, 'pin', '', '' FROM pins WHERE account_id = ? AND post_id IN ?", v.ID, own)
	}
	return store.Question{SQL: sql, Args: args, Row: func(r *store.Row) {
		view := l.views[r.Int()]
		switch did, tag, name := r.Text(), r.Text(), r.Text(); did {
		case "filter":
			l.filtering = true
		case "tag":
			view.Tags = append(view.Tags, Tag{Tag: tag, Name: name})
		case "like":
			view.Mine.Liked = true
		case "bookmark":
			view.Mine.Bookmarked = true
		case "boost":
			view.Mine.Boosted = true
		case "pin":
			view.Mine.Pinned = true
		case "use":
			view.Mine.Used = true
		}
	}}
}
