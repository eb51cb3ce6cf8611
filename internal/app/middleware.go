package app

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/mastodon"
)

// maxRequestBytes bounds what any request may carry, except uploads: the web
// and client doors lift it for those, see maxBody.
const maxRequestBytes = 1 << 20

// request is one request on its way in and out: what the middleware learns of
// it, its context, and its answer. It is one thing since each is made anew for
// every request.
type request struct {
	context.Context
	id     string
	route  string // the route's template, filled in by the mux; empty when nothing matched
	answer recorder
}

type requestKey struct{}

// Value makes the request known to whoever has its context.
func (q *request) Value(key any) any {
	if key == (requestKey{}) {
		return q
	}
	return q.Context.Value(key)
}

// RequestID returns the number under which the request stands in the log, or
// an empty string outside a request.
func RequestID(ctx context.Context) string {
	if q, ok := ctx.Value(requestKey{}).(*request); ok {
		return q.id
	}
	return ""
}

// recorder remembers the answer's status and length. Unwrap lets
// http.ResponseController reach the connection (flushing, deadlines, upgrades).
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 { // 1xx come before the answer
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap returns the writer beneath, for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// observe gives each request its number, logs it, counts it, and turns a
// panic into a 500. The log names the route and not the path, the query or
// the address: those say who read what.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := &request{Context: r.Context(), id: newRequestID(), answer: recorder{ResponseWriter: w}}
		rec := &q.answer
		w.Header()["X-Request-Id"] = []string{q.id}
		start := time.Now()
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				s.log.Error("request panicked", "request", q.id, "method", r.Method, "route", q.route, "panic", p, "stack", string(debug.Stack()))
				if rec.status == 0 {
					s.refuse(rec, r, fault.New(fault.Internal, "Something went wrong here. It has been noted as %s.", q.id))
				}
			}
			took := time.Since(start)
			if rec.status == 0 {
				rec.status = http.StatusOK
			}
			s.metrics.observe(q.route, r.Method, rec.status, took)
			level := slog.LevelInfo
			switch {
			case rec.status >= 500:
				level = slog.LevelWarn
			case quiet(r.URL.Path):
				level = slog.LevelDebug
			}
			if !s.log.Enabled(r.Context(), level) {
				return
			}
			s.log.LogAttrs(r.Context(), level, "request", slog.String("request", q.id), slog.String("method", r.Method),
				slog.String("route", q.route), slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes),
				slog.Duration("took", took.Round(time.Microsecond)))
		}()
		next.ServeHTTP(rec, r.WithContext(q))
	})
}

// quiet names what is asked for so often that it is logged at debug only.
func quiet(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == "/metrics" || strings.HasPrefix(path, "/assets/")
}

// noteRoute runs inside the mux, where the matched route is known.
func noteRoute(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if q, ok := r.Context().Value(requestKey{}).(*request); ok {
			if route := mux.CurrentRoute(r); route != nil {
				q.route, _ = route.GetPathTemplate() // a route without a path has no template
			}
		}
		next.ServeHTTP(w, r)
	})
}

var small32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567")

func newRequestID() string {
	var b [10]byte
	var text [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	small32.Encode(text[:], b[:])
	return string(text[:])
}

// What every answer says. Headers that are always the same are set as they are:
// making them anew, name and value, costs more than the rest of the way in.
// Nobody changes these slices: Set replaces one and Add copies it.
var (
	sayPolicy      = []string{"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"}
	sayNoSniff     = []string{"nosniff"}
	sayReferrer    = []string{"same-origin"}
	sayPermissions = []string{"camera=(), geolocation=(), microphone=(), payment=(), usb=()"}
	sayHTTPS       = []string{"max-age=31536000"}
)

// secure sets the headers that every answer carries. Pages replace the policy
// with their own, wider one; everything else may load nothing at all.
//
// W3C Content Security Policy Level 3; RFC 6797 (HSTS); Permissions Policy.
func secure(https bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Content-Security-Policy"] = sayPolicy
		h["X-Content-Type-Options"] = sayNoSniff
		h["Referrer-Policy"] = sayReferrer
		h["Permissions-Policy"] = sayPermissions
		if https {
			h["Strict-Transport-Security"] = sayHTTPS
		}
		next.ServeHTTP(w, r)
	})
}

// limitBody bounds what a request may carry. Uploads get upload bytes, all
// others maxRequestBytes; a length announced beyond that is refused unread.
func (s *Server) limitBody(upload int64, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most := int64(maxRequestBytes)
		if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
			most = upload
		}
		if r.ContentLength > most {
			w.Header().Set("Connection", "close") // RFC 9110, section 15.5.14
			s.refuse(w, r, fault.New(fault.TooLarge, "That is more than this server takes at once (%d MiB).", most>>20))
			return
		}
		if r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(w, r.Body, most)
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses what another site's page makes a browser send, on the
// word of Sec-Fetch-Site and Origin. Exempt is what no cookie opens: inboxes,
// which signatures guard, and the client API, which takes bearer tokens only.
func (s *Server) sameOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, fault.New(fault.Forbidden, "This request came from a page of another site. Open the page here and try again."))
	}))
	guarded := guard.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if forMachines(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// forMachines reports whether a path is one that no cookie opens.
func forMachines(path string) bool {
	return isInbox(path) || forClients(path)
}

// isInbox reports whether a path is the shared inbox or an actor's own.
func isInbox(path string) bool {
	return path == "/inbox" || path == "/actor/inbox" || strings.HasPrefix(path, "/u/") && strings.HasSuffix(path, "/inbox")
}

// ownHost refuses what was meant for another name: with it, cookies, signatures
// and addresses would not fit. Probes may ask by address.
//
// RFC 9110, section 15.5.20 (421).
func (s *Server) ownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sameHost(r.Host, s.cfg.Host) || quiet(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		answer(w, r, http.StatusMisdirectedRequest, fmt.Sprintf(
			"This server answers as %s. If a reverse proxy stands in front of it, let the proxy pass on the Host header.", s.cfg.Host))
	})
}

// sameHost compares names as DNS does, and takes a scheme's own port for none.
func sameHost(asked, own string) bool {
	if strings.EqualFold(asked, own) {
		return true
	}
	name, port, err := net.SplitHostPort(asked)
	return err == nil && (port == "443" || port == "80") && strings.EqualFold(name, own)
}

// refuse answers a request that goes no further: people get a page, unless
// they ask for too much, when a page would be more of it.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	if s.pages != nil && f.Kind != fault.TooMany && !wantsJSON(r) {
		s.pages.Refuse(w, r, f)
		return
	}
	answer(w, r, f.Kind.Status(), f.Error())
}

// answer says one sentence in the asker's language: JSON for clients and
// servers, text for everyone else.
func answer(w http.ResponseWriter, r *http.Request, status int, message string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if wantsJSON(r) {
		if forClients(r.URL.Path) {
			mastodon.Readable(h)
		}
		h.Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": message}) // a reader who left is no failure of ours
		return
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, message+"\n") // the same
}

// forClients reports whether the path is of the client API.
func forClients(path string) bool {
	return strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/oauth/") && path != "/oauth/authorize"
}

// wantsJSON reports whether a program asks rather than a person.
func wantsJSON(r *http.Request) bool {
	return forMachines(r.URL.Path) || strings.Contains(r.Header.Get("Accept"), "json")
}
