package federation

import (
	"context"
	"errors"
	"html"
	"slices"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// quoteLink is how servers that know FEP-e232 find what a post quotes.
const (
	quoteLinkType = `application/ld+json; profile="https://www.w3.org/ns/activitystreams"`
	quoteLinkRel  = "https://misskey-hub.net/ns#_misskey_quote"
)

// quoteEvery is how often at most a stamp that could not be looked up is looked
// for again, when somebody opens the post.
const quoteEvery = 10 * time.Minute

// saidQuote adds to a document what the post quotes, in all the spellings that
// servers look for, and a line with the link for those that know none.
//
// FEP-044f; FEP-e232.
func saidQuote(o *as2.Object, p community.Post) {
	if p.QuoteURI == "" || p.QuoteID == nil {
		return
	}
	o.Quote = p.QuoteURI
	if p.QuoteState == community.QuoteAccepted {
		o.QuoteAuthorization = p.QuoteAuthorization
	}
	o.Tags = append(o.Tags, as2.Tag{Type: "Link", Href: p.QuoteURI, MediaType: quoteLinkType, Rel: quoteLinkRel, Name: "RE: " + p.QuoteURI})
	link := html.EscapeString(p.QuoteURI)
	o.Content += `<p class="quote-inline">RE: <a href="` + link + `">` + link + `</a></p>`
}

// quotable reports whether an object's policy lets anybody but its author quote
// it. Software that says nothing of quotes does not know them, and is not asked:
// GoToSocial (57cb4fe) answers a QuoteRequest with an error.
//
// FEP-044f, "Advertising a quote policy".
func quotable(o as2.Object) bool {
	if o.InteractionPolicy == nil {
		return false
	}
	by := o.InteractionPolicy.CanQuote
	return slices.ContainsFunc(slices.Concat(by.Automatic, by.Manual), func(who string) bool { return who != "" && who != o.AttributedTo })
}

// renderQuote writes what is said about a quote: the request for leave, the
// answer to one, or the end of the leave.
//
// FEP-044f.
func (f *Federation) renderQuote(tx *store.Tx, o community.Outgoing, a *as2.Activity) error {
	if o.PostID == nil || o.AccountID == nil {
		return errors.New("a word about a quote without a post or an account")
	}
	p, err := community.PostByID(tx, *o.PostID)
	if err != nil {
		return err
	}
	other, err := community.AccountByID(tx, *o.AccountID)
	if err != nil {
		return err
	}
	them := other.IRI(f.site)
	a.To = []string{them}
	switch o.Verb {
	case community.VerbQuoteRequest:
		if p.DeletedAt != nil || p.QuoteURI == "" {
			return errNothingToSay
		}
		a.ID, a.Type, a.ObjectID = f.site.QuoteRequest(p.ID), "QuoteRequest", p.QuoteURI
		a.InstrumentID = f.site.Post(p.ID)
		if p.Audience == community.Public { // what is not for everybody is not shown to whom it quotes
			s, err := sayingOf(tx, p)
			if err != nil {
				return err
			}
			object := objectOf(f.site, s)
			a.Instrument = &object
		}
		return nil
	case community.VerbRevokeQuote:
		a.Type, a.ObjectID = "Delete", o.ObjectURI
		return nil
	}
	request := as2.Activity{ID: o.ObjectURI, Type: "QuoteRequest", Actor: them, ObjectID: p.IRI(f.site), InstrumentID: o.Facts.Instrument}
	a.Type, a.ObjectID, a.Inner = "Reject", o.ObjectURI, &request
	if o.Verb == community.VerbAcceptQuote {
		a.Type, a.Result = "Accept", f.site.QuoteApproval(o.Facts.ReactionID)
	}
	return nil
}

// quoteDocument answers with a stamp, to whoever may see what it lets be quoted
// and, where that is ours too, what quotes it: a stamp names both.
func (f *Federation) quoteDocument(tx *store.Tx, q asked) (answer, error) {
	approval, err := community.QuoteApprovalByID(tx, q.id)
	if err != nil {
		return answer{}, nothingHere()
	}
	q.id = approval.PostID
	p, err := localPost(tx, q)
	if err != nil {
		return answer{}, nothingHere()
	}
	if ref, ok := f.site.Parse(approval.QuoteURI); ok {
		if _, err := community.VisiblePost(tx, ref.ID, q.viewer); err != nil {
			return answer{}, nothingHere()
		}
	}
	body, err := as2.EncodeQuoteAuthorization(as2.QuoteAuthorization{ID: f.site.QuoteApproval(approval.ID), AttributedTo: f.site.Actor(p.AuthorID),
		Interacting: approval.QuoteURI, Target: f.site.Post(p.ID)})
	return answer{body: body}, err
}

// receiveQuoteRequest answers somebody who asks for leave to quote.
//
// FEP-044f.
func (f *Federation) receiveQuoteRequest(b *book, actor community.Account, a *as2.Activity) (string, error) {
	post, err := b.post(a.ObjectID)
	if err != nil {
		return "", err
	}
	if post == nil || !post.Local() || a.InstrumentID == "" || len(a.InstrumentID) > maxAddress || !iri.SameOrigin(a.InstrumentID, a.Actor) {
		return "unknown_object", nil
	}
	if seen, err := given(b.tx, actor, *post); err != nil || !seen {
		return "unknown_object", err
	}
	return "", community.ReceiveQuoteRequest(b.tx, actor, *post, a.InstrumentID, a.ID)
}

// answersQuote reports whether an Accept or Reject is about a request of ours
// to quote, and of which post.
func (f *Federation) answersQuote(a *as2.Activity) (post int64, yes bool) {
	address := a.ObjectID
	if a.Inner != nil {
		if a.Inner.Type != "QuoteRequest" {
			return 0, false
		}
		if address == "" {
			address = a.Inner.ID
		}
		if ref, ok := f.site.Parse(a.Inner.InstrumentID); ok && ref.Kind == iri.Post {
			return ref.ID, true
		}
	}
	ref, ok := f.site.Parse(address)
	if ok && ref.Kind == iri.QuoteRequest {
		return ref.ID, true
	}
	return 0, a.Inner != nil
}

// receiveQuoteAnswer takes in what the quoted author said.
func (f *Federation) receiveQuoteAnswer(b *book, actor community.Account, a *as2.Activity, post int64) (string, error) {
	if post == 0 {
		return "unknown_object", nil
	}
	changed, err := community.ReceiveQuoteAnswer(b.tx, actor, post, a.Type == "Accept", a.Result)
	b.turn(f.site.Post(post))
	if err == nil && !changed {
		return "known", nil
	}
	return "", err
}

// settleQuotes finds what posts quote that just came, and whether it may be
// shown, aside: they need not wait for it.
func (f *Federation) settleQuotes(ctx context.Context, rows []*arrived) {
	for _, row := range rows {
		if row.reading == nil || row.reading.post.QuoteURI == "" || row.outcome != "done" && row.outcome != "orphan" {
			continue
		}
		address := row.reading.post.URI
		f.aside(ctx, func(ctx context.Context) { f.settleQuote(ctx, address) })
	}
}

// settleQuote finds what another server's post quotes, and looks up the stamp
// that lets it be shown.
func (f *Federation) settleQuote(ctx context.Context, address string) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	if err := f.checkQuote(ctx, address); err != nil && fault.Of(err).Kind == fault.Internal && ctx.Err() == nil {
		f.log.Error("quote not settled", "err", err)
	}
}

