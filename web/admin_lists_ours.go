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

// listFields ask what a list that is given out is called and who is on it by itself.
func listFields(l *Locale, f peers.ListForm) []formPart {
	visibility := FormField{Name: "visibility", Kind: "radio", Label: l.T("peerlist.visibility"), Options: []Option{
		{Value: string(peers.VisiblePeers), Words: l.T("peerlist.visible_peers"), Detail: l.T("peerlist.visible_peers_detail")},
		{Value: string(peers.VisibleLink), Words: l.T("peerlist.visible_link"), Detail: l.T("peerlist.visible_link_detail")},
		{Value: string(peers.VisiblePublic), Words: l.T("peerlist.visible_public"), Detail: l.T("peerlist.visible_public_detail")}}}
	for i := range visibility.Options {
		o := &visibility.Options[i]
		o.Selected = o.Value == string(f.Visibility) || f.Visibility == "" && i == 0
	}
	formats := FormField{Name: "formats", Kind: "checks", Label: l.T("peerlist.formats"), Hint: l.T("peerlist.formats_hint"), Options: []Option{
		{Value: "csv", Words: l.T("peerlist.format_csv"), Selected: f.Formats.Has(peers.FormatsMastodon)},
		{Value: "json", Words: l.T("peerlist.format_json"), Selected: f.Formats.Has(peers.FormatsGoToSocial)},
		{Value: "txt", Words: l.T("peerlist.format_txt"), Selected: f.Formats.Has(peers.FormatsPlain)}}}
	presets := FormField{Name: "presets", Kind: "checks", Label: l.T("peerlist.by_presets")}
	for _, preset := range peers.Presets() {
		presets.Options = append(presets.Options, Option{Value: string(preset), Words: presetWords(l, preset), Selected: slices.Contains(f.Presets, string(preset))})
	}
	kinds := FormField{Name: "kinds", Kind: "checks", Label: l.T("peerlist.by_kinds")}
	for _, kind := range peers.Kinds() {
		kinds.Options = append(kinds.Options, Option{Value: kind, Words: kindWords(l, kind), Selected: slices.Contains(f.Kinds, kind)})
	}
	return []formPart{
		{Fields: []FormField{
			{Name: "name", Label: l.T("peerlist.name"), Value: f.Name, Required: true, Max: 200},
			{Name: "about", Kind: "textarea", Label: l.T("peerlist.about"), Value: f.About, Optional: true, Rows: 2, Max: 4000}, visibility, formats}},
		{Title: l.T("peerlist.rules"), Hint: l.T("peerlist.rules_hint"), Fields: []FormField{presets, kinds}}}
}

func listFormOf(r *http.Request) peers.ListForm {
	f := peers.ListForm{Path: r.PostFormValue("path"), Name: r.PostFormValue("name"), About: r.PostFormValue("about"), Visibility: peers.Visibility(r.PostFormValue("visibility")),
		Presets: r.PostForm["presets"], Kinds: r.PostForm["kinds"]}
	for _, one := range r.PostForm["formats"] {
		switch one {
		case "csv":
			f.Formats |= peers.FormatsMastodon
		case "json":
			f.Formats |= peers.FormatsGoToSocial
		case "txt":
			f.Formats |= peers.FormatsPlain
		}
	}
	return f
}

func (p *Pages) newListView(h *here, f peers.ListForm) formPage {
	l := h.l
	tabs := p.adminTabs(h, "/admin/peers")
	first := formPart{Fields: []FormField{{Name: "path", Label: l.T("peerlist.path"), Hint: l.T("peerlist.path_hint", "Address", p.site.Base()+"/peering/lists/"), Value: f.Path,
		Required: true, Code: true, Max: 60, Autocomplete: "off"}}}
	return formPage{Head: PageHead{Title: l.T("peerlist.make"), Lead: l.T("peerlist.make_lead"), Back: listsBack(l)}, Tabs: &tabs, Action: listsAt + "/new",
		Submit: l.T("peerlist.make_submit"), Cancel: listsAt, Parts: append([]formPart{first}, listFields(l, f)...)}
}

