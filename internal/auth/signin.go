package auth

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// Credentials are what somebody who wants to sign in sends.
type Credentials struct {
	Login    string // user name or e-mail address
	Password string
	Address  string // IP address it came from
	Device   string // User-Agent
}

// limit is how many tries there are in a while.
type limit struct {
	most   int64
	within time.Duration
}

// A school shares one address, so the limit for an address is wide, and what
// stops guessing is the limit for a name. Only failures count.
var (
	perLogin   = limit{10, 15 * time.Minute}
	perAddress = limit{100, 15 * time.Minute}
	perRequest = limit{10, time.Hour} // account requests and invitation codes from one address
	perApp     = limit{60, time.Hour} // OAuth apps registered from one address
)

// try counts a try and fails when there have been too many.
func try(tx *store.Tx, key string, l limit) error {
	var row struct {
		Count   int64
		ResetAt time.Time
	}
	err := tx.Raw(`INSERT INTO attempts (key, count, reset_at) VALUES (?, 1, ?)
		ON CONFLICT (key) DO UPDATE SET
			count = CASE WHEN attempts.reset_at <= ? THEN 1 ELSE attempts.count + 1 END,
			reset_at = CASE WHEN attempts.reset_at <= ? THEN excluded.reset_at ELSE attempts.reset_at END
		RETURNING count, reset_at`, key, tx.Now.Add(l.within), tx.Now, tx.Now).Scan(&row).Error
	if err != nil || row.Count <= l.most {
		return err
	}
	wait := row.ResetAt.Sub(tx.Now)
	minutes := int(wait/time.Minute) + 1
	return fault.Keyed(fault.TooMany, "auth.too_many", fmt.Sprintf("There were too many tries. Please wait %d minutes.", minutes),
		map[string]any{"Minutes": minutes}).After(wait)
}

// attempt is a counter's key. Names and addresses are kept as digests: the
// table needs to tell them apart, not to know them.
func attempt(kind, of string) string {
	return kind + ":" + digest(kind + "\x00" + strings.ToLower(strings.TrimSpace(of)))[:32]
}

