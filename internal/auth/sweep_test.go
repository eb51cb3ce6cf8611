package auth

import (
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// TestSweep: of each table whose rows run out, those that have go, and only those.
func TestSweep(t *testing.T) {
	each(t, func(t *testing.T, s school) {
		amira := s.person("amira", community.Member)
		s.write(func(tx *store.Tx) error {
			now, old, earlier, later := tx.Now, tx.Now.Add(-31*24*time.Hour), tx.Now.Add(-time.Second), tx.Now.Add(time.Minute)
			for _, row := range []struct {
				sql  string
				args []any
			}{
				{"INSERT INTO sessions (id, token_hash, account_id, created_at, used_on, expires_at) VALUES (1, 'gone', ?, ?, ?, ?)", []any{amira.ID, old, old, earlier}},
				{"INSERT INTO sessions (id, token_hash, account_id, created_at, used_on, expires_at) VALUES (2, 'kept', ?, ?, ?, ?)", []any{amira.ID, old, now, later}},
				{"INSERT INTO attempts (key, count, reset_at) VALUES ('gone', 1, ?), ('kept', 1, ?)", []any{earlier, later}},
				{`INSERT INTO oauth_apps (id, client_id, secret_hash, name, redirect_uris, scopes, created_at) VALUES
					(1, 'kept, signed in', '', '', '', '', ?), (2, 'gone, own token forgotten', '', '', '', '', ?), (3, 'kept, own token used', '', '', '', '', ?),
					(4, 'kept, new', '', '', '', '', ?), (5, 'kept, code on its way', '', '', '', '', ?), (6, 'gone, code run out', '', '', '', '', ?)`,
					[]any{old, old, old, now, old, old}},
				{"INSERT INTO oauth_codes (code_hash, app_id, account_id, redirect_uri, scopes, expires_at) VALUES ('kept', 5, ?, '', '', ?), ('gone', 6, ?, '', '', ?)",
					[]any{amira.ID, later, amira.ID, earlier}},
				{`INSERT INTO oauth_tokens (id, token_hash, app_id, account_id, scopes, created_at, used_on, revoked_at) VALUES
					(1, 'kept, of a person', 1, ?, '', ?, NULL, NULL), (2, 'gone, never used', 2, NULL, '', ?, NULL, NULL), (3, 'gone, used long ago', 2, NULL, '', ?, ?, NULL),
					(4, 'kept, used', 3, NULL, '', ?, ?, NULL), (5, 'kept, new', 4, NULL, '', ?, NULL, NULL), (6, 'gone, revoked', 1, ?, '', ?, NULL, ?),
					(7, 'kept, just revoked', 1, ?, '', ?, NULL, ?)`,
					[]any{amira.ID, old, old, old, old, old, now, now, amira.ID, old, old, amira.ID, old, now}},
			} {
				if err := tx.Exec(row.sql, row.args...).Error; err != nil {
					return err
				}
			}
			return nil
		})
		s.write(Sweep)
		s.write(func(tx *store.Tx) error {
			for what, want := range map[string]int{"sessions WHERE token_hash": 1, "attempts WHERE key": 1, "oauth_codes WHERE code_hash": 1,
				"oauth_apps WHERE client_id": 4, "oauth_tokens WHERE token_hash": 4} {
				var kept, gone int
				if err := tx.Raw("SELECT COUNT(*) FROM " + what + " LIKE 'kept%'").Scan(&kept).Error; err != nil {
					return err
				}
				if err := tx.Raw("SELECT COUNT(*) FROM " + what + " LIKE 'gone%'").Scan(&gone).Error; err != nil {
					return err
				}
				if kept != want || gone != 0 {
					t.Errorf("%s: %d kept, want %d; %d left that had run out", what, kept, want, gone)
				}
			}
			return nil
		})
	})
}
