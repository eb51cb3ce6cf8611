package community

import (
	"strings"

	"github.com/chalkring/chalkring/internal/store"
)

// FindPeople finds people whose name or display name begins as typed, among
// those here and those whom me follows, and returns their IDs. Whoever does
// not want to be discovered is found by their followers and their whole handle
// only. With following set, only those are found whom me follows.
func FindPeople(tx *store.Tx, me int64, typed string, following bool, limit, offset int) ([]int64, error) {
	typed = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(typed), "@"))
	if typed == "" {
		return nil, nil
	}
	begins := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(typed) + "%"
	var ids []int64
	err := tx.Raw(`SELECT id FROM accounts WHERE suspended_at IS NULL AND deleted_at IS NULL AND actor_type = 'Person'
			AND (host = '' AND discoverable AND ? OR id = ? AND ? OR id IN (SELECT target_id FROM follows WHERE follower_id = ? AND state = 'accepted'))
			AND (LOWER(username) LIKE ? ESCAPE '\' OR LOWER(display_name) LIKE ? ESCAPE '\')
			AND NOT EXISTS (SELECT 1 FROM blocks WHERE account_id = accounts.id AND target_id = ?)
			AND (host = '' OR NOT EXISTS (SELECT 1 FROM host_blocks WHERE host_blocks.account_id = ? AND host_blocks.host = accounts.host))
		ORDER BY username, id LIMIT ? OFFSET ?`, !following, me, !following, me, begins, begins, me, me, min(limit, store.MaxLimit), offset).Scan(&ids).Error
	return ids, err
}

// mostTagsFound is how many hashtags that begin as typed are looked at.
const mostTagsFound = 200

// FindTags finds hashtags that begin as typed and stand in a post that v may
// see, and returns their keys.
func FindTags(tx *store.Tx, v Viewer, typed string, limit, offset int) ([]string, error) {
	visible, args := visibleSQL("posts", v)
	begins := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(typed) + "%"
	var keys []string
	err := tx.Raw(`SELECT begun.tag FROM (SELECT DISTINCT tag FROM post_tags WHERE tag >= ? AND tag < ? AND tag LIKE ? ESCAPE '\' ORDER BY tag LIMIT ?) AS begun
		WHERE EXISTS (SELECT 1 FROM post_tags JOIN posts ON posts.id = post_tags.post_id WHERE post_tags.tag = begun.tag AND `+sharedSQL(visible)+`)
		ORDER BY begun.tag LIMIT ? OFFSET ?`,
		append(append([]any{typed, typed + "\uFFFF", begins, mostTagsFound}, args...), min(limit, store.MaxLimit), offset)...).Scan(&keys).Error
	return keys, err
}
