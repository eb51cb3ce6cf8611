package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

func number(into *int64, sql string, args ...any) store.Question {
	return store.Question{SQL: sql, Args: args, Row: func(r *store.Row) { *into = r.Int() }}
}

// What a page asked the last times is asked along with its first questions, and
// a page that asks something else is begun again: each time all it reads is what
// is there, and of one state of the database.
func TestPagesAreForeseen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		rng := rand.New(rand.NewPCG(1, 2))
		foreign, reruns, kept := 0, 0, 0
		type page struct {
			ids, names   []string
			before, past int64
		}
		for step := range 600 {
			if rng.IntN(4) == 0 {
				write(t, db, func(tx *store.Tx) error {
					switch rng.IntN(4) {
					case 0:
						return tx.Exec("UPDATE things SET name = name || '!' WHERE id % 5 = ?", rng.IntN(5)).Error
					case 1:
						return tx.Exec("DELETE FROM things WHERE id % 3 = ?", rng.IntN(3)).Error
					}
					return tx.Create(&thing{ID: int64(step + 1), Name: fmt.Sprint("thing ", step), At: tx.Now}).Error
				})
			}
			var ids, names []string
			var before, past int64
			runs := 0
			as := []string{"", "one", "other"}[rng.IntN(3)]
			made, err := db.ReadPage(t.Context(), as, []store.Question{number(&before, "SELECT COUNT(*) FROM things")}, func(*store.Tx) error { return nil }, func(tx *store.Tx) error {
				runs++
				ids, names, past = nil, nil, -1
				var list []int64
				if err := tx.Ask(store.Question{SQL: "SELECT id FROM things ORDER BY id", Row: func(r *store.Row) { list = append(list, r.Int()) }}); err != nil {
					return err
				}
				for _, id := range list {
					ids = append(ids, fmt.Sprint(id))
				}
				if len(list) == 0 {
					return nil
				}
				if step%50 == 7 { // what no question asked
					foreign++
					var n int64
					if err := tx.Raw("SELECT COUNT(*) FROM things").Scan(&n).Error; err != nil {
						return err
					} else if n != before {
						t.Errorf("step %d: two states, %d and %d", step, n, before)
					}
				}
				err := tx.Ask(store.Question{SQL: "SELECT name FROM things WHERE id IN ? ORDER BY id", Args: []any{list},
					Row: func(r *store.Row) { names = append(names, r.Text()) }})
				if err != nil {
					return err
				}
				return tx.AskLast(number(&past, "SELECT COUNT(*) FROM things WHERE at <= ?", tx.Now))
			})
			if err != nil {
				t.Fatal(err)
			}
			if runs > 1 {
				reruns++
			}
			if p, ok := made.Kept().(page); ok {
				kept++
				if ids, names, before, past = p.ids, p.names, p.before, p.past; as == "" {
					t.Errorf("step %d: kept under no name", step)
				}
			} else if made.Keeps() {
				made.Keep(page{ids, names, before, past}, 100)
			}
			var all []thing
			read(t, db, func(tx *store.Tx) error { return tx.Order("id").Find(&all).Error })
			var want, wantNames []string
			for _, one := range all {
				want, wantNames = append(want, fmt.Sprint(one.ID)), append(wantNames, one.Name)
			}
			if !slices.Equal(ids, want) || !slices.Equal(names, wantNames) || before != int64(len(all)) || len(all) > 0 && past != int64(len(all)) {
				t.Fatalf("step %d: %v %v, %d before, %d past; want %v %v", step, ids, names, before, past, want, wantNames)
			}
		}
		s := db.Stats()
		if db.Dialect() == store.SQLite {
			if reruns != 0 {
				t.Errorf("begun again %d times where a round costs nothing", reruns)
			}
			reruns = int(s.Missed)
		}
		if s.Foreseen < 100 || s.Missed < 10 || int(s.Missed) != reruns || foreign == 0 || kept < 30 || int(s.Kept) != kept {
			t.Errorf("foreseen %d, missed %d, begun again %d, kept %d and %d", s.Foreseen, s.Missed, reruns, kept, s.Kept)
		}
	})
}

