package main

import (
	"context"
	"fmt"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// peerCommand decides on other servers. A decision takes effect with its
// commit, also in a server that is running.
type peerCommand struct {
	Mode   peerMode   `cmd:"" help:"Show or set what happens to unknown servers."`
	Allow  peerAllow  `cmd:"" help:"Admit servers, each by its exact name."`
	Block  peerBlock  `cmd:"" help:"Refuse servers and every name below theirs, hide what came from them, and end the follows."`
	Remove peerRemove `cmd:"" help:"Take servers off the list: they become unknown again."`
	List   peerList   `cmd:"" help:"List the servers on the list."`
	Log    peerLog    `cmd:"" help:"Show who decided what, newest first."`
}

type peerMode struct {
	Mode    string `arg:"" optional:"" enum:"allowlist,open," default:"" help:"allowlist: only allowed servers. open: all but blocked ones."`
	Confirm string `help:"To set open: this server's name, as it stands on its pages, since what was sent cannot be taken back."`
}

// Run shows or sets the mode.
func (m peerMode) Run(ctx context.Context, c *config.Config, io streams) error {
	if m.Mode == "" {
		return read(ctx, c, io, func(tx *store.Tx) error {
			mode, err := peers.ModeOf(tx)
			if err == nil {
				fmt.Fprintln(io.out, mode)
			}
			return err
		})
	}
	err := write(ctx, c, io, func(tx *store.Tx) error { return peers.SetMode(tx, 0, peers.Mode(m.Mode), m.Confirm) })
	if err == nil {
		fmt.Fprintf(io.out, "The mode is %s.\n", m.Mode)
	}
	return err
}

type peerAllow struct {
	Hosts   []string `arg:"" name:"host" help:"Names of servers, such as school.example."`
	Label   string   `help:"What people call it, such as \"Hillview Primary\"."`
	Note    string   `help:"A note for administrators."`
	Reason  string   `help:"Why, for the log."`
	Ceiling string   `enum:"none,public,network,group" default:"network" help:"The widest that may be sent there besides public posts: none, public, network or group."`
}

// Run admits servers, all or none of them.
func (a peerAllow) Run(ctx context.Context, c *config.Config, io streams) error {
	var done []peers.Peer
	err := write(ctx, c, io, func(tx *store.Tx) error {
		done = done[:0] // the transaction may run again
		for _, host := range a.Hosts {
			p, err := peers.Allow(tx, 0, host, peers.Entry{Label: a.Label, Note: a.Note, Reason: a.Reason, Ceiling: peers.Ceiling(a.Ceiling)})
			if err != nil {
				return fmt.Errorf("%s: %w", host, err)
			}
			done = append(done, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range done {
		fmt.Fprintf(io.out, "%s is allowed, up to %s.\n", p.Host, p.Ceiling)
	}
	return nil
}

type peerBlock struct {
	Hosts  []string `arg:"" name:"host" help:"Names of servers; every name below them is covered."`
	Note   string   `help:"A note for administrators."`
	Reason string   `help:"Why, for the log."`
}

// Run blocks servers, all or none of them.
func (b peerBlock) Run(ctx context.Context, c *config.Config, io streams) error {
	var done []peers.Peer
	err := write(ctx, c, io, func(tx *store.Tx) error {
		done = done[:0]
		for _, host := range b.Hosts {
			p, err := community.BlockHost(tx, 0, host, peers.Entry{Note: b.Note, Reason: b.Reason})
			if err != nil {
				return fmt.Errorf("%s: %w", host, err)
			}
			done = append(done, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range done {
		fmt.Fprintf(io.out, "%s and every name below it is blocked.\n", p.Host)
	}
	return nil
}

type peerRemove struct {
	Hosts  []string `arg:"" name:"host" help:"Names of servers."`
	Reason string   `help:"Why, for the log."`
}

// Run takes servers off the list, all or none of them.
func (r peerRemove) Run(ctx context.Context, c *config.Config, io streams) error {
	err := write(ctx, c, io, func(tx *store.Tx) error {
		for _, host := range r.Hosts {
			if err := peers.Remove(tx, 0, host, r.Reason); err != nil {
				return fmt.Errorf("%s: %w", host, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, host := range r.Hosts {
		fmt.Fprintf(io.out, "%s is off the list.\n", host)
	}
	return nil
}

type peerList struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists the entries.
func (l peerList) Run(ctx context.Context, c *config.Config, io streams) error {
	var rows []peers.Row
	err := read(ctx, c, io, func(tx *store.Tx) (err error) {
		rows, err = peers.List(tx, peers.Filter{})
		return err
	})
	if err != nil {
		return err
	}
	if l.JSON {
		type entry struct {
			Host     string         `json:"host"`
			Standing peers.Standing `json:"standing"`
			Ceiling  peers.Ceiling  `json:"ceiling"`
			Label    string         `json:"label"`
			Note     string         `json:"note"`
			Reason   string         `json:"reason"`
			Changed  time.Time      `json:"changed_at"`
		}
		out := make([]entry, len(rows))
		for i, r := range rows {
			out[i] = entry{r.Host, r.Standing, r.Ceiling, r.Label, r.Note, r.Reason, r.ChangedAt}
		}
		return printJSON(io.out, out)
	}
	return table(io.out, "HOST\tSTANDING\tCEILING\tLABEL\tCHANGED", func(row func(string, ...any)) {
		for _, r := range rows {
			row("%s\t%s\t%s\t%s\t%s", r.Host, r.Standing, r.Ceiling, r.Label, r.ChangedAt.Format(time.DateTime))
		}
	})
}

type peerLog struct {
	Host  string `arg:"" optional:"" help:"Only what concerned this server."`
	Limit int    `default:"40" help:"How many lines, 80 at most."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Run shows the log.
func (l peerLog) Run(ctx context.Context, c *config.Config, io streams) error {
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
