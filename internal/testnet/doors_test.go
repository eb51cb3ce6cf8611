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
	d.connect(x)
	return x
}

// asker is stranger for one that can ask to connect.
func (d *doors) asker(host string) *asker {
	d.t.Helper()
	x := newAsker(d.net, host)
	d.connect(x.Stranger)
	return x
}

func (d *doors) connect(x *testnet.Stranger) {
	d.t.Helper()
	host := x.Host
	d.oak.Admin().Allow(host)
	d.net.Settle()
	if status, body := x.Send(d.oak, x.Follows("pat", d.amira.Account.IRI(d.oak.DB().Site()))); status != 202 {
		d.t.Fatalf("%s follows: %d %s", host, status, body)
	}
	d.net.Settle()
	if len(x.Taken("Accept")) == 0 {
		d.t.Fatalf("%s: the follow was not accepted", host)
	}
}

// The doors, in the order of the page on peering.
const (
	doorIn    = "1: what they deliver"
	doorHeld  = "1: what they deliver, which waits to be looked at"
	doorOut   = "2: what is delivered to them"
	doorFetch = "3: what is fetched of theirs"
	doorRead  = "4: what they fetch"
)

// allDoors are the four of them, or none.
func allDoors(open bool) []string {
	if !open {
		return nil
	}
	return []string{doorIn, doorOut, doorFetch, doorRead}
}

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
		note(x, doorHeld, d.waits(came))
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

