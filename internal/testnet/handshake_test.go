package testnet_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/app"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/testnet"
)

// gate is a server with what its administrator does about connecting.
type gate struct {
	t *testing.T
	*testnet.Server
}

func gates(t *testing.T, net *testnet.Net, hosts ...string) []gate {
	var all []gate
	for _, host := range hosts {
		d := gate{t, net.Start(host)}
		d.Person("head", community.Owner)
		all = append(all, d)
	}
	return all
}

// pair is two schools that do not know each other yet.
func pair(t *testing.T, net *testnet.Net) (oak, elm gate) {
	all := gates(t, net, "oak.test", "elm.test")
	return all[0], all[1]
}

func (d gate) do(deed func(tx *store.Tx) error) error { return d.DB().Write(d.t.Context(), deed) }

func (d gate) must(deed func(tx *store.Tx) error) {
	d.t.Helper()
	if err := d.do(deed); err != nil {
		d.t.Fatalf("%s: %v", d.Host, err)
	}
}

// beside does something on the database of a server that is stopped.
func (d gate) beside(deed func(tx *store.Tx) error) {
	d.t.Helper()
	db, err := app.OpenDB(d.t.Context(), d.Config(), slog.New(slog.DiscardHandler), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := errors.Join(db.Write(d.t.Context(), deed), db.Close(d.t.Context())); err != nil {
		d.t.Fatal(err)
	}
}

// asks looks at another server and asks it to connect.
func (d gate) asks(host string, change ...func(*peers.Form)) peers.Request {
	d.t.Helper()
	c, err := d.Federation().LookAt(d.t.Context(), host)
	if err != nil {
		d.t.Fatalf("%s looks at %s: %v", d.Host, host, err)
	}
	form := peers.Form{Purpose: "Our Year 3 teams plan together", Contact: "Ruth, 09 555 0101", Preset: peers.PresetNetwork}
	for _, c := range change {
		c(&form)
	}
	var r peers.Request
	d.must(func(tx *store.Tx) (err error) {
		r, err = peers.Ask(tx, 0, c, form)
		return err
	})
	return r
}

// with is the request between this server and another, as it stands here.
func (d gate) with(way peers.RequestDirection, host string) peers.Request {
	d.t.Helper()
	var r peers.Request
	d.must(func(tx *store.Tx) (err error) {
		r, err = peers.RequestWith(tx, way, host)
		if fault.Is(err, fault.NotFound) {
			err = nil
		}
		return err
	})
	return r
}

func (d gate) accepts(host string, preset peers.Preset) error {
	r := d.with(peers.In, host)
	if err := d.Federation().Recheck(d.t.Context(), r.ID); err != nil {
		return err
	}
	return d.do(func(tx *store.Tx) error {
		_, err := peers.Accept(tx, 0, r.ID, peers.Acceptance{Preset: preset, KeyHash: r.KeyHash})
		return err
	})
}

// wantPeer holds how a server stands here.
func (d gate) wantPeer(host string, standing peers.Standing, view peers.View) {
	d.t.Helper()
	var p peers.Peer
	d.must(func(tx *store.Tx) (err error) {
		p, err = peers.Get(tx, host)
		if fault.Is(err, fault.NotFound) {
			err = nil
		}
		return err
	})
	if p.Standing != standing || standing != peers.Unknown && p.TheirView != view {
		d.t.Errorf("%s has %s as %q, seen as %q; want %q, %q", d.Host, host, p.Standing, p.TheirView, standing, view)
	}
}

func (d gate) wantState(way peers.RequestDirection, host string, want peers.RequestState) {
	d.t.Helper()
	if r := d.with(way, host); r.State != want {
		d.t.Errorf("%s has its request %s %s as %q (%s), want %q", d.Host, way, host, r.State, r.Trouble, want)
	}
}

func (d gate) count(sql string, args ...any) int {
	d.t.Helper()
	var n int
	d.must(func(tx *store.Tx) error { return tx.Raw(sql, args...).Scan(&n).Error })
	return n
}

// One school asks, the other accepts, and from then on posts travel.
func TestHandshake(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := pair(t, net)
		amira, bo := oak.Teacher("amira"), elm.Teacher("bo")
		asked := oak.asks("elm.test", func(f *peers.Form) { f.Preset = peers.PresetPartner })
		net.Settle()
		oak.wantState(peers.Out, "elm.test", peers.RequestWaiting)
		got := elm.with(peers.In, "oak.test")
		if got.State != peers.RequestWaiting || got.Purpose != asked.Purpose || got.Contact != asked.Contact || got.Hint != "ceiling=group hold=none" || got.Software != "Chalkring" {
			t.Errorf("elm has the request as %+v", got)
		}
		if got.Phrase != asked.Phrase || len(strings.Fields(got.Phrase)) != 6 || got.KeyHash == asked.KeyHash {
			t.Errorf("elm shows the phrase %q, oak %q", got.Phrase, asked.Phrase)
		}
		if oak.with(peers.Out, "elm.test").DeliveredAt == nil {
			t.Error("oak does not know that its request has arrived")
		}
		if n := elm.count("SELECT COUNT(*) FROM notifications WHERE kind = 'peering' AND peer_request_id = ?", got.ID); n != 1 {
			t.Errorf("elm's head was told %d times", n)
		}
		// requested: no door is open yet
		oak.wantPeer("elm.test", peers.Unknown, "")
		elm.wantPeer("oak.test", peers.Unknown, "")
		if _, err := amira.Look(bo.Handle()); !fault.Is(err, fault.Forbidden) {
			t.Errorf("before elm accepted, looking for somebody there: %v", err)
		}
		if err := elm.accepts("oak.test", peers.PresetNetwork); err != nil {
			t.Fatal(err)
		}
		net.Settle()
		oak.wantPeer("elm.test", peers.Allowed, peers.ViewAllowed)
		elm.wantPeer("oak.test", peers.Allowed, peers.ViewAllowed)
		oak.wantState(peers.Out, "elm.test", peers.RequestAccepted)
		elm.wantState(peers.In, "oak.test", peers.RequestAccepted)
		oak.must(func(tx *store.Tx) error {
			p, err := peers.Get(tx, "elm.test")
			if p.Preset != peers.PresetPartner || p.TheirHint != "ceiling=network hold=first" || p.KeyHash != asked.KeyHash || p.Source != peers.SourceHandshake {
				t.Errorf("oak's entry for elm: %+v", p)
			}
			return err
		})
		amira.Follow(bo.Handle())
		net.Settle()
		bo.Publish("Exit tickets in five minutes")
		net.Settle()
		amira.WantHome("Exit tickets in five minutes")
	})
}

