package mastodon

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

func TestAudienceOf(t *testing.T) {
	of := func(a community.Audience, unlisted bool) *community.Post {
		return &community.Post{Audience: a, Unlisted: unlisted}
	}
	tests := []struct {
		name     string
		chosen   chosen
		usual    community.Audience
		parent   *community.Post
		open     bool
		named    bool
		want     community.Audience
		unlisted bool
	}{
		{name: "nothing chosen", usual: community.Network, want: community.Network},
		{name: "nothing chosen, answering something narrower", usual: community.Network, parent: of(community.School, false), want: community.School},
		{name: "nothing chosen, answering something wider", usual: community.School, parent: of(community.Public, false), want: community.School},
		{name: "nothing chosen but to keep it here", chosen: chosen{localOnly: true}, usual: community.Public, want: community.School},
		{name: "public", chosen: chosen{visibility: "public"}, usual: community.School, want: community.Public},
		{name: "public, kept here", chosen: chosen{"public", true}, want: community.School},
		{name: "unlisted among allowed servers", chosen: chosen{visibility: "unlisted"}, want: community.Network},
		{name: "unlisted with an open door", chosen: chosen{visibility: "unlisted"}, open: true, want: community.Public, unlisted: true},
		{name: "followers", chosen: chosen{visibility: "private"}, want: community.Followers},
		{name: "people", chosen: chosen{visibility: "direct"}, named: true, want: community.People},
		{name: "people, kept here: no wider than the people", chosen: chosen{"direct", true}, named: true, want: community.People},
		{name: "people, and nobody named", chosen: chosen{visibility: "direct"}, want: community.Me},
		{name: "the word that the parent was shown with", chosen: chosen{visibility: "private"}, parent: of(community.School, false), want: community.School},
		{name: "the same, of a network post", chosen: chosen{visibility: "unlisted"}, parent: of(community.Network, false), open: true, want: community.Network},
		{name: "the same, of an unlisted one", chosen: chosen{visibility: "unlisted"}, parent: of(community.Public, true), want: community.Public, unlisted: true},
		{name: "a wider word than the parent's is passed on, to be refused", chosen: chosen{visibility: "public"}, parent: of(community.School, false), want: community.Public},
		{name: "a note to oneself, continued", chosen: chosen{visibility: "direct"}, parent: of(community.Me, false), want: community.Me},
	}
	for _, tt := range tests {
		mode := peers.Allowlist
		if tt.open {
			mode = peers.Open
		}
		got, unlisted, err := audienceOf(tt.chosen, tt.usual, tt.parent, mode, tt.named)
		if err != nil || got != tt.want || unlisted != tt.unlisted {
			t.Errorf("%s: %q, %v, %v; want %q, %v", tt.name, got, unlisted, err, tt.want, tt.unlisted)
		}
	}
	if _, _, err := audienceOf(chosen{visibility: "everyone"}, community.Public, nil, peers.Open, false); err == nil {
		t.Error("an unknown word is taken for something")
	}
}

// A client is shown no more of an audience than it has a word for, and that
// word read back never reaches more people.
func TestVisibilityReturns(t *testing.T) {
	for _, a := range community.Audiences() {
		p := community.Post{Audience: a}
		back, _, err := audienceOf(chosen{visibility(p), a == community.School}, community.Public, nil, peers.Allowlist, true)
		if err != nil || !back.Within(a) && !(a == community.Group && back == community.Followers) && !(a == community.Me && back == community.People) {
			t.Errorf("%s is shown as %s and comes back as %s (%v)", a, visibility(p), back, err)
		}
	}
}

