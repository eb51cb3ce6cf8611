package federation

import (
	"context"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/federation/sig"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Routes mounts the door's addresses. Those that people's pages share (a
// profile, a post) are taken only when an ActivityStreams document is asked
// for, so this must be mounted before the pages.
func (f *Federation) Routes(r *mux.Router) {
	const number = "{id:[1-9][0-9]{0,18}}"
	r.Path("/inbox").Methods(http.MethodPost).HandlerFunc(f.postInbox)
	r.Path("/u/" + number + "/inbox").Methods(http.MethodPost).HandlerFunc(f.postInbox)
	r.Path("/actor/inbox").Methods(http.MethodPost).HandlerFunc(f.postInbox)

	get := func(path string, h http.HandlerFunc) *mux.Route {
		return r.Path(path).Methods(http.MethodGet, http.MethodHead).HandlerFunc(h)
	}
	for _, box := range []string{"/inbox", "/actor/inbox", "/u/" + number + "/inbox"} {
		get(box, f.noClients("An inbox takes what other servers send and is not read from here.", http.MethodPost))
	}
	for _, box := range []string{"/actor/outbox", "/u/" + number + "/outbox"} {
		r.Path(box).Methods(http.MethodPost).HandlerFunc(f.noClients("An outbox is read and not written to from here.", http.MethodGet, http.MethodHead))
	}

	get("/.well-known/webfinger", f.getWebFinger)
	get("/.well-known/nodeinfo", f.getNodeInfoLinks)
	get("/.well-known/host-meta", f.getHostMeta)
	get(`/nodeinfo/{version:2\.[01]}`, f.getNodeInfo)
	get("/actor", f.getInstance)
	get("/actor/outbox", f.document200(f.emptyCollection("/actor/outbox")))
	get(`/peering/lists/{path:[a-z0-9][a-z0-9-]*}{form:(?:\.csv|\.txt|\.json)?}`, f.getList)
	get("/network", f.document200(f.emptyCollection("/network")))
	get("/u/"+number, f.document200(f.actorDocument))
	get("/u/"+number+"/outbox", f.document200(f.outboxDocument))
	get("/u/"+number+"/followers", f.document200(f.followersDocument))
	get("/u/"+number+"/followers_synchronization", f.document200(f.followersSynchronizationDocument))
	get("/u/"+number+"/following", f.document200(f.followingDocument))
	get("/u/"+number+"/featured", f.document200(f.featuredDocument))
	get("/u/"+number+"/tags", f.document200(f.featuredTagsDocument))
	get("/o/"+number, f.document200(f.postDocument))
	get("/o/"+number+"/replies", f.document200(f.repliesDocument))
	get("/o/"+number+"/likes", f.document200(f.likesDocument))
	get("/o/"+number+"/shares", f.document200(f.sharesDocument))
	get("/c/"+number, f.document200(f.contextDocument))
	get("/q/"+number, f.document200(f.quoteDocument))
	get("/a/"+number, f.document200(f.activityDocument))
	get("/f/"+number, f.document200(f.followDocument))
	get("/@{name}", f.document200(f.profileDocument)).MatcherFunc(asksForActivity)
	get("/posts/"+number, f.document200(f.postDocument)).MatcherFunc(asksForActivity)
}

// noClients refuses what only an app would ask of ActivityPub, whoever asks.
//
// W3C ActivityPub, sections 5.2 and 6 (client to server, which is not offered);
// RFC 9110, section 15.5.6 (405).
func (f *Federation) noClients(why string, allowed ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		f.problem(w, r, problem{Status: http.StatusMethodNotAllowed,
			Detail: why + " This server does not offer client-to-server ActivityPub. Apps sign in and write through the Mastodon API, under /api/."})
	}
}

func asksForActivity(r *http.Request, _ *mux.RouteMatch) bool { return wantsActivity(r) }

// wantsActivity reports whether a request asks for an ActivityStreams document
// rather than a page.
//
// W3C ActivityPub, section 3.2; RFC 9110, section 12.5.1.
func wantsActivity(r *http.Request) bool {
	for _, header := range r.Header.Values("Accept") {
		for one := range strings.SplitSeq(header, ",") {
			kind, _, _ := strings.Cut(one, ";")
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "application/activity+json", "application/ld+json", "application/json":
				return true
			case "text/html", "application/xhtml+xml":
				return false
			}
		}
	}
	return false
}

