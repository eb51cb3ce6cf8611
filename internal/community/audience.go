package community

import (
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Audience is who may see a thing, from narrowest to widest.
type Audience string

const (
	Me        Audience = "me"        // the author; never leaves the server
	People    Audience = "people"    // the people named
	Group     Audience = "group"     // members of the group, wherever their account is
	School    Audience = "school"    // signed-in members of this instance; never leaves the server
	Followers Audience = "followers" // the author's accepted followers
	Network   Audience = "network"   // members here and on peers whose ceiling is at least network, and the author's followers there
	Public    Audience = "public"    // anyone
)

// Audiences lists all audiences, narrowest first.
func Audiences() []Audience {
	return []Audience{Me, People, Group, School, Followers, Network, Public}
}

// Valid reports whether a is one of the seven audiences.
func (a Audience) Valid() bool { return a.rank() >= 0 }

// Within reports whether a is no wider than ceiling.
func (a Audience) Within(ceiling Audience) bool { return a.rank() <= ceiling.rank() }

// Travels reports whether posts of this audience may leave the server at all.
func (a Audience) Travels() bool { return a != Me && a != School }

func (a Audience) rank() int { return slices.Index(Audiences(), a) }

// Viewer is who wants to read: nobody in particular (the zero value, Guest),
// somebody who is signed in here, or a peer that signed its request, with or
// without one of its people.
type Viewer struct {
	ID      int64         // the account; 0 for a guest, and for a peer that speaks for itself
	Local   bool          // signed in here
	Host    string        // the peer; empty for guests and local viewers
	Ceiling peers.Ceiling // how much is entrusted to the peer
	Closed  bool          // the peer's software keeps closed audiences

	// Bonds are what a person here ever had with others, with BondsRead, as the
	// same transaction sees it; 0: not known.
	Bonds Bonds

	Regards // towards one post; only MaySee reads them, and towards fills them

	column string // of eachOf: where in the query the account's ID stands
}

// eachOf is a viewer that stands for many people here at once, in a query that
// goes through them: column names the ID of the one it looks at. Whatever is
// asked for a viewer must bind its who, so that both ask the same.
func eachOf(column string) Viewer { return Viewer{ID: -1, Local: true, column: column} }

// who is the viewer's account as a query's argument.
func (v Viewer) who() any {
	if v.column != "" {
		return gorm.Expr(v.column)
	}
	return v.ID
}

// Regards are what ties a viewer to one post.
type Regards struct {
	Follows   bool // follows the author, accepted; for a peer: one of its people does
	Mentioned bool // is named in the post; for a peer: one of its people is
	Member    bool // of the post's group
	Blocked   bool // blocks the author or is blocked by them, or shuts their server out
	Withdrawn bool // the author is suspended or gone, their server blocked, or the boosted post out of the viewer's sight
}

// Guest is somebody who has not signed in.
var Guest = Viewer{}

// MaySee reports whether v, with its regards to p filled in, may see p.
// visibleTo says the same in SQL.
func MaySee(p Post, v Viewer) bool {
	switch {
	case p.DeletedAt != nil, v.Withdrawn:
		return false
	case v.ID != 0 && v.ID == p.AuthorID:
		return true
	case v.Blocked, v.Host != "" && !v.Ceiling.Reaches(peers.CeilingPublic):
		return false
	case p.Audience == Public:
		return true
	case v.Local:
		return seenHere(p, v)
	case v.Host != "":
		return seenByPeer(p, v)
	}
	return false
}

func seenHere(p Post, v Viewer) bool {
	switch p.Audience {
	case Network:
		return true
	case School: // of this school: it never leaves a server
		return p.AuthorHost == ""
	case Followers:
		return v.Follows || v.Mentioned
	case People:
		return v.Mentioned
	case Group:
		return v.Member
	}
	return false
}

// seenByPeer is about posts that are not public. What another server entrusted
// to us is passed on to nobody.
func seenByPeer(p Post, v Viewer) bool {
	if p.AuthorHost != "" || Withheld(p.Audience, v.Ceiling, v.Closed) != "" {
		return false
	}
	switch p.Audience {
	case Network:
		return true
	case Followers:
		return v.Follows || v.Mentioned
	case People:
		return v.Mentioned
	case Group:
		return v.Member
	}
	return false
}

// Beyond says why a post of this audience is not sent to a peer that is
// entrusted with what the ceiling says: a message catalogue key, or "" if it
// may be, to those there who are addressed.
func Beyond(a Audience, ceiling peers.Ceiling) string {
	need := peers.CeilingPublic
	switch a {
	case Public, People:
	case Followers, Network:
		need = peers.CeilingNetwork
	case Group:
		need = peers.CeilingGroup
	default: // Me and School never travel
		return "withheld.audience"
	}
	if !ceiling.Reaches(need) {
		return "withheld.ceiling"
	}
	return ""
}

// Withheld says why a post of this audience is not handed to a peer as a whole,
// which fetches it or gets it for everyone there: besides what Beyond says, only
// software that keeps closed audiences gets what is not public. Some make a
// public topic of whatever they can fetch.
func Withheld(a Audience, ceiling peers.Ceiling, closed bool) string {
	if why := Beyond(a, ceiling); why != "" {
		return why
	}
	if a != Public && !closed {
		return "withheld.closed"
	}
	return ""
}

// ViewerOf returns the viewer that somebody who is signed in here is.
func ViewerOf(tx *store.Tx, accountID int64) (Viewer, error) {
	a, err := AccountByID(tx, accountID)
	if err != nil {
		return Guest, err
	}
	if !a.Local() || a.Gone() {
		return Guest, noAccount()
	}
	return Viewer{ID: a.ID, Local: true}, nil
}

// PeerViewer returns the viewer that a peer is whose signature was verified.
// signer is the account that signed, or the zero value if the server itself did.
func PeerViewer(tx *store.Tx, host string, signer Account) (Viewer, error) {
	ceiling, err := peers.CeilingOf(tx, host)
	if err != nil {
		return Guest, err
	}
	v := Viewer{Host: host, Ceiling: ceiling}
	known, err := peers.HostByName(tx, host)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Guest, err
	}
	v.Closed = known.ClosedAudiences
	if signer.Host == host {
		v.ID = signer.ID
	}
	return v, nil
}

