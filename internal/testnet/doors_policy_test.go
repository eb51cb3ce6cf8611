package testnet_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

// dealt is how a server is dealt with, as the page on peering says it, in the
// words of `peer set`.
type dealt struct {
	listed, paused, over bool // over: it was for a time, which has passed
	set                  map[string]string
}

func dealtFully() *dealt {
	return &dealt{listed: true, set: map[string]string{"ceiling": "network", "inbound": "all", "outbound": "all", "hold": "none", "silenced": "no", "media": "proxy"}}
}

func (m *dealt) admitted() bool { return m.listed && !m.paused && !m.over }

func (m *dealt) has(set, class string) bool {
	return m.set[set] == "all" || slices.Contains(strings.Split(m.set[set], ","), class)
}

func (m *dealt) reaches(audience string) bool {
	order := []string{"none", "public", "network", "group"}
	return slices.Index(order, m.set["ceiling"]) >= slices.Index(order, audience)
}

// What becomes of something that is delivered.
const (
	lands   = "lands"
	waits   = "waits"
	refused = "is refused"
)

// becomes says what becomes of something of a class. first is whether its author
// has never been heard here.
func (m *dealt) becomes(class string, post, first, link, picture bool) string {
	switch {
	case !m.admitted(), !m.has("inbound", class):
		return refused
	case !post:
		return lands
	case m.set["hold"] == "all", m.set["hold"] == "first" && first, m.set["hold"] == "links" && link,
		picture && (m.set["hold"] == "media" || m.set["media"] == "hold"):
		return waits
	}
	return lands
}

// TestNoPolicyIsCached is TestNoDecisionIsCached for how servers are dealt with:
// it changes a random part of the policy, or whether a server is connected at
// all, and holds what comes, goes, is fetched, shown and read against a model.
func TestNoPolicyIsCached(t *testing.T) {
	changes, seed := randomly(t)
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		random := rand.New(rand.NewPCG(seed, 2))
		d := newDoors(t, net)
		p := &dealings{doors: d, random: random, browser: browse(t, net, d.oak, d.amira), base: d.amira.Publish("The first"),
			models: map[string]*dealt{}, seeds: map[string]community.Post{}, later: map[string]string{}, likes: map[string]int{}}
		beside, err := app.OpenDB(t.Context(), d.oak.Config(), slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer beside.Close(t.Context())
		var all []*testnet.Stranger
		for _, host := range []string{"elm.test", "fir.test"} {
			x := d.stranger(host)
			x.Send(d.oak, x.Note("pat", "Seed of "+host))
			net.Settle()
			p.seeds[host] = p.stored("Seed of " + host)
			p.models[host] = dealtFully()
			all = append(all, x)
		}
		for range changes {
			x := all[random.IntN(len(all))]
			db := d.oak.DB()
			if random.IntN(2) == 0 {
				db = beside
			}
			p.change(db, x.Host)
			p.settled()
			for _, x := range all {
				p.comes(x)
				p.goes(x)
				p.reads(x)
			}
			if t.Failed() {
				t.Fatalf("seed %d, after:\n%s", seed, strings.Join(p.story, "\n"))
			}
		}
	})
}

// dealings are servers that are dealt with in changing ways.
type dealings struct {
	*doors
	random  *rand.Rand
	browser *browser
	base    testnet.Post // of amira, which everybody has
	models  map[string]*dealt
	seeds   map[string]community.Post // of each server, which is here
	later   map[string]string         // of each, a picture that nobody has looked at yet, and its address there
	likes   map[string]int            // how many each has got of its seed
	story   []string
	n       int
}

func (p *dealings) pick(of ...string) string { return of[p.random.IntN(len(of))] }

// change makes one change, and the model's.
func (p *dealings) change(db *store.DB, host string) {
	p.t.Helper()
	m := p.models[host]
	what := p.pick("set", "set", "set", "set", "set", "set", "allow", "remove", "pause", "resume", "resume", "expire")
	var deed func(tx *store.Tx) error
	var then func()
	switch what {
	case "set":
		key := p.pick("inbound", "outbound", "hold", "silenced", "media", "ceiling")
		value := ""
		switch key {
		case "inbound", "outbound":
			var some []string
			for _, c := range []string{"posts", "replies", "reactions", "boosts", "follows", "groups", "events", "reports", "profiles"} {
				if p.random.IntN(3) > 0 {
					some = append(some, c)
				}
			}
			if value = strings.Join(some, ","); p.random.IntN(3) == 0 {
				value = "all"
			}
		case "hold":
			value = p.pick("none", "none", "first", "media", "links", "all")
		case "silenced":
			value = p.pick("yes", "no")
		case "media":
			value = p.pick("proxy", "click", "strip", "hold")
		case "ceiling":
			value = p.pick("none", "public", "network", "group")
		}
		what = key + " " + value
		deed = func(tx *store.Tx) error {
			_, err := peers.Edit(tx, 0, host, "", func(e *peers.Entry) error { return e.Set(tx, key, value, "") })
			return err
		}
		then = func() { m.set[key] = value }
	case "allow":
		deed = func(tx *store.Tx) error { _, err := peers.Allow(tx, 0, host, peers.Entry{}); return err }
		then = func() { p.models[host] = dealtFully() }
	case "remove":
		deed = func(tx *store.Tx) error { return peers.Remove(tx, 0, host, "") }
		then = func() { m.listed = false }
	case "pause":
		deed = func(tx *store.Tx) error { _, err := peers.Pause(tx, 0, host, peers.Ending{}); return err }
		then = func() { m.paused = true }
	case "resume":
		deed = func(tx *store.Tx) error { _, err := peers.Resume(tx, 0, host, peers.Ending{}); return err }
		then = func() { m.paused, m.over = false, false }
	case "expire":
		deed = func(tx *store.Tx) error { return timePassing(tx, host) }
		then = func() { m.over = true }
	}
	err := db.Write(p.t.Context(), deed)
	if err != nil && fault.Of(err).Kind == fault.Internal {
		p.t.Fatalf("%s %s: %v", what, host, err)
	}
	if err == nil {
		then()
	}
	p.story = append(p.story, fmt.Sprintf("%s %s (%v)", host, what, err))
}

