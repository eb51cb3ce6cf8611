// Package app builds one server out of its settings and runs it: it opens the
// database, mounts the doors, guards every request, starts workers and sweeps,
// and stops all of it without losing anything.
package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/federation"
	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/mastodon"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/web"
)

// Options are what a test or the demonstration does differently from a server
// on the internet. The zero value is the latter.
type Options struct {
	Log *slog.Logger // nil: slog.Default()
	// Resolve is asked instead of DNS for the addresses of other servers.
	Resolve func(ctx context.Context, host string) ([]netip.AddrPort, bool)
	// Roots are trusted instead of the system's authorities.
	Roots *x509.CertPool
	// Listener is served instead of the configured address; TLS, where the
	// settings ask for it, is spoken on top of it.
	Listener net.Listener
	// External leaves listening to the caller, who passes requests to ServeHTTP.
	External bool
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Server is one instance: everything that answers under one host name. Many
// can run in one process.
type Server struct {
	cfg        config.Config
	opts       Options
	log        *slog.Logger
	db         *store.DB
	egress     *egress.Client
	library    *media.Library
	federation *federation.Federation
	auth       *auth.Auth
	pages      *web.Pages
	api        *mastodon.API
	words      *web.Catalogue
	limiter    *limiter // nil: no rate limits
	metrics    *metrics
	handler    http.Handler
	certs      certificates   // nil: no TLS of our own
	authority  *egress.Client // to where certificates are fetched; nil if they are not
	listeners  []listener
	base       context.Context // of every request
	endStreams context.CancelFunc
	stopping   atomic.Bool
}

// New opens the database, claims the host and mounts the doors. Nothing is
// answered and nothing is worked before Run. Close is Run's, or the caller's
// if Run is never called.
func New(ctx context.Context, cfg config.Config, opts Options) (_ *Server, err error) {
	s := &Server{cfg: cfg, opts: opts, log: opts.Log}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.base, s.endStreams = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(ctx))
		}
	}()
	if s.db, err = OpenDB(ctx, cfg, s.log, opts.Now); err != nil {
		return nil, err
	}
	if s.library, err = media.Open(cfg.MediaDir(), 2); err != nil {
		return nil, err
	}
	if s.egress, err = newEgress(cfg, opts, cfg.Dev()); err != nil {
		return nil, err
	}
	if cfg.RateLimits {
		s.limiter = newLimiter()
	}
	s.metrics = newMetrics()
	s.federation = federation.New(federation.Deps{DB: s.db, Egress: s.egress, Log: s.log, Metrics: s.metrics.meter,
		Version: Version(), Forget: s.library.Forget, RetryFor: cfg.RetryFor, Hosts: cfg.DeliveryWorkers, Receiving: cfg.ReceiveWorkers,
		Address: s.network})
	s.auth = auth.New(s.db)
	s.pages, err = web.New(web.Deps{DB: s.db, Auth: s.auth, Library: s.library, Remote: s.remotePicture, Peer: s.federation.Peer, Lookup: s.federation, Lists: s.federation, Peering: s.federation, Prober: s.federation,
		Log: s.log, Now: opts.Now, Version: Version(),
		Address: s.address})
	if err != nil {
		return nil, err
	}
	if s.words, err = web.LoadCatalogue(time.Local); err != nil {
		return nil, err
	}
	s.api = s.clients()
	if err := s.openCertificates(); err != nil {
		return nil, err
	}
	s.handler = s.guard(s.routes())
	return s, nil
}

// OpenDB opens the configured database and claims it for the configured host.
// Commands that act on the database beside a running server use it too.
func OpenDB(ctx context.Context, cfg config.Config, log *slog.Logger, now func() time.Time) (*store.DB, error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	db, err := store.Open(ctx, store.Options{Database: cfg.Database, Site: iri.Site{Host: cfg.Host, Scheme: cfg.Scheme()},
		Log: log, Conns: cfg.Conns, Now: now})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := db.ClaimHost(ctx, cfg.Host); err != nil {
		return nil, errors.Join(err, db.Close(ctx))
	}
	return db, nil
}

