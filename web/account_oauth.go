package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/store"
)

// authorizePage asks whether an app may act in somebody's name.
type authorizePage struct {
	Head   PageHead
	App    string
	Site   string // the app's website
	Back   string // where the browser goes afterwards
	Me     PersonView
	Scopes []string
	Admin  bool // something of it is moderation or administration
	Fields map[string]string
}

func asked(get func(string) string) auth.Authorization {
	return auth.Authorization{ResponseType: get("response_type"), ClientID: get("client_id"), RedirectURI: get("redirect_uri"), Scope: get("scope"),
		State: get("state"), CodeChallenge: get("code_challenge"), CodeChallengeMethod: get("code_challenge_method")}
}

// authorizeForm shows which app asks for what. A question that is wrong is
// answered here and not told to the app: anybody can register one, and a link
// to this server must lead nowhere else before somebody has decided.
//
// RFC 6749, section 4.1.1; RFC 9700, section 4.11.2.
func (p *Pages) authorizeForm(h *here, w http.ResponseWriter, r *http.Request) error {
	q := asked(r.URL.Query().Get)
	h.frame.Shape, h.frame.Robots, h.frame.Opened = Alone, "noindex", true
	var app auth.App
	var scopes auth.Scopes
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		app, scopes, err = auth.CheckAuthorization(tx, q)
		return err
	})
	if err != nil {
		return err
	}
	// An app for several accounts has somebody sign in anew.
	again := truth(r.URL.Query().Get("force_login"))
	if !h.signedIn() || again {
		back := r.URL.Query()
		back.Del("force_login")
		to := "/sign-in?to=" + queryEscape("/oauth/authorize?"+back.Encode())
		if again {
			to += "&again=1"
		}
		return seeOther(w, r, to)
	}
	if lang := r.URL.Query().Get("lang"); lang != "" && h.user.Locale == "" {
		h.l = p.catalogue.For(lang, r.Header.Get("Accept-Language"))
	}
	l := h.l
	view := authorizePage{Head: PageHead{Title: l.T("oauth.title", "App", app.Name)}, App: app.Name, Site: app.Website, Back: l.T("oauth.code_shown"),
		Me: *h.frame.Me, Scopes: scopeWords(l, scopes), Fields: map[string]string{"response_type": q.ResponseType, "client_id": q.ClientID,
			"redirect_uri": q.RedirectURI, "scope": q.Scope, "state": q.State, "code_challenge": q.CodeChallenge, "code_challenge_method": q.CodeChallengeMethod}}
	view.Admin = slices.ContainsFunc(scopes, auth.Admin)
	if target := formTarget(q.RedirectURI); target != "" {
		h.frame.FormTargets = []string{target}
		view.Back = l.T("oauth.goes_back", "To", target)
	}
	return p.render(h, w, http.StatusOK, "authorize", view.Head.Title, view)
}

// authorize does what was decided.
func (p *Pages) authorize(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	q := asked(r.PostFormValue)
	h.frame.Shape, h.frame.Robots, h.frame.Opened = Alone, "noindex", true
	var app auth.App
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		app, _, err = auth.CheckAuthorization(tx, q)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	if r.PostFormValue("do") != "agree" {
		if to := q.Decline(); to != "" {
			return p.leave(w, r, to)
		}
		view := notePage{Head: PageHead{Title: l.T("oauth.declined_title")}, Words: []string{l.T("oauth.declined", "App", app.Name)},
			Actions: []Action{{Words: l.T("nav.home"), Icon: "house", URL: "/home"}}}
		return p.render(h, w, http.StatusOK, "note", view.Head.Title, view)
	}
	var code, to string
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		code, to, err = auth.Agree(tx, h.me.ID, q)
		return err
	})
	if err != nil {
		return err
	}
	if to != "" {
		return p.leave(w, r, to)
	}
	w.Header().Set("Cache-Control", "no-store")
	view := notePage{Head: PageHead{Title: l.T("oauth.code_title")}, Words: []string{l.T("oauth.code", "App", app.Name)}, Code: code}
	return p.render(h, w, http.StatusOK, "note", view.Head.Title, view)
}

