package mastodon

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
	words "github.com/chalkring/chalkring/internal/text"
)

func (a *API) accountRoutes(r *routes) {
	get := func(path string, h http.HandlerFunc) {
		r.HandleFunc("/api/v1"+path, h).Methods(http.MethodGet, http.MethodHead)
	}
	post := func(path string, h http.HandlerFunc) { r.HandleFunc("/api/v1"+path, h).Methods(http.MethodPost) }
	get("/accounts/verify_credentials", a.members("profile", a.credentials))
	get("/accounts/relationships", a.members("read:follows", a.relationships))
	get("/accounts/lookup", a.open("read:accounts", a.lookupAccount))
	get("/accounts/search", a.members("read:accounts", a.searchAccounts))
	r.HandleFunc("/api/v2/search", a.open("read:search", a.search)).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/api/v1/accounts/update_credentials", a.members("write:accounts", a.updateCredentials)).Methods(http.MethodPatch)
	get("/accounts/{id:[0-9]+}", a.open("read:accounts", a.account))
	get("/accounts/{id:[0-9]+}/statuses", a.open("read:statuses", a.timeline(a.profile)))
	get("/accounts/{id:[0-9]+}/followers", a.open("read:accounts", a.neighbours(community.FollowersOf)))
	get("/accounts/{id:[0-9]+}/following", a.open("read:accounts", a.neighbours(community.FollowingOf)))
	get("/accounts/{id:[0-9]+}/featured_tags", a.open("read:accounts", empty))
	get("/accounts/{id:[0-9]+}/lists", a.members("read:lists", empty))
	post("/accounts/{id:[0-9]+}/follow", a.members("write:follows", a.toward(follow)))
	post("/accounts/{id:[0-9]+}/unfollow", a.members("write:follows", a.toward(deedOnly(community.Unfollow))))
	post("/accounts/{id:[0-9]+}/remove_from_followers", a.members("write:follows", a.toward(deedOnly(community.RemoveFollower))))
	post("/accounts/{id:[0-9]+}/block", a.members("write:blocks", a.toward(deedOnly(community.Block))))
	post("/accounts/{id:[0-9]+}/unblock", a.members("write:blocks", a.toward(deedOnly(community.Unblock))))
	post("/accounts/{id:[0-9]+}/mute", a.members("write:mutes", a.toward(mute)))
	post("/accounts/{id:[0-9]+}/unmute", a.members("write:mutes", a.toward(deedOnly(community.Unmute))))
	get("/follow_requests", a.members("read:follows", a.mine(community.Requests)))
	post("/follow_requests/{id:[0-9]+}/authorize", a.members("write:follows", a.toward(deedOnly(community.AcceptFollow))))
	post("/follow_requests/{id:[0-9]+}/reject", a.members("write:follows", a.toward(deedOnly(community.RejectFollow))))
	get("/blocks", a.members("read:blocks", a.mine(community.BlockedBy)))
	get("/mutes", a.members("read:mutes", a.mine(community.MutedBy)))
	get("/preferences", a.members("read:accounts", a.preferences))
}

func idText(id int64) string { return strconv.FormatInt(id, 10) }

// accounts is how some accounts are shown, in their order.
func (a *API) accounts(tx *store.Tx, c *call, ids []int64) ([]Account, error) {
	known, err := community.AccountsByID(tx, ids)
	if err != nil {
		return nil, err
	}
	counts, err := community.CountsOf(tx, ids)
	if err != nil {
		return nil, err
	}
	s := a.shape(c)
	out := make([]Account, 0, len(ids))
	for _, id := range ids {
		if acc, ok := known[id]; ok && !acc.Gone() {
			out = append(out, s.account(acc, counts[id]))
		}
	}
	return out, nil
}

// one is how one account is shown.
func (a *API) one(tx *store.Tx, c *call, acc community.Account) (Account, error) {
	to, moved, err := community.MovedAccount(tx, acc)
	if err != nil {
		return Account{}, err
	}
	counts, err := community.CountsOf(tx, []int64{acc.ID, to.ID})
	out := a.shape(c).account(acc, counts[acc.ID])
	if moved && (to.Local() || c.signedIn()) {
		now := a.shape(c).account(to, counts[to.ID])
		out.Moved = &now
	}
	return out, err
}

