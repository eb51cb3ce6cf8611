package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	Set    peerSet    `cmd:"" help:"Change what is written down about a server, and how it is dealt with."`
	Show   peerShow   `cmd:"" help:"Show all that is written down about a server."`
	Hosts  peerHosts  `cmd:"" help:"Add, confirm or remove another name of a server."`
	Block  peerBlock  `cmd:"" help:"Refuse servers and every name below theirs, hide what came from them, and end the follows."`
	Remove peerRemove `cmd:"" help:"Take servers off the list: they become unknown again."`
	List   peerList   `cmd:"" help:"List the servers on the list."`
	Test   peerTry    `cmd:"" help:"Try the connection with a server step by step, and say where it ends."`
	Held   peerHeld   `cmd:"" help:"List what waits for review, and decide on it."`
	Log    peerLog    `cmd:"" help:"Show who decided what, newest first; verify or export the whole log."`
	Import peerImport `cmd:"" help:"Take in a list of servers from a file, after a look at what each line would do."`
	Export peerExport `cmd:"" help:"Print the list of servers for other software."`

	endCommands `embed:""`

	requestCommands `embed:""`
	listCommands    `embed:""`
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
	Hosts      []string `arg:"" name:"host" help:"Names of servers, such as school.example."`
	Preset     string   `help:"How they are dealt with: partner, network, trial, friendly or listen. Without it, everything passes, nothing is held."`
	Subtree    bool     `help:"Admit every name below, too."`
	Label      string   `help:"What people call it, such as \"Hillview Primary\"."`
	Kind       string   `help:"What it is: school, region, university, mastodon, forum or other."`
	PublicNote string   `help:"Why, for everybody here."`
	Note       string   `help:"A note for administrators."`
	Reason     string   `help:"Why, for the log."`
	Ceiling    string   `enum:"none,public,network,group," default:"" help:"The widest that may be sent there: none, public, network or group. Without it, what the preset says, or network."`
	ReviewOn   string   `help:"The day on which to look at it again, such as 2027-06-30."`
	Expires    string   `help:"The day from which on nothing passes any more."`
}

