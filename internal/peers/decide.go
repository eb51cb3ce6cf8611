package peers

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// Role is as what a peer is met under a name.
type Role string

// The roles. Under its main name, its actors' and its handles' a peer is talked
// to; from a media host only files of its posts are fetched; under a former
// name it is heard about things that go.
const (
	RoleNone   Role = ""
	RoleMain   Role = "main"
	RoleActor  Role = "actor"
	RoleHandle Role = "handle"
	RoleMedia  Role = "media"
	RoleFormer Role = "former"
)

// Talks reports whether a peer is talked to under a name of this role.
func (r Role) Talks() bool { return r == RoleMain || r == RoleActor || r == RoleHandle }

// Decision is what holds for a server at this moment. It is the answer to every
// door's question and is kept nowhere.
type Decision struct {
	Admitted bool     // whether anything passes, either way
	Former   bool     // not admitted, but heard about its own things that go: see Standing.Former
	Standing Standing // Unknown without an entry
	Role     Role     // as what it is known: RoleNone without an entry
	Peer     string   // the main name of its peer; "" without an entry
	PeerID   int64
	Holding  bool // something of the peer waits to be looked at, whatever the policy says now
	Policy        // the zero value unless Admitted; Ceiling is CeilingNone then

	filesOf []int64 // peers whose files are there: see GivesFilesOf
}

// GivesFilesOf reports whether files of a peer's posts may be fetched from the
// server, whatever else it is: several peers may have theirs in one place.
func (d Decision) GivesFilesOf(peer int64) bool { return slices.Contains(d.filesOf, peer) }

// Takes reports whether messages of a class are taken from the server.
func (d Decision) Takes(c Class) bool { return d.Admitted && d.Inbound.Has(c) }

// Sends reports whether messages of a class are sent to the server.
func (d Decision) Sends(c Class) bool { return d.Admitted && d.Outbound.Has(c) }

// Narrow reports whether what the server sends has to be looked at more closely
// than that the server is admitted: some of it is refused, limited or held.
func (d Decision) Narrow() bool {
	return d.Inbound != AllClasses || d.HoldsAny() || d.Holding || d.PerDay > 0 || d.ReportsIn == ReportsRefuse
}

// MayJoin and MayModerate report whether the people of the server may be members
// and moderators of groups here.
func (d Decision) MayJoin() bool     { return d.Takes(ClassGroups) && d.Rights.Has(RightJoin) }
func (d Decision) MayModerate() bool { return d.MayJoin() && d.Rights.Has(RightModerate) }

// Decide says what holds for each of the hosts, in the form of iri.HostOf. What
// is no host of another server (this server's own name, an IP address, a name
// without a dot) is missing from the answer, and so never admitted.
//
// What decides about a host: a block of it or of a domain above it; or else the
// entry whose name it is; or else that of the nearest domain above that holds
// for the names below; or else the mode.
func Decide(tx *store.Tx, hosts []string) (map[string]Decision, error) { return DecideWith(tx, hosts) }

