package testnet_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/testnet"
)

// Everything here is signed by a server that is allowed, so that only the flaw
// itself can be the reason of the refusal. The last case has none.
func TestForgedDeliveriesAreRefused(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak := net.Start("oak.test")
		oak.Admin().Allow("x.test")
		oak.Admin().Allow("y.test")
		amira := oak.Teacher("amira")
		x, y := net.Stranger("x.test"), net.Stranger("y.test")
		net.Settle()
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		swapped := func(activity map[string]any) []byte {
			b, err := json.Marshal(activity)
			if err != nil {
				t.Fatal(err)
			}
			return bytes.Replace(b, []byte("the body was changed"), []byte("the body was swapped"), 1)
		}
		tests := []struct {
			name string
			how  func(activity map[string]any) testnet.Signing
			want int // 0: any refusal
		}{
			{"no signature", func(map[string]any) testnet.Signing { return testnet.Signing{Unsigned: true} }, 401},
			{"another's key", func(map[string]any) testnet.Signing { return testnet.Signing{Key: other} }, 401},
			{"signed an hour and a half ago", func(map[string]any) testnet.Signing { return testnet.Signing{Date: time.Now().Add(-90 * time.Minute)} }, 401},
			{"signed for the future", func(map[string]any) testnet.Signing { return testnet.Signing{Date: time.Now().Add(90 * time.Minute)} }, 401},
			{"the date alone is signed", func(map[string]any) testnet.Signing { return testnet.Signing{Headers: []string{"date"}} }, 401},
			{"the digest is not signed", func(map[string]any) testnet.Signing {
				return testnet.Signing{Headers: []string{"(request-target)", "host", "date"}}
			}, 401},
			{"the body was changed", func(a map[string]any) testnet.Signing { return testnet.Signing{Body: swapped(a)} }, 401},
			{"signed for another server", func(map[string]any) testnet.Signing { return testnet.Signing{Host: "elm.test"} }, 401},
			{"signed by a neighbour on the same server", func(map[string]any) testnet.Signing { return testnet.Signing{Actor: x.Actor("someone-else")} }, 0},
			{"signed by another server's actor", func(map[string]any) testnet.Signing { return testnet.Signing{Actor: y.Actor("pat"), Key: y.Key} }, 202}, // handed on, and not confirmed
			{"nothing is wrong", func(map[string]any) testnet.Signing { return testnet.Signing{} }, 202},
		}
		for _, tt := range tests {
			activity := x.Note("pat", tt.name)
			status, body := x.Send(oak, activity, tt.how(activity))
			if status != tt.want && (tt.want != 0 || status/100 == 2) {
				t.Errorf("%s: %d %s, want %d", tt.name, status, body, tt.want)
			}
		}
		net.Settle()
		amira.WantConnected("nothing is wrong")
	})
}

func TestForgedContentsDoNotLand(t *testing.T) {
	net := testnet.New(t)
	oak := net.Start("oak.test")
	oak.Admin().Allow("x.test")
	oak.Admin().Allow("y.test")
	amira := oak.Teacher("amira")
	own := amira.Publish("Amira's own")
	x, y := net.Stranger("x.test"), net.Stranger("y.test")
	net.Settle()
	genuine := y.Note("victim", "Genuine")
	if status, body := y.Send(oak, genuine); status != 202 {
		t.Fatalf("%d %s", status, body)
	}
	net.Settle()
	victims := genuine["object"].(map[string]any)

	send := func(name string, change func(a map[string]any)) {
		t.Helper()
		a := x.Note("mallory", "Forged: "+name)
		change(a)
		x.Send(oak, a) // whether it is refused or ignored is the server's affair
	}
	object := func(a map[string]any) map[string]any { return a["object"].(map[string]any) }
	send("attributed to another server's actor", func(a map[string]any) { object(a)["attributedTo"] = y.Actor("victim") })
	send("with an address of another server", func(a map[string]any) { object(a)["id"] = y.URL("/notes/forged") })
	send("with an address of ours", func(a map[string]any) { object(a)["id"] = own.IRI })
	send("an edit of another server's post", func(a map[string]any) {
		a["type"] = "Update"
		object(a)["id"], object(a)["attributedTo"] = victims["id"], victims["attributedTo"]
	})
	send("an edit of our post", func(a map[string]any) { a["type"] = "Update"; object(a)["id"] = own.IRI })
	for _, target := range []any{victims["id"], own.IRI, y.Actor("victim")} {
		x.Send(oak, map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": x.URL("/deletes/1"), "type": "Delete",
			"actor": x.Actor("mallory"), "object": target})
	}
	net.Settle()
	amira.WantConnected("Genuine")
	amira.WantSchool("Amira's own")
}

func TestRepeatsAreHarmless(t *testing.T) {
	net := testnet.New(t)
	oak := net.Start("oak.test")
	oak.Admin().Allow("x.test")
	amira := oak.Teacher("amira")
	x := net.Stranger("x.test")
	net.Settle()
	note := x.Note("pat", "Once is enough")
	for range 3 {
		if status, body := x.Send(oak, note); status != 202 {
			t.Fatalf("%d %s", status, body)
		}
	}
	net.Settle()
	again := x.Note("pat", "Once is enough")
	again["object"] = note["object"] // the same note in another activity
	x.Send(oak, again)
	net.Settle()
	amira.WantConnected("Once is enough")
}

func TestUnreasonableBodies(t *testing.T) {
	net := testnet.New(t)
	oak := net.Start("oak.test")
	oak.Admin().Allow("x.test")
	x := net.Stranger("x.test")
	net.Settle()
	deep := any("x")
	for range 5000 {
		deep = map[string]any{"object": deep}
	}
	for name, tt := range map[string]struct {
		object any
		most   int // statuses up to here are fine
	}{
		"two megabytes": {strings.Repeat("x", 2<<20), 413},
		"deeply nested": {deep, 499},
		"a bare number": {7, 499},
		"null":          {nil, 499},
	} {
		a := x.Note("pat", "x")
		a["object"] = tt.object
		if status, body := x.Send(oak, a); status > tt.most {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	net.Settle() // and nothing is stuck
	if status, body := x.Send(oak, x.Note("pat", "An ordinary one")); status != 202 {
		t.Errorf("afterwards: %d %s", status, body)
	}
}
