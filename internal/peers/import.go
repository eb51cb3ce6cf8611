package peers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// Import is a list of servers that an administrator brings in. It begins as a
// draft, in which nothing has been decided; what it decides can be undone as a
// whole for UndoFor.
type Import struct {
	ID        int64 // from 1 on, so that it can be typed
	Name      string
	Format    Format
	Direction Direction
	Digest    string // SHA-256 of the file, in hexadecimal
	State     ImportState
	Preset    string // what was chosen for new peers: a Preset or PresetOfFile
	Conflicts Conflicts

	Fresh       int64 // how many entries each pile has
	Present     int64
	Conflicting int64
	Refused     int64
	Ties        int64 // how many of the servers to be refused have follows with people here

	Total   int64 // of what is being applied or undone
	Done    int64
	Applied int64 // what was decided
	Changed int64 // what was left alone: see EntryChanged and EntryByHand

	CreatedBy *int64 // nil: from the command line
	CreatedAt time.Time
	AppliedAt *time.Time
	UndoUntil *time.Time
	UndoneAt  *time.Time
	ClosedAt  *time.Time // when undoing was over for good
}

// TableName names the table.
func (Import) TableName() string { return "peer_imports" }

// ImportState is how far an import is.
type ImportState string

// The states.
const (
	ImportReading   ImportState = "reading" // its entries are still being written down
	ImportDraft     ImportState = "draft"
	ImportApplying  ImportState = "applying"
	ImportApplied   ImportState = "applied"
	ImportUndoing   ImportState = "undoing"
	ImportUndone    ImportState = "undone"
	ImportDiscarded ImportState = "discarded"
)

// Conflicts is what becomes of entries that say something else than what was
// decided here.
type Conflicts string

// What becomes of them. The middle one never opens anything.
const (
	ConflictsKeep     Conflicts = "keep"     // the decisions here stay
	ConflictsStricter Conflicts = "stricter" // what is connected is paused or limited where the file wants less
	ConflictsFile     Conflicts = "file"     // the file's counts
)

// PresetOfFile has each new peer be what the file says of it.
const PresetOfFile = "file"

const (
	// UndoFor is how long an import can be undone.
	UndoFor = 30 * 24 * time.Hour
	// DraftFor is how long a draft waits for a decision.
	DraftFor = 7 * 24 * time.Hour
	// importPiece is how many entries one transaction decides, importWrite how
	// many a draft's writes down.
	importPiece = 200
	importWrite = 2000
	choreImport = "import"
)

// Pile is where an entry lies in the dry run.
type Pile string

// The piles.
const (
	PileNew      Pile = "new"
	PileThere    Pile = "there"
	PileConflict Pile = "conflict"
	PileRefused  Pile = "refused"
)

// Piles are all of them, in the order of pages.
func Piles() []Pile { return []Pile{PileNew, PileConflict, PileThere, PileRefused} }

// Deed is what an entry asks for.
type Deed string

// The deeds.
const (
	DeedNone  Deed = "" // nothing: see Notice
	DeedAllow Deed = "allow"
	DeedDeny  Deed = "deny"
	DeedLimit Deed = "limit" // a peer is silenced, or its media, answers or reports refused
)

// EntryState is what became of an entry.
type EntryState string

// The states.
const (
	EntryNone    EntryState = ""        // nothing, or not yet
	EntryTodo    EntryState = "todo"    // it was chosen, and its turn comes
	EntryDone    EntryState = "done"    // it was decided
	EntryChanged EntryState = "changed" // it was left alone: somebody decided about the server after the dry run
	EntryUndone  EntryState = "undone"
	EntryByHand  EntryState = "hand" // it was not undone: somebody decided about the server since
)

