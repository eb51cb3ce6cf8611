package community

import (
	"fmt"
	"strconv"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// Bounds of what is published later. They are Mastodon's.
const (
	MinAhead        = 5 * time.Minute
	MaxScheduled    = 300 // posts of one account that wait
	MaxScheduledDay = 25  // of them for the same day, in UTC
)

// ScheduledPost is a draft that is to be published later. Whether its author may
// do so is asked when it is written and again when its time has come.
type ScheduledPost struct {
	ID          int64
	AccountID   int64
	Draft       Draft `gorm:"serializer:json;not null"`
	ScheduledAt time.Time
	Reason      string // why it was refused when its time had come; it waits for its author then
	CreatedAt   time.Time
}

// Schedule keeps a draft to be published at a time. The same FormID is kept once.
func Schedule(tx *store.Tx, author Account, d Draft, at time.Time) (ScheduledPost, error) {
	id := tx.NewID()
	if d.FormID != "" {
		first, err := claimForm(tx, author.ID, d.FormID, id)
		if err != nil {
			return ScheduledPost{}, err
		}
		if first != id {
			return ScheduledByID(tx, author.ID, first)
		}
	}
	s := ScheduledPost{ID: id, AccountID: author.ID, Draft: d.tidied(), ScheduledAt: store.Millis(at), CreatedAt: tx.Now}
	if err := s.check(tx, author, s.ScheduledAt, true); err != nil {
		return ScheduledPost{}, err
	}
	if err := tx.Create(&s).Error; err != nil {
		return ScheduledPost{}, err
	}
	return s, media.Hold(tx, s.ID, d.MediaIDs)
}

// check says why the post cannot be published at a time, as far as is known now.
func (s *ScheduledPost) check(tx *store.Tx, author Account, at time.Time, fresh bool) error {
	if at.Before(tx.Now.Add(MinAhead)) {
		return fault.Invalidf("scheduled_at", "Choose a time that is at least five minutes from now.").WithKey("scheduled.soon", nil)
	}
	var waiting, day int
	midnight := at.UTC().Truncate(24 * time.Hour)
	err := tx.Raw(`SELECT (SELECT COUNT(*) FROM scheduled_posts WHERE account_id = ?),
		(SELECT COUNT(*) FROM scheduled_posts WHERE account_id = ? AND scheduled_at >= ? AND scheduled_at < ? AND id <> ?)`,
		author.ID, author.ID, midnight, midnight.Add(24*time.Hour), s.ID).Row().Scan(&waiting, &day)
	switch {
	case err != nil:
		return err
	case fresh && waiting >= MaxScheduled:
		return fault.Keyed(fault.Invalid, "scheduled.many", fmt.Sprintf("%d posts of yours wait to be published already. Take one of them back first.", MaxScheduled), map[string]any{"Max": MaxScheduled})
	case day >= MaxScheduledDay:
		return fault.Keyed(fault.Invalid, "scheduled.day", fmt.Sprintf("%d posts of yours wait for that day already. Choose another day.", MaxScheduledDay), map[string]any{"Max": MaxScheduledDay})
	}
	if err := stays(author); err != nil {
		return err
	}
	s.Draft.scheduled = s.ID
	in, err := settingOf(tx, author, s.Draft, 0)
	if err != nil {
		return err
	}
	if in.parent != nil {
		s.Draft.InReplyToID = in.parent.ID
	}
	if err := s.Draft.check(in); err != nil {
		return err
	}
	if _, err := quotable(tx, author, s.Draft); err != nil {
		return err
	}
	_, err = write(tx, author, s.Draft, in.parent)
	return err
}

// ScheduledBy returns a page of what an account is to publish later, the newest
// written first.
func ScheduledBy(tx *store.Tx, account int64, page store.Page) ([]ScheduledPost, error) {
	return store.Find[ScheduledPost](tx.Where("account_id = ?", account), page)
}

// ScheduledByID returns what an account is to publish later, or fault.NotFound.
func ScheduledByID(tx *store.Tx, account, id int64) (ScheduledPost, error) {
	var s ScheduledPost
	err := tx.Where("id = ? AND account_id = ?", id, account).Take(&s).Error
	return s, err
}

// Reschedule changes when a post is published. One that was refused is tried again.
func Reschedule(tx *store.Tx, author Account, id int64, at time.Time) (ScheduledPost, error) {
	s, err := ScheduledByID(tx, author.ID, id)
	if err != nil {
		return s, err
	}
	at = store.Millis(at)
	if err := s.check(tx, author, at, false); err != nil {
		return s, err
	}
	s.ScheduledAt, s.Reason = at, ""
	return s, tx.Exec("UPDATE scheduled_posts SET scheduled_at = ?, reason = '' WHERE id = ?", at, id).Error
}

// Unschedule takes back what was to be published later. Its pictures wait for
// another post for a while.
func Unschedule(tx *store.Tx, author Account, id int64) error {
	res := tx.Exec("DELETE FROM scheduled_posts WHERE id = ? AND account_id = ?", id, author.ID)
	if res.Error == nil && res.RowsAffected == 0 {
		return fault.New(fault.NotFound, "There is no such post.")
	}
	if res.Error != nil {
		return res.Error
	}
	return media.Release(tx, id)
}

// DueScheduled lists posts whose time has come, the longest due first.
func DueScheduled(tx *store.Tx, most int) ([]int64, error) {
	var ids []int64
	err := tx.Raw("SELECT id FROM scheduled_posts WHERE reason = '' AND scheduled_at <= ? ORDER BY scheduled_at, id LIMIT ?", tx.Now, most).Scan(&ids).Error
	return ids, err
}

// PublishScheduled publishes a post whose time has come, once: that it waited is
// forgotten in the same transaction, and what another node does meanwhile is
// left to it. A fault says that the author may not do it any more, for
// RefuseScheduled to keep.
func PublishScheduled(tx *store.Tx, id int64) error {
	var due []ScheduledPost
	err := tx.Where("id = (SELECT id FROM scheduled_posts WHERE id = ? AND reason = '' AND scheduled_at <= ?"+tx.SkipLocked()+")", id, tx.Now).Find(&due).Error
	if err != nil || len(due) == 0 {
		return err
	}
	s := due[0]
	author, err := AccountByID(tx, s.AccountID)
	if err != nil {
		return err
	}
	if err := tx.Exec("DELETE FROM scheduled_posts WHERE id = ?", s.ID).Error; err != nil || author.Gone() {
		return err
	}
	d := s.Draft
	form := d.FormID
	d.FormID, d.scheduled = "", s.ID
	p, err := Publish(tx, author, d)
	if err != nil || form == "" {
		return err
	}
	// Whoever sends the same once more is shown what became of it.
	return tx.Exec("UPDATE kept SET value = ? WHERE key = ? AND value = ?", []byte(strconv.FormatInt(p.ID, 10)), formKey(author.ID, form),
		[]byte(strconv.FormatInt(s.ID, 10))).Error
}

// RefuseScheduled keeps a post whose author may not publish it any more, with
// the reason. It is tried again when the author gives it another time.
func RefuseScheduled(tx *store.Tx, id int64, reason string) error {
	return tx.Exec("UPDATE scheduled_posts SET reason = ? WHERE id = ? AND scheduled_at <= ?", reason, id, tx.Now).Error
}
