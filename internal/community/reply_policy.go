package community

import (
	"slices"

	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// ReplyPolicy says whom the author of another server's post lets answer it: at
// once, or after they were asked. Whoever is on neither list is refused there.
// Each list names accounts and collections of accounts by their addresses.
//
// GoToSocial's documentation, "Interaction Policy" (canReply).
type ReplyPolicy struct {
	Automatic []string `json:"automatic,omitempty"`
	Manual    []string `json:"manual,omitempty"`
}

// AnyoneMayReply stands in a ReplyPolicy for everybody.
const AnyoneMayReply = "public"

// ReplyStanding is what the author of a post thinks of somebody's answer to it.
type ReplyStanding int

// What may become of an answer.
const (
	ReplyTaken   ReplyStanding = iota // nothing stands against it
	ReplyAsks                         // its author is asked first, on their own server
	ReplyRefused                      // it would be written in vain
)

// ReplyStandingOf says what would become of an answer by an account of this
// server to a post. Whoever the post names may answer it, whatever it says.
func ReplyStandingOf(tx *store.Tx, by Account, parent Post) (ReplyStanding, error) {
	if parent.Local() || parent.Extra == nil || parent.Extra.Replies == nil || parent.AuthorID == by.ID {
		return ReplyTaken, nil
	}
	var how struct {
		Named, Follows, Followed   bool
		FollowersURI, FollowingURI string
		NetworkURI                 string
	}
	err := tx.Raw(`SELECT EXISTS (SELECT 1 FROM post_mentions WHERE post_id = ? AND account_id = ?) AS named,
		EXISTS (SELECT 1 FROM follows WHERE follower_id = ? AND target_id = a.id AND state = ?) AS follows,
		EXISTS (SELECT 1 FROM follows WHERE follower_id = a.id AND target_id = ? AND state = ?) AS followed,
		a.followers_uri, a.following_uri, a.network_uri FROM accounts a WHERE a.id = ?`,
		parent.ID, by.ID, by.ID, FollowAccepted, by.ID, FollowAccepted, parent.AuthorID).Scan(&how).Error
	if err != nil {
		return ReplyTaken, err
	}
	on := func(list []string) bool {
		return slices.ContainsFunc(list, func(who string) bool {
			switch who {
			case "":
				return false
			case AnyoneMayReply, by.IRI(tx.Site):
				return true
			case how.FollowersURI:
				return how.Follows
			case how.FollowingURI:
				return how.Followed
			case how.NetworkURI: // whoever may see such a post is of a school that it is for
				return parent.Audience == Network
			}
			return false
		})
	}
	switch {
	case how.Named, on(parent.Extra.Replies.Automatic):
		return ReplyTaken, nil
	case on(parent.Extra.Replies.Manual):
		return ReplyAsks, nil
	}
	// What is left are other people, or collections of which only their server
	// knows who is in them: then nothing is known to stand against the answer.
	var others []string
	for _, who := range slices.Concat(parent.Extra.Replies.Automatic, parent.Extra.Replies.Manual) {
		if host, err := iri.HostOf(who); err == nil && host == tx.Site.Host {
			continue // somebody else here
		}
		if who != how.FollowersURI && who != how.FollowingURI && who != how.NetworkURI && !slices.Contains(others, who) {
			others = append(others, who)
		}
	}
	people, err := AccountsByURI(tx, others)
	if err != nil || len(people) < len(others) {
		return ReplyTaken, err
	}
	return ReplyRefused, nil
}
