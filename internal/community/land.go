package community

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// landing is a post on its way into the tables, with what comes along.
type landing struct {
	post     Post
	author   Account
	parent   *Post // what it answers, where known
	boosted  *Post // what it passes on
	mentions []int64
	tags     []Tag
	media    []media.Attachment // of other servers' posts
	poll     *Poll
	stamp    string // that lets another server's post show what it quotes
	quiet    bool   // nobody is told of it
}

// landed is what became of a landing: the post as it is stored, and whether it
// is new. Another server's post that is known, or that was deleted before it
// came, is not.
type landed struct {
	post  Post
	fresh bool
}

// land stores one post, ours or another server's, and everything that follows
// from it in this community.
func land(tx *store.Tx, l landing) (Post, bool, error) {
	all, err := landAll(tx, []landing{l})
	if err != nil {
		return l.post, false, err
	}
	return all[0].post, all[0].fresh, nil
}

// landAll is land for posts that came together; their order is kept.
//
// This is the path that every delivery takes, so it asks for as few statements
// as it can: posts that name and answer nobody take six, however many they are.
func landAll(tx *store.Tx, ls []landing) ([]landed, error) {
	all := make([]landed, len(ls))
	posts := make([]*Post, len(ls))
	for i, l := range ls {
		p := &all[i].post
		*p = l.post
		p.ThreadID = p.ID
		if l.parent != nil {
			p.ThreadID, p.InReplyToID, p.InReplyToAuthor = l.parent.ThreadID, &l.parent.ID, &l.parent.AuthorID
			if p.ContextURI == "" {
				p.ContextURI = l.parent.ContextURI
			}
			if p.InReplyToURI == "" {
				p.InReplyToURI = l.parent.IRI(tx.Site)
			}
		}
		p.Listed = p.lists()
		posts[i] = p
	}
	stored, awaited, err := insertPosts(tx, posts)
	if err != nil {
		return nil, err
	}
	var fresh []*Post
	var counts []counting
	var tagged []int64
	for i := range all {
		p, l := &all[i].post, &ls[i]
		if !stored[p.ID] {
			continue
		}
		all[i].fresh = true
		fresh = append(fresh, p)
		if len(l.tags) > 0 {
			tagged = append(tagged, p.ID)
		}
		if l.parent != nil && l.parent.DeletedAt != nil {
			l.parent = nil // it keeps its place, and nobody counts or hears for it
		}
		counts = append(counts, counting{p, l.parent})
		if err := nameAll(tx, p.ID, l.mentions, l.tags); err != nil {
			return nil, err
		}
		if _, err := converse(tx, *p); err != nil {
			return nil, err
		}
		if err := attachRemote(tx, *p, l.media); err != nil {
			return nil, err
		}
		if err := attachPoll(tx, p.ID, l.poll); err != nil {
			return nil, err
		}
		if uri := p.QuoteURI; uri != "" && !p.Local() {
			p.QuoteURI = ""
			if _, err := receiveQuote(tx, p, uri, l.stamp); err != nil {
				return nil, err
			}
		}
	}
	if len(fresh) == 0 {
		return all, nil
	}
	// None of these builds on another's answer, so they go out together.
	asking := slices.Concat(countPosts(counts), bringHome(tx, fresh), bringByTags(tagged))
	orphans, answered := askForOrphans(fresh)
	if err := tx.Ask(append(asking, orphans...)...); err != nil {
		return nil, err
	}
	for i := range all {
		if !all[i].fresh {
			continue
		}
		l := ls[i]
		l.post = all[i].post
		if !l.quiet {
			if err := notifyOfPost(tx, l); err != nil {
				return nil, err
			}
		}
		tx.Announce(PostLanded, l.post.ID)
	}
	if err := tellFollowers(tx, slices.DeleteFunc(slices.Clone(fresh), func(p *Post) bool { return !awaited[p.ID] })); err != nil {
		return nil, err
	}
	for _, p := range *answered {
		if err := adoptOrphans(tx, p); err != nil {
			return nil, err
		}
	}
	return all, nil
}

