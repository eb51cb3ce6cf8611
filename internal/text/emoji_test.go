package text

import (
	"strings"
	"testing"
)

func TestEmoji(t *testing.T) {
	find := func(name string) (string, bool) {
		if name == "owl" || name == "big_owl" {
			return "/media/emoji/1/" + name, true
		}
		return "", false
	}
	const owl = `<img class="emoji" src="/media/emoji/1/owl" alt=":owl:" title=":owl:" width="20" height="20" loading="lazy" decoding="async">`
	tests := []struct{ name, in, want string }{
		{"in a text", "<p>An :owl: calls</p>", "<p>An " + owl + " calls</p>"},
		{"two that touch", "<p>:owl::owl:</p>", "<p>" + owl + owl + "</p>"},
		{"unknown beside known", "<p>:cat:owl:</p>", "<p>:cat" + owl + "</p>"},
		{"in an attribute", `<p><a href="https://a.test/:owl:">x</a></p>`, `<p><a href="https://a.test/:owl:">x</a></p>`},
		{"in code", "<pre><code>:owl:</code></pre><p>:owl:</p>", "<pre><code>:owl:</code></pre><p>" + owl + "</p>"},
		{"a time", "<p>at 10:30:00</p>", "<p>at 10:30:00</p>"},
		{"across elements", "<p>:ow<em>l:</em></p>", "<p>:ow<em>l:</em></p>"},
		{"entities stay", "<p>a &lt;b&gt; :owl: &amp;</p>", "<p>a &lt;b&gt; " + owl + " &amp;</p>"},
	}
	for _, tt := range tests {
		if got := Emoji(tt.in, find); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := EmojiLine(`<script> :owl:`, find); got != "&lt;script&gt; "+owl {
		t.Errorf("a line: %q", got)
	}
	if got := strings.Count(Emoji("<p>"+strings.Repeat(":owl: ", 1000)+"</p>", find), "<img"); got != mostEmoji {
		t.Errorf("a text of nothing but pictures has %d", got)
	}
	if got := Emoji("<p>:owl:</p>", func(string) (string, bool) { return `x" onerror="y`, true }); strings.Contains(got, `" onerror="`) {
		t.Errorf("an address breaks out: %q", got)
	}
}

// FEP-044f: the line that stands for a quote goes where the quote is shown.
func TestWithoutQuoteLink(t *testing.T) {
	const quoted = "https://a.test/@bo/1"
	tests := []struct{ name, in, want string }{
		{"Mastodon", `<p class="quote-inline">RE: <a href="https://a.test/@bo/1">a.test/@bo/1</a></p><p>So true</p>`, "<p>So true</p>"},
		{"Akkoma", `So true<span class="quote-inline"><br/><br/>RE: <a href="https://a.test/@bo/1">x</a></span>`, "So true"},
		{"Misskey without its class", `<p>So true</p><p>RE: <a href="https://a.test/@bo/1">https://a.test/@bo/1</a></p>`, "<p>So true</p>"},
		{"a link to something else", `<p>RE: <a href="https://b.test/2">x</a></p>`, `<p>RE: <a href="https://b.test/2">x</a></p>`},
		{"words of one's own", `<p>RE: the budget, see <a href="https://a.test/@bo/1">this</a></p>`, `<p>RE: the budget, see <a href="https://a.test/@bo/1">this</a></p>`},
		{"nothing", "<p>Hi</p>", "<p>Hi</p>"},
	}
	for _, tt := range tests {
		in := Sanitise(tt.in)
		want := Sanitise(tt.want)
		if got := WithoutQuoteLink(in, quoted); got != want {
			t.Errorf("%s: %q, want %q (of %q)", tt.name, got, want, in)
		}
		if again := Sanitise(in); again != in {
			t.Errorf("%s: sanitising twice changes %q to %q", tt.name, in, again)
		}
	}
}
