package mastodon

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// upload sends a picture, described unless words is empty, and returns its id.
func (c *client) upload(words string) string {
	c.w.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "wall.bin") // which is sent as application/octet-stream
	if err != nil {
		c.w.t.Fatal(err)
	}
	if err := png.Encode(file, image.NewRGBA(image.Rect(0, 0, 800, 600))); err != nil {
		c.w.t.Fatal(err)
	}
	if words != "" {
		form.WriteField("description", words)
	}
	form.Close()
	res := c.do(http.MethodPost, "/api/v2/media", form.FormDataContentType(), body.Bytes())
	if res.Code != http.StatusOK {
		c.w.t.Fatalf("upload: %d %s", res.Code, res.Body)
	}
	return res.text("id")
}

// answers checks a status and, for a failure, that it says something.
func (a answer) is(what string, code int) answer {
	a.w.t.Helper()
	if a.Code != code || code >= 400 && a.text("error") == "" {
		a.w.t.Errorf("%s: %d %s, want %d", what, a.Code, a.Body, code)
	}
	return a
}

// The same key makes one post, whatever becomes of it, for an hour.
func TestIdempotencyKey(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		send := func(c *client, key, text string) answer {
			return c.json(http.MethodPost, "/api/v1/statuses", map[string]any{"status": text, "visibility": "private"}, "Idempotency-Key", key)
		}
		var together [4]answer
		var all sync.WaitGroup
		for i := range together {
			all.Go(func() { together[i] = send(amira, "k1", "Only once") })
		}
		all.Wait()
		first := together[0].is("the first", http.StatusOK).text("id")
		for _, res := range together {
			if id := res.is("at the same moment", http.StatusOK).text("id"); id != first {
				t.Errorf("published %s and %s", first, id)
			}
		}
		if other := send(bo, "k1", "Only once").text("id"); other == first || other == "" {
			t.Errorf("another person's same key gives %q", other)
		}
		amira.json(http.MethodPut, "/api/v1/statuses/"+first, map[string]any{"status": "Edited since"}).is("edit", http.StatusOK)
		if again := send(amira, "k1", "Only once"); again.text("id") != first || !strings.Contains(again.text("content"), "Edited since") {
			t.Errorf("after an edit: %s", again.Body)
		}
		amira.do(http.MethodDelete, "/api/v1/statuses/"+first, "", nil).is("delete", http.StatusOK)
		send(amira, "k1", "Only once").is("after it was deleted", http.StatusNotFound)
		w.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE kept SET expires_at = ? WHERE key LIKE '%api:k1'", tx.Now.Add(-time.Second)).Error
		})
		if later := send(amira, "k1", "Only once").is("after an hour", http.StatusOK).text("id"); later == first {
			t.Error("the key outlived its hour")
		}
		long := strings.Repeat("k", 3000)
		if a, b := send(amira, long, "Long key").text("id"), send(amira, long, "Long key").text("id"); a == "" || a != b {
			t.Errorf("a long key publishes %q and %q", a, b)
		}
		var n int
		w.write(func(tx *store.Tx) error {
			return tx.Raw("SELECT COUNT(*) FROM kept WHERE key LIKE '%api:k1' AND expires_at <= ?", tx.Now.Add(time.Hour+time.Minute)).Scan(&n).Error
		})
		if n != 2 {
			t.Errorf("%d keys end within the hour, want both", n)
		}
	})
}

// due has a post's time come, as the clock would.
func (w *world) due(id string) {
	w.t.Helper()
	w.write(func(tx *store.Tx) error {
		return tx.Exec("UPDATE scheduled_posts SET scheduled_at = ? WHERE id = ?", tx.Now.Add(-time.Second), id).Error
	})
}

