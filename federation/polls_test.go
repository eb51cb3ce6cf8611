package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/meter"
	"github.com/chalkring/chalkring/internal/store"
)

func (n *server) vote(me community.Account, p community.Post, choices ...int64) {
	n.t.Helper()
	n.write(func(tx *store.Tx) error {
		_, err := community.Vote(tx, me, p.ID, choices)
		return err
	})
	n.ring.settle()
}

// tally is what a server holds of a poll: the votes for each option, and voters.
func (n *server) tally(p community.Post) string {
	n.t.Helper()
	var poll community.Poll
	n.read(func(tx *store.Tx) (err error) {
		poll, err = community.PollOf(tx, p.ID)
		return err
	})
	var votes []int64
	for _, o := range poll.Options {
		votes = append(votes, o.Votes)
	}
	return fmt.Sprint(votes, poll.Voters, poll.ClosedAt != nil)
}

func (n *server) sweepPolls() {
	n.t.Helper()
	n.write(func(tx *store.Tx) error {
		_, err := community.SweepPolls(tx)
		return err
	})
	n.ring.settle()
}

func (n *server) exec(sql string, args ...any) {
	n.t.Helper()
	n.write(func(tx *store.Tx) error { return tx.Exec(sql, args...).Error })
}

func choices(multiple bool) *community.PollDraft {
	return &community.PollDraft{Options: []string{"Running & records", "Exit tickets", "Neither"}, Multiple: multiple, Open: time.Hour}
}

// A poll is asked here, answered there, and its results and end are known in
// both places.
//
// FEDERATION.md, "Polls".
func TestPollsBetweenServers(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm, ash := r.start("oak.localhost"), r.start("elm.localhost"), r.start("ash.localhost")
		r.befriend()
		amira, bo, cy, dee := oak.person("amira"), elm.person("bo"), ash.person("cy"), oak.person("dee")
		elm.follow(bo, "@amira@oak.localhost")
		ash.follow(cy, "@amira@oak.localhost")
		p := oak.publish(amira, community.Draft{Kind: community.Discussion, Title: "Which?", Source: "Choose.", Poll: choices(true)})
		there := elm.copyOf(p, oak)
		if got := elm.tally(there); got != "[0 0 0] 0 false" || there.Title != "Which?" || there.Kind != community.Discussion {
			t.Fatalf("elm has the poll %q as %s, with %s", there.Title, there.Kind, got)
		}
		elm.vote(bo, there, 0, 2)
		oak.vote(dee, p, 0)
		if got := oak.tally(p); got != "[2 0 1] 2 false" {
			t.Errorf("oak counts %s", got)
		}
		if n := oak.count("SELECT COUNT(*) FROM posts WHERE author_id <> ?", amira.ID); n != 0 {
			t.Error("a vote became a post")
		}
		if got := ash.tally(ash.copyOf(p, oak)); got != "[0 0 0] 0 false" {
			t.Errorf("ash heard of results before they are told: %s", got)
		}
		oak.exec("UPDATE polls SET tell_at = ?", oak.db.Now().Add(-time.Second))
		oak.sweepPolls()
		for _, n := range []*server{elm, ash} {
			if got := n.tally(n.copyOf(p, oak)); got != "[2 0 1] 2 false" {
				t.Errorf("%s was told %s", n.host, got)
			}
			if n.copyOf(p, oak).EditedAt != nil {
				t.Errorf("%s takes new results for an edit", n.host)
			}
		}
		oak.exec("UPDATE polls SET ends_at = ?", oak.db.Now().Add(-time.Second))
		oak.sweepPolls()
		if got := elm.tally(there); got != "[2 0 1] 2 true" {
			t.Errorf("after the end elm has %s", got)
		}
		if n := elm.count("SELECT COUNT(*) FROM notifications WHERE kind = 'poll' AND account_id = ?", bo.ID); n != 1 {
			t.Errorf("bo was told of the end %d times", n)
		}
	})
}