// visibleTo narrows a query on posts to what v may see. MaySee says the same in Go.
func visibleTo(v Viewer) func(*gorm.DB) *gorm.DB {
	where, args := visibleSQL("posts", v)
	return func(q *gorm.DB) *gorm.DB { return q.Where(where, args...) }
}

// visibleSQL is the condition that a row of posts, known in the query by this
// name, is visible to v. Whatever it asks of other tables it asks by a key.
func visibleSQL(posts string, v Viewer) (string, []any) {
	here, args := visibleAlone(posts, v)
	boosted, more := visibleAlone("boosted", v)
	where := here + " AND (" + posts + ".boost_of_id IS NULL OR EXISTS (SELECT 1 FROM posts boosted WHERE boosted.id = " + posts +
		".boost_of_id AND boosted.boost_of_id IS NULL AND " + boosted + "))"
	return where, append(args, more...)
}

// forHere is the condition that a row of posts is for somebody here, whose
// number it takes twice.
const forHere = `($.audience IN ('public', 'network')
			OR $.audience = 'school' AND $.author_host = ''
			OR $.audience IN ('people', 'followers') AND EXISTS (SELECT 1 FROM post_mentions named WHERE named.post_id = $.id AND named.account_id = ?)
			OR $.audience = 'followers' AND EXISTS (SELECT 1 FROM follows WHERE follows.follower_id = ? AND follows.target_id = $.author_id AND follows.state = 'accepted'))`

// visibleAlone is visibleSQL without regard to the post that is boosted.
func visibleAlone(posts string, v Viewer) (string, []any) {
	const standing = `$.deleted_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM accounts author WHERE author.id = $.author_id AND (author.suspended_at IS NOT NULL OR author.deleted_at IS NOT NULL))
		AND ($.author_host = '' OR NOT EXISTS (SELECT 1 FROM hosts WHERE hosts.host = $.author_host AND hosts.blocked))`
	const unblocked = `NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.account_id = ? AND blocks.target_id = $.author_id)
		AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocks.account_id = $.author_id AND blocks.target_id = ?)`
	const notShutOut = `($.author_host = '' OR NOT EXISTS (SELECT 1 FROM host_blocks WHERE host_blocks.account_id = ? AND host_blocks.host = $.author_host))`

	audience, args := "$.audience = 'public'", []any(nil)
	switch {
	case v.Local:
		audience, args = forHere, []any{v.who(), v.who()}
	case v.Host != "" && !v.Ceiling.Reaches(peers.CeilingPublic): // it is read and gets nothing
		audience = "1 = 0"
	case v.Host != "":
		if Withheld(Network, v.Ceiling, v.Closed) == "" {
			audience += " OR $.author_host = '' AND $.audience = 'network'"
		}
		var named []Audience
		for _, a := range []Audience{People, Followers} {
			if Withheld(a, v.Ceiling, v.Closed) == "" {
				named = append(named, a)
			}
		}
		if len(named) > 0 {
			audience += ` OR $.author_host = '' AND $.audience IN ? AND EXISTS (SELECT 1 FROM post_mentions named
				JOIN accounts theirs ON theirs.id = named.account_id WHERE named.post_id = $.id AND theirs.host = ?)`
			args = append(args, named, v.Host)
		}
		if slices.Contains(named, Followers) {
			audience += ` OR $.author_host = '' AND $.audience = 'followers' AND EXISTS (SELECT 1 FROM follows
				JOIN accounts theirs ON theirs.id = follows.follower_id
				WHERE follows.target_id = $.author_id AND follows.state = 'accepted' AND NOT follows.follower_local AND theirs.host = ?)`
			args = append(args, v.Host)
		}
		audience = "(" + audience + ")"
	}
	where := standing + " AND " + audience
	switch {
	case v.Local:
		where = standing + " AND ($.author_id = ? OR " + unblocked + " AND " + notShutOut + " AND " + audience + ")"
		args = append([]any{v.who(), v.who(), v.who(), v.who()}, args...)
	case v.ID != 0:
		where = standing + " AND ($.author_id = ? OR " + unblocked + " AND " + audience + ")"
		args = append([]any{v.who(), v.who(), v.who()}, args...)
	}
	return strings.ReplaceAll(where, "$", posts), args
}

