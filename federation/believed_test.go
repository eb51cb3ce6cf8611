package federation

import (
	"net/http"
	"testing"

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
