package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// draftsPage is what lists propose, or what came of them.
type draftsPage struct {
	Head      PageHead
	Tabs      Tabs
	Parts     Tabs
	Filter    Tabs
	Accepting string // how many that were accepted together are not done yet
	Query     FormField
	Sub, Show string
	What      string
	Count     string
	All       []Action
	Rows      []draftRow
	Pager     Pager
	Empty     EmptyState
}

// draftRow is one of them.
type draftRow struct {
	Name, Host, URL string
	What            string
	Detail          string
	Reason          string
	List            Link
	By              string
	At              time.Time
	State           *State
	Acts            []Action
}

// draftFilter reads which drafts are asked for.
func draftFilter(r *http.Request) peers.DraftFilter {
	f := peers.DraftFilter{What: peers.DraftKind(r.FormValue("what")), Query: r.FormValue("q")}
	f.SubID, _ = strconv.ParseInt(r.FormValue("sub"), 10, 64) // what is no number is no list, and shows all
	if !slices.Contains([]peers.DraftKind{peers.DraftAllow, peers.DraftChange, peers.DraftBlock, peers.DraftRemove, peers.DraftPause, peers.DraftResume}, f.What) {
		f.What = ""
	}
	return f
}

func draftQuery(f peers.DraftFilter) url.Values {
	q := url.Values{}
	if f.SubID != 0 {
		q.Set("sub", digits(f.SubID))
	}
	if f.What != "" {
		q.Set("what", string(f.What))
	}
	if f.Query != "" {
		q.Set("q", f.Query)
	}
	return q
}

// draftWords says what a draft would do, or did.
func draftWords(l *Locale, d peers.Draft) string {
	switch d.What {
	case peers.DraftAllow:
		return l.T("peerlist.draft_allow", "Preset", presetWords(l, d.Tier))
	case peers.DraftChange:
		return l.T("peerlist.draft_change", "Preset", presetWords(l, d.Tier))
	case peers.DraftBlock:
		return l.T("peerlist.draft_block")
	case peers.DraftRemove:
		return l.T("peerlist.draft_remove")
	case peers.DraftPause:
		return l.T("peerlist.draft_pause")
	}
	return l.T("peerlist.draft_resume")
}

// kindOfDraft names a kind of draft in the filter.
func kindOfDraft(l *Locale, k peers.DraftKind) string {
	switch k {
	case peers.DraftAllow:
		return l.T("peerlist.kind_allow")
	case peers.DraftChange:
		return l.T("peerlist.kind_change")
	case peers.DraftBlock:
		return l.T("peerlist.kind_block")
	case peers.DraftRemove:
		return l.T("peerlist.kind_remove")
	case peers.DraftPause:
		return l.T("peerlist.kind_pause")
	}
	return l.T("peerlist.kind_resume")
}

const draftsShown = 40

