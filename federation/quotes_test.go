package federation

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// view is a post as somebody on a server is shown it.
func (n *server) view(me community.Account, p community.Post) community.View {
	n.t.Helper()
	var v community.View
	n.read(func(tx *store.Tx) error {
		viewer, err := community.ViewerOf(tx, me.ID)
		if err != nil {
			return err
		}
		if p, err = community.VisiblePost(tx, p.ID, viewer); err != nil {
			return err
		}
		v, err = community.LoadOne(tx, viewer, p)
		return err
	})
	return v
}

// wantQuote fails unless a post quotes in this state, and shows the quoted one or not.
func (n *server) wantQuote(me community.Account, p community.Post, state community.QuoteState, shown bool) {
	n.t.Helper()
	v := n.view(me, p)
	if v.QuoteState != state || (v.Quoted != nil) != shown || v.QuoteURI == "" {
		n.t.Errorf("%s: the quote of %q is %q and shown: %v; want %q, %v", n.host, v.QuoteURI, v.QuoteState, v.Quoted != nil, state, shown)
	}
}

// A follower's quote is let in at once, is shown on three servers, and is gone
// from all when the quoted author takes it back.
//
// FEP-044f.
func TestQuotesBetweenServers(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, ash := r.start("oak.localhost"), r.start("elm.localhost"), r.start("ash.localhost")
		r.befriend()
		amira, bo, cy := oak.person("amira"), elm.person("bo"), ash.person("cy")
		elm.follow(bo, "@amira@oak.localhost")
		ash.follow(cy, "@bo@elm.localhost")
		p := oak.publish(amira, community.Draft{Source: "Exit tickets work."})
		quoted := elm.copyOf(p, oak)
		q := elm.publish(bo, community.Draft{Source: "So true.", QuoteID: quoted.ID})
		elm.wantQuote(bo, q, community.QuoteAccepted, true)
		oak.wantQuote(amira, oak.copyOf(q, elm), community.QuoteAccepted, true)
		ash.wantQuote(cy, ash.copyOf(q, elm), community.QuoteAccepted, true)
		if got := ash.view(cy, ash.copyOf(q, elm)); got.Quoted.HTML != p.HTML || got.EditedAt != nil {
			t.Errorf("ash shows %q in the quote, edited %v", got.Quoted.HTML, got.EditedAt)
		}
		if n := oak.count("SELECT COUNT(*) FROM notifications WHERE kind = 'quote' AND account_id = ?", amira.ID); n != 1 {
			t.Errorf("amira was told of the quote %d times", n)
		}
		if got := oak.view(amira, p); got.QuotesCount != 1 {
			t.Errorf("the post is quoted %d times", got.QuotesCount)
		}

		oak.write(func(tx *store.Tx) error {
			_, err := community.RevokeQuote(tx, amira, oak.inTx(tx, q, elm).ID)
			return err
		})
		r.settle()
		elm.wantQuote(bo, q, community.QuoteRevoked, false)
		oak.wantQuote(amira, oak.copyOf(q, elm), community.QuoteRevoked, false)
		ash.wantQuote(cy, ash.copyOf(q, elm), community.QuotePending, false)
		// Neither asking again nor saying it again brings it back.
		elm.exec("UPDATE posts SET quote_state = 'pending' WHERE id = ?", q.ID)
		elm.write(func(tx *store.Tx) error {
			_, err := community.Edit(tx, bo, q.ID, community.Draft{Source: "So very true."})
			return err
		})
		r.settle()
		oak.wantQuote(amira, oak.copyOf(q, elm), community.QuoteRevoked, false)
		ash.wantQuote(cy, ash.copyOf(q, elm), community.QuotePending, false)
	})
}

func (n *server) inTx(tx *store.Tx, p community.Post, from *server) community.Post {
	got, err := community.PostByURI(tx, p.IRI(from.site))
	if err != nil {
		n.t.Fatal(err)
	}
	return got
}

