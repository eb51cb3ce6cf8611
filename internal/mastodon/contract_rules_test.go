package mastodon

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
)

// The failures that clients know by their words, and by no others.
func TestExactWordsOfFailures(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		reader := &client{w: w, me: amira.me, token: w.signIn(amira.me, "read")}
		app := w.register("read write")
		program := &client{w: w, token: w.guest().form("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {app.ClientSecret}}).text("access_token")}
		bo.act("/api/v1/accounts/"+path(amira.me.ID)+"/block").is("block", 200)
		letter := bo.post(map[string]any{"status": "to myself", "visibility": "direct"})
		for _, tt := range []struct {
			who          *client
			method, path string
			code         int
			words        string
		}{
			{w.guest(), "GET", "/api/v1/timelines/home", 401, "The access token is invalid"},
			{&client{w: w, token: "nonsense"}, "GET", "/api/v1/accounts/verify_credentials", 401, "The access token is invalid"},
			{w.guest(), "GET", "/api/v1/apps/verify_credentials", 401, "The access token is invalid"},
			{program, "GET", "/api/v1/accounts/verify_credentials", 422, "This method requires an authenticated user"},
			{reader, "POST", "/api/v1/notifications/clear", 403, "This action is outside the authorized scopes"},
			{amira, "POST", "/api/v1/accounts/" + path(bo.me.ID) + "/follow", 403, "This action is not allowed"},
			{amira, "GET", "/api/v1/statuses/" + letter.ID, 404, "Record not found"},
			{amira, "GET", "/api/v1/statuses/12", 404, "Record not found"},
			{amira, "GET", "/api/v1/accounts/12", 404, "Record not found"},
			{amira, "DELETE", "/api/v1/statuses/" + letter.ID, 404, "Record not found"},
			{amira, "GET", "/api/v1/timelines/list/12", 404, "Record not found"},
			{amira, "GET", "/api/v1/notifications/12", 404, "Record not found"},
		} {
			if res := tt.who.do(tt.method, tt.path, "", nil); res.Code != tt.code || res.text("error") != tt.words {
				t.Errorf("%s %s: %d %s, want %d %q", tt.method, tt.path, res.Code, res.Body, tt.code, tt.words)
			}
		}
	})
}

// What is not there is 404 with JSON, whatever the method; a slash at the end
// changes nothing; pages of any origin may read every answer.
func TestUnknownRoutesAndOrigins(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		for _, path := range []string{"/api/v1/nothing", "/api/v1/statuses/1/nothing", "/api/v9/statuses", "/api/v2/media/1", "/api", "/api/v1/instance/nothing", "/api/v1/timelines/nothing"} {
			for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
				if path == "/api" {
					path = "/api/"
				}
				res := amira.do(method, path, "", nil).is(method+" "+path, 404)
				if res.Header().Get("Access-Control-Allow-Origin") != "*" {
					t.Errorf("%s %s cannot be read by a page", method, path)
				}
			}
		}
		for _, path := range []string{"/api/v1/instance", "/api/v1/lists", "/api/v1/timelines/home?limit=1", "/api/v1/accounts/verify_credentials", "/api/v1/tags/maths", "/oauth/userinfo"} {
			at, query, _ := strings.Cut(path, "?")
			plain, slashed := amira.get(path), amira.get(at+"/?"+query)
			if plain.Code != slashed.Code || plain.Body.String() != slashed.Body.String() {
				t.Errorf("%s and %s/ differ: %d, %d", at, at, plain.Code, slashed.Code)
			}
		}
		for _, path := range []string{"/api/v1/statuses", "/api/v1/nothing", "/oauth/token", "/oauth/revoke", "/oauth/userinfo", "/.well-known/oauth-authorization-server"} {
			res := w.guest().do(http.MethodOptions, path, "", nil, "Origin", "https://phanpy.test", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type,idempotency-key")
			h := res.Header()
			if res.Code/100 != 2 || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" || h.Get("Access-Control-Max-Age") == "" {
				t.Errorf("preflight of %s: %d %v", path, res.Code, h)
			}
			for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
				if !strings.Contains(h.Get("Access-Control-Allow-Methods"), method) {
					t.Errorf("preflight of %s: %s is not allowed", path, method)
				}
			}
			for _, name := range []string{"authorization", "content-type", "idempotency-key"} {
				if !strings.Contains(strings.ToLower(h.Get("Access-Control-Allow-Headers")), name) {
					t.Errorf("preflight of %s: %s is not allowed", path, name)
				}
			}
		}
		for _, name := range []string{"Link", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-Id"} {
			if !strings.Contains(amira.get("/api/v1/timelines/home").Header().Get("Access-Control-Expose-Headers"), name) {
				t.Errorf("pages cannot read %s", name)
			}
		}
	})
}

