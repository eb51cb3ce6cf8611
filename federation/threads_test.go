package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// fill fills the thread of a post that somebody reads, also when that was done
// a moment ago.
func (n *server) fill(p community.Post) {
	n.t.Helper()
	n.write(func(tx *store.Tx) error { return tx.Exec("UPDATE posts SET replies_fetched_at = NULL").Error })
	n.read(func(tx *store.Tx) (err error) {
		p, err = community.PostByID(tx, p.ID)
		return err
	})
	n.refetched.forget("thread " + strconv.FormatInt(p.ThreadID, 10))
	n.FillThread(p)
	n.ring.settle()
}

// thread says what somebody sees of a thread: for each place its depth and its
// text, or why it is empty.
func (n *server) thread(v community.Viewer, p community.Post) string {
	n.t.Helper()
	var out []string
	n.read(func(tx *store.Tx) error {
		p, err := community.PostByID(tx, p.ID)
		if err != nil {
			return err
		}
		t, err := community.Thread(tx, v, p)
		for _, node := range t.Nodes {
			what := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(node.Post.HTML), "<p>"), "</p>")
			if node.Missing != "" {
				what = "(" + string(node.Missing) + " " + node.Host + ")"
			}
			out = append(out, fmt.Sprint(node.Depth, what))
		}
		return err
	})
	return strings.Join(out, ", ")
}

// forgetPosts makes it as if there had never been any.
func (n *server) forgetPosts() {
	n.write(func(tx *store.Tx) error {
		for _, table := range []string{"ghosts", "home_entries", "notifications", "posts"} {
			if err := tx.Exec("DELETE FROM " + table).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// tapped counts the requests for documents that a server gets.
func (n *server) tapped() *atomic.Int64 {
	var count atomic.Int64
	before := n.tap
	n.tap = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			count.Add(1)
		}
		return before != nil && before(w, r)
	}
	return &count
}

// Opening a thread brings what is missing of it, through our own collections.
//
// FEP-f228; FEP-7888.
func TestThreadIsFilled(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
		for _, pair := range [][2]*server{{oak, elm}, {oak, fir}} {
			pair[0].allow(pair[1].host)
			pair[1].allow(pair[0].host)
		}
		r.settle()
		amira, bo, cy := oak.person("amira"), elm.person("bo"), fir.person("cy")
		fir.follow(cy, "@amira@oak.localhost")
		say := func(words string, under community.Post) community.Post {
			return oak.publish(amira, community.Draft{Kind: community.Reply, Source: words, InReplyToID: under.ID})
		}
		top := oak.publish(amira, community.Draft{Kind: community.Discussion, Title: "Topic", Source: "top"})
		a := say("a", top)
		aa := say("aa", a)
		say("b", top)
		oak.publish(amira, community.Draft{Kind: community.Reply, Source: "closed", InReplyToID: top.ID, Audience: community.School})
		fir.publish(cy, community.Draft{Kind: community.Reply, Source: "from fir", InReplyToID: fir.copyOf(a, oak).ID})

		there, err := elm.ResolvePost(t.Context(), oak.site.Post(top.ID))
		if err != nil {
			t.Fatal(err)
		}
		reader := community.Viewer{ID: bo.ID, Local: true}
		if got := elm.thread(reader, there); got != "0top" {
			t.Errorf("before: %s", got)
		}
		asked, strange := oak.tapped(), fir.tapped()
		elm.fill(there)
		// The conversation tells of the stranger's answer, and not what it answers.
		if got := elm.thread(reader, there); got != "0top, 1a, 2aa, 1b, 1(stranger fir.localhost)" {
			t.Errorf("after: %s", got)
		}
		if got := elm.thread(community.Guest, there); got != "0top, 1a, 2aa, 1b" {
			t.Errorf("a guest sees %s", got)
		}
		if strange.Load() != 0 {
			t.Errorf("a stranger was asked %d times", strange.Load())
		}
		// Many readers and many tries cost nothing more.
		before := asked.Load()
		for range 5 {
			elm.refetched.forget("thread " + strconv.FormatInt(there.ID, 10))
			elm.FillThread(there)
			r.settle()
		}
		if n := asked.Load() - before; n != 0 {
			t.Errorf("opening it again asked %d times", n)
		}
		// What was strange is not for ever.
		elm.allow(fir.host)
		fir.allow(elm.host)
		r.settle()
		elm.fill(there)
		if got := elm.thread(reader, there); got != "0top, 1a, 2aa, 2from fir, 1b" {
			t.Errorf("once connected: %s", got)
		}
		// What was deleted there is gone, and what answered it stays.
		oak.write(func(tx *store.Tx) error { return community.Delete(tx, amira, aa.ID) })
		r.settle()
	})
}

