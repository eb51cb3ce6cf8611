package mastodon

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/store"
)

// phone is a device with its push service, which passes on what comes for it
// and answers as it is told.
type phone struct {
	t      *testing.T
	key    *ecdh.PrivateKey
	auth   []byte
	server *httptest.Server
	came   chan pushed

	mu      sync.Mutex
	answers []int // of the next messages; none: 201
}

type pushed struct {
	path    string
	header  http.Header
	payload pushPayload
}

func newPhone(t *testing.T) *phone {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{t: t, key: key, auth: make([]byte, 16), came: make(chan pushed, 100)}
	rand.Read(p.auth)
	p.server = httptest.NewTLSServer(p)
	t.Cleanup(p.server.Close)
	return p
}

func (p *phone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Error(err)
	}
	status := http.StatusCreated
	p.mu.Lock()
	if len(p.answers) > 0 {
		status, p.answers = p.answers[0], p.answers[1:]
	}
	p.mu.Unlock()
	m := pushed{path: r.URL.Path, header: r.Header}
	if err := json.Unmarshal(p.read(r.Header, body), &m.payload); err != nil {
		p.t.Error(err)
	}
	w.WriteHeader(status)
	p.came <- m
}

func (p *phone) bytes(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		p.t.Error(err)
	}
	return b
}

// read decrypts a message as a browser does.
func (p *phone) read(h http.Header, body []byte) []byte {
	mine := string(p.key.PublicKey().Bytes())
	var salt, theirs []byte
	info, name, about := "", "aes128gcm", ""
	if h.Get("Content-Encoding") == "aes128gcm" {
		salt, theirs, body = body[:16], body[21:86], body[86:]
		info = "WebPush: info\x00" + mine + string(theirs)
	} else {
		salt = p.bytes(strings.TrimPrefix(h.Get("Encryption"), "salt="))
		dh, _, _ := strings.Cut(h.Get("Crypto-Key"), ";")
		theirs = p.bytes(strings.TrimPrefix(dh, "dh="))
		info, name, about = "Content-Encoding: auth\x00", "aesgcm", "P-256\x00\x00\x41"+mine+"\x00\x41"+string(theirs)
	}
	pub, err := ecdh.P256().NewPublicKey(theirs)
	if err != nil {
		p.t.Error(err)
		return nil
	}
	shared, _ := p.key.ECDH(pub)
	secret, _ := hkdf.Key(sha256.New, shared, p.auth, info, 32)
	key, _ := hkdf.Key(sha256.New, secret, salt, "Content-Encoding: "+name+"\x00"+about, 16)
	nonce, _ := hkdf.Key(sha256.New, secret, salt, "Content-Encoding: nonce\x00"+about, 12)
	block, _ := aes.NewCipher(key)
	gcm, _ := cipher.NewGCM(block)
	plain, err := gcm.Open(nil, nonce, body, nil)
	if err != nil {
		p.t.Error(err)
		return nil
	}
	if name == "aesgcm" {
		return plain[2+binary.BigEndian.Uint16(plain):]
	}
	plain = []byte(strings.TrimRight(string(plain), "\x00"))
	return plain[:len(plain)-1]
}

func (p *phone) next() pushed {
	p.t.Helper()
	select {
	case m := <-p.came:
		return m
	case <-time.After(soon):
		p.t.Fatal("nothing was pushed")
		return pushed{}
	}
}

// subscribe has a client's notifications pushed to the phone.
func (c *client) subscribe(p *phone, path string, standard bool, policy string, alerts ...string) answer {
	wanted := map[string]any{}
	for _, a := range alerts {
		wanted[a] = true
	}
	return c.json(http.MethodPost, "/api/v1/push/subscription", map[string]any{
		"subscription": map[string]any{"endpoint": "https://example.com/" + path, "standard": standard, "keys": map[string]any{
			"p256dh": base64.URLEncoding.EncodeToString(p.key.PublicKey().Bytes()), "auth": base64.RawURLEncoding.EncodeToString(p.auth)}},
		"data": map[string]any{"alerts": wanted, "policy": policy}})
}

