package community

import (
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// TellPeering tells administrators of a request to connect, or of what became of
// one. Whoever was told of it already is told anew: it is unread again.
func TellPeering(tx *store.Tx, r peers.Request) error {
	var admins []int64
	err := tx.Raw("SELECT account_id FROM users WHERE state = 'active' AND role IN ?", []Role{Owner, ITAdmin}).Scan(&admins).Error
	if err != nil {
		return err
	}
	if err := tx.Exec("DELETE FROM notifications WHERE peer_request_id = ?", r.ID).Error; err != nil {
		return err
	}
	for _, admin := range admins {
		id := tx.NewShortID()
		// from themselves: a server that asks is nobody's account
		err := tx.Exec("INSERT INTO notifications (id, account_id, kind, from_id, created_at, peer_request_id) VALUES (?, ?, ?, ?, ?, ?)",
			id, admin, string(NotifyPeering), admin, tx.Now, r.ID).Error
		if err != nil {
			return err
		}
		tx.Announce(NotificationArrived, admin)
		tx.Announce(NotificationMade, id)
		if err := queuePushes(tx, admin, id); err != nil {
			return err
		}
	}
	return nil
}

// SweepPeering ends requests to connect whose time is over, and reminds
// administrators once of those that end soon.
func SweepPeering(tx *store.Tx) error {
	remind, err := peers.SweepRequests(tx)
	for _, r := range remind {
		if err == nil {
			err = TellPeering(tx, r)
		}
	}
	return err
}

// PeeringOf returns the requests that notifications are about, by their IDs.
func PeeringOf(tx *store.Tx, list []Notification) (map[int64]peers.Request, error) {
	found := map[int64]peers.Request{}
	var ids []int64
	for _, n := range list {
		if n.PeerRequestID != nil {
			ids = append(ids, *n.PeerRequestID)
		}
	}
	if len(ids) == 0 {
		return found, nil
	}
	var rows []peers.Request
	if err := tx.Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, r := range rows {
		found[r.ID] = r
	}
	return found, nil
}
