package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

func (p *Pages) settingsRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodPost) }
	r.Handle("/settings", http.RedirectHandler("/settings/profile", http.StatusSeeOther)).Methods(http.MethodGet, http.MethodHead)
	get("/settings/profile", p.members(p.profileForm))
	post("/settings/profile", p.members(p.saveProfile))
	get("/settings/account", p.members(p.accountForm))
	post("/settings/account", p.members(p.saveAccount))
	post("/settings/password", p.members(p.changePassword))
	get("/settings/sessions", p.members(p.sessions))
	post("/settings/sessions/end-others", p.members(p.endOthers))
	post("/settings/sessions/{id:[0-9]+}/end", p.members(p.endSession))
	post("/settings/apps/{id:[0-9]+}/end", p.members(p.endApp))
	get("/settings/blocked", p.members(p.blocked))
	post("/settings/theme", p.open(p.chooseTheme))
}

// settingsTabs are the parts of the settings.
func settingsTabs(h *here, current string) *Tabs {
	h.frame.Here = Myself
	t := Tabs{Label: h.l.T("nav.settings"), Items: []Tab{
		{Words: h.l.T("settings.profile"), URL: "/settings/profile", Count: -1},
		{Words: h.l.T("settings.account"), URL: "/settings/account", Count: -1},
		{Words: h.l.T("nav.notifications"), URL: policyPath, Count: -1},
		{Words: h.l.T("settings.filters"), URL: filtersPath, Count: -1},
		{Words: h.l.T("settings.hashtags"), URL: hashtagsPath, Count: -1},
		{Words: h.l.T("settings.blocked"), URL: "/settings/blocked", Count: -1},
		{Words: h.l.T("settings.sessions"), URL: "/settings/sessions", Count: -1},
		{Words: h.l.T("settings.moving"), URL: "/settings/moving", Count: -1},
	}}
	for i := range t.Items {
		t.Items[i].Current = t.Items[i].URL == current
	}
	return &t
}

func (p *Pages) profileView(h *here, f community.Profile) formPage {
	l := h.l
	face := AvatarOf(h.me.Name(), h.me.Handle(p.site.Host), avatarSrc(h.me))
	view := formPage{Head: PageHead{Title: l.T("nav.settings")}, Tabs: settingsTabs(h, "/settings/profile"), Action: "/settings/profile", Files: true, Submit: l.T("form.save")}
	about := formPart{Title: l.T("settings.about_you"), Hint: l.T("settings.about_you_hint"), Fields: []FormField{
		{Name: "display_name", Label: l.T("join.name"), Value: f.DisplayName, Max: community.MaxDisplayName, Autocomplete: "name"},
		{Name: "bio", Kind: "textarea", Label: l.T("settings.bio"), Hint: l.T("settings.bio_hint"), Value: f.Bio, Rows: 4, Max: community.MaxBio},
	}}
	picture := formPart{Title: l.T("settings.picture"), Hint: l.T("settings.picture_hint"), Avatar: &face, Fields: []FormField{
		{Name: "avatar", Kind: "file", Label: l.T("settings.picture_file"), Accept: "image/jpeg,image/png,image/webp,image/gif"},
	}}
	if h.me.Avatar != "" {
		picture.Fields = append(picture.Fields, FormField{Name: "drop_avatar", Kind: "checkbox", Label: l.T("settings.picture_drop")})
	}
	banner := formPart{Title: l.T("settings.banner"), Hint: l.T("settings.banner_hint"), Fields: []FormField{
		{Name: "header", Kind: "file", Label: l.T("settings.picture_file"), Accept: "image/jpeg,image/png,image/webp,image/gif"},
	}}
	if h.me.Header != "" {
		banner.Fields = append(banner.Fields, FormField{Name: "drop_header", Kind: "checkbox", Label: l.T("settings.banner_drop")})
	}
	picture.Fields = append(picture.Fields, FormField{Name: "avatar_alt", Label: l.T("settings.picture_alt"), Value: f.AvatarAlt, Max: community.MaxPictureAlt, Optional: true})
	banner.Fields = append(banner.Fields, FormField{Name: "header_alt", Label: l.T("settings.picture_alt"), Value: f.HeaderAlt, Max: community.MaxPictureAlt, Optional: true})
	lines := formPart{Title: l.T("settings.lines"), Hint: l.T("settings.lines_hint"), Pairs: true}
	for n := 1; n <= community.MaxFields; n++ {
		var line community.Field
		if n <= len(f.Fields) {
			line = f.Fields[n-1]
		} else if n > max(3, len(f.Fields)+1) {
			break
		}
		lines.Fields = append(lines.Fields,
			FormField{Name: "line-" + strconv.Itoa(n) + "-name", Label: l.T("settings.line_name", "N", n), Value: line.Name, Max: 255},
			FormField{Name: "line-" + strconv.Itoa(n) + "-value", Label: l.T("settings.line_value", "N", n), Value: line.Value, Max: 255})
	}
	seen := formPart{Title: l.T("settings.found"), Fields: []FormField{
		{Name: "locked", Kind: "checkbox", Label: l.T("settings.locked"), Hint: l.T("settings.locked_hint"), Checked: f.Locked},
		{Name: "discoverable", Kind: "checkbox", Label: l.T("settings.discoverable"), Hint: l.T("settings.discoverable_hint"), Checked: f.Discoverable},
		{Name: "indexable", Kind: "checkbox", Label: l.T("settings.indexable"), Hint: l.T("settings.indexable_hint"), Checked: f.Indexable},
	}}
	view.Parts = []formPart{picture, banner, about, lines, seen}
	view.Foot = []Action{{Words: l.T("nav.my_page"), Icon: "file-text", URL: personPath(h.me)}}
	return view
}

