package peers

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/text"
)

// ListEntry is one server in a list, whatever format the list has. The JSON is
// that of a Chalkring list; what is not in it only some files tell.
type ListEntry struct {
	Host      string     `json:"host"` // as it is written there: see Normalise
	Label     string     `json:"label,omitempty"`
	Tier      Preset     `json:"tier,omitempty"`  // how close it is meant to be; "" says nothing
	Match     string     `json:"match,omitempty"` // MatchExact, the same as "", or MatchSubtree
	Note      string     `json:"note,omitempty"`  // for everybody
	Added     *time.Time `json:"added,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	Deny      bool       `json:"deny,omitempty"`      // to be refused, not connected with
	Emergency bool       `json:"emergency,omitempty"` // nothing may pass until somebody has looked at it
	Since     *time.Time `json:"since,omitempty"`     // of an emergency, and why
	Reason    string     `json:"reason,omitempty"`

	Line          int         `json:"-"` // of the file, or which element of an array
	PrivateNote   string      `json:"-"`
	Severity      Severity    `json:"-"` // "" where the format has none
	RejectMedia   bool        `json:"-"`
	RejectReports bool        `json:"-"`
	Ceiling       Ceiling     `json:"-"` // this and the next three: "" says nothing
	Hold          Hold        `json:"-"`
	Media         MediaPolicy `json:"-"`
	Reports       ReportsIn   `json:"-"`
	Source        string      `json:"-"`
	Notice        Notice      `json:"-"` // it asks for nothing; this and what follows only FIRES has
	Refuse        Classes     `json:"-"` // what is not to be taken from there
	Left          string      `json:"-"` // what it asks for that does not exist here
	Over          int         `json:"-"` // the Line of a later change about the same server, which counts instead
}

// What an entry's Match says.
const (
	MatchExact   = "exact"
	MatchSubtree = "subtree"
)

// TierDenied is what a file with tiers says of a server that is to be refused.
const TierDenied = "denied"

// Severity is what Mastodon does with a domain on its blocklist.
//
// https://docs.joinmastodon.org/entities/Admin_DomainBlock/#severity
type Severity string

// The severities.
const (
	SeveritySuspend Severity = "suspend" // nothing passes
	SeveritySilence Severity = "silence" // shown to followers only; lists also say "limit"
	SeverityNoop    Severity = "noop"    // nothing but what the other columns say
)

// Format is how a list of servers is written.
type Format string

// The formats.
const (
	FormatMastodonAllows Format = "mastodon-allows" // domain_allows.csv
	FormatMastodonBlocks Format = "mastodon-blocks" // domain_blocks.csv; IFTAS and others publish it, too
	FormatFediBlockHole  Format = "fediblockhole"   // the same without #, with private comments
	FormatPlain          Format = "plain"           // a name a line: GoToSocial, RapidBlock's CSV
	FormatGoToSocial     Format = "gotosocial"      // a JSON array; also what Mastodon's API says of its blocks
	FormatRapidBlock     Format = "rapidblock"      // a JSON object of names
	FormatChalkring      Format = "chalkring"       // chalkring_peers.csv
	FormatChalkringList  Format = "chalkring-list"  // JSON, signed by who publishes it
	FormatFIRES          Format = "fires"           // JSON-LD, the snapshot of a dataset or its changes
)

// Direction is whether the servers of a list are to be connected with or refused.
type Direction string

// The directions. DirectionOfFile leaves it to the file.
const (
	DirectionOfFile Direction = ""
	DirectionAllow  Direction = "allow"
	DirectionDeny   Direction = "deny"
)

// Limits of a list. Mastodon takes 20,000 rows.
const (
	MaxListBytes   = 8 << 20
	MaxListEntries = 50_000
	maxListColumns = 40
	maxListHost    = 1000 // bytes of what stands where a name should be
)

// ListFile is a list that was read.
type ListFile struct {
	Format      Format
	Direction   Direction // of the entries; DirectionOfFile where each says it for itself
	Partial     bool      // it is a page of a longer list
	Name        string    // this and the next two: only a Chalkring list and a dataset of FIRES have them
	Publisher   string
	Updated     *time.Time
	Entries     []ListEntry
	Retractions []string    // names that the list had once
	Faults      []ListFault // lines that could not be read, in their order
}

// ListFault is a line that could not be read, and why.
type ListFault struct {
	Line int
	Text string // what stands there, shortened
	Key  string // message key
}

// DetectList says which format a list has. What is none has FormatPlain, and
// each of its lines fails.
func DetectList(list []byte) Format {
	text := bytes.TrimSpace(bytes.TrimPrefix(list, utf8BOM))
	switch {
	case bytes.HasPrefix(text, []byte("[")):
		if firstElement(text).isFIRES() {
			return FormatFIRES
		}
		return FormatGoToSocial
	case bytes.HasPrefix(text, []byte("{")):
		var members jsonObject
		switch err := json.Unmarshal(text, &members); {
		case err != nil || members["entries"] != nil:
		case members["blocks"] != nil:
			return FormatRapidBlock
		case members.isFIRES():
			return FormatFIRES
		}
		return FormatChalkringList
	}
	head := header(text)
	at, hashed := columns(head)
	_, severity := at["severity"]
	_, tier := at["tier"]
	switch _, domain := at["domain"]; {
	case !domain && len(head) > 1 && severityOf(head[1]) != "": // the header was lost
		return FormatMastodonBlocks
	case !domain:
		return FormatPlain
	case tier:
		return FormatChalkring
	case severity && hashed:
		return FormatMastodonBlocks
	case severity:
		return FormatFediBlockHole
	case hashed:
		return FormatMastodonAllows
	}
	return FormatPlain
}

// ReadList reads a list. A direction counts for the whole list, except for one
// of ours and one of FIRES, which say of each server what it is on it for. Without a direction
// a list of mere names fails with the key "import.which". A line that cannot be
// read is among the Faults; only a list of which nothing can be read, or that
// is too large, fails.
func ReadList(list []byte, d Direction) (ListFile, error) {
	list = bytes.TrimPrefix(list, utf8BOM)
	switch {
	case len(list) > MaxListBytes:
		return ListFile{}, listFault("import.large", "The file is too large: 8 MB at most.")
	case !utf8.Valid(list):
		return ListFile{}, listFault("import.not_utf8", "The file is not in UTF-8. In a spreadsheet, save it as CSV UTF-8.")
	case len(bytes.TrimSpace(list)) == 0:
		return ListFile{}, listFault("import.empty", "There is nothing in the file.")
	}
	f := ListFile{Format: DetectList(list), Direction: d}
	var err error
	switch f.Format {
	case FormatGoToSocial:
		err = f.readGoToSocial(list)
	case FormatRapidBlock:
		err = f.readRapidBlock(list)
	case FormatChalkringList:
		err = f.readChalkringList(list)
	case FormatFIRES:
		err = f.readFIRES(list)
	default:
		err = f.readCSV(list)
	}
	if err != nil {
		return ListFile{}, err
	}
	if f.Format.Tiers() || f.Format == FormatFIRES {
		f.Direction = DirectionOfFile
	} else if f.Direction == DirectionOfFile {
		return ListFile{}, listFault("import.which", "The file does not say whether its servers are to be connected with or refused. Choose one.")
	}
	for i := range f.Entries {
		e := &f.Entries[i]
		if f.Direction == DirectionAllow { // whatever else stands there
			e.Deny, e.Severity, e.RejectMedia, e.RejectReports = false, "", false, false
		} else if f.Direction == DirectionDeny {
			e.Deny = e.Severity == "" || e.Severity == SeveritySuspend
		}
	}
	slices.SortStableFunc(f.Faults, func(a, b ListFault) int { return a.Line - b.Line })
	return f, nil
}

var utf8BOM = []byte("\xef\xbb\xbf")

func listFault(key, message string) error {
	return fault.Invalidf("file", "%s", message).WithKey(key, nil)
}

var errTooMany = listFault("import.many", "There are too many servers in the file: 50,000 at most.")

func (f *ListFile) add(e ListEntry) error {
	if len(f.Entries)+len(f.Faults) >= MaxListEntries {
		return errTooMany
	}
	written := strings.TrimSpace(e.Host)
	if e.Host = clipped(written, maxListHost); e.Host == "" || len(written) > maxListHost {
		f.Faults = append(f.Faults, ListFault{e.Line, clipped(e.Host, 100), "import.no_name"})
		return nil
	}
	if e.Expires != nil {
		until := e.Expires.UTC().Truncate(time.Millisecond)
		e.Expires = &until
	}
	e.Label = clipped(e.Label, maxLabel)
	e.Note, e.PrivateNote, e.Source = clipped(e.Note, maxNote), clipped(e.PrivateNote, maxNote), clipped(e.Source, maxLabel)
	e.Reason = clipped(e.Reason, maxNote)
	f.Entries = append(f.Entries, e)
	return nil
}

func (f *ListFile) fail(line int, text, key string) error {
	if len(f.Entries)+len(f.Faults) >= MaxListEntries {
		return errTooMany
	}
	f.Faults = append(f.Faults, ListFault{line, clipped(text, 100), key})
	return nil
}

// clipped is one line of plain text of so many bytes at most.
func clipped(s string, most int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s))
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-3], "") + "…"
}

// header is the first line of a list that is no remark, cut into its columns.
func header(list []byte) []string {
	for range 100 {
		line, rest, more := bytes.Cut(list, []byte("\n"))
		line = bytes.TrimSpace(line)
		if len(line) <= 4096 && len(line) > 0 {
			head, err := csvReader(line, separator(line)).Read()
			if err != nil {
				return nil
			}
			if at, _ := columns(head); hasKey(at, "domain") || line[0] != '#' {
				return head
			}
		}
		if !more {
			break
		}
		list = rest
	}
	return nil
}

// separator is what stands between the columns: spreadsheets write a semicolon
// where the comma is the decimal point.
func separator(line []byte) rune {
	for _, sep := range []byte(",;\t") {
		if bytes.IndexByte(line, sep) >= 0 {
			return rune(sep)
		}
	}
	return ','
}

// listSeparator is that of the first line which is no remark.
func listSeparator(list []byte) rune {
	for line := range bytes.Lines(list) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && (line[0] != '#' || bytes.Contains(bytes.ToLower(line[:min(len(line), 100)]), []byte("domain"))) {
			return separator(line[:min(len(line), 4096)])
		}
	}
	return ','
}

func csvReader(list []byte, sep rune) *csv.Reader {
	r := csv.NewReader(bytes.NewReader(list))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = sep, -1, sep != '\t', true
	return r
}

var underscored = strings.NewReplacer(" ", "_", "-", "_")

// columns says where in a header each column is, by its name in lower case and
// without #; the column of names is "domain" whatever it is called. hashed says
// that the header has the # of Mastodon's.
func columns(head []string) (at map[string]int, hashed bool) {
	at = map[string]int{}
	for i, name := range head[:min(len(head), maxListColumns)] {
		name, hash := strings.CutPrefix(strings.ToLower(strings.TrimSpace(name)), "#")
		name = underscored.Replace(strings.TrimSpace(name))
		if name == "instance" || name == "host" {
			name = "domain"
		}
		if _, twice := at[name]; !twice {
			at[name] = i
		}
		hashed = hashed || hash && name == "domain"
	}
	return at, hashed
}

func severityOf(word string) Severity {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "suspend", "block", "reject":
		return SeveritySuspend
	case "silence", "limit":
		return SeveritySilence
	case "noop", "none":
		return SeverityNoop
	}
	return ""
}

// truth reads a boolean: Mastodon writes true, FediBlockHole True.
func truth(word string) bool {
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "true", "t", "yes", "1":
		return true
	}
	return false
}

// day reads a date, with or without the time.
func day(word string) (*time.Time, bool) {
	word = strings.TrimSpace(word)
	if word == "" {
		return nil, true
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, word); err == nil && t.Year() > 1970 && t.Year() < 10000 {
			t = t.UTC().Truncate(time.Millisecond)
			return &t, true
		}
	}
	return nil, false
}

// readCSV reads the formats of lines: names alone, or with columns.
func (f *ListFile) readCSV(list []byte) error {
	r := csvReader(list, listSeparator(list))
	at := map[string]int{"domain": 0}
	if f.Format == FormatMastodonBlocks {
		at = map[string]int{"domain": 0, "severity": 1, "reject_media": 2, "reject_reports": 3, "public_comment": 4, "obfuscate": 5}
	}
	for begun := false; ; {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			if err := f.fail(bad.StartLine, strings.Join(record, " "), "import.bad_quotes"); err != nil {
				return err
			}
			continue
		} else if err != nil {
			return listFault("import.unreadable", "The file cannot be read.")
		}
		line, _ := r.FieldPos(0)
		if !begun {
			if named, _ := columns(record); hasKey(named, "domain") {
				at, begun = named, true
				continue
			}
		}
		if strings.HasPrefix(strings.TrimSpace(record[0]), "#") || blank(record) {
			continue // a remark
		}
		begun = true
		if len(record) > maxListColumns {
			if err := f.fail(line, record[0], "import.many_columns"); err != nil {
				return err
			}
			continue
		}
		if err := f.readRecord(line, record, at); err != nil {
			return err
		}
	}
	switch f.Format {
	case FormatMastodonAllows:
		f.lean(DirectionAllow)
	case FormatMastodonBlocks, FormatFediBlockHole:
		f.lean(DirectionDeny)
	}
	return nil
}

// lean gives a list the direction of its format, unless somebody chose one.
func (f *ListFile) lean(d Direction) {
	if f.Direction == DirectionOfFile {
		f.Direction = d
	}
}

func hasKey(m map[string]int, key string) bool { _, ok := m[key]; return ok }

func blank(record []string) bool {
	return !slices.ContainsFunc(record, func(s string) bool { return strings.TrimSpace(s) != "" })
}

func (f *ListFile) readRecord(line int, record []string, at map[string]int) error {
	cell := func(name string) string {
		i, ok := at[name]
		if !ok || i >= len(record) {
			return ""
		}
		return text.FromSheetCell(strings.TrimSpace(record[i]))
	}
	e := ListEntry{Line: line, Host: cell("domain"), Label: cell("label"), Note: cell("public_comment"), PrivateNote: cell("private_comment"),
		RejectMedia: truth(cell("reject_media")), RejectReports: truth(cell("reject_reports"))}
	switch f.Format {
	case FormatMastodonBlocks, FormatFediBlockHole:
		e.Severity = SeveritySuspend // as Mastodon reads an empty cell
		if word := cell("severity"); word != "" {
			if e.Severity = severityOf(word); e.Severity == "" {
				return f.fail(line, e.Host+": "+word, "import.bad_severity")
			}
		}
	case FormatChalkring:
		word := func(name string) string { return strings.ToLower(cell(name)) }
		e.Tier, e.Match, e.Source = Preset(word("tier")), word("match"), cell("source")
		e.Ceiling, e.Hold, e.Media, e.Reports = Ceiling(word("audience_ceiling")), Hold(word("hold")), MediaPolicy(word("media")), ReportsIn(word("reports"))
		var ok bool
		if e.Expires, ok = day(cell("expires_at")); !ok {
			return f.fail(line, e.Host+": "+cell("expires_at"), "import.bad_date")
		}
		if e.Tier == TierDenied {
			e.Tier, e.Deny = "", true
		}
		if !e.valid() {
			return f.fail(line, e.Host, "import.bad_value")
		}
	}
	return f.add(e)
}

// valid reports whether each word that an entry has is one that exists.
func (e ListEntry) valid() bool {
	p := FullPolicy(CeilingNetwork)
	p.Preset = e.Tier
	e.narrow(&p)
	_, ok := p.Valid()
	return ok && (e.Match == "" || e.Match == MatchExact || e.Match == MatchSubtree)
}

// narrow sets of a policy what the entry says of it.
func (e ListEntry) narrow(p *Policy) {
	if e.Ceiling != "" {
		p.Ceiling = e.Ceiling
	}
	if e.Hold != "" {
		p.Hold = e.Hold
	}
	if e.Media != "" {
		p.Media = e.Media
	}
	if e.Reports != "" {
		p.ReportsIn = e.Reports
	}
}

// elements calls fn with each element of a JSON array, and its number from 1.
func elements(array []byte, fn func(n int, element json.RawMessage) error) error {
	d := json.NewDecoder(bytes.NewReader(array))
	if start, err := d.Token(); err != nil || start != json.Delim('[') {
		return errNoList
	}
	n := 0
	for d.More() {
		var element json.RawMessage
		if err := d.Decode(&element); err != nil {
			return errNoList
		}
		n++
		if err := fn(n, element); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return errNoList
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errNoList
	}
	return nil
}

var errNoList = listFault("import.bad_json", "The file looks like JSON and cannot be read as a list of servers.")

// readGoToSocial reads what GoToSocial exports and fetches, for both
// directions, and what Mastodon and GoToSocial publish of their own blocks.
//
// https://docs.gotosocial.org/en/latest/admin/domain_permission_subscriptions/#json-applicationjson
func (f *ListFile) readGoToSocial(list []byte) error {
	blocks := false
	err := elements(list, func(n int, element json.RawMessage) error {
		var one struct {
			Domain         string `json:"domain"`
			SuspendedAt    string `json:"suspended_at"`
			SilencedAt     string `json:"silenced_at"`
			Severity       string `json:"severity"`
			Comment        string `json:"comment"`
			PublicComment  string `json:"public_comment"`
			PrivateComment string `json:"private_comment"`
			RejectMedia    bool   `json:"reject_media"`
			RejectReports  bool   `json:"reject_reports"`
		}
		if json.Unmarshal(element, &one) != nil {
			return f.fail(n, string(element), "import.bad_element")
		}
		e := ListEntry{Line: n, Host: one.Domain, Note: one.PublicComment, PrivateNote: one.PrivateComment, RejectMedia: one.RejectMedia, RejectReports: one.RejectReports}
		if e.Note == "" {
			e.Note = one.Comment
		}
		switch {
		case one.Severity != "":
			if e.Severity = severityOf(one.Severity); e.Severity == "" {
				return f.fail(n, one.Domain+": "+one.Severity, "import.bad_severity")
			}
		case one.SuspendedAt != "":
			e.Severity = SeveritySuspend
		case one.SilencedAt != "":
			e.Severity = SeveritySilence
		}
		blocks = blocks || e.Severity != ""
		return f.add(e)
	})
	if blocks {
		f.lean(DirectionDeny)
	}
	return err
}

// readRapidBlock reads RapidBlock's JSON, a member for each server.
//
// https://rapidblock.org/spec/v1/
func (f *ListFile) readRapidBlock(list []byte) error {
	var doc struct {
		Blocks map[string]json.RawMessage `json:"blocks"`
	}
	if json.Unmarshal(list, &doc) != nil {
		return errNoList
	}
	for i, host := range slices.Sorted(maps.Keys(doc.Blocks)) {
		var one struct {
			IsBlocked bool   `json:"isBlocked"`
			Reason    string `json:"reason"`
		}
		var err error
		if json.Unmarshal(doc.Blocks[host], &one) != nil {
			err = f.fail(i+1, host, "import.bad_element")
		} else if one.IsBlocked {
			err = f.add(ListEntry{Line: i + 1, Host: host, Note: one.Reason, Severity: SeveritySuspend})
		} else {
			f.Retractions = append(f.Retractions, clipped(host, maxListHost))
		}
		if err != nil {
			return err
		}
	}
	f.lean(DirectionDeny)
	return nil
}

// readChalkringList reads the entries of a list that another server publishes.
// Its proof is not looked at: a file was chosen by a person, and what is
// fetched is verified before it is read.
func (f *ListFile) readChalkringList(list []byte) error {
	var doc struct {
		Name        string          `json:"name"`
		Publisher   string          `json:"publisher"`
		Updated     *time.Time      `json:"updated"`
		Entries     json.RawMessage `json:"entries"`
		Retractions json.RawMessage `json:"retractions"`
	}
	if json.Unmarshal(list, &doc) != nil || doc.Entries == nil {
		return errNoList
	}
	f.Name, f.Publisher, f.Updated = clipped(doc.Name, maxLabel), clipped(doc.Publisher, maxListHost), doc.Updated
	err := elements(doc.Entries, func(n int, element json.RawMessage) error {
		var e ListEntry
		if json.Unmarshal(element, &e) != nil {
			return f.fail(n, string(element), "import.bad_element")
		}
		e.Line = n
		if e.Tier == TierDenied {
			e.Tier, e.Deny = "", true
		}
		if !e.valid() {
			return f.fail(n, e.Host, "import.bad_value")
		}
		return f.add(e)
	})
	if err != nil || doc.Retractions == nil || bytes.Equal(doc.Retractions, []byte("null")) {
		return err
	}
	return elements(doc.Retractions, func(n int, element json.RawMessage) error {
		var host string
		var one struct {
			Host string `json:"host"`
		}
		if json.Unmarshal(element, &host) != nil {
			if json.Unmarshal(element, &one) != nil {
				return nil
			}
			host = one.Host
		}
		if host = clipped(host, maxListHost); host != "" && len(f.Retractions) < MaxListEntries {
			f.Retractions = append(f.Retractions, host)
		}
		return nil
	})
}
