package community

import (
	"strings"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// withdrawPiece is how many posts one transaction takes back.
const withdrawPiece = 20

// withdrawable is the condition that a post from here, a row of posts, may be
// at a server whose connection ends, and is among what is taken back: it was
// delivered or shown there, names or answers somebody there, is of somebody whom
// people there followed, went to the whole network, or was passed on with the
// conversation of another server, which does not say to whom.
func withdrawable(p peers.Peer, r reach) (string, []any) {
	var audiences []Audience
	if p.Withdraw.Has(peers.WithdrawClosed) {
		audiences = append(audiences, People, Followers, Network, Group)
	}
	if p.Withdraw.Has(peers.WithdrawPublic) {
		audiences = append(audiences, Public)
	}
	if len(audiences) == 0 {
		return "FALSE", nil
	}
	hosts, args := r.on("$")
	at := func(column string) string { return strings.ReplaceAll(hosts, "$", column) }
	all := append([]any{audiences}, args...)
	where := `posts.author_host = '' AND posts.deleted_at IS NULL AND posts.boost_of_id IS NULL AND posts.audience IN ? AND (
		EXISTS (SELECT 1 FROM deliveries d WHERE d.post_id = posts.id AND d.state IN ('delivered', 'waiting') AND ` + at("d.host") + `)
		OR EXISTS (SELECT 1 FROM fetched_posts s WHERE s.post_id = posts.id AND ` + at("s.host") + `)
		OR EXISTS (SELECT 1 FROM accounts a WHERE a.id = posts.in_reply_to_author AND a.host <> '' AND ` + at("a.host") + `)
		OR EXISTS (SELECT 1 FROM post_mentions m JOIN accounts a ON a.id = m.account_id WHERE m.post_id = posts.id AND a.host <> '' AND ` + at("a.host") + `)
		OR posts.audience IN ('public', 'followers', 'network') AND (
			EXISTS (SELECT 1 FROM severed_ties t WHERE t.local_id = posts.author_id AND t.kind = 'follower' AND t.state = 'accepted' AND ` + at("t.host") + `)
			OR EXISTS (SELECT 1 FROM follows f JOIN accounts a ON a.id = f.follower_id WHERE f.target_id = posts.author_id AND f.state = 'accepted'
				AND NOT f.follower_local AND ` + at("a.host") + `))`
	for range 5 {
		all = append(all, args...)
	}
	// a public answer is passed on by the server whose conversation it is in
	where += ` OR posts.audience = 'public' AND EXISTS (SELECT 1 FROM posts root WHERE root.id = posts.thread_id AND root.author_host <> '')`
	if p.Ceiling.Reaches(peers.CeilingNetwork) {
		where += ` OR posts.audience = 'network'`
	}
	return where + ")", all
}

// Fetched writes down that a server got posts of this one by asking for them: it
// is asked to delete them, too, should that be wanted.
func Fetched(tx *store.Tx, host string, posts []int64) error {
	return tx.Exec("INSERT INTO fetched_posts (post_id, host) SELECT id, ? FROM posts WHERE id IN ? ON CONFLICT DO NOTHING", host, posts).Error
}

// WithdrawMore returns the next posts from here that a server, whose connection
// has ended, is asked to delete, and how far the chore is when it has been. It
// reports whether there are any.
func WithdrawMore(tx *store.Tx, c Chore) (told []Farewell, then Chore, left bool, err error) {
	p, err := peers.Get(tx, c.Subject)
	if fault.Is(err, fault.NotFound) || err == nil && (!severs(p.Standing) || p.Withdraw == 0) {
		return nil, c, false, nil // it was taken back
	}
	if err != nil {
		return nil, c, false, err
	}
	var inbox string
	err = tx.Raw(`SELECT inbox FROM (SELECT shared_inbox AS inbox, 0 AS place FROM hosts WHERE host = ? AND shared_inbox <> ''
		UNION ALL SELECT CASE WHEN shared_inbox <> '' THEN shared_inbox ELSE inbox END, 1 FROM accounts WHERE host = ? AND inbox <> '' AND deleted_at IS NULL) found
		ORDER BY place LIMIT 1`, p.Host, p.Host).Scan(&inbox).Error
	if err != nil || inbox == "" {
		return nil, c, false, err
	}
	r, err := reachOf(tx, p)
	if err != nil {
		return nil, c, false, err
	}
	where, args := withdrawable(p, r)
	if c.Total == 0 {
		if err := tx.Raw("SELECT COUNT(*) FROM posts WHERE "+where, args...).Scan(&c.Total).Error; err != nil {
			return nil, c, false, err
		}
	}
	var posts []Post
	if err := tx.Where("posts.id > ?", c.AtPost).Where(where, args...).Order("posts.id").Limit(withdrawPiece).Find(&posts).Error; err != nil {
		return nil, c, false, err
	}
	for _, post := range posts {
		o := Outgoing{ID: tx.NewID(), Verb: VerbDelete, ActorID: post.AuthorID, PostID: &post.ID, ObjectURI: post.IRI(tx.Site), Audience: post.Audience, CreatedAt: tx.Now}
		told = append(told, Farewell{Host: p.Host, Inbox: inbox, Outgoing: o})
		c.AtPost = post.ID
		c.Done++
	}
	return told, c, len(posts) > 0, nil
}

// Withdrawn writes down that posts are taken back.
func Withdrawn(tx *store.Tx, c Chore) error { return reached(tx, c) }
