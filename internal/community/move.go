package community

import (
	"slices"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// MaxAliases is how many other accounts somebody can name as their own.
	MaxAliases = 10
	// movePiece is how many followers one transaction moves on.
	movePiece = 50
	// movedAgain is how soon another server's account may move on from where
	// it said it had moved to.
	movedAgain = 7 * 24 * time.Hour
)

// KnownAs reports whether an account says that the one at this address is the
// same person's: it lets followers of that one be moved here.
//
// FEP-7628 (move actor).
func (a Account) KnownAs(address string) bool { return slices.Contains(a.AlsoKnownAs, address) }

// SetAliases says which other accounts are the same person's, by their
// addresses, and tells the followers' servers. Whoever moves here from one of
// them must be named first, for only then do other servers believe the move.
//
// FEP-7628 (move actor).
func SetAliases(tx *store.Tx, me Account, aliases []string) (Account, error) {
	if len(aliases) > MaxAliases {
		return me, fault.Invalidf("alias", "There are too many: 10 at most.").WithKey("move.aliases_many", nil)
	}
	for _, address := range aliases {
		if address == me.IRI(tx.Site) {
			return me, fault.Invalidf("alias", "This is your account here. Name the one that you have elsewhere.").WithKey("move.alias_self", nil)
		}
	}
	if slices.Equal(me.AlsoKnownAs, aliases) {
		return me, nil
	}
	me.AlsoKnownAs, me.UpdatedAt = append([]string{}, aliases...), tx.Now
	return me, tell(tx, &me, "also_known_as")
}

// tell stores columns of an account and tells its followers' servers.
func tell(tx *store.Tx, me *Account, columns ...string) error {
	if err := tx.Model(me).Select(append(columns, "updated_at")).Updates(me).Error; err != nil {
		return err
	}
	tx.Announce(AccountChanged, me.ID)
	return enqueue(tx, Outgoing{Verb: VerbUpdateActor, ActorID: me.ID, Audience: Public})
}

// MoveTo says that me goes on as another account, here or elsewhere, which was
// fetched a moment ago and must name me as an alias. The followers' servers are
// told; followers here are moved on. Posts stay where they are, and me can
// write none any more until StayHere.
//
// FEP-7628 (move actor).
func MoveTo(tx *store.Tx, me, to Account) (Account, error) {
	address := to.IRI(tx.Site)
	switch {
	case me.ID == to.ID:
		return me, fault.Invalidf("target", "This is the account that you are using now.").WithKey("move.self", nil)
	case to.Gone():
		return me, fault.Invalidf("target", "This account is not there any more.").WithKey("move.gone", nil)
	case to.MovedTo != "":
		return me, fault.Invalidf("target", "This account has moved itself. Name the one that it moved to.").WithKey("move.on", nil)
	case !to.KnownAs(me.IRI(tx.Site)):
		return me, fault.Invalidf("target", "That account does not name this one as an alias yet. Add the alias there first, then try again.").WithKey("move.no_alias", nil)
	}
	if !to.Local() {
		if err := peers.Check(tx, to.Host); err != nil {
			return me, err
		}
	}
	me.MovedTo, me.MovedAt, me.UpdatedAt = address, &tx.Now, tx.Now
	if err := tell(tx, &me, "moved_to", "moved_at"); err != nil {
		return me, err
	}
	if err := enqueue(tx, Outgoing{Verb: VerbMove, ActorID: me.ID, ObjectURI: address, Audience: Public}); err != nil {
		return me, err
	}
	return me, charge(tx, ChoreMove, me.ID, address)
}

// StayHere takes back that me has moved. Followers who were moved on do not
// come back by it.
func StayHere(tx *store.Tx, me Account) (Account, error) {
	if me.MovedTo == "" {
		return me, nil
	}
	if err := tx.Exec("DELETE FROM chores WHERE kind = ? AND account_id = ?", ChoreMove, me.ID).Error; err != nil {
		return me, err
	}
	me.MovedTo, me.MovedAt, me.UpdatedAt = "", nil, tx.Now
	return me, tell(tx, &me, "moved_to", "moved_at")
}

// stays fails for somebody who has moved away: they write where they are now.
func stays(a Account) error {
	if a.MovedTo == "" {
		return nil
	}
	return fault.Keyed(fault.Forbidden, "move.away", "This account has moved. Write with the new one, or take the move back in the settings.", nil)
}

// ReceiveMove takes in that an account of another server says it has moved.
// Nothing is believed yet: whoever works the chore fetches the new account and
// calls Moved. It reports whether there is anything to find out.
//
// FEP-7628 (move actor).
func ReceiveMove(tx *store.Tx, from Account, target string) (bool, error) {
	if from.Local() || from.Gone() {
		return false, noAccount()
	}
	if target == "" || target == from.IRI(tx.Site) {
		return false, nil
	}
	if from.MovedAt != nil && tx.Now.Sub(*from.MovedAt) < movedAgain && from.MovedTo != target {
		return false, nil // followers are not sent to and fro
	}
	return true, charge(tx, ChoreMove, from.ID, target)
}

