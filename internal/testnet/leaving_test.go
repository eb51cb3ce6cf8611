package testnet_test

import (
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/testnet"
)

// A teacher changes schools: she names the old account at the new school,
// moves, and deletes the old one. Whoever followed her reads on, and nothing of
// the old account is left anywhere.
func TestTeacherChangesSchools(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm, ash := net.Start("oak.test"), net.Start("elm.test"), net.Start("ash.test")
		net.Befriend(oak, elm)
		net.Befriend(oak, ash)
		net.Befriend(elm, ash)
		oak.Person("head", community.Owner)
		old, now, bo := oak.Teacher("amira"), elm.Teacher("amira"), ash.Teacher("bo")
		bo.Follow(old.Handle())
		net.Settle()
		story := old.Publish("Exit tickets in five minutes")
		net.Settle()
		bo.WantHome("Exit tickets in five minutes")

		now.Name(old.Handle())
		old.Move(now.Handle())
		net.Settle()
		now.Publish("A new school")
		net.Settle()
		bo.WantHome("A new school")
		bo.WantNotified("move @amira@elm.test")

		old.Leave()
		net.Settle()
		if bo.Sees(story) {
			t.Error("the old account's story is still to be seen")
		}
		if a, err := bo.Look(old.Handle()); err == nil && !a.Gone() {
			t.Error("the old account is still to be found")
		}
		bo.WantHome("A new school")
	})
}
