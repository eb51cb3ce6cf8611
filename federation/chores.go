package federation

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/egress"
	"github.com/chalkring/chalkring/internal/fault"
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
		f.silence(ctx)
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
	case community.ChoreRestore:
		err = f.doRestore(ctx, c)
	case community.ChoreWithdraw:
		err = f.doWithdraw(ctx, c)
	case community.ChoreDrop:
		err = f.doDrop(ctx, c)
	case community.ChoreImport:
		err = f.db.Write(ctx, func(tx *store.Tx) (err error) { // too long a piece to share a transaction
			again, err = community.DoImport(tx, c)
			return err
		})
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

// doSever ends the follows to and from a server that was blocked or retired,
// and tells it so, once. These and what doWithdraw says are the only things
// that are said to a server that is not admitted: without them, its people
// would go on waiting for ours. What it answers is not looked at, and where it
// does not answer it is left alone.
//
// FEDERATION.md, "Who is talked to".
func (f *Federation) doSever(ctx context.Context, c community.Chore) error {
	failed := 0
	for left := true; left && ctx.Err() == nil; {
		var out []farewell
		err := f.db.Batch(ctx, func(tx *store.Tx) error {
			now, there, err := community.ChoreNow(tx, c)
			if left = there; err != nil || !there {
				return err
			}
			told, more, err := community.SeverMore(tx, now)
			if err != nil {
				return err
			}
			left = more
			if out, err = f.farewells(tx, told); err != nil {
				return err
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

// farewells puts what is told into the form in which it goes out.
func (f *Federation) farewells(tx *store.Tx, told []community.Farewell) ([]farewell, error) {
	var out []farewell
	for _, t := range told {
		said := farewell{host: t.Host, inbox: t.Inbox}
		var err error
		if said.body, err = f.render(tx, t.Outgoing); err != nil {
			return nil, err
		}
		if said.keys, err = f.keysOf(tx, t.ActorID); err != nil {
			if fault.Is(err, fault.NotFound) { // of somebody who has left meanwhile
				continue
			}
			return nil, err
		}
		out = append(out, said)
	}
	return out, nil
}

// mostWithdrawals is for how many tries a server that does not answer is asked
// to delete what it has of ours: about four days.
const mostWithdrawals = 20

// doWithdraw asks a server to delete posts of ours, since the connection has
// ended and whoever ended it wanted that. A piece that did not arrive is said
// again later.
func (f *Federation) doWithdraw(ctx context.Context, c community.Chore) error {
	for ctx.Err() == nil {
		var out []farewell
		var then community.Chore
		left := false
		err := f.db.Read(ctx, func(tx *store.Tx) error {
			now, there, err := community.ChoreNow(tx, c)
			if err != nil || !there {
				return err
			}
			var told []community.Farewell
			if told, then, left, err = community.WithdrawMore(tx, now); err != nil {
				return err
			}
			out, err = f.farewells(tx, told)
			return err
		})
		if err != nil {
			return err
		}
		if !left {
			return f.endChore(ctx, c)
		}
		for _, said := range out {
			if f.say(ctx, said) {
				continue
			}
			if c.Tries >= mostWithdrawals {
				return f.endChore(ctx, c)
			}
			return fmt.Errorf("%s does not answer", said.host)
		}
		err = f.db.Batch(ctx, func(tx *store.Tx) error {
			if err := community.Withdrawn(tx, then); err != nil {
				return err
			}
			return community.PutOff(tx, c, tx.Now.Add(choreLease), false)
		})
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// doRestore takes up again the ties with a server that is connected again.
func (f *Federation) doRestore(ctx context.Context, c community.Chore) error {
	for left := true; left && ctx.Err() == nil; {
		err := f.db.Batch(ctx, func(tx *store.Tx) error {
			now, there, err := community.ChoreNow(tx, c)
			if left = there; err != nil || !there {
				return err
			}
			if left, err = community.RestoreMore(tx, now); err != nil {
				return err
			}
			return community.PutOff(tx, c, tx.Now.Add(choreLease), false)
		})
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return f.endChore(ctx, c)
}

// dropTurn is how many pieces are dropped before other chores have their turn.
const dropTurn = 20

// doDrop drops what is known of a server, the copies of pictures first: files
// without rows can be found by nobody, rows without files are dropped the next
// time.
func (f *Federation) doDrop(ctx context.Context, c community.Chore) error {
	for range dropTurn {
		var d community.Dropping
		due := false
		var now community.Chore
		err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
			if now, due, err = community.ChoreNow(tx, c); err == nil && due {
				d, due, err = community.DropNext(tx, now)
			}
			return err
		})
		if err != nil {
			return err
		}
		if !due {
			return f.endDrop(ctx, c)
		}
		if f.forget != nil {
			if err := f.forget(d.Files...); err != nil {
				return err
			}
		}
		left := false
		err = f.db.Batch(ctx, func(tx *store.Tx) (err error) {
			if left, err = community.DropMore(tx, now, d); err == nil && left {
				err = community.PutOff(tx, c, tx.Now, false)
			}
			return err
		})
		if err != nil || !left {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	nudge(f.choreNow)
	return nil
}

// endDrop ends a chore that has nothing to do now, or lets it wait for a purge
// that is decided and not due.
func (f *Federation) endDrop(ctx context.Context, c community.Chore) error {
	return f.db.Batch(ctx, func(tx *store.Tx) error {
		p, err := peers.Get(tx, c.Subject)
		switch {
		case err == nil && p.PurgeAt != nil && tx.Now.Before(*p.PurgeAt):
			return community.PutOff(tx, c, *p.PurgeAt, false)
		case err != nil && !fault.Is(err, fault.NotFound):
			return err
		}
		return community.EndChore(tx, c)
	})
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
