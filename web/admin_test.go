package web

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// office is a server whose administration is tested: its pages before a real
// database, and somebody of each role with a browser.
type office struct {
	t       *testing.T
	db      *store.DB
	handler http.Handler
	people  map[community.Role]community.Account
	cookies map[community.Role][]*http.Cookie
}

func openOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, db: storetest.Open(t), people: map[community.Role]community.Account{}, cookies: map[community.Role][]*http.Cookie{}}
	o.write(community.EnsureSite)
	o.write(func(tx *store.Tx) error {
		_, err := community.UpdateSite(tx, 0, community.SiteForm{Name: "Oak Primary", Registration: community.RegistrationRequest})
		return err
	})
	a := auth.New(o.db)
	pages, err := New(Deps{DB: o.db, Auth: a, Lookup: nowhere{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	router := mux.NewRouter()
	pages.Routes(router)
	o.handler = router
	for _, role := range community.Roles() {
		name := "the-" + strings.ReplaceAll(string(role), "_", "-")
		person := o.newcomer(name, role)
		const password = "paper aeroplane weather"
		if err := a.SetPassword(t.Context(), 0, person.ID, password); err != nil {
			t.Fatal(err)
		}
		token, _, err := a.SignIn(t.Context(), auth.Credentials{Login: name, Password: password, Address: "192.0.2.7"})
		if err != nil {
			t.Fatal(err)
		}
		rec := httptest.NewRecorder()
		a.SetCookie(rec, token)
		o.people[role], o.cookies[role] = person, rec.Result().Cookies()
	}
	return o
}

func (o *office) write(fn func(*store.Tx) error) {
	o.t.Helper()
	if err := o.db.Write(o.t.Context(), fn); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) newcomer(name string, role community.Role) (a community.Account) {
	o.t.Helper()
	o.write(func(tx *store.Tx) (err error) {
		n := community.NewAccount{Username: name, PasswordHash: "x", Role: role, Keys: community.KeyPair{Public: "p", Private: "q"}}
		if role == community.Placement {
			end := tx.Now.AddDate(0, 1, 0)
			n.EndsAt = &end
		}
		a, err = community.CreateLocal(tx, n)
		return err
	})
	return a
}

// remote makes an account of another server, with one post of it here.
func (o *office) remote(host, name string) (a community.Account) {
	o.t.Helper()
	o.write(func(tx *store.Tx) (err error) {
		uri := "https://" + host + "/users/" + name
		a, err = community.UpsertRemote(tx, community.RemoteAccount{Account: community.Account{Username: name, Host: host, URI: &uri, Inbox: uri + "/inbox"}})
		return err
	})
	return a
}

// do is a request of somebody of a role, or of a guest with role "". fields
// make it a form that is sent.
func (o *office) do(role community.Role, path string, fields url.Values) *httptest.ResponseRecorder {
	o.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if fields != nil {
		r = httptest.NewRequest(http.MethodPost, path, strings.NewReader(fields.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range o.cookies[role] {
		r.AddCookie(c)
	}
	rec := httptest.NewRecorder()
	o.handler.ServeHTTP(rec, r)
	return rec
}

// sees fetches a page and holds that it says all of the words.
func (o *office) sees(role community.Role, path string, words ...string) string {
	o.t.Helper()
	rec := o.do(role, path, nil)
	body := rec.Body.String()
	if rec.Code != http.StatusOK {
		o.t.Errorf("%s: %d", path, rec.Code)
	}
	for _, s := range words {
		if !strings.Contains(body, s) {
			o.t.Errorf("%s does not say %q", path, s)
		}
	}
	return body
}

// leads sends a form and holds that it leads on to an address.
func (o *office) leads(role community.Role, path string, fields url.Values, to string) *httptest.ResponseRecorder {
	o.t.Helper()
	rec := o.do(role, path, fields)
	if rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != to {
		o.t.Errorf("%s answers %d and leads to %q, want %q\n%s", path, rec.Code, rec.Header().Get("Location"), to, mainOf(rec.Body.String()))
	}
	return rec
}

// mainOf is the part of a page that is its own.
func mainOf(body string) string {
	if _, rest, ok := strings.Cut(body, "<main"); ok {
		body, _, _ = strings.Cut(rest, "</main>")
	}
	return body
}

// standing is what holds for a server, and the last line of the log about it.
func (o *office) standing(host string) (s peers.Standing, last peers.Line) {
	o.t.Helper()
	o.write(func(tx *store.Tx) (err error) {
		if s, err = peers.StandingOf(tx, host); err != nil {
			return err
		}
		lines, err := peers.Audit(tx, host, store.Page{})
		if len(lines) > 0 {
			last = lines[0]
		}
		return err
	})
	return s, last
}

func TestAdminPagesOpenByRole(t *testing.T) {
	o := openOffice(t)
	connections := []string{"/admin/peers", "/admin/peers/new", "/admin/peers/mode", "/admin/peers/audit", "/admin/peers/elm.test", "/admin/peers/elm.test/allow",
		"/admin/peers/elm.test/block", "/admin/delivery", "/admin/site"}
	people := []string{"/admin/people", "/admin/people?show=elsewhere", "/admin/people?q=own", fmt.Sprintf("/admin/people/%d", o.people[community.Member].ID), "/admin/invites", "/admin/requests"}
	want := func(role community.Role, path string, status int) {
		t.Helper()
		if rec := o.do(role, path, nil); rec.Code != status {
			t.Errorf("%s opens %s with %d, want %d", role, path, rec.Code, status)
		}
	}
	for _, path := range append(append([]string{"/admin"}, connections...), people...) {
		for _, role := range []community.Role{community.Owner, community.ITAdmin} {
			want(role, path, http.StatusOK)
		}
		for _, role := range []community.Role{community.Member, community.Placement} {
			want(role, path, http.StatusForbidden)
		}
		want("", path, http.StatusSeeOther)
		if path != "/admin" {
			want(community.Moderator, path, http.StatusForbidden)
		}
	}
	body := o.sees(community.Moderator, "/admin", "people can sign in", "Chalkring 1.2.3")
	body = strings.ReplaceAll(body, `href="/admin/peers/held"`, "") // what people wrote is theirs to look at
	if strings.Contains(body, `href="/admin/peers`) || strings.Contains(body, `href="/admin/people`) {
		t.Error("a moderator is led to pages that do not open")
	}
	for _, path := range []string{"/admin/peers/not_a_host!", "/admin/peers/" + storetest.Host, "/admin/people/12345"} {
		want(community.Owner, path, http.StatusNotFound)
	}
	for _, role := range []community.Role{community.Moderator, community.Member} {
		if rec := o.do(role, "/admin/peers/new", url.Values{"host": {"elm.test"}}); rec.Code != http.StatusForbidden {
			t.Errorf("%s adds a server: %d", role, rec.Code)
		}
	}
	if s, _ := o.standing("elm.test"); s != peers.Unknown {
		t.Errorf("elm.test is %q", s)
	}
}

func TestAdministerPeers(t *testing.T) {
	o := openOffice(t)
	by := community.ITAdmin
	bo := o.remote("elm.test", "bo")
	o.write(func(tx *store.Tx) error { return peers.NoteRefused(tx, "birch.test") })
	o.sees(by, "/admin", "One server that is not connected tried to reach this one")
	o.sees(by, "/admin/peers", "Closed: only servers you allow", "birch.test", "Tried once", `href="/admin/peers/birch.test/allow"`)

	// allowed by the form, whatever way the name was pasted
	rec := o.do(by, "/admin/peers/new", url.Values{"host": {"not a name"}, "label": {"Elm Secondary"}, "preset": {"friendly"}, "standing": {"allowed"}})
	if body := rec.Body.String(); rec.Code != http.StatusUnprocessableEntity || !strings.Contains(body, `value="Elm Secondary"`) ||
		!strings.Contains(body, `value="friendly" checked`) || !strings.Contains(body, `id="field-host-error"`) {
		t.Errorf("a wrong name: %d, and what was typed is lost", rec.Code)
	}
	o.leads(by, "/admin/peers/new", url.Values{"host": {"https://Elm.test/"}, "label": {"Elm Secondary"}, "reason": {"Met at the cluster day"}, "preset": {"friendly"}, "standing": {"allowed"}}, "/admin/peers/elm.test")
	s, line := o.standing("elm.test")
	if s != peers.Allowed || line.Action != "peer.allow" || line.Reason != "Met at the cluster day" || line.ActorID == nil || *line.ActorID != o.people[by].ID {
		t.Errorf("after allowing: %q, %+v", s, line)
	}
	o.sees(by, "/admin/peers", "Elm Secondary", "Public posts only", "Why: Met at the cluster day")

	// changed on its page
	o.leads(by, "/admin/peers/elm.test", url.Values{"part": {"entry"}, "label": {"Elm College"}, "note": {"Ask for Ana"}}, "/admin/peers/elm.test")
	o.sees(by, "/admin/peers/elm.test", "<h1>Elm College</h1>", "Ask for Ana", "What you call it: Elm College; Note for administrators: Ask for Ana")
	if rec := o.do(by, "/admin/peers/elm.test", url.Values{"part": {"entry"}, "label": {strings.Repeat("x", 300)}}); rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), strings.Repeat("x", 300)) {
		t.Errorf("a label that is too long: %d", rec.Code)
	}

	// blocked: effects first, in numbers
	o.write(func(tx *store.Tx) error {
		_, err := community.Follow(tx, o.people[community.Member], bo)
		if err == nil {
			err = tx.Exec("UPDATE follows SET state = 'accepted'").Error
		}
		return err
	})
	o.sees(by, "/admin/peers/elm.test/block", "Block elm.test?", "one person here follows somebody there", "0 posts by one account", "Posts are hidden, not deleted")
	o.leads(by, "/admin/peers/elm.test/block", url.Values{"reason": {"Advertising"}, "label": {"Elm College"}}, "/admin/peers/elm.test")
	if s, line := o.standing("elm.test"); s != peers.Blocked || line.Action != "peer.block" || line.Reason != "Advertising" {
		t.Errorf("after blocking: %q, %+v", s, line)
	}
	o.sees(by, "/admin/peers?state=blocked", "Elm College", "Advertising")
	o.sees(by, "/admin/peers/north.elm.test", "Covered by the block of elm.test", `href="/admin/peers/elm.test"`)
	if rec := o.do(by, "/admin/peers/north.elm.test/allow", url.Values{"ceiling": {"network"}}); rec.Code != http.StatusUnprocessableEntity {
		t.Errorf("a name below a block is allowed: %d", rec.Code)
	}

	// removed
	o.sees(by, "/admin/peers/elm.test/remove", "The block ends")
	o.leads(by, "/admin/peers/elm.test/remove", url.Values{"reason": {"Settled"}}, "/admin/peers")
	if s, line := o.standing("elm.test"); s != peers.Unknown || line.Action != "peer.remove" || line.Reason != "Settled" {
		t.Errorf("after removing: %q, %+v", s, line)
	}
	if rec := o.do(by, "/admin/peers/elm.test/remove", nil); rec.Code != http.StatusNotFound {
		t.Errorf("what has no entry is removed: %d", rec.Code)
	}

	// who knocks is let in; a block by the form is asked about first
	o.sees(by, "/admin/peers/birch.test/allow", "Allow birch.test?", "They have to allow this server as well")
	o.leads(by, "/admin/peers/birch.test/allow", url.Values{"ceiling": {"group"}}, "/admin/peers/birch.test")
	o.leads(by, "/admin/peers/new", url.Values{"host": {"spam.test"}, "standing": {"blocked"}, "reason": {"Spam"}}, "/admin/peers/spam.test/block?reason=Spam")
	o.leads(by, "/admin/peers/new", url.Values{"host": {"spam.test"}, "standing": {"blocked"}, "reason": {"Spam"}, "label": {"Junk"}, "preset": {"network"}, "match": {"exact"}},
		"/admin/peers/spam.test/block?label=Junk&reason=Spam")
	if s, _ := o.standing("spam.test"); s != peers.Unknown {
		t.Errorf("spam.test is %q before anybody confirmed", s)
	}
	o.sees(by, "/admin/peers/spam.test/block?label=Junk&reason=Spam", `value="Spam"`, `value="Junk"`)
	o.leads(by, "/admin/peers/spam.test/block", url.Values{"reason": {"Spam"}, "label": {"Junk"}, "note": {"Ask Ana"}}, "/admin/peers/spam.test")
	o.sees(by, "/admin/peers/spam.test", "<h1>Junk</h1>", "Ask Ana")
	o.sees(by, "/admin/peers/audit", "Allowed birch.test", "Ended the block of elm.test", "Why: Settled", "Blocked elm.test")
}

func TestOpeningAsksForTheName(t *testing.T) {
	o := openOffice(t)
	mode := func() (m peers.Mode) {
		o.write(func(tx *store.Tx) (err error) { m, err = peers.ModeOf(tx); return err })
		return m
	}
	o.sees(community.Owner, "/admin/peers/mode", "type the name of this server: Oak Primary", "0 servers that tried")
	rec := o.do(community.Owner, "/admin/peers/mode", url.Values{"mode": {"open"}, "confirm": {"oak primary"}})
	if rec.Code != http.StatusUnprocessableEntity || mode() != peers.Allowlist || !strings.Contains(rec.Body.String(), `value="oak primary"`) {
		t.Errorf("a name mistyped: %d, %s", rec.Code, mode())
	}
	o.leads(community.Owner, "/admin/peers/mode", url.Values{"mode": {"open"}, "confirm": {"Oak Primary"}}, "/admin/peers")
	if mode() != peers.Open {
		t.Error("the server is not open")
	}
	o.sees(community.Owner, "/admin/peers", "Open to every server")
	o.sees(community.Owner, "/admin/peers/mode", "Close this server to all but those you allow?")
	o.leads(community.Owner, "/admin/peers/mode", url.Values{"mode": {"allowlist"}}, "/admin/peers")
	if mode() != peers.Allowlist {
		t.Error("the server is not closed again")
	}
	o.sees(community.Owner, "/admin/peers/audit", "Opened this server to every other one", "Closed this server to all but allowed ones")
}

func TestAdministerPeople(t *testing.T) {
	o := openOffice(t)
	ana := o.newcomer("ana", community.Member)
	at := adminPersonPath(ana.ID)
	user := func() (u community.User) {
		o.write(func(tx *store.Tx) (err error) { u, err = community.UserOf(tx, ana.ID); return err })
		return u
	}
	o.sees(community.ITAdmin, "/admin/people?q=ANA", "@ana@")
	if body := o.sees(community.ITAdmin, "/admin/people?q=ana"); strings.Contains(mainOf(body), "@the-moderator@") {
		t.Error("the search finds everybody")
	}

	rec := o.do(community.ITAdmin, at+"/role", url.Values{"role": {"placement"}})
	if rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), `value="placement" selected`) {
		t.Errorf("a placement without an end: %d", rec.Code)
	}
	end := time.Now().AddDate(0, 2, 0).Format(time.DateOnly)
	o.leads(community.ITAdmin, at+"/role", url.Values{"role": {"placement"}, "ends_at": {end}}, at)
	if u := user(); u.Role != community.Placement || u.EndsAt == nil || u.EndsAt.In(time.Local).Format(time.DateOnly) != end {
		t.Errorf("after the change: %+v", u)
	}
	o.sees(community.ITAdmin, at, "Teacher, now On placement", `value="`+end+`"`)
	if rec := o.do(community.ITAdmin, at+"/role", url.Values{"role": {"owner"}}); rec.Code != http.StatusForbidden || user().Role != community.Placement {
		t.Errorf("an administrator makes an owner: %d", rec.Code)
	}
	if body := o.sees(community.ITAdmin, adminPersonPath(o.people[community.Owner].ID), "Only an owner decides"); strings.Contains(body, `/disable"`) {
		t.Error("an administrator is offered to switch off the owner")
	}
	owner := adminPersonPath(o.people[community.Owner].ID)
	if rec := o.do(community.Owner, owner+"/disable", url.Values{}); rec.Code != http.StatusConflict || !strings.Contains(rec.Body.String(), "only owner") {
		t.Errorf("the only owner switches themselves off: %d", rec.Code)
	}

	o.sees(community.ITAdmin, at+"/disable", "signed out everywhere")
	o.leads(community.ITAdmin, at+"/disable", url.Values{"reason": {"Left at Easter"}}, at)
	if user().State != community.Disabled {
		t.Error("the account is not switched off")
	}
	o.sees(community.ITAdmin, "/admin/people?show=disabled", "@ana@", "Switched off")
	o.sees(community.ITAdmin, at, "Why: Left at Easter")
	o.leads(community.ITAdmin, at+"/enable", url.Values{}, at)

	before := user().PasswordHash
	if rec := o.do(community.ITAdmin, at+"/password", url.Values{"password": {"short"}}); rec.Code != http.StatusUnprocessableEntity || user().PasswordHash != before {
		t.Errorf("a short password: %d", rec.Code)
	}
	if cache := o.do(community.ITAdmin, at+"/password", nil).Header().Get("Cache-Control"); cache != "no-store" {
		t.Errorf("the page with a password may be kept: %q", cache)
	}
	o.leads(community.ITAdmin, at+"/password", url.Values{"password": {newPassword()}}, at)
	if user().PasswordHash == before {
		t.Error("the password is as it was")
	}

	bo := o.remote("elm.test", "bo")
	there := adminPersonPath(bo.ID)
	o.sees(community.ITAdmin, "/admin/people?show=elsewhere&q=bo@elm", "@bo@elm.test")
	o.sees(community.ITAdmin, there+"/suspend", "Their server is not told")
	o.leads(community.ITAdmin, there+"/suspend", url.Values{"reason": {"Rude to parents"}}, there)
	o.sees(community.ITAdmin, "/admin/people?show=elsewhere", "@bo@elm.test", "Hidden here")
	o.leads(community.ITAdmin, there+"/unsuspend", url.Values{}, there)
	if rec := o.do(community.ITAdmin, at+"/suspend", url.Values{}); rec.Code != http.StatusConflict {
		t.Errorf("somebody here is hidden instead of switched off: %d", rec.Code)
	}
}

func TestInvitesAndRequests(t *testing.T) {
	o := openOffice(t)
	rec := o.do(community.ITAdmin, "/admin/invites", url.Values{"role": {"member"}, "max_uses": {"1000"}, "lasts": {"7"}, "note": {"Maths team"}})
	if rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), `value="Maths team"`) || !strings.Contains(rec.Body.String(), `value="7" selected`) {
		t.Errorf("too many uses: %d", rec.Code)
	}
	rec = o.leads(community.ITAdmin, "/admin/invites", url.Values{"role": {"member"}, "max_uses": {"5"}, "lasts": {"7"}, "note": {"Maths team"}}, "/admin/invites")
	var code string
	for _, c := range rec.Result().Cookies() {
		if c.Name == inviteCookie {
			code = c.Value
			o.cookies[community.ITAdmin] = append(o.cookies[community.ITAdmin], c)
		}
	}
	shown := o.do(community.ITAdmin, "/admin/invites", nil)
	if code == "" || !strings.Contains(shown.Body.String(), "https://"+storetest.Host+"/join/"+code) || !strings.Contains(shown.Header().Get("Cache-Control"), "no-store") {
		t.Error("the link is not shown")
	}
	if !strings.Contains(strings.Join(shown.Header().Values("Set-Cookie"), ";"), inviteCookie+"=;") {
		t.Error("the link is shown more than once")
	}
	if rec := o.do("", "/join/"+code, nil); rec.Code != http.StatusOK {
		t.Errorf("the link opens with %d", rec.Code)
	}
	var invite auth.Invite
	o.write(func(tx *store.Tx) (err error) { invite, err = auth.InviteByCode(tx, code); return err })
	o.leads(community.ITAdmin, "/admin/invites/"+digits(invite.ID)+"/revoke", url.Values{}, "/admin/invites")
	o.sees(community.ITAdmin, "/admin/invites", "Taken back", "Maths team")
	if rec := o.do(community.ITAdmin, "/admin/invites/77/revoke", url.Values{}); rec.Code != http.StatusNotFound {
		t.Errorf("an invitation that is none: %d", rec.Code)
	}

	ask := func(name string) (a community.Account) {
		o.write(func(tx *store.Tx) (err error) {
			a, err = community.Apply(tx, community.NewAccount{Username: name, PasswordHash: "x", RequestText: "I teach room 5.", Keys: community.KeyPair{Public: "p", Private: "q"}})
			return err
		})
		return a
	}
	sione, spam := ask("sione"), ask("spammer")
	o.sees(community.ITAdmin, "/admin", "2 people ask for an account")
	o.sees(community.ITAdmin, "/admin/requests", "I teach room 5.", "@sione@")
	o.leads(community.ITAdmin, "/admin/requests/"+digits(sione.ID)+"/approve", url.Values{}, "/admin/requests")
	o.sees(community.ITAdmin, "/admin/requests/"+digits(spam.ID)+"/decline", "Decline the request of spammer?")
	o.leads(community.ITAdmin, "/admin/requests/"+digits(spam.ID)+"/decline", url.Values{"reason": {"Nobody knows them"}}, "/admin/requests")
	o.sees(community.ITAdmin, "/admin/requests", "Nobody is waiting")
	if rec := o.do(community.ITAdmin, "/admin/requests/"+digits(sione.ID)+"/decline", url.Values{}); rec.Code != http.StatusConflict {
		t.Errorf("an approved request is declined: %d", rec.Code)
	}
	o.sees(community.ITAdmin, "/admin/peers/audit", "Approved @sione@", "Declined @spammer@", "Why: Nobody knows them")
}

