package federation

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// inboxTap records what is delivered to a server and can answer for it.
type inboxTap struct {
	mu     sync.Mutex
	said   []string // content of what arrived with a 2xx, in order
	tries  int
	answer func(try int, content string) (status int, header http.Header)
}

func (n *server) tapInbox(answer func(try int, content string) (int, http.Header)) *inboxTap {
	tap := &inboxTap{answer: answer}
	n.tap = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		body, _ := io.ReadAll(r.Body)
		var a struct {
			Object json.RawMessage `json:"object"`
		}
		var o struct {
			Content string `json:"content"`
		}
		_ = json.Unmarshal(body, &a)
		_ = json.Unmarshal(a.Object, &o) // a bare address has no content
		tap.mu.Lock()
		defer tap.mu.Unlock()
		tap.tries++
		status, header := tap.answer(tap.tries, strings.TrimSpace(o.Content))
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		if status < 300 {
			tap.said = append(tap.said, strings.TrimSpace(o.Content))
		}
		return true
	}
	return tap
}

func (tap *inboxTap) seen() ([]string, int) {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	return slices.Clone(tap.said), tap.tries
}

// fan is a server whose amira is followed by somebody of the other.
func (r *ring) fan() (oak, elm *server, amira community.Account) {
	oak, elm = r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	amira = oak.person("amira")
	elm.follow(elm.person("bo"), "@amira@oak.localhost")
	return oak, elm, amira
}

func (n *server) state(p community.Post) (state, reason string, status, attempts int) {
	n.t.Helper()
	var row struct {
		State, Reason    string
		Status, Attempts int
	}
	n.read(func(tx *store.Tx) error {
		return tx.Raw("SELECT state, reason, status, attempts FROM deliveries WHERE post_id = ?", p.ID).Scan(&row).Error
	})
	return row.State, row.Reason, row.Status, row.Attempts
}

func TestTroubleKeepsTheOrder(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, amira := r.fan()
		tap := elm.tapInbox(func(try int, _ string) (int, http.Header) {
			if try == 2 {
				return 503, http.Header{"Retry-After": {"1"}}
			}
			return 202, nil
		})
		for _, words := range []string{"one", "two", "three"} {
			oak.write(func(tx *store.Tx) error {
				_, err := community.Publish(tx, amira, community.Draft{Kind: community.Note, Audience: community.Public, Source: words})
				return err
			})
		}
		r.settle()
		said, tries := tap.seen()
		if strings.Join(said, "") != "<p>one</p><p>two</p><p>three</p>" || tries != 4 {
			t.Errorf("elm heard %q in %d tries", said, tries)
		}
		if n := oak.count("SELECT COUNT(*) FROM deliveries WHERE post_id IS NOT NULL AND state = 'delivered'"); n != 3 {
			t.Errorf("%d deliveries are done, want 3", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM lanes WHERE waiting OR failures > 0 OR node <> ''"); n != 0 {
			t.Error("a lane was left as if there was something to do")
		}
	})
}

