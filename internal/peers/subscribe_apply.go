package peers

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm/clause"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// SubEntry is what a list says of a server.
type SubEntry struct {
	SubID       int64
	Host        string
	Label       string
	Tier        Preset
	Subtree     bool
	Deny        bool
	Note        string
	ExpiresAt   *time.Time
	PausedAt    *time.Time // since when it is an emergency there
	PauseReason string
	PauseTaken  *time.Time // the emergency that had its effect here
	PausedPeer  *time.Time // when that paused a peer, which then was not touched since
	GoneAt      *time.Time // when it was on the list no more
	SeenAt      time.Time
}

// TableName names the table of entries.
func (SubEntry) TableName() string { return "list_sub_entries" }

// same reports whether two entries say the same of a server; words that decide
// nothing do not count.
func (e SubEntry) same(o SubEntry) bool {
	return e.Tier == o.Tier && e.Subtree == o.Subtree && e.Deny == o.Deny && sameMoment(e.ExpiresAt, o.ExpiresAt)
}

// opKind is what a list changes about a server. The order is that in which it
// is done: an emergency does not wait for the rest.
type opKind int

const (
	opPause  opKind = iota // an emergency begins
	opCalm                 // an emergency is over
	opAdd                  // the server is on the list
	opChange               // the list says something else of it
	opAgain                // it says the same, and other rules hold here
	opTouch                // in words alone
	opGone                 // it is on the list no more
)

type listOp struct {
	kind  opKind
	entry SubEntry // as it is from now on
}

// listDiff says what changed from what is known of a list to what it says now.
// again asks about what it says as before, too.
func listDiff(known map[string]SubEntry, says []SubEntry, again bool, now time.Time) []listOp {
	var ops []listOp
	listed := make(map[string]bool, len(says))
	for _, e := range says {
		if listed[e.Host] {
			continue // the first counts
		}
		listed[e.Host] = true
		old, there := known[e.Host]
		e.PauseTaken, e.PausedPeer = old.PauseTaken, old.PausedPeer
		pausing := e.PausedAt != nil
		if pausing && old.PausedAt != nil && !e.PausedAt.After(*old.PausedAt) {
			e.PausedAt = old.PausedAt
		}
		calm := !pausing && there && old.PausedAt != nil && old.GoneAt == nil
		switch {
		case pausing && (e.PauseTaken == nil || e.PausedAt.After(*e.PauseTaken)):
			ops = append(ops, listOp{opPause, e})
		case calm:
			ops = append(ops, listOp{opCalm, e})
		}
		switch {
		case !there || old.GoneAt != nil:
			ops = append(ops, listOp{opAdd, e})
		case !e.same(old):
			ops = append(ops, listOp{opChange, e})
		case again, calm: // what was not proposed in an emergency is now
			ops = append(ops, listOp{opAgain, e})
		case e.Label != old.Label || e.Note != old.Note || e.PauseReason != old.PauseReason:
			ops = append(ops, listOp{opTouch, e})
		}
	}
	for _, old := range known {
		if old.GoneAt == nil && !listed[old.Host] {
			old.GoneAt = &now
			ops = append(ops, listOp{opGone, old})
		}
	}
	slices.SortStableFunc(ops, func(a, b listOp) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.entry.Host, b.entry.Host))
	})
	return ops
}

// isMass reports whether so many of a number of entries are a mass change.
func isMass(n, of int) bool { return n >= massLeast && n*100 > of*massPercent }

// Fetched is a list as it was got, its proof verified.
type Fetched struct {
	File      ListFile
	KeyPEM    string // that signed it; "" for a list without a proof
	Publisher string
	Digest    string // of its bytes
	ETag      string
	Modified  string
}

// Change is what a list changes, to be done in pieces.
type Change struct {
	sub      Subscription
	ops      []listOp
	fetched  Fetched
	selfAdds bool // what is added takes effect by itself
	partly   bool // the emergencies alone: the rest is stopped
	through  bool // a person let it through
}

