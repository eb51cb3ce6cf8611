package peers

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// Kinds are what a server can be, in the order of pages. None of them has an effect.
func Kinds() []string {
	return []string{"school", "region", "university", "mastodon", "forum", "other"}
}

// Entry is what is written down about the peer, as it can be changed.
func (p Peer) Entry() Entry {
	policy := p.Policy
	return Entry{Label: p.Label, Kind: p.Kind, PublicNote: p.PublicNote, Note: p.Note, Reason: p.Reason, Source: p.Source, Subtree: p.Subtree,
		Ceiling: p.Ceiling, Policy: &policy, ReviewOn: p.ReviewOn, ExpiresAt: p.ExpiresAt}
}

// EntryFor is what is on record of a server that is about to be decided about,
// and what it is known to run. Of a block it is the words only: nothing else of
// it holds for what comes after.
func EntryFor(tx *store.Tx, host string) (e Entry, software string, err error) {
	p, err := Get(tx, host)
	switch {
	case err == nil && p.Standing != Blocked:
		e = p.Entry()
	case err == nil:
		e = Entry{Label: p.Label, Kind: p.Kind, PublicNote: p.PublicNote, Note: p.Note}
	case !fault.Is(err, fault.NotFound):
		return e, "", err
	}
	known, err := HostByName(tx, host)
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	return e, known.Software, err
}

// Edit changes what is written down about a server and how it is dealt with,
// and leaves its standing as it is. Nothing changed leaves no line in the log.
func Edit(tx *store.Tx, by int64, host, reason string, change func(*Entry) error) (Peer, error) {
	host, err := Normalise(tx, host)
	if err != nil {
		return Peer{}, err
	}
	before, err := Get(tx, host)
	if err != nil {
		return before, err
	}
	e := before.Entry()
	e.Reason = reason
	if err := change(&e); err != nil {
		return before, err
	}
	if before.Standing == Blocked { // nothing else holds for those
		policy := before.Policy
		e.Policy, e.Subtree, e.ExpiresAt = &policy, before.Subtree, nil
	}
	var form fault.Check
	e.check(&form)
	if e.Subtree && !before.Subtree {
		checkSubtree(host, &form)
	}
	if err := form.Err(); err != nil {
		return before, err
	}
	p := before
	p.Label, p.Kind, p.PublicNote, p.Note, p.Subtree, p.Policy, p.ReviewOn = e.Label, e.Kind, e.PublicNote, e.Note, e.Subtree, *e.Policy, e.ReviewOn
	p.ExpiresAt, p.SortName = e.ExpiresAt, sortName(e.Label, host)
	if p.String() == before.String() {
		return before, nil
	}
	p.ChangedBy, p.ChangedAt = actor(by), tx.Now
	// Only what can be changed here: what others write meanwhile stays theirs.
	err = tx.Model(&Peer{}).Where("host = ?", host).Select("label", "sort_name", "kind", "public_note", "note", "subtree", "preset", "ceiling", "inbound", "outbound",
		"hold", "silenced", "media", "rights", "reports_in", "reports_out", "search", "retention", "per_minute", "per_day", "max_bytes", "backfill",
		"review_on", "expires_at", "changed_by", "changed_at").Updates(&p).Error
	if err != nil {
		return before, err
	}
	tx.AnnounceKey(Changed, host)
	return p, Record(tx, Line{ActorID: actor(by), Action: "peer.change", Subject: host, Before: before.String(), After: p.String(), Reason: e.Reason})
}

// sortName is where a peer stands in a list by name.
func sortName(label, host string) string {
	if label == "" {
		return host
	}
	return strings.ToLower(label)
}

// EntrySettings are the names of what can be set of an entry, as fields of forms
// and subcommands have them, besides PolicySettings.
func EntrySettings() []string {
	return []string{"label", "kind", "match", "public_note", "note", "review_on", "expires"}
}

// PolicySettings are the names of the parts of a policy, in the order of pages.
func PolicySettings() []string {
	return []string{"ceiling", "inbound", "outbound", "hold", "silenced", "media", "rights", "reports_in", "reports_out", "search",
		"retention", "per_minute", "per_day", "max_bytes", "backfill"}
}

// Set changes one thing of an entry by its name. software is what the server
// is known to run: a preset is narrowed by it, see Suggested. A preset
// replaces the whole policy; "none" keeps the policy as it is, as the
// administrator's own.
func (e *Entry) Set(tx *store.Tx, key, value, software string) error {
	value = strings.TrimSpace(value)
	if e.Policy == nil {
		full := FullPolicy(CeilingNetwork)
		e.Policy = &full
	}
	switch key {
	case "label":
		e.Label = value
	case "kind":
		e.Kind = value
	case "public_note":
		e.PublicNote = value
	case "note":
		e.Note = value
	case "match":
		switch value {
		case "exact", "subtree":
			e.Subtree = value == "subtree"
		default:
			return wrongChoice(key, "exact", "subtree")
		}
	case "review_on":
		return setDay(tx, key, value, &e.ReviewOn)
	case "expires":
		return setDay(tx, key, value, &e.ExpiresAt)
	case "preset":
		return e.setPreset(tx, value, software)
	default:
		return e.Policy.Set(key, value)
	}
	return nil
}

