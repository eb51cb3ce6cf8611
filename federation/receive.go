package federation

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
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
	// mostRound is about how many activities are worked in one transaction.
	mostRound = 64
	// mostRoundBytes is about how large they may be together.
	mostRoundBytes = 1 << 20
	// fetchRound is how long a round may take to fetch what it needs; the rest
	// is tried later.
	fetchRound = 15 * time.Second
	// mostAttempts is how often an activity is tried before it is dropped.
	mostAttempts = 4
)

// arrived is a row of the queue incoming, and what became of it.
type arrived struct {
	ID         int64
	Host       string
	ActorURI   string
	Type       string
	Body       []byte
	Attempts   int64
	ReceivedAt time.Time
	Unproven   bool  // handed on by another server: see prove
	held       int64 // somebody here let it pass: what they let; below zero if it was looked up

	policy peers.Decision // about whose it is
	class  peers.Class    // what is refused all the same, where there is an answer to give

	activity as2.Activity
	reading  *reading // of the object, where it is a post that may be believed
	decided  bool     // outcome is settled already, before the tables were asked
	untried  bool     // put off without a try: somebody else must answer first
	counts   bool     // it is a post, of which no more than so many are taken a day
	waits    bool     // what it passes on has to wait until somebody here has looked at it
	outcome  string
	err      error
}

// receiveLanes works what hosts sent, each host's in its order, a round of all
// of them at a time. A host whose activities need something of other servers
// goes on alone, so that the others need not wait for it.
func (f *Federation) receiveLanes(ctx context.Context, group []*lane) error {
	var last time.Time // of a round that was not full
	for len(group) > 0 && ctx.Err() == nil {
		if !paced(ctx, last) {
			break
		}
		begun := time.Now()
		rows, paused, err := f.round(ctx, group)
		if err != nil {
			return err
		}
		if len(paused) > 0 { // what they sent waits with them
			if err := f.rest(ctx, paused, time.Hour, notConnected); err != nil {
				return err
			}
			if group = slices.DeleteFunc(slices.Clone(group), func(l *lane) bool { return l.given }); len(group) == 0 {
				return nil
			}
		}
		if last = begun; len(rows) >= mostRound/2 {
			last = time.Time{}
		}
		for _, l := range group {
			l.slow = l.slow || slices.ContainsFunc(rows, func(row *arrived) bool { return row.Host == l.Host && f.needs(ctx, row) != "" })
		}
		if len(group) > 1 {
			var slow []*lane
			group, slow = part(group)
			for _, l := range slow {
				alone := *l
				l.given = true // handed on: this call is done with it
				f.incoming.attend(ctx, []*lane{&alone})
			}
			if len(group) == 0 {
				return nil
			}
			rows = slices.DeleteFunc(rows, func(row *arrived) bool {
				return slices.ContainsFunc(slow, func(l *lane) bool { return l.Host == row.Host })
			})
		} else if group[0].slow {
			f.fetchFor(ctx, rows)
		}
		left, err := f.work(ctx, group, rows)
		if err != nil {
			return err
		}
		f.incoming.gave(left...)
		group = slices.DeleteFunc(slices.Clone(group), func(l *lane) bool { return l.given })
		if deferred(rows) { // nothing but what must wait for somebody else
			return f.rest(ctx, group, 5*time.Second, "")
		}
	}
	return nil
}

