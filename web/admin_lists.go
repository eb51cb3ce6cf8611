package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Lists looks at a list of another server now.
type Lists interface {
	LookAtList(ctx context.Context, subscription int64) error
}

// listsAt is where the pages about lists of servers begin.
const listsAt = "/admin/peers/lists"

// listPagesRoutes mounts the pages about lists of servers.
func (p *Pages) listPagesRoutes(get, post func(path string, may func(community.Role) bool, h handler)) {
	may := community.Role.MayManagePeers
	get(listsAt, may, p.serverLists)
	get(listsAt+"/follow", may, p.followListForm)
	post(listsAt+"/follow", may, p.followServerList)
	get(listsAt+"/excludes", may, p.excludes)
	post(listsAt+"/excludes", may, p.exclude)
	post(listsAt+"/excludes/{host}/end", may, p.include)
	get(listsAt+"/drafts", may, p.drafts)
	get(listsAt+"/drafts/{deed:accept|reject}", may, p.askDrafts)
	post(listsAt+"/drafts/{deed:accept|reject}", may, p.decideDrafts)
	post(listsAt+"/drafts/{id:[0-9]+}/{deed:accept|reject|undo}", may, p.decideDraft)
	get(listsAt+"/followed/{id:[0-9]+}", may, p.subscription)
	post(listsAt+"/followed/{id:[0-9]+}", may, p.setSubscription)
	get(listsAt+"/followed/{id:[0-9]+}/end", may, p.askUnsubscribe)
	post(listsAt+"/followed/{id:[0-9]+}/{deed:end|key|let|look|stop|go_on}", may, p.decideSubscription)
	get(listsAt+"/new", may, p.newListForm)
	post(listsAt+"/new", may, p.newServerList)
	const ours = listsAt + "/ours/{path:[a-z0-9-]+}"
	get(ours, may, p.publishedList)
	post(ours, may, p.setPublishedList)
	post(ours+"/add", may, p.addToList)
	get(ours+"/{deed:drop|unpublish}", may, p.askPublished)
	post(ours+"/{deed:publish|unpublish|drop|link}", may, p.decidePublished)
	get(ours+"/{deed:retract|emergency|over}", may, p.askEntry)
	post(ours+"/{deed:retract|emergency|over}", may, p.decideEntry)
}

// serverListsPage shows the lists that are followed and those that are given out.
type serverListsPage struct {
	Head     PageHead
	Tabs     Tabs
	Parts    Tabs
	Decide   []Action
	Followed []listRow
	Ours     []listRow
	None     EmptyState // no list of either kind
	Undo     Link
	Excluded Link
}

// listRow is a list among others.
type listRow struct {
	Name, URL, Host string
	State           State
	What            string
	Detail          string
	Error           string
}

