package community

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/store"
)

// groupSpan is over how many hours notifications that are alike are one group.
// Mastodon has the same span.
const groupSpan = 12

// groups reports whether notifications of this kind are told of together:
// "ana and 4 others".
func (k NotificationKind) groups() bool {
	return k == NotifyLike || k == NotifyBoost || k == NotifyFollow
}

// groupSQL is the group_key of a new notification as SQL: what it is about and
// the hour in which the group began. The group is kept with the row, so that
// paging compares keys and never counts hours. The key is to be taken as a
// whole by readers, and looks as Mastodon's does.
func groupSQL(kind NotificationKind, post int64, now time.Time, args map[string]any) string {
	if !kind.groups() {
		return "''"
	}
	about := map[NotificationKind]string{NotifyLike: "favourite-", NotifyBoost: "reblog-", NotifyFollow: "follow-"}[kind]
	if post != 0 {
		about += strconv.FormatInt(post, 10) + "-"
	}
	hour := now.Unix() / 3600
	args["group"], args["older"] = fmt.Sprintf("%s%07d", about, hour), fmt.Sprintf("%s%07d", about, hour-groupSpan)
	return `COALESCE((SELECT MAX(g.group_key) FROM notifications g WHERE g.account_id = @to AND g.group_key <> ''
		AND g.group_key > @older AND g.group_key < @group), @group)`
}

// ungrouped is what the key of a notification that stands alone begins with.
const ungrouped = "ungrouped-"

// Key is how the group of a notification is called: its own, if it stands alone.
func (n Notification) Key() string {
	if n.GroupKey != "" {
		return n.GroupKey
	}
	return ungrouped + strconv.FormatInt(n.ID, 10)
}

// NotificationGroup is some notifications that are alike: those of one group
// up to the newest one on a page.
type NotificationGroup struct {
	Notification         // the newest of them
	Key          string  // what they have in common
	Count        int     // how many there are
	From         []int64 // the latest few people, the newest first
	Oldest       int64   // the first of them on the page
}

// groupSample is how many people a group names.
const groupSample = 8

// NotificationGroups returns a page of what me was told, with those together
// that are alike and whose kind is among grouped. A group stands where its
// newest notification on the page stands; what is left of it comes again on
// the next page, under the same key, as Mastodon has it.
func NotificationGroups(tx *store.Tx, me int64, f NotificationFilter, grouped []NotificationKind, page store.Page) ([]NotificationGroup, error) {
	q := tx.Model(&Notification{}).Scopes(notificationsFor(me, tx.Now), f.scope)
	if len(grouped) > 0 {
		q = q.Scopes(firstOfGroup(me, tx.Now, f, grouped, page))
	}
	list, err := store.Find[Notification](q, page)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if page.MinID > 0 { // from below, the first of each group was found: they stand by their newest
		page.MaxID = 0
	}
	return groupsOf(tx, me, f, grouped, list, page)
}

// firstOfGroup leaves of each group on a page the notification that is met
// first on the way through it.
func firstOfGroup(me int64, now time.Time, f NotificationFilter, grouped []NotificationKind, page store.Page) func(*gorm.DB) *gorm.DB {
	heard, args := heardSQL("other", me, now)
	alike := `SELECT 1 FROM notifications other WHERE other.account_id = notifications.account_id AND other.group_key = notifications.group_key
		AND other.group_key <> '' AND other.kind = notifications.kind`
	var edge []any
	if page.MinID > 0 {
		alike += " AND other.id < notifications.id AND other.id > ?"
		edge = append(edge, page.MinID)
	} else {
		alike += " AND other.id > notifications.id"
		if page.MaxID > 0 {
			alike += " AND other.id < ?"
			edge = append(edge, page.MaxID)
		}
	}
	if f.From != 0 {
		alike += " AND other.from_id = ?"
		edge = append(edge, f.From)
	}
	all := append([]any{grouped}, edge...)
	return func(q *gorm.DB) *gorm.DB {
		return q.Where("(notifications.group_key = '' OR notifications.kind NOT IN ? OR NOT EXISTS ("+alike+" AND "+heard+"))", append(all, args...)...)
	}
}

// groupsOf brings what belongs to the groups on a page whose first members are
// list. However many there are, it asks two questions.
func groupsOf(tx *store.Tx, me int64, f NotificationFilter, grouped []NotificationKind, list []Notification, page store.Page) ([]NotificationGroup, error) {
	var keys []string
	out := make([]NotificationGroup, len(list))
	for i, n := range list {
		out[i] = NotificationGroup{Notification: n, Key: ungrouped + strconv.FormatInt(n.ID, 10), Count: 1, From: []int64{n.FromID}, Oldest: n.ID}
		if n.GroupKey != "" && slices.Contains(grouped, n.Kind) {
			out[i].Key = n.GroupKey
			keys = append(keys, n.GroupKey)
		}
	}
	if len(keys) == 0 {
		return out, nil
	}
	top, bottom := list[0].ID, list[len(list)-1].ID
	if len(list) < page.Size() { // the last page there is that way: it goes to the edge
		if page.MinID > 0 {
			top = 1<<63 - 1
		} else {
			bottom = max(page.SinceID+1, 0)
		}
	}
	members, err := groupMembers(tx, me, f, keys, top, bottom)
	if err != nil {
		return nil, err
	}
	for i := range out {
		m, ok := members[out[i].Key]
		if !ok {
			continue
		}
		newest := out[i].Notification
		newest.ID, newest.FromID, newest.CreatedAt = m.newest, m.from[0], m.at
		out[i].Notification, out[i].Count, out[i].From, out[i].Oldest = newest, m.count, m.from, max(m.oldest, 1)
	}
	slices.SortStableFunc(out, func(a, b NotificationGroup) int {
		switch {
		case a.ID > b.ID:
			return -1
		case a.ID < b.ID:
			return 1
		}
		return 0
	})
	return out, nil
}