// wantsPage reports whether a person's browser asks.
func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && !wantsActivity(r)
}

// asked is a request for a document: for what, and by whom.
type asked struct {
	r      *http.Request
	id     int64
	name   string
	viewer community.Viewer
}

// answer is a document.
type answer struct {
	body   []byte
	status int
	posts  []int64 // of this server that are in it
}

// document200 makes a handler of a question for a document: it finds out who
// asks, asks, and answers in ActivityStreams.
func (f *Federation) document200(ask func(tx *store.Tx, q asked) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept, Signature")
		q := asked{r: r, name: mux.Vars(r)["name"]}
		if digits := mux.Vars(r)["id"]; digits != "" {
			id, ok := iri.ParseID(digits)
			if !ok {
				f.fail(w, r, fault.New(fault.NotFound, "There is nothing at this address."))
				return
			}
			q.id = id
		}
		if wantsPage(r) {
			f.redirect(w, r)
			return
		}
		var err error
		if q.viewer, err = f.viewer(r); err != nil {
			f.refuseReader(w, r, err)
			return
		}
		var a answer
		err = f.db.Read(r.Context(), func(tx *store.Tx) (err error) {
			a, err = ask(tx, q)
			return err
		})
		if err == nil {
			f.notesFetched(r.Context(), q.viewer.Host, a.posts)
		}
		if gone := f.tombstone(r, q); gone.ID != "" && fault.Is(err, fault.Gone) {
			a.body, err = as2.EncodeObject(gone)
			a.status = http.StatusGone
		}
		if err != nil {
			f.fail(w, r, err)
			return
		}
		f.write(w, a)
	}
}

// notesFetched remembers which posts a server got by asking for them.
func (f *Federation) notesFetched(ctx context.Context, host string, posts []int64) {
	key := func(id int64) string { return "fetched " + strconv.FormatInt(id, 10) + " " + host }
	posts = slices.DeleteFunc(posts, func(id int64) bool { return host == "" || f.fetched.recent(key(id), f.db.Now(), fetchedEvery) })
	if len(posts) == 0 {
		return
	}
	if err := f.db.Batch(context.WithoutCancel(ctx), func(tx *store.Tx) error { return community.Fetched(tx, host, posts) }); err != nil {
		if ctx.Err() == nil {
			f.log.Error("posts that a server fetched not noted", "host", host, "err", err)
		}
		return
	}
	for _, id := range posts {
		f.fetched.allow(key(id), f.db.Now(), fetchedEvery)
	}
}

// fetchedEvery is for how long it is not noted again that a server got a post.
const fetchedEvery = time.Hour

// tombstone is what is left at an address of something that was deleted: that
// it was there. An account's key is not part of it. Whoever knew the account
// has the key on record, and whoever did not has nothing to delete.
//
// W3C ActivityPub, section 6.4; W3C ActivityStreams Vocabulary, section 3.3.
func (f *Federation) tombstone(r *http.Request, q asked) as2.Object {
	switch f.site.URL(r.URL.Path) {
	case f.site.Post(q.id):
		return as2.Object{ID: f.site.Post(q.id), Type: "Tombstone"}
	case f.site.Actor(q.id):
		return as2.Object{ID: f.site.Actor(q.id), Type: "Tombstone", FormerType: "Person"}
	}
	return as2.Object{}
}

func (f *Federation) write(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", activityJSON)
	w.Header().Set("Cache-Control", "private, no-cache")
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	_, _ = w.Write(a.body) // the asker may have gone
}

