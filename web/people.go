package web

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

func (p *Pages) peopleRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodPost) }
	get("/people", p.members(p.people))
	get("/search", p.members(p.search))
	get("/follow-requests", p.members(p.followRequests))
	get("/@{handle}", p.open(p.profile))
	get("/@{handle}/followers", p.members(p.followList(community.FollowersOf)))
	get("/@{handle}/following", p.members(p.followList(community.FollowingOf)))
	get("/accounts/{id:[0-9]+}/block", p.members(p.askBlock))
	post("/accounts/{id:[0-9]+}/{deed:follow|unfollow|mute|unmute|block|unblock|remove-follower|accept|reject}", p.members(p.tie))
	get("/about", p.open(p.about))
	get("/about/connections", p.open(p.connections))
	get("/peering", p.open(p.peering))
}

// peoplePage is a list of people.
type peoplePage struct {
	Head   PageHead
	Tabs   *Tabs
	Search *FormField
	People []PersonCard
	Pager  Pager
	Empty  EmptyState
	Note   *AsideCard
}

// people lists colleagues, those whom the reader follows, and people at
// connected schools who want to be found.
func (p *Pages) people(h *here, w http.ResponseWriter, r *http.Request) error {
	l, page, show := h.l, pageOf(r), r.URL.Query().Get("show")
	if show != "following" && show != "connected" {
		show = "school"
	}
	view := peoplePage{Head: PageHead{Title: l.T("nav.people")}, Search: searchField(l, ""), Tabs: &Tabs{Label: l.T("nav.people"), Items: []Tab{
		{Words: h.school.Title(), URL: "/people", Current: show == "school", Count: -1},
		{Words: l.T("people.following"), URL: "/people?show=following", Current: show == "following", Count: -1},
		{Words: l.T("nav.connected"), URL: "/people?show=connected", Current: show == "connected", Count: -1},
	}}}
	var accounts []community.Account
	var cursors []int64
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if show == "following" {
			var listed []community.Listed
			if listed, err = community.FollowingOf(tx, h.me.ID, page); err != nil {
				return err
			}
			accounts, cursors = unlisted(listed)
		} else {
			from := community.Here
			if show == "connected" {
				from = community.Elsewhere
			}
			if accounts, err = community.Directory(tx, h.me.ID, from, "", page); err != nil {
				return err
			}
			for _, a := range accounts {
				cursors = append(cursors, a.ID)
			}
		}
		view.People, err = p.personCards(tx, h, accounts)
		return err
	})
	if err != nil {
		return err
	}
	if n := len(cursors); n > 0 {
		view.Pager = pager(r, page, n, cursors[0], cursors[n-1])
	}
	switch show {
	case "school":
		view.Empty = EmptyState{Icon: "users", Title: l.T("people.alone_title"), Words: l.T("people.alone")}
		if h.user.Role.MayManagePeople() {
			view.Empty.Action = &Action{Words: l.T("people.invite"), Icon: "user-plus", URL: "/admin/invites", Main: true}
		}
	case "following":
		view.Empty = EmptyState{Icon: "user-plus", Title: l.T("people.following_empty_title"), Words: l.T("people.following_empty"),
			Action: &Action{Words: l.T("people.see_colleagues"), Icon: "users", URL: "/people"}}
	case "connected":
		view.Empty = EmptyState{Icon: "waypoints", Title: l.T("people.connected_empty_title"), Words: l.T("people.connected_empty"),
			Action: &Action{Words: l.T("people.search_handle"), Icon: "search", URL: "/search"}}
	}
	h.frame.Here = People
	return p.render(h, w, http.StatusOK, "people", view.Head.Title, view)
}

// unlisted takes accounts and their places in a list apart.
func unlisted(listed []community.Listed) (accounts []community.Account, cursors []int64) {
	for _, each := range listed {
		accounts, cursors = append(accounts, each.Account), append(cursors, each.Cursor)
	}
	return accounts, cursors
}

// personCards shows accounts with what ties the reader to each.
func (p *Pages) personCards(tx *store.Tx, h *here, accounts []community.Account) ([]PersonCard, error) {
	ids := make([]int64, len(accounts))
	byID := make(map[int64]community.Account, len(accounts))
	for i, a := range accounts {
		ids[i], byID[a.ID] = a.ID, a
	}
	schools, err := community.SchoolNames(tx, byID)
	if err != nil {
		return nil, err
	}
	ties, err := community.Relationship(tx, h.me.ID, ids)
	if err != nil {
		return nil, err
	}
	cards := make([]PersonCard, len(accounts))
	for i, a := range accounts {
		cards[i] = PersonCard{Person: p.person(h, a, schools[a.Host]), Bio: text.Excerpt(a.BioHTML, 160), Note: tieNote(h.l, ties[i])}
		cards[i].Actions, _ = p.tieActions(h, a, ties[i])
	}
	return cards, nil
}

