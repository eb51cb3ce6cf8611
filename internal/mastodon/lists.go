package mastodon

import (
	"net/http"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) listRoutes(r *routes) {
	on := func(method, path string, h http.HandlerFunc) { r.HandleFunc(path, h).Methods(methods(method)...) }
	const list = "/api/v1/lists/{id:[0-9]+}"
	on(http.MethodGet, "/api/v1/lists", a.members("read:lists", a.lists))
	on(http.MethodPost, "/api/v1/lists", a.members("write:lists", a.createList))
	on(http.MethodGet, list, a.members("read:lists", a.list))
	on(http.MethodPut, list, a.members("write:lists", a.updateList))
	on(http.MethodDelete, list, a.members("write:lists", a.deleteList))
	on(http.MethodGet, list+"/accounts", a.members("read:lists", a.listMembers))
	on(http.MethodPost, list+"/accounts", a.members("write:lists", a.changeMembers(community.AddToList)))
	on(http.MethodDelete, list+"/accounts", a.members("write:lists", a.changeMembers(community.RemoveFromList)))
	on(http.MethodGet, "/api/v1/timelines/list/{id:[0-9]+}", a.members("read:lists", a.timeline(loaded(a.listTimeline))))
}

// methods is a method with what may stand for it: whoever may GET may HEAD.
func methods(method string) []string {
	if method == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{method}
}

// List is Mastodon's List entity.
type List struct {
	ID            int64  `json:"id,string"`
	Title         string `json:"title"`
	RepliesPolicy string `json:"replies_policy"`
	Exclusive     bool   `json:"exclusive"`
}

func listOf(l community.List) List {
	return List{ID: l.ID, Title: l.Title, RepliesPolicy: string(l.Replies), Exclusive: l.Exclusive}
}

func listsOf(from []community.List) []List {
	out := make([]List, len(from))
	for i, l := range from {
		out[i] = listOf(l)
	}
	return out
}

// lists answers GET /api/v1/lists.
func (a *API) lists(c *call) (any, error) {
	var lists []community.List
	err := a.read(c, func(tx *store.Tx) (err error) {
		lists, err = community.ListsOf(tx, c.me.ID)
		return err
	})
	return listsOf(lists), err
}

// ownList finds the list in the path, which must be the caller's.
func (c *call) ownList(tx *store.Tx) (community.List, error) {
	id, err := c.idOf("id")
	if err != nil {
		return community.List{}, err
	}
	l, err := community.ListOf(tx, c.me.ID, id)
	if err != nil {
		return l, orNotFound(err)
	}
	return l, nil
}

// list answers GET /api/v1/lists/{id}.
func (a *API) list(c *call) (any, error) {
	var l community.List
	err := a.read(c, func(tx *store.Tx) (err error) {
		l, err = c.ownList(tx)
		return err
	})
	return listOf(l), err
}

// listForm reads what is said of a list; what is not stays as it was.
func (c *call) listForm(was community.List) community.ListForm {
	f := community.ListForm{Title: was.Title, Replies: was.Replies, Exclusive: c.flag("exclusive", was.Exclusive)}
	if c.Has("title") {
		f.Title = c.Get("title")
	}
	if policy := c.Get("replies_policy"); policy != "" {
		f.Replies = community.ListReplies(policy)
	}
	return f
}

// createList answers POST /api/v1/lists.
func (a *API) createList(c *call) (any, error) {
	var l community.List
	err := a.deed(c, func(tx *store.Tx) (err error) {
		l, err = community.CreateList(tx, c.me, c.listForm(community.List{Replies: community.RepliesList}))
		return err
	})
	return listOf(l), err
}

// updateList answers PUT /api/v1/lists/{id}.
func (a *API) updateList(c *call) (any, error) {
	var l community.List
	err := a.deed(c, func(tx *store.Tx) error {
		was, err := c.ownList(tx)
		if err != nil {
			return err
		}
		l, err = community.UpdateList(tx, c.me, was.ID, c.listForm(was))
		return err
	})
	return listOf(l), err
}

// deleteList answers DELETE /api/v1/lists/{id}.
func (a *API) deleteList(c *call) (any, error) {
	return none, a.deed(c, func(tx *store.Tx) error {
		l, err := c.ownList(tx)
		if err != nil {
			return err
		}
		return community.DeleteList(tx, c.me, l.ID)
	})
}

// listMembers answers GET /api/v1/lists/{id}/accounts. A limit of 0 asks for
// everybody at once.
func (a *API) listMembers(c *call) (any, error) {
	page := c.page(40, 80)
	out := []Account{}
	err := a.read(c, func(tx *store.Tx) error {
		l, err := c.ownList(tx)
		if err != nil {
			return err
		}
		if c.Get("limit") == "0" {
			ids, err := community.AllListMembers(tx, l.ID)
			if err != nil {
				return err
			}
			out, err = a.accounts(tx, c, ids)
			return err
		}
		members, err := community.ListMembers(tx, l.ID, page)
		if err != nil {
			return err
		}
		ids := make([]int64, len(members))
		for i, m := range members {
			ids[i] = m.ID
		}
		if n := len(members); n > 0 {
			a.link(c, page, n, members[0].Cursor, members[n-1].Cursor)
		}
		out, err = a.accounts(tx, c, ids)
		return err
	})
	return out, err
}

// changeMembers answers POST and DELETE /api/v1/lists/{id}/accounts.
func (a *API) changeMembers(deed func(tx *store.Tx, me community.Account, list int64, people []int64) error) endpoint {
	return func(c *call) (any, error) {
		return none, a.deed(c, func(tx *store.Tx) error {
			l, err := c.ownList(tx)
			if err != nil {
				return err
			}
			return deed(tx, c.me, l.ID, c.ids("account_ids"))
		})
	}
}

// listsWith answers GET /api/v1/accounts/{id}/lists.
func (a *API) listsWith(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	var lists []community.List
	err = a.read(c, func(tx *store.Tx) error {
		acc, err := community.AccountByID(tx, id)
		if err == nil {
			err = c.meets(tx, acc)
		}
		if err != nil {
			return orNotFound(err)
		}
		lists, err = community.ListsWith(tx, c.me.ID, id)
		return err
	})
	return listsOf(lists), err
}

func (a *API) listTimeline(tx *store.Tx, c *call, page store.Page) ([]community.Post, error) {
	l, err := c.ownList(tx)
	if err != nil {
		return nil, err
	}
	return community.ListTimeline(tx, c.viewer, l.ID, page)
}
