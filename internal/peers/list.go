package peers

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// Filter narrows List.
type Filter struct {
	State   State  // StateNone: all but blocked ones
	Blocked bool   // with StateNone: blocked ones too
	Due     bool   // with StateNone: only those whose review is due
	Preset  Preset // PresetNone: any
	Query   string // part of the host, the label or a note
	Sort    Sort
	After   string // the last host of the page before
	Limit   int    // 0: 50
}

// Sort is the order of a list of peers. With blocked ones nothing is exchanged,
// so that only SortName puts them in an order.
type Sort string

// The orders.
const (
	SortName     Sort = ""
	SortExchange Sort = "exchange" // the latest exchange first
	SortTrouble  Sort = "trouble"  // what fails first, then what is to be looked at
)

// Row is one line of the administrator's list.
type Row struct {
	Peer
	Known        Host  // the zero value if it was never talked to
	Waiting      int64 // messages for it that have not gone out
	Held         int64 // what it sent and a person has to look at
	Proposed     int   // names that wait for a person
	FailingSince *time.Time
	Error        string // why the last delivery failed
	CoveredBy    string // the blocked domain above that overrules this entry
}

// Admits reports whether the server is talked to.
func (r Row) Admits() bool { return r.Standing == Allowed && r.CoveredBy == "" }

// List returns the entries that match, with what is going on with each.
func List(tx *store.Tx, f Filter) ([]Row, error) {
	hosts, err := f.hosts(tx)
	if err != nil || len(hosts) == 0 {
		return nil, err
	}
	var entries []Peer
	if err := tx.Where("host IN ?", hosts).Find(&entries).Error; err != nil {
		return nil, err
	}
	place := make(map[string]int, len(hosts))
	for i, h := range hosts {
		place[h] = i
	}
	slices.SortFunc(entries, func(a, b Peer) int { return place[a.Host] - place[b.Host] })
	return rows(tx, entries)
}

// hosts lists the page of the filter by name. A page begins behind the place
// that its last host has now, whatever it had when the page before was read.
func (f Filter) hosts(tx *store.Tx) ([]string, error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	where, args := f.State.inState(tx.Now)
	switch {
	case f.State == StateNone && f.Due:
		where, args = reviewDue, []any{tx.Now, reviewable}
	case f.State == StateNone && f.Blocked:
		where, args = "TRUE", nil
	}
	if f.Preset != PresetNone {
		where, args = where+" AND p.standing <> 'blocked' AND p.preset = ?", append(args, f.Preset)
	}
	if cond, terms := f.search(tx); cond != "" {
		where, args = where+" AND "+cond, append(args, terms...)
	}
	// What an order other than by name is by, the greatest first.
	by, from, now := "0", "peers p", []any{}
	open := f.State != StateBlocked && !f.Blocked
	switch {
	case f.Sort == SortExchange && open:
		by = "COALESCE(CASE WHEN h.last_in_at IS NULL OR h.last_out_at > h.last_in_at THEN h.last_out_at ELSE h.last_in_at END, ?)"
		from, now = "peers p LEFT JOIN hosts h ON h.host = p.host", []any{time.Unix(0, 0).UTC()}
	case f.Sort == SortTrouble && open:
		by = `CASE WHEN p.standing = 'allowed' AND l.failing_since IS NOT NULL THEN 5 WHEN p.standing = 'allowed' AND h.met_at IS NULL AND h.meet_tries > 0 THEN 4
			WHEN p.their_view = 'refused' AND p.standing = 'allowed' THEN 3 WHEN p.review_on <= ? THEN 2 WHEN p.standing = 'expired' THEN 1 ELSE 0 END`
		from = "peers p LEFT JOIN hosts h ON h.host = p.host LEFT JOIN lanes l ON l.queue = 'deliveries' AND l.host = p.host"
		now = []any{tx.Now}
	}
	var after struct{ SortName string }
	behind, places := "", []any{}
	if f.After != "" {
		found := tx.Raw("SELECT sort_name FROM peers WHERE host = ?", f.After).Scan(&after)
		if found.Error != nil {
			return nil, found.Error
		}
		switch {
		case found.RowsAffected == 0: // it has gone: the list from its head
		case by == "0":
			behind, places = " AND (p.sort_name, p.host) > (?, ?)", []any{after.SortName, f.After}
		default:
			mark := "(SELECT " + by + " FROM " + from + " WHERE p.host = ?)"
			places = slices.Concat(now, now, []any{f.After}, now, now, []any{f.After, after.SortName, f.After})
			behind = " AND (" + by + " < " + mark + " OR " + by + " = " + mark + " AND (p.sort_name, p.host) > (?, ?))"
		}
	}
	order, last := "p.sort_name, p.host", []any{}
	if by != "0" {
		order, last = by+" DESC, "+order, now
	}
	var hosts []string
	err := tx.Raw("SELECT p.host FROM "+from+" WHERE "+where+behind+" ORDER BY "+order+" LIMIT ?",
		slices.Concat(args, places, last, []any{f.Limit})...).Scan(&hosts).Error
	return hosts, err
}

