package mastodon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// round asks every endpoint of the table once, in a school where there is
// something of everything, and notes which it asked.
type round struct {
	t     *testing.T
	asked map[string]bool
}

// ask is one question of the round. body is nil, a form, or what becomes JSON.
func (r *round) ask(c *client, method, path string, body any, want int) answer {
	r.t.Helper()
	var res answer
	switch b := body.(type) {
	case nil:
		res = c.do(method, path, "", nil)
	case url.Values:
		res = c.do(method, path, "application/x-www-form-urlencoded", []byte(b.Encode()))
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			r.t.Fatal(err)
		}
		res = c.do(method, path, "application/json", raw)
	}
	r.note(method, path)
	if res.Code != want {
		r.t.Errorf("%s %s: %d %.300s, want %d", method, path, res.Code, res.Body, want)
	}
	return res
}

func (r *round) note(method, path string) {
	at, _, _ := strings.Cut(path, "?")
	if c := theContract(); c != nil {
		if row := c.row(method, at); row != nil {
			r.asked[row.method+" "+row.path] = true
		}
	}
}

// first is the id of a list's first item.
func (r *round) first(a answer) string {
	r.t.Helper()
	var list []struct{ ID string }
	if err := json.Unmarshal(a.Body.Bytes(), &list); err != nil || len(list) == 0 {
		r.t.Fatalf("nothing in %.300s", a.Body)
	}
	return list[0].ID
}

type obj = map[string]any

