package text

import (
	"strings"

	"golang.org/x/net/html"
)

// mostEmoji is how many pictures one text is given; a text of nothing but
// pictures must not become a hundred times as long.
const mostEmoji = 200

// Emoji puts pictures where safe HTML says :name:, wherever find knows the
// name. It looks into running text only, never into tags or code. A picture has
// its name as its text, so that what is read aloud or copied is what was written.
func Emoji(source string, find func(name string) (src string, ok bool)) string {
	if find == nil || strings.Count(source, ":") < 2 {
		return source
	}
	var b strings.Builder
	b.Grow(len(source) + len(source)/2)
	z := html.NewTokenizer(strings.NewReader(source))
	code, left := 0, mostEmoji
	for {
		t := z.Next()
		raw := z.Raw()
		switch t {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			if code == 0 {
				left = writeEmoji(&b, string(raw), find, left)
				continue
			}
		case html.StartTagToken, html.EndTagToken:
			if name, _ := z.TagName(); string(name) == "code" || string(name) == "pre" {
				if t == html.StartTagToken {
					code++
				} else {
					code = max(code-1, 0)
				}
			}
		}
		b.Write(raw)
	}
}

// EmojiLine is Emoji for a line of plain text: what it returns is HTML.
func EmojiLine(line string, find func(name string) (src string, ok bool)) string {
	return Emoji(html.EscapeString(line), find)
}

// writeEmoji writes a piece of escaped text and returns how many pictures may
// still follow.
func writeEmoji(b *strings.Builder, s string, find func(string) (string, bool), left int) int {
	for {
		start := strings.IndexByte(s, ':')
		if start < 0 || left == 0 {
			b.WriteString(s)
			return left
		}
		length := 0
		for length < len(s)-start-1 && length <= 64 && emojiByte(s[start+1+length]) {
			length++
		}
		end := start + 1 + length
		if length == 0 || end >= len(s) || s[end] != ':' {
			b.WriteString(s[:start+1])
			s = s[start+1:]
			continue
		}
		name := s[start+1 : end]
		src, ok := find(name)
		if !ok {
			b.WriteString(s[:end]) // the second colon may be another's first
			s = s[end:]
			continue
		}
		b.WriteString(s[:start])
		shown := html.EscapeString(":" + name + ":")
		b.WriteString(`<img class="emoji" src="` + html.EscapeString(src) + `" alt="` + shown + `" title="` + shown + `" width="20" height="20" loading="lazy" decoding="async">`)
		left--
		s = s[end+1:]
	}
}

func emojiByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '+' || c == '-' || c == '.' || c == '@'
}
