package web

import (
	"html/template"
	"net/http"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// News is an announcement on somebody's home page, until they put it away.
type News struct {
	HTML    template.HTML
	PutAway Action
}

// news brings what the school tells everybody and the reader has not put away.
func (p *Pages) news(h *here, r *http.Request) ([]News, error) {
	var list []community.Announcement
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		list, err = community.NewAnnouncements(tx, h.me.ID)
		return err
	})
	out := make([]News, len(list))
	for i, a := range list {
		out[i] = News{HTML: template.HTML(a.HTML), // made by text.Render
			PutAway: Action{Words: h.l.T("announcement.put_away"), Icon: "x", URL: "/announcements/" + digits(a.ID) + "/read", Post: true}}
	}
	return out, err
}

// putAway notes that the reader has read an announcement.
func (p *Pages) putAway(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error { return community.PutAway(tx, h.me.ID, id) })
	if err != nil && !fault.Is(err, fault.NotFound) { // one that is over has gone by itself
		return err
	}
	return seeOther(w, r, "/home")
}

// announcementsPage writes announcements and lists those there are.
type announcementsPage struct {
	Head  PageHead
	Tabs  Tabs
	Form  formPage
	Rows  []announcementRow
	Pager Pager
	Empty EmptyState
}

// announcementRow is an announcement as an administrator sees it.
type announcementRow struct {
	HTML    template.HTML
	When    string
	State   State
	Actions []Action
}

// momentForm is how HTML has a moment in a form (HTML, section 2.3.5.5).
const momentForm = "2006-01-02T15:04"

func (p *Pages) announcementForm(h *here, action string, d community.AnnouncementDraft) formPage {
	l := h.l
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.In(l.Zone).Format(momentForm)
	}
	return formPage{Action: action, Submit: l.T("announcement.submit"), Parts: []formPart{{Fields: []FormField{
		{Name: "source", Kind: "textarea", Label: l.T("announcement.source"), Hint: l.T("announcement.source_hint"), Value: d.Source, Required: true, Rows: 4, Max: community.MaxAnnouncement},
		{Name: "publish_at", Kind: "datetime-local", Label: l.T("announcement.publish_at"), Hint: l.T("announcement.publish_at_hint"), Value: at(d.PublishAt), Optional: true, Small: true},
		{Name: "starts_at", Kind: "datetime-local", Label: l.T("announcement.starts_at"), Hint: l.T("announcement.starts_at_hint"), Value: at(d.StartsAt), Optional: true, Small: true},
		{Name: "ends_at", Kind: "datetime-local", Label: l.T("announcement.ends_at"), Hint: l.T("announcement.ends_at_hint"), Value: at(d.EndsAt), Optional: true, Small: true},
		{Name: "all_day", Kind: "checkbox", Label: l.T("announcement.all_day"), Checked: d.AllDay},
	}}}}
}

func (p *Pages) announcements(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showAnnouncements(h, w, r, p.announcementForm(h, "/admin/announcements", community.AnnouncementDraft{}), http.StatusOK)
}

func (p *Pages) showAnnouncements(h *here, w http.ResponseWriter, r *http.Request, form formPage, status int) error {
	page := pageOf(r)
	var list []community.Announcement
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		list, err = community.Announcements(tx, h.me, page)
		return err
	})
	if err != nil {
		return err
	}
	l, now := h.l, p.Now()
	view := announcementsPage{Head: PageHead{Title: l.T("admin.announcements"), Lead: l.T("announcement.lead")}, Tabs: p.adminTabs(h, "/admin/announcements"),
		Form: form, Empty: EmptyState{Words: l.T("announcement.none")}}
	for _, a := range list {
		row := announcementRow{HTML: template.HTML(a.HTML), When: l.T("announcement.from", "At", l.Moment(a.PublishedAt)), State: announcementState(l, a, now),
			Actions: []Action{{Words: l.T("announcement.change"), Icon: "pencil", URL: "/admin/announcements/" + digits(a.ID)},
				{Words: l.T("announcement.end"), Icon: "x", URL: "/admin/announcements/" + digits(a.ID) + "/end", Post: true, Danger: true}}}
		if a.EndsAt != nil {
			row.When = l.T("announcement.from_until", "At", l.Moment(a.PublishedAt), "Until", l.Moment(*a.EndsAt))
		}
		view.Rows = append(view.Rows, row)
	}
	if n := len(list); n > 0 {
		view.Pager = pager(r, page, n, list[0].ID, list[n-1].ID)
	}
	return p.render(h, w, status, "admin_announcements", view.Head.Title, view)
}

func announcementState(l *Locale, a community.Announcement, now time.Time) State {
	switch {
	case a.Shown(now):
		return State{Tone: "good", Icon: "circle-check", Words: l.T("announcement.is_shown")}
	case a.PublishedAt.After(now):
		return State{Tone: "quiet", Icon: "clock", Words: l.T("announcement.is_waiting")}
	}
	return State{Tone: "quiet", Icon: "check", Words: l.T("announcement.is_over")}
}

// announcementDraft reads the form.
func announcementDraft(h *here, r *http.Request) (community.AnnouncementDraft, error) {
	d := community.AnnouncementDraft{Source: r.PostFormValue("source"), AllDay: r.PostFormValue("all_day") != ""}
	var form fault.Check
	for name, into := range map[string]**time.Time{"publish_at": &d.PublishAt, "starts_at": &d.StartsAt, "ends_at": &d.EndsAt} {
		typed := r.PostFormValue(name)
		if typed == "" {
			continue
		}
		t, err := time.ParseInLocation(momentForm, typed, h.l.Zone)
		if err != nil {
			form.Add(name, "announcement.moment", "This is no day and time.", nil)
			continue
		}
		t = t.UTC()
		*into = &t
	}
	return d, form.Err()
}

// writeAnnouncement takes the form for a new announcement, or with an id in the
// path, for one that is there.
func (p *Pages) writeAnnouncement(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	id, _ := idOf(r) // none for a new one
	d, err := announcementDraft(h, r)
	if err == nil {
		err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
			_, err := community.WriteAnnouncement(tx, h.me, id, d)
			return err
		})
	}
	if err != nil {
		problem := mended(err)
		if problem == nil {
			return err
		}
		form := p.announcementForm(h, r.URL.Path, d)
		var wrong map[string]string
		form.Errors, wrong = ErrorsOf(h.l, problem)
		for i := range form.Parts[0].Fields {
			form.Parts[0].Fields[i].Error = wrong[form.Parts[0].Fields[i].Name]
		}
		return p.showAnnouncements(h, w, r, form, problem.Kind.Status())
	}
	p.flash(w, "flash.announcement_saved")
	return seeOther(w, r, "/admin/announcements")
}

// announcement shows the form of one that is there.
func (p *Pages) announcement(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var a community.Announcement
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		a, err = community.AnnouncementByID(tx, h.me, id)
		return err
	})
	if err != nil {
		return err
	}
	return p.showAnnouncements(h, w, r, p.announcementForm(h, "/admin/announcements/"+digits(id), community.AnnouncementDraft{Source: a.Source, AllDay: a.AllDay,
		PublishAt: &a.PublishedAt, StartsAt: a.StartsAt, EndsAt: a.EndsAt}), http.StatusOK)
}

func (p *Pages) endAnnouncement(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return community.EndAnnouncement(tx, h.me, id) }); err != nil {
		return err
	}
	p.flash(w, "flash.announcement_ended")
	return seeOther(w, r, "/admin/announcements")
}
