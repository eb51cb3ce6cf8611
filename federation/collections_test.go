package federation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// told is a collection as somebody is told it: how many members it says it has
// (-1: it does not say), and those that its pages tell, in their order.
type told struct {
	total int
	ids   []string
	pages int
}

// collect reads a collection from its first page to its last, and back again.
func (n *server) collect(as community.Account, url string) told {
	n.t.Helper()
	get := func(url string) as2.Collection {
		res := n.ask(as, url)
		if res.Status != http.StatusOK {
			n.t.Fatalf("%s: %d %s", url, res.Status, res.Body)
		}
		c, err := as2.DecodeCollection(res.Body)
		if err != nil || c.ID != url {
			n.t.Fatalf("%s: %v %s", url, err, res.Body)
		}
		return c
	}
	c := get(url)
	out := told{total: -1, ids: c.IDs()}
	if c.TotalItems != nil {
		out.total = *c.TotalItems
	}
	next := c.First
	if c.FirstPage != nil {
		out.pages++
		next = c.FirstPage.Next
	}
	for next != "" && out.pages < 20 {
		page := get(next)
		if page.PartOf != url || len(page.Items) > collectionPage {
			n.t.Errorf("%s: part of %q, with %d members", next, page.PartOf, len(page.Items))
		}
		out.ids = append(out.ids, page.IDs()...)
		out.pages++
		if page.Prev != "" {
			before := get(page.Prev)
			back := before.IDs()
			if at := slices.Index(out.ids, page.Items[0].ID); !slices.Equal(back, out.ids[max(0, at-len(back)):at]) {
				n.t.Errorf("%s: back from %s are %d others", url, next, len(back))
			}
		}
		next = page.Next
	}
	if len(slices.Compact(slices.Sorted(slices.Values(out.ids)))) != len(out.ids) {
		n.t.Errorf("%s tells something twice", url)
	}
	return out
}

