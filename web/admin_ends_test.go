package web

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// elm is a connected server, at which the member of the office follows bo.
func (o *office) elm() (bo community.Account) {
	o.t.Helper()
	member := o.people[community.Member]
	o.write(func(tx *store.Tx) error {
		if _, err := peers.Allow(tx, 0, "elm.test", peers.Entry{Label: "Elm Secondary", PublicNote: "We plan Year 3 together", Note: "Ask for Ana"}); err != nil {
			return err
		}
		uri := "https://elm.test/users/bo"
		bo = community.Account{ID: tx.NewID(), Username: "bo", Host: "elm.test", ActorType: "Person", DisplayName: "Bo", URI: &uri, Inbox: uri + "/inbox",
			Fields: []community.Field{}, AlsoKnownAs: []string{}, AttributionDomains: []string{}, CreatedAt: tx.Now, UpdatedAt: tx.Now}
		if err := tx.Create(&bo).Error; err != nil {
			return err
		}
		if err := peers.Seen(tx, "elm.test"); err != nil {
			return err
		}
		if _, err := community.Follow(tx, member, bo); err != nil {
			return err
		}
		if err := tx.Exec("UPDATE follows SET state = 'accepted'").Error; err != nil {
			return err
		}
		_, _, err := community.Receive(tx, community.RemotePost{Author: bo, URI: uri + "/1", Kind: community.Note, Audience: community.Public, HTML: "<p>From elm</p>", Published: time.Now()})
		return err
	})
	return bo
}

// sever does what the chore of an end does.
func (o *office) sever() {
	o.t.Helper()
	o.write(func(tx *store.Tx) error {
		due, err := community.DueChores(tx, 10)
		for _, c := range due {
			if c.Kind == community.ChoreSever && err == nil {
				if _, _, err = community.SeverMore(tx, c); err == nil {
					err = community.EndChore(tx, c)
				}
			}
		}
		return err
	})
}

