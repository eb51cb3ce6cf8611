package federation

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/federation/sig"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

const (
	// relationPeer is the relationship that a server offers when it asks to connect.
	relationPeer = "https://w3id.org/chalkring/ns#peer"
	// maxOffer is the most bytes that a message about connecting may have.
	maxOffer = 8 << 10
	// maxDoorstep is the most bytes that are read of a server's own actor or
	// NodeInfo before it is connected with.
	maxDoorstep = 64 << 10
	// doorstepFor is for how long it is remembered what a server that asks said of
	// itself, and doorstepFailed that it did not answer: whoever uses its name
	// must not be able to make us ask it again and again.
	doorstepFor    = 5 * time.Minute
	doorstepFailed = time.Minute
	doorstepWithin = 10 * time.Second
	// mostDoorsteps is how many servers that nobody knows are asked in a minute
	// who they are. Of these one client's address may cause mostDoorstepsFrom, with
	// mostDoorstepsOf in the name of one server: whoever makes up names must not
	// use up what others need, and cannot speak for a server from elsewhere.
	mostDoorsteps     = 30
	mostDoorstepsFrom = 10
	mostDoorstepsOf   = 5
)

// handshake is a message about connecting, as it was read: one of the three.
type handshake struct {
	id, actor string
	ask       *peers.Offered
	reply     *peers.Reply
	undo      *peers.Undo
}

// readHandshake reads a message about connecting. It reports false for
// everything else, and for what is about others than this server.
//
// FEDERATION.md, "Asking to connect".
func readHandshake(site iri.Site, body []byte) (handshake, bool) {
	a, err := as2.Decode(body)
	if err != nil {
		return handshake{}, false
	}
	h := handshake{id: a.ID, actor: a.Actor}
	why := text.PlainLine(a.Summary, peers.MaxPurpose)
	hint := peers.Hint{Ceiling: peers.Ceiling(a.Ceiling), Hold: peers.Hold(a.Hold)}
	switch a.Type {
	case "Offer":
		r := a.Relationship
		if r == nil || r.Relationship != relationPeer || r.Subject != a.Actor || r.Object != site.Instance() {
			return h, false
		}
		h.ask = &peers.Offered{Kind: peers.ByOffer, URI: a.ID, ActorURI: a.Actor, Purpose: why, Contact: text.PlainLine(a.Contact, peers.MaxContact),
			Code: text.PlainLine(a.Invitation, 100), Hint: peers.ParseHint(hint.String()), Ends: a.EndTime}
	case "Follow":
		if a.ObjectID != site.Instance() {
			return h, false
		}
		h.ask = &peers.Offered{Kind: peers.ByFollow, URI: a.ID, ActorURI: a.Actor, Purpose: why}
	case "Accept", "TentativeAccept", "Reject":
		offer := a.ObjectID
		if a.Inner != nil && a.Inner.Type != "Offer" || !strings.HasPrefix(offer, site.URL("/peering/")) {
			return h, false
		}
		state := map[string]peers.RequestState{"Accept": peers.RequestAccepted, "TentativeAccept": peers.RequestTrial, "Reject": peers.RequestRejected}[a.Type]
		h.reply = &peers.Reply{URI: offer, State: state, Hint: peers.ParseHint(hint.String()), Why: why}
	case "Undo":
		switch in := a.Inner; {
		case in == nil:
			h.undo = &peers.Undo{URI: a.ObjectID, Why: why}
		case in.Actor != "" && in.Actor != a.Actor:
			return h, false
		case in.Type == "Offer" || in.Type == "Follow":
			h.undo = &peers.Undo{URI: in.ID, Why: why}
		case (in.Type == "Accept" || in.Type == "TentativeAccept") && strings.HasPrefix(in.ObjectID, site.URL("/peering/")):
			h.undo = &peers.Undo{URI: in.ObjectID, Accept: true, Why: why}
		default:
			return h, false
		}
		if h.undo.URI == "" {
			return h, false
		}
	default:
		return h, false
	}
	return h, true
}

