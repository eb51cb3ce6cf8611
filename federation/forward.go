package federation

import (
	"slices"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// forward passes a new answer to a post of ours on to the followers of whom it
// answers, if its author addressed them: only this server knows who they are.
//
// What is not its author's server's own delivery is never passed on, so that
// no activity goes in circles.
//
// W3C ActivityPub, section 7.1.2.
func forward(tx *store.Tx, row *arrived, answer community.Post, parent *community.Post) error {
	if parent == nil || !parent.Local() || !firsthand(row) {
		return nil
	}
	if !addresses(&row.activity, tx.Site.Followers(parent.AuthorID)) {
		return nil
	}
	return community.Forward(tx, answer, *parent, row.Body, []string{row.Host})
}

// forwardAfter passes on the change or the end of an answer that was passed on.
// A change that is not for the followers any more stays here.
func forwardAfter(tx *store.Tx, row *arrived, answer community.Post, ends bool) error {
	if !firsthand(row) || answer.InReplyToAuthor == nil {
		return nil
	}
	followers := tx.Site.Followers(*answer.InReplyToAuthor)
	if a := &row.activity; !ends && !addresses(a, followers) && (a.Object == nil || !slices.Contains(a.Object.Recipients(), followers)) {
		return nil
	}
	return community.ForwardAfter(tx, answer, row.Body, []string{row.Host}, ends)
}

func addresses(a *as2.Activity, whom string) bool {
	return slices.Contains(a.To, whom) || slices.Contains(a.Cc, whom)
}

// firsthand reports whether an activity came from its actor's own server.
func firsthand(row *arrived) bool {
	host, err := iri.HostOf(row.ActorURI)
	return err == nil && host == row.Host && row.held >= 0 // what was looked up is no activity of theirs
}
