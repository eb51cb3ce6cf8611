package peers

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// Published is news that a list of ours has changed; the key is its path.
const Published store.Topic = "published"

// Visibility is who may read a list of ours.
type Visibility string

// The visibilities.
const (
	VisiblePeers  Visibility = "peers"  // servers that are connected with this one, by their signature
	VisiblePublic Visibility = "public" // anybody
	VisibleLink   Visibility = "link"   // whoever has the whole address
)

// Formats is a set of forms in which a list is given out besides our own.
type Formats int64

// The forms.
const (
	FormatsMastodon   Formats = 1 << iota // domain_allows.csv
	FormatsPlain                          // a name a line
	FormatsGoToSocial                     // a JSON array
	AllFormats        = FormatsMastodon | FormatsPlain | FormatsGoToSocial
)

// Has reports whether g is in the set.
func (f Formats) Has(g Formats) bool { return f&g != 0 }

// PublishedList is a list of servers that this one gives out, so that others
// can connect with the same ones.
type PublishedList struct {
	ID          int64
	Path        string // the last part of its address
	Name        string
	About       string
	Visibility  Visibility
	Secret      string // of the address, with VisibleLink
	Formats     Formats
	ByPresets   string // presets of peers that are on it by themselves, with spaces between
	ByKinds     string // and kinds; without either none are
	Version     int64  // grows with each change
	Told        int64  // the version that its readers were told of
	BodyVersion int64  // the version that Body is
	Body        []byte // as it is given out, signed
	Live        bool
	UpdatedAt   time.Time
	CreatedAt   time.Time
}

// TableName names the table of lists.
func (PublishedList) TableName() string { return "published_lists" }

// PublishedEntry is a server on a list of ours.
type PublishedEntry struct {
	ListID        int64
	Host          string
	Label         string
	Tier          Preset
	Subtree       bool
	Note          string
	ByRule        bool // it is there because of what the peer is, and goes when it is so no more
	AddedAt       time.Time
	ExpiresAt     *time.Time
	PausedAt      *time.Time // since when it is an emergency
	PauseReason   string
	RetractedAt   *time.Time
	RetractReason string
}

// TableName names the table of entries.
func (PublishedEntry) TableName() string { return "published_entries" }

// Presets are the presets of peers that are on the list by themselves.
func (l PublishedList) Presets() []string { return strings.Fields(l.ByPresets) }

// Kinds are the kinds of peers that are on the list by themselves.
func (l PublishedList) Kinds() []string { return strings.Fields(l.ByKinds) }

// Address is the path of a list under this server's own address, in a form.
func (l PublishedList) Address() string {
	if l.Visibility == VisibleLink {
		return "/peering/lists/" + l.Path + "?key=" + l.Secret
	}
	return "/peering/lists/" + l.Path
}

// Opens reports whether the key in an address is that of the list.
func (l PublishedList) Opens(key string) bool {
	return l.Secret != "" && subtle.ConstantTimeCompare([]byte(key), []byte(l.Secret)) == 1
}

// ListForm is what an administrator writes down about a list.
type ListForm struct {
	Path       string // on making it alone
	Name       string
	About      string
	Visibility Visibility
	Formats    Formats
	Presets    []string
	Kinds      []string
}

