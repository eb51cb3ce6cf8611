package egress

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// server starts a real server on loopback; its certificate is for example.com
// and 127.0.0.1.
func server(t *testing.T, h http.HandlerFunc) (*httptest.Server, *x509.CertPool, netip.AddrPort) {
	t.Helper()
	s := httptest.NewTLSServer(h)
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, roots, netip.MustParseAddrPort(s.Listener.Addr().String())
}

// named makes a client that finds each of the names at one address.
func named(t *testing.T, roots *x509.CertPool, at netip.AddrPort, opts Options, names ...string) *Client {
	t.Helper()
	opts.Roots, opts.Allow = roots, loopback
	opts.Resolve = func(_ context.Context, host string) ([]netip.AddrPort, bool) {
		for _, n := range names {
			if n == host {
				return []netip.AddrPort{at}, true
			}
		}
		return nil, false
	}
	c := New(opts)
	t.Cleanup(c.Close)
	return c
}

func TestGetAndPost(t *testing.T) {
	_, roots, at := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", strings.Join([]string{r.Method, r.Host, r.TLS.ServerName, r.UserAgent(), r.Header.Get("Accept"), r.Header.Get("Content-Type"), r.Header.Get("X-Signed"), string(body)}, "|"))
		if _, sent := r.Header["Idempotency-Key"]; sent {
			t.Error("the empty Idempotency-Key was sent")
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "ok")
	})
	c := named(t, roots, at, Options{UserAgent: "Chalkring (+https://kauri.example)"}, "example.com")
	sign := func(r *http.Request) error { r.Header.Set("X-Signed", r.Method+" "+r.URL.Path); return nil }
	res, err := c.Post(t.Context(), Request{URL: "https://example.com/inbox#x", ContentType: "application/activity+json", Body: []byte("{}"), Sign: sign})
	if err != nil {
		t.Fatal(err)
	}
	if want := "POST|example.com|example.com|Chalkring (+https://kauri.example)||application/activity+json|POST /inbox|{}"; res.Header.Get("X-Seen") != want || res.Status != 202 || string(res.Body) != "ok" {
		t.Errorf("saw %q, want %q; %+v", res.Header.Get("X-Seen"), want, res)
	}
	res, err = c.Get(t.Context(), Request{URL: "https://example.com/u/1", Accept: "application/activity+json", Sign: sign})
	if err != nil {
		t.Fatal(err)
	}
	if want := "GET|example.com|example.com|Chalkring (+https://kauri.example)|application/activity+json||GET /u/1|"; res.Header.Get("X-Seen") != want || res.URL != "https://example.com/u/1" {
		t.Errorf("saw %q, want %q", res.Header.Get("X-Seen"), want)
	}
	failed := errors.New("no key")
	if _, err := c.Get(t.Context(), Request{URL: "https://example.com/", Sign: func(*http.Request) error { return failed }}); !errors.Is(err, failed) {
		t.Errorf("a failing signature: %v", err)
	}
}

func TestRefusedAddresses(t *testing.T) {
	c := New(Options{})
	tests := []struct {
		url  string
		want error
	}{
		{"http://example.com/", ErrURL},
		{"ftp://example.com/", ErrURL},
		{"file:///etc/passwd", ErrURL},
		{"https:///x", ErrURL},
		{"https:example.com", ErrURL},
		{"//example.com/", ErrURL},
		{"https://user:secret@example.com/", ErrURL},
		{"https://example.com:22/", ErrURL},
		{"https://example.com:99999/", ErrURL},
		{"https://exa mple.com/", ErrURL},
		{"https://ex\u00adample..\u2024com/", ErrURL},
		{"://", ErrURL},
		{"https://127.0.0.1/", ErrPrivateAddress},
		{"https://2130706433/", nil}, // a name that only some resolvers take for an address
		{"https://[::1]/", ErrPrivateAddress},
		{"https://[::ffff:127.0.0.1]/", ErrPrivateAddress},
		{"https://[64:ff9b::7f00:1]/", ErrPrivateAddress},
		{"https://[fe80::1]/", ErrPrivateAddress},
		{"https://[fd00::1]/", ErrPrivateAddress},
		{"https://10.1.2.3/", ErrPrivateAddress},
		{"https://172.16.0.1/", ErrPrivateAddress},
		{"https://192.168.0.1/", ErrPrivateAddress},
		{"https://169.254.169.254/latest/meta-data/", ErrPrivateAddress},
		{"https://100.64.0.1/", ErrPrivateAddress},
		{"https://0.0.0.0/", ErrPrivateAddress},
		{"https://localhost/", ErrPrivateAddress},
	}
	for _, tt := range tests {
		_, err := c.Get(t.Context(), Request{URL: tt.url})
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.url, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the password is told: %v", err)
		}
	}
}

