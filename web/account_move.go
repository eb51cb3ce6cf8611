package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

func (p *Pages) moveRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodPost) }
	get("/settings/moving", p.members(p.moving))
	post("/settings/aliases", p.members(p.addAlias))
	post("/settings/aliases/remove", p.members(p.dropAlias))
	post("/settings/move", p.members(p.moveAway))
	post("/settings/move/undo", p.members(p.stayHere))
	get("/settings/delete", p.members(p.askLeave))
	post("/settings/delete", p.members(p.deleteMe))
}

// aliasRow is an account elsewhere that somebody names as theirs.
type aliasRow struct {
	Words string
	Drop  Action
}

// movingPage is where somebody says which other accounts are theirs, moves to
// one of them, or leaves for good.
type movingPage struct {
	Head    PageHead
	Tabs    *Tabs
	Moved   string // where to, if they have moved
	Stay    *Action
	Aliases []aliasRow
	Alias   formPage
	Move    *formPage
	Leave   Action
}

func (p *Pages) moving(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showMoving(h, w, r, nil, "")
}

// showMoving shows the page, with what is wrong with one of its forms.
func (p *Pages) showMoving(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error, form string) error {
	l := h.l
	known := map[string]string{}
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
		for _, address := range append(slices.Clone(h.me.AlsoKnownAs), h.me.MovedTo) {
			a, err := community.AccountByURI(tx, address)
			if err == nil {
				known[address] = a.Handle(p.site.Host)
			} else if !fault.Is(err, fault.NotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	called := func(address string) string {
		if known[address] != "" {
			return known[address]
		}
		return strings.TrimPrefix(address, "https://")
	}
	view := movingPage{Head: PageHead{Title: l.T("nav.settings")}, Tabs: settingsTabs(h, "/settings/moving"),
		Leave: Action{Words: l.T("erase.button"), Icon: "trash-2", URL: "/settings/delete", Danger: true}}
	for _, address := range h.me.AlsoKnownAs {
		view.Aliases = append(view.Aliases, aliasRow{Words: called(address), Drop: Action{Words: l.T("move.alias_drop"), Icon: "x", URL: "/settings/aliases/remove", Post: true,
			Fields: map[string]string{"address": address}}})
	}
	view.Alias = formPage{Action: "/settings/aliases", Submit: l.T("move.alias_add"), Parts: []formPart{{Title: l.T("move.from"), Hint: l.T("move.from_hint"), Fields: []FormField{
		{Name: "alias", Label: l.T("move.alias"), Hint: l.T("move.alias_hint"), Value: r.PostFormValue("alias"), Required: true, Code: true, Max: 500},
	}}}}
	if h.me.MovedTo != "" {
		view.Moved = called(h.me.MovedTo)
		view.Stay = &Action{Words: l.T("move.stay"), Icon: "history", URL: "/settings/move/undo", Post: true}
	} else {
		view.Move = &formPage{Action: "/settings/move", Submit: l.T("move.button"), Parts: []formPart{{Title: l.T("move.to"), Hint: l.T("move.to_hint"), Fields: []FormField{
			{Name: "target", Label: l.T("move.target"), Hint: l.T("move.target_hint", "Handle", h.me.Handle(p.site.Host)), Value: r.PostFormValue("target"), Required: true, Code: true, Max: 500},
			{Name: "password", Kind: "password", Label: l.T("settings.password_old"), Required: true, Autocomplete: "current-password"},
		}}}}
	}
	status := http.StatusOK
	if problem != nil {
		if status = problem.Kind.Status(); form == "alias" {
			view.Alias.blame(l, problem)
		} else if view.Move != nil {
			view.Move.blame(l, problem)
		}
	}
	return p.render(h, w, status, "moving", view.Head.Title, view)
}

// addressed finds the account that somebody named in a form, as its server
// tells it now. What went wrong is said beside the field.
func (p *Pages) addressed(r *http.Request, field string) (community.Account, error) {
	typed := strings.TrimSpace(r.PostFormValue(field))
	a, err := p.Lookup.Fresh(r.Context(), typed)
	switch f := fault.Of(err); {
	case err == nil, f.Kind == fault.Internal:
		return a, err
	case f.Key != "":
		return a, fault.Invalidf(field, "%s", f.Message).WithKey(f.Key, f.Args)
	}
	return a, fault.Invalidf(field, "There is no such account.").WithKey("account.none", nil)
}

func (p *Pages) addAlias(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	other, err := p.addressed(r, "alias")
	if err == nil {
		err = p.setAliases(h, r, func(have []string) []string {
			if address := other.IRI(p.site); !slices.Contains(have, address) {
				have = append(have, address)
			}
			return have
		})
	}
	if problem := mended(err); problem != nil {
		return p.showMoving(h, w, r, problem, "alias")
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.alias_added", "Handle", other.Handle(p.site.Host))
	return seeOther(w, r, "/settings/moving")
}

func (p *Pages) dropAlias(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	err := p.setAliases(h, r, func(have []string) []string {
		return slices.DeleteFunc(have, func(address string) bool { return address == r.PostFormValue("address") })
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.alias_dropped")
	return seeOther(w, r, "/settings/moving")
}

func (p *Pages) setAliases(h *here, r *http.Request, change func([]string) []string) error {
	return p.DB.Write(r.Context(), func(tx *store.Tx) error {
		me, err := community.AccountByID(tx, h.me.ID)
		if err != nil {
			return err
		}
		_, err = community.SetAliases(tx, me, change(slices.Clone(me.AlsoKnownAs)))
		return err
	})
}

// moveAway has the reader go on with another account, which must name this one
// as its own.
func (p *Pages) moveAway(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	err := p.Auth.Confirm(r.Context(), h.me.ID, r.PostFormValue("password"))
	var to community.Account
	if err == nil {
		to, err = p.addressed(r, "target")
	}
	if err == nil {
		err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
			me, err := community.AccountByID(tx, h.me.ID)
			if err == nil {
				_, err = community.MoveTo(tx, me, to)
			}
			return err
		})
	}
	if problem := mended(err); problem != nil {
		return p.showMoving(h, w, r, problem, "move")
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.moved", "Handle", to.Handle(p.site.Host))
	return seeOther(w, r, "/settings/moving")
}

func (p *Pages) stayHere(h *here, w http.ResponseWriter, r *http.Request) error {
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error {
		me, err := community.AccountByID(tx, h.me.ID)
		if err == nil {
			_, err = community.StayHere(tx, me)
		}
		return err
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.move_undone")
	return seeOther(w, r, "/settings/moving")
}

func (p *Pages) askLeave(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.confirmDelete(h, w, r, nil)
}

// leavingPage says what deleting one's account does, and asks for its name and
// the password.
type leavingPage struct {
	Errors  ErrorSummary
	Confirm ConfirmPanel
}

func (p *Pages) confirmDelete(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	l := h.l
	var counts map[int64]community.AccountCounts
	if err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		counts, err = community.CountsOf(tx, []int64{h.me.ID})
		return err
	}); err != nil {
		return err
	}
	n := counts[h.me.ID]
	view := leavingPage{Confirm: ConfirmPanel{Title: l.T("erase.title"), Action: "/settings/delete", Cancel: "/settings/moving", Button: l.T("erase.button"),
		Effects: []string{l.T("erase.effect_posts", "Count", int(n.Posts)), l.T("erase.effect_told"), l.T("erase.effect_others"),
			l.T("erase.effect_name", "Handle", h.me.Handle(p.site.Host)), l.T("erase.effect_final")},
		Inputs: []FormField{typedName(l, h.me.Username, r.PostFormValue("username")),
			{Name: "password", Kind: "password", Label: l.T("settings.password_old"), Required: true, Autocomplete: "current-password"}}}}
	status := http.StatusOK
	if problem != nil {
		var wrong map[string]string
		view.Errors, wrong = ErrorsOf(l, problem)
		for i := range view.Confirm.Inputs {
			view.Confirm.Inputs[i].Error = wrong[view.Confirm.Inputs[i].Name]
		}
		status = problem.Kind.Status()
	}
	h.frame.Here = Myself
	return p.render(h, w, status, "leaving", view.Confirm.Title, view)
}

// typedName asks for a user name to be typed, so that nobody deletes the wrong account.
func typedName(l *Locale, username, typed string) FormField {
	return FormField{Name: "username", Label: l.T("erase.type", "Name", username), Value: typed, Required: true, Code: true, Autocomplete: "off", Max: 100}
}

// nameTyped fails unless the user name was typed.
func nameTyped(r *http.Request, username string) error {
	if typed := strings.TrimPrefix(strings.TrimSpace(r.PostFormValue("username")), "@"); !strings.EqualFold(typed, username) {
		return fault.Invalidf("username", "This is not the user name of the account.").WithKey("erase.name_wrong", nil)
	}
	return nil
}

func (p *Pages) deleteMe(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	err := nameTyped(r, h.me.Username)
	if err == nil {
		err = p.Auth.Confirm(r.Context(), h.me.ID, r.PostFormValue("password"))
	}
	if err == nil {
		err = p.DB.Write(r.Context(), func(tx *store.Tx) error { return community.DeleteAccount(tx, h.me.ID, h.me.ID, "") })
	}
	if problem := mended(err); problem != nil {
		return p.confirmDelete(h, w, r, problem)
	} else if err != nil {
		return err
	}
	p.Auth.ClearCookie(w)
	p.flash(w, "flash.account_deleted")
	return seeOther(w, r, "/about")
}

func (p *Pages) askErase(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.confirmErase(h, w, r, nil)
}

// confirmErase says what deleting somebody's account does, to an administrator.
func (p *Pages) confirmErase(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var person community.Person
	var counts map[int64]community.AccountCounts
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if person, err = community.PersonByID(tx, id); err != nil {
			return err
		}
		counts, err = community.CountsOf(tx, []int64{id})
		return err
	})
	if err != nil {
		return err
	}
	if !h.user.Role.MayGive(person.User.Role) {
		return fault.Keyed(fault.Forbidden, "role.not_yours", "Your role does not let you do this. Ask an owner of this server.", nil)
	}
	l, n, at := h.l, counts[id], adminPersonPath(id)
	return p.confirm(h, w, "/admin/people", ConfirmPanel{Title: l.T("erase.title_of", "Name", person.Name()), Action: at + "/delete", Cancel: at, Button: l.T("erase.button_of"),
		Effects: []string{l.T("erase.effect_posts_of", "Count", int(n.Posts)), l.T("erase.effect_told"), l.T("erase.effect_others_of"),
			l.T("erase.effect_name", "Handle", person.Handle(p.site.Host)), l.T("erase.effect_final")},
		Inputs: []FormField{typedName(l, person.Username, r.PostFormValue("username")),
			{Name: "reason", Label: l.T("peers.reason"), Hint: l.T("peers.reason_hint"), Value: r.PostFormValue("reason"), Optional: true, Max: 4000}},
	}, problem)
}

func (p *Pages) erasePerson(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := posted(r); err != nil {
		return err
	}
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		person, err := community.PersonByID(tx, id)
		if err != nil {
			return err
		}
		if err := nameTyped(r, person.Username); err != nil {
			return err
		}
		return community.DeleteAccount(tx, h.me.ID, id, strings.TrimSpace(r.PostFormValue("reason")))
	})
	if problem := mended(err); problem != nil {
		return p.confirmErase(h, w, r, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.person_deleted")
	return seeOther(w, r, "/admin/people")
}
