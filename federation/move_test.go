package federation

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// moves has an account here move, as its settings page does.
func (n *server) moves(me community.Account, handle string) error {
	n.t.Helper()
	to, err := n.Fresh(context.Background(), handle)
	if err != nil {
		return err
	}
	return n.db.Write(context.Background(), func(tx *store.Tx) error {
		me, err := community.AccountByID(tx, me.ID)
		if err == nil {
			_, err = community.MoveTo(tx, me, to)
		}
		return err
	})
}

// names sets an account's aliases.
func (n *server) names(me community.Account, addresses ...string) {
	n.t.Helper()
	n.write(func(tx *store.Tx) error {
		me, err := community.AccountByID(tx, me.ID)
		if err == nil {
			_, err = community.SetAliases(tx, me, addresses)
		}
		return err
	})
	n.ring.settle()
}

// following lists whom somebody here follows, accepted or "asked ".
func (n *server) following(who community.Account) (names []string) {
	n.t.Helper()
	n.read(func(tx *store.Tx) error {
		return tx.Raw(`SELECT CASE WHEN f.state = 'accepted' THEN '' ELSE 'asked ' END || a.username || CASE WHEN a.host = '' THEN '' ELSE '@' || a.host END
			FROM follows f JOIN accounts a ON a.id = f.target_id WHERE f.follower_id = ? ORDER BY a.username`, who.ID).Scan(&names).Error
	})
	return names
}

func (n *server) told(who community.Account) (kinds []community.NotificationKind) {
	n.t.Helper()
	n.read(func(tx *store.Tx) error {
		list, err := community.Notifications(tx, who.ID, store.Page{})
		for _, one := range list {
			kinds = append(kinds, one.Kind)
		}
		return err
	})
	return kinds
}

// FEP-7628 (Move): a teacher changes schools; whoever follows her, at three
// schools, follows the new account. Mutes and blocks go along; the old account
// says where she is and writes no more.
func TestMoveBetweenServers(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, ash := r.start("oak.localhost"), r.start("elm.localhost"), r.start("ash.localhost")
		r.befriend()
		old, colleague := oak.person("amira"), oak.person("cy")
		now := elm.person("amira-b")
		reader, other, muter, blocker := ash.person("dee"), ash.person("eve"), ash.person("fay"), ash.person("gus")
		oak.follow(colleague, "@amira@oak.localhost")
		elm.follow(elm.person("hal"), "@amira@oak.localhost")
		for _, who := range []community.Account{reader, other, muter} {
			ash.follow(who, "@amira@oak.localhost")
		}
		ash.write(func(tx *store.Tx) error {
			them, err := community.AccountByHandle(tx, "amira", "oak.localhost")
			if err != nil {
				return err
			}
			if err := community.Mute(tx, muter, them, true, nil); err != nil {
				return err
			}
			return community.Block(tx, blocker, them)
		})
		r.settle()

		if err := oak.moves(old, "@amira-b@elm.localhost"); !fault.Is(err, fault.Invalid) {
			t.Fatalf("a move to an account that does not say so: %v", err)
		}
		elm.names(now, oak.site.Actor(old.ID))
		if err := oak.moves(old, "@amira-b@elm.localhost"); err != nil {
			t.Fatal(err)
		}
		r.settle()

		for who, want := range map[*server]community.Account{oak: colleague, ash: reader} {
			if got := who.following(want); !slices.Equal(got, []string{"amira-b@elm.localhost"}) {
				t.Errorf("%s follows %q", want.Username, got)
			}
			if got := who.told(want); !slices.Equal(got, []community.NotificationKind{community.NotifyMove}) {
				t.Errorf("%s was told %q", want.Username, got)
			}
		}
		if n := elm.count("SELECT followers FROM account_counts WHERE account_id = ?", now.ID); n != 5 {
			t.Errorf("the new account has %d followers", n)
		}
		if n := oak.count("SELECT followers FROM account_counts WHERE account_id = ?", old.ID); n != 0 {
			t.Errorf("the old account has %d followers", n)
		}
		if ash.count("SELECT COUNT(*) FROM mutes m JOIN accounts a ON a.id = m.target_id WHERE m.account_id = ? AND a.host = 'elm.localhost'", muter.ID) != 1 ||
			ash.count("SELECT COUNT(*) FROM blocks b JOIN accounts a ON a.id = b.target_id WHERE b.account_id = ? AND a.host = 'elm.localhost'", blocker.ID) != 1 {
			t.Error("mutes and blocks did not go along")
		}
		if len(ash.told(muter)) != 0 {
			t.Errorf("who muted was told %q", ash.told(muter))
		}
		if gone := ash.seen("@amira@oak.localhost"); gone.MovedTo != elm.site.Actor(now.ID) {
			t.Errorf("the copy of the old account has moved to %q", gone.MovedTo)
		}
		oak.read(func(tx *store.Tx) (err error) { old, err = community.AccountByID(tx, old.ID); return err })
		err := oak.db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := community.Publish(tx, old, community.Draft{Kind: community.Note, Audience: community.Public, Source: "Still here"})
			return err
		})
		if !fault.Is(err, fault.Forbidden) {
			t.Errorf("who has moved writes: %v", err)
		}
		// and takes it back
		oak.write(func(tx *store.Tx) error { _, err := community.StayHere(tx, old); return err })
		r.settle()
		oak.read(func(tx *store.Tx) (err error) { old, err = community.AccountByID(tx, old.ID); return err })
		oak.publish(old, community.Draft{Source: "Still here"})
	})
}

