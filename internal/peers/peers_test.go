package peers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

type policy struct {
	t  *testing.T
	db *store.DB
}

func each(t *testing.T, fn func(t *testing.T, p policy)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, policy{t, db}) })
}

func (p policy) write(fn func(tx *store.Tx) error) {
	p.t.Helper()
	if err := p.db.Write(p.t.Context(), fn); err != nil {
		p.t.Fatal(err)
	}
}

func (p policy) allow(host string) {
	p.t.Helper()
	p.write(func(tx *store.Tx) error { _, err := Allow(tx, 0, host, Entry{}); return err })
}

func (p policy) block(host string) {
	p.t.Helper()
	p.write(func(tx *store.Tx) error { _, err := Block(tx, 0, host, Entry{Reason: "spam"}); return err })
}

func (p policy) refuses(kind fault.Kind, fn func(tx *store.Tx) error) {
	p.t.Helper()
	if err := p.db.Write(p.t.Context(), fn); !fault.Is(err, kind) {
		p.t.Errorf("got %v, want a failure of kind %s", err, kind)
	}
}

// wantAdmitted holds Check and Admitted to exactly these of the hosts.
func (p policy) wantAdmitted(when string, hosts []string, want ...string) {
	p.t.Helper()
	err := p.db.Read(p.t.Context(), func(tx *store.Tx) error {
		all, err := Admitted(tx, hosts)
		if err != nil {
			return err
		}
		for _, h := range hosts {
			admit := slices.Contains(want, h)
			if all[h] != admit {
				p.t.Errorf("%s: Admitted has %q: %v", when, h, all[h])
			}
			err := Check(tx, h)
			if (err == nil) != admit || err != nil && !Refused(err) {
				p.t.Errorf("%s: Check(%q) = %v", when, h, err)
			}
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p policy) blocked(host string) bool {
	p.t.Helper()
	var h Host
	p.write(func(tx *store.Tx) (err error) { h, err = HostByName(tx, host); return err })
	return h.Blocked
}

var hosts = []string{"elm.test", "sub.elm.test", "a.sub.elm.test", "notelm.test", "oak.test", "127.0.0.1", "[::1]", "localserver", "ELM.test", "elm.test.", "", "ash.example", "oak.localhost:8081"}

func TestAllowlist(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.wantAdmitted("empty", hosts)
		p.allow("https://ELM.test/about")
		p.wantAdmitted("one", hosts, "elm.test")
		p.allow("sub.elm.test")
		p.allow("oak.localhost:8081")
		p.block("sub.elm.test")
		p.wantAdmitted("a name below blocked", hosts, "elm.test", "oak.localhost:8081")
		p.allow("sub.elm.test")
		p.allow("a.sub.elm.test")
		p.block("elm.test")
		p.wantAdmitted("all below blocked", hosts, "oak.localhost:8081")
		p.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := Allow(tx, 0, "b.elm.test", Entry{}); return err })
		p.write(func(tx *store.Tx) error { return Remove(tx, 0, "elm.test", "they mended it") })
		p.wantAdmitted("the block removed", hosts, "sub.elm.test", "a.sub.elm.test", "oak.localhost:8081")
		p.refuses(fault.NotFound, func(tx *store.Tx) error { return Remove(tx, 0, "elm.test", "") })
	})
}

func TestOpen(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.refuses(fault.Invalid, func(tx *store.Tx) error { return SetMode(tx, 0, Open, "yes") })
		p.refuses(fault.Invalid, func(tx *store.Tx) error { return SetMode(tx, 0, "ajar", "oak.test") })
		p.wantAdmitted("still closed", hosts)
		p.write(func(tx *store.Tx) error { return SetMode(tx, 0, Open, " oak.test ") })
		p.block("elm.test")
		p.wantAdmitted("open", hosts, "notelm.test", "ash.example", "oak.localhost:8081")
		p.write(func(tx *store.Tx) error { return SetMode(tx, 0, Allowlist, "") })
		p.wantAdmitted("closed again", hosts)
	})
}

func TestEntriesAreChecked(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		for _, host := range []string{"", "oak.test", "10.0.0.1", "school", "school.example:8080", "two words.example"} {
			p.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := Allow(tx, 0, host, Entry{}); return err })
		}
		p.refuses(fault.Invalid, func(tx *store.Tx) error { _, err := Allow(tx, 0, "elm.test", Entry{Ceiling: "sky"}); return err })
		p.refuses(fault.Invalid, func(tx *store.Tx) error {
			_, err := Allow(tx, 0, "elm.test", Entry{Label: strings.Repeat("x", 300)})
			return err
		})
		p.write(func(tx *store.Tx) error {
			a, err := Allow(tx, 0, " Schüle.example. ", Entry{Label: " Schule ", Ceiling: CeilingGroup})
			if !strings.HasPrefix(a.Host, "xn--sch") || !strings.HasSuffix(a.Host, "a.example") || a.Name() != "Schule" {
				t.Errorf("stored as %+v", a)
			}
			c, _ := CeilingOf(tx, a.Host)
			if c != CeilingGroup || !c.Reaches(CeilingNetwork) || CeilingPublic.Reaches(CeilingNetwork) {
				t.Errorf("ceiling %s", c)
			}
			return err
		})
	})
}

