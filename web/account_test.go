package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// classroom is the pages on a database, without the network.
type classroom struct {
	t     *testing.T
	db    *store.DB
	auth  *auth.Auth
	pages http.Handler
}

// eachClassroom runs a test on each kind of database.
func eachClassroom(t *testing.T, fn func(t *testing.T, c *classroom)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := &classroom{t: t, db: db, auth: auth.New(db)}
		library, err := media.Open(t.TempDir(), 1)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = library.Close() })
		c.write(community.EnsureSite)
		p, err := New(Deps{DB: db, Auth: c.auth, Library: library, Lookup: nowhere{}, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Version: "test"})
		if err != nil {
			t.Fatal(err)
		}
		r := mux.NewRouter()
		p.Routes(r)
		c.pages = r
		fn(t, c)
	})
}

func (c *classroom) write(fn func(tx *store.Tx) error) {
	c.t.Helper()
	if err := c.db.Write(c.t.Context(), fn); err != nil {
		c.t.Fatal(err)
	}
}

const passphrase = "chalk on the sleeve"

// keysAndHash are made once: both take long.
var keysAndHash = sync.OnceValues(func() (community.KeyPair, string) {
	keys, err := community.NewKeyPair()
	if err != nil {
		panic(err)
	}
	hash, err := auth.NewPasswords(1).Hash(context.Background(), passphrase)
	if err != nil {
		panic(err)
	}
	return keys, hash
})

// teacher makes an account and signs it in.
func (c *classroom) teacher(name string, role community.Role) (community.Account, *browser) {
	c.t.Helper()
	a := c.account(community.NewAccount{Username: name, DisplayName: strings.ToUpper(name[:1]) + name[1:], Role: role})
	token, _, err := c.auth.SignIn(c.t.Context(), auth.Credentials{Login: name, Password: passphrase, Address: "192.0.2.1", Device: "a test"})
	if err != nil {
		c.t.Fatal(err)
	}
	b := c.guest()
	b.cookies["__Host-chalkring"] = token
	return a, b
}

func (c *classroom) account(n community.NewAccount) (a community.Account) {
	c.t.Helper()
	n.Keys, n.PasswordHash = keysAndHash()
	if n.Role == community.Placement {
		ends := time.Now().Add(48 * time.Hour)
		n.EndsAt = &ends
	}
	c.write(func(tx *store.Tx) (err error) {
		a, err = community.CreateLocal(tx, n)
		return err
	})
	return a
}

// browser keeps its cookies.
type browser struct {
	c       *classroom
	cookies map[string]string
}

func (c *classroom) guest() *browser { return &browser{c: c, cookies: map[string]string{}} }

func (b *browser) get(path string) *httptest.ResponseRecorder {
	return b.send(httptest.NewRequest("GET", "https://oak.test"+path, nil))
}

func (b *browser) post(path string, pairs ...string) *httptest.ResponseRecorder {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest("POST", "https://oak.test"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(r)
}

func (b *browser) send(r *http.Request) *httptest.ResponseRecorder {
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.c.pages.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return w
}

// answers holds an answer to its status, what it has, and with "!" in front
// what it lacks. For a redirect the words are where it leads.
func answers(t *testing.T, what string, w *httptest.ResponseRecorder, status int, words ...string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("%s: status %d, want %d (to %q)", what, w.Code, status, w.Header().Get("Location"))
		return
	}
	body := w.Body.String()
	if status >= 300 && status < 400 {
		body = w.Header().Get("Location")
	}
	for _, word := range words {
		lack, not := strings.CutPrefix(word, "!")
		switch {
		case not && strings.Contains(body, lack):
			t.Errorf("%s: the page has %q", what, lack)
		case !not && !strings.Contains(body, word):
			t.Errorf("%s: lacks %q: %.200s", what, word, body)
		}
	}
}

