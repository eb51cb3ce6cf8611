package community

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

func TestPublishPractice(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, ben, cora := w.local("amira", Member), w.local("ben", Member), w.local("cora", Member)
		w.follows(ben, amira)
		p := w.publish(amira, Draft{Kind: Practice, Audience: School, Title: " Exit  tickets ", Subject: "Maths",
			Sections: &Sections{Tried: "Asked @cora for help. One question each. #ExitTickets", Next: "Again."}})

		got := w.stored(p.ID)
		if got.Title != "Exit tickets" || got.Sections == nil || got.Sections.Next != "Again." || !got.Listed || got.ThreadID != p.ID {
			t.Errorf("stored %+v", got)
		}
		if !strings.Contains(got.HTML, "<h2>What I tried</h2>") || !strings.Contains(got.HTML, "https://oak.test/@cora") || strings.Contains(got.HTML, "What happened") {
			t.Errorf("HTML %s", got.HTML)
		}
		if got.Teaser == "" || !strings.HasPrefix(got.Source, "## What I tried\n\nAsked @cora") {
			t.Errorf("teaser %q, source %q", got.Teaser, got.Source)
		}
		wantIDs(t, "own home", w.home(amira), p.ID)
		wantIDs(t, "follower's home", w.home(ben), p.ID)
		wantIDs(t, "stranger's home", w.home(cora))
		if kinds := w.told(cora); !slices.Equal(kinds, []NotificationKind{NotifyMention}) {
			t.Errorf("cora was told %v", kinds)
		}
		if len(w.queued()) != 0 {
			t.Errorf("a school post is on its way out: %v", w.verbs())
		}
		if n := w.count("SELECT posts FROM account_counts WHERE account_id = ?", amira.ID); n != 1 {
			t.Errorf("counted %d posts", n)
		}
		var found []Post
		w.read(func(tx *store.Tx) (err error) {
			found, err = TagTimeline(tx, w.viewer(ben), "exittickets", store.Page{})
			return err
		})
		wantIDs(t, "tag", idsOf(found), p.ID)
	})
}

func TestPublishTwiceFromOneForm(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.local("amira", Member)
		pic := w.picture(amira, "A pile of cards")
		d := Draft{FormID: "f1", Source: "Hello", MediaIDs: []int64{pic.ID}}
		first, again, other := w.publish(amira, d), w.publish(amira, d), w.publish(amira, Draft{FormID: "f2", Source: "Hello"})
		if first.ID != again.ID || other.ID == first.ID || again.Source != "Hello" {
			t.Errorf("posts %d, %d, %d", first.ID, again.ID, other.ID)
		}
		if n := w.count("SELECT COUNT(*) FROM outgoing"); n != 2 {
			t.Errorf("%d on their way out, want 2", n)
		}
		// A refused form can be sent again.
		w.refuses(fault.Invalid, func(tx *store.Tx) error {
			_, err := Publish(tx, amira, Draft{Kind: Note, Audience: Public, FormID: "f3"})
			return err
		})
		w.publish(amira, Draft{FormID: "f3", Source: "Now with words"})
		// And the number of a form is forgotten after a day.
		w.exec("UPDATE kept SET expires_at = ? WHERE key LIKE 'form:%:f1'", time.Now().Add(-time.Hour))
		if late := w.publish(amira, Draft{FormID: "f1", Source: "Hello"}); late.ID == first.ID {
			t.Error("a form was remembered for ever")
		}
	})
}

