package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Peering looks at other servers for whoever decides about connecting with them.
type Peering interface {
	// LookAt reads what a server says of itself that this one is not connected with.
	LookAt(ctx context.Context, host string) (peers.Candidate, error)
	// PictureAt returns where the server of an actor has its picture, and how it is fetched.
	PictureAt(ctx context.Context, actor string) (address string, get media.Getter, err error)
	// Recheck reads anew which key a server has that asks to be connected with.
	Recheck(ctx context.Context, request int64) error
}

const (
	peerRequestsPath = "/admin/peers/requests"
	askPeerPath      = "/admin/peers/requests/new"
	peerPicturePath  = "/admin/peers/requests/picture"
	// codeCookie carries the code of a new invitation over the redirect that
	// follows, to be shown once: the database keeps a digest only.
	codeCookie = "chalkring_peer_code"
)

// peerRequestRoutes mounts the pages about requests to connect.
func (p *Pages) peerRequestRoutes(get, post func(path string, may func(community.Role) bool, h handler)) {
	connections := community.Role.MayManagePeers
	get(peerRequestsPath, connections, p.peerRequests)
	get(askPeerPath, connections, p.askPeerForm)
	get(peerPicturePath, connections, p.peerPicture)
	post(askPeerPath, connections, p.askPeerToConnect)
	post(peerRequestsPath+"/{id:[0-9]+}/accept", connections, p.acceptPeer)
	get(peerRequestsPath+"/{id:[0-9]+}/{deed:reject|withdraw}", connections, p.askEndRequest)
	post(peerRequestsPath+"/{id:[0-9]+}/{deed:reject|withdraw}", connections, p.endRequest)
	post("/admin/peers/invitations", connections, p.invitePeer)
	post("/admin/peers/invitations/{id:[0-9]+}/revoke", connections, p.uninvitePeer)
}

// peerRequestsPage is who asks to connect, whom this server has asked, who is
// invited, and what became of it all.
type peerRequestsPage struct {
	Head  PageHead
	Tabs  Tabs
	Parts Tabs
	requestParts
	Code    string // of the invitation just made
	CodeFor string
	Errors  ErrorSummary
	Fields  []FormField
}

// requestParts are the parts of the page that follow what happens while it is
// open.
type requestParts struct {
	Asking  []askingCard
	Asked   []peerRequestRow
	Past    []peerRequestRow
	Later   bool // Past is not the newest of them: it stays as it is
	Pager   Pager
	Invites []peerInviteRow
	Empty   EmptyState
}

// askingCard is a server that waits for an answer of this one.
type askingCard struct {
	ID      string
	Told    string // what is said of it when it appears on a page that is open
	School  SchoolView
	Purpose string
	Phrase  string
	Notes   []string // what is odd about it
	Facts   []Fact
	At      time.Time
	Accept  string // where the form leads
	Key     string // that the words were made of which are shown
	Preset  FormField
	Reject  Action
}

// peerRequestRow is another request in a list.
type peerRequestRow struct {
	ID     string
	Told   string // as of an askingCard
	School SchoolView
	Words  string
	Detail string
	Phrase string
	State  State
	At     time.Time
	Acts   []Action
}

// peerInviteRow is an invitation in a list.
type peerInviteRow struct {
	ID     string
	Told   string // as of an askingCard
	School SchoolView
	Words  string
	State  State
	At     time.Time
	Revoke *Action
}

func (p *Pages) peerRequests(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showPeerRequests(h, w, r, nil)
}

