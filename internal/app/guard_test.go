package app

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/config"
)

func TestClientAddr(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")}
	tests := []struct {
		name, remote, forwarded, want string
	}{
		{"nobody in between", "192.0.2.7:4711", "", "192.0.2.7"},
		{"a client that makes up a proxy", "192.0.2.7:4711", "198.51.100.1", "192.0.2.7"},
		{"a proxy of ours", "127.0.0.1:4711", "198.51.100.1", "198.51.100.1"},
		{"two proxies of ours", "10.1.1.1:4711", "198.51.100.1, 10.2.2.2", "198.51.100.1"},
		{"what stands left of the first stranger is his word", "127.0.0.1:4711", "203.0.113.9, 198.51.100.1", "198.51.100.1"},
		{"nonsense from a proxy", "127.0.0.1:4711", "unknown", "127.0.0.1"},
		{"IPv6 with a port", "127.0.0.1:4711", "[2001:db8::1]:443", "2001:db8::1"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.7]:4711", "", "192.0.2.7"},
		{"only proxies", "10.1.1.1:4711", "10.3.3.3", "10.3.3.3"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tt.remote
		if tt.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		if got := clientAddr(r, trusted).String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestLimiter(t *testing.T) {
	l := newLimiter()
	a := allowance{"test", 1, 3}
	now := time.Now()
	one, two := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	for i := range 3 {
		if _, wait := l.take(a, one, now); wait != 0 {
			t.Fatalf("request %d waits %s", i+1, wait)
		}
	}
	if _, wait := l.take(a, two, now); wait <= 0 || wait > 2*time.Second {
		t.Errorf("a neighbour in the same /64 waits %s, want about a second", wait)
	}
	if _, wait := l.take(a, netip.MustParseAddr("2001:db8:0:1::1"), now); wait != 0 {
		t.Errorf("another network waits %s", wait)
	}
	if _, wait := l.take(a, one, now.Add(1500*time.Millisecond)); wait != 0 {
		t.Errorf("after a second and a half it still waits %s", wait)
	}
}

// A signature is only taken for one where a peer may send it: a header does not
// make more tries of what people send.
func TestAllowances(t *testing.T) {
	l := newLimiter()
	for _, tt := range []struct {
		method, path string
		signed       bool
		want         allowance
	}{
		{http.MethodPost, "/inbox", true, l.fromPeers},
		{http.MethodGet, "/o/1", true, l.fromPeers},
		{http.MethodGet, "/o/1", false, l.reading},
		{http.MethodPost, "/sign-in", false, l.writing},
		{http.MethodPost, "/sign-in", true, l.writing},
		{http.MethodPost, "/oauth/token", true, l.writing},
	} {
		r := httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, nil)
		if tt.signed {
			r.Header.Set("Signature", "x")
		}
		if got, _ := l.of(r); got != tt.want {
			t.Errorf("%s %s, signed %v, draws on %s, want %s", tt.method, tt.path, tt.signed, got.name, tt.want.name)
		}
	}
}

// guarded is a server without doors, for what every request passes.
func guarded(t *testing.T, cfg config.Config, h http.Handler) http.Handler {
	t.Helper()
	s := &Server{cfg: cfg, log: discard(), metrics: newMetrics()}
	if cfg.RateLimits {
		s.limiter = newLimiter()
	}
	return s.guard(h)
}

func TestGuard(t *testing.T) {
	cfg := config.Config{Host: "oak.test", CertFile: "some.pem", MaxUpload: 2 << 20}
	h := guarded(t, cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("a bug")
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	big := strings.Repeat("x", maxRequestBytes+1)
	tests := []struct {
		name, method, target, body string
		header                     http.Header
		want                       int
	}{
		{"a page", "GET", "https://oak.test/", "", nil, 200},
		{"another name", "GET", "https://elm.test/", "", nil, 421},
		{"a probe by address", "GET", "https://192.0.2.1/healthz", "", nil, 200},
		{"the scheme's own port", "GET", "https://oak.test:443/", "", nil, 200},
		{"a form of our own page", "POST", "https://oak.test/posts", "a", http.Header{"Sec-Fetch-Site": {"same-origin"}}, 200},
		{"a form of another site's page", "POST", "https://oak.test/posts", "a", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		{"the same, from an old browser", "POST", "https://oak.test/posts", "a", http.Header{"Origin": {"https://evil.example"}}, 403},
		{"a client in a browser", "POST", "https://oak.test/api/v1/statuses", "a", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 200},
		{"a peer's delivery", "POST", "https://oak.test/inbox", "a", nil, 200},
		{"a body that says it is too big", "POST", "https://oak.test/inbox", big, nil, 413},
		{"an upload may be bigger", "POST", "https://oak.test/api/v2/media", big, http.Header{"Content-Type": {"multipart/form-data; boundary=x"}}, 200},
		{"a bug", "GET", "https://oak.test/panic", "", nil, 500},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
		for k, v := range tt.header {
			r.Header[k] = v
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("%s: %d, want %d: %s", tt.name, w.Code, tt.want, w.Body)
		}
		for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Permissions-Policy", "Strict-Transport-Security", "X-Request-Id"} {
			if w.Header().Get(name) == "" {
				t.Errorf("%s: the answer has no %s", tt.name, name)
			}
		}
	}
}

// A body of unknown length is cut where it becomes too long.
func TestBodyWithoutLength(t *testing.T) {
	h := guarded(t, config.Config{Host: "oak.test", CertFile: "some.pem"}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil || n > maxRequestBytes {
			t.Errorf("read %d bytes, err %v", n, err)
		}
	}))
	r := httptest.NewRequest(http.MethodPost, "https://oak.test/inbox", io.LimitReader(zeros{}, 3<<20))
	r.ContentLength = -1
	h.ServeHTTP(httptest.NewRecorder(), r)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestRateLimit(t *testing.T) {
	cfg := config.Config{Host: "oak.test", CertFile: "some.pem", RateLimits: true}
	h := guarded(t, cfg, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	ask := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "https://oak.test"+path, nil))
		return w
	}
	_, writing, _ := allowances()
	for range writing.burst {
		if w := ask("POST", "/api/v1/statuses"); w.Code != 200 {
			t.Fatalf("within the allowance: %d", w.Code)
		}
	}
	w := ask("POST", "/api/v1/statuses")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || w.Header().Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("beyond the allowance: %d %v", w.Code, w.Header())
	}
	if !strings.HasPrefix(w.Body.String(), `{"error":`) {
		t.Errorf("a client is told %q", w.Body)
	}
	if w := ask("GET", "/home"); w.Code != 200 {
		t.Errorf("reading is another allowance, but: %d", w.Code)
	}
	if w := ask("POST", "/inbox"); w.Code != 200 {
		t.Errorf("peers have their own allowance, but: %d", w.Code)
	}
}

