package federation

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/federation/sig"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// signersOf reads what an account of n signs with.
func (n *server) signersOf(a community.Account) signer {
	n.t.Helper()
	var s signer
	n.read(func(tx *store.Tx) (err error) {
		s, err = n.keysOf(tx, a.ID)
		return err
	})
	return s
}

// proved is a document with a proof of an account of n.
func (n *server) proved(by community.Account, d doc) []byte {
	n.t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		n.t.Fatal(err)
	}
	text, err = sig.Prove(text, n.signersOf(by).ed, time.Now())
	if err != nil {
		n.t.Fatal(err)
	}
	return text
}

// Activities that another server hands on are taken, and believed only with the
// author's proof, or as the author's server confirms them.
//
// W3C ActivityPub, section 7.1.2; FEP-fe34; FEP-8b32.
func TestForwardedActivities(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
		r.befriend()
		bo, cy := elm.person("bo"), fir.person("cy")
		asked := 0
		elm.tap = func(w http.ResponseWriter, q *http.Request) bool {
			if strings.HasPrefix(q.URL.Path, "/test/") {
				asked++
			}
			return false
		}
		hand := func(what string, document any, want string) {
			t.Helper()
			before := asked
			if res := fir.say(cy, oak, document); res.Status != http.StatusAccepted {
				t.Errorf("%s is answered %d %s", what, res.Status, res.Body)
			}
			r.settle()
			var got []string
			oak.read(func(tx *store.Tx) error {
				return tx.Raw("SELECT html FROM posts WHERE author_host = 'elm.localhost' AND deleted_at IS NULL ORDER BY id").Scan(&got).Error
			})
			if s := strings.Join(strings.Fields(strings.Join(got, " ")), " "); s != want {
				t.Errorf("%s: oak has %q, want %q (elm was asked %d times)", what, s, want, asked-before)
			}
		}
		hand("what is oak's own", doc{"id": oak.site.Activity(7), "type": "Create", "actor": oak.site.Actor(7), "object": oak.site.Post(7)}, "")
		first := elm.note(bo, "first")
		hand("a note with its author's proof", elm.proved(bo, first), "<p>first</p>")
		if asked != 0 {
			t.Errorf("elm was asked %d times for what was proved", asked)
		}
		hand("a note without one", elm.note(bo, "never said"), "<p>first</p>")
		spoilt := strings.Replace(string(elm.proved(bo, elm.note(bo, "spoilt"))), `spoilt\u003c/p`, `forged\u003c/p`, 1)
		hand("a changed note", []byte(spoilt), "<p>first</p>")
		hand("a note with the proof of who hands it on", fir.proved(cy, elm.note(bo, "cy says")), "<p>first</p>")
		hand("a deletion without proof", doc{"id": elm.site.URL("/test/d/1"), "type": "Delete", "actor": elm.site.Actor(bo.ID), "object": elm.site.URL("/test/still")}, "<p>first</p>")

		real := elm.publish(bo, community.Draft{Source: "Said at elm", Audience: community.Public})
		create := doc{"id": elm.site.URL("/test/real"), "type": "Create", "actor": elm.site.Actor(bo.ID),
			"object": doc{"id": elm.site.Post(real.ID), "type": "Note", "attributedTo": elm.site.Actor(bo.ID), "content": "Forged", "to": "https://www.w3.org/ns/activitystreams#Public"}}
		hand("a note that is there, in other words", create, "<p>first</p> <p>Said at elm</p>")

		gone := doc{"id": elm.site.URL("/test/d/2"), "type": "Delete", "actor": elm.site.Actor(bo.ID), "object": elm.site.Post(real.ID)}
		hand("a deletion of what is there", gone, "<p>first</p> <p>Said at elm</p>")
		elm.write(func(tx *store.Tx) error { return community.Delete(tx, bo, real.ID) })
		r.settle()
		gone["id"] = elm.site.URL("/test/d/3")
		hand("a deletion of what has gone", gone, "<p>first</p>")
		hand("a deletion with proof", elm.proved(bo, doc{"@context": "https://www.w3.org/ns/activitystreams", "id": elm.site.URL("/test/d/4"), "type": "Delete",
			"actor": elm.site.Actor(bo.ID), "object": elm.site.URL("/test/first")}), "")
	})
}

