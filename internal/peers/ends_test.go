package peers

import (
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

func TestEndsNeedAReason(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.allow("elm.example")
		for name, end := range map[string]func(*store.Tx, int64, string, Ending) (Peer, error){"retire": Retire, "purge": Purge} {
			p.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := end(tx, 0, "elm.example", Ending{Reason: " "}); return err })
			p.refuses(fault.NotFound, func(tx *store.Tx) error { _, err := end(tx, 0, "ash.example", Ending{Reason: name}); return err })
		}
		p.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := Unpurge(tx, 0, "elm.example", Ending{}); return err })
		p.wantAdmitted("after what was refused", []string{"elm.example"}, "elm.example")
	})
}

func TestEndsAndResumption(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.allow("elm.example")
		peer := func() (e Peer) {
			p.write(func(tx *store.Tx) (err error) { e, err = Get(tx, "elm.example"); return err })
			return e
		}
		do := func(end func(*store.Tx, int64, string, Ending) (Peer, error), e Ending) {
			t.Helper()
			p.write(func(tx *store.Tx) error { _, err := end(tx, 0, "elm.example", e); return err })
		}
		start := peer()
		do(Pause, Ending{Reason: "Their server was broken into"})
		p.wantAdmitted("paused", []string{"elm.example"})
		if e := peer(); e.Standing != Paused || e.EndedAt == nil || e.Policy != start.Policy {
			t.Errorf("paused: %+v", e)
		}
		do(Resume, Ending{})
		p.wantAdmitted("resumed", []string{"elm.example"}, "elm.example")
		if e := peer(); e.EndedAt != nil || e.Policy != start.Policy || !e.CreatedAt.Equal(start.CreatedAt) || e.Reason != start.Reason {
			t.Errorf("resumed: %+v", e)
		}
		do(Retire, Ending{Reason: "The project is over", Withdraw: WithdrawClosed})
		if e := peer(); e.Standing != Retired || e.KeepUntil == nil || e.KeepUntil.Sub(*e.EndedAt) != KeepEnded || e.Withdraw != WithdrawClosed {
			t.Errorf("retired: %+v", e)
		}
		do(Purge, Ending{Reason: "They asked for it"})
		if e := peer(); e.Standing != Retired || e.PurgeAt == nil || e.KeepUntil == nil {
			t.Errorf("to be purged: %+v", e)
		}
		do(Unpurge, Ending{})
		if e := peer(); e.Standing != Retired || e.PurgeAt != nil {
			t.Errorf("not to be purged: %+v", e)
		}
		do(Resume, Ending{})
		if e := peer(); e.Standing != Allowed || e.EndedAt != nil || e.KeepUntil != nil || e.Withdraw != 0 {
			t.Errorf("taken up again: %+v", e)
		}
		var actions []string
		p.write(func(tx *store.Tx) error {
			actions = nil
			return EachChained(tx, "elm.example", func(l Chained) error { actions = append(actions, l.Action+" "+l.Reason); return nil })
		})
		want := []string{"peer.allow ", "peer.pause Their server was broken into", "peer.resume ", "peer.retire The project is over", "peer.purge They asked for it",
			"peer.unpurge ", "peer.resume "}
		if len(actions) != len(want) {
			t.Fatalf("the log says %q", actions)
		}
		for i := range want {
			if actions[i] != want[i] {
				t.Errorf("line %d of the log is %q, want %q", i, actions[i], want[i])
			}
		}
	})
}

func TestExpiredIsWrittenDown(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		var over time.Time
		p.write(func(tx *store.Tx) error {
			later := tx.Now.Add(time.Hour)
			over = tx.Now.Add(time.Millisecond)
			if _, err := Allow(tx, 0, "elm.example", Entry{ExpiresAt: &over}); err != nil {
				return err
			}
			_, err := Allow(tx, 0, "ash.example", Entry{ExpiresAt: &later})
			return err
		})
		for passed := false; !passed; {
			p.write(func(tx *store.Tx) error { passed = !tx.Now.Before(over); return nil })
		}
		p.wantAdmitted("after the time, before it is written down", []string{"elm.example", "ash.example"}, "ash.example")
		var written Peer
		p.write(func(tx *store.Tx) (err error) { written, err = Get(tx, "elm.example"); return err })
		if written.Standing != Allowed {
			t.Fatalf("written down already: %+v", written)
		}
		var done int
		p.write(func(tx *store.Tx) (err error) { done, err = Expire(tx, 10); return err })
		if done != 1 {
			t.Errorf("%d written down", done)
		}
		p.wantAdmitted("after the time", []string{"elm.example", "ash.example"}, "ash.example")
		var e Peer
		p.write(func(tx *store.Tx) (err error) { e, err = Get(tx, "elm.example"); return err })
		if e.Standing != Expired || e.EndedAt == nil || !e.EndedAt.Equal(*e.ExpiresAt) {
			t.Errorf("expired: %+v", e)
		}
		p.write(func(tx *store.Tx) error { _, err := Resume(tx, 0, "elm.example", Ending{}); return err })
		p.wantAdmitted("renewed", []string{"elm.example", "ash.example"}, "ash.example", "elm.example")
	})
}