func TestHandshakeRejected(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := pair(t, net)
		oak.asks("elm.test")
		net.Settle()
		elm.must(func(tx *store.Tx) error {
			r, err := peers.RequestWith(tx, peers.In, "oak.test")
			if err == nil {
				_, err = peers.Reject(tx, 0, r.ID, "We start with schools of our own district.")
			}
			return err
		})
		net.Settle()
		if r := oak.with(peers.Out, "elm.test"); r.State != peers.RequestRejected || r.Answer != "We start with schools of our own district." {
			t.Errorf("oak knows of the rejection as %+v", r)
		}
		oak.wantPeer("elm.test", peers.Unknown, "")
		elm.wantPeer("oak.test", peers.Unknown, "")
		if n := oak.count("SELECT COUNT(*) FROM notifications WHERE kind = 'peering'"); n != 1 {
			t.Errorf("oak's head was told %d times", n)
		}
		oak.asks("elm.test") // and may ask again
		net.Settle()
		elm.wantState(peers.In, "oak.test", peers.RequestWaiting)
	})
}

func TestHandshakeWithdrawn(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := pair(t, net)
		asked := oak.asks("elm.test")
		net.Settle()
		oak.must(func(tx *store.Tx) error {
			_, err := peers.Withdraw(tx, 0, asked.ID, "A mistake")
			return err
		})
		net.Settle()
		oak.wantState(peers.Out, "elm.test", peers.RequestWithdrawn)
		elm.wantState(peers.In, "oak.test", peers.RequestWithdrawn)
		if err := elm.accepts("oak.test", peers.PresetNetwork); !fault.Is(err, fault.Conflict) {
			t.Errorf("accepting what was withdrawn: %v", err)
		}
		elm.wantPeer("oak.test", peers.Unknown, "")
	})
}

func TestHandshakeExpired(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := pair(t, net)
		oak.asks("elm.test")
		net.Settle()
		told := func() int { return elm.count("SELECT COUNT(*) FROM peer_requests WHERE reminded_at IS NOT NULL") }
		elm.must(community.SweepPeering)
		if told() != 0 {
			t.Error("reminded of a request that has just come")
		}
		ago := func(d gate, age time.Duration) {
			d.must(func(tx *store.Tx) error {
				return tx.Exec("UPDATE peer_requests SET created_at = ?, expires_at = ?", tx.Now.Add(-age), tx.Now.Add(peers.AskedFor-age)).Error
			})
		}
		ago(elm, 25*24*time.Hour)
		before := elm.count("SELECT id FROM notifications WHERE kind = 'peering'")
		for range 2 {
			elm.must(community.SweepPeering)
			if told() != 1 || elm.count("SELECT COUNT(*) FROM notifications WHERE kind = 'peering'") != 1 {
				t.Error("not reminded once of a request that ends soon")
			}
		}
		if elm.count("SELECT id FROM notifications WHERE kind = 'peering'") == before {
			t.Error("nobody was told anew")
		}
		ago(elm, 31*24*time.Hour)
		if err := elm.accepts("oak.test", peers.PresetNetwork); !fault.Is(err, fault.Conflict) {
			t.Errorf("accepting what has expired: %v", err)
		}
		elm.must(community.SweepPeering)
		elm.wantState(peers.In, "oak.test", peers.RequestExpired)
		ago(oak, 31*24*time.Hour)
		oak.must(community.SweepPeering)
		oak.wantState(peers.Out, "elm.test", peers.RequestExpired)
		oak.asks("elm.test")
		net.Settle()
		// an answer that comes after the time is over connects nobody
		ago(oak, 31*24*time.Hour)
		if err := elm.accepts("oak.test", peers.PresetNetwork); err != nil {
			t.Fatal(err)
		}
		net.Settle()
		oak.wantPeer("elm.test", peers.Unknown, "")
	})
}

