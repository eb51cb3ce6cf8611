package community

import (
	"maps"
	"slices"
	"strings"
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
	NotifyAnswer          NotificationKind = "answer"      // their reply was chosen as the answer
	NotifyEdit            NotificationKind = "edit"        // a post that they passed on was changed
	NotifyRequest         NotificationKind = "request"     // somebody asks for an account here
	NotifyPoll            NotificationKind = "poll"        // a poll is over that they asked or voted in
	NotifyQuote           NotificationKind = "quote"       // a post of theirs is quoted
	NotifyMove            NotificationKind = "move"        // somebody whom they follow has moved to this account
	NotifySevered         NotificationKind = "severed"     // follows ended when a server was blocked
	NotifyReport          NotificationKind = "report"      // moderators: somebody reported something
	NotifyPost            NotificationKind = "post"        // somebody whom they follow closely has written
	NotifyQuotedEdit      NotificationKind = "quoted_edit" // a post that they quote was changed
	NotifyPeering         NotificationKind = "peering"     // administrators: a request to connect, or what became of one
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
	GroupKey  string // what it has in common with those that are alike; empty: it stands alone
	Filtered  bool   // the reader's policy keeps it apart
	ReportID  *int64 // of NotifyReport

	PeerRequestID *int64 // of NotifyPeering
}

// notify tells to, if that is an active person here, what from did; post is 0
// where it is about none. Nobody hears of their own deeds, nor of somebody
// whom they block or have muted or whose server they shut out, nor twice of the
// same, nor what their policy drops.
func notify(tx *store.Tx, to int64, kind NotificationKind, from, post int64) error {
	return notifyAbout(tx, to, kind, from, post, nil)
}

func notifyAbout(tx *store.Tx, to int64, kind NotificationKind, from, post int64, report *int64) error {
	if to == from && kind != NotifyPoll {
		return nil
	}
	args := map[string]any{"id": tx.NewShortID(), "to": to, "kind": string(kind), "from": from, "post": nil, "report": report, "now": tx.Now}
	if post != 0 {
		args["post"] = post
	}
	filtered, group := "FALSE", groupSQL(kind, post, tx.Now, args)
	where := `users.account_id = @to AND users.state = 'active'
		AND NOT EXISTS (SELECT 1 FROM blocks WHERE account_id = @to AND target_id = @from OR account_id = @from AND target_id = @to)
		AND NOT EXISTS (SELECT 1 FROM mutes WHERE account_id = @to AND target_id = @from AND notifications AND (expires_at IS NULL OR expires_at > @now))
		AND NOT EXISTS (SELECT 1 FROM accounts sender JOIN host_blocks ON host_blocks.host = sender.host WHERE sender.id = @from AND host_blocks.account_id = @to)`
	if kind.filterable() {
		where += " AND NOT " + policySQL(PolicyDrop, post, tx.Now, args)
		filtered = policySQL(PolicyFilter, post, tx.Now, args)
		if group != "''" {
			group = "CASE WHEN " + filtered + " THEN '' ELSE " + group + " END"
		}
	}
	if kind.once() {
		told := "n.account_id = @to AND n.from_id = @from"
		if post != 0 { // by the post alone: two people may have told each other of very many
			told = "+n.account_id = @to AND +n.from_id = @from AND n.post_id = @post"
		}
		where += " AND NOT EXISTS (SELECT 1 FROM notifications n WHERE " + told + " AND n.kind = @kind)"
	}
	if post != 0 {
		where += unlessThreadMuted
	}
	var made []struct{ Filtered, Pushed bool }
	err := tx.Raw(`INSERT INTO notifications (id, account_id, kind, from_id, post_id, created_at, group_key, filtered, report_id)
		SELECT @id, users.account_id, @kind, @from, CAST(@post AS BIGINT), @now, `+group+", "+filtered+`, CAST(@report AS BIGINT)
		FROM users WHERE `+where+` RETURNING filtered,
			EXISTS (SELECT 1 FROM push_subscriptions WHERE push_subscriptions.account_id = notifications.account_id) AS pushed`, args).Scan(&made).Error
	if err != nil || len(made) == 0 {
		return err
	}
	if made[0].Filtered {
		return askToBeHeard(tx, to, from)
	}
	tx.Announce(NotificationArrived, to)
	tx.Announce(NotificationMade, args["id"].(int64))
	if !made[0].Pushed {
		return nil
	}
	return queuePushes(tx, to, args["id"].(int64))
}

// unnotify takes back what from's deed told to, when the deed is undone.
func unnotify(tx *store.Tx, to int64, from int64, kinds ...NotificationKind) error {
	return tx.Exec("DELETE FROM notifications WHERE from_id = ? AND account_id = ? AND kind IN ?", from, to, kinds).Error
}

