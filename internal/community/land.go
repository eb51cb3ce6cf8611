package community

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// landing is a post on its way into the tables, with what comes along.
type landing struct {
	post     Post
	author   Account
	parent   *Post // what it answers, where known
	boosted  *Post // what it passes on
	mentions []int64
	tags     []Tag
	media    []media.Attachment // of other servers' posts
}

// land stores a post, ours or another server's, and everything that follows
// from it in this community. It reports whether the post is new: another
// server's post that is known, or that was deleted before it came, is not.
//
// This is the path that every delivery takes, so it asks for as few
// statements as it can: a post that names nobody costs four.
func land(tx *store.Tx, l landing) (Post, bool, error) {
	p := &l.post
	p.ThreadID = p.ID
	if l.parent != nil {
		p.ThreadID, p.InReplyToID, p.InReplyToAuthor = l.parent.ThreadID, &l.parent.ID, &l.parent.AuthorID
		if p.ContextURI == "" {
			p.ContextURI = l.parent.ContextURI
		}
		if p.InReplyToURI == "" {
			p.InReplyToURI = l.parent.IRI(tx.Site)
		}
	}
	p.Listed = p.lists()
	fresh, err := insertPost(tx, *p)
	if err != nil || !fresh {
		return *p, false, err
	}
	if err := nameAll(tx, p.ID, l.mentions, l.tags); err != nil {
		return *p, true, err
	}
	if err := attachRemote(tx, *p, l.media); err != nil {
		return *p, true, err
	}
	if l.parent != nil && l.parent.DeletedAt != nil {
		l.parent = nil // it keeps its place, and nobody counts or hears for it
	}
	if err := countPost(tx, *p, l.parent, 1); err != nil {
		return *p, true, err
	}
	if err := bringHome(tx, *p); err != nil {
		return *p, true, err
	}
	if err := notifyOfPost(tx, l); err != nil {
		return *p, true, err
	}
	if p.URI != nil && p.Kind != Boost {
		if err := adoptOrphans(tx, p); err != nil {
			return *p, true, err
		}
	}
	tx.Announce(PostLanded, p.ID)
	return *p, true, nil
}

const insertPostSQL = `INSERT INTO posts (id, author_id, author_host, uri, url, kind, audience, unlisted, listed, group_id,
	title, teaser, warning, sensitive, source, sections, html, language, subject, level, licence, contributors,
	thread_id, in_reply_to_id, in_reply_to_uri, in_reply_to_author, boost_of_id, accepted_answer_id, context_uri,
	media_count, created_at, edited_at)
SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
WHERE NOT EXISTS (SELECT 1 FROM tombstones WHERE uri = ?)
ON CONFLICT (uri) WHERE uri IS NOT NULL DO NOTHING`

// insertPost writes the row unless its URI is known or was deleted.
func insertPost(tx *store.Tx, p Post) (bool, error) {
	sections, err := jsonText(p.Sections, p.Sections == nil)
	if err != nil {
		return false, err
	}
	contributors, err := jsonText(p.Contributors, len(p.Contributors) == 0)
	if err != nil {
		return false, err
	}
	uri := ""
	if p.URI != nil {
		uri = *p.URI
	}
	res := tx.Exec(insertPostSQL, p.ID, p.AuthorID, p.AuthorHost, p.URI, p.URL, string(p.Kind), string(p.Audience), p.Unlisted, p.Listed, p.GroupID,
		p.Title, p.Teaser, p.Warning, p.Sensitive, p.Source, sections, p.HTML, p.Language, p.Subject, p.Level, p.Licence, contributors,
		p.ThreadID, p.InReplyToID, p.InReplyToURI, p.InReplyToAuthor, p.BoostOfID, p.AcceptedAnswerID, p.ContextURI,
		p.MediaCount, p.CreatedAt, p.EditedAt, uri)
	return res.RowsAffected == 1, res.Error
}

