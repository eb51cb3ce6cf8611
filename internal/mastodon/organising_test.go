package mastodon

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// wants fails unless the answer has the status.
func (a answer) wants(what string, code int) answer {
	a.w.t.Helper()
	if a.Code != code {
		a.w.t.Errorf("%s: %d %s, want %d", what, a.Code, a.Body, code)
	}
	return a
}

func (c *client) put(path string, body map[string]any) answer {
	return c.json(http.MethodPut, path, body)
}

func (c *client) delete(path string) answer { return c.do(http.MethodDelete, path, "", nil) }

// Lists are made, filled, read and deleted by their owner alone.
func TestListsByApp(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader, amira, passer := w.person("reader", community.Member), w.person("amira", community.Member), w.person("passer", community.Member)
		reader.act("/api/v1/accounts/"+path(amira.me.ID)+"/follow").wants("follow", 200)
		before := amira.post(map[string]any{"status": "before", "visibility": "public"})
		res := reader.json(http.MethodPost, "/api/v1/lists", map[string]any{"title": "Year 3"}).wants("create", 200)
		var l struct {
			ID, Title     string
			RepliesPolicy string `json:"replies_policy"`
			Exclusive     bool
		}
		res.into(&l)
		if l.Title != "Year 3" || l.RepliesPolicy != "list" || l.Exclusive {
			t.Errorf("a new list is %s", res.Body)
		}
		at := "/api/v1/lists/" + l.ID
		reader.json(http.MethodPost, "/api/v1/lists", map[string]any{"title": ""}).wants("no title", 422)
		reader.json(http.MethodPost, "/api/v1/lists", map[string]any{"title": "x", "replies_policy": "some"}).wants("no policy", 422)
		if res := reader.put(at, map[string]any{"replies_policy": "none", "exclusive": true}).wants("update", 200); !strings.Contains(res.Body.String(), `"title":"Year 3","replies_policy":"none","exclusive":true`) {
			t.Errorf("a changed list is %s", res.Body)
		}
		reader.form(at+"/accounts", url.Values{"account_ids[]": {path(passer.me.ID)}}).wants("add whom nobody follows", 404)
		reader.form(at+"/accounts", url.Values{"account_ids[]": {path(amira.me.ID)}}).wants("add", 200)
		reader.form(at+"/accounts", url.Values{"account_ids[]": {path(amira.me.ID)}}).wants("add again", 422)
		after := amira.post(map[string]any{"status": "after", "visibility": "public"})
		for what, want := range map[string][]string{"/api/v1/timelines/list/" + l.ID: {after.ID, before.ID}, "/api/v1/timelines/home": nil, "/api/v1/lists": {l.ID},
			"/api/v1/lists/": {l.ID}, at + "/accounts": {path(amira.me.ID)}, at + "/accounts?limit=0": {path(amira.me.ID)}, "/api/v1/accounts/" + path(amira.me.ID) + "/lists": {l.ID}} {
			if got := reader.get(what).wants(what, 200).ids(); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		if link := reader.get("/api/v1/timelines/list/" + l.ID + "?limit=1").Header().Get("Link"); !strings.Contains(link, "max_id="+after.ID) || !strings.Contains(link, "min_id="+after.ID) {
			t.Errorf("the list goes on at %q", link)
		}
		// Nobody else learns that the list is there.
		for _, try := range []answer{passer.get(at), passer.get(at + "/accounts"), passer.get("/api/v1/timelines/list/" + l.ID), passer.put(at, map[string]any{"title": "mine"}),
			passer.delete(at), passer.form(at+"/accounts", url.Values{"account_ids[]": {path(amira.me.ID)}})} {
			if try.wants("somebody else's list", 404); try.text("error") != "Record not found" {
				t.Errorf("somebody else's list is answered %s", try.Body)
			}
		}
		if got := passer.get("/api/v1/accounts/" + path(amira.me.ID) + "/lists").ids(); len(got) != 0 {
			t.Errorf("passer is told of lists: %v", got)
		}
		w.guest().get(at).wants("a guest's list", 401)
		reader.json(http.MethodDelete, at+"/accounts", map[string]any{"account_ids": []string{path(amira.me.ID)}}).wants("take out", 200)
		if got := reader.get("/api/v1/timelines/list/" + l.ID).ids(); len(got) != 0 {
			t.Errorf("an empty list has %v", got)
		}
		if got := reader.get("/api/v1/timelines/home").ids(); !slices.Equal(got, []string{after.ID, before.ID}) {
			t.Errorf("home has %v", got)
		}
		reader.delete(at).wants("delete", 200)
		reader.get(at).wants("a deleted list", 404)
	})
}