func (p *Pages) newListForm(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.answerWith(h, w, p.newListView(h, peers.ListForm{Formats: peers.AllFormats}), nil)
}

func (p *Pages) newServerList(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	f := listFormOf(r)
	var one peers.PublishedList
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		one, err = peers.NewList(tx, h.me.ID, f)
		return err
	})
	if problem := mended(err); problem != nil {
		return p.answerWith(h, w, p.newListView(h, f), problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.peerlist_made")
	return seeOther(w, r, publishedPath(one.Path))
}

// publishedPage is a list that this server gives out.
type publishedPage struct {
	Head        PageHead
	Tabs        Tabs
	Parts       Tabs
	State       State
	About       string
	Facts       []Fact
	Live        bool
	Emergencies []publishedRow
	Query       FormField
	Rows        []publishedRow
	More        string
	Gone        []publishedRow
	Add         formPage
	Form        formPage
	Path        string
}

type publishedRow struct {
	Name, Host string
	What       string
	Note       string
	At         time.Time
	Acts       []Action
}

func (p *Pages) publishedList(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showPublished(h, w, r, nil, nil, nil)
}

const entriesShown = 50

func (p *Pages) showPublished(h *here, w http.ResponseWriter, r *http.Request, typed *peers.ListForm, added *peers.ListEntry, problem *fault.Error) error {
	path, query, after := mux.Vars(r)["path"], r.URL.Query().Get("q"), r.URL.Query().Get("after")
	var one peers.PublishedList
	var entries, gone, emergencies []peers.PublishedEntry
	var on map[int64]peers.ListCount
	var site community.Site
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if one, err = peers.ListByPath(tx, path); err != nil {
			return err
		}
		if entries, err = peers.PublishedEntries(tx, one.ID, false, query, after, entriesShown); err != nil {
			return err
		}
		if gone, err = peers.PublishedEntries(tx, one.ID, true, query, "", 20); err != nil {
			return err
		}
		if emergencies, err = peers.Emergencies(tx, one.ID); err != nil {
			return err
		}
		if on, err = peers.CountLists(tx); err != nil {
			return err
		}
		site, err = community.SiteOf(tx)
		return err
	})
	if err != nil {
		return err
	}
	l, at, c := h.l, publishedPath(path), on[one.ID]
	form := peers.ListForm{Name: one.Name, About: one.About, Visibility: one.Visibility, Formats: one.Formats, Presets: one.Presets(), Kinds: one.Kinds()}
	if typed != nil {
		form = *typed
	}
	view := publishedPage{
		Head: PageHead{Title: one.Name, Back: listsBack(l)}, Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, listsAt), State: publishedState(l, one, c), About: one.About,
		Live: one.Live, Path: at, Query: FormField{Name: "q", Kind: "search", Label: l.T("peers.host"), Value: query, Max: 200, Code: true},
		Form: formPage{Action: at, Submit: l.T("form.save"), Parts: listFields(l, form)},
		Add:  formPage{Action: at + "/add", Submit: l.T("peerlist.add"), Parts: []formPart{{Fields: addFields(l, added)}}},
	}
	if one.Live {
		view.Head.Actions = []Action{{Words: l.T("peerlist.raise"), Icon: "triangle-alert", URL: at + "/emergency", Danger: true}}
		view.Head.Menu = append(view.Head.Menu, Action{Words: l.T("peerlist.unpublish"), Icon: "x", URL: at + "/unpublish"})
	} else {
		view.Head.Actions = []Action{{Words: l.T("peerlist.publish"), Icon: "send", URL: at + "/publish", Post: true, Main: true}}
	}
	if one.Visibility == peers.VisibleLink {
		view.Head.Menu = append(view.Head.Menu, Action{Words: l.T("peerlist.new_link"), Icon: "link", URL: at + "/link", Post: true})
	}
	view.Head.Menu = append(view.Head.Menu, Action{Words: l.T("peerlist.drop"), Icon: "trash-2", URL: at + "/drop", Danger: true})
	view.Facts = []Fact{{Name: l.T("peerlist.fact_address"), Value: p.site.Base() + one.Address()}}
	base, secret, _ := strings.Cut(p.site.Base()+one.Address(), "?")
	if secret != "" {
		secret = "?" + secret
	}
	for _, form := range []struct {
		has  peers.Formats
		ext  string
		name string
	}{{peers.FormatsMastodon, ".csv", l.T("peerlist.format_csv")}, {peers.FormatsGoToSocial, ".json", l.T("peerlist.format_json")}, {peers.FormatsPlain, ".txt", l.T("peerlist.format_txt")}} {
		if one.Formats.Has(form.has) {
			view.Facts = append(view.Facts, Fact{Name: form.name, Value: base + form.ext + secret})
		}
	}
	if key := site.Ed25519PublicKey; key != "" {
		view.Facts = append(view.Facts, Fact{Name: l.T("peerlist.fact_our_key"), Value: peers.KeyPrint(key)})
	}
	view.Facts = append(view.Facts, Fact{Name: l.T("peerlist.fact_entries"), Value: l.Number(int64(c.Entries))}, Fact{Name: l.T("peerlist.fact_readers"), Value: l.Number(int64(c.Readers))},
		Fact{Name: l.T("peerlist.fact_changed"), Value: l.Ago(one.UpdatedAt, p.Now())})
	for _, e := range emergencies {
		view.Emergencies = append(view.Emergencies, publishedRow{Name: e.Label, Host: e.Host, What: e.PauseReason, At: *e.PausedAt,
			Acts: []Action{{Words: l.T("peerlist.over"), Icon: "check", URL: at + "/over?host=" + url.QueryEscape(e.Host)}}})
	}
	for _, e := range entries {
		view.Rows = append(view.Rows, publishedRowOf(l, at, e))
	}
	if len(entries) == entriesShown {
		q := url.Values{"after": {entries[len(entries)-1].Host}}
		if query != "" {
			q.Set("q", query)
		}
		view.More = at + "?" + q.Encode()
	}
	for _, e := range gone {
		view.Gone = append(view.Gone, publishedRow{Name: e.Label, Host: e.Host, What: e.RetractReason, At: *e.RetractedAt})
	}
	status := http.StatusOK
	if problem != nil {
		status = problem.Kind.Status()
		if added != nil {
			view.Add.blame(l, problem)
		} else {
			view.Form.blame(l, problem)
		}
	}
	return p.render(h, w, status, "admin_list_ours", view.Head.Title, view)
}

