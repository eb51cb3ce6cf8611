package community

import (
	"cmp"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// Every list here walks one index from the page's edge and asks of each post
// whether the viewer may see it: its cost follows the page, not the table.

// Home returns a page of what v follows, with v's own posts, newest first.
func Home(tx *store.Tx, v Viewer, page store.Page) ([]Post, error) {
	return pageThrough(tx, "home_entries", v, page, "home_entries.account_id = ?", v.ID)
}

// SchoolTimeline returns a page of what was written here for all of the school
// or for more, newest first: openers, no replies.
func SchoolTimeline(tx *store.Tx, v Viewer, page store.Page) ([]Post, error) {
	return PublicTimeline(tx, v, Here, page)
}

// ConnectedTimeline returns a page of what was written on connected servers,
// newest first: openers that v may see, whomever v follows.
func ConnectedTimeline(tx *store.Tx, v Viewer, page store.Page) ([]Post, error) {
	return PublicTimeline(tx, v, Elsewhere, page)
}

// Origin says whose posts a list holds.
type Origin int

// The origins.
const (
	Anywhere Origin = iota
	Here
	Elsewhere
)

// Choice narrows a list further.
type Choice struct {
	From      Origin
	OnlyMedia bool // leaves out what has no pictures
}

// sql is the condition that a row of posts is chosen, behind others.
func (c Choice) sql() string {
	where := ""
	switch c.From {
	case Here:
		where = " AND posts.author_host = ''"
	case Elsewhere:
		where = " AND posts.author_host <> ''"
	}
	if c.OnlyMedia {
		where += " AND posts.media_count > 0"
	}
	return where
}

// PublicTimeline returns a page of the listed posts of an origin, newest
// first. A guest finds the public ones there, and a member what else they may see.
func PublicTimeline(tx *store.Tx, v Viewer, from Origin, page store.Page) ([]Post, error) {
	return ChosenTimeline(tx, v, Choice{From: from}, page)
}

// ChosenTimeline is PublicTimeline for a choice of its posts.
func ChosenTimeline(tx *store.Tx, v Viewer, c Choice, page store.Page) ([]Post, error) {
	return pageShown(tx, v, page, "posts.listed"+c.sql()) // spelt as the partial indexes have it
}

// PracticeTimeline returns a page of listed practice posts, newest first.
func PracticeTimeline(tx *store.Tx, v Viewer, page store.Page) ([]Post, error) {
	return pageShown(tx, v, page, "posts.listed AND posts.kind = 'practice'")
}

// TagTimeline returns a page of the posts with a hashtag, newest first.
func TagTimeline(tx *store.Tx, v Viewer, tag string, page store.Page) ([]Post, error) {
	return pageThrough(tx, "post_tags", v, page, "post_tags.tag = ? AND "+loud, text.TagKey(tag))
}

// mostTags is how many hashtags of each kind a TagChoice takes, as Mastodon does.
const mostTags = 4

// TagChoice narrows the posts with a hashtag further.
type TagChoice struct {
	Choice
	Any  []string // hashtags that count as well
	All  []string // hashtags that a post must have besides
	None []string // hashtags that it must not have
}

// TagsTimeline is TagTimeline for a choice of posts. Each hashtag that counts
// is a list of its own, so that none has to be sorted whole.
func TagsTimeline(tx *store.Tx, v Viewer, tag string, c TagChoice, page store.Page) ([]Post, error) {
	var posts []Post
	for _, key := range tagKeys(append([]string{tag}, c.Any[:min(len(c.Any), mostTags)]...)) {
		where, args := "post_tags.tag = ?", []any{key}
		for _, also := range tagKeys(c.All[:min(len(c.All), mostTags)]) {
			where, args = where+" AND EXISTS (SELECT 1 FROM post_tags o WHERE o.tag = ? AND o.post_id = post_tags.post_id)", append(args, also)
		}
		for _, not := range tagKeys(c.None[:min(len(c.None), mostTags)]) {
			where, args = where+" AND NOT EXISTS (SELECT 1 FROM post_tags o WHERE o.tag = ? AND o.post_id = post_tags.post_id)", append(args, not)
		}
		found, err := pageThrough(tx, "post_tags", v, page, where+c.sql()+" AND "+loud, args...)
		if err != nil {
			return nil, err
		}
		posts = append(posts, found...)
	}
	slices.SortFunc(posts, func(a, b Post) int { return cmp.Compare(b.ID, a.ID) })
	posts = slices.CompactFunc(posts, func(a, b Post) bool { return a.ID == b.ID })
	if n := page.Size(); len(posts) > n {
		if page.MinID > 0 { // the nearest above
			return posts[len(posts)-n:], nil
		}
		return posts[:n], nil
	}
	return posts, nil
}

func tagKeys(names []string) []string {
	var keys []string
	for _, name := range names {
		if key := text.TagKey(name); key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// ProfileFilter says which of somebody's posts are wanted.
type ProfileFilter struct {
	WithoutReplies bool // leaves out answers to others
	WithoutBoosts  bool
	OnlyMedia      bool
	Kind           Kind   // only this kind; empty for all
	Tag            string // only with this hashtag
}

// ProfileTimeline returns a page of an account's posts, newest first.
func ProfileTimeline(tx *store.Tx, v Viewer, account int64, only ProfileFilter, page store.Page) ([]Post, error) {
	where, args := only.sql(account)
	visible, more := visibleSQL("posts", v)
	return pageOfPosts(tx, page, "posts.id", "posts WHERE "+where+" AND "+visible, append(args, more...)...)
}

// sql is the condition that a row of posts is one of those of an account.
func (only ProfileFilter) sql(account int64) (string, []any) {
	where, args := "posts.author_id = ?", []any{account}
	if only.WithoutReplies {
		where += " AND (posts.in_reply_to_uri = '' OR posts.in_reply_to_author = posts.author_id)"
	}
	if only.WithoutBoosts {
		where += " AND posts.boost_of_id IS NULL"
	}
	if only.OnlyMedia {
		where += " AND posts.media_count > 0"
	}
	if only.Tag != "" {
		where += " AND EXISTS (SELECT 1 FROM post_tags WHERE post_tags.tag = ? AND post_tags.post_id = posts.id)"
		args = append(args, text.TagKey(only.Tag))
	}
	if only.Kind != "" {
		where, args = where+" AND posts.kind = ?", append(args, only.Kind)
	}
	return where, args
}

// shownSQL is the condition that a list shows v a row of posts.
func shownSQL(v Viewer, now time.Time) (string, []any) {
	where, args := visibleSQL("posts", v)
	if v.Local {
		unmuted, more := unmutedSQL(v, now)
		where, args = where+" AND "+unmuted, append(args, more...)
	}
	return where, args
}

// shown narrows a query on posts to what a list shows v.
func shown(tx *store.Tx, v Viewer) func(*gorm.DB) *gorm.DB {
	where, args := shownSQL(v, tx.Now)
	return func(q *gorm.DB) *gorm.DB { return q.Where(where, args...) }
}

// pageShown is a page of the posts for which a condition holds, as a list that
// all people share shows them to v.
func pageShown(tx *store.Tx, v Viewer, page store.Page, where string) ([]Post, error) {
	shown, args := shownSQL(v, tx.Now)
	return pageOfPosts(tx, page, "posts.id", "posts WHERE "+where+" AND "+sharedSQL(shown), args...)
}

// pageThrough is a page of posts as a list shows them to v, by way of a table
// that lists them. CROSS JOIN keeps SQLite from walking the posts instead.
// Postgres is kept from it by a subquery that cannot be pulled up, which LIMIT 1
// makes of it: its estimates for small tables, which nothing ever analyses,
// would have it judge and sort the whole list for one page.
func pageThrough(tx *store.Tx, list string, v Viewer, page store.Page, where string, these ...any) ([]Post, error) {
	shown, args := shownSQL(v, tx.Now)
	column := list + ".post_id"
	if tx.Dialect() == store.Postgres {
		from := list + " CROSS JOIN LATERAL (SELECT * FROM posts WHERE posts.id = " + column + " AND " + shown + " LIMIT 1) posts WHERE " + where
		return pageOfPosts(tx, page, column, from, append(args, these...)...)
	}
	from := list + " CROSS JOIN posts WHERE posts.id = " + column + " AND " + where + " AND " + shown
	return pageOfPosts(tx, page, column, from, append(these, args...)...)
}
