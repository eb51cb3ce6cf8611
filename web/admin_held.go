package web

import (
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

const heldAt = "/admin/peers/held"

// heldRoutes mounts the pages about what waits to be looked at. They are the
// moderators': what people wrote is not for whoever looks after the machines.
func (p *Pages) heldRoutes(get, post func(path string, may func(community.Role) bool, h handler)) {
	moderate := community.Role.MayModerate
	get(heldAt, moderate, p.held)
	get(heldAt+"/{id:[0-9]+}", moderate, p.oneHeld)
	get(heldAt+"/{id:[0-9]+}/picture/{n:[0-9]+}", moderate, p.heldPicture)
	post(heldAt+"/{id:[0-9]+}/{deed:pass|author|unauthor}", moderate, p.passHeld)
	get(heldAt+"/{id:[0-9]+}/drop", moderate, p.askDropHeld)
	post(heldAt+"/{id:[0-9]+}/drop", moderate, p.dropHeld)
	post(heldAt+"/of/{host}/pass", moderate, p.passHeldOf)
	get(heldAt+"/of/{host}/drop", moderate, p.askDropHeldOf)
	post(heldAt+"/of/{host}/drop", moderate, p.dropHeldOf)
}

// heldPage lists what waits, or what was decided.
type heldPage struct {
	Head    PageHead
	Tabs    Tabs
	Filter  Tabs
	Servers Tabs     // whose; none if there is one alone
	Offers  []string // servers of which nothing is held any more, and something waits
	Acts    []Action // on all that waits of one server
	Rows    []heldRow
	Pager   Pager
	Empty   EmptyState
}

// heldRow is one thing that waits.
type heldRow struct {
	URL     string
	Person  PersonView
	Others  Link // what else waits of the same person
	Kind    string
	Why     string
	Words   string // the beginning
	Warning string
	Lang    string
	At      time.Time
	State   State
	Decided string // by whom, when, why
	Acts    []Action
}

func (p *Pages) held(h *here, w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	filter := community.HeldFilter{Peer: q.Get("server"), Decided: q.Get("show") == "decided"}
	filter.Account, _ = strconv.ParseInt(q.Get("author"), 10, 64)
	page := pageOf(r)
	var list []community.HeldView
	var counts []community.HeldCount
	var schools map[string]string
	var offered []string
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if list, err = community.Held(tx, filter, page); err != nil {
			return err
		}
		if counts, err = community.HeldCounts(tx); err != nil {
			return err
		}
		names := make([]string, len(counts))
		for i, c := range counts {
			names[i] = c.Peer
		}
		decided, err := peers.Decide(tx, names)
		if err != nil {
			return err
		}
		for _, name := range names {
			if d := decided[name]; d.Admitted && !d.HoldsAny() {
				offered = append(offered, name)
			}
		}
		people := map[int64]community.Account{}
		for _, v := range list {
			people[v.AccountID] = v.Author
		}
		schools, err = community.SchoolNames(tx, people)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	to := func(change func(url.Values)) string {
		v := url.Values{}
		for _, name := range []string{"server", "author", "show"} {
			if q.Get(name) != "" {
				v.Set(name, q.Get(name))
			}
		}
		change(v)
		if len(v) == 0 {
			return heldAt
		}
		return heldAt + "?" + v.Encode()
	}
	all := 0
	for _, c := range counts {
		all += c.Count
	}
	view := heldPage{Head: PageHead{Title: l.T("held.title"), Lead: l.T("held.lead")}, Tabs: p.adminTabs(h, heldAt),
		Filter: Tabs{Label: l.T("held.filter"), Items: []Tab{
			{Words: l.T("held.waiting"), URL: to(func(v url.Values) { v.Del("show") }), Current: !filter.Decided, Count: all},
			{Words: l.T("held.decided"), URL: to(func(v url.Values) { v.Set("show", "decided") }), Current: filter.Decided, Count: -1}}},
		Empty: EmptyState{Icon: "circle-check", Title: l.T("held.empty"), Words: l.T("held.empty_words")}}
	if len(counts) > 1 || filter.Peer != "" || filter.Account != 0 {
		view.Servers = Tabs{Label: l.T("held.servers"), Items: []Tab{{Words: l.T("held.all_servers"), Count: -1, Current: filter.Peer == "" && filter.Account == 0,
			URL: to(func(v url.Values) { v.Del("server"); v.Del("author") })}}}
		for _, c := range counts {
			view.Servers.Items = append(view.Servers.Items, Tab{Words: c.Peer, Count: c.Count, Current: c.Peer == filter.Peer,
				URL: to(func(v url.Values) { v.Set("server", c.Peer); v.Del("author") })})
		}
	}
	for _, name := range offered {
		view.Offers = append(view.Offers, l.T("held.offered", "Host", name))
	}
	if filter.Peer != "" && !filter.Decided && len(list) > 0 {
		at := heldAt + "/of/" + url.PathEscape(filter.Peer)
		view.Acts = []Action{
			{Words: l.T("held.pass_all", "Host", filter.Peer), Icon: "check", URL: at + "/pass", Post: true},
			{Words: l.T("held.drop_all", "Host", filter.Peer), Icon: "trash-2", URL: at + "/drop", Danger: true}}
	}
	for _, v := range list {
		row := p.heldRow(h, v, schools)
		if filter.Account == 0 {
			row.Others = Link{Words: l.T("held.of_author"), URL: to(func(q url.Values) { q.Set("author", digits(v.AccountID)); q.Del("server") })}
		}
		view.Rows = append(view.Rows, row)
	}
	if n := len(list); n > 0 {
		view.Pager = pager(r, page, n, list[0].ID, list[n-1].ID)
	}
	if filter.Decided {
		view.Empty = EmptyState{Icon: "history", Title: l.T("held.none_decided"), Words: l.T("held.none_decided_words")}
	}
	return p.render(h, w, http.StatusOK, "admin_held", view.Head.Title, view)
}

// heldRow puts what waits into words: the beginning of it, and no picture.
func (p *Pages) heldRow(h *here, v community.HeldView, schools map[string]string) heldRow {
	l := h.l
	at := heldAt + "/" + digits(v.ID)
	row := heldRow{URL: at, Person: p.person(h, v.Author, schools[v.Author.Host]), Kind: heldKind(l, v.Kind), Why: heldWhy(l, v.Why), At: v.ReceivedAt,
		Warning: v.Said.Warning, Lang: v.Said.Language, Words: v.Said.Title, State: heldState(l, v.Decision)}
	if row.Words == "" && row.Warning == "" {
		row.Words = text.Excerpt(v.Said.HTML, 200)
	}
	if v.Decision != "" {
		by := l.T("peers.command_line")
		if v.Decider != nil {
			by = plainName(*v.Decider)
		}
		if v.DecidedBy == nil && v.Decision != community.HeldPassed && v.Decision != community.HeldDropped {
			by = ""
		}
		if by != "" {
			row.Decided = by
		}
		if v.Reason != "" {
			row.Decided += ": " + v.Reason
		}
		return row
	}
	row.Acts = []Action{{Words: l.T("held.look"), Icon: "eye", URL: at}}
	if v.Policy.Admitted {
		row.Acts = append(row.Acts, Action{Words: l.T("held.pass"), Icon: "check", URL: at + "/pass", Post: true, Main: true})
	}
	row.Acts = append(row.Acts, Action{Words: l.T("held.drop"), Icon: "trash-2", URL: at + "/drop", Danger: true})
	return row
}

func heldKind(l *Locale, k community.HeldKind) string {
	switch k {
	case community.HeldReply:
		return l.T("held.kind_reply")
	case community.HeldEdit:
		return l.T("held.kind_edit")
	case community.HeldBoost:
		return l.T("held.kind_boost")
	}
	return l.T("held.kind_post")
}

func heldWhy(l *Locale, why string) string {
	switch why {
	case string(peers.HoldFirst):
		return l.T("held.why_first")
	case string(peers.HoldMedia):
		return l.T("held.why_media")
	case string(peers.HoldLinks):
		return l.T("held.why_links")
	}
	return l.T("held.why_all")
}

func heldState(l *Locale, decision string) State {
	switch decision {
	case community.HeldPassed:
		return State{Tone: "good", Icon: "circle-check", Words: l.T("held.state_passed")}
	case community.HeldDropped:
		return State{Tone: "bad", Icon: "ban", Words: l.T("held.state_dropped")}
	case community.HeldExpired:
		return State{Tone: "wait", Icon: "clock", Words: l.T("held.state_expired")}
	case community.HeldWithdrawn:
		return State{Tone: "wait", Icon: "trash-2", Words: l.T("held.state_withdrawn")}
	}
	return State{Tone: "wait", Icon: "clock", Words: l.T("held.state_waiting")}
}

// heldItemPage is one thing that waits, whole.
type heldItemPage struct {
	Head     PageHead
	Tabs     Tabs
	Row      heldRow
	Facts    []Fact
	Said     community.HeldSaid
	HTML     template.HTML
	Pictures []heldPictureView
	Words    string // on the button that shows the pictures
	Note     string // why it cannot pass just now
	Acts     []Action
}

type heldPictureView struct{ Src, Alt string }

func (p *Pages) heldByID(r *http.Request) (v community.HeldView, schools map[string]string, err error) {
	id, err := idOf(r)
	if err != nil {
		return v, nil, err
	}
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if v, err = community.HeldByID(tx, id); err != nil {
			return err
		}
		schools, err = community.SchoolNames(tx, map[int64]community.Account{v.AccountID: v.Author})
		return err
	})
	return v, schools, err
}

