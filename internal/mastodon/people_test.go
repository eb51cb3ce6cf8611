package mastodon

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// elsewhere is somebody at another school that this one is connected with.
func (w *world) elsewhere(name, host string) community.Account {
	w.t.Helper()
	var a community.Account
	w.write(func(tx *store.Tx) (err error) {
		if _, err := peers.Allow(tx, 0, host, peers.Entry{Ceiling: peers.CeilingNetwork}); err != nil && !fault.Is(err, fault.Conflict) {
			return err
		}
		uri := "https://" + host + "/u/" + name
		a, err = community.UpsertRemote(tx, community.RemoteAccount{Account: community.Account{Username: name, Host: host, URI: &uri, Inbox: uri + "/inbox", Discoverable: true}})
		return err
	})
	return a
}

// says stores a public post of somebody elsewhere.
func (w *world) says(a community.Account, no string, mentions ...int64) community.Post {
	w.t.Helper()
	var p community.Post
	w.write(func(tx *store.Tx) (err error) {
		uri := *a.URI + "/" + no
		p, _, err = community.Receive(tx, community.RemotePost{Author: a, URI: uri, URL: uri, Kind: community.Note, Audience: community.Public, HTML: "<p>" + no + "</p>",
			Language: "en", Published: tx.Now, Mentions: mentions})
		return err
	})
	return p
}

// grouped is an answer with notifications in groups.
type grouped struct {
	Accounts []struct{ ID string }
	Partial  []struct{ ID string } `json:"partial_accounts"`
	Statuses []struct{ ID string }
	Groups   []struct {
		Key    string   `json:"group_key"`
		Count  int      `json:"notifications_count"`
		Newest int64    `json:"most_recent_notification_id"`
		Min    string   `json:"page_min_id"`
		Max    string   `json:"page_max_id"`
		At     string   `json:"latest_page_notification_at"`
		From   []string `json:"sample_account_ids"`
		Status string   `json:"status_id"`
		Type   string
	} `json:"notification_groups"`
}

func (g grouped) types() string {
	var out []string
	for _, one := range g.Groups {
		out = append(out, one.Type+"×"+strconv.Itoa(one.Count))
	}
	return strings.Join(out, " ")
}

func (c *client) groups(path string) grouped {
	c.w.t.Helper()
	var g grouped
	c.get(path).wants(path, 200).into(&g)
	return g
}