// publishDue publishes what is due, from several nodes at once.
func (w *world) publishDue() {
	w.t.Helper()
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			var ids []int64
			err := w.db.Read(w.t.Context(), func(tx *store.Tx) (err error) {
				ids, err = community.DueScheduled(tx, 10)
				return err
			})
			for _, id := range ids {
				err = w.db.Write(w.t.Context(), func(tx *store.Tx) error { return community.PublishScheduled(tx, id) })
				if f := fault.Of(err); err != nil && f.Kind != fault.Internal {
					err = w.db.Write(w.t.Context(), func(tx *store.Tx) error { return community.RefuseScheduled(tx, id, f.Error()) })
				}
				if err != nil {
					w.t.Error(err)
				}
			}
			if err != nil {
				w.t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestScheduling(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		const list = "/api/v1/scheduled_statuses"
		at := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		later := func(c *client, body map[string]any, header ...string) answer {
			body["scheduled_at"] = at.Format(time.RFC3339)
			return c.json(http.MethodPost, "/api/v1/statuses", body, header...)
		}
		type waiting struct {
			ID          string
			ScheduledAt string `json:"scheduled_at"`
			Params      struct {
				Text, Visibility string
				SpoilerText      string   `json:"spoiler_text"`
				MediaIDs         []string `json:"media_ids"`
				Poll             *struct {
					Options   []string
					ExpiresIn int `json:"expires_in"`
				}
			}
			Media     []struct{ ID string } `json:"media_attachments"`
			Chalkring struct{ Reason string }
		}
		for _, when := range []string{time.Now().Add(4 * time.Minute).Format(time.RFC3339), "2020-01-01T00:00:00Z", "tomorrow"} {
			amira.json(http.MethodPost, "/api/v1/statuses", map[string]any{"status": "Too soon", "scheduled_at": when}).is(when, http.StatusUnprocessableEntity)
		}
		pic := amira.upload("A wall of cards")
		var s waiting
		later(amira, map[string]any{"status": "Monday", "spoiler_text": "Loud", "visibility": "private", "media_ids": []string{pic}}, "Idempotency-Key", "s1").
			is("schedule", http.StatusOK).into(&s)
		if s.Params.Text != "Monday" || s.Params.SpoilerText != "Loud" || s.Params.Visibility != "private" || !slices.Equal(s.Params.MediaIDs, []string{pic}) ||
			len(s.Media) != 1 || s.ScheduledAt != string(stampOf(at)) {
			t.Errorf("kept %+v", s)
		}
		if again := later(amira, map[string]any{"status": "Monday"}, "Idempotency-Key", "s1").text("id"); again != s.ID {
			t.Errorf("the same key keeps %s and %s", s.ID, again)
		}
		var asked waiting
		later(amira, map[string]any{"status": "Which?", "visibility": "private", "poll": map[string]any{"options": []string{"a", "b"}, "expires_in": 3600}}).into(&asked)
		if asked.Params.Poll == nil || asked.Params.Poll.ExpiresIn != 3600 || len(asked.Params.Poll.Options) != 2 {
			t.Errorf("kept the poll as %+v", asked.Params.Poll)
		}
		if res := amira.get(list + "?limit=1"); len(res.ids()) != 1 || !strings.Contains(res.Header().Get("Link"), `rel="next"`) {
			t.Errorf("a page of one: %s, Link %q", res.Body, res.Header().Get("Link"))
		}
		if ids := amira.get(list).ids(); !slices.Equal(ids, []string{asked.ID, s.ID}) {
			t.Errorf("waiting: %v", ids)
		}

		// Nobody else knows of it, and its picture is taken.
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			bo.json(method, list+"/"+s.ID, map[string]any{"scheduled_at": at.Format(time.RFC3339)}).is("another's, "+method, http.StatusNotFound)
		}
		if ids := bo.get(list).ids(); len(ids) != 0 {
			t.Errorf("bo finds %v waiting", ids)
		}
		bo.get("/api/v1/statuses/"+s.ID).is("not published yet", http.StatusNotFound)
		amira.json(http.MethodPost, "/api/v1/statuses", map[string]any{"status": "Mine", "media_ids": []string{pic}}).is("a picture that waits", http.StatusUnprocessableEntity)
		amira.get("/api/v1/media/"+pic).is("a picture that waits", http.StatusNotFound)

		// Another time, and then the time has come: once, for all nodes.
		var moved waiting
		amira.json(http.MethodPut, list+"/"+s.ID, map[string]any{"scheduled_at": at.Add(time.Hour).Format(time.RFC3339)}).is("another time", http.StatusOK).into(&moved)
		if moved.ScheduledAt != string(stampOf(at.Add(time.Hour))) {
			t.Errorf("moved to %s", moved.ScheduledAt)
		}
		w.publishDue()
		if ids := amira.get("/api/v1/timelines/home").ids(); len(ids) != 0 {
			t.Errorf("published before its time: %v", ids)
		}
		w.due(s.ID)
		w.publishDue()
		w.publishDue()
		home := amira.get("/api/v1/timelines/home").ids()
		if len(home) != 1 {
			t.Fatalf("published %d times", len(home))
		}
		var post said
		amira.get("/api/v1/statuses/" + home[0]).into(&post)
		if !strings.Contains(post.Content, "Monday") || len(post.Media) != 1 || post.Visibility != "private" {
			t.Errorf("published %+v", post)
		}
		if again := later(amira, map[string]any{"status": "Monday"}, "Idempotency-Key", "s1").text("id"); again != post.ID {
			t.Errorf("the same key is answered with %s, want what became of it, %s", again, post.ID)
		}
		amira.get(list+"/"+s.ID).is("published", http.StatusNotFound)

		// What the author may not do any more stays with them, with the reason.
		var wide waiting
		later(amira, map[string]any{"status": "For all", "visibility": "public"}).into(&wide)
		w.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE users SET role = 'placement' WHERE account_id = ?", amira.me.ID).Error
		})
		w.due(wide.ID)
		w.publishDue()
		amira.get(list+"/"+wide.ID).is("refused", http.StatusOK).into(&wide)
		if wide.Chalkring.Reason == "" || len(amira.get("/api/v1/timelines/home").ids()) != 1 {
			t.Errorf("a post wider than its author may write: %+v", wide)
		}
		amira.json(http.MethodPut, list+"/"+wide.ID, map[string]any{"scheduled_at": at.Format(time.RFC3339)}).is("still refused", http.StatusUnprocessableEntity)
		w.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE users SET role = 'member' WHERE account_id = ?", amira.me.ID).Error
		})
		amira.json(http.MethodPut, list+"/"+wide.ID, map[string]any{"scheduled_at": at.Format(time.RFC3339)}).is("tried again", http.StatusOK)

		// Taken back, its picture is free.
		pic = amira.upload("Another wall")
		later(amira, map[string]any{"status": "Never", "visibility": "private", "media_ids": []string{pic}}).into(&s)
		amira.do(http.MethodDelete, list+"/"+s.ID, "", nil).is("take back", http.StatusOK)
		amira.post(map[string]any{"status": "Now", "visibility": "private", "media_ids": []string{pic}})

		noon := time.Now().AddDate(0, 0, 3).UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
		at = noon
		for i := range community.MaxScheduledDay + 1 {
			want := http.StatusOK
			if i == community.MaxScheduledDay {
				want = http.StatusUnprocessableEntity
			}
			later(bo, map[string]any{"status": fmt.Sprint(i), "visibility": "private"}).is("for one day", want)
		}
	})
}