// jsonText is a value as its TEXT column holds it; nothing is the empty text.
func jsonText(v any, none bool) (string, error) {
	if none {
		return "", nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// nameAll stores whom and what a post names.
func nameAll(tx *store.Tx, post int64, mentions []int64, tags []Tag) error {
	if len(mentions) > 0 {
		err := tx.Exec("INSERT INTO post_mentions (post_id, account_id) SELECT ?, id FROM accounts WHERE id IN ? ON CONFLICT DO NOTHING",
			post, mentions).Error
		if err != nil {
			return err
		}
	}
	if len(tags) == 0 {
		return nil
	}
	values := make([]any, 0, 3*len(tags))
	for _, t := range tags {
		values = append(values, t.Tag, post, t.Name)
	}
	rows := strings.TrimSuffix(strings.Repeat("(?, ?, ?), ", len(tags)), ", ")
	return tx.Exec("INSERT INTO post_tags (tag, post_id, name) VALUES "+rows+" ON CONFLICT DO NOTHING", values...).Error
}

// countPost adds the post to the figures of its author and its parent, or with
// by = -1 takes it out again. A reply counts for its parent if whoever sees the
// parent may see it: a count must not tell of a conversation apart.
func countPost(tx *store.Tx, p Post, parent *Post, by int) error {
	if p.counts() {
		var err error
		if by > 0 {
			err = tx.Exec(`INSERT INTO account_counts (account_id, posts, last_post_at) VALUES (?, 1, ?)
				ON CONFLICT (account_id) DO UPDATE SET posts = account_counts.posts + 1,
				last_post_at = CASE WHEN account_counts.last_post_at > excluded.last_post_at
					THEN account_counts.last_post_at ELSE excluded.last_post_at END`, p.AuthorID, p.CreatedAt).Error
		} else {
			err = tx.Exec("UPDATE account_counts SET posts = posts - 1 WHERE account_id = ? AND posts > 0", p.AuthorID).Error
		}
		if err != nil {
			return err
		}
	}
	if parent == nil || !parent.Audience.Within(p.Audience) {
		return nil
	}
	uses := 0
	if p.Kind == Acknowledgement {
		uses = by
	}
	return tx.Exec("UPDATE posts SET replies_count = replies_count + ?, uses_count = uses_count + ? WHERE id = ?", by, uses, parent.ID).Error
}

// bringHome puts the post into the home lists of its local readers: the
// author's own, and those of the author's followers here. Of a reply only
// those who follow (or are) the answered author hear; of a post for chosen
// people only those who are named.
func bringHome(tx *store.Tx, p Post) error {
	if p.Local() {
		if err := tx.Exec("INSERT INTO home_entries (account_id, post_id) VALUES (?, ?) ON CONFLICT DO NOTHING", p.AuthorID, p.ID).Error; err != nil {
			return err
		}
	}
	if p.Audience == Me || p.InReplyToURI != "" && p.InReplyToAuthor == nil {
		return nil
	}
	sql := `INSERT INTO home_entries (account_id, post_id)
		SELECT f.follower_id, ? FROM follows f WHERE f.target_id = ? AND f.state = 'accepted' AND f.follower_local = TRUE`
	args := []any{p.ID, p.AuthorID}
	if p.InReplyToAuthor != nil && *p.InReplyToAuthor != p.AuthorID {
		sql += ` AND (f.follower_id = ? OR EXISTS (SELECT 1 FROM follows g
			WHERE g.follower_id = f.follower_id AND g.target_id = ? AND g.state = 'accepted'))`
		args = append(args, *p.InReplyToAuthor, *p.InReplyToAuthor)
	}
	if p.Audience == People {
		sql += " AND EXISTS (SELECT 1 FROM post_mentions m WHERE m.post_id = ? AND m.account_id = f.follower_id)"
		args = append(args, p.ID)
	}
	return tx.Exec(sql+" ON CONFLICT DO NOTHING", args...).Error
}

// notifyOfPost tells the answered author, and those who are named, here.
func notifyOfPost(tx *store.Tx, l landing) error {
	p := l.post
	if p.Audience == Me {
		return nil
	}
	tell := func(to int64, kind NotificationKind) error {
		if to == p.AuthorID {
			return nil
		}
		return notify(tx, to, kind, p.AuthorID, p.ID)
	}
	switch {
	case l.boosted != nil && l.boosted.Local():
		return notify(tx, l.boosted.AuthorID, NotifyBoost, p.AuthorID, l.boosted.ID)
	case l.parent != nil && l.parent.Local() && (p.Audience != People || slices.Contains(l.mentions, l.parent.AuthorID)):
		kind := NotifyReply
		if p.Kind == Acknowledgement {
			kind = NotifyAcknowledgement
		}
		if err := tell(l.parent.AuthorID, kind); err != nil {
			return err
		}
	}
	for _, id := range l.mentions {
		if l.parent != nil && l.parent.Local() && id == l.parent.AuthorID {
			continue
		}
		if err := tell(id, NotifyMention); err != nil {
			return err
		}
	}
	return nil
}

// adoptOrphans hangs replies that came before the post they answer under it,
// with all that hangs on them. What would make the thread bite its own tail
// stays an orphan.
func adoptOrphans(tx *store.Tx, p *Post) error {
	res := tx.Exec(`UPDATE posts SET in_reply_to_id = ?, in_reply_to_author = ?
		WHERE in_reply_to_uri = ? AND in_reply_to_uri <> '' AND in_reply_to_id IS NULL AND id <> ? AND id <> ?`,
		p.ID, p.AuthorID, *p.URI, p.ID, p.ThreadID)
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error
	}
	err := tx.Exec("UPDATE posts SET thread_id = ? WHERE thread_id IN (SELECT id FROM posts WHERE in_reply_to_id = ?)", p.ThreadID, p.ID).Error
	if err != nil {
		return err
	}
	var adopted []Post
	if err := tx.Select("id", "kind", "audience").Where("in_reply_to_id = ? AND deleted_at IS NULL", p.ID).Find(&adopted).Error; err != nil {
		return err
	}
	for _, child := range adopted {
		if !p.Audience.Within(child.Audience) {
			continue
		}
		p.RepliesCount++
		if child.Kind == Acknowledgement {
			p.UsesCount++
		}
	}
	return tx.Exec("UPDATE posts SET replies_count = ?, uses_count = ? WHERE id = ?", p.RepliesCount, p.UsesCount, p.ID).Error
}
