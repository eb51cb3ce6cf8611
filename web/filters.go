package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

const filtersPath = "/settings/filters"

func (p *Pages) filterRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodPost) }
	get(filtersPath, p.members(p.filters))
	get(filtersPath+"/new", p.members(p.newFilter))
	post(filtersPath, p.members(p.makeFilter))
	get(filtersPath+"/{id:[0-9]+}", p.members(p.editFilter))
	post(filtersPath+"/{id:[0-9]+}", p.members(p.changeFilter))
	get(filtersPath+"/{id:[0-9]+}/remove", p.members(p.askRemoveFilter))
	post(filtersPath+"/{id:[0-9]+}/remove", p.members(p.removeFilter))
}

// filters lists what somebody does not want to read.
func (p *Pages) filters(h *here, w http.ResponseWriter, r *http.Request) error {
	l := h.l
	var all []community.Filter
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		all, err = community.FiltersOf(tx, h.me.ID)
		return err
	})
	if err != nil {
		return err
	}
	add := Action{Words: l.T("filters.new"), Icon: "plus", URL: filtersPath + "/new", Main: true}
	part := entriesPart{Empty: &EmptyState{Icon: "eye", Title: l.T("filters.empty_title"), Words: l.T("filters.empty"), Action: &add}}
	for _, f := range all {
		part.Entries = append(part.Entries, p.filterEntry(h, f))
	}
	view := entriesPage{Head: PageHead{Title: l.T("nav.settings")}, Tabs: settingsTabs(h, filtersPath), Intro: []string{l.T("filters.lead")}, Parts: []entriesPart{part}}
	if len(all) > 0 {
		view.Head.Actions = []Action{add}
	}
	return p.render(h, w, http.StatusOK, "entries", view.Head.Title, view)
}

func (p *Pages) filterEntry(h *here, f community.Filter) entry {
	l, at := h.l, filtersPath+"/"+digits(f.ID)
	words := make([]string, len(f.Keywords))
	for i, k := range f.Keywords {
		words[i] = k.Keyword
	}
	where := make([]string, 0, len(community.FilterContexts()))
	for _, c := range f.In() {
		where = append(where, contextWords(l, c))
	}
	e := entry{Title: f.Title, URL: at, Words: strings.Join(words, ", "), Facts: []Fact{
		{Name: l.T("filters.then"), Value: actionWords(l, f.Action)}, {Name: l.T("filters.where"), Value: strings.Join(where, ", ")}}}
	if len(f.Posts) > 0 {
		e.Facts = append(e.Facts, Fact{Name: l.T("filters.single"), Value: l.T("filters.posts", "Count", len(f.Posts))})
	}
	switch {
	case f.ExpiresAt == nil:
	case f.Counts(p.Now()):
		e.Facts = append(e.Facts, Fact{Name: l.T("filters.until"), Value: l.Moment(*f.ExpiresAt)})
	default:
		e.State = &State{Tone: "quiet", Icon: "clock", Words: l.T("filters.over", "At", l.Moment(*f.ExpiresAt))}
	}
	e.Actions = []Action{{Words: l.T("filters.edit"), Icon: "pen-line", URL: at}, {Words: l.T("filters.drop"), Icon: "trash-2", URL: at + "/remove"}}
	return e
}

func contextWords(l *Locale, c community.FilterContext) string {
	switch c {
	case community.FilterHome:
		return l.T("filters.in_home")
	case community.FilterNotifications:
		return l.T("filters.in_notifications")
	case community.FilterPublic:
		return l.T("filters.in_public")
	case community.FilterThread:
		return l.T("filters.in_thread")
	}
	return l.T("filters.in_account")
}

func actionWords(l *Locale, a community.FilterAction) string {
	switch a {
	case community.FilterHide:
		return l.T("filters.hide")
	case community.FilterBlur:
		return l.T("filters.blur")
	}
	return l.T("filters.fold")
}

// emptyWords is how many empty lines for words the form has.
const emptyWords = 3

