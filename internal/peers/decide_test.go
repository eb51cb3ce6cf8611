package peers

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// Every change of what decides moves the version on by which it is remembered,
// and nothing else does.
func TestPolicyVersionMovesOn(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		version := func() (v int64) {
			p.write(func(tx *store.Tx) error { return tx.Raw("SELECT policy_version FROM site").Scan(&v).Error })
			return v
		}
		step := func(moves bool, sql string, args ...any) {
			t.Helper()
			before := version()
			p.write(func(tx *store.Tx) error { return tx.Exec(sql, args...).Error })
			if after := version(); after < before || (after > before) != moves {
				t.Errorf("%s: from %d to %d", sql, before, after)
			}
		}
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		step(true, "INSERT INTO peers (host, id, standing, created_at, changed_at) VALUES ('elm.test', 7, 'allowed', ?, ?)", now, now)
		step(true, "INSERT INTO peer_hosts (host, peer_id, role, seen_at, confirmed_at) VALUES ('elm.test', 7, 'main', ?, ?)", now, now)
		step(false, "INSERT INTO peer_hosts (host, peer_id, role, seen_at) VALUES ('www.elm.test', 7, 'handle', ?)", now)
		step(true, "UPDATE peer_hosts SET confirmed_at = ? WHERE host = 'www.elm.test'", now)
		step(true, "UPDATE peer_hosts SET role = 'actor' WHERE host = 'www.elm.test'")
		step(false, "UPDATE peer_hosts SET seen_at = ?", now.Add(time.Hour))
		for _, set := range []string{"standing = 'paused'", "subtree = TRUE", "preset = 'listen'", "ceiling = 'public'", "inbound = 1", "outbound = 1", "hold = 'all'",
			"silenced = TRUE", "media = 'strip'", "rights = 1", "reports_in = 'refuse'", "reports_out = 'never'", "search = 'nobody'", "retention = 30",
			"per_minute = 1", "per_day = 1", "max_bytes = 1", "backfill = 1", "holding = TRUE", "expires_at = '2027-01-01'"} {
			step(true, "UPDATE peers SET "+set)
			step(false, "UPDATE peers SET "+set)
		}
		for _, set := range []string{"label = 'Elm'", "note = 'x'", "their_view = 'allowed'", "review_on = '2027-01-01'"} {
			step(false, "UPDATE peers SET "+set)
		}
		step(true, "UPDATE site SET mode = 'open'")
		step(false, "UPDATE site SET name = 'Oak'")
		step(true, "DELETE FROM peer_hosts WHERE host = 'www.elm.test'")
		step(true, "DELETE FROM peers")
	})
}

