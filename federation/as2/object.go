package as2

import "time"

// Object is anything that is said and not done: a Note, Article, Page,
// Question, Event, Tombstone, Image. One struct covers them, because what real
// servers send differs in the type word far more often than in the shape; a
// field that a document lacks is the zero value.
//
// W3C ActivityStreams Vocabulary, section 3.3 (object types).
type Object struct {
	ID   string
	Type string // Note, Article, Page, Question, Event, Tombstone, …

	// Raw is the document itself, where somebody who read it keeps it here. It
	// is neither read nor written.
	Raw []byte

	// AttributedTo is the author: the first actor, when a document names
	// several, or the object's own actor, as Mobilizon names the person who
	// writes for a group. Contributors holds the others, and those named by
	// schema:contributor, which is how we name co-authors ourselves.
	AttributedTo string
	Contributors []string

	Name    string // plain text; a title
	Summary string // HTML; a teaser, or on a Note a content warning
	Content string // HTML

	// Language is the BCP 47 tag of Name, Summary and Content, taken from the
	// keys of contentMap, nameMap or summaryMap.
	Language string
	// Languages are those that Content is given in besides Language. We write
	// in one language at a time, so they are read and never written.
	Languages []string
	MediaType string // of Content, when it is not HTML
	Source    *Source
	Sensitive bool

	Published time.Time
	Updated   time.Time
	Deleted   time.Time // Tombstone
	// FormerType is what a Tombstone was (W3C ActivityStreams Vocabulary,
	// section 3.3, Tombstone).
	FormerType string

	To       []string
	Cc       []string
	Audience string // the group, FEP-1b12

	Context      string // the discussion, FEP-7888
	Conversation string // the same for older Mastodon servers
	InReplyTo    string
	Quote        string // FEP-044f, and its older spellings quoteUri, quoteUrl, _misskey_quote, and a link of FEP-e232
	// QuoteAuthorization is the stamp with which the quoted author's server
	// agrees to the quote (FEP-044f).
	QuoteAuthorization string

	URL         []Link // the page for people first
	Attachments []Attachment
	Image       *Attachment
	Icon        *Attachment
	Duration    time.Duration // of a Video or Audio; read and never written
	Tags        []Tag

	Replies *Collection
	Likes   *Collection
	Shares  *Collection

	InteractionPolicy *InteractionPolicy
	SearchableBy      []string // FEP-268d

	Poll  *Poll  // Question
	Event *Event // Event

	// Terms of our own vocabulary, https://w3id.org/chalkring/ns#.
	Kind        string // cr:kind: practice, discussion, question, inquiry, …
	Phase       string // cr:phase: focus, plan, try, evidence, reflect, share
	Recognises  string // cr:recognises: what a reply gives thanks for
	Recognition string // cr:recognition: usedInMyClass, changedMyMind, …

	// Terms of schema.org, as LRMI uses them.
	License              string // IRI, or a name where the sender has no IRI
	EducationalLevel     string
	About                []string // subjects, as IRIs or words
	Teaches              string
	LearningResourceType string
	IsBasedOn            string
	TimeRequired         string // ISO 8601 duration, as written
	AcceptedAnswer       string

	// Closed to comments. Lemmy says commentsEnabled: false of a locked post.
	CommentsDisabled bool
}

// Page returns the address of the object's page for people: the first HTML
// link, else the first address that claims no media type, else "".
func (o *Object) Page() string { return pageOf(o.URL) }

// Recipients returns everyone an object is addressed to, to before cc.
func (o *Object) Recipients() []string { return join(o.To, o.Cc) }

// IsVote reports whether an object answers a poll: a Note that replies, has a
// name and says nothing. A reply from NodeBB carries its topic's title as name,
// so a name alone is no vote.
func (o *Object) IsVote() bool {
	return o.Type == "Note" && o.InReplyTo != "" && o.Name != "" && o.Content == "" && len(o.Attachments) == 0
}

// Source is what a person typed, before it became HTML.
//
// W3C ActivityPub, section 3.3.
type Source struct {
	Content   string
	MediaType string // text/markdown
}

// Link is an address with what is known about it. One with an Href alone is
// written as a plain string.
//
// W3C ActivityStreams Vocabulary, section 2, Link.
type Link struct {
	Href      string
	MediaType string
	Rel       string
	Name      string
	Width     int
	Height    int
}

// Attachment is a file or picture that belongs to an object or actor.
type Attachment struct {
	Type       string // Image, Document, Video, Audio, Link
	URL        string
	MediaType  string
	Name       string // alternative text
	Width      int
	Height     int
	Blurhash   string      // toot:blurhash
	FocalPoint *[2]float64 // toot:focalPoint: x and y from -1 to 1
	Digest     string      // digestMultibase, FEP-1311
	Icon       string      // a smaller picture of it
}

// Tag is a Mention, Hashtag, Emoji or object link (FEP-e232).
type Tag struct {
	Type      string
	ID        string
	Href      string
	Name      string
	Rel       string
	MediaType string
	Icon      string // the picture of an Emoji
}

// InteractionPolicy says who may answer, like, boost or quote an object.
//
// FEP-044f; GoToSocial's documentation, "Interaction Policy".
type InteractionPolicy struct {
	CanReply    Approval
	CanLike     Approval
	CanAnnounce Approval
	CanQuote    Approval
}

// Approval lists who is approved at once and who must be asked about; anyone
// on neither list is refused.
type Approval struct {
	Automatic []string
	Manual    []string
}

// Poll is what a Question asks. Fediverse servers read every Question as a
// poll.
type Poll struct {
	Multiple bool // anyOf instead of oneOf
	Options  []Option
	Ends     time.Time
	Closed   time.Time
	Over     bool // closed: true, which says no more than that; read and never written
	Voters   int  // toot:votersCount
}

// Option is one answer of a poll and how many chose it.
type Option struct {
	Name  string
	Votes int
}

// Event holds when, where and how of an Event.
//
// FEP-8a8e; Mobilizon reads ical:status and joinMode.
type Event struct {
	Start                    time.Time
	End                      time.Time
	Timezone                 string // IANA name
	Places                   []Place
	EventStatus              string // EventScheduled, EventCancelled, …
	Status                   string // CONFIRMED, TENTATIVE, CANCELLED
	JoinMode                 string // free, restricted, external, none
	ExternalParticipationURL string
	Capacity                 int
	Category                 string
	Organizers               []string
	Attendees                *Collection
}

// Place is where an event happens: a Place, or a VirtualLocation.
type Place struct {
	Type    string
	Name    string
	Address string
	URL     string
}
