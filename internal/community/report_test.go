package community

import (
	"fmt"
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
		it := w.local("it", ITAdmin)          // who looks after the machines, and not after what people wrote
		w.refuses(fault.Conflict, report(mo))
		w.refuses(fault.Forbidden, func(tx *store.Tx) error { _, err := Reports(tx, it, true, false); return err })
		di := w.local("di", Owner)
		w.write(report(mo))
		var id int64
		for _, who := range []struct {
			Account
			want int
		}{{mo, 0}, {di, 1}} {
			w.read(func(tx *store.Tx) error {
				list, err := Reports(tx, who.Account, true, false)
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

// Whoever looks after the machines is shown no report, and so no post for a few
// that somebody reported; nor may they take one down.
func TestReportsAreNotForITAdministrators(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		amira, bo, it, mo := w.local("amira", Member), w.local("bo", Member), w.local("it", ITAdmin), w.local("mo", Moderator)
		var p Post
		var r Report
		w.write(func(tx *store.Tx) (err error) {
			if p, err = Publish(tx, amira, Draft{Kind: Note, Audience: People, Source: "Between us", To: []int64{bo.ID}}); err != nil {
				return err
			}
			r, err = MakeReport(tx, bo, ReportDraft{TargetID: amira.ID, Posts: []int64{p.ID}, Category: ReportChild})
			return err
		})
		if n := len(w.told(it)); n != 0 {
			t.Errorf("an IT administrator is told of %d reports", n)
		}
		for name, door := range map[string]func(tx *store.Tx) error{
			"count": func(tx *store.Tx) error {
				if n, err := CountOpenReports(tx, it); err != nil || n != 0 {
					return fmt.Errorf("%d are counted: %v", n, err)
				}
				return fault.New(fault.Forbidden, "none")
			},
			"one":     func(tx *store.Tx) error { _, err := ReportByID(tx, it, r.ID); return err },
			"all":     func(tx *store.Tx) error { _, err := Reports(tx, it, true, false); return err },
			"end":     func(tx *store.Tx) error { return ResolveReport(tx, it, r.ID) },
			"remove":  func(tx *store.Tx) error { _, err := RemoveReported(tx, it, r.ID); return err },
			"forward": func(tx *store.Tx) error { return ForwardReport(tx, it, r.ID, "Look") },
		} {
			if err := w.db.Write(t.Context(), door); !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.read(func(tx *store.Tx) error {
			view, err := ReportByID(tx, mo, r.ID)
			if len(view.About) != 1 {
				t.Errorf("a moderator is shown %d posts", len(view.About))
			}
			return err
		})
	})
}
