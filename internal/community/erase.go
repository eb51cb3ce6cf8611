package community

import (
	"database/sql"
	"fmt"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// erasedAtOnce is how many posts go with the account itself; the others
	// follow piece by piece.
	erasedAtOnce = 20
	// erasePiece is how many posts, likes or follows one transaction takes out.
	erasePiece = 100
	// keepKey bounds how long the key of an account that is gone is kept for
	// deletions that could not be delivered.
	keepKey = 90 * 24 * time.Hour
)

// DeleteRemote does what another server says it has done: its account is gone,
// with all it wrote, liked and followed. Nothing of it is shown from then on;
// what there is much of is taken out piece by piece. The row stays, empty, so
// that the name is not taken for a new person's.
func DeleteRemote(tx *store.Tx, a Account) error {
	if a.Local() {
		return fmt.Errorf("delete remote account %d: it is local", a.ID)
	}
	if a.DeletedAt != nil {
		return nil
	}
	if err := vacate(tx, a.ID); err != nil {
		return err
	}
	if err := tx.Exec("DELETE FROM account_keys WHERE account_id = ?", a.ID).Error; err != nil {
		return err
	}
	return eraseOrCharge(tx, a.ID)
}

// DeleteAccount deletes an account of this server with everything in it, for
// the person themselves, for an administrator, or with by 0 for the command
// line. Every server that was ever sent anything is told, in the account's own
// name: its key is kept until they have heard. The user name is not given out
// again.
//
// W3C ActivityPub, sections 6.4 and 7.4.
func DeleteAccount(tx *store.Tx, by, id int64, reason string) error {
	p, err := PersonByID(tx, id)
	if err != nil {
		return err
	}
	if p.User.State == Pending {
		return fault.Keyed(fault.Conflict, "erase.pending", "This person has only asked for an account. Decline the request instead.", nil)
	}
	if by != id {
		if err := mayGive(tx, by, p.User.Role); err != nil {
			return err
		}
	}
	if err := guardLastOwner(tx, id); err != nil {
		return err
	}
	var told []Target
	err = tx.Raw(`SELECT DISTINCT d.host, d.inbox FROM outgoing o JOIN deliveries d ON d.outgoing_id = o.id
		WHERE o.actor_id = ? AND d.state <> 'withheld' ORDER BY d.host`, id).Scan(&told).Error
	if err != nil {
		return err
	}
	goodbye := Outgoing{Verb: VerbDeleteActor, ActorID: id, Audience: Public, Facts: Facts{Inboxes: told}}
	if goodbye.Facts.Inboxes, err = InboxesFor(tx, goodbye); err != nil {
		return err
	}
	// Its user first, as what else changes both does: each takes its tokens along.
	if err := tx.Exec("SELECT 1 FROM users WHERE account_id = ?"+tx.ForUpdate(), id).Error; err != nil {
		return err
	}
	if err := vacate(tx, id); err != nil {
		return err
	}
	for _, step := range []string{
		"DELETE FROM sessions WHERE account_id = @id",
		"DELETE FROM oauth_codes WHERE account_id = @id",
		"DELETE FROM oauth_tokens WHERE account_id = @id",
		"DELETE FROM users WHERE account_id = @id",
		// what has not left need not leave, and what was said is forgotten
		`UPDATE deliveries SET state = 'expired', reason = 'delivery.deleted', done_at = @now WHERE state = 'waiting' AND outgoing_id IN
			(SELECT id FROM outgoing WHERE actor_id = @id AND verb <> 'Delete')`,
		"DELETE FROM outgoing WHERE actor_id = @id AND state = 'waiting' AND verb <> 'Delete'",
		"UPDATE outgoing SET body = NULL WHERE actor_id = @id AND state = 'spread' AND verb <> 'Delete'",
	} {
		if err := tx.Exec(step, sql.Named("id", id), sql.Named("now", tx.Now)).Error; err != nil {
			return err
		}
	}
	if err := enqueue(tx, goodbye); err != nil {
		return err
	}
	if err := eraseOrCharge(tx, id); err != nil {
		return err
	}
	if err := charge(tx, ChoreErase, id, ""); err != nil { // the key is still there
		return err
	}
	return record(tx, by, "person.delete", p.Handle(tx.Site.Host), "", "", reason)
}

