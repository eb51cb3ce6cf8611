package peers

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/chalkring/chalkring/internal/iri"
)

// FIRES (Fediverse Intelligence Replication Endpoint Server) keeps moderation
// advice as a dataset of changes, to which one is added whenever the advice
// about somebody becomes another. Its snapshot is an OrderedCollection of the
// last change about each; its changes are OrderedCollectionPages of them all.
// Both are read, a single change too, and an array of any of them, since the
// changes come in pages.
//
// The number of a change is a UUIDv7, so that the order of the numbers is that
// in which the changes were made, whatever the order in the file.
//
// https://fires.fedimod.org/reference/protocol/data-model/datasets
// https://fires.fedimod.org/reference/protocol/data-model/changes
// https://fires.fedimod.org/concepts/federation-management

// Notice is what a list says of a server without asking for anything.
type Notice string

// The notices.
const (
	NoticeAdvisory  Notice = "advisory"  // an early warning
	NoticeTakenBack Notice = "takenback" // what the list said of it once holds no more
	NoticeMention   Notice = "mention"   // it is named, and nothing is recommended
)

// The types of changes, in lower case as the types of all documents are
// compared.
const (
	firesAdvisory       = "advisory"
	firesRecommendation = "recommendation"
	firesRetraction     = "retraction"
	firesTombstone      = "tombstone"
)

const (
	maxFIRESWords = 50  // labels or filters of one change
	maxFIRESWord  = 300 // bytes of one of them
)

// jsonObject is a JSON object whose members are looked at one by one.
type jsonObject map[string]json.RawMessage

// get returns a member by its name in the context of FIRES, with its prefix or
// without. Servers before 0.7 wrote entity_kind where newer ones write
// entityKind.
func (o jsonObject) get(names ...string) json.RawMessage {
	for _, name := range names {
		for _, prefix := range [...]string{"", "fires:"} {
			if raw, ok := o[prefix+name]; ok && !bytes.Equal(raw, []byte("null")) {
				return raw
			}
		}
	}
	return nil
}

func (o jsonObject) text(names ...string) string {
	var s string
	_ = json.Unmarshal(o.get(names...), &s) // what is no text is none
	return s
}

// kind is the type, without the prefix or the address of its context; of
// several the first.
func (o jsonObject) kind() string {
	raw := o.get("type", "@type")
	var one string
	if json.Unmarshal(raw, &one) != nil {
		var many []string
		if json.Unmarshal(raw, &many) != nil || len(many) == 0 {
			return ""
		}
		one = many[0]
	}
	return strings.ToLower(lastPart(one))
}

// lastPart is what stands behind the last separator of an address or of a
// prefixed name.
func lastPart(s string) string {
	s = strings.TrimRight(s, "/")
	return s[strings.LastIndexAny(s, "/#:=")+1:]
}

func firesChange(kind string) bool {
	return kind == firesAdvisory || kind == firesRecommendation || kind == firesRetraction || kind == firesTombstone
}

func collection(kind string) bool {
	return kind == "orderedcollection" || kind == "orderedcollectionpage" || kind == "collection" || kind == "collectionpage"
}

// isFIRES reports whether an object is a document of FIRES.
func (o jsonObject) isFIRES() bool {
	kind := o.kind()
	return firesChange(kind) || (kind == "dataset" || collection(kind)) && bytes.Contains(o["@context"], []byte("fires.fedimod.org"))
}

// firstElement is the first element of an array if it is an object.
func firstElement(array []byte) (o jsonObject) {
	d := json.NewDecoder(bytes.NewReader(array))
	if _, err := d.Token(); err == nil {
		_ = d.Decode(&o) // nil: it is none
	}
	return o
}

// advice is a change that was read.
type advice struct {
	id     string // its UUIDv7
	about  string // the server in its one form, or as it was written; "": it says none
	erased bool   // a Tombstone: the change of that number, and all before it, do not exist any more
	entry  ListEntry
}

// later reports whether a counts rather than b, which is about the same server.
func (a advice) later(b advice) bool {
	return a.id > b.id || a.id == b.id && a.erased && !b.erased
}

