package testnet_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

// at is a server whose tables a test asks beside it.
type at struct {
	t *testing.T
	*testnet.Server
}

func (s at) write(fn func(tx *store.Tx) error) {
	s.t.Helper()
	if err := s.DB().Write(s.t.Context(), fn); err != nil {
		s.t.Fatalf("%s: %v", s.Host, err)
	}
}

func (s at) count(sql string, args ...any) (n int) {
	s.t.Helper()
	err := s.DB().Read(s.t.Context(), func(tx *store.Tx) error { return tx.Raw(sql, args...).Scan(&n).Error })
	if err != nil {
		s.t.Fatalf("%s: %v", s.Host, err)
	}
	return n
}

func (s at) end(deed func(*store.Tx, int64, string, peers.Ending) (peers.Peer, error), host string, e peers.Ending) {
	s.t.Helper()
	s.write(func(tx *store.Tx) error { _, err := deed(tx, 0, host, e); return err })
}

func (s at) impact(host string) (i community.Impact) {
	s.t.Helper()
	s.write(func(tx *store.Tx) (err error) { i, err = community.ImpactOf(tx, host, false); return err })
	return i
}

func idOf(s at, who *testnet.Teacher, handle string) int64 {
	s.t.Helper()
	a, err := who.Look(handle)
	if err != nil {
		s.t.Fatal(err)
	}
	return a.ID
}

// knot ties two schools together in every way there is, and returns two posts
// of elm's that oak knows.
func knot(t *testing.T, net *testnet.Net, oak, elm at) (amira, cy, bo *testnet.Teacher, first, second testnet.Post) {
	net.Befriend(oak.Server, elm.Server)
	amira, cy, bo = oak.Teacher("amira"), oak.Teacher("cy"), elm.Teacher("bo")
	dee, eve := elm.Teacher("dee"), elm.Teacher("eve")
	dee.Lock()
	amira.Follow(bo.Handle())
	amira.Follow(dee.Handle()) // asked, not answered
	cy.Follow(bo.Handle())
	bo.Follow(amira.Handle())
	eve.Follow(cy.Handle())
	net.Settle()
	first, second = bo.Publish("Exit tickets"), bo.Publish("Retrieval grids")
	bo.PublishTo(community.Followers, "Only for those who follow me")
	net.Settle()
	amira.Like(first)
	cy.Reply(first, "We use them too")
	mine := amira.Publish("Number talks")
	amira.PublishTo(community.Network, "Only for connected schools")
	net.Settle()
	bo.Like(mine)
	bo.Reply(mine, "How long?")
	net.Settle()
	theBo, theDee, theEve := idOf(oak, amira, bo.Handle()), idOf(oak, amira, dee.Handle()), idOf(oak, amira, eve.Handle())
	oak.write(func(tx *store.Tx) error {
		if err := community.Mute(tx, amira.Account, community.Account{ID: theDee, Host: elm.Host}, true, nil); err != nil {
			return err
		}
		eve, err := community.AccountByID(tx, theEve)
		if err != nil {
			return err
		}
		if err := community.Block(tx, amira.Account, eve); err != nil {
			return err
		}
		list, err := community.CreateList(tx, amira.Account, community.ListForm{Title: "Elm", Replies: "list"})
		if err != nil {
			return err
		}
		return community.AddToList(tx, amira.Account, list.ID, []int64{theBo})
	})
	net.Settle()
	return amira, cy, bo, first, second
}