// A list and a hashtag bring nobody what they may not see, also when that
// changes after it was brought.
func TestListsDoNotLeak(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, fan := w.person("amira", community.Member), w.person("fan", community.Member)
		fan.act("/api/v1/accounts/" + path(amira.me.ID) + "/follow")
		fan.act("/api/v1/tags/maths/follow")
		var l struct{ ID string }
		fan.json(http.MethodPost, "/api/v1/lists", map[string]any{"title": "x"}).into(&l)
		fan.form("/api/v1/lists/"+l.ID+"/accounts", url.Values{"account_ids[]": {path(amira.me.ID)}}).wants("add", 200)
		seen := map[community.Audience]string{}
		for _, audience := range []community.Audience{community.Me, community.School, community.Followers, community.Network, community.Public} {
			seen[audience] = path(w.publish(amira, community.Draft{Audience: audience, Source: "for " + string(audience) + " #maths", FormID: string(audience)}).ID)
		}
		list := "/api/v1/timelines/list/" + l.ID
		for _, at := range []string{list, "/api/v1/timelines/home"} {
			got := fan.get(at).ids()
			for audience, id := range seen {
				if slices.Contains(got, id) != (audience != community.Me) {
					t.Errorf("%s has what is for %s: %v", at, audience, slices.Contains(got, id))
				}
			}
		}
		amira.act("/api/v1/accounts/"+path(fan.me.ID)+"/block").wants("block", 200)
		for _, at := range []string{list, "/api/v1/timelines/home", "/api/v1/lists/" + l.ID + "/accounts"} {
			if got := fan.get(at).wants(at, 200).ids(); len(got) != 0 {
				t.Errorf("%s still has %v for somebody who is blocked", at, got)
			}
		}
	})
}

type filterSeen struct {
	ID, Title, Phrase string
	Context           []string
	Action            string  `json:"filter_action"`
	ExpiresAt         *string `json:"expires_at"`
	Irreversible      bool
	WholeWord         bool `json:"whole_word"`
	Keywords          []struct {
		ID, Keyword string
		WholeWord   bool `json:"whole_word"`
	}
	Statuses []struct {
		ID       string
		StatusID string `json:"status_id"`
	}
}

type resultSeen struct {
	ID       string
	Filtered []struct {
		Filter   filterSeen
		Keywords []string `json:"keyword_matches"`
		Statuses []string `json:"status_matches"`
	}
	Reblog *resultSeen
}

