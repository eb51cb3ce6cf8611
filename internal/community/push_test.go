package community

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// A push that is put off, for its own place's sake, keeps none waiting that
// comes after it; trouble with the whole service does.
func TestPushesThatWaitKeepNoneWaiting(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bo, amira := w.local("bo", Member), w.local("amira", Member)
		device, err := ecdh.P256().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		w.exec("INSERT INTO oauth_tokens (id, token_hash, account_id, scopes, created_at) VALUES (1, 'x', ?, 'push', ?)", bo.ID, w.db.Now())
		w.write(func(tx *store.Tx) error {
			_, err := Subscribe(tx, PushSubscription{TokenID: 1, AccountID: bo.ID, Token: "x", Endpoint: "https://push.test/bo", Alerts: "mention", Policy: PushAll,
				P256dh: base64.RawURLEncoding.EncodeToString(device.PublicKey().Bytes()), Auth: base64.RawURLEncoding.EncodeToString(make([]byte, 16))})
			return err
		})
		claim := func() (lanes []PushLane) {
			w.write(func(tx *store.Tx) (err error) {
				lanes, err = ClaimPushLanes(tx, 10, tx.Now.Add(time.Minute))
				return err
			})
			return lanes
		}
		// work puts off whatever is due for hours, and leaves the lane.
		work := func(failures int64, wait time.Duration) (n int) {
			w.write(func(tx *store.Tx) error {
				due, err := Pushes(tx, "push.test", 10)
				if err != nil {
					return err
				}
				for _, p := range due {
					if err := PutOffPush(tx, p, tx.Now.Add(3*time.Hour)); err != nil {
						return err
					}
				}
				n = len(due)
				return LeavePushLane(tx, "push.test", failures, wait)
			})
			return n
		}
		w.publish(amira, Draft{Kind: Note, Audience: School, Source: "@bo one"})
		if lanes := claim(); len(lanes) != 1 {
			t.Fatalf("claimed %+v", lanes)
		}
		if n := work(0, 0); n != 1 {
			t.Fatalf("%d pushes were due", n)
		}
		if lanes := claim(); len(lanes) != 0 {
			t.Fatalf("claimed %+v though all is put off", lanes)
		}
		w.publish(amira, Draft{Kind: Note, Audience: School, Source: "@bo two"})
		if lanes := claim(); len(lanes) != 1 {
			t.Fatalf("what is new waits for what was put off: claimed %+v", lanes)
		}
		if n := work(2, time.Hour); n != 1 {
			t.Fatalf("%d pushes were due", n)
		}
		w.publish(amira, Draft{Kind: Note, Audience: School, Source: "@bo three"})
		if lanes := claim(); len(lanes) != 0 {
			t.Fatalf("a service in trouble is not left alone: claimed %+v", lanes)
		}
	})
}
