package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// holds has something of somebody wait.
func (o *office) holds(by community.Account, name string, said community.HeldSaid) (id int64) {
	o.t.Helper()
	uri := "https://" + by.Host + "/posts/" + name
	o.write(func(tx *store.Tx) error {
		err := community.KeepWaiting(tx, community.HeldItem{Peer: by.Host, Host: by.Host, AccountID: by.ID, Kind: community.HeldPost, Type: "Create",
			ActivityID: uri + "/create", ObjectURI: uri, Why: string(peers.HoldAll), Body: []byte("{}"), Said: said})
		if err != nil {
			return err
		}
		return tx.Raw("SELECT id FROM held_items WHERE object_uri = ?", uri).Scan(&id).Error
	})
	return id
}

func (o *office) heldOffice() (bo, cai community.Account, first, second int64) {
	o.t.Helper()
	for _, host := range []string{"elm.test", "ash.test"} {
		policy := peers.FullPolicy(peers.CeilingNetwork)
		policy.Hold = peers.HoldAll
		o.write(func(tx *store.Tx) error {
			_, err := peers.Allow(tx, 0, host, peers.Entry{Policy: &policy})
			return err
		})
	}
	bo, cai = o.remote("elm.test", "bo"), o.remote("ash.test", "cai")
	first = o.holds(bo, "1", community.HeldSaid{HTML: "<p>We tried <strong>retrieval grids</strong> in Year 3, and the quiet ones spoke first. See <a href=\"https://shop.example/grids\">the grids</a>.</p>",
		Audience: community.Public, Links: []string{"https://shop.example/grids"}, Pictures: []community.HeldPicture{{URL: "https://elm.test/grid.png", Alt: "A grid with six words"}}})
	second = o.holds(cai, "2", community.HeldSaid{Warning: "a long argument", HTML: "<p>What I think of homework</p>", Audience: community.People})
	return bo, cai, first, second
}

// TestHeldPages goes through the pages about what waits as a moderator does.
func TestHeldPages(t *testing.T) {
	o := openOffice(t)
	bo, cai, first, second := o.heldOffice()
	at := func(id int64) string { return heldAt + "/" + digits(id) }

	for role, want := range map[community.Role]int{community.Owner: 200, community.Moderator: 200, community.ITAdmin: 403, community.Member: 403, community.Placement: 403} {
		for _, path := range []string{heldAt, at(first), at(first) + "/drop", heldAt + "/of/elm.test/drop"} {
			if rec := o.do(role, path, nil); rec.Code != want {
				t.Errorf("%s for %s: %d, want %d", path, role, rec.Code, want)
			}
		}
		if want == 403 {
			for _, path := range []string{at(first) + "/pass", at(first) + "/author", at(first) + "/drop", heldAt + "/of/elm.test/pass", heldAt + "/of/elm.test/drop"} {
				if rec := o.do(role, path, url.Values{}); rec.Code != 403 {
					t.Errorf("%s sends %s: %d", role, path, rec.Code)
				}
			}
		}
	}
	body := o.sees(community.Moderator, heldAt, "retrieval grids in Year 3", "a long argument", `<span class="tab-count">2</span>`, "elm.test", "ash.test")
	if strings.Contains(body, "What I think") || strings.Contains(body, "<img src=\"/admin") {
		t.Errorf("what stands behind a warning, or a picture, is shown without a click")
	}
	o.sees(community.Moderator, "/admin", "2 posts wait for review")
	if body := o.sees(community.Moderator, heldAt+"?server=elm.test", "retrieval grids", "Let all of elm.test pass"); strings.Contains(body, "a long argument") {
		t.Errorf("the filter by server lets others through")
	}
	if body := o.sees(community.Moderator, heldAt+"?author="+digits(cai.ID), "a long argument"); strings.Contains(body, "retrieval grids") {
		t.Errorf("the filter by author lets others through")
	}
	o.sees(community.Moderator, at(first), "<strong>retrieval grids</strong>", "https://shop.example/grids", "Show 1 picture", "A grid with six words", "Let bo pass from now on")

	o.leads(community.Moderator, at(first)+"/pass", url.Values{}, heldAt)
	o.leads(community.Moderator, at(first)+"/pass", url.Values{}, heldAt) // pressed twice
	var queued int
	o.write(func(tx *store.Tx) error {
		return tx.Raw("SELECT COUNT(*) FROM incoming WHERE held <> 0").Scan(&queued).Error
	})
	if queued != 1 {
		t.Errorf("%d are on their way", queued)
	}
	o.sees(community.Moderator, at(second)+"/drop", "Drop what cai wrote?", "The author is not told.")
	o.leads(community.Moderator, at(second)+"/drop", url.Values{"reason": {"Not for school"}}, heldAt)
	o.sees(community.Moderator, heldAt, "Nothing waits")
	o.sees(community.Moderator, heldAt+"?show=decided", "Not for school", "Dropped", "Let pass")
	if rec := o.do(community.Moderator, at(second)+"/picture/0", nil); rec.Code != 404 {
		t.Errorf("a picture of what was dropped: %d", rec.Code)
	}

	o.holds(bo, "3", community.HeldSaid{HTML: "<p>three</p>"})
	id := o.holds(bo, "4", community.HeldSaid{HTML: "<p>four</p>"})
	o.leads(community.Owner, at(id)+"/author", url.Values{}, heldAt)
	o.write(func(tx *store.Tx) error {
		known, err := community.HeldAuthors(tx, []int64{bo.ID})
		if !known[bo.ID].Passes {
			t.Errorf("bo does not pass from now on")
		}
		return err
	})
	o.sees(community.Moderator, heldAt, "Nothing waits")
	o.holds(cai, "5", community.HeldSaid{HTML: "<p>five</p>"})
	o.leads(community.Moderator, heldAt+"/of/ash.test/drop", url.Values{}, heldAt)
	o.holds(cai, "6", community.HeldSaid{HTML: "<p>six</p>"})
	o.write(func(tx *store.Tx) error {
		_, err := peers.Allow(tx, 0, "ash.test", peers.Entry{})
		return err
	})
	o.sees(community.Moderator, heldAt, "six", "ash.test is not looked at first any more")
}