// A filter and what it finds is told with each status, wherever it is shown, to
// its owner alone.
func TestFiltersByApp(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader, amira, passer := w.person("reader", community.Member), w.person("amira", community.Member), w.person("passer", community.Member)
		reader.act("/api/v1/accounts/" + path(amira.me.ID) + "/follow")
		quiet := amira.post(map[string]any{"status": "Nothing of that", "visibility": "public"})
		loud := amira.post(map[string]any{"status": "Budget **cuts**, again #maths @reader", "visibility": "public"})
		single := amira.post(map[string]any{"status": "This one", "visibility": "public"})
		if strings.Contains(reader.get("/api/v1/timelines/home").Body.String(), `"filter":`) {
			t.Error("without a filter something is filtered")
		}
		var f filterSeen
		res := reader.json(http.MethodPost, "/api/v2/filters", map[string]any{"title": "Money", "context": []string{"home", "thread"}, "filter_action": "hide", "expires_in": 3600,
			"keywords_attributes": []map[string]any{{"keyword": "budget cuts", "whole_word": true}, {"keyword": "money"}}}).wants("create", 200)
		res.into(&f)
		if f.Title != "Money" || !slices.Equal(f.Context, []string{"home", "thread"}) || f.Action != "hide" || f.ExpiresAt == nil || len(f.Keywords) != 2 || !f.Keywords[1].WholeWord || f.Statuses == nil {
			t.Fatalf("a new filter is %s", res.Body)
		}
		at := "/api/v2/filters/" + f.ID
		res = reader.form(at+"/statuses", url.Values{"status_id": {single.ID}}).wants("filter a status", 200)
		byStatus := res.text("id")
		for _, list := range []string{"/api/v1/timelines/home", "/api/v1/timelines/public", "/api/v1/accounts/" + path(amira.me.ID) + "/statuses"} {
			var seen []resultSeen
			reader.get(list).into(&seen)
			for _, s := range seen {
				switch s.ID {
				case quiet.ID:
					if s.Filtered == nil || len(s.Filtered) != 0 {
						t.Errorf("%s: nothing is found in what is quiet, and told is %+v", list, s.Filtered)
					}
				case loud.ID:
					if len(s.Filtered) != 1 || s.Filtered[0].Filter.ID != f.ID || s.Filtered[0].Filter.Action != "hide" || s.Filtered[0].Filter.Keywords != nil ||
						!slices.Equal(s.Filtered[0].Keywords, []string{"budget cuts"}) || len(s.Filtered[0].Statuses) != 0 {
						t.Errorf("%s: told is %+v", list, s.Filtered)
					}
				case single.ID:
					if len(s.Filtered) != 1 || !slices.Equal(s.Filtered[0].Statuses, []string{single.ID}) || len(s.Filtered[0].Keywords) != 0 {
						t.Errorf("%s: told is %+v", list, s.Filtered)
					}
				}
			}
			if len(seen) != 3 {
				t.Errorf("%s has %d statuses", list, len(seen))
			}
		}
		for _, one := range []string{"/api/v1/statuses/" + loud.ID, "/api/v1/notifications"} {
			if res := reader.get(one); !strings.Contains(res.Body.String(), `"keyword_matches":["budget cuts"]`) {
				t.Errorf("%s tells of no filter: %s", one, res.Body)
			}
			for _, c := range []*client{passer, amira} {
				if res := c.get(one); strings.Contains(res.Body.String(), "Money") {
					t.Errorf("%s tells somebody else of the filter: %s", one, res.Body)
				}
			}
		}
		// Words are changed one by one, or with the filter.
		word := "/api/v2/filters/keywords/" + f.Keywords[0].ID
		reader.put(word, map[string]any{"keyword": "budget", "whole_word": false}).wants("change a word", 200)
		if res := reader.get(word).wants("a word", 200); !strings.Contains(res.Body.String(), `"keyword":"budget","whole_word":false`) {
			t.Errorf("the word is %s", res.Body)
		}
		res = reader.put(at, map[string]any{"title": "Sums", "expires_in": nil, "keywords_attributes": []map[string]any{{"id": f.Keywords[1].ID, "_destroy": true}, {"keyword": "coins"}}}).wants("update", 200)
		var changed filterSeen
		res.into(&changed)
		if changed.Title != "Sums" || changed.ExpiresAt != nil || changed.Action != "hide" || len(changed.Keywords) != 2 || changed.Keywords[1].Keyword != "coins" {
			t.Errorf("a changed filter is %s", res.Body)
		}
		reader.form(at+"/keywords", url.Values{"keyword": {"pence"}, "whole_word": {"false"}}).wants("add a word", 200)
		if got := reader.get(at + "/keywords").ids(); len(got) != 3 {
			t.Errorf("the filter has the words %v", got)
		}
		if got := reader.get(at + "/statuses").ids(); !slices.Equal(got, []string{byStatus}) {
			t.Errorf("the filter has the statuses %v", got)
		}
		for name, body := range map[string]map[string]any{"no title": {"context": []string{"home"}}, "no context": {"title": "x"}, "another context": {"title": "x", "context": []string{"attic"}},
			"another action": {"title": "x", "context": []string{"home"}, "filter_action": "burn"}, "an empty word": {"title": "x", "context": []string{"home"}, "keywords_attributes": []map[string]any{{"keyword": " "}}}} {
			reader.json(http.MethodPost, "/api/v2/filters", body).wants(name, 422)
		}
		for _, try := range []answer{passer.get(at), passer.put(at, map[string]any{"title": "mine"}), passer.delete(at), passer.get(at + "/keywords"), passer.form(at+"/keywords", url.Values{"keyword": {"x"}}),
			passer.get(word), passer.put(word, map[string]any{"keyword": "x"}), passer.delete(word), passer.get(at + "/statuses"), passer.get("/api/v2/filters/statuses/" + byStatus),
			passer.delete("/api/v2/filters/statuses/" + byStatus), passer.get("/api/v1/filters/" + f.Keywords[0].ID), passer.delete("/api/v1/filters/" + f.Keywords[0].ID)} {
			try.wants("somebody else's filter", 404)
		}
		// What somebody may not see they cannot ask about by filtering it.
		hidden := amira.post(map[string]any{"status": "only mine", "visibility": "direct"})
		reader.form(at+"/statuses", url.Values{"status_id": {hidden.ID}}).wants("filter what is not shown", 404)
		reader.delete("/api/v2/filters/statuses/"+byStatus).wants("a status no more", 200)
		reader.delete(word).wants("a word no more", 200)
		reader.delete(at).wants("delete", 200)
		reader.get(at).wants("a deleted filter", 404)
		if res := reader.get("/api/v2/filters"); strings.TrimSpace(res.Body.String()) != "[]" {
			t.Errorf("what is left: %s", res.Body)
		}
	})
}