func TestWriting(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo, ola := w.person("amira", community.Member), w.person("bo", community.Member), w.person("ola", community.Placement)

		first := amira.post(map[string]any{"status": "Exit tickets in *five* minutes", "visibility": "public", "in_reply_to_id": nil})
		if first.Visibility != "public" || !strings.Contains(first.Content, "<em>five</em>") {
			t.Errorf("got %+v", first)
		}
		if s := amira.post(map[string]any{"status": "For here", "visibility": "public", "local_only": true}); s.Visibility != "private" || !s.LocalOnly {
			t.Errorf("a post for the school is shown as %+v", s)
		}
		answer := bo.post(map[string]any{"status": "Tried it", "in_reply_to_id": first.ID, "visibility": "public"})
		if answer.Parent != first.ID {
			t.Errorf("the answer hangs under %q", answer.Parent)
		}
		if told := amira.get("/api/v1/notifications").ids(); !slices.Equal(told, []string{answer.ID}) {
			t.Errorf("amira is told of %v", told)
		}

		// Refused, with words, and never narrowed.
		for name, body := range map[string]map[string]any{
			"public by a student teacher": {"status": "Hello", "visibility": "public"},
			"no words":                    {"status": " ", "visibility": "direct"},
			"a poll":                      {"status": "Which?", "poll": map[string]any{"options": []string{"a", "b"}}},
			"an unknown visibility":       {"status": "Hello", "visibility": "everyone"},
			"later":                       {"status": "Hello", "scheduled_at": "2030-01-01T00:00:00Z"},
		} {
			if res := ola.json(http.MethodPost, "/api/v1/statuses", body); res.Code != http.StatusUnprocessableEntity || res.text("error") == "" {
				t.Errorf("%s: %d %s", name, res.Code, res.Body)
			}
		}
		closed := amira.post(map[string]any{"status": "Among us", "local_only": true})
		if res := bo.json(http.MethodPost, "/api/v1/statuses", map[string]any{"status": "Wider", "in_reply_to_id": closed.ID, "visibility": "public"}); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("an answer wider than its parent: %d", res.Code)
		}
		if res := bo.json(http.MethodPost, "/api/v1/statuses", map[string]any{"status": "To nothing", "in_reply_to_id": "1"}); res.Code != http.StatusNotFound {
			t.Errorf("an answer to nothing: %d", res.Code)
		}

		// The same key publishes once.
		body := map[string]any{"status": "Only once", "visibility": "private"}
		var once, twice said
		amira.json(http.MethodPost, "/api/v1/statuses", body, "Idempotency-Key", "k1").into(&once)
		amira.json(http.MethodPost, "/api/v1/statuses", body, "Idempotency-Key", "k1").into(&twice)
		if once.ID == "" || once.ID != twice.ID {
			t.Errorf("published %q and %q", once.ID, twice.ID)
		}

		// Edit, with history; and by nobody else.
		if res := bo.json(http.MethodPut, "/api/v1/statuses/"+first.ID, map[string]any{"status": "Mine"}); res.Code != http.StatusNotFound {
			t.Errorf("another's post was edited: %d", res.Code)
		}
		var edited said
		amira.json(http.MethodPut, "/api/v1/statuses/"+first.ID, map[string]any{"status": "Exit tickets in four minutes"}).into(&edited)
		if edited.EditedAt == nil || edited.Visibility != "public" || !strings.Contains(edited.Content, "four") {
			t.Errorf("edited: %+v", edited)
		}
		var history []struct{ Content string }
		amira.get("/api/v1/statuses/" + first.ID + "/history").into(&history)
		if len(history) != 2 || !strings.Contains(history[0].Content, "five") {
			t.Errorf("history: %+v", history)
		}
		if s := amira.get("/api/v1/statuses/" + first.ID + "/source").text("text"); s != "Exit tickets in four minutes" {
			t.Errorf("source: %q", s)
		}

		// Delete gives back what was written.
		if res := bo.do(http.MethodDelete, "/api/v1/statuses/"+first.ID, "", nil); res.Code != http.StatusNotFound {
			t.Errorf("another's post was deleted: %d", res.Code)
		}
		if s := amira.do(http.MethodDelete, "/api/v1/statuses/"+first.ID, "", nil).text("text"); s != "Exit tickets in four minutes" {
			t.Errorf("deleted: %q", s)
		}
		if res := bo.get("/api/v1/statuses/" + first.ID); res.Code != http.StatusNotFound {
			t.Errorf("a deleted post is answered %d", res.Code)
		}
	})
}

// What clients know nothing of outlives their edit, and what they would break
// they are refused.
func TestEditKeepsWhatClientsDoNotKnow(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		var question, practice community.Post
		w.write(func(tx *store.Tx) (err error) {
			question, err = community.Publish(tx, amira.me, community.Draft{Kind: community.Question, Title: "How?", Audience: community.School, Source: "Say", Subject: "Maths", Language: "en"})
			if err == nil {
				practice, err = community.Publish(tx, amira.me, community.Draft{Kind: community.Practice, Title: "Tickets", Audience: community.School, Sections: &community.Sections{Tried: "Cards"}})
			}
			return err
		})
		if res := amira.json(http.MethodPut, "/api/v1/statuses/"+path(question.ID), map[string]any{"status": "Please say"}); res.Code != http.StatusOK {
			t.Fatalf("%d %s", res.Code, res.Body)
		}
		var p community.Post
		w.write(func(tx *store.Tx) (err error) { p, err = community.PostByID(tx, question.ID); return err })
		if p.Title != "How?" || p.Subject != "Maths" || p.Language != "en" || p.Kind != community.Question || p.Source != "Please say" {
			t.Errorf("after the edit: %+v", p)
		}
		if res := amira.json(http.MethodPut, "/api/v1/statuses/"+path(practice.ID), map[string]any{"status": "Cards, flat"}); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("a practice post was flattened: %d", res.Code)
		}
	})
}