type talk struct {
	ID       string
	Unread   bool
	Accounts []struct{ ID string }
	Last     *said `json:"last_status"`
}

func (c *client) talks() (list []talk) {
	c.w.t.Helper()
	c.get("/api/v1/conversations").is("conversations", http.StatusOK).into(&list)
	return list
}

func TestConversations(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo, cy := w.person("amira", community.Member), w.person("bo", community.Member), w.person("cy", community.Member)
		first := amira.post(map[string]any{"status": "@bo are you free?", "visibility": "direct"})
		got := bo.talks()
		if len(got) != 1 || !got[0].Unread || got[0].Last == nil || got[0].Last.ID != first.ID || len(got[0].Accounts) != 1 || got[0].Accounts[0].ID != path(amira.me.ID) {
			t.Fatalf("bo has %+v", got)
		}
		if sent := amira.talks(); len(sent) != 1 || sent[0].Unread || sent[0].Accounts[0].ID != path(bo.me.ID) {
			t.Errorf("amira has %+v", sent)
		}
		at := "/api/v1/conversations/" + got[0].ID
		for _, who := range []*client{amira, cy} {
			who.act(at+"/read").is("another's", http.StatusNotFound)
			who.do(http.MethodDelete, at, "", nil).is("another's", http.StatusNotFound)
		}
		w.guest().get("/api/v1/conversations").is("a guest", http.StatusUnauthorized)
		var read talk
		bo.act(at+"/read").is("read", http.StatusOK).into(&read)
		if read.Unread || read.ID != got[0].ID || bo.talks()[0].Unread {
			t.Errorf("after reading: %+v", read)
		}
		answer := bo.post(map[string]any{"status": "@amira yes", "visibility": "direct", "in_reply_to_id": first.ID})
		if sent := amira.talks(); len(sent) != 1 || !sent[0].Unread || sent[0].Last.ID != answer.ID {
			t.Errorf("after the answer amira has %+v", sent)
		}
		if len(cy.talks()) != 0 || len(cy.get("/api/v1/timelines/direct").ids()) != 0 {
			t.Error("cy reads what is not for cy")
		}

		// Under one post of the school, each conversation is its own.
		open := amira.post(map[string]any{"status": "Who comes?", "local_only": true})
		bo.post(map[string]any{"status": "@amira not me", "visibility": "direct", "in_reply_to_id": open.ID})
		cy.post(map[string]any{"status": "@amira me", "visibility": "direct", "in_reply_to_id": open.ID})
		if all := amira.talks(); len(all) != 3 {
			t.Errorf("amira has %d conversations", len(all))
		}
		if ids := amira.get("/api/v1/timelines/direct").ids(); len(ids) != 4 {
			t.Errorf("amira's direct posts: %v", ids)
		}
		page := amira.get("/api/v1/conversations?limit=2")
		if next := page.Header().Get("Link"); len(page.ids()) != 2 || !strings.Contains(next, "max_id=") {
			t.Errorf("a page of two: %s, Link %q", page.Body, next)
		}
		// Some clients name the conversation instead of what Link says.
		if rest := amira.get("/api/v1/conversations?max_id=" + amira.talks()[1].ID).ids(); len(rest) != 1 {
			t.Errorf("after the second: %v", rest)
		}

		// A deleted post leaves the one before it; the last takes the conversation along.
		bo.do(http.MethodDelete, "/api/v1/statuses/"+answer.ID, "", nil)
		if left := bo.talks(); len(left) != 2 || left[1].Last.ID != first.ID {
			t.Errorf("after the deletion bo has %+v", left)
		}
		amira.do(http.MethodDelete, "/api/v1/statuses/"+first.ID, "", nil)
		if left := bo.talks(); len(left) != 1 {
			t.Errorf("after all of it is deleted bo has %+v", left)
		}
		// Taken out of the list, it comes back with the next post.
		cyHas := cy.talks()[0]
		cy.do(http.MethodDelete, "/api/v1/conversations/"+cyHas.ID, "", nil).is("take out", http.StatusOK)
		if len(cy.talks()) != 0 {
			t.Error("a conversation that was taken out is still there")
		}
		amira.post(map[string]any{"status": "@cy good", "visibility": "direct", "in_reply_to_id": cyHas.Last.ID})
		if back := cy.talks(); len(back) != 1 || !back[0].Unread {
			t.Errorf("cy has %+v", back)
		}
		// Whoever blocks somebody reads nothing of theirs any more.
		cy.act("/api/v1/accounts/" + path(amira.me.ID) + "/block")
		if len(cy.talks()) != 0 {
			t.Error("a conversation with somebody who is blocked is shown")
		}
		// An edit that names somebody more brings it to them as well.
		note := amira.post(map[string]any{"status": "To myself", "visibility": "direct"})
		if mine := amira.talks()[0]; mine.Last.ID != note.ID || len(mine.Accounts) != 0 {
			t.Errorf("a note to oneself: %+v", mine)
		}
	})
}

