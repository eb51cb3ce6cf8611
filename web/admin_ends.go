package web

import (
	"bytes"
	"encoding/csv"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// endPage asks before a connection is paused, ended or taken up again, with
// what that changes in numbers.
type endPage struct {
	Tabs    Tabs
	Parts   Tabs
	Errors  ErrorSummary
	Impact  []Count
	List    *Action // the same as a file
	Confirm ConfirmPanel
}

// endsPage is how a connection stands that was paused or has ended, and what
// can be done about it.
type endsPage struct {
	Head    PageHead
	Tabs    Tabs
	Parts   Tabs
	State   State
	Facts   []Fact
	Work    []progressRow
	Impact  []Count
	List    *Action
	Actions []endAction
}

// progressRow is something that is being done, and how far it is.
type progressRow struct {
	Words       string
	Done, Total int64
	Says        string
}

// endAction is one thing that can be done, with what it means.
type endAction struct {
	Action Action
	Means  string
}

// adminEndRoutes mounts the pages about how connections end.
func (p *Pages) adminEndRoutes(get, post func(path string, may func(community.Role) bool, h handler)) {
	connections := community.Role.MayManagePeers
	get("/admin/peers/audit.{form:csv|json}", connections, p.auditFile)
	get("/admin/peers/{host}/ends", connections, p.ends)
	get("/admin/peers/{host}/impact.csv", connections, p.impactList)
	get("/admin/peers/{host}/{deed:pause|resume|retire|purge|unpurge|restore|block}", connections, p.askEnd)
	post("/admin/peers/{host}/{deed:pause|resume|retire|purge|unpurge|restore|block}", connections, p.decideEnd)
}

// keptDays are the choices of for how long a retirement keeps things.
func keptDays() []int { return []int{30, 90, 180, 365} }

// deedsFor lists what can be done about a connection of this standing, the
// mildest first.
func deedsFor(row peers.Peer, left community.Severances, now time.Time) []string {
	switch row.Standing {
	case peers.Allowed:
		if row.ExpiresAt != nil && !now.Before(*row.ExpiresAt) {
			return []string{"resume", "pause", "retire", "purge", "block"}
		}
		if left.Follows > 0 {
			return []string{"restore", "pause", "retire", "purge", "block"}
		}
		return []string{"pause", "retire", "purge", "block"}
	case peers.Paused, peers.Expired:
		return []string{"resume", "retire", "purge", "block"}
	case peers.Retired:
		if row.PurgeAt != nil {
			return []string{"unpurge", "resume", "block"}
		}
		return []string{"resume", "purge", "block"}
	case peers.Blocked:
		if row.PurgeAt != nil {
			return []string{"unpurge"}
		}
		return []string{"purge"}
	}
	return []string{"block"}
}

// endDeed names what can be done, on a button.
func endDeed(l *Locale, deed, host string) Action {
	a := Action{URL: peerPath(host) + "/" + deed}
	switch deed {
	case "pause":
		a.Words, a.Icon = l.T("ends.pause"), "clock"
	case "resume":
		a.Words, a.Icon, a.Main = l.T("ends.resume"), "circle-check", true
	case "restore":
		a.Words, a.Icon = l.T("ends.restore"), "user-plus"
	case "retire":
		a.Words, a.Icon = l.T("ends.retire"), "log-out"
	case "purge":
		a.Words, a.Icon, a.Danger = l.T("ends.purge"), "trash-2", true
	case "unpurge":
		a.Words, a.Icon, a.Main = l.T("ends.unpurge"), "circle-check", true
	case "block":
		a.Words, a.Icon, a.Danger = l.T("peers.block"), "ban", true
	}
	return a
}

func endMeans(l *Locale, deed string) string {
	switch deed {
	case "pause":
		return l.T("ends.pause_means")
	case "resume":
		return l.T("ends.resume_means")
	case "restore":
		return l.T("ends.restore_means")
	case "retire":
		return l.T("ends.retire_means")
	case "purge":
		return l.T("ends.purge_means")
	case "unpurge":
		return l.T("ends.unpurge_means")
	}
	return l.T("ends.block_means")
}

// ends shows how a connection stands and what can be done about it.
func (p *Pages) ends(h *here, w http.ResponseWriter, r *http.Request) error {
	var row peers.Row
	var impact community.Impact
	var left community.Severances
	var chores []community.Chore
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
		host, err := p.hostOf(tx, r)
		if err != nil {
			return err
		}
		if row, err = rowOf(tx, host); err != nil {
			return err
		}
		if left, err = community.SeverancesOf(tx, host); err != nil {
			return err
		}
		if chores, err = community.ChoresAbout(tx, host); err != nil {
			return err
		}
		if impact, err = community.ImpactOf(tx, host, row.Standing == peers.Blocked || row.ID == 0); err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	l, host := h.l, row.Host
	view := endsPage{Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, "/admin/peers"),
		Head:   PageHead{Title: l.T("ends.title", "Host", host), Lead: l.T("ends.lead"), Back: &Link{Words: row.Name(), URL: peerPath(host)}},
		State:  p.peerState(h, row),
		Facts:  p.endFacts(l, row.Peer, left),
		Impact: impactCounts(l, impact),
		List:   &Action{Words: l.T("ends.list"), Icon: "list", URL: peerPath(host) + "/impact.csv"},
	}
	for _, c := range chores {
		if c.NextAt.After(p.Now().Add(time.Hour)) {
			continue // it waits for its day
		}
		one := progressRow{Words: choreWords(l, c.Kind), Done: c.Done, Total: max(c.Total, c.Done)}
		one.Says = l.T("ends.progress", "Done", int(one.Done), "Total", int(one.Total))
		if one.Total == 0 {
			one.Says = l.T("ends.progress_soon")
		}
		view.Work = append(view.Work, one)
	}
	for _, deed := range deedsFor(row.Peer, left, p.Now()) {
		view.Actions = append(view.Actions, endAction{Action: endDeed(l, deed, host), Means: endMeans(l, deed)})
	}
	return p.render(h, w, http.StatusOK, "admin_ends", view.Head.Title, view)
}

