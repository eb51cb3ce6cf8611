package federation

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// What filling one thread may cost. Whoever is asked may answer without end.
const (
	threadWithin       = 45 * time.Second
	mostThreads        = 3   // at once
	mostThreadsWaiting = 32  // for their turn; of more, the reader comes back
	mostThreadPosts    = 200 // fetched
	mostThreadPages    = 20  // of collections, fetched
	mostThreadBytes    = 16 << 20
	mostThreadLevels   = 12 // answers to answers that are asked for
	mostThreadClimbs   = 8  // times mostParents posts above
	mostThreadDetours  = 20 // posts above one that was told of, up to one that is here
	mostThreadKnown    = 1000
	threadWave         = 6 // fetched at the same time
	mostThreadFailures = 3 // of one host
)

// threadEvery is how often at most a thread is filled that is so old.
func threadEvery(age time.Duration) time.Duration {
	return min(max(age/24, 5*time.Minute), 6*time.Hour)
}

// FillThread looks up, when its turn comes, what is missing of the conversation
// of a post that somebody signed in is reading: what it answers, and what
// answers it. It does not wait; what is found lands piece by piece.
//
// FEDERATION.md, "Threads".
func (f *Federation) FillThread(post community.Post) {
	// Many who open it at once are one.
	if !f.refetched.allow("thread "+strconv.FormatInt(post.ThreadID, 10), f.db.Now(), time.Minute) {
		return
	}
	f.asideCount.Add(1)
	select {
	case f.threads <- post.ID:
	default:
		f.asideCount.Add(-1)
	}
}

// runThreads fills threads until ctx ends.
func (f *Federation) runThreads(ctx context.Context) {
	var all sync.WaitGroup
	for range mostThreads {
		all.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case post := <-f.threads:
					if err := f.fillThread(ctx, post); err != nil && ctx.Err() == nil {
						f.log.Error("thread not filled", "post", post, "err", err)
					}
					f.asideCount.Add(-1)
				}
			}
		})
	}
	all.Wait()
}

// fillThread does the work. Another server's word counts for nothing but
// addresses: each post is fetched from its own server and believed of it alone
// (FEP-fe34), and it lands only if what it answers stands in the thread.
func (f *Federation) fillThread(ctx context.Context, post int64) error {
	within, cancel := context.WithTimeout(ctx, threadWithin)
	defer cancel()
	root, due, err := f.claimThread(ctx, post)
	if err != nil || !due {
		return err
	}
	w := &walk{f: f, opened: post, seen: map[string]bool{}, read: map[string]bool{}, failures: map[string]int{}, held: map[string]found{}, backfilled: map[string]int64{},
		posts: mostThreadPosts, pages: mostThreadPages, bytes: mostThreadBytes}
	if w.root, err = w.climb(within, root); err != nil {
		return err
	}
	if err := w.begin(within); err != nil {
		return err
	}
	for within.Err() == nil {
		more, err := w.step(within)
		if err != nil && within.Err() == nil {
			return err
		}
		if !more {
			break
		}
	}
	return f.db.Batch(ctx, func(tx *store.Tx) error { return community.ReplaceGhosts(tx, w.asked, w.ghosts) })
}

// claimThread takes a thread to be filled, unless that was done lately, here or
// by another node.
func (f *Federation) claimThread(ctx context.Context, post int64) (root community.Post, due bool, err error) {
	var at *time.Time
	look := func(tx *store.Tx) error {
		p, err := community.PostByID(tx, post)
		if err == nil {
			root, err = community.PostByID(tx, p.ThreadID)
		}
		if err != nil {
			return err
		}
		return tx.Raw("SELECT replies_fetched_at FROM posts WHERE id = ?", root.ID).Row().Scan(&at)
	}
	if err := f.db.Read(ctx, look); err != nil {
		return root, false, err
	}
	now := f.db.Now()
	every := threadEvery(now.Sub(root.CreatedAt))
	if at != nil && now.Sub(*at) < every {
		return root, false, nil
	}
	err = f.db.Batch(ctx, func(tx *store.Tx) error {
		res := tx.Exec("UPDATE posts SET replies_fetched_at = ? WHERE id = ? AND (replies_fetched_at IS NULL OR replies_fetched_at <= ?)",
			tx.Now, root.ID, tx.Now.Add(-every))
		due = res.RowsAffected > 0
		return res.Error
	})
	return root, due, err
}

