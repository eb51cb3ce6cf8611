package mastodon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	words "github.com/chalkring/chalkring/internal/text"
)

// lookUps is how many strangers named in one post are looked up.
const lookUps = 5

// draftOf reads what the caller wrote; to whom, audienceOf finds. What it does
// not say is as its author usually has it.
func (c *call) draftOf() community.Draft {
	user := c.access.Person.User
	d := community.Draft{Kind: community.Note, Source: c.Get("status"), Warning: c.Get("spoiler_text"), Sensitive: c.flag("sensitive", false),
		Language: strings.ReplaceAll(c.Get("language"), "_", "-"), MediaIDs: c.ids("media_ids"), Poll: c.poll(),
		QuotePolicy: community.QuotePolicy(c.Get("quote_approval_policy")), AppID: c.access.App.ID}
	if d.Language == "" {
		d.Language = defaultLanguage(user)
	}
	if c.Get("sensitive") == "" {
		d.Sensitive = user.DefaultSensitive && len(d.MediaIDs) > 0
	}
	return d
}

// formOf is the FormID of a call with an Idempotency-Key. Keys of any length
// count.
func (c *call) formOf() string {
	key := c.r.Header.Get("Idempotency-Key")
	switch {
	case key == "":
		return ""
	case len(key) > 200:
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:])
	}
	return community.KeyForm(storable(key))
}

// publish answers POST /api/v1/statuses: with the status, or with what waits if
// it is to be published later.
func (a *API) publish(c *call) (any, error) {
	at, err := c.scheduledAt()
	if err != nil {
		return nil, err
	}
	d := c.draftOf()
	if d.Poll != nil && len(d.MediaIDs) > 0 {
		return nil, fault.Invalidf("poll", "A post has either pictures or a poll. Take out one of them.")
	}
	if id := c.ids("in_reply_to_id"); len(id) > 0 {
		d.InReplyToID = id[0]
	}
	for _, name := range []string{"quoted_status_id", "quote_id"} { // the latter is Pleroma's
		if id := c.ids(name); len(id) > 0 {
			d.QuoteID = id[0]
		}
	}
	d.FormID = c.formOf()
	a.lookUp(c.r.Context(), d.Source)
	var out any
	err = a.deed(c, func(tx *store.Tx) error {
		d := d
		if d.FormID != "" {
			made, err := community.MadeOf(tx, c.me.ID, d.FormID)
			if err != nil {
				return err
			}
			if made != 0 {
				out, err = a.madeBefore(tx, c, made)
				return err
			}
		}
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
		if !at.IsZero() {
			s, err := community.Schedule(tx, c.me, d, at)
			if err != nil {
				return err
			}
			waiting, err := a.shownScheduled(tx, c, s)
			if err != nil {
				return err
			}
			out = waiting[0]
			return nil
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

// edit answers PUT /api/v1/statuses/{id}. What the client does not name, or
// knows nothing of, such as the title, stays as it is.
func (a *API) edit(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	a.lookUp(c.r.Context(), c.Get("status"))
	var out Status
	err = a.deed(c, func(tx *store.Tx) error {
		d := c.draftOf()
		was, err := community.PostByID(tx, id)
		if err != nil || was.AuthorID != c.me.ID || was.DeletedAt != nil {
			return orNotFound(err)
		}
		d.Title, d.Subject, d.Level, d.Licence, d.Contributors = was.Title, was.Subject, was.Level, was.Licence, was.Contributors
		if !c.Has("status") {
			d.Source = was.Source
		}
		if !c.Has("spoiler_text") {
			d.Warning = was.Warning
		}
		if c.Get("sensitive") == "" {
			d.Sensitive = was.Sensitive && (was.Warning == "" || !c.Has("spoiler_text"))
		}
		if c.Get("language") == "" {
			d.Language = was.Language
		}
		if was.Kind == community.Practice {
			if d.Sections, err = a.sectionsOf(was, d.Source); err != nil {
				return err
			}
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

// sectionsOf is a practice post's sections in the one text that clients edit. A
// text that cannot be told apart into sections again is refused: its author may
// have changed a heading without meaning to.
func (a *API) sectionsOf(was community.Post, source string) (*community.Sections, error) {
	plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	if was.Sections != nil && plain(source) == plain(was.Source) {
		return was.Sections, nil
	}
	before, ok := community.SectionsOf(was.Source)
	if ok && was.Sections != nil && *before == *was.Sections { // they can be told apart as they are
		if sections, ok := community.SectionsOf(source); ok {
			return sections, nil
		}
	}
	return nil, fault.Invalidf("status", "This post has parts under fixed headings, and an app can change only what stands below each of them. Edit it at %s.", a.site.Page(was.ID))
}

// describeAll takes over what an edit says of pictures.
func describeAll(tx *store.Tx, c *call, pictures []int64) error {
	for _, said := range c.objects("media_attributes") {
		id := said.ids("id")
		if len(id) == 0 || !slices.Contains(pictures, id[0]) {
			continue
		}
		d, err := said.description()
		if err != nil {
			return err
		}
		if _, err := media.Describe(tx, c.me.ID, id[0], d); err != nil {
			return err
		}
	}
	return nil
}

// delete answers DELETE /api/v1/statuses/{id} with the post as it was, so that
// it can be written anew: its pictures wait for that, unless the client says
// otherwise.
func (a *API) delete(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	forget := community.Redraft
	if c.flag("delete_media", false) {
		forget = community.Delete
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
		return forget(tx, c.me, id)
	})
	return out, err
}
