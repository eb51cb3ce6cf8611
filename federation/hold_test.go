package federation

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// waiting lists what waits here, the first first.
func (n *server) waiting() []community.HeldView {
	n.t.Helper()
	var list []community.HeldView
	n.read(func(tx *store.Tx) (err error) {
		list, err = community.Held(tx, community.HeldFilter{}, store.Page{Limit: 40})
		return err
	})
	slices.Reverse(list)
	return list
}

// pass lets something pass and waits until it has landed.
func (n *server) pass(ids ...int64) int {
	n.t.Helper()
	passed := 0
	n.write(func(tx *store.Tx) (err error) {
		passed, err = community.PassHeld(tx, 0, ids, "")
		return err
	})
	n.ring.settle()
	return passed
}

// TestHoldAll follows held posts through all that may happen to them.
func TestHoldAll(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		oak.follow(amira, "@bo@elm.localhost")
		elm.seen("@amira@oak.localhost")
		oak.deal("elm.localhost", func(p *peers.Policy) { p.Hold = peers.HoldAll })
		notes := func() int {
			return oak.count("SELECT COUNT(*) FROM notifications WHERE account_id = ? AND kind = 'mention'", amira.ID)
		}

		t.Run("what is held is answered as waiting", func(t *testing.T) {
			res := elm.say(bo, oak, elm.note(bo, "asked"))
			r.settle()
			if p := problemIn(t, res.Body); res.Status != http.StatusAccepted || p.Type != approvalRequired {
				t.Errorf("answered %d %+v", res.Status, p)
			}
			if w := oak.waiting(); len(w) != 1 || w[0].Kind != community.HeldPost || !strings.Contains(w[0].Said.HTML, "asked") || w[0].Author.Username != "bo" {
				t.Fatalf("waiting: %+v", w)
			}
			oak.write(func(tx *store.Tx) error {
				_, err := community.DropHeld(tx, 0, []int64{oak.waiting()[0].ID}, "no")
				return err
			})
			elm.say(bo, oak, elm.note(bo, "asked"))
			r.settle()
			if n := oak.count("SELECT COUNT(*) FROM posts WHERE uri LIKE '%/test/asked'"); n != 0 || len(oak.waiting()) != 0 {
				t.Errorf("what was dropped came back: %d", n)
			}
			if _, err := oak.ResolvePost(t.Context(), elm.site.URL("/test/asked")); err == nil {
				t.Errorf("what was dropped can be looked up")
			}
		})

		post := elm.publish(bo, community.Draft{Source: "Hello @amira@oak.localhost"})
		if n := notes(); n != 0 || len(oak.home(amira)) != 0 {
			t.Fatalf("%d notifications, home %+v", n, oak.home(amira))
		}
		elm.write(func(tx *store.Tx) error {
			_, err := community.Edit(tx, bo, post.ID, community.Draft{Kind: community.Note, Audience: community.Public, Source: "Hello again @amira@oak.localhost"})
			return err
		})
		r.settle()
		w := oak.waiting()
		if len(w) != 1 || !strings.Contains(w[0].Said.HTML, "again") {
			t.Fatalf("the newest version does not wait: %+v", w)
		}

		t.Run("it is not to be had by looking it up", func(t *testing.T) {
			_, err := oak.ResolvePost(t.Context(), post.IRI(elm.site))
			if fault.Of(err).Key != "federation.held" {
				t.Errorf("looked up: %v", err)
			}
			if n := oak.count("SELECT COUNT(*) FROM posts WHERE uri = ?", post.IRI(elm.site)); n != 0 {
				t.Errorf("it landed")
			}
			if len(oak.waiting()) != 1 {
				t.Errorf("it waits twice")
			}
		})
		t.Run("pass lands once", func(t *testing.T) {
			id := oak.waiting()[0].ID
			if n := oak.pass(id, id); n != 1 {
				t.Errorf("passed %d", n)
			}
			if n := oak.pass(id); n != 0 {
				t.Errorf("passed again: %d", n)
			}
			home := oak.home(amira)
			if len(home) != 1 || !strings.Contains(home[0].HTML, "again") || !home[0].CreatedAt.Equal(post.CreatedAt) || notes() != 1 {
				t.Errorf("home %+v, %d notifications", home, notes())
			}
			if n := oak.count("SELECT COUNT(*) FROM held_items WHERE id = ? AND decision = 'passed' AND said = '{}'", id); n != 1 {
				t.Errorf("its words are still on the list")
			}
			if n := oak.count("SELECT COUNT(*) FROM peers WHERE holding"); n != 0 {
				t.Errorf("the peer is still marked as holding")
			}
		})
		t.Run("an edit of what is here waits, and what is here stays", func(t *testing.T) {
			elm.write(func(tx *store.Tx) error {
				_, err := community.Edit(tx, bo, post.ID, community.Draft{Kind: community.Note, Audience: community.Public, Source: "Changed"})
				return err
			})
			r.settle()
			w := oak.waiting()
			if len(w) != 1 || w[0].Kind != community.HeldEdit || !strings.Contains(oak.home(amira)[0].HTML, "again") {
				t.Fatalf("waiting %+v, home %+v", w, oak.home(amira))
			}
			oak.pass(w[0].ID)
			if !strings.Contains(oak.home(amira)[0].HTML, "Changed") {
				t.Errorf("home %+v", oak.home(amira))
			}
		})
		t.Run("its Delete removes it", func(t *testing.T) {
			p := elm.publish(bo, community.Draft{Source: "Soon gone"})
			if len(oak.waiting()) != 1 {
				t.Fatalf("it does not wait")
			}
			elm.write(func(tx *store.Tx) error { return community.Delete(tx, bo, p.ID) })
			r.settle()
			if w := oak.waiting(); len(w) != 0 || oak.count("SELECT COUNT(*) FROM held_items WHERE decision = 'withdrawn'") != 1 {
				t.Errorf("waiting %+v", w)
			}
		})
		t.Run("the hold is lifted: what waits is offered, and not shown", func(t *testing.T) {
			p := elm.publish(bo, community.Draft{Source: "Offered"})
			oak.deal("elm.localhost", func(*peers.Policy) {})
			elm.publish(bo, community.Draft{Source: "At once"})
			if home := oak.home(amira); len(home) != 2 || len(oak.waiting()) != 1 {
				t.Fatalf("home %+v, waiting %+v", home, oak.waiting())
			}
			elm.write(func(tx *store.Tx) error {
				_, err := community.Edit(tx, bo, p.ID, community.Draft{Kind: community.Note, Audience: community.Public, Source: "Offered anew"})
				return err
			})
			r.settle()
			if w := oak.waiting(); len(w) != 1 || !strings.Contains(w[0].Said.HTML, "anew") || len(oak.home(amira)) != 2 {
				t.Fatalf("an edit brought it in: %+v", oak.home(amira))
			}
			oak.write(func(tx *store.Tx) error { _, err := community.PassHeldOf(tx, 0, "elm.localhost", ""); return err })
			r.settle()
			if home := oak.home(amira); len(home) != 3 || !strings.Contains(home[1].HTML, "anew") {
				t.Errorf("home %+v", home)
			}
		})
		t.Run("taken off, it cannot pass; blocked, it goes", func(t *testing.T) {
			oak.deal("elm.localhost", func(p *peers.Policy) { p.Hold = peers.HoldAll })
			elm.publish(bo, community.Draft{Source: "In between"})
			id := oak.waiting()[0].ID
			oak.write(func(tx *store.Tx) error { return peers.Remove(tx, 0, "elm.localhost", "") })
			err := oak.db.Write(t.Context(), func(tx *store.Tx) error { _, err := community.PassHeld(tx, 0, []int64{id}, ""); return err })
			if !peers.Refused(err) || len(oak.waiting()) != 1 {
				t.Errorf("passed: %v", err)
			}
			oak.deal("elm.localhost", func(*peers.Policy) {})
			if n := oak.count("SELECT COUNT(*) FROM peers WHERE holding"); n != 1 {
				t.Errorf("back on the list, it does not know of what waits")
			}
			oak.write(func(tx *store.Tx) error {
				_, err := community.BlockHost(tx, 0, "elm.localhost", peers.Entry{Reason: "spam"})
				return err
			})
			r.settle()
			if w := oak.waiting(); len(w) != 0 {
				t.Errorf("waiting %+v", w)
			}
		})
	})
}