// A check that once agreed is asked again where the page is begun again, and all
// the page has is of the state in which it agreed.
func TestPageBegunAgainIsCheckedAgain(t *testing.T) {
	db := storetest.OpenURL(t, storetest.Postgres(t))
	makeThings(t, db)
	write(t, db, func(tx *store.Tx) error { return tx.Create(&thing{ID: 1, Name: "key", At: tx.Now}).Error })
	refused := errors.New("refused")
	more, between := false, func() {}
	page := func() (seen int64, err error) {
		allowed := int64(0)
		check := func(*store.Tx) error {
			if ok := allowed == 1; !ok {
				return refused
			}
			allowed = 0
			return nil
		}
		_, err = db.ReadPage(t.Context(), "", []store.Question{number(&allowed, "SELECT COUNT(*) FROM things WHERE name = 'key'")}, check, func(tx *store.Tx) error {
			if err := tx.Ask(number(&seen, "SELECT COUNT(*) FROM things WHERE id > 0")); err != nil {
				return err
			}
			if more {
				between()
				return tx.Ask(number(&seen, "SELECT COUNT(*) FROM things WHERE id > -1"))
			}
			return nil
		})
		return seen, err
	}
	for range 3 {
		if n, err := page(); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if s := db.Stats(); s.Foreseen != 1 {
		t.Fatalf("foreseen %d times", s.Foreseen)
	}
	more = true
	between = func() { // once, after it was foreseen wrongly
		between = func() {}
		write(t, db, func(tx *store.Tx) error { return tx.Exec("DELETE FROM things").Error })
	}
	if n, err := page(); !errors.Is(err, refused) {
		t.Errorf("saw %d, %v", n, err)
	}
	if s := db.Stats(); s.Missed != 1 {
		t.Errorf("missed %d times", s.Missed)
	}
}

// A question that fails where it was foreseen fails as it would alone, and the
// connection is as good as before.
func TestForeseenQuestionFails(t *testing.T) {
	storetest.Each(t, foreseenQuestionFails)
}

func foreseenQuestionFails(t *testing.T, db *store.DB) {
	makeThings(t, db)
	page := func() error {
		var n int64
		_, err := db.ReadPage(t.Context(), "", nil, nil, func(tx *store.Tx) error {
			if err := tx.Ask(number(&n, "SELECT 1")); err != nil {
				return err
			}
			return tx.AskLast(number(&n, "SELECT COUNT(*) FROM things"))
		})
		return err
	}
	for range 3 {
		if err := page(); err != nil {
			t.Fatal(err)
		}
	}
	write(t, db, func(tx *store.Tx) error { return tx.Exec("ALTER TABLE things RENAME TO others").Error })
	if err := page(); err == nil {
		t.Error("a table that is gone was read")
	}
	write(t, db, func(tx *store.Tx) error { return tx.Exec("ALTER TABLE others RENAME TO things").Error })
	for range 10 {
		if err := page(); err != nil {
			t.Error(err)
		}
	}
	if s := db.Stats(); s.InUse != 0 {
		t.Errorf("%d connections in use", s.InUse)
	}
}

// What is made of a page is kept for whoever reads it as the same, while all that
// it is made of is as it was, the check agrees, and time changes nothing of it.
func TestPagesAreKept(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { pagesAreKept(t, storetest.File(t)) })
	t.Run("postgres", func(t *testing.T) { pagesAreKept(t, storetest.Postgres(t)) })
}

