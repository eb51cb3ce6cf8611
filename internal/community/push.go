package community

import (
	"slices"
	"strings"
	"time"

	"gorm.io/gorm/clause"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/webpush"
)

// What happens in the queue of pushes; the key is the push service's host.
const (
	PushQueued   store.Topic = "pushes"      // something is to be pushed
	PushLaneLeft store.Topic = "pushes.left" // nobody works for the service any more, until its next push is due
)

// PushPolicy says of whose deeds somebody is told by a push.
type PushPolicy string

// The push policies.
const (
	PushAll      PushPolicy = "all"
	PushFollowed PushPolicy = "followed" // of those whom they follow
	PushFollower PushPolicy = "follower" // of those who follow them
	PushNone     PushPolicy = "none"
)

// PushSubscription is where an app has somebody's notifications pushed to.
type PushSubscription struct {
	ID        int64
	TokenID   int64 // by which the app came
	AccountID int64
	Token     string // the same, as the app knows it: it finds by it whose notification came
	Endpoint  string
	Host      string // of the endpoint
	P256dh    string `gorm:"column:p256dh"`
	Auth      string
	Standard  bool   // RFC 8291; false: the drafts before it
	Alerts    string // the types that are wanted, as clients name them, with spaces between
	Policy    PushPolicy
	CreatedAt time.Time
}

// Wants reports whether notifications of a type are wanted.
func (s PushSubscription) Wants(alert string) bool {
	return alert != "" && slices.Contains(strings.Fields(s.Alerts), alert)
}

// Device returns the keys that are encrypted for.
func (s PushSubscription) Device() (webpush.Device, error) {
	return webpush.ParseDevice(s.P256dh, s.Auth)
}

func (s *PushSubscription) check() error {
	var form fault.Check
	var err error
	if s.Host, err = webpush.CheckEndpoint(s.Endpoint); err != nil {
		form.Add("subscription[endpoint]", "push.endpoint_invalid", "Validation failed: "+err.Error()+".", nil)
	}
	if d, err := s.Device(); err != nil {
		form.Add("subscription[keys]", "push.keys_invalid", "Validation failed: "+err.Error()+".", nil)
	} else {
		s.P256dh, s.Auth = d.String()
	}
	return form.Err()
}

// Subscribe has a token's notifications pushed. What the token had before is replaced.
func Subscribe(tx *store.Tx, s PushSubscription) (PushSubscription, error) {
	if err := s.check(); err != nil {
		return s, err
	}
	if err := Unsubscribe(tx, s.TokenID); err != nil {
		return s, err
	}
	s.ID, s.CreatedAt = tx.NewID(), tx.Now
	return s, tx.Clauses(clause.OnConflict{UpdateAll: true, Columns: []clause.Column{{Name: "token_id"}}}).Create(&s).Error
}

// SubscriptionOf returns what a token has pushed, or fault.NotFound.
func SubscriptionOf(tx *store.Tx, token int64) (PushSubscription, error) {
	var s PushSubscription
	err := tx.Where("token_id = ?", token).Take(&s).Error
	return s, err
}

// ChangeAlerts says anew what a token has pushed.
func ChangeAlerts(tx *store.Tx, token int64, alerts string, policy PushPolicy) (PushSubscription, error) {
	s, err := SubscriptionOf(tx, token)
	if err != nil {
		return s, err
	}
	s.Alerts, s.Policy = alerts, policy
	return s, tx.Exec("UPDATE push_subscriptions SET alerts = ?, policy = ? WHERE id = ?", alerts, policy, s.ID).Error
}

// Unsubscribe ends what tokens have pushed; what waits goes with it.
func Unsubscribe(tx *store.Tx, tokens ...int64) error {
	if len(tokens) == 0 {
		return nil
	}
	return tx.Exec("DELETE FROM push_subscriptions WHERE token_id IN ?", store.Even(tokens)).Error
}

