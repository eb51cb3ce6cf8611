package mastodon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// island is a server without connections: nothing is found elsewhere.
type island struct{}

func (island) Resolve(context.Context, string) (community.Account, error) {
	return community.Account{}, fault.New(fault.NotFound, "There is nobody there.")
}

func (island) ResolvePost(context.Context, string) (community.Post, error) {
	return community.Post{}, fault.New(fault.NotFound, "There is nothing there.")
}

func (island) Freshen(context.Context, community.Post) {}

func (island) FreshenAccount(context.Context, community.Account) {}
func (island) FillThread(community.Post)                         {}

// world is a server's client API with people who use it.
type world struct {
	t  testing.TB
	db *store.DB
	h  http.Handler
	a  *auth.Auth

	api *API
}

func eachWorld(t *testing.T, fn func(t *testing.T, w *world)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := worldOn(t, db)
		w.write(community.EnsureSite)
		fn(t, w)
	})
}

// worldOn is a node on a database that others may share.
func worldOn(t testing.TB, db *store.DB) *world {
	library, err := media.Open(t.TempDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { library.Close() })
	w := &world{t: t, db: db, a: auth.New(db)}
	w.api = New(Deps{DB: db, Auth: w.a, Library: library, Lookup: island{}, Log: slog.New(slog.DiscardHandler), Version: "test", MaxUpload: 1 << 20,
		Address: func(*http.Request) string { return "192.0.2.1" }})
	r := mux.NewRouter()
	w.api.Routes(r)
	w.h = r
	return w
}

