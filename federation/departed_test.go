package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// leaves deletes somebody's account here, as its settings page does.
func (n *server) leaves(who community.Account) {
	n.t.Helper()
	n.write(func(tx *store.Tx) error { return community.DeleteAccount(tx, who.ID, who.ID, "") })
	n.ring.settle()
}

// W3C ActivityPub, sections 6.4 and 7.4: who leaves is forgotten everywhere
// that anything ever went, also where nobody follows; figures are right; the
// address answers 410; the key is kept until everyone has heard, and no longer.
func TestLeaveForGood(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, ash := r.start("oak.localhost"), r.start("elm.localhost"), r.start("ash.localhost")
		r.befriend()
		amira, cy := oak.person("amira"), oak.person("cy")
		oak.write(func(tx *store.Tx) error { // so that there is one who stays
			return tx.Exec("UPDATE users SET role = 'owner' WHERE account_id = ?", cy.ID).Error
		})
		bo := elm.person("bo")
		ash.person("eve")
		elm.follow(bo, "@amira@oak.localhost")
		oak.follow(amira, "@bo@elm.localhost")
		oak.follow(cy, "@amira")
		first := oak.publish(amira, community.Draft{Source: "One"})
		oak.seen("@eve@ash.localhost")
		asks := oak.publish(amira, community.Draft{Source: "Hello @eve@ash.localhost"})
		theirs := elm.publish(bo, community.Draft{Source: "Mine"})
		onOak := oak.copyOf(theirs, elm)
		oak.write(func(tx *store.Tx) error {
			if _, err := community.Like(tx, amira, onOak.ID); err != nil {
				return err
			}
			_, err := community.Publish(tx, amira, community.Draft{Kind: community.Reply, Audience: community.Public, InReplyToID: onOak.ID, Source: "Yes"})
			return err
		})
		r.settle()
		var onElm community.Post
		elm.read(func(tx *store.Tx) (err error) { onElm, err = community.PostByID(tx, theirs.ID); return err })
		if onElm.LikesCount != 1 || onElm.RepliesCount != 1 || ash.copyOf(asks, oak).DeletedAt != nil {
			t.Fatalf("before: %d likes, %d replies", onElm.LikesCount, onElm.RepliesCount)
		}

		ash.stop() // it hears later
		var down = true
		ash.tap = func(w http.ResponseWriter, req *http.Request) bool {
			if down {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return down
		}
		oak.write(func(tx *store.Tx) error { return community.DeleteAccount(tx, amira.ID, amira.ID, "") })
		r.nodes = r.nodes[:2]
		r.settle()
		for _, n := range []*server{oak, elm} {
			if left := n.count("SELECT COUNT(*) FROM posts p JOIN accounts a ON a.id = p.author_id WHERE a.username = 'amira' AND (p.deleted_at IS NULL OR p.html <> '')"); left != 0 {
				t.Errorf("%s has %d posts of hers", n.host, left)
			}
			if left := n.count("SELECT COUNT(*) FROM follows") + n.count("SELECT COUNT(*) FROM likes") +
				n.count("SELECT COALESCE(SUM(followers + following), 0) FROM account_counts"); left != 0 {
				t.Errorf("%s has %d ties", n.host, left)
			}
		}
		elm.read(func(tx *store.Tx) (err error) { onElm, err = community.PostByID(tx, theirs.ID); return err })
		if onElm.LikesCount != 0 || onElm.RepliesCount != 0 {
			t.Errorf("after: %d likes, %d replies", onElm.LikesCount, onElm.RepliesCount)
		}
		if n := oak.count("SELECT COUNT(*) FROM users WHERE account_id = ?", amira.ID) + oak.count("SELECT COUNT(*) FROM sessions WHERE account_id = ?", amira.ID); n != 0 {
			t.Error("she can still sign in")
		}
		for _, path := range []string{oak.site.Actor(amira.ID), oak.site.Post(first.ID)} {
			if res := elm.ask(community.Account{}, path); res.Status != http.StatusGone || !strings.Contains(string(res.Body), "Tombstone") {
				t.Errorf("%s: %d %s", path, res.Status, res.Body)
			}
		}
		if res := elm.ask(community.Account{}, "http://oak.localhost/.well-known/webfinger?resource=acct:amira@oak.localhost"); res.Status != http.StatusGone {
			t.Errorf("WebFinger: %d", res.Status)
		}
		err := oak.db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := community.CreateLocal(tx, community.NewAccount{Username: "amira", PasswordHash: "x", Keys: keyPairs()[0]})
			return err
		})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("the name was given out again: %v", err)
		}

		// ash has not heard; the key waits for it
		if oak.count("SELECT COUNT(*) FROM account_keys WHERE account_id = ?", amira.ID) == 0 {
			t.Error("the key is gone before everyone has heard")
		}
		down = false
		ash.run()
		oak.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE lanes SET next_at = ?, parked_at = NULL WHERE waiting", tx.Now).Error
		})
		oak.deliveries.poke("")
		r.nodes = append(r.nodes, ash)
		r.settle()
		if ash.copyOf(asks, oak).DeletedAt == nil {
			t.Error("ash has her post still")
		}
		oak.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE chores SET next_at = ?", tx.Now.Add(-time.Second)).Error
		})
		nudge(oak.choreNow)
		r.settle()
		if oak.count("SELECT COUNT(*) FROM account_keys WHERE account_id = ?", amira.ID)+oak.count("SELECT COUNT(*) FROM chores") != 0 {
			t.Error("the key was kept for ever")
		}
	})
}