// meets fails for an account that the caller is not told of: one that waits to
// be let in, and for guests people of other servers, as on the pages.
func (c *call) meets(tx *store.Tx, acc community.Account) error {
	waits, err := community.Waits(tx, acc)
	if err == nil && (waits || !acc.Local() && !c.signedIn()) {
		err = notFound()
	}
	return err
}

// account answers GET /api/v1/accounts/{id}.
func (a *API) account(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	var out Account
	err = a.read(c, func(tx *store.Tx) error {
		acc, err := community.AccountByID(tx, id)
		if err == nil {
			err = c.meets(tx, acc)
		}
		if err != nil {
			return orNotFound(err)
		}
		out, err = a.one(tx, c, acc)
		return err
	})
	return out, err
}

// lookupAccount answers GET /api/v1/accounts/lookup: what is known here, no
// other server is asked.
func (a *API) lookupAccount(c *call) (any, error) {
	h, err := iri.ParseHandle(c.Get("acct"), iri.IsDev(a.site.Host))
	if err != nil {
		return nil, notFound()
	}
	var out Account
	err = a.read(c, func(tx *store.Tx) error {
		acc, err := community.AccountByHandle(tx, h.Name, h.Host)
		if err == nil {
			err = c.meets(tx, acc)
		}
		if err != nil || acc.Gone() {
			return orNotFound(err)
		}
		out, err = a.one(tx, c, acc)
		return err
	})
	return out, err
}

// credentials answers GET /api/v1/accounts/verify_credentials.
func (a *API) credentials(c *call) (any, error) {
	var out Account
	err := a.read(c, func(tx *store.Tx) (err error) {
		out, err = a.ownAccount(tx, c, c.me)
		return err
	})
	return out, err
}

// ownAccount is the caller's account with what only they are told.
func (a *API) ownAccount(tx *store.Tx, c *call, me community.Account) (Account, error) {
	out, err := a.one(tx, c, me)
	if err != nil {
		return out, err
	}
	requests, err := community.CountRequests(tx, me.ID)
	if err != nil {
		return out, err
	}
	user := c.access.Person.User
	source := &AccountSource{Privacy: defaultVisibility(user), Language: text(user.Locale), Note: me.BioSource, Fields: []Field{},
		FollowRequestsCount: int64(requests), Discoverable: me.Discoverable, Indexable: me.Indexable, HideCollections: true}
	for _, f := range community.ProfileOf(me).Fields {
		source.Fields = append(source.Fields, Field{Name: f.Name, Value: f.Value})
	}
	out.Source, out.Role = source, roleOf(user.Role)
	return out, nil
}

// defaultVisibility is the word for what somebody usually writes for.
func defaultVisibility(u community.User) string {
	return visibility(community.Post{Audience: u.DefaultAudience})
}

// roleOf is a role for clients, without permissions: what they open is done
// on pages here.
func roleOf(r community.Role) *AccountRole {
	return &AccountRole{ID: strconv.Itoa(slices.Index(community.Roles(), r) + 1), Name: string(r), Permissions: "0"}
}

// preferences answers GET /api/v1/preferences.
func (a *API) preferences(c *call) (any, error) {
	user := c.access.Person.User
	return map[string]any{"posting:default:visibility": defaultVisibility(user), "posting:default:sensitive": false,
		"posting:default:language": text(user.Locale), "reading:expand:media": "default", "reading:expand:spoilers": false}, nil
}

// profile is the list behind GET /api/v1/accounts/{id}/statuses.
func (a *API) profile(tx *store.Tx, c *call, page store.Page) ([]community.Post, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	account, err := community.AccountByID(tx, id)
	if err != nil {
		return nil, orNotFound(err)
	}
	if c.flag("pinned", false) {
		if c.signedIn() {
			a.Lookup.FreshenAccount(c.r.Context(), account)
		}
		if page.MaxID > 0 || page.MinID > 0 || page.SinceID > 0 {
			return nil, nil // they are few, and all on the first page
		}
		return community.PinsOf(tx, c.viewer, id)
	}
	return community.ProfileTimeline(tx, c.viewer, id, community.ProfileFilter{WithoutReplies: c.flag("exclude_replies", false),
		WithoutBoosts: c.flag("exclude_reblogs", false), OnlyMedia: c.flag("only_media", false)}, page)
}

// listed is a question for people in a list.
type listed func(tx *store.Tx, account int64, page store.Page) ([]community.Listed, error)

