package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/web"
)

// listCommands give out lists of servers and follow those of others. What is
// decided takes effect in a server that is running.
type listCommands struct {
	Published     peerPublished     `cmd:"" help:"Make lists of servers and give them out, for others to follow."`
	Subscribe     peerSubscribe     `cmd:"" help:"Follow a list of servers of somebody else."`
	Subscriptions peerSubscriptions `cmd:"" help:"Show the lists that are followed, and decide about them."`
	Drafts        peerDrafts        `cmd:"" help:"Show what lists propose, and decide."`
	Exclude       peerExclude       `cmd:"" help:"Keep servers from being touched by lists."`
}

// subOptions are what follows from a list.
type subOptions struct {
	AutoAccept bool   `help:"What it adds and changes takes effect by itself."`
	AutoResume bool   `help:"What it paused in an emergency goes on by itself when that is over."`
	Adopt      bool   `help:"Servers from lists that are followed no more count as from this one."`
	TierCap    string `enum:"network,friendly,trial,listen" default:"network" help:"At most, a server is dealt with as: network, friendly, trial or listen."`
	Group      string `help:"Lists of one group are counted together."`
	Quorum     int64  `help:"How many lists of the group must name a server."`
	Priority   int64  `help:"Of lists that name the same server the one with the highest number counts."`
	OnRetract  string `enum:"review,remove,ignore" default:"review" help:"When it takes a server back: review, remove or ignore."`
}

func (o subOptions) form() peers.SubForm {
	return peers.SubForm{AutoAccept: o.AutoAccept, AutoResume: o.AutoResume, Adopt: o.Adopt, TierCap: peers.Preset(o.TierCap), Group: o.Group, Quorum: o.Quorum,
		Priority: o.Priority, OnRetract: peers.OnRetract(o.OnRetract)}
}

type peerSubscribe struct {
	URL         string `arg:"" name:"url" help:"The list's address."`
	Fingerprint string `help:"Of its publisher's key, if you were given it; else it is shown by subscriptions, to be confirmed."`
	subOptions  `embed:""`
}

// Run begins to follow a list. A server that is running fetches it at once.
func (s peerSubscribe) Run(ctx context.Context, c *config.Config, io streams) error {
	err := write(ctx, c, io, func(tx *store.Tx) error {
		_, err := peers.Subscribe(tx, 0, s.URL, s.Fingerprint, s.form())
		return err
	})
	if err == nil {
		fmt.Fprintln(io.out, "The list is followed. Once the server has fetched it, see: chalkring peer subscriptions")
	}
	return err
}

type peerSubscriptions struct {
	List    subsList    `cmd:"" default:"1" help:"List the lists that are followed."`
	Confirm subsConfirm `cmd:"" help:"Confirm the key of a list's publisher."`
	Let     subsLet     `cmd:"" help:"Let the mass change through that stopped a list."`
	Set     subsSet     `cmd:"" help:"Change what follows from a list."`
	Fetch   subsFetch   `cmd:"" help:"Have a list looked at now."`
	Stop    subsStop    `cmd:"" help:"Leave a list alone for now."`
	Start   subsStart   `cmd:"" help:"Go on with a list that was stopped by hand."`
	End     subsEnd     `cmd:"" help:"Follow a list no more."`
}

// found is the subscription that a number or an address names.
func found(tx *store.Tx, what string) (peers.Subscription, error) {
	if id, err := strconv.ParseInt(what, 10, 64); err == nil {
		return peers.SubscriptionByID(tx, id)
	}
	return peers.SubscriptionByURL(tx, what)
}

