package federation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// featuredEvery is how often at most an account's pinned posts are looked up.
	featuredEvery = time.Hour
	// mostFeatured is how many of them are taken, and fetched if need be.
	mostFeatured = 10
)

// renderPin writes that a post stands first on its author's page, or no more.
//
// W3C ActivityPub, sections 6.6 and 6.7; Mastodon's documentation, "Featured
// collection".
func (f *Federation) renderPin(tx *store.Tx, o community.Outgoing, a *as2.Activity) error {
	if o.PostID == nil {
		return errors.New("a pin without a post")
	}
	p, err := community.PostByID(tx, *o.PostID)
	if err != nil {
		return err
	}
	if p.DeletedAt != nil {
		return errNothingToSay
	}
	a.Type, a.ObjectID, a.Target = "Add", f.site.Post(p.ID), f.site.Featured(o.ActorID)
	if o.Verb == community.VerbUnpin {
		a.Type = "Remove"
	}
	a.To = []string{f.site.Followers(o.ActorID)}
	if p.Audience == community.Public {
		a.To, a.Cc = []string{as2.Public}, a.To
	}
	return nil
}

// receiveFeatured takes in an Add to or a Remove from an actor's own featured
// collection. Any other collection, such as the moderators of a group (FEP-1b12),
// is passed over: it means nothing here yet.
func (f *Federation) receiveFeatured(b *book, actor community.Account, a *as2.Activity) (string, error) {
	if actor.FeaturedURI == "" || a.Target != actor.FeaturedURI || a.ObjectID == "" {
		return "ignored", nil
	}
	post, err := b.post(a.ObjectID)
	switch {
	case err != nil:
		return "", err
	case post == nil && a.Type == "Add" && iri.SameOrigin(a.ObjectID, a.Actor):
		return toFeature, nil
	case post == nil:
		return "unknown_object", nil
	case post.AuthorID != actor.ID:
		return "foreign", nil
	}
	changed, err := community.ReceivePin(b.tx, actor, *post, a.Type == "Add")
	if err == nil && !changed {
		return "known", nil
	}
	return "", err
}

// toFeature is the outcome of an Add whose post is not known: the collection is
// looked up aside.
const toFeature = "to_feature"

// lookFurther looks up aside what activities brought up that is not here, and
// that they need not wait for: pinned posts.
func (f *Federation) lookFurther(ctx context.Context, rows []*arrived) {
	for _, row := range rows {
		if row.outcome != toFeature {
			continue
		}
		address := row.ActorURI
		f.aside(ctx, func(ctx context.Context) {
			var account community.Account
			err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
				account, err = community.AccountByURI(tx, address)
				return err
			})
			if err == nil {
				f.feature(ctx, account)
			}
		})
	}
}

// FreshenAccount looks up what somebody elsewhere shows first on their page,
// aside, now and then: their page is being looked at.
func (f *Federation) FreshenAccount(ctx context.Context, account community.Account) {
	if account.Local() || account.FeaturedURI == "" || account.Gone() || !f.refetched.allow("featured "+account.FeaturedURI, f.db.Now(), featuredEvery) {
		return
	}
	f.aside(context.WithoutCancel(ctx), func(ctx context.Context) { f.feature(ctx, account) })
}

// feature fetches an account's featured collection, and the posts in it that
// are not known.
func (f *Federation) feature(ctx context.Context, account community.Account) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	err := f.fetchFeatured(ctx, account)
	if err != nil && fault.Of(err).Kind == fault.Internal && ctx.Err() == nil {
		f.log.Error("pinned posts not looked up", "host", account.Host, "err", err)
	}
}

func (f *Federation) fetchFeatured(ctx context.Context, account community.Account) error {
	if account.URI == nil || !iri.SameOrigin(account.FeaturedURI, *account.URI) {
		return nil
	}
	body, from, err := f.document(ctx, account.FeaturedURI)
	if err != nil {
		return err
	}
	list, err := as2.DecodeCollection(body)
	if err != nil || !sameDocument(list.ID, from) {
		return nil // nothing that could be used
	}
	var addresses []string
	for _, address := range list.IDs() {
		if len(addresses) < mostFeatured && iri.SameOrigin(address, *account.URI) && !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}
	for _, address := range addresses {
		if f.knows(ctx, address) {
			continue
		}
		if _, err := f.fetchPost(ctx, address); ctx.Err() != nil {
			return err
		}
	}
	return f.db.Batch(ctx, func(tx *store.Tx) error {
		known, err := community.PostsByURI(tx, addresses)
		if err != nil {
			return err
		}
		var posts []community.Post
		for _, address := range addresses {
			if p, ok := known[address]; ok {
				posts = append(posts, p)
			}
		}
		return community.SetPins(tx, account, posts)
	})
}
