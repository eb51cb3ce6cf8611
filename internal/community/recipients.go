package community

import (
	"slices"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Why an inbox gets nothing although somebody behind it should: keys of the
// message catalogue, beside those of Withheld.
const (
	withheldPeer    = "withheld.peer"     // its server is not admitted
	withheldNoInbox = "withheld.no_inbox" // its server has not said where its inbox is
	withheldClass   = "withheld.class"    // its server gets nothing of this kind
)

// inboxOf is where an account's post goes: the inbox it shares with its
// server's others, where there is one, so that a server gets each thing once.
const inboxOf = "CASE WHEN a.shared_inbox <> '' THEN a.shared_inbox ELSE a.inbox END"

// InboxesFor lists where an outgoing thing goes, each inbox once, and where it
// does not go although somebody there should hear of it, with the reason. A
// withheld server of which no inbox is known stands there by its name. The
// policy is asked now, host by host; the sender asks it again.
//
// W3C ActivityPub, sections 7.1.1 (to the inboxes of all addressed, each once)
// and 7.1.3 (shared inboxes).
func InboxesFor(tx *store.Tx, o Outgoing) ([]Target, error) {
	c := collecting{tx: tx, o: o, seen: map[string]bool{}}
	var err error
	var carries Audience // what a peer must be entrusted with to get it
	switch o.Verb {
	case VerbCreate, VerbUpdate:
		carries = o.Audience
		err = c.post(o.Audience)
	case VerbDelete, VerbDeleteActor:
		// Whoever had it must hear, also a server that is not admitted just
		// now: its lane holds the message until it is.
		return c.all(o.Facts.Inboxes)
	case VerbForward:
		return c.forwarding()
	case VerbAnnounce, VerbUndoAnnounce:
		carries = Public
		if err = c.followers(); err == nil {
			err = c.account()
		}
	case VerbPin, VerbUnpin:
		carries = o.Audience
		err = c.followers()
	case VerbUpdateActor, VerbMove:
		carries = Public
		err = c.followers()
	case VerbLike, VerbVote, VerbFlag:
		carries = Public
		err = c.account()
	default:
		// Follows, their answers and ends, blocks: between two people, and
		// nothing that the peer may not know. Where it is not admitted just
		// now, its lane holds the message until it is.
		err = c.account()
		return c.found, err
	}
	if err != nil {
		return nil, err
	}
	return judge(tx, c.found, carries, o)
}

// collecting gathers inboxes, each once.
type collecting struct {
	tx    *store.Tx
	o     Outgoing
	found []Target
	seen  map[string]bool
}

func (c *collecting) add(sql string, args ...any) error {
	var rows []Target
	if err := c.tx.Raw(sql, args...).Scan(&rows).Error; err != nil {
		return err
	}
	for _, t := range rows {
		if t.Inbox == "" {
			t.Inbox, t.Withheld = t.Host, withheldNoInbox
		}
		if !c.seen[t.Inbox] {
			c.seen[t.Inbox] = true
			c.found = append(c.found, t)
		}
	}
	return nil
}

// unblocked leaves out accounts that the actor blocks or that block the actor.
const unblocked = ` AND a.host <> '' AND a.suspended_at IS NULL AND a.deleted_at IS NULL
	AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.account_id = ? AND b.target_id = a.id)
	AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.account_id = a.id AND b.target_id = ?)`

// post gathers whom a post of the audience is for.
func (c *collecting) post(audience Audience) error {
	if c.o.PostID == nil {
		return nil
	}
	if audience == Public || audience == Followers || audience == Network {
		if err := c.followers(); err != nil {
			return err
		}
	}
	if audience == Network {
		if err := c.network(); err != nil {
			return err
		}
	}
	if !audience.Travels() || audience == Group {
		return nil
	}
	err := c.add("SELECT DISTINCT a.host, "+inboxOf+" AS inbox FROM post_mentions m JOIN accounts a ON a.id = m.account_id WHERE m.post_id = ?"+unblocked,
		*c.o.PostID, c.o.ActorID, c.o.ActorID)
	if err != nil || audience != Public {
		return err
	}
	err = c.add("SELECT a.host, "+inboxOf+" AS inbox FROM posts p JOIN accounts a ON a.id = p.in_reply_to_author WHERE p.id = ?"+unblocked,
		*c.o.PostID, c.o.ActorID, c.o.ActorID)
	if err != nil {
		return err
	}
	// Whoever was sent a conversation of ours gets its public answers too, so
	// that it reads the same everywhere.
	err = c.add(`SELECT DISTINCT d.host, d.inbox FROM posts p JOIN deliveries d ON d.post_id IN (p.in_reply_to_id, p.thread_id)
		JOIN outgoing o ON o.id = d.outgoing_id AND o.verb = ? WHERE p.id = ? AND p.in_reply_to_id IS NOT NULL AND d.state <> 'withheld' ORDER BY d.host`,
		VerbCreate, *c.o.PostID)
	if err != nil || c.o.Verb != VerbUpdate {
		return err
	}
	// A changed public post goes to whoever has the old one.
	if err = c.add("SELECT DISTINCT host, inbox FROM deliveries WHERE post_id = ? AND state <> 'withheld'", *c.o.PostID); err != nil {
		return err
	}
	return c.add(fetchedBy, *c.o.PostID)
}

// fetchedBy asks which servers got a post by asking for it, with an inbox of each:
// what becomes of it is theirs to know as much as if it had been sent to them.
const fetchedBy = `SELECT s.host, COALESCE(NULLIF(h.shared_inbox, ''), (SELECT MIN(CASE WHEN a.shared_inbox <> '' THEN a.shared_inbox ELSE a.inbox END)
	FROM accounts a WHERE a.host = s.host AND a.deleted_at IS NULL AND a.inbox <> ''), '') AS inbox
	FROM fetched_posts s LEFT JOIN hosts h ON h.host = s.host WHERE s.post_id = ? ORDER BY s.host`

// network gathers the peers whose members a post for the network is for. One
// whose software does not keep closed audiences gets it for the author's
// followers there alone.
func (c *collecting) network() error {
	var rows []struct {
		Target
		Closed bool
		Met    bool
	}
	err := c.tx.Raw(`SELECT p.host, COALESCE(h.shared_inbox, '') AS inbox, COALESCE(h.closed_audiences, FALSE) AS closed, h.met_at IS NOT NULL AS met
		FROM peers p LEFT JOIN hosts h ON h.host = p.host
		WHERE p.standing = ? AND p.ceiling IN ? ORDER BY p.host`, peers.Allowed, []peers.Ceiling{peers.CeilingNetwork, peers.CeilingGroup}).Scan(&rows).Error
	if err != nil {
		return err
	}
	for _, r := range rows {
		t := r.Target
		switch {
		case r.Met && !r.Closed: // for its followers it was found before
			if slices.ContainsFunc(c.found, func(have Target) bool { return have.Host == t.Host }) {
				continue
			}
			t.Inbox, t.Withheld = t.Host, "withheld.closed"
		case t.Inbox == "":
			t.Inbox, t.Withheld = t.Host, withheldNoInbox
		}
		if !c.seen[t.Inbox] {
			c.seen[t.Inbox] = true
			c.found = append(c.found, t)
		}
	}
	return nil
}

// followers gathers the servers of the actor's followers. The database merges
// them, so that a thousand followers on ten servers are ten rows.
func (c *collecting) followers() error {
	return c.add(`SELECT a.host, `+inboxOf+` AS inbox FROM follows f JOIN accounts a ON a.id = f.follower_id
		WHERE f.target_id = ? AND f.state = 'accepted' AND f.follower_local = FALSE AND a.suspended_at IS NULL AND a.deleted_at IS NULL
		GROUP BY a.host, `+inboxOf+` ORDER BY a.host`, c.o.ActorID)
}

// account gathers the one account that the thing is about, by its own inbox.
func (c *collecting) account() error {
	if c.o.AccountID == nil {
		return nil
	}
	return c.add("SELECT a.host, CASE WHEN a.inbox <> '' THEN a.inbox ELSE a.shared_inbox END AS inbox FROM accounts a WHERE a.id = ? AND a.host <> ''", *c.o.AccountID)
}

// all gathers inboxes that were found before, with the actor's followers when
// the whole account goes.
func (c *collecting) all(told []Target) ([]Target, error) {
	for _, t := range told {
		if t.Withheld == "" && !c.seen[t.Inbox] {
			c.seen[t.Inbox] = true
			c.found = append(c.found, t)
		}
	}
	if c.o.Verb != VerbDeleteActor {
		return c.found, nil
	}
	if err := c.followers(); err != nil {
		return nil, err
	}
	// Whoever ever took something of ours may have it still: by the inbox that
	// its server named, or by one of its people's.
	err := c.add("SELECT host, shared_inbox AS inbox FROM hosts WHERE shared_inbox <> '' AND last_out_at IS NOT NULL ORDER BY host")
	if err != nil {
		return nil, err
	}
	err = c.add(`SELECT h.host, MIN(CASE WHEN a.shared_inbox <> '' THEN a.shared_inbox ELSE a.inbox END) AS inbox FROM hosts h
		JOIN accounts a ON a.host = h.host AND a.deleted_at IS NULL
		WHERE h.shared_inbox = '' AND h.last_out_at IS NOT NULL GROUP BY h.host ORDER BY h.host`)
	return slices.DeleteFunc(c.found, func(t Target) bool { return t.Withheld != "" }), err
}

// outlasts reports whether what happens here is told to a server also when the
// connection is paused just now: it changes or takes back what the server has,
// and waits in its lane until the pause is over.
func (v Verb) outlasts() bool {
	switch v {
	case VerbUpdate, VerbUndoAnnounce, VerbUpdateActor, VerbUnpin, VerbMove:
		return true
	}
	return false
}

// judge marks what the policy withholds.
func judge(tx *store.Tx, found []Target, carries Audience, o Outgoing) ([]Target, error) {
	if len(found) == 0 {
		return nil, nil
	}
	hosts := make([]string, 0, len(found))
	for _, t := range found {
		if !slices.Contains(hosts[max(0, len(hosts)-1):], t.Host) {
			hosts = append(hosts, t.Host)
		}
	}
	decided, err := peers.Decide(tx, hosts)
	if err != nil {
		return nil, err
	}
	var narrow []string // servers that not everything is sent to
	for i := range found {
		t := &found[i]
		switch d := decided[t.Host]; {
		case d.Standing == peers.Paused && o.Verb.outlasts():
		case !d.Admitted:
			t.Withheld = withheldPeer
		case t.Withheld == "":
			if t.Withheld = Beyond(carries, d.Ceiling); t.Withheld == "" && d.Outbound != peers.AllClasses {
				narrow = append(narrow, t.Host)
			}
		}
	}
	if len(narrow) == 0 {
		return found, nil
	}
	class, err := classTo(tx, o, narrow)
	if err != nil {
		return nil, err
	}
	for i := range found {
		t := &found[i]
		if c := class(t.Host); t.Withheld == "" && c != 0 && slices.Contains(narrow, t.Host) && !decided[t.Host].Sends(c) {
			t.Withheld = withheldClass
		}
	}
	return found, nil
}

// classTo says of which class an outgoing thing is for each of the servers; 0 is
// what is always sent: what takes something back, or changes what a server has.
func classTo(tx *store.Tx, o Outgoing, hosts []string) (func(host string) peers.Class, error) {
	same := func(c peers.Class) (func(string) peers.Class, error) {
		return func(string) peers.Class { return c }, nil
	}
	switch o.Verb {
	case VerbCreate, VerbUpdate:
	case VerbAnnounce:
		return same(peers.ClassBoosts)
	case VerbLike, VerbVote:
		return same(peers.ClassReactions)
	case VerbFlag:
		return same(peers.ClassReports)
	case VerbUpdateActor, VerbPin:
		return same(peers.ClassProfiles)
	default:
		return same(0)
	}
	if o.PostID == nil {
		return same(peers.ClassPosts)
	}
	var addressed, have []string
	err := tx.Raw(`SELECT DISTINCT a.host FROM post_mentions m JOIN accounts a ON a.id = m.account_id WHERE m.post_id = ? AND a.host IN ?
		UNION SELECT a.host FROM posts p JOIN accounts a ON a.id = p.in_reply_to_author WHERE p.id = ? AND a.host IN ?`, *o.PostID, hosts, *o.PostID, hosts).Scan(&addressed).Error
	if err != nil {
		return nil, err
	}
	if o.Verb == VerbUpdate {
		err := tx.Raw("SELECT DISTINCT host FROM deliveries WHERE post_id = ? AND state = 'delivered' AND host IN ?", *o.PostID, hosts).Scan(&have).Error
		if err != nil {
			return nil, err
		}
	}
	return func(host string) peers.Class {
		switch {
		case slices.Contains(have, host):
			return 0
		case slices.Contains(addressed, host):
			return peers.ClassReplies
		}
		return peers.ClassPosts
	}, nil
}
