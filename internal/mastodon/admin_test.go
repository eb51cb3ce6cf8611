package mastodon

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// admin is the person with an app that may also moderate in their name.
func (c *client) admin(scopes string) *client {
	return &client{w: c.w, me: c.me, token: c.w.signIn(c.me, scopes)}
}

// somebodyElsewhere is an account of another server.
func (w *world) somebodyElsewhere(name, host string) community.Account {
	w.t.Helper()
	var a community.Account
	w.write(func(tx *store.Tx) (err error) {
		a, err = community.UpsertRemote(tx, community.RemoteAccount{Account: remoteAccount(name, host)})
		return err
	})
	return a
}

func remoteAccount(name, host string) community.Account {
	uri := "https://" + host + "/users/" + name
	return community.Account{Username: name, Host: host, URI: &uri, ActorType: "Person"}
}

// The doors for moderation tools open by scope and by role, never by one of them.
func TestAdminNeedsScopeAndRole(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		owner, it, mod, member := w.person("ana", community.Owner), w.person("ivo", community.ITAdmin), w.person("mia", community.Moderator), w.person("bo", community.Member)
		all := "read write admin:read admin:write"
		for _, tt := range []struct {
			path                  string
			owner, it, mod, membr int
		}{
			{"/api/v1/admin/accounts", 200, 200, 200, 403},
			{"/api/v2/admin/accounts?origin=remote", 200, 200, 200, 403},
			{"/api/v1/admin/reports", 200, 0, 200, 403},
			{"/api/v1/admin/domain_allows", 200, 200, 403, 403},
			{"/api/v1/admin/domain_blocks", 200, 200, 403, 403},
			{"/api/v1/admin/ip_blocks", 200, 200, 200, 403},
			{"/api/v1/admin/trends/tags", 200, 200, 200, 403},
		} {
			if res := owner.get(tt.path); res.Code != http.StatusForbidden || !strings.Contains(res.text("error"), "outside the authorized scopes") {
				t.Errorf("%s without the scope: %d %s", tt.path, res.Code, res.Body)
			}
			for who, want := range map[*client]int{owner: tt.owner, it: tt.it, mod: tt.mod, member: tt.membr} {
				if want == 0 {
					continue
				}
				if res := who.admin(all).get(tt.path); res.Code != want {
					t.Errorf("%s for %s: %d, not %d: %s", tt.path, who.me.Username, res.Code, want, res.Body)
				}
			}
		}
		if res := member.admin(all).form("/api/v1/admin/accounts/"+idText(mod.me.ID)+"/action", url.Values{"type": {"disable"}}); res.Code != http.StatusForbidden {
			t.Errorf("a member switches a moderator off: %d", res.Code)
		}
		if res := mod.admin(all).form("/api/v1/admin/accounts/"+idText(owner.me.ID)+"/action", url.Values{"type": {"disable"}}); res.Code != http.StatusForbidden {
			t.Errorf("a moderator switches the owner off: %d", res.Code)
		}
		if res := owner.admin("read write admin:read").form("/api/v1/admin/domain_blocks", url.Values{"domain": {"elm.example"}}); res.Code != http.StatusForbidden {
			t.Errorf("a block with leave to read: %d", res.Code)
		}
	})
}

