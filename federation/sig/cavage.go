package sig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-fed/httpsig"
)

// What we sign, in the order in which Mastodon signs it.
var (
	signGet  = []string{httpsig.RequestTarget, "host", "date"}
	signPost = []string{httpsig.RequestTarget, "host", "date", "digest"}
)

// Sign dates and signs a request to another server. A request with a body, or
// a POST, gets a Digest too. It costs one signature with the key and hardly
// more. Sign every try anew, for peers refuse an old date.
//
// draft-cavage-http-signatures-12, section 3.1.
func Sign(req *http.Request, key Key, body []byte, now time.Time) error {
	if key.Private == nil || key.ID == "" || strings.Contains(key.ID, `"`) {
		return fmt.Errorf("%w: there is no key to sign with, or its id %q cannot be written", ErrKey, key.ID)
	}
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	req.Header["Host"] = []string{host}
	req.Header["Date"] = []string{now.UTC().Format(http.TimeFormat)}
	unsign(req)
	cover := signGet
	if len(body) > 0 || req.Method == http.MethodPost {
		cover = signPost
		req.Header["Digest"] = []string{digestOf(body)}
	}
	algorithm := algorithms(key.Private.Public(), "")
	if len(algorithm) == 0 {
		return fmt.Errorf("%w: cannot sign with a %T", ErrKey, key.Private)
	}
	signer, _, err := httpsig.NewSigner(algorithm[:1], httpsig.DigestSha256, cover, httpsig.Signature, 0)
	if err != nil {
		return fmt.Errorf("sign for %s: %w", host, err)
	}
	// The body goes unmentioned: its digest is there already.
	if err := signer.SignRequest(key.Private, key.ID, shadow(req, req.Header), nil); err != nil {
		return fmt.Errorf("sign for %s: %w", host, err)
	}
	if algorithm[0] == httpsig.RSA_SHA256 {
		// httpsig writes hs2019, which old servers (guppe) refuse; all know
		// this name. The parameter is not signed.
		h := req.Header["Signature"]
		h[0] = strings.Replace(h[0], `algorithm="hs2019"`, `algorithm="rsa-sha256"`, 1)
	}
	return nil
}

// unsign takes off what an earlier signing left. The two schemes never stand on
// one request, since both write Signature.
func unsign(req *http.Request) {
	for _, name := range [...]string{"Signature", "Signature-Input", "Digest", "Content-Digest"} {
		req.Header.Del(name)
	}
}

// shadow is a request as httpsig should see it. It signs URL.Path, which Go has
// decoded, where the wire carries the request target as it was written.
func shadow(r *http.Request, h http.Header) *http.Request {
	return &http.Request{Method: r.Method, URL: &url.URL{Path: target(r)}, Header: h}
}

// readCavage reads a request's signature. It stands in the Signature header, or
// in Authorization with the scheme Signature, and there may be only one.
//
// draft-cavage-http-signatures-12, sections 2.1 and 4.1.
func readCavage(r *http.Request) (Claim, error) {
	var found []string
	found = append(found, r.Header.Values("Signature")...)
	for _, v := range r.Header.Values("Authorization") {
		if scheme, rest, ok := strings.Cut(v, " "); ok && strings.EqualFold(scheme, "Signature") {
			found = append(found, rest)
		}
	}
	switch {
	case len(found) == 0:
		return Claim{}, fmt.Errorf("%w: sign it with a Signature header", ErrUnsigned)
	case len(found) > 1:
		return Claim{}, fmt.Errorf("%w: there are %d of them; send one", ErrMalformed, len(found))
	case len(found[0]) > maxHeader:
		return Claim{}, fmt.Errorf("%w: it is longer than %d bytes", ErrMalformed, maxHeader)
	}
	return parseClaim(found[0])
}