// Clients before Mastodon 4.0 see each word as a filter of its own.
func TestFiltersOfTheFirstVersion(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader := w.person("reader", community.Member)
		var f filterSeen
		reader.form("/api/v1/filters", url.Values{"phrase": {"spoilers"}, "context[]": {"home", "public"}, "irreversible": {"true"}}).wants("create", 200).into(&f)
		if f.Phrase != "spoilers" || !f.Irreversible || f.WholeWord || !slices.Equal(f.Context, []string{"home", "public"}) {
			t.Errorf("a new filter is %+v", f)
		}
		at := "/api/v1/filters/" + f.ID
		reader.put(at, map[string]any{"phrase": "spoiler", "context": []string{"thread"}, "irreversible": false, "whole_word": true}).wants("update", 200).into(&f)
		if f.Phrase != "spoiler" || f.Irreversible || !f.WholeWord || !slices.Equal(f.Context, []string{"thread"}) {
			t.Errorf("a changed filter is %+v", f)
		}
		var all []filterSeen
		reader.get("/api/v2/filters").into(&all)
		if len(all) != 1 || all[0].Action != "warn" || all[0].Title != "spoilers" {
			t.Errorf("the second version has %+v", all)
		}
		reader.form("/api/v2/filters/"+all[0].ID+"/keywords", url.Values{"keyword": {"ending"}})
		if got := reader.get("/api/v1/filters").ids(); len(got) != 2 {
			t.Errorf("two words are %v", got)
		}
		reader.put(at, map[string]any{"context": []string{"home"}}).wants("change all words by one", 422)
		reader.put(at, map[string]any{"phrase": "plot"}).wants("change one word", 200)
		for _, word := range reader.get("/api/v1/filters").ids() {
			reader.delete("/api/v1/filters/"+word).wants("delete", 200)
		}
		if res := reader.get("/api/v2/filters"); strings.TrimSpace(res.Body.String()) != "[]" {
			t.Errorf("the filter stays without words: %s", res.Body)
		}
	})
}

