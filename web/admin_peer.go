package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// peerPage is one server: how it stands, what binds this one to it, and who
// decided what when.
type peerPage struct {
	Head    PageHead
	Tabs    Tabs
	School  SchoolView
	State   State
	Reason  string // why messages do not arrive there
	Facts   []Fact
	Ties    []Count
	Errors  ErrorSummary
	Fields  []FormField // to change the entry; empty where there is none
	Action  string
	Refused []refusedRow // what it sent and was not taken
	History []logLine
	More    string
	Empty   EmptyState
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
	if row.Standing, err = peers.StandingOf(tx, host); err != nil {
		return row, err
	}
	if row.Standing == peers.Blocked { // by a domain above
		for name := host; ; {
			_, above, ok := strings.Cut(name, ".")
			if !ok {
				break
			}
			if e, err := peers.Get(tx, above); err == nil && e.Standing == peers.Blocked {
				row.CoveredBy = above
				break
			} else if err != nil && !fault.Is(err, fault.NotFound) {
				return row, err
			}
			name = above
		}
		row.Standing = peers.Unknown
	}
	row.Known, err = peers.HostByName(tx, host)
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	return row, err
}

func (p *Pages) peer(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showPeer(h, w, r, nil, nil)
}

// showPeer shows a server's page; typed is what could not be saved, and
// problem why.
func (p *Pages) showPeer(h *here, w http.ResponseWriter, r *http.Request, typed *peers.Entry, problem *fault.Error) error {
	var row peers.Row
	var ties community.Ties
	var lines []peers.Line
	var by map[int64]community.Account
	var refused []community.NotTaken
	page := pageOf(r)
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
		host, err := p.hostOf(tx, r)
		if err != nil {
			return err
		}
		if row, err = rowOf(tx, host); err != nil {
			return err
		}
		if ties, err = community.TiesWith(tx, host, row.Standing == peers.Blocked); err != nil {
			return err
		}
		if lines, err = peers.Audit(tx, host, page); err != nil {
			return err
		}
		if refused, err = community.LatelyNotTaken(tx, host, mostRefused); err != nil {
			return err
		}
		by, err = deciders(tx, lines)
		return err
	})
	if err != nil {
		return err
	}
	l, at := h.l, peerPath(row.Host)
	entry := row.ChangedAt != time.Time{}
	card := p.peerCard(h, row, by)
	name := card.School.Name
	if name == "" {
		name = row.Host
	}
	view := peerPage{
		Head: PageHead{Title: name, Back: peersBack(l)}, Tabs: p.adminTabs(h, "/admin/peers"), School: card.School, State: card.State, Action: at,
		Ties: []Count{
			{N: ties.Following, Words: l.T("peer.following", "Count", ties.Following)},
			{N: ties.Followed, Words: l.T("peer.followed", "Count", ties.Followed)},
			{N: ties.Accounts, Words: l.T("peer.accounts", "Count", ties.Accounts)},
			{N: ties.Posts, Words: l.T("peer.posts", "Count", ties.Posts)},
			{N: ties.Waiting, Words: l.T("peer.waiting", "Count", ties.Waiting)}},
		Facts:   p.peerFacts(h, row),
		History: p.logLines(h, lines, by, false),
		Empty:   EmptyState{Icon: "history", Title: l.T("audit.none"), Words: l.T("audit.none_peer")},
	}
	for _, one := range refused {
		view.Refused = append(view.Refused, refusedOf(l, one))
	}
	if n := len(lines); n > 0 {
		view.More = pager(r, page, n, lines[0].ID, lines[n-1].ID).Older
	}
	if row.Error != "" && row.FailingSince != nil {
		view.Reason = p.laneReason(l, row.Error)
	}
	allow := Action{Words: l.T("peers.allow"), Icon: "circle-check", URL: at + "/allow", Main: !entry}
	block := Action{Words: l.T("peers.block"), Icon: "ban", URL: at + "/block", Danger: true}
	switch {
	case row.Standing == peers.Allowed:
		view.Head.Actions = []Action{block}
	case row.CoveredBy != "":
		view.Head.Actions = []Action{{Words: l.T("peers.see_block"), Icon: "ban", URL: peerPath(row.CoveredBy)}}
	case row.Standing == peers.Blocked:
		view.Head.Actions = []Action{allow}
	default:
		view.Head.Actions = []Action{allow, block}
	}
	if entry {
		view.Head.Actions = append(view.Head.Actions, Action{Words: l.T("peers.remove"), Icon: "trash-2", URL: at + "/remove", Danger: true})
		e := peers.Entry{Label: row.Label, Note: row.Note, Reason: row.Reason, Ceiling: row.Ceiling}
		if typed != nil {
			e = *typed
		}
		label, note, reason := entryFields(l, e)
		view.Fields = []FormField{label, note, reason}
		if row.Standing == peers.Allowed {
			view.Fields = []FormField{label, ceilingField(l, e.Ceiling), note, reason}
		}
	}
	status := http.StatusOK
	if problem != nil {
		var wrong map[string]string
		view.Errors, wrong = ErrorsOf(l, problem)
		for i := range view.Fields {
			view.Fields[i].Error = wrong[view.Fields[i].Name]
		}
		status = problem.Kind.Status()
	}
	return p.render(h, w, status, "admin_peer", name, view)
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

