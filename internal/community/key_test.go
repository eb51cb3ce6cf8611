package community

import (
	"testing"

	"github.com/chalkring/chalkring/internal/store"
)

// Accounts that were made before there were Ed25519 keys get one, and one only,
// however often and wherever the server starts.
//
// FEP-521a.
func TestEnsureKeys(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		person := func(name string) (a Account) {
			w.write(func(tx *store.Tx) (err error) {
				a, err = CreateLocal(tx, NewAccount{Username: name, PasswordHash: "x", Keys: keys})
				return err
			})
			return a
		}
		ana, bo := person("ana"), person("bo")
		private := func(a Account) string {
			var k AccountKey
			w.read(func(tx *store.Tx) error {
				keys, err := KeysOf(tx, a.ID)
				rsa, _ := KeyOfKind(keys, RSA)
				k, _ = KeyOfKind(keys, Ed25519)
				if len(keys) != 2 || rsa.KeyID != tx.Site.KeyID(a.ID) || k.KeyID != tx.Site.ProofKeyID(a.ID) || k.PrivateKey == "" {
					t.Errorf("%s has the keys %+v, %v", a.Username, keys, err)
				}
				return err
			})
			return k.PrivateKey
		}
		own := private(bo)
		w.write(func(tx *store.Tx) error {
			return tx.Exec("DELETE FROM account_keys WHERE account_id = ? AND algorithm = 'ed25519'", ana.ID).Error
		})
		var first string
		for range 3 {
			w.write(EnsureSite)
			got := private(ana)
			if first == "" {
				first = got
			}
			if got != first || private(bo) != own {
				t.Error("a key was changed")
			}
		}
		var site Site
		for range 2 {
			before := site.Ed25519PrivateKey
			w.read(func(tx *store.Tx) (err error) {
				site, err = SiteOf(tx)
				return err
			})
			if site.Ed25519PrivateKey == "" || site.PrivateKey == "" || before != "" && site.Ed25519PrivateKey != before {
				t.Error("the server's own keys are not there, or change")
			}
			w.write(EnsureSite)
		}
	})
}