// A document that a peer breaks on holds up nobody but its own author, whose
// later words keep their place behind it, and is given up after some tries.
func TestWhatBreaksAPeerHoldsUpNothing(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, amira := r.fan()
		ben := oak.person("ben")
		elm.follow(elm.person("cy"), "@ben@oak.localhost")
		tap := elm.tapInbox(func(_ int, content string) (int, http.Header) {
			if content == "<p>breaks</p>" {
				return 500, nil
			}
			return 202, nil
		})
		var breaks community.Post
		oak.write(func(tx *store.Tx) (err error) {
			say := func(who community.Account, words string) (community.Post, error) {
				return community.Publish(tx, who, community.Draft{Kind: community.Note, Audience: community.Public, Source: words})
			}
			if breaks, err = say(amira, "breaks"); err != nil {
				return err
			}
			for _, words := range []string{"two", "three"} {
				if _, err = say(amira, "after "+words); err != nil {
					return err
				}
				if _, err = say(ben, words); err != nil {
					return err
				}
			}
			return nil
		})
		for {
			if said, _ := tap.seen(); len(said) >= 2 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if said, tries := tap.seen(); strings.Join(said, "") != "<p>two</p><p>three</p>" || tries > 4 {
			t.Errorf("elm heard %q in %d tries", said, tries)
		}
		hurry(oak, func() {
			for {
				if said, _ := tap.seen(); len(said) == 4 {
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
		r.settle()
		if said, _ := tap.seen(); strings.Join(said[2:], "") != "<p>after two</p><p>after three</p>" {
			t.Errorf("afterwards elm heard %q", said)
		}
		if state, reason, status, attempts := oak.state(breaks); state != "refused" || reason != "delivery.broken" || status != 500 || attempts != mostBrokenTries {
			t.Errorf("what breaks it: %s %q %d after %d attempts", state, reason, status, attempts)
		}
	})
}

func TestLastWords(t *testing.T) {
	tests := []struct {
		name   string
		status int
		state  string
		reason string
		tries  int
		anew   int // once in an hour it may have been how the request was signed
	}{
		{"taken", 200, "delivered", "", 1, 0},
		{"malformed, they say", 400, "refused", "delivery.refused", 1, 1},
		{"gone", 410, "refused", "delivery.gone", 1, 0},
		{"no such inbox", 404, "refused", "delivery.gone", 1, 0},
		{"redirected", 302, "refused", "delivery.redirect", 1, 0},
		{"not allowed", 403, "refused", "delivery.refused", 3, 0},
	}
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm, amira := r.fan()
	for _, tt := range tests {
		tap := elm.tapInbox(func(int, string) (int, http.Header) {
			return tt.status, http.Header{"Location": {oak.site.SharedInbox()}}
		})
		hurry(oak, func() {
			p := oak.publish(amira, community.Draft{Source: tt.name})
			state, reason, _, attempts := oak.state(p)
			if _, tries := tap.seen(); state != tt.state || reason != tt.reason || attempts != tt.tries || tries != tt.tries+tt.anew {
				t.Errorf("%s: %s %q after %d attempts (%d heard), want %s %q after %d", tt.name, state, reason, attempts, tries, tt.state, tt.reason, tt.tries)
			}
		})
	}
}

// hurry runs fn while a server's paused lanes are made due at once.
func hurry(n *server, fn func()) {
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				n.write(func(tx *store.Tx) error {
					return tx.Exec("UPDATE lanes SET next_at = ? WHERE queue = 'deliveries' AND waiting AND next_at > ? AND failures > 0", tx.Now, tx.Now).Error
				})
				n.deliveries.poke("")
			}
		}
	})
	fn()
	close(done)
	wait.Wait()
}

func TestRemovedPeerHearsNothingUntilItIsBack(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, amira := r.fan()
		tap := elm.tapInbox(func(int, string) (int, http.Header) { return 503, nil })
		oak.write(func(tx *store.Tx) error {
			_, err := community.Publish(tx, amira, community.Draft{Kind: community.Note, Audience: community.Public, Source: "waits"})
			return err
		})
		for {
			if _, tries := tap.seen(); tries > 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		oak.write(func(tx *store.Tx) error { return peers.Remove(tx, 0, "elm.localhost", "") })
		tap.mu.Lock()
		tap.answer = func(int, string) (int, http.Header) { return 202, nil }
		tap.mu.Unlock()
		r.settle()
		if said, _ := tap.seen(); len(said) != 0 {
			t.Fatalf("a removed peer heard %q", said)
		}
		p := oak.publish(amira, community.Draft{Source: "never told"})
		if state, reason, _, _ := oak.state(p); state != "withheld" || reason != "withheld.peer" {
			t.Errorf("a post for a removed peer is %s %q", state, reason)
		}
		oak.allow("elm.localhost")
		r.settle()
		if said, _ := tap.seen(); strings.Join(said, "") != "<p>waits</p>" {
			t.Errorf("the peer heard %q when it was back", said)
		}
	})
}

