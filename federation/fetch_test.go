package federation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// serve has a server answer some addresses with documents of the test's making.
func (n *server) serve(documents map[string]any) {
	n.tap = func(w http.ResponseWriter, r *http.Request) bool {
		d, ok := documents[r.URL.Path]
		if !ok {
			return false
		}
		switch d := d.(type) {
		case int:
			w.WriteHeader(d)
		case string: // a redirect
			http.Redirect(w, r, d, http.StatusFound)
		case []byte:
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(d)
		default:
			w.Header().Set("Content-Type", activityJSON)
			_ = json.NewEncoder(w).Encode(d)
		}
		return true
	}
}

func TestResolve(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
		oak.allow("elm.localhost")
		elm.allow("oak.localhost")
		oak.allow("fir.localhost") // fir does not know oak
		r.settle()
		amira, bo, mal := oak.person("amira"), elm.person("bo"), fir.person("mal")
		for _, what := range []string{"@amira", "amira", "@amira@oak.localhost", "acct:amira@oak.localhost", oak.site.Actor(amira.ID), oak.site.Profile("amira")} {
			if a, err := oak.Resolve(t.Context(), what); err != nil || a.ID != amira.ID {
				t.Errorf("%q leads to %+v, %v", what, a, err)
			}
		}
		for _, what := range []string{"@bo@elm.localhost", " bo@ELM.localhost ", elm.site.Actor(bo.ID), elm.site.Profile("bo")} {
			a, err := oak.Resolve(t.Context(), what)
			if err != nil || a.Username != "bo" || a.Host != "elm.localhost" || *a.URI != elm.site.Actor(bo.ID) {
				t.Errorf("%q leads to %+v, %v", what, a, err)
			}
		}
		refused := []struct {
			what string
			kind fault.Kind
			key  string
		}{
			{"@nobody", fault.NotFound, ""},
			{"@nobody@elm.localhost", fault.NotFound, "federation.no_such_person"},
			{"not a handle", fault.Invalid, "federation.handle"},
			{"@x@yew.localhost", fault.Forbidden, "peers.not_admitted"},
			{"http://yew.localhost/u/1", fault.Forbidden, "peers.not_admitted"},
			{"@mal@fir.localhost", fault.Forbidden, "federation.not_connected"},
			{fir.site.Actor(mal.ID), fault.Forbidden, "federation.not_connected"},
			{oak.site.Post(1), fault.NotFound, ""},
			{elm.site.URL("/actor/inbox"), fault.NotFound, "federation.status"},
		}
		for _, tt := range refused {
			_, err := oak.Resolve(t.Context(), tt.what)
			if f := fault.Of(err); f.Kind != tt.kind || tt.key != "" && f.Key != tt.key {
				t.Errorf("%q: %v (%s %q), want %s %q", tt.what, err, f.Kind, f.Key, tt.kind, tt.key)
			}
		}
		// A server that was taken off is not looked at, nor shown from memory.
		oak.write(func(tx *store.Tx) error { return peers.Remove(tx, 0, "elm.localhost", "") })
		if _, err := oak.Resolve(t.Context(), "@bo@elm.localhost"); !peers.Refused(err) {
			t.Errorf("bo of a removed server: %v", err)
		}
	})
}

func TestResolvePost(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	amira := oak.person("amira")
	top := oak.publish(amira, community.Draft{Kind: community.Discussion, Title: "A topic", Source: "Opening"})
	reply := oak.publish(amira, community.Draft{Kind: community.Reply, Source: "Further", InReplyToID: top.ID})
	closed := oak.publish(amira, community.Draft{Source: "For some", Audience: community.Followers})
	got, err := elm.ResolvePost(t.Context(), oak.site.Page(reply.ID))
	if err != nil || got.InReplyToID == nil || *got.URI != oak.site.Post(reply.ID) || got.ThreadID != elm.copyOf(top, oak).ID {
		t.Errorf("a reply: %+v, %v", got, err)
	}
	if again, err := elm.ResolvePost(t.Context(), oak.site.Post(reply.ID)); err != nil || again.ID != got.ID {
		t.Errorf("once more: %+v, %v", again, err)
	}
	if _, err := elm.ResolvePost(t.Context(), oak.site.Post(closed.ID)); !fault.Is(err, fault.NotFound) {
		t.Errorf("a post for followers: %v", err)
	}
	if got, err := oak.ResolvePost(t.Context(), oak.site.Page(top.ID)); err != nil || got.ID != top.ID {
		t.Errorf("our own: %+v, %v", got, err)
	}
	if _, err := oak.ResolvePost(t.Context(), oak.site.URL("/about")); !fault.Is(err, fault.NotFound) {
		t.Errorf("no post of ours: %v", err)
	}
}

