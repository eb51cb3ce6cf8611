package federation

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// The fourth door: who may get what by asking.
func TestWhoMayRead(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
		oak.allow("elm.localhost")
		elm.allow("oak.localhost")
		fir.allow("oak.localhost") // but oak does not know fir
		r.settle()
		amira, bo, cy := oak.person("amira"), elm.person("bo"), elm.person("cy")
		mal := fir.person("mal")
		elm.follow(bo, "@amira@oak.localhost")
		bohere := oak.seen("@bo@elm.localhost")
		posts := map[community.Audience]community.Post{}
		for _, a := range []community.Audience{community.Public, community.Network, community.Followers, community.School, community.Me} {
			posts[a] = oak.publish(amira, community.Draft{Source: "For " + string(a), Audience: a})
		}
		posts[community.People] = oak.publish(amira, community.Draft{Source: "For people", Audience: community.People, To: []int64{bohere.ID}})
		tests := []struct {
			audience           community.Audience
			bo, cy, itself, yw int
		}{
			{community.Public, 200, 200, 200, 403},
			{community.Network, 200, 200, 200, 403},
			{community.Followers, 200, 200, 200, 403}, // a server is shown what one of its people may see
			{community.People, 200, 200, 200, 403},
			{community.School, 404, 404, 404, 403},
			{community.Me, 404, 404, 404, 403},
		}
		for _, tt := range tests {
			url := oak.site.Post(posts[tt.audience].ID)
			for _, ask := range []struct {
				name string
				n    *server
				as   community.Account
				want int
			}{{"bo", elm, bo, tt.bo}, {"cy", elm, cy, tt.cy}, {"elm itself", elm, community.Account{}, tt.itself}, {"a stranger", fir, mal, tt.yw}} {
				if res := ask.n.ask(ask.as, url); res.Status != ask.want {
					t.Errorf("%s asks for a post for %s: %d, want %d (%s)", ask.name, tt.audience, res.Status, ask.want, res.Body)
				}
			}
		}
		// Software that does not keep closed audiences is shown what is public.
		oak.write(func(tx *store.Tx) error { return tx.Exec("UPDATE hosts SET closed_audiences = FALSE").Error })
		if res := elm.ask(bo, oak.site.Post(posts[community.Network].ID)); res.Status != http.StatusNotFound {
			t.Errorf("a closed post is shown to a server that may not keep it: %d", res.Status)
		}
		if res := elm.ask(bo, oak.site.Post(posts[community.Public].ID)); res.Status != http.StatusOK {
			t.Errorf("a public post: %d", res.Status)
		}
		oak.write(func(tx *store.Tx) error { return community.Delete(tx, amira, posts[community.Public].ID) })
		res := elm.ask(bo, oak.site.Post(posts[community.Public].ID))
		if o, err := as2.DecodeObject(res.Body); res.Status != http.StatusGone || err != nil || o.Type != "Tombstone" {
			t.Errorf("a deleted post: %d %s", res.Status, res.Body)
		}
	})
}