func TestAdminAccounts(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		owner, mod := w.person("ana", community.Owner).admin("admin:read admin:write"), w.person("mia", community.Moderator).admin("admin:read admin:write")
		bo, far := w.person("bo", community.Member), w.somebodyElsewhere("cy", "elm.example")
		w.write(func(tx *store.Tx) error {
			return tx.Exec("UPDATE users SET email = 'bo@school.example' WHERE account_id = ?", bo.me.ID).Error
		})
		at := "/api/v1/admin/accounts/"
		if got := owner.get("/api/v1/admin/accounts?local=true").ids(); len(got) != 3 || got[0] != idText(bo.me.ID) {
			t.Errorf("people here are %v", got)
		}
		if got := owner.get("/api/v1/admin/accounts?local=true&limit=1").Header().Get("Link"); !strings.Contains(got, "max_id="+idText(bo.me.ID)) || !strings.Contains(got, "local=true") {
			t.Errorf("the list goes on at %s", got)
		}
		if got := owner.get("/api/v1/admin/accounts?by_domain=elm.example").ids(); len(got) != 1 || got[0] != idText(far.ID) {
			t.Errorf("people of elm are %v", got)
		}
		if got := owner.get("/api/v2/admin/accounts?email=bo@school.example").ids(); len(got) != 1 {
			t.Errorf("found by mail: %v", got)
		}
		if got := mod.get("/api/v2/admin/accounts?email=bo@school.example").ids(); len(got) != 0 {
			t.Errorf("a moderator finds people by mail: %v", got)
		}
		if res := mod.get(at + idText(bo.me.ID)); res.Code != 200 || strings.Contains(res.Body.String(), "bo@school.example") {
			t.Errorf("a moderator is told the mail address: %s", res.Body)
		}
		if got := owner.get(at + idText(bo.me.ID)).text("email"); got != "bo@school.example" {
			t.Errorf("the owner is told %q", got)
		}
		if res := owner.form(at+idText(bo.me.ID)+"/action", url.Values{"type": {"silence"}}); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("silence: %d", res.Code)
		}
		if res := owner.form(at+idText(bo.me.ID)+"/action", url.Values{"type": {"disable"}, "text": {"left"}}); res.Code != 200 {
			t.Fatalf("disable: %d %s", res.Code, res.Body)
		}
		if res := bo.get("/api/v1/timelines/home"); res.Code == 200 {
			t.Error("somebody whose access ended still reads")
		}
		if got := owner.get("/api/v1/admin/accounts?disabled=true").ids(); len(got) != 1 {
			t.Errorf("switched off are %v", got)
		}
		if res := owner.act(at + idText(bo.me.ID) + "/enable"); res.Code != 200 {
			t.Errorf("enable: %d %s", res.Code, res.Body)
		}
		if res := mod.form(at+idText(far.ID)+"/action", url.Values{"type": {"suspend"}}); res.Code != 200 {
			t.Errorf("suspend: %d %s", res.Code, res.Body)
		}
		if got := mod.get("/api/v1/admin/accounts?remote=true&suspended=true").ids(); len(got) != 1 || got[0] != idText(far.ID) {
			t.Errorf("suspended are %v", got)
		}
		if res := mod.act(at + idText(far.ID) + "/unsuspend"); res.Code != 200 || strings.Contains(res.Body.String(), `"suspended":true`) {
			t.Errorf("unsuspend: %d %s", res.Code, res.Body)
		}
		if res := owner.do(http.MethodDelete, at+idText(bo.me.ID), "", nil); res.Code != 200 {
			t.Errorf("delete: %d %s", res.Code, res.Body)
		}
		if res := bo.get("/api/v1/timelines/home"); res.Code == 200 {
			t.Error("whose account is deleted still reads")
		}
		if res := owner.get(at + "12"); res.Code != 404 {
			t.Errorf("nobody: %d", res.Code)
		}
	})
}

func TestAdminReports(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		owner, mod := w.person("ana", community.Owner), w.person("mia", community.Moderator)
		bo, cy := w.person("bo", community.Member), w.person("cy", community.Member)
		closed := bo.post(map[string]any{"status": "Only for @cy", "visibility": "direct"})
		res := cy.json(http.MethodPost, "/api/v1/reports", map[string]any{"account_id": idText(bo.me.ID), "status_ids": []string{closed.ID}, "comment": "Rude", "category": "violation"})
		if res.Code != 200 {
			t.Fatalf("report: %d %s", res.Code, res.Body)
		}
		id := res.text("id")
		m := mod.admin("admin:read:reports admin:write:reports")
		var r struct {
			ActionTaken bool `json:"action_taken"`
			Category    string
			Comment     string
			Statuses    []said
			Account     struct{ Username string }
			Target      struct{ Username string }  `json:"target_account"`
			Assigned    *struct{ Username string } `json:"assigned_account"`
		}
		m.get("/api/v1/admin/reports/" + id).into(&r)
		if r.Category != "violation" || r.Comment != "Rude" || len(r.Statuses) != 1 || r.Account.Username != "cy" || r.Target.Username != "bo" {
			t.Errorf("the report is %+v", r)
		}
		if got := m.get("/api/v1/admin/reports?account_id=" + idText(cy.me.ID)).ids(); len(got) != 1 || got[0] != id {
			t.Errorf("open reports are %v", got)
		}
		if got := m.get("/api/v1/admin/reports?target_account_id=" + idText(cy.me.ID)).ids(); len(got) != 0 {
			t.Errorf("reports of cy are %v", got)
		}
		m.act("/api/v1/admin/reports/" + id + "/assign_to_self").into(&r)
		if r.Assigned == nil || r.Assigned.Username != "mia" {
			t.Errorf("assigned to %+v", r.Assigned)
		}
		m.act("/api/v1/admin/reports/" + id + "/unassign").into(&r)
		if r.Assigned != nil {
			t.Errorf("still assigned to %+v", r.Assigned)
		}
		if res := m.json(http.MethodPut, "/api/v1/admin/reports/"+id, map[string]any{"category": "spam"}); res.text("category") != "spam" {
			t.Errorf("sorted as %s", res.Body)
		}
		m.act("/api/v1/admin/reports/" + id + "/resolve").into(&r)
		if !r.ActionTaken {
			t.Error("not resolved")
		}
		if got := m.get("/api/v1/admin/reports?resolved=true").ids(); len(got) != 1 {
			t.Errorf("resolved are %v", got)
		}
		m.act("/api/v1/admin/reports/" + id + "/reopen").into(&r)
		if r.ActionTaken {
			t.Error("not reopened")
		}
		// Nobody looks at reports of their own, and the post is for no other eyes.
		res = bo.json(http.MethodPost, "/api/v1/reports", map[string]any{"account_id": idText(mod.me.ID), "comment": "About a moderator"})
		if res := m.get("/api/v1/admin/reports/" + res.text("id")); res.Code != 404 {
			t.Errorf("a moderator reads a report about themselves: %d", res.Code)
		}
		if res := owner.get("/api/v1/statuses/" + closed.ID); res.Code != 404 {
			t.Errorf("a report opened the post to the owner: %d", res.Code)
		}
	})
}

