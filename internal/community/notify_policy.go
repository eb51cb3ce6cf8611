package community

import (
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// PolicyChoice is what becomes of a notification from somebody whom its reader
// does not know.
type PolicyChoice string

// The choices.
const (
	PolicyAccept PolicyChoice = "accept"
	PolicyFilter PolicyChoice = "filter" // kept apart until the reader looks
	PolicyDrop   PolicyChoice = "drop"   // never made
)

// Valid reports whether c is one of the choices.
func (c PolicyChoice) Valid() bool { return c == PolicyAccept || c == PolicyFilter || c == PolicyDrop }

// NotificationPolicy says what somebody wants to hear from whom. Here all are
// heard unless their reader says otherwise: strangers among a school's
// colleagues are few, and a question that is kept apart stays unanswered.
//
// Mastodon's documentation, entities/NotificationPolicy.
type NotificationPolicy struct {
	AccountID          int64 `gorm:"primaryKey;autoIncrement:false"`
	ForNotFollowing    PolicyChoice
	ForNotFollowers    PolicyChoice
	ForNewAccounts     PolicyChoice
	ForPrivateMentions PolicyChoice
	ForLimitedAccounts PolicyChoice
}

// TableName names the table.
func (NotificationPolicy) TableName() string { return "notification_policies" }

// How long an account is new, and a follower not yet one: as Mastodon has it.
const (
	newAccountFor  = 30 * 24 * time.Hour
	newFollowerFor = 3 * 24 * time.Hour
)

// filterable reports whether somebody's policy is asked about this kind. What
// the reader asked for, and what the school's staff has to know, always arrives.
func (k NotificationKind) filterable() bool {
	switch k {
	case NotifyRequest, NotifyReport, NotifyPoll, NotifyEdit, NotifyQuotedEdit, NotifySevered, NotifyMove, NotifyPost, NotifyAnswer:
		return false
	}
	return true
}

// policySQL is the condition that the reader's policy has chosen so about a
// notification that is being made. Moderators of this school are always heard,
// and so is whoever the reader has let in. Without a policy it costs one look
// for a row that is not there. An account of another server counts as limited
// if that server is only listened to or silenced.
func policySQL(choice PolicyChoice, post int64, now time.Time, args map[string]any) string {
	args["new_account"], args["new_follower"] = now.Add(-newAccountFor), now.Add(-newFollowerFor)
	const stranger = "NOT EXISTS (SELECT 1 FROM follows f WHERE f.follower_id = @to AND f.target_id = @from AND f.state = 'accepted')"
	private := "FALSE"
	if post != 0 {
		private = `EXISTS (SELECT 1 FROM posts told WHERE told.id = @post AND told.author_id = @from AND told.audience = 'people'
			AND (told.in_reply_to_author IS NULL OR told.in_reply_to_author <> @to))`
	}
	return strings.ReplaceAll(`EXISTS (SELECT 1 FROM notification_policies policy WHERE policy.account_id = @to
		AND (policy.for_not_following = $ AND `+stranger+`
			OR policy.for_not_followers = $ AND NOT EXISTS (SELECT 1 FROM follows f WHERE f.follower_id = @from AND f.target_id = @to AND f.state = 'accepted'
				AND f.created_at <= @new_follower)
			OR policy.for_new_accounts = $ AND `+stranger+` AND EXISTS (SELECT 1 FROM accounts a WHERE a.id = @from AND a.created_at > @new_account)
			OR policy.for_private_mentions = $ AND `+stranger+` AND `+private+`
			OR policy.for_limited_accounts = $ AND `+stranger+` AND EXISTS (SELECT 1 FROM accounts a JOIN peers ON peers.host = a.host
				WHERE a.id = @from AND (a.silenced OR peers.ceiling = 'none')))
		AND NOT EXISTS (SELECT 1 FROM notification_permissions p WHERE p.account_id = @to AND p.from_id = @from)
		AND NOT EXISTS (SELECT 1 FROM users staff WHERE staff.account_id = @from AND staff.role IN ('owner', 'it_admin', 'moderator')))`,
		"$", "'"+string(choice)+"'")
}

// PolicyOf returns what somebody wants to hear from whom.
func PolicyOf(tx *store.Tx, me int64) (NotificationPolicy, error) {
	p := NotificationPolicy{AccountID: me, ForNotFollowing: PolicyAccept, ForNotFollowers: PolicyAccept, ForNewAccounts: PolicyAccept,
		ForPrivateMentions: PolicyAccept, ForLimitedAccounts: PolicyAccept}
	err := tx.Where("account_id = ?", me).Limit(1).Find(&p).Error
	return p, err
}

// SetPolicy changes what somebody wants to hear from whom, from now on.
func SetPolicy(tx *store.Tx, p NotificationPolicy) error {
	for _, c := range []PolicyChoice{p.ForNotFollowing, p.ForNotFollowers, p.ForNewAccounts, p.ForPrivateMentions, p.ForLimitedAccounts} {
		if !c.Valid() {
			return fault.Keyed(fault.Invalid, "policy.choice", "Choose accept, filter or drop.", nil)
		}
	}
	return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "account_id"}}, UpdateAll: true}).Create(&p).Error
}

