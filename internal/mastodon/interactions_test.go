package mastodon

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

func draftPoll() *community.PollDraft {
	return &community.PollDraft{Options: []string{"Yes", "No"}, Open: time.Hour}
}

func (w *world) publish(c *client, d community.Draft) community.Post {
	w.t.Helper()
	if d.Kind == "" {
		d.Kind = community.Note
	}
	var p community.Post
	w.write(func(tx *store.Tx) (err error) {
		p, err = community.Publish(tx, c.me, d)
		return err
	})
	return p
}

// A poll is asked, answered and read by way of an app; its results are for
// those who voted.
func TestPollsByApp(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo, guest := w.person("amira", community.Member), w.person("bo", community.Member), w.guest()
		ask := url.Values{"status": {"Well?"}, "visibility": {"public"}, "poll[options][]": {"Yes", "No", "Perhaps"}, "poll[expires_in]": {"86400"}, "poll[multiple]": {"true"}}
		res := amira.form("/api/v1/statuses", ask)
		var status struct {
			ID   string
			Poll *struct {
				ID                string
				ExpiresAt         *string `json:"expires_at"`
				Expired, Multiple bool
				VotesCount        int `json:"votes_count"`
				VotersCount       int `json:"voters_count"`
				Options           []struct{ Title string }
				Voted             *bool
				OwnVotes          []int `json:"own_votes"`
			}
		}
		res.into(&status)
		if p := status.Poll; res.Code != http.StatusOK || p == nil || p.ID != status.ID || !p.Multiple || p.Expired || p.ExpiresAt == nil || len(p.Options) != 3 || p.Voted == nil || !*p.Voted {
			t.Fatalf("a poll is answered %d %s", res.Code, res.Body)
		}
		at := "/api/v1/polls/" + status.ID
		if res := bo.get(at); res.Code != http.StatusOK || !strings.Contains(res.Body.String(), `{"title":"Yes","votes_count":null}`) || !strings.Contains(res.Body.String(), `"voted":false`) {
			t.Errorf("before voting bo is shown %s", res.Body)
		}
		if res := guest.get(at); res.Code != http.StatusOK || strings.Contains(res.Body.String(), "voted") {
			t.Errorf("a guest is shown %s", res.Body)
		}
		for name, choices := range map[string][]string{"none": nil, "one that is not there": {"3"}, "no number": {"x"}} {
			if res := bo.form(at+"/votes", url.Values{"choices[]": choices}); res.Code != http.StatusUnprocessableEntity {
				t.Errorf("voting for %s is answered %d", name, res.Code)
			}
		}
		res = bo.form(at+"/votes", url.Values{"choices[]": {"2", "0"}})
		if res.Code != http.StatusOK || !strings.Contains(res.Body.String(), `"own_votes":[0,2]`) || !strings.Contains(res.Body.String(), `{"title":"Yes","votes_count":1}`) ||
			!strings.Contains(res.Body.String(), `"votes_count":2,"voters_count":1`) {
			t.Errorf("a vote is answered %d %s", res.Code, res.Body)
		}
		if res := bo.form(at+"/votes", url.Values{"choices[]": {"1"}}); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("a second vote is answered %d", res.Code)
		}
		if res := amira.form(at+"/votes", url.Values{"choices[]": {"1"}}); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("the asker's vote is answered %d", res.Code)
		}
		if res := guest.form(at+"/votes", url.Values{"choices[]": {"1"}}); res.Code != http.StatusUnauthorized {
			t.Errorf("a guest's vote is answered %d", res.Code)
		}
		for name, change := range map[string]url.Values{
			"one answer": {"poll[options][]": {"Yes"}}, "no end": {"poll[expires_in]": nil}, "an end that is none": {"poll[expires_in]": {"soon"}}, "an end in a minute": {"poll[expires_in]": {"60"}},
		} {
			form := url.Values{}
			for key, values := range ask {
				form[key] = values
			}
			for key, values := range change {
				form[key] = values
			}
			if res := amira.form("/api/v1/statuses", form); res.Code != http.StatusUnprocessableEntity {
				t.Errorf("a poll with %s is answered %d %s", name, res.Code, res.Body)
			}
		}
		if res := amira.get("/api/v1/polls/12345"); res.Code != http.StatusNotFound {
			t.Errorf("no poll is answered %d", res.Code)
		}
	})
}

