package peers

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// unguard takes the triggers away that keep the log from being changed, as
// whoever owns the database can.
func (p policy) unguard() {
	p.write(func(tx *store.Tx) error {
		drops := []string{"DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete", "DROP TRIGGER audit_chain_no_update", "DROP TRIGGER audit_chain_no_delete"}
		if tx.Dialect() == store.Postgres {
			drops = []string{"DROP TRIGGER audit_no_change ON audit", "DROP TRIGGER audit_chain_no_change ON audit_chain"}
		}
		for _, drop := range drops {
			if err := tx.Exec(drop).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

func (p policy) verified() (v Verified) {
	p.t.Helper()
	if err := p.db.Read(p.t.Context(), func(tx *store.Tx) (err error) { v, err = Verify(tx); return err }); err != nil {
		p.t.Fatal(err)
	}
	return v
}

func TestAuditIsAppendOnly(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.allow("elm.example")
		for _, sql := range []string{"UPDATE audit SET reason = 'other'", "DELETE FROM audit", "UPDATE audit_chain SET hash = ''", "DELETE FROM audit_chain"} {
			err := p.db.Write(t.Context(), func(tx *store.Tx) error { return tx.Exec(sql).Error })
			if err == nil || !strings.Contains(err.Error(), "only added to") {
				t.Errorf("%s: %v", sql, err)
			}
		}
		if v := p.verified(); v.Lines != 1 || v.Broken != 0 || len(v.Head) != 64 {
			t.Errorf("verified: %+v", v)
		}
	})
}

// Many write at once, some take it back: the chain has no gap and no fork.
func TestAuditChainWithConcurrentWriters(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		var all sync.WaitGroup
		for w := range 4 {
			all.Go(func() {
				for i := range 8 {
					err := p.db.Write(t.Context(), func(tx *store.Tx) error {
						if err := Record(tx, Line{Action: "mode", Subject: fmt.Sprint(w, " ", i)}); err != nil || i%4 != 3 {
							return err
						}
						return fmt.Errorf("taken back")
					})
					if (err != nil) != (i%4 == 3) {
						t.Errorf("writer %d, line %d: %v", w, i, err)
					}
				}
			})
		}
		all.Wait()
		if v := p.verified(); v.Lines != 24 || v.Broken != 0 {
			t.Errorf("verified: %+v", v)
		}
	})
}

// Two nodes on one database write at once, one line at a time and many, some of
// it taken back, and both begin the chain of a log from before there was one:
// every line stands in the chain once, after one other, with the hash that the
// line before it gives it.
func TestAuditChainOfTwoNodes(t *testing.T) {
	databases := map[string]func(testing.TB) string{"sqlite": storetest.File}
	if os.Getenv("CHALKRING_TEST_POSTGRES") != "" {
		databases["postgres"] = storetest.Postgres
	}
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			at := database(t)
			nodes := []policy{{t, storetest.OpenURL(t, at)}, {t, storetest.OpenURL(t, at)}}
			const old, writers, rounds = 37, 6, 15
			nodes[0].write(func(tx *store.Tx) error {
				for i := range old {
					if err := tx.Create(&Line{ID: tx.NewID(), Action: "mode", Subject: fmt.Sprint("old ", i), CreatedAt: tx.Now}).Error; err != nil {
						return err
					}
				}
				return nil
			})
			takenBack := errors.New("taken back")
			var all sync.WaitGroup
			for n, node := range nodes {
				all.Go(func() {
					if err := node.db.Write(t.Context(), Chain); err != nil {
						t.Errorf("node %d begins: %v", n, err)
					}
				})
				for w := range writers {
					all.Go(func() {
						for i := range rounds {
							subject := fmt.Sprint(n, " ", w, " ", i)
							err := node.db.Write(t.Context(), func(tx *store.Tx) error {
								lines := []Line{{Action: "peer.allow", Subject: subject, Before: "<é>"}}
								if i%3 == 1 {
									lines = append(lines, Line{Action: "peer.pause", Subject: subject}, Line{Action: "peer.resume", Subject: subject, Reason: "why"})
								}
								record := func() error { return RecordAll(tx, lines) }
								if len(lines) == 1 {
									record = func() error { return Record(tx, lines[0]) }
								}
								if err := record(); err != nil || i%5 != 4 {
									return err
								}
								return takenBack
							})
							if i%5 == 4 != errors.Is(err, takenBack) || err != nil && i%5 != 4 {
								t.Errorf("node %d, writer %d, line %d: %v", n, w, i, err)
							}
						}
					})
				}
			}
			all.Wait()
			want := int64(old)
			for i := range rounds {
				switch {
				case i%5 == 4:
				case i%3 == 1:
					want += 3 * int64(writers*len(nodes))
				default:
					want += int64(writers * len(nodes))
				}
			}
			for n, node := range nodes {
				if v := node.verified(); v.Lines != want || v.Broken != 0 || v.Why != "" {
					t.Errorf("node %d has verified %+v, want %d lines", n, v, want)
				}
			}
			var chain []struct {
				Seq  int64
				Hash string
				Line `gorm:"embedded"`
			}
			nodes[1].write(func(tx *store.Tx) error {
				return tx.Raw("SELECT c.seq, c.hash, a.* FROM audit_chain c LEFT JOIN audit a ON a.id = c.line_id ORDER BY c.seq").Scan(&chain).Error
			})
			lines, before := map[int64]bool{}, ""
			for i, l := range chain {
				if l.Seq != int64(i+1) || l.ID == 0 || lines[l.ID] || l.Hash != LinkHash(before, l.Seq, l.Line) {
					t.Fatalf("place %d of the chain: %+v", i+1, l)
				}
				lines[l.ID], before = true, l.Hash
			}
			if int64(len(lines)) != want {
				t.Errorf("%d lines are chained, want %d", len(lines), want)
			}
		})
	}
}