// walk is one filling of one thread.
type walk struct {
	f      *Federation
	root   community.Post
	opened int64

	seen    map[string]bool // addresses that need not be asked for again
	read    map[string]bool // pages that were read
	wanted  []wanted
	sources []source
	held    map[string]found // fetched, by address, while what it answers is not here

	posts, pages, bytes int // that may still be fetched
	failures            map[string]int
	backfilled          map[string]int64 // by peer, whose policy bounds how many are fetched
	counting            sync.Mutex       // of bytes

	asked  []int64 // posts whose answers were asked for
	ghosts []community.Ghost
}

// wanted is the address of a post that somebody told of.
type wanted struct {
	address string
	under   int64 // the post here that it is told to stand under
	level   int   // how many answers further down
	detour  int   // how many posts above one that was told of
}

// found is a post that was fetched.
type found struct {
	wanted
	object as2.Object
	author community.Account
}

// source is a page of a collection of answers, or the collection.
type source struct {
	address string
	origin  string // of whom the collection is
	under   int64
	level   int
	post    bool // it is the post itself, whose answers stand in it
}

// climb fetches what stands above a thread, as long as more is found, and
// returns the thread's first post as it is then.
func (w *walk) climb(ctx context.Context, root community.Post) (community.Post, error) {
	f := w.f
	for range mostThreadClimbs {
		parent := root.InReplyToURI
		if parent == "" || root.InReplyToID != nil || ctx.Err() != nil || f.site.Local(parent) || f.knows(ctx, parent) {
			break
		}
		w.asked = append(w.asked, root.ID)
		above := wanted{address: parent, under: root.ID}
		if w.want(ctx, above); len(w.wanted) == 0 {
			break
		}
		w.wanted = nil
		if _, err := f.fetchPost(ctx, parent); err != nil {
			w.failed(above, err)
			break
		}
		next, due, err := f.claimThread(ctx, root.ID)
		if err != nil {
			return root, err
		}
		if next.ID == root.ID { // it was fetched and is not what this one can answer
			break
		}
		root = next
		if !due { // whoever opened that one is at it
			break
		}
	}
	return root, nil
}

