package community

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

func TestEdit(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, ben, cora := w.local("amira", Member), w.local("ben", Member), w.local("cora", Member)
		one, two := w.picture(amira, "One"), w.picture(amira, "Two")
		p := w.publish(amira, Draft{Source: "With @ben #old", MediaIDs: []int64{one.ID}})
		d := Draft{Source: "With @ben and @cora #new", MediaIDs: []int64{two.ID, one.ID}, Audience: Me, Kind: Practice, Title: ""}
		var got Post
		w.write(func(tx *store.Tx) (err error) {
			got, err = Edit(tx, amira, p.ID, d)
			return err
		})
		stored := w.stored(p.ID)
		if stored.Audience != Public || stored.Kind != Note || stored.EditedAt == nil || stored.MediaCount != 2 || !strings.Contains(stored.HTML, "cora") || got.HTML != stored.HTML {
			t.Errorf("stored %+v", stored)
		}
		w.read(func(tx *store.Tx) error {
			revisions, err := Revisions(tx, p.ID)
			if len(revisions) != 1 || revisions[0].Source != "With @ben #old" || len(revisions[0].Media) != 1 {
				t.Errorf("revisions %+v", revisions)
			}
			view, lerr := LoadOne(tx, w.viewer(ben), stored)
			if len(view.Media) != 2 || view.Media[0].ID != two.ID || len(view.Tags) != 1 || view.Tags[0].Tag != "new" || len(view.Mentions) != 2 {
				t.Errorf("view %+v", view)
			}
			return cmpErr(err, lerr)
		})
		if a, b := w.told(ben), w.told(cora); len(a) != 1 || len(b) != 1 {
			t.Errorf("ben was told %v, cora %v", a, b)
		}
		// The same again changes nothing.
		w.write(func(tx *store.Tx) error { _, err := Edit(tx, amira, p.ID, d); return err })
		if verbs := w.verbs(); !slices.Equal(verbs, []Verb{VerbCreate, VerbUpdate}) {
			t.Errorf("queued %v", verbs)
		}
		w.refuses(fault.NotFound, func(tx *store.Tx) error { _, err := Edit(tx, ben, p.ID, d); return err })
		w.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := Edit(tx, amira, p.ID, Draft{}); return err })
	})
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestEditKeepsThoseNamed(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, ben := w.local("amira", Member), w.local("ben", Member)
		p := w.publish(amira, Draft{Source: "Only for @ben", Audience: People})
		w.write(func(tx *store.Tx) error { _, err := Edit(tx, amira, p.ID, Draft{Source: "Nobody named"}); return err })
		w.read(func(tx *store.Tx) error { _, err := VisiblePost(tx, p.ID, w.viewer(ben)); return err })
	})
}

func TestReceiveEdit(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bo, cy := w.remote("bo", "elm.test"), w.remote("cy", "elm.test")
		note := w.note(bo)
		note.Media = []media.Attachment{{RemoteURL: "https://elm.test/a.jpg", Mime: "image/jpeg", Alt: "A"}}
		p := w.receive(note)
		edit := func(r RemotePost, html string, at time.Time) (changed bool) {
			r.HTML, r.Edited = html, &at
			w.write(func(tx *store.Tx) (err error) {
				_, changed, err = ReceiveEdit(tx, r)
				return err
			})
			return changed
		}
		now := time.Now()
		if !edit(note, "<p>second</p>", now.Add(-20*time.Second)) || edit(note, "<p>first</p>", now.Add(-30*time.Second)) || edit(note, "<p>second</p>", now) {
			t.Error("only a newer edit that changes something is one")
		}
		note.Media[0].Alt = "B"
		if !edit(note, "<p>second</p>", now) {
			t.Error("a new description is a change")
		}
		if got := w.stored(p.ID); got.HTML != "<p>second</p>" || got.MediaCount != 1 {
			t.Errorf("stored %+v", got)
		}
		if n := w.count("SELECT COUNT(*) FROM attachments WHERE post_id = ? AND alt = 'B'", p.ID); n != 1 {
			t.Errorf("%d pictures", n)
		}
		forged := note
		forged.Author = cy
		w.refuses(fault.Forbidden, func(tx *store.Tx) error { _, _, err := ReceiveEdit(tx, forged); return err })
		w.refuses(fault.NotFound, func(tx *store.Tx) error { _, _, err := ReceiveEdit(tx, w.note(bo)); return err })
	})
}

