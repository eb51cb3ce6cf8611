// Package egress is the one way out: an HTTP client for talking to servers that
// nobody here has reason to trust. It refuses private addresses (after the name
// is resolved, so that no name can lie), unasked redirects, floods and slowness.
package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// Why a request failed. errors.Is tells them apart; whatever is none of these
// came from the network.
var (
	// ErrURL is an address that is never asked: not https, a name and password
	// in it, a port that is not open to us.
	ErrURL = errors.New("address is not one to ask")
	// ErrPrivateAddress is a host whose address is not of the public internet.
	ErrPrivateAddress = errors.New("host has a private address")
	// ErrTooLarge is an answer longer than was allowed for, also after
	// decompression.
	ErrTooLarge = errors.New("answer is too large")
	// ErrRedirect is a redirect that the caller does not follow.
	ErrRedirect = errors.New("redirect is not followed")
	// ErrTimeout is an answer that did not come, or not wholly, in time.
	ErrTimeout = errors.New("no answer in time")
)

// Bounds that no caller can lift.
const (
	maxHops     = 3
	maxHeader   = 64 << 10
	defaultBody = 1 << 20
	defaultTime = 15 * time.Second
)

// Options say how a Client reaches the world. The zero value reaches public
// addresses by https on port 443, trusting the system's roots.
type Options struct {
	// UserAgent names us to other servers: software, version and our address.
	UserAgent string
	// Allow lists ranges that may be reached besides public ones: a ring of
	// schools on private addresses, or loopback in tests.
	Allow []netip.Prefix
	// Ports that an address may name; nil means 443, and 80 with PlainHTTP.
	Ports []uint16
	// AnyPort lets addresses name every port.
	AnyPort bool
	// Roots replaces the system's certificate authorities, which honour
	// SSL_CERT_FILE.
	Roots *x509.CertPool
	// Resolve, when set and when it answers, is asked instead of DNS and says
	// the port too; Host header and certificate stay those of the name. What it
	// says must lie in a public range or in Allow like any other address.
	Resolve func(ctx context.Context, host string) ([]netip.AddrPort, bool)
	// PlainHTTP lets addresses be http: for tests and a demo on one machine.
	PlainHTTP bool
	// Timeout bounds one call from the first hop to the last byte; 15 seconds
	// if zero.
	Timeout time.Duration
	// MaxBody bounds an answer where the Request does not; 1 MiB if zero.
	MaxBody int64
	// PerHost is how many connections one host gets at most; 8 if zero.
	PerHost int
}

// Client makes requests. It is safe for concurrent use, and keeps connections
// open for the next delivery; Close lets them go.
type Client struct {
	opts      Options
	transport *http.Transport
	reserve   *http.Transport // for what is Urgent
}

type urgent struct{}

// Urgent returns a context whose calls get connections of their own, besides
// the PerHost of all others and many more than those, since they are short and
// few. A server that asks us something before it answers, as for the key
// that a delivery is signed with, may wait for a question of ours to it; that
// must not wait behind the very deliveries.
func Urgent(ctx context.Context) context.Context { return context.WithValue(ctx, urgent{}, true) }

// New makes a client.
func New(opts Options) *Client {
	if opts.Timeout <= 0 {
		opts.Timeout = defaultTime
	}
	if opts.MaxBody <= 0 {
		opts.MaxBody = defaultBody
	}
	if opts.PerHost <= 0 {
		opts.PerHost = 8
	}
	if opts.Ports == nil {
		opts.Ports = []uint16{443}
		if opts.PlainHTTP {
			opts.Ports = append(opts.Ports, 80)
		}
	}
	c := &Client{opts: opts}
	// HTTP/1.1 alone: with a connection kept per host it costs less than
	// HTTP/2, and one request a connection makes PerHost a true bound.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	c.transport = &http.Transport{
		Proxy:                  nil, // a proxy would do the dialling that the guard watches
		DialContext:            newDialer(opts).dial,
		TLSClientConfig:        &tls.Config{RootCAs: opts.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    min(8*time.Second, opts.Timeout),
		ResponseHeaderTimeout:  opts.Timeout,
		MaxResponseHeaderBytes: maxHeader,
		MaxConnsPerHost:        opts.PerHost,
		MaxIdleConnsPerHost:    min(2, opts.PerHost),
		MaxIdleConns:           512,
		IdleConnTimeout:        90 * time.Second,
		Protocols:              protocols,
		WriteBufferSize:        8 << 10,
	}
	c.reserve = c.transport.Clone()
	c.reserve.MaxConnsPerHost, c.reserve.MaxIdleConnsPerHost = 4*opts.PerHost, 1
	return c
}