func TestAuditChainTellsWhatWasRewritten(t *testing.T) {
	const lines = 6
	tests := []struct {
		name, sql string
		broken    int64
	}{
		{"a reason changed", "UPDATE audit SET reason = 'harmless' WHERE subject = 'line 3'", 4},
		{"a line and its link gone", "DELETE FROM audit_chain WHERE seq = 3; DELETE FROM audit WHERE subject = 'line 2'", 3},
		{"a line slipped in", "INSERT INTO audit (id, action, subject, created_at) VALUES (1, 'mode', 'mode', '2026-01-01 00:00:00')", 7},
		{"who it was", "UPDATE audit SET actor_id = NULL, action = 'peer.allow' WHERE subject = 'line 0'", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, p policy) {
				for i := range lines {
					p.write(func(tx *store.Tx) error {
						return Record(tx, Line{Action: "mode", Subject: fmt.Sprint("line ", i), Before: "<é>", Reason: "why"})
					})
				}
				before := p.verified()
				p.unguard()
				for _, sql := range strings.Split(tt.sql, "; ") {
					p.write(func(tx *store.Tx) error { return tx.Exec(sql).Error })
				}
				if v := p.verified(); before.Broken != 0 || before.Lines != lines || v.Broken != tt.broken || v.Why == "" {
					t.Errorf("before %+v, after %+v; want it broken at %d", before, v, tt.broken)
				}
			})
		})
	}
}

// A log from before there was a chain is chained as it is found, at the start
// or with the first line that is added.
func TestAuditChainTakesUpOldLines(t *testing.T) {
	for name, begin := range map[string]func(tx *store.Tx) error{
		"at the start":   Chain,
		"with the first": func(tx *store.Tx) error { return Record(tx, Line{Action: "mode", Subject: "mode"}) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, p policy) {
				p.write(func(tx *store.Tx) error {
					for i := range piece + 7 {
						if err := tx.Create(&Line{ID: tx.NewID(), Action: "mode", Subject: fmt.Sprint(i), CreatedAt: tx.Now}).Error; err != nil {
							return err
						}
					}
					return nil
				})
				if v := p.verified(); v.Broken != 0 || v.Lines != 0 || v.Why == "" {
					t.Errorf("before: %+v", v)
				}
				p.write(begin)
				p.write(Chain) // once more changes nothing
				p.allow("elm.example")
				want := int64(piece + 8)
				if name == "with the first" {
					want++
				}
				if v := p.verified(); v.Lines != want || v.Broken != 0 {
					t.Errorf("after: %+v, want %d lines", v, want)
				}
			})
		})
	}
}
