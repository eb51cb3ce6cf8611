package app

import (
	"context"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// watchEvery is how soon this process notices what a command did to its
// SQLite database. Every decision reads the row, so nothing wrong is done
// meanwhile; only what waits would go on waiting.
const watchEvery = time.Second

// watchCommands passes on what "chalkring peer …" decided in another process.
// On Postgres LISTEN does that; SQLite tells nobody, but every such decision is
// a line in the audit log, so the newest line is looked at each second.
func (s *Server) watchCommands(ctx context.Context) error {
	if s.db.Dialect() != store.SQLite {
		return nil
	}
	last, err := s.lastDecision(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		lines, err := s.decisionsSince(ctx, last)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Error("other processes' decisions not read", "err", err)
			}
			continue
		}
		for _, l := range lines {
			last = max(last, l.ID)
			if host, ok := policyHost(l); ok {
				if err := s.announcePolicy(ctx, host); err != nil && ctx.Err() == nil {
					s.log.Error("change of policy not passed on", "host", host, "err", err)
				}
			}
		}
	}
}

func (s *Server) lastDecision(ctx context.Context) (id int64, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Raw("SELECT COALESCE(MAX(id), 0) FROM audit").Scan(&id).Error
	})
	return id, err
}

func (s *Server) decisionsSince(ctx context.Context, id int64) (lines []peers.Line, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.Where("id > ?", id).Order("id").Limit(100).Find(&lines).Error
	})
	return lines, err
}

// policyHost says whose policy a line of the log changed: a host's, or with ""
// everyone's.
func policyHost(l peers.Line) (string, bool) {
	switch {
	case strings.HasPrefix(l.Action, "peer."):
		return l.Subject, true
	case l.Action == "mode":
		return "", true
	}
	return "", false
}

func (s *Server) announcePolicy(ctx context.Context, host string) error {
	return s.db.Write(ctx, func(tx *store.Tx) error {
		tx.AnnounceKey(peers.Changed, host)
		return nil
	})
}
