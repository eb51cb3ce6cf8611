package federation

import (
	"context"
	"net/http"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// What a server says that it implements, to be signed for accordingly.
//
// FEP-844e.
const (
	implementsRFC9421 = "https://datatracker.ietf.org/doc/html/rfc9421"
	implementsEd25519 = "https://datatracker.ietf.org/doc/html/rfc9421#name-eddsa-using-curve-edwards25"
)

// signaturesSaid is how an actor says that requests to its server may be
// signed, or SignsUnknown if it says nothing of it.
func signaturesSaid(a as2.Actor) peers.Signatures {
	switch {
	case a.Implements(implementsEd25519):
		return peers.SignsEd25519
	case a.Implements(implementsRFC9421):
		return peers.SignsRFC9421
	}
	return peers.SignsUnknown
}

// signsSaidEvery is how often at most it is noted what a server's actors say of
// signatures.
const signsSaidEvery = 12 * time.Hour

// knockEvery is how often at most a server that refuses a signature is tried
// with the other kind.
const knockEvery = time.Hour

// knock sends a request, signed in the way that its server is known to accept,
// or else as everyone verifies it. A server that refuses is tried the other way
// once, with a request of its own, and what it takes is remembered.
func (f *Federation) knock(ctx context.Context, host string, known peers.Signatures, send func(how peers.Signatures) (*egress.Response, error)) (*egress.Response, error) {
	first, other := peers.SignsCavage, peers.SignsRFC9421
	if known == peers.SignsRFC9421 || known == peers.SignsEd25519 {
		first, other = known, peers.SignsCavage
	}
	res, err := send(first)
	if err != nil || !maySignAnew(res) || !f.refetched.allow("knock "+host, f.db.Now(), knockEvery) {
		return res, err
	}
	again, err := send(other)
	if err != nil || maySignAnew(again) {
		return res, nil // it was not the signature
	}
	f.refetched.forget("knock " + host)
	f.noteSignatures(ctx, host, other)
	return again, nil
}

// maySignAnew reports whether an answer may be that of a server which does not
// understand how a request was signed.
func maySignAnew(res *egress.Response) bool {
	switch res.Status {
	case http.StatusBadRequest, http.StatusUnauthorized:
		return true
	case http.StatusForbidden:
		return !wantsPeering(res)
	}
	return false
}

func (f *Federation) noteSignatures(ctx context.Context, host string, how peers.Signatures) {
	err := f.db.Batch(ctx, func(tx *store.Tx) error { return peers.NoteSignatures(tx, host, how) })
	if err != nil && ctx.Err() == nil {
		f.log.Error("accepted signature not noted", "host", host, "err", err)
	}
}

// signaturesOf reads how a server is known to accept signatures.
func (f *Federation) signaturesOf(ctx context.Context, host string) (peers.Signatures, error) {
	how := peers.SignsUnknown
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		how, err = peers.SignaturesOf(tx, host)
		return err
	})
	return how, err
}
