package community

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

func lunch(multiple bool, options ...string) *PollDraft {
	if len(options) == 0 {
		options = []string{"Before lunch", "After lunch", "Never"}
	}
	return &PollDraft{Options: options, Multiple: multiple, Open: 24 * time.Hour}
}

func (w *world) vote(me Account, p Post, choices ...int64) error {
	return w.db.Write(w.t.Context(), func(tx *store.Tx) error {
		_, err := Vote(tx, me, p.ID, choices)
		return err
	})
}

// poll is a post's poll as somebody is shown it.
func (w *world) poll(me Account, p Post) PollView {
	w.t.Helper()
	var view View
	w.read(func(tx *store.Tx) (err error) {
		view, err = LoadOne(tx, Viewer{ID: me.ID, Local: true}, p)
		return err
	})
	if view.Poll == nil {
		w.t.Fatal("the post has no poll")
	}
	return *view.Poll
}

func votes(p PollView) []int64 {
	var n []int64
	for _, o := range p.Options {
		n = append(n, o.Votes)
	}
	return n
}

func (w *world) sweepPolls() {
	w.t.Helper()
	w.write(func(tx *store.Tx) error {
		_, err := SweepPolls(tx)
		return err
	})
}

func TestWhatMayBeAskedInAPoll(t *testing.T) {
	many := make([]string, MaxPollOptions+1)
	for i := range many {
		many[i] = strings.Repeat("x", i+1)
	}
	tests := []struct {
		name string
		kind Kind
		poll PollDraft
		want string // the field that is wrong
	}{
		{"two answers", Note, PollDraft{Options: []string{"Yes", " No "}, Open: time.Hour}, ""},
		{"in a discussion", Discussion, PollDraft{Options: []string{"Yes", "No"}, Open: time.Hour}, ""},
		{"in a practice post", Practice, PollDraft{Options: []string{"Yes", "No"}, Open: time.Hour}, "poll"},
		{"one answer, and empty fields", Note, PollDraft{Options: []string{"Yes", "", "  "}, Open: time.Hour}, "poll"},
		{"too many answers", Note, PollDraft{Options: many, Open: time.Hour}, "poll"},
		{"a long answer", Note, PollDraft{Options: []string{"Yes", strings.Repeat("é", MaxPollOption+1)}, Open: time.Hour}, "poll"},
		{"an answer as long as may be", Note, PollDraft{Options: []string{"Yes", strings.Repeat("é", MaxPollOption)}, Open: time.Hour}, ""},
		{"the same answer twice", Note, PollDraft{Options: []string{"Yes", "Yes "}, Open: time.Hour}, "poll"},
		{"no end", Note, PollDraft{Options: []string{"Yes", "No"}}, "poll_open"},
		{"an end in years", Note, PollDraft{Options: []string{"Yes", "No"}, Open: 3 * 365 * 24 * time.Hour}, "poll_open"},
	}
	for _, tt := range tests {
		var c fault.Check
		tt.poll.tidied().check(&c, tt.kind, false)
		got := ""
		if f := fault.Of(c.Err()); c.Err() != nil && len(f.Fields) > 0 {
			got = f.Fields[0].Name
		}
		if got != tt.want {
			t.Errorf("%s: the field %q is wrong, want %q (%v)", tt.name, got, tt.want, c.Err())
		}
	}
}