// leave sends the browser to an app's own address, which was registered. It
// must not be kept: it may hold a code.
func (p *Pages) leave(w http.ResponseWriter, r *http.Request, to string) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound) // clients with a scheme of their own follow no other
	return nil
}

// formTarget is what the content policy calls the place a redirect URI leads
// to: an origin, or an app's own scheme.
//
// W3C Content Security Policy Level 3, section 2.3.1.
func formTarget(redirect string) string {
	u, err := url.Parse(redirect)
	switch {
	case err != nil || redirect == auth.OutOfBand || u.Scheme == "":
		return ""
	case u.Scheme == "http" || u.Scheme == "https":
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + ":"
}

// truth reads a yes in a query.
func truth(s string) bool { return s == "1" || s == "true" }

// scopeWords says in sentences what an app may do.
func scopeWords(l *Locale, scopes auth.Scopes) []string {
	var out []string
	parts := map[string][]string{}
	for _, s := range scopes {
		switch s {
		case "read":
			out = append(out, l.T("oauth.read"))
		case "write":
			out = append(out, l.T("oauth.write"))
		case "follow":
			out = append(out, l.T("oauth.follow"))
		case "push":
			out = append(out, l.T("oauth.push"))
		case "profile":
			out = append(out, l.T("oauth.profile"))
		case "admin:read":
			out = append(out, l.T("oauth.admin_read"))
		case "admin:write":
			out = append(out, l.T("oauth.admin_write"))
		default:
			i := strings.LastIndexByte(s, ':') // every other scope has a part
			if i > 0 && !slices.Contains(scopes, s[:i]) {
				parts[s[:i]] = append(parts[s[:i]], scopePart(l, s[i+1:]))
			}
		}
	}
	for _, some := range []struct {
		whole string
		say   func(what string) string
	}{
		{"read", func(what string) string { return l.T("oauth.read_only", "What", what) }},
		{"write", func(what string) string { return l.T("oauth.write_only", "What", what) }},
		{"admin:read", func(what string) string { return l.T("oauth.admin_read_only", "What", what) }},
		{"admin:write", func(what string) string { return l.T("oauth.admin_write_only", "What", what) }},
	} {
		if list := parts[some.whole]; len(list) > 0 {
			out = append(out, some.say(strings.Join(list, ", ")))
		}
	}
	return out
}

func scopePart(l *Locale, part string) string {
	switch part {
	case "accounts":
		return l.T("oauth.part_accounts")
	case "canonical_email_blocks":
		return l.T("oauth.part_canonical_email_blocks")
	case "domain_allows":
		return l.T("oauth.part_domain_allows")
	case "domain_blocks":
		return l.T("oauth.part_domain_blocks")
	case "email_domain_blocks":
		return l.T("oauth.part_email_domain_blocks")
	case "ip_blocks":
		return l.T("oauth.part_ip_blocks")
	case "blocks":
		return l.T("oauth.part_blocks")
	case "bookmarks":
		return l.T("oauth.part_bookmarks")
	case "conversations":
		return l.T("oauth.part_conversations")
	case "favourites":
		return l.T("oauth.part_favourites")
	case "filters":
		return l.T("oauth.part_filters")
	case "follows":
		return l.T("oauth.part_follows")
	case "lists":
		return l.T("oauth.part_lists")
	case "media":
		return l.T("oauth.part_media")
	case "mutes":
		return l.T("oauth.part_mutes")
	case "notifications":
		return l.T("oauth.part_notifications")
	case "reports":
		return l.T("oauth.part_reports")
	case "search":
		return l.T("oauth.part_search")
	case "statuses":
		return l.T("oauth.part_statuses")
	}
	return part
}