// A forged copy does not keep the real one out, and one that is not admitted
// cannot be brought in by another.
func TestForwardedCopiesStandInNobodysWay(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
	r.befriend()
	bo, cy := elm.person("bo"), fir.person("cy")
	note := elm.note(bo, "mine")
	forged := elm.note(bo, "mine")
	forged["object"].(doc)["content"] = "<p>forged</p>"
	fir.say(cy, oak, forged)
	r.settle()
	elm.say(bo, oak, note)
	r.settle()
	if n := oak.count("SELECT COUNT(*) FROM posts WHERE html = '<p>mine</p>'"); n != 1 {
		t.Error("the author's own activity was taken for a repeat")
	}
	oak.write(func(tx *store.Tx) error { return peers.Remove(tx, 0, "elm.localhost", "") })
	fir.say(cy, oak, elm.proved(bo, elm.note(bo, "by way of fir")))
	r.settle()
	if n := oak.count("SELECT COUNT(*) FROM posts"); n != 1 {
		t.Error("a server that is not admitted was brought in by another")
	}
}

// Between servers of this kind requests are signed by RFC 9421 with Ed25519; a
// server that knows draft-cavage alone is spoken to in that, and one that wants
// RFC 9421 is found out with one request more.
//
// FEP-844e; RFC 9421, section 3.3.6.
func TestSignaturesAreChosenByPeer(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		amira, bo := oak.person("amira"), elm.person("bo")
		r.befriend()
		if n := oak.count("SELECT COUNT(*) FROM hosts WHERE host = 'elm.localhost' AND signatures = 'ed25519' AND signatures_at IS NOT NULL"); n != 1 {
			t.Fatal("oak does not know that elm accepts Ed25519")
		}
		var seen []string
		kind := func(q *http.Request) string {
			switch in := q.Header.Get("Signature-Input"); {
			case in == "" && q.Header.Get("Signature") == "":
				return "unsigned"
			case in == "":
				return "cavage"
			case strings.Contains(in, `alg="ed25519"`) && strings.Contains(in, "#ed25519-key"):
				return "ed25519"
			case strings.Contains(in, `alg="rsa-v1_5-sha256"`) && strings.Contains(in, "#main-key"):
				return "rfc9421"
			}
			return "odd"
		}
		mode := ""
		elm.tap = func(w http.ResponseWriter, q *http.Request) bool {
			if q.URL.Path == "/actor" || strings.HasPrefix(q.URL.Path, "/.well-known") {
				return false
			}
			k := kind(q)
			seen = append(seen, q.Method+" "+k)
			if mode != "" && k != mode {
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			return false
		}
		elm.follow(bo, "@amira@oak.localhost")
		oak.publish(amira, community.Draft{Source: "Signed"})
		for _, s := range seen {
			if !strings.HasSuffix(s, " ed25519") {
				t.Errorf("oak signs %q", seen)
				break
			}
		}
		if len(seen) < 2 || len(elm.home(bo)) != 1 {
			t.Fatalf("oak sent %q, bo has %d posts", seen, len(elm.home(bo)))
		}
		steps := []struct {
			mode string
			want string
			kept peers.Signatures
		}{
			{"cavage", "POST ed25519, POST cavage", peers.SignsCavage}, // set back
			{"cavage", "POST cavage", peers.SignsCavage},
			{"rfc9421", "POST cavage, POST rfc9421", peers.SignsRFC9421}, // updated
			{"rfc9421", "POST rfc9421", peers.SignsRFC9421},
		}
		for i, step := range steps {
			mode, seen = step.mode, nil
			oak.publish(amira, community.Draft{Source: "Again"})
			if got := strings.Join(seen, ", "); got != step.want {
				t.Errorf("step %d: %s, want %s", i, got, step.want)
			}
			var how peers.Signatures
			oak.read(func(tx *store.Tx) (err error) {
				how, err = peers.SignaturesOf(tx, "elm.localhost")
				return err
			})
			if how != step.kept {
				t.Errorf("step %d: %q is remembered, want %q", i, how, step.kept)
			}
		}
		if n := len(elm.home(bo)); n != 1+len(steps) {
			t.Errorf("bo has %d posts, want all %d", n, 1+len(steps))
		}
	})
}

