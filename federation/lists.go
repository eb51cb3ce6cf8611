package federation

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/federation/sig"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// listsFallback is how often lists that are due are looked for without news.
	listsFallback = 5 * time.Second
	// syncListsEvery is how often lists of ours are compared with the peers
	// without news.
	syncListsEvery = time.Minute
	// mostListsAtOnce is how many lists of others are looked at at once.
	mostListsAtOnce = 8
	// listWithin is how long one may take to arrive.
	listWithin = 30 * time.Second
	// draftsAtOnce is how many accepted drafts one transaction does.
	draftsAtOnce = 25
	// readsEvery is how exact it is known who reads a list of ours.
	readsEvery = time.Hour
)

// verbListChanged is what the queue calls the news that a list has changed.
const verbListChanged community.Verb = "ListChanged"

const acceptList = "application/json, text/csv;q=0.9, text/plain;q=0.8, */*;q=0.1"

// listForms are the names under which a list is given out in other forms.
func listForms() map[string]peers.Formats {
	return map[string]peers.Formats{".csv": peers.FormatsMastodon, ".txt": peers.FormatsPlain, ".json": peers.FormatsGoToSocial}
}

// getList answers with a list of servers that this one publishes: to connected
// servers by their signature, to whoever has the whole address, or to anybody.
//
// FEDERATION.md, "Lists of servers"; RFC 9110, section 13 (conditional requests).
func (f *Federation) getList(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Vary", "Signature, Signature-Input")
	h.Set("Cache-Control", "private, no-cache")
	var l peers.PublishedList
	err := f.db.Read(r.Context(), func(tx *store.Tx) (err error) {
		l, err = peers.ListByPath(tx, mux.Vars(r)["path"])
		return err
	})
	ext := mux.Vars(r)["form"]
	form := listForms()[ext]
	switch {
	case err != nil && !fault.Is(err, fault.NotFound):
		f.fail(w, r, err)
		return
	case err != nil, !l.Live, ext != "" && !l.Formats.Has(form), l.Visibility == peers.VisibleLink && !l.Opens(r.URL.Query().Get("key")):
		f.fail(w, r, nothingHere())
		return
	}
	viewer := community.Guest
	if l.Visibility == peers.VisiblePeers || hasSignature(r) {
		viewer, err = f.viewer(r)
	}
	if l.Visibility == peers.VisiblePeers {
		if err == nil && viewer.Host == "" { // this server is open, and nobody signed
			err = refuse(http.StatusUnauthorized, "signature", "This list is for servers that are connected with this one. Sign the request.")
		}
		if err != nil {
			f.refuseReader(w, r, err)
			return
		}
	}
	if err == nil && viewer.Host != "" && ext == "" {
		f.notesReader(r.Context(), l, viewer.Host)
	}
	tag := `"` + strconv.FormatInt(l.Version, 10) + ext + `"`
	h.Set("ETag", tag)
	h.Set("Last-Modified", l.UpdatedAt.UTC().Format(http.TimeFormat))
	if unchanged(r, tag, l.UpdatedAt) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	kind := "application/json"
	var body []byte
	if ext == "" {
		body, err = f.listBody(r.Context(), l)
	} else {
		err = f.db.Read(r.Context(), func(tx *store.Tx) (err error) {
			body, kind, err = peers.ListIn(tx, l, form)
			return err
		})
	}
	if err != nil {
		h.Del("ETag")
		h.Del("Last-Modified")
		f.fail(w, r, err)
		return
	}
	h.Set("Content-Type", kind)
	_, _ = w.Write(body) // the asker may have gone
}

// unchanged reports whether whoever asks has what there is.
//
// RFC 9110, sections 13.1.2, 13.1.3 and 13.2.2.
func unchanged(r *http.Request, tag string, at time.Time) bool {
	if match := r.Header.Get("If-None-Match"); match != "" {
		for one := range strings.SplitSeq(match, ",") {
			if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
				return true
			}
		}
		return false
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	return err == nil && !at.Truncate(time.Second).After(since)
}

