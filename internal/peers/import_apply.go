package peers

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm/clause"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// ApplyImport has a draft take effect. It is done piece by piece by ImportMore.
func ApplyImport(tx *store.Tx, by, id int64, c ImportChoice) (Import, error) {
	im, err := ImportByID(tx, id)
	if err != nil {
		return im, err
	}
	if im.State != ImportDraft {
		return im, notNow()
	}
	tallies, err := PileCounts(tx, id)
	if err != nil {
		return im, err
	}
	var form fault.Check
	opens := slices.ContainsFunc(tallies, func(t PileCount) bool {
		return t.Deed == DeedAllow && (t.Pile == PileNew || c.Conflicts.Takes(t.Why) && t.Why == "import.is_blocked")
	})
	if opens && !(c.Preset == PresetOfFile && im.Format.Tiers()) && !slices.Contains(Presets(), Preset(c.Preset)) {
		form.Add("preset", "import.choose_preset", "Choose how close the new servers are to be.", nil)
	}
	if c.Conflicts != ConflictsKeep && c.Conflicts != ConflictsStricter && c.Conflicts != ConflictsFile {
		form.Add("conflicts", "import.choose_conflicts", "Choose what becomes of the conflicts.", nil)
	}
	if err := form.Err(); err != nil {
		return im, err
	}
	res := tx.Exec("UPDATE peer_import_entries SET state = ? WHERE import_id = ? AND (pile = ? OR pile = ? AND why IN ?)",
		EntryTodo, id, PileNew, PileConflict, append(c.Conflicts.takeable(), "-"))
	if res.Error != nil {
		return im, res.Error
	}
	if res.RowsAffected == 0 {
		return im, fault.Keyed(fault.Invalid, "import.nothing", "There is nothing in this import to be decided.", nil)
	}
	im.State, im.Preset, im.Conflicts, im.Total, im.Done = ImportApplying, c.Preset, c.Conflicts, res.RowsAffected, 0
	im.AppliedAt, im.UndoUntil = &tx.Now, dueIn(tx, UndoFor)
	err = tx.Model(&Import{}).Where("id = ?", id).Select("State", "Preset", "Conflicts", "Total", "Done", "AppliedAt", "UndoUntil").Updates(&im).Error
	if err != nil {
		return im, err
	}
	if err := note(tx, by, "import.apply", im); err != nil {
		return im, err
	}
	return im, leave(tx, strconv.FormatInt(id, 10), choreImport, tx.Now)
}

// note writes a line about an import as a whole. Its servers have lines of their own.
func note(tx *store.Tx, by int64, action string, im Import) error {
	b, err := json.Marshal(struct {
		File      string    `json:"file"`
		Digest    string    `json:"sha256"`
		Entries   int64     `json:"entries"`
		Preset    string    `json:"preset,omitempty"`
		Conflicts Conflicts `json:"conflicts"`
	}{im.Name, im.Digest, im.Total, im.Preset, im.Conflicts})
	if err != nil {
		return err
	}
	return Record(tx, Line{ActorID: actor(by), Action: action, Subject: "import " + strconv.FormatInt(im.ID, 10), After: string(b)})
}

func notNow() error {
	return fault.Keyed(fault.Conflict, "import.not_now", "This import is not at that point any more. Look at it again.", nil)
}

// UndoImport takes back what an import decided: each server is again as it was
// before, except those that somebody decided about since. It is done piece by
// piece by ImportMore.
func UndoImport(tx *store.Tx, by, id int64) (Import, error) {
	im, err := ImportByID(tx, id)
	if err != nil {
		return im, err
	}
	if im.State != ImportApplied {
		return im, notNow()
	}
	if !im.Undoable(tx.Now) {
		return im, fault.Keyed(fault.Gone, "import.too_late", "An import can be undone for thirty days. Change its servers one by one.", nil)
	}
	im.State, im.Total, im.Done = ImportUndoing, im.Applied, 0
	if err := tx.Model(&Import{}).Where("id = ?", id).Select("State", "Total", "Done").Updates(&im).Error; err != nil {
		return im, err
	}
	if err := note(tx, by, "import.undo", im); err != nil {
		return im, err
	}
	return im, leave(tx, strconv.FormatInt(id, 10), choreImport, tx.Now)
}

// Undoable reports whether an import that was applied can be undone.
func (im Import) Undoable(now time.Time) bool {
	return im.State == ImportApplied && im.UndoUntil != nil && now.Before(*im.UndoUntil) && im.ClosedAt == nil
}

