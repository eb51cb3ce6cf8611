package community

import (
	"slices"
	"testing"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

func (w *world) list(owner Account, f ListForm, people ...Account) List {
	w.t.Helper()
	if f.Title == "" {
		f.Title = "Year 3"
	}
	if f.Replies == "" {
		f.Replies = RepliesList
	}
	var l List
	w.write(func(tx *store.Tx) (err error) {
		if l, err = CreateList(tx, owner, f); err != nil {
			return err
		}
		var ids []int64
		for _, p := range people {
			ids = append(ids, p.ID)
		}
		return AddToList(tx, owner, l.ID, ids)
	})
	return l
}

func (w *world) listed(owner Account, l List) []int64 {
	w.t.Helper()
	var posts []Post
	w.read(func(tx *store.Tx) (err error) {
		posts, err = ListTimeline(tx, w.viewer(owner), l.ID, store.Page{})
		return err
	})
	return idsOf(posts)
}

// A list holds what its people wrote before and after they were put into it,
// as far as the reader may see it, and nothing of those who were taken out.
func TestListTimeline(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader, amira, bo := w.local("reader", Member), w.local("amira", Member), w.remote("bo", "elm.test")
		w.follows(reader, amira)
		w.follows(reader, bo)
		before := w.publish(amira, Draft{Source: "before", FormID: "1"})
		w.publish(amira, Draft{Source: "mine alone", Audience: Me, FormID: "2"})
		l := w.list(reader, ListForm{}, amira)
		after := w.publish(amira, Draft{Source: "after", Audience: Followers, FormID: "3"})
		other := w.receive(w.note(bo))
		wantIDs(t, "list", w.listed(reader, l), after.ID, before.ID)
		w.write(func(tx *store.Tx) error { return AddToList(tx, reader, l.ID, []int64{bo.ID}) })
		wantIDs(t, "list with bo", w.listed(reader, l), sortedDown(after.ID, before.ID, other.ID)...)
		w.write(func(tx *store.Tx) error { return RemoveFromList(tx, reader, l.ID, []int64{amira.ID, amira.ID}) })
		wantIDs(t, "list without amira", w.listed(reader, l), other.ID)
		w.write(func(tx *store.Tx) error { return Unfollow(tx, reader, bo) })
		wantIDs(t, "list of nobody", w.listed(reader, l))
		var members []int64
		w.read(func(tx *store.Tx) (err error) { members, err = AllListMembers(tx, l.ID); return err })
		wantIDs(t, "members", members)
	})
}

func sortedDown(ids ...int64) []int64 {
	slices.Sort(ids)
	slices.Reverse(ids)
	return ids
}

// Which answers stand in a list is its owner's choice; those to the owner always do.
func TestListReplies(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader, amira, in, followed, stranger := w.local("reader", Member), w.local("amira", Member), w.local("in", Member), w.local("followed", Member), w.local("stranger", Member)
		for _, a := range []Account{amira, in, followed} {
			w.follows(reader, a)
		}
		lists := map[ListReplies]List{}
		for _, policy := range []ListReplies{RepliesFollowed, RepliesList, RepliesNone} {
			lists[policy] = w.list(reader, ListForm{Replies: policy}, amira, in)
		}
		to := map[string]Post{}
		for name, a := range map[string]Account{"reader": reader, "amira": amira, "in": in, "followed": followed, "stranger": stranger} {
			opener := w.publish(a, Draft{Source: "on " + name, FormID: "opener" + name})
			to[name] = w.publish(amira, Draft{Kind: Reply, InReplyToID: opener.ID, Source: "to " + name, FormID: name})
		}
		for policy, want := range map[ListReplies][]string{RepliesFollowed: {"reader", "amira", "in", "followed"}, RepliesList: {"reader", "amira", "in"}, RepliesNone: {"reader", "amira"}} {
			got := w.listed(reader, lists[policy])
			for name, p := range to {
				if slices.Contains(got, p.ID) != slices.Contains(want, name) {
					t.Errorf("replies %s: an answer to %s is in the list: %v", policy, name, slices.Contains(got, p.ID))
				}
			}
		}
	})
}

