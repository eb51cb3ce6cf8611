package web

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// adminPeoplePage lists who signs in here, or accounts of other servers.
type adminPeoplePage struct {
	Head   PageHead
	Tabs   Tabs
	Filter Tabs
	Query  FormField
	Show   string
	Rows   []adminPerson
	Pager  Pager
	Empty  EmptyState
}

// adminPerson is one of them.
type adminPerson struct {
	Person PersonView
	URL    string // the page where to decide about them
	Role   string
	State  State
	Change string // the last decision about them
	At     time.Time
}

func adminPersonPath(id int64) string { return "/admin/people/" + digits(id) }

func (p *Pages) peopleHere(h *here, w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	show, typed, page := q.Get("show"), strings.TrimSpace(q.Get("q")), pageOf(r)
	if show != "disabled" && show != "elsewhere" {
		show = "all"
	}
	var people []community.Person
	var last map[string]peers.Line
	var schools map[string]string
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		switch show {
		case "elsewhere":
			var accounts []community.Account
			if accounts, err = community.AccountsElsewhere(tx, typed, page); err != nil {
				return err
			}
			byID := make(map[int64]community.Account, len(accounts))
			for _, a := range accounts {
				people, byID[a.ID] = append(people, community.Person{Account: a}), a
			}
			if schools, err = community.SchoolNames(tx, byID); err != nil {
				return err
			}
		case "disabled":
			people, err = community.PeopleMatching(tx, typed, community.Disabled, page)
		default:
			people, err = community.PeopleMatching(tx, typed, "", page)
		}
		if err != nil {
			return err
		}
		handles := make([]string, len(people))
		for i, person := range people {
			handles[i] = person.Handle(p.site.Host)
		}
		last, err = community.LastChanges(tx, handles)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	tab := func(value, words string) Tab {
		to := url.Values{"show": {value}}
		if typed != "" {
			to.Set("q", typed)
		}
		return Tab{Words: words, URL: "/admin/people?" + to.Encode(), Current: show == value, Count: -1}
	}
	view := adminPeoplePage{
		Head: PageHead{Title: l.T("admin.people_title"), Lead: l.T("admin.people_lead"), Actions: []Action{{Words: l.T("invites.make"), Icon: "user-plus", URL: "/admin/invites", Main: true}}},
		Tabs: p.adminTabs(h, "/admin/people"), Show: show,
		Filter: Tabs{Label: l.T("admin.people_filter"), Items: []Tab{tab("all", l.T("admin.people_all")), tab("disabled", l.T("admin.people_disabled")), tab("elsewhere", l.T("admin.people_elsewhere"))}},
		Query:  FormField{Name: "q", Kind: "search", Label: l.T("admin.people_search"), Value: typed, Max: 200, Code: true},
		Empty:  EmptyState{Icon: "users", Title: l.T("admin.people_none"), Words: l.T("admin.people_none_words")},
	}
	if show == "elsewhere" && typed == "" {
		view.Empty = EmptyState{Icon: "user-x", Title: l.T("admin.suspended_none"), Words: l.T("admin.suspended_none_words")}
	}
	for _, person := range people {
		row := adminPerson{Person: p.person(h, person.Account, schools[person.Host]), URL: adminPersonPath(person.ID), State: p.personState(l, person)}
		if person.Local() {
			row.Role = roleName(l, person.User.Role)
		}
		if line, ok := last[person.Handle(p.site.Host)]; ok {
			row.Change, row.At = p.decidedShort(l, line), line.CreatedAt
		}
		view.Rows = append(view.Rows, row)
	}
	if n := len(people); n > 0 {
		view.Pager = pager(r, page, n, people[0].ID, people[n-1].ID)
	}
	return p.render(h, w, http.StatusOK, "admin_people", view.Head.Title, view)
}

// personState says whether somebody may come in.
func (p *Pages) personState(l *Locale, person community.Person) State {
	switch {
	case person.SuspendedAt != nil:
		return State{Tone: "bad", Icon: "ban", Words: l.T("person.is_suspended")}
	case !person.Local():
		return State{Tone: "quiet", Icon: "globe", Words: l.T("person.is_elsewhere")}
	case person.User.State == community.Pending:
		return State{Tone: "wait", Icon: "clock", Words: l.T("person.is_pending")}
	case person.User.State == community.Disabled:
		return State{Tone: "quiet", Icon: "user-x", Words: l.T("person.is_disabled")}
	case person.User.Ended(p.Now()):
		return State{Tone: "quiet", Icon: "clock", Words: l.T("person.is_ended")}
	}
	return State{Tone: "good", Icon: "circle-check", Words: l.T("person.is_active")}
}