// NotificationRequest is somebody whose notifications the reader's policy keeps
// apart.
type NotificationRequest struct {
	ID        int64
	AccountID int64
	FromID    int64
	CreatedAt time.Time
	UpdatedAt time.Time

	Count  int    `gorm:"->;-:migration"` // how many were kept apart
	LastID int64  `gorm:"->;-:migration"` // the latest of them
	PostID *int64 `gorm:"->;-:migration"` // the latest post that one of them is about
}

// askToBeHeard notes that notifications from somebody were filtered.
func askToBeHeard(tx *store.Tx, to, from int64) error {
	return tx.Exec(`INSERT INTO notification_requests (id, account_id, from_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (account_id, from_id) DO UPDATE SET updated_at = excluded.updated_at`, tx.NewID(), to, from, tx.Now, tx.Now).Error
}

// requestsFor is a query for those of me's requests that still hold something.
func requestsFor(tx *store.Tx, me int64) *gorm.DB {
	heard, args := heardSQL("notification_requests", me, tx.Now)
	const kept = "FROM notifications n WHERE n.account_id = notification_requests.account_id AND n.from_id = notification_requests.from_id AND n.filtered"
	return tx.Model(&NotificationRequest{}).
		Select("notification_requests.*, (SELECT COUNT(*) "+kept+") AS count, (SELECT MAX(n.id) "+kept+") AS last_id, (SELECT MAX(n.post_id) "+kept+") AS post_id").
		Where("notification_requests.account_id = ? AND EXISTS (SELECT 1 "+kept+") AND "+heard, append([]any{me}, args...)...)
}

// NotificationRequests returns a page of whose notifications are kept apart for
// me, the latest to begin first.
func NotificationRequests(tx *store.Tx, me int64, page store.Page) ([]NotificationRequest, error) {
	return store.FindOn[NotificationRequest](requestsFor(tx, me), page, "notification_requests.id")
}

// NotificationRequestByID returns one of me's requests, or fault.NotFound.
func NotificationRequestByID(tx *store.Tx, me, id int64) (NotificationRequest, error) {
	var r NotificationRequest
	err := requestsFor(tx, me).Where("notification_requests.id = ?", id).Take(&r).Error
	return r, err
}

// CountNotificationRequests returns how many wait to be heard by me, and how
// much they have to say, each up to MostUnread.
func CountNotificationRequests(tx *store.Tx, me int64) (requests, notifications int, err error) {
	list, err := NotificationRequests(tx, me, store.Page{Limit: store.MaxLimit})
	for _, r := range list {
		notifications += r.Count
	}
	return len(list), min(notifications, MostUnread), err
}

// AcceptNotifications lets some whose notifications were kept apart be heard by
// me, from now on and with what they said.
func AcceptNotifications(tx *store.Tx, me int64, requests []int64) error {
	from, err := requesters(tx, me, requests)
	if err != nil || len(from) == 0 {
		return err
	}
	slices.Sort(from)
	for _, id := range from {
		err := tx.Exec("INSERT INTO notification_permissions (account_id, from_id, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", me, id, tx.Now).Error
		if err != nil {
			return err
		}
	}
	if err := tx.Exec("UPDATE notifications SET filtered = FALSE WHERE account_id = ? AND from_id IN ? AND filtered", me, from).Error; err != nil {
		return err
	}
	tx.Announce(NotificationArrived, me)
	tx.Announce(NotificationsMerged, me)
	return tx.Exec("DELETE FROM notification_requests WHERE account_id = ? AND from_id IN ?", me, from).Error
}

// DismissNotifications throws away what some had to say whose notifications
// were kept apart. Should they say more, they ask again.
func DismissNotifications(tx *store.Tx, me int64, requests []int64) error {
	from, err := requesters(tx, me, requests)
	if err != nil || len(from) == 0 {
		return err
	}
	if err := tx.Exec("DELETE FROM notifications WHERE account_id = ? AND from_id IN ? AND filtered", me, from).Error; err != nil {
		return err
	}
	return tx.Exec("DELETE FROM notification_requests WHERE account_id = ? AND from_id IN ?", me, from).Error
}

func requesters(tx *store.Tx, me int64, requests []int64) ([]int64, error) {
	var from []int64
	if len(requests) == 0 {
		return nil, nil
	}
	err := tx.Raw("SELECT from_id FROM notification_requests WHERE account_id = ? AND id IN ?", me, requests).Scan(&from).Error
	return from, err
}
