package federation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// mostRound is how many activities of a host are worked in one transaction.
	mostRound = 32
	// fetchRound is how long a round may take to fetch what it needs; the rest
	// is tried later.
	fetchRound = 15 * time.Second
	// mostAttempts is how often an activity is tried before it is dropped.
	mostAttempts = 4
)

// arrived is a row of the queue incoming, and what became of it.
type arrived struct {
	ID         int64
	ActorURI   string
	Type       string
	Body       []byte
	Attempts   int64
	ReceivedAt time.Time

	activity as2.Activity
	reading  *reading // of the object, where it is a post that may be believed
	decided  bool     // outcome is settled already, before the tables were asked
	outcome  string
	err      error
}

// receiveLane works what a host sent, in its order, a round at a time.
func (f *Federation) receiveLane(ctx context.Context, l *lane) error {
	for ctx.Err() == nil {
		var rows []*arrived
		admitted := true
		err := f.db.Read(ctx, func(tx *store.Tx) error {
			if err := peers.Check(tx, l.Host); err != nil {
				if !peers.Refused(err) {
					return err
				}
				admitted = false
			}
			return tx.Raw(`SELECT id, actor_uri, type, body, attempts, received_at FROM incoming
				WHERE host = ? AND state = 'waiting' ORDER BY id LIMIT ?`, l.Host, mostRound).Scan(&rows).Error
		})
		if err != nil {
			return err
		}
		for _, row := range rows {
			f.prepare(row, admitted)
		}
		if admitted {
			f.fetchFor(ctx, rows)
		}
		more, err := f.work(ctx, l, rows)
		if err != nil || !more {
			return err
		}
		if deferred(rows) { // nothing but what must wait for somebody else
			return f.db.Batch(ctx, func(tx *store.Tx) error { return f.incoming.hold(tx, l, 5*time.Second, "") })
		}
	}
	return nil
}

func deferred(rows []*arrived) bool {
	for _, row := range rows {
		if row.outcome != "later" {
			return false
		}
	}
	return len(rows) > 0
}

// prepare reads an activity: all that can be done without the tables. A post
// is believed only of its author, from its author's server (FEP-fe34).
func (f *Federation) prepare(row *arrived, admitted bool) {
	if !admitted && !parting[row.Type] {
		row.decide("not_admitted", nil)
		return
	}
	a, err := as2.Decode(row.Body)
	if err != nil {
		row.decide("malformed", err)
		return
	}
	row.activity = a
	if a.Type != "Create" && a.Type != "Update" || a.Object == nil {
		return
	}
	switch o := a.Object; {
	case !iri.SameOrigin(o.ID, a.Actor) || o.AttributedTo != a.Actor:
		row.decide("foreign", nil)
	default:
		r, err := readObject(*o)
		if err != nil {
			row.decide("ignored", nil)
			return
		}
		row.reading = &r
	}
}

func (row *arrived) decide(outcome string, err error) {
	row.decided, row.outcome, row.err = true, outcome, err
}

// finished reports whether the row need not be looked at again.
func (row *arrived) finished() bool { return row.outcome != "failed" && row.outcome != "later" }

// work gives each activity of a round its effect, in one transaction. If one of
// them fails, all are tried again, each so that it can fail alone.
func (f *Federation) work(ctx context.Context, l *lane, rows []*arrived) (more bool, err error) {
	apart := false
	round := func(tx *store.Tx) error {
		if held, err := f.incoming.holds(tx, l); err != nil || !held {
			more = false
			return err
		}
		b := newBook(tx)
		var done []int64
		for _, row := range rows {
			if err := f.workOne(tx, b, l, row, apart); err != nil {
				return err
			}
			if row.finished() {
				done = append(done, row.ID)
			}
		}
		if err := f.settle(tx, rows, done); err != nil {
			return err
		}
		if len(rows) > 0 {
			if err := peers.NoteIn(tx, l.Host); err != nil {
				return err
			}
			if err := alive(tx, l.Host); err != nil {
				return err
			}
		}
		more, err = f.incoming.leave(tx, l)
		return err
	}
	if err := f.db.Batch(ctx, round); err != nil {
		if ctx.Err() != nil {
			return false, err
		}
		apart = true
		if err := f.db.Write(ctx, round); err != nil {
			return false, err
		}
	}
	now := f.db.Now()
	for _, row := range rows {
		f.metrics.received.WithLabelValues(row.Type, row.outcome).Inc()
		f.metrics.visible.Observe(now.Sub(row.ReceivedAt).Seconds())
		if row.outcome == "failed" {
			f.log.Error("activity failed", "id", row.ID, "type", row.Type, "host", l.Host, "attempts", row.Attempts+1, "err", row.err)
		}
	}
	f.fetchParents(ctx, rows)
	return more, nil
}

