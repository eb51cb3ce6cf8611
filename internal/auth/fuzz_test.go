package auth

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Where a browser is sent to with a code is where the app said, and a place
// that runs nothing.
//
// RFC 6749, sections 3.1.2 and 4.1.2.
func FuzzRedirect(f *testing.F) {
	for _, s := range []string{"https://app.example/cb?a=1", "app://cb", "com.example.app:/cb", "app:opaque", OutOfBand, "javascript:alert(1)", "JAVASCRIPT:x", "\x01javascript:x", "https:///x", "https://a@b/", "data:,x", "//x", "https://a/#f", "app://cb?code=mine"} {
		f.Add(s, "state")
	}
	f.Fuzz(func(t *testing.T, uri, state string) {
		if !redirectable(uri) || uri == OutOfBand {
			return
		}
		lower := strings.ToLower(uri)
		for _, bad := range []string{"javascript:", "data:", "vbscript:", "file:", "blob:", "about:", "view-source:"} {
			if strings.HasPrefix(strings.TrimLeft(lower, " \t\r\n\x00\x01\x1f"), bad) {
				t.Errorf("a browser may be sent to %q", uri)
			}
		}
		from, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		to, err := url.Parse(Authorization{RedirectURI: uri, State: state}.back("code", "secret"))
		if err != nil {
			t.Fatalf("%q leads back to nowhere: %v", uri, err)
		}
		if to.Scheme != from.Scheme || to.Host != from.Host || to.EscapedPath() != from.EscapedPath() || to.Opaque != from.Opaque || to.Fragment != "" {
			t.Errorf("%q leads back to %s", uri, to)
		}
		if q := to.Query(); q.Get("code") != "secret" || len(q["code"]) != 1 || state != "" && q.Get("state") != state {
			t.Errorf("%q leads back with %v", uri, q)
		}
	})
}

func FuzzScopes(f *testing.F) {
	for _, s := range []string{"read", "read write:statuses", "push  follow", "admin:read", "read:", ":", "write:write", "READ", "read\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		s, err := ParseScopes(list)
		if err != nil {
			return
		}
		again, err := ParseScopes(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q is %q, and that is %q (%v)", list, s, again, err)
		}
		if !s.Within(s) {
			t.Errorf("%q allows not even itself", list)
		}
		said := strings.Fields(strings.ReplaceAll(list, "+", " "))
		for _, one := range s {
			if !s.Allow(one) {
				t.Errorf("%q does not allow %q", list, one)
			}
			if len(said) > 0 && !slices.Contains(said, one) { // nothing is read
				t.Errorf("%q says nothing of %q", list, one)
			}
		}
	})
}