func TestSettingUpAndSigningIn(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		var token string
		c.write(func(tx *store.Tx) (err error) {
			token, err = auth.SetupToken(tx)
			return err
		})
		b := c.guest()
		answers(t, "a wrong link", b.get("/setup/wrong"), 404)
		answers(t, "the link", b.get("/setup/"+token), 200, `name="username"`, `name="name"`)
		answers(t, "no name for the school", b.post("/setup/"+token, "username", "ana", "password", passphrase), 422,
			`value="ana"`, `href="#field-name"`, "!"+passphrase)
		answers(t, "a short password", b.post("/setup/"+token, "name", "Oak", "username", "ana", "password", "short"), 422, `href="#field-password"`, `value="Oak"`)
		answers(t, "all of it", b.post("/setup/"+token, "name", "Oak Primary", "kind", "school", "username", "ana", "display_name", "Ana", "password", passphrase), 303, "/admin")
		answers(t, "the first page afterwards", b.get("/people"), 200, "Oak Primary", "Ana", flashWords(t, "flash.set_up"))
		answers(t, "said once", b.get("/people"), 200, "!"+flashWords(t, "flash.set_up"))
		answers(t, "the link again", b.get("/setup/"+token), 410)

		answers(t, "sign out", b.post("/sign-out"), 303)
		answers(t, "signed out", b.get("/people"), 303, "/sign-in?to=%2Fpeople")
		answers(t, "a wrong password", b.post("/sign-in", "login", "ana", "password", "not this one"), 422, `value="ana"`, "not right", "!not this one")
		answers(t, "an unknown name", b.post("/sign-in", "login", "nobody", "password", "not this one"), 422, "not right")
		for to, want := range map[string]string{"/people?show=following": "/people?show=following", "//evil.test/": "/", "https://evil.test/": "/",
			"https://oak.test/people": "/people", `/\evil.test`: "/", "": "/"} {
			w := c.guest().post("/sign-in", "login", "Ana", "password", passphrase, "to", to)
			if w.Code != 303 || w.Header().Get("Location") != want {
				t.Errorf("signing in for %q leads to %q (%d), want %q", to, w.Header().Get("Location"), w.Code, want)
			}
		}
	})
}

// flashWords is what a flash says, as the page has it.
func flashWords(t *testing.T, key string) string {
	t.Helper()
	cat, err := LoadCatalogue(time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return cat.For("en", "").T(key)
}

func TestJoining(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		var code, placement string
		c.write(func(tx *store.Tx) (err error) {
			if code, _, err = auth.NewInvite(tx, 0, auth.InviteForm{}); err != nil {
				return err
			}
			ends := tx.Now.Add(72 * time.Hour)
			placement, _, err = auth.NewInvite(tx, 0, auth.InviteForm{Role: community.Placement, EndsAt: &ends})
			return err
		})
		c.account(community.NewAccount{Username: "taken"})
		b := c.guest()
		answers(t, "no such invitation", b.get("/join/abc"), 404)
		answers(t, "an invitation", b.get("/join/"+code), 200, `name="username"`)
		answers(t, "a name that is taken", b.post("/join/"+code, "username", "taken", "password", passphrase), 422, `href="#field-username"`)
		answers(t, "join", b.post("/join/"+code, "username", "bo", "password", passphrase), 303, "/welcome")
		answers(t, "welcome", b.get("/welcome"), 200, "Everyone")
		answers(t, "used up", c.guest().get("/join/"+code), 404)
		student := c.guest()
		answers(t, "a placement", student.get("/join/"+placement), 200, "On placement")
		answers(t, "join on placement", student.post("/join/"+placement, "username", "stu", "password", passphrase), 303)
		answers(t, "welcome on placement", student.get("/welcome"), 200, "!rings-public", "!rings-school")
		answers(t, "no requests taken", c.guest().get("/request"), 403)

		c.write(func(tx *store.Tx) error {
			_, err := community.UpdateSite(tx, 0, community.SiteForm{Name: "Oak", Registration: community.RegistrationRequest})
			return err
		})
		asker := c.guest()
		answers(t, "says nothing of themselves", asker.post("/request", "username", "cy", "password", passphrase), 422, `href="#field-text"`, `value="cy"`)
		answers(t, "asks", asker.post("/request", "username", "cy", "password", passphrase, "text", "I teach Year 4"), 303, "/request/thanks")
		answers(t, "is thanked", asker.get("/request/thanks"), 200)
		answers(t, "may not enter yet", asker.post("/sign-in", "login", "cy", "password", passphrase), 403, "not been approved")
		answers(t, "has no page yet", b.get("/@cy"), 404)
		answers(t, "is in no list", b.get("/people"), 200, "!/@cy")
	})
}