// neighbours answers with whom an account follows or is followed by, to the
// account itself only; all others see an empty list.
func (a *API) neighbours(fn listed) endpoint {
	return func(c *call) (any, error) {
		id, err := c.idOf("id")
		if err != nil {
			return nil, err
		}
		if id != c.me.ID {
			return []Account{}, nil
		}
		return a.mine(fn)(c)
	}
}

// mine answers with a page of people in one of the caller's lists.
func (a *API) mine(fn listed) endpoint {
	return func(c *call) (any, error) {
		page := c.page(40, 80)
		out := []Account{}
		err := a.read(c, func(tx *store.Tx) error {
			list, err := fn(tx, c.me.ID, page)
			if err != nil {
				return err
			}
			ids := make([]int64, len(list))
			for i, l := range list {
				ids[i] = l.ID
			}
			if n := len(list); n > 0 {
				a.link(c, page, n, list[0].Cursor, list[n-1].Cursor)
			}
			out, err = a.accounts(tx, c, ids)
			return err
		})
		return out, err
	}
}

// relationships answers GET /api/v1/accounts/relationships.
func (a *API) relationships(c *call) (any, error) {
	ids := c.ids("id")
	if len(ids) > 100 {
		ids = ids[:100]
	}
	out := []Relationship{}
	err := a.read(c, func(tx *store.Tx) error {
		known, err := community.AccountsByID(tx, ids)
		if err != nil {
			return err
		}
		ids = slices.DeleteFunc(ids, func(id int64) bool { _, ok := known[id]; return !ok })
		out, err = relationships(tx, c.me.ID, ids)
		return err
	})
	return out, err
}

func relationships(tx *store.Tx, me int64, ids []int64) ([]Relationship, error) {
	list, err := community.Relationship(tx, me, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Relationship, len(list))
	for i, r := range list {
		out[i] = Relationship{ID: r.AccountID, Following: r.Following == community.FollowAccepted, ShowingReblogs: r.Following == community.FollowAccepted,
			Requested: r.Following == community.FollowRequested, FollowedBy: r.FollowedBy == community.FollowAccepted,
			RequestedBy: r.FollowedBy == community.FollowRequested, Blocking: r.Blocking, BlockedBy: r.BlockedBy,
			Muting: r.Muting, MutingNotifications: r.MutingNotifications}
	}
	return out, nil
}

// toward answers a deed toward the account in the path with how the two stand
// to each other then.
func (a *API) toward(deed func(tx *store.Tx, c *call, target community.Account) error) endpoint {
	return func(c *call) (any, error) {
		id, err := c.idOf("id")
		if err != nil {
			return nil, err
		}
		var out []Relationship
		err = a.deed(c, func(tx *store.Tx) error {
			target, err := community.AccountByID(tx, id)
			if err != nil {
				return orNotFound(err)
			}
			if err := deed(tx, c, target); err != nil {
				return err
			}
			out, err = relationships(tx, c.me.ID, []int64{id})
			return err
		})
		if err != nil {
			return nil, err
		}
		return out[0], nil
	}
}

// deedOnly is a deed that takes nothing but the two accounts.
func deedOnly(deed func(tx *store.Tx, me, target community.Account) error) func(tx *store.Tx, c *call, target community.Account) error {
	return func(tx *store.Tx, c *call, target community.Account) error { return deed(tx, c.me, target) }
}

func follow(tx *store.Tx, c *call, target community.Account) error {
	_, err := community.Follow(tx, c.me, target)
	return err
}

// mute reads how long and how far: duration in seconds, 0 for ever.
func mute(tx *store.Tx, c *call, target community.Account) error {
	var until *time.Time
	if seconds, err := strconv.ParseInt(c.Get("duration"), 10, 32); err == nil && seconds > 0 {
		end := tx.Now.Add(time.Duration(seconds) * time.Second)
		until = &end
	}
	return community.Mute(tx, c.me, target, c.flag("notifications", true), until)
}

// searchAccounts answers GET /api/v1/accounts/search.
func (a *API) searchAccounts(c *call) (any, error) {
	return a.findAccounts(c, c.page(40, 80).Limit)
}