func TestWakeALane(t *testing.T) {
	o := openOffice(t)
	later := time.Now().Add(6 * time.Hour)
	o.write(func(tx *store.Tx) error {
		if _, err := peers.Allow(tx, 0, "elm.test", peers.Entry{Label: "Elm College"}); err != nil {
			return err
		}
		for _, host := range []string{"elm.test", "birch.test"} {
			if err := tx.Exec(`INSERT INTO lanes (queue, host, waiting, failures, failing_since, next_at, parked_at, error, node_until)
				VALUES ('deliveries', ?, ?, 9, ?, ?, ?, 'delivery.timeout', ?)`, host, true, tx.Now.Add(-48*time.Hour), later, tx.Now, tx.Now).Error; err != nil {
				return err
			}
		}
		return nil
	})
	body := o.sees(community.ITAdmin, "/admin/delivery", "Elm College", "Tried once a day: no success since", "Their server does not answer", "Held: this server is not connected")
	if strings.Count(body, `action="/admin/delivery"`) != 1 {
		t.Error("what is held can be woken")
	}
	o.sees(community.ITAdmin, "/admin", "In trouble", "Elm College")
	o.leads(community.ITAdmin, "/admin/delivery", url.Values{"queue": {"deliveries"}, "host": {"elm.test"}}, "/admin/delivery")
	o.write(func(tx *store.Tx) error {
		lanes, err := community.Lanes(tx)
		for _, lane := range lanes {
			if woken := lane.ParkedAt == nil && !lane.NextAt.After(tx.Now); woken != (lane.Host == "elm.test") {
				t.Errorf("after waking elm.test: %+v", lane)
			}
		}
		return err
	})
	if rec := o.do(community.ITAdmin, "/admin/delivery", url.Values{"queue": {"deliveries"}, "host": {"birch.test"}}); rec.Code != http.StatusForbidden {
		t.Errorf("a held lane is woken: %d", rec.Code)
	}
	if _, line := o.standing("elm.test"); line.Action != "lane.wake" {
		t.Errorf("the log says %+v", line)
	}
}