func TestMutingAThread(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo, cy := w.person("amira", community.Member), w.person("bo", community.Member), w.person("cy", community.Member)
		post := amira.post(map[string]any{"status": "Who comes?", "visibility": "public"})
		closed := bo.post(map[string]any{"status": "@cy between us", "visibility": "direct"})
		muted := func(c *client, deed string) bool {
			var s struct{ Muted *bool }
			c.act("/api/v1/statuses/"+post.ID+deed).is(deed, http.StatusOK).into(&s)
			return s.Muted != nil && *s.Muted
		}
		if !muted(amira, "/mute") {
			t.Error("the post does not say that its thread is muted")
		}
		amira.act("/api/v1/statuses/"+closed.ID+"/mute").is("what amira may not see", http.StatusNotFound)
		answer := bo.post(map[string]any{"status": "I do", "visibility": "public", "in_reply_to_id": post.ID})
		bo.act("/api/v1/statuses/" + post.ID + "/favourite")
		if told := amira.get("/api/v1/notifications").ids(); len(told) != 0 {
			t.Errorf("amira is told of %v", told)
		}
		var s struct{ Muted bool }
		if amira.get("/api/v1/statuses/" + answer.ID).into(&s); !s.Muted {
			t.Error("an answer does not say that its thread is muted")
		}
		if cy.get("/api/v1/statuses/" + post.ID).into(&s); s.Muted {
			t.Error("muted for somebody else as well")
		}
		if muted(amira, "/unmute") {
			t.Error("still muted")
		}
		second := cy.post(map[string]any{"status": "Me too", "visibility": "public", "in_reply_to_id": post.ID})
		if told := amira.get("/api/v1/notifications").ids(); !slices.Equal(told, []string{second.ID}) {
			t.Errorf("after unmuting amira is told of %v", told)
		}
	})
}