func (p *Pages) serverLists(h *here, w http.ResponseWriter, r *http.Request) error {
	var subs []peers.Subscription
	var ours []peers.PublishedList
	var counts []peers.DraftCount
	var on map[int64]peers.ListCount
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if subs, err = peers.Subscriptions(tx); err != nil {
			return err
		}
		if ours, err = peers.PublishedLists(tx); err != nil {
			return err
		}
		if counts, err = peers.CountDrafts(tx); err != nil {
			return err
		}
		on, err = peers.CountLists(tx)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	view := serverListsPage{
		Head: PageHead{Title: l.T("peerlist.title"), Lead: l.T("peerlist.lead"), Actions: []Action{
			{Words: l.T("peerlist.follow"), Icon: "plus", URL: listsAt + "/follow", Main: true},
			{Words: l.T("peerlist.make"), Icon: "list", URL: listsAt + "/new"}}},
		Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, listsAt), Decide: listDecisions(l, subs, counts),
		None:     EmptyState{Icon: "list", Title: l.T("peerlist.none"), Words: l.T("peerlist.none_words")},
		Undo:     Link{Words: l.T("peerlist.done_link"), URL: listsAt + "/drafts?show=done"},
		Excluded: Link{Words: l.T("peerlist.excludes"), URL: listsAt + "/excludes"},
	}
	waiting := map[int64]int{}
	for _, c := range counts {
		waiting[c.SubID] += c.N
	}
	for _, s := range subs {
		row := listRow{Name: s.Title(), Host: s.Host, URL: subPath(s.ID), State: p.subState(l, s), What: l.T("peerlist.servers", "Count", int(s.Entries)), Error: listError(l, s)}
		if n := waiting[s.ID]; n > 0 {
			row.What += " · " + l.T("peerlist.waiting", "Count", n)
		}
		if s.OKAt != nil {
			row.Detail = l.T("peerlist.looked", "When", l.Ago(*s.OKAt, p.Now()))
		}
		view.Followed = append(view.Followed, row)
	}
	for _, one := range ours {
		c := on[one.ID]
		row := listRow{Name: one.Name, Host: p.site.Host + "/peering/lists/" + one.Path, URL: publishedPath(one.Path), State: publishedState(l, one, c),
			What: l.T("peerlist.servers", "Count", c.Entries), Detail: l.T("peerlist.readers", "Count", c.Readers)}
		view.Ours = append(view.Ours, row)
	}
	return p.render(h, w, http.StatusOK, "admin_lists", view.Head.Title, view)
}

// listDecisions is what waits for a decision about lists, as links.
func listDecisions(l *Locale, subs []peers.Subscription, counts []peers.DraftCount) []Action {
	var all []Action
	for _, s := range subs {
		switch {
		case s.State == peers.SubConfirm:
			all = append(all, Action{Words: l.T("peerlist.decide_key", "Name", s.Title()), Icon: "shield", URL: subPath(s.ID)})
		case s.State == peers.SubStopped && s.Why == peers.StopKey:
			all = append(all, Action{Words: l.T("peerlist.decide_new_key", "Name", s.Title()), Icon: "triangle-alert", URL: subPath(s.ID)})
		case s.State == peers.SubStopped && s.Why == peers.StopMass:
			all = append(all, Action{Words: l.T("peerlist.decide_mass", "Name", s.Title()), Icon: "triangle-alert", URL: subPath(s.ID)})
		}
	}
	open := 0
	for _, c := range counts {
		if c.State != peers.DraftAccepting {
			open += c.N
		}
	}
	if open > 0 {
		all = append(all, Action{Words: l.T("peerlist.decide_drafts", "Count", open), Icon: "list", URL: listsAt + "/drafts"})
	}
	return all
}

func subPath(id int64) string { return listsAt + "/followed/" + digits(id) }

func publishedPath(path string) string { return listsAt + "/ours/" + path }

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
	return l.T(s.Error)
}

func publishedState(l *Locale, one peers.PublishedList, c peers.ListCount) State {
	switch {
	case !one.Live:
		return State{Tone: "quiet", Icon: "eye", Words: l.T("peerlist.is_unpublished")}
	case c.Emergencies > 0:
		return State{Tone: "bad", Icon: "triangle-alert", Words: l.T("peerlist.emergencies", "Count", c.Emergencies)}
	}
	return State{Tone: "good", Icon: "circle-check", Words: visibilityWords(l, one.Visibility)}
}

func visibilityWords(l *Locale, v peers.Visibility) string {
	switch v {
	case peers.VisiblePublic:
		return l.T("peerlist.visible_public")
	case peers.VisibleLink:
		return l.T("peerlist.visible_link")
	}
	return l.T("peerlist.visible_peers")
}

