package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

const secret = "retrieval grids on monday"

type school struct {
	t  *testing.T
	db *store.DB
	a  *Auth
}

func each(t *testing.T, fn func(t *testing.T, s school)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, school{t, db, New(db)}) })
}

func (s school) write(fn func(tx *store.Tx) error) {
	s.t.Helper()
	if err := s.db.Write(s.t.Context(), fn); err != nil {
		s.t.Fatal(err)
	}
}

func (s school) person(name string, role community.Role) community.Account {
	s.t.Helper()
	hash, err := s.a.passwords.Hash(s.t.Context(), secret)
	if err != nil {
		s.t.Fatal(err)
	}
	var a community.Account
	s.write(func(tx *store.Tx) error {
		n := community.NewAccount{Username: name, PasswordHash: hash, Role: role, Keys: community.KeyPair{Public: "p", Private: "q"}}
		if role == community.Placement {
			end := tx.Now.Add(time.Hour)
			n.EndsAt = &end
		}
		a, err = community.CreateLocal(tx, n)
		return err
	})
	return a
}

func (s school) want(kind fault.Kind, err error) {
	s.t.Helper()
	if !fault.Is(err, kind) {
		s.t.Errorf("got %v, want a failure of kind %s", err, kind)
	}
}

func TestPasswords(t *testing.T) {
	p := NewPasswords(1)
	hash, err := p.Hash(t.Context(), secret)
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%s, %v", hash, err)
	}
	for password, want := range map[string]bool{secret: true, secret + " ": false, "": false} {
		if got, err := p.Verify(t.Context(), hash, password); got != want || err != nil {
			t.Errorf("%q: %v, %v", password, got, err)
		}
	}
	for _, bad := range []string{"", "x", "$argon2id$v=19$m=999999999,t=2,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5", "$2a$10$abc", strings.Replace(hash, "v=19", "v=18", 1)} {
		if ok, err := p.Verify(t.Context(), bad, secret); ok || err == nil {
			t.Errorf("%q: %v, %v", bad, ok, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	p.running <- struct{}{}
	if _, err := p.Hash(ended, secret); err == nil {
		t.Error("hashed out of turn")
	}
	for password, ok := range map[string]bool{secret: true, "short": false, "aaaaaaaaaaaaaa": false, strings.Repeat("ab", 200): false, "amira@oak.example": false} {
		if err := CheckPassword(password, "amira", "Amira@oak.example"); (err == nil) != ok {
			t.Errorf("%q: %v", password, err)
		}
	}
}

func TestSignIn(t *testing.T) {
	each(t, func(t *testing.T, s school) {
		ctx := t.Context()
		amira := s.person("amira", community.Member)
		token, p, err := s.a.SignIn(ctx, Credentials{Login: "Amira", Password: secret, Address: "192.0.2.1", Device: "Firefox"})
		if err != nil || p.ID != amira.ID {
			t.Fatalf("%+v, %v", p, err)
		}
		session, p, err := s.a.Signed(ctx, token)
		if err != nil || p.ID != amira.ID || session.Device != "Firefox" {
			t.Fatalf("%+v, %+v, %v", session, p, err)
		}
		for _, bad := range []string{"", "x", token + "x"} {
			_, _, err := s.a.Signed(ctx, bad)
			s.want(fault.Unauthorized, err)
		}
		_, _, err = s.a.SignIn(ctx, Credentials{Login: "amira", Password: "wrong"})
		s.want(fault.Unauthorized, err)
		_, _, unknown := s.a.SignIn(ctx, Credentials{Login: "nobody", Password: "wrong"})
		if unknown.Error() != err.Error() {
			t.Errorf("an unknown name is answered %q, a wrong password %q", unknown, err)
		}

		s.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE sessions SET used_on = ?", tx.Now.Add(-48*time.Hour)).Error
		})
		if again, _, err := s.a.Signed(ctx, token); err != nil || !again.UsedOn.Equal(day(s.db.Now())) {
			t.Errorf("used on %s, %v", again.UsedOn, err)
		}
		s.write(func(tx *store.Tx) error { return community.Disable(tx, 0, amira.ID, "") })
		_, _, err = s.a.Signed(ctx, token)
		s.want(fault.Forbidden, err)
		_, _, err = s.a.SignIn(ctx, Credentials{Login: "amira", Password: secret})
		s.want(fault.Forbidden, err)
		s.write(func(tx *store.Tx) error { return community.Enable(tx, 0, amira.ID, "") })
		s.write(func(tx *store.Tx) error { return SignOut(tx, token) })
		_, _, err = s.a.Signed(ctx, token)
		s.want(fault.Unauthorized, err)
		token, _, _ = s.a.SignIn(ctx, Credentials{Login: "amira", Password: secret})
		s.write(func(tx *store.Tx) error { return tx.Exec("UPDATE sessions SET expires_at = ?", tx.Now).Error })
		_, _, err = s.a.Signed(ctx, token)
		s.want(fault.Unauthorized, err)
		s.write(Sweep)
		s.write(func(tx *store.Tx) error {
			var n int
			err := tx.Raw("SELECT COUNT(*) FROM sessions").Scan(&n).Error
			if n > 0 {
				t.Errorf("%d sessions left", n)
			}
			return err
		})
	})
}

