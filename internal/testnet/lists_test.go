package testnet_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

// listNet is a region that publishes a list and a school that follows it.
type listNet struct {
	t      *testing.T
	net    *testnet.Net
	region *testnet.Server
	school *testnet.Server
	url    string
}

func do(t *testing.T, s *testnet.Server, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := s.DB().Write(t.Context(), fn); err != nil {
		t.Fatalf("%s: %v", s.Host, err)
	}
}

func ask[T any](t *testing.T, s *testnet.Server, fn func(tx *store.Tx) (T, error)) T {
	t.Helper()
	var v T
	err := s.DB().Read(t.Context(), func(tx *store.Tx) (err error) {
		v, err = fn(tx)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", s.Host, err)
	}
	return v
}

// newListNet has the region publish a list of five schools.
func newListNet(t *testing.T, net *testnet.Net) *listNet {
	n := &listNet{t: t, net: net, region: net.Start("region.test"), school: net.Start("oak.test")}
	net.Befriend(n.region, n.school)
	n.url = "https://region.test/peering/lists/schools"
	do(t, n.region, func(tx *store.Tx) error {
		if _, err := peers.NewList(tx, 0, peers.ListForm{Path: "schools", Name: "Schools of the region", Formats: peers.AllFormats}); err != nil {
			return err
		}
		_, err := peers.PublishList(tx, 0, "schools", true)
		return err
	})
	n.put("a.test", "b.test", "c.test", "d.test", "e.test")
	return n
}

func (n *listNet) put(hosts ...string) {
	n.t.Helper()
	do(n.t, n.region, func(tx *store.Tx) error {
		for _, h := range hosts {
			if _, err := peers.PutOnList(tx, 0, "schools", peers.ListEntry{Host: h, Label: "School " + h, Tier: peers.PresetNetwork}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (n *listNet) retract(hosts ...string) {
	n.t.Helper()
	do(n.t, n.region, func(tx *store.Tx) error {
		for _, h := range hosts {
			if err := peers.Retract(tx, 0, "schools", h, "left the region"); err != nil {
				return err
			}
		}
		return nil
	})
}

// follow has the school follow the list, and an administrator compare its key.
func (n *listNet) follow(f peers.SubForm) int64 {
	n.t.Helper()
	return followList(n.t, n.net, n.school, n.url, f)
}

func followList(t *testing.T, net *testnet.Net, s *testnet.Server, url string, f peers.SubForm) int64 {
	t.Helper()
	var id int64
	do(t, s, func(tx *store.Tx) error {
		sub, err := peers.Subscribe(tx, 0, url, "", f)
		id = sub.ID
		return err
	})
	net.Settle()
	sub := ask(t, s, func(tx *store.Tx) (peers.Subscription, error) { return peers.SubscriptionByID(tx, id) })
	if sub.State != peers.SubConfirm || sub.NewKeyPEM == "" {
		t.Fatalf("after the first look the list is %s (%s), want its key to be confirmed", sub.State, sub.Error)
	}
	if _, waits := draftsOf(t, s); waits != 0 {
		t.Fatalf("%d drafts before the key was confirmed", waits)
	}
	do(t, s, func(tx *store.Tx) error {
		_, err := peers.ConfirmKey(tx, 0, id, peers.KeyPrint(sub.NewKeyPEM))
		return err
	})
	net.Settle()
	return id
}

// look has a list looked at now, and waits until that is done.
func (n *listNet) look(id int64) peers.Subscription {
	n.t.Helper()
	do(n.t, n.school, func(tx *store.Tx) error { return peers.FetchNow(tx, id) })
	n.net.Settle()
	return n.sub(id)
}

func (n *listNet) sub(id int64) peers.Subscription {
	n.t.Helper()
	return ask(n.t, n.school, func(tx *store.Tx) (peers.Subscription, error) { return peers.SubscriptionByID(tx, id) })
}

func draftsOf(t *testing.T, s *testnet.Server) ([]string, int) {
	t.Helper()
	all := ask(t, s, func(tx *store.Tx) ([]peers.Draft, error) {
		return peers.Drafts(tx, peers.DraftFilter{}, store.Page{Limit: 80})
	})
	var words []string
	for _, d := range all {
		words = append(words, string(d.What)+" "+d.Host)
	}
	slices.Sort(words)
	return words, len(words)
}

func (n *listNet) wantDrafts(want ...string) {
	n.t.Helper()
	if got, _ := draftsOf(n.t, n.school); !slices.Equal(got, want) {
		n.t.Errorf("the drafts are %q, want %q", got, want)
	}
}

func standing(t *testing.T, s *testnet.Server, host string) peers.Standing {
	t.Helper()
	return ask(t, s, func(tx *store.Tx) (peers.Standing, error) { return peers.StandingOf(tx, host) })
}

func (n *listNet) wantStanding(host string, want peers.Standing) {
	n.t.Helper()
	if got := standing(n.t, n.school, host); got != want {
		n.t.Errorf("%s is %q, want %q", host, got, want)
	}
}

func (n *listNet) peer(host string) peers.Peer {
	n.t.Helper()
	return ask(n.t, n.school, func(tx *store.Tx) (peers.Peer, error) { return peers.Get(tx, host) })
}

// acceptAll accepts everything that is proposed.
func (n *listNet) acceptAll() {
	n.t.Helper()
	do(n.t, n.school, func(tx *store.Tx) error {
		_, err := peers.AcceptDrafts(tx, 0, peers.DraftFilter{})
		return err
	})
	n.net.Settle()
}

// exec changes tables by hand.
func exec(t *testing.T, s *testnet.Server, sql string, args ...any) {
	t.Helper()
	do(t, s, func(tx *store.Tx) error { return tx.Exec(sql, args...).Error })
}

func TestSubscription(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		t.Run("drafts by default", func(t *testing.T) {
			n := newListNet(t, net)
			id := n.follow(peers.SubForm{})
			n.wantDrafts("allow a.test", "allow b.test", "allow c.test", "allow d.test", "allow e.test")
			n.wantStanding("a.test", peers.Unknown)
			sub := n.sub(id)
			if sub.State != peers.SubActive || sub.Name != "Schools of the region" || sub.Entries != 5 || sub.OKAt == nil || sub.Error != "" {
				t.Errorf("the subscription is %+v", sub)
			}

			// accept one, reject one, accept the rest together
			drafts := ask(t, n.school, func(tx *store.Tx) ([]peers.Draft, error) { return peers.Drafts(tx, peers.DraftFilter{}, store.Page{}) })
			byHost := map[string]peers.Draft{}
			for _, d := range drafts {
				byHost[d.Host] = d
			}
			do(t, n.school, func(tx *store.Tx) error {
				if _, err := peers.AcceptDraft(tx, 0, byHost["a.test"].ID, nil); err != nil {
					return err
				}
				_, err := peers.RejectDraft(tx, 0, byHost["b.test"].ID)
				return err
			})
			n.wantStanding("a.test", peers.Allowed)
			n.acceptAll()
			n.wantDrafts()
			n.wantStanding("b.test", peers.Unknown)
			n.wantStanding("e.test", peers.Allowed)
			if p := n.peer("a.test"); p.Source != peers.SourceList || p.Preset != peers.PresetNetwork || p.Label != "School a.test" {
				t.Errorf("the entry is %+v", p)
			}
			sources := ask(t, n.school, func(tx *store.Tx) ([]peers.Draft, error) { return peers.SourcesOf(tx, "a.test") })
			if len(sources) != 1 || sources[0].SubID != id {
				t.Errorf("what came of lists for a.test: %+v", sources)
			}

			// each can be undone, as long as nothing else was decided
			do(t, n.school, func(tx *store.Tx) error {
				_, err := peers.UndoDraft(tx, 0, byHost["a.test"].ID)
				return err
			})
			n.wantStanding("a.test", peers.Unknown)
			n.school.Admin().AllowUpTo("c.test", peers.CeilingPublic)
			err := n.school.DB().Write(t.Context(), func(tx *store.Tx) error {
				_, err := peers.UndoDraft(tx, 0, byHost["c.test"].ID)
				return err
			})
			if !fault.Is(err, fault.Conflict) {
				t.Errorf("undoing what was decided about since: %v", err)
			}

			// a list that says the same as before changes nothing, also where it is read anew
			exec(t, n.school, "UPDATE list_subs SET etag = '', modified = ''")
			n.look(id)
			n.wantDrafts()
			n.wantStanding("a.test", peers.Unknown)
			n.wantStanding("b.test", peers.Unknown)
		})
	})
}

func TestSubscription304(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		id := n.follow(peers.SubForm{})
		before := n.sub(id)
		if before.ETag == "" || before.Modified == "" {
			t.Fatalf("no ETag or Last-Modified was kept: %+v", before)
		}
		// a body that cannot be read is not asked for
		exec(t, n.region, "UPDATE published_lists SET body = ?", []byte("broken"))
		after := n.look(id)
		if after.Error != "" || after.Failures != 0 || !after.OKAt.After(*before.OKAt) {
			t.Errorf("after a look that found nothing new: %+v", after)
		}
		if wait := after.NextAt.Sub(*after.OKAt); wait > time.Minute {
			t.Errorf("the next look is %v later, want a minute at most", wait)
		}
		res := n.get("", http.Header{"If-None-Match": {`"0", W/` + before.ETag}})
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("unsigned: %s, want 401", res.Status)
		}
		do(t, n.region, func(tx *store.Tx) error {
			_, err := peers.SetList(tx, 0, "schools", peers.ListForm{Name: "Schools", Visibility: peers.VisiblePublic, Formats: peers.AllFormats})
			return err
		})
		res = n.get("", nil)
		tag := strings.TrimPrefix(res.Header.Get("ETag"), "W/")
		for _, with := range []http.Header{{"If-None-Match": {`"0", W/` + tag}}, {"If-Modified-Since": {res.Header.Get("Last-Modified")}}} {
			if res := n.get("", with); res.StatusCode != http.StatusNotModified {
				t.Errorf("with %v: %s, want 304", with, res.Status)
			}
		}
		n.put("f.test")
		for _, with := range []http.Header{{"If-None-Match": {tag}}, nil} {
			if res := n.get("", with); res.StatusCode != http.StatusOK {
				t.Errorf("changed, with %v: %s, want 200", with, res.Status)
			}
		}
	})
}

// get asks for the list without a signature.
func (n *listNet) get(more string, header http.Header) *http.Response {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, n.url+more, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header = header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	res, err := n.net.Client().Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { res.Body.Close() })
	return res
}

