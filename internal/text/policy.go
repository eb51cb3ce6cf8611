package text

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/microcosm-cc/bluemonday"
)

// MaxHTML is how many bytes of HTML Sanitise reads, and the most it returns.
// A caller that would rather refuse than cut compares the length first.
const MaxHTML = 256 << 10

// kind says where an element may stand and what opening it closes.
type kind uint8

const (
	unknown  kind = iota // the tag is dropped, the text in it stays
	phrase               // inside a line
	block                // ends an open paragraph or heading
	heading              // a block that holds a line
	item                 // needs a list around it
	part                 // needs a table around it
	void                 // has no content and no end tag
	division             // dropped; where it begins and ends, a paragraph ends
	picture              // becomes a link that carries its text alternative
	dropped              // goes with everything in it
)

// elements is the whole of what may stand in a text of ours or of another
// server: the subset of FEP-b2b8 without embedded media, headings from h2, and
// tables. Elements that are not listed lose their tags and keep their text.
var elements = map[string]kind{
	"p": block, "ul": block, "ol": block, "blockquote": block, "pre": block, "table": block,
	"details": block, "summary": heading,
	"h2": heading, "h3": heading, "h4": heading, "h5": heading, "h6": heading,
	"li":      item,
	"caption": part, "thead": part, "tbody": part, "tfoot": part, "tr": part, "th": part, "td": part,
	"br": void, "hr": void, "wbr": void,
	"a": phrase, "span": phrase, "em": phrase, "strong": phrase, "b": phrase, "i": phrase, "u": phrase,
	"s": phrase, "del": phrase, "ins": phrase, "code": phrase, "kbd": phrase, "samp": phrase, "var": phrase,
	"sub": phrase, "sup": phrase, "small": phrase, "mark": phrase, "q": phrase, "cite": phrase, "dfn": phrase,
	"abbr": phrase, "bdi": phrase, "ruby": phrase, "rb": phrase, "rt": phrase, "rp": phrase,

	"div": division, "section": division, "article": division, "header": division, "footer": division,
	"main": division, "aside": division, "nav": division, "figure": division, "figcaption": division,
	"center": division, "address": division, "fieldset": division, "form": division, "dl": division,
	"dt": division, "dd": division, "body": division,

	"img": picture, "video": picture, "audio": picture, "iframe": picture, "embed": picture,

	"script": dropped, "style": dropped, "template": dropped, "object": dropped, "applet": dropped, "svg": dropped,
	"head": dropped, "title": dropped, "select": dropped, "textarea": dropped, "noscript": dropped,
	"noembed": dropped, "noframes": dropped, "xmp": dropped, "plaintext": dropped, "frameset": dropped,
}

// renamed are elements whose meaning has another name among ours.
var renamed = map[string]string{"strike": "s", "tt": "code", "big": "span", "menu": "ul", "acronym": "abbr"}

const (
	rel    = "nofollow noopener noreferrer"
	relTag = "tag " + rel // on hashtags: Mastodon's clients and the microformat rel-tag look for it
)

// microformats are the classes that Mastodon puts on mentions, hashtags and
// shortened links, and that its clients read, and the one that marks the line
// which stands for a quote (FEP-044f).
var microformats = map[string]bool{"mention": true, "hashtag": true, "u-url": true, "invisible": true, "ellipsis": true, "quote-inline": true}

var (
	langValue   = regexp.MustCompile(`^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,4}$`)
	dirValue    = regexp.MustCompile(`^(ltr|rtl|auto)$`)
	noValue     = regexp.MustCompile(`^no$`)
	emptyValue  = regexp.MustCompile(`^$`)
	numberValue = regexp.MustCompile(`^-?[0-9]{1,6}$`)
	spanValue   = regexp.MustCompile(`^[1-9][0-9]?$`)
	alignValue  = regexp.MustCompile(`^(left|center|right)$`)
	scopeValue  = regexp.MustCompile(`^(row|col|rowgroup|colgroup)$`)
	classValue  = regexp.MustCompile(`^(mention|hashtag|u-url|invisible|ellipsis|quote-inline)( (mention|hashtag|u-url|invisible|ellipsis|quote-inline)){0,4}$`)
	quoteValue  = regexp.MustCompile(`^quote-inline$`)
	relValue    = regexp.MustCompile(`^(tag )?nofollow noopener noreferrer$`)
)

// attribute is one that may stand on an element, beside its name's pattern.
type attribute struct {
	name  string
	value *regexp.Regexp
}

// everywhere are the attributes any element may have, in the order they are written.
var everywhere = []attribute{{"lang", langValue}, {"dir", dirValue}}

// own are the attributes of single elements, in the order they are written.
// href, class and rel of links are written by cleaner.link.
var own = map[string][]attribute{
	"a":    {{"translate", noValue}},
	"span": {{"translate", noValue}},
	"ol":   {{"start", numberValue}, {"reversed", emptyValue}},
	"li":   {{"value", numberValue}},
	"td":   {{"colspan", spanValue}, {"rowspan", spanValue}, {"align", alignValue}},
	"th":   {{"colspan", spanValue}, {"rowspan", spanValue}, {"align", alignValue}, {"scope", scopeValue}},
}

// policy is the last gate: whatever the cleaner wrote passes it or goes. It is
// built from the same tables and never changed after, so many may use it at once.
var policy = newPolicy()

func newPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	for name, k := range elements {
		switch k {
		case phrase, block, heading, item, part, void:
			p.AllowElements(name)
			if name != "a" {
				p.AllowNoAttrs().OnElements(name)
			}
		}
	}
	for _, a := range everywhere {
		p.AllowAttrs(a.name).Matching(a.value).Globally()
	}
	for name, attrs := range own {
		for _, a := range attrs {
			p.AllowAttrs(a.name).Matching(a.value).OnElements(name)
		}
	}
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("class").Matching(classValue).OnElements("a", "span")
	p.AllowAttrs("class").Matching(quoteValue).OnElements("p")
	p.AllowAttrs("rel").Matching(relValue).OnElements("a")
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	p.AllowURLSchemes("http", "https", "mailto")
	return p
}

// Sanitise makes HTML from anywhere safe to show and to pass on: FEP-b2b8's
// subset, tags balanced, headings from h2, pictures turned into links, and links
// that lend no authority (rel="nofollow noopener noreferrer"). What lies beyond
// MaxHTML is cut. Sanitising twice changes nothing.
func Sanitise(html string) string {
	return policy.Sanitize(clean(wellFormed(html)))
}

// wellFormed cuts s to MaxHTML at a rune's edge, and takes out what is not
// UTF-8 and the control characters that no text needs.
func wellFormed(s string) string {
	if len(s) > MaxHTML {
		cut := MaxHTML
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || c == 0x7f || c < ' ' && c != '\n' && c != '\t' {
			return strings.Map(readable, strings.ToValidUTF8(s, "\uFFFD"))
		}
	}
	return s
}

// readable is r, or -1 for what is no part of a text: control characters but
// for tab and newline, and the code points Unicode keeps for no character.
func readable(r rune) rune {
	switch {
	case r == '\n' || r == '\t':
		return r
	case r < ' ' || r >= 0x7f && r < 0xa0, r&0xfffe == 0xfffe, r >= 0xfdd0 && r <= 0xfdef:
		return -1
	}
	return r
}
