package community

import (
	"encoding/json"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// Lost is a tie that ended, with who it was with: what somebody gets as their list.
type Lost struct {
	Tie
	Username    string
	DisplayName string
	Address     string // of the account there
}

// Handle is the person's, as everybody writes it.
func (l Lost) Handle() string { return "@" + l.Username + "@" + l.Host }

const lostColumns = `t.*, a.username, a.display_name, COALESCE(NULLIF(a.url, ''), a.uri, '') AS address`

// LostTo lists the ties of somebody here that ended with a server, as a
// notification of theirs tells it, and are kept.
func LostTo(tx *store.Tx, me, notification int64) (s Severed, list []Lost, err error) {
	err = tx.Raw(`SELECT s.* FROM severed s JOIN notifications n ON n.id = s.notification_id WHERE s.notification_id = ? AND n.account_id = ?`, notification, me).Take(&s).Error
	if err != nil {
		return s, nil, err
	}
	err = tx.Table("severed_ties t").Select(lostColumns).Joins("JOIN accounts a ON a.id = t.remote_id").
		Where("t.local_id = ? AND t.host = ?", me, s.Host).Order("t.kind, a.username").Find(&list).Error
	return s, list, err
}

// Severances counts what is put aside of a peer.
type Severances struct {
	Follows   int64 // that can be asked for again
	Followers int64 // that only those there can take up again
	Restored  int64
	Counted   map[TieKind]int64 // what there was before a purge
}

// SeverancesOf counts what is put aside of a peer.
func SeverancesOf(tx *store.Tx, host string) (Severances, error) {
	s := Severances{Counted: map[TieKind]int64{}}
	var rows []struct {
		Kind     TieKind
		Restored bool
		N        int64
	}
	err := tx.Raw("SELECT kind, restored_at IS NOT NULL AS restored, COUNT(*) AS n FROM severed_ties WHERE peer = ? GROUP BY kind, restored_at IS NOT NULL", host).Scan(&rows).Error
	if err != nil {
		return s, err
	}
	for _, r := range rows {
		switch {
		case r.Restored:
			s.Restored += r.N
		case r.Kind == TieFollower:
			s.Followers += r.N
		default:
			s.Follows += r.N
		}
	}
	rows = nil
	if err := tx.Raw("SELECT kind, ties AS n FROM severed_counts WHERE peer = ?", host).Scan(&rows).Error; err != nil {
		return s, err
	}
	for _, r := range rows {
		s.Counted[r.Kind] = r.N
	}
	return s, nil
}

// RestoreTies takes up again what ended with a server that is connected again:
// whoever here followed somebody there asks anew. Who followed from there has
// to do so again there; their server was told that it had ended, and saying
// otherwise now would not be true. They are let in at once, though.
func RestoreTies(tx *store.Tx, by int64, host string) error {
	d, err := peers.DecideOne(tx, host)
	if err != nil {
		return err
	}
	if !d.Admitted {
		return peers.NotAdmitted(host)
	}
	if err := chargeFor(tx, ChoreRestore, host, tx.Now); err != nil {
		return err
	}
	return record(tx, by, "peer.restore", host, "", "", "")
}

// RestoreMore takes up some of the ties again, and reports whether there are more.
func RestoreMore(tx *store.Tx, c Chore) (left bool, err error) {
	d, err := peers.DecideOne(tx, c.Subject)
	if err != nil || !d.Admitted {
		return false, err // it ended again
	}
	var ties []Tie
	err = tx.Where("peer = ? AND id > ? AND restored_at IS NULL AND kind IN ?", c.Subject, c.AtID, []TieKind{TieFollow, TieGroupMember}).
		Order("id").Limit(severPiece + 1).Find(&ties).Error
	if err != nil {
		return false, err
	}
	if c.Total == 0 && len(ties) > 0 {
		err := tx.Raw("SELECT COUNT(*) FROM severed_ties WHERE peer = ? AND restored_at IS NULL AND kind IN ?", c.Subject, []TieKind{TieFollow, TieGroupMember}).Scan(&c.Total).Error
		if err != nil {
			return false, err
		}
	}
	for _, t := range ties[:min(severPiece, len(ties))] {
		c.AtID = t.ID
		c.Done++
		if err := restore(tx, t); err != nil {
			return false, err
		}
	}
	return len(ties) > severPiece, reached(tx, c)
}

// restore follows again. What cannot be, since one of the two has gone or
// thought better of it meanwhile, is left.
func restore(tx *store.Tx, t Tie) error {
	accounts, err := AccountsByID(tx, []int64{t.LocalID, t.RemoteID})
	if err != nil {
		return err
	}
	me, them := accounts[t.LocalID], accounts[t.RemoteID]
	if me.ID == 0 || them.ID == 0 || me.Gone() {
		return nil
	}
	if _, err := Follow(tx, me, them); err != nil {
		if fault.Of(err).Kind == fault.Internal {
			return err
		}
		return nil
	}
	var extra tieExtra
	if t.Extra != "" {
		if err := json.Unmarshal([]byte(t.Extra), &extra); err != nil {
			return err
		}
	}
	err = tx.Exec("UPDATE follows SET boosts_hidden = ?, notify = ?, languages = ? WHERE follower_id = ? AND target_id = ?",
		extra.BoostsHidden, extra.Notify, extra.Languages, me.ID, them.ID).Error
	if err != nil {
		return err
	}
	for _, list := range extra.Lists {
		err := tx.Exec(`INSERT INTO list_members (list_id, target_id, account_id, exclusive, id) SELECT id, ?, account_id, exclusive, ? FROM lists
			WHERE id = ? AND account_id = ? ON CONFLICT DO NOTHING`, them.ID, tx.NewID(), list, me.ID).Error
		if err != nil {
			return err
		}
	}
	return tx.Exec("UPDATE severed_ties SET restored_at = ? WHERE id = ?", tx.Now, t.ID).Error
}

// cameBack reports whether somebody who asks to follow me did so before the
// connection with their server ended, and notes that the tie is there again.
func cameBack(tx *store.Tx, from, to int64) (bool, error) {
	res := tx.Exec("UPDATE severed_ties SET restored_at = ? WHERE remote_id = ? AND local_id = ? AND kind = ? AND state = ? AND restored_at IS NULL",
		tx.Now, from, to, TieFollower, FollowAccepted)
	return res.RowsAffected > 0, res.Error
}
