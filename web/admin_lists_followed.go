package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Lists looks at a list of another server now.
type Lists interface {
	LookAtList(ctx context.Context, subscription int64) error
}

// subState says how it stands with a list that is followed.
func (p *Pages) subState(l *Locale, s peers.Subscription) State {
	switch {
	case s.State == peers.SubAsked:
		return State{Tone: "wait", Icon: "clock", Words: l.T("peerlist.is_asked")}
	case s.State == peers.SubConfirm:
		return State{Tone: "wait", Icon: "shield", Words: l.T("peerlist.is_confirm")}
	case s.State == peers.SubEnded:
		return State{Tone: "quiet", Icon: "x", Words: l.T("peerlist.is_ended")}
	case s.State == peers.SubStopped && s.Why == peers.StopKey:
		return State{Tone: "bad", Icon: "triangle-alert", Words: l.T("peerlist.is_key")}
	case s.State == peers.SubStopped && s.Why == peers.StopMass:
		return State{Tone: "bad", Icon: "triangle-alert", Words: l.T("peerlist.is_mass")}
	case s.State == peers.SubStopped:
		return State{Tone: "quiet", Icon: "x", Words: l.T("peerlist.is_stopped")}
	case s.Error == peers.ListPublisherPaused:
		return State{Tone: "wait", Icon: "clock", Words: l.T("peerlist.is_paused")}
	case s.NotAsked():
		return State{Tone: "quiet", Icon: "x", Words: l.T("peerlist.is_cut")}
	case s.Error != "":
		return State{Tone: "bad", Icon: "circle-alert", Words: l.T("peerlist.is_failing")}
	case s.Todo > 0:
		return State{Tone: "wait", Icon: "clock", Words: l.T("peerlist.progress", "Done", l.Number(s.Done), "All", l.Number(s.Todo))}
	case s.AutoAccept:
		return State{Tone: "good", Icon: "circle-check", Words: l.T("peerlist.is_auto")}
	}
	return State{Tone: "good", Icon: "circle-check", Words: l.T("peerlist.is_drafts")}
}

func listError(l *Locale, s peers.Subscription) string {
	if s.Error == "" {
		return ""
	}
	return l.T(s.Error, "Host", s.Host)
}

// subFields ask what follows from a list.
func subFields(l *Locale, f peers.SubForm, signed bool) []formPart {
	capField := FormField{Name: "tier_cap", Kind: "select", Label: l.T("peerlist.cap"), Hint: l.T("peerlist.cap_hint")}
	for _, t := range peers.TierCaps() {
		capField.Options = append(capField.Options, Option{Value: string(t), Words: presetWords(l, t), Selected: t == f.TierCap || f.TierCap == "" && t == peers.PresetNetwork})
	}
	retract := FormField{Name: "on_retract", Kind: "select", Label: l.T("peerlist.on_retract")}
	for _, o := range []struct {
		value peers.OnRetract
		words string
	}{{peers.RetractReview, l.T("peerlist.retract_review")}, {peers.RetractRemove, l.T("peerlist.retract_remove")}, {peers.RetractIgnore, l.T("peerlist.retract_ignore")}} {
		retract.Options = append(retract.Options, Option{Value: string(o.value), Words: o.words, Selected: o.value == f.OnRetract})
	}
	first := []FormField{capField, retract}
	if signed {
		first = append([]FormField{{Name: "auto_accept", Kind: "checkbox", Label: l.T("peerlist.auto_accept"), Hint: l.T("peerlist.auto_accept_hint"), Checked: f.AutoAccept}}, first...)
		first = append(first, FormField{Name: "auto_resume", Kind: "checkbox", Label: l.T("peerlist.auto_resume"), Hint: l.T("peerlist.auto_resume_hint"), Checked: f.AutoResume})
	}
	first = append(first, FormField{Name: "adopt", Kind: "checkbox", Label: l.T("peerlist.adopt"), Hint: l.T("peerlist.adopt_hint"), Checked: f.Adopt})
	quorum := ""
	if f.Quorum > 0 {
		quorum = strconv.FormatInt(f.Quorum, 10)
	}
	return []formPart{{Fields: first},
		{Title: l.T("peerlist.together"), Hint: l.T("peerlist.together_hint"), Fields: []FormField{
			{Name: "group", Label: l.T("peerlist.group"), Value: f.Group, Optional: true, Max: 60},
			{Name: "quorum", Kind: "number", Label: l.T("peerlist.quorum"), Value: quorum, Optional: true, Small: true},
			{Name: "priority", Kind: "number", Label: l.T("peerlist.priority"), Hint: l.T("peerlist.priority_hint"), Value: strconv.FormatInt(f.Priority, 10), Small: true}}}}
}

