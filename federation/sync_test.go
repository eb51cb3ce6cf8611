package federation

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// FEP-8fcf: two servers that were made to disagree about who follows agree
// again with the next closed post.
func TestFollowersAreSynchronized(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		ash := r.start("ash.localhost")
		r.befriend()
		amira := oak.person("amira")
		bo, cy, dee := elm.person("bo"), elm.person("cy"), elm.person("dee")
		eve := ash.person("eve")
		for _, who := range []community.Account{bo, cy} {
			elm.follow(who, "@amira@oak.localhost")
		}
		ash.follow(eve, "@amira@oak.localhost")
		var headers []string
		elm.tap = func(_ http.ResponseWriter, req *http.Request) bool {
			if h := req.Header.Get(synchronization); h != "" {
				headers = append(headers, h)
			}
			return false
		}
		oak.publish(amira, community.Draft{Source: "For everyone", Audience: community.Public})
		if len(headers) != 0 {
			t.Errorf("a public post told of followers: %q", headers)
		}
		oak.publish(amira, community.Draft{Source: "All agree", Audience: community.Followers})
		if len(headers) != 1 || !strings.Contains(headers[0], oak.site.Followers(amira.ID)) {
			t.Fatalf("headers %q", headers)
		}
		state := func() (there, here []string) {
			there, here = followersOn(oak, amira, "elm.localhost"), nil
			elm.read(func(tx *store.Tx) error {
				target, err := community.AccountByURI(tx, oak.site.Actor(amira.ID))
				if err != nil {
					return err
				}
				return tx.Raw(`SELECT a.username FROM follows f JOIN accounts a ON a.id = f.follower_id
					WHERE f.target_id = ? AND f.state = 'accepted' ORDER BY a.username`, target.ID).Scan(&here).Error
			})
			return there, here
		}
		// oak forgets cy, and believes that dee follows; elm knows otherwise
		oak.write(func(tx *store.Tx) error {
			return tx.Exec("DELETE FROM follows WHERE follower_id = (SELECT id FROM accounts WHERE uri = ?)", elm.site.Actor(cy.ID)).Error
		})
		remote := oak.seen("@dee@elm.localhost")
		oak.write(func(tx *store.Tx) error { return community.ReceiveFollow(tx, remote, amira, elm.site.Follow(17)) })
		r.settle()
		if there, here := state(); !slices.Equal(there, []string{"bo", "dee"}) || !slices.Equal(here, []string{"bo", "cy"}) {
			t.Fatalf("before: %q there, %q here", there, here)
		}
		oak.publish(amira, community.Draft{Source: "They differ", Audience: community.Network})
		if there, here := state(); !slices.Equal(there, []string{"bo"}) || !slices.Equal(here, []string{"bo"}) {
			t.Errorf("after: %q there, %q here", there, here)
		}
		_ = dee
		if n := elm.count("SELECT following FROM account_counts WHERE account_id = ?", cy.ID); n != 0 {
			t.Errorf("cy follows %d", n)
		}
		if n := oak.count("SELECT followers FROM account_counts WHERE account_id = ?", amira.ID); n != 3 { // bo, eve, and cy, whom the test took out behind the figures
			t.Errorf("amira has %d followers", n)
		}
	})
}

func followersOn(n *server, of community.Account, host string) (names []string) {
	n.t.Helper()
	n.read(func(tx *store.Tx) error {
		return tx.Raw(`SELECT a.username FROM follows f JOIN accounts a ON a.id = f.follower_id
			WHERE f.target_id = ? AND f.state = 'accepted' AND a.host = ? ORDER BY a.username`, of.ID, host).Scan(&names).Error
	})
	return names
}

// A server is told of its own people, and of nobody else's.
func TestFollowersAreToldToTheirOwnServer(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, ash := r.start("oak.localhost"), r.start("elm.localhost"), r.start("ash.localhost")
		r.befriend()
		amira, bo, eve := oak.person("amira"), elm.person("bo"), ash.person("eve")
		elm.follow(bo, "@amira@oak.localhost")
		ash.follow(eve, "@amira@oak.localhost")
		list := oak.site.FollowersSynchronization(amira.ID)
		for asker, want := range map[*server][2]string{elm: {elm.site.Actor(bo.ID), ash.site.Actor(eve.ID)}, ash: {ash.site.Actor(eve.ID), elm.site.Actor(bo.ID)}} {
			res := asker.ask(community.Account{}, list)
			if res.Status != http.StatusOK || !strings.Contains(string(res.Body), want[0]) || strings.Contains(string(res.Body), want[1]) {
				t.Errorf("%s was told %d %s", asker.host, res.Status, res.Body)
			}
		}
		oak.write(func(tx *store.Tx) error { return tx.Exec("UPDATE site SET mode = 'open'").Error })
		res, err := http.Get("http://" + r.at["oak.localhost"].String() + strings.TrimPrefix(list, oak.site.Base()))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("an unsigned request: %d", res.StatusCode)
		}
	})
}

// What does not come from the author's own server, or is no such header, makes
// us ask nobody.
func TestForgedSynchronization(t *testing.T) {
	digest := strings.Repeat("ab", 32)
	tests := []struct {
		name, header string
		ok           bool
	}{
		{"as Mastodon writes it", `collectionId="https://elm.test/u/1/followers", digest="` + digest + `", url="https://elm.test/u/1/sync"`, true},
		{"without quotes, another order", "url=https://elm.test/u/1/sync,collectionId=https://elm.test/u/1/followers,digest=" + digest, true},
		{"no digest", `collectionId="https://elm.test/u/1/followers", url="https://elm.test/u/1/sync"`, false},
		{"a short digest", `collectionId="https://elm.test/u/1/followers", digest="abc", url="https://elm.test/u/1/sync"`, false},
		{"no digest at all but words", `collectionId="a", digest="` + strings.Repeat("x", 64) + `", url="b"`, false},
		{"nothing", "", false},
		{"too much", `collectionId="` + strings.Repeat("a", 10_000) + `", digest="` + digest + `", url="b"`, false},
	}
	for _, tt := range tests {
		if _, ok := readSynchronization(tt.header); ok != tt.ok {
			t.Errorf("%s: %v, want %v", tt.name, ok, tt.ok)
		}
	}
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, mallory, bo := oak.person("amira"), oak.person("mallory"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		var asked int
		oak.tap = func(_ http.ResponseWriter, req *http.Request) bool {
			if strings.HasSuffix(req.URL.Path, "followers_synchronization") {
				asked++
			}
			return false
		}
		empty := `", digest="` + community.NoFollowers + `", url="`
		for name, header := range map[string]string{
			"of another":    `collectionId="` + oak.site.Followers(amira.ID) + empty + oak.site.FollowersSynchronization(amira.ID) + `"`,
			"at a stranger": `collectionId="` + oak.site.Followers(mallory.ID) + empty + "http://ash.localhost/list" + `"`,
		} {
			res := oak.say(mallory, elm, oak.note(mallory, strings.ReplaceAll(name, " ", "-")), func(req *http.Request) { req.Header.Set(synchronization, header) })
			if res.Status != http.StatusAccepted {
				t.Errorf("%s: %d", name, res.Status)
			}
			r.settle()
		}
		if asked != 0 || elm.count("SELECT COUNT(*) FROM follows WHERE state = 'accepted'") != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}