type subsList struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists the lists that are followed.
func (list subsList) Run(ctx context.Context, c *config.Config, io streams) error {
	var all []peers.Subscription
	var counts []peers.DraftCount
	err := read(ctx, c, io, func(tx *store.Tx) (err error) {
		if all, err = peers.Subscriptions(tx); err != nil {
			return err
		}
		counts, err = peers.CountDrafts(tx)
		return err
	})
	if err != nil {
		return err
	}
	open := map[int64]int{}
	for _, n := range counts {
		open[n.SubID] += n.N
	}
	if list.JSON {
		type row struct {
			ID          int64          `json:"id"`
			URL         string         `json:"url"`
			Name        string         `json:"name"`
			Format      peers.Format   `json:"format"`
			State       peers.SubState `json:"state"`
			Why         string         `json:"why"`
			Error       string         `json:"error"`
			Fingerprint string         `json:"fingerprint"`
			NewPrint    string         `json:"new_fingerprint"`
			Entries     int64          `json:"entries"`
			Drafts      int            `json:"drafts"`
			OKAt        *time.Time     `json:"ok_at"`
			NextAt      *time.Time     `json:"next_at"`
		}
		out := make([]row, len(all))
		for i, s := range all {
			out[i] = row{s.ID, s.URL, s.Name, s.Format, s.State, s.Why, s.Error, peers.KeyPrint(s.KeyPEM), peers.KeyPrint(s.NewKeyPEM), s.Entries, open[s.ID], s.OKAt, s.NextAt}
		}
		return printJSON(io.out, out)
	}
	catalogue, err := web.LoadCatalogue(time.Local)
	if err != nil {
		return err
	}
	l := catalogue.For("en", "")
	err = table(io.out, "ID\tNAME\tADDRESS\tSTATE\tSERVERS\tDRAFTS\tLOOKED AT", func(row func(string, ...any)) {
		for _, s := range all {
			state := string(s.State)
			if s.Why != "" {
				state += " (" + s.Why + ")"
			} else if s.Error != "" {
				state += " (failing)"
			}
			looked := "never"
			if s.OKAt != nil {
				looked = s.OKAt.Format(time.DateTime)
			}
			row("%d\t%s\t%s\t%s\t%d\t%d\t%s", s.ID, s.Name, s.Address(), state, s.Entries, open[s.ID], looked)
		}
	})
	for _, s := range all {
		if s.Error != "" {
			fmt.Fprintf(io.out, "\n%s: %s\n", s.Address(), l.T(s.Error, "Host", s.Host))
		}
		if s.NewKeyPEM != "" {
			fmt.Fprintf(io.out, "\nCompare the key of %s, and confirm it with: chalkring peer subscriptions confirm %d %q\n", s.Address(), s.ID, peers.KeyPrint(s.NewKeyPEM))
		}
		if s.Why == peers.StopMass {
			fmt.Fprintf(io.out, "\n%s would change %d servers and take back %d. Let it with: chalkring peer subscriptions let %d\n", s.Address(), s.HeldChanged, s.HeldGone, s.ID)
		}
	}
	return err
}

// subChosen is the list that a command is about.
type subChosen struct {
	List string `arg:"" help:"The list's number or address."`
}

// do does something with the list, and says so.
func (s subChosen) do(ctx context.Context, c *config.Config, io streams, said string, deed func(tx *store.Tx, id int64) error) error {
	err := write(ctx, c, io, func(tx *store.Tx) error {
		sub, err := found(tx, s.List)
		if err != nil {
			return err
		}
		return deed(tx, sub.ID)
	})
	if err == nil {
		fmt.Fprintln(io.out, said)
	}
	return err
}

type subsConfirm struct {
	subChosen   `embed:""`
	Fingerprint string `arg:"" help:"The fingerprint, as its publisher's administrators see it."`
}

// Run confirms a key.
func (s subsConfirm) Run(ctx context.Context, c *config.Config, io streams) error {
	return s.do(ctx, c, io, "The key is confirmed.", func(tx *store.Tx, id int64) error {
		_, err := peers.ConfirmKey(tx, 0, id, s.Fingerprint)
		return err
	})
}

type subsLet struct {
	subChosen `embed:""`
}

// Run lets a mass change through.
func (s subsLet) Run(ctx context.Context, c *config.Config, io streams) error {
	return s.do(ctx, c, io, "The change is let through.", func(tx *store.Tx, id int64) error {
		_, err := peers.LetThrough(tx, 0, id)
		return err
	})
}

type subsSet struct {
	subChosen  `embed:""`
	subOptions `embed:""`
}

// Run changes what follows from a list. What is not given is set back.
func (s subsSet) Run(ctx context.Context, c *config.Config, io streams) error {
	return s.do(ctx, c, io, "It is changed.", func(tx *store.Tx, id int64) error {
		_, err := peers.SetSubscription(tx, 0, id, s.form())
		return err
	})
}

type subsFetch struct {
	subChosen `embed:""`
}

// Run has a list looked at.
func (s subsFetch) Run(ctx context.Context, c *config.Config, io streams) error {
	return s.do(ctx, c, io, "A server that is running looks at it now.", peers.FetchNow)
}

type subsStop struct {
	subChosen `embed:""`
}

// Run leaves a list alone.
func (s subsStop) Run(ctx context.Context, c *config.Config, io streams) error {
	return s.do(ctx, c, io, "It is left alone.", func(tx *store.Tx, id int64) error {
		_, err := peers.StopSubscription(tx, 0, id, true)
		return err
	})
}

type subsStart struct {
	subChosen `embed:""`
}

// Run goes on with a list.
func (s subsStart) Run(ctx context.Context, c *config.Config, io streams) error {
	return s.do(ctx, c, io, "It goes on.", func(tx *store.Tx, id int64) error {
		_, err := peers.StopSubscription(tx, 0, id, false)
		return err
	})
}

