package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/idna"

	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/store"
)

// fetched is a certificate that the server obtains and renews by itself. It is
// asked for when the server starts and never because somebody knocks, so that
// a failure is logged, pauses grow, and of several nodes one orders.
//
// RFC 8555 (ACME); RFC 8737 (tls-alpn-01).
type fetched struct {
	db      *store.DB
	host    string // without a port
	manager *autocert.Manager
	said    *overheard
	log     *slog.Logger
	ready   chan struct{} // closed once there is a certificate
}

// The clock of fetching. A pause is longer than the minute for which autocert
// remembers a failure, and grows so that an authority that counts failures
// (Let's Encrypt: five an hour) takes the next try after a mended setting.
const (
	firstPause   = 90 * time.Second
	longestPause = time.Hour
	orderFor     = 2 * time.Minute // after which another node may order
	lookAgain    = 12 * time.Hour
	handshake    = 8 * time.Second // for which a first visitor waits
)

// newFetched makes the certificate for host, from the authority whose
// directory is given: Let's Encrypt if it is "".
func newFetched(db *store.DB, host, email, directory string, out *egress.Client, log *slog.Logger) *fetched {
	if ascii, err := idna.Lookup.ToASCII(host); err == nil { // as handshakes and certificates write it
		host = ascii
	}
	f := &fetched{db: db, host: host, said: &overheard{out: out}, log: log, ready: make(chan struct{})}
	f.manager = &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      keptCerts{db, directory},
		HostPolicy: f.only,
		Email:      email,
		Client:     &acme.Client{DirectoryURL: directory, HTTPClient: &http.Client{Transport: f.said, CheckRedirect: noRedirect}},
	}
	return f
}

// only is autocert.HostPolicy: this host and no other. A request for the answer
// to a challenge may name the port besides (Pebble 2.10 does).
func (f *fetched) only(_ context.Context, name string) error {
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	if !strings.EqualFold(strings.TrimSuffix(name, "."), f.host) {
		return fmt.Errorf("asked for %q, which is not this server", name)
	}
	return nil
}

func noRedirect(to *http.Request, _ []*http.Request) error {
	return fmt.Errorf("%w: to %s", egress.ErrRedirect, to.URL.Redacted())
}

// GetCertificate implements tls.Config's function of that name. The authority's
// own handshake is answered at once, everybody else's when there is a certificate.
func (f *fetched) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto { // RFC 8737, section 3
		return f.manager.GetCertificate(hello)
	}
	if err := f.only(hello.Context(), hello.ServerName); err != nil {
		return nil, err
	}
	wait := time.NewTimer(handshake)
	defer wait.Stop()
	select {
	case <-f.ready:
		return f.current()
	case <-hello.Context().Done():
		return nil, hello.Context().Err()
	case <-wait.C:
		return nil, errors.New("there is no certificate yet")
	}
}

// current asks the manager for the one certificate that is ever ordered, an
// elliptic one. What a visitor's handshake lists is not passed on: autocert
// would take one that lists nothing below TLS 1.3 for an old client, and order
// a second certificate for it.
func (f *fetched) current() (*tls.Certificate, error) {
	return f.manager.GetCertificate(&tls.ClientHelloInfo{ServerName: f.host,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}})
}

// run obtains the certificate, or reads the one that is kept, and then watches
// over its renewal until ctx ends.
func (f *fetched) run(ctx context.Context) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		cert, err := f.obtain(ctx)
		if err == nil {
			f.log.Info("certificate in force", "host", f.host, "issuer", cert.Leaf.Issuer.String(), "until", cert.Leaf.NotAfter)
			break
		}
		if ctx.Err() == nil {
			f.log.Error("no certificate, so nobody can connect by https; see that the host's name leads here and that ports 443 and 80 are open",
				"host", f.host, "next try in", pause, "err", err, "authority said", f.said.last())
		}
		if !sleep(ctx, pause) {
			return nil
		}
	}
	close(f.ready)
	for sleep(ctx, lookAgain) {
		cert, err := f.current()
		if err != nil {
			return err
		}
		// Renewal is tried from the last third on.
		if life, left := cert.Leaf.NotAfter.Sub(cert.Leaf.NotBefore), cert.Leaf.NotAfter.Sub(f.db.Now()); left < life/4 {
			f.log.Error("the certificate is not being renewed; see that the host's name leads here and that ports 443 and 80 are open",
				"host", f.host, "until", cert.Leaf.NotAfter, "authority said", f.said.last())
		}
	}
	return nil
}

