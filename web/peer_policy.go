package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/chalkring/chalkring/internal/peers"
)

// presetCard is a preset with what it means, to choose with one click.
type presetCard struct {
	Value   string
	Name    string
	Means   string
	Note    string // what is different for this server's software
	Current bool
}

// presetCards are all presets for a server that runs some software.
func presetCards(l *Locale, current peers.Preset, software string) []presetCard {
	var cards []presetCard
	for _, p := range peers.Presets() {
		card := presetCard{Value: string(p), Name: presetWords(l, p), Means: presetMeans(l, p), Current: p == current}
		if _, why := peers.Suggested(p, software); why != "" {
			card.Note = l.T("peers.preset_narrowed")
		}
		cards = append(cards, card)
	}
	return cards
}

// presetField asks for a preset in a form that adds a server.
func presetField(l *Locale, chosen, software string) FormField {
	f := FormField{Name: "preset", Kind: "radio", Label: l.T("peers.preset"), Hint: l.T("peers.preset_hint")}
	for _, p := range peers.Presets() {
		o := Option{Value: string(p), Words: presetWords(l, p), Detail: presetMeans(l, p), Selected: string(p) == chosen}
		if _, why := peers.Suggested(p, software); why != "" {
			o.Detail += " " + l.T("peers.preset_narrowed")
		}
		f.Options = append(f.Options, o)
	}
	f.Options = append(f.Options, Option{Value: "none", Words: l.T("peers.preset_none"), Detail: l.T("peers.preset_none_means"), Selected: chosen == "none"})
	return f
}

// policyOptions are the values of a part of a policy in words.
func policyOptions(l *Locale, key string) []Option {
	switch key {
	case "ceiling":
		return []Option{
			{Value: string(peers.CeilingGroup), Words: l.T("ceiling.group"), Detail: l.T("ceiling.group_detail")},
			{Value: string(peers.CeilingNetwork), Words: l.T("ceiling.network"), Detail: l.T("ceiling.network_detail")},
			{Value: string(peers.CeilingPublic), Words: l.T("ceiling.public"), Detail: l.T("ceiling.public_detail")},
			{Value: string(peers.CeilingNone), Words: l.T("ceiling.none"), Detail: l.T("ceiling.none_detail")}}
	case "inbound", "outbound":
		var all []Option
		for _, c := range peers.ClassNames() {
			all = append(all, Option{Value: c.Name, Words: classWords(l, c.Class)})
		}
		return all
	case "hold":
		return []Option{
			{Value: string(peers.HoldNone), Words: l.T("peers.hold_none")},
			{Value: string(peers.HoldFirst), Words: l.T("peers.hold_first"), Detail: l.T("peers.hold_first_detail")},
			{Value: string(peers.HoldMedia), Words: l.T("peers.hold_media")},
			{Value: string(peers.HoldLinks), Words: l.T("peers.hold_links")},
			{Value: string(peers.HoldAll), Words: l.T("peers.hold_all")}}
	case "media":
		return []Option{
			{Value: string(peers.MediaProxy), Words: l.T("peers.media_proxy"), Detail: l.T("peers.media_proxy_detail")},
			{Value: string(peers.MediaClick), Words: l.T("peers.media_click"), Detail: l.T("peers.media_click_detail")},
			{Value: string(peers.MediaHold), Words: l.T("peers.media_hold"), Detail: l.T("peers.media_hold_detail")},
			{Value: string(peers.MediaStrip), Words: l.T("peers.media_strip"), Detail: l.T("peers.media_strip_detail")}}
	case "rights":
		return []Option{
			{Value: "join", Words: l.T("peers.right_join")},
			{Value: "moderate", Words: l.T("peers.right_moderate")},
			{Value: "vouch", Words: l.T("peers.right_vouch"), Detail: l.T("peers.right_vouch_detail")}}
	case "reports_in":
		return []Option{
			{Value: string(peers.ReportsAccept), Words: l.T("peers.reports_accept")},
			{Value: string(peers.ReportsApart), Words: l.T("peers.reports_apart"), Detail: l.T("peers.reports_apart_detail")},
			{Value: string(peers.ReportsRefuse), Words: l.T("peers.reports_refuse")}}
	case "reports_out":
		return []Option{
			{Value: string(peers.ReportsClick), Words: l.T("peers.reports_click")},
			{Value: string(peers.ReportsNever), Words: l.T("peers.reports_never")}}
	case "search":
		return []Option{
			{Value: string(peers.SearchMembers), Words: l.T("peers.search_members")},
			{Value: string(peers.SearchFollowers), Words: l.T("peers.search_followers")},
			{Value: string(peers.SearchNobody), Words: l.T("peers.search_nobody")}}
	case "retention":
		return []Option{{Value: "30", Words: l.T("peers.retention_days", "Count", 30)}, {Value: "90", Words: l.T("peers.retention_days", "Count", 90)},
			{Value: "365", Words: l.T("peers.retention_days", "Count", 365)}, {Value: "0", Words: l.T("peers.retention_ever")}}
	}
	return nil
}