// Everything between two schools is after a pause as it was before: follows,
// requests, memberships, mutes, blocks, lists, notifications, what is at home.
// Nothing of it passes meanwhile, and who tries is told why.
func TestPauseResumeEqualityOfRelationships(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := at{t, net.Start("oak.test")}, at{t, net.Start("elm.test")}
		amira, cy, bo, first, second := knot(t, net, oak, elm)
		before := oak.Snapshot()
		oak.end(peers.Pause, "elm.test", peers.Ending{Reason: "Their server was broken into"})
		net.Settle()

		if !amira.Sees(first) || !amira.Sees(second) {
			t.Error("what came before the pause cannot be read")
		}
		for what, try := range map[string]func() error{
			"a reply": func() error { return amira.TryReply(first, "Still there?") },
			"a boost": func() error { return amira.TryBoost(second) },
			"a like": func() error {
				return oak.DB().Write(t.Context(), func(tx *store.Tx) error {
					p, err := community.PostByURI(tx, second.IRI)
					if err == nil {
						_, err = community.Like(tx, cy.Account, p.ID)
					}
					return err
				})
			},
			"a follow": func() error {
				return oak.DB().Write(t.Context(), func(tx *store.Tx) error {
					var dee community.Account
					if err := tx.Where("username = 'dee' AND host = 'elm.test'").Take(&dee).Error; err != nil {
						return err
					}
					_, err := community.Follow(tx, cy.Account, dee)
					return err
				})
			},
		} {
			if err := try(); !fault.Is(err, fault.Forbidden) || fault.Of(err).Key != "peers.paused" {
				t.Errorf("%s during the pause: %v", what, err)
			}
		}
		bo.Publish("Written during the pause")
		net.Settle()
		oak.end(peers.Resume, "elm.test", peers.Ending{})
		net.Settle()

		lines, rows := oak.Snapshot().Since(before)
		if !slices.Equal(lines, []string{"audit +2", "audit_chain +2", "peers ~1"}) {
			t.Errorf("after the pause it is not as before: %v\n%s", lines, strings.Join(rows, "\n"))
		}
		amira.Reply(first, "Back again")
		net.Settle()
		if elm.count("SELECT COUNT(*) FROM posts WHERE html LIKE '%Back again%'") != 1 {
			t.Error("nothing passes after the pause")
		}
	})
}

// What is deleted or taken back on either side during a pause is not lost: it
// has its effect when the pause is over.
func TestDeletionsOutliveAPause(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := at{t, net.Start("oak.test")}, at{t, net.Start("elm.test")}
		amira, _, bo, first, second := knot(t, net, oak, elm)
		mine := amira.Publish("To be taken back")
		net.Settle()
		oak.end(peers.Pause, "elm.test", peers.Ending{})
		bo.Delete(second)
		amira.Delete(mine)
		amira.Unlike(first)
		net.Settle()
		const left = "SELECT COUNT(*) FROM posts WHERE uri = ? AND deleted_at IS NULL"
		if oak.count(left, second.IRI) != 1 {
			t.Error("a deletion had its effect during the pause")
		}
		if elm.count(left, mine.IRI) != 1 {
			t.Error("a deletion of ours went out during the pause")
		}
		oak.end(peers.Resume, "elm.test", peers.Ending{})
		net.Settle()
		if oak.count(left, second.IRI) != 0 || elm.count(left, mine.IRI) != 0 {
			t.Error("a deletion was lost by the pause")
		}
		if n := elm.count("SELECT COUNT(*) FROM likes l JOIN accounts a ON a.id = l.account_id WHERE a.username = 'amira'"); n != 0 {
			t.Error("a like that was taken back is still there")
		}
	})
}