// pushing runs the queue while the test lasts.
func (w *world) pushing(p *phone) {
	roots := x509.NewCertPool()
	roots.AddCert(p.server.Certificate())
	where := netip.MustParseAddrPort(p.server.Listener.Addr().String())
	// The certificate of a test server is for example.com.
	w.api.Egress = egress.New(egress.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Roots: roots,
		Resolve: func(context.Context, string) ([]netip.AddrPort, bool) { return []netip.AddrPort{where}, true }})
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.api.RunPushes(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	w.t.Cleanup(func() { cancel(); <-done })
}

func (w *world) pusher(name string) *client {
	c := w.person(name, community.Member)
	c.token = w.signIn(c.me, "read write follow push")
	return c
}

func TestPushSubscription(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		p := newPhone(t)
		bo := w.pusher("bo")
		if res := bo.get("/api/v1/push/subscription"); res.Code != http.StatusNotFound || res.text("error") != "Record not found" {
			t.Errorf("none is answered %d %s", res.Code, res.Body)
		}
		if res := bo.json(http.MethodPut, "/api/v1/push/subscription", map[string]any{"data": map[string]any{"policy": "all"}}); res.Code != http.StatusNotFound {
			t.Errorf("a change of none is answered %d %s", res.Code, res.Body)
		}
		var first, second, got WebPushSubscription
		res := bo.subscribe(p, "one", true, "followed", "mention", "favourite")
		res.into(&first)
		if res.Code != http.StatusOK || first.Endpoint != "https://example.com/one" || !first.Standard || first.Policy != "followed" ||
			!first.Alerts["mention"] || first.Alerts["follow"] || len(first.Alerts) != len(alertNames) || first.ServerKey == "" {
			t.Errorf("%d %s", res.Code, res.Body)
		}
		if res = bo.subscribe(p, "two", false, "", "mention"); res.Code != http.StatusOK {
			t.Errorf("two: %d %s", res.Code, res.Body)
		}
		res.into(&second)
		res = bo.get("/api/v1/push/subscription")
		if res.into(&got); res.Code != http.StatusOK {
			t.Errorf("got: %d %s", res.Code, res.Body)
		}
		if got.ID != second.ID || got.ID == first.ID || got.Standard || got.Policy != "all" {
			t.Errorf("one replaces the other as %+v", got)
		}
		form := "data%5Balerts%5D%5Bfollow%5D=true&data%5Bpolicy%5D=none"
		bo.do(http.MethodPut, "/api/v1/push/subscription", "application/x-www-form-urlencoded", []byte(form)).into(&got)
		if got.ID != second.ID || got.Alerts["mention"] || !got.Alerts["follow"] || got.Policy != "none" {
			t.Errorf("changed to %+v", got)
		}
		for range 2 {
			if res := bo.do(http.MethodDelete, "/api/v1/push/subscription", "", nil); res.Code != http.StatusOK || strings.TrimSpace(res.Body.String()) != "{}" {
				t.Errorf("delete: %d %s", res.Code, res.Body)
			}
		}
		if res := bo.get("/api/v1/push/subscription"); res.Code != http.StatusNotFound {
			t.Errorf("deleted: %d %s", res.Code, res.Body)
		}
		for name, change := range map[string]func(sub, keys, data map[string]any){
			"plain http": func(sub, _, _ map[string]any) { sub["endpoint"] = "http://push.test/x" },
			"no address": func(sub, _, _ map[string]any) { delete(sub, "endpoint") },
			"no key":     func(_, keys, _ map[string]any) { delete(keys, "p256dh") },
			"no point": func(_, keys, _ map[string]any) {
				keys["p256dh"] = base64.RawURLEncoding.EncodeToString(make([]byte, 65))
			},
			"short auth": func(_, keys, _ map[string]any) { keys["auth"] = "AAAA" },
			"policy":     func(_, _, data map[string]any) { data["policy"] = "friends" },
		} {
			keys := map[string]any{"p256dh": base64.RawURLEncoding.EncodeToString(p.key.PublicKey().Bytes()), "auth": base64.RawURLEncoding.EncodeToString(p.auth)}
			sub, data := map[string]any{"endpoint": "https://push.test/x", "keys": keys}, map[string]any{"alerts": map[string]any{"mention": true}}
			change(sub, keys, data)
			if res := bo.json(http.MethodPost, "/api/v1/push/subscription", map[string]any{"subscription": sub, "data": data}); res.Code != http.StatusUnprocessableEntity {
				t.Errorf("%s is answered %d %s", name, res.Code, res.Body)
			}
		}
		if res := w.person("cy", community.Member).get("/api/v1/push/subscription"); res.Code != http.StatusForbidden {
			t.Errorf("without the scope: %d %s", res.Code, res.Body)
		}
		bo.subscribe(p, "three", true, "all", "mention")
		w.write(func(tx *store.Tx) error {
			grants, err := auth.Grants(tx, bo.me.ID)
			for _, g := range grants {
				if err == nil {
					err = auth.EndGrant(tx, bo.me.ID, g.Token.ID)
				}
			}
			var n int64
			if err == nil {
				err = tx.Raw("SELECT COUNT(*) FROM push_subscriptions").Scan(&n).Error
			}
			if n != 0 {
				t.Error("a token that is ended keeps its subscription")
			}
			return err
		})
		w.api.Push = PushOff
		if res := w.pusher("di").subscribe(p, "four", true, "all", "mention"); res.Code != http.StatusForbidden {
			t.Errorf("switched off: %d %s", res.Code, res.Body)
		}
		if res := w.person("ed", community.Member).get("/api/v2/instance"); !strings.Contains(res.Body.String(), `"vapid":{"public_key":""}`) {
			t.Errorf("a server that pushes nothing names a key: %s", res.Body)
		}
	})
}