// Close lets idle connections go.
func (c *Client) Close() {
	c.transport.CloseIdleConnections()
	c.reserve.CloseIdleConnections()
}

// Request is one call.
type Request struct {
	URL         string
	Accept      string
	ContentType string
	Body        []byte
	// Sign is called with each request just before it is sent, anew for every
	// hop.
	Sign func(*http.Request) error
	// Follow permits a redirect by returning nil; without it every redirect is
	// refused. Ask the federation policy about to.Host here. A POST is never
	// redirected.
	Follow func(to *url.URL) error
	// MaxBody bounds the answer; the client's bound if zero.
	MaxBody int64
}

// Response is an answer, read to its end. Any status is an answer, so look at
// it; only a redirect that is not followed is an error.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	URL    string // that answered, after redirects
}

// Get asks for a document.
func (c *Client) Get(ctx context.Context, r Request) (*Response, error) {
	r.Body = nil
	return c.call(ctx, http.MethodGet, r)
}

// Post sends a document.
func (c *Client) Post(ctx context.Context, r Request) (*Response, error) {
	r.Follow = nil
	return c.call(ctx, http.MethodPost, r)
}

func (c *Client) call(ctx context.Context, method string, r Request) (*Response, error) {
	u, err := c.parse(r.URL)
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	for hop := 0; ; hop++ {
		res, err := c.once(within, method, u, r)
		if err != nil {
			return nil, c.explain(ctx, u, err)
		}
		if !redirects(res.Status) {
			return res, nil
		}
		if u, err = c.next(u, res, r, hop); err != nil {
			return nil, err
		}
	}
}

// parse refuses what is never asked, and writes the host as DNS knows it.
func (c *Client) parse(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrURL, err)
	}
	return u, c.check(u)
}

func (c *Client) check(u *url.URL) error {
	port := uint64(443)
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && c.opts.PlainHTTP:
		port = 80
	default:
		return fmt.Errorf("%w: %s is not https", ErrURL, u.Redacted())
	}
	host := u.Hostname()
	if host == "" || u.Opaque != "" || strings.HasSuffix(u.Host, ":") {
		return fmt.Errorf("%w: %s names no host", ErrURL, u.Redacted())
	}
	if u.User != nil {
		return fmt.Errorf("%w: %s holds a user name", ErrURL, u.Redacted())
	}
	if p := u.Port(); p != "" {
		var err error
		if port, err = strconv.ParseUint(p, 10, 16); err != nil {
			return fmt.Errorf("%w: %s has no usable port", ErrURL, u.Redacted())
		}
	}
	if !c.opts.AnyPort && !slices.Contains(c.opts.Ports, uint16(port)) {
		return fmt.Errorf("%w: port %d of %s is not open to us", ErrURL, port, host)
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r > 0x7f }) {
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return fmt.Errorf("%w: %v", ErrURL, err)
		}
		if ascii == "" { // letters that IDNA leaves out
			return fmt.Errorf("%w: %s names no host", ErrURL, u.Redacted())
		}
		if p := u.Port(); p != "" {
			ascii += ":" + p
		}
		u.Host = ascii
	}
	u.Fragment, u.RawFragment = "", ""
	return nil
}

