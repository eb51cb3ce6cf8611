package web

import (
	"cmp"
	"html/template"
	"net/url"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/text"
)

// Thing is what a post is besides text: an event, a recording, a picture or a
// document, or a thing of its server's own. What cannot be shown here is said
// in words, with where to find it. Nothing of another server is embedded.
type Thing struct {
	Word  string // "Event"
	Icon  string
	State *State // "Cancelled"
	Facts []Fact
	Links []Link // its files, and the page that it is about
	Act   *Link  // "Take part at mob.example"
}

// Faces are the pictures of emoji by their names. Names come from other
// servers, pictures by way of this one.
type Faces map[string]string

func facesOf(kind string, id int64, list []community.Emoji) Faces {
	if len(list) == 0 {
		return nil
	}
	faces := make(Faces, len(list))
	for _, e := range list {
		faces[e.Name] = "/media/emoji/" + kind + "/" + digits(id) + "/" + url.PathEscape(e.Name)
	}
	return faces
}

// faceOfReaction is the picture of what somebody reacted to a post with, if it is one.
func faceOfReaction(post, by int64, given community.Given) Faces {
	e, ok := given.Picture()
	if !ok {
		return nil
	}
	return Faces{e.Name: "/media/emoji/reaction/" + digits(post) + "/" + digits(by) + "/" + url.PathEscape(e.Name)}
}

func (f Faces) find(name string) (string, bool) {
	src, ok := f[name]
	return src, ok
}

// line is a line of plain text with its emoji as pictures.
func (f Faces) line(words string) template.HTML {
	return template.HTML(text.EmojiLine(words, f.find)) // escaped there
}

// prose is safe HTML with its emoji as pictures.
func (f Faces) prose(html string) template.HTML {
	return template.HTML(text.Emoji(html, f.find)) // sanitised when it was stored
}

// Shown is the person's name with its emoji as pictures.
func (p PersonView) Shown() template.HTML { return p.Faces.line(p.Name) }

// Shown is a line of the post with its emoji as pictures.
func (c PostCard) Shown(words string) template.HTML { return c.Faces.line(words) }

// without is a line with no emoji, for where no picture can stand.
func (f Faces) without(words string) string {
	for name := range f {
		words = strings.ReplaceAll(words, ":"+name+":", "")
	}
	return strings.Join(strings.Fields(words), " ")
}

// facesOfPost are the emoji of a post's own words.
func facesOfPost(p community.Post) Faces {
	if p.Extra == nil {
		return nil
	}
	return facesOf("post", p.ID, p.Extra.Emoji)
}

// thing says what a post is besides text; nil is nothing.
func (p *Pages) thing(h *here, v community.View) *Thing {
	e := v.Extra
	if e == nil || e.Type == "" && e.Link == "" && len(e.Files) == 0 && len(e.Languages) == 0 {
		return nil
	}
	l := h.l
	t := Thing{}
	t.Word, t.Icon = thingWord(l, e.Type)
	address, host := v.Original()
	if e.Type != "" && host != "" {
		t.Act = &Link{Words: l.T(actKey(e.Type), "Host", host), URL: address}
	}
	if e.Seconds > 0 {
		t.Facts = append(t.Facts, Fact{Name: l.T("thing.length"), Value: length(time.Duration(e.Seconds) * time.Second)})
	}
	if e.Event != nil {
		p.event(h, e.Event, &t)
	}
	if e.Link != "" {
		t.Links = append(t.Links, Link{Words: shortAddress(e.Link), URL: e.Link})
	}
	for _, f := range e.Files {
		words := l.T("thing.file_unnamed", "Kind", fileKind(l, f.Mime), "Host", f.Host())
		if f.Name != "" {
			words = l.T("thing.file", "Name", f.Name, "Kind", fileKind(l, f.Mime), "Host", f.Host())
		}
		t.Links = append(t.Links, Link{Words: words, URL: f.URL})
	}
	if len(e.Languages) > 0 {
		t.Facts = append(t.Facts, Fact{Name: l.T("thing.languages"), Value: languageNames(l, e.Languages), URL: address})
	}
	return &t
}