// Likes of one post are one group, whatever comes between; each page tells of
// what is on it, and the key is the same on all.
func TestNotificationGroups(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		me := w.person("amira", community.Member)
		post := me.post(map[string]any{"status": "On fractions", "visibility": "public"})
		other := me.post(map[string]any{"status": "On sums", "visibility": "public"})
		fans := make([]*client, 4)
		for i := range fans {
			fans[i] = w.person("fan"+strconv.Itoa(i), community.Member)
			fans[i].act("/api/v1/statuses/"+post.ID+"/favourite").wants("favourite", 200)
		}
		fans[0].post(map[string]any{"status": "@amira yes", "visibility": "public"})
		fans[1].act("/api/v1/statuses/"+other.ID+"/favourite").wants("favourite", 200)
		fans[2].act("/api/v1/statuses/"+post.ID+"/reblog").wants("reblog", 200)
		fans[2].act("/api/v1/accounts/"+path(me.me.ID)+"/follow").wants("follow", 200)
		fans[3].act("/api/v1/accounts/"+path(me.me.ID)+"/follow").wants("follow", 200)

		all := me.groups("/api/v2/notifications")
		if got := all.types(); got != "follow×2 reblog×1 favourite×1 mention×1 favourite×4" {
			t.Fatalf("groups: %s", got)
		}
		liked := all.Groups[4]
		if liked.Status != post.ID || len(liked.From) != 4 || liked.From[0] != path(fans[3].me.ID) || liked.At == "" || !strings.HasPrefix(liked.Key, "favourite-"+post.ID+"-") {
			t.Errorf("the likes: %+v", liked)
		}
		if len(all.Accounts) != 4 || len(all.Statuses) != 3 {
			t.Errorf("%d accounts and %d statuses: each is there once", len(all.Accounts), len(all.Statuses))
		}
		if g := me.groups("/api/v2/notifications?types[]=favourite&expand_accounts=partial_avatars"); len(g.Accounts) != 2 || len(g.Partial) != 2 {
			t.Errorf("with faces only: %d and %d", len(g.Accounts), len(g.Partial))
		}
		for query, want := range map[string]string{
			"grouped_types[]=favourite":                           "follow×1 follow×1 reblog×1 favourite×1 mention×1 favourite×4",
			"types[]=favourite&grouped_types[]=follow":            "favourite×1 favourite×1 favourite×1 favourite×1 favourite×1",
			"exclude_types[]=favourite":                           "follow×2 reblog×1 mention×1",
			"types[]=favourite&account_id=" + path(fans[1].me.ID): "favourite×1 favourite×1",
			"limit=2":                                       "follow×2 reblog×1",
			"types[]=favourite&types[]=unheard_of":          "favourite×1 favourite×4",
			"types[]=unheard_of":                            "",
			"max_id=" + strconv.FormatInt(liked.Newest, 10): "favourite×3",
			"limit=1&min_id=" + liked.Min:                   "favourite×2",
		} {
			if got := me.groups("/api/v2/notifications?" + query).types(); got != want {
				t.Errorf("%s: %s, want %s", query, got, want)
			}
		}
		// paged one by one, all are met, in order
		var seen []string
		at := "/api/v2/notifications?limit=1"
		for range 20 {
			res := me.get(at)
			var g grouped
			res.into(&g)
			if len(g.Groups) == 0 {
				break
			}
			seen = append(seen, g.types())
			next, _, _ := strings.Cut(strings.TrimPrefix(res.Header().Get("Link"), "<"), ">")
			u, err := url.Parse(next)
			if err != nil || !strings.Contains(next, "max_id") {
				break
			}
			at = u.RequestURI()
		}
		if got := strings.Join(seen, ", "); got != "follow×2, reblog×1, favourite×1, mention×1, favourite×4" && !strings.HasPrefix(got, "follow×2, follow×1, reblog×1, favourite×1, mention×1, favourite×4") {
			t.Errorf("page by page: %s", got)
		}
		for query, want := range map[string]int{"": 5, "?types[]=favourite": 2, "?limit=1": 1, "?grouped_types[]=none": 9} {
			var n struct{ Count int }
			me.get("/api/v2/notifications/unread_count" + query).into(&n)
			if n.Count != want {
				t.Errorf("unread%s: %d, want %d", query, n.Count, want)
			}
		}
		one := me.groups("/api/v2/notifications/" + liked.Key)
		if one.types() != "favourite×4" || one.Groups[0].Min != "" {
			t.Errorf("one group: %+v", one)
		}
		if ids := me.get("/api/v2/notifications/"+liked.Key+"/accounts").wants("accounts", 200).ids(); len(ids) != 4 {
			t.Errorf("its accounts: %v", ids)
		}
		if g := me.groups("/api/v2_alpha/notifications/" + all.Groups[3].Key); g.types() != "mention×1" {
			t.Errorf("a mention by its key: %s", g.types())
		}
		for _, c := range []*client{fans[0], fans[1]} { // it is nobody else's
			c.get("/api/v2/notifications/"+liked.Key).wants("another's group", 404)
			c.act("/api/v2/notifications/"+liked.Key+"/dismiss").wants("dismiss another's", 200)
		}
		var list []struct {
			Type string
			Key  string `json:"group_key"`
		}
		me.get("/api/v1/notifications?types[]=favourite").into(&list)
		if len(list) != 5 || list[1].Key != liked.Key {
			t.Errorf("one by one: %v", list)
		}
		// whoever is blocked is in no group
		me.act("/api/v1/accounts/"+path(fans[3].me.ID)+"/block").wants("block", 200)
		if got := me.groups("/api/v2/notifications").types(); got != "follow×1 reblog×1 favourite×1 mention×1 favourite×3" {
			t.Errorf("without one of them: %s", got)
		}
		me.act("/api/v1/accounts/"+path(fans[2].me.ID)+"/mute").wants("mute", 200)
		if got := me.groups("/api/v2/notifications").types(); got != "favourite×1 mention×1 favourite×2" {
			t.Errorf("with the newest of a group muted: %s", got)
		}
		me.act("/api/v2/notifications/"+liked.Key+"/dismiss").wants("dismiss", 200)
		if got := me.groups("/api/v2/notifications").types(); got != "favourite×1 mention×1" {
			t.Errorf("after one was dismissed: %s", got)
		}
		var first []struct{ ID string }
		me.get("/api/v1/notifications?limit=1").into(&first)
		me.form("/api/v1/notifications/dismiss", url.Values{"id": {first[0].ID}}).wants("dismiss, the old way", 200)
		me.get("/api/v1/notifications/"+first[0].ID).wants("what was dismissed", 404)
	})
}

// The hour in which a group begins is kept: what comes later joins it for half
// a day, and begins a new one then.
func TestGroupsEnd(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		me, fan, other := w.person("amira", community.Member), w.person("fan", community.Member), w.person("other", community.Member)
		post := me.post(map[string]any{"status": "On fractions", "visibility": "public"})
		fan.act("/api/v1/statuses/"+post.ID+"/favourite").wants("favourite", 200)
		hour := time.Now().Unix() / 3600
		for back, want := range map[int64]string{3: "favourite×2", 13: "favourite×1 favourite×1"} {
			w.write(func(tx *store.Tx) error {
				return tx.Exec("UPDATE notifications SET group_key = ? WHERE account_id = ? AND from_id = ?", "favourite-"+post.ID+"-0"+strconv.FormatInt(hour-back, 10), me.me.ID, fan.me.ID).Error
			})
			other.act("/api/v1/statuses/"+post.ID+"/favourite").wants("favourite", 200)
			if got := me.groups("/api/v2/notifications").types(); got != want {
				t.Errorf("%d hours later: %s, want %s", back, got, want)
			}
			other.act("/api/v1/statuses/"+post.ID+"/unfavourite").wants("unfavourite", 200)
		}
	})
}