// What was asked or offered before a connection ended does not take it up again.
func TestEndsCloseWhatWasAsked(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		const host = "elm.example"
		p.allow(host)
		var asked Request
		var code string
		p.write(func(tx *store.Tx) (err error) {
			c := Candidate{Host: host, ActorURI: "https://elm.example/actor", Inbox: "https://elm.example/inbox", KeyHash: "their key"}
			if asked, err = Ask(tx, 0, c, Form{Purpose: "We plan together", Contact: "Ruth", Preset: PresetPartner}); err != nil {
				return err
			}
			code, _, err = Invite(tx, 0, host, PresetPartner, "")
			return err
		})
		p.write(func(tx *store.Tx) error { _, err := Retire(tx, 0, host, Ending{Reason: "It is over"}); return err })
		p.refuses(fault.Gone, func(tx *store.Tx) error {
			_, _, err := TakeReply(tx, Reply{Host: host, URI: asked.URI, KeyHash: "their key", State: RequestAccepted})
			return err
		})
		p.write(func(tx *store.Tx) error {
			r, _, err := Receive(tx, Offered{Kind: ByOffer, Host: host, URI: "https://elm.example/offers/1", ActorURI: "https://elm.example/actor",
				Inbox: "https://elm.example/inbox", KeyHash: "their key", Code: code})
			if err == nil && r.State != RequestWaiting {
				t.Errorf("with the invitation its request is %s", r.State)
			}
			return err
		})
		p.wantAdmitted("retired", []string{host})
	})
}

// A request that could not be delivered may be answered late, and not for ever.
func TestAnswersComeInTime(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		var asked Request
		p.write(func(tx *store.Tx) (err error) {
			c := Candidate{Host: "elm.example", ActorURI: "https://elm.example/actor", Inbox: "https://elm.example/inbox", KeyHash: "their key"}
			if asked, err = Ask(tx, 0, c, Form{Purpose: "We plan together", Contact: "Ruth", Preset: PresetPartner}); err != nil {
				return err
			}
			return tx.Exec("UPDATE peer_requests SET state = 'failed', expires_at = ? WHERE id = ?", tx.Now, asked.ID).Error
		})
		p.refuses(fault.Gone, func(tx *store.Tx) error {
			_, _, err := TakeReply(tx, Reply{Host: "elm.example", URI: asked.URI, KeyHash: "their key", State: RequestAccepted})
			return err
		})
		p.wantAdmitted("answered too late", []string{"elm.example"})
	})
}

// A port or an address, about which nothing can be decided, is no way around a block.
func TestNoWayAroundABlock(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.write(func(tx *store.Tx) error {
			_, err := Block(tx, 0, "bad.example", Entry{Reason: "spam"})
			return err
		})
		p.write(func(tx *store.Tx) error {
			for _, host := range []string{"bad.example", "bad.example:8443", "sub.bad.example:8443", "203.0.113.7", "[2001:db8::1]", tx.Site.Host} {
				if err := MayAsk(tx, host); !Refused(err) {
					t.Errorf("%s may ask: %v", host, err)
				}
			}
			return MayAsk(tx, "elm.example")
		})
		for _, url := range []string{"https://bad.example/list", "https://bad.example:8443/list", "https://203.0.113.7/list"} {
			p.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := Subscribe(tx, 0, url, "", SubForm{}); return err })
		}
	})
}

// Whoever allows a server again whose time is over does so anew: the day that it
// ended is not kept.
func TestAllowedAgainAfterItExpired(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.allow("elm.test")
		p.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE peers SET expires_at = ? WHERE host = 'elm.test'", tx.Now.Add(-time.Hour)).Error
		})
		p.wantAdmitted("over", []string{"elm.test"})
		p.write(func(tx *store.Tx) error {
			before, err := Get(tx, "elm.test")
			if err != nil {
				return err
			}
			e := before.Entry()
			e.Policy.Preset = PresetPartner
			_, err = Allow(tx, 0, "elm.test", e)
			return err
		})
		p.wantAdmitted("allowed again", []string{"elm.test"}, "elm.test")
	})
}
