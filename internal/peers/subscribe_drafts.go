package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// DraftKind is what a list would have done.
type DraftKind string

// The kinds.
const (
	DraftAllow  DraftKind = "allow"
	DraftChange DraftKind = "change" // of how a peer that came of a list is dealt with
	DraftBlock  DraftKind = "block"
	DraftRemove DraftKind = "remove" // the list took it back
	DraftPause  DraftKind = "pause"
	DraftResume DraftKind = "resume"
)

// DraftState is what became of a draft.
type DraftState string

// The states.
const (
	DraftOpen      DraftState = "open"
	DraftAccepting DraftState = "accepting" // accepted with many others, and not done yet
	DraftAccepted  DraftState = "accepted"
	DraftRejected  DraftState = "rejected"
	DraftFailed    DraftState = "failed" // it could not be done
	DraftUndone    DraftState = "undone"
)

// Draft is what follows from a list for one server: proposed, or done.
type Draft struct {
	ID        int64
	SubID     int64
	Host      string
	What      DraftKind
	State     DraftState
	Label     string
	Tier      Preset
	Subtree   bool
	Note      string
	Reason    string
	ExpiresAt *time.Time
	Before    string     // the peer before, in JSON; "" if there was none
	AppliedAt *time.Time // when it was done; nil if nothing had to be
	ByItself  bool       // no person decided it
	Error     string     // message key
	DecidedBy *int64
	DecidedAt *time.Time
	CreatedAt time.Time
}

// TableName names the table of drafts.
func (Draft) TableName() string { return "list_drafts" }

// BlockHost blocks a server with all that follows from it: see
// community.BlockHost.
type BlockHost func(tx *store.Tx, by int64, host string, e Entry) (Peer, error)

// carryOut does what a draft says, on the peer as it is, and notes it in the
// draft, which is not written yet. A failure that a person can read stays with
// the draft; others are returned.
func (d *Draft) carryOut(tx *store.Tx, by int64, s Subscription, peer Peer, software string, block BlockHost) error {
	d.State, d.Before, d.DecidedBy, d.DecidedAt, d.Error = DraftAccepted, asBefore(peer), actor(by), &tx.Now, ""
	why := s.Source()
	if d.Reason != "" {
		why = clipped(why+": "+d.Reason, maxNote)
	}
	var err error
	switch d.What {
	case DraftAllow, DraftChange:
		if peer.Host != "" && peer.Source != SourceList && d.What == DraftAllow { // somebody decided in the meantime
			d.Before = ""
			return nil
		}
		if peer.Standing == Blocked {
			d.State, d.Error = DraftFailed, "peerlist.is_blocked"
			return nil
		}
		if peer.Standing == Paused || peer.Standing == Retired { // which a change of policy does not take back
			d.State, d.Error = DraftFailed, "peerlist.could_not"
			return nil
		}
		policy, _ := Suggested(d.Tier, software)
		e := Entry{Label: d.Label, Kind: peer.Kind, PublicNote: d.Note, Note: peer.Note, Source: SourceList, Subtree: d.Subtree, Policy: &policy, ExpiresAt: d.ExpiresAt,
			ReviewOn: peer.ReviewOn, Reason: why}
		if e.Label == "" {
			e.Label = peer.Label
		}
		_, err = Allow(tx, by, d.Host, e)
	case DraftBlock:
		if block == nil {
			block = Block
		}
		if peer.Standing == Blocked {
			d.Before = ""
			return nil
		}
		_, err = block(tx, by, d.Host, Entry{Label: d.Label, PublicNote: d.Note, Source: SourceList, Reason: why})
	case DraftRemove:
		if peer.Host == "" || peer.Standing == Retired {
			return nil
		}
		why = fmt.Sprintf("no longer on the list: %s", s.Source())
		if peer.Standing == Blocked {
			err = Remove(tx, by, d.Host, why)
		} else {
			_, err = Retire(tx, by, d.Host, Ending{Reason: why})
		}
	case DraftPause:
		if peer.Standing != Allowed {
			return nil
		}
		_, err = Pause(tx, by, d.Host, Ending{Reason: why})
	case DraftResume:
		if peer.Standing != Paused {
			return nil
		}
		_, err = Resume(tx, by, d.Host, Ending{Reason: why})
	}
	if f := fault.Of(err); err != nil && f.Kind == fault.Internal {
		return err
	} else if err != nil {
		d.State, d.Error = DraftFailed, "peerlist.could_not"
		return nil
	}
	d.AppliedAt = &tx.Now
	return nil
}

// DraftFilter narrows Drafts.
type DraftFilter struct {
	SubID  int64
	What   DraftKind
	States []DraftState // nil: open ones, and those that could not be done
	Query  string       // part of the host
}

