package web

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

func (p *Pages) accountRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodPost) }
	get("/sign-in", p.open(p.signInForm))
	post("/sign-in", p.open(p.signIn))
	post("/sign-out", p.open(p.signOut))
	get("/setup/{token}", p.open(p.setUpForm))
	post("/setup/{token}", p.open(p.setUp))
	get("/join/{code}", p.open(p.joinForm))
	post("/join/{code}", p.open(p.join))
	get("/request", p.open(p.requestForm))
	post("/request", p.open(p.request))
	get("/request/thanks", p.open(p.requestThanks))
	get("/welcome", p.members(p.welcome))
	p.settingsRoutes(r)
	p.moveRoutes(r)
	get("/oauth/authorize", p.open(p.authorizeForm))
	get("/oauth/authorize/", p.open(p.authorizeForm)) // as toot opens it
	post("/oauth/authorize", p.members(p.authorize))
}

// formPage is a page that is one form.
type formPage struct {
	Head   PageHead
	Tabs   *Tabs
	Intro  []string
	Errors ErrorSummary
	Action string
	Files  bool // takes files, so it is sent as multipart/form-data
	Asks   bool // leads to a page that asks first, so it is sent with GET
	Parts  []formPart
	Submit string
	Cancel string
	Foot   []Action
}

// formPart is a group of fields with what they are about; Title may be empty.
type formPart struct {
	Title  string
	Hint   string
	Avatar *Avatar // shown above the fields
	Pairs  bool    // the fields belong together by two
	Words  bool    // so too, the second being a box to tick
	Hidden []FormField
	Fields []FormField
}

// blame puts each field's message beside it, and the summary on top.
func (f *formPage) blame(l *Locale, problem *fault.Error) {
	var wrong map[string]string
	f.Errors, wrong = ErrorsOf(l, problem)
	for i := range f.Parts {
		for j := range f.Parts[i].Fields {
			field := &f.Parts[i].Fields[j]
			field.Error = wrong[field.Name]
		}
	}
}

// answerWith shows a form again with what is wrong with it; problem nil shows it new.
func (p *Pages) answerWith(h *here, w http.ResponseWriter, view formPage, problem *fault.Error) error {
	status := http.StatusOK
	if problem != nil {
		view.blame(h.l, problem)
		if status = problem.Kind.Status(); status == http.StatusUnauthorized {
			status = http.StatusUnprocessableEntity // a form cannot meet the challenge that 401 asks for: RFC 9110, section 15.5.2
		}
	}
	return p.render(h, w, status, "form", view.Head.Title, view)
}

// mended returns the failure if whoever sent a form can mend it there, and
// nothing otherwise.
func mended(err error) *fault.Error {
	switch f := fault.Of(err); f.Kind {
	case fault.Invalid, fault.Conflict, fault.TooMany, fault.TooLarge:
		return f
	default:
		return nil
	}
}

// posted reads the form that was sent.
func posted(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fault.Wrap(fault.Invalid, err, "The form did not arrive whole. Please send it again.").WithKey("error.form", nil)
	}
	return nil
}

// addressOf is where a request came from, for the counters that slow guessing.
func (p *Pages) addressOf(r *http.Request) string {
	if p.Address == nil {
		return r.RemoteAddr
	}
	return p.Address(r)
}

func (p *Pages) signInView(h *here, r *http.Request) formPage {
	l := h.l
	h.frame.Shape, h.frame.Robots, h.frame.Opened = Alone, "noindex", true
	view := formPage{
		Head:   PageHead{Title: l.T("sign_in.title")},
		Action: "/sign-in", Submit: l.T("nav.sign_in"),
		Parts: []formPart{{Fields: []FormField{
			{Name: "login", Label: l.T("sign_in.login"), Value: r.PostFormValue("login"), Required: true, Autocomplete: "username", Code: true, Autofocus: true, Max: 320},
			{Name: "password", Kind: "password", Label: l.T("sign_in.password"), Required: true, Autocomplete: "current-password"},
			{Name: "to", Kind: "hidden", Value: safeReturn(r.FormValue("to"), p.site)},
		}}},
	}
	if h.school.Registration == community.RegistrationRequest {
		view.Foot = append(view.Foot, Action{Words: l.T("sign_in.request"), Icon: "user-plus", URL: "/request"})
	} else {
		view.Intro = append(view.Intro, l.T("sign_in.invited"))
	}
	return view
}

func (p *Pages) signInForm(h *here, w http.ResponseWriter, r *http.Request) error {
	if h.signedIn() && !truth(r.URL.Query().Get("again")) {
		return seeOther(w, r, safeReturn(r.FormValue("to"), p.site))
	}
	return p.answerWith(h, w, p.signInView(h, r), nil)
}

