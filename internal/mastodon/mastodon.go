// Package mastodon is the door for apps: the client API that programs written
// for Mastodon speak. Reads go straight to the community's questions, deeds to
// its deeds; what the door adds is the shape of the answers.
package mastodon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/meter"
	"github.com/chalkring/chalkring/internal/store"
)

// Lookup finds what this server does not know yet by asking the server that
// does: a person by handle or address, a post by address.
type Lookup interface {
	Resolve(ctx context.Context, handle string) (community.Account, error)
	ResolvePost(ctx context.Context, address string) (community.Post, error)
	// Freshen asks the server of a post that somebody looks at for what may
	// have changed there, if it is time. It does not wait for the answer.
	Freshen(ctx context.Context, post community.Post)
	// FreshenAccount is the same for what somebody elsewhere shows first on
	// their page.
	FreshenAccount(ctx context.Context, account community.Account)
	// FillThread looks up what is missing of the conversation that a post
	// stands in, if it is time. It does not wait.
	FillThread(post community.Post)
}

// Deps are what the door stands on.
type Deps struct {
	DB        *store.DB
	Auth      *auth.Auth
	Library   *media.Library
	Lookup    Lookup
	Log       *slog.Logger
	Version   string
	MaxUpload int64                           // bytes of one picture
	Address   func(r *http.Request) string    // the IP address a request came from, for limits
	Note      func(http.Handler) http.Handler // runs where the matched route is known; nil: nothing
	Metrics   *meter.Meter                    // nil: figures are kept and not shown
	Egress    *egress.Client                  // the way to push services
	Push      PushText                        // how much is pushed; empty: PushWords
	// Words says a message of the catalogue in a language; args are pairs of
	// name and value.
	Words func(locale, key string, args ...any) string
}

// API answers the client API.
type API struct {
	Deps
	site    iri.Site
	figures *figures
	live    *live
	buffers sync.Pool // of *[]byte, for answers
	// What was told of this server last, by version, and to guests and people here.
	instances [2 * places]atomic.Pointer[instance]
	board     *board
}

// New returns the door.
func New(d Deps) *API {
	a := &API{Deps: d, site: d.DB.Site(), figures: newFigures(d.Metrics), board: newBoard(d.DB)}
	a.live = newLive(a)
	return a
}

// call is one request: who asks, with what.
type call struct {
	params
	w      http.ResponseWriter
	r      *http.Request
	access auth.Access
	me     community.Account // the zero value for a guest
	viewer community.Viewer
	proof  *auth.Proof // what is still to be proved of all that

	reading store.Reading
	kept    *keptAnswer                 // nothing has changed since
	besides []func(ctx context.Context) // what is done whenever this answer is given
}

func (c *call) signedIn() bool { return c.me.ID != 0 }

// endpoint answers a call with what becomes the answer's JSON.
type endpoint func(c *call) (any, error)

// Routes mounts the client API, and what of OAuth is no page. It returns what
// answers under /api/, for whoever sees that by itself.
func (a *API) Routes(r *mux.Router) http.Handler {
	door := cors(untrailed(a.endpoints()))
	a.markRoutes(r)
	r.PathPrefix("/api/").Handler(door)
	for _, path := range []string{"/health", "/oauth/token", "/oauth/revoke", "/oauth/userinfo", "/.well-known/oauth-authorization-server"} {
		r.Handle(path, door)
		r.Handle(path+"/", door)
	}
	return door
}

// endpoints is all that the door answers.
func (a *API) endpoints() *routes {
	// A route that is not there is 404 whatever the method: clients try one
	// address after the other and go on at 404 only (Enafore).
	api := &routes{parts: map[string]*mux.Router{}, none: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, fault.New(fault.NotFound, "There is nothing at this address of the API."))
	})}
	if a.Note != nil {
		api.use = append(api.use, a.Note)
	}
	a.timelineRoutes(api)
	a.listRoutes(api)
	a.tagRoutes(api)
	a.filterRoutes(api)
	a.markerRoutes(api)
	a.notificationRoutes(api)
	a.statusRoutes(api)
	a.scheduledRoutes(api)
	a.conversationRoutes(api)
	a.pollRoutes(api)
	a.quoteRoutes(api)
	a.reportRoutes(api)
	a.accountRoutes(api)
	a.instanceRoutes(api)
	a.mediaRoutes(api)
	a.oauthRoutes(api)
	a.adminRoutes(api)
	a.streamingRoutes(api)
	a.pushRoutes(api)
	a.offRoutes(api)
	return api
}

