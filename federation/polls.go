package federation

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// pollOf is what a Question asks, or nil. Its options are kept letter for letter,
// since a vote names one.
func pollOf(o as2.Object) *community.Poll {
	if o.Poll == nil || len(o.Poll.Options) == 0 {
		return nil
	}
	p := community.Poll{Multiple: o.Poll.Multiple, Voters: int64(o.Poll.Voters)}
	if !o.Poll.Ends.IsZero() {
		p.EndsAt = &o.Poll.Ends
	}
	if !o.Poll.Closed.IsZero() {
		p.ClosedAt = &o.Poll.Closed
	}
	for _, option := range o.Poll.Options {
		p.Options = append(p.Options, community.PollOption{Title: option.Name, Votes: int64(option.Votes)})
	}
	return &p
}

// pollSaid is a poll as others are told it.
func pollSaid(p community.Poll) *as2.Poll {
	said := as2.Poll{Multiple: p.Multiple, Ends: moment(p.EndsAt), Closed: moment(p.ClosedAt), Voters: int(p.Voters)}
	for _, o := range p.Options {
		said.Options = append(said.Options, as2.Option{Name: o.Title, Votes: int(o.Votes)})
	}
	return &said
}

// renderVote writes a vote as Mastodon has them: the Create of a Note that
// answers the poll, has the option as its name and says nothing. It is for the
// poll's author alone.
func (f *Federation) renderVote(tx *store.Tx, o community.Outgoing, a *as2.Activity) error {
	if o.PostID == nil || o.Facts.ReactionID == 0 {
		return errors.New("a vote without a poll")
	}
	p, err := community.PostByID(tx, *o.PostID)
	if err != nil {
		return err
	}
	if p.DeletedAt != nil {
		return errNothingToSay
	}
	author, err := community.AccountByID(tx, p.AuthorID)
	if err != nil {
		return err
	}
	to := []string{author.IRI(f.site)}
	vote := as2.Object{ID: a.Actor + "#votes/" + strconv.FormatInt(o.Facts.ReactionID, 10), Type: "Note", AttributedTo: a.Actor,
		Name: o.Facts.Choice, InReplyTo: p.IRI(f.site), To: to}
	a.Type, a.ObjectID, a.Object, a.To = "Create", vote.ID, &vote, to
	return nil
}

// receiveVotes counts votes in a poll of ours: one, or all of a voter at once, as
// GoToSocial sends them. Why one does not count stands with the activity, for the
// administrator; the voter is not told, as nobody tells them anywhere.
func (f *Federation) receiveVotes(b *book, actor community.Account, row *arrived, votes []*as2.Object) (outcome string, err error) {
	post, err := b.post(votes[0].InReplyTo)
	if err != nil {
		return "", err
	}
	if post == nil || !post.Local() {
		return "unknown_object", nil
	}
	if may, err := given(b.tx, actor, *post); err != nil || !may {
		return "unknown_object", err
	}
	for _, vote := range votes[:min(len(votes), community.MaxPollOptions)] {
		was, err := community.ReceiveVote(b.tx, actor, *post, vote.Name, vote.ID)
		if err != nil {
			return "", err
		}
		if was != "done" && was != "known" {
			row.err = errors.New("the vote does not count: " + was)
		}
		if outcome != "done" {
			outcome = was
		}
	}
	return outcome, nil
}

// Freshen asks the server of a post that somebody is looking at for what may
// have changed there, aside: the results of a poll that are no longer fresh,
// the leave to show what it quotes.
func (f *Federation) Freshen(ctx context.Context, post community.Post) {
	if post.URI == nil {
		return
	}
	if post.QuoteState == community.QuotePending && f.refetched.allow("quote "+*post.URI, f.db.Now(), quoteEvery) {
		f.aside(context.WithoutCancel(ctx), func(ctx context.Context) { _ = f.settleQuote(ctx, post.ID) }) // which logs what is worth it
	}
	stale := false
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		stale, err = community.PollStale(tx, post)
		return err
	})
	if err != nil || !stale {
		return
	}
	f.again(ctx, *post.URI, community.PollRefreshEvery)
}

// again fetches a post that is known once more, aside, to learn what became of
// it; at most once in a while.
func (f *Federation) again(ctx context.Context, address string, every time.Duration) {
	if !f.refetched.allow("again "+address, f.db.Now(), every) {
		return
	}
	f.aside(context.WithoutCancel(ctx), func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, fetchWithin)
		defer cancel()
		if err := f.fetchAgain(ctx, address, ""); err != nil && !fault.Is(err, fault.Unavailable) {
			f.log.InfoContext(ctx, "post not refreshed", "err", err)
		}
	})
}

// fetchAgain fetches a post that is known and takes over what has changed. It
// must be the author's, where one is given, or else somebody's of its server.
//
// FEP-fe34.
func (f *Federation) fetchAgain(ctx context.Context, address, author string) error {
	object, err := f.objectAt(ctx, address)
	if err != nil {
		return err
	}
	if object.ID != address || !iri.SameOrigin(object.AttributedTo, object.ID) {
		return fault.New(fault.NotFound, "The address %s leads to another post now.", address)
	}
	if author != "" && object.AttributedTo != author {
		return because(reasonForeign, "%s is not of %s", address, author)
	}
	r, err := readObject(object)
	if err != nil {
		return fault.Wrap(fault.NotFound, err, "There is no post at %s any more.", address)
	}
	by, err := f.accountAt(ctx, object.AttributedTo)
	if err != nil {
		return err
	}
	return f.db.Batch(ctx, func(tx *store.Tx) error {
		b := newBook(tx)
		remote, err := b.complete(r, by)
		if err != nil {
			return err
		}
		here, err := b.post(address)
		if err != nil {
			return err
		}
		if refused, err := f.admit(b, object, remote, here); err != nil || refused != nil {
			return err // what is here stays as it is
		}
		_, _, err = community.ReceiveEdit(tx, remote)
		return err
	})
}