// What the people of an exclusive list write is not at home, and is again when
// the list is exclusive no more, or is gone, or they are taken out.
func TestExclusiveList(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader, amira, bo := w.local("reader", Member), w.local("amira", Member), w.local("bo", Member)
		w.follows(reader, amira)
		w.follows(reader, bo)
		own := w.publish(reader, Draft{Source: "own", FormID: "own"})
		first := w.publish(amira, Draft{Source: "first", FormID: "1"})
		kept := w.publish(bo, Draft{Source: "kept", FormID: "2"})
		l := w.list(reader, ListForm{}, amira, reader)
		wantIDs(t, "home", w.home(reader), kept.ID, first.ID, own.ID)
		change := func(exclusive bool) {
			t.Helper()
			w.write(func(tx *store.Tx) error {
				_, err := UpdateList(tx, reader, l.ID, ListForm{Title: "x", Replies: RepliesNone, Exclusive: exclusive})
				return err
			})
		}
		change(true)
		second := w.publish(amira, Draft{Source: "second", FormID: "3"})
		wantIDs(t, "home beside the list", w.home(reader), kept.ID, own.ID)
		wantIDs(t, "list", w.listed(reader, l), second.ID, first.ID, own.ID)
		change(false)
		wantIDs(t, "home again", w.home(reader), second.ID, kept.ID, first.ID, own.ID)
		change(true)
		w.write(func(tx *store.Tx) error { return RemoveFromList(tx, reader, l.ID, []int64{amira.ID}) })
		wantIDs(t, "home with amira", w.home(reader), second.ID, kept.ID, first.ID, own.ID)
		w.write(func(tx *store.Tx) error { return AddToList(tx, reader, l.ID, []int64{amira.ID}) })
		wantIDs(t, "home without her", w.home(reader), kept.ID, own.ID)
		w.write(func(tx *store.Tx) error {
			other, err := CreateList(tx, reader, ListForm{Title: "other", Replies: RepliesNone, Exclusive: true})
			if err == nil {
				err = AddToList(tx, reader, other.ID, []int64{amira.ID})
			}
			if err == nil {
				err = DeleteList(tx, reader, l.ID)
			}
			return err
		})
		wantIDs(t, "home while another list has her", w.home(reader), kept.ID, own.ID)
	})
}

// Only whom somebody follows can stand in their lists, once; and nobody else's
// list is there for them.
func TestListMembership(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader, amira, passer := w.local("reader", Member), w.local("amira", Member), w.local("passer", Member)
		w.follows(reader, amira)
		l := w.list(reader, ListForm{}, amira)
		w.refuses(fault.NotFound, func(tx *store.Tx) error { return AddToList(tx, reader, l.ID, []int64{passer.ID}) })
		w.refuses(fault.Invalid, func(tx *store.Tx) error { return AddToList(tx, reader, l.ID, []int64{amira.ID}) })
		w.refuses(fault.NotFound, func(tx *store.Tx) error { return AddToList(tx, passer, l.ID, []int64{amira.ID}) })
		w.refuses(fault.NotFound, func(tx *store.Tx) error { return DeleteList(tx, passer, l.ID) })
		w.refuses(fault.NotFound, func(tx *store.Tx) error { _, err := ListOf(tx, passer.ID, l.ID); return err })
		w.refuses(fault.Invalid, func(tx *store.Tx) error {
			_, err := CreateList(tx, reader, ListForm{Title: " ", Replies: RepliesNone})
			return err
		})
		w.refuses(fault.Invalid, func(tx *store.Tx) error {
			_, err := CreateList(tx, reader, ListForm{Title: "x", Replies: "some"})
			return err
		})

		// Whoever must agree first can stand in it already; their posts come when they do.
		shy := w.local("shy", Member)
		w.exec("UPDATE accounts SET locked = TRUE WHERE id = ?", shy.ID)
		shy.Locked = true
		p := w.publish(shy, Draft{Source: "hello", FormID: "shy"})
		w.write(func(tx *store.Tx) error {
			if _, err := Follow(tx, reader, shy); err != nil {
				return err
			}
			return AddToList(tx, reader, l.ID, []int64{shy.ID})
		})
		wantIDs(t, "list while it waits", w.listed(reader, l))
		w.write(func(tx *store.Tx) error { return AcceptFollow(tx, shy, reader) })
		wantIDs(t, "list once accepted", w.listed(reader, l), p.ID)
	})
}