func TestAdminHosts(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		it := w.person("ivo", community.ITAdmin).admin("admin:read admin:write")
		allowed := it.form("/api/v1/admin/domain_allows", url.Values{"domain": {"Elm.example"}})
		if allowed.Code != 200 || allowed.text("domain") != "elm.example" || allowed.text("id") == "" {
			t.Fatalf("allow: %d %s", allowed.Code, allowed.Body)
		}
		if again := it.form("/api/v1/admin/domain_allows", url.Values{"domain": {"elm.example"}}); again.text("id") != allowed.text("id") {
			t.Errorf("allowed twice: %s", again.Body)
		}
		if res := it.form("/api/v1/admin/domain_allows", url.Values{"domain": {"not a host"}}); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("nonsense: %d %s", res.Code, res.Body)
		}
		blocked := it.json(http.MethodPost, "/api/v1/admin/domain_blocks", map[string]any{"domain": "ash.example", "severity": "suspend", "private_comment": "spam"})
		if blocked.Code != 200 || blocked.text("severity") != "suspend" || blocked.text("private_comment") != "spam" {
			t.Errorf("block: %d %s", blocked.Code, blocked.Body)
		}
		if res := it.form("/api/v1/admin/domain_blocks", url.Values{"domain": {"ash.example"}}); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("blocked twice: %d", res.Code)
		}
		if res := it.form("/api/v1/admin/domain_blocks", url.Values{"domain": {"oak.example"}, "severity": {"silence"}}); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("a lesser block: %d", res.Code)
		}
		if res := it.json(http.MethodPut, "/api/v1/admin/domain_blocks/"+blocked.text("id"), map[string]any{"public_comment": "Floods"}); res.text("public_comment") != "Floods" || res.text("private_comment") != "spam" {
			t.Errorf("changed: %s", res.Body)
		}
		if res := it.get("/api/v1/admin/domain_allows/" + blocked.text("id")); res.Code != 404 {
			t.Errorf("a block among the allowed: %d", res.Code)
		}
		for path, id := range map[string]string{"/api/v1/admin/domain_allows": allowed.text("id"), "/api/v1/admin/domain_blocks": blocked.text("id")} {
			if got := it.get(path).ids(); len(got) != 1 || got[0] != id {
				t.Errorf("%s: %v", path, got)
			}
			if res := it.do(http.MethodDelete, path+"/"+id, "", nil); res.Code != 200 {
				t.Errorf("delete %s: %d %s", path, res.Code, res.Body)
			}
			if got := it.get(path).ids(); len(got) != 0 {
				t.Errorf("%s afterwards: %v", path, got)
			}
		}
	})
}

