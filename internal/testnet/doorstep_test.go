package testnet_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/config"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/testnet"
)

// Whoever makes up servers that ask to connect uses up their own share of the
// doorstep, not that of others.
func TestOfferNoiseShutsNobodyOut(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		elm := gate{t, net.Start("elm.test", func(c *config.Config) {
			c.TrustedProxies = config.Prefixes{netip.MustParsePrefix("127.0.0.0/8")}
		})}
		x := newAsker(net, "x.test")
		from := func(address string) testnet.Signing {
			return testnet.Signing{Header: http.Header{"X-Forwarded-For": {address}, "X-Forwarded-Proto": {"https"}}}
		}
		// noise asks in the name of one actor of y.test, of which none is one
		y := newAsker(net, "y.test")
		n := 0
		noise := func(address string) int {
			n++
			me := y.URL(fmt.Sprintf("/nobody/%d", n))
			o := y.offer(elm.Server, func(o map[string]any) {
				o["actor"] = me
				o["object"].(map[string]any)["subject"] = me
			})
			how := from(address)
			how.Actor = me
			status, _ := y.Send(elm.Server, o, how)
			return status
		}
		for i := range 40 {
			if status, want := noise("192.0.2.1"), map[bool]int{true: 401, false: 429}[i < 5]; status != want {
				t.Errorf("noise %d: %d, want %d", i+1, status, want)
			}
		}
		if asked := y.Asked(); asked != 5 {
			t.Errorf("one server was asked %d times for one client", asked)
		}
		// in many names: from one network of IPv6, which has more addresses than anybody can count
		var strangers []*asker
		for i := range 20 {
			z := newAsker(net, fmt.Sprintf("z%d.test", i))
			strangers = append(strangers, z)
			how := from(fmt.Sprintf("2001:db8::%x", i+1))
			how.Key = x.Key
			status, body := z.Send(elm.Server, z.offer(elm.Server), how)
			if want := map[bool]int{true: 401, false: 429}[i < 10]; status != want {
				t.Errorf("name %d: %d %s, want %d", i+1, status, body, want)
			}
		}
		asked := 0
		for _, z := range strangers {
			asked += z.Asked()
		}
		if asked != 10 {
			t.Errorf("%d servers were asked for one client", asked)
		}
		// the server in whose name the noise was, and another, are heard from where they are
		for i, a := range []*asker{x, y} {
			status, body := a.Send(elm.Server, a.offer(elm.Server), from(fmt.Sprintf("198.51.100.%d", i+1)))
			if status != 202 || !strings.Contains(body, "approval-required") {
				t.Errorf("%s asks: %d %s", a.Host, status, body)
			}
			elm.wantState(peers.In, a.Host, peers.RequestWaiting)
		}
	})
}
