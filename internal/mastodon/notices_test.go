package mastodon

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

var noticePaths = []string{"/api/v1/instance", "/api/v2/instance", "/api/v1/instance/rules", "/api/v1/instance/extended_description", "/api/v1/custom_emojis"}

func (w *world) describe(name, contact string) {
	w.t.Helper()
	w.write(func(tx *store.Tx) error {
		_, err := community.UpdateSite(tx, 0, community.SiteForm{Name: name, Description: name + " teaches.", Contact: contact, Rules: name + " is kind"})
		return err
	})
}

// reads is how often the database was asked for what do asks.
func (w *world) reads(do func()) int64 {
	before := w.db.Stats().Reads
	do()
	return w.db.Stats().Reads - before
}

// What was said once is said again without asking the database, to guests and
// to whoever was known a moment ago.
func TestNoticesAskNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		for _, c := range []*client{w.guest(), amira} {
			for _, path := range noticePaths {
				first := c.get(path).is(path, 200)
				for try := 0; ; try++ { // each answer may be the one for which time is up
					var again answer
					if n := w.reads(func() { again = c.get(path) }); n == 0 {
						if again.Body.String() != first.Body.String() || again.Header().Get("Cache-Control") != first.Header().Get("Cache-Control") ||
							again.Header().Get("ETag") != first.Header().Get("ETag") || again.Header().Get("Vary") != first.Header().Get("Vary") {
							t.Errorf("%s: %v %s, at first %v %s", path, again.Header(), again.Body, first.Header(), first.Body)
						}
						break
					} else if try == 5 {
						t.Fatalf("%s asks the database each time", path)
					}
				}
			}
		}
		// Nobody is taken for somebody else by what hangs there.
		for _, path := range noticePaths {
			(&client{w: w, token: "nonsense"}).get(path).is(path+" with an unknown token", 401)
		}
	})
}

// What is decided shows in the next answer.
func TestNoticesAreNeverStale(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		owner, amira := w.person("olga", community.Owner), w.person("amira", community.Member)
		w.describe("Oak", "@olga")
		says := func(what, path, words string) {
			t.Helper()
			for _, c := range []*client{w.guest(), amira} {
				if body := c.get(path).is(path, 200).Body.String(); !strings.Contains(body, words) {
					t.Errorf("%s, signed in %v: %s does not say %q: %s", what, c.signedIn(), path, words, body)
				}
			}
		}
		for _, path := range noticePaths { // so that something hangs
			says("at first", path, "")
		}
		w.describe("Elm", "@olga")
		for path, words := range map[string]string{"/api/v1/instance": `"title":"Elm"`, "/api/v2/instance": `"title":"Elm"`, "/api/v1/instance/rules": "Elm is kind",
			"/api/v1/instance/extended_description": "Elm teaches."} {
			says("renamed", path, words)
		}
		owner.json(http.MethodPatch, "/api/v1/accounts/update_credentials", obj{"display_name": "Olga Oak"}).is("a new name", 200)
		says("the contact has another name", "/api/v2/instance", `"display_name":"Olga Oak"`)
		says("before", "/api/v2/instance", `"limited_federation":true`)
		w.write(func(tx *store.Tx) error { return peers.SetMode(tx, 0, peers.Open, "Elm") })
		says("open to all", "/api/v2/instance", `"limited_federation":false`)
		w.describe("Elm", "")
		says("no contact", "/api/v2/instance", `"account":null`)

		// A token that was good until now is one that counts no more.
		amira.get("/api/v2/instance").is("before", 200)
		w.write(func(tx *store.Tx) error {
			grants, err := auth.Grants(tx, amira.me.ID)
			if err != nil {
				return err
			}
			return auth.EndGrant(tx, amira.me.ID, grants[0].Token.ID)
		})
		amira.get("/api/v2/instance").is("a token that was ended", 401)
		owner.get("/api/v2/instance").is("another's", 200)
		bo := w.person("bo", community.Member)
		bo.get("/api/v2/instance").is("before", 200)
		w.write(func(tx *store.Tx) error { return community.Suspend(tx, owner.me.ID, bo.me.ID, "") })
		if res := bo.get("/api/v2/instance"); res.Code == 200 {
			t.Errorf("somebody who is suspended is answered %d", res.Code)
		}
	})
}