// TestHoldKinds holds the first post of somebody, those with pictures, and those
// with links.
func TestHoldKinds(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		bo, cai := elm.person("bo"), elm.person("cai")
		with := func(name string, more doc) doc {
			d := elm.note(bo, name)
			for k, v := range more {
				d["object"].(doc)[k] = v
			}
			return d
		}
		landed := func(name string) bool {
			return oak.count("SELECT COUNT(*) FROM posts WHERE uri = ?", elm.site.URL("/test/"+name)) == 1
		}
		oak.deal("elm.localhost", func(p *peers.Policy) { p.Hold = peers.HoldFirst })
		elm.say(bo, oak, elm.note(bo, "first"))
		elm.say(bo, oak, elm.note(bo, "second"))
		elm.say(cai, oak, elm.note(cai, "cais"))
		r.settle()
		if landed("first") || landed("second") || len(oak.waiting()) != 3 {
			t.Fatalf("first posts: %+v", oak.waiting())
		}
		oak.pass(oak.waiting()[0].ID)
		elm.say(bo, oak, elm.note(bo, "third"))
		elm.say(cai, oak, elm.note(cai, "cais2"))
		r.settle()
		if !landed("first") || landed("second") || !landed("third") || landed("cais2") {
			t.Errorf("after the first passed: %v %v %v %v", landed("first"), landed("second"), landed("third"), landed("cais2"))
		}
		oak.deal("elm.localhost", func(p *peers.Policy) { p.Hold = peers.HoldMedia })
		elm.say(bo, oak, with("plain", nil))
		elm.say(bo, oak, with("picture", doc{"attachment": []doc{{"type": "Image", "mediaType": "image/png", "url": elm.site.URL("/x.png"), "name": "a cat"}}}))
		r.settle()
		if !landed("plain") || landed("picture") {
			t.Errorf("pictures: %v %v", landed("plain"), landed("picture"))
		}
		oak.deal("elm.localhost", func(p *peers.Policy) { p.Hold = peers.HoldLinks })
		for name, content := range map[string]string{
			"anchor": `<p>See <a href="https://shop.example/x">this</a></p>`, "bare": "<p>See https://shop.example/x</p>",
			"disguised": `<p><a href="https://shop.example/@x" class="mention">@bo</a></p>`,
			"mention":   `<p><a href="` + elm.site.URL("/@cai") + `" class="mention">@cai</a></p>`, "words": "<p>1:// is no link</p>",
		} {
			elm.say(bo, oak, with(name, doc{"content": content}))
		}
		r.settle()
		for name, want := range map[string]bool{"anchor": false, "bare": false, "disguised": false, "mention": true, "words": true} {
			if landed(name) != want {
				t.Errorf("%s: landed %v", name, !want)
			}
		}
		oak.write(func(tx *store.Tx) error {
			_, err := community.PassAuthor(tx, 0, oak.waiting()[0].AccountID, "known")
			return err
		})
		oak.deal("elm.localhost", func(p *peers.Policy) { p.Hold = peers.HoldAll })
		elm.say(bo, oak, elm.note(bo, "trusted"))
		r.settle()
		if !landed("trusted") || !landed("anchor") || !landed("second") {
			t.Errorf("whoever may pass does not")
		}
	})
}

