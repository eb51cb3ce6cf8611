package app

import (
	"context"
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// Settle waits until none of the servers has anything left to do for the
// others: nothing to receive, to spread or to deliver. It asks their tables,
// twice around, and between the two rounds nothing may have been written
// anywhere. Tests and the demonstration, which run many servers in one
// process, go on from there.
func Settle(ctx context.Context, servers ...*Server) error {
	for pause := time.Millisecond; ; pause = min(pause*2, 25*time.Millisecond) {
		before, quiet, err := round(ctx, servers)
		if err == nil && quiet {
			var after int64
			if after, quiet, err = round(ctx, servers); err == nil && quiet && after == before {
				return nil
			}
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// round asks every server once. writes is how often they have written so far.
func round(ctx context.Context, servers []*Server) (writes int64, quiet bool, err error) {
	quiet = true
	for _, s := range servers {
		held, err := s.heldInVain(ctx)
		if err != nil {
			return 0, false, err
		}
		quiet = quiet && !held && s.federation.Settled(ctx)
		writes += s.db.Stats().Writes
	}
	return writes, quiet, nil
}

// heldInVain reports whether a lane waits for a server to be allowed that is
// allowed already: the news of it has yet to be heard.
func (s *Server) heldInVain(ctx context.Context) (held bool, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Raw(`SELECT EXISTS (SELECT 1 FROM lanes JOIN peers ON peers.host = lanes.host AND peers.standing = 'allowed'
			WHERE lanes.waiting AND lanes.queue = 'deliveries' AND lanes.failures = 0 AND lanes.next_at > ?)`, tx.Now).Scan(&held).Error
	})
	return held, err
}
