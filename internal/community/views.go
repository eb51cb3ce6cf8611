package community

import (
	"slices"
	"strconv"
	"strings"

	"github.com/chalkring/chalkring/internal/store"
)

// HomeViews is Home with all that is shown of the posts. Like those that follow
// it is the last that a transaction asks.
func HomeViews(tx *store.Tx, v Viewer, page store.Page) ([]View, error) {
	where, edge, end := page.SQL("home_entries.post_id")
	from := "home_entries CROSS JOIN posts WHERE posts.id = home_entries.post_id AND home_entries.account_id = ?"
	if tx.Dialect() == store.Postgres { // see pageThrough
		from = "home_entries CROSS JOIN LATERAL (SELECT " + stubColumns + " FROM posts WHERE posts.id = home_entries.post_id LIMIT 1) posts WHERE home_entries.account_id = ?"
	}
	return quick(tx, v, rowsOf(tx, from+where+end, append([]any{v.ID}, edge...)...), (*loading).lists,
		func() ([]Post, error) { return Home(tx, v, page) })
}

// ChosenViews is ChosenTimeline in the same way.
func ChosenViews(tx *store.Tx, v Viewer, c Choice, page store.Page) ([]View, error) {
	where, edge, end := page.SQL("posts.id")
	if !v.Local {
		where = " AND posts.audience = 'public'" + where
	}
	return quick(tx, v, rowsOf(tx, "posts WHERE posts.listed"+c.sql()+where+end, edge...), (*loading).shares,
		func() ([]Post, error) { return ChosenTimeline(tx, v, c, page) })
}

// ProfileViews is ProfileTimeline in the same way.
func ProfileViews(tx *store.Tx, v Viewer, account int64, only ProfileFilter, page store.Page) ([]View, error) {
	where, args := only.sql(account)
	edges, edge, end := page.SQL("posts.id")
	switch where += " AND posts.deleted_at IS NULL"; {
	case v.Local && v.ID == account:
	case v.Local:
		where, args = where+" AND "+strings.ReplaceAll(forHere, "$", "posts"), append(args, v.ID, v.ID)
	default:
		where += " AND posts.audience = 'public'"
	}
	return quick(tx, v, rowsOf(tx, "posts WHERE "+where+edges+end, append(args, edge...)...), (*loading).sees,
		func() ([]Post, error) { return ProfileTimeline(tx, v, account, only, page) })
}

// VisibleView is VisiblePost in the same way.
func VisibleView(tx *store.Tx, id int64, v Viewer) (View, error) {
	views, err := quick(tx, v, rowsOf(tx, "posts WHERE posts.id = ?", id).withNamed(tx, id), (*loading).sees, func() ([]Post, error) {
		p, err := VisiblePost(tx, id, v)
		return []Post{p}, err
	})
	if err == nil && len(views) == 0 {
		err = noSuchPost()
	}
	if err != nil {
		return View{}, err
	}
	return views[0], nil
}

// mostAbove is how many posts above one are shown.
const mostAbove = 100

// AroundViews is Around for the post with an ID, or the post that it boosts, in
// the same way.
func AroundViews(tx *store.Tx, v Viewer, id int64) (p Post, above, below []View, err error) {
	if judged(v) {
		var known bool
		if p, above, below, known, err = aroundJudged(tx, v, id); err != nil || known {
			return p, above, below, err
		}
	}
	if p, err = VisiblePost(tx, id, v); err == nil && p.BoostOfID != nil {
		p, err = VisiblePost(tx, *p.BoostOfID, v)
	}
	if err != nil {
		return p, nil, nil, err
	}
	up, down, err := Around(tx, v, p)
	if err != nil {
		return p, nil, nil, err
	}
	views, err := LoadLast(tx, v, append(up, down...))
	if err != nil {
		return p, nil, nil, err
	}
	return p, views[:len(up)], views[len(up):], nil
}

// aroundJudged does it in two rounds. It reports false where that is not
// enough: for boosts, for what the viewer may not see, and for very long threads.
func aroundJudged(tx *store.Tx, v Viewer, id int64) (p Post, above, below []View, known bool, err error) {
	var stubs []stub
	err = tx.Ask(stubsOf(tx, &stubs, `posts WHERE posts.thread_id = (SELECT asked.thread_id FROM posts asked WHERE asked.id = ?) AND posts.boost_of_id IS NULL
		ORDER BY posts.id DESC LIMIT `+strconv.Itoa(ThreadSize+1), id))
	if err != nil || len(stubs) > ThreadSize || !slices.ContainsFunc(stubs, func(s stub) bool { return s.id == id }) {
		return p, nil, nil, false, err
	}
	newest(stubs)
	l := newLoading(len(stubs), nil, tx.AskLast)
	l.judging = true
	if err := l.bring(tx, stubs); err != nil {
		return p, nil, nil, false, err
	}
	if err := l.gather(tx, v); err != nil {
		return p, nil, nil, false, err
	}
	if !l.sees(v, id) {
		return p, nil, nil, false, nil
	}
	p = l.views[id].Post
	seen := make(map[int64]bool, len(stubs))
	for _, s := range stubs {
		seen[s.id] = l.sees(v, s.id)
	}
	bones := make([]bone, len(stubs))
	for i, s := range stubs {
		bones[i] = bone{ID: s.id, InReplyToID: l.views[s.id].InReplyToID}
	}
	skeleton := unknot(p.ThreadID, bones)
	for n, up := 0, skeleton[id].InReplyToID; up != nil && n < mostAbove; n++ {
		parent := l.views[*up]
		if parent == nil {
			return p, nil, nil, false, nil
		}
		if seen[parent.ID] {
			above = append(above, *parent)
		}
		up = skeleton[parent.ID].InReplyToID
	}
	slices.Reverse(above)
	// Each post hangs on the one it answers, seen or not, the earlier first: the
	// stubs are the newest first, so that what is put on the stack last, and comes
	// off first, is the earliest.
	answers := make(map[int64][]int64, len(stubs))
	for _, s := range stubs {
		up := p.ThreadID // as weave has it
		if to := skeleton[s.id].InReplyToID; to != nil && l.views[*to] != nil {
			up = *to
		}
		if s.id != p.ThreadID {
			answers[up] = append(answers[up], s.id)
		}
	}
	below = make([]View, 0, len(stubs))
	for stack := slices.Clone(answers[id]); len(stack) > 0; {
		next := stack[len(stack)-1]
		stack = append(stack[:len(stack)-1], answers[next]...)
		if seen[next] {
			below = append(below, *l.views[next])
		}
	}
	return p, above, below, true, nil
}
