package testnet_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

// The four doors: what they send us, what we send them, what we fetch of
// theirs, what they fetch of ours. Each is tried open and then shut, for the
// test must fail if one of them never opened.
func TestDelistedPeerHearsNothing(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		amira, bo, oak, _ := twoSchools(net)
		post := amira.Publish("Exit tickets in five minutes")
		net.Settle()
		bo.WantHome("Exit tickets in five minutes")

		oak.Admin().RemovePeer("elm.test")
		amira.Publish("Retrieval grids")
		bo.Reply(post, "Does this still reach you?")
		net.Settle()
		bo.WantHome("Does this still reach you?", "Exit tickets in five minutes") // and no more
		if v := amira.View(post); v.RepliesCount != 0 {
			t.Error("a reply came in from a server that was taken off the list")
		}
		if _, err := amira.Look("@nobody-yet@elm.test"); !fault.Is(err, fault.Forbidden) {
			t.Errorf("looking for somebody there: %v, want a refusal", err)
		}

		// Back on the list: what is new goes out; what was withheld stays here.
		oak.Admin().Allow("elm.test")
		amira.Publish("Think, pair, share")
		net.Settle()
		bo.WantHome("Think, pair, share", "Does this still reach you?", "Exit tickets in five minutes")
	})
}

// A delivery that was under way when its server was taken off is held, and
// leaves as soon as the server is back.
func TestHeldDeliveriesLeaveOnceAllowed(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		amira, bo, oak, elm := twoSchools(net)
		elm.Stop()
		amira.Publish("Exit tickets in five minutes")
		amira.Publish("Retrieval grids")
		oak.Despair("elm.test")
		oak.Admin().RemovePeer("elm.test")
		elm.Resume()
		net.Settle()
		bo.WantHome()
		oak.Admin().Allow("elm.test")
		net.Settle()
		bo.WantHome("Retrieval grids", "Exit tickets in five minutes")
	})
}

// What a command in another process decides takes effect at once, and what
// was held leaves within the second.
func TestDecisionsOfAnotherProcess(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		amira, bo, oak, elm := twoSchools(net)
		elm.Stop()
		amira.Publish("Exit tickets in five minutes")
		oak.Despair("elm.test")
		oak.Admin().RemovePeer("elm.test")
		elm.Resume()
		net.Settle()
		bo.WantHome()

		beside, err := app.OpenDB(t.Context(), oak.Config(), slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		err = beside.Write(t.Context(), func(tx *store.Tx) error {
			_, err := peers.Allow(tx, 0, "elm.test", peers.Entry{})
			return err
		})
		if err := errors.Join(err, beside.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		net.Settle()
		bo.WantHome("Exit tickets in five minutes")
	})
}

func TestStrangersAreShownTheDoor(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak := net.Start("oak.test")
		amira := oak.Teacher("amira")
		post := amira.Publish("For everyone")
		x := net.Stranger("x.test")
		actor := amira.Account.IRI(oak.DB().Site())

		shut := func(when string) {
			t.Helper()
			for what, ask := range map[string]func() (int, string){
				"a delivery":           func() (int, string) { return x.Send(oak, x.Note("mallory", "Hello")) },
				"fetching an actor":    func() (int, string) { return x.Get(actor) },
				"fetching a post":      func() (int, string) { return x.Get(post.IRI) },
				"fetching an outbox":   func() (int, string) { return x.Get(actor + "/outbox") },
				"fetching followers":   func() (int, string) { return x.Get(actor + "/followers") },
				"unsigned, the actor":  func() (int, string) { return x.Get(actor, testnet.Signing{Unsigned: true}) },
				"unsigned, the outbox": func() (int, string) { return x.Get(actor+"/outbox", testnet.Signing{Unsigned: true}) },
			} {
				status, body := ask()
				if status != 403 && status != 401 {
					t.Errorf("%s, %s: %d %s", when, what, status, body)
				}
				if strings.Contains(body, "For everyone") {
					t.Errorf("%s, %s: the refusal gives away the post", when, what)
				}
			}
			if n := x.Fetched("/users/mallory"); n != 0 {
				t.Errorf("%s: the stranger made us fetch from it %d times", when, n)
			}
		}
		shut("with an empty list")
		oak.Admin().Allow("elm.test")
		shut("with somebody else on the list")
		if _, err := amira.Look("@mallory@x.test"); !fault.Is(err, fault.Forbidden) {
			t.Errorf("looking for a stranger: %v, want a refusal", err)
		}
		oak.Admin().Block("x.test")
		shut("blocked")

		// The refusal is legible: RFC 9457.
		_, body := x.Send(oak, x.Note("mallory", "Hello"))
		var problem struct{ Type, Title, Detail, Peering string }
		if err := json.Unmarshal([]byte(body), &problem); err != nil || !strings.HasSuffix(problem.Type, "#peering-required") || problem.Peering != "https://oak.test/peering" {
			t.Errorf("the refusal says %s (%v)", body, err)
		}

		// What needs no signature stays open, since nothing works without it.
		for _, path := range []string{"/actor", "/.well-known/webfinger?resource=acct:amira@oak.test", "/.well-known/nodeinfo"} {
			if status, body := x.Get("https://oak.test"+path, testnet.Signing{Unsigned: true}); status != 200 {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}

		oak.Admin().RemovePeer("x.test")
		oak.Admin().Allow("x.test")
		net.Settle()
		if status, body := x.Get(post.IRI); status != 200 || !strings.Contains(body, "For everyone") {
			t.Errorf("once allowed, fetching a post: %d %s", status, body)
		}
		if status, body := x.Send(oak, x.Note("mallory", "Hello")); status != 202 {
			t.Errorf("once allowed, a delivery: %d %s", status, body)
		}
		net.Settle()
		amira.WantConnected("Hello")
	})
}

func TestBlockHidesAndUnblockShows(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		amira, bo, _, elm := twoSchools(net)
		post := amira.Publish("Seen")
		net.Settle()
		bo.WantHome("Seen")
		elm.Admin().Block("oak.test")
		net.Settle()
		bo.WantHome()
		if bo.Sees(post) {
			t.Error("a post of a blocked server is still shown")
		}
		elm.Admin().RemovePeer("oak.test")
		net.Settle()
		bo.WantHome("Seen")
	})
}

func TestOpenModeAdmitsAllButTheBlocked(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak := net.Start("oak.test")
		oak.Admin().Open()
		amira := oak.Teacher("amira")
		x, y := net.Stranger("x.test"), net.Stranger("y.sub.test")
		oak.Admin().Block("sub.test")
		if status, body := x.Send(oak, x.Note("pat", "From an unknown server")); status != 202 {
			t.Errorf("an unknown server in open mode: %d %s", status, body)
		}
		if status, _ := y.Send(oak, y.Note("pat", "From below a blocked name")); status != 403 {
			t.Errorf("a name below a blocked one: %d, want 403", status)
		}
		net.Settle()
		amira.WantConnected("From an unknown server")
	})
}
