package mastodon

import (
	"net/http"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	words "github.com/chalkring/chalkring/internal/text"
)

func (a *API) quoteRoutes(r *routes) {
	r.HandleFunc("/api/v1/statuses/{id:[0-9]+}/quotes", a.open("read:statuses", a.quotes)).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/api/v1/statuses/{id:[0-9]+}/quotes/{quoting:[0-9]+}/revoke", a.members("write:statuses", a.revokeQuote)).Methods(http.MethodPost)
}

// Quote is Mastodon's Quote entity. The quoted post stands in it only if its
// author agreed and the reader may see it.
type Quote struct {
	State  string  `json:"state"`
	Status *Status `json:"quoted_status"`
}

// QuoteApproval says who may quote a status, and how that is for the reader.
type QuoteApproval struct {
	Automatic   []string `json:"automatic"`
	Manual      []string `json:"manual"`
	CurrentUser string   `json:"current_user"`
}

// quote is what a post quotes; nil where it quotes nothing.
func (s shape) quote(v community.View) *Quote {
	if v.QuoteURI == "" {
		return nil
	}
	out := Quote{State: string(v.QuoteState)}
	switch {
	case v.Quoted != nil:
		status := s.status(*v.Quoted)
		out.Status = &status
	case v.QuoteState == community.QuoteAccepted:
		out.State = "unauthorized" // the reader may not see it, or it is gone
	case v.QuoteState == community.NoQuote:
		out.State = string(community.QuotePending)
	}
	return &out
}

// withoutQuoteLink is a text without the line that stands for the quote.
func withoutQuoteLink(source string, v community.View) string {
	if v.QuoteURI == "" || v.Quoted == nil {
		return source
	}
	return words.WithoutQuoteLink(source, v.QuoteURI, v.Quoted.URL)
}

// approval says who may quote a post. Of another server's post that is for its
// server to say, so that asking is all that can be promised.
func (s shape) approval(v community.View) QuoteApproval {
	out := QuoteApproval{Automatic: []string{}, Manual: []string{}, CurrentUser: "denied"}
	switch {
	case v.Audience != community.Public || !v.Local() && !v.Quotable:
	case v.Local():
		out.Automatic, out.CurrentUser = []string{"followers"}, "unknown"
	default:
		out.Manual, out.CurrentUser = []string{"public"}, "unknown"
	}
	if v.Mine.Author {
		out.CurrentUser = "automatic"
	}
	return out
}

// quotes answers GET /api/v1/statuses/{id}/quotes.
func (a *API) quotes(c *call) (any, error) {
	page := c.page(20, 40)
	var views []community.View
	err := a.read(c, func(tx *store.Tx) error {
		p, err := c.seen(tx)
		if err != nil {
			return err
		}
		posts, err := community.QuotesOf(tx, c.viewer, p.ID, page)
		if err != nil {
			return err
		}
		views, err = community.Load(tx, c.viewer, posts)
		return err
	})
	if err != nil {
		return nil, err
	}
	if n := len(views); n > 0 {
		a.link(c, page, n, views[0].ID, views[n-1].ID)
	}
	return a.statuses(c, views), nil
}

// revokeQuote answers POST /api/v1/statuses/{id}/quotes/{quoting}/revoke.
func (a *API) revokeQuote(c *call) (any, error) {
	id, err := c.idOf("id")
	if err != nil {
		return nil, err
	}
	quoting, err := c.idOf("quoting")
	if err != nil {
		return nil, err
	}
	var out Status
	err = a.deed(c, func(tx *store.Tx) error {
		p, err := community.PostByID(tx, quoting)
		if err != nil || p.QuoteID == nil || *p.QuoteID != id {
			return orNotFound(err)
		}
		if p, err = community.RevokeQuote(tx, c.me, quoting); err != nil {
			if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
				return notFound()
			}
			return err
		}
		out, err = a.shown(tx, c, p)
		return err
	})
	return out, err
}
