package web

import (
	"html/template"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/chalkring/chalkring/internal/community"
)

// safe marks HTML that was sanitised when it was stored.
func safe(stored string) template.HTML { return template.HTML(stored) }

// sectionsOf splits a practice post at its h2 headings: what stands before the
// first, and the sections with their anchors. It reads the stored HTML, so that
// it serves other servers' posts too.
func sectionsOf(l *Locale, stored string) (before template.HTML, sections []Section) {
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(stored), body)
	if err != nil {
		return safe(stored), nil
	}
	var lead, part strings.Builder
	into := &lead
	end := func() {
		if len(sections) > 0 {
			sections[len(sections)-1].HTML = safe(part.String())
			part.Reset()
		}
	}
	for _, n := range nodes {
		if n.DataAtom == atom.H2 {
			end()
			sections = append(sections, Section{ID: "part-" + digits(int64(len(sections)+1)), Heading: headingWords(l, strings.TrimSpace(textOf(n)))})
			into = &part
			continue
		}
		if err := html.Render(into, n); err != nil {
			return safe(stored), nil
		}
	}
	end()
	return safe(lead.String()), sections
}

// headingWords says the headings that every practice post has in the reader's
// language. They are stored, and sent, in English.
func headingWords(l *Locale, heading string) string {
	for _, known := range community.SectionHeadings() {
		if known.Heading == heading {
			return l.T("section." + known.Name)
		}
	}
	return heading
}

func textOf(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(textOf(c))
	}
	return b.String()
}