// TestHeldBoost has a boost of a held post wait with it.
func TestHeldBoost(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, ash := r.start("oak.localhost"), r.start("elm.localhost"), r.start("ash.localhost")
		r.befriend()
		amira, bo, cai := oak.person("amira"), elm.person("bo"), ash.person("cai")
		oak.follow(amira, "@cai@ash.localhost")
		ash.follow(cai, "@bo@elm.localhost")
		oak.deal("elm.localhost", func(p *peers.Policy) { p.Hold = peers.HoldAll })
		p := elm.publish(bo, community.Draft{Source: "Passed on"})
		there := ash.copyOf(p, elm)
		ash.write(func(tx *store.Tx) error { _, err := community.BoostPost(tx, cai, there.ID); return err })
		r.settle()
		if home := oak.home(amira); len(home) != 0 || len(oak.waiting()) != 1 || oak.count("SELECT COUNT(*) FROM held_items WHERE kind = 'boost' AND decision = ''") != 1 {
			t.Fatalf("home %+v, waiting %+v", home, oak.waiting())
		}
		oak.pass(oak.waiting()[0].ID)
		if home := oak.home(amira); len(home) != 1 || home[0].BoostOfID == nil {
			t.Errorf("home %+v", home)
		}
	})
}

// TestPassKilled stops a server after something was let pass and before it
// landed: it lands when the server is back, once.
func TestPassKilled(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		oak.follow(amira, "@bo@elm.localhost")
		elm.seen("@amira@oak.localhost")
		oak.deal("elm.localhost", func(p *peers.Policy) { p.Hold = peers.HoldAll })
		elm.publish(bo, community.Draft{Source: "Hello @amira@oak.localhost"})
		id := oak.waiting()[0].ID
		oak.stop()
		for range 2 {
			oak.write(func(tx *store.Tx) error { _, err := community.PassHeld(tx, 0, []int64{id}, ""); return err })
		}
		if len(oak.home(amira)) != 0 {
			t.Fatalf("it landed without a worker")
		}
		oak.run()
		r.settle()
		if home := oak.home(amira); len(home) != 1 || oak.count("SELECT COUNT(*) FROM notifications WHERE account_id = ?", amira.ID) != 1 {
			t.Errorf("home %+v", home)
		}
	})
}

