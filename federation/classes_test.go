package federation

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// deal gives another server a policy.
func (n *server) deal(host string, change func(*peers.Policy)) {
	n.t.Helper()
	policy := peers.FullPolicy(peers.CeilingNetwork)
	change(&policy)
	n.write(func(tx *store.Tx) error {
		_, err := peers.Allow(tx, 0, host, peers.Entry{Policy: &policy})
		return err
	})
	n.ring.settle()
}

// refusals lists why something of a host was not taken.
func (n *server) refusals(host string) []string {
	n.t.Helper()
	var why []string
	n.read(func(tx *store.Tx) error {
		list, err := community.LatelyNotTaken(tx, host, 100)
		for _, one := range list {
			why = append(why, one.Type+" "+one.Error)
		}
		return err
	})
	return why
}

// problemIn reads a problem document.
func problemIn(t *testing.T, body []byte) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("no problem document: %v: %s", err, body)
	}
	return p
}

// TestInboundClasses sends one activity of each class to a server that takes it,
// and to the same server when it does not: real deliveries between two servers.
func TestInboundClasses(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		oak.follow(amira, "@bo@elm.localhost")
		post := oak.publish(amira, community.Draft{Source: "Exit tickets"})
		poll := oak.publish(amira, community.Draft{Source: "Which?", Poll: &community.PollDraft{Options: []string{"one", "two"}, Open: time.Hour}})
		actor, ours := elm.site.Actor(bo.ID), oak.site.Actor(amira.ID)
		public := []string{"https://www.w3.org/ns/activitystreams#Public"}
		const ctx = "https://www.w3.org/ns/activitystreams"
		create := func(name string, more doc) doc {
			d := elm.note(bo, name)
			for k, v := range more {
				d["object"].(doc)[k] = v
			}
			return d
		}
		n := 0
		activity := func(kind string, more doc) doc {
			n++
			d := doc{"@context": ctx, "id": elm.site.URL("/test/a/" + kind + strings.Repeat("x", n)), "type": kind, "actor": actor}
			for k, v := range more {
				d[k] = v
			}
			return d
		}
		posts := "SELECT COUNT(*) FROM posts WHERE uri = ?"
		for _, tt := range []struct {
			name  string
			class peers.Class
			said  func(name string) doc
			took  func(name string) int // what is there of it
		}{
			{"posts", peers.ClassPosts, func(name string) doc { return create(name, nil) },
				func(name string) int { return oak.count(posts, elm.site.URL("/test/"+name)) }},
			{"an answer to ours", peers.ClassReplies, func(name string) doc { return create(name, doc{"inReplyTo": post.IRI(oak.site)}) },
				func(name string) int { return oak.count(posts, elm.site.URL("/test/"+name)) }},
			{"a mention of ours", peers.ClassReplies, func(name string) doc {
				return create(name, doc{"cc": []string{ours}, "tag": []doc{{"type": "Mention", "href": ours, "name": "@amira@oak.localhost"}}})
			}, func(name string) int { return oak.count(posts, elm.site.URL("/test/"+name)) }},
			{"a like", peers.ClassReactions, func(string) doc { return activity("Like", doc{"object": post.IRI(oak.site)}) },
				func(string) int { return oak.count("SELECT COUNT(*) FROM likes WHERE post_id = ?", post.ID) }},
			{"an emoji", peers.ClassReactions, func(string) doc { return activity("EmojiReact", doc{"object": poll.IRI(oak.site), "content": "🎉"}) },
				func(string) int {
					return oak.count("SELECT COUNT(*) FROM likes WHERE post_id = ? AND emoji <> ''", poll.ID)
				}},
			{"a vote", peers.ClassReactions, func(name string) doc {
				return doc{"@context": ctx, "id": elm.site.URL("/test/v/" + name), "type": "Create", "actor": actor, "to": []string{ours},
					"object": doc{"id": elm.site.URL("/test/vote/" + name), "type": "Note", "attributedTo": actor, "name": "one", "inReplyTo": poll.IRI(oak.site), "to": []string{ours}}}
			}, func(string) int { return oak.count("SELECT COUNT(*) FROM poll_votes WHERE post_id = ?", poll.ID) }},
			{"a boost", peers.ClassBoosts, func(string) doc { return activity("Announce", doc{"object": post.IRI(oak.site), "to": public}) },
				func(string) int {
					return oak.count("SELECT COUNT(*) FROM posts WHERE boost_of_id = ? AND deleted_at IS NULL", post.ID)
				}},
			{"an event", peers.ClassEvents, func(name string) doc {
				return create(name, doc{"type": "Event", "name": "Open day", "startTime": "2030-01-01T10:00:00Z"})
			}, func(name string) int { return oak.count(posts, elm.site.URL("/test/"+name)) }},
			{"a report", peers.ClassReports, func(string) doc {
				return activity("Flag", doc{"object": []string{ours, post.IRI(oak.site)}, "content": "look"})
			},
				func(string) int { return oak.count("SELECT COUNT(*) FROM reports WHERE host = 'elm.localhost'") }},
			{"a profile", peers.ClassProfiles, func(name string) doc {
				body := oak.ask(community.Account{}, actor).Body
				var person doc
				if err := json.Unmarshal(body, &person); err != nil {
					t.Fatal(err)
				}
				person["name"], person["updated"] = name, time.Now().UTC().Format(time.RFC3339Nano)
				return activity("Update", doc{"object": person, "to": public})
			}, func(name string) int {
				return oak.count("SELECT COUNT(*) FROM accounts WHERE uri = ? AND display_name = ?", actor, name)
			}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				slug := strings.ReplaceAll(tt.name, " ", "-")
				oak.deal("elm.localhost", func(p *peers.Policy) { p.Inbound = p.Inbound.Without(tt.class) })
				before := tt.took(slug + "-no")
				res := elm.say(bo, oak, tt.said(slug+"-no"))
				r.settle()
				if got := tt.took(slug + "-no"); got != before {
					t.Errorf("refused by policy and taken all the same")
				}
				if p := problemIn(t, res.Body); res.Status != http.StatusForbidden || p.Type != classNotTaken || p.Detail == "" {
					t.Errorf("answered %d %+v", res.Status, p)
				}
				if why := oak.refusals("elm.localhost"); len(why) == 0 || !strings.HasSuffix(why[0], reasonPolicy+": "+classWord(tt.class)) {
					t.Errorf("on record is %q", why)
				}
				oak.deal("elm.localhost", func(p *peers.Policy) { p.Inbound = peers.Classes(tt.class) })
				before = tt.took(slug + "-yes")
				res = elm.say(bo, oak, tt.said(slug+"-yes"))
				r.settle()
				if got := tt.took(slug + "-yes"); res.Status != http.StatusAccepted || got != before+1 {
					t.Errorf("taken by policy, answered %d, and there are %d, before %d: %q", res.Status, got, before, oak.refusals("elm.localhost"))
				}
			})
		}
		t.Run("what takes back is always taken", func(t *testing.T) {
			oak.deal("elm.localhost", func(p *peers.Policy) { p.Inbound = 0 })
			elm.say(bo, oak, activity("Undo", doc{"object": doc{"type": "Like", "id": elm.site.URL("/test/like"), "actor": actor, "object": post.IRI(oak.site)}}))
			elm.say(bo, oak, activity("Delete", doc{"object": elm.site.URL("/test/posts-yes")}))
			r.settle()
			if n := oak.count("SELECT COUNT(*) FROM likes WHERE post_id = ? AND emoji = ''", post.ID); n != 0 {
				t.Errorf("%d likes are left", n)
			}
			if n := oak.count("SELECT COUNT(*) FROM posts WHERE uri = ? AND deleted_at IS NOT NULL", elm.site.URL("/test/posts-yes")); n != 1 {
				t.Errorf("the post is not deleted")
			}
		})
		t.Run("a refused follow is answered", func(t *testing.T) {
			cai := elm.person("cai")
			oak.deal("elm.localhost", func(p *peers.Policy) { p.Inbound = p.Inbound.Without(peers.ClassFollows) })
			elm.follow(cai, "@amira@oak.localhost")
			if n := elm.count("SELECT COUNT(*) FROM follows WHERE follower_id = ?", cai.ID); n != 0 {
				t.Errorf("cai still waits for an answer")
			}
			if n := oak.count("SELECT COUNT(*) FROM follows WHERE target_id = ? AND NOT follower_local", amira.ID); n != 1 {
				t.Errorf("%d follows from elm, not bo's alone", n)
			}
			if why := oak.refusals("elm.localhost"); len(why) == 0 || why[0] != "Follow "+reasonPolicy+": follows" {
				t.Errorf("on record is %q", why)
			}
			oak.deal("elm.localhost", func(*peers.Policy) {})
			elm.follow(cai, "@amira@oak.localhost")
			if n := elm.count("SELECT COUNT(*) FROM follows WHERE follower_id = ? AND state = 'accepted'", cai.ID); n != 1 {
				t.Errorf("cai does not follow")
			}
		})
		t.Run("what is looked up obeys the same", func(t *testing.T) {
			oak.deal("elm.localhost", func(p *peers.Policy) { p.Inbound = p.Inbound.Without(peers.ClassPosts) })
			said := elm.publish(bo, community.Draft{Source: "Not for oak"})
			if _, err := oak.ResolvePost(t.Context(), said.IRI(elm.site)); err == nil {
				t.Errorf("a post that is not taken was looked up")
			}
			if n := oak.count(posts, said.IRI(elm.site)); n != 0 {
				t.Errorf("it is here")
			}
		})
	})
}
