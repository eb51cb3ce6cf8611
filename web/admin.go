package web

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// adminRoutes mounts the administrator's pages.
func (p *Pages) adminRoutes(r *mux.Router) {
	get := func(path string, may func(community.Role) bool, h handler) {
		r.Handle(path, p.admin(may, h)).Methods(http.MethodGet, http.MethodHead)
	}
	post := func(path string, may func(community.Role) bool, h handler) {
		r.Handle(path, p.admin(may, h)).Methods(http.MethodPost)
	}
	get("/admin", community.Role.MayAdminister, p.overview)

	connections := community.Role.MayManagePeers
	get("/admin/peers", connections, p.peers)
	get("/admin/peers/new", connections, p.newPeerForm)
	post("/admin/peers/new", connections, p.newPeer)
	get("/admin/peers/mode", connections, p.modeForm)
	post("/admin/peers/mode", connections, p.setMode)
	get("/admin/peers/audit", connections, p.audit)
	p.importRoutes(get, post)
	p.adminEndRoutes(get, post)
	p.heldRoutes(get, post)
	p.peerRequestRoutes(get, post)
	p.listPagesRoutes(get, post)
	get("/admin/peers/{host}", connections, p.peer)
	post("/admin/peers/{host}", connections, p.changePeer)
	post("/admin/peers/{host}/names", connections, p.changeNames)
	get("/admin/peers/{host}/{deed:allow|remove}", connections, p.askPeer)
	post("/admin/peers/{host}/{deed:allow|remove}", connections, p.decidePeer)
	p.exchangeRoutes(get, post)
	get("/admin/delivery", connections, p.lanes)
	post("/admin/delivery", connections, p.wake)
	get("/admin/site", connections, p.siteForm)
	post("/admin/site", connections, p.saveSite)

	people := community.Role.MayManagePeople
	get("/admin/people", people, p.peopleHere)
	get("/admin/people/{id:[0-9]+}", people, p.personHere)
	post("/admin/people/{id:[0-9]+}/role", people, p.setRole)
	get("/admin/people/{id:[0-9]+}/{deed:disable|suspend}", people, p.askPerson)
	post("/admin/people/{id:[0-9]+}/{deed:disable|enable|suspend|unsuspend}", people, p.decidePerson)
	get("/admin/people/{id:[0-9]+}/delete", people, p.askErase)
	post("/admin/people/{id:[0-9]+}/delete", people, p.erasePerson)
	get("/admin/people/{id:[0-9]+}/password", people, p.passwordForm)
	post("/admin/people/{id:[0-9]+}/password", people, p.setPassword)
	get("/admin/announcements", people, p.announcements)
	post("/admin/announcements", people, p.writeAnnouncement)
	get("/admin/announcements/{id:[0-9]+}", people, p.announcement)
	post("/admin/announcements/{id:[0-9]+}", people, p.writeAnnouncement)
	post("/admin/announcements/{id:[0-9]+}/end", people, p.endAnnouncement)
	get("/admin/invites", people, p.invites)
	post("/admin/invites", people, p.newInvite)
	post("/admin/invites/{id:[0-9]+}/revoke", people, p.revokeInvite)
	get("/admin/requests", people, p.requests)
	post("/admin/requests/{id:[0-9]+}/approve", people, p.approve)
	get("/admin/requests/{id:[0-9]+}/decline", people, p.askDecline)
	post("/admin/requests/{id:[0-9]+}/decline", people, p.decline)
}