// Hashtags are followed and shown, by whatever spelling they are named.
func TestTagsByApp(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		reader, amira, guest := w.person("reader", community.Member), w.person("amira", community.Member), w.guest()
		type tag struct {
			ID, Name, URL        string
			Following, Featuring *bool
			History              []struct{ Day, Uses, Accounts string }
		}
		var seen tag
		guest.get("/api/v1/tags/M%C4%81ori/").wants("a guest's hashtag", 200).into(&seen)
		if seen.Name != "māori" || seen.Following != nil || len(seen.History) != 7 || seen.History[0].Uses != "0" {
			t.Errorf("a guest is told %+v", seen)
		}
		guest.act("/api/v1/tags/maths/follow").wants("a guest follows", 401)
		reader.get("/api/v1/tags/1").wants("no hashtag", 404)
		reader.act("/api/v1/tags/1/follow").wants("no hashtag", 404)
		reader.act("/api/v1/tags/Maths/follow").wants("follow", 200).into(&seen)
		if seen.Following == nil || !*seen.Following || *seen.Featuring {
			t.Errorf("a followed hashtag is %+v", seen)
		}
		p := amira.post(map[string]any{"status": "Exit tickets #maths", "visibility": "public"})
		secret := amira.post(map[string]any{"status": "Not for all #maths", "visibility": "private"})
		if got := reader.get("/api/v1/timelines/home").ids(); !slices.Equal(got, []string{p.ID}) {
			t.Errorf("home has %v, want %v and not %v", got, p.ID, secret.ID)
		}
		reader.get("/api/v1/tags/maths").into(&seen)
		if seen.History[0].Uses != "1" || seen.History[0].Accounts != "1" {
			t.Errorf("the hashtag was used %+v", seen.History[0])
		}
		var list []tag
		res := reader.get("/api/v1/followed_tags")
		res.into(&list)
		if len(list) != 1 || list[0].Name != "maths" || !*list[0].Following || res.Header().Get("Link") == "" {
			t.Errorf("followed are %s", res.Body)
		}
		if res := amira.get("/api/v1/followed_tags"); strings.TrimSpace(res.Body.String()) != "[]" {
			t.Errorf("amira follows %s", res.Body)
		}
		reader.act("/api/v1/tags/maths/unfollow").wants("unfollow", 200)
		if got := reader.get("/api/v1/timelines/home").ids(); len(got) != 0 {
			t.Errorf("home still has %v", got)
		}

		res = amira.form("/api/v1/featured_tags", url.Values{"name": {"#Maths"}}).wants("feature", 200)
		if !strings.Contains(res.Body.String(), `"name":"Maths"`) || !strings.Contains(res.Body.String(), `"statuses_count":"1"`) {
			t.Errorf("a shown hashtag is %s", res.Body)
		}
		for _, list := range []string{"/api/v1/featured_tags", "/api/v1/accounts/" + path(amira.me.ID) + "/featured_tags"} {
			if got := amira.get(list).ids(); !slices.Equal(got, []string{res.text("id")}) {
				t.Errorf("%s: %v", list, got)
			}
		}
		if got := guest.get("/api/v1/accounts/" + path(amira.me.ID) + "/featured_tags").ids(); len(got) != 1 {
			t.Errorf("a guest is shown the hashtags %v", got)
		}
		reader.delete("/api/v1/featured_tags/"+res.text("id")).wants("take down somebody else's", 404)
		amira.delete("/api/v1/featured_tags/"+res.text("id")).wants("take down", 200)
		amira.get("/api/v1/featured_tags/suggestions").wants("suggestions", 200)
		amira.act("/api/v1/tags/reading/feature").wants("feature by name", 200)
		amira.act("/api/v1/tags/Reading/unfeature").wants("take down by name", 200)
		if got := amira.get("/api/v1/featured_tags").ids(); len(got) != 0 {
			t.Errorf("still shown: %v", got)
		}
		for _, none := range []string{"/api/v1/trends", "/api/v1/trends/tags", "/api/v1/trends/statuses", "/api/v1/trends/links"} {
			if res := guest.get(none).wants(none, 200); strings.TrimSpace(res.Body.String()) != "[]" {
				t.Errorf("%s: %s", none, res.Body)
			}
		}
	})
}

