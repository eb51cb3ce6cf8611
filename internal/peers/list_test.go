package peers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// TestListFindsAndPages holds each filter, order and page to what each entry by itself says.
func TestListFindsAndPages(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.write(func(tx *store.Tx) error {
			for i, set := range [][]string{
				{"label", "Zebra School", "preset", "partner"}, {"label", "alder school", "preset", "network", "note", "Ask for ANA"}, {"preset", "trial"},
				{"label", "Beech", "preset", "friendly", "public_note", "Read by many"}, {"preset", "listen"}, {"label", "Same"}, {"label", "Same"}, {"label", "Paused one"}, {"preset", "partner"},
			} {
				e := Entry{}
				for k := 0; k < len(set); k += 2 {
					if err := e.Set(tx, set[k], set[k+1], ""); err != nil {
						return err
					}
				}
				host := fmt.Sprintf("s%d.example", i)
				if _, err := Allow(tx, 0, host, e); err != nil {
					return err
				}
				if i%2 == 0 {
					if err := tx.Exec("UPDATE peers SET their_view = 'allowed' WHERE host = ?", host).Error; err != nil {
						return err
					}
				}
			}
			if _, err := Pause(tx, 0, "s7.example", Ending{}); err != nil {
				return err
			}
			past := tx.Now.Add(-time.Hour)
			if err := tx.Exec("UPDATE peers SET expires_at = ? WHERE host = 's8.example'", past).Error; err != nil {
				return err
			}
			for i := range 5 {
				if _, err := Block(tx, 0, fmt.Sprintf("b%d.example", i), Entry{Reason: "Spam"}); err != nil {
					return err
				}
			}
			for i, ago := range map[int]time.Duration{0: 5 * time.Hour, 3: time.Hour, 5: 9 * time.Hour} {
				if err := tx.Exec("UPDATE hosts SET last_in_at = ?, met_at = ? WHERE host = ?", tx.Now.Add(-ago), tx.Now, fmt.Sprintf("s%d.example", i)).Error; err != nil {
					return err
				}
			}
			if err := tx.Exec("UPDATE hosts SET last_out_at = ? WHERE host = 's5.example'", tx.Now.Add(-time.Minute)).Error; err != nil {
				return err
			}
			if err := tx.Exec("UPDATE hosts SET meet_tries = 3 WHERE host = 's6.example'").Error; err != nil {
				return err
			}
			if err := tx.Exec("UPDATE peers SET review_on = ? WHERE host IN ('s1.example', 'b0.example')", past).Error; err != nil {
				return err
			}
			if err := tx.Exec("UPDATE peers SET review_on = ? WHERE host = 's3.example'", tx.Now.Add(time.Hour)).Error; err != nil {
				return err
			}
			return tx.Exec("INSERT INTO lanes (queue, host, failing_since, next_at, node_until) VALUES ('deliveries', 's2.example', ?, ?, ?)", tx.Now, tx.Now, tx.Now).Error
		})
		names := []string{"s1", "s3", "s7", "s2", "s4", "s8", "s5", "s6", "s0"} // alder, Beech, Paused one, s2…, Same, Same, Zebra
		blocked := []string{"b0", "b1", "b2", "b3", "b4"}
		tests := []struct {
			name   string
			filter Filter
			want   []string
		}{
			{"all but blocked", Filter{}, names},
			{"all", Filter{Blocked: true}, []string{"s1", "b0", "b1", "b2", "b3", "b4", "s3", "s7", "s2", "s4", "s8", "s5", "s6", "s0"}},
			{"active", Filter{State: StateActive}, []string{"s4", "s6", "s0"}},
			{"trial", Filter{State: StateTrial}, []string{"s2"}},
			{"one-sided", Filter{State: StateOneSided}, []string{"s1", "s3", "s5"}},
			{"paused", Filter{State: StatePaused}, []string{"s7"}},
			{"expired", Filter{State: StateExpired}, []string{"s8"}},
			{"retired", Filter{State: StateRetired}, nil},
			{"blocked", Filter{State: StateBlocked}, blocked},
			{"blocked, in an order they have not", Filter{State: StateBlocked, Sort: SortTrouble}, blocked},
			{"due for review", Filter{Due: true}, []string{"s1"}},
			{"preset", Filter{Preset: PresetPartner}, []string{"s8", "s0"}},
			{"preset and state", Filter{Preset: PresetPartner, State: StateActive}, []string{"s0"}},
			{"label, whatever the case", Filter{Query: " SCHOOL "}, []string{"s1", "s0"}},
			{"note", Filter{Query: "ana"}, []string{"s1"}},
			{"public note", Filter{Query: "by many"}, []string{"s3"}},
			{"host, pasted", Filter{Query: "https://S4.example/about"}, []string{"s4"}},
			{"what is no pattern", Filter{Query: "s%_"}, nil},
			{"latest exchange", Filter{Sort: SortExchange}, []string{"s5", "s3", "s0", "s1", "s7", "s2", "s4", "s8", "s6"}},
			{"trouble", Filter{Sort: SortTrouble}, []string{"s2", "s6", "s1", "s3", "s7", "s4", "s8", "s5", "s0"}},
		}
		p.write(func(tx *store.Tx) error {
			for _, tt := range tests {
				for _, size := range []int{1, 2, 4, 50} {
					var got []string
					f := tt.filter
					for f.Limit = size; ; {
						rows, err := List(tx, f)
						if err != nil {
							return fmt.Errorf("%s: %w", tt.name, err)
						}
						for _, r := range rows {
							got = append(got, strings.TrimSuffix(r.Host, ".example"))
							if f.State != StateNone && r.State(tx.Now) != f.State {
								t.Errorf("%s: %s is %s", tt.name, r.Host, r.State(tx.Now))
							}
						}
						if len(rows) < size || len(got) > 40 {
							break
						}
						f.After = rows[len(rows)-1].Host
					}
					if !slices.Equal(got, tt.want) {
						t.Errorf("%s, %d a page: %v, want %v", tt.name, size, got, tt.want)
					}
				}
			}
			tallies, err := Tallies(tx)
			sums := map[State]int{}
			for _, n := range tallies {
				sums[n.State] += n.N
			}
			for state, want := range map[State]int{StateActive: 3, StateTrial: 1, StateOneSided: 3, StatePaused: 1, StateExpired: 1, StateBlocked: 5, StateRetired: 0} {
				if sums[state] != want {
					t.Errorf("%d are %s, want %d", sums[state], state, want)
				}
			}
			return err
		})
	})
}
