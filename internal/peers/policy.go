package peers

import (
	"slices"
	"strings"
	"time"
)

// Class is a kind of message that passes between two servers.
type Class int64

// The classes. Deletions, withdrawals and the ends of follows are none of them:
// they are always taken and always sent, or nothing could be erased.
const (
	ClassPosts     Class = 1 << iota // posts that answer nobody of the other side
	ClassReplies                     // answers to somebody of the other side, and mentions
	ClassReactions                   // favourites, emoji reactions, votes
	ClassBoosts
	ClassFollows
	ClassGroups // joining a group, and what is posted to one
	ClassEvents
	ClassReports
	ClassProfiles // changes of profiles
)

// Classes is a set of them.
type Classes int64

// AllClasses is every class.
const AllClasses Classes = 1<<9 - 1

// Has reports whether c is in the set.
func (s Classes) Has(c Class) bool { return int64(s)&int64(c) != 0 }

// With returns the set with c, Without the set without it.
func (s Classes) With(c Class) Classes    { return s | Classes(c) }
func (s Classes) Without(c Class) Classes { return s &^ Classes(c) }

// ClassNames are the classes in the order of pages, with the word that
// subcommands, exports and forms use.
func ClassNames() []ClassName {
	return []ClassName{
		{ClassPosts, "posts"}, {ClassReplies, "replies"}, {ClassReactions, "reactions"}, {ClassBoosts, "boosts"}, {ClassFollows, "follows"},
		{ClassGroups, "groups"}, {ClassEvents, "events"}, {ClassReports, "reports"}, {ClassProfiles, "profiles"},
	}
}

// ClassName is a class and its word.
type ClassName struct {
	Class Class
	Name  string
}

// Words are the names of the classes in the set.
func (s Classes) Words() []string {
	var words []string
	for _, c := range ClassNames() {
		if s.Has(c.Class) {
			words = append(words, c.Name)
		}
	}
	return words
}

// Hold is what a person here looks at before it is shown.
type Hold string

// The holds.
const (
	HoldNone  Hold = "none"
	HoldFirst Hold = "first" // the first post of each author
	HoldMedia Hold = "media" // posts with pictures or files
	HoldLinks Hold = "links" // posts with links
	HoldAll   Hold = "all"   // every post
)

// MediaPolicy is what happens to a peer's pictures and files.
type MediaPolicy string

// The media policies.
const (
	MediaProxy MediaPolicy = "proxy" // fetched and shown from here
	MediaClick MediaPolicy = "click" // fetched when somebody asks for one
	MediaStrip MediaPolicy = "strip" // left out
	MediaHold  MediaPolicy = "hold"  // left out until a person let the post pass
)

// Rights is a set of what a peer's people may do in groups here.
type Rights int64

// The rights.
const (
	RightJoin     Rights = 1 << iota // be members
	RightModerate                    // be moderators
	RightVouch                       // its groups relay the text of servers that are not connected
)

// Has reports whether r is in the set.
func (s Rights) Has(r Rights) bool { return s&r != 0 }

// ReportsIn is what happens to a peer's reports; ReportsOut whether reports may go to it.
type (
	ReportsIn  string
	ReportsOut string
)

// What happens to reports.
const (
	ReportsAccept ReportsIn  = "accept"
	ReportsApart  ReportsIn  = "apart"  // taken, in a queue of their own
	ReportsRefuse ReportsIn  = "refuse" // not taken
	ReportsClick  ReportsOut = "click"  // each by a moderator's decision
	ReportsNever  ReportsOut = "never"
)

// SearchBy is by whom a peer's posts may be found, as far as their authors allow it.
type SearchBy string

// By whom.
const (
	SearchMembers   SearchBy = "members"
	SearchFollowers SearchBy = "followers"
	SearchNobody    SearchBy = "nobody"
)

// Policy is how a peer is dealt with while it is admitted.
type Policy struct {
	Preset     Preset
	Ceiling    Ceiling // the widest audience that is sent there
	Inbound    Classes // what is taken
	Outbound   Classes // what is sent
	Hold       Hold
	Silenced   bool // only for followers and in groups: not in shared timelines, search or suggestions
	Media      MediaPolicy
	Rights     Rights
	ReportsIn  ReportsIn
	ReportsOut ReportsOut
	Search     SearchBy
	Retention  int64 // days after which unused posts are dropped; 0: they are kept
	PerMinute  int64 // activities taken a minute; 0: what everybody may send
	PerDay     int64 // posts taken a day; 0: any number
	MaxBytes   int64 // the largest activity taken; 0: what everybody may send
	Backfill   int64 // how many old posts are fetched of one author or thread; 0: as many as of everybody
}

// HoldsMedia reports whether posts with pictures or files wait for a person.
func (p Policy) HoldsMedia() bool { return p.Hold == HoldMedia || p.Media == MediaHold }

// HoldsAny reports whether any post may have to wait for a person.
func (p Policy) HoldsAny() bool { return p.Hold != "" && p.Hold != HoldNone || p.Media == MediaHold }

// Preset is a policy with a name.
type Preset string

// The presets. Without one a policy is the administrator's own.
const (
	PresetNone     Preset = ""
	PresetPartner  Preset = "partner"  // a partner school: up to groups, nothing held
	PresetNetwork  Preset = "network"  // a trusted network: up to the network, the first post of each author held
	PresetTrial    Preset = "trial"    // everything held, for sixty days
	PresetFriendly Preset = "friendly" // the public fediverse: public posts, the first held, media on click
	PresetListen   Preset = "listen"   // we read them and send nothing
)

