package web

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// auditPage is the log of who decided what.
type auditPage struct {
	Head  PageHead
	Tabs  Tabs
	Parts Tabs
	Lines []logLine
	Pager Pager
	Empty EmptyState
}

// logLine is a line of the log in words.
type logLine struct {
	Words  string
	URL    string // the page about what was decided
	Change string // from what to what
	Reason string
	By     string
	At     time.Time
}

func (p *Pages) audit(h *here, w http.ResponseWriter, r *http.Request) error {
	page := pageOf(r)
	var lines []peers.Line
	var by map[int64]community.Account
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if lines, err = peers.Audit(tx, "", page); err != nil {
			return err
		}
		by, err = deciders(tx, lines)
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	view := auditPage{Head: PageHead{Title: l.T("audit.title"), Lead: l.T("audit.lead")}, Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, "/admin/peers/audit"),
		Lines: p.logLines(h, lines, by, true), Empty: EmptyState{Icon: "history", Title: l.T("audit.none"), Words: l.T("audit.none_words")}}
	if n := len(lines); n > 0 {
		view.Pager = pager(r, page, n, lines[0].ID, lines[n-1].ID)
	}
	return p.render(h, w, http.StatusOK, "admin_audit", view.Head.Title, view)
}

// deciders are the people who are named in lines of the log.
func deciders(tx *store.Tx, lines []peers.Line) (map[int64]community.Account, error) {
	var ids []int64
	for _, line := range lines {
		if line.ActorID != nil {
			ids = append(ids, *line.ActorID)
		}
	}
	return community.AccountsByID(tx, ids)
}

// logLines puts lines of the log into words. linked has them lead to the page
// of the server they are about.
func (p *Pages) logLines(h *here, lines []peers.Line, by map[int64]community.Account, linked bool) []logLine {
	out := make([]logLine, 0, len(lines))
	for _, line := range lines {
		one := logLine{Reason: line.Reason, At: line.CreatedAt, By: h.l.T("audit.command_line")}
		if line.ActorID != nil {
			a := by[*line.ActorID]
			one.By = a.Name()
		}
		one.Words, one.Change = p.decided(h.l, line)
		switch line.Action {
		case "peer.allow", "peer.block", "peer.remove", "lane.wake":
			if linked {
				one.URL = peerPath(line.Subject)
			}
		case "mode":
			one.URL = "/admin/peers/mode"
		}
		out = append(out, one)
	}
	return out
}

// decided says what was decided, and from what to what.
func (p *Pages) decided(l *Locale, line peers.Line) (words, change string) {
	switch line.Action {
	case "peer.allow":
		before, after := entryIn(line.Before), entryIn(line.After)
		if before.Standing != peers.Allowed {
			return l.T("audit.allow", "Host", line.Subject), l.T("audit.shares", "Ceiling", ceilingWords(l, after.Ceiling))
		}
		if before.Ceiling != after.Ceiling {
			change = l.T("audit.shares_now", "Before", ceilingWords(l, before.Ceiling), "After", ceilingWords(l, after.Ceiling))
		}
		return l.T("audit.change", "Host", line.Subject), change
	case "peer.block":
		if entryIn(line.Before).Standing == peers.Blocked {
			return l.T("audit.change", "Host", line.Subject), ""
		}
		return l.T("audit.block", "Host", line.Subject), ""
	case "peer.remove":
		if entryIn(line.Before).Standing == peers.Blocked {
			return l.T("audit.unblock", "Host", line.Subject), ""
		}
		return l.T("audit.remove", "Host", line.Subject), ""
	case "mode":
		if line.After == string(peers.Open) {
			return l.T("audit.open"), ""
		}
		return l.T("audit.close"), ""
	case "site":
		return l.T("audit.site"), ""
	case "lane.wake":
		return l.T("audit.wake", "Host", line.Subject), ""
	case "person.role":
		return l.T("audit.role", "Handle", line.Subject), l.T("audit.role_now", "Before", roleName(l, community.Role(line.Before)), "After", roleName(l, community.Role(line.After)))
	case "person.state":
		if line.After == string(community.Active) {
			return l.T("audit.enable", "Handle", line.Subject), ""
		}
		return l.T("audit.disable", "Handle", line.Subject), ""
	case "person.password":
		return l.T("audit.password", "Handle", line.Subject), ""
	case "person.approve":
		return l.T("audit.approve", "Handle", line.Subject), ""
	case "person.decline":
		return l.T("audit.decline", "Handle", line.Subject), ""
	case "person.suspend":
		return l.T("audit.suspend", "Handle", line.Subject), ""
	case "person.unsuspend":
		return l.T("audit.unsuspend", "Handle", line.Subject), ""
	case "person.keys":
		return l.T("audit.keys", "Handle", line.Subject), ""
	case "person.delete":
		return l.T("audit.delete", "Handle", line.Subject), ""
	case "announcement.write":
		return l.T("audit.announcement_write"), line.Subject
	case "announcement.change":
		return l.T("audit.announcement_change"), line.Subject
	case "announcement.end":
		return l.T("audit.announcement_end"), line.Subject
	case "invite.create":
		return l.T("audit.invite"), ""
	case "invite.revoke":
		return l.T("audit.revoke"), ""
	}
	return l.T("audit.other", "Action", line.Action, "Subject", line.Subject), ""
}

// entryIn reads an entry as the log keeps it.
func entryIn(logged string) (e struct {
	Standing peers.Standing
	Ceiling  peers.Ceiling
}) {
	if logged != "" && json.Unmarshal([]byte(logged), &e) != nil {
		e.Standing = peers.Standing(logged)
	}
	return e
}
