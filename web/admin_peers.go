package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// peersPage is the map of connections: who is let in, who is kept out, and who
// stands at the door.
type peersPage struct {
	Head     PageHead
	Tabs     Tabs
	Parts    Tabs
	Mode     State
	ModeText string
	Knocking []knock
	Filter   Tabs
	Query    FormField
	Show     string
	Cards    []PeerCard
	More     string // the next page of cards
	Empty    EmptyState
}

// knock is a server that tried and was refused.
type knock struct {
	School SchoolView
	URL    string
	Words  string
	Allow  Action
}

// peerTabs are the parts of the pages about other servers, shown below
// adminTabs. current is the address of the part that is shown.
func (p *Pages) peerTabs(h *here, current string) Tabs {
	l := h.l
	tabs := Tabs{Label: l.T("peers.parts"), Items: []Tab{
		{Words: l.T("peers.part_servers"), URL: "/admin/peers", Count: -1},
		{Words: l.T("peers.part_requests"), URL: "/admin/peers/requests", Count: -1},
		{Words: l.T("peers.part_held"), URL: "/admin/peers/held", Count: -1},
		{Words: l.T("peers.part_lists"), URL: "/admin/peers/lists", Count: -1},
		{Words: l.T("peers.part_import"), URL: "/admin/peers/import", Count: -1},
		{Words: l.T("peers.part_delivery"), URL: "/admin/delivery", Count: -1},
		{Words: l.T("peers.part_log"), URL: "/admin/peers/audit", Count: -1},
	}}
	if !h.user.Role.MayModerate() { // what people wrote is not for whoever looks after the machines
		tabs.Items = slices.DeleteFunc(tabs.Items, func(t Tab) bool { return t.URL == heldAt })
	}
	for i := range tabs.Items {
		tabs.Items[i].Current = tabs.Items[i].URL == current
	}
	return tabs
}

func peerPath(host string) string { return "/admin/peers/" + url.PathEscape(host) }

// peersShown is how many servers a page of the list has.
const peersShown = 48

func (p *Pages) peers(h *here, w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	show, typed := q.Get("show"), strings.TrimSpace(q.Get("q"))
	filter := peers.Filter{Query: typed, After: q.Get("after"), Limit: peersShown}
	switch show {
	case "blocked":
		filter.State = peers.StateBlocked
	case "all":
		filter.Blocked = true
	default:
		show = "allowed"
	}
	var rows []peers.Row
	var knocking []peers.Host
	var figures community.Figures
	var by map[int64]community.Account
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if rows, err = peers.List(tx, filter); err != nil {
			return err
		}
		if knocking, err = peers.Knocking(tx, mostKnocking); err != nil {
			return err
		}
		if figures, err = community.FiguresOf(tx); err != nil {
			return err
		}
		var ids []int64
		for _, row := range rows {
			if row.ChangedBy != nil {
				ids = append(ids, *row.ChangedBy)
			}
		}
		by, err = community.AccountsByID(tx, ids)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	tab := func(value, words string, n int) Tab {
		to := url.Values{"show": {value}}
		if typed != "" {
			to.Set("q", typed)
		}
		return Tab{Words: words, URL: "/admin/peers?" + to.Encode(), Current: show == value, Count: n}
	}
	view := peersPage{
		Head: PageHead{Title: l.T("peers.title"), Lead: l.T("peers.lead"), Actions: []Action{
			{Words: l.T("peers.add"), Icon: "plus", URL: "/admin/peers/new", Main: true}}},
		Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, "/admin/peers"), Mode: p.modeState(h), ModeText: p.modeText(h),
		Filter: Tabs{Label: l.T("peers.filter"), Items: []Tab{
			tab("allowed", l.T("peers.show_allowed"), figures.Schools), tab("blocked", l.T("peers.show_blocked"), figures.Blocked), tab("all", l.T("peers.show_all"), -1)}},
		Query: FormField{Name: "q", Kind: "search", Label: l.T("peers.search"), Value: typed, Max: 200, Code: true}, Show: show,
	}
	for _, k := range knocking {
		view.Knocking = append(view.Knocking, p.knock(h, k))
	}
	for _, row := range rows {
		view.Cards = append(view.Cards, p.peerCard(h, row, by))
	}
	if len(rows) == peersShown {
		q.Set("after", rows[len(rows)-1].Host)
		view.More = "/admin/peers?" + q.Encode()
	}
	switch {
	case typed != "":
		view.Empty = EmptyState{Icon: "search", Title: l.T("peers.none_found", "Query", typed), Words: l.T("peers.none_found_words")}
	case show == "blocked":
		view.Empty = EmptyState{Icon: "ban", Title: l.T("peers.none_blocked"), Words: l.T("peers.none_blocked_words")}
	default:
		view.Empty = EmptyState{Icon: "waypoints", Title: l.T("peers.none"), Words: l.T("peers.none_words"),
			Action: &Action{Words: l.T("peers.add"), Icon: "plus", URL: "/admin/peers/new", Main: true}}
	}
	return p.render(h, w, http.StatusOK, "admin_peers", view.Head.Title, view)
}

