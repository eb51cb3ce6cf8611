package mastodon

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	mostAtOnce  = 40 // statuses asked for by their ids
	guestsAbove = 40 // of a thread, for guests
	guestsBelow = 60
)

func (a *API) statusRoutes(r *routes) {
	on := func(method, path string, h http.HandlerFunc) {
		r.HandleFunc("/api/v1/statuses"+path, h).Methods(method)
	}
	on(http.MethodGet, "", a.open("read:statuses", a.someStatuses))
	on(http.MethodGet, "/{id:[0-9]+}/card", a.open("read:statuses", a.cardOf))
	on(http.MethodPost, "/{id:[0-9]+}/translate", a.open("read:statuses", a.translate))
	on(http.MethodPost, "/{id:[0-9]+}/mute", a.members("write:mutes", a.react(community.MuteThread)))
	on(http.MethodPost, "/{id:[0-9]+}/unmute", a.members("write:mutes", a.react(community.UnmuteThread)))
	on(http.MethodGet, "/{id:[0-9]+}/context", a.open("read:statuses", a.context))
	on(http.MethodGet, "/{id:[0-9]+}", a.open("read:statuses", a.getStatus))
	on(http.MethodPost, "", a.members("write:statuses", a.publish))
	on(http.MethodPut, "/{id:[0-9]+}", a.members("write:statuses", a.edit))
	on(http.MethodDelete, "/{id:[0-9]+}", a.members("write:statuses", a.delete))
	on(http.MethodGet, "/{id:[0-9]+}/source", a.members("read:statuses", a.source))
	on(http.MethodGet, "/{id:[0-9]+}/history", a.open("read:statuses", a.history))
	on(http.MethodGet, "/{id:[0-9]+}/favourited_by", a.open("read:accounts", a.favouritedBy))
	on(http.MethodGet, "/{id:[0-9]+}/reblogged_by", a.open("read:accounts", a.rebloggedBy))
	on(http.MethodPost, "/{id:[0-9]+}/favourite", a.members("write:favourites", a.react(community.Like)))
	on(http.MethodPost, "/{id:[0-9]+}/unfavourite", a.members("write:favourites", a.react(community.Unlike)))
	on(http.MethodPost, "/{id:[0-9]+}/bookmark", a.members("write:bookmarks", a.react(community.Bookmark)))
	on(http.MethodPost, "/{id:[0-9]+}/unbookmark", a.members("write:bookmarks", a.react(community.Unbookmark)))
	on(http.MethodPost, "/{id:[0-9]+}/pin", a.members("write:accounts", a.react(community.Pin)))
	on(http.MethodPost, "/{id:[0-9]+}/unpin", a.members("write:accounts", a.react(community.Unpin)))
	on(http.MethodPost, "/{id:[0-9]+}/reblog", a.members("write:statuses", a.reblog))
	on(http.MethodPost, "/{id:[0-9]+}/unreblog", a.members("write:statuses", a.react(community.UnboostPost)))
}

// orNotFound turns what is not there, or not for the caller, into the one
// answer that clients know for it; a deleted post is not told apart.
func orNotFound(err error) error {
	if err == nil || fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
		return notFound()
	}
	return err
}

// seen returns the post in the path, as far as the caller may see it.
func (c *call) seen(tx *store.Tx) (community.Post, error) {
	id, err := c.idOf("id")
	if err != nil {
		return community.Post{}, err
	}
	p, err := community.VisiblePost(tx, id, c.viewer)
	if err != nil {
		return p, orNotFound(err)
	}
	return p, nil
}

// shown answers with one post.
func (a *API) shown(tx *store.Tx, c *call, p community.Post) (Status, error) {
	v, err := community.LoadOne(tx, c.viewer, p)
	if err != nil {
		return Status{}, err
	}
	return a.whole(c, v)
}

// whole is how one post is shown. A boost whose post the caller may not see any
// more is not there.
func (a *API) whole(c *call, v community.View) (Status, error) {
	if v.BoostOfID != nil && v.Boosted == nil {
		return Status{}, notFound()
	}
	return a.shape(c).status(v), nil
}

// getStatus answers GET /api/v1/statuses/{id}.
func (a *API) getStatus(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	var out Status
	var view community.View
	err = a.readPage(c, func(tx *store.Tx) (err error) {
		if view, err = community.VisibleView(tx, id, c.viewer); err != nil {
			return orNotFound(err)
		}
		out, err = a.whole(c, view)
		return err
	})
	if err == nil && c.signedIn() && (view.Poll != nil || view.QuoteState == community.QuotePending) { // which change without being told
		post := view.Post
		c.besides = append(c.besides, func(ctx context.Context) { a.Lookup.Freshen(ctx, post) })
	}
	return out, err
}

