package community

import (
	"slices"
	"strconv"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// FeedKind is which list of posts somebody listens to.
type FeedKind string

// The lists that can be listened to, each as the timeline of its name.
const (
	FeedHome      FeedKind = "home"
	FeedPublic    FeedKind = "public"
	FeedHere      FeedKind = "here"
	FeedElsewhere FeedKind = "elsewhere"
	FeedPractice  FeedKind = "practice"
	FeedTag       FeedKind = "tag"
	FeedTagHere   FeedKind = "tag here"
	FeedList      FeedKind = "list"
)

// Feed is one list as one reader has it.
type Feed struct {
	Kind      FeedKind
	Reader    int64
	Tag       string // of FeedTag: the tag's key
	List      int64  // of FeedList
	OnlyMedia bool   // leaves out what has no pictures
}

// mostReaders is how many readers one question is asked for.
const mostReaders = 500

// Holding returns those of the feeds in which a post stands at this moment,
// decided as the timelines themselves decide it. Its questions are as many for
// one feed as for hundreds.
func Holding(tx *store.Tx, p Post, feeds []Feed) ([]Feed, error) {
	var tags map[string]bool
	if slices.ContainsFunc(feeds, func(f Feed) bool { return f.Tag != "" }) {
		var names []string
		if err := tx.Raw("SELECT tag FROM post_tags WHERE post_id = ?", p.ID).Scan(&names).Error; err != nil {
			return nil, err
		}
		tags = make(map[string]bool, len(names))
		for _, name := range names {
			tags[name] = true
		}
	}
	hushed := false
	if slices.ContainsFunc(feeds, func(f Feed) bool { return f.Kind != FeedHome && f.Kind != FeedList }) {
		var err error
		if hushed, err = silent(tx, p); err != nil {
			return nil, err
		}
	}
	var homes, lists []int64
	some := make([]Feed, 0, len(feeds))
	for _, f := range feeds {
		switch {
		case f.OnlyMedia && p.MediaCount == 0:
			continue
		case f.Kind == FeedHome:
			homes = append(homes, f.Reader)
		case f.Kind == FeedList:
			lists = append(lists, f.List)
		case hushed || !f.fits(p, tags):
			continue
		}
		some = append(some, f)
	}
	home, err := amongAll(tx, homes, "SELECT account_id FROM home_entries WHERE post_id = ? AND account_id IN ?",
		func(part []int64) []any { return []any{p.ID, part} })
	if err != nil {
		return nil, err
	}
	list, err := amongAll(tx, lists, "SELECT list_id FROM list_entries WHERE post_id = ? AND list_id IN ?",
		func(part []int64) []any { return []any{p.ID, part} })
	if err != nil {
		return nil, err
	}
	some = slices.DeleteFunc(some, func(f Feed) bool {
		return f.Kind == FeedHome && !home[f.Reader] || f.Kind == FeedList && !list[f.List]
	})
	readers := make([]int64, len(some))
	for i, f := range some {
		readers[i] = f.Reader
	}
	seen, err := shownTo(tx, p.ID, readers)
	return slices.DeleteFunc(some, func(f Feed) bool { return !seen[f.Reader] }), err
}

// Holds is Holding for one feed.
func Holds(tx *store.Tx, p Post, f Feed) (bool, error) {
	in, err := Holding(tx, p, []Feed{f})
	return len(in) > 0, err
}

// fits reports whether a post is of the kind that the list is made of.
// PublicTimeline, PracticeTimeline and TagTimeline say the same in SQL.
func (f Feed) fits(p Post, tags map[string]bool) bool {
	switch f.Kind {
	case FeedPublic:
		return p.Listed
	case FeedHere:
		return p.Listed && p.Local()
	case FeedElsewhere:
		return p.Listed && !p.Local()
	case FeedPractice:
		return p.Listed && p.Kind == Practice
	case FeedTag:
		return tags[f.Tag]
	case FeedTagHere:
		return tags[f.Tag] && p.Local()
	}
	return false
}

// TagFeed is the feed of a hashtag, as somebody wrote it.
func TagFeed(reader int64, tag string, here bool) Feed {
	f := Feed{Kind: FeedTag, Reader: reader, Tag: text.TagKey(tag)}
	if here {
		f.Kind = FeedTagHere
	}
	return f
}

// shownTo returns which of the readers a list would show the post.
func shownTo(tx *store.Tx, post int64, readers []int64) (map[int64]bool, error) {
	return amongAll(tx, readers, "SELECT readers.account_id FROM users readers WHERE readers.account_id IN ? AND EXISTS (?)",
		func(some []int64) []any {
			return []any{some, tx.Model(&Post{}).Select("1").Where("posts.id = ?", post).Scopes(shown(tx, eachOf("readers.account_id")))}
		})
}

// amongAll asks about many accounts, or lists, some at a time, and returns
// those that the answers name.
func amongAll(tx *store.Tx, ids []int64, sql string, args func(some []int64) []any) (map[int64]bool, error) {
	found := make(map[int64]bool, len(ids))
	for some := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(ids))), mostReaders) {
		var named []int64
		if err := tx.Raw(sql, args(store.Even(some))...).Scan(&named).Error; err != nil {
			return nil, err
		}
		for _, id := range named {
			found[id] = true
		}
	}
	return found, nil
}

