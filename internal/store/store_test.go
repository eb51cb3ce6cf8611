package store_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// thing is a table that only these tests have.
type thing struct {
	ID   int64
	Name string
	Flag bool
	Data []byte
	At   time.Time
	Gone *time.Time
}

func makeThings(t testing.TB, db *store.DB) {
	t.Helper()
	blob := "BLOB"
	if db.Dialect() == store.Postgres {
		blob = "BYTEA"
	}
	write(t, db, func(tx *store.Tx) error {
		return tx.Exec(`CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE CHECK (name <> ''),
			flag BOOLEAN NOT NULL, data ` + blob + `, at TIMESTAMP NOT NULL, gone TIMESTAMP)`).Error
	})
}

func write(t testing.TB, db *store.DB, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, db *store.DB, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Read(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, db *store.DB) (n int64) {
	t.Helper()
	read(t, db, func(tx *store.Tx) error { return tx.Model(&thing{}).Count(&n).Error })
	return n
}

func TestRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		cet := time.FixedZone("CET", 3600)
		at := time.Date(2026, 3, 1, 0, 30, 0, 123_456_789, cet)
		gone := time.Date(2026, 3, 1, 0, 30, 1, 0, time.UTC)
		in := thing{ID: 1 << 60, Name: "2026-01-01 ünï", Flag: true, Data: []byte{0, 255, 10}, At: at, Gone: &gone}
		write(t, db, func(tx *store.Tx) error {
			if err := tx.Create(&in).Error; err != nil {
				return err
			}
			return tx.Create(&thing{ID: 2, Name: "no more", At: tx.Now}).Error
		})
		var out, none thing
		read(t, db, func(tx *store.Tx) error {
			if err := tx.First(&out, 1<<60).Error; err != nil {
				return err
			}
			if err := tx.Where("at = ?", at).First(&thing{}).Error; err != nil {
				t.Errorf("not found by the time it was stored with: %v", err)
			}
			return tx.First(&none, 2).Error
		})
		want := time.Date(2026, 2, 28, 23, 30, 0, 123_000_000, time.UTC)
		if out.At != want || *out.Gone != gone || out.Name != in.Name || !out.Flag || string(out.Data) != string(in.Data) {
			t.Errorf("stored %+v, read %+v", in, out)
		}
		if none.Gone != nil || none.Data != nil || none.Flag {
			t.Errorf("NULL came back as %+v", none)
		}
	})
}

func TestTimesSort(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		base := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		steps := []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, 120 * time.Millisecond, time.Second, time.Hour}
		write(t, db, func(tx *store.Tx) error {
			for i := len(steps) - 1; i >= 0; i-- {
				if err := tx.Create(&thing{ID: int64(i + 1), Name: steps[i].String(), At: base.Add(steps[i])}).Error; err != nil {
					return err
				}
			}
			return nil
		})
		var rows []thing
		var before int64
		read(t, db, func(tx *store.Tx) error {
			if err := tx.Model(&thing{}).Where("at < ?", base.Add(120*time.Millisecond)).Count(&before).Error; err != nil {
				return err
			}
			return tx.Order("at").Find(&rows).Error
		})
		for i, row := range rows {
			if row.ID != int64(i+1) {
				t.Errorf("place %d holds %v", i, row.At)
			}
		}
		if before != 4 {
			t.Errorf("%d rows before 120 ms, want 4", before)
		}
	})
}

func TestFailures(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		write(t, db, func(tx *store.Tx) error { return tx.Create(&thing{ID: 1, Name: "one", At: tx.Now}).Error })
		tests := []struct {
			name string
			fn   func(tx *store.Tx) error
			kind fault.Kind
			orm  error
		}{
			{"no row", func(tx *store.Tx) error { return tx.First(&thing{}, 9).Error }, fault.NotFound, gorm.ErrRecordNotFound},
			{"same key", func(tx *store.Tx) error { return tx.Create(&thing{ID: 1, Name: "two", At: tx.Now}).Error }, fault.Conflict, gorm.ErrDuplicatedKey},
			{"same name", func(tx *store.Tx) error { return tx.Create(&thing{ID: 2, Name: "one", At: tx.Now}).Error }, fault.Conflict, gorm.ErrDuplicatedKey},
			{"raw SQL", func(tx *store.Tx) error {
				return tx.Exec("INSERT INTO things (id, name, flag, at) VALUES (1, 'x', FALSE, ?)", tx.Now).Error
			}, fault.Conflict, gorm.ErrDuplicatedKey},
			{"check", func(tx *store.Tx) error { return tx.Create(&thing{ID: 3, At: tx.Now}).Error }, fault.Internal, gorm.ErrCheckConstraintViolated},
			{"own failure", func(tx *store.Tx) error { return fault.New(fault.Gone, "gone") }, fault.Gone, nil},
		}
		for _, tt := range tests {
			var inside error
			err := db.Write(t.Context(), func(tx *store.Tx) error { inside = tt.fn(tx); return inside })
			for _, err := range []error{inside, err} {
				if got := fault.Of(err).Kind; got != tt.kind {
					t.Errorf("%s: %v, a %v, want %v", tt.name, err, got, tt.kind)
				}
				if tt.orm != nil && !errors.Is(err, tt.orm) {
					t.Errorf("%s: %v is not %v", tt.name, err, tt.orm)
				}
			}
		}
		if n := count(t, db); n != 1 {
			t.Errorf("%d rows after failures, want 1", n)
		}
	})
}

func TestReadCannotWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		err := db.Read(t.Context(), func(tx *store.Tx) error { return tx.Create(&thing{ID: 1, Name: "x", At: tx.Now}).Error })
		if err == nil {
			t.Error("a reader wrote")
		}
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestReadSeesOneState(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		read(t, db, func(tx *store.Tx) error {
			var n int64
			if err := tx.Model(&thing{}).Count(&n).Error; err != nil {
				return err
			}
			write(t, db, func(tx *store.Tx) error { return tx.Create(&thing{ID: 1, Name: "x", At: tx.Now}).Error })
			if err := tx.Model(&thing{}).Count(&n).Error; err != nil {
				return err
			}
			if n != 0 {
				t.Errorf("the reader saw %d rows that were written after it began", n)
			}
			return nil
		})
	})
}

func TestPanicRollsBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			db.Write(t.Context(), func(tx *store.Tx) error {
				if err := tx.Create(&thing{ID: 1, Name: "x", At: tx.Now}).Error; err != nil {
					t.Error(err)
				}
				panic("oh")
			})
		}()
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows after a panic", n)
		}
		write(t, db, func(tx *store.Tx) error { return tx.Create(&thing{ID: 1, Name: "x", At: tx.Now}).Error })
	})
}

func TestCancelledCaller(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Write(ctx, func(tx *store.Tx) error {
			cancel() // the client goes while its work is done
			return tx.Create(&thing{ID: 1, Name: "x", At: tx.Now}).Error
		})
		if err != nil {
			t.Errorf("what had begun was not carried through: %v", err)
		}
		if err := db.Write(ctx, func(*store.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled caller began: %v", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		err = db.Read(ctx, func(tx *store.Tx) error {
			cancel()
			return tx.First(&thing{}, 1).Error
		})
		if err == nil {
			t.Error("a cancelled reader read on")
		}
		if n := count(t, db); n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestAttempt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		sub := db.Subscribe("thing")
		defer sub.Close()
		add := func(tx *store.Tx, id int64, name string) error {
			tx.Announce("thing", id)
			return tx.Create(&thing{ID: id, Name: name, At: tx.Now}).Error
		}
		write(t, db, func(tx *store.Tx) error {
			if err := add(tx, 1, "one"); err != nil {
				return err
			}
			if err := tx.Attempt(func(tx *store.Tx) error { return add(tx, 2, "one") }); !fault.Is(err, fault.Conflict) {
				t.Errorf("duplicate: %v", err)
			}
			return tx.Attempt(func(tx *store.Tx) error {
				if err := add(tx, 3, "three"); err != nil {
					return err
				}
				if err := tx.Attempt(func(tx *store.Tx) error { return errors.Join(add(tx, 4, "four"), errors.New("no")) }); err == nil {
					t.Error("the inner attempt did not fail")
				}
				return add(tx, 5, "five")
			})
		})
		for _, want := range []int64{1, 3, 5} {
			if n := <-sub.C; n.ID != want {
				t.Errorf("news of %d, want %d", n.ID, want)
			}
		}
		if n := count(t, db); n != 3 {
			t.Errorf("%d rows, want 3", n)
		}
	})
}