// readFIRES reads the changes of a dataset and finds out which one counts about
// each server. Only domains are taken: of what else a dataset speaks is among
// the Faults.
func (f *ListFile) readFIRES(list []byte) error {
	r := firesReader{f: f}
	var err error
	if bytes.HasPrefix(bytes.TrimSpace(list), []byte("[")) {
		err = elements(list, func(_ int, element json.RawMessage) error { return r.document(element) })
	} else {
		err = r.document(list)
	}
	if err != nil {
		return err
	}
	return r.reduce()
}

type firesReader struct {
	f       *ListFile
	n       int // of the change, from 1, over all pages
	changes []advice
}

// document reads a collection, a page of one or a change. It goes no deeper
// than from a page to its changes.
func (r *firesReader) document(raw []byte) error {
	var o jsonObject
	if json.Unmarshal(raw, &o) != nil {
		return r.change(raw, nil)
	}
	kind := o.kind()
	switch {
	case kind == "dataset":
		return listFault("import.fires_dataset", "This only describes a dataset. Its content is at the address that stands under snapshot.")
	case !collection(kind):
		return r.change(raw, o)
	}
	r.f.Partial = r.f.Partial || strings.HasSuffix(kind, "page")
	if r.f.Publisher == "" {
		r.f.Publisher, r.f.Name = clipped(o.text("dataset"), maxListHost), clipped(o.text("name", "summary"), maxLabel)
		r.f.Updated, _ = day(o.text("updated"))
	}
	items := o.get("orderedItems", "items")
	if items == nil {
		var total int
		if json.Unmarshal(o["totalItems"], &total) == nil && total == 0 {
			return nil
		}
		return listFault("import.fires_cover", "This is only the cover of a list of changes. Save its snapshot, or its pages.")
	}
	return elements(items, func(_ int, element json.RawMessage) error {
		var change jsonObject
		_ = json.Unmarshal(element, &change) // nil is refused below
		return r.change(element, change)
	})
}

func (r *firesReader) fail(text, key string) error {
	if len(r.changes)+len(r.f.Faults) >= MaxListEntries {
		return errTooMany
	}
	return r.f.fail(r.n, text, key)
}

// change reads one change.
func (r *firesReader) change(raw []byte, o jsonObject) error {
	r.n++
	kind := o.kind()
	if !firesChange(kind) {
		return r.fail(string(raw[:min(len(raw), 200)]), "import.bad_element")
	}
	key := o.text("entityKey", "entity_key")
	a := advice{id: uuidv7(o.text("id", "@id")), erased: kind == firesTombstone, entry: ListEntry{Line: r.n, Host: key, Note: o.text("comment")}}
	a.entry.Added, _ = day(o.text("published"))
	switch {
	case a.id == "":
		return r.fail(key, "import.fires_no_id")
	case a.erased && key == "": // see reduce
	case !strings.EqualFold(o.text("entityKind", "entity_kind"), "domain"):
		return r.fail(key, "import.fires_kind")
	case strings.TrimSpace(key) == "":
		return r.fail("", "import.no_name")
	}
	a.about = serverIn(key)
	labels, ok := wordsOf(o.get("labels"))
	if !ok {
		return r.fail(key, "import.bad_value")
	}
	a.entry.PrivateNote = strings.Join(labels, ", ")
	switch kind {
	case firesAdvisory:
		a.entry.Notice = NoticeAdvisory
	case firesRetraction, firesTombstone:
		a.entry.Notice = NoticeTakenBack
	default:
		policy := strings.ToLower(o.text("recommendedPolicy", "recommended_policy"))
		filters, ok := wordsOf(o.get("recommendedFilters", "recommended_filters"))
		if !ok {
			return r.fail(key, "import.bad_value")
		}
		if !a.entry.recommend(policy, filters) {
			return r.fail(key+": "+policy, "import.fires_policy")
		}
	}
	if len(r.changes)+len(r.f.Faults) >= MaxListEntries {
		return errTooMany
	}
	r.changes = append(r.changes, a)
	return nil
}

