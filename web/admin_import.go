package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// importsAt is where the pages about lists in files begin.
const importsAt = "/admin/peers/import"

// importRoutes mounts the pages about lists in files.
func (p *Pages) importRoutes(get, post func(path string, may func(community.Role) bool, h handler)) {
	connections := community.Role.MayManagePeers
	get(importsAt, connections, p.imports)
	post(importsAt, connections, p.takeList)
	get(importsAt+"/{id:[0-9]+}", connections, p.oneImport)
	post(importsAt+"/{id:[0-9]+}/apply", connections, p.applyImport)
	get(importsAt+"/{id:[0-9]+}/undo", connections, p.askUndo)
	post(importsAt+"/{id:[0-9]+}/undo", connections, p.undoImport)
	post(importsAt+"/{id:[0-9]+}/discard", connections, p.discardImport)
	get("/admin/peers/export/{format}", connections, p.export)
}

// importsPage is where lists come in and go out.
type importsPage struct {
	Head    PageHead
	Tabs    Tabs
	Parts   Tabs
	Errors  ErrorSummary
	Fields  []FormField
	Imports []importRow
	Pager   Pager
	Empty   string
	Exports []exportRow
}

// importRow is an import in the list of them.
type importRow struct {
	Name, URL string
	State     State
	Counts    string
	By        string
	Import    peers.Import
}

// exportRow is a format to take the list elsewhere in.
type exportRow struct {
	Name, For string
	Link      Action
}

func (p *Pages) imports(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showImports(h, w, r, nil)
}

func (p *Pages) showImports(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	page := pageOf(r)
	var all []peers.Import
	var by map[int64]community.Account
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if all, err = peers.Imports(tx, page); err != nil {
			return err
		}
		by, err = accountsOf(tx, all, func(im peers.Import) *int64 { return im.CreatedBy })
		return err
	})
	if err != nil {
		return err
	}
	l := h.l
	view := importsPage{Head: PageHead{Title: l.T("import.title"), Lead: l.T("import.lead")}, Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, importsAt),
		Empty: l.T("import.no_imports"), Fields: []FormField{
			{Name: "file", Kind: "file", Label: l.T("import.file"), Hint: l.T("import.file_hint"), Accept: ".csv,.txt,.json,.jsonld,text/csv,text/plain,application/json,application/ld+json"},
			{Name: "text", Kind: "textarea", Label: l.T("import.text"), Value: r.PostFormValue("text"), Optional: true, Rows: 4, Code: true},
			{Name: "direction", Kind: "radio", Label: l.T("import.direction"), Options: []Option{
				{Value: "", Words: l.T("import.direction_file"), Detail: l.T("import.direction_file_detail"), Selected: r.PostFormValue("direction") == ""},
				{Value: "allow", Words: l.T("import.direction_allow"), Selected: r.PostFormValue("direction") == "allow"},
				{Value: "deny", Words: l.T("import.direction_deny"), Selected: r.PostFormValue("direction") == "deny"}}}}}
	var status int
	view.Errors, status = blameFields(l, view.Fields, problem)
	for _, im := range all {
		row := importRow{Name: im.Name, URL: importPath(im.ID), State: importState(l, im), Import: im, By: l.T("peers.command_line"),
			Counts: l.T("import.counts", "New", l.Number(im.Fresh), "Conflicts", l.Number(im.Conflicting), "There", l.Number(im.Present), "Refused", l.Number(im.Refused))}
		if im.CreatedBy != nil {
			a := by[*im.CreatedBy]
			row.By = a.Name()
		}
		view.Imports = append(view.Imports, row)
	}
	if n := len(all); n > 0 {
		view.Pager = pager(r, page, n, all[0].ID, all[n-1].ID)
	}
	for _, f := range peers.ExportFormats() {
		view.Exports = append(view.Exports, exportRow{Name: f.File, For: exportWords(l, f.Name),
			Link: Action{Words: l.T("import.download", "File", f.File), Icon: "file-text", URL: "/admin/peers/export/" + f.Name}})
	}
	return p.render(h, w, status, "admin_imports", view.Head.Title, view)
}

