package federation

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// emptyCollection answers with a collection whose members are nobody's
// business: the address alone means something.
func (f *Federation) emptyCollection(path string) func(*store.Tx, asked) (answer, error) {
	return func(*store.Tx, asked) (answer, error) {
		return collection(as2.Collection{ID: f.site.URL(path), Type: "OrderedCollection", AttributedTo: f.site.Instance()})
	}
}

func collection(c as2.Collection) (answer, error) {
	body, err := as2.EncodeCollection(c)
	return answer{body: body, status: http.StatusOK}, err
}

// followersDocument and followingDocument say how many, and not who: who
// follows whom at a school is not for lists.
//
// FEDERATION.md, "Actors".
func (f *Federation) followersDocument(tx *store.Tx, q asked) (answer, error) {
	return f.counted(tx, q, f.site.Followers(q.id), func(c community.AccountCounts) int64 { return c.Followers })
}

func (f *Federation) followingDocument(tx *store.Tx, q asked) (answer, error) {
	return f.counted(tx, q, f.site.Following(q.id), func(c community.AccountCounts) int64 { return c.Following })
}

func (f *Federation) counted(tx *store.Tx, q asked, id string, count func(community.AccountCounts) int64) (answer, error) {
	account, err := localActor(tx, q.id)
	if err != nil {
		return answer{}, err
	}
	counts, err := community.CountsOf(tx, []int64{account.ID})
	if err != nil {
		return answer{}, err
	}
	total := int(count(counts[account.ID]))
	return collection(as2.Collection{ID: id, Type: "OrderedCollection", AttributedTo: f.site.Actor(account.ID), TotalItems: &total})
}

// featuredDocument lists pinned posts, of which there are none yet to choose;
// Mastodon asks for the collection all the same.
func (f *Federation) featuredDocument(tx *store.Tx, q asked) (answer, error) {
	account, err := localActor(tx, q.id)
	if err != nil {
		return answer{}, err
	}
	none := 0
	return collection(as2.Collection{ID: f.site.Featured(account.ID), Type: "OrderedCollection", AttributedTo: f.site.Actor(account.ID), TotalItems: &none})
}

// outboxDocument lists what an account published, as far as the asker may see
// it, newest first.
//
// W3C ActivityPub, section 5.1.
func (f *Federation) outboxDocument(tx *store.Tx, q asked) (answer, error) {
	account, err := localActor(tx, q.id)
	if err != nil {
		return answer{}, err
	}
	id := f.site.Outbox(account.ID)
	query := q.r.URL.Query()
	if query.Get("page") != "true" {
		return collection(as2.Collection{ID: id, Type: "OrderedCollection", AttributedTo: f.site.Actor(account.ID), First: id + "?page=true"})
	}
	page := store.Page{}
	self := id + "?page=true"
	if below, ok := iri.ParseID(query.Get("max_id")); ok {
		page.MaxID = below
		self += "&max_id=" + strconv.FormatInt(below, 10)
	}
	posts, err := community.ProfileTimeline(tx, q.viewer, account.ID, community.ProfileFilter{WithoutBoosts: true}, page)
	if err != nil {
		return answer{}, err
	}
	c := as2.Collection{ID: self, Type: "OrderedCollectionPage", PartOf: id}
	for _, p := range posts {
		raw, err := f.createOf(tx, p)
		if err != nil {
			return answer{}, err
		}
		c.Items = append(c.Items, as2.Item{ID: f.site.Post(p.ID) + "#create", Raw: raw})
	}
	if len(posts) == page.Size() {
		c.Next = id + "?page=true&max_id=" + strconv.FormatInt(posts[len(posts)-1].ID, 10)
	}
	return collection(c)
}

// createOf is the Create of a post as an outbox shows it.
func (f *Federation) createOf(tx *store.Tx, p community.Post) (json.RawMessage, error) {
	s, err := sayingOf(tx, p)
	if err != nil {
		return nil, err
	}
	o := objectOf(f.site, s)
	return as2.EncodeActivity(as2.Activity{ID: o.ID + "#create", Type: "Create", Actor: o.AttributedTo, ObjectID: o.ID, Object: &o,
		To: o.To, Cc: o.Cc, Published: o.Published})
}

// repliesDocument lists what answers a post directly, as far as the asker may
// see it. Posts of other servers are named by address, never shown: each is
// its own server's to tell.
//
// FEP-7458.
func (f *Federation) repliesDocument(tx *store.Tx, q asked) (answer, error) {
	p, err := localPost(tx, q)
	if err != nil {
		return answer{}, err
	}
	_, below, err := community.Around(tx, q.viewer, p)
	if err != nil {
		return answer{}, err
	}
	c := as2.Collection{ID: f.site.PostReplies(p.ID), Type: "Collection", AttributedTo: f.site.Actor(p.AuthorID)}
	for _, reply := range below {
		if reply.InReplyToID != nil && *reply.InReplyToID == p.ID {
			c.Items = append(c.Items, as2.Item{ID: reply.IRI(f.site)})
		}
	}
	total := len(c.Items)
	c.TotalItems = &total
	return collection(c)
}

// contextDocument lists the posts of a conversation that began here, as far as
// the asker may see them.
//
// FEP-7888; FEP-f228 (backfilling conversations).
func (f *Federation) contextDocument(tx *store.Tx, q asked) (answer, error) {
	p, err := localPost(tx, q)
	if err != nil {
		return answer{}, err
	}
	_, below, err := community.Around(tx, q.viewer, p)
	if err != nil {
		return answer{}, err
	}
	c := as2.Collection{ID: f.site.Context(p.ID), Type: "OrderedCollection", AttributedTo: f.site.Actor(p.AuthorID),
		Items: []as2.Item{{ID: p.IRI(f.site)}}}
	for _, reply := range below {
		c.Items = append(c.Items, as2.Item{ID: reply.IRI(f.site)})
	}
	total := len(c.Items)
	c.TotalItems = &total
	return collection(c)
}

// likesDocument and sharesDocument say how many, of public posts alone.
//
// FEP-7458.
func (f *Federation) likesDocument(tx *store.Tx, q asked) (answer, error) {
	return f.totalOf(tx, q, f.site.PostLikes(q.id), func(p community.Post) int64 { return p.LikesCount })
}

func (f *Federation) sharesDocument(tx *store.Tx, q asked) (answer, error) {
	return f.totalOf(tx, q, f.site.PostShares(q.id), func(p community.Post) int64 { return p.BoostsCount })
}

func (f *Federation) totalOf(tx *store.Tx, q asked, id string, count func(community.Post) int64) (answer, error) {
	p, err := localPost(tx, q)
	if err != nil {
		return answer{}, err
	}
	if p.Audience != community.Public {
		return answer{}, nothingHere()
	}
	total := int(count(p))
	return collection(as2.Collection{ID: id, Type: "Collection", TotalItems: &total})
}