// mayBeHandshake reports whether an activity of a server is one about
// connecting. Of a server that is not connected, a Follow of this server's own
// actor is, and whatever it takes back.
func mayBeHandshake(site iri.Site, e as2.Envelope, in *sender) bool {
	switch e.Type {
	case "Offer":
		return e.ObjectType == "Relationship"
	case "Follow":
		return e.ObjectID == site.Instance() && !in.admitted
	case "Accept", "TentativeAccept", "Reject":
		return e.ObjectType == "Offer" || strings.HasPrefix(e.ObjectID, site.URL("/peering/"))
	case "Undo":
		switch e.ObjectType {
		case "Offer", "Accept", "TentativeAccept":
			return true
		case "Follow", "":
			return !in.admitted && !in.former
		}
	}
	return false
}

// takeFromStranger is the one hole in the inbox of a closed server: a message
// about connecting, of a server that is not connected. Everything else is
// refused as ever, and before anything is fetched.
//
// FEDERATION.md, "Asking to connect".
func (f *Federation) takeFromStranger(w http.ResponseWriter, r *http.Request, in *sender) (outcome string, err error) {
	no := func() (string, error) {
		f.refused.note(in.host)
		return "", in.notAdmitted
	}
	if r.ContentLength <= 0 || r.ContentLength > maxOffer {
		return no()
	}
	switch d, err := f.policyOf(in.host); {
	case err != nil:
		return "", err
	case d.Standing == peers.Blocked || d.Standing == peers.Paused:
		return no()
	}
	room := f.rooms.strangeSmall
	if !room.enter(r.Context(), in.host, maxOffer) {
		return "", refuse(http.StatusTooManyRequests, "busy", "There is too much to read just now. Send it again in a minute.")
	}
	defer room.leave(in.host, maxOffer)
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(smallWithin)) // a connection that knows no deadline is a test's
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(http.MaxBytesReader(w, r.Body, maxOffer), body); err != nil {
		return "", refuse(http.StatusBadRequest, "malformed", "The body did not arrive whole.")
	}
	env, err := as2.ReadEnvelope(body)
	if err != nil || !mayBeHandshake(f.site, env, in) {
		return no()
	}
	h, ok := readHandshake(f.site, body)
	if !ok {
		return no()
	}
	return f.takeHandshake(r, in, h, body)
}

// takeHandshake checks who says something about connecting, and gives it its
// effect. It asks the sender's server for its own actor and, of one that asks,
// for its NodeInfo, and for nothing else.
func (f *Federation) takeHandshake(r *http.Request, in *sender, h handshake, body []byte) (outcome string, err error) {
	if len(body) > maxOffer {
		return "", refuse(http.StatusRequestEntityTooLarge, "size", "A request to connect may have %d bytes at most.", maxOffer)
	}
	if max(len(h.id), len(h.actor)) > maxAddress || !iri.SameOrigin(h.id, h.actor) || !iri.SameOrigin(h.actor, in.claim.KeyID) {
		return "", refuse(http.StatusUnauthorized, "origin", "The activity, its actor and the key that signs it must be of one server.")
	}
	err = f.db.Read(r.Context(), func(tx *store.Tx) error {
		if err := peers.MayAsk(tx, in.host); err != nil {
			return err
		}
		if h.ask != nil {
			if _, known, err := peers.Repeated(tx, in.host, h.id); known || err != nil {
				return err
			}
			return peers.MayOffer(tx, in.host)
		}
		some, err := peers.Concerned(tx, in.host)
		if err == nil && !some {
			err = peers.NotAdmitted(in.host)
		}
		return err
	})
	if err != nil {
		if peers.Refused(err) {
			f.refused.note(in.host)
		}
		return "", err
	}
	who, err := f.strangerAtDoorstep(r, in.host, h.actor)
	if no := (*refusal)(nil); errors.As(err, &no) {
		return "", no
	} else if err != nil {
		return "", refuse(http.StatusUnauthorized, "key", "The server's own actor %s could not be read: %v", h.actor, err)
	}
	if who.keyID != in.claim.KeyID {
		return "", refuse(http.StatusUnauthorized, "key", "What is about connecting must be signed with the key in the publicKey of %s.", h.actor)
	}
	if err := in.claim.Verify(r, body, f.site.Base(), who.key, f.db.Now()); err != nil {
		return "", unauthorized(err)
	}
	if h.ask != nil {
		return f.takeAsk(r.Context(), in, who, *h.ask)
	}
	err = f.db.Write(r.Context(), func(tx *store.Tx) error {
		var request peers.Request
		var news bool
		var err error
		if h.undo != nil {
			h.undo.Host = in.host
			request, news, err = peers.TakeUndo(tx, *h.undo)
		} else {
			h.reply.Host, h.reply.KeyHash = in.host, who.hash
			request, news, err = peers.TakeReply(tx, *h.reply)
			outcome = ""
			if err == nil && request.KeyMismatch(who.hash) {
				outcome = "key"
			}
		}
		if fault.Is(err, fault.NotFound) {
			outcome = "unknown"
			return nil
		}
		if err != nil || !news {
			return err
		}
		return community.TellPeering(tx, request)
	})
	switch {
	case err != nil:
		return "", err
	case outcome == "key":
		return "", refuse(http.StatusForbidden, "key", "The key of %s is another than the one that was shown when it was asked to connect.", in.host)
	case outcome == "unknown" && !in.admitted:
		f.refused.note(in.host)
		return "", peers.NotAdmitted(in.host)
	}
	return "handshake", nil
}

