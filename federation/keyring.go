package federation

import (
	"context"
	"crypto"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/federation/sig"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// mostParsed is how many private keys are kept parsed.
const mostParsed = 128

// keyring keeps private keys parsed. Checking that one is sound takes a third
// of the time of signing with it, and a post goes to many servers with one
// key. It is asked by the key's text, which is read anew each time, so that
// nothing it keeps can be out of date.
type keyring struct {
	mu     sync.Mutex
	parsed map[string]crypto.Signer
}

func (k *keyring) parse(text string) (crypto.Signer, error) {
	k.mu.Lock()
	known := k.parsed[text]
	k.mu.Unlock()
	if known != nil {
		return known, nil
	}
	signer, err := sig.ParsePrivateKey(text)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.parsed == nil || len(k.parsed) >= mostParsed {
		k.parsed = map[string]crypto.Signer{}
	}
	k.parsed[text] = signer
	return signer, nil
}

// signer is what an actor of ours signs with: RSA for everyone, and Ed25519 for
// those who understand it, which costs a thirtieth.
type signer struct {
	rsa sig.Key
	ed  sig.Key // without a private half where the account has none yet
}

// sign signs a request in the way that a server is known to accept.
func (s signer) sign(how peers.Signatures, req *http.Request, body []byte, now time.Time) error {
	switch {
	case how == peers.SignsEd25519 && s.ed.Private != nil:
		return sig.SignMessage(req, s.ed, body, now)
	case how == peers.SignsEd25519 || how == peers.SignsRFC9421:
		return sig.SignMessage(req, s.rsa, body, now)
	}
	return sig.Sign(req, s.rsa, body, now)
}

// instanceKeys returns the keys of the server's own actor, which signs our GETs.
// The first call makes them where there are none yet.
func (f *Federation) instanceKeys(ctx context.Context) (signer, error) {
	f.keyOnce.Lock()
	defer f.keyOnce.Unlock()
	if f.key != nil {
		return *f.key, nil
	}
	var keys signer
	read := func(tx *store.Tx) (err error) {
		keys, err = f.keysOf(tx, community.InstanceActor)
		return err
	}
	err := f.db.Read(ctx, read)
	if fault.Is(err, fault.NotFound) || err == nil && keys.ed.Private == nil {
		err = f.db.Write(ctx, func(tx *store.Tx) error {
			if err := community.EnsureSite(tx); err != nil {
				return err
			}
			return read(tx)
		})
	}
	if err != nil {
		return signer{}, err
	}
	f.key = &keys
	return keys, nil
}

func instanceKeysIn(tx *store.Tx) ([]community.AccountKey, error) {
	site, err := community.SiteOf(tx)
	return []community.AccountKey{
		{KeyID: tx.Site.InstanceKeyID(), Algorithm: community.RSA, PublicKey: site.PublicKey, PrivateKey: site.PrivateKey},
		{KeyID: tx.Site.InstanceProofKeyID(), Algorithm: community.Ed25519, PublicKey: site.Ed25519PublicKey, PrivateKey: site.Ed25519PrivateKey},
	}, err
}

// keysOf reads an actor's private keys for signing.
func (f *Federation) keysOf(tx *store.Tx, account int64) (signer, error) {
	keys, err := community.KeysOf(tx, account)
	if account == community.InstanceActor {
		keys, err = instanceKeysIn(tx)
	}
	if err != nil {
		return signer{}, fmt.Errorf("keys of account %d: %w", account, err)
	}
	return f.signerOf(account, keys)
}

// keysFor is keysOf for one document: what tells of new keys is signed with the
// old ones, which its readers have on record.
func (f *Federation) keysFor(tx *store.Tx, d *document) (signer, error) {
	if d.Retired == "" {
		return f.keysOf(tx, d.ActorID)
	}
	keys, err := community.RetiredKeysOf(tx, d.ActorID, d.Retired)
	if fault.Is(err, fault.NotFound) { // it took too long
		return f.keysOf(tx, d.ActorID)
	}
	if err != nil {
		return signer{}, err
	}
	return f.signerOf(d.ActorID, keys)
}

func (f *Federation) signerOf(account int64, keys []community.AccountKey) (signer, error) {
	var s signer
	for kind, into := range map[community.Algorithm]*sig.Key{community.RSA: &s.rsa, community.Ed25519: &s.ed} {
		k, ok := community.KeyOfKind(keys, kind)
		if !ok || k.PrivateKey == "" {
			continue
		}
		private, err := f.keys.parse(k.PrivateKey)
		if err != nil {
			return signer{}, fmt.Errorf("key %s: %w", k.KeyID, err)
		}
		*into = sig.Key{ID: k.KeyID, Private: private}
	}
	if s.rsa.Private == nil {
		return signer{}, fault.Wrap(fault.NotFound, fmt.Errorf("account %d", account), "There is no private key to sign with.")
	}
	return s, nil
}

// mostKeys is how many keys of an actor are kept.
const mostKeys = 8

// keysIn lists the keys that an actor's document says are its own: what stands
// under publicKey, and those under assertionMethod that requests can be signed
// with. A key is its actor's only if it is of the same server and names nobody
// else as its owner.
//
// FEP-521a; FEP-fe34.
func keysIn(a as2.Actor) []community.PublicKey {
	var keys []community.PublicKey
	add := func(id, owner string, key crypto.PublicKey, err error) {
		if err != nil || len(keys) == mostKeys || len(id) > maxAddress || !iri.SameOrigin(id, a.ID) || owner != "" && owner != a.ID ||
			slices.ContainsFunc(keys, func(k community.PublicKey) bool { return k.ID == id }) {
			return
		}
		if text, err := sig.PublicPEM(key); err == nil {
			keys = append(keys, community.PublicKey{ID: id, Algorithm: community.Algorithm(sig.KindOf(key)), PEM: text})
		}
	}
	for _, k := range append([]as2.PublicKey{a.PublicKey}, a.MoreKeys...) {
		key, err := sig.ParsePublicKey(k.PEM)
		add(k.ID, k.Owner, key, err)
	}
	for _, k := range a.Multikeys {
		key, err := sig.ParseMultikey(k.Multibase)
		add(k.ID, k.Controller, key, err)
	}
	return keys
}

// multikey is how an actor of ours is told its Ed25519 key.
//
// FEP-521a.
func multikey(id, owner, text string) []as2.Multikey {
	multibase, err := sig.MultikeyOf(text)
	if err != nil {
		return nil // it has none yet
	}
	return []as2.Multikey{{ID: id, Controller: owner, Multibase: multibase}}
}