func TestSubscription404(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		id := n.follow(peers.SubForm{AutoAccept: true})
		n.acceptAll()
		do(t, n.region, func(tx *store.Tx) error {
			_, err := peers.PublishList(tx, 0, "schools", false)
			return err
		})
		sub := n.look(id)
		if sub.Error != "peerlist.not_there" || sub.Failures != 1 || sub.State != peers.SubActive {
			t.Errorf("the list is gone: %+v", sub)
		}
		n.wantStanding("a.test", peers.Allowed) // nothing is concluded from that
		do(t, n.region, func(tx *store.Tx) error {
			_, err := peers.PublishList(tx, 0, "schools", true)
			return err
		})
		if sub = n.look(id); sub.Error != "" || sub.Failures != 0 {
			t.Errorf("the list is back: %+v", sub)
		}
	})
}

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

func TestSubscriptionMassRetraction(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		for i := range 15 {
			n.put(fmt.Sprintf("s%02d.test", i))
		}
		id := n.follow(peers.SubForm{OnRetract: peers.RetractRemove})
		n.acceptAll()
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
		n := newListNet(t, net)
		for i := range 15 {
			n.put(fmt.Sprintf("s%02d.test", i))
		}
		id := n.follow(peers.SubForm{OnRetract: peers.RetractRemove})
		n.acceptAll()
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

func TestSubscriptionQuorum(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		north := net.Start("north.test")
		net.Befriend(north, n.school)
		do(t, north, func(tx *store.Tx) error {
			if _, err := peers.NewList(tx, 0, peers.ListForm{Path: "schools", Name: "Schools of the north"}); err != nil {
				return err
			}
			if _, err := peers.PublishList(tx, 0, "schools", true); err != nil {
				return err
			}
			for _, h := range []string{"b.test", "x.test"} {
				if _, err := peers.PutOnList(tx, 0, "schools", peers.ListEntry{Host: h, Tier: peers.PresetFriendly}); err != nil {
					return err
				}
			}
			return nil
		})
		two := peers.SubForm{Group: "regions", Quorum: 2}
		first := n.follow(two)
		n.wantDrafts() // one list of two is not enough
		followList(t, net, n.school, "https://north.test/peering/lists/schools", two)
		n.wantDrafts("allow b.test")
		n.acceptAll()
		if p := n.peer("b.test"); p.Preset != peers.PresetFriendly {
			t.Errorf("what both lists give is %q, want the narrower", p.Preset)
		}
		// one of two takes it back: it is not named by enough any more
		n.retract("b.test")
		net.Settle()
		n.wantDrafts("remove b.test")
		// other rules are applied to what was left out before
		do(t, n.school, func(tx *store.Tx) error {
			_, err := peers.SetSubscription(tx, 0, first, peers.SubForm{})
			return err
		})
		net.Settle()
		n.wantDrafts("allow a.test", "allow c.test", "allow d.test", "allow e.test", "remove b.test")
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

// An emergency reaches a reader at once where its publisher can tell it, and
// within one look where it cannot.
func TestSubscriptionEmergency(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		amira := n.school.Teacher("amira")
		bad := net.Start("a.test")
		eve := bad.Teacher("eve")
		id := n.follow(peers.SubForm{AutoAccept: true, AutoResume: true})
		n.put("a.test")
		do(t, n.school, func(tx *store.Tx) error { return peers.ExcludeHost(tx, 0, "e.test", "", true) })
		bad.Admin().Allow("oak.test")
		net.Settle()
		n.wantStanding("a.test", peers.Allowed)
		n.school.Admin().AllowUpTo("b.test", peers.CeilingGroup) // by hand
		amira.Follow("@eve@a.test")
		net.Settle()
		eve.Publish("Good morning")
		net.Settle()
		do(t, n.school, func(tx *store.Tx) error { // the first post, which is held
			_, err := community.PassHeldOf(tx, 0, "a.test", "")
			return err
		})
		net.Settle()
		amira.WantHome("Good morning")

		emergency := func(host string) {
			t.Helper()
			do(t, n.region, func(tx *store.Tx) error {
				return peers.RaiseEmergency(tx, 0, "schools", host, "an administrator's account was taken over")
			})
		}
		emergency("a.test")
		net.Settle()
		n.wantStanding("a.test", peers.Paused)
		if p := n.peer("a.test"); p.Reason != "Schools of the region: an administrator's account was taken over" {
			t.Errorf("the reason is %q", p.Reason)
		}
		eve.Publish("Click here")
		net.Settle()
		amira.WantHome("Good morning")

		// without a word from the publisher: by the next look, 45 seconds later at most
		exec(t, n.region, "DELETE FROM published_readers")
		emergency("b.test")
		net.Settle()
		if wait := n.sub(id).NextAt.Sub(*n.sub(id).OKAt); wait > time.Minute {
			t.Errorf("the next look is %v after the one before", wait)
		}
		n.look(id)
		n.wantStanding("b.test", peers.Paused) // whoever allowed it

		// who resumes one by hand is not overruled by the same emergency
		do(t, n.school, func(tx *store.Tx) error {
			_, err := peers.Resume(tx, 0, "b.test", peers.Ending{Reason: "we looked into it ourselves"})
			return err
		})
		n.put("g.test")
		n.look(id)
		n.wantStanding("b.test", peers.Allowed)

		// it is over: what nobody touched goes on as before
		do(t, n.region, func(tx *store.Tx) error {
			return peers.EndEmergency(tx, 0, "schools", "a.test", "a new administrator")
		})
		n.look(id)
		n.wantStanding("a.test", peers.Allowed)
		eve.Publish("We are back")
		net.Settle()
		back := ask(t, n.school, func(tx *store.Tx) (int64, error) {
			var c int64
			return c, tx.Raw("SELECT COUNT(*) FROM home_entries JOIN posts ON posts.id = home_entries.post_id WHERE posts.title = 'We are back'").Scan(&c).Error
		})
		if back != 1 {
			t.Error("after the emergency nothing comes from there")
		}

		// a second one takes effect again; a person's decision in between keeps
		// it from going on by itself, and it is offered
		emergency("a.test")
		n.look(id)
		n.wantStanding("a.test", peers.Paused)
		do(t, n.school, func(tx *store.Tx) error {
			return tx.Exec("UPDATE peers SET changed_at = ? WHERE host = 'a.test'", time.Now().Add(time.Second)).Error
		})
		do(t, n.region, func(tx *store.Tx) error { return peers.EndEmergency(tx, 0, "schools", "a.test", "") })
		n.look(id)
		n.wantStanding("a.test", peers.Paused)
		n.wantDrafts("resume a.test")
		n.acceptAll()
		n.wantStanding("a.test", peers.Allowed)
	})
}