func TestManyWriters(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		write(t, db, func(tx *store.Tx) error { return tx.Create(&thing{ID: 1, Name: "counter", At: tx.Now}).Error })
		var wg sync.WaitGroup
		var failed atomic.Int64
		for range 8 {
			wg.Go(func() {
				for range 10 {
					err := db.Write(t.Context(), func(tx *store.Tx) error {
						id := tx.NewID()
						return tx.Create(&thing{ID: id, Name: time.Duration(id).String(), At: tx.Now}).Error
					})
					if err != nil {
						failed.Add(1)
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := count(t, db); n != 81-failed.Load() {
			t.Errorf("%d rows, want 81", n)
		}
	})
}

func TestBatch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		sub := db.Subscribe("thing")
		defer sub.Close()
		const n = 60
		errs := make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				errs[i] = db.Batch(t.Context(), func(tx *store.Tx) error {
					tx.Announce("thing", int64(i))
					if i == 7 {
						panic("seven")
					}
					name := time.Duration(i).String()
					if i%10 == 3 {
						name = "" // breaks a rule
					}
					return tx.Create(&thing{ID: int64(i + 1), Name: name, At: tx.Now}).Error
				})
			})
		}
		wg.Wait()
		for i, err := range errs {
			if bad := i%10 == 3 || i == 7; bad != (err != nil) {
				t.Errorf("function %d: %v", i, err)
			}
		}
		if errs[7] != nil && !strings.Contains(errs[7].Error(), "seven") {
			t.Errorf("the panic is not told: %v", errs[7])
		}
		if got := count(t, db); got != n-7 {
			t.Errorf("%d rows, want %d", got, n-7)
		}
		if got := len(sub.C); got != n-7 {
			t.Errorf("%d news, want %d", got, n-7)
		}
		before := db.Stats().Writes
		for i := range n { // and when none fails, they share
			wg.Go(func() {
				errs[i] = db.Batch(t.Context(), func(tx *store.Tx) error {
					return tx.Create(&thing{ID: int64(1000 + i), Name: "good " + time.Duration(i).String(), At: tx.Now}).Error
				})
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		if used := db.Stats().Writes - before; used >= n {
			t.Errorf("%d transactions for %d functions", used, n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := db.Batch(ctx, func(*store.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

func TestClaimHost(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if err := db.ClaimHost(t.Context(), storetest.Host); err != nil {
			t.Errorf("its own host: %v", err)
		}
		err := db.ClaimHost(t.Context(), "elm.test")
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), storetest.Host) || !strings.Contains(err.Error(), "elm.test") {
			t.Errorf("another host: %v", err)
		}
	})
}

// The command line works on the database while the server runs.
func TestTwoOpenings(t *testing.T) {
	path := storetest.File(t)
	a, b := storetest.OpenURL(t, path), storetest.OpenURL(t, path)
	makeThings(t, a)
	var wg sync.WaitGroup
	for i, db := range []*store.DB{a, b, a, b} {
		wg.Go(func() {
			for j := range 15 {
				err := db.Write(t.Context(), func(tx *store.Tx) error {
					var n int64
					if err := tx.Model(&thing{}).Count(&n).Error; err != nil {
						return err
					}
					id := int64(i*100 + j + 1)
					return tx.Create(&thing{ID: id, Name: time.Duration(id).String(), At: tx.Now}).Error
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := count(t, b); n != 60 {
		t.Errorf("%d rows, want 60", n)
	}
}

// Many different statements push each other out of what a connection keeps.
func TestManyStatements(t *testing.T) {
	db := storetest.Open(t)
	makeThings(t, db)
	write(t, db, func(tx *store.Tx) error {
		rows := make([]thing, 700) // in one statement, longer than any that is kept
		for i := range rows {
			rows[i] = thing{ID: int64(i + 1), Name: time.Duration(i).String(), At: tx.Now}
		}
		return tx.Create(&rows).Error
	})
	read(t, db, func(tx *store.Tx) error {
		for n := 1; n <= 700; n++ {
			ids := make([]int64, n)
			for i := range ids {
				ids[i] = int64(i + 1)
			}
			var got int64
			if err := tx.Model(&thing{}).Where("id IN ?", ids).Count(&got).Error; err != nil || got != int64(n) {
				t.Fatalf("%d of %d, %v", got, n, err)
			}
		}
		var name string
		if err := tx.Raw("SELECT name FROM things WHERE id = ?", 3).Row().Scan(&name); err != nil || name == "" {
			t.Errorf("one row: %q, %v", name, err)
		}
		if err := tx.Exec("SELECT nonsense FROM nowhere").Error; err == nil {
			t.Error("nonsense was understood")
		}
		return nil
	})
}

func TestClaims(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		write(t, db, func(tx *store.Tx) error {
			return tx.Create(&[]thing{{ID: 1, Name: "one", At: tx.Now}, {ID: 2, Name: "two", At: tx.Now}}).Error
		})
		claim := func(tx *store.Tx) (claimed []thing, err error) {
			err = tx.Raw(`UPDATE things SET flag = TRUE WHERE id IN (SELECT id FROM things WHERE NOT flag ORDER BY id LIMIT 1` +
				tx.SkipLocked() + `) RETURNING *`).Scan(&claimed).Error
			return claimed, err
		}
		write(t, db, func(tx *store.Tx) error {
			first, err := claim(tx)
			if err != nil || len(first) != 1 || first[0].ID != 1 || !first[0].Flag || first[0].At.IsZero() {
				t.Errorf("claimed %+v, %v", first, err)
			}
			if db.Dialect() == store.SQLite {
				return nil // nobody else can claim meanwhile
			}
			write(t, db, func(tx *store.Tx) error {
				second, err := claim(tx)
				if err != nil || len(second) != 1 || second[0].ID != 2 {
					t.Errorf("another node claimed %+v, %v", second, err)
				}
				return nil
			})
			return nil
		})
		read(t, db, func(tx *store.Tx) error {
			var row thing
			return tx.Raw("SELECT * FROM things WHERE id = 1").Scan(&row).Error
		})
		write(t, db, func(tx *store.Tx) error {
			var row thing
			return tx.Clauses(clause.Locking{Strength: "UPDATE", Options: "SKIP LOCKED"}).Where("id = ?", 1).Offset(0).Limit(-1).Take(&row).Error
		})
	})
}

func TestUpserts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		write(t, db, func(tx *store.Tx) error {
			row := thing{ID: 1, Name: "one", At: tx.Now}
			for i, want := range []int64{1, 0} {
				q := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
				if q.Error != nil || q.RowsAffected != want {
					t.Errorf("time %d: %d rows, %v", i+1, q.RowsAffected, q.Error)
				}
			}
			row.Name, row.Flag = "uno", true
			err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})}).Create(&row).Error
			if err != nil {
				return err
			}
			var now thing
			if err := tx.Take(&now, 1).Error; err != nil || now.Name != "uno" || now.Flag {
				t.Errorf("%+v, %v", now, err)
			}
			var rest []thing
			if err := tx.Order("id").Offset(1).Find(&rest).Error; err != nil || len(rest) != 0 {
				t.Errorf("%v, %v", rest, err)
			}
			// gorm's own nested transactions are savepoints too.
			err = tx.Transaction(func(inner *gorm.DB) error {
				return errors.Join(inner.Delete(&thing{}, 1).Error, errors.New("no"))
			})
			var n int64
			if tx.Model(&thing{}).Count(&n); err == nil || n != 1 {
				t.Errorf("%d rows after an inner failure, %v", n, err)
			}
			return nil
		})
	})
}