// ArriveList judges a list that was fetched: whether it is signed as it must be,
// whether a person must look at it first, and what it changes. nil is nothing.
func ArriveList(tx *store.Tx, id int64, f Fetched) (*Change, error) {
	s, err := SubscriptionByID(tx, id)
	if err != nil {
		return nil, err
	}
	if s.State != SubAsked && s.State != SubActive {
		return nil, nil // stopped meanwhile
	}
	says := statements(tx, s, f.File)
	set := map[string]any{"name": f.File.Name, "about": "", "format": f.File.Format, "publisher": f.Publisher, "entries": len(says), "error": "", "failures": 0}
	if s.State == SubAsked {
		switch {
		case f.KeyPEM == "":
			s.State = SubActive
			set["auto_accept"], set["auto_resume"] = false, false
			s.AutoAccept = false
		case s.Pin != "" && tidyPrint(KeyPrint(f.KeyPEM)) == s.Pin:
			s.State, s.KeyPEM = SubActive, f.KeyPEM
			set["key_pem"] = f.KeyPEM
		default:
			set["new_key_pem"], set["next_at"] = f.KeyPEM, nil
			s.State = SubConfirm
			if s.Pin != "" {
				set["error"] = "peerlist.print_differs"
			}
		}
		set["state"] = s.State
		if s.State == SubConfirm {
			return nil, tx.Model(&Subscription{}).Where("id = ?", id).Updates(set).Error
		}
	} else {
		switch {
		case s.Signed() && f.KeyPEM == "":
			return nil, ListFailed(tx, s, "peerlist.not_signed")
		case f.KeyPEM != s.KeyPEM:
			err := tx.Exec("UPDATE list_subs SET state = ?, why = ?, new_key_pem = ?, next_at = NULL, etag = '', modified = '' WHERE id = ?", SubStopped, StopKey, f.KeyPEM, id).Error
			if err != nil {
				return nil, err
			}
			return nil, s.record(tx, 0, "subscription.key_changed", KeyPrint(s.KeyPEM), KeyPrint(f.KeyPEM), "")
		case s.ListedAt != nil && f.File.Updated != nil && f.File.Updated.Before(*s.ListedAt):
			return nil, ListFailed(tx, s, "peerlist.older")
		}
	}
	known, err := subEntries(tx, id)
	if err != nil {
		return nil, err
	}
	live := 0
	for _, e := range known {
		if e.GoneAt == nil {
			live++
		}
	}
	c := &Change{sub: s, fetched: f, ops: listDiff(known, says, s.ETag == lookAgain, tx.Now), selfAdds: s.AutoAccept && f.KeyPEM != ""}
	count := map[opKind]int{}
	for _, op := range c.ops {
		count[op.kind]++
	}
	changed, gone, paused := count[opChange], count[opGone], count[opPause]
	if live > 0 && isMass(count[opAdd], live) && count[opAdd] > massAdded {
		c.selfAdds = false
	}
	// What the list did by itself lately counts with it: many small steps are a
	// mass change, too.
	did, err := didLately(tx, s)
	if err != nil {
		return nil, err
	}
	were := live + len(did[DraftRemove])
	for _, op := range c.ops {
		switch op.kind {
		case opChange, opGone:
			did[DraftChange][op.entry.Host] = true
		case opPause:
			did[DraftPause][op.entry.Host] = true
		}
	}
	for host := range did[DraftRemove] {
		did[DraftChange][host] = true
	}
	c.through = f.Digest != "" && f.Digest == s.LetDigest
	mass := changed+gone > 0 && isMass(len(did[DraftChange]), were)
	massPaused := paused > 0 && isMass(len(did[DraftPause]), were) // of a first version more than a few are: who has just followed it can be asked
	if !c.through && (live > 0 && mass || massPaused) {
		set["state"], set["why"], set["next_at"], set["held_digest"], set["held_changed"], set["held_gone"] = SubStopped, StopMass, nil, f.Digest, changed+paused, gone
		c.partly = true
		c.ops = slices.DeleteFunc(c.ops, func(op listOp) bool { return op.kind != opPause || massPaused })
		if err := s.record(tx, 0, "subscription.mass", "", "", ""); err != nil {
			return nil, err
		}
	}
	set["todo"], set["done"] = len(c.ops), 0
	return c, tx.Model(&Subscription{}).Where("id = ?", id).Updates(set).Error
}