func publishedRowOf(l *Locale, at string, e peers.PublishedEntry) publishedRow {
	row := publishedRow{Name: e.Label, Host: e.Host, What: presetWords(l, e.Tier), Note: e.Note, At: e.AddedAt}
	if e.Subtree {
		row.What += " " + l.T("peerlist.with_names_below")
	}
	if e.ExpiresAt != nil {
		row.What += " " + l.T("peerlist.until", "Date", l.Date(*e.ExpiresAt))
	}
	if e.ByRule {
		row.What += " · " + l.T("peerlist.by_rule")
	}
	host := "?host=" + url.QueryEscape(e.Host)
	if e.PausedAt == nil {
		row.Acts = append(row.Acts, Action{Words: l.T("peerlist.raise_one"), Icon: "triangle-alert", URL: at + "/emergency" + host, Danger: true})
	}
	row.Acts = append(row.Acts, Action{Words: l.T("peerlist.retract"), Icon: "x", URL: at + "/retract" + host})
	return row
}

func addFields(l *Locale, typed *peers.ListEntry) []FormField {
	e := peers.ListEntry{}
	if typed != nil {
		e = *typed
	}
	tier := FormField{Name: "tier", Kind: "select", Label: l.T("peerlist.tier"), Hint: l.T("peerlist.tier_hint")}
	for _, t := range peers.TierCaps() {
		tier.Options = append(tier.Options, Option{Value: string(t), Words: presetWords(l, t), Selected: t == e.Tier || e.Tier == "" && t == peers.PresetNetwork})
	}
	expires := ""
	if e.Expires != nil {
		expires = e.Expires.Format(time.DateOnly)
	}
	return []FormField{
		{Name: "host", Label: l.T("peers.host"), Hint: l.T("peerlist.add_hint"), Value: e.Host, Required: true, Code: true, Max: 300, Autocomplete: "off"},
		{Name: "label", Label: l.T("peers.label"), Value: e.Label, Optional: true, Max: 200}, tier,
		{Name: "note", Label: l.T("peerlist.note"), Value: e.Note, Optional: true, Max: 4000},
		{Name: "expires", Kind: "date", Label: l.T("peerlist.expires"), Value: expires, Optional: true, Small: true},
		{Name: "subtree", Kind: "checkbox", Label: l.T("peerlist.subtree"), Checked: e.Match == peers.MatchSubtree}}
}