// What is believed of a document depends on where it was got.
func TestDocumentsOfOthers(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
	r.befriend()
	pem := keyPairs()[0].Public
	actor := func(id string) doc {
		return doc{"@context": "https://www.w3.org/ns/activitystreams", "id": id, "type": "Person", "preferredUsername": "a" + id[strings.LastIndex(id, "/")+1:], "inbox": id + "/inbox",
			"publicKey": doc{"id": id + "#main-key", "owner": id, "publicKeyPem": pem}}
	}
	at := elm.site.URL
	elm.serve(map[string]any{
		"/t/plain":    actor(at("/t/plain")),
		"/t/moved":    at("/t/plain"),
		"/t/alias":    actor(at("/t/plain")),
		"/t/forged":   actor(fir.site.URL("/t/x")),
		"/t/outside":  fir.site.URL("/t/hosted"),
		"/t/stranger": "http://yew.localhost/u/1",
		"/t/loop":     at("/t/loop"),
		"/t/page":     []byte("<html>"),
		"/t/note":     doc{"id": at("/t/note"), "type": "Note", "content": "x"},
		"/t/gone":     410,
		"/t/secret":   403,
		"/t/broken":   500,
		"/t/huge":     doc{"id": at("/t/huge"), "type": "Person", "summary": strings.Repeat("x", 1<<20)},
		"/t/inbox":    func() doc { d := actor(at("/t/inbox")); d["inbox"] = fir.site.SharedInbox(); return d }(),
	})
	fir.serve(map[string]any{"/t/hosted": actor(at("/t/hosted")), "/t/x": 404})
	tests := []struct {
		path string
		kind fault.Kind // Internal: found
		uri  string
	}{
		{"/t/plain", fault.Internal, at("/t/plain")},
		{"/t/moved", fault.Internal, at("/t/plain")},
		{"/t/alias", fault.Internal, at("/t/plain")},
		{"/t/forged", fault.NotFound, ""},
		{"/t/outside", fault.NotFound, ""},
		{"/t/stranger", fault.Forbidden, ""},
		{"/t/loop", fault.NotFound, ""},
		{"/t/page", fault.NotFound, ""},
		{"/t/note", fault.NotFound, ""},
		{"/t/gone", fault.Gone, ""},
		{"/t/secret", fault.Forbidden, ""},
		{"/t/broken", fault.Unavailable, ""},
		{"/t/huge", fault.NotFound, ""},
		{"/t/inbox", fault.NotFound, ""},
	}
	for _, tt := range tests {
		a, err := oak.fetchActor(t.Context(), at(tt.path))
		switch {
		case tt.kind == fault.Internal:
			if err != nil || *a.URI != tt.uri {
				t.Errorf("%s: %+v, %v", tt.path, a, err)
			}
		case fault.Of(err).Kind != tt.kind:
			t.Errorf("%s: %v (%s), want %s", tt.path, err, fault.Of(err).Kind, tt.kind)
		}
	}
}

// Keys are found however a server publishes them, and only where they belong.
func TestKeysOfOthers(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
	r.befriend()
	pem := keyPairs()[0].Public
	at := elm.site.URL
	actor := func(id, key string) doc {
		return doc{"@context": "https://www.w3.org/ns/activitystreams", "id": id, "type": "Person", "preferredUsername": "a" + id[strings.LastIndex(id, "/")+1:], "inbox": id + "/inbox",
			"publicKey": doc{"id": key, "owner": id, "publicKeyPem": pem}}
	}
	documents := map[string]any{
		"/k/mastodon":   actor(at("/k/mastodon"), at("/k/mastodon#main-key")),
		"/k/gotosocial": actor(at("/k/gotosocial"), at("/k/gotosocial/main-key")),
		"/k/gotosocial/main-key": doc{"id": at("/k/gotosocial"), "type": "Person", "preferredUsername": "agotosocial",
			"publicKey": doc{"id": at("/k/gotosocial/main-key"), "owner": at("/k/gotosocial"), "publicKeyPem": pem}},
		"/k/apart":     actor(at("/k/apart"), at("/k/apart/key")),
		"/k/apart/key": doc{"@context": "https://w3id.org/security/v1", "id": at("/k/apart/key"), "type": "Key", "owner": at("/k/apart"), "publicKeyPem": pem},
		"/k/other":     actor(at("/k/other"), at("/k/other#another-key")),
		"/k/stolen":    doc{"id": at("/k/stolen"), "owner": fir.site.URL("/k/victim"), "publicKeyPem": pem},
		"/k/unowned":   doc{"id": at("/k/unowned"), "owner": at("/k/mastodon"), "publicKeyPem": pem},
	}
	fetched := map[string]int{}
	elm.serve(documents)
	inner := elm.tap
	elm.tap = func(w http.ResponseWriter, r *http.Request) bool { fetched[r.URL.Path]++; return inner(w, r) }
	tests := []struct {
		key   string
		owner string // empty: refused
		asks  int
	}{
		{"/k/mastodon#main-key", "/k/mastodon", 1},
		{"/k/gotosocial/main-key", "/k/gotosocial", 2},
		{"/k/apart/key", "/k/apart", 2},
		{"/k/other#main-key", "", 1},
		{"/k/stolen", "", 1},
		{"/k/unowned", "", 2},
		{"/k/none#main-key", "", 1},
	}
	for _, tt := range tests {
		for range 2 { // the second time nothing is asked, found or not
			account, key, err := oak.fetchKey(t.Context(), at(tt.key), false)
			if (err == nil) != (tt.owner != "") || err == nil && (*account.URI != at(tt.owner) || key.PublicKey != pem || key.KeyID != at(tt.key)) {
				t.Errorf("%s: %+v %+v %v", tt.key, account, key, err)
			}
		}
		asks := 0
		for path, n := range fetched {
			asks += n
			delete(fetched, path)
		}
		if asks != tt.asks {
			t.Errorf("%s: asked %d times, want %d", tt.key, asks, tt.asks)
		}
	}
}

