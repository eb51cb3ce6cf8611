package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Prober tries whether this server and another can talk: federation.Probe.
type Prober interface {
	Probe(ctx context.Context, host string) ([]peers.ProbeStep, error)
}

const exchangeAt = "/admin/delivery/exchange"

// exchangeRoutes mounts the pages about what passes between servers.
func (p *Pages) exchangeRoutes(get, post func(path string, may func(community.Role) bool, h handler)) {
	connections := community.Role.MayManagePeers
	get(exchangeAt, connections, p.exchange)
	get("/admin/peers/{host}/test", connections, p.probeForm)
	post("/admin/peers/{host}/test", connections, p.probe)
}

// exchangeShown is how many messages each way a page shows.
const exchangeShown = 40

// exchangePage is what went between this server and another, or one person
// there or here, and what became of each message.
type exchangePage struct {
	Head   PageHead
	Tabs   Tabs
	Parts  Tabs
	Query  FormField
	Filter Tabs
	About  string // what is shown: the server, the person or the post
	Post   *Link
	Ways   []exchangeWay
	Empty  EmptyState
}

// exchangeWay is one direction.
type exchangeWay struct {
	ID    string
	Title string
	Hint  string
	Rows  []exchangeRow
	None  string
	Older string
}

// exchangeRow is one message.
type exchangeRow struct {
	What   string
	Who    string // an address, or a name here
	URL    string
	School *SchoolView
	State  State
	Why    string
	Detail string // what only the document itself could tell, in English
	At     time.Time
}

// exchangeOf finds out what was typed: a server, somebody here or there, or a
// post by its address.
func (p *Pages) exchangeOf(tx *store.Tx, typed string) (f community.ExchangeFilter, about string, post *community.Post, err error) {
	if strings.HasPrefix(typed, "https://") || strings.HasPrefix(typed, "http://") {
		if f.Host, err = iri.HostOf(typed); err != nil {
			return f, "", nil, fault.Invalidf("q", "This is no address of a post or a person.").WithKey("exchange.bad", nil)
		}
		if f.Host == p.site.Host {
			f.Host = ""
		}
		found, err := community.PostByURI(tx, typed)
		switch {
		case err == nil:
			return f, typed, &found, nil
		case !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Gone):
			return f, "", nil, err
		}
		account, err := community.AccountByURI(tx, typed)
		switch {
		case err == nil:
			return ofAccount(account), account.Handle(p.site.Host), nil, nil
		case !fault.Is(err, fault.NotFound):
			return f, "", nil, err
		case f.Host == "":
			return f, "", nil, err
		}
		return f, f.Host, nil, nil
	}
	if strings.Contains(typed, "@") {
		h, err := iri.ParseHandle(typed, iri.IsDev(p.site.Host))
		if err != nil {
			return f, "", nil, fault.Invalidf("q", "%v", err).WithKey("federation.handle", map[string]any{"Handle": typed})
		}
		if h.Host == p.site.Host {
			h.Host = ""
		}
		account, err := community.AccountByHandle(tx, h.Name, h.Host)
		switch {
		case err == nil:
			return ofAccount(account), account.Handle(p.site.Host), nil, nil
		case fault.Is(err, fault.NotFound) && h.Host != "":
			return community.ExchangeFilter{Host: h.Host}, h.Host, nil, nil
		}
		return f, "", nil, err
	}
	if f.Host, err = peers.Normalise(tx, typed); err != nil {
		return f, "", nil, err
	}
	return f, f.Host, nil, nil
}

func ofAccount(a community.Account) community.ExchangeFilter {
	if a.Local() {
		return community.ExchangeFilter{Account: a.ID}
	}
	f := community.ExchangeFilter{Host: a.Host}
	if a.URI != nil {
		f.ActorURI = *a.URI
	}
	return f
}