// What a policy keeps apart is in no list and counted nowhere until its reader
// lets it in; what it drops never was.
func TestNotificationPolicy(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		me, friend, stranger := w.person("amira", community.Member), w.person("friend", community.Member), w.person("stranger", community.Member)
		staff := w.person("staff", community.Moderator)
		me.act("/api/v1/accounts/"+path(friend.me.ID)+"/follow").wants("follow", 200)
		var p map[string]any
		me.get("/api/v2/notifications/policy").into(&p)
		if p["for_not_following"] != "accept" || p["for_private_mentions"] != "accept" {
			t.Errorf("at first: %v", p)
		}
		me.put("/api/v2/notifications/policy", map[string]any{"for_not_following": "maybe"}).wants("no choice", 422)
		me.json(http.MethodPatch, "/api/v2/notifications/policy", map[string]any{"for_not_following": "filter"}).wants("patch", 200)
		hello := func(c *client) string {
			return c.post(map[string]any{"status": "@amira hello", "visibility": "public"}).ID
		}
		fromFriend, fromStaff, first := hello(friend), hello(staff), hello(stranger)
		second := hello(stranger)
		if got := me.get("/api/v1/notifications").ids(); !slices.Equal(got, []string{fromStaff, fromFriend}) {
			t.Errorf("heard: %v", got)
		}
		if got := me.get("/api/v1/notifications?include_filtered=true").ids(); len(got) != 4 {
			t.Errorf("with what is kept apart: %v", got)
		}
		if got := me.get("/api/v1/notifications?account_id=" + path(stranger.me.ID)).ids(); !slices.Equal(got, []string{second, first}) {
			t.Errorf("of one person: %v", got)
		}
		if got := me.groups("/api/v2/notifications").types(); got != "mention×1 mention×1" {
			t.Errorf("in groups: %s", got)
		}
		var n struct{ Count int }
		if me.get("/api/v1/notifications/unread_count").into(&n); n.Count != 2 {
			t.Errorf("%d unread", n.Count)
		}
		var old struct {
			Filters bool `json:"filter_not_following"`
			Summary struct {
				Requests      int `json:"pending_requests_count"`
				Notifications int `json:"pending_notifications_count"`
			}
		}
		if me.get("/api/v1/notifications/policy").into(&old); !old.Filters || old.Summary.Requests != 1 || old.Summary.Notifications != 2 {
			t.Errorf("the old form: %+v", old)
		}
		var asks []struct {
			ID      string
			Count   string              `json:"notifications_count"`
			Last    struct{ ID string } `json:"last_status"`
			Account struct{ ID string }
		}
		me.get("/api/v1/notifications/requests").into(&asks)
		if len(asks) != 1 || asks[0].Count != "2" || asks[0].Last.ID != second || asks[0].Account.ID != path(stranger.me.ID) {
			t.Fatalf("requests: %+v", asks)
		}
		one := "/api/v1/notifications/requests/" + asks[0].ID
		for _, c := range []*client{stranger, friend} {
			c.get(one).wants("another's request", 404)
			c.act(one+"/accept").wants("accept another's", 404)
		}
		me.get(one).wants("one request", 200)
		me.act(one+"/dismiss").wants("dismiss", 200)
		me.get(one).wants("a dismissed request", 404)
		if got := me.get("/api/v1/notifications?include_filtered=true").ids(); len(got) != 2 {
			t.Errorf("after dismissing: %v", got)
		}
		third := hello(stranger)
		me.get("/api/v1/notifications/requests").into(&asks)
		me.form("/api/v1/notifications/requests/accept", url.Values{"id[]": {asks[0].ID}}).wants("accept", 200)
		fourth := hello(stranger)
		if got := me.get("/api/v1/notifications").ids(); !slices.Equal(got, []string{fourth, third, fromStaff, fromFriend}) {
			t.Errorf("after accepting: %v", got)
		}
		me.put("/api/v2/notifications/policy", map[string]any{"for_not_following": "accept", "for_private_mentions": "drop", "for_not_followers": "accept"}).wants("put", 200)
		quiet := w.person("quiet", community.Member)
		quiet.post(map[string]any{"status": "@amira psst", "visibility": "direct"})
		answer := me.post(map[string]any{"status": "@quiet yes?", "visibility": "direct"})
		reply := quiet.post(map[string]any{"status": "@amira oh", "visibility": "direct", "in_reply_to_id": answer.ID})
		if got := me.get("/api/v1/notifications?include_filtered=1&account_id=" + path(quiet.me.ID)).ids(); !slices.Equal(got, []string{reply.ID}) {
			t.Errorf("a private mention out of nothing is dropped, an answer is not: %v", got)
		}
		me.put("/api/v1/notifications/policy", map[string]any{"filter_private_mentions": true}).wants("put, the old way", 200)
		if me.get("/api/v2/notifications/policy").into(&p); p["for_private_mentions"] != "drop" {
			t.Errorf("the old form softened a choice: %v", p)
		}
		me.get("/api/v1/notifications/requests/merged").wants("merged", 200)
	})
}

