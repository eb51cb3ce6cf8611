package federation

import (
	"cmp"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// mostParents is how far up a thread is fetched.
	mostParents = 5
	// failedFor is how long an address that could not be fetched is left alone.
	failedFor = time.Minute
	// freshFor is how long an account looked up by name is taken as it is.
	freshFor = 24 * time.Hour
	// fetchWithin bounds one look-up, with all the requests it takes.
	fetchWithin = 25 * time.Second
)

// acceptActivity asks for an ActivityStreams document in both its names.
//
// W3C ActivityPub, section 3.2.
const acceptActivity = `application/activity+json, application/ld+json; profile="https://www.w3.org/ns/activitystreams"`

// admits asks the policy about a host.
func (f *Federation) admits(host string) error {
	d, err := f.policyOf(host)
	if err == nil && !d.Admitted {
		err = peers.NotAdmitted(host)
	}
	return err
}

// question is one about the policy.
type question struct {
	host     string
	decision peers.Decision
	err      error
}

// policyOf asks what holds for a host at this moment, together with whoever
// else asks something just now.
func (f *Federation) policyOf(host string) (peers.Decision, error) {
	q := &question{host: host}
	f.policies.wait(q)
	return q.decision, q.err
}

func (f *Federation) decideAll(lot []*question) {
	hosts := make([]string, len(lot))
	for i, q := range lot {
		hosts[i] = q.host
	}
	err := f.db.Ask(context.Background(), func(tx *store.Tx) error {
		decided, err := peers.Decide(tx, hosts)
		for _, q := range lot {
			q.decision = decided[q.host]
		}
		return err
	})
	for _, q := range lot {
		q.err = err
	}
}

// get asks another server for a document, if the policy admits that server and
// each one that it redirects to. Our signature goes with it, so that a server
// which is as closed as this one can tell who asks.
func (f *Federation) get(ctx context.Context, address, accept string) (*egress.Response, error) {
	return f.getAtMost(ctx, address, accept, 0)
}

// Picture fetches a picture of another server as that server gives it to this
// one: a picture of a post that is not public is given to the servers only that
// the post is for, which our signature shows.
//
// FEDERATION.md, "Pictures".
func (f *Federation) Picture(ctx context.Context, of, address string, most int64) (body []byte, contentType string, err error) {
	res, err := f.getWhere(ctx, address, "image/*", most, func(host string) error { return f.mayGiveFiles(ctx, of, host) })
	if err != nil {
		if peers.Refused(err) {
			f.proposeFiles(ctx, of, address)
		}
		return nil, "", err
	}
	return res.Body, res.Header.Get("Content-Type"), nil
}

// mayGiveFiles fails unless files of the posts of a server may be fetched from a
// host: it is that server, another that is admitted, or on record as where the
// server has its files.
func (f *Federation) mayGiveFiles(ctx context.Context, of, host string) error {
	return f.db.Read(ctx, func(tx *store.Tx) error {
		decided, err := peers.Decide(tx, []string{of, host})
		if err != nil {
			return err
		}
		whose, d := decided[of], decided[host]
		if whose.Admitted && (d.Admitted || d.GivesFilesOf(whose.PeerID)) {
			return nil
		}
		return peers.NotAdmitted(host)
	})
}

// proposeFiles writes down that a server seems to have its files at a host, for
// an administrator to confirm. Until then nothing is asked of it.
func (f *Federation) proposeFiles(ctx context.Context, of, address string) {
	host, err := iri.HostOf(address)
	if err != nil || host == of || !f.refetched.allow("files "+of+" "+host, f.db.Now(), knockEvery) {
		return
	}
	err = f.db.Batch(ctx, func(tx *store.Tx) error {
		decided, err := peers.Decide(tx, []string{of, host})
		if err != nil || !decided[of].Admitted || decided[of].PeerID == 0 {
			return err
		}
		if d := decided[host]; d.Standing != peers.Unknown && d.Role != peers.RoleMedia { // where others have theirs, it may have its own
			return nil
		}
		return peers.Propose(tx, decided[of].PeerID, host, peers.RoleMedia)
	})
	if err != nil && ctx.Err() == nil {
		f.log.Error("host of files not proposed", "host", of, "err", err)
	}
}