func (p *Pages) knock(h *here, k peers.Host) knock {
	last := ""
	if k.RefusedInAt != nil {
		last = h.l.Ago(*k.RefusedInAt, p.Now())
	}
	return knock{School: p.school(h, k.Host, k.Name), URL: peerPath(k.Host), Words: h.l.T("peers.tried", "Count", int(k.RefusedIn), "When", last),
		Allow: Action{Words: h.l.T("peers.allow"), Icon: "circle-check", URL: peerPath(k.Host) + "/allow"}}
}

// modeState is what happens to servers nobody decided about, at a glance.
func (p *Pages) modeState(h *here) State {
	if h.school.Mode == peers.Open {
		return State{Tone: "bad", Icon: "globe", Words: h.l.T("mode.open")}
	}
	return State{Tone: "good", Icon: "lock", Words: h.l.T("mode.allowlist")}
}

func (p *Pages) modeText(h *here) string {
	if h.school.Mode == peers.Open {
		return h.l.T("mode.open_words")
	}
	return h.l.T("mode.allowlist_words")
}

// peerCard is an entry with what is going on. by holds those who decided.
func (p *Pages) peerCard(h *here, row peers.Row, by map[int64]community.Account) PeerCard {
	l, at := h.l, peerPath(row.Host)
	name := row.Label
	if name == "" {
		name = row.Known.Name
	}
	c := PeerCard{School: SchoolView{Name: name, Host: row.Host, Mark: MarkOf(name, row.Host, "")}, URL: at, State: p.peerState(h, row),
		Software: software(row.Known), Queue: int(row.Waiting), Note: row.Note, Since: row.ChangedAt, By: l.T("peers.command_line")}
	if row.ChangedBy != nil {
		a := by[*row.ChangedBy]
		c.By = a.Name()
	}
	if row.Reason != "" {
		c.Reason = l.T("peers.because", "Reason", row.Reason)
	}
	if row.Known.LastInAt != nil {
		c.LastIn = *row.Known.LastInAt
	}
	if row.Known.LastOutAt != nil {
		c.LastOut = *row.Known.LastOutAt
	}
	if row.Admits() {
		c.Shares = ceilingWords(l, row.Ceiling)
		c.Actions = []Action{{Words: l.T("peers.details"), Icon: "settings", URL: at}}
		c.Menu = []Action{
			{Words: l.T("peers.block"), Icon: "ban", URL: at + "/block", Danger: true},
			{Words: l.T("peers.remove"), Icon: "trash-2", URL: at + "/remove", Danger: true}}
		return c
	}
	c.Held, c.Queue = c.Queue, 0
	c.Actions = []Action{{Words: l.T("peers.details"), Icon: "settings", URL: at}}
	if row.CoveredBy == "" {
		c.Menu = []Action{{Words: l.T("peers.allow"), Icon: "circle-check", URL: at + "/allow"}}
	}
	c.Menu = append(c.Menu, Action{Words: l.T("peers.remove"), Icon: "trash-2", URL: at + "/remove", Danger: true})
	return c
}

// software is what a server says it runs.
func software(k peers.Host) string {
	if k.Software == "" {
		return ""
	}
	return strings.TrimSpace(k.Software + " " + k.Version)
}

// peerState says how it stands with a server, in few words.
func (p *Pages) peerState(h *here, row peers.Row) State {
	l := h.l
	switch {
	case row.CoveredBy != "":
		return State{Tone: "bad", Icon: "ban", Words: l.T("peers.covered", "Host", row.CoveredBy)}
	case row.Standing == peers.Blocked:
		return State{Tone: "quiet", Icon: "ban", Words: l.T("peers.is_blocked")}
	case row.Standing == peers.Unknown && h.school.Mode == peers.Open:
		return State{Tone: "wait", Icon: "globe", Words: l.T("peers.is_open")}
	case row.Standing == peers.Unknown:
		return State{Tone: "quiet", Icon: "lock", Words: l.T("peers.is_unknown")}
	case row.FailingSince != nil:
		return State{Tone: "bad", Icon: "circle-alert", Words: l.T("peers.is_failing", "When", l.Ago(*row.FailingSince, p.Now()))}
	case row.Known.MetAt == nil && row.Known.MeetTries > 0:
		return State{Tone: "bad", Icon: "circle-alert", Words: l.T("peers.is_unmet", "Count", int(row.Known.MeetTries))}
	case row.Known.MetAt == nil:
		return State{Tone: "wait", Icon: "clock", Words: l.T("peers.is_new")}
	}
	return State{Tone: "good", Icon: "circle-check", Words: l.T("peers.is_connected")}
}

