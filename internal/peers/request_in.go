package peers

import (
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// Offered is what another server asks, after it was proven to be that server.
type Offered struct {
	Kind                   RequestKind
	Host, URI              string
	ActorURI, Inbox        string
	KeyHash, Phrase        string
	Name, Software         string
	Purpose, Contact, Code string
	Hint                   Hint
	Ends                   time.Time // zero: it does not say
}

// MayOffer fails if a server asked too often today, or too many did. It survives
// a restart, since it counts rows.
func MayOffer(tx *store.Tx, host string) error {
	var its, all int
	since := tx.Now.Add(-offersDay)
	if err := tx.Raw("SELECT COUNT(*) FROM peer_offers WHERE host = ? AND created_at > ?", host, since).Scan(&its).Error; err != nil {
		return err
	}
	if err := tx.Raw("SELECT COUNT(*) FROM (SELECT 1 AS one FROM peer_offers WHERE created_at > ? LIMIT ?) AS today", since, MostOffersInAll).Scan(&all).Error; err != nil {
		return err
	}
	if its >= MostOffers || all >= MostOffersInAll {
		return fault.Keyed(fault.TooMany, "peers.asked_often", "That is too often: a server may ask three times a day, and all of them together fifty times.", nil).After(6 * time.Hour)
	}
	return nil
}

// Repeated returns the request with an address that was taken before.
func Repeated(tx *store.Tx, host, uri string) (Request, bool, error) {
	r, err := oneRequest(tx, "direction = ? AND uri = ? AND host = ?", In, uri, host)
	if fault.Is(err, fault.NotFound) {
		return r, false, nil
	}
	return r, err == nil, err
}

// Receive takes in that another server asks to connect. It waits for a person,
// unless one has decided already: by an invitation, by allowing the server, or
// by asking it. A repeat has no effect. news says whether people should be told.
func Receive(tx *store.Tx, o Offered) (r Request, news bool, err error) {
	if r, known, err := Repeated(tx, o.Host, o.URI); known || err != nil {
		return r, false, err
	}
	d, err := mayAsk(tx, o.Host)
	if err != nil {
		return Request{}, false, err
	}
	if err := MayOffer(tx, o.Host); err != nil {
		return Request{}, false, err
	}
	if err := tx.Exec("INSERT INTO peer_offers (id, host, created_at) VALUES (?, ?, ?)", tx.NewID(), o.Host, tx.Now).Error; err != nil {
		return Request{}, false, err
	}
	r = Request{ID: tx.NewID(), Direction: In, Kind: o.Kind, State: RequestWaiting, Host: o.Host, URI: o.URI, ActorURI: o.ActorURI, Inbox: o.Inbox,
		KeyHash: o.KeyHash, Phrase: o.Phrase, Name: o.Name, Software: o.Software, Purpose: o.Purpose, Contact: o.Contact, Hint: o.Hint.String(),
		CreatedAt: tx.Now, ExpiresAt: tx.Now.Add(AskedFor)}
	if !o.Ends.IsZero() && o.Ends.Before(r.ExpiresAt) {
		r.ExpiresAt = o.Ends.UTC().Truncate(time.Millisecond)
	}
	if !tx.Now.Before(r.ExpiresAt) {
		return r, false, fault.Keyed(fault.Gone, "peers.request_over", "The time of this request is over.", nil)
	}
	// A newer request of a server stands in for the one that waits.
	err = tx.Exec("UPDATE peer_requests SET state = ?, decided_at = ? WHERE direction = ? AND host = ? AND state = ?", RequestWithdrawn, tx.Now, In, o.Host, RequestWaiting).Error
	if err != nil {
		return r, false, err
	}
	decided, policy, source, err := decidedBefore(tx, o, d, &r)
	if err != nil {
		return r, false, err
	}
	if err := tx.Create(&r).Error; err != nil {
		return r, false, err
	}
	if err := Seen(tx, r.Host); err != nil {
		return r, false, err
	}
	err = Record(tx, Line{Action: "peer.requested", Subject: r.Host, After: string(r.Kind), Reason: r.Purpose})
	if err != nil || !decided {
		tx.AnnounceKey(RequestsChanged, r.Host)
		return r, true, err
	}
	r, err = connect(tx, 0, r, policy, source)
	return r, true, err
}

// decidedBefore says whether a person has decided about a request before it came.
func decidedBefore(tx *store.Tx, o Offered, d Decision, r *Request) (decided bool, policy Policy, source string, err error) {
	if o.Code != "" {
		i, ok, err := redeem(tx, o.Host, o.Code)
		if err != nil {
			return false, policy, "", err
		}
		if ok {
			r.Preset = i.Preset
			policy, _ = Suggested(i.Preset, o.Software)
			return true, policy, SourceInvitation, nil
		}
		r.Trouble = "peers.code_unknown"
	}
	if d.Admitted && d.PeerID != 0 {
		r.Preset = d.Preset
		return true, d.Policy, "", nil
	}
	ours, err := RequestWith(tx, Out, o.Host)
	switch {
	case fault.Is(err, fault.NotFound):
		return false, policy, "", nil
	case err != nil:
		return false, policy, "", err
	case !ours.Waits(tx.Now) || o.Kind != ByOffer:
		return false, policy, "", nil
	case ours.KeyHash != o.KeyHash: // not the server that was looked at
		r.Trouble = "peers.key_changed"
		return false, policy, "", keyChanged(tx, ours)
	}
	r.Preset = ours.Preset
	policy, _ = Suggested(ours.Preset, o.Software)
	return true, policy, SourceHandshake, nil
}

// Acceptance is how an administrator accepts.
type Acceptance struct {
	Preset  Preset
	KeyHash string // that the phrase was made of which they saw; "" takes the one on record
	Label   string
	Note    string
}

// Accept connects with the server that asked. by is who decided, 0 for the
// command line. With PresetTrial it is for a time, and the server is told so.
func Accept(tx *store.Tx, by int64, id int64, a Acceptance) (Request, error) {
	r, err := asking(tx, id)
	if err != nil {
		return r, err
	}
	var form fault.Check
	checkPreset(a.Preset, &form)
	if err := form.Err(); err != nil {
		return r, err
	}
	if a.KeyHash != "" && a.KeyHash != r.KeyHash {
		return r, fault.Keyed(fault.Conflict, "peers.key_changed_now",
			"The key of this server has changed since you looked, and with it the six words. Compare them with the people there before you accept.", map[string]any{"Host": r.Host})
	}
	if _, err := mayAsk(tx, r.Host); err != nil {
		return r, err
	}
	if a.Label != "" {
		r.Name = a.Label
	}
	r.Preset = a.Preset
	policy, _ := Suggested(a.Preset, r.Software)
	if r, err = connect(tx, by, r, policy, SourceHandshake); err != nil {
		return r, err
	}
	return r, Record(tx, Line{ActorID: actor(by), Action: "peer.accept", Subject: r.Host, After: string(a.Preset)})
}

// asking returns a request of another server that waits.
func asking(tx *store.Tx, id int64) (Request, error) {
	r, err := RequestByID(tx, id)
	if err == nil && r.Direction != In {
		return r, fault.Keyed(fault.NotFound, "peers.no_request", "There is no such request.", nil)
	}
	if err == nil && !r.Waits(tx.Now) {
		return r, fault.Keyed(fault.Conflict, "peers.request_over", "This request does not wait any more.", nil)
	}
	return r, err
}

// connect accepts a request: the server's entry, what it is told, and the row.
// A source of "" leaves the entry as it is.
func connect(tx *store.Tx, by int64, r Request, policy Policy, source string) (Request, error) {
	if source != "" {
		if err := admit(tx, by, r, policy, source); err != nil {
			return r, err
		}
	}
	view := ViewPending
	if r.Kind == ByFollow {
		view = ViewUnknown // what it asks for is not what this server may have of it
	}
	if err := setPeer(tx, r, view); err != nil {
		return r, err
	}
	kind := SayAccept
	r.State = RequestAccepted
	if policy.Preset == PresetTrial {
		r.State, kind = RequestTrial, SayTrial
	}
	if err := decideRequest(tx, by, &r, ""); err != nil {
		return r, err
	}
	return r, say(tx, r, kind, "")
}

// answerWaiting accepts the request of a server that has just been allowed some
// other way, by hand or by a list: it is told at once, and nobody decides twice.
// One whose key has changed since it asked is left to a person.
func answerWaiting(tx *store.Tx, by int64, p Peer) error {
	r, err := RequestWith(tx, In, p.Host)
	if fault.Is(err, fault.NotFound) || err == nil && (!r.Waits(tx.Now) || r.Trouble != "") {
		return nil
	}
	if err != nil {
		return err
	}
	r.Preset = p.Preset
	_, err = connect(tx, by, r, p.Policy, "")
	return err
}

// admit puts the other server on the list.
func admit(tx *store.Tx, by int64, r Request, policy Policy, source string) error {
	before, err := Get(tx, r.Host)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if before.Standing == Retired { // with what was put aside
		if _, err := Resume(tx, by, r.Host, Ending{}); err != nil {
			return err
		}
	}
	e := Entry{Label: before.Label, Kind: before.Kind, PublicNote: before.PublicNote, Note: before.Note, Source: source, Policy: &policy, ReviewOn: before.ReviewOn}
	if e.Label == "" {
		e.Label = clipped(r.Name, maxLabel)
	}
	if e.Note == "" {
		e.Note = strings.TrimSpace(r.Purpose + "\n" + r.Contact)
		if r.Direction == Out { // what we said is not about them
			e.Note = ""
		}
	}
	_, err = Allow(tx, by, r.Host, e)
	return err
}

// decideRequest writes down what became of a request.
func decideRequest(tx *store.Tx, by int64, r *Request, answer string) error {
	r.DecidedAt, r.DecidedBy, r.Answer, r.Code = &tx.Now, actor(by), answer, ""
	tx.AnnounceKey(RequestsChanged, r.Host)
	return tx.Model(&Request{}).Where("id = ?", r.ID).Updates(map[string]any{"state": r.State, "preset": r.Preset, "decided_at": r.DecidedAt,
		"decided_by": r.DecidedBy, "answer": r.Answer, "code": r.Code, "hint": r.Hint}).Error
}

// Reject tells the server that asked that this one does not connect, and why.
func Reject(tx *store.Tx, by int64, id int64, why string) (Request, error) {
	r, err := asking(tx, id)
	if err != nil {
		return r, err
	}
	if why, err = reasonOf(why); err != nil {
		return r, err
	}
	r.State = RequestRejected
	if err := decideRequest(tx, by, &r, why); err != nil {
		return r, err
	}
	if err := say(tx, r, SayReject, why); err != nil {
		return r, err
	}
	return r, Record(tx, Line{ActorID: actor(by), Action: "peer.reject", Subject: r.Host, Reason: why})
}
