package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// App is a client program that was registered here, by whoever runs it.
type App struct {
	ID           int64
	ClientID     string
	SecretHash   string
	Name         string
	Website      string
	RedirectURIs []string `gorm:"column:redirect_uris;serializer:json"`
	Scopes       string
	CreatedAt    time.Time
	Version      int64 // moved on by every change
}

// TableName names the table of apps.
func (App) TableName() string { return "oauth_apps" }

// Code is what an app gets from the browser of somebody who agreed, to change
// into a token.
type Code struct {
	CodeHash      string `gorm:"primaryKey"`
	AppID         int64
	AccountID     int64
	RedirectURI   string `gorm:"column:redirect_uri"`
	Scopes        string
	CodeChallenge string // S256, or empty
	ExpiresAt     time.Time
}

// TableName names the table of codes.
func (Code) TableName() string { return "oauth_codes" }

// Token is what an app acts with: for somebody, or for itself only.
type Token struct {
	ID        int64
	TokenHash string
	AppID     *int64
	AccountID *int64 // nil: the app itself (client_credentials)
	Scopes    string
	CreatedAt time.Time
	UsedOn    *time.Time // to the day
	RevokedAt *time.Time
	Version   int64 // moved on by every change
}

// TableName names the table of tokens.
func (Token) TableName() string { return "oauth_tokens" }

var (
	tokenColumns = store.ColumnsOf[Token]()
	appColumns   = store.ColumnsOf[App]()
)

const (
	// OutOfBand is the redirect URI of an app that has none: the code is shown
	// to be copied, as Mastodon does it.
	OutOfBand = "urn:ietf:wg:oauth:2.0:oob"

	codeLasts     = 10 * time.Minute // RFC 6749, section 4.1.2
	keepRevoked   = 30 * 24 * time.Hour
	keepUnusedApp = 30 * 24 * time.Hour // and a token of an app's own (RFC 6749, section 4.4) that is not used
)

// oauthFault is a failure that a client understands by its key: "oauth." and
// the error code of RFC 6749, section 5.2 or 4.1.2.1.
func oauthFault(kind fault.Kind, code, message string) error {
	return fault.Keyed(kind, "oauth."+code, message, nil)
}

// OAuthCode returns the error code for a failure of this file: "invalid_grant"
// and so on. Other failures are "invalid_request".
//
// RFC 6749, section 5.2.
func OAuthCode(err error) string {
	if code, ok := strings.CutPrefix(fault.Of(err).Key, "oauth."); ok {
		return code
	}
	return "invalid_request"
}

// NewApp is what a client says of itself when it registers.
type NewApp struct {
	Name         string
	Website      string
	RedirectURIs []string
	Scopes       string
	Address      string // IP address it came from
}

// RegisterApp registers a client and returns its secret, which is kept as a
// digest only.
//
// RFC 7591, in the form of Mastodon's POST /api/v1/apps.
func (a *Auth) RegisterApp(ctx context.Context, n NewApp) (App, string, error) {
	app := App{Name: text.PlainLine(n.Name, 200), Website: strings.TrimSpace(n.Website), ClientID: newToken()}
	secret := newToken()
	app.SecretHash = digest(secret)
	var form fault.Check
	if app.Name == "" {
		form.Add("client_name", "oauth.name_missing", "The app has no name.", nil)
	}
	if app.Website != "" && !webAddress(app.Website) {
		form.Add("website", "oauth.website_invalid", "The app's website is no web address.", nil)
	}
	for _, uri := range n.RedirectURIs {
		if uri = strings.TrimSpace(uri); uri == "" || slices.Contains(app.RedirectURIs, uri) {
			continue
		}
		if !redirectable(uri) {
			form.Add("redirect_uris", "oauth.redirect_invalid", "This cannot be redirected to: "+text.PlainLine(uri, 100), nil)
		}
		app.RedirectURIs = append(app.RedirectURIs, uri)
	}
	if len(app.RedirectURIs) == 0 || len(app.RedirectURIs) > 20 {
		form.Add("redirect_uris", "oauth.redirect_missing", "Name between 1 and 20 redirect URIs.", nil)
	}
	scopes, err := ParseScopes(n.Scopes)
	if err != nil && !form.Take(err) {
		return app, "", err
	}
	if err := form.Err(); err != nil {
		return app, "", err
	}
	app.Scopes = scopes.String()
	if err := a.counted(ctx, map[string]limit{attempt("app", n.Address): perApp}); err != nil {
		return app, "", err
	}
	err = a.db.Write(ctx, func(tx *store.Tx) error {
		app.ID, app.CreatedAt = tx.NewID(), tx.Now
		return tx.Create(&app).Error
	})
	return app, secret, err
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && len(s) <= 2000
}

