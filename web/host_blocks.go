package web

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

const serversPath = "/settings/blocked/servers"

func (p *Pages) hostBlockRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodPost) }
	get(serversPath, p.members(p.shutServers))
	get(serversPath+"/shut", p.members(p.askShutOut))
	post(serversPath+"/shut", p.members(p.shutOut))
	post(serversPath+"/let-in", p.members(p.letIn))
}

func (p *Pages) shutForm(h *here, typed string) *formPage {
	l := h.l
	return &formPage{Action: serversPath + "/shut", Asks: true, Submit: l.T("servers.shut_next"), Parts: []formPart{{Fields: []FormField{
		{Name: "host", Label: l.T("servers.host"), Hint: l.T("servers.host_hint"), Value: typed, Required: true, Code: true, Max: 255}}}}}
}

func serverEntries(l *Locale, hosts []community.HostBlock) []entry {
	entries := make([]entry, 0, len(hosts))
	for _, b := range hosts {
		entries = append(entries, entry{Title: b.Host, Code: true, Facts: []Fact{{Name: l.T("servers.since"), Value: l.Date(b.CreatedAt)}}, Actions: []Action{letInAction(l, b.Host)}})
	}
	return entries
}

func letInAction(l *Locale, host string) Action {
	return Action{Words: l.T("servers.let_in", "Host", host), Icon: "check", URL: serversPath + "/let-in", Post: true, Fields: map[string]string{"host": host}}
}

// shutServers lists the servers that the reader shuts out.
func (p *Pages) shutServers(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.serversPage(h, w, r, "", nil)
}

func (p *Pages) serversPage(h *here, w http.ResponseWriter, r *http.Request, typed string, problem *fault.Error) error {
	l, page := h.l, pageOf(r)
	var hosts []community.HostBlock
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		hosts, err = community.HostBlocks(tx, h.me.ID, page)
		return err
	})
	if err != nil {
		return err
	}
	part := entriesPart{Hint: l.T("servers.hint"), Entries: serverEntries(l, hosts), None: l.T("servers.none"), Form: p.shutForm(h, typed)}
	if n := len(hosts); n > 0 {
		part.Pager = pager(r, page, n, hosts[0].ID, hosts[n-1].ID)
	}
	status := http.StatusOK
	if problem != nil {
		status = problem.Kind.Status()
		part.Form.blame(l, problem)
		part.Form.Errors.Kept = ""
	}
	view := entriesPage{Head: PageHead{Title: l.T("servers.title"), Back: &Link{Words: l.T("settings.blocked"), URL: "/settings/blocked"}}, Parts: []entriesPart{part}}
	h.frame.Here = Myself
	return p.render(h, w, status, "entries", view.Head.Title, view)
}

// askShutOut says what shutting a server out ends before it is done.
func (p *Pages) askShutOut(h *here, w http.ResponseWriter, r *http.Request) error {
	host := strings.TrimSpace(r.URL.Query().Get("host"))
	var ties community.HostBlockTies
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		ties, err = community.HostBlockPreview(tx, h.me.ID, host)
		return err
	})
	if err != nil {
		problem := mended(err)
		if problem == nil {
			return err
		}
		if len(problem.Fields) == 0 {
			problem.Fields = []fault.Field{{Key: problem.Key, Message: problem.Error(), Args: problem.Args}}
		}
		for i := range problem.Fields {
			problem.Fields[i].Name = "host"
		}
		return p.serversPage(h, w, r, host, problem)
	}
	l := h.l
	panel := ConfirmPanel{Title: l.T("servers.shut_title", "Host", host), Action: serversPath + "/shut", Fields: map[string]string{"host": host},
		Button: l.T("servers.shut", "Host", host), Cancel: "/settings/blocked", Effects: []string{l.T("servers.unseen", "Host", host)}}
	if ties.Following > 0 {
		panel.Effects = append(panel.Effects, l.T("servers.ends_following", "Count", ties.Following))
	}
	if ties.Followers > 0 {
		panel.Effects = append(panel.Effects, l.T("servers.ends_followers", "Count", ties.Followers))
	}
	panel.Effects = append(panel.Effects, l.T("servers.alone"))
	h.frame.Here = Myself
	return p.render(h, w, http.StatusOK, "confirm", panel.Title, confirmPage{panel})
}

func (p *Pages) shutOut(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	host := r.PostFormValue("host")
	if err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return community.ShutOut(tx, h.me, host) }); err != nil {
		return err
	}
	p.flash(w, "flash.server_shut", "Host", host)
	return seeOther(w, r, "/settings/blocked")
}

func (p *Pages) letIn(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	host := r.PostFormValue("host")
	if err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return community.LetIn(tx, h.me, host) }); err != nil {
		return err
	}
	p.flash(w, "flash.server_let_in", "Host", host)
	return p.back(w, r, "/settings/blocked")
}