// Both ask before either has heard of the other.
func TestHandshakeCrossingOffers(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		all := gates(t, net, "oak.test", "elm.test")
		oak, elm := all[0], all[1]
		look := func(d gate, host string) peers.Candidate {
			c, err := d.Federation().LookAt(t.Context(), host)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		there, here := look(oak, "elm.test"), look(elm, "oak.test")
		for d, ask := range map[gate]struct {
			who    peers.Candidate
			preset peers.Preset
		}{oak: {there, peers.PresetNetwork}, elm: {here, peers.PresetPartner}} {
			d.Stop()
			d.beside(func(tx *store.Tx) error {
				_, err := peers.Ask(tx, 0, ask.who, peers.Form{Purpose: "Together", Contact: "the office", Preset: ask.preset})
				return err
			})
		}
		oak.Resume()
		elm.Resume()
		oak.must(func(tx *store.Tx) error { // it may have tried before elm was back
			tx.AnnounceKey(peers.RequestsChanged, "")
			return tx.Exec("UPDATE peer_messages SET next_at = ?", tx.Now).Error
		})
		net.Settle()
		oak.wantPeer("elm.test", peers.Allowed, peers.ViewAllowed)
		elm.wantPeer("oak.test", peers.Allowed, peers.ViewAllowed)
		for _, d := range all {
			if n := d.count("SELECT COUNT(*) FROM peer_requests WHERE state = 'accepted'"); n != 2 {
				t.Errorf("%s has %d accepted requests", d.Host, n)
			}
			if n := d.count("SELECT COUNT(*) FROM peer_messages"); n != 0 {
				t.Errorf("%s has %d messages left", d.Host, n)
			}
		}
		oak.must(func(tx *store.Tx) error {
			p, err := peers.Get(tx, "elm.test")
			if p.Preset != peers.PresetNetwork {
				t.Errorf("oak holds elm to %q", p.Preset)
			}
			return err
		})
	})
}

// Whoever asks a server that has asked already accepts it by that.
func TestHandshakeAskingWhoHasAsked(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := pair(t, net)
		oak.asks("elm.test")
		net.Settle()
		elm.asks("oak.test")
		net.Settle()
		oak.wantPeer("elm.test", peers.Allowed, peers.ViewAllowed)
		elm.wantPeer("oak.test", peers.Allowed, peers.ViewAllowed)
	})
}

// Who is allowed by hand or by a list while its request waits has been answered.
func TestHandshakeAllowedWhileItWaits(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := pair(t, net)
		oak.asks("elm.test")
		net.Settle()
		elm.wantState(peers.In, "oak.test", peers.RequestWaiting)
		oak.wantPeer("elm.test", peers.Unknown, peers.ViewUnknown)
		policy, _ := peers.Suggested(peers.PresetNetwork, "chalkring")
		elm.must(func(tx *store.Tx) error {
			_, err := peers.Allow(tx, 0, "oak.test", peers.Entry{Policy: &policy, Source: peers.SourceList})
			return err
		})
		net.Settle()
		elm.wantState(peers.In, "oak.test", peers.RequestAccepted)
		oak.wantState(peers.Out, "elm.test", peers.RequestAccepted)
		oak.wantPeer("elm.test", peers.Allowed, peers.ViewAllowed)
		elm.wantPeer("oak.test", peers.Allowed, peers.ViewAllowed)
	})
}

