package web

import (
	"net/http"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// deliveryPage tells an author where a post went.
type deliveryPage struct {
	Head  PageHead
	Panel DeliveryPanel
}

// delivery is for the post's author, and for those who keep this server's
// connections in order.
func (p *Pages) delivery(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var post community.Post
	var rows []community.Delivered
	var waiting bool
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if post, err = community.VisiblePost(tx, id, h.viewer); err != nil {
			return err
		}
		if post.AuthorID != h.me.ID && !h.user.Role.MayManagePeers() {
			return fault.Keyed(fault.Forbidden, "delivery.not_yours", "Where a post went is told to its author only.", nil)
		}
		if rows, err = community.Deliveries(tx, id); err != nil {
			return err
		}
		waiting, err = community.Spreading(tx, id)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	view := deliveryPage{Head: PageHead{Title: l.T("delivery.page"), Back: &Link{Words: l.T("history.back"), URL: postPath(id)}}}
	switch {
	case !post.Local():
		view.Panel.Held = l.T("delivery.theirs", "Host", post.AuthorHost)
	case !post.Audience.Travels():
		view.Panel.Held = l.T("delivery.stays")
	case waiting:
		view.Panel.Held = l.T("delivery.soon")
	case len(rows) == 0:
		view.Panel.Held = l.T("delivery.nobody")
	}
	figures := map[string]int{}
	seen := map[string]bool{}
	for _, d := range rows {
		if seen[d.Inbox] { // an earlier activity about the same post
			continue
		}
		seen[d.Inbox] = true
		figures[d.State]++
		row := DeliveryRow{School: p.school(h, d.Host, d.Name), State: p.deliveryState(l, d.State), Tries: d.Attempts, Reason: deliveryReason(l, d)}
		if row.School.Name == d.Host {
			row.School.Name = ""
		}
		row.At = d.CreatedAt
		if d.DoneAt != nil {
			row.At = *d.DoneAt
		}
		if d.State == "waiting" && d.NextAt != nil && d.NextAt.After(p.Now().Add(time.Second)) && !d.Parked {
			row.Next = *d.NextAt
		}
		view.Panel.Rows = append(view.Panel.Rows, row)
	}
	for _, state := range []string{"delivered", "waiting", "refused", "withheld", "expired"} {
		if n := figures[state]; n > 0 {
			s := p.deliveryState(l, state)
			view.Panel.Summary = append(view.Panel.Summary, Count{N: n, Words: s.Words, State: &s})
		}
	}
	return p.render(h, w, http.StatusOK, "delivery", view.Head.Title, view)
}

func (p *Pages) deliveryState(l *Locale, state string) State {
	switch state {
	case "delivered":
		return State{Tone: "good", Icon: "circle-check", Words: l.T("delivery.delivered")}
	case "waiting":
		return State{Tone: "wait", Icon: "clock", Words: l.T("delivery.waiting")}
	case "refused":
		return State{Tone: "bad", Icon: "circle-x", Words: l.T("delivery.refused_state")}
	case "withheld":
		return State{Tone: "quiet", Icon: "lock", Words: l.T("delivery.withheld")}
	}
	return State{Tone: "bad", Icon: "circle-x", Words: l.T("delivery.expired")}
}

// deliveryReason says why a delivery is not there, in words.
func deliveryReason(l *Locale, d community.Delivered) string {
	if d.Parked {
		return l.T("delivery.parked")
	}
	switch d.Reason {
	case "":
		return ""
	case "withheld.peer":
		return l.T("withheld.peer")
	case "delivery.not_connected":
		return l.T("delivery.not_connected")
	case "withheld.ceiling":
		return l.T("withheld.ceiling")
	case "withheld.closed":
		return l.T("withheld.closed")
	case "withheld.class":
		return l.T("withheld.class")
	case "withheld.no_inbox", "delivery.bad_inbox":
		return l.T("withheld.no_inbox")
	case "delivery.no_answer", "delivery.unreachable", "delivery.timeout":
		return l.T("delivery.no_answer")
	case "delivery.private_address":
		return l.T("delivery.private_address")
	case "delivery.redirect":
		return l.T("delivery.redirect")
	case "delivery.gone":
		return l.T("delivery.gone")
	case "delivery.not_admitted_there":
		return l.T("delivery.not_admitted_there")
	case "delivery.ended":
		return l.T("delivery.ended")
	case "delivery.stale":
		return l.T("delivery.stale")
	case "delivery.deleted":
		return l.T("delivery.deleted")
	case "delivery.internal":
		return l.T("delivery.internal")
	case "delivery.broken", "delivery.unavailable", "delivery.busy":
		return l.T("delivery.unavailable", "Status", d.Status)
	}
	return l.T("delivery.refused", "Status", d.Status)
}
