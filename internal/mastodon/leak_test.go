package mastodon

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// Whoever reads, and by whichever call, is shown what the audience lets them
// see and nothing else.
func TestNoCallLeaks(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		readers := map[string]*client{"guest": w.guest(), "author": amira, "fan": w.person("fan", community.Member),
			"named": w.person("named", community.Member), "passer": w.person("passer", community.Member), "enemy": w.person("enemy", community.Member)}
		readers["fan"].act("/api/v1/accounts/" + path(amira.me.ID) + "/follow")
		readers["enemy"].act("/api/v1/accounts/" + path(amira.me.ID) + "/follow")
		kept := map[string]string{} // each reader's list that amira is in, if they may keep her in one
		for who, c := range readers {
			if who == "guest" {
				continue
			}
			kept[who] = c.json(http.MethodPost, "/api/v1/lists", map[string]any{"title": who}).text("id")
			c.form("/api/v1/lists/"+kept[who]+"/accounts", url.Values{"account_ids[]": {path(amira.me.ID)}})
		}
		amira.act("/api/v1/accounts/" + path(readers["enemy"].me.ID) + "/block")

		sees := map[community.Audience][]string{
			community.Me:        {"author"},
			community.People:    {"author", "named"},
			community.School:    {"author", "fan", "named", "passer"},
			community.Followers: {"author", "fan", "named"},
			community.Network:   {"author", "fan", "named", "passer"},
			community.Public:    {"author", "fan", "guest", "named", "passer"},
		}
		type one struct {
			id, root string
			audience community.Audience
		}
		var posts []one
		for audience := range sees {
			var root, reply community.Post
			w.write(func(tx *store.Tx) (err error) {
				root, err = community.Publish(tx, amira.me, community.Draft{Kind: community.Discussion, Title: "On fractions", Audience: audience, Source: "@named, look #maths"})
				if err != nil {
					return err
				}
				reply, err = community.Publish(tx, amira.me, community.Draft{Kind: community.Reply, Audience: audience, InReplyToID: root.ID, Source: "@named, more #maths"})
				return err
			})
			posts = append(posts, one{path(root.ID), path(root.ID), audience}, one{path(reply.ID), path(root.ID), audience})
		}
		// What is somebody's own: a post that waits for its time, a filter, a list, and how they have a conversation.
		own := map[string]string{
			"/api/v1/scheduled_statuses": amira.json(http.MethodPost, "/api/v1/statuses", map[string]any{"status": "Later, @named #maths", "visibility": "public",
				"scheduled_at": time.Now().Add(time.Hour).Format(time.RFC3339)}).text("id"),
			"/api/v2/filters": amira.json(http.MethodPost, "/api/v2/filters", map[string]any{"title": "Money", "context": []string{"home"}, "filter_action": "warn",
				"keywords_attributes": []map[string]any{{"keyword": "budget"}}}).text("id"),
			"/api/v1/lists":         kept["author"],
			"/api/v1/conversations": amira.get("/api/v1/conversations").ids()[0],
		}
		for who, c := range readers {
			may := func(p one) bool { return slices.Contains(sees[p.audience], who) }
			byID := map[string]one{}
			for _, p := range posts {
				byID[p.id] = p
				// What may not be seen cannot be marked either, and answers as if it were not there.
				want := http.StatusNotFound
				if may(p) {
					want = http.StatusOK
				}
				for _, call := range []string{"", "/context", "/history", "/favourited_by", "/reblogged_by"} {
					if res := c.get("/api/v1/statuses/" + p.id + call); res.Code != want {
						t.Errorf("%s asks for %s of a post for %s: %d, want %d", who, call, p.audience, res.Code, want)
					}
				}
				if who != "guest" {
					for _, deed := range []string{"/bookmark", "/favourite"} {
						if res := c.act("/api/v1/statuses/" + p.id + deed); res.Code != want {
							t.Errorf("%s does %s to a post for %s: %d, want %d", who, deed, p.audience, res.Code, want)
						}
					}
					if res := c.get("/api/v1/statuses/" + p.id + "/source"); (res.Code == http.StatusOK) != (who == "author") {
						t.Errorf("%s asks for the source of a post for %s: %d", who, p.audience, res.Code)
					}
				}
				var found struct{ Statuses []said }
				c.get("/api/v2/search?q=" + url.QueryEscape("https://oak.test/o/"+p.id)).into(&found)
				if (len(found.Statuses) == 1) != may(p) {
					t.Errorf("%s searches for a post for %s and finds %d", who, p.audience, len(found.Statuses))
				}
			}
			for at, id := range own {
				if found := slices.Contains(c.get(at).ids(), id); found != (who == "author") {
					t.Errorf("%s finds what is amira's own in %s: %v", who, at, found)
				}
				if at == "/api/v1/conversations" { // one alone is not shown, but marked
					if res := c.act(at + "/" + id + "/read"); (res.Code == http.StatusOK) != (who == "author") {
						t.Errorf("%s marks amira's conversation: %d", who, res.Code)
					}
				} else if res := c.get(at + "/" + id); (res.Code == http.StatusOK) != (who == "author") {
					t.Errorf("%s asks for what is amira's own in %s: %d", who, at, res.Code)
				}
			}
			lists := map[string][]string{}
			for _, list := range []string{"timelines/home", "timelines/direct", "timelines/list/" + kept["author"], "timelines/list/" + kept["fan"], "timelines/list/" + kept["enemy"], "timelines/public", "timelines/public?local=true", "timelines/public?remote=true", "timelines/tag/maths",
				"accounts/" + path(amira.me.ID) + "/statuses", "bookmarks", "favourites", "notifications"} {
				lists[list] = c.get("/api/v1/" + list).ids()
			}
			for _, p := range posts {
				var around struct{ Ancestors, Descendants []said }
				if res := c.get("/api/v1/statuses/" + p.id + "/context"); res.Code == http.StatusOK {
					res.into(&around)
				}
				for _, s := range append(around.Ancestors, around.Descendants...) {
					lists["context of "+p.id] = append(lists["context of "+p.id], s.ID)
				}
			}
			var talks []struct {
				Last *said `json:"last_status"`
			}
			if who != "guest" {
				c.get("/api/v1/conversations").into(&talks)
			}
			for _, talk := range talks {
				lists["conversations"] = append(lists["conversations"], talk.Last.ID)
			}
			asked := url.Values{}
			for _, p := range posts {
				asked.Add("id[]", p.id)
			}
			lists["statuses"] = c.get("/api/v1/statuses?" + asked.Encode()).ids()
			for list, ids := range lists {
				for _, id := range ids {
					if p, ours := byID[id]; ours && !may(p) {
						t.Errorf("%s finds a post for %s in %s", who, p.audience, list)
					}
				}
			}
			// And what may be seen is there.
			for _, p := range posts {
				if may(p) && !slices.Contains(lists["timelines/tag/maths"], p.id) {
					t.Errorf("%s does not find a post for %s under its tag", who, p.audience)
				}
				if may(p) && !slices.Contains(lists["statuses"], p.id) {
					t.Errorf("%s does not get a post for %s that they ask for with others", who, p.audience)
				}
				if direct := may(p) && (p.audience == community.People || p.audience == community.Me); slices.Contains(lists["timelines/direct"], p.id) != direct {
					t.Errorf("%s finds a post for %s among the direct ones: %v", who, p.audience, !direct)
				}
				if who == "fan" && slices.Contains(lists["timelines/list/"+kept["fan"]], p.id) != may(p) {
					t.Errorf("%s finds a post for %s in the list: %v", who, p.audience, !may(p))
				}
				if may(p) && !slices.Contains(lists["accounts/"+path(amira.me.ID)+"/statuses"], p.id) {
					t.Errorf("%s does not find a post for %s among its author's", who, p.audience)
				}
			}
			if who == "named" && len(lists["notifications"]) == 0 {
				t.Error("named was not told of being named")
			}
			if talks := len(lists["conversations"]); (talks > 0) != slices.Contains(sees[community.People], who) {
				t.Errorf("%s has %d conversations", who, talks)
			}
			if people := c.get("/api/v1/accounts/" + path(amira.me.ID) + "/followers").ids(); (len(people) > 0) != (who == "author") {
				t.Errorf("%s sees %d followers of amira", who, len(people))
			}
		}
	})
}