// filterView is the form of a filter; id 0 is a new one.
func (p *Pages) filterView(h *here, id int64, f community.FilterForm, until string) formPage {
	l := h.l
	view := formPage{Head: PageHead{Title: l.T("filters.new"), Lead: l.T("filters.new_lead"), Back: &Link{Words: l.T("filters.back"), URL: filtersPath}},
		Action: filtersPath, Submit: l.T("form.save"), Cancel: filtersPath}
	if id != 0 {
		view.Head.Title, view.Head.Lead, view.Action = l.T("filters.change"), "", filtersPath+"/"+digits(id)
		view.Foot = []Action{{Words: l.T("filters.remove"), Icon: "trash-2", URL: view.Action + "/remove"}}
	}
	then := FormField{Name: "filter_action", Kind: "radio", Label: l.T("filters.then")}
	for _, a := range []community.FilterAction{community.FilterWarn, community.FilterHide, community.FilterBlur} {
		then.Options = append(then.Options, Option{Value: string(a), Words: actionWords(l, a), Selected: a == f.Action})
	}
	where := FormField{Name: "context", Kind: "checks", Label: l.T("filters.where")}
	for _, c := range community.FilterContexts() {
		on := false
		for _, chosen := range f.Contexts {
			on = on || chosen == c
		}
		where.Options = append(where.Options, Option{Value: string(c), Words: contextWords(l, c), Selected: on})
	}
	words := formPart{Title: l.T("filters.words"), Hint: l.T("filters.words_hint"), Words: true}
	for n := 1; n <= len(f.Keywords)+emptyWords; n++ {
		k := community.KeywordForm{WholeWord: true}
		if n <= len(f.Keywords) {
			k = f.Keywords[n-1]
		}
		no := strconv.Itoa(n)
		if k.ID != 0 {
			words.Hidden = append(words.Hidden, FormField{Name: "id-" + no, Kind: "hidden", Value: digits(k.ID)})
		}
		words.Fields = append(words.Fields, FormField{Name: "word-" + no, Label: l.T("filters.word", "N", n), Value: k.Keyword, Max: community.MaxFilterKeyword},
			FormField{Name: "whole-" + no, Kind: "checkbox", Label: l.T("filters.whole"), Checked: k.WholeWord})
	}
	view.Parts = []formPart{
		{Fields: []FormField{{Name: "title", Label: l.T("filters.title"), Hint: l.T("filters.title_hint"), Value: f.Title, Required: true, Max: community.MaxFilterTitle}}},
		words, {Fields: []FormField{then, where, p.timeField(h, "expires_at", l.T("filters.until"), l.T("filters.until_hint"), until)}},
	}
	view.Parts[2].Fields[2].Optional = true
	return view
}

// filterTyped reads the form of a filter, and what was typed as its end.
func (p *Pages) filterTyped(h *here, r *http.Request) (community.FilterForm, string, error) {
	if err := posted(r); err != nil {
		return community.FilterForm{}, "", err
	}
	f := community.FilterForm{Title: r.PostFormValue("title"), Action: community.FilterAction(r.PostFormValue("filter_action"))}
	for _, c := range r.PostForm["context"] {
		f.Contexts = append(f.Contexts, community.FilterContext(c))
	}
	for n := 1; n <= community.MaxFilterKeywords+emptyWords; n++ {
		no := strconv.Itoa(n)
		if _, sent := r.PostForm["word-"+no]; !sent {
			break
		}
		k := community.KeywordForm{Keyword: strings.TrimSpace(r.PostFormValue("word-" + no)), WholeWord: r.PostFormValue("whole-"+no) != ""}
		if id, ok := iri.ParseID(r.PostFormValue("id-" + no)); ok {
			k.ID, k.Gone = id, k.Keyword == ""
		}
		if k.ID != 0 || k.Keyword != "" {
			f.Keywords = append(f.Keywords, k)
		}
	}
	until := r.PostFormValue("expires_at")
	at, err := p.timeTyped(h, "expires_at", until)
	if err == nil && !at.IsZero() {
		if !at.After(p.Now()) {
			err = fault.Invalidf("expires_at", "Choose a time that is still to come.").WithKey("filters.past", nil)
		}
		f.ExpiresAt = &at
	}
	return f, until, err
}

// filterAgain shows the form again with what is wrong with it.
func (p *Pages) filterAgain(h *here, w http.ResponseWriter, id int64, f community.FilterForm, until string, err error) error {
	problem := mended(err)
	if problem == nil {
		return err
	}
	for i, field := range problem.Fields {
		switch field.Name {
		case "keyword": // which one is not said; only the first one is sure to be there
			problem.Fields[i].Name = "word-1"
		case "base":
			problem.Fields[i].Name = "title"
		}
	}
	return p.answerWith(h, w, p.filterView(h, id, f, until), problem)
}

func (p *Pages) newFilter(h *here, w http.ResponseWriter, r *http.Request) error {
	h.frame.Here = Myself
	return p.answerWith(h, w, p.filterView(h, 0, community.FilterForm{Action: community.FilterWarn, Contexts: community.FilterContexts()}, ""), nil)
}