func (p *Pages) signIn(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	token, _, err := p.Auth.SignIn(r.Context(), auth.Credentials{Login: r.PostFormValue("login"), Password: r.PostFormValue("password"),
		Address: p.addressOf(r), Device: r.UserAgent()})
	if err != nil {
		f := fault.Of(err)
		if f.Kind == fault.Internal || f.Kind == fault.Unavailable {
			return err
		}
		view := p.signInView(h, r)
		view.Parts[0].Fields[0].Autofocus = false
		view.blame(h.l, f)
		view.Errors.Kept = ""
		status := f.Kind.Status()
		if f.Kind == fault.Unauthorized {
			status = http.StatusUnprocessableEntity
		}
		return p.render(h, w, status, "form", view.Head.Title, view)
	}
	p.Auth.SetCookie(w, token)
	return seeOther(w, r, safeReturn(r.PostFormValue("to"), p.site))
}

// signOut ends the session and has the browser forget the pages it kept, for
// the next person at a shared computer.
func (p *Pages) signOut(h *here, w http.ResponseWriter, r *http.Request) error {
	if token := p.Auth.CookieToken(r); token != "" {
		if err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return auth.SignOut(tx, token) }); err != nil {
			return err
		}
	}
	p.Auth.ClearCookie(w)
	w.Header().Set("Clear-Site-Data", `"cache"`)
	p.flash(w, "flash.signed_out")
	return seeOther(w, r, "/")
}

// newcomer reads who wants an account.
func (p *Pages) newcomer(h *here, r *http.Request) auth.Newcomer {
	return auth.Newcomer{Username: r.PostFormValue("username"), DisplayName: r.PostFormValue("display_name"), Email: r.PostFormValue("email"),
		Password: r.PostFormValue("password"), Locale: h.l.Tag.String(), Text: r.PostFormValue("text"), Address: p.addressOf(r), Device: r.UserAgent()}
}

// newcomerFields ask for what every account has. What was typed comes back,
// but for the password.
func (p *Pages) newcomerFields(h *here, r *http.Request) []FormField {
	l := h.l
	return []FormField{
		{Name: "display_name", Label: l.T("join.name"), Hint: l.T("join.name_hint"), Value: r.PostFormValue("display_name"), Max: community.MaxDisplayName, Autocomplete: "name"},
		{Name: "username", Label: l.T("join.username"), Hint: l.T("join.username_hint", "Host", p.site.Host), Value: r.PostFormValue("username"),
			Required: true, Code: true, Max: 30, Autocomplete: "username"},
		{Name: "email", Kind: "email", Label: l.T("join.email"), Hint: l.T("join.email_hint"), Value: r.PostFormValue("email"), Optional: true, Autocomplete: "email", Max: 320},
		{Name: "password", Kind: "password", Label: l.T("join.password"), Hint: l.T("join.password_hint", "Count", auth.MinPassword), Required: true, Autocomplete: "new-password"},
	}
}

func (p *Pages) setUpView(h *here, r *http.Request) formPage {
	l := h.l
	h.frame.Shape, h.frame.Robots = Alone, "noindex"
	return formPage{
		Head:  PageHead{Title: l.T("setup.title"), Lead: l.T("setup.lead", "Host", p.site.Host)},
		Intro: []string{l.T("setup.closed")}, Action: r.URL.Path, Submit: l.T("setup.submit"),
		Parts: []formPart{
			{Title: l.T("setup.school"), Fields: p.siteFields(h, community.SiteForm{Name: r.PostFormValue("name"), Kind: r.PostFormValue("kind"), Contact: r.PostFormValue("contact")})[:3]},
			{Title: l.T("setup.owner"), Hint: l.T("setup.owner_hint"), Fields: p.newcomerFields(h, r)},
		},
	}
}

func (p *Pages) setUpForm(h *here, w http.ResponseWriter, r *http.Request) error {
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error { return auth.CheckSetup(tx, mux.Vars(r)["token"]) })
	if err != nil {
		return err
	}
	return p.answerWith(h, w, p.setUpView(h, r), nil)
}

func (p *Pages) setUp(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	site := community.SiteForm{Name: r.PostFormValue("name"), Kind: r.PostFormValue("kind"), Contact: r.PostFormValue("contact")}
	token, _, err := p.Auth.SetUp(r.Context(), mux.Vars(r)["token"], site, p.newcomer(h, r))
	if err != nil {
		if f := mended(err); f != nil {
			return p.answerWith(h, w, p.setUpView(h, r), f)
		}
		return err
	}
	p.Auth.SetCookie(w, token)
	p.flash(w, "flash.set_up")
	return seeOther(w, r, "/admin")
}

// joinView is the form of an invitation.
func (p *Pages) joinView(h *here, r *http.Request, i auth.Invite) formPage {
	l := h.l
	h.frame.Shape, h.frame.Robots = Alone, "noindex"
	view := formPage{
		Head:   PageHead{Title: l.T("join.title", "School", h.school.Title()), Lead: l.T("join.lead")},
		Action: r.URL.Path, Submit: l.T("join.submit"), Parts: []formPart{{Fields: p.newcomerFields(h, r)}},
	}
	if i.Role != community.Member {
		view.Intro = append(view.Intro, l.T("join.role", "Role", roleName(l, i.Role)))
	}
	if i.EndsAt != nil {
		view.Intro = append(view.Intro, l.T("join.ends", "Date", l.Date(*i.EndsAt)))
	}
	if h.signedIn() {
		view.Intro = append(view.Intro, l.T("join.signed_in", "Name", h.me.Name()))
	}
	return view
}