// literal is a text in a pattern of LIKE with ESCAPE '\', where it stands for itself.
func literal(s string) string {
	return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(s)
}

// containing is a pattern for what contains a text.
func containing(s string) string { return "%" + literal(s) + "%" }

// search is the condition for what somebody typed.
func (f Filter) search(tx *store.Tx) (where string, args []any) {
	typed := strings.TrimSpace(f.Query)
	if typed == "" {
		return "", nil
	}
	low := containing(strings.ToLower(typed))
	name := low
	if host, err := iri.NormaliseHost(typed, iri.IsDev(tx.Site.Host)); err == nil { // a pasted address, or a name with umlauts
		name = containing(host)
	}
	return `(p.host LIKE ? ESCAPE '\' OR p.sort_name LIKE ? ESCAPE '\' OR LOWER(p.note) LIKE ? ESCAPE '\' OR LOWER(p.public_note) LIKE ? ESCAPE '\')`,
		[]any{name, low, low, low}
}

// RowOf returns one entry as List shows it, or fault.NotFound.
func RowOf(tx *store.Tx, host string) (Row, error) {
	p, err := Get(tx, host)
	if err != nil {
		return Row{}, err
	}
	all, err := rows(tx, []Peer{p})
	if err != nil {
		return Row{}, err
	}
	return all[0], nil
}

// rows adds to the entries what is known and going on, with one query for each kind of thing.
func rows(tx *store.Tx, entries []Peer) ([]Row, error) {
	hosts := make([]string, len(entries))
	list := make([]Row, len(entries))
	at := make(map[string]*Row, len(entries))
	var above []string
	for i, p := range entries {
		hosts[i], list[i].Peer = p.Host, p
		at[p.Host] = &list[i]
		above = append(above, withParents(p.Host)[1:]...)
	}
	if len(hosts) == 0 {
		return list, nil
	}
	known, err := HostsByName(tx, hosts)
	if err != nil {
		return nil, err
	}
	blocks := map[string]Standing{}
	for part := range chunks(above, 400) {
		if err := standings(tx, part, blocks); err != nil {
			return nil, err
		}
	}
	for i := range list {
		list[i].Known = known[list[i].Host]
		for _, h := range withParents(list[i].Host)[1:] {
			if blocks[h] == Blocked {
				list[i].CoveredBy = h
			}
		}
	}
	for _, c := range []struct {
		sql string
		set func(*Row, int64)
	}{
		{"SELECT host, COUNT(*) AS n FROM deliveries WHERE host IN ? AND state = 'waiting' GROUP BY host", func(r *Row, n int64) { r.Waiting = n }},
		{"SELECT peer AS host, COUNT(*) AS n FROM held_items WHERE peer IN ? AND decision = '' AND kind <> 'boost' GROUP BY peer", func(r *Row, n int64) { r.Held = n }},
	} {
		var counts []struct {
			Host string
			N    int64
		}
		if err := tx.Raw(c.sql, hosts).Scan(&counts).Error; err != nil {
			return nil, err
		}
		for _, n := range counts {
			c.set(at[n.Host], n.N)
		}
	}
	ids := make([]int64, len(entries))
	for i, p := range entries {
		ids[i] = p.ID
	}
	proposed, err := ProposedAt(tx, ids)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].Proposed = proposed[list[i].ID]
	}
	var lanes []struct {
		Host         string
		FailingSince *time.Time
		Error        string
	}
	err = tx.Raw("SELECT host, failing_since, error FROM lanes WHERE queue = 'deliveries' AND host IN ?", hosts).Scan(&lanes).Error
	for _, l := range lanes {
		at[l.Host].FailingSince, at[l.Host].Error = l.FailingSince, l.Error
	}
	return list, err
}