// Two closed servers that have never met ask each other for keys at the same
// moment, and both get them.
func TestClosedServersMeetWithoutDeadlock(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.still("oak.localhost"), r.still("elm.localhost")
		oak.allow("elm.localhost")
		elm.allow("oak.localhost")
		amira, bo := oak.person("amira"), elm.person("bo")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		done := make(chan int, 32)
		for range 16 {
			go func() { done <- oak.say(amira, elm, oak.note(amira, "from oak")).Status }()
			go func() { done <- elm.say(bo, oak, elm.note(bo, "from elm")).Status }()
		}
		for range 32 {
			select {
			case status := <-done:
				if status != http.StatusAccepted {
					t.Errorf("a first message is answered %d", status)
				}
			case <-ctx.Done():
				t.Fatal("the servers wait for each other")
			}
		}
	})
}

// What is published carries its author's proof, which whoever has the document
// can check; what is for the people named does not.
//
// FEP-8b32; FEP-521a.
func TestOwnActivitiesCarryProofs(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	amira, bo := oak.person("amira"), elm.person("bo")
	elm.follow(bo, "@amira@oak.localhost")
	p := oak.publish(amira, community.Draft{Source: "Proved <b>&</b> é"})
	oak.write(func(tx *store.Tx) error { return community.Delete(tx, amira, p.ID) })
	r.settle()
	oak.publish(amira, community.Draft{Source: "For you, @bo@elm.localhost", Audience: community.People})
	var rows []community.Outgoing
	oak.read(func(tx *store.Tx) error { return tx.Where("actor_id = ?", amira.ID).Order("id").Find(&rows).Error })
	pub := oak.signersOf(amira).ed.Private.Public()
	kinds := map[community.Verb]int{}
	for _, row := range rows {
		if len(row.Body) == 0 { // taken out with what it told of
			continue
		}
		proof, err := sig.ReadProof(row.Body)
		if err == nil {
			err = proof.Verify(pub, time.Now())
		}
		wants := row.Verb == community.VerbCreate && row.Audience == community.Public || row.Verb == community.VerbDelete
		if wants != (err == nil) {
			t.Errorf("%s for %q: %v, %s", row.Verb, row.Audience, err, row.Body)
		}
		if wants {
			kinds[row.Verb]++
		}
	}
	if kinds[community.VerbDelete] != 1 {
		t.Errorf("found %v", kinds)
	}
}

