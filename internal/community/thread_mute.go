package community

import "github.com/chalkring/chalkring/internal/store"

// MuteThread tells me of nothing more that happens in the thread of a post that
// me may see. The posts stay where they are.
func MuteThread(tx *store.Tx, me Account, post int64) (Post, error) {
	p, err := original(tx, post, me)
	if err != nil {
		return Post{}, err
	}
	return p, tx.Exec("INSERT INTO thread_mutes (account_id, thread_id, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", me.ID, p.ThreadID, tx.Now).Error
}

// UnmuteThread has me told of the thread again.
func UnmuteThread(tx *store.Tx, me Account, post int64) (Post, error) {
	p, err := original(tx, post, me)
	if err != nil {
		return Post{}, err
	}
	return p, tx.Exec("DELETE FROM thread_mutes WHERE account_id = ? AND thread_id = ?", me.ID, p.ThreadID).Error
}

// unlessThreadMuted is the condition that whoever is to be told (@to) has not
// muted the thread of the post that it is about.
const unlessThreadMuted = ` AND NOT EXISTS (SELECT 1 FROM posts about JOIN thread_mutes ON thread_mutes.thread_id = about.thread_id
	WHERE about.id = @post AND thread_mutes.account_id = @to)`
