package mastodon

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) timelineRoutes(r *routes) {
	get := func(path string, h http.HandlerFunc) { r.HandleFunc(path, h).Methods(http.MethodGet, http.MethodHead) }
	get("/api/v1/timelines/home", a.members("read:statuses", a.timeline(a.home)))
	get("/api/v1/timelines/public", a.open("read:statuses", a.timeline(a.public)))
	get("/api/v1/timelines/tag/{tag}", a.open("read:statuses", a.timeline(loaded(a.tag))))
	get("/api/v1/timelines/link", a.open("read:statuses", a.linkTimeline))
	get("/api/v1/bookmarks", a.members("read:bookmarks", a.kept(community.Bookmarks)))
	get("/api/v1/favourites", a.members("read:favourites", a.kept(community.Liked)))
}

// timelinesAccess says who may read which lists: guests find in them what is
// for everybody, members what else they may see.
//
// Mastodon's documentation, "Instance" (configuration.timelines_access).
func timelinesAccess() map[string]any {
	type feeds struct {
		Local  string `json:"local"`
		Remote string `json:"remote"`
	}
	return map[string]any{"live_feeds": feeds{"public", "public"}, "hashtag_feeds": feeds{"public", "public"}}
}

// list is a question whose answer is a page of posts with all that is shown of
// them.
type list func(tx *store.Tx, c *call, page store.Page) ([]community.View, error)

// loaded is a list of a question whose answer is posts alone.
func loaded(fn func(tx *store.Tx, c *call, page store.Page) ([]community.Post, error)) list {
	return func(tx *store.Tx, c *call, page store.Page) ([]community.View, error) {
		posts, err := fn(tx, c, page)
		if err != nil {
			return nil, err
		}
		return community.LoadLast(tx, c.viewer, posts)
	}
}

// timeline answers with a page of posts, paged by their IDs.
func (a *API) timeline(fn list) endpoint {
	return func(c *call) (any, error) {
		page := c.page(20, 40)
		var views []community.View
		err := a.readPage(c, func(tx *store.Tx) (err error) {
			views, err = fn(tx, c, page)
			return err
		})
		if err != nil {
			return nil, err
		}
		if n := len(views); n > 0 {
			a.link(c, page, n, views[0].ID, views[n-1].ID)
		}
		return a.statuses(c, views), nil
	}
}

// statuses is how posts are shown to the caller. A boost whose post the caller
// may not see any more is left out.
func (a *API) statuses(c *call, views []community.View) []Status {
	s := a.shape(c)
	s.authors = map[int64]Account{}
	out := make([]Status, 0, len(views))
	for _, v := range views {
		if v.BoostOfID == nil || v.Boosted != nil {
			out = append(out, s.status(v))
		}
	}
	return out
}

func (a *API) home(tx *store.Tx, c *call, page store.Page) ([]community.View, error) {
	return community.HomeViews(tx, c.viewer, page)
}

// choice reads which posts of a list are wanted: with local what the school
// wrote, with remote what connected schools did.
func (c *call) choice() community.Choice {
	choice := community.Choice{OnlyMedia: c.flag("only_media", false)}
	switch {
	case c.flag("local", false):
		choice.From = community.Here
	case c.flag("remote", false):
		choice.From = community.Elsewhere
	}
	return choice
}

// public answers GET /api/v1/timelines/public.
func (a *API) public(tx *store.Tx, c *call, page store.Page) ([]community.View, error) {
	return community.ChosenViews(tx, c.viewer, c.choice(), page)
}

// tag answers GET /api/v1/timelines/tag/{tag}. What can be no hashtag has no posts.
func (a *API) tag(tx *store.Tx, c *call, page store.Page) ([]community.Post, error) {
	return community.TagsTimeline(tx, c.viewer, mux.Vars(c.r)["tag"],
		community.TagChoice{Choice: c.choice(), Any: c.list("any"), All: c.list("all"), None: c.list("none")}, page)
}

// linkTimeline answers GET /api/v1/timelines/link. Mastodon has posts there for links
// that trend; nothing trends here.
func (a *API) linkTimeline(*call) (any, error) { return nil, notFound() }

// kept answers with a page of what the caller marked, paged by the marks.
func (a *API) kept(fn func(tx *store.Tx, v community.Viewer, page store.Page) ([]community.Post, []int64, error)) endpoint {
	return func(c *call) (any, error) {
		page := c.page(20, 40)
		var views []community.View
		var places []int64
		err := a.read(c, func(tx *store.Tx) error {
			posts, at, err := fn(tx, c.viewer, page)
			if err != nil {
				return err
			}
			places = at
			views, err = community.LoadLast(tx, c.viewer, posts)
			return err
		})
		if err != nil {
			return nil, err
		}
		if n := len(places); n > 0 {
			a.link(c, page, n, places[0], places[n-1])
		}
		return a.statuses(c, views), nil
	}
}
