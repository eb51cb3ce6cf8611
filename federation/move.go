package federation

import (
	"context"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// moveWithin is how long the server of a new account may be silent before a
// move there is given up.
const moveWithin = 72 * time.Hour

// receiveMove takes in that somebody says they have moved. The new account
// must say so too; whoever works the chore asks it.
//
// FEP-7628 (move actor).
func (f *Federation) receiveMove(b *book, actor community.Account, a *as2.Activity) (string, error) {
	if a.ObjectID != a.Actor {
		return "foreign", nil
	}
	if _, err := iri.HostOf(a.Target); err != nil || len(a.Target) > maxAddress {
		return "ignored", nil
	}
	asks, err := community.ReceiveMove(b.tx, actor, a.Target)
	if err == nil && !asks {
		return "known", nil
	}
	return "", err
}

// renderMove writes that somebody here has moved.
//
// FEP-7628 (move actor).
func (f *Federation) renderMove(o community.Outgoing, a *as2.Activity) error {
	a.Type, a.ObjectID, a.Target = "Move", a.Actor, o.ObjectURI
	a.To = []string{f.site.Followers(o.ActorID)}
	return nil
}

// doMove works a move: it asks the new account whether it is the old one's,
// and if so has everybody here who follows the old one follow the new.
func (f *Federation) doMove(ctx context.Context, c community.Chore) error {
	var old community.Account
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		old, err = community.AccountByID(tx, *c.AccountID)
		return err
	})
	if err != nil {
		return err
	}
	host, _ := iri.HostOf(c.Subject) // Fresh says what is wrong with it
	silent := "silent " + host
	if f.refetched.recent(silent, f.db.Now(), failedFor) { // other chores must not wait for it again and again
		f.putOff(ctx, c)
		return nil
	}
	to, err := f.Fresh(ctx, c.Subject)
	if fault.Of(err).Key == "federation.no_answer" {
		f.refetched.allow(silent, f.db.Now(), failedFor)
	}
	switch {
	case fault.Is(err, fault.Unavailable) && f.db.Now().Sub(c.CreatedAt) < moveWithin:
		f.putOff(ctx, c)
		return nil
	case err != nil:
		f.log.Debug("move not followed", "account", old.ID, "err", err)
		return f.endChore(ctx, c)
	}
	believed := false
	err = f.db.Batch(ctx, func(tx *store.Tx) error {
		goesOn, err := community.HoldChore(tx, c, tx.Now.Add(choreLease))
		if believed = goesOn; err != nil || !goesOn {
			return err
		}
		believed, err = community.Moved(tx, old, to)
		return err
	})
	if peers.Refused(err) || err == nil && !believed {
		return f.endChore(ctx, c)
	}
	for left := true; left && err == nil && ctx.Err() == nil; {
		err = f.db.Batch(ctx, func(tx *store.Tx) (err error) {
			// Whoever moves may stay after all, at any moment.
			if left, err = community.HoldChore(tx, c, tx.Now.Add(choreLease)); err != nil || !left {
				return err
			}
			if left, err = community.MoveMore(tx, old, to); err != nil || left {
				return err
			}
			return community.EndChore(tx, c)
		})
	}
	return err
}

// Fresh returns the account with a handle or an address as its own server
// tells it now, whatever is on record: what somebody says of another account
// counts only if that account still says it.
func (f *Federation) Fresh(ctx context.Context, handleOrURL string) (community.Account, error) {
	asked := store.Millis(f.db.Now())
	account, err := f.Resolve(ctx, handleOrURL)
	if err != nil || account.Local() {
		return account, err
	}
	if account.FetchedAt != nil && !account.FetchedAt.Before(asked) {
		return account, nil // it was fetched just now
	}
	return f.fetchActor(ctx, *account.URI)
}