func (p *Pages) showPeerRequests(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	parts, err := p.requestParts(r.Context(), h, pageOf(r))
	if err != nil {
		return err
	}
	l := h.l
	h.frame.Live = liveRequests
	view := peerRequestsPage{requestParts: parts,
		Head: PageHead{Title: l.T("asking.title"), Lead: l.T("asking.lead"), Actions: []Action{{Words: l.T("asking.ask"), Icon: "send", URL: askPeerPath, Main: true}}},
		Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, peerRequestsPath),
		Fields: []FormField{
			{Name: "host", Label: l.T("asking.invite_host"), Hint: l.T("asking.invite_host_hint"), Value: r.PostFormValue("host"), Required: true, Code: true, Max: 300, Autocomplete: "off"},
			askedPresetField(l, r.PostFormValue("preset"), ""),
			{Name: "note", Label: l.T("asking.invite_note"), Value: r.PostFormValue("note"), Optional: true, Max: peers.MaxPurpose}},
	}
	if c, err := r.Cookie(codeCookie); err == nil && r.Method == http.MethodGet && c.Value != "" {
		view.CodeFor, view.Code, _ = strings.Cut(c.Value, "/")
		http.SetCookie(w, p.codeCookie("", -1))
		w.Header().Set("Cache-Control", "no-store")
	}
	var status int
	view.Errors, status = blameFields(l, view.Fields, problem)
	return p.render(h, w, status, "admin_peer_requests", view.Head.Title, view)
}

// requestParts reads what there is of requests and invitations.
func (p *Pages) requestParts(ctx context.Context, h *here, page store.Page) (requestParts, error) {
	var asking, asked, past []peers.Request
	var invites []peers.Invitation
	err := p.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if asking, err = peers.WaitingRequests(tx, peers.In); err != nil {
			return err
		}
		if asked, err = peers.WaitingRequests(tx, peers.Out); err != nil {
			return err
		}
		if past, err = peers.PastRequests(tx, page); err != nil {
			return err
		}
		invites, err = peers.Invitations(tx, store.Page{Limit: 20})
		return err
	})
	if err != nil {
		return requestParts{}, err
	}
	l := h.l
	view := requestParts{Later: page.MaxID > 0 || page.MinID > 0,
		Empty: EmptyState{Icon: "waypoints", Title: l.T("asking.none"), Words: l.T("asking.none_words")}}
	for _, one := range asking {
		view.Asking = append(view.Asking, p.askingCard(h, one))
	}
	for _, one := range asked {
		view.Asked = append(view.Asked, p.peerRequestRow(h, one))
	}
	for _, one := range past {
		view.Past = append(view.Past, p.peerRequestRow(h, one))
	}
	if n := len(past); n > 0 {
		view.Pager = pager(&http.Request{URL: &url.URL{Path: peerRequestsPath}}, page, n, past[0].ID, past[n-1].ID)
	}
	for _, i := range invites {
		row := peerInviteRow{ID: "invite-" + digits(i.ID), School: p.school(h, i.Host, ""), Words: l.T("asking.invite_words", "Preset", presetWords(l, i.Preset), "Date", l.Moment(i.ExpiresAt)), At: i.CreatedAt}
		switch {
		case i.UsedAt != nil:
			row.State = State{Tone: "good", Icon: "circle-check", Words: l.T("asking.invite_used")}
		case i.RevokedAt != nil:
			row.State = State{Tone: "quiet", Icon: "x", Words: l.T("asking.invite_revoked")}
		case !i.Open(p.Now()):
			row.State = State{Tone: "quiet", Icon: "clock", Words: l.T("asking.invite_over")}
		default:
			row.State = State{Tone: "wait", Icon: "clock", Words: l.T("asking.invite_open")}
			row.Revoke = &Action{Words: l.T("asking.invite_revoke"), Icon: "x", URL: "/admin/peers/invitations/" + digits(i.ID) + "/revoke", Post: true, Danger: true}
		}
		row.Told = l.T("live.invite_state", "Host", i.Host, "State", row.State.Words)
		view.Invites = append(view.Invites, row)
	}
	return view, nil
}

// askedPresetField asks what will hold for a server.
func askedPresetField(l *Locale, chosen, software string) FormField {
	if chosen == "" {
		chosen = string(peers.PresetNetwork)
	}
	f := FormField{Name: "preset", Kind: "select", Label: l.T("asking.preset"), Hint: l.T("asking.preset_hint")}
	if peers.Widens(software) {
		f.Hint = l.T("peers.preset_narrowed")
	}
	for _, one := range peers.Presets() {
		f.Options = append(f.Options, Option{Value: string(one), Words: presetWords(l, one), Selected: string(one) == chosen})
	}
	return f
}

