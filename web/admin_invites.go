package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// inviteCookie carries the link of a new invitation over the redirect that
// follows, to be shown once: the database keeps a digest only.
const inviteCookie = "chalkring_invite"

// invitesPage makes invitations and lists those there are.
type invitesPage struct {
	Head   PageHead
	Tabs   Tabs
	Link   string // of the invitation just made
	Errors ErrorSummary
	Fields []FormField
	Rows   []inviteRow
	Pager  Pager
	Empty  EmptyState
}

// inviteRow is an invitation as an administrator sees it.
type inviteRow struct {
	For    string
	Role   string
	Uses   string
	State  State
	Until  string
	By     string
	At     time.Time
	Revoke *Action
}

func (p *Pages) invites(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showInvites(h, w, r, nil)
}

func (p *Pages) showInvites(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	page := pageOf(r)
	var list []auth.Invite
	var by map[int64]community.Account
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if list, err = auth.Invites(tx, page); err != nil {
			return err
		}
		by, err = accountsOf(tx, list, func(i auth.Invite) *int64 { return i.CreatedBy })
		return err
	})
	if err != nil {
		return err
	}
	l, now := h.l, p.Now()
	view := invitesPage{Head: PageHead{Title: l.T("admin.invites"), Lead: l.T("invites.lead")}, Tabs: p.adminTabs(h, "/admin/invites"),
		Fields: inviteFields(h, r), Empty: EmptyState{Icon: "user-plus", Title: l.T("invites.none"), Words: l.T("invites.none_words")}}
	if c, err := r.Cookie(inviteCookie); err == nil && r.Method == http.MethodGet && c.Value != "" {
		view.Link = p.site.Base() + "/join/" + c.Value
		http.SetCookie(w, p.inviteCookie("", -1))
		w.Header().Set("Cache-Control", "no-store")
	}
	for _, i := range list {
		row := inviteRow{For: i.Note, Role: roleName(l, i.Role), Uses: l.T("invites.used", "Count", int(i.Uses), "Most", l.Number(i.MaxUses)),
			State: inviteState(l, i, now), By: l.T("audit.command_line"), At: i.CreatedAt}
		if i.CreatedBy != nil {
			a := by[*i.CreatedBy]
			row.By = a.Name()
		}
		if i.EndsAt != nil {
			row.Role = l.T("invites.placement_until", "Role", row.Role, "Date", l.Date(*i.EndsAt))
		}
		if i.Open(now) {
			row.Until = l.T("invites.until", "Date", l.Moment(i.ExpiresAt))
			if h.user.Role.MayGive(i.Role) {
				row.Revoke = &Action{Words: l.T("invites.revoke"), Icon: "x", URL: "/admin/invites/" + digits(i.ID) + "/revoke", Post: true, Danger: true}
			}
		}
		view.Rows = append(view.Rows, row)
	}
	if n := len(list); n > 0 {
		view.Pager = pager(r, page, n, list[0].ID, list[n-1].ID)
	}
	var status int
	view.Errors, status = blameFields(l, view.Fields, problem)
	return p.render(h, w, status, "admin_invites", view.Head.Title, view)
}

func (p *Pages) inviteCookie(code string, age int) *http.Cookie {
	return &http.Cookie{Name: inviteCookie, Value: code, Path: "/admin/invites", MaxAge: age, HttpOnly: true,
		Secure: p.site.Scheme == "https", SameSite: http.SameSiteStrictMode}
}

func inviteState(l *Locale, i auth.Invite, now time.Time) State {
	switch {
	case i.RevokedAt != nil:
		return State{Tone: "quiet", Icon: "x", Words: l.T("invites.is_revoked")}
	case i.Uses >= i.MaxUses:
		return State{Tone: "quiet", Icon: "check", Words: l.T("invites.is_used")}
	case !i.ExpiresAt.After(now):
		return State{Tone: "quiet", Icon: "clock", Words: l.T("invites.is_over")}
	}
	return State{Tone: "good", Icon: "circle-check", Words: l.T("invites.is_open")}
}

// inviteFields ask for whom an invitation is. What was typed comes back.
func inviteFields(h *here, r *http.Request) []FormField {
	l := h.l
	role := community.Member
	if s := r.PostFormValue("role"); s != "" {
		role = community.Role(s)
	}
	uses := r.PostFormValue("max_uses")
	if uses == "" {
		uses = "1"
	}
	days := r.PostFormValue("lasts")
	if days == "" {
		days = "14"
	}
	lasts := FormField{Name: "lasts", Kind: "select", Label: l.T("invites.lasts")}
	for _, n := range []int{1, 7, 14, 30, 90} {
		lasts.Options = append(lasts.Options, Option{Value: strconv.Itoa(n), Words: l.T("invites.days", "Count", n), Selected: strconv.Itoa(n) == days})
	}
	fields := []FormField{{Name: "note", Label: l.T("invites.note"), Hint: l.T("invites.note_hint"), Value: r.PostFormValue("note"), Optional: true, Max: 120}}
	fields = append(fields, roleFields(h, role, r.PostFormValue("ends_at"))...)
	return append(fields,
		FormField{Name: "max_uses", Kind: "number", Label: l.T("invites.uses"), Hint: l.T("invites.uses_hint"), Value: uses, Small: true, Required: true}, lasts)
}