// What waits for a server is held against the ceiling of the moment it goes.
func TestLoweredCeilingHoldsForWhatWaits(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, amira := r.fan()
		tap := elm.tapInbox(func(int, string) (int, http.Header) { return 503, nil })
		var closed, open community.Post
		oak.write(func(tx *store.Tx) (err error) {
			if closed, err = community.Publish(tx, amira, community.Draft{Kind: community.Note, Audience: community.Followers, Source: "between us"}); err != nil {
				return err
			}
			open, err = community.Publish(tx, amira, community.Draft{Kind: community.Note, Audience: community.Public, Source: "for all"})
			return err
		})
		for {
			if _, tries := tap.seen(); tries > 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		oak.write(func(tx *store.Tx) error {
			_, err := peers.Allow(tx, 0, "elm.localhost", peers.Entry{Ceiling: peers.CeilingPublic})
			return err
		})
		tap.mu.Lock()
		tap.answer = func(int, string) (int, http.Header) { return 202, nil }
		tap.mu.Unlock()
		hurry(oak, r.settle)
		if said, _ := tap.seen(); strings.Join(said, "") != "<p>for all</p>" {
			t.Errorf("the peer heard %q", said)
		}
		if state, reason, _, _ := oak.state(closed); state != "withheld" || reason != "withheld.ceiling" {
			t.Errorf("the closed post is %s %q", state, reason)
		}
		if state, _, _, _ := oak.state(open); state != "delivered" {
			t.Errorf("the public post is %s", state)
		}
	})
}

func TestSilentHostIsParkedAndWoken(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, amira := r.fan()
		elm.tapInbox(func(int, string) (int, http.Header) { return 502, nil })
		oak.stop()
		oak.write(func(tx *store.Tx) error {
			if err := tx.Exec("UPDATE lanes SET failures = 9, failing_since = ? WHERE queue = 'deliveries'", tx.Now.Add(-25*time.Hour)).Error; err != nil {
				return err
			}
			_, err := community.Publish(tx, amira, community.Draft{Kind: community.Note, Audience: community.Public, Source: "anybody there?"})
			return err
		})
		oak.run()
		r.settle()
		if n := oak.count("SELECT COUNT(*) FROM lanes WHERE parked_at IS NOT NULL AND host = 'elm.localhost'"); n != 1 {
			t.Fatal("the lane is not parked")
		}
		elm.tap = nil
		bo := elm.person("cy")
		elm.say(bo, oak, elm.note(bo, "I am"))
		r.settle()
		if n := oak.count("SELECT COUNT(*) FROM deliveries WHERE state = 'waiting'"); n != 0 {
			t.Error("a sign of life did not wake the lane")
		}
	})
}

func TestNotRetriedForEver(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm, amira := r.fan()
	elm.tapInbox(func(int, string) (int, http.Header) { return 502, nil })
	oak.stop()
	oak.write(func(tx *store.Tx) error {
		if err := tx.Exec("UPDATE lanes SET failures = 9, failing_since = ? WHERE queue = 'deliveries'", tx.Now.Add(-80*time.Hour)).Error; err != nil {
			return err
		}
		_, err := community.Publish(tx, amira, community.Draft{Kind: community.Note, Audience: community.Public, Source: "old"})
		return err
	})
	if _, err := oak.spread(t.Context()); err != nil {
		t.Fatal(err)
	}
	oak.write(func(tx *store.Tx) error {
		return tx.Exec("UPDATE deliveries SET created_at = ? WHERE state = 'waiting'", tx.Now.Add(-73*time.Hour)).Error
	})
	oak.run()
	r.settle()
	if n := oak.count("SELECT COUNT(*) FROM deliveries WHERE state = 'expired'"); n != 1 {
		t.Error("the delivery is retried longer than it should be")
	}
}