func parseClaim(text string) (Claim, error) {
	var c Claim
	seen := make(map[string]bool, 6)
	for rest := strings.TrimSpace(text); rest != ""; {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			return Claim{}, fmt.Errorf(`%w: %q is not name="value"`, ErrMalformed, brief(rest))
		}
		name = strings.TrimSpace(name)
		var value string
		if quoted, found := strings.CutPrefix(after, `"`); found {
			if value, rest, ok = strings.Cut(quoted, `"`); !ok {
				return Claim{}, fmt.Errorf("%w: the value of %q does not end", ErrMalformed, brief(name))
			}
			rest = strings.TrimSpace(rest)
			if rest != "" && rest[0] != ',' {
				return Claim{}, fmt.Errorf("%w: no comma after %q", ErrMalformed, brief(name))
			}
			rest = strings.TrimPrefix(rest, ",")
		} else {
			value, rest, _ = strings.Cut(after, ",")
			value = strings.TrimSpace(value)
		}
		rest = strings.TrimSpace(rest)
		if seen[name] {
			return Claim{}, fmt.Errorf("%w: %q stands there twice", ErrMalformed, brief(name))
		}
		seen[name] = true
		switch name {
		case "keyId":
			c.KeyID = value
		case "algorithm":
			c.Algorithm = value
		case "headers":
			c.Headers = strings.Fields(strings.ToLower(value))
		case "signature":
			c.signature = value
		case "created":
			c.created = value
		case "expires":
			c.expires = value
		}
	}
	if c.KeyID == "" {
		return Claim{}, fmt.Errorf("%w: keyId is missing", ErrMalformed)
	}
	if c.signature == "" {
		return Claim{}, fmt.Errorf("%w: signature is missing", ErrMalformed)
	}
	if len(c.Headers) == 0 { // the draft's default, section 2.1.6
		c.Headers = []string{"date"}
	}
	if len(c.Headers) > maxCovered {
		return Claim{}, fmt.Errorf("%w: it covers more than %d headers", ErrMalformed, maxCovered)
	}
	for i, h := range c.Headers {
		if strings.ContainsAny(h, `,="`) {
			return Claim{}, fmt.Errorf("%w: %q is no header's name", ErrMalformed, brief(h))
		}
		if slices.Contains(c.Headers[:i], h) {
			return Claim{}, fmt.Errorf("%w: it covers %q twice", ErrMalformed, brief(h))
		}
	}
	var err error
	if c.Created, err = unix(c.created); err != nil {
		return Claim{}, fmt.Errorf("%w: created is no whole number of seconds", ErrMalformed)
	}
	if c.Expires, err = unix(c.expires); err != nil {
		return Claim{}, fmt.Errorf("%w: expires is no whole number of seconds", ErrMalformed)
	}
	return c, nil
}

func unix(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > 1<<40 {
		return time.Time{}, ErrMalformed
	}
	return time.Unix(n, 0), nil
}

