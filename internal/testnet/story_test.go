package testnet_test

import (
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/testnet"
)

// twoSchools starts two connected schools with a teacher each; bo, at the
// second, follows amira, at the first.
func twoSchools(net *testnet.Net) (amira, bo *testnet.Teacher, oak, elm *testnet.Server) {
	oak, elm = net.Start("oak.test"), net.Start("elm.test")
	net.Befriend(oak, elm)
	amira, bo = oak.Teacher("amira"), elm.Teacher("bo")
	bo.Follow("@amira@oak.test")
	net.Settle()
	return amira, bo, oak, elm
}

func TestPublishReachesFollowersElsewhere(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		amira, bo, _, _ := twoSchools(net)
		amira.WantNotified("follow @bo@elm.test")

		tickets := amira.Publish("Exit tickets in five minutes")
		net.Settle()
		bo.WantHome("Exit tickets in five minutes")
		bo.WantConnected("Exit tickets in five minutes")
		view := bo.View(tickets)
		if view.Kind != community.Practice || view.Author.Handle("elm.test") != "@amira@oak.test" {
			t.Errorf("bo is shown a %s by %s", view.Kind, view.Author.Handle("elm.test"))
		}
	})
}

func TestConversationAcrossSchools(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		amira, bo, _, elm := twoSchools(net)
		question := amira.Ask("Whose class keeps a reading log?")
		net.Settle()
		answer := bo.Reply(question, "Ours does, on one card a week.")
		net.Settle()
		amira.WantNotified("reply @bo@elm.test", "follow @bo@elm.test")

		amira.AcceptAnswer(question, answer)
		amira.Like(answer)
		net.Settle()
		bo.WantNotified("like @amira@oak.test", "answer @amira@oak.test")
		if v := bo.View(question); v.AcceptedAnswerID == nil || v.RepliesCount != 1 {
			t.Errorf("at bo's school the question has %d replies and the accepted answer %v", v.RepliesCount, v.AcceptedAnswerID)
		}

		// A third person, at bo's school, uses what amira wrote.
		practice := amira.Publish("Two-minute retrieval grids")
		net.Settle()
		cy := elm.Teacher("cy")
		cy.Acknowledge(practice, "I used this with Year 9.")
		net.Settle()
		if v := amira.View(practice); v.UsesCount != 1 {
			t.Errorf("amira's post was used %d times, want 1", v.UsesCount)
		}
		amira.WantNotified("acknowledgement @cy@elm.test", "reply @bo@elm.test", "follow @bo@elm.test")
	})
}

func TestEditsAndDeletionsFollowAPost(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		amira, bo, _, _ := twoSchools(net)
		post := amira.Publish("Exit tikets")
		net.Settle()
		amira.Retitle(post, "Exit tickets")
		net.Settle()
		bo.WantHome("Exit tickets")
		if v := bo.View(post); v.EditedAt == nil {
			t.Error("bo is not told that the post was edited")
		}
		amira.Delete(post)
		net.Settle()
		bo.WantHome()
		if bo.Sees(post) {
			t.Error("bo still sees the deleted post")
		}
	})
}

func TestLikesAndBoostsComeAndGo(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		amira, bo, oak, _ := twoSchools(net)
		cy := oak.Teacher("cy")
		cy.Follow("@bo@elm.test")
		net.Settle()
		post := amira.Publish("Thinking aloud")
		net.Settle()
		bo.Like(post)
		bo.Boost(post)
		net.Settle()
		if v := amira.View(post); v.LikesCount != 1 || v.BoostsCount != 1 {
			t.Errorf("%d likes and %d boosts, want one each", v.LikesCount, v.BoostsCount)
		}
		cy.WantHome("↻ Thinking aloud")
		bo.Unlike(post)
		net.Settle()
		if v := amira.View(post); v.LikesCount != 0 {
			t.Errorf("after the like was taken back: %d", v.LikesCount)
		}
	})
}

