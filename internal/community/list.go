package community

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// How many lists somebody can have, how many people one holds, and how long its
// title may be.
const (
	MaxLists       = 50
	MaxListMembers = 500
	MaxListTitle   = 256
)

// ListReplies says which replies of its people to others stand in a list.
type ListReplies string

// The replies that a list shows; those to its owner always stand in it.
const (
	RepliesFollowed ListReplies = "followed" // to anybody whom the owner follows
	RepliesList     ListReplies = "list"     // to people in the list
	RepliesNone     ListReplies = "none"
)

// Valid reports whether r is one of the three.
func (r ListReplies) Valid() bool {
	return r == RepliesFollowed || r == RepliesList || r == RepliesNone
}

// List is a choice of people whom its owner follows, whose posts the owner
// reads apart from the others'. Nobody else learns of it.
type List struct {
	ID        int64
	AccountID int64
	Title     string
	Replies   ListReplies
	Exclusive bool // what its people write does not stand at home
	CreatedAt time.Time
}

// ListForm is what its owner can say of a list.
type ListForm struct {
	Title     string
	Replies   ListReplies
	Exclusive bool
}

func (f ListForm) check() error {
	var form fault.Check
	switch n := utf8.RuneCountInString(f.Title); {
	case n == 0:
		form.Add("title", "list.title_missing", "Give the list a title.", nil)
	case n > MaxListTitle:
		form.Add("title", "list.title_long", "The title is too long: 256 characters at most.", map[string]any{"Max": MaxListTitle})
	}
	if !f.Replies.Valid() {
		form.Add("replies_policy", "list.replies_invalid", "Choose which replies stand in the list.", nil)
	}
	return form.Err()
}

func noSuchList() error {
	return fault.Keyed(fault.NotFound, "list.not_found", "There is no such list.", nil)
}

// ListsOf returns all lists of me.
func ListsOf(tx *store.Tx, me int64) ([]List, error) {
	var lists []List
	err := tx.Where("account_id = ?", me).Order("id").Limit(MaxLists).Find(&lists).Error
	return lists, err
}

// ListOf returns a list of me's. Somebody else's is fault.NotFound.
func ListOf(tx *store.Tx, me, id int64) (List, error) {
	var l List
	if err := tx.Where("id = ?", id).Limit(1).Find(&l).Error; err != nil {
		return List{}, err
	}
	if l.ID == 0 || l.AccountID != me {
		return List{}, noSuchList()
	}
	return l, nil
}

// ListsWith returns those of me's lists that an account stands in.
func ListsWith(tx *store.Tx, me, account int64) ([]List, error) {
	var lists []List
	err := tx.Where("id IN (SELECT list_id FROM list_members WHERE target_id = ? AND account_id = ?)", account, me).
		Order("id").Limit(MaxLists).Find(&lists).Error
	return lists, err
}

// ListMembers returns a page of those who stand in a list, the latest added first.
func ListMembers(tx *store.Tx, list int64, page store.Page) ([]Listed, error) {
	q := tx.Table("list_members").Select("accounts.*, list_members.id AS cursor").Joins("JOIN accounts ON accounts.id = list_members.target_id").
		Where("list_members.list_id = ? AND accounts.suspended_at IS NULL AND accounts.deleted_at IS NULL", list)
	return store.FindOn[Listed](q, page, "list_members.id")
}

// AllListMembers is ListMembers for all of them at once; they are few.
func AllListMembers(tx *store.Tx, list int64) ([]int64, error) {
	var ids []int64
	err := tx.Raw("SELECT target_id FROM list_members WHERE list_id = ? ORDER BY id DESC LIMIT ?", list, MaxListMembers).Scan(&ids).Error
	return ids, err
}

// ListTimeline returns a page of what the people in a list wrote, newest first.
// Whoever calls has made sure that the list is v's.
func ListTimeline(tx *store.Tx, v Viewer, list int64, page store.Page) ([]Post, error) {
	return pageThrough(tx, "list_entries", v, page, "list_entries.list_id = ?", list)
}

