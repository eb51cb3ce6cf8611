package peers

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// DryRun says what would become of each entry of a list, in the order of their
// lines. It costs a few questions, however long the list is.
func DryRun(tx *store.Tx, f ListFile) ([]ImportEntry, error) {
	have, err := have(tx)
	if err != nil {
		return nil, err
	}
	dev := iri.IsDev(tx.Site.Host)
	at := make(map[string]int, len(f.Entries)) // of the first line that names a host
	denied := map[string]int{}
	out := make([]ImportEntry, 0, len(f.Entries)+len(f.Faults))
	for _, l := range f.Entries {
		e := ImportEntry{Line: int64(l.Line), Host: l.Host, Deed: deedOf(l), Pile: PileRefused}
		host, wide, why := nameIn(l, dev, tx.Site.Host)
		if e.Why = why; why != "" {
			e.Host = clipped(l.Host, 100)
			out = append(out, e)
			continue
		}
		if wide {
			l.Match = MatchSubtree
		}
		e.Host = host
		e.keep(l)
		if l.Over != 0 {
			e.Pile, e.Why, e.About = PileThere, "import.overtaken", strconv.Itoa(l.Over)
			out = append(out, e)
			continue
		}
		if first, twice := at[host]; twice {
			// The stricter of two lines counts: what is refused anywhere is not connected with.
			had := &out[first]
			e.Pile, e.About = PileThere, strconv.FormatInt(had.Line, 10)
			switch {
			case rank(e.Deed) > rank(had.Deed):
				e.Pile, e.About, e.Why = had.Pile, had.About, had.Why // judged below
				had.Pile, had.Why, had.About = PileRefused, "import.contradicted", strconv.FormatInt(e.Line, 10)
				at[host] = len(out)
			case rank(e.Deed) < rank(had.Deed):
				e.Pile, e.Why = PileRefused, "import.contradicted"
			default:
				e.Why = "import.twice"
			}
		} else {
			at[host] = len(out)
		}
		if l.Deny {
			denied[host] = l.Line
		}
		out = append(out, e)
	}
	for i := range out {
		e := &out[i]
		if first, ok := at[e.Host]; !ok || first != i {
			continue
		}
		have.judge(e, denied)
	}
	for _, fault := range f.Faults {
		out = append(out, ImportEntry{Line: int64(fault.Line), Host: fault.Text, Pile: PileRefused, Why: fault.Key})
	}
	slices.SortStableFunc(out, func(a, b ImportEntry) int { return cmp.Compare(a.Line, b.Line) })
	return out, nil
}

func deedOf(l ListEntry) Deed {
	switch {
	case l.Notice != "":
		return DeedNone
	case l.Deny, l.Emergency: // an emergency stops what there is, and lets nobody in
		return DeedDeny
	case l.Severity == SeveritySilence, l.Severity == SeverityNoop, l.RejectMedia, l.RejectReports, l.Refuse != 0:
		return DeedLimit
	}
	return DeedAllow
}

// rank orders deeds by how strict they are.
func rank(d Deed) int {
	switch d {
	case DeedDeny:
		return 2
	case DeedLimit:
		return 1
	}
	return 0
}

// nameIn returns the name that an entry is about, in the form that is stored,
// or why there is none. wide says that it was written with a wildcard.
func nameIn(l ListEntry, dev bool, own string) (host string, wide bool, why string) {
	name := l.Host
	if rest, ok := strings.CutPrefix(name, "*."); ok && l.Deny { // what a block covers anyway
		name = rest
	}
	if strings.ContainsAny(name, "*●█?") {
		if strings.HasPrefix(name, "*.") && !strings.ContainsAny(name[2:], "*●█?") {
			return "", false, "import.wildcard"
		}
		return "", false, "import.obfuscated"
	}
	host, err := iri.NormaliseHost(name, dev)
	switch {
	case err != nil && looksLikeAddress(name):
		return "", false, "import.address"
	case err != nil && !strings.Contains(strings.Trim(name, "."), "."):
		return "", false, "import.no_dot"
	case err != nil && strings.Contains(name, ":") && !strings.Contains(name, "//"):
		return "", false, "import.port"
	case err != nil:
		return "", false, "import.no_name"
	case host == own:
		return "", false, "import.own"
	case l.Deny && strings.HasSuffix(own, "."+host):
		return "", false, "import.covers_own"
	case PublicSuffix(host):
		return "", false, "import.suffix"
	case !dev && (below(host, "localhost") || below(host, "local") || below(host, "invalid") || below(host, "test")):
		return "", false, "import.reserved" // RFC 6761, section 6; RFC 6762, section 3
	}
	return host, false, ""
}

func below(host, suffix string) bool { return strings.HasSuffix(host, "."+suffix) }

func looksLikeAddress(name string) bool {
	_, err := iri.NormaliseHost(name, true)
	return err != nil && strings.Contains(err.Error(), "IP address")
}

// decisions is what was decided here, for comparing a list with it.
type decisions struct {
	peers map[string]Peer
	ties  map[string]bool
	now   time.Time
}

func have(tx *store.Tx) (decisions, error) {
	d := decisions{peers: map[string]Peer{}, now: tx.Now}
	err := tx.Ask(store.Question{
		SQL: `SELECT host, standing, subtree, expires_at, preset, ceiling, hold, silenced, media, reports_in, changed_at FROM peers`,
		Row: func(r *store.Row) {
			p := Peer{Host: r.Text(), Standing: Standing(r.Text()), Subtree: r.Bool(), ExpiresAt: r.TimePtr()}
			p.Preset, p.Ceiling, p.Hold, p.Silenced, p.Media, p.ReportsIn = Preset(r.Text()), Ceiling(r.Text()), Hold(r.Text()), r.Bool(), MediaPolicy(r.Text()), ReportsIn(r.Text())
			p.ChangedAt = r.Time()
			if p.Standing == Allowed && p.over(d.now) {
				p.Standing = Expired
			}
			d.peers[p.Host] = p
		},
	})
	if err != nil {
		return d, err
	}
	d.ties, err = tied(tx)
	return d, err
}