func pagesAreKept(t *testing.T, database string) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	db, err := store.Open(t.Context(), store.Options{Database: database, Site: storetest.Site(), Conns: 4, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(context.Background()) })
	makeThings(t, db)
	write(t, db, func(tx *store.Tx) error { return tx.Create(&thing{ID: 1, Name: "key", At: tx.Now}).Error })
	refused := errors.New("refused")
	var check error
	page := func(as string, fleeting bool) (any, error) {
		var n int64
		made, err := db.ReadPage(t.Context(), as, []store.Question{number(&n, "SELECT COUNT(*) FROM things")}, func(*store.Tx) error { return check }, func(tx *store.Tx) error {
			if err := tx.Ask(number(&n, "SELECT id FROM things WHERE name = 'key'")); err != nil {
				return err
			}
			if fleeting {
				tx.Fleeting()
			}
			return tx.AskLast(number(&n, "SELECT COUNT(*) FROM things WHERE id = ?", n))
		})
		if made.Keeps() {
			made.Keep("made as "+as, 10)
		}
		return made.Kept(), err
	}
	often := func(as string, fleeting bool) (last any) {
		for range 6 {
			var err error
			if last, err = page(as, fleeting); err != nil {
				t.Fatal(err)
			}
		}
		return last
	}
	if got := often("one", false); got != "made as one" {
		t.Errorf("kept %v", got)
	}
	if got, _ := page("other", false); got != nil {
		t.Errorf("kept for another: %v", got)
	}
	if got := often("", false); got != nil {
		t.Errorf("kept for nobody: %v", got)
	}
	if got := often("passing", true); got != nil {
		t.Errorf("kept though it passes: %v", got)
	}
	check = refused
	if got, err := page("one", false); got != nil || !errors.Is(err, refused) {
		t.Errorf("got %v, %v", got, err)
	}
	check = nil
	if got, _ := page("one", false); got != "made as one" {
		t.Errorf("a refusal cost what was kept: %v", got)
	}
	now = now.Add(time.Minute)
	if got, _ := page("one", false); got != nil {
		t.Errorf("kept for too long: %v", got)
	}
	often("one", false)
	write(t, db, func(tx *store.Tx) error { return tx.Exec("UPDATE things SET id = 2").Error })
	if got, _ := page("one", false); got != nil {
		t.Errorf("kept though it changed: %v", got)
	}
}

// Questions that are all of a transaction see one state, though no statement
// begins it and ends it.
func TestQuestionsTogetherSeeOneState(t *testing.T) {
	db := storetest.OpenURL(t, storetest.Postgres(t))
	makeThings(t, db)
	var before, locks, after int64
	read(t, db, func(tx *store.Tx) error {
		waited := make(chan error, 1)
		go func() {
			// Writes once the reader waits, and lets it go on.
			waited <- db.Write(t.Context(), func(tx *store.Tx) error {
				if err := tx.Exec("SELECT pg_advisory_xact_lock(7)").Error; err != nil {
					return err
				}
				for locks := 0; locks == 0; {
					if err := tx.Raw("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").Scan(&locks).Error; err != nil {
						return err
					}
				}
				return tx.Create(&thing{ID: 1, Name: "new", At: tx.Now}).Error
			})
		}()
		for held := int64(0); held == 0; {
			if err := db.Ask(t.Context(), func(tx *store.Tx) error {
				return tx.Ask(number(&held, "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"))
			}); err != nil {
				return err
			}
		}
		err := tx.AskLast(number(&before, "SELECT COUNT(*) FROM things"), number(&locks, "SELECT 1 FROM pg_advisory_xact_lock_shared(7)"),
			number(&after, "SELECT COUNT(*) FROM things"))
		return errors.Join(err, <-waited)
	})
	if before != 0 || after != 0 {
		t.Errorf("one state had %d things, the next %d", before, after)
	}
	read(t, db, func(tx *store.Tx) error { return tx.AskLast(number(&after, "SELECT COUNT(*) FROM things")) })
	if after != 1 {
		t.Errorf("%d things are there behind it", after)
	}
}