// Who reports and who asks to join is for those who may decide about it.
func TestStaffNotifications(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		owner, mod, member := w.person("head", community.Owner), w.person("mod", community.Moderator), w.person("member", community.Member)
		rude := w.person("rude", community.Member)
		post := rude.post(map[string]any{"status": "Something rude", "visibility": "public"})
		member.form("/api/v1/reports", url.Values{"account_id": {path(rude.me.ID)}, "status_ids[]": {post.ID}, "comment": {"please look"}, "category": {"violation"}}).wants("report", 200)
		for _, c := range []*client{owner, mod} {
			var list []struct {
				Type   string
				Report struct {
					Category, Comment string
					Posts             []string            `json:"status_ids"`
					Target            struct{ ID string } `json:"target_account"`
				}
			}
			c.get("/api/v1/notifications?types[]=admin.report").into(&list)
			if len(list) != 1 || list[0].Report.Category != "violation" || list[0].Report.Target.ID != path(rude.me.ID) || !slices.Equal(list[0].Report.Posts, []string{post.ID}) {
				t.Fatalf("%s is told %+v", c.me.Username, list)
			}
			if g := c.groups("/api/v2/notifications"); g.types() != "admin.report×1" {
				t.Errorf("%s is told, in groups: %s", c.me.Username, g.types())
			}
		}
		if res := rude.get("/api/v1/notifications"); len(res.ids()) != 0 {
			t.Errorf("whoever was reported is told %s", res.Body)
		}
		w.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE users SET role = 'member' WHERE account_id = ?", mod.me.ID).Error
		})
		if res := mod.get("/api/v1/notifications"); len(res.ids()) != 0 || strings.Contains(res.Body.String(), "please look") {
			t.Errorf("somebody who moderates no more is told %s", res.Body)
		}
		if g := mod.get("/api/v2/notifications"); strings.Contains(g.Body.String(), "please look") {
			t.Errorf("the same, in groups: %s", g.Body)
		}
	})
}

// A follow has wishes: no boosts, only some languages, a notification of each post.
func TestFollowOptions(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		me, amira, bo := w.person("reader", community.Member), w.person("amira", community.Member), w.person("bo", community.Member)
		of := func(body map[string]any) (r struct {
			Following, Notifying bool
			Reblogs              bool `json:"showing_reblogs"`
			Languages            []string
		}) {
			me.json(http.MethodPost, "/api/v1/accounts/"+path(amira.me.ID)+"/follow", body).wants("follow", 200).into(&r)
			return r
		}
		if r := of(nil); !r.Following || !r.Reblogs || r.Notifying || r.Languages != nil {
			t.Errorf("at first: %+v", r)
		}
		said := bo.post(map[string]any{"status": "from bo", "visibility": "public"})
		amira.act("/api/v1/statuses/"+said.ID+"/reblog").wants("reblog", 200)
		if got := me.get("/api/v1/timelines/home").ids(); len(got) != 1 {
			t.Fatalf("home with a boost: %v", got)
		}
		if r := of(map[string]any{"reblogs": false, "notify": true}); r.Reblogs || !r.Notifying {
			t.Errorf("changed: %+v", r)
		}
		if got := me.get("/api/v1/timelines/home").ids(); len(got) != 0 {
			t.Errorf("home without boosts: %v", got)
		}
		other := bo.post(map[string]any{"status": "more from bo", "visibility": "public"})
		amira.act("/api/v1/statuses/"+other.ID+"/reblog").wants("reblog", 200)
		own := amira.post(map[string]any{"status": "my own", "visibility": "public", "language": "en"})
		amira.post(map[string]any{"status": "to @bo", "visibility": "direct"})
		answer := amira.post(map[string]any{"status": "yes", "visibility": "public", "in_reply_to_id": said.ID})
		if got := me.get("/api/v1/timelines/home").ids(); !slices.Equal(got, []string{own.ID}) {
			t.Errorf("home: %v", got)
		}
		if got := me.get("/api/v1/notifications?types[]=status").ids(); !slices.Equal(got, []string{own.ID}) {
			t.Errorf("told of %v: not of boosts, of what is not for the reader, nor of answers to others such as %s", got, answer.ID)
		}
		if r := of(map[string]any{"languages": []string{"mi", "DE"}, "notify": false}); !slices.Equal(r.Languages, []string{"mi", "de"}) || r.Reblogs || r.Notifying {
			t.Errorf("languages: %+v", r)
		}
		amira.post(map[string]any{"status": "in English", "visibility": "public", "language": "en"})
		kia := amira.post(map[string]any{"status": "kia ora", "visibility": "public", "language": "mi"})
		if got := me.get("/api/v1/timelines/home").ids(); !slices.Equal(got, []string{kia.ID}) {
			t.Errorf("home in two languages: %v", got)
		}
		me.form("/api/v1/accounts/"+path(amira.me.ID)+"/follow", url.Values{"languages[]": {"not a language"}}).wants("no language", 422)
		if r := of(map[string]any{"reblogs": true}); !r.Reblogs || len(r.Languages) != 2 {
			t.Errorf("boosts again: %+v", r)
		}
	})
}

