package testnet_test

import (
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

// A list is not asked for while its publisher is paused, and is as soon as that
// is over: what was an emergency meanwhile pauses then.
func TestSubscriptionOfPausedPublisher(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		id := n.follow(peers.SubForm{})
		n.school.Admin().Allow("a.test")
		do(t, n.school, func(tx *store.Tx) error { _, err := peers.Pause(tx, 0, "region.test", peers.Ending{}); return err })
		net.Settle()
		n.look(id)
		if s := n.sub(id); s.Error != peers.ListPublisherPaused || !s.NotAsked() {
			t.Errorf("of a paused publisher the list says %q", s.Error)
		}
		n.put("a.test")
		do(t, n.region, func(tx *store.Tx) error { return peers.RaiseEmergency(tx, 0, "schools", "a.test", "taken over") })
		net.Settle()
		n.wantStanding("a.test", peers.Allowed)
		do(t, n.school, func(tx *store.Tx) error { _, err := peers.Resume(tx, 0, "region.test", peers.Ending{}); return err })
		net.Settle()
		n.wantStanding("a.test", peers.Paused)
		if s := n.sub(id); s.Error != "" {
			t.Errorf("after the pause the list says %q", s.Error)
		}
		do(t, n.school, func(tx *store.Tx) error {
			_, err := peers.Retire(tx, 0, "region.test", peers.Ending{Reason: "a test"})
			return err
		})
		net.Settle()
		n.look(id)
		if s := n.sub(id); s.Error != peers.ListPublisherEnded {
			t.Errorf("of a retired publisher the list says %q", s.Error)
		}
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
		if p := n.peer("a.test"); p.Reason != "Schools of the region (region.test): an administrator's account was taken over" {
			t.Errorf("the reason is %q", p.Reason)
		}
		line := ask(t, n.school, func(tx *store.Tx) ([]peers.Line, error) { return peers.Audit(tx, "a.test", store.Page{Limit: 1}) })[0]
		if line.Action != "peer.pause" || !strings.HasPrefix(line.Reason, "Schools of the region (region.test): ") {
			t.Errorf("the log says %s, %q", line.Action, line.Reason)
		}
		if from := ask(t, n.school, func(tx *store.Tx) (peers.Subscription, error) { return peers.ListOf(tx, "a.test") }); from.ID != id {
			t.Errorf("the pause is said to come of %q", from.Source())
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
