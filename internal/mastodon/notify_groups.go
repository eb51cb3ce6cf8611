package mastodon

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// groupRoutes mounts grouped notifications, also under the name that they had
// before they were settled (4.3.0-beta.1).
func (a *API) groupRoutes(r *routes) {
	for _, base := range []string{"/api/v2/notifications", "/api/v2_alpha/notifications"} {
		get := func(path string, h http.HandlerFunc) {
			r.HandleFunc(base+path, h).Methods(http.MethodGet, http.MethodHead)
		}
		get("", a.members("read:notifications", a.groups))
		get("/unread_count", a.members("read:notifications", a.unreadGroups))
		get("/{group_key:[A-Za-z0-9_-]+}", a.members("read:notifications", a.group))
		get("/{group_key:[A-Za-z0-9_-]+}/accounts", a.members("read:notifications", a.groupAccounts))
		r.HandleFunc(base+"/{group_key:[A-Za-z0-9_-]+}/dismiss", a.members("write:notifications", a.dismissGroup)).Methods(http.MethodPost)
	}
}

// NotificationGroup is Mastodon's NotificationGroup entity. Its newest
// notification is named by a number, as Ice Cubes reads it.
type NotificationGroup struct {
	GroupKey                 string     `json:"group_key"`
	NotificationsCount       int        `json:"notifications_count"`
	Type                     string     `json:"type"`
	MostRecentNotificationID int64      `json:"most_recent_notification_id"`
	PageMinID                *string    `json:"page_min_id,omitempty"`
	PageMaxID                *string    `json:"page_max_id,omitempty"`
	LatestPageNotificationAt *stamp     `json:"latest_page_notification_at,omitempty"`
	SampleAccountIDs         []string   `json:"sample_account_ids"`
	StatusID                 *string    `json:"status_id,omitempty"`
	Event                    *Severance `json:"event,omitempty"`
	Report                   *Report    `json:"report,omitempty"`
	Fallback                 *Fallback  `json:"fallback,omitempty"`
}

// GroupedNotifications is Mastodon's GroupedNotificationsResults entity.
type GroupedNotifications struct {
	Accounts        []Account           `json:"accounts"`
	PartialAccounts []PartialAccount    `json:"partial_accounts,omitempty"`
	Statuses        []*Status           `json:"statuses"`
	Groups          []NotificationGroup `json:"notification_groups"`
}

// PartialAccount is an account of whom only the picture is shown
// (PartialAccountWithAvatar).
type PartialAccount struct {
	ID           int64  `json:"id,string"`
	Acct         string `json:"acct"`
	Locked       bool   `json:"locked"`
	Bot          bool   `json:"bot"`
	URL          string `json:"url"`
	Avatar       string `json:"avatar"`
	AvatarStatic string `json:"avatar_static"`
}

// groupable are the types that are told of together.
var groupable = []string{"favourite", "reblog", "follow"}

// grouped is which kinds the caller wants together: grouped_types, or all that
// can be.
func (c *call) grouped() []community.NotificationKind {
	names := groupable
	if _, said := c.Values["grouped_types[]"]; said || c.Has("grouped_types") {
		names = slices.DeleteFunc(c.list("grouped_types"), func(name string) bool { return !slices.Contains(groupable, name) })
	}
	return kindsNamed(names)
}

// groups answers GET /api/v2/notifications.
func (a *API) groups(c *call) (any, error) {
	page := c.page(40, 80)
	out := GroupedNotifications{Accounts: []Account{}, Statuses: []*Status{}, Groups: []NotificationGroup{}}
	filter, ok := c.wanted()
	if !ok {
		return out, nil
	}
	err := a.read(c, func(tx *store.Tx) error {
		list, err := community.NotificationGroups(tx, c.me.ID, filter, c.grouped(), page)
		if err != nil {
			return err
		}
		if n := len(list); n > 0 {
			a.link(c, page, n, list[0].ID, list[n-1].ID)
		}
		out, err = a.toldTogether(tx, c, list, true)
		return err
	})
	return out, err
}

