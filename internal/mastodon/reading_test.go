package mastodon

import (
	"net/http"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// What is remembered of a token lets nobody in: each change counts for the next
// request, though it was made past this server.
func TestRememberedTokenIsProved(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		var theirs int64
		w.write(func(tx *store.Tx) error {
			return tx.Raw("SELECT id FROM oauth_tokens WHERE account_id = ?", amira.me.ID).Scan(&theirs).Error
		})
		paths := []string{"/api/v1/timelines/home", "/api/v1/notifications", "/api/v1/preferences", "/api/v1/statuses/1"}
		all := func(when string, allowed func(code int) bool) {
			t.Helper()
			for range 7 { // the first makes the server remember, the others that answers are kept
				for _, path := range paths {
					if got := amira.get(path); !allowed(got.Code) {
						t.Errorf("%s: %s is answered with %d", when, path, got.Code)
					}
				}
			}
		}
		in := func(code int) bool { return code == http.StatusOK || code == http.StatusNotFound }
		out := func(code int) bool { return code == http.StatusUnauthorized || code == http.StatusForbidden }
		all("let in", in)
		for _, step := range []struct{ when, there, back string }{
			{"suspended", "UPDATE accounts SET suspended_at = CURRENT_TIMESTAMP WHERE id = ?", "UPDATE accounts SET suspended_at = NULL WHERE id = ?"},
			{"disabled", "UPDATE users SET state = 'disabled' WHERE account_id = ?", "UPDATE users SET state = 'active' WHERE account_id = ?"},
			{"narrowed", "UPDATE oauth_tokens SET scopes = 'write' WHERE account_id = ?", "UPDATE oauth_tokens SET scopes = 'read write follow' WHERE account_id = ?"},
			{"revoked", "UPDATE oauth_tokens SET revoked_at = CURRENT_TIMESTAMP WHERE account_id = ?", "UPDATE oauth_tokens SET revoked_at = NULL WHERE account_id = ?"},
		} {
			w.write(func(tx *store.Tx) error { return tx.Exec(step.there, amira.me.ID).Error })
			all(step.when, out)
			w.write(func(tx *store.Tx) error { return tx.Exec(step.back, amira.me.ID).Error })
			all("no more "+step.when, in)
		}
		w.write(func(tx *store.Tx) error { return tx.Exec("DELETE FROM oauth_tokens WHERE id = ?", theirs).Error })
		all("deleted", out)
	})
}
