package app

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// authority is a certificate authority that speaks as much of RFC 8555 as one
// name and one account need. It looks at challenges for real.
type authority struct {
	*httptest.Server
	t      *testing.T
	key    *ecdsa.PrivateKey
	root   *x509.Certificate
	https  string // where the host's port 443 is; "" for closed
	http   string // where its port 80 is; "" for closed
	refuse string // a reason to let all challenges fail

	mu         sync.Mutex
	orders     int
	agents     map[string]bool
	contact    []string
	thumbprint string
	looked     []string // at which challenges
	status     string   // of the authorization under way
	failed     string   // and why it failed
	chain      []byte
}

const caHost = "oak.test"

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, agents: map[string]bool{}}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.Server = httptest.NewTLSServer(a)
	t.Cleanup(a.Close)
	return a
}

// roots trusts the authority's own address and what it signs.
func (a *authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate())
	pool.AddCert(a.root)
	return pool
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.agents[r.UserAgent()] = true
	w.Header().Set("Replay-Nonce", rand.Text())
	at := func(path string) string { return a.URL + path }
	say := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(v); err != nil {
			a.t.Error(err)
		}
	}
	protected, payload := a.signed(r)
	switch r.URL.Path {
	case "/dir":
		say(200, map[string]string{"newNonce": at("/nonce"), "newAccount": at("/account"), "newOrder": at("/order"), "revokeCert": at("/revoke"), "keyChange": at("/change")})
	case "/nonce":
	case "/account":
		a.thumbprint = protected.thumbprint()
		a.contact = payload.Contact
		w.Header().Set("Location", at("/account/1"))
		say(201, map[string]string{"status": "valid"})
	case "/order":
		a.orders++
		a.status, a.failed, a.chain = "pending", "", nil
		w.Header().Set("Location", at("/order/1"))
		say(201, a.order())
	case "/order/1":
		say(200, a.order())
	case "/authz/1":
		challenge := func(kind string) map[string]any {
			c := map[string]any{"type": kind, "url": at("/" + kind), "token": "token", "status": a.status}
			if a.status == "invalid" {
				c["error"] = map[string]string{"type": "urn:ietf:params:acme:error:connection", "detail": a.failed}
			}
			return c
		}
		say(200, map[string]any{"status": a.status, "identifier": map[string]string{"type": "dns", "value": caHost},
			"challenges": []any{challenge("http-01"), challenge("tls-alpn-01")}})
	case "/http-01", "/tls-alpn-01":
		kind := r.URL.Path[1:]
		a.looked = append(a.looked, kind)
		a.mu.Unlock() // hosts are asked, and may ask meanwhile
		err := a.look(kind)
		a.mu.Lock()
		if a.status = "valid"; err != nil {
			a.status, a.failed = "invalid", err.Error()
		}
		say(200, map[string]string{"type": kind, "url": at("/" + kind), "token": "token", "status": "processing"})
	case "/finalize/1":
		a.chain = a.issue(payload.CSR)
		say(200, a.order())
	case "/cert/1":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		w.Write(a.chain)
	default:
		say(404, map[string]string{"type": "urn:ietf:params:acme:error:malformed"})
	}
}

func (a *authority) order() map[string]any {
	o := map[string]any{"status": "pending", "authorizations": []string{a.URL + "/authz/1"}, "finalize": a.URL + "/finalize/1",
		"identifiers": []map[string]string{{"type": "dns", "value": caHost}}}
	switch {
	case a.chain != nil:
		o["status"], o["certificate"] = "valid", a.URL+"/cert/1"
	case a.status == "valid":
		o["status"] = "ready"
	}
	return o
}

type protectedHeader struct {
	JWK struct{ Crv, Kty, X, Y string }
}

// thumbprint is as RFC 7638 says.
func (p protectedHeader) thumbprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":%q,"kty":%q,"x":%q,"y":%q}`, p.JWK.Crv, p.JWK.Kty, p.JWK.X, p.JWK.Y))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

type signedPayload struct {
	Contact []string
	CSR     string
}

