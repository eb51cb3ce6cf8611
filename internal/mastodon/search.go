package mastodon

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
	words "github.com/chalkring/chalkring/internal/text"
)

// searchRoutes mounts the search. The first version of it answers as the second:
// what became of hashtags there no client reads any more.
func (a *API) searchRoutes(r *routes) {
	for _, path := range []string{"/api/v2/search", "/api/v1/search"} {
		r.HandleFunc(path, a.open("read:search", a.search)).Methods(http.MethodGet, http.MethodHead)
	}
}

// searchAccounts answers GET /api/v1/accounts/search.
func (a *API) searchAccounts(c *call) (any, error) {
	return a.findAccounts(c, c.page(40, 80).Limit, c.offset())
}

// mostOffset is how far a search by counting goes.
const mostOffset = 1000

// offset is how many of the things that were found are not wanted again.
func (c *call) offset() int {
	n, err := strconv.Atoi(c.Get("offset"))
	if err != nil || n < 0 {
		return 0
	}
	return min(n, mostOffset)
}

// findAccounts finds people by what the caller typed: by their whole handle or
// address, with resolve also at their server, or by how a name begins among
// the people here and those whom the caller follows.
func (a *API) findAccounts(c *call, limit, offset int) ([]Account, error) {
	q, following := strings.TrimSpace(c.Get("q")), c.flag("following", false)
	var found []int64
	if c.signedIn() && c.flag("resolve", false) && offset == 0 && !following && (isAddress(q) || isHandle(q)) {
		if err := a.prove(c); err != nil {
			return nil, err
		}
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
		if len(found) == 0 && offset == 0 && isAddress(q) {
			if acc, err := community.AccountByURI(tx, q); err == nil {
				found = append(found, acc.ID)
			} else if !fault.Is(err, fault.NotFound) {
				return err
			}
		}
		if h, err := iri.ParseHandle(q, iri.IsDev(a.site.Host)); err == nil && len(found) == 0 && offset == 0 {
			if acc, err := community.AccountByHandle(tx, h.Name, h.Host); err == nil {
				found = append(found, acc.ID)
			} else if !fault.Is(err, fault.NotFound) {
				return err
			}
		}
		exact := len(found) > 0
		if exact && following {
			ties, err := community.Relationship(tx, c.me.ID, found)
			if err != nil {
				return err
			}
			if ties[0].Following != community.FollowAccepted {
				found, exact = nil, false
			}
		}
		if !exact && c.signedIn() {
			list, err := community.FindPeople(tx, c.me.ID, q, following, limit, offset)
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
	Accounts []Account `json:"accounts"`
	Statuses []Status  `json:"statuses"`
	Hashtags []Tag     `json:"hashtags"`
}

// search answers GET /api/v2/search: people, a post by its address, hashtags by
// how their names begin. What people wrote is not searched.
func (a *API) search(c *call) (any, error) {
	out := StatusSearch{Accounts: []Account{}, Statuses: []Status{}, Hashtags: []Tag{}}
	kind, q := c.Get("type"), strings.TrimSpace(c.Get("q"))
	if !c.signedIn() && (c.flag("resolve", false) || c.Has("offset")) {
		return nil, fault.New(fault.Unauthorized, "Sign in to look up what is on other servers, and to look further.")
	}
	if q == "" {
		return out, nil
	}
	if !slices.Contains([]string{"", "accounts", "statuses", "hashtags"}, kind) {
		return nil, fault.New(fault.Invalid, "Search for accounts, statuses or hashtags.")
	}
	var err error
	if isAddress(q) && (kind == "" || kind == "statuses") && c.offset() == 0 {
		if out.Statuses, err = a.findPost(c, q); err != nil {
			return nil, err
		}
		if from := c.ids("account_id"); len(from) > 0 {
			out.Statuses = slices.DeleteFunc(out.Statuses, func(s Status) bool { return s.Account.ID != from[0] })
		}
	}
	if (kind == "" || kind == "accounts") && len(out.Statuses) == 0 && !strings.HasPrefix(q, "#") {
		if out.Accounts, err = a.findAccounts(c, c.page(20, 40).Limit, c.offset()); err != nil {
			return nil, err
		}
	}
	if (kind == "" || kind == "hashtags") && !isAddress(q) && !isHandle(q) {
		if out.Hashtags, err = a.findTags(c, q, kind == "hashtags"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// findTags finds hashtags by how they begin. One that is named is there, used
// or not; others are there only for a post that the caller may see.
func (a *API) findTags(c *call, q string, named bool) ([]Tag, error) {
	if strings.ContainsAny(q, " @") {
		return []Tag{}, nil
	}
	key := words.TagKey(strings.TrimLeft(q, "#"))
	if key == "" || !words.IsTag(strings.TrimLeft(q, "#")) {
		return []Tag{}, nil
	}
	var out []Tag
	err := a.read(c, func(tx *store.Tx) error {
		keys, err := community.FindTags(tx, c.viewer, key, c.page(20, 40).Limit, c.offset())
		if err != nil {
			return err
		}
		if c.offset() == 0 && (named || strings.HasPrefix(q, "#")) && !slices.Contains(keys, key) {
			keys = append([]string{key}, keys...)
		}
		out, err = a.tags(tx, c, keys)
		return err
	})
	return out, err
}

// findPost finds a post by its address, with resolve also at its server. What
// the caller may not see is not found.
func (a *API) findPost(c *call, address string) ([]Status, error) {
	var p community.Post
	var err error
	if c.signedIn() && c.flag("resolve", false) {
		if err := a.prove(c); err != nil {
			return nil, err
		}
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