func listsBack(l *Locale) *Link { return &Link{Words: l.T("peerlist.title"), URL: listsAt} }

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
	if s.NextAt != nil && s.State != peers.SubEnded {
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
	switch s.State {
	case peers.SubActive:
		view.Acts = append(view.Acts, Action{Words: l.T("peerlist.look_now"), Icon: "clock", URL: at + "/look", Post: true}, Action{Words: l.T("peerlist.stop"), Icon: "x", URL: at + "/stop", Post: true})
	case peers.SubAsked:
		view.Acts = append(view.Acts, Action{Words: l.T("peerlist.look_now"), Icon: "clock", URL: at + "/look", Post: true})
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

// draftsPage is what lists propose, or what came of them.
type draftsPage struct {
	Head      PageHead
	Tabs      Tabs
	Parts     Tabs
	Filter    Tabs
	Accepting string // how many that were accepted together are not done yet
	Query     FormField
	Sub, Show string
	What      string
	Count     string
	All       []Action
	Rows      []draftRow
	Pager     Pager
	Empty     EmptyState
}

// draftRow is one of them.
type draftRow struct {
	Name, Host, URL string
	What            string
	Detail          string
	Reason          string
	List            Link
	By              string
	At              time.Time
	State           *State
	Acts            []Action
}

// draftFilter reads which drafts are asked for.
func draftFilter(r *http.Request) peers.DraftFilter {
	f := peers.DraftFilter{What: peers.DraftKind(r.FormValue("what")), Query: r.FormValue("q")}
	f.SubID, _ = strconv.ParseInt(r.FormValue("sub"), 10, 64) // what is no number is no list, and shows all
	if !slices.Contains([]peers.DraftKind{peers.DraftAllow, peers.DraftChange, peers.DraftBlock, peers.DraftRemove, peers.DraftPause, peers.DraftResume}, f.What) {
		f.What = ""
	}
	return f
}

func draftQuery(f peers.DraftFilter) url.Values {
	q := url.Values{}
	if f.SubID != 0 {
		q.Set("sub", digits(f.SubID))
	}
	if f.What != "" {
		q.Set("what", string(f.What))
	}
	if f.Query != "" {
		q.Set("q", f.Query)
	}
	return q
}

// draftWords says what a draft would do, or did.
func draftWords(l *Locale, d peers.Draft) string {
	switch d.What {
	case peers.DraftAllow:
		return l.T("peerlist.draft_allow", "Preset", presetWords(l, d.Tier))
	case peers.DraftChange:
		return l.T("peerlist.draft_change", "Preset", presetWords(l, d.Tier))
	case peers.DraftBlock:
		return l.T("peerlist.draft_block")
	case peers.DraftRemove:
		return l.T("peerlist.draft_remove")
	case peers.DraftPause:
		return l.T("peerlist.draft_pause")
	}
	return l.T("peerlist.draft_resume")
}

// kindOfDraft names a kind of draft in the filter.
func kindOfDraft(l *Locale, k peers.DraftKind) string {
	switch k {
	case peers.DraftAllow:
		return l.T("peerlist.kind_allow")
	case peers.DraftChange:
		return l.T("peerlist.kind_change")
	case peers.DraftBlock:
		return l.T("peerlist.kind_block")
	case peers.DraftRemove:
		return l.T("peerlist.kind_remove")
	case peers.DraftPause:
		return l.T("peerlist.kind_pause")
	}
	return l.T("peerlist.kind_resume")
}

const draftsShown = 40

func (p *Pages) drafts(h *here, w http.ResponseWriter, r *http.Request) error {
	f, page, done := draftFilter(r), pageOf(r), r.FormValue("show") == "done"
	page.Limit = draftsShown
	if done {
		f.States = []peers.DraftState{peers.DraftAccepted, peers.DraftRejected, peers.DraftUndone}
	}
	var all []peers.Draft
	var counts []peers.DraftCount
	var subs map[int64]peers.Subscription
	var by map[int64]community.Account
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if all, err = peers.Drafts(tx, f, page); err != nil {
			return err
		}
		if counts, err = peers.CountDrafts(tx); err != nil {
			return err
		}
		ids, people := []int64{f.SubID}, []int64{}
		for _, d := range all {
			ids = append(ids, d.SubID)
			if d.DecidedBy != nil {
				people = append(people, *d.DecidedBy)
			}
		}
		slices.Sort(ids)
		if subs, err = peers.SubscriptionsByID(tx, slices.Compact(ids)); err != nil {
			return err
		}
		by, err = community.AccountsByID(tx, people)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	view := draftsPage{Head: PageHead{Title: l.T("peerlist.drafts"), Lead: l.T("peerlist.drafts_lead"), Back: listsBack(l)}, Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, listsAt),
		Query: FormField{Name: "q", Kind: "search", Label: l.T("peers.host"), Value: f.Query, Max: 200, Code: true}, What: string(f.What),
		Empty: EmptyState{Icon: "circle-check", Title: l.T("peerlist.no_drafts"), Words: l.T("peerlist.no_drafts_words")}}
	if f.SubID != 0 {
		view.Sub = digits(f.SubID)
		if s, ok := subs[f.SubID]; ok {
			view.Head.Back = &Link{Words: s.Title(), URL: subPath(s.ID)}
		}
	}
	if done {
		view.Show = "done"
		view.Head.Title, view.Head.Lead = l.T("peerlist.done"), l.T("peerlist.done_lead")
		view.Empty = EmptyState{Icon: "history", Title: l.T("peerlist.none_done"), Words: l.T("peerlist.none_done_words")}
	}
	tab := func(what peers.DraftKind, words string, n int) {
		to := f
		to.What = what
		q := draftQuery(to)
		if done {
			q.Set("show", "done")
		}
		view.Filter.Items = append(view.Filter.Items, Tab{Words: words, URL: listsAt + "/drafts?" + q.Encode(), Current: f.What == what, Count: n})
	}
	view.Filter.Label = l.T("peers.filter")
	kinds := []peers.DraftKind{peers.DraftPause, peers.DraftResume, peers.DraftAllow, peers.DraftChange, peers.DraftRemove, peers.DraftBlock}
	number, open, accepting := map[peers.DraftKind]int{}, 0, 0
	for _, c := range counts {
		if f.SubID != 0 && c.SubID != f.SubID {
			continue
		}
		if c.State == peers.DraftAccepting {
			accepting += c.N
			continue
		}
		number[c.What] += c.N
		open += c.N
	}
	if done {
		tab("", l.T("peers.show_all"), -1)
	} else {
		tab("", l.T("peers.show_all"), open)
	}
	for _, k := range kinds {
		if done {
			tab(k, kindOfDraft(l, k), -1)
		} else if number[k] > 0 || f.What == k {
			tab(k, kindOfDraft(l, k), number[k])
		}
	}
	if accepting > 0 {
		view.Accepting = l.T("peerlist.accepting", "Count", accepting)
	}
	if !done && len(all) > 1 {
		q := "?" + draftQuery(f).Encode()
		view.All = []Action{{Words: l.T("peerlist.accept_all"), Icon: "circle-check", URL: listsAt + "/drafts/accept" + q}, {Words: l.T("peerlist.reject_all"), Icon: "x", URL: listsAt + "/drafts/reject" + q}}
	}
	for _, d := range all {
		view.Rows = append(view.Rows, p.draftRow(h, d, subs[d.SubID], by))
	}
	if n := len(all); n > 0 {
		view.Pager = pager(r, page, n, all[0].ID, all[n-1].ID)
	}
	return p.render(h, w, http.StatusOK, "admin_list_drafts", view.Head.Title, view)
}

func (p *Pages) draftRow(h *here, d peers.Draft, s peers.Subscription, by map[int64]community.Account) draftRow {
	l, at := h.l, listsAt+"/drafts/"+digits(d.ID)
	row := draftRow{Name: d.Label, Host: d.Host, URL: peerPath(d.Host), What: draftWords(l, d), Detail: d.Note, Reason: d.Reason, List: Link{Words: s.Title(), URL: subPath(s.ID)}, At: d.CreatedAt}
	if d.Subtree {
		row.What += " " + l.T("peerlist.with_names_below")
	}
	if d.ExpiresAt != nil {
		row.What += " " + l.T("peerlist.until", "Date", l.Date(*d.ExpiresAt))
	}
	if d.DecidedAt != nil {
		row.At = *d.DecidedAt
	}
	switch {
	case d.ByItself:
		row.By = l.T("peerlist.by_itself")
	case d.DecidedBy != nil:
		a := by[*d.DecidedBy]
		row.By = a.Name()
	case d.DecidedAt != nil:
		row.By = l.T("peers.command_line")
	}
	accept := Action{Words: l.T("peerlist.accept"), Icon: "circle-check", URL: at + "/accept", Post: true}
	reject := Action{Words: l.T("peerlist.reject"), Icon: "x", URL: at + "/reject", Post: true}
	switch d.State {
	case peers.DraftOpen:
		row.Acts = []Action{accept, reject}
	case peers.DraftFailed:
		row.State = &State{Tone: "bad", Icon: "circle-alert", Words: l.T(d.Error)}
		row.Acts = []Action{accept, reject}
	case peers.DraftRejected:
		row.State = &State{Tone: "quiet", Icon: "x", Words: l.T("peerlist.is_rejected")}
	case peers.DraftUndone:
		row.State = &State{Tone: "quiet", Icon: "history", Words: l.T("peerlist.is_undone")}
	case peers.DraftAccepted:
		row.State = &State{Tone: "good", Icon: "circle-check", Words: l.T("peerlist.is_done")}
		if d.AppliedAt == nil {
			row.State = &State{Tone: "quiet", Icon: "circle-check", Words: l.T("peerlist.is_nothing")}
		} else {
			row.Acts = []Action{{Words: l.T("peerlist.undo"), Icon: "history", URL: at + "/undo", Post: true}}
		}
	}
	return row
}

func (p *Pages) decideDraft(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	said := "flash.draft_accepted"
	var d peers.Draft
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		switch mux.Vars(r)["deed"] {
		case "accept":
			d, err = peers.AcceptDraft(tx, h.me.ID, id, community.BlockHost)
		case "reject":
			said = "flash.draft_rejected"
			d, err = peers.RejectDraft(tx, h.me.ID, id)
		default:
			said = "flash.draft_undone"
			d, err = peers.UndoDraft(tx, h.me.ID, id)
		}
		return err
	})
	if err != nil {
		return err
	}
	if d.State == peers.DraftFailed {
		said = "flash.draft_failed"
	}
	p.flash(w, said, "Host", d.Host)
	return p.back(w, r, listsAt+"/drafts")
}

