package federation

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/iri"
)

func FuzzReadWebFinger(f *testing.F) {
	f.Add([]byte(`{"subject":"acct:bo@elm.test","links":[{"rel":"self","type":"application/activity+json","href":"https://elm.test/u/1"}]}`))
	f.Add([]byte(`{"links":[{"rel":"self","type":"application/ld+json; profile=\"https://www.w3.org/ns/activitystreams\"","href":"https://elm.test/u/1"}]}`))
	f.Add([]byte(`{"links":{"rel":"self"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if self, err := readWebFinger(body); err == nil && !strings.HasPrefix(self, "http") {
			t.Errorf("leads to %q", self)
		}
	})
}

func FuzzReadNodeInfo(f *testing.F) {
	f.Add([]byte(`{"links":[{"rel":"http://nodeinfo.diaspora.software/ns/schema/2.1","href":"https://elm.test/nodeinfo/2.1"}]}`))
	f.Add([]byte(`{"software":{"name":"mastodon","version":"4.5.0"},"metadata":{"nodeName":"Elm"}}`))
	f.Add([]byte(`{"software":[],"metadata":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if document, _, err := readNodeInfoLinks(body); err == nil && document == "" {
			t.Error("no document and no error")
		}
		_, _ = readNodeInfo(body) // must not panic
	})
}

// Whatever comes to the inbox is answered, and never with a failure of ours.
func FuzzInbox(f *testing.F) {
	r := &ring{t: f, at: map[string]addrPort{}}
	oak := r.still("oak.localhost")
	router := mux.NewRouter()
	oak.Routes(router)
	const signature = `keyId="https://elm.test/u/1#main-key",algorithm="rsa-sha256",headers="(request-target) host date digest",signature="AAAA"`
	f.Add("application/activity+json", signature, []byte(`{"id":"https://elm.test/a/1","type":"Create","actor":"https://elm.test/u/1","object":{}}`))
	f.Add("application/ld+json", `keyId="x"`, []byte(`[]`))
	f.Add("text/html", "", []byte(`{`))
	f.Fuzz(func(t *testing.T, kind, signature string, body []byte) {
		req := httptest.NewRequest(http.MethodPost, "/inbox", bytes.NewReader(body))
		req.Header["Content-Type"], req.Header["Signature"] = []string{kind}, []string{signature}
		w := httptest.NewRecorder()
		router.ServeHTTP(w, req)
		if w.Code >= 500 || w.Code == http.StatusAccepted {
			t.Errorf("answered %d: %s", w.Code, w.Body)
		}
	})
}

// Whatever an object says, what is made of it is a post that may be kept.
func FuzzReadObject(f *testing.F) {
	f.Add([]byte(`{"id":"https://a.test/1","type":"Note","attributedTo":"https://a.test/u/1","content":"<p>Hi</p>","to":"https://www.w3.org/ns/activitystreams#Public"}`))
	f.Add([]byte(`{"id":"https://a.test/1","type":"Article","name":"A","summary":"<p>S","content":"<h1>x","kind":"practice","tag":[{"type":"Hashtag","name":"#é"}]}`))
	f.Add([]byte(`{"id":"https://a.test/1","type":"Question","oneOf":[{"name":"<a>"}],"attachment":[{"type":"Image","url":"https://a.test/x.png"}]}`))
	addPeers(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := as2.DecodeObject(body)
		if err != nil {
			return
		}
		r, err := readObject(o)
		if err != nil {
			return
		}
		p := r.post
		if !p.Kind.Valid() || p.Kind == community.Boost || p.Kind.Titled() != (p.Title != "") && p.Kind.Answers() || len([]rune(p.Title)) > maxTitle {
			t.Errorf("made %+v", p)
		}
		if strings.Contains(strings.ToLower(p.HTML), "<script") || strings.Contains(strings.ToLower(p.Teaser), "<script") {
			t.Errorf("kept a script: %q %q", p.HTML, p.Teaser)
		}
	})
}

// Whatever an actor says of itself, its account is of its own server.
func FuzzRemoteAccount(f *testing.F) {
	addPeers(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		actor, err := as2.DecodeActor(body)
		if err != nil {
			return
		}
		a, err := remoteAccount(actor)
		if err != nil {
			return
		}
		addresses := []string{a.Inbox, a.SharedInbox, a.Outbox, a.FollowersURI, a.FeaturedURI, a.NetworkURI, a.Account.URL}
		for _, k := range a.Keys {
			addresses = append(addresses, k.ID)
		}
		for _, address := range addresses {
			if address != "" && !iri.SameOrigin(address, *a.URI) {
				t.Errorf("%s takes %s for its own", *a.URI, address)
			}
		}
		if !iri.ValidName(a.Username) || strings.ContainsAny(a.DisplayName, "\n\x00") || len(a.Emoji) > maxEmoji || len(a.Fields) > maxFields {
			t.Errorf("made %+v", a)
		}
	})
}

// addPeers adds the documents of other software, and what activities hold.
func addPeers(f *testing.F) {
	paths, err := filepath.Glob("testdata/peers/*/*.json")
	if err != nil || len(paths) == 0 {
		f.Fatal("no documents", err)
	}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
		var holds struct{ Object json.RawMessage }
		if json.Unmarshal(body, &holds) == nil && len(holds.Object) > 0 && holds.Object[0] == '{' {
			f.Add([]byte(holds.Object))
		}
	}
}
