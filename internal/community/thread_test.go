package community

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// shape is a thread as indented words.
func shape(nodes []Node) string {
	var s string
	for _, n := range nodes {
		word := n.Post.Source
		if n.Missing != "" {
			word = string(n.Missing) + n.Host
		}
		s += fmt.Sprintf("%d%s ", n.Depth, word)
	}
	return s
}

func TestThread(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, ben := w.local("amira", Member), w.local("ben", Member)
		say := func(who Account, words string, under Post, audience Audience) Post {
			d := Draft{Source: words, Audience: audience, Kind: Note, InReplyToID: under.ID}
			return w.publish(who, d)
		}
		root := say(amira, "root", Post{}, Public)
		a := say(ben, "a", root, Public)
		b := say(ben, "b", root, Public)
		say(amira, "a1", a, Public)
		deleted := say(ben, "gone", b, Public)
		say(amira, "under-gone", deleted, Public)
		secret := say(ben, "secret", a, Me)
		say(ben, "under-secret", secret, Me)
		leafless := say(ben, "leafless", root, Public)
		w.write(func(tx *store.Tx) error { return cmpErr(Delete(tx, ben, deleted.ID), Delete(tx, ben, leafless.ID)) })

		for _, tt := range []struct {
			name   string
			viewer Viewer
			want   string
		}{
			{"whoever wrote it", w.viewer(ben), "0root 1a 2a1 2secret 3under-secret 1b 2deleted 3under-gone "},
			{"everybody else", Guest, "0root 1a 2a1 1b 2deleted 3under-gone "},
		} {
			w.read(func(tx *store.Tx) error {
				view, err := Thread(tx, tt.viewer, a)
				if got := shape(view.Nodes); got != tt.want || view.Earlier {
					t.Errorf("%s sees %s, want %s", tt.name, got, tt.want)
				}
				return err
			})
		}
		w.read(func(tx *store.Tx) error {
			above, below, err := Around(tx, Guest, b)
			if len(above) != 1 || above[0].ID != root.ID || len(below) != 1 || below[0].Source != "under-gone" {
				t.Errorf("above %v, below %v", idsOf(above), idsOf(below))
			}
			return err
		})
		// The opener goes; what was said stays, under an empty place.
		w.write(func(tx *store.Tx) error { return Delete(tx, amira, root.ID) })
		w.read(func(tx *store.Tx) error {
			view, err := Thread(tx, Guest, a)
			if got, want := shape(view.Nodes), "0deleted 1a 2a1 1b 2deleted 3under-gone "; got != want {
				t.Errorf("without its opener: %s, want %s", got, want)
			}
			return err
		})
	})
}

func TestThreadWithAnUnknownParent(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bo := w.remote("bo", "elm.test")
		n := w.note(bo)
		n.Kind, n.InReplyToURI = Reply, "https://stranger.test/1"
		p := w.receive(n)
		w.read(func(tx *store.Tx) error {
			view, err := Thread(tx, Guest, p)
			if got, want := shape(view.Nodes), "0strangerstranger.test 1 "; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			loaded, err2 := LoadOne(tx, Guest, p)
			if loaded.ReplyToHost != "stranger.test" {
				t.Errorf("answers somebody on %q", loaded.ReplyToHost)
			}
			return cmpErr(err, err2)
		})
	})
}

func TestThreadIsBounded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bo := w.remote("bo", "elm.test")
		start := time.Now().Add(-time.Hour)
		opener := w.note(bo)
		opener.Published = start.Add(-time.Hour)
		root := w.receive(opener)
		var last Post
		w.write(func(tx *store.Tx) error {
			parent := root
			for i := range ThreadSize + 20 { // one long line, each under the one before
				n := w.note(bo)
				n.Kind, n.Parent, n.Published = Reply, &parent, start.Add(time.Duration(i)*time.Second)
				p, _, err := Receive(tx, n)
				if err != nil {
					return err
				}
				parent, last = p, p
			}
			return nil
		})
		w.read(func(tx *store.Tx) error {
			view, err := Thread(tx, Guest, last)
			if !view.Earlier || len(view.Nodes) != ThreadSize+1 || view.Nodes[0].Post.ID != root.ID || view.Nodes[1].Depth != 1 || view.Nodes[ThreadSize].Post.ID != last.ID {
				t.Errorf("%d nodes, earlier %v", len(view.Nodes), view.Earlier)
			}
			for _, n := range view.Nodes {
				if n.Missing != "" {
					t.Errorf("a reply that is only too early is called %s", n.Missing)
				}
			}
			return err
		})
	})
}

