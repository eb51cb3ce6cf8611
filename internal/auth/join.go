package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// Invite lets somebody make an account here with a role that was chosen for
// them. Its code is shown once and kept only as a digest.
type Invite struct {
	ID        int64
	CodeHash  string
	Role      community.Role
	Note      string
	MaxUses   int64
	Uses      int64
	EndsAt    *time.Time // placement: the last moment of the accounts made
	ExpiresAt time.Time
	RevokedAt *time.Time
	CreatedBy *int64
	CreatedAt time.Time
}

// Open reports whether the invitation can be used at t.
func (i Invite) Open(t time.Time) bool {
	return i.RevokedAt == nil && i.Uses < i.MaxUses && i.ExpiresAt.After(t)
}

// InviteForm is what whoever invites decides.
type InviteForm struct {
	Role    community.Role // empty: member
	Note    string
	MaxUses int64         // 0: once
	EndsAt  *time.Time    // placement: the last moment of the account
	Lasts   time.Duration // 0: two weeks
}

const (
	inviteLasts   = 14 * 24 * time.Hour
	inviteLongest = 90 * 24 * time.Hour
	inviteUses    = 200
)

// NewInvite makes an invitation and returns its code. by is who invites, 0 for
// the command line.
func NewInvite(tx *store.Tx, by int64, f InviteForm) (string, Invite, error) {
	if f.Role == "" {
		f.Role = community.Member
	}
	if f.MaxUses == 0 {
		f.MaxUses = 1
	}
	if f.Lasts == 0 {
		f.Lasts = inviteLasts
	}
	var form fault.Check
	if !f.Role.Valid() {
		form.Add("role", "role.invalid", "Choose one of the roles.", nil)
	}
	if f.MaxUses < 1 || f.MaxUses > inviteUses {
		form.Add("max_uses", "invite.uses", "An invitation can be used between 1 and 200 times.", nil)
	}
	if f.Lasts < time.Hour || f.Lasts > inviteLongest {
		form.Add("lasts", "invite.lasts", "An invitation lasts between an hour and 90 days.", nil)
	}
	if f.Role == community.Placement && (f.EndsAt == nil || !f.EndsAt.After(tx.Now)) {
		form.Add("ends_at", "placement.end_missing", "Enter the day on which the placement ends.", nil)
	}
	if err := form.Err(); err != nil {
		return "", Invite{}, err
	}
	if err := mayManage(tx, by, f.Role); err != nil {
		return "", Invite{}, err
	}
	if f.Role != community.Placement {
		f.EndsAt = nil
	}
	code := newCode()
	i := Invite{ID: tx.NewID(), CodeHash: digest(code), Role: f.Role, Note: text.PlainLine(f.Note, 500), MaxUses: f.MaxUses, EndsAt: f.EndsAt,
		ExpiresAt: tx.Now.Add(f.Lasts), CreatedAt: tx.Now}
	if by != 0 {
		i.CreatedBy = &by
	}
	if err := tx.Create(&i).Error; err != nil {
		return "", Invite{}, err
	}
	return code, i, record(tx, by, "invite.create", "invitation as "+string(i.Role))
}

// Invites returns a page of invitations, the latest first.
func Invites(tx *store.Tx, page store.Page) ([]Invite, error) {
	return store.Find[Invite](tx.Model(&Invite{}), page)
}

// RevokeInvite ends an invitation. Accounts made with it stay.
func RevokeInvite(tx *store.Tx, by, id int64) error {
	var i Invite
	err := tx.Where("id = ?", id).Take(&i).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return fault.Keyed(fault.NotFound, "invite.unknown", "There is no such invitation.", nil)
	} else if err != nil {
		return err
	}
	if err := mayManage(tx, by, i.Role); err != nil {
		return err
	}
	if err := tx.Exec("UPDATE invites SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", tx.Now, id).Error; err != nil {
		return err
	}
	return record(tx, by, "invite.revoke", "invitation as "+string(i.Role))
}

