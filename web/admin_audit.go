package web

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// auditPage is the log of who decided what.
type auditPage struct {
	Head  PageHead
	Tabs  Tabs
	Parts Tabs
	Check *State // whether it is as it was written, once that was asked
	Facts []Fact
	Gets  []Action
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
	var checked peers.Verified
	check := r.FormValue("check") != ""
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if lines, err = peers.Audit(tx, "", page); err != nil {
			return err
		}
		if check {
			if checked, err = peers.Verify(tx); err != nil {
				return err
			}
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
		view.Gets = []Action{{Words: l.T("audit.check"), Icon: "circle-check", URL: "/admin/peers/audit?check=1"},
			{Words: l.T("audit.get_csv"), Icon: "list", URL: "/admin/peers/audit.csv"}, {Words: l.T("audit.get_json"), Icon: "list", URL: "/admin/peers/audit.json"}}
	}
	if check && checked.Broken != 0 {
		view.Check = &State{Tone: "bad", Icon: "triangle-alert", Words: l.T("audit.broken", "Line", int(checked.Broken), "Why", checked.Why)}
	} else if check {
		view.Check = &State{Tone: "good", Icon: "circle-check", Words: l.T("audit.whole", "Count", int(checked.Lines))}
		view.Facts = []Fact{{Name: l.T("audit.head"), Value: checked.Head}}
	}
	return p.render(h, w, http.StatusOK, "admin_audit", view.Head.Title, view)
}

// auditFile answers with the whole log as a file: a table, or JSON with which
// the seals can be checked elsewhere.
func (p *Pages) auditFile(h *here, w http.ResponseWriter, r *http.Request) error {
	asJSON := mux.Vars(r)["form"] == "json"
	var file bytes.Buffer
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
		file.Reset()
		if asJSON {
			e := json.NewEncoder(&file)
			e.SetEscapeHTML(false)
			return peers.EachChained(tx, "", func(l peers.Chained) error { return e.Encode(l.Export()) })
		}
		out := csv.NewWriter(&file)
		if err := out.Write(peers.ExportHead()); err != nil {
			return err
		}
		err := peers.EachChained(tx, "", func(l peers.Chained) error { return out.Write(text.SheetRow(l.Export().Cells())) })
		out.Flush()
		return err
	})
	if err != nil {
		return err
	}
	day := p.Now().UTC().Format(time.DateOnly)
	if asJSON {
		return sendFile(w, "log-"+day+".jsonl", "application/jsonl", file.Bytes())
	}
	return sendFile(w, "log-"+day+".csv", "text/csv; charset=utf-8", file.Bytes())
}

// deciders are the people who are named in lines of the log.
func deciders(tx *store.Tx, lines []peers.Line) (map[int64]community.Account, error) {
	return accountsOf(tx, lines, func(l peers.Line) *int64 { return l.ActorID })
}

// accountsOf are the people of things that have one each, or none.
func accountsOf[T any](tx *store.Tx, all []T, of func(T) *int64) (map[int64]community.Account, error) {
	var ids []int64
	for _, one := range all {
		if id := of(one); id != nil {
			ids = append(ids, *id)
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
		} else if line.Action == "peer.requested" {
			one.By = line.Subject
		} else if ofItself(line.Action) {
			one.By = h.l.T("audit.itself")
		}
		one.Words, one.Change = p.decided(h.l, line)
		switch line.Action {
		case "peer.allow", "peer.block", "peer.remove", "peer.change", "peer.name_add", "peer.name_confirm", "peer.name_remove", "peer.name_decline", "lane.wake",
			"peer.pause", "peer.resume", "peer.retire", "peer.purge", "peer.unpurge", "peer.expire", "peer.purged",
			"peer.faded", "peer.restore", "peer.review":
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

// ofItself reports whether an action is one that the server does when its time has come.
func ofItself(action string) bool {
	switch action {
	case "peer.expire", "peer.purged", "peer.faded", "peer.review":
		return true
	}
	return false
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
	case "peer.change":
		return l.T("audit.change", "Host", line.Subject), entryChange(l, line.Before, line.After)
	case "peer.name_add", "peer.name_confirm", "peer.name_remove", "peer.name_decline":
		return nameDecided(l, line), ""
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
	case "peer.pause":
		return l.T("audit.pause", "Host", line.Subject), ""
	case "peer.resume":
		return l.T("audit.resume", "Host", line.Subject), ""
	case "peer.retire":
		return l.T("audit.retire", "Host", line.Subject), ""
	case "peer.purge":
		return l.T("audit.purge", "Host", line.Subject), ""
	case "peer.unpurge":
		return l.T("audit.unpurge", "Host", line.Subject), ""
	case "peer.expire":
		return l.T("audit.expire", "Host", line.Subject), ""
	case "peer.purged":
		n, _ := strconv.Atoi(line.After)
		return l.T("audit.purged", "Host", line.Subject), l.T("audit.purged_posts", "Count", n)
	case "peer.faded":
		return l.T("audit.faded", "Host", line.Subject), ""
	case "peer.restore":
		return l.T("audit.restore", "Host", line.Subject), ""
	case "peer.review":
		return l.T("audit.review", "Host", line.Subject), ""
	case "mode":
		if line.After == string(peers.Open) {
			return l.T("audit.open"), ""
		}
		return l.T("audit.close"), ""
	case "import.apply":
		return l.T("audit.import_apply", "Name", importNamed(l, line)), ""
	case "import.undo":
		return l.T("audit.import_undo", "Name", importNamed(l, line)), ""
	case "site":
		return l.T("audit.site"), ""
	case "lane.wake":
		return l.T("audit.wake", "Host", line.Subject), ""
	case "held.pass", "held.pass_all":
		return l.T("audit.held_pass", "Host", line.Subject), line.After
	case "held.drop", "held.drop_all":
		return l.T("audit.held_drop", "Host", line.Subject), line.After
	case "held.author":
		return l.T("audit.held_author", "Handle", line.Subject), ""
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
	if words := peeringLine(l, line); words != "" {
		return words, ""
	}
	if words := listDecided(l, line); words != "" {
		return words, ""
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
