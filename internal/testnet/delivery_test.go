package testnet_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/testnet"
)

// follow has an actor of each stranger follow a teacher.
func follow(t *testing.T, net *testnet.Net, at *testnet.Server, who *testnet.Teacher, strangers ...*testnet.Stranger) {
	t.Helper()
	for _, x := range strangers {
		at.Admin().Allow(x.Host)
	}
	net.Settle()
	for _, x := range strangers {
		if status, body := x.Send(at, x.Follows("reader", who.Account.IRI(at.DB().Site()))); status != http.StatusAccepted {
			t.Fatalf("%s follows: %d %s", x.Host, status, body)
		}
	}
	net.Settle()
}

// creates returns the titles of the posts that a stranger took, in order.
func creates(x *testnet.Stranger) []string {
	var titles []string
	for _, r := range x.Taken("Create") {
		object, _ := r.Activity["object"].(map[string]any)
		titles = append(titles, fmt.Sprint(object["name"]))
	}
	return titles
}

func TestSlowPeerDelaysOnlyItself(t *testing.T) {
	net := testnet.New(t)
	oak := net.Start("oak.test")
	amira := oak.Teacher("amira")
	slow, quick := net.Stranger("slow.test"), net.Stranger("quick.test")
	follow(t, net, oak, amira, slow, quick)

	hold := make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	defer release()
	slow.Inbox(func(int, map[string]any) int {
		select {
		case <-hold:
		case <-time.After(10 * time.Second):
		}
		return http.StatusAccepted
	})
	got := make(chan struct{}, 16)
	quick.Inbox(func(int, map[string]any) int {
		got <- struct{}{}
		return http.StatusAccepted
	})
	want := []string{"One", "Two", "Three", "Four"}
	for _, title := range want {
		amira.Publish(title)
	}
	for i := range want {
		select {
		case <-got:
		case <-time.After(20 * time.Second):
			t.Fatalf("post %d does not reach the quick server while the slow one thinks", i+1)
		}
	}
	if n := len(slow.Taken("Create")); n != 0 {
		t.Errorf("the slow server has finished %d already; the test shows nothing", n)
	}
	release()
	net.Settle()
	for _, x := range []*testnet.Stranger{slow, quick} {
		if titles := creates(x); fmt.Sprint(titles) != fmt.Sprint(want) {
			t.Errorf("%s got %q, want %q in this order, each once", x.Host, titles, want)
		}
	}
}

func TestRefusedForAMomentIsTriedAgain(t *testing.T) {
	net := testnet.New(t)
	oak := net.Start("oak.test")
	amira := oak.Teacher("amira")
	x := net.Stranger("busy.test")
	follow(t, net, oak, amira, x)
	failing := 2
	x.Inbox(func(int, map[string]any) int {
		if failing > 0 {
			failing--
			return http.StatusServiceUnavailable
		}
		return http.StatusAccepted
	})
	want := []string{"One", "Two", "Three"}
	for _, title := range want {
		amira.Publish(title)
	}
	net.Settle()
	if titles := creates(x); fmt.Sprint(titles) != fmt.Sprint(want) {
		t.Errorf("after two refusals the server has %q, want %q in this order, each once", titles, want)
	}
}

func TestSharedInboxGetsEachPostOnce(t *testing.T) {
	net := testnet.New(t)
	oak := net.Start("oak.test")
	amira := oak.Teacher("amira")
	x := net.Stranger("many.test")
	follow(t, net, oak, amira, x)
	for i := range 5 {
		x.Send(oak, x.Follows(fmt.Sprintf("reader%d", i), amira.Account.IRI(oak.DB().Site())))
	}
	net.Settle()
	amira.Publish("For six readers on one server")
	net.Settle()
	taken := x.Taken("Create")
	if len(taken) != 1 || taken[0].Path != "/inbox" {
		t.Errorf("delivered %d times, %+v, want once to the shared inbox", len(taken), taken)
	}
}