// InviteByCode returns the invitation with this code, or a failure that says
// that it cannot be used.
func InviteByCode(tx *store.Tx, code string) (Invite, error) {
	var i Invite
	err := tx.Where("code_hash = ?", digest(strings.ToLower(strings.TrimSpace(code)))).Limit(1).Find(&i).Error
	if err == nil && (i.ID == 0 || !i.Open(tx.Now)) {
		err = fault.Keyed(fault.NotFound, "invite.none", "This invitation has run out or been used. Ask whoever invited you for a new one.", nil)
	}
	return i, err
}

// Newcomer is what somebody who makes an account fills in.
type Newcomer struct {
	Username    string
	DisplayName string
	Email       string
	Password    string
	Locale      string
	Text        string // with a request: who they are
	Address     string // IP address it came from
	Device      string // User-Agent
}

// prepare does what takes long before the transaction: the hash and the keys.
func (a *Auth) prepare(ctx context.Context, n Newcomer) (community.NewAccount, error) {
	made := community.NewAccount{Username: n.Username, DisplayName: n.DisplayName, Email: n.Email, Locale: n.Locale, RequestText: n.Text}
	var form fault.Check
	form.Take(community.CheckUsername(strings.ToLower(strings.TrimSpace(n.Username))))
	if n.Email != "" {
		form.Take(community.CheckEmail(strings.ToLower(strings.TrimSpace(n.Email))))
	}
	form.Take(CheckPassword(n.Password, n.Username, n.Email))
	if err := form.Err(); err != nil {
		return made, err
	}
	var err error
	if made.PasswordHash, err = a.passwords.Hash(ctx, n.Password); err != nil {
		return made, err
	}
	made.Keys, err = community.NewKeyPair()
	return made, err
}

// Join makes an account with an invitation and signs it in.
func (a *Auth) Join(ctx context.Context, code string, n Newcomer) (string, community.Person, error) {
	if err := a.counted(ctx, map[string]limit{attempt("join", n.Address): perAddress}); err != nil {
		return "", community.Person{}, err
	}
	if err := a.db.Read(ctx, func(tx *store.Tx) error { _, err := InviteByCode(tx, code); return err }); err != nil {
		return "", community.Person{}, err
	}
	made, err := a.prepare(ctx, n)
	if err != nil {
		return "", community.Person{}, err
	}
	var token string
	var p community.Person
	err = a.db.Write(ctx, func(tx *store.Tx) error {
		i, err := InviteByCode(tx, code)
		if err != nil {
			return err
		}
		res := tx.Exec("UPDATE invites SET uses = uses + 1 WHERE id = ? AND uses < max_uses AND revoked_at IS NULL", i.ID)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Keyed(fault.NotFound, "invite.none", "This invitation has run out or been used. Ask whoever invited you for a new one.", nil)
		}
		made.Role, made.State, made.EndsAt, made.InvitedBy = i.Role, community.Active, i.EndsAt, i.CreatedBy
		account, err := community.CreateLocal(tx, made)
		if err != nil {
			return err
		}
		token, p, err = enter(tx, account, n.Device)
		return err
	})
	return token, p, err
}

// enter signs a new account in.
func enter(tx *store.Tx, account community.Account, device string) (string, community.Person, error) {
	p, err := community.PersonByID(tx, account.ID)
	if err != nil {
		return "", p, err
	}
	token, err := begin(tx, account.ID, device)
	return token, p, err
}

// Request asks for an account, where the school takes such requests. Whoever
// manages people hears of it, and approves or declines.
func (a *Auth) Request(ctx context.Context, n Newcomer) error {
	return a.request(ctx, n, func(*store.Tx, community.Account) error { return nil })
}

// SignUp is Request through an app, which is given a token for the account. It
// opens nothing before the school has let the person in.
func (a *Auth) SignUp(ctx context.Context, app Access, n Newcomer) (token string, t Token, err error) {
	err = a.request(ctx, n, func(tx *store.Tx, made community.Account) error {
		token = newToken()
		// Nobody has agreed to have it moderate in their name.
		scopes := slices.DeleteFunc(slices.Clone(app.Scopes), Admin)
		t = Token{ID: tx.NewID(), TokenHash: digest(token), AppID: &app.App.ID, AccountID: &made.ID, Scopes: scopes.String(), CreatedAt: tx.Now}
		return tx.Create(&t).Error
	})
	return token, t, err
}