// begin lists what is here and who can be asked for more: the conversation's
// own collection first, then the replies of the first post and of the one that
// is read, then those of the others, the latest first.
func (w *walk) begin(ctx context.Context) error {
	var rows []community.Post
	err := w.f.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Select("id", "uri", "author_host", "replies_uri", "context_uri").
			Where("thread_id = ? AND boost_of_id IS NULL AND deleted_at IS NULL", w.root.ID).Order("id DESC").Limit(mostThreadKnown).Find(&rows).Error
	})
	if err != nil {
		return err
	}
	w.seen[w.root.IRI(w.f.site)] = true
	for _, p := range rows {
		w.seen[p.IRI(w.f.site)] = true
	}
	if !w.root.Local() {
		w.source(source{address: w.root.ContextURI, under: w.root.ID})
	}
	first := func(p community.Post) int {
		switch p.ID {
		case w.root.ID:
			return 0
		case w.opened:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(rows, func(a, b community.Post) int { return cmp.Compare(first(a), first(b)) })
	for _, p := range rows {
		s := source{address: p.RepliesURI, under: p.ID}
		if s.address == "" && p.URI != nil && first(p) < 2 {
			s.address, s.post = *p.URI, true
		}
		w.source(s)
	}
	return nil
}

// source notes a collection to be read.
func (w *walk) source(s source) {
	if s.address == "" || webAddress(s.address) == "" || w.f.site.Local(s.address) || w.read[s.address] || s.level > mostThreadLevels {
		return
	}
	w.read[s.address] = true
	if s.origin == "" {
		s.origin = s.address
	}
	if len(w.sources) < mostThreadKnown {
		w.sources = append(w.sources, s)
	}
}

// step reads one page or fetches a few posts, and reports whether there is
// more to do.
func (w *walk) step(ctx context.Context) (bool, error) {
	if len(w.wanted) > 0 && w.posts > 0 && w.bytes > 0 {
		return true, w.fetch(ctx)
	}
	if len(w.sources) > 0 && w.pages > 0 && w.posts > 0 && w.bytes > 0 {
		s := w.sources[0]
		w.sources = w.sources[1:]
		w.readPage(ctx, s)
		return true, nil
	}
	return false, nil
}

// document fetches a document and counts what it weighs.
func (w *walk) document(ctx context.Context, address string) ([]byte, string, error) {
	body, from, err := w.f.document(ctx, address)
	w.counting.Lock()
	w.bytes -= len(body)
	w.counting.Unlock()
	return body, from, err
}

// readPage reads a page of a collection. What is told of, and where the next
// page is, is up to its owner, and of nobody else's server.
func (w *walk) readPage(ctx context.Context, s source) {
	host, err := iri.HostOf(s.address)
	if err != nil || w.failures[host] >= mostThreadFailures || w.f.admits(host) != nil {
		return
	}
	w.pages--
	if s.post {
		object, err := objectBy(ctx, s.address, w.document)
		if w.note(host, err); err == nil && object.ID == s.address {
			w.answers(ctx, object.Replies, source{under: s.under, level: s.level}, object.ID)
		}
		return
	}
	body, from, err := w.document(ctx, s.address)
	if err != nil {
		w.note(host, err)
		return
	}
	c, err := as2.DecodeCollection(body)
	switch {
	case err != nil, !iri.SameOrigin(from, s.origin):
		return
	case c.ID != "" && !iri.SameOrigin(c.ID, from), c.AttributedTo != "" && !iri.SameOrigin(c.AttributedTo, from):
		return // FEP-11dd: whose conversation it is, and who speaks of it
	}
	w.asked = append(w.asked, s.under)
	w.take(ctx, c, s)
}

// take notes the members of a collection and its next page.
func (w *walk) take(ctx context.Context, c as2.Collection, s source) {
	told := make([]wanted, len(c.Items))
	for i, item := range c.Items {
		told[i] = wanted{address: memberOf(item), under: s.under, level: s.level}
	}
	w.want(ctx, told...)
	onward := c.Next
	if c.FirstPage != nil {
		page := *c.FirstPage
		page.FirstPage = nil
		w.take(ctx, page, s)
	} else if len(c.Items) == 0 && c.First != "" {
		onward = c.First
	}
	if onward != "" && iri.SameOrigin(onward, s.origin) {
		s.address = onward
		if !w.read[onward] && len(w.sources) < mostThreadKnown {
			w.read[onward] = true
			w.sources = slices.Insert(w.sources, 0, s)
		}
	}
}

// memberOf is the address of the post that a member of a collection is: itself,
// or what an activity was about, where a history is told (FEP-f228).
func memberOf(item as2.Item) string {
	if item.Raw == nil {
		return item.ID
	}
	var stub struct {
		Type   json.RawMessage `json:"type"`
		Object json.RawMessage `json:"object"`
	}
	if json.Unmarshal(item.Raw, &stub) != nil || !bytes.Contains(stub.Type, []byte(`"Create"`)) && !bytes.Contains(stub.Type, []byte(`"Announce"`)) {
		return item.ID
	}
	var address string
	if json.Unmarshal(stub.Object, &address) == nil {
		return address
	}
	var object struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(stub.Object, &object) // it has no address then
	return object.ID
}

// want notes posts to be fetched, unless they are here, or were asked for
// before, or their servers are not to be asked: then their places are marked,
// but for those of servers that were blocked.
func (w *walk) want(ctx context.Context, told ...wanted) {
	var fresh []wanted
	var hosts []string
	for _, o := range told {
		if len(w.seen) >= mostThreadKnown+4*mostThreadPosts {
			break
		}
		if w.seen[o.address] || webAddress(o.address) == "" || w.f.plain(o.address) || strings.Contains(o.address, "#") || w.f.site.Local(o.address) || o.level > mostThreadLevels {
			continue
		}
		host, err := iri.HostOf(o.address)
		if err != nil {
			continue
		}
		w.seen[o.address] = true
		fresh, hosts = append(fresh, o), append(hosts, host)
	}
	if len(fresh) == 0 {
		return
	}
	var decided map[string]peers.Decision
	err := w.f.db.Ask(ctx, func(tx *store.Tx) (err error) {
		decided, err = peers.Decide(tx, hosts)
		return err
	})
	if err != nil {
		return // and the next filling finds them
	}
	for i, o := range fresh {
		d, ok := decided[hosts[i]]
		switch {
		case d.Admitted && d.Backfill > 0 && w.backfilled[d.Peer] >= d.Backfill: // as its policy says
		case d.Admitted:
			if d.Backfill > 0 {
				w.backfilled[d.Peer]++
			}
			w.wanted = append(w.wanted, o)
		case ok && d.Standing != peers.Blocked:
			w.ghost(o, community.MissingStranger)
		}
	}
}

// plain reports whether an address is of plain http, which only servers on one
// machine speak.
func (f *Federation) plain(address string) bool {
	return f.site.Scheme == "https" && !strings.HasPrefix(address, "https://")
}

// ghost marks the place of a post that is not here.
func (w *walk) ghost(o wanted, why community.Missing) {
	host, err := iri.HostOf(o.address)
	if err != nil || len(w.ghosts) >= community.MaxGhosts || len(o.address) > maxAddress {
		return
	}
	w.ghosts = append(w.ghosts, community.Ghost{PostID: o.under, URI: o.address, Host: host, Reason: why})
}

// failed marks the place of a post that could not be had.
func (w *walk) failed(o wanted, err error) {
	switch {
	case waiting(err), fault.Of(err).Key == "federation.not_taken", fault.Of(err).Key == "federation.dropped": // nobody is told that there is something
	case peers.Refused(err):
		w.ghost(o, community.MissingStranger)
	case fault.Is(err, fault.Gone):
		w.ghost(o, community.MissingDeleted)
	default:
		w.ghost(o, community.MissingUnreadable)
	}
}

// note counts what goes wrong with a host. One that does not answer is not
// asked again, for each question may take as long as it likes.
func (w *walk) note(host string, err error) {
	if err == nil || !fault.Is(err, fault.Unavailable) {
		return
	}
	w.failures[host]++
	if fault.Of(err).Key == "federation.no_answer" {
		w.failures[host] = mostThreadFailures
	}
}

// fetch fetches a few posts at once and lands those that belong.
func (w *walk) fetch(ctx context.Context) error {
	n := min(len(w.wanted), threadWave, w.posts)
	wave := w.wanted[:n]
	w.wanted = w.wanted[n:]
	w.posts -= n
	got := make([]found, n)
	errs := make([]error, n)
	var all sync.WaitGroup
	for i, o := range wave {
		host, err := iri.HostOf(o.address)
		if err != nil || w.failures[host] >= mostThreadFailures {
			errs[i] = errNotAsked
			continue
		}
		all.Go(func() { got[i], errs[i] = w.fetchOne(ctx, o) })
	}
	all.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for i, o := range wave {
		switch err := errs[i]; {
		case errors.Is(err, errNoPost): // and so it is not missing either
		case err != nil:
			host, _ := iri.HostOf(o.address) // it was parsed above
			w.note(host, err)
			w.failed(o, err)
		default:
			w.seen[got[i].object.ID] = true
			w.held[got[i].object.ID] = got[i]
		}
	}
	return w.land(ctx)
}

var (
	errNotAsked = errors.New("its server did not answer a moment ago")
	errNoPost   = errors.New("this is no post that could stand in a thread")
)

// fetchOne fetches a post and its author.
func (w *walk) fetchOne(ctx context.Context, o wanted) (found, error) {
	object, err := objectBy(ctx, o.address, w.document)
	switch {
	case err != nil:
		return found{}, err
	case !iri.SameOrigin(object.AttributedTo, object.ID), object.InReplyTo == "", object.InReplyTo == object.ID:
		return found{}, errNoPost
	}
	if _, err := readObject(object); err != nil {
		return found{}, errNoPost
	}
	author, err := w.f.accountAt(ctx, object.AttributedTo)
	return found{o, object, author}, err
}

// land lands what was fetched and answers something in the thread, and what
// answers that. Of the rest, what it answers is asked for.
func (w *walk) land(ctx context.Context) error {
	type landed struct {
		found
		post community.Post
	}
	var done []landed
	var settled []string // that need not be looked at again
	err := w.f.db.Batch(ctx, func(tx *store.Tx) error {
		done, settled = done[:0], settled[:0]
		b := newBook(tx)
		pending := make([]found, 0, len(w.held))
		for _, o := range w.held {
			pending = append(pending, o)
		}
		slices.SortFunc(pending, func(a, b found) int {
			return cmp.Or(a.object.Published.Compare(b.object.Published), cmp.Compare(a.object.ID, b.object.ID))
		})
		if err := b.prime(nil, parentsOf(pending)); err != nil {
			return err
		}
		for progress := true; progress; {
			progress = false
			for i := range pending {
				o := pending[i]
				if o.object.ID == "" {
					continue
				}
				parent, err := b.post(o.object.InReplyTo)
				if err != nil {
					return err
				}
				if parent == nil || parent.ThreadID != w.root.ThreadID {
					continue
				}
				settled = append(settled, o.object.ID)
				pending[i].object.ID, progress = "", true
				r, err := readObject(o.object)
				if err != nil {
					continue
				}
				remote, err := b.complete(r, o.author)
				if err != nil {
					return err
				}
				remote.Found = true
				if remote.Parent == nil { // it was not given what it answers
					continue
				}
				// What has to wait here, or is not taken from there, leaves no mark.
				if refused, err := w.f.admit(b, o.object, remote, nil); err != nil {
					return err
				} else if refused != nil {
					continue
				}
				all, err := community.ReceiveAll(tx, []community.RemotePost{remote})
				if err != nil {
					return err
				}
				b.turn(o.object.ID)
				done = append(done, landed{o, all[0].Post})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range settled {
		delete(w.held, id)
	}
	for _, d := range done {
		if d.post.ID == 0 || d.post.DeletedAt != nil {
			continue
		}
		w.answers(ctx, d.object.Replies, source{under: d.post.ID, level: d.level + 1}, d.object.ID)
	}
	for _, o := range w.held {
		if o.detour < mostThreadDetours {
			w.want(ctx, wanted{address: o.object.InReplyTo, under: o.under, level: o.level, detour: o.detour + 1})
		}
	}
	return nil
}

func parentsOf(all []found) []string {
	var uris []string
	for _, o := range all {
		uris = append(uris, o.object.InReplyTo)
	}
	return uris
}

// answers notes what a post says of its replies: where they are, and often the
// first of them. Who speaks is the post's own server.
func (w *walk) answers(ctx context.Context, c *as2.Collection, s source, post string) {
	if c == nil || c.ID != "" && !iri.SameOrigin(c.ID, post) {
		return
	}
	s.origin = post
	if c.Items == nil && c.FirstPage == nil && c.First == "" {
		s.address = c.ID
		w.source(s)
		return
	}
	if s.level <= mostThreadLevels {
		w.asked = append(w.asked, s.under)
		w.take(ctx, *c, s)
	}
}