func TestVotesCountOnceForEachPerson(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo, cy := w.local("amira", Member), w.local("bo", Member), w.local("cy", Member)
		p := w.publish(amira, Draft{Poll: lunch(false)})
		if got := w.poll(bo, p); got.Told() || got.Over || len(got.Options) != 3 {
			t.Errorf("before voting bo is shown %+v", got)
		}
		if !w.poll(amira, p).Told() {
			t.Error("the asker is not shown the results")
		}
		for name, err := range map[string]error{
			"the asker":            w.vote(amira, p, 0),
			"nothing":              w.vote(bo, p),
			"two of one":           w.vote(bo, p, 0, 1),
			"an answer not there":  w.vote(bo, p, 3),
			"an answer below zero": w.vote(bo, p, -1),
		} {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("a vote of %s: %v", name, err)
			}
		}
		if err := w.vote(bo, p, 1); err != nil {
			t.Fatal(err)
		}
		if err := w.vote(bo, p, 0); !fault.Is(err, fault.Invalid) {
			t.Errorf("a second vote: %v", err)
		}
		if err := w.vote(cy, p, 1); err != nil {
			t.Fatal(err)
		}
		if got := w.poll(bo, p); !slices.Equal(votes(got), []int64{0, 2, 0}) || got.Voters != 2 || !slices.Equal(got.Chosen, []int64{1}) || !got.Told() {
			t.Errorf("after voting bo is shown %+v", got)
		}

		several := w.publish(amira, Draft{Poll: lunch(true)})
		if err := w.vote(bo, several, 2, 0, 2); err != nil {
			t.Fatal(err)
		}
		if got := w.poll(bo, several); !slices.Equal(votes(got), []int64{1, 0, 1}) || got.Voters != 1 {
			t.Errorf("several choices count %+v", got)
		}
	})
}

// Whoever may not see a post can neither vote in its poll nor read its results.
func TestPollsKeepToTheirAudience(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo, cy := w.local("amira", Member), w.local("bo", Member), w.local("cy", Member)
		far := w.remote("far", "elm.test")
		w.peer("elm.test", peers.CeilingNetwork, true)
		w.follows(bo, amira)
		for _, tt := range []struct {
			audience Audience
			bo, cy   bool
			far      string
		}{
			{Public, true, true, "done"}, {School, true, true, "no_poll"}, {Followers, true, false, "no_poll"}, {Me, false, false, "no_poll"},
		} {
			p := w.publish(amira, Draft{Audience: tt.audience, Poll: lunch(false)})
			if err := w.vote(bo, p, 0); (err == nil) != tt.bo {
				t.Errorf("%s: a follower's vote: %v", tt.audience, err)
			}
			if err := w.vote(cy, p, 0); (err == nil) != tt.cy || err != nil && !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: a colleague's vote: %v", tt.audience, err)
			}
			// The federation door asks whether the voter was given the post; what
			// never leaves the server takes no votes from outside in any case.
			w.write(func(tx *store.Tx) error {
				got, err := ReceiveVote(tx, far, p, "Never", "https://elm.test/v/"+string(tt.audience))
				if got != tt.far {
					t.Errorf("%s: a vote of somebody elsewhere who does not follow is %q, want %q", tt.audience, got, tt.far)
				}
				return err
			})
		}
	})
}

func TestVotesFromElsewhere(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo, cy := w.local("amira", Member), w.remote("bo", "elm.test"), w.remote("cy", "elm.test")
		one, many := w.publish(amira, Draft{Poll: lunch(false)}), w.publish(amira, Draft{Poll: lunch(true)})
		none := w.publish(amira, Draft{})
		w.exec("INSERT INTO blocks (id, account_id, target_id, created_at) VALUES (1, ?, ?, ?)", amira.ID, cy.ID, time.Now().UTC())
		for i, tt := range []struct {
			name   string
			from   Account
			post   Post
			option string
			want   string
		}{
			{"an option", bo, one, "Never", "done"},
			{"the same again", bo, one, "Never", "known"},
			{"another of one", bo, one, "After lunch", "voted_already"},
			{"no option", bo, many, "Whenever", "no_such_option"},
			{"no words", bo, many, "", "no_such_option"},
			{"the first of several", bo, many, "Never", "done"},
			{"the second of several", bo, many, "Before lunch", "done"},
			{"a post without a poll", bo, none, "Never", "no_poll"},
			{"somebody who is blocked", cy, one, "Never", "blocked"},
		} {
			w.write(func(tx *store.Tx) error {
				got, err := ReceiveVote(tx, tt.from, tt.post, tt.option, "https://elm.test/v/"+tt.name)
				if got != tt.want {
					t.Errorf("%d %s: %q, want %q", i, tt.name, got, tt.want)
				}
				return err
			})
		}
		if got := w.poll(amira, one); !slices.Equal(votes(got), []int64{0, 0, 1}) || got.Voters != 1 {
			t.Errorf("one choice: %+v", got)
		}
		if got := w.poll(amira, many); !slices.Equal(votes(got), []int64{1, 0, 1}) || got.Voters != 1 {
			t.Errorf("several choices: %+v", got)
		}
	})
}