func TestReplies(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, ben, cora, dan := w.local("amira", Member), w.local("ben", Member), w.local("cora", Member), w.local("dan", Member)
		w.follows(cora, ben)
		w.follows(dan, ben)
		w.follows(dan, amira)
		q := w.publish(amira, Draft{Kind: Question, Title: "How?", Audience: Network})
		r := w.publish(ben, Draft{Kind: Reply, Audience: Network, InReplyToID: q.ID})
		use := w.publish(ben, Draft{Kind: Acknowledgement, Audience: Network, InReplyToID: r.ID})
		aside := w.publish(ben, Draft{Kind: Reply, Audience: Me, InReplyToID: q.ID})

		if r.ThreadID != q.ID || use.ThreadID != q.ID || *use.InReplyToID != r.ID || r.Listed {
			t.Errorf("reply %+v, use %+v", r, use)
		}
		if got := w.stored(q.ID); got.RepliesCount != 1 {
			t.Errorf("%d replies, want 1: an aside to oneself does not count", got.RepliesCount)
		}
		if got := w.stored(r.ID); got.UsesCount != 1 || got.RepliesCount != 1 {
			t.Errorf("uses %d, replies %d", got.UsesCount, got.RepliesCount)
		}
		wantIDs(t, "who follows only the answerer", w.home(cora), use.ID)
		wantIDs(t, "who follows both", w.home(dan), use.ID, r.ID, q.ID)
		wantIDs(t, "the asker's home", w.home(amira), q.ID)
		wantIDs(t, "the answerer's home", w.home(ben), aside.ID, use.ID, r.ID)
		if kinds := w.told(amira); !slices.Equal(kinds, []NotificationKind{NotifyReply}) {
			t.Errorf("amira was told %v", kinds)
		}
	})
}

func TestReceive(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo, cy := w.local("amira", Member), w.remote("bo", "elm.test"), w.remote("cy", "fig.test")
		w.follows(amira, bo)
		note := w.note(bo)
		note.Published = time.Now().Add(-48 * time.Hour)
		note.Mentions, note.Tags = []int64{amira.ID}, []Tag{{"maths", "Maths"}}
		p := w.receive(note)
		if at := store.IDTime(p.ID); at.After(time.Now().Add(-47 * time.Hour)) {
			t.Errorf("the ID stands at %s", at)
		}
		w.write(func(tx *store.Tx) error {
			again, fresh, err := Receive(tx, note)
			if fresh || again.ID != p.ID {
				t.Errorf("a second time: fresh %v, %d", fresh, again.ID)
			}
			return err
		})
		wantIDs(t, "home", w.home(amira), p.ID)
		if kinds := w.told(amira); !slices.Equal(kinds, []NotificationKind{NotifyMention}) {
			t.Errorf("amira was told %v", kinds)
		}
		if n := w.count("SELECT posts FROM account_counts WHERE account_id = ?", bo.ID); n != 1 {
			t.Errorf("counted %d posts, want 1", n)
		}

		future := w.note(bo)
		future.Published = time.Now().Add(time.Hour)
		if p := w.receive(future); p.CreatedAt.After(time.Now()) || store.IDTime(p.ID).After(time.Now().Add(time.Second)) {
			t.Errorf("a post of the future: %s", p.CreatedAt)
		}
		forged := w.note(bo)
		forged.Author = cy
		w.refuses(fault.Forbidden, func(tx *store.Tx) error { _, _, err := Receive(tx, forged); return err })
	})
}

func TestReceiveNarrowsToTheParent(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, ben, bo := w.local("amira", Member), w.local("ben", Member), w.remote("bo", "elm.test")
		q := w.publish(amira, Draft{Audience: Followers})
		r := w.note(bo)
		r.Kind, r.Parent, r.InReplyToURI = Reply, &q, q.IRI(site)
		p := w.receive(r)
		if p.Audience != Followers {
			t.Errorf("a public answer to a post for followers is for %s", p.Audience)
		}
		w.read(func(tx *store.Tx) error {
			if _, err := VisiblePost(tx, p.ID, w.viewer(amira)); err != nil {
				t.Errorf("the answered author: %v", err)
			}
			if _, err := VisiblePost(tx, p.ID, w.viewer(ben)); !fault.Is(err, fault.NotFound) {
				t.Errorf("somebody else: %v", err)
			}
			return nil
		})
	})
}

