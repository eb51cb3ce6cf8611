package community

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// figures are an account's followers and following.
func (w *world) figures(a Account) [2]int64 {
	w.t.Helper()
	var c AccountCounts
	w.read(func(tx *store.Tx) error { return tx.Where("account_id = ?", a.ID).Limit(1).Find(&c).Error })
	return [2]int64{c.Followers, c.Following}
}

// locks has an account approve its followers by hand.
func (w *world) locks(a Account) Account {
	w.t.Helper()
	w.exec("UPDATE accounts SET locked = ? WHERE id = ?", true, a.ID)
	a.Locked = true
	return a
}

func (w *world) follow(me, target Account) FollowState {
	w.t.Helper()
	var state FollowState
	w.write(func(tx *store.Tx) (err error) {
		state, err = Follow(tx, me, target)
		return err
	})
	return state
}

func (w *world) wantFigures(a Account, followers, following int64) {
	w.t.Helper()
	if got := w.figures(a); got != [2]int64{followers, following} {
		w.t.Errorf("%s has %d followers and follows %d, want %d and %d", a.Username, got[0], got[1], followers, following)
	}
}

func (w *world) wantTold(a Account, kinds ...NotificationKind) {
	w.t.Helper()
	if got := w.told(a); !slices.Equal(got, kinds) {
		w.t.Errorf("%s was told %v, want %v", a.Username, got, kinds)
	}
}

func (w *world) wantVerbs(verbs ...Verb) {
	w.t.Helper()
	if got := w.verbs(); !slices.Equal(got, verbs) {
		w.t.Errorf("going out: %v, want %v", got, verbs)
	}
}

func TestFollowHere(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.local("amira", Member), w.local("bo", Member)
		old := w.publish(bo, Draft{Source: "Before anybody followed"})
		hidden := w.publish(bo, Draft{Source: "For me", Audience: Me})
		for range 2 { // asking again changes nothing
			if state := w.follow(amira, bo); state != FollowAccepted {
				t.Fatalf("state %q", state)
			}
		}
		w.wantFigures(bo, 1, 0)
		w.wantFigures(amira, 0, 1)
		w.wantTold(bo, NotifyFollow)
		w.wantVerbs(VerbCreate)
		wantIDs(t, "home after the follow", w.home(amira), old.ID)
		late := w.publish(bo, Draft{Source: "After"})
		wantIDs(t, "home", w.home(amira), late.ID, old.ID)
		_ = hidden

		w.write(func(tx *store.Tx) error { return Unfollow(tx, amira, bo) })
		w.write(func(tx *store.Tx) error { return Unfollow(tx, amira, bo) })
		w.wantFigures(bo, 0, 0)
		w.wantFigures(amira, 0, 0)
		w.wantTold(bo)
		wantIDs(t, "home after the end", w.home(amira))
	})
}

func TestFollowByRequest(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.local("amira", Member), w.locks(w.local("bo", Member))
		closed := w.publish(bo, Draft{Audience: Followers, Source: "For those who follow"})
		if state := w.follow(amira, bo); state != FollowRequested {
			t.Fatalf("state %q", state)
		}
		w.wantFigures(bo, 0, 0)
		w.wantTold(bo, NotifyFollowRequest)
		w.read(func(tx *store.Tx) error {
			list, err := Requests(tx, bo.ID, store.Page{})
			if len(list) != 1 || list[0].ID != amira.ID || list[0].Cursor == 0 {
				t.Errorf("requests: %+v", list)
			}
			n, _ := CountRequests(tx, bo.ID)
			if n != 1 {
				t.Errorf("%d requests counted", n)
			}
			return err
		})
		w.write(func(tx *store.Tx) error { return AcceptFollow(tx, bo, amira) })
		w.write(func(tx *store.Tx) error { return AcceptFollow(tx, bo, amira) })
		w.wantFigures(bo, 1, 0)
		w.wantTold(bo, NotifyFollow)
		wantIDs(t, "home", w.home(amira), closed.ID)
		w.write(func(tx *store.Tx) error { return RemoveFollower(tx, bo, amira) })
		w.wantFigures(bo, 0, 0)
		wantIDs(t, "home after the removal", w.home(amira))
		w.refuses(fault.NotFound, func(tx *store.Tx) error { return AcceptFollow(tx, bo, amira) })

		w.follow(amira, bo)
		w.write(func(tx *store.Tx) error { return RejectFollow(tx, bo, amira) })
		w.wantTold(bo)
		w.wantFigures(bo, 0, 0)
	})
}

func TestFollowElsewhere(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, cy := w.local("amira", Member), w.remote("cy", "elm.test")
		w.refuses(fault.Forbidden, func(tx *store.Tx) error { _, err := Follow(tx, amira, cy); return err })
		w.peer("elm.test", peers.CeilingNetwork, true)
		post := w.receive(w.note(cy))
		if state := w.follow(amira, cy); state != FollowRequested {
			t.Fatalf("state %q", state)
		}
		w.follow(amira, cy)
		w.wantVerbs(VerbFollow)
		o := w.queued()[0]
		if o.ActorID != amira.ID || *o.AccountID != cy.ID || o.Facts.ReactionID == 0 {
			t.Errorf("outgoing follow: %+v", o)
		}
		uri := w.db.Site().Follow(o.Facts.ReactionID)
		di := w.remote("di", "elm.test")
		w.write(func(tx *store.Tx) error { return ReceiveAccept(tx, di, uri, 0) }) // not di's to accept
		w.wantFigures(cy, 0, 0)
		w.write(func(tx *store.Tx) error { return ReceiveAccept(tx, cy, uri, 0) })
		w.write(func(tx *store.Tx) error { return ReceiveAccept(tx, cy, "", amira.ID) })
		w.wantFigures(cy, 1, 0)
		w.wantFigures(amira, 0, 1)
		wantIDs(t, "home", w.home(amira), post.ID)

		w.write(func(tx *store.Tx) error { return ReceiveReject(tx, cy, "https://elm.test/nonsense", amira.ID) })
		w.wantFigures(cy, 0, 0)
		wantIDs(t, "home after the rejection", w.home(amira))

		w.follow(amira, cy)
		w.write(func(tx *store.Tx) error { return Unfollow(tx, amira, cy) })
		w.wantVerbs(VerbFollow, VerbFollow, VerbUndoFollow)
		undo := w.queued()[2]
		if undo.ObjectURI != w.db.Site().Follow(w.queued()[1].Facts.ReactionID) {
			t.Errorf("undone: %q", undo.ObjectURI)
		}
	})
}