// Votes that do not count are dropped with the reason, and tell nobody anything.
func TestVotesThatDoNotCount(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		figures := meter.New()
		oak, elm := r.start("oak.localhost", func(d *Deps) { d.Metrics = figures }), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		elm.seen("@amira@oak.localhost")
		p := oak.publish(amira, community.Draft{Source: "Choose.", Poll: choices(false)})
		private := oak.publish(amira, community.Draft{Source: "Choose.", Audience: community.Followers, Poll: choices(false)})
		school := oak.publish(amira, community.Draft{Source: "Choose.", Audience: community.School, Poll: choices(false)})
		none := oak.publish(amira, community.Draft{Source: "No poll here."})
		actor := elm.site.Actor(bo.ID)
		for i, tt := range []struct {
			name, option, to, want string
		}{
			{"no such option", "Whatever", oak.site.Post(p.ID), "no_such_option"},
			{"a poll for followers, from somebody who does not follow", "Neither", oak.site.Post(private.ID), "unknown_object"},
			{"a poll for the school", "Neither", oak.site.Post(school.ID), "unknown_object"},
			{"no poll", "Neither", oak.site.Post(none.ID), "no_poll"},
			{"a poll that is not there", "Neither", oak.site.Post(12345), "unknown_object"},
			{"a vote that counts", "Neither", oak.site.Post(p.ID), "done"},
			{"a second one", "Exit tickets", oak.site.Post(p.ID), "voted_already"},
		} {
			id := elm.site.URL(fmt.Sprintf("/test/vote/%d", i))
			before := received(t, figures, tt.want)
			res := elm.say(bo, oak, doc{"@context": "https://www.w3.org/ns/activitystreams", "id": id + "/create", "type": "Create", "actor": actor, "to": []string{oak.site.Actor(amira.ID)},
				"object": doc{"id": id, "type": "Note", "attributedTo": actor, "name": tt.option, "inReplyTo": tt.to, "to": []string{oak.site.Actor(amira.ID)}}})
			r.settle()
			for end := time.Now().Add(2 * time.Second); received(t, figures, tt.want) == before && time.Now().Before(end); { // counted after the commit
				time.Sleep(time.Millisecond)
			}
			if res.Status != http.StatusAccepted || received(t, figures, tt.want) != before+1 {
				t.Errorf("%s: answered %d, and not put down as %s", tt.name, res.Status, tt.want)
			}
		}
		if got := oak.tally(p) + oak.tally(private) + oak.tally(school); got != "[0 0 1] 1 false[0 0 0] 0 false[0 0 0] 0 false" {
			t.Errorf("the polls count %s", got)
		}
		if n := figure(t, figures, "chalkring_federation_decisions_total"); n < 2*7 {
			t.Errorf("the policy was asked %d times, where seven activities came in and were worked", n)
		}
		if n := oak.count("SELECT COUNT(*) FROM incoming WHERE error LIKE '%does not count%'"); n == 0 {
			t.Error("no administrator can read why a vote did not count")
		}
	})
}

// GoToSocial chooses several answers with one Create of several notes.
func TestSeveralVotesInOne(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	amira, bo, cy := oak.person("amira"), elm.person("bo"), elm.person("cy")
	many, one := oak.publish(amira, community.Draft{Source: "Choose some.", Poll: choices(true)}), oak.publish(amira, community.Draft{Source: "Choose one.", Poll: choices(false)})
	vote := func(by community.Account, in community.Post, name, of string) doc {
		return doc{"id": elm.site.URL("/test/votes/" + name[:2] + strconv.FormatInt(in.ID+by.ID, 10)), "type": "Note", "attributedTo": elm.site.Actor(by.ID), "name": name,
			"inReplyTo": of, "to": []string{oak.site.Actor(amira.ID)}}
	}
	for i, tt := range []struct {
		name  string
		notes []any
		want  string
	}{
		{"two", []any{vote(bo, many, "Running & records", many.IRI(oak.site)), vote(bo, many, "Neither", many.IRI(oak.site))}, "[1 0 1] 1 false[0 0 0] 0 false"},
		{"one that counts", []any{vote(bo, one, "Neither", one.IRI(oak.site)), vote(bo, one, "Exit tickets", one.IRI(oak.site))}, "[1 0 1] 1 false[0 0 1] 1 false"},
		{"one of somebody else", []any{vote(bo, many, "Exit tickets", many.IRI(oak.site)), vote(cy, many, "Neither", many.IRI(oak.site))}, "[1 0 1] 1 false[0 0 1] 1 false"},
		{"of two polls", []any{vote(bo, many, "Exit tickets", many.IRI(oak.site)), vote(bo, one, "Exit tickets", one.IRI(oak.site))}, "[1 0 1] 1 false[0 0 1] 1 false"},
		{"votes and an address", []any{vote(bo, many, "Exit tickets", many.IRI(oak.site)), many.IRI(oak.site)}, "[1 0 1] 1 false[0 0 1] 1 false"},
	} {
		res := elm.say(bo, oak, doc{"@context": "https://www.w3.org/ns/activitystreams", "id": elm.site.URL(fmt.Sprintf("/test/several/%d", i)), "type": "Create",
			"actor": elm.site.Actor(bo.ID), "to": []string{oak.site.Actor(amira.ID)}, "object": tt.notes})
		r.settle()
		if got := oak.tally(many) + oak.tally(one); res.Status != http.StatusAccepted || got != tt.want {
			t.Errorf("%s: answered %d, and the polls count %s, want %s", tt.name, res.Status, got, tt.want)
		}
	}
}