// workOne gives one activity its effect. A refusal is an outcome; only a
// failure of our own is an error, and with apart set not even that.
func (f *Federation) workOne(tx *store.Tx, b *book, l *lane, row *arrived, apart bool) error {
	if row.decided {
		return nil
	}
	row.outcome, row.err = "", nil
	do := func(tx *store.Tx) error {
		b.tx = tx
		var err error
		row.outcome, err = f.apply(b, l.Host, row)
		return err
	}
	var err error
	if apart {
		err = tx.Attempt(do)
		b.tx = tx
		if err != nil { // what it wrote is gone, so what was read of it may be wrong
			clear(b.posts)
			clear(b.accounts)
		}
	} else {
		err = do(tx)
	}
	switch kind := fault.Of(err).Kind; {
	case err == nil:
		if row.outcome == "" {
			row.outcome = "done"
		}
	case kind == fault.Forbidden, kind == fault.NotFound, kind == fault.Gone, kind == fault.Invalid:
		row.outcome, row.err = "refused", err
		if !apart { // it may have written something before it was refused
			return err
		}
	default:
		row.outcome, row.err = "failed", err
		if !apart {
			return err
		}
	}
	return nil
}

// settle records what became of the rows. A worked row stays for a while
// without its body, so that a repeat is known.
func (f *Federation) settle(tx *store.Tx, rows []*arrived, done []int64) error {
	if len(done) > 0 {
		if err := tx.Exec("UPDATE incoming SET state = 'done', body = ? WHERE id IN ?", []byte{}, done).Error; err != nil {
			return err
		}
	}
	for _, row := range rows {
		switch {
		case row.err == nil:
			continue
		case row.finished():
			if err := tx.Exec("UPDATE incoming SET error = ? WHERE id = ?", clip(row.err.Error()), row.ID).Error; err != nil {
				return err
			}
		case row.Attempts+1 >= mostAttempts:
			if err := tx.Exec("UPDATE incoming SET state = 'dropped', attempts = attempts + 1, error = ? WHERE id = ?", clip(row.err.Error()), row.ID).Error; err != nil {
				return err
			}
		default: // behind the others, so that it holds up none of them
			if err := tx.Exec("UPDATE incoming SET id = ?, attempts = attempts + 1, error = ? WHERE id = ?", tx.NewID(), clip(row.err.Error()), row.ID).Error; err != nil {
				return err
			}
		}
	}
	return nil
}

// clip shortens a reason for its column.
func clip(s string) string {
	const most = 500
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
}

// apply gives an activity its effect. Who did it is certain: the key that
// signed the request is the actor's.
func (f *Federation) apply(b *book, host string, row *arrived) (outcome string, err error) {
	actor, err := b.account(row.ActorURI)
	if err != nil {
		return "", err
	}
	if actor == nil {
		return "unknown_actor", nil
	}
	if actor.SuspendedAt != nil && !parting[row.Type] {
		return "suspended", nil
	}
	a := &row.activity
	switch row.Type {
	case "Create":
		return f.receiveCreate(b, *actor, row)
	case "Update":
		return f.receiveUpdate(b, *actor, row)
	case "Delete":
		return f.receiveDelete(b, *actor, host, a)
	case "Follow":
		return f.receiveFollow(b, *actor, a)
	case "Accept":
		return f.receiveAnswer(b, *actor, a, community.ReceiveAccept)
	case "Reject":
		return f.receiveAnswer(b, *actor, a, community.ReceiveReject)
	case "Like":
		return f.receiveLike(b, *actor, a)
	case "Announce":
		return f.receiveAnnounce(b, *actor, row)
	case "Block":
		return f.receiveBlock(b, *actor, a)
	case "Undo":
		return f.receiveUndo(b, *actor, a)
	}
	return "", fmt.Errorf("%s is stored but not worked", row.Type)
}

// fetchFor fetches what a round needs and the tables have not: the posts that
// are passed on. It happens before the transaction.
func (f *Federation) fetchFor(ctx context.Context, rows []*arrived) {
	ctx, cancel := context.WithTimeout(ctx, fetchRound)
	defer cancel()
	for _, row := range rows {
		if row.Type != "Announce" || row.decided {
			continue
		}
		address := announced(&row.activity)
		if address == "" || f.site.Local(address) || f.knows(ctx, address) {
			continue
		}
		host, err := iri.HostOf(address)
		if err != nil {
			row.decide("ignored", nil)
			continue
		}
		// A slow third server must not hold up this one again and again.
		if f.refetched.recent("slow "+host, f.db.Now(), failedFor) {
			row.decide("later", fmt.Errorf("%s did not answer a moment ago", host))
			continue
		}
		switch _, err := f.fetchPost(ctx, address); {
		case err == nil:
		case peers.Refused(err):
			row.decide("stranger", nil)
		case fault.Is(err, fault.Unavailable), ctx.Err() != nil:
			f.refetched.allow("slow "+host, f.db.Now(), failedFor)
			row.decide("later", err)
		default:
			row.decide("unreadable", err)
		}
	}
}

// fetchParents fetches what replies answer and is not known, once the replies
// themselves are in place: they need not wait for it.
func (f *Federation) fetchParents(ctx context.Context, rows []*arrived) {
	for _, row := range rows {
		if row.outcome != "orphan" {
			continue
		}
		parent := row.activity.Object.InReplyTo
		host, err := iri.HostOf(parent)
		if err != nil || f.site.Local(parent) || f.refetched.recent("slow "+host, f.db.Now(), failedFor) {
			continue
		}
		f.aside(ctx, func(ctx context.Context) {
			if _, err := f.fetchPost(ctx, parent); fault.Is(err, fault.Unavailable) && err != nil {
				f.refetched.allow("slow "+host, f.db.Now(), failedFor)
			}
		})
	}
}
