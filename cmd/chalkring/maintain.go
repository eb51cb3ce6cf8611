package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/store"
)

type backupCommand struct {
	File string `arg:"" optional:"" help:"File to write. Without it, chalkring-HOST-TIME.tar.gz in the working directory."`
	JSON bool   `name:"json" help:"Print the manifest as JSON."`
}

// Run writes a backup.
func (b backupCommand) Run(ctx context.Context, c *config.Config, io streams) error {
	if b.File == "" {
		b.File = fmt.Sprintf("chalkring-%s-%s.tar.gz", fileName(c.Host), time.Now().UTC().Format("20060102-150405"))
	}
	return withDB(ctx, c, io, func(db *store.DB) error {
		m, err := app.BackupFile(ctx, *c, db, b.File)
		if err != nil {
			return err
		}
		if b.JSON {
			return printJSON(io.out, m)
		}
		return describe(io.out, m, fmt.Sprintf("%s is backed up in %s. It holds keys and passwords' hashes: keep it where only you can read it.", m.Host, b.File))
	})
}

type restoreCommand struct {
	File  string `arg:"" help:"Backup to restore."`
	Check bool   `help:"Only check that the backup is complete and unchanged."`
	JSON  bool   `name:"json" help:"Print the manifest as JSON."`
}

// Run checks a backup and builds a server out of it.
func (r restoreCommand) Run(ctx context.Context, c *config.Config, io streams) error {
	var m app.Manifest
	var err error
	said := "The backup is complete and unchanged. Nothing was restored."
	if r.Check {
		m, err = app.CheckBackup(r.File)
	} else {
		m, err = app.Restore(ctx, *c, logger(c, io.err), r.File)
		said = fmt.Sprintf("%s is restored. Start it with: chalkring serve", m.Host)
	}
	if err != nil {
		return err
	}
	if r.JSON {
		return printJSON(io.out, m)
	}
	return describe(io.out, m, said)
}

func describe(w io.Writer, m app.Manifest, said string) error {
	var bytes int64
	files := 0
	for _, p := range m.Parts {
		bytes += p.Bytes
		if len(p.Name) > 6 && p.Name[:6] == "media/" {
			files++
		}
	}
	_, err := fmt.Fprintf(w, "%s\nmade %s by chalkring %s: %d accounts, %d posts, %d files, %d bytes unpacked\n", said,
		m.Made.Format(time.DateTime), m.Version, m.Rows["accounts"], m.Rows["posts"], files, bytes)
	return err
}

type migrateCommand struct {
	To    *int64 `help:"Version to go to; the newest if not given."`
	Check bool   `help:"Only say which version the tables have; the exit status is 1 if it is not the newest."`
}

// Run changes the tables.
func (m migrateCommand) Run(ctx context.Context, c *config.Config, io streams) error {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	before, newest, err := store.Versions(ctx, c.Database)
	if err != nil {
		return err
	}
	to := newest
	if m.To != nil {
		to = *m.To
	}
	if m.Check {
		fmt.Fprintf(io.out, "The tables are of version %d; this program's newest is %d.\n", before, newest)
		if before != newest {
			return errors.New("the tables are not up to date; back up, then run chalkring migrate")
		}
		return nil
	}
	if before == to {
		fmt.Fprintf(io.out, "Nothing to do: the tables are of version %d.\n", to)
		return nil
	}
	if err := store.MigrateTo(ctx, c.Database, to); err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "The tables were of version %d and are now of version %d.\n", before, to)
	return err
}

type configCommand struct {
	Markdown bool `help:"Print the reference as a table in Markdown, with defaults instead of values."`
}

// Run prints the settings. They need not be right for that: what is wrong with
// them is said at the end.
func (r configCommand) Run(c *config.Config, io streams) error {
	if r.Markdown {
		_, err := fmt.Fprint(io.out, config.Reference())
		return err
	}
	wrong := c.Prepare()
	values := c.Values()
	for i, s := range config.Settings() {
		name := s.Key
		if name == "" {
			name = s.Flag
		}
		fmt.Fprintf(io.out, "# %s\n# %s, %s\n%s = %s\n\n", s.Meaning, s.Env, s.Flag, name, values[i])
	}
	return wrong
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table prints rows in columns.
func table(w io.Writer, head string, rows func(row func(format string, args ...any))) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, head)
	rows(func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) })
	return t.Flush()
}

// fileName makes a host fit for a file's name.
func fileName(host string) string {
	b := []byte(host)
	for i, c := range b {
		if c == ':' || c == '/' {
			b[i] = '-'
		}
	}
	return string(b)
}