func TestPush(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		p := newPhone(t)
		amira, bo := w.person("amira", community.Member), w.pusher("bo")
		modern := bo.subscribe(p, "modern", true, "all", "mention", "favourite")
		if modern.Code != http.StatusOK {
			t.Fatalf("%d %s", modern.Code, modern.Body)
		}
		old := &client{w: w, me: bo.me, token: w.signIn(bo.me, "read push")}
		old.subscribe(p, "old", false, "all", "mention")
		w.pushing(p)
		amira.post(map[string]any{"status": "@bo Exit tickets & more", "visibility": "direct"})
		heard := map[string]pushed{}
		for range 2 {
			m := p.next()
			heard[m.path] = m
		}
		notification := bo.listIDs("/api/v1/notifications")[0]
		for path, c := range map[string]*client{"/modern": bo, "/old": old} {
			m := heard[path]
			if got := m.payload; got.AccessToken != c.token || path == "" || got.NotificationType != "mention" || got.PreferredLocale != "en" ||
				string(encoded(got.NotificationID)) != notification || !strings.Contains(got.Body, "Exit tickets & more") || !strings.HasPrefix(got.Icon, "https://") {
				t.Errorf("%s: %+v", path, got)
			}
			if m.header.Get("TTL") != "172800" || m.header.Get("Urgency") != "normal" || m.header.Get("Authorization") == "" {
				t.Errorf("%s: %v", path, m.header)
			}
		}
		amira.post(map[string]any{"status": "@bo the answer is 12", "spoiler_text": "Spoils the puzzle", "visibility": "direct"})
		for range 2 {
			if got := p.next().payload; got.Body != "Spoils the puzzle" {
				t.Errorf("behind a warning: %+v", got)
			}
		}
		// What is liked is wanted by one of the two.
		mine := bo.post(map[string]any{"status": "Number talks", "visibility": "public"})
		amira.act("/api/v1/statuses/" + mine.ID + "/favourite")
		if m := p.next(); m.path != "/modern" || m.payload.NotificationType != "favourite" {
			t.Errorf("%s %+v", m.path, m.payload)
		}
		// A service that fails is tried again, one that knows the place no more is not.
		p.mu.Lock()
		p.answers = []int{http.StatusGone, http.StatusGone}
		p.mu.Unlock()
		amira.post(map[string]any{"status": "@bo once more", "visibility": "direct"})
		p.next()
		p.next()
		w.pushesEnd()
		if res := bo.get("/api/v1/push/subscription"); res.Code != http.StatusNotFound {
			t.Errorf("a place that is gone stays: %d %s", res.Code, res.Body)
		}
	})
}