func importPath(id int64) string { return importsAt + "/" + strconv.FormatInt(id, 10) }

// exportWords says what a format is for.
func exportWords(l *Locale, format string) string {
	switch format {
	case "chalkring":
		return l.T("export.chalkring")
	case "mastodon-allows":
		return l.T("export.mastodon_allows")
	case "mastodon-blocks":
		return l.T("export.mastodon_blocks")
	case "gotosocial-allows":
		return l.T("export.gotosocial_allows")
	case "gotosocial-blocks":
		return l.T("export.gotosocial_blocks")
	case "plain-allows":
		return l.T("export.plain_allows")
	}
	return l.T("export.plain_blocks")
}

// importState says how far an import is.
func importState(l *Locale, im peers.Import) State {
	switch im.State {
	case peers.ImportDraft:
		return State{Tone: "wait", Icon: "eye", Words: l.T("import.state_draft")}
	case peers.ImportApplying:
		return State{Tone: "wait", Icon: "clock", Words: l.T("import.state_applying", "Done", l.Number(im.Done), "Total", l.Number(im.Total))}
	case peers.ImportUndoing:
		return State{Tone: "wait", Icon: "clock", Words: l.T("import.state_undoing", "Done", l.Number(im.Done), "Total", l.Number(im.Total))}
	case peers.ImportApplied:
		return State{Tone: "good", Icon: "circle-check", Words: l.T("import.state_applied")}
	case peers.ImportUndone:
		return State{Tone: "quiet", Icon: "history", Words: l.T("import.state_undone")}
	case peers.ImportReading:
		return State{Tone: "wait", Icon: "clock", Words: l.T("import.state_reading")}
	}
	return State{Tone: "quiet", Icon: "trash-2", Words: l.T("import.state_discarded")}
}

// formatWords names a format.
func formatWords(l *Locale, f peers.Format) string {
	switch f {
	case peers.FormatMastodonAllows:
		return l.T("import.format_mastodon_allows")
	case peers.FormatMastodonBlocks:
		return l.T("import.format_mastodon_blocks")
	case peers.FormatFediBlockHole:
		return l.T("import.format_fediblockhole")
	case peers.FormatGoToSocial:
		return l.T("import.format_gotosocial")
	case peers.FormatRapidBlock:
		return l.T("import.format_rapidblock")
	case peers.FormatChalkring:
		return l.T("import.format_chalkring")
	case peers.FormatChalkringList:
		return l.T("import.format_chalkring_list")
	case peers.FormatFIRES:
		return l.T("import.format_fires")
	}
	return l.T("import.format_plain")
}

// takeList reads a list that was sent, and shows what it would do.
func (p *Pages) takeList(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseMultipartForm(1 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return p.showImports(h, w, r, fault.Invalidf("file", "The file is too large: 8 MB at most.").WithKey("import.large", nil))
		}
		return fault.Wrap(fault.Invalid, err, "The form did not arrive whole. Please send it again.").WithKey("error.form", nil)
	}
	name, list := "", []byte(r.PostFormValue("text"))
	if file := fileOf(r, "file"); file != nil {
		f, err := file.Open()
		if err != nil {
			return err
		}
		defer f.Close()
		if list, err = io.ReadAll(io.LimitReader(f, peers.MaxListBytes+1)); err != nil {
			return err
		}
		name = file.Filename
	}
	if name == "" {
		name = h.l.T("import.typed")
	}
	im, err := peers.DraftImport(r.Context(), p.DB, h.me.ID, name, list, peers.Direction(r.PostFormValue("direction")))
	if problem := mended(err); problem != nil {
		if problem.Key == "import.which" {
			problem.Fields[0].Name = "direction"
		}
		return p.showImports(h, w, r, problem)
	} else if err != nil {
		return err
	}
	return seeOther(w, r, importPath(im.ID))
}

