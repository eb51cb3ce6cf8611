package community

import (
	"strings"
	"unicode/utf8"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// What somebody here keeps of accounts for themselves, and whom they show.

// MaxAccountNote bounds what somebody notes of an account.
const MaxAccountNote = 2000 // characters

// NoteAccount keeps what me noted of target, for me's eyes alone. An empty note
// takes it away.
func NoteAccount(tx *store.Tx, me, target Account, note string) error {
	note = strings.TrimSpace(note)
	if utf8.RuneCountInString(note) > MaxAccountNote {
		return fault.Keyed(fault.Invalid, "note.long", "This note is too long: 2000 characters at most.", nil)
	}
	if note == "" {
		return tx.Exec("DELETE FROM account_notes WHERE account_id = ? AND target_id = ?", me.ID, target.ID).Error
	}
	return tx.Exec(`INSERT INTO account_notes (account_id, target_id, note, updated_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (account_id, target_id) DO UPDATE SET note = excluded.note, updated_at = excluded.updated_at`, me.ID, target.ID, note, tx.Now).Error
}

// mostEndorsements bounds whom somebody shows on their profile.
const mostEndorsements = 50

// Endorse shows target, whom me follows, on me's profile.
func Endorse(tx *store.Tx, me, target Account) error {
	f, err := FollowBetween(tx, me.ID, target.ID)
	if err != nil {
		return err
	}
	if f.State != FollowAccepted {
		return fault.Keyed(fault.Invalid, "endorse.follow", "You can show people whom you follow.", nil)
	}
	var n int64
	if err := tx.Raw("SELECT COUNT(*) FROM endorsements WHERE account_id = ?", me.ID).Scan(&n).Error; err != nil {
		return err
	}
	if n >= mostEndorsements {
		return fault.Keyed(fault.Invalid, "endorse.many", "You show as many people as there can be.", nil)
	}
	return tx.Exec("INSERT INTO endorsements (account_id, target_id, id, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", me.ID, target.ID, tx.NewID(), tx.Now).Error
}

// Unendorse takes target off me's profile.
func Unendorse(tx *store.Tx, me, target Account) error {
	return tx.Exec("DELETE FROM endorsements WHERE account_id = ? AND target_id = ?", me.ID, target.ID).Error
}

// Endorsed returns a page of those whom an account shows and still follows, the
// latest first.
func Endorsed(tx *store.Tx, account int64, page store.Page) ([]Listed, error) {
	q := tx.Table("endorsements").Select("accounts.*, endorsements.id AS cursor").Joins("JOIN accounts ON accounts.id = endorsements.target_id").
		Where(`endorsements.account_id = ? AND accounts.suspended_at IS NULL AND accounts.deleted_at IS NULL
			AND EXISTS (SELECT 1 FROM follows f WHERE f.follower_id = endorsements.account_id AND f.target_id = endorsements.target_id AND f.state = 'accepted')
			AND NOT EXISTS (SELECT 1 FROM hosts WHERE hosts.host = accounts.host AND hosts.blocked)`, account)
	return store.FindOn[Listed](q, page, "endorsements.id")
}

// Suggestion is somebody whom a person here might want to follow.
type Suggestion struct {
	AccountID int64
	Familiar  bool // several people follow them whom the person follows
}

// Suggestions returns whom me might want to follow: people here and at
// connected schools who want to be found, first those whom several people
// follow whom me follows: one alone would tell whom that one follows.
func Suggestions(tx *store.Tx, me int64, limit int) ([]Suggestion, error) {
	fit, args := suggestible(tx, me)
	var out []Suggestion
	err := tx.Raw(`SELECT accounts.id AS account_id, 1 = 1 AS familiar FROM (SELECT f.target_id AS id, COUNT(*) AS n FROM follows mine
			JOIN follows f ON f.follower_id = mine.target_id AND f.state = 'accepted' AND f.follower_local
			WHERE mine.follower_id = ? AND mine.state = 'accepted' GROUP BY f.target_id HAVING COUNT(*) > 1) AS near JOIN accounts ON accounts.id = near.id
		WHERE `+fit+" ORDER BY near.n DESC, accounts.id DESC LIMIT ?", append(append([]any{me}, args...), limit)...).Scan(&out).Error
	if err != nil || len(out) >= limit {
		return out, err
	}
	seen := []int64{0}
	for _, s := range out {
		seen = append(seen, s.AccountID)
	}
	var more []Suggestion
	err = tx.Raw("SELECT accounts.id AS account_id, 1 = 0 AS familiar FROM accounts WHERE accounts.discoverable AND accounts.id NOT IN ? AND "+fit+" ORDER BY accounts.id DESC LIMIT ?",
		append(append([]any{seen}, args...), limit-len(out))...).Scan(&more).Error
	return append(out, more...), err
}

// suggestible is the condition that an account may be suggested to me.
func suggestible(tx *store.Tx, me int64) (string, []any) {
	return `accounts.id <> ? AND accounts.discoverable AND accounts.actor_type = 'Person' AND accounts.moved_to = ''
		AND accounts.suspended_at IS NULL AND accounts.deleted_at IS NULL
		AND (accounts.host = '' AND EXISTS (SELECT 1 FROM users WHERE users.account_id = accounts.id AND users.state = 'active' AND (users.ends_at IS NULL OR users.ends_at > ?))
			OR accounts.host <> '' AND NOT accounts.silenced AND EXISTS (SELECT 1 FROM peers WHERE peers.host = accounts.host AND peers.standing = 'allowed'))
		AND NOT EXISTS (SELECT 1 FROM hosts WHERE hosts.host = accounts.host AND hosts.blocked)
		AND NOT EXISTS (SELECT 1 FROM host_blocks WHERE host_blocks.account_id = ? AND host_blocks.host = accounts.host)
		AND NOT EXISTS (SELECT 1 FROM follows f WHERE f.follower_id = ? AND f.target_id = accounts.id)
		AND NOT EXISTS (SELECT 1 FROM suggestions_refused s WHERE s.account_id = ? AND s.target_id = accounts.id)
		AND NOT EXISTS (SELECT 1 FROM mutes WHERE mutes.account_id = ? AND mutes.target_id = accounts.id)
		AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.account_id = ? AND blocks.target_id = accounts.id)
		AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.account_id = accounts.id AND blocks.target_id = ?)`,
		[]any{me, tx.Now, me, me, me, me, me, me}
}

// RefuseSuggestion has an account not suggested to me again.
func RefuseSuggestion(tx *store.Tx, me, target Account) error {
	return tx.Exec("INSERT INTO suggestions_refused (account_id, target_id, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", me.ID, target.ID, tx.Now).Error
}
