package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

func (p *Pages) reportRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodPost) }
	get("/{of:posts|accounts}/{id:[0-9]+}/report", p.members(p.reportForm))
	post("/{of:posts|accounts}/{id:[0-9]+}/report", p.members(p.report))
	moderate := community.Role.MayModerate
	get("/admin/reports", p.admin(moderate, p.reports))
	get("/admin/reports/{id:[0-9]+}", p.admin(moderate, p.oneReport))
	post("/admin/reports/{id:[0-9]+}/resolve", p.admin(moderate, p.resolveReport))
	get("/admin/reports/{id:[0-9]+}/remove", p.admin(moderate, p.askRemoveReported))
	post("/admin/reports/{id:[0-9]+}/remove", p.admin(moderate, p.removeReported))
	post("/admin/reports/{id:[0-9]+}/forward", p.admin(moderate, p.forwardReport))
}

// reported is what a form reports: an account, and perhaps a post of theirs.
type reported struct {
	target community.Account
	post   *community.View
	back   string
}

func (p *Pages) reported(h *here, r *http.Request) (reported, error) {
	id, err := idOf(r)
	if err != nil {
		return reported{}, err
	}
	if mux.Vars(r)["of"] == "posts" {
		v, err := p.parentOf(h, r, id)
		if err != nil {
			return reported{}, err
		}
		return reported{target: v.Author, post: v, back: postPath(v.ID)}, nil
	}
	var a community.Account
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		a, err = p.known(tx, id)
		return err
	})
	return reported{target: a, back: personPath(a)}, err
}

// reportView is the form with what was typed in it.
func (p *Pages) reportView(h *here, r *http.Request, what reported) formPage {
	l, typed := h.l, r.PostFormValue
	name := plainName(what.target)
	view := formPage{
		Head:   PageHead{Title: l.T("report.title_account", "Name", name), Lead: l.T("report.lead"), Back: &Link{Words: l.T("report.back"), URL: what.back}},
		Action: r.URL.Path, Submit: l.T("report.send"), Cancel: what.back,
	}
	if what.post != nil {
		view.Head.Title = l.T("report.title_post", "Name", name)
		view.Intro = append(view.Intro, l.T("report.shows_post"))
	}
	category := FormField{Name: "category", Kind: "radio", Label: l.T("report.category_label"), Required: true}
	for _, c := range community.ReportCategories() {
		category.Options = append(category.Options, Option{Value: string(c), Words: categoryWords(l, c), Selected: typed("category") == string(c)})
	}
	part := formPart{Fields: []FormField{category,
		{Name: "comment", Kind: "textarea", Label: l.T("report.comment"), Hint: l.T("report.comment_hint"), Value: typed("comment"), Optional: true, Rows: 4, Max: community.MaxReportComment}}}
	if !what.target.Local() {
		part.Fields = append(part.Fields, FormField{Name: "forward", Kind: "checkbox", Label: l.T("report.forward", "Host", what.target.Host),
			Hint: l.T("report.forward_hint"), Checked: typed("forward") == "on"})
	}
	view.Parts = []formPart{part}
	return view
}

func (p *Pages) reportForm(h *here, w http.ResponseWriter, r *http.Request) error {
	what, err := p.reported(h, r)
	if err != nil {
		return err
	}
	h.frame.Robots = "noindex"
	return p.answerWith(h, w, p.reportView(h, r, what), nil)
}

func (p *Pages) report(h *here, w http.ResponseWriter, r *http.Request) error {
	what, err := p.reported(h, r)
	if err != nil {
		return err
	}
	d := community.ReportDraft{TargetID: what.target.ID, Comment: r.PostFormValue("comment"), Category: community.ReportCategory(r.PostFormValue("category")),
		Forward: r.PostFormValue("forward") == "on"}
	if what.post != nil {
		d.Posts = []int64{what.post.ID}
	}
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := community.MakeReport(tx, h.me, d)
		return err
	})
	if f := mended(err); f != nil {
		return p.answerWith(h, w, p.reportView(h, r, what), f)
	}
	if err != nil {
		return err
	}
	p.flash(w, "flash.reported")
	return seeOther(w, r, what.back)
}

func categoryWords(l *Locale, c community.ReportCategory) string {
	switch c {
	case community.ReportChild:
		return l.T("report.category_child")
	case community.ReportConduct:
		return l.T("report.category_conduct")
	case community.ReportSpam:
		return l.T("report.category_spam")
	}
	return l.T("report.category_other")
}

// reportAction is the way to report a post or somebody, in a menu.
func reportAction(l *Locale, at string) Action {
	return Action{Words: l.T("report.action"), Icon: "triangle-alert", URL: at + "/report", Danger: true}
}

