package federation

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// ring is a few servers, each with its own database, that have nothing but the
// federation door and talk plain HTTP over loopback.
type ring struct {
	t     testing.TB
	pg    bool
	mu    sync.Mutex
	at    map[string]netip.AddrPort
	nodes []*server
}

// server is one server of a ring.
type server struct {
	*Federation
	t    testing.TB
	ring *ring
	host string
	// tap sees each request first, and answers it if it returns true.
	tap  func(w http.ResponseWriter, r *http.Request) bool
	stop func()
}

// eachRing runs a test on each kind of database.
func eachRing(t *testing.T, fn func(t *testing.T, r *ring)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, &ring{t: t, at: map[string]netip.AddrPort{}}) })
	if os.Getenv("CHALKRING_TEST_POSTGRES") != "" {
		t.Run("postgres", func(t *testing.T) { fn(t, &ring{t: t, pg: true, at: map[string]netip.AddrPort{}}) })
	}
}

func (r *ring) resolve(_ context.Context, host string) ([]netip.AddrPort, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.at[host]
	return []netip.AddrPort{at}, ok
}

// start starts a server with workers.
func (r *ring) start(host string, change ...func(*Deps)) *server {
	n := r.still(host, change...)
	n.run()
	return n
}

// still is start without the workers.
func (r *ring) still(host string, change ...func(*Deps)) *server {
	r.t.Helper()
	database := ""
	if r.pg {
		database = storetest.Postgres(r.t)
	} else {
		database = storetest.File(r.t)
	}
	return r.open(host, database, change...)
}

func (r *ring) open(host, database string, change ...func(*Deps)) *server {
	r.t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("CHALKRING_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("server", host)
	}
	db, err := store.Open(r.t.Context(), store.Options{Database: database, Site: iri.NewSite(host, true), Log: log, Conns: 8})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = db.Close(context.Background()) })
	client := egress.New(egress.Options{UserAgent: "test", Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AnyPort: true,
		PlainHTTP: true, Resolve: r.resolve, Timeout: 5 * time.Second})
	r.t.Cleanup(client.Close)
	deps := Deps{DB: db, Egress: client, Log: log, Version: "0.0.0-test"}
	for _, c := range change {
		c(&deps)
	}
	n := &server{Federation: New(deps), t: r.t, ring: r, host: host, stop: func() {}}
	n.write(community.EnsureSite)
	router := mux.NewRouter()
	n.Routes(router)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.tap != nil && n.tap(w, r) {
			return
		}
		router.ServeHTTP(w, r)
	}))
	r.t.Cleanup(server.Close)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at[host] = netip.MustParseAddrPort(server.Listener.(*net.TCPListener).Addr().String())
	r.nodes = append(r.nodes, n)
	return n
}

// run starts the workers; stop ends them.
func (n *server) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			n.t.Errorf("%s: %v", n.host, err)
		}
	})
	n.t.Cleanup(n.stop)
}

// settle waits until nothing is on its way between the servers: until all are
// found with nothing to do twice in a row, and none wrote anything in between,
// for what one is done with may have reached another that was asked before.
func (r *ring) settle() {
	r.t.Helper()
	deadline := time.Now().Add(4 * time.Minute) // hundreds of deliveries take a minute where much else runs
	before := int64(-1)
	for {
		if time.Now().After(deadline) {
			r.t.Fatal("the servers did not settle")
		}
		settled, writes := true, int64(0)
		for _, n := range r.nodes {
			settled = settled && n.Settled(context.Background())
			writes += n.db.Stats().Writes
		}
		if settled && writes == before {
			return
		}
		if before = writes; !settled {
			before = -1
			time.Sleep(3 * time.Millisecond)
		}
	}
}

func (n *server) write(fn func(tx *store.Tx) error) {
	n.t.Helper()
	if err := n.db.Write(context.Background(), fn); err != nil {
		n.t.Fatal(err)
	}
}

func (n *server) read(fn func(tx *store.Tx) error) {
	n.t.Helper()
	if err := n.db.Read(context.Background(), fn); err != nil {
		n.t.Fatal(err)
	}
}

// count runs a query for one number.
func (n *server) count(sql string, args ...any) int {
	n.t.Helper()
	var c int
	n.read(func(tx *store.Tx) error { return tx.Raw(sql, args...).Scan(&c).Error })
	return c
}

// keyPairs are made once: making one takes longer than most tests.
var keyPairs = sync.OnceValue(func() []community.KeyPair {
	var pairs []community.KeyPair
	for range 4 {
		pair, err := community.NewKeyPair()
		if err != nil {
			panic(err)
		}
		pairs = append(pairs, pair)
	}
	return pairs
})

var nextPair int

// person makes an account here.
func (n *server) person(name string) community.Account {
	n.t.Helper()
	nextPair++
	var a community.Account
	n.write(func(tx *store.Tx) (err error) {
		a, err = community.CreateLocal(tx, community.NewAccount{Username: name, DisplayName: name, PasswordHash: "x",
			Role: community.Member, Keys: keyPairs()[nextPair%4]})
		return err
	})
	return a
}

