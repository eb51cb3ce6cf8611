package peers

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// A connection ends in one of three ways, never by accident in a graver one:
// a pause keeps everything, a retirement keeps what people here need of it for
// a while, a purge deletes after a delay. Each takes effect with its commit at
// all doors, since they ask Decide; what takes longer is left to chores, which
// look again at what was decided before each piece.

const (
	// KeepEnded is for how long a retired peer's posts and ties are kept.
	KeepEnded = 90 * 24 * time.Hour
	// PurgeAfter is how long a purge can be taken back.
	PurgeAfter = 7 * 24 * time.Hour
)

// Withdrawal is a set of what this server asks a peer to delete when the connection ends.
type Withdrawal int64

// What is withdrawn.
const (
	WithdrawClosed Withdrawal = 1 << iota // posts for the network, for followers, for people named and for groups
	WithdrawPublic                        // public posts
)

// Has reports whether v is in the set.
func (w Withdrawal) Has(v Withdrawal) bool { return w&v != 0 }

// Ending is how a connection ends, or goes on.
type Ending struct {
	Reason   string        // required for a retirement, a purge and a block
	Keep     time.Duration // of a retirement; 0: KeepEnded
	Withdraw Withdrawal    // of a retirement or a purge
	Tell     string        // why, for the administrators of the other server
	Quiet    bool          // the other side ended it, and need not be told
}

// Kinds of chores that an end leaves behind: see package community, which does them.
const (
	choreSever    = "sever"    // ties are put aside
	choreRestore  = "restore"  // and taken up again
	choreWithdraw = "withdraw" // posts of ours are asked back
	choreDrop     = "drop"     // posts of theirs are dropped
)

// Pause stops everything between this server and a peer, and keeps everything:
// Resume makes it as it was. A peer that is paused already stays so.
func Pause(tx *store.Tx, by int64, host string, e Ending) (Peer, error) {
	p, err := ending(tx, host, &e, false)
	if err != nil || p.Standing == Paused {
		return p, err
	}
	if p.Standing != Allowed && p.Standing != Expired {
		return p, notConnected(host)
	}
	return end(tx, by, p, "peer.pause", e, func(p *Peer) { p.Standing, p.EndedAt = Paused, &tx.Now })
}

// Resume takes up a connection again that was paused, has expired or was
// retired. What a retirement put aside is restored as far as it is kept.
func Resume(tx *store.Tx, by int64, host string, e Ending) (Peer, error) {
	p, err := ending(tx, host, &e, false)
	if err != nil || p.Standing == Allowed && !p.over(tx.Now) {
		return p, err
	}
	above, err := blockAbove(tx, p.Host)
	if err != nil {
		return p, err
	}
	if p.Standing == Blocked || above != "" {
		return p, fault.Keyed(fault.Invalid, "peers.resume_blocked", "This server is blocked. Allow it anew instead.", map[string]any{"Host": p.Host})
	}
	was := p.Standing
	p, err = end(tx, by, p, "peer.resume", e, func(p *Peer) {
		p.Standing, p.EndedAt, p.KeepUntil, p.PurgeAt, p.Withdraw = Allowed, nil, nil, nil, 0
		if p.ExpiresAt != nil && !tx.Now.Before(*p.ExpiresAt) {
			p.ExpiresAt = nil
			if p.Preset == PresetTrial {
				p.ExpiresAt = dueIn(tx, TrialFor)
			}
		}
	})
	if err != nil {
		return p, err
	}
	if p.Reason, err = whyAllowed(tx, p.Host); err != nil {
		return p, err
	}
	if err := tx.Exec("UPDATE peers SET reason = ? WHERE host = ?", p.Reason, p.Host).Error; err != nil {
		return p, err
	}
	if err := dropStale(tx, p); err != nil || was != Retired {
		return p, err
	}
	if err := unleave(tx, p.Host, choreSever, choreWithdraw, choreDrop); err != nil {
		return p, err
	}
	return p, leave(tx, p.Host, choreRestore, tx.Now)
}

// whyAllowed is why a peer was connected, as the log has it. Why it was paused or
// retired is no reason any more once that is over.
func whyAllowed(tx *store.Tx, host string) (why string, err error) {
	err = tx.Raw("SELECT reason FROM audit WHERE subject = ? AND action = 'peer.allow' ORDER BY id DESC LIMIT 1", host).Scan(&why).Error
	return why, err
}

// staleAfter is how old a message may be that leaves after a pause. What
// deletes or takes back something, changes it or ends a follow is never too old.
const staleAfter = 14 * 24 * time.Hour

// dropStale gives up what waited for a peer for so long that it would be news no more.
func dropStale(tx *store.Tx, p Peer) error {
	return tx.Exec(`UPDATE deliveries SET state = 'expired', reason = 'delivery.stale', done_at = ? WHERE state = 'waiting' AND created_at <= ?
		AND host IN (SELECT host FROM peer_hosts WHERE peer_id = ?)
		AND EXISTS (SELECT 1 FROM outgoing WHERE outgoing.id = deliveries.outgoing_id AND outgoing.verb IN ('Create', 'Announce', 'Like', 'Vote', 'Flag', 'Pin'))`,
		tx.Now, tx.Now.Add(-staleAfter), p.ID).Error
}

