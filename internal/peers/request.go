package peers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// RequestsChanged is news that something changed about the requests of a host,
// named by the key, or that a message about one waits to be sent.
const RequestsChanged store.Topic = "peer_requests"

const (
	// AskedFor is for how long a request waits for an answer.
	AskedFor = 30 * 24 * time.Hour
	// RemindBefore is how long before its end administrators are reminded of it, once.
	RemindBefore = 7 * 24 * time.Hour
	// MostOffers is how often a server may ask in a day, and MostOffersInAll all of them together.
	MostOffers      = 3
	MostOffersInAll = 50

	offersDay = 24 * time.Hour
	// MaxPurpose and MaxContact bound what a request says, in characters.
	MaxPurpose = 500
	MaxContact = 200
)

// RequestDirection is who asks whom.
type RequestDirection string

// The directions.
const (
	Out RequestDirection = "out" // this server asks
	In  RequestDirection = "in"  // this server is asked
)

// RequestKind is how a server asks.
type RequestKind string

// The kinds of request.
const (
	ByOffer  RequestKind = "offer"  // an Offer of a Relationship
	ByFollow RequestKind = "follow" // a Follow of the server's own actor, by software that knows no more
)

// RequestState is what became of a request.
type RequestState string

// The states of a request.
const (
	RequestWaiting   RequestState = "waiting"
	RequestAccepted  RequestState = "accepted"
	RequestTrial     RequestState = "trial" // accepted for a time
	RequestRejected  RequestState = "rejected"
	RequestWithdrawn RequestState = "withdrawn" // by whoever asked
	RequestExpired   RequestState = "expired"
	RequestFailed    RequestState = "failed" // the other side does not take it
	RequestEnded     RequestState = "ended"  // it was accepted, and one side has ended that
)

// Request is one server's wish to connect with another, as this one knows it.
type Request struct {
	ID           int64
	Direction    RequestDirection
	Kind         RequestKind
	State        RequestState
	Host         string // the other server
	URI          string `gorm:"column:uri"` // of the Offer or Follow
	ActorURI     string `gorm:"column:actor_uri"`
	Inbox        string // of that server's own actor
	KeyHash      string // of its key when it asked, or was looked at to be asked
	Phrase       string // of that key and ours
	Name         string // as it says, like everything below
	Software     string
	Purpose      string
	Contact      string
	Preset       Preset // chosen here: what holds once it is accepted
	Hint         string // what the other side will do: see Hint
	Code         string // of an invitation, until there is an answer
	Answer       string // why it was rejected, withdrawn or ended
	Trouble      string // a message key: why it is not delivered, or what is odd about it
	DeliveredAt  *time.Time
	KeyChangedAt *time.Time // the other side has another key since
	RemindedAt   *time.Time
	DecidedAt    *time.Time
	DecidedBy    *int64
	CreatedBy    *int64
	CreatedAt    time.Time
	ExpiresAt    time.Time
}

// TableName names the table.
func (Request) TableName() string { return "peer_requests" }

// Waits reports whether a request waits for an answer, which it does for a time
// only, whether or not that was written down.
func (r Request) Waits(now time.Time) bool {
	return r.State == RequestWaiting && now.Before(r.ExpiresAt)
}

// MayEnd reports whether there is something to reject or to withdraw.
func (r Request) MayEnd(now time.Time) bool {
	return r.Waits(now) || r.Direction == Out && r.State == RequestFailed
}

// Connected reports whether both sides agreed.
func (r Request) Connected() bool { return r.State == RequestAccepted || r.State == RequestTrial }

// Hint is what a server says that it will do with what comes from the other. It
// is shown and decides nothing.
type Hint struct {
	Ceiling Ceiling // the widest that it sends
	Hold    Hold    // what it looks at first
}

// String is a hint as it is kept: without what has no meaning here.
func (h Hint) String() string {
	var parts []string
	if h.Ceiling.Valid() {
		parts = append(parts, "ceiling="+string(h.Ceiling))
	}
	if slices.Contains(Holds(), h.Hold) {
		parts = append(parts, "hold="+string(h.Hold))
	}
	return strings.Join(parts, " ")
}

