package federation

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/federation/sig"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// maxInbox is the most bytes that an activity may have; Mastodon takes no more
// either.
const maxInbox = as2.MaxBytes

// maxAddress is the most bytes an address may have; databases index no more.
const maxAddress = 2000

// handled are the activities that are worked. Others are answered 202 and
// forgotten: an error would only have them sent again.
var handled = map[string]bool{
	"Create": true, "Update": true, "Delete": true, "Follow": true, "Accept": true, "Reject": true,
	"Undo": true, "Announce": true, "Like": true, "Block": true, "EmojiReact": true, "QuoteRequest": true, "Move": true,
	"Add": true, "Remove": true, "Flag": true,
}

// parting are the activities that a server which is no longer connected may
// still send about its own things, so that erasure works after a break-up.
var parting = map[string]bool{"Delete": true, "Undo": true, "Reject": true, "Move": true}

// refusal is an answer to a sender, with a word for the figures.
type refusal struct {
	status  int
	outcome string
	text    string
	gone    bool          // the key was asked for, and is there no more
	later   time.Duration // when to try again
	kind    string        // of the problem, where it has one
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, outcome, format string, args ...any) error {
	return &refusal{status: status, outcome: outcome, text: fmt.Sprintf(format, args...)}
}

// postInbox answers POST on the shared inbox and on every actor's own: what is
// said decides where it goes, not where it was left.
//
// W3C ActivityPub, section 7; the order of the checks is ours: whether we talk
// to the host at all comes before anything that costs.
func (f *Federation) postInbox(w http.ResponseWriter, r *http.Request) {
	outcome, err := f.takeIn(w, r)
	if outcome == waits {
		f.metrics.inbox.With(outcome).Inc()
		f.waitsForApproval(w, r)
		return
	}
	if err == nil {
		f.metrics.inbox.With(outcome).Inc()
		if outcome == "held" {
			f.problem(w, r, problem{Type: approvalRequired, Title: "Approval required", Status: http.StatusAccepted,
				Detail: "Somebody at this server looks at this before it is shown."})
			return
		}
		w.WriteHeader(http.StatusAccepted)
		return
	}
	var no *refusal
	switch {
	case errors.As(err, &no):
		f.metrics.inbox.With(no.outcome).Inc()
		f.log.DebugContext(r.Context(), "inbox refused", "outcome", no.outcome, "reason", no.text)
		if no.later > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(no.later/time.Second)))
		}
		f.problem(w, r, problem{Type: no.kind, Status: no.status, Detail: no.text})
	case peers.Refused(err):
		f.metrics.inbox.With("peering").Inc()
		f.peeringRequired(w, r)
	default:
		f.metrics.inbox.With("error").Inc()
		f.fail(w, r, err)
	}
}