// Whoever does not follow, is blocked, or quotes what is not public, is refused.
func TestQuotesThatAreRefused(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo, cy := oak.person("amira"), elm.person("bo"), elm.person("cy")
		elm.follow(bo, "@amira@oak.localhost")
		p := oak.publish(amira, community.Draft{Source: "Exit tickets work."})
		followers := oak.publish(amira, community.Draft{Source: "For followers", Audience: community.Followers})
		school := oak.publish(amira, community.Draft{Source: "For the school", Audience: community.School})
		q := elm.publish(cy, community.Draft{Source: "I do not follow.", QuoteID: elm.copyOf(p, oak).ID})
		elm.wantQuote(cy, q, community.QuoteRejected, false)
		err := elm.db.Write(context.Background(), func(tx *store.Tx) error {
			_, err := community.Publish(tx, bo, community.Draft{Kind: community.Note, Audience: community.Public, Source: "Listen!", QuoteID: elm.inTx(tx, followers, oak).ID})
			return err
		})
		if err == nil {
			t.Error("a post for followers can be quoted")
		}

		// A server that asks all the same, for what it was given and for what it was not.
		ask := func(as community.Account, name, target string) {
			t.Helper()
			res := elm.say(as, oak, doc{"@context": "https://www.w3.org/ns/activitystreams", "id": elm.site.URL("/test/ask/" + name), "type": "QuoteRequest",
				"actor": elm.site.Actor(as.ID), "object": target, "instrument": elm.site.URL("/test/quoting/" + name)})
			r.settle()
			if res.Status != http.StatusAccepted {
				t.Errorf("%s: answered %d", name, res.Status)
			}
		}
		answers := func() string {
			var verbs []string
			oak.read(func(tx *store.Tx) error {
				return tx.Raw("SELECT verb FROM outgoing WHERE verb LIKE '%Quote' ORDER BY id").Scan(&verbs).Error
			})
			return strings.Join(verbs, " ")
		}
		if got := answers(); got != "RejectQuote" {
			t.Fatalf("the stranger was answered %q", got)
		}
		ask(bo, "followers-only", oak.site.Post(followers.ID))
		ask(cy, "not-given", oak.site.Post(school.ID))
		ask(cy, "not-there", oak.site.Post(4242))
		if got := answers(); got != "RejectQuote RejectQuote" {
			t.Errorf("answered %q; what somebody was not given is not there for them", got)
		}
		if n := oak.count("SELECT COUNT(*) FROM quote_approvals"); n != 0 {
			t.Errorf("refusals leave %d rows", n)
		}
		for i := range 25 {
			ask(bo, fmt.Sprint("again-", i), oak.site.Post(p.ID))
		}
		if n := oak.count("SELECT COUNT(*) FROM quote_approvals"); n != 20 {
			t.Errorf("one account may quote one post %d times", n)
		}
		oak.exec("DELETE FROM quote_approvals")
		oak.write(func(tx *store.Tx) error {
			a, err := community.AccountByURI(tx, elm.site.Actor(bo.ID))
			if err != nil {
				return err
			}
			return community.Block(tx, amira, a)
		})
		r.settle()
		ask(bo, "blocked", oak.site.Post(p.ID))
		if got := oak.count("SELECT COUNT(*) FROM quote_approvals WHERE state = 'accepted'"); got != 0 {
			t.Errorf("%d quotes of somebody who is blocked are accepted (%s)", got, answers())
		}
	})
}

// A stamp counts only if it is the quoted author's own and names both posts.
//
// FEP-044f, "Verification"; FEP-fe34.
func TestForgedStampsShowNothing(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, ash := r.start("oak.localhost"), r.start("elm.localhost"), r.start("ash.localhost")
		r.befriend()
		amira, bo, cy := oak.person("amira"), elm.person("bo"), ash.person("cy")
		ash.follow(cy, "@bo@elm.localhost")
		p := oak.publish(amira, community.Draft{Source: "Exit tickets work."})
		other := oak.publish(amira, community.Draft{Source: "Another post."})
		stamps := map[string]doc{}
		serve := func(w http.ResponseWriter, r *http.Request) bool {
			d, ok := stamps[r.URL.Path]
			if ok {
				w.Header().Set("Content-Type", activityJSON)
				w.Write(encodeDoc(t, d))
			}
			return ok
		}
		elm.tap, oak.tap = serve, serve
		for i, tt := range []struct {
			name  string
			at    *server
			stamp func(d doc, quoting string)
			want  community.QuoteState
		}{
			{"a true one", oak, func(doc, string) {}, community.QuoteAccepted},
			{"of the quoting server", elm, func(doc, string) {}, community.QuotePending},
			{"for another quoting post", oak, func(d doc, q string) { d["interactingObject"] = q + "0" }, community.QuotePending},
			{"for another quoted post", oak, func(d doc, q string) { d["interactionTarget"] = oak.site.Post(other.ID) }, community.QuotePending},
			{"in another's name", oak, func(d doc, q string) { d["attributedTo"] = elm.site.Actor(bo.ID) }, community.QuotePending},
			{"of another kind", oak, func(d doc, q string) { d["type"] = "Note" }, community.QuotePending},
			{"under another address", oak, func(d doc, q string) { d["id"] = oak.site.URL("/stamps/elsewhere") }, community.QuotePending},
		} {
			name := fmt.Sprintf("quote-%d", i)
			note := elm.note(bo, name)
			object := note["object"].(doc)
			path := "/stamps/" + name
			stamp := doc{"@context": "https://www.w3.org/ns/activitystreams", "id": tt.at.site.URL(path), "type": "QuoteAuthorization", "attributedTo": oak.site.Actor(amira.ID),
				"interactingObject": object["id"], "interactionTarget": oak.site.Post(p.ID)}
			tt.stamp(stamp, object["id"].(string))
			stamps[path] = stamp
			object["quote"], object["quoteAuthorization"] = oak.site.Post(p.ID), tt.at.site.URL(path)
			if res := elm.say(bo, ash, note); res.Status != http.StatusAccepted {
				t.Fatalf("%s: answered %d", tt.name, res.Status)
			}
			r.settle()
			var got community.Post
			ash.read(func(tx *store.Tx) (err error) {
				got, err = community.PostByURI(tx, object["id"].(string))
				return err
			})
			if got.QuoteState != tt.want || (ash.view(cy, got).Quoted != nil) != (tt.want == community.QuoteAccepted) {
				t.Errorf("%s: the quote is %q", tt.name, got.QuoteState)
			}
		}
	})
}

