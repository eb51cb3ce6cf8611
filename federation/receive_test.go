package federation

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/store"
)

const public = "https://www.w3.org/ns/activitystreams#Public"

// What one actor says about another's things changes nothing.
func TestForgeries(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
		r.befriend()
		bo, cy, mal := elm.person("bo"), elm.person("cy"), fir.person("mal")
		elm.say(bo, oak, elm.note(bo, "honest"))
		r.settle()
		honest := elm.site.URL("/test/honest")
		evil := fir.site.Actor(mal.ID)
		neighbour := elm.site.Actor(cy.ID)
		object := func(id, by, content string) doc {
			return doc{"id": id, "type": "Note", "attributedTo": by, "content": content, "to": public, "updated": time.Now().UTC().Format(time.RFC3339)}
		}
		forged := []struct {
			name string
			from *server
			as   community.Account
			doc  doc
		}{
			{"a post in another's name", fir, mal, doc{"type": "Create", "actor": evil, "object": object(fir.site.URL("/x"), elm.site.Actor(bo.ID), "forged")}},
			{"a post of another server", fir, mal, doc{"type": "Create", "actor": evil, "object": object(elm.site.URL("/x"), evil, "forged")}},
			{"a change of another's post", fir, mal, doc{"type": "Update", "actor": evil, "object": object(honest, elm.site.Actor(bo.ID), "forged")}},
			{"a neighbour's change", elm, cy, doc{"type": "Update", "actor": neighbour, "object": object(honest, neighbour, "forged")}},
			{"a change of another actor", elm, cy, doc{"type": "Update", "actor": neighbour,
				"object": doc{"id": elm.site.Actor(bo.ID), "type": "Person", "preferredUsername": "bo", "name": "forged", "inbox": elm.site.Inbox(bo.ID)}}},
			{"a stranger's Delete", fir, mal, doc{"type": "Delete", "actor": evil, "object": honest}},
			{"a neighbour's Delete", elm, cy, doc{"type": "Delete", "actor": neighbour, "object": honest}},
			{"an embedded lie", fir, mal, doc{"type": "Announce", "actor": evil, "to": public, "object": object(elm.site.URL("/test/never"), elm.site.Actor(bo.ID), "forged")}},
			{"a wrapped lie", fir, mal, doc{"type": "Announce", "actor": evil, "to": public,
				"object": doc{"id": elm.site.URL("/y"), "type": "Create", "actor": elm.site.Actor(bo.ID), "object": object(elm.site.URL("/test/never"), elm.site.Actor(bo.ID), "forged")}}},
			{"another's Undo", fir, mal, doc{"type": "Undo", "actor": evil, "object": doc{"id": elm.site.URL("/z"), "type": "Like", "actor": elm.site.Actor(bo.ID), "object": honest}}},
		}
		for i, forgery := range forged {
			forgery.doc["id"] = forgery.from.site.URL("/test/forged/" + string(rune('a'+i)))
			if res := forgery.from.say(forgery.as, oak, forgery.doc); res.Status != http.StatusAccepted {
				t.Errorf("%s: answered %d: %s", forgery.name, res.Status, res.Body)
			}
			r.settle()
			if n := oak.count("SELECT COUNT(*) FROM posts WHERE html LIKE '%forged%' OR deleted_at IS NOT NULL"); n != 0 {
				t.Fatalf("%s was believed", forgery.name)
			}
			if n := oak.count("SELECT COUNT(*) FROM accounts WHERE display_name = 'forged'"); n != 0 {
				t.Fatalf("%s was believed", forgery.name)
			}
		}
		if n := oak.count("SELECT COUNT(*) FROM posts"); n != 1 {
			t.Errorf("%d posts, want the honest one", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM incoming WHERE state <> 'done'"); n != 0 {
			t.Errorf("%d activities were not worked", n)
		}
	})
}

