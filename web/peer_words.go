package web

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/peers"
)

// The words for what holds for another server, each in one place: the pages
// about servers, the log and what everybody may read say the same.

// stateWords says how it stands with a server.
func stateWords(l *Locale, s peers.State) string {
	switch s {
	case peers.StateActive:
		return l.T("peers.state_active")
	case peers.StateTrial:
		return l.T("peers.state_trial")
	case peers.StateOneSided:
		return l.T("peers.state_one_sided")
	case peers.StatePaused:
		return l.T("peers.state_paused")
	case peers.StateRetired:
		return l.T("peers.state_retired")
	case peers.StateExpired:
		return l.T("peers.state_expired")
	case peers.StateBlocked:
		return l.T("peers.state_blocked")
	}
	return l.T("peers.is_unknown")
}

// stateMeans says what a state means, in one sentence.
func stateMeans(l *Locale, s peers.State) string {
	switch s {
	case peers.StateActive:
		return l.T("peers.state_active_means")
	case peers.StateTrial:
		return l.T("peers.state_trial_means")
	case peers.StateOneSided:
		return l.T("peers.state_one_sided_means")
	case peers.StatePaused:
		return l.T("peers.state_paused_means")
	case peers.StateRetired:
		return l.T("peers.state_retired_means")
	case peers.StateExpired:
		return l.T("peers.state_expired_means")
	case peers.StateBlocked:
		return l.T("peers.state_blocked_means")
	}
	return ""
}

// stateMark is a state with its picture; the colour only repeats it.
func stateMark(l *Locale, s peers.State) State {
	mark := State{Tone: "quiet", Icon: "lock", Words: stateWords(l, s)}
	switch s {
	case peers.StateActive:
		mark.Tone, mark.Icon = "good", "circle-check"
	case peers.StateTrial:
		mark.Tone, mark.Icon = "wait", "clock"
	case peers.StateOneSided:
		mark.Tone, mark.Icon = "wait", "arrow-right"
	case peers.StatePaused:
		mark.Icon = "moon"
	case peers.StateRetired:
		mark.Icon = "history"
	case peers.StateExpired:
		mark.Tone, mark.Icon = "bad", "calendar"
	case peers.StateBlocked:
		mark.Icon = "ban"
	}
	return mark
}

// presetWords names a preset.
func presetWords(l *Locale, p peers.Preset) string {
	switch p {
	case peers.PresetPartner:
		return l.T("peers.preset_partner")
	case peers.PresetNetwork:
		return l.T("peers.preset_network")
	case peers.PresetTrial:
		return l.T("peers.preset_trial")
	case peers.PresetFriendly:
		return l.T("peers.preset_friendly")
	case peers.PresetListen:
		return l.T("peers.preset_listen")
	}
	return l.T("peers.preset_none")
}

// presetMeans says what a preset does.
func presetMeans(l *Locale, p peers.Preset) string {
	switch p {
	case peers.PresetPartner:
		return l.T("peers.preset_partner_means")
	case peers.PresetNetwork:
		return l.T("peers.preset_network_means")
	case peers.PresetTrial:
		return l.T("peers.preset_trial_means")
	case peers.PresetFriendly:
		return l.T("peers.preset_friendly_means")
	case peers.PresetListen:
		return l.T("peers.preset_listen_means")
	}
	return l.T("peers.preset_none_means")
}

// kindWords says what a server is.
func kindWords(l *Locale, kind string) string {
	switch kind {
	case "school":
		return l.T("peers.kind_school")
	case "region":
		return l.T("peers.kind_region")
	case "university":
		return l.T("peers.kind_university")
	case "mastodon":
		return l.T("peers.kind_mastodon")
	case "forum":
		return l.T("peers.kind_forum")
	case "other":
		return l.T("peers.kind_other")
	}
	return ""
}

// viewWords says what a server decided about this one, and what it does all the same.
func viewWords(l *Locale, row peers.Row) string {
	switch row.TheirView {
	case peers.ViewPending:
		return l.T("peers.view_pending")
	case peers.ViewAllowed:
		return l.T("peers.view_allowed")
	case peers.ViewRefused:
		since, last := row.TheirViewAt, row.Known.LastInAt
		switch {
		case since == nil:
			return l.T("peers.view_refused")
		case last != nil && last.After(*since):
			return l.T("peers.view_refused_sends", "When", l.Moment(*since), "Last", l.Moment(*last))
		}
		return l.T("peers.view_refused_since", "When", l.Moment(*since))
	}
	return l.T("peers.view_unknown")
}

// sourceWords says how an entry came here.
func sourceWords(l *Locale, source string) string {
	switch source {
	case peers.SourceHandshake:
		return l.T("peers.source_handshake")
	case peers.SourceInvitation:
		return l.T("peers.source_invitation")
	case peers.SourceImport:
		return l.T("peers.source_import")
	case peers.SourceList:
		return l.T("peers.source_list")
	}
	return l.T("peers.source_manual")
}

// nameWords says what a name of a server is for.
func nameWords(l *Locale, r peers.Role) string {
	switch r {
	case peers.RoleMain:
		return l.T("peers.role_main")
	case peers.RoleActor:
		return l.T("peers.role_actor")
	case peers.RoleHandle:
		return l.T("peers.role_handle")
	case peers.RoleMedia:
		return l.T("peers.role_media")
	}
	return l.T("peers.role_former")
}

