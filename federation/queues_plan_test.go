package federation

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// What waits must be found without a look at what is done, of which there are
// very many more: so SQLite is asked how it would go about it.
func TestQueuesAreServedByIndexes(t *testing.T) {
	db := storetest.Open(t)
	err := db.Write(t.Context(), func(tx *store.Tx) error {
		for i := range 600 {
			err := tx.Exec("INSERT INTO incoming (id, host, activity_id, actor_uri, type, body, state, received_at) VALUES (?, ?, ?, '', 'Create', '', 'done', ?)",
				tx.NewID(), fmt.Sprintf("h%d.test", i%3), fmt.Sprint(i), tx.Now).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	hosts := []string{"h0.test", "h1.test"}
	next, args := nextArrived(store.SQLite, hosts)
	for _, analysed := range []bool{false, true} {
		if analysed {
			if err := db.Write(t.Context(), func(tx *store.Tx) error { return tx.Exec("ANALYZE").Error }); err != nil {
				t.Fatal(err)
			}
		}
		for name, q := range map[string]store.Question{
			"incoming":         {SQL: next, Args: args},
			"deliveries":       {SQL: nextOf[store.SQLite], Args: []any{store.List[string](hosts), 8}},
			"incoming, left":   {SQL: leaveSQL("incoming"), Args: []any{noLease, "incoming", hosts}},
			"deliveries, left": {SQL: leaveSQL("deliveries"), Args: []any{noLease, "deliveries", hosts}},
		} {
			queue, _, _ := strings.Cut(name, ",")
			var steps []string
			q.SQL = "EXPLAIN QUERY PLAN " + q.SQL
			q.Row = func(r *store.Row) {
				r.Int()
				r.Int()
				r.Int()
				steps = append(steps, r.Text())
			}
			if err := db.Read(t.Context(), func(tx *store.Tx) error { return tx.Ask(q) }); err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(steps, func(s string) bool { return strings.Contains(s, "INDEX "+queue+"_lane (host=?)") }) {
				t.Errorf("%s, analysed %v: %s", name, analysed, strings.Join(steps, "\n"))
			}
			for _, s := range steps {
				if strings.Contains(s, "_past") || strings.HasPrefix(s, "SCAN incoming") || strings.HasPrefix(s, "SCAN deliveries") {
					t.Errorf("%s, analysed %v: %s", name, analysed, s)
				}
			}
		}
	}
}
