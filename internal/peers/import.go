package peers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
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
	DeedAllow Deed = "allow"
	DeedDeny  Deed = "deny"
	DeedLimit Deed = "limit" // a peer is silenced, or its media or reports refused
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
}

// Entry is what the file says of the server.
func (e ImportEntry) Entry() ListEntry {
	var s says
	_ = json.Unmarshal([]byte(e.Says), &s) // written here
	l := ListEntry{Host: e.Host, Label: s.Label, Tier: s.Tier, Note: s.Note, PrivateNote: s.PrivateNote, Expires: s.Expires, Deny: e.Deed == DeedDeny && !s.Emergency, Emergency: s.Emergency,
		RejectMedia: s.RejectMedia, RejectReports: s.RejectReports, Ceiling: s.Ceiling, Hold: s.Hold, Media: s.Media, Reports: s.Reports, Line: int(e.Line)}
	if s.Subtree {
		l.Match = MatchSubtree
	}
	if s.Silence {
		l.Severity = SeveritySilence
	}
	return l
}

func (e *ImportEntry) keep(l ListEntry) {
	b, err := json.Marshal(says{l.Label, l.Tier, l.Match == MatchSubtree, l.Note, l.PrivateNote, l.Expires, l.Severity == SeveritySilence, l.RejectMedia, l.RejectReports,
		l.Ceiling, l.Hold, l.Media, l.Reports, l.Emergency && !l.Deny})
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

func seqs(entries []ImportEntry) []int64 {
	out := make([]int64, len(entries))
	for i, e := range entries {
		out[i] = e.Seq
	}
	return out
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
	case l.Deny, l.Emergency: // an emergency stops what there is, and lets nobody in
		return DeedDeny
	case l.Severity == SeveritySilence, l.Severity == SeverityNoop, l.RejectMedia, l.RejectReports:
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
