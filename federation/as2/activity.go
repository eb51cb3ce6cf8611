package as2

import (
	"encoding/json"
	"time"
)

// Activity is something done: Create, Update, Delete, Follow, Accept, Reject,
// Undo, Like, Announce, Block, Add, Remove, Flag, Move, Offer and whatever else
// a server invents. An unknown type is no error: answer 2xx and ignore it.
//
// W3C ActivityStreams Vocabulary, section 3.1.
type Activity struct {
	ID    string
	Type  string
	Actor string

	// ObjectID names what the activity is about, embedded or not. Objects
	// holds every object when there are several, as in a Flag that names an
	// account and its posts.
	ObjectID string
	Objects  []string

	// What was embedded, by what it is: at most one of these is set.
	Object       *Object       // Create{Note}, Update{Article}, Delete{Tombstone}
	Inner        *Activity     // Undo{Follow}, Accept{Follow}, Announce{Create}
	ObjectActor  *Actor        // Update{Person}
	Relationship *Relationship // Offer{Relationship}

	// Votes are the answers of a poll that one Create chooses at once, as
	// GoToSocial sends them.
	Votes []*Object

	// Raw, when set, is written as the object just as it stands: a group
	// passes on what was said without saying it anew. Decode leaves it nil.
	Raw json.RawMessage

	// Instrument is what a QuoteRequest asks for, where it was embedded
	// (FEP-044f); InstrumentID names it either way.
	Instrument   *Object
	InstrumentID string
	// Result is what an Accept gives: the stamp of a quote (FEP-044f).
	Result string
	// Emoji is the picture that a reaction is given with, where its Content
	// names one and is none itself.
	Emoji *Tag

	Target string // Move, Add, Remove, Block
	Origin string // Move, Remove

	To       []string
	Cc       []string
	Audience string // the group, FEP-1b12

	Summary   string // why, in a Reject, a Delete by a moderator, an Offer
	Content   string // the text of a Flag, the emoji of a reaction
	Published time.Time
	Updated   time.Time
	EndTime   time.Time // when a Block or an Offer runs out

	// Of a request to connect and the answer to it: how people reach who asks,
	// the code of an invitation, and what the sender will do with what the other
	// side sends: how much it gets, what is looked at first.
	Contact    string // cr:contact
	Invitation string // cr:invitation
	Ceiling    string // cr:ceiling
	Hold       string // cr:hold

	// RemoveData asks for everything of a blocked person to go (Lemmy).
	RemoveData bool
}

// Recipients returns everyone an activity is addressed to, to before cc.
func (a *Activity) Recipients() []string { return join(a.To, a.Cc) }

// Relationship is what one server offers another when it asks to be a peer.
//
// W3C ActivityStreams Vocabulary, section 3.3, Relationship.
type Relationship struct {
	Subject      string
	Relationship string
	Object       string
}