func TestReacting(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		post := amira.post(map[string]any{"status": "Retrieval grids", "visibility": "public"})
		closed := amira.post(map[string]any{"status": "Only for us", "local_only": true})
		at := "/api/v1/statuses/" + post.ID
		for _, step := range []struct {
			path string
			is   func(s said) bool
		}{
			{"/favourite", func(s said) bool { return *s.Favourited }}, {"/favourite", func(s said) bool { return *s.Favourited }},
			{"/unfavourite", func(s said) bool { return !*s.Favourited }},
			{"/bookmark", func(s said) bool { return *s.Bookmarked }},
			{"/reblog", func(s said) bool { return s.Reblog != nil && s.Reblog.ID == post.ID && *s.Reblog.Reblogged }},
			{"/unreblog", func(s said) bool { return s.ID == post.ID && !*s.Reblogged }},
		} {
			var s said
			if res := bo.act(at + step.path); res.Code != http.StatusOK {
				t.Errorf("%s: %d %s", step.path, res.Code, res.Body)
			} else if res.into(&s); !step.is(s) {
				t.Errorf("%s: %s", step.path, res.Body)
			}
		}
		if kept := bo.get("/api/v1/bookmarks").ids(); !slices.Equal(kept, []string{post.ID}) {
			t.Errorf("bookmarks: %v", kept)
		}
		if res := bo.act("/api/v1/statuses/" + closed.ID + "/reblog"); res.Code < 400 || res.text("error") == "" {
			t.Errorf("what is for the school was passed on: %d", res.Code)
		}
		bo.act(at + "/reblog")
		var boost said
		bo.act(at + "/reblog").into(&boost)
		var liked said
		amira.act("/api/v1/statuses/" + boost.ID + "/bookmark").into(&liked)
		if liked.ID != post.ID {
			t.Errorf("a bookmark of the boost is one of %q, want %q", liked.ID, post.ID)
		}
	})
}

func TestKeepingCompany(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		to := "/api/v1/accounts/" + path(amira.me.ID)
		var r struct {
			Following, Requested, Blocking, Muting bool
			MutingNotifications                    bool `json:"muting_notifications"`
		}
		form := url.Values{"locked": {"true"}, "display_name": {"Amira B."}, "fields_attributes[0][name]": {"School"}, "fields_attributes[0][value]": {"Oak"}}
		if res := amira.do(http.MethodPatch, "/api/v1/accounts/update_credentials", "application/x-www-form-urlencoded", []byte(form.Encode())); res.Code != http.StatusOK || res.text("display_name") != "Amira B." {
			t.Fatalf("profile: %d %s", res.Code, res.Body)
		}
		bo.act(to + "/follow").into(&r)
		if r.Following || !r.Requested {
			t.Errorf("after asking: %+v", r)
		}
		if asked := amira.get("/api/v1/follow_requests").ids(); !slices.Equal(asked, []string{path(bo.me.ID)}) {
			t.Errorf("requests: %v", asked)
		}
		amira.act("/api/v1/follow_requests/" + path(bo.me.ID) + "/authorize")
		var all []struct {
			ID        string
			Following bool
		}
		bo.get("/api/v1/accounts/relationships?id[]=" + path(amira.me.ID) + "&id[]=1").into(&all)
		if len(all) != 1 || !all[0].Following {
			t.Errorf("relationships: %+v", all)
		}
		bo.form(to+"/mute", url.Values{"notifications": {"false"}, "duration": {"3600"}}).into(&r)
		if !r.Muting || r.MutingNotifications {
			t.Errorf("after muting: %+v", r)
		}
		bo.act(to + "/unmute").into(&r)
		bo.act(to + "/block").into(&r)
		if r.Muting || r.Following || !r.Blocking {
			t.Errorf("after blocking: %+v", r)
		}
		if blocked := bo.get("/api/v1/blocks").ids(); len(blocked) != 1 {
			t.Errorf("blocks: %v", blocked)
		}
		if res := amira.act("/api/v1/accounts/" + path(bo.me.ID) + "/follow"); res.Code != http.StatusForbidden && res.Code != http.StatusNotFound {
			t.Errorf("follow of who blocked: %d %s", res.Code, res.Body)
		}
	})
}