func TestSettings(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		_, b := c.teacher("ana", community.Member)
		answers(t, "a profile", b.post("/settings/profile", "display_name", "Ana Tāne", "bio", "Teaches **maths**", "line-2-name", "Web", "line-2-value", "https://ana.example/",
			"locked", "on"), 303)
		answers(t, "is shown", b.get("/@ana"), 200, "Ana Tāne", "<strong>maths</strong>", `rel="me nofollow noopener"`)
		answers(t, "comes back in the form", b.get("/settings/profile"), 200, "Teaches **maths**", `value="https://ana.example/"`)
		answers(t, "too long", b.post("/settings/profile", "display_name", strings.Repeat("n", 101), "bio", "kept"), 422, "kept", `href="#field-display_name"`)

		answers(t, "settings", b.post("/settings/account", "email", "ana@oak.example", "locale", "en", "default_audience", "network"), 303)
		answers(t, "are kept", b.get("/settings/account"), 200, `value="ana@oak.example"`, `value="network" selected`)
		answers(t, "a wrong address", b.post("/settings/account", "email", "ana", "locale", "en", "default_audience", "school"), 422, `href="#field-email"`)

		other := c.guest()
		answers(t, "a second device", other.post("/sign-in", "login", "ana", "password", passphrase), 303)
		answers(t, "both listed", b.get("/settings/sessions"), 200, "/settings/sessions/end-others", "This device")
		answers(t, "a wrong old password", b.post("/settings/password", "old_password", "wrong", "password", "another long one"), 422, `href="#field-old_password"`)
		answers(t, "a new password", b.post("/settings/password", "old_password", passphrase, "password", "another long one"), 303)
		answers(t, "this device stays", b.get("/settings/account"), 200)
		answers(t, "the other does not", other.get("/settings/account"), 303, "/sign-in")

		answers(t, "a theme", b.post("/settings/theme", "theme", "dark", "back", "/people"), 303, "/people")
		answers(t, "is there", b.get("/people"), 200, `data-theme="dark"`)
		answers(t, "back to elsewhere", b.post("/settings/theme", "theme", "", "back", "https://evil.test/"), 303, "!evil")
	})
}

