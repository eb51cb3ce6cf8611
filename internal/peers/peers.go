// Package peers is the federation policy: which other servers this one talks
// to, how much it entrusts to each, and the log of who decided so. Every
// exchange asks Check at that moment; nothing is remembered between two asks.
package peers

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// Changed is news that the policy for a host, named by the key, has changed.
// Without a key the whole policy has.
const Changed store.Topic = "peers"

// Mode is what happens to servers nobody has decided about.
type Mode string

// The two modes. An empty allowlist admits nobody: being open is a decision of
// its own, never the absence of entries.
const (
	Allowlist Mode = "allowlist"
	Open      Mode = "open"
)

// Standing is what was decided about a server.
type Standing string

// The standings. A server without an entry is Unknown.
const (
	Unknown Standing = ""
	Allowed Standing = "allowed"
	Paused  Standing = "paused"  // nothing passes for now, and everything is kept
	Retired Standing = "retired" // the connection has ended, and may be taken up again
	Expired Standing = "expired" // it was for a time, which is over
	Blocked Standing = "blocked" // with every name below
)

// Admits is the whole policy: whether a server of this standing may be talked to.
func (m Mode) Admits(s Standing) bool {
	return s == Allowed || s == Unknown && m == Open
}

// Former reports whether a server was talked to, may not be any more, and is
// heard all the same about its own things that go: deletions, ends of follows,
// moves. A paused one tells them when it is back.
func (s Standing) Former() bool { return s == Unknown || s == Retired || s == Expired }

// Ceiling is the widest kind of closed content that is entrusted to a peer.
type Ceiling string

// The ceilings, from nothing to everything. Each includes the ones before it.
const (
	CeilingNone    Ceiling = "none"    // we read them and send nothing
	CeilingPublic  Ceiling = "public"  // what anybody may see
	CeilingNetwork Ceiling = "network" // and what is for the network of schools and for followers
	CeilingGroup   Ceiling = "group"   // and what is for the members of a group
)

// Reaches reports whether content that needs the ceiling c is entrusted to a peer of this one.
func (have Ceiling) Reaches(c Ceiling) bool { return have.rank() >= c.rank() && c.rank() >= 0 }

// Valid reports whether c is one of the four ceilings.
func (have Ceiling) Valid() bool { return have.rank() >= 0 }

func (have Ceiling) rank() int {
	switch have {
	case CeilingNone:
		return 0
	case CeilingPublic:
		return 1
	case CeilingNetwork:
		return 2
	case CeilingGroup:
		return 3
	}
	return -1
}

// Peer is what an administrator decided about a server.
type Peer struct {
	Host        string `gorm:"primaryKey"`
	ID          int64  // for clients, which name everything by a number
	Standing    Standing
	Subtree     bool   // with every name below; a block always is
	Label       string // what people call it: "Hillview Primary"
	SortName    string // where it stands in a list by name: see sortName
	Kind        string // school, region, university, mastodon, forum, other, or ""
	PublicNote  string // why, for everybody here
	Note        string // for administrators
	Reason      string // why, where the decision needs one
	Source      string // how it came here: see Source…
	Policy      `gorm:"embedded"`
	TheirView   View
	TheirViewAt *time.Time // since when; nil: not known
	TheirHint   string     // what they say of how they deal with us; words, decides nothing
	KeyHash     string     // fingerprint of their own actor's key when the connection was made
	ReviewOn    *time.Time
	ExpiresAt   *time.Time
	EndedAt     *time.Time // since when it is paused, retired or expired
	KeepUntil   *time.Time // of a retired one: until when its posts and ties are kept
	PurgeAt     *time.Time // when what is known of it will be deleted
	RetainedAt  *time.Time // when what is older than Retention was last dropped
	Holding     bool       // something of it waits to be looked at: see Decision
	Withdraw    Withdrawal // of a retired one: what of ours it is asked to delete
	ChangedBy   *int64     // nil: from the command line, or the server itself
	CreatedAt   time.Time
	ChangedAt   time.Time
}

// View is what a peer decided about us, as far as is known.
type View string

// The views.
const (
	ViewUnknown View = "unknown"
	ViewPending View = "pending" // they were asked
	ViewAllowed View = "allowed" // they said so, or a signed request of theirs has proven it
	ViewRefused View = "refused"
)

// How an entry came here.
const (
	SourceManual     = ""
	SourceHandshake  = "handshake"
	SourceInvitation = "invitation"
	SourceImport     = "import"
	SourceList       = "list"
)