func (p *Pages) drafts(h *here, w http.ResponseWriter, r *http.Request) error {
	f, page, done := draftFilter(r), pageOf(r), r.FormValue("show") == "done"
	page.Limit = draftsShown
	if done {
		f.States = []peers.DraftState{peers.DraftAccepted, peers.DraftRejected, peers.DraftUndone}
	}
	var all []peers.Draft
	var counts []peers.DraftCount
	var subs map[int64]peers.Subscription
	var by map[int64]community.Account
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if all, err = peers.Drafts(tx, f, page); err != nil {
			return err
		}
		if counts, err = peers.CountDrafts(tx); err != nil {
			return err
		}
		ids, people := []int64{f.SubID}, []int64{}
		for _, d := range all {
			ids = append(ids, d.SubID)
			if d.DecidedBy != nil {
				people = append(people, *d.DecidedBy)
			}
		}
		slices.Sort(ids)
		if subs, err = peers.SubscriptionsByID(tx, slices.Compact(ids)); err != nil {
			return err
		}
		by, err = community.AccountsByID(tx, people)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	view := draftsPage{Head: PageHead{Title: l.T("peerlist.drafts"), Lead: l.T("peerlist.drafts_lead"), Back: listsBack(l)}, Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, listsAt),
		Query: FormField{Name: "q", Kind: "search", Label: l.T("peers.host"), Value: f.Query, Max: 200, Code: true}, What: string(f.What),
		Empty: EmptyState{Icon: "circle-check", Title: l.T("peerlist.no_drafts"), Words: l.T("peerlist.no_drafts_words")}}
	if f.SubID != 0 {
		view.Sub = digits(f.SubID)
		if s, ok := subs[f.SubID]; ok {
			view.Head.Back = &Link{Words: s.Title(), URL: subPath(s.ID)}
		}
	}
	if done {
		view.Show = "done"
		view.Head.Title, view.Head.Lead = l.T("peerlist.done"), l.T("peerlist.done_lead")
		view.Empty = EmptyState{Icon: "history", Title: l.T("peerlist.none_done"), Words: l.T("peerlist.none_done_words")}
	}
	tab := func(what peers.DraftKind, words string, n int) {
		to := f
		to.What = what
		q := draftQuery(to)
		if done {
			q.Set("show", "done")
		}
		view.Filter.Items = append(view.Filter.Items, Tab{Words: words, URL: listsAt + "/drafts?" + q.Encode(), Current: f.What == what, Count: n})
	}
	view.Filter.Label = l.T("peers.filter")
	kinds := []peers.DraftKind{peers.DraftPause, peers.DraftResume, peers.DraftAllow, peers.DraftChange, peers.DraftRemove, peers.DraftBlock}
	number, open, accepting := map[peers.DraftKind]int{}, 0, 0
	for _, c := range counts {
		if f.SubID != 0 && c.SubID != f.SubID {
			continue
		}
		if c.State == peers.DraftAccepting {
			accepting += c.N
			continue
		}
		number[c.What] += c.N
		open += c.N
	}
	if done {
		tab("", l.T("peers.show_all"), -1)
	} else {
		tab("", l.T("peers.show_all"), open)
	}
	for _, k := range kinds {
		if done {
			tab(k, kindOfDraft(l, k), -1)
		} else if number[k] > 0 || f.What == k {
			tab(k, kindOfDraft(l, k), number[k])
		}
	}
	if accepting > 0 {
		view.Accepting = l.T("peerlist.accepting", "Count", accepting)
	}
	if !done && len(all) > 1 {
		q := "?" + draftQuery(f).Encode()
		view.All = []Action{{Words: l.T("peerlist.accept_all"), Icon: "circle-check", URL: listsAt + "/drafts/accept" + q}, {Words: l.T("peerlist.reject_all"), Icon: "x", URL: listsAt + "/drafts/reject" + q}}
	}
	for _, d := range all {
		view.Rows = append(view.Rows, p.draftRow(h, d, subs[d.SubID], by))
	}
	if n := len(all); n > 0 {
		view.Pager = pager(r, page, n, all[0].ID, all[n-1].ID)
	}
	return p.render(h, w, http.StatusOK, "admin_list_drafts", view.Head.Title, view)
}

