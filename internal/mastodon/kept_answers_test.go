package mastodon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// eachWorldAt is eachWorld where some time has passed.
func eachWorldAt(t *testing.T, fn func(t *testing.T, w *world, passed *atomic.Int64)) {
	t.Run("sqlite", func(t *testing.T) {
		passed := new(atomic.Int64)
		fn(t, worldAt(t, storetest.File(t), passed), passed)
	})
	t.Run("postgres", func(t *testing.T) {
		passed := new(atomic.Int64)
		fn(t, worldAt(t, storetest.Postgres(t), passed), passed)
	})
}

func worldAt(t *testing.T, database string, passed *atomic.Int64) *world {
	db, err := store.Open(t.Context(), store.Options{Database: database, Site: storetest.Site(), Conns: 4,
		Now: func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(context.Background()) })
	w := worldOn(t, db)
	w.write(community.EnsureSite)
	return w
}

// Whatever happens, an answer that was kept is the one that would be made.
func TestKeptAnswersAreAsMadeAnew(t *testing.T) { eachWorldAt(t, keptAnswersAreAsMadeAnew) }

func keptAnswersAreAsMadeAnew(t *testing.T, w *world, passed *atomic.Int64) {
	db := w.db
	people := []*client{w.person("amira", community.Member), w.person("bo", community.Member), w.person("dee", community.Moderator)}
	guest := w.guest()
	for _, a := range people {
		for _, b := range people {
			if a != b {
				a.act("/api/v1/accounts/" + fmt.Sprint(b.me.ID) + "/follow")
			}
		}
	}
	rng := rand.New(rand.NewPCG(7, 8))
	one := func() *client { return people[rng.IntN(len(people))] }
	var posts []string
	post := func() string { return posts[max(0, len(posts)-1-rng.IntN(5))] }
	publish := func(more map[string]any) {
		body := map[string]any{"status": fmt.Sprintf("Words %d #tag%d @bo", rng.IntN(1000), rng.IntN(3)), "visibility": []string{"public", "unlisted", "private", "direct"}[rng.IntN(4)]}
		for k, v := range more {
			body[k] = v
		}
		if res := one().json(http.MethodPost, "/api/v1/statuses", body); res.Code == http.StatusOK {
			posts = append(posts, res.text("id"))
		}
	}
	sql := func(statement string, args ...any) {
		w.write(func(tx *store.Tx) error { return tx.Exec(statement, args...).Error })
	}
	on := func(action string) func() {
		return func() { one().act("/api/v1/statuses/" + post() + "/" + action) }
	}
	to := func(action string) func() {
		return func() { one().act(fmt.Sprintf("/api/v1/accounts/%d/%s", one().me.ID, action)) }
	}
	deeds := []func(){
		func() { publish(nil) },
		func() { publish(map[string]any{"in_reply_to_id": post()}) },
		func() { publish(map[string]any{"quoted_status_id": post()}) },
		func() {
			publish(map[string]any{"poll": map[string]any{"options": []string{"This", "That"}, "expires_in": 300}})
		},
		func() {
			one().json(http.MethodPut, "/api/v1/statuses/"+post(), map[string]any{"status": fmt.Sprint("Other words ", rng.IntN(1000))})
		},
		func() { one().do(http.MethodDelete, "/api/v1/statuses/"+post(), "", nil) },
		on("favourite"), on("unfavourite"), on("reblog"), on("bookmark"), on("mute"), on("unmute"), on("pin"),
		to("mute"), to("unmute"), to("block"), to("unblock"), to("unblock"), to("follow"), to("unfollow"),
		func() {
			one().json(http.MethodPatch, "/api/v1/accounts/update_credentials", map[string]any{"display_name": fmt.Sprint("Name ", rng.IntN(100))})
		},
		func() {
			one().json(http.MethodPost, "/api/v2/filters", map[string]any{"title": "Words", "context": []string{"home", "notifications"}, "expires_in": 200,
				"keywords_attributes": []any{map[string]any{"keyword": fmt.Sprint(rng.IntN(10))}}})
		},
		func() { sql("DELETE FROM filters") },
		func() { sql("UPDATE site SET name = ?", fmt.Sprint("School ", rng.IntN(9))) },
		func() { sql("UPDATE accounts SET suspended_at = ? WHERE id = ?", db.Now(), one().me.ID) },
		func() { sql("UPDATE accounts SET suspended_at = NULL") },
		func() {
			sql("UPDATE users SET role = CASE WHEN role = 'member' THEN 'moderator' ELSE 'member' END WHERE role IN ('member', 'moderator')")
		},
		func() {
			sql("UPDATE oauth_tokens SET scopes = CASE WHEN scopes = 'profile' THEN 'read write follow' ELSE 'profile' END")
		},
		func() { passed.Add(int64(100 * time.Second)) },
		func() { passed.Add(int64(20 * time.Second)) },
	}
	for range 4 {
		publish(nil)
	}
	paths := func(c *client) []string {
		return []string{"/api/v1/timelines/home?limit=5", "/api/v1/timelines/home?limit=20", "/api/v1/timelines/public?limit=20", "/api/v1/timelines/tag/tag1?limit=20",
			fmt.Sprintf("/api/v1/accounts/%d/statuses?limit=20", c.me.ID), fmt.Sprintf("/api/v1/accounts/%d/statuses?pinned=true", c.me.ID), "/api/v1/notifications?limit=20",
			"/api/v1/statuses/" + post() + "?a", "/api/v1/statuses/" + post() + "/context?a"}
	}
	other := 0
	for step := range 100 {
		deeds[rng.IntN(len(deeds))]()
		for range 2 {
			reader, about := one(), one()
			if rng.IntN(6) == 0 {
				reader = guest
			}
			path := paths(about)[rng.IntN(9)]
			var last answer
			for range 1 + rng.IntN(8) {
				last = reader.get(path)
			}
			other++
			anew := reader.get(fmt.Sprint(path, "&other=", other)) // nothing is kept for this address
			if last.Code != anew.Code || last.Body.String() != anew.Body.String() {
				t.Fatalf("step %d: %s for %s is\n%d %s\nand made anew\n%d %s", step, path, reader.me.Username, last.Code, last.Body, anew.Code, anew.Body)
			}
		}
	}
	if s := db.Stats(); s.Kept < 80 {
		t.Errorf("kept %d", s.Kept)
	}
}