// Whatever changes, what is remembered of the policy decides as what is read.
func TestRememberedPolicyDecidesAsReadAnew(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		rng := rand.New(rand.NewPCG(3, 4))
		hosts := []string{"elm.test", "www.elm.test", "sub.elm.test", "a.sub.elm.test", "ash.test", "pics.ash.test", "yew.test", "nobody.test"}
		host := func() string { return hosts[rng.IntN(len(hosts))] }
		exec := func(sql string, args ...any) func(tx *store.Tx) error {
			return func(tx *store.Tx) error { return tx.Exec(sql, args...).Error }
		}
		id := int64(100)
		changes := []func() func(tx *store.Tx) error{
			func() func(tx *store.Tx) error {
				name := host()
				id++
				return func(tx *store.Tx) error {
					return tx.Exec("INSERT INTO peers (host, id, standing, created_at, changed_at) VALUES (?, ?, 'allowed', ?, ?)", name, id, tx.Now, tx.Now).Error
				}
			},
			func() func(tx *store.Tx) error {
				name, role, confirmed := host(), []Role{RoleMain, RoleActor, RoleHandle, RoleMedia, RoleFormer}[rng.IntN(5)], rng.IntN(3) > 0
				return func(tx *store.Tx) error {
					var at *time.Time
					if confirmed {
						at = &tx.Now
					}
					return tx.Exec("INSERT INTO peer_hosts (host, peer_id, role, seen_at, confirmed_at) SELECT ?, MAX(id), ?, ?, ? FROM peers HAVING MAX(id) IS NOT NULL ON CONFLICT DO NOTHING",
						name, role, tx.Now, at).Error
				}
			},
			func() func(tx *store.Tx) error {
				return exec("UPDATE peers SET standing = ? WHERE host = ?", []Standing{Allowed, Allowed, Paused, Retired, Blocked}[rng.IntN(5)], host())
			},
			func() func(tx *store.Tx) error {
				return exec("UPDATE peers SET subtree = ?, ceiling = ?, inbound = ?, holding = ? WHERE host = ?", rng.IntN(2) == 0, "public", rng.IntN(511), rng.IntN(2) == 0, host())
			},
			func() func(tx *store.Tx) error {
				return exec("UPDATE peers SET expires_at = ? WHERE host = ?", time.Now().Add(time.Duration(rng.IntN(7)-3)*time.Hour), host())
			},
			func() func(tx *store.Tx) error {
				return exec("UPDATE site SET mode = ?", []Mode{Allowlist, Allowlist, Open}[rng.IntN(3)])
			},
			func() func(tx *store.Tx) error { return exec("DELETE FROM peer_hosts WHERE host = ?", host()) },
			func() func(tx *store.Tx) error { return exec("DELETE FROM peers WHERE host = ?", host()) },
			func() func(tx *store.Tx) error { return exec("UPDATE peers SET label = ?", fmt.Sprint(rng.IntN(9))) },
		}
		differ := 0
		var last map[string]Decision
		for step := range 400 {
			change := changes[rng.IntN(len(changes))]()
			if rng.IntN(5) == 0 { // of which nothing stays
				failed := fmt.Errorf("never mind")
				_ = p.db.Write(t.Context(), func(tx *store.Tx) error {
					if err := change(tx); err != nil {
						return err
					}
					if _, err := Decide(tx, hosts); err != nil {
						return err
					}
					return failed
				})
			} else if err := p.db.Write(t.Context(), change); err != nil && !strings.Contains(err.Error(), "exist") && !strings.Contains(err.Error(), "already") {
				t.Fatalf("step %d: %v", step, err)
			}
			var want map[string]Decision
			p.write(func(tx *store.Tx) (err error) { // a writer reads anew
				want, err = Decide(tx, hosts)
				return err
			})
			if last != nil && !reflect.DeepEqual(last, want) {
				differ++
			}
			last = want
			some := hosts[:1+rng.IntN(len(hosts))]
			check := func(tx *store.Tx) error {
				var told []int64
				other := store.Question{SQL: "SELECT id FROM peers WHERE id > ? ORDER BY id", Args: []any{200 * rng.IntN(2)}, Row: func(r *store.Row) { told = append(told, r.Int()) }}
				var others []store.Question
				if rng.IntN(2) == 0 {
					others = append(others, other, other)
				}
				got, err := DecideWith(tx, some, others...)
				if len(told)%2 != 0 || len(others) > 0 && other.Args[0] == 0 && len(told) == 0 && want["elm.test"].Peer == "elm.test" {
					t.Errorf("step %d: the other questions are answered with %v", step, told)
				}
				for _, host := range some {
					if !reflect.DeepEqual(got[host], want[host]) {
						t.Errorf("step %d: %s is decided as %+v, read anew %+v", step, host, got[host], want[host])
					}
				}
				return err
			}
			for range 2 {
				if err := p.db.Ask(t.Context(), check); err != nil {
					t.Fatal(err)
				}
				if err := p.db.Read(t.Context(), check); err != nil {
					t.Fatal(err)
				}
			}
			if t.Failed() {
				return
			}
		}
		if differ < 50 {
			t.Errorf("only %d changes decided anything", differ)
		}
	})
}