func (p *Pages) addToList(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	path := mux.Vars(r)["path"]
	e := peers.ListEntry{Host: r.PostFormValue("host"), Label: r.PostFormValue("label"), Tier: peers.Preset(r.PostFormValue("tier")), Note: r.PostFormValue("note"),
		Expires: endOf(h.l, r.PostFormValue("expires")), Match: peers.MatchExact}
	if r.PostFormValue("subtree") != "" {
		e.Match = peers.MatchSubtree
	}
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := peers.PutOnList(tx, h.me.ID, path, e)
		return err
	})
	if problem := mended(err); problem != nil {
		return p.showPublished(h, w, r, nil, &e, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.peerlist_added", "Host", strings.TrimSpace(e.Host))
	return seeOther(w, r, publishedPath(path))
}

func (p *Pages) setPublishedList(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	path, f := mux.Vars(r)["path"], listFormOf(r)
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := peers.SetList(tx, h.me.ID, path, f)
		return err
	})
	if problem := mended(err); problem != nil {
		return p.showPublished(h, w, r, &f, nil, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.saved")
	return seeOther(w, r, publishedPath(path))
}

func (p *Pages) askPublished(h *here, w http.ResponseWriter, r *http.Request) error {
	path := mux.Vars(r)["path"]
	var one peers.PublishedList
	var on map[int64]peers.ListCount
	if err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if one, err = peers.ListByPath(tx, path); err != nil {
			return err
		}
		on, err = peers.CountLists(tx)
		return err
	}); err != nil {
		return err
	}
	l, at, c := h.l, publishedPath(path), on[one.ID]
	panel := ConfirmPanel{Title: l.T("peerlist.unpublish_title", "Name", one.Name), Action: at + "/unpublish", Cancel: at, Button: l.T("peerlist.unpublish"),
		Effects: []string{l.T("peerlist.unpublish_readers", "Count", c.Readers), l.T("peerlist.unpublish_kept")}}
	if mux.Vars(r)["deed"] == "drop" {
		panel.Title, panel.Action, panel.Button = l.T("peerlist.drop_title", "Name", one.Name), at+"/drop", l.T("peerlist.drop")
		panel.Effects = []string{l.T("peerlist.unpublish_readers", "Count", c.Readers), l.T("peerlist.drop_entries", "Count", c.Entries)}
	}
	return p.confirm(h, w, "/admin/peers", panel, nil)
}

