package testnet_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

func TestSubscriptionBadSignature(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		n.put("f.test")
		id := n.follow(peers.SubForm{})
		body := ask(t, n.region, func(tx *store.Tx) ([]byte, error) {
			l, err := peers.ListByPath(tx, "schools")
			if err != nil {
				return nil, err
			}
			return peers.ListBody(tx, l.ID)
		})
		for name, tt := range map[string]struct {
			body string
			want string
		}{
			"a host that was put in":  {strings.Replace(string(body), "f.test", "g.test", 1), "peerlist.bad_signature"},
			"no proof":                {strings.Replace(string(body), `"proof"`, `"prove"`, 1), "peerlist.not_signed"},
			"another list's address":  {strings.Replace(string(body), "/peering/lists/schools", "/peering/lists/others", 1), "peerlist.bad_signature"},
			"another publisher":       {strings.ReplaceAll(string(body), `"https://region.test/actor"`, `"https://elm.test/actor"`), "peerlist.bad_signature"},
			"said twice":              {strings.Replace(string(body), `"name"`, `"entries":[],"name"`, 1), "peerlist.not_signed"},
			"a page":                  {"<!DOCTYPE html>\n<p>Please sign in\n<p>to read this", "peerlist.no_list"},
			"names without signature": {"a.test\nb.test\nh.test\n", "peerlist.not_signed"},
		} {
			exec(t, n.region, "UPDATE published_lists SET version = version + 1, body_version = version + 1, body = ?", []byte(tt.body))
			sub := n.look(id)
			if sub.Error != tt.want || sub.State != peers.SubActive {
				t.Errorf("%s: %s, %q, want the error %q", name, sub.State, sub.Error, tt.want)
			}
			if got := ask(t, n.school, func(tx *store.Tx) (int64, error) {
				var c int64
				return c, tx.Raw("SELECT COUNT(*) FROM list_sub_entries WHERE gone_at IS NULL").Scan(&c).Error
			}); got != 6 {
				t.Errorf("%s: %d servers are on record, want the 6 from before", name, got)
			}
		}
		// an old version that was signed rightly is no news
		exec(t, n.region, "UPDATE published_lists SET version = version + 1, body_version = version + 1, body = ?", body)
		exec(t, n.school, "UPDATE list_subs SET listed_at = ?", time.Now().Add(time.Hour))
		if sub := n.look(id); sub.Error != "peerlist.older" {
			t.Errorf("an old version: %q", sub.Error)
		}
	})
}

// listOfTwenty is a list of twenty servers that a school follows and has accepted.
func listOfTwenty(t *testing.T, net *testnet.Net) (n *listNet, id int64) {
	t.Helper()
	n = newListNet(t, net)
	for i := range 15 { // besides the five that it has
		n.put(fmt.Sprintf("s%02d.test", i))
	}
	id = n.follow(peers.SubForm{OnRetract: peers.RetractRemove})
	n.acceptAll()
	return n, id
}

func TestSubscriptionMassRetraction(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n, id := listOfTwenty(t, net)
		// a fifth of the twenty is no mass yet
		n.retract("a.test", "b.test", "c.test", "d.test")
		net.Settle()
		if sub := n.sub(id); sub.State != peers.SubActive || sub.Error != "" {
			t.Fatalf("after four of twenty: %s %s %s", sub.State, sub.Why, sub.Error)
		}
		n.wantStanding("a.test", peers.Retired)
		// five of sixteen are
		n.retract("e.test", "s00.test", "s01.test", "s02.test", "s03.test")
		net.Settle()
		sub := n.sub(id)
		if sub.State != peers.SubStopped || sub.Why != peers.StopMass || sub.HeldGone != 5 || sub.HeldChanged != 0 {
			t.Fatalf("after five of sixteen: %+v", sub)
		}
		n.wantStanding("e.test", peers.Allowed)
		// what the person saw is let through, and nothing else
		n.retract("s04.test")
		do(t, n.school, func(tx *store.Tx) error {
			_, err := peers.LetThrough(tx, 0, id)
			return err
		})
		net.Settle()
		if sub = n.sub(id); sub.State != peers.SubStopped || sub.HeldGone != 6 {
			t.Fatalf("the list has changed again meanwhile: %+v", sub)
		}
		n.wantStanding("e.test", peers.Allowed)
		do(t, n.school, func(tx *store.Tx) error {
			_, err := peers.LetThrough(tx, 0, id)
			return err
		})
		net.Settle()
		if sub = n.sub(id); sub.State != peers.SubActive || sub.Entries != 10 {
			t.Fatalf("after it was let through: %+v", sub)
		}
		for _, h := range []string{"e.test", "s00.test", "s04.test"} {
			n.wantStanding(h, peers.Retired)
		}
		n.wantStanding("s05.test", peers.Allowed)
	})
}