// likelyPreset is offered first for a server that asks.
func likelyPreset(r peers.Request) string {
	if r.Preset != peers.PresetNone {
		return string(r.Preset)
	}
	if r.Kind == peers.ByOffer {
		return string(peers.PresetNetwork)
	}
	return string(peers.PresetFriendly)
}

func (p *Pages) askingCard(h *here, r peers.Request) askingCard {
	l, id := h.l, digits(r.ID)
	c := askingCard{ID: "request-" + id, Told: l.T("live.peer_asks", "Name", nameOf(r)), School: p.school(h, r.Host, r.Name), Purpose: r.Purpose, Phrase: r.Phrase, At: r.CreatedAt, Key: r.KeyHash,
		Accept: peerRequestsPath + "/" + id + "/accept", Preset: askedPresetField(l, likelyPreset(r), r.Software),
		Reject: Action{Words: l.T("asking.reject"), Icon: "x", URL: peerRequestsPath + "/" + id + "/reject", Danger: true}}
	if r.KeyChangedAt != nil {
		c.Told = l.T("live.peer_key", "Name", nameOf(r))
		c.Notes = append(c.Notes, l.T("asking.key_changed", "When", l.Ago(*r.KeyChangedAt, p.Now())))
	} else if r.Trouble == "peers.key_changed" {
		c.Notes = append(c.Notes, l.T("asking.key_other"))
	}
	if r.Trouble == "peers.code_unknown" {
		c.Notes = append(c.Notes, l.T("asking.code_unknown"))
	}
	if r.Kind == peers.ByFollow {
		c.Notes = append(c.Notes, l.T("asking.by_follow"))
	}
	c.Facts = []Fact{{Name: l.T("asking.server"), Value: r.Host}}
	if r.Contact != "" {
		c.Facts = append(c.Facts, Fact{Name: l.T("asking.contact"), Value: r.Contact})
	}
	if r.Software != "" {
		c.Facts = append(c.Facts, Fact{Name: l.T("peer.software"), Value: r.Software})
	}
	if words := hintWords(l, r.Hint); words != "" {
		c.Facts = append(c.Facts, Fact{Name: l.T("asking.hint"), Value: words})
	}
	c.Facts = append(c.Facts, Fact{Name: l.T("asking.fingerprint"), Value: peers.Fingerprint(r.KeyHash)},
		Fact{Name: l.T("asking.until"), Value: l.Date(r.ExpiresAt)})
	return c
}

// hintWords says what the other side will do.
func hintWords(l *Locale, hint string) string {
	h := peers.ParseHint(hint)
	var out []string
	if h.Ceiling.Valid() {
		out = append(out, l.T("asking.hint_sends", "Ceiling", ceilingWords(l, h.Ceiling)))
	}
	switch h.Hold {
	case peers.HoldFirst:
		out = append(out, l.T("asking.hint_first"))
	case peers.HoldMedia:
		out = append(out, l.T("asking.hint_media"))
	case peers.HoldLinks:
		out = append(out, l.T("asking.hint_links"))
	case peers.HoldAll:
		out = append(out, l.T("asking.hint_all"))
	}
	return strings.Join(out, " ")
}

// peerRequestRow is a request with its state in words.
func (p *Pages) peerRequestRow(h *here, r peers.Request) peerRequestRow {
	l, id := h.l, digits(r.ID)
	row := peerRequestRow{ID: "request-" + id, School: p.school(h, r.Host, r.Name), State: requestState(l, r, p.Now()), At: r.CreatedAt, Detail: r.Answer}
	row.Words = l.T("asking.out_words")
	if r.Direction == peers.In {
		row.Words = l.T("asking.in_words")
	}
	if words := hintWords(l, r.Hint); words != "" && r.Connected() {
		row.Detail = strings.TrimSpace(row.Detail + " " + words)
	}
	if r.Direction == peers.Out && r.Waits(p.Now()) {
		row.Phrase = r.Phrase
		row.Words = l.T("asking.out_until", "Date", l.Date(r.ExpiresAt))
		row.Acts = []Action{{Words: l.T("asking.withdraw"), Icon: "x", URL: peerRequestsPath + "/" + id + "/withdraw", Danger: true}}
		switch {
		case r.KeyChangedAt != nil:
			row.Detail = l.T("asking.answer_key")
		case r.DeliveredAt == nil && r.Trouble != "":
			row.Detail = l.T("asking.not_yet", "Reason", troubleWords(l, r.Trouble))
		}
	}
	if r.State == peers.RequestFailed {
		row.Detail = troubleWords(l, r.Trouble)
	}
	if words := answerWords(l, r); words != "" {
		row.Detail = strings.TrimSpace(row.Detail + " " + words)
	}
	row.Told = strings.TrimSpace(l.T("live.peer_state", "Name", nameOf(r), "State", row.State.Words) + " " + row.Detail)
	return row
}

