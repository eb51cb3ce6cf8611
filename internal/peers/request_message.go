package peers

import (
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// Saying is what is said to another server about a request.
type Saying string

// The sayings.
const (
	SayOffer      Saying = "offer"
	SayAccept     Saying = "accept"
	SayTrial      Saying = "trial"
	SayReject     Saying = "reject"
	SayUndoOffer  Saying = "undo_offer"
	SayUndoAccept Saying = "undo_accept"
)

// Message is a saying that the other server has not got yet. It was decided in
// the transaction that wrote it, and goes out whatever happens to the process;
// the other side knows a repeat by its address.
type Message struct {
	ID        int64
	RequestID int64
	Host      string
	Kind      Saying
	Summary   string
	Tries     int64
	NextAt    time.Time
	CreatedAt time.Time
}

// TableName names the table.
func (Message) TableName() string { return "peer_messages" }

const (
	// messageLease is how long one attempt may take before another node makes one.
	messageLease = 2 * time.Minute
	// messageFor is how long a message is tried.
	messageFor = AskedFor
)

func say(tx *store.Tx, r Request, kind Saying, summary string) error {
	tx.AnnounceKey(RequestsChanged, r.Host)
	return tx.Create(&Message{ID: tx.NewID(), RequestID: r.ID, Host: r.Host, Kind: kind, Summary: summary, NextAt: tx.Now, CreatedAt: tx.Now}).Error
}

// unsay takes back what was not said yet.
func unsay(tx *store.Tx, r Request, kinds ...Saying) error {
	return tx.Exec("DELETE FROM peer_messages WHERE request_id = ? AND kind IN ?", r.ID, kinds).Error
}

// DueMessages lists messages whose time has come: of each host the first, for
// what comes after it may take it back.
func DueMessages(tx *store.Tx, most int) ([]Message, error) {
	var due []Message
	err := tx.Where(`next_at <= ? AND NOT EXISTS (SELECT 1 FROM peer_messages before WHERE before.host = peer_messages.host AND before.id < peer_messages.id)`, tx.Now).
		Order("next_at, id").Limit(most).Find(&due).Error
	return due, err
}

// ClaimMessage takes a message for one attempt, so that no other node makes it
// too, with the request that it is about. It reports whether it was to be had.
func ClaimMessage(tx *store.Tx, m Message) (r Request, mine bool, err error) {
	res := tx.Exec("UPDATE peer_messages SET next_at = ? WHERE id = ? AND next_at <= ?", tx.Now.Add(messageLease), m.ID, tx.Now)
	if res.Error != nil || res.RowsAffected == 0 {
		return r, false, res.Error
	}
	r, err = RequestByID(tx, m.RequestID)
	return r, err == nil, err
}

// Said records that the other server took a message.
func Said(tx *store.Tx, m Message) error {
	if err := endMessage(tx, m); err != nil {
		return err
	}
	switch m.Kind {
	case SayOffer, SayReject:
		return tx.Exec("UPDATE peer_requests SET delivered_at = ?, trouble = '' WHERE id = ?", tx.Now, m.RequestID).Error
	case SayAccept, SayTrial:
		r, err := RequestByID(tx, m.RequestID)
		if err != nil {
			return err
		}
		if r.Connected() && r.Kind == ByOffer { // it has allowed this server before it said so
			if err := setView(tx, r.Host, ViewAllowed); err != nil {
				return err
			}
		}
		return tx.Exec("UPDATE peer_requests SET delivered_at = ?, trouble = '' WHERE id = ?", tx.Now, m.RequestID).Error
	}
	return nil
}

// Unsaid records that an attempt failed, for a reason of the message catalogue.
// It is tried again after a pause, unless that was the other side's last word or
// it took too long. news says whether people should be told.
func Unsaid(tx *store.Tx, m Message, why string, last bool, pause time.Duration) (news bool, err error) {
	if !last && tx.Now.Sub(m.CreatedAt) < messageFor {
		err := tx.Exec("UPDATE peer_messages SET tries = tries + 1, next_at = ? WHERE id = ?", tx.Now.Add(pause), m.ID).Error
		if err != nil {
			return false, err
		}
		tx.AnnounceKey(RequestsChanged, m.Host)
		return false, tx.Exec("UPDATE peer_requests SET trouble = ? WHERE id = ?", why, m.RequestID).Error
	}
	if err := endMessage(tx, m); err != nil {
		return false, err
	}
	if err := tx.Exec("UPDATE peer_requests SET trouble = ? WHERE id = ?", why, m.RequestID).Error; err != nil {
		return false, err
	}
	switch m.Kind {
	case SayOffer:
		res := tx.Exec("UPDATE peer_requests SET state = ?, decided_at = ? WHERE id = ? AND state = ?", RequestFailed, tx.Now, m.RequestID, RequestWaiting)
		if res.Error != nil {
			return false, res.Error
		}
		return res.RowsAffected > 0, setView(tx, m.Host, ViewRefused)
	case SayAccept, SayTrial:
		return true, setView(tx, m.Host, ViewRefused)
	}
	return false, nil
}

func endMessage(tx *store.Tx, m Message) error {
	tx.AnnounceKey(RequestsChanged, m.Host)
	return tx.Exec("DELETE FROM peer_messages WHERE id = ?", m.ID).Error
}
