package community

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Whoever looks, and into whichever list, finds what the audience lets them
// find and nothing else. The table says it as the page for administrators does.
func TestNoListLeaks(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.local("amira", Member)
		fan, named, passer, enemy := w.local("fan", Member), w.local("named", Member), w.local("passer", Member), w.local("enemy", Member)
		bo := w.remote("bo", "elm.test")
		w.peer("elm.test", peers.CeilingNetwork, true)  // a school that keeps closed audiences
		w.peer("fig.test", peers.CeilingNetwork, false) // a forum that does not
		w.peer("gum.test", peers.CeilingPublic, true)   // a school that gets what is public
		for _, f := range []Account{fan, enemy, bo} {
			w.follows(f, amira)
		}
		for _, f := range []Account{fan, named, passer} {
			w.follows(f, bo)
		}

		viewers := map[string]Viewer{"author": w.viewer(amira), "fan": w.viewer(fan), "named": w.viewer(named), "passer": w.viewer(passer), "enemy": w.viewer(enemy), "guest": Guest}
		w.read(func(tx *store.Tx) error {
			for name, host := range map[string]string{"elm": "elm.test", "fig": "fig.test", "gum": "gum.test"} {
				v, err := PeerViewer(tx, host, Account{})
				if err != nil {
					return err
				}
				viewers[name] = v
			}
			return nil
		})
		sees := map[Audience][]string{
			Me:        {"author"},
			People:    {"author", "named"},
			School:    {"author", "fan", "named", "passer"},
			Followers: {"author", "elm", "fan", "named"},
			Network:   {"author", "elm", "fan", "named", "passer"},
			Public:    {"author", "elm", "fan", "fig", "guest", "gum", "named", "passer"},
		}
		theirs := map[Audience][]string{ // of a post that came from elm.test
			People:    {"named"},
			Followers: {"author", "fan", "named", "passer"},
			Network:   {"author", "enemy", "fan", "named", "passer"},
			Public:    {"author", "elm", "enemy", "fan", "fig", "guest", "gum", "named", "passer"},
		}
		w.follows(amira, bo)

		type post struct {
			name string
			Post
			sees []string
		}
		var posts []post
		for audience, who := range sees {
			p := w.publish(amira, Draft{Kind: Question, Title: "How?", Audience: audience, Source: "Ask @named #maths"})
			posts = append(posts, post{"ours for " + string(audience), p, who})
			r := w.publish(amira, Draft{Kind: Reply, Audience: audience, InReplyToID: p.ID, Source: "Well, @named #maths"})
			posts = append(posts, post{"our reply for " + string(audience), r, who})
			practice := w.publish(amira, Draft{Kind: Practice, Title: "Tried", Audience: audience, Sections: &Sections{Tried: "With @named #maths"}})
			posts = append(posts, post{"our practice post for " + string(audience), practice, who})
		}
		for audience, who := range theirs {
			n := w.note(bo)
			n.Audience, n.Mentions, n.Tags = audience, []int64{named.ID}, []Tag{{"maths", "maths"}}
			posts = append(posts, post{"theirs for " + string(audience), w.receive(n), who})
		}
		// A boost is seen by whoever sees what it passes on. That somebody
		// blocked the boosted author hides it, too.
		w.write(func(tx *store.Tx) error {
			for _, p := range slices.Clone(posts) {
				if p.Audience == Public && p.Local() {
					b, err := BoostPost(tx, fan, p.ID)
					if err != nil {
						return err
					}
					posts = append(posts, post{"boost of " + p.name, b, p.sees})
				}
			}
			return nil
		})
		w.exec("INSERT INTO blocks (account_id, target_id, id, created_at) VALUES (?, ?, 1, ?)", amira.ID, enemy.ID, amira.CreatedAt)
		gone := w.publish(amira, Draft{Source: "#maths"})
		w.write(func(tx *store.Tx) error { return Delete(tx, amira, gone.ID) })

		byID := map[int64]post{}
		for _, p := range posts {
			byID[p.ID] = p
		}
		all := store.Page{Limit: store.MaxLimit}
		for who, v := range viewers {
			w.read(func(tx *store.Tx) error {
				lists := map[string][]Post{}
				var err error
				list := func(name string, posts []Post, e error) {
					lists[name] = posts
					err = cmpErr(err, e)
				}
				add := func(name string, fn func() ([]Post, error)) { posts, e := fn(); list(name, posts, e) }
				add("home", func() ([]Post, error) { return Home(tx, v, all) })
				add("school", func() ([]Post, error) { return SchoolTimeline(tx, v, all) })
				add("connected", func() ([]Post, error) { return ConnectedTimeline(tx, v, all) })
				add("public", func() ([]Post, error) { return PublicTimeline(tx, v, Anywhere, all) })
				add("practice", func() ([]Post, error) { return PracticeTimeline(tx, v, all) })
				add("tag", func() ([]Post, error) { return TagTimeline(tx, v, "maths", all) })
				add("pins", func() ([]Post, error) { return PinsOf(tx, v, amira.ID) })
				told := func(name string, count int, e1 error, list func() (Told, error)) {
					found, e2 := list()
					lists[name] = found.Posts
					err = cmpErr(err, e1, e2)
					if !found.More && count != len(found.Posts) { // a number tells, too
						t.Errorf("%s is told that %s has %d and shown %d", who, name, count, len(found.Posts))
					}
				}
				for _, a := range []Account{amira, bo, fan} {
					n, e := CountOutbox(tx, v, a.ID)
					told("outbox of "+a.Username, n, e, func() (Told, error) { return OutboxOf(tx, v, a.ID, store.Page{Limit: 79}) })
					add("profile of "+a.Username, func() ([]Post, error) { return ProfileTimeline(tx, v, a.ID, ProfileFilter{}, all) })
				}
				for _, p := range posts {
					n, e := CountAnswers(tx, v, p.Post)
					told(fmt.Sprintf("replies to %d", p.ID), n, e, func() (Told, error) { return AnswersTo(tx, v, p.Post, store.Page{}) })
					n, e = CountConversation(tx, v, p.Post)
					told(fmt.Sprintf("conversation of %d", p.ID), n, e, func() (Told, error) { return Conversation(tx, v, p.Post, store.Page{}) })
					if slices.Contains(p.sees, who) {
						thread, e := Thread(tx, v, p.Post)
						err = cmpErr(err, e)
						var found []Post
						for _, n := range thread.Nodes {
							if n.Missing == "" {
								found = append(found, n.Post)
							} else if n.Post.HTML != "" || n.Post.AuthorID != 0 {
								t.Errorf("%s: a missing post in a thread says something: %+v", who, n)
							}
						}
						lists[fmt.Sprintf("thread of %d", p.ID)] = found
					}
				}
				for name, found := range lists {
					for _, p := range found {
						if known, ok := byID[p.ID]; !ok || !slices.Contains(known.sees, who) {
							t.Errorf("%s finds %q in %s", who, known.name, name)
						}
					}
				}
				views, e := Load(tx, v, justPosts(posts, func(p post) Post { return p.Post }))
				err = cmpErr(err, e)
				for i, view := range views {
					if view.Boosted != nil && !slices.Contains(posts[i].sees, who) {
						t.Errorf("%s is shown what %q passes on", who, posts[i].name)
					}
				}
				for _, p := range posts {
					_, e := VisiblePost(tx, p.ID, v)
					seen, e2 := CanSee(tx, p.Post, v)
					err = cmpErr(err, e2)
					if want := slices.Contains(p.sees, who); (e == nil) != want || seen != want {
						t.Errorf("%s asks for %q: %v, %v, want %v", who, p.name, e, seen, want)
					}
				}
				// And what is for them is really there.
				if who == "passer" {
					if n := len(lists["school"]); n != 3*2 { // openers for school, network and public: a question and a practice post each
						t.Errorf("%s finds %d posts of the school", who, n)
					}
					if n := len(lists["connected"]); n != 2 {
						t.Errorf("%s finds %d connected posts", who, n)
					}
				}
				return err
			})
		}
	})
}

func justPosts[T any](list []T, of func(T) Post) []Post {
	posts := make([]Post, len(list))
	for i, p := range list {
		posts[i] = of(p)
	}
	return posts
}
