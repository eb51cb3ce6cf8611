package app

import (
	"context"
	"errors"
	"time"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// sweep is work that waits for the clock: the package it cares for says what
// to do, this file when.
type sweep struct {
	name  string
	every time.Duration
	run   func(ctx context.Context) error
}

// maxRemoteMedia bounds the copies kept of other servers' pictures.
const maxRemoteMedia = 2 << 30

func (s *Server) sweeps() []sweep {
	write := func(fn func(tx *store.Tx) error) func(context.Context) error {
		return func(ctx context.Context) error { return s.db.Write(ctx, fn) }
	}
	return []sweep{
		{"community", 10 * time.Minute, s.sweepCommunity},
		{"polls", time.Minute, s.sweepPolls},
		{"announcements", time.Minute, write(community.SweepAnnouncements)},
		{"scheduled posts", time.Minute, s.publishScheduled},
		{"sign-in", time.Hour, write(auth.Sweep)},
		{"peers", time.Hour, write(peers.Sweep)},
		{"requests to connect", time.Hour, write(community.SweepPeering)},
		{"imports", time.Hour, write(community.SweepImports)},
		{"held", 10 * time.Minute, s.sweepHeld},
		{"ends of connections", time.Minute, s.sweepEnds},
		{"loose uploads", time.Hour, write(func(tx *store.Tx) error {
			_, err := media.SweepLoose(tx)
			return err
		})},
		{"media files", 6 * time.Hour, s.sweepMedia},
		{"database statistics", s.statisticsEvery(), s.db.Optimize},
	}
}

// statisticsEvery is how often the statistics of the database are refreshed.
func (s *Server) statisticsEvery() time.Duration {
	if s.db.Dialect() == store.SQLite {
		return 10 * time.Minute
	}
	return 24 * time.Hour
}

// sweepCommunity deletes what served its time, some at a time so that nobody
// waits long for their turn to write.
func (s *Server) sweepCommunity(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		err := s.db.Write(ctx, func(tx *store.Tx) (err error) {
			more, err = community.Sweep(tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweepHeld has what nobody looked at in time expire.
func (s *Server) sweepHeld(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		err := s.db.Write(ctx, func(tx *store.Tx) (err error) {
			more, err = community.SweepHeld(tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweepEnds has done what has come due about connections that are for a time or have ended.
func (s *Server) sweepEnds(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		err := s.db.Write(ctx, func(tx *store.Tx) (err error) {
			more, err = community.SweepEnds(tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweepPolls ends polls whose time is over and has new results told.
func (s *Server) sweepPolls(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		err := s.db.Write(ctx, func(tx *store.Tx) (err error) {
			more, err = community.SweepPolls(tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// publishScheduled publishes the posts whose time has come. What their author may
// not do any more is kept with the reason; any other failure is tried again.
func (s *Server) publishScheduled(ctx context.Context) error {
	var due []int64
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		due, err = community.DueScheduled(tx, 100)
		return err
	})
	if err != nil {
		return err
	}
	var failed error
	for _, id := range due {
		err := s.db.Write(ctx, func(tx *store.Tx) error { return community.PublishScheduled(tx, id) })
		if err == nil {
			continue
		}
		if f := fault.Of(err); f.Kind != fault.Internal {
			err = s.db.Write(ctx, func(tx *store.Tx) error { return community.RefuseScheduled(tx, id, f.Error()) })
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

func (s *Server) sweepMedia(ctx context.Context) error {
	now := s.db.Now()
	_, err := s.library.Sweep(ctx, now, func(ctx context.Context, names []string) (known map[string]bool, err error) {
		err = s.db.Read(ctx, func(tx *store.Tx) error {
			known, err = media.Known(tx, names)
			return err
		})
		return known, err
	})
	if err != nil {
		return err
	}
	_, err = s.library.SweepRemote(ctx, now, maxRemoteMedia)
	return err
}

// runSweeps runs each sweep when its time has come, the first of them a few
// minutes after the start. One that fails is logged and comes again.
func (s *Server) runSweeps(ctx context.Context) error {
	all := s.sweeps()
	start := s.db.Now()
	due := make([]time.Time, len(all))
	for i := range all {
		due[i] = start.Add(min(time.Duration(5+i)*time.Minute, all[i].every))
	}
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for i, w := range all {
			now := s.db.Now()
			if now.Before(due[i]) || ctx.Err() != nil {
				continue
			}
			due[i] = now.Add(w.every)
			if err := w.run(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("sweep failed", "sweep", w.name, "err", err)
			}
		}
	}
}
