package federation

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/chalkring/chalkring/federation/sig"
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
)

// notConnected is why a lane is held: a key of the message catalogue, as all
// reasons are.
const notConnected = "delivery.not_connected"

const activityJSON = "application/activity+json"

// delivery is a row of the queue, with the document and who signs it.
type delivery struct {
	ID        int64
	Inbox     string
	Attempts  int64
	CreatedAt time.Time
	ActorID   int64
	Body      []byte
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

// deliverLane delivers what waits for a host, in order, one at a time. What a
// peer took is on disk before the lane is given back.
func (f *Federation) deliverLane(ctx context.Context, l *lane) error {
	keys := map[int64]sig.Key{}
	for {
		var rows []*delivery
		err := f.db.Read(ctx, func(tx *store.Tx) error {
			err := tx.Raw(`SELECT d.id, d.inbox, d.attempts, d.created_at, o.actor_id, o.body FROM deliveries d JOIN outgoing o ON o.id = d.outgoing_id
				WHERE d.host = ? AND d.state = 'waiting' ORDER BY d.id LIMIT ?`, l.Host, mostDeliveries).Scan(&rows).Error
			if err != nil {
				return err
			}
			for _, row := range rows {
				if _, ok := keys[row.ActorID]; ok {
					continue
				}
				key, err := f.keyOf(tx, row.ActorID)
				if err != nil && !fault.Is(err, fault.NotFound) {
					return err // not to be taken for an account that has gone
				}
				if err != nil {
					f.log.Error("no key to sign with", "account", row.ActorID, "err", err)
				}
				keys[row.ActorID] = key
			}
			return nil
		})
		if err != nil {
			return err
		}
		more, err := f.deliverRows(ctx, l, rows, keys)
		if err != nil || !more {
			return err
		}
	}
}

// deliverRows makes one attempt for each row until one says that the lane must
// wait, and records them.
func (f *Federation) deliverRows(ctx context.Context, l *lane, rows []*delivery, keys map[int64]sig.Key) (more bool, err error) {
	var done []answered
	since := time.Now()
	last := answered{verdict: tookIt}
	for _, row := range rows {
		last = f.deliver(ctx, l.Host, row, keys[row.ActorID])
		f.metrics.delivered.WithLabelValues(last.verdict.String()).Inc()
		if last.verdict != notNow && last.verdict != cancelled {
			done = append(done, last)
		}
		if last.verdict == tryLater || last.verdict == notNow || last.verdict == cancelled {
			break
		}
		if time.Since(since) > acknowledgeEvery {
			if err := f.acknowledge(ctx, l, done, f.deliveries.keep); err != nil {
				return false, err
			}
			done, since = done[:0], time.Now()
		}
	}
	given := true
	err = f.acknowledge(ctx, l, done, func(tx *store.Tx, l *lane) error {
		switch last.verdict {
		case notNow:
			return f.deliveries.hold(tx, l, time.Hour, last.reason)
		case tryLater:
			if err := f.deliveries.pause(tx, l, max(pauseAfter(l.Failures+1), last.wait), last.reason); err != nil {
				return err
			}
			return f.expire(tx, l)
		case cancelled: // whoever runs the lanes gives it back
			given = false
			return nil
		}
		held, err := f.deliveries.holds(tx, l)
		if err != nil || len(held) == 0 { // lost: whoever has it now goes on
			return err
		}
		left, err := f.deliveries.leave(tx, l)
		given = len(left) > 0
		return err
	})
	if err == nil && given {
		f.deliveries.gave(l)
	}
	return err == nil && !given && last.verdict != cancelled, err
}

// acknowledge records what attempts came to, and by then what follows for the
// lane, in one transaction. It is carried through also when we are stopping.
func (f *Federation) acknowledge(ctx context.Context, l *lane, done []answered, then func(tx *store.Tx, l *lane) error) error {
	var after lane // as the transaction, which may be run again, leaves it
	err := f.db.Batch(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		after = *l
		l := &after
		var took []int64
		for _, d := range done {
			var err error
			switch d.verdict {
			case tookIt:
				took = append(took, d.delivery.ID)
			case lastWord:
				err = f.acknowledgeRefusal(tx, l, d)
			case tryLater:
				err = tx.Exec("UPDATE deliveries SET attempts = attempts + 1, status = ?, reason = ? WHERE id = ? AND state = 'waiting'",
					d.status, d.reason, d.delivery.ID).Error
			}
			if err != nil {
				return err
			}
		}
		if len(took) > 0 {
			if err := tx.Exec("UPDATE deliveries SET state = 'delivered', attempts = attempts + 1, status = 202, reason = '', done_at = ? WHERE id IN ? AND state || '' = 'waiting'",
				tx.Now, took).Error; err != nil {
				return err
			}
			if err := peers.NoteOut(tx, l.Host); err != nil {
				return err
			}
			if err := f.deliveries.recovered(tx, l); err != nil {
				return err
			}
		}
		return then(tx, l)
	})
	if err == nil {
		*l = after
	}
	return err
}