// TestHeldLook opens the pages about what waits in a browser.
func TestHeldLook(t *testing.T) {
	shots, axe := os.Getenv("CHALKRING_LOOK"), os.Getenv("CHALKRING_AXE")
	browser := browserOrSkip(t)
	o := openOffice(t)
	_, _, first, _ := o.heldOffice()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, c := range o.cookies[community.Owner] {
			r.AddCookie(c)
		}
		o.handler.ServeHTTP(w, r)
	}))
	defer srv.Close()
	ctx, stop := openBrowser(t, browser)
	defer stop()
	for name, path := range map[string]string{"held": heldAt, "held-one": heldAt + "/" + digits(first), "held-drop": heldAt + "/" + digits(first) + "/drop"} {
		for _, width := range []int64{360, 1280} {
			t.Run(fmt.Sprintf("%s-%d", name, width), func(t *testing.T) { look(t, ctx, srv.URL+path, width, shots, axe) })
		}
	}
}

// TestHeldOffers offers what waits of a server only once nothing of it is held
// any more, whatever it is that holds.
func TestHeldOffers(t *testing.T) {
	o := openOffice(t)
	bo, _, _, _ := o.heldOffice()
	o.holds(bo, "3", community.HeldSaid{HTML: "<p>three</p>"})
	for _, tt := range []struct {
		hold  peers.Hold
		media peers.MediaPolicy
		offer bool
	}{{peers.HoldAll, peers.MediaProxy, false}, {peers.HoldNone, peers.MediaHold, false}, {peers.HoldNone, peers.MediaProxy, true}} {
		o.write(func(tx *store.Tx) error {
			_, err := peers.Edit(tx, 0, "elm.test", "", func(e *peers.Entry) error {
				e.Policy.Hold, e.Policy.Media = tt.hold, tt.media
				return nil
			})
			return err
		})
		body := o.sees(community.Moderator, heldAt)
		if got := strings.Contains(body, "elm.test is not looked at first any more"); got != tt.offer {
			t.Errorf("hold %s, media %s: offered %v", tt.hold, tt.media, got)
		}
	}
}
