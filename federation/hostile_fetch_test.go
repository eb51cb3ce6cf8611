package federation_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/testnet"
)

// What a hostile server answers when it is asked.
func TestHostileAnswers(t *testing.T) { hold(t, fetchAttacks()) }

const activityJSON = "application/activity+json"

// serve has x answer a path as fn does, and returns the address.
func (s *scene) serve(path string, fn http.HandlerFunc) string {
	s.x.Serve(path, fn)
	return s.x.URL(path)
}

// says is a note as x serves it.
func (s *scene) served(path string, change func(n doc)) string {
	id := s.x.URL(path)
	n := doc{"@context": activityStreams, "id": id, "type": "Note", "attributedTo": s.mallory(), "content": "<p>Served</p>", "to": public, "published": "2026-01-01T00:00:00Z"}
	change(n)
	s.x.Serve(path, n)
	return id
}

// announced has mallory pass on what is at each of the addresses, which makes
// our server ask for it.
func (s *scene) announced(addresses ...string) {
	s.t.Helper()
	for _, address := range addresses {
		s.send(s.deed("Announce", address))
	}
	s.net.Settle()
}

// looked has a reader look for what is at each of the addresses, all at once.
// Nothing is tried again, as it is with what is passed on.
func (s *scene) looked(addresses ...string) {
	s.t.Helper()
	var all sync.WaitGroup
	for _, address := range addresses {
		all.Go(func() {
			if _, err := s.oak.Federation().ResolvePost(s.t.Context(), address); err == nil {
				s.t.Errorf("there is a post at %s", address)
			}
		})
	}
	start := time.Now()
	status, body := s.y.Send(s.oak, doc{"@context": activityStreams, "id": s.y.URL("/likes/again"), "type": "Like", "actor": s.y.Actor("pat"), "object": s.posts[community.Public].IRI})
	if s.answered(status, body) != 202 || time.Since(start) > 2*time.Second {
		s.t.Errorf("an honest server is answered %d after %s", status, time.Since(start))
	}
	all.Wait()
}

func redirectTo(address string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, address, http.StatusFound) }
}

// typed answers with a body of a type and other headers.
func typed(kind string, body []byte, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		_, _ = w.Write(body)
	}
}