func TestHandshakeInvitation(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		all := gates(t, net, "oak.test", "elm.test", "ash.test")
		oak, elm, ash := all[0], all[1], all[2]
		invite := func(host string) (code string) {
			elm.must(func(tx *store.Tx) (err error) {
				code, _, err = peers.Invite(tx, 0, host, peers.PresetPartner, "Agreed by telephone")
				return err
			})
			return code
		}
		with := func(code string) func(*peers.Form) { return func(f *peers.Form) { f.Code = code } }
		code := invite("oak.test")
		if n := elm.count("SELECT COUNT(*) FROM peer_invitations WHERE code_hash LIKE ?", "%"+code[:6]+"%"); n != 0 {
			t.Error("the code itself is kept")
		}
		// another server does not get in by it
		ash.asks("elm.test", with(code))
		net.Settle()
		elm.wantState(peers.In, "ash.test", peers.RequestWaiting)
		elm.Stop() // codes and limits survive
		elm.Resume()
		oak.asks("elm.test", with(strings.ToUpper(code)))
		net.Settle()
		oak.wantPeer("elm.test", peers.Allowed, peers.ViewAllowed)
		elm.wantPeer("oak.test", peers.Allowed, peers.ViewAllowed)
		// nor does anybody a second time
		oak.Admin().RemovePeer("elm.test")
		elm.Admin().RemovePeer("oak.test")
		net.Settle()
		oak.asks("elm.test", with(code))
		net.Settle()
		elm.wantState(peers.In, "oak.test", peers.RequestWaiting)
		elm.wantPeer("oak.test", peers.Unknown, "")
	})
}

func TestHandshakeExpiredInvitation(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := pair(t, net)
		var code string
		elm.must(func(tx *store.Tx) (err error) {
			if code, _, err = peers.Invite(tx, 0, "oak.test", peers.PresetPartner, ""); err != nil {
				return err
			}
			return tx.Exec("UPDATE peer_invitations SET expires_at = ?", tx.Now.Add(-time.Second)).Error
		})
		oak.asks("elm.test", func(f *peers.Form) { f.Code = code })
		net.Settle()
		if r := elm.with(peers.In, "oak.test"); r.State != peers.RequestWaiting || r.Trouble != "peers.code_unknown" {
			t.Errorf("with an expired invitation: %q, %q", r.State, r.Trouble)
		}
		elm.wantPeer("oak.test", peers.Unknown, "")
	})
}

func TestHandshakeTrial(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := pair(t, net)
		oak.asks("elm.test")
		net.Settle()
		if err := elm.accepts("oak.test", peers.PresetTrial); err != nil {
			t.Fatal(err)
		}
		net.Settle()
		oak.wantState(peers.Out, "elm.test", peers.RequestTrial)
		elm.wantState(peers.In, "oak.test", peers.RequestTrial)
		oak.wantPeer("elm.test", peers.Allowed, peers.ViewAllowed)
		elm.must(func(tx *store.Tx) error {
			p, err := peers.Get(tx, "oak.test")
			if p.ExpiresAt == nil || p.Hold != peers.HoldAll {
				t.Errorf("elm's trial: %+v", p)
			}
			return err
		})
	})
}

// A side that ends the connection says so, and why.
func TestHandshakeEnded(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		all := gates(t, net, "oak.test", "elm.test", "ash.test")
		oak, elm, ash := all[0], all[1], all[2]
		oak.asks("elm.test")
		oak.asks("ash.test")
		net.Settle()
		for _, d := range []gate{elm, ash} {
			if err := d.accepts("oak.test", peers.PresetNetwork); err != nil {
				t.Fatal(err)
			}
		}
		net.Settle()
		elm.must(func(tx *store.Tx) error { return peers.Remove(tx, 0, "oak.test", "Our network has closed") }) // who accepted
		oak.must(func(tx *store.Tx) error { return peers.Remove(tx, 0, "ash.test", "We merge") })               // who asked
		net.Settle()
		if r := oak.with(peers.Out, "elm.test"); r.State != peers.RequestEnded || r.Answer != "Our network has closed" {
			t.Errorf("oak knows of the end as %+v", r)
		}
		oak.wantPeer("elm.test", peers.Allowed, peers.ViewRefused)
		if r := ash.with(peers.In, "oak.test"); r.State != peers.RequestEnded || r.Answer != "We merge" {
			t.Errorf("ash knows of the end as %+v", r)
		}
		ash.wantPeer("oak.test", peers.Allowed, peers.ViewRefused)
	})
}

