package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

func (p *Pages) listRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodPost) }
	get("/lists", p.members(p.lists))
	get("/lists/new", p.members(p.newList))
	post("/lists", p.members(p.makeList))
	get("/lists/{id:[0-9]+}", p.members(p.listPosts))
	get("/lists/{id:[0-9]+}/edit", p.members(p.editList))
	post("/lists/{id:[0-9]+}/edit", p.members(p.changeList))
	get("/lists/{id:[0-9]+}/remove", p.members(p.askRemoveList))
	post("/lists/{id:[0-9]+}/remove", p.members(p.removeList))
	get("/lists/{id:[0-9]+}/people", p.members(p.listPeople))
	post("/lists/{id:[0-9]+}/people/{deed:add|remove}", p.members(p.changeListPeople))
	get("/accounts/{id:[0-9]+}/lists", p.members(p.listsOfPerson))
	post("/accounts/{id:[0-9]+}/lists", p.members(p.setListsOfPerson))
}

func listPath(id int64) string { return "/lists/" + digits(id) }

// lists shows the reader's lists.
func (p *Pages) lists(h *here, w http.ResponseWriter, r *http.Request) error {
	l := h.l
	var all []community.List
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		all, err = community.ListsOf(tx, h.me.ID)
		return err
	})
	if err != nil {
		return err
	}
	add := Action{Words: l.T("lists.new"), Icon: "plus", URL: "/lists/new", Main: true}
	part := entriesPart{Empty: &EmptyState{Icon: "list", Title: l.T("lists.empty_title"), Words: l.T("lists.empty"), Action: &add}}
	for _, one := range all {
		e := entry{Title: one.Title, URL: listPath(one.ID), Facts: []Fact{{Name: l.T("lists.replies"), Value: repliesWords(l, one.Replies)}},
			Actions: []Action{{Words: l.T("lists.people"), Icon: "users", URL: listPath(one.ID) + "/people"}}, Menu: listMenu(l, one.ID)}
		if one.Exclusive {
			e.Facts = append(e.Facts, Fact{Name: l.T("nav.home"), Value: l.T("lists.not_at_home")})
		}
		part.Entries = append(part.Entries, e)
	}
	view := entriesPage{Head: PageHead{Title: l.T("nav.lists"), Lead: l.T("lists.lead")}, Parts: []entriesPart{part}}
	if len(all) > 0 {
		view.Head.Actions = []Action{add}
	}
	h.frame.Here = Myself
	return p.render(h, w, http.StatusOK, "entries", view.Head.Title, view)
}

func listMenu(l *Locale, id int64) []Action {
	return []Action{{Words: l.T("lists.change"), Icon: "pen-line", URL: listPath(id) + "/edit"},
		{Words: l.T("lists.remove"), Icon: "trash-2", URL: listPath(id) + "/remove", Danger: true}}
}

func repliesWords(l *Locale, r community.ListReplies) string {
	switch r {
	case community.RepliesFollowed:
		return l.T("lists.replies_followed")
	case community.RepliesList:
		return l.T("lists.replies_list")
	}
	return l.T("lists.replies_none")
}

// myList is the list that the address names, if it is the reader's.
func (p *Pages) myList(h *here, r *http.Request) (one community.List, err error) {
	h.frame.Here = Myself
	id, err := idOf(r)
	if err != nil {
		return one, err
	}
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		one, err = community.ListOf(tx, h.me.ID, id)
		return err
	})
	return one, err
}

// listPosts is what the people in a list wrote, live as home is.
func (p *Pages) listPosts(h *here, w http.ResponseWriter, r *http.Request) error {
	one, err := p.myList(h, r)
	if err != nil {
		return err
	}
	l, people := h.l, listPath(one.ID)+"/people"
	h.place = community.FilterHome
	return p.lead(h, w, r, Myself, "list:"+digits(one.ID), feedPage{
		Head: PageHead{Title: one.Title, Back: &Link{Words: l.T("nav.lists"), URL: "/lists"},
			Actions: []Action{{Words: l.T("lists.people"), Icon: "users", URL: people}}, Menu: listMenu(l, one.ID)},
		Feed: Feed{Empty: EmptyState{Icon: "list", Title: l.T("lists.no_posts_title"), Words: l.T("lists.no_posts"),
			Action: &Action{Words: l.T("lists.add_people"), Icon: "user-plus", URL: people, Main: true}}},
	}, func(tx *store.Tx, v community.Viewer, page store.Page) ([]community.Post, error) {
		return community.ListTimeline(tx, v, one.ID, page)
	})
}

