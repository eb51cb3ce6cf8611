package community

import (
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// What somebody is told, and what they keep of others, is found by keys: none
// of it may walk a table that grows with the community.
func TestPeopleAreServedByIndexes(t *testing.T) {
	w := &world{t: t, db: storetest.Open(t)}
	me, amira := w.local("me", Member), w.local("amira", Member)
	bo := w.remote("bo", "elm.test")
	w.follows(me, amira)
	w.follows(bo, me)
	p := w.publish(me, Draft{})
	w.write(func(tx *store.Tx) error {
		_, err := Like(tx, amira, p.ID)
		return err
	})
	var n Notification
	w.read(func(tx *store.Tx) error { return tx.Where("account_id = ?", me.ID).Take(&n).Error })
	if !strings.HasPrefix(n.GroupKey, "favourite-") {
		t.Fatalf("the group is %q", n.GroupKey)
	}
	all := []NotificationKind{NotifyLike, NotifyBoost, NotifyFollow}
	for name, ask := range map[string]func(tx *store.Tx) error{
		"groups": func(tx *store.Tx) error {
			_, err := NotificationGroups(tx, me.ID, NotificationFilter{}, all, store.Page{})
			return err
		},
		"groups below": func(tx *store.Tx) error {
			_, err := NotificationGroups(tx, me.ID, NotificationFilter{Kinds: all}, all, store.Page{MaxID: n.ID + 1})
			return err
		},
		"groups above": func(tx *store.Tx) error {
			_, err := NotificationGroups(tx, me.ID, NotificationFilter{}, all, store.Page{MinID: 1})
			return err
		},
		"a group": func(tx *store.Tx) error {
			_, err := NotificationGroupByKey(tx, me.ID, n.GroupKey)
			return err
		},
		"unread groups": func(tx *store.Tx) error {
			_, err := UnreadGroups(tx, me.ID, NotificationFilter{}, all, 100)
			return err
		},
		"requests": func(tx *store.Tx) error {
			_, err := NotificationRequests(tx, me.ID, store.Page{})
			return err
		},
		"ties": func(tx *store.Tx) error {
			_, err := Relationship(tx, me.ID, []int64{amira.ID, bo.ID})
			return err
		},
		"servers shut out": func(tx *store.Tx) error {
			_, err := HostBlocks(tx, me.ID, store.Page{})
			return err
		},
		"endorsed": func(tx *store.Tx) error {
			_, err := Endorsed(tx, me.ID, store.Page{})
			return err
		},
		"announcements": func(tx *store.Tx) error {
			_, err := CurrentAnnouncements(tx, me.ID)
			_, err2 := NewAnnouncements(tx, me.ID)
			return cmpErr(err, err2)
		},
		"hashtags": func(tx *store.Tx) error {
			_, err := FindTags(tx, w.viewer(me), "ma", 20, 0)
			return err
		},
	} {
		w.read(func(tx *store.Tx) error {
			var s statements
			if err := ask(s.listening(tx)); err != nil {
				return err
			}
			if len(s.sql) > 6 {
				t.Errorf("%s asks %d questions", name, len(s.sql))
			}
			for _, sql := range s.sql {
				var steps []struct{ Detail string }
				if err := tx.Raw("EXPLAIN QUERY PLAN " + sql).Scan(&steps).Error; err != nil {
					return err
				}
				for _, step := range steps {
					for _, table := range []string{"notifications", "other", "accounts", "posts", "follows", "host_blocks", "endorsements", "post_tags"} {
						if step.Detail == "SCAN "+table || strings.HasPrefix(step.Detail, "SCAN "+table+" USING INTEGER") {
							t.Errorf("%s: %s\n%s", name, step.Detail, sql)
						}
					}
				}
			}
			return nil
		})
	}
}