// The impact card says what then happens, a retirement puts the ties aside and
// takes our posts back, and resuming restores what can be restored.
func TestImpactCardCountsEqualToWhatThenHappens(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := at{t, net.Start("oak.test")}, at{t, net.Start("elm.test")}
		amira, cy, bo, first, second := knot(t, net, oak, elm)
		card := oak.impact("elm.test")
		if card.Following != 2 || card.Followers != 2 || card.Requests != 1 || card.People != 2 || card.Threads != 2 || card.Posts == 0 || card.Used == 0 ||
			card.Unused() == 0 || card.OursClosed == 0 || card.OursPublic == 0 {
			t.Errorf("the card says %+v", card)
		}
		var csv [][]string
		oak.write(func(tx *store.Tx) error {
			csv = nil
			return community.EachImpact(tx, "elm.test", false, func(cells []string) error { csv = append(csv, cells); return nil })
		})
		if len(csv) != card.Following+card.Followers+card.Requests+card.Groups+card.Threads+card.Quotes {
			t.Errorf("the list has %d lines for %+v: %q", len(csv), card, csv)
		}
		told := oak.count("SELECT COUNT(*) FROM notifications WHERE kind = 'severed'")
		oak.end(peers.Retire, "elm.test", peers.Ending{Reason: "The project is over", Withdraw: peers.WithdrawClosed})
		net.Settle()

		ties := func(where string) int { return oak.count("SELECT COUNT(*) FROM severed_ties WHERE " + where) }
		for what, pair := range map[string][2]int{
			"follows":                  {card.Following, ties("kind = 'follow' AND state = 'accepted'")},
			"followers":                {card.Followers, ties("kind = 'follower' AND state = 'accepted'")},
			"requests":                 {card.Requests, ties("state = 'requested'")},
			"people told":              {card.People, oak.count("SELECT COUNT(*) FROM notifications WHERE kind = 'severed'") - told},
			"posts kept":               {card.Used, oak.count("SELECT COUNT(*) FROM posts WHERE author_host = 'elm.test' AND deleted_at IS NULL")},
			"posts of ours taken back": {card.OursClosed, elm.count("SELECT COUNT(*) FROM posts WHERE author_host = 'oak.test' AND audience <> 'public' AND deleted_at IS NOT NULL")},
			"follows left":             {0, oak.count("SELECT COUNT(*) FROM follows f JOIN accounts a ON a.id IN (f.follower_id, f.target_id) WHERE a.host = 'elm.test'")},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s: the card says %d, and then it is %d", what, pair[0], pair[1])
			}
		}
		if elm.count("SELECT COUNT(*) FROM posts WHERE author_host = 'oak.test' AND audience = 'public' AND deleted_at IS NOT NULL") != 0 {
			t.Error("public posts were taken back, which nobody had asked for")
		}
		if n := elm.count("SELECT COUNT(*) FROM follows f JOIN accounts a ON a.id IN (f.follower_id, f.target_id) WHERE a.host = 'oak.test'"); n != 0 {
			t.Errorf("their server was not told of %d follows that ended", n)
		}
		if !amira.Sees(first) || amira.Sees(second) {
			t.Error("what somebody answered is gone, or what nobody used is kept")
		}
		if err := cy.TryReply(first, "One more thing"); fault.Of(err).Key != "peers.ended" {
			t.Errorf("a reply after the end: %v", err)
		}

		oak.end(peers.Resume, "elm.test", peers.Ending{})
		net.Settle()
		if n := oak.count("SELECT COUNT(*) FROM follows WHERE follower_local AND state = 'accepted' AND target_id IN (SELECT id FROM accounts WHERE host = 'elm.test')"); n != card.Following {
			t.Errorf("%d of %d follows came back", n, card.Following)
		}
		if n := oak.count("SELECT COUNT(*) FROM list_members m JOIN accounts a ON a.id = m.target_id WHERE a.host = 'elm.test'"); n != 1 {
			t.Errorf("%d people came back to their lists", n)
		}
		bo.Follow(amira.Handle())
		net.Settle()
		if n := ties("restored_at IS NULL AND kind = 'follower' AND state = 'accepted'"); n != card.Followers-1 { // eve has not come back
			t.Errorf("%d followers are missing still", n)
		}
	})
}