// An account with many posts goes piece by piece, and the process may stop in
// between; nothing of it is shown meanwhile, and what comes late is not taken.
func TestManyPostsGoPieceByPiece(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		oakOwner(oak)
		elm.follow(bo, "@amira@oak.localhost")
		const many = 250
		oak.write(func(tx *store.Tx) error {
			for i := range many {
				if _, err := community.Publish(tx, amira, community.Draft{Kind: community.Note, Audience: community.Public, Source: fmt.Sprint("Note ", i)}); err != nil {
					return err
				}
			}
			return nil
		})
		r.settle()
		if n := elm.count("SELECT COUNT(*) FROM posts WHERE deleted_at IS NULL"); n != many {
			t.Fatalf("%d posts arrived", n)
		}
		late := oak.note(amira, "late")
		var key signer
		oak.read(func(tx *store.Tx) (err error) { key, err = oak.keysOf(tx, amira.ID); return err })
		elm.stop()
		oak.leavesQuietly(amira)
		elm.run()
		r.settle()
		for _, n := range []*server{oak, elm} {
			if left := n.count("SELECT COUNT(*) FROM posts WHERE deleted_at IS NULL") + n.count("SELECT COUNT(*) FROM home_entries"); left != 0 {
				t.Errorf("%s has %d left", n.host, left)
			}
		}
		if n := elm.count("SELECT COUNT(*) FROM chores"); n != 0 {
			t.Errorf("%d chores are left", n)
		}
		res := oak.sayWith(key, elm, late)
		r.settle()
		if n := elm.count("SELECT COUNT(*) FROM posts WHERE deleted_at IS NULL"); n != 0 {
			t.Errorf("a late Create, answered %d, brought %d posts", res, n)
		}
	})
}

// Who has the account but not the key any more believes the account's server,
// and nobody else.
func TestDepartedWithoutAKey(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo, cy := oak.person("amira"), elm.person("bo"), oak.person("cy")
		for _, handle := range []string{"@amira@oak.localhost", "@cy@oak.localhost"} {
			elm.follow(bo, handle)
		}
		elm.write(func(tx *store.Tx) error {
			return tx.Exec("DELETE FROM account_keys WHERE account_id IN (SELECT id FROM accounts WHERE host = 'oak.localhost')").Error
		})
		var key signer
		oak.read(func(tx *store.Tx) (err error) { key, err = oak.keysOf(tx, amira.ID); return err })
		farewell := func(who community.Account) doc {
			return doc{"@context": "https://www.w3.org/ns/activitystreams", "id": oak.site.Actor(who.ID) + "#delete", "type": "Delete",
				"actor": oak.site.Actor(who.ID), "object": oak.site.Actor(who.ID)}
		}
		oak.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE accounts SET deleted_at = ? WHERE id = ?", tx.Now, amira.ID).Error
		})
		if status := oak.sayWith(key, elm, farewell(cy)); status != http.StatusAccepted { // who is there still
			t.Errorf("answered %d", status)
		}
		r.settle()
		if n := elm.count("SELECT COUNT(*) FROM accounts WHERE deleted_at IS NOT NULL"); n != 0 {
			t.Fatalf("%d accounts were deleted", n)
		}
		if status := oak.sayWith(key, elm, farewell(amira)); status != http.StatusAccepted {
			t.Errorf("answered %d", status)
		}
		r.settle()
		if got := elm.following(bo); len(got) != 1 || got[0] != "cy@oak.localhost" {
			t.Errorf("bo follows %q", got)
		}
	})
}

