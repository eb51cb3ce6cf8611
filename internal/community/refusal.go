package community

import (
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// ReceiveRefusal takes back the boost of a local account, named by the number
// of its activity, that the author of the boosted post will not have. Whoever
// heard of the boost hears of its end. It reports whether there was such a boost:
// of somebody else's post there is none.
//
// GoToSocial's interactionPolicy (canAnnounce).
func ReceiveRefusal(tx *store.Tx, by Account, activity int64) (bool, error) {
	b, err := PostByID(tx, activity)
	if fault.Is(err, fault.NotFound) || err == nil && (b.BoostOfID == nil || !b.Local() || b.DeletedAt != nil) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p, err := PostByID(tx, *b.BoostOfID)
	if err != nil || p.AuthorID != by.ID {
		return false, err
	}
	return true, dropBoost(tx, b)
}