// A client that calls whatever there is gets what the contract promises: an
// answer where there is one, and the refusal that it knows where Mastodon's
// feature is not had here.
func TestEveryEndpointOfTheContract(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		r := &round{t: t, asked: map[string]bool{}}
		amira, bo, cy := w.person("amira", community.Member), w.person("bo", community.Member), w.person("cy", community.Member)
		owner, guest := w.person("head", community.Owner), w.guest()
		amira.token = w.signIn(amira.me, "read write follow push profile")
		staff := owner.admin("read write admin:read admin:write")
		far := w.elsewhere("faye", "elm.test")
		amiraID, boID, cyID, farID := path(amira.me.ID), path(bo.me.ID), path(cy.me.ID), path(far.ID)
		get := func(p string, want int) answer { t.Helper(); return r.ask(amira, "GET", p, nil, want) }
		post := func(p string, body any, want int) answer { t.Helper(); return r.ask(amira, "POST", p, body, want) }

		// Signing in.
		app := r.ask(guest, "POST", "/api/v1/apps", obj{"client_name": "Round", "redirect_uris": []string{"https://round.test/"}, "scopes": "read write"}, 200)
		own := r.ask(guest, "POST", "/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {app.text("client_id")},
			"client_secret": {app.text("client_secret")}, "scope": {"read write"}}, 200)
		program := &client{w: w, token: own.text("access_token")}
		r.ask(program, "GET", "/api/v1/apps/verify_credentials", nil, 200)
		r.ask(guest, "GET", "/.well-known/oauth-authorization-server", nil, 200)
		get("/oauth/userinfo", 200)
		post("/oauth/userinfo", nil, 200)
		get("/api/v1/accounts/verify_credentials", 200)

		// The school, for everyone and for its people.
		w.write(func(tx *store.Tx) error {
			_, err := community.UpdateSite(tx, owner.me.ID, community.SiteForm{Name: "Oak", Description: "A school", Contact: "@head", Rules: "Be kind\nNo names"})
			return err
		})
		for _, at := range []string{"instance", "instance/rules", "instance/extended_description", "instance/privacy_policy", "instance/languages",
			"instance/translation_languages", "instance/peers", "peers/search?q=elm", "custom_emojis", "trends", "trends/tags", "trends/statuses", "trends/links",
			"directory", "streaming/health"} {
			if at == "streaming/health" {
				continue // no JSON: "OK" (streaming_test.go)
			}
			r.ask(guest, "GET", "/api/v1/"+at, nil, 200)
			get("/api/v1/"+at, 200)
		}
		r.ask(guest, "GET", "/api/v2/instance", nil, 200)
		get("/api/v1/instance/activity", 200)
		get("/api/v1/instance/domain_blocks", 200)
		r.ask(guest, "GET", "/api/v1/instance/terms_of_service", nil, 404)
		r.ask(guest, "GET", "/api/v1/instance/terms_of_service/2026-01-02", nil, 404)
		get("/api/v1/preferences", 200)

		// Posts of every kind.
		picture := r.upload(amira, "POST", "/api/v2/media", nil)
		old := r.upload(amira, "POST", "/api/v1/media", nil)
		r.ask(amira, "PUT", "/api/v1/media/"+old, obj{"description": "A wall", "focus": "0.1,-0.5"}, 200)
		r.ask(amira, "GET", "/api/v1/media/"+old, nil, 200)
		r.ask(amira, "DELETE", "/api/v1/media/"+old, nil, 200)
		r.ask(amira, "PUT", "/api/v2/media/"+picture, obj{"description": "A wall"}, 404)
		shown := post("/api/v1/statuses", obj{"status": "Our wall #fractions", "media_ids": []string{picture}, "visibility": "public", "sensitive": true, "spoiler_text": "A wall", "language": "en", "quote_approval_policy": "public"}, 200).text("id")
		poll := post("/api/v1/statuses", obj{"status": "Which?", "poll": obj{"options": []string{"This", "That"}, "expires_in": 3600, "multiple": true}, "visibility": "public"}, 200)
		var asks struct{ Poll struct{ ID string } }
		poll.into(&asks)
		r.ask(bo, "GET", "/api/v1/polls/"+asks.Poll.ID, nil, 200)
		r.ask(bo, "POST", "/api/v1/polls/"+asks.Poll.ID+"/votes", obj{"choices": []int{0, 1}}, 200)
		reply := r.ask(bo, "POST", "/api/v1/statuses", url.Values{"status": {"@amira nice"}, "in_reply_to_id": {shown}, "visibility": {"public"}}, 200).text("id")
		quoting := r.ask(bo, "POST", "/api/v1/statuses", obj{"status": "Look at this", "quoted_status_id": shown, "visibility": "public"}, 200).text("id")
		letter := post("/api/v1/statuses", obj{"status": "@bo between us", "visibility": "direct"}, 200).text("id")
		r.ask(cy, "GET", "/api/v1/statuses/"+letter, nil, 404)
		far1 := w.says(far, "1", amira.me.ID)

		one := "/api/v1/statuses/" + shown
		for _, c := range []*client{guest, bo} {
			for _, at := range []string{"", "/context", "/history", "/favourited_by", "/reblogged_by", "/quotes"} {
				r.ask(c, "GET", one+at, nil, 200)
			}
			r.ask(c, "GET", "/api/v1/statuses?id[]="+shown+"&id[]="+reply+"&id[]="+letter, nil, 200)
		}
		get(one+"/source", 200)
		r.ask(guest, "GET", one+"/card", nil, 200)
		for _, deed := range []string{"favourite", "bookmark", "reblog", "mute"} {
			r.ask(bo, "POST", one+"/"+deed, nil, 200)
		}
		post(one+"/pin", nil, 200)
		get("/api/v1/statuses/"+path(far1.ID), 200)
		r.ask(bo, "POST", one+"/translate", obj{}, 404)
		r.ask(bo, "GET", "/api/v1/bookmarks", nil, 200)
		r.ask(bo, "GET", "/api/v1/favourites", nil, 200)
		r.ask(amira, "PUT", one, obj{"status": "Our wall, tidied #fractions", "media_ids": []string{picture}, "media_attributes": []obj{{"id": picture, "description": "A tidy wall"}}}, 200)
		r.ask(guest, "GET", one+"/history", nil, 200)
		r.ask(amira, "PUT", one+"/interaction_policy", obj{"quote_approval_policy": "followers"}, 200)
		post(one+"/quotes/"+quoting+"/revoke", nil, 200)

		// Notifications, while all that is news.
		get("/api/v1/notifications?limit=1", 200)
		news := get("/api/v1/notifications", 200)
		get("/api/v1/notifications/"+r.first(news), 200)
		get("/api/v1/notifications/unread_count", 200)
		for _, at := range []string{"/api/v2/notifications", "/api/v2_alpha/notifications"} {
			var g grouped
			get(at+"?expand_accounts=partial_avatars", 200)
			get(at, 200).into(&g)
			if len(g.Groups) < 3 {
				t.Fatalf("%s: %s", at, g.types())
			}
			get(at+"/unread_count", 200)
			get(at+"/"+g.Groups[0].Key, 200)
			get(at+"/"+g.Groups[0].Key+"/accounts", 200)
			post(at+"/"+g.Groups[0].Key+"/dismiss", nil, 200)
		}
		post("/api/v1/notifications/"+r.first(get("/api/v1/notifications", 200))+"/dismiss", nil, 200)
		post("/api/v1/notifications/dismiss", obj{"id": r.first(get("/api/v1/notifications", 200))}, 200)
		for _, v := range []string{"v1", "v2"} {
			at, body := "/api/"+v+"/notifications/policy", obj{"for_not_following": "filter"}
			if v == "v1" {
				body = obj{"filter_not_following": true}
			}
			get(at, 200)
			r.ask(amira, "PUT", at, body, 200)
			r.ask(amira, "PATCH", at, body, 200)
		}
		for i, decide := range []string{"accept", "dismiss", "accept", "dismiss"} {
			who := w.person(fmt.Sprintf("stranger%d", i), community.Member)
			who.post(obj{"status": "@amira hello", "visibility": "public"})
			request := r.first(get("/api/v1/notifications/requests", 200))
			get("/api/v1/notifications/requests/"+request, 200)
			if i < 2 {
				post("/api/v1/notifications/requests/"+request+"/"+decide, nil, 200)
			} else {
				post("/api/v1/notifications/requests/"+decide, obj{"id": []string{request}}, 200)
			}
		}
		get("/api/v1/notifications/requests/merged", 200)
		post("/api/v1/notifications/clear", nil, 200)

		// People.
		r.ask(amira, "PATCH", "/api/v1/accounts/update_credentials", obj{"display_name": "Amira", "note": "Maths", "fields_attributes": []obj{{"name": "Subject", "value": "Maths"}}}, 200)
		get("/api/v1/profile", 200)
		r.ask(amira, "PUT", "/api/v1/profile", obj{"display_name": "Amira A."}, 200)
		r.ask(amira, "PATCH", "/api/v1/profile", obj{"display_name": "Amira"}, 200)
		r.upload(amira, "PATCH", "/api/v1/accounts/update_credentials", []string{"avatar", "header"})
		r.ask(amira, "DELETE", "/api/v1/profile/avatar", nil, 200)
		r.ask(amira, "DELETE", "/api/v1/profile/header", nil, 200)
		account := "/api/v1/accounts/" + amiraID
		for _, deed := range []string{"follow", "note", "endorse", "unendorse", "pin", "unpin"} {
			r.ask(bo, "POST", account+"/"+deed, obj{"comment": "Of the maths department"}, 200)
		}
		r.ask(bo, "POST", account+"/endorse", nil, 200)
		for _, c := range []*client{guest, bo} {
			for _, at := range []string{"", "/statuses", "/statuses?pinned=true", "/followers", "/following", "/featured_tags", "/endorsements"} {
				r.ask(c, "GET", account+at, nil, 200)
			}
			r.ask(c, "GET", "/api/v1/accounts?id[]="+amiraID+"&id[]="+boID, nil, 200)
			r.ask(c, "GET", "/api/v1/accounts/lookup?acct=amira", nil, 200)
		}
		get("/api/v1/accounts/"+farID, 200)
		r.ask(bo, "GET", account+"/lists", nil, 200)
		r.ask(bo, "GET", account+"/identity_proofs", nil, 200)
		r.ask(bo, "GET", "/api/v1/endorsements", nil, 200)
		get("/api/v1/accounts/relationships?id[]="+boID+"&id[]="+cyID, 200)
		get("/api/v1/accounts/relationships?id="+boID, 200)
		get("/api/v1/accounts/familiar_followers?id[]="+boID, 200)
		get("/api/v1/accounts/search?q=bo", 200)
		post(account+"/email_subscriptions", obj{"email": "a@b.test"}, 404)
		for _, at := range []string{"/api/v1/suggestions", "/api/v2/suggestions"} {
			get(at, 200)
		}
		r.ask(amira, "DELETE", "/api/v1/suggestions/"+cyID, nil, 200)
		r.ask(amira, "PATCH", "/api/v1/accounts/update_credentials", url.Values{"locked": {"true"}}, 200)
		for _, decide := range []string{"authorize", "reject"} {
			if res := r.ask(cy, "POST", account+"/follow", nil, 200); !strings.Contains(res.Body.String(), `"requested":true`) {
				t.Errorf("asking to follow: %s", res.Body)
			}
			get("/api/v1/follow_requests", 200)
			post("/api/v1/follow_requests/"+cyID+"/"+decide, nil, 200)
			r.ask(cy, "POST", account+"/unfollow", nil, 200)
		}
		post("/api/v1/accounts/"+boID+"/remove_from_followers", nil, 200)
		post("/api/v1/accounts/"+cyID+"/mute", obj{"duration": 3600, "notifications": false}, 200)
		get("/api/v1/mutes", 200)
		post("/api/v1/accounts/"+cyID+"/unmute", nil, 200)
		post("/api/v1/accounts/"+cyID+"/block", nil, 200)
		get("/api/v1/blocks", 200)
		post("/api/v1/accounts/"+cyID+"/unblock", nil, 200)
		get("/api/v1/domain_blocks/preview?domain=elm.test", 200)
		post("/api/v1/domain_blocks", obj{"domain": "elm.test"}, 200)
		get("/api/v1/domain_blocks", 200)
		r.ask(amira, "DELETE", "/api/v1/domain_blocks", obj{"domain": "elm.test"}, 200)

		// Timelines, and what gives them order.
		post("/api/v1/accounts/"+boID+"/follow", obj{"reblogs": true, "notify": true}, 200)
		list := post("/api/v1/lists", obj{"title": "Maths", "replies_policy": "list", "exclusive": false}, 200).text("id")
		get("/api/v1/lists", 200)
		get("/api/v1/lists/", 200)
		get("/api/v1/lists/"+list, 200)
		r.ask(amira, "PUT", "/api/v1/lists/"+list, obj{"title": "Numbers"}, 200)
		post("/api/v1/lists/"+list+"/accounts", obj{"account_ids": []string{boID}}, 200)
		get("/api/v1/lists/"+list+"/accounts", 200)
		get("/api/v1/accounts/"+boID+"/lists", 200)
		bo.post(obj{"status": "For the list #fractions", "visibility": "public"})
		for _, at := range []string{"home", "home?limit=1", "public", "public?local=true", "tag/fractions", "tag/nothing", "list/" + list, "direct"} {
			get("/api/v1/timelines/"+at, 200)
		}
		for _, at := range []string{"public", "tag/fractions"} {
			r.ask(guest, "GET", "/api/v1/timelines/"+at, nil, 200)
		}
		get("/api/v1/timelines/link?url="+url.QueryEscape("https://example.com/"), 404) // nothing is trending
		r.ask(amira, "DELETE", "/api/v1/lists/"+list+"/accounts", obj{"account_ids": []string{boID}}, 200)
		r.ask(amira, "DELETE", "/api/v1/lists/"+list, nil, 200)
		get("/api/v1/tags/fractions", 200)
		r.ask(guest, "GET", "/api/v1/tags/fractions/", nil, 200)
		for _, deed := range []string{"follow", "feature"} {
			post("/api/v1/tags/fractions/"+deed, nil, 200)
		}
		get("/api/v1/followed_tags", 200)
		get("/api/v1/featured_tags", 200)
		r.ask(guest, "GET", account+"/featured_tags", nil, 200)
		for _, deed := range []string{"unfollow", "unfeature"} {
			post("/api/v1/tags/fractions/"+deed, nil, 200)
		}
		get("/api/v1/featured_tags/suggestions", 200)
		featured := post("/api/v1/featured_tags", obj{"name": "fractions"}, 200).text("id")
		r.ask(amira, "DELETE", "/api/v1/featured_tags/"+featured, nil, 200)
		r.filters(amira, reply)
		post("/api/v1/markers", obj{"home": obj{"last_read_id": shown}, "notifications": obj{"last_read_id": "1"}}, 200)
		get("/api/v1/markers?timeline[]=home&timeline[]=notifications", 200)
		get("/api/v1/markers?timeline=notifications", 200)
		for _, c := range []*client{guest, amira} {
			r.ask(c, "GET", "/api/v2/search?q=fractions", nil, 200)
			r.ask(c, "GET", "/api/v1/search?q=amira&type=accounts", nil, 200)
		}

		// Conversations, posts for later, announcements.
		r.ask(bo, "POST", "/api/v1/statuses", obj{"status": "@amira indeed", "visibility": "direct", "in_reply_to_id": letter}, 200)
		talk := r.first(get("/api/v1/conversations", 200))
		post("/api/v1/conversations/"+talk+"/read", nil, 200)
		r.ask(amira, "DELETE", "/api/v1/conversations/"+talk, nil, 200)
		later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		scheduled := post("/api/v1/statuses", obj{"status": "Later", "scheduled_at": later, "poll": obj{"options": []string{"a", "b"}, "expires_in": 3600}}, 200).text("id")
		get("/api/v1/scheduled_statuses", 200)
		get("/api/v1/scheduled_statuses/"+scheduled, 200)
		r.ask(amira, "PUT", "/api/v1/scheduled_statuses/"+scheduled, obj{"scheduled_at": time.Now().Add(2 * time.Hour).UTC().Format(time.RFC3339)}, 200)
		r.ask(amira, "DELETE", "/api/v1/scheduled_statuses/"+scheduled, nil, 200)
		w.write(func(tx *store.Tx) error {
			_, err := community.WriteAnnouncement(tx, owner.me, 0, community.AnnouncementDraft{Source: "The **hall** is open"})
			return err
		})
		announced := "/api/v1/announcements/" + r.first(get("/api/v1/announcements", 200))
		r.ask(amira, "PUT", announced+"/reactions/"+url.PathEscape("👍"), nil, 200)
		get("/api/v1/announcements", 200)
		r.ask(amira, "DELETE", announced+"/reactions/"+url.PathEscape("👍"), nil, 200)
		post(announced+"/dismiss", nil, 200)

		// Push.
		r.ask(amira, "GET", "/api/v1/push/subscription", nil, 404)
		phone := newPhone(t)
		if res := amira.subscribe(phone, "round", true, "all", "mention"); res.Code != 200 {
			t.Errorf("subscribe: %d %s", res.Code, res.Body)
		}
		r.note("POST", "/api/v1/push/subscription")
		get("/api/v1/push/subscription", 200)
		r.ask(amira, "PUT", "/api/v1/push/subscription", obj{"data": obj{"alerts": obj{"follow": true}, "policy": "followed"}}, 200)
		r.ask(amira, "DELETE", "/api/v1/push/subscription", nil, 200)
		r.ask(amira, "DELETE", "/api/v1/push/subscription", nil, 200)

		// Other sites show public posts.
		r.ask(guest, "GET", "/api/oembed?url="+url.QueryEscape("https://oak.test/posts/"+shown), nil, 200)
		r.ask(guest, "GET", "/health", nil, 200)

		// Looking after the school.
		post("/api/v1/reports", obj{"account_id": boID, "status_ids": []string{reply}, "comment": "Rude", "category": "violation", "rule_ids": []string{"1"}}, 200)
		r.ask(owner, "GET", "/api/v1/notifications", nil, 200)
		r.ask(owner, "GET", "/api/v2/notifications", nil, 200)
		r.administration(staff, cy, farID)
		r.off(amira, guest, staff)

		// Taking back, and leaving.
		for _, deed := range []string{"unfavourite", "unbookmark", "unreblog", "unmute"} {
			r.ask(bo, "POST", one+"/"+deed, nil, 200)
		}
		post(one+"/unpin", nil, 200)
		r.ask(amira, "DELETE", one, nil, 200)
		r.ask(guest, "POST", "/oauth/revoke", obj{"client_id": app.text("client_id"), "client_secret": app.text("client_secret"), "token": program.token}, 200)
		r.ask(program, "GET", "/api/v1/apps/verify_credentials", nil, 401)

		if c := theContract(); c != nil {
			var not []string
			for _, row := range c.rows {
				name := row.method + " " + row.path
				if _, ok := elsewhere[name]; !ok && !stream(row.path) && !r.asked[name] {
					not = append(not, name)
				}
			}
			if len(not) > 0 {
				t.Errorf("the round left out:\n%s", strings.Join(not, "\n"))
			}
			if names := c.unexplained(); len(names) > 0 {
				t.Errorf("properties that nothing explains:\n%s", strings.Join(names, "\n"))
			}
		}
	})
}