func (p *Pages) profileForm(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.answerWith(h, w, p.profileView(h, community.ProfileOf(h.me)), nil)
}

// saveProfile reads the form and stores it. A picture that is refused leaves
// the words as they were typed.
func (p *Pages) saveProfile(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseMultipartForm(1 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return fault.Keyed(fault.TooLarge, "error.too_large", "That is more than this server takes at once. Send fewer or smaller pictures.", nil)
		}
		return fault.Wrap(fault.Invalid, err, "The form did not arrive whole. Please send it again.").WithKey("error.form", nil)
	}
	f := community.ProfileOf(h.me) // what the form does not ask stays
	f.DisplayName, f.Bio, f.Fields = r.PostFormValue("display_name"), r.PostFormValue("bio"), nil
	f.Locked, f.Discoverable, f.Indexable = r.PostFormValue("locked") != "", r.PostFormValue("discoverable") != "", r.PostFormValue("indexable") != ""
	if _, asked := r.PostForm["avatar_alt"]; asked {
		f.AvatarAlt = r.PostFormValue("avatar_alt")
	}
	if _, asked := r.PostForm["header_alt"]; asked {
		f.HeaderAlt = r.PostFormValue("header_alt")
	}
	for n := 1; n <= community.MaxFields; n++ {
		no := "line-" + strconv.Itoa(n)
		line := community.Field{Name: strings.TrimSpace(r.PostFormValue(no + "-name")), Value: strings.TrimSpace(r.PostFormValue(no + "-value"))}
		if line.Name != "" || line.Value != "" {
			f.Fields = append(f.Fields, line)
		}
	}
	where := "avatar"
	err := p.takePicture(r, "avatar", media.Portraits(), &f.Avatar)
	if err == nil {
		where = "header"
		err = p.takePicture(r, "header", media.Pictures(), &f.Header)
	}
	if err == nil {
		err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
			me, err := community.AccountByID(tx, h.me.ID)
			if err != nil {
				return err
			}
			_, err = community.UpdateProfile(tx, me, f)
			return err
		})
	}
	if err != nil {
		problem := mended(err)
		if problem == nil {
			return err
		}
		for i := range problem.Fields {
			switch problem.Fields[i].Name {
			case "fields":
				problem.Fields[i].Name = "line-1-name"
			case "file":
				problem.Fields[i].Name = where
			}
		}
		return p.answerWith(h, w, p.profileView(h, f), problem)
	}
	p.flash(w, "flash.profile_saved")
	return seeOther(w, r, "/settings/profile")
}

// takePicture stores the picture of the profile that was sent, if one was.
func (p *Pages) takePicture(r *http.Request, name string, limits media.Limits, into *string) error {
	if r.PostFormValue("drop_"+name) != "" {
		*into = ""
	}
	sent := fileOf(r, name)
	if sent == nil {
		return nil
	}
	file, err := sent.Open()
	if err != nil {
		return err
	}
	defer file.Close()
	stored, err := p.Library.Store(r.Context(), file, limits)
	if err != nil {
		return err
	}
	*into = stored.Name
	return nil
}