type subsEnd struct {
	subChosen `embed:""`
}

// Run follows a list no more.
func (s subsEnd) Run(ctx context.Context, c *config.Config, io streams) error {
	return s.do(ctx, c, io, "It is followed no more. What came of it stays.", func(tx *store.Tx, id int64) error {
		return peers.Unsubscribe(tx, 0, id)
	})
}

type peerDrafts struct {
	List   draftsList   `cmd:"" default:"withargs" help:"List what lists propose."`
	Accept draftsAccept `cmd:"" help:"Do what is proposed: for servers by name, or all."`
	Reject draftsReject `cmd:"" help:"Leave undone what is proposed: for servers by name, or all."`
	Undo   draftsUndo   `cmd:"" help:"Take back what came of lists for a server last."`
}

type draftsList struct {
	From string `help:"Of one list alone: its number or address."`
	Done bool   `help:"What came of lists, instead of what is proposed."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run lists the first of the drafts, 80 at most.
func (l draftsList) Run(ctx context.Context, c *config.Config, io streams) error {
	var all []peers.Draft
	var n int
	err := read(ctx, c, io, func(tx *store.Tx) (err error) {
		f, err := draftsFrom(tx, l.From)
		if err != nil {
			return err
		}
		if l.Done {
			f.States = []peers.DraftState{peers.DraftAccepted, peers.DraftRejected, peers.DraftUndone}
		}
		if n, err = peers.CountMatching(tx, f); err != nil {
			return err
		}
		all, err = peers.Drafts(tx, f, store.Page{Limit: store.MaxLimit})
		return err
	})
	if err != nil {
		return err
	}
	if l.JSON {
		type row struct {
			ID     int64            `json:"id"`
			Host   string           `json:"host"`
			What   peers.DraftKind  `json:"what"`
			State  peers.DraftState `json:"state"`
			Tier   peers.Preset     `json:"tier"`
			Label  string           `json:"label"`
			Reason string           `json:"reason"`
			At     time.Time        `json:"created_at"`
		}
		out := make([]row, len(all))
		for i, d := range all {
			out[i] = row{d.ID, d.Host, d.What, d.State, d.Tier, d.Label, d.Reason, d.CreatedAt}
		}
		return printJSON(io.out, out)
	}
	err = table(io.out, "ID\tHOST\tWHAT\tTIER\tSTATE\tLABEL\tREASON", func(row func(string, ...any)) {
		for _, d := range all {
			row("%d\t%s\t%s\t%s\t%s\t%s\t%s", d.ID, d.Host, d.What, d.Tier, d.State, d.Label, d.Reason)
		}
	})
	if n > len(all) {
		fmt.Fprintf(io.out, "… and %d more.\n", n-len(all))
	}
	return err
}

func draftsFrom(tx *store.Tx, list string) (peers.DraftFilter, error) {
	if list == "" {
		return peers.DraftFilter{}, nil
	}
	s, err := found(tx, list)
	return peers.DraftFilter{SubID: s.ID}, err
}

// draftsChosen are the drafts that a command is about.
type draftsChosen struct {
	Hosts []string `arg:"" optional:"" name:"host" help:"Names of servers."`
	All   bool     `help:"Everything that is proposed."`
	From  string   `help:"With --all, of one list alone: its number or address."`
}

func (d draftsChosen) check() error {
	if d.All == (len(d.Hosts) > 0) {
		return errors.New("name servers, or say --all")
	}
	return nil
}

// openFor returns what is proposed about a server.
func openFor(tx *store.Tx, host string) ([]peers.Draft, error) {
	host, err := peers.Normalise(tx, host)
	if err != nil {
		return nil, err
	}
	all, err := peers.Drafts(tx, peers.DraftFilter{Query: host}, store.Page{Limit: store.MaxLimit})
	var of []peers.Draft
	for _, d := range all {
		if d.Host == host {
			of = append(of, d)
		}
	}
	if err == nil && len(of) == 0 {
		err = fault.New(fault.NotFound, "%s: nothing is proposed", host)
	}
	return of, err
}

type draftsAccept struct {
	draftsChosen `embed:""`
}

// Run accepts drafts. Many are done in pieces, and this says how far it is.
func (a draftsAccept) Run(ctx context.Context, c *config.Config, io streams) error {
	if err := a.check(); err != nil {
		return err
	}
	if !a.All {
		err := write(ctx, c, io, func(tx *store.Tx) error {
			for _, host := range a.Hosts {
				of, err := openFor(tx, host)
				if err != nil {
					return err
				}
				for _, d := range of {
					if d, err = peers.AcceptDraft(tx, 0, d.ID, community.BlockHost); err != nil {
						return err
					}
					if d.State == peers.DraftFailed {
						catalogue, err := web.LoadCatalogue(time.Local)
						if err != nil {
							return err
						}
						return fmt.Errorf("%s: %s", host, catalogue.For("en", "").T(d.Error))
					}
				}
			}
			return nil
		})
		if err == nil {
			fmt.Fprintf(io.out, "Done: %s.\n", strings.Join(a.Hosts, ", "))
		}
		return err
	}
	return withDB(ctx, c, io, func(db *store.DB) error {
		n := 0
		err := db.Write(ctx, func(tx *store.Tx) error {
			f, err := draftsFrom(tx, a.From)
			if err != nil {
				return err
			}
			n, err = peers.AcceptDrafts(tx, 0, f)
			return err
		})
		for more, done := n > 0, 0; more && err == nil; {
			err = db.Write(ctx, func(tx *store.Tx) (err error) {
				more, err = peers.WorkDrafts(tx, 25, community.BlockHost)
				return err
			})
			if done += 25; more && done%1000 == 0 {
				fmt.Fprintf(io.out, "%d of %d\n", done, n)
			}
		}
		if err == nil {
			fmt.Fprintf(io.out, "Accepted: %d.\n", n)
		}
		return err
	})
}

type draftsReject struct {
	draftsChosen `embed:""`
}

// Run rejects drafts.
func (r draftsReject) Run(ctx context.Context, c *config.Config, io streams) error {
	if err := r.check(); err != nil {
		return err
	}
	n := 0
	err := write(ctx, c, io, func(tx *store.Tx) (err error) {
		n = 0
		if r.All {
			f, err := draftsFrom(tx, r.From)
			if err == nil {
				n, err = peers.RejectDrafts(tx, 0, f)
			}
			return err
		}
		for _, host := range r.Hosts {
			of, err := openFor(tx, host)
			if err != nil {
				return err
			}
			for _, d := range of {
				if _, err := peers.RejectDraft(tx, 0, d.ID); err != nil {
					return err
				}
				n++
			}
		}
		return nil
	})
	if err == nil {
		fmt.Fprintf(io.out, "Rejected: %d.\n", n)
	}
	return err
}

type draftsUndo struct {
	Host string `arg:"" help:"The server's name."`
}

// Run takes back what came of lists for a server last.
func (u draftsUndo) Run(ctx context.Context, c *config.Config, io streams) error {
	err := write(ctx, c, io, func(tx *store.Tx) error {
		host, err := peers.Normalise(tx, u.Host)
		if err != nil {
			return err
		}
		all, err := peers.SourcesOf(tx, host)
		if err != nil {
			return err
		}
		for _, d := range all {
			if d.State == peers.DraftAccepted && d.AppliedAt != nil {
				_, err := peers.UndoDraft(tx, 0, d.ID)
				return err
			}
		}
		return fault.New(fault.NotFound, "Nothing came of a list for %s.", host)
	})
	if err == nil {
		fmt.Fprintf(io.out, "%s: taken back.\n", u.Host)
	}
	return err
}

type peerExclude struct {
	Hosts []string `arg:"" optional:"" name:"host" help:"Names of servers; without any, those that are kept are listed."`
	Note  string   `help:"Why."`
	End   bool     `help:"Let lists touch them again."`
}

// Run keeps servers from lists.
func (e peerExclude) Run(ctx context.Context, c *config.Config, io streams) error {
	if len(e.Hosts) == 0 {
		var all []peers.Exclude
		err := read(ctx, c, io, func(tx *store.Tx) (err error) {
			all, err = peers.Excludes(tx)
			return err
		})
		if err != nil {
			return err
		}
		return table(io.out, "HOST\tSINCE\tNOTE", func(row func(string, ...any)) {
			for _, one := range all {
				row("%s\t%s\t%s", one.Host, one.CreatedAt.Format(time.DateTime), one.Note)
			}
		})
	}
	err := write(ctx, c, io, func(tx *store.Tx) error {
		for _, host := range e.Hosts {
			if err := peers.ExcludeHost(tx, 0, host, e.Note, !e.End); err != nil {
				return fmt.Errorf("%s: %w", host, err)
			}
		}
		return nil
	})
	if err == nil && e.End {
		fmt.Fprintf(io.out, "Lists may touch them: %s.\n", strings.Join(e.Hosts, ", "))
	} else if err == nil {
		fmt.Fprintf(io.out, "No list touches them: %s.\n", strings.Join(e.Hosts, ", "))
	}
	return err
}