// policyParts is a policy as a form, in groups. values holds what to show for
// each setting; from is marked where it differs from its preset.
func policyParts(l *Locale, from peers.Policy, values map[string]string, wrong map[string]string) []formPart {
	differs := from.Differs()
	field := func(key, kind, hint string) FormField {
		f := FormField{Name: key, Kind: kind, Label: settingWords(l, key), Hint: hint, Value: values[key], Error: wrong[key]}
		chosen := strings.Split(values[key], ",")
		switch kind {
		case "checkbox":
			f.Checked, f.Value = values[key] == "yes", "yes"
		case "number":
			f.Small = true
		default:
			f.Options = policyOptions(l, key)
			for i, o := range f.Options {
				f.Options[i].Selected = slices.Contains(chosen, o.Value)
			}
		}
		if slices.Contains(differs, key) {
			f.Differs = l.T("peers.differs", "Preset", presetWords(l, from.Preset), "Value", valueWords(l, key, from.Preset.Policy().Value(key)))
		}
		return f
	}
	return []formPart{
		{Title: l.T("peers.part_out"), Fields: []FormField{field("ceiling", "radio", l.T("ceiling.hint")), field("outbound", "checks", l.T("peers.outbound_hint")),
			field("reports_out", "radio", l.T("peers.reports_out_hint"))}},
		{Title: l.T("peers.part_in"), Fields: []FormField{field("inbound", "checks", l.T("peers.inbound_hint")), field("hold", "radio", l.T("peers.hold_hint")),
			field("silenced", "checkbox", l.T("peers.silenced_hint")), field("media", "radio", ""), field("reports_in", "radio", ""), field("search", "radio", l.T("peers.search_hint"))}},
		{Title: l.T("peers.part_groups"), Fields: []FormField{field("rights", "checks", l.T("peers.rights_hint"))}},
		{Title: l.T("peers.part_limits"), Fields: []FormField{field("retention", "radio", l.T("peers.retention_hint")), field("per_minute", "number", l.T("peers.per_minute_hint")),
			field("per_day", "number", l.T("peers.per_day_hint")), field("max_bytes", "number", l.T("peers.max_bytes_hint")), field("backfill", "number", l.T("peers.backfill_hint"))}},
	}
}

// policyValues are the parts of a policy as forms hold them.
func policyValues(p peers.Policy) map[string]string {
	values := map[string]string{}
	for _, key := range peers.PolicySettings() {
		values[key] = p.Value(key)
	}
	return values
}

// postedPolicy reads the form of a policy. What is a set and has no box ticked
// is empty.
func postedPolicy(r *http.Request) map[string]string {
	values := map[string]string{}
	for _, key := range peers.PolicySettings() {
		values[key] = strings.Join(r.PostForm[key], ",")
		switch {
		case key == "silenced" && values[key] == "":
			values[key] = "no"
		case values[key] == "" && (key == "inbound" || key == "outbound" || key == "rights"):
			values[key] = "none"
		}
	}
	return values
}

// entryValues are what is written down about a server, as forms hold it.
func entryValues(e peers.Entry) map[string]string {
	match := "exact"
	if e.Subtree {
		match = "subtree"
	}
	return map[string]string{"label": e.Label, "kind": e.Kind, "match": match, "public_note": e.PublicNote, "note": e.Note,
		"review_on": peers.DayOf(e.ReviewOn), "expires": peers.DayOf(e.ExpiresAt)}
}

