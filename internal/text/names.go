package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
	"golang.org/x/net/html"
	"golang.org/x/text/unicode/norm"
)

const (
	maxUser = 64  // bytes of a user name in a mention
	maxHost = 253 // bytes of a host name (RFC 1035, section 2.3.4)
	maxTag  = 100 // runes of a hashtag
)

// TagKey is what two spellings of one hashtag have in common: lower case in
// Unicode's composed form (NFC), without #. "#Māori" is "māori" however it was typed.
func TagKey(tag string) string {
	return norm.NFC.String(strings.ToLower(norm.NFC.String(strings.TrimLeft(tag, "#"))))
}

// IsTag reports whether a name, with or without #, can be a hashtag's.
func IsTag(name string) bool {
	name = strings.TrimLeft(name, "#")
	_, n := tagAt("#" + name)
	return n > 0 && n == len(name)+1
}

// key is what two spellings of one handle have in common.
func (h Handle) key() Handle {
	return Handle{strings.ToLower(h.User), strings.ToLower(h.Host)}
}

// mentionAt reads the mention that s begins with; n is its length, 0 for none.
func mentionAt(s string) (h Handle, n int) {
	if len(s) < 2 || s[0] != '@' {
		return Handle{}, 0
	}
	user := span(s[1:], func(r rune) bool { return isName(r) || r == '.' || r == '-' })
	user = strings.TrimRight(user, ".-")
	if user == "" || len(user) > maxUser || !isName(rune(user[0])) {
		return Handle{}, 0
	}
	h.User, n = user, 1+len(user)
	if n < len(s) && s[n] == '@' {
		host := span(s[n+1:], func(r rune) bool { return isLetter(r) || unicode.IsDigit(r) || r == '.' || r == '-' })
		host = strings.TrimRight(host, ".-")
		if host != "" && len(host) <= maxHost && host[0] != '.' && host[0] != '-' && !strings.Contains(host, "..") {
			h.Host, n = host, n+1+len(host)
			if port := span(s[n:], func(r rune) bool { return r >= '0' && r <= '9' || r == ':' }); host == "localhost" && len(port) > 1 && port[0] == ':' {
				h.Host, n = host+port, n+len(port)
			}
		}
	}
	if next, _ := utf8.DecodeRuneInString(s[n:]); n < len(s) && (isLetter(next) || unicode.IsDigit(next) || next == '@') {
		return Handle{}, 0 // part of some other word, such as @renée
	}
	return h, n
}

// tagAt reads the hashtag that s begins with; n is its length, 0 for none. A
// tag has at least one letter: "#1" is a number.
func tagAt(s string) (tag string, n int) {
	if len(s) < 2 || s[0] != '#' {
		return "", 0
	}
	tag = span(s[1:], func(r rune) bool { return isLetter(r) || unicode.IsNumber(r) || r == '_' || r == '\u200c' || r == '·' })
	tag = strings.TrimRight(tag, "\u200c·")
	if tag == "" || utf8.RuneCountInString(tag) > maxTag || !strings.ContainsFunc(tag, unicode.IsLetter) {
		return "", 0
	}
	if first, _ := utf8.DecodeRuneInString(tag); unicode.IsMark(first) || first == '\u200c' || first == '·' {
		return "", 0
	}
	return tag, 1 + len(tag)
}

// span is the beginning of s that consists of what is wanted.
func span(s string, wanted func(rune) bool) string {
	if end := strings.IndexFunc(s, func(r rune) bool { return !wanted(r) }); end >= 0 {
		return s[:end]
	}
	return s
}

func isName(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
}

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) }

// name is a mention or a hashtag in the syntax tree.
type name struct {
	ast.BaseInline
	typed   string
	handle  Handle
	tag     string // without #; empty for a mention
	href    string // empty: shown as typed
	display string
}

var kindName = ast.NewNodeKind("Name")

// Kind implements ast.Node.
func (n *name) Kind() ast.NodeKind { return kindName }

// Dump implements ast.Node.
func (n *name) Dump(source []byte, level int) {
	ast.DumpHelper(n, source, level, map[string]string{"Typed": n.typed}, nil)
}

// nameParser finds mentions and hashtags where goldmark finds emphasis: never
// in code, and before an underscore in a name can be taken for emphasis.
type nameParser struct{}

// Trigger implements parser.InlineParser.
func (nameParser) Trigger() []byte { return []byte{'@', '#'} }

// Parse implements parser.InlineParser.
func (nameParser) Parse(_ ast.Node, block text.Reader, pc parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	if isLetter(before) || unicode.IsDigit(before) || strings.ContainsRune("@#&/=_", before) {
		return nil // an address, an entity, or the middle of a word
	}
	line, _ := block.PeekLine()
	n := &name{}
	length := 0
	if line[0] == '@' {
		n.handle, length = mentionAt(string(line))
	} else {
		n.tag, length = tagAt(string(line))
	}
	if length == 0 {
		return nil
	}
	n.typed = string(line[:length])
	block.Advance(length)
	return n
}

// nameRenderer writes names as Mastodon does, whose clients find them by class.
type nameRenderer struct{}

// RegisterFuncs implements renderer.NodeRenderer.
func (nameRenderer) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(kindName, renderName)
	r.Register(ast.KindAutoLink, renderAutoLink)
}

func renderName(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	n := node.(*name)
	var s string
	switch {
	case n.href == "":
		s = escape(n.typed)
	case n.tag != "":
		s = `<a href="` + escape(n.href) + `" class="mention hashtag" rel="tag">#<span>` + escape(n.tag) + `</span></a>`
	default:
		s = `<a href="` + escape(n.href) + `" class="u-url mention">@<span>` + escape(n.display) + `</span></a>`
	}
	_, err := w.WriteString(s)
	return ast.WalkSkipChildren, err
}

// renderAutoLink shortens a bare link to what tells people where it leads; the
// rest is there for those who copy it. Mastodon's clients know the classes.
func renderAutoLink(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	n := node.(*ast.AutoLink)
	href, label := string(n.URL(source)), string(n.Label(source))
	if n.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(strings.ToLower(href), "mailto:") {
		href = "mailto:" + href
	}
	shown := escape(label)
	if scheme, rest, ok := strings.Cut(label, "://"); ok && n.AutoLinkType == ast.AutoLinkURL {
		if after, www := strings.CutPrefix(rest, "www."); www {
			scheme, rest = scheme+"://www.", after
		} else {
			scheme += "://"
		}
		shown = `<span class="invisible">` + escape(scheme) + `</span>`
		if head, tail := cutRunes(rest, 30), ""; len(head) < len(rest) {
			tail = rest[len(head):]
			shown += `<span class="ellipsis">` + escape(head) + `</span><span class="invisible">` + escape(tail) + `</span>`
		} else {
			shown += `<span>` + escape(rest) + `</span>`
		}
	}
	_, err := w.WriteString(`<a href="` + escape(href) + `">` + shown + `</a>`)
	return ast.WalkSkipChildren, err
}

func escape(s string) string { return html.EscapeString(s) }
