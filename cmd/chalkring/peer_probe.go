package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/web"
)

// peerTry tests the connection with a server, as its page does.
type peerTry struct {
	Host string `arg:"" help:"Name of the server."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run tests a connection. It fails if a step does, so that a script can tell.
func (t peerTry) Run(ctx context.Context, c *config.Config, io streams) error {
	server, err := app.New(ctx, *c, app.Options{Log: slog.New(slog.DiscardHandler), External: true})
	if err != nil {
		return err
	}
	steps, err := server.Federation().Probe(ctx, t.Host)
	if err = errors.Join(err, server.Close(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	words, err := web.LoadCatalogue(time.Local)
	if err != nil {
		return err
	}
	l := words.For("", "")
	stops := false
	type line struct {
		Step   string           `json:"step"`
		State  peers.ProbeState `json:"state"`
		Words  string           `json:"words"`
		Advice string           `json:"advice,omitempty"`
	}
	var lines []line
	for _, s := range steps {
		name, says, advice := web.ProbeWords(l, s)
		stops = stops || s.State == peers.ProbeBad
		lines = append(lines, line{s.Step, s.State, says, advice})
		if t.JSON {
			continue
		}
		fmt.Fprintf(io.out, "%-5s %s: %s\n", s.State, name, says)
		if advice != "" {
			fmt.Fprintf(io.out, "      %s\n", advice)
		}
	}
	if t.JSON {
		if err := json.NewEncoder(io.out).Encode(lines); err != nil {
			return err
		}
	}
	if stops {
		return errors.New("something stands in the way")
	}
	return nil
}