// Run admits servers, all or none of them. What is on record of one and is not
// named here stays as it is.
func (a peerAllow) Run(ctx context.Context, c *config.Config, io streams) error {
	var done []peers.Peer
	err := write(ctx, c, io, func(tx *store.Tx) error {
		done = done[:0] // the transaction may run again
		for _, host := range a.Hosts {
			e, software, err := entryFor(tx, host)
			for _, s := range []struct{ key, value string }{{"preset", a.Preset}, {"ceiling", a.Ceiling}, {"label", a.Label}, {"kind", a.Kind},
				{"public_note", a.PublicNote}, {"note", a.Note}, {"review_on", a.ReviewOn}, {"expires", a.Expires}} {
				if err == nil && s.value != "" {
					err = e.Set(tx, s.key, s.value, software)
				}
			}
			if err == nil {
				e.Subtree, e.Reason = e.Subtree || a.Subtree, a.Reason
				var p peers.Peer
				p, err = peers.Allow(tx, 0, host, e)
				done = append(done, p)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", host, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range done {
		below, until := "", ""
		if p.Subtree {
			below = " with every name below"
		}
		if p.ExpiresAt != nil {
			until = ", until " + peers.DayOf(p.ExpiresAt)
		}
		fmt.Fprintf(io.out, "%s is allowed%s, up to %s%s.\n", p.Host, below, p.Ceiling, until)
	}
	return nil
}

// entryFor is peers.EntryFor for a name as it was typed.
func entryFor(tx *store.Tx, typed string) (e peers.Entry, software string, err error) {
	host, err := peers.Normalise(tx, typed)
	if err != nil {
		return e, "", err
	}
	return peers.EntryFor(tx, host)
}

type peerSet struct {
	Host     string   `arg:"" help:"The server."`
	Settings []string `arg:"" name:"key=value" help:"What to set, such as preset=network hold=all label=\"Elm Secondary\" match=subtree. peer show lists the keys."`
	Reason   string   `help:"Why, for the log."`
}

// Run changes what is written down about a server and how it is dealt with.
func (s peerSet) Run(ctx context.Context, c *config.Config, io streams) error {
	var p peers.Peer
	err := write(ctx, c, io, func(tx *store.Tx) error {
		_, software, err := entryFor(tx, s.Host)
		if err != nil {
			return err
		}
		p, err = peers.Edit(tx, 0, s.Host, s.Reason, func(e *peers.Entry) error {
			values := make(map[string]string, len(s.Settings))
			for _, setting := range s.Settings {
				key, value, ok := strings.Cut(setting, "=")
				if !ok {
					return fmt.Errorf("write %q as key=value", setting)
				}
				values[key] = value
			}
			return e.SetAll(tx, values, software)
		})
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%s is changed.\n", p.Host)
	return nil
}

type peerShow struct {
	Host string `arg:"" help:"The server."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// shown is a peer as show and list print it.
type shown struct {
	Host       string            `json:"host"`
	State      peers.State       `json:"state"`
	Standing   peers.Standing    `json:"standing"`
	Match      string            `json:"match"`
	Preset     peers.Preset      `json:"preset"`
	Ceiling    peers.Ceiling     `json:"ceiling"`
	Label      string            `json:"label"`
	Kind       string            `json:"kind"`
	PublicNote string            `json:"public_note"`
	Note       string            `json:"note"`
	Reason     string            `json:"reason"`
	Source     string            `json:"source"`
	TheirView  peers.View        `json:"their_view"`
	ViewSince  *time.Time        `json:"their_view_at,omitempty"`
	ReviewOn   string            `json:"review_on"`
	Expires    string            `json:"expires"`
	Software   string            `json:"software"`
	LastIn     *time.Time        `json:"last_in_at"`
	LastOut    *time.Time        `json:"last_out_at"`
	Waiting    int64             `json:"waiting"`
	Created    time.Time         `json:"created_at"`
	Changed    time.Time         `json:"changed_at"`
	Key        string            `json:"key,omitempty"`
	Policy     map[string]string `json:"policy,omitempty"`
	Differs    []string          `json:"differs,omitempty"` // from the preset
	Hosts      []shownName       `json:"hosts,omitempty"`
}

type shownName struct {
	Host      string     `json:"host"`
	Role      peers.Role `json:"role"`
	Confirmed bool       `json:"confirmed"`
}

func shownOf(r peers.Row, now time.Time) shown {
	s := shown{Host: r.Host, State: r.State(now), Standing: r.Standing, Match: "exact", Preset: r.Preset, Ceiling: r.Ceiling, Label: r.Label, Kind: r.Kind,
		PublicNote: r.PublicNote, Note: r.Note, Reason: r.Reason, Source: r.Source, TheirView: r.TheirView, ViewSince: r.TheirViewAt, ReviewOn: peers.DayOf(r.ReviewOn),
		Expires: peers.DayOf(r.ExpiresAt), Software: strings.TrimSpace(r.Known.Software + " " + r.Known.Version), LastIn: r.Known.LastInAt, LastOut: r.Known.LastOutAt,
		Waiting: r.Waiting, Created: r.CreatedAt, Changed: r.ChangedAt}
	if r.Subtree || r.Standing == peers.Blocked {
		s.Match = "subtree"
	}
	if s.Source == peers.SourceManual {
		s.Source = "manual"
	}
	return s
}

// Run shows all that is written down about a server, by the keys that peer set takes.
func (s peerShow) Run(ctx context.Context, c *config.Config, io streams) error {
	var out shown
	err := read(ctx, c, io, func(tx *store.Tx) error {
		host, err := peers.Normalise(tx, s.Host)
		if err != nil {
			return err
		}
		row, err := peers.RowOf(tx, host)
		if err != nil {
			return err
		}
		names, err := peers.NamesOf(tx, row.ID)
		if err != nil {
			return err
		}
		out = shownOf(row, tx.Now)
		out.Key, out.Differs, out.Policy = row.KeyHash, row.Differs(), map[string]string{}
		if row.Standing != peers.Blocked {
			for _, key := range peers.PolicySettings() {
				out.Policy[key] = row.Policy.Value(key)
			}
		}
		for _, n := range names {
			out.Hosts = append(out.Hosts, shownName{n.Host, n.Role, n.ConfirmedAt != nil})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.JSON {
		return printJSON(io.out, out)
	}
	preset := string(out.Preset)
	if preset == "" {
		preset = "none"
	}
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(io.out, "%-12s %s\n", key, value)
		}
	}
	line("host", out.Host)
	line("state", string(out.State))
	line("their_view", string(out.TheirView))
	for _, l := range [][2]string{{"label", out.Label}, {"kind", out.Kind}, {"match", out.Match}, {"preset", preset}, {"public_note", out.PublicNote}, {"note", out.Note},
		{"reason", out.Reason}, {"review_on", out.ReviewOn}, {"expires", out.Expires}, {"source", out.Source}, {"software", out.Software}, {"key", out.Key}} {
		line(l[0], l[1])
	}
	for _, key := range peers.PolicySettings() {
		value := out.Policy[key]
		if slices.Contains(out.Differs, key) {
			value += "  (not as the preset)"
		}
		line(key, value)
	}
	for _, n := range out.Hosts {
		state := ""
		if !n.Confirmed {
			state = "  (proposed, not confirmed)"
		}
		line("name", n.Host+" "+string(n.Role)+state)
	}
	return nil
}

type peerHosts struct {
	Host string `arg:"" help:"The server."`
	Deed string `arg:"" enum:"add,confirm,remove" help:"add, confirm or remove."`
	Name string `arg:"" help:"The name under which it is met, too."`
	Role string `enum:"actor,handle,media,former" default:"media" help:"For add: actor (in its addresses), handle (in its handles), media (its pictures) or former (what it was called)."`
}

// Run changes the names under which a server is met.
func (p peerHosts) Run(ctx context.Context, c *config.Config, io streams) error {
	err := write(ctx, c, io, func(tx *store.Tx) error {
		host, err := peers.Normalise(tx, p.Host)
		if err != nil {
			return err
		}
		switch p.Deed {
		case "add":
			return peers.AddName(tx, 0, host, p.Name, peers.Role(p.Role))
		case "confirm":
			return peers.ConfirmName(tx, 0, host, p.Name)
		}
		return peers.RemoveName(tx, 0, host, p.Name)
	})
	if err != nil {
		return err
	}
	switch p.Deed {
	case "add":
		fmt.Fprintf(io.out, "%s is a name of %s now (%s).\n", p.Name, p.Host, p.Role)
	case "confirm":
		fmt.Fprintf(io.out, "%s is confirmed as a name of %s.\n", p.Name, p.Host)
	default:
		fmt.Fprintf(io.out, "%s is no name of %s any more.\n", p.Name, p.Host)
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
	Reason string   `help:"Why, for the log; the administrators of a server that asked, or was asked, to connect read it, too."`
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
	State  string `enum:"active,trial,one_sided,paused,retired,expired,blocked," default:"" help:"Only those in this state: active, trial, one_sided, paused, retired, expired or blocked."`
	Preset string `enum:"partner,network,trial,friendly,listen," default:"" help:"Only those with this preset: partner, network, trial, friendly or listen."`
	Find   string `help:"Only those with this in their name, label or notes."`
	Sort   string `enum:"name,exchange,trouble" default:"name" help:"By name, exchange (the latest first) or trouble (what fails first). By the last two, blocked servers are left out."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Run lists the entries, page by page as the database gives them.
func (l peerList) Run(ctx context.Context, c *config.Config, io streams) error {
	var all []shown
	f := peers.Filter{State: peers.State(l.State), Blocked: l.Sort == "name", Preset: peers.Preset(l.Preset), Query: l.Find, Limit: 300}
	if l.Sort != "name" {
		f.Sort = peers.Sort(l.Sort)
	}
	err := read(ctx, c, io, func(tx *store.Tx) error {
		for {
			rows, err := peers.List(tx, f)
			if err != nil {
				return err
			}
			for _, r := range rows {
				all = append(all, shownOf(r, tx.Now))
			}
			if len(rows) < f.Limit {
				return nil
			}
			f.After = rows[len(rows)-1].Host
		}
	})
	if err != nil {
		return err
	}
	if l.JSON {
		if all == nil {
			all = []shown{}
		}
		return printJSON(io.out, all)
	}
	when := func(t *time.Time) string {
		if t == nil {
			return "-"
		}
		return t.Format(time.DateTime)
	}
	return table(io.out, "HOST\tSTATE\tPRESET\tCEILING\tLABEL\tLAST IN\tLAST OUT\tWAITING\tREVIEW\tCHANGED", func(row func(string, ...any)) {
		for _, s := range all {
			preset, ceiling := string(s.Preset), string(s.Ceiling)
			if preset == "" {
				preset = "-"
			}
			if s.State == peers.StateBlocked {
				ceiling = "-"
			}
			review := s.ReviewOn
			if review == "" {
				review = "-"
			}
			row("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s", s.Host, s.State, preset, ceiling, s.Label, when(s.LastIn), when(s.LastOut), s.Waiting, review,
				s.Changed.Format(time.DateTime))
		}
	})
}