// once makes one request and reads its answer.
func (c *Client) once(ctx context.Context, method string, u *url.URL, r Request) (*Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrURL, err)
	}
	if method == http.MethodGet {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	req.Header.Set("User-Agent", c.opts.UserAgent)
	if r.Accept != "" {
		req.Header.Set("Accept", r.Accept)
	}
	if r.ContentType != "" {
		req.Header.Set("Content-Type", r.ContentType)
	}
	// Never sent, since it is empty; it tells net/http that a kept connection
	// which turns out to be dead may be replaced and the request repeated.
	// Peers know an activity by its id, so a repeat is harmless.
	req.Header["Idempotency-Key"] = nil
	if r.Sign != nil {
		if err := r.Sign(req); err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
	}
	bound := r.MaxBody
	if bound <= 0 {
		bound = c.opts.MaxBody
	}
	res, body, err := c.exchange(req, bound)
	if err != nil {
		return nil, err
	}
	return &Response{Status: res.StatusCode, Header: res.Header, Body: body, URL: u.String()}, nil
}

// exchange sends a request and reads its answer to the end, up to bound.
func (c *Client) exchange(req *http.Request, bound int64) (*http.Response, []byte, error) {
	transport := c.transport
	if req.Context().Value(urgent{}) != nil {
		transport = c.reserve
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	if res.ContentLength > bound && req.Method != http.MethodHead {
		return nil, nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrTooLarge, res.ContentLength, bound)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, bound+1))
	if err == nil { // a server that sees us hang up may end its answer in good order, and short
		err = req.Context().Err()
	}
	if err != nil {
		return nil, nil, err
	}
	if int64(len(body)) > bound {
		return nil, nil, fmt.Errorf("%w: at most %d bytes are read", ErrTooLarge, bound)
	}
	return res, body, nil
}

// RoundTrip implements http.RoundTripper, for a library that speaks a protocol
// of its own over HTTP: the same addresses, ports and bounds as a Request, and
// the answer read to its end before it is returned. Redirects are up to the
// http.Client that it is put into, which asks here for each of them.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	u := *req.URL
	if err := c.check(&u); err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(req.Context(), c.opts.Timeout)
	defer cancel()
	ours := req.Clone(within)
	ours.URL = &u
	ours.Header.Set("User-Agent", c.opts.UserAgent)
	res, body, err := c.exchange(ours, c.opts.MaxBody)
	if err != nil {
		return nil, c.explain(req.Context(), &u, err)
	}
	res.Body, res.Request = io.NopCloser(bytes.NewReader(body)), req
	return res, nil
}

// redirects reports whether a status sends the client elsewhere.
//
// RFC 9110, section 15.4; a 304 or 300 names no one place to go.
func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// next is where a redirect leads, if it may be followed.
func (c *Client) next(from *url.URL, res *Response, r Request, hop int) (*url.URL, error) {
	location := res.Header.Get("Location")
	to, err := from.Parse(location)
	if err != nil || location == "" {
		return nil, fmt.Errorf("%w: %s redirects to no address", ErrRedirect, from.Host)
	}
	switch {
	case r.Follow == nil:
		return nil, fmt.Errorf("%w: %s redirects to %s", ErrRedirect, from.Host, to.Redacted())
	case hop+1 > maxHops:
		return nil, fmt.Errorf("%w: %s redirects more than %d times", ErrRedirect, from.Host, maxHops)
	}
	if err := c.check(to); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRedirect, err)
	}
	if err := r.Follow(to); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRedirect, err)
	}
	return to, nil
}

// explain says which bound of ours was hit, if one was.
func (c *Client) explain(caller context.Context, u *url.URL, err error) error {
	var slow net.Error
	switch {
	case caller.Err() == context.Canceled:
		return fmt.Errorf("%s: %w", u.Host, caller.Err())
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return fmt.Errorf("%w: %s (%v)", ErrTimeout, u.Host, err)
	}
	return fmt.Errorf("%s: %w", u.Host, err)
}

// RetryAfter reads how long a server asks us to wait: 0 if it does not ask, and
// a day at most.
//
// RFC 9110, section 10.2.3.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	const longest = 24 * time.Hour
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if n, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(n, uint64(longest/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, min(at.Sub(now), longest))
}
