package peers

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// ExportFormat is how the list of servers can be taken elsewhere.
type ExportFormat struct {
	Name  string // as subcommands and addresses have it
	File  string
	Type  string // media type
	Deny  bool   // of the servers that are refused; else of those that are connected
	write func(tx *store.Tx, w io.Writer, f ExportFormat) error
}

// ExportFormats are the formats, in the order of pages.
func ExportFormats() []ExportFormat {
	const plain, table, list = "text/plain; charset=utf-8", "text/csv; charset=utf-8", "application/json"
	return []ExportFormat{
		{"chalkring", "chalkring_peers.csv", table, false, exportChalkring},
		{"mastodon-allows", "domain_allows.csv", table, false, exportMastodonAllows},
		{"mastodon-blocks", "domain_blocks.csv", table, true, exportMastodonBlocks},
		{"gotosocial-allows", "domain_allows.json", list, false, exportJSON},
		{"gotosocial-blocks", "domain_blocks.json", list, true, exportJSON},
		{"plain-allows", "domain_allows.txt", plain, false, exportPlain},
		{"plain-blocks", "domain_blocks.txt", plain, true, exportPlain},
	}
}

// ExportByName returns a format, or fault.NotFound.
func ExportByName(name string) (ExportFormat, error) {
	for _, f := range ExportFormats() {
		if f.Name == name {
			return f, nil
		}
	}
	return ExportFormat{}, fault.Keyed(fault.NotFound, "export.no_format", "There is no such format.", nil)
}

// Export writes the list in a format. It holds one page of it in memory.
func Export(tx *store.Tx, w io.Writer, f ExportFormat) error {
	b := bufio.NewWriterSize(w, 32<<10)
	if err := f.write(tx, b, f); err != nil {
		return err
	}
	return b.Flush()
}

// exportPage is how many servers are read at once.
const exportPage = 1000

// exportColumns are the columns of which any format tells.
const exportColumns = "host, standing, subtree, label, public_note, note, source, preset, ceiling, hold, silenced, media, reports_in, expires_at, changed_at"

// exported calls fn with each server that a format is of, by name. What is
// paused or has ended is in no list: whoever reads it would take it for
// connected. Nor is what a block above it overrules.
func exported(tx *store.Tx, where string, args []any, fn func(p Peer) error) error {
	var blocked []string
	if err := tx.Model(&Peer{}).Where("standing = ?", Blocked).Pluck("host", &blocked).Error; err != nil {
		return err
	}
	covers := make(map[string]bool, len(blocked))
	for _, h := range blocked {
		covers[h] = true
	}
	for after := ""; ; {
		var page []Peer
		if err := tx.Select(exportColumns).Where(where, args...).Where("host > ?", after).Order("host").Limit(exportPage).Find(&page).Error; err != nil {
			return err
		}
		for _, p := range page {
			after = p.Host
			if p.Standing == Allowed && (p.over(tx.Now) || coveredBy(p.Host, covers)) {
				continue
			}
			if err := fn(p); err != nil {
				return err
			}
		}
		if len(page) < exportPage {
			return nil
		}
	}
}

func coveredBy(host string, blocked map[string]bool) bool {
	for _, above := range withParents(host)[1:] {
		if blocked[above] {
			return true
		}
	}
	return false
}

func (f ExportFormat) standing() Standing {
	if f.Deny {
		return Blocked
	}
	return Allowed
}

// exportMastodonAllows writes what Mastodon's administration exports and takes in.
func exportMastodonAllows(tx *store.Tx, w io.Writer, f ExportFormat) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"#domain"}); err != nil {
		return err
	}
	err := exported(tx, "standing = ?", []any{f.standing()}, func(p Peer) error { return c.Write([]string{p.Host}) })
	c.Flush()
	return err
}