// A conversation that was met somewhere in its middle is followed up to where
// it began, as far as is reasonable.
func TestThreadIsClimbed(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	amira, bo := oak.person("amira"), elm.person("bo")
	p := oak.publish(amira, community.Draft{Source: "0"})
	top := p
	for i := 1; i <= 20; i++ {
		p = oak.publish(amira, community.Draft{Kind: community.Reply, Source: strconv.Itoa(i), InReplyToID: p.ID})
	}
	there, err := elm.ResolvePost(t.Context(), oak.site.Post(p.ID))
	if err != nil {
		t.Fatal(err)
	}
	reader := community.Viewer{ID: bo.ID, Local: true}
	if got := elm.thread(reader, there); !strings.HasPrefix(got, "0(unknown oak.localhost), 1") {
		t.Errorf("before: %s", got)
	}
	elm.fill(there)
	if got := elm.thread(reader, there); !strings.HasPrefix(got, "00, 11, 22, 33") || !strings.HasSuffix(got, "2020") {
		t.Errorf("after: %s", got)
	}
	if elm.copyOf(top, oak).ID != elm.copyOf(p, oak).ThreadID {
		t.Error("the thread has another beginning")
	}
}

// foreign is a server that answers as the test says.
type foreign struct {
	*server
	docs map[string]func(r *http.Request) any
	got  atomic.Int64
}

func (n *server) foreign() *foreign {
	f := &foreign{server: n, docs: map[string]func(*http.Request) any{}}
	n.tap = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/test/") {
			return false
		}
		f.got.Add(1)
		d, ok := f.docs[strings.TrimPrefix(r.URL.Path, "/test/")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		v := d(r)
		if status, ok := v.(int); ok {
			w.WriteHeader(status)
			return true
		}
		w.Header().Set("Content-Type", activityJSON)
		_ = json.NewEncoder(w).Encode(v)
		return true
	}
	return f
}

func (f *foreign) url(name string) string { return f.site.URL("/test/" + name) }

// says serves a public note under a name.
func (f *foreign) says(by community.Account, name, under string, more ...doc) {
	d := doc{"@context": "https://www.w3.org/ns/activitystreams", "id": f.url(name), "type": "Note", "attributedTo": f.site.Actor(by.ID),
		"content": "<p>" + name + "</p>", "published": time.Now().UTC().Format(time.RFC3339Nano), "to": []string{"https://www.w3.org/ns/activitystreams#Public"}}
	if under != "" {
		d["inReplyTo"] = under
	}
	for _, m := range more {
		for k, v := range m {
			d[k] = v
		}
	}
	f.docs[name] = func(*http.Request) any { return d }
}

func (f *foreign) serves(name string, d any) { f.docs[name] = func(*http.Request) any { return d } }