// waits is the outcome of a request to connect that a person will decide about.
const waits = "waits"

// waitsForApproval tells a server that its request has arrived and waits for a
// person here: it is not lost, and need not be sent again.
//
// FEP-c180; RFC 9110, section 15.3.3 (202).
func (f *Federation) waitsForApproval(w http.ResponseWriter, r *http.Request) {
	var site community.Site
	if err := f.db.Read(r.Context(), func(tx *store.Tx) (err error) {
		site, err = community.SiteOf(tx)
		return err
	}); err != nil {
		f.fail(w, r, err)
		return
	}
	f.problem(w, r, problem{
		Type:    approvalRequired,
		Title:   "Approval required",
		Status:  http.StatusAccepted,
		Detail:  "The request has arrived. The administrators of this server decide about it.",
		Contact: site.Contact,
		Peering: f.site.URL("/peering"),
	})
}

// takeAsk takes in a request to connect whose sender is known for who it is.
func (f *Federation) takeAsk(ctx context.Context, in *sender, who doorstep, ask peers.Offered) (outcome string, err error) {
	links, err := f.bare(ctx, f.site.Scheme+"://"+in.host+"/.well-known/nodeinfo", "application/json")
	if err == nil {
		_, _, err = readNodeInfoLinks(links.Body)
	}
	if err != nil {
		f.log.InfoContext(ctx, "request to connect refused", "host", in.host, "err", err)
		return "", refuse(http.StatusForbidden, "handshake", "The address /.well-known/nodeinfo of %s does not answer as that of a server.", in.host)
	}
	ask.Host, ask.Inbox, ask.KeyHash, ask.Name, ask.Software = in.host, who.inbox, who.hash, who.name, who.software
	if ask.Phrase, err = f.phraseWith(ctx, who.hash); err != nil {
		return "", err
	}
	var request peers.Request
	err = f.db.Write(ctx, func(tx *store.Tx) error {
		var news bool
		var err error
		if request, news, err = peers.Receive(tx, ask); err != nil || !news {
			return err
		}
		return community.TellPeering(tx, request)
	})
	if err != nil {
		return "", err
	}
	if request.State == peers.RequestWaiting {
		return waits, nil
	}
	return "handshake", nil
}