func TestGzip(t *testing.T) {
	long := strings.Repeat("chalk and talk ", 400)
	tests := []struct {
		name, accept, contentType, body string
		packed                          bool
	}{
		{"a page", "gzip, br", "text/html; charset=utf-8", long, true},
		{"an activity", "gzip", "application/activity+json", long, true},
		{"a client without gzip", "br", "text/html", long, false},
		{"gzip refused", "gzip;q=0", "text/html", long, false},
		{"a picture", "gzip", "image/png", long, false},
		{"a stream", "gzip", "text/event-stream", long, false},
		{"a short answer with a length", "gzip", "text/plain", "ok", false},
	}
	for _, tt := range tests {
		h := newSqueezer().handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tt.contentType)
			if tt.body == "ok" {
				w.Header().Set("Content-Length", "2")
			}
			w.Header().Set("ETag", `"v1"`)
			_, _ = io.WriteString(w, tt.body)
		}))
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", tt.accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		body := w.Body.String()
		if packed := w.Header().Get("Content-Encoding") == "gzip"; packed != tt.packed {
			t.Errorf("%s: packed %v, want %v", tt.name, packed, tt.packed)
		} else if packed {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			body = string(plain)
			if w.Header().Get("ETag") != `W/"v1"` || w.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: headers %v", tt.name, w.Header())
			}
		}
		if body != tt.body {
			t.Errorf("%s: the body changed", tt.name)
		}
	}
}

// Buckets of addresses that stay away are given up, and so are the eldest when
// there are too many.
func TestLimiterForgets(t *testing.T) {
	l := newLimiter()
	a := allowance{"test", 1, 1}
	now := time.Now()
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range mostBuckets + 10 {
		l.take(a, addr(i), now)
	}
	if n := l.buckets.Len(); n != mostBuckets {
		t.Errorf("%d buckets, want %d", n, mostBuckets)
	}
	if _, wait := l.take(a, addr(mostBuckets), now); wait == 0 {
		t.Error("the bucket of a late one was given up")
	}
	now = now.Add(forgetAfter)
	for range mostBuckets {
		l.take(a, addr(1), now)
	}
	if n := l.buckets.Len(); n != 1 {
		t.Errorf("%d buckets are left, want one", n)
	}
}

func BenchmarkLimiter(b *testing.B) {
	l := newLimiter()
	addr, now := netip.MustParseAddr("192.0.2.7"), time.Now()
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			l.take(l.reading, addr, now)
		}
	})
}