func TestSubscriptionRetractionToReview(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		n.school.Admin().Allow("b.test")
		id := n.follow(peers.SubForm{AutoAccept: true})
		n.wantStanding("a.test", peers.Allowed)
		n.retract("a.test", "b.test")
		net.Settle()
		n.wantStanding("a.test", peers.Allowed)
		n.wantDrafts("remove a.test") // b.test was allowed by hand
		n.put("a.test")               // and back
		net.Settle()
		n.wantDrafts()
		n.retract("a.test")
		net.Settle()
		n.acceptAll()
		n.wantStanding("a.test", peers.Retired)
		drafts := ask(t, n.school, func(tx *store.Tx) ([]peers.Draft, error) { return peers.SourcesOf(tx, "a.test") })
		do(t, n.school, func(tx *store.Tx) error {
			_, err := peers.UndoDraft(tx, 0, drafts[0].ID)
			return err
		})
		n.wantStanding("a.test", peers.Allowed)

		do(t, n.school, func(tx *store.Tx) error {
			_, err := peers.SetSubscription(tx, 0, id, peers.SubForm{OnRetract: peers.RetractIgnore})
			return err
		})
		net.Settle()
		n.retract("c.test")
		net.Settle()
		n.wantDrafts()
		n.wantStanding("c.test", peers.Allowed)

		// who ends a subscription keeps what came of it, and another list can adopt it
		do(t, n.school, func(tx *store.Tx) error { return peers.Unsubscribe(tx, 0, id) })
		n.wantStanding("d.test", peers.Allowed)
		again := n.follow(peers.SubForm{Adopt: true})
		n.retract("d.test")
		net.Settle()
		n.wantDrafts("remove d.test")
		if s := ask(t, n.school, func(tx *store.Tx) ([]peers.Draft, error) { return peers.SourcesOf(tx, "e.test") }); len(s) == 0 || s[0].SubID != again {
			t.Errorf("e.test was not adopted: %+v", s)
		}
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

// Lists for other software, and who may read them.
func TestPublishedListForms(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		do(t, n.region, func(tx *store.Tx) error {
			if err := peers.RaiseEmergency(tx, 0, "schools", "e.test", "taken over"); err != nil {
				return err
			}
			_, err := peers.SetList(tx, 0, "schools", peers.ListForm{Name: "Schools", Visibility: peers.VisibleLink, Formats: peers.FormatsMastodon | peers.FormatsGoToSocial})
			return err
		})
		for _, more := range []string{"", ".csv", "?key=", "?key=wrong", ".csv?key=wrong"} {
			if res := n.get(more, nil); res.StatusCode != http.StatusNotFound {
				t.Errorf("%q without the secret: %s", more, res.Status)
			}
		}
		l := ask(t, n.region, func(tx *store.Tx) (peers.PublishedList, error) { return peers.ListByPath(tx, "schools") })
		key := "?key=" + l.Secret
		read := func(more string) string {
			res := n.get(more, nil)
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("%s: %s %v", more, res.Status, err)
			}
			return string(body)
		}
		if got := read(".csv" + key); got != "#domain\na.test\nb.test\nc.test\nd.test\n" {
			t.Errorf("Mastodon's CSV: %q", got)
		}
		var elements []struct{ Domain string }
		if err := json.Unmarshal([]byte(read(".json"+key)), &elements); err != nil || len(elements) != 4 || elements[0].Domain != "a.test" {
			t.Errorf("GoToSocial's JSON: %v %v", elements, err)
		}
		if res := n.get(".txt"+key, nil); res.StatusCode != http.StatusNotFound {
			t.Errorf("a form that is not given out: %s", res.Status)
		}
		var doc struct {
			Name, Publisher string
			Entries         []peers.ListEntry
			Proof           struct{ Cryptosuite, VerificationMethod string }
		}
		if err := json.Unmarshal([]byte(read(key)), &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Name != "Schools" || doc.Publisher != "https://region.test/actor" || len(doc.Entries) != 5 || doc.Proof.Cryptosuite != "eddsa-jcs-2022" {
			t.Errorf("the list is %+v", doc)
		}
		if e := doc.Entries[4]; e.Host != "e.test" || !e.Emergency || e.Reason != "taken over" || e.Since == nil {
			t.Errorf("the emergency is %+v", e)
		}
		// whoever has the address can follow it, connected or not
		far := net.Start("far.test")
		followList(t, net, far, n.url+key, peers.SubForm{})
		if got, _ := draftsOf(t, far); !slices.Equal(got, []string{"allow a.test", "allow b.test", "allow c.test", "allow d.test"}) {
			t.Errorf("a server that is not connected is proposed %q", got)
		}
		// Mastodon's CSV is followed too, and only ever proposes
		do(t, far, func(tx *store.Tx) error {
			_, err := peers.Subscribe(tx, 0, n.url+".csv"+key, "", peers.SubForm{AutoAccept: true})
			return err
		})
		net.Settle()
		sub := ask(t, far, func(tx *store.Tx) (peers.Subscription, error) { return peers.SubscriptionByURL(tx, n.url+".csv"+key) })
		if sub.State != peers.SubActive || sub.Signed() || sub.AutoAccept || sub.Format != peers.FormatMastodonAllows {
			t.Errorf("a list without signature: %+v", sub)
		}
		if s := standing(t, far, "a.test"); s != peers.Unknown {
			t.Errorf("a list without signature made a.test %q", s)
		}
		err := far.DB().Write(t.Context(), func(tx *store.Tx) error {
			_, err := peers.SetSubscription(tx, 0, sub.ID, peers.SubForm{AutoAccept: true})
			return err
		})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("letting a list without signature act by itself: %v", err)
		}
	})
}