func (p *Pages) newInvite(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	uses, err := strconv.ParseInt(strings.TrimSpace(r.PostFormValue("max_uses")), 10, 64)
	if err != nil || uses == 0 {
		uses = -1 // refused with words about its field
	}
	days, err := strconv.Atoi(r.PostFormValue("lasts"))
	if err != nil || days <= 0 {
		days = -1
	}
	f := auth.InviteForm{Role: community.Role(r.PostFormValue("role")), Note: r.PostFormValue("note"), MaxUses: uses,
		Lasts: time.Duration(days) * 24 * time.Hour, EndsAt: endOf(h.l, r.PostFormValue("ends_at"))}
	var code string
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		code, _, err = auth.NewInvite(tx, h.me.ID, f)
		return err
	})
	if problem := mended(err); problem != nil {
		return p.showInvites(h, w, r, problem)
	} else if err != nil {
		return err
	}
	http.SetCookie(w, p.inviteCookie(code, 0)) // for the session: kept in memory, and dropped by the next page
	p.flash(w, "flash.invited")
	return seeOther(w, r, "/admin/invites")
}

func (p *Pages) revokeInvite(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return auth.RevokeInvite(tx, h.me.ID, id) }); err != nil {
		return err
	}
	p.flash(w, "flash.invite_revoked")
	return seeOther(w, r, "/admin/invites")
}

// requestsPage lists who has asked for an account.
type requestsPage struct {
	Head  PageHead
	Tabs  Tabs
	Rows  []requestRow
	Pager Pager
	Empty EmptyState
}

// requestRow is somebody who asks, with what they wrote.
type requestRow struct {
	Person PersonView
	Email  string
	Text   string
	At     time.Time
	Acts   []Action
}

func (p *Pages) requests(h *here, w http.ResponseWriter, r *http.Request) error {
	page := pageOf(r)
	var people []community.Person
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		people, err = community.ListPeople(tx, community.Pending, page)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	view := requestsPage{Head: PageHead{Title: l.T("admin.requests"), Lead: l.T("admin.requests_lead")}, Tabs: p.adminTabs(h, "/admin/requests"),
		Empty: EmptyState{Icon: "user-round-check", Title: l.T("requests.none"), Words: l.T("requests.none_words")}}
	if h.school.Registration != community.RegistrationRequest {
		view.Empty.Words = l.T("requests.closed")
	}
	for _, person := range people {
		at := "/admin/requests/" + digits(person.ID)
		view.Rows = append(view.Rows, requestRow{Person: p.person(h, person.Account, ""), Email: person.User.Email, Text: person.User.RequestText, At: person.User.CreatedAt,
			Acts: []Action{
				{Words: l.T("requests.approve"), Icon: "circle-check", URL: at + "/approve", Post: true, Main: true},
				{Words: l.T("requests.decline"), Icon: "x", URL: at + "/decline", Danger: true}}})
	}
	if n := len(people); n > 0 {
		view.Pager = pager(r, page, n, people[0].ID, people[n-1].ID)
	}
	return p.render(h, w, http.StatusOK, "admin_requests", view.Head.Title, view)
}

func (p *Pages) approve(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var a community.Account
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if a, err = community.AccountByID(tx, id); err != nil {
			return err
		}
		return community.Approve(tx, h.me.ID, id)
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.approved", "Name", a.Name())
	return seeOther(w, r, "/admin/requests")
}

// asking is somebody whose request has not been decided.
func (p *Pages) asking(r *http.Request) (person community.Person, err error) {
	id, err := idOf(r)
	if err != nil {
		return person, err
	}
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if person, err = community.PersonByID(tx, id); err == nil && person.User.State != community.Pending {
			err = fault.Keyed(fault.Conflict, "request.decided", "This request has been decided already.", nil)
		}
		return err
	})
	return person, err
}

func (p *Pages) askDecline(h *here, w http.ResponseWriter, r *http.Request) error {
	person, err := p.asking(r)
	if err != nil {
		return err
	}
	l := h.l
	return p.confirm(h, w, "/admin/requests", ConfirmPanel{
		Title: l.T("requests.decline_title", "Name", person.Name()), Action: "/admin/requests/" + digits(person.ID) + "/decline", Cancel: "/admin/requests",
		Button: l.T("requests.decline"), Effects: []string{l.T("requests.effect_gone"), l.T("requests.effect_told")},
		Inputs: []FormField{{Name: "reason", Label: l.T("peers.reason"), Hint: l.T("requests.reason_hint"), Optional: true, Max: 4000}},
	}, nil)
}

func (p *Pages) decline(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	person, err := p.asking(r)
	if err != nil {
		return err
	}
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		return community.Decline(tx, h.me.ID, person.ID, strings.TrimSpace(r.PostFormValue("reason")))
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.declined", "Name", person.Name())
	return seeOther(w, r, "/admin/requests")
}