func choreWords(l *Locale, kind community.ChoreKind) string {
	switch kind {
	case community.ChoreSever:
		return l.T("ends.work_sever")
	case community.ChoreRestore:
		return l.T("ends.work_restore")
	case community.ChoreWithdraw:
		return l.T("ends.work_withdraw")
	}
	return l.T("ends.work_drop")
}

func (p *Pages) endFacts(l *Locale, peer peers.Peer, left community.Severances) []Fact {
	var facts []Fact
	day := func(name string, at *time.Time) {
		if at != nil {
			facts = append(facts, Fact{Name: name, Value: l.Date(at.In(l.Zone))})
		}
	}
	day(l.T("ends.since"), peer.EndedAt)
	day(l.T("ends.expires"), peer.ExpiresAt)
	day(l.T("ends.kept_until"), peer.KeepUntil)
	day(l.T("ends.purge_on"), peer.PurgeAt)
	if peer.Reason != "" {
		facts = append(facts, Fact{Name: l.T("ends.why"), Value: peer.Reason})
	}
	if left.Follows > 0 {
		facts = append(facts, Fact{Name: l.T("ends.put_aside"), Value: l.T("ends.say_following", "Count", int(left.Follows))})
	}
	if left.Followers > 0 {
		facts = append(facts, Fact{Name: l.T("ends.theirs"), Value: l.T("ends.theirs_say", "Count", int(left.Followers))})
	}
	if len(left.Counted) > 0 {
		n := int64(0)
		for _, c := range left.Counted {
			n += c
		}
		facts = append(facts, Fact{Name: l.T("ends.counted"), Value: l.T("ends.counted_say", "Count", int(n))})
	}
	return facts
}