// changePeer saves what is written down about a server, and leaves its
// standing as it is.
func (p *Pages) changePeer(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	e := entryOf(r)
	var host string
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if host, err = p.hostOf(tx, r); err != nil {
			return err
		}
		before, err := peers.Get(tx, host)
		if err != nil {
			return err
		}
		if before.Standing == peers.Blocked {
			_, err = peers.Block(tx, h.me.ID, host, e)
		} else {
			_, err = peers.Allow(tx, h.me.ID, host, e)
		}
		return err
	})
	if problem := mended(err); problem != nil {
		return p.showPeer(h, w, r, &e, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.peer_changed")
	return seeOther(w, r, peerPath(host))
}

func (p *Pages) askPeer(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.confirmPeer(h, w, r, nil)
}

// confirmPeer says what a decision about a server will do, in numbers, and asks.
func (p *Pages) confirmPeer(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	deed := mux.Vars(r)["deed"]
	var row peers.Row
	var ties community.Ties
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
		host, err := p.hostOf(tx, r)
		if err != nil {
			return err
		}
		if row, err = rowOf(tx, host); err != nil {
			return err
		}
		if deed == "remove" && row.Standing == peers.Unknown {
			_, err = peers.Get(tx, host) // says that there is no entry
			return err
		}
		ties, err = community.TiesWith(tx, host, deed == "block" || row.Standing == peers.Blocked)
		return err
	})
	if err != nil {
		return err
	}
	l, at := h.l, peerPath(row.Host)
	e := peers.Entry{Label: row.Label, Note: row.Note, Reason: "", Ceiling: row.Ceiling}
	if e.Label == "" {
		e.Label = row.Known.Name
	}
	for name, into := range map[string]*string{"label": &e.Label, "note": &e.Note, "reason": &e.Reason} {
		if s := r.FormValue(name); s != "" || r.Method == http.MethodPost {
			*into = s
		}
	}
	if s := r.FormValue("ceiling"); s != "" {
		e.Ceiling = peers.Ceiling(s)
	} else if row.Standing == peers.Blocked {
		e.Ceiling = peers.CeilingNetwork
	}
	label, note, reason := entryFields(l, e)
	panel := ConfirmPanel{Action: at + "/" + deed, Cancel: at}
	switch deed {
	case "allow":
		panel.Title, panel.Button, panel.Safe = l.T("peers.allow_title", "Host", row.Host), l.T("peers.allow"), true
		panel.Effects = p.allowEffects(h, row, ties)
		panel.Inputs = []FormField{label, ceilingField(l, e.Ceiling), note, reason}
	case "block":
		panel.Title, panel.Button = l.T("peers.block_title", "Host", row.Host), l.T("peers.block")
		panel.Effects = p.blockEffects(h, row, ties)
		panel.Inputs = []FormField{reason, label, note}
	default:
		panel.Title, panel.Button = l.T("peers.remove_title", "Host", row.Host), l.T("peers.remove")
		panel.Effects = p.removeEffects(h, row, ties)
		panel.Inputs = []FormField{reason}
	}
	return p.confirm(h, w, "/admin/peers", panel, problem)
}

// confirm shows a panel that asks, with what is wrong with the answer so far.
func (p *Pages) confirm(h *here, w http.ResponseWriter, tab string, panel ConfirmPanel, problem *fault.Error) error {
	view, status := adminConfirm{Tabs: p.adminTabs(h, tab), Confirm: panel}, http.StatusOK
	if problem != nil {
		var wrong map[string]string
		view.Errors, wrong = ErrorsOf(h.l, problem)
		for i := range view.Confirm.Inputs {
			view.Confirm.Inputs[i].Error = wrong[view.Confirm.Inputs[i].Name]
		}
		status = problem.Kind.Status()
	}
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
	e, deed := entryOf(r), mux.Vars(r)["deed"]
	var host string
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if host, err = p.hostOf(tx, r); err != nil {
			return err
		}
		switch deed {
		case "allow":
			_, err = peers.Allow(tx, h.me.ID, host, e)
		case "block":
			_, err = community.BlockHost(tx, h.me.ID, host, e)
		default:
			err = peers.Remove(tx, h.me.ID, host, strings.TrimSpace(e.Reason))
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
	case "block":
		p.flash(w, "flash.peer_blocked", "Host", host)
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
