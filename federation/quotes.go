package federation

import (
	"context"
	"errors"
	"html"
	"slices"
	"sync"
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
func (f *Federation) receiveQuoteRequest(b *book, actor community.Account, row *arrived) (string, error) {
	a := &row.activity
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
	if row.class != 0 {
		row.err = refusedByPolicy(row.class)
		return "refused", community.RefuseQuote(b.tx, actor, *post, a.InstrumentID, a.ID)
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

// What looking up quotes may cost, and how long it is tried.
const (
	mostQuotesAtOnce  = 8
	mostQuoteLookups  = 40 // in one go
	mostQuoteTries    = 9
	quoteLookupLease  = 3 * time.Minute
	quoteLookupsEvery = 15 * time.Second // without news of any
)

// runQuotes looks up what posts of other servers quote, until ctx ends. The
// posts need not wait for it.
func (f *Federation) runQuotes(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.quoteNow:
		case <-timer.C:
		}
		for f.lookUpQuotes(ctx) {
		}
		timer.Reset(f.untilQuote(ctx))
	}
}

// untilQuote is how long it is until the next look-up, as far as is known.
func (f *Federation) untilQuote(ctx context.Context) time.Duration {
	var next []time.Time
	err := f.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Raw("SELECT next_at FROM quote_lookups ORDER BY next_at LIMIT 1").Scan(&next).Error
	})
	if err != nil || len(next) == 0 {
		return quoteLookupsEvery
	}
	return min(max(next[0].Sub(f.db.Now()), time.Millisecond), quoteLookupsEvery)
}

// lookUpQuotes does the look-ups whose time has come, those of one server after
// the other, and reports whether there may be more. When a server does not
// answer, the others that need it wait without a try.
func (f *Federation) lookUpQuotes(ctx context.Context) (more bool) {
	f.asideCount.Add(1) // so that nothing is thought settled meanwhile
	defer f.asideCount.Add(-1)
	var due []community.QuoteLookup
	at := map[int64]string{} // the server that each needs
	err := f.db.Batch(ctx, func(tx *store.Tx) (err error) {
		if due, err = community.ClaimQuoteLookups(tx, tx.Now.Add(quoteLookupLease), mostQuoteLookups); err != nil || len(due) == 0 {
			return err
		}
		ids := make([]int64, len(due))
		for i, l := range due {
			ids[i] = l.PostID
		}
		var posts []community.Post
		err = tx.Select("id", "quote_uri").Where("id IN ?", store.Even(ids)).Find(&posts).Error
		for _, p := range posts {
			at[p.ID], _ = iri.HostOf(p.QuoteURI) // without a server there is nothing to look up
		}
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			f.log.Error("quotes to look up not listed", "err", err)
		}
		return false
	}
	byHost := map[string][]community.QuoteLookup{}
	for _, l := range due {
		byHost[at[l.PostID]] = append(byHost[at[l.PostID]], l)
	}
	room := make(chan struct{}, mostQuotesAtOnce)
	var all sync.WaitGroup
	for _, lot := range byHost {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			f.lookUpQuotesOf(ctx, lot)
		})
	}
	all.Wait()
	return len(due) == mostQuoteLookups && ctx.Err() == nil
}

// lookUpQuotesOf does the look-ups that need one server.
func (f *Federation) lookUpQuotesOf(ctx context.Context, lot []community.QuoteLookup) {
	var silent error
	for _, l := range lot {
		err := silent
		if err == nil {
			err = f.settleQuote(ctx, l.PostID)
		}
		record := func(tx *store.Tx) error {
			tried := silent == nil
			switch again := fault.Is(err, fault.Unavailable) || fault.Of(err).Kind == fault.Internal; {
			case ctx.Err() != nil: // stopping: let it be done after the next start
				return community.PutOffQuoteLookup(tx, l, tx.Now, false)
			case err == nil, !again, tried && l.Tries+1 >= mostQuoteTries:
				return community.EndQuoteLookup(tx, l)
			}
			wait := l.Tries + 1
			if !tried {
				wait++ // behind the one that asks first
			}
			return community.PutOffQuoteLookup(tx, l, tx.Now.Add(pauseAfter(wait)), tried)
		}
		if failed := f.db.Batch(context.WithoutCancel(ctx), record); failed != nil {
			f.log.Error("quote look-up not recorded", "post", l.PostID, "err", failed)
		}
		if fault.Is(err, fault.Unavailable) {
			silent = err
		}
	}
}

// settleQuote finds what another server's post quotes, and looks up the stamp
// that lets it be shown.
func (f *Federation) settleQuote(ctx context.Context, post int64) error {
	within, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	err := f.checkQuote(within, post)
	switch {
	case err == nil || ctx.Err() != nil:
	case within.Err() != nil:
		return fault.Wrap(fault.Unavailable, err, "The quote could not be looked up in time.")
	case fault.Of(err).Kind == fault.Internal:
		f.log.Error("quote not settled", "post", post, "err", err)
	}
	return err
}

func (f *Federation) checkQuote(ctx context.Context, post int64) error {
	var p community.Post
	read := func(tx *store.Tx) (err error) {
		p, err = community.PostByID(tx, post)
		return err
	}
	if err := f.db.Read(ctx, read); err != nil || p.QuoteState != community.QuotePending || p.DeletedAt != nil || p.URI == nil {
		return err
	}
	if p.QuoteID == nil {
		if f.site.Local(p.QuoteURI) {
			return nil
		}
		if !f.knows(ctx, p.QuoteURI) {
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
	ok, err := f.stamped(ctx, p.QuoteAuthorization, *author.URI, *p.URI, *quoted.URI)
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
