package web

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A cookie that somebody wrote themselves says no more on a page than words of
// the catalogue, and a language that nobody has is another one's.
func FuzzFlash(f *testing.F) {
	for _, s := range []string{`{"k":"flash.follow_requested","a":["Name","<b>"]}`, `{"k":"error.not_found"}`, `{"k":"flash."}`, `{"k":7}`, `{`, `{"k":"flash.peer_allowed","a":["Host"]}`} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(s)), "en", "de-AT,en;q=0.5")
	}
	f.Add("!", "xx", "\xff,*;q=9")
	cat, err := LoadCatalogue(time.UTC)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value, chosen, accept string) {
		l := cat.For(chosen, accept)
		if l == nil {
			t.Fatalf("no words for %q, %q", chosen, accept)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Cookie"] = []string{flashCookie + "=" + value}
		h := &here{l: l}
		new(Pages).takeFlash(h, httptest.NewRecorder(), r)
		for _, flash := range h.frame.Flash {
			if flash.Words == "" || strings.HasPrefix(flash.Words, "flash.") || strings.Contains(flash.Words, "%!") {
				t.Errorf("the cookie %q says %q", value, flash.Words)
			}
			if flash.Kind != "done" && flash.Kind != "note" && flash.Kind != "problem" {
				t.Errorf("the cookie %q says something %q", value, flash.Kind)
			}
		}
	})
}
