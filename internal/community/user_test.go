package community

import (
	"sync"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

func TestRoles(t *testing.T) {
	for _, tt := range []struct {
		role                    Role
		peers, people, moderate bool
		gives                   []Role
		ceiling                 Audience
	}{
		{Owner, true, true, true, Roles(), Public},
		{ITAdmin, true, true, false, []Role{Moderator, Member, Placement}, Public},
		{Moderator, false, false, true, nil, Public},
		{Member, false, false, false, nil, Public},
		{Placement, false, false, false, nil, Group},
	} {
		if tt.role.MayManagePeers() != tt.peers || tt.role.MayManagePeople() != tt.people || tt.role.MayModerate() != tt.moderate || tt.role.Ceiling() != tt.ceiling {
			t.Errorf("%s may other things than it should", tt.role)
		}
		for _, other := range Roles() {
			want := false
			for _, g := range tt.gives {
				want = want || g == other
			}
			if got := tt.role.MayGive(other); got != want {
				t.Errorf("%s gives %s: %v", tt.role, other, got)
			}
		}
	}
}

func TestMayEnter(t *testing.T) {
	now := time.Now()
	past, future := now.Add(-time.Second), now.Add(time.Hour)
	for _, tt := range []struct {
		name string
		user User
		want bool
	}{
		{"active", User{State: Active}, true},
		{"pending", User{State: Pending}, false},
		{"disabled", User{State: Disabled}, false},
		{"placement that runs", User{State: Active, EndsAt: &future}, true},
		{"placement that ended", User{State: Active, EndsAt: &past}, false},
		{"placement that ends now", User{State: Active, EndsAt: &now}, false},
	} {
		if err := tt.user.MayEnter(now); (err == nil) != tt.want || err != nil && !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestPlacement(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, teacher := w.local("amira", Placement), w.local("bo", Member)
		w.exec("UPDATE users SET ends_at = ? WHERE account_id = ?", time.Now().Add(time.Hour), amira.ID)
		for _, a := range []Audience{School, Followers, Network, Public} { // refused, not narrowed
			w.refuses(fault.Invalid, func(tx *store.Tx) error {
				_, err := Publish(tx, amira, Draft{Kind: Note, Source: "Hello @bo", Audience: a})
				return err
			})
		}
		w.publish(amira, Draft{Audience: Me})
		w.publish(amira, Draft{Audience: People, Source: "A question, @bo"})
		w.wantTold(teacher, NotifyMention)
		w.exec("UPDATE users SET ends_at = ? WHERE account_id = ?", time.Now().Add(-time.Hour), amira.ID)
		w.refuses(fault.Forbidden, func(tx *store.Tx) error {
			_, err := Publish(tx, amira, Draft{Kind: Note, Source: "Still here", Audience: Me})
			return err
		})
	})
}

func TestManagePeople(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		owner, admin, teacher := w.local("owner1", Owner), w.local("admin1", ITAdmin), w.local("bo", Member)
		w.refuses(fault.Forbidden, func(tx *store.Tx) error { return SetRole(tx, admin.ID, teacher.ID, Owner, nil) })
		w.refuses(fault.Forbidden, func(tx *store.Tx) error { return SetRole(tx, admin.ID, owner.ID, Member, nil) })
		w.refuses(fault.Forbidden, func(tx *store.Tx) error { return SetRole(tx, teacher.ID, teacher.ID, Moderator, nil) })
		w.refuses(fault.Invalid, func(tx *store.Tx) error { return SetRole(tx, admin.ID, teacher.ID, Placement, nil) })
		w.refuses(fault.Conflict, func(tx *store.Tx) error { return SetRole(tx, owner.ID, owner.ID, Member, nil) })
		w.refuses(fault.Conflict, func(tx *store.Tx) error { return Disable(tx, 0, owner.ID, "") })
		w.refuses(fault.Conflict, func(tx *store.Tx) error { return Suspend(tx, 0, owner.ID, "") })
		end := time.Now().Add(time.Hour)
		w.write(func(tx *store.Tx) error { return SetRole(tx, admin.ID, teacher.ID, Placement, &end) })
		w.write(func(tx *store.Tx) error { return Disable(tx, admin.ID, teacher.ID, "left") })
		w.write(func(tx *store.Tx) error { return Enable(tx, admin.ID, teacher.ID, "") })
		w.read(func(tx *store.Tx) error {
			p, err := PersonByID(tx, teacher.ID)
			if p.User.Role != Placement || p.User.EndsAt == nil || p.User.DefaultAudience != Group || p.User.State != Active {
				t.Errorf("%+v", p.User)
			}
			if err != nil {
				return err
			}
			lines, err := peers.Audit(tx, "@bo@oak.test", store.Page{})
			if len(lines) != 3 || lines[2].Action != "person.role" || lines[2].Before != "member" || *lines[1].ActorID != admin.ID || lines[1].Reason != "left" {
				t.Errorf("log: %+v", lines)
			}
			return err
		})
		w.write(func(tx *store.Tx) error { return SetRole(tx, 0, teacher.ID, Owner, nil) })
		w.write(func(tx *store.Tx) error { return SetRole(tx, teacher.ID, owner.ID, Member, nil) })
		w.read(func(tx *store.Tx) error {
			people, err := ListPeople(tx, Active, store.Page{})
			if len(people) != 3 || people[0].ID != teacher.ID || people[2].User.Role != Member {
				t.Errorf("people: %+v", people)
			}
			return err
		})
	})
}