func (p *Pages) makeFilter(h *here, w http.ResponseWriter, r *http.Request) error {
	h.frame.Here = Myself
	f, until, err := p.filterTyped(h, r)
	if err == nil {
		err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
			_, err := community.CreateFilter(tx, h.me, f)
			return err
		})
	}
	if err != nil {
		return p.filterAgain(h, w, 0, f, until, err)
	}
	p.flash(w, "flash.filter_saved")
	return seeOther(w, r, filtersPath)
}

// myFilter is the filter that the address names, if it is the reader's.
func (p *Pages) myFilter(h *here, r *http.Request) (f community.Filter, err error) {
	h.frame.Here = Myself
	id, err := idOf(r)
	if err != nil {
		return f, err
	}
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		f, err = community.FilterOf(tx, h.me.ID, id)
		return err
	})
	return f, err
}

func (p *Pages) editFilter(h *here, w http.ResponseWriter, r *http.Request) error {
	f, err := p.myFilter(h, r)
	if err != nil {
		return err
	}
	form, until := community.FilterForm{Title: f.Title, Action: f.Action, Contexts: f.In()}, ""
	for _, k := range f.Keywords {
		form.Keywords = append(form.Keywords, community.KeywordForm{ID: k.ID, Keyword: k.Keyword, WholeWord: k.WholeWord})
	}
	if f.ExpiresAt != nil {
		until = f.ExpiresAt.In(h.l.Zone).Format(timeLayout)
	}
	return p.answerWith(h, w, p.filterView(h, f.ID, form, until), nil)
}

func (p *Pages) changeFilter(h *here, w http.ResponseWriter, r *http.Request) error {
	before, err := p.myFilter(h, r)
	if err != nil {
		return err
	}
	f, until, err := p.filterTyped(h, r)
	// What has been over is saved as it was, unless another time was chosen.
	if before.ExpiresAt != nil && until == before.ExpiresAt.In(h.l.Zone).Format(timeLayout) {
		f.ExpiresAt = before.ExpiresAt
		err = nil
	}
	if err == nil {
		err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
			_, err := community.UpdateFilter(tx, h.me, before.ID, f)
			return err
		})
	}
	if err != nil {
		return p.filterAgain(h, w, before.ID, f, until, err)
	}
	p.flash(w, "flash.filter_saved")
	return seeOther(w, r, filtersPath)
}

func (p *Pages) askRemoveFilter(h *here, w http.ResponseWriter, r *http.Request) error {
	f, err := p.myFilter(h, r)
	if err != nil {
		return err
	}
	l := h.l
	panel := ConfirmPanel{Title: l.T("filters.remove_title", "Title", f.Title), Action: filtersPath + "/" + digits(f.ID) + "/remove",
		Button: l.T("filters.remove"), Cancel: filtersPath, Effects: []string{l.T("filters.remove_words", "Count", len(f.Keywords))}}
	if len(f.Posts) > 0 {
		panel.Effects = append(panel.Effects, l.T("filters.remove_posts", "Count", len(f.Posts)))
	}
	return p.render(h, w, http.StatusOK, "confirm", panel.Title, confirmPage{panel})
}

func (p *Pages) removeFilter(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return community.DeleteFilter(tx, h.me, id) }); err != nil {
		return err
	}
	p.flash(w, "flash.filter_removed")
	return seeOther(w, r, filtersPath)
}

// timeLayout is what a control of kind datetime-local sends.
//
// HTML, section 2.3.5.5 (local dates and times).
const timeLayout = "2006-01-02T15:04"

// timeField asks for a day and a time. Without a script nobody knows which
// clock the reader has, so the field says by which it is read: this server's.
func (p *Pages) timeField(h *here, name, label, hint, value string) FormField {
	now := p.Now().In(h.l.Zone)
	return FormField{Name: name, Kind: "datetime-local", Label: label, Hint: strings.TrimSpace(hint + " " + h.l.T("form.clock", "Time", now.Format("15:04 MST"))), Value: value}
}

// timeTyped reads a timeField; empty is the zero time.
func (p *Pages) timeTyped(h *here, name, typed string) (time.Time, error) {
	if typed = strings.TrimSpace(typed); typed == "" {
		return time.Time{}, nil
	}
	at, err := time.ParseInLocation(timeLayout, typed, h.l.Zone)
	if err != nil {
		at, err = time.ParseInLocation(timeLayout+":05", typed, h.l.Zone)
	}
	if err != nil || at.Year() < 2000 || at.Year() > 2200 {
		return time.Time{}, fault.Invalidf(name, "Write the time as 2030-01-31T08:00.").WithKey("form.time_invalid", nil)
	}
	return at, nil
}