// newEgress makes a way out. With anyPort, addresses may name every port.
func newEgress(cfg config.Config, opts Options, anyPort bool) (*egress.Client, error) {
	roots := opts.Roots
	if cfg.ExtraRoots != "" {
		pem, err := os.ReadFile(cfg.ExtraRoots)
		if err != nil {
			return nil, fmt.Errorf("read the extra roots: %w", err)
		}
		if roots == nil {
			if roots, err = x509.SystemCertPool(); err != nil {
				return nil, fmt.Errorf("read the system's roots: %w", err)
			}
		}
		if roots = roots.Clone(); !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("extra-roots: %s holds no certificate in PEM", cfg.ExtraRoots)
		}
	}
	plain := cfg.Scheme() == "http"
	return egress.New(egress.Options{
		UserAgent: "Chalkring/" + Version() + " (+" + cfg.BaseURL() + "/)",
		Allow:     cfg.EgressAllow, AnyPort: anyPort, PlainHTTP: plain,
		Roots: roots, Resolve: opts.Resolve,
	}), nil
}

// DB returns the server's database.
func (s *Server) DB() *store.DB { return s.db }

// Federation returns the door to other servers.
func (s *Server) Federation() *federation.Federation { return s.federation }

// ServeHTTP answers a request as the server's listeners do.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// routes mounts the doors, those that are asked most often first, since the
// mux tries its routes in order.
func (s *Server) routes() http.Handler {
	r := mux.NewRouter()
	r.Use(noteRoute)
	r.HandleFunc("/healthz", healthPage).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/readyz", s.readyPage).Methods(http.MethodGet, http.MethodHead)
	if s.cfg.MetricsToken != "" {
		r.HandleFunc("/metrics", s.metricsPage).Methods(http.MethodGet, http.MethodHead)
	}
	s.federation.Routes(r)
	api := s.api.Routes(r)
	s.pages.Routes(r)
	return direct(api, r)
}

// direct lets what apps ask for pass by the mux, which has nothing to find for
// it, unless it has a path to put in order.
func direct(api http.Handler, r *mux.Router) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if path := req.URL.Path; !strings.HasPrefix(path, "/api/") || strings.Contains(path, "//") || strings.Contains(path, "/.") {
			r.ServeHTTP(w, req)
			return
		}
		if q, ok := req.Context().Value(requestKey{}).(*request); ok {
			q.route = "/api/" // as long as nothing there is found
		}
		api.ServeHTTP(w, req)
	})
}

// clients makes the door for apps.
func (s *Server) clients() *mastodon.API {
	return mastodon.New(mastodon.Deps{DB: s.db, Auth: s.auth, Library: s.library, Lookup: s.federation, Log: s.log, Version: Version(),
		MaxUpload: int64(s.cfg.MaxUpload), Note: noteRoute, Metrics: s.metrics.meter,
		Egress: s.egress, Push: mastodon.PushText(s.cfg.Push),
		Words:   func(locale, key string, args ...any) string { return s.words.For(locale, "").T(key, args...) },
		Address: s.address})
}

// guard is what every request passes, from the outside in.
func (s *Server) guard(h http.Handler) http.Handler {
	h = s.sameOrigin(h)
	h = newSqueezer().handler(h)
	h = s.limitBody(int64(s.cfg.MaxUpload), h)
	h = s.limitRate(h)
	h = s.ownHost(h)
	h = secure(s.cfg.Scheme() == "https", h)
	return s.observe(h)
}

// Close closes what New opened.
func (s *Server) Close(ctx context.Context) error {
	s.endStreams()
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.server.Close())
	}
	if s.egress != nil {
		s.egress.Close()
	}
	if s.authority != nil {
		s.authority.Close()
	}
	if s.library != nil {
		errs = append(errs, s.library.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close(ctx))
	}
	return errors.Join(errs...)
}
