package web

import (
	"net/http"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// aboutPage says who runs this server, what is written here and what leaves it.
type aboutPage struct {
	Head        PageHead
	Facts       []Fact
	Rules       []string
	Leaves      []string
	Stays       []string
	Connections []string
	List        *Action // of the connections, as far as the reader may see it
	Ask         Action
	Aside       AsideCard
}

// about is the first page of guests, and for members what the server promises.
func (p *Pages) about(h *here, w http.ResponseWriter, r *http.Request) error {
	var mode peers.Mode
	var levels peers.Levels
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if mode, err = peers.ModeOf(tx); err != nil {
			return err
		}
		levels, err = peers.LevelsOf(tx)
		return err
	})
	if err != nil {
		return err
	}
	l, s := h.l, h.school
	view := aboutPage{Head: PageHead{Title: s.Title(), Lead: s.Description}, Rules: s.RuleList(),
		Facts:       []Fact{{Name: l.T("about.kind"), Value: kindName(l, s.Kind)}, {Name: l.T("about.server"), Value: p.site.Host}},
		Leaves:      []string{l.T("about.leaves_public"), l.T("about.leaves_network"), l.T("about.leaves_followers"), l.T("about.leaves_people"), l.T("about.leaves_profile")},
		Stays:       []string{l.T("about.stays_school", "School", s.Title()), l.T("about.stays_me"), l.T("about.stays_reading"), l.T("about.stays_lists"), l.T("about.stays_email")},
		Connections: connectionWords(l, mode, levels),
		Ask:         Action{Words: l.T("about.ask"), Icon: "waypoints", URL: "/peering"},
		Aside:       AsideCard{Title: l.T("about.what"), Icon: "chalkring", Words: l.T("about.what_words")},
	}
	view.List = &Action{Words: l.T("connections.title"), Icon: "list", URL: "/about/connections"}
	if view.Head.Lead == "" {
		view.Head.Lead = l.T("about.lead", "School", s.Title())
	}
	if s.Contact != "" {
		view.Facts = append(view.Facts, Fact{Name: l.T("about.contact"), Value: s.Contact, URL: mailto(s.Contact)})
	}
	if !h.signedIn() {
		view.Head.Actions = []Action{{Words: l.T("nav.sign_in"), Icon: "log-in", URL: "/sign-in", Main: true}}
		if s.Registration == community.RegistrationRequest {
			view.Head.Actions = append(view.Head.Actions, Action{Words: l.T("sign_in.request"), Icon: "user-plus", URL: "/request"})
		}
	}
	return p.render(h, w, http.StatusOK, "about", l.T("nav.about"), view)
}

// connectionWords says which servers this one talks to, by how much is
// entrusted to them and without their names.
func connectionWords(l *Locale, mode peers.Mode, levels peers.Levels) []string {
	var out []string
	if mode == peers.Open {
		out = append(out, l.T("about.open"))
	} else {
		out = append(out, l.T("about.closed"))
	}
	if levels.Connected == 0 {
		out = append(out, l.T("about.none_connected"))
	}
	if n := levels.ByCeiling[peers.CeilingNetwork] + levels.ByCeiling[peers.CeilingGroup]; n > 0 {
		out = append(out, l.T("about.trusted", "Count", n))
	}
	if n := levels.ByCeiling[peers.CeilingPublic]; n > 0 {
		out = append(out, l.T("about.public_only", "Count", n))
	}
	if n := levels.ByCeiling[peers.CeilingNone]; n > 0 {
		out = append(out, l.T("about.listen_only", "Count", n))
	}
	if levels.Blocked > 0 {
		out = append(out, l.T("about.blocked", "Count", levels.Blocked))
	}
	return out
}

func kindName(l *Locale, kind string) string {
	switch kind {
	case "school":
		return l.T("site.kind_school")
	case "region":
		return l.T("site.kind_region")
	case "university":
		return l.T("site.kind_university")
	}
	return l.T("site.kind_other")
}

// mailto is the address to write to, where a contact is an e-mail address.
func mailto(contact string) string {
	if community.CheckEmail(contact) == nil {
		return "mailto:" + contact
	}
	return ""
}

// peeringPage tells people of other servers how to connect with this one, and
// why it refused theirs.
type peeringPage struct {
	Head  PageHead
	Facts []Fact
	Steps []string
	Why   []string
}

func (p *Pages) peering(h *here, w http.ResponseWriter, r *http.Request) error {
	l, s := h.l, h.school
	var mode peers.Mode
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		mode, err = peers.ModeOf(tx)
		return err
	})
	if err != nil {
		return err
	}
	view := peeringPage{Head: PageHead{Title: l.T("nav.peering"), Lead: l.T("peering.lead", "School", s.Title())},
		Facts: []Fact{{Name: l.T("peering.host"), Value: p.site.Host}, {Name: l.T("peering.handles"), Value: "@name@" + p.site.Host},
			{Name: l.T("peering.software"), Value: "Chalkring " + p.Version}},
		Steps: []string{l.T("peering.step_ask"), l.T("peering.step_request", "Host", p.site.Host), l.T("peering.step_words"), l.T("peering.step_here"), l.T("peering.step_add", "Host", p.site.Host), l.T("peering.step_follow")},
		Why:   []string{l.T("peering.why_closed"), l.T("peering.why_children"), l.T("peering.why_exact")},
	}
	if hash, err := peers.KeyHash(s.PublicKey); err == nil {
		view.Facts = append(view.Facts, Fact{Name: l.T("peering.fingerprint"), Value: peers.Fingerprint(hash)})
	}
	if mode == peers.Open {
		view.Head.Lead = l.T("peering.lead_open", "School", s.Title())
		view.Why = []string{l.T("peering.why_blocked")}
	}
	if s.Contact != "" {
		view.Facts = append(view.Facts, Fact{Name: l.T("about.contact"), Value: s.Contact, URL: mailto(s.Contact)})
	} else {
		view.Steps[0] = l.T("peering.step_know")
	}
	return p.render(h, w, http.StatusOK, "peering", view.Head.Title, view)
}