// ShownApart returns which of the readers are shown a post otherwise than the
// others: they wrote it, did something with it or with what it passes on or
// quotes, or have filters. For all who are not among them Load tells the same,
// save what QuotableBy tells apart. The readers are such as may see the post.
func ShownApart(tx *store.Tx, p Post, readers []int64) (map[int64]bool, error) {
	ids := []int64{p.ID}
	if p.BoostOfID != nil {
		ids = append(ids, *p.BoostOfID)
	}
	posts := ids
	if p.QuoteID != nil {
		posts = append(slices.Clone(ids), *p.QuoteID)
	}
	apart, err := amongAll(tx, readers, `SELECT account_id FROM likes WHERE post_id IN @posts AND account_id IN @readers
		UNION ALL SELECT account_id FROM bookmarks WHERE post_id IN @posts AND account_id IN @readers
		UNION ALL SELECT account_id FROM poll_votes WHERE post_id IN @posts AND account_id IN @readers
		UNION ALL SELECT account_id FROM pins WHERE post_id IN @posts AND account_id IN @readers
		UNION ALL SELECT author_id FROM posts WHERE boost_of_id IN @posts AND +author_id IN @readers AND deleted_at IS NULL
		UNION ALL SELECT author_id FROM posts WHERE in_reply_to_id IN @posts AND +author_id IN @readers AND kind = 'acknowledgement' AND deleted_at IS NULL
		UNION ALL SELECT author_id FROM posts WHERE id IN @posts
		UNION ALL SELECT account_id FROM filters WHERE account_id IN @readers
		UNION ALL SELECT account_id FROM thread_mutes WHERE account_id IN @readers AND thread_id IN (SELECT thread_id FROM posts WHERE id IN @posts)
		UNION ALL SELECT mutes.account_id FROM posts JOIN mutes ON mutes.target_id = posts.author_id WHERE posts.id IN @posts AND mutes.account_id IN @readers`,
		func(some []int64) []any { return []any{map[string]any{"posts": posts, "readers": some}} })
	if err != nil || p.QuoteID == nil {
		return apart, err
	}
	seen, err := shownTo(tx, *p.QuoteID, readers)
	for _, id := range readers {
		if !seen[id] {
			apart[id] = true
		}
	}
	return apart, err
}