// didLately names the servers with which a list did something by itself, by
// kind, within massWithin and since a person last let a mass change through.
func didLately(tx *store.Tx, s Subscription) (map[DraftKind]map[string]bool, error) {
	since := tx.Now.Add(-massWithin)
	if s.LetAt != nil && s.LetAt.After(since) {
		since = *s.LetAt
	}
	var rows []struct {
		What DraftKind
		Host string
	}
	err := tx.Raw("SELECT DISTINCT what, host FROM list_drafts WHERE sub_id = ? AND state = ? AND by_itself AND applied_at > ? AND what IN ?",
		s.ID, DraftAccepted, since, []DraftKind{DraftChange, DraftRemove, DraftPause}).Scan(&rows).Error
	did := map[DraftKind]map[string]bool{DraftChange: {}, DraftRemove: {}, DraftPause: {}}
	for _, r := range rows {
		did[r.What][r.Host] = true
	}
	return did, err
}

// statements is what a list says, each host in its one form. What is no host of
// another server, is over, or would admit names that anybody can have is left out.
func statements(tx *store.Tx, s Subscription, file ListFile) []SubEntry {
	says := make([]SubEntry, 0, len(file.Entries))
	for _, e := range file.Entries {
		host, err := Normalise(tx, e.Host)
		if err != nil || e.Expires != nil && !e.Expires.After(tx.Now) || e.Severity == SeveritySilence || e.Severity == SeverityNoop || e.Notice != "" || e.Over != 0 {
			continue
		}
		row := SubEntry{SubID: s.ID, Host: host, Label: e.Label, Tier: e.Tier, Subtree: e.Match == MatchSubtree && !e.Deny, Deny: e.Deny, Note: e.Note,
			SeenAt: tx.Now}
		if e.Expires != nil {
			at := store.Millis(*e.Expires)
			row.ExpiresAt = &at
		}
		if row.Subtree {
			var form fault.Check
			if checkSubtree(host, &form); !form.OK() {
				row.Subtree = false
			}
		}
		if e.Emergency && !e.Deny {
			at := tx.Now
			if e.Since != nil && e.Since.Before(at) {
				at = store.Millis(*e.Since)
			}
			row.PausedAt, row.PauseReason = &at, e.Reason
			if row.PauseReason == "" {
				row.PauseReason = e.Note
			}
		}
		says = append(says, row)
	}
	return says
}

func subEntries(tx *store.Tx, id int64) (map[string]SubEntry, error) {
	var rows []SubEntry
	if err := tx.Where("sub_id = ?", id).Find(&rows).Error; err != nil {
		return nil, err
	}
	known := make(map[string]SubEntry, len(rows))
	for _, r := range rows {
		known[r.Host] = r
	}
	return known, nil
}

// applyAtOnce is how many changes one transaction makes.
const applyAtOnce = 200