func (f DraftFilter) scope(q *gorm.DB) *gorm.DB {
	states := f.States
	if states == nil {
		states = []DraftState{DraftOpen, DraftFailed}
	}
	q = q.Where("list_drafts.state IN ?", states)
	if f.SubID != 0 {
		q = q.Where("list_drafts.sub_id = ?", f.SubID)
	}
	if f.What != "" {
		q = q.Where("list_drafts.what = ?", f.What)
	}
	if s := strings.ToLower(strings.TrimSpace(f.Query)); s != "" {
		q = q.Where(`list_drafts.host LIKE ? ESCAPE '\'`, containing(s))
	}
	return q
}

// Drafts returns a page of what follows from lists, the newest first.
func Drafts(tx *store.Tx, f DraftFilter, page store.Page) ([]Draft, error) {
	return store.FindOn[Draft](f.scope(tx.Model(&Draft{})), page, "list_drafts.id")
}

// DraftCount is how many drafts of a list and kind are in a state.
type DraftCount struct {
	SubID int64
	What  DraftKind
	State DraftState
	N     int
}

// CountDrafts counts what waits for a decision, and what was decided and is
// not done yet.
func CountDrafts(tx *store.Tx) ([]DraftCount, error) {
	var counts []DraftCount
	err := tx.Raw(`SELECT sub_id, what, state, COUNT(*) AS n FROM list_drafts WHERE state IN ('open', 'failed', 'accepting')
		GROUP BY sub_id, what, state`).Scan(&counts).Error
	return counts, err
}

// DraftByID returns a draft, or fault.NotFound.
func DraftByID(tx *store.Tx, id int64) (Draft, error) {
	var d Draft
	err := tx.Where("id = ?", id).Take(&d).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = fault.Keyed(fault.NotFound, "peerlist.no_draft", "There is no such draft.", nil)
	}
	return d, err
}

// AcceptDraft does what a draft says.
func AcceptDraft(tx *store.Tx, by, id int64, block BlockHost) (Draft, error) {
	d, err := DraftByID(tx, id)
	if err != nil {
		return d, err
	}
	if d.State != DraftOpen && d.State != DraftFailed && d.State != DraftAccepting {
		return d, fault.Keyed(fault.Conflict, "peerlist.decided", "This has been decided already.", nil)
	}
	s, err := SubscriptionByID(tx, d.SubID)
	if err != nil {
		return d, err
	}
	peer, err := Get(tx, d.Host)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return d, err
	}
	known, err := HostByName(tx, d.Host)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return d, err
	}
	if err := d.carryOut(tx, by, s, peer, known.Software, block); err != nil {
		return d, err
	}
	return d, tx.Save(&d).Error
}

// RejectDraft leaves a draft undone. The same is not proposed again unless the
// list changes what it says of the server.
func RejectDraft(tx *store.Tx, by, id int64) (Draft, error) {
	d, err := DraftByID(tx, id)
	if err != nil {
		return d, err
	}
	if d.State != DraftOpen && d.State != DraftFailed {
		return d, fault.Keyed(fault.Conflict, "peerlist.decided", "This has been decided already.", nil)
	}
	d.State, d.DecidedBy, d.DecidedAt = DraftRejected, actor(by), &tx.Now
	if err := tx.Save(&d).Error; err != nil {
		return d, err
	}
	return d, Record(tx, Line{ActorID: actor(by), Action: "draft.reject", Subject: d.Host, After: string(d.What)})
}

// AcceptDrafts accepts all that match; WorkDrafts does them piece by piece.
func AcceptDrafts(tx *store.Tx, by int64, f DraftFilter) (int, error) {
	return decideAll(tx, by, f, DraftAccepting, "draft.accept_all")
}

// RejectDrafts rejects all that match.
func RejectDrafts(tx *store.Tx, by int64, f DraftFilter) (int, error) {
	return decideAll(tx, by, f, DraftRejected, "draft.reject_all")
}

func decideAll(tx *store.Tx, by int64, f DraftFilter, state DraftState, action string) (int, error) {
	f.States = []DraftState{DraftOpen}
	res := f.scope(tx.Model(&Draft{})).Updates(map[string]any{"state": state, "decided_by": actor(by), "decided_at": tx.Now})
	if res.Error != nil || res.RowsAffected == 0 {
		return 0, res.Error
	}
	subject := "lists"
	if f.SubID != 0 {
		s, err := SubscriptionByID(tx, f.SubID)
		if err != nil {
			return 0, err
		}
		subject = s.Address()
	}
	tx.Announce(Subscribed, 0)
	return int(res.RowsAffected), Record(tx, Line{ActorID: actor(by), Action: action, Subject: subject, After: fmt.Sprintf("%d %s", res.RowsAffected, f.What)})
}

// WorkDrafts does up to so many of the drafts that were accepted together, and
// reports whether there are more.
func WorkDrafts(tx *store.Tx, most int, block BlockHost) (more bool, err error) {
	var due []Draft
	if err := tx.Where("state = ?", DraftAccepting).Order("id").Limit(most + 1).Find(&due).Error; err != nil {
		return false, err
	}
	for _, d := range due[:min(most, len(due))] {
		by := int64(0)
		if d.DecidedBy != nil {
			by = *d.DecidedBy
		}
		if _, err := AcceptDraft(tx, by, d.ID, block); err != nil {
			return false, err
		}
	}
	return len(due) > most, nil
}