// vacate empties an account's row; nothing of the account is shown any more.
func vacate(tx *store.Tx, id int64) error {
	tx.Announce(AccountChanged, id)
	return tx.Exec(`UPDATE accounts SET display_name = '', bio_source = '', bio_html = '', fields = '[]', emoji = '', avatar = '', header = '', avatar_alt = '', header_alt = '',
		attribution_domains = '[]',
		also_known_as = '[]', moved_to = '', featured_uri = '', discoverable = ?, indexable = ?, deleted_at = ?, updated_at = ? WHERE id = ?`,
		false, false, tx.Now, tx.Now, id).Error
}

func eraseOrCharge(tx *store.Tx, id int64) error {
	left, err := erase(tx, id, erasedAtOnce, tx.Now)
	if err != nil || !left {
		return err
	}
	return charge(tx, ChoreErase, id, "")
}

// EraseMore goes on with taking out what an account that is gone has left. It
// reports whether there is more to do now. The key of an account of ours goes
// when nothing waits any more that it has to sign; until then the chore is put
// off, and after that it ends.
func EraseMore(tx *store.Tx, c Chore) (more bool, err error) {
	a, err := AccountByID(tx, *c.AccountID)
	if err != nil {
		return false, err
	}
	more, err = erase(tx, a.ID, erasePiece, c.CreatedAt)
	if err != nil || more {
		return more, err
	}
	if a.Local() {
		var waits bool
		err := tx.Raw(`SELECT EXISTS (SELECT 1 FROM outgoing o WHERE o.actor_id = ? AND (o.state = 'waiting'
			OR EXISTS (SELECT 1 FROM deliveries d WHERE d.outgoing_id = o.id AND d.state = 'waiting')))`, a.ID).Scan(&waits).Error
		if err != nil {
			return false, err
		}
		if waits && tx.Now.Sub(c.CreatedAt) < keepKey {
			return false, PutOff(tx, c, tx.Now.Add(time.Hour), false)
		}
		if err := tx.Exec("DELETE FROM account_keys WHERE account_id = ?", a.ID).Error; err != nil {
			return false, err
		}
	}
	return false, EndChore(tx, c)
}

// erase takes out up to most posts of an account that is gone; when none is
// left, up to most of its likes and follows; and when none of these is left
// either, what else hangs on it. Only what was there at gone counts: an account
// that its server brings back begins anew. It reports whether something is left.
func erase(tx *store.Tx, id int64, most int, gone time.Time) (left bool, err error) {
	before := store.FirstIDAt(gone.Add(time.Second))
	var posts []Post
	err = tx.Where("author_id = ? AND deleted_at IS NULL AND id < ?", id, before).
		Order("id DESC").Limit(most + 1).Find(&posts).Error
	if err != nil {
		return false, err
	}
	for _, p := range posts[:min(most, len(posts))] {
		if err := wipe(tx, p); err != nil {
			return false, err
		}
	}
	if len(posts) > most {
		return true, nil
	}
	for _, some := range []func(*store.Tx, int64, int64, int) (bool, error){eraseLikes, eraseFollows} {
		if left, err := some(tx, id, before, most); err != nil || left {
			return left, err
		}
	}
	return false, eraseRest(tx, id)
}

func eraseLikes(tx *store.Tx, id, before int64, most int) (left bool, err error) {
	var liked []int64
	if err := tx.Raw("SELECT post_id FROM likes WHERE account_id = ? AND id < ? LIMIT ?", id, before, most+1).Scan(&liked).Error; err != nil || len(liked) == 0 {
		return false, err
	}
	some := liked[:min(most, len(liked))]
	if err := tx.Exec("UPDATE posts SET likes_count = likes_count - 1 WHERE likes_count > 0 AND id IN ?", some).Error; err != nil {
		return false, err
	}
	for _, post := range some {
		tx.Announce(PostReacted, post)
	}
	return len(liked) > most, tx.Exec("DELETE FROM likes WHERE account_id = ? AND post_id IN ?", id, some).Error
}

