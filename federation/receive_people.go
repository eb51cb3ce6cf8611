package federation

import (
	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// receiveFollow takes in that somebody wants to follow one of ours.
//
// W3C ActivityPub, section 7.5.
//
// A follow that the policy does not take is refused in so many words, so that
// nobody waits; one that stands already stays.
func (f *Federation) receiveFollow(b *book, actor community.Account, row *arrived) (string, error) {
	a := &row.activity
	target, err := b.account(a.ObjectID)
	if err != nil {
		return "", err
	}
	if target == nil || !target.Local() {
		return "unknown_object", nil
	}
	if waits, err := community.Waits(b.tx, *target); err != nil || waits {
		return "unknown_object", err
	}
	class, taken := peers.ClassFollows, row.class == 0
	if target.ActorType == "Group" { // whoever follows a group joins it
		class, taken = peers.ClassGroups, row.policy.MayJoin()
	}
	if !taken {
		standing, err := community.FollowBetween(b.tx, actor.ID, target.ID)
		if err != nil {
			return "", err
		}
		if standing.ID == 0 {
			row.err = refusedByPolicy(class)
			return "refused", community.RefuseFollow(b.tx, actor, *target, a.ID)
		}
	}
	return "", community.ReceiveFollow(b.tx, actor, *target, a.ID)
}

// receiveAnswer takes in what somebody said to a follow of one of ours. The
// follow is named by its address, or only by who it is that follows.
//
// W3C ActivityPub, sections 7.6 and 7.7.
func (f *Federation) receiveAnswer(b *book, actor community.Account, a *as2.Activity,
	answer func(tx *store.Tx, by community.Account, uri string, follower int64) error) (string, error) {
	if post, yes := f.answersQuote(a); yes {
		return f.receiveQuoteAnswer(b, actor, a, post)
	}
	if activity, yes := f.refusesReaction(a); yes {
		known, err := community.ReceiveRefusal(b.tx, actor, activity)
		if err == nil && !known {
			return "unknown_object", nil
		}
		return "", err
	}
	uri := a.ObjectID
	var follower int64
	if a.Inner != nil {
		if a.Inner.Type != "Follow" {
			return "ignored", nil
		}
		uri = a.Inner.ID
		local, err := b.account(a.Inner.Actor)
		if err != nil {
			return "", err
		}
		if local != nil && local.Local() && (a.Inner.ObjectID == "" || a.Inner.ObjectID == a.Actor) {
			follower = local.ID
		}
	}
	return "", answer(b.tx, actor, uri, follower)
}

// receiveBlock takes in that somebody blocks one of ours.
//
// W3C ActivityPub, section 6.9, would keep Blocks from whom they are about;
// most servers send them, so that both sides can honour them.
func (f *Federation) receiveBlock(b *book, actor community.Account, a *as2.Activity) (string, error) {
	target, err := b.account(a.ObjectID)
	if err != nil {
		return "", err
	}
	if target == nil || !target.Local() {
		return "unknown_object", nil
	}
	return "", community.ReceiveBlock(b.tx, actor, *target, a.ID)
}

// refusesReaction reports whether a Reject is about something that somebody here
// did with a post, by the address of the deed or in a request that carries it.
//
// GoToSocial's AnnounceRequest, LikeRequest and ReplyRequest.
func (f *Federation) refusesReaction(a *as2.Activity) (activity int64, yes bool) {
	if a.Type != "Reject" {
		return 0, false
	}
	address := a.ObjectID
	if a.Inner != nil {
		address = a.Inner.InstrumentID
	}
	ref, ok := f.site.Parse(address)
	return ref.ID, ok && ref.Kind == iri.Activity
}