// Next makes the next of the changes, and reports whether there are more. It
// does nothing more once the subscription was stopped or ended.
func (c *Change) Next(tx *store.Tx) (more bool, err error) {
	s, err := SubscriptionByID(tx, c.sub.ID)
	if err != nil {
		return false, err
	}
	if s.State != SubActive && !(c.partly && s.State == SubStopped) {
		c.ops = nil
		return false, nil
	}
	n := min(applyAtOnce, len(c.ops))
	if n > 0 {
		kind := c.ops[0].kind // those of one kind: a host is in a piece once
		for i, op := range c.ops[:n] {
			if op.kind != kind {
				n = i
				break
			}
		}
		if err := c.apply(tx, s, c.ops[:n]); err != nil {
			return false, err
		}
	}
	left := c.ops[n:]
	set := map[string]any{"done": s.Todo - int64(len(left))}
	if len(left) == 0 {
		set["todo"], set["done"] = 0, 0
	}
	if len(left) == 0 && !c.partly {
		set["ok_at"], set["next_at"] = tx.Now, tx.Now.Add(s.poll())
		set["etag"], set["modified"], set["let_digest"] = c.fetched.ETag, c.fetched.Modified, ""
		if u := c.fetched.File.Updated; u != nil {
			set["listed_at"] = store.Millis(*u)
		}
		if c.through {
			set["let_at"] = tx.Now
		}
	} else if !c.partly {
		set["next_at"] = tx.Now.Add(claimFor)
	}
	if err := tx.Model(&Subscription{}).Where("id = ?", s.ID).Updates(set).Error; err != nil {
		return false, err
	}
	tx.AfterCommit(func() { c.ops = left })
	return len(left) > 0, nil
}

// ground is what is known about the hosts of some changes.
type ground struct {
	s        Subscription
	peers    map[string]Peer
	excluded map[string]bool
	decided  map[string]Decision
	others   map[string][]vote // what other lists say
	applied  map[string]Draft  // the last that came of a list
	drafted  map[string]bool   // hosts about which this list has proposed something
	open     []int64           // its proposals that wait for a decision
	byHand   map[string]bool   // and those about which a person decided otherwise
	ended    map[int64]bool    // lists of those that are followed no more
	software map[string]string
}

// vote is what another list says of a host.
type vote struct {
	SubID       int64
	Host        string
	Tier        Preset
	Deny        bool
	PausedAt    *time.Time
	Priority    int64
	QuorumGroup string
	Quorum      int64
	TierCap     Preset
	URL         string `gorm:"column:url"`
	SubHost     string
	Signed      bool
}

// voice is who speaks through a list: whoever signs it is its server, whatever
// its address, and a list without a proof is the document at its address.
// However many addresses one voice has, in a quorum it counts once.
func voice(signed bool, host, address string) string {
	if signed {
		return host
	}
	address, _, _ = strings.Cut(address, "?")
	return strings.TrimRight(address, "/")
}

func (v vote) voice() string { return voice(v.Signed, v.SubHost, v.URL) }

