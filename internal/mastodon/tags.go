package mastodon

import (
	"hash/fnv"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) tagRoutes(r *routes) {
	on := func(method, path string, h http.HandlerFunc) {
		r.HandleFunc("/api/v1"+path, h).Methods(methods(method)...)
	}
	on(http.MethodGet, "/tags/{tag}", a.open("", a.oneTag))
	on(http.MethodPost, "/tags/{tag}/follow", a.members("write:follows", a.tagDeed(func(tx *store.Tx, c *call, name string) error {
		_, err := community.FollowTag(tx, c.me, name)
		return err
	})))
	on(http.MethodPost, "/tags/{tag}/unfollow", a.members("write:follows", a.tagDeed(func(tx *store.Tx, c *call, name string) error {
		_, err := community.UnfollowTag(tx, c.me, name)
		return err
	})))
	on(http.MethodPost, "/tags/{tag}/feature", a.members("write:accounts", a.tagDeed(func(tx *store.Tx, c *call, name string) error {
		_, err := community.FeatureTag(tx, c.me, name)
		return err
	})))
	on(http.MethodPost, "/tags/{tag}/unfeature", a.members("write:accounts", a.tagDeed(func(tx *store.Tx, c *call, name string) error {
		return community.UnfeatureTag(tx, c.me, name)
	})))
	on(http.MethodGet, "/followed_tags", a.members("read:follows", a.followedTags))
	on(http.MethodGet, "/featured_tags", a.members("read:accounts", a.ownFeaturedTags))
	on(http.MethodPost, "/featured_tags", a.members("write:accounts", a.featureTag))
	on(http.MethodDelete, "/featured_tags/{id:[0-9]+}", a.members("write:accounts", a.unfeatureTag))
	on(http.MethodGet, "/featured_tags/suggestions", a.members("read:accounts", a.suggestedTags))
	for _, path := range []string{"/trends", "/trends/tags", "/trends/statuses", "/trends/links"} {
		on(http.MethodGet, path, a.open("", empty)) // nothing here is ranked by how many people look at it
	}
}

// Tag is Mastodon's Tag entity. What ties the reader to it is absent for
// readers without a token.
type Tag struct {
	ID        string       `json:"id"`
	Name      string       `json:"name"`
	URL       string       `json:"url"`
	History   []TagHistory `json:"history"`
	Following *bool        `json:"following,omitempty"`
	Featuring *bool        `json:"featuring,omitempty"`
}

// TagHistory is a day of a Tag: numbers are strings there.
type TagHistory struct {
	Day      string `json:"day"` // seconds since 1970
	Uses     string `json:"uses"`
	Accounts string `json:"accounts"`
}

// FeaturedTag is Mastodon's FeaturedTag entity.
type FeaturedTag struct {
	ID            int64   `json:"id,string"`
	Name          string  `json:"name"`
	URL           string  `json:"url"`
	StatusesCount string  `json:"statuses_count"`
	LastStatusAt  *string `json:"last_status_at"`
}

// tagID is a number for a hashtag, which has none here: clients want one to
// tell hashtags apart.
func tagID(key string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key)) // never fails
	return strconv.FormatUint(h.Sum64()>>11, 10)
}

// tags is how hashtags are shown to the caller, by their keys.
func (a *API) tags(tx *store.Tx, c *call, keys []string) ([]Tag, error) {
	ties, err := community.TiesToTags(tx, c.me.ID, keys)
	if err != nil {
		return nil, err
	}
	counted := "" // a list says nothing of how much its hashtags are used
	if len(keys) == 1 {
		counted = keys[0]
	}
	days, err := community.DaysOf(tx, counted)
	if err != nil {
		return nil, err
	}
	history := make([]TagHistory, len(days))
	for i, d := range days {
		history[i] = TagHistory{Day: strconv.FormatInt(d.Day.Unix(), 10), Uses: strconv.Itoa(d.Uses), Accounts: strconv.Itoa(d.Accounts)}
	}
	out := make([]Tag, len(keys))
	for i, key := range keys {
		out[i] = Tag{ID: tagID(key), Name: key, URL: a.site.Tag(key), History: history}
		if c.signedIn() {
			tie := ties[key]
			out[i].Following, out[i].Featuring = &tie.Following, &tie.Featuring
		}
	}
	return out, nil
}

