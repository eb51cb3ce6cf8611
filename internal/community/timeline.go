package community

import (
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

// PublicTimeline returns a page of the listed posts of an origin, newest
// first. A guest finds the public ones there, and a member what else they may see.
func PublicTimeline(tx *store.Tx, v Viewer, from Origin, page store.Page) ([]Post, error) {
	q := tx.Model(&Post{})
	switch from { // spelt as the partial indexes have it
	case Here:
		q = q.Where("posts.listed AND posts.author_host = ''")
	case Elsewhere:
		q = q.Where("posts.listed AND posts.author_host <> ''")
	default:
		q = q.Where("posts.listed")
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
