package web

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

const scheduledPath = "/scheduled"

func (p *Pages) scheduledRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodPost) }
	get(scheduledPath, p.members(p.scheduled))
	get(scheduledPath+"/{id:[0-9]+}", p.members(p.rescheduleForm))
	post(scheduledPath+"/{id:[0-9]+}", p.members(p.reschedule))
	get(scheduledPath+"/{id:[0-9]+}/remove", p.members(p.askUnschedule))
	post(scheduledPath+"/{id:[0-9]+}/remove", p.members(p.unschedule))
}

// scheduled lists what somebody is to publish later; nobody else sees it.
func (p *Pages) scheduled(h *here, w http.ResponseWriter, r *http.Request) error {
	l, page := h.l, pageOf(r)
	var all []community.ScheduledPost
	var pictures map[int64][]media.Attachment
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if all, err = community.ScheduledBy(tx, h.me.ID, page); err != nil {
			return err
		}
		ids := make([]int64, len(all))
		for i, s := range all {
			ids[i] = s.ID
		}
		pictures, err = media.HeldFor(tx, ids)
		return err
	})
	if err != nil {
		return err
	}
	part := entriesPart{Empty: &EmptyState{Icon: "clock", Title: l.T("scheduled.empty_title"), Words: l.T("scheduled.empty"),
		Action: &Action{Words: l.T("nav.write"), Icon: "pen-line", URL: "/write", Main: true}}}
	for _, s := range all {
		part.Entries = append(part.Entries, p.scheduledEntry(h, s, len(pictures[s.ID])))
	}
	if n := len(all); n > 0 {
		part.Pager = pager(r, page, n, all[0].ID, all[n-1].ID)
	}
	view := entriesPage{Head: PageHead{Title: l.T("scheduled.title"), Lead: l.T("scheduled.lead")}, Parts: []entriesPart{part}}
	h.frame.Here = Write
	return p.render(h, w, http.StatusOK, "entries", view.Head.Title, view)
}

// scheduledTitle is what a post that waits is called: by its title, or by how
// it begins.
func scheduledTitle(h *here, s community.ScheduledPost) (title, words string) {
	source := s.Draft.Source
	if s.Draft.Sections != nil {
		source = s.Draft.Sections.Tried
	}
	words = text.Excerpt(text.Render(source, text.Links{}).HTML, 200)
	if s.Draft.Title != "" {
		return s.Draft.Title, words
	}
	return cmp.Or(text.Excerpt(text.Render(source, text.Links{}).HTML, 60), h.l.T("scheduled.pictures_only")), words
}

func (p *Pages) scheduledEntry(h *here, s community.ScheduledPost, pictures int) entry {
	l, at := h.l, scheduledPath+"/"+digits(s.ID)
	a := AudienceOf(l, string(s.Draft.Audience), Reach{School: h.school.Title(), Connected: h.schools, Mine: true, Named: len(s.Draft.To), Followers: -1})
	e := entry{URL: at, Audience: &a, Actions: []Action{{Words: l.T("scheduled.change"), Icon: "clock", URL: at}, {Words: l.T("scheduled.remove"), Icon: "trash-2", URL: at + "/remove"}}}
	e.Title, e.Words = scheduledTitle(h, s)
	e.State = &State{Tone: "wait", Icon: "clock", Words: l.Moment(s.ScheduledAt)}
	if s.Reason != "" {
		e.State = &State{Tone: "bad", Icon: "circle-alert", Words: l.T("scheduled.refused", "At", l.Moment(s.ScheduledAt), "Reason", s.Reason)}
	}
	if s.Draft.InReplyToID != 0 {
		e.Facts = append(e.Facts, Fact{Name: l.T("scheduled.answers"), Value: l.T("scheduled.the_post"), URL: postPath(s.Draft.InReplyToID)})
	}
	if pictures > 0 {
		e.Facts = append(e.Facts, Fact{Name: l.T("picture.legend"), Value: l.Number(int64(pictures))})
	}
	return e
}

// myScheduled is the post that the address names, if it is the reader's.
func (p *Pages) myScheduled(h *here, r *http.Request) (s community.ScheduledPost, err error) {
	h.frame.Here = Write
	id, err := idOf(r)
	if err != nil {
		return s, err
	}
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		s, err = community.ScheduledByID(tx, h.me.ID, id)
		return err
	})
	return s, err
}

