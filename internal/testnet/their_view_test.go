package testnet_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

// friends is two schools that are connected, and somebody at each who follow each
// other.
func friends(t *testing.T, net *testnet.Net) (oak, elm gate, amira, bo *testnet.Teacher) {
	t.Helper()
	oak, elm = pair(t, net)
	net.Befriend(oak.Server, elm.Server)
	amira, bo = oak.Teacher("amira"), elm.Teacher("bo")
	amira.Follow(bo.Handle())
	bo.Follow(amira.Handle())
	net.Settle()
	return oak, elm, amira, bo
}

// What a server refuses it refuses, whatever it sends meanwhile: what is known of
// it does not change with each message, and says both.
func TestRefusalsOutlastWhatTheySend(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		elm := gates(t, net, "elm.test")[0]
		bo := elm.Teacher("bo")
		x := net.Stranger("x.test")
		elm.Admin().Allow("x.test")
		net.Settle()
		x.Send(elm.Server, x.Follows("pat", bo.Account.IRI(elm.DB().Site())))
		net.Settle()
		elm.wantPeer("x.test", peers.Allowed, peers.ViewAllowed)
		since := func() (at time.Time) {
			t.Helper()
			elm.must(func(tx *store.Tx) error {
				p, err := peers.Get(tx, "x.test")
				if err == nil && p.TheirViewAt != nil {
					at = *p.TheirViewAt
				}
				return err
			})
			return at
		}
		x.Inbox(func(int, map[string]any) int { return http.StatusForbidden })
		var first time.Time
		for i := range 3 {
			bo.Publish(fmt.Sprintf("Exit tickets %d", i))
			net.Settle()
			elm.wantPeer("x.test", peers.Allowed, peers.ViewRefused)
			if i == 0 {
				first = since()
			}
			if status, body := x.Send(elm.Server, x.Note("pat", "still here")); status != 202 {
				t.Fatalf("%d %s", status, body)
			}
			net.Settle()
			elm.wantPeer("x.test", peers.Allowed, peers.ViewRefused)
		}
		if first.IsZero() || !since().Equal(first) {
			t.Errorf("it refuses since %v, and at first since %v", since(), first)
		}
		x.Inbox(func(int, map[string]any) int { return http.StatusAccepted })
		bo.Publish("Number talks")
		net.Settle()
		elm.wantPeer("x.test", peers.Allowed, peers.ViewAllowed)
		// one document that it does not show says nothing of a server that takes what is sent to it
		x.Serve("/users/shy", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }))
		if _, err := elm.Federation().Resolve(t.Context(), x.Actor("shy")); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a refused look: %v", err)
		}
		elm.wantPeer("x.test", peers.Allowed, peers.ViewAllowed)
	})
}

// Where nobody asked to connect, a server that retires the connection says
// nothing of it; who was retired sees it all the same once the ties have ended.
func TestRetirementAcrossIsSeen(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm, amira, bo := friends(t, net)
		amira.Unfollow(bo.Handle()) // which ends nothing else
		net.Settle()
		elm.wantPeer("oak.test", peers.Allowed, peers.ViewAllowed)
		oak.must(func(tx *store.Tx) error {
			_, err := peers.Retire(tx, 0, "elm.test", peers.Ending{Reason: "a test"})
			return err
		})
		net.Settle()
		elm.wantPeer("oak.test", peers.Allowed, peers.ViewRefused)
	})
}

// A server that paused this one and goes on with it is known to do so as soon as
// it is heard from, also where nothing is sent to it.
func TestPauseAcrossIsSeenToEnd(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm, amira, bo := friends(t, net)
		elm.must(func(tx *store.Tx) error { _, err := peers.Pause(tx, 0, "oak.test", peers.Ending{}); return err })
		amira.Publish("Into the pause")
		net.Settle()
		oak.wantPeer("elm.test", peers.Allowed, peers.ViewRefused)
		elm.must(func(tx *store.Tx) error { _, err := peers.Resume(tx, 0, "oak.test", peers.Ending{}); return err })
		bo.Publish("After the pause")
		net.Settle()
		oak.wantPeer("elm.test", peers.Allowed, peers.ViewAllowed)
	})
}

// A server that showed nothing before it had allowed this one, and is heard from
// once it has, is known to allow it, though nothing was ever sent to it; so it is
// where the entry was made anew meanwhile.
func TestLookRefusedBeforeTheyAllowed(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		elm := gates(t, net, "elm.test")[0]
		bo := elm.Teacher("bo")
		x := net.Stranger("x.test")
		elm.Admin().Allow("x.test")
		net.Settle()
		x.Serve("/users/shy", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }))
		if _, err := elm.Federation().Resolve(t.Context(), x.Actor("shy")); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a refused look: %v", err)
		}
		elm.wantPeer("x.test", peers.Allowed, peers.ViewRefused)
		if _, err := elm.Federation().Resolve(t.Context(), x.Actor("pat")); err != nil {
			t.Error(err)
		}
		if status, body := x.Get(bo.Account.IRI(elm.DB().Site())); status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		net.Settle()
		elm.wantPeer("x.test", peers.Allowed, peers.ViewAllowed)
		elm.must(func(tx *store.Tx) error { return peers.Remove(tx, 0, "x.test", "") })
		elm.Admin().Allow("x.test")
		net.Settle()
		elm.wantPeer("x.test", peers.Allowed, peers.ViewUnknown)
		if status, body := x.Get(bo.Account.IRI(elm.DB().Site())); status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		net.Settle()
		elm.wantPeer("x.test", peers.Allowed, peers.ViewAllowed)
	})
}
