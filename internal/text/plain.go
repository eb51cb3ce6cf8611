package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// Plain is the text of an HTML document as a person would copy it: paragraphs
// with an empty line between them, items and rows on lines of their own. Search,
// mail and previews use it. It does not need sanitised input and is not HTML:
// whoever shows it escapes it.
func Plain(source string) string {
	return plain(wellFormed(source), nil)
}

// plain leaves out the elements in without, and all in them.
func plain(source string, without map[string]bool) string {
	var b strings.Builder
	b.Grow(len(source))
	gap, apart := 0, false // newlines, or else a space, due before the next text
	due := func(n int) {
		if b.Len() > 0 && n > gap {
			gap = n
		}
	}
	write := func(s string) {
		if gap > 0 {
			b.WriteString("\n\n"[:gap])
		} else if apart && b.Len() > 0 && !endsInSpace(b.String()) {
			b.WriteByte(' ')
		}
		gap, apart = 0, false
		b.WriteString(s)
	}
	z := html.NewTokenizer(strings.NewReader(source))
	skipping, depth, pre := "", 0, 0
	for {
		t := z.Next()
		if t == html.ErrorToken {
			return strings.TrimSpace(b.String())
		}
		switch t {
		case html.TextToken:
			s := string(z.Text())
			if skipping != "" {
				continue
			}
			if pre == 0 {
				s = collapse(s, b.Len() == 0 || gap > 0 || apart || endsInSpace(b.String()))
			}
			if s == "" {
				continue
			}
			write(s)
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			raw, more := z.TagName()
			name := string(raw)
			ends := t == html.EndTagToken
			if skipping != "" {
				if name == skipping {
					if ends {
						depth--
					} else if t == html.StartTagToken {
						depth++
					}
					if depth == 0 {
						skipping = ""
					}
				}
				continue
			}
			if (elements[name] == dropped || name == "iframe" || without[name]) && t == html.StartTagToken {
				skipping, depth = name, 1
			}
			switch elements[name] {
			case void:
				if name == "br" {
					due(min(gap, 1) + 1)
				} else if name == "hr" {
					due(2)
				}
			case block, heading, division:
				due(2)
			case item:
				due(1)
			case part:
				if name == "td" || name == "th" {
					apart = true
				} else {
					due(1)
				}
			case picture:
				if alt := altOf(z, more); alt != "" && !ends {
					write(alt)
				}
			}
			if name == "pre" {
				if ends {
					pre = max(pre-1, 0)
				} else {
					pre++
				}
			}
		}
	}
}

func altOf(z *html.Tokenizer, more bool) string {
	for more {
		var k, v []byte
		k, v, more = z.TagAttr()
		if string(k) == "alt" {
			return strings.TrimSpace(string(v))
		}
	}
	return ""
}

func endsInSpace(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return unicode.IsSpace(r)
}

// collapse turns every run of white space into one space, and none at the
// start when the text before it already ends a line or a word.
func collapse(s string, atStart bool) string {
	var b strings.Builder
	b.Grow(len(s))
	space := atStart
	for _, r := range s {
		if r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == '\f' {
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		}
		space = false
		b.WriteRune(r)
	}
	return b.String()
}

// PlainLine makes one line out of what should be a name or a title: tags, line
// breaks, control characters and the marks that turn the direction of the text
// around it are taken out, white space is collapsed, and what is longer than max
// runes is cut. Another server's name cannot forge the words beside it.
func PlainLine(s string, max int) string {
	s = stripTags(wellFormed(cutBytes(s, 8*max+1024)))
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == '\u00ad' || r == '\u200b' || r == '\u200e' || r == '\u200f' || r == '\u061c' || r == '\ufeff' || r == '\u2060',
			r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u206f', r >= 0xe0000 && r <= 0xe007f, unicode.IsControl(r):
			return -1
		}
		return r
	}, s)
	return cutRunes(strings.Join(strings.Fields(s), " "), max)
}

func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// cutRunes is the first max runes of s, without a space at its end.
func cutRunes(s string, max int) string {
	n := 0
	for i := range s {
		if n == max {
			return strings.TrimSpace(s[:i])
		}
		n++
	}
	return s
}