// NotificationFilter says which of somebody's notifications are wanted. The
// zero value is all that the policy let through.
type NotificationFilter struct {
	Kinds    []NotificationKind // none: all
	From     int64              // only of this account
	Filtered bool               // also those that the policy keeps apart
}

// sql is the condition that a row of notifications is wanted, behind others.
func (f NotificationFilter) sql() (where string, args []any) {
	if len(f.Kinds) > 0 {
		where, args = " AND notifications.kind IN ?", append(args, f.Kinds)
	}
	if f.From != 0 {
		where, args = where+" AND notifications.from_id = ?", append(args, f.From)
	}
	if !f.Filtered {
		where += " AND NOT notifications.filtered"
	}
	return where, args
}

func (f NotificationFilter) scope(q *gorm.DB) *gorm.DB {
	if where, args := f.sql(); where != "" {
		q = q.Where(strings.TrimPrefix(where, " AND "), args...)
	}
	return q
}

// Notifications returns a page of what me was told, newest first, of the given
// kinds or of all. What me may not see any more is left out, and so is
// whoever me has blocked or muted since.
func Notifications(tx *store.Tx, me int64, page store.Page, kinds ...NotificationKind) ([]Notification, error) {
	return NotificationsWith(tx, me, NotificationFilter{Kinds: kinds}, page)
}

// NotificationsWith is Notifications for those that the filter wants.
func NotificationsWith(tx *store.Tx, me int64, f NotificationFilter, page store.Page) ([]Notification, error) {
	list, _, err := notifications(tx, me, f, page, false)
	return list, err
}

// Tidings is a page of notifications with the posts they are about and whoever
// they are from.
type Tidings struct {
	List   []Notification
	Views  []View
	People map[int64]Shown
}

// NotificationsTold is NotificationsWith for somebody here together with all that
// is shown of them. With more, something else is asked behind it.
func NotificationsTold(tx *store.Tx, v Viewer, f NotificationFilter, page store.Page, more func(n Notification) bool) (Tidings, error) {
	if !v.may(BondHostBlocks) { // whose servers are those of the people, which only SQL knows beforehand
		if t, ok, err := toldJudged(tx, v, f, page, more); err != nil || ok {
			return t, err
		}
	}
	list, posts, err := notifications(tx, v.ID, f, page, true)
	if err != nil {
		return Tidings{}, err
	}
	var people []int64
	for _, n := range list {
		people = append(people, n.FromID)
	}
	ask := tx.AskLast
	if slices.ContainsFunc(list, more) {
		ask = tx.Ask
	}
	views, shown, err := LoadWith(tx, v, slices.Collect(maps.Values(posts)), people, ask)
	return Tidings{list, views, shown}, err
}

// toldJudged does it in two rounds, as quick does. It reports false where one
// of the notifications is not to be shown.
func toldJudged(tx *store.Tx, v Viewer, f NotificationFilter, page store.Page, more func(n Notification) bool) (Tidings, bool, error) {
	wanted, args := f.sql()
	edges, edge, end := page.SQL("notifications.id")
	var t Tidings
	var stubs []stub
	var names int64
	err := tx.Ask(store.Question{
		SQL: "SELECT " + notificationColumns.In(tx.Dialect()) + ", " + namesVersion + ", " + stubColumns + " FROM notifications LEFT JOIN posts ON posts.id = notifications.post_id" +
			" WHERE notifications.account_id = ?" + wanted + edges + end,
		Args: slices.Concat([]any{v.ID}, args, edge),
		Row: func(r *store.Row) {
			t.List = append(t.List, Notification{})
			notificationColumns.Read(r, &t.List[len(t.List)-1])
			if names = r.Int(); !r.Null() {
				stubs = append(stubs, readStub(r))
			}
		},
	})
	if err != nil || len(t.List) == 0 {
		return t, true, err
	}
	if page.MinID > 0 { // the nearest above came lowest first
		slices.Reverse(t.List)
	}
	l := newLoading(len(stubs), nil, tx.AskLast)
	if slices.ContainsFunc(t.List, more) {
		l.ask = tx.Ask
	}
	l.judging, l.names = true, &names
	for _, n := range t.List {
		if !slices.Contains(l.besides, n.FromID) {
			l.besides = append(l.besides, n.FromID)
		}
	}
	if err := l.bring(tx, stubs); err != nil {
		return t, false, err
	}
	asked := slices.Clone(l.ids)
	if err := l.gather(tx, v); err != nil {
		return t, false, err
	}
	for _, n := range t.List { // as heardSQL and visibleSQL say
		from, known := l.people[n.FromID]
		if !known || from.Gone() || l.blockedHosts[from.Host] || l.blocked[n.FromID] || l.hushed[n.FromID] || n.PostID != nil && !l.sees(v, *n.PostID) {
			return t, false, nil
		}
	}
	for _, id := range asked {
		t.Views = append(t.Views, *l.views[id])
	}
	t.People = l.shown()
	return t, true, nil
}

