// Package auth knows who is asking: passwords, sessions, invitations and
// requests for an account, the first owner's setup, and the apps and tokens of
// OAuth. What somebody may do then is for community and peers to say.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"runtime"
	"strings"
	"sync"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// Auth is what signing in needs besides the database: the hashing of
// passwords, which takes much memory and is therefore limited.
type Auth struct {
	db        *store.DB
	passwords *Passwords
	nobody    func() string // the hash that unknown names are checked against
}

// New returns an Auth on the database.
func New(db *store.DB) *Auth {
	p := NewPasswords(runtime.GOMAXPROCS(0))
	return &Auth{db: db, passwords: p, nobody: sync.OnceValue(func() string {
		h, err := p.Hash(context.Background(), newToken())
		if err != nil { // only a cancelled context fails, and this one cannot be
			panic(err)
		}
		return h
	})}
}

// newToken returns 256 random bits for a session, code or bearer token.
func newToken() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// newCode returns 128 random bits that people can read out: small letters and
// digits.
func newCode() string {
	var b [16]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// digest is how a secret of ours is stored. It has enough bits by itself, so
// it needs neither salt nor slowness.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// entering returns the person an authentic secret belongs to, if they may
// enter now.
func entering(tx *store.Tx, id int64) (community.Person, error) {
	p, err := community.PersonByID(tx, id)
	if err == nil {
		err = mayEnter(tx, p, true)
	}
	return p, err
}

// mayEnter fails unless the person whom an authentic secret belongs to, if there
// is one, may enter now.
func mayEnter(tx *store.Tx, p community.Person, known bool) error {
	if !known {
		return fault.Keyed(fault.NotFound, "account.none", "There is no such account.", nil)
	}
	if err := p.User.MayEnter(tx.Now); err != nil {
		return err
	}
	if p.Gone() {
		return fault.Keyed(fault.Forbidden, "user.suspended", "This account has been suspended. Ask an administrator of your school.", nil)
	}
	return nil
}

func signedOut() error {
	return fault.Keyed(fault.Unauthorized, "auth.signed_out", "Please sign in.", nil)
}

// Sweep deletes sessions, counters of tries, codes, tokens and apps that have
// run out. An app with which somebody is about to sign in stays.
func Sweep(tx *store.Tx) error {
	for _, q := range []struct {
		sql  string
		args []any
	}{
		{"DELETE FROM sessions WHERE expires_at <= ?", []any{tx.Now}},
		{"DELETE FROM attempts WHERE reset_at <= ?", []any{tx.Now}},
		{"DELETE FROM oauth_codes WHERE expires_at <= ?", []any{tx.Now}},
		{"DELETE FROM oauth_tokens WHERE revoked_at < ?", []any{tx.Now.Add(-keepRevoked)}},
		{"DELETE FROM oauth_tokens WHERE account_id IS NULL AND created_at < ? AND (used_on IS NULL OR used_on < ?)",
			[]any{tx.Now.Add(-keepUnusedApp), tx.Now.Add(-keepUnusedApp)}},
		{`DELETE FROM oauth_apps WHERE created_at < ? AND NOT EXISTS (SELECT 1 FROM oauth_tokens WHERE app_id = oauth_apps.id)
			AND NOT EXISTS (SELECT 1 FROM oauth_codes WHERE app_id = oauth_apps.id)`,
			[]any{tx.Now.Add(-keepUnusedApp)}},
	} {
		if err := tx.Exec(q.sql, q.args...).Error; err != nil {
			return err
		}
	}
	return nil
}
