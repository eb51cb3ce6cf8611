package federation

import (
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

func TestFollowAndRead(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		if n := elm.count("SELECT COUNT(*) FROM follows WHERE state = 'accepted'"); n != 1 {
			t.Fatalf("bo's follow was not accepted: %d", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM follows WHERE state = 'accepted'"); n != 1 {
			t.Fatalf("amira has no follower: %d", n)
		}
		oak.publish(amira, community.Draft{Source: "Exit tickets in five minutes"})
		home := elm.home(bo)
		if len(home) != 1 || !strings.Contains(home[0].HTML, "Exit tickets") {
			t.Fatalf("bo reads %+v", home)
		}
		// and back: a reply, a like, a boost
		copied := home[0]
		bo2 := bo
		elm.publish(bo2, community.Draft{Kind: community.Reply, Source: "Tried it today", InReplyToID: copied.ID})
		elm.write(func(tx *store.Tx) error {
			if _, err := community.Like(tx, bo, copied.ID); err != nil {
				return err
			}
			_, err := community.BoostPost(tx, bo, copied.ID)
			return err
		})
		r.settle()
		if n := oak.count("SELECT COUNT(*) FROM notifications"); n < 4 { // follow, reply, like, boost
			t.Errorf("amira has %d notifications", n)
		}
	})
}
