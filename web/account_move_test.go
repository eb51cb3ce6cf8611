package web

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// hereOnly finds the people of one server.
type hereOnly struct {
	nowhere
	db *store.DB
}

func (h hereOnly) Fresh(ctx context.Context, handle string) (a community.Account, err error) {
	parsed, err := iri.ParseHandle(handle, false)
	if err != nil {
		return a, fault.Invalidf("q", "%v", err)
	}
	err = h.db.Read(ctx, func(tx *store.Tx) error {
		a, err = community.AccountByHandle(tx, parsed.Name, parsed.Host)
		return err
	})
	return a, err
}

// findsPeople has the pages find the people of this server.
func (c *classroom) findsPeople() {
	c.t.Helper()
	p, err := New(Deps{DB: c.db, Auth: c.auth, Lookup: hereOnly{db: c.db}, Log: slog.New(slog.NewTextHandler(c.t.Output(), nil)), Version: "test"})
	if err != nil {
		c.t.Fatal(err)
	}
	r := mux.NewRouter()
	p.Routes(r)
	c.pages = r
}

// Moving between two accounts of one server, on the settings pages.
func TestMoveOnThePages(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		c.findsPeople()
		old, at := c.teacher("amira", community.Member)
		now, there := c.teacher("amira2", community.Member)
		cy, _ := c.teacher("cy", community.Member)
		c.write(func(tx *store.Tx) error { _, err := community.Follow(tx, cy, old); return err })

		if w := at.get("/settings/moving"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Move my followers") {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w := at.post("/settings/move", "target", "@amira2", "password", "wrong"); w.Code != http.StatusUnprocessableEntity && w.Code != http.StatusBadRequest {
			t.Errorf("a wrong password: %d", w.Code)
		}
		if w := at.post("/settings/move", "target", "@amira2", "password", passphrase); !strings.Contains(w.Body.String(), "does not name this one") {
			t.Errorf("no alias: %d %s", w.Code, w.Body)
		}
		if w := at.post("/settings/move", "target", "@nobody@elm.test", "password", passphrase); w.Code == http.StatusSeeOther {
			t.Error("moved to nobody")
		}
		if w := there.post("/settings/aliases", "alias", "@amira2"); !strings.Contains(w.Body.String(), "This is your account here") {
			t.Errorf("oneself as an alias: %d", w.Code)
		}
		if w := there.post("/settings/aliases", "alias", "@amira"); w.Code != http.StatusSeeOther {
			t.Fatalf("an alias: %d %s", w.Code, w.Body)
		}
		if w := there.get("/settings/moving"); !strings.Contains(w.Body.String(), "@amira@oak.test") {
			t.Error("the alias is not listed")
		}
		if w := at.post("/settings/move", "target", "@amira2", "password", passphrase); w.Code != http.StatusSeeOther {
			t.Fatalf("the move: %d %s", w.Code, w.Body)
		}
		if w := c.guest().get("/@amira"); !strings.Contains(w.Body.String(), "Has moved to @amira2@oak.test") {
			t.Error("the page does not say where she is")
		}
		if w := at.post("/posts", "kind", "note", "audience", "public", "source", "Still here"); w.Code == http.StatusSeeOther {
			t.Error("who has moved writes")
		}
		if w := at.post("/settings/move/undo"); w.Code != http.StatusSeeOther {
			t.Errorf("taking it back: %d", w.Code)
		}
		if w := c.guest().get("/@amira"); strings.Contains(w.Body.String(), "Has moved") {
			t.Error("the page still says that she has moved")
		}
		if w := there.post("/settings/aliases/remove", "address", old.IRI(c.db.Site())); w.Code != http.StatusSeeOther {
			t.Errorf("%d", w.Code)
		}
		c.write(func(tx *store.Tx) error {
			a, err := community.AccountByID(tx, now.ID)
			if len(a.AlsoKnownAs) != 0 {
				t.Errorf("aliases %q", a.AlsoKnownAs)
			}
			return err
		})
	})
}

func TestLeaveOnThePages(t *testing.T) {
	eachClassroom(t, func(t *testing.T, c *classroom) {
		_, at := c.teacher("amira", community.Member)
		_, head := c.teacher("head", community.Owner)
		cy, _ := c.teacher("cy", community.Member)
		_, bo := c.teacher("bo", community.Member)
		if w := at.get("/settings/delete"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "cannot be undone") {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for name, form := range map[string][]string{"the wrong name": {"username", "amir", "password", passphrase}, "the wrong password": {"username", "amira", "password", "x"}} {
			if w := at.post("/settings/delete", form...); w.Code == http.StatusSeeOther {
				t.Errorf("%s was taken", name)
			}
		}
		if w := at.post("/settings/delete", "username", "@Amira", "password", passphrase); w.Code != http.StatusSeeOther {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w := at.get("/settings/profile"); w.Code != http.StatusSeeOther {
			t.Errorf("still signed in: %d", w.Code)
		}
		if w := c.guest().get("/@amira"); w.Code != http.StatusGone {
			t.Errorf("her page: %d", w.Code)
		}
		if _, _, err := c.auth.SignIn(t.Context(), auth.Credentials{Login: "amira", Password: passphrase, Address: "192.0.2.1"}); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("she signs in: %v", err)
		}
		// the only owner stays
		if w := head.post("/settings/delete", "username", "head", "password", passphrase); w.Code != http.StatusConflict {
			t.Errorf("the only owner leaves: %d", w.Code)
		}
		// an administrator deletes somebody, a member does not
		path := "/admin/people/" + digits(cy.ID) + "/delete"
		if w := bo.post(path, "username", "cy"); w.Code != http.StatusForbidden && w.Code != http.StatusNotFound {
			t.Errorf("a member deletes: %d", w.Code)
		}
		if w := head.get(path); w.Code != http.StatusOK {
			t.Errorf("%d", w.Code)
		}
		if w := head.post(path, "username", "bo"); w.Code == http.StatusSeeOther {
			t.Error("the wrong name was taken")
		}
		if w := head.post(path, "username", "cy", "reason", "moved abroad"); w.Code != http.StatusSeeOther {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := head.get("/admin/peers/audit"); w.Code == http.StatusOK && !strings.Contains(w.Body.String(), "Deleted @cy@oak.test") {
			t.Error("the log does not tell")
		}
	})
}