func (p *Pages) exchange(h *here, w http.ResponseWriter, r *http.Request) error {
	l, q := h.l, r.URL.Query()
	typed := strings.TrimSpace(q.Get("q"))
	view := exchangePage{Head: PageHead{Title: l.T("exchange.title"), Lead: l.T("exchange.lead"), Back: &Link{Words: l.T("admin.delivery"), URL: "/admin/delivery"}},
		Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, "/admin/delivery"),
		Query: FormField{Name: "q", Kind: "search", Label: l.T("exchange.query"), Hint: l.T("exchange.query_hint"), Value: typed, Max: 2000, Code: true},
		Empty: EmptyState{Icon: "search", Title: l.T("exchange.empty"), Words: l.T("exchange.empty_words")}}
	if typed == "" {
		return p.render(h, w, http.StatusOK, "admin_exchange", view.Head.Title, view)
	}
	trouble := q.Get("show") == "trouble"
	var came, sent []community.Exchanged
	var filter community.ExchangeFilter
	var who map[int64]community.Account
	var post *community.Post
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if filter, view.About, post, err = p.exchangeOf(tx, typed); err != nil {
			return err
		}
		filter.Trouble, filter.Limit = trouble, exchangeShown
		in, out := filter, filter
		in.Before, _ = strconv.ParseInt(q.Get("in"), 10, 64)
		out.Before, _ = strconv.ParseInt(q.Get("out"), 10, 64)
		if filter.Account == 0 {
			if came, err = community.Came(tx, in); err != nil {
				return err
			}
		}
		if filter.ActorURI == "" {
			if sent, err = community.Sent(tx, out); err != nil {
				return err
			}
		}
		var ids []int64
		for _, e := range sent {
			ids = append(ids, e.ActorID)
		}
		who, err = community.AccountsByID(tx, ids)
		return err
	})
	var bad *fault.Error
	if f := fault.Of(err); err != nil && (f.Kind == fault.Invalid || f.Kind == fault.NotFound) {
		bad = f
	}
	switch {
	case bad != nil:
		view.Query.Error = l.Fault(bad)
		if len(bad.Fields) > 0 {
			view.Query.Error = l.FieldFault(bad.Fields[0])
		}
		return p.render(h, w, http.StatusUnprocessableEntity, "admin_exchange", view.Head.Title, view)
	case err != nil:
		return err
	}
	if post != nil {
		view.Post = &Link{Words: l.T("exchange.post_here"), URL: postPath(post.ID)}
		if post.Local() {
			view.Post = &Link{Words: l.T("delivery.page"), URL: postPath(post.ID) + "/delivery"}
		}
	}
	to := func(set ...string) string {
		v := url.Values{"q": {typed}}
		if trouble {
			v.Set("show", "trouble")
		}
		for i := 0; i+1 < len(set); i += 2 {
			v.Set(set[i], set[i+1])
		}
		return exchangeAt + "?" + v.Encode()
	}
	view.Filter = Tabs{Label: l.T("exchange.filter"), Items: []Tab{
		{Words: l.T("exchange.all"), URL: exchangeAt + "?" + url.Values{"q": {typed}}.Encode(), Current: !trouble, Count: -1},
		{Words: l.T("exchange.trouble"), URL: exchangeAt + "?" + url.Values{"q": {typed}, "show": {"trouble"}}.Encode(), Current: trouble, Count: -1}}}
	if filter.Host != "" {
		way := exchangeWay{ID: "came", Title: l.T("exchange.came", "Host", view.About), Hint: l.T("exchange.came_hint"), None: l.T("exchange.came_none")}
		for _, e := range came {
			way.Rows = append(way.Rows, p.cameRow(l, e))
		}
		if len(came) == exchangeShown && filter.ActorURI == "" {
			way.Older = to("in", strconv.FormatInt(came[len(came)-1].ID, 10))
		}
		view.Ways = append(view.Ways, way)
	}
	if filter.ActorURI == "" && (filter.Host != "" || filter.Account != 0) {
		way := exchangeWay{ID: "sent", Title: l.T("exchange.sent", "Host", view.About), Hint: l.T("exchange.sent_hint"), None: l.T("exchange.sent_none")}
		if filter.Account != 0 {
			way.Title = l.T("exchange.sent_of", "Name", view.About)
		}
		for _, e := range sent {
			way.Rows = append(way.Rows, p.sentRow(h, e, who[e.ActorID], filter.Host == ""))
		}
		if len(sent) == exchangeShown {
			way.Older = to("out", strconv.FormatInt(sent[len(sent)-1].ID, 10))
		}
		view.Ways = append(view.Ways, way)
	}
	return p.render(h, w, http.StatusOK, "admin_exchange", view.Head.Title, view)
}

// cameRow is something that came, and what became of it.
func (p *Pages) cameRow(l *Locale, e community.Exchanged) exchangeRow {
	row := exchangeRow{What: deedWords(l, e.Type), Who: e.ActorURI, At: e.At}
	switch {
	case e.State == "held":
		row.State = State{Tone: "wait", Icon: "clock", Words: l.T("exchange.held")}
	case e.Reason != "":
		row.State = State{Tone: "bad", Icon: "circle-x", Words: l.T("exchange.not_taken")}
		why := refusedOf(l, community.NotTaken{Type: e.Type, Error: e.Reason})
		row.Why, row.Detail = why.Words, why.Detail
		if e.State == "waiting" {
			row.State = State{Tone: "wait", Icon: "clock", Words: l.T("exchange.again")}
		}
	case e.State == "waiting":
		row.State = State{Tone: "wait", Icon: "clock", Words: l.T("delivery.waiting")}
	case e.State == "dropped":
		row.State = State{Tone: "bad", Icon: "circle-x", Words: l.T("exchange.not_taken")}
	default:
		row.State = State{Tone: "good", Icon: "circle-check", Words: l.T("exchange.taken")}
	}
	return row
}

