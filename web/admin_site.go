package web

import (
	"net/http"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// siteFields ask what this server says of itself: its name, its kind and whom
// to write to first, as setting up asks for those only.
func (p *Pages) siteFields(h *here, f community.SiteForm) []FormField {
	l := h.l
	kinds := []Option{
		{Value: "school", Words: l.T("site.kind_school")},
		{Value: "region", Words: l.T("site.kind_region")},
		{Value: "university", Words: l.T("site.kind_university")},
		{Value: "other", Words: l.T("site.kind_other")},
	}
	for i := range kinds {
		kinds[i].Selected = kinds[i].Value == f.Kind
	}
	registration := []Option{
		{Value: community.RegistrationInvite, Words: l.T("site.by_invitation"), Selected: f.Registration == community.RegistrationInvite},
		{Value: community.RegistrationRequest, Words: l.T("site.by_request"), Selected: f.Registration == community.RegistrationRequest},
	}
	return []FormField{
		{Name: "name", Label: l.T("site.name"), Hint: l.T("site.name_hint"), Value: f.Name, Required: true, Max: 200, Autocomplete: "organization"},
		{Name: "kind", Kind: "select", Label: l.T("site.kind"), Options: kinds},
		{Name: "contact", Label: l.T("site.contact"), Hint: l.T("site.contact_hint"), Value: f.Contact, Max: 500},
		{Name: "description", Kind: "textarea", Label: l.T("site.description"), Hint: l.T("site.description_hint"), Value: f.Description, Rows: 4, Max: 5000},
		{Name: "rules", Kind: "textarea", Label: l.T("site.rules"), Hint: l.T("site.rules_hint"), Value: f.Rules, Rows: 6, Max: 10000},
		{Name: "registration", Kind: "select", Label: l.T("site.registration"), Hint: l.T("site.registration_hint"), Options: registration},
	}
}

func (p *Pages) siteView(h *here, f community.SiteForm) formPage {
	tabs := p.adminTabs(h, "/admin/site")
	return formPage{Head: PageHead{Title: h.l.T("admin.site"), Lead: h.l.T("admin.site_lead")}, Tabs: &tabs, Action: "/admin/site",
		Parts: []formPart{{Fields: p.siteFields(h, f)}}, Submit: h.l.T("form.save")}
}

func (p *Pages) siteForm(h *here, w http.ResponseWriter, r *http.Request) error {
	s := h.school
	return p.answerWith(h, w, p.siteView(h, community.SiteForm{Name: s.Name, Description: s.Description, Kind: s.Kind, Contact: s.Contact,
		Rules: s.Rules, Registration: s.Registration}), nil)
}

func (p *Pages) saveSite(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	f := community.SiteForm{Name: r.PostFormValue("name"), Description: r.PostFormValue("description"), Kind: r.PostFormValue("kind"),
		Contact: r.PostFormValue("contact"), Rules: r.PostFormValue("rules"), Registration: r.PostFormValue("registration")}
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := community.UpdateSite(tx, h.me.ID, f)
		return err
	})
	if err != nil {
		if problem := mended(err); problem != nil {
			return p.answerWith(h, w, p.siteView(h, f), problem)
		}
		return err
	}
	p.flash(w, "flash.site_saved")
	return seeOther(w, r, "/admin/site")
}