// exportMastodonBlocks writes what Mastodon's administration exports and takes
// in: also peers of which less is taken, as Mastodon's export has its limits.
func exportMastodonBlocks(tx *store.Tx, w io.Writer, _ ExportFormat) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"#domain", "#severity", "#reject_media", "#reject_reports", "#public_comment", "#obfuscate"}); err != nil {
		return err
	}
	err := exported(tx, "(standing = ? OR standing = ? AND (silenced OR media = ? OR reports_in = ?))", []any{Blocked, Allowed, MediaStrip, ReportsRefuse}, func(p Peer) error {
		severity, media, reports := SeveritySuspend, false, false
		if p.Standing == Allowed {
			severity, media, reports = SeverityNoop, p.Media == MediaStrip, p.ReportsIn == ReportsRefuse
			if p.Silenced {
				severity = SeveritySilence
			}
		}
		comment := p.PublicNote
		if text.SheetCell(comment) != comment {
			comment = " " + comment // which keeps a spreadsheet from it, and is not seen on a page
		}
		return c.Write([]string{p.Host, string(severity), strconv.FormatBool(media), strconv.FormatBool(reports), comment, "false"})
	})
	c.Flush()
	return err
}

// exportPlain writes a name a line, as GoToSocial does.
func exportPlain(tx *store.Tx, w io.Writer, f ExportFormat) error {
	return exported(tx, "standing = ?", []any{f.standing()}, func(p Peer) error {
		_, err := fmt.Fprintln(w, p.Host)
		return err
	})
}

// exportJSON writes what GoToSocial exports, with the moment where its own
// lists of blocks have one.
func exportJSON(tx *store.Tx, w io.Writer, f ExportFormat) error {
	sep := "[\n"
	err := exported(tx, "standing = ?", []any{f.standing()}, func(p Peer) error {
		one := struct {
			Domain        string `json:"domain"`
			SuspendedAt   string `json:"suspended_at,omitempty"`
			PublicComment string `json:"public_comment"`
			Obfuscate     bool   `json:"obfuscate"`
		}{Domain: p.Host, PublicComment: p.PublicNote}
		if f.Deny {
			one.SuspendedAt = p.ChangedAt.UTC().Format("2006-01-02T15:04:05.000Z")
		}
		b, err := json.Marshal(one)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s%s", sep, b)
		sep = ",\n"
		return err
	})
	if err != nil {
		return err
	}
	if sep == "[\n" {
		_, err = io.WriteString(w, "[]\n")
		return err
	}
	_, err = io.WriteString(w, "\n]\n")
	return err
}

// ChalkringColumns are the columns of chalkring_peers.csv.
func ChalkringColumns() []string {
	return []string{"#domain", "#tier", "#match", "#label", "#public_comment", "#private_comment", "#audience_ceiling", "#hold", "#media", "#reports", "#expires_at", "#source"}
}

// exportChalkring writes the columns that another Chalkring reads: all of a
// policy that its preset does not say, as far as they tell it.
func exportChalkring(tx *store.Tx, w io.Writer, _ ExportFormat) error {
	c := csv.NewWriter(w)
	if err := c.Write(ChalkringColumns()); err != nil {
		return err
	}
	err := exported(tx, "standing IN ?", []any{[]Standing{Allowed, Blocked}}, func(p Peer) error {
		tier, match, expires := string(p.Preset), MatchExact, ""
		if p.Standing == Blocked {
			tier = TierDenied
		}
		if p.Subtree || p.Standing == Blocked {
			match = MatchSubtree
		}
		if p.ExpiresAt != nil {
			expires = p.ExpiresAt.UTC().Format(time.RFC3339)
		}
		return c.Write([]string{p.Host, tier, match, text.SheetCell(p.Label), text.SheetCell(p.PublicNote), text.SheetCell(p.Note), string(p.Ceiling), string(p.Hold), string(p.Media),
			string(p.ReportsIn), expires, text.SheetCell(p.Source)})
	})
	c.Flush()
	return err
}
