package community

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// What is read by questions is what gorm reads, in every column.
func TestQuestionsReadWhatGormReads(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader := w.crowd(4, 40)
		bo := w.local("bo", Member)
		pic := w.picture(bo, "A tree")
		w.publish(bo, Draft{Source: "@reader #maths", MediaIDs: []int64{pic.ID}})
		w.publish(bo, Draft{Kind: Practice, Title: "Retrieval", Sections: &Sections{Tried: "A", Happened: "B", Next: "C"}})
		w.publish(bo, Draft{Source: "Which?", Poll: &PollDraft{Options: []string{"This", "That"}, Open: MinPollOpen}})
		event := w.note(w.remote("cy", "elm.test"))
		event.Extra = &Extra{Type: "Event", Link: "https://elm.test/x", Languages: []string{"cy"}, Emoji: []Emoji{{Name: "x", URL: "https://elm.test/x.png"}}}
		w.receive(event)
		w.write(func(tx *store.Tx) error {
			_, err := UpdateProfile(tx, reader, Profile{DisplayName: "Rea", Bio: "Hello", Fields: []Field{{Name: "Web", Value: "https://oak.test"}}})
			return err
		})
		w.read(func(tx *store.Tx) error {
			return cmpErr(same(t, tx, postColumns), same(t, tx, accountColumns), same(t, tx, countColumns), same(t, tx, attachmentColumns),
				same(t, tx, pollColumns), same(t, tx, optionColumns), same(t, tx, userColumns), same(t, tx, notificationColumns))
		})
	})
}

// same reads all rows of a table both ways.
func same[T any](t *testing.T, tx *store.Tx, columns *store.Columns[T]) error {
	t.Helper()
	var want, got []T
	if err := tx.Order("1, 2").Find(&want).Error; err != nil {
		return err
	}
	q := tx.Session(&gorm.Session{}).Model(new(T))
	if err := q.Statement.Parse(new(T)); err != nil {
		return err
	}
	err := tx.Ask(store.Question{SQL: fmt.Sprintf("SELECT %s FROM %s ORDER BY 1, 2", columns.In(tx.Dialect()), q.Statement.Table), Row: func(r *store.Row) {
		var one T
		columns.Read(r, &one)
		got = append(got, one)
	}})
	if len(want) == 0 || len(got) != len(want) {
		t.Fatalf("%T: %d rows of %d", want, len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("read\n%+v\ngorm read\n%+v", got[i], want[i])
		}
	}
	return err
}

// A page asks as often for one post as for forty, whatever hangs on them.
func TestPagesAskNoMoreForMorePosts(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bo, reader := w.local("bo", Member), w.local("reader", Member)
		w.follows(reader, bo)
		asked := func() (n int) {
			w.read(func(tx *store.Tx) error {
				var s statements
				posts, err := Home(s.listening(tx), w.viewer(reader), store.Page{Limit: 40})
				if err != nil {
					return err
				}
				views, err := Load(s.listening(tx), w.viewer(reader), posts)
				var polls, quotes, pictures, boosts int
				for _, v := range views {
					if v.Poll != nil {
						polls++
					}
					if v.Quoted != nil {
						quotes++
					}
					if v.Boosted != nil {
						boosts++
					}
					pictures += len(v.Media)
				}
				if each := len(posts) / 4; each == 0 || polls != each || quotes != each || pictures != each || boosts != each {
					t.Errorf("of %d posts: %d polls, %d quotes, %d pictures, %d boosts", len(posts), polls, quotes, pictures, boosts)
				}
				n = len(s.sql)
				return err
			})
			return n
		}
		more := func() {
			pic := w.picture(bo, "A tree")
			p := w.publish(bo, Draft{Source: "#maths", MediaIDs: []int64{pic.ID}})
			w.publish(bo, Draft{Source: "Which?", Poll: &PollDraft{Options: []string{"This", "That"}, Open: MinPollOpen}})
			w.publish(bo, Draft{Source: "See", QuoteID: p.ID})
			w.write(func(tx *store.Tx) error {
				_, err := BoostPost(tx, bo, p.ID)
				return err
			})
		}
		more()
		few := asked()
		for range 9 {
			more()
		}
		if many := asked(); few != many || many > 15 { // in five rounds
			t.Errorf("%d questions for four posts, %d for forty", few, many)
		}
	})
}

// A page that was shown before is read in two rounds, and one more each for what
// its posts boost and quote, with no more questions for forty posts than for four.
func TestPagesTakeFewRounds(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.peer("elm.test", peers.CeilingNetwork, true)
		bo, cy, reader := w.local("bo", Member), w.remote("cy", "elm.test"), w.local("reader", Member)
		w.follows(reader, bo)
		w.follows(reader, cy)
		asked := func(name string, rounds, questions int) {
			t.Helper()
			for try := range 3 {
				w.read(func(tx *store.Tx) error {
					var s statements
					views, err := HomeViews(s.listening(tx), w.viewer(reader), store.Page{Limit: 40})
					if err != nil || len(views) == 0 {
						t.Fatalf("%s: %d posts, %v", name, len(views), err)
					}
					if try > 0 && (s.rounds > rounds || len(s.sql) > questions) {
						t.Errorf("%s, %d posts: %d questions in %d rounds:\n%s", name, len(views), len(s.sql), s.rounds, strings.Join(s.sql, "\n"))
					}
					return nil
				})
			}
		}
		for range 20 {
			w.receive(w.note(cy))
			w.publish(bo, Draft{})
		}
		asked("plain", 2, 8)
		for range 10 {
			pic := w.picture(bo, "A tree")
			p := w.publish(bo, Draft{Source: "@reader #maths", MediaIDs: []int64{pic.ID}})
			w.publish(bo, Draft{Source: "Which?", Poll: &PollDraft{Options: []string{"This", "That"}, Open: MinPollOpen}})
			w.publish(bo, Draft{Source: "See", QuoteID: p.ID})
			w.write(func(tx *store.Tx) error {
				_, err := BoostPost(tx, bo, p.ID)
				_, err2 := Like(tx, reader, p.ID)
				return cmpErr(err, err2)
			})
		}
		asked("of all kinds", 4, 12)
	})
}