// listView is the form of a list; id 0 is a new one.
func (p *Pages) listView(h *here, id int64, f community.ListForm) formPage {
	l := h.l
	h.frame.Here = Myself
	view := formPage{Head: PageHead{Title: l.T("lists.new"), Lead: l.T("lists.lead"), Back: &Link{Words: l.T("nav.lists"), URL: "/lists"}},
		Action: "/lists", Submit: l.T("form.save"), Cancel: "/lists"}
	if id != 0 {
		view.Head.Title, view.Head.Lead, view.Head.Back.URL, view.Action, view.Cancel = l.T("lists.change"), "", listPath(id), listPath(id)+"/edit", listPath(id)
		view.Head.Back.Words = l.T("lists.back")
	}
	replies := FormField{Name: "replies_policy", Kind: "radio", Label: l.T("lists.replies"), Hint: l.T("lists.replies_hint")}
	for _, r := range []community.ListReplies{community.RepliesList, community.RepliesFollowed, community.RepliesNone} {
		replies.Options = append(replies.Options, Option{Value: string(r), Words: repliesWords(l, r), Selected: r == f.Replies})
	}
	view.Parts = []formPart{{Fields: []FormField{
		{Name: "title", Label: l.T("lists.title"), Value: f.Title, Required: true, Max: community.MaxListTitle}, replies,
		{Name: "exclusive", Kind: "checkbox", Label: l.T("lists.exclusive"), Hint: l.T("lists.exclusive_hint"), Checked: f.Exclusive},
	}}}
	return view
}

func listTyped(r *http.Request) (community.ListForm, error) {
	if err := posted(r); err != nil {
		return community.ListForm{}, err
	}
	return community.ListForm{Title: r.PostFormValue("title"), Replies: community.ListReplies(r.PostFormValue("replies_policy")), Exclusive: r.PostFormValue("exclusive") != ""}, nil
}

func (p *Pages) listAgain(h *here, w http.ResponseWriter, id int64, f community.ListForm, err error) error {
	problem := mended(err)
	if problem == nil {
		return err
	}
	for i := range problem.Fields {
		if problem.Fields[i].Name == "base" {
			problem.Fields[i].Name = "title"
		}
	}
	return p.answerWith(h, w, p.listView(h, id, f), problem)
}

func (p *Pages) newList(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.answerWith(h, w, p.listView(h, 0, community.ListForm{Replies: community.RepliesList}), nil)
}

func (p *Pages) makeList(h *here, w http.ResponseWriter, r *http.Request) error {
	f, err := listTyped(r)
	if err != nil {
		return err
	}
	var made community.List
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		made, err = community.CreateList(tx, h.me, f)
		return err
	})
	if err != nil {
		return p.listAgain(h, w, 0, f, err)
	}
	p.flash(w, "flash.list_made")
	return seeOther(w, r, listPath(made.ID)+"/people")
}

func (p *Pages) editList(h *here, w http.ResponseWriter, r *http.Request) error {
	one, err := p.myList(h, r)
	if err != nil {
		return err
	}
	return p.answerWith(h, w, p.listView(h, one.ID, community.ListForm{Title: one.Title, Replies: one.Replies, Exclusive: one.Exclusive}), nil)
}

func (p *Pages) changeList(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	f, err := listTyped(r)
	if err != nil {
		return err
	}
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := community.UpdateList(tx, h.me, id, f)
		return err
	})
	if err != nil {
		return p.listAgain(h, w, id, f, err)
	}
	p.flash(w, "flash.settings_saved")
	return seeOther(w, r, listPath(id))
}

