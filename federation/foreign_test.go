package federation

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// What others publish besides text lands with what it says of itself, and what
// is not taken leaves its reason.
//
// FEP-8a8e (events); FEP-9098 (custom emoji).
func TestForeignThingsLand(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		bo, amira := elm.person("bo"), oak.person("amira")
		actor := elm.site.Actor(bo.ID)
		at := func(name string) string { return elm.site.URL("/test/" + name) }
		say := func(verb, name string, object doc) {
			t.Helper()
			if object["attributedTo"] == nil {
				object["attributedTo"] = actor
			}
			if object["id"] == nil {
				object["id"] = at(name)
			}
			if res := elm.say(bo, oak, doc{"id": at(verb + "/" + name), "type": verb, "actor": actor, "to": public, "object": object}); res.Status != http.StatusAccepted {
				t.Fatalf("%s: answered %d: %s", name, res.Status, res.Body)
			}
			r.settle()
		}
		landed := func(name string) (p community.Post) {
			t.Helper()
			oak.read(func(tx *store.Tx) (err error) {
				p, err = community.PostByURI(tx, at(name))
				return err
			})
			return p
		}

		walk := doc{"type": "Event", "name": "Walk :owl:", "content": "<p>We walk.</p>", "startTime": "2026-12-03T15:45:00+13:00", "timezone": "Pacific/Auckland",
			"ical:status": "CONFIRMED", "location": doc{"type": "Place", "name": "Library"}, "to": public, "published": "2026-11-20T04:10:00Z",
			"tag": []doc{{"type": "Emoji", "name": ":owl:", "icon": doc{"type": "Image", "url": at("owl.png")}}, {"type": "Emoji", "name": ":cat:", "icon": doc{"url": at("cat.png")}}}}
		say("Create", "walk", walk)
		p := landed("walk")
		if p.Kind != community.Discussion || p.Audience != community.Public || p.Extra == nil || p.Extra.Type != "Event" || p.Extra.Event.Places[0].Name != "Library" ||
			!p.Extra.Event.Start.Equal(time.Date(2026, 12, 3, 2, 45, 0, 0, time.UTC)) || len(p.Extra.Emoji) != 1 || p.Extra.Emoji[0].Name != "owl" {
			t.Errorf("the event landed as %+v, %+v", p, p.Extra)
		}
		walk["ical:status"], walk["updated"] = "CANCELLED", time.Now().UTC().Format(time.RFC3339)
		say("Update", "walk", walk)
		if p := landed("walk"); p.Extra == nil || !p.Extra.Event.Cancelled || p.EditedAt == nil {
			t.Errorf("the event is not cancelled: %+v", p.Extra)
		}

		// A conversation between two stays one, whatever it is addressed to.
		say("Create", "chat", doc{"type": "ChatMessage", "content": "Hi", "to": []string{oak.site.Actor(amira.ID), public}})
		if p := landed("chat"); p.Audience != community.People {
			t.Errorf("a chat message is for %s", p.Audience)
		}
		// W3C ActivityPub, section 6: blind copies say nothing about the audience.
		say("Create", "blind", doc{"type": "Note", "content": "Hi", "to": oak.site.Actor(amira.ID), "bto": public, "bcc": []string{public}})
		if p := landed("blind"); p.Audience != community.People {
			t.Errorf("a note with blind copies is for %s", p.Audience)
		}
		say("Create", "quote", doc{"type": "Note", "content": "<p>So true</p>", "to": public, "quoteUrl": "https://oak.localhost/o/1",
			"replies": doc{"type": "Collection", "id": at("quote/replies")}})
		if p := landed("quote"); p.QuoteURI != "https://oak.localhost/o/1" || p.RepliesURI != at("quote/replies") {
			t.Errorf("a quote landed as %q with replies at %q", p.QuoteURI, p.RepliesURI)
		}
		say("Create", "elsewhere", doc{"type": "Page", "name": "On reading", "content": "Worth it", "url": "https://essays.test/slow", "to": public})
		if p := landed("elsewhere"); p.URL != "" || p.Extra == nil || p.Extra.Link != "https://essays.test/slow" {
			t.Errorf("a page about another: %q, %+v", p.URL, p.Extra)
		}

		for name, refused := range map[string]struct {
			object doc
			why    string
		}{
			"place":  {doc{"type": "Place", "name": "Hall"}, reasonNoPost},
			"empty":  {doc{"type": "Note", "content": "", "to": public}, reasonEmpty},
			"theirs": {doc{"type": "Note", "content": "x", "id": "https://oak.localhost/o/9"}, reasonForeign},
			"lost":   {doc{"type": "Note", "content": "x", "id": 7}, reasonIncomplete},
		} {
			say("Create", name, refused.object)
			var why string
			oak.read(func(tx *store.Tx) error {
				return tx.Raw("SELECT error FROM incoming WHERE activity_id = ?", at("Create/"+name)).Scan(&why).Error
			})
			if !strings.HasPrefix(why, refused.why) {
				t.Errorf("%s: kept the reason %q, want %s", name, why, refused.why)
			}
		}
	})
}
