package community

import (
	"strings"

	"github.com/chalkring/chalkring/internal/store"
)

// FindPeople finds people whose name or display name begins as typed, among
// those here and those whom me follows, and returns their IDs. Whoever does
// not want to be discovered is found by their followers and their whole handle
// only.
func FindPeople(tx *store.Tx, me int64, typed string, limit int) ([]int64, error) {
	typed = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(typed), "@"))
	if typed == "" {
		return nil, nil
	}
	begins := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(typed) + "%"
	var ids []int64
	err := tx.Raw(`SELECT id FROM accounts WHERE suspended_at IS NULL AND deleted_at IS NULL AND actor_type = 'Person'
			AND (host = '' AND discoverable OR id = ? OR id IN (SELECT target_id FROM follows WHERE follower_id = ? AND state = 'accepted'))
			AND (LOWER(username) LIKE ? ESCAPE '\' OR LOWER(display_name) LIKE ? ESCAPE '\')
			AND NOT EXISTS (SELECT 1 FROM blocks WHERE account_id = accounts.id AND target_id = ?)
		ORDER BY username, id LIMIT ?`, me, me, begins, begins, me, min(limit, store.MaxLimit)).Scan(&ids).Error
	return ids, err
}