// What a post quotes is looked up though the quoted server fails at first, and
// though this one ends in the middle of it.
func TestQuoteLookupsOutliveFailures(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, ash := r.start("oak.localhost"), r.start("elm.localhost"), r.start("ash.localhost")
		r.befriend()
		amira, bo, cy := oak.person("amira"), elm.person("bo"), ash.person("cy")
		ash.follow(cy, "@bo@elm.localhost")
		p := oak.publish(amira, community.Draft{Source: "Exit tickets work."})
		note := elm.note(bo, "quoting")
		object := note["object"].(doc)
		address := oak.site.URL("/stamps/1")
		object["quote"], object["quoteAuthorization"] = oak.site.Post(p.ID), address
		stamp := encodeDoc(t, doc{"@context": "https://www.w3.org/ns/activitystreams", "id": address, "type": "QuoteAuthorization", "attributedTo": oak.site.Actor(amira.ID),
			"interactingObject": object["id"], "interactionTarget": oak.site.Post(p.ID)})
		var asked atomic.Int32
		second, release := make(chan struct{}), make(chan struct{})
		oak.tap = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/stamps/1" {
				return false
			}
			switch asked.Add(1) {
			case 1:
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			case 2:
				close(second)
				<-release
			}
			w.Header().Set("Content-Type", activityJSON)
			w.Write(stamp)
			return true
		}
		if res := elm.say(bo, ash, note); res.Status != http.StatusAccepted {
			t.Fatalf("answered %d", res.Status)
		}
		<-second
		if n := ash.count("SELECT COUNT(*) FROM quote_lookups WHERE tries = 1"); n != 1 {
			t.Errorf("%d look-ups wait on disk while one is going on", n)
		}
		ash.stop()
		close(release)
		quote := func() (p community.Post) {
			ash.read(func(tx *store.Tx) (err error) {
				p, err = community.PostByURI(tx, object["id"].(string))
				return err
			})
			return p
		}
		ash.wantQuote(cy, quote(), community.QuotePending, false)
		ash.run()
		r.settle()
		ash.wantQuote(cy, quote(), community.QuoteAccepted, true)
		if n := ash.count("SELECT COUNT(*) FROM quote_lookups"); n != 0 || asked.Load() != 3 {
			t.Errorf("%d look-ups are left, and the stamp was asked for %d times", n, asked.Load())
		}
	})
}