// tieNote says what an account is to the reader.
func tieNote(l *Locale, t community.Relation) string {
	switch {
	case t.Blocking:
		return l.T("person.blocked")
	case t.HostBlocked:
		return l.T("person.server_shut")
	case t.FollowedBy == community.FollowAccepted:
		return l.T("person.follows_you")
	case t.FollowedBy == community.FollowRequested:
		return l.T("person.asks")
	case t.Muting:
		return l.T("person.muted")
	}
	return ""
}

// tieActions are what the reader can do about an account: the one thing beside
// it, and the rest in its menu.
func (p *Pages) tieActions(h *here, a community.Account, t community.Relation) (beside, menu []Action) {
	l, at := h.l, "/accounts/"+digits(a.ID)
	if !h.signedIn() {
		return nil, nil
	}
	if a.ID == h.me.ID {
		return []Action{{Words: l.T("person.edit"), Icon: "pen-line", URL: "/settings/profile"}}, nil
	}
	switch {
	case t.HostBlocked:
		return []Action{letInAction(l, a.Host)}, nil
	case t.Blocking:
		return []Action{{Words: l.T("person.unblock"), Icon: "ban", URL: at + "/unblock", Post: true}}, nil
	case t.BlockedBy:
	case t.Following == community.FollowAccepted:
		beside = append(beside, Action{Words: l.T("person.following"), Icon: "check", URL: at + "/unfollow", Post: true, Pressed: true})
	case t.Following == community.FollowRequested:
		beside = append(beside, Action{Words: l.T("person.requested"), Icon: "clock", URL: at + "/unfollow", Post: true, Pressed: true})
	case a.MovedTo != "": // who follows can leave; nobody begins to
	default:
		beside = append(beside, Action{Words: l.T("person.follow"), Icon: "user-plus", URL: at + "/follow", Post: true, Main: true})
	}
	if !t.BlockedBy {
		menu = append(menu, Action{Words: l.T("person.message"), Icon: "messages-square", URL: "/messages/new?to=" + queryEscape(a.Handle(p.site.Host))})
	}
	if t.Following != community.FollowNone {
		menu = append(menu, Action{Words: l.T("person.lists"), Icon: "list", URL: at + "/lists"})
	}
	if t.Muting {
		menu = append(menu, Action{Words: l.T("person.unmute"), Icon: "volume-x", URL: at + "/unmute", Post: true, Pressed: true})
	} else {
		menu = append(menu, Action{Words: l.T("person.mute", "Name", a.Name()), Icon: "volume-x", URL: at + "/mute", Post: true})
	}
	if t.FollowedBy == community.FollowAccepted {
		menu = append(menu, Action{Words: l.T("person.remove_follower"), Icon: "user-x", URL: at + "/remove-follower", Post: true})
	}
	menu = append(menu, Action{Words: l.T("person.block", "Name", a.Name()), Icon: "ban", URL: at + "/block", Danger: true}, reportAction(l, at))
	if !a.Local() {
		menu = append(menu, Action{Words: l.T("servers.shut", "Host", a.Host), Icon: "ban", URL: serversPath + "/shut?host=" + queryEscape(a.Host), Danger: true})
		menu = append(menu, Action{Words: l.T("person.original", "Host", a.Host), Icon: "link", URL: a.Page(p.site)})
	}
	return beside, menu
}

