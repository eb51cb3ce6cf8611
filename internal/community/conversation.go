package community

import (
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// Talk is what a few people wrote to each other and to nobody else, as one of
// them has it: the posts of one thread that are for the same people. Clients
// call it a conversation.
type Talk struct {
	ID         int64
	AccountID  int64 // who has it
	ThreadID   int64
	People     string // the others who take part: their numbers, in order
	LastPostID int64
	Unread     bool
}

// TableName names the table of talks.
func (Talk) TableName() string { return "conversations" }

// Others returns the accounts that take part, without whose talk it is.
func (t Talk) Others() []int64 {
	var ids []int64
	for _, s := range strings.Split(t.People, ",") {
		if id, err := strconv.ParseInt(s, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// direct reports whether the post is for chosen people, or for its author alone.
func (p Post) direct() bool { return p.Audience == Me || p.Audience == People }

// mostInTalk bounds how many people a talk is told apart by.
const mostInTalk = 2 * MaxMentions

// othersOf is the people of a talk without one of them.
func othersOf(people []int64, reader int64) string {
	others := make([]string, 0, len(people))
	for _, id := range people {
		if id != reader && len(others) < mostInTalk {
			others = append(others, strconv.FormatInt(id, 10))
		}
	}
	return strings.Join(others, ",")
}

// converse puts a post for chosen people into the talks of those of them who
// are here, and returns these. What it costs follows the number of people, not
// of posts.
func converse(tx *store.Tx, p Post) (talks []int64, err error) {
	if !p.direct() {
		return nil, nil
	}
	var rows []struct {
		ID   int64
		Here bool
	}
	// Who is blocked, or blocks, has no talk with the author, nor who shut their server out.
	err = tx.Raw(`SELECT a.id, a.host = '' AND NOT EXISTS (SELECT 1 FROM blocks WHERE account_id = a.id AND target_id = ?)
			AND NOT EXISTS (SELECT 1 FROM blocks WHERE account_id = ? AND target_id = a.id)
			AND (? = '' OR NOT EXISTS (SELECT 1 FROM host_blocks WHERE account_id = a.id AND host = ?)) AS here
		FROM accounts a WHERE a.deleted_at IS NULL AND a.id IN (SELECT account_id FROM post_mentions WHERE post_id = ? UNION ALL SELECT ?) ORDER BY a.id`,
		p.AuthorID, p.AuthorID, p.AuthorHost, p.AuthorHost, p.ID, p.AuthorID).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	people := make([]int64, len(rows))
	for i, r := range rows {
		people[i] = r.ID
	}
	for _, r := range rows {
		if !r.Here {
			continue
		}
		var id int64
		err := tx.Raw(`INSERT INTO conversations (id, account_id, thread_id, people, last_post_id, unread) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (account_id, thread_id, people) DO UPDATE SET
				unread = CASE WHEN excluded.last_post_id > conversations.last_post_id THEN excluded.unread ELSE conversations.unread END,
				last_post_id = CASE WHEN excluded.last_post_id > conversations.last_post_id THEN excluded.last_post_id ELSE conversations.last_post_id END
			RETURNING id`, tx.NewID(), r.ID, p.ThreadID, othersOf(people, r.ID), p.ID, r.ID != p.AuthorID).Scan(&id).Error
		if err != nil {
			return nil, err
		}
		err = tx.Exec(`INSERT INTO conversation_posts (account_id, post_id, conversation_id) VALUES (?, ?, ?)
			ON CONFLICT (account_id, post_id) DO UPDATE SET conversation_id = excluded.conversation_id`, r.ID, p.ID, id).Error
		if err != nil {
			return nil, err
		}
		talks = append(talks, id)
		tx.Announce(ConversationChanged, id)
	}
	return talks, nil
}

// reconverse puts a post that was edited into the talks of those whom it is for
// now, and takes it out of the others.
func reconverse(tx *store.Tx, before, p Post) error {
	if !before.direct() && !p.direct() {
		return nil
	}
	var had []int64
	if err := tx.Raw("SELECT conversation_id FROM conversation_posts WHERE post_id = ?", p.ID).Scan(&had).Error; err != nil {
		return err
	}
	now, err := converse(tx, p)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(had, func(id int64) bool { return slices.Contains(now, id) })
	if len(left) == 0 {
		return nil
	}
	if err := tx.Exec("DELETE FROM conversation_posts WHERE post_id = ? AND conversation_id IN ?", p.ID, left).Error; err != nil {
		return err
	}
	return tidyTalks(tx, left)
}

// deconverse takes a post out of all talks.
func deconverse(tx *store.Tx, p Post) error {
	if !p.direct() {
		return nil
	}
	var talks []int64
	if err := tx.Raw("DELETE FROM conversation_posts WHERE post_id = ? RETURNING conversation_id", p.ID).Scan(&talks).Error; err != nil || len(talks) == 0 {
		return err
	}
	return tidyTalks(tx, talks)
}

// tidyTalks finds the last post of talks that lost one. A talk without any is gone.
func tidyTalks(tx *store.Tx, talks []int64) error {
	err := tx.Exec(`DELETE FROM conversations WHERE id IN ? AND NOT EXISTS
		(SELECT 1 FROM conversation_posts WHERE conversation_posts.conversation_id = conversations.id)`, talks).Error
	if err != nil {
		return err
	}
	return tx.Exec(`UPDATE conversations SET last_post_id = (SELECT MAX(post_id) FROM conversation_posts WHERE conversation_posts.conversation_id = conversations.id)
		WHERE id IN ?`, talks).Error
}

// joinThreads moves what is kept by thread when threads turn out to be parts of
// another: the post that they answer has come.
func joinThreads(tx *store.Tx, parts []int64, into int64) error {
	for _, thread := range parts {
		var kept bool
		err := tx.Raw("SELECT EXISTS (SELECT 1 FROM thread_mutes WHERE thread_id = ?) OR EXISTS (SELECT 1 FROM conversations WHERE thread_id = ?)", thread, thread).Scan(&kept).Error
		if err != nil {
			return err
		}
		if !kept {
			continue
		}
		const twin = "SELECT o.id FROM conversations o WHERE o.account_id = conversations.account_id AND o.people = conversations.people AND o.thread_id = @into"
		for _, step := range []string{
			"INSERT INTO thread_mutes (account_id, thread_id, created_at) SELECT account_id, @into, created_at FROM thread_mutes WHERE thread_id = @part ON CONFLICT DO NOTHING",
			"DELETE FROM thread_mutes WHERE thread_id = @part",
			"UPDATE conversations SET thread_id = @into WHERE thread_id = @part AND NOT EXISTS (" + twin + ")",
			`UPDATE conversation_posts SET conversation_id = (SELECT o.id FROM conversations c JOIN conversations o ON o.account_id = c.account_id AND o.people = c.people
				WHERE c.id = conversation_posts.conversation_id AND o.thread_id = @into)
				WHERE conversation_id IN (SELECT id FROM conversations WHERE thread_id = @part)`,
			"DELETE FROM conversations WHERE thread_id = @part",
			`UPDATE conversations SET last_post_id = (SELECT MAX(post_id) FROM conversation_posts WHERE conversation_posts.conversation_id = conversations.id)
				WHERE thread_id = @into AND EXISTS (SELECT 1 FROM conversation_posts WHERE conversation_posts.conversation_id = conversations.id)`,
		} {
			if err := tx.Exec(step, sql.Named("part", thread), sql.Named("into", into)).Error; err != nil {
				return err
			}
		}
	}
	return nil
}

// Talks returns a page of v's talks, the one with the latest post first; the
// page goes by the number of that post. Those whose last post v may not see,
// such as of somebody who is blocked by now, are left out.
func Talks(tx *store.Tx, v Viewer, page store.Page) ([]Talk, error) {
	return store.FindOn[Talk](tx.Model(&Talk{}).Scopes(talksOf(v)), page, "conversations.last_post_id")
}

// TalkByID returns a talk of v's, or fault.NotFound.
func TalkByID(tx *store.Tx, v Viewer, id int64) (Talk, error) {
	var t Talk
	err := tx.Scopes(talksOf(v)).Where("conversations.id = ?", id).Take(&t).Error
	return t, err
}

func talksOf(v Viewer) func(*gorm.DB) *gorm.DB {
	visible, args := visibleSQL("posts", v)
	return func(q *gorm.DB) *gorm.DB {
		return q.Where("conversations.account_id = ?", v.ID).
			Where("EXISTS (SELECT 1 FROM posts WHERE posts.id = conversations.last_post_id AND "+visible+")", args...)
	}
}

// MarkTalk says whether v has read all of a talk.
func MarkTalk(tx *store.Tx, v Viewer, id int64, unread bool) (Talk, error) {
	t, err := TalkByID(tx, v, id)
	if err != nil || t.Unread == unread {
		return t, err
	}
	t.Unread = unread
	tx.Announce(ConversationChanged, t.ID)
	return t, tx.Exec("UPDATE conversations SET unread = ? WHERE id = ?", unread, t.ID).Error
}

// DropTalk takes a talk out of me's list. The posts stay; a new one brings it back.
func DropTalk(tx *store.Tx, me, id int64) error {
	res := tx.Exec("DELETE FROM conversations WHERE id = ? AND account_id = ?", id, me)
	if res.Error == nil && res.RowsAffected == 0 {
		return fault.New(fault.NotFound, "There is no such conversation.")
	}
	return res.Error
}

// DirectTimeline returns a page of what v wrote to chosen people or was written
// by them, newest first.
func DirectTimeline(tx *store.Tx, v Viewer, page store.Page) ([]Post, error) {
	return pageThrough(tx, "conversation_posts", v, page, "conversation_posts.account_id = ?", v.ID)
}