// ImportEntry is a line of an import.
type ImportEntry struct {
	ImportID int64 `gorm:"primaryKey"`
	Seq      int64 `gorm:"primaryKey"`
	Line     int64
	Host     string // in the one form it is stored in, or as it was written
	Pile     Pile
	Deed     Deed
	Why      string // message key: why it lies in its pile; "" for what is plainly new or there
	About    string // what the message names: another host, or a line
	Says     string // what the file says of it: see Entry
	Ties     bool   // people here follow people there, or the other way round
	State    EntryState
	Was      *time.Time // when the decision that the dry run saw was made; nil: there was none
	Before   string     // the entry that was there, as JSON
	AfterID  int64      // what the log has behind this number came after the import's decision
}

// TableName names the table.
func (ImportEntry) TableName() string { return "peer_import_entries" }

// says is what is kept of a list's entry.
type says struct {
	Label         string      `json:"label,omitempty"`
	Tier          Preset      `json:"tier,omitempty"`
	Subtree       bool        `json:"subtree,omitempty"`
	Note          string      `json:"note,omitempty"`
	PrivateNote   string      `json:"private,omitempty"`
	Expires       *time.Time  `json:"expires,omitempty"`
	Silence       bool        `json:"silence,omitempty"`
	RejectMedia   bool        `json:"reject_media,omitempty"`
	RejectReports bool        `json:"reject_reports,omitempty"`
	Ceiling       Ceiling     `json:"ceiling,omitempty"`
	Hold          Hold        `json:"hold,omitempty"`
	Media         MediaPolicy `json:"media,omitempty"`
	Reports       ReportsIn   `json:"reports,omitempty"`
	Emergency     bool        `json:"emergency,omitempty"`
	Notice        Notice      `json:"notice,omitempty"`
	Refuse        Classes     `json:"refuse,omitempty"`
	Left          string      `json:"left,omitempty"`
}

// Entry is what the file says of the server.
func (e ImportEntry) Entry() ListEntry {
	var s says
	_ = json.Unmarshal([]byte(e.Says), &s) // written here
	l := ListEntry{Host: e.Host, Label: s.Label, Tier: s.Tier, Note: s.Note, PrivateNote: s.PrivateNote, Expires: s.Expires, Deny: e.Deed == DeedDeny && !s.Emergency, Emergency: s.Emergency,
		RejectMedia: s.RejectMedia, RejectReports: s.RejectReports, Ceiling: s.Ceiling, Hold: s.Hold, Media: s.Media, Reports: s.Reports, Line: int(e.Line),
		Notice: s.Notice, Refuse: s.Refuse, Left: s.Left}
	if s.Subtree {
		l.Match = MatchSubtree
	}
	if s.Silence {
		l.Severity = SeveritySilence
	}
	return l
}

// Reason is the message key of why the entry lies in its pile, in words that
// fit what it asks for.
func (e ImportEntry) Reason() string {
	if e.Why == "import.limits_stranger" && e.Entry().Notice != "" {
		return "import.remark_kept"
	}
	return e.Why
}

func (e *ImportEntry) keep(l ListEntry) {
	b, err := json.Marshal(says{l.Label, l.Tier, l.Match == MatchSubtree, l.Note, l.PrivateNote, l.Expires, l.Severity == SeveritySilence, l.RejectMedia, l.RejectReports,
		l.Ceiling, l.Hold, l.Media, l.Reports, l.Emergency && !l.Deny, l.Notice, l.Refuse, l.Left})
	if err == nil && len(b) > 2 {
		e.Says = string(b)
	}
}

