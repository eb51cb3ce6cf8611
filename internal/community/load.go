package community

import (
	"cmp"
	"maps"
	"slices"
	"strings"

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
	School string       // what its server is called
	Kept   *KeptAccount // what is remembered of it, where it is
}

// LoadWith is Load with what is shown of some people besides; ask is tx.Ask or
// tx.AskLast.
func LoadWith(tx *store.Tx, v Viewer, posts []Post, people []int64, ask func(...store.Question) error) ([]View, map[int64]Shown, error) {
	if len(posts) == 0 && len(people) == 0 {
		return nil, nil, nil
	}
	l := newLoading(len(posts), people, ask)
	views, err := l.load(tx, v, posts)
	if err != nil {
		return nil, nil, err
	}
	return views, l.shown(), nil
}

// shown are those who were to be brought besides.
func (l *loading) shown() map[int64]Shown {
	shown := make(map[int64]Shown, len(l.besides))
	for _, id := range l.besides {
		if p, ok := l.people[id]; ok {
			shown[id] = Shown{*p.Account, p.counts, l.schools[p.Host], p.kept}
		}
	}
	return shown
}

func newLoading(posts int, people []int64, ask func(...store.Question) error) *loading {
	return &loading{views: make(map[int64]*View, posts), ids: make([]int64, 0, posts), visible: map[int64]bool{}, besides: people, ask: ask,
		authors: map[int64]figures{}, people: map[int64]person{}, schools: map[string]string{}}
}

func (l *loading) load(tx *store.Tx, v Viewer, posts []Post) ([]View, error) {
	for _, p := range posts {
		l.add(p, keptPost(tx, p.ID, p.Version))
	}
	if err := l.gather(tx, v); err != nil {
		return nil, err
	}
	views := make([]View, len(posts))
	for i, p := range posts {
		views[i] = *l.views[p.ID]
	}
	return views, nil
}