// reportsPage lists what moderators were told.
type reportsPage struct {
	Head   PageHead
	Tabs   Tabs
	Filter Tabs
	Rows   []reportRow
	Empty  EmptyState
}

// reportRow is one report in the list.
type reportRow struct {
	URL      string
	Target   PersonView
	From     string // "Ana", or the server it came from
	Category string
	Pressing bool
	Words    string
	Posts    string
	At       time.Time
	State    State
}

func (p *Pages) reports(h *here, w http.ResponseWriter, r *http.Request) error {
	l, show := h.l, r.URL.Query().Get("show")
	open, apart := show != "resolved", show == "apart"
	var list []community.ReportView
	var schools map[string]string
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if list, err = community.Reports(tx, h.me, open, apart); err != nil {
			return err
		}
		schools, err = schoolsOf(tx, list)
		return err
	})
	if err != nil {
		return err
	}
	view := reportsPage{Head: PageHead{Title: l.T("report.list_title"), Lead: l.T("report.list_lead")}, Tabs: p.adminTabs(h, "/admin/reports"),
		Filter: Tabs{Label: l.T("report.filter"), Items: []Tab{
			{Words: l.T("report.open"), URL: "/admin/reports", Current: open && !apart, Count: -1},
			{Words: l.T("report.apart"), URL: "/admin/reports?show=apart", Current: apart, Count: -1},
			{Words: l.T("report.resolved"), URL: "/admin/reports?show=resolved", Current: !open, Count: -1}}},
		Empty: EmptyState{Icon: "shield", Title: l.T("report.empty_title"), Words: l.T("report.empty")}}
	for _, one := range list {
		view.Rows = append(view.Rows, p.reportRow(h, one, schools))
	}
	return p.render(h, w, http.StatusOK, "admin_reports", view.Head.Title, view)
}

func schoolsOf(tx *store.Tx, list []community.ReportView) (map[string]string, error) {
	people := map[int64]community.Account{}
	for _, one := range list {
		people[one.Target.ID] = one.Target
		if one.Reporter != nil {
			people[one.Reporter.ID] = *one.Reporter
		}
	}
	return community.SchoolNames(tx, people)
}

func (p *Pages) reportRow(h *here, v community.ReportView, schools map[string]string) reportRow {
	l := h.l
	row := reportRow{URL: "/admin/reports/" + digits(v.ID), Target: p.person(h, v.Target, schools[v.Target.Host]), From: v.Host, At: v.CreatedAt,
		Category: categoryWords(l, v.Category), Pressing: v.Category == community.ReportChild, Words: v.Comment,
		State: State{Tone: "wait", Icon: "clock", Words: l.T("report.state_open")}}
	if v.Host == "" && v.Reporter != nil {
		row.From = plainName(*v.Reporter)
	}
	if n := len(v.Report.Posts); n > 0 {
		row.Posts = l.T("report.count_posts", "Count", n)
	}
	if !v.Open() {
		row.State = State{Tone: "good", Icon: "circle-check", Words: l.T("report.state_resolved")}
	}
	return row
}

// reportPage is one report with what it is about.
type reportPage struct {
	Head     PageHead
	Tabs     Tabs
	Row      reportRow
	Facts    []Fact
	Cards    []PostCard
	Gone     string
	Acts     []Action
	Forward  *formPage // to tell the other server
	ForwardT string
}

func (p *Pages) oneReport(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showReport(h, w, r, nil)
}