// What Mastodon has as milder blocks are parts of an allowed server's policy
// here. They never let a server in that nobody allowed.
func TestAdminLimitsHosts(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const blocks, allows = "/api/v1/admin/domain_blocks", "/api/v1/admin/domain_allows"
		it := w.person("ivo", community.ITAdmin).admin("admin:read admin:write")
		policy := func(host string) (p peers.Peer) {
			w.write(func(tx *store.Tx) (err error) { p, err = peers.Get(tx, host); return err })
			return p
		}
		for _, severity := range []string{"silence", "noop"} {
			if res := it.form(blocks, url.Values{"domain": {"elm.example"}, "severity": {severity}}); res.Code != http.StatusUnprocessableEntity {
				t.Errorf("%s of a stranger: %d", severity, res.Code)
			}
		}
		w.write(func(tx *store.Tx) error {
			e := peers.Entry{Label: "Elm"}
			if err := e.Set(tx, "preset", "network", ""); err != nil {
				return err
			}
			_, err := peers.Allow(tx, 0, "elm.example", e)
			return err
		})
		was := policy("elm.example")
		made := it.json(http.MethodPost, blocks, map[string]any{"domain": "elm.example", "severity": "silence", "reject_reports": true, "public_comment": "Loud"})
		now := policy("elm.example")
		if made.Code != 200 || made.text("severity") != "silence" || made.text("public_comment") != "Loud" || made.text("id") != fmt.Sprint(was.ID) || made.text("created_at") == "" ||
			!now.Silenced || now.ReportsIn != peers.ReportsRefuse || now.Media != peers.MediaProxy || now.Hold != peers.HoldFirst || now.Standing != peers.Allowed || now.Label != "Elm" || !now.CreatedAt.Equal(was.CreatedAt) {
			t.Errorf("%d %s: %+v", made.Code, made.Body, now)
		}
		if a, b := it.get(allows).ids(), it.get(blocks).ids(); len(a) != 1 || len(b) != 1 || a[0] != b[0] {
			t.Errorf("allowed %v, limited %v", a, b)
		}
		one := blocks + "/" + made.text("id")
		if res := it.json(http.MethodPut, one, map[string]any{"severity": "noop", "reject_media": true, "reject_reports": false}); res.text("severity") != "noop" || !strings.Contains(res.Body.String(), `"reject_media":true,"reject_reports":false`) {
			t.Errorf("changed: %d %s", res.Code, res.Body)
		}
		if now = policy("elm.example"); now.Silenced || now.Media != peers.MediaStrip || now.ReportsIn != peers.ReportsAccept {
			t.Errorf("became %+v", now.Policy)
		}
		if res := it.json(http.MethodPost, blocks, map[string]any{"domain": "elm.example", "severity": "silence"}); res.Code != http.StatusUnprocessableEntity {
			t.Errorf("limited twice: %d", res.Code)
		}
		if res := it.do(http.MethodDelete, one, "", nil); res.Code != 200 {
			t.Errorf("the limits end: %d %s", res.Code, res.Body)
		}
		if now = policy("elm.example"); now.Policy != was.Policy || now.Standing != peers.Allowed {
			t.Errorf("afterwards %+v, before %+v", now.Policy, was.Policy)
		}

		// Harder and milder again: a block does not become a way in.
		if res := it.json(http.MethodPost, blocks, map[string]any{"domain": "elm.example", "severity": "noop", "reject_media": true}); res.Code != http.StatusOK {
			t.Errorf("limited again: %d %s", res.Code, res.Body)
		}
		if res := it.json(http.MethodPut, one, map[string]any{"severity": "suspend"}); res.text("severity") != "suspend" || policy("elm.example").Standing != peers.Blocked {
			t.Errorf("suspended: %d %s", res.Code, res.Body)
		}
		if res := it.json(http.MethodPut, one, map[string]any{"severity": "silence"}); res.Code != http.StatusUnprocessableEntity || policy("elm.example").Standing != peers.Blocked {
			t.Errorf("milder again: %d %s", res.Code, res.Body)
		}
		// Connected before: taken up again as it was, by allowing it.
		w.write(func(tx *store.Tx) error {
			e := peers.Entry{Label: "Ash"}
			if err := e.Set(tx, "preset", "friendly", ""); err != nil {
				return err
			}
			if _, err := peers.Allow(tx, 0, "ash.example", e); err != nil {
				return err
			}
			_, err := peers.Pause(tx, 0, "ash.example", peers.Ending{})
			return err
		})
		if got := it.get(allows).ids(); len(got) != 0 {
			t.Errorf("a paused server is among the allowed: %v", got)
		}
		it.form(allows, url.Values{"domain": {"ash.example"}})
		if p := policy("ash.example"); p.Standing != peers.Allowed || p.Preset != peers.PresetFriendly || p.Label != "Ash" {
			t.Errorf("ash came back as %+v", p)
		}
	})
}