func (p *Pages) askDrafts(h *here, w http.ResponseWriter, r *http.Request) error {
	f := draftFilter(r)
	var n int
	if err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		open := f
		open.States = []peers.DraftState{peers.DraftOpen}
		n, err = peers.CountMatching(tx, open)
		return err
	}); err != nil {
		return err
	}
	l, q := h.l, draftQuery(f)
	fields := map[string]string{}
	for name := range q {
		fields[name] = q.Get(name)
	}
	panel := ConfirmPanel{Title: l.T("peerlist.accept_all_title", "Count", n), Action: listsAt + "/drafts/accept", Fields: fields, Cancel: listsAt + "/drafts?" + q.Encode(),
		Button: l.T("peerlist.accept_all"), Safe: true, Effects: []string{l.T("peerlist.accept_all_effect"), l.T("peerlist.accept_all_hand"), l.T("peerlist.accept_all_undo")}}
	if mux.Vars(r)["deed"] == "reject" {
		panel.Title, panel.Action, panel.Button = l.T("peerlist.reject_all_title", "Count", n), listsAt+"/drafts/reject", l.T("peerlist.reject_all")
		panel.Effects = []string{l.T("peerlist.reject_all_effect")}
	}
	return p.confirm(h, w, "/admin/peers", panel, nil)
}

