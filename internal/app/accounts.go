package app

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// NewPerson is an account that whoever has the machine makes, without an
// invitation.
type NewPerson struct {
	Username, DisplayName, Email string
	Password                     string
	Role                         community.Role
	EndsAt                       *time.Time // placement
}

// CreatePerson makes an account. The first owner made this way sets the server
// up: its one-time link counts no more.
func CreatePerson(ctx context.Context, db *store.DB, n NewPerson) (community.Account, error) {
	var made community.Account
	if err := auth.CheckPassword(n.Password, n.Username, n.Email); err != nil {
		return made, err
	}
	hash, err := auth.NewPasswords(1).Hash(ctx, n.Password)
	if err != nil {
		return made, err
	}
	keys, err := community.NewKeyPair()
	if err != nil {
		return made, err
	}
	err = db.Write(ctx, func(tx *store.Tx) (err error) {
		made, err = community.CreateLocal(tx, community.NewAccount{Username: n.Username, DisplayName: n.DisplayName, Email: n.Email,
			PasswordHash: hash, Role: n.Role, State: community.Active, EndsAt: n.EndsAt, Keys: keys})
		if err != nil || n.Role != community.Owner {
			return err
		}
		return tx.Exec("UPDATE site SET set_up_at = ?, setup_hash = '' WHERE id = 1 AND set_up_at IS NULL", tx.Now).Error
	})
	return made, err
}

// NewPassword returns a password to hand over: 100 random bits in groups that
// can be read out.
func NewPassword() string {
	text := strings.ToLower(rand.Text())
	return strings.Join([]string{text[:5], text[5:10], text[10:15], text[15:20]}, "-")
}

// IssueToken returns an access token for somebody, for scripts and
// measurements. It stands under its name among the apps that they let in.
func IssueToken(ctx context.Context, db *store.DB, account int64, name, scopes string) (token string, err error) {
	err = db.Write(ctx, func(tx *store.Tx) (err error) {
		token, _, err = auth.Issue(tx, auth.NewGrant{Account: account, Name: name, Scopes: scopes})
		return err
	})
	return token, err
}

// SetupLink returns the address at which the first owner sets the server up,
// or "" when that is done. Each call makes a new one; the older count no more.
func (s *Server) SetupLink(ctx context.Context) (string, error) {
	var token string
	err := s.db.Write(ctx, func(tx *store.Tx) (err error) {
		token, err = auth.SetupToken(tx)
		return err
	})
	if err != nil || token == "" {
		return "", err
	}
	return s.cfg.BaseURL() + "/setup/" + token, nil
}