// Where nothing is usually asked behind some questions, nothing is expected
// behind them for values that were not met before; where something is after all,
// the page is begun again.
func TestQuestionsThatUsuallyStandAlone(t *testing.T) {
	storetest.Each(t, questionsThatUsuallyStandAlone)
}

func questionsThatUsuallyStandAlone(t *testing.T, db *store.DB) {
	makeThings(t, db)
	write(t, db, func(tx *store.Tx) error {
		for id := range int64(40) {
			if err := tx.Create(&thing{ID: id + 1, Name: fmt.Sprint("thing ", id), At: tx.Now}).Error; err != nil {
				return err
			}
		}
		return nil
	})
	for id := int64(1); id <= 40; id++ {
		more := id == 20
		runs, one, all := 0, int64(-1), int64(40)
		_, err := db.ReadPage(t.Context(), "", nil, nil, func(tx *store.Tx) error {
			runs++
			if err := tx.Ask(number(&one, "SELECT id FROM things WHERE id = ?", id)); err != nil || !more {
				return err
			}
			return tx.AskLast(number(&all, "SELECT COUNT(*) FROM things"))
		})
		if err != nil || one != id || all != 40 {
			t.Fatalf("%d: found %d of %d, %v", id, one, all, err)
		}
		if again := runs == 2; again != (more && db.Dialect() == store.Postgres) {
			t.Errorf("%d: run %d times", id, runs)
		}
	}
	if s := db.Stats(); s.Foreseen != 12+11 || s.Missed != 1 {
		t.Errorf("foreseen %d, missed %d", s.Foreseen, s.Missed)
	}
}

// What was asked along is read as what was asked by itself, whatever it is.
func TestForeseenRowsAreAsRead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		at := time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)
		write(t, db, func(tx *store.Tx) error {
			times, blob := "TIMESTAMP", "BLOB"
			if db.Dialect() == store.Postgres {
				times, blob = "TIMESTAMP(3)", "BYTEA"
			}
			err := tx.Exec("CREATE TABLE kinds (id BIGINT PRIMARY KEY, part DOUBLE PRECISION, yes BOOLEAN, words TEXT, at " + times + ", bytes " + blob + ")").Error
			if err != nil {
				return err
			}
			if err := tx.Exec("INSERT INTO kinds VALUES (?, ?, ?, ?, ?, ?)", int64(-1)<<62, 1.5, true, "Wörter\x01", at, []byte{0, 255}).Error; err != nil {
				return err
			}
			return tx.Exec("INSERT INTO kinds VALUES (2, -0.25, FALSE, '', ?, NULL), (3, NULL, NULL, NULL, NULL, ?)", at.AddDate(100, 0, 0), []byte{}).Error
		})
		read := func() (rows []string) {
			one := func(r *store.Row) {
				row := fmt.Sprint(r.Int())
				for _, next := range []func() any{func() any { return r.Float() }, func() any { return r.Bool() }, func() any { return r.Text() },
					func() any { return r.Time() }, func() any { return r.Bytes() }} {
					if r.Null() {
						r.Skip(1)
						row += " NULL"
						continue
					}
					row += fmt.Sprintf(" %#v", next())
				}
				rows = append(rows, row)
			}
			_, err := db.ReadPage(t.Context(), "", nil, nil, func(tx *store.Tx) error {
				var n int64
				if err := tx.Ask(number(&n, "SELECT COUNT(*) FROM kinds")); err != nil {
					return err
				}
				return tx.AskLast(store.Question{SQL: "SELECT id, part, yes, words, at, bytes FROM kinds WHERE id IN ? ORDER BY id", Args: []any{[]int64{-1 << 62, 2, 3}}, Row: one})
			})
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		first := read()
		for range 4 {
			if again := read(); !slices.Equal(again, first) {
				t.Fatalf("read\n%q, and then\n%q", first, again)
			}
		}
		if s := db.Stats(); s.Foreseen < 2 || len(first) != 3 {
			t.Errorf("foreseen %d times: %q", s.Foreseen, first)
		}
	})
}
