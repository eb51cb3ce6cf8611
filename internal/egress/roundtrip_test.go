package egress

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestRoundTrip: a library with an http.Client of its own goes out under the
// same rules.
func TestRoundTrip(t *testing.T) {
	_, roots, at := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			io.Copy(w, io.LimitReader(zeros{}, 5000))
		case "/away":
			http.Redirect(w, r, "http://example.com/", http.StatusFound)
		case "/head":
			w.Header().Set("Content-Length", "1000000")
		default:
			body, _ := io.ReadAll(r.Body)
			io.WriteString(w, r.Method+" "+r.UserAgent()+" "+string(body))
		}
	})
	c := named(t, roots, at, Options{UserAgent: "Chalkring", MaxBody: 4096}, "example.com")
	lib := &http.Client{Transport: c}
	res, err := lib.Post("https://example.com/", "text/plain", strings.NewReader("order"))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "POST Chalkring order" {
		t.Errorf("answer %q, %v", body, err)
	}
	if res, err := lib.Head("https://example.com/head"); err != nil || res.StatusCode != 200 {
		t.Errorf("HEAD of something large: %v", err)
	}
	for url, want := range map[string]error{
		"https://example.com/large": ErrTooLarge,
		"https://example.com/away":  ErrURL, // to plain http
		"https://example.com:8443/": ErrURL,
	} {
		if _, err := lib.Get(url); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", url, err, want)
		}
	}
	if _, err := (&http.Client{Transport: New(Options{AnyPort: true, Roots: roots})}).Get("https://" + at.String() + "/"); !errors.Is(err, ErrPrivateAddress) {
		t.Errorf("a private address: %v", err)
	}
}
