package mastodon

import (
	"net/http"
	"strings"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) oauthRoutes(r *routes) {
	r.HandleFunc("/api/v1/apps", a.open("", a.registerApp)).Methods(http.MethodPost)
	r.HandleFunc("/api/v1/apps/verify_credentials", a.open("", a.verifyApp)).Methods(http.MethodGet)
	r.HandleFunc("/oauth/token", a.oauth(a.grant)).Methods(http.MethodPost)
	r.HandleFunc("/oauth/revoke", a.oauth(a.revoke)).Methods(http.MethodPost)
	r.HandleFunc("/oauth/userinfo", a.members("profile", a.userinfo)).Methods(http.MethodGet, http.MethodPost)
	r.HandleFunc("/.well-known/oauth-authorization-server", a.open("", a.metadata)).Methods(http.MethodGet)
}

// Application is Mastodon's CredentialApplication entity.
type Application struct {
	ID                    int64    `json:"id,string"`
	Name                  string   `json:"name"`
	Website               *string  `json:"website"`
	Scopes                []string `json:"scopes"`
	RedirectURI           string   `json:"redirect_uri"`
	RedirectURIs          []string `json:"redirect_uris"`
	ClientID              string   `json:"client_id,omitempty"`
	ClientSecret          string   `json:"client_secret,omitempty"`
	ClientSecretExpiresAt *int     `json:"client_secret_expires_at,omitempty"`
	VapidKey              string   `json:"vapid_key"`
}

func application(app auth.App) Application {
	return Application{ID: app.ID, Name: app.Name, Website: text(app.Website), Scopes: strings.Fields(app.Scopes),
		RedirectURI: strings.Join(app.RedirectURIs, "\n"), RedirectURIs: app.RedirectURIs}
}

// registerApp answers POST /api/v1/apps. Redirect URIs come as one text, a
// line each, or as a list.
func (a *API) registerApp(c *call) (any, error) {
	var uris []string
	for _, lines := range c.list("redirect_uris") {
		uris = append(uris, strings.Split(lines, "\n")...)
	}
	app, secret, err := a.Auth.RegisterApp(c.r.Context(), auth.NewApp{Name: c.Get("client_name"), Website: c.Get("website"), RedirectURIs: uris,
		Scopes: c.Get("scopes"), Address: a.Address(c.r)})
	if err != nil {
		return nil, err
	}
	out, never := application(app), 0
	out.ClientID, out.ClientSecret, out.ClientSecretExpiresAt = app.ClientID, secret, &never
	out.VapidKey, err = a.vapid(c)
	return out, err
}

// verifyApp answers GET /api/v1/apps/verify_credentials.
func (a *API) verifyApp(c *call) (any, error) {
	if c.access.App.ID == 0 {
		return nil, fault.New(fault.Unauthorized, "The access token is invalid")
	}
	out := application(c.access.App)
	var err error
	out.VapidKey, err = a.vapid(c)
	return out, err
}

// oauth is an endpoint whose failures are told as OAuth has it.
//
// RFC 6749, section 5.2; RFC 6749, section 5.1 (no-store).
func (a *API) oauth(fn endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		c := &call{w: w, r: r}
		var err error
		var answer any
		if c.params, err = paramsOf(w, r); err == nil {
			answer, err = fn(c)
		}
		f := fault.Of(err)
		switch {
		case err == nil:
			a.write(w, r, http.StatusOK, answer)
		case f.Kind == fault.Unauthorized || f.Kind == fault.Invalid || f.Kind == fault.NotFound || f.Kind == fault.Forbidden:
			status := http.StatusBadRequest
			if f.Kind == fault.Unauthorized || f.Kind == fault.Forbidden {
				status = f.Kind.Status()
			}
			a.write(w, r, status, map[string]string{"error": auth.OAuthCode(err), "error_description": f.Error()})
		default:
			a.fail(w, r, err)
		}
	}
}

// client is how the app says who it is: in the body or by HTTP Basic.
//
// RFC 6749, section 2.3.1.
func (c *call) client() (id, secret string) {
	if id, secret, ok := c.r.BasicAuth(); ok {
		return id, secret
	}
	return c.Get("client_id"), c.Get("client_secret")
}

// grant answers POST /oauth/token.
func (a *API) grant(c *call) (any, error) {
	id, secret := c.client()
	q := auth.TokenRequest{GrantType: c.Get("grant_type"), ClientID: id, ClientSecret: secret, Code: c.Get("code"),
		RedirectURI: c.Get("redirect_uri"), CodeVerifier: c.Get("code_verifier"), Scope: c.Get("scope")}
	var token string
	var t auth.Token
	err := a.deed(c, func(tx *store.Tx) (err error) {
		token, t, err = auth.Grant(tx, q)
		return err
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"access_token": token, "token_type": "Bearer", "scope": t.Scopes, "created_at": t.CreatedAt.Unix()}, nil
}

// revoke answers POST /oauth/revoke (RFC 7009).
func (a *API) revoke(c *call) (any, error) {
	id, secret := c.client()
	return none, a.deed(c, func(tx *store.Tx) error { return auth.Revoke(tx, id, secret, c.Get("token")) })
}

// metadata answers GET /.well-known/oauth-authorization-server (RFC 8414).
func (a *API) metadata(c *call) (any, error) {
	c.w.Header().Set("Cache-Control", "public, max-age=3600")
	return map[string]any{
		"issuer":                                a.site.Base() + "/",
		"authorization_endpoint":                a.site.URL("/oauth/authorize"),
		"token_endpoint":                        a.site.URL("/oauth/token"),
		"revocation_endpoint":                   a.site.URL("/oauth/revoke"),
		"userinfo_endpoint":                     a.site.URL("/oauth/userinfo"),
		"service_documentation":                 "https://github.com/chalkring/chalkring/tree/main/docs",
		"app_registration_endpoint":             a.site.URL("/api/v1/apps"),
		"scopes_supported":                      auth.AllScopes(),
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query"},
		"grant_types_supported":                 []string{"authorization_code", "client_credentials"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"code_challenge_methods_supported":      []string{"S256"},
	}, nil
}

// UserInfo is who signed in, for programs that only want to know that.
//
// OpenID Connect Core 1.0, section 5.3; Mastodon's GET /oauth/userinfo.
type UserInfo struct {
	Issuer            string `json:"iss"`
	Subject           string `json:"sub"`
	Name              string `json:"name"`
	PreferredUsername string `json:"preferred_username"`
	Profile           string `json:"profile"`
	Picture           string `json:"picture"`
}

// userinfo answers /oauth/userinfo.
func (a *API) userinfo(c *call) (any, error) {
	c.w.Header().Set("Cache-Control", "no-store")
	s := a.shape(c)
	return UserInfo{Issuer: a.site.Base() + "/", Subject: s.actor(c.me), Name: c.me.DisplayName, PreferredUsername: c.me.Username,
		Profile: s.profile(c.me), Picture: s.picture(c.me, c.me.Avatar, "avatar")}, nil
}
