// Package sig signs requests to other servers and verifies what they signed:
// signature, digest and date. It is the only importer of go-fed/httpsig, which
// checks signatures and nothing else: not the body, not the clock, and not
// that the signature covers what it must.
//
// The one scheme spoken is draft-cavage-http-signatures-12, which every
// ActivityPub server verifies. It lives in cavage.go; keys.go and digest.go are
// free of it.
package sig

import (
	"errors"
	"time"
)

// Skew is how far a request's date may be from our clock, either way. Mastodon
// takes twelve hours; an hour covers every clock that is set at all, and bounds
// how long a recorded request can be played back.
const Skew = time.Hour

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
)