func lookAround(tx *store.Tx, s Subscription, hosts []string) (*ground, error) {
	g := &ground{s: s, peers: map[string]Peer{}, excluded: map[string]bool{}, others: map[string][]vote{}, applied: map[string]Draft{},
		drafted: map[string]bool{}, byHand: map[string]bool{}, ended: map[int64]bool{}, software: map[string]string{}}
	var rows []Peer
	if err := tx.Where("host IN ?", hosts).Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, p := range rows {
		g.peers[p.Host] = p
	}
	var excluded []string
	if err := tx.Raw("SELECT host FROM list_excludes WHERE host IN ?", hosts).Scan(&excluded).Error; err != nil {
		return nil, err
	}
	for _, h := range excluded {
		g.excluded[h] = true
	}
	var err error
	if g.decided, err = Decide(tx, hosts); err != nil {
		return nil, err
	}
	var votes []vote
	err = tx.Raw(`SELECT e.sub_id, e.host, e.tier, e.deny, e.paused_at, s.priority, s.quorum_group, s.quorum, s.tier_cap, s.url, s.host AS sub_host, s.key_pem <> '' AS signed
		FROM list_sub_entries e JOIN list_subs s ON s.id = e.sub_id
		WHERE e.host IN ? AND e.sub_id <> ? AND e.gone_at IS NULL AND (e.expires_at IS NULL OR e.expires_at > ?) AND s.state IN ('active', 'stopped')`,
		hosts, s.ID, tx.Now).Scan(&votes).Error
	if err != nil {
		return nil, err
	}
	for _, v := range votes {
		g.others[v.Host] = append(g.others[v.Host], v)
	}
	var drafts []Draft
	if err := tx.Where("host IN ?", hosts).Order("id").Find(&drafts).Error; err != nil {
		return nil, err
	}
	subs := map[int64]bool{}
	for _, d := range drafts {
		switch {
		case d.State == DraftAccepted && d.AppliedAt != nil:
			g.applied[d.Host], subs[d.SubID] = d, true
			if d.What == DraftAllow && g.peers[d.Host].Host == "" { // somebody took it off
				g.byHand[d.Host] = true
			}
		case d.State == DraftRejected || d.State == DraftUndone:
			g.byHand[d.Host] = true
		}
		if d.SubID == s.ID && (d.What == DraftAllow || d.What == DraftChange || d.What == DraftBlock) {
			g.drafted[d.Host] = true
		}
		if d.SubID == s.ID && (d.State == DraftOpen || d.State == DraftFailed) && (d.What == DraftAllow || d.What == DraftChange || d.What == DraftBlock || d.What == DraftRemove) {
			g.open = append(g.open, d.ID)
		}
	}
	var ended []int64
	if len(subs) > 0 {
		var ids []int64
		for id := range subs {
			ids = append(ids, id)
		}
		if err := tx.Raw("SELECT id FROM list_subs WHERE id IN ? AND state = 'ended'", ids).Scan(&ended).Error; err != nil {
			return nil, err
		}
	}
	for _, id := range ended {
		g.ended[id] = true
	}
	known, err := HostsByName(tx, hosts)
	for host, k := range known {
		g.software[host] = k.Software
	}
	return g, err
}

// ours reports whether what holds for a host came of a list and was not touched
// by anybody since: a decision of a person always counts more.
func (g *ground) ours(host string) bool {
	p, d := g.peers[host], g.applied[host]
	return p.Source == SourceList && d.AppliedAt != nil && (d.AppliedAt.Equal(p.ChangedAt) || p.Standing == Expired && p.ChangedBy == nil)
}

// counts reports whether enough lists name a host, with the narrowest preset
// that those give which are counted together.
func (g *ground) counts(e SubEntry) (Preset, bool) {
	tier := capped(e.Tier, g.s.TierCap)
	if g.s.QuorumGroup == "" || g.s.Quorum <= 1 {
		return tier, true
	}
	voices := map[string]bool{voice(g.s.Signed(), g.s.Host, g.s.URL): true}
	for _, v := range g.others[e.Host] {
		if v.QuorumGroup != g.s.QuorumGroup || v.Deny != e.Deny {
			continue
		}
		voices[v.voice()] = true
		if t := capped(v.Tier, v.TierCap); tierRank(t) < tierRank(tier) {
			tier = t
		}
	}
	return tier, int64(len(voices)) >= g.s.Quorum
}

// vouched reports whether a host stays on enough other lists.
func (g *ground) vouched(host string, deny bool) bool {
	groups := map[string]map[string]bool{}
	for _, v := range g.others[host] {
		if v.Deny != deny {
			continue
		}
		if v.QuorumGroup == "" || v.Quorum <= 1 {
			return true
		}
		if groups[v.QuorumGroup] == nil {
			groups[v.QuorumGroup] = map[string]bool{}
		}
		if groups[v.QuorumGroup][v.voice()] = true; int64(len(groups[v.QuorumGroup])) >= v.Quorum {
			return true
		}
	}
	return false
}