// The lists for everybody take what clients narrow them by.
func TestNarrowedTimelines(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		ids := map[string]string{}
		for _, name := range []string{"one", "one two", "one three", "two", "four"} {
			ids[name] = amira.post(map[string]any{"status": "#" + strings.ReplaceAll(name, " ", " #"), "visibility": "public"}).ID
		}
		w.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE posts SET media_count = 1 WHERE id = ?", ids["one two"]).Error
		})
		for query, want := range map[string][]string{
			"tag/one": {"one three", "one two", "one"}, "tag/ONE?any[]=four": {"four", "one three", "one two", "one"}, "tag/one?all[]=two": {"one two"},
			"tag/one?none[]=two&none[]=three": {"one"}, "tag/one?any[]=two&any[]=four&none[]=three": {"four", "two", "one two", "one"}, "tag/one?only_media=true": {"one two"},
			"tag/one?local=true": {"one three", "one two", "one"}, "tag/one?remote=true": nil, "tag/nothing": nil, "tag/one?any[]=two&limit=2": {"two", "one three"},
			"tag/one?any[]=two&limit=2&min_id=" + ids["one"]: {"one three", "one two"}, "public?only_media=1": {"one two"}, "public?local=1&only_media=1": {"one two"}, "public?remote=true&only_media=1": nil,
		} {
			var list []string
			for _, name := range want {
				list = append(list, ids[name])
			}
			if got := w.guest().get("/api/v1/timelines/"+query).wants(query, 200).ids(); !slices.Equal(got, list) {
				t.Errorf("%s: %v, want %v", query, got, list)
			}
		}
		w.guest().get("/api/v1/timelines/link?url=https%3A%2F%2Fexample.com%2F").wants("a link that nothing trends for", 404)
	})
}

// How far somebody has read is kept for all their clients, however it is sent.
func TestMarkersAreKept(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		if res := amira.get("/api/v1/markers?timeline[]=home&timeline[]=notifications"); strings.TrimSpace(res.Body.String()) != "{}" {
			t.Errorf("nothing was read: %s", res.Body)
		}
		type marks map[string]struct {
			Last    string `json:"last_read_id"`
			Version int
			Updated string `json:"updated_at"`
		}
		var m marks
		amira.form("/api/v1/markers?home[last_read_id]=7", url.Values{}).wants("by the query", 200).into(&m)
		if m["home"].Last != "7" || m["home"].Version != 1 || m["home"].Updated == "" || len(m) != 1 {
			t.Errorf("marked: %+v", m)
		}
		amira.form("/api/v1/markers", url.Values{"home[last_read_id]": {"9"}}).wants("by a form", 200).into(&m)
		amira.json(http.MethodPost, "/api/v1/markers", map[string]any{"home": map[string]any{"last_read_id": "8"}}).wants("by JSON", 200).into(&m)
		if m["home"].Last != "8" || m["home"].Version != 3 {
			t.Errorf("marked: %+v", m)
		}
		amira.form("/api/v1/markers", url.Values{"home[last_read_id]": {"x"}}).wants("no number", 422)
		p := amira.post(map[string]any{"status": "Well", "visibility": "public"})
		bo.act("/api/v1/statuses/" + p.ID + "/favourite")
		var list []struct{ ID string }
		amira.get("/api/v1/notifications").into(&list)
		amira.form("/api/v1/markers", url.Values{"notifications[last_read_id]": {list[0].ID}}).wants("notifications", 200)
		amira.form("/api/v1/markers", url.Values{"notifications[last_read_id]": {"1"}}).wants("notifications go back", 200).into(&m)
		if m["notifications"].Last != list[0].ID || m["notifications"].Version != 1 {
			t.Errorf("what was read is unread: %+v", m)
		}
		w.write(func(tx *store.Tx) error {
			unread, err := community.Unread(tx, amira.me.ID)
			if unread != 0 {
				t.Errorf("the pages say %d unread", unread)
			}
			return err
		})
		m = nil
		amira.get("/api/v1/markers?timeline=notifications").into(&m)
		if len(m) != 1 || m["notifications"].Last != list[0].ID {
			t.Errorf("one asked for: %+v", m)
		}
		if res := bo.get("/api/v1/markers?timeline[]=home"); strings.TrimSpace(res.Body.String()) != "{}" {
			t.Errorf("bo read what amira did: %s", res.Body)
		}
	})
}