// impactCounts is the impact card.
func impactCounts(l *Locale, i community.Impact) []Count {
	var out []Count
	add := func(n int, words string) {
		if n > 0 {
			out = append(out, Count{N: n, Words: words})
		}
	}
	add(i.People, l.T("ends.n_people", "Count", i.People))
	add(i.Following, l.T("ends.n_following", "Count", i.Following))
	add(i.Followers, l.T("ends.n_followers", "Count", i.Followers))
	add(i.Requests, l.T("ends.n_requests", "Count", i.Requests))
	add(i.Groups, l.T("ends.n_groups", "Count", i.Groups))
	add(i.Threads, l.T("ends.n_threads", "Count", i.Threads))
	add(i.Quotes, l.T("ends.n_quotes", "Count", i.Quotes))
	add(i.Used, l.T("ends.n_used", "Count", i.Used))
	add(i.Unused(), l.T("ends.n_unused", "Count", i.Unused()))
	add(i.OursClosed, l.T("ends.n_ours_closed", "Count", i.OursClosed))
	add(i.OursPublic, l.T("ends.n_ours_public", "Count", i.OursPublic))
	add(i.Waiting, l.T("ends.n_waiting", "Count", i.Waiting))
	if len(out) == 0 {
		out = append(out, Count{N: 0, Words: l.T("ends.n_nothing")})
	}
	return out
}

func (p *Pages) askEnd(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.confirmEnd(h, w, r, nil)
}

// confirmEnd says what an act will do, in numbers, and asks.
func (p *Pages) confirmEnd(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	deed := mux.Vars(r)["deed"]
	var row peers.Row
	var impact community.Impact
	var left community.Severances
	var ties community.Ties
	var entry peers.Entry
	var agreed bool
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
		host, err := p.hostOf(tx, r)
		if err != nil {
			return err
		}
		if row, err = rowOf(tx, host); err != nil {
			return err
		}
		if left, err = community.SeverancesOf(tx, host); err != nil {
			return err
		}
		if ties, err = community.TiesWith(tx, host, deed == "block"); err != nil {
			return err
		}
		if deed == "block" {
			if entry, _, err = peers.EntryFor(tx, host); err != nil {
				return err
			}
		} else if _, err = peers.Get(tx, host); err != nil { // says that there is no entry
			return err
		}
		if agreed, err = peers.Agreed(tx, row.Host); err != nil {
			return err
		}
		impact, err = community.ImpactOf(tx, host, deed == "block" || row.Standing == peers.Blocked)
		return err
	})
	if err != nil {
		return err
	}
	l, at := h.l, peerPath(row.Host)
	view := endPage{Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, "/admin/peers")}
	button := endDeed(l, deed, row.Host)
	view.Confirm = ConfirmPanel{Action: at + "/" + deed, Cancel: at, Button: button.Words, Title: p.endTitle(l, deed, row.Host),
		Effects: p.endEffects(h, deed, row, impact, left, ties, agreed), Inputs: endInputs(l, deed, r, row.Peer, agreed), Safe: deed == "pause" || deed == "resume" || deed == "unpurge" || deed == "restore"}
	if deed == "block" {
		values := entryValues(entry)
		maps.Copy(values, postedEntry(r))
		view.Confirm.Inputs = append(view.Confirm.Inputs, entryFormFields(l, row.Host, values, nil, below{}, true)...)
	}
	if deed != "resume" && deed != "unpurge" && deed != "restore" {
		view.Impact = impactCounts(l, impact)
		list := at + "/impact.csv"
		if impact.Blocked {
			list += "?below=1"
		}
		view.List = &Action{Words: l.T("ends.list"), Icon: "list", URL: list}
	}
	var status int
	view.Errors, status = blameFields(l, view.Confirm.Inputs, problem)
	return p.render(h, w, status, "admin_end", view.Confirm.Title, view)
}

func (p *Pages) endTitle(l *Locale, deed, host string) string {
	switch deed {
	case "pause":
		return l.T("ends.pause_title", "Host", host)
	case "resume":
		return l.T("ends.resume_title", "Host", host)
	case "restore":
		return l.T("ends.restore_title", "Host", host)
	case "retire":
		return l.T("ends.retire_title", "Host", host)
	case "purge":
		return l.T("ends.purge_title", "Host", host)
	case "unpurge":
		return l.T("ends.unpurge_title", "Host", host)
	}
	return l.T("peers.block_title", "Host", host)
}