// Delete and redraft: the pictures can go into the next post, unless the client
// has them deleted as well.
func TestRedrafting(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		pic := amira.upload("A wall of cards")
		amira.json(http.MethodPut, "/api/v2/media/"+pic, map[string]any{"description": "x"}).is("a route that is not there", http.StatusNotFound)
		var m struct {
			PreviewURL string `json:"preview_url"`
			Meta       struct {
				Original, Small struct{ Width, Height int }
				Focus           *struct{ X, Y float64 }
			}
		}
		amira.get("/api/v1/media/"+pic).is("ready", http.StatusOK).into(&m)
		if m.PreviewURL == "" || m.Meta.Original.Width != 800 || m.Meta.Small.Width != 400 || m.Meta.Small.Height != 300 || m.Meta.Focus == nil {
			t.Errorf("the picture is %+v", m)
		}
		post := amira.post(map[string]any{"status": "Our *wall*", "visibility": "private", "media_ids": []string{pic}})
		amira.do(http.MethodDelete, "/api/v1/media/"+pic, "", nil).is("a picture in a post", http.StatusUnprocessableEntity)
		var gone said
		amira.do(http.MethodDelete, "/api/v1/statuses/"+post.ID, "", nil).is("delete", http.StatusOK).into(&gone)
		if gone.Text != "Our *wall*" || len(gone.Media) != 1 || gone.Media[0].ID != pic {
			t.Errorf("deleted: %+v", gone)
		}
		bo.json(http.MethodPost, "/api/v1/statuses", map[string]any{"status": "Mine now", "media_ids": []string{pic}}).is("another's picture", http.StatusUnprocessableEntity)
		post = amira.post(map[string]any{"status": "Our wall, anew", "visibility": "private", "media_ids": []string{pic}})
		amira.do(http.MethodDelete, "/api/v1/statuses/"+post.ID+"?delete_media=true", "", nil).is("delete all of it", http.StatusOK)
		amira.get("/api/v1/media/"+pic).is("deleted with its post", http.StatusNotFound)

		pic = amira.upload("")
		bo.do(http.MethodDelete, "/api/v1/media/"+pic, "", nil).is("another's", http.StatusNotFound)
		amira.do(http.MethodDelete, "/api/v1/media/"+pic, "", nil).is("delete a picture", http.StatusOK)
		amira.get("/api/v1/media/"+pic).is("deleted", http.StatusNotFound)
	})
}