func (f *Federation) checkQuote(ctx context.Context, address string) error {
	var p community.Post
	read := func(tx *store.Tx) (err error) {
		p, err = community.PostByURI(tx, address)
		return err
	}
	if err := f.db.Read(ctx, read); err != nil || p.QuoteState != community.QuotePending || p.DeletedAt != nil || p.Local() {
		return err
	}
	if p.QuoteID == nil {
		if !f.site.Local(p.QuoteURI) && !f.knows(ctx, p.QuoteURI) {
			if _, err := f.fetchPost(ctx, p.QuoteURI); err != nil {
				return err
			}
		}
		err := f.db.Batch(ctx, func(tx *store.Tx) (err error) {
			p, err = community.SettleQuote(tx, p.ID)
			return err
		})
		if err != nil {
			return err
		}
	}
	if p.QuoteState != community.QuotePending || p.QuoteID == nil || p.QuoteAuthorization == "" {
		return nil
	}
	var quoted community.Post
	var author community.Account
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		if quoted, err = community.PostByID(tx, *p.QuoteID); err != nil {
			return err
		}
		author, err = community.AccountByID(tx, quoted.AuthorID)
		return err
	})
	if err != nil || quoted.URI == nil || author.URI == nil {
		return err
	}
	ok, err := f.stamped(ctx, p.QuoteAuthorization, *author.URI, address, *quoted.URI)
	if err != nil || !ok {
		return err
	}
	return f.db.Batch(ctx, func(tx *store.Tx) error { return community.ConfirmQuote(tx, p.ID, quoted.ID, p.QuoteAuthorization) })
}

// stamped looks a stamp up where it comes from: it must be the quoted author's,
// of their own server, and name both posts.
//
// FEP-044f, "Verification"; FEP-fe34.
func (f *Federation) stamped(ctx context.Context, stamp, author, quoting, quoted string) (bool, error) {
	if !iri.SameOrigin(stamp, author) || len(stamp) > maxAddress {
		return false, nil
	}
	body, from, err := f.document(ctx, stamp)
	if err != nil {
		return false, err
	}
	q, err := as2.DecodeQuoteAuthorization(body)
	if err != nil {
		return false, nil
	}
	return sameDocument(q.ID, from) && q.ID == stamp && q.AttributedTo == author && q.Interacting == quoting && q.Target == quoted, nil
}