// decidedShort says what was decided about somebody, beside their name.
func (p *Pages) decidedShort(l *Locale, line peers.Line) string {
	switch line.Action {
	case "person.role":
		return l.T("audit.role_now", "Before", roleName(l, community.Role(line.Before)), "After", roleName(l, community.Role(line.After)))
	case "person.state":
		if line.After == string(community.Active) {
			return l.T("audit.short_enable")
		}
		return l.T("audit.short_disable")
	case "person.password":
		return l.T("audit.short_password")
	case "person.approve":
		return l.T("audit.short_approve")
	case "person.suspend":
		return l.T("audit.short_suspend")
	case "person.unsuspend":
		return l.T("audit.short_unsuspend")
	case "person.keys":
		return l.T("audit.short_keys")
	case "person.delete":
		return l.T("audit.short_delete")
	}
	words, _ := p.decided(l, line)
	return words
}

// adminPersonPage is where an administrator decides about somebody.
type adminPersonPage struct {
	Head    PageHead
	Tabs    Tabs
	Person  PersonView
	State   State
	Facts   []Fact
	Above   string // why nothing can be decided here
	Errors  ErrorSummary
	Action  string
	Fields  []FormField // role and end
	History []logLine
	Empty   EmptyState
}

// subjectOf is whom the address names: somebody here, or an account of
// another server, whose User is the zero value.
func subjectOf(tx *store.Tx, id int64) (community.Person, error) {
	a, err := community.AccountByID(tx, id)
	if err != nil || !a.Local() {
		return community.Person{Account: a}, err
	}
	return community.PersonByID(tx, id)
}

func (p *Pages) personHere(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showPerson(h, w, r, nil)
}

func (p *Pages) showPerson(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var person community.Person
	var counts map[int64]community.AccountCounts
	var lines []peers.Line
	var by, invited map[int64]community.Account
	var schools map[string]string
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if person, err = subjectOf(tx, id); err != nil {
			return err
		}
		if counts, err = community.CountsOf(tx, []int64{id}); err != nil {
			return err
		}
		if lines, err = peers.Audit(tx, person.Handle(p.site.Host), store.Page{Limit: store.MaxLimit}); err != nil {
			return err
		}
		var ids []int64
		for _, who := range []*int64{person.User.InvitedBy, person.User.ApprovedBy} {
			if who != nil {
				ids = append(ids, *who)
			}
		}
		if invited, err = community.AccountsByID(tx, ids); err != nil {
			return err
		}
		if schools, err = community.SchoolNames(tx, map[int64]community.Account{id: person.Account}); err != nil {
			return err
		}
		by, err = deciders(tx, lines)
		return err
	})
	if err != nil {
		return err
	}
	l, at := h.l, adminPersonPath(id)
	view := adminPersonPage{
		Head: PageHead{Title: person.Name(), Back: peopleBack(l)}, Tabs: p.adminTabs(h, "/admin/people"), Action: at + "/role",
		Person: p.person(h, person.Account, schools[person.Host]), State: p.personState(l, person), History: p.logLines(h, lines, by, false),
		Empty: EmptyState{Icon: "history", Title: l.T("audit.none"), Words: l.T("audit.none_person")},
	}
	view.Facts = p.personFacts(h, person, counts[id], invited)
	switch u := person.User; {
	case !person.Local() && person.SuspendedAt != nil:
		view.Head.Actions = []Action{{Words: l.T("person.unsuspend"), Icon: "circle-check", URL: at + "/unsuspend", Post: true}}
	case !person.Local():
		view.Head.Actions = []Action{{Words: l.T("person.suspend"), Icon: "ban", URL: at + "/suspend", Danger: true}}
	case !h.user.Role.MayGive(u.Role):
		view.Above = l.T("person.above")
	case u.State == community.Pending:
		view.Head.Actions = []Action{{Words: l.T("person.see_request"), Icon: "user-plus", URL: "/admin/requests", Main: true}}
	default:
		view.Head.Actions = append(view.Head.Actions, Action{Words: l.T("person.new_password"), Icon: "lock", URL: at + "/password"})
		if u.State == community.Disabled {
			view.Head.Actions = append(view.Head.Actions, Action{Words: l.T("person.enable"), Icon: "circle-check", URL: at + "/enable", Post: true})
		} else {
			view.Head.Actions = append(view.Head.Actions, Action{Words: l.T("person.disable"), Icon: "user-x", URL: at + "/disable", Danger: true})
		}
		view.Head.Actions = append(view.Head.Actions, Action{Words: l.T("erase.button_of"), Icon: "trash-2", URL: at + "/delete", Danger: true})
		role, ends := u.Role, dateValue(l, u.EndsAt)
		if problem != nil {
			role, ends = community.Role(r.PostFormValue("role")), r.PostFormValue("ends_at")
		}
		view.Fields = roleFields(h, role, ends)
	}
	status := http.StatusOK
	if problem != nil {
		var wrong map[string]string
		view.Errors, wrong = ErrorsOf(l, problem)
		for i := range view.Fields {
			view.Fields[i].Error = wrong[view.Fields[i].Name]
		}
		status = problem.Kind.Status()
	}
	return p.render(h, w, status, "admin_person", person.Name(), view)
}

