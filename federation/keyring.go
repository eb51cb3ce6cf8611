package federation

import (
	"crypto"
	"sync"

	"github.com/chalkring/chalkring/federation/sig"
)

// mostParsed is how many private keys are kept parsed.
const mostParsed = 64

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