// A list that has come to its end leads nowhere on: clients would load for ever.
func TestNoPageAfterTheLast(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		bo.follow(amira)
		for i := range 3 {
			p := amira.post(map[string]any{"status": "Post " + strconv.Itoa(i) + " for @bo #maths", "visibility": "public"})
			bo.act("/api/v1/statuses/"+p.ID+"/favourite").is("favourite", 200)
			bo.act("/api/v1/statuses/"+p.ID+"/bookmark").is("bookmark", 200)
		}
		for _, path := range []string{"/api/v1/timelines/home", "/api/v1/timelines/public", "/api/v1/timelines/tag/maths", "/api/v1/notifications", "/api/v2/notifications",
			"/api/v1/favourites", "/api/v1/bookmarks", "/api/v1/accounts/" + idText(amira.me.ID) + "/statuses", "/api/v1/accounts/" + idText(amira.me.ID) + "/followers",
			"/api/v1/mutes", "/api/v1/blocks", "/api/v1/follow_requests", "/api/v1/conversations", "/api/v1/scheduled_statuses", "/api/v1/followed_tags", "/api/v1/domain_blocks"} {
			next, pages := path+"?limit=2", 0
			for next != "" {
				if pages++; pages > 4 {
					t.Errorf("%s has no end: %s", path, next)
					break
				}
				res := bo.get(next).is(next, 200)
				link := res.Header().Get("Link")
				next = ""
				for _, one := range strings.Split(link, ", ") {
					address, rel, ok := strings.Cut(one, "; ")
					if !ok {
						continue
					}
					u, err := url.Parse(strings.Trim(address, "<>"))
					if err != nil || u.Scheme != "https" || u.Host == "" || strings.Contains(address, ",") {
						t.Errorf("%s: the link %s", path, one)
						continue
					}
					if rel != `rel="next"` && rel != `rel="prev"` {
						t.Errorf("%s: the relation %s", path, rel)
					}
					if rel == `rel="next"` {
						if id := u.Query().Get("max_id"); !digitsOnly.MatchString(id) {
							t.Errorf("%s goes on at %q", path, id)
						}
						next = u.RequestURI()
					}
				}
				if body := strings.TrimSpace(res.Body.String()); (body == "[]" || strings.Contains(body, `"notification_groups":[]`)) && next != "" {
					t.Errorf("%s goes on after nothing: %s", path, link)
				}
			}
		}
	})
}

// Only what everyone is told may be kept by caches.
func TestCaching(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		for _, path := range []string{"/api/v1/instance", "/api/v2/instance", "/api/v1/custom_emojis", "/api/v1/instance/rules", "/.well-known/oauth-authorization-server"} {
			res := w.guest().get(path).is(path, 200)
			tag := res.Header().Get("ETag")
			if !strings.HasPrefix(res.Header().Get("Cache-Control"), "public, max-age=") || tag == "" {
				t.Errorf("%s: %v", path, res.Header())
			}
			// What somebody is told by name is another answer.
			if strings.HasPrefix(path, "/api") {
				if res.Header().Get("Vary") != "Authorization" {
					t.Errorf("%s varies by %q", path, res.Header().Get("Vary"))
				}
				if own := amira.get(path).Header(); own.Get("Cache-Control") != "private, no-store" || own.Get("ETag") != "" {
					t.Errorf("%s, signed in: %v", path, own)
				}
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://oak.test"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("If-None-Match", tag)
			again := httptest.NewRecorder()
			w.h.ServeHTTP(again, r)
			if again.Code != http.StatusNotModified || again.Body.Len() != 0 || again.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s again: %d %s", path, again.Code, again.Body)
			}
		}
		for _, path := range []string{"/api/v1/accounts/verify_credentials", "/api/v1/timelines/home", "/api/v1/timelines/public", "/api/v1/notifications", "/api/v1/nothing", "/api/v1/statuses/1"} {
			for _, c := range []*client{amira, w.guest()} {
				if got := c.get(path).Header(); got.Get("Cache-Control") != "private, no-store" || got.Get("ETag") != "" {
					t.Errorf("%s may be kept: %v", path, got)
				}
			}
		}
	})
}