// One account's quotes do not fill the queue, and an edit begins a look-up anew.
func TestQuoteLookupsAreBounded(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.still("oak.localhost"), r.still("elm.localhost")
		oak.allow(elm.host)
		elm.allow(oak.host)
		elm.person("bo")
		bo := oak.seen("@bo@elm.localhost")
		oak.write(func(tx *store.Tx) error {
			for i := range 60 {
				p, _, err := community.Receive(tx, community.RemotePost{URI: elm.site.URL(fmt.Sprint("/n/", i)), Author: bo, Kind: community.Note, Audience: community.Public,
					HTML: "<p>x</p>", QuoteURI: "http://ash.localhost/n/1", Published: tx.Now})
				if err != nil {
					return err
				}
				if err := community.AwaitQuote(tx, p); err != nil {
					return err
				}
			}
			return nil
		})
		if n := oak.count("SELECT COUNT(*) FROM quote_lookups"); n != 50 {
			t.Errorf("%d look-ups of one account wait, want 50", n)
		}
		oak.write(func(tx *store.Tx) error {
			got, err := community.ClaimQuoteLookups(tx, tx.Now.Add(time.Minute), 1)
			if err != nil || len(got) != 1 {
				return fmt.Errorf("claimed %v (%v)", got, err)
			}
			if again, err := community.ClaimQuoteLookups(tx, tx.Now.Add(time.Minute), 60); err != nil || len(again) != 49 {
				return fmt.Errorf("claimed %d more (%v)", len(again), err)
			}
			p, err := community.PostByID(tx, got[0].PostID)
			if err != nil {
				return err
			}
			if err := tx.Exec("DELETE FROM quote_lookups WHERE post_id <> ?", p.ID).Error; err != nil {
				return err
			}
			if err := community.AwaitQuote(tx, p); err != nil { // its stamp came meanwhile
				return err
			}
			return community.EndQuoteLookup(tx, got[0])
		})
		if n := oak.count("SELECT COUNT(*) FROM quote_lookups"); n != 1 {
			t.Errorf("%d look-ups wait after one began anew, want 1", n)
		}
	})
}

// A quote shows nobody what they may not see, on any wire or page.
func TestQuotesKeepTheQuotedPostsAudience(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, dee, bo := oak.person("amira"), oak.person("dee"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		secret := oak.publish(amira, community.Draft{Source: "The secret word is xyzzy", Audience: community.School})
		// The author may quote it for the school alone, and it stays there.
		q := oak.publish(amira, community.Draft{Source: "As I said.", Audience: community.School, QuoteID: secret.ID})
		oak.wantQuote(dee, q, community.QuoteAccepted, true)
		if err := oak.db.Write(context.Background(), func(tx *store.Tx) error {
			_, err := community.Publish(tx, amira, community.Draft{Kind: community.Note, Audience: community.Public, Source: "All!", QuoteID: secret.ID})
			return err
		}); err == nil {
			t.Error("a post for the school can be quoted for everybody")
		}
		if err := oak.db.Write(context.Background(), func(tx *store.Tx) error {
			_, err := community.Publish(tx, dee, community.Draft{Kind: community.Note, Audience: community.School, Source: "She said", QuoteID: secret.ID})
			return err
		}); err == nil {
			t.Error("a post for the school can be quoted by somebody else")
		}
		// A stamp is there for those who may see the quoted post.
		p := oak.publish(amira, community.Draft{Source: "For everybody"})
		elm.publish(bo, community.Draft{Source: "Yes.", QuoteID: elm.copyOf(p, oak).ID})
		var id int64
		oak.read(func(tx *store.Tx) error { return tx.Raw("SELECT id FROM quote_approvals").Scan(&id).Error })
		if res := elm.ask(bo, oak.site.QuoteApproval(id)); res.Status != http.StatusOK || !bytes.Contains(res.Body, []byte(`"QuoteAuthorization"`)) {
			t.Errorf("the stamp is answered %d %s", res.Status, res.Body)
		}
		oak.exec("UPDATE posts SET audience = 'school' WHERE id = ?", p.ID)
		if res := elm.ask(bo, oak.site.QuoteApproval(id)); res.Status != http.StatusNotFound {
			t.Errorf("the stamp of a post that is not for elm is answered %d", res.Status)
		}
		if res := elm.ask(bo, oak.site.QuoteApproval(id+1)); res.Status != http.StatusNotFound {
			t.Errorf("a stamp that is not there is answered %d", res.Status)
		}
		if n := elm.count("SELECT COUNT(*) FROM posts WHERE html LIKE '%xyzzy%'"); n != 0 {
			t.Error("elm has the secret")
		}
	})
}