// rest gives lanes back for a while.
func (f *Federation) rest(ctx context.Context, group []*lane, wait time.Duration, why string) error {
	err := f.db.Batch(ctx, func(tx *store.Tx) error {
		for _, l := range group {
			if err := f.incoming.hold(tx, l, wait, why); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		f.incoming.gave(group...)
	}
	return err
}

// part divides lanes into those that can go on together and the slow ones.
func part(group []*lane) (together, slow []*lane) {
	for _, l := range group {
		if l.slow {
			slow = append(slow, l)
		} else {
			together = append(together, l)
		}
	}
	return together, slow
}

// nextArrived asks for what hosts sent and is to be worked next.
func nextArrived(dialect store.Dialect, hosts []string) (sql string, args []any) {
	each := max(mostRound/len(hosts), 4)
	var b strings.Builder
	received := "received_at"
	if dialect == store.SQLite {
		received = "+" + received // or its driver would try one format of times after the other
	}
	args = make([]any, 0, 3*len(hosts))
	for i := range store.Even(hosts) {
		host := "" // to fill up: nothing waits for it
		if i < len(hosts) {
			host = hosts[i]
		}
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.WriteString(`SELECT id, host, actor_uri, type, body, attempts, ` + received + `, unproven, held FROM (
			SELECT i.*, SUM(length(body)) OVER (ORDER BY id) - length(body) AS ahead FROM (
				SELECT id, host, actor_uri, type, body, attempts, received_at, unproven, held FROM incoming
				WHERE host = ? AND state = 'waiting' ORDER BY id LIMIT ?) i) r WHERE ahead < ?`)
		args = append(args, host, each, mostRoundBytes/len(hosts))
	}
	return b.String(), args
}

// round reads the next activities of each host, and the policy about it. Of
// hosts whose connection is paused nothing is worked: paused are their lanes.
func (f *Federation) round(ctx context.Context, group []*lane) (rows []*arrived, paused []*lane, err error) {
	var decided map[string]peers.Decision
	hosts := make([]string, len(group))
	for i, l := range group {
		hosts[i] = l.Host
	}
	sql, args := nextArrived(f.db.Dialect(), hosts)
	f.metrics.decisions.With().Inc()
	err = f.db.Ask(ctx, func(tx *store.Tx) (err error) {
		rows = rows[:0]
		decided, err = peers.DecideWith(tx, hosts, store.Question{SQL: sql, Args: args, Row: func(r *store.Row) {
			rows = append(rows, &arrived{ID: r.Int(), Host: r.Text(), ActorURI: r.Text(), Type: r.Text(), Body: r.Bytes(),
				Attempts: r.Int(), ReceivedAt: r.Time(), Unproven: r.Bool(), held: r.Int()})
		}})
		if err != nil {
			return err
		}
		return decideForwarded(tx, rows, decided)
	})
	if err != nil {
		return nil, nil, err
	}
	for _, l := range group {
		if decided[l.Host].Standing == peers.Paused {
			paused = append(paused, l)
		}
	}
	rows = slices.DeleteFunc(rows, func(row *arrived) bool { return decided[row.Host].Standing == peers.Paused })
	slices.SortFunc(rows, func(a, b *arrived) int { return cmp.Compare(a.ID, b.ID) })
	for _, row := range rows {
		f.prepare(row, decided[row.Host], decided)
	}
	return rows, paused, nil
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
func (f *Federation) prepare(row *arrived, by peers.Decision, decided map[string]peers.Decision) {
	defer func() {
		if p := recover(); p != nil { // it must not stop what comes behind it
			f.log.Error("activity not readable", "id", row.ID, "host", row.Host, "panic", p, "stack", string(debug.Stack()))
			row.decide("malformed", fmt.Errorf("reading it panicked: %v", p))
		}
	}()
	row.policy = by
	if row.Unproven { // who handed it on is not whose it is
		if host, err := iri.HostOf(row.ActorURI); err == nil {
			row.policy = decided[host]
		}
	}
	if !by.Admitted && !parting[row.Type] {
		row.decide("not_admitted", nil)
		return
	}
	a, err := as2.Decode(row.Body)
	if err != nil {
		row.decide("malformed", unreadable(err))
		return
	}
	row.activity = a
	if class := f.classOf(&a); row.held == 0 && row.policy.Admitted && !takes(row.policy, class) {
		if a.Type != "Follow" && a.Type != "QuoteRequest" { // of which the other side waits for an answer
			row.decide("refused", refusedByPolicy(class))
			return
		}
		row.class = class
	}
	for _, vote := range a.Votes {
		if !iri.SameOrigin(vote.ID, a.Actor) || vote.AttributedTo != a.Actor {
			row.decide("foreign", because(reasonForeign, "%s is not of %s", vote.ID, a.Actor))
			return
		}
	}
	if a.Type != "Create" && a.Type != "Update" || a.Object == nil {
		return
	}
	switch o := a.Object; {
	case !iri.SameOrigin(o.ID, a.Actor) || o.AttributedTo != a.Actor:
		row.decide("foreign", because(reasonForeign, "%s is not of %s", o.ID, a.Actor))
	case o.IsVote(): // read when its turn comes
	default:
		r, err := readObject(*o)
		if err != nil {
			row.decide("ignored", err)
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

// work gives each activity of a round its effect, in one transaction, and
// returns the lanes that are done with. If an activity fails, all are tried
// again, each so that it can fail alone.
func (f *Federation) work(ctx context.Context, group []*lane, rows []*arrived) (left []*lane, err error) {
	f.asideCount.Add(1) // nothing is settled before what it leaves to be looked up aside has begun
	defer f.asideCount.Add(-1)
	apart := false
	round := func(tx *store.Tx) error {
		held, err := f.incoming.holds(tx, group...)
		if err != nil {
			return err
		}
		left = lost(group, held)
		b := newBook(tx)
		if err := b.prime(namedBy(rows)); err != nil {
			return err
		}
		if err := b.primeHeld(rows); err != nil {
			return err
		}
		if err := b.primeDays(rows); err != nil {
			return err
		}
		for _, row := range rows {
			if slices.ContainsFunc(left, func(l *lane) bool { return l.Host == row.Host }) {
				row.decide("lost", nil)
				continue
			}
			if err := f.workOne(tx, b, row, apart); err != nil {
				return err
			}
		}
		if err := b.land(); err != nil {
			return err
		}
		if err := f.settle(tx, rows); err != nil || len(held) == 0 {
			return err
		}
		if err := f.signs(tx, rows); err != nil {
			return err
		}
		empty, err := f.incoming.leave(tx, held...)
		left = append(left, empty...)
		return err
	}
	if err := f.db.Batch(ctx, round); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		apart = true
		if err := f.db.Write(ctx, round); err != nil {
			return nil, err
		}
	}
	now := f.db.Now()
	for _, row := range rows {
		f.metrics.received.With(row.outcome, row.Type).Inc()
		f.metrics.visible.With().Update(now.Sub(row.ReceivedAt).Seconds())
		if row.outcome == "failed" {
			f.log.Error("activity failed", "id", row.ID, "type", row.Type, "host", row.Host, "attempts", row.Attempts+1, "err", row.err)
		}
	}
	f.fetchParents(ctx, rows)
	f.tiesEnded(ctx, rows)
	f.lookFurther(ctx, rows)
	return left, nil
}

// namedBy lists the actors and the objects that activities name, each once.
func namedBy(rows []*arrived) (actors, objects []string) {
	add := func(list []string, uri string) []string {
		if uri == "" || slices.Contains(list, uri) {
			return list
		}
		return append(list, uri)
	}
	for _, row := range rows {
		if row.decided {
			continue
		}
		actors = add(actors, row.ActorURI)
		switch a := &row.activity; {
		case row.reading != nil:
			objects = add(objects, row.reading.post.InReplyToURI)
			if a.Type == "Update" {
				objects = add(objects, a.ObjectID)
			}
		case a.Type == "Like", a.Type == "Delete":
			objects = add(objects, a.ObjectID)
		case a.Type == "Announce":
			objects = add(objects, announced(a))
		}
	}
	return actors, objects
}

// lost returns the lanes that are no longer held.
func lost(group, held []*lane) []*lane {
	var gone []*lane
	for _, l := range group {
		if !slices.Contains(held, l) {
			gone = append(gone, l)
		}
	}
	return gone
}

// signsEvery is how often at most it is noted when a host was last heard.
const signsEvery = time.Minute

// signs notes that hosts are alive.
func (f *Federation) signs(tx *store.Tx, rows []*arrived) error {
	var hosts []string
	for _, row := range rows {
		if row.outcome != "lost" && !slices.Contains(hosts, row.Host) {
			hosts = append(hosts, row.Host)
		}
	}
	for _, host := range hosts {
		if f.refetched.recent("sign "+host, tx.Now, signsEvery) {
			continue
		}
		if err := peers.NoteIn(tx, host); err != nil {
			return err
		}
		tx.AfterCommit(func() { f.refetched.allow("sign "+host, tx.Now, signsEvery) })
	}
	return alive(tx, hosts...)
}

// workOne gives one activity its effect. A refusal is an outcome; only a
// failure of our own is an error, and with apart set not even that.
func (f *Federation) workOne(tx *store.Tx, b *book, row *arrived, apart bool) error {
	if row.Unproven && !row.decided {
		row.decide("unproven", because(reasonUnproven, "nobody looked"))
	}
	if row.decided {
		return nil
	}
	row.outcome, row.err, row.counts = "", nil, false
	do := func(tx *store.Tx) (err error) {
		b.tx = tx
		if row.Type != "Create" { // it may be about what waits to be landed
			if err := b.land(); err != nil {
				return err
			}
		}
		row.outcome, err = f.apply(b, row)
		if err == nil && apart {
			err = b.land()
		}
		return err
	}
	var err error
	if apart {
		err = tx.Attempt(do)
		b.tx = tx
		if err != nil { // what it wrote is gone, so what was read of it may be wrong
			b.forget()
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
		if !apart || store.Retryable(err) {
			return err
		}
	}
	return nil
}

// settle records what became of the rows. A worked row stays for a while
// without its body, so that a repeat is known.
func (f *Federation) settle(tx *store.Tx, rows []*arrived) error {
	var done, landed []int64
	for _, row := range rows {
		if !row.finished() || row.outcome == "lost" {
			continue
		}
		done = append(done, row.ID)
		switch id := max(row.held, -row.held); {
		case id == 0:
		case row.outcome == "not_admitted":
			if err := community.HeldReturns(tx, id); err != nil {
				return err
			}
		default:
			landed = append(landed, id)
		}
	}
	if len(landed) > 0 {
		if err := community.HeldLanded(tx, landed); err != nil {
			return err
		}
	}
	if err := noteDays(tx, rows); err != nil {
		return err
	}
	for part := range slices.Chunk(done, mostRound) {
		if err := tx.Ask(store.Question{SQL: "UPDATE incoming SET state = 'done', body = ? WHERE id IN ?", Args: []any{[]byte{}, part}}); err != nil {
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
		case row.untried:
			if err := tx.Exec("UPDATE incoming SET id = ? WHERE id = ?", tx.NewID(), row.ID).Error; err != nil {
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
func (f *Federation) apply(b *book, row *arrived) (outcome string, err error) {
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
	if actor.DeletedAt != nil { // what was said before and comes after
		return "gone", nil
	}
	a := &row.activity
	switch row.Type {
	case "Create":
		return f.receiveCreate(b, *actor, row)
	case "Update":
		return f.receiveUpdate(b, *actor, row)
	case "Delete":
		return f.receiveDelete(b, *actor, row)
	case "Follow":
		return f.receiveFollow(b, *actor, row)
	case "Accept":
		return f.receiveAnswer(b, *actor, a, community.ReceiveAccept)
	case "Reject":
		return f.receiveAnswer(b, *actor, a, community.ReceiveReject)
	case "Like", "EmojiReact":
		return f.receiveLike(b, *actor, a)
	case "Flag":
		return f.receiveFlag(b, *actor, row)
	case "Add", "Remove":
		return f.receiveFeatured(b, *actor, a)
	case "QuoteRequest":
		return f.receiveQuoteRequest(b, *actor, row)
	case "Announce":
		return f.receiveAnnounce(b, *actor, row)
	case "Move":
		return f.receiveMove(b, *actor, a)
	case "Block":
		return f.receiveBlock(b, *actor, a)
	case "Undo":
		return f.receiveUndo(b, *actor, row)
	}
	return "", fmt.Errorf("%s is stored but not worked", row.Type)
}

// needs returns the address of what an activity needs and the tables have not:
// a post that is passed on.
func (f *Federation) needs(ctx context.Context, row *arrived) string {
	if row.Unproven && !row.decided {
		return row.activity.ID
	}
	if row.Type != "Announce" || row.decided {
		return ""
	}
	address := announced(&row.activity)
	if address == "" || f.site.Local(address) || f.knows(ctx, address) {
		return ""
	}
	return address
}

// fetchFor fetches what a round needs, before its transaction.
func (f *Federation) fetchFor(ctx context.Context, rows []*arrived) {
	ctx, cancel := context.WithTimeout(ctx, fetchRound)
	defer cancel()
	for _, row := range rows {
		if row.Unproven && !row.decided {
			f.prove(ctx, row)
		}
		address := f.needs(ctx, row)
		if address == "" {
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
			row.untried = true
			continue
		}
		switch _, err := f.fetchPost(ctx, address); {
		case err == nil:
		case peers.Refused(err):
			row.decide("stranger", nil)
		case waiting(err):
			row.waits = true
		case fault.Of(err).Key == "federation.not_taken":
			row.decide("refused", refusedByPolicy(f.classOf(&row.activity)))
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