// redirectable reports whether a browser may be sent to the address: a web
// page, or an app by a scheme of its own. Schemes that run or show what is in
// the address itself are none.
//
// RFC 8252, sections 7.1 and 8.4; RFC 6749, section 3.1.2 (no fragment).
func redirectable(uri string) bool {
	if uri == OutOfBand {
		return true
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" || u.Fragment != "" || len(uri) > 2000 || strings.ContainsAny(uri, "\r\n\t <>\"") {
		return false
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		return u.Host != "" && u.User == nil
	case "javascript", "data", "vbscript", "file", "blob", "about", "view-source", "mailto", "urn":
		return false
	}
	return true
}

// Authorization is what an app asks a person for, through their browser.
type Authorization struct {
	ResponseType        string
	ClientID            string
	RedirectURI         string
	Scope               string
	State               string
	CodeChallenge       string
	CodeChallengeMethod string
}

// CheckAuthorization returns the app that asks, and for what. When the client
// or its redirect URI is wrong the browser must not be sent there: the failure
// is then fault.NotFound; every other failure may be.
//
// RFC 6749, section 4.1.1; RFC 7636, section 4.3; RFC 9700, section 2.1.1.
func CheckAuthorization(tx *store.Tx, q Authorization) (App, Scopes, error) {
	app, err := appByClientID(tx, q.ClientID)
	if err != nil {
		return app, nil, err
	}
	if !slices.Contains(app.RedirectURIs, q.RedirectURI) {
		return app, nil, oauthFault(fault.NotFound, "invalid_redirect", "The app did not register the address that it wants to go back to.")
	}
	if q.ResponseType != "code" {
		return app, nil, oauthFault(fault.Invalid, "unsupported_response_type", "The app asks for something that this server does not do. It should ask for a code.")
	}
	if q.CodeChallenge != "" && q.CodeChallengeMethod != "S256" || q.CodeChallenge == "" && q.CodeChallengeMethod != "" {
		return app, nil, oauthFault(fault.Invalid, "invalid_request", "The app should send a code challenge by the method S256.")
	}
	if n := len(q.CodeChallenge); n != 0 && n != 43 {
		return app, nil, oauthFault(fault.Invalid, "invalid_request", "The app's code challenge is not the SHA-256 of anything.")
	}
	scopes, err := ParseScopes(q.Scope)
	if err != nil {
		return app, nil, err
	}
	if !scopes.Within(strings.Fields(app.Scopes)) {
		return app, nil, oauthFault(fault.Invalid, "invalid_scope", "The app asks for more than it registered for.")
	}
	return app, scopes, nil
}

func appByClientID(tx *store.Tx, id string) (App, error) {
	var app App
	err := tx.Where("client_id = ?", id).Limit(1).Find(&app).Error
	if err == nil && app.ID == 0 {
		err = oauthFault(fault.NotFound, "invalid_client", "This app is not registered here.")
	}
	return app, err
}