func (p *Pages) endEffects(h *here, deed string, row peers.Row, i community.Impact, left community.Severances, all community.Ties, agreed bool) []string {
	l := h.l
	host, days := row.Host, int(peers.KeepEnded/(24*time.Hour))
	ties := func(key string) string {
		return l.T(key, "Following", l.T("ends.say_following", "Count", i.Following+i.Groups), "Followed", l.T("ends.say_followers", "Count", i.Followers))
	}
	var out []string
	switch deed {
	case "pause":
		out = append(out, l.T("ends.stops", "Host", host), l.T("ends.pause_kept"), l.T("ends.pause_ties"), l.T("ends.pause_deletions"))
		if i.Waiting > 0 {
			out = append(out, l.T("ends.pause_waiting", "Count", i.Waiting))
		}
		return out
	case "resume":
		out = append(out, l.T("ends.resume_passes", "Host", host))
		if row.Standing == peers.Retired {
			out = append(out, l.T("ends.resume_follows", "Count", int(left.Follows)))
			if left.Followers > 0 {
				out = append(out, l.T("ends.resume_followers", "Count", int(left.Followers)))
			}
			return out
		}
		return append(out, ties("peers.effect_resumed"))
	case "restore":
		out = append(out, l.T("ends.resume_follows", "Count", int(left.Follows)))
		if left.Followers > 0 {
			out = append(out, l.T("ends.resume_followers", "Count", int(left.Followers)))
		}
		return out
	case "unpurge":
		return append(out, l.T("ends.unpurge_keeps"), l.T("ends.unpurge_ended"))
	case "block":
		out = p.blockEffects(h, row, all)
		if i.People > 0 {
			out = append(out, l.T("ends.told", "Count", i.People))
		}
		return append(out, l.T("ends.block_back"))
	}
	out = append(out, l.T("ends.stops", "Host", host))
	if row.Standing != peers.Retired && row.Standing != peers.Blocked {
		out = append(out, ties("ends.retire_ties"))
		if i.People > 0 {
			out = append(out, l.T("ends.told", "Count", i.People))
		}
		out = append(out, l.T("ends.retire_posts", "Used", i.Used, "Unused", i.Unused()))
		if agreed {
			out = append(out, l.T("ends.retire_server"))
		} else {
			out = append(out, l.T("ends.retire_server_follows"))
		}
	}
	if deed == "purge" {
		return append(out, l.T("ends.purge_when", "When", l.Date(p.Now().Add(peers.PurgeAfter).In(l.Zone))), l.T("ends.purge_what"))
	}
	return append(out, l.T("ends.retire_back", "Days", days))
}

// endInputs are what an act asks, as it was typed if it was. What is told to the
// other administrators is asked where they are told, which is if both agreed.
func endInputs(l *Locale, deed string, r *http.Request, row peers.Peer, agreed bool) []FormField {
	sent := r.Method == http.MethodPost
	reason := FormField{Name: "reason", Kind: "textarea", Rows: 2, Label: l.T("ends.reason"), Hint: l.T("ends.reason_hint"), Max: 1000, Value: r.FormValue("reason"), Optional: true}
	withdraw := FormField{Name: "withdraw", Kind: "checks", Label: l.T("ends.withdraw"), Hint: l.T("ends.withdraw_hint"), Options: []Option{
		{Value: "closed", Words: l.T("ends.withdraw_closed"), Selected: !sent || slices.Contains(r.PostForm["withdraw"], "closed")},
		{Value: "public", Words: l.T("ends.withdraw_public"), Selected: sent && slices.Contains(r.PostForm["withdraw"], "public")},
	}}
	tell := FormField{Name: "tell", Label: l.T("ends.tell"), Hint: l.T("ends.tell_hint"), Max: 300, Value: r.FormValue("tell"), Optional: true}
	switch deed {
	case "retire":
		reason.Optional, reason.Required = false, true
		keep := FormField{Name: "keep", Kind: "select", Label: l.T("ends.keep"), Hint: l.T("ends.keep_hint")}
		for _, d := range keptDays() {
			value := strconv.Itoa(d)
			keep.Options = append(keep.Options, Option{Value: value, Words: l.T("ends.days", "Count", d),
				Selected: value == r.PostFormValue("keep") || !sent && d == int(peers.KeepEnded/(24*time.Hour))})
		}
		if !agreed {
			return []FormField{reason, keep, withdraw}
		}
		return []FormField{reason, keep, withdraw, tell}
	case "purge":
		reason.Optional, reason.Required = false, true
		if row.Standing == peers.Retired || row.Standing == peers.Blocked {
			return []FormField{reason}
		}
		if !agreed {
			return []FormField{reason, withdraw}
		}
		return []FormField{reason, withdraw, tell}
	case "block":
		reason.Kind, reason.Optional, reason.Required = "", false, true
		return []FormField{reason}
	}
	return []FormField{reason}
}