// What somebody may not see any more they can still take their mark off; the
// answer shows it to them no more than any other call does.
func TestTakingBackShowsNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, fan := w.person("amira", community.Member), w.person("fan", community.Member)
		p := amira.post(map[string]any{"status": "before the quarrel", "visibility": "public"})
		for _, deed := range []string{"/favourite", "/reblog"} {
			if res := fan.act("/api/v1/statuses/" + p.ID + deed); res.Code != http.StatusOK {
				t.Fatalf("%s: %d %s", deed, res.Code, res.Body)
			}
		}
		amira.act("/api/v1/accounts/" + path(fan.me.ID) + "/block")
		for _, deed := range []string{"/unfavourite", "/unreblog"} {
			if res := fan.act("/api/v1/statuses/" + p.ID + deed); res.Code != http.StatusNotFound || strings.Contains(res.Body.String(), "quarrel") {
				t.Errorf("%s by somebody who is blocked: %d %s", deed, res.Code, res.Body)
			}
		}
		var likes, boosts int
		w.write(func(tx *store.Tx) error {
			return tx.Raw("SELECT likes_count, boosts_count FROM posts WHERE source LIKE 'before%'").Row().Scan(&likes, &boosts)
		})
		if likes != 0 || boosts != 0 {
			t.Errorf("the marks stay: %d likes, %d boosts", likes, boosts)
		}
	})
}

