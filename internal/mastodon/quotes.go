package mastodon

import (
	"cmp"
	"net/http"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	words "github.com/chalkring/chalkring/internal/text"
)

func (a *API) quoteRoutes(r *routes) {
	r.HandleFunc("/api/v1/statuses/{id:[0-9]+}/quotes", a.open("read:statuses", a.quotes)).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/api/v1/statuses/{id:[0-9]+}/interaction_policy", a.members("write:statuses", a.setQuotePolicy)).Methods(http.MethodPut, http.MethodPatch)
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

// ShallowQuote stands for a quote within a quoted post.
type ShallowQuote struct {
	State    string `json:"state"`
	StatusID *int64 `json:"quoted_status_id,string"`
}

// quote is what a post quotes: a *Quote, or nil where it quotes nothing.
func (s shape) quote(v community.View) any {
	if v.QuoteURI == "" {
		return nil
	}
	out := Quote{State: string(v.QuoteState)}
	switch {
	case v.Quoted != nil:
		status := s.status(*v.Quoted)
		if status.Quote != nil {
			inner := ShallowQuote{State: string(cmp.Or(v.Quoted.QuoteState, community.QuotePending))}
			if v.Quoted.QuoteState == community.QuoteAccepted {
				inner.StatusID = v.Quoted.QuoteID
			}
			status.Quote = &inner
		}
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
	case v.Audience != community.Public || v.Kind == community.Boost || !v.Local() && !v.Quotable:
	case !v.Local():
		out.Manual, out.CurrentUser = []string{"public"}, "manual"
	default:
		if policy := v.Quotes(); policy != community.QuotedByNobody {
			out.Automatic = []string{string(policy)}
		}
		if v.Mine.MayQuote {
			out.CurrentUser = "automatic"
		}
	}
	if v.Mine.Author && v.Kind != community.Boost {
		out.CurrentUser = "automatic"
	}
	if !s.signedIn {
		out.CurrentUser = "unknown"
	}
	return out
}

// setQuotePolicy answers PUT /api/v1/statuses/{id}/interaction_policy.
func (a *API) setQuotePolicy(c *call) (any, error) {
	return a.react(func(tx *store.Tx, me community.Account, post int64) (community.Post, error) {
		return community.SetQuotePolicy(tx, me, post, community.QuotePolicy(c.Get("quote_approval_policy")))
	})(c)
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