// Agree records that somebody lets the app in, and returns the code for it and
// the address to send the browser to: "" when the code is shown instead.
func Agree(tx *store.Tx, account int64, q Authorization) (code, redirect string, err error) {
	app, scopes, err := CheckAuthorization(tx, q)
	if err != nil {
		return "", "", err
	}
	code = newToken()
	err = tx.Create(&Code{CodeHash: digest(code), AppID: app.ID, AccountID: account, RedirectURI: q.RedirectURI, Scopes: scopes.String(),
		CodeChallenge: q.CodeChallenge, ExpiresAt: tx.Now.Add(codeLasts)}).Error
	if err != nil || q.RedirectURI == OutOfBand {
		return code, "", err
	}
	return code, q.back("code", code), nil
}

// Decline returns the address to send the browser to when somebody does not
// let the app in; "" when it has none.
//
// RFC 6749, section 4.1.2.1.
func (q Authorization) Decline() string {
	if q.RedirectURI == OutOfBand {
		return ""
	}
	return q.back("error", "access_denied", "error_description", "The person said no.")
}

// back is the redirect URI with what the app is told: names and values by turns.
func (q Authorization) back(told ...string) string {
	u, err := url.Parse(q.RedirectURI)
	if err != nil {
		return ""
	}
	params := u.Query()
	for i := 0; i+1 < len(told); i += 2 {
		params.Set(told[i], told[i+1])
	}
	if q.State != "" {
		params.Set("state", q.State)
	}
	u.RawQuery = params.Encode()
	return u.String()
}

// TokenRequest is what an app sends for a token.
type TokenRequest struct {
	GrantType    string // authorization_code or client_credentials
	ClientID     string
	ClientSecret string
	Code         string
	RedirectURI  string
	CodeVerifier string
	Scope        string // client_credentials
}

// Grant gives an app its token, once for a code.
//
// RFC 6749, sections 4.1.3 and 4.4.2; RFC 7636, section 4.6.
func Grant(tx *store.Tx, q TokenRequest) (string, Token, error) {
	app, err := client(tx, q.ClientID, q.ClientSecret)
	if err != nil {
		return "", Token{}, err
	}
	t := Token{ID: tx.NewID(), AppID: &app.ID, CreatedAt: tx.Now}
	switch q.GrantType {
	case "authorization_code":
		code, err := redeem(tx, app, q)
		if err != nil {
			return "", t, err
		}
		t.AccountID, t.Scopes = &code.AccountID, code.Scopes
	case "client_credentials":
		scopes, err := ParseScopes(q.Scope)
		if err != nil {
			return "", t, err
		}
		if !scopes.Within(strings.Fields(app.Scopes)) {
			return "", t, oauthFault(fault.Invalid, "invalid_scope", "The app asks for more than it registered for.")
		}
		t.Scopes = scopes.String()
	default:
		return "", t, oauthFault(fault.Invalid, "unsupported_grant_type", "This server gives tokens for authorization_code and client_credentials.")
	}
	token := newToken()
	t.TokenHash = digest(token)
	return token, t, tx.Create(&t).Error
}

// redeem uses a code up.
func redeem(tx *store.Tx, app App, q TokenRequest) (Code, error) {
	bad := oauthFault(fault.Invalid, "invalid_grant", "The code is not right, has run out or has been used.")
	var code Code
	if err := tx.Where("code_hash = ?", digest(q.Code)).Limit(1).Find(&code).Error; err != nil {
		return code, err
	}
	if code.AppID != app.ID || !code.ExpiresAt.After(tx.Now) || code.RedirectURI != q.RedirectURI {
		return code, bad
	}
	if code.CodeChallenge != "" {
		sum := sha256.Sum256([]byte(q.CodeVerifier))
		if !same(base64.RawURLEncoding.EncodeToString(sum[:]), code.CodeChallenge) {
			return code, bad
		}
	}
	if _, err := entering(tx, code.AccountID); err != nil {
		return code, bad
	}
	res := tx.Where("code_hash = ?", code.CodeHash).Delete(&Code{})
	if res.Error == nil && res.RowsAffected == 0 {
		return code, bad
	}
	return code, res.Error
}

