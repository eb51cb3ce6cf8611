package federation

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// Two nodes on one database share the work, and no host hears anything twice
// or out of order.
func TestTwoNodesShareTheWork(t *testing.T) {
	r := &ring{t: t, pg: true, at: map[string]addrPort{}}
	database := storetest.Postgres(t)
	oak := r.open("oak.localhost", database)
	twin := r.open("oak.localhost", database)
	oak.run()
	twin.run()
	elm := r.start("elm.localhost")
	oak.allow("elm.localhost")
	elm.allow("oak.localhost")
	r.settle()
	amira, bo := oak.person("amira"), elm.person("bo")
	elm.follow(bo, "@amira@oak.localhost")
	tap := elm.tapInbox(func(int, string) (int, http.Header) { return 202, nil })
	const posts = 60
	var want strings.Builder
	for i := range posts {
		n := oak
		if i%2 == 1 {
			n = twin
		}
		fmt.Fprintf(&want, "<p>post %d</p>", i)
		n.write(func(tx *store.Tx) error {
			_, err := community.Publish(tx, amira, community.Draft{Kind: community.Note, Audience: community.Public, Source: fmt.Sprintf("post %d", i)})
			return err
		})
	}
	r.settle()
	said, _ := tap.seen()
	if strings.Join(said, "") != want.String() {
		t.Errorf("elm heard %d posts: %q", len(said), said)
	}
	elm.tap = nil
	for i := range 40 {
		if res := elm.say(bo, oak, elm.note(bo, fmt.Sprint("answer ", i))); res.Status != 202 {
			t.Fatalf("answered %d: %s", res.Status, res.Body)
		}
	}
	r.settle()
	if n := oak.count("SELECT COUNT(*) FROM posts WHERE author_host <> ''"); n != 40 {
		t.Errorf("%d posts of elm landed, want 40", n)
	}
	if n := oak.count("SELECT COUNT(*) FROM lanes WHERE node <> ''"); n != 0 {
		t.Errorf("%d leases were left behind", n)
	}
}

// What a server that was killed had leased is worked after it is back.
func TestLeasesOfTheDead(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	bo := elm.person("bo")
	elm.say(bo, oak, elm.note(bo, "first"))
	r.settle()
	oak.stop()
	elm.say(bo, oak, elm.note(bo, "second"))
	oak.write(func(tx *store.Tx) error {
		return tx.Exec("UPDATE lanes SET node = 'dead', node_until = ?", tx.Now.Add(leaseFor)).Error
	})
	oak.run()
	r.settle()
	if n := oak.count("SELECT COUNT(*) FROM posts"); n != 2 {
		t.Errorf("%d posts landed, want 2", n)
	}
}

// With more hosts than are worked at once, each lane that is given back makes
// room for the next at once, however many end at the same time.
func TestManyHostsFewWorkers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const hosts = 60
		var done atomic.Int64
		all := make(chan struct{})
		var q *lanes
		q = newLanes(db, slog.New(slog.DiscardHandler), deliveriesQueue, 8, func(ctx context.Context, group []*lane) error {
			err := db.Batch(ctx, func(tx *store.Tx) error { _, err := q.leave(tx, group...); return err })
			q.gave(group...)
			if done.Add(1) == hosts {
				close(all)
			}
			return err
		})
		if err := db.Write(t.Context(), func(tx *store.Tx) error {
			var names []string
			for i := range hosts {
				names = append(names, fmt.Sprintf("h%02d.test", i))
			}
			return enter(tx, deliveriesQueue, names...)
		}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { q.run(ctx); close(ended) }()
		select {
		case <-all:
		case <-time.After(laneFallback - time.Second):
			t.Errorf("only %d of %d lanes were worked without waiting for the fallback", done.Load(), hosts)
		}
		stop()
		<-ended
	})
}

// A worker that panics over what one host sent pauses that host's lane; the
// others go on, and so does the process.
func TestPanicPausesTheLane(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fine := make(chan struct{})
		var q *lanes
		q = newLanes(db, slog.New(slog.DiscardHandler), deliveriesQueue, 8, func(ctx context.Context, group []*lane) error {
			if group[0].Host == "bad.test" {
				panic("a document nobody thought of")
			}
			err := db.Batch(ctx, func(tx *store.Tx) error { _, err := q.leave(tx, group...); return err })
			q.gave(group...)
			close(fine)
			return err
		})
		if err := db.Write(t.Context(), func(tx *store.Tx) error { return enter(tx, deliveriesQueue, "bad.test", "good.test") }); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { q.run(ctx); close(ended) }()
		<-fine
		deadline := time.Now().Add(60 * time.Second)
		for failures := 0; failures == 0 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if err := db.Read(t.Context(), func(tx *store.Tx) error {
				return tx.Raw("SELECT failures FROM lanes WHERE host = 'bad.test' AND waiting").Scan(&failures).Error
			}); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		<-ended
		if time.Now().After(deadline) {
			t.Error("the lane of the panic was not paused")
		}
	})
}