var listPath = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,59}$`)

// tierOf is what a peer without a preset is on a list.
func tierOf(p Peer) Preset {
	if p.Preset != PresetNone {
		return p.Preset
	}
	switch p.Ceiling {
	case CeilingNone:
		return PresetListen
	case CeilingPublic:
		return PresetFriendly
	case CeilingGroup:
		return PresetPartner
	}
	return PresetNetwork
}

func (f *ListForm) check(form *fault.Check) {
	f.Name, f.About = clipped(f.Name, maxLabel), clipped(f.About, maxNote)
	if f.Name == "" {
		form.Add("name", "peerlist.name_missing", "Give the list a name.", nil)
	}
	if f.Visibility == "" {
		f.Visibility = VisiblePeers
	}
	if f.Visibility != VisiblePeers && f.Visibility != VisiblePublic && f.Visibility != VisibleLink {
		form.Add("visibility", "peers.policy_invalid", "Choose one of the values that are offered.", nil)
	}
	if f.Formats&^AllFormats != 0 || slices.ContainsFunc(f.Presets, func(p string) bool { return p == "" || !Preset(p).Valid() }) ||
		slices.ContainsFunc(f.Kinds, func(k string) bool { return !listPath.MatchString(k) }) {
		form.Add("presets", "peers.policy_invalid", "Choose one of the values that are offered.", nil)
	}
}

func newSecret() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return hex.EncodeToString(b[:])
}

// NewList makes a list. It is given out once it is published.
func NewList(tx *store.Tx, by int64, f ListForm) (PublishedList, error) {
	var form fault.Check
	f.check(&form)
	if f.Path = strings.ToLower(strings.TrimSpace(f.Path)); !listPath.MatchString(f.Path) {
		form.Add("path", "peerlist.path_invalid", "Use small letters, digits and hyphens for the address, 60 at most.", nil)
	} else if _, err := ListByPath(tx, f.Path); err == nil {
		form.Add("path", "peerlist.path_taken", "There is a list at this address already.", map[string]any{"Path": f.Path})
	} else if !fault.Is(err, fault.NotFound) {
		return PublishedList{}, err
	}
	if err := form.Err(); err != nil {
		return PublishedList{}, err
	}
	l := PublishedList{ID: tx.NewID(), Path: f.Path, Name: f.Name, About: f.About, Visibility: f.Visibility, Secret: newSecret(), Formats: f.Formats,
		ByPresets: strings.Join(f.Presets, " "), ByKinds: strings.Join(f.Kinds, " "), Version: 1, Told: 1, UpdatedAt: tx.Now, CreatedAt: tx.Now}
	if err := tx.Create(&l).Error; err != nil {
		return l, err
	}
	if err := Record(tx, Line{ActorID: actor(by), Action: "list.make", Subject: l.Path, After: l.summary()}); err != nil {
		return l, err
	}
	_, err := SyncList(tx, by, &l)
	return l, err
}

// SetList changes what a list is called, who may read it and which peers are
// on it by themselves.
func SetList(tx *store.Tx, by int64, path string, f ListForm) (PublishedList, error) {
	l, err := ListByPath(tx, path)
	if err != nil {
		return l, err
	}
	var form fault.Check
	f.check(&form)
	if err := form.Err(); err != nil {
		return l, err
	}
	before := l.summary()
	l.Name, l.About, l.Visibility, l.Formats = f.Name, f.About, f.Visibility, f.Formats
	l.ByPresets, l.ByKinds = strings.Join(f.Presets, " "), strings.Join(f.Kinds, " ")
	err = tx.Model(&PublishedList{}).Where("id = ?", l.ID).Updates(map[string]any{"name": l.Name, "about": l.About, "visibility": l.Visibility,
		"formats": l.Formats, "by_presets": l.ByPresets, "by_kinds": l.ByKinds}).Error
	if err != nil {
		return l, err
	}
	if err := Record(tx, Line{ActorID: actor(by), Action: "list.change", Subject: l.Path, Before: before, After: l.summary()}); err != nil {
		return l, err
	}
	if _, err := SyncList(tx, by, &l); err != nil {
		return l, err
	}
	return l, l.changed(tx)
}

// PublishList gives a list out, or gives it out no more. Readers then find
// nothing at its address, and keep what they had.
func PublishList(tx *store.Tx, by int64, path string, live bool) (PublishedList, error) {
	l, err := ListByPath(tx, path)
	if err != nil || l.Live == live {
		return l, err
	}
	action := "list.publish"
	if !live {
		action = "list.unpublish"
	}
	if err := tx.Exec("UPDATE published_lists SET live = ? WHERE id = ?", live, l.ID).Error; err != nil {
		return l, err
	}
	l.Live = live
	if live {
		if _, err := SyncList(tx, by, &l); err != nil {
			return l, err
		}
		if err := l.changed(tx); err != nil {
			return l, err
		}
	}
	return l, Record(tx, Line{ActorID: actor(by), Action: action, Subject: l.Path, After: l.summary()})
}

// NewLink gives a list another secret address; the one before opens nothing any more.
func NewLink(tx *store.Tx, by int64, path string) (PublishedList, error) {
	l, err := ListByPath(tx, path)
	if err != nil {
		return l, err
	}
	l.Secret = newSecret()
	if err := tx.Exec("UPDATE published_lists SET secret = ? WHERE id = ?", l.Secret, l.ID).Error; err != nil {
		return l, err
	}
	return l, Record(tx, Line{ActorID: actor(by), Action: "list.link", Subject: l.Path})
}

// DropList deletes a list with its entries.
func DropList(tx *store.Tx, by int64, path string) error {
	l, err := ListByPath(tx, path)
	if err != nil {
		return err
	}
	if err := tx.Exec("DELETE FROM published_lists WHERE id = ?", l.ID).Error; err != nil {
		return err
	}
	return Record(tx, Line{ActorID: actor(by), Action: "list.drop", Subject: l.Path, Before: l.summary()})
}

func (l PublishedList) summary() string {
	return fmt.Sprintf("%s (%s)", l.Name, l.Visibility)
}

// changed gives the list its next version, which its readers are told of.
func (l *PublishedList) changed(tx *store.Tx) error {
	l.Version++
	l.UpdatedAt = tx.Now
	tx.AnnounceKey(Published, l.Path)
	return tx.Exec("UPDATE published_lists SET version = version + 1, updated_at = ? WHERE id = ?", tx.Now, l.ID).Error
}

const listColumns = "id, path, name, about, visibility, secret, formats, by_presets, by_kinds, version, told, body_version, live, updated_at, created_at"

// ListByPath returns a list, without its body, or fault.NotFound.
func ListByPath(tx *store.Tx, path string) (PublishedList, error) {
	var l PublishedList
	err := tx.Select(listColumns).Where("path = ?", path).Take(&l).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return l, fault.Keyed(fault.NotFound, "peerlist.none_there", "There is no such list.", map[string]any{"Path": path})
	}
	return l, err
}

// PublishedLists returns all lists of ours by name, without their bodies.
func PublishedLists(tx *store.Tx) ([]PublishedList, error) {
	var all []PublishedList
	err := tx.Select(listColumns).Order("name, id").Limit(200).Find(&all).Error
	return all, err
}

// ListCount is how many servers are on a list, how many of them are an
// emergency, and who reads it.
type ListCount struct{ Entries, Emergencies, Readers int }

// CountLists counts what is on lists of ours, by their numbers.
func CountLists(tx *store.Tx) (map[int64]ListCount, error) {
	counts := map[int64]ListCount{}
	var rows []struct {
		ListID          int64
		Entries, Paused int
	}
	err := tx.Raw(`SELECT list_id, COUNT(*) AS entries, COUNT(paused_at) AS paused FROM published_entries
		WHERE retracted_at IS NULL GROUP BY list_id`).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		counts[r.ListID] = ListCount{Entries: r.Entries, Emergencies: r.Paused}
	}
	var readers []struct {
		ListID int64
		N      int
	}
	err = tx.Raw("SELECT list_id, COUNT(*) AS n FROM published_readers WHERE read_at > ? GROUP BY list_id", tx.Now.Add(-readersLast)).Scan(&readers).Error
	for _, r := range readers {
		c := counts[r.ListID]
		c.Readers = r.N
		counts[r.ListID] = c
	}
	return counts, err
}

// readersLast is how long a server counts as a reader of a list after it read it.
const readersLast = 7 * 24 * time.Hour

// PublishedEntries returns a page of the servers on a list, or of those that
// were on it, by name: those after a host, that contain a text.
func PublishedEntries(tx *store.Tx, list int64, retracted bool, query, after string, most int) ([]PublishedEntry, error) {
	q := tx.Where("list_id = ?", list).Order("host").Limit(most)
	if retracted {
		q = q.Where("retracted_at IS NOT NULL")
	} else {
		q = q.Where("retracted_at IS NULL")
	}
	if after != "" {
		q = q.Where("host > ?", after)
	}
	if query = strings.ToLower(strings.TrimSpace(query)); query != "" {
		like := containing(query)
		q = q.Where(`(host LIKE ? ESCAPE '\' OR LOWER(label) LIKE ? ESCAPE '\')`, like, like)
	}
	var all []PublishedEntry
	err := q.Find(&all).Error
	return all, err
}

