package testnet

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const activityJSON = "application/activity+json"

// Stranger is a server of another make, written out by hand: it serves actors
// and whatever documents a test gives it, signs its requests itself and can
// sign them wrongly, and takes what is delivered to it as the test says.
type Stranger struct {
	t      testing.TB
	scheme string
	client *http.Client
	Host   string
	Key    *rsa.PrivateKey // of all its actors

	mu        sync.Mutex
	documents map[string]any // by path
	received  []Received
	inbox     func(nth int, activity map[string]any) int
	fetched   map[string]int
	count     int // of deliveries and of documents made
}

// Received is an activity that was delivered to a stranger.
type Received struct {
	At       time.Time
	Path     string
	Activity map[string]any
	Status   int // what the stranger answered
}

// Type returns the activity's type.
func (r Received) Type() string { return fmt.Sprint(r.Activity["type"]) }

// ID returns the activity's id.
func (r Received) ID() string { return fmt.Sprint(r.Activity["id"]) }

// Stranger starts a server of another make. It answers 202 to every delivery
// until Inbox says otherwise.
func (n *Net) Stranger(host string) *Stranger {
	n.t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	n.place(host, plain)
	return newStranger(n.t, host, "https", n.Client(), tls.NewListener(plain, n.ca.serverConfig(n.t, host)))
}

// PlainStranger is a Stranger that speaks plain http on a port of localhost,
// for tests of servers that run as processes of their own.
func PlainStranger(t testing.TB) *Stranger {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := fmt.Sprintf("localhost:%d", l.Addr().(*net.TCPAddr).Port)
	return newStranger(t, host, "http", &http.Client{Timeout: 20 * time.Second}, l)
}

func newStranger(t testing.TB, host, scheme string, client *http.Client, l net.Listener) *Stranger {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := &Stranger{t: t, scheme: scheme, client: client, Host: host, Key: key, documents: map[string]any{}, fetched: map[string]int{}}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
	return s
}

// URL returns the address of a path on the stranger.
func (s *Stranger) URL(path string) string { return s.scheme + "://" + s.Host + path }

// Actor returns the address of an actor of that name; every name exists.
func (s *Stranger) Actor(name string) string { return s.URL("/users/" + name) }

// Inbox decides what the stranger answers to deliveries: nth counts them from
// 1. It may wait before it returns, to be a slow server.
func (s *Stranger) Inbox(answer func(nth int, activity map[string]any) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inbox = answer
}

// Serve has the stranger answer GET of a path with a document, or as an
// http.HandlerFunc does.
func (s *Stranger) Serve(path string, document any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.documents[path] = document
}

// Received returns what was delivered so far, in order of arrival.
func (s *Stranger) Received() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Received(nil), s.received...)
}

// Taken returns the activities of a type that the stranger answered with 2xx.
func (s *Stranger) Taken(kind string) []Received {
	var out []Received
	for _, r := range s.Received() {
		if r.Type() == kind && r.Status/100 == 2 {
			out = append(out, r)
		}
	}
	return out
}

// Fetched returns how often a path was asked for.
func (s *Stranger) Fetched(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetched[path]
}

// Asked returns how often the stranger was asked for anything.
func (s *Stranger) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, times := range s.fetched {
		n += times
	}
	return n
}

// ServeHTTP answers as a small ActivityPub server does.
func (s *Stranger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if r.Method == http.MethodPost && (path == "/inbox" || strings.HasSuffix(path, "/inbox")) {
		s.take(w, r)
		return
	}
	s.mu.Lock()
	s.fetched[path]++
	document, ok := s.documents[path]
	s.mu.Unlock()
	name, isActor := strings.CutPrefix(path, "/users/")
	switch {
	case ok:
	case path == "/.well-known/webfinger":
		document, ok = s.finger(r.URL.Query().Get("resource"))
	case path == "/actor":
		document, ok = s.actor("/actor", "Application", s.Host), true
	case isActor && !strings.Contains(name, "/"):
		document, ok = s.actor(path, "Person", name), true
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	if answer, ok := document.(http.HandlerFunc); ok {
		answer(w, r)
		return
	}
	w.Header().Set("Content-Type", activityJSON)
	_ = json.NewEncoder(w).Encode(document)
}

func (s *Stranger) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 2<<20))
	var activity map[string]any
	if err != nil || json.Unmarshal(body, &activity) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.count++
	nth, answer := s.count, s.inbox
	s.mu.Unlock()
	status := http.StatusAccepted
	if answer != nil {
		status = answer(nth, activity)
	}
	s.mu.Lock()
	s.received = append(s.received, Received{time.Now(), r.URL.Path, activity, status})
	s.mu.Unlock()
	w.WriteHeader(status)
}

