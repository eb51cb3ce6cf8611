package community

import (
	"slices"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// MaxPins is how many posts somebody can show first on their page. Mastodon has
// the same bound; of other servers' people no more than twice that is kept.
const MaxPins = 5

const maxRemotePins = 2 * MaxPins

// pin is a post that its author shows first.
type pin struct {
	AccountID int64
	PostID    int64
	ID        int64
	CreatedAt time.Time
}

// mine returns a post of this server's author, for what only they may do.
func mine(tx *store.Tx, me Account, post int64) (Post, error) {
	p, err := PostByID(tx, post)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Post{}, err
	}
	if err != nil || p.AuthorID != me.ID || p.DeletedAt != nil || !p.Local() || p.Kind == Boost {
		return Post{}, noSuchPost()
	}
	return p, nil
}

// Pin shows a post of me's first on their page. Pinning twice changes nothing.
func Pin(tx *store.Tx, me Account, post int64) (Post, error) {
	p, err := mine(tx, me, post)
	if err != nil {
		return Post{}, err
	}
	if p.Audience == Me || p.Audience == People {
		return Post{}, fault.Keyed(fault.Invalid, "pin.audience", "A post for chosen people cannot stand first on your page.", nil)
	}
	var have []int64
	if err := tx.Raw("SELECT post_id FROM pins WHERE account_id = ?", me.ID).Scan(&have).Error; err != nil {
		return Post{}, err
	}
	switch {
	case slices.Contains(have, p.ID):
		return p, nil
	case len(have) >= MaxPins:
		return Post{}, fault.Keyed(fault.Invalid, "pin.many", "Five posts stand first on your page already. Take one of them down before.", map[string]any{"Max": MaxPins})
	}
	if err := tx.Create(&pin{AccountID: me.ID, PostID: p.ID, ID: tx.NewID(), CreatedAt: tx.Now}).Error; err != nil {
		return Post{}, err
	}
	return p, tellPin(tx, p, VerbPin)
}

// Unpin puts a post of me's back among the others.
func Unpin(tx *store.Tx, me Account, post int64) (Post, error) {
	p, err := mine(tx, me, post)
	if err != nil {
		return Post{}, err
	}
	res := tx.Exec("DELETE FROM pins WHERE account_id = ? AND post_id = ?", me.ID, p.ID)
	if res.Error != nil || res.RowsAffected == 0 {
		return p, res.Error
	}
	return p, tellPin(tx, p, VerbUnpin)
}

func tellPin(tx *store.Tx, p Post, verb Verb) error {
	tx.Announce(PostReacted, p.ID)
	if !p.Audience.Travels() {
		return nil
	}
	return enqueue(tx, Outgoing{Verb: verb, ActorID: p.AuthorID, PostID: &p.ID, Audience: p.Audience})
}

// PinsOf returns the posts that an account shows first, as far as v may see
// them, the latest pinned first.
func PinsOf(tx *store.Tx, v Viewer, account int64) ([]Post, error) {
	var posts []Post
	err := tx.Model(&Post{}).Joins("JOIN pins ON pins.post_id = posts.id AND pins.account_id = posts.author_id").
		Where("pins.account_id = ?", account).Scopes(visibleTo(v)).Order("pins.id DESC").Limit(maxRemotePins).Find(&posts).Error
	return posts, err
}

// ReceivePin takes in that somebody elsewhere shows a post of theirs first, or
// does so no more. It reports whether that is new.
func ReceivePin(tx *store.Tx, from Account, p Post, pinned bool) (bool, error) {
	if from.Local() || p.AuthorID != from.ID || p.DeletedAt != nil || p.Kind == Boost {
		return false, fault.New(fault.Forbidden, "Only its author can show a post first.")
	}
	if !pinned {
		res := tx.Exec("DELETE FROM pins WHERE account_id = ? AND post_id = ?", from.ID, p.ID)
		return res.RowsAffected > 0, res.Error
	}
	var have int64
	if err := tx.Raw("SELECT COUNT(*) FROM pins WHERE account_id = ?", from.ID).Scan(&have).Error; err != nil || have >= maxRemotePins {
		return false, err
	}
	res := tx.Exec("INSERT INTO pins (account_id, post_id, id, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", from.ID, p.ID, tx.NewID(), tx.Now)
	return res.RowsAffected > 0, res.Error
}

// SetPins takes over which posts somebody elsewhere shows first, in their order.
func SetPins(tx *store.Tx, from Account, posts []Post) error {
	if from.Local() || from.Gone() {
		return nil
	}
	if err := tx.Exec("DELETE FROM pins WHERE account_id = ?", from.ID).Error; err != nil {
		return err
	}
	for _, p := range slices.Backward(posts[:min(len(posts), maxRemotePins)]) {
		if p.AuthorID != from.ID || p.DeletedAt != nil || p.Kind == Boost {
			continue
		}
		if _, err := ReceivePin(tx, from, p, true); err != nil {
			return err
		}
	}
	return nil
}
