package mastodon

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// leave is who may call an endpoint.
type leave struct {
	method, path string
	guests       bool     // it is there without a token too
	any          bool     // whatever the token may do
	scopes       []string // any of these is enough
}

// leaveOf reads what the table of the contract says of it:
// "user:write:blocks or follow", "public; with token read:statuses",
// "app-or-user token, any scope".
func leaveOf(method, path, said string) leave {
	l := leave{method: method, path: path, guests: strings.HasPrefix(said, "public"), any: strings.Contains(said, "any scope")}
	if l.any {
		return l
	}
	said, _, _ = strings.Cut(said, " (")
	_, scopes, ok := strings.Cut(said, "with token ")
	if !ok {
		_, scopes, _ = strings.Cut(said, ":")
	}
	for _, s := range strings.Split(scopes, " or ") {
		if s != "" {
			l.scopes = append(l.scopes, s)
		}
	}
	return l
}

// otherLeave is what this server has otherwise than the table, and what the
// table does not have.
var otherLeave = map[string]string{
	// Mastodon itself asks for what names accounts.
	"GET /api/v1/statuses/{}/favourited_by": "public; with token read:accounts",
	"GET /api/v1/statuses/{}/reblogged_by":  "public; with token read:accounts",
	// What changes something is not read; each kind of block has its own scope.
	"DELETE /api/v1/suggestions/{}":     "user:write:accounts",
	"DELETE /api/v1/admin/ip_blocks/{}": "user:admin:write:ip_blocks",
	// Guests see what is for everybody.
	"GET /api/v1/accounts/lookup":         "public; with token read:accounts",
	"GET /api/v1/search":                  "public; with token read:search",
	"GET /api/v1/statuses/{}/quotes":      "public; with token read:statuses",
	"POST /api/v1/statuses/{}/translate":  "public; with token read:statuses",
	"GET /api/v1/instance/activity":       "user (any scope)", // guests are not told how busy a school is
	"GET /api/v1/instance/domain_blocks":  "user (any scope)", // nor whom it refuses
	"GET /api/v1/apps/verify_credentials": "app-or-user token, any scope",
	// There is no such thing here, for anybody.
	"GET /api/v1/accounts/{}/collections":          "public",
	"GET /api/v1/accounts/{}/in_collections":       "public",
	"POST /api/v1/collections":                     "public",
	"GET /api/v1/collections/{}":                   "public",
	"PUT /api/v1/collections/{}":                   "public",
	"PATCH /api/v1/collections/{}":                 "public",
	"DELETE /api/v1/collections/{}":                "public",
	"POST /api/v1/collections/{}/items":            "public",
	"DELETE /api/v1/collections/{}/items/{}":       "public",
	"POST /api/v1/collections/{}/items/{}/revoke":  "public",
	"GET /api/v1_alpha/async_refreshes/{}":         "public",
	"POST /api/v1/accounts/{}/email_subscriptions": "public",
	"PUT /api/v2/media/{}":                         "public",
	// The same under the other method that clients use, or under both names.
	"POST /api/v1/conversations/{}/unread":          "user:write:conversations",
	"PATCH /api/v1/push/subscription":               "user:push",
	"PATCH /api/v1/scheduled_statuses/{}":           "user:write:statuses",
	"PATCH /api/v1/statuses/{}/interaction_policy":  "user:write:statuses",
	"PATCH /api/v1/admin/reports/{}":                "user:admin:write:reports",
	"PATCH /api/v1/admin/domain_blocks/{}":          "user:admin:write:domain_blocks",
	"PUT /api/v1/admin/email_domain_blocks/{}":      "user:admin:write:email_domain_blocks",
	"PATCH /api/v1/admin/email_domain_blocks/{}":    "user:admin:write:email_domain_blocks",
	"PUT /api/v1/admin/canonical_email_blocks/{}":   "user:admin:write:canonical_email_blocks",
	"PATCH /api/v1/admin/canonical_email_blocks/{}": "user:admin:write:canonical_email_blocks",
	"PATCH /api/v1/admin/ip_blocks/{}":              "user:admin:write:ip_blocks",
	"GET /api/v2_alpha/notifications/{}/accounts":   "user:read:notifications",
	"PUT /api/v1/accounts/update_credentials":       "user:write:accounts",
}