// oneTag answers GET /api/v1/tags/{name}. A hashtag that nobody used yet is
// there all the same: it can be followed.
func (a *API) oneTag(c *call) (any, error) {
	key, err := community.TagKey(mux.Vars(c.r)["tag"])
	if err != nil {
		return nil, orNotFound(err)
	}
	var out []Tag
	err = a.read(c, func(tx *store.Tx) (err error) {
		out, err = a.tags(tx, c, []string{key})
		return err
	})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// tagDeed answers a deed about the hashtag in the path with how it stands then.
func (a *API) tagDeed(deed func(tx *store.Tx, c *call, name string) error) endpoint {
	return func(c *call) (any, error) {
		name := mux.Vars(c.r)["tag"]
		key, err := community.TagKey(name)
		if err != nil {
			return nil, orNotFound(err)
		}
		var out []Tag
		err = a.deed(c, func(tx *store.Tx) (err error) {
			if err := deed(tx, c, name); err != nil {
				return err
			}
			out, err = a.tags(tx, c, []string{key})
			return err
		})
		if err != nil {
			return nil, err
		}
		return out[0], nil
	}
}

// followedTags answers GET /api/v1/followed_tags.
func (a *API) followedTags(c *call) (any, error) {
	page := c.page(80, 80)
	out := []Tag{}
	err := a.read(c, func(tx *store.Tx) error {
		list, err := community.FollowedTags(tx, c.me.ID, page)
		if err != nil {
			return err
		}
		keys := make([]string, len(list))
		for i, t := range list {
			keys[i] = t.Tag
		}
		if n := len(list); n > 0 {
			a.link(c, page, n, list[0].ID, list[n-1].ID)
		}
		out, err = a.tags(tx, c, keys)
		return err
	})
	return out, err
}

func (a *API) featured(from []community.Featured) []FeaturedTag {
	out := make([]FeaturedTag, len(from))
	for i, f := range from {
		out[i] = FeaturedTag{ID: f.ID, Name: f.Name, URL: a.site.Tag(f.Tag), StatusesCount: strconv.Itoa(f.Posts)}
		if f.LastAt != nil {
			day := f.LastAt.UTC().Format(time.DateOnly)
			out[i].LastStatusAt = &day
		}
	}
	return out
}

// featuredTags answers GET /api/v1/accounts/{id}/featured_tags.
func (a *API) featuredTags(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	var list []community.Featured
	err = a.read(c, func(tx *store.Tx) error {
		acc, err := community.AccountByID(tx, id)
		if err == nil {
			err = c.meets(tx, acc)
		}
		if err == nil && acc.Gone() {
			err = notFound()
		}
		if err != nil {
			return orNotFound(err)
		}
		list, err = community.FeaturedBy(tx, id)
		return err
	})
	return a.featured(list), err
}

// ownFeaturedTags answers GET /api/v1/featured_tags.
func (a *API) ownFeaturedTags(c *call) (any, error) {
	var list []community.Featured
	err := a.read(c, func(tx *store.Tx) (err error) {
		list, err = community.FeaturedBy(tx, c.me.ID)
		return err
	})
	return a.featured(list), err
}

// featureTag answers POST /api/v1/featured_tags.
func (a *API) featureTag(c *call) (any, error) {
	if c.Get("name") == "" {
		return nil, fault.New(fault.Invalid, "Name the hashtag.")
	}
	var f community.Featured
	err := a.deed(c, func(tx *store.Tx) (err error) {
		f, err = community.FeatureTag(tx, c.me, c.Get("name"))
		return err
	})
	return a.featured([]community.Featured{f})[0], err
}

// unfeatureTag answers DELETE /api/v1/featured_tags/{id}.
func (a *API) unfeatureTag(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	err = a.deed(c, func(tx *store.Tx) error { return community.UnfeatureTagByID(tx, c.me, id) })
	if fault.Is(err, fault.NotFound) {
		return nil, notFound()
	}
	return none, err
}

// suggestedTags answers GET /api/v1/featured_tags/suggestions.
func (a *API) suggestedTags(c *call) (any, error) {
	out := []Tag{}
	err := a.read(c, func(tx *store.Tx) error {
		names, err := community.SuggestedTags(tx, c.me.ID)
		if err == nil {
			out, err = a.tags(tx, c, names)
		}
		return err
	})
	return out, err
}
