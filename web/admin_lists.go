package web

import (
	"net/http"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// listsAt is where the pages about lists of servers begin.
const listsAt = "/admin/peers/lists"

// listPagesRoutes mounts the pages about lists of servers.
func (p *Pages) listPagesRoutes(get, post func(path string, may func(community.Role) bool, h handler)) {
	may := community.Role.MayManagePeers
	get(listsAt, may, p.serverLists)
	get(listsAt+"/follow", may, p.followListForm)
	post(listsAt+"/follow", may, p.followServerList)
	get(listsAt+"/excludes", may, p.excludes)
	post(listsAt+"/excludes", may, p.exclude)
	post(listsAt+"/excludes/{host}/end", may, p.include)
	get(listsAt+"/drafts", may, p.drafts)
	get(listsAt+"/drafts/{deed:accept|reject}", may, p.askDrafts)
	post(listsAt+"/drafts/{deed:accept|reject}", may, p.decideDrafts)
	post(listsAt+"/drafts/{id:[0-9]+}/{deed:accept|reject|undo}", may, p.decideDraft)
	get(listsAt+"/followed/{id:[0-9]+}", may, p.subscription)
	post(listsAt+"/followed/{id:[0-9]+}", may, p.setSubscription)
	get(listsAt+"/followed/{id:[0-9]+}/end", may, p.askUnsubscribe)
	post(listsAt+"/followed/{id:[0-9]+}/{deed:end|key|let|look|stop|go_on}", may, p.decideSubscription)
	get(listsAt+"/new", may, p.newListForm)
	post(listsAt+"/new", may, p.newServerList)
	const ours = listsAt + "/ours/{path:[a-z0-9-]+}"
	get(ours, may, p.publishedList)
	post(ours, may, p.setPublishedList)
	post(ours+"/add", may, p.addToList)
	get(ours+"/{deed:drop|unpublish}", may, p.askPublished)
	post(ours+"/{deed:publish|unpublish|drop|link}", may, p.decidePublished)
	get(ours+"/{deed:retract|emergency|over}", may, p.askEntry)
	post(ours+"/{deed:retract|emergency|over}", may, p.decideEntry)
}

// serverListsPage shows the lists that are followed and those that are given out.
type serverListsPage struct {
	Head     PageHead
	Tabs     Tabs
	Parts    Tabs
	Decide   []Action
	Followed []listRow
	Ours     []listRow
	None     EmptyState // no list of either kind
	Undo     Link
	Excluded Link
}

// listRow is a list among others.
type listRow struct {
	Name, URL, Host string
	State           State
	What            string
	Detail          string
	Error           string
}

func (p *Pages) serverLists(h *here, w http.ResponseWriter, r *http.Request) error {
	var subs []peers.Subscription
	var ours []peers.PublishedList
	var counts []peers.DraftCount
	var on map[int64]peers.ListCount
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if subs, err = peers.Subscriptions(tx); err != nil {
			return err
		}
		if ours, err = peers.PublishedLists(tx); err != nil {
			return err
		}
		if counts, err = peers.CountDrafts(tx); err != nil {
			return err
		}
		on, err = peers.CountLists(tx)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	view := serverListsPage{
		Head: PageHead{Title: l.T("peerlist.title"), Lead: l.T("peerlist.lead"), Actions: []Action{
			{Words: l.T("peerlist.follow"), Icon: "plus", URL: listsAt + "/follow", Main: true},
			{Words: l.T("peerlist.make"), Icon: "list", URL: listsAt + "/new"}}},
		Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, listsAt), Decide: listDecisions(l, subs, counts),
		None:     EmptyState{Icon: "list", Title: l.T("peerlist.none"), Words: l.T("peerlist.none_words")},
		Undo:     Link{Words: l.T("peerlist.done_link"), URL: listsAt + "/drafts?show=done"},
		Excluded: Link{Words: l.T("peerlist.excludes"), URL: listsAt + "/excludes"},
	}
	waiting := map[int64]int{}
	for _, c := range counts {
		waiting[c.SubID] += c.N
	}
	for _, s := range subs {
		row := listRow{Name: s.Title(), Host: s.Host, URL: subPath(s.ID), State: p.subState(l, s), What: l.T("peerlist.servers", "Count", int(s.Entries)), Error: listError(l, s)}
		if n := waiting[s.ID]; n > 0 {
			row.What += " · " + l.T("peerlist.waiting", "Count", n)
		}
		if s.OKAt != nil {
			row.Detail = l.T("peerlist.looked", "When", l.Ago(*s.OKAt, p.Now()))
		}
		view.Followed = append(view.Followed, row)
	}
	for _, one := range ours {
		c := on[one.ID]
		row := listRow{Name: one.Name, Host: p.site.Host + "/peering/lists/" + one.Path, URL: publishedPath(one.Path), State: publishedState(l, one, c),
			What: l.T("peerlist.servers", "Count", c.Entries), Detail: l.T("peerlist.readers", "Count", c.Readers)}
		view.Ours = append(view.Ours, row)
	}
	return p.render(h, w, http.StatusOK, "admin_lists", view.Head.Title, view)
}

