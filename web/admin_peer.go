package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// peerPage is one server: how it stands, how it is dealt with, under which
// names it is met, what binds this server to it, and who decided what when.
type peerPage struct {
	Head       PageHead
	Tabs       Tabs
	Parts      Tabs
	School     SchoolView
	Standing   peerStanding
	Connection []Fact // what was decided, and what they decided
	Facts      []Fact // what was learned by talking with it
	Ties       []Count
	Errors     ErrorSummary
	Entry      []FormField // what is written down; empty where there is no entry
	Presets    []presetCard
	Suggestion string // what is suggested for its software, and why
	Policy     []formPart
	Differs    string
	Names      []nameRow
	NameForm   []FormField
	Action     string
	Refused    []refusedRow // what it sent and was not taken
	History    []logLine
	More       string
	Empty      EmptyState
}

// peerStanding is how it stands between a server and this one.
type peerStanding struct {
	Told    string // what is said of it when it changes while the page is open
	State   State
	Means   string // what the state means
	Trouble *State
	Reason  string // why messages do not arrive there
}

func (p *Pages) peerStanding(h *here, row peers.Row) peerStanding {
	name := row.Label
	if name == "" {
		name = row.Known.Name
	}
	if name == "" {
		name = row.Host
	}
	s := peerStanding{State: p.peerState(h, row), Trouble: p.peerTrouble(h, row), Means: stateMeans(h.l, row.State(p.Now()))}
	if row.TheirView == peers.ViewRefused && row.State(p.Now()) == peers.StateOneSided {
		s.Means = h.l.T("peers.state_refused_means")
	}
	said := s.State.Words
	if s.Trouble != nil {
		said += ", " + s.Trouble.Words
	}
	s.Told = h.l.T("live.peer_state", "Name", name, "State", said)
	if row.Error != "" && row.FailingSince != nil {
		s.Reason = laneReason(h.l, row.Error)
	}
	return s
}

// nameRow is a name under which a server is met.
type nameRow struct {
	Host    string
	Role    string
	State   State
	Actions []Action
}

// adminConfirm asks before something that has effects, said in numbers.
type adminConfirm struct {
	Tabs    Tabs
	Errors  ErrorSummary
	Confirm ConfirmPanel
}

// hostOf is the server in the address, in the one form it is stored in.
func (p *Pages) hostOf(tx *store.Tx, r *http.Request) (string, error) {
	host, err := peers.Normalise(tx, mux.Vars(r)["host"])
	if fault.Is(err, fault.Invalid) {
		return "", fault.Keyed(fault.NotFound, "error.no_page", "There is no page at this address.", nil)
	}
	return host, err
}

// rowOf is a server as the list shows it, also one without an entry.
func rowOf(tx *store.Tx, host string) (peers.Row, error) {
	row, err := peers.RowOf(tx, host)
	if !fault.Is(err, fault.NotFound) {
		return row, err
	}
	row = peers.Row{Peer: peers.Peer{Host: host}}
	d, err := peers.DecideOne(tx, host)
	if err != nil {
		return row, err
	}
	if row.Standing = d.Standing; row.Standing == peers.Blocked { // by a domain above, or with the peer whose name it is
		row.Standing, row.CoveredBy = peers.Unknown, d.Peer
	}
	row.Known, err = peers.HostByName(tx, host)
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	return row, err
}

func (p *Pages) peer(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showPeer(h, w, r, peerTyped{}, nil)
}

// peerTyped is what was typed into one of the forms of a server's page and could
// not be saved.
type peerTyped struct {
	part   string // "entry", "policy" or "names"
	values map[string]string
	reason string
}