func (p *Pages) invite(r *http.Request) (i auth.Invite, err error) {
	err = p.DB.Read(r.Context(), func(tx *store.Tx) error {
		i, err = auth.InviteByCode(tx, mux.Vars(r)["code"])
		return err
	})
	return i, err
}

func (p *Pages) joinForm(h *here, w http.ResponseWriter, r *http.Request) error {
	i, err := p.invite(r)
	if err != nil {
		return err
	}
	return p.answerWith(h, w, p.joinView(h, r, i), nil)
}

func (p *Pages) join(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	token, _, err := p.Auth.Join(r.Context(), mux.Vars(r)["code"], p.newcomer(h, r))
	if err != nil {
		f := mended(err)
		if f == nil {
			return err
		}
		i, err := p.invite(r)
		if err != nil {
			return err
		}
		return p.answerWith(h, w, p.joinView(h, r, i), f)
	}
	p.Auth.SetCookie(w, token)
	return seeOther(w, r, "/welcome")
}

func (p *Pages) requestView(h *here, r *http.Request) (formPage, error) {
	l := h.l
	h.frame.Shape, h.frame.Robots = Alone, "noindex"
	if h.school.Registration != community.RegistrationRequest {
		return formPage{}, fault.Keyed(fault.Forbidden, "request.closed", "This school gives accounts by invitation only.", nil)
	}
	fields := append(p.newcomerFields(h, r), FormField{Name: "text", Kind: "textarea", Label: l.T("request.text"), Hint: l.T("request.text_hint"),
		Value: r.PostFormValue("text"), Required: true, Rows: 4, Max: community.MaxBio})
	return formPage{Head: PageHead{Title: l.T("request.title", "School", h.school.Title()), Lead: l.T("request.lead")},
		Action: "/request", Submit: l.T("request.submit"), Parts: []formPart{{Fields: fields}},
		Foot: []Action{{Words: l.T("request.have"), Icon: "log-in", URL: "/sign-in"}}}, nil
}

func (p *Pages) requestForm(h *here, w http.ResponseWriter, r *http.Request) error {
	if h.signedIn() {
		return seeOther(w, r, "/home")
	}
	view, err := p.requestView(h, r)
	if err != nil {
		return err
	}
	return p.answerWith(h, w, view, nil)
}

func (p *Pages) request(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	view, err := p.requestView(h, r)
	if err != nil {
		return err
	}
	if err := p.Auth.Request(r.Context(), p.newcomer(h, r)); err != nil {
		if f := mended(err); f != nil {
			return p.answerWith(h, w, view, f)
		}
		return err
	}
	return seeOther(w, r, "/request/thanks")
}

// notePage says one thing, and what can be done next.
type notePage struct {
	Head    PageHead
	Words   []string
	Code    string // to be copied
	Actions []Action
}

func (p *Pages) requestThanks(h *here, w http.ResponseWriter, r *http.Request) error {
	l := h.l
	h.frame.Shape, h.frame.Robots = Alone, "noindex"
	view := notePage{Head: PageHead{Title: l.T("request.thanks_title")},
		Words:   []string{l.T("request.thanks", "School", h.school.Title()), l.T("request.thanks_next")},
		Actions: []Action{{Words: l.T("nav.about"), Icon: "info", URL: "/about"}}}
	return p.render(h, w, http.StatusOK, "note", view.Head.Title, view)
}

// welcomePage shows a newcomer who can see what, before they write anything.
type welcomePage struct {
	Head      PageHead
	Audiences []AudienceView
	Actions   []Action
}

func (p *Pages) welcome(h *here, w http.ResponseWriter, r *http.Request) error {
	l := h.l
	view := welcomePage{Head: PageHead{Title: l.T("welcome.title", "Name", h.me.Name()), Lead: l.T("welcome.lead", "School", h.school.Title())}}
	for _, a := range []community.Audience{community.School, community.Network, community.Public} {
		if a.Within(h.user.Role.Ceiling()) {
			view.Audiences = append(view.Audiences, AudienceOf(l, string(a), Reach{School: h.school.Title(), Connected: h.schools}))
		}
	}
	if len(view.Audiences) == 0 {
		view.Audiences = append(view.Audiences, AudienceOf(l, string(community.People), Reach{}))
	}
	view.Actions = []Action{
		{Words: l.T("welcome.profile"), Icon: "user-round-check", URL: "/settings/profile", Main: true},
		{Words: l.T("welcome.people"), Icon: "users", URL: "/people"},
		{Words: l.T("welcome.read"), Icon: "book-open", URL: "/practice"},
	}
	return p.render(h, w, http.StatusOK, "welcome", view.Head.Title, view)
}

// roleName is a role in words.
func roleName(l *Locale, r community.Role) string {
	switch r {
	case community.Owner:
		return l.T("role.owner")
	case community.ITAdmin:
		return l.T("role.it_admin")
	case community.Moderator:
		return l.T("role.moderator")
	case community.Placement:
		return l.T("role.placement")
	}
	return l.T("role.member")
}