// phraseWith is the six words of this server's key and another's.
func (f *Federation) phraseWith(ctx context.Context, theirs string) (string, error) {
	if _, err := f.instanceKeys(ctx); err != nil { // made at the first start
		return "", err
	}
	var site community.Site
	if err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		site, err = community.SiteOf(tx)
		return err
	}); err != nil {
		return "", err
	}
	ours, err := peers.KeyHash(site.PublicKey)
	if err != nil {
		return "", err
	}
	return peers.Phrase(ours, theirs)
}

// doorstep is what a server's own actor says that is needed before it is
// connected with.
type doorstep struct {
	actor, inbox, name, software string
	icon                         string // where its picture is, on the same server
	keyID, hash                  string
	key                          crypto.PublicKey
	understands                  bool

	err error
	at  time.Time
}

// doorsteps remembers what servers that ask said of themselves.
type doorsteps struct {
	mu    sync.Mutex
	known map[string]doorstep
}

func (d *doorsteps) of(actor string, now time.Time) (doorstep, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one, ok := d.known[actor]
	last := doorstepFor
	if one.err != nil {
		last = doorstepFailed
	}
	return one, ok && now.Sub(one.at) < last
}

func (d *doorsteps) keep(actor string, one doorstep) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil || len(d.known) >= mostLimited {
		d.known = map[string]doorstep{}
	}
	d.known[actor] = one
}

// strangerAtDoorstep is atDoorstep for a request of somebody who is not known
// yet: what the server said a moment ago is enough, and it is asked so often only.
//
// RFC 6585, section 4 (429); RFC 9110, section 10.2.3 (Retry-After).
func (f *Federation) strangerAtDoorstep(r *http.Request, host, actor string) (doorstep, error) {
	now := f.db.Now()
	if one, ok := f.doorsteps.of(actor, now); ok {
		return one, one.err
	}
	if left, ok := f.knocks.take(f.from(r), host, now); !ok {
		return doorstep{}, &refusal{status: http.StatusTooManyRequests, outcome: "busy", later: left + time.Second,
			text: "Too many servers that are not known here ask just now. Send it again in a minute."}
	}
	return f.atDoorstep(r.Context(), host, actor)
}

// atDoorstep reads a server's own actor, unsigned and without following a
// redirect, and remembers what it said.
func (f *Federation) atDoorstep(ctx context.Context, host, actor string) (doorstep, error) {
	now := f.db.Now()
	one, err := f.readDoorstep(ctx, host, actor)
	if ctx.Err() != nil {
		return one, ctx.Err()
	}
	one.err, one.at = err, now
	f.doorsteps.keep(actor, one)
	return one, err
}

// knocks bounds how often strangers make us ask a server who it is: first what
// one client causes, so that it uses up no more of what all have together.
type knocks struct{ paces }

func (k *knocks) take(from, host string, now time.Time) (left time.Duration, ok bool) {
	if left, ok = k.paces.take("from "+from, mostDoorstepsFrom, now); !ok {
		return left, false
	}
	if left, ok = k.paces.take("from "+from+" of "+host, mostDoorstepsOf, now); !ok {
		return left, false
	}
	return k.paces.take("all", mostDoorsteps, now)
}