func (p *Pages) showReport(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var v community.ReportView
	var schools map[string]string
	mayGo := true // a report to the server that it is about
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if v, err = community.ReportByID(tx, h.me, id); err != nil {
			return err
		}
		if !v.Target.Local() {
			d, err := peers.DecideOne(tx, v.Target.Host)
			if err != nil {
				return err
			}
			mayGo = community.ReportsMayGo(d)
		}
		schools, err = schoolsOf(tx, []community.ReportView{v})
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	view := reportPage{Head: PageHead{Title: l.T("report.title_account", "Name", plainName(v.Target)), Back: &Link{Words: l.T("report.list_title"), URL: "/admin/reports"}},
		Tabs: p.adminTabs(h, "/admin/reports"), Row: p.reportRow(h, v, schools), Cards: p.cards(h, v.About)}
	for i := range view.Cards {
		view.Cards[i].Actions, view.Cards[i].More = nil, nil
		if poll := view.Cards[i].Poll; poll != nil {
			poll.Action = "" // a moderator looks and does not vote
		}
	}
	view.Facts = append(view.Facts, Fact{Name: l.T("report.what"), Value: view.Row.Category}, Fact{Name: l.T("report.from"), Value: view.Row.From})
	if v.Resolver != nil && v.ResolvedAt != nil {
		view.Facts = append(view.Facts, Fact{Name: l.T("report.state_resolved"), Value: v.Resolver.Name() + ", " + l.Moment(*v.ResolvedAt)})
	}
	if v.Gone > 0 {
		view.Gone = l.T("report.posts_gone", "Count", v.Gone)
	}
	if v.Open() {
		view.Acts = append(view.Acts, Action{Words: l.T("report.resolve"), Icon: "check", URL: view.Row.URL + "/resolve", Post: true, Main: true})
	}
	if len(v.About) > 0 {
		view.Acts = append(view.Acts, Action{Words: l.T("report.remove", "Count", len(v.About)), Icon: "trash-2", URL: view.Row.URL + "/remove", Danger: true})
	}
	if h.user.Role.MayManagePeople() {
		view.Acts = append(view.Acts, Action{Words: l.T("report.person"), Icon: "users", URL: adminPersonPath(v.Target.ID)})
	}
	p.forwardPart(h, r, v, &view, problem, mayGo)
	status := http.StatusOK
	if problem != nil {
		status = problem.Kind.Status()
	}
	return p.render(h, w, status, "admin_report", view.Head.Title, view)
}

// forwardPart offers to tell the other server, in words that the moderator
// answers for, or says that it was told.
func (p *Pages) forwardPart(h *here, r *http.Request, v community.ReportView, view *reportPage, problem *fault.Error, mayGo bool) {
	l := h.l
	switch {
	case v.Target.Local():
	case v.ForwardedAt != nil:
		view.Facts = append(view.Facts, Fact{Name: l.T("report.told", "Host", v.Target.Host), Value: l.Moment(*v.ForwardedAt)})
	case !mayGo:
		view.Facts = append(view.Facts, Fact{Name: v.Target.Host, Value: l.T("report.never_note", "Host", v.Target.Host)})
	default:
		words := v.Comment
		if problem != nil {
			words = r.PostFormValue("words")
		}
		form := formPage{Action: view.Row.URL + "/forward", Submit: l.T("report.forward_send", "Host", v.Target.Host), Parts: []formPart{{
			Hint:   l.T("report.forward_note", "Host", v.Target.Host),
			Fields: []FormField{{Name: "words", Kind: "textarea", Label: l.T("report.forward_words"), Value: words, Rows: 4, Max: community.MaxReportComment}}}}}
		if v.Forward {
			form.Parts[0].Hint += " " + l.T("report.forward_wished")
		}
		if problem != nil {
			form.blame(l, problem)
		}
		view.Forward, view.ForwardT = &form, l.T("report.forward_title", "Host", v.Target.Host)
	}
}

func (p *Pages) resolveReport(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return community.ResolveReport(tx, h.me, id) }); err != nil {
		return err
	}
	p.flash(w, "flash.report_resolved")
	return seeOther(w, r, "/admin/reports")
}

// askRemoveReported says what taking the reported posts down does.
func (p *Pages) askRemoveReported(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var v community.ReportView
	servers := 0
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if v, err = community.ReportByID(tx, h.me, id); err != nil {
			return err
		}
		for _, about := range v.About {
			n, err := community.CountServers(tx, about.ID)
			if err != nil {
				return err
			}
			servers = max(servers, n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	l, at := h.l, "/admin/reports/"+digits(id)
	panel := ConfirmPanel{Title: l.T("report.remove", "Count", len(v.About)), Action: at + "/remove", Button: l.T("delete.button"), Cancel: at, Effects: []string{l.T("report.remove_effect")}}
	if !v.Target.Local() {
		panel.Effects = []string{l.T("report.remove_here", "Host", v.Target.Host)}
	} else if servers > 0 {
		panel.Effects = append(panel.Effects, l.T("delete.servers", "Count", servers))
	}
	return p.render(h, w, http.StatusOK, "confirm", panel.Title, confirmPage{panel})
}

func (p *Pages) removeReported(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := community.RemoveReported(tx, h.me, id)
		return err
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.deleted")
	return seeOther(w, r, "/admin/reports/"+digits(id))
}

func (p *Pages) forwardReport(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	words := strings.TrimSpace(r.PostFormValue("words"))
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error { return community.ForwardReport(tx, h.me, id, words) })
	if f := mended(err); f != nil {
		return p.showReport(h, w, r, f)
	}
	if err != nil {
		return err
	}
	p.flash(w, "flash.report_forwarded")
	return seeOther(w, r, "/admin/reports/"+digits(id))
}