func eraseFollows(tx *store.Tx, id, before int64, most int) (left bool, err error) {
	var rows []FollowRow
	err = tx.Raw(`SELECT * FROM (SELECT * FROM follows WHERE follower_id = ? AND id < ? LIMIT ?) a
		UNION ALL SELECT * FROM (SELECT * FROM follows WHERE target_id = ? AND id < ? LIMIT ?) b`, id, before, most+1, id, before, most+1).Scan(&rows).Error
	if err != nil {
		return false, err
	}
	for _, f := range rows[:min(most, len(rows))] {
		if err := end(tx, f); err != nil {
			return false, err
		}
	}
	return len(rows) > most, nil
}

// eraseRest takes out what nobody has thousands of. The figures of a poll that
// is over stay: they were counted, and say nothing of who voted.
func eraseRest(tx *store.Tx, id int64) error {
	const open = `post_id IN (SELECT v.post_id FROM poll_votes v JOIN posts p ON p.id = v.post_id JOIN polls o ON o.post_id = v.post_id
		WHERE v.account_id = @id AND p.uri IS NULL AND o.closed_at IS NULL)`
	for _, step := range []string{
		`UPDATE poll_options SET votes = votes - 1 WHERE votes > 0 AND ` + open + ` AND EXISTS (SELECT 1 FROM poll_votes v
			WHERE v.account_id = @id AND v.post_id = poll_options.post_id AND v.position = poll_options.position)`,
		`UPDATE polls SET voters = voters - 1 WHERE voters > 0 AND ` + open,
		`DELETE FROM poll_votes WHERE account_id = @id`,
		`DELETE FROM blocks WHERE account_id = @id OR target_id = @id`,
		`DELETE FROM mutes WHERE account_id = @id OR target_id = @id`,
		`DELETE FROM notifications WHERE from_id = @id OR account_id = @id`,
		`DELETE FROM notification_requests WHERE from_id = @id OR account_id = @id`,
		`DELETE FROM notification_permissions WHERE from_id = @id OR account_id = @id`,
		`DELETE FROM notification_policies WHERE account_id = @id`,
		`DELETE FROM host_blocks WHERE account_id = @id`,
		`DELETE FROM account_notes WHERE account_id = @id OR target_id = @id`,
		`DELETE FROM endorsements WHERE account_id = @id OR target_id = @id`,
		`DELETE FROM suggestions_refused WHERE account_id = @id OR target_id = @id`,
		`DELETE FROM announcement_reads WHERE account_id = @id`,
		`DELETE FROM announcement_reactions WHERE account_id = @id`,
		`UPDATE announcements SET author_id = NULL WHERE author_id = @id`,
		`DELETE FROM bookmarks WHERE account_id = @id`,
		`DELETE FROM home_entries WHERE account_id = @id`,
		`DELETE FROM pins WHERE account_id = @id`,
		`DELETE FROM thread_mutes WHERE account_id = @id`,
		`DELETE FROM conversations WHERE account_id = @id`,
		`DELETE FROM scheduled_posts WHERE account_id = @id`,
		`DELETE FROM featured_tags WHERE account_id = @id`,
		`DELETE FROM lists WHERE account_id = @id`,
		`DELETE FROM list_members WHERE target_id = @id`,
		`DELETE FROM tag_follows WHERE account_id = @id`,
		`DELETE FROM filters WHERE account_id = @id`,
		`DELETE FROM markers WHERE account_id = @id`,
		`DELETE FROM quote_approvals WHERE account_id = @id`,
		`DELETE FROM attachments WHERE account_id = @id`,
		`DELETE FROM chores WHERE account_id = @id AND kind = 'move'`,
		`DELETE FROM severed_ties WHERE local_id = @id OR remote_id = @id`,
		`UPDATE account_counts SET posts = 0, followers = 0, following = 0, last_post_at = NULL WHERE account_id = @id`,
	} {
		if err := tx.Exec(step, sql.Named("id", id)).Error; err != nil {
			return err
		}
	}
	return nil
}