func TestLettingAnAppIn(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		_, b := c.teacher("ana", community.Member)
		app, _, err := c.auth.RegisterApp(t.Context(), auth.NewApp{Name: "Tusk & Co", RedirectURIs: []string{"https://app.example/back", "tusk://back", auth.OutOfBand},
			Scopes: "read write:statuses", Address: "192.0.2.1"})
		if err != nil {
			t.Fatal(err)
		}
		asks := func(redirect, scope string) string {
			return "/oauth/authorize?" + url.Values{"response_type": {"code"}, "client_id": {app.ClientID}, "redirect_uri": {redirect}, "scope": {scope}, "state": {"s1"}}.Encode()
		}
		answers(t, "a guest signs in first", c.guest().get(asks("tusk://back", "read")), 303, "/sign-in?to=%2Foauth%2Fauthorize")
		answers(t, "to an address that was not registered", b.get(asks("https://evil.test/", "read")), 404)
		// Anybody can register an app, so a link to this page must not lead to
		// the app's address before somebody here has agreed or declined.
		w := b.get(asks("https://app.example/back", "write"))
		answers(t, "more than it registered for", w, 422, "That did not work")
		if to := w.Header().Get("Location"); to != "" {
			t.Errorf("more than it registered for leads to %s", to)
		}
		w = b.get(asks("https://app.example/back", "read write:statuses"))
		answers(t, "the question", w, 200, "Tusk &amp; Co", "Read everything", "Change in your name: posts")
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' https://app.example;") {
			t.Errorf("the question's policy is %q", policy)
		}
		if policy := b.get(asks("tusk://back", "read")).Header().Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' tusk:;") {
			t.Errorf("the question's policy is %q", policy)
		}
		for path, want := range map[string]string{asks("tusk://back", "read"): "", "/sign-in?again=1": "", "/home": "same-origin"} {
			if got := b.get(path).Header().Get("Cross-Origin-Opener-Policy"); got != want {
				t.Errorf("%s is cut off from what opened it by %q", path, got)
			}
		}
		form := func(redirect, do string) []string {
			return []string{"response_type", "code", "client_id", app.ClientID, "redirect_uri", redirect, "scope", "read", "state", "s1", "do", do}
		}
		answers(t, "with a slash, as toot has it", b.get(strings.Replace(asks("tusk://back", "read"), "authorize?", "authorize/?", 1)), 200, "Tusk", "oak.test")
		answers(t, "anew", b.get(asks("tusk://back", "read")+"&force_login=true"), 303, "/sign-in?to=%2Foauth%2Fauthorize", "again=1")
		answers(t, "the form although somebody is signed in", b.get("/sign-in?to=%2Fhome&again=1"), 200, `name="password"`)
		answers(t, "no", b.post("/oauth/authorize", form("tusk://back", "decline")...), 302, "tusk://back?error=access_denied&error_description=The+person+said+no.&state=s1")
		answers(t, "yes", b.post("/oauth/authorize", form("tusk://back", "agree")...), 302, "tusk://back?code=", "state=s1")
		answers(t, "a code to copy", b.post("/oauth/authorize", form(auth.OutOfBand, "agree")...), 200, "Copy this code", `class="copy"`)
		answers(t, "to elsewhere", b.post("/oauth/authorize", form("https://evil.test/", "agree")...), 404)
	})
}

func TestAboutNamesNoServer(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		answers(t, "nobody connected", c.guest().get("/"), 200, "No server is on the list yet")
		c.write(func(tx *store.Tx) error {
			if _, err := peers.Allow(tx, 0, "elm.test", peers.Entry{Label: "Elm School", Ceiling: peers.CeilingNetwork}); err != nil {
				return err
			}
			_, err := peers.Block(tx, 0, "spam.test", peers.Entry{Reason: "adverts"})
			return err
		})
		answers(t, "about", c.guest().get("/about"), 200, "One server gets posts for connected schools too", "One server is blocked", "!elm.test", "!Elm School", "!spam.test", "!adverts")
		answers(t, "peering", c.guest().get("/peering"), 200, "oak.test", "!elm.test")
	})
}

func TestDeviceName(t *testing.T) {
	cat, err := LoadCatalogue(time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                         "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0":  "Edge on Windows",
		"Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1": "Safari on iPad",
		"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36":                   "Chrome on Android",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36":                 "Chrome on ChromeOS",
		"curl/8.9": "curl/8.9", "": "Unknown device",
	} {
		if got := deviceName(cat.For("en", ""), agent); got != want {
			t.Errorf("deviceName(%q) = %q, want %q", agent, got, want)
		}
	}
}