// stripTags takes out whole tags only, so that "3 < 4" stays as it is.
func stripTags(s string) string {
	for i := 0; i < len(s); {
		start := strings.IndexByte(s[i:], '<')
		if start < 0 {
			return s
		}
		start += i
		i = start + 1
		if i == len(s) || !(s[i] == '/' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z') {
			continue
		}
		length := strings.IndexAny(s[i:], "<>")
		if length < 0 {
			return s
		}
		if s[i+length] == '>' {
			s = s[:start] + s[i+length+1:]
			i = 0 // what stands around a tag may be one itself
		}
	}
	return s
}

// Excerpt is the beginning of an HTML document as one line of plain text, at
// most max runes long, cut between words and ended with "…" if there was more.
func Excerpt(source string, max int) string {
	return shorten(strings.Join(strings.Fields(Plain(source)), " "), max)
}

// shorten cuts s to max runes, "…" included, between words when there are any.
func shorten(s string, max int) string {
	if max <= 0 || utf8.RuneCountInString(s) <= max {
		return s
	}
	end, space, n := 0, 0, 0
	for i, r := range s {
		if n == max-1 {
			end = i
			if unicode.IsSpace(r) {
				space = i
			}
			break
		}
		if unicode.IsSpace(r) {
			space = i
		}
		n++
	}
	if space > end/2 {
		end = space
	} else {
		end = beforeMark(s, end)
	}
	return strings.TrimRight(s[:end], " \t\n,;:–—-") + "…"
}

// beforeMark moves a cut back so that no letter loses its accents.
func beforeMark(s string, end int) int {
	for end > 0 {
		r, _ := utf8.DecodeRuneInString(s[end:])
		if !unicode.Is(unicode.M, r) && r != '\u200d' && r != '\ufe0f' {
			return end
		}
		_, size := utf8.DecodeLastRuneInString(s[:end])
		end -= size
	}
	return end
}

// Teaser is one to three sentences from the running text of an article, at most
// 500 runes, that make sense on their own: what Mastodon shows between title
// and link. It is plain text; as an ActivityStreams summary it is escaped.
//
// FEP-b2b8 (summary).
func Teaser(source string) string {
	const most = 500
	s := strings.Join(strings.Fields(plain(wellFormed(source), notRunning)), " ")
	if s == "" { // all of it headings, tables or code
		s = strings.Join(strings.Fields(Plain(source)), " ")
	}
	end, sentences := 0, 0
	for sentences < 3 {
		next := sentenceEnd(s, end)
		if utf8.RuneCountInString(s[:next]) > most {
			break
		}
		end, sentences = next, sentences+1
		if end == len(s) {
			break
		}
	}
	if sentences == 0 {
		return shorten(s, most)
	}
	return strings.TrimSpace(s[:end])
}

var notRunning = map[string]bool{"h1": true, "h2": true, "h3": true, "h4": true, "h5": true, "h6": true, "pre": true,
	"table": true, "details": true, "blockquote": true}

// sentenceEnd is where the sentence that begins at from ends: after . ! ? … and
// what closes with it, when a new sentence follows. "e.g. this" and "Ms. Kahu" go on.
func sentenceEnd(s string, from int) int {
	for i := from; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		at := i
		i += size
		if strings.ContainsRune("。！？", r) {
			return i
		}
		if !strings.ContainsRune(".!?…", r) {
			continue
		}
		for i < len(s) {
			c, n := utf8.DecodeRuneInString(s[i:])
			if !strings.ContainsRune(".!?…\"'”’»)]", c) {
				break
			}
			i += n
		}
		if i == len(s) {
			return i
		}
		if s[i] != ' ' || r == '.' && abbreviation(s[from:at]) {
			continue
		}
		if next, _ := utf8.DecodeRuneInString(s[i+1:]); !unicode.IsLower(next) {
			return i
		}
	}
	return len(s)
}

// abbreviation reports whether the word before a full stop is one that seldom
// ends a sentence: a single letter, a title, or one with a stop in it.
func abbreviation(before string) bool {
	word := before[strings.LastIndexByte(before, ' ')+1:]
	word = strings.TrimLeft(word, "(\"'“‘[")
	if utf8.RuneCountInString(word) == 1 && word != "I" || strings.Contains(word, ".") && len(word) <= 5 {
		return true
	}
	switch strings.ToLower(word) {
	case "mr", "mrs", "ms", "dr", "prof", "st", "vs", "no", "yr", "approx", "fig", "cf":
		return true
	}
	return false
}