// queuePushes has a notification pushed to wherever its reader wants it. What
// each place wants, and whether the reader is still to be told, is decided when
// it is sent. A service in good order is not left alone until something that
// was put off is tried again.
func queuePushes(tx *store.Tx, to, notification int64) error {
	var hosts []string
	err := tx.Raw(`INSERT INTO pushes (notification_id, subscription_id, host, next_at, created_at)
		SELECT ?, id, host, ?, ? FROM push_subscriptions WHERE account_id = ? AND alerts <> '' AND policy <> 'none'
		ON CONFLICT DO NOTHING RETURNING host`, notification, tx.Now, tx.Now, to).Scan(&hosts).Error
	if err != nil {
		return err
	}
	slices.Sort(hosts) // so that two transactions lock lanes in one order
	for _, host := range slices.Compact(hosts) {
		err := tx.Exec(`INSERT INTO push_lanes (host, waiting, next_at, node_until) VALUES (?, TRUE, ?, ?)
			ON CONFLICT (host) DO UPDATE SET waiting = TRUE,
				next_at = CASE WHEN push_lanes.failures = 0 AND push_lanes.next_at > excluded.next_at THEN excluded.next_at ELSE push_lanes.next_at END`,
			host, tx.Now, time.Unix(0, 0).UTC()).Error
		if err != nil {
			return err
		}
		tx.AnnounceKey(PushQueued, host)
	}
	return nil
}

// Push is a notification that waits to be pushed to one place.
type Push struct {
	NotificationID int64 `gorm:"primaryKey"`
	SubscriptionID int64 `gorm:"primaryKey"`
	Host           string
	Tries          int64
	NextAt         time.Time
	CreatedAt      time.Time
}

// TableName names the queue.
func (Push) TableName() string { return "pushes" }

// PushLane is what waits for one push service, while this node works it.
type PushLane struct {
	Host     string
	Failures int64
}

// ClaimPushLanes takes up to most lanes that are due, until the moment given.
func ClaimPushLanes(tx *store.Tx, most int, until time.Time) ([]PushLane, error) {
	var got []PushLane
	err := tx.Raw(`UPDATE push_lanes SET node = ?, node_until = ? WHERE host IN (SELECT host FROM push_lanes
		WHERE waiting AND next_at <= ? AND node_until <= ? ORDER BY next_at LIMIT ?`+tx.SkipLocked()+`) RETURNING host, failures`,
		tx.Node(), until, tx.Now, tx.Now, most).Scan(&got).Error
	return got, err
}

// NextPush returns when a lane is due next; the zero value for none.
func NextPush(tx *store.Tx) (time.Time, error) {
	var at []time.Time
	err := tx.Raw("SELECT next_at FROM push_lanes WHERE waiting ORDER BY next_at LIMIT 1").Scan(&at).Error
	if err != nil || len(at) == 0 {
		return time.Time{}, err
	}
	return at[0], nil
}

// Pushes returns what is due for a push service, the longest due first.
func Pushes(tx *store.Tx, host string, most int) ([]Push, error) {
	var due []Push
	err := tx.Where("host = ? AND next_at <= ?", host, tx.Now).Order("next_at").Limit(most).Find(&due).Error
	return due, err
}

// HoldPushLane keeps a lane, and reports whether it still is this node's.
func HoldPushLane(tx *store.Tx, host string, until time.Time) (bool, error) {
	res := tx.Exec("UPDATE push_lanes SET node_until = ? WHERE host = ? AND node = ?", until, host, tx.Node())
	return res.RowsAffected > 0, res.Error
}