// Emergencies returns the servers of a list that are an emergency now.
func Emergencies(tx *store.Tx, list int64) ([]PublishedEntry, error) {
	var all []PublishedEntry
	err := tx.Where("list_id = ? AND paused_at IS NOT NULL AND retracted_at IS NULL", list).Order("paused_at DESC").Limit(200).Find(&all).Error
	return all, err
}

// PublishedEntryOf returns a list's entry of a host, or fault.NotFound.
func PublishedEntryOf(tx *store.Tx, list int64, host string) (PublishedEntry, error) {
	var e PublishedEntry
	err := tx.Where("list_id = ? AND host = ?", list, host).Take(&e).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return e, fault.Keyed(fault.NotFound, "peerlist.not_on", "This server is not on the list.", map[string]any{"Host": host})
	}
	return e, err
}

// PutOnList puts a server on a list by hand, or changes what the list says of
// it. It need not be one that this server is connected with.
func PutOnList(tx *store.Tx, by int64, path string, e ListEntry) (PublishedEntry, error) {
	l, err := ListByPath(tx, path)
	if err != nil {
		return PublishedEntry{}, err
	}
	host, err := listedHost(tx, e.Host)
	if err != nil {
		return PublishedEntry{}, err
	}
	var form fault.Check
	if e.Match == MatchSubtree {
		checkSubtree(host, &form)
	}
	if !e.valid() || e.Deny {
		form.Add("tier", "peers.policy_invalid", "Choose one of the values that are offered.", nil)
	}
	if e.Expires != nil && !e.Expires.After(tx.Now) {
		form.Add("expires", "peerlist.expires_past", "This day is over. Choose one that is still to come.", nil)
	}
	if err := form.Err(); err != nil {
		return PublishedEntry{}, err
	}
	before, err := PublishedEntryOf(tx, l.ID, host)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return before, err
	}
	peer, err := Get(tx, host)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return before, err
	}
	row := PublishedEntry{ListID: l.ID, Host: host, Label: clipped(e.Label, maxLabel), Tier: e.Tier, Subtree: e.Match == MatchSubtree,
		Note: clipped(e.Note, maxNote), AddedAt: tx.Now, ExpiresAt: e.Expires}
	if row.Label == "" {
		row.Label = peer.Label
	}
	if row.Tier == PresetNone {
		row.Tier = PresetNetwork
		if peer.Standing == Allowed {
			row.Tier = tierOf(peer)
		}
	}
	if before.Host != "" && before.RetractedAt == nil {
		row.AddedAt, row.PausedAt, row.PauseReason = before.AddedAt, before.PausedAt, before.PauseReason
	}
	if err := putEntry(tx, row); err != nil {
		return row, err
	}
	if err := Record(tx, Line{ActorID: actor(by), Action: "list.add", Subject: host, Before: before.String(), After: row.String(), Reason: l.Name}); err != nil {
		return row, err
	}
	return row, l.changed(tx)
}

