package community

import (
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/store"
)

// NotificationKind is why somebody is told of something.
type NotificationKind string

// The kinds of notification.
const (
	NotifyFollow          NotificationKind = "follow"
	NotifyFollowRequest   NotificationKind = "follow_request"
	NotifyMention         NotificationKind = "mention"
	NotifyReply           NotificationKind = "reply"
	NotifyAcknowledgement NotificationKind = "acknowledgement" // "I used this"
	NotifyLike            NotificationKind = "like"
	NotifyBoost           NotificationKind = "boost"
	NotifyAnswer          NotificationKind = "answer"  // their reply was chosen as the answer
	NotifyEdit            NotificationKind = "edit"    // a post that they passed on was changed
	NotifyRequest         NotificationKind = "request" // somebody asks for an account here
	NotifyPoll            NotificationKind = "poll"    // a poll is over that they asked or voted in
	NotifyQuote           NotificationKind = "quote"   // a post of theirs is quoted
	NotifyMove            NotificationKind = "move"    // somebody whom they follow has moved to this account
	NotifySevered         NotificationKind = "severed" // follows ended when a server was blocked
	NotifyReport          NotificationKind = "report"  // moderators: somebody reported something
)

// once reports whether a second notification of the same kind, from the same
// person about the same thing, would tell nothing new.
func (k NotificationKind) once() bool {
	switch k {
	case NotifyFollow, NotifyFollowRequest, NotifyLike, NotifyBoost, NotifyRequest, NotifyMention, NotifyAnswer, NotifyPoll, NotifyQuote, NotifyMove:
		return true
	}
	return false
}

// Notification tells a person here that somebody did something that concerns them.
type Notification struct {
	ID        int64
	AccountID int64 // who is told
	Kind      NotificationKind
	FromID    int64  // who did it
	PostID    *int64 // the post it is about; for a reply or mention, the one that replies or mentions
	CreatedAt time.Time
}

// notify tells to, if that is an active person here, what from did; post is 0
// where it is about none. Nobody hears of their own deeds, nor of somebody
// whom they block or have muted, nor twice of the same.
func notify(tx *store.Tx, to int64, kind NotificationKind, from, post int64) error {
	if to == from && kind != NotifyPoll {
		return nil
	}
	var postID *int64
	if post != 0 {
		postID = &post
	}
	sql := `INSERT INTO notifications (id, account_id, kind, from_id, post_id, created_at)
		SELECT ?, users.account_id, ?, ?, ?, ? FROM users WHERE users.account_id = ? AND users.state = 'active'
		AND NOT EXISTS (SELECT 1 FROM blocks WHERE account_id = ? AND target_id = ? OR account_id = ? AND target_id = ?)
		AND NOT EXISTS (SELECT 1 FROM mutes WHERE account_id = ? AND target_id = ? AND notifications AND (expires_at IS NULL OR expires_at > ?))`
	args := []any{tx.NewShortID(), string(kind), from, postID, tx.Now, to, to, from, from, to, to, from, tx.Now}
	if kind.once() {
		sql += ` AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.account_id = ? AND n.from_id = ? AND n.kind = ?`
		args = append(args, to, from, string(kind))
		if post != 0 {
			sql += ` AND n.post_id = ?`
			args = append(args, post)
		}
		sql += ")"
	}
	res := tx.Exec(sql, args...)
	if res.Error == nil && res.RowsAffected > 0 {
		tx.Announce(NotificationArrived, to)
	}
	return res.Error
}

// unnotify takes back what from's deed told to, when the deed is undone.
func unnotify(tx *store.Tx, to int64, from int64, kinds ...NotificationKind) error {
	return tx.Exec("DELETE FROM notifications WHERE from_id = ? AND account_id = ? AND kind IN ?", from, to, kinds).Error
}

// Notifications returns a page of what me was told, newest first, of the given
// kinds or of all. What me may not see any more is left out, and so is
// whoever me has blocked or muted since.
func Notifications(tx *store.Tx, me int64, page store.Page, kinds ...NotificationKind) ([]Notification, error) {
	q := tx.Model(&Notification{}).Scopes(notificationsFor(me, tx.Now))
	if len(kinds) > 0 {
		q = q.Where("notifications.kind IN ?", kinds)
	}
	return store.Find[Notification](q, page)
}

// NotificationByID returns one notification of me's, or fault.NotFound.
func NotificationByID(tx *store.Tx, me, id int64) (Notification, error) {
	var n Notification
	err := tx.Scopes(notificationsFor(me, tx.Now)).Where("notifications.id = ?", id).Take(&n).Error
	return n, err
}

// MostUnread is how far unread notifications are counted.
const MostUnread = 100

// Unread returns how many notifications me has not seen, up to MostUnread.
func Unread(tx *store.Tx, me int64) (int, error) {
	var read int64
	if err := tx.Raw("SELECT notifications_read_id FROM users WHERE account_id = ?", me).Scan(&read).Error; err != nil {
		return 0, err
	}
	var ids []int64
	err := tx.Model(&Notification{}).Scopes(notificationsFor(me, tx.Now)).Where("notifications.id > ?", read).
		Order("notifications.id DESC").Limit(MostUnread).Pluck("notifications.id", &ids).Error
	return len(ids), err
}

// ReadUpTo returns the newest notification that me has seen.
func ReadUpTo(tx *store.Tx, me int64) (int64, error) {
	var read int64
	err := tx.Raw("SELECT notifications_read_id FROM users WHERE account_id = ?", me).Scan(&read).Error
	return read, err
}

// MarkRead says that me has seen everything up to the notification. It never
// goes back.
func MarkRead(tx *store.Tx, me, upTo int64) error {
	res := tx.Exec("UPDATE users SET notifications_read_id = ? WHERE account_id = ? AND notifications_read_id < ?", upTo, me, upTo)
	if res.Error == nil && res.RowsAffected > 0 {
		tx.Announce(NotificationArrived, me) // open pages take the mark away
	}
	return res.Error
}

// Dismiss deletes one notification of me's, or with id 0 all of them.
func Dismiss(tx *store.Tx, me, id int64) error {
	q := tx.Where("account_id = ?", me)
	if id != 0 {
		q = q.Where("id = ?", id)
	}
	return q.Delete(&Notification{}).Error
}

// notificationsFor narrows a query on notifications to those that me is shown.
func notificationsFor(me int64, now time.Time) func(*gorm.DB) *gorm.DB {
	visible, args := visibleSQL("posts", Viewer{ID: me, Local: true})
	where := `notifications.account_id = ?
		AND NOT EXISTS (SELECT 1 FROM accounts LEFT JOIN hosts ON hosts.host = accounts.host AND hosts.blocked
			WHERE accounts.id = notifications.from_id AND (accounts.suspended_at IS NOT NULL OR accounts.deleted_at IS NOT NULL OR hosts.host IS NOT NULL))
		AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.account_id = ? AND blocks.target_id = notifications.from_id)
		AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.account_id = notifications.from_id AND blocks.target_id = ?)
		AND NOT EXISTS (SELECT 1 FROM mutes WHERE mutes.account_id = ? AND mutes.target_id = notifications.from_id AND mutes.notifications
			AND (mutes.expires_at IS NULL OR mutes.expires_at > ?))
		AND (notifications.post_id IS NULL OR EXISTS (SELECT 1 FROM posts WHERE posts.id = notifications.post_id AND ` + visible + "))"
	args = append([]any{me, me, me, me, now}, args...)
	return func(q *gorm.DB) *gorm.DB { return q.Where(where, args...) }
}