// ceilingWords says how much is entrusted to a server.
func ceilingWords(l *Locale, c peers.Ceiling) string {
	switch c {
	case peers.CeilingNone:
		return l.T("ceiling.none")
	case peers.CeilingPublic:
		return l.T("ceiling.public")
	case peers.CeilingGroup:
		return l.T("ceiling.group")
	}
	return l.T("ceiling.network")
}

// ceilingField asks how much is entrusted to a server.
func ceilingField(l *Locale, chosen peers.Ceiling) FormField {
	if chosen == "" {
		chosen = peers.CeilingNetwork
	}
	f := FormField{Name: "ceiling", Kind: "radio", Label: l.T("ceiling.legend"), Hint: l.T("ceiling.hint"), Options: []Option{
		{Value: string(peers.CeilingNetwork), Words: l.T("ceiling.network"), Detail: l.T("ceiling.network_detail")},
		{Value: string(peers.CeilingGroup), Words: l.T("ceiling.group"), Detail: l.T("ceiling.group_detail")},
		{Value: string(peers.CeilingPublic), Words: l.T("ceiling.public"), Detail: l.T("ceiling.public_detail")},
		{Value: string(peers.CeilingNone), Words: l.T("ceiling.none"), Detail: l.T("ceiling.none_detail")},
	}}
	for i := range f.Options {
		f.Options[i].Selected = f.Options[i].Value == string(chosen)
	}
	return f
}

// entryFields are what is written down about a server besides its name.
func entryFields(l *Locale, e peers.Entry) (label, note, reason FormField) {
	return FormField{Name: "label", Label: l.T("peers.label"), Hint: l.T("peers.label_hint"), Value: e.Label, Optional: true, Max: 200},
		FormField{Name: "note", Kind: "textarea", Label: l.T("peers.note"), Hint: l.T("peers.note_hint"), Value: e.Note, Optional: true, Rows: 3, Max: 4000},
		FormField{Name: "reason", Label: l.T("peers.reason"), Hint: l.T("peers.reason_hint"), Value: e.Reason, Optional: true, Max: 4000}
}

// entryOf reads what was written down about a server.
func entryOf(r *http.Request) peers.Entry {
	return peers.Entry{Label: r.FormValue("label"), Note: r.FormValue("note"), Reason: r.FormValue("reason"), Ceiling: peers.Ceiling(r.FormValue("ceiling"))}
}

// newPeerView is the form that adds a server.
func (p *Pages) newPeerView(h *here, host string, e peers.Entry, block bool) formPage {
	l := h.l
	label, note, reason := entryFields(l, e)
	tabs := p.adminTabs(h, "/admin/peers")
	return formPage{
		Head: PageHead{Title: l.T("peers.add"), Lead: l.T("peers.add_lead"), Back: peersBack(l)}, Tabs: &tabs,
		Action: "/admin/peers/new", Submit: l.T("peers.add_submit"), Cancel: "/admin/peers",
		Parts: []formPart{{Fields: []FormField{
			{Name: "host", Label: l.T("peers.host"), Hint: l.T("peers.host_hint"), Value: host, Required: true, Code: true, Max: 300, Autocomplete: "off"},
			label,
			{Name: "standing", Kind: "radio", Label: l.T("peers.decision"), Options: []Option{
				{Value: "allowed", Words: l.T("peers.allow"), Detail: l.T("peers.allow_detail"), Selected: !block},
				{Value: "blocked", Words: l.T("peers.block"), Detail: l.T("peers.block_detail"), Selected: block}}},
			ceilingField(l, e.Ceiling), note, reason,
		}}},
	}
}

func (p *Pages) newPeerForm(h *here, w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	return p.answerWith(h, w, p.newPeerView(h, q.Get("host"), peers.Entry{}, q.Get("standing") == "blocked"), nil)
}

// newPeer allows the server that was named, or leads to the page that says
// what a block of it does.
func (p *Pages) newPeer(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	typed, e, block := r.PostFormValue("host"), entryOf(r), r.PostFormValue("standing") == "blocked"
	var host string
	deed := func(tx *store.Tx) (err error) {
		if host, err = peers.Normalise(tx, typed); err != nil || block {
			return err
		}
		_, err = peers.Allow(tx, h.me.ID, host, e)
		return err
	}
	var err error
	if block {
		err = p.DB.Read(r.Context(), deed)
	} else {
		err = p.DB.Write(r.Context(), deed)
	}
	if problem := mended(err); problem != nil {
		return p.answerWith(h, w, p.newPeerView(h, typed, e, block), problem)
	} else if err != nil {
		return err
	}
	if block {
		return seeOther(w, r, peerPath(host)+"/block?"+url.Values{"label": {e.Label}, "note": {e.Note}, "reason": {e.Reason}}.Encode())
	}
	p.flash(w, "flash.peer_allowed", "Host", host)
	return seeOther(w, r, peerPath(host))
}

func peersBack(l *Locale) *Link { return &Link{Words: l.T("peers.title"), URL: "/admin/peers"} }
