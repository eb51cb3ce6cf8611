package web

import (
	"net/http"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// themeCookie keeps the light or dark that somebody chose, on their device.
const themeCookie = "chalkring_theme"

// stranger is a request that nothing could be learned about, as when the
// database does not answer: enough for a page that says so.
func (p *Pages) stranger(r *http.Request) *here {
	h := &here{l: p.catalogue.For("", r.Header.Get("Accept-Language")), viewer: community.Guest}
	h.frame = Frame{Site: SiteView{Name: p.site.Host, Host: p.site.Host, Mark: MarkOf("", p.site.Host, "")}, Path: r.URL.RequestURI(), Shape: Alone}
	return h
}

// arrive finds out who asks.
func (p *Pages) arrive(r *http.Request) (*here, error) {
	h := &here{viewer: community.Guest}
	session, person, err := p.Auth.Signed(r.Context(), p.Auth.CookieToken(r))
	if err != nil && !fault.Is(err, fault.Unauthorized) && !fault.Is(err, fault.Forbidden) {
		return nil, err
	}
	if err == nil {
		h.session, h.me, h.user = session, person.Account, person.User
		h.viewer = community.Viewer{ID: person.ID, Local: true}
	}
	h.l = p.catalogue.For(h.user.Locale, r.Header.Get("Accept-Language"))
	unread, waiting := 0, 0
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if h.school, err = community.SiteOf(tx); err != nil {
			return err
		}
		if h.me.ID == 0 {
			return nil
		}
		if h.schools, err = peers.CountAllowed(tx); err != nil {
			return err
		}
		if unread, err = community.Unread(tx, h.me.ID); err != nil {
			return err
		}
		if h.user.Role.MayManagePeople() {
			waiting, err = community.CountPending(tx)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	h.frame = Frame{
		Site: SiteView{Name: h.school.Title(), Host: p.site.Host, Mark: MarkOf(h.school.Title(), p.site.Host, "")},
		Path: r.URL.RequestURI(), Unread: unread, Waiting: waiting, Admin: h.user.Role.MayAdminister(),
	}
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		h.frame.Theme = c.Value
	}
	if h.me.ID != 0 {
		me := p.person(h, h.me, "")
		h.frame.Me = &me
	}
	return h, nil
}