// Moved records that old has moved to to, if to, as fetched from its server a
// moment ago, names old as its own, and carries what people here decided about
// old over to to: who muted the one has muted the other, and so with blocks. It
// reports false where the move is not to be believed.
func Moved(tx *store.Tx, old, to Account) (bool, error) {
	if old.ID == to.ID || old.Gone() || to.Gone() || to.MovedTo != "" || !to.KnownAs(old.IRI(tx.Site)) {
		return false, nil
	}
	if !to.Local() {
		if err := peers.Check(tx, to.Host); err != nil {
			return false, err
		}
	}
	if !old.Local() { // its server may be taken off the list meanwhile, but not blocked
		if standing, err := peers.StandingOf(tx, old.Host); err != nil || standing == peers.Blocked {
			return false, err
		}
		// Nor is anybody sent on from where they were sent a moment ago.
		var onward bool
		err := tx.Raw("SELECT EXISTS (SELECT 1 FROM accounts WHERE moved_to = ? AND moved_to <> '' AND moved_at > ?)", old.IRI(tx.Site), tx.Now.Add(-movedAgain)).
			Scan(&onward).Error
		if err != nil || onward {
			return false, err
		}
		if err := tx.Exec("UPDATE accounts SET moved_to = ?, moved_at = ? WHERE id = ?", to.IRI(tx.Site), tx.Now, old.ID).Error; err != nil {
			return false, err
		}
		tx.Announce(AccountChanged, old.ID)
	}
	var mutes []MuteRow
	if err := tx.Where("target_id = ? AND account_id <> ? AND (expires_at IS NULL OR expires_at > ?)", old.ID, to.ID, tx.Now).Find(&mutes).Error; err != nil {
		return false, err
	}
	for _, m := range mutes {
		err := tx.Exec("INSERT INTO mutes (account_id, target_id, id, notifications, expires_at, created_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			m.AccountID, to.ID, tx.NewID(), m.Notifications, m.ExpiresAt, tx.Now).Error
		if err != nil {
			return false, err
		}
	}
	var blockers []Account
	err := tx.Raw("SELECT accounts.* FROM blocks JOIN accounts ON accounts.id = blocks.account_id WHERE blocks.target_id = ? AND accounts.host = '' AND accounts.id <> ?",
		old.ID, to.ID).Scan(&blockers).Error
	if err != nil {
		return false, err
	}
	for _, me := range blockers {
		if err := Block(tx, me, to); err != nil {
			return false, err
		}
	}
	return true, nil
}

// believedMove returns where an account of another server has moved to, of what
// its server says, or "": the other account must name this one as its own, as
// far as it is known here, or must have done so when the move was received. Else
// anybody could show themselves as gone over to somebody else.
//
// FEP-7628 (move actor).
func believedMove(tx *store.Tx, known, said Account) (string, error) {
	if said.MovedTo == "" || said.MovedTo == *said.URI {
		return "", nil
	}
	if said.MovedTo == known.MovedTo && known.MovedAt != nil {
		return said.MovedTo, nil
	}
	to, err := AccountByURI(tx, said.MovedTo)
	switch {
	case fault.Is(err, fault.NotFound):
		return "", nil
	case err != nil:
		return "", err
	case to.Gone() || !to.KnownAs(*said.URI):
		return "", nil
	}
	return said.MovedTo, nil
}

// MoveMore moves some of those on who follow old from here: they follow to, or
// ask to where it approves by hand, and old no more. It reports whether any are
// left.
func MoveMore(tx *store.Tx, old, to Account) (left bool, err error) {
	var rows []FollowRow
	if err := tx.Where("target_id = ? AND follower_local", old.ID).Order("id").Limit(movePiece + 1).Find(&rows).Error; err != nil {
		return false, err
	}
	some := rows[:min(movePiece, len(rows))]
	ids := make([]int64, len(some))
	for i, f := range some {
		ids[i] = f.FollowerID
	}
	followers, err := AccountsByID(tx, ids)
	if err != nil {
		return false, err
	}
	for _, f := range some {
		if err := moveOn(tx, followers[f.FollowerID], f, old, to); err != nil {
			return false, err
		}
	}
	return len(rows) > movePiece, nil
}

func moveOn(tx *store.Tx, me Account, f FollowRow, old, to Account) error {
	if me.ID != to.ID && f.State == FollowAccepted && !me.Gone() {
		_, err := Follow(tx, me, to)
		switch {
		case err == nil:
			if err := notify(tx, me.ID, NotifyMove, to.ID, 0); err != nil {
				return err
			}
		case !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound):
			return err
		}
	}
	return Unfollow(tx, me, old)
}

// MovedAccount returns the account that took an account's place, if it has
// moved and the other is known here.
func MovedAccount(tx *store.Tx, a Account) (Account, bool, error) {
	if a.MovedTo == "" {
		return Account{}, false, nil
	}
	to, err := AccountByURI(tx, a.MovedTo)
	if fault.Is(err, fault.NotFound) {
		return Account{}, false, nil
	}
	return to, err == nil && !to.Gone(), err
}
