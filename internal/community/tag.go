package community

import (
	"cmp"
	"slices"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// How many hashtags somebody can follow, and how many they can show on their
// page. Mastodon has the same bound for the latter.
const (
	MaxFollowedTags = 200
	MaxFeaturedTags = 10
)

// broadcast is the condition on a post p that its hashtags are heard of by
// whoever follows them: it is for all people here or for more, nobody passed it
// on, and its author is not silenced.
const broadcast = `p.audience IN ('public', 'network', 'school') AND NOT p.unlisted AND p.boost_of_id IS NULL
	AND (p.author_host = '' OR NOT EXISTS (SELECT 1 FROM accounts quiet WHERE quiet.id = p.author_id AND quiet.silenced))`

// FollowedTag is a hashtag whose posts somebody here finds at home.
type FollowedTag struct {
	AccountID int64
	Tag       string // its key
	ID        int64  // its place in the list, for paging
	CreatedAt time.Time
}

// TableName names the table of followed hashtags.
func (FollowedTag) TableName() string { return "tag_follows" }

// TagTies says how somebody stands to a hashtag.
type TagTies struct{ Following, Featuring bool }

// FollowedTags returns a page of the hashtags that me follows, the latest first.
func FollowedTags(tx *store.Tx, me int64, page store.Page) ([]FollowedTag, error) {
	return store.Find[FollowedTag](tx.Where("account_id = ?", me), page)
}

// TiesToTags returns how me stands to each of the hashtags, by their keys.
func TiesToTags(tx *store.Tx, me int64, tags []string) (map[string]TagTies, error) {
	ties := make(map[string]TagTies, len(tags))
	if me == 0 || len(tags) == 0 {
		return ties, nil
	}
	var rows []struct {
		Tag      string
		Featured bool
	}
	err := tx.Raw(`SELECT tag, FALSE AS featured FROM tag_follows WHERE account_id = ? AND tag IN ?
		UNION ALL SELECT tag, TRUE FROM featured_tags WHERE account_id = ? AND tag IN ?`, me, store.Even(tags), me, store.Even(tags)).Scan(&rows).Error
	for _, r := range rows {
		t := ties[r.Tag]
		t.Featuring, t.Following = t.Featuring || r.Featured, t.Following || !r.Featured
		ties[r.Tag] = t
	}
	return ties, err
}

// TagDay is how much a hashtag was used on one day: in posts for everybody, for
// others are not told of.
type TagDay struct {
	Day      time.Time // its beginning, UTC
	Uses     int
	Accounts int
}

const (
	tagDays = 7
	// tagUses is how many uses of hashtags are looked at for their days.
	tagUses = 2000
)

// DaysOf returns how much a hashtag was used on each of the last seven days,
// today first. Of more uses than can be looked at, the earlier ones are not
// counted. Without a tag nothing is: the days alone.
func DaysOf(tx *store.Tx, tag string) ([]TagDay, error) {
	today := tx.Now.Truncate(24 * time.Hour)
	days := make([]TagDay, tagDays)
	for i := range days {
		days[i].Day = today.AddDate(0, 0, -i)
	}
	if tag == "" {
		return days, nil
	}
	var uses []struct{ ID, AuthorID int64 }
	err := tx.Raw(`SELECT p.id, p.author_id FROM post_tags t CROSS JOIN posts p WHERE t.tag = ? AND t.post_id >= ? AND p.id = t.post_id
		AND p.audience = 'public' AND NOT p.unlisted AND p.deleted_at IS NULL
		AND (p.author_host = '' OR NOT EXISTS (SELECT 1 FROM accounts quiet WHERE quiet.id = p.author_id AND quiet.silenced)) ORDER BY t.post_id DESC LIMIT ?`,
		tag, store.FirstIDAt(days[tagDays-1].Day), tagUses).Scan(&uses).Error
	who := map[[2]int64]bool{}
	for _, u := range uses {
		at := int64(today.Sub(store.IDTime(u.ID).Truncate(24*time.Hour)) / (24 * time.Hour))
		if at < 0 || at >= tagDays {
			continue
		}
		days[at].Uses++
		if by := [2]int64{at, u.AuthorID}; !who[by] {
			who[by] = true
			days[at].Accounts++
		}
	}
	return days, err
}

// FollowTag brings the posts with a hashtag to me's home list, the latest at
// once. It returns the hashtag's key.
func FollowTag(tx *store.Tx, me Account, name string) (string, error) {
	tag, err := tagNamed(name)
	if err != nil {
		return "", err
	}
	ties, err := TiesToTags(tx, me.ID, []string{tag})
	if err != nil || ties[tag].Following {
		return tag, err
	}
	var have int64
	if err := tx.Raw("SELECT COUNT(*) FROM tag_follows WHERE account_id = ?", me.ID).Scan(&have).Error; err != nil {
		return "", err
	}
	if have >= MaxFollowedTags {
		return "", fault.Invalidf("base", "You follow 200 hashtags already. Take one of them off before.").WithKey("tag.follows_many", map[string]any{"Max": MaxFollowedTags})
	}
	if err := tx.Create(&FollowedTag{AccountID: me.ID, Tag: tag, ID: tx.NewID(), CreatedAt: tx.Now}).Error; err != nil {
		return "", err
	}
	return tag, tx.Exec(`INSERT INTO home_entries (account_id, post_id)
		SELECT ?, p.id FROM post_tags t CROSS JOIN posts p WHERE t.tag = ? AND p.id = t.post_id AND p.deleted_at IS NULL AND `+broadcast+`
		AND `+outsideExclusive("?", "p.author_id")+` ORDER BY t.post_id DESC LIMIT ? ON CONFLICT DO NOTHING`, me.ID, tag, me.ID, homeFilled).Error
}

// UnfollowTag takes the posts with a hashtag out of me's home list, save those
// that stand there for another reason too.
func UnfollowTag(tx *store.Tx, me Account, name string) (string, error) {
	tag, err := tagNamed(name)
	if err != nil {
		return "", err
	}
	res := tx.Exec("DELETE FROM tag_follows WHERE account_id = ? AND tag = ?", me.ID, tag)
	if res.Error != nil || res.RowsAffected == 0 {
		return tag, res.Error
	}
	return tag, tx.Exec(`DELETE FROM home_entries WHERE account_id = ? AND post_id IN (
		SELECT p.id FROM post_tags t CROSS JOIN posts p WHERE t.tag = ? AND p.id = t.post_id AND p.author_id <> ?
		AND NOT EXISTS (SELECT 1 FROM follows f WHERE f.follower_id = ? AND f.target_id = p.author_id AND f.state = 'accepted')
		AND NOT EXISTS (SELECT 1 FROM post_tags o JOIN tag_follows g ON g.tag = o.tag AND g.account_id = ? WHERE o.post_id = p.id))`,
		me.ID, tag, me.ID, me.ID, me.ID).Error
}

// bringByTags puts posts into the home lists of those who follow one of their
// hashtags. Whom the reader has blocked or muted is left out when reading.
func bringByTags(posts []int64) (asking []store.Question) {
	for part := range slices.Chunk(posts, mostLanding) {
		asking = append(asking, store.Question{SQL: `INSERT INTO home_entries (account_id, post_id)
			SELECT f.account_id, p.id FROM posts p JOIN post_tags t ON t.post_id = p.id JOIN tag_follows f ON f.tag = t.tag
			WHERE p.id IN ? AND ` + broadcast + ` AND ` + outsideExclusive("f.account_id", "p.author_id") + ` ON CONFLICT DO NOTHING`, Args: []any{part}})
	}
	return asking
}

// keptByTag is the condition that an entry of a reader's home list stands there
// for a hashtag that the reader follows. It takes the reader.
const keptByTag = `EXISTS (SELECT 1 FROM posts p JOIN post_tags t ON t.post_id = p.id JOIN tag_follows f ON f.tag = t.tag AND f.account_id = ?
	WHERE p.id = home_entries.post_id AND ` + broadcast + ")"

// tagNamed returns the key of a hashtag by its name. What can be none is fault.NotFound.
func tagNamed(name string) (string, error) {
	if !text.IsTag(name) {
		return "", fault.Keyed(fault.NotFound, "tag.invalid", "This cannot be a hashtag.", nil)
	}
	return text.TagKey(name), nil
}

// TagKey returns the key of the hashtag with this name, or fault.NotFound.
func TagKey(name string) (string, error) { return tagNamed(name) }

// Featured is a hashtag on somebody's page with what they wrote of it for
// everybody.
type Featured struct {
	FeaturedTag
	Posts  int        // among the author's latest
	LastAt *time.Time // of the latest of them
}

// featuredAmong is how many of an author's latest posts are looked at for their
// hashtags.
const featuredAmong = 2000

// FeaturedBy returns the hashtags that an account shows on its page with their figures.
func FeaturedBy(tx *store.Tx, account int64) ([]Featured, error) {
	tags, err := FeaturedTagsOf(tx, account)
	if err != nil || len(tags) == 0 {
		return nil, err
	}
	used, err := tagsOfAuthor(tx, account, featuredAmong)
	if err != nil {
		return nil, err
	}
	out := make([]Featured, len(tags))
	for i, t := range tags {
		out[i] = Featured{FeaturedTag: t}
		if u := used[t.Tag]; u.posts > 0 {
			at := store.IDTime(u.last)
			out[i].Posts, out[i].LastAt = u.posts, &at
		}
	}
	return out, nil
}

// SuggestedTags returns hashtags that an author used lately and does not show
// on their page yet, the most used first.
func SuggestedTags(tx *store.Tx, account int64) ([]string, error) {
	tags, err := FeaturedTagsOf(tx, account)
	if err != nil {
		return nil, err
	}
	used, err := tagsOfAuthor(tx, account, 200)
	if err != nil {
		return nil, err
	}
	for _, t := range tags {
		delete(used, t.Tag)
	}
	names := make([]string, 0, len(used))
	for name := range used {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(used[b].posts, used[a].posts), cmp.Compare(a, b))
	})
	return names[:min(len(names), MaxFeaturedTags)], nil
}