// Within one server, and to one that approves by hand.
func TestMoveWithinAServer(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		old, now, cy := oak.person("amira"), oak.person("amira2"), oak.person("cy")
		bo := elm.person("bo")
		oak.write(func(tx *store.Tx) (err error) {
			now, err = community.UpdateProfile(tx, now, community.Profile{Locked: true})
			return err
		})
		oak.follow(cy, "@amira")
		oak.follow(now, "@amira")
		elm.follow(bo, "@amira@oak.localhost")
		oak.names(now, oak.site.Actor(old.ID))
		if err := oak.moves(old, "@amira2"); err != nil {
			t.Fatal(err)
		}
		r.settle()
		if got := oak.following(cy); !slices.Equal(got, []string{"asked amira2"}) {
			t.Errorf("cy follows %q", got)
		}
		if got := elm.following(bo); !slices.Equal(got, []string{"asked amira2@oak.localhost"}) {
			t.Errorf("bo follows %q", got)
		}
		if got := oak.following(now); len(got) != 0 {
			t.Errorf("the new account follows %q", got)
		}
	})
}

// A Move is not believed for its own sake.
func TestForgedMove(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, x := r.start("oak.localhost"), r.start("elm.localhost"), r.start("x.localhost")
		oak.allow("elm.localhost")
		elm.allow("oak.localhost")
		r.settle()
		amira, mallory := oak.person("amira"), oak.person("mallory")
		bo := elm.person("bo")
		stranger := x.person("amira")
		for _, handle := range []string{"@amira@oak.localhost", "@mallory@oak.localhost"} {
			elm.follow(bo, handle)
		}
		before := elm.following(bo)
		move := func(name string, by community.Account, object, target string) {
			t.Helper()
			res := oak.say(by, elm, doc{"@context": "https://www.w3.org/ns/activitystreams", "id": oak.site.URL("/test/move/" + name), "type": "Move",
				"actor": oak.site.Actor(by.ID), "object": object, "target": target})
			if res.Status/100 != 2 {
				t.Errorf("%s: %d %s", name, res.Status, res.Body)
			}
			r.settle()
			if got := elm.following(bo); !slices.Equal(got, before) {
				t.Errorf("%s: bo follows %q", name, got)
			}
		}
		move("another", mallory, oak.site.Actor(amira.ID), oak.site.Actor(mallory.ID)) // somebody else's
		move("unnamed", amira, oak.site.Actor(amira.ID), oak.site.Actor(mallory.ID))   // the target does not say so
		move("stranger", amira, oak.site.Actor(amira.ID), x.site.Actor(stranger.ID))   // a server we do not talk to
		move("nowhere", amira, oak.site.Actor(amira.ID), oak.site.Actor(12345))
		move("nonsense", amira, oak.site.Actor(amira.ID), "javascript:alert(1)")
		if n := elm.count("SELECT COUNT(*) FROM accounts WHERE moved_to <> ''"); n != 0 {
			t.Errorf("%d accounts have moved", n)
		}
		// named: it counts once; to and fro is not followed
		oak.names(mallory, oak.site.Actor(amira.ID))
		before = []string{"mallory@oak.localhost"}
		move("real", amira, oak.site.Actor(amira.ID), oak.site.Actor(mallory.ID))
		hal := oak.person("hal")
		oak.names(hal, oak.site.Actor(amira.ID))
		elm.follow(elm.person("cy"), "@hal@oak.localhost")
		move("again", amira, oak.site.Actor(amira.ID), oak.site.Actor(hal.ID))
		oak.names(hal, oak.site.Actor(amira.ID), oak.site.Actor(mallory.ID))
		move("onward", mallory, oak.site.Actor(mallory.ID), oak.site.Actor(hal.ID))
	})
}

