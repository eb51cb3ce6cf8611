// Command chalkring runs a federated community server for schools, and looks
// after it: accounts, invitations, peers, backups.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/store"
)

// Exit statuses. What a script must tell apart from other failures is a wrong
// command line or setting.
const (
	exitFailed = 1
	exitUsage  = 2
)

// commands is the whole command line. Settings stand before or after the
// command, in the environment or in the file of settings.
type commands struct {
	config.Config

	Serve    serveCommand   `cmd:"" help:"Run the server."`
	Demo     demoCommand    `cmd:"" help:"Show a ring of three schools on this machine."`
	Account  accountCommand `cmd:"" help:"Create, list and change accounts."`
	Token    tokenCommand   `cmd:"" help:"Create, list and revoke access tokens for scripts."`
	Invite   inviteCommand  `cmd:"" help:"Create, list and revoke invitations."`
	Peer     peerCommand    `cmd:"" help:"Decide which servers this one talks with."`
	Backup   backupCommand  `cmd:"" help:"Write everything into one file, while the server runs."`
	Restore  restoreCommand `cmd:"" help:"Build a server out of a backup."`
	Migrate  migrateCommand `cmd:"" help:"Bring the database's tables up to date, or to an older version."`
	Settings configCommand  `cmd:"" name:"config" help:"Print every setting, its meaning and its value."`
	Version  versionCommand `cmd:"" help:"Print the version."`
}

// streams are where a command reads and says.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// run does what the arguments say and returns the exit status.
func run(ctx context.Context, args []string, io streams) int {
	var c commands
	status := -1
	parser, err := kong.New(&c, append(config.Options(),
		kong.Name("chalkring"),
		kong.Description("A federated community server for schools. Without settings, serve tries it out on localhost."),
		kong.Writers(io.out, io.err),
		kong.Exit(func(code int) { status = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: false, FlagsLast: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(io, &c.Config),
	)...)
	if err != nil {
		fmt.Fprintln(io.err, "chalkring:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if status >= 0 { // help was printed
		return status
	}
	if err == nil {
		err = prepare(parsed, &c.Config)
	}
	if err != nil {
		// The parser blames a wrong file of settings on the first flag.
		fmt.Fprintln(io.err, "chalkring:", strings.TrimPrefix(err.Error(), "--help: "))
		return exitUsage
	}
	if err := parsed.Run(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(io.err, "chalkring:", err)
		return exitFailed
	}
	return 0
}

// prepare checks the settings as far as the command depends on them.
func prepare(parsed *kong.Context, c *config.Config) error {
	switch parsed.Command() {
	case "version", "demo", "config":
		return nil
	case "serve":
		return c.Prepare()
	}
	return c.PrepareBeside()
}

// logger writes the log as the settings say.
func logger(c *config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// write runs fn in a transaction on the configured database, beside a server
// that may be running on it.
func write(ctx context.Context, c *config.Config, io streams, fn func(tx *store.Tx) error) error {
	return withDB(ctx, c, io, func(db *store.DB) error { return db.Write(ctx, fn) })
}

// read runs fn in a transaction that changes nothing.
func read(ctx context.Context, c *config.Config, io streams, fn func(tx *store.Tx) error) error {
	return withDB(ctx, c, io, func(db *store.DB) error { return db.Read(ctx, fn) })
}

func withDB(ctx context.Context, c *config.Config, io streams, fn func(db *store.DB) error) error {
	quiet := *c
	quiet.LogLevel = "warn"               // a command says what it did itself
	if quiet.Host == config.DefaultHost { // the database knows whose it is
		// A failure to read it is met again below, and said there.
		host, err := store.RecordedHost(ctx, quiet.Database)
		if err == nil && host == "" {
			return fmt.Errorf("there is no server in %s yet; name your settings with --config, or start one with: chalkring serve", quiet.Data)
		}
		if err == nil {
			quiet.Host = host
		}
	}
	db, err := app.OpenDB(ctx, quiet, logger(&quiet, io.err), nil)
	if err != nil {
		return err
	}
	return errors.Join(fn(db), db.Close(context.WithoutCancel(ctx)))
}
