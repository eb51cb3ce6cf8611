package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/web"
)

type peerImport struct {
	File      string `arg:"" optional:"" help:"The list, in a format of Mastodon, GoToSocial, FediBlockHole, RapidBlock, IFTAS, FIRES or Chalkring; - is standard input."`
	Apply     bool   `help:"Decide what the dry run shows. Without it nothing is decided."`
	As        string `enum:"allow,deny,file" default:"file" help:"What the servers in it are for, where the file does not say so: allow or deny."`
	Preset    string `enum:"partner,network,trial,friendly,listen,file," default:"" help:"How close new servers are to be: partner, network, trial, friendly or listen; file is what a list of Chalkring says of each."`
	Conflicts string `enum:"keep,stricter,file" default:"keep" help:"What counts where something else was decided: keep (that), stricter (of the two) or file."`
	Undo      int64  `placeholder:"ID" help:"Take back the import of this number. What was changed by hand since is left alone."`
	List      bool   `help:"List the imports."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

// Run shows what a list would do, applies it, or takes an import back.
func (p peerImport) Run(ctx context.Context, c *config.Config, io streams) error {
	switch {
	case p.Undo != 0:
		return p.undo(ctx, c, io)
	case p.List:
		return p.list(ctx, c, io)
	case p.File == "":
		return errors.New("name a file, or --undo ID, or --list")
	}
	list, err := readList(p.File, io)
	if err != nil {
		return err
	}
	d := peers.Direction(p.As)
	if p.As == "file" {
		d = peers.DirectionOfFile
	}
	f, err := peers.ReadList(list, d)
	if err != nil {
		return err
	}
	var entries []peers.ImportEntry
	if err := read(ctx, c, io, func(tx *store.Tx) (err error) { entries, err = peers.DryRun(tx, f); return err }); err != nil {
		return err
	}
	if !p.Apply || !p.JSON {
		if err := p.show(io, entries); err != nil {
			return err
		}
	}
	if !p.Apply {
		return nil
	}
	var im peers.Import
	err = withDB(ctx, c, io, func(db *store.DB) error {
		if im, err = peers.DraftImport(ctx, db, 0, filepath.Base(p.File), list, d); err != nil {
			return err
		}
		choice := peers.ImportChoice{Preset: p.Preset, Conflicts: peers.Conflicts(p.Conflicts)}
		err := db.Write(ctx, func(tx *store.Tx) (err error) { im, err = peers.ApplyImport(tx, 0, im.ID, choice); return err })
		if err != nil {
			return errors.Join(err, db.Write(ctx, func(tx *store.Tx) error { return peers.DiscardImport(tx, im.ID) }))
		}
		im, err = finish(ctx, db, im.ID)
		return err
	})
	if err != nil {
		return err
	}
	if p.JSON {
		return printJSON(io.out, imported(im))
	}
	fmt.Fprintf(io.out, "Import %d is applied: %d decided, %d left alone. To take it back: chalkring peer import --undo %d\n", im.ID, im.Applied, im.Changed, im.ID)
	return nil
}

func readList(name string, s streams) ([]byte, error) {
	from := s.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	return io.ReadAll(io.LimitReader(from, peers.MaxListBytes+1))
}

// finish does an import's pieces, besides a server that may do some of them.
func finish(ctx context.Context, db *store.DB, id int64) (im peers.Import, err error) {
	for left := true; left && err == nil; {
		err = db.Write(ctx, func(tx *store.Tx) (err error) {
			if left, err = peers.ImportMore(tx, id); err != nil {
				return err
			}
			im, err = peers.ImportByID(tx, id)
			return err
		})
	}
	return im, err
}

// show prints the four piles, each line with its number and why it lies there.
func (p peerImport) show(io streams, entries []peers.ImportEntry) error {
	type line struct {
		Pile peers.Pile `json:"pile"`
		Line int64      `json:"line"`
		Host string     `json:"host"`
		Asks peers.Deed `json:"asks,omitempty"`
		Why  string     `json:"why,omitempty"`
		Ties bool       `json:"follows,omitempty"`
	}
	catalogue, err := web.LoadCatalogue(time.UTC)
	if err != nil {
		return err
	}
	l := catalogue.For("en", "")
	lines := []line{}
	counts := map[peers.Pile]int{}
	for _, pile := range peers.Piles() {
		for _, e := range entries {
			if e.Pile != pile {
				continue
			}
			counts[pile]++
			why := ""
			if e.Why != "" {
				why = l.T(e.Reason(), "About", e.About)
			}
			lines = append(lines, line{pile, e.Line, e.Host, e.Deed, why, e.Ties})
		}
	}
	if p.JSON {
		return printJSON(io.out, lines)
	}
	err = table(io.out, "PILE\tLINE\tHOST\tASKS\tWHY", func(row func(string, ...any)) {
		for _, e := range lines {
			row("%s\t%d\t%s\t%s\t%s", e.Pile, e.Line, e.Host, e.Asks, e.Why)
		}
	})
	fmt.Fprintf(io.out, "%d new, %d conflicts, %d there already, %d refused.\n", counts[peers.PileNew], counts[peers.PileConflict], counts[peers.PileThere], counts[peers.PileRefused])
	return err
}

func (p peerImport) undo(ctx context.Context, c *config.Config, io streams) error {
	var im peers.Import
	var left []peers.ImportEntry
	err := withDB(ctx, c, io, func(db *store.DB) (err error) {
		if err = db.Write(ctx, func(tx *store.Tx) error { _, err := peers.UndoImport(tx, 0, p.Undo); return err }); err != nil {
			return err
		}
		if im, err = finish(ctx, db, p.Undo); err != nil {
			return err
		}
		return db.Read(ctx, func(tx *store.Tx) (err error) {
			left, err = peers.EntriesOf(tx, p.Undo, "", 0, peers.MaxListEntries)
			return err
		})
	})
	if err != nil {
		return err
	}
	if p.JSON {
		return printJSON(io.out, imported(im))
	}
	fmt.Fprintf(io.out, "Import %d is undone.\n", im.ID)
	for _, e := range left {
		if e.State == peers.EntryByHand {
			fmt.Fprintf(io.out, "%s was changed by hand since and stays as it is.\n", e.Host)
		}
	}
	return nil
}

// importedJSON is an import as subcommands print it.
type importedJSON struct {
	ID        int64             `json:"id"`
	Name      string            `json:"name"`
	Format    peers.Format      `json:"format"`
	State     peers.ImportState `json:"state"`
	SHA256    string            `json:"sha256"`
	New       int64             `json:"new"`
	There     int64             `json:"there"`
	Conflicts int64             `json:"conflicts"`
	Refused   int64             `json:"refused"`
	Applied   int64             `json:"applied"`
	Left      int64             `json:"left_alone"`
	At        time.Time         `json:"created_at"`
	UndoUntil *time.Time        `json:"undo_until"`
}

func imported(im peers.Import) importedJSON {
	return importedJSON{im.ID, im.Name, im.Format, im.State, im.Digest, im.Fresh, im.Present, im.Conflicting, im.Refused, im.Applied, im.Changed, im.CreatedAt, im.UndoUntil}
}

func (p peerImport) list(ctx context.Context, c *config.Config, io streams) error {
	var all []peers.Import
	err := read(ctx, c, io, func(tx *store.Tx) (err error) {
		all, err = peers.Imports(tx, store.Page{Limit: 80})
		return err
	})
	if err != nil {
		return err
	}
	if p.JSON {
		out := make([]importedJSON, len(all))
		for i, im := range all {
			out[i] = imported(im)
		}
		return printJSON(io.out, out)
	}
	return table(io.out, "ID\tFILE\tSTATE\tNEW\tCONFLICTS\tTHERE\tREFUSED\tDECIDED\tREAD", func(row func(string, ...any)) {
		for _, im := range all {
			row("%d\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s", im.ID, im.Name, im.State, im.Fresh, im.Conflicting, im.Present, im.Refused, im.Applied, im.CreatedAt.Format(time.DateTime))
		}
	})
}

type peerExport struct {
	Format string `default:"chalkring" enum:"chalkring,mastodon-allows,mastodon-blocks,gotosocial-allows,gotosocial-blocks,plain-allows,plain-blocks" help:"chalkring, mastodon-allows, mastodon-blocks, gotosocial-allows, gotosocial-blocks, plain-allows or plain-blocks."`
}

// Run prints the list of servers.
func (p peerExport) Run(ctx context.Context, c *config.Config, io streams) error {
	f, err := peers.ExportByName(p.Format)
	if err != nil {
		return err
	}
	var out bytes.Buffer // whole, or not at all
	if err := read(ctx, c, io, func(tx *store.Tx) error { out.Reset(); return peers.Export(tx, &out, f) }); err != nil {
		return err
	}
	_, err = out.WriteTo(io.out)
	return err
}