// Whoever shuts a server out sees nothing of it, and nobody else is affected.
func TestHostBlocks(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		me, other := w.person("amira", community.Member), w.person("other", community.Member)
		bo := w.elsewhere("bo", "elm.test")
		cy := w.elsewhere("cy", "ash.test")
		w.write(func(tx *store.Tx) error {
			if err := community.ReceiveFollow(tx, bo, me.me, *bo.URI+"/follow"); err != nil {
				return err
			}
			_, err := community.Follow(tx, me.me, bo)
			return err
		})
		w.write(func(tx *store.Tx) error { return community.ReceiveAccept(tx, bo, "", me.me.ID) })
		p, q := w.says(bo, "1", me.me.ID), w.says(cy, "1")
		var ties struct {
			Following int `json:"following_count"`
			Followers int `json:"followers_count"`
		}
		me.get("/api/v1/domain_blocks/preview?domain=elm.test").wants("preview", 200).into(&ties)
		if ties.Following != 1 || ties.Followers != 1 {
			t.Errorf("what ends: %+v", ties)
		}
		for _, name := range []string{"", "oak.test", "not a host"} {
			me.form("/api/v1/domain_blocks", url.Values{"domain": {name}}).wants("block "+name, 422)
		}
		me.form("/api/v1/domain_blocks", url.Values{"domain": {"Elm.test"}}).wants("block", 200)
		if res := me.get("/api/v1/domain_blocks").wants("list", 200); strings.TrimSpace(res.Body.String()) != `["elm.test"]` {
			t.Errorf("shut out: %s", res.Body)
		}
		me.get("/api/v1/statuses/"+path(p.ID)).wants("a post of there", 404)
		other.get("/api/v1/statuses/"+path(p.ID)).wants("the same, for somebody else", 200)
		for list, want := range map[string][]string{"timelines/home": nil, "timelines/public": {path(q.ID)}, "notifications": nil, "accounts/" + path(bo.ID) + "/statuses": nil} {
			if got := me.get("/api/v1/" + list).ids(); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", list, got, want)
			}
		}
		var found struct{ Statuses []said }
		if me.get("/api/v2/search?q=" + url.QueryEscape(*p.URI)).into(&found); len(found.Statuses) != 0 {
			t.Error("it is found by its address")
		}
		w.says(bo, "2", me.me.ID)
		if got := me.get("/api/v1/notifications").ids(); len(got) != 0 {
			t.Errorf("a mention from there arrives: %v", got)
		}
		var r []struct {
			Domain    bool `json:"domain_blocking"`
			Following bool
			Followed  bool `json:"followed_by"`
		}
		me.get("/api/v1/accounts/relationships?id[]=" + path(bo.ID)).into(&r)
		if !r[0].Domain || r[0].Following || r[0].Followed {
			t.Errorf("what ties them: %+v", r)
		}
		me.act("/api/v1/accounts/"+path(bo.ID)+"/follow").wants("follow", 403)
		w.write(func(tx *store.Tx) error { return community.ReceiveFollow(tx, bo, me.me, *bo.URI+"/again") })
		me.get("/api/v1/accounts/relationships?id[]=" + path(bo.ID)).into(&r)
		if r[0].Followed {
			t.Error("somebody from there follows")
		}
		me.json(http.MethodDelete, "/api/v1/domain_blocks", map[string]any{"domain": "elm.test"}).wants("let in", 200)
		me.get("/api/v1/statuses/"+path(p.ID)).wants("a post of there, let in", 200)
	})
}