// What is decided on one node shows on the other once the news is there, not
// only when time is up.
func TestNoticesOfTwoNodes(t *testing.T) {
	if os.Getenv("CHALKRING_TEST_POSTGRES") == "" {
		t.Skip("two nodes need PostgreSQL")
	}
	database := storetest.Postgres(t)
	here, there := worldOn(t, storetest.OpenURL(t, database)), worldOn(t, storetest.OpenURL(t, database))
	here.write(community.EnsureSite)
	amira := here.person("amira", community.Member)
	over := &client{w: there, token: amira.token}
	const told store.Topic = "told"
	news := there.db.Subscribe(told)
	defer news.Close()
	arrives := func() { // news arrives in its order
		here.write(func(tx *store.Tx) error { tx.Announce(told, 1); return nil })
		select {
		case <-news.C:
		case <-time.After(30 * time.Second):
			t.Fatal("no news arrives at the other node")
		}
	}
	for _, name := range []string{"Oak", "Elm", "Ash", "Fir"} {
		here.describe(name, "")
		arrives()
		for _, c := range []*client{there.guest(), over} {
			if res := c.get("/api/v2/instance").is(name, 200); res.text("title") != name {
				t.Errorf("renamed %s there: %s", name, res.Body)
			}
		}
	}
	here.write(func(tx *store.Tx) error {
		grants, err := auth.Grants(tx, amira.me.ID)
		if err != nil {
			return err
		}
		return auth.EndGrant(tx, amira.me.ID, grants[0].Token.ID)
	})
	arrives()
	over.get("/api/v2/instance").is("a token that was ended on the other node", 401)
}

// What was looked up before something changed, and is done only after, is told
// once and does not stay.
func TestNoticeOvertaken(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		b, hung := newBoard(w.db), new([places]atomic.Pointer[notice])
		now := time.Now()
		turn := b.look()
		w.describe("Elm", "")
		if n := b.hang(hung, forGuests, "", []byte("old\n"), turn, now); string(n.body) != "old\n" {
			t.Errorf("told %q", n.body)
		}
		if n := b.find(hung, "", now); n != nil {
			t.Errorf("%q stays though something changed meanwhile", n.body)
		}
		b.hang(hung, forGuests, "", []byte("new\n"), b.look(), now)
		if n := b.find(hung, "", now); n == nil || string(n.body) != "new\n" {
			t.Errorf("found %v", n)
		}
		if b.find(hung, "", now.Add(noticeStays)) != nil {
			t.Error("a notice stays for longer than it may")
		}
		if b.find(hung, "a token", now) != nil {
			t.Error("whoever sends a token is told what guests are, unasked")
		}
		b.hang(hung, forPeople, "a token", []byte("more\n"), b.look(), now)
		if n := b.find(hung, "a token", now); n == nil || string(n.body) != "more\n" {
			t.Errorf("found %v for the token", n)
		}
	})
}

// gzipTaker is a recorder of answers to somebody who takes gzip.
type gzipTaker struct{ *httptest.ResponseRecorder }

func (gzipTaker) TakesGzip() bool { return true }

func TestNoticesPacked(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		for _, c := range []*client{w.guest(), amira} {
			for range 2 { // written, and found
				for path, packed := range map[string]bool{"/api/v2/instance": true, "/api/v1/instance/languages": true, "/api/v1/custom_emojis": false} {
					plain := c.get(path)
					r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+storetest.Host+path, nil)
					if c.token != "" {
						r.Header.Set("Authorization", "Bearer "+c.token)
					}
					rec := gzipTaker{httptest.NewRecorder()}
					w.h.ServeHTTP(rec, r)
					if rec.Header().Get("Content-Length") != strconv.Itoa(rec.Body.Len()) || plain.Header().Get("Content-Length") != strconv.Itoa(plain.Body.Len()) ||
						rec.Header().Get("ETag") != plain.Header().Get("ETag") {
						t.Errorf("%s: %v", path, rec.Header())
					}
					var body io.Reader = rec.Body
					if (rec.Header().Get("Content-Encoding") == "gzip") != packed || plain.Header().Get("Content-Encoding") != "" {
						t.Errorf("%s is encoded %v", path, rec.Header())
					} else if packed {
						z, err := gzip.NewReader(rec.Body)
						if err != nil {
							t.Fatal(err)
						}
						body = z
					}
					if b, err := io.ReadAll(body); err != nil || string(b) != plain.Body.String() {
						t.Errorf("%s packed is %s (%v), plain %s", path, b, err, plain.Body)
					}
				}
			}
		}
	})
}