// getAtMost is get with a bound of its own; 0 is the bound of documents.
func (f *Federation) getAtMost(ctx context.Context, address, accept string, most int64) (*egress.Response, error) {
	return f.getWhere(ctx, address, accept, most, f.admits)
}

// getWhere is get with a question of its own for each server that is asked:
// for what comes before a server can be admitted.
func (f *Federation) getWhere(ctx context.Context, address, accept string, most int64, may func(host string) error) (*egress.Response, error) {
	host, err := iri.HostOf(address)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "%q is no address of another server.", address)
	}
	if err := may(host); err != nil {
		return nil, err
	}
	keys, err := f.instanceKeys(ctx)
	if err != nil {
		return nil, err
	}
	known, err := f.signaturesOf(ctx, host)
	if err != nil {
		return nil, err
	}
	res, err := f.knock(ctx, host, known, func(how peers.Signatures) (*egress.Response, error) {
		return f.egress.Get(ctx, egress.Request{
			URL:     address,
			Accept:  accept,
			MaxBody: most,
			Sign: func(req *http.Request) error {
				if at, err := iri.HostOf(req.URL.String()); err != nil || at != host {
					return keys.sign(peers.SignsCavage, req, nil, f.db.Now()) // redirected to where nothing is known of
				}
				return keys.sign(how, req, nil, f.db.Now())
			},
			Follow: func(to *url.URL) error {
				at, err := iri.HostOf(to.String())
				if err != nil {
					return err
				}
				return may(at)
			},
		})
	})
	switch {
	case err != nil && peers.Refused(err):
		return nil, err
	case err != nil:
		f.metrics.fetched.With("failed").Inc()
		kind := fault.Unavailable
		if hopeless(err) {
			kind = fault.NotFound
		}
		return nil, fault.Wrap(kind, err, "The server %s did not answer as expected. Please try again later.", host).
			WithKey("federation.no_answer", map[string]any{"Host": host})
	case res.Status != http.StatusOK:
		f.metrics.fetched.With("refused").Inc()
		if res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden {
			f.refusedBy(ctx, host, res.Status == http.StatusForbidden && wantsPeering(res))
		}
		return nil, statusFault(host, res)
	}
	f.metrics.fetched.With("ok").Inc()
	f.answered(ctx, host)
	return res, nil
}

// hopeless reports whether a request failed in a way that asking again will not
// change, and that does not make its server a slow one.
func hopeless(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.Is(err, egress.ErrURL) || errors.Is(err, egress.ErrPrivateAddress) || errors.Is(err, egress.ErrRedirect) || errors.Is(err, egress.ErrTooLarge) ||
		errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt)
}

// answered notes that a host answers, for deliveries that were put off because
// it did not.
func (f *Federation) answered(ctx context.Context, host string) {
	if !f.refetched.allow("answers "+host, f.db.Now(), signsEvery) {
		return
	}
	putOff := false
	err := f.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Raw("SELECT EXISTS (SELECT 1 FROM lanes WHERE queue = ? AND host = ? AND waiting AND failures > 0)", deliveriesQueue, host).Scan(&putOff).Error
	})
	if err == nil && putOff {
		err = f.db.Batch(ctx, func(tx *store.Tx) error { return alive(tx, host) })
	}
	if err != nil && ctx.Err() == nil {
		f.log.Error("sign of life not noted", "host", host, "err", err)
	}
}

