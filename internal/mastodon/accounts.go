package mastodon

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
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
	get("/accounts", a.open("read:accounts", a.someAccounts))
	post("/accounts", a.open("", a.signUp))
	a.relationshipRoutes(r)
	a.searchRoutes(r)
	a.profileRoutes(r)
	get("/accounts/{id:[0-9]+}", a.open("read:accounts", a.account))
	get("/accounts/{id:[0-9]+}/statuses", a.open("read:statuses", a.timeline(a.profile)))
	get("/accounts/{id:[0-9]+}/followers", a.open("read:accounts", a.neighbours(community.FollowersOf)))
	get("/accounts/{id:[0-9]+}/following", a.open("read:accounts", a.neighbours(community.FollowingOf)))
	get("/accounts/{id:[0-9]+}/featured_tags", a.open("read:accounts", a.featuredTags))
	get("/accounts/{id:[0-9]+}/lists", a.members("read:lists", a.listsWith))
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
	get("/mutes", a.members("read:mutes", a.mutes))
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

// met is the account of that number, if the caller may know of it.
func (c *call) met(tx *store.Tx, id int64) (community.Account, error) {
	acc, err := community.AccountByID(tx, id)
	if err != nil {
		return acc, orNotFound(err)
	}
	return acc, c.meets(tx, acc)
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
	source := &AccountSource{Privacy: defaultVisibility(user), Sensitive: user.DefaultSensitive, Language: text(user.DefaultLanguage), QuotePolicy: user.Quotes(), Note: me.BioSource, Fields: []Field{},
		FollowRequestsCount: int64(requests), Discoverable: me.Discoverable, Indexable: me.Indexable, HideCollections: true,
		AttributionDomains: append([]string{}, me.AttributionDomains...)}
	for _, f := range community.ProfileOf(me).Fields {
		source.Fields = append(source.Fields, Field{Name: f.Name, Value: f.Value})
	}
	out.Source, out.Role, out.Chalkring.Role = source, roleOf(user.Role), user.Role
	return out, nil
}

// roleOf is a role for clients, without permissions: what they open is done
// on pages here.
func roleOf(r community.Role) *AccountRole {
	return &AccountRole{ID: strconv.Itoa(slices.Index(community.Roles(), r) + 1), Name: string(r), Permissions: "0"}
}

// profile is the list behind GET /api/v1/accounts/{id}/statuses.
func (a *API) profile(tx *store.Tx, c *call, page store.Page) ([]community.View, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	if c.flag("pinned", false) {
		return loaded(a.pinned)(tx, c, page)
	}
	views, err := community.ProfileViews(tx, c.viewer, id, community.ProfileFilter{WithoutReplies: c.flag("exclude_replies", false),
		WithoutBoosts: c.flag("exclude_reblogs", false), OnlyMedia: c.flag("only_media", false), Tag: c.Get("tagged")}, page)
	if err == nil && len(views) == 0 { // so has an account that is not there
		if _, err = community.AccountByID(tx, id); err != nil {
			err = orNotFound(err)
		}
	}
	return views, err
}

// pinned is the same with pinned=true.
func (a *API) pinned(tx *store.Tx, c *call, page store.Page) ([]community.Post, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	account, err := community.AccountByID(tx, id)
	if err != nil {
		return nil, orNotFound(err)
	}
	if c.signedIn() {
		c.besides = []func(context.Context){func(ctx context.Context) { a.Lookup.FreshenAccount(ctx, account) }}
	}
	if page.MaxID > 0 || page.MinID > 0 || page.SinceID > 0 {
		return nil, nil // they are few, and all on the first page
	}
	return community.PinsOf(tx, c.viewer, id)
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
		waiting, err := community.WaitingAmong(tx, ids)
		if err != nil {
			return err
		}
		ids = slices.DeleteFunc(ids, func(id int64) bool { _, ok := known[id]; return !ok || waiting[id] })
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
		out[i] = Relationship{ID: r.AccountID, Following: r.Following == community.FollowAccepted,
			ShowingReblogs: r.Following != community.FollowNone && !r.BoostsHidden, Notifying: r.Following != community.FollowNone && r.Notify,
			Requested: r.Following == community.FollowRequested, FollowedBy: r.FollowedBy == community.FollowAccepted,
			RequestedBy: r.FollowedBy == community.FollowRequested, Blocking: r.Blocking, BlockedBy: r.BlockedBy,
			Muting: r.Muting, MutingNotifications: r.MutingNotifications, MutingExpiresAt: stampOrNull(r.MuteEnds),
			DomainBlocking: r.HostBlocked, Endorsed: r.Endorsed, Note: r.Note}
		if r.Following != community.FollowNone {
			out[i].Languages = r.LanguageList()
		}
		if len(out[i].Languages) == 0 {
			out[i].Languages = nil // all
		}
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
			target, err := c.met(tx, id)
			if err != nil {
				return err
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

// follow reads how the caller wants to hear of the account. What the call does
// not name stays as it is.
func follow(tx *store.Tx, c *call, target community.Account) error {
	_, named := c.Values["languages[]"]
	named = named || c.Has("languages")
	languages, err := community.LanguagesOf(c.list("languages"))
	if err != nil {
		return err
	}
	if _, err := community.Follow(tx, c.me, target); fault.Is(err, fault.Forbidden) {
		return notAllowed()
	} else if err != nil {
		return err
	}
	return community.SetFollowOptions(tx, c.me, target, func(o *community.FollowOptions) {
		o.BoostsHidden, o.Notify = !c.flag("reblogs", !o.BoostsHidden), c.flag("notify", o.Notify)
		if named {
			o.Languages = languages
		}
	})
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