// pushesEnd waits until nothing is left to push, by the news that a lane was left.
func (w *world) pushesEnd() {
	w.t.Helper()
	news := w.db.Subscribe(community.PushLaneLeft)
	defer news.Close()
	late := time.After(soon)
	for {
		var n int64
		err := w.db.Read(w.t.Context(), func(tx *store.Tx) error {
			return tx.Raw("SELECT (SELECT COUNT(*) FROM pushes) + (SELECT COUNT(*) FROM push_lanes WHERE node <> '')").Scan(&n).Error
		})
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
		select {
		case <-news.C:
		case <-late:
			w.t.Fatalf("%d pushes are left", n)
		}
	}
}

// Nothing is pushed of what was read, dismissed or deleted since, what the
// reader may not see any more, or against the policy; and a failure is tried again.
func TestPushOfWhatIsStillNews(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		p := newPhone(t)
		amira, bo, cy := w.person("amira", community.Member), w.pusher("bo"), w.person("cy", community.Member)
		bo.follow(cy)
		bo.subscribe(p, "x", true, "all", "mention", "follow")
		read := func() {
			id := bo.listIDs("/api/v1/notifications")[0]
			bo.json(http.MethodPost, "/api/v1/markers", map[string]any{"notifications": map[string]any{"last_read_id": id}})
		}
		amira.post(map[string]any{"status": "@bo read", "visibility": "direct"})
		read()
		deleted := amira.post(map[string]any{"status": "@bo deleted", "visibility": "direct"})
		amira.do(http.MethodDelete, "/api/v1/statuses/"+deleted.ID, "", nil)
		amira.post(map[string]any{"status": "@bo dismissed", "visibility": "direct"})
		bo.act("/api/v1/notifications/" + bo.listIDs("/api/v1/notifications")[0] + "/dismiss")
		amira.post(map[string]any{"status": "@bo then blocked", "visibility": "direct"})
		w.write(func(tx *store.Tx) error { return community.Block(tx, bo.me, amira.me) })
		di := w.person("di", community.Member)
		di.post(map[string]any{"status": "@bo from a stranger", "visibility": "direct"})
		bo.json(http.MethodPut, "/api/v1/push/subscription", map[string]any{"data": map[string]any{"alerts": map[string]any{"mention": true}, "policy": "followed"}})
		cy.post(map[string]any{"status": "@bo from cy", "visibility": "direct"})
		w.pushing(p)
		if m := p.next(); !strings.Contains(m.payload.Body, "from cy") {
			t.Errorf("pushed %+v", m.payload)
		}
		w.pushesEnd()
		if len(p.came) > 0 {
			t.Errorf("pushed %+v", (<-p.came).payload)
		}
		p.mu.Lock()
		p.answers = []int{http.StatusInternalServerError}
		p.mu.Unlock()
		cy.post(map[string]any{"status": "@bo again", "visibility": "direct"})
		first, second := p.next(), p.next()
		if first.payload != second.payload {
			t.Errorf("tried again as %+v and %+v", first.payload, second.payload)
		}
		w.pushesEnd()
		w.api.Push = PushBare
		cy.post(map[string]any{"status": "@bo secret", "visibility": "direct"})
		if got := p.next().payload; got.Body != "" || strings.Contains(string(encoded(got)), "cy") || got.NotificationID == 0 {
			t.Errorf("bare: %+v", got)
		}
	})
}

func TestPushOutcome(t *testing.T) {
	for status, want := range map[int]string{201: "sent", 200: "sent", 404: "gone", 410: "gone", 400: "gone", 403: "gone", 413: "refused",
		408: "late", 429: "late", 500: "late", 503: "late"} {
		if got := pushOutcome(status, 0); got.outcome != want {
			t.Errorf("%d is %q, want %q", status, got.outcome, want)
		}
	}
	if got := pushOutcome(429, time.Hour); got.after != time.Hour {
		t.Error("Retry-After is not heeded")
	}
}
