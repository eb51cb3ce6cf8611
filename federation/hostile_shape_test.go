package federation_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/testnet"
)

// Documents that are not what they seem, and bodies that are not worth their bytes.
func TestHostileShapes(t *testing.T) { hold(t, shapeAttacks()) }

// twice is a note by mallory with a member written twice, before and after.
func (s *scene) twice(member string) string {
	return strings.Replace(written(s.by("mallory")), "{", "{"+member+",", 1)
}

// withContext is a note by mallory whose @context holds more.
func (s *scene) withContext(context string, change func(a, n doc)) string {
	a := s.note(change)
	delete(a, "@context")
	return strings.Replace(written(a), "{", `{"@context":["`+activityStreams+`",`+context+`],`, 1)
}

func list(n int, each func(i int) any) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = each(i)
	}
	return out
}

func zipped(t testing.TB, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func deflated(t testing.TB, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func shapeAttacks() []attack {
	wide := func(name string, most time.Duration, changes []string, change func(s *scene, n doc)) attack {
		return attack{name: name, most: most, changes: changes, try: func(s *scene) { s.send(s.note(func(_, n doc) { change(s, n) })) }}
	}
	return []attack{
		{name: "ten thousand levels deep", try: func(s *scene) {
			for _, half := range [][2]string{{`{"object":`, `}`}, {`[`, `]`}, {`{"a":[`, `]}`}} {
				s.raw(`{"id":"https://x.test/deep","type":"Create","actor":"https://x.test/users/mallory","object":` + strings.Repeat(half[0], 10_000) + `7` + strings.Repeat(half[1], 10_000) + `}`)
				s.raw(strings.Repeat(half[0], 10_000)) // and never closed
			}
		}},
		{name: "bodies that are too long", try: func(s *scene) {
			for _, size := range []int{1<<20 + 1, 2 << 20} {
				s.raw(`{"id":"https://x.test/big","type":"Create","actor":"https://x.test/users/mallory","content":"` + strings.Repeat("x", size) + `"}`)
			}
		}},
		{name: "bodies that are no activity", try: func(s *scene) {
			for _, body := range []string{"", " ", "null", "7", `"x"`, "[]", "{}", "[{}]", "{", `{"id":1,"type":2,"actor":3}`, "\xef\xbb\xbf{}", "\xff\xfe{\x00}\x00", "<html>", "id: x",
				`{"id":"https://x.test/1"}`, `{"id":"https://x.test/1","type":"Create"}`, `{"id":null,"type":null,"actor":null,"object":null}`,
				`{"id":{},"type":[],"actor":{"id":[]}}`, `{"id":"","type":"","actor":""}`, "{\"id\":\"https://x.test/\x00\"}", `{"id":"https://x.test/1","type":"Create","actor":"https://x.test/users/mallory"}`} {
				s.raw(body)
			}
		}},
		{name: "objects that are no objects", try: func(s *scene) {
			for _, object := range []any{nil, 7, true, "", "x", []any{}, doc{}, []any{nil, 7}, doc{"id": 7}, doc{"type": "Note"}, doc{"id": s.x.URL("/n/1")}, doc{"id": s.x.URL("/n/2"), "type": "Note"},
				doc{"id": s.x.URL("/n/3"), "type": "Note", "attributedTo": s.mallory()}, []any{[]any{[]any{}}}, doc{"id": s.x.URL("/n/4"), "type": "Tombstone"}} {
				for _, kind := range []string{"Create", "Update", "Announce", "Like", "Undo", "Follow", "Accept", "Reject", "Block", "Flag", "Move", "Add", "Remove", "QuoteRequest"} {
					s.send(s.deed(kind, object))
				}
			}
		}, most: 20 * time.Second},
		{name: "members that are not what they should be", try: func(s *scene) {
			for _, member := range []string{"id", "type", "attributedTo", "content", "to", "cc", "published", "updated", "tag", "attachment", "inReplyTo", "summary", "name", "url", "context",
				"replies", "sensitive", "contentMap", "icon", "image", "endTime", "duration", "quote", "oneOf", "votersCount", "interactionPolicy"} {
				for _, v := range []any{nil, 7, -1e300, true, "", "\x00", json.RawMessage("\"\\ud800\""), []any{}, []any{nil}, []any{[]any{}}, doc{}, doc{"id": nil}, doc{"type": 7}, []any{doc{}, doc{}}} {
					s.send(s.note(func(_, n doc) { n[member] = v }))
				}
			}
			if n := s.one("SELECT COUNT(*) FROM posts WHERE author_host <> 'x.test' AND html LIKE '%Forged%'"); n != "0" {
				s.t.Errorf("%s posts of others", n)
			}
		}, changes: []string{anything}, most: 60 * time.Second},
		{name: "id given twice", try: func(s *scene) { s.raw(s.twice(`"id":"https://y.test/a/1"`)) }},
		{name: "id given twice, in two spellings", try: func(s *scene) {
			s.raw(s.twice(`"@id":"https://y.test/a/1"`))
			s.raw(s.twice(`"\u0069d":"https://y.test/a/1"`))
			s.raw(s.twice(`"https://www.w3.org/ns/activitystreams#id":"https://y.test/a/1"`))
		}},
		{name: "actor given twice", try: func(s *scene) {
			s.raw(s.twice(`"actor":"https://y.test/users/pat"`))
			s.raw(s.twice(`"as:actor":"https://y.test/users/pat"`))
			s.raw(s.twice(`"https://www.w3.org/ns/activitystreams#actor":"https://y.test/users/pat"`))
			s.raw(s.twice(`"\u0061ctor":"https://y.test/users/pat"`))
		}},
		{name: "type given twice", try: func(s *scene) {
			s.raw(s.twice(`"type":"Delete"`))
			s.raw(s.twice(`"@type":"Delete"`))
		}},
		{name: "object given twice", try: func(s *scene) {
			s.raw(s.twice(`"object":"` + s.victim["id"].(string) + `"`))
			s.raw(s.twice(`"object":{"id":"` + s.victim["id"].(string) + `","type":"Note"}`))
		}},
		{name: "members of the object given twice", try: func(s *scene) {
			for _, member := range []string{`"id":"` + s.victim["id"].(string) + `"`, `"attributedTo":"https://y.test/users/pat"`, `"type":"Tombstone"`, `"to":"` + public + `"`} {
				s.raw(strings.Replace(written(s.by("mallory")), `"object":{`, `"object":{`+member+`,`, 1))
			}
		}},
		{name: "names in other letters", try: func(s *scene) {
			for _, name := range []string{"ID", "Actor", "ACTOR", "actor ", " actor", "actor\u200b", "аctor", "Object", "Type"} { // the first letter of one is Cyrillic
				s.raw(strings.Replace(written(s.by("mallory")), `"actor":`, `"`+name+`":"https://y.test/users/pat","was":`, 1))
			}
		}},
		{name: "contexts that make other words of ours", try: func(s *scene) {
			for _, context := range []string{
				`{"actor":"https://evil.test/ns#x","x":"as:actor"}`, `{"x":{"@id":"as:actor","@type":"@id"},"actor":null}`, `{"id":"https://evil.test/ns#id","uri":"@id"}`,
				`{"type":"https://evil.test/ns#type"}`, `{"object":{"@id":"https://evil.test/ns#object"}}`, `{"attributedTo":"as:actor"}`, `{"to":"as:cc"}`, `{"as":"https://evil.test/ns#"}`,
				`{"actor":{"@reverse":"as:object"}}`, `{"\u0061ctor":"https://evil.test/ns#x"}`, `[[{"actor":"https://evil.test/ns#x"}]]`,
				`{"Create":{"@id":"as:Create","@context":{"actor":"https://evil.test/ns#x"}}}`, `{"x":{"@id":"as:object","@context":[{"y":{"@context":{"to":"as:cc"}}}]}}`,
			} {
				s.raw(s.withContext(context, func(doc, doc) {}))
			}
		}},
		{name: "contexts with an alias for the actor", try: func(s *scene) { // the aliases are passed over, as by everyone else
			s.raw(s.withContext(`{"sender":{"@id":"as:actor","@type":"@id"},"thing":"as:object"}`, func(a, n doc) {
				a["sender"], a["thing"] = s.y.Actor("pat"), s.victim["id"]
			}))
		}, changes: landed},
		{name: "@graph, @reverse, @included and @nest", try: func(s *scene) {
			for _, member := range []string{`"@graph":[{"id":"https://y.test/a/2","type":"Delete","actor":"https://y.test/users/pat","object":"` + s.victim["id"].(string) + `"}]`,
				`"@reverse":{"object":{"id":"https://y.test/a/2","type":"Delete","actor":"https://y.test/users/pat"}}`, `"@included":[{"id":"https://y.test/a/2","type":"Delete"}]`, `"@nest":{"actor":"https://y.test/users/pat"}`} {
				s.raw(`{` + member + `}`)
				s.raw(`{"@context":"` + activityStreams + `",` + member + `}`)
			}
			s.raw(s.twice(`"@graph":[{"id":"https://y.test/a/2","type":"Delete","actor":"https://y.test/users/pat","object":"` + s.victim["id"].(string) + `"}]`))
		}, changes: landed},
		{name: "@base and addresses that are relative", try: func(s *scene) {
			s.raw(s.withContext(`{"@base":"https://y.test/"}`, func(a, n doc) { a["actor"], n["attributedTo"], n["id"] = "/users/pat", "/users/pat", "/notes/1" }))
			for _, id := range []string{"/notes/1", "//y.test/notes/1", "notes/1", "", "#x", "?x", "https:/x.test/1", "https:x.test/1", "https:///x.test/1", "_:b0", "urn:uuid:1", "as:Note"} {
				s.send(s.note(func(_, n doc) { n["id"] = id }))
				s.send(s.note(func(a, _ doc) { a["id"] = id }))
				s.send(s.note(func(a, _ doc) { a["actor"] = id }), testnet.Signing{Actor: s.mallory()})
			}
		}},
		{name: "wrong media types", try: func(s *scene) {
			for _, kind := range []string{"", "text/html", "application/json", "text/plain", "application/activity+json2", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded",
				"application/ld+json; profile=\"https://evil.test/\"", "application/activity+json\r", "image/png", strings.Repeat("a", 4000) + "/b"} {
				if strings.ContainsAny(kind, "\r\n") {
					continue // the client would not send it
				}
				if status := s.send(s.by("mallory"), testnet.Signing{Header: http.Header{"Content-Type": {kind}}}); status == 202 {
					s.t.Errorf("%q is taken", kind)
				}
			}
		}},
		{name: "packed bodies", try: func(s *scene) {
			bomb := []byte(`{"id":"https://x.test/bomb","type":"Create","actor":"https://x.test/users/mallory","content":"` + strings.Repeat("x", 64<<20) + `"}`)
			packed := zipped(s.t, bomb)
			for _, tt := range []struct {
				coding string
				body   []byte
			}{{"gzip", packed}, {"", packed}, {"gzip, gzip", zipped(s.t, packed)}, {"deflate", deflated(s.t, bomb)}, {"br", packed}, {"gzip", zipped(s.t, []byte(written(s.by("mallory"))))}} {
				header := http.Header{}
				if tt.coding != "" {
					header.Set("Content-Encoding", tt.coding)
				}
				if s.raw(string(tt.body), testnet.Signing{Header: header}) == 202 {
					s.t.Errorf("a body in %q is taken", tt.coding)
				}
			}
		}},
		wide("a hundred thousand recipients", 0, nil, func(s *scene, n doc) {
			n["to"] = list(100_000, func(i int) any { return fmt.Sprint("a:", i) })
		}),
		wide("as many recipients as are read", 0, []string{"account_counts ~1", "posts +1"}, func(s *scene, n doc) {
			n["to"] = append(list(4_900, func(i int) any { return fmt.Sprintf("https://oak.test/u/%020d", i) }), public)
			n["cc"] = list(4_900, func(i int) any { return fmt.Sprintf("https://x.test/users/%020d/followers", i) })
		}),
		wide("as many recipients as are read, of a closed post", 0, []string{"posts +1"}, func(s *scene, n doc) {
			n["to"] = list(4_990, func(i int) any { return fmt.Sprintf("https://oak.test/u/%020d", i) })
			n["cc"] = list(4_990, func(i int) any { return fmt.Sprintf("https://x.test/users/%020d/followers", i) })
		}),
		wide("a hundred thousand tags", 0, nil, func(s *scene, n doc) { n["tag"] = list(100_000, func(i int) any { return doc{} }) }),
		wide("as many hashtags as are read", 0, []string{"account_counts ~1", "post_tags +50", "posts +1"}, func(s *scene, n doc) {
			n["tag"] = list(4_990, func(i int) any {
				return doc{"type": "Hashtag", "name": fmt.Sprintf("#tag%d", i), "href": "https://x.test/"}
			})
		}),
		wide("as many mentions as are read", 0, []string{"account_counts ~1", "posts +1"}, func(s *scene, n doc) {
			n["tag"] = list(4_990, func(i int) any { return doc{"type": "Mention", "href": fmt.Sprintf("https://oak.test/u/%d", i+1)} })
		}),
		wide("one person mentioned as often as is read", 0, []string{"account_counts ~1", "notifications +1", "post_mentions +1", "posts +1"}, func(s *scene, n doc) {
			n["tag"] = list(4_990, func(int) any { return doc{"type": "Mention", "href": s.iri(s.ben)} })
		}),
		wide("as many emoji as are read, in a long text", 0, []string{"account_counts ~1", "posts +1"}, func(s *scene, n doc) {
			n["content"] = strings.Repeat(":emoji", 50_000)
			n["tag"] = list(4_900, func(i int) any {
				return doc{"type": "Emoji", "name": fmt.Sprintf(":emoji:emoj%d:", i), "icon": doc{"type": "Image", "url": "https://x.test/e"}}
			})
		}),
		wide("as many emoji as are read, none of them named", 0, []string{"account_counts ~1", "posts +1"}, func(s *scene, n doc) {
			n["content"] = strings.Repeat("emojiemojiemoj", 20_000)
			n["tag"] = list(4_900, func(i int) any {
				return doc{"type": "Emoji", "name": fmt.Sprintf(":emoj%d:", i), "icon": doc{"type": "Image", "url": "https://x.test/e"}}
			})
		}),
		wide("as many attachments as are read, none of them usable", 0, []string{"account_counts ~1", "posts +1"}, func(s *scene, n doc) {
			n["type"], n["name"] = "Page", "A page"
			n["attachment"] = list(4_990, func(i int) any { return doc{"type": "Link", "href": fmt.Sprintf("https://user@x.test/%d", i)} })
		}),
		wide("as many attachments as are read, all of them pictures", 0, []string{"account_counts ~1", "attachments +8", "posts +1"}, func(s *scene, n doc) {
			n["attachment"] = list(4_990, func(i int) any {
				return doc{"type": "Document", "mediaType": "image/png", "url": fmt.Sprintf("https://x.test/%d.png", i), "name": "alt"}
			})
		}),
		wide("as many options as are read", 0, []string{"account_counts ~1", "poll_options +50", "polls +1", "posts +1"}, func(s *scene, n doc) {
			n["type"] = "Question"
			n["oneOf"] = list(4_990, func(i int) any {
				return doc{"type": "Note", "name": fmt.Sprint("Option ", i), "replies": doc{"totalItems": 1 << 30}}
			})
		}),
		wide("as many languages as are read", 0, []string{"account_counts ~1", "posts +1"}, func(s *scene, n doc) {
			m := doc{}
			for i := range 4_000 {
				m[fmt.Sprintf("x%d", i)] = "word"
			}
			n["contentMap"], n["nameMap"], n["summaryMap"] = m, m, m
		}),
		wide("as many authors as are read", 0, []string{"account_counts ~1", "posts +1"}, func(s *scene, n doc) {
			n["attributedTo"] = append([]any{s.mallory()}, list(4_990, func(i int) any { return fmt.Sprintf("https://x.test/users/%d", i) })...)
		}),
		{name: "a million empty tags in the text", try: func(s *scene) {
			for _, piece := range []string{"<", "<a", "<p>", "<b><i>", "</p>", "<a href=\"", "&", "&amp", "<!--", "<table>", "<svg><style>", "<math>", "\u202e", "<p title=x ", "<td>", "<li><ol>", "`", "*", "[", "![", "<blockquote>"} {
				s.send(s.note(func(_, n doc) { n["content"] = strings.Repeat(piece, 400_000/len(piece)) }))
				s.send(s.note(func(_, n doc) {
					n["content"], n["mediaType"] = strings.Repeat(piece, 60_000/len(piece)), "text/markdown"
				}))
			}
		}, changes: []string{anything}, most: 60 * time.Second},
		{name: "votes by the hundred in a post without a poll", try: func(s *scene) {
			for range 30 {
				s.send(s.note(func(_, n doc) {
					delete(n, "content")
					n["name"], n["inReplyTo"] = "Yes", s.posts[community.Public].IRI
				}))
			}
		}},
	}
}