func TestFollowsAskWhereTheyMust(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := net.Start("oak.test"), net.Start("elm.test")
		net.Befriend(oak, elm)
		amira, bo, cy := oak.Teacher("amira"), elm.Teacher("bo"), elm.Teacher("cy")
		amira.Lock()
		bo.Follow("@amira@oak.test")
		cy.Follow("@amira@oak.test")
		net.Settle()
		amira.PublishTo(community.Followers, "For those I know")
		net.Settle()
		amira.Accept("@bo@elm.test")
		amira.Reject("@cy@elm.test")
		net.Settle()
		amira.PublishTo(community.Followers, "Also for those I know")
		net.Settle()
		bo.WantHome("Also for those I know")
		cy.WantHome()

		bo.Unfollow("@amira@oak.test")
		net.Settle()
		amira.PublishTo(community.Followers, "Who is left?")
		net.Settle()
		bo.WantHome()
	})
}

func TestAudiencesKeepTheirWalls(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm, fir := net.Start("oak.test"), net.Start("elm.test"), net.Start("fir.test")
		net.Befriend(oak, elm, fir)
		oak.Admin().AllowUpTo("fir.test", peers.CeilingPublic) // fir gets what is public, no more
		net.Settle()
		amira, ben := oak.Teacher("amira"), oak.Teacher("ben")
		bo, cy := elm.Teacher("bo"), elm.Teacher("cy")
		di := fir.Teacher("di")
		for _, reader := range []*testnet.Teacher{bo, di} {
			reader.Follow("@amira@oak.test")
		}
		net.Settle()

		posts := map[community.Audience]testnet.Post{}
		for _, a := range []community.Audience{community.Me, community.School, community.Followers, community.Network, community.Public} {
			posts[a] = amira.PublishTo(a, "For "+string(a))
		}
		net.Settle()
		for _, tt := range []struct {
			reader *testnet.Teacher
			sees   []community.Audience
		}{
			{amira, []community.Audience{community.Me, community.School, community.Followers, community.Network, community.Public}},
			{ben, []community.Audience{community.School, community.Network, community.Public}},
			{bo, []community.Audience{community.Followers, community.Network, community.Public}},
			{cy, []community.Audience{community.Network, community.Public}},
			{di, []community.Audience{community.Public}},
		} {
			want := map[community.Audience]bool{}
			for _, a := range tt.sees {
				want[a] = true
			}
			for a, post := range posts {
				if got := tt.reader.Sees(post); got != want[a] {
					t.Errorf("%s sees the post for %s: %v, want %v", tt.reader.Handle(), a, got, want[a])
				}
			}
		}
		bo.WantHome("For public", "For network", "For followers")
		di.WantHome("For public")
		cy.WantConnected("For public", "For network")

		// What is for the network cannot be passed on to the world.
		if err := bo.TryBoost(posts[community.Network]); !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.Invalid) {
			t.Errorf("boosting a network post: %v, want a refusal", err)
		}
	})
}

func TestBlocksBetweenPeople(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		amira, bo, _, _ := twoSchools(net)
		post := amira.Publish("Before the block")
		net.Settle()
		bo.WantHome("Before the block")
		amira.Block("@bo@elm.test")
		net.Settle()
		amira.Publish("After the block")
		net.Settle()
		bo.WantHome()
		if err := bo.TryReply(post, "But why?"); err == nil {
			net.Settle()
			if v := amira.View(post); v.RepliesCount != 0 {
				t.Error("the reply of somebody who is blocked arrived")
			}
		}
	})
}

func TestStopLosesNothing(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		amira, bo, oak, elm := twoSchools(net)
		elm.Stop()
		amira.Publish("While elm sleeps")
		oak.Stop() // with the delivery still to be made
		elm.Resume()
		oak.Resume()
		net.Settle()
		bo.WantHome("While elm sleeps")
		amira.Publish("And on it goes")
		net.Settle()
		bo.WantHome("And on it goes", "While elm sleeps")
	})
}