const (
	insertPostSQL = `INSERT INTO posts (id, author_id, author_host, uri, url, kind, audience, unlisted, listed, group_id,
	title, teaser, warning, sensitive, source, sections, html, language, subject, level, licence, contributors,
	thread_id, in_reply_to_id, in_reply_to_uri, in_reply_to_author, boost_of_id, accepted_answer_id, context_uri,
	quote_uri, quotable, replies_uri, extra, media_count, created_at, edited_at) VALUES `
	insertPostRow = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

func insertPostValues(p *Post) ([]any, error) {
	sections, err := jsonText(p.Sections, p.Sections == nil)
	if err != nil {
		return nil, err
	}
	contributors, err := jsonText(p.Contributors, len(p.Contributors) == 0)
	if err != nil {
		return nil, err
	}
	extra, err := jsonText(p.Extra, p.Extra.empty())
	if err != nil {
		return nil, err
	}
	return []any{p.ID, p.AuthorID, p.AuthorHost, p.URI, p.URL, string(p.Kind), string(p.Audience), p.Unlisted, p.Listed, p.GroupID,
		p.Title, p.Teaser, p.Warning, p.Sensitive, p.Source, sections, p.HTML, p.Language, p.Subject, p.Level, p.Licence, contributors,
		p.ThreadID, p.InReplyToID, p.InReplyToURI, p.InReplyToAuthor, p.BoostOfID, p.AcceptedAnswerID, p.ContextURI,
		p.QuoteURI, p.Quotable, p.RepliesURI, extra, p.MediaCount, p.CreatedAt, p.EditedAt}, nil
}

// insertPosts writes the rows of posts whose URI is neither known nor was
// deleted, and returns the IDs of those it wrote, and of those among them of
// which somebody asked to be told.
func insertPosts(tx *store.Tx, posts []*Post) (stored, awaited map[int64]bool, err error) {
	buried, err := tombstonesOf(tx, posts)
	if err != nil {
		return nil, nil, err
	}
	wanted := slices.DeleteFunc(slices.Clone(posts), func(p *Post) bool { return p.URI != nil && buried[*p.URI] })
	stored, awaited = make(map[int64]bool, len(wanted)), map[int64]bool{}
	var inserts []store.Question
	for _, part := range store.Lots(wanted, mostLanding) {
		args := make([]any, 0, 36*len(part))
		for _, p := range part {
			values, err := insertPostValues(p)
			if err != nil {
				return nil, nil, err
			}
			args = append(args, values...)
		}
		inserts = append(inserts, store.Question{
			SQL: insertPostSQL + store.Rows(insertPostRow, len(part)) + ` ON CONFLICT (uri) WHERE uri IS NOT NULL DO NOTHING
				RETURNING id, EXISTS (SELECT 1 FROM follows WHERE follows.target_id = posts.author_id AND follows.notify)`,
			Args: args,
			Row: func(r *store.Row) {
				id := r.Int()
				stored[id] = true
				if r.Bool() {
					awaited[id] = true
				}
			},
		})
	}
	if len(inserts) == 0 {
		return stored, awaited, nil
	}
	return stored, awaited, tx.Ask(inserts...)
}

// mostLanding is how many posts one statement inserts.
const mostLanding = 64

// tombstonesOf returns which of the posts' URIs their authors deleted before
// they came.
func tombstonesOf(tx *store.Tx, posts []*Post) (map[string]bool, error) {
	var uris []string
	authors := map[string]int64{}
	for _, p := range posts {
		if p.URI != nil {
			uris = append(uris, *p.URI)
			authors[*p.URI] = p.AuthorID
		}
	}
	buried := map[string]bool{}
	for part := range slices.Chunk(uris, mostLanding) {
		err := tx.Ask(store.Question{
			SQL:  "SELECT uri, account_id FROM tombstones WHERE uri IN ?",
			Args: []any{part},
			Row: func(r *store.Row) {
				uri, account := r.Text(), r.Int()
				if account == 0 || account == authors[uri] {
					buried[uri] = true
				}
			},
		})
		if err != nil {
			return nil, err
		}
	}
	return buried, nil
}

// jsonText is a value as its TEXT column holds it; nothing is the empty text.
func jsonText(v any, none bool) (string, error) {
	if none {
		return "", nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// nameAll stores whom and what a post names.
func nameAll(tx *store.Tx, post int64, mentions []int64, tags []Tag) error {
	if len(mentions) > 0 {
		err := tx.Exec("INSERT INTO post_mentions (post_id, account_id) SELECT ?, id FROM accounts WHERE id IN ? ON CONFLICT DO NOTHING",
			post, mentions).Error
		if err != nil {
			return err
		}
	}
	if len(tags) == 0 {
		return nil
	}
	values := make([]any, 0, 3*len(tags))
	for _, t := range tags {
		values = append(values, t.Tag, post, t.Name)
	}
	rows := strings.TrimSuffix(strings.Repeat("(?, ?, ?), ", len(tags)), ", ")
	return tx.Exec("INSERT INTO post_tags (tag, post_id, name) VALUES "+rows+" ON CONFLICT DO NOTHING", values...).Error
}

// counting is a post and what it answers, for the figures of both.
type counting struct {
	post   *Post
	parent *Post
}

// counted reports whether the reply counts for its parent: only if whoever sees
// the parent may see it, for a count must not tell of a conversation apart.
func (c counting) counted() bool {
	return c.parent != nil && c.parent.Audience.Within(c.post.Audience)
}

// countPosts adds posts to the figures of their authors and parents. The rows
// are taken in the order of their IDs, so that no two transactions wait for
// each other.
func countPosts(all []counting) (asking []store.Question) {
	authors := map[int64]*AccountCounts{}
	replies, uses := map[int64]int{}, map[int64]int{}
	for _, c := range all {
		if p := c.post; p.counts() {
			a := authors[p.AuthorID]
			if a == nil {
				a = &AccountCounts{AccountID: p.AuthorID}
				authors[p.AuthorID] = a
			}
			a.Posts++
			if a.LastPostAt == nil || p.CreatedAt.After(*a.LastPostAt) {
				a.LastPostAt = &p.CreatedAt
			}
		}
		if c.counted() {
			replies[c.parent.ID]++
			if c.post.Kind == Acknowledgement {
				uses[c.parent.ID]++
			}
		}
	}
	ids := slices.Sorted(maps.Keys(authors))
	for _, part := range store.Lots(ids, mostLanding) {
		args := make([]any, 0, 3*len(part))
		for _, id := range part {
			args = append(args, id, authors[id].Posts, authors[id].LastPostAt)
		}
		asking = append(asking, store.Question{
			SQL: "INSERT INTO account_counts (account_id, posts, last_post_at) VALUES " + store.Rows("(?, ?, ?)", len(part)) + `
				ON CONFLICT (account_id) DO UPDATE SET posts = account_counts.posts + excluded.posts,
				last_post_at = CASE WHEN account_counts.last_post_at > excluded.last_post_at
					THEN account_counts.last_post_at ELSE excluded.last_post_at END`,
			Args: args,
		})
	}
	for _, id := range slices.Sorted(maps.Keys(replies)) {
		asking = append(asking, countReplies(id, replies[id], uses[id]))
	}
	return asking
}

// uncountPost takes a post out of the figures again.
func uncountPost(tx *store.Tx, p Post, parent *Post) error {
	if p.counts() {
		if err := tx.Exec("UPDATE account_counts SET posts = posts - 1 WHERE account_id = ? AND posts > 0", p.AuthorID).Error; err != nil {
			return err
		}
	}
	c := counting{&p, parent}
	if !c.counted() {
		return nil
	}
	uses := 0
	if p.Kind == Acknowledgement {
		uses = -1
	}
	return tx.Ask(countReplies(parent.ID, -1, uses))
}

func countReplies(post int64, replies, uses int) store.Question {
	return store.Question{
		SQL:  "UPDATE posts SET replies_count = replies_count + ?, uses_count = uses_count + ? WHERE id = ?",
		Args: []any{replies, uses, post},
	}
}

// bringHome puts posts into the home lists of their local readers: the
// author's own, and those of the author's followers here. Of a reply only
// those who follow (or are) the answered author hear; of a post for chosen
// people only those who are named.
func bringHome(tx *store.Tx, posts []*Post) (asking []store.Question) {
	var heard []int64
	for _, p := range posts {
		if p.Local() {
			asking = append(asking, store.Question{
				SQL:  "INSERT INTO home_entries (account_id, post_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
				Args: []any{p.AuthorID, p.ID},
			})
		}
		if p.Audience != Me && (p.InReplyToURI == "" || p.InReplyToAuthor != nil) {
			heard = append(heard, p.ID)
		}
	}
	these, named, where := "", "posts", "p.id IN ? AND "
	if tx.Dialect() == store.Postgres {
		// Which otherwise takes those posts of everybody who is followed by somebody,
		// while few are and it has not counted them.
		these, named, where = `WITH these AS MATERIALIZED (SELECT id, author_id, in_reply_to_author, audience, boost_of_id, language FROM posts WHERE id IN ?) `, "these", ""
	}
	for part := range slices.Chunk(heard, mostLanding) {
		asking = append(asking, store.Question{SQL: these + `INSERT INTO home_entries (account_id, post_id)
			SELECT f.follower_id, p.id FROM ` + named + ` p JOIN follows f ON f.target_id = p.author_id AND f.state = 'accepted' AND f.follower_local = TRUE
			WHERE ` + where + `(p.in_reply_to_author IS NULL OR p.in_reply_to_author = p.author_id OR f.follower_id = p.in_reply_to_author OR EXISTS (
				SELECT 1 FROM follows g WHERE g.follower_id = f.follower_id AND g.target_id = p.in_reply_to_author AND g.state = 'accepted'))
			AND (p.audience <> ? OR EXISTS (SELECT 1 FROM post_mentions m WHERE m.post_id = p.id AND m.account_id = f.follower_id))
			AND ` + wanted("f", "p") + `
			AND ` + outsideExclusive("f.follower_id", "p.author_id") + `
			ON CONFLICT DO NOTHING`, Args: []any{part, People}}, bringToLists(part))
	}
	return asking
}

// notifyOfPost tells the answered author, and those who are named, here.
func notifyOfPost(tx *store.Tx, l landing) error {
	p := l.post
	if p.Audience == Me {
		return nil
	}
	tell := func(to int64, kind NotificationKind) error {
		if to == p.AuthorID {
			return nil
		}
		return notify(tx, to, kind, p.AuthorID, p.ID)
	}
	switch {
	case l.boosted != nil && l.boosted.Local():
		return notify(tx, l.boosted.AuthorID, NotifyBoost, p.AuthorID, l.boosted.ID)
	case l.parent != nil && l.parent.Local() && (p.Audience != People || slices.Contains(l.mentions, l.parent.AuthorID)):
		kind := NotifyReply
		if p.Kind == Acknowledgement {
			kind = NotifyAcknowledgement
		}
		if err := tell(l.parent.AuthorID, kind); err != nil {
			return err
		}
	}
	for _, id := range l.mentions {
		if l.parent != nil && l.parent.Local() && id == l.parent.AuthorID {
			continue
		}
		if err := tell(id, NotifyMention); err != nil {
			return err
		}
	}
	return nil
}

// askForOrphans finds which of the posts are answered already.
func askForOrphans(posts []*Post) (asking []store.Question, answered *[]*Post) {
	answered = new([]*Post)
	byURI := map[string]*Post{}
	var uris []string
	for _, p := range posts {
		if p.URI != nil && p.Kind != Boost {
			byURI[*p.URI] = p
			uris = append(uris, *p.URI)
		}
	}
	for part := range slices.Chunk(uris, mostLanding) {
		asking = append(asking, store.Question{
			SQL:  "SELECT DISTINCT in_reply_to_uri FROM posts WHERE in_reply_to_uri IN ? AND in_reply_to_uri <> '' AND in_reply_to_id IS NULL",
			Args: []any{part},
			Row:  func(r *store.Row) { *answered = append(*answered, byURI[r.Text()]) },
		})
	}
	return asking, answered
}

// adoptOrphans hangs replies that came before the post they answer under it,
// with all that hangs on them. What would make the thread bite its own tail
// stays an orphan: the thread's first post, which may be another one since p
// came where several posts come at once.
func adoptOrphans(tx *store.Tx, p *Post) error {
	err := tx.Ask(store.Question{SQL: "SELECT thread_id FROM posts WHERE id = ?", Args: []any{p.ID}, Row: func(r *store.Row) { p.ThreadID = r.Int() }})
	if err != nil {
		return err
	}
	res := tx.Exec(`UPDATE posts SET in_reply_to_id = ?, in_reply_to_author = ?
		WHERE in_reply_to_uri = ? AND in_reply_to_uri <> '' AND in_reply_to_id IS NULL AND id <> ? AND id <> ?`,
		p.ID, p.AuthorID, *p.URI, p.ID, p.ThreadID)
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error
	}
	var parts []int64
	if err := tx.Raw("SELECT DISTINCT thread_id FROM posts WHERE in_reply_to_id = ? AND thread_id <> ?", p.ID, p.ThreadID).Scan(&parts).Error; err != nil {
		return err
	}
	err = tx.Exec("UPDATE posts SET thread_id = ? WHERE thread_id IN (SELECT id FROM posts WHERE in_reply_to_id = ?)", p.ThreadID, p.ID).Error
	if err != nil {
		return err
	}
	if err := joinThreads(tx, parts, p.ThreadID); err != nil {
		return err
	}
	var adopted []Post
	if err := tx.Select("id", "kind", "audience").Where("in_reply_to_id = ? AND deleted_at IS NULL", p.ID).Find(&adopted).Error; err != nil {
		return err
	}
	for _, child := range adopted {
		if !p.Audience.Within(child.Audience) {
			continue
		}
		p.RepliesCount++
		if child.Kind == Acknowledgement {
			p.UsesCount++
		}
	}
	return tx.Exec("UPDATE posts SET replies_count = ?, uses_count = ? WHERE id = ?", p.RepliesCount, p.UsesCount, p.ID).Error
}