// What we say about quotes is what FEP-044f and older software look for.
func TestQuotesOnTheWire(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		p := oak.publish(amira, community.Draft{Source: "Exit tickets work."})
		q := elm.publish(bo, community.Draft{Source: "So true.", QuoteID: elm.copyOf(p, oak).ID})
		address := oak.site.Post(p.ID)
		document := decodeDoc(t, oak.ask(amira, elm.site.Post(q.ID)).Body)
		if document["quote"] != address || document["quoteUri"] != address || document["_misskey_quote"] != address || document["quoteAuthorization"] == nil {
			t.Errorf("a quote is told as %v", document)
		}
		if content := fmt.Sprint(document["content"]); !strings.Contains(content, `<p class="quote-inline">RE: <a href="`+address) || strings.Contains(q.HTML, "RE:") {
			t.Errorf("those who know no quotes read %q", content)
		}
		var request, accept []byte
		elm.read(func(tx *store.Tx) error {
			return tx.Raw("SELECT body FROM outgoing WHERE verb = 'QuoteRequest'").Row().Scan(&request)
		})
		oak.read(func(tx *store.Tx) error {
			return tx.Raw("SELECT body FROM outgoing WHERE verb = 'AcceptQuote'").Row().Scan(&accept)
		})
		asked, said := decodeDoc(t, request), decodeDoc(t, accept)
		instrument, _ := asked["instrument"].(map[string]any)
		if asked["type"] != "QuoteRequest" || asked["object"] != address || instrument["id"] != elm.site.Post(q.ID) || asked["actor"] != elm.site.Actor(bo.ID) {
			t.Errorf("leave is asked for with %v", asked)
		}
		inner, _ := said["object"].(map[string]any)
		if said["type"] != "Accept" || inner["id"] != asked["id"] || inner["type"] != "QuoteRequest" || inner["instrument"] != elm.site.Post(q.ID) || said["result"] != document["quoteAuthorization"] {
			t.Errorf("leave is given with %v", said)
		}
	})
}

// Reactions count as thanks, are shown with what they were given with, and can
// be taken back.
//
// FEP-c0e0 (emoji reactions); FEP-9098 (custom emoji).
func TestReactions(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira := oak.person("amira")
		p := oak.publish(amira, community.Draft{Source: "Exit tickets work."})
		private := oak.publish(amira, community.Draft{Source: "For followers", Audience: community.Followers})
		for i, tt := range []struct {
			name     string
			activity doc
			want     string
		}{
			{"Pleroma", doc{"type": "EmojiReact", "content": "🎉"}, "🎉"},
			{"a family", doc{"type": "EmojiReact", "content": "👨‍👩‍👧‍👦"}, "👨‍👩‍👧‍👦"},
			{"Misskey", doc{"type": "Like", "_misskey_reaction": "❤️"}, "❤️"},
			{"one of its own", doc{"type": "EmojiReact", "content": ":blobcat:", "tag": []doc{{"type": "Emoji", "name": ":blobcat:", "icon": doc{"type": "Image", "url": elm.site.URL("/blobcat.png")}}}}, ":blobcat:"},
			{"Mastodon", doc{"type": "Like"}, ""},
			{"words", doc{"type": "Like", "content": "<b>hello</b>"}, ""},
			{"an essay of pictures", doc{"type": "EmojiReact", "content": strings.Repeat("🎉", 400)}, ""},
		} {
			bo := elm.person(fmt.Sprintf("bo%d", i))
			id := elm.site.URL(fmt.Sprintf("/test/react/%d", i))
			for key, value := range map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": id, "actor": elm.site.Actor(bo.ID), "object": oak.site.Post(p.ID)} {
				tt.activity[key] = value
			}
			elm.say(bo, oak, tt.activity)
			r.settle()
			var got []string
			oak.read(func(tx *store.Tx) error { return tx.Raw("SELECT emoji FROM likes WHERE uri = ?", id).Scan(&got).Error })
			if len(got) != 1 || got[0] != tt.want {
				t.Errorf("%s: stored as %q, want %q", tt.name, got, tt.want)
			}
			// Of another reaction that came second, the end changes nothing.
			undo := func(what string) {
				inner := doc{}
				for key, value := range tt.activity {
					inner[key] = value
				}
				inner["id"] = what
				elm.say(bo, oak, doc{"@context": "https://www.w3.org/ns/activitystreams", "id": what + "/undo", "type": "Undo", "actor": elm.site.Actor(bo.ID), "object": inner})
				r.settle()
			}
			if tt.activity["type"] == "EmojiReact" {
				undo(id + "/other")
				if n := oak.count("SELECT COUNT(*) FROM likes WHERE uri = ?", id); n != 1 {
					t.Errorf("%s: the end of another reaction took it back", tt.name)
				}
			}
			undo(id)
			if n := oak.count("SELECT COUNT(*) FROM likes WHERE uri = ?", id); n != 0 {
				t.Errorf("%s: it cannot be taken back", tt.name)
			}
			tt.activity["id"], tt.activity["object"] = id+"/private", oak.site.Post(private.ID)
			elm.say(bo, oak, tt.activity)
			r.settle()
		}
		if n := oak.count("SELECT COUNT(*) FROM likes"); n != 0 {
			t.Errorf("%d reactions to a post that was not given to whoever reacts", n)
		}
		if oak.view(amira, p).LikesCount != 0 {
			t.Error("the figures do not follow")
		}
	})
}
