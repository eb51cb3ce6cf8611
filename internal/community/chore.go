package community

import (
	"time"

	"gorm.io/gorm/clause"

	"github.com/chalkring/chalkring/internal/store"
)

// ChoreQueued is news of a chore; the key is its number.
const ChoreQueued store.Topic = "chores"

// ChoreKind is what a chore does.
type ChoreKind string

// The kinds of chores.
const (
	ChoreErase ChoreKind = "erase" // everything of an account that is gone
	ChoreMove  ChoreKind = "move"  // those who follow an account from here, to its new one
	ChoreSever ChoreKind = "sever" // the ties with a server whose connection ended

	ChoreRestore  ChoreKind = "restore"  // those ties, once it is taken up again
	ChoreWithdraw ChoreKind = "withdraw" // posts from here that such a server is asked to delete
	ChoreDrop     ChoreKind = "drop"     // what is known of it

	ChoreImport ChoreKind = "import" // a list of servers that is applied or undone; its subject is the import's number
)

// Chore is work that a deed began and that is too much for its transaction, or
// needs another server first. It is done piece by piece, and a piece that is
// done stays done, whatever stops the process.
type Chore struct {
	ID        int64
	Kind      ChoreKind
	AccountID *int64 // whose; nil for a server
	Subject   string // of a move the address of the new account, of a server the host
	Tries     int64
	NextAt    time.Time
	CreatedAt time.Time
	Done      int64 // how much of it is done, of Total; 0 of 0 where nobody counts
	Total     int64
	AtID      int64 // how far it has come: an account's number,
	AtPost    int64 // and within it a post's
}

// charge queues a chore. An account has one of each kind at a time: a second
// one is left to the first.
func charge(tx *store.Tx, kind ChoreKind, account int64, subject string) error {
	c := Chore{ID: tx.NewID(), Kind: kind, Subject: subject, NextAt: tx.Now, CreatedAt: tx.Now}
	if account != 0 {
		c.AccountID = &account
	}
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&c).Error; err != nil {
		return err
	}
	tx.Announce(ChoreQueued, c.ID)
	return nil
}

// DueChores lists chores whose time has come, the longest due first.
func DueChores(tx *store.Tx, most int) ([]Chore, error) {
	var due []Chore
	err := tx.Where("next_at <= ?", tx.Now).Order("next_at, id").Limit(most).Find(&due).Error
	return due, err
}

// ClaimChore takes a chore for a while, so that no other node does it, and
// reports whether it was to be had.
func ClaimChore(tx *store.Tx, c Chore, until time.Time) (bool, error) {
	res := tx.Exec("UPDATE chores SET next_at = ? WHERE id = ? AND next_at <= ?", until, c.ID, tx.Now)
	return res.RowsAffected > 0, res.Error
}

// HoldChore keeps a chore for a while longer, and reports whether there still is
// one: whoever charged it may have taken it back.
func HoldChore(tx *store.Tx, c Chore, until time.Time) (bool, error) {
	res := tx.Exec("UPDATE chores SET next_at = ? WHERE id = ?", until, c.ID)
	return res.RowsAffected > 0, res.Error
}

// PutOff gives a chore back until later; tried says that it failed.
func PutOff(tx *store.Tx, c Chore, until time.Time, tried bool) error {
	tries := c.Tries
	if tried {
		tries++
	}
	return tx.Exec("UPDATE chores SET next_at = ?, tries = ? WHERE id = ?", until, tries, c.ID).Error
}

// EndChore says that a chore is done, or will not be.
func EndChore(tx *store.Tx, c Chore) error {
	return tx.Exec("DELETE FROM chores WHERE id = ?", c.ID).Error
}

// chargeFor queues a chore about a server, unless it has one of that kind; one
// that would be done later is done at that time.
func chargeFor(tx *store.Tx, kind ChoreKind, host string, at time.Time) error {
	var have int64
	if err := tx.Raw("SELECT COUNT(*) FROM chores WHERE kind = ? AND subject = ?", kind, host).Scan(&have).Error; err != nil {
		return err
	}
	if have > 0 {
		return tx.Exec("UPDATE chores SET next_at = ? WHERE kind = ? AND subject = ? AND next_at > ?", at, kind, host, at).Error
	}
	c := Chore{ID: tx.NewID(), Kind: kind, Subject: host, NextAt: at, CreatedAt: tx.Now}
	tx.Announce(ChoreQueued, c.ID)
	return tx.Create(&c).Error
}

// ChoresAbout lists what is still being done about a server.
func ChoresAbout(tx *store.Tx, host string) ([]Chore, error) {
	var list []Chore
	err := tx.Where("subject = ? AND kind IN ?", host, []ChoreKind{ChoreSever, ChoreRestore, ChoreWithdraw, ChoreDrop}).Order("id").Find(&list).Error
	return list, err
}

// reached writes down how far a chore has come.
func reached(tx *store.Tx, c Chore) error {
	return tx.Exec("UPDATE chores SET done = ?, total = ?, at_id = ?, at_post = ? WHERE id = ?", c.Done, c.Total, c.AtID, c.AtPost, c.ID).Error
}

// ChoreNow reads a chore anew, with how far it has come, and reports whether
// there still is one.
func ChoreNow(tx *store.Tx, c Chore) (Chore, bool, error) {
	var now []Chore
	err := tx.Where("id = ?", c.ID).Limit(1).Find(&now).Error
	if err != nil || len(now) == 0 {
		return c, false, err
	}
	return now[0], true, nil
}
