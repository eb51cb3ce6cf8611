package community

import (
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// Verb is what happened here that others should hear of.
type Verb string

const (
	VerbCreate       Verb = "Create"
	VerbUpdate       Verb = "Update"
	VerbDelete       Verb = "Delete"
	VerbAnnounce     Verb = "Announce"
	VerbUndoAnnounce Verb = "UndoAnnounce"
	VerbLike         Verb = "Like"
	VerbUndoLike     Verb = "UndoLike"
	VerbFollow       Verb = "Follow"
	VerbUndoFollow   Verb = "UndoFollow"
	VerbAcceptFollow Verb = "AcceptFollow"
	VerbRejectFollow Verb = "RejectFollow"
	VerbBlock        Verb = "Block"
	VerbUndoBlock    Verb = "UndoBlock"
	VerbUpdateActor  Verb = "UpdateActor"
	VerbDeleteActor  Verb = "DeleteActor"
	VerbMove         Verb = "Move" // the account goes on elsewhere
	VerbVote         Verb = "Vote" // in another server's poll
	VerbFlag         Verb = "Flag" // to another server's moderators
	VerbPin          Verb = "Pin"
	VerbUnpin        Verb = "Unpin"
	VerbQuoteRequest Verb = "QuoteRequest"
	VerbAcceptQuote  Verb = "AcceptQuote"
	VerbRejectQuote  Verb = "RejectQuote"
	VerbRevokeQuote  Verb = "RevokeQuote"
	VerbForward      Verb = "Forward" // passes on what somebody elsewhere said; see Forward
)

// InstanceActor is the ActorID of what the server does in its own name.
const InstanceActor int64 = 0

// Outgoing is a row of the queue of things that happened here and concern
// others. A deed writes it in its own transaction; the federation door renders
// it once and spreads it.
type Outgoing struct {
	ID        int64
	Verb      Verb
	ActorID   int64  // the local account that did it, or InstanceActor
	PostID    *int64 // the post it is about; for a reaction, the post reacted to
	AccountID *int64 // the account it is about: whom to follow, block, accept
	ObjectURI string `gorm:"column:object_uri"` // what can no longer be looked up: a deleted like's or follow's IRI
	Audience  Audience
	Facts     Facts `gorm:"serializer:json"`
	Body      []byte
	State     string
	Attempts  int64
	Error     string
	Node      string
	NodeUntil *time.Time
	CreatedAt time.Time
}

// TableName names the table of the queue.
func (Outgoing) TableName() string { return "outgoing" }

// Facts are what a renderer or spreader can no longer look up when its turn comes.
type Facts struct {
	ReactionID int64    `json:"reaction,omitempty"`   // id of the like, boost, follow or block row
	Inboxes    []Target `json:"inboxes,omitempty"`    // who must hear of it whatever the tables say now (a deletion)
	Except     []string `json:"except,omitempty"`     // hosts that have it already
	Instrument string   `json:"instrument,omitempty"` // the post that wants to quote
	Objects    []string `json:"objects,omitempty"`    // what a report is about besides the account
	Comment    string   `json:"comment,omitempty"`    // of a report
	Choice     string   `json:"choice,omitempty"`     // what was voted for
	Unedited   bool     `json:"unedited,omitempty"`   // of an Update: the words are as they were, only what hangs on them changed
}

// Target is one inbox that an activity goes to, or the reason why it does not.
type Target struct {
	Host     string `json:"host"`
	Inbox    string `json:"inbox"`
	Withheld string `json:"withheld,omitempty"` // catalogue key of the reason: "withheld.peer", "withheld.ceiling", "withheld.closed", "withheld.class", "withheld.no_inbox"
}

// enqueue hands an outgoing row to the federation door.
func enqueue(tx *store.Tx, o Outgoing) error {
	o.ID, o.State, o.CreatedAt = tx.NewID(), "waiting", tx.Now
	if err := tx.Create(&o).Error; err != nil {
		return err
	}
	tx.Announce(OutgoingQueued, o.ID)
	return nil
}
