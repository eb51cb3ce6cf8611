package federation

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// moderator makes an account that looks at reports.
func (n *server) moderator(name string) community.Account {
	n.t.Helper()
	a := n.person(name)
	n.exec("UPDATE users SET role = 'moderator' WHERE account_id = ?", a.ID)
	return a
}

// reports are the open reports, as "who about whom, how many posts: words".
func (n *server) reports(me community.Account) []string {
	n.t.Helper()
	var lines []string
	n.read(func(tx *store.Tx) error {
		list, err := community.Reports(tx, me, true, false)
		for _, r := range list {
			lines = append(lines, fmt.Sprintf("%s about %s, %d: %s", r.Host, r.Target.Username, len(r.Posts), r.Comment))
		}
		return err
	})
	return lines
}

// Another server hears of a report from this server, never from whoever made
// it: in no member of the document, no header, and nothing that it can fetch.
//
// FEDERATION.md, "Reports".
func TestReportsDoNotTellWhoReported(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		whistle, mo, bo, ash := oak.person("whistleblower"), oak.moderator("mo"), elm.person("bo"), elm.moderator("ash")
		oak.follow(whistle, "@bo@elm.localhost")
		bad := elm.publish(bo, community.Draft{Source: "Something bad"})
		there := oak.copyOf(bad, elm)
		var seen bytes.Buffer // all that elm hears from here on
		elm.tap = func(w http.ResponseWriter, r *http.Request) bool {
			body := new(bytes.Buffer)
			_, _ = body.ReadFrom(r.Body)
			fmt.Fprintln(&seen, r.Method, r.URL, r.Header, body)
			r.Body = readCloser{bytes.NewReader(body.Bytes())}
			return false
		}
		var report community.Report
		oak.write(func(tx *store.Tx) (err error) {
			report, err = community.MakeReport(tx, whistle, community.ReportDraft{TargetID: there.AuthorID, Posts: []int64{there.ID}, Comment: "Look at this. Yours, W.",
				Category: community.ReportConduct, Forward: true})
			return err
		})
		r.settle()
		if seen.Len() > 0 {
			t.Errorf("the other server hears of a report before a moderator decides: %s", seen.String())
		}
		forward := func(as community.Account) error {
			return oak.db.Write(context.Background(), func(tx *store.Tx) error { return community.ForwardReport(tx, as, report.ID, "Please look at this.") })
		}
		if forward(whistle) == nil {
			t.Error("whoever reported can forward it")
		}
		if err := forward(mo); err != nil {
			t.Fatal(err)
		}
		if forward(mo) == nil {
			t.Error("a report is forwarded twice")
		}
		r.settle()
		if got := elm.reports(ash); len(got) != 1 || got[0] != "oak.localhost about bo, 1: Please look at this." {
			t.Errorf("elm's moderators read %q", got)
		}
		heard := seen.String()
		for _, secret := range []string{"whistleblower", fmt.Sprint(whistle.ID), fmt.Sprint(report.ID), "Yours, W.", "mo@", fmt.Sprint(mo.ID)} {
			if strings.Contains(heard, secret) {
				t.Errorf("the other server hears %q: %s", secret, heard)
			}
		}
		if !strings.Contains(heard, oak.site.Instance()+"#") || !strings.Contains(heard, `"Flag"`) {
			t.Errorf("the report is not this server's own: %s", heard)
		}
		if n := elm.count("SELECT COUNT(*) FROM notifications WHERE kind = 'report'"); n != 1 {
			t.Errorf("%d people at elm were told, want its moderator", n)
		}
		if n := elm.count("SELECT COUNT(*) FROM notifications WHERE kind = 'report' AND account_id = ?", bo.ID); n != 0 {
			t.Error("whoever is reported is told")
		}
	})
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

// What others report is kept for the moderators: once, bounded, and about
// nothing that their server was not given.
func TestReportsFromElsewhere(t *testing.T) {
	eachRing(t, func(t *testing.T, r *ring) {
		oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
		r.befriend()
		amira, dee, mo, bo := oak.person("amira"), oak.person("dee"), oak.moderator("mo"), elm.person("bo")
		elm.follow(bo, "@amira@oak.localhost")
		public := oak.publish(amira, community.Draft{Source: "public"})
		school := oak.publish(amira, community.Draft{Source: "school", Audience: community.School})
		others := oak.publish(dee, community.Draft{Source: "dee's"})
		flag := func(name string, object any, content string) {
			t.Helper()
			res := elm.say(bo, oak, doc{"@context": "https://www.w3.org/ns/activitystreams", "id": elm.site.URL("/test/flag/" + name), "type": "Flag", "actor": elm.site.Actor(bo.ID),
				"object": object, "content": content})
			r.settle()
			if res.Status != http.StatusAccepted {
				t.Errorf("%s: answered %d", name, res.Status)
			}
		}
		flag("mastodon", []string{oak.site.Actor(amira.ID), oak.site.Post(public.ID), oak.site.Post(school.ID), oak.site.Post(others.ID), elm.site.Post(9)}, "<p>Bad</p><script>x</script>")
		flag("mastodon", []string{oak.site.Actor(amira.ID)}, "the same address again")
		flag("post-alone", oak.site.Post(others.ID), "")
		flag("account-alone", oak.site.Actor(dee.ID), strings.Repeat("x", 9000))
		flag("not-here", elm.site.Actor(bo.ID), "me")
		flag("not-there", oak.site.Actor(4242), "nobody")
		flag("not-given", oak.site.Post(school.ID), "guessed")
		got := oak.reports(mo)
		want := []string{"elm.localhost about dee, 0: " + strings.Repeat("x", community.MaxReportComment), "elm.localhost about dee, 1: ", "elm.localhost about amira, 1: Bad"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the moderator reads %q", got)
		}
		oak.read(func(tx *store.Tx) error {
			if _, err := community.Reports(tx, amira, true, false); err == nil {
				t.Error("somebody who is no moderator reads reports")
			}
			return nil
		})
		oak.exec("UPDATE reports SET state = 'open'")
		oak.write(func(tx *store.Tx) error {
			for i := range 300 {
				err := tx.Exec("INSERT INTO reports (id, uri, host, account_id, target_id, created_at) SELECT ?, ?, 'elm.localhost', ?, ?, ?", tx.NewID(),
					fmt.Sprintf("https://elm.localhost/flood/%d", i), dee.ID, amira.ID, tx.Now).Error
				if err != nil {
					return err
				}
			}
			return nil
		})
		before := oak.count("SELECT COUNT(*) FROM reports")
		flag("flood", oak.site.Actor(amira.ID), "one more")
		if oak.count("SELECT COUNT(*) FROM reports") != before {
			t.Error("a flood of reports is kept")
		}
	})
}