// settled waits until nothing is left to do, silence of accounts included.
func (p *dealings) settled() {
	p.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; {
		p.net.Settle()
		var due map[string]bool
		err := p.oak.DB().Read(p.t.Context(), func(tx *store.Tx) (err error) { due, err = community.SilenceDue(tx); return err })
		if err != nil {
			p.t.Fatal(err)
		}
		if len(due) == 0 {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("not marked as silenced: %v", due)
		}
	}
}

// comes has a server send one thing of a random kind.
func (p *dealings) comes(x *testnet.Stranger) {
	p.t.Helper()
	p.n++
	m := p.models[x.Host]
	words := fmt.Sprintf("No%dx from %s", p.n, x.Host)
	by := "pat"
	first := p.random.IntN(3) == 0
	if first {
		by = fmt.Sprintf("n%d", p.n)
	}
	kind := p.pick("plain", "plain", "link", "picture", "picture", "mention", "like", "boost", "follow")
	class, post := map[string]string{"mention": "replies", "like": "reactions", "boost": "boosts", "follow": "follows"}[kind], false
	if class == "" || kind == "mention" {
		post = true
	}
	if class == "" {
		class = "posts"
	}
	note := x.Note(by, words)
	object := note["object"].(map[string]any)
	amira := p.amira.Account.IRI(p.oak.DB().Site())
	picture := fmt.Sprintf("/pictures/%d", p.n)
	switch kind {
	case "link":
		object["content"] = "<p>" + words + `</p><p><a href="https://shop.example/x">this</a></p>`
	case "picture":
		pictured(x, picture)
		object["attachment"] = []any{map[string]any{"type": "Document", "mediaType": "image/png", "url": x.URL(picture), "name": "A leaf"}}
	case "mention":
		object["to"] = append(object["to"].([]string), amira)
		object["tag"] = []any{map[string]any{"type": "Mention", "href": amira, "name": p.amira.Handle()}}
		note["to"] = object["to"]
	case "like", "boost":
		note = map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": x.URL(fmt.Sprintf("/deeds/%d", p.n)), "type": "Like", "actor": x.Actor(by), "object": p.base.IRI}
		if kind == "boost" {
			note["type"], note["to"] = "Announce", []string{"https://www.w3.org/ns/activitystreams#Public"}
		}
	case "follow":
		note = x.Follows(by, amira)
		note["id"] = x.URL(fmt.Sprintf("/deeds/%d", p.n))
	}
	has := func() (n int) {
		sql, args := map[string]string{
			"like":   "SELECT COUNT(*) FROM likes WHERE uri = ?",
			"boost":  "SELECT COUNT(*) FROM posts WHERE uri = ? AND boost_of_id IS NOT NULL",
			"follow": "SELECT COUNT(*) FROM follows f JOIN accounts a ON a.id = f.follower_id WHERE a.username = ? AND a.host = '" + x.Host + "' AND f.state = 'accepted'",
		}[kind], []any{note["id"]}
		if kind == "follow" {
			args = []any{by}
		}
		err := p.oak.DB().Read(p.t.Context(), func(tx *store.Tx) error { return tx.Raw(sql, args...).Scan(&n).Error })
		if err != nil {
			p.t.Fatal(err)
		}
		return n
	}
	if !post && by == "pat" { // who may have done so before
		by = fmt.Sprintf("m%d", p.n)
		note["actor"] = x.Actor(by)
	}
	x.Send(p.oak, note)
	p.settled()
	got := refused
	switch {
	case post && p.waits(words):
		got = waits
	case post && p.holds(words), !post && has() > 0:
		got = lands
	}
	want := m.becomes(class, post, first, kind == "link", kind == "picture")
	if got != want {
		p.t.Errorf("%s: a %s by %s %s, but should be one that %s (%+v)", x.Host, kind, by, got, want, *m)
	}
	if got != lands || !post {
		return
	}
	if shown := p.shared(words); kind != "mention" && shown != (m.set["silenced"] == "no") {
		p.t.Errorf("%s: a %s is in the list that all share: %v (%+v)", x.Host, kind, shown, *m)
	}
	if kind == "picture" {
		p.sees(x, words, picture)
	}
}