func (s *Stranger) actor(path, kind, name string) map[string]any {
	public, err := x509.MarshalPKIXPublicKey(&s.Key.PublicKey)
	if err != nil {
		s.t.Error(err)
	}
	id := s.URL(path)
	return map[string]any{
		"@context": []string{"https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"},
		"id":       id, "type": kind, "preferredUsername": name, "name": name,
		"inbox": id + "/inbox", "outbox": id + "/outbox", "followers": id + "/followers",
		"endpoints": map[string]any{"sharedInbox": s.URL("/inbox")},
		"publicKey": map[string]any{"id": id + "#main-key", "owner": id,
			"publicKeyPem": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))},
	}
}

// finger answers WebFinger, RFC 7033.
func (s *Stranger) finger(resource string) (map[string]any, bool) {
	name, host, ok := strings.Cut(strings.TrimPrefix(resource, "acct:"), "@")
	if !ok || host != s.Host {
		return nil, false
	}
	return map[string]any{"subject": resource, "links": []any{
		map[string]any{"rel": "self", "type": activityJSON, "href": s.Actor(name)}}}, true
}

// Signing is how a request is signed; the zero value is right in everything.
// A test changes one thing at a time.
type Signing struct {
	Unsigned bool
	Actor    string          // whose key is named; empty: the activity's actor, or the stranger's own
	KeyID    string          // empty: the actor's main key
	Key      *rsa.PrivateKey // nil: the stranger's
	Date     time.Time       // zero: now
	Headers  []string        // what is signed; nil: (request-target), host, date and digest
	Digest   string          // empty: of the body
	Host     string          // in the signature's host line; empty: the one that is asked
	Body     []byte          // sent instead of what was signed
	Header   http.Header     // sent besides, or instead of what is sent otherwise
}

// Send posts an activity to a server's shared inbox and returns its answer.
func (s *Stranger) Send(to *Server, activity map[string]any, how ...Signing) (status int, body string) {
	s.t.Helper()
	status, body, err := s.Post("https://"+to.Host+"/inbox", activity, how...)
	if err != nil {
		s.t.Fatalf("%s sends to %s: %v", s.Host, to.Host, err)
	}
	return status, body
}

// Post posts an activity to an inbox. It fails when no answer came.
func (s *Stranger) Post(inbox string, activity map[string]any, how ...Signing) (status int, body string, err error) {
	text, err := json.Marshal(activity)
	if err != nil {
		return 0, "", err
	}
	sign := Signing{}
	if len(how) > 0 {
		sign = how[0]
	}
	if sign.Actor == "" {
		sign.Actor, _ = activity["actor"].(string)
	}
	return s.request(http.MethodPost, inbox, text, sign)
}

// SendBytes is Send for what is no activity, or is one in a spelling of its
// own. how.Actor names whose key signs.
func (s *Stranger) SendBytes(to *Server, body []byte, how Signing) (status int, answer string) {
	s.t.Helper()
	status, answer, err := s.request(http.MethodPost, "https://"+to.Host+"/inbox", body, how)
	if err != nil {
		s.t.Fatalf("%s sends to %s: %v", s.Host, to.Host, err)
	}
	return status, answer
}

// Request makes the signed request that Post sends, for tests that prepare
// many before they send the first.
func (s *Stranger) Request(inbox string, activity map[string]any) (*http.Request, error) {
	text, err := json.Marshal(activity)
	if err != nil {
		return nil, err
	}
	actor, _ := activity["actor"].(string)
	return s.prepare(http.MethodPost, inbox, text, Signing{Actor: actor})
}