// takeIn checks an activity and puts it on disk, from where it is worked.
func (f *Federation) takeIn(w http.ResponseWriter, r *http.Request) (outcome string, err error) {
	if !isActivityJSON(r.Header.Get("Content-Type")) {
		return "", refuse(http.StatusUnsupportedMediaType, "type", "Send activities as application/activity+json.")
	}
	claim, err := sig.Read(r)
	if err != nil {
		return "", unauthorized(err)
	}
	host, err := iri.HostOf(claim.KeyID)
	if err != nil || len(claim.KeyID) > maxAddress {
		return "", refuse(http.StatusUnauthorized, "signature", "keyId is no address of a key: %v", err)
	}
	in := &sender{claim: claim, host: host}
	if err := f.look(in); err != nil {
		return "", err
	}
	if !in.admitted && !in.known {
		return f.takeFromStranger(w, r, in)
	}
	if !in.admitted && !in.former && !in.paused {
		f.refused.note(host)
		return "", in.notAdmitted
	}
	in.proven = f.verifyHead(r, in)
	if in.proven { // else anybody could use up what others may send
		if err := f.paceOf(w, r, in); err != nil {
			return "", err
		}
	}
	body, done, err := f.rooms.read(w, r, in.proven, host, in.policy.MaxBytes)
	if err != nil {
		return "", err
	}
	defer done()
	env, err := as2.ReadEnvelope(body)
	if err != nil {
		return "", refuse(http.StatusBadRequest, "malformed", "%v", err)
	}
	if max(len(env.ID), len(env.Actor), len(env.ObjectID)) > maxAddress {
		return "", refuse(http.StatusBadRequest, "malformed", "Addresses may have %d bytes at most.", maxAddress)
	}
	if mayBeHandshake(f.site, env, in) {
		if h, ok := readHandshake(f.site, body); ok {
			return f.takeHandshake(r, in, h, body)
		}
	}
	if !in.admitted && !parting[env.Type] {
		f.refused.note(host)
		return "", in.notAdmitted
	}
	if env.Type == "Delete" && env.ObjectID == env.Actor && !in.known {
		// Servers tell everyone they know when an account goes; its key is
		// gone then too, and mostly there is nothing of it here.
		return "ignored", f.mayHaveDeparted(r.Context(), in, env, body)
	}
	forwarded := !iri.SameOrigin(env.Actor, claim.KeyID)
	if forwarded && in.admitted && f.site.Local(env.Actor) {
		return "ignored", nil // Fedify hands on what it got to all who follow, and so back
	}
	if !iri.SameOrigin(env.ID, env.Actor) || forwarded && !in.admitted {
		return "", refuse(http.StatusUnauthorized, "origin", "The activity, its actor and the key that signs it must be of one server.")
	}
	if err := f.authenticate(r, body, in); err != nil {
		if env.Type == "Delete" && env.ObjectID == env.Actor {
			var no *refusal
			if errors.As(err, &no) && no.gone { // which is what it says; a refusal would only bring it back
				return "ignored", f.mayHaveDeparted(r.Context(), in, env, body)
			}
		}
		return "", err
	}
	if !in.proven {
		if err := f.paceOf(w, r, in); err != nil {
			return "", err
		}
	}
	if in.admitted {
		f.heardFrom(r.Context(), host)
	}
	if forwarded {
		return f.takeForwarded(in, env, body)
	}
	if in.actorURI != env.Actor {
		return "", refuse(http.StatusUnauthorized, "actor", "The key belongs to %s, who is not the actor.", in.actorURI)
	}
	if !handled[env.Type] {
		return "ignored", nil
	}
	if in.paused {
		if err := f.roomForPaused(r.Context(), host); err != nil {
			return "", err
		}
	}
	held, err := f.foresee(in, body)
	if err != nil {
		return "", err
	}
	c := &comer{host: host, id: env.ID, actor: env.Actor, kind: env.Type, body: body}
	f.intake.wait(c)
	switch {
	case c.err != nil:
		return "", c.err
	case held:
		return "held", nil
	case !c.fresh:
		return "duplicate", nil
	}
	if in.admitted {
		f.heardOfFollowers(in.account, r.Header.Get(synchronization))
	}
	return "accepted", nil
}

// sender is who signed a request, as far as it is known.
type sender struct {
	claim       sig.Claim
	host        string
	admitted    bool
	former      bool // not admitted any more, not blocked, and known
	policy      peers.Decision
	author      community.HeldAuthor // where its posts may be held
	today       int64                // posts of its peer that were taken, where they are counted
	paused      bool                 // known, and what goes of theirs waits here until they are admitted again
	notAdmitted error
	known       bool // the key is on record
	proven      bool // and has signed the head of the request
	key         community.AccountKey
	account     community.Account
	actorURI    string
	err         error
}

// look asks the policy and the records about a sender, together with others
// that are asked about just now.
func (f *Federation) look(s *sender) error {
	f.looks.wait(s)
	return s.err
}

func (f *Federation) lookAll(lot []*sender) {
	f.metrics.decisions.With().Inc()
	err := f.db.Ask(context.Background(), func(tx *store.Tx) error {
		hosts, keys := make([]string, len(lot)), make([]string, len(lot))
		for i, s := range lot {
			hosts[i], keys[i] = s.host, s.claim.KeyID
		}
		known := make(map[string]community.KeyOwner, len(keys))
		decided, err := peers.DecideWith(tx, hosts, community.AskKeys(tx, keys, known)...)
		if err != nil {
			return err
		}
		for _, s := range lot {
			if owner, ok := known[s.claim.KeyID]; ok {
				s.set(owner.Account, owner.Key)
			}
			d := decided[s.host]
			s.policy = d
			if s.admitted = d.Admitted; s.admitted {
				continue
			}
			s.notAdmitted = peers.NotAdmitted(s.host)
			s.former, s.paused = s.known && d.Former, s.known && d.Standing == peers.Paused
		}
		return lookCloser(tx, lot)
	})
	for _, s := range lot {
		s.err = err
	}
}

func (s *sender) set(account community.Account, key community.AccountKey) {
	s.known, s.account, s.key, s.actorURI = true, account, key, ""
	if account.URI != nil {
		s.actorURI = *account.URI
	}
}

const (
	// mostPaused is how much of what goes of a paused server's waits here.
	mostPaused = 2000
	// pausedLater is when the rest should be sent again.
	pausedLater = 6 * time.Hour
)

