package web

import (
	"bytes"
	"context"
	"net/http"
	"strings"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// The streams of the pages about requests to connect, for those alone who
// decide about them.
const (
	liveAsking   = "asking"   // how many servers wait for an answer: every page about other servers
	liveRequests = "requests" // the page of requests
	liveRequest  = "request:" // the page that asks whether to end the request with this ID
	livePeer     = "peer:"    // the page of the server with this name
)

// The parts that these pages have in common with their streams.
const (
	askingCount = "asking-count"
	overID      = "request-end"
)

// desk is what a stream about other servers follows.
type desk struct {
	requests bool
	request  int64
	host     string
}

// deskOf reads the name of a stream about other servers, and reports whether
// it is one.
func deskOf(name string) (o desk, ok bool) {
	switch {
	case name == liveAsking:
		return o, true
	case name == liveRequests:
		o.requests = true
		return o, true
	case strings.HasPrefix(name, liveRequest):
		o.request, ok = iri.ParseID(strings.TrimPrefix(name, liveRequest))
		return o, ok
	}
	o.host, ok = strings.CutPrefix(name, livePeer)
	return o, ok && o.host != ""
}

// still reports whether a reader may go on reading: signed in, and in a role
// that opens what is streamed. It is asked before each word about other servers,
// so that nobody hears more than a page would show them.
func (s stream) still(r *http.Request) bool {
	_, person, err := s.p.Auth.Signed(r.Context(), s.p.Auth.CookieToken(r))
	return err == nil && (s.desk == nil || person.User.Role.MayManagePeers())
}

// concerns reports whether a piece of news may be about what a stream shows.
func (d desk) concerns(n store.News, me int64) bool {
	switch n.Topic {
	case community.NotificationArrived, community.AccountChanged:
		return n.ID == me || n.ID == 0
	case peers.Changed:
		return d.host != "" && (n.Key == "" || n.Key == d.host)
	}
	return true
}

// deskEvent is what the page of the stream shows anew after a piece of news.
func (s stream) deskEvent(ctx context.Context, n store.News) (string, error) {
	switch n.Topic {
	case community.NotificationArrived:
		return s.notification(ctx)
	case community.AccountChanged:
		return "", nil // whether the reader may go on reading was asked
	}
	if about := s.desk.host; about != "" && n.Key != "" && n.Key != about {
		return s.parts(ctx, false)
	}
	return s.parts(ctx, true)
}

// parts renders the pieces of the page as they are now; without page only the
// number of those who wait.
func (s stream) parts(ctx context.Context, page bool) (string, error) {
	var asking int
	var request *peers.Request
	var row *peers.Row
	err := s.p.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if asking, err = peers.CountAsking(tx); err != nil || !page {
			return err
		}
		if s.desk.request != 0 {
			one, err := peers.RequestByID(tx, s.desk.request)
			if fault.Is(err, fault.NotFound) {
				return nil
			}
			request = &one
			return err
		}
		if s.desk.host != "" {
			one, err := rowOf(tx, s.desk.host)
			row = &one
			return err
		}
		return nil
	})
	var all requestParts
	if err == nil && page && s.desk.requests {
		all, err = s.p.requestParts(ctx, s.h, store.Page{})
	}
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	add := func(template string, view any) {
		if err == nil {
			err = s.p.templates.Fragment(&b, s.h.l, template, view)
		}
	}
	add("tab-count", Tab{Count: asking, Live: askingCount})
	add("decide-asking", asking)
	if request != nil && !request.MayEnd(s.p.Now()) {
		add("confirm", s.p.overPanel(s.h, *request))
	}
	if row != nil {
		add("peer-standing", s.p.peerStanding(s.h, *row))
	}
	if page && s.desk.requests {
		for _, part := range []string{"requests-asking", "requests-asked", "requests-invites", "requests-past"} {
			add(part, all)
		}
	}
	if err != nil {
		return "", err
	}
	return "event: part\n" + data(b.String()) + "\n", nil
}

// overPanel stands where was asked whether to end a request that is over.
func (p *Pages) overPanel(h *here, r peers.Request) ConfirmPanel {
	row := p.peerRequestRow(h, r)
	panel := ConfirmPanel{ID: overID, Told: row.Told, Title: h.l.T("asking.over_title", "Name", nameOf(r), "State", row.State.Words), Safe: true,
		Cancel: peerRequestsPath, Over: h.l.T("asking.over_back")}
	if row.Detail != "" {
		panel.Effects = []string{row.Detail}
	}
	return panel
}