func TestJudge(t *testing.T) {
	now := time.Now()
	tests := []struct {
		status, tried int
		header        http.Header
		want          verdict
		wait          time.Duration
	}{
		{200, 0, nil, tookIt, 0},
		{202, 0, nil, tookIt, 0},
		{408, 50, nil, tryLater, 0},
		{429, 50, http.Header{"Retry-After": {"90"}}, tryLater, 90 * time.Second},
		{429, 0, http.Header{"Retry-After": {"999999"}}, tryLater, 6 * time.Hour},
		{500, 0, nil, stepAside, 0},
		{500, 5, nil, lastWord, 0},
		{503, 99, nil, tryLater, 0},
		{401, 1, nil, tryLater, 0},
		{401, 2, nil, lastWord, 0},
		{413, 0, nil, lastWord, 0},
		{422, 0, nil, lastWord, 0},
	}
	for _, tt := range tests {
		a := answered{delivery: &delivery{Attempts: int64(tt.tried)}}.judge(&egress.Response{Status: tt.status, Header: tt.header}, now)
		if a.verdict != tt.want || a.wait != tt.wait {
			t.Errorf("%d after %d tries: %s, wait %s; want %s, %s", tt.status, tt.tried, a.verdict, a.wait, tt.want, tt.wait)
		}
	}
}

func TestPausesGrow(t *testing.T) {
	last := time.Duration(0)
	for n := int64(1); n < 20; n++ {
		d := pauseAfter(n)
		if d < last*8/10 || d > 7*time.Hour || d < 900*time.Millisecond {
			t.Errorf("after %d failures: %s, before it was %s", n, d, last)
		}
		last = d
	}
}

// A deletion that a server refuses, or breaks on, is delivered again later, for
// longer than anything else; other things are not.
func TestRefusedDeletionsAreDeliveredAgain(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, amira := r.fan()
		answer := 202
		var mu sync.Mutex
		become := func(status int) {
			mu.Lock()
			defer mu.Unlock()
			answer = status
		}
		elm.tapInbox(func(int, string) (int, http.Header) {
			mu.Lock()
			defer mu.Unlock()
			return answer, nil
		})
		p := oak.publish(amira, community.Draft{Source: "One"})
		become(403)
		oak.publish(amira, community.Draft{Source: "Two"})
		oak.write(func(tx *store.Tx) error { return community.Delete(tx, amira, p.ID) })
		refuse := func() {
			t.Helper()
			for range 8 { // the pauses between the tries
				oak.exec("UPDATE lanes SET next_at = ? WHERE waiting", oak.db.Now())
				oak.deliveries.poke("")
				r.settle()
			}
			if n := oak.count("SELECT COUNT(*) FROM deliveries WHERE state = 'refused'"); n != 2 {
				t.Fatalf("%d deliveries are refused, want 2", n)
			}
		}
		refuse()
		again := func(age time.Duration) {
			t.Helper()
			oak.exec("UPDATE deliveries SET done_at = ? WHERE state = 'refused'", oak.db.Now().Add(-age))
			oak.refetched.forget("erasures")
			oak.eraseAgain(t.Context())
			r.settle()
		}
		become(202)
		again(time.Hour)
		deletes := "SELECT COUNT(*) FROM deliveries d JOIN outgoing o ON o.id = d.outgoing_id WHERE o.verb = 'Delete' AND d.state = ?"
		if n := oak.count(deletes, "refused"); n != 1 {
			t.Errorf("a deletion that was refused an hour ago is delivered again")
		}
		become(500)
		again(7 * time.Hour)
		refuse()
		become(202)
		again(7 * time.Hour)
		if n := oak.count(deletes, "delivered"); n != 1 {
			t.Errorf("%d deletions are delivered in the end, want 1", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM deliveries WHERE state = 'refused'"); n != 1 {
			t.Errorf("%d other things are refused, want 1", n)
		}
		oak.exec("UPDATE deliveries SET state = 'refused', status = 403, created_at = ?", oak.db.Now().Add(-31*24*time.Hour))
		again(7 * time.Hour)
		if n := oak.count("SELECT COUNT(*) FROM deliveries WHERE state <> 'refused'"); n != 0 {
			t.Errorf("%d things are delivered again after a month", n)
		}
	})
}