func (p *Pages) askRemoveList(h *here, w http.ResponseWriter, r *http.Request) error {
	one, err := p.myList(h, r)
	if err != nil {
		return err
	}
	var people []int64
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		people, err = community.AllListMembers(tx, one.ID)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	panel := ConfirmPanel{Title: l.T("lists.remove_title", "Title", one.Title), Action: listPath(one.ID) + "/remove", Button: l.T("lists.remove"), Cancel: listPath(one.ID),
		Effects: []string{l.T("lists.remove_people", "Count", len(people))}}
	if one.Exclusive {
		panel.Effects = append(panel.Effects, l.T("lists.remove_exclusive"))
	}
	return p.render(h, w, http.StatusOK, "confirm", panel.Title, confirmPage{panel})
}

func (p *Pages) removeList(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return community.DeleteList(tx, h.me, id) }); err != nil {
		return err
	}
	p.flash(w, "flash.list_removed")
	return seeOther(w, r, "/lists")
}

// listPeoplePage is who stands in a list, and who could.
type listPeoplePage struct {
	Head   PageHead
	Find   FormField
	Action string // where Find is sent
	Found  []PersonCard
	None   string // instead of Found
	People []PersonCard
	Pager  Pager
}

// mostFound is how many people a list's search offers at once.
const mostFound = 20

// listPeople shows who stands in a list. Beside them it offers people whom the
// reader follows: by name, and without one the latest.
func (p *Pages) listPeople(h *here, w http.ResponseWriter, r *http.Request) error {
	one, err := p.myList(h, r)
	if err != nil {
		return err
	}
	l, page, typed, at := h.l, pageOf(r), strings.TrimSpace(r.URL.Query().Get("q")), listPath(one.ID)+"/people"
	view := listPeoplePage{Head: PageHead{Title: l.T("lists.people_of", "Title", one.Title), Back: &Link{Words: l.T("lists.back"), URL: listPath(one.ID)}},
		Find: FormField{Name: "q", Kind: "search", Label: l.T("lists.find"), Hint: l.T("lists.find_hint"), Value: typed, Max: 100, Code: true}, Action: at}
	var cursors []int64
	err = p.DB.Read(r.Context(), func(tx *store.Tx) error {
		members, err := community.ListMembers(tx, one.ID, page)
		if err != nil {
			return err
		}
		var accounts []community.Account
		accounts, cursors = unlisted(members)
		if view.People, err = p.personCards(tx, h, accounts); err != nil {
			return err
		}
		for i, a := range accounts {
			view.People[i].Actions = []Action{{Words: l.T("lists.take_out"), Icon: "x", URL: at + "/remove", Post: true, Fields: map[string]string{"account": digits(a.ID)}}}
		}
		in, err := community.AllListMembers(tx, one.ID)
		if err != nil {
			return err
		}
		var others []community.Account
		if typed == "" {
			followed, err := community.FollowingOf(tx, h.me.ID, store.Page{Limit: store.MaxLimit})
			if err != nil {
				return err
			}
			others, _ = unlisted(followed)
		} else {
			ids, err := community.FindPeople(tx, h.me.ID, typed, true, store.MaxLimit, 0)
			if err != nil {
				return err
			}
			known, err := community.AccountsByID(tx, ids)
			if err != nil {
				return err
			}
			for _, id := range ids {
				others = append(others, known[id])
			}
		}
		others = slices.DeleteFunc(others, func(a community.Account) bool { return a.Gone() || slices.Contains(in, a.ID) })
		others = others[:min(len(others), mostFound)]
		if view.Found, err = p.personCards(tx, h, others); err != nil {
			return err
		}
		for i, a := range others {
			view.Found[i].Actions = []Action{{Words: l.T("lists.put_in"), Icon: "plus", URL: at + "/add", Post: true, Fields: map[string]string{"account": digits(a.ID)}}}
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch {
	case len(view.Found) > 0:
	case typed != "":
		view.None = l.T("lists.found_none")
	default:
		view.None = l.T("lists.followed_none")
	}
	if n := len(cursors); n > 0 {
		view.Pager = pager(r, page, n, cursors[0], cursors[n-1])
	}
	return p.render(h, w, http.StatusOK, "list_people", view.Head.Title, view)
}

func (p *Pages) changeListPeople(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := posted(r); err != nil {
		return err
	}
	account, _ := iri.ParseID(r.PostFormValue("account"))
	deed, done := community.AddToList, "flash.list_added"
	if mux.Vars(r)["deed"] == "remove" {
		deed, done = community.RemoveFromList, "flash.list_taken_out"
	}
	var them community.Account
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if _, err = community.ListOf(tx, h.me.ID, id); err != nil {
			return err
		}
		if them, err = p.known(tx, account); err != nil {
			return err
		}
		return deed(tx, h.me, id, []int64{account})
	})
	if err != nil {
		return err
	}
	p.flash(w, done, "Name", them.Name())
	return p.back(w, r, listPath(id)+"/people")
}

// person is somebody whom the address names, and which of the reader's lists
// they stand in.
func (p *Pages) personInLists(h *here, r *http.Request) (them community.Account, all []community.List, in map[int64]bool, err error) {
	id, err := idOf(r)
	if err != nil {
		return them, nil, nil, err
	}
	in = map[int64]bool{}
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if them, err = p.known(tx, id); err != nil {
			return err
		}
		ties, err := community.Relationship(tx, h.me.ID, []int64{id})
		if err != nil {
			return err
		}
		if id != h.me.ID && ties[0].Following == community.FollowNone {
			return fault.Keyed(fault.NotFound, "list.not_followed", "Only people whom you follow can stand in a list.", nil)
		}
		if all, err = community.ListsOf(tx, h.me.ID); err != nil {
			return err
		}
		with, err := community.ListsWith(tx, h.me.ID, id)
		for _, one := range with {
			in[one.ID] = true
		}
		return err
	})
	return them, all, in, err
}

