package mastodon

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) notificationRoutes(r *routes) {
	get := func(path string, h http.HandlerFunc) { r.HandleFunc(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.HandleFunc(path, h).Methods(http.MethodPost) }
	get("/api/v1/notifications", a.members("read:notifications", a.notifications))
	get("/api/v1/notifications/unread_count", a.members("read:notifications", a.unread))
	get("/api/v1/notifications/{id}", a.members("read:notifications", a.notification))
	post("/api/v1/notifications/clear", a.members("write:notifications", a.clear))
	post("/api/v1/notifications/{id}/dismiss", a.members("write:notifications", a.dismiss))
	get("/api/v1/markers", a.members("read:statuses", a.markers))
	post("/api/v1/markers", a.members("write:statuses", a.mark))
}

// kindNames says how each kind of notification is called for clients, which
// know no others than these. An acknowledgement is a reply, so it mentions; a
// chosen answer is nearest to being favourited.
var kindNames = []struct {
	kind community.NotificationKind
	name string
}{
	{community.NotifyFollow, "follow"},
	{community.NotifyFollowRequest, "follow_request"},
	{community.NotifyMention, "mention"},
	{community.NotifyReply, "mention"},
	{community.NotifyAcknowledgement, "mention"},
	{community.NotifyLike, "favourite"},
	{community.NotifyAnswer, "favourite"},
	{community.NotifyBoost, "reblog"},
	{community.NotifyEdit, "update"},
	{community.NotifyRequest, "admin.sign_up"},
	{community.NotifyPoll, "poll"},
	{community.NotifyQuote, "quote"},
	{community.NotifySevered, "severed_relationships"},
}

// kinds is what the caller wants to hear of; nothing means nothing.
func (c *call) kinds() []community.NotificationKind {
	wanted, unwanted := c.list("types"), c.list("exclude_types")
	var out []community.NotificationKind
	for _, k := range kindNames {
		if (len(wanted) == 0 || slices.Contains(wanted, k.name)) && !slices.Contains(unwanted, k.name) {
			out = append(out, k.kind)
		}
	}
	return out
}

// notifications answers GET /api/v1/notifications.
func (a *API) notifications(c *call) (any, error) {
	page := c.page(40, 80)
	out := []Notification{}
	kinds := c.kinds()
	if len(kinds) == 0 {
		return out, nil
	}
	if len(kinds) == len(kindNames) {
		kinds = nil // all: the query is simpler
	}
	err := a.read(c, func(tx *store.Tx) error {
		list, err := community.Notifications(tx, c.me.ID, page, kinds...)
		if err != nil {
			return err
		}
		if n := len(list); n > 0 {
			a.link(c, page, n, list[0].ID, list[n-1].ID)
		}
		out, err = a.told(tx, c, list)
		return err
	})
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

// told brings what notifications are about.
func (a *API) told(tx *store.Tx, c *call, list []community.Notification) ([]Notification, error) {
	var people, about []int64
	for _, n := range list {
		people = append(people, n.FromID)
		if n.PostID != nil {
			about = append(about, *n.PostID)
		}
	}
	accounts, err := community.AccountsByID(tx, people)
	if err != nil {
		return nil, err
	}
	counts, err := community.CountsOf(tx, people)
	if err != nil {
		return nil, err
	}
	posts, err := community.PostsByID(tx, c.viewer, about)
	if err != nil {
		return nil, err
	}
	var those []community.Post
	for _, p := range posts {
		those = append(those, p)
	}
	views, err := community.Load(tx, c.viewer, those)
	if err != nil {
		return nil, err
	}
	s := a.shape(c)
	shown := make(map[int64]*Status, len(views))
	for _, v := range views {
		status := s.status(v)
		shown[v.ID] = &status
	}
	var ended []int64
	for _, n := range list {
		if n.Kind == community.NotifySevered {
			ended = append(ended, n.ID)
		}
	}
	severed, err := community.SeveredBy(tx, ended)
	if err != nil {
		return nil, err
	}
	out := make([]Notification, 0, len(list))
	for _, n := range list {
		from, known := accounts[n.FromID]
		if !known || n.PostID != nil && shown[*n.PostID] == nil {
			continue
		}
		told := Notification{ID: n.ID, CreatedAt: stampOf(n.CreatedAt), GroupKey: "ungrouped-" + strconv.FormatInt(n.ID, 10), Account: s.account(from, counts[from.ID])}
		for _, k := range kindNames {
			if k.kind == n.Kind {
				told.Type = k.name
			}
		}
		if told.Type == "" { // what clients have no word for, such as a report
			continue
		}
		if n.PostID != nil {
			told.Status = shown[*n.PostID]
		}
		if cut, ok := severed[n.ID]; ok {
			told.Event = &Severance{ID: n.ID, Type: "domain_block", TargetName: cut.Host, FollowersCount: cut.Followers, FollowingCount: cut.Following,
				CreatedAt: told.CreatedAt}
		}
		out = append(out, told)
	}
	return out, nil
}

// unread answers GET /api/v1/notifications/unread_count.
func (a *API) unread(c *call) (any, error) {
	var n int
	err := a.read(c, func(tx *store.Tx) (err error) {
		n, err = community.Unread(tx, c.me.ID)
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

// Marker says how far a list was read.
type Marker struct {
	LastReadID int64 `json:"last_read_id,string"`
	Version    int64 `json:"version"`
	UpdatedAt  stamp `json:"updated_at"`
}

// markers answers GET /api/v1/markers. How far notifications were read is
// known here; where somebody stopped at home, each client keeps for itself.
func (a *API) markers(c *call) (any, error) {
	out := map[string]Marker{}
	if !slices.Contains(c.list("timeline"), "notifications") {
		return out, nil
	}
	err := a.read(c, func(tx *store.Tx) error {
		read, err := community.ReadUpTo(tx, c.me.ID)
		if err == nil && read > 0 {
			out["notifications"] = Marker{LastReadID: read, Version: read, UpdatedAt: stampOf(store.ShortIDTime(read))}
		}
		return err
	})
	return out, err
}

// mark answers POST /api/v1/markers with the marks that are kept.
func (a *API) mark(c *call) (any, error) {
	upTo, err := strconv.ParseInt(c.Get("notifications[last_read_id]"), 10, 64)
	if err == nil && upTo > 0 {
		if err := a.deed(c, func(tx *store.Tx) error { return community.MarkRead(tx, c.me.ID, upTo) }); err != nil {
			return nil, err
		}
		c.Set("timeline[]", "notifications")
	}
	return a.markers(c)
}
