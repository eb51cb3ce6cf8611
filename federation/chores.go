package federation

import (
	"context"
	"net/http"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// choreFallback is how often chores are looked for without news of any.
	choreFallback = 15 * time.Second
	// choreLease is how long one piece of a chore may take before another node
	// may take the chore over.
	choreLease = 2 * time.Minute
	// mostChores is how many chores are done in one go.
	mostChores = 20
	// mostFarewells is how many of them may fail before the rest is left unsaid.
	mostFarewells = 3
)

// runChores does what deeds left to be done piece by piece, until ctx ends.
func (f *Federation) runChores(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.choreNow:
		case <-timer.C:
		}
		for f.doChores(ctx) {
		}
		f.eraseAgain(ctx)
		timer.Reset(choreFallback)
	}
}

// doChores does the chores whose time has come, and reports whether there may
// be more.
func (f *Federation) doChores(ctx context.Context) (more bool) {
	f.asideCount.Add(1) // so that nothing is thought settled meanwhile
	defer f.asideCount.Add(-1)
	var due []community.Chore
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		due, err = community.DueChores(tx, mostChores)
		return err
	})
	if err != nil && ctx.Err() == nil {
		f.log.Error("chores not listed", "err", err)
	}
	for _, c := range due {
		for ctx.Err() == nil {
			again, err := f.doChore(ctx, c)
			if err != nil && ctx.Err() == nil {
				f.log.Error("chore failed", "chore", c.Kind, "id", c.ID, "tries", c.Tries, "err", err)
				f.putOff(ctx, c)
			}
			if err != nil || !again {
				break
			}
		}
	}
	return len(due) == mostChores && ctx.Err() == nil
}

// doChore does one piece of a chore, and reports whether there is another to
// do at once.
func (f *Federation) doChore(ctx context.Context, c community.Chore) (again bool, err error) {
	mine := false
	err = f.db.Batch(ctx, func(tx *store.Tx) (err error) {
		mine, err = community.ClaimChore(tx, c, tx.Now.Add(choreLease))
		return err
	})
	if err != nil || !mine {
		return false, err
	}
	switch c.Kind {
	case community.ChoreErase:
		err = f.db.Batch(ctx, func(tx *store.Tx) (err error) {
			if again, err = community.EraseMore(tx, c); err == nil && again {
				err = community.PutOff(tx, c, tx.Now, false)
			}
			return err
		})
	case community.ChoreMove:
		err = f.doMove(ctx, c)
	case community.ChoreSever:
		err = f.doSever(ctx, c)
	}
	return again, err
}

// putOff has a chore that failed wait, longer each time.
func (f *Federation) putOff(ctx context.Context, c community.Chore) {
	err := f.db.Batch(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return community.PutOff(tx, c, tx.Now.Add(pauseAfter(c.Tries+3)), true)
	})
	if err != nil {
		f.log.Error("chore not put off", "id", c.ID, "err", err)
	}
}

func (f *Federation) endChore(ctx context.Context, c community.Chore) error {
	return f.db.Batch(ctx, func(tx *store.Tx) error { return community.EndChore(tx, c) })
}

// doSever ends the follows to and from a server that was blocked, and tells it
// so, once. This is the one thing that is said to a server that is not
// admitted: without it, its people would go on waiting for ours. What it
// answers is not looked at, and where it does not answer it is left alone.
//
// FEDERATION.md, "Who is talked to".
func (f *Federation) doSever(ctx context.Context, c community.Chore) error {
	failed := 0
	for left := true; left && ctx.Err() == nil; {
		var out []farewell
		err := f.db.Batch(ctx, func(tx *store.Tx) error {
			out = out[:0]
			told, more, err := community.SeverMore(tx, c)
			if err != nil {
				return err
			}
			left = more
			for _, t := range told {
				said := farewell{host: t.Host, inbox: t.Inbox}
				if said.body, err = f.render(tx, t.Outgoing); err != nil {
					return err
				}
				if said.keys, err = f.keysOf(tx, t.ActorID); err != nil {
					return err
				}
				out = append(out, said)
			}
			return community.PutOff(tx, c, tx.Now.Add(choreLease), false)
		})
		if err != nil {
			return err
		}
		for _, said := range out {
			if failed < mostFarewells && !f.say(ctx, said) {
				failed++
			}
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return f.endChore(ctx, c)
}

// farewell is a last word, as it goes out.
type farewell struct {
	host, inbox string
	body        []byte
	keys        signer
}

func (f *Federation) say(ctx context.Context, said farewell) bool {
	if at, err := iri.HostOf(said.inbox); err != nil || at != said.host {
		return true // nothing that trying again would change
	}
	within, cancel := context.WithTimeout(ctx, deliverWithin)
	defer cancel()
	_, err := f.egress.Post(within, egress.Request{
		URL: said.inbox, Accept: acceptActivity, ContentType: activityJSON, Body: said.body, MaxBody: 64 << 10,
		Sign: func(req *http.Request) error { return said.keys.sign(peers.SignsCavage, req, said.body, f.db.Now()) },
	})
	return err == nil
}