// allow admits another server, with the ceiling network.
func (n *server) allow(host string) {
	n.t.Helper()
	n.write(func(tx *store.Tx) error {
		_, err := peers.Allow(tx, 0, host, peers.Entry{})
		return err
	})
}

// befriend connects all servers with each other.
func (r *ring) befriend() {
	r.t.Helper()
	for _, n := range r.nodes {
		for _, other := range r.nodes {
			if n != other {
				n.allow(other.host)
			}
		}
	}
	for deadline := time.Now().Add(60 * time.Second); ; {
		r.settle()
		strange := 0
		for _, n := range r.nodes {
			const unmet = "FROM peers WHERE standing = 'allowed' AND NOT EXISTS (SELECT 1 FROM hosts WHERE hosts.host = peers.host AND met_at IS NOT NULL)"
			if some := n.count("SELECT COUNT(*) " + unmet); some > 0 { // it did not answer in time, on a slow machine
				strange += some
				n.exec("UPDATE hosts SET meet_next_at = NULL WHERE met_at IS NULL")
				nudge(n.meetNow)
			}
		}
		if strange == 0 {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%d servers were not met", strange)
		}
	}
}

// seen returns another server's account as n knows it, looking it up if need be.
func (n *server) seen(handle string) community.Account {
	n.t.Helper()
	a, err := n.Resolve(context.Background(), handle)
	if err != nil {
		n.t.Fatalf("%s looks up %s: %v", n.host, handle, err)
	}
	return a
}

func (n *server) follow(me community.Account, handle string) {
	n.t.Helper()
	target := n.seen(handle)
	n.write(func(tx *store.Tx) error {
		_, err := community.Follow(tx, me, target)
		return err
	})
	n.ring.settle()
}

func (n *server) publish(author community.Account, d community.Draft) community.Post {
	n.t.Helper()
	if d.Kind == "" {
		d.Kind = community.Note
	}
	if d.Audience == "" {
		d.Audience = community.Public
	}
	var p community.Post
	n.write(func(tx *store.Tx) (err error) {
		p, err = community.Publish(tx, author, d)
		return err
	})
	n.ring.settle()
	return p
}

// home lists the texts in somebody's home list, newest first.
func (n *server) home(who community.Account) []community.Post {
	n.t.Helper()
	var posts []community.Post
	n.read(func(tx *store.Tx) error {
		v, err := community.ViewerOf(tx, who.ID)
		if err != nil {
			return err
		}
		posts, err = community.Home(tx, v, store.Page{})
		return err
	})
	return posts
}

// copyOf returns n's copy of another server's post, deleted or not.
func (n *server) copyOf(p community.Post, from *server) community.Post {
	n.t.Helper()
	var got community.Post
	n.read(func(tx *store.Tx) (err error) {
		got, err = community.PostByURI(tx, p.IRI(from.site))
		return err
	})
	return got
}

type addrPort = netip.AddrPort

// doc is a document as a test writes it.
type doc = map[string]any

// say has an account here send a document of the test's making to another
// server, properly signed unless change spoils it, and returns the answer.
func (n *server) say(as community.Account, to *server, activity any, change ...func(*http.Request)) *egress.Response {
	n.t.Helper()
	body, ok := activity.([]byte)
	if !ok {
		var err error
		if body, err = json.Marshal(activity); err != nil {
			n.t.Fatal(err)
		}
	}
	var keys signer
	n.read(func(tx *store.Tx) (err error) {
		keys, err = n.keysOf(tx, as.ID)
		return err
	})
	res, err := n.egress.Post(context.Background(), egress.Request{
		URL: to.site.SharedInbox(), ContentType: activityJSON, Body: body,
		Sign: func(req *http.Request) error {
			if err := keys.sign(peers.SignsCavage, req, body, time.Now()); err != nil {
				return err
			}
			for _, c := range change {
				c(req)
			}
			return nil
		},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return res
}

// ask has an account here, or with the zero value the server itself, get a
// document of another server.
func (n *server) ask(as community.Account, url string) *egress.Response {
	n.t.Helper()
	keys, err := n.instanceKeys(context.Background())
	if err != nil {
		n.t.Fatal(err)
	}
	if as.ID != 0 {
		n.read(func(tx *store.Tx) (err error) {
			keys, err = n.keysOf(tx, as.ID)
			return err
		})
	}
	res, err := n.egress.Get(context.Background(), egress.Request{URL: url, Accept: acceptActivity,
		Sign: func(req *http.Request) error { return keys.sign(peers.SignsCavage, req, nil, time.Now()) }})
	if err != nil {
		n.t.Fatal(err)
	}
	return res
}

// note is a Create of a public note by an account here.
func (n *server) note(as community.Account, name string) doc {
	actor := n.site.Actor(as.ID)
	return doc{"@context": "https://www.w3.org/ns/activitystreams", "id": n.site.URL("/test/create/" + name), "type": "Create", "actor": actor,
		"to": []string{"https://www.w3.org/ns/activitystreams#Public"},
		"object": doc{"id": n.site.URL("/test/" + name), "type": "Note", "attributedTo": actor, "content": "<p>" + name + "</p>",
			"published": time.Now().UTC().Format(time.RFC3339Nano), "to": []string{"https://www.w3.org/ns/activitystreams#Public"}}}
}