// What others may ask for, and what it says: FEP-844e (implements), FEP-7458
// (replies, likes, shares), FEP-f228 and FEP-11dd (context).
func TestDocuments(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	amira, who := oak.person("amira"), elm.person("bo")
	elm.follow(who, "@amira@oak.localhost")
	p := oak.publish(amira, community.Draft{Kind: community.Discussion, Title: "A topic", Source: "Opening"})
	reply := elm.publish(who, community.Draft{Kind: community.Reply, Source: "So", InReplyToID: elm.copyOf(p, oak).ID})
	var activity int64
	oak.read(func(tx *store.Tx) error {
		return tx.Raw("SELECT id FROM outgoing WHERE verb = 'Create' AND post_id = ?", p.ID).Scan(&activity).Error
	})
	var follow int64
	elm.read(func(tx *store.Tx) error { return tx.Raw("SELECT id FROM follows").Scan(&follow).Error })
	tests := []struct {
		from  *server
		url   string
		parts []string
	}{
		{elm, oak.site.Actor(amira.ID), []string{`"type":"Person"`, `"preferredUsername":"amira"`, `"publicKeyPem"`, `"sharedInbox":"http://oak.localhost/inbox"`, closedAudiences, oak.site.Network()}},
		{elm, oak.site.URL("/@amira"), []string{`"id":"` + oak.site.Actor(amira.ID)}},
		{elm, oak.site.Instance(), []string{`"type":"Application"`, closedAudiences, `"publicKeyPem"`}},
		{elm, oak.site.Outbox(amira.ID), []string{`"OrderedCollection"`, `?page=true`}},
		{elm, oak.site.Outbox(amira.ID) + "?page=true", []string{`"OrderedCollectionPage"`, `"Create"`, `A topic`}},
		{elm, oak.site.Outbox(amira.ID) + "?page=true&max_id=1", []string{`"OrderedCollectionPage"`}},
		{elm, oak.site.Followers(amira.ID), []string{`"totalItems":1`}},
		{elm, oak.site.Following(amira.ID), []string{`"totalItems":0`}},
		{elm, oak.site.Featured(amira.ID), []string{`"totalItems":0`}},
		{elm, oak.site.Post(p.ID), []string{`"Note"`, `A topic`, `"kind":"discussion"`}},
		{elm, oak.site.Page(p.ID), []string{`"id":"` + oak.site.Post(p.ID)}},
		{elm, oak.site.PostReplies(p.ID), []string{elm.site.Post(reply.ID), `"totalItems":1`}},
		{elm, oak.site.PostLikes(p.ID), []string{`"totalItems":0`}},
		{elm, oak.site.PostShares(p.ID), []string{`"totalItems":0`}},
		{elm, oak.site.Context(p.ID), []string{oak.site.Post(p.ID), elm.site.Post(reply.ID)}},
		{elm, oak.site.Activity(activity), []string{`"Create"`, `A topic`}},
		{elm, oak.site.Network(), []string{`"OrderedCollection"`}},
		{oak, elm.site.Follow(follow), []string{`"Follow"`, oak.site.Actor(amira.ID)}},
	}
	for _, tt := range tests {
		res := tt.from.ask(community.Account{}, tt.url)
		if res.Status != http.StatusOK || res.Header.Get("Content-Type") != "application/activity+json" {
			t.Errorf("%s: %d %s %s", tt.url, res.Status, res.Header.Get("Content-Type"), res.Body)
			continue
		}
		compact := strings.ReplaceAll(strings.ReplaceAll(string(res.Body), `": "`, `":"`), `": `, `":`)
		for _, part := range tt.parts {
			if !strings.Contains(compact, part) {
				t.Errorf("%s lacks %s: %s", tt.url, part, res.Body)
			}
		}
		if strings.Contains(compact, elm.site.Actor(who.ID)) && strings.Contains(tt.url, "/follow") && !strings.HasPrefix(tt.url, elm.site.Base()) {
			t.Errorf("%s says who follows", tt.url)
		}
	}
	for _, gone := range []string{oak.site.Actor(99), oak.site.Post(99), oak.site.Activity(99), oak.site.Follow(99), oak.site.URL("/u/01"), oak.site.URL("/o/99999999999999999999")} {
		if res := elm.ask(community.Account{}, gone); res.Status != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", gone, res.Status)
		}
	}
}

// Apps write through an API of their own; ActivityPub's is neither promised nor
// answered.
//
// W3C ActivityPub, sections 4.1, 5.2 and 6.
func TestClientsAreNotOffered(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	amira := oak.person("amira")
	for _, address := range []string{oak.site.Actor(amira.ID), oak.site.Instance()} {
		var actor struct{ Endpoints map[string]string }
		if err := json.Unmarshal(elm.ask(community.Account{}, address).Body, &actor); err != nil {
			t.Fatal(err)
		}
		if len(actor.Endpoints) != 1 || actor.Endpoints["sharedInbox"] != oak.site.SharedInbox() {
			t.Errorf("%s promises %v", address, actor.Endpoints)
		}
	}
	router := mux.NewRouter()
	oak.Routes(router)
	note := `{"@context":"https://www.w3.org/ns/activitystreams","type":"Note","content":"Hello","to":"as:Public"}`
	for _, tt := range []struct{ method, box, allow string }{
		{http.MethodPost, oak.site.Outbox(amira.ID), "GET, HEAD"},
		{http.MethodPost, oak.site.InstanceOutbox(), "GET, HEAD"},
		{http.MethodGet, oak.site.Inbox(amira.ID), "POST"},
		{http.MethodGet, oak.site.InstanceInbox(), "POST"},
		{http.MethodGet, oak.site.SharedInbox(), "POST"},
	} {
		req := httptest.NewRequest(tt.method, strings.TrimPrefix(tt.box, oak.site.Base()), strings.NewReader(note))
		req.Header.Set("Content-Type", activityJSON)
		req.Header.Set("Authorization", "Bearer x")
		w := httptest.NewRecorder()
		router.ServeHTTP(w, req)
		var said problem
		err := json.Unmarshal(w.Body.Bytes(), &said)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != tt.allow || w.Header().Get("Content-Type") != "application/problem+json" ||
			err != nil || said.Status != w.Code || !strings.Contains(said.Detail, "does not offer client-to-server ActivityPub") {
			t.Errorf("%s %s: %d, allowed %q: %s", tt.method, tt.box, w.Code, w.Header().Get("Allow"), w.Body)
		}
	}
	if n := oak.count("SELECT COUNT(*) FROM posts"); n != 0 {
		t.Errorf("%d posts were written through an outbox", n)
	}
}

