package text

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

const relAttr = ` rel="nofollow noopener noreferrer"`

// FEP-b2b8 (the HTML of long texts), and what does harm.
func TestSanitise(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain text", "Exit tickets & more", "Exit tickets &amp; more"},
		{"script goes with its content", `<p>a<script>alert(1)</script>b</p>`, `<p>ab</p>`},
		{"script in capitals, unclosed", `a<SCRIPT src=//x>alert(1)`, `a`},
		{"event handlers", `<p onclick="x()" ONMOUSEOVER=y>hi</p>`, `<p>hi</p>`},
		{"style attribute and element", `<style>p{}</style><p style="position:fixed">x</p>`, `<p>x</p>`},
		{"javascript link", `<a href="javascript:alert(1)">x</a>`, `x`},
		{"javascript link with a tab in it", "<a href=\"java\tscript:alert(1)\">x</a>", `x`},
		{"data link", `<a href="data:text/html,hi">x</a>`, `x`},
		{"relative link", `<a href="/admin">x</a>`, `x`},
		{"link with a user name in it", `<a href="https://school.example@evil.test/">x</a>`, `<a href="https://evil.test/"` + relAttr + `>x</a>`},
		{"mail link", `<a href="mailto:ana@oak.test">x</a>`, `<a href="mailto:ana@oak.test"` + relAttr + `>x</a>`},
		{"rel and target are ours", `<a href="https://x.test/" target="_blank" rel="opener">x</a>`, `<a href="https://x.test/"` + relAttr + `>x</a>`},
		{"hashtag keeps its rel", `<a class="mention hashtag x" href="https://x.test/tags/a" rel="tag">#<span>a</span></a>`,
			`<a href="https://x.test/tags/a" class="mention hashtag" rel="tag nofollow noopener noreferrer">#<span>a</span></a>`},
		{"only Mastodon's classes", `<span class="invisible evil">a</span><p class="invisible">b</p>`, `<span class="invisible">a</span><p>b</p>`},
		{"link in a link", `<a href="https://a.test">a<a href="https://b.test">b</a></a>c`,
			`<a href="https://a.test"` + relAttr + `>a</a><a href="https://b.test"` + relAttr + `>b</a>c`},
		{"headings sink when there is an h1", `<h1>a</h1><h2>b</h2><h6>c</h6>`, `<h2>a</h2><h3>b</h3><h6>c</h6>`},
		{"headings stay otherwise", `<h2>b</h2>`, `<h2>b</h2>`},
		{"language and direction", `<p lang="mi" dir="ltr">a</p><p lang="x&quot;y" dir=up>b</p>`, `<p lang="mi" dir="ltr">a</p><p>b</p>`},
		{"lists", `<ol start="3" reversed type=a><li value=4>a</ol>`, `<ol start="3" reversed=""><li value="4">a</li></ol>`},
		{"list item without a list", `<li>a</li>b`, `<p>a</p><p>b</p>`},
		{"table filled in", `<table><td colspan=2 align=right>1<td>2<tr><th scope=row>3</table>`,
			`<table><tr><td colspan="2" align="right">1</td><td>2</td></tr><tr><th scope="row">3</th></tr></table>`},
		{"cell without a table", `<td>a</td>`, `<p>a</p>`},
		{"unclosed elements end", `<blockquote><b>x`, `<blockquote><b>x</b></blockquote>`},
		{"stray ends go", `a</div></blockquote></p>b`, `a<p>b</p>`},
		{"crossed ends", `<b><i>x</b>y</i>`, `<b><i>x</i></b>y`},
		{"block in a paragraph", `<p>a<ul><li>b</li></ul>c</p>`, `<p>a</p><ul><li>b</li></ul>c`},
		{"divisions become paragraphs", `<div>a</div><div>b<br>c</div>`, `<p>a</p><p>b<br>c</p>`},
		{"divisions around paragraphs leave nothing", `<div><p>a</p></div>`, `<p>a</p>`},
		{"picture becomes a link", `<p><img src="https://x.test/cat.png" alt="A cat" onerror=x></p>`,
			`<p><a href="https://x.test/cat.png"` + relAttr + `>A cat</a></p>`},
		{"picture without words", `<img src="https://x.test/cat.png">`, `<a href="https://x.test/cat.png"` + relAttr + `>x.test/cat.png</a>`},
		{"picture in a link", `<a href="https://x.test/"><img src="https://x.test/cat.png" alt="A cat"></a>`, `<a href="https://x.test/"` + relAttr + `>A cat</a>`},
		{"custom emoji", `<img class="emoji" src="https://x.test/c.png" alt=":cat:">`, `:cat:`},
		{"picture from nowhere", `<img src=x onerror=alert(1) alt="a <b>">`, `a &lt;b&gt;`},
		{"embedded page becomes a link", `<iframe src="https://v.test/1"><p>old</p></iframe>b`, `<a href="https://v.test/1"` + relAttr + `>v.test/1</a>b`},
		{"svg goes", `a<svg><style><img src=x onerror=alert(1)></style></svg>b`, `ab`},
		{"math goes", `a<math><mtext></mtext></math>b`, `ab`},
		{"comment and doctype go", `<!doctype html><!-- x --><p>a</p>`, `<p>a</p>`},
		{"unknown element keeps its text", `<blink>a</blink>`, `a`},
		{"attribute twice: the first counts", `<a href="https://a.test" href="javascript:x">x</a>`, `<a href="https://a.test"` + relAttr + `>x</a>`},
		{"null and controls go", "a\x00b\x1bc\u009fd", `abcd`},
		{"not UTF-8", "a\xffb", "a\uFFFDb"},
		{"quotes in an address", `<a href='https://x.test/"onmouseover="x'>y</a>`, `<a href="https://x.test/%22onmouseover=%22x"` + relAttr + `>y</a>`},
		{"text that looks escaped stays text", `&lt;script&gt;`, `&lt;script&gt;`},
	}
	for _, tt := range tests {
		if got := Sanitise(tt.in); got != tt.want {
			t.Errorf("%s: Sanitise(%q)\n got %s\nwant %s", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestSanitiseIsBounded(t *testing.T) {
	for name, in := range map[string]string{
		"long text":      strings.Repeat("ā", MaxHTML),
		"many links":     strings.Repeat(`<a href="https://x">`, MaxHTML/20),
		"deep nesting":   strings.Repeat("<blockquote>", MaxHTML/12),
		"deep tables":    strings.Repeat("<table><td>", MaxHTML/11),
		"many escapes":   strings.Repeat("'", MaxHTML),
		"many open tags": strings.Repeat("<", MaxHTML),
		"long attribute": `<a href="https://x.test/` + strings.Repeat("a", MaxHTML),
	} {
		got := Sanitise(in)
		if len(got) > MaxHTML || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes came out, want at most %d", name, len(got), MaxHTML)
		}
		if Sanitise(got) != got {
			t.Errorf("%s: sanitising twice changed it", name)
		}
	}
	if got := Sanitise(strings.Repeat("<blockquote>", 500)); strings.Count(got, "<blockquote>") != maxDepth {
		t.Errorf("depth %d, want %d", strings.Count(got, "<blockquote>"), maxDepth)
	}
}

// checkSafe holds what must be true of everything Sanitise returns.
func checkSafe(t interface{ Errorf(string, ...any) }, in string) {
	out := Sanitise(in)
	if !utf8.ValidString(out) {
		t.Errorf("Sanitise(%q) = %q is not UTF-8", in, out)
	}
	if again := Sanitise(out); again != out {
		t.Errorf("Sanitise(%q)\n once %q\ntwice %q", in, out, again)
	}
	if passed := policy.Sanitize(out); passed != out {
		t.Errorf("Sanitise(%q) = %q, of which the policy leaves %q", in, out, passed)
	}
	if cleaned := clean(wellFormed(in)); cleaned != out {
		t.Errorf("of %q the cleaner left %q and the policy %q: they are two readings of one table", in, cleaned, out)
	}
	// In safe HTML every "<" begins a known tag, and quotes enclose values only.
	var open []string
	for rest := out; ; {
		_, after, more := strings.Cut(rest, "<")
		if !more {
			break
		}
		tag, remaining, closed := strings.Cut(after, ">")
		name, ends := strings.CutPrefix(tag, "/")
		name, attrs, _ := strings.Cut(name, " ")
		k := elements[name]
		if !closed || k == unknown || k >= division {
			t.Errorf("Sanitise(%q) = %q has the tag <%s>", in, out, tag)
			break
		}
		for attrs != "" {
			key, value, _ := strings.Cut(attrs, `="`)
			value, attrs, _ = strings.Cut(value, `"`)
			attrs = strings.TrimPrefix(attrs, " ")
			switch key {
			case "href":
				if !strings.HasPrefix(value, "https://") && !strings.HasPrefix(value, "http://") && !strings.HasPrefix(value, "mailto:") {
					t.Errorf("Sanitise(%q) links to %q", in, value)
				}
			case "class", "rel", "translate", "lang", "dir", "start", "reversed", "value", "colspan", "rowspan", "align", "scope":
			default:
				t.Errorf("Sanitise(%q) = %q has the attribute %q", in, out, key)
			}
		}
		switch {
		case k == void:
		case !ends:
			open = append(open, name)
		case len(open) == 0 || open[len(open)-1] != name:
			t.Errorf("Sanitise(%q) = %q is not balanced at </%s>", in, out, name)
			return
		default:
			open = open[:len(open)-1]
		}
		rest = remaining
	}
	if len(open) > 0 {
		t.Errorf("Sanitise(%q) = %q leaves %v open", in, out, open)
	}
}

// pieces are what hostile and merely untidy HTML is made of.
var pieces = []string{"<p>", "</p>", "<div>", "</div>", "<b>", "</b>", "<a href='https://x.test/?a=b&c'>", `<a href="JaVaScRiPt:x">`, "</a>",
	"<ul>", "</ul>", "<ol start=2>", "<li>", "</li>", "<table>", "</table>", "<tr>", "</tr>", "<td>", "</td>", "<th>", "<tbody>", "<caption>",
	"<blockquote>", "</blockquote>", "<pre>", "</pre>", "<code>", "</code>", "<h1>", "</h1>", "<h2>", "</h2>", "<h6>", "<br>", "<br/>", "<hr>",
	"<script>", "</script>", "<style>", "</style>", "<svg>", "</svg>", "<math>", "<iframe src=https://x>", "</iframe>", "<img src=https://x.test/a.png alt=x>",
	"<img alt=':x:'>", "<details>", "<summary>", "</summary>", "</details>", "<textarea>", "</textarea>", "<title>", "<plaintext>", "<!--", "-->", "<![CDATA[", "]]>",
	"<span class='invisible mention'>", "</span>", "<x y=z>", "text", " ", "\n", "&lt;", "&amp;lt;", "&#0;", "&#x0d;", "\r", "<", ">", "\"", "'", "=", "\x00", "\xc3",
	"<p onclick=x lang=en>", "<menu>", "<tt>", "<form>", "<ruby>", "<rt>", "\u2028"}

func TestSanitiseSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(pieces), rapid.String()), 0, 40).Draw(t, "parts")
		checkSafe(t, strings.Join(parts, ""))
	})
}

func FuzzSanitise(f *testing.F) {
	for _, p := range pieces {
		f.Add(p)
	}
	f.Add(`<p><span class="h-card"><a href="https://oak.test/@ana" class="u-url mention">@<span>ana</span></a></span></p>`)
	f.Add(`<a href="https://[::1]:80/%zz?#"><a href="http:x"><a href="mailto:?a">`)
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > 1<<14 {
			return
		}
		checkSafe(t, in)
		for name, s := range map[string]string{"Plain": Plain(in), "PlainLine": PlainLine(in, 50), "Excerpt": Excerpt(in, 50), "Teaser": Teaser(in)} {
			if !utf8.ValidString(s) {
				t.Errorf("%s(%q) = %q is not UTF-8", name, in, s)
			}
		}
	})
}

func BenchmarkSanitise(b *testing.B) {
	note := `<p><span class="h-card" translate="no"><a href="https://oak.test/@ana" class="u-url mention">@<span>ana</span></a></span> We tried exit tickets on paper, and it took us five minutes. <a href="https://elm.test/tags/ExitTickets" class="mention hashtag" rel="tag">#<span>ExitTickets</span></a></p>`
	b.ReportAllocs()
	for b.Loop() {
		Sanitise(note)
	}
}
