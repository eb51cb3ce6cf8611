package web

import (
	"html/template"
	"net/http"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// QuoteCard is what a post quotes: the post itself, where its author agreed and
// the reader may see it, and otherwise a link with the reason.
type QuoteCard struct {
	Card    *PostCard
	Excerpt string
	URL     string // where to find it
	Words   string // why it is only a link
	Away    bool   // the link leads to another server
}

// quote is what a post quotes, as the reader is shown it.
func (p *Pages) quote(h *here, v community.View) *QuoteCard {
	if v.QuoteURI == "" {
		return nil
	}
	if v.Quoted != nil {
		return p.quoted(h, *v.Quoted)
	}
	c := QuoteCard{URL: v.QuoteURI, Away: true}
	if ref, ok := p.site.Parse(v.QuoteURI); ok && ref.Kind == iri.Post {
		c.URL, c.Away = postPath(ref.ID), false
	}
	switch v.QuoteState {
	case community.QuoteAccepted:
		c.Words = h.l.T("quote.not_here")
	case community.QuoteRejected:
		c.Words = h.l.T("quote.rejected")
	case community.QuoteRevoked:
		c.Words = h.l.T("quote.revoked")
	default:
		c.Words = h.l.T("quote.pending")
	}
	return &c
}

func (p *Pages) quoted(h *here, v community.View) *QuoteCard {
	card := p.card(h, v)
	card.Actions, card.More = nil, nil
	words := v.HTML
	if v.Teaser != "" {
		words = v.Teaser
	}
	return &QuoteCard{Card: &card, Excerpt: text.Excerpt(words, 400), URL: postPath(v.ID)}
}

// withoutQuoteLink takes out of a text the line that stands for the quote which
// is shown below it.
func withoutQuoteLink(source template.HTML, v community.View) template.HTML {
	if v.QuoteURI == "" {
		return source
	}
	addresses := []string{v.QuoteURI}
	if v.Quoted != nil && v.Quoted.URL != "" {
		addresses = append(addresses, v.Quoted.URL)
	}
	return template.HTML(text.WithoutQuoteLink(string(source), addresses...)) // safe stays safe: a part is taken out
}

// quoteActions are what the reader can do with a post besides answering it.
func (p *Pages) quoteActions(h *here, v community.View) []Action {
	if !h.signedIn() {
		return nil
	}
	var menu []Action
	at := postPath(v.ID)
	if v.Audience == community.Public && (v.Local() || v.Quotable) || v.Mine.Author && v.Audience != community.Me && v.Audience != community.People {
		menu = append(menu, Action{Words: h.l.T("post.quote"), Icon: "messages-square", URL: "/write?kind=discussion&quote=" + digits(v.ID)})
	}
	if v.Quoted != nil && v.Quoted.AuthorID == h.me.ID && v.AuthorID != h.me.ID {
		menu = append(menu, Action{Words: h.l.T("post.revoke_quote"), Icon: "x", URL: at + "/revoke-quote", Post: true})
	}
	if v.Mine.Author && v.Local() && v.Audience != community.Me && v.Audience != community.People {
		if v.Mine.Pinned {
			menu = append(menu, Action{Words: h.l.T("post.unpin"), Icon: "pin", URL: at + "/unpin", Post: true, Pressed: true})
		} else {
			menu = append(menu, Action{Words: h.l.T("post.pin"), Icon: "pin", URL: at + "/pin", Post: true})
		}
	}
	if !v.Mine.Author {
		menu = append(menu, reportAction(h.l, at))
	}
	return menu
}

// quotedByForm is the post that a form quotes, from its address or its hidden
// field; nil where there is none.
func (p *Pages) quotedByForm(h *here, r *http.Request, digits string) (*community.View, error) {
	if digits == "" {
		return nil, nil
	}
	id, ok := iri.ParseID(digits)
	if !ok {
		return nil, fault.Keyed(fault.NotFound, "post.not_found", "There is no such post, or it is not for you.", nil)
	}
	return p.parentOf(h, r, id)
}

// revokeQuote takes back the leave to quote a post of the reader's.
func (p *Pages) revokeQuote(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	err = p.DB.Write(r.Context(), func(tx *store.Tx) error {
		_, err := community.RevokeQuote(tx, h.me, id)
		return err
	})
	if err != nil {
		return err
	}
	p.flash(w, "flash.quote_revoked")
	return p.back(w, r, postPath(id))
}