// tied are the servers with whose people those here have follows, either way,
// and the domains above them.
func tied(tx *store.Tx) (map[string]bool, error) {
	ties := map[string]bool{}
	return ties, tx.Ask(store.Question{
		SQL: `SELECT DISTINCT a.host FROM accounts a WHERE a.host <> '' AND (EXISTS (SELECT 1 FROM follows f WHERE f.target_id = a.id)
			OR EXISTS (SELECT 1 FROM follows f WHERE f.follower_id = a.id))`,
		Row: func(r *store.Row) {
			for _, name := range withParents(r.Text()) { // a block covers what is below
				ties[name] = true
			}
		},
	})
}

// judge puts an entry on its pile.
func (d decisions) judge(e *ImportEntry, denied map[string]int) {
	p, known := d.peers[e.Host]
	if known {
		e.Was = &p.ChangedAt
	}
	e.Pile, e.Why, e.About, e.Ties = PileNew, "", "", d.ties[e.Host]
	l := e.Entry()
	if l.Notice != "" {
		e.Pile, e.Why = noted(l.Notice, p.Standing)
		return
	}
	for _, above := range withParents(e.Host)[1:] {
		if line, ok := denied[above]; ok && e.Deed != DeedDeny {
			e.Pile, e.Why, e.About = PileRefused, "import.below_refused", strconv.Itoa(line)
			return
		}
		if q, ok := d.peers[above]; ok && q.Standing == Blocked {
			e.About = above
			if e.Deed == DeedDeny && !known {
				e.Pile, e.Why = PileThere, "import.covered"
			} else if e.Deed != DeedDeny {
				e.Pile, e.Why = PileRefused, "import.blocked_above"
			}
			if e.Why != "" {
				return
			}
			e.About = ""
		}
	}
	switch e.Deed {
	case DeedDeny:
		switch {
		case !known && l.Emergency:
			e.Pile, e.Why = PileRefused, "import.emergency"
		case !known:
		case p.Standing == Blocked:
			e.Pile = PileThere
		case p.Standing == Allowed:
			e.Pile, e.Why = PileConflict, "import.is_connected"
		case l.Emergency:
			e.Pile = PileThere
		default:
			e.Pile, e.Why = PileConflict, "import.is_ended"
		}
	case DeedLimit:
		switch {
		case p.Standing == Blocked:
			e.Pile, e.Why = PileThere, "import.blocked_already"
		case p.Standing != Allowed:
			e.Pile, e.Why = PileRefused, "import.limits_stranger"
		case p.Policy == l.limited(p.Policy):
			e.Pile = PileThere
		default:
			e.Pile, e.Why = PileConflict, "import.is_wider"
		}
	default:
		switch {
		case l.Expires != nil && !l.Expires.After(d.now):
			e.Pile, e.Why = PileRefused, "import.expired"
		case !known:
		case p.Standing == Blocked:
			e.Pile, e.Why = PileConflict, "import.is_blocked"
		case p.Standing != Allowed:
			e.Pile, e.Why = PileConflict, "import.has_ended"
		case l.differs(p):
			e.Pile, e.Why = PileConflict, "import.differs"
		default:
			e.Pile = PileThere
		}
	}
}

// noted is where a line lies that asks for nothing: it opens nothing and ends
// nothing. What a list has taken back may be why something was decided here, and
// that is for a person to look at.
func noted(n Notice, s Standing) (Pile, string) {
	switch {
	case n == NoticeTakenBack && s == Blocked:
		return PileConflict, "import.taken_back_blocked"
	case n == NoticeTakenBack && s == Allowed:
		return PileConflict, "import.taken_back_connected"
	case n == NoticeTakenBack:
		return PileThere, "import.taken_back"
	case s == Blocked:
		return PileThere, "import.blocked_already"
	case s == Allowed:
		return PileThere, "import.only_said"
	}
	return PileRefused, "import.limits_stranger" // by which its page finds the remark
}

// limited is a policy with what the entry wants less of.
func (l ListEntry) limited(p Policy) Policy {
	if l.Severity == SeveritySilence {
		p.Silenced = true
	}
	if l.RejectMedia {
		p.Media = MediaStrip
	}
	if l.RejectReports {
		p.ReportsIn = ReportsRefuse
	}
	if l.Media == MediaClick && p.Media == MediaProxy {
		p.Media = MediaClick
	}
	p.Inbound &^= l.Refuse
	return p
}

// differs reports whether the entry says something of a peer that is not so.
func (l ListEntry) differs(p Peer) bool {
	return l.Tier != "" && l.Tier != p.Preset || l.Ceiling != "" && l.Ceiling != p.Ceiling || l.Hold != "" && l.Hold != p.Hold ||
		l.Media != "" && l.Media != p.Media || l.Reports != "" && l.Reports != p.ReportsIn || l.Match == MatchSubtree && !p.Subtree
}

// policy is that of a new peer. What a file says nothing of is a trial.
func (l ListEntry) policy(preset, software string) Policy {
	if preset != PresetOfFile {
		p, _ := Suggested(Preset(preset), software)
		return p
	}
	tier := l.Tier
	if tier == "" && l.Ceiling == "" {
		tier = PresetTrial
	}
	p := tier.Policy()
	l.narrow(&p)
	return p
}