func TestEditingPicturesAndPolls(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		a, b := amira.upload("A"), amira.upload("B")
		post := amira.post(map[string]any{"status": "Two", "visibility": "private", "media_ids": []string{a, b}, "spoiler_text": "Loud"})
		at := "/api/v1/statuses/" + post.ID
		described := func() string {
			var s said
			amira.get(at).into(&s)
			var all []string
			for _, m := range s.Media {
				all = append(all, m.Description)
			}
			return strings.Join(all, ", ")
		}
		// Objects with different members: which is whose must be kept.
		amira.json(http.MethodPut, at, map[string]any{"status": "Two", "media_ids": []string{a, b},
			"media_attributes": []map[string]any{{"id": a, "focus": "0.5,0.5"}, {"id": b, "description": "B, anew"}}}).is("edit", http.StatusOK)
		if got := described(); got != "A, B, anew" {
			t.Errorf("described as %q", got)
		}
		form := url.Values{"status": {"Two"}, "media_ids[]": {b, a}, "media_attributes[0][id]": {b}, "media_attributes[0][description]": {"b"},
			"media_attributes[1][id]": {a}, "media_attributes[1][description]": {"a"}}
		amira.do(http.MethodPut, at, "application/x-www-form-urlencoded", []byte(form.Encode())).is("edit by form", http.StatusOK)
		if got := described(); got != "b, a" {
			t.Errorf("described as %q", got)
		}
		var s struct {
			SpoilerText string `json:"spoiler_text"`
		}
		if amira.get(at).into(&s); s.SpoilerText != "Loud" {
			t.Errorf("an edit that does not speak of the warning leaves %q", s.SpoilerText)
		}

		poll := func(options ...string) map[string]any {
			return map[string]any{"status": "Which?", "visibility": "private", "poll": map[string]any{"options": options, "expires_in": 3600, "hide_totals": true}}
		}
		asked := amira.post(poll("a", "b"))
		amira.json(http.MethodPut, "/api/v1/statuses/"+asked.ID, poll("a", "c")).is("another poll", http.StatusOK)
		var history []struct {
			Poll *struct{ Options []struct{ Title string } }
		}
		amira.get("/api/v1/statuses/" + asked.ID + "/history").into(&history)
		if len(history) != 2 || history[0].Poll == nil || history[0].Poll.Options[1].Title != "b" || history[1].Poll.Options[1].Title != "c" {
			t.Errorf("history: %+v", history)
		}
		both := poll("a", "b")
		both["media_ids"] = []string{amira.upload("C")}
		amira.json(http.MethodPost, "/api/v1/statuses", both).is("pictures and a poll", http.StatusUnprocessableEntity)
	})
}

// A practice post reads well in clients that know nothing of its parts, and is
// edited there without losing them.
func TestPracticeInClients(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		p := w.publish(amira, community.Draft{Kind: community.Practice, Title: "Exit tickets", Audience: community.School, Subject: "Maths",
			Sections: &community.Sections{Tried: "Cards at the door.", Next: "Try it with *pairs*."}})
		at := "/api/v1/statuses/" + path(p.ID)
		var s struct {
			Content string
			Card    *struct{ Title, URL, Description, Type string }
			App     any `json:"application"`
			Extras  struct {
				Kind, Audience, Title, Subject string
				AudienceWords                  string `json:"audience_words"`
				Sections                       []struct{ Name, Heading, Text string }
				School                         struct{ Name, Host string }
			} `json:"chalkring"`
			Account struct {
				Chalkring struct{ School struct{ Host string } }
			}
		}
		bo.get(at).is("a practice post", http.StatusOK).into(&s)
		if !strings.HasPrefix(s.Content, "<p><strong>Exit tickets</strong></p><p><strong>What I tried</strong></p>") || strings.Contains(s.Content, "<h2") ||
			!strings.Contains(s.Content, "What next") {
			t.Errorf("reads %s", s.Content)
		}
		if s.Card == nil || s.Card.Title != "Exit tickets" || s.Card.Type != "link" || !strings.Contains(s.Card.URL, path(p.ID)) || s.Card.Description == "" {
			t.Errorf("its card is %+v", s.Card)
		}
		if x := s.Extras; x.Kind != "practice" || x.Audience != "school" || x.AudienceWords == "" || x.Title != "Exit tickets" || x.Subject != "Maths" ||
			len(x.Sections) != 2 || x.Sections[1].Name != "next" || x.School.Name == "" || s.Account.Chalkring.School.Host != x.School.Host {
			t.Errorf("its extras are %+v", x)
		}
		if card := bo.get(at + "/card").text("title"); card != "Exit tickets" {
			t.Errorf("the card alone: %q", card)
		}
		source := amira.get(at + "/source").text("text")
		stored := func() (now community.Post) {
			w.write(func(tx *store.Tx) (err error) { now, err = community.PostByID(tx, p.ID); return err })
			return now
		}
		amira.json(http.MethodPut, at, map[string]any{"status": source, "spoiler_text": "Long"}).is("only the warning", http.StatusOK)
		if now := stored(); now.Warning != "Long" || *now.Sections != *p.Sections {
			t.Errorf("after the warning: %+v", now)
		}
		amira.json(http.MethodPut, at, map[string]any{"status": strings.Replace(source, "Cards", "Cards and pens", 1)}).is("the text below a heading", http.StatusOK)
		if now := stored(); now.Sections.Tried != "Cards and pens at the door." || now.Sections.Next != p.Sections.Next {
			t.Errorf("after the text: %+v", now.Sections)
		}
		for _, text := range []string{"Cards, flat", "Before\n\n" + source, strings.Replace(source, "What I tried", "Tried", 1), source + "\n\n## What next\n\nTwice"} {
			res := amira.json(http.MethodPut, at, map[string]any{"status": text}).is("a text without its parts", http.StatusUnprocessableEntity)
			if !strings.Contains(res.text("error"), path(p.ID)) {
				t.Errorf("the refusal does not say where to edit: %s", res.Body)
			}
		}
		var own, others struct {
			App *struct{ Name string } `json:"application"`
		}
		mine := amira.post(map[string]any{"status": "From an app", "local_only": true})
		amira.get("/api/v1/statuses/" + mine.ID).into(&own)
		bo.get("/api/v1/statuses/" + mine.ID).into(&others)
		if own.App == nil || own.App.Name != "Phanpy" || others.App != nil {
			t.Errorf("written with %+v, for others %+v", own.App, others.App)
		}
	})
}