// nameOf is what a server that asks, or was asked, is called here.
func nameOf(r peers.Request) string {
	if r.Name != "" {
		return r.Name
	}
	return r.Host
}

// answerWords say whether the other side has this one's answer.
func answerWords(l *Locale, r peers.Request) string {
	switch {
	case r.Direction != peers.In || !r.Connected() && r.State != peers.RequestRejected:
		return ""
	case strings.HasPrefix(r.Trouble, "delivery."):
		return l.T("asking.answer_missing", "Reason", troubleWords(l, r.Trouble))
	case r.DeliveredAt != nil:
		return l.T("asking.answer_there")
	case r.Connected():
		return l.T("asking.answer_leaves")
	}
	return "" // rejected because it was blocked: nothing is said
}

// troubleWords says why a request is not taken.
func troubleWords(l *Locale, why string) string {
	switch why {
	case "delivery.gone":
		return l.T("asking.trouble_gone")
	case "delivery.not_admitted_there", "delivery.refused":
		return l.T("asking.trouble_refused")
	case "delivery.unreachable", "delivery.timeout", "delivery.private_address", "delivery.redirect", "delivery.no_answer":
		return l.T("asking.trouble_silent")
	}
	return l.T("asking.trouble_busy")
}

// requestState says what became of a request.
func requestState(l *Locale, r peers.Request, now time.Time) State {
	switch {
	case r.Waits(now) && r.Direction == peers.Out && r.DeliveredAt == nil:
		return State{Tone: "wait", Icon: "clock", Words: l.T("asking.is_sending")}
	case r.Waits(now):
		return State{Tone: "wait", Icon: "clock", Words: l.T("asking.is_waiting")}
	}
	switch r.State {
	case peers.RequestAccepted:
		return State{Tone: "good", Icon: "circle-check", Words: l.T("asking.is_accepted")}
	case peers.RequestTrial:
		return State{Tone: "good", Icon: "circle-check", Words: l.T("asking.is_trial")}
	case peers.RequestRejected:
		return State{Tone: "bad", Icon: "x", Words: l.T("asking.is_rejected")}
	case peers.RequestWithdrawn:
		return State{Tone: "quiet", Icon: "x", Words: l.T("asking.is_withdrawn")}
	case peers.RequestFailed:
		return State{Tone: "bad", Icon: "circle-alert", Words: l.T("asking.is_failed")}
	case peers.RequestEnded:
		return State{Tone: "bad", Icon: "circle-alert", Words: l.T("asking.is_ended")}
	}
	return State{Tone: "quiet", Icon: "clock", Words: l.T("asking.is_expired")}
}

// askPeerPage asks which server to ask, and then shows it before it is asked.
type askPeerPage struct {
	Head    PageHead
	Tabs    Tabs
	Parts   Tabs
	Errors  ErrorSummary
	School  *SchoolView // the server that was looked at
	Facts   []Fact
	Phrase  string
	Notes   []string
	Instead *Action
	Hidden  map[string]string
	Fields  []FormField
	Submit  string
}

func (p *Pages) askPeerForm(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showAskPeer(h, w, r, nil, nil)
}