// What somebody keeps of others is theirs alone.
func TestNotesAndEndorsements(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		me, amira, other := w.person("reader", community.Member), w.person("amira", community.Member), w.person("other", community.Member)
		at := "/api/v1/accounts/" + path(amira.me.ID)
		var r struct {
			Note     string
			Endorsed bool
		}
		me.form(at+"/note", url.Values{"comment": {"met in Leeds"}}).wants("note", 200).into(&r)
		if r.Note != "met in Leeds" {
			t.Errorf("noted: %+v", r)
		}
		for _, c := range []*client{amira, other} {
			if res := c.get("/api/v1/accounts/relationships?id[]=" + path(amira.me.ID) + "&id[]=" + path(me.me.ID)); strings.Contains(res.Body.String(), "Leeds") {
				t.Errorf("%s reads the note", c.me.Username)
			}
		}
		me.form(at+"/note", url.Values{"comment": {strings.Repeat("x", community.MaxAccountNote+1)}}).wants("a long note", 422)
		me.act(at+"/endorse").wants("endorse whom nobody follows", 422)
		me.act(at+"/follow").wants("follow", 200)
		me.act(at+"/pin").wants("pin", 200).into(&r)
		if !r.Endorsed {
			t.Error("not endorsed")
		}
		for _, c := range []*client{me, other, w.guest()} {
			if got := c.get("/api/v1/accounts/"+path(me.me.ID)+"/endorsements").wants("endorsements", 200).ids(); !slices.Equal(got, []string{path(amira.me.ID)}) {
				t.Errorf("endorsed: %v", got)
			}
		}
		if got := me.get("/api/v1/endorsements").ids(); len(got) != 1 {
			t.Errorf("own endorsements: %v", got)
		}
		me.act(at+"/unfollow").wants("unfollow", 200)
		if got := other.get("/api/v1/accounts/" + path(me.me.ID) + "/endorsements").ids(); len(got) != 0 {
			t.Errorf("endorsed though not followed: %v", got)
		}
		me.act(at+"/unendorse").wants("unendorse", 200)
		if res := me.get("/api/v1/accounts/familiar_followers?id[]="+path(amira.me.ID)).wants("familiar", 200); !strings.Contains(res.Body.String(), `"accounts":[]`) {
			t.Errorf("familiar followers: %s", res.Body)
		}
		me.form(at+"/mute", url.Values{"duration": {"3600"}, "notifications": {"false"}}).wants("mute", 200)
		var muted []struct {
			ID  string
			End *string `json:"mute_expires_at"`
		}
		if me.get("/api/v1/mutes").into(&muted); len(muted) != 1 || muted[0].End == nil {
			t.Errorf("muted: %+v", muted)
		}
	})
}

// A school shows its people to each other, and to nobody else.
func TestFindingPeople(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		me, amira := w.person("reader", community.Member), w.person("amira", community.Member)
		w.person("hush", community.Member)
		bo := w.elsewhere("bo", "elm.test")
		w.write(func(tx *store.Tx) error { return tx.Exec("UPDATE accounts SET discoverable = ?", true).Error })
		for query, want := range map[string]int{"": 3, "?local=true": 2, "?order=new&limit=1": 1, "?offset=1": 2} {
			if got := me.get("/api/v1/directory"+query).wants("directory", 200).ids(); len(got) != want {
				t.Errorf("directory%s: %v", query, got)
			}
		}
		if got := w.guest().get("/api/v1/directory").wants("directory", 200).ids(); len(got) != 0 {
			t.Errorf("guests look through %v", got)
		}
		var list []struct {
			Account struct{ ID string }
			Sources []string
		}
		if me.get("/api/v2/suggestions").into(&list); len(list) != 3 {
			t.Errorf("suggested: %+v", list)
		}
		me.delete("/api/v1/suggestions/"+path(bo.ID)).wants("refuse", 200)
		if got := me.get("/api/v1/suggestions").ids(); len(got) != 2 || slices.Contains(got, path(bo.ID)) {
			t.Errorf("suggested again: %v", got)
		}
		ids := "?id[]=" + path(bo.ID) + "&id[]=" + path(amira.me.ID) + "&id[]=7"
		if got := me.get("/api/v1/accounts" + ids).ids(); !slices.Equal(got, []string{path(bo.ID), path(amira.me.ID)}) {
			t.Errorf("some accounts: %v", got)
		}
		if got := w.guest().get("/api/v1/accounts" + ids).ids(); !slices.Equal(got, []string{path(amira.me.ID)}) {
			t.Errorf("some accounts, for guests: %v", got)
		}
		me.act("/api/v1/accounts/"+path(amira.me.ID)+"/follow").wants("follow", 200)
		for query, want := range map[string]int{"q=ami": 1, "q=@ami": 1, "q=reader&following=true": 0, "q=amira&following=true": 1, "q=ami&offset=1": 0} {
			if got := me.get("/api/v1/accounts/search?" + query).ids(); len(got) != want {
				t.Errorf("search %s: %v", query, got)
			}
		}
		amira.post(map[string]any{"status": "hello #fractions", "visibility": "public"})
		amira.post(map[string]any{"status": "@hush hush #fractionsecret", "visibility": "direct"})
		var found struct {
			Accounts, Statuses []struct{ ID string }
			Hashtags           []struct{ Name string }
		}
		names := func() (out []string) {
			for _, tag := range found.Hashtags {
				out = append(out, tag.Name)
			}
			return out
		}
		if me.get("/api/v2/search?q=frac").into(&found); !slices.Equal(names(), []string{"fractions"}) {
			t.Errorf("hashtags: %v", names())
		}
		for query, want := range map[string]int{"": 1, "?tagged=Fractions": 1, "?tagged=fractionsecret": 0, "?tagged=other": 0} {
			if got := me.get("/api/v1/accounts/" + path(amira.me.ID) + "/statuses" + query).ids(); len(got) != want {
				t.Errorf("posts%s: %v", query, got)
			}
		}
		if amira.get("/api/v1/search?q=frac&type=hashtags").into(&found); !slices.Equal(names(), []string{"frac", "fractions", "fractionsecret"}) {
			t.Errorf("hashtags of who wrote them: %v", names())
		}
		w.guest().get("/api/v2/search?q=a&offset=2").wants("guests look further", 401)
		me.get("/api/v2/search?q=a&type=things").wants("no such type", 422)
	})
}