func TestQuotePolicies(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		post := amira.post(map[string]any{"status": "Retrieval grids", "visibility": "public", "quote_approval_policy": "nobody"})
		at := "/api/v1/statuses/" + post.ID
		allowed := func(c *client) string {
			var s struct {
				Approval struct {
					Automatic []string
					Me        string `json:"current_user"`
				} `json:"quote_approval"`
			}
			c.get(at).into(&s)
			return strings.Join(s.Approval.Automatic, " ") + "/" + s.Approval.Me
		}
		quote := func() answer {
			return bo.json(http.MethodPost, "/api/v1/statuses", map[string]any{"status": "Look", "visibility": "public", "quoted_status_id": post.ID})
		}
		set := func(c *client, policy string) answer {
			return c.json(http.MethodPut, at+"/interaction_policy", map[string]any{"quote_approval_policy": policy})
		}
		if got := allowed(bo); got != "/denied" {
			t.Errorf("of nobody's: %s", got)
		}
		quote().is("what nobody may quote", http.StatusForbidden)
		set(bo, "public").is("another's", http.StatusNotFound)
		set(amira, "everyone").is("an unknown policy", http.StatusUnprocessableEntity)
		set(amira, "followers").is("followers", http.StatusOK)
		if got := allowed(bo); got != "followers/denied" {
			t.Errorf("of followers', for somebody else: %s", got)
		}
		set(amira, "public").is("public", http.StatusOK)
		if got := allowed(bo) + allowed(w.guest()) + allowed(amira); got != "public/automaticpublic/unknownpublic/automatic" {
			t.Errorf("of everybody's: %s", got)
		}
		quote().is("what everybody may quote", http.StatusOK)
		closed := amira.post(map[string]any{"status": "Among us", "local_only": true})
		amira.json(http.MethodPut, "/api/v1/statuses/"+closed.ID+"/interaction_policy", map[string]any{"quote_approval_policy": "public"}).
			is("what is not for everybody", http.StatusUnprocessableEntity)
	})
}