func TestDeedsAreUndone(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		p := oak.publish(amira, community.Draft{Source: "Look"})
		theirs := elm.copyOf(p, oak)
		figures := func() [4]int {
			return [4]int{oak.count("SELECT likes_count FROM posts WHERE id = ?", p.ID), oak.count("SELECT boosts_count FROM posts WHERE id = ?", p.ID),
				oak.count("SELECT COUNT(*) FROM follows"), oak.count("SELECT COUNT(*) FROM blocks")}
		}
		do := func(name string, fn func(tx *store.Tx) error, want [4]int) {
			t.Helper()
			elm.write(fn)
			r.settle()
			if got := figures(); got != want {
				t.Errorf("%s: likes, boosts, follows, blocks are %v, want %v", name, got, want)
			}
		}
		target := elm.seen("@amira@oak.localhost")
		do("like", func(tx *store.Tx) error { _, err := community.Like(tx, bo, theirs.ID); return err }, [4]int{1, 0, 1, 0})
		do("boost", func(tx *store.Tx) error { _, err := community.BoostPost(tx, bo, theirs.ID); return err }, [4]int{1, 1, 1, 0})
		do("unlike", func(tx *store.Tx) error { _, err := community.Unlike(tx, bo, theirs.ID); return err }, [4]int{0, 1, 1, 0})
		do("unboost", func(tx *store.Tx) error { _, err := community.UnboostPost(tx, bo, theirs.ID); return err }, [4]int{0, 0, 1, 0})
		do("unfollow", func(tx *store.Tx) error { return community.Unfollow(tx, bo, target) }, [4]int{0, 0, 0, 0})
		do("block", func(tx *store.Tx) error { return community.Block(tx, bo, target) }, [4]int{0, 0, 0, 1})
		do("unblock", func(tx *store.Tx) error { return community.Unblock(tx, bo, target) }, [4]int{0, 0, 0, 0})

		// By address alone, as some servers say it.
		me := elm.site.Actor(bo.ID)
		id := func(s string) string { return elm.site.URL("/test/" + s) }
		elm.say(bo, oak, doc{"id": id("l"), "type": "Like", "actor": me, "object": p.IRI(oak.site)})
		elm.say(bo, oak, doc{"id": id("b"), "type": "Announce", "actor": me, "object": p.IRI(oak.site), "to": public})
		elm.say(bo, oak, doc{"id": id("f"), "type": "Follow", "actor": me, "object": oak.site.Actor(amira.ID)})
		r.settle()
		if got := figures(); got != [4]int{1, 1, 1, 0} {
			t.Fatalf("figures are %v", got)
		}
		for _, s := range []string{"l", "b", "f"} {
			elm.say(bo, oak, doc{"id": id("u" + s), "type": "Undo", "actor": me, "object": id(s)})
		}
		r.settle()
		if got := figures(); got != [4]int{0, 0, 0, 0} {
			t.Errorf("undone by address: figures are %v", got)
		}
	})
}

// As GoToSocial refuses what its interactionPolicy has people ask for.
func TestBoostThatItsAuthorRefuses(t *testing.T) {
	for name, object := range map[string]func(address string) any{
		"by its address": func(address string) any { return address },
		"by the request": func(address string) any {
			return doc{"id": "http://oak.localhost/requests/1", "type": "AnnounceRequest", "instrument": address}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &ring{t: t, at: map[string]addrPort{}}
			oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
			r.befriend()
			amira, cy, bo := oak.person("amira"), oak.person("cy"), elm.person("bo")
			elm.follow(bo, "@amira@oak.localhost")
			p := oak.publish(amira, community.Draft{Source: "Look"})
			theirs, boost := elm.copyOf(p, oak), community.Post{}
			elm.write(func(tx *store.Tx) (err error) {
				boost, err = community.BoostPost(tx, bo, theirs.ID)
				return err
			})
			r.settle()
			boosts := func() [2]int {
				return [2]int{oak.count("SELECT boosts_count FROM posts WHERE id = ?", p.ID), elm.count("SELECT boosts_count FROM posts WHERE uri = ?", p.IRI(oak.site))}
			}
			for _, refused := range []struct {
				by   community.Account
				want [2]int
			}{{cy, [2]int{1, 1}}, {amira, [2]int{0, 0}}, {amira, [2]int{0, 0}}} {
				oak.say(refused.by, elm, doc{"id": oak.site.URL("/test/reject/" + refused.by.Username), "type": "Reject", "actor": oak.site.Actor(refused.by.ID),
					"to": []string{elm.site.Actor(bo.ID)}, "object": object(elm.site.Activity(boost.ID))})
				r.settle()
				if got := boosts(); got != refused.want {
					t.Errorf("refused by %s, the boosts at their server and ours are %v, want %v", refused.by.Username, got, refused.want)
				}
			}
		})
	}
}