func (a *Auth) request(ctx context.Context, n Newcomer, then func(tx *store.Tx, made community.Account) error) error {
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		site, err := community.SiteOf(tx)
		if err == nil && site.Registration != community.RegistrationRequest {
			err = fault.Keyed(fault.Forbidden, "request.closed", "This school gives accounts by invitation only.", nil)
		}
		return err
	})
	if err != nil {
		return err
	}
	if strings.TrimSpace(n.Text) == "" {
		return fault.Invalidf("text", "Say who you are, so that the school knows whom it lets in.").WithKey("request.text_missing", nil)
	}
	if err := a.counted(ctx, map[string]limit{attempt("request", n.Address): perRequest}); err != nil {
		return err
	}
	made, err := a.prepare(ctx, n)
	if err != nil {
		return err
	}
	return a.db.Write(ctx, func(tx *store.Tx) error {
		account, err := community.Apply(tx, made)
		if err != nil {
			return err
		}
		return then(tx, account)
	})
}

// SetupToken returns a new token for the one-time setup link while the server
// has no owner, and "" afterwards. A token made earlier counts no more.
func SetupToken(tx *store.Tx) (string, error) {
	token := newToken()
	res := tx.Exec("UPDATE site SET setup_hash = ? WHERE id = 1 AND set_up_at IS NULL", digest(token))
	if res.Error != nil || res.RowsAffected == 0 {
		return "", res.Error
	}
	return token, nil
}

// CheckSetup fails unless the token is the one of the setup link.
func CheckSetup(tx *store.Tx, token string) error {
	site, err := community.SiteOf(tx)
	switch {
	case err != nil:
		return err
	case site.SetUpAt != nil:
		return fault.Keyed(fault.Gone, "setup.done", "This server has been set up already. Please sign in.", nil)
	case site.SetupHash == "" || !same(site.SetupHash, digest(token)):
		return fault.Keyed(fault.NotFound, "setup.wrong", "This is not the link for setting up. The right one is in the server's log: restart it for a new one.", nil)
	}
	return nil
}

// SetUp gives the server its name and its first owner, and signs them in. It
// works once: everything is one transaction.
func (a *Auth) SetUp(ctx context.Context, token string, site community.SiteForm, owner Newcomer) (string, community.Person, error) {
	if err := a.db.Read(ctx, func(tx *store.Tx) error { return CheckSetup(tx, token) }); err != nil {
		return "", community.Person{}, err
	}
	made, err := a.prepare(ctx, owner)
	if err != nil {
		return "", community.Person{}, err
	}
	made.Role, made.State = community.Owner, community.Active
	var session string
	var p community.Person
	err = a.db.Write(ctx, func(tx *store.Tx) error {
		if err := CheckSetup(tx, token); err != nil {
			return err
		}
		account, err := community.CreateLocal(tx, made)
		if err != nil {
			return err
		}
		if _, err := community.UpdateSite(tx, account.ID, site); err != nil {
			return err
		}
		res := tx.Exec("UPDATE site SET setup_hash = '', set_up_at = ? WHERE id = 1 AND set_up_at IS NULL", tx.Now)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return CheckSetup(tx, token)
		}
		session, p, err = enter(tx, account, owner.Device)
		return err
	})
	return session, p, err
}

// mayManage fails unless by, 0 for the command line, may decide about people
// of this role.
func mayManage(tx *store.Tx, by int64, role community.Role) error {
	if by == 0 {
		return nil
	}
	p, err := entering(tx, by)
	if err != nil {
		return err
	}
	if !p.User.Role.MayGive(role) {
		return fault.Keyed(fault.Forbidden, "role.not_yours", "Your role does not let you do this. Ask an owner of this server.", nil)
	}
	return nil
}

func record(tx *store.Tx, by int64, action, subject string) error {
	l := peers.Line{Action: action, Subject: subject}
	if by != 0 {
		l.ActorID = &by
	}
	return peers.Record(tx, l)
}