// A server is met when it is connected with, and asked again when it did not answer.
//
// FEP-2677, FEP-d556 (its actor), FEP-844e (what it implements), FEP-f1d5 (its software).
func TestMeeting(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		elm.write(func(tx *store.Tx) error {
			_, err := community.UpdateSite(tx, 0, community.SiteForm{Name: "Elm Street School"})
			return err
		})
		oak.allow("elm.localhost") // elm need not know oak: what is asked is for anybody
		r.settle()
		var h peers.Host
		oak.read(func(tx *store.Tx) (err error) { h, err = peers.HostByName(tx, "elm.localhost"); return err })
		if h.Name != "Elm Street School" || h.Software != "chalkring" || h.Version != "0.0.0-test" || !h.ClosedAudiences || h.ActorURI != elm.site.Instance() || h.SharedInbox != elm.site.SharedInbox() {
			t.Errorf("elm was met as %+v", h)
		}
		fir := r.still("fir.localhost")
		fir.tap = func(w http.ResponseWriter, r *http.Request) bool { // software without an actor of its own
			switch r.URL.Path {
			case "/.well-known/nodeinfo":
				fmt.Fprintf(w, `{"links":[{"rel":"http://nodeinfo.diaspora.software/ns/schema/2.0","href":%q}]}`, fir.site.URL("/ni"))
			case "/ni":
				fmt.Fprint(w, `{"software":{"name":"oldtalk","version":"1"},"metadata":[]}`)
			default:
				w.WriteHeader(http.StatusNotFound)
			}
			return true
		}
		oak.allow("fir.localhost")
		r.settle()
		oak.read(func(tx *store.Tx) (err error) { h, err = peers.HostByName(tx, "fir.localhost"); return err })
		if h.Software != "oldtalk" || h.ClosedAudiences || h.MetAt == nil {
			t.Errorf("fir was met as %+v", h)
		}
		oak.allow("yew.localhost") // not there
		r.settle()
		oak.read(func(tx *store.Tx) (err error) { h, err = peers.HostByName(tx, "yew.localhost"); return err })
		if h.MetAt != nil || h.MeetTries != 1 || h.MeetNextAt == nil {
			t.Errorf("yew was met as %+v", h)
		}
	})
}

// What another server answers is said with what can be done about it: each
// refusal has another cause.
func TestRefusalsAreToldApart(t *testing.T) {
	peering := http.Header{"Content-Type": {"application/problem+json"}}
	for _, c := range []struct {
		status int
		header http.Header
		body   string
		key    string
	}{
		{http.StatusUnauthorized, nil, "", "federation.unsigned"},
		{http.StatusForbidden, nil, "", "federation.refused"},
		{http.StatusForbidden, peering, `{"type":"` + peeringRequired + `"}`, "federation.not_connected"},
		{http.StatusForbidden, peering, `{"type":"about:blank"}`, "federation.refused"},
		{http.StatusNotFound, nil, "", "federation.not_found"},
		{http.StatusGone, nil, "", "federation.gone"},
		{http.StatusBadGateway, nil, "", "federation.status"},
	} {
		header := c.header
		if header == nil {
			header = http.Header{}
		}
		f := fault.Of(statusFault("elm.test", &egress.Response{Status: c.status, Header: header, Body: []byte(c.body)}))
		if f.Key != c.key || f.Args["Host"] != "elm.test" {
			t.Errorf("%d %s is told as %q", c.status, c.body, f.Key)
		}
	}
}