func putEntry(tx *store.Tx, e PublishedEntry) error {
	return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "list_id"}, {Name: "host"}}, UpdateAll: true}).Create(&e).Error
}

// listedHost is Normalise for a list, on which this server may be itself.
func listedHost(tx *store.Tx, host string) (string, error) {
	if h, err := iri.NormaliseHost(host, iri.IsDev(tx.Site.Host)); err == nil && h == tx.Site.Host {
		return h, nil
	}
	return Normalise(tx, host)
}

// String is the entry as the log keeps it.
func (e PublishedEntry) String() string {
	switch {
	case e.Host == "":
		return ""
	case e.RetractedAt != nil:
		return "retracted"
	case e.PausedAt != nil:
		return "emergency"
	}
	return string(e.Tier)
}

// Retract takes a server off a list. That it was on it stays on record, and is
// told to readers.
func Retract(tx *store.Tx, by int64, path, host, reason string) error {
	l, row, err := listed(tx, path, host)
	if err != nil {
		return err
	}
	row.ByRule = false // or it would be back at once
	if err := retractEntry(tx, row, reason); err != nil {
		return err
	}
	if err := Record(tx, Line{ActorID: actor(by), Action: "list.retract", Subject: row.Host, Before: row.String(), After: "retracted", Reason: reason}); err != nil {
		return err
	}
	return l.changed(tx)
}

func retractEntry(tx *store.Tx, e PublishedEntry, reason string) error {
	return tx.Exec("UPDATE published_entries SET retracted_at = ?, retract_reason = ?, paused_at = NULL, pause_reason = '', by_rule = ? WHERE list_id = ? AND host = ?",
		tx.Now, clipped(reason, maxNote), e.ByRule, e.ListID, e.Host).Error
}

// listed is a list and its entry of a host, which is not retracted.
func listed(tx *store.Tx, path, host string) (PublishedList, PublishedEntry, error) {
	l, err := ListByPath(tx, path)
	if err != nil {
		return l, PublishedEntry{}, err
	}
	if host, err = listedHost(tx, host); err != nil {
		return l, PublishedEntry{}, err
	}
	row, err := PublishedEntryOf(tx, l.ID, host)
	if err == nil && row.RetractedAt != nil {
		err = fault.Keyed(fault.NotFound, "peerlist.not_on", "This server is not on the list.", map[string]any{"Host": host})
	}
	return l, row, err
}