// from says whose a request is.
func (f *Federation) from(r *http.Request) string {
	if f.address != nil {
		return f.address(r)
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host
}

// readDoorstep fetches a server's own actor and believes it of its own origin.
//
// FEP-2677 (it can be read unsigned); FEP-fe34.
func (f *Federation) readDoorstep(ctx context.Context, host, address string) (doorstep, error) {
	if at, err := iri.HostOf(address); err != nil || at != host {
		return doorstep{}, fault.New(fault.NotFound, "%s is no address on %s", address, host)
	}
	res, err := f.bare(ctx, address, acceptActivity)
	if err != nil {
		return doorstep{}, err
	}
	if !isActivityJSON(res.Header.Get("Content-Type")) {
		return doorstep{}, fault.New(fault.NotFound, "there is no actor at %s", address)
	}
	a, err := as2.DecodeActor(res.Body)
	if err != nil {
		return doorstep{}, err
	}
	switch {
	case a.ID != address:
		return doorstep{}, fault.New(fault.NotFound, "%s is the actor %s", address, a.ID)
	case a.Type != "Application":
		return doorstep{}, fault.New(fault.NotFound, "%s is a %s and does not speak for its server", address, a.Type)
	case !iri.SameOrigin(a.Inbox, a.ID) || len(a.Inbox) > maxAddress:
		return doorstep{}, fault.New(fault.NotFound, "%s has no inbox on its own server", address)
	case !iri.SameOrigin(a.PublicKey.ID, a.ID) || a.PublicKey.Owner != "" && a.PublicKey.Owner != a.ID:
		return doorstep{}, fault.New(fault.NotFound, "%s has no key of its own", address)
	}
	d := doorstep{actor: a.ID, inbox: a.Inbox, keyID: a.PublicKey.ID, name: text.PlainLine(a.Name, maxName), understands: a.Implements(closedAudiences)}
	if a.Generator != nil {
		d.software = text.PlainLine(a.Generator.Name, 50)
	}
	if a.Icon != nil && len(a.Icon.URL) <= maxAddress && iri.SameOrigin(a.Icon.URL, a.ID) {
		d.icon = a.Icon.URL
	}
	if d.key, err = sig.ParsePublicKey(a.PublicKey.PEM); err != nil {
		return doorstep{}, err
	}
	canonical, err := sig.PublicPEM(d.key)
	if err != nil {
		return doorstep{}, err
	}
	d.hash, err = peers.KeyHash(canonical)
	return d, err
}

// bare asks for a document of a server that may not be connected, unsigned, and
// follows no redirect: another server may stand there. Only what connecting
// takes is asked for like this.
func (f *Federation) bare(ctx context.Context, address, accept string) (*egress.Response, error) {
	within, cancel := context.WithTimeout(ctx, doorstepWithin)
	defer cancel()
	res, err := f.egress.Get(within, egress.Request{URL: address, Accept: accept, MaxBody: maxDoorstep})
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d", address, res.Status)
	}
	return res, nil
}

// LookAt reads what a server says of itself, for an administrator who wants to
// ask it to connect. Nothing is known of it yet, so it is asked unsigned, for its
// NodeInfo and its own actor.
//
// FEP-2677 and FEP-d556 (finding a server's actor).
func (f *Federation) LookAt(ctx context.Context, typed string) (peers.Candidate, error) {
	c := peers.Candidate{}
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		if c.Host, err = peers.Normalise(tx, typed); err != nil {
			return err
		}
		d, err := peers.DecideOne(tx, c.Host)
		if err == nil && (d.Standing == peers.Blocked || d.Standing == peers.Paused) {
			err = fault.Invalidf("host", "This server is paused or blocked here. Decide about that first.").WithKey("peers.ask_blocked", map[string]any{"Host": c.Host})
		}
		return err
	})
	if err != nil {
		return c, err
	}
	base := f.site.Scheme + "://" + c.Host
	silent := func(err error) error {
		f.log.InfoContext(ctx, "server not looked at", "host", c.Host, "err", err)
		if errors.Is(err, egress.ErrRedirect) {
			return fault.Invalidf("host", "The server %s sends whoever asks it to another name. Ask it by that name.", c.Host).WithKey("peers.look_redirect", map[string]any{"Host": c.Host})
		}
		return fault.Invalidf("host", "The server %s did not answer as expected. Check the name, or try again later.", c.Host).WithKey("peers.look_silent", map[string]any{"Host": c.Host})
	}
	res, err := f.bare(ctx, base+"/.well-known/nodeinfo", "application/json")
	if err != nil {
		return c, silent(err)
	}
	document, actor, err := readNodeInfoLinks(res.Body)
	if err != nil {
		return c, silent(err)
	}
	if at, err := iri.HostOf(document); err == nil && at == c.Host {
		if res, err = f.bare(ctx, document, "application/json"); err != nil {
			return c, silent(err)
		}
		n, err := readNodeInfo(res.Body)
		if err != nil {
			return c, silent(err)
		}
		c.Name, c.Software = text.PlainLine(n.Name, maxName), text.PlainLine(strings.TrimSpace(n.Software+" "+n.Version), 100)
		c.Understood = strings.EqualFold(n.Software, "chalkring")
	}
	if actor == "" {
		if res, err = f.bare(ctx, base+"/.well-known/webfinger?resource="+escapeQuery(base+"/"), "application/jrd+json, application/json"); err == nil {
			actor, _ = readWebFinger(res.Body) // none: it has no actor of its own
		}
	}
	if actor == "" {
		return c, nil
	}
	who, err := f.atDoorstep(ctx, c.Host, actor)
	if err != nil {
		f.log.InfoContext(ctx, "server has no actor of its own", "host", c.Host, "err", err)
		c.Understood = false
		return c, nil
	}
	c.ActorURI, c.Inbox, c.KeyHash, c.Picture = who.actor, who.inbox, who.hash, who.icon
	c.Understood = c.Understood || who.understands
	if c.Name == "" {
		c.Name = who.name
	}
	c.Phrase, err = f.phraseWith(ctx, who.hash)
	return c, err
}