// showPeer shows a server's page; typed is what could not be saved, and
// problem why.
func (p *Pages) showPeer(h *here, w http.ResponseWriter, r *http.Request, typed peerTyped, problem *fault.Error) error {
	var row peers.Row
	var ties community.Ties
	var remarks []peers.Remark
	var lines []peers.Line
	var names []peers.Name
	var known below
	var by map[int64]community.Account
	var refused []community.NotTaken
	var list peers.Subscription // of which the latest decision came
	page := pageOf(r)
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
		host, err := p.hostOf(tx, r)
		if err != nil {
			return err
		}
		if row, err = rowOf(tx, host); err != nil {
			return err
		}
		if row.ID != 0 {
			if names, err = peers.NamesOf(tx, row.ID); err != nil {
				return err
			}
		}
		if known.names, known.all, err = peers.KnownBelow(tx, host, knownBelow); err != nil {
			return err
		}
		if ties, err = community.TiesWith(tx, host, row.Standing == peers.Blocked); err != nil {
			return err
		}
		if lines, err = peers.Audit(tx, host, page); err != nil {
			return err
		}
		if remarks, err = peers.RemarksOn(tx, host); err != nil {
			return err
		}
		if list, err = peers.ListOf(tx, host); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if refused, err = community.LatelyNotTaken(tx, host, mostRefused); err != nil {
			return err
		}
		by, err = deciders(tx, append(slices.Clip(lines), peers.Line{ActorID: row.ChangedBy})) // whose line may be on another page
		return err
	})
	if err != nil {
		return err
	}
	l, at := h.l, peerPath(row.Host)
	entry := row.ID != 0
	card := p.peerCard(h, row, by)
	h.frame.Live = livePeer + row.Host
	name := card.School.Name
	if name == "" {
		name = row.Host
	}
	view := peerPage{
		Head: PageHead{Title: name, Back: peersBack(l)}, Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, ""), School: card.School, Standing: p.peerStanding(h, row), Action: at,
		Ties: []Count{
			{N: ties.Following, Words: l.T("peer.following", "Count", ties.Following)},
			{N: ties.Followed, Words: l.T("peer.followed", "Count", ties.Followed)},
			{N: ties.Accounts, Words: l.T("peer.accounts", "Count", ties.Accounts)},
			{N: ties.Posts, Words: l.T("peer.posts", "Count", ties.Posts)},
			{N: ties.Waiting, Words: l.T("peer.waiting", "Count", ties.Waiting)}},
		Facts:   append(p.peerFacts(h, row), remarkFacts(h.l, remarks)...),
		History: p.logLines(h, lines, by, false),
		Empty:   EmptyState{Icon: "history", Title: l.T("audit.none"), Words: l.T("audit.none_peer")},
	}
	if row.Held > 0 {
		view.Ties = append(view.Ties, Count{N: int(row.Held), Words: l.T("peer.holds", "Count", int(row.Held))})
	}
	for _, one := range refused {
		view.Refused = append(view.Refused, refusedOf(l, one))
	}
	if n := len(lines); n > 0 {
		view.More = pager(r, page, n, lines[0].ID, lines[n-1].ID).Older
	}
	view.Head.Actions, view.Head.Menu = peerActions(l, row, p.Now())
	wrong := map[string]string{}
	status := http.StatusOK
	if problem != nil {
		view.Errors, wrong = ErrorsOf(l, problem)
		status = problem.Kind.Status()
	}
	if entry {
		view.Connection = p.connectionFacts(h, row, by, list)
		p.peerForms(h, &view, row, known, typed, wrong)
		for _, n := range names {
			view.Names = append(view.Names, p.nameRow(h, at, n))
		}
	}
	return p.render(h, w, status, "admin_peer", name, view)
}

