package text

import (
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

const (
	maxDepth = 50   // elements within each other; deeper tags are dropped
	maxURL   = 2048 // bytes of a link's address; longer ones are shown as text

	// enough is where writing stops: what may still follow, one link of maxURL
	// characters to escape and the ends of all elements, fits within MaxHTML.
	enough = MaxHTML - 16<<10
)

// cleaner rewrites HTML, token by token, into well-nested HTML of the elements
// in the table. It never builds a tree, so its cost is linear in its input.
type cleaner struct {
	out   strings.Builder
	open  []string // elements begun and not ended
	shift bool     // an h1 was found: every heading sinks by one
	wrap  bool     // a division began or ended: the next loose text is a paragraph
	full  bool     // text was cut: nothing follows

	attrs map[string]string // of the tag at hand, the first of each name
}

func clean(source string) string {
	c := cleaner{shift: hasTopHeading(source)}
	c.out.Grow(len(source) + len(source)/4)
	z := html.NewTokenizer(strings.NewReader(source))
	skipping, depth := "", 0
	for {
		t := z.Next()
		if t == html.ErrorToken || c.full || c.out.Len() > enough {
			break
		}
		switch t {
		case html.TextToken:
			if skipping == "" {
				c.text(string(z.Text()))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			raw, more := z.TagName()
			name := string(raw)
			switch {
			case skipping == name && t == html.StartTagToken:
				depth++
			case skipping != "":
			case elements[name] == dropped || name == "math":
				if t == html.StartTagToken {
					skipping, depth = name, 1
				}
			default:
				c.readAttrs(z, more)
				c.start(name)
				if name == "iframe" && t == html.StartTagToken {
					skipping, depth = name, 1
				}
			}
		case html.EndTagToken:
			raw, _ := z.TagName()
			name := string(raw)
			switch {
			case skipping == "":
				c.end(name)
			case skipping == name:
				if depth--; depth == 0 {
					skipping = ""
				}
			}
		}
	}
	c.closeTo(0)
	return c.out.String()
}

// hasTopHeading reports whether an h1 may begin somewhere in source. Text that
// only looks like one costs a heading level, never safety.
func hasTopHeading(source string) bool {
	for i := strings.IndexByte(source, '<'); i >= 0 && i+3 < len(source); {
		if (source[i+1] == 'h' || source[i+1] == 'H') && source[i+2] == '1' {
			return true
		}
		next := strings.IndexByte(source[i+1:], '<')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return false
}

// readAttrs keeps the first attribute of each name, as browsers do.
func (c *cleaner) readAttrs(z *html.Tokenizer, more bool) {
	clear(c.attrs)
	for more {
		var k, v []byte
		k, v, more = z.TagAttr()
		if c.attrs == nil {
			c.attrs = make(map[string]string, 8)
		}
		if _, twice := c.attrs[string(k)]; !twice {
			c.attrs[string(k)] = string(v)
		}
	}
}

func (c *cleaner) text(s string) {
	if strings.TrimSpace(s) != "" {
		c.beginLine()
	}
	s = html.EscapeString(wellFormed(s)) // a character reference can stand for anything
	if room := enough - c.out.Len(); len(s) > room {
		s = cutBytes(s, max(0, room))
		if i := strings.LastIndexByte(s, '&'); i >= 0 && !strings.Contains(s[i:], ";") {
			s = s[:i] // half an entity
		}
		c.full = true
	}
	c.out.WriteString(s)
}

// beginLine opens the paragraph that a division's loose text needs.
func (c *cleaner) beginLine() {
	if !c.wrap {
		return
	}
	switch c.top() {
	case "", "blockquote", "li", "td", "th", "details":
		c.push("p", "")
	}
	c.wrap = false
}

func (c *cleaner) start(name string) {
	name = c.rename(name)
	switch elements[name] {
	case division:
		c.breakParagraph()
	case picture:
		c.picture(name)
	case void:
		if name == "hr" {
			c.endLine()
		} else {
			c.beginLine()
		}
		c.write(name, "")
	case phrase:
		c.beginLine()
		if name == "a" {
			c.closeInner("a")
			c.link()
			return
		}
		c.push(name, c.attributes(name))
	case block, heading:
		c.endLine()
		c.wrap = false
		c.push(name, c.attributes(name))
	case item:
		c.item(name)
	case part:
		c.part(name)
	}
}

func (c *cleaner) end(name string) {
	name = c.rename(name)
	switch k := elements[name]; k {
	case division:
		c.breakParagraph()
	case phrase:
		c.closeInner(name)
	case block, heading, item, part:
		for i := len(c.open) - 1; i >= 0; i-- {
			if c.open[i] == name {
				c.closeTo(i)
				return
			}
			if k != part && isCell(c.open[i]) {
				break
			}
		}
		if k == item || k == part { // of one that was no item or cell, see item and part
			c.breakParagraph()
		}
	}
}

// rename maps a name of another time or place to ours, and sinks headings.
func (c *cleaner) rename(name string) string {
	if to, ok := renamed[name]; ok {
		return to
	}
	if c.shift && len(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '5' {
		return string([]byte{'h', name[1] + 1})
	}
	return name
}

// item opens a list item; outside of a list it is a paragraph.
func (c *cleaner) item(name string) {
	for i := len(c.open) - 1; i >= 0; i-- {
		switch c.open[i] {
		case "li":
			c.closeTo(i)
		case "ul", "ol":
			c.closeTo(i + 1)
		case "td", "th", "caption", "table", "blockquote":
			c.breakParagraph()
			return
		default:
			continue
		}
		c.wrap = false
		c.push(name, c.attributes(name))
		return
	}
	c.breakParagraph()
}

// part opens a piece of a table; outside of a table it is a paragraph.
func (c *cleaner) part(name string) {
	table := -1
	for i, open := range c.open {
		if open == "table" {
			table = i
		}
	}
	if table < 0 {
		c.breakParagraph()
		return
	}
	attrs := c.attributes(name)
	keep := table + 1 // what stays open
	if name == "tr" || name == "td" || name == "th" {
		if keep < len(c.open) && (c.open[keep] == "thead" || c.open[keep] == "tbody" || c.open[keep] == "tfoot") {
			keep++
		}
	}
	row := name == "td" || name == "th"
	if row && keep < len(c.open) && c.open[keep] == "tr" {
		keep++
		row = false
	}
	c.closeTo(keep)
	if row {
		c.push("tr", "")
	}
	c.wrap = false
	c.push(name, attrs)
}

// picture writes the text alternative of what is not shown in place, as a link
// to it. Pictures are shown from a post's attachments, by way of this server,
// so that no reader's address reaches another one.
func (c *cleaner) picture(name string) {
	alt := strings.TrimSpace(c.attrs["alt"])
	if alt == "" {
		alt = strings.TrimSpace(c.attrs["title"])
	}
	src, ok := address(c.attrs["src"])
	emoji := len(alt) > 2 && alt[0] == ':' && alt[len(alt)-1] == ':' || strings.Contains(c.attrs["class"], "emoji")
	if !ok || emoji || c.isOpen("a") {
		if alt != "" {
			c.text(alt)
		}
		return
	}
	if alt == "" {
		alt = bare(src)
	}
	c.beginLine()
	depth := len(c.open)
	c.attrs = map[string]string{"href": src}
	c.link()
	c.text(alt)
	c.closeTo(depth)
}

// link opens a link if there is somewhere to go.
func (c *cleaner) link() {
	href, ok := address(c.attrs["href"])
	if !ok {
		return
	}
	value := rel
	for _, r := range strings.Fields(c.attrs["rel"]) {
		if strings.EqualFold(r, "tag") {
			value = relTag
		}
	}
	c.push("a", ` href="`+html.EscapeString(href)+`"`+c.class()+` rel="`+value+`"`+c.attributes("a"))
}

// address is the normal form of a link that may be shown: http, https or
// mailto, absolute, and without the user name that hides where a link leads.
func address(raw string) (string, bool) {
	raw = strings.TrimSpace(raw)
	if raw == "" || len(raw) > maxURL || strings.ContainsAny(raw, " \t\n") {
		return "", false
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", false
	}
	switch u.Scheme {
	case "http", "https":
		if u.Hostname() == "" {
			return "", false
		}
		u.User = nil
	case "mailto":
		if u.Opaque == "" {
			return "", false
		}
	default:
		return "", false
	}
	s := u.String()
	return s, len(s) <= maxURL
}

// bare is an address as people read it: host and path.
func bare(href string) string {
	if _, rest, ok := strings.Cut(href, "://"); ok {
		href = rest
	}
	return shorten(href, 60)
}

// class is the class attribute with Mastodon's microformats and no other.
func (c *cleaner) class() string {
	value := c.attrs["class"]
	if value == "" {
		return ""
	}
	var kept []string
	for _, f := range strings.Fields(value) {
		if microformats[f] && len(kept) < 5 {
			kept = append(kept, f)
		}
	}
	if kept == nil {
		return ""
	}
	return ` class="` + strings.Join(kept, " ") + `"`
}

// attributes writes those of the tag's attributes that name may have.
func (c *cleaner) attributes(name string) string {
	if len(c.attrs) == 0 {
		return ""
	}
	var b strings.Builder
	switch name {
	case "span":
		b.WriteString(c.class())
	case "p":
		if slices.Contains(strings.Fields(c.attrs["class"]), "quote-inline") {
			b.WriteString(` class="quote-inline"`)
		}
	}
	for _, list := range [2][]attribute{own[name], everywhere} {
		for _, a := range list {
			v, ok := c.attrs[a.name]
			if !ok {
				continue
			}
			if a.value == emptyValue {
				v = ""
			}
			if a.value.MatchString(v) {
				b.WriteString(" " + a.name + `="` + v + `"`)
			}
		}
	}
	return b.String()
}

// push opens an element; beyond maxDepth its tag is dropped.
func (c *cleaner) push(name, attrs string) {
	if len(c.open) < maxDepth {
		c.open = append(c.open, name)
		c.write(name, attrs)
	}
}

func (c *cleaner) write(name, attrs string) {
	c.out.WriteByte('<')
	c.out.WriteString(name)
	c.out.WriteString(attrs)
	c.out.WriteByte('>')
}

// closeTo ends elements until n are open.
func (c *cleaner) closeTo(n int) {
	for i := len(c.open) - 1; i >= n; i-- {
		c.out.WriteString("</")
		c.out.WriteString(c.open[i])
		c.out.WriteByte('>')
	}
	c.open = c.open[:min(n, len(c.open))]
}

// closeInner ends the innermost element of that name within the same item,
// quotation or cell.
func (c *cleaner) closeInner(name string) {
	for i := len(c.open) - 1; i >= 0; i-- {
		switch open := c.open[i]; {
		case open == name:
			c.closeTo(i)
			return
		case open == "li" || open == "blockquote" || open == "details" || isCell(open):
			return
		}
	}
}

// endLine ends the paragraph or heading at hand, since a block cannot stand in one.
func (c *cleaner) endLine() {
	for i := len(c.open) - 1; i >= 0; i-- {
		switch open := c.open[i]; {
		case open == "p" || elements[open] == heading:
			c.closeTo(i)
			return
		case open == "li" || open == "blockquote" || open == "details" || isCell(open):
			return
		}
	}
}

func (c *cleaner) breakParagraph() {
	c.endLine()
	c.wrap = true
}

func (c *cleaner) isOpen(name string) bool {
	for _, open := range c.open {
		if open == name {
			return true
		}
	}
	return false
}

func (c *cleaner) top() string {
	if len(c.open) == 0 {
		return ""
	}
	return c.open[len(c.open)-1]
}

func isCell(name string) bool { return name == "td" || name == "th" || name == "caption" }