// How a server is dealt with is set on its page: by one click for all of it, or
// each part by itself, with what differs from the preset said.
func TestAdministerPolicy(t *testing.T) {
	o := openOffice(t)
	by := community.ITAdmin
	entry := func() (p peers.Peer) {
		o.write(func(tx *store.Tx) (err error) { p, err = peers.Get(tx, "elm.test"); return err })
		return p
	}
	const at = "/admin/peers/elm.test"
	o.leads(by, "/admin/peers/new", url.Values{"host": {"elm.test"}, "standing": {"allowed"}, "preset": {"network"}, "kind": {"school"}, "public_note": {"Next door"},
		"review_on": {time.Now().AddDate(1, 0, 0).Format(time.DateOnly)}, "match": {"exact"}}, at)
	if p := entry(); p.Preset != peers.PresetNetwork || p.Kind != "school" || p.PublicNote != "Next door" || p.ReviewOn == nil || p.Subtree {
		t.Errorf("added as %+v", p)
	}
	body := o.sees(by, at, "One-sided", "They have not said or shown yet", "Trusted network", "In use", "Use Partner school", "Added by hand")
	if strings.Contains(body, "not as in Trusted network") {
		t.Error("something differs from a preset that was just chosen")
	}

	// one click
	o.leads(by, at, url.Values{"part": {"preset"}, "preset": {"partner"}}, at)
	if p := entry(); p.Policy != peers.PresetPartner.Policy() || p.Kind != "school" {
		t.Errorf("one click made %+v", p)
	}
	// each part
	policy := url.Values{"part": {"policy"}, "ceiling": {"group"}, "outbound": {"posts", "replies", "reactions", "boosts", "follows", "groups", "events", "reports", "profiles"},
		"inbound": {"posts", "replies"}, "hold": {"links"}, "media": {"click"}, "reports_in": {"accept"}, "reports_out": {"click"}, "search": {"members"}, "retention": {"90"},
		"per_minute": {"0"}, "per_day": {"40"}, "max_bytes": {""}, "backfill": {"0"}, "silenced": {"yes"}, "reason": {"They write much"}}
	o.leads(by, at, policy, at)
	p := entry()
	if p.Hold != peers.HoldLinks || p.Inbound != peers.Classes(peers.ClassPosts|peers.ClassReplies) || p.Rights != 0 || p.PerDay != 40 || !p.Silenced || p.Media != peers.MediaClick || p.Preset != peers.PresetPartner {
		t.Errorf("became %+v", p.Policy)
	}
	o.sees(by, at, "6 things are not as in Partner school", "Not as in Partner school, which says: Nothing", `value="links" checked`, "Looked at before it is shown: Posts with links", "Why: They write much")
	// what was typed is there again, with what is wrong beside it
	policy.Set("per_day", "-3")
	policy.Set("hold", "all")
	rec := o.do(by, at, policy)
	if body := rec.Body.String(); rec.Code != http.StatusUnprocessableEntity || !strings.Contains(body, `id="field-per_day-error"`) || !strings.Contains(body, `value="all" checked`) || !strings.Contains(body, `value="-3"`) {
		t.Errorf("a wrong number: %d", rec.Code)
	}
	if entry().Policy != p.Policy {
		t.Error("a form with something wrong in it was saved in part")
	}
	// a trial ends, and what comes of it does not
	o.leads(by, at, url.Values{"part": {"preset"}, "preset": {"trial"}}, at)
	if p := entry(); p.ExpiresAt == nil {
		t.Error("a trial without an end")
	}
	o.sees(by, "/admin/peers?state=trial", "elm.test", "Allowed until")
	o.leads(by, at, url.Values{"part": {"preset"}, "preset": {"partner"}}, at)
	if p := entry(); p.ExpiresAt != nil {
		t.Error("the trial's end stays")
	}

	// software that widens: said with its reason, and overridable
	o.write(func(tx *store.Tx) error {
		return peers.Met(tx, "elm.test", peers.Meeting{Software: "mobilizon", Version: "5"})
	})
	o.sees(by, at, "so only public posts are sent to it. You can decide otherwise")
	policy.Set("per_day", "0")
	o.leads(by, at, policy, at)
	o.sees(by, at, "We suggest to send it public posts only", `value="suggestion"`)
	o.leads(by, at, url.Values{"part": {"suggestion"}}, at)
	if p := entry(); p.Ceiling != peers.CeilingPublic || p.Hold != peers.HoldAll {
		t.Errorf("the suggestion made %+v", p.Policy)
	}

	// every name below: what is known, and what is refused
	o.write(func(tx *store.Tx) error {
		for _, host := range []string{"a.big.example", "b.big.example", "c.big.example", "d.big.example", "e.big.example"} {
			if err := peers.NoteRefused(tx, host); err != nil {
				return err
			}
		}
		return nil
	})
	to := o.do(by, "/admin/peers/new", url.Values{"host": {"big.example"}, "standing": {"allowed"}, "preset": {"network"}, "match": {"subtree"}}).Header().Get("Location")
	if s, _ := o.standing("big.example"); s != peers.Unknown || !strings.HasPrefix(to, "/admin/peers/big.example/allow?") {
		t.Fatalf("big.example is %q before anybody saw what is below it; led to %q", s, to)
	}
	o.sees(by, to, "5 servers are known below it: a.big.example", "is a whole domain, and 5 servers are known below it", `value="subtree" checked`)
	if rec := o.do(by, "/admin/peers/sch.uk/allow", url.Values{"preset": {"network"}, "match": {"subtree"}}); rec.Code != http.StatusUnprocessableEntity || !strings.Contains(rec.Body.String(), `id="field-match-error"`) {
		t.Errorf("subtree on public suffix refused: %d", rec.Code)
	}
	o.leads(by, "/admin/peers/big.example/allow", url.Values{"preset": {"network"}, "match": {"subtree"}}, "/admin/peers/big.example")
	if s, _ := o.standing("z.big.example"); s != peers.Allowed {
		t.Errorf("a name below is %q", s)
	}
}