// peerActions are what can be done about a server as a whole: first what brings
// it back, or in; what ends it has a page of its own, which counts first.
func peerActions(l *Locale, row peers.Row, now time.Time) (actions, menu []Action) {
	at := peerPath(row.Host)
	allow := Action{Words: l.T("peers.allow"), Icon: "circle-check", URL: at + "/allow", Main: row.ID == 0}
	switch {
	case row.CoveredBy != "":
		actions = []Action{{Words: l.T("peers.see_block"), Icon: "ban", URL: peerPath(row.CoveredBy)}}
	case row.ID == 0:
		return []Action{allow, endDeed(l, "block", row.Host)}, nil
	case row.Standing == peers.Blocked:
		actions = []Action{allow}
	default:
		if first := deedsFor(row.Peer, community.Severances{}, now)[0]; first == "resume" || first == "unpurge" {
			actions = []Action{endDeed(l, first, row.Host)}
		}
	}
	if row.Standing == peers.Allowed && row.CoveredBy == "" {
		actions = append(actions, Action{Words: l.T("peers.test"), Icon: "send", URL: at + "/test"})
		if row.TheirView == peers.ViewUnknown || row.TheirView == peers.ViewRefused {
			actions = append(actions, Action{Words: l.T("peers.ask"), Icon: "user-plus", URL: "/admin/peers/requests/new?" + url.Values{"host": {row.Host}}.Encode()})
		}
	}
	end := Action{Words: l.T("peers.end"), Icon: "log-out", URL: at + "/ends"}
	switch row.Standing {
	case peers.Paused, peers.Expired:
		end.Words = l.T("peers.end_only")
	case peers.Retired, peers.Blocked:
		end.Words, end.Icon = l.T("peers.end_how"), "history"
	}
	actions = append(actions, end)
	return actions, []Action{{Words: l.T("peers.remove"), Icon: "trash-2", URL: at + "/remove", Danger: true}}
}

// peerForms adds to a server's page the forms that change its entry.
func (p *Pages) peerForms(h *here, view *peerPage, row peers.Row, known below, typed peerTyped, wrong map[string]string) {
	l := h.l
	mine := func(part string) map[string]string {
		if typed.part == part {
			return wrong
		}
		return nil
	}
	values := entryValues(row.Entry())
	if typed.part == "entry" {
		values = typed.values
	}
	view.Entry = append(entryFormFields(l, row.Host, values, mine("entry"), known, row.Standing == peers.Blocked), reasonField(l, typed.reason))
	if row.Standing == peers.Blocked {
		return
	}
	software := row.Known.Software
	view.Presets = presetCards(l, row.Preset, software)
	if suggested, why := peers.Suggested(row.Preset, software); why != "" {
		view.Suggestion = l.T("peers.suggestion_followed", "Software", software)
		if row.Ceiling.Reaches(peers.CeilingNetwork) && suggested.Ceiling == peers.CeilingPublic {
			view.Suggestion = l.T("peers.suggestion", "Software", software)
		}
	}
	values = policyValues(row.Policy)
	if typed.part == "policy" {
		values = typed.values
	}
	view.Policy = policyParts(l, row.Policy, values, mine("policy"))
	if n := len(row.Differs()); n > 0 {
		view.Differs = l.T("peers.differs_in", "Count", n, "Preset", presetWords(l, row.Preset))
	}
	role := FormField{Name: "role", Kind: "select", Label: l.T("peers.name_role"), Error: mine("names")["role"]}
	for _, one := range peers.RolesToAdd() {
		role.Options = append(role.Options, Option{Value: string(one), Words: nameWords(l, one), Selected: typed.part == "names" && typed.values["role"] == string(one)})
	}
	view.NameForm = []FormField{{Name: "name", Label: l.T("peers.name"), Error: mine("names")["name"], Required: true, Code: true, Max: 300, Autocomplete: "off"}, role}
	if typed.part == "names" {
		view.NameForm[0].Value = typed.values["name"]
	}
}

// nameRow is a name with what can be done about it.
func (p *Pages) nameRow(h *here, at string, n peers.Name) nameRow {
	l := h.l
	row := nameRow{Host: n.Host, Role: nameWords(l, n.Role), State: State{Tone: "good", Icon: "circle-check", Words: l.T("peers.name_confirmed")}}
	do := func(words, icon, do string, main bool) Action {
		return Action{Words: words, Icon: icon, URL: at + "/names", Post: true, Main: main, Fields: map[string]string{"do": do, "name": n.Host}}
	}
	switch {
	case n.Role == peers.RoleMain:
		row.State = State{Tone: "good", Icon: "house", Words: l.T("peers.name_own_words")}
	case n.ConfirmedAt == nil:
		row.State = State{Tone: "wait", Icon: "circle-question-mark", Words: l.T("peers.name_proposed")}
		row.Actions = []Action{do(l.T("peers.name_confirm"), "check", "confirm", true), do(l.T("peers.name_decline"), "x", "remove", false)}
	default:
		row.Actions = []Action{do(l.T("peers.name_remove"), "trash-2", "remove", false)}
	}
	return row
}

