package mastodon

import (
	"net/http"
	"strconv"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) pollRoutes(r *routes) {
	r.HandleFunc("/api/v1/polls/{id:[0-9]+}", a.open("read:statuses", a.getPoll)).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/api/v1/polls/{id:[0-9]+}/votes", a.members("write:statuses", a.vote)).Methods(http.MethodPost)
}

// Poll is Mastodon's Poll entity. A poll goes by the number of its post. Its
// results are null for those who are not to see them yet.
type Poll struct {
	ID          int64        `json:"id,string"`
	ExpiresAt   *stamp       `json:"expires_at"`
	Expired     bool         `json:"expired"`
	Multiple    bool         `json:"multiple"`
	VotesCount  int64        `json:"votes_count"`
	VotersCount int64        `json:"voters_count"`
	Options     []PollOption `json:"options"`
	Emojis      []Emoji      `json:"emojis"`
	Voted       *bool        `json:"voted,omitempty"`
	OwnVotes    *[]int64     `json:"own_votes,omitempty"`
}

// PollOption is one answer of a Poll.
type PollOption struct {
	Title      string `json:"title"`
	VotesCount *int64 `json:"votes_count"`
}

func (s shape) poll(v community.PollView) Poll {
	out := Poll{ID: v.PostID, ExpiresAt: stampOrNull(v.EndsAt), Expired: v.Over, Multiple: v.Multiple, VotesCount: v.Votes(), VotersCount: v.Voters,
		Options: make([]PollOption, 0, len(v.Options)), Emojis: []Emoji{}}
	for _, o := range v.Options {
		option := PollOption{Title: o.Title}
		if v.Told() {
			option.VotesCount = &o.Votes
		}
		out.Options = append(out.Options, option)
	}
	if s.signedIn {
		voted, own := len(v.Chosen) > 0 || v.Asked, append([]int64{}, v.Chosen...)
		out.Voted, out.OwnVotes = &voted, &own
	}
	return out
}

// poll reads a poll that a client asks for; nil if it asks for none. An end
// that cannot be read is refused with the draft.
func (c *call) poll() *community.PollDraft {
	options := c.list("poll[options]")
	if len(options) == 0 {
		return nil
	}
	seconds, err := strconv.ParseInt(c.Get("poll[expires_in]"), 10, 32)
	if err != nil && c.Get("poll[expires_in]") != "" {
		seconds = -1
	}
	return &community.PollDraft{Options: options, Multiple: c.flag("poll[multiple]", false), Open: time.Duration(seconds) * time.Second}
}

// polled is the poll in the path as the caller is shown it.
func (a *API) polled(tx *store.Tx, c *call) (community.Post, Poll, error) {
	p, err := c.seen(tx)
	if err != nil {
		return p, Poll{}, err
	}
	v, err := community.LoadOne(tx, c.viewer, p)
	if err != nil {
		return p, Poll{}, err
	}
	if v.Poll == nil {
		return p, Poll{}, notFound()
	}
	return p, a.shape(c).poll(*v.Poll), nil
}

// getPoll answers GET /api/v1/polls/{id}.
func (a *API) getPoll(c *call) (any, error) {
	var out Poll
	var p community.Post
	err := a.read(c, func(tx *store.Tx) (err error) {
		p, out, err = a.polled(tx, c)
		return err
	})
	if err == nil && c.signedIn() {
		a.Lookup.Freshen(c.r.Context(), p)
	}
	return out, err
}

// vote answers POST /api/v1/polls/{id}/votes.
func (a *API) vote(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	var choices []int64
	for _, value := range c.list("choices") {
		n, err := strconv.ParseInt(value, 10, 16)
		if err != nil {
			return nil, fault.Invalidf("choices", "%q is no number of an answer.", value)
		}
		choices = append(choices, n)
	}
	var out Poll
	err = a.deed(c, func(tx *store.Tx) error {
		if _, err := community.Vote(tx, c.me, id, choices); err != nil {
			if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
				return notFound()
			}
			return err
		}
		_, out, err = a.polled(tx, c)
		return err
	})
	return out, err
}