// Posts that come together and join two threads, each answered by the first post
// of the other's thread, end up in one thread that has a first post.
func TestNoThreadBitesItsTail(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bo := w.remote("bo", "elm.test")
		a, b, c, d := w.note(bo), w.note(bo), w.note(bo), w.note(bo)
		a.InReplyToURI, d.InReplyToURI = c.URI, b.URI
		first, other := w.receive(a), w.receive(d)
		b.Kind, b.InReplyToURI, b.Parent = Reply, a.URI, &first
		c.Kind, c.InReplyToURI, c.Parent = Reply, d.URI, &other
		w.write(func(tx *store.Tx) error { _, err := ReceiveAll(tx, []RemotePost{b, c}); return err })
		w.read(func(tx *store.Tx) error {
			var all []Post
			err := tx.Order("id").Find(&all).Error
			var orphans []int64
			for _, p := range all {
				if p.InReplyToID == nil {
					orphans = append(orphans, p.ID)
				}
				if p.ThreadID != all[0].ThreadID {
					t.Errorf("%d is in thread %d, %d in %d", p.ID, p.ThreadID, all[0].ID, all[0].ThreadID)
				}
			}
			if len(all) != 4 || len(orphans) != 1 || orphans[0] != all[0].ThreadID {
				t.Errorf("of %d posts %v answer nothing, in thread %d", len(all), orphans, all[0].ThreadID)
			}
			return err
		})
	})
}

func TestThreadInACircle(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.peer("elm.test", peers.CeilingNetwork, true)
		bo, reader := w.remote("bo", "elm.test"), w.local("amira", Member)
		start := time.Now().Add(-time.Hour)
		opener := w.note(bo)
		opener.Published = start.Add(-time.Hour)
		root := w.receive(opener)
		reply := func(tx *store.Tx, to Post, audience Audience, n int) (Post, error) {
			r := w.note(bo)
			r.Kind, r.Parent, r.Audience, r.Published = Reply, &to, audience, start.Add(time.Duration(n)*time.Second)
			p, _, err := Receive(tx, r)
			return p, err
		}
		var line []Post // each under the one before
		add := func(n int, audience Audience) {
			w.write(func(tx *store.Tx) error {
				for range n {
					to := root
					if len(line) > 0 {
						to = line[len(line)-1]
					}
					p, err := reply(tx, to, audience, len(line))
					if err != nil {
						return err
					}
					line = append(line, p)
				}
				return nil
			})
		}
		answers := func(p, q Post) {
			w.write(func(tx *store.Tx) error {
				return tx.Exec("UPDATE posts SET in_reply_to_id = ? WHERE id = ?", q.ID, p.ID).Error
			})
		}
		check := func(about Post, wantAbove, wantBelow []int64) {
			t.Helper()
			for name, v := range map[string]Viewer{"a guest": Guest, "a member": w.viewer(reader)} {
				w.read(func(tx *store.Tx) error {
					p, err := VisiblePost(tx, about.ID, v)
					if err != nil {
						return err
					}
					above, below, err := Around(tx, v, p)
					if !slices.Equal(idsOf(above), wantAbove) || !slices.Equal(idsOf(below), wantBelow) {
						t.Errorf("%s asks SQL: above %v, below %v, want %v, %v", name, idsOf(above), idsOf(below), wantAbove, wantBelow)
					}
					return err
				})
				w.read(func(tx *store.Tx) error {
					_, above, below, err := AroundViews(tx, v, about.ID)
					ids := func(views []View) (ids []int64) {
						for _, view := range views {
							ids = append(ids, view.ID)
						}
						return ids
					}
					if !slices.Equal(ids(above), wantAbove) || !slices.Equal(ids(below), wantBelow) {
						t.Errorf("%s: above %v, below %v, want %v, %v", name, ids(above), ids(below), wantAbove, wantBelow)
					}
					return err
				})
			}
		}
		add(3, Public)
		ids := idsOf(line)
		answers(root, line[2]) // all of them
		check(line[0], []int64{root.ID}, ids[1:])
		check(root, nil, ids)
		answers(line[0], line[2]) // and without the first one
		check(line[2], ids[:2], nil)
		check(root, nil, ids)

		// Two that nobody else may see answer each other, too early to be shown.
		w.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE posts SET in_reply_to_id = ? WHERE id = ?", root.ID, line[0].ID).Error
		})
		add(2, Followers)
		add(ThreadSize+2, Public)
		answers(line[3], line[4])
		last := line[len(line)-1]
		w.read(func(tx *store.Tx) error {
			view, err := Thread(tx, Guest, last)
			if len(view.Nodes) != ThreadSize+1 || view.Nodes[ThreadSize].Post.ID != last.ID {
				t.Errorf("%d nodes", len(view.Nodes))
			}
			return err
		})
	})
}