// connectionFacts are what was decided about a server, how that came, and what
// the server decided about this one.
func (p *Pages) connectionFacts(h *here, row peers.Row, by map[int64]community.Account, list peers.Subscription) []Fact {
	l := h.l
	var facts []Fact
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, Fact{Name: name, Value: value})
		}
	}
	if row.Standing != peers.Blocked {
		add(l.T("peers.their_view"), viewWords(l, row))
		add(l.T("asking.hint"), hintWords(l, row.TheirHint))
	}
	add(l.T("peers.kind"), kindWords(l, row.Kind))
	add(l.T("peers.source"), sourceWords(l, row.Source))
	add(l.T("peers.since"), l.Date(row.CreatedAt))
	who := l.T("peers.command_line")
	switch {
	case row.ChangedBy != nil:
		who = by[*row.ChangedBy].Name()
	case list.ID != 0:
		who = list.Source()
	}
	add(l.T("peers.changed"), l.T("peers.changed_by", "When", l.Moment(row.ChangedAt), "Name", who))
	if row.Reason != "" {
		add(l.T("peers.reason"), row.Reason)
	}
	if list.ID != 0 {
		facts = append(facts, Fact{Name: l.T("peers.by_list"), Value: list.Source(), URL: subPath(list.ID)})
	}
	if row.ReviewOn != nil {
		add(l.T("peer.review"), l.Date(*row.ReviewOn))
	}
	if row.ExpiresAt != nil {
		add(l.T("peers.expires"), l.Date(*row.ExpiresAt))
	}
	if row.KeyHash != "" {
		add(l.T("peers.key"), peers.Fingerprint(row.KeyHash))
	}
	return facts
}

// mostRefused is how many of the things that were not taken are shown.
const mostRefused = 20

// refusedRow is one thing that a server sent and that was not taken.
type refusedRow struct {
	What   string // "A post (Create)"
	By     string
	Words  string // why
	Detail string // what the document itself tells, in English
	At     time.Time
}

// refusedOf says why something was not taken. What is kept of the reason is a
// message key, and behind a colon what only the document could tell.
func refusedOf(l *Locale, n community.NotTaken) refusedRow {
	row := refusedRow{What: deedWords(l, n.Type), By: n.ActorURI, At: n.ReceivedAt}
	key, detail, _ := strings.Cut(n.Error, ": ")
	row.Words, row.Detail = l.T(key), detail
	if !strings.HasPrefix(key, "arrived.") || row.Words == key { // a fault's own words
		row.Words, row.Detail = l.T("arrived.other"), n.Error
	}
	return row
}

// deedWords says what a type of activity is, with the protocol's own word
// behind it for whoever asks the other server about it.
func deedWords(l *Locale, typ string) string {
	key := ""
	switch typ {
	case "Add":
		key = "arrived.what_add"
	case "Announce":
		key = "arrived.what_announce"
	case "Block":
		key = "arrived.what_block"
	case "Create":
		key = "arrived.what_create"
	case "Delete":
		key = "arrived.what_delete"
	case "EmojiReact":
		key = "arrived.what_react"
	case "Flag":
		key = "arrived.what_flag"
	case "Follow":
		key = "arrived.what_follow"
	case "Like":
		key = "arrived.what_like"
	case "Move":
		key = "arrived.what_move"
	case "Undo":
		key = "arrived.what_undo"
	case "Update":
		key = "arrived.what_update"
	default:
		return typ
	}
	return l.T("arrived.what", "What", l.T(key), "Type", typ)
}