// client returns the app that has shown its secret.
func client(tx *store.Tx, id, secret string) (App, error) {
	app, err := appByClientID(tx, id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return app, err
	}
	if err != nil || !same(app.SecretHash, digest(secret)) {
		return App{}, oauthFault(fault.Unauthorized, "invalid_client", "The app is not registered here, or its secret is wrong.")
	}
	return app, nil
}

// Revoke ends a token that an app shows, with its own secret. A token that is
// not known is no failure; one of another app is fault.Forbidden.
//
// RFC 7009, section 2.
func Revoke(tx *store.Tx, clientID, clientSecret, token string) error {
	app, err := client(tx, clientID, clientSecret)
	if err != nil {
		return err
	}
	var t Token
	if err := tx.Where("token_hash = ?", digest(token)).Limit(1).Find(&t).Error; err != nil || t.ID == 0 {
		return err
	}
	if t.AppID == nil || *t.AppID != app.ID {
		return oauthFault(fault.Forbidden, "unauthorized_client", "This app is not allowed to revoke this token.")
	}
	return endTokens(tx, "id = ?", t.ID)
}

// TokenEnded is news of a token that counts no more: by its ID.
const TokenEnded store.Topic = "token"

// endTokens ends the tokens that a condition names: what was open through one
// hears of it.
func endTokens(tx *store.Tx, where string, args ...any) error {
	var ended []int64
	err := tx.Raw("UPDATE oauth_tokens SET revoked_at = ? WHERE revoked_at IS NULL AND "+where+" RETURNING id", append([]any{tx.Now}, args...)...).Scan(&ended).Error
	for _, id := range ended {
		tx.Announce(TokenEnded, id)
	}
	if err != nil {
		return err
	}
	return community.Unsubscribe(tx, ended...)
}

// NewGrant is a token that somebody is given without an app that asks for it.
type NewGrant struct {
	Account int64
	Name    string // what the list of apps calls it
	Scopes  string
}

// Issue gives somebody a token, for a script: it stands among their apps under
// its name and is ended there like any other.
func Issue(tx *store.Tx, n NewGrant) (string, Token, error) {
	scopes, err := ParseScopes(n.Scopes)
	if err != nil {
		return "", Token{}, err
	}
	name := text.PlainLine(n.Name, 200)
	if name == "" {
		return "", Token{}, fault.New(fault.Invalid, "The token has no name.")
	}
	app := App{ID: tx.NewID(), ClientID: newToken(), SecretHash: digest(newToken()), Name: name, RedirectURIs: []string{OutOfBand}, Scopes: scopes.String(), CreatedAt: tx.Now}
	if err := tx.Create(&app).Error; err != nil {
		return "", Token{}, err
	}
	token := newToken()
	t := Token{ID: tx.NewID(), TokenHash: digest(token), AppID: &app.ID, AccountID: &n.Account, Scopes: app.Scopes, CreatedAt: tx.Now}
	return token, t, tx.Create(&t).Error
}

// Grants returns the apps that me has let in, the latest first.
func Grants(tx *store.Tx, me int64) ([]Access, error) {
	var tokens []Token
	if err := tx.Where("account_id = ? AND revoked_at IS NULL", me).Order("id DESC").Limit(200).Find(&tokens).Error; err != nil {
		return nil, err
	}
	ids := make([]int64, 0, len(tokens))
	for _, t := range tokens {
		if t.AppID != nil {
			ids = append(ids, *t.AppID)
		}
	}
	var apps []App
	if len(ids) > 0 {
		if err := tx.Where("id IN ?", ids).Find(&apps).Error; err != nil {
			return nil, err
		}
	}
	all := make([]Access, len(tokens))
	for i, t := range tokens {
		all[i] = Access{Token: t, Scopes: strings.Fields(t.Scopes)}
		for _, app := range apps {
			if t.AppID != nil && app.ID == *t.AppID {
				all[i].App = app
			}
		}
	}
	return all, nil
}

// EndGrant ends one of the tokens that me has given.
func EndGrant(tx *store.Tx, me, token int64) error {
	return endTokens(tx, "id = ? AND account_id = ?", token, me)
}