func (p *Pages) personFacts(h *here, person community.Person, counts community.AccountCounts, named map[int64]community.Account) []Fact {
	l, u := h.l, person.User
	facts := []Fact{{Name: l.T("person.handle"), Value: person.Handle(p.site.Host), URL: personPath(person.Account)}}
	if person.Local() {
		facts = append(facts, Fact{Name: l.T("person.role"), Value: roleName(l, u.Role)})
		if u.EndsAt != nil {
			facts = append(facts, Fact{Name: l.T("person.ends"), Value: l.Date(*u.EndsAt)})
		}
		if u.Email != "" {
			facts = append(facts, Fact{Name: l.T("person.email"), Value: u.Email, URL: "mailto:" + u.Email})
		}
		facts = append(facts, Fact{Name: l.T("person.since"), Value: l.Date(u.CreatedAt)})
		if u.InvitedBy != nil {
			a := named[*u.InvitedBy]
			facts = append(facts, Fact{Name: l.T("person.invited_by"), Value: a.Name()})
		}
		if u.ApprovedBy != nil {
			a := named[*u.ApprovedBy]
			facts = append(facts, Fact{Name: l.T("person.approved_by"), Value: a.Name()})
		}
	}
	return append(facts, Fact{Name: l.T("person.posts"), Value: l.Number(counts.Posts)})
}

// roleFields ask which role somebody has and, for a placement, until when.
func roleFields(h *here, role community.Role, ends string) []FormField {
	l := h.l
	choose := FormField{Name: "role", Kind: "select", Label: l.T("person.role"), Hint: l.T("role.hint")}
	for _, r := range community.Roles() {
		if h.user.Role.MayGive(r) {
			choose.Options = append(choose.Options, Option{Value: string(r), Words: roleWords(l, r), Selected: r == role})
		}
	}
	return []FormField{choose,
		{Name: "ends_at", Kind: "date", Label: l.T("placement.ends"), Hint: l.T("placement.ends_hint"), Value: ends, Small: true}}
}

// roleWords is a role with what it may do.
func roleWords(l *Locale, r community.Role) string {
	switch r {
	case community.Owner:
		return l.T("role.owner_words")
	case community.ITAdmin:
		return l.T("role.it_admin_words")
	case community.Moderator:
		return l.T("role.moderator_words")
	case community.Placement:
		return l.T("role.placement_words")
	}
	return l.T("role.member_words")
}

// dateValue is a day as a date input holds it (HTML, section 2.3.5.2).
func dateValue(l *Locale, t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.In(l.Zone).Format(time.DateOnly)
}

// endOf is the last moment of the day that was entered, or nil.
func endOf(l *Locale, day string) *time.Time {
	t, err := time.ParseInLocation(time.DateOnly, strings.TrimSpace(day), l.Zone)
	if err != nil {
		return nil
	}
	end := t.AddDate(0, 0, 1).Add(-time.Second).UTC()
	return &end
}

func (p *Pages) setRole(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := posted(r); err != nil {
		return err
	}
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		return community.SetRole(tx, h.me.ID, id, community.Role(r.PostFormValue("role")), endOf(h.l, r.PostFormValue("ends_at")))
	})
	if problem := mended(err); problem != nil {
		return p.showPerson(h, w, r, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.role_changed")
	if id == h.me.ID { // who gave up a role may find this page closed
		return seeOther(w, r, "/home")
	}
	return seeOther(w, r, adminPersonPath(id))
}

func (p *Pages) askPerson(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.confirmPerson(h, w, r, nil)
}

// confirmPerson says what ending somebody's access, or hiding an account of
// another server, will do.
func (p *Pages) confirmPerson(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var person community.Person
	var counts map[int64]community.AccountCounts
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if person, err = subjectOf(tx, id); err != nil {
			return err
		}
		counts, err = community.CountsOf(tx, []int64{id})
		return err
	})
	if err != nil {
		return err
	}
	l, n, at := h.l, counts[id], adminPersonPath(id)
	reason := FormField{Name: "reason", Label: l.T("peers.reason"), Hint: l.T("peers.reason_hint"), Value: r.PostFormValue("reason"), Optional: true, Max: 4000}
	panel := ConfirmPanel{Cancel: at, Inputs: []FormField{reason}}
	if mux.Vars(r)["deed"] == "suspend" {
		if err := elsewhere(person); err != nil {
			return err
		}
		panel.Action, panel.Title, panel.Button = at+"/suspend", l.T("person.suspend_title", "Name", person.Name()), l.T("person.suspend")
		panel.Effects = []string{l.T("person.effect_hidden", "Count", int(n.Posts)), l.T("person.effect_silent"), l.T("person.effect_back")}
	} else {
		panel.Action, panel.Title, panel.Button = at+"/disable", l.T("person.disable_title", "Name", person.Name()), l.T("person.disable")
		panel.Effects = []string{l.T("person.effect_out"), l.T("person.effect_stay", "Count", int(n.Posts)), l.T("person.effect_back")}
	}
	return p.confirm(h, w, "/admin/people", panel, problem)
}

