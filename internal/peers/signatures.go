package peers

import (
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// Signatures is which signatures of requests a server is known to accept.
type Signatures string

// What is known of a server: nothing yet, so that it gets what everyone
// verifies; draft-cavage; RFC 9421; or RFC 9421 with Ed25519 keys.
const (
	SignsUnknown Signatures = ""
	SignsCavage  Signatures = "cavage"
	SignsRFC9421 Signatures = "rfc9421"
	SignsEd25519 Signatures = "ed25519"
)

// signaturesLast is how long is believed what was learned of a server's
// signatures: it may have been updated, or set back.
const signaturesLast = 7 * 24 * time.Hour

// Lasting is what was learned at a moment, unless that is too long ago.
func (s Signatures) Lasting(learned *time.Time, now time.Time) Signatures {
	if learned == nil || now.Sub(*learned) > signaturesLast {
		return SignsUnknown
	}
	return s
}

// SignaturesOf returns which signatures a server is known to accept.
func SignaturesOf(tx *store.Tx, host string) (Signatures, error) {
	var h Host
	err := tx.Select("signatures", "signatures_at").Where("host = ?", host).Limit(1).Find(&h).Error
	return h.Signatures.Lasting(h.SignaturesAt, tx.Now), err
}

// NoteSignatures remembers which signatures a server accepts.
func NoteSignatures(tx *store.Tx, host string, s Signatures) error {
	if err := Seen(tx, host); err != nil {
		return err
	}
	return tx.Exec("UPDATE hosts SET signatures = ?, signatures_at = ? WHERE host = ?", s, tx.Now, host).Error
}
