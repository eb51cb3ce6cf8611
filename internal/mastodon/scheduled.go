package mastodon

import (
	"net/http"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

func (a *API) scheduledRoutes(r *routes) {
	r.HandleFunc("/api/v1/scheduled_statuses", a.members("read:statuses", a.scheduledList)).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/api/v1/scheduled_statuses/{id:[0-9]+}", a.members("read:statuses", a.scheduledOne)).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/api/v1/scheduled_statuses/{id:[0-9]+}", a.members("write:statuses", a.reschedule)).Methods(http.MethodPut, http.MethodPatch)
	r.HandleFunc("/api/v1/scheduled_statuses/{id:[0-9]+}", a.members("write:statuses", a.unschedule)).Methods(http.MethodDelete)
}

// ScheduledStatus is Mastodon's ScheduledStatus entity. Params is what the
// client sent.
type ScheduledStatus struct {
	ID               int64           `json:"id,string"`
	ScheduledAt      stamp           `json:"scheduled_at"`
	Params           ScheduledParams `json:"params"`
	MediaAttachments []Attachment    `json:"media_attachments"`
	Chalkring        ScheduledExtras `json:"chalkring"`
}

// ScheduledParams is what is to be posted.
type ScheduledParams struct {
	Text           string                `json:"text"`
	Poll           *ScheduledPoll        `json:"poll"`
	MediaIDs       []string              `json:"media_ids"`
	Sensitive      bool                  `json:"sensitive"`
	SpoilerText    string                `json:"spoiler_text"`
	Visibility     string                `json:"visibility"`
	LocalOnly      bool                  `json:"local_only"`
	InReplyToID    *int64                `json:"in_reply_to_id"`
	QuotedStatusID *string               `json:"quoted_status_id"`
	QuotePolicy    community.QuotePolicy `json:"quote_approval_policy,omitempty"`
	Language       *string               `json:"language"`
	ApplicationID  int64                 `json:"application_id"`
	ScheduledAt    *stamp                `json:"scheduled_at"`
	Idempotency    *string               `json:"idempotency"`
	WithRateLimit  bool                  `json:"with_rate_limit"`
}

// ScheduledPoll is a poll that is to be posted.
type ScheduledPoll struct {
	Options    []string `json:"options"`
	ExpiresIn  int64    `json:"expires_in"`
	Multiple   bool     `json:"multiple"`
	HideTotals bool     `json:"hide_totals"`
}

// ScheduledExtras says to whom the post will go, and why it was refused if its
// time is over.
type ScheduledExtras struct {
	Audience community.Audience `json:"audience"`
	Reason   string             `json:"reason,omitempty"`
}

func (s shape) scheduled(p community.ScheduledPost, pictures []media.Attachment) ScheduledStatus {
	d := p.Draft
	params := ScheduledParams{Text: d.Source, MediaIDs: make([]string, 0, len(d.MediaIDs)), Sensitive: d.Sensitive, SpoilerText: d.Warning,
		Visibility: visibility(community.Post{Audience: d.Audience, Unlisted: d.Unlisted}), LocalOnly: d.Audience == community.School,
		QuotePolicy: d.QuotePolicy, Language: text(d.Language), ApplicationID: d.AppID}
	for _, id := range d.MediaIDs {
		params.MediaIDs = append(params.MediaIDs, idText(id))
	}
	if d.InReplyToID != 0 {
		params.InReplyToID = &d.InReplyToID
	}
	if d.QuoteID != 0 {
		params.QuotedStatusID = text(idText(d.QuoteID))
	}
	if d.Poll != nil {
		params.Poll = &ScheduledPoll{Options: d.Poll.Options, ExpiresIn: int64(d.Poll.Open.Seconds()), Multiple: d.Poll.Multiple}
	}
	return ScheduledStatus{ID: p.ID, ScheduledAt: stampOf(p.ScheduledAt), Params: params, MediaAttachments: s.attachments(pictures),
		Chalkring: ScheduledExtras{Audience: d.Audience, Reason: p.Reason}}
}

// scheduledAt reads when a post is to be published; the zero time is now.
func (c *call) scheduledAt() (time.Time, error) {
	said := c.Get("scheduled_at")
	if said == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if at, err := time.Parse(layout, said); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fault.Invalidf("scheduled_at", "The time %.40q cannot be read. Write it as 2030-01-31T08:00:00Z.", said)
}

// shownScheduled brings the pictures of posts that wait.
func (a *API) shownScheduled(tx *store.Tx, c *call, list ...community.ScheduledPost) ([]ScheduledStatus, error) {
	ids := make([]int64, len(list))
	for i, s := range list {
		ids[i] = s.ID
	}
	pictures, err := media.HeldFor(tx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]ScheduledStatus, 0, len(list))
	for _, s := range list {
		out = append(out, a.shape(c).scheduled(s, pictures[s.ID]))
	}
	return out, nil
}

// scheduledList answers GET /api/v1/scheduled_statuses.
func (a *API) scheduledList(c *call) (any, error) {
	page := c.page(20, 40)
	out := []ScheduledStatus{}
	err := a.read(c, func(tx *store.Tx) error {
		list, err := community.ScheduledBy(tx, c.me.ID, page)
		if err != nil {
			return err
		}
		if n := len(list); n > 0 {
			a.link(c, page, n, list[0].ID, list[n-1].ID)
		}
		out, err = a.shownScheduled(tx, c, list...)
		return err
	})
	return out, err
}

// scheduledOne answers GET /api/v1/scheduled_statuses/{id}.
func (a *API) scheduledOne(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	var out []ScheduledStatus
	err = a.read(c, func(tx *store.Tx) error {
		s, err := community.ScheduledByID(tx, c.me.ID, id)
		if err != nil {
			return orNotFound(err)
		}
		out, err = a.shownScheduled(tx, c, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// reschedule answers PUT /api/v1/scheduled_statuses/{id}.
func (a *API) reschedule(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	at, err := c.scheduledAt()
	if err != nil {
		return nil, err
	}
	var out []ScheduledStatus
	err = a.deed(c, func(tx *store.Tx) error {
		s, err := community.ScheduledByID(tx, c.me.ID, id)
		if err == nil && !at.IsZero() {
			s, err = community.Reschedule(tx, c.me, id, at)
		}
		if fault.Is(err, fault.NotFound) {
			return notFound()
		} else if err != nil {
			return err
		}
		out, err = a.shownScheduled(tx, c, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// unschedule answers DELETE /api/v1/scheduled_statuses/{id}.
func (a *API) unschedule(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	err = a.deed(c, func(tx *store.Tx) error {
		if err := community.Unschedule(tx, c.me, id); err != nil {
			if fault.Is(err, fault.NotFound) {
				return notFound()
			}
			return err
		}
		return nil
	})
	return none, err
}

// madeBefore answers for what the same Idempotency-Key has made already.
func (a *API) madeBefore(tx *store.Tx, c *call, id int64) (any, error) {
	p, err := community.PostByID(tx, id)
	switch {
	case err == nil && p.AuthorID == c.me.ID && p.DeletedAt == nil:
		return a.shown(tx, c, p)
	case err != nil && !fault.Is(err, fault.NotFound):
		return nil, err
	case err != nil:
		s, err := community.ScheduledByID(tx, c.me.ID, id)
		if err == nil {
			out, err := a.shownScheduled(tx, c, s)
			if err != nil {
				return nil, err
			}
			return out[0], nil
		} else if !fault.Is(err, fault.NotFound) {
			return nil, err
		}
	}
	return nil, fault.New(fault.NotFound, "This was posted before with the same Idempotency-Key, and has been deleted since. Send another key to post it again.")
}