// Erasure works after a break-up: what a former peer deletes, takes back or
// ends of its own is honoured.
func TestDeleteFromRetiredPeerHonoured(t *testing.T) {
	ends := []struct {
		name string
		end  func(tx *store.Tx, host string) error
	}{
		{"retired", func(tx *store.Tx, host string) error {
			_, err := peers.Retire(tx, 0, host, peers.Ending{Reason: "a test"})
			return err
		}},
		{"expired", expiring(-time.Hour)},
		{"removed", func(tx *store.Tx, host string) error { return peers.Remove(tx, 0, host, "") }},
		{"to be purged", func(tx *store.Tx, host string) error {
			_, err := peers.Purge(tx, 0, host, peers.Ending{Reason: "a test"})
			return err
		}},
	}
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak := at{t, net.Start("oak.test")}
		amira := oak.Teacher("amira")
		for _, e := range ends {
			host := strings.ReplaceAll(e.name, " ", "-") + ".test"
			x := net.Stranger(host)
			oak.Admin().Allow(host)
			net.Settle()
			amira.Follow("@pat@" + host)
			net.Settle()
			x.Send(oak.Server, x.Follows("pat", amira.Account.IRI(oak.DB().Site())))
			create := x.Note("pat", "To be erased")
			note := create["object"].(map[string]any)["id"].(string)
			if status, body := x.Send(oak.Server, create); status != 202 {
				t.Fatalf("%s: %d %s", host, status, body)
			}
			net.Settle()
			oak.write(func(tx *store.Tx) error {
				p, err := community.PostByURI(tx, note)
				if err == nil {
					_, err = community.Bookmark(tx, amira.Account, p.ID)
				}
				return err
			})
			oak.write(func(tx *store.Tx) error { return e.end(tx, host) })
			net.Settle()
			const left = "SELECT COUNT(*) FROM posts WHERE uri = ? AND deleted_at IS NULL"
			if oak.count(left, note) != 1 {
				t.Errorf("%s: what somebody saved is not kept", e.name)
			}
			if status, _ := x.Send(oak.Server, x.Note("pat", "And one more")); status != 403 {
				t.Errorf("%s: a post is answered with %d", e.name, status)
			}
			status, body := x.Send(oak.Server, map[string]any{"id": x.URL("/deletions/1"), "type": "Delete", "actor": x.Actor("pat"), "object": note})
			net.Settle()
			if status != 202 || oak.count(left, note) != 0 {
				t.Errorf("%s: a deletion is answered with %d %s, and left are %d", e.name, status, body, oak.count(left, note))
			}
		}
	})
}

// A purge can be taken back for a week. Then nothing is left of the peer but
// how many ties there were, and what people here decided about its people.
func TestPurge(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := at{t, net.Start("oak.test")}, at{t, net.Start("elm.test")}
		amira, _, bo, _, _ := knot(t, net, oak, elm)
		card := oak.impact("elm.test")
		oak.end(peers.Purge, "elm.test", peers.Ending{Reason: "They asked for it"})
		net.Settle()
		if n := oak.count("SELECT COUNT(*) FROM posts WHERE author_host = 'elm.test' AND deleted_at IS NULL"); n != card.Used {
			t.Errorf("before its time the purge left %d posts of %d", n, card.Used)
		}
		soon := func() {
			oak.write(func(tx *store.Tx) error {
				if err := tx.Exec("UPDATE peers SET purge_at = ? WHERE purge_at IS NOT NULL", tx.Now).Error; err != nil {
					return err
				}
				tx.Announce(community.ChoreQueued, 0)
				return tx.Exec("UPDATE chores SET next_at = ? WHERE kind = 'drop'", tx.Now).Error
			})
			net.Settle()
		}
		oak.end(peers.Unpurge, "elm.test", peers.Ending{})
		soon()
		if n := oak.count("SELECT COUNT(*) FROM posts WHERE author_host = 'elm.test' AND deleted_at IS NULL"); n != card.Used {
			t.Errorf("the purge was taken back, and %d posts of %d are left", n, card.Used)
		}
		oak.end(peers.Purge, "elm.test", peers.Ending{Reason: "They asked again"})
		soon()
		for what, n := range map[string]int{
			"posts":    oak.count("SELECT COUNT(*) FROM posts WHERE author_host = 'elm.test' AND (deleted_at IS NULL OR html <> '')"),
			"profiles": oak.count("SELECT COUNT(*) FROM accounts WHERE host = 'elm.test' AND (display_name <> '' OR bio_html <> '' OR avatar <> '')"),
			"keys":     oak.count("SELECT COUNT(*) FROM account_keys k JOIN accounts a ON a.id = k.account_id WHERE a.host = 'elm.test'"),
			"likes":    oak.count("SELECT COUNT(*) FROM likes l JOIN accounts a ON a.id = l.account_id WHERE a.host = 'elm.test'"),
			"ties":     oak.count("SELECT COUNT(*) FROM severed_ties"),
			"chores":   oak.count("SELECT COUNT(*) FROM chores"),
		} {
			if n != 0 {
				t.Errorf("after the purge there are %d %s", n, what)
			}
		}
		if n := oak.count("SELECT COALESCE(SUM(ties), 0) FROM severed_counts WHERE peer = 'elm.test'"); n != card.Following+card.Followers+card.Requests {
			t.Errorf("%d ties are counted", n)
		}
		if oak.count("SELECT COUNT(*) FROM blocks")+oak.count("SELECT COUNT(*) FROM mutes") != 2 {
			t.Error("what people here decided about its people is gone")
		}
		oak.Admin().Allow("elm.test") // and it can begin anew
		net.Settle()
		amira.Follow(bo.Handle())
		net.Settle()
		bo.Publish("A new beginning")
		net.Settle()
		if n := oak.count("SELECT COUNT(*) FROM posts WHERE author_host = 'elm.test' AND deleted_at IS NULL"); n == 0 {
			t.Error("nothing arrives after a new beginning")
		}
	})
}

