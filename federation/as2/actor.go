package as2

import "time"

// Actor is a Person, Group, Service, Application or Organization.
//
// W3C ActivityPub, section 4.
type Actor struct {
	ID                string
	Type              string
	PreferredUsername string
	Name              string
	Summary           string // HTML
	Language          string // of Name and Summary
	Source            *Source
	URL               string // the page for people

	Inbox        string
	Outbox       string
	Followers    string
	Following    string
	Featured     string // toot:featured: pinned posts
	FeaturedTags string // toot:featuredTags: hashtags that somebody shows on their page
	SharedInbox  string // endpoints.sharedInbox

	PublicKey PublicKey   // the first, when a document holds several
	MoreKeys  []PublicKey // the others
	Multikeys []Multikey  // assertionMethod, FEP-521a

	Icon   *Attachment
	Image  *Attachment
	Fields []Field
	Tags   []Tag

	AlsoKnownAs []string
	MovedTo     string

	ManuallyApprovesFollowers bool
	Discoverable              bool // toot:discoverable
	Indexable                 bool // toot:indexable, FEP-5feb
	Suspended                 bool // toot:suspended
	Memorial                  bool // toot:memorial

	Published time.Time
	Updated   time.Time

	// Of groups (FEP-1b12): AttributedTo is the moderators' collection, or
	// the moderators themselves.
	AttributedTo            []string
	PostingRestrictedToMods bool

	Generator *Generator

	KnowsAbout []string // schema:knowsAbout: declared expertise
	Seeks      []string // schema:seeks: declared needs
	Portfolio  string   // cr:portfolio
	Network    string   // cr:network: an Application's trusted network
}

// IsActorType reports whether a type word is one of the five actor types.
//
// W3C ActivityStreams Vocabulary, section 3.2.
func IsActorType(typ string) bool {
	switch typ {
	case "Person", "Group", "Service", "Application", "Organization":
		return true
	}
	return false
}

// Implements reports whether an actor's server says that it implements a
// specification, named by its IRI (FEP-844e).
func (a *Actor) Implements(href string) bool {
	if a.Generator == nil {
		return false
	}
	for _, im := range a.Generator.Implements {
		if im.Href == href {
			return true
		}
	}
	return false
}

// PublicKey is the key that an actor signs requests with. The document that
// holds it must be fetched from the key's own host before it is believed.
type PublicKey struct {
	ID    string
	Owner string
	PEM   string
}

// Multikey is a key for object proofs (FEP-521a, FEP-8b32).
type Multikey struct {
	ID         string
	Controller string
	Multibase  string
}

// Field is one line of a profile's table, a schema:PropertyValue.
type Field struct {
	Name  string
	Value string // HTML
}

// Generator is the server software behind an actor and what it implements.
//
// FEP-844e.
type Generator struct {
	ID         string
	Name       string
	Implements []Implementation
}

// Implementation names one specification.
type Implementation struct {
	Href string
	Name string
}