// upload sends a picture, under each of the names.
func (r *round) upload(c *client, method, path string, names []string) string {
	r.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if names == nil {
		names = []string{"file"}
	}
	form.WriteField("description", "A wall of paper leaves")
	for _, name := range names {
		file, err := form.CreateFormFile(name, "picture")
		if err == nil {
			err = png.Encode(file, image.NewRGBA(image.Rect(0, 0, 64, 48)))
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	form.Close()
	res := c.do(method, path, form.FormDataContentType(), body.Bytes())
	r.note(method, path)
	if res.Code != http.StatusOK {
		r.t.Fatalf("%s %s: %d %s", method, path, res.Code, res.Body)
	}
	return res.text("id")
}

// filters walks through both versions of filters.
func (r *round) filters(c *client, status string) {
	r.t.Helper()
	const v1, v2 = "/api/v1/filters", "/api/v2/filters"
	filter := r.ask(c, "POST", v2, obj{"title": "Chess", "context": []string{"home", "public"}, "filter_action": "warn", "expires_in": 3600,
		"keywords_attributes": []obj{{"keyword": "chess", "whole_word": true}}}, 200).text("id")
	at := v2 + "/" + filter
	r.ask(c, "GET", v2, nil, 200)
	r.ask(c, "GET", at, nil, 200)
	r.ask(c, "PUT", at, obj{"title": "Board games", "context": []string{"home"}, "filter_action": "hide"}, 200)
	r.ask(c, "GET", at+"/keywords", nil, 200)
	keyword := r.ask(c, "POST", at+"/keywords", obj{"keyword": "draughts", "whole_word": false}, 200).text("id")
	r.ask(c, "GET", v2+"/keywords/"+keyword, nil, 200)
	r.ask(c, "PUT", v2+"/keywords/"+keyword, obj{"keyword": "draughts", "whole_word": true}, 200)
	r.ask(c, "DELETE", v2+"/keywords/"+keyword, nil, 200)
	kept := r.ask(c, "POST", at+"/statuses", obj{"status_id": status}, 200).text("id")
	r.ask(c, "GET", "/api/v1/statuses/"+status, nil, 200) // says which filter it meets
	r.ask(c, "GET", at+"/statuses", nil, 200)
	r.ask(c, "GET", v2+"/statuses/"+kept, nil, 200)
	r.ask(c, "DELETE", v2+"/statuses/"+kept, nil, 200)
	r.ask(c, "DELETE", at, nil, 200)
	old := r.ask(c, "POST", v1, obj{"phrase": "chess", "context": []string{"home"}}, 200).text("id")
	r.ask(c, "GET", v1, nil, 200)
	r.ask(c, "GET", v1+"/"+old, nil, 200)
	r.ask(c, "PUT", v1+"/"+old, obj{"phrase": "go", "context": []string{"home"}}, 200)
	r.ask(c, "DELETE", v1+"/"+old, nil, 200)
}

// administration is what moderation tools do.
func (r *round) administration(staff, somebody *client, far string) {
	r.t.Helper()
	const admin = "/api/v1/admin"
	people := admin + "/accounts/"
	r.ask(staff, "GET", admin+"/accounts", nil, 200)
	r.ask(staff, "GET", "/api/v2/admin/accounts?origin=local", nil, 200)
	id := path(somebody.me.ID)
	r.ask(staff, "GET", people+id, nil, 200)
	r.ask(staff, "POST", people+id+"/action", obj{"type": "disable", "text": "left"}, 200)
	r.ask(staff, "POST", people+id+"/enable", nil, 200)
	r.ask(staff, "POST", people+far+"/action", obj{"type": "suspend"}, 200)
	for _, deed := range []string{"unsuspend", "unsilence", "unsensitive"} {
		r.ask(staff, "POST", people+far+"/"+deed, nil, 200)
	}
	r.newcomers(staff)
	r.ask(staff, "DELETE", people+id, nil, 200)

	report := r.first(r.ask(staff, "GET", admin+"/reports", nil, 200))
	r.ask(staff, "GET", admin+"/reports/"+report, nil, 200)
	r.ask(staff, "PUT", admin+"/reports/"+report, obj{"category": "spam"}, 200)
	for _, deed := range []string{"assign_to_self", "unassign", "resolve", "reopen"} {
		r.ask(staff, "POST", admin+"/reports/"+report+"/"+deed, nil, 200)
	}
	for what, host := range map[string]string{"domain_allows": "ash.test", "domain_blocks": "yew.test"} {
		one := admin + "/" + what + "/" + r.ask(staff, "POST", admin+"/"+what, obj{"domain": host}, 200).text("id")
		r.ask(staff, "GET", admin+"/"+what, nil, 200)
		r.ask(staff, "GET", one, nil, 200)
		if what == "domain_blocks" {
			r.ask(staff, "PUT", one, obj{"public_comment": "Floods"}, 200)
			r.ask(staff, "GET", "/api/v1/instance/domain_blocks", nil, 200)
		}
		r.ask(staff, "DELETE", one, nil, 200)
	}
	for _, what := range []string{"tags", "statuses", "links"} {
		r.ask(staff, "GET", admin+"/trends/"+what, nil, 200)
	}
	for _, what := range []string{"measures", "dimensions", "retention"} {
		r.ask(staff, "POST", admin+"/"+what, obj{"keys": []string{"active_users"}, "start_at": "2026-01-01", "end_at": "2026-01-31", "frequency": "day"}, 200)
	}
	r.ask(somebodyWithout(staff), "GET", admin+"/accounts", nil, 403)
}

// somebodyWithout is the same person with an app that may not moderate.
func somebodyWithout(staff *client) *client {
	return &client{w: staff.w, me: staff.me, token: staff.w.signIn(staff.me, "read write")}
}

// newcomers ask for an account, where the school takes such requests.
func (r *round) newcomers(staff *client) {
	r.t.Helper()
	w := staff.w
	w.write(func(tx *store.Tx) error {
		_, err := community.UpdateSite(tx, staff.me.ID, community.SiteForm{Name: "Oak", Contact: "@head", Rules: "Be kind", Registration: community.RegistrationRequest})
		return err
	})
	app := w.register("read write admin:read")
	token := w.guest().form("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {app.ClientSecret}, "scope": {"read write admin:read"}}).text("access_token")
	program := &client{w: w, token: token}
	for i, decide := range []string{"approve", "reject"} {
		name := "new" + decide
		made := r.ask(program, "POST", "/api/v1/accounts", url.Values{"username": {name}, "email": {name + "@oak.test"}, "password": {"a-long-pass-phrase-" + decide}, "agreement": {"true"},
			"locale": {"en"}, "reason": {"I teach chemistry here"}}, 200)
		if scope := made.text("scope"); scope != "read write" {
			r.t.Errorf("whoever signs up gives the app %q", scope)
		}
		if i == 0 {
			r.ask(staff, "GET", "/api/v1/notifications?types[]=admin.sign_up", nil, 200)
		}
		id := r.first(r.ask(staff, "GET", "/api/v1/admin/accounts?pending=true", nil, 200))
		r.ask(staff, "POST", "/api/v1/admin/accounts/"+id+"/"+decide, nil, 200)
	}
}

// off is what Mastodon has and this server does not.
func (r *round) off(me, guest, staff *client) {
	r.t.Helper()
	for _, at := range []string{"/api/v1/collections/1", "/api/v1/collections/1/items/2"} {
		r.ask(me, "DELETE", at, nil, 404)
	}
	for _, method := range []string{"PUT", "PATCH"} {
		r.ask(me, method, "/api/v1/collections/1", obj{"name": "x"}, 404)
	}
	for _, at := range []string{"/api/v1/collections", "/api/v1/collections/1/items", "/api/v1/collections/1/items/2/revoke"} {
		r.ask(me, "POST", at, obj{"name": "x"}, 404)
	}
	for _, at := range []string{"/api/v1/collections/1", "/api/v1/accounts/" + path(me.me.ID) + "/collections", "/api/v1/accounts/" + path(me.me.ID) + "/in_collections", "/api/proofs?provider=x&username=amira"} {
		r.ask(guest, "GET", at, nil, 404)
	}
	r.ask(me, "GET", "/api/v1_alpha/async_refreshes/1", nil, 404)
	r.ask(me, "GET", "/api/v1/annual_reports", nil, 200)
	r.ask(me, "GET", "/api/v1/annual_reports/2026", nil, 404)
	r.ask(me, "GET", "/api/v1/annual_reports/2026/state", nil, 200)
	r.ask(me, "POST", "/api/v1/annual_reports/2026/generate", nil, 200)
	r.ask(me, "POST", "/api/v1/annual_reports/2026/read", nil, 404)
	r.ask(guest, "GET", "/api/v1/annual_reports", nil, 401)
	r.ask(me, "POST", "/api/v1/emails/confirmations", nil, 403)
	const admin = "/api/v1/admin/"
	for _, what := range []string{"ip_blocks", "email_domain_blocks", "canonical_email_blocks"} {
		r.ask(staff, "GET", admin+what, nil, 200)
		r.ask(staff, "POST", admin+what, obj{"domain": "b.test", "ip": "192.0.2.0/24", "severity": "no_access", "email": "a@b.test"}, 422)
		r.ask(staff, "GET", admin+what+"/1", nil, 404)
		r.ask(staff, "DELETE", admin+what+"/1", nil, 404)
		if what == "ip_blocks" {
			r.ask(staff, "PUT", admin+what+"/1", obj{"comment": "x"}, 404)
		}
		r.ask(me, "POST", admin+what, obj{}, 403)
	}
	r.ask(staff, "POST", admin+"canonical_email_blocks/test", obj{"email": "a@b.test"}, 200)
}