// signed reads a request's JWS. Its signature is the library's to make.
func (a *authority) signed(r *http.Request) (protected protectedHeader, payload signedPayload) {
	if r.Method != http.MethodPost {
		return
	}
	var jws struct{ Protected, Payload string }
	err := json.NewDecoder(r.Body).Decode(&jws)
	for text, into := range map[string]any{jws.Protected: &protected, jws.Payload: &payload} {
		raw, e := base64.RawURLEncoding.DecodeString(text)
		if len(raw) > 0 { // an empty payload is a POST that gets
			e = errors.Join(e, json.Unmarshal(raw, into))
		}
		err = errors.Join(err, e)
	}
	if err != nil {
		a.t.Error(err)
	}
	return
}

// look validates a challenge.
func (a *authority) look(kind string) error {
	if a.refuse != "" {
		return errors.New(a.refuse)
	}
	answer := "token." + a.thumbprint
	if kind == "http-01" { // RFC 8555, section 8.3
		if a.http == "" {
			return errors.New("port 80 is closed")
		}
		req, err := http.NewRequest(http.MethodGet, "http://"+a.http+"/.well-known/acme-challenge/token", nil)
		if err != nil {
			return err
		}
		req.Host = caHost + ":80"
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != answer {
			return fmt.Errorf("status %d, body %q, %v", res.StatusCode, body, err)
		}
		return nil
	}
	if a.https == "" {
		return errors.New("port 443 is closed")
	}
	conn, err := tls.Dial("tcp", a.https, &tls.Config{ServerName: caHost, NextProtos: []string{acme.ALPNProto}, InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	defer conn.Close()
	sum := sha256.Sum256([]byte(answer))
	want, err := asn1.Marshal(sum[:])
	for _, e := range conn.ConnectionState().PeerCertificates[0].Extensions { // RFC 8737, section 3
		if e.Id.String() == "1.3.6.1.5.5.7.1.31" && e.Critical && bytes.Equal(e.Value, want) && err == nil {
			return nil
		}
	}
	return errors.Join(errors.New("another certificate was shown"), err)
}

func (a *authority) issue(csr string) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(csr)
	if err != nil {
		a.t.Error(err)
	}
	req, err := x509.ParseCertificateRequest(raw)
	if err != nil {
		a.t.Error(err)
		return nil
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(a.orders) + 1), DNSNames: req.DNSNames,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(12 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, req.PublicKey, a.key)
	if err != nil {
		a.t.Error(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// out is the way to the authority; allowed or not.
func (a *authority) out(t *testing.T, allow ...netip.Prefix) *egress.Client {
	c := egress.New(egress.Options{UserAgent: "Chalkring/test", AnyPort: true, Roots: a.roots(), Allow: allow})
	t.Cleanup(c.Close)
	return c
}

var loopbacks = netip.MustParsePrefix("127.0.0.0/8")

// node is a place that serves the certificate, as one of several may.
type node struct {
	*fetched
	addr string
}

func (a *authority) node(t *testing.T, db *store.DB) node {
	t.Helper()
	f := newFetched(db, caHost, "it@oak.test", a.URL+"/dir", a.out(t, loopbacks), discard())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newHTTPServer(http.NotFoundHandler(), discard())
	go server.Serve(overTLS(l, f))
	t.Cleanup(func() { server.Close() })
	return node{f, l.Addr().String()}
}

// serial shakes hands and returns the number of the certificate that is shown.
func (n node) serial(t *testing.T, roots *x509.CertPool, name string) (int64, error) {
	t.Helper()
	conn, err := tls.Dial("tcp", n.addr, &tls.Config{ServerName: name, RootCAs: roots, MinVersion: tls.VersionTLS13})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func TestCertificateIsFetchedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ca := newAuthority(t)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		defer running.Wait()
		defer stop()
		start := func(n node) node {
			running.Go(func() {
				if err := n.run(ctx); err != nil {
					t.Error(err)
				}
			})
			return n
		}
		oak, elm := ca.node(t, db), ca.node(t, db)
		ca.https = elm.addr // whoever orders, another node answers the challenge
		start(oak)
		if n, err := oak.serial(t, ca.roots(), caHost); err != nil || n != 2 {
			t.Fatalf("the first visitor sees certificate %d, %v", n, err)
		}
		for name, n := range map[string]node{"second node": start(elm), "after a restart": start(ca.node(t, db))} {
			if got, err := n.serial(t, ca.roots(), strings.ToUpper(caHost)); err != nil || got != 2 {
				t.Errorf("%s: certificate %d, %v, want the kept one", name, got, err)
			}
		}
		if _, err := oak.serial(t, ca.roots(), "elm.test"); err == nil {
			t.Error("another host's name is answered")
		}
		if ca.orders != 1 || len(ca.contact) != 1 || ca.contact[0] != "mailto:it@oak.test" {
			t.Errorf("%d orders, contact %v", ca.orders, ca.contact)
		}
		if len(ca.agents) != 1 || !ca.agents["Chalkring/test"] {
			t.Errorf("the authority was not asked by way of egress alone: %v", ca.agents)
		}
		other := newFetched(db, caHost, "it@oak.test", "https://ca.elm.test/dir", ca.out(t), discard())
		if _, err := other.manager.Cache.Get(ctx, caHost); err == nil {
			t.Error("another authority's certificate counts")
		}
	})
}

func TestOneNodeOrders(t *testing.T) {
	database := storetest.Postgres(t)
	ca := newAuthority(t)
	oak, elm := ca.node(t, storetest.OpenURL(t, database)), ca.node(t, storetest.OpenURL(t, database))
	ca.https = oak.addr
	var both sync.WaitGroup
	for _, n := range []node{oak, elm} {
		both.Go(func() {
			if _, err := n.obtain(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if ca.orders != 1 {
		t.Errorf("%d orders", ca.orders)
	}
}

func TestCertificateByHTTP(t *testing.T) {
	db := storetest.Open(t)
	ca := newAuthority(t)
	n := ca.node(t, db)
	plain := httptest.NewServer((&Server{certs: n.fetched}).plainHandler())
	defer plain.Close()
	ca.http = plain.Listener.Addr().String()
	if _, err := n.obtain(t.Context()); err != nil {
		t.Errorf("%v; the authority said %q", err, n.said.last())
	}
}

func TestNoCertificate(t *testing.T) {
	db := storetest.Open(t)
	ca := newAuthority(t)
	ca.refuse = "no address for oak.test"
	n := ca.node(t, db)
	if _, err := n.obtain(t.Context()); err == nil || n.said.last() != "tls-alpn-01: no address for oak.test" {
		t.Errorf("err %v; the authority said %q", err, n.said.last())
	}
	if strings.Join(ca.looked, " ") != "tls-alpn-01" {
		t.Errorf("looked at %v, though plain http is not served", ca.looked)
	}
	walled := newFetched(db, caHost, "it@oak.test", ca.URL+"/dir", ca.out(t), discard())
	if _, err := walled.obtain(t.Context()); !errors.Is(err, egress.ErrPrivateAddress) {
		t.Errorf("a private directory that nobody allowed: %v", err)
	}
}

func TestDirectorySettingsReachTheAuthority(t *testing.T) {
	cfg := settings(t, "--host", "oak.test:8443", "--acme-email", "it@oak.test", "--acme-directory", "https://ca.test:9000/dir", "--http-listen", "off")
	s, err := New(t.Context(), cfg, Options{Log: discard(), External: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	f := s.certs.(*fetched)
	if f.manager.Client.DirectoryURL != "https://ca.test:9000/dir" || f.manager.Email != "it@oak.test" || f.host != "oak.test" {
		t.Errorf("directory %q, email %q, host %q", f.manager.Client.DirectoryURL, f.manager.Email, f.host)
	}
	if _, ok := s.workers()["certificate"]; !ok {
		t.Error("nobody fetches the certificate")
	}
	files := &certFiles{}
	if got := tlsConfig(files).NextProtos; strings.Contains(strings.Join(got, " "), acme.ALPNProto) {
		t.Errorf("a certificate out of files offers %v", got)
	}
}
