// Package federation is the door to other servers: inboxes, documents and
// look-ups that they ask of us, and the workers that receive what they said,
// spread what happened here and deliver it. Every exchange, either way, asks
// the peers' policy at that moment.
//
// W3C ActivityPub (server to server). FEDERATION.md says what of it is spoken,
// and which extensions.
package federation

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/meter"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// News of the queues. The key is the host whose lane has something to do.
const (
	IncomingStored   store.Topic = "incoming"
	DeliveriesQueued store.Topic = "deliveries"
)

// Deps are what the door stands on.
type Deps struct {
	DB      *store.DB
	Egress  *egress.Client
	Log     *slog.Logger
	Metrics *meter.Meter // nil: figures are kept and not shown
	Version string       // of the software, for NodeInfo
	// Forget removes the copies of other servers' pictures at these addresses;
	// nil: there are none.
	Forget func(addresses ...string) error
	// RetryFor is how long a silent server is retried; 72 hours if zero.
	RetryFor time.Duration
	// Hosts is how many servers are delivered to at once; 64 if zero.
	Hosts int
	// Receiving is how many servers' activities are worked at once; 64 if zero.
	Receiving int
	// Address says whose a request is: an address, of IPv6 the network of one
	// customer. nil: RemoteAddr.
	Address func(*http.Request) string
}

// Federation is the door. Routes mounts its addresses, Run does its work.
type Federation struct {
	db       *store.DB
	egress   *egress.Client
	log      *slog.Logger
	site     iri.Site
	version  string
	retryFor time.Duration
	forget   func(addresses ...string) error
	address  func(*http.Request) string
	metrics  *metrics

	looks      gatherer[*sender]
	intake     gatherer[*comer]
	policies   gatherer[*question]
	loads      gatherer[*load]
	receipts   gatherer[*receipt]
	keys       keyring
	rooms      rooms
	incoming   *lanes
	deliveries *lanes
	spreadNow  chan struct{}
	meetNow    chan struct{}
	threads    chan int64
	choreNow   chan struct{}
	quoteNow   chan struct{}
	listNow    chan struct{}
	listsStale atomic.Bool // peers have changed, of which lists of ours may consist
	refused    refusals
	doorsteps  doorsteps
	knocks     knocks
	refetched  limiter
	fetched    limiter // which server got which post of ours, lately
	badKeys    quota
	forwards   quota
	pleas      chan struct{}
	paces      paces
	fetches    singleflight.Group
	asides     sync.WaitGroup
	asideRoom  chan struct{}
	asideCount atomic.Int64

	keyOnce sync.Mutex
	key     *signer // of the server itself, once read
}

// New makes the door. Nothing happens before Routes and Run.
func New(d Deps) *Federation {
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if d.RetryFor <= 0 {
		d.RetryFor = 72 * time.Hour
	}
	if d.Hosts <= 0 {
		d.Hosts = 64
	}
	if d.Receiving <= 0 {
		d.Receiving = 64
	}
	if d.Version == "" {
		d.Version = "dev"
	}
	f := &Federation{db: d.DB, egress: d.Egress, log: d.Log, site: d.DB.Site(), version: d.Version, retryFor: d.RetryFor, forget: d.Forget, address: d.Address,
		metrics: newMetrics(d.Metrics), spreadNow: make(chan struct{}, 1), meetNow: make(chan struct{}, 1), choreNow: make(chan struct{}, 1), quoteNow: make(chan struct{}, 1), listNow: make(chan struct{}, 1),
		threads: make(chan int64, mostThreadsWaiting), asideRoom: make(chan struct{}, mostAside)}
	f.rooms = newRooms()
	f.forwards.most = mostForwarded
	f.pleas = make(chan struct{}, 1)
	f.looks.do, f.intake.do, f.policies.do = f.lookAll, f.takeDown, f.decideAll
	f.loads.do, f.receipts.do = f.loadAll, f.recordAll
	f.incoming = newLanes(d.DB, d.Log, incomingQueue, d.Receiving, f.receiveLanes)
	f.incoming.together = true
	f.deliveries = newLanes(d.DB, d.Log, deliveriesQueue, d.Hosts, f.deliverLanes)
	return f
}

// Run works the queues until ctx ends, and returns when the last worker has
// put down what it held.
func (f *Federation) Run(ctx context.Context) error {
	if _, err := f.instanceKeys(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("federation: the server's own key: %w", err)
	}
	var all sync.WaitGroup
	for _, work := range []func(context.Context){
		f.runHandshake, f.listen, f.incoming.run, f.deliveries.run, f.runOutbox, f.runMeet, f.runChores, f.runQuotes, f.runRefusals, f.runThreads, f.runLists,
	} {
		all.Go(func() { work(ctx) })
	}
	all.Wait()
	f.asides.Wait()
	return nil
}

