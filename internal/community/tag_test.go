package community

import (
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

func (w *world) followTag(a Account, name string) {
	w.t.Helper()
	w.write(func(tx *store.Tx) error { _, err := FollowTag(tx, a, name); return err })
}

// What has a followed hashtag is at home once, whoever wrote it; unfollowing
// takes out what stands there for no other reason.
func TestFollowedTags(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader, amira, bo := w.local("reader", Member), w.local("amira", Member), w.remote("bo", "elm.test")
		w.follows(reader, amira)
		before := w.publish(w.local("cy", Member), Draft{Source: "#Maths before", Audience: School, FormID: "1"})
		w.followTag(reader, "#maths")
		w.followTag(reader, "Maths")
		w.followTag(reader, "reading")
		hers := w.publish(amira, Draft{Source: "#maths of hers", FormID: "2"})
		r := w.note(bo)
		r.Tags = []Tag{{"maths", "Maths"}}
		his := w.receive(r)
		r = w.note(bo)
		r.Tags, r.Audience = []Tag{{"maths", "Maths"}}, Followers
		w.receive(r)
		r = w.note(bo)
		r.Tags, r.Unlisted = []Tag{{"maths", "Maths"}}, true
		w.receive(r)
		r = w.note(bo)
		r.Tags = []Tag{{"maths", "Maths"}, {"reading", "reading"}}
		both := w.receive(r)
		wantIDs(t, "home", w.home(reader), sortedDown(before.ID, hers.ID, his.ID, both.ID)...)
		w.write(func(tx *store.Tx) error { return Unfollow(tx, reader, amira) })
		wantIDs(t, "home without amira", w.home(reader), sortedDown(before.ID, hers.ID, his.ID, both.ID)...)
		w.follows(reader, amira)
		w.write(func(tx *store.Tx) error { _, err := UnfollowTag(tx, reader, "MATHS"); return err })
		wantIDs(t, "home without the hashtag", w.home(reader), sortedDown(hers.ID, both.ID)...)
		w.write(func(tx *store.Tx) error { return Block(tx, reader, bo) })
		wantIDs(t, "home without bo", w.home(reader), hers.ID)
		w.refuses(fault.NotFound, func(tx *store.Tx) error { _, err := FollowTag(tx, reader, "no tag"); return err })
	})
}

// A hashtag on somebody's page says how much its owner wrote of it for
// everybody, and of nothing else.
func TestFeaturedTags(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.local("amira", Member), w.local("bo", Member)
		last := w.publish(amira, Draft{Source: "#Maths", FormID: "1"})
		w.publish(amira, Draft{Source: "#Maths #secret", Audience: Followers, FormID: "2"})
		w.publish(bo, Draft{Source: "#Maths #reading", FormID: "3"})
		w.publish(amira, Draft{Source: "#sport", FormID: "4"})
		var f Featured
		w.write(func(tx *store.Tx) (err error) {
			if _, err = FeatureTag(tx, amira, "#Maths"); err == nil {
				f, err = FeatureTag(tx, amira, "maths")
			}
			return err
		})
		if f.Name != "Maths" || f.Posts != 1 || f.LastAt == nil || f.LastAt.Before(last.CreatedAt) || f.LastAt.Sub(last.CreatedAt) > time.Minute {
			t.Errorf("featured: %+v", f)
		}
		w.read(func(tx *store.Tx) error {
			names, err := SuggestedTags(tx, amira.ID)
			if len(names) != 1 || names[0] != "sport" {
				t.Errorf("suggested: %v", names)
			}
			days, err2 := DaysOf(tx, "maths")
			if days[0].Uses != 2 || days[0].Accounts != 2 || len(days) != 7 || days[1].Uses != 0 || days[6].Day.After(tx.Now.Add(-6*24*time.Hour)) {
				t.Errorf("days: %+v", days)
			}
			return cmpErr(err, err2)
		})
		w.refuses(fault.NotFound, func(tx *store.Tx) error { return UnfeatureTagByID(tx, bo, f.ID) })
		w.write(func(tx *store.Tx) error { return UnfeatureTagByID(tx, amira, f.ID) })
		w.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := FeatureTag(tx, amira, "1"); return err })
	})
}
