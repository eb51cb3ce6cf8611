package store_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

func TestPages(t *testing.T) {
	tests := []struct {
		name string
		page store.Page
		want []int64
	}{
		{"the head", store.Page{Limit: 3}, []int64{30, 29, 28}},
		{"no limit given", store.Page{}, run(30, 11)},
		{"below", store.Page{MaxID: 4, Limit: 9}, []int64{3, 2, 1}},
		{"the newest above", store.Page{SinceID: 20, Limit: 3}, []int64{30, 29, 28}},
		{"the nearest above", store.Page{MinID: 20, Limit: 3}, []int64{23, 22, 21}},
		{"between", store.Page{MaxID: 25, MinID: 20, Limit: 10}, []int64{24, 23, 22, 21}},
		{"both lower ends", store.Page{SinceID: 27, MinID: 20, Limit: 10}, []int64{30, 29, 28}},
		{"past the end", store.Page{MaxID: 1}, nil},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		write(t, db, func(tx *store.Tx) error {
			for i := range int64(30) {
				if err := tx.Create(&thing{ID: i + 1, Name: fmt.Sprint(i), At: tx.Now}).Error; err != nil {
					return err
				}
			}
			return tx.Exec("CREATE TABLE shelf (thing_id BIGINT NOT NULL PRIMARY KEY, id BIGINT NOT NULL)").Error
		})
		write(t, db, func(tx *store.Tx) error {
			return tx.Exec("INSERT INTO shelf SELECT id, id + 1000 FROM things").Error
		})
		read(t, db, func(tx *store.Tx) error {
			for _, tt := range tests {
				rows, err := store.Find[thing](tx.DB, tt.page)
				if err != nil {
					return err
				}
				inner := tx.Table("shelf").Select("thing_id").Scopes(tt.page.On("thing_id"))
				listed, err := store.Find[thing](tx.Where("id IN (?)", inner), tt.page)
				if err != nil {
					return err
				}
				higher := tt.page
				for _, p := range []*int64{&higher.MaxID, &higher.MinID, &higher.SinceID} {
					if *p > 0 {
						*p += 1000
					}
				}
				joined, err := store.FindOn[thing](tx.Select("things.*").Joins("JOIN shelf ON shelf.thing_id = things.id"), higher, "shelf.id")
				if err != nil {
					return err
				}
				for how, rows := range map[string][]thing{"plainly": rows, "listed": listed, "joined": joined} {
					var got []int64
					for _, r := range rows {
						got = append(got, r.ID)
					}
					if !slices.Equal(got, tt.want) {
						t.Errorf("%s, %s: %v, want %v", tt.name, how, got, tt.want)
					}
				}
			}
			return nil
		})
	})
	if n := (store.Page{Limit: 1000}).Size(); n != store.MaxLimit {
		t.Errorf("a page of %d", n)
	}
}

func run(from, to int64) (ids []int64) {
	for id := from; id >= to; id-- {
		ids = append(ids, id)
	}
	return ids
}