type tagUse struct {
	posts int
	last  int64
}

// tagsOfAuthor counts the hashtags in an author's latest posts for everybody.
func tagsOfAuthor(tx *store.Tx, account int64, latest int) (map[string]tagUse, error) {
	var rows []struct {
		Tag    string
		PostID int64
	}
	err := tx.Raw(`SELECT t.tag, t.post_id FROM (SELECT id FROM posts WHERE author_id = ? AND audience = 'public' AND boost_of_id IS NULL
		AND deleted_at IS NULL ORDER BY id DESC LIMIT ?) p CROSS JOIN post_tags t WHERE t.post_id = p.id`, account, latest).Scan(&rows).Error
	used := map[string]tagUse{}
	for _, r := range rows {
		u := used[r.Tag]
		u.posts, u.last = u.posts+1, max(u.last, r.PostID)
		used[r.Tag] = u
	}
	return used, err
}

// FeatureTag shows a hashtag on me's page. Showing one twice changes nothing.
func FeatureTag(tx *store.Tx, me Account, name string) (Featured, error) {
	if !text.IsTag(name) {
		return Featured{}, fault.Invalidf("name", "This cannot be a hashtag.").WithKey("tag.invalid", nil)
	}
	tag := text.TagKey(name)
	have, err := FeaturedTagsOf(tx, me.ID)
	if err != nil {
		return Featured{}, err
	}
	if !slices.ContainsFunc(have, func(f FeaturedTag) bool { return f.Tag == tag }) {
		if len(have) >= MaxFeaturedTags {
			return Featured{}, fault.Invalidf("base", "You show 10 hashtags already. Take one of them down before.").WithKey("tag.featured_many", map[string]any{"Max": MaxFeaturedTags})
		}
		err := tx.Exec("INSERT INTO featured_tags (account_id, tag, name, id, created_at) VALUES (?, ?, ?, ?, ?)", me.ID, tag, trimTag(name), tx.NewID(), tx.Now).Error
		if err != nil {
			return Featured{}, err
		}
		tx.Announce(AccountChanged, me.ID)
	}
	all, err := FeaturedBy(tx, me.ID)
	if err != nil {
		return Featured{}, err
	}
	return all[slices.IndexFunc(all, func(f Featured) bool { return f.Tag == tag })], nil
}

func trimTag(name string) string {
	for len(name) > 0 && name[0] == '#' {
		name = name[1:]
	}
	return name
}

// UnfeatureTag takes a hashtag off me's page by its key. Where there is none it
// changes nothing.
func UnfeatureTag(tx *store.Tx, me Account, name string) error {
	tx.Announce(AccountChanged, me.ID)
	return tx.Exec("DELETE FROM featured_tags WHERE account_id = ? AND tag = ?", me.ID, text.TagKey(name)).Error
}

// UnfeatureTagByID is UnfeatureTag by the ID of what is shown. Somebody else's
// is fault.NotFound.
func UnfeatureTagByID(tx *store.Tx, me Account, id int64) error {
	res := tx.Exec("DELETE FROM featured_tags WHERE account_id = ? AND id = ?", me.ID, id)
	if res.Error == nil && res.RowsAffected == 0 {
		return fault.Keyed(fault.NotFound, "tag.not_featured", "This hashtag does not stand on your page.", nil)
	}
	tx.Announce(AccountChanged, me.ID)
	return res.Error
}
