package text

import (
	"fmt"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var oak = Links{
	Mention: func(user, host string) (string, string, bool) {
		if user == "nobody" {
			return "", "", false
		}
		if host == "" {
			host = "oak.test"
		}
		return "https://" + host + "/@" + user, user, true
	},
	Tag: func(tag string) string { return "https://oak.test/tags/" + TagKey(tag) },
}

func mention(host, user string) string {
	return `<a href="https://` + host + `/@` + user + `" class="u-url mention"` + relAttr + `>@<span>` + user + `</span></a>`
}

func TestRender(t *testing.T) {
	tests := []struct {
		name, source, want string
		mentions           []Handle
		tags               []string
	}{
		{name: "paragraphs and kept line breaks", source: "one\ntwo\n\nthree", want: "<p>one<br>\ntwo</p>\n<p>three</p>"},
		{name: "emphasis", source: "*a* **b** ~~c~~ `d`", want: "<p><em>a</em> <strong>b</strong> <del>c</del> <code>d</code></p>"},
		{name: "headings begin below the page's", source: "# A\n\n## B", want: "<h2>A</h2>\n<h3>B</h3>"},
		{name: "headings from two stay", source: "## B", want: "<h2>B</h2>"},
		{name: "HTML is shown as typed", source: "if x<y and z>w, <b>bold</b>", want: "<p>if x&lt;y and z&gt;w, &lt;b&gt;bold&lt;/b&gt;</p>"},
		{name: "script is shown as typed", source: "<script>alert(1)</script>", want: "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"},
		{name: "local and remote mention", source: "Thanks @ana and @bo@elm.test.",
			want:     "<p>Thanks " + mention("oak.test", "ana") + " and " + mention("elm.test", "bo") + ".</p>",
			mentions: []Handle{{"ana", ""}, {"bo", "elm.test"}}},
		{name: "unknown mention stays words", source: "@nobody", want: "<p>@nobody</p>"},
		{name: "one person twice", source: "@ana @Ana", want: "<p>" + mention("oak.test", "ana") + " " + mention("oak.test", "Ana") + "</p>",
			mentions: []Handle{{"ana", ""}}},
		{name: "underscores are part of a name", source: "@__a_b_ *x*", want: "<p>" + mention("oak.test", "__a_b_") + " <em>x</em></p>",
			mentions: []Handle{{"__a_b_", ""}}},
		{name: "mail address is no mention", source: "ana@oak.test", want: `<p><a href="mailto:ana@oak.test"` + relAttr + `>ana@oak.test</a></p>`},
		{name: "not in code", source: "`@ana #a`\n\n```\n@ana #a\n```\n\n    @ana #a",
			want: "<p><code>@ana #a</code></p>\n<pre><code>@ana #a\n</code></pre>\n<pre><code>@ana #a\n</code></pre>"},
		{name: "not in a link's words", source: "[x @ana #a](https://x.test/)", want: `<p><a href="https://x.test/"` + relAttr + `>x @ana #a</a></p>`},
		{name: "not in an address", source: "https://x.test/@ana#a",
			want: `<p><a href="https://x.test/@ana#a"` + relAttr + `><span class="invisible">https://</span><span>x.test/@ana#a</span></a></p>`},
		{name: "long address is shortened", source: "<https://www.example.org/reading/running-records/2026>",
			want: `<p><a href="https://www.example.org/reading/running-records/2026"` + relAttr + `><span class="invisible">https://www.</span>` +
				`<span class="ellipsis">example.org/reading/running-re</span><span class="invisible">cords/2026</span></a></p>`},
		{name: "hashtag with a macron", source: "#Māori #1 a#b",
			want: `<p><a href="https://oak.test/tags/m%C4%81ori" class="mention hashtag" rel="tag nofollow noopener noreferrer">#<span>Māori</span></a> #1 a#b</p>`,
			tags: []string{"Māori"}},
		{name: "dangerous link", source: "[x](javascript:alert(1)) [y](data:text/html,a)", want: "<p>x y</p>"},
		{name: "picture becomes a link", source: "![A cat](https://x.test/cat.png)", want: `<p><a href="https://x.test/cat.png"` + relAttr + `>A cat</a></p>`},
		{name: "table", source: "|a|b|\n|-|:-:|\n|1|2|",
			want: "<table>\n<thead>\n<tr>\n<th>a</th>\n<th align=\"center\">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n<td align=\"center\">2</td>\n</tr>\n</tbody>\n</table>"},
		{name: "list that starts at three", source: "3. a\n4. b", want: "<ol start=\"3\">\n<li>a</li>\n<li>b</li>\n</ol>"},
		{name: "nothing", source: " \n", want: ""},
	}
	for _, tt := range tests {
		got := Render(tt.source, oak)
		if html := strings.TrimSpace(got.HTML); html != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, html, tt.want)
		}
		if !reflect.DeepEqual(got.Mentions, tt.mentions) || !reflect.DeepEqual(got.Tags, tt.tags) {
			t.Errorf("%s: mentions %v, tags %v; want %v, %v", tt.name, got.Mentions, got.Tags, tt.mentions, tt.tags)
		}
	}
}

