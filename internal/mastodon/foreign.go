package mastodon

import (
	"html"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/community"
)

// Emoji is Mastodon's CustomEmoji entity: a picture that a text names as
// :shortcode:. Its addresses are this server's, which keeps a copy.
type Emoji struct {
	Shortcode       string `json:"shortcode"`
	URL             string `json:"url"`
	StaticURL       string `json:"static_url"`
	VisibleInPicker bool   `json:"visible_in_picker"` // never: they are their own servers'
}

func (s shape) accountEmoji(a community.Account) []Emoji { return s.emoji("account", a.ID, a.Emoji) }

func (s shape) postEmoji(p community.Post) []Emoji {
	if p.Extra == nil {
		return []Emoji{}
	}
	return s.emoji("post", p.ID, p.Extra.Emoji)
}

func (s shape) emoji(kind string, id int64, list []community.Emoji) []Emoji {
	out := make([]Emoji, 0, len(list))
	for _, e := range list {
		at := s.site.Base() + "/media/emoji/" + kind + "/" + strconv.FormatInt(id, 10) + "/" + url.PathEscape(e.Name)
		out = append(out, Emoji{Shortcode: e.Name, URL: at, StaticURL: at})
	}
	return out
}

// things says in words what a post is besides text, for which clients have no
// place: when and where an event is, what a post links to, its files, and where
// to see what cannot be shown here.
func things(p community.Post) string {
	e := p.Extra
	if e == nil {
		return ""
	}
	var b strings.Builder
	if e.Event != nil {
		for _, line := range eventLines(*e.Event) {
			b.WriteString("<p>" + html.EscapeString(line) + "</p>")
		}
		if e.Event.Join != "" && !e.Event.Cancelled {
			b.WriteString(link(e.Event.Join))
		}
	}
	if e.Link != "" {
		b.WriteString(link(e.Link))
	}
	for _, f := range e.Files {
		b.WriteString(link(f.URL))
	}
	if address, _ := p.Original(); e.Type != "" && address != "" {
		b.WriteString(link(address))
	}
	return b.String()
}

// eventLines are when and where an event is. The order of the parts of a moment
// is that of ISO 8601, since no language is known here.
func eventLines(e community.Event) []string {
	var lines []string
	if !e.Start.IsZero() {
		zone := time.UTC
		if there, err := time.LoadLocation(e.Zone); err == nil && e.Zone != "" {
			zone = there
		}
		when := e.Start.In(zone).Format("2006-01-02 15:04")
		if !e.End.IsZero() {
			when += " – " + e.End.In(zone).Format("2006-01-02 15:04")
		}
		when += " (" + zone.String() + ")"
		if e.Cancelled {
			when = "Cancelled: " + when
		}
		lines = append(lines, when)
	}
	for _, place := range e.Places {
		if words := strings.Trim(place.Name+", "+place.Address, ", "); words != "" {
			lines = append(lines, words)
		}
	}
	return lines
}

func link(address string) string {
	shown := html.EscapeString(address)
	return `<p><a href="` + shown + `" rel="nofollow noopener noreferrer">` + shown + `</a></p>`
}
