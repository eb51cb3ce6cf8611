package community

import (
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// How long things are remembered that only served their time.
const (
	keepTombstones = 90 * 24 * time.Hour // a Create may come that much later than its Delete
	keepIncoming   = 48 * time.Hour      // a repeated activity is known by its row
	keepDelivered  = 30 * 24 * time.Hour // what the delivery panel shows
	sweepBatch     = 1000

	keepGhosts = 30 * 24 * time.Hour // whoever opens the thread looks again long before

	keepReports = 365 * 24 * time.Hour // once resolved

	keepDeparted = 10 * time.Minute // open streams are told within a moment

	keepNotifications = 180 * 24 * time.Hour // how far back people can look
)

// Sweep deletes a bounded number of rows of each kind whose time is over, and
// reports whether there may be more: then it wants to be called again.
func Sweep(tx *store.Tx) (more bool, err error) {
	for _, s := range []struct {
		table, key, where string
		args              []any
	}{
		{"kept", "key", "expires_at IS NOT NULL AND expires_at < ?", []any{tx.Now}},
		{"tombstones", "(uri, account_id)", "deleted_at < ?", []any{tx.Now.Add(-keepTombstones)}},
		{"incoming", "id", "state <> 'waiting' AND id < ?", []any{store.FirstIDAt(tx.Now.Add(-keepIncoming))}},
		{"ghosts", "(post_id, uri)", "seen_at < ?", []any{tx.Now.Add(-keepGhosts)}},
		{"notifications", "id", "id < ?", []any{store.FirstShortIDAt(tx.Now.Add(-keepNotifications))}},
		{"notification_requests", "id", `updated_at < ? AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.account_id = notification_requests.account_id
			AND n.from_id = notification_requests.from_id AND n.filtered)`, []any{tx.Now.Add(-keepNotifications)}},
		{"reports", "id", "state = 'resolved' AND resolved_at < ?", []any{tx.Now.Add(-keepReports)}},
		{"account_keys", "key_id", "account_id IN (SELECT account_id FROM users) AND key_id LIKE ? AND fetched_at < ?", []any{"%" + retired + "%", tx.Now.Add(-keepDelivered)}},
		{"departed", "(post_id, account_id)", "deleted_at < ?", []any{tx.Now.Add(-keepDeparted)}},
		{"mutes", "id", "expires_at IS NOT NULL AND expires_at < ?", []any{tx.Now}},
		{"deliveries", "id", "done_at IS NOT NULL AND done_at < ?", []any{tx.Now.Add(-keepDelivered)}},
		{"outgoing", "id", "state = 'spread' AND id < ? AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.outgoing_id = outgoing.id)",
			[]any{store.FirstIDAt(tx.Now.Add(-keepDelivered))}},
	} {
		res := tx.Exec("DELETE FROM "+s.table+" WHERE "+s.key+" IN (SELECT "+strings.Trim(s.key, "()")+" FROM "+s.table+" WHERE "+s.where+" LIMIT ?)",
			append(s.args, sweepBatch)...)
		if res.Error != nil {
			return false, res.Error
		}
		more = more || res.RowsAffected == sweepBatch
	}
	return more, nil
}
