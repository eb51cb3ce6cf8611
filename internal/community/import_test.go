package community

import (
	"slices"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Follows with a server that an import blocks are there again when it is
// undone, and end only when it cannot be any more.
func TestFollowsOutliveAnImportUntilItCannotBeUndone(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.write(EnsureSite)
		amira := w.local("amira", Member)
		w.peer("bad.example", peers.CeilingNetwork, true)
		bo, cy := w.remote("bo", "bad.example"), w.remote("cy", "sub.worse.example")
		w.remote("dee", "quiet.example")
		w.follows(amira, bo)
		w.follows(cy, amira)
		follows := func() (n int64) {
			w.read(func(tx *store.Tx) error { return tx.Raw("SELECT COUNT(*) FROM follows").Scan(&n).Error })
			return n
		}
		list := "#domain,#severity\nbad.example,suspend\nworse.example,suspend\nquiet.example,suspend\nnever.example,suspend\n"
		do := func() {
			for left := true; left; {
				w.write(func(tx *store.Tx) error {
					left = false
					due, err := DueChores(tx, 20)
					for _, c := range due {
						if c.Kind == ChoreImport && err == nil {
							left, err = DoImport(tx, c)
						}
					}
					return err
				})
			}
		}
		apply := func() peers.Import {
			im, err := peers.DraftImport(t.Context(), w.db, 0, "list.csv", []byte(list), "")
			if err != nil {
				t.Fatal(err)
			}
			if im.Ties != 2 {
				t.Errorf("%d servers with follows", im.Ties)
			}
			w.write(func(tx *store.Tx) error {
				_, err := peers.ApplyImport(tx, 0, im.ID, peers.ImportChoice{Conflicts: peers.ConflictsFile})
				return err
			})
			do()
			return im
		}
		im := apply()
		w.write(SweepImports)
		if n := follows(); n != 2 {
			t.Errorf("%d follows left while the import can be undone", n)
		}
		w.write(func(tx *store.Tx) error { _, err := peers.UndoImport(tx, 0, im.ID); return err })
		do()
		w.read(func(tx *store.Tx) error {
			if err := peers.Check(tx, "bad.example"); err != nil {
				t.Errorf("undone: %v", err)
			}
			return nil
		})
		im = apply()
		w.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE peer_imports SET undo_until = ?", tx.Now.Add(-time.Hour)).Error
		})
		w.write(SweepImports) // of the one that was undone
		w.write(SweepImports)
		var sever []string
		w.read(func(tx *store.Tx) error {
			return tx.Raw("SELECT subject FROM chores WHERE kind = ? ORDER BY subject", ChoreSever).Scan(&sever).Error
		})
		if !slices.Equal(sever, []string{"bad.example", "worse.example"}) {
			t.Errorf("follows end with %v", sever)
		}
		w.read(func(tx *store.Tx) error {
			im, err := peers.ImportByID(tx, im.ID)
			if im.ClosedAt == nil || im.Undoable(tx.Now) {
				t.Errorf("%+v", im)
			}
			return err
		})
		w.write(SweepImports) // and nothing more
	})
}