// elsewhere fails for people of this server, whose access is ended instead.
func elsewhere(person community.Person) error {
	if person.Local() {
		return fault.Keyed(fault.Conflict, "person.suspend_local", "This person has an account here. Switch it off instead.", nil)
	}
	return nil
}

func (p *Pages) decidePerson(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := posted(r); err != nil {
		return err
	}
	deed, reason, done := mux.Vars(r)["deed"], strings.TrimSpace(r.PostFormValue("reason")), ""
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		switch deed {
		case "disable":
			done = "flash.person_disabled"
			return community.Disable(tx, h.me.ID, id, reason)
		case "enable":
			done = "flash.person_enabled"
			return community.Enable(tx, h.me.ID, id, reason)
		}
		person, err := subjectOf(tx, id)
		if err != nil {
			return err
		}
		if err := elsewhere(person); err != nil {
			return err
		}
		if deed == "suspend" {
			done = "flash.suspended"
			return community.Suspend(tx, h.me.ID, id, reason)
		}
		done = "flash.unsuspended"
		return community.Unsuspend(tx, h.me.ID, id, reason)
	})
	if problem := mended(err); problem != nil && (deed == "disable" || deed == "suspend") {
		return p.confirmPerson(h, w, r, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, done)
	return seeOther(w, r, adminPersonPath(id))
}

// passwordForm proposes a new password. It is shown before it is set, since
// afterwards nobody can look it up.
func (p *Pages) passwordForm(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.askPassword(h, w, r, newPassword(), nil)
}

func (p *Pages) askPassword(h *here, w http.ResponseWriter, r *http.Request, password string, problem *fault.Error) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var person community.Person
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		person, err = community.PersonByID(tx, id)
		return err
	})
	if err != nil {
		return err
	}
	if !h.user.Role.MayGive(person.User.Role) {
		return fault.Keyed(fault.Forbidden, "role.not_yours", "Your role does not let you do this. Ask an owner of this server.", nil)
	}
	l, at := h.l, adminPersonPath(id)
	w.Header().Set("Cache-Control", "no-store")
	return p.confirm(h, w, "/admin/people", ConfirmPanel{
		Title: l.T("password.title", "Name", person.Name()), Action: at + "/password", Cancel: at, Button: l.T("password.set"),
		Effects: []string{l.T("password.effect_once"), l.T("password.effect_out"), l.T("password.effect_change")},
		Inputs: []FormField{{Name: "password", Label: l.T("password.label"), Hint: l.T("join.password_hint", "Count", auth.MinPassword), Value: password,
			Required: true, Code: true, Autocomplete: "off"}},
	}, problem)
}

// newPassword is twelve letters and digits that nobody mistakes for each
// other, in three groups: about 59 bits.
func newPassword() string {
	const letters = "abcdefghjkmnpqrstuvwxyz23456789"
	var b strings.Builder
	for b.Len() < 14 {
		if b.Len() == 4 || b.Len() == 9 {
			b.WriteByte('-')
		}
		var random [1]byte
		_, _ = rand.Read(random[:]) // never fails
		if n := int(random[0]); n < 256-256%len(letters) {
			b.WriteByte(letters[n%len(letters)])
		}
	}
	return b.String()
}

func (p *Pages) setPassword(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := posted(r); err != nil {
		return err
	}
	password := r.PostFormValue("password")
	err = p.Auth.SetPassword(r.Context(), h.me.ID, id, password)
	if problem := mended(err); problem != nil {
		return p.askPassword(h, w, r, password, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.password_set")
	return seeOther(w, r, adminPersonPath(id))
}

func peopleBack(l *Locale) *Link {
	return &Link{Words: l.T("admin.people_title"), URL: "/admin/people"}
}
