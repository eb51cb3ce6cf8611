package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// sample has a field of every kind that a question reads.
type sample struct {
	ID     int64
	Number int
	Ref    *int64
	Name   string
	Kind   store.Dialect // a string of a name of its own
	Alias  *string
	Yes    bool
	Share  float64
	At     time.Time
	Ended  *time.Time
	Words  []string         `gorm:"serializer:json"`
	Bag    map[string]int   `gorm:"serializer:json"`
	Core   *struct{ A int } `gorm:"serializer:json;not null"`
}

var sampleColumns = store.ColumnsOf[sample]()

func makeSamples(t *testing.T, db *store.DB) []sample {
	t.Helper()
	end, ref, alias := time.Date(1969, 12, 31, 23, 59, 59, 1_000_000, time.UTC), int64(-1<<62), "ä\"{\\"
	all := []sample{
		{ID: 1, Words: []string{}, At: time.Date(2026, 2, 3, 4, 5, 6, 789_000_000, time.UTC)},
		{ID: 2, Number: -7, Ref: &ref, Name: "naïve\n'", Kind: store.SQLite, Alias: &alias, Yes: true, Share: -0.25, At: end, Ended: &end,
			Words: []string{"a", "b"}, Bag: map[string]int{"x": 1}, Core: &struct{ A int }{3}},
		{ID: 3, Share: 2, At: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), Words: nil},
	}
	real := map[store.Dialect]string{store.SQLite: "REAL", store.Postgres: "DOUBLE PRECISION"}[db.Dialect()]
	write(t, db, func(tx *store.Tx) error {
		err := tx.Exec(`CREATE TABLE samples (id BIGINT NOT NULL PRIMARY KEY, number BIGINT NOT NULL, ref BIGINT, name TEXT NOT NULL, kind TEXT NOT NULL,
			alias TEXT, yes BOOLEAN NOT NULL, share ` + real + ` NOT NULL, at TIMESTAMP NOT NULL, ended TIMESTAMP,
			words TEXT, bag TEXT, core TEXT NOT NULL DEFAULT '')`).Error
		if err != nil {
			return err
		}
		return tx.Create(&all).Error
	})
	write(t, db, func(tx *store.Tx) error {
		return tx.Exec("UPDATE samples SET words = COALESCE(words, ''), bag = COALESCE(bag, ''), core = '' WHERE id <> 2").Error
	})
	return all
}

