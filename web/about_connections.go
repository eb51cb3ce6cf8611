package web

import (
	"net/http"
	"slices"
	"time"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// connectionsPage says with which servers this one is connected, since when,
// why and how closely, and how somebody can object. Nobody is named on it.
type connectionsPage struct {
	Head    PageHead
	Words   []string // how many there are, at which levels
	Rows    []connectionRow
	More    string
	SignIn  *Action // guests read only how many
	Objects []string
	Contact *Fact
	Ask     Action
}

// connectionRow is one server.
type connectionRow struct {
	School SchoolView
	State  *State // where it is not simply connected
	Level  string
	Why    string
	Since  time.Time
}

// connectionsShown is how many servers a page of the list has.
const connectionsShown = 100

// connections is the policy as members may read it. Guests are told only how
// many servers there are at each level: which schools work together is the
// schools' own business.
func (p *Pages) connections(h *here, w http.ResponseWriter, r *http.Request) error {
	var mode peers.Mode
	var levels peers.Levels
	var list []peers.Peer
	after := r.FormValue("after")
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if mode, err = peers.ModeOf(tx); err != nil {
			return err
		}
		if levels, err = peers.LevelsOf(tx); err != nil || !h.signedIn() {
			return err
		}
		list, err = peers.Connections(tx, after, connectionsShown+1)
		return err
	})
	if err != nil {
		return err
	}
	l, s := h.l, h.school
	view := connectionsPage{Head: PageHead{Title: l.T("connections.title"), Lead: l.T("connections.lead", "School", s.Title()), Back: &Link{Words: l.T("nav.about"), URL: "/about"}},
		Words: connectionWords(l, mode, levels), Objects: []string{l.T("connections.object_ask"), l.T("connections.object_self"), l.T("connections.object_log")},
		Ask: Action{Words: l.T("about.ask"), Icon: "waypoints", URL: "/peering"}}
	if s.Contact != "" {
		view.Contact = &Fact{Name: l.T("about.contact"), Value: s.Contact, URL: mailto(s.Contact)}
	}
	if !h.signedIn() {
		view.SignIn = &Action{Words: l.T("nav.sign_in"), Icon: "log-in", URL: "/sign-in?to=%2Fabout%2Fconnections"}
	}
	if len(list) > connectionsShown {
		list = list[:connectionsShown]
		view.More = "/about/connections?after=" + queryEscape(list[len(list)-1].Host)
	}
	if len(list) > 0 && levels.Connected == 0 { // what there is rests
		none := l.T("about.none_connected")
		view.Words = slices.DeleteFunc(view.Words, func(words string) bool { return words == none })
	}
	for _, c := range list {
		row := connectionRow{School: p.school(h, c.Host, c.Label), Level: levelWords(l, c.Ceiling), Why: c.PublicNote, Since: c.CreatedAt}
		switch {
		case c.Standing == peers.Paused:
			row.State = &State{Tone: "wait", Icon: "clock", Words: l.T("quiet.paused")}
		case c.Standing == peers.Expired || c.ExpiresAt != nil && !p.Now().Before(*c.ExpiresAt):
			row.State = &State{Tone: "quiet", Icon: "clock", Words: l.T("connections.expired")}
		case c.Standing == peers.Retired:
			row.State = &State{Tone: "quiet", Icon: "log-out", Words: l.T("quiet.ended")}
		case c.Preset == peers.PresetTrial:
			row.State = &State{Tone: "wait", Icon: "clock", Words: l.T("connections.trial")}
		}
		if c.Standing != peers.Allowed || c.ExpiresAt != nil && !p.Now().Before(*c.ExpiresAt) {
			row.Level = l.T("connections.level_rests")
		}
		view.Rows = append(view.Rows, row)
	}
	return p.render(h, w, http.StatusOK, "connections", view.Head.Title, view)
}

// levelWords says how closely a server is connected, to people who do not
// administer: what may be sent there.
func levelWords(l *Locale, c peers.Ceiling) string {
	switch c {
	case peers.CeilingNone:
		return l.T("connections.level_none")
	case peers.CeilingPublic:
		return l.T("connections.level_public")
	case peers.CeilingGroup:
		return l.T("connections.level_group")
	}
	return l.T("connections.level_network")
}