// postedEntry reads what a form says of an entry: only the settings that it has.
func postedEntry(r *http.Request, also ...string) map[string]string {
	values := map[string]string{}
	if r.ParseForm() != nil { // handlers that change something have looked
		return values
	}
	for _, key := range append(also, peers.EntrySettings()...) {
		if sent, ok := r.Form[key]; ok {
			values[key] = strings.Join(sent, ",")
		}
	}
	return values
}

// below is what is known of the names below a server's.
type below struct {
	names []string
	all   int
}

// knownBelow is how many of the names below a server's are named.
const knownBelow = 8

// manyBelow is from how many known names below a whole domain on a person is warned.
const manyBelow = 5

// words say which known servers an entry for every name below would cover.
func (b below) words(l *Locale) string {
	switch {
	case b.all == 0:
		return l.T("peers.below_none")
	case b.all > len(b.names):
		return l.T("peers.below_more", "Count", b.all, "Names", strings.Join(b.names, ", "))
	}
	return l.T("peers.below", "Count", b.all, "Names", strings.Join(b.names, ", "))
}

// warns says what to think of before every name below is admitted, or nothing.
func (b below) warns(l *Locale, host string) string {
	switch {
	case host == "":
		return ""
	case peers.PublicSuffix(host):
		return l.T("peers.subtree_suffix", "Host", host)
	case peers.WideApex(host) && b.all >= manyBelow:
		return l.T("peers.apex_many", "Host", host, "Count", b.all)
	case peers.WideApex(host):
		return l.T("peers.apex")
	}
	return ""
}

// entryFormFields are what is written down about a server. host is "" where it
// is not known yet.
func entryFormFields(l *Locale, host string, values, wrong map[string]string, known below, blocked bool) []FormField {
	choose := func(name, kind string, options ...Option) FormField {
		f := FormField{Name: name, Kind: kind, Label: settingWords(l, name), Options: options}
		for i, o := range options {
			f.Options[i].Selected = o.Value == values[name]
		}
		return f
	}
	kinds := []Option{{Value: "", Words: l.T("peers.kind_none")}}
	for _, k := range peers.Kinds() {
		kinds = append(kinds, Option{Value: k, Words: kindWords(l, k)})
	}
	subtree := l.T("peers.match_subtree_detail")
	if host != "" {
		subtree = known.words(l)
		if warn := known.warns(l, host); warn != "" {
			subtree += " " + warn
		}
	}
	match := choose("match", "radio", Option{Value: "exact", Words: l.T("peers.match_exact"), Detail: l.T("peers.match_exact_detail")},
		Option{Value: "subtree", Words: l.T("peers.match_subtree"), Detail: subtree})
	if values["match"] == "" {
		match.Options[0].Selected = true
	}
	fields := []FormField{
		{Name: "label", Label: l.T("peers.label"), Hint: l.T("peers.label_hint"), Value: values["label"], Optional: true, Max: 200},
		choose("kind", "select", kinds...),
		match,
		{Name: "public_note", Kind: "textarea", Label: l.T("peers.public_note"), Hint: l.T("peers.public_note_hint"), Value: values["public_note"], Optional: true, Rows: 2, Max: 4000},
		{Name: "note", Kind: "textarea", Label: l.T("peers.note"), Hint: l.T("peers.note_hint"), Value: values["note"], Optional: true, Rows: 3, Max: 4000},
		{Name: "review_on", Kind: "date", Label: l.T("peer.review"), Hint: l.T("peers.review_hint"), Value: values["review_on"], Optional: true, Small: true},
		{Name: "expires", Kind: "date", Label: l.T("peers.expires"), Hint: l.T("peers.expires_hint"), Value: values["expires"], Optional: true, Small: true},
	}
	if blocked {
		fields = slices.DeleteFunc(fields, func(f FormField) bool { return !inBlocks(f.Name) })
	}
	for i := range fields {
		if e := wrong[fields[i].Name]; e != "" {
			fields[i].Error = e
		}
	}
	return fields
}

// reasonField asks why.
func reasonField(l *Locale, value string) FormField {
	return FormField{Name: "reason", Label: l.T("peers.reason"), Hint: l.T("peers.reason_hint"), Value: value, Optional: true, Max: 4000}
}
