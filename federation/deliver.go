package federation

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// mostDeliveries is how many rows of a lane are read at once.
	mostDeliveries = 20
	// deliverWithin is how long one attempt may take. NodeBB holds a request
	// for 40 seconds at times; the lane goes on without it.
	deliverWithin = 10 * time.Second
	// acknowledgeEvery bounds how long an answer is known here and not on disk.
	acknowledgeEvery = 50 * time.Millisecond
	// mostRefusedTries is how often a peer may answer 401 or 403 to one
	// delivery, and mostBrokenTries 500, before it counts as its last word.
	mostRefusedTries = 3
	mostBrokenTries  = 6
	// mostAsidePause is how long a lane pauses at most for a document that the
	// peer cannot take: what else there is to tell must not wait for long.
	mostAsidePause = 15 * time.Second
)

// notConnected is why a lane is held: a key of the message catalogue, as all
// reasons are.
const notConnected = "delivery.not_connected"

const activityJSON = "application/activity+json"

// delivery is a row of the queue.
type delivery struct {
	ID           int64
	Host         string
	Inbox        string
	Attempts     int64
	CreatedAt    time.Time
	OutgoingID   int64
	Digest       string           // of the followers whom the host should know
	Signatures   peers.Signatures // which its host is known to accept
	SignaturesAt *time.Time
	*document    // which is shared with other rows
}

// document is what is delivered, and who signs it.
type document struct {
	ID       int64
	ActorID  int64
	Audience community.Audience // of the post that it carries, or none
	Retired  string             // the keys that sign it, where they are not the actor's any more
	Body     []byte
	keys     signer
}

// answered is what an attempt came to.
type answered struct {
	delivery *delivery
	verdict  verdict
	status   int
	reason   string
	wait     time.Duration // what the peer asked for
}

// verdict says what an attempt means for its row and lane.
type verdict int

const (
	tookIt    verdict = iota // the row is done
	lastWord                 // the row is done, without success
	beyond                   // the row is done: it is not entrusted to the host any more
	stepAside                // the row lets those of others past: it may be what breaks the peer
	tryLater                 // the lane pauses
	notNow                   // the policy holds the lane
	cancelled                // we are stopping; nothing happened
)