// The shapes in which others tell of answers.
func TestAnswersInEveryShape(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	bo, amira := elm.person("bo"), oak.person("amira")
	reader := community.Viewer{ID: amira.ID, Local: true}
	oak.seen("@bo@elm.localhost")
	x := elm.foreign()
	page := func(more doc) doc {
		d := doc{"@context": "https://www.w3.org/ns/activitystreams", "type": "CollectionPage"}
		for k, v := range more {
			d[k] = v
		}
		return d
	}
	tests := []struct {
		name string
		top  doc // what the first post says besides
		docs map[string]any
		want string
	}{
		{"Mastodon: the first page in the post, the next elsewhere",
			doc{"replies": doc{"id": x.url("replies"), "type": "Collection", "first": doc{"type": "CollectionPage", "partOf": x.url("replies"),
				"next": x.url("next"), "items": []string{x.url("a")}}}},
			map[string]any{"replies": doc{"@context": "https://www.w3.org/ns/activitystreams", "id": x.url("replies"), "type": "Collection",
				"first": doc{"type": "CollectionPage", "partOf": x.url("replies"), "next": x.url("next"), "items": []string{x.url("a")}}},
				"next": page(doc{"id": x.url("next"), "partOf": x.url("replies"), "items": []string{x.url("b")}})},
			"0top, 1a, 1b"},
		{"GoToSocial: an address, with pages", doc{"replies": x.url("replies")},
			map[string]any{"replies": doc{"@context": "https://www.w3.org/ns/activitystreams", "id": x.url("replies"), "type": "Collection", "first": x.url("first")},
				"first": page(doc{"id": x.url("first"), "next": x.url("next"), "items": []string{x.url("a")}}),
				"next":  page(doc{"id": x.url("next"), "items": x.url("b")})},
			"0top, 1a, 1b"},
		{"NodeBB, Discourse: a context with everything, the first post included", doc{"context": x.url("context")},
			map[string]any{"context": doc{"@context": "https://www.w3.org/ns/activitystreams", "id": x.url("context"), "type": "OrderedCollection",
				"totalItems": 4, "orderedItems": []string{x.url("top"), x.url("b"), x.url("aa"), x.url("a")}}},
			"0top, 1a, 2aa, 1b"},
		{"a history of activities", doc{"context": x.url("context")},
			map[string]any{"context": doc{"@context": "https://www.w3.org/ns/activitystreams", "id": x.url("context"), "type": "OrderedCollection",
				"orderedItems": []any{doc{"id": x.url("create"), "type": "Create", "object": doc{"id": x.url("a"), "type": "Note", "content": "forged"}},
					doc{"id": x.url("create2"), "type": "Create", "object": x.url("b")}}}},
			"0top, 1a, 1b"},
		{"posts as they are, of which only the address counts", doc{"replies": doc{"type": "Collection",
			"items": []any{doc{"id": x.url("a"), "type": "Note", "content": "forged", "inReplyTo": x.url("top")}}}}, nil,
			"0top, 1a"},
		{"an answer far below, which brings what is between", doc{"context": x.url("context")},
			map[string]any{"context": doc{"@context": "https://www.w3.org/ns/activitystreams", "id": x.url("context"), "type": "Collection", "items": []string{x.url("aaa")}}},
			"0top, 1a, 2aa, 3aaa"},
		{"a conversation that is somebody else's", doc{"context": x.url("context")},
			map[string]any{"context": doc{"@context": "https://www.w3.org/ns/activitystreams", "id": x.url("context"), "type": "Collection",
				"attributedTo": "http://yew.localhost/u/1", "items": []string{x.url("a")}}},
			"0top"},
		{"what was deleted, is not to be read, or answers something else", doc{"replies": doc{"type": "Collection",
			"items": []string{x.url("a"), x.url("gone"), x.url("lost"), x.url("other"), x.url("vote")}}}, nil,
			"0top, 1a, 1(deleted elm.localhost), 1(unreadable elm.localhost)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clear(x.docs)
			x.says(bo, "a", x.url("top"))
			x.says(bo, "aa", x.url("a"))
			x.says(bo, "aaa", x.url("aa"))
			x.says(bo, "b", x.url("top"))
			x.says(bo, "other", "")
			x.says(bo, "vote", x.url("top"), doc{"content": "", "name": "Yes"})
			x.serves("gone", http.StatusGone)
			x.says(bo, "top", "", tt.top)
			for name, d := range tt.docs {
				x.serves(name, d)
			}
			p, err := oak.ResolvePost(t.Context(), x.url("top"))
			if err != nil {
				t.Fatal(err)
			}
			oak.fill(p)
			if got := oak.thread(reader, p); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			oak.forgetPosts()
		})
	}
}

