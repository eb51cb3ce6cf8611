package federation_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/testnet"
)

// Addresses that look like others, and words that want to be more than words.
func TestHostileAddresses(t *testing.T) { hold(t, addressAttacks()) }

// lookalikes are addresses that are to be taken for one at y.test or at ours.
var lookalikes = []string{
	"https://Y.TEST/notes/1", "https://y.test./notes/1", "https://y.test:443/notes/1", "https://y.test:444/notes/1", "https://y.test:0443/notes/1", "http://y.test/notes/1", "HTTPS://y.test/notes/1",
	"https://x.test@y.test/notes/1", "https://y.test@x.test/notes/1", "https://x.test:pw@x.test/notes/1", "https://x.test\\@y.test/notes/1", "https://x.test%40y.test/notes/1", "https://x.test%2ey.test/1",
	"https://ｘ.test/notes/1", "https://x。test/notes/1", "https://x\u200b.test/notes/1", "https://х.test/notes/1", "https://xn--x-0ga.test/1", "https://x.test\x00.y.test/1", "https://x.test /1", "https:// x.test/1",
	"https://127.0.0.1/notes/1", "https://[::1]/notes/1", "https://0x7f000001/1", "https://2130706433/1", "https://127.1/1", "https://localhost/1", "https://x.test#@y.test/", "https://y.test?@x.test/",
	"https://OAK.test/o/1", "https://oak.test./o/1", "https://oak.test:443/o/1", "http://oak.test/o/1", "https://ｏak.test/o/1", "https://oak.test//o/1", "https://oak.test/o/1/", "https://oak.test/o/01",
	"ftp://x.test/1", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "acct:mallory@x.test", "at://did:plc:x/y", "ap://did:key:z6Mk/x", "x.test/notes/1", "mailto:a@x.test",
}