// Somebody who has asked for an account is known to nobody before they are let
// in, and people of other servers are shown to members only.
func TestAccountsAreShownToWhomTheyAreFor(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		pair, err := keys()
		if err != nil {
			t.Fatal(err)
		}
		var waiting, elsewhere community.Account
		w.write(func(tx *store.Tx) (err error) {
			if waiting, err = community.Apply(tx, community.NewAccount{Username: "waiting", PasswordHash: "x", RequestText: "please", Keys: pair}); err != nil {
				return err
			}
			uri := "https://elm.test/u/bo"
			elsewhere, err = community.UpsertRemote(tx, community.RemoteAccount{Account: community.Account{Username: "bo", Host: "elm.test", URI: &uri, Inbox: uri + "/inbox"}})
			return err
		})
		for _, call := range []struct {
			path          string
			guest, member bool
		}{
			{"/api/v1/accounts/" + path(amira.me.ID), true, true},
			{"/api/v1/accounts/" + path(waiting.ID), false, false},
			{"/api/v1/accounts/" + path(elsewhere.ID), false, true},
			{"/api/v1/accounts/lookup?acct=waiting", false, false},
			{"/api/v1/accounts/lookup?acct=bo@elm.test", false, true},
		} {
			for c, want := range map[*client]bool{w.guest(): call.guest, amira: call.member} {
				if res := c.get(call.path); (res.Code == http.StatusOK) != want {
					t.Errorf("%s (token %v): %d, want shown %v", call.path, c.token != "", res.Code, want)
				}
			}
		}
		for _, deed := range []string{"follow", "unfollow", "block", "mute", "note", "pin"} {
			if res := amira.act("/api/v1/accounts/" + path(waiting.ID) + "/" + deed); res.Code != http.StatusNotFound {
				t.Errorf("%s of who waits: %d %s", deed, res.Code, res.Body)
			}
		}
		if got := amira.get("/api/v1/accounts/relationships?id[]=" + path(waiting.ID)).ids(); len(got) != 0 {
			t.Errorf("how amira stands to who waits: %v", got)
		}
		for _, c := range []*client{w.guest(), amira} {
			if res := c.get("/api/v2/search?q=@waiting"); strings.Contains(res.Body.String(), path(waiting.ID)) {
				t.Errorf("a search finds who waits: %s", res.Body)
			}
		}
		if res := w.guest().get("/api/v2/search?q=@bo@elm.test"); strings.Contains(res.Body.String(), path(elsewhere.ID)) {
			t.Errorf("a guest's search finds somebody elsewhere: %s", res.Body)
		}
	})
}