func TestApply(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		owner, teacher := w.local("owner1", Owner), w.local("bo", Member)
		apply := func(name string) Account {
			var a Account
			w.write(func(tx *store.Tx) (err error) {
				n := newAccount(name)
				n.RequestText = "I teach year 3"
				n.Role = Owner // asking for it does not help
				a, err = Apply(tx, n)
				return err
			})
			return a
		}
		cy, di := apply("cy"), apply("di")
		w.wantTold(owner, NotifyRequest, NotifyRequest)
		w.wantTold(teacher)
		w.refuses(fault.Forbidden, func(tx *store.Tx) error { return Approve(tx, teacher.ID, cy.ID) })
		w.write(func(tx *store.Tx) error { return Approve(tx, owner.ID, cy.ID) })
		w.refuses(fault.Conflict, func(tx *store.Tx) error { return Approve(tx, owner.ID, cy.ID) })
		w.write(func(tx *store.Tx) error { return Decline(tx, owner.ID, di.ID, "unknown") })
		w.read(func(tx *store.Tx) error {
			p, err := PersonByID(tx, cy.ID)
			if p.User.State != Active || p.User.Role != Member || *p.User.ApprovedBy != owner.ID {
				t.Errorf("%+v", p.User)
			}
			if _, err := AccountByID(tx, di.ID); !fault.Is(err, fault.NotFound) {
				t.Errorf("declined, but still there: %v", err)
			}
			return err
		})
		apply("di") // the name is free again
	})
}

func TestUpdateSettings(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.local("amira", Member), w.local("bo", Placement)
		w.write(func(tx *store.Tx) error {
			return UpdateSettings(tx, amira.ID, Settings{Email: "Amira@oak.example", Locale: "mi", DefaultAudience: Network})
		})
		w.refuses(fault.Invalid, func(tx *store.Tx) error {
			return UpdateSettings(tx, bo.ID, Settings{Email: "amira@oak.example", DefaultAudience: Group})
		})
		w.refuses(fault.Invalid, func(tx *store.Tx) error { return UpdateSettings(tx, bo.ID, Settings{DefaultAudience: Public}) })
		w.read(func(tx *store.Tx) error {
			u, err := UserOf(tx, amira.ID)
			if u.Email != "amira@oak.example" || u.Locale != "mi" || u.DefaultAudience != Network {
				t.Errorf("%+v", u)
			}
			return err
		})
	})
}

// Two owners who take each other's role away at the same moment leave one.
func TestOwnersTakeTurns(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ana, ben := w.local("ana", Owner), w.local("ben", Owner)
		begun, done := make(chan struct{}), make(chan error, 1)
		begin := sync.OnceFunc(func() { close(begun) })
		go func() {
			<-begun
			done <- w.db.Write(t.Context(), func(tx *store.Tx) error { return SetRole(tx, 0, ben.ID, Member, nil) })
		}()
		w.write(func(tx *store.Tx) error {
			if err := SetRole(tx, 0, ana.ID, Member, nil); err != nil {
				return err
			}
			begin()
			time.Sleep(100 * time.Millisecond) // the other is on its way by then
			return nil
		})
		if err := <-done; !fault.Is(err, fault.Conflict) {
			t.Errorf("the second got %v, want a conflict", err)
		}
		if n := w.count("SELECT COUNT(*) FROM users WHERE role = 'owner'"); n != 1 {
			t.Errorf("%d owners are left", n)
		}
	})
}