func TestSignInIsLimited(t *testing.T) {
	each(t, func(t *testing.T, s school) {
		ctx := t.Context()
		s.person("amira", community.Member)
		for range 2 { // a success takes its failures back
			for range int(perLogin.most) - 1 {
				_, _, err := s.a.SignIn(ctx, Credentials{Login: "amira", Password: strings.Repeat("x", 300)})
				s.want(fault.Unauthorized, err)
			}
			if _, _, err := s.a.SignIn(ctx, Credentials{Login: "amira", Password: secret}); err != nil {
				t.Fatal(err)
			}
		}
		for range perLogin.most {
			s.a.SignIn(ctx, Credentials{Login: "amira", Password: strings.Repeat("x", 300)})
		}
		_, _, err := s.a.SignIn(ctx, Credentials{Login: " AMIRA", Password: secret})
		s.want(fault.TooMany, err)
		for _, same := range []string{"@amira", "amira@" + s.db.Site().Host, "@amira@" + s.db.Site().Host} {
			_, _, other := s.a.SignIn(ctx, Credentials{Login: same, Password: secret})
			s.want(fault.TooMany, other) // no more tries by another of their names
		}
		if wait := fault.Of(err).RetryAfter; wait <= 0 || wait > perLogin.within {
			t.Errorf("to wait: %s", wait)
		}
		s.write(func(tx *store.Tx) error { return tx.Exec("UPDATE attempts SET reset_at = ?", tx.Now).Error })
		if _, _, err := s.a.SignIn(ctx, Credentials{Login: "amira", Password: secret}); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

func TestChangePassword(t *testing.T) {
	each(t, func(t *testing.T, s school) {
		ctx := t.Context()
		amira := s.person("amira", community.Member)
		here, _, _ := s.a.SignIn(ctx, Credentials{Login: "amira", Password: secret})
		there, _, _ := s.a.SignIn(ctx, Credentials{Login: "amira", Password: secret})
		session, _, err := s.a.Signed(ctx, here)
		if err != nil {
			t.Fatal(err)
		}
		s.want(fault.Invalid, s.a.ChangePassword(ctx, amira.ID, session.ID, "wrong", "exit tickets on friday"))
		s.want(fault.Invalid, s.a.ChangePassword(ctx, amira.ID, session.ID, secret, "short"))
		if err := s.a.ChangePassword(ctx, amira.ID, session.ID, secret, "exit tickets on friday"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.a.Signed(ctx, here); err != nil {
			t.Errorf("here: %v", err)
		}
		_, _, err = s.a.Signed(ctx, there)
		s.want(fault.Unauthorized, err)
		_, _, err = s.a.SignIn(ctx, Credentials{Login: "amira", Password: secret})
		s.want(fault.Unauthorized, err)

		admin, owner := s.person("admin1", community.ITAdmin), s.person("owner1", community.Owner)
		s.want(fault.Forbidden, s.a.SetPassword(ctx, admin.ID, owner.ID, "a password of theirs"))
		s.want(fault.Forbidden, s.a.SetPassword(ctx, amira.ID, owner.ID, "a password of theirs"))
		if err := s.a.SetPassword(ctx, admin.ID, amira.ID, "handed over in person"); err != nil {
			t.Fatal(err)
		}
		_, _, err = s.a.Signed(ctx, here)
		s.want(fault.Unauthorized, err)
	})
}

func TestCookie(t *testing.T) {
	each(t, func(t *testing.T, s school) {
		w := httptest.NewRecorder()
		s.a.SetCookie(w, "token")
		c := w.Result().Cookies()[0]
		if c.Name != "__Host-chalkring" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("%+v", c)
		}
		r := httptest.NewRequest("GET", "/", nil)
		if s.a.CookieToken(r) != "" {
			t.Error("a token from nowhere")
		}
		r.AddCookie(c)
		if s.a.CookieToken(r) != "token" {
			t.Error("the token did not come back")
		}
	})
}

func TestInvites(t *testing.T) {
	each(t, func(t *testing.T, s school) {
		ctx := t.Context()
		owner, teacher := s.person("owner1", community.Owner), s.person("bo", community.Member)
		invite := func(by int64, f InviteForm) (code string, i Invite, err error) {
			err = s.db.Write(ctx, func(tx *store.Tx) (err error) { code, i, err = NewInvite(tx, by, f); return err })
			return code, i, err
		}
		_, _, err := invite(teacher.ID, InviteForm{})
		s.want(fault.Forbidden, err)
		_, _, err = invite(owner.ID, InviteForm{Role: community.Placement})
		s.want(fault.Invalid, err)
		code, _, err := invite(owner.ID, InviteForm{Note: "for Cy"})
		if err != nil || len(code) != 26 {
			t.Fatalf("%s, %v", code, err)
		}
		cy := Newcomer{Username: "cy", Password: secret}
		_, _, err = s.a.Join(ctx, code+"x", cy)
		s.want(fault.NotFound, err)
		_, _, err = s.a.Join(ctx, code, Newcomer{Username: "c", Password: "short"})
		if s.want(fault.Invalid, err); len(fault.Of(err).Fields) != 2 {
			t.Errorf("fields %+v", fault.Of(err).Fields)
		}
		token, p, err := s.a.Join(ctx, strings.ToUpper(code), cy)
		if err != nil || p.User.Role != community.Member || *p.User.InvitedBy != owner.ID {
			t.Fatalf("%+v, %v", p, err)
		}
		if _, _, err := s.a.Signed(ctx, token); err != nil {
			t.Error(err)
		}
		_, _, err = s.a.Join(ctx, code, Newcomer{Username: "di", Password: secret})
		s.want(fault.NotFound, err)

		end := time.Now().Add(24 * time.Hour)
		code, i, err := invite(owner.ID, InviteForm{Role: community.Placement, EndsAt: &end, MaxUses: 2})
		if err != nil {
			t.Fatal(err)
		}
		if _, p, err = s.a.Join(ctx, code, Newcomer{Username: "ed", Password: secret}); err != nil || p.User.EndsAt == nil {
			t.Errorf("%+v, %v", p.User, err)
		}
		s.write(func(tx *store.Tx) error { return RevokeInvite(tx, owner.ID, i.ID) })
		_, _, err = s.a.Join(ctx, code, Newcomer{Username: "fa", Password: secret})
		s.want(fault.NotFound, err)
		s.write(func(tx *store.Tx) error {
			list, err := Invites(tx, store.Page{})
			if len(list) != 2 || list[0].Uses != 1 || list[0].Open(tx.Now) {
				t.Errorf("%+v", list)
			}
			return err
		})
	})
}

func TestRequest(t *testing.T) {
	each(t, func(t *testing.T, s school) {
		ctx := t.Context()
		n := Newcomer{Username: "cy", Password: secret, Text: "I teach year 3", Address: "192.0.2.7"}
		s.want(fault.Forbidden, s.a.Request(ctx, n))
		s.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE site SET registration = 'request'").Error
		})
		s.want(fault.Invalid, s.a.Request(ctx, Newcomer{Username: "cy", Password: secret}))
		if err := s.a.Request(ctx, n); err != nil {
			t.Fatal(err)
		}
		_, _, err := s.a.SignIn(ctx, Credentials{Login: "cy", Password: secret})
		s.want(fault.Forbidden, err)
		s.write(func(tx *store.Tx) error {
			p, err := community.PersonByLogin(tx, "cy")
			if err != nil {
				return err
			}
			return community.Approve(tx, 0, p.ID)
		})
		if _, _, err := s.a.SignIn(ctx, Credentials{Login: "cy", Password: secret}); err != nil {
			t.Error(err)
		}
	})
}

func TestSetUp(t *testing.T) {
	each(t, func(t *testing.T, s school) {
		ctx := t.Context()
		var stale, token string
		s.write(func(tx *store.Tx) (err error) { stale, err = SetupToken(tx); return err })
		s.write(func(tx *store.Tx) (err error) { token, err = SetupToken(tx); return err })
		form, owner := community.SiteForm{Name: "Oak Primary"}, Newcomer{Username: "amira", Password: secret}
		for _, bad := range []string{"", "x", stale} {
			_, _, err := s.a.SetUp(ctx, bad, form, owner)
			s.want(fault.NotFound, err)
		}
		_, _, err := s.a.SetUp(ctx, token, community.SiteForm{}, owner) // all or nothing
		s.want(fault.Invalid, err)
		session, p, err := s.a.SetUp(ctx, token, form, owner)
		if err != nil || p.User.Role != community.Owner {
			t.Fatalf("%+v, %v", p, err)
		}
		if _, _, err := s.a.Signed(ctx, session); err != nil {
			t.Error(err)
		}
		_, _, err = s.a.SetUp(ctx, token, form, Newcomer{Username: "bo", Password: secret})
		s.want(fault.Gone, err)
		s.write(func(tx *store.Tx) error {
			again, err := SetupToken(tx)
			if again != "" {
				t.Error("a second setup link")
			}
			return err
		})
	})
}

func TestScopes(t *testing.T) {
	for _, tt := range []struct {
		have, need string
		want       bool
	}{
		{"read", "read:statuses", true},
		{"read:statuses", "read", false},
		{"read:statuses", "read:statuses", true},
		{"read", "write:statuses", false},
		{"follow", "write:follows", true},
		{"follow", "write:statuses", false},
		{"read write", "follow", true},
		{"read", "follow", false},
		{"read:accounts", "profile", true},
		{"profile", "profile", true},
		{"profile", "read:accounts", false},
		{"admin:read", "admin:read:reports", true},
		{"admin:read:reports", "admin:read:reports", true},
		{"admin:read:reports", "admin:read:accounts", false},
		{"admin:read", "admin:write:reports", false},
		{"read write", "admin:read:accounts", false},
		{"admin:read", "read:accounts", false},
		{"", "read", true},
	} {
		s, err := ParseScopes(tt.have)
		if err != nil || s.Allow(tt.need) != tt.want {
			t.Errorf("%q allows %q: %v, %v", tt.have, tt.need, !tt.want, err)
		}
	}
	for _, bad := range []string{"admin", "admin:", "admin:follow", "admin:read:everything", "admin:write:search", "admin:read:", "read:everything", "write:search", "follow:x", "read:"} {
		if _, err := ParseScopes(bad); OAuthCode(err) != "invalid_scope" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestOAuth(t *testing.T) {
	each(t, func(t *testing.T, s school) {
		ctx := t.Context()
		amira := s.person("amira", community.Member)
		for _, uri := range []string{"", "javascript:alert(1)", "https://", "data:text/html,x", "https://app.example/#x", "mailto:a@b.example"} {
			_, _, err := s.a.RegisterApp(ctx, NewApp{Name: "App", RedirectURIs: []string{uri}})
			s.want(fault.Invalid, err)
		}
		const back = "app://callback?x=1"
		app, key, err := s.a.RegisterApp(ctx, NewApp{Name: "App", RedirectURIs: []string{back, OutOfBand}, Scopes: "read write:statuses"})
		if err != nil {
			t.Fatal(err)
		}
		verifier := newToken()
		sum := sha256.Sum256([]byte(verifier))
		q := Authorization{ResponseType: "code", ClientID: app.ClientID, RedirectURI: back, Scope: "read", State: "s&t",
			CodeChallenge: base64.RawURLEncoding.EncodeToString(sum[:]), CodeChallengeMethod: "S256"}
		for name, change := range map[string]func(q *Authorization){
			"invalid_redirect":          func(q *Authorization) { q.RedirectURI += "2" },
			"invalid_client":            func(q *Authorization) { q.ClientID = "x" },
			"unsupported_response_type": func(q *Authorization) { q.ResponseType = "token" },
			"invalid_request":           func(q *Authorization) { q.CodeChallengeMethod = "plain" },
			"invalid_scope":             func(q *Authorization) { q.Scope = "read write" },
		} {
			bad := q
			change(&bad)
			err := s.db.Read(ctx, func(tx *store.Tx) error { _, _, err := CheckAuthorization(tx, bad); return err })
			if err == nil || OAuthCode(err) != name {
				t.Errorf("%s: %v", name, err)
			}
		}
		agree := func() (code, redirect string) {
			s.write(func(tx *store.Tx) (err error) { code, redirect, err = Agree(tx, amira.ID, q); return err })
			return code, redirect
		}
		code, redirect := agree()
		if u, _ := url.Parse(redirect); u.Scheme != "app" || u.Query().Get("code") != code || u.Query().Get("state") != "s&t" || u.Query().Get("x") != "1" {
			t.Errorf("back to %s", redirect)
		}
		grant := func(r TokenRequest) (token string, err error) {
			err = s.db.Write(ctx, func(tx *store.Tx) (err error) { token, _, err = Grant(tx, r); return err })
			return token, err
		}
		r := TokenRequest{GrantType: "authorization_code", ClientID: app.ClientID, ClientSecret: key, Code: code, RedirectURI: back, CodeVerifier: verifier}
		for name, change := range map[string]func(r *TokenRequest){
			"no verifier":    func(r *TokenRequest) { r.CodeVerifier = "" },
			"wrong code":     func(r *TokenRequest) { r.Code = "x" },
			"wrong redirect": func(r *TokenRequest) { r.RedirectURI = OutOfBand },
			"wrong secret":   func(r *TokenRequest) { r.ClientSecret = "x" },
			"wrong type":     func(r *TokenRequest) { r.GrantType = "password" },
		} {
			bad := r
			change(&bad)
			if _, err := grant(bad); err == nil {
				t.Errorf("%s: granted", name)
			}
		}
		token, err := grant(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := grant(r); OAuthCode(err) != "invalid_grant" {
			t.Errorf("the code again: %v", err)
		}
		acc, err := s.a.Bearer(ctx, token)
		if err != nil || acc.Person.ID != amira.ID || acc.App.ID != app.ID || acc.Need("read:statuses") != nil {
			t.Fatalf("%+v, %v", acc, err)
		}
		s.want(fault.Forbidden, acc.Need("write:statuses"))
		own, err := grant(TokenRequest{GrantType: "client_credentials", ClientID: app.ClientID, ClientSecret: key, Scope: "read"})
		if err != nil {
			t.Fatal(err)
		}
		if acc, err := s.a.Bearer(ctx, own); err != nil || acc.Person.ID != 0 {
			t.Errorf("%+v, %v", acc, err)
		}
		s.write(func(tx *store.Tx) error {
			list, err := Grants(tx, amira.ID)
			if len(list) != 1 || list[0].App.Name != "App" {
				t.Errorf("%+v", list)
			}
			return err
		})
		other, otherKey, err := s.a.RegisterApp(ctx, NewApp{Name: "Other", RedirectURIs: []string{OutOfBand}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.db.Write(ctx, func(tx *store.Tx) error { return Revoke(tx, other.ClientID, otherKey, token) }); OAuthCode(err) != "unauthorized_client" {
			t.Errorf("another app's token: %v", err)
		}
		news := s.db.Subscribe(TokenEnded)
		defer news.Close()
		s.write(func(tx *store.Tx) error { return Revoke(tx, app.ClientID, key, token) })
		_, err = s.a.Bearer(ctx, token)
		s.want(fault.Unauthorized, err)
		if ended := <-news.C; ended.ID != acc.Token.ID {
			t.Errorf("news of token %d, not %d", ended.ID, acc.Token.ID)
		}
		s.write(func(tx *store.Tx) error { return Revoke(tx, app.ClientID, key, token) }) // again is no failure

		r.Code, _ = agree()
		s.write(func(tx *store.Tx) error { return tx.Exec("UPDATE oauth_codes SET expires_at = ?", tx.Now).Error })
		if _, err := grant(r); OAuthCode(err) != "invalid_grant" {
			t.Errorf("an old code: %v", err)
		}
		r.Code, _ = agree()
		token, err = grant(r)
		if err != nil {
			t.Fatal(err)
		}
		s.write(func(tx *store.Tx) error { return community.Suspend(tx, 0, amira.ID, "") })
		_, err = s.a.Bearer(ctx, token)
		s.want(fault.Forbidden, err)
	})
}
