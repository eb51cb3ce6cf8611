package federation

import (
	"errors"
	"fmt"

	"github.com/chalkring/chalkring/federation/as2"
)

// reason says why what arrived was not taken. It is kept with what arrived, for
// administrators: the key is a message of the pages' catalogue, and the detail
// what only the document itself can tell.
type reason struct {
	key, detail string
}

// Error is how a reason is kept: the key, and the detail behind a colon.
func (r reason) Error() string {
	if r.detail == "" {
		return r.key
	}
	return r.key + ": " + r.detail
}

// The reasons why something that arrived is not taken.
const (
	reasonTooBig     = "arrived.too_big"
	reasonIncomplete = "arrived.incomplete"
	reasonMalformed  = "arrived.malformed"
	reasonForeign    = "arrived.foreign"   // said by somebody whose it is not
	reasonNoAuthor   = "arrived.no_author" // nobody says that it is theirs
	reasonDeleted    = "arrived.deleted"   // a Tombstone
	reasonNoPost     = "arrived.no_post"   // a thing that is no post: a place, a book, a list
	reasonEmpty      = "arrived.empty"     // nothing in it that could be shown
	reasonVote       = "arrived.vote"      // a vote where there is no poll
	reasonAddress    = "arrived.address"   // an address that cannot be kept
	reasonNoInbox    = "arrived.no_inbox"  // an actor that cannot be written to
	reasonUnproven   = "arrived.unproven"  // handed on by another, and not true as far as can be told
	reasonPolicy     = "arrived.policy"    // of a class that is not taken from there
	reasonDropped    = "arrived.dropped"   // it was held, and somebody here would not have it
	reasonPerDay     = "arrived.per_day"   // there were as many that day as are taken
	reasonNoName     = "arrived.no_name"   // an actor without a name that can be written
)

func because(key, format string, args ...any) error {
	return reason{key, fmt.Sprintf(format, args...)}
}

// unreadable says why a document could not be read.
func unreadable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, as2.ErrTooBig):
		return reason{reasonTooBig, err.Error()}
	case errors.Is(err, as2.ErrIncomplete):
		return reason{reasonIncomplete, err.Error()}
	}
	return reason{reasonMalformed, err.Error()}
}
