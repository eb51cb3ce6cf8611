package web

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// offered has a server ask to connect, after it was proven to be that server.
func (c *classroom) offered(host string) (r peers.Request) {
	c.t.Helper()
	c.write(func(tx *store.Tx) (err error) {
		at := "https://" + host
		r, _, err = peers.Receive(tx, peers.Offered{Kind: peers.ByOffer, Host: host, URI: at + fmt.Sprintf("/peering/%d", tx.NewID()), ActorURI: at + "/actor", Inbox: at + "/inbox",
			KeyHash: strings.Repeat("a", 64), Phrase: "one two three four five six", Name: "Elm & Ash <School>", Purpose: "Reading together"})
		return err
	})
	return r
}

// What happens about requests to connect is streamed to those who decide about
// them, in pieces of the page; nobody else hears of it.
func TestLiveRequests(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		head, desk := c.teacher("head", community.Owner)
		page, tab, one := desk.listen("requests"), desk.listen("asking"), desk.listen("peer:elm.test")
		asked := c.offered("elm.test")
		card := fmt.Sprintf("request-%d", asked.ID)
		heard := page("Reading together")
		for _, want := range []string{"event: part", `id="` + card + `"`, "one two three four five six", "Elm &amp; Ash &lt;School&gt; asks to connect.", `id="asking-count">1<`} {
			if !strings.Contains(heard, want) {
				t.Errorf("no %q in %s", want, heard)
			}
		}
		if heard := tab(`id="asking-count">1<`); strings.Contains(heard, "Elm") || !strings.Contains(heard, `id="decide-asking" data-told="One server asks to connect."`) {
			t.Errorf("a page that shows no request heard %s", heard)
		}
		ask := desk.listen(fmt.Sprintf("request:%d", asked.ID))
		c.write(func(tx *store.Tx) error {
			_, err := peers.Accept(tx, head.ID, asked.ID, peers.Acceptance{Preset: peers.PresetNetwork})
			return err
		})
		heard = page("Our answer is on its way.")
		if !strings.Contains(heard, `id="asking-count" hidden>0<`) || !strings.Contains(heard, "Nobody asks just now") || !strings.Contains(heard, `id="`+card+`"`) {
			t.Errorf("an accepted request: %s", heard)
		}
		if heard := ask(`id="request-end"`); !strings.Contains(heard, "Connected") || strings.Contains(heard, "<form") {
			t.Errorf("whoever is about to reject it heard %s", heard)
		}
		one("Elm &amp; Ash &lt;School&gt;: ")
		// blocked: what waited is closed, without a word to the other side
		c.offered("ash.test")
		page("Elm &amp; Ash &lt;School&gt; asks to connect.")
		c.write(func(tx *store.Tx) error {
			_, err := peers.Block(tx, head.ID, "ash.test", peers.Entry{Reason: "a test"})
			return err
		})
		page(`id="asking-count" hidden>0<`)
	})
}

func TestLiveRequestsAreForThoseWhoDecide(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		asked := c.offered("elm.test")
		head, _ := c.teacher("head", community.Owner)
		streams := []string{"asking", "requests", fmt.Sprintf("request:%d", asked.ID), "peer:elm.test"}
		for name, role := range map[string]community.Role{"ana": community.Member, "bo": community.Moderator, "cy": community.Placement} {
			_, b := c.teacher(name, role)
			for _, s := range streams {
				if w := b.get("/live?stream=" + s); w.Code != 403 || strings.Contains(w.Body.String(), "Elm") || strings.Contains(w.Body.String(), "event:") {
					t.Errorf("%s listens to %s: %d", role, s, w.Code)
				}
			}
		}
		for _, s := range streams {
			if w := c.guest().get("/live?stream=" + s); w.Code != 303 || strings.Contains(w.Body.String(), "Elm") {
				t.Errorf("a guest listens to %s: %d", s, w.Code)
			}
		}
		// whoever decides no more hears no more, on a page that is open
		tech, b := c.teacher("tech", community.ITAdmin)
		for _, s := range streams {
			lines := b.tune(s)
			for lines.Scan() && lines.Text() != "" { // what there is now, while they may
			}
			for lines.Scan() && lines.Text() != "" {
			}
			c.write(func(tx *store.Tx) error {
				return community.SetRole(tx, head.ID, tech.ID, community.Member, nil)
			})
			c.offered("fig.test")
			for lines.Scan() {
				t.Errorf("%s went on for a member: %s", s, lines.Text())
			}
			c.write(func(tx *store.Tx) error {
				return community.SetRole(tx, head.ID, tech.ID, community.ITAdmin, nil)
			})
			c.write(func(tx *store.Tx) error { return tx.Exec("DELETE FROM peer_offers").Error })
		}
	})
}