// acknowledgeRefusal records a peer's last word. Who answers what belongs to
// the document is alive; a personal inbox that is gone follows nobody.
func (f *Federation) acknowledgeRefusal(tx *store.Tx, l *lane, d answered) error {
	err := tx.Exec("UPDATE deliveries SET state = 'refused', attempts = attempts + 1, status = ?, reason = ?, done_at = ? WHERE id = ? AND state = 'waiting'",
		d.status, d.reason, tx.Now, d.delivery.ID).Error
	if err != nil || d.status == 0 || d.status == http.StatusUnauthorized || d.status == http.StatusForbidden {
		return err
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

// expire gives up what a host has not taken for as long as it is retried. A
// time in which the policy held the lane does not count.
func (f *Federation) expire(tx *store.Tx, l *lane) error {
	if l.failingFor(tx.Now) < f.retryFor {
		return nil
	}
	res := tx.Exec("UPDATE deliveries SET state = 'expired', done_at = ? WHERE host = ? AND state = 'waiting' AND created_at <= ?",
		tx.Now, l.Host, tx.Now.Add(-f.retryFor))
	if res.RowsAffected > 0 {
		f.metrics.delivered.WithLabelValues("expired").Add(float64(res.RowsAffected))
		f.log.Warn("deliveries given up", "host", l.Host, "rows", res.RowsAffected)
	}
	return res.Error
}

// deliver makes one attempt. The policy is asked at this moment: a host that
// is not admitted any more gets nothing, and no try is used up.
func (f *Federation) deliver(ctx context.Context, host string, d *delivery, key sig.Key) answered {
	a := answered{delivery: d}
	if err := f.admits(ctx, host); err != nil {
		if ctx.Err() != nil {
			a.verdict = cancelled
			return a
		}
		a.verdict, a.reason = notNow, notConnected
		if !peers.Refused(err) {
			f.log.Error("policy not read", "host", host, "err", err)
			a.verdict, a.reason = tryLater, internalTrouble
		}
		return a
	}
	switch at, err := iri.HostOf(d.Inbox); {
	case err != nil || at != host:
		a.verdict, a.reason = lastWord, "delivery.bad_inbox"
		return a
	case len(d.Body) == 0 || key.Private == nil: // deleted meanwhile
		a.verdict, a.reason = lastWord, "delivery.deleted"
		return a
	}
	within, cancel := context.WithTimeout(ctx, deliverWithin)
	defer cancel()
	res, err := f.egress.Post(within, egress.Request{
		URL: d.Inbox, Accept: acceptActivity, ContentType: activityJSON, Body: d.Body, MaxBody: 64 << 10,
		Sign: func(req *http.Request) error { return sig.Sign(req, key, d.Body, f.db.Now()) },
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
		// The document may be what breaks them; it must not hold up the rest
		// for days.
		a.verdict, a.reason = tryLater, "delivery.broken"
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
	case tryLater:
		return "failed"
	case notNow:
		return "held"
	}
	return "cancelled"
}