// notesReader remembers that a server reads a list, so that it is told of changes.
func (f *Federation) notesReader(ctx context.Context, l peers.PublishedList, host string) {
	key := fmt.Sprintf("reads %d %s", l.ID, host)
	if !f.refetched.allow(key, f.db.Now(), readsEvery) {
		return
	}
	if err := f.db.Batch(ctx, func(tx *store.Tx) error { return peers.Reads(tx, l.ID, host) }); err != nil {
		f.refetched.forget(key)
		if ctx.Err() == nil {
			f.log.Error("reader of a list not noted", "list", l.Path, "host", host, "err", err)
		}
	}
}

// listBody is a list as it is given out, with the proof of the server's own
// actor. It is signed once for each version.
//
// FEP-8b32.
func (f *Federation) listBody(ctx context.Context, l peers.PublishedList) ([]byte, error) {
	got, err, _ := f.fetches.Do(fmt.Sprintf("list body %d %d", l.ID, l.Version), func() (any, error) {
		ctx := context.WithoutCancel(ctx)
		keys, err := f.instanceKeys(ctx)
		if err != nil {
			return nil, err
		}
		var body, document []byte
		err = f.db.Read(ctx, func(tx *store.Tx) (err error) {
			if body, err = peers.ListBody(tx, l.ID); err != nil || body != nil {
				return err
			}
			if l, err = peers.ListByPath(tx, l.Path); err != nil {
				return err
			}
			document, err = peers.ListDocument(tx, l, f.listAddress(l), f.site.Instance())
			return err
		})
		if err != nil || body != nil {
			return body, err
		}
		if body, err = sig.Prove(document, keys.ed, f.db.Now()); err != nil {
			return nil, err
		}
		return body, f.db.Write(ctx, func(tx *store.Tx) error { return peers.KeepBody(tx, l.ID, l.Version, body) })
	})
	body, _ := got.([]byte)
	return body, err
}

// listAddress names a list, without what opens it.
func (f *Federation) listAddress(l peers.PublishedList) string {
	return f.site.URL("/peering/lists/" + l.Path)
}

// runLists keeps lists of ours up to date and tells their readers, and looks at
// those of others, until ctx ends.
func (f *Federation) runLists(ctx context.Context) {
	var looking sync.WaitGroup
	defer looking.Wait()
	room := make(chan struct{}, mostListsAtOnce)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var synced time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.listNow:
		case <-timer.C:
		}
		f.asideCount.Add(1) // nothing is settled before this is done
		if now := f.db.Now(); f.listsStale.Swap(false) || now.Sub(synced) >= syncListsEvery {
			if err := f.db.Write(ctx, peers.SyncLists); err != nil && ctx.Err() == nil {
				f.log.Error("lists not brought up to date", "err", err)
			}
			synced = now
		}
		for f.tellReaders(ctx) {
		}
		f.workDrafts(ctx)
		var due []peers.Subscription
		err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
			due, err = peers.DueSubscriptions(tx, 4*mostListsAtOnce)
			return err
		})
		if err != nil && ctx.Err() == nil {
			f.log.Error("lists to look at not listed", "err", err)
		}
		for _, s := range due {
			select {
			case room <- struct{}{}:
			default:
				continue // they are found again once there is room
			}
			f.asideCount.Add(1)
			looking.Go(func() {
				defer func() {
					<-room
					f.asideCount.Add(-1)
				}()
				if err := f.LookAtList(ctx, s.ID); err != nil && ctx.Err() == nil {
					f.log.Error("list not looked at", "list", s.Address(), "err", err)
				}
			})
		}
		f.asideCount.Add(-1)
		timer.Reset(listsFallback)
	}
}

// workDrafts does the drafts that were accepted together, piece by piece.
func (f *Federation) workDrafts(ctx context.Context) {
	for more := true; more && ctx.Err() == nil; {
		err := f.db.Write(ctx, func(tx *store.Tx) (err error) {
			more, err = peers.WorkDrafts(tx, draftsAtOnce, community.BlockHost)
			return err
		})
		if err != nil {
			if ctx.Err() == nil {
				f.log.Error("accepted drafts not done", "err", err)
			}
			return
		}
	}
}