// Another server may show its post to fewer people than before, not to more.
func TestReceiveEditNarrows(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.local("amira", Member), w.remote("bo", "elm.test")
		own := w.publish(amira, Draft{Source: "What do you think?"})
		edit := func(r RemotePost, a Audience) {
			t.Helper()
			now := time.Now()
			r.Audience, r.Edited, r.HTML = a, &now, r.HTML+"<p>changed</p>"
			w.write(func(tx *store.Tx) error { _, _, err := ReceiveEdit(tx, r); return err })
		}
		note := w.note(bo)
		p := w.receive(note)
		edit(note, Followers)
		if got := w.stored(p.ID); got.Audience != Followers || got.Listed {
			t.Errorf("narrowed to followers it is for %s, listed %v", got.Audience, got.Listed)
		}
		w.read(func(tx *store.Tx) error {
			if _, err := VisiblePost(tx, p.ID, Guest); !fault.Is(err, fault.NotFound) {
				t.Errorf("a guest still sees it: %v", err)
			}
			return nil
		})
		closed := w.note(bo)
		closed.Audience = Followers
		p = w.receive(closed)
		edit(closed, Public)
		if got := w.stored(p.ID); got.Audience != Followers || got.Listed {
			t.Errorf("an edit widened a post to %s", got.Audience)
		}
		reply := w.note(bo)
		reply.Kind, reply.InReplyToURI, reply.Parent = Reply, own.IRI(w.db.Site()), &own
		w.receive(reply)
		edit(reply, People)
		if n := w.stored(own.ID).RepliesCount; n != 0 {
			t.Errorf("%d replies are counted that not all see", n)
		}
		if n := w.count("SELECT posts FROM account_counts WHERE account_id = ?", bo.ID); n != 2 {
			t.Errorf("bo has %d posts, want 2", n)
		}
	})
}

func TestDelete(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, ben, mo, bo := w.local("amira", Member), w.local("ben", Member), w.local("mo", Moderator), w.remote("bo", "elm.test")
		w.follows(ben, amira)
		w.follows(bo, amira)
		pic := w.picture(amira, "A")
		parent := w.publish(ben, Draft{})
		p := w.publish(amira, Draft{Kind: Reply, InReplyToID: parent.ID, Source: "Dear @ben #x", MediaIDs: []int64{pic.ID}})
		w.publish(ben, Draft{Kind: Reply, InReplyToID: p.ID})
		w.write(func(tx *store.Tx) error {
			_, err := Like(tx, ben, p.ID)
			_, err2 := BoostPost(tx, ben, p.ID)
			_, err3 := Bookmark(tx, ben, p.ID)
			// It was delivered to a server that nobody follows it from any more.
			o := w.outgoingOf(tx, p.ID)
			err4 := tx.Exec(`INSERT INTO deliveries (id, outgoing_id, post_id, host, inbox, state, created_at) VALUES
				(1, ?, ?, 'old.test', 'https://old.test/inbox', 'delivered', ?), (2, ?, ?, 'no.test', 'no.test', 'withheld', ?), (3, ?, ?, 'late.test', 'https://late.test/inbox', 'waiting', ?)`,
				o, p.ID, tx.Now, o, p.ID, tx.Now, o, p.ID, tx.Now).Error
			return cmpErr(err, err2, err3, err4)
		})
		w.refuses(fault.Forbidden, func(tx *store.Tx) error { return Delete(tx, ben, p.ID) })
		w.peer("elm.test", "network", true)
		w.write(func(tx *store.Tx) error { return Delete(tx, amira, p.ID) })

		got := w.stored(p.ID)
		if got.DeletedAt == nil || got.HTML != "" || got.Source != "" || got.AuthorID != amira.ID || got.InReplyToID == nil {
			t.Errorf("stored %+v", got)
		}
		for _, table := range []string{"home_entries", "notifications", "post_mentions", "post_tags", "attachments", "likes", "bookmarks"} {
			if n := w.count("SELECT COUNT(*) FROM "+table+" WHERE post_id = ?", p.ID); n != 0 {
				t.Errorf("%d rows left in %s", n, table)
			}
		}
		if n := w.count("SELECT COUNT(*) FROM posts WHERE boost_of_id = ? AND deleted_at IS NULL", p.ID); n != 0 {
			t.Error("its boost is still there")
		}
		if n := w.count("SELECT COUNT(*) FROM deliveries WHERE state = 'waiting'"); n != 0 {
			t.Error("it is still on its way out")
		}
		if n := w.count("SELECT posts FROM account_counts WHERE account_id = ?", amira.ID); n != 0 || w.stored(parent.ID).RepliesCount != 0 {
			t.Errorf("still counted: %d posts, %d replies", n, w.stored(parent.ID).RepliesCount)
		}
		queue := w.queued()
		last := queue[len(queue)-1]
		var hosts []string
		for _, target := range last.Facts.Inboxes {
			hosts = append(hosts, target.Host)
		}
		slices.Sort(hosts)
		if last.Verb != VerbDelete || last.ObjectURI != p.IRI(site) || !slices.Equal(hosts, []string{"elm.test", "late.test", "old.test"}) {
			t.Errorf("told %+v", last)
		}
		w.read(func(tx *store.Tx) error {
			if _, err := VisiblePost(tx, p.ID, Guest); !fault.Is(err, fault.Gone) {
				t.Errorf("a guest who asks for it: %v", err)
			}
			return nil
		})
		w.refuses(fault.NotFound, func(tx *store.Tx) error { return Delete(tx, amira, p.ID) })

		// A moderator takes out another server's post for this server only.
		r := w.receive(w.note(bo))
		before := len(w.queued())
		w.write(func(tx *store.Tx) error { return Delete(tx, mo, r.ID) })
		if w.stored(r.ID).DeletedAt == nil || len(w.queued()) != before {
			t.Error("a moderator's deletion of another server's post")
		}
	})
}