// peerFacts are what was learned of a server by talking with it.
func (p *Pages) peerFacts(h *here, row peers.Row) []Fact {
	l, k := h.l, row.Known
	when := func(t *time.Time) string {
		if t == nil {
			return l.T("peer.never")
		}
		return l.Moment(*t)
	}
	facts := []Fact{{Name: l.T("peer.host"), Value: row.Host, URL: "https://" + row.Host + "/"}}
	if p.site.Scheme != "https" {
		facts[0].URL = p.site.Scheme + "://" + row.Host + "/"
	}
	if k.Name != "" && k.Name != row.Label {
		facts = append(facts, Fact{Name: l.T("peer.says_name"), Value: k.Name})
	}
	if s := software(k); s != "" {
		facts = append(facts, Fact{Name: l.T("peer.software"), Value: s})
		closed := l.T("peer.closed_no")
		if k.ClosedAudiences {
			closed = l.T("peer.closed_yes")
		}
		facts = append(facts, Fact{Name: l.T("peer.closed"), Value: closed})
	}
	facts = append(facts, Fact{Name: l.T("peer.met"), Value: when(k.MetAt)},
		Fact{Name: l.T("peer.last_in"), Value: when(k.LastInAt)}, Fact{Name: l.T("peer.last_out"), Value: when(k.LastOutAt)})
	if k.RefusedIn > 0 && k.RefusedInAt != nil {
		facts = append(facts, Fact{Name: l.T("peer.refused"), Value: l.T("peers.tried", "Count", int(k.RefusedIn), "When", l.Ago(*k.RefusedInAt, p.Now()))})
	}
	return facts
}

// changePeer saves what one of the forms of a server's page says, and leaves
// its standing as it is.
func (p *Pages) changePeer(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	typed := peerTyped{part: r.PostFormValue("part"), reason: strings.TrimSpace(r.PostFormValue("reason"))}
	switch typed.part {
	case "policy":
		typed.values = postedPolicy(r)
	case "preset":
		typed.values = map[string]string{"preset": r.PostFormValue("preset")}
	case "suggestion":
		typed.values = map[string]string{"ceiling": string(peers.CeilingPublic)}
	default:
		typed.part, typed.values = "entry", postedEntry(r)
	}
	var host string
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if host, err = p.hostOf(tx, r); err != nil {
			return err
		}
		_, software, err := peers.EntryFor(tx, host)
		if err != nil {
			return err
		}
		_, err = peers.Edit(tx, h.me.ID, host, typed.reason, func(e *peers.Entry) error { return e.SetAll(tx, typed.values, software) })
		return err
	})
	if problem := mended(err); problem != nil {
		return p.showPeer(h, w, r, typed, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.peer_changed")
	return seeOther(w, r, peerPath(host))
}

// changeNames adds, confirms or removes a name under which a server is met.
func (p *Pages) changeNames(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	name, role := r.PostFormValue("name"), r.PostFormValue("role")
	var host string
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if host, err = p.hostOf(tx, r); err != nil {
			return err
		}
		switch r.PostFormValue("do") {
		case "confirm":
			return peers.ConfirmName(tx, h.me.ID, host, name)
		case "remove":
			return peers.RemoveName(tx, h.me.ID, host, name)
		}
		return peers.AddName(tx, h.me.ID, host, name, peers.Role(role))
	})
	if problem := mended(err); problem != nil {
		return p.showPeer(h, w, r, peerTyped{part: "names", values: map[string]string{"name": name, "role": role}}, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.peer_names")
	return seeOther(w, r, peerPath(host)+"#names")
}

func (p *Pages) askPeer(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.confirmPeer(h, w, r, nil)
}

// confirmPeer says what a decision about a server will do, in numbers, and asks.
func (p *Pages) confirmPeer(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	deed := mux.Vars(r)["deed"]
	var row peers.Row
	var ties community.Ties
	var entry peers.Entry
	var known below
	var agreed bool
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
		host, err := p.hostOf(tx, r)
		if err != nil {
			return err
		}
		if row, err = rowOf(tx, host); err != nil {
			return err
		}
		if agreed, err = peers.Agreed(tx, host); err != nil {
			return err
		}
		if deed == "remove" && row.Standing == peers.Unknown {
			_, err = peers.Get(tx, host) // says that there is no entry
			return err
		}
		if entry, _, err = peers.EntryFor(tx, host); err != nil {
			return err
		}
		if known.names, known.all, err = peers.KnownBelow(tx, host, knownBelow); err != nil {
			return err
		}
		ties, err = community.TiesWith(tx, host, row.Standing == peers.Blocked)
		return err
	})
	if err != nil {
		return err
	}
	l, at := h.l, peerPath(row.Host)
	values := entryValues(entry)
	values["preset"] = "none"
	if entry.Policy == nil {
		values["preset"] = string(peers.PresetNetwork)
	} else if entry.Policy.Preset != peers.PresetNone {
		values["preset"] = string(entry.Policy.Preset)
	}
	if values["label"] == "" {
		values["label"] = row.Known.Name
	}
	for key, value := range postedEntry(r, "preset") {
		values[key] = value
	}
	reason := reasonField(l, r.FormValue("reason"))
	panel := ConfirmPanel{Action: at + "/" + deed, Cancel: at}
	switch deed {
	case "allow":
		panel.Title, panel.Button, panel.Safe = l.T("peers.allow_title", "Host", row.Host), l.T("peers.allow"), true
		panel.Effects = p.allowEffects(h, row, ties)
		if values["match"] == "subtree" {
			panel.Effects = append(panel.Effects, known.words(l))
			if warn := known.warns(l, row.Host); warn != "" {
				panel.Effects = append(panel.Effects, warn)
			}
		}
		panel.Inputs = append(append([]FormField{presetField(l, values["preset"], row.Known.Software)}, entryFormFields(l, row.Host, values, nil, known, false)...), reason)
	default:
		panel.Title, panel.Button = l.T("peers.remove_title", "Host", row.Host), l.T("peers.remove")
		panel.Effects = p.removeEffects(h, row, ties)
		if agreed {
			reason.Hint = l.T("peers.reason_told")
		}
		panel.Inputs = []FormField{reason}
	}
	return p.confirm(h, w, "/admin/peers", panel, problem)
}