// ParseHint reads what String wrote.
func ParseHint(s string) Hint {
	var h Hint
	for _, part := range strings.Fields(s) {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "ceiling":
			h.Ceiling = Ceiling(value)
		case "hold":
			h.Hold = Hold(value)
		}
	}
	return h
}

// Candidate is a server that was looked at, to be asked.
type Candidate struct {
	Host       string
	Name       string
	Software   string // with its version
	ActorURI   string // "" if it has no actor of its own
	Inbox      string
	KeyHash    string
	Picture    string // where its picture is; ""
	Phrase     string
	Understood bool // it knows requests to connect
}

// Form is what an administrator asks with.
type Form struct {
	Purpose string // why, for the people there
	Contact string // how to reach somebody here
	Preset  Preset // what will hold for the server once it accepts
	Code    string // of an invitation of theirs
}

func (f *Form) check() error {
	f.Purpose, f.Contact, f.Code = strings.TrimSpace(f.Purpose), strings.TrimSpace(f.Contact), strings.TrimSpace(f.Code)
	var form fault.Check
	if f.Purpose == "" {
		form.Add("purpose", "peers.purpose_missing", "Say in a sentence why you want to connect.", nil)
	}
	if f.Contact == "" {
		form.Add("contact", "peers.contact_missing", "Say how the people there can reach somebody here, best by telephone.", nil)
	}
	if utf8.RuneCountInString(f.Purpose) > MaxPurpose {
		form.Add("purpose", "peers.text_long", fmt.Sprintf("This is too long: %d characters at most.", MaxPurpose), map[string]any{"Most": MaxPurpose})
	}
	if utf8.RuneCountInString(f.Contact) > MaxContact {
		form.Add("contact", "peers.text_long", fmt.Sprintf("This is too long: %d characters at most.", MaxContact), map[string]any{"Most": MaxContact})
	}
	if len(f.Code) > 100 {
		form.Add("code", "peers.code_long", "This is no invitation code.", nil)
	}
	checkPreset(f.Preset, &form)
	return form.Err()
}

func checkPreset(p Preset, form *fault.Check) {
	if !p.Valid() {
		form.Add("preset", "peers.policy_invalid", "Choose one of the values that are offered.", nil)
	}
}

// RequestByID returns a request, or fault.NotFound.
func RequestByID(tx *store.Tx, id int64) (Request, error) { return oneRequest(tx, "id = ?", id) }

// RequestWith returns the request of a direction that a host waits with, or the
// last one if none waits; fault.NotFound if there never was one.
func RequestWith(tx *store.Tx, d RequestDirection, host string) (Request, error) {
	var r Request
	err := tx.Where("direction = ? AND host = ?", d, host).Order("CASE WHEN state = 'waiting' THEN 0 ELSE 1 END, id DESC").Take(&r).Error
	return r, noRequest(err)
}

func oneRequest(tx *store.Tx, where string, args ...any) (Request, error) {
	var r Request
	return r, noRequest(tx.Where(where, args...).Take(&r).Error)
}

func noRequest(err error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return fault.Keyed(fault.NotFound, "peers.no_request", "There is no such request.", nil)
	}
	return err
}

// WaitingRequests lists what waits for an answer, the longest first.
func WaitingRequests(tx *store.Tx, d RequestDirection) ([]Request, error) {
	var list []Request
	err := tx.Where("direction = ? AND state = ? AND expires_at > ?", d, RequestWaiting, tx.Now).Order("id").Limit(200).Find(&list).Error
	return list, err
}

// PastRequests returns a page of the requests that do not wait any more.
func PastRequests(tx *store.Tx, page store.Page) ([]Request, error) {
	return store.Find[Request](tx.Model(&Request{}).Where("state <> ? OR expires_at <= ?", RequestWaiting, tx.Now), page)
}

// CountAsking returns how many servers wait for an answer of this one.
func CountAsking(tx *store.Tx) (int, error) {
	var n int
	err := tx.Raw("SELECT COUNT(*) FROM peer_requests WHERE direction = ? AND state = ? AND expires_at > ?", In, RequestWaiting, tx.Now).Scan(&n).Error
	return n, err
}

