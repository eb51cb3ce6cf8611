package community

import (
	"time"

	"gorm.io/gorm/clause"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// BlockRow says that an account, of here or elsewhere, has blocked another.
// Neither sees the other from then on.
type BlockRow struct {
	AccountID int64 `gorm:"primaryKey;autoIncrement:false"`
	TargetID  int64 `gorm:"primaryKey;autoIncrement:false"`
	ID        int64
	URI       string `gorm:"column:uri"` // of the Block activity, if it came from another server
	CreatedAt time.Time
}

// TableName names the table of blocks.
func (BlockRow) TableName() string { return "blocks" }

// MuteRow says that a person here does not want an account in their lists. The
// account learns nothing of it.
type MuteRow struct {
	AccountID     int64 `gorm:"primaryKey;autoIncrement:false"`
	TargetID      int64 `gorm:"primaryKey;autoIncrement:false"`
	ID            int64
	Notifications bool       // do not notify either
	ExpiresAt     *time.Time // nil: until Unmute
	CreatedAt     time.Time
}

// TableName names the table of mutes.
func (MuteRow) TableName() string { return "mutes" }

// BlockedBy returns a page of those whom me has blocked, the latest first.
func BlockedBy(tx *store.Tx, me int64, page store.Page) ([]Listed, error) {
	q := tx.Table("blocks").Select("accounts.*, blocks.id AS cursor").Joins("JOIN accounts ON accounts.id = blocks.target_id").
		Where("blocks.account_id = ? AND accounts.deleted_at IS NULL", me)
	return store.FindOn[Listed](q, page, "blocks.id")
}

// MutedBy returns a page of those whom me has muted, the latest first.
func MutedBy(tx *store.Tx, me int64, page store.Page) ([]Listed, error) {
	q := tx.Table("mutes").Select("accounts.*, mutes.id AS cursor").Joins("JOIN accounts ON accounts.id = mutes.target_id").
		Where("mutes.account_id = ? AND (mutes.expires_at IS NULL OR mutes.expires_at > ?) AND accounts.deleted_at IS NULL", me, tx.Now)
	return store.FindOn[Listed](q, page, "mutes.id")
}

// Block ends everything between me and target: neither follows, sees or
// notifies the other any more. Another server is told, so that it can keep
// its side.
func Block(tx *store.Tx, me, target Account) error {
	if me.ID == target.ID {
		return fault.Keyed(fault.Invalid, "block.self", "You cannot block yourself.", nil)
	}
	b, fresh, err := block(tx, me.ID, target.ID, "")
	if err != nil || !fresh {
		return err
	}
	if err := Unfollow(tx, me, target); err != nil {
		return err
	}
	if err := RemoveFollower(tx, me, target); err != nil {
		return err
	}
	if err := part(tx, me, target); err != nil || target.Local() {
		return err
	}
	return enqueue(tx, Outgoing{Verb: VerbBlock, ActorID: me.ID, AccountID: &target.ID, Facts: Facts{ReactionID: b.ID}})
}

// Unblock takes a block back. Follows do not come back with it.
func Unblock(tx *store.Tx, me, target Account) error {
	var b BlockRow
	if err := tx.Where("account_id = ? AND target_id = ?", me.ID, target.ID).Limit(1).Find(&b).Error; err != nil || b.ID == 0 {
		return err
	}
	if err := unblock(tx, b); err != nil || target.Local() {
		return err
	}
	return enqueue(tx, Outgoing{Verb: VerbUndoBlock, ActorID: me.ID, AccountID: &target.ID, Facts: Facts{ReactionID: b.ID}})
}

// ReceiveBlock takes in that from, of another server, blocks to: nothing of
// to's goes there for from any more, and to does not see from.
//
// W3C ActivityPub, section 6.9, says that a Block should not be sent to whom
// it is about; most servers send it, and what it asks for is plain.
func ReceiveBlock(tx *store.Tx, from, to Account, uri string) error {
	if _, fresh, err := block(tx, from.ID, to.ID, uri); err != nil || !fresh {
		return err
	}
	for _, pair := range [][2]int64{{from.ID, to.ID}, {to.ID, from.ID}} {
		f, err := FollowBetween(tx, pair[0], pair[1])
		if err != nil {
			return err
		}
		if f.ID == 0 {
			continue
		}
		if err := end(tx, f); err != nil {
			return err
		}
	}
	return part(tx, from, to)
}

// ReceiveUndoBlock takes in that from, of another server, has taken a block
// back: the one with this IRI, or the one of target.
func ReceiveUndoBlock(tx *store.Tx, from Account, uri string, target int64) error {
	var b BlockRow
	q := tx.Where("account_id = ? AND target_id = ?", from.ID, target)
	if target == 0 {
		q = tx.Where("account_id = ? AND uri = ? AND uri <> ''", from.ID, uri)
	}
	if err := q.Limit(1).Find(&b).Error; err != nil || b.ID == 0 {
		return err
	}
	return unblock(tx, b)
}

func block(tx *store.Tx, account, target int64, uri string) (BlockRow, bool, error) {
	b := BlockRow{AccountID: account, TargetID: target, ID: tx.NewID(), URI: uri, CreatedAt: tx.Now}
	res := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&b)
	return b, res.RowsAffected > 0, res.Error
}