func (p *Pages) draftRow(h *here, d peers.Draft, s peers.Subscription, by map[int64]community.Account) draftRow {
	l, at := h.l, listsAt+"/drafts/"+digits(d.ID)
	row := draftRow{Name: d.Label, Host: d.Host, URL: peerPath(d.Host), What: draftWords(l, d), Detail: d.Note, Reason: d.Reason, List: Link{Words: s.Title(), URL: subPath(s.ID)}, At: d.CreatedAt}
	if d.Subtree {
		row.What += " " + l.T("peerlist.with_names_below")
	}
	if d.ExpiresAt != nil {
		row.What += " " + l.T("peerlist.until", "Date", l.Date(*d.ExpiresAt))
	}
	if d.DecidedAt != nil {
		row.At = *d.DecidedAt
	}
	switch {
	case d.ByItself:
		row.By = l.T("peerlist.by_itself")
	case d.DecidedBy != nil:
		a := by[*d.DecidedBy]
		row.By = a.Name()
	case d.DecidedAt != nil:
		row.By = l.T("peers.command_line")
	}
	accept := Action{Words: l.T("peerlist.accept"), Icon: "circle-check", URL: at + "/accept", Post: true}
	reject := Action{Words: l.T("peerlist.reject"), Icon: "x", URL: at + "/reject", Post: true}
	switch d.State {
	case peers.DraftOpen:
		row.Acts = []Action{accept, reject}
	case peers.DraftFailed:
		row.State = &State{Tone: "bad", Icon: "circle-alert", Words: l.T(d.Error)}
		row.Acts = []Action{accept, reject}
	case peers.DraftRejected:
		row.State = &State{Tone: "quiet", Icon: "x", Words: l.T("peerlist.is_rejected")}
	case peers.DraftUndone:
		row.State = &State{Tone: "quiet", Icon: "history", Words: l.T("peerlist.is_undone")}
	case peers.DraftAccepted:
		row.State = &State{Tone: "good", Icon: "circle-check", Words: l.T("peerlist.is_done")}
		if d.AppliedAt == nil {
			row.State = &State{Tone: "quiet", Icon: "circle-check", Words: l.T("peerlist.is_nothing")}
		} else {
			row.Acts = []Action{{Words: l.T("peerlist.undo"), Icon: "history", URL: at + "/undo", Post: true}}
		}
	}
	return row
}

func (p *Pages) decideDraft(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	said := "flash.draft_accepted"
	var d peers.Draft
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		switch mux.Vars(r)["deed"] {
		case "accept":
			d, err = peers.AcceptDraft(tx, h.me.ID, id, community.BlockHost)
		case "reject":
			said = "flash.draft_rejected"
			d, err = peers.RejectDraft(tx, h.me.ID, id)
		default:
			said = "flash.draft_undone"
			d, err = peers.UndoDraft(tx, h.me.ID, id)
		}
		return err
	})
	if err != nil {
		return err
	}
	if d.State == peers.DraftFailed {
		said = "flash.draft_failed"
	}
	p.flash(w, said, "Host", d.Host)
	return p.back(w, r, listsAt+"/drafts")
}

func (p *Pages) askDrafts(h *here, w http.ResponseWriter, r *http.Request) error {
	f := draftFilter(r)
	var n int
	if err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		open := f
		open.States = []peers.DraftState{peers.DraftOpen}
		n, err = peers.CountMatching(tx, open)
		return err
	}); err != nil {
		return err
	}
	l, q := h.l, draftQuery(f)
	fields := map[string]string{}
	for name := range q {
		fields[name] = q.Get(name)
	}
	panel := ConfirmPanel{Title: l.T("peerlist.accept_all_title", "Count", n), Action: listsAt + "/drafts/accept", Fields: fields, Cancel: listsAt + "/drafts?" + q.Encode(),
		Button: l.T("peerlist.accept_all"), Safe: true, Effects: []string{l.T("peerlist.accept_all_effect"), l.T("peerlist.accept_all_hand"), l.T("peerlist.accept_all_undo")}}
	if mux.Vars(r)["deed"] == "reject" {
		panel.Title, panel.Action, panel.Button = l.T("peerlist.reject_all_title", "Count", n), listsAt+"/drafts/reject", l.T("peerlist.reject_all")
		panel.Effects = []string{l.T("peerlist.reject_all_effect")}
	}
	return p.confirm(h, w, "/admin/peers", panel, nil)
}

func (p *Pages) decideDrafts(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	f, n, said := draftFilter(r), 0, "flash.drafts_accepted"
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if mux.Vars(r)["deed"] == "accept" {
			n, err = peers.AcceptDrafts(tx, h.me.ID, f)
			return err
		}
		said = "flash.drafts_rejected"
		n, err = peers.RejectDrafts(tx, h.me.ID, f)
		return err
	})
	if err != nil {
		return err
	}
	p.flash(w, said, "Number", h.l.Number(int64(n)))
	return seeOther(w, r, listsAt+"/drafts?"+draftQuery(f).Encode())
}