// Retire ends a connection: ties are put aside, from where Resume brings them
// back, and of the peer's posts those that nobody here used are dropped; what
// is kept goes when its time is over.
func Retire(tx *store.Tx, by int64, host string, e Ending) (Peer, error) {
	p, err := ending(tx, host, &e, true)
	if err != nil || p.Standing == Retired {
		return p, err
	}
	if p.Standing == Blocked {
		return p, notConnected(host)
	}
	return retire(tx, by, p, "peer.retire", e, nil)
}

// Purge ends a connection, as Retire does, and has all that is known of the
// peer deleted after PurgeAfter, until when Unpurge takes it back. A server
// that is retired or blocked already stays so.
func Purge(tx *store.Tx, by int64, host string, e Ending) (Peer, error) {
	p, err := ending(tx, host, &e, true)
	if err != nil || p.PurgeAt != nil {
		return p, err
	}
	at := dueIn(tx, PurgeAfter)
	if p.Standing == Blocked || p.Standing == Retired {
		p, err = end(tx, by, p, "peer.purge", e, func(p *Peer) { p.PurgeAt = at })
	} else {
		p, err = retire(tx, by, p, "peer.purge", e, at)
	}
	if err != nil {
		return p, err
	}
	return p, leave(tx, p.Host, choreDrop, *at)
}

// Unpurge takes a purge back, as long as it has not begun. The connection stays ended.
func Unpurge(tx *store.Tx, by int64, host string, e Ending) (Peer, error) {
	p, err := ending(tx, host, &e, false)
	if err != nil {
		return p, err
	}
	if p.PurgeAt == nil || !tx.Now.Before(*p.PurgeAt) {
		return p, fault.Keyed(fault.Invalid, "peers.no_purge", "Nothing of this server waits to be deleted.", map[string]any{"Host": p.Host})
	}
	return end(tx, by, p, "peer.unpurge", e, func(p *Peer) { p.PurgeAt = nil })
}

func retire(tx *store.Tx, by int64, p Peer, action string, e Ending, purge *time.Time) (Peer, error) {
	if e.Keep <= 0 {
		e.Keep = KeepEnded
	}
	p, err := end(tx, by, p, action, e, func(p *Peer) {
		p.Standing, p.EndedAt, p.KeepUntil, p.PurgeAt, p.Withdraw = Retired, &tx.Now, dueIn(tx, e.Keep), purge, e.Withdraw
	})
	if err != nil {
		return p, err
	}
	if err := unleave(tx, p.Host, choreRestore); err != nil {
		return p, err
	}
	if err := closeRequests(tx, p.Host); err != nil {
		return p, err
	}
	if !e.Quiet {
		if err := SayEnded(tx, p.Host, e.Tell); err != nil {
			return p, err
		}
	}
	if e.Withdraw != 0 {
		if err := leave(tx, p.Host, choreWithdraw, tx.Now); err != nil {
			return p, err
		}
	}
	return p, leave(tx, p.Host, choreSever, tx.Now)
}

// Expire writes down that a connection was for a time which is over, for up to
// most peers. It has had its effect since that moment; people see it as a pause.
func Expire(tx *store.Tx, most int) (done int, err error) {
	var due []Peer
	err = tx.Where("standing = ? AND expires_at IS NOT NULL AND expires_at <= ?", Allowed, tx.Now).Order("expires_at").Limit(most).Find(&due).Error
	if err != nil {
		return 0, err
	}
	for _, p := range due {
		at := *p.ExpiresAt
		if _, err := end(tx, 0, p, "peer.expire", Ending{}, func(p *Peer) { p.Standing, p.EndedAt = Expired, &at }); err != nil {
			return 0, err
		}
	}
	return len(due), nil
}

// ending reads the entry that an end is about.
func ending(tx *store.Tx, host string, e *Ending, reason bool) (Peer, error) {
	host, err := Normalise(tx, host)
	if err != nil {
		return Peer{}, err
	}
	e.Reason = strings.TrimSpace(e.Reason)
	switch {
	case reason && e.Reason == "":
		return Peer{}, fault.Invalidf("reason", "Say why: the reason stays in the log.").WithKey("peers.reason_missing", nil)
	case len(e.Reason) > maxNote:
		return Peer{}, fault.Invalidf("reason", "The reason is too long: 4000 characters at most.").WithKey("peers.reason_long", nil)
	}
	return Get(tx, host)
}

