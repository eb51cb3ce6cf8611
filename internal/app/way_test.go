package app

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/config"
)

// What apps ask for passes by the mux and is answered, named in the figures and
// put in order as if it did not.
func TestAPIPassesByTheMux(t *testing.T) {
	s, err := New(t.Context(), settings(t, "--host", "localhost:8080", "--metrics-token", "secret"), Options{Log: discard(), External: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	ask := func(method, path string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost:8080"+path, nil)
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/api/v2/instance", 200},
		{"GET", "/api/v2/instance/", 200},
		{"HEAD", "/api/v2/instance", 200},
		{"GET", "/api/v1/statuses/7", 404},
		{"GET", "/api/v1/nothing", 404},
		{"OPTIONS", "/api/v1/statuses", 204},
		{"GET", "/api//v2/instance", 301},
		{"GET", "/api/v1/../v2/instance", 301},
		{"GET", "/api/v2/instance/.", 301},
	} {
		w := ask(tt.method, tt.path)
		if w.Code != tt.want {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, w.Code, tt.want)
		}
		if to := w.Header().Get("Location"); tt.want == 301 && !strings.HasSuffix(strings.TrimSuffix(to, "/"), "8080/api/v2/instance") {
			t.Errorf("%s is put in order as %q", tt.path, to)
		}
	}
	figures := ask("GET", "/metrics", "Authorization", "Bearer secret").Body.String()
	for _, line := range []string{
		`chalkring_http_request_seconds_count{method="GET",route="/api/v2/instance",status="2xx"} 2`,
		`chalkring_http_request_seconds_count{method="HEAD",route="/api/v2/instance",status="2xx"} 1`,
		`chalkring_http_request_seconds_count{method="GET",route="/api/v1/statuses/{id:[0-9]+}",status="4xx"} 1`,
		`chalkring_http_request_seconds_count{method="GET",route="/api/",status="4xx"} 1`,
	} {
		if !strings.Contains(figures, line) {
			t.Errorf("the figures lack %s, but have: %s", line, strings.Join(regexp.MustCompile(`.*_seconds_count.*`).FindAllString(figures, -1), "\n"))
		}
	}

	// What was packed once is passed on as it is.
	plain, packed := ask("GET", "/api/v2/instance"), ask("GET", "/api/v2/instance", "Accept-Encoding", "gzip")
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Content-Length") == "" || packed.Header().Get("ETag") != plain.Header().Get("ETag") ||
		strings.Join(packed.Header().Values("Vary"), ", ") != "Authorization, Accept-Encoding" {
		t.Errorf("packed: %v, plain: %v", packed.Header(), plain.Header())
	}
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(z); err != nil || string(b) != plain.Body.String() {
		t.Errorf("packed it says %s (%v)", b, err)
	}
	if w := ask("GET", "/api/v2/instance", "Accept-Encoding", "gzip", "If-None-Match", packed.Header().Get("ETag")); w.Code != 304 || w.Body.Len() != 0 || w.Header().Get("Content-Encoding") != "" {
		t.Errorf("asked for it again: %d %v", w.Code, w.Header())
	}

	// Numbers of requests are told apart, and look alike.
	one, two := plain.Header().Get("X-Request-Id"), packed.Header().Get("X-Request-Id")
	if number := regexp.MustCompile(`^[a-z2-7]{16}$`); one == two || !number.MatchString(one) || !number.MatchString(two) {
		t.Errorf("two requests have the numbers %q and %q", one, two)
	}
}

// What one answer changes of the headers that all have stays in it.
func TestHeadersAreNotShared(t *testing.T) {
	var change bool
	h := guarded(t, config.Config{Host: "oak.test", CertFile: "some.pem"}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if change {
			for name := range w.Header() {
				w.Header().Add(name, "more")
				w.Header().Set(name, "other")
			}
		}
	}))
	ask := func() http.Header {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://oak.test/", nil))
		return w.Header()
	}
	before := ask()
	change = true
	if ask().Get("Referrer-Policy") != "other" {
		t.Error("a handler cannot set a header")
	}
	change = false
	for name, after := range ask() {
		if name != "X-Request-Id" && strings.Join(after, "|") != strings.Join(before.Values(name), "|") {
			t.Errorf("%s was %q and is %q", name, before[name], after)
		}
	}
}
