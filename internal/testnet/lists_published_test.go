package testnet_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

// Lists for other software, and who may read them.
func TestPublishedListForms(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		n := newListNet(t, net)
		do(t, n.region, func(tx *store.Tx) error {
			if err := peers.RaiseEmergency(tx, 0, "schools", "e.test", "taken over"); err != nil {
				return err
			}
			_, err := peers.SetList(tx, 0, "schools", peers.ListForm{Name: "Schools", Visibility: peers.VisibleLink, Formats: peers.FormatsMastodon | peers.FormatsGoToSocial})
			return err
		})
		for _, more := range []string{"", ".csv", "?key=", "?key=wrong", ".csv?key=wrong"} {
			if res := n.get(more, nil); res.StatusCode != http.StatusNotFound {
				t.Errorf("%q without the secret: %s", more, res.Status)
			}
		}
		l := ask(t, n.region, func(tx *store.Tx) (peers.PublishedList, error) { return peers.ListByPath(tx, "schools") })
		key := "?key=" + l.Secret
		read := func(more string) string {
			res := n.get(more, nil)
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("%s: %s %v", more, res.Status, err)
			}
			return string(body)
		}
		if got := read(".csv" + key); got != "#domain\na.test\nb.test\nc.test\nd.test\n" {
			t.Errorf("Mastodon's CSV: %q", got)
		}
		var elements []struct{ Domain string }
		if err := json.Unmarshal([]byte(read(".json"+key)), &elements); err != nil || len(elements) != 4 || elements[0].Domain != "a.test" {
			t.Errorf("GoToSocial's JSON: %v %v", elements, err)
		}
		if res := n.get(".txt"+key, nil); res.StatusCode != http.StatusNotFound {
			t.Errorf("a form that is not given out: %s", res.Status)
		}
		var doc struct {
			Name, Publisher string
			Entries         []peers.ListEntry
			Proof           struct{ Cryptosuite, VerificationMethod string }
		}
		if err := json.Unmarshal([]byte(read(key)), &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Name != "Schools" || doc.Publisher != "https://region.test/actor" || len(doc.Entries) != 5 || doc.Proof.Cryptosuite != "eddsa-jcs-2022" {
			t.Errorf("the list is %+v", doc)
		}
		if e := doc.Entries[4]; e.Host != "e.test" || !e.Emergency || e.Reason != "taken over" || e.Since == nil {
			t.Errorf("the emergency is %+v", e)
		}
		// whoever has the address can follow it, connected or not
		far := net.Start("far.test")
		followList(t, net, far, n.url+key, peers.SubForm{})
		if got, _ := draftsOf(t, far); !slices.Equal(got, []string{"allow a.test", "allow b.test", "allow c.test", "allow d.test"}) {
			t.Errorf("a server that is not connected is proposed %q", got)
		}
		// Mastodon's CSV is followed too, and only ever proposes
		do(t, far, func(tx *store.Tx) error {
			_, err := peers.Subscribe(tx, 0, n.url+".csv"+key, "", peers.SubForm{AutoAccept: true})
			return err
		})
		net.Settle()
		sub := ask(t, far, func(tx *store.Tx) (peers.Subscription, error) { return peers.SubscriptionByURL(tx, n.url+".csv"+key) })
		if sub.State != peers.SubActive || sub.Signed() || sub.AutoAccept || sub.Format != peers.FormatMastodonAllows {
			t.Errorf("a list without signature: %+v", sub)
		}
		if s := standing(t, far, "a.test"); s != peers.Unknown {
			t.Errorf("a list without signature made a.test %q", s)
		}
		err := far.DB().Write(t.Context(), func(tx *store.Tx) error {
			_, err := peers.SetSubscription(tx, 0, sub.ID, peers.SubForm{AutoAccept: true})
			return err
		})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("letting a list without signature act by itself: %v", err)
		}
	})
}

// Peers that are on a list for what they are come and go by themselves.
func TestPublishedListByRule(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		region := net.Start("region.test")
		allow := func(host string, preset peers.Preset, kind string) {
			t.Helper()
			do(t, region, func(tx *store.Tx) error {
				policy := preset.Policy()
				_, err := peers.Allow(tx, 0, host, peers.Entry{Kind: kind, Policy: &policy})
				return err
			})
		}
		allow("a.test", peers.PresetPartner, "school")
		allow("b.test", peers.PresetNetwork, "school")
		allow("c.test", peers.PresetNetwork, "forum")
		allow("d.test", peers.PresetFriendly, "school")
		do(t, region, func(tx *store.Tx) error {
			_, err := peers.NewList(tx, 0, peers.ListForm{Path: "schools", Name: "Schools", Presets: []string{"partner", "network"}, Kinds: []string{"school"}})
			return err
		})
		want := func(hosts ...string) {
			t.Helper()
			net.Settle()
			l := ask(t, region, func(tx *store.Tx) (peers.PublishedList, error) { return peers.ListByPath(tx, "schools") })
			entries := ask(t, region, func(tx *store.Tx) ([]peers.PublishedEntry, error) {
				return peers.PublishedEntries(tx, l.ID, false, "", "", 100)
			})
			var got []string
			for _, e := range entries {
				got = append(got, e.Host)
			}
			if !slices.Equal(got, hosts) {
				t.Errorf("on the list are %q, want %q", got, hosts)
			}
		}
		want("a.test", "b.test")
		allow("d.test", peers.PresetNetwork, "school")
		allow("b.test", peers.PresetListen, "school")
		want("a.test", "d.test")
		do(t, region, func(tx *store.Tx) error { return peers.Retract(tx, 0, "schools", "a.test", "by hand") })
		allow("e.test", peers.PresetNetwork, "school")
		want("d.test", "e.test") // what was taken off by hand stays off
	})
}
