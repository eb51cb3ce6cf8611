package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

func (p *Pages) messageRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodPost) }
	get("/messages", p.members(p.messages))
	get("/messages/new", p.members(p.newMessage))
	get("/messages/{id:[0-9]+}", p.members(p.openMessage))
	post("/messages/{id:[0-9]+}/{deed:read|unread|drop}", p.members(p.markMessage))
}

// messagesPage lists what a few people wrote to each other.
type messagesPage struct {
	Head  PageHead
	Talks []TalkItem
	Pager Pager
	Empty EmptyState
}

// TalkItem is one conversation: with whom, and its last post.
type TalkItem struct {
	ID      string
	URL     string
	People  []PersonView // without the reader; nobody: a note to oneself
	Schools []SchoolView // theirs, each once
	Last    TalkPost
	Unread  bool
	Actions []Action
}

// TalkPost is what a TalkItem shows of its last post.
type TalkPost struct {
	Mine bool // the reader wrote it
	Card PostCard
	Said string
}

// messages lists the reader's conversations, the latest first. A filter that
// hides the last post hides the conversation with it.
func (p *Pages) messages(h *here, w http.ResponseWriter, r *http.Request) error {
	l, page := h.l, pageOf(r)
	h.place = community.FilterHome
	view := messagesPage{Head: PageHead{Title: l.T("nav.messages"), Lead: l.T("messages.lead")},
		Empty: EmptyState{Icon: "messages-square", Title: l.T("messages.empty_title"), Words: l.T("messages.empty"),
			Action: &Action{Words: l.T("messages.write"), Icon: "pen-line", URL: "/messages/new", Main: true}}}
	var list []community.Talk
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if list, err = community.Talks(tx, h.viewer, page); err != nil || len(list) == 0 {
			return err
		}
		var people, last []int64
		for _, t := range list {
			people, last = append(people, t.Others()...), append(last, t.LastPostID)
		}
		accounts, err := community.AccountsByID(tx, people)
		if err != nil {
			return err
		}
		schools, err := community.SchoolNames(tx, accounts)
		if err != nil {
			return err
		}
		posts, err := community.VisiblePosts(tx, last, h.viewer)
		if err != nil {
			return err
		}
		views, err := community.Load(tx, h.viewer, posts)
		if err != nil {
			return err
		}
		said := make(map[int64]community.View, len(views))
		for _, v := range views {
			said[v.ID] = v
		}
		for _, t := range list {
			v, seen := said[t.LastPostID]
			if !seen || h.hides(v) {
				continue
			}
			view.Talks = append(view.Talks, p.talkItem(h, t, v, accounts, schools))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if n := len(list); n > 0 {
		view.Pager = pager(r, page, n, list[0].LastPostID, list[n-1].LastPostID)
		view.Head.Actions = []Action{{Words: l.T("messages.write"), Icon: "pen-line", URL: "/messages/new", Main: true}}
	}
	h.frame.Here = Myself
	return p.render(h, w, http.StatusOK, "messages", view.Head.Title, view)
}

func (p *Pages) talkItem(h *here, t community.Talk, v community.View, accounts map[int64]community.Account, schools map[string]string) TalkItem {
	l, at := h.l, "/messages/"+digits(t.ID)
	item := TalkItem{ID: digits(t.ID), URL: at, Unread: t.Unread, Last: TalkPost{Mine: v.Mine.Author, Card: p.card(h, v)}}
	for _, id := range t.Others() {
		if a, known := accounts[id]; known && !a.Gone() {
			who := p.person(h, a, schools[a.Host])
			item.People = append(item.People, who)
			if !slices.ContainsFunc(item.Schools, func(s SchoolView) bool { return s.Host == who.School.Host }) {
				item.Schools = append(item.Schools, who.School)
			}
		}
	}
	switch {
	case item.Last.Card.Filtered != "":
		item.Last.Said = l.T("post.filtered", "Title", item.Last.Card.Filtered)
	case v.Warning != "":
		item.Last.Said = v.Warning
	case v.Title != "":
		item.Last.Said = v.Title
	default:
		item.Last.Said = text.Excerpt(v.HTML, 160)
	}
	if t.Unread {
		item.Actions = append(item.Actions, Action{Words: l.T("messages.mark_read"), Icon: "check", URL: at + "/read", Post: true})
	} else {
		item.Actions = append(item.Actions, Action{Words: l.T("messages.mark_unread"), Icon: "bell", URL: at + "/unread", Post: true})
	}
	if v.Mine.ThreadMuted {
		item.Actions = append(item.Actions, Action{Words: l.T("post.unmute_thread"), Icon: "volume-2", URL: postPath(v.ID) + "/unmute-thread", Post: true, Pressed: true})
	} else {
		item.Actions = append(item.Actions, Action{Words: l.T("post.mute_thread"), Icon: "volume-x", URL: postPath(v.ID) + "/mute-thread", Post: true})
	}
	item.Actions = append(item.Actions, Action{Words: l.T("messages.drop"), Icon: "x", URL: at + "/drop", Post: true})
	return item
}

// openMessage counts a conversation as read and leads to its last post, in the
// thread that it stands in.
func (p *Pages) openMessage(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var t community.Talk
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		t, err = community.TalkByID(tx, h.viewer, id)
		return err
	})
	if err == nil && t.Unread && r.Method == http.MethodGet {
		err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
			_, err := community.MarkTalk(tx, h.viewer, id, false)
			return err
		})
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, postPath(t.LastPostID))
}

func (p *Pages) markMessage(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	deed := mux.Vars(r)["deed"]
	err = p.DB.Write(r.Context(), func(tx *store.Tx) (err error) {
		if deed == "drop" {
			return community.DropTalk(tx, h.me.ID, id)
		}
		_, err = community.MarkTalk(tx, h.viewer, id, deed == "unread")
		return err
	})
	if err != nil {
		return err
	}
	if deed == "drop" {
		p.flash(w, "flash.message_dropped")
	}
	return seeOther(w, r, "/messages")
}

// newMessage is the form for a note to chosen people.
func (p *Pages) newMessage(h *here, w http.ResponseWriter, r *http.Request) error {
	to := strings.TrimSpace(r.URL.Query().Get("to"))
	if len(to) > 320 {
		to = ""
	}
	t := typed{people: to, draft: community.Draft{Kind: community.Note, Audience: community.People, Language: h.l.Tag.String()}}
	return p.form(h, w, http.StatusOK, t, nil, nil, "")
}