// Concerned reports whether there is any request between a host and this server
// about which the host may still have something to say.
func Concerned(tx *store.Tx, host string) (bool, error) {
	var some bool
	err := tx.Raw("SELECT EXISTS (SELECT 1 FROM peer_requests WHERE host = ?)", host).Scan(&some).Error
	return some, err
}

// MayAsk is whether a server may say anything at all about connecting.
func MayAsk(tx *store.Tx, host string) error {
	_, err := mayAsk(tx, host)
	return err
}

// mayAsk fails if a request to connect with a host makes no sense, whoever asks.
func mayAsk(tx *store.Tx, host string) (Decision, error) {
	if h, err := iri.NormaliseHost(host, iri.IsDev(tx.Site.Host)); err != nil || h != host || h == tx.Site.Host {
		return Decision{}, NotAdmitted(host) // another port, or an address, of one that may be blocked
	}
	d, err := DecideOne(tx, host)
	if err == nil && (d.Standing == Blocked || d.Standing == Paused) {
		err = NotAdmitted(host)
	}
	return d, err
}

// Ask asks another server to connect. Nothing passes between the two before it
// has accepted. If it asks this one at the same time, the two are connected.
func Ask(tx *store.Tx, by int64, c Candidate, f Form) (Request, error) {
	if err := f.check(); err != nil {
		return Request{}, err
	}
	if c.ActorURI == "" || c.Inbox == "" {
		return Request{}, fault.Invalidf("host", "This server has nobody to ask: it has no actor of its own.").WithKey("peers.not_asked", map[string]any{"Host": c.Host})
	}
	if _, err := mayAsk(tx, c.Host); err != nil {
		if Refused(err) {
			err = fault.Invalidf("host", "This server is paused or blocked here. Decide about that first.").WithKey("peers.ask_blocked", map[string]any{"Host": c.Host})
		}
		return Request{}, err
	}
	if theirs, err := RequestWith(tx, In, c.Host); err == nil && theirs.Waits(tx.Now) && theirs.KeyHash == c.KeyHash {
		return Accept(tx, by, theirs.ID, Acceptance{Preset: f.Preset, KeyHash: c.KeyHash})
	} else if err != nil && !fault.Is(err, fault.NotFound) {
		return Request{}, err
	}
	if open, err := RequestWith(tx, Out, c.Host); err == nil && open.State == RequestWaiting {
		if open.Waits(tx.Now) {
			return open, fault.Invalidf("host", "This server was asked already. Withdraw that request before you ask anew.").WithKey("peers.asked_already", map[string]any{"Host": c.Host})
		}
		if err := expireRequest(tx, open); err != nil {
			return Request{}, err
		}
	} else if err != nil && !fault.Is(err, fault.NotFound) {
		return Request{}, err
	}
	id := tx.NewID()
	r := Request{ID: id, Direction: Out, Kind: ByOffer, State: RequestWaiting, Host: c.Host, URI: OfferURI(tx, id), ActorURI: c.ActorURI, Inbox: c.Inbox,
		KeyHash: c.KeyHash, Phrase: c.Phrase, Name: c.Name, Software: c.Software, Purpose: f.Purpose, Contact: f.Contact, Preset: f.Preset, Code: f.Code,
		CreatedBy: actor(by), CreatedAt: tx.Now, ExpiresAt: tx.Now.Add(AskedFor)}
	if err := tx.Create(&r).Error; err != nil {
		return r, err
	}
	if err := setView(tx, r.Host, ViewPending); err != nil {
		return r, err
	}
	if err := say(tx, r, SayOffer, ""); err != nil {
		return r, err
	}
	return r, Record(tx, Line{ActorID: actor(by), Action: "peer.request", Subject: r.Host, After: string(f.Preset), Reason: f.Purpose})
}

// OfferURI is the address of a request of this server's own.
func OfferURI(tx *store.Tx, id int64) string { return tx.Site.URL(fmt.Sprintf("/peering/%d", id)) }

func reasonOf(why string) (string, error) {
	why = strings.TrimSpace(why)
	if utf8.RuneCountInString(why) > MaxPurpose {
		return why, fault.Invalidf("reason", "This is too long: %d characters at most.", MaxPurpose).WithKey("peers.text_long", map[string]any{"Most": MaxPurpose})
	}
	return why, nil
}