// deliverLanes delivers what waits for one host, for that is how its lanes are
// handed out.
func (f *Federation) deliverLanes(ctx context.Context, lanes []*lane) error {
	for _, l := range lanes {
		if err := f.deliverLane(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// load is what waits for one host, read together with that of others.
type load struct {
	host string
	rows []*delivery
	err  error
}

// nextOf is what waits first for each of a list of hosts. The two databases
// have no words in common that read each host's rows by the index alone, however
// many wait for it or others.
var nextOf = map[store.Dialect]string{
	store.SQLite: `SELECT d.host, d.id, d.inbox, d.attempts, +d.created_at, d.digest, d.outgoing_id, COALESCE(h.signatures, ''), +h.signatures_at
		FROM json_each(?) w LEFT JOIN hosts h ON h.host = w.value
		JOIN deliveries d ON d.id IN (SELECT n.id FROM deliveries n WHERE n.host = w.value AND n.state = 'waiting' ORDER BY n.id LIMIT ?)`,
	store.Postgres: `SELECT d.host, d.id, d.inbox, d.attempts, d.created_at, d.digest, d.outgoing_id, COALESCE(h.signatures, ''), h.signatures_at
		FROM unnest(?::text[]) w (value) LEFT JOIN hosts h ON h.host = w.value
		CROSS JOIN LATERAL (SELECT * FROM deliveries n WHERE n.host = w.value AND n.state = 'waiting' ORDER BY n.id LIMIT ?) d`,
}

// loadAll reads what waits in lanes that ask at the same moment. What is told
// to many hosts is read once.
func (f *Federation) loadAll(lot []*load) {
	lanes := make(map[string]*load, len(lot))
	for _, l := range lot {
		lanes[l.host] = l
	}
	err := f.db.Ask(context.Background(), func(tx *store.Tx) error {
		var rows []*delivery
		err := tx.Ask(store.Question{
			SQL:  nextOf[tx.Dialect()],
			Args: []any{store.List[string](slices.Collect(maps.Keys(lanes))), mostDeliveries},
			Row: func(r *store.Row) {
				rows = append(rows, &delivery{Host: r.Text(), ID: r.Int(), Inbox: r.Text(), Attempts: r.Int(), CreatedAt: r.Time(),
					Digest: r.Text(), OutgoingID: r.Int(), Signatures: peers.Signatures(r.Text()), SignaturesAt: r.TimePtr()})
			},
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		documents, err := f.documents(tx, rows)
		if err != nil {
			return err
		}
		for _, row := range rows {
			var ok bool
			if row.document, ok = documents[row.OutgoingID]; ok { // else it has just been deleted, and the row with it
				lanes[row.Host].rows = append(lanes[row.Host].rows, row)
			}
		}
		return nil
	})
	for _, l := range lot {
		slices.SortFunc(l.rows, func(a, b *delivery) int { return cmp.Compare(a.ID, b.ID) })
		l.err = err
	}
}

// documents reads what the rows deliver, and with which keys it is signed.
func (f *Federation) documents(tx *store.Tx, rows []*delivery) (map[int64]*document, error) {
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[i] = row.OutgoingID
	}
	slices.Sort(ids)
	var found []*document
	err := tx.Ask(store.Question{
		SQL: `SELECT o.id, o.actor_id, o.body,
			CASE WHEN o.verb = 'UpdateActor' THEN o.object_uri ELSE '' END,
			CASE WHEN o.verb IN ('Create', 'Update', 'Forward') THEN o.audience ELSE '' END
			FROM outgoing o WHERE o.id IN ?`,
		Args: []any{slices.Compact(ids)},
		Row: func(r *store.Row) {
			found = append(found, &document{ID: r.Int(), ActorID: r.Int(), Body: r.Bytes(), Retired: r.Text(), Audience: community.Audience(r.Text())})
		},
	})
	if err != nil {
		return nil, err
	}
	type by struct {
		actor   int64
		retired string
	}
	keys := map[by]signer{}
	documents := make(map[int64]*document, len(found))
	for _, d := range found {
		who := by{d.ActorID, d.Retired}
		key, ok := keys[who]
		if !ok {
			key, err = f.keysFor(tx, d)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return nil, err // not to be taken for an account that has gone
			}
			if err != nil {
				f.log.Error("no key to sign with", "account", d.ActorID, "err", err)
			}
			keys[who] = key
		}
		d.keys = key
		documents[d.ID] = d
	}
	return documents, nil
}

// deliverLane delivers what waits for a host, in order, one at a time. What a
// peer took is on disk before the lane is given back.
func (f *Federation) deliverLane(ctx context.Context, l *lane) error {
	for {
		waiting := &load{host: l.Host}
		f.loads.wait(waiting)
		if waiting.err != nil {
			return waiting.err
		}
		more, err := f.deliverRows(ctx, l, waiting.rows)
		if err != nil || !more {
			return err
		}
	}
}

// deliverRows makes one attempt for each row until one says that the lane must
// wait, and records them. A document that seems to break the peer lets those of
// others past; what its own actor did later waits behind it, for that may
// change it or take it back.
func (f *Federation) deliverRows(ctx context.Context, l *lane, rows []*delivery) (more bool, err error) {
	var done []answered
	since := time.Now()
	last := answered{verdict: tookIt}
	broken := map[int64]answered{} // by actor
	for _, row := range rows {
		if _, waits := broken[row.ActorID]; waits {
			continue
		}
		before := last.verdict
		last = f.deliver(ctx, l.Host, row)
		f.metrics.delivered.With(last.verdict.String()).Inc()
		if last.verdict != notNow && last.verdict != cancelled {
			done = append(done, last)
		}
		if last.verdict == tryLater || last.verdict == notNow || last.verdict == cancelled {
			break
		}
		if last.verdict == stepAside {
			broken[row.ActorID] = last
			if before == stepAside { // it is not the document
				break
			}
		}
		if time.Since(since) > acknowledgeEvery {
			r := &receipt{lane: l, done: done, then: goOn}
			if f.receipts.wait(r); r.err != nil {
				return false, r.err
			}
			done, since = nil, time.Now()
		}
	}
	r := &receipt{lane: l, done: done, last: last}
	switch last.verdict {
	case notNow:
		r.then = holdLane
	case tryLater:
		r.then = pauseLane
	case cancelled: // whoever runs the lanes gives it back
		r.then = goOn
	default:
		r.then = leaveLane
		for _, r.last = range broken { // any says why the rest waits
			r.then = pauseLane
			break
		}
	}
	f.receipts.wait(r)
	if r.err == nil && r.given {
		f.deliveries.gave(l)
	}
	return r.err == nil && !r.given && last.verdict != cancelled, r.err
}

// receipt is what attempts in one lane came to, and what follows for the lane.
type receipt struct {
	lane *lane
	done []answered
	last answered // what holdLane and pauseLane are for
	then sequel

	given bool // the lane is not this worker's any more
	err   error
}

// sequel is what becomes of a lane.
type sequel int

const (
	goOn      sequel = iota // its worker has more to deliver
	leaveLane               // given back, if nothing waits in it
	holdLane                // given back until the policy may have changed
	pauseLane               // given back for as long as the host needs
)

// recordAll records the receipts that came at the same moment, in one
// transaction. It is carried through also when we are stopping.
func (f *Federation) recordAll(lot []*receipt) {
	after := make([]lane, len(lot)) // as the transaction, which may be run again, leaves them
	err := f.db.Batch(context.Background(), func(tx *store.Tx) error {
		var took []int64
		var glad []string
		var leaving []*lane
		for i, r := range lot {
			after[i], r.given = *r.lane, false
			l := &after[i]
			before := len(took)
			for _, d := range r.done {
				if d.verdict == tookIt {
					took = append(took, d.delivery.ID)
				} else if err := f.recordFailure(tx, l, d); err != nil {
					return err
				}
			}
			if len(took) > before {
				glad = append(glad, l.Host)
				if err := f.deliveries.recovered(tx, l); err != nil {
					return err
				}
			}
			if r.then == leaveLane {
				leaving = append(leaving, l)
			} else if err := f.follow(tx, r, l); err != nil {
				return err
			}
		}
		if len(took) > 0 {
			err := tx.Ask(store.Question{
				SQL:  "UPDATE deliveries SET state = 'delivered', attempts = attempts + 1, status = 202, reason = '', done_at = ? WHERE id IN ? AND state || '' = 'waiting'",
				Args: []any{tx.Now, took},
			})
			if err != nil {
				return err
			}
		}
		if err := f.noteOut(tx, glad); err != nil || len(leaving) == 0 {
			return err
		}
		held, err := f.deliveries.holds(tx, leaving...)
		if err != nil {
			return err
		}
		left := lost(leaving, held) // whoever has those now goes on
		if len(held) > 0 {
			empty, err := f.deliveries.leave(tx, held...)
			if err != nil {
				return err
			}
			left = append(left, empty...)
		}
		for i, r := range lot {
			r.given = r.given || slices.Contains(left, &after[i])
		}
		return nil
	})
	for i, r := range lot {
		if r.err = err; err == nil {
			given := r.lane.given
			*r.lane = after[i]
			r.lane.given = given
		}
	}
}

// follow does what a receipt says is to become of its lane, other than leaving.
func (f *Federation) follow(tx *store.Tx, r *receipt, l *lane) error {
	switch r.then {
	case holdLane:
		r.given = true
		return f.deliveries.hold(tx, l, time.Hour, r.last.reason)
	case pauseLane:
		r.given = true
		wait := max(pauseAfter(l.Failures+1), r.last.wait)
		if r.last.verdict == stepAside {
			wait = min(wait, mostAsidePause)
		}
		if err := f.deliveries.pause(tx, l, wait, r.last.reason); err != nil {
			return err
		}
		return f.expire(tx, l)
	}
	return f.deliveries.keep(tx, l)
}

// noteOut notes once in a while that hosts took something.
func (f *Federation) noteOut(tx *store.Tx, hosts []string) error {
	for _, host := range hosts {
		if f.refetched.recent("out "+host, tx.Now, signsEvery) {
			continue
		}
		if err := peers.NoteOut(tx, host); err != nil {
			return err
		}
		if err := peers.NoteTaken(tx, host); err != nil {
			return err
		}
		tx.AfterCommit(func() { f.refetched.allow("out "+host, tx.Now, signsEvery) })
	}
	return nil
}

// recordFailure records an attempt that the peer did not take.
func (f *Federation) recordFailure(tx *store.Tx, l *lane, d answered) error {
	switch d.verdict {
	case lastWord:
		return f.acknowledgeRefusal(tx, l, d)
	case beyond:
		return tx.Exec("UPDATE deliveries SET state = 'withheld', reason = ?, done_at = ? WHERE id = ? AND state = 'waiting'",
			d.reason, tx.Now, d.delivery.ID).Error
	}
	return tx.Exec("UPDATE deliveries SET attempts = attempts + 1, status = ?, reason = ? WHERE id = ? AND state = 'waiting'",
		d.status, d.reason, d.delivery.ID).Error
}

// acknowledgeRefusal records a peer's last word. Who answers what belongs to
// the document is alive; a personal inbox that is gone follows nobody.
func (f *Federation) acknowledgeRefusal(tx *store.Tx, l *lane, d answered) error {
	err := tx.Exec("UPDATE deliveries SET state = 'refused', attempts = attempts + 1, status = ?, reason = ?, done_at = ? WHERE id = ? AND state = 'waiting'",
		d.status, d.reason, tx.Now, d.delivery.ID).Error
	if err != nil || d.status == 0 {
		return err
	}
	if d.status == http.StatusUnauthorized || d.status == http.StatusForbidden {
		tx.AfterCommit(func() { f.looksAnew(l.Host) })
		return peers.NoteRefusal(tx, l.Host)
	}
	if err := f.deliveries.recovered(tx, l); err != nil || d.status != http.StatusGone {
		return err
	}
	var gone []community.Account
	err = tx.Where("host = ? AND inbox = ? AND shared_inbox <> inbox", l.Host, d.delivery.Inbox).Limit(1).Find(&gone).Error
	if err != nil || len(gone) == 0 {
		return err
	}
	return community.ReceiveUndoFollow(tx, gone[0], "", d.delivery.ActorID)
}

// eraseFor is how long a deletion is tried, longer than anything else: what
// people took back is not kept by a server because it was away for a while.
const eraseFor = 30 * 24 * time.Hour

// expire gives up what a host has not taken for as long as it is retried. A
// time in which the policy held the lane does not count.
func (f *Federation) expire(tx *store.Tx, l *lane) error {
	if l.failingFor(tx.Now) < f.retryFor {
		return nil
	}
	res := tx.Exec(`UPDATE deliveries SET state = 'expired', done_at = ? WHERE host = ? AND state = 'waiting' AND created_at <= ?
		AND (created_at <= ? OR NOT EXISTS (SELECT 1 FROM outgoing o WHERE o.id = deliveries.outgoing_id AND o.verb IN ?))`,
		tx.Now, l.Host, tx.Now.Add(-f.retryFor), tx.Now.Add(-max(f.retryFor, eraseFor)), []community.Verb{community.VerbDelete, community.VerbDeleteActor})
	if res.RowsAffected > 0 {
		f.metrics.delivered.With("expired").AddInt64(res.RowsAffected)
		f.log.Warn("deliveries given up", "host", l.Host, "rows", res.RowsAffected)
	}
	return res.Error
}

// deliver makes one attempt. The policy is asked at this moment: a host that
// is not admitted any more gets nothing, and no try is used up; one that is not
// entrusted any more with what a post is does not get it.
func (f *Federation) deliver(ctx context.Context, host string, d *delivery) answered {
	a := answered{delivery: d}
	if ctx.Err() != nil {
		a.verdict = cancelled
		return a
	}
	switch policy, err := f.policyOf(host); {
	case err != nil:
		f.log.Error("policy not read", "host", host, "err", err)
		a.verdict, a.reason = tryLater, internalTrouble
		return a
	case !policy.Admitted:
		a.verdict, a.reason = notNow, notConnected
		return a
	case d.Audience != "":
		if why := community.Beyond(d.Audience, policy.Ceiling); why != "" {
			a.verdict, a.reason = beyond, why
			return a
		}
	}
	switch at, err := iri.HostOf(d.Inbox); {
	case err != nil || at != host:
		a.verdict, a.reason = lastWord, "delivery.bad_inbox"
		return a
	case len(d.Body) == 0 || d.keys.rsa.Private == nil: // deleted meanwhile
		a.verdict, a.reason = lastWord, "delivery.deleted"
		return a
	}
	within, cancel := context.WithTimeout(ctx, deliverWithin)
	defer cancel()
	res, err := f.knock(within, host, d.Signatures.Lasting(d.SignaturesAt, f.db.Now()), func(how peers.Signatures) (*egress.Response, error) {
		return f.egress.Post(within, egress.Request{
			URL: d.Inbox, Accept: acceptActivity, ContentType: activityJSON, Body: d.Body, MaxBody: 64 << 10,
			Sign: func(req *http.Request) error {
				f.synchronize(req, d.ActorID, d.Digest)
				return d.keys.sign(how, req, d.Body, f.db.Now())
			},
		})
	})
	if err != nil {
		if ctx.Err() != nil {
			a.verdict = cancelled
			return a
		}
		return a.failed(err)
	}
	return a.judge(res, f.db.Now())
}

// failed says what an attempt without an answer means.
func (a answered) failed(err error) answered {
	switch {
	case errors.Is(err, egress.ErrTooLarge): // the status was never seen, and the answer is not needed
		a.verdict, a.reason = tryLater, "delivery.no_answer"
	case errors.Is(err, egress.ErrURL):
		a.verdict, a.reason = lastWord, "delivery.bad_inbox"
	case errors.Is(err, egress.ErrRedirect):
		a.verdict, a.reason = lastWord, "delivery.redirect"
	case errors.Is(err, egress.ErrPrivateAddress):
		a.verdict, a.reason = tryLater, "delivery.private_address"
	case errors.Is(err, egress.ErrTimeout):
		a.verdict, a.reason = tryLater, "delivery.timeout"
	default:
		a.verdict, a.reason = tryLater, "delivery.unreachable"
	}
	return a
}

// judge says what an answer means. An inbox that is gone ends what waits for
// it; a refusal of the document or of us is the last word after a few tries;
// what sounds like trouble on the other side pauses the lane, since all else
// that waits there would meet it too.
//
// RFC 9110, section 15; RFC 6585, section 4.
func (a answered) judge(res *egress.Response, now time.Time) answered {
	a.status = res.Status
	a.reason = "delivery.busy"
	tries := a.delivery.Attempts + 1
	switch s := res.Status; {
	case s >= 200 && s < 300:
		a.verdict, a.reason = tookIt, ""
	case s == http.StatusNotFound || s == http.StatusGone:
		a.verdict, a.reason = lastWord, "delivery.gone"
	case s == http.StatusForbidden && wantsPeering(res):
		a.verdict, a.reason = lastWord, "delivery.not_admitted_there"
		if tries < mostRefusedTries { // they may be connecting with us just now
			a.verdict = tryLater
		}
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		a.verdict, a.reason = lastWord, "delivery.refused"
		if tries < mostRefusedTries {
			a.verdict = tryLater
		}
	case s == http.StatusRequestTimeout || s == http.StatusMisdirectedRequest || s == http.StatusTooEarly || s == http.StatusTooManyRequests:
		a.verdict = tryLater
	case s >= 400 && s < 500:
		a.verdict, a.reason = lastWord, "delivery.refused"
	case s == http.StatusInternalServerError || s == http.StatusNotImplemented:
		// The document may be what breaks them; it must not hold up the rest.
		a.verdict, a.reason = stepAside, "delivery.broken"
		if tries >= mostBrokenTries {
			a.verdict = lastWord
		}
	case s >= 300 && s < 400:
		a.verdict, a.reason = lastWord, "delivery.redirect"
	default:
		a.verdict, a.reason = tryLater, "delivery.unavailable"
	}
	if a.verdict == tryLater {
		a.wait = min(egress.RetryAfter(res.Header, now), 6*time.Hour)
	}
	return a
}

func (v verdict) String() string {
	switch v {
	case tookIt:
		return "delivered"
	case lastWord:
		return "refused"
	case beyond:
		return "withheld"
	case tryLater, stepAside:
		return "failed"
	case notNow:
		return "held"
	}
	return "cancelled"
}