func (w *world) outgoingOf(tx *store.Tx, post int64) (id int64) {
	if err := tx.Raw("SELECT id FROM outgoing WHERE post_id = ? AND verb = 'Create'", post).Scan(&id).Error; err != nil {
		w.t.Fatal(err)
	}
	return id
}

func TestReceiveDelete(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bo := w.remote("bo", "elm.test")
		known, unknown := w.note(bo), w.note(bo)
		p := w.receive(known)
		for _, tt := range []struct {
			name string
			by   Account
			uri  string
		}{
			{"of another server", w.remote("fay", "fig.test"), known.URI},
			{"by a neighbour", w.remote("cy", "elm.test"), known.URI},
			{"one of ours", bo, site.Post(p.ID)},
			{"by one of ours", w.local("ana", Member), site.Post(p.ID)},
		} {
			w.refuses(fault.Forbidden, func(tx *store.Tx) error { _, err := ReceiveDelete(tx, tt.by, tt.uri); return err })
		}
		theirs := w.note(w.remote("di", "elm.test"))
		w.write(func(tx *store.Tx) error {
			gone, err := ReceiveDelete(tx, bo, known.URI)
			early, err2 := ReceiveDelete(tx, bo, unknown.URI)
			again, err3 := ReceiveDelete(tx, bo, unknown.URI)
			if _, err := ReceiveDelete(tx, bo, theirs.URI); err != nil {
				return err
			}
			if !gone || early || again {
				t.Errorf("gone %v, early %v, again %v", gone, early, again)
			}
			return cmpErr(err, err2, err3)
		})
		if w.stored(p.ID).DeletedAt == nil {
			t.Error("the post is still there")
		}
		w.refuses(fault.Gone, func(tx *store.Tx) error { _, _, err := Receive(tx, unknown); return err })
		w.receive(theirs) // a neighbour cannot delete ahead
		w.write(func(tx *store.Tx) error {
			if got, fresh, err := Receive(tx, known); err != nil || fresh || got.DeletedAt == nil {
				t.Errorf("a deleted post came back: %v, %v", fresh, err)
			}
			return nil
		})
	})
}