func (p *Pages) oneHeld(h *here, w http.ResponseWriter, r *http.Request) error {
	v, schools, err := p.heldByID(r)
	if err != nil {
		return err
	}
	l := h.l
	row := p.heldRow(h, v, schools)
	view := heldItemPage{Head: PageHead{Title: l.T("held.one", "Name", plainName(v.Author)), Back: &Link{Words: l.T("held.title"), URL: heldAt}},
		Tabs: p.adminTabs(h, heldAt), Row: row, Said: v.Said, HTML: template.HTML(v.Said.Teaser + v.Said.HTML)} // sanitised when it came
	view.Facts = []Fact{{Name: l.T("held.what"), Value: row.Kind}, {Name: l.T("held.why"), Value: row.Why}, {Name: l.T("held.server"), Value: v.Peer},
		{Name: l.T("held.received"), Value: l.Moment(v.ReceivedAt)}}
	if v.Said.Audience != "" {
		view.Facts = append(view.Facts, Fact{Name: l.T("held.audience"), Value: AudienceOf(l, string(v.Said.Audience), Reach{School: schools[v.Author.Host], Connected: -1, Named: -1, Followers: -1}).Words})
	}
	for i, picture := range v.Said.Pictures {
		view.Pictures = append(view.Pictures, heldPictureView{Src: row.URL + "/picture/" + strconv.Itoa(i), Alt: picture.Alt})
	}
	if n := len(view.Pictures); n > 0 {
		view.Words = l.T("held.pictures", "Count", n)
	}
	switch {
	case v.Decision != "":
	case !v.Policy.Admitted:
		view.Note = l.T("held.not_admitted", "Host", v.Host)
	default:
		view.Acts = []Action{
			{Words: l.T("held.pass"), Icon: "check", URL: row.URL + "/pass", Post: true, Main: true},
			{Words: l.T("held.pass_author", "Name", plainName(v.Author)), Icon: "user-plus", URL: row.URL + "/author", Post: true}}
	}
	if v.Decision == "" {
		view.Acts = append(view.Acts, Action{Words: l.T("held.drop"), Icon: "trash-2", URL: row.URL + "/drop", Danger: true})
	}
	return p.render(h, w, http.StatusOK, "admin_held_item", view.Head.Title, view)
}

