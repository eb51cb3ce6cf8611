package peers

import (
	"strings"

	"github.com/chalkring/chalkring/internal/store"
)

// Undo is that the other side takes back what it said.
type Undo struct {
	Host   string
	URI    string // of the Offer or Follow
	Accept bool   // it takes back that it accepted, not that it asked
	Why    string
}

// TakeUndo takes in that another server withdraws its request, or ends the
// connection. What was decided here stays, for people here to decide about.
// news says whether people should be told.
func TakeUndo(tx *store.Tx, u Undo) (r Request, news bool, err error) {
	d := In
	if u.Accept {
		d = Out
	}
	if r, err = oneRequest(tx, "direction = ? AND uri = ? AND host = ?", d, u.URI, u.Host); err != nil {
		return r, false, err
	}
	switch {
	case r.Connected():
		r.State = RequestEnded
		if err := setView(tx, r.Host, ViewRefused); err != nil {
			return r, false, err
		}
	case r.State == RequestWaiting && d == In:
		r.State = RequestWithdrawn
	default:
		return r, false, nil
	}
	if err := decideRequest(tx, 0, &r, u.Why); err != nil {
		return r, false, err
	}
	return r, r.State == RequestEnded, Record(tx, Line{Action: "peer." + string(r.State), Subject: r.Host, Reason: u.Why})
}

// SayEnded has a server told that this one has ended the connection that the
// two agreed on, and why. It says nothing where they never did.
func SayEnded(tx *store.Tx, host, why string) error {
	return sayEnded(tx, []string{host}, why)
}

// sayEnded is SayEnded for many servers.
func sayEnded(tx *store.Tx, hosts []string, why string) error {
	var agreed []Request
	if err := tx.Where("host IN ? AND state IN ?", hosts, []RequestState{RequestAccepted, RequestTrial}).Order("id").Find(&agreed).Error; err != nil {
		return err
	}
	for _, r := range agreed {
		kind := SayUndoOffer
		if r.Direction == In {
			kind = SayUndoAccept
		}
		r.State = RequestEnded
		if err := decideRequest(tx, 0, &r, cutReason(why)); err != nil {
			return err
		}
		if err := unsay(tx, r, SayOffer, SayAccept, SayTrial); err != nil {
			return err
		}
		if err := say(tx, r, kind, cutReason(why)); err != nil {
			return err
		}
	}
	return nil
}

// Agreed reports whether this server and another connected by asking each other,
// so that the end of it is something to be told.
func Agreed(tx *store.Tx, host string) (bool, error) {
	var some bool
	err := tx.Raw("SELECT EXISTS (SELECT 1 FROM peer_requests WHERE host = ? AND state IN ?)", host, []RequestState{RequestAccepted, RequestTrial}).Scan(&some).Error
	return some, err
}

func cutReason(why string) string {
	if r := []rune(strings.TrimSpace(why)); len(r) > MaxPurpose {
		return string(r[:MaxPurpose])
	}
	return strings.TrimSpace(why)
}

// dropRequests closes what waits between this server and others that were
// blocked, without a word.
func dropRequests(tx *store.Tx, hosts ...string) error {
	const open = "host IN ? AND state = 'waiting'"
	if err := tx.Exec("DELETE FROM peer_messages WHERE request_id IN (SELECT id FROM peer_requests WHERE "+open+")", hosts).Error; err != nil {
		return err
	}
	if err := revokeInvitations(tx, hosts...); err != nil {
		return err
	}
	res := tx.Exec("UPDATE peer_requests SET state = CASE WHEN direction = 'in' THEN 'rejected' ELSE 'withdrawn' END, decided_at = ?, code = '' WHERE "+open, tx.Now, hosts)
	if res.RowsAffected > 0 {
		announceRequests(tx, hosts)
	}
	return res.Error
}

// announceRequests tells that something changed about the requests of hosts; of
// many it is told once.
func announceRequests(tx *store.Tx, hosts []string) {
	key := ""
	if len(hosts) == 1 {
		key = hosts[0]
	}
	tx.AnnounceKey(RequestsChanged, key)
}

// closeRequests takes back what this server asked of one with which it ends the
// connection, and what it invited: their answer must not take it up again.
func closeRequests(tx *store.Tx, host string) error {
	var open []Request
	err := tx.Where("direction = ? AND host = ? AND state IN ? AND expires_at > ?", Out, host, []RequestState{RequestWaiting, RequestFailed}, tx.Now).Order("id").Find(&open).Error
	if err != nil {
		return err
	}
	for _, r := range open {
		if _, err := Withdraw(tx, 0, r.ID, ""); err != nil {
			return err
		}
	}
	return revokeInvitations(tx, host)
}

// revokeInvitations ends what was offered to servers before somebody decided
// otherwise about them.
func revokeInvitations(tx *store.Tx, hosts ...string) error {
	res := tx.Exec("UPDATE peer_invitations SET revoked_at = ? WHERE host IN ? AND used_at IS NULL AND revoked_at IS NULL", tx.Now, hosts)
	if res.RowsAffected > 0 {
		announceRequests(tx, hosts)
	}
	return res.Error
}

// SweepRequests ends requests whose time is over, and returns those of which
// administrators should be reminded now: the ones of others that end soon, each
// once.
func SweepRequests(tx *store.Tx) (remind []Request, err error) {
	var over []Request
	if err := tx.Where("state = ? AND expires_at <= ?", RequestWaiting, tx.Now).Order("expires_at").Limit(200).Find(&over).Error; err != nil {
		return nil, err
	}
	for _, r := range over {
		if err := expireRequest(tx, r); err != nil {
			return nil, err
		}
	}
	err = tx.Where("direction = ? AND state = ? AND expires_at <= ? AND reminded_at IS NULL AND created_at <= ?",
		In, RequestWaiting, tx.Now.Add(RemindBefore), tx.Now.Add(-RemindBefore)).Order("expires_at").Limit(200).Find(&remind).Error
	for _, r := range remind {
		if err == nil {
			err = tx.Exec("UPDATE peer_requests SET reminded_at = ? WHERE id = ?", tx.Now, r.ID).Error
		}
	}
	if err != nil {
		return nil, err
	}
	return remind, tx.Exec("DELETE FROM peer_offers WHERE created_at <= ?", tx.Now.Add(-2*offersDay)).Error
}

func expireRequest(tx *store.Tx, r Request) error {
	r.State = RequestExpired
	if err := decideRequest(tx, 0, &r, ""); err != nil {
		return err
	}
	if err := unsay(tx, r, SayOffer); err != nil {
		return err
	}
	if err := changeView(tx, r.Host, ViewUnknown, ViewPending); err != nil {
		return err
	}
	return Record(tx, Line{Action: "peer.request_expired", Subject: r.Host, Before: string(r.Direction)})
}