// What somebody usually does counts when their client says nothing, and never
// beyond what their role allows.
func TestPostingPreferences(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, ola := w.person("amira", community.Member), w.person("ola", community.Placement)
		const at = "/api/v1/accounts/update_credentials"
		set := func(c *client, source map[string]any) answer {
			return c.json(http.MethodPatch, at, map[string]any{"source": source})
		}
		set(ola, map[string]any{"privacy": "public"}).is("wider than the role", http.StatusUnprocessableEntity)
		set(amira, map[string]any{"privacy": "direct"}).is("no usual audience", http.StatusUnprocessableEntity)
		set(amira, map[string]any{"quote_policy": "everyone"}).is("an unknown policy", http.StatusUnprocessableEntity)
		var own struct {
			Source struct {
				Privacy, Language string
				Sensitive         bool
				QuotePolicy       string `json:"quote_policy"`
			}
		}
		set(amira, map[string]any{"privacy": "public", "sensitive": true, "language": "mi", "quote_policy": "nobody"}).is("all of them", http.StatusOK).into(&own)
		if s := own.Source; s.Privacy != "public" || s.Language != "mi" || !s.Sensitive || s.QuotePolicy != "nobody" {
			t.Errorf("answered %+v", s)
		}
		var usual map[string]any
		amira.get("/api/v1/preferences").into(&usual)
		for key, want := range map[string]any{"posting:default:visibility": "public", "posting:default:sensitive": true, "posting:default:language": "mi",
			"posting:default:quote_policy": "nobody", "reading:expand:media": "default", "reading:expand:spoilers": false} {
			if usual[key] != want {
				t.Errorf("%s is %v, want %v", key, usual[key], want)
			}
		}
		var s struct {
			Visibility, Language string
			Sensitive            bool
			Approval             struct{ Automatic []string } `json:"quote_approval"`
		}
		amira.json(http.MethodPost, "/api/v1/statuses", map[string]any{"status": "As usual", "media_ids": []string{amira.upload("A wall")}}).into(&s)
		if s.Visibility != "public" || s.Language != "mi" || !s.Sensitive || len(s.Approval.Automatic) != 0 {
			t.Errorf("posted as %+v", s)
		}
		amira.json(http.MethodPost, "/api/v1/statuses", map[string]any{"status": "Otherwise", "visibility": "private", "language": "en", "sensitive": false}).into(&s)
		if s.Visibility != "private" || s.Language != "en" || s.Sensitive {
			t.Errorf("posted as %+v", s)
		}
		// What is shown as "private" for the school stays for the school.
		set(amira, map[string]any{"privacy": "unlisted"})
		w.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE users SET default_audience = 'school' WHERE account_id = ?", amira.me.ID).Error
		})
		set(amira, map[string]any{"privacy": "private"}).is("the word it is shown with", http.StatusOK)
		if s := amira.post(map[string]any{"status": "Among us"}); !s.LocalOnly {
			t.Errorf("posted as %+v", s)
		}
	})
}

func TestManyStatusesAtOnce(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		first, second := amira.post(map[string]any{"status": "1", "visibility": "public"}), amira.post(map[string]any{"status": "2", "local_only": true})
		own := amira.post(map[string]any{"status": "3", "visibility": "direct"})
		ask := "/api/v1/statuses?id[]=" + second.ID + "&id[]=" + own.ID + "&id[]=" + first.ID + "&id[]=7&id[]=" + second.ID
		for who, want := range map[*client][]string{amira: {second.ID, own.ID, first.ID}, bo: {second.ID, first.ID}, w.guest(): {first.ID}} {
			if got := who.get(ask).ids(); !slices.Equal(got, want) {
				t.Errorf("asked for four, got %v, want %v", got, want)
			}
		}
		bo.act("/api/v1/statuses/"+first.ID+"/translate").is("translate", http.StatusNotFound)
		bo.act("/api/v1/statuses/"+own.ID+"/translate").is("translate what is not for bo", http.StatusNotFound)
		bo.json(http.MethodPost, "/api/v1/statuses/"+first.ID+"/reblog", map[string]any{"visibility": "private"}).is("pass on to few", http.StatusUnprocessableEntity)
		bo.act("/api/v1/statuses/" + first.ID + "/favourite")
		var boost struct {
			Favourited, Reblogged bool
			FavouritesCount       int `json:"favourites_count"`
		}
		bo.json(http.MethodPost, "/api/v1/statuses/"+first.ID+"/reblog", map[string]any{"visibility": "unlisted"}).is("pass on", http.StatusOK).into(&boost)
		if !boost.Favourited || !boost.Reblogged || boost.FavouritesCount != 1 {
			t.Errorf("the boost says %+v of what it passes on", boost)
		}
	})
}