// UndoDraft takes back what came of a list, as long as nothing else was decided
// about the server since.
func UndoDraft(tx *store.Tx, by, id int64) (Draft, error) {
	d, err := DraftByID(tx, id)
	if err != nil {
		return d, err
	}
	if d.State != DraftAccepted || d.AppliedAt == nil {
		return d, fault.Keyed(fault.Conflict, "peerlist.nothing_to_undo", "There is nothing to undo.", nil)
	}
	peer, err := Get(tx, d.Host)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return d, err
	}
	if peer.Host != "" && !peer.ChangedAt.Equal(*d.AppliedAt) {
		return d, fault.Keyed(fault.Conflict, "peerlist.decided_since", "Something else was decided about this server since. Change it on its own page.", map[string]any{"Host": d.Host})
	}
	var before Peer
	if d.Before != "" {
		if err := json.Unmarshal([]byte(d.Before), &before); err != nil {
			return d, fmt.Errorf("draft %d: %w", d.ID, err)
		}
	}
	if peer.Host == "" && !(d.What == DraftRemove && before.Standing == Blocked) { // somebody took it off
		return d, fault.Keyed(fault.Conflict, "peerlist.decided_since", "Something else was decided about this server since. Change it on its own page.", map[string]any{"Host": d.Host})
	}
	const why = "taken back"
	switch {
	case d.What == DraftPause:
		_, err = Resume(tx, by, d.Host, Ending{Reason: why})
	case d.What == DraftResume:
		_, err = Pause(tx, by, d.Host, Ending{Reason: why})
	case d.What == DraftRemove && peer.Standing == Retired:
		_, err = Resume(tx, by, d.Host, Ending{Reason: why})
	case before.Host == "":
		err = Remove(tx, by, d.Host, why)
	default:
		err = putBack(tx, by, peer, before, why)
	}
	if err != nil {
		return d, err
	}
	d.State = DraftUndone
	return d, tx.Save(&d).Error
}

// putBack puts an entry back as it was.
func putBack(tx *store.Tx, by int64, now, before Peer, why string) error {
	if now.Host != "" {
		before.keepLearned(now)
	}
	before.ChangedBy, before.ChangedAt = actor(by), tx.Now
	if err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "host"}}, UpdateAll: true}).Create(&before).Error; err != nil {
		return err
	}
	if err := confirm(tx, before.ID, before.Host, RoleMain); err != nil {
		return err
	}
	if err := markBlocked(tx, before.Host); err != nil {
		return err
	}
	tx.AnnounceKey(Changed, before.Host)
	return Record(tx, Line{ActorID: actor(by), Action: "peer.undo", Subject: before.Host, Before: now.String(), After: before.String(), Reason: why})
}

// SourcesOf returns what came of lists for a server, the newest first.
func SourcesOf(tx *store.Tx, host string) ([]Draft, error) {
	var all []Draft
	err := tx.Where("host = ? AND state IN ('accepted', 'undone')", host).Order("id DESC").Limit(20).Find(&all).Error
	return all, err
}

// Exclude is a host that no list touches by itself.
type Exclude struct {
	Host      string `gorm:"primaryKey"`
	Note      string
	CreatedBy *int64
	CreatedAt time.Time
}

// TableName names the table of them.
func (Exclude) TableName() string { return "list_excludes" }

// Excludes lists the hosts that no list touches by itself.
func Excludes(tx *store.Tx) ([]Exclude, error) {
	var all []Exclude
	err := tx.Order("host").Limit(1000).Find(&all).Error
	return all, err
}

// ExcludeHost has no list touch a host by itself from now on, or lets them again.
func ExcludeHost(tx *store.Tx, by int64, host, note string, exclude bool) error {
	host, err := Normalise(tx, host)
	if err != nil {
		return err
	}
	action := "peerlist.exclude"
	if exclude {
		e := Exclude{Host: host, Note: clipped(note, maxNote), CreatedBy: actor(by), CreatedAt: tx.Now}
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&e).Error; err != nil {
			return err
		}
		if err := tx.Exec("DELETE FROM list_drafts WHERE host = ? AND state = 'open'", host).Error; err != nil {
			return err
		}
	} else {
		action = "peerlist.include"
		if err := tx.Exec("DELETE FROM list_excludes WHERE host = ?", host).Error; err != nil {
			return err
		}
		if err := tx.Exec("UPDATE list_subs SET etag = ?, modified = '', next_at = CASE WHEN state = 'active' THEN ? ELSE next_at END", lookAgain, tx.Now).Error; err != nil {
			return err
		}
	}
	return Record(tx, Line{ActorID: actor(by), Action: action, Subject: host, Reason: note})
}

// CountMatching counts what Drafts would list.
func CountMatching(tx *store.Tx, f DraftFilter) (int, error) {
	var n int64
	err := f.scope(tx.Model(&Draft{})).Count(&n).Error
	return int(n), err
}
