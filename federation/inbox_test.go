package federation

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

func TestInboxRefuses(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	bo, cy := elm.person("bo"), elm.person("cy")
	if res := elm.say(bo, oak, elm.note(bo, "first")); res.Status != http.StatusAccepted {
		t.Fatalf("a proper Create is answered %d: %s", res.Status, res.Body)
	}
	like := func(id, actor string) doc {
		return doc{"id": id, "type": "Like", "actor": actor, "object": oak.site.Post(1)}
	}
	me := elm.site.Actor(bo.ID)
	tests := []struct {
		name     string
		activity any
		change   func(*http.Request)
		want     int
		reason   string
	}{
		{"not ActivityStreams", like(elm.site.URL("/x/1"), me), func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 415, "application/activity+json"},
		{"unsigned", like(elm.site.URL("/x/2"), me), func(r *http.Request) { r.Header.Del("Signature") }, 401, "not signed"},
		{"another digest", like(elm.site.URL("/x/3"), me), func(r *http.Request) { r.Header.Set("Digest", "SHA-256=AAAA") }, 401, "digest"},
		{"old", like(elm.site.URL("/x/4"), me), func(r *http.Request) {
			r.Header.Set("Date", time.Now().Add(-3*time.Hour).UTC().Format(http.TimeFormat))
		}, 401, "date"},
		{"a key of nowhere", like(elm.site.URL("/x/5"), me), func(r *http.Request) {
			r.Header.Set("Signature", strings.Replace(r.Header.Get("Signature"), `keyId="http`, `keyId="gopher`, 1))
		}, 401, "keyId"},
		{"no JSON", []byte("<html>"), nil, 400, "malformed"},
		{"no actor", doc{"id": elm.site.URL("/x/6"), "type": "Like", "object": oak.site.Post(1)}, nil, 400, "actor"},
		{"another's key", like(elm.site.URL("/x/7"), elm.site.Actor(cy.ID)), nil, 401, "not the actor"},
		{"another server's actor", like(elm.site.URL("/x/8"), "http://fir.localhost/u/1"), nil, 401, "one server"},
		{"another server's activity", like("http://fir.localhost/a/1", me), nil, 401, "one server"},
		{"an endless address", like(elm.site.URL("/x/"+strings.Repeat("9", 3000)), me), nil, 400, "bytes"},
		{"an unknown type", doc{"id": elm.site.URL("/x/9"), "type": "Lock", "actor": me, "object": oak.site.Post(1)}, nil, 202, ""},
		{"the end of somebody unknown", doc{"id": elm.site.URL("/x/10"), "type": "Delete", "actor": elm.site.Actor(7), "object": elm.site.Actor(7)},
			func(r *http.Request) {
				r.Header.Set("Signature", strings.Replace(r.Header.Get("Signature"), `/u/`, `/u/9`, 1))
			}, 202, ""},
	}
	for _, tt := range tests {
		var change []func(*http.Request)
		if tt.change != nil {
			change = append(change, tt.change)
		}
		res := elm.say(bo, oak, tt.activity, change...)
		if res.Status != tt.want || !strings.Contains(string(res.Body), tt.reason) {
			t.Errorf("%s: answered %d %s, want %d with %q", tt.name, res.Status, res.Body, tt.want, tt.reason)
		}
	}
	if n := oak.count("SELECT COUNT(*) FROM incoming"); n != 1 {
		t.Errorf("%d activities were stored, want the first alone", n)
	}
}

func TestStrangersAreRefusedBeforeAnythingIsFetched(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		bo := elm.person("bo")
		asked := 0
		elm.tap = func(http.ResponseWriter, *http.Request) bool { asked++; return false }
		oak.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE site SET contact = 'office@oak.test' WHERE id = 1").Error
		})
		res := elm.say(bo, oak, elm.note(bo, "hello"))
		if res.Status != http.StatusForbidden || asked != 0 {
			t.Fatalf("a stranger is answered %d after %d fetches", res.Status, asked)
		}
		var p problem
		if err := json.Unmarshal(res.Body, &p); err != nil {
			t.Fatal(err)
		}
		want := problem{Type: "https://w3id.org/chalkring/ns/problems#peering-required", Title: "Not connected", Status: 403, Detail: p.Detail,
			Contact: "office@oak.test", Peering: oak.site.URL("/peering")}
		if p != want || res.Header.Get("Content-Type") != "application/problem+json" || p.Detail == "" {
			t.Errorf("the problem says %+v, want %+v", p, want)
		}
		oak.stop() // refusals are written down at the latest now
		if n := oak.count("SELECT COUNT(*) FROM hosts WHERE host = 'elm.localhost' AND refused_in > 0"); n != 1 {
			t.Error("the refusal is not on record")
		}
	})
}

func TestRepeatsAreHarmless(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		bo := elm.person("bo")
		note := elm.note(bo, "once")
		for range 3 {
			if res := elm.say(bo, oak, note); res.Status != http.StatusAccepted {
				t.Fatalf("answered %d", res.Status)
			}
		}
		note["id"] = elm.site.URL("/test/create/again")
		elm.say(bo, oak, note)
		r.settle()
		if n := oak.count("SELECT COUNT(*) FROM posts"); n != 1 {
			t.Errorf("%d posts, want one", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM incoming WHERE state = 'done' AND LENGTH(body) = 0"); n != 2 {
			t.Errorf("%d worked activities, want two", n)
		}
	})
}