// PictureAt returns where a server that was looked at has its picture, and how it
// is fetched: unsigned, without following redirects, and from that server alone.
// It is empty if there is none.
func (f *Federation) PictureAt(ctx context.Context, actor string) (address string, get media.Getter, err error) {
	host, err := iri.HostOf(actor)
	if err != nil {
		return "", nil, fault.Wrap(fault.NotFound, err, "There is no such server.")
	}
	err = f.db.Read(ctx, func(tx *store.Tx) error {
		d, err := peers.DecideOne(tx, host)
		if err == nil && (d.Standing == peers.Blocked || d.Standing == peers.Paused) {
			err = peers.NotAdmitted(host)
		}
		return err
	})
	if err != nil {
		return "", nil, err
	}
	one, ok := f.doorsteps.of(actor, f.db.Now())
	if !ok {
		one, err = f.atDoorstep(ctx, host, actor)
	}
	if one.err != nil {
		err = one.err
	}
	if err != nil {
		return "", nil, fault.Wrap(fault.NotFound, err, "The server %s does not say who it is.", host)
	}
	if one.icon == "" {
		return "", nil, nil
	}
	return one.icon, func(ctx context.Context, address string) ([]byte, string, error) {
		within, cancel := context.WithTimeout(ctx, doorstepWithin)
		defer cancel()
		res, err := f.egress.Get(within, egress.Request{URL: address, Accept: "image/*", MaxBody: media.Portraits().Bytes})
		if err == nil && res.Status != http.StatusOK {
			err = fmt.Errorf("%s answers %d", address, res.Status)
		}
		if err != nil {
			return nil, "", fault.Wrap(fault.NotFound, err, "This picture cannot be shown.").WithKey("media.not_shown", nil)
		}
		return res.Body, res.Header.Get("Content-Type"), nil
	}, nil
}

// Recheck reads anew which key a server has that waits to be connected with, so
// that nobody accepts another one than they saw.
func (f *Federation) Recheck(ctx context.Context, id int64) error {
	var r peers.Request
	if err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		r, err = peers.RequestByID(tx, id)
		return err
	}); err != nil || r.Direction != peers.In || r.State != peers.RequestWaiting {
		return err
	}
	who, err := f.atDoorstep(ctx, r.Host, r.ActorURI)
	if err != nil {
		f.log.InfoContext(ctx, "key not read anew", "host", r.Host, "err", err)
		return fault.Keyed(fault.Conflict, "peers.recheck_silent",
			fmt.Sprintf("The server %s does not answer just now, so that nobody can tell whether it is still the one that asked. Please try again later.", r.Host), map[string]any{"Host": r.Host})
	}
	if who.hash == r.KeyHash {
		return nil
	}
	phrase, err := f.phraseWith(ctx, who.hash)
	if err != nil {
		return err
	}
	return f.db.Write(ctx, func(tx *store.Tx) error {
		_, err := peers.NoteKey(tx, id, who.hash, phrase)
		return err
	})
}
