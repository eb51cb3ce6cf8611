// Package media keeps pictures: it makes every upload safe and small, stores
// the files, describes them for those who cannot see them, and keeps copies of
// other servers' pictures for a while.
package media

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// Bounds on pictures. How many an author may give to a post is the community's
// rule; other servers' authors are shown with more.
const (
	MaxAlt     = 1500 // runes of a description
	MaxForeign = 8    // pictures taken of another server's post
	maxLoose   = 40   // uploads of one account that no post holds yet
)

// Attachment is a picture of a post, or one that waits for its post. A local
// one has Name and Preview, its files in the Library; one from another server
// has RemoteURL, and is shown from /media/remote/{id}.
type Attachment struct {
	ID            int64
	AccountID     int64
	PostID        *int64
	ScheduledID   *int64     // the post it waits for, which is to be published later
	LooseAt       *time.Time // since when it is in no post any more
	Position      int
	Name, Preview string
	RemoteURL     string
	Mime          string
	Bytes         int64
	Width, Height int
	Alt           string
	Decorative    bool // has nothing to tell: readers of screens pass it over
	Blurhash      string
	FocusX        float64 // -1 (left) to 1 (right): what must stay in view when cropped
	FocusY        float64 // -1 (bottom) to 1 (top)
	CreatedAt     time.Time
}

// Local reports whether the files are this server's own.
func (a Attachment) Local() bool { return a.RemoteURL == "" }

// Described reports whether a picture may be published: somebody wrote what it
// shows, or said that it has nothing to tell.
//
// WCAG 2.2, success criterion 1.1.1.
func (a Attachment) Described() bool { return a.Decorative || strings.TrimSpace(a.Alt) != "" }

// Description is what an author says about a picture. Nil leaves what is there.
type Description struct {
	Alt            *string
	Decorative     *bool
	FocusX, FocusY *float64
}

// apply changes a, or says what is wrong. A text and "decorative" exclude each
// other; the newer word counts.
func (d Description) apply(a *Attachment) error {
	var check fault.Check
	if d.Alt != nil {
		alt := strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(*d.Alt, "\x00", ""), "\uFFFD"))
		if utf8.RuneCountInString(alt) > MaxAlt {
			check.Add("alt", "media.alt_too_long", fmt.Sprintf("Please describe the picture in at most %d characters.", MaxAlt),
				map[string]any{"Max": MaxAlt})
		}
		a.Alt = alt
		if alt != "" {
			a.Decorative = false
		}
	}
	if d.Decorative != nil {
		if a.Decorative = *d.Decorative; a.Decorative {
			if d.Alt != nil && a.Alt != "" {
				check.Add("decorative", "media.alt_and_decorative",
					"A picture either has a description or is decorative. Please choose one.", nil)
			}
			a.Alt = ""
		}
	}
	for _, f := range []struct {
		from *float64
		to   *float64
	}{{d.FocusX, &a.FocusX}, {d.FocusY, &a.FocusY}} {
		if f.from == nil {
			continue
		}
		if !(*f.from >= -1 && *f.from <= 1) { // neither is NaN
			check.Add("focus", "media.focus", "The focus lies between -1 and 1.", nil)
			continue
		}
		*f.to = *f.from
	}
	return check.Err()
}

// ByID returns an attachment, whoever owns it; what the asker may see of it is
// decided by its post, or by the owner when it has none.
func ByID(tx *store.Tx, id int64) (Attachment, error) {
	var a Attachment
	return a, tx.Take(&a, "id = ?", id).Error
}

// ByName returns the attachment that a stored file belongs to, by the name of
// the picture or of its preview.
func ByName(tx *store.Tx, name string) (Attachment, error) {
	if !IsName(name) {
		return Attachment{}, notFound(nil)
	}
	var a Attachment
	return a, tx.Take(&a, "name = ? OR preview = ?", name, name).Error
}