// received is how many notes came to an outcome.
func received(t *testing.T, figures *meter.Meter, outcome string) int {
	t.Helper()
	return figure(t, figures, `chalkring_federation_received_total{outcome="`+outcome+`",type="Create"}`)
}

// figure reads a counter; zero as long as it is not there.
func figure(t *testing.T, figures *meter.Meter, series string) int {
	t.Helper()
	var written strings.Builder
	if err := figures.Write(&written); err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut("\n"+written.String(), "\n"+series+" ")
	if !ok {
		return 0
	}
	value, _, _ := strings.Cut(after, "\n")
	n, err := strconv.Atoi(value)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Whoever looks at another server's poll has its results asked for when they
// are old, and not more often.
func TestResultsAreAskedForWhenLookedAt(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo, dee := oak.person("amira"), elm.person("bo"), oak.person("dee")
		elm.follow(bo, "@amira@oak.localhost")
		p := oak.publish(amira, community.Draft{Source: "Choose.", Poll: choices(false)})
		there := elm.copyOf(p, oak)
		oak.vote(dee, p, 1)
		elm.Freshen(context.Background(), there)
		r.settle()
		if got := elm.tally(there); got != "[0 0 0] 0 false" {
			t.Errorf("fresh results were asked for again: %s", got)
		}
		elm.exec("UPDATE polls SET fetched_at = ?", elm.db.Now().Add(-time.Hour))
		elm.Freshen(context.Background(), there)
		r.settle()
		if got := elm.tally(there); got != "[0 1 0] 1 false" {
			t.Errorf("after looking elm has %s", got)
		}
	})
}

// What is said on the wire is what Mastodon says and understands.
func TestPollsOnTheWire(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, bo := oak.person("amira"), elm.person("bo")
		p := oak.publish(amira, community.Draft{Source: "Choose.", Language: "en", Poll: choices(false)})
		document := decodeDoc(t, elm.ask(bo, oak.site.Post(p.ID)).Body)
		options, _ := document["oneOf"].([]any)
		if document["type"] != "Question" || len(options) != 3 || document["anyOf"] != nil || document["endTime"] == nil || document["closed"] != nil || document["votersCount"] != float64(0) {
			t.Fatalf("a poll is told as %v", document)
		}
		first, _ := options[0].(map[string]any)
		replies, _ := first["replies"].(map[string]any)
		if first["type"] != "Note" || first["name"] != "Running & records" || replies["totalItems"] != float64(0) || replies["type"] != "Collection" {
			t.Errorf("an option is told as %v", first)
		}
		if keys := []string{"id"}; slices.ContainsFunc(keys, func(k string) bool { return first[k] != nil }) {
			t.Errorf("an option has an address: %v", first)
		}
		elm.seen("@amira@oak.localhost")
		post, err := elm.ResolvePost(context.Background(), oak.site.Post(p.ID))
		if err != nil {
			t.Fatal(err)
		}
		elm.vote(bo, post, 0)
		var body []byte
		elm.read(func(tx *store.Tx) error {
			return tx.Raw("SELECT body FROM outgoing WHERE verb = 'Vote'").Row().Scan(&body)
		})
		create := decodeDoc(t, body)
		vote, _ := create["object"].(map[string]any)
		if create["type"] != "Create" || vote["type"] != "Note" || vote["name"] != "Running & records" || vote["content"] != nil ||
			vote["inReplyTo"] != oak.site.Post(p.ID) || fmt.Sprint(vote["to"]) != "["+oak.site.Actor(amira.ID)+"]" || fmt.Sprint(vote["cc"]) != "[]" {
			t.Errorf("a vote is told as %v", create)
		}
	})
}

func decodeDoc(t *testing.T, body []byte) doc {
	t.Helper()
	var d doc
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return d
}

func encodeDoc(t *testing.T, d doc) []byte {
	t.Helper()
	body, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