// A new account whose server does not answer is asked again later; the move is
// not lost with the process.
func TestMoveWaitsForItsTarget(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, ash := r.start("oak.localhost"), r.start("elm.localhost"), r.start("ash.localhost")
		r.befriend()
		old, now, bo := oak.person("amira"), ash.person("amira"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		ash.names(now, oak.site.Actor(old.ID))
		down := true
		ash.tap = func(w http.ResponseWriter, req *http.Request) bool {
			if down && req.Method == http.MethodGet && req.URL.Path != "/.well-known/nodeinfo" && req.Header.Get("Signature") != "" {
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			}
			return false
		}
		oak.say(old, elm, doc{"@context": "https://www.w3.org/ns/activitystreams", "id": oak.site.URL("/test/move/1"), "type": "Move",
			"actor": oak.site.Actor(old.ID), "object": oak.site.Actor(old.ID), "target": ash.site.Actor(now.ID)})
		r.settle()
		if got := elm.following(bo); !slices.Equal(got, []string{"amira@oak.localhost"}) {
			t.Fatalf("bo follows %q", got)
		}
		elm.stop()
		down = false
		elm.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE chores SET next_at = ?", tx.Now.Add(-time.Second)).Error
		})
		elm.run()
		r.settle()
		if got := elm.following(bo); !slices.Equal(got, []string{"amira@ash.localhost"}) {
			t.Errorf("bo follows %q", got)
		}
	})
}

// A blocked server is told once that the follows have ended, and then no more;
// one that is taken off the list for a while keeps them.
func TestBlockEndsFollows(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, cy, bo, dee := oak.person("amira"), oak.person("cy"), elm.person("bo"), elm.person("dee")
		oak.follow(amira, "@bo@elm.localhost")
		oak.follow(cy, "@bo@elm.localhost")
		elm.follow(bo, "@amira@oak.localhost")
		elm.follow(dee, "@amira@oak.localhost")

		oak.write(func(tx *store.Tx) error { return peers.Remove(tx, 0, "elm.localhost", "holidays") })
		r.settle()
		if n := oak.count("SELECT COUNT(*) FROM follows WHERE state = 'accepted'"); n != 4 {
			t.Errorf("a removal left %d of 4 follows", n)
		}
		oak.allow("elm.localhost")
		r.settle()

		oak.write(func(tx *store.Tx) error {
			_, err := community.BlockHost(tx, 0, "elm.localhost", peers.Entry{Reason: "a test"})
			return err
		})
		r.settle()
		for _, n := range []*server{oak, elm} {
			if left := n.count("SELECT COUNT(*) FROM follows"); left != 0 {
				t.Errorf("%s has %d follows", n.host, left)
			}
			if left := n.count("SELECT COALESCE(SUM(followers + following), 0) FROM account_counts"); left != 0 {
				t.Errorf("%s counts %d", n.host, left)
			}
		}
		if got := oak.told(amira); !slices.Equal(got, []community.NotificationKind{community.NotifySevered}) {
			t.Errorf("amira was told %q", got)
		}
		oak.read(func(tx *store.Tx) error {
			list, err := community.Notifications(tx, amira.ID, store.Page{})
			if err != nil {
				return err
			}
			told, err := community.SeveredBy(tx, []int64{list[0].ID})
			if s := told[list[0].ID]; s.Host != "elm.localhost" || s.Following != 1 || s.Followers != 2 {
				t.Errorf("amira was told %+v", s)
			}
			return err
		})
		var heard int
		elm.tap = func(http.ResponseWriter, *http.Request) bool { heard++; return false }
		oak.publish(amira, community.Draft{Source: "Not for elm"})
		if heard != 0 {
			t.Errorf("a blocked server heard of %d requests", heard)
		}
	})
}