// Of a server that somebody shuts out they see nothing behind any door: not
// what they kept or follow, not what others pass on, and not in a thread.
func TestWhatIsShutOutIsNowhere(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s := w.serve()
		amira, cy := w.person("amira", community.Member), w.person("cy", community.Member)
		bo := w.elsewhere("bo", "elm.test")
		amira.follow(cy)
		w.write(func(tx *store.Tx) error {
			if _, err := community.Follow(tx, amira.me, bo); err != nil {
				return err
			}
			return community.ReceiveAccept(tx, bo, "", amira.me.ID)
		})
		tell := func(no string) (p community.Post) {
			w.write(func(tx *store.Tx) (err error) {
				uri := *bo.URI + "/" + no
				p, _, err = community.Receive(tx, community.RemotePost{Author: bo, URI: uri, URL: uri, Kind: community.Note, Audience: community.Public,
					HTML: "<p>Number lines " + no + "</p>", Language: "en", Published: tx.Now, Mentions: []int64{amira.me.ID}, Tags: []community.Tag{{Tag: "maths", Name: "maths"}}})
				return err
			})
			return p
		}
		first := tell("1")
		id := path(first.ID)
		list := amira.json(http.MethodPost, "/api/v1/lists", map[string]any{"title": "maths"}).text("id")
		amira.form("/api/v1/lists/"+list+"/accounts", url.Values{"account_ids[]": {path(bo.ID), path(cy.me.ID)}}).wants("add", 200)
		for _, deed := range []string{"/favourite", "/bookmark"} {
			amira.act("/api/v1/statuses/"+id+deed).wants(deed, 200)
		}
		boost := cy.act("/api/v1/statuses/"+id+"/reblog").wants("boost", 200).text("id")
		reply := cy.post(map[string]any{"status": "Yes, @amira #maths", "visibility": "public", "in_reply_to_id": id})

		places := []string{"timelines/home", "timelines/public", "timelines/public?remote=true", "timelines/tag/maths", "timelines/list/" + list, "notifications",
			"favourites", "bookmarks", "accounts/" + path(bo.ID) + "/statuses", "statuses?id[]=" + id, "accounts/" + path(cy.me.ID) + "/statuses"}
		around := func(c *client) (ids []string) {
			var found struct{ Ancestors, Descendants []said }
			c.get("/api/v1/statuses/"+reply.ID+"/context").wants("context", 200).into(&found)
			for _, s := range append(found.Ancestors, found.Descendants...) {
				ids = append(ids, s.ID)
			}
			return ids
		}
		holds := func(ids []string) bool { return slices.Contains(ids, id) || slices.Contains(ids, boost) }
		for _, at := range places {
			if !holds(amira.get("/api/v1/" + at).ids()) {
				t.Fatalf("%s never had what it is not to have any more", at)
			}
		}
		if !holds(around(amira)) {
			t.Fatal("the thread never had it")
		}
		amira.form("/api/v1/domain_blocks", url.Values{"domain": {"elm.test"}}).wants("shut out", 200)
		for _, at := range places {
			if holds(amira.get("/api/v1/" + at).ids()) {
				t.Errorf("%s still has it", at)
			}
		}
		if holds(around(amira)) || !holds(around(cy)) {
			t.Error("the thread has it for who shut it out, or not for somebody else")
		}
		if !slices.Contains(amira.get("/api/v1/timelines/tag/maths").ids(), reply.ID) {
			t.Error("what somebody here said to it is gone too")
		}
		for _, one := range []string{id, boost} {
			amira.get("/api/v1/statuses/"+one).wants("by its id", 404)
		}

		streams := []string{"user", "public", "public/remote", "hashtag?tag=maths", "list?list=" + list}
		ears := map[string]*ear{}
		for _, stream := range streams {
			ears[stream] = amira.hear(s, stream)
		}
		theirs := cy.hear(s, "public")
		second := tell("2")
		theirs.want("update", path(second.ID))
		cy.act("/api/v1/statuses/"+path(second.ID)+"/reblog").wants("boost", 200)
		last := cy.post(map[string]any{"status": "Bar models #maths", "visibility": "public"})
		for _, stream := range streams {
			if stream != "public/remote" {
				ears[stream].want("update", last.ID)
			}
		}
		if e := ears["public/remote"]; len(e.events) > 0 {
			t.Errorf("heard %+v", <-e.events)
		}
	})
}
