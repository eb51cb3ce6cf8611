package federation

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// handshakeFallback is how often messages are looked for without news.
	handshakeFallback = 5 * time.Second
	// mostMessages is how many are sent in one go.
	mostMessages = 20
)

// runHandshake sends what is said to other servers about connecting, until ctx
// ends.
func (f *Federation) runHandshake(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.pleas:
		case <-timer.C:
		}
		for f.sendMessages(ctx) {
		}
		timer.Reset(handshakeFallback)
	}
}

// sendMessages makes an attempt for each message that is due, and reports
// whether there may be more.
func (f *Federation) sendMessages(ctx context.Context) (more bool) {
	f.asideCount.Add(1)
	defer f.asideCount.Add(-1)
	var due []peers.Message
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		due, err = peers.DueMessages(tx, mostMessages)
		return err
	})
	if err != nil && ctx.Err() == nil {
		f.log.Error("messages about connecting not listed", "err", err)
	}
	for _, m := range due {
		if ctx.Err() != nil {
			return false
		}
		if err := f.sendMessage(ctx, m); err != nil && ctx.Err() == nil {
			f.log.Error("message about connecting not sent", "host", m.Host, "kind", m.Kind, "err", err)
			return false
		}
	}
	return len(due) > 0
}

// sendMessage makes one attempt. A message that the other side took before we
// could write that down goes out again, and is known there by its address.
func (f *Federation) sendMessage(ctx context.Context, m peers.Message) error {
	var r peers.Request
	var body []byte
	var keys signer
	var mine bool
	err := f.db.Write(ctx, func(tx *store.Tx) (err error) {
		if r, mine, err = peers.ClaimMessage(tx, m); err != nil || !mine {
			return err
		}
		if body, err = f.renderHandshake(tx, m, r); err != nil {
			return err
		}
		keys, err = f.keysOf(tx, community.InstanceActor)
		return err
	})
	if err != nil || !mine {
		return err
	}
	why, last, pause := f.tell(ctx, m, r, body, keys)
	if ctx.Err() != nil {
		return nil // it is tried again after the lease
	}
	return f.db.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if why == "" {
			return peers.Said(tx, m)
		}
		news, err := peers.Unsaid(tx, m, why, last, pause)
		if err != nil || !news {
			return err
		}
		if r, err = peers.RequestByID(tx, r.ID); err != nil {
			return err
		}
		return community.TellPeering(tx, r)
	})
}

// tell sends a message to the inbox of the other server's own actor. why is
// empty where it was taken.
func (f *Federation) tell(ctx context.Context, m peers.Message, r peers.Request, body []byte, keys signer) (why string, last bool, pause time.Duration) {
	pause = pauseAfter(m.Tries + 2)
	if at, err := iri.HostOf(r.Inbox); err != nil || at != r.Host {
		return "delivery.bad_inbox", true, 0
	}
	within, cancel := context.WithTimeout(ctx, deliverWithin)
	defer cancel()
	// Not with Ed25519: the fingerprint that people compare is that of the key in
	// publicKey, so that one has to sign.
	res, err := f.knock(within, r.Host, peers.SignsCavage, func(how peers.Signatures) (*egress.Response, error) {
		return f.egress.Post(within, egress.Request{URL: r.Inbox, Accept: acceptActivity, ContentType: activityJSON, Body: body, MaxBody: maxDoorstep,
			Sign: func(req *http.Request) error { return keys.sign(how, req, body, f.db.Now()) }})
	})
	if err != nil {
		a := answered{}.failed(err)
		return a.reason, a.verdict == lastWord, pause
	}
	d := delivery{Attempts: m.Tries}
	a := answered{delivery: &d}.judge(res, f.db.Now())
	switch {
	case a.verdict == tookIt:
		return "", false, 0
	case res.Status == http.StatusForbidden && wantsPeering(res):
		return "delivery.not_admitted_there", a.verdict == lastWord, pause
	}
	return a.reason, a.verdict == lastWord, max(pause, a.wait)
}

// renderHandshake writes what a message says.
//
// FEDERATION.md, "Asking to connect".
func (f *Federation) renderHandshake(tx *store.Tx, m peers.Message, r peers.Request) ([]byte, error) {
	us := f.site.Instance()
	own := peers.OfferURI(tx, r.ID)
	asked := as2.Activity{ID: r.URI, Type: "Offer", Actor: us, Relationship: &as2.Relationship{Subject: us, Relationship: relationPeer, Object: r.ActorURI}}
	if r.Direction == peers.In {
		asked.Actor = r.ActorURI
		asked.Relationship = &as2.Relationship{Subject: r.ActorURI, Relationship: relationPeer, Object: us}
	}
	if r.Kind == peers.ByFollow {
		asked.Type, asked.Relationship, asked.ObjectID = "Follow", nil, us
	}
	a := as2.Activity{Actor: us, To: []string{r.ActorURI}, Summary: m.Summary, Published: m.CreatedAt}
	switch m.Kind {
	case peers.SayOffer:
		policy, _ := peers.Suggested(r.Preset, r.Software)
		a.ID, a.Type, a.Relationship = r.URI, "Offer", asked.Relationship
		a.Summary, a.Contact, a.Invitation, a.EndTime = r.Purpose, r.Contact, r.Code, r.ExpiresAt
		a.Ceiling, a.Hold = string(policy.Ceiling), string(policy.Hold)
	case peers.SayAccept, peers.SayTrial:
		a.ID, a.Type, a.Inner = own+"#accept", "Accept", &asked
		p, err := peers.Get(tx, r.Host)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		if err == nil && r.Kind == peers.ByOffer {
			a.Ceiling, a.Hold = string(p.Ceiling), string(p.Hold)
		}
		if m.Kind == peers.SayTrial && r.Kind == peers.ByOffer {
			a.Type = "TentativeAccept"
			if p.ExpiresAt != nil {
				a.EndTime = *p.ExpiresAt
			}
		}
	case peers.SayReject:
		a.ID, a.Type, a.Inner = own+"#reject", "Reject", &asked
	case peers.SayUndoOffer:
		a.ID, a.Type, a.Inner = own+"#undo", "Undo", &asked
	case peers.SayUndoAccept:
		accept := as2.Activity{ID: own + "#accept", Type: "Accept", Actor: us, Inner: &asked}
		a.ID, a.Type, a.Inner = own+"#undo", "Undo", &accept
		if r.Kind == peers.ByFollow {
			a.ID, a.Type, a.Inner = own+"#reject", "Reject", &asked
		}
	default:
		return nil, errors.New("a message about connecting of an unknown kind")
	}
	return as2.EncodeActivity(a)
}