// members is what a group holds.
type members struct {
	newest, oldest int64
	count          int
	from           []int64
	at             time.Time
}

// groupMembers counts the members of some groups up to top, and names the
// latest few. oldest is the first of them that is not below bottom.
func groupMembers(tx *store.Tx, me int64, f NotificationFilter, keys []string, top, bottom int64) (map[string]members, error) {
	var rows []struct {
		GroupKey  string
		ID        int64
		FromID    int64
		CreatedAt time.Time
		N         int
		Nth       int
		Oldest    int64
	}
	heard, args := heardSQL("notifications", me, tx.Now)
	where := "account_id = ? AND group_key IN ? AND group_key <> '' AND id <= ? AND " + heard
	args = append([]any{bottom, me, keys, top}, args...)
	if f.From != 0 {
		where += " AND from_id = ?"
		args = append(args, f.From)
	}
	err := tx.Raw(`SELECT * FROM (SELECT group_key, id, from_id, created_at, COUNT(*) OVER (PARTITION BY group_key) AS n,
			ROW_NUMBER() OVER (PARTITION BY group_key ORDER BY id DESC) AS nth,
			MIN(CASE WHEN id >= ? THEN id END) OVER (PARTITION BY group_key) AS oldest
		FROM notifications WHERE `+where+") AS alike WHERE nth <= ? ORDER BY group_key, id DESC", append(args, groupSample)...).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	found := make(map[string]members, len(keys))
	for _, r := range rows {
		m := found[r.GroupKey]
		if r.Nth == 1 {
			m.newest, m.oldest, m.count, m.at = r.ID, r.Oldest, r.N, r.CreatedAt
		}
		m.from = append(m.from, r.FromID)
		found[r.GroupKey] = m
	}
	return found, nil
}

// NotificationGroupByKey returns one group of me's as a whole, or fault.NotFound.
func NotificationGroupByKey(tx *store.Tx, me int64, key string) (NotificationGroup, error) {
	q := tx.Model(&Notification{}).Scopes(notificationsFor(me, tx.Now), inGroup(key)).Order("notifications.id DESC")
	var n Notification
	if err := q.Take(&n).Error; err != nil {
		return NotificationGroup{}, err
	}
	var kinds []NotificationKind
	if n.GroupKey == key {
		kinds = []NotificationKind{n.Kind}
	}
	groups, err := groupsOf(tx, me, NotificationFilter{}, kinds, []Notification{n}, store.Page{Limit: 2})
	if err != nil {
		return NotificationGroup{}, err
	}
	return groups[0], nil
}

// NotificationGroupAccounts returns who is in one group of me's, the latest
// first, by a page of notifications.
func NotificationGroupAccounts(tx *store.Tx, me int64, key string, page store.Page) ([]Notification, error) {
	return store.Find[Notification](tx.Model(&Notification{}).Scopes(notificationsFor(me, tx.Now), inGroup(key)), page)
}

// DismissGroup deletes one group of me's.
func DismissGroup(tx *store.Tx, me int64, key string) error {
	return tx.Scopes(inGroup(key)).Where("account_id = ?", me).Delete(&Notification{}).Error
}

// inGroup narrows a query on notifications to those of a group.
func inGroup(key string) func(*gorm.DB) *gorm.DB {
	return func(q *gorm.DB) *gorm.DB {
		if alone, ok := strings.CutPrefix(key, ungrouped); ok {
			id, _ := strconv.ParseInt(alone, 10, 64)
			return q.Where("notifications.id = ?", id)
		}
		return q.Where("notifications.group_key = ? AND notifications.group_key <> ''", key)
	}
}

// UnreadGroups returns how many groups me has not seen anything of, up to most.
func UnreadGroups(tx *store.Tx, me int64, f NotificationFilter, grouped []NotificationKind, most int) (int, error) {
	read, err := ReadUpTo(tx, me)
	if err != nil {
		return 0, err
	}
	q := tx.Model(&Notification{}).Scopes(notificationsFor(me, tx.Now), f.scope).Where("notifications.id > ?", read)
	if len(grouped) > 0 {
		q = q.Scopes(firstOfGroup(me, tx.Now, f, grouped, store.Page{}))
	}
	var ids []int64
	err = q.Order("notifications.id DESC").Limit(most).Pluck("notifications.id", &ids).Error
	return len(ids), err
}
