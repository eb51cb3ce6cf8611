package web

import (
	"maps"
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
	Decide   decisions
	Map      peerMap
	Knocking []knock
	Filter   Tabs
	Means    string // what the state that is shown means
	State    string // "" or the state, for the form
	Query    FormField
	Preset   FormField
	Sort     FormField
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
		{Words: l.T("peers.part_requests"), URL: peerRequestsPath, Count: h.asking, Live: askingCount},
		{Words: l.T("peers.part_lists"), URL: "/admin/peers/lists", Count: -1},
		{Words: l.T("peers.part_import"), URL: "/admin/peers/import", Count: -1},
		{Words: l.T("peers.part_delivery"), URL: "/admin/delivery", Count: -1},
		{Words: l.T("peers.part_log"), URL: "/admin/peers/audit", Count: -1},
	}}
	if h.frame.Live == "" {
		h.frame.Live = liveAsking
	}
	for i := range tabs.Items {
		tabs.Items[i].Current = tabs.Items[i].URL == current
	}
	return tabs
}

func peerPath(host string) string { return "/admin/peers/" + url.PathEscape(host) }

// peersShown is how many servers a page of the list has.
const peersShown = 48

// stateRequested is the filter for servers that asked or were asked and have no entry.
const stateRequested = "requested"

// stateDue is the filter for servers whose review is due.
const stateDue = "due"

