package community

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// chores does what waits, piece by piece, and returns how many pieces it took.
func (w *world) chores() (pieces int) {
	w.t.Helper()
	for {
		var due []Chore
		w.read(func(tx *store.Tx) (err error) { due, err = DueChores(tx, 10); return err })
		if len(due) == 0 {
			return pieces
		}
		for _, c := range due {
			if c.Kind != ChoreErase {
				w.t.Fatalf("a chore %s", c.Kind)
			}
			for more := true; more; pieces++ {
				w.write(func(tx *store.Tx) (err error) { more, err = EraseMore(tx, c); return err })
			}
		}
	}
}

func TestDeleteAccount(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.peer("elm.test", peers.CeilingNetwork, true)
		w.peer("ash.test", peers.CeilingNetwork, true)
		head, amira, cy := w.local("head", Owner), w.local("amira", Member), w.local("cy", Member)
		bo := w.remote("bo", "elm.test")
		w.exec("UPDATE hosts SET last_out_at = ? WHERE host = 'ash.test'", time.Now())
		w.exec("INSERT INTO account_keys (key_id, account_id, algorithm, public_key, private_key, fetched_at) VALUES (?, ?, 'rsa', 'x', 'x', ?)",
			w.db.Site().KeyID(amira.ID), amira.ID, time.Now())
		w.write(func(tx *store.Tx) error { return ReceiveFollow(tx, bo, amira, "https://elm.test/f/1") })
		w.write(func(tx *store.Tx) error {
			if _, err := Follow(tx, amira, cy); err != nil {
				return err
			}
			_, err := Follow(tx, cy, amira)
			return err
		})
		poll := w.publish(cy, Draft{Kind: Question, Title: "Which?", Poll: &PollDraft{Options: []string{"a", "b"}, Open: time.Hour}})
		var posts []Post
		for i := range erasedAtOnce + erasePiece + 5 {
			posts = append(posts, w.publish(amira, Draft{Source: fmt.Sprint(i)}))
		}
		liked := w.publish(cy, Draft{})
		w.write(func(tx *store.Tx) error {
			if _, err := Vote(tx, amira, poll.ID, []int64{1}); err != nil {
				return err
			}
			_, err := Like(tx, amira, liked.ID)
			return err
		})
		answer := w.publish(amira, Draft{Kind: Reply, InReplyToID: liked.ID})
		w.publish(cy, Draft{Kind: Reply, InReplyToID: posts[0].ID})

		w.refuses(fault.Conflict, func(tx *store.Tx) error { return DeleteAccount(tx, head.ID, head.ID, "") })
		w.refuses(fault.Forbidden, func(tx *store.Tx) error { return DeleteAccount(tx, cy.ID, amira.ID, "") })
		w.write(func(tx *store.Tx) error { return DeleteAccount(tx, head.ID, amira.ID, "moved abroad") })

		if w.count("SELECT COUNT(*) FROM posts WHERE author_id = ? AND deleted_at IS NULL", amira.ID) == 0 {
			t.Error("everything went at once")
		}
		w.read(func(tx *store.Tx) error { // and yet nothing is shown
			seen, err := ProfileTimeline(tx, w.viewer(cy), amira.ID, ProfileFilter{}, store.Page{})
			if len(seen) != 0 {
				t.Errorf("%d posts are shown", len(seen))
			}
			return err
		})
		if pieces := w.chores(); pieces < 2 {
			t.Errorf("%d pieces", pieces)
		}
		for table, of := range map[string]string{"posts": "author_id = ? AND (deleted_at IS NULL OR html <> '')", "users": "account_id = ?", "likes": "account_id = ?",
			"poll_votes": "account_id = ?", "notifications": "? IN (account_id, from_id)", "follows": "? IN (follower_id, target_id)", "home_entries": "account_id = ?"} {
			if n := w.count("SELECT COUNT(*) FROM "+table+" WHERE "+of, amira.ID); n != 0 {
				t.Errorf("%d rows of %s are left", n, table)
			}
		}
		w.wantFigures(cy, 0, 0)
		if p := w.stored(liked.ID); p.LikesCount != 0 || p.RepliesCount != 0 {
			t.Errorf("%d likes, %d replies", p.LikesCount, p.RepliesCount)
		}
		if w.count("SELECT votes FROM poll_options WHERE post_id = ? AND position = 1", poll.ID)+w.count("SELECT voters FROM polls WHERE post_id = ?", poll.ID) != 0 {
			t.Error("the vote is counted still")
		}
		if p := w.stored(answer.ID); p.DeletedAt == nil {
			t.Error("the answer is there still")
		}

		// told to all that ever got anything, in its own name, and the key waits for it
		verbs := w.verbs()
		if last := verbs[len(verbs)-1]; last != VerbDeleteActor || slices.Contains(verbs, VerbCreate) && w.count("SELECT COUNT(*) FROM outgoing WHERE actor_id = ? AND verb = 'Create'", amira.ID) != 0 {
			t.Errorf("queued %v", verbs)
		}
		for _, o := range w.queued() {
			if o.Verb != VerbDeleteActor {
				continue
			}
			w.read(func(tx *store.Tx) error {
				to, err := InboxesFor(tx, o)
				var inboxes []string
				for _, target := range to {
					inboxes = append(inboxes, target.Inbox)
				}
				if slices.Sort(inboxes); !slices.Equal(inboxes, []string{"https://ash.test/inbox", "https://elm.test/inbox"}) {
					t.Errorf("told to %q", inboxes)
				}
				return err
			})
		}
		if w.count("SELECT COUNT(*) FROM account_keys WHERE account_id = ?", amira.ID) != 1 || w.count("SELECT COUNT(*) FROM chores") != 1 {
			t.Error("the key did not wait")
		}
		w.exec("UPDATE outgoing SET state = 'spread'")
		w.exec("UPDATE chores SET next_at = ?", time.Now().Add(-time.Minute))
		w.chores()
		if w.count("SELECT COUNT(*) FROM account_keys WHERE account_id = ?", amira.ID)+w.count("SELECT COUNT(*) FROM chores") != 0 {
			t.Error("the key stayed")
		}
		w.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := CreateLocal(tx, newAccount("amira")); return err })
	})
}

// FEP-8fcf, with the values that its text gives by way of example.
func TestFollowerDigest(t *testing.T) {
	var d digest
	for _, uri := range []string{"https://testing.example.org/users/1", "https://testing.example.org/users/2"} {
		d.add(uri)
	}
	if d.String() != "c33f48cd341ef046a206b8a72ec97af65079f9a3a9b90eef79c5920dce45c61f" {
		t.Errorf("got %s", &d)
	}
	for _, uri := range []string{"https://testing.example.org/users/2", "https://testing.example.org/users/1"} {
		d.add(uri)
	}
	if d.String() != NoFollowers {
		t.Errorf("got %s", &d)
	}
}

func TestAliases(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		me := w.local("amira", Member)
		other := "https://elm.test/users/amira"
		w.write(func(tx *store.Tx) (err error) { me, err = SetAliases(tx, me, []string{other}); return err })
		w.write(func(tx *store.Tx) (err error) { me, err = SetAliases(tx, me, []string{other}); return err }) // nothing new, so nobody is told
		w.wantVerbs(VerbUpdateActor)
		if !me.KnownAs(other) || me.KnownAs(other+"2") {
			t.Errorf("%q", me.AlsoKnownAs)
		}
		many := make([]string, MaxAliases+1)
		w.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := SetAliases(tx, me, many); return err })
		w.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := SetAliases(tx, me, []string{me.IRI(tx.Site)}); return err })
	})
}
