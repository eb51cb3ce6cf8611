package federation

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// synchronization is the header that says whom a server should know as
	// followers of the author (FEP-8fcf).
	synchronization = "Collection-Synchronization"
	// syncEvery is how often at most the followers of one actor are compared
	// with its server's list: whoever sends headers must not make us ask.
	syncEvery = 10 * time.Minute
	// syncHostEvery is the same for all actors of a server.
	syncHostEvery = 5 * time.Second
	// mostSynced is how many followers of a partial list are looked at.
	mostSynced = 5000
)

// digestsFor says, for each server that a post of followers goes to, which
// followers it should know of. It is a pass over the author's followers,
// whatever the number of servers; posts for others have none.
//
// FEP-8fcf.
func digestsFor(tx *store.Tx, o community.Outgoing, targets []community.Target) (map[string]string, error) {
	if o.Audience != community.Followers && o.Audience != community.Network || o.Verb != community.VerbCreate && o.Verb != community.VerbUpdate {
		return nil, nil
	}
	digests, err := community.FollowerDigests(tx, o.ActorID)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		if digests[t.Host] == "" { // nobody there follows, and that is worth knowing too
			digests[t.Host] = community.NoFollowers
		}
	}
	return digests, nil
}

// synchronize puts what a delivery says of the followers into its header.
//
// FEP-8fcf.
func (f *Federation) synchronize(req *http.Request, actor int64, digest string) {
	if digest != "" {
		req.Header.Set(synchronization, fmt.Sprintf(`collectionId="%s", digest="%s", url="%s"`,
			f.site.Followers(actor), digest, f.site.FollowersSynchronization(actor)))
	}
}

// followersSynchronizationDocument lists the followers of an account that are
// of the server that asks, and no others: who else follows is not for it.
//
// FEP-8fcf.
func (f *Federation) followersSynchronizationDocument(tx *store.Tx, q asked) (answer, error) {
	account, err := localActor(tx, q.id)
	if err != nil {
		return answer{}, err
	}
	if q.viewer.Host == "" {
		return answer{}, fault.New(fault.Unauthorized, "Sign the request: each server is told of its own people only.")
	}
	followers, err := community.FollowersFrom(tx, account.ID, q.viewer.Host)
	if err != nil {
		return answer{}, err
	}
	c := as2.Collection{ID: f.site.FollowersSynchronization(account.ID), Type: "OrderedCollection", AttributedTo: f.site.Actor(account.ID)}
	for _, uri := range followers {
		c.Items = append(c.Items, as2.Item{ID: uri})
	}
	total := len(c.Items)
	c.TotalItems = &total
	return collection(c)
}

// synced is what a header says.
type synced struct{ collection, url, digest string }

// readSynchronization reads the header. Values may be quoted or not.
//
// FEP-8fcf; RFC 9110, section 5.6.6 (parameters).
func readSynchronization(header string) (s synced, ok bool) {
	if len(header) > 3*maxAddress {
		return s, false
	}
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "collectionid":
			s.collection = value
		case "url":
			s.url = value
		case "digest":
			s.digest = strings.ToLower(value)
		}
	}
	return s, s.collection != "" && s.url != "" && len(s.digest) == len(community.NoFollowers) && strings.Trim(s.digest, "0123456789abcdef") == ""
}

// heardOfFollowers looks at what a delivery says of its author's followers
// here, and puts right what differs, once in a while. Nothing waits for it.
//
// FEP-8fcf: the collection must be the author's own, and the list on their server.
func (f *Federation) heardOfFollowers(author community.Account, header string) {
	if header == "" {
		return
	}
	said, ok := readSynchronization(header)
	if !ok || author.URI == nil || said.collection != author.FollowersURI || !iri.SameOrigin(said.url, *author.URI) {
		return
	}
	f.aside(context.Background(), func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, fetchWithin)
		defer cancel()
		if err := f.syncFollowers(ctx, author, said); err != nil {
			f.log.Info("followers not compared", "host", author.Host, "err", err)
		}
	})
}

// syncFollowers compares who here follows an actor with whom its server knows,
// and where they differ ends what only one side believes in.
func (f *Federation) syncFollowers(ctx context.Context, author community.Account, said synced) error {
	var digest string
	var known []int64
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		digest, known, err = community.DigestHere(tx, author.ID)
		return err
	})
	now := f.db.Now()
	if err != nil || digest == said.digest || f.refetched.recent("followers of "+author.Host, now, syncHostEvery) ||
		!f.refetched.allow("followers "+*author.URI, now, syncEvery) {
		return err
	}
	f.refetched.allow("followers of "+author.Host, now, syncHostEvery)
	body, from, err := f.document(ctx, said.url)
	if err != nil {
		return err
	}
	if !iri.SameOrigin(from, *author.URI) {
		return fault.New(fault.NotFound, "%s led to another server", said.url)
	}
	list, err := as2.DecodeCollection(body)
	if err != nil {
		return err
	}
	if list.First != "" || list.Next != "" || len(list.Items) > mostSynced {
		return fault.New(fault.NotFound, "%s is not the whole list", said.url)
	}
	var theirs []int64
	for _, item := range list.Items {
		if ref, ok := f.site.Parse(item.ID); ok && ref.Kind == iri.Actor {
			theirs = append(theirs, ref.ID)
		}
	}
	return f.db.Batch(ctx, func(tx *store.Tx) error { return community.ReconcileFollowers(tx, author, known, theirs) })
}