// export answers with the list in a format.
func (p *Pages) export(h *here, w http.ResponseWriter, r *http.Request) error {
	f, err := peers.ExportByName(mux.Vars(r)["format"])
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := p.DB.Read(r.Context(), func(tx *store.Tx) error { out.Reset(); return peers.Export(tx, &out, f) }); err != nil {
		return err
	}
	return sendFile(w, f.File, f.Type, out.Bytes())
}

// importPage is one import: what each line of it would do, or has done.
type importPage struct {
	Head     PageHead
	Tabs     Tabs
	Parts    Tabs
	State    State
	Facts    []Fact
	Warnings []string
	Filter   Tabs
	PileText string
	Entries  []importLine
	More     string
	Empty    string
	Errors   ErrorSummary
	Fields   []FormField // what is to be decided; with Apply
	Apply    string      // what the button does, in numbers; "": nothing can be decided
	URL      string
	Discard  bool
	Done     int // of Total, while it is being applied or undone
	Total    int
	Undo     *Action
	Until    string
}

// importLine is a line of an import.
type importLine struct {
	Line int64
	Host string
	URL  string // of the server's page
	What string // what it asks for
	Why  string // why it lies where it lies
	Note string // what the file says of the server
	Tags string // the labels that it has there
	Ties string
	Mark *State // what became of it
}

// importLines is how many lines a page has.
const importLines = 100

func (p *Pages) oneImport(h *here, w http.ResponseWriter, r *http.Request) error {
	return p.showImport(h, w, r, nil)
}

func importID(r *http.Request) int64 {
	id, err := strconv.ParseInt(mux.Vars(r)["id"], 10, 64)
	if err != nil { // longer than any number
		return -1
	}
	return id
}