// Withdraw takes back that this server asked.
func Withdraw(tx *store.Tx, by int64, id int64, why string) (Request, error) {
	r, err := RequestByID(tx, id)
	if err != nil {
		return r, err
	}
	if r.Direction != Out || !r.MayEnd(tx.Now) {
		return r, fault.Keyed(fault.Conflict, "peers.request_over", "This request does not wait any more.", nil)
	}
	if why, err = reasonOf(why); err != nil {
		return r, err
	}
	r.State = RequestWithdrawn
	if err := decideRequest(tx, by, &r, why); err != nil {
		return r, err
	}
	if err := unsay(tx, r, SayOffer); err != nil {
		return r, err
	}
	if err := say(tx, r, SayUndoOffer, why); err != nil {
		return r, err
	}
	if err := changeView(tx, r.Host, ViewUnknown, ViewPending); err != nil {
		return r, err
	}
	return r, Record(tx, Line{ActorID: actor(by), Action: "peer.withdraw", Subject: r.Host, Reason: why})
}

// Reply is what the server that was asked says.
type Reply struct {
	Host    string
	URI     string // of the Offer that it answers
	KeyHash string // of the key that signs it
	State   RequestState
	Hint    Hint
	Why     string
}

// TakeReply takes in how another server answers. One that is signed with another
// key than the one that was shown when it was asked has no effect. news says
// whether people should be told.
func TakeReply(tx *store.Tx, a Reply) (r Request, news bool, err error) {
	if r, err = oneRequest(tx, "direction = ? AND uri = ? AND host = ?", Out, a.URI, a.Host); err != nil {
		return r, false, err
	}
	if r.Connected() && (a.State == RequestAccepted || a.State == RequestTrial) || r.State == a.State {
		return r, false, nil // a repeat
	}
	if r.State != RequestFailed && !r.Waits(tx.Now) || !tx.Now.Before(r.ExpiresAt) {
		return r, false, fault.Keyed(fault.Gone, "peers.request_over", "This request does not wait any more.", nil)
	}
	if _, err := mayAsk(tx, r.Host); err != nil {
		return r, false, err
	}
	if a.KeyHash != r.KeyHash {
		if err := keyChanged(tx, r); err != nil {
			return r, false, err
		}
		return r, r.KeyChangedAt == nil, nil
	}
	r.State, r.Hint = a.State, a.Hint.String()
	if a.State == RequestRejected {
		if err := setView(tx, r.Host, ViewRefused); err != nil {
			return r, false, err
		}
	} else {
		policy, _ := Suggested(r.Preset, r.Software)
		d, err := DecideOne(tx, r.Host)
		if err != nil {
			return r, false, err
		}
		if d.Standing != Allowed || d.Peer != r.Host { // else it was decided meanwhile, as when both asked
			if err := admit(tx, who(r.CreatedBy), r, policy, SourceHandshake); err != nil {
				return r, false, err
			}
		}
		if err := setPeer(tx, r, ViewAllowed); err != nil {
			return r, false, err
		}
	}
	if err := decideRequest(tx, 0, &r, a.Why); err != nil {
		return r, false, err
	}
	return r, true, Record(tx, Line{Action: "peer.answered", Subject: r.Host, After: string(r.State), Reason: a.Why})
}

// KeyMismatch reports whether an answer to r was not taken because of its key.
func (r Request) KeyMismatch(keyHash string) bool { return r.KeyHash != keyHash && !r.Connected() }

func keyChanged(tx *store.Tx, r Request) error {
	tx.AnnounceKey(RequestsChanged, r.Host)
	return tx.Exec("UPDATE peer_requests SET key_changed_at = ?, trouble = ? WHERE id = ? AND key_changed_at IS NULL", tx.Now, "peers.key_changed", r.ID).Error
}