func TestEditAndDelete(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		p := oak.publish(amira, community.Draft{Kind: community.Question, Title: "How?", Source: "First words", Audience: community.Network})
		if got := elm.copyOf(p, oak); got.Kind != community.Question || got.Audience != community.Network || got.Title != "How?" {
			t.Fatalf("elm has %+v", got)
		}
		oak.write(func(tx *store.Tx) error {
			_, err := community.Edit(tx, amira, p.ID, community.Draft{Title: "How then?", Source: "Other words"})
			return err
		})
		r.settle()
		copied := elm.copyOf(p, oak)
		if copied.Title != "How then?" || copied.EditedAt == nil {
			t.Errorf("after the edit elm has %+v", copied)
		}
		reply := elm.publish(bo, community.Draft{Kind: community.Reply, Audience: community.Network, Source: "So", InReplyToID: copied.ID})
		answer := oak.copyOf(reply, elm)
		if answer.InReplyToID == nil || *answer.InReplyToID != p.ID || answer.Audience != community.Network {
			t.Fatalf("oak has the reply as %+v", answer)
		}
		oak.write(func(tx *store.Tx) error { _, err := community.AcceptAnswer(tx, amira, p.ID, answer.ID); return err })
		r.settle()
		if got := elm.copyOf(p, oak); got.AcceptedAnswerID == nil || *got.AcceptedAnswerID != reply.ID {
			t.Errorf("elm has not heard which answer was chosen: %+v", got)
		}
		oak.write(func(tx *store.Tx) error { return community.Delete(tx, amira, p.ID) })
		r.settle()
		if got := elm.copyOf(p, oak); got.DeletedAt == nil || got.HTML != "" {
			t.Errorf("after the deletion elm has %+v", got)
		}
	})
}

func TestDeleteBeforeCreate(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	who := elm.person("bo")
	elm.say(who, oak, elm.note(who, "other"))
	elm.say(who, oak, doc{"id": elm.site.URL("/d"), "type": "Delete", "actor": elm.site.Actor(who.ID), "object": doc{"id": elm.site.URL("/test/late"), "type": "Tombstone"}})
	elm.say(who, oak, elm.note(who, "late"))
	r.settle()
	if n := oak.count("SELECT COUNT(*) FROM posts"); n != 1 {
		t.Errorf("%d posts, want one: a Create must not revive what was deleted", n)
	}
}

// A boost brings the post it passes on, from its own server, and only if that
// server is connected.
func TestBoostOfUnknown(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		parent := oak.publish(amira, community.Draft{Kind: community.Discussion, Title: "A topic", Source: "Opening"})
		reply := oak.publish(amira, community.Draft{Kind: community.Reply, Source: "Further", InReplyToID: parent.ID})
		me := elm.site.Actor(bo.ID)
		boost := doc{"id": elm.site.URL("/b1"), "type": "Announce", "actor": me, "to": public, "object": reply.IRI(oak.site)}
		if res := elm.say(bo, fir, boost); res.Status != 202 {
			t.Fatal(res.Status)
		}
		r.settle()
		if n := fir.count("SELECT COUNT(*) FROM posts WHERE kind = 'boost'"); n != 1 {
			t.Fatalf("%d boosts at fir", n)
		}
		got := fir.copyOf(reply, oak)
		if got.InReplyToID == nil || fir.copyOf(parent, oak).ID != *got.InReplyToID {
			t.Errorf("the boosted reply hangs in the air: %+v", got)
		}
		asked := 0
		yew := r.still("yew.localhost")
		yew.tap = func(http.ResponseWriter, *http.Request) bool { asked++; return false }
		elm.say(bo, fir, doc{"id": elm.site.URL("/b2"), "type": "Announce", "actor": me, "to": public, "object": yew.site.Post(5)})
		r.settle()
		if asked != 0 {
			t.Error("a stranger's post was fetched because it was boosted")
		}
	})
}