func TestPictures(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		file, err := form.CreateFormFile("file", "wall.png")
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(file, image.NewRGBA(image.Rect(0, 0, 40, 30))); err != nil {
			t.Fatal(err)
		}
		form.Close()
		res := amira.do(http.MethodPost, "/api/v2/media", form.FormDataContentType(), body.Bytes())
		id := res.text("id")
		if res.Code != http.StatusOK || id == "" || res.text("url") == "" {
			t.Fatalf("upload: %d %s", res.Code, res.Body)
		}
		post := map[string]any{"status": "Our wall", "visibility": "private", "media_ids": []string{id}}
		if res := amira.json(http.MethodPost, "/api/v1/statuses", post); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("a picture without words was published: %d", res.Code)
		}
		if res := bo.get("/api/v1/media/" + id); res.Code != http.StatusNotFound {
			t.Errorf("another's upload: %d", res.Code)
		}
		if res := amira.json(http.MethodPut, "/api/v1/media/"+id, map[string]any{"description": "A wall of cards", "focus": "0.5,-0.5"}); res.Code != http.StatusOK {
			t.Errorf("describe: %d %s", res.Code, res.Body)
		}
		s := amira.post(post)
		if len(s.Media) != 1 || s.Media[0].Description != "A wall of cards" {
			t.Errorf("published with %+v", s.Media)
		}
		var edited said
		amira.json(http.MethodPut, "/api/v1/statuses/"+s.ID, map[string]any{"status": "Our wall, again"}).into(&edited)
		if len(edited.Media) != 1 {
			t.Error("an edit that does not speak of pictures took them")
		}
	})
}

// Paging by the Link header meets every post once and then ends.
func TestPaging(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		var want []string
		for range 7 {
			want = append(want, amira.post(map[string]any{"status": "One more", "visibility": "public"}).ID)
		}
		slices.Reverse(want)
		next := regexp.MustCompile(`<https://oak\.test([^>]*max_id=[0-9]+[^>]*)>; rel="next"`)
		prev := regexp.MustCompile(`<https://oak\.test([^>]*min_id=[0-9]+[^>]*)>; rel="prev"`)
		var got []string
		var last string
		for at := "/api/v1/timelines/home?limit=3"; ; {
			res := amira.get(at)
			got = append(got, res.ids()...)
			links := res.Header().Get("Link")
			if m := prev.FindStringSubmatch(links); m != nil {
				last = m[1]
			}
			m := next.FindStringSubmatch(links)
			if m == nil {
				break
			}
			at = m[1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("paged %v, want %v", got, want)
		}
		if newer := amira.get(last).ids(); !slices.Equal(newer, want[3:6]) {
			t.Errorf("the nearest above the last page are %v, want %v", newer, want[3:6])
		}
		if res := amira.get("/api/v1/timelines/home?max_id=1"); res.Header().Get("Link") != "" || len(res.ids()) != 0 {
			t.Error("an empty page leads on")
		}
	})
}

