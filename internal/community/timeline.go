package community

import (
	"cmp"
	"slices"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// Every list here walks one index from the page's edge and asks of each post
// whether the viewer may see it: its cost follows the page, not the table.

// Home returns a page of what v follows, with v's own posts, newest first.
func Home(tx *store.Tx, v Viewer, page store.Page) ([]Post, error) {
	q := through(tx, "home_entries", v).Where("home_entries.account_id = ?", v.ID)
	return store.FindOn[Post](q, page, "home_entries.post_id")
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

// PublicTimeline returns a page of the listed posts of an origin, newest
// first. A guest finds the public ones there, and a member what else they may see.
func PublicTimeline(tx *store.Tx, v Viewer, from Origin, page store.Page) ([]Post, error) {
	return ChosenTimeline(tx, v, Choice{From: from}, page)
}

// ChosenTimeline is PublicTimeline for a choice of its posts.
func ChosenTimeline(tx *store.Tx, v Viewer, c Choice, page store.Page) ([]Post, error) {
	q := tx.Model(&Post{}).Where("posts.listed") // spelt as the partial indexes have it
	if c.OnlyMedia {
		q = q.Where("posts.media_count > 0")
	}
	switch c.From {
	case Here:
		q = q.Where("posts.author_host = ''")
	case Elsewhere:
		q = q.Where("posts.author_host <> ''")
	}
	return store.Find[Post](q.Scopes(shown(tx, v)), page)
}

// PracticeTimeline returns a page of listed practice posts, newest first.
func PracticeTimeline(tx *store.Tx, v Viewer, page store.Page) ([]Post, error) {
	q := tx.Model(&Post{}).Where("posts.listed AND posts.kind = 'practice'")
	return store.Find[Post](q.Scopes(shown(tx, v)), page)
}

// TagTimeline returns a page of the posts with a hashtag, newest first.
func TagTimeline(tx *store.Tx, v Viewer, tag string, page store.Page) ([]Post, error) {
	q := through(tx, "post_tags", v).Where("post_tags.tag = ?", text.TagKey(tag))
	return store.FindOn[Post](q, page, "post_tags.post_id")
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
		q := through(tx, "post_tags", v).Where("post_tags.tag = ?", key)
		for _, also := range tagKeys(c.All[:min(len(c.All), mostTags)]) {
			q = q.Where("EXISTS (SELECT 1 FROM post_tags o WHERE o.tag = ? AND o.post_id = post_tags.post_id)", also)
		}
		for _, not := range tagKeys(c.None[:min(len(c.None), mostTags)]) {
			q = q.Where("NOT EXISTS (SELECT 1 FROM post_tags o WHERE o.tag = ? AND o.post_id = post_tags.post_id)", not)
		}
		if c.OnlyMedia {
			q = q.Where("posts.media_count > 0")
		}
		switch c.From {
		case Here:
			q = q.Where("posts.author_host = ''")
		case Elsewhere:
			q = q.Where("posts.author_host <> ''")
		}
		found, err := store.FindOn[Post](q, page, "post_tags.post_id")
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
	Kind           Kind // only this kind; empty for all
}

// ProfileTimeline returns a page of an account's posts, newest first.
func ProfileTimeline(tx *store.Tx, v Viewer, account int64, only ProfileFilter, page store.Page) ([]Post, error) {
	q := tx.Model(&Post{}).Where("posts.author_id = ?", account)
	if only.WithoutReplies {
		q = q.Where("(posts.in_reply_to_uri = '' OR posts.in_reply_to_author = posts.author_id)")
	}
	if only.WithoutBoosts {
		q = q.Where("posts.boost_of_id IS NULL")
	}
	if only.OnlyMedia {
		q = q.Where("posts.media_count > 0")
	}
	if only.Kind != "" {
		q = q.Where("posts.kind = ?", only.Kind)
	}
	return store.Find[Post](q.Scopes(visibleTo(v)), page)
}

// shown narrows a query on posts to what a list shows v.
func shown(tx *store.Tx, v Viewer) func(*gorm.DB) *gorm.DB {
	return func(q *gorm.DB) *gorm.DB {
		q = q.Scopes(visibleTo(v))
		if v.Local {
			q = q.Scopes(unmuted(v, tx.Now))
		}
		return q
	}
}

// through is a query for the posts that a list shows v, by way of a table that
// lists them. CROSS JOIN keeps SQLite from walking the posts instead. Postgres
// is kept from it by a subquery that cannot be pulled up, which LIMIT 1 makes
// of it: its estimates for small tables, which nothing ever analyses, would
// have it judge and sort the whole list for one page.
func through(tx *store.Tx, list string, v Viewer) *gorm.DB {
	q := tx.Table(list).Select("posts.*")
	if tx.Dialect() == store.Postgres {
		one := tx.Model(&Post{}).Where("posts.id = " + list + ".post_id").Scopes(shown(tx, v)).Limit(1)
		return q.Joins("CROSS JOIN LATERAL (?) posts", one)
	}
	return q.Joins("CROSS JOIN posts").Where("posts.id = " + list + ".post_id").Scopes(shown(tx, v))
}