func (p *Pages) showImport(h *here, w http.ResponseWriter, r *http.Request, problem *fault.Error) error {
	l, id, q := h.l, importID(r), r.URL.Query()
	after, _ := strconv.ParseInt(q.Get("after"), 10, 64)
	var im peers.Import
	var entries []peers.ImportEntry
	var tallies []peers.PileCount
	show := q.Get("show")
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if im, err = peers.ImportByID(tx, id); err != nil {
			return err
		}
		if tallies, err = peers.PileCounts(tx, id); err != nil {
			return err
		}
		pile := peers.Pile(show)
		switch {
		case show == "left":
			pile = ""
		case im.Count(pile) == 0 || pile != peers.PileNew && pile != peers.PileConflict && pile != peers.PileThere && pile != peers.PileRefused:
			pile = peers.PileNew
			for _, one := range peers.Piles() {
				if im.Count(one) > 0 {
					pile = one
					break
				}
			}
			show = string(pile)
		}
		entries, err = peers.EntriesOf(tx, id, pile, max(after, 0), importLines)
		return err
	})
	if err != nil {
		return err
	}
	at := importPath(id)
	view := importPage{Head: PageHead{Title: l.T("import.one", "ID", strconv.FormatInt(id, 10), "Name", im.Name), Back: &Link{Words: l.T("import.title"), URL: importsAt}},
		Tabs: p.adminTabs(h, "/admin/peers"), Parts: p.peerTabs(h, importsAt), State: importState(l, im), URL: at,
		Facts: []Fact{{Name: l.T("import.format"), Value: formatWords(l, im.Format)}, {Name: l.T("import.read"), Value: l.Moment(im.CreatedAt)}},
		Empty: l.T("import.pile_empty"), PileText: pileText(l, show, im.AppliedAt == nil)}
	if im.AppliedAt != nil {
		view.Facts = append(view.Facts, Fact{Name: l.T("import.decided"), Value: l.T("import.decided_n", "Count", int(im.Applied), "When", l.Moment(*im.AppliedAt))})
	}
	if im.UndoneAt != nil {
		view.Facts = append(view.Facts, Fact{Name: l.T("import.undone_at"), Value: l.Moment(*im.UndoneAt)})
	}
	view.Filter = Tabs{Label: l.T("import.piles")}
	for _, pile := range peers.Piles() {
		view.Filter.Items = append(view.Filter.Items, Tab{Words: pileWords(l, pile), URL: at + "?show=" + string(pile), Current: show == string(pile), Count: int(im.Count(pile))})
	}
	if im.Changed > 0 {
		view.Filter.Items = append(view.Filter.Items, Tab{Words: l.T("import.left"), URL: at + "?show=left", Current: show == "left", Count: int(im.Changed)})
	}
	for _, e := range entries {
		view.Entries = append(view.Entries, importLineOf(l, im, e))
	}
	if len(entries) == importLines {
		view.More = fmt.Sprintf("%s?show=%s&after=%d", at, show, entries[len(entries)-1].Seq)
	}
	if im.Ties > 0 && im.State == peers.ImportDraft {
		view.Warnings = append(view.Warnings, l.T("import.warn_ties", "Count", int(im.Ties)))
	}
	if im.Direction == peers.DirectionAllow && (im.Format == peers.FormatMastodonBlocks || im.Format == peers.FormatFediBlockHole) {
		view.Warnings = append(view.Warnings, l.T("import.warn_turned"))
	}
	switch im.State {
	case peers.ImportDraft:
		view.Discard = true
		view.Fields, view.Apply = importForm(l, im, tallies, r)
	case peers.ImportApplying, peers.ImportUndoing:
		view.Done, view.Total = int(im.Done), int(im.Total)
	case peers.ImportApplied:
		if im.Undoable(p.Now()) && im.Applied > 0 {
			view.Undo = &Action{Words: l.T("import.undo"), Icon: "history", URL: at + "/undo"}
			view.Until = l.T("import.undo_until", "Date", l.Date(*im.UndoUntil))
		}
	}
	var status int
	view.Errors, status = blameFields(l, view.Fields, problem)
	return p.render(h, w, status, "admin_import", view.Head.Title, view)
}

func pileWords(l *Locale, pile peers.Pile) string {
	switch pile {
	case peers.PileNew:
		return l.T("import.pile_new")
	case peers.PileThere:
		return l.T("import.pile_there")
	case peers.PileConflict:
		return l.T("import.pile_conflict")
	}
	return l.T("import.pile_refused")
}

// pileText says what becomes of a pile, or what became of it.
func pileText(l *Locale, show string, draft bool) string {
	switch {
	case show == "left":
		return l.T("import.left_words")
	case show == string(peers.PileNew) && draft:
		return l.T("import.pile_new_words")
	case show == string(peers.PileNew):
		return l.T("import.pile_new_then")
	case show == string(peers.PileThere):
		return l.T("import.pile_there_words")
	case show == string(peers.PileConflict) && draft:
		return l.T("import.pile_conflict_words")
	case show == string(peers.PileConflict):
		return l.T("import.pile_conflict_then")
	}
	return l.T("import.pile_refused_words")
}