func notifications(tx *store.Tx, me int64, f NotificationFilter, page store.Page, about bool) ([]Notification, map[int64]Post, error) {
	where, args := notificationsSQL(me, tx.Now)
	wanted, more := f.sql()
	edge, most, end := page.SQL("notifications.id")
	var list []Notification
	columns, from := notificationColumns.In(tx.Dialect()), "notifications"
	posts := map[int64]Post{}
	if about {
		columns, from = columns+", "+postColumns.In(tx.Dialect()), "notifications LEFT JOIN posts ON posts.id = notifications.post_id"
	}
	err := tx.Ask(store.Question{
		SQL:  "SELECT " + columns + " FROM " + from + " WHERE " + where + wanted + edge + end,
		Args: slices.Concat(args, more, most),
		Row: func(r *store.Row) {
			list = append(list, Notification{})
			n := &list[len(list)-1]
			notificationColumns.Read(r, n)
			if !about || n.PostID == nil || posts[*n.PostID].ID != 0 {
				return
			}
			var p Post
			postColumns.Read(r, &p)
			posts[p.ID] = p
		},
	})
	if page.MinID > 0 { // the nearest above came lowest first
		slices.Reverse(list)
	}
	return list, posts, err
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
	return UnreadWith(tx, me, NotificationFilter{}, MostUnread)
}

// UnreadWith is Unread for those that the filter wants, up to most.
func UnreadWith(tx *store.Tx, me int64, f NotificationFilter, most int) (int, error) {
	read, err := ReadUpTo(tx, me)
	if err != nil {
		return 0, err
	}
	var ids []int64
	err = tx.Model(&Notification{}).Scopes(notificationsFor(me, tx.Now), f.scope).Where("notifications.id > ?", read).
		Order("notifications.id DESC").Limit(most).Pluck("notifications.id", &ids).Error
	return len(ids), err
}

// ReadUpTo returns the newest notification that me has seen.
func ReadUpTo(tx *store.Tx, me int64) (int64, error) {
	var read int64
	err := tx.Raw("SELECT notifications_read_id FROM users WHERE account_id = ?", me).Scan(&read).Error
	return read, err
}

// MarkRead says that me has seen everything up to the notification. It never
// goes back, nor to what is still to come: a client that names such a number
// would leave me untold for ever.
func MarkRead(tx *store.Tx, me, upTo int64) error {
	if now := tx.NewShortID(); upTo > now {
		var newest int64 // another node's clock may be ahead
		if err := tx.Raw("SELECT COALESCE(MAX(id), 0) FROM notifications WHERE account_id = ?", me).Scan(&newest).Error; err != nil {
			return err
		}
		upTo = min(upTo, max(newest, now))
	}
	res := tx.Exec("UPDATE users SET notifications_read_id = ? WHERE account_id = ? AND notifications_read_id < ?", upTo, me, upTo)
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error
	}
	tx.Announce(NotificationArrived, me) // open pages take the mark away
	return setMarker(tx, me, MarkNotifications, upTo)
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
	where, args := notificationsSQL(me, now)
	return func(q *gorm.DB) *gorm.DB { return q.Where(where, args...) }
}

// notificationsSQL is the condition that me is shown a row of notifications.
func notificationsSQL(me int64, now time.Time) (string, []any) {
	visible, args := visibleSQL("posts", Viewer{ID: me, Local: true})
	heard, more := heardSQL("notifications", me, now)
	where := "notifications.account_id = ? AND " + heard +
		" AND (notifications.post_id IS NULL OR EXISTS (SELECT 1 FROM posts WHERE posts.id = notifications.post_id AND " + visible + "))"
	return where, append(append([]any{me}, more...), args...)
}

// heardSQL is the condition that me wants to hear of whoever a row of
// notifications, known in the query by this name, is from.
func heardSQL(name string, me int64, now time.Time) (string, []any) {
	return strings.ReplaceAll(`NOT EXISTS (SELECT 1 FROM accounts LEFT JOIN hosts ON hosts.host = accounts.host AND hosts.blocked
			LEFT JOIN host_blocks ON host_blocks.account_id = ? AND host_blocks.host = accounts.host
			WHERE accounts.id = $.from_id AND (accounts.suspended_at IS NOT NULL OR accounts.deleted_at IS NOT NULL OR hosts.host IS NOT NULL
				OR host_blocks.host IS NOT NULL))
		AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.account_id = ? AND blocks.target_id = $.from_id)
		AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.account_id = $.from_id AND blocks.target_id = ?)
		AND NOT EXISTS (SELECT 1 FROM mutes WHERE mutes.account_id = ? AND mutes.target_id = $.from_id AND mutes.notifications
			AND (mutes.expires_at IS NULL OR mutes.expires_at > ?))`, "$", name), []any{me, me, me, me, now}
}