// Announcements are for everybody here, when their time has come.
func TestAnnouncementsByApp(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		owner, me := w.person("head", community.Owner), w.person("amira", community.Member)
		var now, later community.Announcement
		w.write(func(tx *store.Tx) (err error) {
			in, ends := tx.Now.Add(time.Hour), tx.Now.Add(2*time.Hour)
			if now, err = community.WriteAnnouncement(tx, owner.me, 0, community.AnnouncementDraft{Source: "The **hall** is open", EndsAt: &ends}); err != nil {
				return err
			}
			later, err = community.WriteAnnouncement(tx, owner.me, 0, community.AnnouncementDraft{Source: "Not yet", PublishAt: &in})
			return err
		})
		if err := w.db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := community.WriteAnnouncement(tx, me.me, 0, community.AnnouncementDraft{Source: "me too"})
			return err
		}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a member announces: %v", err)
		}
		var list []struct {
			ID, Content string
			Read        bool
			EndsAt      string `json:"ends_at"`
			Reactions   []struct {
				Name  string
				Count int
				Me    bool
			}
		}
		read := func(c *client) {
			t.Helper()
			list = nil
			c.get("/api/v1/announcements").wants("announcements", 200).into(&list)
			if len(list) != 1 || list[0].ID != path(now.ID) || !strings.Contains(list[0].Content, "<strong>hall</strong>") {
				t.Fatalf("announced: %+v", list)
			}
		}
		if read(me); list[0].Read || len(list[0].Reactions) != 0 || list[0].EndsAt == "" {
			t.Errorf("at first: %+v", list)
		}
		w.guest().get("/api/v1/announcements").wants("guests", 401)
		at := "/api/v1/announcements/" + path(now.ID)
		me.put(at+"/reactions/"+url.PathEscape("👍🏽"), nil).wants("react", 200)
		me.put(at+"/reactions/"+url.PathEscape("👍🏽"), nil).wants("react twice", 200)
		owner.put(at+"/reactions/"+url.PathEscape("❤️"), nil).wants("react", 200)
		me.put(at+"/reactions/word", nil).wants("react with a word", 422)
		me.put("/api/v1/announcements/"+path(later.ID)+"/reactions/"+url.PathEscape("❤️"), nil).wants("react to what is not published", 404)
		me.act("/api/v1/announcements/"+path(later.ID)+"/dismiss").wants("dismiss what is not published", 404)
		me.act(at+"/dismiss").wants("dismiss", 200)
		if read(me); !list[0].Read || len(list[0].Reactions) != 2 || list[0].Reactions[0].Name != "👍🏽" || list[0].Reactions[0].Count != 1 || !list[0].Reactions[0].Me || list[0].Reactions[1].Me {
			t.Errorf("then: %+v", list)
		}
		if read(owner); list[0].Read {
			t.Error("another's reading counts")
		}
		me.delete(at+"/reactions/"+url.PathEscape("👍🏽")).wants("take back", 200)
		if read(me); len(list[0].Reactions) != 1 {
			t.Errorf("after taking back: %+v", list)
		}
		w.write(func(tx *store.Tx) error { return community.EndAnnouncement(tx, owner.me, now.ID) })
		if me.get("/api/v1/announcements").into(&list); len(list) != 0 {
			t.Errorf("after its end: %+v", list)
		}
	})
}

