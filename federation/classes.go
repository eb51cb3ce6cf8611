package federation

import (
	"slices"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// classOf says of which class an activity of another server is, or 0 where the
// policy has no say: deletions and whatever takes back or ends something are
// always taken, and an answer to what somebody here asked for is, too. Whether
// a Follow is of a group is seen when its object is looked up.
//
// FEDERATION.md, "What is taken of whom".
func (f *Federation) classOf(a *as2.Activity) peers.Class {
	switch a.Type {
	case "Create", "Update":
		switch {
		case len(a.Votes) > 0, a.Object != nil && a.Object.IsVote():
			return peers.ClassReactions
		case a.ObjectActor != nil:
			return peers.ClassProfiles
		case a.Object != nil:
			return f.classOfObject(*a.Object)
		}
	case "Like", "EmojiReact":
		return peers.ClassReactions
	case "Announce":
		return peers.ClassBoosts
	case "Follow":
		return peers.ClassFollows
	case "QuoteRequest":
		return peers.ClassReplies
	case "Flag":
		return peers.ClassReports
	case "Add": // what somebody shows first on their page
		return peers.ClassProfiles
	}
	return 0
}

// classOfObject says of which class a thing is that somebody elsewhere wrote,
// however it comes here: sent, passed on, or looked up.
func (f *Federation) classOfObject(o as2.Object) peers.Class {
	switch {
	case o.Type == "Event":
		return peers.ClassEvents
	case f.toOurs(o):
		return peers.ClassReplies
	}
	return peers.ClassPosts
}

// toOurs reports whether an object answers or names somebody here.
func (f *Federation) toOurs(o as2.Object) bool {
	ours := func(address string) bool {
		if address == "" || !f.site.Local(address) {
			return false
		}
		ref, ok := f.site.Parse(address)
		return ok && ref.Kind == iri.Actor
	}
	return o.InReplyTo != "" && f.site.Local(o.InReplyTo) || slices.ContainsFunc(o.To, ours) || slices.ContainsFunc(o.Cc, ours) ||
		slices.ContainsFunc(o.Tags, func(t as2.Tag) bool { return t.Type == "Mention" && ours(t.Href) })
}

// takes reports whether the policy takes a class; what has none is always taken.
// Reports may be refused besides.
func takes(d peers.Decision, c peers.Class) bool {
	if c == 0 {
		return true
	}
	return d.Takes(c) && (c != peers.ClassReports || d.ReportsIn != peers.ReportsRefuse)
}

// decideForwarded asks the policy about those whose activities others handed
// on; hardly ever is there one.
func decideForwarded(tx *store.Tx, rows []*arrived, decided map[string]peers.Decision) error {
	var others []string
	for _, row := range rows {
		if !row.Unproven {
			continue
		}
		if host, err := iri.HostOf(row.ActorURI); err == nil && !slices.Contains(others, host) {
			others = append(others, host)
		}
	}
	if len(others) == 0 {
		return nil
	}
	about, err := peers.Decide(tx, others)
	for host, d := range about {
		if _, known := decided[host]; !known {
			decided[host] = d
		}
	}
	return err
}

// classWord is the word of a class.
func classWord(c peers.Class) string {
	for _, name := range peers.ClassNames() {
		if name.Class == c {
			return name.Name
		}
	}
	return ""
}

// refusedByPolicy is why something of a class is not taken.
func refusedByPolicy(c peers.Class) error { return reason{reasonPolicy, classWord(c)} }

// notTaken is refusedByPolicy for whoever looked it up.
func notTaken(host string, c peers.Class) error {
	return fault.Wrap(fault.NotFound, refusedByPolicy(c), "Your school does not take this from %s.", host).
		WithKey("federation.not_taken", map[string]any{"Host": host})
}

// notTakenWords are what a server is told whose activity of a class is refused.
func notTakenWords(c peers.Class) string {
	what := map[peers.Class]string{
		peers.ClassPosts: "posts", peers.ClassReplies: "answers to people here and posts that name them", peers.ClassReactions: "reactions and votes",
		peers.ClassBoosts: "boosts", peers.ClassFollows: "follows", peers.ClassGroups: "members of groups and posts to groups",
		peers.ClassEvents: "events", peers.ClassReports: "reports", peers.ClassProfiles: "changes of profiles",
	}[c]
	return "This server takes no " + what + " from yours. Its administrators decided so; yours can ask them."
}