func (p *Pages) decideDrafts(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	f, n, said := draftFilter(r), 0, "flash.drafts_accepted"
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if mux.Vars(r)["deed"] == "accept" {
			n, err = peers.AcceptDrafts(tx, h.me.ID, f)
			return err
		}
		said = "flash.drafts_rejected"
		n, err = peers.RejectDrafts(tx, h.me.ID, f)
		return err
	})
	if err != nil {
		return err
	}
	p.flash(w, said, "Number", h.l.Number(int64(n)))
	return seeOther(w, r, listsAt+"/drafts?"+draftQuery(f).Encode())
}

// listsToDecide is what an administrator is led to about lists: what waits for
// a decision, or, where there is neither a connection nor a list, a beginning.
func listsToDecide(l *Locale, tx *store.Tx) ([]Action, error) {
	subs, err := peers.Subscriptions(tx)
	if err != nil {
		return nil, err
	}
	if len(subs) == 0 {
		alone, err := peers.Alone(tx)
		if alone {
			return []Action{{Words: l.T("peerlist.setup"), Icon: "list", URL: listsAt + "/follow"}}, err
		}
		return nil, err
	}
	counts, err := peers.CountDrafts(tx)
	return listDecisions(l, subs, counts), err
}

// listDecided says what was decided about lists, or "".
func listDecided(l *Locale, line peers.Line) string {
	switch line.Action {
	case "list.make":
		return l.T("audit.list_make", "Subject", line.Subject)
	case "list.change":
		return l.T("audit.list_change", "Subject", line.Subject)
	case "list.publish":
		return l.T("audit.list_publish", "Subject", line.Subject)
	case "list.unpublish":
		return l.T("audit.list_unpublish", "Subject", line.Subject)
	case "list.drop":
		return l.T("audit.list_drop", "Subject", line.Subject)
	case "list.link":
		return l.T("audit.list_link", "Subject", line.Subject)
	case "list.add":
		return l.T("audit.list_add", "Subject", line.Subject)
	case "list.retract":
		return l.T("audit.list_retract", "Subject", line.Subject)
	case "list.emergency":
		return l.T("audit.list_emergency", "Subject", line.Subject)
	case "list.over":
		return l.T("audit.list_over", "Subject", line.Subject)
	case "subscription.make":
		return l.T("audit.sub_make", "Subject", line.Subject)
	case "subscription.change":
		return l.T("audit.sub_change", "Subject", line.Subject)
	case "subscription.key":
		return l.T("audit.sub_key", "Subject", line.Subject)
	case "subscription.key_changed":
		return l.T("audit.sub_key_changed", "Subject", line.Subject)
	case "subscription.mass":
		return l.T("audit.sub_mass", "Subject", line.Subject)
	case "subscription.let":
		return l.T("audit.sub_let", "Subject", line.Subject)
	case "subscription.stop":
		return l.T("audit.sub_stop", "Subject", line.Subject)
	case "subscription.go_on":
		return l.T("audit.sub_go_on", "Subject", line.Subject)
	case "subscription.end":
		return l.T("audit.sub_end", "Subject", line.Subject)
	case "draft.reject":
		return l.T("audit.draft_reject", "Subject", line.Subject)
	case "draft.accept_all":
		return l.T("audit.draft_accept_all", "Subject", line.Subject)
	case "draft.reject_all":
		return l.T("audit.draft_reject_all", "Subject", line.Subject)
	case "peerlist.exclude":
		return l.T("audit.exclude", "Subject", line.Subject)
	case "peerlist.include":
		return l.T("audit.include", "Subject", line.Subject)
	case "peer.undo":
		return l.T("audit.undo", "Subject", line.Subject)
	}
	return ""
}
