package community

import (
	"testing"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// Who looks at reports does not look at those of their own account: they learn
// neither that there is one nor who made it, and cannot end it.
func TestNobodyJudgesThemselves(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, mo := w.local("amira", Member), w.local("mo", Moderator)
		report := func(target Account) func(tx *store.Tx) error {
			return func(tx *store.Tx) error {
				_, err := MakeReport(tx, amira, ReportDraft{TargetID: target.ID, Category: ReportConduct})
				return err
			}
		}
		w.refuses(fault.Conflict, report(mo)) // there is nobody else
		di := w.local("di", ITAdmin)
		w.write(report(mo))
		var id int64
		for _, who := range []struct {
			Account
			want int
		}{{mo, 0}, {di, 1}} {
			w.read(func(tx *store.Tx) error {
				list, err := Reports(tx, who.Account, true)
				if len(list) != who.want {
					t.Errorf("%s is shown %d reports, want %d", who.Username, len(list), who.want)
				}
				for _, r := range list {
					id = r.ID
				}
				if n, err := CountOpenReports(tx, who.Account); err != nil || n != who.want {
					t.Errorf("%s is told of %d reports, want %d: %v", who.Username, n, who.want, err)
				}
				return err
			})
			if n := len(w.told(who.Account)); n != who.want {
				t.Errorf("%s is told %d times, want %d", who.Username, n, who.want)
			}
		}
		w.refuses(fault.NotFound, func(tx *store.Tx) error { _, err := ReportByID(tx, mo, id); return err })
		w.refuses(fault.NotFound, func(tx *store.Tx) error { return ResolveReport(tx, mo, id) })
		w.refuses(fault.NotFound, func(tx *store.Tx) error { _, err := RemoveReported(tx, mo, id); return err })
		w.write(func(tx *store.Tx) error { return ResolveReport(tx, di, id) })
	})
}