// A deletion is honoured also when its server is no longer on the list, and
// waits for one that is off it.
func TestDeletionsOutlastTheConnection(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		oakOwner(oak)
		amira, bo := oak.person("amira"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		post := oak.publish(amira, community.Draft{Source: "One"})
		elm.write(func(tx *store.Tx) error { return peers.Remove(tx, 0, "oak.localhost", "a test") })
		r.settle()
		oak.leaves(amira)
		if elm.copyOf(post, oak).DeletedAt == nil {
			t.Error("a former peer's deletion was not honoured")
		}
	})
}

func oakOwner(n *server) community.Account {
	n.t.Helper()
	owner := n.person("head")
	n.write(func(tx *store.Tx) error {
		return tx.Exec("UPDATE users SET role = 'owner' WHERE account_id = ?", owner.ID).Error
	})
	return owner
}

// leavesQuietly is leaves while others are not listening.
func (n *server) leavesQuietly(who community.Account) {
	n.t.Helper()
	n.write(func(tx *store.Tx) error { return community.DeleteAccount(tx, who.ID, who.ID, "") })
}

// sayWith is say with a key that the account may have no more.
func (n *server) sayWith(key signer, to *server, activity doc) int {
	n.t.Helper()
	body, err := json.Marshal(activity)
	if err != nil {
		n.t.Fatal(err)
	}
	res, err := n.egress.Post(context.Background(), egress.Request{URL: to.site.SharedInbox(), ContentType: activityJSON, Body: body,
		Sign: func(req *http.Request) error { return key.sign(peers.SignsCavage, req, body, time.Now()) }})
	if err != nil {
		n.t.Fatal(err)
	}
	return res.Status
}

// What was deleted is told for 30 days to a server that is away; everything
// else is given up before.
func TestDeletionsAreTriedLongest(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, amira := r.fan()
		post := oak.publish(amira, community.Draft{Source: "One"})
		elm.tapInbox(func(int, string) (int, http.Header) { return 502, nil })
		oak.stop()
		oak.write(func(tx *store.Tx) error {
			if err := community.Delete(tx, amira, post.ID); err != nil {
				return err
			}
			_, err := community.Publish(tx, amira, community.Draft{Kind: community.Note, Audience: community.Public, Source: "Two"})
			return err
		})
		if _, err := oak.spread(t.Context()); err != nil {
			t.Fatal(err)
		}
		aged := func(d time.Duration) (waiting int) {
			t.Helper()
			oak.write(func(tx *store.Tx) error {
				if err := tx.Exec("UPDATE deliveries SET created_at = ? WHERE state = 'waiting'", tx.Now.Add(-d)).Error; err != nil {
					return err
				}
				return tx.Exec("UPDATE lanes SET failures = 9, failing_since = ?, next_at = ?, parked_at = NULL WHERE queue = 'deliveries'", tx.Now.Add(-d), tx.Now).Error
			})
			oak.run()
			r.settle()
			oak.stop()
			return oak.count("SELECT COUNT(*) FROM deliveries WHERE state = 'waiting'")
		}
		if n := aged(80 * time.Hour); n != 1 {
			t.Errorf("after three days %d wait, want the deletion", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM lanes WHERE waiting AND parked_at IS NOT NULL"); n != 1 {
			t.Error("the lane is not tried once a day")
		}
		if n := aged(31 * 24 * time.Hour); n != 0 {
			t.Errorf("after a month %d wait", n)
		}
	})
}
