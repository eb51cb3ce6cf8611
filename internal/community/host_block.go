package community

import (
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// HostBlock says that one person here wants to see nothing of a server: no
// posts, no notifications, no follows. It is theirs alone; what the school
// itself refuses is decided in package peers.
type HostBlock struct {
	AccountID int64
	Host      string
	ID        int64
	CreatedAt time.Time
}

// mostHostBlocks bounds how many servers one person can shut out: each is
// asked about whenever a post is shown to them.
const mostHostBlocks = 1000

// HostBlocks returns a page of the servers that me shuts out, the latest first.
func HostBlocks(tx *store.Tx, me int64, page store.Page) ([]HostBlock, error) {
	return store.FindOn[HostBlock](tx.Model(&HostBlock{}).Where("account_id = ?", me), page, "host_blocks.id")
}

// HostBlockTies is what me loses with a server.
type HostBlockTies struct{ Following, Followers int }

// HostBlockPreview counts the follows that end when me shuts a server out.
func HostBlockPreview(tx *store.Tx, me int64, host string) (HostBlockTies, error) {
	var t HostBlockTies
	host, err := peers.Normalise(tx, host)
	if err != nil {
		return t, err
	}
	err = tx.Raw("SELECT COUNT(*) FROM follows f JOIN accounts a ON a.id = f.target_id WHERE f.follower_id = ? AND f.state = 'accepted' AND a.host = ?", me, host).Scan(&t.Following).Error
	if err != nil {
		return t, err
	}
	err = tx.Raw("SELECT COUNT(*) FROM follows f JOIN accounts a ON a.id = f.follower_id WHERE f.target_id = ? AND f.state = 'accepted' AND a.host = ?", me, host).Scan(&t.Followers).Error
	return t, err
}

// ShutOut has me see nothing of a server any more. Follows in both directions
// end, and their server is told.
func ShutOut(tx *store.Tx, me Account, host string) error {
	host, err := peers.Normalise(tx, host)
	if err != nil {
		return err
	}
	var n int64
	if err := tx.Raw("SELECT COUNT(*) FROM host_blocks WHERE account_id = ?", me.ID).Scan(&n).Error; err != nil {
		return err
	}
	if n >= mostHostBlocks {
		return fault.Keyed(fault.Invalid, "host.many", "You have shut out as many servers as one person can.", nil)
	}
	res := tx.Exec("INSERT INTO host_blocks (account_id, host, id, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", me.ID, host, tx.NewID(), tx.Now)
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error
	}
	var rows []FollowRow
	err = tx.Raw(`SELECT f.* FROM follows f JOIN accounts a ON a.id = f.target_id WHERE f.follower_id = ? AND a.host = ?
		UNION ALL SELECT f.* FROM follows f JOIN accounts a ON a.id = f.follower_id WHERE f.target_id = ? AND a.host = ?`, me.ID, host, me.ID, host).Scan(&rows).Error
	if err != nil {
		return err
	}
	for _, f := range rows {
		if err := end(tx, f); err != nil {
			return err
		}
		bye := answer(VerbRejectFollow, me.ID, f)
		if f.FollowerID == me.ID {
			bye = Outgoing{Verb: VerbUndoFollow, ActorID: me.ID, AccountID: &f.TargetID, ObjectURI: f.IRI(tx.Site), Facts: Facts{ReactionID: f.ID}}
		}
		if err := enqueue(tx, bye); err != nil {
			return err
		}
	}
	for _, sql := range []string{
		"DELETE FROM notifications WHERE account_id = ? AND from_id IN (SELECT id FROM accounts WHERE host = ?)",
		"DELETE FROM notification_requests WHERE account_id = ? AND from_id IN (SELECT id FROM accounts WHERE host = ?)",
		"DELETE FROM endorsements WHERE account_id = ? AND target_id IN (SELECT id FROM accounts WHERE host = ?)",
	} {
		if err := tx.Exec(sql, me.ID, host).Error; err != nil {
			return err
		}
	}
	tx.Announce(NotificationArrived, me.ID)
	tx.Announce(AccountChanged, me.ID)
	return nil
}

// LetIn takes ShutOut back. Follows do not come back with it.
func LetIn(tx *store.Tx, me Account, host string) error {
	host, err := peers.Normalise(tx, host)
	if err != nil {
		return err
	}
	tx.Announce(AccountChanged, me.ID)
	return tx.Exec("DELETE FROM host_blocks WHERE account_id = ? AND host = ?", me.ID, host).Error
}