func TestBlockMarksHosts(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.write(func(tx *store.Tx) error { return Seen(tx, "sub.elm.test") })
		p.write(func(tx *store.Tx) error { return Seen(tx, "notelm.test") })
		p.block("elm.test")
		p.write(func(tx *store.Tx) error { return Seen(tx, "later.elm.test") })
		for host, want := range map[string]bool{"elm.test": true, "sub.elm.test": true, "later.elm.test": true, "notelm.test": false} {
			if got := p.blocked(host); got != want {
				t.Errorf("%s blocked: %v", host, got)
			}
		}
		p.block("sub.elm.test")
		p.write(func(tx *store.Tx) error { return Remove(tx, 0, "elm.test", "") })
		for host, want := range map[string]bool{"elm.test": false, "sub.elm.test": true, "later.elm.test": false} {
			if got := p.blocked(host); got != want {
				t.Errorf("after the removal, %s blocked: %v", host, got)
			}
		}
		p.allow("sub.elm.test")
		if p.blocked("sub.elm.test") {
			t.Error("allowed, and still marked as blocked")
		}
	})
}

func TestAuditAndNews(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		sub := p.db.Subscribe(Changed)
		defer sub.Close()
		p.allow("elm.test")
		if n := <-sub.C; n.Key != "elm.test" {
			t.Errorf("news %+v", n)
		}
		p.block("elm.test")
		p.write(func(tx *store.Tx) error { return Remove(tx, 0, "elm.test", "gone") })
		p.allow("ash.example")
		p.write(func(tx *store.Tx) error {
			lines, err := Audit(tx, "elm.test", store.Page{})
			if len(lines) != 3 || lines[0].Action != "peer.remove" || lines[0].Reason != "gone" || lines[0].ActorID != nil ||
				!strings.Contains(lines[1].Before, `"allowed"`) || !strings.Contains(lines[1].After, `"blocked"`) || lines[2].Before != "" {
				t.Errorf("%+v", lines)
			}
			all, _ := Audit(tx, "", store.Page{})
			if len(all) != 4 {
				t.Errorf("%d lines in all", len(all))
			}
			return err
		})
	})
}

func TestRefusalsAreCounted(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		for range 12 {
			p.write(func(tx *store.Tx) error { return NoteRefused(tx, "x.example") })
		}
		for _, none := range []string{"10.0.0.1", "oak.test", "nonsense", "X.example"} {
			p.write(func(tx *store.Tx) error { return NoteRefused(tx, none) })
		}
		p.write(func(tx *store.Tx) error {
			list, err := Knocking(tx, 10)
			if len(list) != 1 || list[0].RefusedIn != 12 {
				t.Errorf("%+v", list)
			}
			for i := range mostRefused + 20 {
				if err := NoteRefused(tx, fmt.Sprintf("n%d.example", i)); err != nil {
					return err
				}
			}
			var n int
			tx.Raw("SELECT COUNT(*) FROM hosts").Scan(&n)
			if n != mostRefused {
				t.Errorf("%d names kept", n)
			}
			return err
		})
		p.allow("x.example")
		p.write(func(tx *store.Tx) error {
			if err := tx.Exec("UPDATE hosts SET refused_in_at = ? WHERE refused_in > 0", tx.Now.Add(-2*keepRefused)).Error; err != nil {
				return err
			}
			if err := Sweep(tx); err != nil {
				return err
			}
			var left []string
			err := tx.Model(&Host{}).Pluck("host", &left).Error
			if len(left) != 1 || left[0] != "x.example" {
				t.Errorf("left: %v", left)
			}
			return err
		})
	})
}

func TestMeetings(t *testing.T) {
	each(t, func(t *testing.T, p policy) {
		p.allow("elm.test")
		p.allow("ash.example")
		p.write(func(tx *store.Tx) error {
			if err := Met(tx, "elm.test", Meeting{Name: "Elm", Software: "chalkring", ClosedAudiences: true}); err != nil {
				return err
			}
			if _, err := MeetFailed(tx, "bad.example"); err != nil {
				return err
			}
			first, err := MeetFailed(tx, "ash.example")
			if err != nil {
				return err
			}
			second, err := MeetFailed(tx, "ash.example")
			if !second.After(first) {
				t.Errorf("tried again after %s, then %s", first, second)
			}
			if err != nil {
				return err
			}
			due, err := ToMeet(tx, 10)
			if len(due) != 0 {
				t.Errorf("due: %v", due)
			}
			if err != nil {
				return err
			}
			if _, err := Allow(tx, 0, "ash.example", Entry{}); err != nil { // an administrator asks for it: now
				return err
			}
			due, _ = ToMeet(tx, 10)
			if len(due) != 1 || due[0] != "ash.example" {
				t.Errorf("due: %v", due)
			}
			if err := NoteIn(tx, "elm.test"); err != nil {
				return err
			}
			rows, err := List(tx, Filter{Query: "ELM"})
			if len(rows) != 1 || rows[0].Known.Name != "Elm" || rows[0].Known.LastInAt == nil || !rows[0].Admits() {
				t.Errorf("%+v", rows)
			}
			if n, err := CountAllowed(tx); n != 2 || err != nil {
				t.Errorf("%d allowed, %v", n, err)
			}
			rows, _ = List(tx, Filter{After: "ash.example"})
			if len(rows) != 1 {
				t.Errorf("second page: %+v", rows)
			}
			return err
		})
	})
}
