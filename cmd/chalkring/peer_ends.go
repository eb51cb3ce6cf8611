package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// endCommands are the ways in which connections end and go on.
type endCommands struct {
	Pause   peerPause   `cmd:"" help:"Stop everything between this server and others, and keep everything: resume makes it as it was."`
	Resume  peerResume  `cmd:"" help:"Take up connections again that were paused, have expired or were retired."`
	Retire  peerRetire  `cmd:"" help:"End connections: ties are put aside and restorable for a while, posts that nobody here used are dropped."`
	Purge   peerPurge   `cmd:"" help:"End connections, and delete all that is known of the servers in seven days."`
	Unpurge peerUnpurge `cmd:"" help:"Take a purge back before its day."`
	Impact  peerImpact  `cmd:"" help:"Show what hangs on the connection with a server: what its end would change."`
}

type ending struct {
	Hosts  []string `arg:"" name:"host" help:"Names of servers."`
	Reason string   `help:"Why, for the log."`
}

// do does one act to all of the servers or to none.
func (e ending) do(ctx context.Context, c *config.Config, io streams, how peers.Ending, says string, act func(*store.Tx, int64, string, peers.Ending) (peers.Peer, error)) error {
	how.Reason = e.Reason
	var done []peers.Peer
	err := write(ctx, c, io, func(tx *store.Tx) error {
		done = done[:0]
		for _, host := range e.Hosts {
			p, err := act(tx, 0, host, how)
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
		fmt.Fprintf(io.out, says+"\n", p.Host)
		if p.PurgeAt != nil {
			fmt.Fprintf(io.out, "What is known of it is deleted on %s.\n", p.PurgeAt.Format(time.DateTime))
		}
	}
	return nil
}

type peerPause struct{ ending }

// Run pauses connections.
func (a peerPause) Run(ctx context.Context, c *config.Config, io streams) error {
	return a.do(ctx, c, io, peers.Ending{}, "%s is paused.", peers.Pause)
}

type peerResume struct{ ending }

// Run takes connections up again.
func (a peerResume) Run(ctx context.Context, c *config.Config, io streams) error {
	return a.do(ctx, c, io, peers.Ending{}, "%s is connected again.", peers.Resume)
}

// withdrawing is what of this server's posts the other side is asked to delete.
type withdrawing struct {
	Tell     string `help:"Why, for the administrators there; only that it has ended if left out."`
	Withdraw string `enum:"none,closed,public,all" default:"closed" help:"Which of our posts their server is asked to delete: none, closed (those that are not public), public or all."`
}

func (w withdrawing) set() peers.Withdrawal {
	switch w.Withdraw {
	case "closed":
		return peers.WithdrawClosed
	case "public":
		return peers.WithdrawPublic
	case "all":
		return peers.WithdrawClosed | peers.WithdrawPublic
	}
	return 0
}

type peerRetire struct {
	ending
	withdrawing
	Keep int `default:"90" help:"For how many days posts that somebody here used are kept, and ties can be restored."`
}

// Run retires connections.
func (a peerRetire) Run(ctx context.Context, c *config.Config, io streams) error {
	return a.do(ctx, c, io, peers.Ending{Keep: time.Duration(a.Keep) * 24 * time.Hour, Withdraw: a.set(), Tell: a.Tell}, "%s is retired.", peers.Retire)
}

type peerPurge struct {
	ending
	withdrawing
}

// Run has what is known of servers deleted.
func (a peerPurge) Run(ctx context.Context, c *config.Config, io streams) error {
	return a.do(ctx, c, io, peers.Ending{Withdraw: a.set(), Tell: a.Tell}, "%s will be purged.", peers.Purge)
}

type peerUnpurge struct{ ending }

// Run takes purges back.
func (a peerUnpurge) Run(ctx context.Context, c *config.Config, io streams) error {
	return a.do(ctx, c, io, peers.Ending{}, "%s will not be purged.", peers.Unpurge)
}

type peerImpact struct {
	Host  string `arg:"" help:"Name of a server."`
	Block bool   `help:"As a block would: with every name below it."`
	CSV   bool   `name:"csv" help:"Print line by line what hangs on it, as CSV."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Run shows what hangs on a connection.
func (a peerImpact) Run(ctx context.Context, c *config.Config, io streams) error {
	var i community.Impact
	var work []community.Chore
	err := read(ctx, c, io, func(tx *store.Tx) (err error) {
		if a.CSV {
			out := csv.NewWriter(io.out)
			if err := out.Write(community.ImpactHead()); err != nil {
				return err
			}
			err = community.EachImpact(tx, a.Host, a.Block, func(cells []string) error { return out.Write(text.SheetRow(cells)) })
			out.Flush()
			return err
		}
		if i, err = community.ImpactOf(tx, a.Host, a.Block); err != nil {
			return err
		}
		work, err = community.ChoresAbout(tx, i.Host)
		return err
	})
	if err != nil || a.CSV {
		return err
	}
	if a.JSON {
		return printJSON(io.out, map[string]any{"host": i.Host, "people": i.People, "following": i.Following, "followers": i.Followers, "requests": i.Requests,
			"groups": i.Groups, "threads": i.Threads, "quotes": i.Quotes, "posts_used": i.Used, "posts_unused": i.Unused(),
			"ours_closed": i.OursClosed, "ours_public": i.OursPublic, "waiting": i.Waiting})
	}
	err = table(io.out, "WHAT\tHOW MANY", func(row func(string, ...any)) {
		row("people here with ties\t%d", i.People)
		row("follows of people there\t%d", i.Following)
		row("followers from there\t%d", i.Followers)
		row("requests that wait\t%d", i.Requests)
		row("memberships in groups there\t%d", i.Groups)
		row("conversations of the last 30 days\t%d", i.Threads)
		row("posts here that quote theirs\t%d", i.Quotes)
		row("posts from there, used here\t%d", i.Used)
		row("posts from there, not used\t%d", i.Unused())
		row("posts of ours it may have, not public\t%d", i.OursClosed)
		row("public posts of ours it may have\t%d", i.OursPublic)
		row("messages that wait for it\t%d", i.Waiting)
	})
	for _, w := range work {
		fmt.Fprintf(io.out, "Being done: %s, %d of %d.\n", w.Kind, w.Done, max(w.Total, w.Done))
	}
	return err
}