// someStatuses answers GET /api/v1/statuses: those of the posts that the caller
// may see, in the order asked for.
func (a *API) someStatuses(c *call) (any, error) {
	var ids []int64
	for _, id := range c.ids("id") {
		if !slices.Contains(ids, id) && len(ids) < mostAtOnce {
			ids = append(ids, id)
		}
	}
	var views []community.View
	err := a.read(c, func(tx *store.Tx) error {
		posts, err := community.VisiblePosts(tx, ids, c.viewer)
		if err != nil {
			return err
		}
		views, err = community.LoadLast(tx, c.viewer, posts)
		return err
	})
	if err != nil {
		return nil, err
	}
	return a.statuses(c, views), nil
}

// cardOf answers GET /api/v1/statuses/{id}/card.
func (a *API) cardOf(c *call) (any, error) {
	var out Status
	err := a.read(c, func(tx *store.Tx) error {
		p, err := c.seen(tx)
		if err == nil {
			out, err = a.shown(tx, c, p)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if out.Card == nil {
		return none, nil
	}
	return out.Card, nil
}

// translate answers POST /api/v1/statuses/{id}/translate: nothing written here
// is sent to a service that translates.
func (a *API) translate(c *call) (any, error) {
	err := a.read(c, func(tx *store.Tx) error {
		_, err := c.seen(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return nil, fault.New(fault.NotFound, "This server does not translate posts.")
}

// reblog answers POST /api/v1/statuses/{id}/reblog. What is passed on reaches
// whoever follows the caller, in no public list, so that "unlisted" is always
// kept; for fewer people nothing can be passed on.
func (a *API) reblog(c *call) (any, error) {
	switch c.Get("visibility") {
	case "", "public", "unlisted":
		return a.react(community.BoostPost)(c)
	}
	return nil, fault.Invalidf("visibility", "A post can be passed on to everybody who follows you, and to no fewer people. Choose public, or write to them with a link.")
}

// context answers GET /api/v1/statuses/{id}/context.
func (a *API) context(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	var p community.Post
	var ancestors, descendants []community.View
	err = a.readPage(c, func(tx *store.Tx) (err error) {
		if p, ancestors, descendants, err = community.AroundViews(tx, c.viewer, id); err != nil {
			return orNotFound(err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if c.signedIn() {
		c.besides = append(c.besides, func(context.Context) { a.Lookup.FillThread(p) })
	} else { // as Mastodon bounds it for guests
		ancestors = ancestors[max(0, len(ancestors)-guestsAbove):]
		descendants = descendants[:min(len(descendants), guestsBelow)]
	}
	return map[string][]Status{"ancestors": a.statuses(c, ancestors), "descendants": a.statuses(c, descendants)}, nil
}

// react answers what a caller does with a post: favourite, reblog, bookmark
// and the ways back.
func (a *API) react(deed func(tx *store.Tx, me community.Account, post int64) (community.Post, error)) endpoint {
	return func(c *call) (any, error) {
		var out Status
		hidden := false
		err := a.deed(c, func(tx *store.Tx) error {
			id, err := c.idOf("id")
			if err != nil {
				return err
			}
			p, err := community.PostByID(tx, id)
			if err != nil {
				return orNotFound(err)
			}
			// Clients also act on a boost's own id, and mean the post in it.
			if p, err = deed(tx, c.me, cmp.Or(boosted(p), id)); err != nil {
				if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
					return notFound()
				}
				return err
			}
			// A mark can be taken off what may not be seen any more; that is done,
			// and shows nothing.
			if p, err = community.VisiblePost(tx, p.ID, c.viewer); fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
				hidden = true
				return nil
			} else if err != nil {
				return err
			}
			out, err = a.shown(tx, c, p)
			return err
		})
		if hidden {
			return nil, notFound()
		}
		return out, err
	}
}

// boosted is the post that a boost passes on, or 0.
func boosted(p community.Post) int64 {
	if p.BoostOfID == nil {
		return 0
	}
	return *p.BoostOfID
}

// source answers GET /api/v1/statuses/{id}/source, for editing.
func (a *API) source(c *call) (any, error) {
	var p community.Post
	err := a.read(c, func(tx *store.Tx) (err error) {
		p, err = c.seen(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.AuthorID != c.me.ID {
		return nil, notFound()
	}
	return map[string]any{"id": idText(p.ID), "text": p.Source, "spoiler_text": p.Warning}, nil
}

// StatusEdit is Mastodon's StatusEdit entity.
type StatusEdit struct {
	Content          string       `json:"content"`
	SpoilerText      string       `json:"spoiler_text"`
	Sensitive        bool         `json:"sensitive"`
	CreatedAt        stamp        `json:"created_at"`
	Account          Account      `json:"account"`
	MediaAttachments []Attachment `json:"media_attachments"`
	Emojis           []Emoji      `json:"emojis"`
	Poll             *PollEdit    `json:"poll"`
	Quote            any          `json:"quote"`
}

// PollEdit is what the poll of a StatusEdit asked.
type PollEdit struct {
	Options []PollEditOption `json:"options"`
}

// PollEditOption is one of its answers.
type PollEditOption struct {
	Title string `json:"title"`
}

func pollEdit(answers []string) *PollEdit {
	if len(answers) == 0 {
		return nil
	}
	out := PollEdit{}
	for _, title := range answers {
		out.Options = append(out.Options, PollEditOption{title})
	}
	return &out
}

// history answers GET /api/v1/statuses/{id}/history: the post as it was before
// each of its edits, and as it is.
func (a *API) history(c *call) (any, error) {
	out := []StatusEdit{}
	err := a.read(c, func(tx *store.Tx) error {
		p, err := c.seen(tx)
		if err != nil {
			return err
		}
		v, err := community.LoadOne(tx, c.viewer, p)
		if err != nil {
			return err
		}
		before, err := community.Revisions(tx, p.ID)
		if err != nil {
			return err
		}
		s := a.shape(c)
		s.schools = v.Schools
		author, quote := s.account(v.Author, v.AuthorCounts), s.quote(v)
		var answers []string
		if v.Poll != nil {
			for _, o := range v.Poll.Options {
				answers = append(answers, o.Title)
			}
		}
		for _, was := range before {
			old := p
			old.Title, old.HTML = was.Title, was.HTML
			out = append(out, StatusEdit{Content: content(old), SpoilerText: was.Warning, Sensitive: was.Sensitive, Poll: pollEdit(was.Poll), Quote: quote, CreatedAt: stampOf(was.WrittenAt),
				Account: author, MediaAttachments: s.attachments(was.Media), Emojis: s.postEmoji(v.Post)})
		}
		now := p.CreatedAt
		if p.EditedAt != nil {
			now = *p.EditedAt
		}
		out = append(out, StatusEdit{Content: content(p), SpoilerText: p.Warning, Sensitive: p.Sensitive, Poll: pollEdit(answers), Quote: quote, CreatedAt: stampOf(now),
			Account: author, MediaAttachments: s.attachments(v.Media), Emojis: s.postEmoji(v.Post)})
		return nil
	})
	return out, err
}

// favouritedBy answers GET /api/v1/statuses/{id}/favourited_by.
func (a *API) favouritedBy(c *call) (any, error) {
	return a.reactors(c, func(tx *store.Tx, post int64, page store.Page) (who, places []int64, err error) {
		list, err := community.LikedBy(tx, post, page)
		for _, r := range list {
			who, places = append(who, r.AccountID), append(places, r.ID)
		}
		return who, places, err
	})
}

// rebloggedBy answers GET /api/v1/statuses/{id}/reblogged_by.
func (a *API) rebloggedBy(c *call) (any, error) {
	return a.reactors(c, func(tx *store.Tx, post int64, page store.Page) (who, places []int64, err error) {
		list, err := community.BoostsOf(tx, post, page)
		for _, b := range list {
			who, places = append(who, b.AuthorID), append(places, b.ID)
		}
		return who, places, err
	})
}

func (a *API) reactors(c *call, fn func(tx *store.Tx, post int64, page store.Page) (who, places []int64, err error)) (any, error) {
	page := c.page(40, 80)
	out := []Account{}
	err := a.read(c, func(tx *store.Tx) error {
		p, err := c.seen(tx)
		if err != nil {
			return err
		}
		who, places, err := fn(tx, p.ID, page)
		if err != nil {
			return err
		}
		if n := len(places); n > 0 {
			a.link(c, page, n, places[0], places[n-1])
		}
		out, err = a.accounts(tx, c, who)
		return err
	})
	return out, err
}