// A server's page says in words what the other side will do, who decided last,
// however much the server did since, and what is told when it is taken off.
func TestPeerPageNamesWhoDecided(t *testing.T) {
	o := openOffice(t)
	by := community.ITAdmin
	const at = "/admin/peers/elm.test"
	o.leads(by, "/admin/peers/new", url.Values{"host": {"elm.test"}, "standing": {"allowed"}, "preset": {"network"}}, at)
	if body := o.sees(by, at+"/remove", "For the log"); strings.Contains(body, "their administrators read it") {
		t.Error("a server that never asked is told why")
	}
	o.write(func(tx *store.Tx) error {
		_, _, err := peers.Receive(tx, peers.Offered{Kind: peers.ByOffer, Host: "elm.test", URI: "https://elm.test/offers/1", ActorURI: "https://elm.test/actor",
			Inbox: "https://elm.test/inbox", KeyHash: "abcd", Hint: peers.Hint{Ceiling: peers.CeilingPublic, Hold: peers.HoldAll}})
		for range 100 {
			if err == nil {
				err = peers.Record(tx, peers.Line{Action: "peer.review", Subject: "elm.test"})
			}
		}
		return err
	})
	admin := o.people[by]
	body := o.sees(by, at, "What they will do", "They will send: Public posts only. They will look at each of your posts before it is shown.", "by "+admin.Name())
	if strings.Contains(body, "ceiling=") {
		t.Error("what they will do is shown as it is kept")
	}
	o.sees(by, at+"/remove", "their administrators read it, too")
}