func TestOrphansAreAdopted(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bo := w.remote("bo", "elm.test")
		top, middle, leaf := w.note(bo), w.note(bo), w.note(bo)
		middle.Kind, middle.InReplyToURI = Reply, top.URI
		leaf.Kind, leaf.InReplyToURI = Reply, middle.URI
		l := w.receive(leaf) // all of it comes the wrong way round
		m := w.receive(middle)
		h := w.receive(top)
		for _, id := range []int64{l.ID, m.ID, h.ID} {
			if got := w.stored(id); got.ThreadID != h.ID {
				t.Errorf("%d stands in thread %d, want %d", id, got.ThreadID, h.ID)
			}
		}
		if got := w.stored(l.ID); got.InReplyToID == nil || *got.InReplyToID != m.ID || *got.InReplyToAuthor != bo.ID {
			t.Errorf("leaf %+v", got)
		}
		if got := w.stored(h.ID); got.RepliesCount != 1 || got.Listed == false {
			t.Errorf("top %+v", got)
		}

		// Two posts that answer each other, and one that answers itself.
		a, b, self := w.note(bo), w.note(bo), w.note(bo)
		a.Kind, a.InReplyToURI = Reply, b.URI
		b.Kind, b.InReplyToURI = Reply, a.URI
		self.Kind, self.InReplyToURI = Reply, self.URI
		pa := w.receive(a)
		b.Parent = &pa
		pb := w.receive(b)
		ps := w.receive(self)
		if pa, ps := w.stored(pa.ID), w.stored(ps.ID); pa.InReplyToID != nil || ps.InReplyToID != nil || w.stored(pb.ID).ThreadID != pa.ID {
			t.Error("a thread bites its own tail")
		}
	})
}

// A delivery is what a busy server does most, so what it asks of the database
// is counted.
func TestStatementsOfALanding(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.local("amira", Member), w.remote("bo", "elm.test")
		w.follows(amira, bo)
		w.receive(w.note(bo))
		plain, reply := w.note(bo), w.note(bo)
		parent := w.publish(amira, Draft{})
		reply.Kind, reply.Parent, reply.InReplyToURI, reply.Mentions = Reply, &parent, parent.IRI(site), []int64{amira.ID}
		many := make([]RemotePost, mostLanding)
		for i := range many {
			many[i] = w.note(bo)
		}
		for _, tt := range []struct {
			name  string
			posts []RemotePost
			most  int
		}{{"a plain note", []RemotePost{plain}, 6}, {"a reply that names its parent's author", []RemotePost{reply}, 9}, {"as many notes as land at once", many, 6}} {
			w.write(func(tx *store.Tx) error {
				var s statements
				_, err := ReceiveAll(s.listening(tx), tt.posts)
				if len(s.sql) > tt.most {
					t.Errorf("%s: %d statements, want at most %d:\n%s", tt.name, len(s.sql), tt.most, strings.Join(s.sql, "\n"))
				}
				return err
			})
		}
	})
}