func subFormOf(r *http.Request) peers.SubForm {
	number := func(name string) int64 {
		s := strings.TrimSpace(r.PostFormValue(name))
		if s == "" {
			return 0
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return -1 << 40 // refused with words about its field
		}
		return n
	}
	return peers.SubForm{AutoAccept: r.PostFormValue("auto_accept") != "", AutoResume: r.PostFormValue("auto_resume") != "", Adopt: r.PostFormValue("adopt") != "",
		TierCap: peers.Preset(r.PostFormValue("tier_cap")), Group: r.PostFormValue("group"), Quorum: number("quorum"), Priority: number("priority"),
		OnRetract: peers.OnRetract(r.PostFormValue("on_retract"))}
}

func (p *Pages) followListView(h *here, r *http.Request) formPage {
	l := h.l
	tabs := p.adminTabs(h, "/admin/peers")
	first := formPart{Fields: []FormField{
		{Name: "url", Kind: "url", Label: l.T("peerlist.url"), Hint: l.T("peerlist.url_hint"), Value: r.FormValue("url"), Required: true, Code: true, Max: 1500, Autocomplete: "off"},
		{Name: "pin", Label: l.T("peerlist.pin"), Hint: l.T("peerlist.pin_hint"), Value: r.FormValue("pin"), Optional: true, Code: true, Max: 200, Autocomplete: "off"}}}
	f := subFormOf(r)
	if r.Method == http.MethodGet {
		f = peers.SubForm{}
	}
	return formPage{Head: PageHead{Title: l.T("peerlist.follow"), Lead: l.T("peerlist.follow_lead"), Back: listsBack(l)}, Tabs: &tabs, Action: listsAt + "/follow",
		Submit: l.T("peerlist.follow_submit"), Cancel: listsAt, Parts: append([]formPart{first}, subFields(l, f, true)...)}
}

func (p *Pages) followListForm(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.answerWith(h, w, p.followListView(h, r), nil)
}

// lookWithin is how long a page waits for another server's list.
const lookWithin = 20 * time.Second

// lookNow has a list looked at, and goes on if that takes too long: it is done anyway.
func (p *Pages) lookNow(ctx context.Context, id int64) error {
	if p.Lists == nil {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.Lists.LookAtList(context.WithoutCancel(ctx), id) }()
	select {
	case err := <-done:
		return err
	case <-within.Done():
		return nil
	}
}

func (p *Pages) followServerList(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	var s peers.Subscription
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		s, err = peers.Subscribe(tx, h.me.ID, r.PostFormValue("url"), r.PostFormValue("pin"), subFormOf(r))
		return err
	})
	if problem := mended(err); problem != nil {
		return p.answerWith(h, w, p.followListView(h, r), problem)
	} else if err != nil {
		return err
	}
	if err := p.lookNow(r.Context(), s.ID); err != nil {
		return err
	}
	return seeOther(w, r, subPath(s.ID))
}

// subscriptionPage is a list that is followed.
type subscriptionPage struct {
	Head     PageHead
	Tabs     Tabs
	Parts    Tabs
	Name     string
	State    State
	Error    string
	Facts    []Fact
	Ask      *subQuestion
	Decide   []Action
	Acts     []Action
	Form     formPage
	Unsigned bool
}

// subQuestion is what a person must decide before a list goes on.
type subQuestion struct {
	Title  string
	Words  []string
	Print  string // the key's fingerprint
	Before string // and that of the one before
	Action Action
}

func (p *Pages) subscription(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showSubscription(h, w, r, nil, nil)
}