func (p *Pages) peers(h *here, w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	shown, typed := q.Get("state"), strings.TrimSpace(q.Get("q"))
	filter := peers.Filter{Query: typed, After: q.Get("after"), Limit: peersShown}
	switch {
	case slices.Contains(peers.States(), peers.State(shown)):
		filter.State = peers.State(shown)
	case shown == "all":
		filter.Blocked = true
	case shown == stateDue:
		filter.Due = true
	case shown != stateRequested:
		shown = ""
	}
	if preset := peers.Preset(q.Get("preset")); preset.Valid() {
		filter.Preset = preset
	}
	if sort := peers.Sort(q.Get("sort")); sort == peers.SortExchange || sort == peers.SortTrouble {
		filter.Sort = sort
	}
	var rows []peers.Row
	var knocking []peers.Host
	var tallies []peers.Tally
	var asking, asked []peers.Request
	var held, due, expired int
	var by map[int64]community.Account
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if asking, err = peers.WaitingRequests(tx, peers.In); err != nil {
			return err
		}
		if asked, err = peers.WaitingRequests(tx, peers.Out); err != nil {
			return err
		}
		if shown != stateRequested {
			if rows, err = peers.List(tx, filter); err != nil {
				return err
			}
		}
		if knocking, err = peers.Knocking(tx, mostKnocking); err != nil {
			return err
		}
		if tallies, err = peers.Tallies(tx); err != nil {
			return err
		}
		if held, err = community.CountHeld(tx); err != nil {
			return err
		}
		if due, expired, err = peers.CountDue(tx); err != nil {
			return err
		}
		by, err = accountsOf(tx, rows, func(r peers.Row) *int64 { return r.ChangedBy })
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	sums := map[peers.State]int{}
	open, all := 0, 0
	for _, t := range tallies {
		sums[t.State] += t.N
		if all += t.N; t.State != peers.StateBlocked {
			open += t.N
		}
	}
	tab := func(value, words string, n int) Tab {
		to := url.Values{}
		for _, key := range []string{"q", "preset", "sort"} {
			if s := q.Get(key); s != "" {
				to.Set(key, s)
			}
		}
		if value != "" {
			to.Set("state", value)
		}
		at := "/admin/peers"
		if len(to) > 0 {
			at += "?" + to.Encode()
		}
		return Tab{Words: words, URL: at, Current: shown == value, Count: n}
	}
	view := peersPage{
		Head: PageHead{Title: l.T("peers.title"), Lead: l.T("peers.lead"), Actions: []Action{
			{Words: l.T("peers.add"), Icon: "plus", URL: "/admin/peers/new", Main: true}}},
		Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, "/admin/peers"), Mode: p.modeState(h), ModeText: p.modeText(h), State: shown,
		Map:    mapOf(l, tallies),
		Filter: Tabs{Label: l.T("peers.filter"), Items: []Tab{tab("", l.T("peers.show_open"), open)}},
		Query:  FormField{Name: "q", Kind: "search", Label: l.T("peers.search"), Value: typed, Max: 200, Code: true},
		Preset: FormField{Name: "preset", Kind: "select", Label: l.T("peers.preset"), Options: []Option{{Value: "", Words: l.T("peers.any_preset")}}},
		Sort: FormField{Name: "sort", Kind: "select", Label: l.T("peers.sort"), Options: []Option{{Value: "", Words: l.T("peers.sort_name")},
			{Value: string(peers.SortExchange), Words: l.T("peers.sort_exchange"), Selected: filter.Sort == peers.SortExchange},
			{Value: string(peers.SortTrouble), Words: l.T("peers.sort_trouble"), Selected: filter.Sort == peers.SortTrouble}}},
		Means: stateMeans(l, filter.State),
	}
	for _, s := range peers.States() {
		if n := sums[s]; n > 0 || filter.State == s || s == peers.StateBlocked {
			view.Filter.Items = append(view.Filter.Items, tab(string(s), stateWords(l, s), n))
		}
	}
	if due > 0 || shown == stateDue {
		view.Filter.Items = append(view.Filter.Items, tab(stateDue, l.T("peers.state_due"), due))
	}
	if filter.Due {
		view.Means = l.T("peers.state_due_means")
	}
	if n := len(asking) + len(asked); n > 0 || shown == stateRequested {
		view.Filter.Items = append(view.Filter.Items, tab(stateRequested, l.T("peers.state_requested"), n))
	}
	view.Filter.Items = append(view.Filter.Items, tab("all", l.T("peers.show_all"), all))
	for _, one := range peers.Presets() {
		view.Preset.Options = append(view.Preset.Options, Option{Value: string(one), Words: presetWords(l, one), Selected: filter.Preset == one})
	}
	view.Decide.Asking = &Count{N: len(asking)}
	if held > 0 {
		view.Decide.add(Action{Words: l.T("admin.decide_held", "Count", held), Icon: "eye", URL: heldAt})
	}
	view.Decide.add(dueActions(l, due, expired)...)
	for _, k := range knocking {
		view.Knocking = append(view.Knocking, p.knock(h, k))
	}
	if shown == stateRequested {
		view.Cards = p.requestCards(h, asking, asked)
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
	case filter.State == peers.StateBlocked:
		view.Empty = EmptyState{Icon: "ban", Title: l.T("peers.none_blocked"), Words: l.T("peers.none_blocked_words")}
	case filter.State != peers.StateNone || filter.Preset != peers.PresetNone || shown != "":
		view.Empty = EmptyState{Icon: "waypoints", Title: l.T("peers.none_such"), Words: l.T("peers.none_such_words")}
	default:
		view.Empty = EmptyState{Icon: "waypoints", Title: l.T("peers.none"), Words: l.T("peers.none_words"),
			Action: &Action{Words: l.T("peers.add"), Icon: "plus", URL: "/admin/peers/new", Main: true}}
	}
	return p.render(h, w, http.StatusOK, "admin_peers", view.Head.Title, view)
}

// dueActions lead to the servers whose review is due, and to those whose time is
// over.
func dueActions(l *Locale, due, expired int) (to []Action) {
	if due > 0 {
		to = append(to, Action{Words: l.T("admin.decide_reviews", "Count", due), Icon: "history", URL: "/admin/peers?state=" + stateDue})
	}
	if expired > 0 {
		to = append(to, Action{Words: l.T("admin.decide_expired", "Count", expired), Icon: "clock", URL: "/admin/peers?state=" + string(peers.StateExpired)})
	}
	return to
}

// mostRequestCards bounds what is shown of those who ask; the page of requests has all.
const mostRequestCards = 24

