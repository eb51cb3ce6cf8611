package community

import "github.com/chalkring/chalkring/internal/store"

// mostQuoters bounds who is told of one edit.
const mostQuoters = 100

// notifyQuoters tells those here who quote a post that it says something else
// now. What they are shown is their own post.
func notifyQuoters(tx *store.Tx, p Post) error {
	var quoting []struct{ ID, AuthorID int64 }
	err := tx.Raw("SELECT id, author_id FROM posts WHERE quote_id = ? AND quote_state = 'accepted' AND deleted_at IS NULL AND author_host = '' AND author_id <> ? LIMIT ?",
		p.ID, p.AuthorID, mostQuoters).Scan(&quoting).Error
	if err != nil {
		return err
	}
	for _, q := range quoting {
		if err := notify(tx, q.AuthorID, NotifyQuotedEdit, p.AuthorID, q.ID); err != nil {
			return err
		}
	}
	return nil
}
