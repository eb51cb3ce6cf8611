package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
	"github.com/chalkring/chalkring/internal/testnet"
)

// TestKilledServerLosesNothing stops a real process with SIGKILL at random
// moments while it takes activities, makes deliveries and is written to, and
// starts it again. What it acknowledged must be there in the end, and nothing
// twice. CHALKRING_TEST_KILLS says how often; "make kill" does it a hundred times.
func TestKilledServerLosesNothing(t *testing.T) {
	kills := 3
	if n, err := strconv.Atoi(os.Getenv("CHALKRING_TEST_KILLS")); err == nil {
		kills = n
	}
	binary := filepath.Join(t.TempDir(), "chalkring")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Run("sqlite", func(t *testing.T) { newVictim(t, binary, "").survive(kills) })
	if os.Getenv("CHALKRING_TEST_POSTGRES") != "" {
		t.Run("postgres", func(t *testing.T) { newVictim(t, binary, storetest.Postgres(t)).survive(kills) })
	}
}

const metricsToken = "figures of a victim"

// victim is a server process that is killed again and again, with somebody on
// it and a server of another make that it talks with.
type victim struct {
	t      *testing.T
	binary string
	cfg    config.Config
	db     *store.DB // beside the process
	ana    community.Account
	opener community.Post // what the notes answer
	friend *testnet.Stranger

	answered  atomic.Int64 // notes that were acknowledged
	refused   atomic.Int64 // attempts that were not
	published map[string]bool
}

func newVictim(t *testing.T, binary, database string) *victim {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	args := []string{"--host", fmt.Sprintf("localhost:%d", port), "--data", t.TempDir(), "--egress-allow", "127.0.0.0/8,::1/128", "--no-rate-limits"}
	if database != "" {
		args = append(args, "--database", database)
	}
	cfg, err := config.Parse(args)
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{t: t, binary: binary, cfg: cfg, friend: testnet.PlainStranger(t), published: map[string]bool{}}
	if v.db, err = app.OpenDB(t.Context(), cfg, slog.New(slog.DiscardHandler), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.db.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if v.ana, err = app.CreatePerson(t.Context(), v.db, app.NewPerson{Username: "ana", Password: "three words and more", Role: community.Owner}); err != nil {
		t.Fatal(err)
	}
	v.write(func(tx *store.Tx) error {
		_, err := peers.Allow(tx, 0, v.friend.Host, peers.Entry{})
		return err
	})
	return v
}

func (v *victim) write(fn func(tx *store.Tx) error) {
	v.t.Helper()
	if err := v.db.Write(v.t.Context(), fn); err != nil {
		v.t.Fatal(err)
	}
}

func (v *victim) read(fn func(tx *store.Tx) error) {
	v.t.Helper()
	if err := v.db.Read(v.t.Context(), fn); err != nil {
		v.t.Fatal(err)
	}
}

// start starts the process and waits until it answers.
func (v *victim) start() *exec.Cmd {
	v.t.Helper()
	cmd := exec.Command(v.binary, "serve", "--host", v.cfg.Host, "--data", v.cfg.Data, "--database", v.cfg.Database,
		"--egress-allow", "127.0.0.0/8,::1/128", "--no-rate-limits", "--log-level", "error", "--metrics-token", metricsToken)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		res, err := http.Get(v.cfg.BaseURL() + "/healthz")
		if err == nil {
			res.Body.Close()
			return cmd
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("the server does not come up: %v", err)
		}
	}
}

func (v *victim) kill(cmd *exec.Cmd) {
	v.t.Helper()
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		v.t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		v.t.Fatalf("the killed server ended with %v", err)
	}
}

// survive kills the server so often and then looks at what is there.
func (v *victim) survive(kills int) {
	v.t.Helper()
	cmd := v.start()
	v.befriend()
	v.opener = v.publish("Everybody answers this")

	ctx, stop := context.WithCancel(v.t.Context())
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() { v.sendNotes(ctx) })
	}
	for n := range kills {
		v.publish(fmt.Sprintf("Post %d", n))
		time.Sleep(time.Duration(5+rand.IntN(250)) * time.Millisecond) // the random moment
		v.kill(cmd)
		v.publish(fmt.Sprintf("Post %d while nobody listens", n))
		cmd = v.start()
	}
	stop()
	load.Wait()
	v.settle()
	v.judge()
	v.kill(cmd)
	v.t.Logf("%d stops: %d notes acknowledged, %d attempts cut off, %d posts delivered", kills, v.answered.Load(), v.refused.Load(), len(v.published))
}