// RaiseEmergency has every reader of a list pause a server at once. One that is
// not on the list is put there for it. This server pauses it, too, if it is
// connected with it.
func RaiseEmergency(tx *store.Tx, by int64, path, host, reason string) error {
	l, err := ListByPath(tx, path)
	if err != nil {
		return err
	}
	if host, err = Normalise(tx, host); err != nil {
		return err
	}
	if reason = clipped(reason, maxNote); reason == "" {
		return fault.Invalidf("reason", "Say why: the reason goes to every school on the list.").WithKey("peerlist.reason_missing", nil)
	}
	row, err := PublishedEntryOf(tx, l.ID, host)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	before := row.String()
	if row.Host == "" || row.RetractedAt != nil {
		peer, err := Get(tx, host)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		row = PublishedEntry{ListID: l.ID, Host: host, Label: peer.Label, Tier: PresetListen, AddedAt: tx.Now}
	}
	row.PausedAt, row.PauseReason = &tx.Now, reason
	if err := putEntry(tx, row); err != nil {
		return err
	}
	if err := Record(tx, Line{ActorID: actor(by), Action: "list.emergency", Subject: host, Before: before, After: "emergency", Reason: reason}); err != nil {
		return err
	}
	peer, err := Get(tx, host)
	if err == nil && peer.Standing == Allowed {
		_, err = Pause(tx, by, host, Ending{Reason: reason})
	} else if fault.Is(err, fault.NotFound) {
		err = nil
	}
	if err != nil {
		return err
	}
	return l.changed(tx)
}

// EndEmergency says that a server is no emergency any more. Readers are offered
// to resume it; here that is a decision of its own.
func EndEmergency(tx *store.Tx, by int64, path, host, reason string) error {
	l, row, err := listed(tx, path, host)
	if err != nil {
		return err
	}
	if row.PausedAt == nil {
		return nil
	}
	err = tx.Exec("UPDATE published_entries SET paused_at = NULL, pause_reason = '' WHERE list_id = ? AND host = ?", l.ID, row.Host).Error
	if err != nil {
		return err
	}
	if err := Record(tx, Line{ActorID: actor(by), Action: "list.over", Subject: row.Host, Before: "emergency", After: string(row.Tier), Reason: reason}); err != nil {
		return err
	}
	return l.changed(tx)
}

// SyncList brings those entries of a list up to date that are there because of
// what a peer is, and retracts those whose time is over. It reports whether
// anything changed.
func SyncList(tx *store.Tx, by int64, l *PublishedList) (bool, error) {
	var had []PublishedEntry
	if err := tx.Where("list_id = ?", l.ID).Find(&had).Error; err != nil {
		return false, err
	}
	entries := make(map[string]PublishedEntry, len(had))
	for _, e := range had {
		entries[e.Host] = e
	}
	fits, err := l.fitting(tx)
	if err != nil {
		return false, err
	}
	changed := false
	var fresh []PublishedEntry
	for _, p := range fits {
		e, known := entries[p.Host]
		if p.Standing == Paused && (!known || e.RetractedAt != nil) {
			continue // it stays on the list, and does not come onto it
		}
		if known && e.RetractedAt == nil && (!e.ByRule || e.same(p)) || known && e.RetractedAt != nil && !e.ByRule {
			continue // by hand, or as it is: what a person took off stays off
		}
		row := PublishedEntry{ListID: l.ID, Host: p.Host, Label: p.Label, Tier: tierOf(p), Subtree: p.Subtree, Note: p.PublicNote, ByRule: true,
			AddedAt: tx.Now, ExpiresAt: p.ExpiresAt}
		if known && e.RetractedAt == nil {
			row.AddedAt, row.PausedAt, row.PauseReason = e.AddedAt, e.PausedAt, e.PauseReason
		}
		fresh = append(fresh, row)
	}
	for part := range slices.Chunk(fresh, 200) {
		changed = true
		err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "list_id"}, {Name: "host"}}, UpdateAll: true}).Create(&part).Error
		if err != nil {
			return false, err
		}
	}
	keep := make(map[string]bool, len(fits))
	for _, p := range fits {
		keep[p.Host] = true
	}
	for _, e := range had {
		why := ""
		switch {
		case e.RetractedAt != nil:
		case e.ExpiresAt != nil && !tx.Now.Before(*e.ExpiresAt):
			why = "expired"
		case e.ByRule && !keep[e.Host] && e.PausedAt == nil: // one that is paused here for an emergency stays on it
			why = "no longer on the list's terms"
		}
		if why == "" {
			continue
		}
		changed = true
		if err := retractEntry(tx, e, why); err != nil {
			return false, err
		}
	}
	if !changed {
		return false, nil
	}
	return true, l.changed(tx)
}

