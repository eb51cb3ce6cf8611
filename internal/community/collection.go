package community

import (
	"github.com/chalkring/chalkring/internal/store"
	"gorm.io/gorm"
)

// MostCounted is how many posts are counted for somebody; of more than that it
// is not said how many they are.
const MostCounted = 2000

// Told is a list of posts as another server is told it: a page of it, and how
// many posts of it the asker may see.
type Told struct {
	Posts []Post // newest first
	More  bool   // there are more in the direction of the page
}

// told returns a page of a list of posts as far as v may see them. What
// somebody blocked by the list's owner wrote does not stand in it.
func told(tx *store.Tx, v Viewer, owner int64, list func(*gorm.DB) *gorm.DB, page store.Page) (Told, error) {
	page.Limit = page.Size() + 1
	posts, err := store.Find[Post](tx.Model(&Post{}).Scopes(list, visibleTo(v), unblockedBy(owner)), page)
	t := Told{Posts: posts}
	if len(posts) == page.Limit {
		t.More = true
		if page.MinID > 0 { // the nearest above came lowest first, and were turned round
			t.Posts = posts[1:]
		} else {
			t.Posts = posts[:len(posts)-1]
		}
	}
	return t, err
}

// countTold counts a list of posts as far as v may see them, up to one more
// than MostCounted.
func countTold(tx *store.Tx, v Viewer, owner int64, list func(*gorm.DB) *gorm.DB) (int, error) {
	var n int64
	seen := tx.Model(&Post{}).Select("1 AS one").Scopes(list, visibleTo(v), unblockedBy(owner)).Limit(MostCounted + 1)
	err := tx.Table("(?) AS seen", seen).Count(&n).Error
	return int(n), err
}

func unblockedBy(owner int64) func(*gorm.DB) *gorm.DB {
	return func(q *gorm.DB) *gorm.DB {
		return q.Where("NOT EXISTS (SELECT 1 FROM blocks owners WHERE owners.account_id = ? AND owners.target_id = posts.author_id)", owner)
	}
}

func byAuthor(account int64) func(*gorm.DB) *gorm.DB {
	return func(q *gorm.DB) *gorm.DB { return q.Where("posts.author_id = ?", account) }
}

func answering(post int64) func(*gorm.DB) *gorm.DB {
	return func(q *gorm.DB) *gorm.DB { return q.Where("posts.in_reply_to_id = ?", post) }
}

func inThread(root int64) func(*gorm.DB) *gorm.DB {
	return func(q *gorm.DB) *gorm.DB {
		return q.Where("posts.thread_id = ?", root).Where("posts.boost_of_id IS NULL")
	}
}

// OutboxOf returns a page of what an account published and passed on.
func OutboxOf(tx *store.Tx, v Viewer, account int64, page store.Page) (Told, error) {
	return told(tx, v, account, byAuthor(account), page)
}

// CountOutbox counts what OutboxOf lists.
func CountOutbox(tx *store.Tx, v Viewer, account int64) (int, error) {
	return countTold(tx, v, account, byAuthor(account))
}

// AnswersTo returns a page of the direct replies to a post.
func AnswersTo(tx *store.Tx, v Viewer, p Post, page store.Page) (Told, error) {
	return told(tx, v, p.AuthorID, answering(p.ID), page)
}

// CountAnswers counts what AnswersTo lists.
func CountAnswers(tx *store.Tx, v Viewer, p Post) (int, error) {
	return countTold(tx, v, p.AuthorID, answering(p.ID))
}

// Conversation returns a page of the posts of the thread that p opens, itself
// included.
func Conversation(tx *store.Tx, v Viewer, p Post, page store.Page) (Told, error) {
	return told(tx, v, p.AuthorID, inThread(p.ID), page)
}

// CountConversation counts what Conversation lists.
func CountConversation(tx *store.Tx, v Viewer, p Post) (int, error) {
	return countTold(tx, v, p.AuthorID, inThread(p.ID))
}

// FeaturedTag is a hashtag that somebody shows on their page.
type FeaturedTag struct {
	AccountID int64
	Tag       string // its key
	Name      string // as written
	ID        int64
}

// TableName names the table of featured hashtags.
func (FeaturedTag) TableName() string { return "featured_tags" }

// FeaturedTagsOf returns the hashtags that an account shows on its page.
func FeaturedTagsOf(tx *store.Tx, account int64) ([]FeaturedTag, error) {
	var tags []FeaturedTag
	err := tx.Where("account_id = ?", account).Order("tag").Limit(maxRemotePins).Find(&tags).Error
	return tags, err
}

// Apart reports whether either of two accounts blocks the other.
func Apart(tx *store.Tx, a, b int64) (bool, error) {
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM blocks WHERE account_id = ? AND target_id = ? OR account_id = ? AND target_id = ?", a, b, b, a).Scan(&n).Error
	return n > 0, err
}
