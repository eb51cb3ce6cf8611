package web

import (
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

func (c *classroom) says(author community.Account, audience community.Audience, title string) {
	c.t.Helper()
	c.write(func(tx *store.Tx) error {
		_, err := community.Publish(tx, author, community.Draft{Kind: community.Discussion, Audience: audience, Title: title, Source: "words", Language: "en"})
		return err
	})
}

// stranger makes an account of another server known.
func (c *classroom) stranger(name, host string, discoverable bool) (a community.Account) {
	c.t.Helper()
	c.write(func(tx *store.Tx) (err error) {
		uri := "https://" + host + "/users/" + name
		a, err = community.UpsertRemote(tx, community.RemoteAccount{Account: community.Account{Username: name, Host: host, URI: &uri, ActorType: "Person",
			Inbox: uri + "/inbox", Discoverable: discoverable}})
		return err
	})
	return a
}

func TestProfilesShowWhatIsForTheReader(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		ana, author := c.teacher("ana", community.Member)
		bo, colleague := c.teacher("bo", community.Member)
		_, enemy := c.teacher("eve", community.Member)
		for audience, title := range map[community.Audience]string{community.Public: "PUBLIC", community.Network: "NETWORK", community.School: "SCHOOL",
			community.Followers: "FOLLOWERS", community.Me: "MINE"} {
			c.says(ana, audience, title)
		}
		answers(t, "a guest", c.guest().get("/@ana"), 200, "PUBLIC", "!NETWORK", "!SCHOOL", "!FOLLOWERS", "!MINE", `content="noindex"`, "!/accounts/")
		answers(t, "a guest with replies", c.guest().get("/@ana?show=replies"), 200, "!NETWORK", "!SCHOOL", "!FOLLOWERS")
		answers(t, "a colleague", colleague.get("/@ana"), 200, "PUBLIC", "NETWORK", "SCHOOL", "!FOLLOWERS", "!MINE", "/follow")
		answers(t, "herself", author.get("/@ana"), 200, "FOLLOWERS", "MINE", "/settings/profile", "/@ana/followers")
		answers(t, "another spelling", colleague.get("/@Ana"), 303, "/@ana")
		answers(t, "with the host", colleague.get("/@ana@oak.test"), 303, "/@ana")
		answers(t, "nobody", c.guest().get("/@nobody"), 404)

		follow := "/accounts/" + digits(ana.ID) + "/follow"
		answers(t, "follow", colleague.post(follow), 303, "/@ana")
		answers(t, "a follower", colleague.get("/@ana"), 200, "FOLLOWERS", "Following", "You follow Ana.")
		answers(t, "who follows her, for herself", author.get("/@ana/followers"), 200, "/@bo", "/remove-follower")
		answers(t, "and for nobody else", colleague.get("/@ana/followers"), 403, "!eve")

		answers(t, "blocking is asked about first", author.get("/accounts/"+digits(bo.ID)+"/block"), 200, "stops following you")
		answers(t, "block", author.post("/accounts/"+digits(bo.ID)+"/block"), 303, "/@bo")
		answers(t, "who is blocked", colleague.get("/@ana"), 200, "!PUBLIC", "!SCHOOL", "!/follow\"")
		answers(t, "cannot follow", colleague.post(follow), 403)
		answers(t, "and does not see her in the list", colleague.get("/people"), 200, "!/@ana", "/@eve")
		answers(t, "the list of those blocked", author.get("/settings/blocked"), 200, "/@bo", "/unblock")

		answers(t, "mute", enemy.post("/accounts/"+digits(ana.ID)+"/mute"), 303)
		answers(t, "the list of those muted", enemy.get("/settings/blocked"), 200, "/@ana", "/unmute")
		answers(t, "oneself", author.post(follow), 422)

		c.write(func(tx *store.Tx) error { return community.Suspend(tx, 0, ana.ID, "a test") })
		answers(t, "suspended", c.guest().get("/@ana"), 410, "!PUBLIC")
	})
}