// accountPage is about how somebody signs in, and has two forms.
type accountPage struct {
	Head     PageHead
	Tabs     *Tabs
	Settings formPage
	Password formPage
}

func (p *Pages) accountView(h *here, s community.Settings) accountPage {
	l := h.l
	view := accountPage{Head: PageHead{Title: l.T("nav.settings")}, Tabs: settingsTabs(h, "/settings/account")}
	audiences := []community.Audience{community.Me, community.People, community.School, community.Followers, community.Network, community.Public}
	var options []Option
	for _, a := range audiences {
		if a.Within(h.user.Role.Ceiling()) {
			words := AudienceOf(l, string(a), Reach{School: h.school.Title(), Mine: true})
			options = append(options, Option{Value: string(a), Words: words.Words, Selected: a == s.DefaultAudience})
		}
	}
	if s.DefaultAudience == community.Group {
		options = append(options, Option{Value: string(community.Group), Words: AudienceOf(l, string(community.Group), Reach{}).Words, Selected: true})
	}
	var languages []Option
	for _, each := range p.catalogue.Locales() {
		languages = append(languages, Option{Value: each.Tag.String(), Words: each.T("language.name"), Selected: each == l})
	}
	view.Settings = formPage{Action: "/settings/account", Submit: l.T("form.save"), Parts: []formPart{{Title: l.T("settings.account"), Fields: []FormField{
		{Name: "email", Kind: "email", Label: l.T("join.email"), Hint: l.T("join.email_hint"), Value: s.Email, Optional: true, Autocomplete: "email", Max: 320},
		{Name: "locale", Kind: "select", Label: l.T("settings.language"), Options: languages},
		{Name: "default_audience", Kind: "select", Label: l.T("settings.audience"), Hint: l.T("settings.audience_hint"), Options: options},
	}}}}
	view.Password = formPage{Action: "/settings/password", Submit: l.T("settings.password_change"), Parts: []formPart{{Title: l.T("settings.password"), Hint: l.T("settings.password_hint"), Fields: []FormField{
		{Name: "old_password", Kind: "password", Label: l.T("settings.password_old"), Required: true, Autocomplete: "current-password"},
		{Name: "password", Kind: "password", Label: l.T("settings.password_new"), Hint: l.T("join.password_hint", "Count", auth.MinPassword), Required: true, Autocomplete: "new-password"},
	}}}}
	return view
}

func (p *Pages) mySettings(h *here) community.Settings {
	return community.Settings{Email: h.user.Email, Locale: h.user.Locale, DefaultAudience: h.user.DefaultAudience}
}

func (p *Pages) accountForm(h *here, w http.ResponseWriter, r *http.Request) error {
	view := p.accountView(h, p.mySettings(h))
	return p.render(h, w, http.StatusOK, "account", view.Head.Title, view)
}

func (p *Pages) saveAccount(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	s := community.Settings{Email: r.PostFormValue("email"), Locale: r.PostFormValue("locale"), DefaultAudience: community.Audience(r.PostFormValue("default_audience"))}
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return community.UpdateSettings(tx, h.me.ID, s) })
	if err != nil {
		problem := mended(err)
		if problem == nil {
			return err
		}
		view := p.accountView(h, s)
		view.Settings.blame(h.l, problem)
		return p.render(h, w, problem.Kind.Status(), "account", view.Head.Title, view)
	}
	p.flash(w, "flash.settings_saved")
	return seeOther(w, r, "/settings/account")
}

func (p *Pages) changePassword(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	err := p.Auth.ChangePassword(r.Context(), h.me.ID, h.session.ID, r.PostFormValue("old_password"), r.PostFormValue("password"))
	if err != nil {
		problem := mended(err)
		if problem == nil {
			return err
		}
		view := p.accountView(h, p.mySettings(h))
		view.Password.blame(h.l, problem)
		view.Password.Errors.Kept = ""
		return p.render(h, w, problem.Kind.Status(), "account", view.Head.Title, view)
	}
	p.flash(w, "flash.password_changed")
	return seeOther(w, r, "/settings/account")
}

// sessionsPage lists where somebody is signed in, and the apps they let in.
type sessionsPage struct {
	Head     PageHead
	Tabs     *Tabs
	Sessions Table
	Others   *Action
	Apps     Table
}