// listDecisions is what waits for a decision about lists, as links.
func listDecisions(l *Locale, subs []peers.Subscription, counts []peers.DraftCount) []Action {
	var all []Action
	for _, s := range subs {
		switch {
		case s.State == peers.SubConfirm:
			all = append(all, Action{Words: l.T("peerlist.decide_key", "Name", s.Title()), Icon: "shield", URL: subPath(s.ID)})
		case s.State == peers.SubStopped && s.Why == peers.StopKey:
			all = append(all, Action{Words: l.T("peerlist.decide_new_key", "Name", s.Title()), Icon: "triangle-alert", URL: subPath(s.ID)})
		case s.State == peers.SubStopped && s.Why == peers.StopMass:
			all = append(all, Action{Words: l.T("peerlist.decide_mass", "Name", s.Title()), Icon: "triangle-alert", URL: subPath(s.ID)})
		}
	}
	open := 0
	for _, c := range counts {
		if c.State != peers.DraftAccepting {
			open += c.N
		}
	}
	if open > 0 {
		all = append(all, Action{Words: l.T("peerlist.decide_drafts", "Count", open), Icon: "list", URL: listsAt + "/drafts"})
	}
	return all
}

func subPath(id int64) string { return listsAt + "/followed/" + digits(id) }

func publishedPath(path string) string { return listsAt + "/ours/" + path }

func publishedState(l *Locale, one peers.PublishedList, c peers.ListCount) State {
	switch {
	case !one.Live:
		return State{Tone: "quiet", Icon: "eye", Words: l.T("peerlist.is_unpublished")}
	case c.Emergencies > 0:
		return State{Tone: "bad", Icon: "triangle-alert", Words: l.T("peerlist.emergencies", "Count", c.Emergencies)}
	}
	return State{Tone: "good", Icon: "circle-check", Words: visibilityWords(l, one.Visibility)}
}

func visibilityWords(l *Locale, v peers.Visibility) string {
	switch v {
	case peers.VisiblePublic:
		return l.T("peerlist.visible_public")
	case peers.VisibleLink:
		return l.T("peerlist.visible_link")
	}
	return l.T("peerlist.visible_peers")
}

func listsBack(l *Locale) *Link { return &Link{Words: l.T("peerlist.title"), URL: listsAt} }

// listsToDecide is what an administrator is led to about lists: what waits for
// a decision, or, where there is neither a connection nor a list, a beginning.
func listsToDecide(l *Locale, tx *store.Tx) ([]Action, error) {
	subs, err := peers.Subscriptions(tx)
	if err != nil {
		return nil, err
	}
	if len(subs) == 0 {
		alone, err := peers.Alone(tx)
		if alone {
			return []Action{{Words: l.T("peerlist.setup"), Icon: "list", URL: listsAt + "/follow"}}, err
		}
		return nil, err
	}
	counts, err := peers.CountDrafts(tx)
	return listDecisions(l, subs, counts), err
}

// listDecided says what was decided about lists, or "".
func listDecided(l *Locale, line peers.Line) string {
	switch line.Action {
	case "list.make":
		return l.T("audit.list_make", "Subject", line.Subject)
	case "list.change":
		return l.T("audit.list_change", "Subject", line.Subject)
	case "list.publish":
		return l.T("audit.list_publish", "Subject", line.Subject)
	case "list.unpublish":
		return l.T("audit.list_unpublish", "Subject", line.Subject)
	case "list.drop":
		return l.T("audit.list_drop", "Subject", line.Subject)
	case "list.link":
		return l.T("audit.list_link", "Subject", line.Subject)
	case "list.add":
		return l.T("audit.list_add", "Subject", line.Subject)
	case "list.retract":
		return l.T("audit.list_retract", "Subject", line.Subject)
	case "list.emergency":
		return l.T("audit.list_emergency", "Subject", line.Subject)
	case "list.over":
		return l.T("audit.list_over", "Subject", line.Subject)
	case "subscription.make":
		return l.T("audit.sub_make", "Subject", line.Subject)
	case "subscription.change":
		return l.T("audit.sub_change", "Subject", line.Subject)
	case "subscription.key":
		return l.T("audit.sub_key", "Subject", line.Subject)
	case "subscription.key_changed":
		return l.T("audit.sub_key_changed", "Subject", line.Subject)
	case "subscription.mass":
		return l.T("audit.sub_mass", "Subject", line.Subject)
	case "subscription.let":
		return l.T("audit.sub_let", "Subject", line.Subject)
	case "subscription.stop":
		return l.T("audit.sub_stop", "Subject", line.Subject)
	case "subscription.go_on":
		return l.T("audit.sub_go_on", "Subject", line.Subject)
	case "subscription.end":
		return l.T("audit.sub_end", "Subject", line.Subject)
	case "draft.reject":
		return l.T("audit.draft_reject", "Subject", line.Subject)
	case "draft.accept_all":
		return l.T("audit.draft_accept_all", "Subject", line.Subject)
	case "draft.reject_all":
		return l.T("audit.draft_reject_all", "Subject", line.Subject)
	case "peerlist.exclude":
		return l.T("audit.exclude", "Subject", line.Subject)
	case "peerlist.include":
		return l.T("audit.include", "Subject", line.Subject)
	case "peer.undo":
		return l.T("audit.undo", "Subject", line.Subject)
	}
	return ""
}