// mostAside is how many things are fetched at once that nothing waits for.
const mostAside = 8

// aside does something that nothing waits for: a reply is read before what it
// answers is here. When too much of it is going on, it is left undone.
func (f *Federation) aside(ctx context.Context, do func(ctx context.Context)) {
	select {
	case f.asideRoom <- struct{}{}:
	default:
		return
	}
	f.asideCount.Add(1)
	f.asides.Go(func() {
		defer func() {
			f.asideCount.Add(-1)
			<-f.asideRoom
		}()
		do(ctx)
	})
}

// listen passes news on to the workers that it concerns.
func (f *Federation) listen(ctx context.Context) {
	sub := f.db.Subscribe(peers.RequestsChanged, IncomingStored, DeliveriesQueued, community.OutgoingQueued, community.ChoreQueued, community.QuoteAwaited, peers.Changed, peers.Published, peers.Subscribed)
	defer sub.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case n, ok := <-sub.C:
			if !ok {
				return
			}
			if sub.Missed() {
				nudge(f.pleas)
				f.incoming.poke("")
				f.deliveries.poke("")
				nudge(f.spreadNow)
				nudge(f.meetNow)
				nudge(f.choreNow)
				nudge(f.quoteNow)
				nudge(f.listNow)
			}
			switch n.Topic {
			case peers.RequestsChanged:
				nudge(f.pleas)
			case IncomingStored:
				f.incoming.poke(n.Key)
			case DeliveriesQueued:
				f.deliveries.poke(n.Key)
			case community.OutgoingQueued:
				nudge(f.spreadNow)
			case community.ChoreQueued:
				nudge(f.choreNow)
			case community.QuoteAwaited:
				nudge(f.quoteNow)
			case peers.Changed:
				f.peerChanged(ctx, n.Key)
				nudge(f.choreNow)
				f.listsStale.Store(true)
				nudge(f.listNow)
			case peers.Published, peers.Subscribed:
				nudge(f.listNow)
			}
		}
	}
}

// peerChanged lets held lanes try again, and what is known of the server's view be
// looked at: a server was connected with, or the mode was changed.
func (f *Federation) peerChanged(ctx context.Context, host string) {
	f.looksAnew(host)
	f.refetched.forget("still refused by " + host)
	err := f.db.Write(ctx, func(tx *store.Tx) error {
		const wake = "UPDATE lanes SET next_at = ?, parked_at = NULL, failures = 0, failing_since = NULL WHERE waiting"
		if host == "" {
			return tx.Exec(wake, tx.Now).Error
		}
		return tx.Exec(wake+" AND host = ?", tx.Now, host).Error
	})
	if err != nil && ctx.Err() == nil {
		f.log.Error("held deliveries not woken", "host", host, "err", err)
	}
	f.incoming.poke("")
	f.deliveries.poke("")
	nudge(f.meetNow)
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Settled reports whether nothing waits that could be done now: no activity to
// receive, to spread or to deliver, and nobody to meet. What is held by policy,
// or put off for longer because a server does not answer, does not count.
func (f *Federation) Settled(ctx context.Context) bool {
	if f.asideCount.Load() > 0 || f.listsStale.Load() {
		return false
	}
	settled := false
	err := f.db.Read(ctx, func(tx *store.Tx) error {
		soon := tx.Now.Add(10 * time.Second)
		return tx.Raw(`SELECT NOT EXISTS (SELECT 1 FROM peer_messages WHERE next_at <= ?)
			AND NOT EXISTS (SELECT 1 FROM outgoing WHERE state = 'waiting')
			AND NOT EXISTS (SELECT 1 FROM chores WHERE next_at <= ?)
			AND NOT EXISTS (SELECT 1 FROM quote_lookups WHERE next_at <= ?)
			AND NOT EXISTS (SELECT 1 FROM list_subs WHERE next_at <= ?) AND NOT EXISTS (SELECT 1 FROM list_drafts WHERE state = 'accepting')
			AND NOT EXISTS (SELECT 1 FROM published_lists WHERE live AND told < version)
			AND NOT EXISTS (SELECT 1 FROM lanes WHERE waiting AND parked_at IS NULL AND next_at <= ?)
			AND NOT EXISTS (SELECT 1 FROM lanes JOIN peers ON peers.host = lanes.host
				WHERE lanes.waiting AND lanes.error = ? AND peers.standing = 'allowed')
			AND NOT EXISTS (SELECT 1 FROM peers LEFT JOIN hosts ON hosts.host = peers.host
				WHERE peers.standing = 'allowed' AND hosts.met_at IS NULL AND (hosts.meet_next_at IS NULL OR hosts.meet_next_at <= ?))`,
			soon, tx.Now, soon, tx.Now, soon, notConnected, tx.Now).Scan(&settled).Error
	})
	return err == nil && settled && f.asideCount.Load() == 0
}