// Whoever may not see a post learns nothing of its poll, who quotes it, nor
// that it could be reported; and it is not there for any deed.
func TestInteractionsDoNotLeak(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira := w.person("amira", community.Member)
		readers := map[string]*client{"fan": w.person("fan", community.Member), "passer": w.person("passer", community.Member), "enemy": w.person("enemy", community.Member)}
		readers["fan"].act("/api/v1/accounts/" + path(amira.me.ID) + "/follow")
		amira.act("/api/v1/accounts/" + path(readers["enemy"].me.ID) + "/block")
		for _, tt := range []struct {
			audience community.Audience
			who      []string
		}{
			{community.Me, nil}, {community.School, []string{"fan", "passer"}}, {community.Followers, []string{"fan"}}, {community.Public, []string{"fan", "passer"}},
		} {
			p := w.publish(amira, community.Draft{Audience: tt.audience, Source: "the secret", Poll: draftPoll()})
			id := path(p.ID)
			for who, c := range readers {
				want := http.StatusNotFound
				if slices.Contains(tt.who, who) {
					want = http.StatusOK
				}
				for _, call := range []string{"/api/v1/polls/" + id, "/api/v1/statuses/" + id + "/quotes"} {
					if res := c.get(call); res.Code != want {
						t.Errorf("%s asks for %s of a post for %s: %d, want %d", who, call, tt.audience, res.Code, want)
					}
				}
				if res := c.form("/api/v1/polls/"+id+"/votes", url.Values{"choices[]": {"0"}}); res.Code != want {
					t.Errorf("%s votes in a poll for %s: %d, want %d", who, tt.audience, res.Code, want)
				}
				if res := c.form("/api/v1/reports", url.Values{"account_id": {path(amira.me.ID)}, "status_ids[]": {id}}); res.Code != want {
					t.Errorf("%s reports a post for %s: %d, want %d", who, tt.audience, res.Code, want)
				}
				res := c.form("/api/v1/statuses", url.Values{"status": {"Look!"}, "visibility": {"public"}, "quoted_status_id": {id}})
				quotes := tt.audience == community.Public && who == "fan"
				if (res.Code == http.StatusOK) != quotes || !slices.Contains(tt.who, who) && res.Code != http.StatusNotFound {
					t.Errorf("%s quotes a post for %s: %d %s", who, tt.audience, res.Code, res.Body)
				}
				if strings.Contains(res.Body.String(), "the secret") && !quotes {
					t.Errorf("%s reads the secret in %s", who, res.Body)
				}
				if res := c.act("/api/v1/statuses/" + id + "/pin"); res.Code != http.StatusNotFound {
					t.Errorf("%s pins another's post: %d", who, res.Code)
				}
			}
		}
	})
}

// A quote shows the quoted post to whoever may see that one, and to nobody else.
func TestQuotesByApp(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, fan, passer, guest := w.person("amira", community.Member), w.person("fan", community.Member), w.person("passer", community.Member), w.guest()
		fan.act("/api/v1/accounts/" + path(amira.me.ID) + "/follow")
		p := w.publish(amira, community.Draft{Audience: community.Public, Source: "Exit tickets"})
		res := fan.form("/api/v1/statuses", url.Values{"status": {"So true"}, "visibility": {"public"}, "quoted_status_id": {path(p.ID)}})
		var quoting struct{ ID string }
		res.into(&quoting)
		state := func(c *client) string {
			var s struct {
				Quote *struct {
					State  string
					Status *struct{ ID string } `json:"quoted_status"`
				}
			}
			c.get("/api/v1/statuses/" + quoting.ID).into(&s)
			if s.Quote == nil {
				return "none"
			}
			return fmt.Sprint(s.Quote.State, " ", s.Quote.Status != nil)
		}
		for name, c := range map[string]*client{"the quoter": fan, "a colleague": passer, "a guest": guest} {
			if got := state(c); got != "accepted true" {
				t.Errorf("%s is shown the quote %s", name, got)
			}
		}
		if ids := guest.get("/api/v1/statuses/" + path(p.ID) + "/quotes").ids(); !slices.Equal(ids, []string{quoting.ID}) {
			t.Errorf("quotes are %q", ids)
		}
		if ids := amira.get("/api/v1/notifications?types[]=quote").ids(); len(ids) != 1 {
			t.Errorf("amira was told of %d quotes", len(ids))
		}
		amira.act("/api/v1/accounts/" + path(passer.me.ID) + "/block")
		if got := state(passer); got != "unauthorized false" {
			t.Errorf("somebody whom the quoted author blocks is shown the quote %s", got)
		}
		if res := passer.act("/api/v1/statuses/" + path(p.ID) + "/quotes/" + quoting.ID + "/revoke"); res.Code != http.StatusNotFound {
			t.Errorf("somebody else takes the quote back: %d", res.Code)
		}
		if res := amira.act("/api/v1/statuses/" + path(p.ID) + "/quotes/" + quoting.ID + "/revoke"); res.Code != http.StatusOK {
			t.Errorf("taking the quote back: %d %s", res.Code, res.Body)
		}
		if got := state(guest); got != "revoked false" {
			t.Errorf("afterwards a guest is shown the quote %s", got)
		}
	})
}