func TestQuestionsReadWhatGormReads(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeSamples(t, db)
		for name, run := range map[string]func(fn func(tx *store.Tx) error) error{
			"in a snapshot": func(fn func(tx *store.Tx) error) error { return db.Read(t.Context(), fn) },
			"alone":         func(fn func(tx *store.Tx) error) error { return db.Ask(t.Context(), fn) },
			"in a writer":   func(fn func(tx *store.Tx) error) error { return db.Write(t.Context(), fn) },
		} {
			err := run(func(tx *store.Tx) error {
				var want, got []sample
				ask := store.Question{SQL: "SELECT " + sampleColumns.In(tx.Dialect()) + " FROM samples WHERE id IN ? ORDER BY id",
					Args: []any{[]int64{1, 2, 3}}, Row: func(r *store.Row) {
						var s sample
						sampleColumns.Read(r, &s)
						got = append(got, s)
					}}
				if err := tx.Ask(ask); err != nil {
					return err
				}
				if err := tx.Order("id").Find(&want).Error; err != nil {
					return err
				}
				if !reflect.DeepEqual(got, want) || len(got) != 3 {
					t.Errorf("%s: read\n%+v\ngorm read\n%+v", name, got, want)
				}
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestQuestions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		all := makeSamples(t, db)
		read(t, db, func(tx *store.Tx) error {
			var order []string
			text := func(r *store.Row) { order = append(order, r.Text()) }
			err := tx.Ask(
				store.Question{SQL: "SELECT name FROM samples WHERE alias IN ? AND at = ?", Args: []any{[]string{"x", *all[1].Alias, "{}"}, all[1].At}, Row: text},
				store.Question{SQL: "SELECT name FROM samples WHERE kind IN ? AND yes = ?", Args: []any{[]store.Dialect{store.Postgres, store.SQLite}, true}, Row: text},
				store.Question{SQL: "SELECT name FROM samples WHERE ref = ? AND kind = ? AND id = ?", Args: []any{*all[1].Ref, store.SQLite, 2}, Row: text},
				store.Question{SQL: "SELECT id FROM samples WHERE id = ?", Args: []any{int64(99)}, Row: text},
			)
			if name := all[1].Name; err != nil || len(order) != 3 || order[0] != name || order[2] != name {
				t.Errorf("%q, %v", order, err)
			}
			var n int64
			if err := tx.Ask(store.Question{SQL: "SELECT COUNT(*) FROM samples", Row: func(r *store.Row) { n = r.Int() }}); n != 3 {
				t.Errorf("counted %d, %v", n, err)
			}
			return nil
		})
		for name, q := range map[string]store.Question{
			"too few columns": {SQL: "SELECT id FROM samples", Row: func(r *store.Row) { r.Int(); r.Int() }},
			"another kind":    {SQL: "SELECT yes FROM samples", Row: func(r *store.Row) { r.Time() }},
			"no such table":   {SQL: "SELECT 1 FROM nowhere", Row: func(*store.Row) {}},
			"too few values":  {SQL: "SELECT id FROM samples WHERE id = ?", Row: func(*store.Row) {}},
		} {
			if err := db.Read(t.Context(), func(tx *store.Tx) error { return tx.Ask(q) }); err == nil {
				t.Errorf("%s: no failure", name)
			}
		}
		// Many different texts push each other out of what a connection keeps.
		read(t, db, func(tx *store.Tx) error {
			for i := range 500 {
				n := int64(-1)
				err := tx.Ask(store.Question{SQL: "SELECT COUNT(*) FROM samples" + strings.Repeat(" ", i), Row: func(r *store.Row) { n = r.Int() }})
				if n != 3 {
					t.Fatalf("text %d: %d, %v", i, n, err)
				}
			}
			return nil
		})
	})
}

// All that a reader asks in one transaction is of one state, and it cannot write.
func TestQuestionsSeeOneState(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeSamples(t, db)
		count := func(tx *store.Tx) (n int64, err error) {
			err = tx.Ask(store.Question{SQL: "SELECT COUNT(*) FROM samples", Row: func(r *store.Row) { n = r.Int() }})
			return n, err
		}
		read(t, db, func(tx *store.Tx) error {
			before, err := count(tx)
			if err != nil {
				return err
			}
			write(t, db, func(tx *store.Tx) error { return tx.Exec("DELETE FROM samples WHERE id = 1").Error })
			after, err := count(tx)
			if before != 3 || after != 3 {
				t.Errorf("%d, then %d", before, after)
			}
			return err
		})
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			return tx.Ask(store.Question{SQL: "DELETE FROM samples WHERE id = 2"})
		})
		if err == nil || fault.Is(err, fault.NotFound) {
			t.Errorf("a reader deleted: %v", err)
		}
	})
}

