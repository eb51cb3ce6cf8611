package community

import (
	"encoding/json"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// severPiece is how many follows one transaction ends or takes up again.
const severPiece = 50

// BlockHost blocks a server, and ends the follows between its people and those
// here, as a retirement does: a block is meant to last. People here are told
// how many of theirs ended.
//
// docs/peering.md, "How a connection ends".
func BlockHost(tx *store.Tx, by int64, host string, e peers.Entry) (peers.Peer, error) {
	p, err := peers.Block(tx, by, host, e)
	if err != nil {
		return p, err
	}
	if err := dropHeldBelow(tx, p.Host); err != nil {
		return p, err
	}
	return p, chargeFor(tx, ChoreSever, p.Host, tx.Now)
}

// TieKind is what bound somebody here to somebody there.
type TieKind string

// The kinds of ties.
const (
	TieFollow      TieKind = "follow"       // somebody here followed somebody there
	TieFollower    TieKind = "follower"     // the other way round
	TieGroupMember TieKind = "group_member" // somebody here was in a group there
	TieModerator   TieKind = "moderator"
	TieRSVP        TieKind = "rsvp"
)

// Tie is a tie that ended with a connection, put aside so that it can be taken
// up again.
type Tie struct {
	ID         int64
	Peer       string // by the entry of which it ended
	Host       string // of the person there
	LocalID    int64
	RemoteID   int64
	Kind       TieKind
	State      FollowState
	URI        string `gorm:"column:uri"`
	Extra      string
	SeveredAt  time.Time
	RestoredAt *time.Time
}

// TableName names the table.
func (Tie) TableName() string { return "severed_ties" }

// tieExtra is what else belonged to a follow.
type tieExtra struct {
	FollowOptions
	Lists []int64 `json:",omitempty"` // in which lists the follower had them
}

// Farewell is the last thing that a server is told when the connection with it
// ends: that a follow has ended, or that a post of ours is taken back. Without
// the first, its people would wait for posts that do not come, and its server
// would go on delivering theirs.
type Farewell struct {
	Outgoing    // an Undo of a Follow from here, a Reject of one from there, or a Delete
	Host, Inbox string
}

// severs reports whether a standing ends ties.
func severs(s peers.Standing) bool { return s == peers.Blocked || s == peers.Retired }

// SeverMore ends some of the follows to and from a server that is blocked or
// retired, puts them aside, and returns what their servers would be told. It
// reports whether there are more.
func SeverMore(tx *store.Tx, c Chore) (told []Farewell, left bool, err error) {
	p, err := peers.Get(tx, c.Subject)
	if fault.Is(err, fault.NotFound) || err == nil && !severs(p.Standing) {
		return nil, false, nil // it was taken back
	}
	if err != nil {
		return nil, false, err
	}
	r, err := reachOf(tx, p)
	if err != nil {
		return nil, false, err
	}
	of, args := r.on("a.host")
	var rows []severing
	const columns = "SELECT f.*, a.host, a.actor_type, CASE WHEN a.inbox <> '' THEN a.inbox ELSE a.shared_inbox END AS inbox FROM accounts a JOIN follows f ON "
	err = tx.Raw(columns+"f.follower_id = a.id WHERE a.host <> '' AND "+of+" UNION ALL "+columns+"f.target_id = a.id WHERE a.host <> '' AND "+of+" ORDER BY id LIMIT ?",
		append(append(append([]any{}, args...), args...), severPiece+1)...).Scan(&rows).Error
	if err != nil {
		return nil, false, err
	}
	some := rows[:min(severPiece, len(rows))]
	if c.Total == 0 && len(rows) > 0 {
		if err := tx.Raw("SELECT (SELECT COUNT(*) FROM accounts a JOIN follows f ON f.follower_id = a.id WHERE a.host <> '' AND "+of+
			") + (SELECT COUNT(*) FROM accounts a JOIN follows f ON f.target_id = a.id WHERE a.host <> '' AND "+of+")",
			append(append([]any{}, args...), args...)...).Scan(&c.Total).Error; err != nil {
			return nil, false, err
		}
	}
	for _, row := range some {
		bye, err := sever(tx, c, p, row)
		if err != nil {
			return nil, false, err
		}
		told = append(told, bye)
	}
	c.Done += int64(len(some))
	if err := reached(tx, c); err != nil {
		return nil, false, err
	}
	if len(rows) > severPiece {
		return told, true, nil
	}
	if p.Standing == peers.Retired { // then what nobody here used goes
		err = chargeFor(tx, ChoreDrop, p.Host, tx.Now)
	}
	return told, false, err
}

// severing is a follow that ends, with whom it binds to there.
type severing struct {
	FollowRow
	Host, Inbox string
	ActorType   string
}

func sever(tx *store.Tx, c Chore, p peers.Peer, row severing) (Farewell, error) {
	f := row.FollowRow
	tie := Tie{ID: tx.NewID(), Peer: p.Host, Host: row.Host, LocalID: f.TargetID, RemoteID: f.FollowerID, Kind: TieFollower, State: f.State, URI: f.URI, SeveredAt: tx.Now}
	column := "followers"
	bye := Farewell{Host: row.Host, Inbox: row.Inbox, Outgoing: answer(VerbRejectFollow, f.TargetID, f)}
	if f.FollowerLocal {
		tie.Kind, tie.LocalID, tie.RemoteID = TieFollow, f.FollowerID, f.TargetID
		if row.ActorType == "Group" {
			tie.Kind = TieGroupMember
		}
		column = "following"
		bye.Outgoing = Outgoing{Verb: VerbUndoFollow, ActorID: f.FollowerID, AccountID: &f.TargetID, ObjectURI: f.IRI(tx.Site), Facts: Facts{ReactionID: f.ID}}
		extra := tieExtra{FollowOptions: f.FollowOptions}
		if err := tx.Raw("SELECT list_id FROM list_members WHERE target_id = ? AND account_id = ? ORDER BY list_id", f.TargetID, f.FollowerID).Scan(&extra.Lists).Error; err != nil {
			return bye, err
		}
		text, err := json.Marshal(extra)
		if err != nil {
			return bye, err
		}
		tie.Extra = string(text)
	}
	bye.ID, bye.CreatedAt = tx.NewID(), tx.Now
	if err := tx.Exec("DELETE FROM severed_ties WHERE local_id = ? AND remote_id = ? AND kind = ?", tie.LocalID, tie.RemoteID, tie.Kind).Error; err != nil {
		return bye, err // of an end before
	}
	if err := tx.Create(&tie).Error; err != nil {
		return bye, err
	}
	if err := end(tx, f); err != nil || f.State != FollowAccepted {
		return bye, err
	}
	act := "block"
	if p.Standing == peers.Retired {
		act = "retire"
	}
	return bye, noteSevered(tx, c, tie.LocalID, row.Host, column, act)
}

// noteSevered counts, in one notification for each server, what ended for somebody.
func noteSevered(tx *store.Tx, c Chore, person int64, host, column, act string) error {
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
	return tx.Exec("INSERT INTO severed (notification_id, host, act, "+column+") VALUES (?, ?, ?, 1)", id, host, act).Error
}

// Severed is what a notification of that kind tells: how many follows ended
// when a server was blocked or the connection with it was.
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
