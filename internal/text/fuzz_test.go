package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// inert fails if a browser's parser finds anything in safe HTML that runs,
// loads, or leads somewhere but to the web or a mailbox.
func inert(t *testing.T, in, out string) {
	t.Helper()
	for _, context := range []string{"<div>" + out + "</div>", "<table><tr><td>" + out + "</td></tr></table>", "<ul><li>" + out + "</li></ul>"} {
		root, err := html.Parse(strings.NewReader(context))
		if err != nil {
			t.Fatal(err)
		}
		for n := range root.Descendants() {
			if n.Type == html.CommentNode || n.Type == html.DoctypeNode {
				t.Errorf("%q became %q, which holds a comment", in, out)
			}
			if n.Type != html.ElementNode {
				continue
			}
			if k, known := elements[n.Data]; (!known || k == dropped || k >= division && k != picture) && n.Data != "div" && n.Data != "html" && n.Data != "head" && n.Data != "body" && n.Data != "tbody" {
				t.Errorf("%q became %q, which a browser reads with <%s>", in, out, n.Data)
			}
			for _, a := range n.Attr {
				lower := strings.ToLower(strings.TrimSpace(a.Val))
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" || a.Key == "id" || a.Key == "name" ||
					a.Key == "href" && !strings.HasPrefix(lower, "https://") && !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "mailto:") {
					t.Errorf("%q became %q, which a browser reads with %s=%q", in, out, a.Key, a.Val)
				}
			}
		}
	}
}

// What is safe to us is safe to a browser, wherever a page puts it.
func FuzzBrowser(f *testing.F) {
	for _, p := range pieces {
		f.Add(p)
	}
	f.Add(`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`)
	f.Add(`<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">`)
	f.Add(`<a href="&#x6a;avascript:x"><noscript><p title="</noscript><img src=x onerror=x>">`)
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > 1<<13 {
			return
		}
		inert(t, in, Sanitise(in))
		inert(t, in, Render(in, Links{}).HTML)
	})
}

// A name or a title is one line, as long as it may be, without what is not seen.
func FuzzPlainLine(f *testing.F) {
	for _, s := range []string{"a <b>c</b>", "<<a>script>", "\u202eabc", "a\nb\x00c", "\U000e0041", "<a <b>>", "x\u0301\u0301", "  ", "<", "&lt;b&gt;", "\xff"} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, most int) {
		if most < 0 || most > 1000 {
			return
		}
		line := PlainLine(s, most)
		if !utf8.ValidString(line) || utf8.RuneCountInString(line) > most || strings.TrimSpace(line) != line {
			t.Errorf("PlainLine(%q, %d) = %q", s, most, line)
		}
		if strings.ContainsFunc(line, func(r rune) bool {
			return unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u200b' || r == '\u2028' || r == '\u2029'
		}) {
			t.Errorf("PlainLine(%q) = %q hides something", s, line)
		}
		if again := PlainLine(line, most); again != line {
			t.Errorf("PlainLine(%q) = %q, and of that %q", s, line, again)
		}
		if key := TagKey(line); TagKey(key) != key {
			t.Errorf("TagKey(%q) = %q, and of that %q", line, key, TagKey(key))
		}
	})
}

// Pictures stand where names stood and change nothing else.
func FuzzEmoji(f *testing.F) {
	for _, s := range []string{":a:", "<p>:a::b:</p>", "<a href=\":a:\">:a:</a>", "<code>:a:</code>", "::a:", ":a: &amp; :x:", "<b>:a", ":" + strings.Repeat("a", 70) + ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<12 {
			return
		}
		safe := Sanitise(s)
		none := Emoji(safe, func(string) (string, bool) { return "", false })
		if none != safe {
			t.Errorf("Emoji(%q) without any = %q", safe, none)
		}
		all := Emoji(safe, func(name string) (string, bool) { return "/e/" + name + `"><script>`, true })
		if Plain(all) != Plain(safe) {
			t.Errorf("with pictures %q reads %q, without %q", safe, Plain(all), Plain(safe))
		}
		root, err := html.Parse(strings.NewReader(all))
		if err != nil {
			t.Fatal(err)
		}
		pictures := 0
		for n := range root.Descendants() {
			if n.Type == html.ElementNode && n.Data == "script" {
				t.Errorf("Emoji(%q) = %q runs a script", safe, all)
			}
			if n.Type == html.ElementNode && n.Data == "img" {
				pictures++
			}
		}
		if pictures > mostEmoji {
			t.Errorf("%d pictures", pictures)
		}
	})
}