// CreateList makes an empty list.
func CreateList(tx *store.Tx, me Account, f ListForm) (List, error) {
	f.Title = strings.TrimSpace(f.Title)
	if err := f.check(); err != nil {
		return List{}, err
	}
	var have int64
	if err := tx.Raw("SELECT COUNT(*) FROM lists WHERE account_id = ?", me.ID).Scan(&have).Error; err != nil {
		return List{}, err
	}
	if have >= MaxLists {
		return List{}, fault.Invalidf("base", "You have 50 lists already. Delete one of them before.").WithKey("list.many", map[string]any{"Max": MaxLists})
	}
	l := List{ID: tx.NewID(), AccountID: me.ID, Title: f.Title, Replies: f.Replies, Exclusive: f.Exclusive, CreatedAt: tx.Now}
	return l, tx.Create(&l).Error
}

// UpdateList changes what is said of a list. Whether it is exclusive counts for
// what is at home already; which replies it shows counts from now on.
func UpdateList(tx *store.Tx, me Account, id int64, f ListForm) (List, error) {
	l, err := ListOf(tx, me.ID, id)
	if err != nil {
		return List{}, err
	}
	f.Title = strings.TrimSpace(f.Title)
	if err := f.check(); err != nil {
		return List{}, err
	}
	changed := l.Exclusive != f.Exclusive
	l.Title, l.Replies, l.Exclusive = f.Title, f.Replies, f.Exclusive
	if err := tx.Model(&l).Select("title", "replies", "exclusive").Updates(&l).Error; err != nil || !changed {
		return l, err
	}
	if err := tx.Exec("UPDATE list_members SET exclusive = ? WHERE list_id = ?", l.Exclusive, l.ID).Error; err != nil {
		return l, err
	}
	members, err := AllListMembers(tx, l.ID)
	if err != nil {
		return l, err
	}
	return l, rehome(tx, me.ID, members, l.Exclusive)
}

