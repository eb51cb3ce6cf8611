package mastodon

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) notificationRoutes(r *routes) {
	get := func(path string, h http.HandlerFunc) { r.HandleFunc(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.HandleFunc(path, h).Methods(http.MethodPost) }
	get("/api/v1/notifications", a.members("read:notifications", a.notifications))
	get("/api/v1/notifications/unread_count", a.members("read:notifications", a.unread))
	a.policyRoutes(r)
	get("/api/v1/notifications/{id:[0-9]+}", a.members("read:notifications", a.notification))
	post("/api/v1/notifications/clear", a.members("write:notifications", a.clear))
	post("/api/v1/notifications/dismiss", a.members("write:notifications", a.dismissNamed))
	post("/api/v1/notifications/{id:[0-9]+}/dismiss", a.members("write:notifications", a.dismiss))
	a.groupRoutes(r)
}

// kindNames says how each kind of notification is called for clients, which
// know no others than these. An acknowledgement is a reply, so it mentions; a
// chosen answer is nearest to being favourited. What is not here is not sent.
var kindNames = []struct {
	kind community.NotificationKind
	name string
	may  func(community.Role) bool // who is told of it; nil: everybody
}{
	{community.NotifyFollow, "follow", nil},
	{community.NotifyFollowRequest, "follow_request", nil},
	{community.NotifyMention, "mention", nil},
	{community.NotifyReply, "mention", nil},
	{community.NotifyAcknowledgement, "mention", nil},
	{community.NotifyLike, "favourite", nil},
	{community.NotifyAnswer, "favourite", nil},
	{community.NotifyBoost, "reblog", nil},
	{community.NotifyEdit, "update", nil},
	{community.NotifyPoll, "poll", nil},
	{community.NotifyPost, "status", nil},
	{community.NotifyQuote, "quote", nil},
	{community.NotifyQuotedEdit, "quoted_update", nil},
	{community.NotifySevered, "severed_relationships", nil},
	{community.NotifyRequest, "admin.sign_up", community.Role.MayManagePeople},
	{community.NotifyReport, "admin.report", community.Role.MayModerate},
}

// nameOf is what clients call a kind of notification; "" if they know no such.
func nameOf(kind community.NotificationKind) string {
	for _, k := range kindNames {
		if k.kind == kind {
			return k.name
		}
	}
	return ""
}

// kindsNamed lists the kinds that clients mean by some names.
func kindsNamed(names []string) []community.NotificationKind {
	var out []community.NotificationKind
	for _, k := range kindNames {
		if slices.Contains(names, k.name) {
			out = append(out, k.kind)
		}
	}
	return out
}

// wanted is what the caller wants to hear of, and may. It reports false where
// that is nothing.
func (c *call) wanted() (community.NotificationFilter, bool) {
	types, unwanted := c.list("types"), c.list("exclude_types")
	role := c.access.Person.User.Role
	f := community.NotificationFilter{Filtered: c.flag("include_filtered", false)}
	for _, k := range kindNames {
		if (len(types) == 0 || slices.Contains(types, k.name)) && !slices.Contains(unwanted, k.name) && (k.may == nil || k.may(role)) {
			f.Kinds = append(f.Kinds, k.kind)
		}
	}
	if from := c.Get("account_id"); from != "" {
		id, err := strconv.ParseInt(from, 10, 64)
		if err != nil || id <= 0 {
			return f, false
		}
		f.From, f.Filtered = id, true // whoever asks for one person asks for all of theirs
	}
	return f, len(f.Kinds) > 0
}

// notifications answers GET /api/v1/notifications.
func (a *API) notifications(c *call) (any, error) {
	page := c.page(40, 80)
	out := []Notification{}
	filter, ok := c.wanted()
	if !ok {
		return out, nil
	}
	var told community.Tidings
	err := a.readPage(c, func(tx *store.Tx) (err error) {
		told, err = community.NotificationsTold(tx, c.viewer, filter, page, func(n community.Notification) bool {
			return n.Kind == community.NotifyLike || n.Kind == community.NotifySevered || n.ReportID != nil
		})
		if err != nil {
			return err
		}
		t, err := a.taleOf(tx, c, told)
		if err == nil {
			out = a.tell(c, t, told.List)
		}
		return err
	})
	if n := len(told.List); n > 0 && err == nil {
		a.link(c, page, n, told.List[0].ID, told.List[n-1].ID)
	}
	return out, err
}

// notification answers GET /api/v1/notifications/{id}.
func (a *API) notification(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	var out []Notification
	err = a.read(c, func(tx *store.Tx) error {
		n, err := community.NotificationByID(tx, c.me.ID, id)
		if err != nil {
			return err
		}
		out, err = a.told(tx, c, []community.Notification{n})
		return err
	})
	if err != nil || len(out) == 0 {
		return nil, orNotFound(err)
	}
	return out[0], nil
}

// tale is what notifications are about, brought together at once.
type tale struct {
	accounts map[int64]Account
	statuses map[int64]*Status
	severed  map[int64]community.Severed
	reports  map[int64]*Report
	given    map[[2]int64]community.Given // with which likes were given, by post and account
	role     community.Role
	known    []string // the kinds that the client says it knows; nil: all
}

// tale brings what notifications are about, and the people named besides. The
// number of its questions does not depend on how many there are.
func (a *API) tale(tx *store.Tx, c *call, list []community.Notification, people []int64) (tale, error) {
	var about []int64
	for _, n := range list {
		if n.PostID != nil {
			about = append(about, *n.PostID)
		}
	}
	posts, err := community.PostsByID(tx, c.viewer, unique(about))
	if err != nil {
		return tale{}, err
	}
	for _, n := range list {
		people = append(people, n.FromID)
	}
	views, known, err := community.LoadWith(tx, c.viewer, slices.Collect(maps.Values(posts)), unique(people), tx.Ask)
	if err != nil {
		return tale{}, err
	}
	return a.taleOf(tx, c, community.Tidings{List: list, Views: views, People: known})
}

// taleOf is tale where the posts and people were brought already.
func (a *API) taleOf(tx *store.Tx, c *call, told community.Tidings) (tale, error) {
	t := tale{accounts: map[int64]Account{}, statuses: map[int64]*Status{}, reports: map[int64]*Report{}, role: c.access.Person.User.Role}
	if c.Values != nil {
		if _, said := c.Values["supported_types[]"]; said || c.Has("supported_types") {
			t.known = c.list("supported_types")
		}
	}
	var ended, reported, liked, likers []int64
	for _, n := range told.List {
		if n.PostID != nil && n.Kind == community.NotifyLike {
			liked, likers = append(liked, *n.PostID), append(likers, n.FromID)
		}
		if n.Kind == community.NotifySevered {
			ended = append(ended, n.ID)
		}
		if n.ReportID != nil && t.role.MayModerate() {
			reported = append(reported, *n.ReportID)
		}
	}
	var err error
	if t.severed, err = community.SeveredBy(tx, ended); err != nil {
		return t, err
	}
	if t.given, err = community.EmojiOf(tx, unique(liked), unique(likers)); err != nil {
		return t, err
	}
	s := a.shape(c)
	s.authors, s.schools = map[int64]Account{}, map[string]string{}
	for _, p := range told.People {
		s.schools[p.Host] = p.School
	}
	for id, p := range told.People {
		if !p.Gone() {
			t.accounts[id] = s.shown(p.Kept, p.Account, p.Counts)
		}
	}
	for _, v := range told.Views {
		status := s.status(v)
		t.statuses[v.ID] = &status
	}
	return t, a.reported(tx, c, &t, unique(reported))
}

// reported brings the reports that moderators are told of.
func (a *API) reported(tx *store.Tx, c *call, t *tale, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	reports, err := community.ReportsByID(tx, c.me, ids)
	if err != nil {
		return err
	}
	var targets []int64
	for _, r := range reports {
		targets = append(targets, r.TargetID)
	}
	shown, err := a.accounts(tx, c, unique(targets))
	if err != nil {
		return err
	}
	for _, r := range reports {
		i := slices.IndexFunc(shown, func(acc Account) bool { return acc.ID == r.TargetID })
		if i < 0 {
			continue
		}
		out := Report{ID: r.ID, ActionTaken: !r.Open(), ActionTakenAt: stampOrNull(r.ResolvedAt), Category: "other", Comment: r.Comment,
			Forwarded: r.ForwardedAt != nil, CreatedAt: stampOf(r.CreatedAt), StatusIDs: []string{}, RuleIDs: []string{}, TargetAccount: shown[i]}
		for _, known := range categories {
			if known.category == r.Category && r.Category != community.ReportOther {
				out.Category = known.name
			}
		}
		for _, id := range r.Posts {
			out.StatusIDs = append(out.StatusIDs, idText(id))
		}
		t.reports[r.ID] = &out
	}
	return nil
}

// tells reports whether a notification can be shown whole.
func (t tale) tells(n community.Notification) bool {
	for _, k := range kindNames {
		if k.kind == n.Kind && k.may != nil && !k.may(t.role) {
			return false
		}
	}
	_, known := t.accounts[n.FromID]
	return known && nameOf(n.Kind) != "" && (n.PostID == nil || t.statuses[*n.PostID] != nil) &&
		(n.Kind != community.NotifyReport || n.ReportID != nil && t.reports[*n.ReportID] != nil)
}

// event is what ended, for notifications of that.
func (t tale) event(n community.Notification) *Severance {
	cut, ok := t.severed[n.ID]
	if !ok {
		return nil
	}
	return &Severance{ID: n.ID, Type: "domain_block", TargetName: cut.Host, FollowersCount: cut.Followers, FollowingCount: cut.Following,
		CreatedAt: stampOf(n.CreatedAt)}
}

// report is the report that a notification is about.
func (t tale) report(n community.Notification) *Report {
	if n.ReportID == nil {
		return nil
	}
	return t.reports[*n.ReportID]
}

// Fallback says in words what a notification is about whose type a client does
// not know (NotificationFallback).
type Fallback struct {
	Title   string  `json:"title"`
	Summary *string `json:"summary"`
	Details *string `json:"details"`
}

// fallback is that, where the client said what it knows and this is not among it.
func (t tale) fallback(n community.Notification) *Fallback {
	name := nameOf(n.Kind)
	if t.known == nil || slices.Contains(t.known, name) {
		return nil
	}
	return &Fallback{Title: strings.ReplaceAll(strings.TrimPrefix(name, "admin."), "_", " "), Summary: text("@" + t.accounts[n.FromID].Acct)}
}

// reaction is what somebody reacted to a post with, and where its picture is.
func (t tale) reaction(s shape, post, by int64) (emoji, picture string) {
	given := t.given[[2]int64{post, by}]
	if e, ok := given.Picture(); ok {
		picture = s.emoji("reaction/"+strconv.FormatInt(post, 10), by, []community.Emoji{e})[0].URL
	}
	return given.Emoji, picture
}

// told brings what notifications are about.
func (a *API) told(tx *store.Tx, c *call, list []community.Notification) ([]Notification, error) {
	t, err := a.tale(tx, c, list, nil)
	if err != nil {
		return nil, err
	}
	return a.tell(c, t, list), nil
}

// tell shows those of the notifications that can be shown whole.
func (a *API) tell(c *call, t tale, list []community.Notification) []Notification {
	out := make([]Notification, 0, len(list))
	for _, n := range list {
		if !t.tells(n) {
			continue
		}
		told := Notification{ID: n.ID, Type: nameOf(n.Kind), CreatedAt: stampOf(n.CreatedAt), GroupKey: n.Key(), Account: t.accounts[n.FromID],
			Event: t.event(n), Report: t.report(n), Fallback: t.fallback(n)}
		if n.PostID != nil {
			told.Status = t.statuses[*n.PostID]
			if n.Kind == community.NotifyLike {
				told.Emoji, told.EmojiURL = t.reaction(a.shape(c), *n.PostID, n.FromID)
			}
		}
		out = append(out, told)
	}
	return out
}

// unique is some IDs, each once, in their order.
func unique(ids []int64) []int64 {
	seen := make(map[int64]bool, len(ids))
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

// mostOf is how far something is counted: limit, 100 if there is none, and
// 1000 at most.
func (c *call) mostOf() int {
	n, err := strconv.Atoi(c.Get("limit"))
	if err != nil || n <= 0 {
		return community.MostUnread
	}
	return min(n, 10*community.MostUnread)
}

// unread answers GET /api/v1/notifications/unread_count.
func (a *API) unread(c *call) (any, error) {
	filter, ok := c.wanted()
	var n int
	if !ok {
		return map[string]int{"count": n}, nil
	}
	err := a.read(c, func(tx *store.Tx) (err error) {
		n, err = community.UnreadWith(tx, c.me.ID, filter, c.mostOf())
		return err
	})
	return map[string]int{"count": n}, err
}

// clear answers POST /api/v1/notifications/clear.
func (a *API) clear(c *call) (any, error) {
	return none, a.deed(c, func(tx *store.Tx) error { return community.Dismiss(tx, c.me.ID, 0) })
}

// dismiss answers POST /api/v1/notifications/{id}/dismiss.
func (a *API) dismiss(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	return none, a.deed(c, func(tx *store.Tx) error { return community.Dismiss(tx, c.me.ID, id) })
}

// dismissNamed answers POST /api/v1/notifications/dismiss, which names the
// notification in the body.
func (a *API) dismissNamed(c *call) (any, error) {
	ids := c.ids("id")
	if len(ids) != 1 {
		return nil, notFound()
	}
	return none, a.deed(c, func(tx *store.Tx) error { return community.Dismiss(tx, c.me.ID, ids[0]) })
}