// Many small steps are a mass change, too.
func TestSubscriptionMassInSteps(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n, id := listOfTwenty(t, net)
		n.retract("a.test", "b.test")
		net.Settle()
		n.retract("c.test", "d.test")
		net.Settle()
		if sub := n.sub(id); sub.State != peers.SubActive {
			t.Fatalf("after four of twenty: %s %s", sub.State, sub.Why)
		}
		n.retract("e.test")
		net.Settle()
		sub := n.sub(id)
		if sub.State != peers.SubStopped || sub.Why != peers.StopMass || sub.HeldGone != 1 {
			t.Fatalf("after the fifth of twenty: %+v", sub)
		}
		n.wantStanding("e.test", peers.Allowed)
		do(t, n.school, func(tx *store.Tx) error {
			_, err := peers.LetThrough(tx, 0, id)
			return err
		})
		net.Settle()
		n.wantStanding("e.test", peers.Retired)
		// from then on it is counted anew
		n.retract("s00.test", "s01.test", "s02.test")
		net.Settle()
		if sub := n.sub(id); sub.State != peers.SubActive {
			t.Errorf("three of fifteen, after a person had looked: %s %s", sub.State, sub.Why)
		}
		n.wantStanding("s00.test", peers.Retired)
	})
}

// A publisher with two lists is one of those who must name a server, not two.
func TestSubscriptionQuorumOfOnePublisher(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		do(t, n.region, func(tx *store.Tx) error {
			if _, err := peers.NewList(tx, 0, peers.ListForm{Path: "again", Name: "The same once more"}); err != nil {
				return err
			}
			if _, err := peers.PublishList(tx, 0, "again", true); err != nil {
				return err
			}
			_, err := peers.PutOnList(tx, 0, "again", peers.ListEntry{Host: "b.test", Tier: peers.PresetFriendly})
			return err
		})
		two := peers.SubForm{Group: "regions", Quorum: 2, AutoAccept: true}
		n.follow(two)
		followList(t, net, n.school, "https://region.test/peering/lists/again", two)
		n.wantDrafts()
		n.wantStanding("b.test", peers.Unknown)
	})
}

// What a person closed since is opened neither by taking a list's change back
// nor by accepting one.
func TestSubscriptionOpensNothingAgain(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		n.follow(peers.SubForm{})
		n.acceptAll()
		retier := func(hosts ...string) {
			t.Helper()
			do(t, n.region, func(tx *store.Tx) error {
				for _, h := range hosts {
					if _, err := peers.PutOnList(tx, 0, "schools", peers.ListEntry{Host: h, Tier: peers.PresetFriendly}); err != nil {
						return err
					}
				}
				return nil
			})
			net.Settle()
		}
		retier("a.test", "b.test")
		n.wantDrafts("change a.test", "change b.test")
		do(t, n.school, func(tx *store.Tx) error {
			_, err := peers.Pause(tx, 0, "b.test", peers.Ending{Reason: "broken into"})
			return err
		})
		n.acceptAll()
		n.wantStanding("b.test", peers.Paused)
		changed := ask(t, n.school, func(tx *store.Tx) ([]peers.Draft, error) { return peers.SourcesOf(tx, "a.test") })[0]
		if changed.What != peers.DraftChange {
			t.Fatalf("the last that came of a list is %+v", changed)
		}
		do(t, n.school, func(tx *store.Tx) error { return peers.Remove(tx, 0, "a.test", "no school any more") })
		err := n.school.DB().Write(t.Context(), func(tx *store.Tx) error { _, err := peers.UndoDraft(tx, 0, changed.ID); return err })
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("taken back: %v", err)
		}
		n.wantStanding("a.test", peers.Unknown)
	})
}

func TestSubscriptionTierCap(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		do(t, n.region, func(tx *store.Tx) error {
			for host, tier := range map[string]peers.Preset{"p.test": peers.PresetPartner, "l.test": peers.PresetListen, "t.test": peers.PresetTrial} {
				if _, err := peers.PutOnList(tx, 0, "schools", peers.ListEntry{Host: host, Tier: tier}); err != nil {
					return err
				}
			}
			return nil
		})
		err := n.school.DB().Write(t.Context(), func(tx *store.Tx) error {
			_, err := peers.Subscribe(tx, 0, n.url, "", peers.SubForm{TierCap: peers.PresetPartner})
			return err
		})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("a list that may give a partner school: %v", err)
		}
		id := n.follow(peers.SubForm{AutoAccept: true})
		for host, want := range map[string]peers.Preset{"p.test": peers.PresetNetwork, "l.test": peers.PresetListen, "a.test": peers.PresetNetwork, "t.test": peers.PresetTrial} {
			if p := n.peer(host); p.Preset != want {
				t.Errorf("%s is %q, want %q", host, p.Preset, want)
			}
		}
		do(t, n.school, func(tx *store.Tx) error {
			_, err := peers.SetSubscription(tx, 0, id, peers.SubForm{AutoAccept: true, TierCap: peers.PresetFriendly})
			return err
		})
		n.put("z.test")
		net.Settle()
		if p := n.peer("z.test"); p.Preset != peers.PresetFriendly || p.Ceiling != peers.CeilingPublic {
			t.Errorf("above the cap: %q up to %q", p.Preset, p.Ceiling)
		}
	})
}