// unmutedSQL is the condition that a row of posts is by nobody whom the reader
// has muted, nor a boost of theirs. Only lists ask it: a thread shows everybody.
func unmutedSQL(v Viewer, now time.Time) (string, []any) {
	return `NOT EXISTS (SELECT 1 FROM mutes WHERE mutes.account_id = ? AND mutes.target_id = posts.author_id
				AND (mutes.expires_at IS NULL OR mutes.expires_at > ?))
			AND (posts.boost_of_id IS NULL OR NOT EXISTS (SELECT 1 FROM posts boosted JOIN mutes ON mutes.target_id = boosted.author_id
				WHERE boosted.id = posts.boost_of_id AND mutes.account_id = ? AND (mutes.expires_at IS NULL OR mutes.expires_at > ?)))`,
		[]any{v.who(), now, v.who(), now}
}

// CanSee answers MaySee for one post by looking up what ties the viewer to it.
func CanSee(tx *store.Tx, p Post, v Viewer) (bool, error) {
	r, err := regards(tx, p, v)
	if err != nil {
		return false, err
	}
	v.Regards = r
	return MaySee(p, v), nil
}

// regards looks up what ties a viewer to a post.
func regards(tx *store.Tx, p Post, v Viewer) (Regards, error) {
	var r Regards
	yes := func(into *bool, sql string, args ...any) error {
		var n int64
		err := tx.Raw("SELECT COUNT(*) FROM ("+sql+" LIMIT 1) AS found", args...).Scan(&n).Error
		*into = *into || n > 0
		return err
	}
	err := yes(&r.Withdrawn, "SELECT 1 AS one FROM accounts WHERE id = ? AND (suspended_at IS NOT NULL OR deleted_at IS NOT NULL)", p.AuthorID)
	if err == nil && p.AuthorHost != "" {
		err = yes(&r.Withdrawn, "SELECT 1 AS one FROM hosts WHERE host = ? AND blocked", p.AuthorHost)
	}
	if err == nil && v.ID != 0 {
		err = yes(&r.Blocked, "SELECT 1 AS one FROM blocks WHERE account_id = ? AND target_id = ? OR account_id = ? AND target_id = ?",
			v.ID, p.AuthorID, p.AuthorID, v.ID)
	}
	if err == nil && v.Local && p.AuthorHost != "" {
		err = yes(&r.Blocked, "SELECT 1 AS one FROM host_blocks WHERE account_id = ? AND host = ?", v.ID, p.AuthorHost)
	}
	if err == nil && v.Local {
		err = yes(&r.Mentioned, "SELECT 1 AS one FROM post_mentions WHERE post_id = ? AND account_id = ?", p.ID, v.ID)
		if err == nil {
			err = yes(&r.Follows, "SELECT 1 AS one FROM follows WHERE follower_id = ? AND target_id = ? AND state = ?", v.ID, p.AuthorID, FollowAccepted)
		}
	}
	if err == nil && v.Host != "" {
		err = yes(&r.Mentioned, "SELECT 1 AS one FROM post_mentions m JOIN accounts a ON a.id = m.account_id WHERE m.post_id = ? AND a.host = ?", p.ID, v.Host)
		if err == nil {
			err = yes(&r.Follows, "SELECT 1 AS one FROM follows f JOIN accounts a ON a.id = f.follower_id WHERE f.target_id = ? AND f.state = ? AND a.host = ?",
				p.AuthorID, FollowAccepted, v.Host)
		}
	}
	if err != nil || p.BoostOfID == nil {
		return r, err
	}
	var boosted Post
	if err := tx.Where("id = ?", *p.BoostOfID).Limit(1).Find(&boosted).Error; err != nil {
		return r, err
	}
	if boosted.ID == 0 || boosted.BoostOfID != nil {
		r.Withdrawn = true
		return r, nil
	}
	seen, err := CanSee(tx, boosted, Viewer{ID: v.ID, Local: v.Local, Host: v.Host, Ceiling: v.Ceiling, Closed: v.Closed})
	r.Withdrawn = r.Withdrawn || !seen
	return r, err
}