func TestFind(t *testing.T) {
	source := "@ana, @bo@Elm.test and @nobody: #Maths #maths #Running_Records, `#code` @ANA"
	if got, want := FindMentions(source), []Handle{{"ana", ""}, {"bo", "Elm.test"}, {"nobody", ""}}; !reflect.DeepEqual(got, want) {
		t.Errorf("FindMentions = %v, want %v", got, want)
	}
	if got, want := FindTags(source), []string{"Maths", "Running_Records"}; !reflect.DeepEqual(got, want) {
		t.Errorf("FindTags = %v, want %v", got, want)
	}
}

func TestMentionAt(t *testing.T) {
	tests := []struct {
		in   string
		want Handle
		n    int
	}{
		{"@ana", Handle{"ana", ""}, 4},
		{"@ana.", Handle{"ana", ""}, 4},
		{"@ana.b-c d", Handle{"ana.b-c", ""}, 8},
		{"@ana@oak.test,", Handle{"ana", "oak.test"}, 13},
		{"@ana@schule-köln.test!", Handle{"ana", "schule-köln.test"}, len("@ana@schule-köln.test")},
		{"@ana@localhost:8080 x", Handle{"ana", "localhost:8080"}, 19},
		{"@ana@oak.test: yes", Handle{"ana", "oak.test"}, 13},
		{"@ana@", Handle{}, 0},
		{"@ana@b@c", Handle{}, 0},
		{"@renée", Handle{}, 0},
		{"@", Handle{}, 0},
		{"@@a", Handle{}, 0},
		{"@.a", Handle{}, 0},
		{"@" + strings.Repeat("a", maxUser+1), Handle{}, 0},
	}
	for _, tt := range tests {
		if got, n := mentionAt(tt.in); got != tt.want || n != tt.n {
			t.Errorf("mentionAt(%q) = %v, %d; want %v, %d", tt.in, got, n, tt.want, tt.n)
		}
	}
}

func TestTagAt(t *testing.T) {
	for in, want := range map[string]string{
		"#a": "a", "#Year3!": "Year3", "#3D": "3D", "#123": "", "#_": "", "#Te_Reo-Māori": "Te_Reo", "#日本語。": "日本語",
		"#ma\u0304ori": "ma\u0304ori", "#\u0304a": "", "# a": "", "#": "", "#" + strings.Repeat("a", maxTag+1): "", "#किताब": "किताब",
	} {
		if got, _ := tagAt(in); got != want {
			t.Errorf("tagAt(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestTagKey(t *testing.T) {
	if a, b := TagKey("#MĀori"), TagKey("ma\u0304ori"); a != "māori" || a != b {
		t.Errorf("TagKey gave %q and %q, want māori twice", a, b)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "tag")
		if key := TagKey("#" + s); TagKey("#"+key) != key {
			t.Errorf("TagKey(%q) = %q is not stable", s, key)
		}
	})
}

// worked is how long processors have worked for this process, which does not
// depend on what else they have to do.
func worked(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestRenderTakesNoLongForHostileText(t *testing.T) {
	for _, piece := range []string{"[", "![", "*a ", "**a", "`", ">", "- ", "<", "@a", "#a", "[a](", "|", "~~", "_a_", "&", "\\", "(", "1. ", "https://a", "@a@", "[a]: x\n", "> - ", "\t"} {
		before := worked(t)
		Render(strings.Repeat(piece, MaxSource/len(piece)+1), oak)
		if took := worked(t) - before; took > 5*time.Second {
			t.Errorf("%q again and again took %v", piece, took)
		}
	}
}

func FuzzRender(f *testing.F) {
	for _, s := range []string{"# a\n\n@b #c", "[a](b) ![c](d)", "|a|\n|-|\n|@b|", "- [ ] a\n  - b", "`@a`", "https://a.test/@b", "<b>", "*#a*_@b_", "> 1. a\n\n---"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 1<<12 {
			return
		}
		late := time.AfterFunc(5*time.Second, func() { panic(fmt.Sprintf("Render(%q) does not end", source)) })
		defer late.Stop()
		r := Render(source, oak)
		checkSafe(t, r.HTML)
		if Sanitise(r.HTML) != r.HTML {
			t.Errorf("Render(%q) = %q is not sanitised", source, r.HTML)
		}
		known := map[Handle]bool{}
		for _, h := range FindMentions(source) {
			known[h] = true
		}
		for _, h := range r.Mentions {
			if !known[h] {
				t.Errorf("Render(%q) mentions %v, which FindMentions does not find", source, h)
			}
		}
		if found := FindTags(source); !reflect.DeepEqual(found, r.Tags) {
			t.Errorf("Render(%q) has the tags %v, FindTags %v", source, r.Tags, found)
		}
	})
}