// TestInboundLimits has a server send more than its policy says.
func TestInboundLimits(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		bo := elm.person("bo")
		elm.say(bo, oak, elm.note(bo, "known")) // so that the key is on record
		r.settle()
		t.Run("a minute", func(t *testing.T) {
			oak.deal("elm.localhost", func(p *peers.Policy) { p.PerMinute = 2 })
			oak.paces = paces{}
			for i, want := range []int{202, 202, 429} {
				res := elm.say(bo, oak, elm.note(bo, "fast"+strings.Repeat("x", i)))
				if res.Status != want {
					t.Errorf("%d: answered %d", i, res.Status)
				}
				if want == 429 && (res.Header.Get("Retry-After") == "" || problemIn(t, res.Body).Type != tooMany) {
					t.Errorf("answered %v %s", res.Header, res.Body)
				}
			}
			r.settle() // or some were taken on the day that is counted below
		})
		t.Run("a day", func(t *testing.T) {
			oak.deal("elm.localhost", func(p *peers.Policy) { p.PerDay = 2 })
			for i, want := range []int{202, 202, 429} {
				if res := elm.say(bo, oak, elm.note(bo, "day"+strings.Repeat("x", i))); res.Status != want {
					t.Errorf("%d: answered %d", i, res.Status)
				}
				r.settle()
			}
			if n := oak.count("SELECT COUNT(*) FROM posts WHERE uri LIKE '%/test/day%'"); n != 2 {
				t.Errorf("%d posts", n)
			}
			oak.exec("UPDATE peer_days SET day = '2000-01-01'")
			if res := elm.say(bo, oak, elm.note(bo, "dayy")); res.Status != 202 {
				t.Errorf("a new day: answered %d", res.Status)
			}
		})
		t.Run("size", func(t *testing.T) {
			oak.deal("elm.localhost", func(p *peers.Policy) { p.MaxBytes = 2000 })
			if res := elm.say(bo, oak, elm.note(bo, strings.Repeat("x", 3000))); res.Status != http.StatusRequestEntityTooLarge {
				t.Errorf("answered %d", res.Status)
			}
			if res := elm.say(bo, oak, elm.note(bo, "small")); res.Status != 202 {
				t.Errorf("answered %d", res.Status)
			}
		})
	})
}