// leaves are all endpoints of the table and of the door, with who may call them.
func (w *world) leaves() []leave {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join(contractDir, "mastodon-endpoints.tsv"))
	if os.IsNotExist(err) {
		w.t.Skip("the contract's table is not at hand")
	}
	if err != nil {
		w.t.Fatal(err)
	}
	said := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n")[1:] {
		cells := strings.Split(line, "\t")
		if strings.HasPrefix(cells[1], "/api/") && cells[0] != http.MethodOptions {
			said[cells[0]+" "+shapeOf(cells[1])] = cells[2]
		}
	}
	for at, other := range otherLeave {
		said[at] = other
	}
	for _, part := range w.api.endpoints().parts {
		err := part.Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
			path, err := r.GetPathTemplate()
			if err != nil || !strings.HasPrefix(path, "/api/") {
				return err
			}
			methods, err := r.GetMethods()
			for _, m := range methods {
				if _, known := said[m+" "+shapeOf(path)]; !known && m != http.MethodHead {
					w.t.Errorf("%s %s: nothing says who may call it", m, path)
				}
			}
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	var out []leave
	for at, who := range said {
		method, path, _ := strings.Cut(at, " ")
		out = append(out, leaveOf(method, path, who))
	}
	return out
}

// Every endpoint is asked without a token, with a token of each single scope
// that the contract names or that includes it, and with a token of all others
// together: that one must not open it.
func TestScopesOfEveryEndpoint(t *testing.T) {
	w := worldOn(t, storetest.Open(t)) // nothing of it is the database's
	w.write(community.EnsureSite)
	owner := w.person("olive", community.Owner)
	tokens := map[string]string{"": ""}
	tokenFor := func(scopes string) string {
		if _, ok := tokens[scopes]; !ok {
			w.write(func(tx *store.Tx) (err error) {
				tokens[scopes], _, err = auth.Issue(tx, auth.NewGrant{Account: owner.me.ID, Name: "a script", Scopes: scopes})
				return err
			})
		}
		return tokens[scopes]
	}
	for _, l := range w.leaves() {
		if strings.HasPrefix(l.path, "/api/v1/streaming") || l.path == "/api/v1/accounts" && l.method == http.MethodPost {
			continue // these go on for ever, see TestScopesOfEveryStream; that is for apps that speak for nobody
		}
		ask := func(scopes string) (res *httptest.ResponseRecorder, outside bool) {
			r := httptest.NewRequestWithContext(t.Context(), l.method, "https://"+storetest.Host+strings.ReplaceAll(l.path, "{}", "1"), nil)
			if scopes != "" {
				r.Header.Set("Authorization", "Bearer "+tokenFor(scopes))
			}
			res = httptest.NewRecorder()
			w.h.ServeHTTP(res, r)
			return res, res.Code == http.StatusForbidden && strings.Contains(res.Body.String(), "outside the authorized scopes")
		}
		if res, _ := ask(""); l.guests == (res.Code == http.StatusUnauthorized) {
			t.Errorf("%s %s without a token: %d %s", l.method, l.path, res.Code, res.Body)
		}
		var enough, others []string
		for _, scope := range auth.AllScopes() {
			if l.any || slices.ContainsFunc(l.scopes, auth.Scopes{scope}.Allow) {
				enough = append(enough, scope)
			} else {
				others = append(others, scope)
			}
		}
		if l.any {
			enough = []string{"push"}
		}
		for _, scope := range enough {
			if res, outside := ask(scope); outside || res.Code == http.StatusUnauthorized {
				t.Errorf("%s %s with a token for %s: %d %s", l.method, l.path, scope, res.Code, res.Body)
			}
		}
		if len(others) == 0 || l.guests && len(l.scopes) == 0 { // whoever need not bring a token may bring one for something else
			continue
		}
		if res, outside := ask(strings.Join(others, " ")); !outside {
			t.Errorf("%s %s with a token for all but %v: %d %s", l.method, l.path, enough, res.Code, res.Body)
		}
	}
}

// Streams of posts are for those who may read them, those of notifications for
// those who may read these. The stream of all that concerns somebody opens to
// either, and tells of what the app may read.
func TestScopesOfEveryStream(t *testing.T) {
	var a API
	for _, name := range streamPaths {
		for _, scope := range auth.AllScopes() {
			_, err := a.channelOf(auth.Access{Scopes: auth.Scopes{scope}}, name, "tag", "1")
			posts, told := scope == "read" || scope == "read:statuses", scope == "read" || scope == "read:notifications"
			want := posts
			switch name {
			case "user":
				want = posts || told
			case "user:notification":
				want = told
			}
			if (err == nil) != want {
				t.Errorf("%s with %q: %v", name, scope, err)
			}
		}
	}
}