func TestLoadAsksAConstantNumberOfQuestions(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader := w.crowd(10, 60)
		bo := w.local("bo", Member)
		pic := w.picture(bo, "A")
		p := w.publish(bo, Draft{Source: "@reader #maths", MediaIDs: []int64{pic.ID}})
		w.write(func(tx *store.Tx) error {
			_, err := BoostPost(tx, reader, p.ID)
			_, err2 := Like(tx, reader, p.ID)
			return cmpErr(err, err2)
		})
		w.read(func(tx *store.Tx) error {
			posts, err := Home(tx, w.viewer(reader), store.Page{Limit: 40})
			if err != nil {
				return err
			}
			if _, err := Load(tx, w.viewer(reader), posts); err != nil { // what is remembered is remembered for both
				return err
			}
			var few, many statements
			views, err := Load(few.listening(tx), w.viewer(reader), posts[:len(posts)/4])
			all, err2 := Load(many.listening(tx), w.viewer(reader), posts)
			if len(few.sql) != len(many.sql) || len(many.sql) > 13 {
				t.Errorf("%d questions for %d posts, %d for %d", len(few.sql), len(views), len(many.sql), len(posts))
			}
			if len(all) != len(posts) || len(views) != len(posts)/4 {
				t.Fatalf("%d views of %d posts", len(all), len(posts))
			}
			boosted := views[0].Boosted
			if boosted == nil || !boosted.Mine.Liked || !boosted.Mine.Boosted || len(boosted.Media) != 1 || len(boosted.Tags) != 1 ||
				len(boosted.Mentions) != 1 || boosted.Author.Username != "bo" || boosted.School != "oak.test" || boosted.AuthorCounts.Posts != 1 {
				t.Errorf("boosted %+v", boosted)
			}
			return cmpErr(err, err2)
		})
	})
}

// What another server tells of and is not here has its place in the thread, for
// the people of this school.
func TestThreadWithGhosts(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.local("amira", Member)
		bo := w.remote("bo", "elm.test")
		w.peer("elm.test", peers.CeilingNetwork, true)
		top := w.publish(amira, Draft{Kind: Discussion, Title: "Topic", Source: "top"})
		reply := w.publish(amira, Draft{Kind: Reply, Source: "reply", InReplyToID: top.ID})
		came := w.note(bo)
		came.Kind, came.InReplyToURI, came.Parent = Reply, top.IRI(w.db.Site()), &top
		w.write(func(tx *store.Tx) error {
			return ReplaceGhosts(tx, nil, []Ghost{
				{PostID: top.ID, URI: "https://fir.test/2", Host: "fir.test", Reason: MissingStranger},
				{PostID: top.ID, URI: came.URI, Host: "elm.test", Reason: MissingUnreadable},
				{PostID: reply.ID, URI: "https://elm.test/1", Host: "elm.test", Reason: MissingStranger}, // and connected with since
				{PostID: reply.ID, URI: "https://elm.test/2", Host: "elm.test", Reason: MissingDeleted},
			})
		})
		look := func(v Viewer, want string) {
			t.Helper()
			w.read(func(tx *store.Tx) error {
				view, err := Thread(tx, v, top)
				var got []string
				for _, n := range view.Nodes {
					got = append(got, fmt.Sprint(n.Depth, n.Missing, n.Host))
				}
				if s := strings.Join(got, " "); s != want {
					t.Errorf("%s, want %s", s, want)
				}
				return err
			})
		}
		look(w.viewer(amira), "0 1 2deletedelm.test 2unknownelm.test 1strangerfir.test 1unreadableelm.test")
		look(Guest, "0 1")
		w.receive(came)
		look(w.viewer(amira), "0 1 1 2deletedelm.test 2unknownelm.test 1strangerfir.test")
		w.write(func(tx *store.Tx) error { return ReplaceGhosts(tx, []int64{top.ID, reply.ID}, nil) })
		look(w.viewer(amira), "0 1 1")
	})
}
