package federation

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// pins are the words of what an account shows first to somebody.
func (n *server) pins(me, of community.Account) []string {
	n.t.Helper()
	var words []string
	n.read(func(tx *store.Tx) error {
		posts, err := community.PinsOf(tx, community.Viewer{ID: me.ID, Local: true}, of.ID)
		for _, p := range posts {
			words = append(words, strings.TrimSpace(p.HTML))
		}
		return err
	})
	return words
}

func (n *server) pin(me community.Account, p community.Post, on bool) {
	n.t.Helper()
	n.write(func(tx *store.Tx) (err error) {
		if on {
			_, err = community.Pin(tx, me, p.ID)
		} else {
			_, err = community.Unpin(tx, me, p.ID)
		}
		return err
	})
	n.ring.settle()
}

// What somebody pins is told to followers, and what is not for them is not.
//
// W3C ActivityPub, sections 7.8 and 7.9 (Add, Remove); FEDERATION.md, "Pinned posts".
func TestPinsBetweenServers(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, dee, bo := oak.person("amira"), oak.person("dee"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		one := oak.publish(amira, community.Draft{Source: "one"})
		two := oak.publish(amira, community.Draft{Source: "two"})
		school := oak.publish(amira, community.Draft{Source: "school", Audience: community.School})
		chosen := oak.publish(amira, community.Draft{Source: "me", Audience: community.Me})
		oak.pin(amira, one, true)
		oak.pin(amira, school, true)
		oak.pin(amira, two, true)
		if err := oak.db.Write(context.Background(), func(tx *store.Tx) error { _, err := community.Pin(tx, amira, chosen.ID); return err }); err == nil {
			t.Error("what is for oneself alone can be pinned")
		}
		if err := oak.db.Write(context.Background(), func(tx *store.Tx) error { _, err := community.Pin(tx, dee, one.ID); return err }); err == nil {
			t.Error("another's post can be pinned")
		}
		if got := oak.pins(dee, amira); !slices.Equal(got, []string{"<p>two</p>", "<p>school</p>", "<p>one</p>"}) {
			t.Errorf("oak shows first %q", got)
		}
		there := elm.seen("@amira@oak.localhost")
		if got := elm.pins(bo, there); !slices.Equal(got, []string{"<p>two</p>", "<p>one</p>"}) {
			t.Errorf("elm shows first %q", got)
		}
		if n := oak.count("SELECT COUNT(*) FROM outgoing WHERE verb = 'Pin' AND post_id = ?", school.ID); n != 0 {
			t.Error("others are told of a pinned post that is for the school")
		}
		oak.pin(amira, two, false)
		if got := elm.pins(bo, there); !slices.Equal(got, []string{"<p>one</p>"}) {
			t.Errorf("after one was taken down elm shows first %q", got)
		}
	})
}

// Nobody pins another's post, nor to a collection that is not theirs.
func TestForgedPins(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, dee, bo := oak.person("amira"), oak.person("dee"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		elm.follow(bo, "@dee@oak.localhost")
		hers, his := oak.publish(amira, community.Draft{Source: "hers"}), oak.publish(dee, community.Draft{Source: "his"})
		for i, tt := range []struct{ name, object, target string }{
			{"another's post", oak.site.Post(his.ID), oak.site.Featured(amira.ID)},
			{"another's collection", oak.site.Post(his.ID), oak.site.Featured(dee.ID)},
			{"a collection of moderators", oak.site.Post(hers.ID), oak.site.URL("/moderators")},
			{"a post of the other server", elm.site.Post(1), oak.site.Featured(amira.ID)},
			{"nothing", "", oak.site.Featured(amira.ID)},
		} {
			activity := doc{"@context": "https://www.w3.org/ns/activitystreams", "id": oak.site.URL("/test/add/" + string(rune('a'+i))), "type": "Add",
				"actor": oak.site.Actor(amira.ID), "target": tt.target}
			if tt.object != "" {
				activity["object"] = tt.object
			}
			if res := oak.say(amira, elm, activity); res.Status != http.StatusAccepted {
				t.Errorf("%s: answered %d", tt.name, res.Status)
			}
			r.settle()
		}
		if n := elm.count("SELECT COUNT(*) FROM pins"); n != 0 {
			t.Errorf("%d forged pins", n)
		}
	})
}

// A page that is opened has its pinned posts looked up, a bounded number of them.
func TestPinnedPostsAreLookedUp(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		there := elm.seen("@amira@oak.localhost")
		other := oak.person("other")
		foreign := oak.publish(other, community.Draft{Source: "not hers"})
		asked := 0
		var items []string
		for range 30 {
			items = append(items, oak.site.Post(oak.publish(amira, community.Draft{Source: "one"}).ID))
		}
		items = append([]string{oak.site.Post(foreign.ID), elm.site.Post(7), "https://masto.test/1"}, items...)
		oak.tap = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/u/"+oak.site.Featured(amira.ID)[len(oak.site.URL("/u/")):] {
				return false
			}
			asked++
			w.Header().Set("Content-Type", activityJSON)
			w.Write(encodeDoc(t, doc{"@context": "https://www.w3.org/ns/activitystreams", "id": oak.site.Featured(amira.ID), "type": "OrderedCollection", "orderedItems": items}))
			return true
		}
		elm.FreshenAccount(context.Background(), there)
		elm.FreshenAccount(context.Background(), there)
		r.settle()
		if got := elm.pins(bo, there); len(got) != mostFeatured-1 || asked != 1 {
			t.Errorf("%d pinned posts are shown, asked %d times", len(got), asked)
		}
		if n := elm.count("SELECT COUNT(*) FROM posts"); n > mostFeatured {
			t.Errorf("%d posts were fetched", n)
		}
	})
}