// sentRow is something that was for another server, and whether it is there.
func (p *Pages) sentRow(h *here, e community.Exchanged, who community.Account, where bool) exchangeRow {
	l := h.l
	row := exchangeRow{What: deedWords(l, activityOf(e.Verb)), State: p.deliveryState(l, e.State), At: e.At,
		Why: deliveryReason(l, community.Delivered{Reason: e.Reason, Status: e.Status})}
	if who.ID != 0 {
		row.Who = who.Name()
	}
	if e.DoneAt != nil {
		row.At = *e.DoneAt
	}
	if e.PostID != nil {
		row.URL = postPath(*e.PostID) + "/delivery"
	}
	if where {
		school := p.school(h, e.Host, e.Name)
		row.School = &school
	}
	return row
}

// probePage is the test of a connection: a button, and step by step what came
// of it.
type probePage struct {
	Head   PageHead
	Tabs   Tabs
	Parts  Tabs
	Test   Action
	Steps  []probeStep
	Result *State
	Advice string
	More   Link
}

// probeStep is one step of it, in words.
type probeStep struct {
	Name  string
	State State
	Words string
	Do    string // what to do about it
}

func (p *Pages) probeView(h *here, host string) probePage {
	l := h.l
	return probePage{Head: PageHead{Title: l.T("probe.title", "Host", host), Lead: l.T("probe.lead"), Back: &Link{Words: host, URL: peerPath(host)}},
		Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, "/admin/peers"),
		Test: Action{Words: l.T("probe.test"), Icon: "send", URL: peerPath(host) + "/test", Post: true, Main: true},
		More: Link{Words: l.T("exchange.of", "Host", host), URL: exchangeAt + "?" + url.Values{"q": {host}}.Encode()}}
}

// hostAsked is the server that a page is about, as it was written in its address.
func (p *Pages) hostAsked(r *http.Request) (host string, err error) {
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		host, err = peers.Normalise(tx, mux.Vars(r)["host"])
		return err
	})
	return host, err
}

func (p *Pages) probeForm(h *here, w http.ResponseWriter, r *http.Request) error {
	host, err := p.hostAsked(r)
	if err != nil {
		return err
	}
	view := p.probeView(h, host)
	return p.render(h, w, http.StatusOK, "admin_probe", view.Head.Title, view)
}

func (p *Pages) probe(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	host, err := p.hostAsked(r)
	if err != nil {
		return err
	}
	if p.Prober == nil {
		return fault.Keyed(fault.Unavailable, "probe.none", "Connections cannot be tested here.", nil)
	}
	steps, err := p.Prober.Probe(r.Context(), host)
	if err != nil {
		return err
	}
	view, l := p.probeView(h, host), h.l
	worst := peers.ProbeOK
	for _, s := range steps {
		var step probeStep
		step.Name, step.Words, step.Do = ProbeWords(l, s)
		switch s.State {
		case peers.ProbeOK:
			step.State = State{Tone: "good", Icon: "circle-check", Words: l.T("probe.ok")}
		case peers.ProbeWarn:
			step.State = State{Tone: "wait", Icon: "circle-alert", Words: l.T("probe.warn")}
			if worst == peers.ProbeOK {
				worst = s.State
			}
		case peers.ProbeBad:
			step.State = State{Tone: "bad", Icon: "circle-x", Words: l.T("probe.bad")}
			worst = s.State
		}
		view.Steps = append(view.Steps, step)
	}
	switch worst {
	case peers.ProbeOK:
		view.Result = &State{Tone: "good", Icon: "circle-check", Words: l.T("probe.all_ok")}
	case peers.ProbeWarn:
		view.Result = &State{Tone: "wait", Icon: "circle-alert", Words: l.T("probe.all_warn")}
	default:
		view.Result = &State{Tone: "bad", Icon: "circle-x", Words: l.T("probe.all_bad")}
	}
	view.Test.Words = l.T("probe.again")
	return p.render(h, w, http.StatusOK, "admin_probe", view.Head.Title, view)
}

// activityOf is the type of the activity that a deed is told by.
func activityOf(v community.Verb) string {
	switch v {
	case community.VerbVote:
		return "Create"
	case community.VerbPin:
		return "Add"
	case community.VerbUnpin:
		return "Remove"
	case community.VerbRevokeQuote:
		return "Delete"
	}
	for _, typ := range []string{"Undo", "Accept", "Reject", "Delete", "Update"} {
		if strings.HasPrefix(string(v), typ) {
			return typ
		}
	}
	return string(v)
}

// ProbeWords are a step of a test in words: its name, what came of it, and what
// to do about that.
func ProbeWords(l *Locale, s peers.ProbeStep) (name, says, advice string) {
	args := make([]any, 0, 2*len(s.Args))
	for k, v := range s.Args {
		switch v := v.(type) {
		case time.Time:
			args = append(args, k, l.Moment(v))
		case time.Duration:
			args = append(args, k, v.String())
		case string:
			if s.Step == "queue" && k == "Reason" {
				v = laneReason(l, v)
			}
			args = append(args, k, v)
		default:
			args = append(args, k, v)
		}
	}
	if do, ok := l.lookup(s.Key+"_do", args); ok && s.State != peers.ProbeOK {
		advice = do
	}
	return l.T("probe.step_" + s.Step), l.T(s.Key, args...), advice
}
