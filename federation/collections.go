package federation

import (
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// collectionPage is how many members a page of a collection has at most.
const collectionPage = 40

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

// listing is a collection of posts that is told page by page, by the posts' own
// order, so that no page tells a post twice while the list grows.
//
// W3C ActivityStreams Vocabulary, section 3.1, CollectionPage.
type listing struct {
	id     string
	owner  string // its attributedTo
	typ    string // Collection or OrderedCollection
	rising bool   // the oldest first
	page   func(store.Page) (community.Told, error)
	count  func() (int, error) // of what the asker may see
	items  func([]community.Post) ([]as2.Item, error)
}

// whole is the collection itself: how many members it has for whoever asks, and
// where they are. The first page stands in it when embed is set.
func (l listing) whole(embed bool) (as2.Collection, error) {
	c := as2.Collection{ID: l.id, Type: l.typ, AttributedTo: l.owner, First: l.id + "?page=true"}
	if l.rising {
		c.Last = c.First + "&max_id=" + strconv.FormatInt(math.MaxInt64, 10)
	} else {
		c.Last = c.First + "&min_id=1"
	}
	n, err := l.count()
	if err != nil {
		return c, err
	}
	if n <= community.MostCounted { // of more it is not said
		c.TotalItems = &n
	}
	if embed {
		page, err := l.part(store.Page{}, c.First)
		if err != nil {
			return c, err
		}
		c.FirstPage = &page
	}
	return c, nil
}

// part is a page of the collection.
func (l listing) part(page store.Page, self string) (as2.Collection, error) {
	page.Limit = collectionPage
	if l.rising && page.MaxID == 0 && page.MinID == 0 {
		page.MinID = 1 // from the first on
	}
	c := as2.Collection{ID: self, Type: l.typ + "Page", PartOf: l.id, Items: []as2.Item{}}
	told, err := l.page(page)
	if err != nil || len(told.Posts) == 0 {
		return c, err
	}
	newest, oldest := told.Posts[0].ID, told.Posts[len(told.Posts)-1].ID
	upward := page.MinID > 0
	if upward && told.More || !upward && page.MaxID > 0 {
		c.Prev = l.id + "?page=true&min_id=" + strconv.FormatInt(newest, 10)
	}
	if !upward && told.More || upward && page.MinID > 1 {
		c.Next = l.id + "?page=true&max_id=" + strconv.FormatInt(oldest, 10)
	}
	if l.rising {
		c.Next, c.Prev = c.Prev, c.Next
		slices.Reverse(told.Posts)
	}
	c.Items, err = l.items(told.Posts)
	return c, err
}

// answer is the collection, or the page of it that is asked for.
func (l listing) answer(q asked, embed bool) (answer, error) {
	query := q.r.URL.Query()
	if !query.Has("page") {
		c, err := l.whole(embed)
		if err != nil {
			return answer{}, err
		}
		return collection(c)
	}
	self := l.id + "?page=true"
	var page store.Page
	for name, edge := range map[string]*int64{"max_id": &page.MaxID, "min_id": &page.MinID} {
		if !query.Has(name) {
			continue
		}
		id, ok := iri.ParseID(query.Get(name))
		if !ok || page.MaxID+page.MinID > 0 {
			return answer{}, nothingHere()
		}
		*edge = id
		self += "&" + name + "=" + strconv.FormatInt(id, 10)
	}
	if query.Get("page") != "true" {
		return answer{}, nothingHere()
	}
	c, err := l.part(page, self)
	if err != nil {
		return answer{}, err
	}
	return collection(c)
}

// addresses tells posts by their addresses: each is its own server's to tell.
func (f *Federation) addresses(posts []community.Post) ([]as2.Item, error) {
	items := make([]as2.Item, len(posts))
	for i, p := range posts {
		items[i] = as2.Item{ID: p.IRI(f.site)}
	}
	return items, nil
}

// followersDocument and followingDocument say how many, and not who: who
// follows whom at a school is not for lists.
//
// FEDERATION.md, "Collections".
func (f *Federation) followersDocument(tx *store.Tx, q asked) (answer, error) {
	return f.counted(tx, q, f.site.Followers(q.id), func(c community.AccountCounts) int64 { return c.Followers })
}

func (f *Federation) followingDocument(tx *store.Tx, q asked) (answer, error) {
	return f.counted(tx, q, f.site.Following(q.id), func(c community.AccountCounts) int64 { return c.Following })
}

// counted tells a number to those who say who they are, unless they and the
// account have parted.
func (f *Federation) counted(tx *store.Tx, q asked, id string, count func(community.AccountCounts) int64) (answer, error) {
	account, err := localActor(tx, q.id)
	if err != nil {
		return answer{}, err
	}
	c := as2.Collection{ID: id, Type: "OrderedCollection", AttributedTo: f.site.Actor(account.ID)}
	apart := q.viewer.Host == ""
	if !apart && q.viewer.ID != 0 {
		if apart, err = community.Apart(tx, q.viewer.ID, account.ID); err != nil {
			return answer{}, err
		}
	}
	if apart {
		return collection(c)
	}
	counts, err := community.CountsOf(tx, []int64{account.ID})
	if err != nil {
		return answer{}, err
	}
	total := int(count(counts[account.ID]))
	c.TotalItems = &total
	return collection(c)
}

// featuredDocument lists the posts that an account shows first, as far as the
// asker may see them.
//
// Mastodon's documentation, "Featured collection".
func (f *Federation) featuredDocument(tx *store.Tx, q asked) (answer, error) {
	account, err := localActor(tx, q.id)
	if err != nil {
		return answer{}, err
	}
	posts, err := community.PinsOf(tx, q.viewer, account.ID)
	if err != nil {
		return answer{}, err
	}
	c := as2.Collection{ID: f.site.Featured(account.ID), Type: "OrderedCollection", AttributedTo: f.site.Actor(account.ID)}
	c.Items, err = f.addresses(posts)
	if err != nil {
		return answer{}, err
	}
	total := len(c.Items)
	c.TotalItems = &total
	return collection(c)
}

// featuredTagsDocument lists the hashtags that an account shows on its page.
//
// Mastodon's documentation, "Featured tags".
func (f *Federation) featuredTagsDocument(tx *store.Tx, q asked) (answer, error) {
	account, err := localActor(tx, q.id)
	if err != nil {
		return answer{}, err
	}
	tags, err := community.FeaturedTagsOf(tx, account.ID)
	if err != nil {
		return answer{}, err
	}
	c := as2.Collection{ID: f.site.FeaturedTags(account.ID), Type: "Collection", AttributedTo: f.site.Actor(account.ID), Items: []as2.Item{}}
	for _, t := range tags {
		c.Items = append(c.Items, as2.Item{Tag: &as2.Tag{Type: "Hashtag", Href: f.site.Tag(t.Tag), Name: "#" + t.Name}})
	}
	total := len(c.Items)
	c.TotalItems = &total
	return collection(c)
}

// outboxDocument lists what an account published and passed on, as far as the
// asker may see it, newest first.
//
// W3C ActivityPub, section 5.1.
func (f *Federation) outboxDocument(tx *store.Tx, q asked) (answer, error) {
	account, err := localActor(tx, q.id)
	if err != nil {
		return answer{}, err
	}
	var told []int64
	a, err := listing{
		id: f.site.Outbox(account.ID), owner: f.site.Actor(account.ID), typ: "OrderedCollection",
		page: func(page store.Page) (community.Told, error) {
			return community.OutboxOf(tx, q.viewer, account.ID, page)
		},
		count: func() (int, error) { return community.CountOutbox(tx, q.viewer, account.ID) },
		items: func(posts []community.Post) ([]as2.Item, error) {
			for _, p := range posts {
				if p.BoostOfID == nil {
					told = append(told, p.ID)
				}
			}
			return f.published(tx, q.viewer, posts)
		},
	}.answer(q, false)
	a.posts = told
	return a, err
}

// published tells posts as an outbox does: what was done.
func (f *Federation) published(tx *store.Tx, v community.Viewer, posts []community.Post) ([]as2.Item, error) {
	var own []community.Post
	var passed, authors []int64
	for _, p := range posts {
		if p.BoostOfID != nil {
			passed = append(passed, *p.BoostOfID)
		} else {
			own = append(own, p)
		}
	}
	sayings, err := sayingsOf(tx, own)
	if err != nil {
		return nil, err
	}
	boosted, err := community.PostsByID(tx, v, passed)
	if err != nil {
		return nil, err
	}
	for _, p := range boosted {
		authors = append(authors, p.AuthorID)
	}
	accounts, err := community.AccountsByID(tx, authors)
	if err != nil {
		return nil, err
	}
	items := make([]as2.Item, 0, len(posts))
	for _, p := range posts {
		var a as2.Activity
		if p.BoostOfID == nil {
			o := objectOf(f.site, sayings[0])
			sayings = sayings[1:]
			a = as2.Activity{ID: o.ID + "#create", Type: "Create", Actor: o.AttributedTo, ObjectID: o.ID, Object: &o, To: o.To, Cc: o.Cc, Published: o.Published}
		} else {
			what := boosted[*p.BoostOfID]
			whose := accounts[what.AuthorID]
			a = f.announceOf(p.ID, p.AuthorID, what, whose)
			a.Published = p.CreatedAt
		}
		raw, err := as2.EncodeActivity(a)
		if err != nil {
			return nil, err
		}
		items = append(items, as2.Item{ID: a.ID, Raw: json.RawMessage(raw)})
	}
	return items, nil
}

// announceOf is the Announce that a boost is on the wire.
func (f *Federation) announceOf(boost, by int64, what community.Post, whose community.Account) as2.Activity {
	return as2.Activity{ID: f.site.Activity(boost), Type: "Announce", Actor: f.site.Actor(by), ObjectID: what.IRI(f.site),
		To: []string{as2.Public}, Cc: []string{f.site.Followers(by), whose.IRI(f.site)}}
}

// repliesOf is the collection of what answers a post directly, as far as the
// asker may see it, oldest first.
//
// W3C ActivityStreams Vocabulary, section 4, replies; FEP-7458.
func (f *Federation) repliesOf(tx *store.Tx, v community.Viewer, p community.Post) listing {
	return listing{
		id: f.site.PostReplies(p.ID), owner: f.site.Actor(p.AuthorID), typ: "Collection", rising: true,
		page:  func(page store.Page) (community.Told, error) { return community.AnswersTo(tx, v, p, page) },
		count: func() (int, error) { return community.CountAnswers(tx, v, p) },
		items: f.addresses,
	}
}

func (f *Federation) repliesDocument(tx *store.Tx, q asked) (answer, error) {
	p, err := localPost(tx, q)
	if err != nil {
		return answer{}, err
	}
	return f.repliesOf(tx, q.viewer, p).answer(q, true)
}

// contextDocument lists the posts of a conversation that began here, as far as
// the asker may see them, oldest first. It belongs to whoever began it. A
// conversation that fits is told at once, since not everyone follows pages.
//
// FEP-7888; FEP-f228 (backfilling conversations); FEP-11dd (context ownership).
func (f *Federation) contextDocument(tx *store.Tx, q asked) (answer, error) {
	p, err := localPost(tx, q)
	switch {
	case err != nil:
		return answer{}, err
	case p.ThreadID != p.ID: // it answers something else
		return answer{}, nothingHere()
	}
	l := listing{
		id: f.site.Context(p.ID), owner: f.site.Actor(p.AuthorID), typ: "OrderedCollection", rising: true,
		page:  func(page store.Page) (community.Told, error) { return community.Conversation(tx, q.viewer, p, page) },
		count: func() (int, error) { return community.CountConversation(tx, q.viewer, p) },
		items: f.addresses,
	}
	if q.r.URL.Query().Has("page") {
		return l.answer(q, false)
	}
	c, err := l.whole(true)
	if err != nil {
		return answer{}, err
	}
	if c.FirstPage.Next == "" {
		c.Items, c.FirstPage, c.First, c.Last = c.FirstPage.Items, nil, "", ""
	}
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
	return collection(as2.Collection{ID: id, Type: "Collection", AttributedTo: f.site.Actor(p.AuthorID), TotalItems: &total})
}