// The process stops after an acceptance was stored and before it was sent; and,
// the other time, after it was sent and before that was stored.
func TestHandshakeKilledBetweenAcceptAndSend(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := pair(t, net)
		oak.asks("elm.test")
		net.Settle()
		r := elm.with(peers.In, "oak.test")
		elm.Stop()
		elm.beside(func(tx *store.Tx) error {
			_, err := peers.Accept(tx, 0, r.ID, peers.Acceptance{Preset: peers.PresetNetwork})
			return err
		})
		oak.wantPeer("elm.test", peers.Unknown, "")
		elm.Resume()
		net.Settle()
		oak.wantPeer("elm.test", peers.Allowed, peers.ViewAllowed)
		elm.wantPeer("oak.test", peers.Allowed, peers.ViewAllowed)
		lines := oak.count("SELECT COUNT(*) FROM audit")
		elm.must(func(tx *store.Tx) error {
			tx.AnnounceKey(peers.RequestsChanged, "oak.test")
			return tx.Create(&peers.Message{ID: tx.NewID(), RequestID: r.ID, Host: "oak.test", Kind: peers.SayAccept, NextAt: tx.Now, CreatedAt: tx.Now}).Error
		})
		net.Settle()
		if n := oak.count("SELECT COUNT(*) FROM audit"); n != lines {
			t.Errorf("a repeated acceptance had an effect: %d lines in the log, had %d", n, lines)
		}
	})
}

// asker is a server of another make that asks.
type asker struct {
	*testnet.Stranger
	n int
}

func newAsker(net *testnet.Net, host string) *asker {
	a := &asker{Stranger: net.Stranger(host)}
	a.Serve("/.well-known/nodeinfo", map[string]any{"links": []any{
		map[string]any{"rel": "http://nodeinfo.diaspora.software/ns/schema/2.0", "href": a.URL("/nodeinfo/2.0")},
		map[string]any{"rel": "https://www.w3.org/ns/activitystreams#Application", "href": a.URL("/actor")}}})
	a.Serve("/nodeinfo/2.0", map[string]any{"version": "2.0", "software": map[string]any{"name": "gotosocial", "version": "0.20"}})
	return a
}

// offer is a proper Offer, unless a test changes it.
func (a *asker) offer(to *testnet.Server, change ...func(map[string]any)) map[string]any {
	a.n++
	me, them := a.URL("/actor"), "https://"+to.Host+"/actor"
	o := map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": a.URL(fmt.Sprintf("/offers/%d", a.n)), "type": "Offer", "actor": me,
		"to": []string{them}, "summary": "We want to connect",
		"object": map[string]any{"type": "Relationship", "subject": me, "relationship": "https://w3id.org/chalkring/ns#peer", "object": them}}
	for _, c := range change {
		c(o)
	}
	return o
}

func TestOfferFlood(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		elm := gates(t, net, "elm.test")[0]
		x := newAsker(net, "x.test")
		for i := range 5 {
			status, body := x.Send(elm.Server, x.offer(elm.Server))
			if want := map[bool]int{true: 202, false: 429}[i < peers.MostOffers]; status != want {
				t.Errorf("offer %d of a day: %d %s, want %d", i+1, status, body, want)
			}
		}
		if n := elm.count("SELECT COUNT(*) FROM peer_requests WHERE state = 'waiting'"); n != 1 {
			t.Errorf("%d requests of one server wait", n)
		}
		elm.Stop()
		elm.Resume()
		if status, body := x.Send(elm.Server, x.offer(elm.Server)); status != 429 {
			t.Errorf("after a restart: %d %s", status, body)
		}
		if status, _ := x.Send(elm.Server, x.offer(elm.Server, func(o map[string]any) { o["id"] = x.URL("/offers/3") })); status != 202 {
			t.Errorf("a repeat of what was taken: %d", status)
		}
		elm.must(func(tx *store.Tx) error { // as many others as there may be
			for i := range peers.MostOffersInAll - peers.MostOffers - 1 {
				if err := tx.Exec("INSERT INTO peer_offers (id, host, created_at) VALUES (?, ?, ?)", tx.NewID(), fmt.Sprintf("h%d.test", i), tx.Now).Error; err != nil {
					return err
				}
			}
			return nil
		})
		y, z := newAsker(net, "y.test"), newAsker(net, "z.test")
		if status, body := y.Send(elm.Server, y.offer(elm.Server)); status != 202 {
			t.Errorf("the fiftieth of all: %d %s", status, body)
		}
		if status, _ := z.Send(elm.Server, z.offer(elm.Server)); status != 429 || z.Asked() != 0 {
			t.Errorf("the next: %d, and its server was asked %d times", status, z.Asked())
		}
		elm.must(func(tx *store.Tx) error {
			return tx.Exec("UPDATE peer_offers SET created_at = ?", tx.Now.Add(-25*time.Hour)).Error
		})
		if status, body := x.Send(elm.Server, x.offer(elm.Server)); status != 202 {
			t.Errorf("the day after: %d %s", status, body)
		}
	})
}

