package community

import (
	"slices"
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// Forwardable says for whom an answer from elsewhere to a post of ours is, when
// it is passed on to the followers of whom it answers; "" is for nobody. It is
// never wider than the answer nor than what it answers.
func Forwardable(answer, parent Post) Audience {
	switch {
	case answer.Local() || !parent.Local() || parent.DeletedAt != nil || answer.InReplyToID == nil || *answer.InReplyToID != parent.ID:
		return ""
	case answer.Audience == Public && parent.Audience == Public:
		return Public
	case parent.Audience == Public, parent.Audience == Network, parent.Audience == Followers:
		return Followers
	}
	return ""
}

// mostForwarded is how many answers to one author are passed on in a minute:
// whoever answers without end must not have us fill the followers' servers.
// What is left out is found there by whoever opens the conversation.
const mostForwarded = 60

// Forward passes an activity of another server on, byte for byte, to the
// servers of the followers of whom the answer answers. Those in except have it
// already. Who calls has seen that its author addressed these followers. For
// somebody whom the answered author blocks nothing is passed on.
//
// W3C ActivityPub, section 7.1.2 (forwarding from inbox).
func Forward(tx *store.Tx, answer, parent Post, activity []byte, except []string) error {
	audience := Forwardable(answer, parent)
	if audience == "" {
		return nil
	}
	if apart, err := Apart(tx, answer.AuthorID, parent.AuthorID); err != nil || apart {
		return err
	}
	var lately int64
	err := tx.Raw("SELECT COUNT(*) FROM outgoing WHERE id >= ? AND actor_id = ? AND verb = ?", store.FirstIDAt(tx.Now.Add(-time.Minute)), parent.AuthorID, VerbForward).
		Scan(&lately).Error
	if err != nil || lately >= mostForwarded {
		return err
	}
	return enqueue(tx, Outgoing{Verb: VerbForward, ActorID: parent.AuthorID, PostID: &answer.ID, Audience: audience, Body: activity,
		Facts: Facts{Except: except}})
}

// ForwardAfter passes on what became of an answer, its change or its end, to
// whom the answer itself was passed on, and to nobody else.
func ForwardAfter(tx *store.Tx, answer Post, activity []byte, except []string, ends bool) error {
	if answer.Local() || answer.InReplyToID == nil {
		return nil
	}
	var rows []struct {
		ActorID int64
		Target
	}
	err := tx.Raw(`SELECT DISTINCT outgoing.actor_id, deliveries.host, deliveries.inbox FROM outgoing JOIN deliveries ON deliveries.outgoing_id = outgoing.id
		WHERE outgoing.post_id = ? AND outgoing.verb = ? AND deliveries.state <> 'withheld'`, answer.ID, VerbForward).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return err
	}
	to := make([]Target, len(rows))
	for i, r := range rows {
		to[i] = r.Target
	}
	o := Outgoing{Verb: VerbForward, ActorID: rows[0].ActorID, Body: activity, Facts: Facts{Inboxes: to, Except: except}}
	if !ends { // what it says now goes when the answer goes, and to whom is entrusted with it now
		parent, err := PostByID(tx, *answer.InReplyToID)
		if err != nil {
			return err
		}
		if o.Audience = Forwardable(answer, parent); o.Audience == "" {
			return nil
		}
		o.PostID = &answer.ID
	}
	return enqueue(tx, o)
}

// unforward takes back what was not passed on yet of an answer that goes.
func unforward(tx *store.Tx, p Post) error {
	if p.Local() || p.InReplyToID == nil {
		return nil
	}
	if err := tx.Exec("DELETE FROM outgoing WHERE post_id = ? AND verb = ? AND state = 'waiting'", p.ID, VerbForward).Error; err != nil {
		return err
	}
	return tx.Exec("UPDATE outgoing SET body = NULL WHERE post_id = ? AND verb = ?", p.ID, VerbForward).Error
}

// forwarding gathers whom a forwarded activity goes to.
func (c *collecting) forwarding() ([]Target, error) {
	if c.o.Facts.Inboxes != nil {
		c.found = slices.Clone(c.o.Facts.Inboxes)
	} else if err := c.followers(); err != nil {
		return nil, err
	}
	c.found = slices.DeleteFunc(c.found, func(t Target) bool { return slices.Contains(c.o.Facts.Except, t.Host) })
	carries := c.o.Audience
	if carries == "" { // the end of what they have
		carries = Public
	}
	return judge(c.tx, c.found, carries, c.o)
}
