package text

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// WithoutQuoteLink takes out of safe HTML the line that stands for a quote
// where quotes are not shown: "RE:" and a link to the quoted post, in the
// paragraph or span that most servers mark with the class quote-inline, or at
// the beginning or end of the text, when it leads to one of the addresses. What
// else the text says stays.
//
// FEP-044f and FEP-e232 (fallback of quotes).
func WithoutQuoteLink(source string, addresses ...string) string {
	if !strings.Contains(source, "quote-inline") && !strings.Contains(source, "RE:") && !strings.Contains(source, "QT:") {
		return source
	}
	z := html.NewTokenizer(strings.NewReader(source))
	type span struct {
		name       string
		start      int
		marked     bool
		words, led string
	}
	var open []span
	at := 0
	for {
		t := z.Next()
		raw := len(z.Raw())
		switch t {
		case html.ErrorToken:
			return source
		case html.TextToken:
			words := string(z.Text())
			for i := range open {
				open[i].words += words
			}
		case html.StartTagToken:
			name, more := z.TagName()
			s := span{name: string(name), start: at}
			for more {
				var k, v []byte
				k, v, more = z.TagAttr()
				switch string(k) {
				case "class":
					s.marked = slices.Contains(strings.Fields(string(v)), "quote-inline")
				case "href":
					for i := range open {
						if open[i].led == "" {
							open[i].led = string(v)
						}
					}
				}
			}
			if s.name != "br" && s.name != "hr" && s.name != "wbr" {
				open = append(open, s)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			for i := len(open) - 1; i >= 0; i-- {
				if open[i].name != string(name) {
					continue
				}
				if s := open[i]; (s.name == "p" || s.name == "span") && (s.marked && len(s.words) <= longestQuoteLine || len(open) == 1 && isQuoteLine(s.words) && slices.Contains(addresses, s.led)) {
					return strings.TrimSpace(source[:s.start] + source[at+raw:])
				}
				open = open[:i]
				break
			}
		}
		at += raw
	}
}

// longestQuoteLine is how much a marked line may say, in bytes; what says more is
// no link in place of a quote, whatever it is marked as.
const longestQuoteLine = 500

// isQuoteLine reports whether a paragraph says no more than where a quote leads.
func isQuoteLine(words string) bool {
	words = strings.TrimSpace(words)
	rest, ok := strings.CutPrefix(words, "RE:")
	if !ok {
		rest, ok = strings.CutPrefix(words, "QT:")
	}
	return ok && len(strings.Fields(rest)) <= 1
}