func (w *world) write(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Write(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// keys is one pair for everybody: making them takes most of a test's time.
var keys = sync.OnceValues(community.NewKeyPair)

// client is an app with somebody's token, or with none.
type client struct {
	w     *world
	me    community.Account
	token string
}

func (w *world) guest() *client { return &client{w: w} }

// person is somebody here with an app that may do everything.
func (w *world) person(name string, role community.Role) *client {
	w.t.Helper()
	pair, err := keys()
	if err != nil {
		w.t.Fatal(err)
	}
	c := &client{w: w}
	w.write(func(tx *store.Tx) (err error) {
		n := community.NewAccount{Username: name, DisplayName: name, PasswordHash: "x", Role: role, State: community.Active, Keys: pair}
		if role == community.Placement {
			ends := tx.Now.AddDate(0, 1, 0)
			n.EndsAt = &ends
		}
		c.me, err = community.CreateLocal(tx, n)
		return err
	})
	c.token = w.signIn(c.me, "read write follow")
	return c
}

// signIn walks through what an app does to get a token.
func (w *world) signIn(me community.Account, scopes string) string {
	w.t.Helper()
	const verifier = "a-verifier-of-more-than-forty-three-characters-in-length"
	sum := sha256.Sum256([]byte(verifier))
	app := w.register(scopes)
	var code string
	w.write(func(tx *store.Tx) (err error) {
		code, _, err = auth.Agree(tx, me.ID, auth.Authorization{ResponseType: "code", ClientID: app.ClientID, RedirectURI: "https://phanpy.test/", Scope: scopes,
			CodeChallenge: base64.RawURLEncoding.EncodeToString(sum[:]), CodeChallengeMethod: "S256"})
		return err
	})
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {app.ClientID}, "client_secret": {app.ClientSecret}, "code": {code},
		"redirect_uri": {"https://phanpy.test/"}, "code_verifier": {"wrong"}}
	if res := w.guest().form("/oauth/token", form); res.Code != http.StatusBadRequest || res.text("error") != "invalid_grant" {
		w.t.Fatalf("a wrong verifier is answered %d %s", res.Code, res.Body)
	}
	form.Set("code_verifier", verifier)
	res := w.guest().form("/oauth/token", form)
	if res.Code != http.StatusOK || res.text("token_type") != "Bearer" || res.text("scope") != scopes {
		w.t.Fatalf("token: %d %s", res.Code, res.Body)
	}
	if again := w.guest().form("/oauth/token", form); again.Code != http.StatusBadRequest {
		w.t.Fatalf("a code used twice is answered %d", again.Code)
	}
	return res.text("access_token")
}

func (w *world) register(scopes string) Application {
	w.t.Helper()
	res := w.guest().form("/api/v1/apps", url.Values{"client_name": {"Phanpy"}, "redirect_uris": {"https://phanpy.test/\nurn:ietf:wg:oauth:2.0:oob"}, "scopes": {scopes}})
	var app struct {
		Name         string
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}
	res.into(&app)
	if res.Code != http.StatusOK || app.Name != "Phanpy" || app.ClientSecret == "" {
		w.t.Fatalf("register: %d %s", res.Code, res.Body)
	}
	return Application{ClientID: app.ClientID, ClientSecret: app.ClientSecret}
}

type answer struct {
	*httptest.ResponseRecorder
	w *world
}

func (a answer) into(v any) {
	a.w.t.Helper()
	if err := json.Unmarshal(a.Body.Bytes(), v); err != nil {
		a.w.t.Fatalf("%v in %s", err, a.Body)
	}
}

// text is a member of the answer's object.
func (a answer) text(name string) string {
	var m map[string]any
	a.into(&m)
	s, _ := m[name].(string)
	return s
}

func (c *client) do(method, path, kind string, body []byte, header ...string) answer {
	c.w.t.Helper()
	r := httptest.NewRequestWithContext(c.w.t.Context(), method, "https://"+storetest.Host+path, bytes.NewReader(body))
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	c.w.h.ServeHTTP(rec, r)
	if rec.Code >= 500 {
		c.w.t.Errorf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
	if method != http.MethodOptions && !strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") {
		c.w.t.Errorf("%s %s is answered with %q", method, path, rec.Header().Get("Content-Type"))
	}
	theContract().check(c.w.t, r, rec.Code, rec.Header(), rec.Body.Bytes())
	return answer{rec, c.w}
}

func (c *client) get(path string) answer { return c.do(http.MethodGet, path, "", nil) }

func (c *client) form(path string, values url.Values) answer {
	return c.do(http.MethodPost, path, "application/x-www-form-urlencoded", []byte(values.Encode()))
}

func (c *client) json(method, path string, body map[string]any, header ...string) answer {
	b, err := json.Marshal(body)
	if err != nil {
		c.w.t.Fatal(err)
	}
	return c.do(method, path, "application/json", b, header...)
}

// said is what a test needs of a status.
type said struct {
	ID         string
	Visibility string
	LocalOnly  bool   `json:"local_only"`
	Parent     string `json:"in_reply_to_id"`
	Content    string
	Text       string
	Favourited *bool
	Reblogged  *bool
	Bookmarked *bool
	EditedAt   *string `json:"edited_at"`
	Reblog     *said
	Media      []struct{ ID, Description string } `json:"media_attachments"`
}

// post publishes and must succeed.
func (c *client) post(body map[string]any) said {
	c.w.t.Helper()
	res := c.json(http.MethodPost, "/api/v1/statuses", body)
	if res.Code != http.StatusOK {
		c.w.t.Fatalf("post %v: %d %s", body, res.Code, res.Body)
	}
	var s said
	res.into(&s)
	return s
}

func (c *client) act(path string) answer { return c.do(http.MethodPost, path, "", nil) }

// ids are the ids of a list's items; a refused list has none.
func (a answer) ids() []string {
	var list []struct {
		ID     string
		Status *struct{ ID string }
	}
	if a.Code != http.StatusOK {
		return nil
	}
	a.into(&list)
	var out []string
	for _, s := range list {
		if s.Status != nil {
			s.ID = s.Status.ID
		}
		out = append(out, s.ID)
	}
	return out
}

func path(id int64) string { return strconv.FormatInt(id, 10) }