func (p *Pages) showAskPeer(h *here, w http.ResponseWriter, r *http.Request, seen *peers.Candidate, problem *fault.Error) error {
	l := h.l
	view := askPeerPage{Head: PageHead{Title: l.T("asking.ask"), Lead: l.T("asking.ask_lead"), Back: &Link{Words: l.T("asking.title"), URL: peerRequestsPath}},
		Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, peerRequestsPath), Submit: l.T("asking.look")}
	host := FormField{Name: "host", Label: l.T("peers.host"), Hint: l.T("asking.host_hint"), Value: r.FormValue("host"), Required: true, Code: true, Max: 300, Autocomplete: "off"}
	if seen == nil {
		view.Fields = []FormField{host}
	} else {
		school := p.school(h, seen.Host, seen.Name)
		if seen.Picture != "" {
			school.Mark.Src = peerPicturePath + "?" + url.Values{"actor": {seen.ActorURI}}.Encode()
		}
		view.School, view.Phrase = &school, seen.Phrase
		view.Facts = []Fact{{Name: l.T("asking.server"), Value: seen.Host}}
		if seen.Software != "" {
			view.Facts = append(view.Facts, Fact{Name: l.T("peer.software"), Value: seen.Software})
		}
		if seen.KeyHash != "" {
			view.Facts = append(view.Facts, Fact{Name: l.T("asking.fingerprint"), Value: peers.Fingerprint(seen.KeyHash)})
		}
		switch {
		case seen.ActorURI == "":
			view.Notes = []string{l.T("asking.no_actor")}
		case !seen.Understood:
			view.Notes = []string{l.T("asking.not_understood")}
		}
		if !seen.Understood {
			view.Instead = &Action{Words: l.T("asking.allow_instead"), Icon: "circle-check", URL: peerPath(seen.Host) + "/allow"}
		}
		if seen.ActorURI != "" {
			contact := r.PostFormValue("contact")
			if contact == "" && r.PostFormValue("step") != "ask" {
				contact = h.school.Contact
			}
			view.Hidden = map[string]string{"step": "ask", "host": seen.Host, "key": seen.KeyHash}
			view.Submit = l.T("asking.send")
			view.Fields = []FormField{
				{Name: "purpose", Kind: "textarea", Label: l.T("asking.purpose"), Hint: l.T("asking.purpose_hint"), Value: r.PostFormValue("purpose"), Required: true, Rows: 3, Max: peers.MaxPurpose},
				{Name: "contact", Label: l.T("asking.contact_here"), Hint: l.T("asking.contact_hint"), Value: contact, Required: true, Max: peers.MaxContact},
				askedPresetField(l, r.PostFormValue("preset"), seen.Software),
				{Name: "code", Label: l.T("asking.code"), Hint: l.T("asking.code_hint"), Value: r.PostFormValue("code"), Optional: true, Code: true, Max: 100, Autocomplete: "off"}}
		}
	}
	var status int
	view.Errors, status = blameFields(l, view.Fields, problem)
	return p.render(h, w, status, "admin_peer_ask", view.Head.Title, view)
}

// peerPicture serves our copy of the picture of a server that is looked at.
func (p *Pages) peerPicture(_ *here, w http.ResponseWriter, r *http.Request) error {
	if p.Peering == nil {
		return noPicture()
	}
	address, get, err := p.Peering.PictureAt(r.Context(), r.FormValue("actor"))
	if err != nil {
		return hidden(err)
	}
	if address == "" {
		return noPicture()
	}
	f, err := p.Library.FetchRemote(r.Context(), address, media.Portrait, get)
	if err != nil {
		return err
	}
	media.Serve(w, r, f, false)
	return nil
}

