package federation_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/testnet"
)

const (
	activityStreams = "https://www.w3.org/ns/activitystreams"
	public          = activityStreams + "#Public"
)

// doc is a document as a test writes it.
type doc = map[string]any

// scene is a school, oak, that has connected with a server which turns out to
// be hostile, x, and with one that means well, y. Nobody has connected with z.
type scene struct {
	t         *testing.T
	net       *testnet.Net
	oak       *testnet.Server
	x, y, z   *testnet.Stranger
	amira     *testnet.Teacher // whom mallory and pat follow
	ben       *testnet.Teacher // who has nothing to do with any of them
	dee       *testnet.Teacher // who follows pat
	posts     map[community.Audience]testnet.Post
	victim    doc    // a note by pat at y, on record
	neighbour doc    // a note by eve at x, on record, who is not mallory
	own       doc    // a note by mallory at x, on record
	gone      string // the address of a note by mallory that was deleted
	seen      []int  // what oak answered in this attack
}

// setScene starts the servers and lets what they do honestly happen.
func setScene(t *testing.T, net *testnet.Net) *scene {
	t.Helper()
	s := &scene{t: t, net: net, oak: net.Start("oak.test"), posts: map[community.Audience]testnet.Post{}}
	s.x, s.y, s.z = net.Stranger("x.test"), net.Stranger("y.test"), net.Stranger("z.test")
	s.oak.Admin().Allow("x.test")
	s.oak.Admin().Allow("y.test")
	s.amira, s.ben, s.dee = s.oak.Teacher("amira"), s.oak.Teacher("ben"), s.oak.Teacher("dee")
	for _, a := range []community.Audience{community.Public, community.Followers, community.School, community.Network, community.Me} {
		s.posts[a] = s.amira.PublishTo(a, "For "+string(a))
	}
	honest := func(from *testnet.Stranger, activity doc) {
		t.Helper()
		if status, body := from.Send(s.oak, activity); status != 202 {
			t.Fatalf("%s: %d %s", from.Host, status, body)
		}
		net.Settle()
	}
	first := func(from *testnet.Stranger, name, words string) doc {
		note := from.Note(name, words)
		honest(from, note)
		return note["object"].(doc)
	}
	s.victim = first(s.y, "pat", "Pat's own words")
	s.neighbour = first(s.x, "eve", "Eve's own words")
	s.own = first(s.x, "mallory", "Mallory's own words")
	gone := first(s.x, "mallory", "Soon deleted")
	s.gone = gone["id"].(string)
	honest(s.x, doc{"@context": activityStreams, "id": s.gone + "#delete", "type": "Delete", "actor": s.mallory(), "object": s.gone})
	honest(s.y, s.y.Follows("pat", s.iri(s.amira)))
	honest(s.y, doc{"@context": activityStreams, "id": s.y.URL("/likes/1"), "type": "Like", "actor": s.y.Actor("pat"), "object": s.posts[community.Public].IRI})
	honest(s.y, doc{"@context": activityStreams, "id": s.y.URL("/boosts/1"), "type": "Announce", "actor": s.y.Actor("pat"), "to": public,
		"object": s.posts[community.Public].IRI})
	if status, _ := s.x.Get("https://oak.test/o/1"); status != 404 { // makes x's own actor known
		t.Fatalf("answered %d", status)
	}
	s.dee.Follow("@pat@y.test")
	net.Settle()
	var follow any
	for _, r := range s.y.Taken("Follow") {
		follow = r.Activity
	}
	honest(s.y, doc{"@context": activityStreams, "id": s.y.URL("/accepts/1"), "type": "Accept", "actor": s.y.Actor("pat"), "object": follow})
	return s
}

func (s *scene) iri(who *testnet.Teacher) string { return who.Account.IRI(s.oak.DB().Site()) }

func (s *scene) mallory() string { return s.x.Actor("mallory") }

// note is a Create of a public note by mallory, as change leaves it.
func (s *scene) note(change func(activity, note doc)) doc {
	a := s.x.Note("mallory", "Forged")
	change(a, a["object"].(doc))
	return a
}