// Everybody is told, and has counted for them, what they may see.
func TestCollectionsTellWhatTheAskerMayKnow(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, gum := r.start("oak.localhost"), r.start("elm.localhost"), r.start("gum.localhost")
		r.befriend()
		amira := oak.person("amira")
		bo, ed, di := elm.person("bo"), elm.person("ed"), gum.person("di")
		elm.follow(bo, "@amira@oak.localhost")
		gum.follow(di, "@amira@oak.localhost")
		ede := oak.seen("@ed@elm.localhost")
		oak.write(func(tx *store.Tx) error {
			if _, err := peers.Allow(tx, 0, "gum.localhost", peers.Entry{Ceiling: peers.CeilingPublic}); err != nil {
				return err
			}
			return community.Block(tx, amira, ede)
		})
		r.settle()

		top := oak.publish(amira, community.Draft{Kind: community.Discussion, Title: "Topic", Source: "top"})
		var public, network, replies []string
		say := func(words string, a community.Audience, under int64) string {
			kind := community.Note
			if under != 0 {
				kind = community.Reply
			}
			var p community.Post
			oak.write(func(tx *store.Tx) (err error) {
				p, err = community.Publish(tx, amira, community.Draft{Kind: kind, Source: words, Audience: a, InReplyToID: under})
				return err
			})
			return oak.site.Post(p.ID)
		}
		public = append(public, oak.site.Post(top.ID))
		for i := range collectionPage + 5 {
			id := say(fmt.Sprint("answer ", i), community.Public, top.ID)
			public, replies = append(public, id), append(replies, id)
		}
		network = append(network, say("for the network", community.Network, top.ID))
		say("for the school", community.School, top.ID)
		say("for nobody", community.Me, 0)
		r.settle()
		all := append(slices.Clone(public), network...)
		outbox, context, answers := oak.site.Outbox(amira.ID), oak.site.Context(top.ID), oak.site.PostReplies(top.ID)
		newestFirst := func(ids []string) []string {
			ids = slices.Clone(ids)
			slices.Reverse(ids)
			for i := range ids {
				ids[i] += "#create"
			}
			return ids
		}
		itself := community.Account{}
		tests := []struct {
			name string
			n    *server
			as   community.Account
			url  string
			want []string
		}{
			{"the outbox, to a server in the network", elm, itself, outbox, newestFirst(all)},
			{"the outbox, to a follower there", elm, bo, outbox, newestFirst(all)},
			{"the outbox, to a server that gets what is public", gum, itself, outbox, newestFirst(public)},
			{"the outbox, to its follower", gum, di, outbox, newestFirst(public)},
			{"the outbox, to somebody blocked", elm, ed, outbox, nil},
			{"the conversation, to a server in the network", elm, itself, context, all},
			{"the conversation, to a server that gets what is public", gum, di, context, public},
			{"the answers, to a server in the network", elm, bo, answers, append(slices.Clone(replies), network...)},
			{"the answers, to a server that gets what is public", gum, itself, answers, replies},
		}
		for _, tt := range tests {
			got := tt.n.collect(tt.as, tt.url)
			if got.total != len(tt.want) || !slices.Equal(got.ids, tt.want) {
				t.Errorf("%s: %d said to be, told %d, want %d", tt.name, got.total, len(got.ids), len(tt.want))
			}
			if len(tt.want) > collectionPage && got.pages != 2 {
				t.Errorf("%s: %d pages", tt.name, got.pages)
			}
		}
		for _, url := range []string{context, answers, oak.site.PostLikes(top.ID), oak.site.PostShares(top.ID)} {
			if res := elm.ask(ed, url); res.Status != http.StatusNotFound {
				t.Errorf("%s to somebody blocked: %d", url, res.Status)
			}
		}
		// How many follow is told to those who say who they are, and are welcome.
		for _, url := range []string{oak.site.Followers(amira.ID), oak.site.Following(amira.ID)} {
			want := 0
			if strings.HasSuffix(url, "followers") {
				want = 2
			}
			if got := elm.collect(bo, url); got.total != want || got.ids != nil {
				t.Errorf("%s: %+v", url, got)
			}
			if got := elm.collect(ed, url); got.total != -1 || got.ids != nil {
				t.Errorf("%s to somebody blocked: %+v", url, got)
			}
		}
		oak.write(func(tx *store.Tx) error { return peers.SetMode(tx, 0, peers.Open, "oak.localhost") })
		for url, total := range map[string]int{oak.site.Followers(amira.ID): -1, outbox: len(public), context: len(public)} {
			c := oak.guest(url)
			if got := c.TotalItems; total < 0 && got != nil || total >= 0 && (got == nil || *got != total) {
				t.Errorf("%s to somebody who does not say who they are: %v", url, got)
			}
		}
		// A page stays as it is while the list grows.
		first, _ := as2.DecodeCollection(elm.ask(bo, outbox+"?page=true").Body)
		second := elm.ask(bo, first.Next).Body
		say("one more", community.Public, 0)
		r.settle()
		if again := elm.ask(bo, first.Next).Body; string(again) != string(second) {
			t.Errorf("the second page was %s and is %s", second, again)
		}
		for _, bad := range []string{"?page=2", "?page=true&max_id=x", "?page=true&min_id=-1", "?page=true&max_id=5&min_id=3", "?page=true&min_id=99999999999999999999"} {
			for _, url := range []string{outbox, answers, context} {
				if res := elm.ask(bo, url+bad); res.Status != http.StatusNotFound {
					t.Errorf("%s: %d", url+bad, res.Status)
				}
			}
		}
	})
}