// endingIn reads what was asked.
func endingIn(r *http.Request) peers.Ending {
	e := peers.Ending{Reason: r.PostFormValue("reason"), Tell: r.PostFormValue("tell")}
	if days, err := strconv.Atoi(r.PostFormValue("keep")); err == nil && slices.Contains(keptDays(), days) {
		e.Keep = time.Duration(days) * 24 * time.Hour
	}
	for _, w := range r.PostForm["withdraw"] {
		switch w {
		case "closed":
			e.Withdraw |= peers.WithdrawClosed
		case "public":
			e.Withdraw |= peers.WithdrawPublic
		}
	}
	return e
}

// decideEnd does what was confirmed.
func (p *Pages) decideEnd(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	e, deed := endingIn(r), mux.Vars(r)["deed"]
	var host string
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if host, err = p.hostOf(tx, r); err != nil {
			return err
		}
		switch deed {
		case "pause":
			_, err = peers.Pause(tx, h.me.ID, host, e)
		case "resume":
			_, err = peers.Resume(tx, h.me.ID, host, e)
		case "restore":
			err = community.RestoreTies(tx, h.me.ID, host)
		case "retire":
			_, err = peers.Retire(tx, h.me.ID, host, e)
		case "purge":
			_, err = peers.Purge(tx, h.me.ID, host, e)
		case "unpurge":
			_, err = peers.Unpurge(tx, h.me.ID, host, e)
		case "block":
			err = blockWith(tx, h.me.ID, host, postedEntry(r), e.Reason)
		}
		return err
	})
	if problem := mended(err); problem != nil {
		return p.confirmEnd(h, w, r, problem)
	} else if err != nil {
		return err
	}
	switch deed {
	case "pause":
		p.flash(w, "flash.peer_paused", "Host", host)
	case "resume":
		p.flash(w, "flash.peer_resumed", "Host", host)
	case "restore":
		p.flash(w, "flash.peer_restored", "Host", host)
	case "retire":
		p.flash(w, "flash.peer_retired", "Host", host)
	case "purge":
		p.flash(w, "flash.peer_purge", "Host", host)
	case "unpurge":
		p.flash(w, "flash.peer_unpurge", "Host", host)
	case "block":
		p.flash(w, "flash.peer_blocked", "Host", host)
		return seeOther(w, r, peerPath(host))
	}
	return seeOther(w, r, peerPath(host)+"/ends")
}

// impactList answers with what an end changes, line by line, as a file.
func (p *Pages) impactList(h *here, w http.ResponseWriter, r *http.Request) error {
	var host string
	var file bytes.Buffer
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if host, err = p.hostOf(tx, r); err != nil {
			return err
		}
		file.Reset()
		out := csv.NewWriter(&file)
		if err := out.Write(community.ImpactHead()); err != nil {
			return err
		}
		err = community.EachImpact(tx, host, r.FormValue("below") != "", func(cells []string) error { return out.Write(text.SheetRow(cells)) })
		out.Flush()
		return err
	})
	if err != nil {
		return err
	}
	return sendFile(w, "impact-"+host+".csv", "text/csv; charset=utf-8", file.Bytes())
}

// sendFile answers with a file to keep.
func sendFile(w http.ResponseWriter, name, kind string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "no-store")
	_, err := w.Write(body)
	return err
}
