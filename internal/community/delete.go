package community

import (
	"cmp"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// Delete empties a post, for its author or a moderator: what it said goes at
// once, here and from what waits to be delivered, and everyone it was ever
// delivered to is told. A moderator's deletion of another server's post is for
// this server only. Deleting a boost is UnboostPost.
func Delete(tx *store.Tx, by Account, id int64) error { return deletePost(tx, by, id, false) }

// Redraft is Delete for an author who may write the post anew: its pictures wait
// for another post for a while.
func Redraft(tx *store.Tx, by Account, id int64) error { return deletePost(tx, by, id, true) }

func deletePost(tx *store.Tx, by Account, id int64, redraft bool) error {
	p, err := PostByID(tx, id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err != nil || p.DeletedAt != nil {
		return noSuchPost()
	}
	if p.AuthorID != by.ID {
		v, err := ViewerOf(tx, by.ID)
		if err != nil {
			return err
		}
		if _, err := VisiblePost(tx, id, v); err != nil {
			return err
		}
		role, err := roleOf(tx, by.ID)
		if err != nil {
			return err
		}
		if !role.MayModerate() {
			return fault.Keyed(fault.Forbidden, "post.delete_forbidden", "Only its author or a moderator can delete a post.", nil)
		}
	}
	if redraft && p.AuthorID == by.ID {
		if err := media.Loosen(tx, p.ID); err != nil {
			return err
		}
	}
	return takeDown(tx, p)
}

// takeDown empties a post and tells everyone who has it, if it is of this server.
func takeDown(tx *store.Tx, p Post) (err error) {
	if p.Kind == Boost && p.Local() && p.BoostOfID != nil {
		return dropBoost(tx, p)
	}
	var told []Target
	if p.Local() && p.Audience.Travels() {
		if told, err = toldOf(tx, p); err != nil {
			return err
		}
	}
	if err := wipe(tx, p); err != nil {
		return err
	}
	if !p.Local() || !p.Audience.Travels() {
		return nil
	}
	return enqueue(tx, Outgoing{Verb: VerbDelete, ActorID: p.AuthorID, PostID: &p.ID, ObjectURI: p.IRI(tx.Site), Audience: p.Audience,
		Facts: Facts{Inboxes: told}})
}

// toldOf lists the inboxes that must hear of a post's end: all that it was
// sent to, whatever the tables say now, those of servers that fetched it, and all
// that it would be sent to.
func toldOf(tx *store.Tx, p Post) ([]Target, error) {
	var told []Target
	err := tx.Raw("SELECT DISTINCT host, inbox FROM deliveries WHERE post_id = ? AND state <> 'withheld'", p.ID).Scan(&told).Error
	if err != nil {
		return nil, err
	}
	var fetched []Target
	if err := tx.Raw(fetchedBy, p.ID).Scan(&fetched).Error; err != nil {
		return nil, err
	}
	now, err := InboxesFor(tx, Outgoing{Verb: VerbCreate, ActorID: p.AuthorID, PostID: &p.ID, Audience: p.Audience})
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(told))
	for _, t := range told {
		seen[t.Inbox] = true
	}
	for _, t := range append(fetched, now...) {
		if t.Withheld == "" && t.Inbox != "" && !seen[t.Inbox] {
			seen[t.Inbox] = true
			told = append(told, t)
		}
	}
	return told, nil
}

// wipe empties the row and takes out of the tables what hangs on it. The row
// itself stays, so that its address answers 410 and replies keep their place.
func wipe(tx *store.Tx, p Post) error {
	boosts := "SELECT id FROM posts WHERE boost_of_id = ? AND deleted_at IS NULL"
	steps := []struct {
		sql  string
		args []any
	}{
		{"DELETE FROM home_entries WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM list_entries WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM filter_posts WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM notifications WHERE post_id = ?", []any{p.ID}},
		{`INSERT INTO departed (post_id, account_id, deleted_at) SELECT m.post_id, m.account_id, ? FROM post_mentions m
			JOIN users ON users.account_id = m.account_id WHERE m.post_id = ? ON CONFLICT DO NOTHING`, []any{tx.Now, p.ID}}, // Departed asks
		{"DELETE FROM post_mentions WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM post_tags WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM post_revisions WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM attachments WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM likes WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM bookmarks WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM poll_votes WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM poll_options WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM polls WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM pins WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM ghosts WHERE post_id = ?", []any{p.ID}},
		{"DELETE FROM quote_approvals WHERE post_id = ?", []any{p.ID}},
		{"UPDATE posts SET quote_id = NULL, quote_state = '', quote_authorization = '' WHERE id = ?", []any{p.ID}},
		{"DELETE FROM home_entries WHERE post_id IN (" + boosts + ")", []any{p.ID}},
		{"DELETE FROM list_entries WHERE post_id IN (" + boosts + ")", []any{p.ID}},
		{"DELETE FROM notifications WHERE post_id IN (" + boosts + ")", []any{p.ID}},
		{"UPDATE posts SET deleted_at = ? WHERE boost_of_id = ? AND deleted_at IS NULL", []any{tx.Now, p.ID}},
		{"UPDATE posts SET accepted_answer_id = NULL WHERE id = ? AND accepted_answer_id = ?", []any{p.ThreadID, p.ID}},
		{`UPDATE posts SET title = '', teaser = '', warning = '', sensitive = FALSE, source = '', sections = '', html = '', extra = '', quote_uri = '', language = '',
			subject = '', level = '', licence = '', contributors = '', url = '', listed = FALSE, accepted_answer_id = NULL,
			replies_count = 0, likes_count = 0, boosts_count = 0, uses_count = 0, media_count = 0, deleted_at = ? WHERE id = ?`, []any{tx.Now, p.ID}},
	}
	if p.Local() { // what has not left yet need not leave
		steps = append(steps, []struct {
			sql  string
			args []any
		}{
			{"DELETE FROM outgoing WHERE post_id = ? AND state = 'waiting' AND verb IN ('Create', 'Update', 'Announce')", []any{p.ID}},
			{"UPDATE outgoing SET body = NULL WHERE post_id = ?", []any{p.ID}},
			{"UPDATE deliveries SET state = 'expired', reason = 'delivery.deleted', done_at = ? WHERE post_id = ? AND state = 'waiting'", []any{tx.Now, p.ID}},
		}...)
	}
	for _, s := range steps {
		if err := tx.Exec(s.sql, s.args...).Error; err != nil {
			return err
		}
	}
	if err := cmp.Or(unforward(tx, p), uncount(tx, p), deconverse(tx, p)); err != nil {
		return err
	}
	tx.Announce(PostDeleted, p.ID)
	return nil
}

// uncount takes the post out of the figures of its author, its parent and what it passed on.
func uncount(tx *store.Tx, p Post) error {
	var parent *Post
	if p.InReplyToID != nil {
		above, err := PostByID(tx, *p.InReplyToID)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if err == nil && above.DeletedAt == nil {
			parent = &above
		}
	}
	if err := uncountPost(tx, p, parent); err != nil {
		return err
	}
	if p.QuoteID != nil {
		if err := countQuotes(tx, *p.QuoteID); err != nil {
			return err
		}
	}
	if p.BoostOfID == nil {
		return nil
	}
	tx.Announce(PostReacted, *p.BoostOfID)
	return tx.Exec("UPDATE posts SET boosts_count = boosts_count - 1 WHERE id = ? AND boosts_count > 0", *p.BoostOfID).Error
}

// ReceiveDelete takes out a post of another server, for its author. A post that
// is not known leaves a tombstone of the author's, so that its Create, should
// it come later from the same author, is not taken. It reports whether a post
// was taken out.
//
// W3C ActivityPub, section 7.4; FEP-fe34.
func ReceiveDelete(tx *store.Tx, by Account, uri string) (bool, error) {
	origin, err := iri.HostOf(uri)
	if err != nil || by.Local() || origin != by.Host || tx.Site.Local(uri) {
		return false, fault.New(fault.Forbidden, "Only the server that a post came from may delete it.")
	}
	p, err := PostByURI(tx, uri)
	switch {
	case fault.Is(err, fault.NotFound):
		return false, tx.Exec("INSERT INTO tombstones (uri, account_id, deleted_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", uri, by.ID, tx.Now).Error
	case err != nil:
		return false, err
	case p.AuthorID != by.ID:
		return false, fault.New(fault.Forbidden, "Only its author may delete a post.")
	case p.DeletedAt != nil:
		return false, nil
	}
	return true, wipe(tx, p)
}