func TestDeadlockIsTriedAgain(t *testing.T) {
	db := storetest.OpenURL(t, storetest.Postgres(t))
	makeThings(t, db)
	write(t, db, func(tx *store.Tx) error {
		if err := tx.Exec("ALTER DATABASE " + tx.Migrator().CurrentDatabase() + " SET deadlock_timeout = '20ms'").Error; err != nil {
			return err
		}
		return tx.Create(&[]thing{{ID: 1, Name: "one", At: tx.Now}, {ID: 2, Name: "two", At: tx.Now}}).Error
	})
	var both sync.WaitGroup // each holds one row before it asks for the other
	both.Add(2)
	var wg sync.WaitGroup
	for _, order := range [][2]int64{{1, 2}, {2, 1}} {
		wg.Go(func() {
			first := true
			err := db.Write(t.Context(), func(tx *store.Tx) error {
				for i, id := range order {
					if err := tx.Model(&thing{ID: id}).Update("flag", true).Error; err != nil {
						return err
					}
					if i == 0 && first {
						first = false
						both.Done()
						both.Wait()
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := db.Stats().Retries; n == 0 {
		t.Error("nothing was tried again")
	}
}

// A question outside a transaction sees what is committed, and one that is given
// up takes no connection with it.
func TestAsk(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeThings(t, db)
		write(t, db, func(tx *store.Tx) error { return tx.Create(&thing{ID: 1, Name: "one", At: tx.Now}).Error })
		ask := func(ctx context.Context) (n int64, err error) {
			err = db.Ask(ctx, func(tx *store.Tx) error { return tx.Model(&thing{}).Count(&n).Error })
			return n, err
		}
		for range 50 {
			ctx, stop := context.WithCancel(t.Context())
			stop()
			if _, err := ask(ctx); !errors.Is(err, context.Canceled) {
				t.Fatalf("a question given up: %v", err)
			}
		}
		if n, err := ask(t.Context()); n != 1 || err != nil {
			t.Errorf("counted %d, %v", n, err)
		}
		if err := db.Ask(t.Context(), func(tx *store.Tx) error { return tx.Take(&thing{}, "id = 2").Error }); !fault.Is(err, fault.NotFound) {
			t.Errorf("no row: %v", err)
		}
		if s := db.Stats(); s.InUse != 0 {
			t.Errorf("%d connections are not given back", s.InUse)
		}
	})
}
