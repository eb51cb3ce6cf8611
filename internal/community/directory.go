package community

import (
	"strings"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Directory returns a page of people for somebody here to look through, the
// newest first: colleagues, or people at connected schools who want to be
// found. Colleagues are all shown, since whoever writes for the school should
// know who is in it. typed narrows to those whose user name, or a word of
// whose name, begins so.
func Directory(tx *store.Tx, me int64, from Origin, typed string, page store.Page) ([]Account, error) {
	return store.Find[Account](directory(tx, me, from, typed), page)
}

// DirectoryFrom is Directory by counting, as clients page through it: those who
// wrote last first, or the newest. It returns their IDs.
func DirectoryFrom(tx *store.Tx, me int64, from Origin, active bool, limit, offset int) ([]int64, error) {
	q := directory(tx, me, from, "").Limit(min(limit, store.MaxLimit)).Offset(offset)
	if active {
		q = q.Joins("LEFT JOIN account_counts ON account_counts.account_id = accounts.id").
			Order("CASE WHEN account_counts.last_post_at IS NULL THEN 1 ELSE 0 END, account_counts.last_post_at DESC")
	}
	var ids []int64
	err := q.Order("accounts.id DESC").Pluck("accounts.id", &ids).Error
	return ids, err
}

// Met returns which of some accounts v may be told of: nobody who waits to be
// let in, and for guests nobody of other servers.
func Met(tx *store.Tx, v Viewer, ids []int64) (map[int64]bool, error) {
	met := make(map[int64]bool, len(ids))
	if len(ids) == 0 {
		return met, nil
	}
	var found []int64
	err := tx.Raw(`SELECT id FROM accounts WHERE id IN ? AND (host = '' OR ?)
		AND NOT EXISTS (SELECT 1 FROM users WHERE users.account_id = accounts.id AND users.state = 'pending')`, ids, v.Local).Scan(&found).Error
	for _, id := range found {
		met[id] = true
	}
	return met, err
}

func directory(tx *store.Tx, me int64, from Origin, typed string) *gorm.DB {
	q := tx.Model(&Account{}).Where("accounts.suspended_at IS NULL AND accounts.deleted_at IS NULL AND accounts.id <> ?", me).
		Where(`NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.account_id = accounts.id AND blocks.target_id = ?)`, me).
		Where("(accounts.host = '' OR NOT EXISTS (SELECT 1 FROM host_blocks WHERE host_blocks.account_id = ? AND host_blocks.host = accounts.host))", me)
	const colleague = `accounts.host = '' AND EXISTS (SELECT 1 FROM users WHERE users.account_id = accounts.id AND users.state = 'active'
		AND (users.ends_at IS NULL OR users.ends_at > ?))`
	const connected = `accounts.host <> '' AND accounts.discoverable AND NOT accounts.silenced AND accounts.actor_type = 'Person'
		AND NOT EXISTS (SELECT 1 FROM hosts WHERE hosts.host = accounts.host AND hosts.blocked)
		AND (EXISTS (SELECT 1 FROM peers WHERE peers.host = accounts.host AND peers.standing = 'allowed')
			OR EXISTS (SELECT 1 FROM site WHERE site.mode = ?))`
	switch from {
	case Here:
		q = q.Where(colleague, tx.Now)
	case Elsewhere:
		q = q.Where(connected, peers.Open)
	default:
		q = q.Where("("+colleague+" OR "+connected+")", tx.Now, peers.Open)
	}
	typed = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(typed), "@"))
	if typed != "" {
		begins := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(typed) + "%"
		q = q.Where(`(LOWER(accounts.username) LIKE ? ESCAPE '\' OR LOWER(accounts.display_name) LIKE ? ESCAPE '\' OR LOWER(accounts.display_name) LIKE ? ESCAPE '\')`,
			begins, begins, "% "+begins)
	}
	return q
}