// SetAll is Set for many, which says all that is wrong at once. A preset comes
// first, for it replaces the rest.
func (e *Entry) SetAll(tx *store.Tx, values map[string]string, software string) error {
	keys := slices.Sorted(maps.Keys(values))
	slices.SortStableFunc(keys, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == "preset":
			return -1
		case b == "preset":
			return 1
		}
		return 0
	})
	var wrong *fault.Error
	for _, key := range keys {
		var f *fault.Error
		switch err := e.Set(tx, key, values[key], software); {
		case err == nil:
		case errors.As(err, &f) && f.Kind == fault.Invalid && wrong != nil:
			wrong.Fields = append(wrong.Fields, f.Fields...)
		case errors.As(err, &f) && f.Kind == fault.Invalid:
			wrong = f
		default:
			return err
		}
	}
	if wrong != nil {
		return wrong
	}
	return nil
}

func (e *Entry) setPreset(tx *store.Tx, value, software string) error {
	was := e.Policy.Preset
	if value == "none" || value == "" {
		e.Policy.Preset = PresetNone
		return nil
	}
	p := Preset(value)
	if !p.Valid() {
		words := []string{"none"}
		for _, one := range Presets() {
			words = append(words, string(one))
		}
		return wrongChoice("preset", words...)
	}
	policy, _ := Suggested(p, software)
	e.Policy = &policy
	switch {
	case p == PresetTrial && e.ExpiresAt == nil:
		e.ExpiresAt = dueIn(tx, TrialFor)
	case was == PresetTrial && p != PresetTrial:
		e.ExpiresAt = nil // or the trial's end would end what came of it
	}
	return nil
}

// Set changes one part of a policy by its name. Of what is a set, value lists
// the members, with commas between them, or is "all" or "none".
func (p *Policy) Set(key, value string) error {
	switch key {
	case "ceiling":
		return choose(key, value, &p.Ceiling, CeilingNone, CeilingPublic, CeilingNetwork, CeilingGroup)
	case "inbound":
		return p.Inbound.parse(key, value)
	case "outbound":
		return p.Outbound.parse(key, value)
	case "hold":
		return choose(key, value, &p.Hold, Holds()...)
	case "silenced":
		switch value {
		case "yes", "no":
			p.Silenced = value == "yes"
			return nil
		}
		return wrongChoice(key, "yes", "no")
	case "media":
		return choose(key, value, &p.Media, MediaPolicies()...)
	case "rights":
		return p.Rights.parse(key, value)
	case "reports_in":
		return choose(key, value, &p.ReportsIn, ReportsAccept, ReportsApart, ReportsRefuse)
	case "reports_out":
		return choose(key, value, &p.ReportsOut, ReportsClick, ReportsNever)
	case "search":
		return choose(key, value, &p.Search, SearchMembers, SearchFollowers, SearchNobody)
	case "retention":
		return number(key, value, &p.Retention, func(n int64) bool { return slices.Contains(Retentions(), n) })
	case "per_minute":
		return number(key, value, &p.PerMinute, atMost(100_000))
	case "per_day":
		return number(key, value, &p.PerDay, atMost(10_000_000))
	case "max_bytes":
		return number(key, value, &p.MaxBytes, atMost(1<<30))
	case "backfill":
		return number(key, value, &p.Backfill, atMost(10_000))
	}
	return fault.Invalidf(key, "There is no setting %q. There are: preset, %s.", key, strings.Join(slices.Concat(EntrySettings(), PolicySettings()), ", ")).
		WithKey("peers.setting_unknown", map[string]any{"Name": key})
}

// Value is a part of a policy as Set takes it.
func (p Policy) Value(key string) string {
	switch key {
	case "ceiling":
		return string(p.Ceiling)
	case "inbound":
		return joined(p.Inbound.Words())
	case "outbound":
		return joined(p.Outbound.Words())
	case "hold":
		return string(p.Hold)
	case "silenced":
		if p.Silenced {
			return "yes"
		}
		return "no"
	case "media":
		return string(p.Media)
	case "rights":
		return joined(p.Rights.Words())
	case "reports_in":
		return string(p.ReportsIn)
	case "reports_out":
		return string(p.ReportsOut)
	case "search":
		return string(p.Search)
	case "retention":
		return strconv.FormatInt(p.Retention, 10)
	case "per_minute":
		return strconv.FormatInt(p.PerMinute, 10)
	case "per_day":
		return strconv.FormatInt(p.PerDay, 10)
	case "max_bytes":
		return strconv.FormatInt(p.MaxBytes, 10)
	case "backfill":
		return strconv.FormatInt(p.Backfill, 10)
	}
	return ""
}

func joined(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ",")
}

