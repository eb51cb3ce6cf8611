package peers

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// InvitedFor is for how long an invitation can be used.
const InvitedFor = 14 * 24 * time.Hour

// Invitation lets one server connect without a person being asked again: whoever
// made it has decided. It can be used once.
type Invitation struct {
	ID        int64
	Host      string
	CodeHash  string
	Preset    Preset
	Note      string
	CreatedBy *int64
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time
	RevokedAt *time.Time
}

// TableName names the table.
func (Invitation) TableName() string { return "peer_invitations" }

// Open reports whether an invitation can be used.
func (i Invitation) Open(now time.Time) bool {
	return i.UsedAt == nil && i.RevokedAt == nil && now.Before(i.ExpiresAt)
}

var codeLetters = base32.StdEncoding.WithPadding(base32.NoPadding)

// Invite makes an invitation for a server, and returns its code, which is shown
// only now: the database keeps a digest.
func Invite(tx *store.Tx, by int64, host string, preset Preset, note string) (code string, i Invitation, err error) {
	host, err = Normalise(tx, host)
	if err != nil {
		return "", i, err
	}
	var form fault.Check
	checkPreset(preset, &form)
	if note = strings.TrimSpace(note); utf8.RuneCountInString(note) > MaxPurpose {
		form.Add("note", "peers.text_long", "This is too long: 500 characters at most.", map[string]any{"Most": MaxPurpose})
	}
	if err := form.Err(); err != nil {
		return "", i, err
	}
	if _, err := mayAsk(tx, host); err != nil {
		if Refused(err) {
			err = fault.Invalidf("host", "This server is paused or blocked here. Decide about that first.").WithKey("peers.ask_blocked", map[string]any{"Host": host})
		}
		return "", i, err
	}
	raw := make([]byte, 15)
	if _, err := rand.Read(raw); err != nil {
		return "", i, err
	}
	letters := strings.ToLower(codeLetters.EncodeToString(raw))
	for n := 0; n < len(letters); n += 6 {
		if n > 0 {
			code += "-"
		}
		code += letters[n : n+6]
	}
	i = Invitation{ID: tx.NewID(), Host: host, CodeHash: codeHash(code), Preset: preset, Note: note, CreatedBy: actor(by), CreatedAt: tx.Now, ExpiresAt: tx.Now.Add(InvitedFor)}
	if err := tx.Create(&i).Error; err != nil {
		return "", i, err
	}
	tx.AnnounceKey(RequestsChanged, host)
	return code, i, Record(tx, Line{ActorID: actor(by), Action: "peer.invite", Subject: host, After: string(preset), Reason: note})
}

// codeHash is what is kept of a code: it has 120 bits of chance, so that a
// plain digest is enough.
func codeHash(code string) string {
	sum := sha256.Sum256([]byte(strings.NewReplacer("-", "", " ", "").Replace(strings.ToLower(code))))
	return hex.EncodeToString(sum[:])
}

// redeem uses an invitation, if the code is that of an open one for the host.
func redeem(tx *store.Tx, host, code string) (i Invitation, ok bool, err error) {
	res := tx.Exec("UPDATE peer_invitations SET used_at = ? WHERE code_hash = ? AND host = ? AND used_at IS NULL AND revoked_at IS NULL AND expires_at > ?",
		tx.Now, codeHash(code), host, tx.Now)
	if res.Error != nil || res.RowsAffected == 0 {
		return i, false, res.Error
	}
	return i, true, tx.Where("code_hash = ?", codeHash(code)).Take(&i).Error
}

// Invitations returns a page of invitations, the newest first.
func Invitations(tx *store.Tx, page store.Page) ([]Invitation, error) {
	return store.Find[Invitation](tx.Model(&Invitation{}), page)
}

// Uninvite ends an invitation that was not used.
func Uninvite(tx *store.Tx, by int64, id int64) error {
	var i Invitation
	if err := tx.Where("id = ?", id).Take(&i).Error; err != nil {
		return store.Wrap(err)
	}
	res := tx.Exec("UPDATE peer_invitations SET revoked_at = ? WHERE id = ? AND used_at IS NULL AND revoked_at IS NULL", tx.Now, id)
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error
	}
	tx.AnnounceKey(RequestsChanged, i.Host)
	return Record(tx, Line{ActorID: actor(by), Action: "peer.uninvite", Subject: i.Host})
}