// Lists arrive in the three ways that clients write them, and nested members
// likewise.
func TestListsInEveryEncoding(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		ids := []string{idText(amira.me.ID), idText(bo.me.ID)}
		multi := "--b\r\nContent-Disposition: form-data; name=\"poll[options][]\"\r\n\r\nOne\r\n--b\r\nContent-Disposition: form-data; name=\"poll[options][]\"\r\n\r\nTwo\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"poll[expires_in]\"\r\n\r\n3600\r\n--b\r\nContent-Disposition: form-data; name=\"status\"\r\n\r\nWhich?\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"visibility\"\r\n\r\npublic\r\n--b--\r\n"
		form := url.Values{"status": {"Which?"}, "visibility": {"public"}, "poll[options][]": {"One", "Two"}, "poll[expires_in]": {"3600"}}
		asJSON, err := json.Marshal(obj{"status": "Which?", "visibility": "public", "poll": obj{"options": []string{"One", "Two"}, "expires_in": 3600}, "in_reply_to_id": nil, "content_type": "text/plain"})
		if err != nil {
			t.Fatal(err)
		}
		for kind, body := range map[string]string{"application/json": string(asJSON), "application/x-www-form-urlencoded": form.Encode(), "multipart/form-data; boundary=b": multi} {
			var s struct {
				Poll *struct {
					Options  []struct{ Title string }
					OwnVotes []int `json:"own_votes"`
				}
			}
			amira.do(http.MethodPost, "/api/v1/statuses", kind, []byte(body)).is(kind, 200).into(&s)
			if s.Poll == nil || len(s.Poll.Options) != 2 || s.Poll.Options[1].Title != "Two" || s.Poll.OwnVotes == nil {
				t.Errorf("%s: %+v", kind, s.Poll)
			}
		}
		// In the query with brackets, without, and repeated.
		for query, want := range map[string][]string{"id[]=" + ids[0] + "&id[]=" + ids[1]: ids, "id=" + ids[1]: ids[1:], "id=" + ids[0] + "&id=" + ids[1]: ids, "": nil} {
			got := amira.get("/api/v1/accounts/relationships?"+query).is(query, 200).ids()
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("relationships of %q: %v", query, got)
			}
		}
		// Fields as a hash with numbers, as masto.js writes, and as JSON.
		for kind, body := range map[string]string{
			"application/x-www-form-urlencoded": url.Values{"fields_attributes[0][name]": {"Subject"}, "fields_attributes[0][value]": {"Maths"}, "source[privacy]": {"private"}}.Encode(),
			"application/json":                  `{"fields_attributes":[{"name":"Subject","value":"Maths"}],"source":{"privacy":"private"}}`,
		} {
			for _, method := range []string{http.MethodPatch, http.MethodPut} {
				var me struct {
					Source struct {
						Privacy string
						Fields  []struct{ Name, Value string }
					}
				}
				amira.do(method, "/api/v1/accounts/update_credentials", kind, []byte(body)).is(method, 200).into(&me)
				if me.Source.Privacy != "private" || len(me.Source.Fields) != 1 || me.Source.Fields[0].Value != "Maths" {
					t.Errorf("%s as %s: %+v", method, kind, me.Source)
				}
			}
		}
		// Markers nested in JSON, in a form and in the query.
		p := amira.post(map[string]any{"status": "Read", "visibility": "public"})
		for kind, body := range map[string]string{"application/json": `{"home":{"last_read_id":"` + p.ID + `"}}`, "application/x-www-form-urlencoded": "home[last_read_id]=" + p.ID} {
			if res := amira.do(http.MethodPost, "/api/v1/markers", kind, []byte(body)).is(kind, 200); !strings.Contains(res.Body.String(), p.ID) {
				t.Errorf("markers as %s: %s", kind, res.Body)
			}
		}
		amira.do(http.MethodPost, "/api/v1/markers?home[last_read_id]="+p.ID, "", nil).is("markers in the query", 200)
	})
}

