package web

import (
	"net/http"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// lanesPage shows where messages wait and why.
type lanesPage struct {
	Head  PageHead
	Tabs  Tabs
	Parts Tabs
	Chart BarChart
	Week  string
	Rows  []laneRow
	Empty EmptyState
}

// laneRow is the exchange with one server, in one direction.
type laneRow struct {
	School    SchoolView
	URL       string
	Direction string
	State     State
	Reason    string
	Waiting   string
	Next      time.Time
	Action    *Action
}

func hostsOf(lanes []community.Lane) []string {
	hosts := make([]string, len(lanes))
	for i, lane := range lanes {
		hosts[i] = lane.Host
	}
	return hosts
}

func (p *Pages) lanes(h *here, w http.ResponseWriter, r *http.Request) error {
	var lanes []community.Lane
	var admitted map[string]bool
	var days []community.DeliveryDay
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if lanes, err = community.Lanes(tx); err != nil {
			return err
		}
		if days, err = community.DeliveryDays(tx, daysShown, h.l.Zone); err != nil {
			return err
		}
		admitted, err = peers.Admitted(tx, hostsOf(lanes))
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	view := lanesPage{Head: PageHead{Title: l.T("admin.delivery"), Lead: l.T("lane.lead"),
		Actions: []Action{{Words: l.T("exchange.title"), Icon: "search", URL: exchangeAt}}}, Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, "/admin/delivery"),
		Empty: EmptyState{Icon: "circle-check", Title: l.T("lane.none_title"), Words: l.T("lane.none_words")}}
	view.Chart, view.Week = p.deliveryChart(l, days)
	for _, lane := range lanes {
		view.Rows = append(view.Rows, p.lane(h, lane, admitted[lane.Host]))
	}
	return p.render(h, w, http.StatusOK, "admin_delivery", view.Head.Title, view)
}

// lane says how an exchange stands.
func (p *Pages) lane(h *here, lane community.Lane, admitted bool) laneRow {
	l := h.l
	row := laneRow{School: SchoolView{Name: lane.Name, Host: lane.Host, Mark: MarkOf(lane.Name, lane.Host, "")}, URL: peerPath(lane.Host),
		Direction: l.T("lane.to"), Waiting: l.T("lane.waiting", "Count", lane.Waiting)}
	if lane.Queue == "incoming" {
		row.Direction, row.Waiting = l.T("lane.from"), l.T("lane.waiting_in", "Count", lane.Waiting)
	}
	switch {
	case !admitted:
		row.State = State{Tone: "quiet", Icon: "lock", Words: l.T("lane.held")}
		return row
	case lane.ParkedAt != nil && lane.FailingSince != nil:
		row.State, row.Reason = State{Tone: "bad", Icon: "circle-x", Words: l.T("lane.parked", "When", l.Ago(*lane.FailingSince, p.Now()))}, laneReason(l, lane.Error)
	case lane.FailingSince != nil:
		row.State, row.Reason = State{Tone: "bad", Icon: "circle-alert", Words: l.T("lane.failing", "When", l.Ago(*lane.FailingSince, p.Now()))}, laneReason(l, lane.Error)
	default:
		row.State, row.Reason = State{Tone: "wait", Icon: "clock", Words: l.T("lane.moving")}, laneReason(l, lane.Error)
	}
	if lane.NextAt.After(p.Now().Add(time.Second)) {
		row.Next = lane.NextAt
		row.Action = &Action{Words: l.T("lane.wake"), Icon: "send", URL: "/admin/delivery", Post: true, Fields: map[string]string{"queue": lane.Queue, "host": lane.Host}}
	}
	return row
}

// laneReason says why an exchange does not go on, in words.
func laneReason(l *Locale, why string) string {
	switch why {
	case "delivery.broken", "delivery.unavailable", "delivery.busy":
		return l.T("lane.unavailable")
	case "", "withheld.peer", "delivery.not_connected", "withheld.no_inbox", "delivery.bad_inbox", "delivery.no_answer", "delivery.unreachable",
		"delivery.timeout", "delivery.private_address", "delivery.redirect", "delivery.gone", "delivery.not_admitted_there", "delivery.internal":
		return deliveryReason(l, community.Delivered{Reason: why})
	}
	return l.T("lane.refused")
}

// wake lets what waits for a server leave now.
func (p *Pages) wake(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	host := r.PostFormValue("host")
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error {
		if err := peers.Check(tx, host); err != nil {
			return err
		}
		return community.Wake(tx, h.me.ID, r.PostFormValue("queue"), host)
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.woken", "Host", host)
	return seeOther(w, r, "/admin/delivery")
}
