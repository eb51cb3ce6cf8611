// Package text turns what people write into safe HTML, and what other servers
// send into HTML that is as safe; it finds the people and hashtags named in it.
package text

import (
	"bytes"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// MaxSource is how many bytes of Markdown Render reads; the rest is cut. Forms
// refuse longer drafts first. Mastodon takes no document over 1 MiB.
const MaxSource = 64 << 10

// Links says where the names in a text lead. A nil function links nothing.
type Links struct {
	// Mention finds @user (host is empty) or @user@host. If ok is false, the
	// words stay as they were typed. display is what stands after the @.
	Mention func(user, host string) (href, display string, ok bool)
	// Tag is the absolute address of a hashtag's page; tag comes without #.
	Tag func(tag string) (href string)
}

// Handle is a person or group as people write it: @user or @user@host. Host is
// as typed, empty for this server.
type Handle struct{ User, Host string }

// String is h as it is typed.
func (h Handle) String() string {
	if h.Host == "" {
		return "@" + h.User
	}
	return "@" + h.User + "@" + h.Host
}

// Rendered is a text ready to be stored and shown.
type Rendered struct {
	HTML     string
	Mentions []Handle // those that Links.Mention knew, each once, in order
	Tags     []string // without #, as first typed, each TagKey once
}

// Render turns Markdown into HTML that has passed Sanitise: CommonMark with
// tables, strikethrough and bare links. Every line break is kept, since people
// press Enter to get one; HTML is shown as typed, since a teacher who writes
// "x<y" means just that; headings start at h2, below the page's own.
func Render(source string, links Links) Rendered {
	doc, src, names := parse(source)
	r := Rendered{}
	seen := map[Handle]bool{}
	for _, n := range names {
		switch {
		case n.tag != "" && links.Tag != nil:
			n.href = links.Tag(n.tag)
		case n.tag == "" && links.Mention != nil:
			href, display, ok := links.Mention(n.handle.User, n.handle.Host)
			if !ok {
				continue
			}
			n.href, n.display = href, display
			if !seen[n.handle.key()] {
				seen[n.handle.key()] = true
				r.Mentions = append(r.Mentions, n.handle)
			}
		}
	}
	r.Tags = tagsOf(names)
	var b bytes.Buffer
	if err := markdown.Renderer().Render(&b, src, doc); err != nil {
		return Rendered{HTML: Sanitise("<p>" + escape(string(src)) + "</p>")} // a buffer takes every write: unreachable but by a bug of a renderer
	}
	r.HTML = Sanitise(b.String())
	return r
}

// FindMentions lists the people named in a Markdown text, each once, in order,
// so that they can be looked up before the transaction that stores it.
func FindMentions(source string) []Handle {
	_, _, names := parse(source)
	var found []Handle
	seen := map[Handle]bool{}
	for _, n := range names {
		if n.tag == "" && !seen[n.handle.key()] {
			seen[n.handle.key()] = true
			found = append(found, n.handle)
		}
	}
	return found
}

// FindTags lists the hashtags of a Markdown text without their #, as first
// typed, each TagKey once, in order.
func FindTags(source string) []string {
	_, _, names := parse(source)
	return tagsOf(names)
}

func tagsOf(names []*name) []string {
	var found []string
	seen := map[string]bool{}
	for _, n := range names {
		if n.tag == "" {
			continue
		}
		if key := TagKey(n.tag); !seen[key] {
			seen[key] = true
			found = append(found, n.tag)
		}
	}
	return found
}

// parse reads Markdown and lists the names that stand in running text: not in
// code, and not in the words of a link.
func parse(source string) (ast.Node, []byte, []*name) {
	src := []byte(wellFormed(cutBytes(source, MaxSource)))
	doc := markdown.Parser().Parse(text.NewReader(src))
	var names []*name
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link, *ast.Image:
			return ast.WalkSkipChildren, nil
		case *name:
			names = append(names, n)
		}
		return ast.WalkContinue, nil
	})
	return doc, src, names
}

// markdown is configured once and holds no state between texts. It leaves out
// the parsers for raw HTML: see Render.
var markdown = goldmark.New(
	goldmark.WithParser(parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewSetextHeadingParser(), 100),
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(shallow{parser.NewListParser()}, 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewCodeBlockParser(), 500),
			util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(shallow{parser.NewBlockquoteParser()}, 800),
			util.Prioritized(parser.NewParagraphParser(), 1000),
		),
		parser.WithInlineParsers(
			util.Prioritized(parser.NewCodeSpanParser(), 100),
			util.Prioritized(parser.NewLinkParser(), 200),
			util.Prioritized(parser.NewAutoLinkParser(), 300),
			util.Prioritized(parser.NewEmphasisParser(), 500),
			util.Prioritized(nameParser{}, 600),
		),
		parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
	)),
	goldmark.WithExtensions(
		extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
		extension.Strikethrough,
		extension.NewLinkify(extension.WithLinkifyAllowedProtocols([]string{"http:", "https:"})),
	),
	goldmark.WithRendererOptions(
		html.WithHardWraps(),
		renderer.WithNodeRenderers(util.Prioritized(nameRenderer{}, 100)),
	),
)

// shallow keeps quotations and lists from standing in each other deeper than
// anyone reads: goldmark's time grows with the square of the depth.
type shallow struct{ parser.BlockParser }

// Open implements parser.BlockParser.
func (s shallow) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	depth := 0
	for n := parent; n != nil; n = n.Parent() {
		if depth++; depth > maxDepth/2 {
			return nil, parser.NoChildren
		}
	}
	return s.BlockParser.Open(parent, reader, pc)
}