// listsOfPerson asks which of the reader's lists somebody is to stand in.
func (p *Pages) listsOfPerson(h *here, w http.ResponseWriter, r *http.Request) error {
	them, all, in, err := p.personInLists(h, r)
	if err != nil {
		return err
	}
	l := h.l
	h.frame.Here = People
	back := Link{Words: l.T("lists.back_to", "Name", plainName(them)), URL: personPath(them)}
	if len(all) == 0 {
		view := entriesPage{Head: PageHead{Title: l.T("lists.person", "Name", plainName(them)), Back: &back}, Parts: []entriesPart{{Empty: &EmptyState{Icon: "list",
			Title: l.T("lists.empty_title"), Words: l.T("lists.empty"), Action: &Action{Words: l.T("lists.new"), Icon: "plus", URL: "/lists/new", Main: true}}}}}
		return p.render(h, w, http.StatusOK, "entries", view.Head.Title, view)
	}
	which := FormField{Name: "list", Kind: "checks", Label: l.T("lists.which")}
	for _, one := range all {
		which.Options = append(which.Options, Option{Value: digits(one.ID), Words: one.Title, Selected: in[one.ID]})
	}
	view := formPage{Head: PageHead{Title: l.T("lists.person", "Name", plainName(them)), Back: &back}, Action: "/accounts/" + digits(them.ID) + "/lists",
		Submit: l.T("form.save"), Cancel: personPath(them), Parts: []formPart{{Fields: []FormField{which}}}}
	return p.answerWith(h, w, view, nil)
}

func (p *Pages) setListsOfPerson(h *here, w http.ResponseWriter, r *http.Request) error {
	them, all, in, err := p.personInLists(h, r)
	if err != nil {
		return err
	}
	if err := posted(r); err != nil {
		return err
	}
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		for _, one := range all {
			wanted := slices.Contains(r.PostForm["list"], digits(one.ID))
			var err error
			switch {
			case wanted && !in[one.ID]:
				err = community.AddToList(tx, h.me, one.ID, []int64{them.ID})
			case !wanted && in[one.ID]:
				err = community.RemoveFromList(tx, h.me, one.ID, []int64{them.ID})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.settings_saved")
	return seeOther(w, r, personPath(them))
}