// Peers that are on a list for what they are come and go by themselves.
func TestPublishedListByRule(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		region := net.Start("region.test")
		allow := func(host string, preset peers.Preset, kind string) {
			t.Helper()
			do(t, region, func(tx *store.Tx) error {
				policy := preset.Policy()
				_, err := peers.Allow(tx, 0, host, peers.Entry{Kind: kind, Policy: &policy})
				return err
			})
		}
		allow("a.test", peers.PresetPartner, "school")
		allow("b.test", peers.PresetNetwork, "school")
		allow("c.test", peers.PresetNetwork, "forum")
		allow("d.test", peers.PresetFriendly, "school")
		do(t, region, func(tx *store.Tx) error {
			_, err := peers.NewList(tx, 0, peers.ListForm{Path: "schools", Name: "Schools", Presets: []string{"partner", "network"}, Kinds: []string{"school"}})
			return err
		})
		want := func(hosts ...string) {
			t.Helper()
			net.Settle()
			l := ask(t, region, func(tx *store.Tx) (peers.PublishedList, error) { return peers.ListByPath(tx, "schools") })
			entries := ask(t, region, func(tx *store.Tx) ([]peers.PublishedEntry, error) {
				return peers.PublishedEntries(tx, l.ID, false, "", "", 100)
			})
			var got []string
			for _, e := range entries {
				got = append(got, e.Host)
			}
			if !slices.Equal(got, hosts) {
				t.Errorf("on the list are %q, want %q", got, hosts)
			}
		}
		want("a.test", "b.test")
		allow("d.test", peers.PresetNetwork, "school")
		allow("b.test", peers.PresetListen, "school")
		want("a.test", "d.test")
		do(t, region, func(tx *store.Tx) error { return peers.Retract(tx, 0, "schools", "a.test", "by hand") })
		allow("e.test", peers.PresetNetwork, "school")
		want("d.test", "e.test") // what was taken off by hand stays off
	})
}
