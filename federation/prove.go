package federation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/federation/sig"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// mostForwarded is how many activities of others a server may hand on in a
// minute: each makes this one ask somebody else.
const mostForwarded = 120

// passable are the activities that are believed with a proof whoever hands them
// on. What passes between two, such as a Follow or what takes it back, is for
// its sender to bring: an old one must not do its work again.
var passable = []string{"Create", "Update", "Delete", "Announce"}

// takeForwarded puts an activity on disk that one server hands on for another,
// from where the worker finds out whether it is true. Nothing is taken on the
// word of who hands it on.
//
// W3C ActivityPub, section 7.1.2 (forwarding); FEP-fe34.
func (f *Federation) takeForwarded(in *sender, env as2.Envelope, body []byte) (string, error) {
	if !slices.Contains(passable, env.Type) {
		return "ignored", nil
	}
	if f.forwards.spent(in.host, f.db.Now()) {
		return "", refuse(429, "busy", "Too many activities of others were handed on. Try again in a minute.")
	}
	f.forwards.spend(in.host, f.db.Now())
	// Under an address of its own, so that a forged one does not stand in the
	// way of the one that its author sends.
	c := &comer{host: in.host, id: in.host + " " + env.ID, actor: env.Actor, kind: env.Type, body: body, unproven: true}
	f.intake.wait(c)
	switch {
	case c.err != nil:
		return "", c.err
	case !c.fresh:
		return "duplicate", nil
	}
	return "forwarded", nil
}

// prove finds out whether an activity that was handed on is true: by a proof
// that it carries, or by asking its author's server for what it is about. Then
// it is as if the author had sent it; else it is decided.
//
// FEP-fe34; FEP-8b32.
func (f *Federation) prove(ctx context.Context, row *arrived) {
	a := &row.activity
	host, err := iri.HostOf(a.Actor)
	if err != nil {
		row.decide("ignored", nil)
		return
	}
	if f.refetched.recent("slow "+host, f.db.Now(), failedFor) {
		row.decide("later", because(reasonUnproven, "%s did not answer a moment ago", host))
		row.untried = true
		return
	}
	err = f.admits(host)
	if err == nil {
		err = f.proven(ctx, row)
	}
	if fault.Is(err, fault.Forbidden) && !peers.Refused(err) {
		err = f.confirm(ctx, row)
	}
	var why reason
	switch {
	case err == nil:
	case errors.As(err, &why):
		row.decide("unproven", err)
	case peers.Refused(err):
		row.decide("stranger", nil)
	case fault.Is(err, fault.Unavailable), ctx.Err() != nil:
		f.refetched.allow("slow "+host, f.db.Now(), failedFor)
		row.decide("later", err)
	case fault.Of(err).Kind == fault.Internal:
		row.decide("failed", err)
	default:
		row.decide("unproven", because(reasonUnproven, "%v", err))
	}
}

// provenFor is how old a proof may be. One that is older may have been said
// once and taken back since; a repeat that is younger is known by its row.
const provenFor = 24 * time.Hour

// unproved is that an activity does not prove itself.
func unproved(why error) error {
	return fault.Wrap(fault.Forbidden, why, "It carries no proof.")
}

// proven looks at the proof of an activity: it must be of a key that the author
// says is its own. A key that does not fit is asked for anew once.
func (f *Federation) proven(ctx context.Context, row *arrived) error {
	proof, err := sig.ReadProof(row.Body)
	if err != nil || !iri.SameOrigin(proof.Method, row.activity.Actor) || len(proof.Method) > maxAddress || f.db.Now().Sub(proof.Created) > provenFor {
		return unproved(err)
	}
	for again := range 2 {
		account, key, err := f.fetchKey(ctx, proof.Method, again > 0)
		switch {
		case fault.Is(err, fault.Unavailable), peers.Refused(err):
			return err
		case err != nil || account.URI == nil || *account.URI != row.activity.Actor:
			return unproved(err)
		}
		pub, err := sig.ParsePublicKey(key.PublicKey)
		if err != nil {
			return unproved(err)
		}
		if err = proof.Verify(pub, f.db.Now()); err == nil {
			row.Unproven = false
			return nil
		}
		if !f.refetched.allow(proof.Method, f.db.Now(), refetchEvery) {
			break
		}
	}
	return unproved(nil)
}

// confirm asks the author's server for what an activity without a proof is
// about.
func (f *Federation) confirm(ctx context.Context, row *arrived) error {
	a := &row.activity
	switch {
	case !iri.SameOrigin(a.ObjectID, a.Actor):
		return because(reasonForeign, "%s is not of %s", a.ObjectID, a.Actor)
	case a.Type == "Delete":
		gone, err := f.gone(ctx, a)
		if err == nil && !gone {
			row.decide("kept", because(reasonUnproven, "%s is still there", a.ObjectID))
		}
		row.Unproven = !gone
		return err
	case a.Type == "Create" || a.Type == "Update":
		if a.ObjectID == a.Actor {
			row.decide("fetched", nil)
			if !f.refetched.allow("anew "+a.Actor, f.db.Now(), anewEvery) {
				return nil
			}
			_, err := f.fetchActor(ctx, a.Actor)
			return err
		}
		row.decide("fetched", nil)
		return f.fetchAnew(ctx, a.ObjectID, a.Actor)
	}
	return because(reasonUnproven, "a %s is believed with a proof only", a.Type)
}

// gone asks a server whether a thing of its own is there no more. That it does
// not give what is not for everybody, it says of what is there too.
func (f *Federation) gone(ctx context.Context, a *as2.Activity) (bool, error) {
	var post community.Post
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		if a.ObjectID == a.Actor {
			_, err = community.AccountByURI(tx, a.Actor)
			return err
		}
		post, err = community.PostByURI(tx, a.ObjectID)
		return err
	})
	if err != nil { // nothing of it is here
		return false, err
	}
	body, _, err := f.document(ctx, a.ObjectID)
	switch {
	case fault.Is(err, fault.Gone):
		return true, nil
	case fault.Of(err).Key == "federation.not_found":
		// A server that is being put up anew answers so to everything, and an
		// account is much to lose: only that it has gone counts.
		return a.ObjectID != a.Actor && post.Audience == community.Public, nil
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Forbidden) && !peers.Refused(err):
		return false, nil
	case err != nil:
		return false, err
	}
	object, err := as2.DecodeObject(body)
	return err == nil && object.Type == "Tombstone" && object.ID == a.ObjectID, nil
}

// fetchAnew fetches a post that its author is said to have written or changed,
// also when it is known.
func (f *Federation) fetchAnew(ctx context.Context, address, author string) error {
	if !f.knows(ctx, address) {
		_, err := f.fetchPost(ctx, address)
		return err
	}
	if !f.refetched.allow("anew "+address, f.db.Now(), anewEvery) {
		return nil
	}
	return f.fetchAgain(ctx, address, author)
}

// anewEvery is how often at most one post is fetched because others say that it
// was changed.
const anewEvery = 10 * time.Second