// sees looks at a picture that has just come, or leaves it for later and looks
// at one that came earlier: it is fetched as the policy says now.
func (p *dealings) sees(x *testnet.Stranger, words, path string) {
	p.t.Helper()
	m := p.models[x.Host]
	at := pictureOf(p.t, p.oak, words)
	if (at == "") != (m.set["media"] == "strip") {
		p.t.Errorf("%s: the picture is at %q (%+v)", x.Host, at, *m)
	}
	if at == "" {
		return
	}
	if p.later[x.Host] == "" {
		p.later[x.Host] = at + " " + path
		return
	}
	p.look(x, at, path)
}

// look opens a picture that nobody has seen yet, small as pages do.
func (p *dealings) look(x *testnet.Stranger, at, path string) (asked bool) {
	p.t.Helper()
	m := p.models[x.Host]
	status, _ := p.browser.get(at + "?size=small")
	asked = x.Fetched(path) > 0
	if want := m.admitted() && (m.set["media"] == "proxy" || m.set["media"] == "hold"); asked != want {
		p.t.Errorf("%s: looking at a picture asks for it: %v, answered %d (%+v)", x.Host, asked, status, *m)
	}
	return asked
}

// goes has amira do one thing that concerns a server.
func (p *dealings) goes(x *testnet.Stranger) {
	p.t.Helper()
	p.n++
	m := p.models[x.Host]
	words := fmt.Sprintf("No%dx of amira", p.n)
	if later := p.later[x.Host]; later != "" && p.random.IntN(2) == 0 {
		at, path, _ := strings.Cut(later, " ")
		if p.look(x, at, path) {
			p.later[x.Host] = ""
		}
	}
	kind := p.pick("public", "followers", "reply", "like")
	class, needs := "posts", "public"
	var err error
	var id string
	switch kind {
	case "public", "followers":
		audience := community.Public
		if kind == "followers" {
			audience, needs = community.Followers, "network"
		}
		id = p.amira.PublishTo(audience, words).IRI
	case "reply":
		class = "replies"
		var post testnet.Post
		post, err = p.amira.TryWrite(community.Draft{Kind: community.Reply, Source: words, InReplyToID: p.seeds[x.Host].ID, Audience: community.Public})
		id = post.IRI
	case "like":
		class = "reactions"
		id = *p.seeds[x.Host].URI
		err = p.oak.DB().Write(p.t.Context(), func(tx *store.Tx) error {
			_, err := community.Like(tx, p.amira.Account, p.seeds[x.Host].ID)
			return err
		})
	}
	if err != nil && (m.admitted() || fault.Of(err).Kind == fault.Internal) {
		p.t.Errorf("%s: amira's %s: %v (%+v)", x.Host, kind, err, *m)
	}
	before := 0
	count := func() (n int) {
		for _, r := range x.Received() {
			o, _ := r.Activity["object"].(map[string]any)
			if r.Type() == "Create" && o["id"] == id || r.Type() == "Like" && r.Activity["object"] == id {
				n++
			}
		}
		return n
	}
	if kind == "like" {
		before = p.likes[x.Host]
	}
	p.settled()
	got := count() > before
	if want := m.admitted() && m.has("outbound", class) && m.reaches(needs); got != want {
		p.t.Errorf("%s: amira's %s arrived: %v (%+v)", x.Host, kind, got, *m)
	}
	if kind == "like" {
		p.likes[x.Host] = count()
		_ = p.oak.DB().Write(p.t.Context(), func(tx *store.Tx) error { // or the next is none
			_, err := community.Unlike(tx, p.amira.Account, p.seeds[x.Host].ID)
			return err
		})
		p.settled()
	}
}

// reads has a server ask for a public post.
func (p *dealings) reads(x *testnet.Stranger) {
	p.t.Helper()
	m := p.models[x.Host]
	status, body := x.Get(p.base.IRI)
	if want := m.admitted() && m.reaches("public"); (status == http.StatusOK) != want || !want && strings.Contains(body, "The first") {
		p.t.Errorf("%s reads a public post: %d (%+v)", x.Host, status, *m)
	}
}

// stored is a post that is here, by its words.
func (p *dealings) stored(words string) (post community.Post) {
	p.t.Helper()
	err := p.oak.DB().Read(p.t.Context(), func(tx *store.Tx) error { return tx.Where("html LIKE ?", "%"+words+"%").Take(&post).Error })
	if err != nil {
		p.t.Fatal(err)
	}
	return post
}

// shared reports whether the list of connected servers shows a post.
func (p *dealings) shared(words string) (is bool) {
	p.t.Helper()
	err := p.oak.DB().Read(p.t.Context(), func(tx *store.Tx) error {
		v, err := community.ViewerOf(tx, p.amira.Account.ID)
		if err != nil {
			return err
		}
		posts, err := community.ConnectedTimeline(tx, v, store.Page{Limit: store.MaxLimit})
		is = slices.ContainsFunc(posts, func(o community.Post) bool { return strings.Contains(o.HTML, words) })
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return is
}