// Entry is what an administrator writes down about a server besides its name.
type Entry struct {
	Label      string
	Kind       string
	PublicNote string
	Note       string
	Reason     string
	Source     string
	// Unexplained lets a block do without a reason: who decides uses something
	// that does not ask for one.
	Unexplained bool
	Subtree     bool
	Ceiling     Ceiling // without a Policy: FullPolicy up to it; empty: CeilingNetwork
	Policy      *Policy // nil: by Ceiling
	ReviewOn    *time.Time
	ExpiresAt   *time.Time // nil: never, or for a trial in TrialFor
}

// Name is what the peer is called on a page: its label, or its host.
func (p Peer) Name() string {
	if p.Label != "" {
		return p.Label
	}
	return p.Host
}

// Normalise returns the one form in which a server's name is stored and
// compared, or a failure that says what is wrong with what was typed. Names
// that exist only on a developer's machine pass where this server has such a
// name itself.
func Normalise(tx *store.Tx, host string) (string, error) {
	h, err := iri.NormaliseHost(host, iri.IsDev(tx.Site.Host))
	if err != nil {
		return "", fault.Invalidf("host", "%s", err).WithKey("peers.host_invalid", map[string]any{"Host": host})
	}
	if h == tx.Site.Host {
		return "", fault.Invalidf("host", "%s is this server itself.", h).WithKey("peers.host_own", map[string]any{"Host": h})
	}
	return h, nil
}

// ModeOf returns the mode that an administrator chose.
func ModeOf(tx *store.Tx) (Mode, error) {
	var mode Mode
	err := tx.Raw("SELECT mode FROM site WHERE id = 1").Scan(&mode).Error
	if mode == "" { // no site yet: closed
		mode = Allowlist
	}
	return mode, err
}

func standings(tx *store.Tx, hosts []string, into map[string]Standing) error {
	var rows []Peer
	if err := tx.Select("host", "standing").Where("host IN ?", hosts).Find(&rows).Error; err != nil {
		return err
	}
	for _, r := range rows {
		into[r.Host] = r.Standing
	}
	return nil
}

// withParents lists a host and the domains above it.
func withParents(host string) []string {
	all := []string{host}
	for {
		_, parent, ok := strings.Cut(host, ".")
		if !ok || parent == "" {
			return all
		}
		all = append(all, parent)
		host = parent
	}
}

func chunks(all []string, size int) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for len(all) > 0 {
			n := min(size, len(all))
			if !yield(all[:n]) {
				return
			}
			all = all[n:]
		}
	}
}

// Get returns the entry of exactly this host, or fault.NotFound.
func Get(tx *store.Tx, host string) (Peer, error) {
	var p Peer
	if err := tx.Where("host = ?", host).Take(&p).Error; err != nil {
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return p, fault.Keyed(fault.NotFound, "peers.no_entry", "There is no entry for this server.", map[string]any{"Host": host})
		}
		return p, err
	}
	return p, nil
}

// ByID returns the entry of that number and standing, or fault.NotFound.
func ByID(tx *store.Tx, id int64, s Standing) (Peer, error) {
	var p Peer
	err := tx.Where("id = ? AND standing = ?", id, s).Take(&p).Error
	return p, err
}

// Entries returns a page of the entries of a standing, the newest first.
func Entries(tx *store.Tx, s Standing, page store.Page) ([]Peer, error) {
	return store.FindOn[Peer](tx.Model(&Peer{}).Where("peers.standing = ?", s), page, "peers.id")
}

// Allow admits a server by its exact name: a name below it is another server.
// by is who decided, 0 for the command line. It takes effect with the commit,
// and what waited for the server goes out.
func Allow(tx *store.Tx, by int64, host string, e Entry) (Peer, error) {
	host, err := Normalise(tx, host)
	if err != nil {
		return Peer{}, err
	}
	var form fault.Check
	e.check(&form)
	if e.Subtree {
		checkSubtree(host, &form)
	}
	above, err := blockAbove(tx, host)
	if err != nil {
		return Peer{}, err
	}
	if above != "" {
		form.Add("host", "peers.blocked_above", fmt.Sprintf("%s is blocked, and a block covers every name below it. Remove that block first.", above),
			map[string]any{"Host": above})
	}
	if err := form.Err(); err != nil {
		return Peer{}, err
	}
	before, err := Get(tx, host)
	if e.ExpiresAt != nil && before.ExpiresAt != nil && before.over(tx.Now) && e.ExpiresAt.Equal(*before.ExpiresAt) {
		e.ExpiresAt = nil // it was only kept, and would end what is begun anew
	}
	if err == nil && before.Standing == Retired { // what was put aside is taken up again
		if _, err := Resume(tx, by, host, Ending{Reason: e.Reason}); err != nil {
			return Peer{}, err
		}
	} else if err != nil && !fault.Is(err, fault.NotFound) {
		return Peer{}, err
	}
	p, err := put(tx, by, host, Allowed, e)
	if err != nil || e.Source == SourceHandshake || e.Source == SourceInvitation { // whose request is being answered
		return p, err
	}
	return p, answerWaiting(tx, by, p)
}