// A signature by RFC 9421 is taken from whoever sends one, with any kind of key
// of the actor, and never with another's.
//
// RFC 9421; FEP-521a.
func TestInboxTakesMessageSignatures(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	bo, cy := elm.person("bo"), elm.person("cy")
	post := func(note doc, sign func(*http.Request, []byte) error) int {
		t.Helper()
		body, err := json.Marshal(note)
		if err != nil {
			t.Fatal(err)
		}
		res, err := elm.egress.Post(t.Context(), egress.Request{URL: oak.site.SharedInbox(), ContentType: activityJSON, Body: body,
			Sign: func(req *http.Request) error { return sign(req, body) }})
		if err != nil {
			t.Fatal(err)
		}
		return res.Status
	}
	boKeys, cyKeys := elm.signersOf(bo), elm.signersOf(cy)
	with := func(key sig.Key, at time.Time, change func(*http.Request)) func(*http.Request, []byte) error {
		return func(req *http.Request, body []byte) error {
			err := sig.SignMessage(req, key, body, at)
			if change != nil {
				change(req)
			}
			return err
		}
	}
	now := time.Now()
	tests := []struct {
		name string
		sign func(*http.Request, []byte) error
		want int
	}{
		{"RSA", with(boKeys.rsa, now, nil), 202},
		{"Ed25519", with(boKeys.ed, now, nil), 202},
		{"another's key", with(cyKeys.ed, now, nil), 401},
		{"another's key by bo's name", with(sig.Key{ID: boKeys.ed.ID, Private: cyKeys.ed.Private}, now, nil), 401},
		{"the RSA key by the name of the other", with(sig.Key{ID: boKeys.ed.ID, Private: boKeys.rsa.Private}, now, nil), 401},
		{"two hours ago", with(boKeys.ed, now.Add(-2*time.Hour), nil), 401},
		{"another algorithm claimed", with(boKeys.ed, now, func(r *http.Request) {
			r.Header.Set("Signature-Input", strings.Replace(r.Header.Get("Signature-Input"), "ed25519\"", "hmac-sha256\"", 1))
		}), 401},
		{"another digest", with(boKeys.ed, now, func(r *http.Request) {
			r.Header.Set("Content-Digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")
		}), 401},
		{"both schemes, the newer spoilt", func(req *http.Request, body []byte) error {
			err := sig.Sign(req, boKeys.rsa, body, now)
			req.Header.Set("Signature-Input", `sig1=("@method" "@target-uri" "content-digest");created=1;keyid="`+boKeys.rsa.ID+`"`)
			return err
		}, 401},
	}
	for _, tt := range tests {
		if got := post(elm.note(bo, strings.ReplaceAll(tt.name, " ", "-")), tt.sign); got != tt.want {
			t.Errorf("%s: answered %d, want %d", tt.name, got, tt.want)
		}
	}
}

// That a server does not give what is not for everybody is no word that it is
// gone; and who hands on very much is put off.
func TestForwardedDeletionsOfClosedPosts(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
	r.befriend()
	amira, bo, cy := oak.person("amira"), elm.person("bo"), fir.person("cy")
	oak.follow(amira, "@bo@elm.localhost")
	for i, audience := range []community.Audience{community.Followers, community.Public} {
		p := elm.publish(bo, community.Draft{Source: "Still here", Audience: audience})
		for _, status := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusGone} {
			elm.tap = func(w http.ResponseWriter, q *http.Request) bool {
				if q.Method != http.MethodGet || !strings.HasPrefix(q.URL.Path, "/o/") {
					return false
				}
				w.WriteHeader(status)
				return true
			}
			fir.say(cy, oak, doc{"id": elm.site.URL("/test/gone/" + http.StatusText(status) + string(audience)), "type": "Delete",
				"actor": elm.site.Actor(bo.ID), "object": elm.site.Post(p.ID)})
			r.settle()
			gone := status == http.StatusGone || status == http.StatusNotFound && audience == community.Public
			if got := oak.copyOf(p, elm).DeletedAt != nil; got != gone {
				t.Errorf("a post for %q whose server answers %d: deleted is %v", audience, status, got)
			}
			if gone {
				break
			}
		}
		if n := oak.count("SELECT COUNT(*) FROM posts WHERE deleted_at IS NOT NULL"); n != i+1 {
			t.Errorf("%d posts were deleted, want %d", n, i+1)
		}
	}
	last := 0
	for i := range mostForwarded + 1 {
		last = fir.say(cy, oak, doc{"id": elm.site.URL("/test/many/" + strconv.Itoa(i)), "type": "Delete", "actor": elm.site.Actor(bo.ID), "object": elm.site.Post(1)}).Status
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the last of very many is answered %d", last)
	}
}
