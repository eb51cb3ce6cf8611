package federation

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// Whom the author of a post lets answer it, may; whoever else would write in
// vain is told so.
//
// GoToSocial's documentation, "Interaction Policy".
func TestReplyPolicies(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, follower, followed, named := oak.person("amira"), oak.person("follower"), oak.person("followed"), oak.person("named")
		bo := elm.person("bo")
		oak.follow(follower, "@bo@elm.localhost")
		elm.follow(bo, "@followed@oak.localhost")
		followers, following, me := elm.site.Followers(bo.ID), elm.site.Following(bo.ID), elm.site.Actor(bo.ID)
		type policy = map[string]any
		for i, tt := range []struct {
			name   string
			policy any
			want   string // of amira, follower, followed, named: taken, asks, refused
		}{
			{"none", nil, "taken taken taken taken"},
			{"of quotes alone", policy{"canQuote": policy{"automaticApproval": []string{me}}}, "taken taken taken taken"},
			{"everybody", policy{"canReply": policy{"automaticApproval": []string{as2.Public}}}, "taken taken taken taken"},
			{"nobody", policy{"canReply": policy{"automaticApproval": []string{me}}}, "refused refused refused taken"},
			{"followers, in the older words", policy{"canReply": policy{"always": []string{me, followers}}}, "refused taken refused taken"},
			{"those whom they follow, others are asked about", policy{"canReply": policy{"automaticApproval": []string{following}, "manualApproval": []string{as2.Public}}}, "asks asks taken taken"},
			{"a collection that only their server knows", policy{"canReply": policy{"automaticApproval": []string{elm.site.URL("/groups/maths/members")}}}, "taken taken taken taken"},
			{"one by one", policy{"canReply": policy{"automaticApproval": []string{oak.site.Actor(amira.ID)}, "manualApproval": []string{followers}}}, "taken asks refused taken"},
		} {
			name := fmt.Sprint("policy-", i)
			note := elm.note(bo, name)
			object := note["object"].(doc)
			object["tag"] = []doc{{"type": "Mention", "href": oak.site.Actor(named.ID)}}
			object["cc"] = []string{oak.site.Actor(named.ID)}
			if tt.policy != nil {
				object["interactionPolicy"] = tt.policy
			}
			if res := elm.say(bo, oak, note); res.Status != http.StatusAccepted {
				t.Fatalf("%s: answered %d", tt.name, res.Status)
			}
			r.settle()
			var got []string
			for _, who := range []community.Account{amira, follower, followed, named} {
				var post community.Post
				var standing community.ReplyStanding
				oak.read(func(tx *store.Tx) (err error) {
					if post, err = community.PostByURI(tx, object["id"].(string)); err == nil {
						standing, err = community.ReplyStandingOf(tx, who, post)
					}
					return err
				})
				got = append(got, map[community.ReplyStanding]string{community.ReplyTaken: "taken", community.ReplyAsks: "asks", community.ReplyRefused: "refused"}[standing])
				err := oak.db.Write(t.Context(), func(tx *store.Tx) error {
					_, err := community.Publish(tx, who, community.Draft{Kind: community.Reply, Audience: community.Public, Source: "A reply", InReplyToID: post.ID})
					return err
				})
				if refused := fault.Is(err, fault.Invalid); refused != (standing == community.ReplyRefused) || err != nil && !refused {
					t.Errorf("%s: what %s writes: %v", tt.name, who.Username, err)
				}
			}
			if words := strings.Join(got, " "); words != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, words, tt.want)
			}
		}
	})
}

// What a school writes for connected schools may be answered by them, whomever
// they follow.
func TestSchoolsAnswerWhatIsForThem(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		post := elm.publish(bo, community.Draft{Kind: community.Discussion, Title: "Reading", Source: "Which book next?", Audience: community.Network})
		r.settle()
		oak.write(func(tx *store.Tx) error {
			known, err := community.PostByURI(tx, elm.site.Post(post.ID))
			if err != nil {
				return err
			}
			_, err = community.Publish(tx, amira, community.Draft{Kind: community.Reply, Audience: community.Network, Source: "Holes!", InReplyToID: known.ID})
			return err
		})
	})
}