// redirect sends a browser to the page of what it asked for. Whether it may be
// seen is for the page to say.
func (f *Federation) redirect(w http.ResponseWriter, r *http.Request) {
	to := "/about"
	switch ref, _ := f.site.Parse(f.site.URL(r.URL.Path)); ref.Kind {
	case iri.Post, iri.PostReplies, iri.PostLikes, iri.PostShares, iri.Context:
		to = strings.TrimPrefix(f.site.Page(ref.ID), f.site.Base())
	case iri.Actor, iri.Outbox, iri.Followers, iri.Following, iri.Featured, iri.FeaturedTags:
		var account community.Account
		err := f.db.Read(r.Context(), func(tx *store.Tx) (err error) {
			account, err = localActor(tx, ref.ID)
			return err
		})
		if err != nil {
			f.fail(w, r, err)
			return
		}
		to = strings.TrimPrefix(f.site.Profile(account.Username), f.site.Base())
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// viewer finds out who asks for a document. In allowlist mode that must be a
// signed request of a server that is connected; an open server shows what is
// public to anybody.
//
// FEDERATION.md, "Who is talked to", the fourth door.
func (f *Federation) viewer(r *http.Request) (community.Viewer, error) {
	claim, err := sig.Read(r)
	if err != nil {
		var mode peers.Mode
		if dbErr := f.db.Read(r.Context(), func(tx *store.Tx) (err error) {
			mode, err = peers.ModeOf(tx)
			return err
		}); dbErr != nil {
			return community.Guest, dbErr
		}
		if mode == peers.Open && !hasSignature(r) {
			return community.Guest, nil
		}
		return community.Guest, unauthorized(err)
	}
	host, err := iri.HostOf(claim.KeyID)
	if err != nil {
		return community.Guest, refuse(http.StatusUnauthorized, "signature", "keyId is no address of a key: %v", err)
	}
	s := &sender{claim: claim, host: host}
	if err := f.look(s); err != nil {
		return community.Guest, err
	}
	if !s.admitted {
		f.refused.note(host)
		return community.Guest, s.notAdmitted
	}
	if err := f.authenticate(r, nil, s); err != nil {
		return community.Guest, err
	}
	f.heardFrom(r.Context(), host)
	var v community.Viewer
	err = f.db.Read(r.Context(), func(tx *store.Tx) (err error) {
		signer := s.account
		if signer.ActorType == "Application" || signer.Gone() { // the server itself, for nobody in particular
			signer = community.Account{}
		}
		v, err = community.PeerViewer(tx, host, signer)
		return err
	})
	return v, err
}

// Peer finds out which server asks for something that is not an ActivityStreams
// document, such as a picture. It is Guest for a request that nobody signed, and
// for one whose signer is not admitted or cannot be told.
//
// FEDERATION.md, "Pictures".
func (f *Federation) Peer(r *http.Request) community.Viewer {
	if !hasSignature(r) {
		return community.Guest
	}
	v, err := f.viewer(r)
	if err != nil {
		return community.Guest
	}
	return v
}

func hasSignature(r *http.Request) bool { return r.Header.Get("Signature") != "" }

// refuseReader answers whoever may not ask.
func (f *Federation) refuseReader(w http.ResponseWriter, r *http.Request, err error) {
	if no, ok := err.(*refusal); ok {
		f.problem(w, r, problem{Status: no.status, Detail: no.text, Peering: f.site.URL("/peering")})
		return
	}
	f.fail(w, r, err)
}

// getInstance answers with the server's own actor, to anybody: a signature of
// ours cannot be checked without it.
//
// FEP-2677; FEP-d556.
func (f *Federation) getInstance(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if wantsPage(r) {
		http.Redirect(w, r, "/about", http.StatusSeeOther)
		return
	}
	body, err := f.instanceDocument(r.Context())
	if err != nil {
		f.fail(w, r, err)
		return
	}
	f.write(w, answer{body: body})
}

func (f *Federation) instanceDocument(ctx context.Context) ([]byte, error) {
	if _, err := f.instanceKeys(ctx); err != nil { // made at the first start
		return nil, err
	}
	var site community.Site
	if err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		site, err = community.SiteOf(tx)
		return err
	}); err != nil {
		return nil, err
	}
	return as2.EncodeActor(instanceOf(f.site, site))
}

func nothingHere() error { return fault.New(fault.NotFound, "There is nothing at this address.") }

// localActor returns the local account that a document is about.
func localActor(tx *store.Tx, id int64) (community.Account, error) {
	a, err := community.AccountByID(tx, id)
	switch {
	case fault.Is(err, fault.NotFound) || err == nil && !a.Local():
		return a, nothingHere()
	case err == nil && a.DeletedAt != nil:
		return a, fault.New(fault.Gone, "This account was deleted.")
	case err == nil && a.SuspendedAt != nil:
		return a, nothingHere()
	case err != nil:
		return a, err
	}
	waits, err := community.Waits(tx, a)
	if err == nil && waits {
		err = nothingHere()
	}
	return a, err
}

func (f *Federation) actorDocument(tx *store.Tx, q asked) (answer, error) {
	account, err := localActor(tx, q.id)
	if err != nil {
		return answer{}, err
	}
	keys, err := community.KeysOf(tx, account.ID)
	if err != nil {
		return answer{}, err
	}
	body, err := as2.EncodeActor(personOf(f.site, account, keys))
	return answer{body: body}, err
}