// followList is the list of those who follow somebody, or whom they follow. It
// is shown to themselves only: such a list of a school is a list of its staff.
func (p *Pages) followList(ask func(*store.Tx, int64, store.Page) ([]community.Listed, error)) handler {
	return func(h *here, w http.ResponseWriter, r *http.Request) error {
		if !strings.EqualFold(mux.Vars(r)["handle"], h.me.Username) {
			return fault.Keyed(fault.Forbidden, "people.list_own", "Who follows whom is shown to themselves only.", nil)
		}
		l, page := h.l, pageOf(r)
		view := peoplePage{Head: PageHead{Title: l.T("people.followers"), Lead: l.T("people.list_lead"), Back: &Link{Words: l.T("nav.my_page"), URL: personPath(h.me)}},
			Empty: EmptyState{Icon: "users", Title: l.T("people.followers_empty_title"), Words: l.T("people.followers_empty")}}
		following := strings.HasSuffix(r.URL.Path, "/following")
		if following {
			view.Head.Title = l.T("people.following")
			view.Empty = EmptyState{Icon: "user-plus", Title: l.T("people.following_empty_title"), Words: l.T("people.following_empty")}
		}
		var cursors []int64
		err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
			listed, err := ask(tx, h.me.ID, page)
			if err != nil {
				return err
			}
			var accounts []community.Account
			accounts, cursors = unlisted(listed)
			view.People, err = p.personCards(tx, h, accounts)
			if err != nil || following {
				return err
			}
			for i, a := range accounts {
				view.People[i].Note = ""
				view.People[i].Menu = []Action{{Words: l.T("person.remove_follower"), Icon: "user-x", URL: "/accounts/" + digits(a.ID) + "/remove-follower", Post: true}}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if n := len(cursors); n > 0 {
			view.Pager = pager(r, page, n, cursors[0], cursors[n-1])
		}
		h.frame.Here = Myself
		return p.render(h, w, http.StatusOK, "people", view.Head.Title, view)
	}
}

// followRequests lists who waits for the reader's yes or no.
func (p *Pages) followRequests(h *here, w http.ResponseWriter, r *http.Request) error {
	l, page := h.l, pageOf(r)
	view := peoplePage{Head: PageHead{Title: l.T("requests.title"), Lead: l.T("requests.lead")},
		Empty: EmptyState{Icon: "user-round-check", Title: l.T("requests.empty_title"), Words: l.T("requests.empty")}}
	if !h.me.Locked {
		view.Empty.Words = l.T("requests.empty_open")
	}
	var cursors []int64
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
		listed, err := community.Requests(tx, h.me.ID, page)
		if err != nil {
			return err
		}
		var accounts []community.Account
		accounts, cursors = unlisted(listed)
		view.People, err = p.personCards(tx, h, accounts)
		for i, a := range accounts {
			view.People[i].Note = ""
			view.People[i].Actions = requestActions(l, a.ID)
		}
		return err
	})
	if err != nil {
		return err
	}
	if n := len(cursors); n > 0 {
		view.Pager = pager(r, page, n, cursors[0], cursors[n-1])
	}
	h.frame.Here = Notifications
	return p.render(h, w, http.StatusOK, "people", view.Head.Title, view)
}

// requestActions are the two answers to somebody who asks to follow the reader.
func requestActions(l *Locale, from int64) []Action {
	at := "/accounts/" + digits(from)
	return []Action{{Words: l.T("requests.accept"), Icon: "check", URL: at + "/accept", Post: true, Main: true},
		{Words: l.T("requests.reject"), Icon: "x", URL: at + "/reject", Post: true}}
}

// blockedPage lists whom somebody has blocked and muted, and the servers that
// they shut out.
type blockedPage struct {
	Head    PageHead
	Tabs    *Tabs
	Blocked []PersonCard
	Muted   []PersonCard
	Servers []entry
	More    *Link // the rest of the servers
	Pager   Pager
	Empty   EmptyState
}

// blocked shows all three lists. Those muted are few, and all on the first page;
// servers have a page of their own besides.
func (p *Pages) blocked(h *here, w http.ResponseWriter, r *http.Request) error {
	l, page := h.l, pageOf(r)
	view := blockedPage{Head: PageHead{Title: l.T("nav.settings")}, Tabs: settingsTabs(h, "/settings/blocked"),
		Empty: EmptyState{Icon: "user-x", Title: l.T("blocked.empty_title"), Words: l.T("blocked.empty")}}
	var cursors []int64
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
		blocked, err := community.BlockedBy(tx, h.me.ID, page)
		if err != nil {
			return err
		}
		var accounts []community.Account
		accounts, cursors = unlisted(blocked)
		if view.Blocked, err = p.personCards(tx, h, accounts); err != nil {
			return err
		}
		if page.MaxID > 0 || page.MinID > 0 {
			return nil
		}
		muted, err := community.MutedBy(tx, h.me.ID, store.Page{Limit: store.MaxLimit})
		if err != nil {
			return err
		}
		accounts, _ = unlisted(muted)
		if view.Muted, err = p.personCards(tx, h, accounts); err != nil {
			return err
		}
		hosts, err := community.HostBlocks(tx, h.me.ID, store.Page{})
		if err != nil {
			return err
		}
		view.Servers = serverEntries(l, hosts)
		view.More = &Link{Words: l.T("servers.shut_one"), URL: serversPath}
		if len(hosts) == store.DefaultLimit {
			view.More.Words = l.T("servers.all")
		}
		for i, a := range accounts {
			view.Muted[i].Actions = []Action{{Words: l.T("person.unmute"), Icon: "volume-x", URL: "/accounts/" + digits(a.ID) + "/unmute", Post: true}}
		}
		return err
	})
	if err != nil {
		return err
	}
	if n := len(cursors); n > 0 {
		view.Pager = pager(r, page, n, cursors[0], cursors[n-1])
	}
	return p.render(h, w, http.StatusOK, "blocked", view.Head.Title, view)
}
