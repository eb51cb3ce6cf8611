package federation

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// paceOf refuses a server that sends more activities a minute than its policy
// says. It counts in memory: after a restart, and on each of several nodes, a
// minute begins anew.
//
// RFC 6585, section 4 (429).
func (f *Federation) paceOf(w http.ResponseWriter, r *http.Request, in *sender) error {
	if in.policy.PerMinute <= 0 {
		return nil
	}
	left, ok := f.paces.take(in.policy.Peer, in.policy.PerMinute, f.db.Now())
	if ok {
		return nil
	}
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close") // or the answer would wait for the body
	}
	return &refusal{status: http.StatusTooManyRequests, outcome: "limit", kind: tooMany, later: max(left, time.Second),
		text: "This server takes " + strconv.FormatInt(in.policy.PerMinute, 10) + " activities a minute from yours. Send it again when the minute is over."}
}

// lookCloser asks what is needed to tell senders at once what becomes of what
// they send: only of those of whom something is held or counted.
func lookCloser(tx *store.Tx, lot []*sender) error {
	var authors []int64
	var names []string
	for _, s := range lot {
		if !s.admitted {
			continue
		}
		if s.known && s.policy.HoldsAny() && !slices.Contains(authors, s.account.ID) {
			authors = append(authors, s.account.ID)
		}
		if s.policy.PerDay > 0 && !slices.Contains(names, s.policy.Peer) {
			names = append(names, s.policy.Peer)
		}
	}
	if len(authors) > 0 {
		known, err := community.HeldAuthors(tx, authors)
		if err != nil {
			return err
		}
		for _, s := range lot {
			s.author = known[s.account.ID]
		}
	}
	if len(names) > 0 {
		taken, err := postsToday(tx, names)
		if err != nil {
			return err
		}
		for _, s := range lot {
			s.today = taken[s.policy.Peer]
		}
	}
	return nil
}

// foresee tells a sender at once what the policy makes of an activity, where it
// makes anything of it: refused, which is put on record, or held. What is said
// here binds nobody: the worker decides, by what holds then.
func (f *Federation) foresee(in *sender, body []byte) (held bool, err error) {
	if !in.admitted || !in.policy.Narrow() {
		return false, nil
	}
	a, err := as2.Decode(body)
	if err != nil {
		return false, nil // the worker keeps the reason
	}
	class := f.classOf(&a)
	if !takes(in.policy, class) {
		if a.Type == "Follow" || a.Type == "QuoteRequest" { // which get their answer
			return false, nil
		}
		c := &comer{host: in.host, id: "refused " + a.ID, actor: a.Actor, kind: a.Type, body: body, refused: refusedByPolicy(class)}
		if f.intake.wait(c); c.err != nil {
			return false, c.err
		}
		return false, &refusal{status: http.StatusForbidden, outcome: "policy", kind: classNotTaken, text: notTakenWords(class)}
	}
	if a.Type != "Create" || a.Object == nil || a.Object.IsVote() {
		return false, nil
	}
	if in.policy.PerDay > 0 && in.today >= in.policy.PerDay {
		return false, &refusal{status: http.StatusTooManyRequests, outcome: "limit", kind: tooMany, later: untilTomorrow(f.db.Now()),
			text: "This server takes " + strconv.FormatInt(in.policy.PerDay, 10) + " posts a day from yours. Send it again tomorrow."}
	}
	if !in.policy.HoldsAny() || in.author.Passes {
		return false, nil
	}
	switch in.policy.Hold {
	case peers.HoldAll:
		return true, nil
	case peers.HoldFirst:
		if !in.author.Wrote {
			return true, nil
		}
	}
	r, err := readObject(*a.Object)
	if err != nil {
		return false, nil
	}
	return in.policy.HoldsMedia() && hasMedia(r.post) || in.policy.Hold == peers.HoldLinks && len(linksOf(f.site, *a.Object, r.post)) > 0, nil
}
