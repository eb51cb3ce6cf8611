package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/config"
)

type serveCommand struct{}

// Run serves until the process is told to stop.
func (serveCommand) Run(ctx context.Context, c *config.Config, io streams) error {
	tuneMemory()
	log := logger(c, io.err)
	s, err := app.New(ctx, *c, app.Options{Log: log})
	if err != nil {
		return err
	}
	link, err := s.SetupLink(ctx)
	if err != nil {
		return errors.Join(err, s.Close(ctx))
	}
	if link != "" {
		fmt.Fprintf(io.out, "\nThis server has no owner yet. To set it up, open this link, which works once:\n\n  %s\n\n", link)
	}
	stop := settle()
	defer stop()
	return s.Run(ctx)
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(io streams) error {
	_, err := fmt.Fprintln(io.out, "chalkring", app.Version())
	return err
}