// Names under which a server is met are proposed, and count once a person says so.
func TestAdministerNames(t *testing.T) {
	o := openOffice(t)
	by := community.ITAdmin
	const at = "/admin/peers/elm.test"
	o.leads(by, "/admin/peers/new", url.Values{"host": {"elm.test"}, "standing": {"allowed"}, "preset": {"network"}}, at)
	o.write(func(tx *store.Tx) error {
		p, err := peers.Get(tx, "elm.test")
		if err != nil {
			return err
		}
		for _, name := range []string{"cdn.test", "other.test"} {
			if err := peers.Propose(tx, p.ID, name, peers.RoleMedia); err != nil {
				return err
			}
		}
		return nil
	})
	o.sees(by, "/admin/peers", "2 names of it wait for you")
	o.sees(by, at, "cdn.test", "Proposed, nobody has confirmed it", "Not theirs")
	o.leads(by, at+"/names", url.Values{"do": {"confirm"}, "name": {"cdn.test"}}, at+"#names")
	o.leads(by, at+"/names", url.Values{"do": {"remove"}, "name": {"other.test"}}, at+"#names")
	o.leads(by, at+"/names", url.Values{"do": {"add"}, "name": {"https://Old.test/"}, "role": {"former"}}, at+"#names")
	body := o.sees(by, at, "Where its pictures are", "What it was called before", "Confirmed cdn.test as a name of elm.test", "Turned other.test down as a name of elm.test", "Added old.test to the names of elm.test")
	if strings.Contains(body, `value="other.test"`) {
		t.Error("what was turned down is still there")
	}
	rec := o.do(by, at+"/names", url.Values{"do": {"add"}, "name": {"10.0.0.1"}, "role": {"actor"}})
	if body := rec.Body.String(); rec.Code != http.StatusUnprocessableEntity || !strings.Contains(body, `id="field-name-error"`) || !strings.Contains(body, `value="10.0.0.1"`) || !strings.Contains(body, `value="actor" selected`) {
		t.Errorf("a wrong name: %d", rec.Code)
	}
	if rec := o.do(community.Member, at+"/names", url.Values{"do": {"confirm"}, "name": {"x.test"}}); rec.Code != http.StatusForbidden {
		t.Errorf("a member changes names: %d", rec.Code)
	}
}