// Who asks without a signature is told what a signature cannot be checked
// without: FEP-2677, FEP-d556 and FEP-f1d5 for the server itself, RFC 7033 for
// its people.
func TestUnsignedReaders(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak := r.start("oak.localhost")
	amira := oak.person("amira")
	open := oak.publish(amira, community.Draft{Source: "For all"})
	closed := oak.publish(amira, community.Draft{Source: "For some", Audience: community.Network})
	router := mux.NewRouter()
	oak.Routes(router)
	get := func(path, accept string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodGet, path, nil)
		req.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		router.ServeHTTP(w, req)
		return w
	}
	path := func(iri string) string { return strings.TrimPrefix(iri, oak.site.Base()) }
	check := func(path, accept string, want int, location string) {
		t.Helper()
		w := get(path, accept)
		if w.Code != want || w.Header().Get("Location") != location {
			t.Errorf("GET %s as %s: %d to %q, want %d to %q (%s)", path, accept, w.Code, w.Header().Get("Location"), want, location, w.Body)
		}
	}
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	check(path(oak.site.Instance()), activityJSON, 200, "")
	check(path(oak.site.Post(open.ID)), activityJSON, 401, "")
	check(path(oak.site.Actor(amira.ID)), activityJSON, 401, "")
	check(path(oak.site.Post(open.ID)), browser, 303, path(oak.site.Page(open.ID)))
	check(path(oak.site.Actor(amira.ID)), browser, 303, "/@amira")
	check(path(oak.site.Actor(12345)), browser, 404, "")
	check(path(oak.site.Instance()), browser, 303, "/about")
	check(path(oak.site.Profile("amira")), browser, 404, "") // the pages' address, not ours
	oak.write(func(tx *store.Tx) error {
		site, err := community.SiteOf(tx)
		if err != nil {
			return err
		}
		return peers.SetMode(tx, 0, peers.Open, site.Title())
	})
	check(path(oak.site.Post(open.ID)), activityJSON, 200, "")
	check(path(oak.site.Post(closed.ID)), activityJSON, 404, "")

	// WebFinger and NodeInfo are for anybody.
	for resource, want := range map[string]int{
		"acct:amira@oak.localhost": 200, "acct:AMIRA@OAK.localhost": 200, oak.site.Actor(amira.ID): 200, oak.site.Profile("amira"): 200,
		oak.site.Base(): 200, oak.site.Base() + "/": 200, oak.site.Instance(): 200, "acct:oak.localhost@oak.localhost": 200,
		"acct:nobody@oak.localhost": 404, "acct:amira@elm.localhost": 404, "amira": 404, oak.site.Post(open.ID): 404, "": 400,
	} {
		w := get("/.well-known/webfinger?resource="+escapeQuery(resource), "*/*")
		if w.Code != want {
			t.Errorf("WebFinger of %q: %d, want %d", resource, w.Code, want)
		}
		if want != 200 {
			continue
		}
		if self, err := readWebFinger(w.Body.Bytes()); err != nil || !oak.site.Local(self) || w.Header().Get("Content-Type") != "application/jrd+json" {
			t.Errorf("WebFinger of %q leads to %q, %v", resource, self, err)
		}
	}
	links, actor, err := readNodeInfoLinks(get("/.well-known/nodeinfo", "*/*").Body.Bytes())
	if err != nil || links != oak.site.URL("/nodeinfo/2.1") || actor != oak.site.Instance() {
		t.Errorf("NodeInfo leads to %q and %q, %v", links, actor, err)
	}
	for _, version := range []string{"2.0", "2.1"} {
		w := get("/nodeinfo/"+version, "*/*")
		n, err := readNodeInfo(w.Body.Bytes())
		if err != nil || n.Software != "chalkring" || n.Version != "0.0.0-test" || n.Name != "oak.localhost" || !json.Valid(w.Body.Bytes()) {
			t.Errorf("NodeInfo %s says %+v, %v", version, n, err)
		}
	}
	if w := get("/nodeinfo/3.0", "*/*"); w.Code != 404 {
		t.Errorf("NodeInfo 3.0: %d", w.Code)
	}
	if w := get("/.well-known/host-meta", "*/*"); !strings.Contains(w.Body.String(), "http://oak.localhost/.well-known/webfinger?resource={uri}") {
		t.Errorf("host-meta says %s", w.Body)
	}
}

// Who has asked for an account and waits is not there for other servers.
func TestWhoWaitsIsUnknown(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		ana, bo := oak.person("ana"), elm.person("bo")
		oak.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE users SET state = ? WHERE account_id = ?", community.Pending, ana.ID).Error
		})
		for _, path := range []string{"/.well-known/webfinger?resource=acct:ana@oak.localhost", "/.well-known/webfinger?resource=" + oak.site.Actor(ana.ID)} {
			if res := elm.ask(bo, oak.site.URL(path)); res.Status != http.StatusNotFound {
				t.Errorf("%s: %d", path, res.Status)
			}
		}
		for _, address := range []string{oak.site.Actor(ana.ID), oak.site.Outbox(ana.ID), oak.site.Followers(ana.ID)} {
			if res := elm.ask(bo, address); res.Status != http.StatusNotFound {
				t.Errorf("%s: %d", address, res.Status)
			}
		}
		elm.say(bo, oak, doc{"id": elm.site.URL("/f"), "type": "Follow", "actor": elm.site.Actor(bo.ID), "object": oak.site.Actor(ana.ID)})
		r.settle()
		if n := oak.count("SELECT COUNT(*) FROM follows"); n != 0 {
			t.Error("somebody follows who waits")
		}
	})
}