// roomForPaused fails when very much of a paused server waits already. What it
// says is deleted or taken back must not be lost by a pause, whose length
// nobody knows, and most software gives up within days: so it is taken, and has
// its effect when the pause is over, however that ends. Everything else is
// refused, since its senders should know that it did not arrive.
//
// docs/peering.md, "How a connection ends".
func (f *Federation) roomForPaused(ctx context.Context, host string) error {
	var waits int64
	err := f.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Raw("SELECT COUNT(*) FROM (SELECT 1 AS one FROM incoming WHERE host = ? AND state = 'waiting' LIMIT ?) AS waits", host, mostPaused).Scan(&waits).Error
	})
	if err != nil || waits < mostPaused {
		return err
	}
	return &refusal{status: http.StatusServiceUnavailable, outcome: "peering", later: pausedLater,
		text: "The connection with your server is paused, and much of it waits here already. Send this again later."}
}

// refetchEvery is how often at most a key on record is asked for anew because
// a signature did not fit it: a forger must not be able to make us ask.
const refetchEvery = 5 * time.Minute

// authenticate verifies a request's signature. A key that is not on record is
// fetched; one that does not fit may have been changed and is fetched once more.
func (f *Federation) authenticate(r *http.Request, body []byte, s *sender) error {
	if s.proven {
		if err := s.claim.VerifyBody(r, body); err != nil {
			return unauthorized(err)
		}
		return nil
	}
	now := f.db.Now()
	fetched := false
	if !s.known {
		if err := f.learnKey(r.Context(), s, false); err != nil {
			return err
		}
		fetched = true
	}
	err := f.verify(r, body, s, now)
	if err == nil {
		return nil
	}
	if fetched || !s.admitted || !errors.Is(err, sig.ErrSignature) || !f.refetched.allow(s.claim.KeyID, now, refetchEvery) {
		return unauthorized(err)
	}
	if again := f.learnKey(r.Context(), s, true); again != nil {
		var no *refusal
		if errors.As(again, &no) && no.gone {
			return again
		}
		return unauthorized(err)
	}
	if err := f.verify(r, body, s, now); err != nil {
		return unauthorized(err)
	}
	return nil
}

// verifyHead reports whether a key on record has signed a request for a body,
// so that its sender is known for who it is before anything is read of it.
func (f *Federation) verifyHead(r *http.Request, s *sender) bool {
	if !s.known {
		return false
	}
	key, err := sig.ParsePublicKey(s.key.PublicKey)
	return err == nil && s.claim.VerifyHead(r, f.site.Base(), key, f.db.Now()) == nil
}

func (f *Federation) verify(r *http.Request, body []byte, s *sender, now time.Time) error {
	key, err := sig.ParsePublicKey(s.key.PublicKey)
	if err != nil {
		return err
	}
	return s.claim.Verify(r, body, f.site.Base(), key, now)
}

// learnKey fetches the sender's key and actor from its server; with again, also
// when there is one on record.
func (f *Federation) learnKey(ctx context.Context, s *sender, again bool) error {
	account, key, err := f.fetchKey(ctx, s.claim.KeyID, again)
	switch {
	case err == nil:
		s.set(account, key)
		return nil
	case peers.Refused(err) || ctx.Err() != nil:
		return err
	case fault.Is(err, fault.Gone) || fault.Is(err, fault.NotFound):
		return &refusal{status: http.StatusUnauthorized, outcome: "key", text: "There is no key at " + s.claim.KeyID + " any more.", gone: true}
	}
	f.log.InfoContext(ctx, "key not fetched", "host", s.host, "err", err)
	return refuse(http.StatusUnauthorized, "key", "The key %s could not be fetched: %v", s.claim.KeyID, err)
}

func unauthorized(err error) error {
	return refuse(http.StatusUnauthorized, "signature", "%v", err)
}

// isActivityJSON reports whether a media type is that of ActivityStreams
// documents. The profile of application/ld+json is often left out.
//
// W3C ActivityPub, section 3.2.
func isActivityJSON(value string) bool {
	switch value { // as nearly everyone writes it
	case "application/activity+json", `application/ld+json; profile="https://www.w3.org/ns/activitystreams"`:
		return true
	}
	kind, params, err := mime.ParseMediaType(value)
	if err != nil {
		return false
	}
	switch kind {
	case "application/activity+json":
		return true
	case "application/ld+json":
		profile := params["profile"]
		return profile == "" || strings.Contains(profile, "https://www.w3.org/ns/activitystreams")
	}
	return false
}