// Holds, MediaPolicies and Retentions list the values there are, in the order of pages.
func Holds() []Hold { return []Hold{HoldNone, HoldFirst, HoldMedia, HoldLinks, HoldAll} }

// MediaPolicies lists them: see Holds.
func MediaPolicies() []MediaPolicy {
	return []MediaPolicy{MediaProxy, MediaClick, MediaHold, MediaStrip}
}

// Retentions lists them, in days; 0 keeps everything: see Holds.
func Retentions() []int64 { return []int64{30, 90, 365, 0} }

// RightNames are the rights with the words that subcommands and forms use.
func RightNames() []RightName {
	return []RightName{{RightJoin, "join"}, {RightModerate, "moderate"}, {RightVouch, "vouch"}}
}

// RightName is a right and its word.
type RightName struct {
	Right Rights
	Name  string
}

// Words are the names of the rights in the set.
func (r Rights) Words() []string {
	var words []string
	for _, one := range RightNames() {
		if r.Has(one.Right) {
			words = append(words, one.Name)
		}
	}
	return words
}

func (r *Rights) parse(key, value string) error {
	bits := map[string]int64{}
	for _, one := range RightNames() {
		bits[one.Name] = int64(one.Right)
	}
	return parseSet(key, value, bits, (*int64)(r))
}

func (s *Classes) parse(key, value string) error {
	bits := map[string]int64{}
	for _, one := range ClassNames() {
		bits[one.Name] = int64(one.Class)
	}
	return parseSet(key, value, bits, (*int64)(s))
}

func parseSet(key, value string, bits map[string]int64, into *int64) error {
	sum := int64(0)
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' }) {
		bit, ok := bits[word]
		switch {
		case word == "none":
		case word == "all":
			for _, b := range bits {
				sum |= b
			}
		case !ok:
			words := []string{"all", "none"}
			for w := range bits {
				words = append(words, w)
			}
			slices.Sort(words[2:])
			return wrongChoice(key, words...)
		default:
			sum |= bit
		}
	}
	*into = sum
	return nil
}

func choose[T ~string](key, value string, into *T, among ...T) error {
	if slices.Contains(among, T(value)) {
		*into = T(value)
		return nil
	}
	words := make([]string, len(among))
	for i, a := range among {
		words[i] = string(a)
	}
	return wrongChoice(key, words...)
}

func wrongChoice(key string, among ...string) error {
	return fault.Invalidf(key, "%s can be: %s.", key, strings.Join(among, ", ")).WithKey("peers.policy_invalid", nil)
}

func atMost(most int64) func(int64) bool { return func(n int64) bool { return n <= most } }

func number(key, value string, into *int64, may func(int64) bool) error {
	n := int64(0)
	if value != "" {
		var err error
		if n, err = strconv.ParseInt(value, 10, 64); err != nil {
			n = -1
		}
	}
	if n < 0 || !may(n) {
		return fault.Invalidf(key, "%q is no number that %s can have; 0 sets no limit of its own.", value, key).WithKey("peers.number_invalid", nil)
	}
	*into = n
	return nil
}

// setDay reads a day, which begins where this server is. "" and "never" are none.
func setDay(tx *store.Tx, key, value string, into **time.Time) error {
	if value == "" || value == "never" {
		*into = nil
		return nil
	}
	day, err := time.ParseInLocation(time.DateOnly, value, time.Local)
	if err != nil || day.Year() > 9000 {
		return fault.Invalidf(key, "%q is no date. Write it like 2027-06-30.", value).WithKey("peers.date_invalid", nil)
	}
	if DayOf(*into) == value {
		return nil // as it was, to the hour
	}
	at := day.UTC()
	if !at.After(tx.Now) {
		return fault.Invalidf(key, "%s has passed. Choose a day to come.", value).WithKey("peers.date_passed", nil)
	}
	*into = &at
	return nil
}

// DayOf is a moment as a day for a form, or "".
func DayOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.In(time.Local).Format(time.DateOnly)
}

// WideApex reports whether a host is the whole of a registered domain, below
// which others than its owner may run servers: a district's, a university's.
//
// https://publicsuffix.org.
func WideApex(host string) bool {
	apex, err := publicsuffix.EffectiveTLDPlusOne(host)
	return err == nil && apex == host
}

// PublicSuffix reports whether anybody may register names below a host, or
// below each name that is below it: the list has *.sch.uk, and not sch.uk.
func PublicSuffix(host string) bool {
	for _, name := range []string{host, "any." + host} {
		if suffix, _ := publicsuffix.PublicSuffix(name); suffix == name {
			return true
		}
	}
	return false
}

// checkKind refuses what no page has a word for.
func (e *Entry) checkKind(form *fault.Check) {
	if e.Kind = strings.TrimSpace(e.Kind); e.Kind != "" && !slices.Contains(Kinds(), e.Kind) {
		form.Add("kind", "peers.policy_invalid", fmt.Sprintf("kind can be: %s.", strings.Join(Kinds(), ", ")), nil)
	}
}
