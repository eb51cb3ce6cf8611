package community

import (
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// A review that is due and a time that is over are told to administrators once,
// and stand in the log.
func TestReviewsAndExpiryAreTold(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		owner, member := w.local("owner", Owner), w.local("member", Member)
		w.peer("elm.test", peers.CeilingNetwork, true)
		w.peer("ash.test", peers.CeilingNetwork, true)
		w.peer("yew.test", peers.CeilingNetwork, true)
		w.write(func(tx *store.Tx) error {
			if err := tx.Exec("UPDATE peers SET review_on = ? WHERE host = 'elm.test'", tx.Now.Add(-time.Hour)).Error; err != nil {
				return err
			}
			if err := tx.Exec("UPDATE peers SET review_on = ? WHERE host = 'yew.test'", tx.Now.Add(time.Hour)).Error; err != nil {
				return err
			}
			return tx.Exec("UPDATE peers SET expires_at = ? WHERE host = 'ash.test'", tx.Now.Add(-time.Hour)).Error
		})
		told := func(who Account) int {
			return w.count("SELECT COUNT(*) FROM notifications WHERE account_id = ? AND kind = 'peering' AND peer_request_id IS NULL", who.ID)
		}
		for range 3 { // however often it is looked
			w.write(func(tx *store.Tx) error { _, err := SweepEnds(tx); return err })
		}
		if told(owner) != 1 || told(member) != 0 {
			t.Errorf("the owner is told %d times, a member %d times", told(owner), told(member))
		}
		for action, host := range map[string]string{"peer.review": "elm.test", "peer.expire": "ash.test"} {
			if n := w.count("SELECT COUNT(*) FROM audit WHERE action = ?", action); n != 1 || w.count("SELECT COUNT(*) FROM audit WHERE action = ? AND subject = ?", action, host) != 1 {
				t.Errorf("%s stands in the log %d times", action, n)
			}
		}
		w.read(func(tx *store.Tx) error {
			reviews, expired, err := peers.CountDue(tx)
			if reviews != 1 || expired != 1 {
				t.Errorf("to do: %d reviews, %d expired", reviews, expired)
			}
			return err
		})
	})
}

// What is kept of a retired peer goes when its time is over, posts and ties.
func TestKeptFadesWhenItsTimeIsOver(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.local("amira", Member)
		w.peer("elm.test", peers.CeilingNetwork, true)
		bo := w.remote("bo", "elm.test")
		w.follows(amira, bo)
		kept, gone := w.receive(w.note(bo)), w.receive(w.note(bo))
		w.write(func(tx *store.Tx) error {
			if _, err := Bookmark(tx, amira, kept.ID); err != nil {
				return err
			}
			_, err := peers.Retire(tx, 0, "elm.test", peers.Ending{Reason: "a test"})
			return err
		})
		chores := func() {
			t.Helper()
			for range 20 {
				w.write(func(tx *store.Tx) error {
					due, err := DueChores(tx, 10)
					for _, c := range due {
						if err != nil {
							return err
						}
						switch c.Kind {
						case ChoreSever:
							if _, _, err = SeverMore(tx, c); err == nil {
								err = EndChore(tx, c)
							}
						case ChoreDrop:
							d, ok, failed := DropNext(tx, c)
							if err = failed; err == nil && !ok {
								err = EndChore(tx, c)
							} else if err == nil {
								_, err = DropMore(tx, c, d)
							}
						}
					}
					return err
				})
			}
		}
		chores()
		left := func() int { return w.count("SELECT COUNT(*) FROM posts WHERE deleted_at IS NULL") }
		if left() != 1 || w.count("SELECT COUNT(*) FROM posts WHERE id = ?", gone.ID) != 0 || w.count("SELECT COUNT(*) FROM severed_ties") != 1 {
			t.Errorf("after the retirement %d posts are left", left())
		}
		w.exec("UPDATE peers SET keep_until = ended_at")
		w.write(func(tx *store.Tx) error { _, err := SweepEnds(tx); return err })
		chores()
		if left() != 0 || w.count("SELECT COUNT(*) FROM severed_ties") != 0 || w.count("SELECT COUNT(*) FROM chores") != 0 {
			t.Errorf("after its time %d posts are left, %d ties, %d chores", left(), w.count("SELECT COUNT(*) FROM severed_ties"), w.count("SELECT COUNT(*) FROM chores"))
		}
		if w.count("SELECT COUNT(*) FROM audit WHERE action = 'peer.faded'") != 1 {
			t.Error("it does not stand in the log")
		}
	})
}