func TestEndConnectionsInTheBrowser(t *testing.T) {
	o := openOffice(t)
	o.elm()
	by, at := community.ITAdmin, "/admin/peers/elm.test"
	standing := func(want peers.Standing, action, reason string) {
		t.Helper()
		if s, line := o.standing("elm.test"); s != want || line.Action != action || line.Reason != reason {
			t.Errorf("it is %q, %+v; want %q by %s", s, line, want, action)
		}
	}
	o.sees(by, at+"/ends", "Pause", "Retire", "Purge", "follow of somebody there", at+"/impact.csv")
	rec := o.do(by, at+"/impact.csv", nil)
	rows, err := csv.NewReader(rec.Body).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][0] != "follow" || rows[1][1] != "the-member" || rows[1][2] != "'@bo@elm.test" {
		t.Errorf("the list says %q, %v", rows, err)
	}
	if kind := rec.Header().Get("Content-Disposition"); !strings.Contains(kind, "impact-elm.test.csv") {
		t.Errorf("the list is %q", kind)
	}

	o.sees(by, at+"/pause", "Pause the connection with elm.test?", "Nothing passes", "Resuming brings back everything", "person here with ties")
	o.leads(by, at+"/pause", url.Values{"reason": {"Broken into"}}, at+"/ends")
	standing(peers.Paused, "peer.pause", "Broken into")
	o.sees(by, at+"/ends", "Resume", "Broken into")
	o.leads(by, at+"/resume", url.Values{}, at+"/ends")
	standing(peers.Allowed, "peer.resume", "")

	// an end asks why
	for _, deed := range []string{"retire", "purge", "block"} {
		rec := o.do(by, at+"/"+deed, url.Values{"reason": {" "}, "withdraw": {"public"}})
		if rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), "Say why") {
			t.Errorf("%s without a reason: %d", deed, rec.Code)
		}
	}
	standing(peers.Allowed, "peer.resume", "")
	o.sees(by, at+"/retire", "Ask their server to delete", `value="closed" checked`, "One person here is told whom they lost")
	for _, deed := range []string{"retire", "purge"} { // the two never asked each other, so nothing can be told
		if strings.Contains(o.do(by, at+"/"+deed, nil).Body.String(), `name="tell"`) {
			t.Errorf("%s asks what administrators are told who are not told", deed)
		}
	}
	o.leads(by, at+"/retire", url.Values{"reason": {"It is over"}, "keep": {"30"}, "withdraw": {"closed", "public"}}, at+"/ends")
	standing(peers.Retired, "peer.retire", "It is over")
	var e peers.Peer
	o.write(func(tx *store.Tx) (err error) { e, err = peers.Get(tx, "elm.test"); return err })
	if e.Withdraw != peers.WithdrawClosed|peers.WithdrawPublic || e.KeepUntil == nil || e.KeepUntil.Sub(*e.EndedAt) != 30*24*time.Hour {
		t.Errorf("retired with %+v", e)
	}
	o.sees(by, at+"/ends", "Being done now", "Ties are being put aside")
	o.sever()
	o.sees(by, at+"/resume", "One follow of somebody there is asked for again")
	o.leads(by, at+"/purge", url.Values{"reason": {"They asked for it"}}, at+"/ends")
	standing(peers.Retired, "peer.purge", "They asked for it")
	o.sees(by, at+"/ends", "Take the purge back", "Everything will be deleted on")
	o.leads(by, at+"/unpurge", url.Values{}, at+"/ends")
	standing(peers.Retired, "peer.unpurge", "")
	o.sees(by, "/admin/peers/audit", "Paused the connection with elm.test", "Retired the connection with elm.test", "Took back that everything of elm.test is deleted")

	// the log is checked and given out
	o.sees(by, "/admin/peers/audit?check=1", "The log is whole", "Latest seal")
	if rec := o.do(by, "/admin/peers/audit.csv", nil); rec.Code != 200 || !strings.Contains(rec.Body.String(), "It is over") || !strings.HasPrefix(rec.Body.String(), "seq,hash,") {
		t.Errorf("the log as a table: %d %.200s", rec.Code, rec.Body.String())
	}
	if rec := o.do(by, "/admin/peers/audit.json", nil); rec.Code != 200 || strings.Count(rec.Body.String(), "\n") < 6 {
		t.Errorf("the log as JSON: %d %.200s", rec.Code, rec.Body.String())
	}
	for _, path := range []string{"/ends", "/impact.csv", "/pause", "/retire"} {
		if rec := o.do(community.Member, at+path, nil); rec.Code == http.StatusOK {
			t.Errorf("a member opens %s", path)
		}
	}
	for _, path := range []string{"/admin/peers/audit.csv", "/admin/peers/audit.json"} {
		if rec := o.do(community.Moderator, path, nil); rec.Code == http.StatusOK {
			t.Errorf("a moderator opens %s", path)
		}
	}
}

// Who lost somebody reads whom, and nobody else does.
func TestLostTiesAreTold(t *testing.T) {
	o := openOffice(t)
	o.elm()
	o.write(func(tx *store.Tx) error {
		_, err := peers.Retire(tx, 0, "elm.test", peers.Ending{Reason: "It is over"})
		return err
	})
	o.sever()
	var id int64
	o.write(func(tx *store.Tx) error {
		return tx.Raw("SELECT id FROM notifications WHERE kind = 'severed'").Scan(&id).Error
	})
	path := lostPath(id)
	o.sees(community.Member, "/notifications", "The connection with elm.test has ended", path)
	o.sees(community.Member, path, "@bo@elm.test", "You followed them", path+".csv")
	if rec := o.do(community.Member, path+".csv", nil); rec.Code != 200 || !strings.Contains(rec.Body.String(), "follow,bo@elm.test,Bo,https://elm.test/users/bo,") {
		t.Errorf("the list: %d %s", rec.Code, rec.Body.String())
	}
	for _, end := range []string{"", ".csv"} {
		if rec := o.do(community.Moderator, path+end, nil); rec.Code != http.StatusNotFound {
			t.Errorf("somebody else's list%s: %d", end, rec.Code)
		}
	}
}