// A profile is changed by part, in either form of the call.
func TestProfileByApp(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		me := w.person("amira", community.Member)
		var p struct {
			ID, Note string
			Name     string `json:"display_name"`
			Avatar   *string
			Alt      string `json:"avatar_description"`
			Bot      bool
			Locked   bool
			Domains  []string `json:"attribution_domains"`
			Fields   []struct{ Name, Value string }
		}
		me.put("/api/v1/profile", map[string]any{"display_name": "Amira", "note": "Maths & *more*", "bot": true, "attribution_domains": []string{"Blog.example", "no host"},
			"fields_attributes": []map[string]any{{"name": "Site", "value": "https://oak.example/"}}}).wants("put", 200).into(&p)
		if p.Name != "Amira" || p.Note != "Maths & *more*" || !p.Bot || !slices.Equal(p.Domains, []string{"blog.example"}) || len(p.Fields) != 1 || p.Fields[0].Value != "https://oak.example/" || p.Avatar != nil {
			t.Errorf("put: %+v", p)
		}
		me.json(http.MethodPatch, "/api/v1/profile", map[string]any{"locked": true, "bot": false}).wants("patch", 200).into(&p)
		if p.Name != "Amira" || p.Bot || !p.Locked {
			t.Errorf("patched: %+v", p)
		}
		me.get("/api/v1/profile").wants("get", 200).into(&p)
		for _, which := range []string{"avatar", "header"} {
			me.delete("/api/v1/profile/"+which).wants("drop", 200)
		}
		me.json(http.MethodPatch, "/api/v1/accounts/update_credentials", map[string]any{"display_name": strings.Repeat("x", 200)}).wants("too long", 422)
		var shown struct {
			Bot    bool
			Source struct {
				Domains []string `json:"attribution_domains"`
			}
			Chalkring AccountExtras
		}
		me.get("/api/v1/accounts/verify_credentials").into(&shown)
		if shown.Bot || !slices.Equal(shown.Source.Domains, []string{"blog.example"}) || shown.Chalkring.Role != community.Member {
			t.Errorf("own account: %+v", shown)
		}
		shown.Chalkring.Role = ""
		if me.get("/api/v1/accounts/" + path(me.me.ID)).into(&shown); shown.Chalkring.Role != "" {
			t.Errorf("a role is told outside of verify_credentials: %q", shown.Chalkring.Role)
		}
	})
}

// What the server says of itself is whole for everybody; how large it is, is
// for its people.
func TestInstanceByApp(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		owner := w.person("head", community.Owner)
		w.elsewhere("bo", "elm.test")
		w.person("named", community.Member)
		w.write(func(tx *store.Tx) error {
			_, err := community.UpdateSite(tx, owner.me.ID, community.SiteForm{Name: "Oak", Description: "A *school*", Contact: "@head", Rules: "Be kind\nNo names"})
			return err
		})
		owner.post(map[string]any{"status": "hello", "visibility": "public"})
		var v2 struct {
			Title, Version string
			Usage          struct {
				Users struct {
					Active int `json:"active_month"`
				}
			}
			Thumbnail     struct{ URL string }
			Configuration struct {
				URLs struct{ Streaming, About string }
			}
			API     struct{ Mastodon int } `json:"api_versions"`
			Contact struct {
				Account struct{ ID string }
			}
			Rules []struct{ Text string }
		}
		for _, c := range []*client{w.guest(), owner} {
			c.get("/api/v2/instance").wants("instance", 200).into(&v2)
			if v2.Title != "Oak" || !strings.HasPrefix(v2.Version, "4.") || v2.Configuration.URLs.Streaming != "wss://oak.test" || v2.Contact.Account.ID != path(owner.me.ID) || len(v2.Rules) != 2 {
				t.Errorf("instance: %+v", v2)
			}
			if (v2.Usage.Users.Active == 1) != c.signedIn() {
				t.Errorf("active people, signed in %v: %d", c.signedIn(), v2.Usage.Users.Active)
			}
			var hosts, like []string
			c.get("/api/v1/instance/peers").wants("peers", 200).into(&hosts)
			c.get("/api/v1/peers/search?q=el").wants("peers", 200).into(&like)
			if (len(hosts) == 1) != c.signedIn() || (len(like) == 1) != c.signedIn() {
				t.Errorf("peers, signed in %v: %v, %v", c.signedIn(), hosts, like)
			}
			c.get("/api/v1/instance").wants("instance, the old form", 200)
			for _, at := range []string{"instance/extended_description", "instance/privacy_policy", "instance/rules", "instance/languages", "instance/translation_languages", "custom_emojis"} {
				c.get("/api/v1/"+at).wants(at, 200)
			}
			c.get("/api/v1/instance/terms_of_service").wants("terms", 404)
			c.get("/health").wants("health", 200)
		}
		w.guest().get("/api/v1/instance/domain_blocks").wants("blocks, for guests", 401)
		w.guest().get("/api/v1/instance/activity").wants("activity, for guests", 401)
		owner.get("/api/v1/instance/domain_blocks").wants("blocks", 200)
		owner.get("/api/v1/instance/activity").wants("activity", 200)
		// other sites show what is public, and only that
		for visibility, want := range map[string]int{"public": 200, "unlisted": 404, "private": 404, "direct": 404} {
			p := owner.post(map[string]any{"status": "about <fractions> @named", "visibility": visibility})
			if res := w.guest().get("/api/oembed?url="+url.QueryEscape("https://oak.test/posts/"+p.ID)).wants("oembed of "+visibility, want); want == 200 && strings.Contains(res.text("html"), "<fractions>") {
				t.Errorf("oembed: %s", res.Body)
			}
		}
	})
}

func (c *client) signedIn() bool { return c.token != "" }
