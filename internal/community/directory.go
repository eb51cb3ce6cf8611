package community

import (
	"strings"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Directory returns a page of people for somebody here to look through, the
// newest first: colleagues, or people at connected schools who want to be
// found. Colleagues are all shown, since whoever writes for the school should
// know who is in it. typed narrows to those whose user name, or a word of
// whose name, begins so.
func Directory(tx *store.Tx, me int64, from Origin, typed string, page store.Page) ([]Account, error) {
	q := tx.Model(&Account{}).Where("accounts.suspended_at IS NULL AND accounts.deleted_at IS NULL AND accounts.id <> ?", me).
		Where(`NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.account_id = accounts.id AND blocks.target_id = ?)`, me)
	const colleague = `accounts.host = '' AND EXISTS (SELECT 1 FROM users WHERE users.account_id = accounts.id AND users.state = 'active'
		AND (users.ends_at IS NULL OR users.ends_at > ?))`
	const connected = `accounts.host <> '' AND accounts.discoverable AND accounts.actor_type = 'Person'
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
	return store.Find[Account](q, page)
}
