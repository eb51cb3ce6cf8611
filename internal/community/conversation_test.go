package community

import (
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

func (w *world) talks(a Account) (list []Talk) {
	w.t.Helper()
	w.read(func(tx *store.Tx) (err error) {
		list, err = Talks(tx, w.viewer(a), store.Page{})
		return err
	})
	return list
}

// What comes from elsewhere lands in the talks of those here, whatever order it
// comes in, and goes with whoever is erased.
func TestTalksOfWhatArrives(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, cy, bo := w.local("amira", Member), w.local("cy", Member), w.remote("bo", "elm.test")
		w.peer("elm.test", "group", true)

		// The answer comes first, and then what it answers: one talk.
		opener, answer := w.note(bo), w.note(bo)
		opener.Audience, opener.Mentions = People, []int64{amira.ID}
		answer.Audience, answer.Mentions, answer.Kind, answer.InReplyToURI = People, []int64{amira.ID}, Reply, opener.URI
		late := w.receive(answer)
		w.write(func(tx *store.Tx) error { _, err := MuteThread(tx, amira, late.ID); return err })
		first := w.receive(opener)
		got := w.talks(amira)
		if len(got) != 1 || got[0].ThreadID != first.ID || got[0].LastPostID != max(first.ID, late.ID) || !got[0].Unread || len(got[0].Others()) != 1 || got[0].Others()[0] != bo.ID {
			t.Fatalf("amira has %+v", got)
		}
		if n := w.count("SELECT COUNT(*) FROM conversation_posts WHERE conversation_id = ?", got[0].ID); n != 2 {
			t.Errorf("%d posts in the talk, want 2", n)
		}
		if n := w.count("SELECT COUNT(*) FROM thread_mutes WHERE account_id = ? AND thread_id = ?", amira.ID, first.ID); n != 1 {
			t.Error("the mute did not move with the thread")
		}
		if len(w.talks(cy)) != 0 {
			t.Error("cy has a talk that is not for cy")
		}

		// An edit that names somebody more brings it to them, and is another talk.
		opener.Mentions, opener.HTML = []int64{amira.ID, cy.ID}, "<p>and cy</p>"
		w.write(func(tx *store.Tx) error { _, _, err := ReceiveEdit(tx, opener); return err })
		if got := w.talks(cy); len(got) != 1 || got[0].LastPostID != first.ID || len(got[0].Others()) != 2 {
			t.Errorf("cy has %+v", got)
		}
		if got := w.talks(amira); len(got) != 2 {
			t.Errorf("amira has %+v", got)
		}

		// Public posts are in no talk; one that was narrowed is.
		open := w.note(bo)
		open.Mentions = []int64{cy.ID}
		w.receive(open)
		if got := w.talks(cy); len(got) != 1 {
			t.Errorf("a public post is in a talk: %+v", got)
		}
		open.Audience, open.HTML = People, "<p>only you</p>"
		w.write(func(tx *store.Tx) error { _, _, err := ReceiveEdit(tx, open); return err })
		if got := w.talks(cy); len(got) != 2 {
			t.Errorf("a post that was narrowed: %+v", got)
		}

		w.write(func(tx *store.Tx) error { _, err := ReceiveDelete(tx, bo, open.URI); return err })
		if got := w.talks(cy); len(got) != 1 {
			t.Errorf("after the deletion: %+v", got)
		}
		w.write(func(tx *store.Tx) error { return eraseRest(tx, amira.ID) })
		if n := w.count("SELECT (SELECT COUNT(*) FROM conversations WHERE account_id = ?) + (SELECT COUNT(*) FROM conversation_posts WHERE account_id = ?) + (SELECT COUNT(*) FROM thread_mutes WHERE account_id = ?)",
			amira.ID, amira.ID, amira.ID); n != 0 {
			t.Errorf("%d rows are left of an erased account", n)
		}
	})
}