func fetchAttacks() []attack {
	return []attack{
		{name: "redirects in a circle", try: func(s *scene) {
			a := s.serve("/loop/a", redirectTo("https://x.test/loop/b"))
			s.serve("/loop/b", redirectTo("https://x.test/loop/a"))
			self := s.serve("/loop/self", redirectTo("https://x.test/loop/self"))
			s.announced(a, self)
			if n := s.x.Fetched("/loop/a") + s.x.Fetched("/loop/b") + s.x.Fetched("/loop/self"); n > 8 {
				s.t.Errorf("asked %d times", n)
			}
		}},
		{name: "redirects that never end", try: func(s *scene) {
			for i := range 30 {
				s.serve(fmt.Sprintf("/endless/%d", i), redirectTo(fmt.Sprintf("https://x.test/endless/%d", i+1)))
			}
			s.announced(s.x.URL("/endless/0"))
			if n := s.x.Fetched("/endless/5"); n > 0 {
				s.t.Error("followed five redirects")
			}
		}},
		{name: "redirects to a stranger", try: func(s *scene) {
			s.z.Serve("/notes/1", doc{"@context": activityStreams, "id": "https://z.test/notes/1", "type": "Note", "attributedTo": s.z.Actor("zed"), "content": "x", "to": public})
			s.announced(s.serve("/to/stranger", redirectTo("https://z.test/notes/1")), s.serve("/to/stranger2", redirectTo("//z.test/notes/1")))
			s.actor("lost", func(doc) {})
			s.x.Serve("/users/lost", http.HandlerFunc(redirectTo("https://z.test/users/lost")))
			s.send(s.by("lost"))
			if n := s.z.Asked(); n > 0 {
				s.t.Errorf("a stranger was asked %d times", n)
			}
		}},
		{name: "redirects to places within", try: func(s *scene) {
			var all []string
			for i, to := range []string{"http://x.test/", "https://127.0.0.1/", "https://127.0.0.1:5432/", "https://[::1]/", "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data/", "https://localhost/", "https://0/",
				"https://oak.test/actor", "https://oak.test/admin", "file:///etc/passwd", "gopher://x.test/", "https://x.test:6379/", "https://user:pw@x.test/", "javascript:alert(1)", "", "https://metadata.google.internal/", "https://x.test.z.test/"} {
				all = append(all, s.serve(fmt.Sprintf("/within/%d", i), redirectTo(to)))
			}
			s.announced(all...)
		}},
		{name: "redirects to another's document", try: func(s *scene) {
			s.y.Serve("/notes/1", s.victim)
			s.announced(s.serve("/to/pat", redirectTo("https://y.test/notes/1")))
			s.x.Serve("/users/thief", http.HandlerFunc(redirectTo("https://y.test/users/pat")))
			s.send(s.by("thief"))
			s.x.Serve("/users/thief2", http.HandlerFunc(redirectTo("https://x.test/users/eve")))
			s.send(s.by("thief2"))
		}},
		{name: "documents of others, served by x", try: func(s *scene) {
			forged := doc{"@context": activityStreams, "id": s.victim["id"], "type": "Note", "attributedTo": s.y.Actor("pat"), "content": "Forged", "to": public}
			at := s.x.URL("/forged/1")
			s.x.Serve("/forged/1", forged)
			s.served("/forged/2", func(n doc) { n["attributedTo"] = s.y.Actor("pat") })
			s.served("/forged/3", func(n doc) { n["id"] = "https://oak.test/o/1" })
			s.served("/forged/4", func(n doc) { n["id"] = s.x.URL("/forged/5") })
			s.served("/forged/5", func(n doc) { n["id"] = s.x.URL("/forged/4") })
			s.served("/forged/6", func(n doc) { n["attributedTo"] = s.iri(s.amira) })
			s.served("/forged/7", func(n doc) { delete(n, "attributedTo") })
			s.served("/forged/8", func(n doc) { n["type"] = "Tombstone" })
			s.x.Serve("/forged/9", s.x.Note("mallory", "An activity, not a note"))
			s.announced(at, s.x.URL("/forged/2"), s.x.URL("/forged/3"), s.x.URL("/forged/4"), s.x.URL("/forged/6"), s.x.URL("/forged/7"), s.x.URL("/forged/8"), s.x.URL("/forged/9"))
			if n := s.x.Fetched("/forged/4") + s.x.Fetched("/forged/5"); n > 4 {
				s.t.Errorf("two documents that are each other were asked for %d times", n)
			}
		}},
		{name: "documents of a type that anybody may upload", try: func(s *scene) {
			note := func(path string) []byte {
				return []byte(written(doc{"@context": activityStreams, "id": s.x.URL(path), "type": "Note", "attributedTo": s.mallory(), "content": "Uploaded", "to": public}))
			}
			var all []string
			for i, kind := range []string{"text/html", "text/plain", "application/json", "image/png", "", "application/octet-stream", "application/ld+json; profile=\"https://x.test/\"", "application/activity+json-not", "multipart/mixed"} {
				path := fmt.Sprintf("/uploads/%d", i)
				all = append(all, s.serve(path, typed(kind, note(path))))
			}
			s.announced(all...)
		}},
		{name: "packed answers", try: func(s *scene) {
			plain := func(path, words string) []byte {
				return []byte(written(doc{"@context": activityStreams, "id": s.x.URL(path), "type": "Note", "attributedTo": s.mallory(), "content": words, "to": public}))
			}
			bomb := zipped(s.t, plain("/bomb", strings.Repeat("x", 64<<20)))
			s.announced(
				s.serve("/bomb/1", typed(activityJSON, bomb, "Content-Encoding", "gzip")),
				s.serve("/bomb/2", typed(activityJSON, zipped(s.t, bomb), "Content-Encoding", "gzip")),
				s.serve("/bomb/3", typed(activityJSON, zipped(s.t, bomb), "Content-Encoding", "gzip, gzip")),
				s.serve("/bomb/4", typed(activityJSON, bomb)),
				s.serve("/bomb/5", typed(activityJSON, deflated(s.t, plain("/bomb/5", strings.Repeat("x", 64<<20))), "Content-Encoding", "deflate")),
				s.serve("/bomb/6", typed(activityJSON, plain("/bomb/6", "x"), "Content-Encoding", "gzip")),
				s.serve("/bomb/7", typed(activityJSON, plain("/bomb/7", "x"), "Content-Encoding", "br")),
				s.serve("/bomb/8", typed(activityJSON, plain("/bomb/8", strings.Repeat("x", 8<<20)))),
				s.serve("/bomb/9", typed(activityJSON, []byte(strings.Repeat(`{"object":`, 10_000)+"7"+strings.Repeat("}", 10_000)))),
			)
		}, changes: []string{"account_counts ~1", "posts +2"}}, // the last but two, whose label alone is wrong, and its boost
		{name: "answers that lie about their length", most: 40 * time.Second, try: func(s *scene) {
			body := []byte(written(doc{"@context": activityStreams, "id": s.x.URL("/length/1"), "type": "Note", "attributedTo": s.mallory(), "content": "x", "to": public}))
			raw := func(head string, body []byte) http.HandlerFunc {
				return func(w http.ResponseWriter, _ *http.Request) {
					c, rw, err := http.NewResponseController(w).Hijack()
					if err != nil {
						return
					}
					defer c.Close()
					_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Type: application/activity+json\r\n" + head + "\r\n\r\n")
					_, _ = rw.Write(body)
					_ = rw.Flush()
				}
			}
			s.looked(
				s.serve("/length/1", raw("Content-Length: 999999", body)), s.serve("/length/2", raw("Content-Length: 10", body)), s.serve("/length/3", raw("Content-Length: 99999999999", body)),
				s.serve("/length/4", raw("Content-Length: -1", body)), s.serve("/length/5", raw("Content-Length: 5\r\nContent-Length: 7", body)), s.serve("/length/6", raw("Transfer-Encoding: chunked", body)),
				s.serve("/length/7", raw("Transfer-Encoding: chunked\r\nContent-Length: 3", []byte("ffffffffffffffff\r\n{}"))), s.serve("/length/8", raw("X: "+strings.Repeat("y", 1<<20), body)),
				s.serve("/length/9", raw(strings.TrimSuffix(strings.Repeat("X: y\r\n", 100_000), "\r\n"), body)),
			)
		}},
		{name: "answers that come drop by drop", most: 50 * time.Second, try: func(s *scene) {
			drip := func(head bool) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					c, rw, err := http.NewResponseController(w).Hijack()
					if err != nil {
						return
					}
					defer c.Close()
					if !head {
						_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Type: application/activity+json\r\n\r\n")
					}
					drop(rw, s.t)
				}
			}
			s.looked(s.serve("/slow/head", drip(true)), s.serve("/slow/body", drip(false)))
		}},
		{name: "answers of every status", most: 20 * time.Second, try: func(s *scene) {
			body := []byte(written(doc{"@context": activityStreams, "id": s.x.URL("/status"), "type": "Note", "attributedTo": s.mallory(), "content": "x", "to": public}))
			var all []string
			for _, status := range []int{201, 202, 203, 204, 206, 300, 304, 305, 401, 402, 403, 404, 405, 406, 410, 418, 451} {
				all = append(all, s.serve(fmt.Sprintf("/status/%d", status), func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", activityJSON)
					w.Header().Set("Retry-After", "99999999999")
					w.WriteHeader(status)
					_, _ = w.Write(body)
				}))
			}
			s.announced(all...)
		}},
		{name: "a thread that goes up without end", try: func(s *scene) {
			for i := range 40 {
				s.served(fmt.Sprintf("/up/%d", i), func(n doc) { n["inReplyTo"] = s.x.URL(fmt.Sprintf("/up/%d", i+1)) })
			}
			s.announced(s.x.URL("/up/0"))
			if n := s.x.Fetched("/up/39"); n > 0 {
				s.t.Error("the whole thread was asked for")
			}
			s.send(s.note(func(_, n doc) { n["inReplyTo"] = s.x.URL("/up/20") }))
		}, changes: []string{anything}},
		{name: "a thread that bites its tail", try: func(s *scene) {
			a := s.served("/tail/a", func(n doc) { n["inReplyTo"] = s.x.URL("/tail/b") })
			s.served("/tail/b", func(n doc) { n["inReplyTo"] = s.x.URL("/tail/a") })
			self := s.served("/tail/self", func(n doc) { n["inReplyTo"] = s.x.URL("/tail/self") })
			s.announced(a, self)
			for _, row := range s.all("SELECT id FROM posts WHERE uri LIKE 'https://x.test/tail/%'") {
				if res, err := s.net.Client().Get("https://oak.test/posts/" + row[0]); err != nil || res.StatusCode >= 500 {
					s.t.Errorf("its page: %v %v", res, err)
				}
			}
		}, changes: []string{anything}},
		{name: "collections that never end", try: func(s *scene) {
			page := func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", activityJSON)
				var n int
				_, _ = fmt.Sscanf(r.URL.Path, "/endless-collection/%d", &n)
				id := s.x.URL(r.URL.Path)
				_, _ = io.WriteString(w, written(doc{"@context": activityStreams, "id": id, "type": "CollectionPage", "partOf": s.x.URL("/endless-collection/0"), "totalItems": 1 << 40,
					"next": s.x.URL(fmt.Sprintf("/endless-collection/%d", n+1)), "items": list(50, func(i int) any { return s.x.URL(fmt.Sprintf("/nowhere/%d/%d", n, i)) })}))
			}
			for i := range 200 {
				s.x.Serve(fmt.Sprintf("/endless-collection/%d", i), http.HandlerFunc(page))
			}
			s.served("/self-collection", func(n doc) {
				n["type"], n["next"], n["first"] = "Collection", s.x.URL("/self-collection"), s.x.URL("/self-collection")
			})
			asked := s.x.Asked()
			for _, at := range []string{"/endless-collection/0", "/self-collection"} {
				root := s.served("/with"+at, func(n doc) { n["replies"], n["context"] = s.x.URL(at), s.x.URL(at) })
				s.announced(root)
				s.open(root)
				s.net.Settle()
				time.Sleep(50 * time.Millisecond) // what is fetched aside is no queue's
				s.net.Settle()
			}
			s.actor("featurer", func(a doc) {
				a["featured"], a["outbox"], a["followers"] = s.x.URL("/endless-collection/0"), s.x.URL("/endless-collection/0"), s.x.URL("/endless-collection/0")
			})
			s.send(s.by("featurer"))
			s.net.Settle()
			if n := s.x.Asked() - asked; n > 250 {
				s.t.Errorf("asked %d times", n)
			}
		}, changes: []string{anything}, most: 60 * time.Second},
		{name: "WebFinger that leads elsewhere", try: func(s *scene) {
			for i, to := range []string{s.y.Actor("pat"), s.z.Actor("zed"), s.iri(s.amira), "http://x.test/users/mallory", "https://127.0.0.1/", "javascript:alert(1)", "", "https://oak.test/actor", "acct:x@x.test"} {
				s.x.Serve("/.well-known/webfinger", http.HandlerFunc(typed("application/jrd+json", []byte(written(doc{"subject": "acct:amira@oak.test",
					"links": []doc{{"rel": "self", "type": activityJSON, "href": to}}})))))
				if a, err := s.amira.Look(fmt.Sprintf("@finger%d@x.test", i)); err == nil && a.Host != "y.test" {
					s.t.Errorf("%s leads to %s", to, a.Handle("oak.test"))
				}
			}
			for _, body := range []string{"", "{}", "[]", `{"links":7}`, `{"links":[{}]}`, strings.Repeat("[", 100_000), "\x00"} {
				s.x.Serve("/.well-known/webfinger", http.HandlerFunc(typed("application/jrd+json", []byte(body))))
				if _, err := s.amira.Look("@nobody@x.test"); err == nil {
					s.t.Errorf("somebody is found by %.40q", body)
				}
			}
			if n := s.z.Asked(); n > 0 {
				s.t.Errorf("a stranger was asked %d times", n)
			}
		}},
		{name: "keys that are none", most: 20 * time.Second, try: func(s *scene) {
			for i, pem := range []string{"", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----", strings.Repeat("A", 500_000), "-----BEGIN PUBLIC KEY-----\n" + strings.Repeat("A", 500_000)} {
				name := fmt.Sprintf("keyless%d", i)
				s.actor(name, func(a doc) { a["publicKey"].(doc)["publicKeyPem"] = pem })
				if s.send(s.by(name)) == 202 {
					s.t.Errorf("a key of %.20q fits", pem)
				}
			}
			s.actor("manykeys", func(a doc) {
				a["publicKey"] = list(3000, func(i int) any {
					return doc{"id": fmt.Sprintf("https://x.test/users/manykeys#k%d", i), "owner": "https://x.test/users/manykeys", "publicKeyPem": "x"}
				})
				a["assertionMethod"] = list(3000, func(i int) any {
					return doc{"id": fmt.Sprintf("https://x.test/users/manykeys#e%d", i), "type": "Multikey", "controller": "https://x.test/users/manykeys", "publicKeyMultibase": "z" + strings.Repeat("6", 40)}
				})
			})
			s.send(s.by("manykeys"))
		}, changes: []string{anything}},
		{name: "pictures that are none", try: func(s *scene) {
			s.serve("/pictures/1", typed("image/png", []byte("<svg onload=alert(1)>")))
			s.send(s.note(func(_, n doc) {
				n["attachment"] = []doc{{"type": "Image", "mediaType": "image/png", "url": s.x.URL("/pictures/1")}, {"type": "Image", "mediaType": "image/png", "url": "https://z.test/track.png"},
					{"type": "Image", "mediaType": "image/png", "url": "https://127.0.0.1/x.png"}, {"type": "Image", "mediaType": "image/png", "url": "http://x.test/x.png"}}
			}))
			s.net.Settle()
			if n := s.z.Asked(); n > 0 {
				s.t.Errorf("a stranger was asked %d times", n)
			}
		}, changes: []string{"account_counts ~1", "attachments +4", "posts +1"}},
		{name: "slow bodies to the inbox", most: 30 * time.Second, try: func(s *scene) { s.trickle(40) }},
	}
}

