package community

import (
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// Reaction is a like or a bookmark as a list shows it: ID is its place in the
// list, for paging.
type Reaction struct {
	ID        int64
	AccountID int64
	PostID    int64
	CreatedAt time.Time
}

// original returns the post that v means: the boosted one, where it is a boost.
func original(tx *store.Tx, id int64, me Account) (Post, error) {
	v, err := ViewerOf(tx, me.ID)
	if err != nil {
		return Post{}, err
	}
	p, err := VisiblePost(tx, id, v)
	if err != nil || p.BoostOfID == nil {
		return p, err
	}
	return VisiblePost(tx, *p.BoostOfID, v)
}

// Like thanks the author quietly. Liking twice changes nothing.
func Like(tx *store.Tx, me Account, post int64) (Post, error) {
	p, err := original(tx, post, me)
	if err != nil {
		return Post{}, err
	}
	if err := answerable(tx, p.AuthorHost); err != nil {
		return Post{}, err
	}
	id, fresh, err := like(tx, me, p, Given{})
	if err != nil || !fresh {
		return p, err
	}
	p.LikesCount++
	if p.Local() {
		return p, nil
	}
	return p, enqueue(tx, Outgoing{Verb: VerbLike, ActorID: me.ID, PostID: &p.ID, AccountID: &p.AuthorID, Audience: p.Audience, Facts: Facts{ReactionID: id}})
}

// Given is how another server's like was given. One with an emoji is what
// others call a reaction; here it is the same thanks, with a picture.
type Given struct {
	URI      string
	Emoji    string // the emoji itself, or :name: of one of its server's own
	EmojiURL string // the picture of the latter
}

// like stores a like, once, and returns its ID.
func like(tx *store.Tx, from Account, p Post, given Given) (id int64, fresh bool, err error) {
	id = tx.NewID()
	res := tx.Exec("INSERT INTO likes (account_id, post_id, id, uri, emoji, emoji_url, created_at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		from.ID, p.ID, id, given.URI, given.Emoji, given.EmojiURL, tx.Now)
	if res.Error != nil || res.RowsAffected == 0 {
		return 0, false, res.Error
	}
	if err := tx.Exec("UPDATE posts SET likes_count = likes_count + 1 WHERE id = ?", p.ID).Error; err != nil {
		return 0, false, err
	}
	tx.Announce(PostReacted, p.ID)
	if !p.Local() || p.AuthorID == from.ID {
		return id, true, nil
	}
	return id, true, notify(tx, p.AuthorID, NotifyLike, from.ID, p.ID)
}

// Unlike takes a like back. Where there is none it changes nothing. What can
// be seen no longer can still be unliked.
func Unlike(tx *store.Tx, me Account, post int64) (Post, error) {
	p, err := PostByID(tx, post)
	if err == nil && p.BoostOfID != nil {
		p, err = PostByID(tx, *p.BoostOfID)
	}
	if err != nil {
		return Post{}, err
	}
	id, err := unlike(tx, me, p)
	if err != nil || id == 0 {
		if err == nil {
			p, err = original(tx, post, me) // no like: only who sees it learns of it
		}
		return p, err
	}
	p.LikesCount = max(0, p.LikesCount-1)
	if p.Local() {
		return p, nil
	}
	return p, enqueue(tx, Outgoing{Verb: VerbUndoLike, ActorID: me.ID, PostID: &p.ID, AccountID: &p.AuthorID, Audience: p.Audience, Facts: Facts{ReactionID: id}})
}

// unlike takes out the like of the pair and returns its ID, or 0.
func unlike(tx *store.Tx, from Account, p Post) (int64, error) {
	var ids []int64
	if err := tx.Raw("DELETE FROM likes WHERE account_id = ? AND post_id = ? RETURNING id", from.ID, p.ID).Scan(&ids).Error; err != nil || len(ids) == 0 {
		return 0, err
	}
	if err := tx.Exec("UPDATE posts SET likes_count = likes_count - 1 WHERE id = ? AND likes_count > 0", p.ID).Error; err != nil {
		return 0, err
	}
	tx.Announce(PostReacted, p.ID)
	return ids[0], tx.Exec("DELETE FROM notifications WHERE post_id = ? AND from_id = ? AND kind = ?", p.ID, from.ID, NotifyLike).Error
}

// BoostPost passes on a public post: the followers of me find it at home. Boosting
// twice changes nothing; the boost that is there is returned.
func BoostPost(tx *store.Tx, me Account, post int64) (Post, error) {
	if err := stays(me); err != nil {
		return Post{}, err
	}
	p, err := original(tx, post, me)
	if err != nil {
		return Post{}, err
	}
	if err := answerable(tx, p.AuthorHost); err != nil {
		return Post{}, err
	}
	role, err := roleOf(tx, me.ID)
	switch {
	case err != nil:
		return Post{}, err
	case p.Audience != Public:
		return Post{}, fault.Keyed(fault.Forbidden, "boost.not_public", "Only public posts can be passed on. This one is not for everybody.", nil)
	case !Public.Within(role.Ceiling()):
		return Post{}, fault.Keyed(fault.Forbidden, "boost.ceiling", "Your role here does not allow public posts, so you cannot pass posts on.", nil)
	}
	b, fresh, err := boost(tx, me, p, Post{ID: tx.NewID(), CreatedAt: tx.Now})
	if err != nil || !fresh {
		return b, err
	}
	return b, enqueue(tx, Outgoing{Verb: VerbAnnounce, ActorID: me.ID, PostID: &p.ID, AccountID: &p.AuthorID, Audience: Public, Facts: Facts{ReactionID: b.ID}})
}

// boost stores a boost of p, once. b brings its ID, URI and time.
func boost(tx *store.Tx, from Account, p, b Post) (Post, bool, error) {
	if known, err := boostBy(tx, from.ID, p.ID); err == nil || !fault.Is(err, fault.NotFound) {
		return known, false, err
	}
	b.AuthorID, b.AuthorHost, b.Kind, b.Audience, b.BoostOfID = from.ID, from.Host, Boost, Public, &p.ID
	b, fresh, err := land(tx, landing{post: b, author: from, boosted: &p})
	if err != nil || !fresh {
		return b, false, err
	}
	tx.Announce(PostReacted, p.ID)
	return b, true, tx.Exec("UPDATE posts SET boosts_count = boosts_count + 1 WHERE id = ?", p.ID).Error
}

// boostBy returns the boost of a post by an account, or fault.NotFound.
func boostBy(tx *store.Tx, account, post int64) (Post, error) {
	var b Post
	err := tx.Where("boost_of_id = ? AND author_id = ? AND deleted_at IS NULL", post, account).Take(&b).Error
	return b, err
}

// UnboostPost ends the boost of a post by me. Where there is none it changes nothing.
func UnboostPost(tx *store.Tx, me Account, post int64) (Post, error) {
	p, err := PostByID(tx, post)
	if err == nil && p.BoostOfID != nil {
		p, err = PostByID(tx, *p.BoostOfID)
	}
	if err != nil {
		return Post{}, err
	}
	b, err := boostBy(tx, me.ID, p.ID)
	if fault.Is(err, fault.NotFound) {
		return original(tx, post, me)
	}
	if err != nil {
		return Post{}, err
	}
	p.BoostsCount = max(0, p.BoostsCount-1)
	return p, dropBoost(tx, b)
}

// dropBoost takes out a local boost and tells those who heard of it.
func dropBoost(tx *store.Tx, b Post) error {
	if err := wipe(tx, b); err != nil {
		return err
	}
	if err := forgetBoost(tx, b); err != nil {
		return err
	}
	p, err := PostByID(tx, *b.BoostOfID)
	if err != nil {
		return err
	}
	return enqueue(tx, Outgoing{Verb: VerbUndoAnnounce, ActorID: b.AuthorID, PostID: &p.ID, AccountID: &p.AuthorID, Audience: Public, Facts: Facts{ReactionID: b.ID}})
}

// forgetBoost takes out the notification of a boost, which is about the boosted post.
func forgetBoost(tx *store.Tx, b Post) error {
	return tx.Exec("DELETE FROM notifications WHERE post_id = ? AND from_id = ? AND kind = ?", *b.BoostOfID, b.AuthorID, NotifyBoost).Error
}

// Bookmark keeps a post for later. Nobody hears of it.
func Bookmark(tx *store.Tx, me Account, post int64) (Post, error) {
	p, err := original(tx, post, me)
	if err != nil {
		return Post{}, err
	}
	return p, tx.Exec("INSERT INTO bookmarks (account_id, post_id, id, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
		me.ID, p.ID, tx.NewID(), tx.Now).Error
}

// Unbookmark forgets a bookmark.
func Unbookmark(tx *store.Tx, me Account, post int64) (Post, error) {
	p, err := original(tx, post, me)
	if err != nil {
		return Post{}, err
	}
	return p, tx.Exec("DELETE FROM bookmarks WHERE account_id = ? AND post_id = ?", me.ID, p.ID).Error
}

// AcceptAnswer marks a reply as the answer of the question, for the asker
// only. The same reply again takes the mark away.
func AcceptAnswer(tx *store.Tx, asker Account, question, reply int64) (Post, error) {
	v, err := ViewerOf(tx, asker.ID)
	if err != nil {
		return Post{}, err
	}
	q, err := VisiblePost(tx, question, v)
	if err != nil {
		return Post{}, err
	}
	r, err := VisiblePost(tx, reply, v)
	switch {
	case err != nil:
		return Post{}, err
	case q.Kind != Question || q.AuthorID != asker.ID || !q.Local():
		return Post{}, fault.Keyed(fault.Forbidden, "answer.not_asker", "Only whoever asked the question can choose its answer.", nil)
	case r.ThreadID != q.ThreadID || r.ID == q.ID || r.Kind == Boost:
		return Post{}, fault.Keyed(fault.Invalid, "answer.elsewhere", "Choose one of the replies to this question.", nil)
	}
	chosen := &r.ID
	if sameID(chosen, q.AcceptedAnswerID) {
		chosen = nil
	}
	q.AcceptedAnswerID = chosen
	if err := tx.Exec("UPDATE posts SET accepted_answer_id = ? WHERE id = ?", chosen, q.ID).Error; err != nil {
		return Post{}, err
	}
	tx.Announce(PostReacted, q.ID)
	if chosen != nil && r.Local() && r.AuthorID != asker.ID {
		if err := notify(tx, r.AuthorID, NotifyAnswer, asker.ID, r.ID); err != nil {
			return Post{}, err
		}
	}
	if !q.Audience.Travels() {
		return q, nil
	}
	return q, enqueue(tx, Outgoing{Verb: VerbUpdate, ActorID: asker.ID, PostID: &q.ID, Audience: q.Audience})
}

// ReceiveLike stores a like of one of the posts known here. It reports whether
// it is new.
func ReceiveLike(tx *store.Tx, from Account, p Post, given Given) (bool, error) {
	if p.DeletedAt != nil || p.Kind == Boost || from.Local() || from.Gone() || !p.Audience.Travels() {
		return false, noSuchPost()
	}
	blocked, err := blockedEither(tx, from.ID, p.AuthorID)
	if err != nil || blocked {
		return false, err
	}
	_, fresh, err := like(tx, from, p, given)
	return fresh, err
}

// ReceiveUnlike takes a like back. It reports whether there was one.
func ReceiveUnlike(tx *store.Tx, from Account, p Post) (bool, error) {
	id, err := unlike(tx, from, p)
	return id != 0, err
}

// ReceiveUnreact takes back the reaction with an address; any other that the
// account gave stays. It reports whether there was one.
func ReceiveUnreact(tx *store.Tx, from Account, p Post, uri string) (bool, error) {
	var given bool
	err := tx.Raw("SELECT EXISTS (SELECT 1 FROM likes WHERE account_id = ? AND post_id = ? AND uri = ?)", from.ID, p.ID, uri).Scan(&given).Error
	if err != nil || !given {
		return false, err
	}
	return ReceiveUnlike(tx, from, p)
}

// Picture is the emoji that was given where it is one of its server's own, which
// is shown as a picture.
func (g Given) Picture() (Emoji, bool) {
	e := Emoji{Name: strings.Trim(g.Emoji, ":"), URL: g.EmojiURL}
	return e, e.URL != "" && e.Name != ""
}

// EmojiOf returns the emoji that people gave with their likes of posts, by post
// and account. Who gave none is not in it.
func EmojiOf(tx *store.Tx, posts, accounts []int64) (map[[2]int64]Given, error) {
	if len(posts) == 0 || len(accounts) == 0 {
		return nil, nil
	}
	var rows []struct {
		PostID, AccountID int64
		Given
	}
	err := tx.Raw("SELECT post_id, account_id, uri, emoji, emoji_url FROM likes WHERE post_id IN ? AND account_id IN ? AND emoji <> ''",
		store.Even(posts), store.Even(accounts)).Scan(&rows).Error
	given := make(map[[2]int64]Given, len(rows))
	for _, r := range rows {
		given[[2]int64{r.PostID, r.AccountID}] = r.Given
	}
	return given, err
}

// RemoteBoost is another server's Announce of a post that is known here.
type RemoteBoost struct {
	From      Account
	Post      Post
	URI       string // the Announce's own
	Published time.Time
}

// ReceiveBoost stores a boost of a post that is known here. It reports whether
// it is new. What is not public is boosted by nobody.
func ReceiveBoost(tx *store.Tx, r RemoteBoost) (Post, bool, error) {
	switch {
	case r.From.Local() || r.From.URI == nil || !iri.SameOrigin(r.URI, *r.From.URI):
		return Post{}, false, fault.New(fault.Forbidden, "A boost must come from its author's server.")
	case r.Post.DeletedAt != nil || r.Post.Kind == Boost || r.Post.Audience != Public || r.From.Gone():
		return Post{}, false, noSuchPost()
	}
	blocked, err := blockedEither(tx, r.From.ID, r.Post.AuthorID)
	if err != nil || blocked {
		return Post{}, false, err
	}
	published := store.Millis(r.Published)
	if published.IsZero() || published.After(tx.Now) {
		published = tx.Now
	}
	return boost(tx, r.From, r.Post, Post{ID: tx.NewIDAt(published), URI: &r.URI, CreatedAt: published})
}

// ReceiveUnboost ends a boost. It reports whether there was one.
func ReceiveUnboost(tx *store.Tx, from Account, p Post) (bool, error) {
	b, err := boostBy(tx, from.ID, p.ID)
	if fault.Is(err, fault.NotFound) || err == nil && b.Local() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := wipe(tx, b); err != nil {
		return false, err
	}
	return true, forgetBoost(tx, b)
}

// blockedEither reports whether one of the two accounts blocks the other.
func blockedEither(tx *store.Tx, a, b int64) (bool, error) {
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM blocks WHERE account_id = ? AND target_id = ? OR account_id = ? AND target_id = ?", a, b, b, a).Scan(&n).Error
	return n > 0, err
}

// Bookmarks returns a page of the posts that v keeps, and the place of each in
// the list, for paging.
func Bookmarks(tx *store.Tx, v Viewer, page store.Page) ([]Post, []int64, error) {
	return reactedTo(tx, "bookmarks", v, page)
}

// Liked returns a page of the posts that v likes, and the place of each in the
// list, for paging.
func Liked(tx *store.Tx, v Viewer, page store.Page) ([]Post, []int64, error) {
	return reactedTo(tx, "likes", v, page)
}

func reactedTo(tx *store.Tx, table string, v Viewer, page store.Page) ([]Post, []int64, error) {
	var marks []Reaction
	q := tx.Table(table).Select(table+".id", table+".post_id").Joins("JOIN posts ON posts.id = "+table+".post_id").
		Where(table+".account_id = ?", v.ID).Scopes(visibleTo(v))
	if table == "likes" {
		q = q.Where("likes.uri = ''") // all that somebody here gave; the index of them is asked for by it
	}
	marks, err := store.FindOn[Reaction](q, page, table+".id")
	if err != nil {
		return nil, nil, err
	}
	ids, places := make([]int64, len(marks)), make([]int64, len(marks))
	for i, m := range marks {
		ids[i], places[i] = m.PostID, m.ID
	}
	posts, err := postsInOrder(tx, ids)
	return posts, places, err
}

// LikedBy returns a page of those who like a post, for those who may see it.
func LikedBy(tx *store.Tx, post int64, page store.Page) ([]Reaction, error) {
	return store.FindOn[Reaction](tx.Table("likes").Where("post_id = ?", post), page, "id")
}

// BoostsOf returns a page of the boosts of a post.
func BoostsOf(tx *store.Tx, post int64, page store.Page) ([]Post, error) {
	return store.Find[Post](tx.Where("boost_of_id = ? AND deleted_at IS NULL", post), page)
}

// postsInOrder returns posts by ID in the order asked for.
func postsInOrder(tx *store.Tx, ids []int64) ([]Post, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var found []Post
	if err := tx.Where("id IN ?", ids).Find(&found).Error; err != nil {
		return nil, err
	}
	byID := make(map[int64]Post, len(found))
	for _, p := range found {
		byID[p.ID] = p
	}
	posts := make([]Post, 0, len(ids))
	for _, id := range ids {
		if p, ok := byID[id]; ok {
			posts = append(posts, p)
		}
	}
	return posts, nil
}