// waits reports whether a post with these words waits for somebody here.
func (d *doors) waits(words string) bool {
	d.t.Helper()
	var n int
	err := d.oak.DB().Read(d.t.Context(), func(tx *store.Tx) error {
		return tx.Raw("SELECT COUNT(*) FROM held_items WHERE decision = '' AND said LIKE ?", "%"+words+"%").Scan(&n).Error
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return n > 0
}

// want holds what is open against what should be.
func (d *doors) want(when string, open []string, want ...string) {
	d.t.Helper()
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
// server can be in, each after the doors were seen to be open. A state is first
// seen to be the one that is meant, as pages tell it.
func TestFourDoorsInEveryState(t *testing.T) {
	ending := peers.Ending{Reason: "A test of the doors"}
	long, soon := -time.Hour, time.Hour
	all := allDoors(true)
	write := func(deed func(tx *store.Tx, host string) error) func(*doors, *asker) {
		return func(d *doors, x *asker) {
			d.decide(func(tx *store.Tx) error { return deed(tx, x.Host) })
		}
	}
	unlist := func(tx *store.Tx, host string) error { return peers.Remove(tx, 0, host, "") }
	states := []struct {
		name  string
		into  func(d *doors, x *asker)
		state peers.State
		open  []string
	}{
		{"active", func(*doors, *asker) {}, peers.StateActive, all},
		{"one-sided, not known", viewed(peers.ViewUnknown), peers.StateOneSided, all},
		{"one-sided, asked", viewed(peers.ViewPending), peers.StateOneSided, all},
		{"one-sided, refused", viewed(peers.ViewRefused), peers.StateOneSided, all},
		{"trial", write(trial), peers.StateTrial, []string{doorHeld, doorOut, doorFetch, doorRead}},
		{"trial that is over", write(func(tx *store.Tx, host string) error {
			if err := trial(tx, host); err != nil {
				return err
			}
			return expiring(long)(tx, host)
		}), peers.StateExpired, nil},
		{"unknown", write(unlist), peers.StateNone, nil},
		{"requested, they ask", func(d *doors, x *asker) {
			write(unlist)(d, x)
			if status, body := x.Send(d.oak, x.offer(d.oak)); status != 202 {
				d.t.Errorf("%s asks: %d %s", x.Host, status, body)
			}
			gate{d.t, d.oak}.wantState(peers.In, x.Host, peers.RequestWaiting)
		}, peers.StateNone, nil},
		{"requested, we ask", func(d *doors, x *asker) {
			write(unlist)(d, x)
			gate{d.t, d.oak}.asks(x.Host)
			d.net.Settle()
			if len(x.Taken("Offer")) != 1 {
				d.t.Errorf("%s was not asked", x.Host)
			}
			gate{d.t, d.oak}.wantState(peers.Out, x.Host, peers.RequestWaiting)
		}, peers.StateNone, nil},
		{"requested, and refused", func(d *doors, x *asker) {
			write(unlist)(d, x)
			x.Send(d.oak, x.offer(d.oak))
			g := gate{d.t, d.oak}
			asked := g.with(peers.In, x.Host)
			d.decide(func(tx *store.Tx) error { _, err := peers.Reject(tx, 0, asked.ID, "Not now"); return err })
			g.wantState(peers.In, x.Host, peers.RequestRejected)
		}, peers.StateNone, nil},
		{"paused", write(func(tx *store.Tx, host string) error { _, err := peers.Pause(tx, 0, host, ending); return err }), peers.StatePaused, nil},
		{"retired", write(func(tx *store.Tx, host string) error { _, err := peers.Retire(tx, 0, host, ending); return err }), peers.StateRetired, nil},
		{"retired, and they ask again", func(d *doors, x *asker) {
			write(func(tx *store.Tx, host string) error { _, err := peers.Retire(tx, 0, host, ending); return err })(d, x)
			d.net.Settle()
			if status, body := x.Send(d.oak, x.offer(d.oak)); status != 202 {
				d.t.Errorf("%s asks again: %d %s", x.Host, status, body)
			}
			gate{d.t, d.oak}.wantState(peers.In, x.Host, peers.RequestWaiting)
		}, peers.StateRetired, nil},
		{"to be purged", write(func(tx *store.Tx, host string) error { _, err := peers.Purge(tx, 0, host, ending); return err }), peers.StateRetired, nil},
		{"denied", write(func(tx *store.Tx, host string) error {
			_, err := peers.Block(tx, 0, host, peers.Entry{Reason: ending.Reason})
			return err
		}), peers.StateBlocked, nil},
		{"denied above", write(func(tx *store.Tx, host string) error {
			_, above, _ := strings.Cut(host, ".")
			_, err := peers.Block(tx, 0, above, peers.Entry{Reason: ending.Reason})
			return err
		}), peers.StateActive, nil}, // its own entry stays
		{"expired", write(expiring(long)), peers.StateExpired, nil},
		{"expired, and written down", write(func(tx *store.Tx, host string) error {
			if err := expiring(long)(tx, host); err != nil {
				return err
			}
			_, err := peers.Expire(tx, 100)
			return err
		}), peers.StateExpired, nil},
		{"expiring", write(expiring(soon)), peers.StateActive, all},
	}
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		d := newDoors(t, net)
		d.oak.Person("head", community.Owner) // who is told of requests
		var askers []*asker
		var strangers []*testnet.Stranger
		for i := range states {
			x := d.asker(fmt.Sprintf("elm.s%d.test", i))
			askers, strangers = append(askers, x), append(strangers, x.Stranger)
		}
		before := d.try(strangers...)
		for i, s := range states {
			d.want(s.name+", before", before[strangers[i]], all...)
			s.into(d, askers[i])
			d.wantState(s.name, askers[i].Host, s.state)
		}
		after := d.try(strangers...)
		for i, s := range states {
			d.want(s.name, after[strangers[i]], s.open...)
		}
	})
}

// wantState holds what pages say of how it stands with a server.
func (d *doors) wantState(when, host string, want peers.State) {
	d.t.Helper()
	d.decide(func(tx *store.Tx) error {
		p, err := peers.Get(tx, host)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if got := p.State(tx.Now); got != want {
			d.t.Errorf("%s: the state is %q, want %q", when, got, want)
		}
		return nil
	})
}

// viewed has a server think of us as it does: what it decided about us is its
// own affair, and ours stays as it is.
func viewed(v peers.View) func(*doors, *asker) {
	return func(d *doors, x *asker) {
		d.decide(func(tx *store.Tx) error {
			return tx.Exec("UPDATE peers SET their_view = ? WHERE host = ?", v, x.Host).Error
		})
	}
}

func trial(tx *store.Tx, host string) error {
	policy := peers.PresetTrial.Policy()
	_, err := peers.Allow(tx, 0, host, peers.Entry{Policy: &policy})
	return err
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
				d.want(when+", "+x.Host, open[x], allDoors(slices.Contains(want, x))...)
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
	changes, seed := randomly(t)
	testnet.Each(t, func(t *testing.T, net *testnet.Net) {
		random := rand.New(rand.NewPCG(seed, 1))
		d := newDoors(t, net)
		var all []*testnet.Stranger
		for _, host := range []string{"elm.test", "a.elm.test", "fir.test", otherName} {
			all = append(all, d.stranger(host))
		}
		beside, err := app.OpenDB(t.Context(), d.oak.Config(), slog.New(slog.DiscardHandler), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer beside.Close(t.Context())
		m := model{entries: map[string]modelEntry{}, names: map[string]modelName{}}
		for _, x := range all {
			m.entries[x.Host] = modelEntry{standing: peers.Allowed}
		}
		names := []string{"elm.test", "a.elm.test", "fir.test", otherName}
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
				d.want(x.Host, open[x], allDoors(m.admits(x.Host))...)
			}
			if t.Failed() {
				t.Fatalf("seed %d, after:\n%s", seed, strings.Join(story, "\n"))
			}
		}
	})
}

