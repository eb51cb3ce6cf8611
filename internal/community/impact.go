package community

import (
	"strconv"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// impactThreads is how far back conversations count that an end cuts.
const impactThreads = 30 * 24 * time.Hour

// Impact is what the end of a connection changes, counted before it is decided.
type Impact struct {
	Host       string
	People     int // here, with ties of any kind that end: each is told
	Following  int // follows of somebody there
	Followers  int // follows of somebody here, from there
	Requests   int // follows either way that wait for an answer
	Groups     int // memberships in groups there
	Threads    int // conversations of the last 30 days between people here and there
	Quotes     int // posts here that quote one from there
	Posts      int // from there, here; what they passed on is none
	Used       int // of these, used by somebody here: a retirement keeps them for a while
	Waiting    int // messages for it that have not gone out
	OursClosed int // posts from here that it may have, for the network, followers, groups or people: as many as it is asked to delete
	OursPublic int // and public ones
	Blocked    bool
}

// Unused is how many posts a retirement drops at once.
func (i Impact) Unused() int { return i.Posts - i.Used }

// ImpactOf counts what the end of the connection with a server changes; as a
// block, with what lies below its name.
func ImpactOf(tx *store.Tx, host string, block bool) (Impact, error) {
	p, r, err := endingOf(tx, host, block)
	if err != nil {
		return Impact{}, err
	}
	i := Impact{Host: p.Host, Blocked: block}
	of, args := r.on("a.host")
	twice := append(append([]any{}, args...), args...)
	of = "a.host <> '' AND " + of
	closed, public := p, p
	closed.Withdraw, public.Withdraw = peers.WithdrawClosed, peers.WithdrawPublic
	if severs(p.Standing) { // it was asked already
		closed.Withdraw &^= p.Withdraw
		public.Withdraw &^= p.Withdraw
	}
	ours, oursArgs := withdrawable(closed, r)
	oursPublic, publicArgs := withdrawable(public, r)
	lanes, laneArgs := r.on("d.host")
	for _, c := range []struct {
		into *int
		sql  string
		args []any
	}{
		{&i.People, `SELECT COUNT(*) FROM (SELECT f.follower_id FROM accounts a JOIN follows f ON f.target_id = a.id WHERE f.state = 'accepted' AND f.follower_local AND ` + of +
			` UNION SELECT f.target_id FROM accounts a JOIN follows f ON f.follower_id = a.id WHERE f.state = 'accepted' AND ` + of + `) people
			JOIN users ON users.account_id = people.follower_id WHERE users.state = 'active'`, twice},
		{&i.Following, `SELECT COUNT(*) FROM accounts a JOIN follows f ON f.target_id = a.id WHERE f.state = 'accepted' AND a.actor_type <> 'Group' AND ` + of, args},
		{&i.Groups, `SELECT COUNT(*) FROM accounts a JOIN follows f ON f.target_id = a.id WHERE f.state = 'accepted' AND a.actor_type = 'Group' AND ` + of, args},
		{&i.Followers, `SELECT COUNT(*) FROM accounts a JOIN follows f ON f.follower_id = a.id WHERE f.state = 'accepted' AND ` + of, args},
		{&i.Requests, `SELECT COUNT(*) FROM (SELECT f.id FROM accounts a JOIN follows f ON f.target_id = a.id WHERE f.state = 'requested' AND ` + of +
			` UNION ALL SELECT f.id FROM accounts a JOIN follows f ON f.follower_id = a.id WHERE f.state = 'requested' AND ` + of + `) asked`, twice},
		{&i.Threads, "SELECT COUNT(*) FROM (" + sharedThreads(of) + ") threads", append([]any{store.FirstIDAt(tx.Now.Add(-impactThreads))}, args...)},
		{&i.Quotes, `SELECT COUNT(*) FROM accounts a JOIN posts ON posts.author_id = a.id JOIN posts quoting ON quoting.quote_id = posts.id
			WHERE quoting.author_host = '' AND quoting.deleted_at IS NULL AND ` + of, args},
		{&i.Posts, "SELECT COUNT(*) FROM accounts a JOIN posts ON posts.author_id = a.id WHERE posts.deleted_at IS NULL AND posts.boost_of_id IS NULL AND " + of, args},
		{&i.Used, "SELECT COUNT(*) FROM accounts a JOIN posts ON posts.author_id = a.id WHERE posts.deleted_at IS NULL AND posts.boost_of_id IS NULL AND " + of + " AND " + usedHere, args},
		{&i.Waiting, "SELECT COUNT(*) FROM deliveries d WHERE d.state = 'waiting' AND " + lanes, laneArgs},
		{&i.OursClosed, "SELECT COUNT(*) FROM posts WHERE " + ours, oursArgs},
		{&i.OursPublic, "SELECT COUNT(*) FROM posts WHERE " + oursPublic, publicArgs},
	} {
		if err := tx.Raw(c.sql, c.args...).Scan(c.into).Error; err != nil {
			return i, err
		}
	}
	return i, nil
}

// sharedThreads are the conversations in which, not long ago, somebody of the
// servers wrote and somebody here did too.
func sharedThreads(of string) string {
	return `SELECT DISTINCT posts.thread_id FROM accounts a JOIN posts ON posts.author_id = a.id WHERE posts.id >= ? AND posts.deleted_at IS NULL
		AND posts.boost_of_id IS NULL AND ` + of + ` AND EXISTS (SELECT 1 FROM posts here WHERE here.thread_id = posts.thread_id AND here.author_host = ''
		AND here.boost_of_id IS NULL AND here.deleted_at IS NULL)`
}

// endingOf is the entry that an end would be about, which for a block need not be there yet.
func endingOf(tx *store.Tx, host string, block bool) (peers.Peer, reach, error) {
	host, err := peers.Normalise(tx, host)
	if err != nil {
		return peers.Peer{}, reach{}, err
	}
	p, err := peers.Get(tx, host)
	if fault.Is(err, fault.NotFound) && block {
		p, err = peers.Peer{Host: host}, nil
	}
	if err != nil {
		return p, reach{}, err
	}
	if block {
		p.Standing = peers.Blocked
	}
	r, err := reachOf(tx, p)
	return p, r, err
}

// ImpactHead is the first line of the list of what an end changes.
func ImpactHead() []string { return []string{"what", "person_here", "there", "address"} }

// EachImpact calls fn with each line of that list: the ties, the conversations,
// and the posts here that quote.
func EachImpact(tx *store.Tx, host string, block bool, fn func(cells []string) error) error {
	_, r, err := endingOf(tx, host, block)
	if err != nil {
		return err
	}
	of, args := r.on("a.host")
	of = "a.host <> '' AND " + of
	type line struct {
		ID                              int64
		What, Here, Name, Host, Address string
	}
	const tie = ` a.username AS name, a.host, COALESCE(NULLIF(a.url, ''), a.uri, '') AS address FROM accounts a JOIN follows f ON `
	lists := []struct {
		sql  string
		args []any
	}{
		{`SELECT f.id, CASE WHEN f.state = 'requested' THEN 'follow_requested' WHEN a.actor_type = 'Group' THEN 'group_member' ELSE 'follow' END AS what, here.username AS here,` + tie +
			`f.target_id = a.id JOIN accounts here ON here.id = f.follower_id WHERE f.id > ? AND ` + of + ` ORDER BY f.id LIMIT 500`, args},
		{`SELECT f.id, CASE WHEN f.state = 'requested' THEN 'follower_requested' ELSE 'follower' END AS what, here.username AS here,` + tie +
			`f.follower_id = a.id JOIN accounts here ON here.id = f.target_id WHERE f.id > ? AND ` + of + ` ORDER BY f.id LIMIT 500`, args},
		{`SELECT quoting.id, 'quote' AS what, here.username AS here, a.username AS name, a.host, COALESCE(NULLIF(posts.url, ''), posts.uri, '') AS address FROM accounts a
			JOIN posts ON posts.author_id = a.id JOIN posts quoting ON quoting.quote_id = posts.id JOIN accounts here ON here.id = quoting.author_id
			WHERE quoting.author_host = '' AND quoting.deleted_at IS NULL AND quoting.id > ? AND ` + of + ` ORDER BY quoting.id LIMIT 500`, args},
		{`SELECT threads.thread_id AS id, 'thread' AS what, '' AS here, '' AS name, '' AS host, '' AS address FROM (` + sharedThreads(of) +
			`) threads WHERE threads.thread_id > ? ORDER BY threads.thread_id LIMIT 500`, append([]any{store.FirstIDAt(tx.Now.Add(-impactThreads))}, args...)},
	}
	for i, list := range lists {
		for after := int64(0); ; {
			all := append([]any{after}, list.args...)
			if i == len(lists)-1 {
				all = append(append([]any{}, list.args...), after)
			}
			var lines []line
			if err := tx.Raw(list.sql, all...).Scan(&lines).Error; err != nil {
				return err
			}
			for _, l := range lines {
				after = l.ID
				cells := []string{l.What, l.Here, "@" + l.Name + "@" + l.Host, l.Address}
				if l.What == "thread" {
					cells = []string{l.What, "", "", strconv.FormatInt(l.ID, 10)}
				}
				if err := fn(cells); err != nil {
					return err
				}
			}
			if len(lines) < 500 {
				break
			}
		}
	}
	return nil
}