// TestHeldExpires has what nobody looked at go, with its record, and no more of a
// peer wait than may.
func TestHeldExpires(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.still("oak.localhost"), r.still("elm.localhost")
		oak.allow("elm.localhost")
		var bo community.Account
		oak.write(func(tx *store.Tx) (err error) {
			uri := elm.site.Actor(7)
			bo, err = community.UpsertRemote(tx, community.RemoteAccount{Account: community.Account{Username: "bo", Host: "elm.localhost", URI: &uri, Inbox: uri + "/inbox"}})
			return err
		})
		keep := func(name string) {
			oak.write(func(tx *store.Tx) error {
				return community.KeepWaiting(tx, community.HeldItem{Peer: "elm.localhost", Host: "elm.localhost", AccountID: bo.ID, Kind: community.HeldPost, Type: "Create",
					ActivityID: name, ObjectURI: name, Why: "all", Body: []byte("x"), Said: community.HeldSaid{HTML: name}})
			})
		}
		for i := range community.MaxHeld + 3 {
			keep("https://elm.localhost/" + time.Duration(i).String())
		}
		if n := oak.count("SELECT COUNT(*) FROM held_items WHERE decision = ''"); n != community.MaxHeld {
			t.Errorf("%d wait", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM held_items WHERE decision = 'expired' AND said = '{}'"); n != 3 {
			t.Errorf("%d went", n)
		}
		oak.exec("UPDATE held_items SET id = id - ?", (community.KeepHeld+time.Hour).Milliseconds()<<16)
		oak.write(func(tx *store.Tx) error { _, err := community.SweepHeld(tx); return err })
		if n := oak.count("SELECT COUNT(*) FROM held_items WHERE decision = ''"); n != 0 || oak.count("SELECT COUNT(*) FROM peers WHERE holding") != 0 {
			t.Errorf("%d wait still", n)
		}
	})
}