func TestFollowRequests(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		_, author := c.teacher("ana", community.Member)
		bo, asker := c.teacher("bo", community.Member)
		cy, other := c.teacher("cy", community.Member)
		answers(t, "nobody waits", author.get("/follow-requests"), 200, "Everyone may follow you")
		answers(t, "ask first", author.post("/settings/profile", "locked", "on"), 303)
		ana := func() community.Account {
			var a community.Account
			c.write(func(tx *store.Tx) (err error) {
				a, err = community.AccountByHandle(tx, "ana", "")
				return err
			})
			return a
		}()
		answers(t, "asks", asker.post("/accounts/"+digits(ana.ID)+"/follow"), 303)
		answers(t, "is told to wait", asker.get("/@ana"), 200, "has been asked", "Asked to follow")
		answers(t, "another asks", other.post("/accounts/"+digits(ana.ID)+"/follow"), 303)
		answers(t, "both wait", author.get("/follow-requests"), 200, "/@bo", "/@cy")
		answers(t, "and can be answered where it is told", author.get("/notifications"), 200,
			`action="/accounts/`+digits(bo.ID)+`/accept"`, `action="/accounts/`+digits(cy.ID)+`/reject"`)
		answers(t, "yes", author.post("/accounts/"+digits(bo.ID)+"/accept"), 303)
		answers(t, "no", author.post("/accounts/"+digits(cy.ID)+"/reject"), 303)
		answers(t, "nobody waits any more", author.get("/follow-requests"), 200, "!/@bo", "!/@cy")
		answers(t, "nor is there anything to answer", author.get("/notifications"), 200, "/@bo", "!/accept", "!/reject", "!/@cy")
		answers(t, "one follows", asker.get("/people?show=following"), 200, "/@ana")
		answers(t, "the other does not", other.get("/people?show=following"), 200, "!/@ana")
		answers(t, "nothing to say yes to", author.post("/accounts/"+digits(cy.ID)+"/accept"), 404)
	})
}

func TestPeopleOfConnectedSchools(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		_, b := c.teacher("ana", community.Member)
		c.write(func(tx *store.Tx) error {
			for _, host := range []string{"elm.test", "former.test", "bad.test"} {
				if _, err := peers.Allow(tx, 0, host, peers.Entry{Label: "Elm School"}); err != nil {
					return err
				}
			}
			return nil
		})
		c.stranger("finn", "elm.test", true)
		c.stranger("shy", "elm.test", false)
		c.stranger("gone", "former.test", true)
		c.stranger("spam", "bad.test", true)
		c.write(func(tx *store.Tx) error {
			if _, err := peers.Block(tx, 0, "bad.test", peers.Entry{Reason: "a test"}); err != nil {
				return err
			}
			return peers.Remove(tx, 0, "former.test", "a test")
		})
		answers(t, "the list", b.get("/people?show=connected"), 200, "/@finn@elm.test", "Elm School", "!/@shy@", "!/@gone@", "!/@spam@")
		answers(t, "colleagues", b.get("/people"), 200, "!/@finn@")
		answers(t, "found by the beginning of the name", b.get("/search?q=fin"), 200, "/@finn@elm.test")
		answers(t, "not found by it", b.get("/search?q=sh"), 200, "!/@shy@")
		answers(t, "a profile", b.get("/@finn@elm.test"), 200, "Elm School", "https://elm.test/users/finn", `content="noindex"`)
		answers(t, "not for guests", c.guest().get("/@finn@elm.test"), 303, "/sign-in")
		answers(t, "a tag", b.get("/search?q=%23Maths"), 200, `href="/tags/maths"`)
		answers(t, "nothing", b.get("/search?q=zzz+zzz"), 200, "Nothing found")
		answers(t, "wildcards are letters", b.get("/search?q=%25"), 200, "!/@finn")
	})
}