// QuotableBy names for each of the readers what of a post, and of what it passes
// on or quotes, only followers of its author may quote, and this reader is one.
// Readers with the same name are shown the same; many have none.
func QuotableBy(tx *store.Tx, p Post, readers []int64) (map[int64]string, error) {
	posts := []int64{p.ID}
	for _, other := range []*int64{p.BoostOfID, p.QuoteID} {
		if other != nil {
			posts = append(posts, *other)
		}
	}
	if len(posts) == 1 && (!p.Local() || p.Quotes() != QuotedByFollowers) {
		return nil, nil
	}
	names := map[int64]string{}
	for some := range slices.Chunk(readers, mostReaders) {
		var rows []struct{ FollowerID, ID int64 }
		err := tx.Raw(`SELECT f.follower_id, p.id FROM posts p JOIN follows f ON f.target_id = p.author_id AND f.state = 'accepted'
			WHERE p.id IN ? AND p.author_host = '' AND p.audience = 'public' AND p.quote_policy IN ('', 'followers') AND f.follower_id IN ?
			ORDER BY f.follower_id, p.id`, posts, store.Even(some)).Scan(&rows).Error
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			names[r.FollowerID] += strconv.FormatInt(r.ID, 10) + " "
		}
	}
	return names, nil
}

// Departed returns a post that was deleted, and which of the readers could have
// seen it before: nobody else hears that it ever was. It returns
// fault.NotFound for a post that is still there.
func Departed(tx *store.Tx, id int64, readers []int64) (Post, map[int64]bool, error) {
	p, err := PostByID(tx, id)
	if err == nil && p.DeletedAt == nil {
		err = fault.New(fault.NotFound, "This post is still there.")
	}
	if err != nil {
		return p, nil, err
	}
	told, err := amongAll(tx, readers, `SELECT readers.account_id FROM users readers JOIN posts ON posts.id = @post
		WHERE readers.account_id IN @readers AND (readers.account_id = posts.author_id
		OR NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.account_id = readers.account_id AND blocks.target_id = posts.author_id)
		AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.account_id = posts.author_id AND blocks.target_id = readers.account_id)
		AND (posts.author_host = '' OR NOT EXISTS (SELECT 1 FROM host_blocks WHERE host_blocks.account_id = readers.account_id AND host_blocks.host = posts.author_host))
		AND (posts.audience IN ('public', 'network') OR posts.audience = 'school' AND posts.author_host = ''
			OR posts.audience IN ('people', 'followers') AND EXISTS (SELECT 1 FROM departed WHERE departed.post_id = posts.id AND departed.account_id = readers.account_id)
			OR posts.audience = 'followers' AND EXISTS (SELECT 1 FROM follows WHERE follows.follower_id = readers.account_id
				AND follows.target_id = posts.author_id AND follows.state = 'accepted')))`,
		func(some []int64) []any { return []any{map[string]any{"post": id, "readers": some}} })
	return p, told, err
}

// Held is Holding for a post that was deleted, as far as its emptied row tells:
// what it was tagged with it does not. Told is whom Departed named.
func (f Feed) Held(p Post, told map[int64]bool) bool {
	if !told[f.Reader] {
		return false
	}
	switch f.Kind {
	case FeedHere, FeedTagHere:
		return p.Local()
	case FeedElsewhere:
		return !p.Local()
	}
	return true
}

// NotificationsMade returns notifications by their IDs, oldest first, whoever
// they are for. Whether that person is shown them is for NotificationByID to say.
func NotificationsMade(tx *store.Tx, ids []int64) ([]Notification, error) {
	var list []Notification
	err := tx.Where("id IN ?", store.Even(ids)).Order("id").Find(&list).Error
	return list, err
}

// OwnsList reports whether a list is me's.
func OwnsList(tx *store.Tx, me, list int64) (bool, error) {
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM lists WHERE id = ? AND account_id = ?", list, me).Scan(&n).Error
	return n > 0, err
}

// TalksChanged returns talks by their IDs, whosever they are. Whether that
// person is shown them is for TalkByID to say.
func TalksChanged(tx *store.Tx, ids []int64) ([]Talk, error) {
	var list []Talk
	err := tx.Where("id IN ?", store.Even(ids)).Order("id").Find(&list).Error
	return list, err
}