// DraftImport reads a list and writes down what would become of each server on
// it. Nothing is decided by it. Name is the file's, for people.
func DraftImport(ctx context.Context, db *store.DB, by int64, name string, list []byte, d Direction) (Import, error) {
	f, err := ReadList(list, d)
	if err != nil {
		return Import{}, err
	}
	digest := sha256.Sum256(list)
	im := Import{Name: cmp.Or(clipped(name, maxLabel), f.Name, string(f.Format)), Format: f.Format, Direction: f.Direction, Digest: hex.EncodeToString(digest[:]),
		State: ImportReading, Conflicts: ConflictsKeep, CreatedBy: actor(by)}
	var entries []ImportEntry
	if err := db.Read(ctx, func(tx *store.Tx) (err error) { entries, err = DryRun(tx, f); return err }); err != nil {
		return im, err
	}
	for _, e := range entries {
		*im.pile(e.Pile)++
		if e.Ties && e.Deed == DeedDeny && e.Pile != PileThere {
			im.Ties++
		}
	}
	err = db.Write(ctx, func(tx *store.Tx) error {
		if err := tx.Raw("SELECT COALESCE(MAX(id), 0) + 1 FROM peer_imports").Scan(&im.ID).Error; err != nil {
			return err
		}
		im.CreatedAt = tx.Now
		return tx.Create(&im).Error
	})
	if err != nil {
		return im, err
	}
	for i := range entries {
		entries[i].ImportID, entries[i].Seq = im.ID, int64(i+1)
	}
	for part := range slices.Chunk(entries, importWrite) { // so that others get their turn to write
		if err := db.Write(ctx, func(tx *store.Tx) error { return insertEntries(tx, part) }); err != nil {
			return im, err
		}
	}
	im.State = ImportDraft
	return im, db.Write(ctx, func(tx *store.Tx) error {
		return tx.Exec("UPDATE peer_imports SET state = ? WHERE id = ? AND state = ?", ImportDraft, im.ID, ImportReading).Error
	})
}

// insertEntries is what gorm's Create does, in a tenth of the time.
func insertEntries(tx *store.Tx, entries []ImportEntry) error {
	const columns = 11
	for part := range slices.Chunk(entries, 500) {
		args := make([]any, 0, len(part)*columns)
		for _, e := range part {
			var was any
			if e.Was != nil {
				was = *e.Was
			}
			args = append(args, e.ImportID, e.Seq, e.Line, e.Host, string(e.Pile), string(e.Deed), e.Why, e.About, e.Says, e.Ties, was)
		}
		values := strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), ", len(part)), ", ")
		if err := tx.Exec("INSERT INTO peer_import_entries (import_id, seq, line, host, pile, deed, why, about, says, ties, was) VALUES "+values, args...).Error; err != nil {
			return err
		}
	}
	return nil
}

func (im *Import) pile(p Pile) *int64 {
	switch p {
	case PileNew:
		return &im.Fresh
	case PileThere:
		return &im.Present
	case PileConflict:
		return &im.Conflicting
	}
	return &im.Refused
}

// Count is how many entries a pile has.
func (im Import) Count(p Pile) int64 { return *im.pile(p) }

// takeable lists the reasons of a conflict that a choice resolves.
func (c Conflicts) takeable() []string {
	switch c {
	case ConflictsStricter:
		return []string{"import.is_connected", "import.is_wider"}
	case ConflictsFile: // what has ended here is taken up again by hand only
		return []string{"import.is_connected", "import.is_ended", "import.is_wider", "import.is_blocked", "import.differs"}
	}
	return nil
}

// Takes reports whether a conflict for that reason is resolved by the choice.
func (c Conflicts) Takes(why string) bool { return slices.Contains(c.takeable(), why) }

// Tiers reports whether a format says how close each server is meant to be.
func (f Format) Tiers() bool { return f == FormatChalkring || f == FormatChalkringList }

// ImportChoice is what a person decides about a draft.
type ImportChoice struct {
	Preset    string // of new peers: a Preset, or PresetOfFile; not needed where there are none
	Conflicts Conflicts
}

// ImportByID returns an import, or fault.NotFound.
func ImportByID(tx *store.Tx, id int64) (Import, error) {
	var im Import
	err := tx.Where("id = ?", id).Take(&im).Error
	if err == gorm.ErrRecordNotFound {
		err = fault.Keyed(fault.NotFound, "import.none", "There is no import with this number.", nil)
	}
	return im, err
}

// Imports returns a page of the imports, newest first.
func Imports(tx *store.Tx, page store.Page) ([]Import, error) {
	return store.Find[Import](tx.Model(&Import{}).Where("state <> ?", ImportDiscarded), page)
}