func (f *Federation) profileDocument(tx *store.Tx, q asked) (answer, error) {
	account, err := community.AccountByHandle(tx, q.name, "")
	if err != nil {
		return answer{}, err
	}
	q.id = account.ID
	return f.actorDocument(tx, q)
}

// localPost returns the local post that a document is about, if the asker may
// see it.
func localPost(tx *store.Tx, q asked) (community.Post, error) {
	p, err := community.VisiblePost(tx, q.id, q.viewer)
	if err == nil && (!p.Local() || p.Kind == community.Boost) {
		return p, nothingHere()
	}
	return p, err
}

func (f *Federation) postDocument(tx *store.Tx, q asked) (answer, error) {
	p, err := localPost(tx, q)
	if err != nil {
		return answer{}, err
	}
	s, err := sayingOf(tx, p)
	if err != nil {
		return answer{}, err
	}
	o := objectOf(f.site, s)
	if p.Audience == community.Public { // the first replies come along, as Mastodon has it
		replies, err := f.repliesOf(tx, q.viewer, p).whole(true)
		if err != nil {
			return answer{}, err
		}
		o.Replies = &replies
	}
	body, err := as2.EncodeObject(o)
	return answer{body: body, posts: []int64{p.ID}}, err
}

// activityDocument answers with what happened here: to those who were told.
func (f *Federation) activityDocument(tx *store.Tx, q asked) (answer, error) {
	var o community.Outgoing
	if err := tx.Where("id = ?", q.id).Limit(1).Find(&o).Error; err != nil {
		return answer{}, err
	}
	if o.ID == 0 {
		return f.boostDocument(tx, q)
	}
	if len(o.Body) == 0 || o.Verb == community.VerbForward { // which is not ours to tell
		return answer{}, nothingHere()
	}
	var told int64
	err := tx.Raw("SELECT COUNT(*) FROM (SELECT 1 AS one FROM deliveries WHERE outgoing_id = ? AND host = ? AND state <> 'withheld' LIMIT 1) AS told",
		o.ID, q.viewer.Host).Scan(&told).Error
	if err != nil {
		return answer{}, err
	}
	if told == 0 {
		if o.Audience != community.Public || o.PostID == nil || o.Verb != community.VerbCreate && o.Verb != community.VerbUpdate && o.Verb != community.VerbAnnounce {
			return answer{}, nothingHere()
		}
		if _, err := community.VisiblePost(tx, *o.PostID, q.viewer); err != nil {
			return answer{}, err
		}
	}
	a := answer{body: o.Body}
	if told == 0 {
		a.posts = []int64{*o.PostID}
	}
	return a, nil
}

// boostDocument answers with the Announce that a boost is, as the outbox names
// it: to whoever may see what is passed on.
func (f *Federation) boostDocument(tx *store.Tx, q asked) (answer, error) {
	p, err := community.VisiblePost(tx, q.id, q.viewer)
	if err == nil && (!p.Local() || p.BoostOfID == nil) {
		err = nothingHere()
	}
	if err != nil {
		return answer{}, err
	}
	items, err := f.published(tx, q.viewer, []community.Post{p})
	if err != nil {
		return answer{}, err
	}
	return answer{body: items[0].Raw}, nil
}

// followDocument answers with a follow that was asked for here: to the server
// that it was asked of.
func (f *Federation) followDocument(tx *store.Tx, q asked) (answer, error) {
	follow, err := community.FollowByID(tx, q.id)
	if err != nil {
		return answer{}, err
	}
	target, err := community.AccountByID(tx, follow.TargetID)
	if err != nil {
		return answer{}, err
	}
	if !follow.FollowerLocal || target.Local() || target.Host != q.viewer.Host {
		return answer{}, nothingHere()
	}
	body, err := as2.EncodeActivity(as2.Activity{ID: f.site.Follow(follow.ID), Type: "Follow", Actor: f.site.Actor(follow.FollowerID),
		ObjectID: target.IRI(f.site), To: []string{target.IRI(f.site)}})
	return answer{body: body}, err
}

// imageType says what kind of picture a file of ours is, by its name.
func imageType(name string) string { return mime.TypeByExtension(path.Ext(name)) }
