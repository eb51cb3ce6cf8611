package federation

import (
	"encoding/json"
	"net/http"
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
