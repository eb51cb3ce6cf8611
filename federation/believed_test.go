package federation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/federation/sig"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// Whoever quotes somebody can name anything as the stamp that they were given,
// also a post of the quoted author's. Its end is the end of a post then.
//
// FEP-044f, "Revocation"; W3C ActivityPub, section 7.4.
func TestAPostNamedAsAStampCanBeDeleted(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, ash := r.start("oak.localhost"), r.start("elm.localhost"), r.start("ash.localhost")
		r.befriend()
		amira, bo, cy := oak.person("amira"), elm.person("bo"), ash.person("cy")
		ash.follow(cy, "@amira@oak.localhost")
		quoted := oak.publish(amira, community.Draft{Source: "Exit tickets work."})
		named := oak.publish(amira, community.Draft{Source: "This must go one day."})
		ash.copyOf(named, oak)
		note := elm.note(bo, "quote")
		object := note["object"].(doc)
		object["quote"], object["quoteAuthorization"] = oak.site.Post(quoted.ID), oak.site.Post(named.ID)
		if res := elm.say(bo, ash, note); res.Status != http.StatusAccepted {
			t.Fatalf("answered %d", res.Status)
		}
		r.settle()
		oak.write(func(tx *store.Tx) error { return community.Delete(tx, amira, named.ID) })
		r.settle()
		if there := ash.copyOf(named, oak); there.DeletedAt == nil {
			t.Error("the post is still there")
		}
	})
}

// A proof speaks for what was said lately: what somebody kept may have been
// taken back since, and is for its author's server to confirm.
//
// FEP-8b32; FEP-fe34.
func TestOldProofsAreNotBelieved(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
		r.befriend()
		bo, cy := elm.person("bo"), fir.person("cy")
		for name, age := range map[string]time.Duration{"new": time.Hour, "old": 2 * provenFor} {
			text, err := json.Marshal(elm.note(bo, name))
			if err != nil {
				t.Fatal(err)
			}
			if text, err = sig.Prove(text, elm.signersOf(bo).ed, time.Now().Add(-age)); err != nil {
				t.Fatal(err)
			}
			fir.say(cy, oak, text)
			r.settle()
			want := 0
			if age < provenFor {
				want = 1
			}
			if n := oak.count("SELECT COUNT(*) FROM posts WHERE html = ?", "<p>"+name+"</p>"); n != want {
				t.Errorf("oak has %d of the %s note, want %d", n, name, want)
			}
		}
	})
}

// That an account has gone is believed when its server says so, and not when
// the server knows nothing at all for a moment, whoever says it then.
//
// W3C ActivityPub, section 6.4 (410 Gone).
func TestAnAccountIsNotLostByAMissingPage(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
		r.befriend()
		bo, cy := elm.person("bo"), fir.person("cy")
		oak.seen("@bo@elm.localhost")
		oak.seen("@cy@fir.localhost") // with the key
		for i, status := range []int{http.StatusNotFound, http.StatusGone} {
			elm.tap = func(w http.ResponseWriter, req *http.Request) bool {
				if strings.HasPrefix(req.URL.Path, "/u/") {
					w.WriteHeader(status)
					return true
				}
				return false
			}
			fir.say(cy, oak, doc{"@context": "https://www.w3.org/ns/activitystreams", "id": elm.site.URL(fmt.Sprint("/test/gone/", i)), "type": "Delete",
				"actor": elm.site.Actor(bo.ID), "object": elm.site.Actor(bo.ID)})
			r.settle()
			if n := oak.count("SELECT COUNT(*) FROM accounts WHERE uri = ? AND deleted_at IS NOT NULL", elm.site.Actor(bo.ID)); n != i {
				t.Errorf("after %d from its server %d accounts are gone", status, n)
			}
		}
	})
}

// A stamp names what quotes: of a post of ours that is not for the asker, it
// says nothing.
//
// FEP-044f.
func TestStampsDoNotTellOfNarrowerQuotes(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, hal := oak.person("amira"), oak.person("hal")
		oak.follow(hal, "@amira")
		p := oak.publish(amira, community.Draft{Source: "Exit tickets work."})
		for audience, want := range map[community.Audience]int{community.Public: http.StatusOK, community.Followers: http.StatusNotFound, community.School: http.StatusNotFound} {
			q := oak.publish(hal, community.Draft{Source: "Indeed", Audience: audience, QuoteID: p.ID})
			stamp := oak.count("SELECT id FROM quote_approvals WHERE quote_uri = ?", oak.site.Post(q.ID))
			if res := elm.ask(community.Account{}, oak.site.QuoteApproval(int64(stamp))); stamp == 0 || res.Status != want {
				t.Errorf("the stamp %d of a quote for %q is answered %d, want %d", stamp, audience, res.Status, want)
			}
		}
	})
}
