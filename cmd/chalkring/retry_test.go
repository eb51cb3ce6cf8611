package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// TestKilledServerPostsOnce stops a real process with SIGKILL around the moment
// at which it stores what an app posts, and has the app try again with the same
// Idempotency-Key once the server is back: there is one post. Half of the moments
// are spread over the time that posting takes, the others are as soon as the post
// is seen to be stored, and so often before it is answered.
// CHALKRING_TEST_KILLS says how often.
func TestKilledServerPostsOnce(t *testing.T) {
	kills := 24
	if n, err := strconv.Atoi(os.Getenv("CHALKRING_TEST_KILLS")); err == nil {
		kills = n
	}
	binary := filepath.Join(t.TempDir(), "chalkring")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Run("sqlite", func(t *testing.T) { newVictim(t, binary, "").postOnce(kills) })
	if os.Getenv("CHALKRING_TEST_POSTGRES") != "" {
		t.Run("postgres", func(t *testing.T) { newVictim(t, binary, storetest.Postgres(t)).postOnce(kills) })
	}
}

func (v *victim) postOnce(kills int) {
	v.t.Helper()
	token, err := app.IssueToken(v.t.Context(), v.db, v.ana.ID, "An app", "write")
	if err != nil {
		v.t.Fatal(err)
	}
	post := func(words, key string) error {
		form := url.Values{"status": {words}, "visibility": {"public"}}
		req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.cfg.BaseURL()+"/api/v1/statuses", strings.NewReader(form.Encode()))
		if err != nil {
			v.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Idempotency-Key", key)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s %s", res.Status, body)
		}
		return err
	}
	stored := func(words string) (n int) {
		v.read(func(tx *store.Tx) error {
			return tx.Raw("SELECT COUNT(*) FROM posts WHERE source = ?", words).Scan(&n).Error
		})
		return n
	}
	cmd := v.start()
	takes := time.Duration(math.MaxInt64)
	for n := range 5 {
		begun := time.Now()
		if err := post("To be timed", fmt.Sprintf("timed-%d", n)); err != nil {
			v.t.Fatal(err)
		}
		takes = min(takes, time.Since(begun))
	}
	var before, between, after int
	for n := range kills {
		words, key := fmt.Sprintf("Written once, %d", n), fmt.Sprintf("key-%d", n)
		first := make(chan error, 1)
		go func() { first <- post(words, key) }()
		if moment := time.Now().Add(time.Duration(rand.Int64N(int64(2 * takes)))); n%2 == 0 {
			for time.Now().Before(moment) { // a sleep is not as exact
			}
		} else {
			for deadline := time.Now().Add(10 * time.Second); stored(words) == 0 && time.Now().Before(deadline); {
			}
		}
		v.kill(cmd)
		answered := <-first == nil
		switch was := stored(words); {
		case answered && was != 1:
			v.t.Errorf("%s: acknowledged, and stored %d times", words, was)
		case answered:
			after++
		case was == 0:
			before++
		default:
			between++
		}
		cmd = v.start()
		for try := range 2 { // and once more, since the first answer may get lost too
			if err := post(words, key); err != nil {
				v.t.Errorf("%s, try %d: %v", words, try+2, err)
			}
		}
		if n := stored(words); n != 1 {
			v.t.Errorf("%s: stored %d times", words, n)
		}
	}
	v.kill(cmd)
	v.t.Logf("stopped %d times before it was stored, %d times between that and the answer, %d times after", before, between, after)
}