// Block refuses a server and every name below it in both directions, and hides
// what its people wrote. No post is deleted, so that Remove brings them back;
// follows are for community.BlockHost to end.
func Block(tx *store.Tx, by int64, host string, e Entry) (Peer, error) {
	host, err := Normalise(tx, host)
	if err != nil {
		return Peer{}, err
	}
	e.Policy, e.ExpiresAt, e.Subtree = &Policy{}, nil, true
	*e.Policy = FullPolicy(CeilingNone)
	var form fault.Check
	e.check(&form)
	if e.Reason == "" && !e.Unexplained {
		before, err := Get(tx, host)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return Peer{}, err
		}
		if e.Reason = before.Reason; before.Standing != Blocked || e.Reason == "" {
			form.Add("reason", "peers.reason_missing", "Say why: the reason stays in the log.", nil)
		}
	}
	if strings.HasSuffix(tx.Site.Host, "."+host) {
		form.Add("host", "peers.block_own", fmt.Sprintf("A block of %s would cover this server too.", host), map[string]any{"Host": host})
	}
	if err := form.Err(); err != nil {
		return Peer{}, err
	}
	return put(tx, by, host, Blocked, e)
}

// Remove makes a server unknown again. An allowed one hears nothing more, and
// what is known of it stays; a blocked one's posts can be seen again.
func Remove(tx *store.Tx, by int64, host, reason string) error {
	host, err := Normalise(tx, host)
	if err != nil {
		return err
	}
	before, err := Get(tx, host)
	if err != nil {
		return err
	}
	if err := tx.Exec("DELETE FROM peers WHERE host = ?", host).Error; err != nil {
		return err
	}
	if err := SayEnded(tx, host, reason); err != nil {
		return err
	}
	if err := markBlocked(tx, host); err != nil {
		return err
	}
	tx.AnnounceKey(Changed, host)
	return Record(tx, Line{ActorID: actor(by), Action: "peer.remove", Subject: host, Before: before.String(), Reason: reason})
}

// put writes an entry, its effect on what may be read, and its line in the log.
func put(tx *store.Tx, by int64, host string, s Standing, e Entry) (Peer, error) {
	before, err := Get(tx, host)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Peer{}, err
	}
	p := Peer{Host: host, ID: tx.NewShortID(), Standing: s, Subtree: e.Subtree, Label: e.Label, SortName: sortName(e.Label, host), Kind: e.Kind, PublicNote: e.PublicNote, Note: e.Note,
		Reason: e.Reason, Source: e.Source, Policy: *e.Policy, TheirView: ViewUnknown, ReviewOn: e.ReviewOn, ExpiresAt: e.ExpiresAt,
		ChangedBy: actor(by), CreatedAt: tx.Now, ChangedAt: tx.Now}
	if before.Host != "" {
		p.keepLearned(before)
		p.CreatedAt = before.CreatedAt
		if p.Source == SourceManual {
			p.Source = before.Source
		}
	}
	if before.Host == "" { // what waited when it was taken off waits still
		err := tx.Raw("SELECT EXISTS (SELECT 1 FROM held_items WHERE peer = ? AND decision = '')", host).Scan(&p.Holding).Error
		if err != nil {
			return p, err
		}
	}
	if s == Allowed && p.Preset == PresetTrial && p.ExpiresAt == nil {
		p.ExpiresAt = dueIn(tx, TrialFor)
	}
	if err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "host"}}, UpdateAll: true}).Create(&p).Error; err != nil {
		return p, err
	}
	if err := confirm(tx, p.ID, host, RoleMain); err != nil {
		return p, err
	}
	if err := Seen(tx, host); err != nil {
		return p, err
	}
	if err := markBlocked(tx, host); err != nil {
		return p, err
	}
	if s == Allowed { // to be met now, whatever was tried before
		err := tx.Exec("UPDATE hosts SET meet_tries = 0, meet_next_at = NULL, refused_in = 0, refused_in_at = NULL WHERE host = ?", host).Error
		if err != nil {
			return p, err
		}
	}
	if s == Allowed {
		if err := WakeLists(tx, host); err != nil {
			return p, err
		}
	}
	action := "peer.allow"
	if s == Blocked {
		action = "peer.block"
		if err := dropRequests(tx, host); err != nil {
			return p, err
		}
		if err := SayEnded(tx, host, ""); err != nil {
			return p, err
		}
	}
	tx.AnnounceKey(Changed, host)
	return p, Record(tx, Line{ActorID: actor(by), Action: action, Subject: host, Before: before.String(), After: p.String(), Reason: e.Reason})
}

