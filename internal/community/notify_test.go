package community

import (
	"slices"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

func TestNotificationsFollowTheAudience(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.peer("elm.test", peers.CeilingNetwork, true)
		amira, bo, cy := w.local("amira", Member), w.local("bo", Member), w.remote("cy", "elm.test")
		gone := w.publish(bo, Draft{Source: "One @amira"})
		w.publish(bo, Draft{Source: "Two @amira"})
		r := w.note(cy)
		r.Mentions = []int64{amira.ID}
		w.receive(r)
		w.wantTold(amira, NotifyMention, NotifyMention, NotifyMention)
		w.write(func(tx *store.Tx) error {
			n, err := Unread(tx, amira.ID)
			if n != 3 {
				t.Errorf("%d unread, want 3", n)
			}
			if err != nil {
				return err
			}
			list, err := Notifications(tx, amira.ID, store.Page{Limit: 1})
			if err != nil {
				return err
			}
			if err := MarkRead(tx, amira.ID, list[0].ID); err != nil {
				return err
			}
			if err := MarkRead(tx, amira.ID, 1); err != nil { // never back
				return err
			}
			n, err = Unread(tx, amira.ID)
			if n != 0 {
				t.Errorf("%d unread after reading, want 0", n)
			}
			return err
		})
		w.write(func(tx *store.Tx) error {
			_, err := peers.Block(tx, 0, "elm.test", peers.Entry{Reason: "a test"})
			return err
		})
		w.wantTold(amira, NotifyMention, NotifyMention)
		w.exec("UPDATE posts SET deleted_at = ? WHERE id = ?", time.Now(), gone.ID)
		w.wantTold(amira, NotifyMention)
		w.write(func(tx *store.Tx) error { return Suspend(tx, 0, bo.ID, "") })
		w.wantTold(amira)
		w.write(func(tx *store.Tx) error { return Unsuspend(tx, 0, bo.ID, "") })
		w.write(func(tx *store.Tx) error { return Block(tx, bo, amira) })
		w.wantTold(amira)
	})
}

func TestNotifyOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.local("amira", Member), w.local("bo", Member)
		p := w.publish(amira, Draft{})
		tell := func(to Account, kind NotificationKind, from Account, post int64) {
			w.write(func(tx *store.Tx) error { return notify(tx, to.ID, kind, from.ID, post) })
		}
		for range 2 {
			tell(amira, NotifyLike, bo, p.ID)
			tell(amira, NotifyFollow, bo, 0)
			tell(amira, NotifyEdit, bo, p.ID)
			tell(amira, NotifyLike, amira, p.ID) // of one's own
		}
		if got := w.told(amira); !slices.Equal(got, []NotificationKind{NotifyEdit, NotifyEdit, NotifyFollow, NotifyLike}) {
			t.Errorf("told %v", got)
		}
		w.read(func(tx *store.Tx) error {
			list, err := Notifications(tx, amira.ID, store.Page{}, NotifyLike, NotifyFollow)
			if len(list) != 2 {
				t.Errorf("of two kinds: %+v", list)
			}
			return err
		})
		w.write(func(tx *store.Tx) error { return Dismiss(tx, amira.ID, 0) })
		w.wantTold(amira)
		w.exec("UPDATE users SET state = 'disabled' WHERE account_id = ?", amira.ID)
		tell(amira, NotifyLike, bo, p.ID)
		w.wantTold(amira)
	})
}

func TestUnreadIsBounded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.local("amira", Member), w.local("bo", Member)
		w.write(func(tx *store.Tx) error {
			for range MostUnread + 20 {
				if err := notify(tx, amira.ID, NotifyEdit, bo.ID, 0); err != nil {
					return err
				}
			}
			n, err := Unread(tx, amira.ID)
			if n != MostUnread {
				t.Errorf("%d unread, want %d", n, MostUnread)
			}
			return err
		})
	})
}

// A client that marks as read what is still to come does not have its person
// hear of nothing any more.
func TestMarkReadStopsAtNow(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.local("amira", Member), w.local("bo", Member)
		w.publish(bo, Draft{Kind: Note, Audience: School, Source: "@amira one"})
		w.write(func(tx *store.Tx) error { return MarkRead(tx, amira.ID, 1<<62) })
		unread := func() (n int) {
			w.read(func(tx *store.Tx) (err error) {
				n, err = Unread(tx, amira.ID)
				return err
			})
			return n
		}
		if n := unread(); n != 0 {
			t.Errorf("%d are unread after all were read", n)
		}
		w.publish(bo, Draft{Kind: Note, Audience: School, Source: "@amira two"})
		if n := unread(); n != 1 {
			t.Errorf("%d are unread, want the one that came since", n)
		}
	})
}