// cors lets pages of any origin call the API: no cookie opens it.
//
// WHATWG Fetch, section 3.3 (CORS protocol).
func cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		Readable(h)
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS")
			if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" && len(asked) < 1000 {
				h.Set("Access-Control-Allow-Headers", asked)
				h.Add("Vary", "Access-Control-Request-Headers")
			} else {
				h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key")
			}
			h.Set("Access-Control-Max-Age", "7200")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

var (
	sayAnywhere = []string{"*"}
	sayReadable = []string{"Link, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id, Retry-After"}
)

// Readable says in the header of an answer that a page of any origin may read
// it: what the API answers, and its refusals before a request comes so far.
func Readable(h http.Header) {
	h["Access-Control-Allow-Origin"], h["Access-Control-Expose-Headers"] = sayAnywhere, sayReadable
}

// untrailed takes a slash off the end of the path, which some clients put
// there and which must not change the answer.
func untrailed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := strings.TrimRight(r.URL.Path, "/"); path != r.URL.Path {
			there := *r.URL
			there.Path, there.RawPath = path, strings.TrimRight(r.URL.RawPath, "/")
			r = r.WithContext(r.Context())
			r.URL = &there
		}
		next.ServeHTTP(w, r)
	})
}

// open is an endpoint for everyone; who sends a token is known, and the token
// must cover the scope.
func (a *API) open(scope string, fn endpoint) http.HandlerFunc {
	return a.handle(scope, false, fn)
}

// members is an endpoint for people who are signed in through an app that was
// given the scope.
func (a *API) members(scope string, fn endpoint) http.HandlerFunc {
	return a.handle(scope, true, fn)
}

func (a *API) handle(scope string, members bool, fn endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := a.answer(w, r, scope, members, fn)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		a.write(w, r, http.StatusOK, answer)
	}
}

func (a *API) answer(w http.ResponseWriter, r *http.Request, scope string, members bool, fn endpoint) (any, error) {
	answer, err := a.try(w, r, scope, members, false, fn)
	if auth.Changed(err) {
		return a.try(w, r, scope, members, true, fn)
	}
	return answer, err
}

// try calls an endpoint; again without what is remembered of the caller.
func (a *API) try(w http.ResponseWriter, r *http.Request, scope string, members, again bool, fn endpoint) (any, error) {
	c := &call{w: w, r: r}
	if token := bearerToken(r); token != "" {
		if err := a.identify(c, token, again); err != nil {
			return nil, err
		}
	}
	answer, err := a.admit(c, scope, members, fn)
	if proved := a.prove(c); proved != nil {
		return nil, proved
	}
	return answer, err
}

// admit calls an endpoint for whom it is for.
func (a *API) admit(c *call, scope string, members bool, fn endpoint) (any, error) {
	if members && c.access.Token.ID == 0 {
		return nil, fault.New(fault.Unauthorized, "The access token is invalid")
	}
	if members && !c.signedIn() {
		return nil, fault.New(fault.Invalid, "This method requires an authenticated user")
	}
	if c.signedIn() && scope != "" {
		if err := c.access.Need(scope); err != nil {
			return nil, err
		}
	}
	var err error
	if c.params, err = paramsOf(c.w, c.r); err != nil {
		return nil, err
	}
	answer, err := fn(c)
	if c.kept != nil {
		answer, err, c.besides = c.kept, nil, c.kept.besides
	}
	if err != nil {
		return nil, err
	}
	for _, f := range c.besides {
		f(c.r.Context())
	}
	if c.reading.Keeps() {
		answer = keeping{answer, c.reading, c.besides}
	}
	return answer, nil
}

