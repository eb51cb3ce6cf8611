package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed templates
var templateFiles embed.FS

// Templates are the pages and their parts, parsed once for each language, so
// that {{t "key"}} in a template already knows whom it speaks to.
type Templates struct {
	assets *Assets
	now    func() time.Time
	sets   map[*Locale]*template.Template
}

// ParseTemplates parses every file under web/templates. now is the clock that
// relative times are told by.
func ParseTemplates(assets *Assets, cat *Catalogue, now func() time.Time) (*Templates, error) {
	ts := &Templates{assets: assets, now: now, sets: make(map[*Locale]*template.Template)}
	for _, l := range cat.Locales() {
		set := template.New("").Funcs(ts.funcs(l)).Option("missingkey=error")
		set, err := set.ParseFS(templateFiles, "templates/*.html", "templates/*/*.html")
		if err != nil {
			return nil, fmt.Errorf("templates in %s: %w", l.Tag, err)
		}
		ts.sets[l] = set
	}
	return ts, nil
}

// Page answers a request with a whole page. name is a file of
// templates/pages without its ending; it defines the template "page/name", the
// reading column, and may define "aside/name", the narrow column beside it.
// Both get p.View. Nothing is sent unless everything was rendered.
func (ts *Templates) Page(w http.ResponseWriter, status int, l *Locale, name string, p Page) error {
	set := ts.sets[l]
	var main, aside, whole bytes.Buffer
	if err := set.ExecuteTemplate(&main, "page/"+name, p.View); err != nil {
		return err
	}
	if set.Lookup("aside/"+name) != nil {
		if err := set.ExecuteTemplate(&aside, "aside/"+name, p.View); err != nil {
			return err
		}
	}
	err := set.ExecuteTemplate(&whole, "layout", layout{
		Page: p, Lang: l.Tag.String(), Dir: direction(l),
		Main: template.HTML(main.String()), Aside: template.HTML(bytes.TrimSpace(aside.Bytes())),
	})
	if err != nil {
		return err
	}
	h := w.Header()
	SecurityHeaders(h, p.Frame.FormTargets...)
	if p.Frame.Opened {
		h.Del("Cross-Origin-Opener-Policy")
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", l.Tag.String())
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "private, no-cache")
	}
	h.Add("Vary", "Cookie, Accept-Language")
	h.Set("Content-Length", strconv.Itoa(whole.Len()))
	w.WriteHeader(status)
	_, err = whole.WriteTo(w)
	return err
}

// Fragment renders one component by its name, as live streams send it.
func (ts *Templates) Fragment(w io.Writer, l *Locale, name string, view any) error {
	return ts.sets[l].ExecuteTemplate(w, name, view)
}

// SecurityHeaders sets what every page promises its reader: nothing inline,
// nothing foreign, nobody's frame, no address told to other sites. formTargets
// are as ContentPolicy takes them.
func SecurityHeaders(h http.Header, formTargets ...string) {
	h.Set("Content-Security-Policy", ContentPolicy(formTargets...))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}

// ContentPolicy is the pages' content security policy. blob: is for previews
// of pictures a person is about to send, which stay in the browser. formTargets
// are further origins or schemes that a form of this page may end at: browsers
// hold form-action against redirects too, and an app's authorisation ends at
// the app.
//
// W3C Content Security Policy Level 3, section 6.4.1 (form-action).
func ContentPolicy(formTargets ...string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; " +
		"img-src 'self' blob:; media-src 'self'; connect-src 'self'; manifest-src 'self'; " +
		"form-action " + strings.Join(append([]string{"'self'"}, formTargets...), " ") +
		"; base-uri 'none'; frame-ancestors 'none'"
}

func (ts *Templates) funcs(l *Locale) template.FuncMap {
	return template.FuncMap{
		"t":      l.T,
		"th":     l.HTML,
		"num":    func(n int) string { return l.Number(int64(n)) },
		"date":   l.Date,
		"moment": l.Moment,
		"when":   func(t time.Time) template.HTML { return l.When(t, ts.now()) },
		"asset":  ts.assets.URL,
		"icon":   ts.icon,
		"words":  l.scriptWords,
		"dict":   dict,
	}
}

// icon draws one picture of the sprite. It is always beside words, so it is
// hidden from those who listen.
func (ts *Templates) icon(name string) (template.HTML, error) {
	u, err := ts.assets.URL("icons.svg")
	if err != nil {
		return "", err
	}
	return template.HTML(`<svg class="icon" aria-hidden="true" focusable="false"><use href="` + u + "#" +
		template.HTMLEscapeString(name) + `"/></svg>`), nil
}

// dict makes a map for a template that takes more than one value.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d values, want pairs", len(pairs))
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: key %v is no string", pairs[i])
		}
		m[key] = pairs[i+1]
	}
	return m, nil
}

func direction(l *Locale) string {
	switch base, _ := l.Tag.Base(); base.String() {
	case "ar", "fa", "he", "ur":
		return "rtl"
	}
	return "ltr"
}