// A poll ends by the clock alone.
func TestOpenPollsAreNotKept(t *testing.T) { eachWorldAt(t, openPollsAreNotKept) }

func openPollsAreNotKept(t *testing.T, w *world, passed *atomic.Int64) {
	amira := w.person("amira", community.Member)
	poll := amira.post(map[string]any{"status": "This or that?", "poll": map[string]any{"options": []string{"This", "That"}, "expires_in": 300}})
	over := func() bool {
		var s struct{ Poll struct{ Expired bool } }
		for range 8 {
			amira.get("/api/v1/statuses/" + poll.ID).into(&s)
		}
		return s.Poll.Expired
	}
	passed.Store(int64(295 * time.Second))
	if over() {
		t.Error("over before its time")
	}
	passed.Store(int64(305 * time.Second))
	if !over() {
		t.Error("still open after its time")
	}
	if kept := w.db.Stats().Kept; kept == 0 {
		t.Error("the poll that is over is not kept")
	}
}

// A change of the app that a token was given to counts for the next request.
func TestRememberedAppIsProved(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		for _, name := range []string{"Phanpy", "Elk", "Ivory"} {
			w.write(func(tx *store.Tx) error { return tx.Exec("UPDATE oauth_apps SET name = ?", name).Error })
			for range 3 {
				if got := amira.get("/api/v1/apps/verify_credentials").text("name"); got != name {
					t.Errorf("the app is called %s, not %s", got, name)
				}
			}
		}
	})
}