// What a group passes on is fetched from its own server. Its Create of a post
// that opens a thread is a boost, once; one of an answer brings the answer, and of
// other deeds nothing is believed.
//
// FEP-1b12.
func TestGroupsPassOnAddresses(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
		r.befriend()
		amira, group, cy := oak.person("amira"), elm.person("literacy"), fir.person("cy")
		elm.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE accounts SET actor_type = 'Group' WHERE id = ?", group.ID).Error
		})
		fir.follow(cy, "@literacy@elm.localhost")
		if a := fir.seen("@literacy@elm.localhost"); a.ActorType != "Group" || fir.count("SELECT COUNT(*) FROM follows WHERE state = 'accepted'") != 1 {
			t.Errorf("a group is a %s that cannot be followed", a.ActorType)
		}
		p := oak.publish(amira, community.Draft{Kind: community.Discussion, Title: "A topic", Source: "Opening"})
		pass := func(kind string) {
			t.Helper()
			did := doc{"id": oak.site.URL("/test/" + kind), "type": kind, "actor": oak.site.Actor(amira.ID), "to": public, "audience": elm.site.Actor(group.ID),
				"object": doc{"id": oak.site.Post(p.ID), "type": "Note", "attributedTo": oak.site.Actor(amira.ID), "content": "forged", "updated": "2036-11-20T04:10:00Z"}}
			if res := elm.say(group, fir, doc{"id": elm.site.URL("/test/passed/" + kind), "type": "Announce", "actor": elm.site.Actor(group.ID), "to": public, "object": did}); res.Status != 202 {
				t.Fatalf("%s: %d %s", kind, res.Status, res.Body)
			}
			r.settle()
		}
		for _, kind := range []string{"Create", "Update", "Like", "Delete"} {
			pass(kind)
			got := fir.copyOf(p, oak)
			if got.Title != "A topic" || !strings.Contains(got.HTML, "Opening") || got.DeletedAt != nil || got.LikesCount != 0 {
				t.Errorf("after its %s was passed on the post is %+v", kind, got)
			}
		}
		answer := oak.publish(amira, community.Draft{Kind: community.Reply, Source: "And more", InReplyToID: p.ID})
		for i, object := range []any{oak.site.Post(p.ID), doc{"id": oak.site.URL("/test/answer"), "type": "Create", "actor": oak.site.Actor(amira.ID), "object": oak.site.Post(answer.ID)}} {
			elm.say(group, fir, doc{"id": elm.site.URL(fmt.Sprint("/test/again/", i)), "type": "Announce", "actor": elm.site.Actor(group.ID), "to": public, "object": object})
			r.settle()
		}
		if home := fir.home(cy); len(home) != 1 || home[0].BoostOfID == nil || *home[0].BoostOfID != fir.copyOf(p, oak).ID {
			t.Errorf("whoever follows the group finds at home %+v", home)
		}
		if n := fir.count("SELECT COUNT(*) FROM posts WHERE kind = 'boost'"); n != 1 {
			t.Errorf("%d boosts, want one", n)
		}
		if got := fir.copyOf(answer, oak); got.InReplyToID == nil || got.ID == 0 {
			t.Errorf("the answer is %+v", got)
		}
	})
}