func (p *Pages) showSubscription(h *here, w http.ResponseWriter, r *http.Request, typed *peers.SubForm, problem *fault.Error) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var s peers.Subscription
	var counts []peers.DraftCount
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if s, err = peers.SubscriptionByID(tx, id); err != nil {
			return err
		}
		counts, err = peers.CountDrafts(tx)
		return err
	})
	if err != nil {
		return err
	}
	l, at := h.l, subPath(id)
	form := s.Form()
	if typed != nil {
		form = *typed
	}
	mayBeSigned := s.Signed() || s.NewKeyPEM != "" || s.State == peers.SubAsked
	view := subscriptionPage{
		Head: PageHead{Title: s.Title(), Back: listsBack(l)}, Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, listsAt),
		State: p.subState(l, s), Error: listError(l, s), Unsigned: !mayBeSigned,
		Form: formPage{Action: at, Submit: l.T("form.save"), Parts: subFields(l, form, mayBeSigned)},
	}
	fact := func(name, value string) {
		if value != "" {
			view.Facts = append(view.Facts, Fact{Name: name, Value: value})
		}
	}
	fact(l.T("peerlist.fact_address"), s.Address())
	fact(l.T("peerlist.fact_publisher"), s.Publisher)
	fact(l.T("peerlist.fact_entries"), l.Number(s.Entries))
	if s.Signed() {
		fact(l.T("peerlist.fact_key"), peers.KeyPrint(s.KeyPEM))
	}
	if s.OKAt != nil {
		fact(l.T("peerlist.fact_looked"), l.Ago(*s.OKAt, p.Now()))
	}
	if s.NextAt != nil && s.State != peers.SubEnded && !s.NotAsked() {
		fact(l.T("peerlist.fact_next"), l.Moment(*s.NextAt))
	}
	open, accepting := 0, 0
	for _, c := range counts {
		if c.SubID == id && c.State == peers.DraftAccepting {
			accepting += c.N
		} else if c.SubID == id {
			open += c.N
		}
	}
	if accepting > 0 {
		fact(l.T("peerlist.fact_accepting"), l.T("peerlist.accepting", "Count", accepting))
	}
	if open > 0 {
		view.Decide = append(view.Decide, Action{Words: l.T("peerlist.decide_drafts", "Count", open), Icon: "list", URL: listsAt + "/drafts?sub=" + digits(id)})
	}
	view.Ask = p.subQuestion(l, s)
	look := Action{Words: l.T("peerlist.look_now"), Icon: "clock", URL: at + "/look", Post: true}
	switch s.Error {
	case peers.ListPublisherPaused:
		look = endDeed(l, "resume", s.Host)
	case peers.ListPublisherEnded:
		look = Action{Words: l.T("peerlist.see_publisher", "Host", s.Host), Icon: "history", URL: peerPath(s.Host)}
	}
	switch s.State {
	case peers.SubActive:
		view.Acts = append(view.Acts, look, Action{Words: l.T("peerlist.stop"), Icon: "x", URL: at + "/stop", Post: true})
	case peers.SubAsked:
		view.Acts = append(view.Acts, look)
	case peers.SubStopped:
		if s.Why == peers.StopHand {
			view.Acts = append(view.Acts, Action{Words: l.T("peerlist.go_on"), Icon: "play", URL: at + "/go_on", Post: true})
		}
	}
	if s.State == peers.SubEnded {
		view.Form = formPage{}
	} else {
		view.Acts = append(view.Acts, Action{Words: l.T("peerlist.unsubscribe"), Icon: "trash-2", URL: at + "/end", Danger: true})
	}
	status := http.StatusOK
	if problem != nil {
		view.Form.blame(l, problem)
		status = problem.Kind.Status()
	}
	return p.render(h, w, status, "admin_list_followed", view.Head.Title, view)
}

func (p *Pages) subQuestion(l *Locale, s peers.Subscription) *subQuestion {
	at := subPath(s.ID)
	print := peers.KeyPrint(s.NewKeyPEM)
	switch {
	case s.State == peers.SubConfirm:
		return &subQuestion{Title: l.T("peerlist.ask_key"), Words: []string{l.T("peerlist.ask_key_words", "Publisher", s.Publisher), l.T("peerlist.ask_key_how", "Host", s.Host)}, Print: print,
			Action: Action{Words: l.T("peerlist.confirm_key"), Icon: "check", URL: at + "/key", Post: true, Main: true, Fields: map[string]string{"print": print}}}
	case s.State == peers.SubStopped && s.Why == peers.StopKey:
		return &subQuestion{Title: l.T("peerlist.ask_new_key"), Words: []string{l.T("peerlist.ask_new_key_words", "Publisher", s.Publisher), l.T("peerlist.ask_key_how", "Host", s.Host)}, Print: print,
			Before: peers.KeyPrint(s.KeyPEM),
			Action: Action{Words: l.T("peerlist.confirm_key"), Icon: "check", URL: at + "/key", Post: true, Danger: true, Fields: map[string]string{"print": print}}}
	case s.State == peers.SubStopped && s.Why == peers.StopMass:
		return &subQuestion{Title: l.T("peerlist.ask_mass"), Words: []string{
			l.T("peerlist.ask_mass_words", "Changed", l.Number(s.HeldChanged), "Gone", l.Number(s.HeldGone), "All", l.Number(s.Entries)), l.T("peerlist.ask_mass_how")},
			Action: Action{Words: l.T("peerlist.let"), Icon: "check", URL: at + "/let", Post: true, Danger: true}}
	}
	return nil
}