// Pins stand first on their author's list; reports reach the moderators only.
func TestPinsAndReportsByApp(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo, mo := w.person("amira", community.Member), w.person("bo", community.Member), w.person("mo", community.Moderator)
		p := w.publish(amira, community.Draft{Audience: community.Followers, Source: "For followers"})
		q := w.publish(amira, community.Draft{Audience: community.Public, Source: "For all"})
		for _, id := range []int64{p.ID, q.ID} {
			if res := amira.act("/api/v1/statuses/" + path(id) + "/pin"); res.Code != http.StatusOK || !strings.Contains(res.Body.String(), `"pinned":true`) {
				t.Errorf("pinning is answered %d %s", res.Code, res.Body)
			}
		}
		list := "/api/v1/accounts/" + path(amira.me.ID) + "/statuses?pinned=true"
		if got, want := amira.get(list).ids(), []string{path(q.ID), path(p.ID)}; !slices.Equal(got, want) {
			t.Errorf("amira sees first %q, want %q", got, want)
		}
		if got := bo.get(list).ids(); !slices.Equal(got, []string{path(q.ID)}) {
			t.Errorf("bo sees first %q", got)
		}
		if res := amira.act("/api/v1/statuses/" + path(q.ID) + "/unpin"); res.Code != http.StatusOK || !strings.Contains(res.Body.String(), `"pinned":false`) {
			t.Errorf("taking a pin down is answered %d", res.Code)
		}
		res := bo.form("/api/v1/reports", url.Values{"account_id": {path(amira.me.ID)}, "status_ids[]": {path(q.ID)}, "comment": {"Hm"}, "category": {"spam"}})
		if res.Code != http.StatusOK || res.text("category") != "spam" || !strings.Contains(res.Body.String(), `"status_ids":["`+path(q.ID)+`"]`) {
			t.Errorf("a report is answered %d %s", res.Code, res.Body)
		}
		if res := bo.form("/api/v1/reports", url.Values{"account_id": {path(bo.me.ID)}}); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("reporting oneself is answered %d", res.Code)
		}
		var told int
		w.write(func(tx *store.Tx) error {
			return tx.Raw("SELECT COUNT(*) FROM notifications WHERE kind = 'report' AND account_id = ?", mo.me.ID).Scan(&told).Error
		})
		if told != 1 {
			t.Errorf("the moderator was told %d times", told)
		}
		var news []struct {
			Type   string
			Report *struct{ Comment string }
		}
		mo.get("/api/v1/notifications").into(&news)
		if len(news) != 1 || news[0].Type != "admin.report" || news[0].Report == nil || news[0].Report.Comment != "Hm" {
			t.Errorf("a moderator's app is told %+v", news)
		}
		for _, c := range []*client{amira, bo} { // those whom it is about and by
			if res := c.get("/api/v1/notifications"); strings.Contains(res.Body.String(), "report") {
				t.Errorf("%s is told of a report: %s", c.me.Username, res.Body)
			}
		}
	})
}