// counted runs try for several counters in a transaction that is kept also
// when one of them is over its limit.
func (a *Auth) counted(ctx context.Context, limits map[string]limit) error {
	var over error
	err := a.db.Write(ctx, func(tx *store.Tx) error {
		over = nil
		for key, l := range limits {
			if err := try(tx, key, l); fault.Is(err, fault.TooMany) {
				over = err
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return over
}

// SignIn checks a name and a password and returns the token of a new session.
// An unknown name takes as long and is answered like a wrong password, so that
// nobody learns who has an account here.
func (a *Auth) SignIn(ctx context.Context, c Credentials) (string, community.Person, error) {
	var p community.Person
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		p, err = community.PersonByLogin(tx, c.Login)
		if fault.Is(err, fault.NotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		return "", community.Person{}, err
	}
	login, address := attempt("login", c.Login), attempt("address", c.Address)
	if p.ID != 0 { // one counter for all the names that somebody goes by
		login = attempt("login", fmt.Sprint("#", p.ID))
	}
	if err := a.counted(ctx, map[string]limit{login: perLogin, address: perAddress}); err != nil {
		return "", community.Person{}, err
	}
	hash := p.User.PasswordHash
	if p.ID == 0 {
		hash = a.nobody()
	}
	ok := len(c.Password) <= MaxPassword
	if ok {
		if ok, err = a.passwords.Verify(ctx, hash, c.Password); err != nil {
			return "", community.Person{}, err
		}
	}
	if !ok || p.ID == 0 {
		return "", community.Person{}, fault.Keyed(fault.Unauthorized, "auth.wrong", "The name or the password is not right.", nil)
	}
	var token string
	err = a.db.Write(ctx, func(tx *store.Tx) (err error) {
		if p, err = entering(tx, p.ID); err != nil { // they know the password: they may know why not
			return err
		}
		if p.User.PasswordHash != hash { // changed a moment ago
			return fault.Keyed(fault.Unauthorized, "auth.wrong", "The name or the password is not right.", nil)
		}
		if err := forgive(tx, login, address); err != nil {
			return err
		}
		token, err = begin(tx, p.ID, c.Device)
		return err
	})
	return token, p, err
}

// forgive takes back the tries that a success was counted as.
func forgive(tx *store.Tx, login, address string) error {
	if err := tx.Exec("DELETE FROM attempts WHERE key = ?", login).Error; err != nil {
		return err
	}
	return tx.Exec("UPDATE attempts SET count = count - 1 WHERE key = ? AND count > 0", address).Error
}

// ChangePassword gives me a new password if they know the old one. Every other
// session of theirs ends; keep is the one that stays.
func (a *Auth) ChangePassword(ctx context.Context, me, keep int64, old, password string) error {
	if err := a.counted(ctx, map[string]limit{attempt("change", fmt.Sprint(me)): perLogin}); err != nil {
		return err
	}
	var p community.Person
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		p, err = community.PersonByID(tx, me)
		return err
	})
	if err != nil {
		return err
	}
	if err := CheckPassword(password, p.Username, p.User.Email); err != nil {
		return err
	}
	ok, err := a.passwords.Verify(ctx, p.User.PasswordHash, old)
	if err != nil {
		return err
	}
	if !ok {
		return fault.Invalidf("old_password", "This is not your password.").WithKey("password.old_wrong", nil)
	}
	hash, err := a.passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	return a.db.Write(ctx, func(tx *store.Tx) error {
		if err := tx.Exec("UPDATE users SET password_hash = ? WHERE account_id = ?", hash, me).Error; err != nil {
			return err
		}
		if err := tx.Exec("DELETE FROM attempts WHERE key = ?", attempt("change", fmt.Sprint(me))).Error; err != nil {
			return err
		}
		return EndSessions(tx, me, keep)
	})
}

// Confirm asks me for the password once more, before what cannot be undone.
// Guessing is slowed as for signing in.
func (a *Auth) Confirm(ctx context.Context, me int64, password string) error {
	if err := a.counted(ctx, map[string]limit{attempt("change", fmt.Sprint(me)): perLogin}); err != nil {
		return err
	}
	var u community.User
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		u, err = community.UserOf(tx, me)
		return err
	})
	if err != nil {
		return err
	}
	ok := len(password) <= MaxPassword
	if ok {
		if ok, err = a.passwords.Verify(ctx, u.PasswordHash, password); err != nil {
			return err
		}
	}
	if !ok {
		return fault.Invalidf("password", "This is not your password.").WithKey("password.old_wrong", nil)
	}
	return a.db.Write(ctx, func(tx *store.Tx) error {
		return tx.Exec("DELETE FROM attempts WHERE key = ?", attempt("change", fmt.Sprint(me))).Error
	})
}

// SetPassword gives somebody a new password without the old one: for
// administrators, who hand it over in person, and for the command line (by 0).
// All sessions and apps of theirs end.
func (a *Auth) SetPassword(ctx context.Context, by, account int64, password string) error {
	var p community.Person
	check := func(tx *store.Tx) (err error) {
		if p, err = community.PersonByID(tx, account); err != nil {
			return err
		}
		return mayManage(tx, by, p.User.Role)
	}
	if err := a.db.Read(ctx, check); err != nil {
		return err
	}
	if err := CheckPassword(password, p.Username, p.User.Email); err != nil {
		return err
	}
	hash, err := a.passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	return a.db.Write(ctx, func(tx *store.Tx) error {
		if err := check(tx); err != nil {
			return err
		}
		if err := tx.Exec("UPDATE users SET password_hash = ? WHERE account_id = ?", hash, account).Error; err != nil {
			return err
		}
		if err := EndSessions(tx, account, 0); err != nil {
			return err
		}
		if err := endTokens(tx, "account_id = ?", account); err != nil {
			return err
		}
		return record(tx, by, "person.password", p.Handle(tx.Site.Host))
	})
}