// obtain returns the certificate when it is this node's turn to order, which
// may mean that another node has ordered it meanwhile.
func (f *fetched) obtain(ctx context.Context) (*tls.Certificate, error) {
	for {
		mine, err := f.lease(ctx)
		if err != nil {
			return nil, err
		}
		if mine {
			break
		}
		if !sleep(ctx, time.Second) {
			return nil, ctx.Err()
		}
	}
	defer f.release(ctx)
	type outcome struct {
		cert *tls.Certificate
		err  error
	}
	done := make(chan outcome, 1)
	go func() { // autocert takes no context and bounds itself to five minutes
		cert, err := f.current()
		done <- outcome{cert, err}
	}()
	select {
	case o := <-done:
		return o.cert, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

const orderLease = "acme-order"

// lease claims the right to order. A node that vanishes loses it after a while.
func (f *fetched) lease(ctx context.Context) (mine bool, err error) {
	err = f.db.Write(ctx, func(tx *store.Tx) error {
		made := tx.Exec(`INSERT INTO kept (key, value, expires_at) VALUES (?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
			WHERE kept.expires_at <= ? OR ?`,
			orderLease, []byte(tx.Node()), tx.Now.Add(orderFor), tx.Now, f.db.Dialect() == store.SQLite) // one node, so the lease is a dead one's
		mine = made.RowsAffected > 0
		return made.Error
	})
	return mine, err
}

func (f *fetched) release(ctx context.Context) {
	err := f.db.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return tx.Exec("DELETE FROM kept WHERE key = ? AND value = ?", orderLease, []byte(tx.Node())).Error
	})
	if err != nil {
		f.log.Warn("lease on ordering a certificate not given back; it lapses by itself", "err", err)
	}
}

// sleep waits, and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// overheard passes requests on to the way out and remembers why the authority
// last refused a challenge, which autocert keeps to itself.
type overheard struct {
	out    *egress.Client
	detail atomic.Pointer[string]
}

// RoundTrip implements http.RoundTripper.
func (o *overheard) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := o.out.RoundTrip(req)
	if err != nil || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		return res, err
	}
	body, err := io.ReadAll(res.Body) // out of memory, where egress has put it
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	var authorization struct { // RFC 8555, sections 7.1.4 and 8
		Challenges []struct {
			Type  string
			Error struct{ Detail string }
		}
	}
	if json.Unmarshal(body, &authorization) == nil {
		for _, c := range authorization.Challenges {
			if c.Error.Detail != "" {
				text := c.Type + ": " + c.Error.Detail
				o.detail.Store(&text)
			}
		}
	}
	return res, nil
}

func (o *overheard) last() string {
	if text := o.detail.Load(); text != nil {
		return *text
	}
	return ""
}

// keptCerts is autocert.Cache on the table "kept": certificates and the
// account's key live in the database, so that all nodes share them and a backup
// has them. Each authority has its own, so that another directory takes effect
// at once and not when the certificate of the former ends.
type keptCerts struct {
	db        *store.DB
	directory string // "" is Let's Encrypt
}

func (k keptCerts) key(name string) string {
	if k.directory == "" {
		return "acme:" + name
	}
	return "acme:" + k.directory + " " + name
}

// Get implements autocert.Cache.
func (k keptCerts) Get(ctx context.Context, name string) ([]byte, error) {
	var rows []struct{ Value []byte }
	err := k.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Raw("SELECT value FROM kept WHERE key = ?", k.key(name)).Scan(&rows).Error
	})
	switch {
	case err != nil:
		return nil, err
	case len(rows) == 0:
		return nil, autocert.ErrCacheMiss
	}
	return rows[0].Value, nil
}

// challengeFor is how long an answer to a challenge is kept if nobody deletes it.
const challengeFor = time.Hour

// Put implements autocert.Cache. Any node may be asked for the answer to a
// challenge, so these are kept too, for a while; their names end as they do in
// autocert.
func (k keptCerts) Put(ctx context.Context, name string, data []byte) error {
	return k.db.Write(ctx, func(tx *store.Tx) error {
		var until *time.Time
		if strings.HasSuffix(name, "+token") || strings.HasSuffix(name, "+http-01") {
			at := tx.Now.Add(challengeFor)
			until = &at
		}
		return tx.Exec(`INSERT INTO kept (key, value, expires_at) VALUES (?, ?, ?)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`, k.key(name), data, until).Error
	})
}

// Delete implements autocert.Cache.
func (k keptCerts) Delete(ctx context.Context, name string) error {
	return k.db.Write(ctx, func(tx *store.Tx) error {
		return tx.Exec("DELETE FROM kept WHERE key = ?", k.key(name)).Error
	})
}