func (p *Pages) sessions(h *here, w http.ResponseWriter, r *http.Request) error {
	l := h.l
	var sessions []auth.Session
	var grants []auth.Access
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if sessions, err = auth.Sessions(tx, h.me.ID); err != nil {
			return err
		}
		grants, err = auth.Grants(tx, h.me.ID)
		return err
	})
	if err != nil {
		return err
	}
	view := sessionsPage{Head: PageHead{Title: l.T("nav.settings")}, Tabs: settingsTabs(h, "/settings/sessions"),
		Sessions: Table{Caption: l.T("sessions.caption"), Heads: []Head{{Words: l.T("sessions.device")}, {Words: l.T("sessions.used")}, {}}},
		Apps: Table{Caption: l.T("apps.caption"), Heads: []Head{{Words: l.T("apps.name")}, {Words: l.T("apps.may")}, {Words: l.T("sessions.used")}, {}},
			Empty: EmptyState{Icon: "keyboard", Title: l.T("apps.empty_title"), Words: l.T("apps.empty", "Host", p.site.Host)}}}
	for _, s := range sessions {
		row := []Cell{{Words: deviceName(l, s.Device), Detail: l.T("sessions.since", "Date", l.Date(s.CreatedAt))}, {Words: l.Date(s.UsedOn)}}
		if s.ID == h.session.ID {
			row[0].Detail = l.T("sessions.this")
			row = append(row, Cell{})
		} else {
			row = append(row, Cell{Actions: []Action{{Words: l.T("sessions.end"), Icon: "log-out", URL: "/settings/sessions/" + digits(s.ID) + "/end", Post: true}}})
		}
		view.Sessions.Rows = append(view.Sessions.Rows, row)
	}
	if len(sessions) > 1 {
		view.Others = &Action{Words: l.T("sessions.end_others"), Icon: "log-out", URL: "/settings/sessions/end-others", Post: true}
	}
	for _, g := range grants {
		used := l.T("peer.never")
		if g.Token.UsedOn != nil {
			used = l.Date(*g.Token.UsedOn)
		}
		view.Apps.Rows = append(view.Apps.Rows, []Cell{{Words: g.App.Name, Detail: strings.TrimSpace(l.T("apps.since", "Date", l.Date(g.Token.CreatedAt)) + " " + g.App.Website)}, {Words: strings.Join(scopeWords(l, g.Scopes), " ")}, {Words: used},
			{Actions: []Action{{Words: l.T("apps.end"), Icon: "x", URL: "/settings/apps/" + digits(g.Token.ID) + "/end", Post: true}}}})
	}
	return p.render(h, w, http.StatusOK, "sessions", view.Head.Title, view)
}

func (p *Pages) endSession(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return auth.EndSession(tx, h.me.ID, id) }); err != nil {
		return err
	}
	p.flash(w, "flash.session_ended")
	return seeOther(w, r, "/settings/sessions")
}

func (p *Pages) endOthers(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return auth.EndSessions(tx, h.me.ID, h.session.ID) }); err != nil {
		return err
	}
	p.flash(w, "flash.sessions_ended")
	return seeOther(w, r, "/settings/sessions")
}

func (p *Pages) endApp(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return auth.EndGrant(tx, h.me.ID, id) }); err != nil {
		return err
	}
	p.flash(w, "flash.app_ended")
	return seeOther(w, r, "/settings/sessions")
}

// chooseTheme keeps light or dark on this device.
func (p *Pages) chooseTheme(h *here, w http.ResponseWriter, r *http.Request) error {
	c := http.Cookie{Name: themeCookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: p.site.Scheme == "https", SameSite: http.SameSiteLaxMode}
	if theme := r.PostFormValue("theme"); theme == "light" || theme == "dark" {
		c.Value, c.MaxAge = theme, 365*24*60*60
	}
	http.SetCookie(w, &c)
	return seeOther(w, r, safeReturn(r.PostFormValue("back"), p.site))
}

// deviceName says in words what a browser calls itself. Names that it does not
// know stay as they are.
//
// RFC 9110, section 10.1.5 (User-Agent).
func deviceName(l *Locale, agent string) string {
	browser, system := "", ""
	for _, b := range []struct{ sign, name string }{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if strings.Contains(agent, b.sign) {
			browser = b.name
			break
		}
	}
	for _, s := range []struct{ sign, name string }{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"},
		{"CrOS", "ChromeOS"}, {"Mac OS", "macOS"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, s.sign) {
			system = s.name
			break
		}
	}
	switch {
	case browser != "" && system != "":
		return l.T("sessions.browser_on", "Browser", browser, "System", system)
	case agent == "":
		return l.T("sessions.unknown")
	}
	return agent
}