// What a question writes is what it was given: empty is not NULL, and nil is.
func TestQuestionsWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		blob := map[store.Dialect]string{store.SQLite: "BLOB", store.Postgres: "BYTEA"}[db.Dialect()]
		list := map[store.Dialect]string{store.SQLite: "json_each(?) l", store.Postgres: "unnest(?::text[]) l (value)"}[db.Dialect()]
		ref, name, at := int64(7), "", time.Date(2026, 2, 3, 4, 5, 6, 789_000_000, time.UTC)
		write(t, db, func(tx *store.Tx) error {
			return tx.Exec("CREATE TABLE written (id BIGINT NOT NULL PRIMARY KEY, ref BIGINT, name TEXT, body " + blob + ", at TIMESTAMP)").Error
		})
		insert := func(id int64, values ...any) store.Question {
			return store.Question{SQL: "INSERT INTO written (id, ref, name, body, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
				Args: append([]any{id}, values...)}
		}
		write(t, db, func(tx *store.Tx) error {
			return tx.Ask(
				insert(1, &ref, &name, []byte{0, 255, '\\'}, &at),
				insert(2, (*int64)(nil), (*string)(nil), []byte{}, (*time.Time)(nil)),
				insert(3, ref, name, []byte(nil), at),
				insert(3, ref, "not again", []byte{}, at),
			)
		})
		var got []string
		write(t, db, func(tx *store.Tx) error {
			got = nil
			return tx.Ask(store.Question{
				SQL:  "UPDATE written SET ref = id + COALESCE(ref, 0) WHERE id IN ? RETURNING id, ref, name, body, body IS NULL, at",
				Args: []any{[]int64{1, 2, 3}},
				Row: func(r *store.Row) {
					row := fmt.Sprint(r.Int(), r.Int(), " ")
					if name := r.TextPtr(); name != nil {
						row += "name " + *name
					}
					row += fmt.Sprint(r.Bytes(), r.Bool())
					if then := r.TimePtr(); then != nil {
						row += fmt.Sprint(then.Equal(at))
					}
					got = append(got, row)
				},
			})
		})
		slices.Sort(got)
		want := []string{"1 8 name [0 255 92] falsetrue", "2 2 [] false", "3 10 name [] truetrue"}
		if !slices.Equal(got, want) {
			t.Errorf("wrote %q, want %q", got, want)
		}
		read(t, db, func(tx *store.Tx) error {
			var both []string
			err := tx.Ask(store.Question{SQL: "SELECT l.value FROM " + list + " ORDER BY l.value", Args: []any{store.List[string]{"b\"\\", "a,{}"}},
				Row: func(r *store.Row) { both = append(both, r.Text()) }})
			if !slices.Equal(both, []string{"a,{}", "b\"\\"}) {
				t.Errorf("a list came back as %q", both)
			}
			return err
		})
	})
}

// The last questions of a reader end its transaction; what is asked behind them
// begins another, and a question that fails leaves the connection sound.
func TestLastQuestions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		makeSamples(t, db)
		var n int64
		count := store.Question{SQL: "SELECT COUNT(*) FROM samples", Row: func(r *store.Row) { n = r.Int() }}
		for name, run := range map[string]func(fn func(tx *store.Tx) error) error{
			"in a snapshot": func(fn func(tx *store.Tx) error) error { return db.Read(t.Context(), fn) },
			"alone":         func(fn func(tx *store.Tx) error) error { return db.Ask(t.Context(), fn) },
			"in a writer":   func(fn func(tx *store.Tx) error) error { return db.Write(t.Context(), fn) },
		} {
			for range 3 {
				err := run(func(tx *store.Tx) error {
					for _, ask := range []func(...store.Question) error{tx.Ask, tx.AskLast, tx.Ask, tx.AskLast} {
						if n = 0; ask(count) != nil || n != 3 {
							t.Errorf("%s: counted %d", name, n)
						}
					}
					return tx.Raw("SELECT COUNT(*) FROM samples").Scan(&n).Error
				})
				if err != nil || n != 3 {
					t.Errorf("%s: %d, %v", name, n, err)
				}
				if err := run(func(tx *store.Tx) error { return tx.AskLast(count, store.Question{SQL: "SELECT 1 FROM nowhere"}) }); err == nil {
					t.Errorf("%s: no failure", name)
				}
			}
		}
		write(t, db, func(tx *store.Tx) error { // which is not ended by its last question
			if err := tx.Exec("DELETE FROM samples WHERE id = 1").Error; err != nil {
				return err
			}
			return tx.AskLast(count)
		})
		if n != 2 {
			t.Errorf("a writer counted %d", n)
		}
		read(t, db, func(tx *store.Tx) error { return tx.AskLast(count) })
		if n != 2 {
			t.Errorf("its deed did not stay: %d", n)
		}
	})
}

func TestSomeColumns(t *testing.T) {
	some := store.ColumnsOf[sample]("ID", "At", "Name")
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		all := makeSamples(t, db)
		read(t, db, func(tx *store.Tx) error {
			return tx.Ask(store.Question{SQL: "SELECT " + some.In(tx.Dialect()) + " FROM samples WHERE id = 2", Row: func(r *store.Row) {
				var s sample
				some.Read(r, &s)
				if want := (sample{ID: 2, Name: all[1].Name, At: all[1].At}); !reflect.DeepEqual(s, want) {
					t.Errorf("read %+v", s)
				}
			}})
		})
	})
}
