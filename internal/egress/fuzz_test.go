package egress

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// However a server asks us to wait, we wait a day at most, and never backwards.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "120", "-5", "99999999999999999999", "Wed, 21 Oct 2099 07:28:00 GMT", "Wed, 21 Oct 1999 07:28:00 GMT", "1e9", " 7 ", "0x10"} {
		f.Add(s)
	}
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		if wait := RetryAfter(http.Header{"Retry-After": {value}}, now); wait < 0 || wait > 24*time.Hour {
			t.Errorf("%q waits %s", value, wait)
		}
	})
}

// What is asked is an https address of a host name in ASCII at the one port,
// with nobody's name in it, and is read the same way twice.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"https://elm.test/a?b#c", "https://ELM.test:443/", "https://köln.example/x", "https://a@elm.test/", "http://elm.test/", "https://[::1]/", "https://elm.test:0443/", "//elm.test", "https:elm.test",
		"https://elm.test\\@x.test/", "https://elm%2etest/", "https://ｅlm.test/"} {
		f.Add(s)
	}
	c := New(Options{})
	f.Fuzz(func(t *testing.T, address string) {
		u, err := c.parse(address)
		if err != nil {
			return
		}
		if u.Scheme != "https" || u.User != nil || u.Fragment != "" || u.Hostname() == "" || u.Port() != "" && strings.TrimLeft(u.Port(), "0") != "443" {
			t.Errorf("%q is asked as %s", address, u)
		}
		if strings.ContainsFunc(u.Host, func(r rune) bool { return r > 0x7f || r <= ' ' || r == '@' || r == '/' || r == '\\' }) {
			t.Errorf("%q is at the host %q", address, u.Host)
		}
		again, err := c.parse(u.String())
		if err != nil || again.Host != u.Host || again.RequestURI() != u.RequestURI() {
			t.Errorf("%q is asked as %s and then as %v (%v)", address, u, again, err)
		}
		req, err := http.NewRequest(http.MethodGet, u.String(), nil)
		if err == nil && req.URL.Host != u.Host {
			t.Errorf("%q is sent to %q, and was checked as %q", address, req.URL.Host, u.Host)
		}
	})
}
