package web

import (
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// PollCard is a poll in a post: a form to vote with, or the results.
type PollCard struct {
	ID       string // of the post
	Action   string // where a vote is sent; "" if the reader cannot vote
	Multiple bool
	Told     bool // the results are shown
	Options  []PollOption
	Facts    string // "12 people voted · ends on 3 March"
	SignIn   string // where a guest signs in to vote
	Faces    Faces  // of the emoji in the answers
}

// Shown is an answer with its emoji as pictures.
func (c PollCard) Shown(words string) template.HTML { return c.Faces.line(words) }

// PollOption is one answer of a PollCard.
type PollOption struct {
	Value   string
	Words   string
	Percent int
	Votes   string
	Chosen  bool
}

// poll is how a post's poll is shown to the reader.
func (p *Pages) poll(h *here, v community.View) *PollCard {
	if v.Poll == nil {
		return nil
	}
	l, poll := h.l, v.Poll
	c := PollCard{ID: digits(v.ID), Multiple: poll.Multiple, Told: poll.Told(), Faces: facesOfPost(v.Post)}
	switch {
	case c.Told:
	case h.signedIn():
		c.Action = postPath(v.ID) + "/vote"
	default:
		c.SignIn = "/sign-in?to=" + queryEscape(postPath(v.ID))
	}
	of := poll.Voters // with several choices the shares are of the voters
	if of == 0 {
		of = poll.Votes()
	}
	for i, o := range poll.Options {
		option := PollOption{Value: strconv.Itoa(i), Words: o.Title}
		if c.Told {
			option.Votes = l.T("poll.votes", "Count", o.Votes)
			if of > 0 {
				option.Percent = int(min(100, (o.Votes*100+of/2)/of))
			}
		}
		for _, mine := range poll.Chosen {
			option.Chosen = option.Chosen || mine == o.Position
		}
		c.Options = append(c.Options, option)
	}
	c.Facts = l.T("poll.voters", "Count", poll.Voters)
	if poll.Voters == 0 {
		c.Facts = l.T("poll.voters_none")
	}
	switch {
	case poll.Over:
		c.Facts += " · " + l.T("poll.over")
	case poll.EndsAt != nil:
		c.Facts += " · " + l.T("poll.ends", "When", l.Moment(*poll.EndsAt))
	}
	return &c
}

// pollTimes are how long a poll can be open, as the form offers it.
var pollTimes = []struct {
	key  string
	open time.Duration
}{
	{"poll.open_hour", time.Hour},
	{"poll.open_day", 24 * time.Hour},
	{"poll.open_three_days", 3 * 24 * time.Hour},
	{"poll.open_week", 7 * 24 * time.Hour},
	{"poll.open_two_weeks", 14 * 24 * time.Hour},
	{"poll.open_month", 30 * 24 * time.Hour},
}

// PollForm is the part of a form that asks for a poll.
type PollForm struct {
	Open     bool // something was typed
	Error    string
	Options  []FormField
	Multiple FormField
	Ends     FormField
	Warning  string // what a change costs
}

// pollForm is the part of the form that asks for a poll; nil where there can be
// none. In an edit the end may stay as it is.
func (p *Pages) pollForm(h *here, d community.Draft, wrong map[string]string, edit bool) *PollForm {
	if d.Kind != community.Discussion && d.Kind != community.Question {
		return nil
	}
	l := h.l
	var typed community.PollDraft
	if d.Poll != nil {
		typed = *d.Poll
	}
	f := PollForm{Open: d.Poll != nil, Error: wrong["poll"],
		Multiple: FormField{Name: "poll-multiple", Kind: "checkbox", Label: l.T("poll.multiple"), Checked: typed.Multiple},
		Ends:     FormField{Name: "poll_open", Kind: "select", Label: l.T("poll.open"), Error: wrong["poll_open"], Small: true}}
	if edit && d.Poll != nil {
		f.Warning = l.T("poll.edit_warning")
		f.Ends.Options = append(f.Ends.Options, Option{Value: "0", Words: l.T("poll.open_same"), Selected: typed.Open == 0})
	} else if typed.Open == 0 {
		typed.Open = 7 * 24 * time.Hour
	}
	for _, t := range pollTimes {
		f.Ends.Options = append(f.Ends.Options, Option{Value: strconv.Itoa(int(t.open / time.Second)), Words: l.T(t.key), Selected: t.open == typed.Open})
	}
	for n := range community.MaxPollOptions {
		field := FormField{Name: "poll-" + strconv.Itoa(n+1), Label: l.T("poll.answer", "N", n+1), Max: community.MaxPollOption, Optional: n >= community.MinPollOptions}
		if n < len(typed.Options) {
			field.Value = typed.Options[n]
		}
		f.Options = append(f.Options, field)
	}
	return &f
}

// Shown are the fields that stand open; the others unfold.
func (f PollForm) Shown() []FormField { return f.Options[:f.shown()] }

// Rest are the fields that unfold.
func (f PollForm) Rest() []FormField { return f.Options[f.shown():] }

func (f PollForm) shown() int {
	n := 4
	for i, option := range f.Options {
		if option.Value != "" {
			n = max(n, i+1)
		}
	}
	return min(n, len(f.Options))
}

// pollTyped reads the poll off a form; nil if none was asked for.
func pollTyped(value func(string) string) *community.PollDraft {
	var d community.PollDraft
	for n := range community.MaxPollOptions {
		if option := value("poll-" + strconv.Itoa(n+1)); option != "" {
			d.Options = append(d.Options, option)
		}
	}
	if len(d.Options) == 0 {
		return nil
	}
	seconds, err := strconv.ParseInt(value("poll_open"), 10, 32)
	if err != nil || seconds < 0 {
		seconds = -1
	}
	d.Multiple, d.Open = value("poll-multiple") == "on", time.Duration(seconds)*time.Second
	return &d
}

// vote answers the form of a poll.
func (p *Pages) vote(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return fault.Keyed(fault.Invalid, "error.form", "The form did not arrive whole. Please send it again.", nil)
	}
	var choices []int64
	for _, value := range r.PostForm["choice"] {
		n, err := strconv.ParseInt(value, 10, 16)
		if err != nil {
			n = -1
		}
		choices = append(choices, n)
	}
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := community.Vote(tx, h.me, id, choices)
		return err
	})
	if len(choices) == 0 && fault.Is(err, fault.Invalid) { // of several answers a browser cannot require one
		p.flash(w, "flash.vote_empty")
		return p.back(w, r, postPath(id))
	}
	if err != nil {
		return err
	}
	p.flash(w, "flash.voted")
	return p.back(w, r, postPath(id))
}
