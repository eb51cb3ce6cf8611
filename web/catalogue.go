package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"github.com/chalkring/chalkring/internal/fault"
)

//go:embed messages/*.json
var messageFiles embed.FS

// Catalogue holds every word the pages say, in each language there is a file
// for in web/messages. English is complete; what another language lacks is
// said in English. Translating is adding a file.
type Catalogue struct {
	matcher language.Matcher
	locales []*Locale // English first
}

// LoadCatalogue reads the embedded message files. Times are told in zone.
func LoadCatalogue(zone *time.Location) (*Catalogue, error) {
	files, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return nil, err
	}
	return loadCatalogue(files, zone)
}

func loadCatalogue(files fs.FS, zone *time.Location) (*Catalogue, error) {
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil, err
	}
	english, err := loadLocale(files, "en.json", zone)
	if err != nil {
		return nil, err
	}
	c := &Catalogue{locales: []*Locale{english}}
	tags := []language.Tag{language.English}
	for _, name := range names {
		if name == "en.json" {
			continue
		}
		l, err := loadLocale(files, name, zone)
		if err != nil {
			return nil, err
		}
		l.english = english
		c.locales, tags = append(c.locales, l), append(tags, l.Tag)
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
}

func loadLocale(files fs.FS, name string, zone *time.Location) (*Locale, error) {
	body, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	f, err := i18n.ParseMessageFileBytes(body, name, nil)
	if err != nil {
		return nil, fmt.Errorf("messages %s: %w", name, err)
	}
	if f.Tag.String()+".json" != name {
		return nil, fmt.Errorf("messages %s: the file name is not a language tag (BCP 47)", name)
	}
	l := &Locale{Tag: f.Tag, Zone: zone, plain: make(map[string]string)}
	var composed []*i18n.Message // which take more memory, each
	for _, m := range f.Messages {
		if m.One == "" && m.Few == "" && m.Many == "" && !strings.Contains(m.Other, "{{") {
			l.plain[m.ID] = m.Other
		} else {
			composed = append(composed, m)
		}
	}
	tag, bundle := f.Tag, i18n.NewBundle(f.Tag)
	if bundle.AddMessages(tag, composed...) != nil {
		// Unicode's CLDR has no plural rule for some languages, te reo Māori
		// among them. They go by English's.
		tag, bundle = language.English, i18n.NewBundle(language.English)
		if err := bundle.AddMessages(tag, composed...); err != nil {
			return nil, fmt.Errorf("messages %s: %w", name, err)
		}
	}
	l.localizer = i18n.NewLocalizer(bundle, tag.String())
	return l, nil
}

// For picks the language: the one the person chose, else the best of the
// browser's Accept-Language (RFC 4647, section 3.4), else English.
func (c *Catalogue) For(chosen, acceptLanguage string) *Locale {
	_, i := language.MatchStrings(c.matcher, chosen, acceptLanguage)
	return c.locales[i]
}

// Locales lists the languages there are files for, English first.
func (c *Catalogue) Locales() []*Locale { return c.locales }

// Locale says things in one language.
type Locale struct {
	Tag       language.Tag
	Zone      *time.Location
	plain     map[string]string // messages without arguments, ready to use
	localizer *i18n.Localizer
	english   *Locale // says what this language lacks; nil in English itself
}

// T says the message named key. args are pairs of name and value; the value
// named Count also picks the plural form. A key that is in no file comes back
// as it is, which a test keeps from happening.
func (l *Locale) T(key string, args ...any) string {
	if s, ok := l.lookup(key, args); ok {
		return s
	}
	if l.english != nil {
		return l.english.T(key, args...)
	}
	return key
}

// Fault says what went wrong. A failure carries its English words with it, so
// the catalogue need not know it.
func (l *Locale) Fault(f *fault.Error) string {
	return l.or(f.Key, f.Error(), f.Args)
}

// FieldFault says what is wrong with one field of a form.
func (l *Locale) FieldFault(f fault.Field) string {
	return l.or(f.Key, f.Message, f.Args)
}

func (l *Locale) or(key, fallback string, args map[string]any) string {
	pairs := make([]any, 0, 2*len(args))
	for name, value := range args {
		pairs = append(pairs, name, value)
	}
	if key != "" {
		if s := l.T(key, pairs...); s != key {
			return s
		}
	}
	return fallback
}

