package testnet_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
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

// doors is a school with strangers around it, and tries the four doors between
// them.
type doors struct {
	t     *testing.T
	net   *testnet.Net
	oak   *testnet.Server
	amira *testnet.Teacher
	count int // how much was tried, for new names
}

func newDoors(t *testing.T, net *testnet.Net) *doors {
	oak := net.Start("oak.test")
	return &doors{t: t, net: net, oak: oak, amira: oak.Teacher("amira")}
}

// stranger starts a server that was connected with once: pat there follows
// amira, so that what she publishes is for it.
func (d *doors) stranger(host string) *testnet.Stranger {
	d.t.Helper()
	x := d.net.Stranger(host)
	d.oak.Admin().Allow(host)
	d.net.Settle()
	if status, body := x.Send(d.oak, x.Follows("pat", d.amira.Account.IRI(d.oak.DB().Site()))); status != 202 {
		d.t.Fatalf("%s follows: %d %s", host, status, body)
	}
	d.net.Settle()
	if len(x.Taken("Accept")) == 0 {
		d.t.Fatalf("%s: the follow was not accepted", host)
	}
	return x
}

// The doors, in the order of the page on peering.
const (
	doorIn    = "1: what they deliver"
	doorOut   = "2: what is delivered to them"
	doorFetch = "3: what is fetched of theirs"
	doorRead  = "4: what they fetch"
)

// try tries every door of every stranger, and returns which were open.
func (d *doors) try(all ...*testnet.Stranger) map[*testnet.Stranger][]string {
	d.t.Helper()
	d.count++
	for _, x := range all { // an end of the connection ends follows; whoever is let in again follows again
		follow := x.Follows("pat", d.amira.Account.IRI(d.oak.DB().Site()))
		follow["id"] = x.URL(fmt.Sprintf("/follows/again/%d", d.count))
		x.Send(d.oak, follow)
	}
	d.net.Settle()
	words := fmt.Sprintf("Post %d", d.count)
	post := d.amira.Publish(words)
	d.net.Settle()
	open := map[*testnet.Stranger][]string{}
	note := func(x *testnet.Stranger, door string, is bool) {
		if is {
			open[x] = append(open[x], door)
		}
	}
	for _, x := range all {
		came := fmt.Sprintf("From %s, %d", x.Host, d.count)
		status, body := x.Send(d.oak, x.Note("pat", came))
		if status != 202 && status != 403 && status != 401 {
			d.t.Errorf("a delivery of %s: %d %s", x.Host, status, body)
		}
		d.net.Settle()
		note(x, doorIn, d.holds(came))
		note(x, doorOut, slices.ContainsFunc(x.Received(), func(r testnet.Received) bool {
			o, _ := r.Activity["object"].(map[string]any)
			return r.Type() == "Create" && o["id"] == post.IRI
		}))
		asked := x.Asked()
		_, err := d.amira.Look(fmt.Sprintf("@new%d@%s", d.count, x.Host))
		if err != nil && !fault.Is(err, fault.Forbidden) {
			d.t.Errorf("looking for somebody at %s: %v", x.Host, err)
		}
		note(x, doorFetch, err == nil)
		if err != nil && x.Asked() != asked {
			d.t.Errorf("%s was asked for something by a search that was refused", x.Host)
		}
		status, body = x.Get(post.IRI)
		note(x, doorRead, status == 200)
		if status != 200 && (status != 403 && status != 401 || strings.Contains(body, words)) {
			d.t.Errorf("%s fetches a post: %d %s", x.Host, status, body)
		}
	}
	return open
}

