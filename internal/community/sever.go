package community

import (
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// severPiece is how many follows one transaction ends.
const severPiece = 50

// BlockHost blocks a server, and ends the follows between its people and those
// here: a block is meant to last. People here are told how many of theirs
// ended. Taking a server off the list is for a pause and ends none.
//
// docs/peering.md, "Taking a server off the list".
func BlockHost(tx *store.Tx, by int64, host string, e peers.Entry) (peers.Peer, error) {
	p, err := peers.Block(tx, by, host, e)
	if err != nil {
		return p, err
	}
	var waits int64
	if err := tx.Raw("SELECT COUNT(*) FROM chores WHERE kind = ? AND subject = ?", ChoreSever, p.Host).Scan(&waits).Error; err != nil || waits > 0 {
		return p, err
	}
	return p, charge(tx, ChoreSever, 0, p.Host)
}

// Farewell is the last thing that a blocked server is told: that a follow has
// ended. Without it, its people would wait for posts that do not come, and its
// server would go on delivering theirs.
type Farewell struct {
	Outgoing    // an Undo of a Follow from here, or a Reject of one from there
	Host, Inbox string
}

// SeverMore ends some of the follows to and from a blocked server and those
// below it, and returns what their servers would be told. It reports whether
// there are more.
func SeverMore(tx *store.Tx, c Chore) (told []Farewell, left bool, err error) {
	p, err := peers.Get(tx, c.Subject)
	if fault.Is(err, fault.NotFound) || err == nil && p.Standing != peers.Blocked {
		return nil, false, nil // it was taken back
	}
	if err != nil {
		return nil, false, err
	}
	var rows []struct {
		FollowRow
		Host, Inbox string
	}
	const columns = "SELECT f.*, a.host, CASE WHEN a.inbox <> '' THEN a.inbox ELSE a.shared_inbox END AS inbox FROM accounts a JOIN follows f ON "
	const of = " WHERE a.host = ? OR a.host LIKE ?"
	err = tx.Raw(columns+"f.follower_id = a.id"+of+" UNION ALL "+columns+"f.target_id = a.id"+of+" ORDER BY id LIMIT ?",
		c.Subject, "%."+c.Subject, c.Subject, "%."+c.Subject, severPiece+1).Scan(&rows).Error
	if err != nil {
		return nil, false, err
	}
	for _, r := range rows[:min(severPiece, len(rows))] {
		f := r.FollowRow
		if err := end(tx, f); err != nil {
			return nil, false, err
		}
		bye := Farewell{Host: r.Host, Inbox: r.Inbox, Outgoing: answer(VerbRejectFollow, f.TargetID, f)}
		person, column := f.TargetID, "followers"
		if f.FollowerLocal {
			person, column = f.FollowerID, "following"
			bye.Outgoing = Outgoing{Verb: VerbUndoFollow, ActorID: f.FollowerID, AccountID: &f.TargetID, ObjectURI: f.IRI(tx.Site), Facts: Facts{ReactionID: f.ID}}
		}
		bye.ID, bye.CreatedAt = tx.NewID(), tx.Now
		told = append(told, bye)
		if f.State != FollowAccepted {
			continue
		}
		if err := noteSevered(tx, c, person, r.Host, column); err != nil {
			return nil, false, err
		}
	}
	return told, len(rows) > severPiece, nil
}

// noteSevered counts, in one notification for each server, what ended for somebody.
func noteSevered(tx *store.Tx, c Chore, person int64, host, column string) error {
	var id int64
	err := tx.Raw(`SELECT s.notification_id FROM severed s JOIN notifications n ON n.id = s.notification_id
		WHERE n.account_id = ? AND n.kind = ? AND s.host = ? AND n.created_at >= ? LIMIT 1`, person, NotifySevered, host, c.CreatedAt).Scan(&id).Error
	if err != nil {
		return err
	}
	if id != 0 {
		return tx.Exec("UPDATE severed SET "+column+" = "+column+" + 1 WHERE notification_id = ?", id).Error
	}
	id = tx.NewShortID()
	// from themselves: of the other side nobody is shown any more
	res := tx.Exec(`INSERT INTO notifications (id, account_id, kind, from_id, created_at)
		SELECT ?, account_id, ?, account_id, ? FROM users WHERE account_id = ? AND state = 'active'`, id, string(NotifySevered), tx.Now, person)
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error
	}
	tx.Announce(NotificationArrived, person)
	tx.Announce(NotificationMade, id)
	if err := queuePushes(tx, person, id); err != nil {
		return err
	}
	return tx.Exec("INSERT INTO severed (notification_id, host, "+column+") VALUES (?, ?, 1)", id, host).Error
}

// Severed is what a notification of that kind tells: how many follows ended
// when a server was blocked.
type Severed struct {
	NotificationID int64
	Host           string
	Followers      int64
	Following      int64
	Act            string // "block" or "retire"
}

// TableName names the table.
func (Severed) TableName() string { return "severed" }

// SeveredBy returns what notifications of ended follows tell, by their IDs.
func SeveredBy(tx *store.Tx, notifications []int64) (map[int64]Severed, error) {
	found := make(map[int64]Severed, len(notifications))
	if len(notifications) == 0 {
		return found, nil
	}
	var rows []Severed
	if err := tx.Where("notification_id IN ?", notifications).Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, r := range rows {
		found[r.NotificationID] = r
	}
	return found, nil
}
