package testnet_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/testnet"
)

// outcomes tests a connection, and returns what each step came to.
func outcomes(t *testing.T, s *testnet.Server, host string) string {
	t.Helper()
	steps, err := s.Federation().Probe(t.Context(), host)
	if err != nil {
		t.Fatalf("%s: %v", host, err)
	}
	var said []string
	for _, step := range steps {
		said = append(said, strings.TrimPrefix(step.Key, "probe.")+" "+string(step.State))
	}
	return strings.Join(said, ", ")
}

// TestProbeSaysWhereItEnds has every way in which two servers may not reach
// each other, and what an administrator is told of it.
func TestProbeSaysWhereItEnds(t *testing.T) {
	nodeinfo := func(change func(w http.ResponseWriter)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if change != nil {
				change(w)
			}
			fmt.Fprint(w, `{"links":[]}`)
		})
	}
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := net.Start("oak.test"), net.Start("elm.test")
		amira, bo := oak.Teacher("amira"), elm.Teacher("bo")
		others := testnet.New(t)
		status := func(code int) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		}
		net.Answer("expired.test", net, nodeinfo(nil), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
		net.Answer("early.test", net, nodeinfo(nil), func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })
		net.Answer("soon.test", net, nodeinfo(nil), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(time.Hour) })
		net.Answer("name.test", net, nodeinfo(nil), func(c *x509.Certificate) { c.DNSNames = []string{"else.test"} })
		net.Answer("filter.test", others, nodeinfo(nil))
		net.Answer("clock.test", net, nodeinfo(func(w http.ResponseWriter) {
			w.Header().Set("Date", time.Now().Add(-3*time.Hour).UTC().Format(http.TimeFormat))
		}))
		net.Answer("website.test", net, status(http.StatusNotFound))
		net.Answer("broken.test", net, status(http.StatusBadGateway))
		net.Answer("moved.test", net, http.RedirectHandler("https://www.moved.test/", http.StatusMovedPermanently))
		net.Point("off.test", netip.MustParseAddrPort("127.0.0.1:1"))
		net.Point("private.test", netip.MustParseAddrPort("10.1.2.3:443"))
		const back, ways = "back_never warn, queue_empty ok", "dns_ok ok, connect_ok ok, "
		allowed := []string{"expired.test", "early.test", "soon.test", "name.test", "filter.test", "clock.test", "website.test", "broken.test", "moved.test",
			"off.test", "private.test", "nowhere.test"}
		for _, host := range allowed {
			oak.Admin().Allow(host)
		}
		for host, want := range map[string]string{
			"nowhere.test": "dns_none bad",
			"off.test":     "dns_ok ok, connect_refused bad",
			"private.test": "dns_ok ok, connect_private bad",
			"expired.test": ways + "tls_expired bad",
			"early.test":   ways + "tls_not_yet bad",
			"name.test":    ways + "tls_name bad",
			"filter.test":  ways + "tls_authority bad",
			"soon.test":    ways + "tls_soon warn, clock_ok ok, server_ok ok, signed_nothing warn",
			"clock.test":   ways + "tls_ok ok, clock_off bad, server_ok ok, signed_nothing warn",
			"website.test": ways + "tls_ok ok, clock_ok ok, server_no_nodeinfo bad",
			"broken.test":  ways + "tls_ok ok, clock_ok ok, server_status bad",
			"moved.test":   ways + "tls_ok ok, server_redirect bad",
		} {
			got := outcomes(t, oak, host)
			if got != "policy_allowed ok, "+want+", "+back {
				t.Errorf("%s:\n got %s\nwant policy_allowed ok, %s, %s", host, got, want, back)
			}
		}

		// From a stranger to a connection, and to each way out of it.
		const reached = ways + "tls_ok ok, clock_ok ok, server_ok ok, "
		if got := outcomes(t, oak, "elm.test"); got != "policy_unknown bad, "+reached+back {
			t.Errorf("unknown: %s", got)
		}
		oak.Admin().Allow("elm.test")
		net.Settle()
		const met = ways + "tls_ok ok, clock_ok ok, server_software ok, "
		if got := outcomes(t, oak, "elm.test"); got != "policy_allowed ok, "+met+"signed_not_connected bad, "+back {
			t.Errorf("they have not connected: %s", got)
		}
		elm.Admin().Allow("oak.test")
		net.Settle()
		bo.Follow(amira.Handle())
		net.Settle()
		if got := outcomes(t, oak, "elm.test"); got != "policy_allowed ok, "+met+"signed_ok ok, back_ok ok, queue_empty ok" {
			t.Errorf("connected: %s", got)
		}
		elm.Admin().Block("oak.test")
		net.Settle()
		if got := outcomes(t, oak, "elm.test"); !strings.Contains(got, "signed_not_connected bad") && !strings.Contains(got, "signed_refused bad") {
			t.Errorf("they have blocked us: %s", got)
		}
		x := net.Stranger("x.test")
		oak.Admin().Block("x.test")
		before := x.Asked()
		if got := outcomes(t, oak, "x.test"); got != "policy_blocked bad" || x.Asked() != before {
			t.Errorf("blocked: %s, asked %d times", got, x.Asked()-before)
		}
		if _, err := oak.Federation().Probe(t.Context(), "127.0.0.1"); err == nil {
			t.Error("an IP address was tested")
		}
	})
}

