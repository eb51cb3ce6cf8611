package federation

import (
	"slices"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// receiveCreate lands a post.
//
// W3C ActivityPub, section 7.2.
func (f *Federation) receiveCreate(b *book, actor community.Account, row *arrived) (string, error) {
	if votes := row.activity.Votes; len(votes) > 0 {
		return f.receiveVotes(b, actor, row, votes)
	}
	if o := row.activity.Object; o != nil && o.IsVote() {
		return f.receiveVotes(b, actor, row, []*as2.Object{o})
	}
	if row.reading == nil {
		return "ignored", nil // a bare address, or no post
	}
	remote, err := b.complete(*row.reading, actor)
	if err != nil {
		return "", err
	}
	if outcome, err := f.held(b, actor, row, remote); err != nil || outcome != "" {
		return outcome, err
	}
	if b.spent(row) {
		row.err = reason{reasonPerDay, ""}
		return "refused", nil
	}
	remote.Found = row.held < 0
	b.landing = append(b.landing, landing{row, remote})
	return toLand, nil
}

// toLand is the outcome of an activity whose post waits in the book.
const toLand = "to land"

// receiveUpdate takes over a changed post or actor. A changed post that is not
// known is a new one: its Create may have been before we were connected.
//
// W3C ActivityPub, section 7.3.
func (f *Federation) receiveUpdate(b *book, actor community.Account, row *arrived) (string, error) {
	if changed := row.activity.ObjectActor; changed != nil {
		if changed.ID != row.ActorURI {
			return "foreign", nil
		}
		remote, err := remoteAccount(*changed)
		if err != nil {
			row.err = err // told to administrators
			return "ignored", nil
		}
		if remote.NetworkURI == "" {
			remote.NetworkURI = actor.NetworkURI
		}
		_, err = community.UpsertRemote(b.tx, remote)
		delete(b.accounts, row.ActorURI)
		return "done", err
	}
	if row.reading == nil {
		if ours, err := heardOfList(b.tx, row); ours || err != nil {
			return "done", err
		}
		return "ignored", nil
	}
	remote, err := b.complete(*row.reading, actor)
	if err != nil {
		return "", err
	}
	if outcome, err := f.held(b, actor, row, remote); err != nil || outcome != "" {
		return outcome, err
	}
	post, changed, err := community.ReceiveEdit(b.tx, remote)
	b.turn(remote.URI)
	switch {
	case fault.Is(err, fault.NotFound):
		if b.spent(row) {
			row.err = reason{reasonPerDay, ""}
			return "refused", nil
		}
		remote.Found = row.held < 0
		b.landing = append(b.landing, landing{row, remote})
		return toLand, nil
	case fault.Is(err, fault.Gone):
		return "deleted", nil
	case err == nil && !changed:
		return "known", nil
	case err == nil:
		if err = community.AwaitQuote(b.tx, post); err == nil {
			err = forwardAfter(b.tx, row, post, false)
		}
	}
	return "", err
}

// receiveDelete takes out a post, or all that an actor is.
//
// W3C ActivityPub, section 7.4.
func (f *Federation) receiveDelete(b *book, actor community.Account, row *arrived) (string, error) {
	a := &row.activity
	switch {
	case a.ObjectID == a.Actor:
		delete(b.accounts, a.Actor)
		clear(b.posts)
		if err := withdraw(b, actor, row, ""); err != nil {
			return "", err
		}
		return "", community.DeleteRemote(b.tx, actor)
	case !iri.SameOrigin(a.ObjectID, a.Actor):
		return "foreign", nil
	}
	post, err := b.post(a.ObjectID)
	if err != nil {
		return "", err
	}
	if post != nil && post.AuthorID != actor.ID {
		return "foreign", nil // of the same server, but another person's
	}
	if err := withdraw(b, actor, row, a.ObjectID); err != nil {
		return "", err
	}
	// It may be a stamp. It may be a post all the same, for anybody can name a
	// post of somebody else's as the stamp that they have.
	revoked, err := community.ReceiveRevokedQuote(b.tx, actor, a.ObjectID)
	if err != nil {
		return "", err
	}
	if revoked {
		clear(b.posts)
	}
	if post != nil {
		if err := forwardAfter(b.tx, row, *post, true); err != nil {
			return "", err
		}
	}
	_, err = community.ReceiveDelete(b.tx, actor, a.ObjectID)
	b.turn(a.ObjectID)
	return "", err
}

// announced is the address of what an Announce passes on. Group servers wrap
// the activity that they accepted (FEP-1b12): of a Create, the object counts,
// and only as its own server tells it.
func announced(a *as2.Activity) string {
	if a.Inner != nil {
		if a.Inner.Type == "Create" {
			return a.Inner.ObjectID
		}
		return ""
	}
	return a.ObjectID
}

// receiveAnnounce lands a boost. What it passes on is known by now, or was
// fetched from its own server; the wrapper is never believed. An Announce of a
// Create is a boost of the post, once, also where the post itself is announced
// besides.
//
// FEP-1b12 (the Announce activity).
func (f *Federation) receiveAnnounce(b *book, actor community.Account, row *arrived) (string, error) {
	a := &row.activity
	address := announced(a)
	if address == "" {
		return "ignored", nil
	}
	post, err := b.post(address)
	if err != nil {
		return "", err
	}
	if post == nil && row.waits {
		return f.heldBoost(b, actor, row, address)
	}
	if post == nil {
		return "unknown_object", nil
	}
	// Groups also pass on each answer in a thread: it stands there, and is no
	// news for all who follow the group.
	if a.Inner != nil && actor.ActorType == "Group" && post.InReplyToURI != "" {
		return "done", nil
	}
	_, fresh, err := community.ReceiveBoost(b.tx, community.RemoteBoost{From: actor, Post: *post, URI: a.ID, Published: a.Published})
	if err == nil && !fresh {
		return "known", nil
	}
	return "", err
}

// receiveLike lands a like of a post that is known, or a reaction with an emoji.
func (f *Federation) receiveLike(b *book, actor community.Account, a *as2.Activity) (string, error) {
	post, err := b.post(a.ObjectID)
	if err != nil {
		return "", err
	}
	if post == nil {
		return "unknown_object", nil
	}
	if seen, err := given(b.tx, actor, *post); err != nil || !seen {
		return "unknown_object", err
	}
	_, err = community.ReceiveLike(b.tx, actor, *post, reactionOf(a))
	return "", err
}

// given asks whether somebody of another server was given one of our posts,
// for addresses can be guessed. Software that keeps no closed audiences fetches
// none, but what is for its people who follow or are named was sent to it.
func given(tx *store.Tx, to community.Account, p community.Post) (bool, error) {
	if !p.Local() || p.Audience == community.Public {
		return true, nil
	}
	v, err := community.PeerViewer(tx, to.Host, to)
	if err != nil {
		return false, err
	}
	if !v.Closed {
		v.Closed = true
		if p.Audience == community.Network {
			p.Audience = community.Followers
		}
	}
	return community.CanSee(tx, p, v)
}

// undoable are the deeds that an Undo takes back.
var undoable = []string{"Follow", "Like", "Announce", "Block", "Accept", "EmojiReact"}

// receiveUndo takes a deed back. Most servers embed it; of a bare address the
// tables know what it was.
//
// W3C ActivityPub, section 7.8.
func (f *Federation) receiveUndo(b *book, actor community.Account, row *arrived) (string, error) {
	a := &row.activity
	did := a.Inner
	if did == nil {
		if err := withdraw(b, actor, row, a.ObjectID); err != nil {
			return "", err
		}
		return f.receiveUndoOf(b, actor, a.ObjectID)
	}
	if did.Type == "Announce" {
		if err := withdraw(b, actor, row, did.ID); err != nil {
			return "", err
		}
	}
	if did.Actor != "" && did.Actor != a.Actor || !slices.Contains(undoable, did.Type) {
		return "ignored", nil
	}
	switch did.Type {
	case "Follow", "Block":
		target, err := b.account(did.ObjectID)
		if err != nil {
			return "", err
		}
		var id int64
		if target != nil {
			id = target.ID
		}
		if did.Type == "Follow" {
			return "", community.ReceiveUndoFollow(b.tx, actor, did.ID, id)
		}
		return "", community.ReceiveUndoBlock(b.tx, actor, did.ID, id)
	case "Accept": // who let ours follow does so no more
		uri := did.ObjectID
		var follower int64
		if did.Inner != nil {
			local, err := b.account(did.Inner.Actor)
			if err != nil {
				return "", err
			}
			if local != nil && local.Local() {
				follower = local.ID
			}
		}
		return "", community.ReceiveReject(b.tx, actor, uri, follower)
	}
	post, err := b.post(did.ObjectID)
	if err != nil {
		return "", err
	}
	if post == nil {
		return f.receiveUndoOf(b, actor, did.ID)
	}
	switch did.Type {
	case "EmojiReact":
		_, err = community.ReceiveUnreact(b.tx, actor, *post, did.ID)
	case "Like":
		_, err = community.ReceiveUnlike(b.tx, actor, *post)
	default:
		_, err = community.ReceiveUnboost(b.tx, actor, *post)
		b.turn(did.ID)
	}
	return "", err
}

// receiveUndoOf takes back the deed with an address, whatever it was.
func (f *Federation) receiveUndoOf(b *book, actor community.Account, uri string) (string, error) {
	if !iri.SameOrigin(uri, actor.IRI(f.site)) {
		return "foreign", nil
	}
	var liked []int64
	if err := b.tx.Raw("SELECT post_id FROM likes WHERE account_id = ? AND uri = ? AND uri <> '' LIMIT 1", actor.ID, uri).Scan(&liked).Error; err != nil {
		return "", err
	}
	if len(liked) == 1 {
		post, err := community.PostByID(b.tx, liked[0])
		if err != nil {
			return "", err
		}
		_, err = community.ReceiveUnlike(b.tx, actor, post)
		return "", err
	}
	boost, err := b.post(uri)
	if err != nil {
		return "", err
	}
	if boost != nil {
		if boost.AuthorID != actor.ID || boost.BoostOfID == nil {
			return "foreign", nil
		}
		post, err := community.PostByID(b.tx, *boost.BoostOfID)
		if err != nil {
			return "", err
		}
		b.turn(uri)
		_, err = community.ReceiveUnboost(b.tx, actor, post)
		return "", err
	}
	if err := community.ReceiveUndoFollow(b.tx, actor, uri, 0); err != nil {
		return "", err
	}
	return "", community.ReceiveUndoBlock(b.tx, actor, uri, 0)
}
