package auth

import (
	"context"
	"errors"
	"strings"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// Access is who acts through a token, and what they may do.
type Access struct {
	Token  Token
	App    App
	Scopes Scopes
	Person community.Person // the zero value when the app acts for itself
}

// Need fails unless the token covers the scope.
//
// RFC 6750, section 3.1.
func (a Access) Need(scope string) error {
	if a.Scopes.Allow(scope) {
		return nil
	}
	return oauthFault(fault.Forbidden, "insufficient_scope", "This action is outside the authorized scopes")
}

func noToken() error {
	return oauthFault(fault.Unauthorized, "invalid_token", "The access token is invalid")
}

// mayAct fails unless the token that was read still counts.
func (a Access) mayAct(tx *store.Tx) error {
	switch {
	case a.Token.ID == 0:
		return noToken()
	case a.Token.AccountID == nil:
		return nil
	}
	return mayEnter(tx, a.Person, a.Person.User.AccountID != 0)
}

// stale reports whether the token's last use is to be noted anew.
func (a Access) stale(tx *store.Tx) bool {
	return a.Token.UsedOn == nil || day(tx.Now).After(*a.Token.UsedOn)
}

// Bearer returns who acts through the token. An unknown or revoked one is
// fault.Unauthorized.
func (a *Auth) Bearer(ctx context.Context, token string) (Access, error) {
	var acc Access
	if token == "" {
		return acc, noToken()
	}
	hash, stale := digest(token), false
	err := a.db.Read(ctx, func(tx *store.Tx) error {
		acc = Access{}
		d := tx.Dialect()
		err := tx.AskLast(store.Question{
			SQL: "SELECT " + tokenColumns.In(d) + ", " + appColumns.In(d) + ", " + community.PersonColumns(d) + ` FROM oauth_tokens
				LEFT JOIN oauth_apps ON oauth_apps.id = oauth_tokens.app_id ` + community.JoinPerson("oauth_tokens.account_id") + `
				WHERE oauth_tokens.token_hash = ? AND oauth_tokens.revoked_at IS NULL`,
			Args: []any{hash},
			Row: func(r *store.Row) {
				tokenColumns.Read(r, &acc.Token)
				if r.Null() {
					appColumns.Skip(r)
				} else {
					appColumns.Read(r, &acc.App)
				}
				acc.Person, _ = community.ReadPerson(r)
			},
		})
		if err != nil {
			return err
		}
		acc.Scopes = strings.Fields(acc.Token.Scopes)
		if err := acc.mayAct(tx); err != nil {
			return err
		}
		if stale = acc.stale(tx); !stale {
			tx.Remember(store.Key{Table: "oauth_tokens", Text: hash}, acc, 2000+len(acc.Person.BioHTML)+len(acc.Person.BioSource))
		}
		return nil
	})
	if err != nil || !stale {
		return acc, err
	}
	return acc, a.db.Write(ctx, func(tx *store.Tx) error {
		return tx.Exec("UPDATE oauth_tokens SET used_on = ? WHERE id = ?", day(tx.Now), acc.Token.ID).Error
	})
}

// errChanged says that what was remembered of a token does not hold any more.
var errChanged = errors.New("what was known of the token has changed")

// Changed reports whether a Proof failed because something is to be read anew,
// which is no failure of the request.
func Changed(err error) bool { return errors.Is(err, errChanged) }

// Proof is what makes of an Access that was only remembered one that holds: its
// Question is asked in the transaction that the access is for, and Check says
// whether all is as it was remembered.
type Proof struct {
	Question store.Question
	Check    func(tx *store.Tx) error
}

// Remembered returns who acted through the token when it was last read, and how
// to prove that it is still so. Without the proof nothing may be shown or done.
func (a *Auth) Remembered(token string) (Access, *Proof) {
	hash := digest(token)
	acc, ok := a.db.Recall(store.Key{Table: "oauth_tokens", Text: hash}).(Access)
	if !ok {
		return Access{}, nil
	}
	same := false
	return acc, &Proof{
		Question: store.Question{
			// A change of its app, its account or its user moves the version on.
			SQL:  "SELECT id, version FROM oauth_tokens WHERE token_hash = ? AND revoked_at IS NULL",
			Args: []any{hash},
			Row:  func(r *store.Row) { same = r.Int() == acc.Token.ID && r.Int() == acc.Token.Version },
		},
		Check: func(tx *store.Tx) error {
			proved := same
			same = false // until it is asked again
			if !proved || acc.stale(tx) {
				return errChanged
			}
			return acc.mayAct(tx)
		},
	}
}