// holds reports whether a post with these words is stored here.
func (d *doors) holds(words string) bool {
	d.t.Helper()
	var n int
	err := d.oak.DB().Read(d.t.Context(), func(tx *store.Tx) error {
		return tx.Raw("SELECT COUNT(*) FROM posts WHERE html LIKE ? AND deleted_at IS NULL", "%"+words+"<%").Scan(&n).Error
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return n > 0
}

// want holds what is open against what should be.
func (d *doors) want(when string, open []string, all bool) {
	d.t.Helper()
	want := []string(nil)
	if all {
		want = []string{doorIn, doorOut, doorFetch, doorRead}
	}
	if !slices.Equal(open, want) {
		d.t.Errorf("%s: open are %q, want %q", when, open, want)
	}
}

// decide changes the policy from beside the running server, as a subcommand
// or another node does.
func (d *doors) decide(deed func(tx *store.Tx) error) {
	d.t.Helper()
	if err := d.oak.DB().Write(d.t.Context(), deed); err != nil {
		d.t.Fatal(err)
	}
}

// TestFourDoorsInEveryState crosses the four doors with every state that a
// server can be in, each after the doors were seen to be open.
func TestFourDoorsInEveryState(t *testing.T) {
	ending := peers.Ending{Reason: "A test of the doors"}
	long, soon := -time.Hour, time.Hour
	states := []struct {
		name string
		into func(tx *store.Tx, host string) error
		open bool
	}{
		{"active", func(*store.Tx, string) error { return nil }, true},
		{"unknown", func(tx *store.Tx, host string) error { return peers.Remove(tx, 0, host, "") }, false},
		{"paused", func(tx *store.Tx, host string) error { _, err := peers.Pause(tx, 0, host, ending); return err }, false},
		{"retired", func(tx *store.Tx, host string) error { _, err := peers.Retire(tx, 0, host, ending); return err }, false},
		{"purged", func(tx *store.Tx, host string) error { _, err := peers.Purge(tx, 0, host, ending); return err }, false},
		{"denied", func(tx *store.Tx, host string) error {
			_, err := peers.Block(tx, 0, host, peers.Entry{Reason: ending.Reason})
			return err
		}, false},
		{"denied above", func(tx *store.Tx, host string) error {
			_, above, _ := strings.Cut(host, ".")
			_, err := peers.Block(tx, 0, above, peers.Entry{Reason: ending.Reason})
			return err
		}, false},
		{"expired", expiring(long), false},
		{"expiring", expiring(soon), true},
	}
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		d := newDoors(t, net)
		var all []*testnet.Stranger
		for i := range states {
			all = append(all, d.stranger(fmt.Sprintf("elm.s%d.test", i)))
		}
		before := d.try(all...)
		for i, s := range states {
			d.want(s.name+", before", before[all[i]], true)
			d.decide(func(tx *store.Tx) error { return s.into(tx, all[i].Host) })
		}
		after := d.try(all...)
		for i, s := range states {
			d.want(s.name, after[all[i]], s.open)
		}
	})
}

// expiring gives an entry a time, which may be over before anything has
// written that down.
func expiring(in time.Duration) func(tx *store.Tx, host string) error {
	return func(tx *store.Tx, host string) error {
		return tx.Exec("UPDATE peers SET expires_at = ? WHERE host = ?", tx.Now.Add(in), host).Error
	}
}

// TestAllowingAName crosses what an entry is for: the name itself or the names
// below too, and a peer's other names by their roles.
func TestAllowingAName(t *testing.T) {
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		d := newDoors(t, net)
		top, below, handle, old, media := d.stranger("elm.test"), d.stranger("sub.elm.test"), d.stranger("elm.example.test"), d.stranger("elm.old.test"), d.stranger("cdn.elm.test")
		for _, x := range []*testnet.Stranger{below, handle, old, media} {
			d.oak.Admin().RemovePeer(x.Host)
		}
		all := []*testnet.Stranger{top, below, handle, old, media}
		check := func(when string, want ...*testnet.Stranger) {
			t.Helper()
			open := d.try(all...)
			for _, x := range all {
				d.want(when+", "+x.Host, open[x], slices.Contains(want, x))
			}
		}
		check("subhost of exact allow", top)
		d.decide(func(tx *store.Tx) error {
			_, err := peers.Allow(tx, 0, "elm.test", peers.Entry{Subtree: true})
			return err
		})
		check("subtree", top, below, media)
		d.decide(func(tx *store.Tx) error {
			_, err := peers.Allow(tx, 0, "elm.test", peers.Entry{})
			return err
		})
		role := func(host, role string, confirmed bool) {
			d.decide(func(tx *store.Tx) error {
				var at *time.Time
				if confirmed {
					at = &tx.Now
				}
				return tx.Exec("INSERT INTO peer_hosts (host, peer_id, role, seen_at, confirmed_at) SELECT ?, id, ?, ?, ? FROM peers WHERE host = 'elm.test'",
					host, role, tx.Now, at).Error
			})
		}
		role(handle.Host, "handle", false)
		check("a name that nobody has confirmed", top)
		d.decide(func(tx *store.Tx) error {
			return tx.Exec("UPDATE peer_hosts SET confirmed_at = seen_at WHERE host = ?", handle.Host).Error
		})
		check("a name of handles", top, handle)
		role(old.Host, "former", true)
		role(media.Host, "media", true)
		check("media host not listed as more, and a former name", top, handle)
		d.decide(func(tx *store.Tx) error { _, err := peers.Pause(tx, 0, "elm.test", peers.Ending{}); return err })
		check("paused with all its names")
		d.decide(func(tx *store.Tx) error { _, err := peers.Resume(tx, 0, "elm.test", peers.Ending{}); return err })
		check("resumed with all its names", top, handle)
	})
}

