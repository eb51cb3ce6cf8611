package community

import (
	"maps"
	"slices"

	"github.com/chalkring/chalkring/internal/store"
)

// ties are what ties a reader to the authors of many posts, brought at once:
// with them MaySee judges each.
type ties struct {
	muted        map[int64]bool // of these the reader wants to see no lists
	hushed       map[int64]bool // and of these to be told nothing
	blocked      map[int64]bool // one of the two blocks the other
	follows      map[int64]bool
	shutOut      map[string]bool // servers, by the reader
	blockedHosts map[string]bool // and by this server
}

// may reports whether somebody may have a tie of such a kind.
func (v Viewer) may(b Bonds) bool { return v.Bonds&BondsRead == 0 || v.Bonds&b != 0 }

// tied asks for what ties the reader to those whose posts are brought. What
// decides who sees what is asked only if that is judged here.
func (l *loading) tied(tx *store.Tx, v Viewer) (questions []store.Question) {
	if !v.Local {
		return nil
	}
	people := slices.Clone(l.besides)
	var hosts []string
	for _, id := range l.ids {
		view := l.views[id]
		if !slices.Contains(people, view.AuthorID) {
			people = append(people, view.AuthorID)
		}
		if view.AuthorHost != "" && !slices.Contains(hosts, view.AuthorHost) {
			hosts = append(hosts, view.AuthorHost)
		}
	}
	if len(people) > 0 && v.may(BondMutes) {
		l.muted, l.hushed = map[int64]bool{}, map[int64]bool{}
		questions = append(questions, store.Question{
			SQL:  "SELECT target_id, notifications FROM mutes WHERE account_id = ? AND target_id IN ? AND (expires_at IS NULL OR expires_at > ?)",
			Args: []any{v.ID, people, tx.Now},
			Row: func(r *store.Row) {
				id := r.Int()
				l.muted[id], l.hushed[id] = true, r.Bool()
			},
		})
	}
	if !l.judging {
		return questions
	}
	if len(people) > 0 && v.may(BondBlocks) {
		l.blocked = map[int64]bool{}
		questions = append(questions, store.Question{
			SQL: `SELECT target_id FROM blocks WHERE account_id = ? AND target_id IN ?
				UNION ALL SELECT account_id FROM blocks WHERE account_id IN ? AND target_id = ?`,
			Args: []any{v.ID, people, people, v.ID},
			Row:  func(r *store.Row) { l.blocked[r.Int()] = true },
		})
	}
	if len(hosts) > 0 && v.may(BondHostBlocks) {
		l.shutOut = map[string]bool{}
		questions = append(questions, store.Question{
			SQL: "SELECT host FROM host_blocks WHERE account_id = ? AND host IN ?", Args: []any{v.ID, hosts},
			Row: func(r *store.Row) { l.shutOut[r.Text()] = true },
		})
	}
	return questions
}

// regards are what ties the reader to one of the posts, boosts aside.
func (l *loading) regards(v Viewer, view *View) Regards {
	author, known := l.people[view.AuthorID]
	return Regards{
		Follows:   l.follows[view.AuthorID],
		Mentioned: slices.ContainsFunc(view.Mentions, func(a Account) bool { return a.ID == v.ID }),
		Blocked:   l.blocked[view.AuthorID] || l.shutOut[view.AuthorHost],
		Withdrawn: !known || author.Gone() || l.blockedHosts[view.AuthorHost],
	}
}

// seen reports whether the reader may see one of the posts.
func (l *loading) seen(v Viewer, id int64) bool {
	view := l.views[id]
	switch {
	case view == nil:
		return false
	case !l.judging:
		return l.visible[id]
	case view.BoostOfID != nil:
		return false // nothing shows a boost within it
	}
	v.Regards = l.regards(v, view)
	return MaySee(view.Post, v)
}

// sees reports whether the reader may see one of the posts that were asked for.
func (l *loading) sees(v Viewer, id int64) bool {
	view := l.views[id]
	if view == nil {
		return false
	}
	v.Regards = l.regards(v, view)
	v.Withdrawn = v.Withdrawn || view.BoostOfID != nil && !l.seen(v, *view.BoostOfID)
	return MaySee(view.Post, v)
}

// lists reports whether a list shows the reader one of the posts.
func (l *loading) lists(v Viewer, id int64) bool {
	view := l.views[id]
	if !l.sees(v, id) || v.Local && l.muted[view.AuthorID] {
		return false
	}
	return view.BoostOfID == nil || !v.Local || !l.muted[l.views[*view.BoostOfID].AuthorID]
}

// shares is lists for a list that all people share.
func (l *loading) shares(v Viewer, id int64) bool {
	return l.lists(v, id) && !l.who(l.views[id].AuthorID).Silenced
}

// judged reports whether MaySee can judge for the viewer with what is brought:
// for people here, and for guests.
func judged(v Viewer) bool { return v.Host == "" && v.column == "" && (v.Local || v.ID == 0) }

// rows are posts to be brought, with what of them is asked first.
type rows struct {
	questions []store.Question
	stubs     []stub
	named     map[int64]figures // of people besides the authors
}

func rowsOf(tx *store.Tx, from string, args ...any) *rows {
	r := &rows{}
	r.questions = []store.Question{stubsOf(tx, &r.stubs, from, args...)}
	return r
}

// withNamed asks along for the figures of those whom a post names, by what is
// remembered of it. Where that does not hold they are asked for again.
func (r *rows) withNamed(tx *store.Tx, post int64) *rows {
	k, ok := tx.Recall(postKey(post)).(*Kept)
	if !ok {
		return r
	}
	ids := k.mentions
	if to := k.post.InReplyToAuthor; to != nil && !slices.Contains(ids, *to) {
		ids = append(slices.Clone(ids), *to)
	}
	if len(ids) == 0 || len(ids) == 1 && ids[0] == k.post.AuthorID {
		return r
	}
	r.named = make(map[int64]figures, len(ids))
	r.questions = append(r.questions, figuresOf(tx, ids, func(id int64, f figures) { r.named[id] = f }))
	return r
}

// quick is a page of posts read in two rounds: rows that say only which they
// are, and all that is shown of them, by which MaySee judges each. Where one of
// them is not for the reader the list is asked again in SQL, which looks further
// until the page is full; so is it for a viewer whom only SQL can judge.
func quick(tx *store.Tx, v Viewer, rows *rows, allowed func(l *loading, v Viewer, id int64) bool, slow func() ([]Post, error)) ([]View, error) {
	if judged(v) {
		if err := tx.Ask(rows.questions...); err != nil {
			return nil, err
		}
		stubs := &rows.stubs
		l := newLoading(len(*stubs), nil, tx.AskLast)
		l.judging = true
		maps.Copy(l.authors, rows.named)
		if len(*stubs) == 0 {
			return nil, nil
		}
		newest(*stubs)
		if err := l.bring(tx, *stubs); err != nil {
			return nil, err
		}
		if err := l.gather(tx, v); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(*stubs, func(s stub) bool { return !allowed(l, v, s.id) }) {
			return l.first[:len(*stubs):len(*stubs)], nil // bring has added each of them once, in this order
		}
	}
	posts, err := slow()
	if err != nil {
		return nil, err
	}
	return LoadLast(tx, v, posts)
}
