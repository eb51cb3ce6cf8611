package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/chalkring/chalkring/internal/fault"
)

// The cost of one hash: 19 MiB and two passes, as OWASP's Password Storage
// Cheat Sheet asks for. Hashes carry their cost, so it can be raised later.
//
// RFC 9106, section 4.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	argonSalt    = 16
	argonKey     = 32

	mostMemory = 256 * 1024 // of a stored hash; more is no hash of ours
	mostTime   = 16
)

// Passwords hashes and verifies passwords, few at a time.
type Passwords struct {
	running chan struct{}
}

// NewPasswords returns Passwords that works on so many at a time.
func NewPasswords(atOnce int) *Passwords {
	return &Passwords{running: make(chan struct{}, max(1, atOnce))}
}

// Hash returns the hash of a password as a PHC string. It waits for its turn
// until ctx ends.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	var salt [argonSalt]byte
	rand.Read(salt[:])
	key, err := p.key(ctx, password, salt[:], argonTime, argonMemory, argonThreads, argonKey)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads,
		b64.EncodeToString(salt[:]), b64.EncodeToString(key)), nil
}

// Verify reports whether the password has this hash. A hash that is none is
// an error.
func (p *Passwords) Verify(ctx context.Context, hash, password string) (bool, error) {
	parts := strings.Split(hash, "$")
	var version, memory, passes, threads int
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return false, errors.New("verify password: the stored hash is not argon2id")
	}
	_, err1 := fmt.Sscanf(parts[2], "v=%d", &version)
	_, err2 := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads)
	salt, err3 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err4 := base64.RawStdEncoding.DecodeString(parts[5])
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return false, fmt.Errorf("verify password: read the stored hash: %w", err)
	}
	if version != argon2.Version || memory < 8 || memory > mostMemory || passes < 1 || passes > mostTime ||
		threads < 1 || threads > 16 || len(salt) < 8 || len(want) < 16 || len(want) > 64 {
		return false, errors.New("verify password: the stored hash has a cost out of bounds")
	}
	got, err := p.key(ctx, password, salt, uint32(passes), uint32(memory), uint8(threads), uint32(len(want)))
	return err == nil && same(string(got), string(want)), err
}

func (p *Passwords) key(ctx context.Context, password string, salt []byte, passes, memory uint32, threads uint8, length uint32) ([]byte, error) {
	select {
	case p.running <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.running }()
	return argon2.IDKey([]byte(password), salt, passes, memory, threads, length), nil
}

// Limits of a password.
const (
	MinPassword = 10  // characters
	MaxPassword = 256 // bytes
)

// CheckPassword says what is wrong with a password that somebody chose, if
// anything is. names are what must not be the password: user name, e-mail.
//
// NIST SP 800-63B, section 3.1.1.2: length counts, kinds of characters do not.
func CheckPassword(password string, names ...string) error {
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return fault.Invalidf("password", "A password has at least %d characters. Three or four words in a row make a good one.", MinPassword).
			WithKey("password.short", map[string]any{"Least": MinPassword})
	case len(password) > MaxPassword:
		return fault.Invalidf("password", "This password is too long.").WithKey("password.long", nil)
	case strings.Trim(password, string([]rune(password)[:1])) == "":
		return fault.Invalidf("password", "This password is one character over and over. Please choose another.").WithKey("password.easy", nil)
	}
	for _, n := range names {
		if n != "" && strings.EqualFold(strings.TrimSpace(password), n) {
			return fault.Invalidf("password", "Your name or address is no password. Please choose another.").WithKey("password.name", nil)
		}
	}
	return nil
}