// gather brings all that is shown of the posts that were added.
func (l *loading) gather(tx *store.Tx, v Viewer) error {
	added := len(l.ids)
	if err := l.others(tx, v, added, func(p *View) *int64 { return p.BoostOfID }); err != nil {
		return err
	}
	err := l.others(tx, v, len(l.ids), func(p *View) *int64 {
		if p.QuoteState == QuoteAccepted {
			return p.QuoteID
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := l.rest(tx, v); err != nil {
		return err
	}
	for _, view := range l.views {
		if view.QuoteID != nil && view.QuoteState == QuoteAccepted && l.seen(v, *view.QuoteID) {
			quoted := *l.views[*view.QuoteID]
			quoted.Quoted = nil // one within another is a link
			view.Quoted = &quoted
		}
	}
	for _, id := range l.ids[:added] {
		if view := l.views[id]; view.BoostOfID != nil && l.seen(v, *view.BoostOfID) {
			view.Boosted = l.views[*view.BoostOfID]
		}
	}
	return nil
}

// others brings posts that the first n of the posts show within them.
func (l *loading) others(tx *store.Tx, v Viewer, n int, which func(p *View) *int64) error {
	var ids []int64
	for _, id := range l.ids[:n] {
		if other := which(l.views[id]); other != nil && !slices.Contains(ids, *other) {
			ids = append(ids, *other)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if l.judging {
		var stubs []stub
		if err := tx.Ask(stubsOf(tx, &stubs, "posts WHERE posts.id IN ?", ids)); err != nil {
			return err
		}
		return l.bring(tx, stubs)
	}
	found, err := visiblePosts(tx, v, ids)
	for _, p := range found {
		l.visible[p.ID] = true
		l.add(p, keptPost(tx, p.ID, p.Version))
	}
	return err
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
	views   map[int64]*View
	ids     []int64           // of all of them
	first   []View            // those of them that were added first, as they stand in memory
	room    []View            // for more of them
	visible map[int64]bool    // those that are boosted or quoted and were asked for as the reader may see them
	authors map[int64]figures // of authors, that came with their posts
	names   *int64            // the version of all names, where it is known
	people  map[int64]person  // the authors and those they answer and name
	besides []int64           // whom else to bring
	ask     func(...store.Question) error
	schools map[string]string

	judging bool // whether the reader may see the posts is to be judged by MaySee
	ties
}

// person is an account with what is shown beside it.
type person struct {
	*Account
	counts AccountCounts
	kept   *KeptAccount
}

// who is somebody who was brought, or nobody.
func (l *loading) who(id int64) person {
	if p, ok := l.people[id]; ok {
		return p
	}
	return person{Account: &Account{}}
}

func (l *loading) add(p Post, k *Kept) {
	if l.views[p.ID] != nil {
		return
	}
	if len(l.room) == 0 { // one piece of memory for many
		if l.room = make([]View, max(4, cap(l.ids))); l.first == nil {
			l.first = l.room
		}
	}
	view := &l.room[0]
	l.room = l.room[1:]
	view.Post, view.Kept = p, k
	l.views[p.ID] = view
	l.ids = append(l.ids, p.ID)
}

// rest brings all that hangs on the posts, in one round, and in a second what
// has changed of the people since they were remembered.
func (l *loading) rest(tx *store.Tx, v Viewer) error {
	l.blockedHosts = map[string]bool{}
	known, unknown := l.wanted(tx)
	var questions []store.Question
	stale := []int64(nil)
	if len(known) > 0 {
		questions = append(questions, l.figures(tx, known, &stale))
	}
	if len(unknown) > 0 {
		questions = append(questions, l.accounts(tx, unknown))
	}
	schools, called := l.schoolsOf(tx, known)
	questions = append(questions, schools...)
	if fresh := l.where(func(p *View) bool { return p.Kept == nil }); len(fresh) > 0 {
		questions = append(questions, l.mentions(tx, fresh), tagsOf(fresh, func(post int64, t Tag) { l.views[post].Tags = append(l.views[post].Tags, t) }))
	}
	if asked := l.where(func(p *View) bool { return p.Kept == nil || p.Kept.poll }); len(asked) > 0 {
		questions = append(questions, l.polls(tx, v, asked))
	}
	if q, ok := l.marks(v); ok {
		questions = append(questions, q)
	}
	filtered := func() []Filter { return nil }
	if v.Local && len(l.ids) > 0 && v.may(BondFilters) {
		var filters store.Question
		filters, filtered = filtersOf(v.ID)
		questions = append(questions, filters)
	}
	told, done := l.told(v)
	questions = append(questions, told...)
	questions = append(questions, l.tied(tx, v)...)
	if q, ok := l.media(tx); ok {
		questions = append(questions, q)
	}
	if err := l.ask(questions...); err != nil {
		return err
	}
	if len(stale) > 0 {
		if err := l.ask(l.accounts(tx, stale)); err != nil {
			return err
		}
	}
	done()
	called()
	for id, p := range l.people {
		if p.kept == nil {
			p.kept = keepAccount(tx, *p.Account)
			l.people[id] = p
		}
	}
	for _, view := range l.views {
		if view.Kept != nil {
			view.Tags = view.Kept.tags
			for _, id := range view.Kept.mentions {
				view.Mentions = append(view.Mentions, *l.who(id).Account)
			}
		} else {
			k := &Kept{post: view.Post, tags: view.Tags, poll: view.Poll != nil}
			for _, a := range view.Mentions {
				k.mentions = append(k.mentions, a.ID)
			}
			keep(tx, k)
			view.Kept = k
			slices.SortFunc(view.Mentions, func(a, b Account) int { return cmp.Compare(a.ID, b.ID) })
		}
		author := l.who(view.AuthorID)
		view.Author, view.AuthorCounts, view.AuthorKept = *author.Account, author.counts, author.kept
		view.Mine.Author, view.Mine.Muted = v.Local && view.AuthorID == v.ID, l.muted[view.AuthorID]
		if view.InReplyToAuthor != nil {
			if a, ok := l.people[*view.InReplyToAuthor]; ok {
				view.ReplyTo = a.Account
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
	}
	l.filter(tx, v, filtered())
	return nil
}

// wanted returns the people to bring: the authors and whom they answer and
// name, those who are remembered and the others. Those who are remembered and
// whose figures came with a post are there at once.
func (l *loading) wanted(tx *store.Tx) (known map[int64]*KeptAccount, unknown []int64) {
	known = map[int64]*KeptAccount{}
	seen := make(map[int64]bool, len(l.views))
	want := func(id int64) {
		if seen[id] {
			return
		}
		seen[id] = true
		k, ok := tx.Recall(accountKey(id)).(*KeptAccount)
		f, came := l.authors[id]
		switch {
		case !ok || came && f.version != k.account.Version:
			unknown = append(unknown, id)
		case came:
			l.people[id] = person{Account: &k.account, counts: f.counts, kept: k}
		default:
			known[id] = k
		}
	}
	for _, id := range l.ids {
		view := l.views[id]
		want(view.AuthorID)
		if to := view.InReplyToAuthor; to != nil {
			want(*to)
		}
		if view.Kept != nil {
			for _, named := range view.Kept.mentions {
				want(named)
			}
		}
	}
	for _, id := range l.besides {
		want(id)
	}
	return known, unknown
}

// figures asks of people who are remembered whether they are as they were, and
// for their figures.
func (l *loading) figures(tx *store.Tx, known map[int64]*KeptAccount, stale *[]int64) store.Question {
	return figuresOf(tx, slices.Sorted(maps.Keys(known)), func(id int64, f figures) {
		k := known[id]
		if k.account.Version != f.version {
			*stale = append(*stale, id)
			return
		}
		l.people[id] = person{Account: &k.account, counts: f.counts, kept: k}
	})
}

// figuresOf asks for the figures of people.
func figuresOf(tx *store.Tx, people []int64, each func(id int64, f figures)) store.Question {
	return store.Question{
		SQL: "SELECT accounts.id, accounts.version, " + figureColumns(tx.Dialect()) +
			" FROM accounts LEFT JOIN account_counts ON account_counts.account_id = accounts.id WHERE accounts.id IN ?",
		Args: []any{people},
		Row: func(r *store.Row) {
			id := r.Int()
			each(id, figures{version: r.Int(), counts: readCounts(r, id)})
		},
	}
}

// accounts brings people whole, with their figures and their schools.
func (l *loading) accounts(tx *store.Tx, ids []int64) store.Question {
	return store.Question{
		SQL: "SELECT " + authorColumns.In(tx.Dialect()) + ", " + schoolSQL + ", COALESCE(hosts.blocked, FALSE), " + countColumns.In(tx.Dialect()) +
			" FROM accounts LEFT JOIN account_counts ON account_counts.account_id = accounts.id " + schoolJoins + " WHERE accounts.id IN ?",
		Args: []any{ids},
		Row: func(r *store.Row) {
			p := person{Account: &Account{}}
			authorColumns.Read(r, p.Account)
			l.schools[p.Host] = r.Text()
			if r.Bool() {
				l.blockedHosts[p.Host] = true
			}
			if !r.Null() {
				countColumns.Read(r, &p.counts)
			}
			l.people[p.ID] = p
		},
	}
}

// schoolsOf asks what the servers of people who are remembered are called, and
// whether those of the authors are blocked, unless that is remembered too;
// called remembers it.
func (l *loading) schoolsOf(tx *store.Tx, known map[int64]*KeptAccount) (questions []store.Question, called func()) {
	seen := map[string]bool{}
	for _, k := range known {
		seen[k.account.Host] = true
	}
	for _, p := range l.people {
		seen[p.Host] = true
	}
	for _, view := range l.views {
		seen[view.AuthorHost] = true
	}
	for host := range seen {
		if k, ok := tx.Recall(nameKey(host)).(keptName); ok && l.names != nil && k.version == *l.names {
			delete(seen, host)
			if l.schools[host] = k.name; k.blocked {
				l.blockedHosts[host] = true
			}
		}
	}
	if len(seen) == 0 {
		return nil, func() {}
	}
	hosts := slices.Sorted(maps.Keys(seen))
	for _, host := range hosts {
		l.schools[host] = host
	}
	if seen[""] {
		questions = append(questions, store.Question{SQL: "SELECT CASE WHEN site.name <> '' THEN site.name ELSE site.host END FROM site WHERE site.id = 1",
			Row: func(r *store.Row) { l.schools[""] = r.Text() }})
	}
	if len(seen) > 1 || !seen[""] {
		questions = append(questions, store.Question{SQL: `SELECT hosts.host, hosts.name, hosts.blocked FROM hosts WHERE hosts.host IN ?
			UNION ALL SELECT peers.host, peers.label, FALSE FROM peers WHERE peers.host IN ? AND peers.label <> ''`,
			Args: []any{hosts, hosts},
			Row: func(r *store.Row) { // what our administrator calls it comes last
				host, name, blocked := r.Text(), r.Text(), r.Bool()
				if name != "" {
					l.schools[host] = name
				}
				if blocked {
					l.blockedHosts[host] = true
				}
			}})
	}
	return questions, func() {
		if l.names == nil {
			return
		}
		for _, host := range hosts {
			k := keptName{version: *l.names, name: l.schools[host], blocked: l.blockedHosts[host]}
			tx.Remember(nameKey(host), k, 50+len(host)+len(k.name))
		}
	}
}

// mentions brings those whom posts name that are not remembered.
func (l *loading) mentions(tx *store.Tx, posts []int64) store.Question {
	return store.Question{
		SQL: "SELECT post_mentions.post_id, " + namedColumns.In(tx.Dialect()) + ", " + schoolSQL +
			" FROM post_mentions JOIN accounts ON accounts.id = post_mentions.account_id " + schoolJoins + " WHERE post_mentions.post_id IN ?",
		Args: []any{posts},
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

// marks brings what the reader did with the posts. What a post counts none of is
// not looked for.
func (l *loading) marks(v Viewer) (store.Question, bool) {
	if !v.Local || len(l.ids) == 0 {
		return store.Question{}, false
	}
	var sql []string
	var args []any
	arm := func(wanted bool, more string, these ...any) {
		if wanted {
			sql, args = append(sql, more), append(args, these...)
		}
	}
	arm(v.may(BondBookmarks), "SELECT post_id, 'bookmark' AS did FROM bookmarks WHERE account_id = ? AND post_id IN ?", v.ID, l.ids)
	liked := l.where(func(p *View) bool { return p.LikesCount > 0 })
	arm(len(liked) > 0, "SELECT post_id, 'like' AS did FROM likes WHERE account_id = ? AND post_id IN ?", v.ID, liked)
	boosted := l.where(func(p *View) bool { return p.BoostsCount > 0 })
	arm(len(boosted) > 0, "SELECT boost_of_id, 'boost' AS did FROM posts WHERE author_id = ? AND boost_of_id IN ? AND deleted_at IS NULL", v.ID, boosted)
	// The plus keeps SQLite from walking all that the reader ever wrote.
	used := l.where(func(p *View) bool { return p.UsesCount > 0 })
	arm(len(used) > 0, "SELECT in_reply_to_id, 'use' AS did FROM posts WHERE +author_id = ? AND in_reply_to_id IN ? AND kind = 'acknowledgement' AND deleted_at IS NULL", v.ID, used)
	own := l.where(func(p *View) bool { return p.AuthorID == v.ID })
	arm(len(own) > 0, "SELECT post_id, 'pin' AS did FROM pins WHERE account_id = ? AND post_id IN ?", v.ID, own)
	return store.Question{SQL: strings.Join(sql, " UNION ALL "), Args: args, Row: func(r *store.Row) {
		post, did := r.Int(), r.Text()
		mine := &l.views[post].Mine
		switch did {
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
		}
	}}, len(sql) > 0
}