func TestReactions(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, ben, bo, student := w.local("amira", Member), w.local("ben", Member), w.remote("bo", "elm.test"), w.local("stu", Placement)
		w.follows(ben, amira)
		mine, theirs, closed := w.publish(ben, Draft{}), w.receive(w.note(bo)), w.publish(ben, Draft{Audience: Network})
		skip := len(w.queued())

		w.write(func(tx *store.Tx) error {
			for range 2 {
				for _, p := range []Post{mine, theirs} {
					_, err := Like(tx, amira, p.ID)
					_, err2 := BoostPost(tx, amira, p.ID)
					if err := cmpErr(err, err2); err != nil {
						return err
					}
				}
				if _, err := ReceiveLike(tx, bo, mine, Given{URI: "https://elm.test/likes/1"}); err != nil {
					return err
				}
				if _, _, err := ReceiveBoost(tx, RemoteBoost{From: bo, Post: mine, URI: "https://elm.test/announces/1", Published: tx.Now}); err != nil {
					return err
				}
			}
			return nil
		})
		if got := w.stored(mine.ID); got.LikesCount != 2 || got.BoostsCount != 2 {
			t.Errorf("likes %d, boosts %d, want 2 and 2", got.LikesCount, got.BoostsCount)
		}
		if verbs := w.verbs()[skip:]; !slices.Equal(verbs, []Verb{VerbAnnounce, VerbLike, VerbAnnounce}) {
			t.Errorf("queued %v", verbs)
		}
		if kinds := w.told(ben); len(kinds) != 4 {
			t.Errorf("ben was told %v", kinds)
		}
		if home := w.home(ben); len(home) != 4 { // two of his own, two boosts
			t.Errorf("ben's home holds %v", home)
		}
		w.refuses(fault.Forbidden, func(tx *store.Tx) error { _, err := BoostPost(tx, amira, closed.ID); return err })
		w.refuses(fault.NotFound, func(tx *store.Tx) error {
			_, _, err := ReceiveBoost(tx, RemoteBoost{From: bo, Post: closed, URI: "https://elm.test/announces/2", Published: tx.Now})
			return err
		})
		if student, err := w.ceiling(student); err == nil && !Public.Within(student) {
			w.refuses(fault.Forbidden, func(tx *store.Tx) error { _, err := BoostPost(tx, w.byName("stu"), mine.ID); return err })
		}

		w.write(func(tx *store.Tx) error {
			for range 2 {
				_, err := Unlike(tx, amira, theirs.ID)
				_, err2 := UnboostPost(tx, amira, mine.ID)
				_, err3 := ReceiveUnlike(tx, bo, mine)
				_, err4 := ReceiveUnboost(tx, bo, mine)
				if err := cmpErr(err, err2, err3, err4); err != nil {
					return err
				}
			}
			return nil
		})
		if got := w.stored(mine.ID); got.LikesCount != 1 || got.BoostsCount != 0 || w.stored(theirs.ID).LikesCount != 0 {
			t.Errorf("likes %d, boosts %d, want 1 and 0", got.LikesCount, got.BoostsCount)
		}
		if kinds := w.told(ben); !slices.Equal(kinds, []NotificationKind{NotifyLike}) {
			t.Errorf("ben was told %v", kinds)
		}
		if verbs := w.verbs()[skip+3:]; !slices.Equal(verbs, []Verb{VerbUndoLike, VerbUndoAnnounce}) {
			t.Errorf("queued %v", verbs)
		}
		// A boost can be made anew after it was taken back.
		w.write(func(tx *store.Tx) error { _, err := BoostPost(tx, amira, mine.ID); return err })
		if got := w.stored(mine.ID); got.BoostsCount != 1 {
			t.Errorf("boosts %d, want 1", got.BoostsCount)
		}
		w.read(func(tx *store.Tx) error {
			liked, places, err := Liked(tx, w.viewer(amira), store.Page{})
			wantIDs(t, "liked", idsOf(liked), mine.ID)
			if len(places) != 1 {
				t.Errorf("places %v", places)
			}
			return err
		})
	})
}

func (w *world) ceiling(a Account) (Audience, error) {
	var role Role
	err := w.db.Read(w.t.Context(), func(tx *store.Tx) (err error) {
		role, err = roleOf(tx, a.ID)
		return err
	})
	return role.Ceiling(), err
}

func (w *world) byName(name string) (a Account) {
	w.read(func(tx *store.Tx) (err error) {
		a, err = AccountByHandle(tx, name, "")
		return err
	})
	return a
}

func TestAcceptAnswer(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, ben := w.local("amira", Member), w.local("ben", Member)
		q := w.publish(amira, Draft{Kind: Question, Title: "How?", Audience: School})
		r := w.publish(ben, Draft{Kind: Reply, InReplyToID: q.ID, Audience: School})
		other := w.publish(ben, Draft{Audience: School})
		accept := func(who Account, reply int64) error {
			return w.db.Write(t.Context(), func(tx *store.Tx) error { _, err := AcceptAnswer(tx, who, q.ID, reply); return err })
		}
		if err := accept(ben, r.ID); !fault.Is(err, fault.Forbidden) {
			t.Errorf("somebody else: %v", err)
		}
		if err := accept(amira, other.ID); !fault.Is(err, fault.Invalid) {
			t.Errorf("no reply: %v", err)
		}
		if err := accept(amira, r.ID); err != nil || w.stored(q.ID).AcceptedAnswerID == nil {
			t.Errorf("accepted: %v", err)
		}
		if kinds := w.told(ben); !slices.Equal(kinds, []NotificationKind{NotifyAnswer}) {
			t.Errorf("ben was told %v", kinds)
		}
		if err := accept(amira, r.ID); err != nil || w.stored(q.ID).AcceptedAnswerID != nil {
			t.Errorf("taken back: %v", err)
		}
		w.write(func(tx *store.Tx) error {
			_, err := AcceptAnswer(tx, amira, q.ID, r.ID)
			return cmpErr(err, Delete(tx, ben, r.ID))
		})
		if w.stored(q.ID).AcceptedAnswerID != nil {
			t.Error("a deleted reply is still the answer")
		}
	})
}

