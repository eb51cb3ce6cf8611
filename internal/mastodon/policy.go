package mastodon

import (
	"net/http"
	"strconv"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// policyRoutes mounts what somebody wants to hear from whom, and who asks to be
// heard.
func (a *API) policyRoutes(r *routes) {
	get := func(path string, h http.HandlerFunc) { r.HandleFunc(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.HandlerFunc) { r.HandleFunc(path, h).Methods(http.MethodPost) }
	const one = "/api/v1/notifications/requests"
	for _, version := range []string{"v1", "v2"} {
		path := "/api/" + version + "/notifications/policy"
		get(path, a.members("read:notifications", a.policy))
		// Some clients write with PUT and some with PATCH.
		r.HandleFunc(path, a.members("write:notifications", a.setPolicy)).Methods(http.MethodPut, http.MethodPatch)
	}
	get(one, a.members("read:notifications", a.requests))
	get(one+"/merged", a.members("read:notifications", a.merged))
	post(one+"/accept", a.members("write:notifications", a.decideAll(community.AcceptNotifications)))
	post(one+"/dismiss", a.members("write:notifications", a.decideAll(community.DismissNotifications)))
	get(one+"/{id:[0-9]+}", a.members("read:notifications", a.request))
	post(one+"/{id:[0-9]+}/accept", a.members("write:notifications", a.decide(community.AcceptNotifications)))
	post(one+"/{id:[0-9]+}/dismiss", a.members("write:notifications", a.decide(community.DismissNotifications)))
}

// Policy is Mastodon's NotificationPolicy entity.
type Policy struct {
	ForNotFollowing    community.PolicyChoice `json:"for_not_following"`
	ForNotFollowers    community.PolicyChoice `json:"for_not_followers"`
	ForNewAccounts     community.PolicyChoice `json:"for_new_accounts"`
	ForPrivateMentions community.PolicyChoice `json:"for_private_mentions"`
	ForLimitedAccounts community.PolicyChoice `json:"for_limited_accounts"`
	Summary            PolicySummary          `json:"summary"`
}

// PolicyV1 is the same as it was before there was a third choice
// (V1::NotificationPolicy).
type PolicyV1 struct {
	FilterNotFollowing    bool          `json:"filter_not_following"`
	FilterNotFollowers    bool          `json:"filter_not_followers"`
	FilterNewAccounts     bool          `json:"filter_new_accounts"`
	FilterPrivateMentions bool          `json:"filter_private_mentions"`
	Summary               PolicySummary `json:"summary"`
}

// PolicySummary is what was kept apart.
type PolicySummary struct {
	Requests      int `json:"pending_requests_count"`
	Notifications int `json:"pending_notifications_count"`
}

// older reports whether the caller asked by the first form of the policy.
func (c *call) older() bool { return partOf(c.r.URL.Path) == "/api/v1/notifications" }

// policy answers GET /api/v1/notifications/policy and /api/v2/notifications/policy.
func (a *API) policy(c *call) (any, error) {
	var out any
	err := a.read(c, func(tx *store.Tx) error {
		p, err := community.PolicyOf(tx, c.me.ID)
		if err == nil {
			out, err = a.shownPolicy(tx, c, p)
		}
		return err
	})
	return out, err
}

func (a *API) shownPolicy(tx *store.Tx, c *call, p community.NotificationPolicy) (any, error) {
	requests, notifications, err := community.CountNotificationRequests(tx, c.me.ID)
	if err != nil {
		return nil, err
	}
	sum := PolicySummary{Requests: requests, Notifications: notifications}
	if c.older() {
		filters := func(choice community.PolicyChoice) bool { return choice != community.PolicyAccept }
		return PolicyV1{FilterNotFollowing: filters(p.ForNotFollowing), FilterNotFollowers: filters(p.ForNotFollowers),
			FilterNewAccounts: filters(p.ForNewAccounts), FilterPrivateMentions: filters(p.ForPrivateMentions), Summary: sum}, nil
	}
	return Policy{ForNotFollowing: p.ForNotFollowing, ForNotFollowers: p.ForNotFollowers, ForNewAccounts: p.ForNewAccounts,
		ForPrivateMentions: p.ForPrivateMentions, ForLimitedAccounts: p.ForLimitedAccounts, Summary: sum}, nil
}

// setPolicy answers PUT and PATCH. What is not named stays as it is.
func (a *API) setPolicy(c *call) (any, error) {
	var out any
	err := a.deed(c, func(tx *store.Tx) error {
		p, err := community.PolicyOf(tx, c.me.ID)
		if err != nil {
			return err
		}
		for _, part := range []struct {
			older, name string
			choice      *community.PolicyChoice
		}{
			{"filter_not_following", "for_not_following", &p.ForNotFollowing},
			{"filter_not_followers", "for_not_followers", &p.ForNotFollowers},
			{"filter_new_accounts", "for_new_accounts", &p.ForNewAccounts},
			{"filter_private_mentions", "for_private_mentions", &p.ForPrivateMentions},
			{"", "for_limited_accounts", &p.ForLimitedAccounts},
		} {
			switch {
			case !c.older() && c.Has(part.name):
				*part.choice = community.PolicyChoice(c.Get(part.name))
			case c.older() && part.older != "" && c.Has(part.older):
				filters := c.flag(part.older, false)
				if filters == (*part.choice == community.PolicyAccept) { // a stricter choice stays
					*part.choice = community.PolicyAccept
					if filters {
						*part.choice = community.PolicyFilter
					}
				}
			}
		}
		if err := community.SetPolicy(tx, p); err != nil {
			return err
		}
		out, err = a.shownPolicy(tx, c, p)
		return err
	})
	return out, err
}

// NotificationRequest is Mastodon's NotificationRequest entity. Its count is a
// text.
type NotificationRequest struct {
	ID                 int64   `json:"id,string"`
	CreatedAt          stamp   `json:"created_at"`
	UpdatedAt          stamp   `json:"updated_at"`
	NotificationsCount string  `json:"notifications_count"`
	Account            Account `json:"account"`
	LastStatus         *Status `json:"last_status"`
}

// requests answers GET /api/v1/notifications/requests.
func (a *API) requests(c *call) (any, error) {
	page := c.page(40, 80)
	out := []NotificationRequest{}
	err := a.read(c, func(tx *store.Tx) error {
		list, err := community.NotificationRequests(tx, c.me.ID, page)
		if err != nil {
			return err
		}
		if n := len(list); n > 0 {
			a.link(c, page, n, list[0].ID, list[n-1].ID)
		}
		out, err = a.shownRequests(tx, c, list)
		return err
	})
	return out, err
}

func (a *API) shownRequests(tx *store.Tx, c *call, list []community.NotificationRequest) ([]NotificationRequest, error) {
	about := make([]community.Notification, len(list))
	for i, r := range list {
		about[i] = community.Notification{FromID: r.FromID, PostID: r.PostID}
	}
	t, err := a.tale(tx, c, about, nil)
	if err != nil {
		return nil, err
	}
	out := make([]NotificationRequest, 0, len(list))
	for _, r := range list {
		from, known := t.accounts[r.FromID]
		if !known {
			continue
		}
		shown := NotificationRequest{ID: r.ID, CreatedAt: stampOf(r.CreatedAt), UpdatedAt: stampOf(r.UpdatedAt), NotificationsCount: strconv.Itoa(r.Count), Account: from}
		if r.PostID != nil {
			shown.LastStatus = t.statuses[*r.PostID]
		}
		out = append(out, shown)
	}
	return out, nil
}

// request answers GET /api/v1/notifications/requests/{id}.
func (a *API) request(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	var out []NotificationRequest
	err = a.read(c, func(tx *store.Tx) error {
		r, err := community.NotificationRequestByID(tx, c.me.ID, id)
		if err == nil {
			out, err = a.shownRequests(tx, c, []community.NotificationRequest{r})
		}
		return absent(err)
	})
	if err != nil || len(out) == 0 {
		return nil, orNotFound(err)
	}
	return out[0], nil
}

// merged answers GET /api/v1/notifications/requests/merged: whoever was
// accepted is among the others at once.
func (a *API) merged(*call) (any, error) { return map[string]bool{"merged": true}, nil }

// decide answers what becomes of one request.
func (a *API) decide(deed func(tx *store.Tx, me int64, requests []int64) error) endpoint {
	return func(c *call) (any, error) {
		id, err := c.idOf("id")
		if err != nil {
			return nil, err
		}
		return none, a.deed(c, func(tx *store.Tx) error {
			if _, err := community.NotificationRequestByID(tx, c.me.ID, id); err != nil {
				return orNotFound(err)
			}
			return deed(tx, c.me.ID, []int64{id})
		})
	}
}

// decideAll answers what becomes of several requests.
func (a *API) decideAll(deed func(tx *store.Tx, me int64, requests []int64) error) endpoint {
	return func(c *call) (any, error) {
		ids := c.ids("id")
		return none, a.deed(c, func(tx *store.Tx) error { return deed(tx, c.me.ID, ids[:min(len(ids), 400)]) })
	}
}