// Whoever is asked may answer without end; what it costs is bounded, and
// nothing is believed of it.
func TestEndlessAnswers(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
	r.befriend()
	amira, bo, cy := oak.person("amira"), elm.person("bo"), fir.person("cy")
	oak.seen("@bo@elm.localhost")
	victim := fir.publish(cy, community.Draft{Source: "mine"})
	reader := community.Viewer{ID: amira.ID, Local: true}
	x := elm.foreign()
	serial := 0
	many := func(n int, of func(i int) any) []any {
		items := make([]any, n)
		for i := range items {
			items[i] = of(i)
		}
		return items
	}
	tests := []struct {
		name string
		docs func()
		most int64
		want string
	}{
		{"pages without end", func() {
			x.docs["replies"] = func(r *http.Request) any {
				serial++
				return doc{"type": "CollectionPage", "id": x.site.URL(r.URL.RequestURI()), "next": x.url(fmt.Sprintf("replies?%d", serial)), "items": []any{}}
			}
		}, mostThreadPages + 1, "0top"},
		{"pages in a circle", func() {
			x.serves("replies", doc{"type": "CollectionPage", "id": x.url("replies"), "next": x.url("replies")})
		}, 2, "0top"},
		{"a page of many that are not there", func() {
			x.serves("replies", doc{"type": "Collection", "id": x.url("replies"), "items": many(20_000, func(i int) any { return x.url(fmt.Sprint("n/", i)) })})
		}, mostThreadPosts + 2, ""},
		{"answers that answer answers without end", func() {
			x.serves("replies", doc{"type": "Collection", "id": x.url("replies"), "items": []string{x.url("deep")}})
			for i := range 400 {
				x.says(bo, fmt.Sprint("d", i), x.url(fmt.Sprint("d", i+1)))
			}
			x.says(bo, "deep", x.url("d0"))
		}, mostThreadDetours + 4, "0top"},
		{"answers below answers without end", func() {
			x.serves("replies", doc{"type": "Collection", "id": x.url("replies"), "items": []string{x.url("e0")}})
			under := "top"
			for i := range 100 {
				name := fmt.Sprint("e", i)
				x.says(bo, name, x.url(under), doc{"replies": doc{"type": "Collection", "items": []string{x.url(fmt.Sprint("e", i+1))}}})
				under = name
			}
		}, mostThreadLevels + 4, ""},
		{"what somebody else is said to have said", func() {
			x.serves("replies", doc{"type": "Collection", "id": x.url("replies"), "items": []any{
				doc{"id": fir.site.Post(victim.ID), "type": "Note", "attributedTo": fir.site.Actor(cy.ID), "content": "forged", "inReplyTo": x.url("top")},
				doc{"id": oak.site.Post(1), "type": "Note", "attributedTo": oak.site.Actor(amira.ID), "content": "forged", "inReplyTo": x.url("top")}}})
		}, 4, "0top"},
		{"pages of somebody else", func() {
			x.serves("replies", doc{"type": "Collection", "id": x.url("replies"), "first": fir.site.PostReplies(victim.ID)})
		}, 4, "0top"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clear(x.docs)
			x.says(bo, "top", "", doc{"replies": x.url("replies")})
			tt.docs()
			p, err := oak.ResolvePost(t.Context(), x.url("top"))
			if err != nil {
				t.Fatal(err)
			}
			x.got.Store(0)
			started := time.Now()
			oak.fill(p)
			if n := x.got.Load(); n > tt.most {
				t.Errorf("asked %d times, at most %d", n, tt.most)
			}
			if took := time.Since(started); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			got := oak.thread(reader, p)
			if tt.want != "" && got != tt.want && !strings.HasPrefix(got, tt.want+", 1(unreadable") {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if strings.Contains(got, "forged") {
				t.Errorf("believed: %s", got)
			}
			if n := oak.count("SELECT COUNT(*) FROM ghosts"); n > community.MaxGhosts {
				t.Errorf("%d ghosts", n)
			}
			oak.forgetPosts()
		})
	}
}