// askPeerToConnect looks at a server and shows it; sent a second time, with what
// was seen, it asks.
func (p *Pages) askPeerToConnect(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	if p.Peering == nil {
		return fault.Keyed(fault.Unavailable, "asking.no_look", "This server cannot look at others.", nil)
	}
	seen, err := p.Peering.LookAt(r.Context(), r.PostFormValue("host"))
	if problem := mended(err); problem != nil {
		return p.showAskPeer(h, w, r, nil, problem)
	} else if err != nil {
		return err
	}
	if r.PostFormValue("step") != "ask" {
		return p.showAskPeer(h, w, r, &seen, nil)
	}
	if r.PostFormValue("key") != seen.KeyHash {
		return p.showAskPeer(h, w, r, &seen, fault.Keyed(fault.Conflict, "peers.key_changed_now",
			"The key of this server has changed since you looked, and with it the six words. Compare them with the people there before you go on.", map[string]any{"Host": seen.Host}))
	}
	form := peers.Form{Purpose: r.PostFormValue("purpose"), Contact: r.PostFormValue("contact"), Preset: peers.Preset(r.PostFormValue("preset")), Code: r.PostFormValue("code")}
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := peers.Ask(tx, h.me.ID, seen, form)
		return err
	})
	if problem := mended(err); problem != nil {
		return p.showAskPeer(h, w, r, &seen, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.peer_asked", "Host", seen.Host)
	return seeOther(w, r, peerRequestsPath)
}

// requestOf is the request in the address.
func requestOf(tx *store.Tx, r *http.Request) (peers.Request, error) {
	id, err := idOf(r)
	if err != nil {
		return peers.Request{}, err
	}
	return peers.RequestByID(tx, id)
}

// acceptPeer connects with a server that asks, if it still is the one that was
// shown.
func (p *Pages) acceptPeer(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	if p.Peering == nil {
		return fault.Keyed(fault.Unavailable, "asking.no_look", "This server cannot look at others.", nil)
	}
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var request peers.Request
	if err = p.Peering.Recheck(r.Context(), id); err == nil {
		err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
			request, err = peers.Accept(tx, h.me.ID, id, peers.Acceptance{Preset: peers.Preset(r.PostFormValue("preset")), KeyHash: r.PostFormValue("key")})
			return err
		})
	}
	if problem := mended(err); problem != nil {
		return p.showPeerRequests(h, w, r, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.peer_accepted", "Host", request.Host)
	return seeOther(w, r, peerRequestsPath)
}

func (p *Pages) askEndRequest(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.confirmEndRequest(h, w, r, nil)
}

// confirmEndRequest asks before a request is rejected or withdrawn.
func (p *Pages) confirmEndRequest(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	var request peers.Request
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		request, err = requestOf(tx, r)
		return err
	})
	if err != nil {
		return err
	}
	l, deed := h.l, mux.Vars(r)["deed"]
	h.frame.Live = liveRequest + digits(request.ID)
	if problem == nil && !request.MayEnd(p.Now()) {
		panel := p.overPanel(h, request)
		panel.Told = "" // the page says it
		return p.confirm(h, w, "/admin/peers", panel, nil)
	}
	panel := ConfirmPanel{ID: overID, Action: peerRequestsPath + "/" + digits(request.ID) + "/" + deed, Cancel: peerRequestsPath,
		Inputs: []FormField{{Name: "reason", Kind: "textarea", Label: l.T("asking.why"), Hint: l.T("asking.why_hint"), Value: r.PostFormValue("reason"), Optional: true, Rows: 2, Max: peers.MaxPurpose}}}
	if deed == "reject" {
		panel.Title, panel.Button = l.T("asking.reject_title", "Host", request.Host), l.T("asking.reject")
		panel.Effects = []string{l.T("asking.reject_effect"), l.T("asking.reject_again")}
	} else {
		panel.Title, panel.Button = l.T("asking.withdraw_title", "Host", request.Host), l.T("asking.withdraw")
		panel.Effects = []string{l.T("asking.withdraw_effect")}
	}
	return p.confirm(h, w, "/admin/peers", panel, problem)
}

func (p *Pages) endRequest(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	deed := mux.Vars(r)["deed"]
	var request peers.Request
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if request, err = requestOf(tx, r); err != nil {
			return err
		}
		if deed == "reject" {
			request, err = peers.Reject(tx, h.me.ID, request.ID, r.PostFormValue("reason"))
		} else {
			request, err = peers.Withdraw(tx, h.me.ID, request.ID, r.PostFormValue("reason"))
		}
		return err
	})
	if problem := mended(err); problem != nil {
		return p.confirmEndRequest(h, w, r, problem)
	} else if err != nil {
		return err
	}
	if deed == "reject" {
		p.flash(w, "flash.peer_rejected", "Host", request.Host)
	} else {
		p.flash(w, "flash.peer_withdrawn", "Host", request.Host)
	}
	return seeOther(w, r, peerRequestsPath)
}