// Members read with whom the school is connected and why; guests how many there
// are; nobody what is for administrators.
func TestConnectionsForMembers(t *testing.T) {
	o := openOffice(t)
	o.elm()
	o.write(func(tx *store.Tx) error {
		if _, err := peers.Allow(tx, 0, "ash.test", peers.Entry{}); err != nil {
			return err
		}
		if _, err := peers.Pause(tx, 0, "ash.test", peers.Ending{Reason: "a secret reason"}); err != nil {
			return err
		}
		_, err := peers.Block(tx, 0, "spam.test", peers.Entry{Reason: "adverts"})
		return err
	})
	o.sees(community.Member, "/about/connections", "Elm Secondary", "elm.test", "Why: We plan Year 3 together", "ash.test", "Paused", "One server is blocked", "If you do not agree")
	for _, role := range []community.Role{community.Member, ""} {
		rec := o.do(role, "/about/connections", nil)
		for _, secret := range []string{"spam.test", "adverts", "a secret reason", "Ask for Ana", "bo"} {
			if secret != "bo" && strings.Contains(rec.Body.String(), secret) {
				t.Errorf("%q reads %q", role, secret)
			}
		}
		if role == "" && (rec.Code != 200 || strings.Contains(rec.Body.String(), "elm.test") || strings.Contains(rec.Body.String(), "Year 3")) {
			t.Errorf("a guest reads names: %d", rec.Code)
		}
	}
}

// What came from a paused server carries a mark, and nothing that would not arrive is offered.
func TestPausedServersAreMarked(t *testing.T) {
	o := openOffice(t)
	bo := o.elm()
	var post int64
	o.write(func(tx *store.Tx) error { return tx.Raw("SELECT id FROM posts").Scan(&post).Error })
	pages := map[string]string{"thread": postPath(post), "profile": personPath(bo), "home": "/home"}
	for name, path := range pages {
		rec := o.do(community.Member, path, nil)
		if rec.Code != 200 || strings.Contains(rec.Body.String(), "quiet-mark") || !strings.Contains(rec.Body.String(), "From elm") {
			t.Errorf("%s before: %d", name, rec.Code)
		}
	}
	o.sees(community.Member, postPath(post), postPath(post)+"/like", "composer")
	o.write(func(tx *store.Tx) error { _, err := peers.Pause(tx, 0, "elm.test", peers.Ending{}); return err })
	for name, path := range pages {
		body := o.do(community.Member, path, nil).Body.String()
		if !strings.Contains(body, "quiet-mark") || strings.Contains(body, postPath(post)+"/like") || strings.Contains(body, postPath(post)+"/boost") {
			t.Errorf("%s is not marked, or offers what does not arrive", name)
		}
		if name != "home" && !strings.Contains(body, "The connection with elm.test is paused") {
			t.Errorf("%s does not say why", name)
		}
	}
	if body := o.do(community.Member, postPath(post), nil).Body.String(); strings.Contains(body, `id="composer"`) || !strings.Contains(body, postPath(post)+"/bookmark") {
		t.Error("a paused post can be answered, or not be saved")
	}
}

// A server's page says that it refuses what is sent to it, since when, and
// whether it still sends; and what can be done.
func TestRefusalsOfTheOtherSideInWords(t *testing.T) {
	o := openOffice(t)
	o.elm()
	const at = "/admin/peers/elm.test"
	heard := func(ago time.Duration) {
		t.Helper()
		o.write(func(tx *store.Tx) error {
			err := tx.Exec("UPDATE peers SET their_view = 'refused', their_view_at = ? WHERE host = 'elm.test'", tx.Now.Add(-time.Hour)).Error
			if err != nil {
				return err
			}
			return tx.Exec("UPDATE hosts SET met_at = ?, last_in_at = ? WHERE host = 'elm.test'", tx.Now, tx.Now.Add(-ago)).Error
		})
	}
	heard(2 * time.Hour)
	o.sees(community.ITAdmin, at, "They refuse what this server sends, since ", "Allowed here, and refused there.")
	if strings.Contains(o.do(community.ITAdmin, at, nil).Body.String(), "they still send to it") {
		t.Error("it is said to send, and has not since it refuses")
	}
	heard(time.Minute)
	o.sees(community.ITAdmin, at, "They refuse what this server sends, since ", "they still send to it, last on ")
}