// confirm shows a panel that asks, with what is wrong with the answer so far.
func (p *Pages) confirm(h *here, w http.ResponseWriter, tab string, panel ConfirmPanel, problem *fault.Error) error {
	view := adminConfirm{Tabs: p.adminTabs(h, tab), Confirm: panel}
	var status int
	view.Errors, status = blameFields(h.l, panel.Inputs, problem)
	return p.render(h, w, status, "admin_confirm", panel.Title, view)
}

func (p *Pages) allowEffects(h *here, row peers.Row, t community.Ties) []string {
	l := h.l
	out := []string{l.T("peers.effect_opens", "Host", row.Host)}
	if row.Standing == peers.Blocked && t.Posts > 0 {
		out = append(out, l.T("peers.effect_shown", "Count", t.Posts))
	}
	if t.Waiting > 0 {
		out = append(out, l.T("peers.effect_leave", "Count", t.Waiting))
	}
	if t.Following+t.Followed > 0 {
		out = append(out, l.T("peers.effect_resumed", "Following", l.T("peer.n_follow", "Count", t.Following), "Followed", l.T("peer.n_followed", "Count", t.Followed)))
	}
	return append(out, l.T("peers.effect_both"))
}

func (p *Pages) blockEffects(h *here, row peers.Row, t community.Ties) []string {
	l := h.l
	out := []string{l.T("peers.effect_cut", "Host", row.Host)}
	if t.Following+t.Followed > 0 {
		out = append(out, l.T("peers.effect_severed", "Following", l.T("peer.n_follow", "Count", t.Following), "Followed", l.T("peer.n_followed", "Count", t.Followed)))
	}
	if t.Accounts > 0 {
		out = append(out, l.T("peers.effect_hidden", "Posts", l.T("peer.n_posts", "Count", t.Posts), "Accounts", l.T("peer.n_accounts", "Count", t.Accounts)))
	}
	if t.Waiting > 0 {
		out = append(out, l.T("peers.effect_held", "Count", t.Waiting))
	}
	return append(out, l.T("peers.effect_hidden_kept"))
}