// admin is a page of the administration, for those whose role opens it.
func (p *Pages) admin(may func(community.Role) bool, fn handler) http.HandlerFunc {
	return p.allowed(may, func(h *here, w http.ResponseWriter, r *http.Request) error {
		h.frame.Here, h.frame.Shape, h.frame.Robots = Administer, Wide, "noindex"
		if r.Method != http.MethodPost {
			err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
				if h.user.Role.MayModerate() {
					if h.held, err = community.CountHeld(tx); err != nil {
						return err
					}
				}
				if h.user.Role.MayManagePeers() {
					h.asking, err = peers.CountAsking(tx)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return fn(h, w, r)
	})
}

// adminTabs are the parts of the administration that the reader's role opens.
// current is the address of the part that is shown.
func (p *Pages) adminTabs(h *here, current string) Tabs {
	tabs := Tabs{Label: h.l.T("nav.admin"), Items: []Tab{{Words: h.l.T("admin.overview"), URL: "/admin", Count: -1}}}
	if h.user.Role.MayModerate() {
		held := Tab{Words: h.l.T("admin.held"), URL: heldAt, Count: -1}
		if h.held > 0 {
			held.Count = h.held
		}
		tabs.Items = append(tabs.Items, Tab{Words: h.l.T("admin.reports"), URL: "/admin/reports", Count: -1}, held)
	}
	if h.user.Role.MayManagePeers() {
		tabs.Items = append(tabs.Items, Tab{Words: h.l.T("admin.peers"), URL: "/admin/peers", Count: -1})
	}
	if h.user.Role.MayManagePeople() {
		tabs.Items = append(tabs.Items,
			Tab{Words: h.l.T("admin.people"), URL: "/admin/people", Count: -1},
			Tab{Words: h.l.T("admin.invites"), URL: "/admin/invites", Count: -1},
			Tab{Words: h.l.T("admin.requests"), URL: "/admin/requests", Count: -1},
			Tab{Words: h.l.T("admin.announcements"), URL: "/admin/announcements", Count: -1})
	}
	if h.user.Role.MayManagePeers() {
		tabs.Items = append(tabs.Items,
			Tab{Words: h.l.T("admin.site"), URL: "/admin/site", Count: -1})
	}
	if len(tabs.Items) == 1 { // nothing to choose from
		tabs.Items = nil
	}
	for i := range tabs.Items {
		tabs.Items[i].Current = tabs.Items[i].URL == current
	}
	return tabs
}

// overviewPage is what an administrator sees first: what waits for a decision,
// how large this place is, and whether what leaves it arrives.
type overviewPage struct {
	Head    PageHead
	Tabs    Tabs
	Decide  decisions
	Counts  []Count
	Mode    State
	Chart   BarChart
	Week    string // what was refused or given up in the chart's days
	Trouble []laneRow
	Lanes   Link
	Version string
}

// decisions are what waits for a decision, as links.
type decisions struct {
	Asking *Count // servers that ask to connect, for those who decide about it: the one that changes while the page is open
	Items  []Action
}

// Any reports whether there is, or may come, anything to decide.
func (d decisions) Any() bool { return d.Asking != nil || len(d.Items) > 0 }

func (d *decisions) add(to ...Action) { d.Items = append(d.Items, to...) }

// daysShown is how many days the chart of deliveries has.
const daysShown = 7

// mostKnocking is how many of the servers that knock are listed.
const mostKnocking = 20

func (p *Pages) overview(h *here, w http.ResponseWriter, r *http.Request) error {
	var figures community.Figures
	var days []community.DeliveryDay
	var lanes []community.Lane
	var knocking []peers.Host
	var lists []Action
	var admitted map[string]bool
	var reports, reviews, expired int
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if figures, err = community.FiguresOf(tx); err != nil {
			return err
		}
		if days, err = community.DeliveryDays(tx, daysShown, h.l.Zone); err != nil {
			return err
		}
		if knocking, err = peers.Knocking(tx, mostKnocking); err != nil {
			return err
		}
		if h.user.Role.MayManagePeers() {
			if lists, err = listsToDecide(h.l, tx); err != nil {
				return err
			}
		}
		if lanes, err = community.Lanes(tx); err != nil {
			return err
		}
		if reviews, expired, err = peers.CountDue(tx); err != nil {
			return err
		}
		if reports, err = community.CountOpenReports(tx, h.me); err != nil {
			return err
		}
		admitted, err = peers.Admitted(tx, hostsOf(lanes))
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	view := overviewPage{
		Head: PageHead{Title: l.T("nav.admin"), Lead: l.T("admin.lead", "School", h.school.Title())}, Tabs: p.adminTabs(h, "/admin"),
		Counts: []Count{
			{N: figures.People, Words: l.T("admin.count_people", "Count", figures.People)},
			{N: figures.Posts, Words: l.T("admin.count_posts", "Count", figures.Posts)},
			{N: figures.Schools, Words: l.T("admin.count_schools", "Count", figures.Schools)},
			{N: figures.Waiting, Words: l.T("admin.count_waiting", "Count", figures.Waiting)},
		},
		Mode: p.modeState(h), Version: p.Version,
	}
	if reports > 0 {
		view.Decide.add(Action{Words: l.T("admin.decide_reports", "Count", reports), Icon: "triangle-alert", URL: "/admin/reports"})
	}
	if h.held > 0 {
		view.Decide.add(Action{Words: l.T("admin.decide_held", "Count", h.held), Icon: "eye", URL: heldAt})
	}
	if h.user.Role.MayManagePeople() && figures.Pending > 0 {
		view.Decide.add(Action{Words: l.T("admin.decide_requests", "Count", figures.Pending), Icon: "user-plus", URL: "/admin/requests"})
	}
	if h.user.Role.MayManagePeers() {
		h.frame.Live = liveAsking
		view.Decide.Asking = &Count{N: h.asking}
		if len(knocking) > 0 {
			view.Decide.add(Action{Words: l.T("admin.decide_knocking", "Count", len(knocking)), Icon: "waypoints", URL: "/admin/peers#knocking"})
		}
		view.Decide.add(dueActions(l, reviews, expired)...)
		view.Decide.add(lists...)
		for _, lane := range lanes {
			if lane.FailingSince != nil && len(view.Trouble) < 5 {
				row := p.lane(h, lane, admitted[lane.Host])
				row.Action = nil
				view.Trouble = append(view.Trouble, row)
			}
		}
		view.Lanes = Link{Words: l.T("admin.all_lanes"), URL: "/admin/delivery"}
	}
	view.Chart, view.Week = p.deliveryChart(l, days)
	return p.render(h, w, http.StatusOK, "admin_overview", view.Head.Title, view)
}

// deliveryChart draws what arrived elsewhere day by day, and says what did not.
func (p *Pages) deliveryChart(l *Locale, days []community.DeliveryDay) (BarChart, string) {
	chart := BarChart{Title: l.T("admin.chart"), Unit: l.T("admin.chart_unit"), Label: l.T("admin.chart_day")}
	refused, expired := 0, 0
	for _, d := range days {
		at := d.From.In(l.Zone)
		chart.Bars = append(chart.Bars, Bar{Label: l.Date(at), Short: digits(int64(at.Day())), Value: d.Delivered})
		refused, expired = refused+d.Refused, expired+d.Expired
	}
	if refused == 0 && expired == 0 {
		return chart, l.T("admin.week_well")
	}
	words := ""
	if refused > 0 {
		words = l.T("admin.week_refused", "Count", refused)
	}
	if expired > 0 {
		if words != "" {
			words += " "
		}
		words += l.T("admin.week_expired", "Count", expired)
	}
	return chart, words
}