func TestOversizedOffer(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		elm := gates(t, net, "elm.test")[0]
		x := newAsker(net, "x.test")
		sized := func(size int) map[string]any {
			o := x.offer(elm.Server, func(o map[string]any) { o["summary"] = "" })
			b, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			o["summary"] = strings.Repeat("x", size-len(b))
			return o
		}
		if status, body := x.Send(elm.Server, sized(8<<10+1)); status != 403 || !strings.Contains(body, "peering-required") || x.Asked() != 0 {
			t.Errorf("a byte too much: %d %s, and its server was asked %d times", status, body, x.Asked())
		}
		if status, body := x.Send(elm.Server, sized(8<<10)); status != 202 || !strings.Contains(body, "https://w3id.org/fep/c180#approval-required") {
			t.Errorf("as large as it may be: %d %s", status, body)
		}
		if r := elm.with(peers.In, "x.test"); len(r.Purpose) != peers.MaxPurpose {
			t.Errorf("%d bytes are kept of the purpose", len(r.Purpose))
		}
	})
}

// Everything but a proper Offer of a server for itself is refused, and what is
// not even that makes us ask nobody anything.
func TestOfferForged(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		elm := gates(t, net, "elm.test")[0]
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		y := newAsker(net, "y.test")
		object := func(name string, value any) func(map[string]any) {
			return func(o map[string]any) {
				in := maps.Clone(o["object"].(map[string]any))
				in[name] = value
				o["object"] = in
			}
		}
		set := func(name string, value any) func(map[string]any) { return func(o map[string]any) { o[name] = value } }
		tests := []struct {
			name   string
			change func(map[string]any)
			how    func(x *asker) testnet.Signing
			serve  func(x *asker)
			asked  []string // what may have been asked for
		}{
			{name: "no signature", how: func(*asker) testnet.Signing { return testnet.Signing{Unsigned: true} }},
			{name: "another's key", how: func(*asker) testnet.Signing { return testnet.Signing{Key: other} }, asked: []string{"/actor"}},
			{name: "another server's key", how: func(*asker) testnet.Signing { return testnet.Signing{Actor: y.URL("/actor"), Key: y.Key} }},
			{name: "a key of its own that is not in publicKey", how: func(x *asker) testnet.Signing { return testnet.Signing{KeyID: x.URL("/actor#other")} }, asked: []string{"/actor"}},
			{name: "the body was changed", how: func(x *asker) testnet.Signing {
				b, _ := json.Marshal(x.offer(elm.Server, set("summary", "swapped")))
				return testnet.Signing{Body: b}
			}, asked: []string{"/actor"}},
			{name: "old", how: func(*asker) testnet.Signing { return testnet.Signing{Date: time.Now().Add(-2 * time.Hour)} }, asked: []string{"/actor"}},
			{name: "a Person", serve: func(x *asker) {
				x.Serve("/actor", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "application/activity+json")
					fmt.Fprintf(w, `{"id":%q,"type":"Person","inbox":%q,"outbox":%q,"publicKey":{}}`, x.URL("/actor"), x.URL("/inbox"), x.URL("/outbox"))
				}))
			}, asked: []string{"/actor"}},
			{name: "redirecting nodeinfo", serve: func(x *asker) {
				x.Serve("/.well-known/nodeinfo", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, y.URL("/.well-known/nodeinfo"), http.StatusFound)
				}))
			}, asked: []string{"/actor", "/.well-known/nodeinfo"}},
			{name: "no nodeinfo", serve: func(x *asker) { x.Serve("/.well-known/nodeinfo", http.HandlerFunc(http.NotFound)) }, asked: []string{"/actor", "/.well-known/nodeinfo"}},
			{name: "redirecting actor", serve: func(x *asker) {
				x.Serve("/actor", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, y.URL("/actor"), http.StatusFound)
				}))
			}, asked: []string{"/actor"}},
			{name: "another relationship", change: object("relationship", "http://purl.org/vocab/relationship/friendOf")},
			{name: "of somebody else", change: object("subject", y.URL("/actor"))},
			{name: "with somebody else", change: object("object", "https://oak.test/actor")},
			{name: "a note in it", change: set("object", map[string]any{"type": "Note", "content": "hello"})},
			{name: "another server's address", change: set("id", y.URL("/offers/1"))},
			{name: "an answer to nothing", change: set("type", "Accept")},
		}
		for i, tt := range tests {
			x := newAsker(net, fmt.Sprintf("x%d.test", i))
			if tt.serve != nil {
				tt.serve(x)
			}
			how := testnet.Signing{Actor: x.URL("/actor")}
			if tt.how != nil {
				if how = tt.how(x); how.Actor == "" {
					how.Actor = x.URL("/actor")
				}
			}
			var change []func(map[string]any)
			if tt.change != nil {
				change = append(change, tt.change)
			}
			status, body := x.Send(elm.Server, x.offer(elm.Server, change...), how)
			if status != 401 && status != 403 {
				t.Errorf("%s: %d %s", tt.name, status, body)
			}
			asked := 0
			for _, path := range tt.asked {
				asked += x.Fetched(path)
			}
			if x.Asked() != asked || asked > len(tt.asked) {
				t.Errorf("%s: the server was asked %d things, %d of them as it should", tt.name, x.Asked(), asked)
			}
		}
		if y.Asked() != 0 {
			t.Errorf("a server that had nothing to do with it was asked %d times", y.Asked())
		}
		if n := elm.count("SELECT COUNT(*) FROM peer_requests"); n != 0 {
			t.Errorf("%d requests were taken in", n)
		}
		x := newAsker(net, "x.test")
		if status, body := x.Send(elm.Server, x.offer(elm.Server)); status != 202 || x.Fetched("/actor") != 1 || x.Fetched("/.well-known/nodeinfo") != 1 || x.Asked() != 2 {
			t.Errorf("nothing is wrong: %d %s, asked %d times", status, body, x.Asked())
		}
	})
}