func (p *Pages) removeEffects(h *here, row peers.Row, t community.Ties) []string {
	l := h.l
	if row.Standing == peers.Blocked {
		out := []string{l.T("peers.effect_unblocked")}
		if t.Posts > 0 {
			out = append(out, l.T("peers.effect_shown", "Count", t.Posts))
		}
		return out
	}
	if h.school.Mode == peers.Open {
		return []string{l.T("peers.effect_forgotten")}
	}
	out := []string{l.T("peers.effect_ends", "Host", row.Host)}
	if t.Following+t.Followed > 0 {
		out = append(out, l.T("peers.effect_quiet", "Following", l.T("peer.n_follow", "Count", t.Following), "Followed", l.T("peer.n_followed", "Count", t.Followed)))
	}
	if t.Posts > 0 {
		out = append(out, l.T("peers.effect_stay", "Count", t.Posts))
	}
	if t.Waiting > 0 {
		out = append(out, l.T("peers.effect_held", "Count", t.Waiting))
	}
	return append(out, l.T("peers.effect_kept"))
}

// decidePeer does what was confirmed.
func (p *Pages) decidePeer(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	deed, reason := mux.Vars(r)["deed"], strings.TrimSpace(r.PostFormValue("reason"))
	values := postedEntry(r, "preset")
	var host string
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if host, err = p.hostOf(tx, r); err != nil {
			return err
		}
		switch deed {
		case "allow":
			err = allowWith(tx, h.me.ID, host, values, reason)
		default:
			err = peers.Remove(tx, h.me.ID, host, reason)
		}
		return err
	})
	if problem := mended(err); problem != nil {
		return p.confirmPeer(h, w, r, problem)
	} else if err != nil {
		return err
	}
	switch deed {
	case "allow":
		p.flash(w, "flash.peer_allowed", "Host", host)
	default:
		p.flash(w, "flash.peer_removed", "Host", host)
		return seeOther(w, r, "/admin/peers")
	}
	return seeOther(w, r, peerPath(host))
}

// modeForm asks whether servers nobody decided about are talked to.
func (p *Pages) modeForm(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.confirmMode(h, w, r, nil)
}

func (p *Pages) confirmMode(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	var knocking []peers.Host
	var cut int
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if knocking, err = peers.Knocking(tx, 500); err != nil {
			return err
		}
		cut, err = community.FollowedWithoutEntry(tx)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	panel := ConfirmPanel{Action: "/admin/peers/mode", Cancel: "/admin/peers"}
	if h.school.Mode == peers.Open {
		panel.Title, panel.Button, panel.Safe = l.T("mode.close_title"), l.T("mode.close"), true
		panel.Fields = map[string]string{"mode": string(peers.Allowlist)}
		panel.Effects = []string{l.T("mode.close_effect"), l.T("mode.close_cut", "Count", cut), l.T("mode.close_kept")}
	} else {
		panel.Title, panel.Button = l.T("mode.open_title"), l.T("mode.open_button")
		panel.Fields = map[string]string{"mode": string(peers.Open)}
		panel.Effects = []string{l.T("mode.open_effect"), l.T("mode.open_public"), l.T("mode.open_knocking", "Count", len(knocking)),
			l.T("mode.open_blocks"), l.T("mode.open_back")}
		panel.Inputs = []FormField{{Name: "confirm", Label: l.T("mode.type_name", "Name", h.school.Title()), Hint: l.T("mode.type_hint"),
			Value: r.PostFormValue("confirm"), Required: true, Autocomplete: "off", Code: true}}
	}
	return p.confirm(h, w, "/admin/peers", panel, problem)
}

func (p *Pages) setMode(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	mode := peers.Mode(r.PostFormValue("mode"))
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return peers.SetMode(tx, h.me.ID, mode, r.PostFormValue("confirm")) })
	if problem := mended(err); problem != nil {
		return p.confirmMode(h, w, r, problem)
	} else if err != nil {
		return err
	}
	if mode == peers.Open {
		p.flash(w, "flash.mode_open")
	} else {
		p.flash(w, "flash.mode_allowlist")
	}
	return seeOther(w, r, "/admin/peers")
}