// evil are texts that browsers or readers could take for something else.
var evil = []string{
	`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `<a href="javascript:alert(1)">x</a>`, `<a href="JaVaScRiPt&#58;alert(1)">x</a>`, `<a href="&#x6a;avascript:alert(1)">x</a>`,
	"<a href=\"java\tscript:alert(1)\">x</a>", "<a href=\"\x01javascript:alert(1)\">x</a>", `<a href="data:text/html;base64,PHNjcmlwdD4=">x</a>`, `<a href="vbscript:x">x</a>`, `<svg onload=alert(1)>`,
	`<svg><script>alert(1)</script></svg>`, `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`, `<iframe src="javascript:alert(1)"></iframe>`,
	`<iframe srcdoc="<script>alert(1)</script>"></iframe>`, `<object data="x"></object><embed src="x">`, `<form action="https://x.test"><input name=q><button>`, `<style>*{background:url(https://x.test)}</style>`,
	`<p style="background:url(https://x.test/track)">x</p>`, `<base href="https://x.test/">`, `<meta http-equiv=refresh content="0;url=https://x.test">`, `<link rel=stylesheet href=https://x.test>`, `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
	`<template><script>alert(1)</script></template>`, `<textarea></textarea><script>alert(1)</script>`, `<xmp><script>alert(1)</script></xmp>`, `<p id="main" name="csrf" class="admin btn">x</p>`, `<!--><script>alert(1)</script>-->`, `<![CDATA[<script>alert(1)</script>]]>`,
	`<p onclick=alert(1) ONMOUSEOVER="x">x</p>`, `<video src="https://x.test/v" autoplay onloadstart=alert(1)></video>`, `<a href="https://y.test" target=_top ping="https://x.test" download>x</a>`, "</div></main></body></html><h1>Sign in again</h1>",
	"\u202egnp.exe", "\u200b\u200c\u200d\u2060\ufeff", "\x00\x01\x02\x7f\u0085", strings.Repeat("\u0301", 3000), strings.Repeat("W", 20_000), "а\u0301дmin", "\U000e0041\U000e0042", "\u2028\u2029", "{{.Secret}}", "${7*7}", "%s%n%x", "' OR 1=1 --", "\ufffd\uffff", "A\r\nSet-Cookie: x=y",
}

// harmless fails if a text that is shown as HTML does more than say something.
func (s *scene) harmless(where, source string) {
	s.t.Helper()
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		s.t.Error(err)
		return
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "style", "iframe", "object", "embed", "form", "input", "button", "svg", "math", "base", "meta", "link", "template", "noscript", "img", "video", "audio", "textarea", "title":
			s.t.Errorf("%s holds a %s: %.200q", where, n.Data, source)
		}
		for _, a := range n.Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "id" || a.Key == "name" || a.Key == "srcdoc" || a.Key == "ping" || a.Key == "target" ||
				a.Key == "href" && !strings.HasPrefix(value, "https://") && !strings.HasPrefix(value, "http://") && !strings.HasPrefix(value, "mailto:") {
				s.t.Errorf("%s holds %s=%q: %.200q", where, a.Key, a.Val, source)
			}
		}
	}
}

// line fails if what is shown on one line breaks it, hides in it or turns it round.
func (s *scene) line(where, text string, most int) {
	s.t.Helper()
	if strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '\u0085' || r == '\u200b' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u2028' || r == '\u2029' || r == '\ufeff' ||
			r >= 0xe0000 && r <= 0xe007f
	}) {
		s.t.Errorf("%s holds what is not seen: %.100q", where, text)
	}
	if n := len([]rune(text)); n > most {
		s.t.Errorf("%s has %d characters", where, n)
	}
}

// all runs a query for rows of texts.
func (s *scene) all(sql string, args ...any) [][]string {
	s.t.Helper()
	var out [][]string
	s.rows(sql, args, func(row []string) { out = append(out, row) })
	return out
}

// wordsAreHarmless looks at everything that was stored of other servers.
func (s *scene) wordsAreHarmless() {
	s.t.Helper()
	s.net.Settle()
	for _, row := range s.all("SELECT html, teaser, title, warning, url, extra, language, subject, level, licence FROM posts WHERE author_host <> ''") {
		s.harmless("a text", row[0])
		s.harmless("a teaser", row[1])
		s.line("a title", row[2], 150)
		s.line("a warning", row[3], 500)
		for _, address := range []string{row[4], row[9]} {
			if address != "" && !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") {
				s.t.Errorf("a post leads to %q", address)
			}
		}
		if strings.Contains(strings.ToLower(row[5]), `"javascript:`) || strings.Contains(row[5], `"data:`) {
			s.t.Errorf("a post holds %.300q", row[5])
		}
		for _, word := range row[6:9] {
			s.line("a word", word, 100)
		}
	}
	for _, row := range s.all("SELECT username, display_name, bio_html, fields, url, avatar, header, moved_to FROM accounts WHERE host <> ''") {
		s.line("a user name", row[0], 160)
		s.line("a name", row[1], 100)
		s.harmless("a profile", row[2])
		for _, address := range row[4:] {
			if address != "" && !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") {
				s.t.Errorf("an account leads to %q", address)
			}
		}
	}
	for _, row := range s.all("SELECT tag, name FROM post_tags") {
		s.line("a hashtag", row[1], 100)
		if row[0] == "" {
			s.t.Error("a hashtag is nothing")
		}
	}
	for _, row := range s.all("SELECT remote_url, alt, blurhash, mime FROM attachments WHERE remote_url <> ''") {
		if !strings.HasPrefix(row[0], "https://") && !strings.HasPrefix(row[0], "http://") {
			s.t.Errorf("a picture is at %q", row[0])
		}
		if n := len([]rune(row[1])); n > 1500 {
			s.t.Errorf("a description has %d characters", n)
		}
	}
	for _, row := range s.all("SELECT title FROM poll_options") {
		if n := len([]rune(row[0])); n > 500 {
			s.t.Errorf("an option has %d characters", n)
		}
	}
}

// pagesAreHarmless reads the pages that show a post to everybody.
func (s *scene) pagesAreHarmless(titles ...string) {
	s.t.Helper()
	client := s.net.Client()
	for _, row := range s.all("SELECT id FROM posts WHERE author_host = 'x.test' AND deleted_at IS NULL ORDER BY id DESC LIMIT 60") {
		res, err := client.Get("https://oak.test/posts/" + row[0])
		if err != nil {
			s.t.Fatal(err)
		}
		root, err := html.Parse(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode >= 500 {
			s.t.Errorf("the page is %d (%v)", res.StatusCode, err)
			continue
		}
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			for _, a := range n.Attr {
				value := strings.ToLower(strings.TrimSpace(a.Val))
				if strings.HasPrefix(a.Key, "on") || (a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "formaction") &&
					(strings.HasPrefix(value, "javascript:") || strings.HasPrefix(value, "vbscript:") || strings.HasPrefix(value, "data:")) || a.Key == "src" && (strings.HasPrefix(value, "https://x.test") || strings.HasPrefix(value, "//")) {
					s.t.Errorf("the page of a post holds <%s %s=%q>", n.Data, a.Key, a.Val)
				}
			}
			if n.Data == "script" && n.FirstChild != nil && strings.Contains(n.FirstChild.Data, "alert(1)") {
				s.t.Error("the page of a post runs a script of the post's")
			}
		}
	}
}

func addressAttacks() []attack {
	return []attack{
		{name: "notes at addresses that look like others", try: func(s *scene) {
			for _, id := range lookalikes {
				s.send(s.note(func(_, n doc) { n["id"] = id }))
			}
			s.net.Settle()
			for _, row := range s.all("SELECT uri FROM posts WHERE author_host = 'x.test'") {
				if host, err := iri.HostOf(row[0]); err != nil || host != "x.test" { // wide letters and the like lead there too
					s.t.Errorf("there is a note at %q", row[0])
				}
			}
		}, changes: []string{"account_counts ~1", "posts +4"}},
		{name: "activities at addresses that look like others", try: func(s *scene) {
			for _, id := range lookalikes {
				s.send(s.note(func(a, _ doc) { a["id"] = id }))
			}
		}, changes: []string{"account_counts ~1", "posts +4"}},
		{name: "actors at addresses that look like others", try: func(s *scene) {
			for _, id := range lookalikes {
				s.send(s.note(func(a, n doc) { a["actor"], n["attributedTo"] = id, id }), testnet.Signing{Actor: s.mallory()})
			}
		}},
		{name: "keys at addresses that look like others", try: func(s *scene) {
			for _, id := range lookalikes {
				if strings.ContainsAny(id, "\x00") {
					continue
				}
				s.send(s.by("mallory"), testnet.Signing{KeyID: id})
			}
		}, most: 20 * time.Second},
		{name: "objects at addresses that look like others", try: func(s *scene) {
			for _, kind := range []string{"Announce", "Like", "Delete", "Undo", "Follow", "Accept", "Block"} {
				for _, id := range lookalikes {
					s.send(s.deed(kind, id))
				}
			}
		}, changes: []string{anything}, most: time.Minute},
		{name: "replies to addresses that look like others", try: func(s *scene) {
			for _, id := range lookalikes {
				s.send(s.note(func(_, n doc) { n["inReplyTo"], n["context"], n["quote"] = id, id, id }))
			}
			s.net.Settle()
			if n := s.one("SELECT COUNT(*) FROM posts WHERE in_reply_to_author IN (SELECT id FROM accounts WHERE host <> 'x.test') AND author_host = 'x.test'"); n != "0" {
				s.t.Errorf("%s hang under something", n)
			}
		}, changes: []string{anything}, most: time.Minute},
		{name: "addresses as long as they come", try: func(s *scene) {
			long := "https://x.test/" + strings.Repeat("x", 200_000)
			s.send(s.note(func(a, _ doc) { a["id"] = long }))
			s.send(s.note(func(_, n doc) { n["id"] = long }))
			s.send(s.note(func(_, n doc) { n["attributedTo"] = long }))
			s.send(s.note(func(_, n doc) { n["inReplyTo"] = long }))
			s.send(s.note(func(_, n doc) { n["context"] = long }))
			s.send(s.deed("Like", long))
			s.send(s.deed("Undo", doc{"id": long, "type": "Like", "object": long}))
			s.send(s.deed("Announce", doc{"id": s.x.URL("/a"), "type": "Create", "actor": s.mallory(), "object": long}))
			s.send(s.deed("Follow", s.iri(s.ben), doc{"id": long}))
			s.send(s.deed("Accept", doc{"id": long, "type": "Follow", "actor": long, "object": long}))
		}},
		{name: "addresses of a note that are long, and only lead on", try: func(s *scene) {
			long := "https://x.test/" + strings.Repeat("x", 50_000)
			s.send(s.note(func(_, n doc) {
				n["url"], n["conversation"], n["quote"], n["acceptedAnswer"], n["license"] = long, long, long, long, long
				n["replies"], n["contributor"] = long, []string{long}
				n["tag"] = []doc{{"type": "Mention", "href": long, "name": long}, {"type": "Hashtag", "name": "#" + long, "href": long}, {"type": "Emoji", "name": ":" + long + ":", "icon": doc{"url": long}}}
				n["attachment"] = []doc{{"type": "Image", "url": long, "mediaType": "image/png", "name": long, "blurhash": long}}
			}))
		}, changes: []string{"account_counts ~1", "post_tags +1", "posts +1"}},
		{name: "actors with long addresses and names", try: func(s *scene) {
			long := "https://x.test/" + strings.Repeat("x", 50_000)
			s.actor("long", func(a doc) {
				a["endpoints"], a["outbox"], a["followers"], a["following"], a["featured"] = doc{"sharedInbox": long}, long, long, long, long
				a["url"], a["movedTo"], a["alsoKnownAs"], a["icon"], a["image"] = long, long, []string{long, long}, doc{"type": "Image", "url": long}, doc{"type": "Image", "url": long}
				a["name"], a["summary"] = strings.Repeat("N", 50_000), strings.Repeat("S", 50_000)
				a["attachment"] = list(200, func(i int) any {
					return doc{"type": "PropertyValue", "name": strings.Repeat("k", 300), "value": strings.Repeat("v", 300)}
				})
			})
			s.send(s.x.Follows("long", s.iri(s.ben)))
			s.net.Settle()
			s.send(s.by("long"))
			s.wordsAreHarmless()
			for _, column := range []string{"shared_inbox", "outbox", "followers_uri", "following_uri", "featured_uri", "url", "moved_to", "also_known_as", "avatar", "header", "fields"} {
				if n := s.one("SELECT length(" + column + ") FROM accounts WHERE username = 'long'"); len(n) > 4 {
					s.t.Errorf("%s of an account has %s characters", column, n)
				}
			}
			s.ben.PublishTo(community.Public, "To a follower with a long address")
			s.net.Settle()
			if len(s.x.Taken("Create")) == 0 {
				s.t.Error("the follower does not hear of a post")
			}
			s.send(doc{"@context": activityStreams, "id": s.x.URL("/undo/long"), "type": "Undo", "actor": s.x.Actor("long"), "object": s.x.Follows("long", s.iri(s.ben))})
		}, changes: []string{anything}},
		{name: "evil words in texts, titles, warnings and labels", try: func(s *scene) {
			for i, words := range evil {
				s.send(s.note(func(_, n doc) {
					n["content"], n["summary"], n["name"] = words, words, words
					n["type"] = []string{"Note", "Article", "Page", "Question", "Event", "Video", "Audio", "Document", "ChatMessage"}[i%9]
					n["educationalLevel"], n["about"], n["teaches"], n["kind"] = words, words, words, []string{"practice", "question", words}[i%3]
					n["oneOf"] = []doc{{"type": "Note", "name": words}, {"type": "Note", "name": "B"}}
					n["location"] = doc{"type": "Place", "name": words, "address": words, "url": words}
					n["startTime"], n["timezone"], n["status"], n["joinMode"] = "2026-01-01T00:00:00Z", words, words, words
					n["source"] = doc{"content": words, "mediaType": "text/markdown"}
				}))
				s.send(s.note(func(_, n doc) { n["content"], n["mediaType"], n["summary"] = words, "text/markdown", words }))
				s.send(s.note(func(_, n doc) { n["content"], n["mediaType"] = words, "text/plain" }))
				s.send(s.note(func(_, n doc) { n["contentMap"], n["nameMap"] = doc{"en": words, words: words}, doc{words: words} }))
			}
			s.wordsAreHarmless()
			s.pagesAreHarmless()
		}, changes: []string{anything}, most: time.Minute},
		{name: "evil words in tags, pictures, files and links", try: func(s *scene) {
			for _, words := range append(evil, "javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "//x.test/x.png", "\x01javascript:alert(1)", " javascript:alert(1)") {
				s.send(s.note(func(_, n doc) {
					n["name"], n["type"] = "A page", "Page"
					n["url"], n["license"], n["isBasedOn"] = []any{doc{"type": "Link", "href": words, "mediaType": "text/html"}, words}, words, words
					n["tag"] = []doc{{"type": "Hashtag", "name": words, "href": words}, {"type": "Mention", "name": words, "href": words}, {"type": "Emoji", "name": words, "icon": doc{"type": "Image", "url": words}},
						{"type": "Emoji", "name": ":e:", "icon": doc{"type": "Image", "url": words}}}
					n["content"] = "an :e: and " + words
					n["attachment"] = []doc{{"type": "Image", "url": words, "mediaType": "image/png", "name": words, "blurhash": words}, {"type": "Document", "url": "https://x.test/a.png", "mediaType": "image/png", "name": words, "blurhash": words},
						{"type": "Document", "url": words, "mediaType": words, "name": words}, {"type": "Link", "href": words, "name": words}, {"type": "Audio", "url": words, "name": words}}
					n["icon"], n["image"] = doc{"type": "Image", "url": words}, words
					n["externalParticipationUrl"] = words
				}))
			}
			s.wordsAreHarmless()
			s.pagesAreHarmless()
		}, changes: []string{anything}, most: time.Minute},
		{name: "evil words in profiles", try: func(s *scene) {
			for i, words := range append(evil, "javascript:alert(1)", "data:text/html,x", "admin", "amira", "x.test", "аmirа") {
				name := fmt.Sprintf("evil%d", i)
				s.actor(name, func(a doc) {
					a["name"], a["summary"] = words, words
					a["url"], a["icon"], a["image"], a["movedTo"], a["alsoKnownAs"] = words, doc{"type": "Image", "url": words}, doc{"type": "Image", "url": words}, words, []string{words}
					a["attachment"] = []doc{{"type": "PropertyValue", "name": words, "value": words}}
					a["tag"] = []doc{{"type": "Emoji", "name": words, "icon": doc{"url": words}}}
				})
				s.send(s.by(name))
				bad := fmt.Sprintf("bad%d", i)
				s.actor(bad, func(a doc) { a["preferredUsername"] = words })
				s.send(s.by(bad))
			}
			s.wordsAreHarmless()
			for _, row := range s.all("SELECT fields FROM accounts WHERE username LIKE 'evil%'") {
				if strings.Contains(strings.ToLower(row[0]), `\u003cscript`) || strings.Contains(row[0], "onerror") || strings.Contains(strings.ToLower(row[0]), `href=\"javascript`) {
					s.t.Errorf("a field holds %.200q", row[0])
				}
			}
		}, changes: []string{anything}, most: time.Minute},
	}
}