// TestHeldLeaksNowhere holds a post with all that a post can have, and looks for
// its words in every table: but for the list of what waits no door could show
// them, since they stand nowhere.
func TestHeldLeaksNowhere(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, ash := r.start("oak.localhost"), r.start("elm.localhost"), r.start("ash.localhost")
		r.befriend()
		amira, bo, cai := oak.person("amira"), elm.person("bo"), ash.person("cai")
		oak.follow(amira, "@bo@elm.localhost")
		oak.follow(amira, "@cai@ash.localhost")
		ash.follow(cai, "@bo@elm.localhost")
		elm.seen("@amira@oak.localhost")
		ours := oak.publish(amira, community.Draft{Source: "Answer me"})
		elm.seen("@amira@oak.localhost")
		oak.deal("elm.localhost", func(p *peers.Policy) { p.Hold = peers.HoldAll })
		const word = "quetzalcoatlus"
		d := elm.note(bo, "leak")
		object := d["object"].(doc)
		me := oak.site.Actor(amira.ID)
		for k, v := range (doc{"content": "<p>" + word + " <a href=\"https://" + word + ".example/\">x</a></p>", "summary": word, "inReplyTo": ours.IRI(oak.site),
			"to": []string{"https://www.w3.org/ns/activitystreams#Public"}, "cc": []string{me},
			"tag":        []doc{{"type": "Mention", "href": me, "name": "@amira@oak.localhost"}, {"type": "Hashtag", "name": "#" + word}},
			"attachment": []doc{{"type": "Image", "mediaType": "image/png", "url": elm.site.URL("/" + word + ".png"), "name": word}}}) {
			object[k] = v
		}
		elm.say(bo, oak, d)
		r.settle()
		if w := oak.waiting(); len(w) != 1 || w[0].Kind != community.HeldReply || len(w[0].Said.Pictures) != 1 || len(w[0].Said.Links) == 0 {
			t.Fatalf("waiting %+v", w)
		}
		update := doc{"@context": d["@context"], "id": elm.site.URL("/test/update"), "type": "Update", "actor": d["actor"], "object": object}
		object["updated"] = time.Now().UTC().Add(time.Second).Format(time.RFC3339)
		elm.say(bo, oak, update)
		// Somebody else passes it on, answers it and quotes it.
		uri := elm.site.URL("/test/leak")
		actor := ash.site.Actor(cai.ID)
		ash.say(cai, oak, doc{"@context": d["@context"], "id": ash.site.URL("/test/boost"), "type": "Announce", "actor": actor, "object": uri, "to": object["to"]})
		answer := ash.note(cai, "answer")
		answer["object"].(doc)["inReplyTo"] = uri
		ash.say(cai, oak, answer)
		quote := ash.note(cai, "quote")
		quote["object"].(doc)["quote"] = uri
		ash.say(cai, oak, quote)
		r.settle()
		var tables []string
		oak.read(func(tx *store.Tx) error {
			if tx.Dialect() == store.SQLite {
				return tx.Raw("SELECT name FROM sqlite_master WHERE type = 'table'").Scan(&tables).Error
			}
			return tx.Raw("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()").Scan(&tables).Error
		})
		if len(tables) < 50 {
			t.Fatalf("tables: %v", tables)
		}
		found := map[string]int{}
		for _, table := range tables {
			var rows []map[string]any
			oak.read(func(tx *store.Tx) error { return tx.Table(table).Find(&rows).Error })
			for _, row := range rows {
				for _, v := range row {
					said := ""
					switch v := v.(type) {
					case string:
						said = v
					case []byte:
						said = string(v)
					}
					if strings.Contains(said, word) {
						found[table]++
					}
				}
			}
		}
		if found["held_items"] == 0 {
			t.Errorf("it does not even wait")
		}
		delete(found, "held_items")
		if len(found) > 0 {
			t.Errorf("what waits stands elsewhere, too: %v", found)
		}
		if n := oak.count("SELECT COUNT(*) FROM notifications WHERE account_id = ? AND from_id IN (SELECT id FROM accounts WHERE host = 'elm.localhost')", amira.ID); n != 0 {
			t.Errorf("%d notifications", n)
		}
		if n := oak.count("SELECT replies_count FROM posts WHERE id = ?", ours.ID); n != 0 {
			t.Errorf("it is counted: %d", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM ghosts WHERE uri = ?", uri); n != 0 {
			t.Errorf("a thread says that it is missing")
		}
		oak.pass(oak.waiting()[0].ID)
		if n := oak.count("SELECT replies_count FROM posts WHERE id = ?", ours.ID); n != 1 {
			t.Errorf("once it has landed it is counted: %d", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM posts WHERE in_reply_to_uri = ? AND in_reply_to_id IS NOT NULL", uri); n != 1 {
			t.Errorf("the answer does not hang under it")
		}
	})
}