// DecideWith is Decide together with other questions, which cost no round of
// their own.
func DecideWith(tx *store.Tx, hosts []string, others ...store.Question) (map[string]Decision, error) {
	dev := iri.IsDev(tx.Site.Host)
	var names []string // of the hosts and everything above them, each once
	named := map[string]bool{}
	decided := make(map[string]Decision, len(hosts))
	for _, host := range hosts {
		if _, asked := decided[host]; asked {
			continue
		}
		if h, err := iri.NormaliseHost(host, dev); err != nil || h != host || h == tx.Site.Host {
			continue
		}
		decided[host] = Decision{}
		for _, name := range withParents(host) {
			if !named[name] {
				named[name] = true
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		if len(others) == 0 {
			return decided, nil
		}
		return decided, tx.Ask(others...)
	}
	r := record{mode: Allowlist, rows: make(map[string][]row, len(names))} // no site yet: closed
	if known := remembered(tx, names); known != nil {
		version, err := versionWith(tx, others)
		if err != nil {
			return nil, err
		}
		if others = nil; version == known.version {
			return known.decide(tx, decided), nil
		}
	}
	for part := range chunks(names, 400) {
		if err := tx.Ask(append(slices.Clip(others), r.of(tx, part))...); err != nil {
			return nil, err
		}
		others = nil
	}
	r.decide(tx, decided)
	if !r.mixed {
		for host, d := range decided {
			r.remember(tx, host, d)
		}
	}
	return decided, nil
}

// versionWith asks for the version of all that is on record together with other
// questions: on PostgreSQL, where each costs more than its answer, in a column of
// the first.
func versionWith(tx *store.Tx, others []store.Question) (version int64, err error) {
	const sql = "SELECT policy_version FROM site WHERE id = 1"
	alone := store.Question{SQL: sql, Row: func(r *store.Row) { version = r.Int() + 1 }}
	if tx.Dialect() != store.Postgres || len(others) == 0 {
		err = tx.Ask(append(slices.Clip(others), alone)...)
		return version, err
	}
	others = slices.Clone(others)
	first := others[0]
	others[0].SQL = "SELECT (" + sql + "), other.* FROM (" + first.SQL + ") other"
	others[0].Row = func(r *store.Row) {
		if version = r.Int() + 1; first.Row != nil {
			first.Row(r)
		}
	}
	if err = tx.Ask(others...); err == nil && version == 0 { // it had no answer
		err = tx.Ask(alone)
	}
	return version, err
}

// record is what is on record for names.
type record struct {
	version int64 // of all that is on record: every change moves it on; 0: not asked yet
	mixed   bool  // there are rows of more than one
	mode    Mode
	rows    map[string][]row
}

// row is what is on record for a name: a peer, and as what it is met there. Its
// Standing is as it was written down.
type row struct {
	entry
	until *time.Time
}

// entry is what holds for a name now.
type entry struct {
	Decision
	subtree bool
}

// of asks for the mode and the rows of names in one question: every message that
// comes or goes asks it.
func (rec *record) of(tx *store.Tx, names []string) store.Question {
	return store.Question{
		SQL: `SELECT site.policy_version, site.mode, COALESCE(h.host, ''), COALESCE(h.role, ''), COALESCE(p.id, 0), COALESCE(p.host, ''), COALESCE(p.standing, ''),
				COALESCE(p.subtree, FALSE), p.expires_at, COALESCE(p.preset, ''), COALESCE(p.ceiling, ''), COALESCE(p.inbound, 0), COALESCE(p.outbound, 0),
				COALESCE(p.hold, ''), COALESCE(p.silenced, FALSE), COALESCE(p.media, ''), COALESCE(p.rights, 0), COALESCE(p.reports_in, ''),
				COALESCE(p.reports_out, ''), COALESCE(p.search, ''), COALESCE(p.retention, 0), COALESCE(p.per_minute, 0), COALESCE(p.per_day, 0),
				COALESCE(p.max_bytes, 0), COALESCE(p.backfill, 0), COALESCE(p.holding, FALSE)
			FROM site LEFT JOIN peer_hosts h ON h.host IN ? AND h.confirmed_at IS NOT NULL LEFT JOIN peers p ON p.id = h.peer_id WHERE site.id = 1`,
		Args: []any{names},
		Row: func(r *store.Row) {
			version := r.Int() + 1
			rec.mixed = rec.mixed || rec.version != 0 && rec.version != version
			rec.version, rec.mode = version, Mode(r.Text())
			name := r.Text()
			if name == "" {
				return
			}
			var e row
			e.Role, e.PeerID, e.Peer, e.Standing, e.subtree, e.until = Role(r.Text()), r.Int(), r.Text(), Standing(r.Text()), r.Bool(), r.TimePtr()
			e.Policy = Policy{Preset: Preset(r.Text()), Ceiling: Ceiling(r.Text()), Inbound: Classes(r.Int()), Outbound: Classes(r.Int()),
				Hold: Hold(r.Text()), Silenced: r.Bool(), Media: MediaPolicy(r.Text()), Rights: Rights(r.Int()), ReportsIn: ReportsIn(r.Text()),
				ReportsOut: ReportsOut(r.Text()), Search: SearchBy(r.Text()), Retention: r.Int(), PerMinute: r.Int(), PerDay: r.Int(),
				MaxBytes: r.Int(), Backfill: r.Int()}
			e.Holding = r.Bool()
			rec.rows[name] = append(rec.rows[name], e)
		},
	}
}

// keptRows are the rows of a name, with the version they were of.
type keptRows struct {
	version int64
	mode    Mode
	rows    []row
}

func rowsKey(name string) store.Key { return store.Key{Table: "peer_hosts", Text: name} }

// remembered returns what is remembered of all of the names, if it is of one
// version; nil else. It is the policy only where it has that version still.
func remembered(tx *store.Tx, names []string) *record {
	var r *record
	for _, name := range names {
		k, ok := tx.RecallProved(rowsKey(name)).(*keptRows)
		switch {
		case !ok || r != nil && r.version != k.version:
			return nil
		case r == nil:
			r = &record{version: k.version, mode: k.mode, rows: make(map[string][]row, len(names))}
		}
		if len(k.rows) > 0 {
			r.rows[name] = k.rows
		}
	}
	return r
}

// remember keeps what is on record for a host and what is above it, if it is
// known or admitted: strangers may have any name.
func (rec *record) remember(tx *store.Tx, host string, d Decision) {
	if len(rec.rows[host]) == 0 && !d.Admitted {
		return
	}
	names := withParents(host)
	for _, name := range names {
		rows := rec.rows[name]
		tx.RememberProved(rowsKey(name), &keptRows{rec.version, rec.mode, rows}, 100+len(name)+400*len(rows))
	}
}

// decide decides about hosts, whose decisions it puts in.
func (rec *record) decide(tx *store.Tx, decided map[string]Decision) map[string]Decision {
	entries := make(map[string]entry, len(rec.rows))
	for name, rows := range rec.rows {
		entries[name] = rec.entry(tx, rows)
	}
	for host := range decided {
		decided[host] = decide(rec.mode, host, entries)
	}
	return decided
}

// entry is what holds of all rows of a name now.
func (rec *record) entry(tx *store.Tx, rows []row) (holds entry) {
	var files []int64
	for i, r := range rows {
		e := r.entry
		if r.until != nil && e.Standing == Allowed && !tx.Now.Before(*r.until) {
			e.Standing = Expired // also before anybody has written it down
		}
		if e.Role == RoleMedia && rec.mode.Admits(e.Standing) {
			files = append(files, e.PeerID)
		}
		if i == 0 || e.outranks(holds) {
			holds = e
		}
	}
	holds.filesOf = files
	return holds
}

// outranks decides between two peers that have a name in common, as a server
// may be the place of others' pictures, or have had its own entry since it was
// given to another as a name: a block counts first, then its own entry.
func (e entry) outranks(had entry) bool {
	rank := func(e entry) int {
		switch {
		case e.Role == RoleMedia:
			return 0
		case e.Standing == Blocked:
			return 4
		case e.Role == RoleMain:
			return 3
		case e.Role.Talks():
			return 2
		}
		return 1 // a former name
	}
	if rank(e) != rank(had) {
		return rank(e) > rank(had)
	}
	return e.Standing == Allowed && had.Standing != Allowed
}

func decide(mode Mode, host string, entries map[string]entry) Decision {
	names := withParents(host)
	for _, name := range names {
		if e := entries[name]; e.Standing == Blocked && e.Role != RoleMedia {
			return Decision{Standing: Blocked, Role: e.Role, Peer: e.Peer, PeerID: e.PeerID, Policy: Policy{Ceiling: CeilingNone}}
		}
	}
	for i, name := range names {
		e, known := entries[name]
		if !known || i > 0 && !(e.subtree && e.Role == RoleMain) {
			continue
		}
		d := e.Decision
		d.Admitted = mode.Admits(d.Standing) && d.Role.Talks()
		if i > 0 {
			d.filesOf = nil // they are at the name above
		}
		d.Former = !d.Admitted && d.Standing.Former() || d.Role == RoleFormer && mode.Admits(d.Standing)
		if !d.Admitted {
			d.Policy = Policy{Ceiling: CeilingNone}
		}
		return d
	}
	d := Decision{Admitted: mode.Admits(Unknown), Policy: Policy{Ceiling: CeilingNone}}
	if d.Former = !d.Admitted; d.Admitted {
		d.Policy = FullPolicy(CeilingPublic)
	}
	return d
}

// DecideOne is Decide for one host. What is no host of another server gets the
// zero value, which admits nothing.
func DecideOne(tx *store.Tx, host string) (Decision, error) {
	decided, err := Decide(tx, []string{host})
	if d, ok := decided[host]; ok {
		return d, err
	}
	return Decision{Policy: Policy{Ceiling: CeilingNone}}, err
}

// Check fails unless host, in the form of iri.HostOf, may be talked to now.
func Check(tx *store.Tx, host string) error {
	d, err := DecideOne(tx, host)
	if err != nil {
		return err
	}
	if !d.Admitted {
		return NotAdmitted(host)
	}
	return nil
}

// NotAdmitted is what Check says of a host that is not admitted.
func NotAdmitted(host string) error {
	return fault.Keyed(fault.Forbidden, "peers.not_admitted",
		fmt.Sprintf("This server does not exchange anything with %s.", host), map[string]any{"Host": host})
}

// Refused reports whether err says that the policy does not admit a server.
func Refused(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Key == "peers.not_admitted"
}

// Admitted is Check for many hosts at once. Hosts that are not admitted are
// missing from the answer.
func Admitted(tx *store.Tx, hosts []string) (map[string]bool, error) {
	decided, err := Decide(tx, hosts)
	if err != nil {
		return nil, err
	}
	admitted := make(map[string]bool, len(decided))
	for host, d := range decided {
		if d.Admitted {
			admitted[host] = true
		}
	}
	return admitted, nil
}

// StandingOf returns what was decided about a host, by its own entry or by one
// that covers it.
func StandingOf(tx *store.Tx, host string) (Standing, error) {
	d, err := DecideOne(tx, host)
	return d.Standing, err
}

// CeilingOf returns how much is entrusted to a host. A server without an entry
// (which only an open server talks to) gets what is public.
func CeilingOf(tx *store.Tx, host string) (Ceiling, error) {
	d, err := DecideOne(tx, host)
	return d.Ceiling, err
}

// dueIn is a moment some time from now, as a column holds it.
func dueIn(tx *store.Tx, d time.Duration) *time.Time {
	at := tx.Now.Add(d)
	return &at
}