// A boost whose post cannot be had just now is not dropped for being looked at
// again and again while it waits.
func TestPutOffIsNoTry(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm, yew := r.start("oak.localhost"), r.start("elm.localhost"), r.start("yew.localhost")
	r.befriend()
	who, amira := elm.person("bo"), yew.person("amira")
	p := yew.publish(amira, community.Draft{Source: "Far away"})
	oak.stop()
	down := true
	yew.tap = func(w http.ResponseWriter, r *http.Request) bool {
		if down && strings.HasPrefix(r.URL.Path, "/o/") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	elm.say(who, oak, doc{"id": elm.site.URL("/b"), "type": "Announce", "actor": elm.site.Actor(who.ID), "to": public, "object": p.IRI(yew.site)})
	group := []*lane{{Host: "elm.localhost"}}
	look := func() {
		t.Helper()
		rows, _, err := oak.round(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		oak.fetchFor(t.Context(), rows)
		if _, err := oak.work(t.Context(), group, rows); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 * mostAttempts {
		look()
	}
	if n := oak.count("SELECT COUNT(*) FROM incoming WHERE state = 'waiting' AND attempts = 1"); n != 1 {
		t.Fatal("the boost was tried more than once within a moment, and given up")
	}
	down = false
	oak.refetched.forget("slow yew.localhost")
	oak.refetched.forget("failed " + p.IRI(yew.site))
	look()
	if n := oak.count("SELECT COUNT(*) FROM posts WHERE kind = 'boost'"); n != 1 {
		t.Error("the boost did not land when its post could be had")
	}
}

// Whoever was sent a closed post answers it in its place, whatever software
// they use, and shows the answer to no more people than the post.
func TestAnswerToWhatWasSent(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		r.settle()
		oak.write(func(tx *store.Tx) error { return tx.Exec("UPDATE hosts SET closed_audiences = FALSE").Error })
		for _, audience := range []community.Audience{community.Followers, community.Network} {
			p := oak.publish(amira, community.Draft{Source: "For some", Audience: audience})
			note := elm.note(bo, "answer-"+string(audience))
			note["object"].(doc)["inReplyTo"] = p.IRI(oak.site)
			elm.say(bo, oak, note)
			elm.say(bo, oak, doc{"id": elm.site.URL("/l/" + string(audience)), "type": "Like", "actor": elm.site.Actor(bo.ID), "object": p.IRI(oak.site)})
			r.settle()
			if n := oak.count("SELECT COUNT(*) FROM posts WHERE in_reply_to_id = ? AND audience = ?", p.ID, audience); n != 1 {
				t.Errorf("%s: the answer does not stand under its post, for the same people", audience)
			}
			if n := oak.count("SELECT likes_count FROM posts WHERE id = ?", p.ID); n != 1 {
				t.Errorf("%s: %d likes", audience, n)
			}
		}
	})
}

// A reply whose parent is unknown is there at once and finds its place later.
func TestOrphanFindsItsParent(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
	r.befriend()
	amira, who := oak.person("amira"), elm.person("bo")
	parent := oak.publish(amira, community.Draft{Kind: community.Discussion, Title: "A topic", Source: "Opening"})
	note := elm.note(who, "reply")
	note["object"].(doc)["inReplyTo"] = parent.IRI(oak.site)
	elm.say(who, fir, note)
	r.settle()
	if n := fir.count("SELECT COUNT(*) FROM posts WHERE kind = 'reply' AND in_reply_to_id = ?", fir.copyOf(parent, oak).ID); n != 1 {
		t.Error("the reply did not find its parent")
	}
}

// Nobody can hang a reply or a like under what they were not shown.
func TestGuessedAddresses(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	amira, who := oak.person("amira"), elm.person("bo")
	p := oak.publish(amira, community.Draft{Source: "Only here", Audience: community.School})
	note := elm.note(who, "guess")
	note["object"].(doc)["inReplyTo"] = p.IRI(oak.site)
	elm.say(who, oak, note)
	elm.say(who, oak, doc{"id": elm.site.URL("/l"), "type": "Like", "actor": elm.site.Actor(who.ID), "object": p.IRI(oak.site)})
	r.settle()
	if n := oak.count("SELECT COUNT(*) FROM posts WHERE in_reply_to_id = ?", p.ID); n != 0 {
		t.Error("a reply hangs under a post that never left")
	}
	if n := oak.count("SELECT likes_count FROM posts WHERE id = ?", p.ID); n != 0 {
		t.Error("a post that never left was liked from outside")
	}
	if n := oak.count("SELECT COUNT(*) FROM notifications"); n != 0 {
		t.Error("amira was told of it")
	}
}

func TestActorsChangeAndGo(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		elm.follow(bo, "@amira@oak.localhost")
		oak.publish(amira, community.Draft{Source: "Before"})
		oak.write(func(tx *store.Tx) error {
			p := community.ProfileOf(amira)
			p.DisplayName = "Amira Haddad"
			_, err := community.UpdateProfile(tx, amira, p)
			return err
		})
		r.settle()
		if n := elm.count("SELECT COUNT(*) FROM accounts WHERE display_name = 'Amira Haddad' AND network_uri = ?", oak.site.Network()); n != 1 {
			t.Error("elm has not heard of the new name")
		}
		oak.say(amira, elm, doc{"id": oak.site.URL("/bye"), "type": "Delete", "actor": oak.site.Actor(amira.ID), "object": oak.site.Actor(amira.ID), "to": public})
		r.settle()
		if n := elm.count("SELECT COUNT(*) FROM posts WHERE deleted_at IS NULL"); n != 0 {
			t.Error("what amira wrote is still there")
		}
		if n := elm.count("SELECT COUNT(*) FROM follows"); n != 0 {
			t.Error("she is still followed")
		}
	})
}