// DiscardImport forgets a draft.
func DiscardImport(tx *store.Tx, id int64) error {
	res := tx.Exec("UPDATE peer_imports SET state = ? WHERE id = ? AND state IN ?", ImportDiscarded, id, []ImportState{ImportDraft, ImportReading})
	if res.Error != nil {
		return res.Error
	}
	if res.RowsAffected == 0 {
		return notNow()
	}
	return tx.Exec("DELETE FROM peer_import_entries WHERE import_id = ?", id).Error
}

// byHand holds for an entry e whose server somebody decided about since the
// import did, as the log tells. What the server does by itself is no such
// decision: it writes down that a time is over, and narrows what is meant for
// some software.
const byHand = `(NOT EXISTS (SELECT 1 FROM peers p WHERE p.host = e.host) OR EXISTS (SELECT 1 FROM audit l WHERE l.subject = e.host AND l.id > e.after_id
	AND l.action IN ('peer.allow', 'peer.block', 'peer.remove', 'peer.change', 'peer.pause', 'peer.resume', 'peer.retire', 'peer.purge', 'peer.unpurge', 'peer.accept')
	AND NOT (l.actor_id IS NULL AND l.action = 'peer.change' AND l.reason LIKE '% is known to show closed posts to more people than they are for.')))`

// ByHand counts what undoing an import would leave alone.
func ByHand(tx *store.Tx, id int64) (n int64, err error) {
	err = tx.Raw("SELECT COUNT(*) FROM peer_import_entries e WHERE e.import_id = ? AND e.state = ? AND "+byHand, id, EntryDone).Scan(&n).Error
	return n, err
}

// ImportMore does the next piece of an import that is being applied or undone,
// and reports whether there is more.
func ImportMore(tx *store.Tx, id int64) (left bool, err error) {
	im, err := ImportByID(tx, id)
	if fault.Is(err, fault.NotFound) || err == nil && im.State != ImportApplying && im.State != ImportUndoing {
		return false, nil
	} else if err != nil {
		return false, err
	}
	// Whoever else works on it waits here, and sees what is done by then.
	if res := tx.Exec("UPDATE peer_imports SET state = state WHERE id = ? AND state = ?", id, im.State); res.Error != nil || res.RowsAffected == 0 {
		return false, res.Error
	}
	if im, err = ImportByID(tx, id); err != nil {
		return false, err
	}
	from, more := EntryTodo, applyPiece
	if im.State == ImportUndoing {
		from, more = EntryDone, undoPiece
	}
	var entries []ImportEntry
	if err := tx.Where("import_id = ? AND state = ?", id, from).Order("seq").Limit(importPiece).Find(&entries).Error; err != nil {
		return false, err
	}
	if len(entries) > 0 {
		if err := more(tx, &im, entries); err != nil {
			return false, err
		}
		tx.AnnounceKey(Changed, "")
	}
	im.Done += int64(len(entries))
	if left = len(entries) == importPiece; !left {
		if im.State == ImportUndoing {
			im.State, im.UndoneAt = ImportUndone, &tx.Now
		} else {
			im.State = ImportApplied
		}
	}
	return left, tx.Model(&Import{}).Where("id = ?", id).Select("State", "Done", "Applied", "Changed", "UndoneAt").Updates(&im).Error
}

// reason is what the log and the entries say of where a decision came from.
func (im Import) reason() string { return fmt.Sprintf("Import %d: %s", im.ID, im.Name) }

func who(id *int64) int64 {
	if id == nil {
		return 0
	}
	return *id
}

// peersByHost returns the entries of hosts, by name.
func peersByHost(tx *store.Tx, hosts []string) (map[string]Peer, error) {
	found := make(map[string]Peer, len(hosts))
	for part := range chunks(hosts, 400) {
		var rows []Peer
		if err := tx.Where("host IN ?", part).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, p := range rows {
			found[p.Host] = p
		}
	}
	return found, nil
}

func hostsIn(entries []ImportEntry) []string {
	hosts := make([]string, len(entries))
	for i, e := range entries {
		hosts[i] = e.Host
	}
	return hosts
}

func seqs(entries []ImportEntry) []int64 {
	out := make([]int64, len(entries))
	for i, e := range entries {
		out[i] = e.Seq
	}
	return out
}