// A server that sends its answer byte by byte is asked once, and the others'
// answers come all the same.
func TestSlowAnswers(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak := r.start("oak.localhost", func(d *Deps) {
		d.Egress = egress.New(egress.Options{UserAgent: "test", Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AnyPort: true,
			PlainHTTP: true, Resolve: r.resolve, Timeout: time.Second})
	})
	elm, fir := r.start("elm.localhost"), r.start("fir.localhost")
	r.befriend()
	amira, bo := oak.person("amira"), elm.person("bo")
	oak.seen("@bo@elm.localhost")
	x, slow := elm.foreign(), fir.foreign()
	var asked atomic.Int64
	fir.tap = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/test/") {
			return false
		}
		asked.Add(1)
		w.Header().Set("Content-Type", activityJSON)
		for range 100 {
			if _, err := w.Write([]byte(" ")); err != nil {
				break
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return true
			case <-time.After(50 * time.Millisecond):
			}
		}
		return true
	}
	items := []any{}
	for i := range 60 {
		items = append(items, slow.url(fmt.Sprint("s", i)))
	}
	x.says(bo, "top", "", doc{"replies": x.url("replies")})
	x.says(bo, "a", x.url("top"))
	x.serves("replies", doc{"type": "Collection", "id": x.url("replies"), "items": append(items, x.url("a"))})
	p, err := oak.ResolvePost(t.Context(), x.url("top"))
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	oak.fill(p)
	if took := time.Since(started); took > 10*time.Second || asked.Load() > threadWave {
		t.Errorf("took %v and asked %d times", took, asked.Load())
	}
	if got := oak.thread(community.Viewer{ID: amira.ID, Local: true}, p); !strings.HasPrefix(got, "0top, 1a, 1(unreadable fir.localhost)") {
		t.Errorf("the others: %s", got)
	}
}

// Whatever a collection says, what is made of it is addresses of others'
// servers, and not without end.
func FuzzReadCollection(f *testing.F) {
	f.Add([]byte(`{"id":"https://elm.test/r","type":"Collection","first":{"type":"CollectionPage","next":"https://elm.test/r?2","items":["https://elm.test/1"]}}`))
	f.Add([]byte(`{"id":"https://elm.test/r","type":"OrderedCollection","orderedItems":[{"type":"Create","object":{"id":"https://elm.test/1"}},{"type":["Announce"],"object":"https://fir.test/2"}]}`))
	f.Add([]byte(`{"type":"CollectionPage","next":"https://fir.test/r","items":[null,1,"x","https://oak.localhost/o/1",{"id":7}]}`))
	r := &ring{t: f, at: map[string]addrPort{}}
	oak := r.still("oak.localhost")
	oak.allow("elm.test")
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := as2.DecodeCollection(body)
		if err != nil {
			return
		}
		w := &walk{f: oak.Federation, seen: map[string]bool{}, read: map[string]bool{}, held: map[string]found{}, failures: map[string]int{}}
		w.take(t.Context(), c, source{address: "https://elm.test/r", origin: "https://elm.test/r", under: 1})
		for _, o := range w.wanted {
			if host, err := iri.HostOf(o.address); err != nil || host != "elm.test" {
				t.Errorf("asks for %q", o.address)
			}
		}
		for _, s := range w.sources {
			if !iri.SameOrigin(s.address, "https://elm.test/r") {
				t.Errorf("goes on to %q", s.address)
			}
		}
		for _, g := range w.ghosts {
			if g.Host == "" || g.Host == oak.host || len(w.ghosts) > community.MaxGhosts {
				t.Errorf("a ghost of %q", g.Host)
			}
		}
	})
}

// A server that speaks https asks nobody over plain http.
func TestPlainAddresses(t *testing.T) {
	for _, tt := range []struct {
		scheme, address string
		plain           bool
	}{{"https", "http://elm.test/1", true}, {"https", "https://elm.test/1", false}, {"https", "ftp://elm.test/1", true}, {"http", "http://elm.localhost/1", false}} {
		f := &Federation{site: iri.Site{Scheme: tt.scheme, Host: "oak.test"}}
		if got := f.plain(tt.address); got != tt.plain {
			t.Errorf("%s from %s: %v", tt.address, tt.scheme, got)
		}
	}
}

