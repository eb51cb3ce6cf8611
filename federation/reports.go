package federation

import (
	"errors"
	"slices"
	"strings"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// mostFlagged is how many things of a Flag are looked at.
const mostFlagged = 50

// renderFlag writes a report to the server of whom it is about: from this
// server itself, with nothing in it that tells who reported.
//
// W3C ActivityStreams Vocabulary, section 3.1 (Flag); FEDERATION.md, "Reports".
func (f *Federation) renderFlag(tx *store.Tx, o community.Outgoing, a *as2.Activity) error {
	if o.AccountID == nil || o.ActorID != community.InstanceActor {
		return errors.New("a report without an account, or in somebody's name")
	}
	target, err := community.AccountByID(tx, *o.AccountID)
	if err != nil {
		return err
	}
	d, err := peers.DecideOne(tx, target.Host)
	if err != nil {
		return err
	}
	if d.Admitted && !community.ReportsMayGo(d) { // it was decided since the moderator's click
		return errNothingToSay
	}
	them := target.IRI(f.site)
	a.Type, a.Actor, a.To, a.Content = "Flag", f.site.Instance(), []string{them}, o.Facts.Comment
	a.Objects = append([]string{them}, o.Facts.Objects...) // a list, as Mastodon reads it
	a.ObjectID = them
	return nil
}

// receiveFlag keeps another server's report for the moderators. Mastodon names
// the account and its posts in one list; others name posts alone.
//
// W3C ActivityStreams Vocabulary, section 3.1 (Flag).
//
// A server's policy may have its reports stand apart from the others; those it
// refuses do not come so far.
func (f *Federation) receiveFlag(b *book, actor community.Account, row *arrived) (string, error) {
	a := &row.activity
	objects := a.Objects
	if len(objects) == 0 && a.ObjectID != "" {
		objects = []string{a.ObjectID}
	}
	r := community.RemoteReport{From: actor, URI: a.ID, Apart: row.policy.ReportsIn == peers.ReportsApart, Comment: strings.TrimSpace(text.Plain(a.Content))}
	if r.Comment == "" {
		r.Comment = strings.TrimSpace(text.Plain(a.Summary))
	}
	var target *community.Account
	for _, address := range objects[:min(len(objects), mostFlagged)] {
		switch ref, ok := f.site.Parse(address); {
		case !ok:
		case ref.Kind == iri.Actor && target == nil:
			account, err := b.account(address)
			if err != nil {
				return "", err
			}
			target = account
		case ref.Kind == iri.Post || ref.Kind == iri.Page:
			post, err := b.post(address)
			if err != nil {
				return "", err
			}
			if post == nil || !post.Local() || slices.ContainsFunc(r.Posts, func(p community.Post) bool { return p.ID == post.ID }) {
				continue
			}
			// What they were not given they cannot report: addresses can be guessed.
			if may, err := given(b.tx, actor, *post); err != nil {
				return "", err
			} else if may {
				r.Posts = append(r.Posts, *post)
			}
		}
	}
	if target == nil && len(r.Posts) > 0 {
		author, err := community.AccountByID(b.tx, r.Posts[0].AuthorID)
		if err != nil {
			return "", err
		}
		target = &author
	}
	if target == nil || !target.Local() {
		return "unknown_object", nil
	}
	r.Target = *target
	return community.ReceiveReport(b.tx, r)
}