// end changes an entry, with its line in the log.
func end(tx *store.Tx, by int64, p Peer, action string, e Ending, change func(*Peer)) (Peer, error) {
	before := p.String()
	change(&p)
	p.ChangedBy, p.ChangedAt = actor(by), tx.Now
	if e.Reason != "" {
		p.Reason = e.Reason
	}
	err := tx.Model(&Peer{}).Where("host = ?", p.Host).Updates(map[string]any{
		"standing": p.Standing, "ended_at": p.EndedAt, "keep_until": p.KeepUntil, "purge_at": p.PurgeAt, "withdraw": p.Withdraw,
		"expires_at": p.ExpiresAt, "reason": p.Reason, "changed_by": p.ChangedBy, "changed_at": p.ChangedAt,
	}).Error
	if err != nil {
		return p, err
	}
	if p.Standing == Allowed {
		if err := WakeLists(tx, p.Host); err != nil {
			return p, err
		}
	}
	key := p.Host
	var more int64
	if err := tx.Raw("SELECT COUNT(*) FROM peer_hosts WHERE peer_id = ? AND host <> ?", p.ID, p.Host).Scan(&more).Error; err != nil {
		return p, err
	}
	if more > 0 || p.Subtree {
		key = "" // what waits under other names of it is looked at too
	}
	tx.AnnounceKey(Changed, key)
	return p, Record(tx, Line{ActorID: actor(by), Action: action, Subject: p.Host, Before: before, After: p.String(), Reason: e.Reason})
}

// over reports whether the time is over for which the peer was allowed.
func (p Peer) over(now time.Time) bool { return p.ExpiresAt != nil && !now.Before(*p.ExpiresAt) }

func notConnected(host string) error {
	return fault.Keyed(fault.Invalid, "peers.not_connected", "This server is not connected.", map[string]any{"Host": host})
}

// leave charges a chore about a host, unless there is one that is due by then.
func leave(tx *store.Tx, host, kind string, at time.Time) error {
	res := tx.Exec("UPDATE chores SET next_at = ? WHERE kind = ? AND subject = ? AND next_at > ?", at, kind, host, at)
	if res.Error != nil || res.RowsAffected > 0 {
		return res.Error
	}
	id := tx.NewID()
	tx.Announce("chores", id)
	return tx.Exec(`INSERT INTO chores (id, kind, subject, next_at, created_at)
		SELECT ?, ?, ?, ?, ? FROM site WHERE id = 1 AND NOT EXISTS (SELECT 1 FROM chores WHERE kind = ? AND subject = ?)`,
		id, kind, host, at, tx.Now, kind, host).Error
}

// unleave takes chores about a host back.
func unleave(tx *store.Tx, host string, kinds ...string) error {
	return tx.Exec("DELETE FROM chores WHERE subject = ? AND kind IN ?", host, slices.Clone(kinds)).Error
}

// Purged writes down that all that was known of a peer is deleted.
func Purged(tx *store.Tx, host string, posts int64) error {
	p, err := Get(tx, host)
	if err != nil {
		return err
	}
	p.PurgeAt, p.KeepUntil = nil, nil
	err = tx.Exec("UPDATE peers SET purge_at = NULL, keep_until = NULL, withdraw = 0 WHERE host = ?", host).Error
	if err != nil {
		return err
	}
	tx.AnnounceKey(Changed, host)
	return Record(tx, Line{Action: "peer.purged", Subject: host, After: strconv.FormatInt(posts, 10)})
}

// Faded writes down that what was kept of a retired peer is kept no longer.
func Faded(tx *store.Tx, host string) error {
	if err := tx.Exec("UPDATE peers SET keep_until = NULL WHERE host = ?", host).Error; err != nil {
		return err
	}
	tx.AnnounceKey(Changed, host)
	return Record(tx, Line{Action: "peer.faded", Subject: host})
}

// DueReviews writes down which peers have come to the day on which somebody
// wanted to look at them again, each once, and returns them.
func DueReviews(tx *store.Tx, most int) ([]Peer, error) {
	var due []Peer
	err := tx.Where(`review_on <= ? AND standing IN ? AND NOT EXISTS (SELECT 1 FROM audit WHERE audit.subject = peers.host AND audit.action = 'peer.review'
		AND audit.created_at >= peers.review_on)`, tx.Now, reviewable).Order("review_on").Limit(most).Find(&due).Error
	if err != nil {
		return nil, err
	}
	for _, p := range due {
		if err := Record(tx, Line{Action: "peer.review", Subject: p.Host, After: p.ReviewOn.Format(time.DateOnly)}); err != nil {
			return nil, err
		}
	}
	return due, nil
}

// reviewDue is the condition for a peer p whose review is due, now and reviewable
// being its arguments.
const reviewDue = "p.review_on <= ? AND p.standing IN ?"

// reviewable are the standings in which a review has something to decide.
var reviewable = []Standing{Allowed, Paused, Expired}

// CountDue counts the peers that administrators should look at: those whose
// review is due, and those whose time is over.
func CountDue(tx *store.Tx) (reviews, expired int, err error) {
	err = tx.Raw("SELECT COUNT(*) FROM peers p WHERE "+reviewDue, tx.Now, reviewable).Scan(&reviews).Error
	if err != nil {
		return 0, 0, err
	}
	err = tx.Raw("SELECT COUNT(*) FROM peers WHERE standing = ?", Expired).Scan(&expired).Error
	return reviews, expired, err
}
