package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

type peerPublished struct {
	List      publishedList      `cmd:"" default:"1" help:"List the lists."`
	Show      publishedShow      `cmd:"" help:"Show what is on a list."`
	Make      publishedMake      `cmd:"" help:"Make a list."`
	Publish   publishedPublish   `cmd:"" help:"Give a list out."`
	Unpublish publishedUnpublish `cmd:"" help:"Give a list out no more."`
	Add       publishedAdd       `cmd:"" help:"Put servers on a list."`
	Retract   publishedRetract   `cmd:"" help:"Take servers off a list; that they were on it stays on record."`
	Emergency publishedEmergency `cmd:"" help:"Have everybody who follows a list pause a server at once."`
	Over      publishedOver      `cmd:"" help:"Say that an emergency is over."`
}

type publishedList struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists the lists.
func (l publishedList) Run(ctx context.Context, c *config.Config, io streams) error {
	var all []peers.PublishedList
	var on map[int64]peers.ListCount
	err := read(ctx, c, io, func(tx *store.Tx) (err error) {
		if all, err = peers.PublishedLists(tx); err != nil {
			return err
		}
		on, err = peers.CountLists(tx)
		return err
	})
	if err != nil {
		return err
	}
	if l.JSON {
		type row struct {
			Path        string           `json:"path"`
			Name        string           `json:"name"`
			Visibility  peers.Visibility `json:"visibility"`
			Live        bool             `json:"published"`
			Entries     int              `json:"entries"`
			Emergencies int              `json:"emergencies"`
			Readers     int              `json:"readers"`
			Updated     time.Time        `json:"updated_at"`
		}
		out := make([]row, len(all))
		for i, one := range all {
			n := on[one.ID]
			out[i] = row{one.Path, one.Name, one.Visibility, one.Live, n.Entries, n.Emergencies, n.Readers, one.UpdatedAt}
		}
		return printJSON(io.out, out)
	}
	return table(io.out, "PATH\tNAME\tVISIBILITY\tPUBLISHED\tSERVERS\tEMERGENCIES\tREADERS\tUPDATED", func(row func(string, ...any)) {
		for _, one := range all {
			n := on[one.ID]
			row("%s\t%s\t%s\t%v\t%d\t%d\t%d\t%s", one.Path, one.Name, one.Visibility, one.Live, n.Entries, n.Emergencies, n.Readers, one.UpdatedAt.Format(time.DateTime))
		}
	})
}