// findAccounts finds people by what the caller typed: by their whole handle or
// address, with resolve also at their server, or by how a name begins among
// the people here and those whom the caller follows.
func (a *API) findAccounts(c *call, limit int) ([]Account, error) {
	q := c.Get("q")
	var found []int64
	if c.signedIn() && c.flag("resolve", false) && (isAddress(q) || isHandle(q)) {
		acc, err := a.Lookup.Resolve(c.r.Context(), q)
		switch {
		case err == nil && !acc.Gone():
			found = append(found, acc.ID)
		case fault.Is(err, fault.Internal), fault.Is(err, fault.Forbidden):
			return nil, err // a server that is not admitted: say so
		}
	}
	out := []Account{}
	err := a.read(c, func(tx *store.Tx) error {
		if len(found) == 0 && isAddress(q) {
			if acc, err := community.AccountByURI(tx, q); err == nil {
				found = append(found, acc.ID)
			} else if !fault.Is(err, fault.NotFound) {
				return err
			}
		}
		if h, err := iri.ParseHandle(q, iri.IsDev(a.site.Host)); err == nil && len(found) == 0 {
			if acc, err := community.AccountByHandle(tx, h.Name, h.Host); err == nil {
				found = append(found, acc.ID)
			} else if !fault.Is(err, fault.NotFound) {
				return err
			}
		}
		if len(found) == 0 && c.signedIn() {
			list, err := community.FindPeople(tx, c.me.ID, q, limit)
			if err != nil {
				return err
			}
			found = list
		}
		known, err := community.AccountsByID(tx, found)
		if err != nil {
			return err
		}
		for _, acc := range known {
			if err := c.meets(tx, acc); fault.Is(err, fault.NotFound) {
				found = slices.DeleteFunc(found, func(id int64) bool { return id == acc.ID })
			} else if err != nil {
				return err
			}
		}
		out, err = a.accounts(tx, c, found)
		return err
	})
	return out, err
}

func isAddress(q string) bool {
	_, err := iri.HostOf(q)
	return err == nil
}

// isHandle reports whether q names somebody with their server: not just a
// first letter or two.
func isHandle(q string) bool {
	h, err := iri.ParseHandle(q, true)
	return err == nil && h.Host != ""
}

// StatusSearch is Mastodon's Search entity.
type StatusSearch struct {
	Accounts []Account   `json:"accounts"`
	Statuses []Status    `json:"statuses"`
	Hashtags []StatusTag `json:"hashtags"`
}

// search answers GET /api/v2/search: people, a post by its address, a hashtag
// by its name.
func (a *API) search(c *call) (any, error) {
	out := StatusSearch{Accounts: []Account{}, Statuses: []Status{}, Hashtags: []StatusTag{}}
	kind, q := c.Get("type"), c.Get("q")
	if !c.signedIn() && c.flag("resolve", false) {
		return nil, fault.New(fault.Unauthorized, "Sign in to look up what is on other servers.")
	}
	if isAddress(q) && (kind == "" || kind == "statuses") {
		var err error
		if out.Statuses, err = a.findPost(c, q); err != nil {
			return nil, err
		}
	}
	if (kind == "" || kind == "accounts") && len(out.Statuses) == 0 {
		var err error
		if out.Accounts, err = a.findAccounts(c, c.page(20, 40).Limit); err != nil {
			return nil, err
		}
	}
	if kind == "" || kind == "hashtags" {
		if len(q) > 1 && q[0] == '#' && words.TagKey(q[1:]) != "" {
			out.Hashtags = append(out.Hashtags, StatusTag{Name: q[1:], URL: a.site.Tag(words.TagKey(q[1:]))})
		}
	}
	return out, nil
}

// findPost finds a post by its address, with resolve also at its server. What
// the caller may not see is not found.
func (a *API) findPost(c *call, address string) ([]Status, error) {
	var p community.Post
	var err error
	if c.signedIn() && c.flag("resolve", false) {
		p, err = a.Lookup.ResolvePost(c.r.Context(), address)
	} else {
		err = a.read(c, func(tx *store.Tx) (err error) {
			p, err = community.PostByURI(tx, address)
			return err
		})
	}
	if err != nil {
		if fault.Is(err, fault.Internal) || fault.Of(err).Kind == fault.Internal || fault.Is(err, fault.Forbidden) {
			return nil, err
		}
		return []Status{}, nil
	}
	out := []Status{}
	err = a.read(c, func(tx *store.Tx) error {
		seen, err := community.VisiblePost(tx, p.ID, c.viewer)
		if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
			return nil
		}
		if err != nil {
			return err
		}
		status, err := a.shown(tx, c, seen)
		out = append(out, status)
		return err
	})
	return out, err
}