// requestCards are the servers that ask to be connected, and those that were asked.
func (p *Pages) requestCards(h *here, asking, asked []peers.Request) []PeerCard {
	var cards []PeerCard
	add := func(list []peers.Request, words, icon string) {
		for _, r := range list[:min(len(list), mostRequestCards)] {
			cards = append(cards, PeerCard{School: SchoolView{Name: r.Name, Host: r.Host, Mark: MarkOf(r.Name, r.Host, "")}, URL: "/admin/peers/requests",
				State: State{Tone: "wait", Icon: icon, Words: words}, Software: r.Software, Note: r.Purpose, Since: r.CreatedAt, Request: true,
				Actions: []Action{{Words: h.l.T("peers.details"), Icon: "settings", URL: "/admin/peers/requests"}}})
		}
	}
	add(asking, h.l.T("peers.state_requested_in"), "user-plus")
	add(asked, h.l.T("peers.state_requested_out"), "send")
	return cards
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
	l, at, now := h.l, peerPath(row.Host), p.Now()
	name := row.Label
	if name == "" {
		name = row.Known.Name
	}
	c := PeerCard{School: SchoolView{Name: name, Host: row.Host, Mark: MarkOf(name, row.Host, "")}, URL: at, State: p.peerState(h, row), Trouble: p.peerTrouble(h, row),
		Kind: kindWords(l, row.Kind), Software: software(row.Known), Queue: int(row.Waiting), Holds: int(row.Held), Names: row.Proposed,
		Note: row.Note, Since: row.ChangedAt, By: l.T("peers.command_line")}
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
	if row.ReviewOn != nil {
		c.Review, c.Overdue = *row.ReviewOn, !row.ReviewOn.After(now)
	}
	if row.ExpiresAt != nil && row.State(now) != peers.StateExpired {
		c.Expires = *row.ExpiresAt
	}
	if row.Standing != peers.Blocked && !row.ChangedAt.IsZero() {
		c.Preset = presetWords(l, row.Preset)
		if len(row.Differs()) > 0 {
			c.Preset = l.T("peers.preset_changed", "Preset", c.Preset)
		}
	}
	c.Actions = []Action{{Words: l.T("peers.details"), Icon: "settings", URL: at}}
	if row.Admits() {
		c.Shares = ceilingWords(l, row.Ceiling)
		return c
	}
	c.Held, c.Queue = c.Queue, 0
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
	switch s := row.State(p.Now()); {
	case row.CoveredBy != "":
		return State{Tone: "bad", Icon: "ban", Words: l.T("peers.covered", "Host", row.CoveredBy)}
	case s == peers.StateNone && h.school.Mode == peers.Open:
		return State{Tone: "wait", Icon: "globe", Words: l.T("peers.is_open")}
	default:
		return stateMark(l, s)
	}
}

