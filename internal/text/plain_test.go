package text

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestPlain(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"paragraphs", "<p>a  b\nc</p><p>d</p>", "a b c\n\nd"},
		{"line breaks", "<p>a<br>b<br><br>c</p>", "a\nb\n\nc"},
		{"list", "<p>x</p><ul><li>a</li><li>b</li></ul>", "x\n\na\nb"},
		{"table", "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"},
		{"shortened link is whole again", `<a href="https://a.test/b"><span class="invisible">https://</span><span class="ellipsis">a.t</span><span class="invisible">est/b</span></a>`, "https://a.test/b"},
		{"code keeps its lines", "<pre><code>a\n  b</code></pre>", "a\n  b"},
		{"entities", "a &amp; b &lt;c&gt;", "a & b <c>"},
		{"no script", "a<script>b</script>c", "ac"},
		{"picture", `a <img alt="b">`, "a b"},
		{"inline elements join", "<b>a</b><i>b</i>", "ab"},
	}
	for _, tt := range tests {
		if got := Plain(tt.in); got != tt.want {
			t.Errorf("%s: Plain(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestPlainLine(t *testing.T) {
	tests := []struct {
		name, in string
		max      int
		want     string
	}{
		{"white space", "  Ana\n\t Kahu\u00a0 ", 50, "Ana Kahu"},
		{"tags", "<b>Ana</b> <script>x</script>", 50, "Ana x"},
		{"tags in tags", "<<b>script>x", 50, "x"},
		{"less than", "3 < 4 <3 a<b", 50, "3 < 4 <3 a<b"},
		{"direction overrides", "Ana\u202egnp.exe\u2066", 50, "Anagnp.exe"},
		{"controls and invisible letters", "A\x00n\x1ba\u200b\u00ad\ufeff", 50, "Ana"},
		{"emoji of several parts", "👩\u200d🏫", 50, "👩\u200d🏫"},
		{"too long", "Māori language week", 6, "Māori"},
	}
	for _, tt := range tests {
		if got := PlainLine(tt.in, tt.max); got != tt.want {
			t.Errorf("%s: PlainLine(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestExcerpt(t *testing.T) {
	tests := []struct {
		name, in string
		max      int
		want     string
	}{
		{"short", "<p>one two</p>", 20, "one two"},
		{"between words", "<p>one two three four</p>", 12, "one two…"},
		{"no comma before the end", "<p>one two, three four</p>", 14, "one two…"},
		{"one long word", strings.Repeat("a", 30), 10, strings.Repeat("a", 9) + "…"},
		{"accents stay with their letter", strings.Repeat("a\u0304", 30), 4, "a\u0304…"},
	}
	for _, tt := range tests {
		if got := Excerpt(tt.in, tt.max); got != tt.want {
			t.Errorf("%s: Excerpt(%q, %d) = %q, want %q", tt.name, tt.in, tt.max, got, tt.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s, max := rapid.String().Draw(t, "text"), rapid.IntRange(1, 60).Draw(t, "max")
		if got := Excerpt(escape(s), max); utf8.RuneCountInString(got) > max {
			t.Errorf("Excerpt(%q, %d) = %q is too long", s, max, got)
		}
	})
}

func TestTeaser(t *testing.T) {
	long := "Word " + strings.Repeat("word ", 150)
	tests := []struct{ name, in, want string }{
		{"three sentences of four", "<h2>Title</h2><p>One. Two! Three? Four.</p>", "One. Two! Three?"},
		{"abbreviations go on", "<p>Ms. Kahu tried e.g. grids, i.e. tables. It worked.</p>", "Ms. Kahu tried e.g. grids, i.e. tables. It worked."},
		{"numbers go on", "<p>It took 3.5 minutes. Then we sang.</p>", "It took 3.5 minutes. Then we sang."},
		{"quotation ends a sentence", "<p>“Again!” The class agreed.</p>", "“Again!” The class agreed."},
		{"no tables, code or quotations", "<pre>x.</pre><table><tr><td>y.</td></tr></table><blockquote>q.</blockquote><p>Text.</p>", "Text."},
		{"nothing else", "<h2>Only a title</h2>", "Only a title"},
		{"Chinese", "<p>一。二。三。四。</p>", "一。二。三。"},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		if got := Teaser(tt.in); got != tt.want {
			t.Errorf("%s: Teaser(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
	if got := Teaser("<p>" + long + "</p>"); utf8.RuneCountInString(got) > 500 || !strings.HasSuffix(got, "word…") {
		t.Errorf("a long sentence became %q", got)
	}
	if got := Teaser("<p>Short. " + long + ".</p>"); got != "Short." {
		t.Errorf("a short and a long sentence became %q", got)
	}
}