// fitting returns the peers that are on the list by themselves.
func (l PublishedList) fitting(tx *store.Tx) ([]Peer, error) {
	presets, kinds := l.Presets(), l.Kinds()
	if len(presets) == 0 && len(kinds) == 0 {
		return nil, nil
	}
	q := tx.Where("standing IN ?", []Standing{Allowed, Paused}).Order("host")
	if len(kinds) > 0 {
		q = q.Where("kind IN ?", kinds)
	}
	var all []Peer
	if err := q.Find(&all).Error; err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p Peer) bool {
		return p.over(tx.Now) || len(presets) > 0 && !slices.Contains(presets, string(tierOf(p)))
	}), nil
}

func (e PublishedEntry) same(p Peer) bool {
	return e.Label == p.Label && e.Tier == tierOf(p) && e.Subtree == p.Subtree && e.Note == p.PublicNote && sameMoment(e.ExpiresAt, p.ExpiresAt)
}

func sameMoment(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

// stale returns the lists whose entries may have changed by themselves: those with rules, and those with an entry whose time is over.
func stale(tx *store.Tx) ([]PublishedList, error) {
	var all []PublishedList
	err := tx.Select(listColumns).Where(`by_presets <> '' OR by_kinds <> '' OR id IN
		(SELECT list_id FROM published_entries WHERE expires_at IS NOT NULL AND expires_at <= ? AND retracted_at IS NULL)`, tx.Now).Find(&all).Error
	return all, err
}

// SyncLists is SyncList for every list that may need it.
func SyncLists(tx *store.Tx) error {
	all, err := stale(tx)
	if err != nil {
		return err
	}
	for i := range all {
		if _, err := SyncList(tx, 0, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

// Reads remembers that a server read a list.
func Reads(tx *store.Tx, list int64, host string) error {
	return tx.Exec(`INSERT INTO published_readers (list_id, host, read_at) VALUES (?, ?, ?)
		ON CONFLICT (list_id, host) DO UPDATE SET read_at = excluded.read_at`, list, host, tx.Now).Error
}

// Reader is a server that reads a list.
type Reader struct{ Host, Inbox string }

// Untold returns a list that has changed since its readers were told, with
// those readers; the zero value if there is none.
func Untold(tx *store.Tx) (l PublishedList, readers []Reader, err error) {
	err = tx.Select(listColumns).Where("live AND told < version").Order("updated_at").Limit(1).Find(&l).Error
	if err != nil || l.ID == 0 {
		return l, nil, err
	}
	err = tx.Raw(`SELECT r.host, h.shared_inbox AS inbox FROM published_readers r JOIN hosts h ON h.host = r.host
		WHERE r.list_id = ? AND r.read_at > ? AND h.shared_inbox <> '' ORDER BY r.host`, l.ID, tx.Now.Add(-readersLast)).Scan(&readers).Error
	return l, readers, err
}

// ToldOf says that readers were told of a version of a list.
func ToldOf(tx *store.Tx, l PublishedList) error {
	return tx.Exec("UPDATE published_lists SET told = ? WHERE id = ? AND told < ?", l.Version, l.ID, l.Version).Error
}

// ListBody returns a list as it is given out, nil if that was not signed yet
// for the version there is.
func ListBody(tx *store.Tx, id int64) ([]byte, error) {
	var l PublishedList
	err := tx.Select("id, version, body_version, body").Where("id = ?", id).Limit(1).Find(&l).Error
	if err != nil || l.BodyVersion != l.Version {
		return nil, err
	}
	return l.Body, nil
}

// KeepBody keeps a list as it is given out, signed, for one of its versions.
func KeepBody(tx *store.Tx, id, version int64, body []byte) error {
	return tx.Exec("UPDATE published_lists SET body = ?, body_version = ? WHERE id = ? AND version = ?", body, version, id, version).Error
}