// What single clients stop at where it is not so.
func TestWhatClientsInsistOn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		bo.post(map[string]any{"status": "@amira hello", "visibility": "public"})
		has := func(what string, m map[string]any, path ...string) any {
			t.Helper()
			var v any = m
			for _, name := range path {
				inner, ok := v.(map[string]any)
				if !ok || inner[name] == nil {
					t.Errorf("%s has no %s", what, strings.Join(path, "."))
					return nil
				}
				v = inner[name]
			}
			return v
		}
		for _, c := range []*client{amira, w.guest()} {
			var v1, v2 map[string]any
			c.get("/api/v1/instance").into(&v1)
			c.get("/api/v2/instance").into(&v2)
			for _, name := range []string{"uri", "title", "description", "version", "email", "registrations", "languages"} { // Mastodon for Android
				has("v1 instance", v1, name)
			}
			has("v1 instance", v1, "urls", "streaming_api") // Tuba, Enafore
			if s, _ := v1["uri"].(string); strings.Contains(s, "/") {
				t.Errorf("v1 names the host %q", s)
			}
			for _, path := range []string{"domain", "title", "version", "source_url", "description", "usage.users.active_month", "thumbnail.url", "icon", "languages", "contact.email", "rules", "registrations.enabled",
				"api_versions.mastodon", "configuration.urls.streaming", "configuration.statuses.max_characters", "configuration.statuses.max_media_attachments",
				"configuration.statuses.characters_reserved_per_url", "configuration.media_attachments.supported_mime_types", "configuration.media_attachments.image_size_limit",
				"configuration.media_attachments.image_matrix_limit", "configuration.media_attachments.video_size_limit", "configuration.media_attachments.video_matrix_limit",
				"configuration.media_attachments.video_frame_rate_limit", "configuration.media_attachments.description_limit", "configuration.polls.max_options",
				"configuration.polls.max_characters_per_option", "configuration.polls.min_expiration", "configuration.polls.max_expiration",
				"configuration.accounts.max_featured_tags", "configuration.vapid.public_key", "configuration.translation.enabled"} {
				has("v2 instance", v2, strings.Split(path, ".")...)
			}
			version, _ := v2["version"].(string)
			if number, err := strconv.ParseFloat(version[:3], 64); err != nil || number < 4.3 { // Ice Cubes reads three characters
				t.Errorf("the version is %q", version)
			}
		}
		var app map[string]any
		w.guest().form("/api/v1/apps", url.Values{"client_name": {"Tuba"}, "redirect_uris": {"tuba://auth_code"}, "scopes": {"read write follow push"}}).is("apps", 200).into(&app)
		for _, name := range []string{"id", "name", "redirect_uri", "redirect_uris", "client_id", "client_secret", "vapid_key"} {
			has("an app", app, name)
		}
		if app["name"] != "Tuba" || app["redirect_uri"] != "tuba://auth_code" {
			t.Errorf("an app: %v", app)
		}
		for _, uri := range []string{"icecubesapp://", "tokodon://oauth", "org.joinmastodon.android-auth://callback", "http://localhost:7000/", "urn:ietf:wg:oauth:2.0:oob"} {
			w.guest().json(http.MethodPost, "/api/v1/apps", obj{"client_name": "x", "redirect_uris": uri}).is(uri, 200)
		}
		w.guest().form("/oauth/token", url.Values{"grant_type": {"password"}, "client_id": {app["client_id"].(string)}, "client_secret": {app["client_secret"].(string)}}).is("the password grant", 400)
		var me map[string]any
		amira.get("/api/v1/accounts/verify_credentials").into(&me)
		for _, path := range []string{"url", "display_name", "note", "avatar", "header", "source.note", "source.fields", "source.sensitive", "source.privacy", "role.permissions"} {
			has("an own account", me, strings.Split(path, ".")...)
		}
		// Grouped notifications name the newest by a number that JavaScript keeps.
		var groups struct {
			Groups []struct {
				Newest json.Number `json:"most_recent_notification_id"`
				At     string      `json:"latest_page_notification_at"`
			} `json:"notification_groups"`
		}
		amira.get("/api/v2/notifications").into(&groups)
		if len(groups.Groups) != 1 || groups.Groups[0].At == "" {
			t.Fatalf("groups: %+v", groups)
		}
		if n, err := groups.Groups[0].Newest.Int64(); err != nil || n <= 0 || n >= 1<<53 {
			t.Errorf("a notification's id is %s", groups.Groups[0].Newest)
		}
		if got := amira.get("/api/v1/notifications").ids(); len(got) != 1 {
			t.Errorf("notifications: %v", got)
		}
		amira.get("/api/v1/timelines/home?limit=40").is("Ivory", 200)
		amira.get("/api/v1/notifications?types[]=mention&types[]=unknown_to_us").is("a type that nobody knows", 200)
	})
}