func unblock(tx *store.Tx, b BlockRow) error {
	tx.Announce(AccountChanged, b.AccountID)
	tx.Announce(AccountChanged, b.TargetID)
	return tx.Where("account_id = ? AND target_id = ?", b.AccountID, b.TargetID).Delete(&BlockRow{}).Error
}

// part takes two accounts out of each other's home list and notifications.
func part(tx *store.Tx, a, b Account) error {
	for _, pair := range [][2]Account{{a, b}, {b, a}} {
		reader, author := pair[0], pair[1]
		if !reader.Local() {
			continue
		}
		if err := homeDrop(tx, reader.ID, author.ID); err != nil {
			return err
		}
		if err := tx.Exec("DELETE FROM notifications WHERE account_id = ? AND from_id = ?", reader.ID, author.ID).Error; err != nil {
			return err
		}
		for _, sql := range []string{
			"DELETE FROM notification_requests WHERE account_id = ? AND from_id = ?",
			"DELETE FROM endorsements WHERE account_id = ? AND target_id = ?",
		} {
			if err := tx.Exec(sql, reader.ID, author.ID).Error; err != nil {
				return err
			}
		}
		tx.Announce(NotificationArrived, reader.ID)
	}
	tx.Announce(AccountChanged, a.ID)
	tx.Announce(AccountChanged, b.ID)
	return nil
}

// Mute keeps target out of me's lists, and with notifications set, out of me's
// notifications too. until is when it ends; nil means not by itself. Muting
// again changes both.
func Mute(tx *store.Tx, me, target Account, notifications bool, until *time.Time) error {
	if me.ID == target.ID {
		return fault.Keyed(fault.Invalid, "mute.self", "You cannot mute yourself.", nil)
	}
	if until != nil && !until.After(tx.Now) {
		return fault.Invalidf("until", "Choose a time that is still to come.").WithKey("mute.past", nil)
	}
	m := MuteRow{AccountID: me.ID, TargetID: target.ID, ID: tx.NewID(), Notifications: notifications, ExpiresAt: until, CreatedAt: tx.Now}
	tx.Announce(AccountChanged, me.ID)
	return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "account_id"}, {Name: "target_id"}},
		DoUpdates: clause.AssignmentColumns([]string{"notifications", "expires_at"})}).Create(&m).Error
}

// Unmute takes a mute back.
func Unmute(tx *store.Tx, me, target Account) error {
	tx.Announce(AccountChanged, me.ID)
	return tx.Where("account_id = ? AND target_id = ?", me.ID, target.ID).Delete(&MuteRow{}).Error
}