// importLineOf says what a line asks for, and why it lies where it lies.
func importLineOf(l *Locale, im peers.Import, e peers.ImportEntry) importLine {
	says := e.Entry()
	line := importLine{Line: e.Line, Host: e.Host, Note: says.Note}
	if im.Format == peers.FormatFIRES { // has no private notes
		line.Tags = says.PrivateNote
	}
	if e.Why != "" {
		line.Why = l.T(e.Reason(), "About", e.About)
	}
	if e.Pile != peers.PileRefused || e.Why == "import.limits_stranger" || e.Why == "import.blocked_above" {
		line.URL = peerPath(e.Host)
	}
	if e.Ties && e.Deed == peers.DeedDeny && e.Pile != peers.PileThere {
		line.Ties = l.T("import.has_ties")
	}
	switch {
	case says.Notice != "":
		line.What = noticeWords(l, says.Notice)
	case e.Pile == peers.PileRefused && e.Deed == peers.DeedNone:
	case says.Emergency:
		line.What = l.T("import.wants_pause")
	case e.Deed == peers.DeedDeny:
		line.What = l.T("import.wants_deny")
	case e.Deed == peers.DeedLimit:
		line.What = limitWords(l, says)
	case says.Tier != "":
		line.What = l.T("import.wants_tier", "Tier", presetWords(l, says.Tier))
	default:
		line.What = l.T("import.wants_allow")
	}
	if says.Match == peers.MatchSubtree && e.Deed == peers.DeedAllow && line.What != "" {
		line.What += " " + l.T("import.wants_subtree")
	}
	switch e.State {
	case peers.EntryDone:
		line.Mark = &State{Tone: "good", Icon: "circle-check", Words: l.T("import.entry_done")}
	case peers.EntryUndone:
		line.Mark = &State{Tone: "quiet", Icon: "history", Words: l.T("import.entry_undone")}
	case peers.EntryChanged:
		line.Mark = &State{Tone: "wait", Icon: "pencil", Words: l.T("import.entry_changed")}
	case peers.EntryByHand:
		line.Mark = &State{Tone: "wait", Icon: "pencil", Words: l.T("import.entry_hand")}
	case peers.EntryTodo:
		line.Mark = &State{Tone: "wait", Icon: "clock", Words: l.T("import.entry_todo")}
	default:
		if e.Pile == peers.PileConflict && im.AppliedAt != nil {
			line.Mark = &State{Tone: "quiet", Icon: "lock", Words: l.T("import.entry_kept")}
		}
	}
	return line
}

// noticeWords says what a file says of a server that it asks nothing for.
func noticeWords(l *Locale, n peers.Notice) string {
	switch n {
	case peers.NoticeAdvisory:
		return l.T("import.says_advisory")
	case peers.NoticeTakenBack:
		return l.T("import.says_taken_back")
	}
	return l.T("import.wants_nothing")
}

// limitWords says what less of a server the file wants.
func limitWords(l *Locale, says peers.ListEntry) string {
	if says.Notice != "" {
		return noticeWords(l, says.Notice)
	}
	var parts []string
	if says.Severity == peers.SeveritySilence {
		parts = append(parts, l.T("import.wants_silence"))
	}
	if says.RejectMedia {
		parts = append(parts, l.T("import.wants_no_media"))
	}
	if says.RejectReports {
		parts = append(parts, l.T("import.wants_no_reports"))
	}
	if says.Media == peers.MediaClick {
		parts = append(parts, l.T("import.wants_click"))
	}
	if says.Refuse.Has(peers.ClassReplies) {
		parts = append(parts, l.T("import.wants_no_replies"))
	}
	words := l.T("import.wants_nothing")
	if len(parts) > 0 {
		words = l.T("import.wants_less", "What", strings.Join(parts, ", "))
	}
	if says.Left != "" {
		words += " " + l.T("import.wants_left", "Filters", says.Left)
	}
	return words
}

// remarkFacts are what imported lists say against a server, for its page.
func remarkFacts(l *Locale, remarks []peers.Remark) (facts []Fact) {
	for _, r := range remarks {
		words := limitWords(l, r.Says)
		if r.Says.Notice != "" && r.Says.PrivateNote != "" {
			words += " " + l.T("import.tags", "Tags", r.Says.PrivateNote)
		}
		if r.Says.Note != "" {
			words += " " + l.T("import.note", "Note", r.Says.Note)
		}
		facts = append(facts, Fact{Name: l.T("import.one", "ID", strconv.FormatInt(r.ImportID, 10), "Name", r.Name), Value: words, URL: importPath(r.ImportID) + "?show=refused"})
	}
	return facts
}

