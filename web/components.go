package web

import (
	"html/template"
	"time"
)

// The structs of this file are what the templates of templates/components get:
// words and addresses, ready to show. Whoever fills them in has already asked
// who may see what. Fields left empty leave their part of the component out.

// SchoolView is an instance as people know it: a school or a region.
type SchoolView struct {
	Name  string
	Host  string
	URL   string // where to read about it; may be empty
	Mark  Mark
	Local bool   // this instance
	Quiet string // that nothing passes between it and this server now, in words
}

// PersonView is a person, always with their school.
type PersonView struct {
	Name   string
	Handle string // @ana@elm.test
	URL    string
	School SchoolView
	Avatar Avatar
	Faces  Faces // of the emoji in the name
}

// AudienceView says who can see something.
type AudienceView struct {
	Value  string // the audience's own name: "school"
	Icon   string
	Words  string // "Connected schools"
	Detail string // "People at Oak Primary and at 4 connected schools"; may be empty
}

// Action is something a person can do: a link, or a form with one button.
type Action struct {
	Words   string
	Icon    string
	URL     string
	Post    bool              // sends a form instead of following a link
	Fields  map[string]string // hidden fields of the form
	Danger  bool
	Pressed bool   // a switch that is on
	Main    bool   // the one thing to do here
	Key     string // the keyboard's letter for it, used by the script
}

// Link is a place to go.
type Link struct{ Words, URL string }

// Picture is an image with its words.
type Picture struct {
	Src           string // resized for reading
	Full          string // as large as we have it; "" when Src is that
	Alt           string
	Decorative    bool // has no alt text because it says nothing
	Width, Height int
}

// Section is one part of a practice post.
type Section struct {
	ID      string // its anchor
	Heading string
	HTML    template.HTML
}

// Fact is a small named thing: subject, level, licence.
type Fact struct{ Name, Value, URL string }

// PostCard is a post in a list. A practice post shows its title and teaser,
// the others their text.
type PostCard struct {
	ID       string
	URL      string
	Faces    Faces  // of the emoji in its words
	Thing    *Thing // what it is besides text
	Kind     string // "practice", "discussion", "question", "reply", "acknowledgement", "note"
	Author   PersonView
	With     []PersonView // co-authors
	At       time.Time
	Edited   time.Time
	BoostBy  *PersonView // who passed it on
	ReplyTo  *PersonView // whom it answers
	ReplyURL string
	Title    string
	Teaser   string        // practice: two or three sentences
	HTML     template.HTML // sanitised text; empty for practice posts in lists
	Warning  string        // what to know before reading; the text folds behind it
	Filtered string        // the reader's filter that all of it folds behind
	Lang     string        // of the text, when not the page's
	Facts    []Fact
	Tags     []Link
	Pictures []Picture
	Audience AudienceView
	Answered bool // a question with a chosen answer
	Poll     *PollCard
	Quote    *QuoteCard
	Replies  int
	UsedBy   int
	Actions  []Action // beside the post
	More     []Action // in its menu
	Fresh    bool     // arrived while the page was open
}

// PracticeArticle is a practice post on its own page, set like an article.
type PracticeArticle struct {
	PostCard
	Sections []Section
	History  *Link // earlier versions
}

// ThreadNode is one reply in a thread. Nodes come in reading order; depth is
// drawn as rules beside the text, so that the column stays as wide as it is.
type ThreadNode struct {
	Post     PostCard
	Parent   string // ID of the post it answers
	Depth    int    // 1 answers the first post
	Away     bool   // from another school than the first post
	Accepted bool   // the asker chose it
	Missing  *Missing
	Form     *Composer
}

// Missing is what is said in the place of a post that is not here.
type Missing struct{ Icon, Words string }

// Rules is how many rules are drawn; deeper replies say their depth in words.
func (n ThreadNode) Rules() int { return min(n.Depth, 8) }

// Thread is a conversation below its first post.
type Thread struct {
	Count  int
	Ghosts int // known of, and not here
	Nodes  []ThreadNode
	More   *Link // the next part of a very long one
	Empty  EmptyState
}

// Feed is a list of posts with its pager and what to say when it is empty.
type Feed struct {
	Posts []PostCard
	Pager Pager
	Empty EmptyState
}

// Pager moves through a list by keys, never by numbers: a list that grows at
// its head has no page two.
type Pager struct{ Newer, Older string }

// EmptyState teaches: what this place is for, and the one next thing to do.
type EmptyState struct {
	Icon   string
	Title  string
	Words  string
	Action *Action
}

// Flash says that something was done, or was not.
type Flash struct {
	Kind  string // "done", "note" or "problem"
	Words string
	Undo  *Action
}

// PageHead is a page's h1 and what stands beside it.
type PageHead struct {
	Title   string
	Lead    string
	Back    *Link
	Actions []Action
	Menu    []Action
}

// Tabs switch between views of one thing. They are links.
type Tabs struct {
	Label string
	Items []Tab
}

// Tab is one of Tabs. A negative Count is not shown; one that changes while the
// page is open has an ID, Live, and is not shown when it is 0.
type Tab struct {
	Words, URL string
	Current    bool
	Count      int
	Live       string
}

// Menu is a button that opens a list of actions. It works without a script.
type Menu struct {
	Label string
	Icon  string
	Items []Action
}

// PersonCard is a person in a list.
type PersonCard struct {
	Person  PersonView
	Bio     string
	Said    *Link  // instead of Bio: what they wrote last
	Note    string // "Follows you"
	Actions []Action
	Menu    []Action
}

// ProfileHead opens a person's page.
type ProfileHead struct {
	Person  PersonView
	Header  *Picture
	Bio     template.HTML
	Facts   []FactHTML
	Counts  []Tab  // followers and whom they follow, as links
	Tags    []Link // what they write about
	Note    string
	Actions []Action
	Menu    []Action
}

// FactHTML is a field of a profile, in sanitised markup.
type FactHTML struct{ Name, Value template.HTML }

// NotificationItem is one thing that happened.
type NotificationItem struct {
	ID      string
	Icon    string
	Person  PersonView
	Words   template.HTML // the whole sentence, with the person in it
	At      time.Time
	URL     string
	Excerpt string
	Unread  bool
	Actions []Action
}

// AsideCard is one box of the narrow column.
type AsideCard struct {
	Title string
	Icon  string
	Words string
	Facts []Fact
	Links []Link
}