type publishedShow struct {
	Path      string `arg:"" help:"The last part of the list's address."`
	Retracted bool   `help:"What was on it once, instead of what is."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

// Run shows what is on a list.
func (s publishedShow) Run(ctx context.Context, c *config.Config, io streams) error {
	var one peers.PublishedList
	var entries []peers.PublishedEntry
	var base string
	err := read(ctx, c, io, func(tx *store.Tx) (err error) {
		base = tx.Site.Base()
		if one, err = peers.ListByPath(tx, s.Path); err != nil {
			return err
		}
		entries, err = peers.PublishedEntries(tx, one.ID, s.Retracted, "", "", peers.MaxListEntries)
		return err
	})
	if err != nil {
		return err
	}
	if s.JSON {
		type row struct {
			Host      string       `json:"host"`
			Label     string       `json:"label"`
			Tier      peers.Preset `json:"tier"`
			Note      string       `json:"note"`
			Expires   *time.Time   `json:"expires_at"`
			Emergency *time.Time   `json:"emergency_since"`
			Retracted *time.Time   `json:"retracted_at"`
			Reason    string       `json:"reason"`
		}
		out := make([]row, len(entries))
		for i, e := range entries {
			out[i] = row{e.Host, e.Label, e.Tier, e.Note, e.ExpiresAt, e.PausedAt, e.RetractedAt, e.PauseReason + e.RetractReason}
		}
		return printJSON(io.out, out)
	}
	fmt.Fprintf(io.out, "%s: %s%s\n", one.Name, base, one.Address())
	return table(io.out, "HOST\tTIER\tLABEL\tSINCE\tREMARK", func(row func(string, ...any)) {
		for _, e := range entries {
			remark := e.Note
			switch {
			case e.RetractedAt != nil:
				remark = "retracted " + e.RetractedAt.Format(time.DateTime) + ": " + e.RetractReason
			case e.PausedAt != nil:
				remark = "EMERGENCY: " + e.PauseReason
			}
			row("%s\t%s\t%s\t%s\t%s", e.Host, e.Tier, e.Label, e.AddedAt.Format(time.DateTime), remark)
		}
	})
}

type publishedMake struct {
	Path       string   `arg:"" help:"The last part of the list's address: small letters, digits and hyphens."`
	Name       string   `required:"" help:"What the list is called."`
	About      string   `help:"What it is for."`
	Visibility string   `enum:"peers,public,link" default:"peers" help:"Who can read it: peers (connected servers), public, or link (whoever has the whole address)."`
	Formats    []string `enum:"csv,json,txt" default:"csv,json,txt" help:"Forms for other software besides the signed one: csv (Mastodon), json (GoToSocial), txt."`
	Presets    []string `help:"Presets of connections that are on it by themselves."`
	Kinds      []string `help:"Only connections of these kinds."`
}

// Run makes a list.
func (m publishedMake) Run(ctx context.Context, c *config.Config, io streams) error {
	f := peers.ListForm{Path: m.Path, Name: m.Name, About: m.About, Visibility: peers.Visibility(m.Visibility), Presets: m.Presets, Kinds: m.Kinds}
	for _, one := range m.Formats {
		f.Formats |= map[string]peers.Formats{"csv": peers.FormatsMastodon, "json": peers.FormatsGoToSocial, "txt": peers.FormatsPlain}[one]
	}
	err := write(ctx, c, io, func(tx *store.Tx) error {
		_, err := peers.NewList(tx, 0, f)
		return err
	})
	if err == nil {
		fmt.Fprintf(io.out, "The list is made. Give it out with: chalkring peer published publish %s\n", m.Path)
	}
	return err
}

type publishedPublish struct {
	Path string `arg:"" help:"The last part of the list's address."`
}

// Run gives a list out.
func (p publishedPublish) Run(ctx context.Context, c *config.Config, io streams) error {
	var address, key string
	err := write(ctx, c, io, func(tx *store.Tx) error {
		one, err := peers.PublishList(tx, 0, p.Path, true)
		if err != nil {
			return err
		}
		address = tx.Site.Base() + one.Address()
		site, err := community.SiteOf(tx)
		key = peers.KeyPrint(site.Ed25519PublicKey)
		return err
	})
	if err == nil {
		fmt.Fprintf(io.out, "The list is given out at %s\nThose who follow it compare this fingerprint: %s\n", address, key)
	}
	return err
}

type publishedUnpublish struct {
	Path string `arg:"" help:"The last part of the list's address."`
}

// Run gives a list out no more.
func (p publishedUnpublish) Run(ctx context.Context, c *config.Config, io streams) error {
	err := write(ctx, c, io, func(tx *store.Tx) error {
		_, err := peers.PublishList(tx, 0, p.Path, false)
		return err
	})
	if err == nil {
		fmt.Fprintln(io.out, "The list is given out no more.")
	}
	return err
}

type publishedAdd struct {
	Path    string   `arg:"" help:"The last part of the list's address."`
	Hosts   []string `arg:"" name:"host" help:"Names of servers."`
	Label   string   `help:"What people call it."`
	Tier    string   `enum:",network,friendly,trial,listen" default:"" help:"How it is to be dealt with: network, friendly, trial or listen."`
	Note    string   `help:"A note, for everybody who follows the list."`
	Expires string   `help:"The last day on the list, as 2026-07-31."`
	Subtree bool     `help:"With every name below it."`
}

// Run puts servers on a list, all or none of them.
func (a publishedAdd) Run(ctx context.Context, c *config.Config, io streams) error {
	e := peers.ListEntry{Label: a.Label, Tier: peers.Preset(a.Tier), Note: a.Note, Match: peers.MatchExact}
	if a.Subtree {
		e.Match = peers.MatchSubtree
	}
	if a.Expires != "" {
		day, err := time.ParseInLocation(time.DateOnly, a.Expires, time.Local)
		if err != nil {
			return fmt.Errorf("--expires: %q is no day; write it as 2026-07-31", a.Expires)
		}
		day = day.AddDate(0, 0, 1)
		e.Expires = &day
	}
	err := write(ctx, c, io, func(tx *store.Tx) error {
		for _, host := range a.Hosts {
			e.Host = host
			if _, err := peers.PutOnList(tx, 0, a.Path, e); err != nil {
				return fmt.Errorf("%s: %w", host, err)
			}
		}
		return nil
	})
	if err == nil {
		fmt.Fprintf(io.out, "On the list: %s.\n", strings.Join(a.Hosts, ", "))
	}
	return err
}

type publishedRetract struct {
	Path   string   `arg:"" help:"The last part of the list's address."`
	Hosts  []string `arg:"" name:"host" help:"Names of servers."`
	Reason string   `help:"Why, for everybody who follows the list."`
}

// Run takes servers off a list, all or none of them.
func (r publishedRetract) Run(ctx context.Context, c *config.Config, io streams) error {
	err := write(ctx, c, io, func(tx *store.Tx) error {
		for _, host := range r.Hosts {
			if err := peers.Retract(tx, 0, r.Path, host, r.Reason); err != nil {
				return fmt.Errorf("%s: %w", host, err)
			}
		}
		return nil
	})
	if err == nil {
		fmt.Fprintf(io.out, "Off the list: %s.\n", strings.Join(r.Hosts, ", "))
	}
	return err
}

type publishedEmergency struct {
	Path   string `arg:"" help:"The last part of the list's address."`
	Host   string `arg:"" help:"The server that everybody is to pause."`
	Reason string `required:"" help:"Why; it goes to every administrator who follows the list."`
}

// Run raises an emergency.
func (e publishedEmergency) Run(ctx context.Context, c *config.Config, io streams) error {
	err := write(ctx, c, io, func(tx *store.Tx) error { return peers.RaiseEmergency(tx, 0, e.Path, e.Host, e.Reason) })
	if err == nil {
		fmt.Fprintf(io.out, "Everybody who follows the list is told to pause %s; here it is paused.\n", e.Host)
	}
	return err
}

type publishedOver struct {
	Path   string `arg:"" help:"The last part of the list's address."`
	Host   string `arg:"" help:"The server."`
	Reason string `help:"What was found out."`
}

// Run ends an emergency.
func (o publishedOver) Run(ctx context.Context, c *config.Config, io streams) error {
	err := write(ctx, c, io, func(tx *store.Tx) error { return peers.EndEmergency(tx, 0, o.Path, o.Host, o.Reason) })
	if err == nil {
		fmt.Fprintf(io.out, "The emergency of %s is over. Here, resume it with: chalkring peer resume %s\n", o.Host, o.Host)
	}
	return err
}