// statusFault says in words for people why a server did not give a document.
func statusFault(host string, res *egress.Response) error {
	args := map[string]any{"Host": host, "Status": res.Status}
	switch {
	case res.Status == http.StatusNotFound:
		return fault.Keyed(fault.NotFound, "federation.not_found", fmt.Sprintf("The server %s does not know this address, or does not show it to yours. Look whether it is written as it is there.", host), args)
	case res.Status == http.StatusGone:
		return fault.Keyed(fault.Gone, "federation.gone", fmt.Sprintf("The server %s says that this was deleted.", host), args)
	case res.Status == http.StatusForbidden && wantsPeering(res):
		return fault.Keyed(fault.Forbidden, "federation.not_connected",
			fmt.Sprintf("The server %s has not connected with yours. Its administrators decide about that; yours can ask them.", host), args)
	case res.Status == http.StatusUnauthorized:
		return fault.Keyed(fault.Forbidden, "federation.unsigned",
			fmt.Sprintf("The server %s did not accept your server's signature. One of the two clocks may be wrong. Your administrators can test the connection on the page of %s.", host, host), args)
	case res.Status == http.StatusForbidden:
		return fault.Keyed(fault.Forbidden, "federation.refused",
			fmt.Sprintf("The server %s does not show this to your server. It may not be for everybody, or its administrators have not allowed yours. Your administrators can test the connection on the page of %s, and ask theirs.", host, host), args)
	}
	kind := fault.Unavailable
	switch res.Status {
	case http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly, http.StatusTooManyRequests:
	default: // RFC 9110, section 15.6: only a 5xx says that it may be another time
		if res.Status/100 != 5 {
			kind = fault.NotFound
		}
	}
	return fault.Keyed(kind, "federation.status", fmt.Sprintf("The server %s answered with an error (%d).", host, res.Status), args)
}

// wantsPeering reports whether a refusal is that of a server which talks to
// those it has connected with only.
func wantsPeering(res *egress.Response) bool {
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") {
		return false
	}
	var p problem
	return json.Unmarshal(res.Body, &p) == nil && p.Type == peeringRequired
}

// document fetches an ActivityStreams document. The address that it was got
// from is returned too: what it says is to be believed of that origin only.
//
// FEP-fe34; the media type is part of it, since a server that lets people
// upload files must not be made to speak through one.
func (f *Federation) document(ctx context.Context, address string) (body []byte, from string, err error) {
	res, err := f.get(ctx, address, acceptActivity)
	if err != nil {
		return nil, "", err
	}
	if kind := res.Header.Get("Content-Type"); !isActivityJSON(kind) {
		return nil, "", fault.New(fault.NotFound, "There is no person, group or post at %s.", address)
	}
	return res.Body, res.URL, nil
}

// fetchActor fetches an actor and keeps its account.
func (f *Federation) fetchActor(ctx context.Context, address string) (community.Account, error) {
	got, err, _ := f.fetches.Do("actor "+address, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchWithin)
		defer cancel()
		actor, err := f.actorAt(ctx, address)
		if err != nil {
			return community.Account{}, err
		}
		return f.keep(ctx, actor)
	})
	account, _ := got.(community.Account)
	return account, err
}

// actorAt fetches an actor's document. One that was not found under its own
// address is fetched from there once more.
func (f *Federation) actorAt(ctx context.Context, address string) (as2.Actor, error) {
	for range 2 {
		body, from, err := f.document(ctx, address)
		if err != nil {
			return as2.Actor{}, err
		}
		actor, err := as2.DecodeActor(body)
		if err != nil {
			return as2.Actor{}, fault.Wrap(fault.NotFound, err, "There is no person or group at %s.", address)
		}
		if sameDocument(actor.ID, from) {
			return actor, nil
		}
		address = actor.ID
	}
	return as2.Actor{}, fault.New(fault.NotFound, "The address %s does not lead to one person or group.", address)
}