// NoteKey writes down which key a server that waits for an answer has now.
// changed says that it is another than when it asked.
func NoteKey(tx *store.Tx, id int64, hash, phrase string) (changed bool, err error) {
	res := tx.Exec("UPDATE peer_requests SET key_hash = ?, phrase = ?, key_changed_at = ? WHERE id = ? AND state = ? AND key_hash <> ?",
		hash, phrase, tx.Now, id, RequestWaiting, hash)
	if res.Error != nil || res.RowsAffected == 0 {
		return false, res.Error
	}
	r, err := RequestByID(tx, id)
	if err != nil {
		return true, err
	}
	tx.AnnounceKey(RequestsChanged, r.Host)
	return true, Record(tx, Line{Action: "peer.key_changed", Subject: r.Host, After: hash})
}

// setPeer writes down at a server's entry what a request told about it.
func setPeer(tx *store.Tx, r Request, view View) error {
	fields := map[string]any{"key_hash": r.KeyHash}
	if r.Hint != "" {
		fields["their_hint"] = r.Hint
	}
	if err := tx.Model(&Peer{}).Where("host = ?", r.Host).Updates(fields).Error; err != nil {
		return err
	}
	switch view {
	case ViewUnknown:
		return nil
	case ViewPending: // what a request of theirs has proven already stays
		return changeView(tx, r.Host, view, ViewUnknown, ViewRefused)
	}
	return setView(tx, r.Host, view)
}

// setView writes down what a server said about this one.
func setView(tx *store.Tx, host string, view View) error {
	return changeView(tx, host, view, ViewUnknown, ViewPending, ViewAllowed, ViewRefused)
}

// changeView is setView where something else was known, and that was one of from.
func changeView(tx *store.Tx, host string, view View, from ...View) error {
	return tx.Exec("UPDATE peers SET their_view = ?, their_view_at = ? WHERE host = ? AND their_view <> ? AND their_view IN ?", view, tx.Now, host, view, from).Error
}

// ViewOf returns what is known of how the peer behind a host sees this server;
// "" where there is no entry.
func ViewOf(tx *store.Tx, host string) (View, error) {
	var view View
	err := tx.Raw("SELECT p.their_view FROM peer_hosts h JOIN peers p ON p.id = h.peer_id WHERE h.host = ? AND h.confirmed_at IS NOT NULL LIMIT 1", host).Scan(&view).Error
	return view, err
}

// acceptedLately is for how long a message that a server took counts for more
// than that it does not show a document.
const acceptedLately = 24 * time.Hour

// NoteHeard remembers that a server sent or asked something, which it does not
// of one that it has not allowed. What it refuses it refuses all the same:
// whether it takes what is sent to it, only that can tell.
func NoteHeard(tx *store.Tx, host string) error {
	return noteView(tx, host, ViewAllowed, "their_view IN ?", []View{ViewUnknown, ViewPending})
}

// NoteTaken remembers that a server which refused what was sent to it takes it again.
func NoteTaken(tx *store.Tx, host string) error {
	return noteView(tx, host, ViewAllowed, "their_view = ?", ViewRefused)
}

// NoteRefusal remembers that a server refused what was sent to it.
func NoteRefusal(tx *store.Tx, host string) error {
	return noteView(tx, host, ViewRefused, "their_view <> ?", ViewRefused)
}

// NoteUnread remembers that a server did not show a document. That may be about
// the document alone: from one that took something lately it says nothing more.
func NoteUnread(tx *store.Tx, host string) error {
	return noteView(tx, host, ViewRefused, "their_view <> ? AND NOT (their_view = ? AND EXISTS (SELECT 1 FROM hosts WHERE hosts.host = ? AND hosts.last_out_at > ?))",
		ViewRefused, ViewAllowed, host, tx.Now.Add(-acceptedLately))
}

// noteView remembers what an exchange with a host has proven about how its
// server sees this one. Only of allowed peers it means something.
func noteView(tx *store.Tx, host string, view View, where string, args ...any) error {
	res := tx.Exec("UPDATE peers SET their_view = ?, their_view_at = ? WHERE standing = ? AND "+where+
		" AND id IN (SELECT peer_id FROM peer_hosts WHERE host = ? AND confirmed_at IS NOT NULL)", append(append([]any{view, tx.Now, Allowed}, args...), host)...)
	if res.RowsAffected > 0 {
		tx.AnnounceKey(RequestsChanged, host)
	}
	return res.Error
}