// LeavePushLane gives a lane back. failures says how often its service failed
// in a row, and wait for how long it is left alone. The lane's row is locked
// first: whoever adds to the queue writes it too, so that nothing is overlooked.
func LeavePushLane(tx *store.Tx, host string, failures int64, wait time.Duration) error {
	res := tx.Exec("UPDATE push_lanes SET node = '', node_until = ?, failures = ? WHERE host = ? AND node = ?", time.Unix(0, 0).UTC(), failures, host, tx.Node())
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error
	}
	var next []time.Time
	if err := tx.Raw("SELECT next_at FROM pushes WHERE host = ? ORDER BY next_at LIMIT 1", host).Scan(&next).Error; err != nil {
		return err
	}
	tx.AnnounceKey(PushLaneLeft, host)
	at := tx.Now.Add(wait)
	if len(next) > 0 && next[0].After(at) {
		at = next[0]
	}
	return tx.Exec("UPDATE push_lanes SET waiting = ?, next_at = ? WHERE host = ?", len(next) > 0, at, host).Error
}

// EndPush takes a push out of the queue: it was sent, or will not be.
func EndPush(tx *store.Tx, p Push) error {
	return tx.Exec("DELETE FROM pushes WHERE notification_id = ? AND subscription_id = ?", p.NotificationID, p.SubscriptionID).Error
}

// PutOffPush has a push tried again later.
func PutOffPush(tx *store.Tx, p Push, until time.Time) error {
	return tx.Exec("UPDATE pushes SET tries = tries + 1, next_at = ? WHERE notification_id = ? AND subscription_id = ?", until, p.NotificationID, p.SubscriptionID).Error
}

// EndSubscription ends a place that its push service does not know any more.
func EndSubscription(tx *store.Tx, id int64) error {
	return tx.Exec("DELETE FROM push_subscriptions WHERE id = ?", id).Error
}

// Due returns what a push is to tell, at the moment of sending, and where: no
// longer what was read, dismissed or deleted since, what the reader may not see,
// or what came by a token that counts no more. Otherwise it is fault.NotFound.
func (p Push) Due(tx *store.Tx) (PushSubscription, Notification, User, error) {
	gone := fault.New(fault.NotFound, "There is nothing to push any more.")
	var s PushSubscription
	err := tx.Where(`id = ? AND EXISTS (SELECT 1 FROM oauth_tokens t WHERE t.id = push_subscriptions.token_id AND t.revoked_at IS NULL)`,
		p.SubscriptionID).Take(&s).Error
	if err != nil {
		return s, Notification{}, User{}, err
	}
	user, err := UserOf(tx, s.AccountID)
	if err != nil {
		return s, Notification{}, user, err
	}
	n, err := NotificationByID(tx, s.AccountID, p.NotificationID)
	switch {
	case err != nil:
		return s, n, user, err
	case user.MayEnter(tx.Now) != nil, n.ID <= user.NotificationsReadID, n.Filtered:
		return s, n, user, gone
	}
	follower, target := s.AccountID, n.FromID
	switch s.Policy {
	case PushAll:
		return s, n, user, nil
	case PushFollower:
		follower, target = target, follower
	case PushFollowed:
	default:
		return s, n, user, gone
	}
	var follows int64
	err = tx.Raw("SELECT COUNT(*) FROM follows WHERE follower_id = ? AND target_id = ? AND state = 'accepted'", follower, target).Scan(&follows).Error
	if err == nil && follows == 0 {
		err = gone
	}
	return s, n, user, err
}

// VapidKey returns the key by which push services know this server. It is made
// at the first start, and goes into every backup.
func VapidKey(tx *store.Tx) (webpush.Key, error) {
	site, err := SiteOf(tx)
	if err != nil {
		return webpush.Key{}, err
	}
	return webpush.ParseKey(site.VapidKey)
}

func ensureVapidKey(tx *store.Tx) error {
	site, err := SiteOf(tx)
	if err != nil || site.VapidKey != "" {
		return err
	}
	key, err := webpush.NewKey()
	if err != nil {
		return err
	}
	return tx.Exec("UPDATE site SET vapid_key = ? WHERE id = 1 AND vapid_key = ''", key).Error
}