// What clients are told of posts takes as many statements for one as for many,
// and each is served by an index.
func TestClientsQuestionsAreBounded(t *testing.T) {
	w := &world{t: t, db: storetest.Open(t)}
	amira, bo := w.local("amira", Member), w.local("bo", Member)
	app := int64(7)
	w.exec("INSERT INTO oauth_apps (id, client_id, secret_hash, name, redirect_uris, scopes, created_at) VALUES (?, 'x', 'x', 'App', '', '', ?)", app, amira.CreatedAt)
	var posts []Post
	for range 12 {
		posts = append(posts, w.publish(amira, Draft{AppID: app}), w.publish(bo, Draft{QuotePolicy: QuotedByFollowers}),
			w.publish(bo, Draft{Audience: People, To: []int64{amira.ID}}))
	}
	w.write(func(tx *store.Tx) error { _, err := MuteThread(tx, amira, posts[1].ID); return err })
	v := w.viewer(amira)
	heard := func(fn func(tx *store.Tx) error) []string {
		var s statements
		w.read(func(tx *store.Tx) error { return fn(s.listening(tx)) })
		return s.sql
	}
	load := func(some []Post) func(tx *store.Tx) error {
		return func(tx *store.Tx) error {
			views, err := Load(tx, v, some)
			if err == nil && len(some) > 1 && (!views[1].Mine.ThreadMuted || views[0].App == nil || views[0].App.Name != "App" || views[1].App != nil) {
				t.Errorf("loaded %+v and %+v", views[0].App, views[1].Mine)
			}
			return err
		}
	}
	few, many := heard(load(posts[:3])), heard(load(posts))
	if len(few) != len(many) {
		t.Errorf("%d statements for three posts, %d for %d", len(few), len(many), len(posts))
	}
	asked := append(many, heard(func(tx *store.Tx) error {
		talks, err := Talks(tx, v, store.Page{})
		if err == nil && len(talks) != 12 {
			t.Errorf("%d talks, want 12", len(talks))
		}
		_, err1 := DirectTimeline(tx, v, store.Page{})
		_, err2 := VisiblePosts(tx, []int64{posts[0].ID, posts[1].ID}, v)
		_, err3 := ScheduledBy(tx, amira.ID, store.Page{})
		_, err4 := DueScheduled(tx, 10)
		_, err5 := MadeOf(tx, amira.ID, KeyForm("k"))
		return cmpErr(err, err1, err2, err3, err4, err5)
	})...)
	var s statements
	w.write(func(plain *store.Tx) error {
		tx := s.listening(plain)
		_, err := converse(tx, posts[2])
		return cmpErr(err, reconverse(tx, posts[2], posts[2]), joinThreads(tx, []int64{posts[2].ThreadID}, posts[5].ThreadID), deconverse(tx, posts[2]))
	})
	w.read(func(tx *store.Tx) error {
		for _, sql := range append(asked, s.sql...) {
			var steps []struct{ Detail string }
			if err := tx.Raw("EXPLAIN QUERY PLAN " + sql).Scan(&steps).Error; err != nil {
				t.Errorf("%v\n%s", err, sql)
			}
			for _, step := range steps {
				for _, table := range []string{"posts", "conversations", "conversation_posts", "thread_mutes", "scheduled_posts", "oauth_apps", "accounts", "kept", "follows", "attachments"} {
					if step.Detail == "SCAN "+table || strings.Contains(step.Detail, "TEMP B-TREE FOR ORDER BY") && strings.Contains(sql, "conversation") {
						t.Errorf("%s\n%s", step.Detail, sql)
					}
				}
			}
		}
		return nil
	})
}

// Sections survive being one text, and a text that is none of theirs is told apart.
func TestSectionsOf(t *testing.T) {
	for _, s := range []Sections{{Tried: "A"}, {Tried: "A\n\nB", Happened: "C", Evidence: "D", Unsure: "E", Next: "F"}, {Tried: "## Mine\n\nA", Next: "B"}} {
		if back, ok := SectionsOf(s.Markdown()); !ok || *back != s {
			t.Errorf("%+v comes back as %+v", s, back)
		}
	}
	for _, text := range []string{"", "A", "A\n\n## What I tried\n\nB", "## What next\n\nA", "## What I tried\n\nA\n\n## What I tried\n\nB", "## What I tried\n\n## What I tried\n\nB"} {
		if s, ok := SectionsOf(text); ok {
			t.Errorf("%q is taken for %+v", text, s)
		}
	}
}

// What comes from a server that somebody shut out does not hide the talk that
// they have with others.
func TestTalkWithWhoIsShutOut(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, cy, bo := w.local("amira", Member), w.local("cy", Member), w.remote("bo", "elm.test")
		w.peer("elm.test", "group", true)
		opener := w.note(bo)
		opener.Audience, opener.Mentions = People, []int64{amira.ID, cy.ID}
		first := w.receive(opener)
		answer := w.publish(cy, Draft{Kind: Reply, Audience: People, Source: "yes", InReplyToID: first.ID, To: []int64{amira.ID}})
		w.write(func(tx *store.Tx) error { return ShutOut(tx, amira, "elm.test") })
		again := w.note(bo)
		again.Audience, again.Mentions, again.Kind, again.InReplyToURI = People, []int64{amira.ID, cy.ID}, Reply, answer.IRI(w.db.Site())
		again.Parent, again.Published = &answer, w.db.Now()
		later := w.receive(again)
		if got := w.talks(amira); len(got) != 1 || got[0].LastPostID != answer.ID {
			t.Errorf("amira has %+v, want the talk up to %d", got, answer.ID)
		}
		if got := w.talks(cy); len(got) != 1 || got[0].LastPostID != later.ID {
			t.Errorf("cy has %+v, want the talk up to %d", got, later.ID)
		}
	})
}
