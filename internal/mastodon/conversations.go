package mastodon

import (
	"net/http"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) conversationRoutes(r *routes) {
	on := func(method, path string, h http.HandlerFunc) {
		r.HandleFunc("/api/v1/conversations"+path, h).Methods(method)
	}
	on(http.MethodGet, "", a.members("read:statuses", a.conversations))
	on(http.MethodDelete, "/{id:[0-9]+}", a.members("write:conversations", a.dropConversation))
	on(http.MethodPost, "/{id:[0-9]+}/read", a.members("write:conversations", a.markConversation(false)))
	on(http.MethodPost, "/{id:[0-9]+}/unread", a.members("write:conversations", a.markConversation(true)))
	r.HandleFunc("/api/v1/timelines/direct", a.members("read:statuses", a.timeline(loaded(a.directTimeline)))).Methods(http.MethodGet, http.MethodHead)
}

// Conversation is Mastodon's Conversation entity: what the reader and a few
// others wrote to each other.
type Conversation struct {
	ID         int64     `json:"id,string"`
	Unread     bool      `json:"unread"`
	Accounts   []Account `json:"accounts"` // without the reader
	LastStatus *Status   `json:"last_status"`
}

// talks brings what some of the reader's conversations show, in four or five
// questions and those of Load, however many they are.
func (a *API) talks(tx *store.Tx, c *call, list []community.Talk) ([]Conversation, error) {
	out := make([]Conversation, 0, len(list))
	if len(list) == 0 {
		return out, nil
	}
	var people, last []int64
	seen := map[int64]bool{}
	for _, t := range list {
		last = append(last, t.LastPostID)
		for _, id := range t.Others() {
			if !seen[id] {
				seen[id] = true
				people = append(people, id)
			}
		}
	}
	accounts, err := a.accounts(tx, c, people)
	if err != nil {
		return nil, err
	}
	posts, err := community.VisiblePosts(tx, last, c.viewer)
	if err != nil {
		return nil, err
	}
	views, err := community.Load(tx, c.viewer, posts)
	if err != nil {
		return nil, err
	}
	byID, statuses := map[int64]Account{}, map[int64]Status{}
	for _, account := range accounts {
		byID[account.ID] = account
	}
	for _, s := range a.statuses(c, views) {
		statuses[s.ID] = s
	}
	for _, t := range list {
		one := Conversation{ID: t.ID, Unread: t.Unread, Accounts: []Account{}}
		for _, id := range t.Others() {
			if account, ok := byID[id]; ok {
				one.Accounts = append(one.Accounts, account)
			}
		}
		if s, ok := statuses[t.LastPostID]; ok {
			one.LastStatus = &s
		}
		out = append(out, one)
	}
	return out, nil
}

// conversations answers GET /api/v1/conversations. The page goes by the last
// post of each; a client that names a conversation instead means its last post.
func (a *API) conversations(c *call) (any, error) {
	page := c.page(20, 40)
	var out []Conversation
	err := a.read(c, func(tx *store.Tx) error {
		for _, edge := range []*int64{&page.MaxID, &page.SinceID, &page.MinID} {
			if *edge == 0 {
				continue
			}
			if t, err := community.TalkByID(tx, c.viewer, *edge); err == nil {
				*edge = t.LastPostID
			}
		}
		list, err := community.Talks(tx, c.viewer, page)
		if err != nil {
			return err
		}
		if n := len(list); n > 0 {
			a.link(c, page, n, list[0].LastPostID, list[n-1].LastPostID)
		}
		out, err = a.talks(tx, c, list)
		return err
	})
	return out, err
}

// markConversation answers POST /api/v1/conversations/{id}/read and /unread.
func (a *API) markConversation(unread bool) endpoint {
	return func(c *call) (any, error) {
		id, err := c.idOf("id")
		if err != nil {
			return nil, err
		}
		var out []Conversation
		err = a.deed(c, func(tx *store.Tx) error {
			t, err := community.MarkTalk(tx, c.viewer, id, unread)
			if err != nil {
				return orNotFound(err)
			}
			out, err = a.talks(tx, c, []community.Talk{t})
			return err
		})
		if err != nil {
			return nil, err
		}
		return out[0], nil
	}
}

// dropConversation answers DELETE /api/v1/conversations/{id}.
func (a *API) dropConversation(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	err = a.deed(c, func(tx *store.Tx) error {
		if err := community.DropTalk(tx, c.me.ID, id); err != nil {
			return orNotFound(err)
		}
		return nil
	})
	return none, err
}

// directTimeline is the list behind GET /api/v1/timelines/direct.
func (a *API) directTimeline(tx *store.Tx, c *call, page store.Page) ([]community.Post, error) {
	return community.DirectTimeline(tx, c.viewer, page)
}
