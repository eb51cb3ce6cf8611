package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// next returns the next news, or fails the test when none comes.
func next(t *testing.T, s *store.Subscription) store.News {
	t.Helper()
	select {
	case n := <-s.C:
		return n
	case <-time.After(10 * time.Second):
		t.Fatal("no news")
	}
	return store.News{}
}

func TestNewsComesWithTheCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		sub, other := db.Subscribe("post", "peers"), db.Subscribe("other")
		defer sub.Close()
		defer other.Close()
		after := false
		failed := db.Write(t.Context(), func(tx *store.Tx) error {
			tx.Announce("post", 1)
			tx.AfterCommit(func() { after = true })
			return errors.New("no")
		})
		if failed == nil || after || len(sub.C) > 0 {
			t.Errorf("a failed transaction told: %v, %d news", after, len(sub.C))
		}
		write(t, db, func(tx *store.Tx) error {
			tx.Announce("post", 2)
			tx.Announce("post", 2)
			tx.AnnounceKey("peers", "elm.test")
			tx.AfterCommit(func() { after = true })
			if len(sub.C) > 0 {
				t.Error("news before the commit")
			}
			return nil
		})
		if n := next(t, sub); n != (store.News{Topic: "post", ID: 2}) {
			t.Errorf("%+v", n)
		}
		if n := next(t, sub); n != (store.News{Topic: "peers", Key: "elm.test"}) {
			t.Errorf("%+v", n)
		}
		if !after || len(sub.C) > 0 || len(other.C) > 0 {
			t.Errorf("after the commit: %v, %d, %d", after, len(sub.C), len(other.C))
		}
	})
}

func TestSlowSubscriberMissesNews(t *testing.T) {
	db := storetest.Open(t)
	sub := db.Subscribe("post")
	write(t, db, func(tx *store.Tx) error {
		for i := range int64(1000) {
			tx.Announce("post", i+1)
		}
		return nil
	})
	if len(sub.C) == 0 || len(sub.C) == 1000 || !sub.Missed() || sub.Missed() {
		t.Errorf("%d news waiting, missed not told once", len(sub.C))
	}
	sub.Close()
	sub.Close()
	write(t, db, func(tx *store.Tx) error { tx.Announce("post", 1); return nil })
}

func TestNewsReachesOtherNodes(t *testing.T) {
	url := storetest.Postgres(t)
	oak, also := storetest.OpenURL(t, url), storetest.OpenURL(t, url)
	if oak.Node() == also.Node() {
		t.Fatal("two nodes of one name")
	}
	here, there := oak.Subscribe("post", "peers"), also.Subscribe("post", "peers")
	defer here.Close()
	defer there.Close()
	long := strings.Repeat("ü", 60) + ".test"
	write(t, oak, func(tx *store.Tx) error {
		for i := range int64(200) { // more than one payload holds
			tx.AnnounceKey("peers", fmt.Sprintf("%d.%s", i, long))
		}
		tx.Announce("post", 7)
		return nil
	})
	for _, sub := range []*store.Subscription{here, there} {
		count := map[store.News]int{}
		for n := (store.News{}); n.Topic != "post"; count[n]++ {
			n = next(t, sub)
		}
		if len(count) != 201 || count[store.News{Topic: "peers", Key: "199." + long}] != 1 {
			t.Errorf("%d news, want 201", len(count))
		}
	}
	if err := oak.Write(t.Context(), func(tx *store.Tx) error { tx.Announce("post", 8); return errors.New("no") }); err == nil {
		t.Error("did not fail")
	}
	write(t, also, func(tx *store.Tx) error { tx.Announce("post", 9); return nil })
	if n := next(t, here); n.ID != 9 {
		t.Errorf("from the other node: %+v", n)
	}
	if n := next(t, there); n.ID != 9 || len(there.C) > 0 {
		t.Errorf("own news: %+v and %d more", n, len(there.C))
	}
}

// A lost connection to the database costs time, not news: everyone is told to
// look again.
func TestListenerComesBack(t *testing.T) {
	db := storetest.OpenURL(t, storetest.Postgres(t))
	sub := db.Subscribe("post")
	defer sub.Close()
	read(t, db, func(tx *store.Tx) error {
		var n int64
		err := tx.Raw(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND query LIKE 'LISTEN%'`).Scan(&n).Error
		if n != 1 {
			t.Errorf("%d connections listen", n)
		}
		return err
	})
	if n := next(t, sub); n != (store.News{Topic: "post"}) || !sub.Missed() {
		t.Errorf("after the loss: %+v", n)
	}
}
