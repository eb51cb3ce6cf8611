package community

import (
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

func TestBlockEndsEverything(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.local("amira", Member), w.local("bo", Member)
		w.follow(amira, bo)
		w.follow(bo, amira)
		p := w.publish(amira, Draft{Source: "Hello @bo"})
		w.wantTold(bo, NotifyMention, NotifyFollow)
		for range 2 {
			w.write(func(tx *store.Tx) error { return Block(tx, amira, bo) })
		}
		w.wantFigures(amira, 0, 0)
		w.wantFigures(bo, 0, 0)
		w.wantTold(bo)
		w.wantTold(amira)
		wantIDs(t, "bo's home", w.home(bo))
		w.refuses(fault.NotFound, func(tx *store.Tx) error { _, err := VisiblePost(tx, p.ID, w.viewer(bo)); return err })
		w.publish(amira, Draft{Source: "Again @bo"})
		w.wantTold(bo)
		w.read(func(tx *store.Tx) error {
			list, err := BlockedBy(tx, amira.ID, store.Page{})
			if len(list) != 1 || list[0].ID != bo.ID {
				t.Errorf("blocked: %+v", list)
			}
			return err
		})
		w.write(func(tx *store.Tx) error { return Unblock(tx, amira, bo) })
		w.read(func(tx *store.Tx) error { _, err := VisiblePost(tx, p.ID, w.viewer(bo)); return err })
		w.wantFigures(amira, 0, 0)
	})
}

func TestBlockElsewhere(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.peer("elm.test", peers.CeilingNetwork, true)
		amira, cy := w.local("amira", Member), w.remote("cy", "elm.test")
		w.follow(amira, cy)
		w.write(func(tx *store.Tx) error { return ReceiveFollow(tx, cy, amira, "https://elm.test/f/1") })
		w.write(func(tx *store.Tx) error { return Block(tx, amira, cy) })
		w.write(func(tx *store.Tx) error { return Unblock(tx, amira, cy) })
		w.wantVerbs(VerbFollow, VerbAcceptFollow, VerbUndoFollow, VerbRejectFollow, VerbBlock, VerbUndoBlock)
		q := w.queued()
		if q[4].Facts.ReactionID == 0 || q[4].Facts.ReactionID != q[5].Facts.ReactionID {
			t.Errorf("block %+v, its undoing %+v", q[4], q[5])
		}
	})
}

func TestBlockFromElsewhere(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.peer("elm.test", peers.CeilingNetwork, true)
		amira, cy := w.local("amira", Member), w.remote("cy", "elm.test")
		w.write(func(tx *store.Tx) error { return ReceiveFollow(tx, cy, amira, "https://elm.test/f/1") })
		w.follow(amira, cy)
		post := w.receive(w.note(cy))
		const uri = "https://elm.test/blocks/1"
		w.write(func(tx *store.Tx) error { return ReceiveBlock(tx, cy, amira, uri) })
		w.write(func(tx *store.Tx) error { return ReceiveBlock(tx, cy, amira, uri) })
		w.wantFigures(amira, 0, 0)
		w.refuses(fault.NotFound, func(tx *store.Tx) error { _, err := VisiblePost(tx, post.ID, w.viewer(amira)); return err })
		mine := w.publish(amira, Draft{})
		w.read(func(tx *store.Tx) error {
			v, err := PeerViewer(tx, "elm.test", cy)
			if err != nil {
				return err
			}
			if seen, _ := CanSee(tx, mine, v); seen {
				t.Error("somebody who blocks reads whom they block")
			}
			return nil
		})
		w.write(func(tx *store.Tx) error { return ReceiveUndoBlock(tx, cy, uri, 0) })
		w.read(func(tx *store.Tx) error { _, err := VisiblePost(tx, post.ID, w.viewer(amira)); return err })
	})
}

func TestMute(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo, di := w.local("amira", Member), w.local("bo", Member), w.local("di", Member)
		w.follow(amira, bo)
		w.follow(amira, di)
		p := w.publish(bo, Draft{Source: "Hello @amira"})
		w.wantTold(amira, NotifyMention)
		soon := time.Now().Add(time.Hour)
		w.write(func(tx *store.Tx) error { return Mute(tx, amira, bo, false, &soon) })
		w.wantTold(amira, NotifyMention)
		wantIDs(t, "home with bo muted", w.home(amira))
		w.write(func(tx *store.Tx) error { return Mute(tx, amira, bo, true, nil) })
		w.wantTold(amira)
		w.read(func(tx *store.Tx) error { // a mute hides in lists only
			_, err := VisiblePost(tx, p.ID, w.viewer(amira))
			return err
		})
		w.write(func(tx *store.Tx) error { return Mute(tx, amira, bo, true, &soon) })
		w.exec("UPDATE mutes SET expires_at = ?", time.Now().Add(-time.Minute))
		wantIDs(t, "home when the mute has ended", w.home(amira), p.ID)
		w.write(func(tx *store.Tx) error { _, err := Sweep(tx); return err })
		w.read(func(tx *store.Tx) error {
			list, err := MutedBy(tx, amira.ID, store.Page{})
			if len(list) != 0 || w.count("SELECT COUNT(*) FROM mutes") != 0 {
				t.Errorf("still muted: %+v", list)
			}
			return err
		})
		w.write(func(tx *store.Tx) error { return Mute(tx, amira, di, true, nil) })
		w.write(func(tx *store.Tx) error { return Unmute(tx, amira, di) })
		past := time.Now().Add(-time.Hour)
		w.refuses(fault.Invalid, func(tx *store.Tx) error { return Mute(tx, amira, di, true, &past) })
	})
}
