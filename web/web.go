// Package web is the pages door: server-rendered pages that work without
// JavaScript, for the people of this server and for guests.
package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// Lookup finds what this server does not know yet by asking the server that
// does: a person by handle or address, a post by address.
type Lookup interface {
	Resolve(ctx context.Context, handle string) (community.Account, error)
	ResolvePost(ctx context.Context, address string) (community.Post, error)
	// Fresh is Resolve for what its own server says now, whatever is on record.
	Fresh(ctx context.Context, handle string) (community.Account, error)
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

// Deps are what the pages stand on.
type Deps struct {
	DB      *store.DB
	Auth    *auth.Auth
	Library *media.Library
	Remote  func(of string) media.Getter         // fetches pictures of a server's posts and people, as far as the policy lets it
	Peer    func(*http.Request) community.Viewer // the server that signed a request; nil: none is known
	Lookup  Lookup
	Lists   Lists   // looks at lists of other servers; nil: that is left to the worker
	Prober  Prober  // nil: no connection can be tested
	Peering Peering // nil: no other server can be looked at
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
	Version string
	Address func(*http.Request) string // where a request came from; nil: RemoteAddr
}

// Pages answers requests for pages.
type Pages struct {
	Deps
	assets    *Assets
	catalogue *Catalogue
	templates *Templates
	site      iri.Site
}

// New parses templates and messages. What is wrong with them is an error at start.
func New(d Deps) (*Pages, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	p := &Pages{Deps: d, site: d.DB.Site()}
	var err error
	if p.assets, err = LoadAssets(); err != nil {
		return nil, fmt.Errorf("load assets: %w", err)
	}
	if p.catalogue, err = LoadCatalogue(time.Local); err != nil {
		return nil, fmt.Errorf("load messages: %w", err)
	}
	if p.templates, err = ParseTemplates(p.assets, p.catalogue, d.Now); err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	return p, nil
}

// Routes mounts every page.
func (p *Pages) Routes(r *mux.Router) {
	r.PathPrefix(AssetsPrefix).Handler(p.assets)
	p.readingRoutes(r)
	p.writingRoutes(r)
	p.mediaRoutes(r)
	p.peopleRoutes(r)
	p.accountRoutes(r)
	p.adminRoutes(r)
	p.reportRoutes(r)
	p.filterRoutes(r)
	p.listRoutes(r)
	p.hashtagRoutes(r)
	p.scheduledRoutes(r)
	p.policyRoutes(r)
	p.messageRoutes(r)
	p.hostBlockRoutes(r)
	p.severedRoutes(r)
	r.NotFoundHandler = p.open(func(*here, http.ResponseWriter, *http.Request) error {
		return fault.Keyed(fault.NotFound, "error.no_page", "There is no page at this address.", nil)
	})
}

// here is what one request is about: who asks, in which language, of which school.
type here struct {
	l       *Locale
	school  community.Site
	me      community.Account // the zero value for a guest
	user    community.User
	session auth.Session
	viewer  community.Viewer
	frame   Frame
	schools int                        // connected schools that a network post reaches
	held    int                        // what waits for review, on a moderator's pages of the administration
	asking  int                        // servers that ask to connect, on the pages of those who decide about it
	place   community.FilterContext    // which of the reader's filters count on this page
	quiet   map[string]community.Quiet // servers on this page with which nothing is exchanged now
}

// signedIn reports whether somebody asks who has an account here.
func (h *here) signedIn() bool { return h.me.ID != 0 }

type handler func(h *here, w http.ResponseWriter, r *http.Request) error

// open is a page for everyone; whoever is signed in is known.
func (p *Pages) open(fn handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h, err := p.arrive(r)
		if err == nil {
			p.takeFlash(h, w, r)
			err = fn(h, w, r)
		}
		if err != nil {
			p.fail(h, w, r, err)
		}
	}
}