// applyPiece decides about the servers of some entries. New refusals, of which
// there may be very many, are written together; all else goes the way of a
// decision on the server's own page.
func applyPiece(tx *store.Tx, im *Import, entries []ImportEntry) error {
	hosts := hostsIn(entries)
	now, err := peersByHost(tx, hosts)
	if err != nil {
		return err
	}
	var allows []string
	for _, e := range entries {
		if e.Deed == DeedAllow {
			allows = append(allows, e.Host)
		}
	}
	known, err := HostsByName(tx, allows)
	if err != nil {
		return err
	}
	var blocks []Peer
	var done, changed []ImportEntry
	for _, e := range entries {
		p, exists := now[e.Host]
		if (e.Was == nil) != !exists || exists && !p.ChangedAt.Equal(*e.Was) {
			changed = append(changed, e)
			continue
		}
		if e.Deed == DeedDeny && !exists {
			l := e.Entry()
			policy := FullPolicy(CeilingNone)
			blocks = append(blocks, Peer{Host: e.Host, ID: tx.NewShortID(), Standing: Blocked, Subtree: true, Label: l.Label, PublicNote: l.Note, Note: l.PrivateNote,
				SortName: sortName(l.Label, e.Host), Reason: im.reason(), Source: SourceImport, Policy: policy, TheirView: ViewUnknown, ChangedBy: im.CreatedBy, CreatedAt: tx.Now, ChangedAt: tx.Now})
			done = append(done, e)
			continue
		}
		if exists {
			if err := e.remember(tx, p); err != nil {
				return err
			}
		}
		switch err := im.decide(tx, e, p, known[e.Host].Software); {
		case fault.Is(err, fault.Invalid): // a block above that was made meanwhile
			changed = append(changed, e)
		case err != nil:
			return err
		default:
			done = append(done, e)
		}
	}
	if err := blockAll(tx, blocks); err != nil {
		return err
	}
	im.Applied, im.Changed = im.Applied+int64(len(done)), im.Changed+int64(len(changed))
	if err := setState(tx, im.ID, changed, EntryChanged); err != nil {
		return err
	}
	if len(done) == 0 {
		return nil
	}
	return tx.Exec("UPDATE peer_import_entries SET state = ?, after_id = ? WHERE import_id = ? AND seq IN ?", EntryDone, tx.NewID(), im.ID, seqs(done)).Error
}

// remember writes down an entry as it was before the import changed it.
func (e ImportEntry) remember(tx *store.Tx, p Peer) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return tx.Exec("UPDATE peer_import_entries SET before = ? WHERE import_id = ? AND seq = ?", string(b), e.ImportID, e.Seq).Error
}

// decide does what one entry asks for. p is the entry that there is, or the zero value.
func (im *Import) decide(tx *store.Tx, e ImportEntry, p Peer, software string) error {
	l, by := e.Entry(), who(im.CreatedBy)
	kept := Entry{Label: p.Label, Kind: p.Kind, PublicNote: p.PublicNote, Note: p.Note, Subtree: p.Subtree, ReviewOn: p.ReviewOn, ExpiresAt: p.ExpiresAt, Reason: im.reason(), Source: SourceImport}
	if p.Host != "" {
		kept.Source = p.Source
	}
	// What was written here stays; the file fills what is empty.
	kept.Label, kept.PublicNote, kept.Note = cmp.Or(kept.Label, l.Label), cmp.Or(kept.PublicNote, l.Note), cmp.Or(kept.Note, l.PrivateNote)
	switch e.Deed {
	case DeedDeny:
		if im.Conflicts == ConflictsStricter || l.Emergency {
			_, err := Pause(tx, by, e.Host, Ending{Reason: im.reason()})
			return err
		}
		_, err := Block(tx, by, e.Host, kept)
		return err
	case DeedLimit:
		policy := l.limited(p.Policy)
		kept.Policy = &policy
	default:
		preset := im.Preset
		if p.Standing == Allowed { // it differs in what the file says of it
			preset = PresetOfFile
			if l.Tier == "" {
				policy := p.Policy
				l.narrow(&policy)
				kept.Policy = &policy
			}
		}
		if kept.Policy == nil {
			policy := l.policy(preset, software)
			kept.Policy = &policy
		}
		if l.Match == MatchSubtree {
			kept.Subtree = true
		} else if p.Standing == Blocked {
			kept.Subtree = false
		}
		if l.Expires != nil {
			kept.ExpiresAt = l.Expires
		}
	}
	_, err := Allow(tx, by, e.Host, kept)
	return err
}

// blockAll refuses servers of which there is no entry, as Block does.
func blockAll(tx *store.Tx, blocks []Peer) error {
	if len(blocks) == 0 {
		return nil
	}
	names := make([]Name, len(blocks))
	lines := make([]Line, len(blocks))
	hosts := make([]string, len(blocks))
	for i, p := range blocks {
		names[i] = Name{Host: p.Host, PeerID: p.ID, Role: RoleMain, SeenAt: tx.Now, ConfirmedAt: &tx.Now}
		lines[i] = Line{ActorID: p.ChangedBy, Action: "peer.block", Subject: p.Host, After: p.String(), Reason: p.Reason}
		hosts[i] = p.Host
	}
	if err := tx.CreateInBatches(blocks, 250).Error; err != nil {
		return err
	}
	if err := tx.CreateInBatches(names, 500).Error; err != nil {
		return err
	}
	if err := RecordAll(tx, lines); err != nil {
		return err
	}
	if err := dropRequests(tx, hosts...); err != nil {
		return err
	}
	return remark(tx, hosts, false)
}

