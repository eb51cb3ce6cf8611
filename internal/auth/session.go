package auth

import (
	"context"
	"net/http"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// Session is somebody's being signed in on one device.
type Session struct {
	ID        int64
	TokenHash string
	AccountID int64
	Device    string // what the browser calls itself, shortened
	CreatedAt time.Time
	UsedOn    time.Time // to the day: when somebody reads is nobody's business
	ExpiresAt time.Time
}

var sessionColumns = store.ColumnsOf[Session]()

// sessionLasts is how long a session lasts that is not used.
const sessionLasts = 60 * 24 * time.Hour

// cookieNames: with the prefix the browser takes the cookie over https and from
// this very host only. On localhost there is no https.
//
// RFC 6265bis, section 4.1.3.2.
const (
	secureCookie = "__Host-chalkring"
	plainCookie  = "chalkring"
)

func (a *Auth) secure() bool { return a.db.Site().Scheme == "https" }

func (a *Auth) cookieName() string {
	if a.secure() {
		return secureCookie
	}
	return plainCookie
}

// SetCookie hands the session's token to the browser.
func (a *Auth) SetCookie(w http.ResponseWriter, token string) {
	http.SetCookie(w, &http.Cookie{Name: a.cookieName(), Value: token, Path: "/", MaxAge: int(sessionLasts / time.Second),
		Secure: a.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// ClearCookie takes the token away from the browser.
func (a *Auth) ClearCookie(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: a.cookieName(), Path: "/", MaxAge: -1,
		Secure: a.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// CookieToken returns the token that the browser sent, or "".
func (a *Auth) CookieToken(r *http.Request) string {
	c, err := r.Cookie(a.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

// Signed returns the session with this token and whose it is. No token, an
// unknown or an old one is fault.Unauthorized; a person who may not enter any
// more is fault.Forbidden.
func (a *Auth) Signed(ctx context.Context, token string) (Session, community.Person, error) {
	if token == "" {
		return Session{}, community.Person{}, signedOut()
	}
	var s Session
	var p community.Person
	stale := false
	err := a.db.Ask(ctx, func(tx *store.Tx) error {
		found, known := false, false
		err := tx.Ask(store.Question{
			SQL: "SELECT " + sessionColumns.In(tx.Dialect()) + ", " + community.PersonColumns(tx.Dialect()) + " FROM sessions " +
				community.JoinPerson("sessions.account_id") + " WHERE sessions.token_hash = ?",
			Args: []any{digest(token)},
			Row: func(r *store.Row) {
				sessionColumns.Read(r, &s)
				p, known = community.ReadPerson(r)
				found = true
			},
		})
		if err != nil {
			return err
		}
		if !found || !s.ExpiresAt.After(tx.Now) {
			return signedOut()
		}
		stale = day(tx.Now).After(s.UsedOn)
		return mayEnter(tx, p, known)
	})
	if err != nil || !stale {
		return s, p, err
	}
	err = a.db.Write(ctx, func(tx *store.Tx) error { // once a day
		s.UsedOn, s.ExpiresAt = day(tx.Now), tx.Now.Add(sessionLasts)
		return tx.Exec("UPDATE sessions SET used_on = ?, expires_at = ? WHERE id = ?", s.UsedOn, s.ExpiresAt, s.ID).Error
	})
	return s, p, err
}

func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// begin makes a session and returns its token, which is kept nowhere.
func begin(tx *store.Tx, account int64, device string) (string, error) {
	token := newToken()
	return token, tx.Create(&Session{ID: tx.NewID(), TokenHash: digest(token), AccountID: account, Device: text.PlainLine(device, 200),
		CreatedAt: tx.Now, UsedOn: day(tx.Now), ExpiresAt: tx.Now.Add(sessionLasts)}).Error
}

// Sessions returns where me is signed in, the latest first.
func Sessions(tx *store.Tx, me int64) ([]Session, error) {
	var all []Session
	err := tx.Where("account_id = ? AND expires_at > ?", me, tx.Now).Order("id DESC").Find(&all).Error
	return all, err
}

// SignOut ends the session with this token.
func SignOut(tx *store.Tx, token string) error {
	return tx.Where("token_hash = ?", digest(token)).Delete(&Session{}).Error
}

// EndSession ends one of me's sessions.
func EndSession(tx *store.Tx, me, id int64) error {
	return tx.Where("account_id = ? AND id = ?", me, id).Delete(&Session{}).Error
}

// EndSessions ends all of somebody's sessions but one; except 0 keeps none.
func EndSessions(tx *store.Tx, account, except int64) error {
	return tx.Where("account_id = ? AND id <> ?", account, except).Delete(&Session{}).Error
}