// While one host's boost waits for a slow third server, what other hosts said
// at the same moment is there, and what it said itself comes in its order.
func TestSlowThirdServer(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		patient := func(d *Deps) { // yew is to be slow, not silent
			d.Egress = egress.New(egress.Options{UserAgent: "test", Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AnyPort: true,
				PlainHTTP: true, Resolve: r.resolve, Timeout: 30 * time.Second})
			t.Cleanup(d.Egress.Close)
		}
		oak, elm, fir, yew := r.start("oak.localhost", patient), r.start("elm.localhost"), r.start("fir.localhost"), r.start("yew.localhost")
		r.befriend()
		amira, who, mal := yew.person("amira"), elm.person("bo"), fir.person("mal")
		p := yew.publish(amira, community.Draft{Source: "Far away"})
		elm.say(who, oak, elm.note(who, "warm up"))
		fir.say(mal, oak, fir.note(mal, "warm up"))
		r.settle()
		oak.stop() // so that everything is found at once
		hold := make(chan struct{})
		yew.tap = func(_ http.ResponseWriter, r *http.Request) bool { <-hold; return false }
		me := elm.site.Actor(who.ID)
		elm.say(who, oak, doc{"id": elm.site.URL("/b"), "type": "Announce", "actor": me, "to": public, "object": p.IRI(yew.site)})
		elm.say(who, oak, doc{"id": elm.site.URL("/d"), "type": "Undo", "actor": me, "object": elm.site.URL("/b")})
		for _, name := range []string{"one", "two", "three"} {
			fir.say(mal, oak, fir.note(mal, name))
		}
		oak.run()
		deadline := time.Now().Add(fetchRound - 2*time.Second)
		for oak.count("SELECT COUNT(*) FROM posts WHERE author_host = 'fir.localhost'") < 4 {
			if time.Now().After(deadline) {
				t.Fatal("fir's posts wait for yew")
			}
			time.Sleep(2 * time.Millisecond)
		}
		if n := oak.count("SELECT COUNT(*) FROM incoming WHERE host = 'elm.localhost' AND state = 'waiting'"); n != 2 {
			t.Errorf("%d of elm's activities wait, want both", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM lanes WHERE queue = 'incoming' AND host = 'elm.localhost' AND node <> ''"); n != 1 {
			t.Error("elm's lane was given back while it is worked")
		}
		close(hold)
		r.settle()
		if n := oak.count("SELECT COUNT(*) FROM posts WHERE kind = 'boost' AND deleted_at IS NULL"); n != 0 {
			t.Error("the boost outlived its Undo")
		}
		if n := oak.count("SELECT COUNT(*) FROM posts WHERE author_host = 'yew.localhost'"); n != 1 {
			t.Error("the boosted post did not come")
		}
	})
}