// remark brings hosts.blocked up to date for the hosts and what lies below
// them, of those that are marked or not.
func remark(tx *store.Tx, changed []string, marked bool) error {
	var known []string
	if err := tx.Raw("SELECT host FROM hosts WHERE blocked = ?", marked).Scan(&known).Error; err != nil {
		return err
	}
	at := make(map[string]bool, len(changed))
	for _, h := range changed {
		at[h] = true
	}
	known = slices.DeleteFunc(known, func(h string) bool {
		return !slices.ContainsFunc(withParents(h), func(name string) bool { return at[name] })
	})
	if len(known) == 0 {
		return nil
	}
	decided, err := Decide(tx, known)
	if err != nil {
		return err
	}
	var turned []string
	for _, h := range known {
		if (decided[h].Standing == Blocked) != marked {
			turned = append(turned, h)
		}
	}
	for part := range chunks(turned, 400) {
		if err := tx.Exec("UPDATE hosts SET blocked = ? WHERE host IN ?", !marked, part).Error; err != nil {
			return err
		}
	}
	return nil
}

func setState(tx *store.Tx, id int64, entries []ImportEntry, s EntryState) error {
	if len(entries) == 0 {
		return nil
	}
	return tx.Exec("UPDATE peer_import_entries SET state = ? WHERE import_id = ? AND seq IN ?", s, id, seqs(entries)).Error
}

// undoPiece makes the servers of some entries what they were.
func undoPiece(tx *store.Tx, im *Import, entries []ImportEntry) error {
	now, err := peersByHost(tx, hostsIn(entries))
	if err != nil {
		return err
	}
	var since []int64
	err = tx.Raw("SELECT e.seq FROM peer_import_entries e WHERE e.import_id = ? AND e.seq IN ? AND "+byHand, im.ID, seqs(entries)).Scan(&since).Error
	if err != nil {
		return err
	}
	left := make(map[int64]bool, len(since))
	for _, seq := range since {
		left[seq] = true
	}
	by := who(im.CreatedBy)
	reason := "Undone: " + im.reason()
	var alone, undone []ImportEntry
	var gone []string
	var lines []Line
	for _, e := range entries {
		p := now[e.Host]
		if left[e.Seq] {
			alone = append(alone, e)
			continue
		}
		undone = append(undone, e)
		if e.Before == "" {
			gone = append(gone, e.Host)
			lines = append(lines, Line{ActorID: actor(by), Action: "peer.remove", Subject: e.Host, Before: p.String(), Reason: reason})
			continue
		}
		var was Peer
		if err := json.Unmarshal([]byte(e.Before), &was); err != nil {
			return fmt.Errorf("entry %d of import %d: %w", e.Seq, e.ImportID, err)
		}
		if err := restore(tx, by, p, was, reason); err != nil {
			return err
		}
	}
	for part := range chunks(gone, 400) {
		if err := tx.Exec("DELETE FROM peers WHERE host IN ?", part).Error; err != nil {
			return err
		}
		if err := sayEnded(tx, part, ""); err != nil { // whom the import let in may have asked
			return err
		}
	}
	if err := RecordAll(tx, lines); err != nil {
		return err
	}
	if err := remark(tx, gone, true); err != nil {
		return err
	}
	im.Changed += int64(len(alone))
	if err := setState(tx, im.ID, alone, EntryByHand); err != nil {
		return err
	}
	return setState(tx, im.ID, undone, EntryUndone)
}

// restore makes an entry what it was. What was learned of the peer meanwhile stays.
func restore(tx *store.Tx, by int64, now, was Peer, reason string) error {
	p := was
	p.keepLearned(now)
	if err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "host"}}, UpdateAll: true}).Create(&p).Error; err != nil {
		return err
	}
	if err := markBlocked(tx, p.Host); err != nil {
		return err
	}
	action := "peer.allow"
	if p.Standing == Blocked {
		action = "peer.block"
	} else if now.Standing == Paused {
		action = "peer.resume"
	}
	tx.AnnounceKey(Changed, p.Host)
	return Record(tx, Line{ActorID: actor(by), Action: action, Subject: p.Host, Before: now.String(), After: p.String(), Reason: reason})
}