// keep stores what an actor's server says of it.
func (f *Federation) keep(ctx context.Context, actor as2.Actor) (community.Account, error) {
	remote, err := remoteAccount(actor)
	if err != nil {
		return community.Account{}, fault.Wrap(fault.NotFound, err, "What %s says of itself cannot be used: %v.", actor.ID, err)
	}
	how := signaturesSaid(actor)
	news := how != peers.SignsUnknown && f.refetched.allow("signs "+remote.Host, f.db.Now(), signsSaidEvery)
	var account community.Account
	err = f.db.Batch(ctx, func(tx *store.Tx) error {
		var err error
		account, err = community.UpsertRemote(tx, remote)
		if err == nil && news {
			err = peers.NoteSignatures(tx, remote.Host, how)
		}
		return err
	})
	return account, err
}

// fetchKey fetches the key with an ID and keeps the account of its owner. With
// again it does so also when the key is on record. What failed a moment ago is
// not tried again.
func (f *Federation) fetchKey(ctx context.Context, keyID string, again bool) (community.Account, community.AccountKey, error) {
	type found struct {
		account community.Account
		key     community.AccountKey
	}
	got, err, _ := f.fetches.Do("key "+keyID, func() (any, error) {
		ctx, cancel := context.WithTimeout(egress.Urgent(context.WithoutCancel(ctx)), fetchWithin)
		defer cancel()
		var k found
		record := func(tx *store.Tx) (err error) {
			k.account, k.key, err = community.KeyByKeyID(tx, keyID)
			return err
		}
		if !again {
			if err := f.db.Read(ctx, record); err == nil || !fault.Is(err, fault.NotFound) {
				return k, err
			}
		}
		now := f.db.Now()
		host, err := iri.HostOf(keyID)
		if err != nil {
			return k, err
		}
		if f.badKeys.spent(host, now) || !f.refetched.allow("failed key "+keyID, now, failedFor) {
			return k, fault.New(fault.Unavailable, "it failed a moment ago; try again later")
		}
		if err := f.askForKey(ctx, keyID); err != nil {
			f.badKeys.spend(host, now)
			return k, err
		}
		f.refetched.forget("failed key " + keyID)
		return k, f.db.Read(ctx, record)
	})
	k, _ := got.(found)
	return k.account, k.key, err
}

// askForKey fetches a key's document: the actor itself, or, as with GoToSocial
// and Pixelfed, a document of its own that names the actor. Either way only
// what the actor says is its key counts.
func (f *Federation) askForKey(ctx context.Context, keyID string) error {
	address, _, _ := strings.Cut(keyID, "#")
	body, from, err := f.document(ctx, address)
	if err != nil {
		return err
	}
	actor, err := as2.DecodeActor(body)
	if err != nil || !sameDocument(actor.ID, from) {
		owner := actor.ID
		if err != nil {
			var stub struct { // Controller: of a Multikey
				Owner, Controller string
			}
			if json.Unmarshal(body, &stub) == nil {
				owner = cmp.Or(stub.Owner, stub.Controller)
			}
		}
		if !iri.SameOrigin(owner, keyID) {
			return fault.New(fault.NotFound, "%s names no owner of its own server", keyID)
		}
		if actor, err = f.actorAt(ctx, owner); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(keysIn(actor), func(k community.PublicKey) bool { return k.ID == keyID }) {
		return fault.New(fault.NotFound, "%s has another key than %s", actor.ID, keyID)
	}
	_, err = f.keep(ctx, actor)
	return err
}

// sameDocument reports whether a document with the ID was got from its own
// address. A fragment never travels.
func sameDocument(id, from string) bool {
	id, _, _ = strings.Cut(id, "#")
	return id == from
}

// accountAt returns the account with an address, ours or another server's, and
// fetches it if it is not known.
func (f *Federation) accountAt(ctx context.Context, address string) (community.Account, error) {
	var account community.Account
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		account, err = community.AccountByURI(tx, address)
		return err
	})
	if fault.Is(err, fault.NotFound) && !f.site.Local(address) {
		return f.fetchActor(ctx, address)
	}
	return account, err
}