// guest asks for a collection as whoever does not say who they are.
func (n *server) guest(url string) as2.Collection {
	n.t.Helper()
	v := community.Guest
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	ref, _ := n.site.Parse(url)
	var a answer
	n.read(func(tx *store.Tx) (err error) {
		q := asked{r: req, id: ref.ID, viewer: v}
		switch {
		case strings.HasSuffix(url, "/followers"):
			a, err = n.followersDocument(tx, q)
		case strings.HasSuffix(url, "/outbox"):
			a, err = n.outboxDocument(tx, q)
		default:
			a, err = n.contextDocument(tx, q)
		}
		return err
	})
	c, err := as2.DecodeCollection(a.body)
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// What somebody whom its author blocks answered does not stand among the
// replies that the author's server tells of.
//
// FEP-7458.
func TestRepliesLeaveOutTheBlocked(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	amira, cy, bo := oak.person("amira"), oak.person("cy"), elm.person("bo")
	top := oak.publish(amira, community.Draft{Kind: community.Discussion, Title: "Topic", Source: "top"})
	good := oak.publish(cy, community.Draft{Kind: community.Reply, Source: "good", InReplyToID: top.ID})
	if got := elm.collect(bo, oak.site.PostReplies(top.ID)); got.total != 1 || !slices.Equal(got.ids, []string{oak.site.Post(good.ID)}) {
		t.Errorf("before: %+v", got)
	}
	oak.write(func(tx *store.Tx) error { return community.Block(tx, amira, cy) })
	if got := elm.collect(bo, oak.site.PostReplies(top.ID)); got.total != 0 || len(got.ids) != 0 {
		t.Errorf("after: %+v", got)
	}
	// The post tells its first replies itself, and a context that fits is one document.
	var o struct {
		Replies struct {
			ID    string `json:"id"`
			First struct {
				ID    string   `json:"id"`
				Items []string `json:"items"`
			} `json:"first"`
		} `json:"replies"`
	}
	oak.write(func(tx *store.Tx) error { return community.Unblock(tx, amira, cy) })
	if err := json.Unmarshal(elm.ask(bo, oak.site.Post(top.ID)).Body, &o); err != nil {
		t.Fatal(err)
	}
	if o.Replies.ID != oak.site.PostReplies(top.ID) || !slices.Equal(o.Replies.First.Items, []string{oak.site.Post(good.ID)}) {
		t.Errorf("the post says of its replies %+v", o.Replies)
	}
	c, err := as2.DecodeCollection(elm.ask(bo, oak.site.Context(top.ID)).Body)
	if err != nil || c.First != "" || len(c.Items) != 2 || c.AttributedTo != oak.site.Actor(amira.ID) || c.Type != "OrderedCollection" {
		t.Errorf("the conversation: %+v, %v", c, err)
	}
	if res := elm.ask(bo, oak.site.Context(good.ID)); res.Status != http.StatusNotFound {
		t.Errorf("a conversation that a reply does not begin: %d", res.Status)
	}
}

// What is shown first on a page, and what somebody passed on.
func TestFeaturedAndPassedOn(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	amira, bo := oak.person("amira"), elm.person("bo")
	one := oak.publish(amira, community.Draft{Source: "one"})
	closed := oak.publish(amira, community.Draft{Source: "closed", Audience: community.School})
	oak.write(func(tx *store.Tx) error {
		for _, p := range []community.Post{one, closed} {
			if err := tx.Exec("INSERT INTO pins (account_id, post_id, id, created_at) VALUES (?, ?, ?, ?)", amira.ID, p.ID, tx.NewID(), tx.Now).Error; err != nil {
				return err
			}
		}
		return tx.Exec("INSERT INTO featured_tags (account_id, tag, name, id, created_at) VALUES (?, 'maths', 'Maths', ?, ?)", amira.ID, tx.NewID(), tx.Now).Error
	})
	if got := elm.collect(bo, oak.site.Featured(amira.ID)); got.total != 1 || !slices.Equal(got.ids, []string{oak.site.Post(one.ID)}) {
		t.Errorf("featured: %+v", got)
	}
	body := string(elm.ask(bo, oak.site.FeaturedTags(amira.ID)).Body)
	for _, want := range []string{`"totalItems":1`, `"type":"Hashtag"`, `"name":"#Maths"`, oak.site.Tag("maths"), `"Hashtag":"as:Hashtag"`} {
		if !strings.Contains(body, want) {
			t.Errorf("featured tags lack %s: %s", want, body)
		}
	}
	cy := oak.person("cy")
	oak.write(func(tx *store.Tx) error {
		_, err := community.BoostPost(tx, cy, one.ID)
		return err
	})
	r.settle()
	got := elm.collect(bo, oak.site.Outbox(cy.ID))
	if got.total != 1 || len(got.ids) != 1 {
		t.Fatalf("the outbox of who passes on: %+v", got)
	}
	if page := string(elm.ask(bo, oak.site.Outbox(cy.ID)+"?page=true").Body); !strings.Contains(page, `"type":"Announce"`) || !strings.Contains(page, oak.site.Post(one.ID)) {
		t.Errorf("the page: %s", page)
	}
	if res := elm.ask(bo, got.ids[0]); res.Status != http.StatusOK || !strings.Contains(string(res.Body), `"type":"Announce"`) {
		t.Errorf("what the outbox tells is not at its address: %d %s", res.Status, res.Body)
	}
}
