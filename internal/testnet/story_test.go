package testnet_test

import (
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/testnet"
)

func TestPublishReachesFollowersElsewhere(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := net.Start("oak.test"), net.Start("elm.test")
		net.Befriend(oak, elm)
		amira, bo := oak.Teacher("amira"), elm.Teacher("bo")
		bo.Follow("@amira@oak.test")
		net.Settle()
		amira.WantNotified("follow @bo@elm.test")

		tickets := amira.Publish("Exit tickets in five minutes")
		net.Settle()
		bo.WantHome("Exit tickets in five minutes")
		bo.WantConnected("Exit tickets in five minutes")
		if got := bo.View(tickets); got.Kind != community.Practice || got.Author.Handle("elm.test") != "@amira@oak.test" {
			t.Errorf("bo is shown a %s by %s", got.Kind, got.Author.Handle("elm.test"))
		}
	})
}