// peerTrouble says what is wrong between this server and another, or nothing.
func (p *Pages) peerTrouble(h *here, row peers.Row) *State {
	l := h.l
	if !row.Admits() {
		return nil
	}
	switch {
	case row.FailingSince != nil:
		return &State{Tone: "bad", Icon: "circle-alert", Words: l.T("peers.is_failing", "When", l.Ago(*row.FailingSince, p.Now()))}
	case row.Known.MetAt == nil && row.Known.MeetTries > 0:
		return &State{Tone: "bad", Icon: "circle-alert", Words: l.T("peers.is_unmet", "Count", int(row.Known.MeetTries))}
	case row.Known.MetAt == nil:
		return &State{Tone: "wait", Icon: "clock", Words: l.T("peers.is_new")}
	case row.TheirView == peers.ViewRefused:
		return &State{Tone: "bad", Icon: "x", Words: l.T("peers.view_refused")}
	}
	return nil
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

// newPeerView is the form that adds a server.
func (p *Pages) newPeerView(h *here, host string, values map[string]string, reason string, block bool) formPage {
	l := h.l
	tabs := p.adminTabs(h, "/admin/peers")
	entry := entryFormFields(l, "", values, nil, below{}, false)
	hint := l.T("peers.add_kind_hint")
	return formPage{
		Head: PageHead{Title: l.T("peers.add"), Lead: l.T("peers.add_lead"), Back: peersBack(l)}, Tabs: &tabs,
		Action: "/admin/peers/new", Submit: l.T("peers.add_submit"), Cancel: "/admin/peers",
		Parts: []formPart{{Fields: []FormField{
			{Name: "host", Label: l.T("peers.host"), Hint: l.T("peers.host_hint"), Value: host, Required: true, Code: true, Max: 300, Autocomplete: "off"},
			{Name: "standing", Kind: "radio", Label: l.T("peers.decision"), Options: []Option{
				{Value: "allowed", Words: l.T("peers.allow"), Detail: l.T("peers.allow_detail"), Selected: !block},
				{Value: "blocked", Words: l.T("peers.block"), Detail: l.T("peers.block_detail"), Selected: block}}},
			presetField(l, values["preset"], "")}},
			{Title: l.T("peers.entry_more"), Hint: hint, Fields: append(entry, reasonField(l, reason))}},
	}
}

func (p *Pages) newPeerForm(h *here, w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	return p.answerWith(h, w, p.newPeerView(h, q.Get("host"), map[string]string{"preset": string(peers.PresetNetwork)}, "", q.Get("standing") == "blocked"), nil)
}

// newPeer allows the server that was named, or leads to the page that says
// what a block of it does, or what an entry for every name below it covers.
func (p *Pages) newPeer(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	typed, reason, block := r.PostFormValue("host"), strings.TrimSpace(r.PostFormValue("reason")), r.PostFormValue("standing") == "blocked"
	values := postedEntry(r, "preset")
	asks := block || values["match"] == "subtree"
	var host string
	deed := func(tx *store.Tx) (err error) {
		if host, err = peers.Normalise(tx, typed); err != nil || asks {
			return err
		}
		return allowWith(tx, h.me.ID, host, values, reason)
	}
	var err error
	if asks {
		err = p.DB.Read(r.Context(), deed)
	} else {
		err = p.DB.Write(r.Context(), deed)
	}
	if problem := mended(err); problem != nil {
		return p.answerWith(h, w, p.newPeerView(h, typed, values, reason, block), problem)
	} else if err != nil {
		return err
	}
	if asks {
		to := url.Values{"reason": {reason}}
		for key, value := range values {
			if value != "" && (!block || inBlocks(key)) {
				to.Set(key, value)
			}
		}
		deed := "/allow?"
		if block {
			deed = "/block?"
		}
		return seeOther(w, r, peerPath(host)+deed+to.Encode())
	}
	p.flash(w, "flash.peer_allowed", "Host", host)
	return seeOther(w, r, peerPath(host))
}

// allowWith allows a server as a form says. What is on record and not in the
// form stays as it is.
func allowWith(tx *store.Tx, by int64, host string, values map[string]string, reason string) error {
	e, software, err := peers.EntryFor(tx, host)
	if err != nil {
		return err
	}
	if err := e.SetAll(tx, values, software); err != nil {
		return err
	}
	e.Reason = reason
	_, err = peers.Allow(tx, by, host, e)
	return err
}

// blockWith blocks a server as a form says. What is on record and not in the
// form stays as it is.
func blockWith(tx *store.Tx, by int64, host string, values map[string]string, reason string) error {
	e, _, err := peers.EntryFor(tx, host)
	if err != nil {
		return err
	}
	maps.DeleteFunc(values, func(key, _ string) bool { return !inBlocks(key) })
	if err := e.SetAll(tx, values, ""); err != nil {
		return err
	}
	e.Reason = reason
	_, err = community.BlockHost(tx, by, host, e)
	return err
}

// inBlocks reports whether a block has a setting: it covers every name below,
// has no end and no preset.
func inBlocks(key string) bool { return key != "match" && key != "expires" && key != "preset" }

func peersBack(l *Locale) *Link { return &Link{Words: l.T("peers.title"), URL: "/admin/peers"} }