// TestSilencedPeer keeps a silenced peer's people out of all that is shared, and
// nowhere else.
func TestSilencedPeer(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, dana, bo := oak.person("amira"), oak.person("dana"), elm.person("bo")
		elm.exec("UPDATE accounts SET discoverable = TRUE WHERE id = ?", bo.ID)
		oak.follow(amira, "@bo@elm.localhost")
		oak.exec("UPDATE accounts SET discoverable = TRUE WHERE username = 'bo'")
		said := elm.publish(bo, community.Draft{Source: "About #phonics"})
		id := oak.copyOf(said, elm).ID
		v := community.Viewer{ID: dana.ID, Local: true}
		shared := func() map[string]bool {
			in := map[string]bool{}
			oak.read(func(tx *store.Tx) error {
				has := func(name string, posts []community.Post, err error) {
					if err != nil {
						t.Fatal(err)
					}
					in[name] = slices.ContainsFunc(posts, func(p community.Post) bool { return p.ID == id })
				}
				posts, err := community.ConnectedTimeline(tx, v, store.Page{})
				has("network", posts, err)
				posts, err = community.PublicTimeline(tx, community.Guest, community.Anywhere, store.Page{})
				has("public", posts, err)
				posts, err = community.TagTimeline(tx, v, "phonics", store.Page{})
				has("tag", posts, err)
				posts, err = community.TagsTimeline(tx, v, "phonics", community.TagChoice{}, store.Page{})
				has("tags", posts, err)
				p, err := community.PostByID(tx, id)
				if err != nil {
					return err
				}
				for _, kind := range []community.FeedKind{community.FeedPublic, community.FeedElsewhere, community.FeedTag} {
					if in["stream "+string(kind)], err = community.Holds(tx, p, community.Feed{Kind: kind, Reader: dana.ID, Tag: "phonics"}); err != nil {
						return err
					}
				}
				tags, err := community.FindTags(tx, v, "phon", 10, 0)
				in["tag search"] = len(tags) > 0
				if err != nil {
					return err
				}
				days, err := community.DaysOf(tx, "phonics")
				in["trends"] = days[0].Uses > 0
				if err != nil {
					return err
				}
				people, err := community.Directory(tx, dana.ID, community.Elsewhere, "", store.Page{})
				in["directory"] = len(people) > 0
				if err != nil {
					return err
				}
				list, err := community.Suggestions(tx, dana.ID, 40)
				in["suggestions"] = slices.ContainsFunc(list, func(s community.Suggestion) bool { return s.AccountID == p.AuthorID })
				return err
			})
			return in
		}
		want := func(expected bool) {
			t.Helper()
			for deadline := time.Now().Add(30 * time.Second); oak.count("SELECT COUNT(*) FROM hosts WHERE silenced") == 1 == expected; {
				if time.Now().After(deadline) {
					t.Fatal("the accounts are not marked")
				}
				r.settle()
			}
			for name, is := range shared() {
				if is != expected {
					t.Errorf("%s: %v, want %v", name, is, expected)
				}
			}
			if home := oak.home(amira); len(home) == 0 {
				t.Errorf("a follower does not see it")
			}
			oak.read(func(tx *store.Tx) error {
				_, err := community.VisiblePost(tx, id, v)
				return err
			})
		}
		want(true)
		oak.deal("elm.localhost", func(p *peers.Policy) { p.Silenced = true })
		want(false)
		cai := elm.person("cai") // first seen while it is
		if a := oak.seen("@cai@elm.localhost"); !a.Silenced {
			t.Errorf("%s is not marked", cai.Username)
		}
		oak.deal("elm.localhost", func(*peers.Policy) {})
		want(true)
	})
}

// TestReportsApart has a server's reports stand apart or be refused, and sends it
// none where that was decided.
func TestReportsApart(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, mo, bo := oak.person("amira"), oak.moderator("mo"), elm.person("bo")
		flag := func(name string) int {
			res := elm.say(bo, oak, doc{"@context": "https://www.w3.org/ns/activitystreams", "id": elm.site.URL("/test/flag/" + name), "type": "Flag", "actor": elm.site.Actor(bo.ID),
				"object": oak.site.Actor(amira.ID), "content": name})
			r.settle()
			return res.Status
		}
		lists := func() (open, apart, told int) {
			oak.read(func(tx *store.Tx) error {
				a, err := community.Reports(tx, mo, true, false)
				if err != nil {
					return err
				}
				b, err := community.Reports(tx, mo, true, true)
				open, apart = len(a), len(b)
				return err
			})
			return open, apart, oak.count("SELECT COUNT(*) FROM notifications WHERE account_id = ? AND kind = 'report'", mo.ID)
		}
		flag("one")
		oak.deal("elm.localhost", func(p *peers.Policy) { p.ReportsIn = peers.ReportsApart })
		flag("two")
		if open, apart, told := lists(); open != 1 || apart != 1 || told != 1 {
			t.Errorf("%d open, %d apart, told of %d", open, apart, told)
		}
		oak.deal("elm.localhost", func(p *peers.Policy) { p.ReportsIn = peers.ReportsRefuse })
		if status := flag("three"); status != http.StatusForbidden {
			t.Errorf("answered %d", status)
		}
		if open, apart, _ := lists(); open != 1 || apart != 1 {
			t.Errorf("%d open, %d apart", open, apart)
		}
		there := oak.seen("@bo@elm.localhost")
		var id int64
		oak.write(func(tx *store.Tx) error {
			rep, err := community.MakeReport(tx, amira, community.ReportDraft{TargetID: there.ID, Category: community.ReportSpam, Comment: "look"})
			id = rep.ID
			return err
		})
		oak.deal("elm.localhost", func(p *peers.Policy) { p.ReportsOut = peers.ReportsNever })
		if err := oak.db.Write(t.Context(), func(tx *store.Tx) error { return community.ForwardReport(tx, mo, id, "look") }); fault.Of(err).Key != "report.never" {
			t.Errorf("forwarded: %v", err)
		}
		oak.deal("elm.localhost", func(*peers.Policy) {})
		oak.write(func(tx *store.Tx) error { return community.ForwardReport(tx, mo, id, "look") })
		r.settle()
		if n := elm.count("SELECT COUNT(*) FROM reports"); n != 1 {
			t.Errorf("%d reports arrived", n)
		}
	})
}