// bearerToken is the token of the request (RFC 6750, section 2.1).
func bearerToken(r *http.Request) string {
	kind, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(kind, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// fail is where failures end: as JSON with one sentence.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := fault.Of(err)
	if f.Kind == fault.Internal {
		if r.Context().Err() != nil {
			return // whoever asked has gone
		}
		a.Log.ErrorContext(r.Context(), "api call failed", "route", routeOf(r), "err", err)
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())+1))
	}
	body := map[string]any{"error": f.Error()}
	if len(f.Fields) > 1 || len(f.Fields) == 1 && f.Message == "" {
		words := make([]string, len(f.Fields))
		for i, field := range f.Fields {
			words[i] = field.Message
		}
		body["error"] = strings.Join(words, " ")
	}
	a.write(w, r, f.Kind.Status(), body)
}

// routeOf is the request's route for the log, without what names people or posts.
func routeOf(r *http.Request) string {
	if route := mux.CurrentRoute(r); route != nil {
		if t, err := route.GetPathTemplate(); err == nil {
			return t
		}
	}
	return "/api"
}

// write answers with JSON. Every answer has a body: some clients take none for
// a failure.
func (a *API) write(w http.ResponseWriter, r *http.Request, status int, answer any) {
	if k, ok := answer.(*keptAnswer); ok {
		k.answer(w)
		return
	}
	keep, worth := answer.(keeping)
	if worth {
		answer = keep.any
	}
	kept, _ := a.buffers.Get().(*[]byte)
	if kept == nil {
		kept = new([]byte)
	}
	b, err := appendEncoded((*kept)[:0], answer)
	if err != nil {
		a.Log.ErrorContext(r.Context(), "answer cannot be encoded", "route", routeOf(r), "err", err)
		http.Error(w, `{"error":"Something went wrong on this server."}`, http.StatusInternalServerError)
		return
	}
	if *kept = b; cap(b) <= 1<<20 { // the rare large one would stay for good
		defer a.buffers.Put(kept)
	}
	h := w.Header()
	if worth {
		keep.keep(w, b).answer(w)
		return
	}
	h["Content-Type"] = sayJSON
	if h.Get("Cache-Control") == "" {
		h["Cache-Control"] = sayPrivate
	}
	if status == http.StatusOK && strings.HasPrefix(h.Get("Cache-Control"), "public") {
		if known(w, r, b) {
			return
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(b))) // packing leaves small answers alone
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that left is no failure of ours
}

// appendEncoded appends an answer's JSON and a new line.
func appendEncoded(b []byte, answer any) ([]byte, error) {
	if b, ok := appendAnswer(b, answer); ok {
		return append(b, '\n'), nil
	}
	other := bytes.NewBuffer(b)
	e := json.NewEncoder(other)
	e.SetEscapeHTML(false) // the content type says that it is no page
	err := e.Encode(answer)
	return other.Bytes(), err
}

// shape is how this caller is shown things.
func (a *API) shape(c *call) shape { return shape{site: a.site, signedIn: c.signedIn()} }

// idOf reads the number in the path. What is none names nothing.
func (c *call) idOf(name string) (int64, error) {
	n, ok := iri.ParseID(mux.Vars(c.r)[name])
	if !ok {
		return 0, notFound()
	}
	return n, nil
}

func notFound() error { return fault.New(fault.NotFound, "Record not found") }

// link tells where the list goes on, in both directions. first and last are
// the places of the first and last row shown.
//
// RFC 8288, section 3.
func (a *API) link(c *call, page store.Page, n int, first, last int64) {
	if n == 0 {
		return
	}
	q := url.Values{}
	for name, values := range c.r.URL.Query() {
		if name != "max_id" && name != "since_id" && name != "min_id" {
			q[name] = values
		}
	}
	at := func(name string, id int64, rel string) string {
		q.Set(name, strconv.FormatInt(id, 10))
		defer q.Del(name)
		return fmt.Sprintf(`<%s%s?%s>; rel="%s"`, a.site.Base(), c.r.URL.Path, strings.ReplaceAll(q.Encode(), ",", "%2C"), rel)
	}
	var links []string
	if n >= page.Size() || page.MinID > 0 {
		links = append(links, at("max_id", last, "next"))
	}
	c.w.Header().Set("Link", strings.Join(append(links, at("min_id", first, "prev")), ", "))
}

// none is what clears or undoes say: an empty object.
var none = struct{}{}