// What an account says of where it has moved to is shown once the other account
// says so too, and not before.
//
// FEP-7628.
func TestUnprovedMovesAreNotShown(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.still("oak.localhost"), r.still("elm.localhost")
		oak.allow(elm.host)
		elm.allow(oak.host)
		mallory, bo := elm.person("mallory"), elm.person("bo")
		amira := oak.person("amira")
		look := func(claims string) community.Account {
			t.Helper()
			elm.exec("UPDATE accounts SET moved_to = ? WHERE id = ?", claims, mallory.ID)
			got, err := oak.Fresh(t.Context(), "@mallory@elm.localhost")
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		for _, claims := range []string{oak.site.Actor(amira.ID), elm.site.Actor(bo.ID), elm.site.Actor(mallory.ID), "http://nowhere.localhost/u/1"} {
			if got := look(claims); got.MovedTo != "" {
				t.Errorf("somebody who says they have moved to %s is shown as moved to %s", claims, got.MovedTo)
			}
		}
		elm.exec(`UPDATE accounts SET also_known_as = ? WHERE id = ?`, `["`+elm.site.Actor(mallory.ID)+`"]`, bo.ID)
		if got := look(elm.site.Actor(bo.ID)); got.MovedTo != "" {
			t.Error("an account that is not known here is taken at the other's word")
		}
		if _, err := oak.Fresh(t.Context(), "@bo@elm.localhost"); err != nil {
			t.Fatal(err)
		}
		if got := look(elm.site.Actor(bo.ID)); got.MovedTo != elm.site.Actor(bo.ID) {
			t.Errorf("a move that both tell of is shown as to %q", got.MovedTo)
		}
		if got := look(""); got.MovedTo != "" {
			t.Errorf("a move that was taken back is shown as to %q", got.MovedTo)
		}
	})
}

// Whoever stays after all keeps the followers who were not moved on yet.
func TestStayingStopsAMove(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak := r.still("oak.localhost")
		old, now, fan := oak.person("amira"), oak.person("amira-b"), oak.person("fan")
		oak.write(func(tx *store.Tx) (err error) {
			if _, err = community.Follow(tx, fan, old); err != nil {
				return err
			}
			now, err = community.SetAliases(tx, now, []string{oak.site.Actor(old.ID)})
			return err
		})
		if err := oak.moves(old, "@amira-b"); err != nil {
			t.Fatal(err)
		}
		var chores []community.Chore
		oak.write(func(tx *store.Tx) (err error) {
			if chores, err = community.DueChores(tx, 10); err != nil {
				return err
			}
			if old, err = community.AccountByID(tx, old.ID); err != nil {
				return err
			}
			old, err = community.StayHere(tx, old)
			return err
		})
		if len(chores) != 1 {
			t.Fatalf("%d chores", len(chores))
		}
		if err := oak.doMove(t.Context(), chores[0]); err != nil { // who works it had begun
			t.Fatal(err)
		}
		if got := oak.following(fan); !slices.Equal(got, []string{"amira"}) {
			t.Errorf("after the move was taken back the fan follows %q", got)
		}
		if err := oak.moves(old, "@amira-b"); err != nil {
			t.Fatal(err)
		}
		for oak.doChores(t.Context()) {
		}
		if got := oak.following(fan); !slices.Equal(got, []string{"amira-b"}) {
			t.Errorf("after a move the fan follows %q", got)
		}
	})
}
