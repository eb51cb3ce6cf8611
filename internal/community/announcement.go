package community

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// Announcement is what the school tells everybody who is signed in. It leaves
// the server for nobody.
//
// Mastodon's documentation, entities/Announcement.
type Announcement struct {
	ID          int64
	Source      string // Markdown
	HTML        string `gorm:"column:html"`
	AuthorID    *int64
	AllDay      bool // StartsAt and EndsAt are days
	PublishedAt time.Time
	ToldAt      *time.Time // when open streams were told that it is published
	StartsAt    *time.Time // when what it is about begins
	EndsAt      *time.Time // when it is over; it is shown until then
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Shown reports whether people see it at that moment.
func (a Announcement) Shown(now time.Time) bool {
	return !a.PublishedAt.After(now) && (a.EndsAt == nil || a.EndsAt.After(now))
}

// Bounds of announcements.
const (
	MaxAnnouncement    = 5000 // characters
	mostAnnouncements  = 20   // shown at once
	mostReactionNames  = 8    // of one announcement, as Mastodon has it
	maxReactionName    = 40   // bytes: an emoji of several signs
	announcementsOnTop = 3    // of which pages show the words
)

// AnnouncementDraft is an announcement as it is written.
type AnnouncementDraft struct {
	Source    string
	AllDay    bool
	PublishAt *time.Time // nil: now
	StartsAt  *time.Time
	EndsAt    *time.Time
}

func (d AnnouncementDraft) check(now time.Time) error {
	var c fault.Check
	if d.Source == "" {
		c.Add("source", "announcement.empty", "Write what there is to tell.", nil)
	}
	if utf8.RuneCountInString(d.Source) > MaxAnnouncement {
		c.Add("source", "announcement.long", "This is too long: 5000 characters at most.", nil)
	}
	if d.EndsAt != nil && (!d.EndsAt.After(now) || d.PublishAt != nil && !d.EndsAt.After(*d.PublishAt) || d.StartsAt != nil && d.EndsAt.Before(*d.StartsAt)) {
		c.Add("ends_at", "announcement.ends", "The end comes after the beginning, and is still to come.", nil)
	}
	return c.Err()
}

// WriteAnnouncement tells everybody here something, at once or when its time
// comes; with an id, it changes what was told.
func WriteAnnouncement(tx *store.Tx, by Account, id int64, d AnnouncementDraft) (Announcement, error) {
	if err := mayAnnounce(tx, by); err != nil {
		return Announcement{}, err
	}
	d.Source = strings.TrimSpace(strings.ReplaceAll(d.Source, "\r\n", "\n"))
	if err := d.check(tx.Now); err != nil {
		return Announcement{}, err
	}
	a := Announcement{ID: tx.NewID(), AuthorID: &by.ID, PublishedAt: tx.Now, CreatedAt: tx.Now}
	deed := "announcement.write"
	if id != 0 {
		if err := tx.Where("id = ?", id).Take(&a).Error; err != nil {
			return a, err
		}
		deed = "announcement.change"
	}
	html, err := renderBio(tx, d.Source)
	if err != nil {
		return a, err
	}
	a.Source, a.HTML, a.AllDay, a.StartsAt, a.EndsAt, a.UpdatedAt = d.Source, html, d.AllDay, d.StartsAt, d.EndsAt, tx.Now
	if d.PublishAt != nil {
		a.PublishedAt = *d.PublishAt
	}
	a.ToldAt = nil
	if a.Shown(tx.Now) {
		a.ToldAt = &tx.Now
		tx.Announce(AnnouncementPosted, a.ID)
	} else if id != 0 {
		tx.Announce(AnnouncementGone, a.ID)
	}
	if err := tx.Save(&a).Error; err != nil {
		return a, err
	}
	return a, record(tx, by.ID, deed, text.Excerpt(a.HTML, 60), "", "", "")
}

// EndAnnouncement takes an announcement off everybody's pages, now.
func EndAnnouncement(tx *store.Tx, by Account, id int64) error {
	if err := mayAnnounce(tx, by); err != nil {
		return err
	}
	a, err := AnnouncementByID(tx, by, id)
	if err != nil {
		return err
	}
	if err := tx.Exec("DELETE FROM announcements WHERE id = ?", id).Error; err != nil {
		return err
	}
	tx.Announce(AnnouncementGone, id)
	return record(tx, by.ID, "announcement.end", text.Excerpt(a.HTML, 60), "", "", "")
}

func mayAnnounce(tx *store.Tx, by Account) error {
	role, err := roleOf(tx, by.ID)
	if err == nil && !role.MayManagePeople() {
		err = fault.Keyed(fault.Forbidden, "announcement.staff", "Only administrators announce.", nil)
	}
	return err
}

// AnnouncementByID returns an announcement for whoever writes them.
func AnnouncementByID(tx *store.Tx, by Account, id int64) (Announcement, error) {
	var a Announcement
	if err := mayAnnounce(tx, by); err != nil {
		return a, err
	}
	err := tx.Where("id = ?", id).Take(&a).Error
	return a, err
}

// Announcements returns a page of all announcements for whoever writes them:
// those to come, those that are shown and those that are over.
func Announcements(tx *store.Tx, by Account, page store.Page) ([]Announcement, error) {
	if err := mayAnnounce(tx, by); err != nil {
		return nil, err
	}
	return store.Find[Announcement](tx.Model(&Announcement{}), page)
}

// AnnouncementReaction is how many gave an emoji to an announcement.
type AnnouncementReaction struct {
	AnnouncementID int64
	Name           string
	Count          int
	Mine           bool
}

// AnnouncementView is an announcement as a reader sees it.
type AnnouncementView struct {
	Announcement
	Read      bool
	Reactions []AnnouncementReaction // in the order in which they came
}

// CurrentAnnouncements returns what everybody here is told at the moment, the
// latest first. It asks three questions however much there is.
func CurrentAnnouncements(tx *store.Tx, me int64) ([]AnnouncementView, error) {
	var list []Announcement
	err := tx.Where("published_at <= ? AND (ends_at IS NULL OR ends_at > ?)", tx.Now, tx.Now).Order("published_at DESC, id DESC").Limit(mostAnnouncements).Find(&list).Error
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return announcementViews(tx, me, list)
}

// CurrentAnnouncement returns one of those, or fault.NotFound.
func CurrentAnnouncement(tx *store.Tx, me, id int64) (AnnouncementView, error) {
	var a Announcement
	err := tx.Where("id = ? AND published_at <= ? AND (ends_at IS NULL OR ends_at > ?)", id, tx.Now, tx.Now).Take(&a).Error
	if err != nil {
		return AnnouncementView{}, err
	}
	views, err := announcementViews(tx, me, []Announcement{a})
	if err != nil {
		return AnnouncementView{}, err
	}
	return views[0], nil
}

func announcementViews(tx *store.Tx, me int64, list []Announcement) ([]AnnouncementView, error) {
	ids := make([]int64, len(list))
	for i, a := range list {
		ids[i] = a.ID
	}
	var read []int64
	if err := tx.Raw("SELECT announcement_id FROM announcement_reads WHERE account_id = ? AND announcement_id IN ?", me, ids).Scan(&read).Error; err != nil {
		return nil, err
	}
	var reactions []AnnouncementReaction
	err := tx.Raw(`SELECT announcement_id, name, COUNT(*) AS count, MAX(CASE WHEN account_id = ? THEN 1 ELSE 0 END) = 1 AS mine
		FROM announcement_reactions WHERE announcement_id IN ? GROUP BY announcement_id, name ORDER BY MIN(id)`, me, ids).Scan(&reactions).Error
	if err != nil {
		return nil, err
	}
	views := make([]AnnouncementView, len(list))
	for i, a := range list {
		views[i] = AnnouncementView{Announcement: a, Read: slices.Contains(read, a.ID)}
		for _, r := range reactions {
			if r.AnnouncementID == a.ID {
				views[i].Reactions = append(views[i].Reactions, r)
			}
		}
	}
	return views, nil
}

// NewAnnouncements returns what me is told at the moment and has not put away.
func NewAnnouncements(tx *store.Tx, me int64) ([]Announcement, error) {
	var list []Announcement
	err := tx.Where(`published_at <= ? AND (ends_at IS NULL OR ends_at > ?) AND NOT EXISTS (
			SELECT 1 FROM announcement_reads r WHERE r.announcement_id = announcements.id AND r.account_id = ?)`, tx.Now, tx.Now, me).
		Order("published_at DESC, id DESC").Limit(announcementsOnTop).Find(&list).Error
	return list, err
}

// PutAway notes that me has read an announcement.
func PutAway(tx *store.Tx, me, id int64) error {
	if _, err := CurrentAnnouncement(tx, me, id); err != nil {
		return err
	}
	return tx.Exec("INSERT INTO announcement_reads (announcement_id, account_id) VALUES (?, ?) ON CONFLICT DO NOTHING", id, me).Error
}

// ReactToAnnouncement gives an emoji to an announcement. Doing so twice changes
// nothing.
func ReactToAnnouncement(tx *store.Tx, me, id int64, name string) error {
	a, err := CurrentAnnouncement(tx, me, id)
	if err != nil {
		return err
	}
	if !isEmoji(name) {
		return fault.Keyed(fault.Invalid, "announcement.emoji", "This is no emoji.", nil)
	}
	if len(a.Reactions) >= mostReactionNames && !slices.ContainsFunc(a.Reactions, func(r AnnouncementReaction) bool { return r.Name == name }) {
		return fault.Keyed(fault.Invalid, "announcement.reactions", "There are as many different reactions as there can be.", nil)
	}
	res := tx.Exec("INSERT INTO announcement_reactions (announcement_id, name, account_id, id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", id, name, me, tx.NewID())
	if res.Error == nil && res.RowsAffected > 0 {
		tx.Announce(AnnouncementReacted, id)
	}
	return res.Error
}

// UnreactToAnnouncement takes an emoji back.
func UnreactToAnnouncement(tx *store.Tx, me, id int64, name string) error {
	if _, err := CurrentAnnouncement(tx, me, id); err != nil {
		return err
	}
	res := tx.Exec("DELETE FROM announcement_reactions WHERE announcement_id = ? AND name = ? AND account_id = ?", id, name, me)
	if res.Error == nil && res.RowsAffected > 0 {
		tx.Announce(AnnouncementReacted, id)
	}
	return res.Error
}

// isEmoji reports whether s looks like one emoji: signs and what joins them, no
// letters. A new emoji of the next Unicode is one too.
//
// Unicode Technical Standard 51, section 1.4.9.
func isEmoji(s string) bool {
	if s == "" || len(s) > maxReactionName || !utf8.ValidString(s) {
		return false
	}
	keycap := strings.HasSuffix(s, "\u20E3")
	sign := false
	for _, r := range s {
		switch {
		case r == '\u200D' || r == '\uFE0F' || r == '\u20E3' || r >= 0xE0020 && r <= 0xE007F: // joiner, variation, keycap, tags
		case keycap && (r >= '0' && r <= '9' || r == '#' || r == '*'):
			sign = true
		case r > 0xFF && (unicode.Is(unicode.So, r) || unicode.Is(unicode.Sk, r) || unicode.Is(unicode.Sm, r) || unicode.Is(unicode.Po, r)) || r == '©' || r == '®':
			sign = true
		default:
			return false
		}
	}
	return sign
}

// SweepAnnouncements tells open streams of announcements whose time has come,
// and of those that are over.
func SweepAnnouncements(tx *store.Tx) error {
	var due []int64
	err := tx.Raw("UPDATE announcements SET told_at = ? WHERE told_at IS NULL AND published_at <= ? RETURNING id", tx.Now, tx.Now).Scan(&due).Error
	for _, id := range due {
		tx.Announce(AnnouncementPosted, id)
	}
	return err
}