// Tally is how many peers are in a state, with a preset and up to a ceiling.
type Tally struct {
	State   State
	Preset  Preset
	Ceiling Ceiling
	N       int
}

// Tallies counts all entries, in one look at an index.
func Tallies(tx *store.Tx) ([]Tally, error) {
	var rows []struct {
		Standing  Standing
		Preset    Preset
		TheirView View
		Ceiling   Ceiling
		Ended     bool
		N         int
	}
	err := tx.Raw(`SELECT standing, preset, their_view, ceiling, (expires_at IS NOT NULL AND expires_at <= ?) AS ended, COUNT(*) AS n
		FROM peers GROUP BY standing, preset, their_view, ceiling, 5`, tx.Now).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	sums := map[Tally]int{}
	for _, r := range rows {
		p := Peer{Standing: r.Standing, TheirView: r.TheirView, Policy: Policy{Preset: r.Preset}}
		if r.Ended {
			p.ExpiresAt = &tx.Now
		}
		sums[Tally{State: p.State(tx.Now), Preset: r.Preset, Ceiling: r.Ceiling}] += r.N
	}
	all := make([]Tally, 0, len(sums))
	for t, n := range sums {
		t.N = n
		all = append(all, t)
	}
	return all, nil
}

// CountAllowed returns how many servers are connected: allowed, and covered by
// no block.
func CountAllowed(tx *store.Tx) (int, error) {
	var n int
	err := tx.Raw(`SELECT COUNT(*) FROM peers LEFT JOIN hosts ON hosts.host = peers.host
		WHERE peers.standing = 'allowed' AND (hosts.host IS NULL OR NOT hosts.blocked)`).Scan(&n).Error
	return n, err
}

// Connections returns the entries that members may read about, by name: what is
// connected, paused, or was connected until not long ago. What is blocked is
// not among them.
func Connections(tx *store.Tx, after string, most int) ([]Peer, error) {
	var list []Peer
	err := tx.Where("standing IN ? OR standing = ? AND keep_until IS NOT NULL", []Standing{Allowed, Paused, Expired}, Retired).
		Where("host > ?", after).
		Where("NOT EXISTS (SELECT 1 FROM hosts WHERE hosts.host = peers.host AND hosts.blocked)").
		Order("host").Limit(most).Find(&list).Error
	return list, err
}

// Limited reports whether a server is talked to and something of it is held
// back: what other software has among its blocks, too.
func (p Peer) Limited() bool {
	return p.Standing == Allowed && (p.Silenced || p.Media == MediaStrip || p.ReportsIn == ReportsRefuse)
}

// limited is Limited in SQL, as the index has it.
const limited = "peers.standing = 'allowed' AND (peers.silenced OR peers.media = 'strip' OR peers.reports_in = 'refuse')"

// Limits returns a page of the entries that are blocked or limited, the newest first.
func Limits(tx *store.Tx, page store.Page) ([]Peer, error) {
	blocked, err := Entries(tx, Blocked, page)
	if err != nil {
		return nil, err
	}
	all, err := store.FindOn[Peer](tx.Model(&Peer{}).Where(limited), page, "peers.id")
	if err != nil {
		return nil, err
	}
	all = append(all, blocked...)
	slices.SortFunc(all, func(a, b Peer) int { return cmp.Compare(b.ID, a.ID) })
	if over := len(all) - page.Size(); over > 0 && page.MinID > 0 { // the nearest above
		all = all[over:]
	} else if over > 0 {
		all = all[:page.Size()]
	}
	return all, nil
}

// LimitByID returns the blocked or limited entry of that number, or fault.NotFound.
func LimitByID(tx *store.Tx, id int64) (Peer, error) {
	var p Peer
	err := tx.Where("id = ? AND (standing = 'blocked' OR "+limited+")", id).Take(&p).Error
	return p, err
}
