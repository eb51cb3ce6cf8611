package main

import (
	"context"
	"fmt"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// peerHeld decides on what waits to be looked at, as the page "Waiting for
// review" does.
type peerHeld struct {
	List peerHeldList `cmd:"" help:"List what waits for review, the latest first."`
	Pass peerHeldPass `cmd:"" help:"Let it pass: by number, or all of a server."`
	Drop peerHeldDrop `cmd:"" help:"Drop it: by number, or all of a server."`
}

type peerHeldList struct {
	Host    string `name:"peer" help:"Only what waits of this server."`
	Decided bool   `help:"What was decided instead."`
	Text    bool   `help:"Print what it says, too."`
	Limit   int    `default:"40" help:"How many, 80 at most."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Run lists what waits.
func (l peerHeldList) Run(ctx context.Context, c *config.Config, io streams) error {
	var list []community.HeldView
	err := read(ctx, c, io, func(tx *store.Tx) (err error) {
		list, err = community.Held(tx, community.HeldFilter{Peer: l.Host, Decided: l.Decided}, store.Page{Limit: l.Limit})
		return err
	})
	if err != nil {
		return err
	}
	if l.JSON {
		type item struct {
			ID       int64     `json:"id,string"`
			Server   string    `json:"server"`
			Author   string    `json:"author"`
			Kind     string    `json:"kind"`
			Why      string    `json:"why"`
			Received time.Time `json:"received_at"`
			Address  string    `json:"address"`
			Decision string    `json:"decision"`
			Reason   string    `json:"reason"`
			Text     string    `json:"text,omitempty"`
		}
		out := make([]item, len(list))
		for i, v := range list {
			out[i] = item{v.ID, v.Peer, v.Author.Handle(c.Host), string(v.Kind), v.Why, v.ReceivedAt, v.ObjectURI, v.Decision, v.Reason, ""}
			if l.Text {
				out[i].Text = text.Plain(v.Said.HTML)
			}
		}
		return printJSON(io.out, out)
	}
	err = table(io.out, "ID\tSERVER\tAUTHOR\tKIND\tWHY\tRECEIVED\tDECISION", func(row func(string, ...any)) {
		for _, v := range list {
			row("%d\t%s\t%s\t%s\t%s\t%s\t%s", v.ID, v.Peer, v.Author.Handle(c.Host), v.Kind, v.Why, v.ReceivedAt.Format(time.DateTime), v.Decision)
		}
	})
	if err != nil || !l.Text {
		return err
	}
	for _, v := range list {
		fmt.Fprintf(io.out, "\n%d\n%s\n%s\n", v.ID, v.Said.Title, text.Plain(v.Said.HTML))
	}
	return nil
}

type peerHeldPass struct {
	IDs    []int64 `arg:"" optional:"" name:"id" help:"Numbers, as list shows them."`
	Host   string  `name:"peer" help:"All that waits of this server."`
	Author bool    `help:"Let their authors pass from now on, too."`
	Reason string  `help:"Why, for the log."`
}

// Run lets what waits pass. It is shown when the server that runs has taken it in.
func (p peerHeldPass) Run(ctx context.Context, c *config.Config, io streams) error {
	if len(p.IDs) == 0 && p.Host == "" {
		return fmt.Errorf("name numbers, or a server with --peer")
	}
	passed := 0
	err := write(ctx, c, io, func(tx *store.Tx) error {
		passed = 0
		if p.Author {
			for _, id := range p.IDs {
				v, err := community.HeldByID(tx, id)
				if err != nil {
					return err
				}
				n, err := community.PassAuthor(tx, 0, v.AccountID, p.Reason)
				if err != nil {
					return err
				}
				passed += n
			}
		} else if len(p.IDs) > 0 {
			n, err := community.PassHeld(tx, 0, p.IDs, p.Reason)
			if err != nil {
				return err
			}
			passed = n
		}
		if p.Host == "" {
			return nil
		}
		n, err := community.PassHeldOf(tx, 0, p.Host, p.Reason)
		passed += n
		return err
	})
	if err == nil {
		fmt.Fprintf(io.out, "%d passed.\n", passed)
	}
	return err
}

type peerHeldDrop struct {
	IDs    []int64 `arg:"" optional:"" name:"id" help:"Numbers, as list shows them."`
	Host   string  `name:"peer" help:"All that waits of this server."`
	Reason string  `help:"Why, for the log."`
}

// Run drops what waits.
func (d peerHeldDrop) Run(ctx context.Context, c *config.Config, io streams) error {
	if len(d.IDs) == 0 && d.Host == "" {
		return fmt.Errorf("name numbers, or a server with --peer")
	}
	dropped := 0
	err := write(ctx, c, io, func(tx *store.Tx) error {
		n, err := 0, error(nil)
		if len(d.IDs) > 0 {
			if n, err = community.DropHeld(tx, 0, d.IDs, d.Reason); err != nil {
				return err
			}
		}
		dropped = n
		if d.Host == "" {
			return nil
		}
		n, err = community.DropHeldOf(tx, 0, d.Host, d.Reason)
		dropped += n
		return err
	})
	if err == nil {
		fmt.Fprintf(io.out, "%d dropped.\n", dropped)
	}
	return err
}