// A server whose request waits gets nothing else through the hole, and nothing
// of ours goes there.
func TestRequestedOpensNoDoor(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		elm := gates(t, net, "elm.test")[0]
		bo := elm.Teacher("bo")
		post := bo.Publish("For everyone")
		x := newAsker(net, "x.test")
		if status, body := x.Send(elm.Server, x.offer(elm.Server)); status != 202 || strings.Contains(body, bo.Handle()) {
			t.Fatalf("the request: %d %s", status, body)
		}
		asked := x.Asked()
		pat := x.URL("/actor")
		for name, activity := range map[string]map[string]any{
			"a post":               x.Note("pat", "hello"),
			"a post of the server": {"id": x.URL("/a/1"), "type": "Create", "actor": pat, "object": map[string]any{"id": x.URL("/n/1"), "type": "Note", "attributedTo": pat, "content": "x"}},
			"a follow":             x.Follows("pat", bo.Account.IRI(elm.DB().Site())),
			"a like":               {"id": x.URL("/a/2"), "type": "Like", "actor": pat, "object": post.IRI},
			"a report":             {"id": x.URL("/a/3"), "type": "Flag", "actor": pat, "object": bo.Account.IRI(elm.DB().Site()), "content": "x"},
			"an offer of a post":   {"id": x.URL("/a/4"), "type": "Offer", "actor": pat, "object": map[string]any{"type": "Note", "content": "x"}},
			"an acceptance":        {"id": x.URL("/a/5"), "type": "Accept", "actor": pat, "object": "https://elm.test/peering/1"},
			"an acceptance of its": {"id": x.URL("/a/6"), "type": "Accept", "actor": pat, "object": x.URL("/offers/1")},
		} {
			if status, body := x.Send(elm.Server, activity); status != 403 || !strings.Contains(body, "peering-required") {
				t.Errorf("%s: %d %s", name, status, body)
			}
		}
		for _, address := range []string{post.IRI, bo.Account.IRI(elm.DB().Site()), "https://elm.test/network"} {
			if status, body := x.Get(address); status != 403 || strings.Contains(body, "For everyone") {
				t.Errorf("reading %s: %d %s", address, status, body)
			}
		}
		if _, err := bo.Look("@pat@x.test"); !fault.Is(err, fault.Forbidden) {
			t.Errorf("looking for somebody there: %v", err)
		}
		net.Settle()
		if x.Asked() > asked+1 || x.Fetched("/actor") > 2 { // who signs an acceptance may be looked up
			t.Errorf("the server was asked %d more things", x.Asked()-asked)
		}
		if len(x.Received()) != 0 {
			t.Errorf("it was sent %d things", len(x.Received()))
		}
		elm.wantPeer("x.test", peers.Unknown, "")
		elm.Admin().Block("x.test")
		if status, body := x.Send(elm.Server, x.offer(elm.Server)); status != 403 || !strings.Contains(body, "peering-required") {
			t.Errorf("blocked: %d %s", status, body)
		}
		elm.wantState(peers.In, "x.test", peers.RequestRejected)
		net.Settle()
		if len(x.Received()) != 0 {
			t.Errorf("a blocked server was sent %d things", len(x.Received()))
		}
	})
}