func (p *Pages) codeCookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: codeCookie, Value: value, Path: "/admin/peers", MaxAge: age, HttpOnly: true,
		Secure: p.site.Scheme == "https", SameSite: http.SameSiteStrictMode}
}

// invitePeer makes an invitation; its code is shown once, on the page that follows.
func (p *Pages) invitePeer(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	var code string
	var made peers.Invitation
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		code, made, err = peers.Invite(tx, h.me.ID, r.PostFormValue("host"), peers.Preset(r.PostFormValue("preset")), r.PostFormValue("note"))
		return err
	})
	if problem := mended(err); problem != nil {
		return p.showPeerRequests(h, w, r, problem)
	} else if err != nil {
		return err
	}
	http.SetCookie(w, p.codeCookie(made.Host+"/"+code, 300))
	return seeOther(w, r, peerRequestsPath)
}

func (p *Pages) uninvitePeer(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return peers.Uninvite(tx, h.me.ID, id) }); err != nil {
		return err
	}
	p.flash(w, "flash.peer_uninvited")
	return seeOther(w, r, peerRequestsPath)
}

// peeringNotice says what a notification about a request to connect tells.
func (p *Pages) peeringNotice(l *Locale, r peers.Request) (icon, words string) {
	args := []any{"Name", nameOf(r), "Host", r.Host}
	switch {
	case r.Direction == peers.In && r.Waits(p.Now()) && r.RemindedAt != nil:
		return "clock", l.T("notification.peering_soon", args...)
	case r.Direction == peers.In && r.Waits(p.Now()):
		return "waypoints", l.T("notification.peering_asks", args...)
	case r.KeyChangedAt != nil && r.State == peers.RequestWaiting:
		return "circle-alert", l.T("notification.peering_key", args...)
	}
	switch r.State {
	case peers.RequestAccepted, peers.RequestTrial:
		return "circle-check", l.T("notification.peering_connected", args...)
	case peers.RequestRejected:
		return "x", l.T("notification.peering_rejected", args...)
	case peers.RequestEnded:
		return "circle-alert", l.T("notification.peering_ended", args...)
	case peers.RequestFailed:
		return "circle-alert", l.T("notification.peering_failed", args...)
	}
	return "waypoints", l.T("notification.peering_over", args...)
}

// peeringLine says what a line of the log about requests tells; "" for others.
func peeringLine(l *Locale, line peers.Line) string {
	switch line.Action {
	case "peer.request":
		return l.T("audit.peer_request", "Host", line.Subject)
	case "peer.requested":
		return l.T("audit.peer_requested", "Host", line.Subject)
	case "peer.accept":
		return l.T("audit.peer_accept", "Host", line.Subject)
	case "peer.reject":
		return l.T("audit.peer_reject", "Host", line.Subject)
	case "peer.withdraw":
		return l.T("audit.peer_withdraw", "Host", line.Subject)
	case "peer.withdrawn":
		return l.T("audit.peer_withdrawn", "Host", line.Subject)
	case "peer.answered":
		if line.After == string(peers.RequestRejected) {
			return l.T("audit.peer_was_rejected", "Host", line.Subject)
		}
		return l.T("audit.peer_was_accepted", "Host", line.Subject)
	case "peer.ended":
		return l.T("audit.peer_ended", "Host", line.Subject)
	case "peer.key_changed":
		return l.T("audit.peer_key", "Host", line.Subject)
	case "peer.request_expired":
		return l.T("audit.peer_expired", "Host", line.Subject)
	case "peer.invite":
		return l.T("audit.peer_invite", "Host", line.Subject)
	case "peer.uninvite":
		return l.T("audit.peer_uninvite", "Host", line.Subject)
	}
	return ""
}

// peerRequestOf is the request that a notification is about, or 0.
func peerRequestOf(n community.Notification) int64 {
	if n.PeerRequestID == nil {
		return 0
	}
	return *n.PeerRequestID
}