// apply makes changes of one kind, each of another host.
func (c *Change) apply(tx *store.Tx, s Subscription, ops []listOp) error {
	hosts := make([]string, len(ops))
	for i, op := range ops {
		hosts[i] = op.entry.Host
	}
	g, err := lookAround(tx, s, hosts)
	if err != nil {
		return err
	}
	rows := make([]SubEntry, len(ops))
	var drafts []Draft
	for i := range ops {
		e := &ops[i].entry
		var d *Draft
		switch ops[i].kind {
		case opPause:
			d, err = g.pause(tx, e)
		case opCalm:
			d, err = g.calm(tx, e)
		case opAdd, opChange:
			d = g.propose(tx, *e)
		case opAgain:
			if !g.drafted[e.Host] {
				d = g.propose(tx, *e)
			}
		case opGone:
			d = g.gone(tx, *e)
		}
		if err != nil {
			return err
		}
		if d != nil {
			drafts = append(drafts, *d)
		}
		rows[i] = *e
	}
	kind := ops[0].kind
	update := clause.AssignmentColumns([]string{"label", "tier", "subtree", "deny", "note", "expires_at", "paused_at", "pause_reason", "gone_at", "seen_at"})
	if kind == opPause || kind == opCalm { // which alone say what an emergency did here
		update = append(update, clause.AssignmentColumns([]string{"pause_taken", "paused_peer"})...)
	}
	for part := range slices.Chunk(rows, 100) {
		err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "sub_id"}, {Name: "host"}}, DoUpdates: update}).Create(&part).Error
		if err != nil {
			return err
		}
	}
	if (kind == opGone || kind == opChange || kind == opAdd) && len(g.open) > 0 { // by their numbers: by host, a database may go through all that waits
		if err := tx.Exec("DELETE FROM list_drafts WHERE id IN ? AND state IN ('open', 'failed')", g.open).Error; err != nil {
			return err
		}
	}
	self := c.selfAdds && (kind == opAdd || kind == opChange || kind == opAgain) || s.Signed() && s.OnRetract == RetractRemove && kind == opGone
	for i := range drafts {
		d := &drafts[i]
		if d.State == DraftOpen && self && d.What != DraftBlock && !g.byHand[d.Host] {
			d.ByItself = true
			if err := d.carryOut(tx, 0, s, g.peers[d.Host], g.software[d.Host], nil); err != nil {
				return err
			}
		}
	}
	for part := range slices.Chunk(drafts, 100) {
		if err := tx.Create(&part).Error; err != nil {
			return err
		}
	}
	return nil
}

func (g *ground) draft(tx *store.Tx, what DraftKind, e SubEntry) *Draft {
	return &Draft{ID: tx.NewID(), SubID: g.s.ID, Host: e.Host, What: what, State: DraftOpen, Label: e.Label, Tier: e.Tier, Subtree: e.Subtree, Note: e.Note,
		ExpiresAt: e.ExpiresAt, CreatedAt: tx.Now}
}

// propose says what follows from a server being on the list, if anything.
func (g *ground) propose(tx *store.Tx, e SubEntry) *Draft {
	peer, has := g.peers[e.Host]
	tier, enough := g.counts(e)
	switch {
	case g.excluded[e.Host] || !enough || g.decided[e.Host].Standing == Blocked:
		return nil
	case e.Deny:
		return g.draft(tx, DraftBlock, e)
	case e.PausedAt != nil: // nobody is connected with an emergency; it is proposed when that is over
		return nil
	}
	for _, v := range g.others[e.Host] {
		if v.Deny || v.Priority > g.s.Priority {
			return nil // deny counts more than allow, and that list more than this one
		}
	}
	d := g.draft(tx, DraftAllow, e)
	d.Tier = tier
	if !has {
		return d
	}
	d.What = DraftChange
	last := g.applied[e.Host]
	switch {
	case !g.ours(e.Host):
		return nil
	case g.ended[last.SubID] && !g.s.Adopt:
		return nil
	case peer.Standing == Allowed && peer.Preset == tier && peer.Subtree == e.Subtree && sameMoment(peer.ExpiresAt, e.ExpiresAt):
		if !g.ended[last.SubID] {
			return nil
		}
		// adopted: from now on this list speaks for it
		d.What, d.State, d.ByItself, d.Before, d.AppliedAt, d.DecidedAt = DraftAllow, DraftAccepted, true, last.Before, last.AppliedAt, &tx.Now
		return d
	case peer.Standing != Allowed && peer.Standing != Expired:
		return nil
	}
	return d
}