// heldPicture shows a picture of what waits, fetched when a moderator asks for it.
func (p *Pages) heldPicture(h *here, w http.ResponseWriter, r *http.Request) error {
	v, _, err := p.heldByID(r)
	if err != nil {
		return hidden(err)
	}
	n, err := strconv.Atoi(mux.Vars(r)["n"])
	if err != nil || n >= len(v.Said.Pictures) || v.Decision != "" {
		return noPicture()
	}
	f, err := p.Library.FetchRemote(r.Context(), v.Said.Pictures[n].URL, media.Whole, p.Remote(v.Host))
	if err != nil {
		return err
	}
	media.Serve(w, r, f, false)
	return nil
}

func (p *Pages) passHeld(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	passed := 0
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if mux.Vars(r)["deed"] == "pass" {
			passed, err = community.PassHeld(tx, h.me.ID, []int64{id}, "")
			return err
		}
		v, err := community.HeldByID(tx, id)
		if err != nil {
			return err
		}
		if mux.Vars(r)["deed"] == "unauthor" {
			return community.UnpassAuthor(tx, h.me.ID, v.AccountID, "")
		}
		passed, err = community.PassAuthor(tx, h.me.ID, v.AccountID, "")
		return err
	})
	if err != nil {
		return err
	}
	if passed > 0 {
		p.flash(w, "flash.held_passed")
	}
	return seeOther(w, r, heldAt)
}