// heardFrom notes that a server which is allowed here sent or asked something
// that was let in: it talks with this one, so it allows it. One that refuses what
// is sent to it is asked whether it still does.
func (f *Federation) heardFrom(ctx context.Context, host string) {
	if !f.refetched.allow("view "+host, f.db.Now(), viewEvery) {
		return
	}
	view := peers.ViewUnknown
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		view, err = peers.ViewOf(tx, host)
		return err
	})
	switch {
	case err == nil && (view == peers.ViewUnknown || view == peers.ViewPending):
		err = f.db.Batch(context.WithoutCancel(ctx), func(tx *store.Tx) error { return peers.NoteHeard(tx, host) })
	case err == nil && view == peers.ViewRefused && f.refetched.allow("still refused by "+host, f.db.Now(), viewEvery):
		f.aside(context.WithoutCancel(ctx), func(ctx context.Context) { f.askWhetherLetIn(ctx, host) })
	}
	if err != nil {
		f.refetched.forget("view " + host)
		if ctx.Err() == nil {
			f.log.Error("view of a server not noted", "host", host, "err", err)
		}
	}
}

// viewEvery is how often at most it is looked whether a server's own requests
// tell something new.
const viewEvery = 10 * time.Minute

// refusedBy notes that a server which is allowed here refused a request of ours:
// because the two are not connected, or for a reason that it does not say.
func (f *Federation) refusedBy(ctx context.Context, host string, connect bool) {
	note := peers.NoteUnread
	if connect {
		note = peers.NoteRefusal
	}
	if err := f.db.Batch(context.WithoutCancel(ctx), func(tx *store.Tx) error { return note(tx, host) }); err != nil && ctx.Err() == nil {
		f.log.Error("view of a server not noted", "host", host, "err", err)
	}
	f.looksAnew(host)
}

// tiesEnded looks, where a server has just ended the last follow with this one,
// whether it has ended the connection: of one that nobody asked for it says
// nothing, and as nothing is sent to it any more, no refusal would ever tell.
//
// docs/peering.md, "How a connection ends".
func (f *Federation) tiesEnded(ctx context.Context, rows []*arrived) {
	looked := map[string]bool{}
	for _, row := range rows {
		in := row.activity.Inner
		if row.outcome != "done" || row.Type != "Reject" && (row.Type != "Undo" || in == nil || in.Type != "Follow") || looked[row.Host] {
			continue
		}
		looked[row.Host] = true
		tied := true
		err := f.db.Read(ctx, func(tx *store.Tx) error {
			return tx.Raw(`SELECT EXISTS (SELECT 1 FROM accounts a JOIN follows f ON f.target_id = a.id WHERE a.host = ?)
				OR EXISTS (SELECT 1 FROM accounts a JOIN follows f ON f.follower_id = a.id WHERE a.host = ?)`, row.Host, row.Host).Scan(&tied).Error
		})
		if err != nil && ctx.Err() == nil {
			f.log.Error("ties with a server not looked up", "host", row.Host, "err", err)
		}
		if err == nil && !tied && f.refetched.allow("no ties with "+row.Host, f.db.Now(), viewEvery) {
			f.aside(ctx, func(ctx context.Context) { f.askWhetherLetIn(ctx, row.Host) })
		}
	}
}

// looksAnew has it looked at again at once what the next exchange with a host tells.
func (f *Federation) looksAnew(host string) {
	f.refetched.forget("view " + host)
	f.refetched.forget("out " + host)
}

// letInBy notes that a server which refused this one showed something that it
// shows only to servers which it allows. Of software that promises to keep closed
// what is not public that is so of what is sent to it, too. Of other software it
// takes back what a document that was not shown has told, and only a delivery
// what a delivery has.
func (f *Federation) letInBy(ctx context.Context, known peers.Host) {
	err := f.db.Batch(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if !known.ClosedAudiences {
			p, err := peers.Get(tx, known.Host)
			if fault.Is(err, fault.NotFound) {
				return nil // another's name, or not connected any more
			}
			if err != nil || p.TheirView != peers.ViewRefused || p.TheirViewAt == nil {
				return err
			}
			var delivery bool
			err = tx.Raw("SELECT EXISTS (SELECT 1 FROM deliveries WHERE host = ? AND state = 'refused' AND done_at >= ?)",
				known.Host, p.TheirViewAt.Add(-time.Minute)).Scan(&delivery).Error
			if err != nil || delivery {
				return err
			}
		}
		return peers.NoteTaken(tx, known.Host)
	})
	if err != nil && ctx.Err() == nil {
		f.log.Error("view of a server not noted", "host", known.Host, "err", err)
	}
}