func TestWhoSeesWhichPage(t *testing.T) {
	const in, refused, away = 200, 403, 303 // away: to the sign-in page
	tests := []struct {
		path                                                string
		guest, placement, member, moderator, itAdmin, owner int
	}{
		{"/", in, away, away, away, away, away}, // those signed in go home
		{"/about", in, in, in, in, in, in},
		{"/peering", in, in, in, in, in, in},
		{"/people", away, in, in, in, in, in},
		{"/people?show=connected", away, in, in, in, in, in},
		{"/search", away, in, in, in, in, in},
		{"/search?q=me", away, in, in, in, in, in},
		{"/follow-requests", away, in, in, in, in, in},
		{"/settings/profile", away, in, in, in, in, in},
		{"/settings/account", away, in, in, in, in, in},
		{"/settings/sessions", away, in, in, in, in, in},
		{"/settings/blocked", away, in, in, in, in, in},
		{"/settings/notifications", away, in, in, in, in, in},
		{"/settings/filters", away, in, in, in, in, in},
		{"/settings/filters/new", away, in, in, in, in, in},
		{"/settings/hashtags", away, in, in, in, in, in},
		{"/settings/blocked/servers", away, in, in, in, in, in},
		{"/notifications/requests", away, in, in, in, in, in},
		{"/lists", away, in, in, in, in, in},
		{"/lists/new", away, in, in, in, in, in},
		{"/scheduled", away, in, in, in, in, in},
		{"/messages", away, in, in, in, in, in},
		{"/messages/new", away, in, in, in, in, in},
		{"/welcome", away, in, in, in, in, in},
		{"/@owner", in, in, in, in, in, in},
		{"/@owner/followers", away, refused, refused, refused, refused, in},
		{"/@owner/following", away, refused, refused, refused, refused, in},
		{"/@bo@elm.test", away, away, away, away, away, away}, // unknown: members go on to the search
		{"/admin", away, refused, refused, in, in, in},
		{"/admin/peers", away, refused, refused, refused, in, in},
		{"/admin/peers/new", away, refused, refused, refused, in, in},
		{"/admin/peers/mode", away, refused, refused, refused, in, in},
		{"/admin/peers/audit", away, refused, refused, refused, in, in},
		{"/admin/people", away, refused, refused, refused, in, in},
		{"/admin/invites", away, refused, refused, refused, in, in},
		{"/admin/requests", away, refused, refused, refused, in, in},
		{"/admin/site", away, refused, refused, refused, in, in},
		{"/admin/delivery", away, refused, refused, refused, in, in},
	}
	eachClassroom(t, func(t *testing.T, c *classroom) {
		browsers := []*browser{c.guest()}
		for _, role := range []community.Role{community.Placement, community.Member, community.Moderator, community.ITAdmin, community.Owner} {
			name := strings.ReplaceAll(string(role), "_", "")
			if role == community.Moderator {
				name = "mo"
			}
			if role == community.Owner {
				name = "owner1"
			}
			_, b := c.teacher(name, role)
			browsers = append(browsers, b)
		}
		for _, tt := range tests {
			path := strings.Replace(tt.path, "@owner", "@owner1", 1)
			for i, want := range []int{tt.guest, tt.placement, tt.member, tt.moderator, tt.itAdmin, tt.owner} {
				if got := browsers[i].get(path); got.Code != want {
					t.Errorf("%s as the %s: status %d, want %d", path, []string{"guest", "placement", "member", "moderator", "administrator", "owner"}[i], got.Code, want)
				}
			}
		}
		// what a guest sends does nothing, and says so
		for _, path := range []string{"/settings/profile", "/settings/account", "/settings/password", "/settings/sessions/end-others", "/accounts/1/follow"} {
			if got := browsers[0].post(path); got.Code != 401 {
				t.Errorf("POST %s as a guest: status %d, want 401", path, got.Code)
			}
		}
	})
}

// Wherever an address to go back to comes from, it leads to a page here.
func TestSafeReturn(t *testing.T) {
	site := iri.NewSite("oak.test", false)
	for to, want := range map[string]string{
		"":                              "/",
		"/people?show=following":        "/people?show=following",
		"https://oak.test/posts/1#a":    "/posts/1#a",
		"https://evil.test/":            "/",
		"//evil.test/":                  "/",
		"/\\evil.test/":                 "/",
		"/\t/evil.test/":                "/", // browsers leave tabs out of addresses
		"/\x0b/evil.test/":              "/",
		"https://oak.test//evil.test/":  "/",
		"https://oak.test.evil.test/":   "/",
		"https://oak.test@evil.test/":   "/",
		"https://oak.test\t//evil.test": "/",
		"javascript:alert(1)":           "/",
	} {
		if got := safeReturn(to, site); got != want {
			t.Errorf("%q leads to %q, want %q", to, got, want)
		}
	}
}