// classWords names a kind of message.
func classWords(l *Locale, c peers.Class) string {
	switch c {
	case peers.ClassPosts:
		return l.T("peers.class_posts")
	case peers.ClassReplies:
		return l.T("peers.class_replies")
	case peers.ClassReactions:
		return l.T("peers.class_reactions")
	case peers.ClassBoosts:
		return l.T("peers.class_boosts")
	case peers.ClassFollows:
		return l.T("peers.class_follows")
	case peers.ClassGroups:
		return l.T("peers.class_groups")
	case peers.ClassEvents:
		return l.T("peers.class_events")
	case peers.ClassReports:
		return l.T("peers.class_reports")
	}
	return l.T("peers.class_profiles")
}

// settingWords names a part of an entry or of a policy.
func settingWords(l *Locale, key string) string {
	switch key {
	case "ceiling":
		return l.T("ceiling.legend")
	case "inbound":
		return l.T("peers.inbound")
	case "outbound":
		return l.T("peers.outbound")
	case "hold":
		return l.T("peers.hold")
	case "silenced":
		return l.T("peers.silenced")
	case "media":
		return l.T("peers.media")
	case "rights":
		return l.T("peers.rights")
	case "reports_in":
		return l.T("peers.reports_in")
	case "reports_out":
		return l.T("peers.reports_out")
	case "search":
		return l.T("peers.search_by")
	case "retention":
		return l.T("peers.retention")
	case "per_minute":
		return l.T("peers.per_minute")
	case "per_day":
		return l.T("peers.per_day")
	case "max_bytes":
		return l.T("peers.max_bytes")
	case "backfill":
		return l.T("peers.backfill")
	case "label":
		return l.T("peers.label")
	case "kind":
		return l.T("peers.kind")
	case "note":
		return l.T("peers.note")
	case "public_note":
		return l.T("peers.public_note")
	case "subtree", "match":
		return l.T("peers.match")
	case "preset":
		return l.T("peers.preset")
	case "review_on":
		return l.T("peer.review")
	case "expires_at", "expires":
		return l.T("peers.expires")
	}
	return key
}

// valueWords says a value of a part of a policy, as Policy.Value gives it.
func valueWords(l *Locale, key, value string) string {
	switch key {
	case "inbound", "outbound", "rights":
		var words []string
		for _, o := range policyOptions(l, key) {
			for _, one := range strings.Split(value, ",") {
				if one == o.Value {
					words = append(words, o.Words)
				}
			}
		}
		if len(words) == 0 {
			return l.T("peers.nothing")
		}
		return strings.Join(words, ", ")
	case "silenced":
		if value == "yes" {
			return l.T("peers.yes")
		}
		return l.T("peers.no")
	}
	for _, o := range policyOptions(l, key) {
		if o.Value == value {
			return o.Words
		}
	}
	if value == "0" {
		return l.T("peers.no_limit")
	}
	return value
}

// entryChange says what is different in an entry, as the log keeps it.
func entryChange(l *Locale, before, after string) string {
	var was, is struct {
		Label      string        `json:"label"`
		Kind       string        `json:"kind"`
		Note       string        `json:"note"`
		PublicNote string        `json:"public_note"`
		Subtree    bool          `json:"subtree"`
		Preset     peers.Preset  `json:"preset"`
		Ceiling    peers.Ceiling `json:"ceiling"`
		Policy     *peers.Policy `json:"policy"`
		ReviewOn   *time.Time    `json:"review_on"`
		ExpiresAt  *time.Time    `json:"expires_at"`
	}
	if json.Unmarshal([]byte(before), &was) != nil || json.Unmarshal([]byte(after), &is) != nil {
		return ""
	}
	var all []string
	say := func(key, value string) {
		if value == "" {
			value = l.T("peers.nothing")
		}
		all = append(all, l.T("audit.change_one", "What", settingWords(l, key), "Value", value))
	}
	day := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return l.Date(*t)
	}
	for _, one := range []struct {
		key     string
		was, is string
	}{{"label", was.Label, is.Label}, {"kind", kindWords(l, was.Kind), kindWords(l, is.Kind)}, {"public_note", was.PublicNote, is.PublicNote}, {"note", was.Note, is.Note},
		{"preset", presetWords(l, was.Preset), presetWords(l, is.Preset)}, {"review_on", day(was.ReviewOn), day(is.ReviewOn)}, {"expires", day(was.ExpiresAt), day(is.ExpiresAt)}} {
		if one.was != one.is {
			say(one.key, one.is)
		}
	}
	if was.Subtree != is.Subtree {
		if is.Subtree {
			say("match", l.T("peers.match_subtree"))
		} else {
			say("match", l.T("peers.match_exact"))
		}
	}
	whole := func(p peers.Preset, c peers.Ceiling, own *peers.Policy) peers.Policy {
		switch {
		case own != nil:
			return *own
		case p != peers.PresetNone:
			return p.Policy()
		}
		return peers.FullPolicy(c)
	}
	old, now := whole(was.Preset, was.Ceiling, was.Policy), whole(is.Preset, is.Ceiling, is.Policy)
	if was.Preset == is.Preset { // a preset says all that it changes
		for _, key := range peers.PolicySettings() {
			if old.Value(key) != now.Value(key) {
				say(key, valueWords(l, key, now.Value(key)))
			}
		}
	}
	return strings.Join(all, "; ")
}

// nameDecided says what was decided about a name of a server. The line has the
// name's role before it.
func nameDecided(l *Locale, line peers.Line) string {
	about := line.After
	if about == "" {
		about = line.Before
	}
	_, name, _ := strings.Cut(about, " ")
	switch line.Action {
	case "peer.name_add":
		return l.T("audit.name_add", "Name", name, "Host", line.Subject)
	case "peer.name_confirm":
		return l.T("audit.name_confirm", "Name", name, "Host", line.Subject)
	case "peer.name_decline":
		return l.T("audit.name_decline", "Name", name, "Host", line.Subject)
	}
	return l.T("audit.name_remove", "Name", name, "Host", line.Subject)
}