// Software that knows no Offer follows the server's own actor.
func TestFollowOfTheInstanceIsARequest(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		all := gates(t, net, "elm.test")
		elm := all[0]
		x := newAsker(net, "tube.test")
		follow := map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": x.URL("/follows/1"), "type": "Follow", "actor": x.URL("/actor"), "object": "https://elm.test/actor"}
		if status, body := x.Send(elm.Server, follow); status != 202 {
			t.Fatalf("%d %s", status, body)
		}
		if r := elm.with(peers.In, "tube.test"); r.Kind != peers.ByFollow || r.State != peers.RequestWaiting {
			t.Errorf("%+v", r)
		}
		if err := elm.accepts("tube.test", peers.PresetFriendly); err != nil {
			t.Fatal(err)
		}
		net.Settle()
		got := x.Taken("Accept")
		if len(got) != 1 {
			t.Fatalf("%d acceptances", len(got))
		}
		if in, _ := got[0].Activity["object"].(map[string]any); in["type"] != "Follow" || in["id"] != x.URL("/follows/1") || got[0].Path != "/actor/inbox" {
			t.Errorf("accepted at %s: %v", got[0].Path, got[0].Activity)
		}
		elm.wantPeer("tube.test", peers.Allowed, peers.ViewUnknown) // one-sided, until it proves the other half
		if status, body := x.Send(elm.Server, x.Note("pat", "a film")); status != 202 {
			t.Fatalf("%d %s", status, body)
		}
		elm.wantPeer("tube.test", peers.Allowed, peers.ViewAllowed)
		x.Serve("/users/shy", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }))
		if _, err := elm.Federation().Resolve(t.Context(), x.Actor("shy")); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a refused look: %v", err)
		}
		elm.wantPeer("tube.test", peers.Allowed, peers.ViewRefused)
		if status, _ := x.Get("https://elm.test/network"); status != 200 {
			t.Errorf("an admitted server reads: %d", status)
		}
		elm.wantPeer("tube.test", peers.Allowed, peers.ViewRefused) // which is no answer to whether it takes something
	})
}

// The key of the other side's own actor changes between the request and the
// acceptance: on the accepting side it is shown, on the asking side refused.
func TestHandshakeKeyChanged(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak, elm := pair(t, net)
		x := newAsker(net, "x.test")
		if status, body := x.Send(elm.Server, x.offer(elm.Server)); status != 202 {
			t.Fatalf("%d %s", status, body)
		}
		seen := elm.with(peers.In, "x.test")
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		x.Key = key
		if err := elm.accepts("x.test", peers.PresetNetwork); !fault.Is(err, fault.Conflict) {
			t.Errorf("accepted with another key: %v", err)
		}
		elm.wantPeer("x.test", peers.Unknown, "")
		now := elm.with(peers.In, "x.test")
		if now.KeyChangedAt == nil || now.KeyHash == seen.KeyHash || now.Phrase == seen.Phrase {
			t.Errorf("the change is not shown: %+v", now)
		}
		if err := elm.accepts("x.test", peers.PresetNetwork); err != nil { // having compared the new phrase
			t.Error(err)
		}
		elm.wantPeer("x.test", peers.Allowed, peers.ViewPending)

		// oak asks x, which answers with yet another key
		r := oak.asks("x.test")
		net.Settle()
		if x.Key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
		accept := map[string]any{"@context": "https://www.w3.org/ns/activitystreams", "id": x.URL("/accepts/1"), "type": "Accept", "actor": x.URL("/actor"),
			"object": map[string]any{"id": r.URI, "type": "Offer", "actor": "https://oak.test/actor"}}
		oak.Stop()
		oak.Resume() // what it remembers of x is forgotten
		if status, body := x.Send(oak.Server, accept); status != 403 {
			t.Errorf("accepted with another key: %d %s", status, body)
		}
		oak.wantPeer("x.test", peers.Unknown, "")
		if r := oak.with(peers.Out, "x.test"); r.State != peers.RequestWaiting || r.KeyChangedAt == nil {
			t.Errorf("oak does not show it: %+v", r)
		}
	})
}

// A server that takes no requests: the asking side learns of it.
func TestHandshakeNotTaken(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		oak := gates(t, net, "oak.test")[0]
		x := newAsker(net, "x.test")
		x.Inbox(func(int, map[string]any) int { return http.StatusNotFound })
		c, err := oak.Federation().LookAt(t.Context(), "x.test")
		if err != nil || c.Understood || c.Software != "gotosocial 0.20" || c.KeyHash == "" {
			t.Errorf("oak sees %+v, %v", c, err)
		}
		oak.asks("x.test")
		net.Settle()
		if r := oak.with(peers.Out, "x.test"); r.State != peers.RequestFailed || r.Trouble != "delivery.gone" {
			t.Errorf("%q %q", r.State, r.Trouble)
		}
		if kinds := slices.Collect(func(yield func(string) bool) {
			for _, r := range x.Received() {
				if !yield(r.Type()) {
					return
				}
			}
		}); !slices.Equal(kinds, []string{"Offer"}) {
			t.Errorf("it was sent %v", kinds)
		}
		for host, key := range map[string]string{"nowhere.test": "peers.look_silent", "oak.test": "peers.host_own"} {
			if _, err := oak.Federation().LookAt(t.Context(), host); err == nil || fault.Of(err).Key != key {
				t.Errorf("%s: %v", host, err)
			}
		}
	})
}
