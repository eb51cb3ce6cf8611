package app

import (
	"log/slog"

	"github.com/chalkring/chalkring/federation"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/store"
)

// Outwards is the federation door of a command that asks other servers
// something, beside a server that may be running on the same database. Nothing
// is worked or answered. Call done at the end.
func Outwards(cfg config.Config, db *store.DB, log *slog.Logger) (door *federation.Federation, done func(), err error) {
	cfg.Host = db.Site().Host
	client, err := newEgress(cfg, Options{}, cfg.Dev())
	if err != nil {
		return nil, nil, err
	}
	return federation.New(federation.Deps{DB: db, Egress: client, Log: log, Version: Version()}), client.Close, nil
}