// deed is an activity by mallory.
func (s *scene) deed(kind string, object any, more ...doc) doc {
	a := s.x.Note("mallory", "")
	d := doc{"@context": activityStreams, "id": a["id"], "type": kind, "actor": s.mallory(), "to": public, "object": object}
	for _, m := range more {
		for k, v := range m {
			d[k] = v
		}
	}
	return d
}

// send has x send, signed by the activity's actor unless how says otherwise.
func (s *scene) send(activity doc, how ...testnet.Signing) int {
	s.t.Helper()
	status, body := s.x.Send(s.oak, activity, how...)
	return s.answered(status, body)
}

// raw has x send bytes, signed by mallory unless how says otherwise.
func (s *scene) raw(body string, how ...testnet.Signing) int {
	s.t.Helper()
	sign := testnet.Signing{}
	if len(how) > 0 {
		sign = how[0]
	}
	if sign.Actor == "" {
		sign.Actor = s.mallory()
	}
	status, answer := s.x.SendBytes(s.oak, []byte(body), sign)
	return s.answered(status, answer)
}

// answered holds an answer to what a sender may be told: taken, or refused for
// good. A failure of ours would only have it sent again.
func (s *scene) answered(status int, body string) int {
	s.t.Helper()
	s.seen = append(s.seen, status)
	if status != 202 && status/100 != 4 {
		s.t.Errorf("answered %d: %.300s", status, body)
	}
	return status
}

// attack is one thing that a hostile server tries.
type attack struct {
	name string
	try  func(s *scene)
	// changes are what it may change, as testnet.Snapshot.Since tells it: what an
	// honest server with the same standing could have done as well.
	changes []string
	// most is how long it may take with all that follows; 20 seconds if zero.
	most time.Duration
}

// hold makes the attacks one after the other and compares, after each, all that
// the server has stored.
func hold(t *testing.T, attacks []attack) {
	t.Helper()
	only := os.Getenv("CHALKRING_TEST_ATTACK")
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		s := setScene(t, net)
		before := s.oak.Snapshot()
		for _, a := range attacks {
			if only != "" && !regexp.MustCompile(only).MatchString(a.name) {
				continue
			}
			t.Run(a.name, func(t *testing.T) {
				s.t, s.seen = t, nil
				start := time.Now()
				a.try(s)
				net.Settle()
				took := time.Since(start)
				after := s.oak.Snapshot()
				changes, rows := after.Since(before)
				before = after
				if want := slices.Sorted(slices.Values(a.changes)); !slices.Equal(changes, want) && !slices.Contains(want, anything) {
					t.Errorf("answered %v and changed %q, want %q:\n\t%s", s.seen, changes, want, strings.Join(rows, "\n\t"))
				}
				if took > max(a.most, 20*time.Second) {
					t.Errorf("took %s", took)
				}
			})
		}
		s.t = t
		status, body := s.y.Send(s.oak, s.y.Note("pat", "And then an honest word")) // nothing is stuck
		if s.answered(status, body) != 202 {
			t.Errorf("afterwards an honest note is answered %d %s", status, body)
		}
		net.Settle()
	})
}

// anything stands for changes that the attack itself looks at.
const anything = "*"

// landed is what a note changes that is public, names nobody and answers nothing.
var landed = []string{"account_counts ~1", "posts +1"}

// written is an activity as JSON.
func written(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// Everything that the tests try stands in a list, so that an administrator can
// read what was tried: CHALKRING_TEST_ATTACKS=file writes it.
func TestAttacksAreListed(t *testing.T) {
	var list strings.Builder
	names := map[string]bool{}
	for _, part := range [][]attack{identityAttacks(), localAttacks(), orderAttacks(), shapeAttacks(), addressAttacks(), fetchAttacks()} {
		for _, a := range part {
			if names[a.name] {
				t.Errorf("two attacks are called %q", a.name)
			}
			names[a.name] = true
			fmt.Fprintf(&list, "%s\n", a.name)
		}
	}
	if file := os.Getenv("CHALKRING_TEST_ATTACKS"); file != "" {
		if err := os.WriteFile(filepath.Clean(file), []byte(list.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
