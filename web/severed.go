package web

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// severedPage tells somebody whom they lost when the connection with a server ended.
type severedPage struct {
	Head PageHead
	List *Action
	Ties []lostTie
	Note string
}

// lostTie is one tie that ended.
type lostTie struct {
	Words  string
	Handle string
	URL    string
	Back   string // that it is there again
}

// severedRoutes mounts the pages about what somebody lost.
func (p *Pages) severedRoutes(r *mux.Router) {
	r.Handle("/notifications/lost/{id:[0-9]+}", p.members(p.severed)).Methods(http.MethodGet, http.MethodHead)
	r.Handle("/notifications/lost/{id:[0-9]+}.csv", p.members(p.severedList)).Methods(http.MethodGet, http.MethodHead)
}

func lostPath(notification int64) string { return "/notifications/lost/" + digits(notification) }

func (p *Pages) lost(h *here, r *http.Request) (s community.Severed, list []community.Lost, err error) {
	id, err := idOf(r)
	if err != nil {
		return s, nil, err
	}
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		s, list, err = community.LostTo(tx, h.me.ID, id)
		return err
	})
	return s, list, err
}

func (p *Pages) severed(h *here, w http.ResponseWriter, r *http.Request) error {
	s, list, err := p.lost(h, r)
	if err != nil {
		return err
	}
	l := h.l
	view := severedPage{Head: PageHead{Title: l.T("lost.title", "Host", s.Host), Lead: severedWords(l, s), Back: &Link{Words: l.T("nav.notifications"), URL: "/notifications"}}}
	for _, t := range list {
		one := lostTie{Words: lostWords(l, t.Kind, t.State), Handle: t.Handle(), URL: "/@" + t.Username + "@" + t.Host}
		if t.RestoredAt != nil {
			one.Back = l.T("lost.back")
		}
		view.Ties = append(view.Ties, one)
	}
	if len(list) > 0 {
		view.List = &Action{Words: l.T("notification.severed_list"), Icon: "list", URL: lostPath(s.NotificationID) + ".csv"}
		view.Note = l.T("lost.note")
	} else {
		view.Note = l.T("lost.gone")
	}
	h.frame.Here = Notifications
	return p.render(h, w, http.StatusOK, "severed", view.Head.Title, view)
}

// severedWords says how many ties ended and why.
func severedWords(l *Locale, s community.Severed) string {
	key := "notification.severed"
	if s.Act == "retire" {
		key = "notification.severed_retired"
	}
	return l.T(key, "Host", s.Host, "Following", l.T("notification.severed_following", "Count", s.Following),
		"Followers", l.T("notification.severed_followers", "Count", s.Followers))
}

func lostWords(l *Locale, kind community.TieKind, state community.FollowState) string {
	switch {
	case kind == community.TieFollower && state == community.FollowRequested:
		return l.T("lost.asked_you")
	case kind == community.TieFollower:
		return l.T("lost.follower")
	case kind == community.TieGroupMember:
		return l.T("lost.group")
	case state == community.FollowRequested:
		return l.T("lost.asked")
	}
	return l.T("lost.follow")
}

// severedList answers with the ties as a file.
func (p *Pages) severedList(h *here, w http.ResponseWriter, r *http.Request) error {
	s, list, err := p.lost(h, r)
	if err != nil {
		return err
	}
	var file bytes.Buffer
	out := csv.NewWriter(&file)
	rows := [][]string{{"tie", "account", "name", "address", "ended", "restored"}}
	for _, t := range list {
		restored := ""
		if t.RestoredAt != nil {
			restored = t.RestoredAt.UTC().Format(time.DateOnly)
		}
		kind := string(t.Kind)
		if t.State == community.FollowRequested {
			kind += "_requested"
		}
		rows = append(rows, text.SheetRow([]string{kind, strings.TrimPrefix(t.Handle(), "@"), t.DisplayName, t.Address, t.SeveredAt.UTC().Format(time.DateOnly), restored}))
	}
	if err := out.WriteAll(rows); err != nil {
		return err
	}
	return sendFile(w, "lost-"+s.Host+".csv", "text/csv; charset=utf-8", file.Bytes())
}