func TestFollowFromElsewhere(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bo, cy := w.local("bo", Member), w.remote("cy", "elm.test")
		const first, second = "https://elm.test/follows/1", "https://elm.test/follows/2"
		w.write(func(tx *store.Tx) error { return ReceiveFollow(tx, cy, bo, first) })
		w.wantFigures(bo, 1, 0)
		w.wantTold(bo, NotifyFollow)
		w.wantVerbs(VerbAcceptFollow)
		w.write(func(tx *store.Tx) error { return ReceiveFollow(tx, cy, bo, second) }) // the answer got lost
		w.wantFigures(bo, 1, 0)
		w.wantTold(bo, NotifyFollow)
		w.wantVerbs(VerbAcceptFollow, VerbAcceptFollow)
		if o := w.queued()[1]; o.ObjectURI != second || *o.AccountID != cy.ID || o.ActorID != bo.ID {
			t.Errorf("the second answer: %+v", o)
		}
		di := w.remote("di", "elm.test")
		w.write(func(tx *store.Tx) error { return ReceiveUndoFollow(tx, di, second, 0) }) // not di's
		w.wantFigures(bo, 1, 0)
		w.write(func(tx *store.Tx) error { return ReceiveUndoFollow(tx, cy, second, 0) })
		w.write(func(tx *store.Tx) error { return ReceiveUndoFollow(tx, cy, "", bo.ID) })
		w.wantFigures(bo, 0, 0)

		bo = w.locks(bo)
		w.write(func(tx *store.Tx) error { return ReceiveFollow(tx, cy, bo, first) })
		w.wantTold(bo, NotifyFollowRequest)
		w.wantVerbs(VerbAcceptFollow, VerbAcceptFollow)
		w.write(func(tx *store.Tx) error { return AcceptFollow(tx, bo, cy) })
		w.write(func(tx *store.Tx) error { return RemoveFollower(tx, bo, cy) })
		w.wantVerbs(VerbAcceptFollow, VerbAcceptFollow, VerbAcceptFollow, VerbRejectFollow)
		if o := w.queued()[3]; o.ObjectURI != first {
			t.Errorf("rejected: %q", o.ObjectURI)
		}
		w.wantFigures(bo, 0, 0)
	})
}

func TestFollowIsRefused(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.local("amira", Member), w.local("bo", Member)
		moved := bo
		moved.MovedTo = "https://elm.test/users/bo"
		try := func(me, target Account) func(tx *store.Tx) error {
			return func(tx *store.Tx) error { _, err := Follow(tx, me, target); return err }
		}
		w.refuses(fault.Invalid, try(amira, amira))
		w.refuses(fault.Invalid, try(amira, moved))
		w.write(func(tx *store.Tx) error { return Block(tx, bo, amira) })
		w.refuses(fault.Forbidden, try(amira, bo))
		w.refuses(fault.Forbidden, try(bo, amira))
		cy := w.remote("cy", "elm.test")
		w.write(func(tx *store.Tx) error { return Block(tx, bo, cy) })
		w.write(func(tx *store.Tx) error { return ReceiveFollow(tx, cy, bo, "https://elm.test/f/1") })
		w.wantVerbs(VerbBlock, VerbRejectFollow)
	})
}

func TestFollowersArePaged(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bo := w.local("bo", Member)
		var all []int64
		for i := range 5 {
			a := w.local(fmt.Sprintf("reader%d", i), Member)
			w.follow(a, bo)
			all = append([]int64{a.ID}, all...)
		}
		var got []int64
		page := store.Page{Limit: 2}
		for {
			var list []Listed
			w.read(func(tx *store.Tx) (err error) {
				list, err = FollowersOf(tx, bo.ID, page)
				return err
			})
			if len(list) == 0 {
				break
			}
			for _, l := range list {
				got = append(got, l.ID)
			}
			page.MaxID = list[len(list)-1].Cursor
		}
		wantIDs(t, "followers", got, all...)
	})
}

func TestRelationship(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		me, a, b, c := w.local("me", Member), w.local("amira", Member), w.locks(w.local("bo", Member)), w.local("cy", Member)
		w.follow(me, a)
		w.follow(me, b)
		w.follow(a, me)
		w.write(func(tx *store.Tx) error { return Mute(tx, me, a, true, nil) })
		w.write(func(tx *store.Tx) error { return Block(tx, c, me) })
		w.read(func(tx *store.Tx) error {
			got, err := Relationship(tx, me.ID, []int64{a.ID, b.ID, c.ID, a.ID})
			first := Relation{AccountID: a.ID, Following: FollowAccepted, FollowedBy: FollowAccepted, Muting: true, MutingNotifications: true}
			want := []Relation{first, {AccountID: b.ID, Following: FollowRequested}, {AccountID: c.ID, BlockedBy: true}, first}
			if !slices.Equal(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			return err
		})
	})
}