// HTML is T for a message whose arguments may be markup: a template.HTML
// stays, everything else is escaped. Messages themselves hold no markup.
func (l *Locale) HTML(key string, args ...any) template.HTML {
	safe := make([]any, len(args))
	copy(safe, args)
	for i := 1; i < len(safe); i += 2 {
		switch v := safe[i].(type) {
		case template.HTML:
			safe[i] = string(v)
		case string:
			safe[i] = template.HTMLEscapeString(v)
		}
	}
	return template.HTML(l.T(key, safe...))
}

func (l *Locale) lookup(key string, args []any) (string, bool) {
	if s, ok := l.plain[key]; ok {
		return s, true
	}
	data := make(map[string]any, len(args)/2)
	cfg := &i18n.LocalizeConfig{MessageID: key, TemplateData: data}
	for i := 0; i+1 < len(args); i += 2 {
		name, _ := args[i].(string)
		data[name] = args[i+1]
		if name != "Count" {
			continue
		}
		switch n := args[i+1].(type) {
		case int:
			cfg.PluralCount, data[name] = n, l.Number(int64(n))
		case int64:
			cfg.PluralCount, data[name] = n, l.Number(n)
		}
	}
	s, err := l.localizer.Localize(cfg)
	return s, err == nil
}

// Number writes n with the language's thousands separator.
func (l *Locale) Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "−", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + l.T("format.thousands") + s[i:]
	}
	return sign + s
}

// Date writes a day: "3 March 2026".
func (l *Locale) Date(t time.Time) string {
	t = t.In(l.Zone)
	months := strings.Split(l.T("format.months"), "|")
	return l.T("format.date", "Day", t.Day(), "Month", months[int(t.Month())-1], "Year", t.Year())
}

// Moment writes a day and a time with its zone: "3 March 2026, 14:05 NZDT".
func (l *Locale) Moment(t time.Time) string {
	t = t.In(l.Zone)
	return l.T("format.moment", "Date", l.Date(t), "Time", t.Format("15:04"), "Zone", t.Format("MST"))
}

// Ago says how long before now t was, and after four weeks the day itself. A
// time a little in the future, from a peer whose clock is ahead, is "just now".
func (l *Locale) Ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return l.T("time.now")
	case d < time.Hour:
		return l.T("time.minutes", "Count", int(d/time.Minute))
	case d < 24*time.Hour:
		return l.T("time.hours", "Count", int(d/time.Hour))
	case d < 28*24*time.Hour:
		return l.T("time.days", "Count", int(d/(24*time.Hour)))
	}
	return l.Date(t)
}

// When writes t as a time element: words relative to now, the moment as its
// title, and the machine's form for the script that keeps the words fresh.
func (l *Locale) When(t, now time.Time) template.HTML {
	if t.IsZero() {
		return ""
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s" data-ago>%s</time>`,
		t.UTC().Format(time.RFC3339), template.HTMLEscapeString(l.Moment(t)), template.HTMLEscapeString(l.Ago(t, now))))
}

// scriptWords is what web/static/src needs to say by itself, as JSON for one
// attribute of the page. Plural forms go by the names of Unicode's CLDR, which
// Intl.PluralRules uses too.
func (l *Locale) scriptWords() (string, error) {
	words := map[string]string{
		"newPosts.one":   l.T("live.new_posts", "Count", 1),
		"newPosts.other": l.T("live.new_posts", "Count", "{n}"),
		"arrived":        l.T("live.arrived", "Name", "{name}"),
		"now":            l.T("time.now"),
		"draftKept":      l.T("draft.kept"),
		"draftBack":      l.T("draft.back"),
		"draftDiscard":   l.T("draft.discard"),
		"pictureRemove":  l.T("picture.remove"),
		"altMissing":     l.T("picture.alt_missing"),
		"replyCancel":    l.T("reply.cancel"),
		"replyFailed":    l.T("reply.failed"),
		"shortcutsOn":    l.T("keys.turn_on"),
		"shortcutsOff":   l.T("keys.turn_off"),
	}
	b, err := json.Marshal(words)
	return string(b), err
}
