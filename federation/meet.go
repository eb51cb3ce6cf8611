package federation

import (
	"context"
	"fmt"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

const (
	// meetFallback is how often servers to meet are looked for without news.
	meetFallback = 10 * time.Second
	// mostMeetings is how many servers are met in one go.
	mostMeetings = 20
)

// runMeet asks servers that were just connected with what they are, and the
// others again from time to time, until ctx ends.
func (f *Federation) runMeet(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.meetNow:
		case <-timer.C:
		}
		var due []string
		err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
			due, err = peers.ToMeet(tx, mostMeetings)
			return err
		})
		if err != nil && ctx.Err() == nil {
			f.log.Error("servers to meet not listed", "err", err)
		}
		for _, host := range due {
			if ctx.Err() != nil {
				return
			}
			f.meet(ctx, host)
		}
		timer.Reset(meetFallback)
	}
}

// meet asks one server what it is and records the answer, or when to ask again.
func (f *Federation) meet(ctx context.Context, host string) {
	within, cancel := context.WithTimeout(ctx, fetchWithin)
	met, actor, err := f.ask(within, host)
	met.Names = f.otherNames(within, host, actor)
	at := "" // where its server is, if the host is one of handles alone
	if err != nil {
		if at, met, err = f.meetBehind(within, host, met, err); err != nil {
			at = ""
		}
	}
	cancel()
	if ctx.Err() != nil {
		return
	}
	write := func(tx *store.Tx) error {
		if err != nil {
			if err := peers.FoundNames(tx, host, met.Names, false); err != nil {
				return err
			}
			_, failed := peers.MeetFailed(tx, host)
			return failed
		}
		if at != "" {
			if err := peers.Met(tx, at, met); err != nil {
				return err
			}
		}
		if err := peers.Met(tx, host, met); err != nil {
			return err
		}
		return alive(tx, host)
	}
	if err != nil {
		f.log.Info("server not met; it will be asked again", "host", host, "err", err)
	}
	if err := f.db.Write(ctx, write); err != nil && ctx.Err() == nil {
		f.log.Error("meeting not recorded", "host", host, "err", err)
	}
}

// ask fetches what a server says of itself: its NodeInfo, and its own actor, in
// whose capabilities we look for ours. A server without such an actor is met
// all the same; it is entrusted with what is public.
//
// FEP-d556 and FEP-2677 (finding a server's actor); FEP-844e (capabilities).
func (f *Federation) ask(ctx context.Context, host string) (peers.Meeting, as2.Actor, error) {
	node, err := f.nodeInfo(ctx, host)
	if err != nil {
		return peers.Meeting{}, as2.Actor{}, err
	}
	met := peers.Meeting{
		Name:     text.PlainLine(node.Name, maxName),
		Software: text.PlainLine(node.Software, 50),
		Version:  text.PlainLine(node.Version, 50),
	}
	actor, err := f.instanceActor(ctx, host, node.Actor)
	switch {
	case err == nil:
	case fault.Is(err, fault.Unavailable):
		return met, actor, err
	default:
		f.log.Debug("server has no actor of its own", "host", host, "err", err)
		return met, as2.Actor{}, nil
	}
	met.ActorURI, met.ClosedAudiences, met.Signatures = actor.ID, actor.Implements(closedAudiences), signaturesSaid(actor)
	switch {
	case iri.SameOrigin(actor.SharedInbox, actor.ID):
		met.SharedInbox = actor.SharedInbox
	case iri.SameOrigin(actor.Inbox, actor.ID):
		met.SharedInbox = actor.Inbox
	}
	if met.Name == "" {
		met.Name = text.PlainLine(actor.Name, maxName)
	}
	return met, actor, nil
}

// instanceActor finds the actor that speaks for a server: where its NodeInfo
// says it is, or by WebFinger on the server's address.
func (f *Federation) instanceActor(ctx context.Context, host, hint string) (as2.Actor, error) {
	if hint == "" {
		base := f.site.Scheme + "://" + host
		res, err := f.get(ctx, base+"/.well-known/webfinger?resource="+escapeQuery(base+"/"), "application/jrd+json, application/json")
		if err != nil {
			return as2.Actor{}, err
		}
		if hint, err = readWebFinger(res.Body); err != nil {
			return as2.Actor{}, fault.Wrap(fault.NotFound, err, "The server %s names no actor of its own.", host)
		}
	}
	actor, err := f.actorAt(ctx, hint)
	if err != nil {
		return actor, err
	}
	if at, err := iri.HostOf(actor.ID); err != nil || at != host {
		return actor, fault.New(fault.NotFound, "The actor %s does not belong to %s.", actor.ID, host)
	}
	if actor.Type == "Person" {
		return actor, fault.Wrap(fault.NotFound, fmt.Errorf("%s is a Person", actor.ID), "The server %s names no actor of its own.", host)
	}
	return actor, nil
}