// recommend has the entry ask for what a policy of FIRES means here.
//
// https://fires.fedimod.org/concepts/federation-management
func (e *ListEntry) recommend(policy string, filters []string) bool {
	switch policy {
	case "accept": // how close it becomes is for a person here to say
	case "reject", "drop": // they differ only in what the other side is told
		e.Deny, e.Severity = true, SeveritySuspend
	case "filter":
		e.filter(filters)
	case "", "none":
		e.Notice = NoticeMention
	default:
		return false
	}
	return true
}

// filter has the entry ask for the limits that match filters of FIRES. Where
// none is named it is for silence: the reference server makes such a
// recommendation of Mastodon's silence, and names no filters yet.
//
// https://fires.fedimod.org/concepts/filters
func (e *ListEntry) filter(filters []string) {
	e.Severity = SeverityNoop
	if len(filters) == 0 {
		e.Severity = SeveritySilence
	}
	var left []string
	for _, filter := range filters {
		switch name := strings.ToLower(strings.ReplaceAll(lastPart(filter), "_", "-")); name {
		case "auto-unlisted":
			e.Severity = SeveritySilence
		case "reject-media":
			e.RejectMedia = true
		case "auto-sensitive":
			e.Media = MediaClick
		case "reject-reports", "ignore-reports":
			e.RejectReports = true
		case "reject-replies", "ignore-replies":
			e.Refuse = e.Refuse.With(ClassReplies)
		default: // has no equal here, and is not rounded up to something stricter
			left = append(left, name)
		}
	}
	e.Left = clipped(strings.Join(left, ", "), maxNote)
}

// reduce notes of each change whether a later one is about the same server.
func (r *firesReader) reduce() error {
	of := make(map[string]int, len(r.changes)) // the change of each number that says what it is about
	for i, a := range r.changes {
		if _, twice := of[a.id]; a.about != "" && !twice {
			of[a.id] = i
		}
	}
	last := make(map[string]int, len(r.changes))
	for i := range r.changes {
		a := &r.changes[i]
		if a.about == "" { // a Tombstone is known by the number of what it erases alone
			if at, ok := of[a.id]; ok {
				a.about, a.entry.Host = r.changes[at].about, r.changes[at].entry.Host
			} else {
				continue
			}
		}
		if at, ok := last[a.about]; !ok || a.later(r.changes[at]) {
			last[a.about] = i
		}
	}
	for _, a := range r.changes {
		if a.about == "" {
			r.f.Faults = append(r.f.Faults, ListFault{a.entry.Line, a.id, "import.fires_erased"})
			continue
		}
		if counts := r.changes[last[a.about]]; counts.later(a) {
			a.entry.Over = counts.entry.Line
		}
		if err := r.f.add(a.entry); err != nil {
			return err
		}
	}
	return nil
}

// serverIn is the one form of a server's name, or what stands in its place.
func serverIn(name string) string {
	if host, err := iri.NormaliseHost(name, true); err == nil {
		return host
	}
	return strings.ToLower(strings.TrimSpace(name))
}

// wordsOf reads a set of labels or filters: addresses, or objects with one. Of
// an object the name is taken if it has one.
func wordsOf(raw json.RawMessage) (words []string, ok bool) {
	if raw == nil {
		return nil, true
	}
	var set []json.RawMessage
	if json.Unmarshal(raw, &set) != nil {
		set = []json.RawMessage{raw}
	}
	if len(set) > maxFIRESWords {
		return nil, false
	}
	for _, one := range set {
		var word string
		if json.Unmarshal(one, &word) != nil {
			var o jsonObject
			if json.Unmarshal(one, &o) != nil {
				return nil, false
			}
			if word = o.text("name"); word == "" {
				word = o.text("id", "@id")
			}
		}
		if word = clipped(word, maxFIRESWord); word != "" && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words, true
}

// uuidv7 is the UUID of version 7 at the end of an address, in lower case, or "".
//
// RFC 9562, section 5.7
func uuidv7(address string) string {
	id := strings.ToLower(lastPart(address))
	if len(id) != 36 || id[14] != '7' {
		return ""
	}
	for i, c := range []byte(id) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdef", rune(c)) {
			return ""
		}
	}
	return id
}