// However many vote, others hear of it once in a while, and at the end.
func TestResultsAreToldTogetherAndAtTheEnd(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo, cy := w.local("amira", Member), w.local("bo", Member), w.local("cy", Member)
		p := w.publish(amira, Draft{Poll: lunch(false)})
		updates := func() int { return w.count("SELECT COUNT(*) FROM outgoing WHERE verb = 'Update'") }
		for _, a := range []Account{bo, cy} {
			if err := w.vote(a, p, 0); err != nil {
				t.Fatal(err)
			}
		}
		w.sweepPolls()
		if updates() != 0 {
			t.Error("results were told before their time")
		}
		w.exec("UPDATE polls SET tell_at = ?", time.Now().UTC().Add(-time.Second))
		w.sweepPolls()
		w.sweepPolls()
		if n := updates(); n != 1 {
			t.Errorf("two votes were told by %d updates", n)
		}
		w.exec("UPDATE polls SET ends_at = ?", time.Now().UTC().Add(-time.Second))
		if err := w.vote(w.local("late", Member), p, 0); !fault.Is(err, fault.Invalid) {
			t.Errorf("a vote after the end: %v", err)
		}
		w.sweepPolls()
		w.sweepPolls()
		if n := updates(); n != 2 {
			t.Errorf("%d updates after the end, want the one more", n)
		}
		if n := w.count("SELECT COUNT(*) FROM notifications WHERE kind = 'poll'"); n != 3 {
			t.Errorf("%d people were told of the end, want the asker and both voters", n)
		}
		if got := w.poll(w.local("dee", Member), p); !got.Over || !got.Told() || got.ClosedAt == nil {
			t.Errorf("the ended poll is shown as %+v", got)
		}

		// What stays in the school is told to nobody.
		w.publish(amira, Draft{Audience: School, Poll: lunch(false)})
		w.exec("UPDATE polls SET ends_at = ?, tell_at = ?", time.Now().UTC().Add(-time.Second), time.Now().UTC().Add(-time.Second))
		before := updates()
		w.exec("UPDATE polls SET tell_at = NULL WHERE closed_at IS NOT NULL")
		w.sweepPolls()
		if updates() != before {
			t.Error("the results of a poll for the school were told to other servers")
		}
	})
}

// An edit that asks something else takes the votes away; other edits keep them.
func TestEditingAPoll(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo := w.local("amira", Member), w.local("bo", Member)
		p := w.publish(amira, Draft{Poll: lunch(false)})
		if err := w.vote(bo, p, 1); err != nil {
			t.Fatal(err)
		}
		edit := func(d Draft) {
			t.Helper()
			w.write(func(tx *store.Tx) error {
				_, err := Edit(tx, amira, p.ID, d)
				return err
			})
		}
		edit(Draft{Source: "Other words"})
		same := lunch(false)
		same.Open = 0
		edit(Draft{Source: "And others", Poll: same})
		if got := w.poll(bo, p); !slices.Equal(votes(got), []int64{0, 1, 0}) {
			t.Errorf("an edit of the words leaves %v", votes(got))
		}
		other := lunch(true, "Mondays", "Fridays")
		other.Open = 0
		edit(Draft{Source: "And others", Poll: other})
		if got := w.poll(bo, p); got.Voters != 0 || len(got.Options) != 2 || len(got.Chosen) != 0 || !got.Multiple {
			t.Errorf("an edit of the answers leaves %+v", got)
		}
		if err := w.vote(bo, p, 0, 1); err != nil {
			t.Errorf("voting anew: %v", err)
		}
		w.write(func(tx *store.Tx) error { return Delete(tx, amira, p.ID) })
		if n := w.count("SELECT (SELECT COUNT(*) FROM polls) + (SELECT COUNT(*) FROM poll_options) + (SELECT COUNT(*) FROM poll_votes)"); n != 0 {
			t.Errorf("%d rows of the poll outlive its post", n)
		}
	})
}

