package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"time"

	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

type peerLog struct {
	Host   string `arg:"" optional:"" help:"Only what concerned this server."`
	Limit  int    `default:"40" help:"How many lines, 80 at most."`
	JSON   bool   `name:"json" help:"Print JSON."`
	Export string `enum:"csv,json," default:"" help:"Print all of it from the first line on, each line with its seal: csv, or json with one line each."`
	Verify bool   `help:"See whether the log is as it was written, and print its latest seal."`
}

// Run shows, exports or verifies the log.
func (l peerLog) Run(ctx context.Context, c *config.Config, io streams) error {
	switch {
	case l.Verify:
		return l.verify(ctx, c, io)
	case l.Export != "":
		return l.export(ctx, c, io)
	}
	var lines []peers.Line
	err := read(ctx, c, io, func(tx *store.Tx) (err error) {
		lines, err = peers.Audit(tx, l.Host, store.Page{Limit: l.Limit})
		return err
	})
	if err != nil {
		return err
	}
	if l.JSON {
		type line struct {
			At      time.Time `json:"at"`
			By      *int64    `json:"by"`
			Action  string    `json:"action"`
			Subject string    `json:"subject"`
			Before  string    `json:"before"`
			After   string    `json:"after"`
			Reason  string    `json:"reason"`
		}
		out := make([]line, len(lines))
		for i, e := range lines {
			out[i] = line{e.CreatedAt, e.ActorID, e.Action, e.Subject, e.Before, e.After, e.Reason}
		}
		return printJSON(io.out, out)
	}
	return table(io.out, "WHEN\tBY\tACTION\tSUBJECT\tREASON", func(row func(string, ...any)) {
		for _, e := range lines {
			by := "command line"
			if e.ActorID != nil {
				by = fmt.Sprint("account ", *e.ActorID)
			}
			row("%s\t%s\t%s\t%s\t%s", e.CreatedAt.Format(time.DateTime), by, e.Action, e.Subject, e.Reason)
		}
	})
}

func (l peerLog) export(ctx context.Context, c *config.Config, io streams) error {
	return read(ctx, c, io, func(tx *store.Tx) error {
		if l.Export == "json" {
			e := json.NewEncoder(io.out)
			e.SetEscapeHTML(false)
			return peers.EachChained(tx, l.Host, func(line peers.Chained) error { return e.Encode(line.Export()) })
		}
		out := csv.NewWriter(io.out)
		if err := out.Write(peers.ExportHead()); err != nil {
			return err
		}
		err := peers.EachChained(tx, l.Host, func(line peers.Chained) error { return out.Write(text.SheetRow(line.Export().Cells())) })
		out.Flush()
		return err
	})
}

func (l peerLog) verify(ctx context.Context, c *config.Config, io streams) error {
	var v peers.Verified
	err := read(ctx, c, io, func(tx *store.Tx) (err error) {
		v, err = peers.Verify(tx)
		return err
	})
	switch {
	case err != nil:
		return err
	case v.Broken != 0:
		return fmt.Errorf("the log is not as it was written, from line %d on: %s", v.Broken, v.Why)
	}
	fmt.Fprintf(io.out, "The log is whole: %d lines. Latest seal: %s\n", v.Lines, v.Head)
	if v.Why != "" {
		fmt.Fprintln(io.out, v.Why)
	}
	return nil
}