func (p *Pages) setSubscription(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	id, err := idOf(r)
	if err != nil {
		return err
	}
	f := subFormOf(r)
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := peers.SetSubscription(tx, h.me.ID, id, f)
		return err
	})
	if problem := mended(err); problem != nil {
		return p.showSubscription(h, w, r, &f, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.saved")
	return seeOther(w, r, subPath(id))
}

func (p *Pages) askUnsubscribe(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var s peers.Subscription
	if err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		s, err = peers.SubscriptionByID(tx, id)
		return err
	}); err != nil {
		return err
	}
	l := h.l
	return p.confirm(h, w, "/admin/peers", ConfirmPanel{Title: l.T("peerlist.unsubscribe_title", "Name", s.Title()), Action: subPath(id) + "/end", Cancel: subPath(id),
		Button: l.T("peerlist.unsubscribe"), Effects: []string{l.T("peerlist.unsubscribe_kept"), l.T("peerlist.unsubscribe_drafts"), l.T("peerlist.unsubscribe_emergency")}}, nil)
}

func (p *Pages) decideSubscription(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	id, err := idOf(r)
	if err != nil {
		return err
	}
	deed, to, said := mux.Vars(r)["deed"], subPath(id), "flash.saved"
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		switch deed {
		case "end":
			to, said = listsAt, "flash.peerlist_ended"
			err = peers.Unsubscribe(tx, h.me.ID, id)
		case "key":
			said = "flash.peerlist_key"
			_, err = peers.ConfirmKey(tx, h.me.ID, id, r.PostFormValue("print"))
		case "let":
			said = "flash.peerlist_let"
			_, err = peers.LetThrough(tx, h.me.ID, id)
		case "look":
			said = "flash.peerlist_looked"
			err = peers.FetchNow(tx, id)
		default:
			_, err = peers.StopSubscription(tx, h.me.ID, id, deed == "stop")
		}
		return err
	})
	if err != nil {
		return err
	}
	if deed == "key" || deed == "let" || deed == "look" {
		if err := p.lookNow(r.Context(), id); err != nil {
			return err
		}
	}
	p.flash(w, said)
	return seeOther(w, r, to)
}

// excludesPage shows the hosts that no list touches by itself.
type excludesPage struct {
	Head   PageHead
	Tabs   Tabs
	Parts  Tabs
	Errors ErrorSummary
	Fields []FormField
	Rows   []excludeRow
}

type excludeRow struct {
	Host, Note string
	At         time.Time
	End        Action
}

func (p *Pages) excludes(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showExcludes(h, w, r, nil)
}

func (p *Pages) showExcludes(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	var all []peers.Exclude
	if err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		all, err = peers.Excludes(tx)
		return err
	}); err != nil {
		return err
	}
	l, status := h.l, http.StatusOK
	view := excludesPage{Head: PageHead{Title: l.T("peerlist.excludes"), Lead: l.T("peerlist.excludes_lead"), Back: listsBack(l)}, Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, listsAt),
		Fields: []FormField{{Name: "host", Label: l.T("peers.host"), Value: r.PostFormValue("host"), Required: true, Code: true, Max: 300, Autocomplete: "off"},
			{Name: "note", Label: l.T("peers.note"), Value: r.PostFormValue("note"), Optional: true, Max: 4000}}}
	for _, e := range all {
		view.Rows = append(view.Rows, excludeRow{Host: e.Host, Note: e.Note, At: e.CreatedAt,
			End: Action{Words: l.T("peerlist.include"), Icon: "x", URL: listsAt + "/excludes/" + url.PathEscape(e.Host) + "/end", Post: true}})
	}
	if problem != nil {
		var wrong map[string]string
		view.Errors, wrong = ErrorsOf(l, problem)
		for i := range view.Fields {
			view.Fields[i].Error = wrong[view.Fields[i].Name]
		}
		status = problem.Kind.Status()
	}
	return p.render(h, w, status, "admin_list_excludes", view.Head.Title, view)
}

func (p *Pages) exclude(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error {
		return peers.ExcludeHost(tx, h.me.ID, r.PostFormValue("host"), r.PostFormValue("note"), true)
	})
	if problem := mended(err); problem != nil {
		return p.showExcludes(h, w, r, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.saved")
	return seeOther(w, r, listsAt+"/excludes")
}

func (p *Pages) include(h *here, w http.ResponseWriter, r *http.Request) error {
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return peers.ExcludeHost(tx, h.me.ID, mux.Vars(r)["host"], "", false) })
	if err != nil {
		return err
	}
	p.flash(w, "flash.saved")
	return seeOther(w, r, listsAt+"/excludes")
}