// gone says what follows from a server being on the list no more, if anything.
func (g *ground) gone(tx *store.Tx, e SubEntry) *Draft {
	peer, last := g.peers[e.Host], g.applied[e.Host]
	switch {
	case g.s.OnRetract == RetractIgnore || g.excluded[e.Host] || g.vouched(e.Host, e.Deny) || !g.ours(e.Host):
		return nil
	case last.SubID != g.s.ID && g.s.QuorumGroup == "":
		return nil // another list brought it here
	case !e.Deny && peer.Standing != Allowed && peer.Standing != Paused || e.Deny && peer.Standing != Blocked:
		return nil
	}
	return g.draft(tx, DraftRemove, e)
}

// pause has an emergency take its effect, on whatever brought the server here.
// It does so once: who resumes it knows better.
func (g *ground) pause(tx *store.Tx, e *SubEntry) (*Draft, error) {
	e.PauseTaken, e.PausedPeer = e.PausedAt, nil
	err := tx.Exec("DELETE FROM list_drafts WHERE sub_id = ? AND host = ? AND state IN ('open', 'failed') AND what = 'allow'", g.s.ID, e.Host).Error
	if err != nil {
		return nil, err
	}
	decision := g.decided[e.Host]
	if !decision.Admitted || decision.Peer == "" || !g.s.Signed() {
		return nil, nil
	}
	d := g.draft(tx, DraftPause, *e)
	d.Reason = e.PauseReason
	if g.excluded[e.Host] || g.excluded[decision.Peer] {
		return d, nil
	}
	before, err := Get(tx, decision.Peer)
	if err != nil {
		return nil, err
	}
	d.Host, d.ByItself = decision.Peer, true
	if err := d.carryOut(tx, 0, g.s, before, "", nil); err != nil {
		return nil, err
	}
	e.PausedPeer = d.AppliedAt
	return d, nil
}

// calm is that an emergency is over. What it paused may go on at once if nobody
// has decided anything since and the subscription says so; else it is offered.
func (g *ground) calm(tx *store.Tx, e *SubEntry) (*Draft, error) {
	paused := e.PausedPeer
	e.PausedAt, e.PausedPeer, e.PauseReason = nil, nil, ""
	for _, v := range g.others[e.Host] {
		if v.PausedAt != nil {
			return nil, nil
		}
	}
	err := tx.Exec("DELETE FROM list_drafts WHERE sub_id = ? AND host = ? AND state = 'open' AND what IN ('pause', 'resume')", g.s.ID, e.Host).Error
	if err != nil {
		return nil, err
	}
	peer := g.peers[g.decided[e.Host].Peer]
	if peer.Host == "" {
		peer = g.peers[e.Host]
	}
	if peer.Host == "" || peer.Standing != Paused || paused == nil {
		return nil, nil
	}
	d := g.draft(tx, DraftResume, *e)
	d.Host = peer.Host
	if g.s.AutoResume && g.s.Signed() && peer.ChangedAt.Equal(*paused) && !g.excluded[e.Host] {
		d.ByItself = true
		return d, d.carryOut(tx, 0, g.s, peer, "", nil)
	}
	return d, nil
}

// asBefore is a peer as a draft keeps it, to be restored.
func asBefore(p Peer) string {
	if p.Host == "" {
		return ""
	}
	b, err := json.Marshal(p)
	if err != nil { // strings, numbers and moments: cannot fail
		return ""
	}
	return string(b)
}