// Posts that land together come out as if each had come alone.
func TestReceiveAll(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo, cy := w.local("amira", Member), w.remote("bo", "elm.test"), w.remote("cy", "oak.test")
		w.follows(amira, bo)
		parent := w.publish(amira, Draft{})
		known := w.note(bo)
		w.receive(known)
		deleted := w.note(bo)
		w.write(func(tx *store.Tx) error { _, err := ReceiveDelete(tx, bo, deleted.URI); return err })
		plain, twice, forged, child, opener, answer := w.note(bo), w.note(bo), w.note(bo), w.note(cy), w.note(bo), w.note(cy)
		twice.URI = plain.URI
		forged.URI = "https://oak.test/notes/forged"
		child.Kind, child.InReplyToURI = Reply, opener.URI
		answer.Kind, answer.InReplyToURI, answer.Parent = Acknowledgement, parent.IRI(site), &parent
		var got []Received
		w.write(func(tx *store.Tx) (err error) {
			got, err = ReceiveAll(tx, []RemotePost{plain, known, deleted, twice, forged, child, opener, answer})
			return err
		})
		for i, want := range []string{"fresh", "known", "gone", "known", "forbidden", "fresh", "fresh", "fresh"} {
			outcome := "known"
			switch {
			case got[i].Fresh:
				outcome = "fresh"
			case fault.Is(got[i].Err, fault.Gone):
				outcome = "gone"
			case fault.Is(got[i].Err, fault.Forbidden):
				outcome = "forbidden"
			}
			if outcome != want {
				t.Errorf("post %d: %s, want %s (%v)", i, outcome, want, got[i].Err)
			}
		}
		if got[3].Post.ID != got[0].Post.ID {
			t.Errorf("the same post came twice, as %d and %d", got[0].Post.ID, got[3].Post.ID)
		}
		if c := w.stored(got[5].Post.ID); c.InReplyToID == nil || *c.InReplyToID != got[6].Post.ID {
			t.Error("a reply that came with its parent, and before it, hangs nowhere")
		}
		if p := w.stored(parent.ID); p.RepliesCount != 1 || p.UsesCount != 1 {
			t.Errorf("the answered post counts %d replies, %d uses", p.RepliesCount, p.UsesCount)
		}
		if p := w.stored(got[6].Post.ID); p.RepliesCount != 1 {
			t.Errorf("the opener counts %d replies", p.RepliesCount)
		}
		w.read(func(tx *store.Tx) error {
			counts, err := CountsOf(tx, []int64{bo.ID, cy.ID})
			if counts[bo.ID].Posts != 3 || counts[cy.ID].Posts != 2 {
				t.Errorf("bo is said to have %d posts, cy %d", counts[bo.ID].Posts, counts[cy.ID].Posts)
			}
			return err
		})
	})
}

func TestPublishNamesOnlyWhomItReaches(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, ben, bo := w.local("amira", Member), w.local("ben", Member), w.remote("bo", "elm.test")
		named := func(p Post) (ids []int64) {
			w.read(func(tx *store.Tx) (err error) {
				ids, err = mentionsOf(tx, p.ID)
				return err
			})
			return ids
		}
		text := "@ben @bo@elm.test @amira @nobody @ben@oak.test"
		wantIDs(t, "public", named(w.publish(amira, Draft{Source: text})), ben.ID, bo.ID)
		wantIDs(t, "school", named(w.publish(amira, Draft{Source: text, Audience: School})), ben.ID)
		wantIDs(t, "me", named(w.publish(amira, Draft{Source: text, Audience: Me})))
		wantIDs(t, "people by choice", named(w.publish(amira, Draft{Audience: People, To: []int64{bo.ID, 12345}})), bo.ID)
		wantIDs(t, "co-authors", named(w.publish(amira, Draft{Contributors: []string{"bo@elm.test", "@who@fig.test"}})), bo.ID)
		q := w.publish(ben, Draft{Audience: Followers})
		w.follows(amira, ben)
		wantIDs(t, "an answer for followers", named(w.publish(amira, Draft{Kind: Reply, InReplyToID: q.ID, Audience: Followers})), ben.ID)
	})
}

func TestWhoMayPublish(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, stu, bo := w.local("amira", Member), w.local("stu", Placement), w.remote("bo", "elm.test")
		publish := func(who Account, d Draft) func(tx *store.Tx) error {
			return func(tx *store.Tx) error { _, err := Publish(tx, who, d); return err }
		}
		note := Draft{Kind: Note, Audience: Public, Source: "Hello"}
		w.refuses(fault.Forbidden, publish(bo, note))
		w.refuses(fault.Invalid, publish(stu, note))
		secret := w.publish(amira, Draft{Audience: Me})
		w.refuses(fault.Invalid, publish(stu, Draft{Kind: Reply, Audience: Me, Source: "I see", InReplyToID: secret.ID}))
		w.exec("UPDATE users SET state = 'disabled' WHERE account_id = ?", amira.ID)
		w.refuses(fault.Forbidden, publish(amira, note))
		theirs := w.picture(stu, "A")
		w.exec("UPDATE users SET state = 'active' WHERE account_id = ?", amira.ID)
		w.refuses(fault.Invalid, publish(amira, Draft{Kind: Note, Audience: Public, Source: "Hello", MediaIDs: []int64{theirs.ID}}))
	})
}
