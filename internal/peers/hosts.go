package peers

import (
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// Host is what was learned of a server by talking with it. It decides nothing;
// Blocked only repeats, where reading can join it, what the entries say.
type Host struct {
	Host            string `gorm:"primaryKey"`
	Blocked         bool
	Silenced        bool // what its people's accounts carry: see MoreSilence
	Name            string
	Software        string
	Version         string
	ClosedAudiences bool   // its software keeps what is not public from the public
	ActorURI        string `gorm:"column:actor_uri"`
	SharedInbox     string
	MetAt           *time.Time
	MeetTries       int64
	MeetNextAt      *time.Time
	LastInAt        *time.Time
	LastOutAt       *time.Time
	RefusedIn       int64 // how often it tried while it was not admitted
	RefusedInAt     *time.Time
	Signatures      Signatures // which signatures it is known to accept: see SignaturesOf
	SignaturesAt    *time.Time
}

// HostByName returns what is known of a server, or fault.NotFound.
func HostByName(tx *store.Tx, host string) (Host, error) {
	var h Host
	if err := tx.Where("host = ?", host).Take(&h).Error; err != nil {
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return h, fault.Keyed(fault.NotFound, "peers.unknown_host", "Nothing is known of this server.", map[string]any{"Host": host})
		}
		return h, err
	}
	return h, nil
}

// HostsByName returns what is known of servers, by name. Unknown ones are missing.
func HostsByName(tx *store.Tx, hosts []string) (map[string]Host, error) {
	known := make(map[string]Host, len(hosts))
	for part := range chunks(hosts, 400) {
		var rows []Host
		if err := tx.Where("host IN ?", part).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			known[r.Host] = r
		}
	}
	return known, nil
}

// Seen makes sure that a server of which something is stored has its row, and
// that the row says whether it is blocked.
func Seen(tx *store.Tx, host string) error {
	_, err := SeenAs(tx, host)
	return err
}

// SeenAs is Seen, and says what holds for the server.
func SeenAs(tx *store.Tx, host string) (Decision, error) {
	d, err := DecideOne(tx, host)
	if err != nil {
		return d, err
	}
	return d, tx.Exec("INSERT INTO hosts (host, blocked, silenced) VALUES (?, ?, ?) ON CONFLICT (host) DO NOTHING", host, d.Standing == Blocked, d.Silenced).Error
}

// checkSubtree refuses to admit every name below one under which strangers
// register names, such as github.io or sch.uk.
//
// https://publicsuffix.org, with its private section.
func checkSubtree(host string, form *fault.Check) {
	if PublicSuffix(host) {
		form.Add("match", "peers.subtree_suffix", fmt.Sprintf("Anybody can register a name below %s. Allow each server by its own name.", host),
			map[string]any{"Host": host})
	}
}

// confirm writes down that a peer is met under a name.
func confirm(tx *store.Tx, peer int64, host string, role Role) error {
	return tx.Exec(`INSERT INTO peer_hosts (host, peer_id, role, seen_at, confirmed_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (host, peer_id) DO UPDATE SET role = excluded.role, confirmed_at = excluded.confirmed_at, declined_at = NULL`,
		host, peer, role, tx.Now, tx.Now).Error
}

// markBlocked brings hosts.blocked up to date for a host and what lies below
// it, after an entry of it changed.
func markBlocked(tx *store.Tx, host string) error {
	return tx.Exec(`UPDATE hosts SET blocked = EXISTS (
			SELECT 1 FROM peers WHERE peers.standing = ? AND (hosts.host = peers.host OR hosts.host LIKE '%.' || peers.host))
		WHERE host = ? OR host LIKE ?`, Blocked, host, "%."+host).Error
}

// exchangeEvery is how exact last_in_at and last_out_at are: a row is not
// written for every message.
const exchangeEvery = time.Minute

// NoteIn remembers that a message of the server was taken in.
func NoteIn(tx *store.Tx, host string) error {
	return tx.Exec("UPDATE hosts SET last_in_at = ? WHERE host = ? AND (last_in_at IS NULL OR last_in_at < ?)",
		tx.Now, host, tx.Now.Add(-exchangeEvery)).Error
}

// NoteOut remembers that the server took a message of ours.
func NoteOut(tx *store.Tx, host string) error {
	return tx.Exec("UPDATE hosts SET last_out_at = ? WHERE host = ? AND (last_out_at IS NULL OR last_out_at < ?)",
		tx.Now, host, tx.Now.Add(-exchangeEvery)).Error
}

// mostRefused is for how many servers without an entry refusals are counted:
// names cost nothing, and the table must not grow by them.
const mostRefused = 500

// NoteRefused counts a try of a server that is not admitted, so that an
// administrator sees who knocks. What is no server's name is not counted, nor
// are new names once very many are.
func NoteRefused(tx *store.Tx, host string) error {
	if h, err := iri.NormaliseHost(host, iri.IsDev(tx.Site.Host)); err != nil || h != host || h == tx.Site.Host {
		return nil
	}
	res := tx.Exec("UPDATE hosts SET refused_in = refused_in + 1, refused_in_at = ? WHERE host = ?", tx.Now, host)
	if res.Error != nil || res.RowsAffected > 0 {
		return res.Error
	}
	var known int64
	err := tx.Raw("SELECT COUNT(*) FROM (SELECT 1 AS one FROM hosts WHERE refused_in > 0 LIMIT ?) AS knocking", mostRefused).Scan(&known).Error
	if err != nil || known >= mostRefused {
		return err
	}
	if err := Seen(tx, host); err != nil {
		return err
	}
	return tx.Exec("UPDATE hosts SET refused_in = 1, refused_in_at = ? WHERE host = ?", tx.Now, host).Error
}