// Presets lists the presets in the order of pages, the closest first.
func Presets() []Preset {
	return []Preset{PresetPartner, PresetNetwork, PresetTrial, PresetFriendly, PresetListen}
}

// Valid reports whether p is a preset, or none.
func (p Preset) Valid() bool { return p == PresetNone || slices.Contains(Presets(), p) }

// TrialFor is how long a trial lasts.
const TrialFor = 60 * 24 * time.Hour

// keepUnused is the retention of the presets, in days.
const keepUnused = 90

// FullPolicy is that of an entry without a preset: everything up to a ceiling, nothing held.
func FullPolicy(c Ceiling) Policy {
	return Policy{Ceiling: c, Inbound: AllClasses, Outbound: AllClasses, Hold: HoldNone, Media: MediaProxy, Rights: RightJoin | RightModerate,
		ReportsIn: ReportsAccept, ReportsOut: ReportsClick, Search: SearchMembers}
}

// Policy is what the preset says. PresetNone is FullPolicy up to the network.
func (p Preset) Policy() Policy {
	full := FullPolicy(CeilingNetwork)
	full.Preset = p
	if p != PresetNone {
		full.Retention = keepUnused
	}
	switch p {
	case PresetPartner:
		full.Ceiling = CeilingGroup
	case PresetNetwork:
		full.Hold, full.Rights = HoldFirst, RightJoin
	case PresetTrial:
		full.Hold, full.Rights, full.Ceiling = HoldAll, 0, CeilingPublic
	case PresetFriendly:
		full.Ceiling, full.Hold, full.Media, full.Rights, full.ReportsIn = CeilingPublic, HoldFirst, MediaClick, 0, ReportsApart
		full.Inbound = full.Inbound.Without(ClassGroups)
	case PresetListen:
		full.Ceiling, full.Outbound, full.Rights, full.ReportsOut = CeilingNone, 0, 0, ReportsNever
		full.Outbound = full.Outbound.With(ClassFollows) // or there would be nothing to read
		full.Inbound = full.Inbound.Without(ClassFollows).Without(ClassGroups)
	}
	return full
}

// Suggested is the policy that is offered for a server: what the preset says,
// narrowed where the server's software is known to show closed posts to more
// people than they are for. why is a message key, or "".
//
// Mobilizon maps an Event that is not public to unlisted; NodeBB turns a post
// that is not public into a private chat with whoever it can resolve; Friendica
// shows closed answers in public threads (friendica#12535); Lemmy refuses
// followers from kbin and Mbin in private communities for the like (lemmy#5416).
func Suggested(p Preset, software string) (policy Policy, why string) {
	policy = p.Policy()
	if policy.Ceiling.Reaches(CeilingNetwork) && Widens(software) {
		policy.Ceiling, why = CeilingPublic, "peers.software_widens"
	}
	return policy, why
}

// Widens reports whether software of that NodeInfo name, with or without its
// version, shows closed posts to more people than they are for: see Suggested.
func Widens(software string) bool {
	name, _, _ := strings.Cut(software, " ")
	switch strings.ToLower(name) {
	case "mobilizon", "nodebb", "friendica", "kbin", "mbin":
		return true
	}
	return false
}

// Differs lists, by the names of the columns, in what a policy differs from its preset.
func (p Policy) Differs() []string {
	if p.Preset == PresetNone {
		return nil
	}
	preset := p.Preset.Policy()
	var in []string
	note := func(name string, differs bool) {
		if differs {
			in = append(in, name)
		}
	}
	note("ceiling", p.Ceiling != preset.Ceiling)
	note("inbound", p.Inbound != preset.Inbound)
	note("outbound", p.Outbound != preset.Outbound)
	note("hold", p.Hold != preset.Hold)
	note("silenced", p.Silenced != preset.Silenced)
	note("media", p.Media != preset.Media)
	note("rights", p.Rights != preset.Rights)
	note("reports_in", p.ReportsIn != preset.ReportsIn)
	note("reports_out", p.ReportsOut != preset.ReportsOut)
	note("search", p.Search != preset.Search)
	note("retention", p.Retention != preset.Retention)
	note("per_minute", p.PerMinute != preset.PerMinute)
	note("per_day", p.PerDay != preset.PerDay)
	note("max_bytes", p.MaxBytes != preset.MaxBytes)
	note("backfill", p.Backfill != preset.Backfill)
	return in
}

// Valid reports whether every part of the policy has a value that exists; bad
// names the first that has not.
func (p Policy) Valid() (bad string, ok bool) {
	switch {
	case !p.Preset.Valid():
		return "preset", false
	case !p.Ceiling.Valid():
		return "ceiling", false
	case p.Inbound&^AllClasses != 0:
		return "inbound", false
	case p.Outbound&^AllClasses != 0:
		return "outbound", false
	case !slices.Contains(Holds(), p.Hold):
		return "hold", false
	case !slices.Contains(MediaPolicies(), p.Media):
		return "media", false
	case p.Rights&^(RightJoin|RightModerate|RightVouch) != 0:
		return "rights", false
	case p.ReportsIn != ReportsAccept && p.ReportsIn != ReportsApart && p.ReportsIn != ReportsRefuse:
		return "reports_in", false
	case p.ReportsOut != ReportsClick && p.ReportsOut != ReportsNever:
		return "reports_out", false
	case !slices.Contains([]SearchBy{SearchMembers, SearchFollowers, SearchNobody}, p.Search):
		return "search", false
	case !slices.Contains(Retentions(), p.Retention):
		return "retention", false
	case p.PerMinute < 0 || p.PerDay < 0 || p.MaxBytes < 0 || p.Backfill < 0:
		return "limits", false
	}
	return "", true
}