// OfPosts returns the attachments of some posts, each post's in its order.
func OfPosts(tx *store.Tx, posts []int64) (map[int64][]Attachment, error) {
	if len(posts) == 0 {
		return nil, nil
	}
	var rows []Attachment
	if err := tx.Where("post_id IN ?", posts).Order("post_id, position, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	of := make(map[int64][]Attachment, len(posts))
	for _, a := range rows {
		of[*a.PostID] = append(of[*a.PostID], a)
	}
	return of, nil
}

// Upload records a stored picture as the account's, to wait for its post.
func Upload(tx *store.Tx, account int64, s Stored, d Description) (Attachment, error) {
	var loose int64
	if err := tx.Model(&Attachment{}).Where("account_id = ? AND post_id IS NULL AND scheduled_id IS NULL", account).Count(&loose).Error; err != nil {
		return Attachment{}, err
	}
	if loose >= maxLoose {
		return Attachment{}, fault.Keyed(fault.TooMany, "media.too_many_waiting",
			"You have many pictures that are in no post yet. Please publish some, or come back tomorrow.", nil).After(time.Hour)
	}
	a := Attachment{ID: tx.NewID(), AccountID: account, Name: s.Name, Preview: s.Preview, Mime: s.Mime, Bytes: s.Bytes,
		Width: s.Width, Height: s.Height, Blurhash: s.Blurhash, CreatedAt: tx.Now}
	if err := d.apply(&a); err != nil {
		return Attachment{}, err
	}
	return a, tx.Create(&a).Error
}

// Describe changes what the owner says about a picture, before or after it is
// published. A published picture cannot lose its description.
func Describe(tx *store.Tx, account, id int64, d Description) (Attachment, error) {
	a, err := ByID(tx, id)
	switch {
	case fault.Is(err, fault.NotFound) || err == nil && (a.AccountID != account || !a.Local()):
		return Attachment{}, notFound(err)
	case err != nil:
		return Attachment{}, err
	}
	if err := d.apply(&a); err != nil {
		return Attachment{}, err
	}
	if a.PostID != nil && !a.Described() {
		return Attachment{}, fault.Invalidf("media", "This picture has no description yet. Say what it shows, for colleagues who cannot see it, or mark it as decorative.").
			WithKey("media.undescribed", nil)
	}
	return a, tx.Model(&a).Select("alt", "decorative", "focus_x", "focus_y").Updates(&a).Error
}

// Attach makes ids, in that order, the pictures of a post, when it is published
// and when it is edited. Pictures that the post had and that are not among them
// wait again, and are swept if nothing takes them. Whether the author may is
// for the caller to know; one that another post has taken meanwhile is refused.
func Attach(tx *store.Tx, post int64, ids []int64) error {
	let := tx.Model(&Attachment{}).Where("post_id = ?", post)
	if len(ids) > 0 {
		let = let.Where("id NOT IN ?", ids)
	}
	if err := let.Updates(map[string]any{"post_id": nil, "position": 0, "loose_at": tx.Now}).Error; err != nil {
		return err
	}
	for i, id := range ids {
		done := tx.Exec("UPDATE attachments SET post_id = ?, position = ?, scheduled_id = NULL, loose_at = NULL WHERE id = ? AND (post_id IS NULL OR post_id = ?)", post, i, id, post)
		switch {
		case done.Error != nil:
			return done.Error
		case done.RowsAffected == 0:
			return fault.Invalidf("media", "A picture can be in one post only. Please add it again.").WithKey("media.taken", nil)
		}
	}
	return nil
}

// Loosen takes the pictures out of a post that is about to be deleted, so that
// its author can put them into another one for a while.
func Loosen(tx *store.Tx, post int64) error {
	return tx.Exec("UPDATE attachments SET post_id = NULL, position = 0, loose_at = ? WHERE post_id = ? AND remote_url = ''", tx.Now, post).Error
}

// Hold makes ids, in that order, the pictures of a post that is to be published
// later. One that is in a post, or held for another, is refused.
func Hold(tx *store.Tx, scheduled int64, ids []int64) error {
	for i, id := range ids {
		done := tx.Exec("UPDATE attachments SET scheduled_id = ?, position = ? WHERE id = ? AND post_id IS NULL AND scheduled_id IS NULL", scheduled, i, id)
		switch {
		case done.Error != nil:
			return done.Error
		case done.RowsAffected == 0:
			return fault.Invalidf("media", "A picture can be in one post only. Please add it again.").WithKey("media.taken", nil)
		}
	}
	return nil
}

// Release lets go the pictures of a post that will not be published after all.
// They wait again for a while.
func Release(tx *store.Tx, scheduled int64) error {
	return tx.Exec("UPDATE attachments SET scheduled_id = NULL, position = 0, loose_at = ? WHERE scheduled_id = ?", tx.Now, scheduled).Error
}

// HeldFor returns the pictures of posts that are to be published later, by post.
func HeldFor(tx *store.Tx, scheduled []int64) (map[int64][]Attachment, error) {
	if len(scheduled) == 0 {
		return nil, nil
	}
	var rows []Attachment
	if err := tx.Where("scheduled_id IN ?", scheduled).Order("scheduled_id, position, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	of := make(map[int64][]Attachment, len(scheduled))
	for _, a := range rows {
		of[*a.ScheduledID] = append(of[*a.ScheduledID], a)
	}
	return of, nil
}

// Drop deletes a picture of the account's that is in no post and held for none.
// Its files go with the next Library.Sweep.
func Drop(tx *store.Tx, account, id int64) error {
	done := tx.Exec("DELETE FROM attachments WHERE id = ? AND account_id = ? AND post_id IS NULL AND scheduled_id IS NULL", id, account)
	if done.Error == nil && done.RowsAffected == 0 {
		return notFound(nil)
	}
	return done.Error
}

// Foreign is what is taken of the pictures that another server gives a post:
// at most MaxForeign, each once, from web addresses, with descriptions cut to
// MaxAlt and figures within bounds.
func Foreign(list []Attachment) []Attachment {
	var taken []Attachment
	for _, from := range list {
		if !remoteAddress(from.RemoteURL) || slices.ContainsFunc(taken, func(a Attachment) bool { return a.RemoteURL == from.RemoteURL }) {
			continue
		}
		if len(taken) == MaxForeign {
			break
		}
		taken = append(taken, Attachment{RemoteURL: from.RemoteURL, Mime: cut(from.Mime, 100), Width: side(from.Width), Height: side(from.Height),
			Alt: cut(from.Alt, MaxAlt), Blurhash: blurhashOf(from.Blurhash), FocusX: focus(from.FocusX), FocusY: focus(from.FocusY)})
	}
	return taken
}

func remoteAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= 2048 && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil
}

func cut(s string, runes int) string {
	s = strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD"))
	n := 0
	for i := range s {
		if n == runes {
			return s[:i]
		}
		n++
	}
	return s
}

func side(n int) int { return min(max(n, 0), 100_000) }

func focus(f float64) float64 {
	if !(f >= -1 && f <= 1) {
		return 0
	}
	return f
}

// blurhashOf is s if it can be a blurhash, which clients decode unasked.
func blurhashOf(s string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
	if len(s) < 6 || strings.Trim(s, digits) != "" {
		return ""
	}
	size := strings.IndexByte(digits, s[0])
	if len(s) != 4+2*(size%9+1)*(size/9+1) {
		return ""
	}
	return s
}

// Known tells which of some files' names are still wanted: by an attachment, or
// as the picture of an account of this server. Library.Sweep asks it.
func Known(tx *store.Tx, names []string) (map[string]bool, error) {
	var found []string
	err := tx.Raw(`SELECT name FROM attachments WHERE name <> '' AND name IN ?
		UNION ALL SELECT preview FROM attachments WHERE preview <> '' AND preview IN ?
		UNION ALL SELECT avatar FROM accounts WHERE host = '' AND avatar IN ?
		UNION ALL SELECT header FROM accounts WHERE host = '' AND header IN ?`, names, names, names, names).Scan(&found).Error
	known := make(map[string]bool, len(found))
	for _, name := range found {
		known[name] = true
	}
	return known, err
}

// SweepLoose deletes uploads that for a day no post has taken, and returns how
// many. Their files go with the next Library.Sweep.
func SweepLoose(tx *store.Tx) (int64, error) {
	before := tx.Now.Add(-Grace)
	done := tx.Where("post_id IS NULL AND scheduled_id IS NULL AND created_at < ? AND (loose_at IS NULL OR loose_at < ?)", before, before).Delete(&Attachment{})
	return done.RowsAffected, done.Error
}
