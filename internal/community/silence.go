package community

import (
	"slices"
	"strings"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// A silenced peer's people are shown to whoever follows them, and in threads and
// groups, but in none of the lists that everybody shares. Reading does not ask
// the policy for it: each of their accounts carries a mark.

// loud is the condition that a row of posts is by nobody who is silenced.
const loud = "(posts.author_host = '' OR NOT EXISTS (SELECT 1 FROM accounts quiet WHERE quiet.id = posts.author_id AND quiet.silenced))"

// sharedSQL narrows what a list shows to what a list shows that all people
// share. It asks it where the author's row is asked for anyway.
func sharedSQL(shown string) string {
	const gone = "author.suspended_at IS NOT NULL OR author.deleted_at IS NOT NULL"
	if !strings.Contains(shown, gone) {
		return shown + " AND " + loud
	}
	return strings.Replace(shown, gone, gone+" OR author.silenced", 1)
}

// silent reports whether a post is kept from shared lists for whose it is.
func silent(tx *store.Tx, p Post) (bool, error) {
	if p.Local() {
		return false, nil
	}
	var yes bool
	err := tx.Raw("SELECT EXISTS (SELECT 1 FROM accounts WHERE id = ? AND silenced)", p.AuthorID).Scan(&yes).Error
	return yes, err
}

// silencePiece is how many accounts are marked in one transaction.
const silencePiece = 500

// SilenceDue returns the servers whose accounts carry another mark than the
// policy says, and which. Of a peer that is not admitted just now the mark stays.
func SilenceDue(tx *store.Tx) (map[string]bool, error) {
	var rows []struct {
		Host     string
		Silenced bool
	}
	err := tx.Raw(`SELECT hosts.host, hosts.silenced FROM hosts WHERE hosts.silenced
		UNION SELECT hosts.host, hosts.silenced FROM peers JOIN peer_hosts ON peer_hosts.peer_id = peers.id AND peer_hosts.confirmed_at IS NOT NULL
			JOIN hosts ON hosts.host = peer_hosts.host WHERE peers.silenced
		UNION SELECT hosts.host, hosts.silenced FROM peers JOIN hosts ON hosts.host LIKE '%.' || peers.host WHERE peers.silenced AND peers.subtree`).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	hosts := make([]string, len(rows))
	for i, r := range rows {
		hosts[i] = r.Host
	}
	decided, err := peers.Decide(tx, hosts)
	if err != nil {
		return nil, err
	}
	due := map[string]bool{}
	for _, r := range rows {
		if d := decided[r.Host]; d.Admitted && d.Silenced != r.Silenced {
			due[r.Host] = d.Silenced
		}
	}
	return due, nil
}

// MoreSilence marks some accounts of a server as the policy says at this moment,
// and reports whether there are more to mark.
func MoreSilence(tx *store.Tx, host string) (more bool, err error) {
	d, err := peers.DecideOne(tx, host)
	if err != nil || !d.Admitted {
		return false, err
	}
	var ids []int64
	err = tx.Raw("SELECT id FROM accounts WHERE host = ? AND silenced <> ? ORDER BY id LIMIT ?", host, d.Silenced, silencePiece).Scan(&ids).Error
	if err != nil {
		return false, err
	}
	if len(ids) == 0 {
		return false, tx.Exec("UPDATE hosts SET silenced = ? WHERE host = ?", d.Silenced, host).Error
	}
	for part := range slices.Chunk(ids, 250) {
		if err := tx.Exec("UPDATE accounts SET silenced = ? WHERE id IN ?", d.Silenced, part).Error; err != nil {
			return false, err
		}
	}
	return true, nil
}
