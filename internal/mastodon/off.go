package mastodon

import (
	"net/http"
	"strings"

	"github.com/chalkring/chalkring/internal/fault"
)

// offRoutes answers for what Mastodon has and this server does not, as
// Mastodon does where such a feature is off: clients then leave it out instead
// of taking the server for broken.
func (a *API) offRoutes(r *routes) {
	on := func(methods, path string, h http.HandlerFunc) {
		for _, m := range strings.Fields(methods) {
			r.HandleFunc(path, h).Methods(m)
		}
	}
	absent := a.open("", func(*call) (any, error) { return nil, notFound() })

	// Collections (4.6) and subscriptions by e-mail have no routes in Mastodon
	// where they are off, for nobody.
	on("GET", "/api/v1/accounts/{id}/collections", absent)
	on("GET", "/api/v1/accounts/{id}/in_collections", absent)
	on("POST", "/api/v1/accounts/{id}/email_subscriptions", absent)
	on("POST", "/api/v1/collections", absent)
	on("GET PUT PATCH DELETE", "/api/v1/collections/{id}", absent)
	on("POST", "/api/v1/collections/{id}/items", absent)
	on("DELETE", "/api/v1/collections/{id}/items/{item}", absent)
	on("POST", "/api/v1/collections/{id}/items/{item}/revoke", absent)
	// Identity proofs went with 3.5.
	on("GET", "/api/proofs", absent)
	// Nothing here is still under way when the answer is given, so no answer
	// names a refresh that could be asked for.
	on("GET", "/api/v1_alpha/async_refreshes/{id}", absent)

	// Nobody is told what their year was like: nobody counts it.
	year := "/api/v1/annual_reports/{year}"
	missing := func(*call) (any, error) { return nil, notFound() }
	on("GET", "/api/v1/annual_reports", a.members("read:accounts", func(*call) (any, error) {
		return map[string]any{"annual_reports": []struct{}{}, "accounts": []struct{}{}, "statuses": []struct{}{}}, nil
	}))
	on("GET", year, a.members("read:accounts", missing))
	on("GET", year+"/state", a.members("read:accounts", func(*call) (any, error) { return map[string]string{"state": "ineligible"}, nil }))
	on("POST", year+"/generate", a.members("write:accounts", func(*call) (any, error) { return none, nil }))
	on("POST", year+"/read", a.members("write:accounts", missing))

	// An e-mail address is confirmed by the invitation that came to it.
	on("POST", "/api/v1/emails/confirmations", a.members("", func(*call) (any, error) {
		return nil, fault.New(fault.Forbidden, "This method is only available to the application the user originally signed-up with")
	}))

	a.offAdminRoutes(r)
}

// offAdminRoutes is what moderation tools ask about networks and providers of
// e-mail, which this server neither keeps nor blocks: people come by invitation
// or are let in one by one.
func (a *API) offAdminRoutes(r *routes) {
	gone := a.administrates(func(*call) (any, error) { return nil, notFound() })
	for what, words := range map[string]string{
		"ip_blocks":              "This server blocks no networks: people are let in by name.",
		"email_domain_blocks":    "This server blocks no providers of e-mail: people are let in by name.",
		"canonical_email_blocks": "This server blocks no e-mail addresses: people are let in by name.",
	} {
		refuse := a.administrates(func(c *call) (any, error) { return nil, fault.New(fault.Invalid, "%s", words) })
		path := "/api/v1/admin/" + what
		r.HandleFunc(path, a.members("admin:write:"+what, refuse)).Methods(http.MethodPost)
		r.HandleFunc(path+"/{id}", a.members("admin:read:"+what, gone)).Methods(http.MethodGet, http.MethodHead)
		r.HandleFunc(path+"/{id}", a.members("admin:write:"+what, gone)).Methods(http.MethodPut, http.MethodPatch, http.MethodDelete)
	}
	// Which blocks an address meets: none.
	r.HandleFunc("/api/v1/admin/canonical_email_blocks/test", a.members("admin:read:canonical_email_blocks", a.administrates(empty))).Methods(http.MethodPost)
}