// verifyCavage is Verify for draft-cavage. The signature must cover
// (request-target), host, date or (created), and digest where there is a body.
// What the header claims can only choose between SHA-256 and SHA-512 under an
// RSA or ECDSA key.
//
// draft-cavage-http-signatures-12, section 2.5. A server behind a proxy must
// see the Host and path that its peers see.
func (c Claim) verifyCavage(r *http.Request, body []byte, head bool, pub crypto.PublicKey, now time.Time) error {
	for _, must := range []string{httpsig.RequestTarget, "host"} {
		if !c.Covers(must) {
			return fmt.Errorf("%w: sign %s too", ErrNotCovered, must)
		}
	}
	if err := c.checkTime(r.Header, now); err != nil {
		return err
	}
	if len(body) > 0 || r.Method == http.MethodPost {
		if !c.Covers("digest") {
			return fmt.Errorf("%w: a request with a body must sign digest too", ErrNotCovered)
		}
		if !head {
			if err := checkDigest(r.Header, body); err != nil {
				return err
			}
		}
	}
	host := r.Host
	if host == "" {
		host = r.Header.Get("Host")
	}
	h := make(http.Header, len(c.Headers)+1)
	for _, name := range c.Headers {
		key := http.CanonicalHeaderKey(name)
		switch values := r.Header[key]; {
		case name == "host":
			h[key] = []string{host}
		case name[0] == '(':
			if name != httpsig.RequestTarget && name != "(created)" && name != "(expires)" {
				return fmt.Errorf("%w: %q is unknown", ErrMalformed, brief(name))
			}
		case len(values) == 0:
			return fmt.Errorf("%w: it covers %q, which the request lacks", ErrSignature, brief(name))
		case key == "Signature" || key == "Authorization":
			return fmt.Errorf("%w: it covers itself", ErrMalformed)
		default:
			h[key] = values
		}
	}
	// httpsig reads the header with less care than parseClaim; it gets one
	// that can be read in one way only.
	var err error
	if h["Signature"], err = c.plain(); err != nil {
		return err
	}
	seen := shadow(r, h)
	v, err := httpsig.NewVerifier(seen)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	for _, algorithm := range algorithms(pub, c.Algorithm) {
		if v.Verify(pub, algorithm) == nil {
			return nil
		}
	}
	// Mastodon before 4.3 signs a GET's path without its query.
	if path, _, query := strings.Cut(seen.URL.Path, "?"); query && r.Method == http.MethodGet {
		seen.URL.Path = path
		if v.Verify(pub, algorithms(pub, "")[0]) == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: the key of %s did not make it over this request; sign the path, host and headers that are sent", ErrSignature, brief(c.KeyID))
}

// checkTime holds the signed moment against the clock. An Expires parameter can
// shorten the time, never lengthen it.
func (c Claim) checkTime(h http.Header, now time.Time) error {
	var at time.Time
	switch {
	case c.Covers("(created)"):
		if at = c.Created; at.IsZero() {
			return fmt.Errorf("%w: it covers (created) and has no created", ErrMalformed)
		}
	case c.Covers("date"):
		dates := h.Values("Date")
		if len(dates) != 1 {
			return fmt.Errorf("%w: there are %d Date headers; send one", ErrDate, len(dates))
		}
		var err error
		if at, err = http.ParseTime(dates[0]); err != nil {
			return fmt.Errorf("%w: %q is no HTTP date (RFC 9110, section 5.6.7)", ErrDate, brief(dates[0]))
		}
	default:
		return fmt.Errorf("%w: sign date or (created) too", ErrNotCovered)
	}
	early := Skew
	if c.Covers("(created)") { // section 2.1.4: not from the future; httpsig grants 10 seconds
		early = 10 * time.Second
	}
	if err := near(at, now, early); err != nil {
		return err
	}
	if c.Covers("(expires)") && c.Expires.IsZero() {
		return fmt.Errorf("%w: it covers (expires) and has no expires", ErrMalformed)
	}
	if !c.Expires.IsZero() && now.After(c.Expires) {
		return fmt.Errorf("%w: the signature expired at %s", ErrDate, c.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// plain writes a claim as httpsig reads it.
func (c Claim) plain() ([]string, error) {
	if _, err := base64.StdEncoding.DecodeString(c.signature); err != nil {
		return nil, fmt.Errorf("%w: signature is not base64", ErrMalformed)
	}
	var b strings.Builder
	b.Grow(len(c.signature) + 200)
	b.WriteString(`keyId="key",headers="`) // the real one may hold a comma
	for i, h := range c.Headers {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(h)
	}
	b.WriteByte('"')
	if c.Covers("(created)") {
		b.WriteString(",created=" + c.created)
	}
	if c.Covers("(expires)") {
		b.WriteString(",expires=" + c.expires)
	}
	b.WriteString(`,signature="` + c.signature + `"`)
	return []string{b.String()}, nil
}

// algorithms lists what a key can have signed with, likeliest first.
func algorithms(pub crypto.PublicKey, claimed string) []httpsig.Algorithm {
	sha512 := strings.EqualFold(claimed, "hs2019") || strings.HasSuffix(strings.ToLower(claimed), "-sha512")
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if sha512 {
			return []httpsig.Algorithm{httpsig.RSA_SHA256, httpsig.RSA_SHA512}
		}
		return []httpsig.Algorithm{httpsig.RSA_SHA256}
	case ed25519.PublicKey:
		return []httpsig.Algorithm{httpsig.ED25519}
	case *ecdsa.PublicKey:
		first, other := httpsig.ECDSA_SHA256, httpsig.ECDSA_SHA512
		if k.Curve.Params().BitSize > 256 {
			first, other = httpsig.ECDSA_SHA384, httpsig.ECDSA_SHA256
			if k.Curve.Params().BitSize > 384 {
				first = httpsig.ECDSA_SHA512
			}
		}
		return []httpsig.Algorithm{first, other}
	}
	return nil
}