func TestSubscriptionExclude(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		n.school.Admin().Allow("b.test")
		do(t, n.school, func(tx *store.Tx) error {
			if err := peers.ExcludeHost(tx, 0, "B.test", "our neighbours: we talk ourselves", true); err != nil {
				return err
			}
			return peers.ExcludeHost(tx, 0, "a.test", "", true)
		})
		n.follow(peers.SubForm{AutoAccept: true})
		n.wantStanding("a.test", peers.Unknown)
		n.wantStanding("c.test", peers.Allowed)
		// also an emergency only proposes what to do with it
		do(t, n.region, func(tx *store.Tx) error {
			return peers.RaiseEmergency(tx, 0, "schools", "b.test", "an administrator's account was taken over")
		})
		net.Settle()
		n.wantStanding("b.test", peers.Allowed)
		n.wantDrafts("pause b.test")
		do(t, n.school, func(tx *store.Tx) error { return peers.ExcludeHost(tx, 0, "a.test", "", false) })
		net.Settle()
		n.wantStanding("a.test", peers.Allowed)
	})
}

func TestSubscriptionChangedKey(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		other := net.Start("other.test")
		net.Settle()
		id := n.follow(peers.SubForm{AutoAccept: true})
		pinned := n.sub(id).KeyPEM
		var key struct{ Ed25519PublicKey, Ed25519PrivateKey string }
		if err := other.DB().Read(t.Context(), func(tx *store.Tx) error {
			return tx.Raw("SELECT ed25519_public_key, ed25519_private_key FROM site").Scan(&key).Error
		}); err != nil {
			t.Fatal(err)
		}
		n.region.Stop()
		n.region.Resume()
		exec(t, n.region, "UPDATE site SET ed25519_public_key = ?, ed25519_private_key = ?", key.Ed25519PublicKey, key.Ed25519PrivateKey)
		n.region.Stop()
		n.region.Resume()
		n.put("f.test")
		sub := n.look(id)
		if sub.State != peers.SubStopped || sub.Why != peers.StopKey || sub.KeyPEM != pinned || sub.NewKeyPEM == "" || sub.NextAt != nil {
			t.Fatalf("after the key changed: %+v", sub)
		}
		n.wantStanding("f.test", peers.Unknown)
		err := n.school.DB().Write(t.Context(), func(tx *store.Tx) error {
			_, err := peers.ConfirmKey(tx, 0, id, peers.KeyPrint(pinned))
			return err
		})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("confirming with the old fingerprint: %v", err)
		}
		do(t, n.school, func(tx *store.Tx) error {
			_, err := peers.ConfirmKey(tx, 0, id, strings.ToUpper(peers.KeyPrint(sub.NewKeyPEM)))
			return err
		})
		net.Settle()
		n.wantStanding("f.test", peers.Allowed)
	})
}

func TestSubscriptionHandDecisionWins(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		n.school.Admin().AllowUpTo("a.test", peers.CeilingPublic)
		n.school.Admin().Block("b.test")
		id := n.follow(peers.SubForm{AutoAccept: true})
		if p := n.peer("a.test"); p.Ceiling != peers.CeilingPublic || p.Source != peers.SourceManual {
			t.Errorf("a.test is %q by %q", p.Ceiling, p.Source)
		}
		n.wantStanding("b.test", peers.Blocked)
		n.wantStanding("c.test", peers.Allowed)
		// what a person changes after the list stays, whatever the list says later
		n.school.Admin().AllowUpTo("c.test", peers.CeilingGroup)
		n.school.Admin().RemovePeer("d.test")
		do(t, n.region, func(tx *store.Tx) error {
			for _, h := range []string{"c.test", "d.test"} {
				if _, err := peers.PutOnList(tx, 0, "schools", peers.ListEntry{Host: h, Tier: peers.PresetListen}); err != nil {
					return err
				}
			}
			return nil
		})
		net.Settle()
		if sub := n.sub(id); sub.State != peers.SubActive || sub.Error != "" {
			t.Fatalf("the list is %s: %s", sub.State, sub.Error)
		}
		if p := n.peer("c.test"); p.Ceiling != peers.CeilingGroup {
			t.Errorf("c.test is up to %q", p.Ceiling)
		}
		n.wantStanding("d.test", peers.Unknown)
		n.wantDrafts("allow d.test") // to be decided by whoever took it off
		n.retract("c.test")
		net.Settle()
		n.wantStanding("c.test", peers.Allowed)
		n.wantDrafts("allow d.test")
	})
}
