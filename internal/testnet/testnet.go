// Package testnet starts real servers in one process: each with its own
// database, name and certificate, talking TLS over loopback. Only names and
// roots are swapped; there is nothing in it that pretends.
package testnet

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// Net is a network of servers that ends with its test.
type Net struct {
	t       testing.TB
	ca      *authority
	dialect store.Dialect
	log     *slog.Logger

	mu        sync.Mutex
	addresses map[string]netip.AddrPort
	servers   []*Server
}

// New makes a network whose servers use SQLite.
func New(t testing.TB) *Net { return newNet(t, store.SQLite) }

// Each runs fn as a subtest on a network of servers on SQLite and, where
// there is one to use, on one of servers on PostgreSQL.
func Each(t *testing.T, fn func(t *testing.T, net *Net)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, newNet(t, store.SQLite)) })
	if os.Getenv("CHALKRING_TEST_POSTGRES") == "" {
		return
	}
	t.Run("postgres", func(t *testing.T) { fn(t, newNet(t, store.Postgres)) })
}

func newNet(t testing.TB, dialect store.Dialect) *Net {
	t.Helper()
	n := &Net{t: t, ca: newAuthority(t), dialect: dialect, addresses: map[string]netip.AddrPort{}}
	n.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("CHALKRING_TEST_LOG") != "" {
		n.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return n
}

// Server is one real server of the network.
type Server struct {
	*app.Server
	net  *Net
	t    testing.TB
	Host string

	cfg    config.Config
	stop   context.CancelFunc
	done   chan struct{}
	err    error
	logged *slog.Logger
}

// Start starts a server with an empty database under a name below .test. It
// is stopped when the test ends.
func (n *Net) Start(host string, change ...func(*config.Config)) *Server {
	n.t.Helper()
	dir := n.t.TempDir()
	certFile, keyFile := n.ca.files(n.t, dir, host)
	cfg, err := config.Parse([]string{"--host", host, "--data", dir, "--cert-file", certFile, "--key-file", keyFile,
		"--egress-allow", "127.0.0.0/8", "--no-rate-limits", "--http-listen", "off"})
	if err != nil {
		n.t.Fatal(err)
	}
	cfg.Database = filepath.Join(dir, "chalkring.db")
	if n.dialect == store.Postgres {
		cfg.Database, cfg.Conns = storetest.Postgres(n.t), 12
	} else if err := os.Rename(storetest.File(n.t), cfg.Database); err != nil {
		n.t.Fatal(err)
	}
	for _, c := range change {
		c(&cfg)
	}
	s := &Server{net: n, t: n.t, Host: host, cfg: cfg, logged: n.log.With("server", host)}
	s.Resume()
	n.mu.Lock()
	n.servers = append(n.servers, s)
	n.mu.Unlock()
	n.t.Cleanup(s.Stop)
	return s
}

// Resume starts a stopped server again, on what it had stored.
func (s *Server) Resume() {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.net.place(s.Host, l)
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.done = stop, make(chan struct{})
	s.Server, err = app.New(ctx, s.cfg, app.Options{Log: s.logged, Listener: l, Roots: s.net.ca.pool, Resolve: s.net.Resolve})
	if err != nil {
		s.t.Fatalf("start %s: %v", s.Host, err)
	}
	running := s.Server
	go func() {
		defer close(s.done)
		s.err = running.Run(ctx)
	}()
	s.waitUntilAnswering()
}

// waitUntilAnswering asks until the server says that it is healthy. The
// listener is open already, so the first question waits for its answer.
func (s *Server) waitUntilAnswering() {
	s.t.Helper()
	res, err := s.net.Client().Get("https://" + s.Host + "/healthz")
	if err != nil {
		s.t.Fatalf("%s does not answer: %v", s.Host, err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s answers %s", s.Host, res.Status)
	}
}

// Stop stops the server as a signal would and waits until it has stopped.
func (s *Server) Stop() {
	s.t.Helper()
	s.stop()
	<-s.done
	if s.err != nil {
		s.t.Errorf("%s stopped with: %v", s.Host, s.err)
	}
}

// Config returns the server's settings.
func (s *Server) Config() config.Config { return s.cfg }

// place makes a name lead to a listener.
func (n *Net) place(host string, l net.Listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addresses[host] = l.Addr().(*net.TCPAddr).AddrPort()
}

// Resolve says where a name of the network is. Names that it does not have
// lead nowhere: no test reaches the internet.
func (n *Net) Resolve(_ context.Context, host string) ([]netip.AddrPort, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at, ok := n.addresses[strings.ToLower(host)]; ok {
		return []netip.AddrPort{at}, true
	}
	return nil, true
}

// Answer answers under a name with a handler, and with a certificate of the
// network's authority that was changed; without changes it is in order. With
// another Net's authority it is one that nobody here knows.
func (n *Net) Answer(host string, by *Net, h http.Handler, changes ...func(*x509.Certificate)) {
	n.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	n.place(host, l)
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, TLSConfig: by.ca.serverConfig(n.t, host, changes...),
		ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.ServeTLS(l, "", "") }() // ends with Close
	n.t.Cleanup(func() { _ = server.Close() })
}

// Point makes a name lead to an address where perhaps nobody answers.
func (n *Net) Point(host string, at netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addresses[host] = at
}

// Client returns an HTTP client that finds the network's names and trusts its
// authority. It follows no redirects and keeps no cookies.
func (n *Net) Client() *http.Client {
	transport := &http.Transport{
		TLSClientConfig: n.ca.clientConfig(),
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			at, _ := n.Resolve(ctx, host)
			if len(at) == 0 {
				return nil, fmt.Errorf("the test's network has no %s", host)
			}
			var d net.Dialer
			return d.DialContext(ctx, network, at[0].String())
		},
	}
	n.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Befriend puts each of the servers on the others' lists, as their
// administrators would, and waits until they have met.
func (n *Net) Befriend(all ...*Server) {
	n.t.Helper()
	for _, a := range all {
		for _, b := range all {
			if a != b {
				a.Admin().Allow(b.Host)
			}
		}
	}
	n.Settle()
}

// settleFor is how long Settle waits before it says what is stuck.
const settleFor = 60 * time.Second

// Settle waits until no server has anything left to do: nothing to receive, to
// spread or to deliver.
func (n *Net) Settle() {
	n.t.Helper()
	var running []*app.Server
	n.mu.Lock()
	for _, s := range n.servers {
		if !s.stopped() {
			running = append(running, s.Server)
		}
	}
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(n.t.Context(), settleFor)
	defer cancel()
	if err := app.Settle(ctx, running...); err != nil {
		n.t.Fatalf("the network does not settle: %v\n%s", err, n.stuck())
	}
}

// Despair waits until the server has tried to deliver to a host, in vain, and
// has put it off.
func (s *Server) Despair(host string) {
	s.t.Helper()
	deadline := time.Now().Add(settleFor)
	for pause := time.Millisecond; ; pause = min(pause*2, 25*time.Millisecond) {
		var failed bool
		s.read(func(tx *store.Tx) error {
			return tx.Raw("SELECT EXISTS (SELECT 1 FROM lanes WHERE queue = 'deliveries' AND host = ? AND failures > 0 AND node = '')", host).Scan(&failed).Error
		})
		if failed {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s does not fail to deliver to %s", s.Host, host)
		}
		time.Sleep(pause)
	}
}

func (s *Server) stopped() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// stuck says what waits where.
func (n *Net) stuck() string {
	var b strings.Builder
	for _, s := range n.servers {
		if s.stopped() {
			continue
		}
		var lanes []struct {
			Queue, Host, Error string
			Failures           int64
			Waiting            bool
		}
		var outgoing []struct{ Verb, Error string }
		s.read(func(tx *store.Tx) error {
			if err := tx.Raw("SELECT queue, host, error, failures, waiting FROM lanes WHERE waiting").Scan(&lanes).Error; err != nil {
				return err
			}
			return tx.Raw("SELECT verb, error FROM outgoing WHERE state = 'waiting'").Scan(&outgoing).Error
		})
		fmt.Fprintf(&b, "%s: lanes %+v, outgoing %+v\n", s.Host, lanes, outgoing)
	}
	return b.String()
}

func (s *Server) read(fn func(tx *store.Tx) error) {
	s.t.Helper()
	if err := s.DB().Read(s.t.Context(), fn); err != nil {
		s.t.Fatalf("%s: %v", s.Host, err)
	}
}

func (s *Server) write(fn func(tx *store.Tx) error) {
	s.t.Helper()
	if err := s.DB().Write(s.t.Context(), fn); err != nil {
		s.t.Fatalf("%s: %v", s.Host, err)
	}
}

// Admin is a server's administrator at the command line.
type Admin struct{ s *Server }

// Admin returns the server's administrator.
func (s *Server) Admin() Admin { return Admin{s} }

// Allow puts a server on the list.
func (a Admin) Allow(host string) { a.AllowUpTo(host, peers.CeilingNetwork) }

// AllowUpTo puts a server on the list with a ceiling.
func (a Admin) AllowUpTo(host string, ceiling peers.Ceiling) {
	a.s.t.Helper()
	a.s.write(func(tx *store.Tx) error {
		_, err := peers.Allow(tx, 0, host, peers.Entry{Ceiling: ceiling})
		return err
	})
}

// Block blocks a server and every name below it.
func (a Admin) Block(host string) {
	a.s.t.Helper()
	a.s.write(func(tx *store.Tx) error {
		_, err := peers.Block(tx, 0, host, peers.Entry{Reason: "test"})
		return err
	})
}

// RemovePeer takes a server off the list.
func (a Admin) RemovePeer(host string) {
	a.s.t.Helper()
	a.s.write(func(tx *store.Tx) error { return peers.Remove(tx, 0, host, "") })
}

// Open lets every server in that is not blocked.
func (a Admin) Open() {
	a.s.t.Helper()
	a.s.write(func(tx *store.Tx) error {
		site, err := community.SiteOf(tx)
		if err != nil {
			return err
		}
		return peers.SetMode(tx, 0, peers.Open, site.Title())
	})
}
