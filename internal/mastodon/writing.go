package mastodon

import (
	"context"
	"slices"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	words "github.com/chalkring/chalkring/internal/text"
)

// lookUps is how many strangers named in one post are looked up.
const lookUps = 5

// draftOf reads what the caller wrote; to whom, audienceOf finds.
func (c *call) draftOf() community.Draft {
	return community.Draft{Kind: community.Note, Source: c.Get("status"), Warning: c.Get("spoiler_text"), Sensitive: c.flag("sensitive", false),
		Language: c.Get("language"), MediaIDs: c.ids("media_ids"), Poll: c.poll()}
}

// publish answers POST /api/v1/statuses.
func (a *API) publish(c *call) (any, error) {
	if c.Get("scheduled_at") != "" {
		return nil, fault.Invalidf("scheduled_at", "This server does not keep posts for later. Post it when it is time.")
	}
	d := c.draftOf()
	if id := c.ids("in_reply_to_id"); len(id) > 0 {
		d.InReplyToID = id[0]
	}
	for _, name := range []string{"quoted_status_id", "quote_id"} { // the latter is Pleroma's
		if id := c.ids(name); len(id) > 0 {
			d.QuoteID = id[0]
		}
	}
	if key := c.r.Header.Get("Idempotency-Key"); key != "" && len(key) <= 200 {
		d.FormID = "api:" + key
	}
	a.lookUp(c.r.Context(), d.Source)
	var out Status
	err := a.deed(c, func(tx *store.Tx) error {
		d := d
		var parent *community.Post
		if d.InReplyToID != 0 {
			p, err := community.VisiblePost(tx, d.InReplyToID, c.viewer)
			if err == nil && p.BoostOfID != nil {
				p, err = community.VisiblePost(tx, *p.BoostOfID, c.viewer)
			}
			if err != nil {
				return orNotFound(err)
			}
			parent = &p
		}
		mode, err := peers.ModeOf(tx)
		if err != nil {
			return err
		}
		named := len(words.FindMentions(d.Source)) > 0
		if d.Audience, d.Unlisted, err = audienceOf(chosen{visibility: c.Get("visibility"), localOnly: c.flag("local_only", false)},
			c.access.Person.User.DefaultAudience, parent, mode, named); err != nil {
			return err
		}
		p, err := community.Publish(tx, c.me, d)
		if err != nil {
			return err
		}
		out, err = a.shown(tx, c, p)
		return err
	})
	return out, err
}

// chosen is to whom a client says a post goes.
type chosen struct {
	visibility string
	localOnly  bool
}

// audienceOf turns a client's visibility into an audience. No choice is ever
// widened or narrowed: what a person may not use, Publish refuses. The same
// word as a client was shown for the parent means the parent's audience, of
// which several share a word; no word means the author's own default, or the
// parent's audience where that is narrower.
func audienceOf(c chosen, usual community.Audience, parent *community.Post, mode peers.Mode, named bool) (community.Audience, bool, error) {
	switch {
	case c.visibility == "" && c.localOnly:
		return community.School, false, nil
	case c.visibility == "" && parent != nil && !usual.Within(parent.Audience):
		return parent.Audience, parent.Unlisted, nil
	case c.visibility == "":
		return usual, false, nil
	case parent != nil && c.visibility == visibility(*parent) && (!c.localOnly || parent.Audience == community.School || c.visibility == "direct"):
		return parent.Audience, parent.Unlisted, nil
	case c.visibility == "direct" && !named && parent == nil:
		return community.Me, false, nil
	case c.visibility == "direct":
		return community.People, false, nil
	case c.localOnly:
		return community.School, false, nil
	}
	switch c.visibility {
	case "public":
		return community.Public, false, nil
	case "unlisted":
		if mode == peers.Open {
			return community.Public, true, nil
		}
		return community.Network, false, nil
	case "private":
		return community.Followers, false, nil
	}
	return "", false, fault.Invalidf("visibility", "This server does not know the visibility %q. Choose public, unlisted, private or direct.", c.visibility)
}

// lookUp finds people named in the text who are not known here yet, before
// anything is written. Whoever cannot be found stays plain text.
func (a *API) lookUp(ctx context.Context, source string) {
	asked := 0
	for _, handle := range words.FindMentions(source) {
		if handle.Host == "" || handle.Host == a.site.Host || asked == lookUps {
			continue
		}
		err := a.DB.Read(ctx, func(tx *store.Tx) error {
			_, err := community.AccountByHandle(tx, handle.User, handle.Host)
			return err
		})
		if !fault.Is(err, fault.NotFound) {
			continue
		}
		asked++
		if _, err := a.Lookup.Resolve(ctx, "@"+handle.User+"@"+handle.Host); err != nil {
			a.Log.DebugContext(ctx, "mentioned account not found", "err", err)
		}
	}
}

// edit answers PUT /api/v1/statuses/{id}. What clients know nothing of, such
// as the title, stays as it is.
func (a *API) edit(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	d := c.draftOf()
	a.lookUp(c.r.Context(), d.Source)
	var out Status
	err = a.deed(c, func(tx *store.Tx) error {
		d := d
		was, err := community.PostByID(tx, id)
		if err != nil || was.AuthorID != c.me.ID || was.DeletedAt != nil {
			return orNotFound(err)
		}
		if was.Kind == community.Practice {
			return fault.New(fault.Invalid, "A practice post has parts that this app does not know. Edit it at %s.", a.site.Page(id))
		}
		d.Title, d.Subject, d.Level, d.Licence, d.Contributors = was.Title, was.Subject, was.Level, was.Licence, was.Contributors
		if !c.Has("language") {
			d.Language = was.Language
		}
		if !c.Has("media_ids") && !c.Has("media_ids[]") {
			pictures, err := media.OfPosts(tx, []int64{id})
			if err != nil {
				return err
			}
			for _, m := range pictures[id] {
				d.MediaIDs = append(d.MediaIDs, m.ID)
			}
		}
		if err := describeAll(tx, c, d.MediaIDs); err != nil {
			return err
		}
		p, err := community.Edit(tx, c.me, id, d)
		if err != nil {
			return err
		}
		out, err = a.shown(tx, c, p)
		return err
	})
	return out, err
}

// describeAll takes over the descriptions that an edit brings along, in
// parallel lists as forms and flattened JSON have them.
func describeAll(tx *store.Tx, c *call, pictures []int64) error {
	ids, alts := c.Values["media_attributes[][id]"], c.Values["media_attributes[][description]"]
	if len(ids) != len(alts) {
		return nil // not every picture has one: which is whose cannot be told
	}
	for i, digits := range ids {
		id := (params{map[string][]string{"id": {digits}}}).ids("id")
		if len(id) == 0 || !slices.Contains(pictures, id[0]) {
			continue
		}
		if _, err := media.Describe(tx, c.me.ID, id[0], media.Description{Alt: &alts[i]}); err != nil {
			return err
		}
	}
	return nil
}

// delete answers DELETE /api/v1/statuses/{id} with the post as it was, so that
// it can be written anew.
func (a *API) delete(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	var out Status
	err = a.deed(c, func(tx *store.Tx) error {
		p, err := community.PostByID(tx, id)
		if err != nil || p.AuthorID != c.me.ID || p.DeletedAt != nil {
			return orNotFound(err)
		}
		if out, err = a.shown(tx, c, p); err != nil {
			return err
		}
		out.Text = &p.Source
		if p.BoostOfID != nil {
			_, err = community.UnboostPost(tx, c.me, *p.BoostOfID)
			return err
		}
		return community.Delete(tx, c.me, id)
	})
	return out, err
}
