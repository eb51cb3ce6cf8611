package auth

import (
	"slices"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// Standing returns the roles of the people whom tokens let in at this moment,
// by token. One that is not among them lets nobody in any more: it was ended,
// or its person is gone, suspended, disabled or over their time.
func Standing(tx *store.Tx, tokens []int64) (map[int64]community.Role, error) {
	standing := make(map[int64]community.Role, len(tokens))
	for some := range slices.Chunk(tokens, 500) {
		var rows []struct {
			ID     int64
			Role   community.Role
			State  community.UserState
			EndsAt *time.Time
		}
		err := tx.Raw(`SELECT t.id, u.role, u.state, u.ends_at FROM oauth_tokens t JOIN users u ON u.account_id = t.account_id
			JOIN accounts a ON a.id = t.account_id
			WHERE t.id IN ? AND t.revoked_at IS NULL AND a.suspended_at IS NULL AND a.deleted_at IS NULL`, store.Even(some)).Scan(&rows).Error
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if (community.User{State: r.State, EndsAt: r.EndsAt}).MayEnter(tx.Now) == nil {
				standing[r.ID] = r.Role
			}
		}
	}
	return standing, nil
}