// event says when and where an event is, and where to take part.
func (p *Pages) event(h *here, e *community.Event, t *Thing) {
	l := h.l
	switch {
	case e.Cancelled:
		t.State = &State{Tone: "bad", Icon: "ban", Words: l.T("event.cancelled")}
	case e.Tentative:
		t.State = &State{Tone: "wait", Icon: "clock", Words: l.T("event.tentative")}
	}
	if !e.Start.IsZero() {
		t.Facts = append(t.Facts, Fact{Name: l.T("event.when"), Value: span(l, *e)})
	}
	for _, place := range e.Places {
		words := place.Name
		if place.Address != "" && place.Address != place.Name {
			words = strings.TrimPrefix(words+", "+place.Address, ", ")
		}
		if words == "" {
			words = shortAddress(place.URL)
		}
		name := l.T("event.where")
		if place.Online {
			name = l.T("event.online")
		}
		t.Facts = append(t.Facts, Fact{Name: name, Value: words, URL: place.URL})
	}
	if e.Capacity > 0 {
		t.Facts = append(t.Facts, Fact{Name: l.T("event.capacity"), Value: l.Number(int64(e.Capacity))})
	}
	if e.Going > 0 {
		t.Facts = append(t.Facts, Fact{Name: l.T("event.going"), Value: l.Number(int64(e.Going))})
	}
	for _, who := range e.Organizers {
		t.Facts = append(t.Facts, Fact{Name: l.T("event.organiser"), Value: shortAddress(who), URL: "/search?q=" + queryEscape(who)})
	}
	if e.Join != "" && !e.Cancelled {
		t.Act = &Link{Words: l.T("event.join", "Host", hostOfAddress(e.Join)), URL: e.Join}
	}
}

// span is when an event is, in the zone of its place: who travels there needs
// that one, and the zone's name stands behind it for those who do not.
func span(l *Locale, e community.Event) string {
	there := *l
	if zone, err := time.LoadLocation(e.Zone); err == nil && e.Zone != "" {
		there.Zone = zone
	}
	words := there.Moment(e.Start)
	if e.End.IsZero() {
		return words
	}
	if from, to := e.Start.In(there.Zone), e.End.In(there.Zone); from.Year() == to.Year() && from.YearDay() == to.YearDay() {
		return l.T("event.until", "Start", words, "End", to.Format("15:04"))
	}
	return l.T("event.until", "Start", words, "End", there.Moment(e.End))
}

// thingWord is what a type of object is called, and its icon.
func thingWord(l *Locale, typ string) (word, icon string) {
	switch typ {
	case "":
		return "", ""
	case "Event":
		return l.T("thing.event"), "calendar"
	case "Video":
		return l.T("thing.video"), "play"
	case "Audio", "PodcastEpisode", "Track":
		return l.T("thing.audio"), "volume-2"
	case "Image":
		return l.T("thing.image"), "image"
	case "Document":
		return l.T("thing.document"), "file-text"
	}
	return l.T("thing.other", "Type", typ), "shapes" // a word of its server's own
}

// languageNames says languages as the reader calls them; of a tag that nobody
// knows, the tag.
func languageNames(l *Locale, tags []string) string {
	named := make(map[string]string)
	for entry := range strings.SplitSeq(l.T("thing.language_names"), ", ") {
		code, name, _ := strings.Cut(entry, " ")
		named[code] = name
	}
	names := make([]string, 0, len(tags))
	for _, tag := range tags {
		name := ""
		if t, err := language.Parse(tag); err == nil {
			base, _, region := t.Raw()
			if name = named[base.String()]; name != "" && region.String() != "ZZ" { // none is said
				name += " (" + region.String() + ")"
			}
		}
		names = append(names, cmp.Or(name, tag))
	}
	return strings.Join(names, ", ")
}

func actKey(typ string) string {
	switch typ {
	case "Video":
		return "thing.watch"
	case "Audio", "PodcastEpisode", "Track":
		return "thing.listen"
	}
	return "thing.open"
}

func fileKind(l *Locale, mime string) string {
	switch kind, rest, _ := strings.Cut(mime, "/"); {
	case kind == "video":
		return l.T("thing.video")
	case kind == "audio":
		return l.T("thing.audio")
	case rest == "pdf":
		return "PDF"
	}
	return l.T("thing.document")
}

// length is how long a recording lasts, as players write it: 4:05 or 1:04:05.
func length(d time.Duration) string {
	at := time.Time{}.Add(d)
	if d < time.Hour {
		return strings.TrimPrefix(at.Format("04:05"), "0")
	}
	return digits(int64(d/time.Hour)) + at.Format(":04:05")
}

func hostOfAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}

// shortAddress is an address as people read it: its host and the beginning of
// its path.
func shortAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	short := u.Host + strings.TrimSuffix(u.EscapedPath(), "/")
	if len(short) > 60 {
		short = strings.ToValidUTF8(short[:60], "") + "…"
	}
	return short
}