// Knocking lists servers without an entry that were refused, the latest first.
func Knocking(tx *store.Tx, limit int) ([]Host, error) {
	var hosts []Host
	err := tx.Where("refused_in > 0 AND NOT EXISTS (SELECT 1 FROM peers WHERE peers.host = hosts.host)").
		Order("refused_in_at DESC, host").Limit(limit).Find(&hosts).Error
	return hosts, err
}

// Meeting is what a server says of itself when it is met.
type Meeting struct {
	Name            string
	Software        string
	Version         string
	ClosedAudiences bool
	ActorURI        string
	SharedInbox     string
	Signatures      Signatures // as it says; SignsUnknown leaves what was learned
	Names           []Found    // other names under which it is met
}

// Found is a name that a server gives for itself besides its own.
type Found struct {
	Host   string
	Role   Role
	Proven bool // the name says the same of the server
}

// Met records a meeting.
func Met(tx *store.Tx, host string, m Meeting) error {
	if err := Seen(tx, host); err != nil {
		return err
	}
	before, err := HostByName(tx, host)
	if err != nil {
		return err
	}
	first := before.MetAt == nil
	if m.Signatures != SignsUnknown {
		if err := NoteSignatures(tx, host, m.Signatures); err != nil {
			return err
		}
	}
	if err := FoundNames(tx, host, m.Names, first); err != nil {
		return err
	}
	if first {
		if err := narrow(tx, host, m.Software); err != nil {
			return err
		}
	}
	return tx.Model(&Host{}).Where("host = ?", host).Updates(map[string]any{
		"name": m.Name, "software": m.Software, "version": m.Version, "closed_audiences": m.ClosedAudiences,
		"actor_uri": m.ActorURI, "shared_inbox": m.SharedInbox,
		"met_at": tx.Now, "meet_tries": 0, "meet_next_at": tx.Now.Add(meetAgain),
	}).Error
}

// FoundNames writes down the names that a peer gives for itself. What its own
// documents name as the place of its pictures when it is met for the first
// time counts at once: somebody has just added the peer. Of other names those
// that are proven do; all else is proposed.
func FoundNames(tx *store.Tx, host string, names []Found, first bool) error {
	p, err := Get(tx, host)
	if fault.Is(err, fault.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	for _, n := range names {
		if err := noteName(tx, p.ID, n.Host, n.Role, n.Proven || first && n.Role == RoleMedia); err != nil {
			return err
		}
	}
	return nil
}

// narrow gives a peer that is met for the first time what is suggested for its
// software, if it was added with a preset and nobody chose otherwise.
func narrow(tx *store.Tx, host, software string) error {
	p, err := Get(tx, host)
	if fault.Is(err, fault.NotFound) {
		return nil
	} else if err != nil || p.Preset == PresetNone || p.Policy != p.Preset.Policy() {
		return err
	}
	policy, why := Suggested(p.Preset, software)
	if why == "" {
		return nil
	}
	_, err = Edit(tx, 0, host, fmt.Sprintf("%s is known to show closed posts to more people than they are for.", software),
		func(e *Entry) error { e.Policy = &policy; return nil })
	return err
}

const (
	meetAgain = 24 * time.Hour   // a server that was met is asked again what it is
	meetFirst = 30 * time.Second // after the first failure; doubled with each
	meetLast  = 12 * time.Hour
)

// MeetFailed records a failed try to meet a server, and returns when the next is due.
func MeetFailed(tx *store.Tx, host string) (time.Time, error) {
	if err := Seen(tx, host); err != nil {
		return time.Time{}, err
	}
	h, err := HostByName(tx, host)
	if err != nil {
		return time.Time{}, err
	}
	wait := meetLast
	if h.MeetTries < 12 {
		wait = min(meetLast, meetFirst<<h.MeetTries)
	}
	next := tx.Now.Add(wait)
	return next, tx.Exec("UPDATE hosts SET meet_tries = meet_tries + 1, meet_next_at = ? WHERE host = ?", next, host).Error
}

// ToMeet lists allowed servers that are due to be met, those never met first.
func ToMeet(tx *store.Tx, limit int) ([]string, error) {
	var hosts []string
	err := tx.Raw(`SELECT p.host FROM peers p LEFT JOIN hosts h ON h.host = p.host
		WHERE p.standing = ? AND COALESCE(h.blocked, ?) = ? AND (h.meet_next_at IS NULL OR h.meet_next_at <= ?)
		ORDER BY CASE WHEN h.met_at IS NULL THEN 0 ELSE 1 END, p.host LIMIT ?`,
		Allowed, false, false, tx.Now, limit).Scan(&hosts).Error
	return hosts, err
}

// keepRefused is how long a server that was only ever refused is remembered.
const keepRefused = 30 * 24 * time.Hour

// Sweep forgets servers that were refused long ago, if nothing else is known of them.
func Sweep(tx *store.Tx) error {
	return tx.Exec(`DELETE FROM hosts WHERE refused_in > 0 AND refused_in_at < ? AND met_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM peers WHERE peers.host = hosts.host)
		AND NOT EXISTS (SELECT 1 FROM accounts WHERE accounts.host = hosts.host)`, tx.Now.Add(-keepRefused)).Error
}