// EntriesOf returns entries of an import from one pile, or with pile "" those
// that were left alone, behind an entry's number.
func EntriesOf(tx *store.Tx, id int64, pile Pile, after int64, limit int) ([]ImportEntry, error) {
	q := tx.Where("import_id = ? AND seq > ?", id, after)
	if pile == "" {
		q = q.Where("state IN ?", []EntryState{EntryChanged, EntryByHand})
	} else {
		q = q.Where("pile = ?", pile)
	}
	var entries []ImportEntry
	err := q.Order("seq").Limit(limit).Find(&entries).Error
	return entries, err
}

// PileCount is how many entries of an import lie where and for what reason.
type PileCount struct {
	Pile Pile
	Deed Deed
	Why  string
	N    int64
}

// PileCounts counts the entries of an import.
func PileCounts(tx *store.Tx, id int64) ([]PileCount, error) {
	var t []PileCount
	err := tx.Raw("SELECT pile, deed, why, COUNT(*) AS n FROM peer_import_entries WHERE import_id = ? GROUP BY pile, deed, why", id).Scan(&t).Error
	return t, err
}

// Remark is what an imported list said of a server that was no peer then.
type Remark struct {
	ImportID int64
	Name     string // of the import
	Says     ListEntry
	At       time.Time
}

// RemarksOn returns what imported lists say against a server that they would
// only limit: worth knowing for whoever thinks of connecting with it.
func RemarksOn(tx *store.Tx, host string) ([]Remark, error) {
	var rows []struct {
		ImportEntry
		Name      string
		CreatedAt time.Time
	}
	err := tx.Raw(`SELECT e.*, i.name, i.created_at FROM peer_import_entries e JOIN peer_imports i ON i.id = e.import_id
		WHERE e.host = ? AND e.why = 'import.limits_stranger' AND i.state <> ? ORDER BY e.import_id DESC LIMIT 5`, host, ImportUndone).Scan(&rows).Error
	out := make([]Remark, len(rows))
	for i, r := range rows {
		out[i] = Remark{r.ImportID, r.Name, r.Entry(), r.CreatedAt}
	}
	return out, err
}

// CloseImports ends the time for undoing an import, and returns those of the
// servers that it refuses with which there are follows. These end now: until
// then they were silent and kept, so that undoing could bring them back.
func CloseImports(tx *store.Tx) (hosts []string, err error) {
	var ids []int64
	err = tx.Raw("SELECT id FROM peer_imports WHERE undo_until <= ? AND closed_at IS NULL AND state IN ? ORDER BY undo_until LIMIT 1", tx.Now,
		[]ImportState{ImportApplied, ImportUndone}).Scan(&ids).Error
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	err = tx.Raw(`SELECT e.host FROM peer_import_entries e JOIN peers p ON p.host = e.host AND p.standing = ?
		WHERE e.import_id = ? AND e.state = ? ORDER BY e.seq`, Blocked, ids[0], EntryDone).Scan(&hosts).Error
	if err != nil {
		return nil, err
	}
	ties, err := tied(tx)
	if err != nil {
		return nil, err
	}
	hosts = slices.DeleteFunc(hosts, func(h string) bool { return !ties[h] })
	if err := tx.Exec("UPDATE peer_imports SET closed_at = ? WHERE id = ?", tx.Now, ids[0]).Error; err != nil {
		return nil, err
	}
	return hosts, tx.Exec("DELETE FROM peer_import_entries WHERE import_id = ? AND why <> 'import.limits_stranger'", ids[0]).Error
}

// SweepImports forgets drafts that nobody decided about.
func SweepImports(tx *store.Tx) error {
	var ids []int64
	err := tx.Raw("SELECT id FROM peer_imports WHERE state IN ? AND created_at < ? LIMIT 1", []ImportState{ImportDraft, ImportReading}, tx.Now.Add(-DraftFor)).Scan(&ids).Error
	if err != nil || len(ids) == 0 {
		return err
	}
	return DiscardImport(tx, ids[0])
}
