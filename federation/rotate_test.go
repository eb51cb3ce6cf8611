package federation

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/federation/sig"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// New keys are told with the old ones, so that nobody has to ask for them;
// whoever missed that asks once. What is signed with an old key is then no
// longer believed.
func TestKeyRotation(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, ash := r.start("oak.localhost"), r.start("elm.localhost"), r.start("ash.localhost")
		r.befriend()
		amira, bo, eve := oak.person("amira"), elm.person("bo"), ash.person("eve")
		elm.follow(bo, "@amira@oak.localhost")
		ash.seen("@amira@oak.localhost")
		ash.follow(eve, "@amira@oak.localhost")
		ash.write(func(tx *store.Tx) error { // it will miss the news
			return tx.Exec("DELETE FROM follows").Error
		})
		oak.write(func(tx *store.Tx) error {
			return tx.Exec("DELETE FROM follows WHERE follower_id IN (SELECT id FROM accounts WHERE host = 'ash.localhost')").Error
		})
		var old signer
		oak.read(func(tx *store.Tx) (err error) { old, err = oak.keysOf(tx, amira.ID); return err })
		asked := 0
		oak.tap = func(_ http.ResponseWriter, req *http.Request) bool {
			if req.Method == http.MethodGet && strings.HasPrefix(req.URL.Path, "/u/") {
				asked++
			}
			return false
		}
		next, err := community.NewKeyPair()
		if err != nil {
			t.Fatal(err)
		}
		oak.write(func(tx *store.Tx) error { return community.RotateKeys(tx, 0, amira.ID, next) })
		r.settle()
		if asked != 0 {
			t.Errorf("the keys were asked for %d times", asked)
		}
		known := func(n *server) (text string) {
			n.read(func(tx *store.Tx) error {
				_, key, err := community.KeyByKeyID(tx, oak.site.KeyID(amira.ID))
				text = key.PublicKey
				return err
			})
			return text
		}
		if !sameKey(t, known(elm), next.Public) {
			t.Error("elm has not taken the new key over")
		}
		if sameKey(t, known(ash), next.Public) {
			t.Fatal("ash was told, so this test shows nothing")
		}
		for _, n := range []*server{elm, ash} {
			if res := oak.say(amira, n, oak.note(amira, "after-"+n.host)); res.Status != http.StatusAccepted {
				t.Errorf("%s answers %d %s", n.host, res.Status, res.Body)
			}
		}
		r.settle()
		if asked != 1 || !sameKey(t, known(ash), next.Public) {
			t.Errorf("ash asked %d times", asked)
		}
		if status := oak.sayWith(old, elm, oak.note(amira, "forged")); status != http.StatusUnauthorized {
			t.Errorf("the old key still counts: %d", status)
		}
	})
}

func sameKey(t *testing.T, a, b string) bool {
	t.Helper()
	var text [2]string
	for i, each := range []string{a, b} {
		key, err := sig.ParsePublicKey(each)
		if err != nil {
			t.Fatal(err)
		}
		if text[i], err = sig.PublicPEM(key); err != nil {
			t.Fatal(err)
		}
	}
	return text[0] == text[1]
}
