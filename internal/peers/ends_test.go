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
		if e := peer(); e.EndedAt != nil || e.Policy != start.Policy || !e.CreatedAt.Equal(start.CreatedAt) {
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
		p.write(func(tx *store.Tx) error {
			over, later := tx.Now.Add(time.Millisecond), tx.Now.Add(time.Hour)
			if _, err := Allow(tx, 0, "elm.example", Entry{ExpiresAt: &over}); err != nil {
				return err
			}
			_, err := Allow(tx, 0, "ash.example", Entry{ExpiresAt: &later})
			return err
		})
		for done := 0; done == 0; {
			p.write(func(tx *store.Tx) (err error) { done, err = Expire(tx, 10); return err })
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
