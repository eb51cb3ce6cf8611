// Package sig signs requests to other servers and verifies what they signed:
// signature, digest and date. It is the only importer of go-fed/httpsig, which
// checks signatures and nothing else: not the body, not the clock, and not
// that the signature covers what it must.
//
// Two schemes are spoken. draft-cavage-http-signatures-12 (cavage.go) is what
// every ActivityPub server verifies; RFC 9421 (rfc9421.go) is what it became,
// and a request has it if it has a Signature-Input. Documents can carry a proof
// of their own (proof.go, FEP-8b32).
package sig

import (
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/dunglas/httpsfv"
)

// Skew is how far a request's date may be from our clock, either way. Mastodon
// takes twelve hours; an hour covers every clock that is set at all, and bounds
// how long a recorded request can be played back.
const Skew = time.Hour

// Bounds of a signature and the header that it stands in. An RSA signature of
// 8192 bits takes 1368 bytes.
const (
	maxHeader  = 8 << 10
	maxCovered = 32
)

// Why a request is refused. The text around them says what the sender should
// do; errors.Is tells them apart.
var (
	// ErrUnsigned is a request without a signature.
	ErrUnsigned = errors.New("request is not signed")
	// ErrMalformed is a signature header that cannot be read in one way only.
	ErrMalformed = errors.New("signature header is malformed")
	// ErrNotCovered is a signature that leaves out what it must protect.
	ErrNotCovered = errors.New("signature does not cover enough")
	// ErrDate is a date that is missing, unreadable or too far from now.
	ErrDate = errors.New("request date is not acceptable")
	// ErrDigest is a digest that is missing or is not that of the body.
	ErrDigest = errors.New("digest does not match the body")
	// ErrKey is a key of a kind or size that is not used.
	ErrKey = errors.New("key is not usable")
	// ErrSignature is a signature that the key did not make over this
	// request. The key may be an old one: fetch it anew once.
	ErrSignature = errors.New("signature is not valid")
	// ErrProof is a document whose proof is missing, unreadable or wrong.
	ErrProof = errors.New("proof is not valid")
)

// Claim is what a signature says of itself, before anything of it is proved.
// It serves to find the key, and to refuse strangers before fetching one.
type Claim struct {
	KeyID     string
	Algorithm string   // as claimed; the key decides
	Headers   []string // what the signature covers, in its order, lower case
	Created   time.Time
	Expires   time.Time

	// of draft-cavage
	signature string
	created   string
	expires   string

	// of RFC 9421; nil in the other
	message *httpsfv.InnerList
	value   []byte
}

// Covers reports whether the signature protects a header, pseudo-header or
// component.
func (c Claim) Covers(name string) bool { return slices.Contains(c.Headers, name) }

// Read reads a request's signature without verifying it: that of RFC 9421 where
// there is a Signature-Input, else that of draft-cavage. The one is never fallen
// back on because the other is wrong.
func Read(r *http.Request) (Claim, error) {
	if len(r.Header["Signature-Input"]) > 0 {
		return readMessage(r)
	}
	return readCavage(r)
}

// Verify fails unless the request was signed with pub, as it arrived, within
// Skew of now, and the signature covers the method, the whole address and, for
// a POST or whatever has a body, a digest that is the body's. The kind of key
// decides the algorithm.
//
// origin is this server's own public origin, as https://school.example: under
// RFC 9421 a request is for it, whatever a proxy made of the Host.
func (c Claim) Verify(r *http.Request, body []byte, origin string, pub crypto.PublicKey, now time.Time) error {
	return c.verify(r, body, false, origin, pub, now)
}

// VerifyHead is Verify before the body was read: all but whether the body is the
// one that was signed for, which VerifyBody says.
func (c Claim) VerifyHead(r *http.Request, origin string, pub crypto.PublicKey, now time.Time) error {
	return c.verify(r, nil, true, origin, pub, now)
}

// VerifyBody holds a body against the digest that VerifyHead has seen signed.
func (c Claim) VerifyBody(r *http.Request, body []byte) error {
	if c.message != nil {
		return checkContentDigest(r.Header, body)
	}
	return checkDigest(r.Header, body)
}

// verify does without the body, with head set.
func (c Claim) verify(r *http.Request, body []byte, head bool, origin string, pub crypto.PublicKey, now time.Time) error {
	if err := checkPublic(pub); err != nil {
		return err
	}
	if c.message != nil {
		return c.verifyMessage(r, body, head, origin, pub, now)
	}
	return c.verifyCavage(r, body, head, pub, now)
}

// Verify reads a request's signature and verifies it.
func Verify(r *http.Request, body []byte, origin string, pub crypto.PublicKey, now time.Time) error {
	c, err := Read(r)
	if err != nil {
		return err
	}
	return c.Verify(r, body, origin, pub, now)
}

// near holds a signed moment against the clock.
func near(at, now time.Time, early time.Duration) error {
	if off := now.Sub(at); off > Skew || off < -early {
		return fmt.Errorf("%w: it says %s, it is %s here; set the clock, and sign each try anew",
			ErrDate, at.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// target is the request target as it was written on the wire.
func target(r *http.Request) string {
	if t := r.RequestURI; len(t) > 0 && t[0] == '/' { // set on what was received, exactly as it came
		return t
	}
	return r.URL.RequestURI()
}

// brief cuts what a stranger sent to a length fit for a log line.
func brief(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
