package testnet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chalkring/chalkring/internal/store"
)

// Snapshot is everything that a server has stored: each row by its table and key.
type Snapshot map[string]map[string][]string

// passing are columns that say when something was last looked at, which change
// whenever somebody knocks, and those that follow from others: versions of rows,
// and which bonds somebody has. A table's name alone is all of its columns.
var passing = map[string]bool{
	"incoming": true, "lanes": true, "hosts.met_at": true, "hosts.meet_tries": true, "hosts.meet_next_at": true, "hosts.last_in_at": true,
	"hosts.last_out_at": true, "hosts.refused_in": true, "hosts.refused_in_at": true, "hosts.signatures": true, "hosts.signatures_at": true,
	"accounts.fetched_at": true, "accounts.updated_at": true, "account_keys.fetched_at": true, "posts.replies_fetched_at": true, "polls.fetched_at": true,
	"accounts.version": true, "posts.version": true, "users.version": true, "oauth_tokens.version": true, "site.policy_version": true,
	"users.bonds": true, "peers.their_view": true, "peers.their_view_at": true,
}

// Snapshot reads all that the server has stored, but for its queue of what
// came in and for what says when somebody was last heard.
func (s *Server) Snapshot() Snapshot {
	s.t.Helper()
	all := Snapshot{}
	s.read(func(tx *store.Tx) error {
		tables, err := tx.Tables()
		if err != nil {
			return err
		}
		for _, t := range tables {
			if passing[t.Name] {
				continue
			}
			rows := map[string][]string{}
			err := tx.ExportTable(t, func(row []any) error {
				if t.Name == "hosts" && onlyKnocked(t, row) {
					return nil // noted some seconds after it knocked
				}
				var key []string
				values := make([]string, len(row))
				for i, c := range t.Columns {
					if slices.Contains(t.Key, c.Name) {
						key = append(key, fmt.Sprint(row[i]))
					}
					if !passing[t.Name+"."+c.Name] {
						values[i] = fmt.Sprintf("%s=%v", c.Name, row[i])
					}
				}
				rows[strings.Join(key, "/")] = values
				return nil
			})
			if err != nil {
				return err
			}
			all[t.Name] = rows
		}
		return nil
	})
	return all
}

// onlyKnocked reports whether a row of hosts is there because its server was
// refused, and says nothing else.
func onlyKnocked(t store.Table, row []any) bool {
	refused, met := false, false
	for i, c := range t.Columns {
		switch c.Name {
		case "refused_in":
			refused = row[i] != int64(0)
		case "met_at":
			met = row[i] != nil
		}
	}
	return refused && !met
}

// Since lists what is different from an earlier snapshot, a line for each
// table: "posts +1 ~2 -1" is one row more, two that changed and one that is
// gone. The second result tells the rows themselves.
func (s Snapshot) Since(before Snapshot) (lines, rows []string) {
	for _, table := range slices.Sorted(maps.Keys(s)) {
		more, changed, gone := 0, 0, 0
		was, is := before[table], s[table]
		for _, key := range slices.Sorted(maps.Keys(is)) {
			old, known := was[key]
			switch {
			case !known:
				more++
				rows = append(rows, "+ "+table+" "+clip(strings.Join(is[key], " ")))
			case !slices.Equal(old, is[key]):
				changed++
				for i := range old {
					if old[i] != is[key][i] {
						rows = append(rows, fmt.Sprintf("~ %s %s: %s, was %s", table, key, clip(is[key][i]), clip(old[i])))
					}
				}
			}
		}
		for key, values := range was {
			if _, still := is[key]; !still {
				gone++
				rows = append(rows, "- "+table+" "+clip(strings.Join(values, " ")))
			}
		}
		line := table
		for _, n := range []struct {
			sign  string
			count int
		}{{" +", more}, {" ~", changed}, {" -", gone}} {
			if n.count > 0 {
				line += fmt.Sprint(n.sign, n.count)
			}
		}
		if line != table {
			lines = append(lines, line)
		}
	}
	return lines, rows
}

// clip shortens what a failing test prints.
func clip(s string) string {
	if len(s) > 600 {
		return s[:600] + "…"
	}
	return s
}