func (p *Pages) passHeldOf(h *here, w http.ResponseWriter, r *http.Request) error {
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := community.PassHeldOf(tx, h.me.ID, mux.Vars(r)["host"], "")
		return err
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.held_passed")
	return seeOther(w, r, heldAt)
}

// heldReason is the field for why something is dropped.
func heldReason(l *Locale) FormField {
	return FormField{Name: "reason", Kind: "textarea", Label: l.T("held.reason"), Hint: l.T("held.reason_hint"), Optional: true, Rows: 2, Max: 1000}
}

func (p *Pages) askDropHeld(h *here, w http.ResponseWriter, r *http.Request) error {
	v, _, err := p.heldByID(r)
	if err != nil {
		return err
	}
	l, at := h.l, heldAt+"/"+digits(v.ID)
	effects := []string{l.T("held.drop_effect")}
	if v.Kind == community.HeldEdit {
		effects = []string{l.T("held.drop_edit_effect")}
	}
	panel := ConfirmPanel{Title: l.T("held.drop_ask", "Name", plainName(v.Author)), Action: at + "/drop", Button: l.T("held.drop"), Cancel: at,
		Effects: append(effects, l.T("held.drop_untold")), Inputs: []FormField{heldReason(l)}}
	return p.render(h, w, http.StatusOK, "confirm", panel.Title, confirmPage{panel})
}

func (p *Pages) dropHeld(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := community.DropHeld(tx, h.me.ID, []int64{id}, r.PostFormValue("reason"))
		return err
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.held_dropped")
	return seeOther(w, r, heldAt)
}

func (p *Pages) askDropHeldOf(h *here, w http.ResponseWriter, r *http.Request) error {
	host := mux.Vars(r)["host"]
	var counts []community.HeldCount
	if err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		counts, err = community.HeldCounts(tx)
		return err
	}); err != nil {
		return err
	}
	n := 0
	for _, c := range counts {
		if c.Peer == host {
			n = c.Count
		}
	}
	if n == 0 {
		return fault.Keyed(fault.NotFound, "held.gone", "This does not wait any more.", nil)
	}
	l, back := h.l, heldAt+"?server="+queryEscape(host)
	panel := ConfirmPanel{Title: l.T("held.drop_all_ask", "Count", n, "Host", host), Action: heldAt + "/of/" + url.PathEscape(host) + "/drop", Button: l.T("held.drop_all", "Host", host), Cancel: back,
		Effects: []string{l.T("held.drop_effect"), l.T("held.drop_untold")}, Inputs: []FormField{heldReason(l)}}
	return p.render(h, w, http.StatusOK, "confirm", panel.Title, confirmPage{panel})
}

func (p *Pages) dropHeldOf(h *here, w http.ResponseWriter, r *http.Request) error {
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := community.DropHeldOf(tx, h.me.ID, mux.Vars(r)["host"], r.PostFormValue("reason"))
		return err
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.held_dropped")
	return seeOther(w, r, heldAt)
}