// Resolve returns the account that a handle or an address names. One of
// another server is looked up there unless it is known well enough.
//
// RFC 7033 (WebFinger).
func (f *Federation) Resolve(ctx context.Context, handleOrURL string) (community.Account, error) {
	what := strings.TrimSpace(handleOrURL)
	if strings.HasPrefix(what, "https://") || strings.HasPrefix(what, "http://") {
		if f.site.Local(what) {
			return f.localAccount(ctx, what)
		}
		return f.accountAt(ctx, what)
	}
	h, err := iri.ParseHandle(what, iri.IsDev(f.site.Host))
	if err != nil {
		return community.Account{}, fault.Invalidf("q", "%v", err).WithKey("federation.handle", map[string]any{"Handle": what})
	}
	if h.Host == f.site.Host {
		h.Host = ""
	}
	var known community.Account
	err = f.db.Read(ctx, func(tx *store.Tx) (err error) {
		if h.Host != "" { // also for what is known: nothing of a server that was taken off is looked up
			if err := peers.Check(tx, h.Host); err != nil {
				return err
			}
		}
		known, err = community.AccountByHandle(tx, h.Name, h.Host)
		return err
	})
	switch {
	case err == nil && (h.Host == "" || known.FetchedAt != nil && f.db.Now().Sub(*known.FetchedAt) < freshFor):
		return known, nil
	case err != nil && (h.Host == "" || !fault.Is(err, fault.NotFound)):
		return known, err
	}
	account, lookupErr := f.finger(ctx, h)
	if lookupErr != nil && err == nil && !fault.Is(lookupErr, fault.Gone) {
		return known, nil // what is on record is better than nothing
	}
	return account, lookupErr
}

// localAccount reads one of our own addresses.
func (f *Federation) localAccount(ctx context.Context, address string) (community.Account, error) {
	var account community.Account
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		switch ref, _ := f.site.Parse(address); ref.Kind {
		case iri.Actor:
			account, err = community.AccountByURI(tx, address)
		case iri.Profile:
			h, bad := iri.ParseHandle(ref.Name, iri.IsDev(f.site.Host))
			if bad != nil {
				return fault.New(fault.NotFound, "There is no such person or group here.")
			}
			account, err = community.AccountByHandle(tx, h.Name, h.Host)
		default:
			err = fault.New(fault.NotFound, "There is no such person or group here.")
		}
		return err
	})
	return account, err
}

// finger looks a handle up at its host and fetches the actor it names.
func (f *Federation) finger(ctx context.Context, h iri.Handle) (community.Account, error) {
	q := url.Values{"resource": {"acct:" + h.Acct()}}
	address := f.site.Scheme + "://" + h.Host + "/.well-known/webfinger?" + q.Encode()
	res, err := f.get(ctx, address, "application/jrd+json, application/json")
	if fault.Is(err, fault.NotFound) {
		return community.Account{}, fault.Keyed(fault.NotFound, "federation.no_such_person",
			fmt.Sprintf("The server %s does not know %s.", h.Host, h), map[string]any{"Host": h.Host, "Handle": h.String()})
	}
	if err != nil {
		return community.Account{}, err
	}
	self, err := readWebFinger(res.Body)
	if err != nil {
		return community.Account{}, fault.Wrap(fault.Unavailable, err, "The server %s did not answer as expected. Please try again later.", h.Host).
			WithKey("federation.no_answer", map[string]any{"Host": h.Host})
	}
	return f.fetchActor(ctx, self)
}

// ResolvePost returns the post with an address, ours or another server's, and
// fetches it, and what it answers, if it is not known. Who may see it is for
// the caller to ask.
func (f *Federation) ResolvePost(ctx context.Context, address string) (community.Post, error) {
	address = strings.TrimSpace(address)
	var post community.Post
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		if ref, ok := f.site.Parse(address); ok && ref.Kind == iri.Page {
			post, err = community.PostByID(tx, ref.ID)
			return err
		}
		post, err = community.PostByURI(tx, address)
		return err
	})
	if !fault.Is(err, fault.NotFound) || f.site.Local(address) {
		return post, err
	}
	return f.fetchPost(ctx, address)
}