func TestPollsOfOthers(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bo, amira := w.remote("bo", "elm.test"), w.local("amira", Member)
		ends := time.Now().UTC().Add(time.Hour)
		said := func(change func(p *Poll)) RemotePost {
			poll := Poll{EndsAt: &ends, Voters: 3, Options: []PollOption{{Title: "Yes", Votes: 2}, {Title: "No", Votes: 1}}}
			if change != nil {
				change(&poll)
			}
			return RemotePost{Author: bo, URI: "https://elm.test/q/1", Kind: Note, Audience: Public, HTML: "<p>Well?</p>", Published: time.Now(), Poll: &poll}
		}
		var p Post
		w.write(func(tx *store.Tx) (err error) {
			p, _, err = Receive(tx, said(nil))
			return err
		})
		if err := w.vote(amira, p, 0); err != nil {
			t.Fatal(err)
		}
		if got := w.poll(amira, p); !slices.Equal(votes(got), []int64{3, 1}) || got.Voters != 4 {
			t.Errorf("after voting: %+v", got)
		}
		if n := w.count("SELECT COUNT(*) FROM outgoing WHERE verb = 'Vote' AND account_id = ?", bo.ID); n != 1 {
			t.Errorf("%d votes are on their way to the asker", n)
		}
		update := func(change func(*Poll)) bool {
			t.Helper()
			var changed bool
			w.write(func(tx *store.Tx) (err error) {
				_, changed, err = ReceiveEdit(tx, said(change))
				return err
			})
			return changed
		}
		update(func(p *Poll) { p.Voters, p.Options[0].Votes = 10, 9 })
		if got := w.poll(amira, p); !slices.Equal(votes(got), []int64{9, 1}) || got.Voters != 10 || !slices.Equal(got.Chosen, []int64{0}) {
			t.Errorf("after new results: %+v", got)
		}
		if w.count("SELECT COUNT(*) FROM post_revisions") != 0 {
			t.Error("new results count as an edit")
		}
		closed := time.Now().UTC().Add(-time.Second)
		update(func(p *Poll) { p.ClosedAt = &closed })
		if got := w.poll(amira, p); !got.Over {
			t.Errorf("after its end: %+v", got)
		}
		if w.count("SELECT COUNT(*) FROM notifications WHERE kind = 'poll' AND account_id = ?", amira.ID) != 1 {
			t.Error("who voted is not told of the end")
		}
		update(func(p *Poll) { p.Options[1].Title = "Perhaps" })
		if got := w.poll(amira, p); len(got.Chosen) != 0 || got.Over {
			t.Errorf("after other answers: %+v", got)
		}
		// What is said in bad faith is bounded.
		update(func(p *Poll) {
			p.Options = slices.Repeat([]PollOption{{Title: strings.Repeat("y", 10_000), Votes: -5}}, 1000)
		})
		if got := w.poll(amira, p); len(got.Options) != maxRemoteOptions || len(got.Options[0].Title) > maxRemoteOption || got.Options[0].Votes != 0 {
			t.Errorf("%d options of %d characters are kept", len(got.Options), len(got.Options[0].Title))
		}
	})
}