// Of every kind of post and tie the card says what then happens, on both sides:
// also of posts that the other server got by asking for them, of those that were
// passed on, deleted or wait to be looked at, and of who follows two people.
func TestImpactCardCountsEveryKind(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm, ash := at{t, net.Start("oak.test")}, at{t, net.Start("elm.test")}, at{t, net.Start("ash.test")}
		net.Befriend(oak.Server, elm.Server, ash.Server)
		amira, cy, dan := oak.Teacher("amira"), oak.Teacher("cy"), oak.Teacher("dan")
		bo, eve, ann := elm.Teacher("bo"), elm.Teacher("eve"), ash.Teacher("ann")
		amira.Follow(bo.Handle())
		amira.Follow(eve.Handle()) // two follows, one person
		cy.Follow(bo.Handle())
		bo.Follow(amira.Handle())
		bo.Follow(ann.Handle())
		ann.Follow(amira.Handle())
		dan.Follow(ann.Handle())
		net.Settle()

		// ours: delivered to followers, boosted, answering, fetched, deleted
		mine := amira.Publish("Number talks")
		amira.PublishTo(community.Network, "Only for connected schools")
		gone := amira.Publish("Written by mistake")
		amira.PublishTo(community.School, "The staff room")
		passed := cy.Publish("Passed on to followers")
		cy.Publish("Nobody at elm has this")
		theirs := ann.Publish("By a third school")
		net.Settle()
		amira.Boost(passed)
		dan.Reply(theirs, "Fetched by elm with its conversation")
		amira.Delete(gone)
		first, second := bo.Publish("Exit tickets"), bo.Publish("Retrieval grids")
		oops := bo.Publish("Taken back")
		net.Settle()
		cy.Reply(first, "We use them too")
		bo.Reply(mine, "How long?")
		bo.Boost(mine)
		eve.Boost(first)
		bo.Delete(oops)
		net.Settle()
		elm.write(func(tx *store.Tx) error {
			p, err := community.PostByURI(tx, theirs.IRI)
			if err == nil {
				elm.Federation().FillThread(p)
			}
			return err
		})
		net.Settle()
		oak.write(func(tx *store.Tx) error { // and one of elm's waits to be looked at
			return tx.Exec("UPDATE peers SET hold = 'all' WHERE host = 'elm.test'").Error
		})
		bo.Publish("Waits")
		net.Settle()

		const had = "SELECT COUNT(*) FROM posts WHERE author_host = 'oak.test' AND boost_of_id IS NULL AND deleted_at IS NULL AND audience "
		public, closed := elm.count(had+"= 'public'"), elm.count(had+"<> 'public'")
		if public != 4 || closed != 1 {
			t.Fatalf("elm has %d public and %d other posts of oak's", public, closed)
		}
		const taken = "SELECT COUNT(*) FROM posts WHERE author_host = 'oak.test' AND boost_of_id IS NULL AND deleted_at IS NOT NULL AND audience "
		public0, closed0 := elm.count(taken+"= 'public'"), elm.count(taken+"<> 'public'")
		card := oak.impact("elm.test")
		posts := oak.count("SELECT COUNT(*) FROM posts WHERE author_host = 'elm.test' AND boost_of_id IS NULL AND deleted_at IS NULL")
		people := oak.count("SELECT COUNT(DISTINCT f.follower_id) FROM follows f JOIN accounts a ON a.id = f.target_id WHERE f.follower_local AND a.host = 'elm.test'")
		var ties community.Ties
		oak.write(func(tx *store.Tx) (err error) { ties, err = community.TiesWith(tx, "elm.test", false); return err })
		if ties.Following != people || ties.Posts != posts || card.Posts != posts {
			t.Errorf("the page says that %d people follow and %d posts are here (the card: %d); it is %d and %d", ties.Following, ties.Posts, card.Posts, people, posts)
		}
		oak.end(peers.Retire, "elm.test", peers.Ending{Reason: "The project is over", Withdraw: peers.WithdrawClosed | peers.WithdrawPublic})
		net.Settle()
		for what, three := range map[string][3]int{
			"follows":            {card.Following, 3, oak.count("SELECT COUNT(*) FROM severed_ties WHERE kind = 'follow'")},
			"followers":          {card.Followers, 1, oak.count("SELECT COUNT(*) FROM severed_ties WHERE kind = 'follower'")},
			"people told":        {card.People, 2, oak.count("SELECT COUNT(*) FROM notifications WHERE kind = 'severed'")},
			"posts kept":         {card.Used, 2, oak.count("SELECT COUNT(*) FROM posts WHERE author_host = 'elm.test' AND boost_of_id IS NULL AND deleted_at IS NULL")},
			"posts dropped":      {card.Unused(), 1, posts - oak.count("SELECT COUNT(*) FROM posts WHERE author_host = 'elm.test' AND boost_of_id IS NULL AND deleted_at IS NULL")},
			"public posts back":  {card.OursPublic, public, elm.count(taken+"= 'public'") - public0},
			"other posts back":   {card.OursClosed, closed, elm.count(taken+"<> 'public'") - closed0},
			"public posts there": {0, elm.count(had + "= 'public'"), 0},
			"other posts there":  {0, elm.count(had + "<> 'public'"), 0},
			"posts that wait":    {1, 1, oak.count("SELECT COUNT(*) FROM held_items WHERE host = 'elm.test' AND decision = ''")},
		} {
			if three[0] != three[1] || three[1] != three[2] {
				t.Errorf("%s: the card says %d, it should be %d, and then it is %d", what, three[0], three[1], three[2])
			}
		}
		if after := oak.impact("elm.test"); after.OursPublic+after.OursClosed != 0 {
			t.Errorf("the card still counts what was asked back: %+v", after)
		}
		if !amira.Sees(first) || amira.Sees(second) {
			t.Error("what somebody answered is gone, or what nobody used is kept")
		}
	})
}