func TestChangedKeyIsFetchedOnce(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	bo := elm.person("bo")
	elm.say(bo, oak, elm.note(bo, "before"))
	fetched := 0
	elm.tap = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == strings.TrimPrefix(elm.site.Actor(bo.ID), elm.site.Base()) {
			fetched++
		}
		return false
	}
	turn := func(nth int) {
		pair := keyPairs()[nth]
		elm.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE account_keys SET public_key = ?, private_key = ? WHERE account_id = ? AND algorithm = 'rsa'", pair.Public, pair.Private, bo.ID).Error
		})
	}
	var old string
	elm.read(func(tx *store.Tx) error {
		keys, err := community.KeysOf(tx, bo.ID)
		k, _ := community.KeyOfKind(keys, community.RSA)
		old = k.PublicKey
		return err
	})
	other := 0
	for keyPairs()[other].Public == old {
		other++
	}
	turn(other)
	if res := elm.say(bo, oak, elm.note(bo, "after")); res.Status != http.StatusAccepted || fetched != 1 {
		t.Errorf("with a new key: %d after %d fetches, want 202 after one", res.Status, fetched)
	}
	turn((other + 1) % 4)
	if res := elm.say(bo, oak, elm.note(bo, "too soon")); res.Status != http.StatusUnauthorized || fetched != 1 {
		t.Errorf("with another key at once: %d after %d fetches, want 401 and no more fetches", res.Status, fetched)
	}
}

func TestFormerPeerMayStillTakeBack(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		elm.say(bo, oak, elm.note(bo, "mine"))
		elm.say(bo, oak, elm.note(bo, "too"))
		r.settle()
		oak.write(func(tx *store.Tx) error { return peers.Remove(tx, 0, "elm.localhost", "") })
		r.settle()
		if res := elm.say(bo, oak, elm.note(bo, "late")); res.Status != http.StatusForbidden {
			t.Errorf("a former peer's Create is answered %d, want 403", res.Status)
		}
		remove := func(name string) int {
			return elm.say(bo, oak, doc{"id": elm.site.URL("/test/delete/" + name), "type": "Delete", "actor": elm.site.Actor(bo.ID), "object": elm.site.URL("/test/" + name)}).Status
		}
		if status := remove("mine"); status != http.StatusAccepted {
			t.Errorf("a former peer's Delete is answered %d, want 202", status)
		}
		undo := doc{"id": elm.site.URL("/test/undo"), "type": "Undo", "actor": elm.site.Actor(bo.ID),
			"object": doc{"type": "Follow", "actor": elm.site.Actor(bo.ID), "object": oak.site.Actor(amira.ID)}}
		if res := elm.say(bo, oak, undo); res.Status != http.StatusAccepted {
			t.Errorf("a former peer's Undo is answered %d, want 202", res.Status)
		}
		r.settle()
		if n := oak.count("SELECT COUNT(*) FROM posts WHERE deleted_at IS NULL"); n != 1 {
			t.Errorf("%d posts are left, want one", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM follows"); n != 0 {
			t.Error("the follow was not undone")
		}
		oak.write(func(tx *store.Tx) error {
			_, err := peers.Block(tx, 0, "elm.localhost", peers.Entry{Reason: "a test"})
			return err
		})
		if status := remove("too"); status != http.StatusForbidden {
			t.Errorf("a blocked server's Delete is answered %d, want 403", status)
		}
	})
}

// GoToSocial gives every Update of a post, and Hollo every Accept of somebody's
// follows, the address of the one before.
func TestAddressUsedAgainIsNoRepeat(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	bo := elm.person("bo")
	note, now := elm.note(bo, "draft"), time.Now()
	object := note["object"].(doc)
	object["published"] = now.Add(-time.Hour).UTC().Format(time.RFC3339Nano)
	elm.say(bo, oak, note)
	r.settle()
	for _, version := range []struct {
		text string
		ago  time.Duration
	}{{"second", 30 * time.Minute}, {"hasty third", 20 * time.Minute}, {"third", 20 * time.Minute}, {"an old one, sent late", 25 * time.Minute}} {
		object["content"], object["updated"] = "<p>"+version.text+"</p>", now.Add(-version.ago).UTC().Format(time.RFC3339) // in whole seconds
		update := doc{"@context": note["@context"], "id": elm.site.URL("/test/draft#Update"), "type": "Update", "actor": note["actor"], "to": note["to"], "object": object}
		if res := elm.say(bo, oak, update); res.Status != http.StatusAccepted {
			t.Fatalf("the %s version is answered %d: %s", version.text, res.Status, res.Body)
		}
		r.settle()
	}
	var html string
	oak.read(func(tx *store.Tx) error { return tx.Raw("SELECT html FROM posts").Scan(&html).Error })
	if html != "<p>third</p>" {
		t.Errorf("the post reads %q, want its last version", html)
	}
}