// randomly is how many random changes a test makes, and from which seed.
func randomly(t *testing.T) (changes int, seed uint64) {
	t.Helper()
	changes, seed = 24, uint64(time.Now().UnixNano())
	if n, err := strconv.Atoi(os.Getenv("CHALKRING_TEST_DOORS")); err == nil {
		changes = n
	}
	if n, err := strconv.ParseUint(os.Getenv("CHALKRING_TEST_SEED"), 10, 64); err == nil {
		seed = n
	}
	return changes, seed
}

// model is the policy as the page on peering says it, in the plainest words.
type model struct {
	open    bool
	entries map[string]modelEntry
	names   map[string]modelName // what otherName is to a peer
}

type modelEntry struct {
	standing peers.Standing
	subtree  bool
	over     bool // its time has passed
}

func (e modelEntry) admits() bool { return e.standing == peers.Allowed && !e.over }

// otherName is a server that may be a name of others, besides having an entry.
const otherName = "shared.test"

type modelName struct {
	role      peers.Role
	confirmed bool
}

func (m model) admits(host string) bool {
	for name, e := range m.entries {
		if e.standing == peers.Blocked && (host == name || strings.HasSuffix(host, "."+name)) {
			return false
		}
	}
	talks, only := "", false
	for peer, n := range m.names {
		switch {
		case host != otherName || !n.confirmed:
		case n.role == peers.RoleMedia:
			only = true
		case m.entries[peer].standing == peers.Blocked:
			return false
		case n.role == peers.RoleFormer:
			only = true
		default:
			talks = peer
		}
	}
	if e, ok := m.entries[host]; ok {
		return e.admits()
	}
	if talks != "" {
		return m.entries[talks].admits()
	}
	if only { // not a stranger, and nobody to talk to
		return false
	}
	nearest := ""
	for name, e := range m.entries {
		if e.subtree && strings.HasSuffix(host, "."+name) && len(name) > len(nearest) {
			nearest = name
		}
	}
	if nearest != "" {
		return m.entries[nearest].admits()
	}
	return m.open
}

func (m *model) set(host string, s peers.Standing) {
	e := m.entries[host]
	e.standing = s
	m.entries[host] = e
}

func naming(role peers.Role) func(tx *store.Tx, host string) error {
	return func(tx *store.Tx, host string) error { return peers.AddName(tx, 0, host, otherName, role) }
}

func named(role peers.Role) func(m *model, host string) {
	return func(m *model, host string) { m.names[host] = modelName{role, true} }
}

// timePassing lets the time pass for which an entry is.
func timePassing(tx *store.Tx, host string) error {
	if _, err := peers.Get(tx, host); err != nil {
		return err
	}
	return expiring(-time.Second)(tx, host)
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
		func(m *model, host string) {
			delete(m.entries, host)
			delete(m.names, host)
		}},
	{"retire", func(tx *store.Tx, host string) error {
		_, err := peers.Retire(tx, 0, host, peers.Ending{Reason: "A test"})
		return err
	}, func(m *model, host string) { m.set(host, peers.Retired) }},
	{"let its time pass", timePassing, func(m *model, host string) {
		e := m.entries[host]
		e.over = true
		m.entries[host] = e
	}},
	{"make another name its handles'", naming(peers.RoleHandle), named(peers.RoleHandle)},
	{"make another name its actors'", naming(peers.RoleActor), named(peers.RoleActor)},
	{"make another name its pictures'", naming(peers.RoleMedia), named(peers.RoleMedia)},
	{"make another name a former one", naming(peers.RoleFormer), named(peers.RoleFormer)},
	{"take the other name away", func(tx *store.Tx, host string) error { return peers.RemoveName(tx, 0, host, otherName) },
		func(m *model, host string) { m.names[host] = modelName{m.names[host].role, false} }},
	{"propose another name", func(tx *store.Tx, host string) error {
		p, err := peers.Get(tx, host)
		if err != nil {
			return err
		}
		return peers.Propose(tx, p.ID, otherName, peers.RoleHandle)
	}, func(*model, string) {}}, // which has no effect
	{"pause", func(tx *store.Tx, host string) error { _, err := peers.Pause(tx, 0, host, peers.Ending{}); return err },
		func(m *model, host string) { m.set(host, peers.Paused) }},
	{"resume", func(tx *store.Tx, host string) error { _, err := peers.Resume(tx, 0, host, peers.Ending{}); return err },
		func(m *model, host string) {
			e := m.entries[host]
			e.over = false
			m.entries[host] = e
			m.set(host, peers.Allowed)
		}},
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