func (p *Pages) rescheduleView(h *here, s community.ScheduledPost, typed string) formPage {
	l := h.l
	at := p.timeField(h, "scheduled_at", l.T("scheduled.at"), "", typed)
	at.Required = true
	title, _ := scheduledTitle(h, s)
	view := formPage{Head: PageHead{Title: l.T("scheduled.change"), Lead: title, Back: &Link{Words: l.T("scheduled.title"), URL: scheduledPath}},
		Action: scheduledPath + "/" + digits(s.ID), Submit: l.T("form.save"), Cancel: scheduledPath, Parts: []formPart{{Fields: []FormField{at}}},
		Foot: []Action{{Words: l.T("scheduled.remove"), Icon: "trash-2", URL: scheduledPath + "/" + digits(s.ID) + "/remove"}}}
	if s.Reason != "" {
		view.Intro = []string{l.T("scheduled.refused", "At", l.Moment(s.ScheduledAt), "Reason", s.Reason), l.T("scheduled.again")}
	}
	return view
}

func (p *Pages) rescheduleForm(h *here, w http.ResponseWriter, r *http.Request) error {
	s, err := p.myScheduled(h, r)
	if err != nil {
		return err
	}
	return p.answerWith(h, w, p.rescheduleView(h, s, s.ScheduledAt.In(h.l.Zone).Format(timeLayout)), nil)
}

// reschedule chooses another time. Whatever else keeps the post from being
// published then is said beside it.
func (p *Pages) reschedule(h *here, w http.ResponseWriter, r *http.Request) error {
	s, err := p.myScheduled(h, r)
	if err != nil {
		return err
	}
	if err := posted(r); err != nil {
		return err
	}
	typed := r.PostFormValue("scheduled_at")
	at, err := p.timeTyped(h, "scheduled_at", typed)
	if err == nil {
		err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
			s, err = community.Reschedule(tx, h.me, s.ID, at)
			return err
		})
	}
	if err != nil {
		problem := mended(err)
		if problem == nil {
			return err
		}
		for i := range problem.Fields {
			problem.Fields[i].Name = "scheduled_at" // the form has no other field
		}
		return p.answerWith(h, w, p.rescheduleView(h, s, typed), problem)
	}
	p.flash(w, "flash.scheduled", "At", h.l.Moment(s.ScheduledAt))
	return seeOther(w, r, scheduledPath)
}

func (p *Pages) askUnschedule(h *here, w http.ResponseWriter, r *http.Request) error {
	s, err := p.myScheduled(h, r)
	if err != nil {
		return err
	}
	l := h.l
	title, _ := scheduledTitle(h, s)
	panel := ConfirmPanel{Title: l.T("scheduled.remove_title"), Action: scheduledPath + "/" + digits(s.ID) + "/remove", Button: l.T("scheduled.remove"), Cancel: scheduledPath,
		Effects: []string{l.T("scheduled.remove_gone", "Title", title)}}
	return p.render(h, w, http.StatusOK, "confirm", panel.Title, confirmPage{panel})
}

func (p *Pages) unschedule(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return community.Unschedule(tx, h.me, id) }); err != nil {
		return err
	}
	p.flash(w, "flash.unscheduled")
	return seeOther(w, r, scheduledPath)
}

// later is the part of a form that has what is written published later.
func (p *Pages) later(h *here, typed, problem string) FormField {
	f := p.timeField(h, "scheduled_at", h.l.T("scheduled.at"), h.l.T("scheduled.at_hint"), strings.TrimSpace(typed))
	f.Optional, f.Error = true, problem
	return f
}

// schedule keeps what was written until its time. done is whether the request
// is answered with that.
func (p *Pages) schedule(h *here, w http.ResponseWriter, r *http.Request, t typed) (done bool, err error) {
	at, err := p.timeTyped(h, "scheduled_at", t.later)
	if err != nil {
		return false, err
	}
	p.lookUp(r.Context(), t.draft)
	var kept community.ScheduledPost
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		kept, err = community.Schedule(tx, h.me, t.draft, at)
		return err
	})
	if err != nil {
		return false, err
	}
	p.flash(w, "flash.scheduled", "At", h.l.Moment(kept.ScheduledAt))
	return true, seeOther(w, r, scheduledPath)
}
