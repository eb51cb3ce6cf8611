package community

import (
	"database/sql"
	"math"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// dropPiece is how many posts one transaction looks at.
const dropPiece = 100

// usedHere is the condition that somebody here has a use for a post of another
// server, a row of posts: it is in a conversation in which somebody here wrote,
// was saved, liked, passed on or quoted by them, or was written to them alone.
const usedHere = `(posts.thread_id IN (SELECT here.thread_id FROM posts here WHERE here.thread_id = posts.thread_id AND here.author_host = ''
		AND here.boost_of_id IS NULL AND here.deleted_at IS NULL)
	OR EXISTS (SELECT 1 FROM likes JOIN users ON users.account_id = likes.account_id WHERE likes.post_id = posts.id)
	OR EXISTS (SELECT 1 FROM bookmarks WHERE bookmarks.post_id = posts.id)
	OR EXISTS (SELECT 1 FROM posts boost WHERE boost.boost_of_id = posts.id AND boost.author_host = '' AND boost.deleted_at IS NULL)
	OR EXISTS (SELECT 1 FROM posts quoting WHERE quoting.quote_id = posts.id AND quoting.author_host = '' AND quoting.deleted_at IS NULL)
	OR posts.audience = 'people' AND EXISTS (SELECT 1 FROM post_mentions named JOIN users ON users.account_id = named.account_id WHERE named.post_id = posts.id))`

// Dropping is one piece of dropping what is known of a server.
type Dropping struct {
	Files []string // addresses of pictures: copies of them go first
	posts []Post   // that go
	looks int      // how many were looked at
	last  int64    // the last of them
	who   *Account // whose they are; nil: there is nobody left
	all   bool     // nothing is kept, and nothing of the account either
	purge bool
	older bool // the connection goes on: only what is old and nobody uses goes
}

// retains reports whether a peer that is connected has posts kept for a time only.
func retains(p peers.Peer) bool { return p.Standing == peers.Allowed && p.Retention > 0 }

// DropNext says what is dropped next. Without ok nothing is, now: the
// connection was taken up again, or a purge is not due.
func DropNext(tx *store.Tx, c Chore) (d Dropping, ok bool, err error) {
	p, err := peers.Get(tx, c.Subject)
	if err != nil {
		if fault.Is(err, fault.NotFound) {
			err = nil
		}
		return d, false, err
	}
	d.purge = p.PurgeAt != nil && !tx.Now.Before(*p.PurgeAt)
	before := int64(math.MaxInt64)
	switch {
	case retains(p) && !d.purge:
		d.older, before = true, store.FirstIDAt(tx.Now.AddDate(0, 0, -int(p.Retention)))
	case !d.purge && p.Standing != peers.Retired || !severs(p.Standing):
		return d, false, nil
	default:
		d.all = d.purge || p.KeepUntil == nil || !tx.Now.Before(*p.KeepUntil)
	}
	r, err := reachOf(tx, p)
	if err != nil {
		return d, false, err
	}
	of, args := r.on("a.host")
	var found []Account
	err = tx.Table("accounts a").Where("a.host <> '' AND "+of, args...).Where("a.id >= ?", c.AtID).Order("a.id").Limit(1).Find(&found).Error
	if err != nil || len(found) == 0 {
		return d, err == nil, err
	}
	d.who = &found[0]
	var posts []struct {
		Post
		Used bool
	}
	err = tx.Table("posts").Select("posts.*, "+usedHere+" AS used").Where("author_id = ? AND id > ? AND id < ?", d.who.ID, c.AtPost, before).Order("id").Limit(dropPiece).Find(&posts).Error
	if err != nil {
		return d, false, err
	}
	ids := make([]int64, 0, len(posts))
	for _, p := range posts {
		d.last = p.ID
		if !d.older || !p.Used {
			ids = append(ids, p.ID)
		}
		if p.DeletedAt == nil && (d.all || !p.Used) {
			d.posts = append(d.posts, p.Post)
		}
	}
	d.looks = len(posts)
	if len(ids) > 0 {
		err := tx.Raw("SELECT remote_url FROM attachments WHERE post_id IN ? AND remote_url <> ''", ids).Scan(&d.Files).Error
		if err != nil {
			return d, false, err
		}
	}
	if d.looks < dropPiece && !d.older {
		for _, url := range []string{d.who.Avatar, d.who.Header} {
			if url != "" {
				d.Files = append(d.Files, url)
			}
		}
	}
	return d, true, nil
}

// DropMore drops what DropNext named, and reports whether there is more. It is
// called when the copies of the pictures are gone.
func DropMore(tx *store.Tx, c Chore, d Dropping) (left bool, err error) {
	p, err := peers.Get(tx, c.Subject)
	if err != nil || !severs(p.Standing) && !(d.older && retains(p)) {
		return false, err
	}
	if d.who == nil {
		return false, dropped(tx, c, p, d)
	}
	if c.Total == 0 {
		if c.Total, err = postsOf(tx, p); err != nil {
			return false, err
		}
	}
	for _, post := range d.posts {
		if err := discard(tx, post); err != nil {
			return false, err
		}
	}
	c.Done, c.AtPost = c.Done+int64(d.looks), d.last
	if d.looks < dropPiece {
		c.AtID, c.AtPost = d.who.ID+1, 0
		if d.purge {
			if err := forget(tx, *d.who); err != nil {
				return false, err
			}
		}
	}
	return true, reached(tx, c)
}

// postsOf counts the rows of posts of a peer.
func postsOf(tx *store.Tx, p peers.Peer) (n int64, err error) {
	r, err := reachOf(tx, p)
	if err != nil {
		return 0, err
	}
	of, args := r.on("a.host")
	err = tx.Raw("SELECT COUNT(*) FROM accounts a JOIN posts ON posts.author_id = a.id WHERE a.host <> '' AND "+of, args...).Scan(&n).Error
	return n, err
}

// discard takes a copy of a post out. Where nothing refers to it not even its
// place stays, so that it can be fetched anew should the servers meet again.
func discard(tx *store.Tx, p Post) error {
	if err := wipe(tx, p); err != nil {
		return err
	}
	return tx.Exec(`DELETE FROM posts WHERE id = ? AND NOT EXISTS (SELECT 1 FROM posts other WHERE other.in_reply_to_id = posts.id)
		AND NOT EXISTS (SELECT 1 FROM posts other WHERE other.thread_id = posts.id AND other.id <> posts.id)
		AND NOT EXISTS (SELECT 1 FROM posts other WHERE other.boost_of_id = posts.id)
		AND NOT EXISTS (SELECT 1 FROM posts other WHERE other.quote_id = posts.id)
		AND NOT EXISTS (SELECT 1 FROM conversation_posts WHERE conversation_posts.post_id = posts.id)`, p.ID).Error
}

// forget empties what is stored of an account of another server. Its row stays
// by name and address, since what people here decided about it (a block, a
// mute) and who they named stays too; should the servers meet again, it is
// fetched anew.
func forget(tx *store.Tx, a Account) error {
	for left, err := true, error(nil); left; {
		if left, err = eraseLikes(tx, a.ID, store.FirstIDAt(tx.Now.Add(keepTombstones)), dropPiece); err != nil {
			return err
		}
	}
	for _, step := range []string{
		`DELETE FROM poll_votes WHERE account_id = @id`,
		`DELETE FROM notifications WHERE from_id = @id`,
		`DELETE FROM notification_requests WHERE from_id = @id`,
		`DELETE FROM notification_permissions WHERE from_id = @id`,
		`DELETE FROM endorsements WHERE target_id = @id`,
		`DELETE FROM suggestions_refused WHERE target_id = @id`,
		`DELETE FROM list_members WHERE target_id = @id`,
		`DELETE FROM pins WHERE account_id = @id`,
		`DELETE FROM featured_tags WHERE account_id = @id`,
		`DELETE FROM quote_approvals WHERE account_id = @id`,
		`DELETE FROM account_keys WHERE account_id = @id`,
		`DELETE FROM tombstones WHERE account_id = @id`,
		`UPDATE account_counts SET posts = 0, followers = 0, following = 0, last_post_at = NULL WHERE account_id = @id`,
		`UPDATE accounts SET display_name = '', bio_source = '', bio_html = '', fields = '[]', emoji = '', avatar = '', header = '', avatar_alt = '', header_alt = '',
			attribution_domains = '[]', also_known_as = '[]', moved_to = '', featured_uri = '', discoverable = FALSE, indexable = FALSE, fetched_at = NULL, updated_at = @now
			WHERE id = @id`,
	} {
		if err := tx.Exec(step, sql.Named("id", a.ID), sql.Named("now", tx.Now)).Error; err != nil {
			return err
		}
	}
	tx.Announce(AccountChanged, a.ID)
	return nil
}

// dropped ends the dropping. After a purge the ties are a number, and the log says that it is done.
func dropped(tx *store.Tx, c Chore, p peers.Peer, d Dropping) error {
	switch {
	case d.older:
	case d.purge:
		for _, step := range []string{
			`INSERT INTO severed_counts (peer, kind, ties, counted_at) SELECT peer, kind, COUNT(*), @now FROM severed_ties WHERE peer = @host GROUP BY peer, kind
				ON CONFLICT (peer, kind) DO UPDATE SET ties = severed_counts.ties + excluded.ties, counted_at = excluded.counted_at`,
			`DELETE FROM severed_ties WHERE peer = @host`,
			`DELETE FROM fetched_posts WHERE host = @host`,
			`UPDATE deliveries SET state = 'expired', reason = 'delivery.ended', done_at = @now WHERE host = @host AND state = 'waiting'`,
			`UPDATE hosts SET name = '', software = '', version = '', actor_uri = '', shared_inbox = '', met_at = NULL, signatures = '', signatures_at = NULL,
				last_in_at = NULL, last_out_at = NULL WHERE host = @host`,
		} {
			if err := tx.Exec(step, sql.Named("host", p.Host), sql.Named("now", tx.Now)).Error; err != nil {
				return err
			}
		}
		if err := peers.Purged(tx, p.Host, c.Done); err != nil {
			return err
		}
	case d.all:
		if err := tx.Exec("DELETE FROM severed_ties WHERE peer = ?", p.Host).Error; err != nil {
			return err
		}
		if err := peers.Faded(tx, p.Host); err != nil {
			return err
		}
	}
	if p.PurgeAt != nil && !d.purge && !d.older { // the chore waits for it
		c.Done, c.Total, c.AtID, c.AtPost = 0, 0, 0, 0
		if err := reached(tx, c); err != nil {
			return err
		}
		return PutOff(tx, c, *p.PurgeAt, false)
	}
	return EndChore(tx, c)
}

// sweptEnds is how many peers one sweep looks at.
const sweptEnds = 50

// SweepEnds has done what has come due about connections that ended: one that
// was for a time expires, what was kept of a retired one is dropped, and a
// purge begins. It reports whether there may be more.
func SweepEnds(tx *store.Tx) (more bool, err error) {
	expired, err := peers.Expire(tx, sweptEnds)
	if err != nil {
		return false, err
	}
	var due []string
	err = tx.Raw(`SELECT host FROM peers WHERE keep_until <= ? AND standing = ? AND NOT EXISTS (SELECT 1 FROM chores WHERE chores.kind = ? AND chores.subject = peers.host)
		UNION SELECT host FROM peers WHERE purge_at <= ? AND NOT EXISTS (SELECT 1 FROM chores WHERE chores.kind = ? AND chores.subject = peers.host) LIMIT ?`,
		tx.Now, peers.Retired, ChoreDrop, tx.Now, ChoreDrop, sweptEnds).Scan(&due).Error
	if err != nil {
		return false, err
	}
	for _, host := range due {
		if err := chargeFor(tx, ChoreDrop, host, tx.Now); err != nil {
			return false, err
		}
	}
	var old []string // of these, what is older than it is kept
	err = tx.Raw(`SELECT host FROM peers WHERE retention > 0 AND standing = ? AND (retained_at IS NULL OR retained_at < ?)
		AND NOT EXISTS (SELECT 1 FROM chores WHERE chores.kind = ? AND chores.subject = peers.host) LIMIT ?`,
		peers.Allowed, tx.Now.Add(-24*time.Hour), ChoreDrop, sweptEnds).Scan(&old).Error
	if err != nil {
		return false, err
	}
	for _, host := range old {
		if err := tx.Exec("UPDATE peers SET retained_at = ? WHERE host = ?", tx.Now, host).Error; err != nil {
			return false, err
		}
		if err := chargeFor(tx, ChoreDrop, host, tx.Now); err != nil {
			return false, err
		}
	}
	// ties of blocked servers, and those that are there again, are not kept for ever
	err = tx.Exec(`DELETE FROM severed_ties WHERE id IN (SELECT t.id FROM severed_ties t LEFT JOIN peers p ON p.host = t.peer
		WHERE t.severed_at < ? AND (p.keep_until IS NULL OR t.restored_at IS NOT NULL) LIMIT ?)`, tx.Now.Add(-peers.KeepEnded), sweepBatch).Error
	if err != nil {
		return false, err
	}
	reviews, err := peers.DueReviews(tx, sweptEnds)
	if err != nil {
		return false, err
	}
	if expired > 0 || len(reviews) > 0 {
		if err := tellDue(tx); err != nil {
			return false, err
		}
	}
	return expired == sweptEnds || len(due) == sweptEnds || len(old) == sweptEnds || len(reviews) == sweptEnds, nil
}

// tellDue tells administrators that there are servers to look at. One such
// notification is enough: the page that it leads to says which.
func tellDue(tx *store.Tx) error {
	var admins []int64
	err := tx.Raw("SELECT account_id FROM users WHERE state = 'active' AND role IN ?", []Role{Owner, ITAdmin}).Scan(&admins).Error
	if err != nil {
		return err
	}
	for _, admin := range admins {
		if err := tx.Exec("DELETE FROM notifications WHERE account_id = ? AND kind = ? AND peer_request_id IS NULL", admin, string(NotifyPeering)).Error; err != nil {
			return err
		}
		id := tx.NewShortID()
		err := tx.Exec("INSERT INTO notifications (id, account_id, kind, from_id, created_at) VALUES (?, ?, ?, ?, ?)", id, admin, string(NotifyPeering), admin, tx.Now).Error
		if err != nil {
			return err
		}
		tx.Announce(NotificationArrived, admin)
		tx.Announce(NotificationMade, id)
		if err := queuePushes(tx, admin, id); err != nil {
			return err
		}
	}
	return nil
}