func TestSweep(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		old := time.Now().Add(-100 * 24 * time.Hour)
		w.exec("INSERT INTO tombstones (uri, deleted_at) VALUES ('https://elm.test/1', ?), ('https://elm.test/2', ?)", old, time.Now())
		w.exec("INSERT INTO kept (key, value, expires_at) VALUES ('a', 'x', ?), ('b', 'x', ?), ('c', 'x', NULL)", old, time.Now().Add(time.Hour))
		var id int64
		w.write(func(tx *store.Tx) error { id = tx.NewIDAt(old); return nil })
		w.exec("INSERT INTO incoming (id, host, activity_id, actor_uri, type, body, state, received_at) VALUES (?, 'elm.test', 'a', '', '', 'x', 'done', ?), (?, 'elm.test', 'b', '', '', 'x', 'waiting', ?)", id, old, id+1, old)
		w.exec("INSERT INTO outgoing (id, verb, actor_id, state, created_at) VALUES (?, 'Create', 1, 'spread', ?), (?, 'Create', 1, 'spread', ?)", id, old, id+1, old)
		w.exec("INSERT INTO deliveries (id, outgoing_id, host, inbox, state, created_at, done_at) VALUES (1, ?, 'elm.test', 'i', 'delivered', ?, ?), (2, ?, 'elm.test', 'i', 'waiting', ?, NULL)", id, old, old, id+1, old)
		amira, bo := w.local("amira", Member), w.remote("bo", "elm.test")
		w.exec("INSERT INTO notifications (id, account_id, kind, from_id, created_at) VALUES (?, ?, 'follow', ?, ?), (?, ?, 'follow', ?, ?)",
			store.FirstShortIDAt(old.Add(-90*24*time.Hour)), amira.ID, bo.ID, old, store.FirstShortIDAt(old), amira.ID, bo.ID, old)
		w.exec("INSERT INTO tombstones (uri, account_id, deleted_at) VALUES ('https://elm.test/1', ?, ?)", bo.ID, time.Now()) // another's, of the same address
		top := w.publish(amira, Draft{Audience: Me})
		w.exec("INSERT INTO ghosts (post_id, uri, host, reason, seen_at) VALUES (?, 'https://elm.test/3', 'elm.test', 'deleted', ?), (?, 'https://elm.test/4', 'elm.test', 'deleted', ?)",
			top.ID, old, top.ID, time.Now())
		w.write(func(tx *store.Tx) error {
			if more, err := Sweep(tx); err != nil || more {
				t.Errorf("more %v, %v", more, err)
			}
			return nil
		})
		for table, want := range map[string]int{"tombstones": 2, "ghosts": 1, "kept": 2, "incoming": 1, "notifications": 1, "deliveries": 1, "outgoing": 1} {
			if n := w.count("SELECT COUNT(*) FROM " + table); n != want {
				t.Errorf("%d rows left in %s, want %d", n, table, want)
			}
		}
	})
}

func TestReceiveAnswer(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ben, bo := w.local("ben", Member), w.remote("bo", "elm.test")
		asked := w.note(bo)
		asked.Kind, asked.Title = Question, "How?"
		q := w.receive(asked)
		r := w.publish(ben, Draft{Kind: Reply, InReplyToID: q.ID})
		elsewhere := w.publish(ben, Draft{})
		edited := time.Now().Add(-time.Second)
		for _, tt := range []struct {
			name, uri string
			want      *int64
		}{
			{"a reply", r.IRI(site), &r.ID},
			{"another thread's post", elsewhere.IRI(site), nil},
			{"a reply again, with an edit's time that is known", r.IRI(site), &r.ID},
			{"none", "", nil},
		} {
			asked.AcceptedAnswerURI, asked.Edited = tt.uri, &edited
			w.write(func(tx *store.Tx) error { _, _, err := ReceiveEdit(tx, asked); return err })
			if got := w.stored(q.ID); !sameID(got.AcceptedAnswerID, tt.want) {
				t.Errorf("%s: the answer is %v", tt.name, got.AcceptedAnswerID)
			}
			asked.HTML = "<p>edited once</p>" // the first round's; later ones change nothing
		}
	})
}