// TestRebinding: a name that first points abroad and then at us is judged by
// the address that is dialled, each time.
func TestRebinding(t *testing.T) {
	var hits atomic.Int32
	_, roots, at := server(t, func(w http.ResponseWriter, r *http.Request) { hits.Add(1) })
	c := New(Options{Roots: roots, Resolve: func(_ context.Context, host string) ([]netip.AddrPort, bool) {
		return []netip.AddrPort{at}, true // any name now points at loopback
	}})
	for range 2 {
		if _, err := c.Get(t.Context(), Request{URL: "https://example.com/"}); !errors.Is(err, ErrPrivateAddress) {
			t.Errorf("got %v", err)
		}
	}
	if hits.Load() != 0 {
		t.Error("the private server was asked")
	}
	// One private address among several must not be fallen back to.
	c = New(Options{Roots: roots, Timeout: 2 * time.Second, Resolve: func(context.Context, string) ([]netip.AddrPort, bool) {
		return []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:443"), at}, true
	}})
	if _, err := c.Get(t.Context(), Request{URL: "https://example.com/"}); !errors.Is(err, ErrPrivateAddress) || hits.Load() != 0 {
		t.Errorf("got %v, %d hits", err, hits.Load())
	}
}

func TestCertificateIsChecked(t *testing.T) {
	_, roots, at := server(t, func(w http.ResponseWriter, r *http.Request) { t.Error("asked") })
	if _, err := named(t, roots, at, Options{}, "elsewhere.test").Get(t.Context(), Request{URL: "https://elsewhere.test/"}); err == nil {
		t.Error("a certificate for another name was taken")
	}
	if _, err := named(t, x509.NewCertPool(), at, Options{}, "example.com").Get(t.Context(), Request{URL: "https://example.com/"}); err == nil {
		t.Error("a certificate of an unknown authority was taken")
	}
}

func TestProxyIsIgnored(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	_, roots, at := server(t, func(w http.ResponseWriter, r *http.Request) {})
	if _, err := named(t, roots, at, Options{}, "example.com").Get(t.Context(), Request{URL: "https://example.com/"}); err != nil {
		t.Error(err)
	}
}