// drop writes a byte at a time until the other side hangs up or the test ends.
func drop(to *bufio.ReadWriter, t testing.TB) {
	for t.Context().Err() == nil {
		if _, err := to.WriteString(" "); err != nil || to.Flush() != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// open has a reader look at a post, which may make our server ask for more of
// its thread.
func (s *scene) open(address string) {
	s.t.Helper()
	id := s.one("SELECT id FROM posts WHERE uri = ?", address)
	if id == "" {
		s.t.Errorf("%s is not here", address)
		return
	}
	res, err := s.net.Client().Get("https://oak.test/posts/" + id)
	if err != nil || res.StatusCode >= 500 {
		s.t.Errorf("its page: %v %v", res, err)
		return
	}
	_ = res.Body.Close()
}

// trickle opens so many requests that never end, and sees that others are
// answered meanwhile.
func (s *scene) trickle(n int) {
	s.t.Helper()
	client := s.net.Client()
	for range n {
		r, w := io.Pipe()
		defer w.Close()
		activity := s.by("mallory")
		sent, err := s.x.Request("https://oak.test/inbox", activity)
		if err != nil {
			s.t.Fatal(err)
		}
		sent.Body, sent.ContentLength = r, 1<<20
		go func() {
			if res, err := client.Do(sent); err == nil {
				_ = res.Body.Close()
			}
		}()
		go func() { _, _ = w.Write([]byte(`{"id":"`)) }()
	}
	start := time.Now()
	status, body := s.y.Send(s.oak, doc{"@context": activityStreams, "id": s.y.URL("/likes/again"), "type": "Like", "actor": s.y.Actor("pat"), "object": s.posts[community.Public].IRI}, testnet.Signing{})
	if s.answered(status, body) != 202 || time.Since(start) > 2*time.Second {
		s.t.Errorf("an honest server is answered %d after %s", status, time.Since(start))
	}
}
