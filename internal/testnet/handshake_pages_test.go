package testnet_test

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/testnet"
)

// office is an administrator with a browser that runs no script.
type office struct {
	t      *testing.T
	base   string
	client *http.Client
}

func (d gate) office(net *testnet.Net) *office {
	d.t.Helper()
	const password = "paper aeroplane weather"
	if _, err := app.CreatePerson(d.t.Context(), d.DB(), app.NewPerson{Username: "office", Password: password, Role: community.ITAdmin}); err != nil {
		d.t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	o := &office{d.t, "https://" + d.Host, net.Client()}
	o.client.Jar = jar
	if status, _ := o.post("/sign-in", url.Values{"login": {"office"}, "password": {password}}); status != http.StatusSeeOther {
		d.t.Fatalf("signing in: %d", status)
	}
	return o
}

func (o *office) send(req *http.Request) (status int, body string) {
	o.t.Helper()
	res, err := o.client.Do(req)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return res.StatusCode, html.UnescapeString(string(b))
}

func (o *office) get(path string) string {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodGet, o.base+path, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	status, body := o.send(req)
	if status != http.StatusOK {
		o.t.Fatalf("%s: %d", path, status)
	}
	return body
}

func (o *office) post(path string, form url.Values) (status int, body string) {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodPost, o.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", o.base)
	return o.send(req)
}

func find(t *testing.T, page, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("the page has no %s", pattern)
	}
	return m[1]
}

// The whole of it by pages alone: one office looks at the other server and asks,
// the other one is led to the request, and is connected by its second click.
func TestHandshakeByPages(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		all := gates(t, net, "oak.test", "elm.test", "ash.test")
		oak, elm, ash := all[0], all[1], all[2]
		here, there, third := oak.office(net), elm.office(net), ash.office(net)

		status, page := here.post("/admin/peers/requests/new", url.Values{"host": {"https://ELM.test/about"}})
		phrase := find(t, page, `<strong>([a-z ]+)</strong>`)
		if status != 200 || len(strings.Fields(phrase)) != 6 || !strings.Contains(page, "chalkring ") {
			t.Fatalf("looking: %d, %q", status, phrase)
		}
		key := find(t, page, `name="key" value="([0-9a-f]+)"`)
		ask := url.Values{"step": {"ask"}, "host": {"elm.test"}, "key": {key}, "contact": {"the office"}, "preset": {"partner"}}
		if status, page := here.post("/admin/peers/requests/new", ask); status != 422 || !strings.Contains(page, "why you want to connect") {
			t.Errorf("asking without a purpose: %d", status)
		}
		ask.Set("purpose", "Year 3 <b>plans</b> together")
		if status, _ := here.post("/admin/peers/requests/new", ask); status != 303 {
			t.Fatalf("asking: %d", status)
		}
		net.Settle()
		if page := here.get("/admin/peers/requests"); !strings.Contains(page, phrase) || !strings.Contains(page, "Waits for an answer") {
			t.Error("the asking side does not show its request")
		}

		clicks := 0
		first := there.get("/admin")
		if !strings.Contains(first, "One server asks to connect") || !strings.Contains(first, `href="/admin/peers/requests"`) {
			t.Fatal("the overview does not tell of the request")
		}
		if page := there.get("/notifications"); !strings.Contains(page, "asks to connect") {
			t.Error("the office was not told")
		}
		clicks++
		page = there.get("/admin/peers/requests")
		if !strings.Contains(page, phrase) || !strings.Contains(page, "Year 3 plans together") || strings.Contains(page, "<b>plans") {
			t.Error("the request is not shown as it should be")
		}
		accept := find(t, page, `action="(/admin/peers/requests/[0-9]+/accept)"`)
		chosen := find(t, page, `<option value="([a-z]+)" selected>`)
		form := url.Values{"key": {find(t, page, `name="key" value="([0-9a-f]+)"`)}, "preset": {chosen}}
		if status, page := there.post(accept, url.Values{"key": {strings.Repeat("0", 64)}, "preset": {chosen}}); status != 409 || !strings.Contains(page, "six words") {
			t.Errorf("accepting another key than is shown: %d", status)
		}
		clicks++
		if status, page := there.post(accept, form); status != 303 {
			t.Fatalf("accepting: %d %s", status, page)
		}
		if clicks > 3 {
			t.Errorf("accepting took %d clicks", clicks)
		}
		net.Settle()
		if page := here.get("/admin/peers/requests"); !strings.Contains(page, "Connected") || !strings.Contains(page, "first post of each of your people") {
			t.Error("the asking side does not show the connection with what the other does")
		}
		if page := here.get("/notifications"); !strings.Contains(page, "Connected with") {
			t.Error("the asking office was not told")
		}
		oak.wantPeer("elm.test", peers.Allowed, peers.ViewAllowed)

		// an invitation, by pages too; its code is shown once
		if status, _ := third.post("/admin/peers/invitations", url.Values{"host": {"oak.test"}, "preset": {"network"}}); status != 303 {
			t.Fatalf("inviting: %d", status)
		}
		code := find(t, third.get("/admin/peers/requests"), `id="peer-code" type="text" readonly value="([a-z0-9-]+)"`)
		if strings.Contains(third.get("/admin/peers/requests"), code) {
			t.Error("the code is shown a second time")
		}
		_, page = here.post("/admin/peers/requests/new", url.Values{"host": {"ash.test"}})
		ask.Set("host", "ash.test")
		ask.Set("key", find(t, page, `name="key" value="([0-9a-f]+)"`))
		ask.Set("code", code)
		if status, _ := here.post("/admin/peers/requests/new", ask); status != 303 {
			t.Fatalf("asking with a code: %d", status)
		}
		net.Settle()
		ash.wantPeer("oak.test", peers.Allowed, peers.ViewAllowed)

		// and the page for everybody
		res, err := net.Client().Get("https://elm.test/peering")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		if !strings.Contains(string(b), peers.Fingerprint(key)) {
			t.Error("the page about connecting does not tell the key's fingerprint")
		}
	})
}