// TestNoDecisionIsCached makes random changes of the policy, half of them from
// another connection as another process would, and holds every door against a
// model of the policy that is written down here anew. CHALKRING_TEST_DOORS is
// the number of changes; a failure names the seed of its run.
func TestNoDecisionIsCached(t *testing.T) {
	changes := 24
	if n, err := strconv.Atoi(os.Getenv("CHALKRING_TEST_DOORS")); err == nil {
		changes = n
	}
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("CHALKRING_TEST_SEED"), 10, 64); err == nil {
		seed = n
	}
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		random := rand.New(rand.NewPCG(seed, 1))
		d := newDoors(t, net)
		var all []*testnet.Stranger
		for _, host := range []string{"elm.test", "a.elm.test", "fir.test"} {
			all = append(all, d.stranger(host))
		}
		beside, err := app.OpenDB(t.Context(), d.oak.Config(), slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer beside.Close(t.Context())
		m := model{entries: map[string]modelEntry{}}
		for _, x := range all {
			m.entries[x.Host] = modelEntry{standing: peers.Allowed}
		}
		names := []string{"elm.test", "a.elm.test", "fir.test"}
		var story []string
		for range changes {
			host := names[random.IntN(len(names))]
			change := modelChanges[random.IntN(len(modelChanges))]
			db := d.oak.DB()
			if random.IntN(2) == 0 {
				db = beside
			}
			err := db.Write(t.Context(), func(tx *store.Tx) error { return change.do(tx, host) })
			if err != nil && fault.Of(err).Kind == fault.Internal {
				t.Fatalf("%s %s: %v", change.name, host, err)
			}
			if err == nil {
				change.model(&m, host)
			}
			story = append(story, fmt.Sprintf("%s %s (%v)", change.name, host, err))
			open := d.try(all...)
			for _, x := range all {
				d.want(x.Host, open[x], m.admits(x.Host))
			}
			if t.Failed() {
				t.Fatalf("seed %d, after:\n%s", seed, strings.Join(story, "\n"))
			}
		}
	})
}

// model is the policy as the page on peering says it, in the plainest words.
type model struct {
	open    bool
	entries map[string]modelEntry
}

type modelEntry struct {
	standing peers.Standing
	subtree  bool
}

func (m model) admits(host string) bool {
	for name, e := range m.entries {
		if e.standing == peers.Blocked && (host == name || strings.HasSuffix(host, "."+name)) {
			return false
		}
	}
	if e, ok := m.entries[host]; ok {
		return e.standing == peers.Allowed
	}
	nearest := ""
	for name, e := range m.entries {
		if e.subtree && strings.HasSuffix(host, "."+name) && len(name) > len(nearest) {
			nearest = name
		}
	}
	if nearest != "" {
		return m.entries[nearest].standing == peers.Allowed
	}
	return m.open
}

func (m *model) set(host string, s peers.Standing) {
	e := m.entries[host]
	e.standing = s
	m.entries[host] = e
}

// modelChanges are the changes: what is done, and what it means if it was not
// refused.
var modelChanges = []struct {
	name  string
	do    func(tx *store.Tx, host string) error
	model func(m *model, host string)
}{
	{"allow", func(tx *store.Tx, host string) error { _, err := peers.Allow(tx, 0, host, peers.Entry{}); return err },
		func(m *model, host string) { m.entries[host] = modelEntry{standing: peers.Allowed} }},
	{"allow with the names below", func(tx *store.Tx, host string) error {
		_, err := peers.Allow(tx, 0, host, peers.Entry{Subtree: true})
		return err
	}, func(m *model, host string) { m.entries[host] = modelEntry{standing: peers.Allowed, subtree: true} }},
	{"block", func(tx *store.Tx, host string) error {
		_, err := community.BlockHost(tx, 0, host, peers.Entry{Reason: "A test"})
		return err
	}, func(m *model, host string) { m.entries[host] = modelEntry{standing: peers.Blocked} }},
	{"remove", func(tx *store.Tx, host string) error { return peers.Remove(tx, 0, host, "") },
		func(m *model, host string) { delete(m.entries, host) }},
	{"pause", func(tx *store.Tx, host string) error { _, err := peers.Pause(tx, 0, host, peers.Ending{}); return err },
		func(m *model, host string) { m.set(host, peers.Paused) }},
	{"resume", func(tx *store.Tx, host string) error { _, err := peers.Resume(tx, 0, host, peers.Ending{}); return err },
		func(m *model, host string) { m.set(host, peers.Allowed) }},
	{"open", func(tx *store.Tx, _ string) error {
		site, err := community.SiteOf(tx)
		if err != nil {
			return err
		}
		return peers.SetMode(tx, 0, peers.Open, site.Title())
	}, func(m *model, _ string) { m.open = true }},
	{"close", func(tx *store.Tx, _ string) error { return peers.SetMode(tx, 0, peers.Allowlist, "") },
		func(m *model, _ string) { m.open = false }},
}