// keepLearned takes over what was learned of a peer, or waits of it, whatever is
// decided about it.
func (p *Peer) keepLearned(now Peer) {
	p.ID, p.TheirView, p.TheirViewAt, p.TheirHint, p.KeyHash, p.Holding = now.ID, now.TheirView, now.TheirViewAt, now.TheirHint, now.KeyHash, now.Holding
}

// blockAbove returns the blocked domain above a host, or "".
func blockAbove(tx *store.Tx, host string) (string, error) {
	var above []string
	err := tx.Model(&Peer{}).Where("host IN ? AND standing = ?", withParents(host)[1:], Blocked).Limit(1).Pluck("host", &above).Error
	if err != nil || len(above) == 0 {
		return "", err
	}
	return above[0], nil
}

// Limits of what is written down about a server, in bytes.
const (
	maxLabel = 200
	maxNote  = 4000
)

func (e *Entry) check(form *fault.Check) {
	e.Label, e.Note, e.Reason, e.PublicNote = strings.TrimSpace(e.Label), strings.TrimSpace(e.Note), strings.TrimSpace(e.Reason), strings.TrimSpace(e.PublicNote)
	if e.Policy == nil {
		if e.Ceiling == "" {
			e.Ceiling = CeilingNetwork
		}
		full := FullPolicy(e.Ceiling)
		e.Policy = &full
	}
	e.checkKind(form)
	if len(e.Label) > maxLabel {
		form.Add("label", "peers.label_long", "The name for this server is too long: 200 characters at most.", nil)
	}
	if len(e.Note) > maxNote {
		form.Add("note", "peers.note_long", "The note is too long: 4000 characters at most.", nil)
	}
	if len(e.Reason) > maxNote {
		form.Add("reason", "peers.reason_long", "The reason is too long: 4000 characters at most.", nil)
	}
	if len(e.PublicNote) > maxNote {
		form.Add("public_note", "peers.note_long", "The note is too long: 4000 characters at most.", nil)
	}
	if !e.Policy.Ceiling.Valid() {
		form.Add("ceiling", "peers.ceiling_invalid", "Choose what may be sent to this server: nothing, public posts, network posts or group posts.", nil)
	} else if part, ok := e.Policy.Valid(); !ok {
		form.Add(part, "peers.policy_invalid", "Choose one of the values that are offered.", nil)
	}
}

// SetMode decides what happens to unknown servers. Opening the server to all
// of them asks for its name to be typed, since it cannot be taken back for
// what has been sent by then.
func SetMode(tx *store.Tx, by int64, mode Mode, confirm string) error {
	if mode != Allowlist && mode != Open {
		return fault.Invalidf("mode", "Choose one of the two modes.").WithKey("peers.mode_invalid", nil)
	}
	var site struct {
		Name, Host string
		Mode       Mode
	}
	if err := tx.Raw("SELECT name, host, mode FROM site WHERE id = 1").Scan(&site).Error; err != nil {
		return err
	}
	if site.Mode == mode {
		return nil
	}
	if site.Name == "" {
		site.Name = site.Host
	}
	if mode == Open && strings.TrimSpace(confirm) != site.Name {
		return fault.Invalidf("confirm", "To open this server to every other one, type its name: %s", site.Name).
			WithKey("peers.mode_confirm", map[string]any{"Name": site.Name})
	}
	if err := tx.Exec("UPDATE site SET mode = ?, updated_at = ? WHERE id = 1", mode, tx.Now).Error; err != nil {
		return err
	}
	tx.AnnounceKey(Changed, "")
	return Record(tx, Line{ActorID: actor(by), Action: "mode", Subject: "mode", Before: string(site.Mode), After: string(mode)})
}

func actor(by int64) *int64 {
	if by == 0 {
		return nil
	}
	return &by
}