// fetchPost fetches a post and the posts above it, and lands them from the top.
func (f *Federation) fetchPost(ctx context.Context, address string) (community.Post, error) {
	got, err, _ := f.fetches.Do("post "+address, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchWithin)
		defer cancel()
		if f.refetched.recent("failed "+address, f.db.Now(), failedFor) {
			return community.Post{}, fault.Keyed(fault.Unavailable, "federation.failed_lately",
				"This post could not be fetched a moment ago. Please try again later.", nil)
		}
		if err := f.heldBack(ctx, address); err != nil {
			return community.Post{}, err
		}
		post, err := f.climb(ctx, address)
		if fault.Is(err, fault.Unavailable) {
			f.refetched.allow("failed "+address, f.db.Now(), failedFor)
		}
		return post, err
	})
	post, _ := got.(community.Post)
	return post, err
}

// climb fetches a post and up to mostParents above it.
func (f *Federation) climb(ctx context.Context, address string) (community.Post, error) {
	type step struct {
		object as2.Object
		author community.Account
	}
	var steps []step
	for next := address; next != "" && len(steps) <= mostParents; {
		object, err := f.objectAt(ctx, next)
		if err == nil && !iri.SameOrigin(object.AttributedTo, object.ID) {
			err = fault.New(fault.NotFound, "The post %s is not of its author's server.", next)
		}
		var author community.Account
		if err == nil {
			author, err = f.accountAt(ctx, object.AttributedTo)
		}
		if err != nil {
			if len(steps) == 0 {
				return community.Post{}, err
			}
			break // what stands above stays unknown
		}
		steps = append(steps, step{object, author})
		next = object.InReplyTo
		if next == "" || f.knows(ctx, next) || f.site.Local(next) {
			break
		}
	}
	slices.Reverse(steps)
	var post community.Post
	var refused error // of the last, which was asked for; one above is left out
	err := f.db.Batch(ctx, func(tx *store.Tx) error {
		for _, s := range steps {
			r, err := readObject(s.object)
			if err != nil {
				return fault.Wrap(fault.NotFound, err, "There is no post at %s.", address)
			}
			b := newBook(tx)
			remote, err := b.complete(r, s.author)
			if err != nil {
				return err
			}
			remote.Found = true
			if refused, err = f.admit(b, s.object, remote, nil); err != nil {
				return err
			}
			if refused != nil {
				post = community.Post{}
				continue
			}
			if post, _, err = community.Receive(tx, remote); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = refused
	}
	return post, err
}

// knows reports whether a post is on record.
func (f *Federation) knows(ctx context.Context, address string) bool {
	return f.db.Read(ctx, func(tx *store.Tx) error {
		_, err := community.PostByURI(tx, address)
		return err
	}) == nil
}

// objectAt fetches an object. One that was not found under its own address is
// fetched from there once more.
func (f *Federation) objectAt(ctx context.Context, address string) (as2.Object, error) {
	return objectBy(ctx, address, f.document)
}

// objectBy is objectAt with a way to fetch documents.
func objectBy(ctx context.Context, address string, document func(context.Context, string) ([]byte, string, error)) (as2.Object, error) {
	for range 2 {
		body, from, err := document(ctx, address)
		if err != nil {
			return as2.Object{}, err
		}
		object, err := as2.DecodeObject(body)
		object.Raw = body
		switch {
		case err != nil:
			return object, fault.Wrap(fault.NotFound, err, "There is no post at %s.", address)
		case object.Type == "Tombstone":
			return object, fault.New(fault.Gone, "The post at %s was deleted.", address)
		case sameDocument(object.ID, from):
			return object, nil
		}
		address = object.ID
	}
	return as2.Object{}, fault.New(fault.NotFound, "The address %s does not lead to one post.", address)
}