func (p *Pages) decidePublished(h *here, w http.ResponseWriter, r *http.Request) error {
	path := mux.Vars(r)["path"]
	to, said := publishedPath(path), "flash.saved"
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		switch deed := mux.Vars(r)["deed"]; deed {
		case "drop":
			to = listsAt
			err = peers.DropList(tx, h.me.ID, path)
		case "link":
			_, err = peers.NewLink(tx, h.me.ID, path)
		default:
			if deed == "publish" {
				said = "flash.peerlist_published"
			}
			_, err = peers.PublishList(tx, h.me.ID, path, deed == "publish")
		}
		return err
	})
	if err != nil {
		return err
	}
	p.flash(w, said)
	return seeOther(w, r, to)
}

func (p *Pages) askEntry(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.confirmEntry(h, w, r, nil)
}

// confirmEntry asks before a server of a list is retracted, or is an emergency,
// or is none any more.
func (p *Pages) confirmEntry(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	path, host := mux.Vars(r)["path"], r.FormValue("host")
	var one peers.PublishedList
	var on map[int64]peers.ListCount
	if err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if one, err = peers.ListByPath(tx, path); err != nil {
			return err
		}
		on, err = peers.CountLists(tx)
		return err
	}); err != nil {
		return err
	}
	l, at, readers := h.l, publishedPath(path), on[one.ID].Readers
	name := host
	reason := FormField{Name: "reason", Label: l.T("peers.reason"), Value: r.PostFormValue("reason"), Optional: true, Max: 4000}
	panel := ConfirmPanel{Action: at + "/" + mux.Vars(r)["deed"], Cancel: at, Fields: map[string]string{"host": host}}
	switch mux.Vars(r)["deed"] {
	case "retract":
		panel.Title, panel.Button = l.T("peerlist.retract_title", "Host", name, "Name", one.Name), l.T("peerlist.retract")
		panel.Effects = []string{l.T("peerlist.retract_effect", "Count", readers), l.T("peerlist.retract_record")}
	case "over":
		panel.Title, panel.Button, panel.Safe = l.T("peerlist.over_title", "Host", name), l.T("peerlist.over"), true
		panel.Effects = []string{l.T("peerlist.over_effect", "Count", readers), l.T("peerlist.over_here")}
	default:
		panel.Title, panel.Button = l.T("peerlist.raise_title", "Name", one.Name), l.T("peerlist.raise")
		panel.Effects = []string{l.T("peerlist.raise_effect", "Count", readers), l.T("peerlist.raise_kept"), l.T("peerlist.raise_reason")}
		reason.Optional, reason.Required = false, true
		if host == "" || problem != nil {
			panel.Fields = nil
			panel.Inputs = append(panel.Inputs, FormField{Name: "host", Label: l.T("peers.host"), Value: host, Required: true, Code: true, Max: 300, Autocomplete: "off"})
		} else {
			panel.Title = l.T("peerlist.raise_title_one", "Host", name)
		}
	}
	panel.Inputs = append(panel.Inputs, reason)
	return p.confirm(h, w, "/admin/peers", panel, problem)
}

func (p *Pages) decideEntry(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	path, host, reason := mux.Vars(r)["path"], r.PostFormValue("host"), r.PostFormValue("reason")
	said, next := "flash.peerlist_emergency", publishedPath(path)
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error {
		switch mux.Vars(r)["deed"] {
		case "retract":
			said = "flash.peerlist_retracted"
			return peers.Retract(tx, h.me.ID, path, host, reason)
		case "over":
			said = "flash.peerlist_over"
			// Our own pause stays until somebody ends it: that is asked next.
			if own, err := peers.Get(tx, host); err == nil && own.Standing == peers.Paused {
				next = peerPath(own.Host) + "/resume"
			} else if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			return peers.EndEmergency(tx, h.me.ID, path, host, reason)
		}
		return peers.RaiseEmergency(tx, h.me.ID, path, host, reason)
	})
	if problem := mended(err); problem != nil {
		return p.confirmEntry(h, w, r, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, said, "Host", host)
	return seeOther(w, r, next)
}