// A conversation that began here has the name that it has here, whatever who
// joined in calls it; one that began elsewhere has the name that it has there,
// or none.
//
// FEP-7888; FEP-11dd.
func TestConversationsKeepTheirNames(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	amira, bo := oak.person("amira"), elm.person("bo")
	oak.seen("@bo@elm.localhost")
	x := elm.foreign()
	top := oak.publish(amira, community.Draft{Kind: community.Discussion, Title: "Topic", Source: "top"})
	x.says(bo, "answer", oak.site.Post(top.ID), doc{"context": x.url("mine")})
	x.says(bo, "named", "", doc{"context": x.url("theirs")})
	x.says(bo, "nameless", "")
	for under, want := range map[string]string{"answer": oak.site.Context(top.ID), "named": x.url("theirs"), "nameless": ""} {
		p, err := oak.ResolvePost(t.Context(), x.url(under))
		if err != nil {
			t.Fatal(err)
		}
		reply := oak.publish(amira, community.Draft{Kind: community.Reply, Source: "and", InReplyToID: p.ID})
		o, err := as2.DecodeObject(elm.ask(bo, oak.site.Post(reply.ID)).Body)
		if err != nil || o.Context != want {
			t.Errorf("under %s: in %q, want %q (%v)", under, o.Context, want, err)
		}
	}
}

// Many who open a thread at once, on one node or on several, have it looked up
// once.
func TestThreadIsFilledByOne(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak := r.start("oak.localhost")
		top := oak.publish(oak.person("amira"), community.Draft{Source: "top"})
		var due atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				_, mine, err := oak.claimThread(context.Background(), top.ID)
				if err != nil {
					t.Error(err)
				}
				if mine {
					due.Add(1)
				}
			})
		}
		all.Wait()
		if due.Load() != 1 {
			t.Errorf("%d took it", due.Load())
		}
	})
}

// What is found while a thread is filled is news only if it was written a short
// while ago; whatever its age, it takes its place.
func TestLateFoundAnswersAreNoNews(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, named, bo := oak.person("amira"), oak.person("named"), elm.person("bo")
		oak.seen("@bo@elm.localhost")
		x := elm.foreign()
		x.says(bo, "top", "", doc{"replies": x.url("replies")})
		top, err := oak.ResolvePost(t.Context(), x.url("top"))
		if err != nil {
			t.Fatal(err)
		}
		mine := oak.publish(amira, community.Draft{Kind: community.Reply, Source: "Mine", InReplyToID: top.ID})
		at := func(age time.Duration) doc {
			return doc{"published": time.Now().Add(-age).UTC().Format(time.RFC3339Nano), "tag": []doc{{"type": "Mention", "href": oak.site.Actor(named.ID)}},
				"cc": []string{oak.site.Actor(named.ID)}}
		}
		x.says(bo, "old", oak.site.Post(mine.ID), at(7*time.Hour))
		x.says(bo, "new", oak.site.Post(mine.ID), at(5*time.Hour))
		x.serves("replies", doc{"@context": "https://www.w3.org/ns/activitystreams", "id": x.url("replies"), "type": "Collection", "items": []string{x.url("old"), x.url("new")}})
		oak.fill(top)
		if got := oak.thread(community.Viewer{ID: amira.ID, Local: true}, top); !strings.Contains(got, "old") || !strings.Contains(got, "new") {
			t.Fatalf("the thread is %s", got)
		}
		for _, who := range []community.Account{amira, named} {
			if n := oak.count("SELECT COUNT(*) FROM notifications n JOIN posts p ON p.id = n.post_id WHERE n.account_id = ? AND p.uri = ?", who.ID, x.url("new")); n != 1 {
				t.Errorf("%s is told of the new answer %d times", who.Username, n)
			}
			if n := oak.count("SELECT COUNT(*) FROM notifications WHERE account_id = ?", who.ID); n != 1 {
				t.Errorf("%s is told of %d answers, want the new one", who.Username, n)
			}
		}
		// What its server sends, however late, is news.
		note := elm.note(bo, "sent")
		for k, v := range at(9 * time.Hour) {
			note["object"].(doc)[k] = v
		}
		elm.say(bo, oak, note)
		r.settle()
		if n := oak.count("SELECT COUNT(*) FROM notifications WHERE account_id = ?", named.ID); n != 2 {
			t.Errorf("who is named is told of %d posts, want 2", n)
		}
	})
}