// What its author does not want everybody to see any more is taken from them at
// once, though its new words wait.
func TestHeldEditNarrowsAtOnce(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		bo := elm.person("bo")
		elm.say(bo, oak, elm.note(bo, "plan"))
		r.settle()
		uri := elm.site.URL("/test/plan")
		seen := func() (audience community.Audience, words string, found bool) {
			oak.read(func(tx *store.Tx) error {
				p, err := community.PostByURI(tx, uri)
				if err != nil {
					return err
				}
				audience, words = p.Audience, p.HTML
				_, err = community.VisiblePost(tx, p.ID, community.Guest)
				if found = err == nil; fault.Is(err, fault.NotFound) {
					err = nil
				}
				return err
			})
			return audience, words, found
		}
		if _, _, found := seen(); !found {
			t.Fatal("nobody sees it before")
		}
		oak.deal("elm.localhost", func(p *peers.Policy) { p.Hold = peers.HoldAll })
		edit := func(id, words string, to ...string) {
			t.Helper()
			d := elm.note(bo, "plan")
			d["id"], d["type"], d["to"] = elm.site.URL("/test/update/"+id), "Update", to
			o := d["object"].(doc)
			o["content"], o["to"], o["updated"] = "<p>"+words+"</p>", to, time.Now().UTC().Format(time.RFC3339Nano)
			elm.say(bo, oak, d)
			r.settle()
		}
		edit("1", "for friends", elm.site.Actor(bo.ID)+"/followers")
		if audience, words, found := seen(); found || audience != community.Followers || !strings.Contains(words, "plan") || len(oak.waiting()) != 1 {
			t.Errorf("narrowed: %s %q, a guest sees it: %v; %d wait", audience, words, found, len(oak.waiting()))
		}
		edit("2", "for all", "https://www.w3.org/ns/activitystreams#Public")
		if audience, _, found := seen(); found || audience != community.Followers {
			t.Errorf("widened again: %s, a guest sees it: %v", audience, found)
		}
		oak.pass(oak.waiting()[0].ID)
		if audience, words, found := seen(); found || audience != community.Followers || !strings.Contains(words, "for all") {
			t.Errorf("passed: %s %q, a guest sees it: %v", audience, words, found)
		}
	})
}

// What was looked up and had to wait is news for as many as if it had not: for
// nobody, once it is old.
func TestPassedWhatWasFoundIsNoNews(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		named, bo := oak.person("named"), elm.person("bo")
		oak.seen("@bo@elm.localhost")
		oak.deal("elm.localhost", func(p *peers.Policy) { p.Hold = peers.HoldAll })
		x := elm.foreign()
		x.says(bo, "old", "", doc{"published": time.Now().Add(-7 * time.Hour).UTC().Format(time.RFC3339Nano),
			"tag": []doc{{"type": "Mention", "href": oak.site.Actor(named.ID)}}, "cc": []string{oak.site.Actor(named.ID)}})
		if _, err := oak.ResolvePost(t.Context(), x.url("old")); fault.Of(err).Key != "federation.held" {
			t.Fatalf("looked up: %v", err)
		}
		oak.pass(oak.waiting()[0].ID)
		if n := oak.count("SELECT COUNT(*) FROM posts WHERE uri = ?", x.url("old")); n != 1 {
			t.Fatalf("%d landed", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM notifications WHERE account_id = ?", named.ID); n != 0 {
			t.Errorf("who is named is told of it %d times", n)
		}
	})
}
