package web

import (
	"compress/gzip"
	"io"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/fault"
)

func TestPageHeadersAndFrame(t *testing.T) {
	ts, l, assets := galleryTemplates(t)
	oak, _, _ := gallerySchools()
	site := SiteView{"Oak Primary", "oak.test", oak.Mark}
	me := galleryPerson("Amira Tāne", "@amira@oak.test", oak)
	failure := ErrorPage{Status: 404, Title: "There is nothing at this address"}
	tests := []struct {
		name      string
		page      Page
		has, lack []string
	}{
		{"a guest", Page{Title: "Not found", Frame: Frame{Site: site}, View: failure},
			[]string{"<title>Not found - Oak Primary</title>", `href="/sign-in"`, `class="skip"`}, []string{`class="bar"`, "/sign-out", "data-live"}},
		{"a member", Page{Title: "Not found", Frame: Frame{Site: site, Me: &me, Here: Notifications, Unread: 1234, Live: "thread:7"}, View: failure},
			[]string{`class="bar"`, "1,234", `data-live="/live?stream=thread:7"`, `action="/sign-out"`}, []string{`href="/admin"`, `href="/sign-in"`}},
		{"an administrator, dark", Page{Frame: Frame{Site: site, Me: &me, Admin: true, Theme: "dark", Robots: "noindex"}, View: failure},
			[]string{`href="/admin"`, `data-theme="dark"`, "<title>Oak Primary</title>", `content="noindex"`}, nil},
	}
	for _, tt := range tests {
		rec := httptest.NewRecorder()
		if err := ts.Page(rec, 404, l, "error", tt.page); err != nil {
			t.Fatal(err)
		}
		body := rec.Body.String()
		for _, s := range tt.has {
			if !strings.Contains(body, s) {
				t.Errorf("%s: the page lacks %q", tt.name, s)
			}
		}
		for _, s := range tt.lack {
			if strings.Contains(body, s) {
				t.Errorf("%s: the page has %q", tt.name, s)
			}
		}
		if rec.Code != 404 || !strings.Contains(rec.Header().Get("Content-Security-Policy"), "script-src 'self';") {
			t.Errorf("%s: status %d, headers %v", tt.name, rec.Code, rec.Header())
		}
		for _, m := range regexp.MustCompile(`(?:src|href)="(/assets/[^"#]+)`).FindAllStringSubmatch(body, -1) {
			got := httptest.NewRecorder()
			assets.ServeHTTP(got, httptest.NewRequest("GET", m[1], nil))
			if got.Code != 200 {
				t.Errorf("%s: %s answers %d", tt.name, m[1], got.Code)
			}
		}
	}
	if err := ts.Page(httptest.NewRecorder(), 200, l, "no-such-page", Page{}); err == nil {
		t.Error("a page that does not exist is rendered")
	}
}

func TestAssets(t *testing.T) {
	_, _, assets := galleryTemplates(t)
	css, err := assets.URL("app.css")
	if err != nil {
		t.Fatal(err)
	}
	get := func(path, accept string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		req := httptest.NewRequest("GET", path, nil)
		req.Header.Set("Accept-Encoding", accept)
		assets.ServeHTTP(rec, req)
		return rec
	}
	plain := get(css, "")
	if !strings.Contains(plain.Header().Get("Cache-Control"), "immutable") || plain.Header().Get("Content-Encoding") != "" {
		t.Errorf("headers %v", plain.Header())
	}
	z, err := gzip.NewReader(get(css, "br, gzip").Body)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(z); err != nil || string(body) != plain.Body.String() {
		t.Errorf("the compressed style sheet differs (%v)", err)
	}
	if got := get(css, "gzip;q=0"); got.Header().Get("Content-Encoding") != "" {
		t.Error("gzip is sent to who refuses it")
	}
	fonts := regexp.MustCompile(`atkinson-next-[a-z-]+\.[0-9a-f]{10}\.woff2`).FindAllString(plain.Body.String(), -1)
	if len(fonts) != 4 {
		t.Errorf("the style sheet names the fonts %v, want four with hashed names", fonts)
	}
	for _, f := range fonts {
		if got := get(AssetsPrefix+f, "gzip"); got.Code != 200 || got.Header().Get("Content-Type") != "font/woff2" || got.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: %d, %v", f, got.Code, got.Header())
		}
	}
	for _, path := range []string{"/assets/app.css", "/assets/", "/assets/../web.go"} {
		if got := get(path, ""); got.Code != 404 {
			t.Errorf("%s answers %d", path, got.Code)
		}
	}
	if _, err := assets.URL("nothing.css"); err == nil {
		t.Error("an asset that does not exist has an address")
	}
}

func TestMarks(t *testing.T) {
	tests := []struct{ name, host, want string }{
		{"Oak Primary", "oak.test", "OP"},
		{"Te Kura Kaupapa Māori", "kura.test", "TM"},
		{"oak", "oak.test", "O"},
		{"", "birch.test", "B"},
		{"St. Mary & the Angels", "st.test", "SA"},
		{"…", "dots.test", "?"},
	}
	for _, tt := range tests {
		m := MarkOf(tt.name, tt.host, "")
		if m.Initials != tt.want || m.Hue < 0 || m.Hue >= hues {
			t.Errorf("MarkOf(%q) = %+v, want %s", tt.name, m, tt.want)
		}
	}
	if MarkOf("A", "Elm.Test", "").Hue != MarkOf("B", "elm.test", "").Hue {
		t.Error("a school's colour depends on more than its host")
	}
}

func TestErrorsOf(t *testing.T) {
	_, l, _ := galleryTemplates(t)
	if s, by := ErrorsOf(l, nil); s.Items != nil || by != nil {
		t.Errorf("no failure gives %v, %v", s, by)
	}
	s, by := ErrorsOf(l, &fault.Error{Kind: fault.Invalid, Fields: []fault.Field{{Name: "title", Message: "Give it a title."}, {Name: "text", Message: "Say something."}}})
	if s.Title != "2 things need your attention" || len(s.Items) != 2 || by["text"] != "Say something." {
		t.Errorf("two fields give %+v, %v", s, by)
	}
	if s, _ := ErrorsOf(l, fault.New(fault.Conflict, "It changed meanwhile.")); len(s.Items) != 1 || s.Items[0] != (ErrorItem{"", "It changed meanwhile."}) {
		t.Errorf("a failure without fields gives %+v", s)
	}
}

func TestBarChart(t *testing.T) {
	bars := BarChart{Bars: []Bar{{Value: 0}, {Value: 1}, {Value: 1000}}}.Drawn()
	if bars[0].H != 0 || bars[1].H < 2 || bars[2].Y < chartHead-1 || bars[2].Y+bars[2].H != chartHeight-chartFoot {
		t.Errorf("bars %+v", bars)
	}
	if (BarChart{}).Drawn() != nil {
		t.Error("an empty chart has bars")
	}
}