// rehome takes people out of a reader's home list, or brings their latest posts
// back to it.
func rehome(tx *store.Tx, reader int64, people []int64, out bool) error {
	for _, author := range people {
		if author == reader {
			continue // one's own posts stay at home
		}
		if !out {
			if err := homeFill(tx, reader, author); err != nil {
				return err
			}
			continue
		}
		err := tx.Exec("DELETE FROM home_entries WHERE account_id = ? AND post_id IN (SELECT id FROM posts WHERE author_id = ?)", reader, author).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteList deletes a list. What its people write is at home again, if it was not.
func DeleteList(tx *store.Tx, me Account, id int64) error {
	l, err := ListOf(tx, me.ID, id)
	if err != nil {
		return err
	}
	var members []int64
	if l.Exclusive {
		if members, err = AllListMembers(tx, l.ID); err != nil {
			return err
		}
	}
	for _, sql := range []string{"DELETE FROM list_entries WHERE list_id = ?", "DELETE FROM list_members WHERE list_id = ?", "DELETE FROM lists WHERE id = ?"} {
		if err := tx.Exec(sql, l.ID).Error; err != nil {
			return err
		}
	}
	return rehome(tx, me.ID, members, false)
}

// AddToList puts people into a list, with their latest posts. Only whom me
// follows, or has asked to, can stand in it, and me.
func AddToList(tx *store.Tx, me Account, id int64, people []int64) error {
	l, err := ListOf(tx, me.ID, id)
	if err != nil || len(people) == 0 {
		return err
	}
	have, err := AllListMembers(tx, l.ID)
	if err != nil {
		return err
	}
	if len(have)+len(people) > MaxListMembers {
		return fault.Invalidf("account_ids", "A list holds 500 people at most.").WithKey("list.members_many", map[string]any{"Max": MaxListMembers})
	}
	in := make(map[int64]bool, len(have))
	for _, account := range have {
		in[account] = true
	}
	relations, err := Relationship(tx, me.ID, people)
	if err != nil {
		return err
	}
	for _, r := range relations {
		switch {
		case r.AccountID != me.ID && r.Following == FollowNone:
			return fault.Keyed(fault.NotFound, "list.not_followed", "Only people whom you follow can stand in a list.", nil)
		case in[r.AccountID]:
			return fault.Invalidf("account_ids", "This account stands in the list already.").WithKey("list.member_twice", nil)
		}
		in[r.AccountID] = true
		err := tx.Exec("INSERT INTO list_members (list_id, target_id, account_id, exclusive, id) VALUES (?, ?, ?, ?, ?)",
			l.ID, r.AccountID, me.ID, l.Exclusive, tx.NewID()).Error
		if err != nil {
			return err
		}
		if r.AccountID == me.ID || r.Following == FollowAccepted {
			if err := listFill(tx, l.ID, me.ID, r.AccountID); err != nil {
				return err
			}
		}
	}
	if !l.Exclusive {
		return nil
	}
	return rehome(tx, me.ID, people, true)
}

// RemoveFromList takes people out of a list, with their posts. Whoever does not
// stand in it is passed over.
func RemoveFromList(tx *store.Tx, me Account, id int64, people []int64) error {
	l, err := ListOf(tx, me.ID, id)
	if err != nil {
		return err
	}
	var out []int64
	for _, account := range people[:min(len(people), MaxListMembers)] {
		res := tx.Exec("DELETE FROM list_members WHERE list_id = ? AND target_id = ?", l.ID, account)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			continue
		}
		out = append(out, account)
		err := tx.Exec("DELETE FROM list_entries WHERE list_id = ? AND post_id IN (SELECT id FROM posts WHERE author_id = ?)", l.ID, account).Error
		if err != nil {
			return err
		}
	}
	if !l.Exclusive {
		return nil
	}
	return rehome(tx, me.ID, out, false)
}

// unlist takes an author out of all of a reader's lists, who follows the author
// no more.
func unlist(tx *store.Tx, reader, author int64) error {
	var lists []int64
	err := tx.Raw("DELETE FROM list_members WHERE target_id = ? AND account_id = ? RETURNING list_id", author, reader).Scan(&lists).Error
	if err != nil || len(lists) == 0 {
		return err
	}
	return tx.Exec("DELETE FROM list_entries WHERE list_id IN ? AND post_id IN (SELECT id FROM posts WHERE author_id = ?)", lists, author).Error
}

// listsFill brings an author's latest posts to those of a reader's lists that
// the author stood in while the follow was only asked for.
func listsFill(tx *store.Tx, reader, author int64) error {
	var lists []int64
	if err := tx.Raw("SELECT list_id FROM list_members WHERE target_id = ? AND account_id = ?", author, reader).Scan(&lists).Error; err != nil {
		return err
	}
	for _, list := range lists {
		if err := listFill(tx, list, reader, author); err != nil {
			return err
		}
	}
	return nil
}

// listFill is homeFill for a list.
func listFill(tx *store.Tx, list, reader, author int64) error {
	visible, args := visibleSQL("posts", Viewer{ID: reader, Local: true})
	return tx.Exec(`INSERT INTO list_entries (list_id, post_id)
		SELECT ?, posts.id FROM posts WHERE posts.author_id = ? AND (posts.in_reply_to_uri = '' OR posts.in_reply_to_author = posts.author_id)
		AND `+visible+` ORDER BY posts.id DESC LIMIT ? ON CONFLICT DO NOTHING`,
		append(append([]any{list, author}, args...), homeFilled)...).Error
}

// outsideExclusive is the condition that an author stands in no exclusive list
// of a reader; both are columns.
func outsideExclusive(reader, author string) string {
	return "NOT EXISTS (SELECT 1 FROM list_members apart WHERE apart.account_id = " + reader + " AND apart.target_id = " + author + " AND apart.exclusive)"
}

// bringToLists is bringHome for the lists that the authors of posts stand in.
// Posts that nobody hears of are not among these.
func bringToLists(posts []int64) store.Question {
	return store.Question{SQL: `INSERT INTO list_entries (list_id, post_id)
		SELECT m.list_id, p.id FROM posts p JOIN list_members m ON m.target_id = p.author_id JOIN lists l ON l.id = m.list_id
		WHERE p.id IN ?
		AND (m.account_id = p.author_id OR EXISTS (
			SELECT 1 FROM follows f WHERE f.follower_id = m.account_id AND f.target_id = p.author_id AND f.state = 'accepted'
			AND ` + wanted("f", "p") + `))
		AND (p.in_reply_to_author IS NULL OR p.in_reply_to_author = p.author_id OR p.in_reply_to_author = m.account_id
			OR l.replies = 'followed' AND EXISTS (SELECT 1 FROM follows g WHERE g.follower_id = m.account_id AND g.target_id = p.in_reply_to_author AND g.state = 'accepted')
			OR l.replies = 'list' AND EXISTS (SELECT 1 FROM list_members o WHERE o.list_id = m.list_id AND o.target_id = p.in_reply_to_author))
		AND (p.audience <> ? OR m.account_id = p.author_id OR EXISTS (SELECT 1 FROM post_mentions n WHERE n.post_id = p.id AND n.account_id = m.account_id))
		ON CONFLICT DO NOTHING`, Args: []any{posts, People}}
}