// A server that looked a post up, and was never sent it, hears as well what
// becomes of it: that it was changed, and that it was deleted.
func TestWhoFetchedAPostHearsOfIt(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := at{t, net.Start("oak.test")}, at{t, net.Start("elm.test")}
		net.Befriend(oak.Server, elm.Server)
		amira := oak.Teacher("amira")
		post := amira.Publish("Number talks")
		net.Settle()
		titled := func(title string) int {
			t.Helper()
			return elm.count("SELECT COUNT(*) FROM posts WHERE uri = ? AND title = ? AND deleted_at IS NULL", post.IRI, title)
		}
		if titled("Number talks") != 0 {
			t.Fatal("elm was sent the post, whom nobody there follows")
		}
		if _, err := elm.Federation().ResolvePost(t.Context(), post.IRI); err != nil {
			t.Fatal(err)
		}
		net.Settle()
		if titled("Number talks") != 1 {
			t.Fatal("elm has not got what it looked up")
		}
		amira.Retitle(post, "Number talks, again")
		net.Settle()
		if titled("Number talks, again") != 1 {
			t.Error("who looked it up was not told that it was changed")
		}
		amira.Delete(post)
		net.Settle()
		if elm.count("SELECT COUNT(*) FROM posts WHERE uri = ? AND deleted_at IS NULL", post.IRI) != 0 {
			t.Error("who looked it up was not told that it was deleted")
		}
	})
}