func TestManners(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		reader := &client{w: w, me: amira.me, token: w.signIn(amira.me, "read")}
		tests := []struct {
			name, method, path string
			as                 *client
			want               int
		}{
			{"no token", "GET", "/api/v1/timelines/home", w.guest(), 401},
			{"a bad token", "GET", "/api/v1/timelines/public", &client{w: w, token: "nonsense"}, 401},
			{"a scope that was not given", "POST", "/api/v1/notifications/clear", reader, 403},
			{"an unknown route", "GET", "/api/v3/everything", amira, 404},
			{"an unknown method", "PUT", "/api/v2/media/1", amira, 404},
			{"an id that is none", "GET", "/api/v1/notifications/x", amira, 404},
			{"a slash at the end", "GET", "/api/v1/accounts/verify_credentials/", amira, 200},
			{"the public list, by a guest", "GET", "/api/v1/timelines/public", w.guest(), 200},
			{"looking elsewhere, by a guest", "GET", "/api/v2/search?q=@a@b.test&resolve=true", w.guest(), 401},
			{"instance", "GET", "/api/v1/instance", w.guest(), 200},
			{"instance, the newer", "GET", "/api/v2/instance", w.guest(), 200},
			{"metadata", "GET", "/.well-known/oauth-authorization-server", w.guest(), 200},
			{"emoji", "GET", "/api/v1/custom_emojis", w.guest(), 200},
			{"filters", "GET", "/api/v2/filters", amira, 200},
			{"preferences", "GET", "/api/v1/preferences", amira, 200},
			{"markers", "GET", "/api/v1/markers?timeline[]=notifications", amira, 200},
		}
		for _, tt := range tests {
			res := tt.as.do(tt.method, tt.path, "", nil)
			if res.Code != tt.want || res.Code >= 400 && res.text("error") == "" {
				t.Errorf("%s: %d %s, want %d", tt.name, res.Code, res.Body, tt.want)
			}
			if res.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s: pages of other origins cannot read the answer", tt.name)
			}
		}
		pre := w.guest().do(http.MethodOptions, "/api/v1/statuses", "", nil, "Origin", "https://phanpy.test", "Access-Control-Request-Method", "POST")
		if pre.Code/100 != 2 || !strings.Contains(pre.Header().Get("Access-Control-Allow-Headers"), "Idempotency-Key") {
			t.Errorf("preflight: %d %v", pre.Code, pre.Header())
		}

		// Every id is digits in a string, every moment has three digits of milliseconds.
		amira.post(map[string]any{"status": "Hello", "visibility": "public"})
		home := amira.get("/api/v1/timelines/home").Body.Bytes()
		if !regexp.MustCompile(`"created_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`).Match(home) || !regexp.MustCompile(`"id":"[0-9]+"`).Match(home) {
			t.Errorf("%s", home)
		}
		var list []map[string]json.RawMessage
		if err := json.Unmarshal(home, &list); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"in_reply_to_id", "reblog", "card", "poll", "edited_at", "language", "media_attachments", "mentions", "tags", "emojis", "favourited", "filtered"} {
			if _, ok := list[0][name]; !ok {
				t.Errorf("a status says nothing of %s", name)
			}
		}

		// A revoked token is worth nothing.
		app := w.register("read")
		if res := w.guest().form("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {"wrong"}}); res.Code != 401 || res.text("error") != "invalid_client" {
			t.Errorf("a wrong secret: %d %s", res.Code, res.Body)
		}
		var own struct {
			Token string `json:"access_token"`
		}
		w.guest().form("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {app.ClientSecret}}).into(&own)
		program := &client{w: w, token: own.Token}
		if res := program.get("/api/v1/timelines/home"); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("an app without a person reads home: %d", res.Code)
		}
		if res := program.get("/api/v1/apps/verify_credentials"); res.Code != 200 {
			t.Errorf("an app does not know itself: %d", res.Code)
		}
		w.guest().form("/oauth/revoke", url.Values{"client_id": {app.ClientID}, "client_secret": {app.ClientSecret}, "token": {own.Token}})
		if res := program.get("/api/v1/apps/verify_credentials"); res.Code != 401 {
			t.Errorf("a revoked token: %d", res.Code)
		}
	})
}

// How far notifications were read is the same for the pages and every client.
func TestMarkers(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		bo.act("/api/v1/accounts/" + path(amira.me.ID) + "/follow")
		var list []struct{ ID, Type string }
		amira.get("/api/v1/notifications?types[]=follow").into(&list)
		if len(list) != 1 || list[0].Type != "follow" {
			t.Fatalf("notifications: %+v", list)
		}
		if none := amira.get("/api/v1/notifications?exclude_types[]=follow").ids(); len(none) != 0 {
			t.Errorf("excluded, and there: %v", none)
		}
		unread := func() (n struct{ Count int }) { amira.get("/api/v1/notifications/unread_count").into(&n); return n }
		if n := unread(); n.Count != 1 {
			t.Errorf("unread: %d", n.Count)
		}
		amira.json(http.MethodPost, "/api/v1/markers", map[string]any{"notifications": map[string]any{"last_read_id": list[0].ID}})
		if n := unread(); n.Count != 0 {
			t.Errorf("unread after reading: %d", n.Count)
		}
		amira.act("/api/v1/notifications/" + list[0].ID + "/dismiss")
		if res := amira.get("/api/v1/notifications/" + list[0].ID); res.Code != http.StatusNotFound {
			t.Errorf("a dismissed notification: %d", res.Code)
		}
	})
}