// importForm asks what is to be decided about a draft, and says what the button does.
func importForm(l *Locale, im peers.Import, tallies []peers.PileCount, r *http.Request) (fields []FormField, button string) {
	var allows, denies, opens int64
	conflicts := map[string]int64{}
	for _, t := range tallies {
		switch {
		case t.Pile == peers.PileNew && t.Deed == peers.DeedAllow:
			allows += t.N
		case t.Pile == peers.PileNew:
			denies += t.N
		case t.Pile == peers.PileConflict:
			conflicts[t.Why] += t.N
		}
	}
	opens = conflicts["import.is_blocked"]
	if allows+opens > 0 {
		f := FormField{Name: "preset", Kind: "radio", Label: l.T("import.preset"), Hint: l.T("import.preset_hint")}
		chosen := r.PostFormValue("preset")
		if im.Format.Tiers() {
			if chosen == "" {
				chosen = peers.PresetOfFile
			}
			f.Options = append(f.Options, Option{Value: peers.PresetOfFile, Words: l.T("import.preset_file"), Detail: l.T("import.preset_file_detail"), Selected: chosen == peers.PresetOfFile})
		}
		for _, preset := range peers.Presets() {
			f.Options = append(f.Options, Option{Value: string(preset), Words: presetWords(l, preset), Detail: presetMeans(l, preset), Selected: chosen == string(preset)})
		}
		fields = append(fields, f)
	}
	if im.Conflicting > 0 {
		chosen := peers.Conflicts(r.PostFormValue("conflicts"))
		if chosen == "" {
			chosen = peers.ConflictsKeep
		}
		limited, connected := int(conflicts["import.is_wider"]), int(conflicts["import.is_connected"])
		blocked := connected + int(conflicts["import.is_ended"])
		f := FormField{Name: "conflicts", Kind: "radio", Label: l.T("import.conflicts"), Hint: l.T("import.conflicts_hint"), Options: []Option{
			{Value: string(peers.ConflictsKeep), Words: l.T("import.conflicts_keep"), Detail: l.T("import.conflicts_keep_detail"), Selected: chosen == peers.ConflictsKeep}}}
		var narrows []string
		if limited > 0 {
			narrows = append(narrows, l.T("import.n_limited", "Count", limited))
		}
		if limited+connected > 0 {
			parts := narrows
			if connected > 0 {
				parts = append([]string{l.T("import.n_paused", "Count", connected)}, parts...)
			}
			f.Options = append(f.Options, Option{Value: string(peers.ConflictsStricter), Words: l.T("import.conflicts_stricter"), Selected: chosen == peers.ConflictsStricter,
				Detail: strings.Join(append(parts, l.T("import.conflicts_stricter_detail")), " ")})
		}
		if blocked > 0 {
			narrows = append([]string{l.T("import.n_blocked", "Count", blocked)}, narrows...)
		}
		if opens > 0 {
			narrows = append(narrows, l.T("import.n_opened", "Count", int(opens)))
		}
		if n := conflicts["import.differs"]; n > 0 {
			narrows = append(narrows, l.T("import.n_differ", "Count", int(n)))
		}
		if len(narrows) > 0 {
			f.Options = append(f.Options, Option{Value: string(peers.ConflictsFile), Words: l.T("import.conflicts_file"), Selected: chosen == peers.ConflictsFile, Detail: strings.Join(narrows, " ")})
		}
		fields = append(fields, f)
	}
	switch {
	case allows > 0 && denies > 0:
		button = l.T("import.apply_both", "Allow", l.Number(allows), "Deny", l.Number(denies))
	case allows > 0:
		button = l.T("import.apply_allow", "Count", int(allows))
	case denies > 0:
		button = l.T("import.apply_deny", "Count", int(denies))
	case im.Conflicting > 0:
		return fields, l.T("import.apply_conflicts")
	}
	if im.Conflicting > 0 {
		button = l.T("import.apply_with", "What", button)
	}
	return fields, button
}