// befriend has ana follow pat, there, and pat follow ana.
func (v *victim) befriend() {
	v.t.Helper()
	pat := v.friend.Actor("pat")
	anaIRI := v.ana.IRI(v.db.Site())
	if status, body, err := v.friend.Post(v.inbox(), v.friend.Follows("pat", anaIRI)); err != nil || status != http.StatusAccepted {
		v.t.Fatalf("pat's follow: %d %s %v", status, body, err)
	}
	v.until("pat follows ana", func(tx *store.Tx) (ok bool, err error) {
		err = tx.Raw("SELECT EXISTS (SELECT 1 FROM follows WHERE target_id = ? AND state = 'accepted')", v.ana.ID).Scan(&ok).Error
		return ok, err
	})
	v.write(func(tx *store.Tx) error {
		account, err := community.AccountByURI(tx, pat)
		if err != nil {
			return err
		}
		_, err = community.Follow(tx, v.ana, account)
		return err
	})
	var follow testnet.Received
	v.until("ana's follow reaches pat", func(*store.Tx) (bool, error) {
		taken := v.friend.Taken("Follow")
		if len(taken) > 0 {
			follow = taken[0]
		}
		return len(taken) > 0, nil
	})
	accept := map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": v.friend.URL("/accepts/1"), "type": "Accept",
		"actor": pat, "object": follow.Activity}
	if status, body, err := v.friend.Post(v.inbox(), accept); err != nil || status != http.StatusAccepted {
		v.t.Fatalf("pat's acceptance: %d %s %v", status, body, err)
	}
	v.until("ana follows pat", func(tx *store.Tx) (ok bool, err error) {
		err = tx.Raw("SELECT EXISTS (SELECT 1 FROM follows WHERE follower_id = ? AND state = 'accepted')", v.ana.ID).Scan(&ok).Error
		return ok, err
	})
}

func (v *victim) inbox() string { return v.cfg.BaseURL() + "/inbox" }

// publish writes a post beside the process. Committed is acknowledged.
func (v *victim) publish(title string) community.Post {
	v.t.Helper()
	var post community.Post
	v.write(func(tx *store.Tx) (err error) {
		post, err = community.Publish(tx, v.ana, community.Draft{Kind: community.Discussion, Audience: community.Public, Title: title, Source: "…"})
		return err
	})
	v.published[post.IRI(v.db.Site())] = true
	return post
}

// sendNotes sends answers by pat, each until it is acknowledged, as a server
// of another make would.
func (v *victim) sendNotes(ctx context.Context) {
	to := v.opener.IRI(v.db.Site())
	for ctx.Err() == nil {
		activity := v.friend.Note("pat", "An answer")
		note := activity["object"].(map[string]any)
		note["inReplyTo"] = to
		for {
			status, body, err := v.friend.Post(v.inbox(), activity)
			if err == nil && status == http.StatusAccepted {
				v.answered.Add(1)
				break
			}
			if err == nil && status/100 == 4 {
				v.t.Errorf("refused: %d %s", status, body)
				return
			}
			v.refused.Add(1)
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// settle waits until the server has done all that it can.
func (v *victim) settle() {
	v.t.Helper()
	v.until("the queues are empty", func(tx *store.Tx) (done bool, err error) {
		err = tx.Raw(`SELECT NOT EXISTS (SELECT 1 FROM incoming WHERE state = 'waiting') AND NOT EXISTS (SELECT 1 FROM outgoing WHERE state = 'waiting')
			AND NOT EXISTS (SELECT 1 FROM deliveries WHERE state = 'waiting')`).Scan(&done).Error
		return done, err
	})
}

func (v *victim) until(what string, ask func(tx *store.Tx) (bool, error)) {
	v.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		ok := false
		v.read(func(tx *store.Tx) (err error) {
			ok, err = ask(tx)
			return err
		})
		if ok {
			return
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("it does not come to it that %s", what)
		}
	}
}

// judge counts.
func (v *victim) judge() {
	v.t.Helper()
	want := v.answered.Load()
	if want == 0 {
		v.t.Error("no note was acknowledged, so the test shows nothing")
	}
	v.read(func(tx *store.Tx) error {
		for what, sql := range map[string]string{
			"notes":                    "SELECT count(*) FROM posts WHERE author_host <> '' AND deleted_at IS NULL",
			"answers in ana's home":    "SELECT count(*) FROM home_entries JOIN posts ON posts.id = home_entries.post_id WHERE posts.author_host <> ''",
			"notifications of answers": "SELECT count(*) FROM notifications WHERE kind = 'reply'",
			"answers counted":          "SELECT replies_count FROM posts WHERE title = 'Everybody answers this'",
		} {
			var got int64
			if err := tx.Raw(sql).Scan(&got).Error; err != nil {
				return err
			}
			if got != want {
				v.t.Errorf("%s: %d, want %d, which were acknowledged", what, got, want)
			}
		}
		return nil
	})
	heard := map[string]string{} // activity by post
	for _, r := range v.friend.Taken("Create") {
		object, _ := r.Activity["object"].(map[string]any)
		id := fmt.Sprint(object["id"])
		if before, again := heard[id]; again && before != r.ID() {
			v.t.Errorf("post %s was sent as two activities, %s and %s", id, before, r.ID())
		}
		heard[id] = r.ID()
	}
	for id := range v.published {
		if heard[id] == "" {
			v.t.Errorf("post %s never arrived", id)
		}
	}
	if len(heard) != len(v.published) {
		v.t.Errorf("%d posts arrived, %d were published", len(heard), len(v.published))
	}
}