// Get asks for a document and returns the answer.
func (s *Stranger) Get(address string, how ...Signing) (status int, body string) {
	s.t.Helper()
	sign := Signing{}
	if len(how) > 0 {
		sign = how[0]
	}
	status, body, err := s.request(http.MethodGet, address, nil, sign)
	if err != nil {
		s.t.Fatalf("%s asks for %s: %v", s.Host, address, err)
	}
	return status, body
}

func (s *Stranger) request(method, address string, body []byte, how Signing) (int, string, error) {
	req, err := s.prepare(method, address, body, how)
	if err != nil {
		return 0, "", err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, string(answer), err
}

func (s *Stranger) prepare(method, address string, body []byte, how Signing) (*http.Request, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	sent := body
	if how.Body != nil {
		sent = how.Body
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, address, bytes.NewReader(sent))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", activityJSON)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", activityJSON)
	}
	if !how.Unsigned {
		if err := s.sign(req, u, body, how); err != nil {
			return nil, err
		}
	}
	for name, values := range how.Header {
		req.Header[name] = values
	}
	if host := how.Header.Get("Host"); host != "" {
		req.Host = host
	}
	return req, nil
}

// sign puts a signature on a request, by hand, so that it does not agree with
// the servers' own code by being the same code.
//
// draft-cavage-http-signatures-12, sections 2 and 4; RFC 3230 (Digest).
func (s *Stranger) sign(req *http.Request, u *url.URL, body []byte, how Signing) error {
	if how.Actor == "" {
		how.Actor = s.URL("/actor")
	}
	if how.KeyID == "" {
		how.KeyID = how.Actor + "#main-key"
	}
	if how.Key == nil {
		how.Key = s.Key
	}
	if how.Date.IsZero() {
		how.Date = time.Now()
	}
	if how.Host == "" {
		how.Host = u.Host
	}
	if how.Headers == nil {
		how.Headers = []string{"(request-target)", "host", "date"}
		if req.Method == http.MethodPost {
			how.Headers = append(how.Headers, "digest")
		}
	}
	if how.Digest == "" {
		sum := sha256.Sum256(body)
		how.Digest = "SHA-256=" + base64.StdEncoding.EncodeToString(sum[:])
	}
	req.Header.Set("Date", how.Date.UTC().Format(http.TimeFormat))
	if req.Method == http.MethodPost {
		req.Header.Set("Digest", how.Digest)
	}
	lines := make([]string, len(how.Headers))
	for i, h := range how.Headers {
		value := req.Header.Get(h)
		switch h {
		case "(request-target)":
			value = strings.ToLower(req.Method) + " " + u.RequestURI()
		case "host":
			value = how.Host
		}
		lines[i] = h + ": " + value
	}
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	signature, err := rsa.SignPKCS1v15(rand.Reader, how.Key, crypto.SHA256, sum[:])
	if err != nil {
		return err
	}
	req.Header.Set("Signature", fmt.Sprintf(`keyId=%s,algorithm="rsa-sha256",headers=%s,signature="%s"`,
		strconv.Quote(how.KeyID), strconv.Quote(strings.Join(how.Headers, " ")), base64.StdEncoding.EncodeToString(signature)))
	return nil
}

// Note makes a Create of a public note by one of the stranger's actors.
func (s *Stranger) Note(name, content string) map[string]any {
	s.mu.Lock()
	s.count++
	n := s.count
	s.mu.Unlock()
	actor, id := s.Actor(name), s.URL(fmt.Sprintf("/notes/%d", n))
	const public = "https://www.w3.org/ns/activitystreams#Public"
	note := map[string]any{"id": id, "type": "Note", "attributedTo": actor, "content": "<p>" + content + "</p>",
		"to": []string{public}, "cc": []string{actor + "/followers"}, "published": time.Now().UTC().Format(time.RFC3339)}
	return map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": id + "/activity", "type": "Create",
		"actor": actor, "to": note["to"], "cc": note["cc"], "published": note["published"], "object": note}
}

// Follows makes a Follow of somebody by one of the stranger's actors.
func (s *Stranger) Follows(name, target string) map[string]any {
	return map[string]any{"@context": "https://www.w3.org/ns/activitystreams",
		"id": s.URL("/follows/" + name + "/" + url.PathEscape(target)), "type": "Follow", "actor": s.Actor(name), "object": target}
}