// TestProbeOfAServerWithoutAnActorItNames is about software that says nowhere but
// in the handle host@host where its own actor is, as GoToSocial 0.20: whether it has let
// us in is known before anybody there is.
func TestProbeOfAServerWithoutAnActorItNames(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, gts := net.Start("oak.test"), net.Stranger("gts.test")
		gts.Serve("/.well-known/nodeinfo", map[string]any{"links": []any{}})
		own := "/users/gts.test"
		answer := func(status int) {
			gts.Serve(own, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		}
		answer(http.StatusForbidden)
		oak.Admin().Allow("gts.test")
		net.Settle()
		const reached = "policy_allowed ok, dns_ok ok, connect_ok ok, tls_ok ok, clock_ok ok, server_ok ok, "
		const back = "back_never warn, queue_empty ok"
		try := func(when, want string) {
			t.Helper()
			if got := outcomes(t, oak, "gts.test"); got != reached+want+", "+back {
				t.Errorf("%s: %s", when, got)
			}
		}
		try("they have not allowed us", "signed_refused bad")
		answer(http.StatusUnauthorized)
		try("they do not believe our signature", "signed_signature bad")
		actor := map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": gts.URL(own), "type": "Application",
			"preferredUsername": "gts.test", "inbox": gts.URL(own + "/inbox"), "outbox": gts.URL(own + "/outbox")}
		gts.Serve(own, actor)
		gts.Serve(own+"/outbox", map[string]any{"id": gts.URL(own + "/outbox"), "type": "OrderedCollection", "totalItems": 0})
		try("they have allowed us", "signed_ok ok")
		if gts.Fetched(own+"/outbox") == 0 {
			t.Error("the outbox was not asked for")
		}
		answer(http.StatusNotFound)
		try("their handle leads nowhere", "signed_nothing warn")
		gts.Serve("/.well-known/webfinger", map[string]any{"links": []any{map[string]any{"rel": "self", "type": "application/activity+json", "href": "https://else.test/users/gts.test"}}})
		try("their handle leads to another server", "signed_nothing warn")
	})
}

// TestWhatWentWhere looks at the page of what passed between two servers, and
// at the page that tests a connection, as an administrator does.
func TestWhatWentWhere(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak := net.Start("oak.test")
		owner := oak.Person("olga", community.Owner)
		amira := oak.Teacher("amira")
		x := net.Stranger("x.test")
		oak.Admin().Allow("x.test")
		net.Settle()
		x.Send(oak, x.Follows("pat", amira.Account.IRI(oak.DB().Site())))
		net.Settle()
		amira.Publish("Exit tickets")
		x.Send(oak, x.Note("pat", "Hello"))
		bad := x.Note("pat", "Of somebody else")
		bad["object"].(map[string]any)["attributedTo"] = "https://y.test/users/quin"
		x.Send(oak, bad)
		net.Settle()
		x.Inbox(func(int, map[string]any) int { return http.StatusForbidden })
		oak.Admin().RemovePeer("x.test")
		post := amira.Publish("Retrieval grids")
		net.Settle()
		oak.Admin().AllowUpTo("x.test", peers.CeilingNone)
		amira.Publish("Think, pair, share")
		net.Settle()

		b := browse(t, net, oak, owner)
		b.shows("/admin/delivery/exchange?q=x.test", http.StatusOK, "What came from x.test", "What went to x.test", "Not taken", "Taken", "Delivered", "Not sent",
			"What your school shares with this server does not include this audience.", "!Exit tickets", "!Hello")
		b.shows("/admin/delivery/exchange?q=x.test&show=trouble", http.StatusOK, "Not taken", "Not sent", "!Delivered")
		b.shows("/admin/delivery/exchange?q=@amira@oak.test", http.StatusOK, "What @amira@oak.test sent to other servers", "x.test", "Not sent")
		b.shows("/admin/delivery/exchange?q=@pat@x.test", http.StatusOK, "What came from @pat@x.test", "Taken", "Not taken")
		b.shows("/admin/delivery/exchange?q="+post.IRI, http.StatusOK, "Where this post went")
		b.shows("/admin/delivery/exchange?q=https://x.test/never", http.StatusOK, "What came from x.test")
		b.shows("/admin/delivery/exchange?q=not%20a%20name", http.StatusUnprocessableEntity)
		b.shows("/admin/delivery/exchange", http.StatusOK, "Nothing asked yet")
		b.shows("/admin/peers/x.test/test", http.StatusOK, "Test now")
		if status, page, _ := b.post("/admin/peers/x.test/test", nil); status != http.StatusOK || !strings.Contains(page, "It proves its name") || !strings.Contains(page, "The last message from there") {
			t.Errorf("the test of a connection: %d %s", status, page)
		}
		m := browse(t, net, oak, amira)
		m.shows("/admin/delivery/exchange?q=x.test", http.StatusForbidden, "!What came")
		if status, _, _ := m.post("/admin/peers/x.test/test", nil); status != http.StatusForbidden {
			t.Errorf("a teacher tests a connection: %d", status)
		}
	})
}
