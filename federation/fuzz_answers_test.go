package federation

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
)

// What a header says of followers is taken only in its whole form.
//
// FEP-8fcf.
func FuzzReadSynchronization(f *testing.F) {
	f.Add(`collectionId="https://a.test/f", url="https://a.test/s", digest="` + community.NoFollowers + `"`)
	f.Add(`digest=` + strings.ToUpper(community.NoFollowers) + `,url=x,collectionId=y,url=z`)
	f.Add(`collectionId="a,b", url=",", digest=`)
	f.Fuzz(func(t *testing.T, header string) {
		s, ok := readSynchronization(header)
		if !ok {
			return
		}
		if s.collection == "" || s.url == "" || len(s.digest) != 64 || strings.ToLower(s.digest) != s.digest || strings.Trim(s.digest, "0123456789abcdef") != "" {
			t.Errorf("%q says %+v", header, s)
		}
		again, ok := readSynchronization(`collectionId="` + s.collection + `", url="` + s.url + `", digest="` + s.digest + `"`)
		if !ok || again != s {
			t.Errorf("%q says %+v, and said again %+v", header, s, again)
		}
	})
}

// A refusal of another server, whatever it holds, is understood as one of a few
// things and never as more than it is.
//
// RFC 9457.
func FuzzProblem(f *testing.F) {
	f.Add(403, "application/problem+json", []byte(`{"type":"`+peeringRequired+`","detail":"x"}`))
	f.Add(403, "application/problem+json; charset=utf-8", []byte(`{"type":["`+peeringRequired+`"]}`))
	f.Add(200, "text/html", []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, kind string, body []byte) {
		res := &egress.Response{Status: status, Header: http.Header{"Content-Type": {kind}}, Body: body}
		if wantsPeering(res) && (!strings.HasPrefix(kind, "application/problem+json") || !strings.Contains(string(body), "type") && !strings.Contains(strings.ToLower(string(body)), "type")) {
			t.Errorf("%q %q asks for peering", kind, body)
		}
		if err := statusFault("elm.test", res); err == nil || strings.Contains(err.Error(), "<") {
			t.Errorf("%d %q is told as %v", status, body, err)
		}
		if isActivityJSON(kind) && !strings.Contains(strings.ToLower(kind), "application/activity+json") && !strings.Contains(strings.ToLower(kind), "application/ld+json") {
			t.Errorf("%q is taken for ActivityStreams", kind)
		}
	})
}

// Of what a server says of its pictures only addresses of the web count.
func FuzzInstancePictures(f *testing.F) {
	f.Add([]byte(`{"thumbnail":{"url":"https://cdn.example/x.png"},"contact":{"account":{"avatar":"https://files.example/a.png"}}}`))
	f.Add([]byte(`{"thumbnail":"https://cdn.example/x.png","contact":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		all := readInstancePictures(body)
		if len(all) > 2 {
			t.Errorf("%d pictures", len(all))
		}
		for _, address := range all {
			if webAddress(address) != address {
				t.Errorf("%q is taken for the address of a picture", address)
			}
		}
	})
}