// importNamed is the import that a line of the log is about, with its file.
func importNamed(l *Locale, line peers.Line) string {
	var what struct{ File string }
	if json.Unmarshal([]byte(line.After), &what) != nil {
		return line.Subject
	}
	return l.T("import.one", "ID", strings.TrimPrefix(line.Subject, "import "), "Name", what.File)
}

// atOnce is up to how many entries whoever decides waits for; more are left to a chore.
const atOnce = 400

// applyImport has a draft take effect.
func (p *Pages) applyImport(h *here, w http.ResponseWriter, r *http.Request) error {
	if err := posted(r); err != nil {
		return err
	}
	id := importID(r)
	c := peers.ImportChoice{Preset: r.PostFormValue("preset"), Conflicts: peers.Conflicts(r.PostFormValue("conflicts"))}
	if c.Conflicts == "" { // there are none to decide
		c.Conflicts = peers.ConflictsKeep
	}
	var im peers.Import
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) { im, err = peers.ApplyImport(tx, h.me.ID, id, c); return err })
	if problem := mended(err); problem != nil {
		return p.showImport(h, w, r, problem)
	} else if err != nil {
		return err
	}
	if err := p.workOn(r, im); err != nil {
		return err
	}
	p.flash(w, "flash.import_applied")
	return seeOther(w, r, importPath(id))
}

// workOn does a small import at once.
func (p *Pages) workOn(r *http.Request, im peers.Import) error {
	if im.Total > atOnce {
		return nil
	}
	for left := true; left; {
		err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) { left, err = peers.ImportMore(tx, im.ID); return err })
		if err != nil {
			return err
		}
	}
	return nil
}

// askUndo says in numbers what undoing an import does.
func (p *Pages) askUndo(h *here, w http.ResponseWriter, r *http.Request) error {
	id := importID(r)
	var im peers.Import
	var byHand int64
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if im, err = peers.ImportByID(tx, id); err != nil {
			return err
		}
		byHand, err = peers.ByHand(tx, id)
		return err
	})
	if err != nil {
		return err
	}
	if !im.Undoable(p.Now()) {
		return seeOther(w, r, importPath(id))
	}
	l := h.l
	panel := ConfirmPanel{Title: l.T("import.undo_title", "Name", im.Name), Action: importPath(id) + "/undo", Cancel: importPath(id), Button: l.T("import.undo"), Safe: true,
		Effects: []string{l.T("import.undo_back", "Count", int(im.Applied-byHand))}}
	if byHand > 0 {
		panel.Effects = append(panel.Effects, l.T("import.undo_left", "Count", int(byHand)))
	}
	panel.Effects = append(panel.Effects, l.T("import.undo_follows"))
	return p.confirm(h, w, "/admin/peers", panel, nil)
}

func (p *Pages) undoImport(h *here, w http.ResponseWriter, r *http.Request) error {
	id := importID(r)
	var im peers.Import
	err := p.DB.Write(r.Context(), func(tx *store.Tx) (err error) { im, err = peers.UndoImport(tx, h.me.ID, id); return err })
	if problem := mended(err); problem != nil {
		return p.showImport(h, w, r, problem)
	} else if err != nil {
		return err
	}
	if err := p.workOn(r, im); err != nil {
		return err
	}
	p.flash(w, "flash.import_undone")
	return seeOther(w, r, importPath(id))
}

func (p *Pages) discardImport(h *here, w http.ResponseWriter, r *http.Request) error {
	err := p.DB.Write(r.Context(), func(tx *store.Tx) error { return peers.DiscardImport(tx, importID(r)) })
	if problem := mended(err); problem != nil {
		return p.showImport(h, w, r, problem)
	} else if err != nil {
		return err
	}
	p.flash(w, "flash.import_discarded")
	return seeOther(w, r, importsAt)
}
