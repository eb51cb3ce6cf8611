package community

import (
	"fmt"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
)

// FEP-8fcf: a server that lists all our people as followers, and each of them
// twice, does not have us tell it so without end.
func TestFollowersThatNobodyKnowsOf(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bo := w.remote("bo", "elm.test")
		var theirs []int64
		w.write(func(tx *store.Tx) error {
			for i := range mostDisowned + 5 {
				a := Account{ID: tx.NewID(), Username: fmt.Sprint("t", i), ActorType: "Person", Fields: []Field{}, AlsoKnownAs: []string{}, AttributionDomains: []string{}, CreatedAt: tx.Now, UpdatedAt: tx.Now}
				if err := tx.Create(&a).Error; err != nil {
					return err
				}
				theirs = append(theirs, a.ID, a.ID)
			}
			return nil
		})
		for _, tt := range []struct{ listed, want int }{{6, 3}, {len(theirs), mostDisowned}} {
			w.exec("DELETE FROM outgoing")
			w.write(func(tx *store.Tx) error { return ReconcileFollowers(tx, bo, nil, theirs[:tt.listed]) })
			if n := w.count("SELECT COUNT(*) FROM outgoing WHERE verb = ?", VerbUndoFollow); n != tt.want {
				t.Errorf("%d listed: %d are taken back, want %d", tt.listed, n, tt.want)
			}
		}
	})
}

// W3C ActivityPub, section 7.1.2: what is passed on is bounded.
func TestForwardingIsBounded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.local("amira", Member), w.remote("bo", "elm.test")
		top := w.publish(amira, Draft{})
		r := w.note(bo)
		r.Kind, r.InReplyToURI, r.Parent = Reply, top.IRI(w.db.Site()), &top
		reply := w.receive(r)
		w.write(func(tx *store.Tx) error {
			for range mostForwarded + 5 {
				if err := Forward(tx, reply, top, []byte("{}"), nil); err != nil {
					return err
				}
			}
			return nil
		})
		if n := w.count("SELECT COUNT(*) FROM outgoing WHERE verb = ?", VerbForward); n != mostForwarded {
			t.Errorf("%d are passed on, want %d", n, mostForwarded)
		}
	})
}
