package testnet_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

// grouped makes an actor of a server a group.
func grouped(t *testing.T, net *testnet.Net, x *testnet.Stranger, name string) {
	t.Helper()
	res, err := net.Client().Get(x.Actor(name))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var actor map[string]any
	if err := json.NewDecoder(res.Body).Decode(&actor); err != nil {
		t.Fatal(err)
	}
	actor["type"] = "Group"
	x.Serve("/users/"+name, actor)
}

// passes makes an Announce of something by an actor of a server.
func passes(x *testnet.Stranger, n int, by string, object any) map[string]any {
	return map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": x.URL(fmt.Sprintf("/passed/%d", n)), "type": "Announce", "actor": x.Actor(by),
		"to": []string{"https://www.w3.org/ns/activitystreams#Public"}, "cc": []string{x.Actor(by) + "/followers"}, "object": object}
}

// offers has a server serve a note of its own, and returns its address.
func offers(x *testnet.Stranger, note map[string]any) string {
	object := note["object"].(map[string]any)
	id := object["id"].(string)
	x.Serve(strings.TrimPrefix(id, x.URL("")), object)
	return id
}

// followed has somebody follow an actor of a server, which accepts.
func followed(t *testing.T, net *testnet.Net, s *testnet.Server, who *testnet.Teacher, x *testnet.Stranger, name string) {
	t.Helper()
	who.Follow("@" + name + "@" + x.Host)
	net.Settle()
	for _, r := range x.Taken("Follow") {
		x.Send(s, map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": x.URL("/accepted/" + name), "type": "Accept", "actor": x.Actor(name), "object": r.Activity})
	}
	net.Settle()
}

// nothingOf fails if anything of a server is here, or it was asked for anything.
func nothingOf(t *testing.T, s *testnet.Server, y *testnet.Stranger, when string) {
	t.Helper()
	if n := y.Asked(); n != 0 {
		t.Errorf("%s: the stranger was asked %d times", when, n)
	}
	var posts, people int
	err := s.DB().Read(t.Context(), func(tx *store.Tx) error {
		if err := tx.Raw("SELECT COUNT(*) FROM posts WHERE author_host = ? OR uri LIKE ?", y.Host, y.URL("/%")).Scan(&posts).Error; err != nil {
			return err
		}
		return tx.Raw("SELECT COUNT(*) FROM accounts WHERE host = ?", y.Host).Scan(&people).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	if posts != 0 || people != 0 {
		t.Errorf("%s: %d posts and %d people of a stranger are here", when, posts, people)
	}
}

// TestBoostOfStranger has a connected server boost the post of one that is not:
// it is not fetched, not shown, and lands once its server is connected too.
func TestBoostOfStranger(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, amira, x := connected(net)
		y := net.Stranger("y.test")
		followed(t, net, oak, amira, x, "pat")
		theirs := y.Note("quin", "By a stranger")
		address := offers(y, theirs)
		for i, object := range []any{address, theirs["object"]} { // by its address, and with its words
			if status, body := x.Send(oak, passes(x, i, "pat", object)); status != 202 {
				t.Errorf("a boost: %d %s", status, body)
			}
			net.Settle()
		}
		nothingOf(t, oak, y, "boosted")
		amira.WantHome()
		oak.Admin().Allow("y.test")
		net.Settle()
		x.Send(oak, passes(x, 2, "pat", address))
		net.Settle()
		amira.WantHome("↻ By a stranger")
	})
}

// TestReplyByStrangerInsideAllowedGroup has the group of a connected server pass
// on what somebody of another server answered in it: nobody is asked there, and
// the words of the group's server for it are not believed.
func TestReplyByStrangerInsideAllowedGroup(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, amira, x := connected(net)
		y := net.Stranger("y.test")
		grouped(t, net, x, "literacy")
		followed(t, net, oak, amira, x, "literacy")
		topic := x.Note("pat", "A topic")
		topic["object"].(map[string]any)["audience"] = x.Actor("literacy")
		opening := offers(x, topic)
		x.Send(oak, passes(x, 0, "literacy", opening))
		net.Settle()
		amira.WantHome("↻ A topic")
		answer := y.Note("quin", "By a stranger")
		note := answer["object"].(map[string]any)
		note["inReplyTo"], note["audience"] = opening, x.Actor("literacy")
		offers(y, answer)
		for i, object := range []any{answer, note["id"], note} {
			if status, body := x.Send(oak, passes(x, 1+i, "literacy", object)); status != 202 {
				t.Errorf("passing on: %d %s", status, body)
			}
			net.Settle()
		}
		x.Send(oak, answer, testnet.Signing{Actor: x.Actor("literacy")}) // as it is, with the group's signature
		net.Settle()
		nothingOf(t, oak, y, "passed on")
		amira.WantHome("↻ A topic")
		oak.Admin().Allow("y.test")
		net.Settle()
		x.Send(oak, passes(x, 9, "literacy", answer))
		net.Settle()
		if !holdsWords(t, oak, "By a stranger") {
			t.Error("once its server is connected the answer does not come")
		}
	})
}
