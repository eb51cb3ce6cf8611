package mastodon

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chalkring/chalkring/internal/fault"
)

// However an app sends its parameters, they are texts that a table can hold, and
// as many as are read; what cannot be read is the app's failure.
func FuzzParams(f *testing.F) {
	f.Add("application/json", "limit=5&max_id=7", []byte(`{"status":"x","media_ids":["1",2],"poll":{"options":["a"],"multiple":true}}`))
	f.Add("application/x-www-form-urlencoded", "", []byte("a[]=1&a[]=2&q=%00%ff"))
	f.Add("multipart/form-data; boundary=x", "", []byte("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n"))
	f.Add("text/plain", "q=%ff", []byte("x"))
	f.Add("application/json", "", []byte(`{"a":{"b":{"c":{"d":{"e":{"f":1}}}}},"n":1e999}`))
	f.Fuzz(func(t *testing.T, kind, query string, body []byte) {
		if strings.ContainsAny(kind+query, "\r\n") {
			return
		}
		r := httptest.NewRequest(http.MethodPost, "/api/v1/statuses", bytes.NewReader(body))
		r.URL.RawQuery = query
		r.Header["Content-Type"] = []string{kind}
		p, err := paramsOf(httptest.NewRecorder(), r)
		if err != nil {
			if k := fault.Of(err).Kind; k == fault.Internal {
				t.Errorf("%v is no failure of ours", err)
			}
			return
		}
		n := 0
		for name, values := range p.Values {
			n += len(values)
			for _, v := range append(values, name) {
				if !utf8.ValidString(v) || strings.Contains(v, "\x00") {
					t.Errorf("%q is %q", name, v)
				}
			}
		}
		if n > maxParams {
			t.Errorf("%d values", n)
		}
		for name := range p.Values {
			p.list(name)
			p.flag(name, false)
			for _, id := range p.ids(name) {
				if id <= 0 {
					t.Errorf("%q is the number %d", name, id)
				}
			}
		}
		page := p.page(20, 40)
		if page.Limit < 1 || page.Limit > 40 || page.MaxID < 0 || page.SinceID < 0 || page.MinID < 0 {
			t.Errorf("%v asks for the page %+v", p.Values, page)
		}
		if _, err := url.ParseQuery(p.Encode()); err != nil {
			t.Error(err)
		}
	})
}