// tellReaders tells the readers of one list that it has changed, and reports
// whether there may be another to tell of: an Update of the list's address by
// the server's own actor, which has them fetch it now.
//
// W3C ActivityStreams Vocabulary, section 3.1 (Update).
func (f *Federation) tellReaders(ctx context.Context) bool {
	told := false
	err := f.db.Write(ctx, func(tx *store.Tx) error {
		told = false
		l, readers, err := peers.Untold(tx)
		if err != nil || l.ID == 0 {
			return err
		}
		told = true
		hosts := make([]string, len(readers))
		for i, r := range readers {
			hosts[i] = r.Host
		}
		admitted, err := peers.Admitted(tx, hosts)
		if err != nil {
			return err
		}
		readers = slices.DeleteFunc(readers, func(r peers.Reader) bool { return !admitted[r.Host] })
		if len(readers) > 0 {
			if err := f.queueNews(tx, f.listAddress(l), readers); err != nil {
				return err
			}
		}
		return peers.ToldOf(tx, l)
	})
	if err != nil && ctx.Err() == nil {
		f.log.Error("readers of a list not told", "err", err)
	}
	return err == nil && told
}

func (f *Federation) queueNews(tx *store.Tx, address string, readers []peers.Reader) error {
	o := community.Outgoing{ID: tx.NewID(), Verb: verbListChanged, ActorID: community.InstanceActor, ObjectURI: address, State: "spread", CreatedAt: tx.Now}
	var err error
	// To nobody by name: who else reads a list is not for its readers to know.
	o.Body, err = as2.EncodeActivity(as2.Activity{ID: f.site.Activity(o.ID), Type: "Update", Actor: f.site.Instance(), ObjectID: address,
		Published: tx.Now, Updated: tx.Now})
	if err != nil {
		return err
	}
	if err := tx.Create(&o).Error; err != nil {
		return err
	}
	targets, hosts := make([]community.Target, len(readers)), make([]string, len(readers))
	for i, r := range readers {
		targets[i], hosts[i] = community.Target{Host: r.Host, Inbox: r.Inbox}, r.Host
	}
	for part := range slices.Chunk(targets, deliveryBatch) {
		if err := insertDeliveries(tx, o, part, nil); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(hosts, deliveryBatch) {
		if err := enter(tx, deliveriesQueue, part...); err != nil {
			return err
		}
	}
	return nil
}

// heardOfList has a list looked at whose publisher says that it has changed,
// and reports whether it is one that is followed here.
func heardOfList(tx *store.Tx, row *arrived) (bool, error) {
	a := &row.activity
	if a.Object != nil || a.ObjectActor != nil || !iri.SameOrigin(a.ObjectID, row.ActorURI) {
		return false, nil
	}
	return peers.ListNews(tx, row.ActorURI, a.ObjectID)
}

// LookAtList fetches a list that this server follows, if it is due, and has it
// take its effect. What is wrong with the list is noted with the subscription
// and no failure of this call.
func (f *Federation) LookAtList(ctx context.Context, id int64) error {
	_, err, _ := f.fetches.Do(fmt.Sprintf("list %d", id), func() (any, error) { return nil, f.lookAtList(ctx, id) })
	return err
}

func (f *Federation) lookAtList(ctx context.Context, id int64) error {
	var s peers.Subscription
	mine := false
	err := f.db.Write(ctx, func(tx *store.Tx) (err error) {
		if s, err = peers.SubscriptionByID(tx, id); err == nil {
			mine, err = peers.ClaimSubscription(tx, s)
		}
		return err
	})
	if err != nil || !mine {
		return err
	}
	fetched, err := f.fetchList(ctx, s)
	var no *listTrouble
	switch {
	case errors.As(err, &no):
		f.log.InfoContext(ctx, "list not taken", "list", s.Address(), "why", no.key, "err", no.cause)
		return f.db.Write(ctx, func(tx *store.Tx) error { return peers.ListFailed(tx, s, no.key) })
	case err != nil:
		return err
	case fetched == nil:
		return f.db.Batch(ctx, func(tx *store.Tx) error { return peers.ListUnchanged(tx, s) })
	}
	var change *peers.Change
	err = f.db.Write(ctx, func(tx *store.Tx) (err error) {
		change, err = peers.ArriveList(tx, s.ID, *fetched)
		return err
	})
	if err != nil || change == nil {
		return err
	}
	for more := true; more && ctx.Err() == nil; {
		err := f.db.Write(ctx, func(tx *store.Tx) (err error) {
			more, err = change.Next(tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// listTrouble is what is wrong with a list, as a message key.
type listTrouble struct {
	key   string
	cause error
}

func (t *listTrouble) Error() string { return fmt.Sprintf("%s: %v", t.key, t.cause) }

func trouble(key, format string, args ...any) error {
	return &listTrouble{key, fmt.Errorf(format, args...)}
}

// fetchList gets a list and verifies it; nil if it is as it was.
func (f *Federation) fetchList(ctx context.Context, s peers.Subscription) (*peers.Fetched, error) {
	ctx, cancel := context.WithTimeout(ctx, listWithin)
	defer cancel()
	etag, modified := s.Conditional()
	res, err := f.listRequest(ctx, s.Host, s.URL, acceptList, peers.MaxListBytes, func(h http.Header) {
		if etag != "" {
			h.Set("If-None-Match", etag)
		}
		if modified != "" {
			h.Set("If-Modified-Since", modified)
		}
	})
	if err != nil {
		return nil, err
	}
	switch {
	case res.Status == http.StatusNotModified && (etag != "" || modified != ""):
		return nil, nil
	case res.Status == http.StatusNotFound || res.Status == http.StatusGone:
		return nil, trouble("peerlist.not_there", "%d", res.Status)
	case res.Status == http.StatusForbidden && wantsPeering(res):
		return nil, trouble("peerlist.not_connected", "%d", res.Status)
	case res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden:
		return nil, trouble("peerlist.refused", "%d", res.Status)
	case res.Status != http.StatusOK:
		return nil, trouble("peerlist.no_answer", "%d", res.Status)
	}
	fetched, err := readList(res.Body)
	if err != nil {
		return nil, err
	}
	fetched.ETag, fetched.Modified = res.Header.Get("ETag"), res.Header.Get("Last-Modified")
	if len(fetched.ETag) > 200 || len(fetched.Modified) > 100 {
		fetched.ETag, fetched.Modified = "", ""
	}
	if fetched.File.Format == peers.FormatChalkringList {
		err = f.verifyList(ctx, s, res, &fetched)
	}
	return &fetched, err
}

// readList reads a list, whatever its format, as far as that needs nobody else.
func readList(body []byte) (peers.Fetched, error) {
	file, err := peers.ReadList(body, peers.DirectionOfFile)
	if err != nil && faultKey(err) == "import.which" { // mere names: to connect with
		file, err = peers.ReadList(body, peers.DirectionAllow)
	}
	if err != nil {
		return peers.Fetched{}, &listTrouble{listKey(faultKey(err)), err}
	}
	if file.Partial { // what is on its other pages may take back what is on this one
		return peers.Fetched{}, trouble("peerlist.no_list", "it is one page of a list")
	}
	bad := len(file.Faults)
	for _, e := range file.Entries {
		if _, err := iri.NormaliseHost(e.Host, true); err != nil {
			bad++
		}
	}
	if 2*bad > len(file.Faults)+len(file.Entries) { // a page, say, that stands in the list's place
		return peers.Fetched{}, trouble("peerlist.no_list", "%d of its lines name no server", bad)
	}
	sum := sha256.Sum256(body)
	return peers.Fetched{File: file, Digest: hex.EncodeToString(sum[:])}, nil
}

// faultKey is the message key of what is wrong with a list.
func faultKey(err error) string {
	f := fault.Of(err)
	if f.Key == "" && len(f.Fields) > 0 {
		return f.Fields[0].Key
	}
	return f.Key
}

func listKey(key string) string {
	switch key {
	case "import.large", "import.many":
		return "peerlist.large"
	}
	return "peerlist.no_list"
}

// verifyList verifies the proof of a signed list: made over this list, at its
// own address, with the key that a person here has compared, or with one that
// its publisher's actor names. Without a proof it is not taken.
//
// FEP-8b32; FEP-fe34: list, publisher and key are of one origin.
func (f *Federation) verifyList(ctx context.Context, s peers.Subscription, res *egress.Response, fetched *peers.Fetched) error {
	var named struct{ ID string }
	publisher := fetched.File.Publisher
	proof, err := sig.ReadProofUpTo(res.Body, peers.MaxListBytes)
	switch {
	case err != nil:
		return &listTrouble{"peerlist.not_signed", err}
	case json.Unmarshal(res.Body, &named) != nil || !iri.SameOrigin(named.ID, res.URL) || named.ID != s.Address():
		return trouble("peerlist.bad_signature", "it is the list %q", named.ID)
	case !iri.SameOrigin(publisher, named.ID) || !iri.SameOrigin(proof.Method, publisher) || max(len(proof.Method), len(publisher)) > maxAddress:
		return trouble("peerlist.bad_signature", "%q or %q is of another server", publisher, proof.Method)
	}
	fetched.Publisher = publisher
	if s.Signed() && publisher == s.Publisher && provenBy(proof, s.KeyPEM, f.db.Now()) == nil {
		fetched.KeyPEM = s.KeyPEM
		return nil
	}
	actor, err := f.publisherAt(ctx, s.Host, publisher)
	if err != nil {
		return err
	}
	for _, key := range keysIn(actor) {
		if key.ID == proof.Method {
			if err := provenBy(proof, key.PEM, f.db.Now()); err != nil {
				return &listTrouble{"peerlist.bad_signature", err}
			}
			fetched.KeyPEM = key.PEM
			return nil
		}
	}
	return trouble("peerlist.bad_signature", "%s does not name the key %s", publisher, proof.Method)
}

func provenBy(proof sig.Proof, text string, now time.Time) error {
	key, err := sig.ParsePublicKey(text)
	if err != nil {
		return err
	}
	if _, ok := key.(ed25519.PublicKey); !ok {
		return fmt.Errorf("%w: not an Ed25519 key", sig.ErrProof)
	}
	return proof.Verify(key, now)
}

// publisherAt fetches the actor that publishes a list: a server's own.
func (f *Federation) publisherAt(ctx context.Context, host, address string) (as2.Actor, error) {
	res, err := f.listRequest(ctx, host, address, acceptActivity, 0, func(http.Header) {})
	if err != nil {
		return as2.Actor{}, err
	}
	if res.Status != http.StatusOK || !isActivityJSON(res.Header.Get("Content-Type")) {
		return as2.Actor{}, trouble("peerlist.no_publisher", "%s: %d", address, res.Status)
	}
	actor, err := as2.DecodeActor(res.Body)
	if err != nil || !sameDocument(actor.ID, res.URL) || actor.ID != address || actor.Type == "Person" {
		return as2.Actor{}, trouble("peerlist.no_publisher", "%s is not the actor of a server (%v)", address, err)
	}
	return actor, nil
}

// listRequest makes a signed request for a list or its publisher. An
// administrator's subscription is what admits it: the list may be of a server
// that this one is not connected with. It ends with whatever ended the
// connection, and is redirected within the server only.
//
// FEDERATION.md, "Who is talked to".
func (f *Federation) listRequest(ctx context.Context, host, address, accept string, most int64, more func(http.Header)) (*egress.Response, error) {
	if at, err := iri.HostOf(address); err != nil || at != host {
		return nil, trouble("peerlist.no_publisher", "%s is not of %s", address, host)
	}
	policy, err := f.policyOf(host)
	if err != nil {
		return nil, err
	}
	if !policy.Admitted && policy.Standing != peers.Unknown {
		key := peers.ListPublisherEnded
		if policy.Standing == peers.Paused || policy.Standing == peers.Expired {
			key = peers.ListPublisherPaused
		}
		return nil, trouble(key, "%s is %s", host, policy.Standing)
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
		return f.egress.Get(ctx, egress.Request{URL: address, Accept: accept, MaxBody: most,
			Sign: func(req *http.Request) error {
				more(req.Header)
				return keys.sign(how, req, nil, f.db.Now())
			},
			Follow: func(to *url.URL) error {
				if at, err := iri.HostOf(to.String()); err != nil || at != host {
					return fmt.Errorf("to another server: %s", to.Host)
				}
				return nil
			},
		})
	})
	switch {
	case errors.Is(err, egress.ErrTooLarge):
		return nil, &listTrouble{"peerlist.large", err}
	case errors.Is(err, egress.ErrRedirect):
		return nil, &listTrouble{"peerlist.redirect", err}
	case err != nil && ctx.Err() == context.Canceled:
		return nil, err
	case err != nil:
		return nil, &listTrouble{"peerlist.no_answer", err}
	}
	return res, nil
}