// toldTogether brings what groups are about. Whoever and whatever a group
// names is there once, however many name it.
func (a *API) toldTogether(tx *store.Tx, c *call, list []community.NotificationGroup, paged bool) (GroupedNotifications, error) {
	out := GroupedNotifications{Accounts: []Account{}, Statuses: []*Status{}, Groups: []NotificationGroup{}}
	var newest []community.Notification
	var people []int64
	for _, g := range list {
		newest = append(newest, g.Notification)
		people = append(people, g.From...)
	}
	t, err := a.tale(tx, c, newest, people)
	if err != nil {
		return out, err
	}
	partial := c.Get("expand_accounts") == "partial_avatars"
	full, faces, posts := map[int64]bool{}, map[int64]bool{}, map[int64]bool{}
	for _, g := range list {
		if !t.tells(g.Notification) {
			continue
		}
		shown := NotificationGroup{GroupKey: g.Key, NotificationsCount: g.Count, Type: nameOf(g.Kind), MostRecentNotificationID: g.ID, SampleAccountIDs: []string{},
			Event: t.event(g.Notification), Report: t.report(g.Notification), Fallback: t.fallback(g.Notification)}
		if paged {
			at := stampOf(g.CreatedAt)
			shown.PageMinID, shown.PageMaxID, shown.LatestPageNotificationAt = text(idText(g.Oldest)), text(idText(g.Notification.ID)), &at
		}
		for i, id := range unique(g.From) {
			if _, known := t.accounts[id]; !known {
				continue
			}
			shown.SampleAccountIDs = append(shown.SampleAccountIDs, idText(id))
			if i == 0 || !partial {
				full[id] = true
			} else {
				faces[id] = true
			}
		}
		if g.PostID != nil {
			shown.StatusID = text(idText(*g.PostID))
			if !posts[*g.PostID] {
				posts[*g.PostID] = true
				out.Statuses = append(out.Statuses, t.statuses[*g.PostID])
			}
		}
		out.Groups = append(out.Groups, shown)
	}
	for _, id := range unique(people) {
		acc, known := t.accounts[id]
		switch {
		case !known:
		case full[id]:
			out.Accounts = append(out.Accounts, acc)
		case faces[id]:
			out.PartialAccounts = append(out.PartialAccounts, PartialAccount{ID: acc.ID, Acct: acc.Acct, Locked: acc.Locked, Bot: acc.Bot, URL: acc.URL,
				Avatar: acc.Avatar, AvatarStatic: acc.AvatarStatic})
		}
	}
	return out, nil
}

// groupKey is the group that the path names.
func (c *call) groupKey() string { return mux.Vars(c.r)["group_key"] }

// group answers GET /api/v2/notifications/{group_key}.
func (a *API) group(c *call) (any, error) {
	var out GroupedNotifications
	err := a.read(c, func(tx *store.Tx) error {
		g, err := community.NotificationGroupByKey(tx, c.me.ID, c.groupKey())
		if err != nil {
			return orNotFound(err)
		}
		out, err = a.toldTogether(tx, c, []community.NotificationGroup{g}, false)
		if err == nil && len(out.Groups) == 0 {
			return notFound()
		}
		return err
	})
	return out, err
}

// groupAccounts answers GET /api/v2/notifications/{group_key}/accounts.
func (a *API) groupAccounts(c *call) (any, error) {
	page := c.page(40, 80)
	out := []Account{}
	err := a.read(c, func(tx *store.Tx) error {
		list, err := community.NotificationGroupAccounts(tx, c.me.ID, c.groupKey(), page)
		if err != nil {
			return err
		}
		if len(list) == 0 && page.MaxID == 0 && page.MinID == 0 && page.SinceID == 0 {
			return notFound()
		}
		ids := make([]int64, len(list))
		for i, n := range list {
			ids[i] = n.FromID
		}
		if n := len(list); n > 0 {
			a.link(c, page, n, list[0].ID, list[n-1].ID)
		}
		out, err = a.accounts(tx, c, unique(ids))
		return err
	})
	return out, err
}

// dismissGroup answers POST /api/v2/notifications/{group_key}/dismiss.
func (a *API) dismissGroup(c *call) (any, error) {
	key := c.groupKey()
	if strings.Trim(key, "-") == "" {
		return nil, notFound()
	}
	return none, a.deed(c, func(tx *store.Tx) error { return community.DismissGroup(tx, c.me.ID, key) })
}

// unreadGroups answers GET /api/v2/notifications/unread_count.
func (a *API) unreadGroups(c *call) (any, error) {
	filter, ok := c.wanted()
	var n int
	if !ok {
		return map[string]int{"count": n}, nil
	}
	err := a.read(c, func(tx *store.Tx) (err error) {
		n, err = community.UnreadGroups(tx, c.me.ID, filter, c.grouped(), c.mostOf())
		return err
	})
	return map[string]int{"count": n}, err
}