// members is a page for those who are signed in; a guest is led to the sign-in
// page and back.
func (p *Pages) members(fn handler) http.HandlerFunc {
	return p.open(func(h *here, w http.ResponseWriter, r *http.Request) error {
		if h.signedIn() {
			return fn(h, w, r)
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return fault.Keyed(fault.Unauthorized, "error.signed_out", "You are signed out. Sign in again; what you wrote is kept on this device.", nil)
		}
		http.Redirect(w, r, "/sign-in?to="+queryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return nil
	})
}

// allowed is a page for those whose role lets them in.
func (p *Pages) allowed(may func(community.Role) bool, fn handler) http.HandlerFunc {
	return p.members(func(h *here, w http.ResponseWriter, r *http.Request) error {
		if !may(h.user.Role) {
			return notYourRole()
		}
		return fn(h, w, r)
	})
}

func notYourRole() error {
	return fault.Keyed(fault.Forbidden, "error.not_your_role", "Your role does not open this page. Ask an administrator of this server.", nil)
}

// Refuse answers a request that came no further than the guard before all
// doors with a page that says why.
func (p *Pages) Refuse(w http.ResponseWriter, r *http.Request, err error) { p.fail(nil, w, r, err) }

// fail is where failures end: as a page in the reader's language.
func (p *Pages) fail(h *here, w http.ResponseWriter, r *http.Request, err error) {
	f := fault.Of(err)
	if r.Context().Err() != nil && f.Kind == fault.Internal {
		return // whoever asked has gone
	}
	if f.Kind == fault.Internal {
		p.Log.ErrorContext(r.Context(), "page failed", "path", pathOf(r), "err", err)
	}
	if h == nil {
		h = p.stranger(r)
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(f.RetryAfter.Seconds())+1))
	}
	page := ErrorPage{Status: f.Kind.Status(), Title: p.failTitle(h.l, f.Kind), Words: h.l.Fault(f), RequestID: w.Header().Get("X-Request-Id")}
	for _, field := range f.Fields {
		page.Words += " " + h.l.FieldFault(field)
	}
	if f.Kind != fault.Internal {
		page.RequestID = ""
	}
	page.Actions = []Action{{Words: h.l.T("error.go_home"), Icon: "house", URL: "/", Main: true}}
	if f.Kind == fault.Unauthorized {
		page.Actions = []Action{{Words: h.l.T("nav.sign_in"), Icon: "log-in", URL: "/sign-in?to=" + queryEscape(safeReturn(r.Header.Get("Referer"), p.site)), Main: true}}
	}
	frame := h.frame
	frame.Live, frame.Flash = "", nil
	if h.me.ID == 0 {
		frame.Shape = Alone
	}
	if err := p.templates.Page(w, page.Status, h.l, "error", Page{Title: page.Title, Frame: frame, View: page}); err != nil {
		p.Log.ErrorContext(r.Context(), "error page failed", "path", pathOf(r), "err", err)
		http.Error(w, http.StatusText(page.Status), page.Status)
	}
}

func (p *Pages) failTitle(l *Locale, k fault.Kind) string {
	switch k {
	case fault.NotFound:
		return l.T("error.title_not_found")
	case fault.Gone:
		return l.T("error.title_gone")
	case fault.Forbidden:
		return l.T("error.title_forbidden")
	case fault.Unauthorized:
		return l.T("error.title_signed_out")
	case fault.Invalid, fault.Conflict, fault.TooLarge:
		return l.T("error.title_invalid")
	case fault.TooMany, fault.Unavailable:
		return l.T("error.title_busy")
	}
	return l.T("error.title_internal")
}

// pathOf is the request's path for the log, without what may name people.
func pathOf(r *http.Request) string {
	if route := mux.CurrentRoute(r); route != nil {
		if t, err := route.GetPathTemplate(); err == nil {
			return t
		}
	}
	return "/"
}

// render answers with a page of this request's frame.
func (p *Pages) render(h *here, w http.ResponseWriter, status int, name, title string, view any) error {
	return p.templates.Page(w, status, h.l, name, Page{Title: title, Frame: h.frame, View: view})
}

// seeOther leads on after something was done (RFC 9110, section 15.4.4).
func seeOther(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// back is where a form of one button leads: to the page it stood on.
func (p *Pages) back(w http.ResponseWriter, r *http.Request, otherwise string) error {
	to := safeReturn(r.Header.Get("Referer"), p.site)
	if to == "/" {
		to = otherwise
	}
	return seeOther(w, r, to)
}

// safeReturn is an address within this site to go to, whatever was asked for:
// a path, or "/" where the address leads elsewhere.
func safeReturn(to string, site iri.Site) string {
	to = strings.TrimPrefix(to, site.Base())
	// Browsers read \ as /, and leave control characters out (URL standard).
	odd := func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsFunc(to, odd) {
		return "/"
	}
	return to
}