func TestRedirects(t *testing.T) {
	_, roots, at := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/end":
			fmt.Fprint(w, r.Header.Get("X-Signed"))
		case r.URL.Path == "/nowhere":
			w.WriteHeader(http.StatusFound)
		case r.URL.Query().Get("to") != "":
			http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusMovedPermanently)
		default:
			http.Redirect(w, r, "/?n="+r.URL.Query().Get("n")+"x", http.StatusFound)
		}
	})
	c := named(t, roots, at, Options{}, "example.com", "www.example.com")
	var asked []string
	follow := func(to *url.URL) error { asked = append(asked, to.String()); return nil }
	sign := func(r *http.Request) error { r.Header.Set("X-Signed", r.URL.Path); return nil }
	to := func(where string) string { return "https://example.com/?to=" + url.QueryEscape(where) }

	res, err := c.Get(t.Context(), Request{URL: to("/end"), Follow: follow, Sign: sign})
	if err != nil || string(res.Body) != "/end" || res.URL != "https://example.com/end" || len(asked) != 1 {
		t.Errorf("followed: %+v, %v, asked %v; each hop is signed anew", res, err, asked)
	}
	forbidden := errors.New("not a peer")
	tests := []struct {
		name   string
		url    string
		follow func(*url.URL) error
		want   error
	}{
		{"without permission", to("/end"), nil, ErrRedirect},
		{"refused by the policy", to("https://evil.test/end"), func(*url.URL) error { return forbidden }, forbidden},
		{"to http", to("http://example.com/end"), follow, ErrURL},
		{"to a private address", to("https://192.168.0.1/"), follow, ErrPrivateAddress},
		{"to another port", to("https://example.com:8080/"), follow, ErrURL},
		{"to a file", to("file:///etc/passwd"), follow, ErrURL},
		{"to nowhere", "https://example.com/nowhere", follow, ErrRedirect},
		{"round and round", "https://example.com/", follow, ErrRedirect},
	}
	for _, tt := range tests {
		if _, err := c.Get(t.Context(), Request{URL: tt.url, Follow: tt.follow}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := c.Post(t.Context(), Request{URL: to("/end"), Follow: follow}); !errors.Is(err, ErrRedirect) {
		t.Errorf("a delivery is not redirected: %v", err)
	}
}

func TestBounds(t *testing.T) {
	stop := make(chan struct{})
	_, roots, at := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			io.Copy(w, io.LimitReader(zeros{}, 5000))
		case "/declared":
			w.Header().Set("Content-Length", "1000000000")
			w.Write([]byte("x"))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.Copy(z, io.LimitReader(zeros{}, 64<<20))
			z.Close()
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write([]byte("small"))
			z.Close()
		case "/header":
			for i := range 100 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
			}
		case "/drip":
			for range 100 {
				fmt.Fprint(w, "x")
				w.(http.Flusher).Flush()
				select {
				case <-stop:
					return
				case <-r.Context().Done():
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		case "/silent":
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		}
	})
	defer close(stop)
	c := named(t, roots, at, Options{Timeout: 300 * time.Millisecond, MaxBody: 4096}, "example.com")
	tests := []struct {
		path string
		max  int64
		want error
	}{
		{"/large", 0, ErrTooLarge},
		{"/large", 5000, nil},
		{"/large", 4999, ErrTooLarge},
		{"/declared", 0, ErrTooLarge},
		{"/bomb", 1 << 20, ErrTooLarge},
		{"/gzip", 5, nil},
		{"/drip", 0, ErrTimeout},
		{"/silent", 0, ErrTimeout},
	}
	for _, tt := range tests {
		_, err := c.Get(t.Context(), Request{URL: "https://example.com" + tt.path, MaxBody: tt.max})
		if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s (%d): %v, want %v", tt.path, tt.max, err, tt.want)
		}
	}
	if _, err := c.Get(t.Context(), Request{URL: "https://example.com/header"}); err == nil {
		t.Error("100 kB of headers were read")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Get(ctx, Request{URL: "https://example.com/gzip"}); !errors.Is(err, context.Canceled) || errors.Is(err, ErrTimeout) {
		t.Errorf("given up by the caller: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Get(ctx, Request{URL: "https://example.com/silent"}); !errors.Is(err, ErrTimeout) {
		t.Errorf("the caller's deadline: %v", err)
	}
}

// TestKeptConnections: deliveries reuse connections, one host gets no more
// than its share, and a kept connection that died costs no delivery.
func TestKeptConnections(t *testing.T) {
	var opened, busy, most atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if n := busy.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(2 * time.Millisecond)
		busy.Add(-1)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c := named(t, roots, netip.MustParseAddrPort(s.Listener.Addr().String()), Options{PerHost: 2}, "example.com")
	post := func() error {
		_, err := c.Post(t.Context(), Request{URL: "https://example.com/inbox", Body: []byte("{}")})
		return err
	}
	done := make(chan error)
	for range 20 {
		go func() { done <- post() }()
	}
	for range 20 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > 2 || opened.Load() > 2 {
		t.Errorf("%d at once over %d connections, want 2", most.Load(), opened.Load())
	}
	s.CloseClientConnections()
	if err := post(); err != nil {
		t.Errorf("after the server closed its side: %v", err)
	}
}

// A server may ask something before it answers; our question to it, without
// which it gets no answer, does not wait behind what waits for it.
func TestUrgentDoesNotWaitBehindTheRest(t *testing.T) {
	asked := make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			<-asked
			return
		}
		fmt.Fprint(w, "key")
	}))
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c := named(t, roots, netip.MustParseAddrPort(s.Listener.Addr().String()), Options{PerHost: 2}, "example.com")
	done := make(chan error)
	for range 3 {
		go func() {
			_, err := c.Post(t.Context(), Request{URL: "https://example.com/inbox", Body: []byte("{}")})
			done <- err
		}()
	}
	if _, err := c.Get(Urgent(t.Context()), Request{URL: "https://example.com/actor"}); err != nil {
		t.Error(err)
	}
	close(asked)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestPlainHTTP(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hi") }))
	defer s.Close()
	c := New(Options{PlainHTTP: true, AnyPort: true, Allow: loopback})
	defer c.Close()
	if res, err := c.Get(t.Context(), Request{URL: s.URL}); err != nil || string(res.Body) != "hi" {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		value string
		want  time.Duration
	}{
		{"", 0}, {"120", 2 * time.Minute}, {" 5 ", 5 * time.Second}, {"-5", 0}, {"soon", 0},
		{"99999999999999999999", 0}, {"99999999999", 24 * time.Hour},
		{"Fri, 20 Nov 2026 12:01:00 GMT", time.Minute}, {"Fri, 20 Nov 2026 11:00:00 GMT", 0}, {"Fri, 20 Nov 2099 11:00:00 GMT", 24 * time.Hour},
	}
	for _, tt := range tests {
		if got := RetryAfter(http.Header{"Retry-After": {tt.value}}, now); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.value, got, tt.want)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
