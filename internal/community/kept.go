package community

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/chalkring/chalkring/internal/store"
)

// What most pages show has not changed since the last one did. A post and an
// account are therefore kept in memory with the version of their rows, and read
// whole only where the row has another version now. What a post names is written
// with it and in its edits alone, which move its version on; its figures, its
// pictures, its poll's, and who may see it, are read each time.

// Kept is what is remembered of a post.
type Kept struct {
	post     Post
	mentions []int64 // whom it names, the lowest first
	tags     []Tag   // in their order
	poll     bool    // it has one

	// Drawn is what a door made of it for its readers, as long as it is the same
	// for all of them.
	Drawn atomic.Value
}

// KeptAccount is what is remembered of an account, as posts show it.
type KeptAccount struct {
	account Account
	Drawn   atomic.Value // what a door made of it; with the figures that stand in it
}

func postKey(id int64) store.Key    { return store.Key{Table: "posts", ID: id} }
func accountKey(id int64) store.Key { return store.Key{Table: "accounts", ID: id} }

// keptPost returns what is remembered of a post that has this version.
func keptPost(tx *store.Tx, id, version int64) *Kept {
	if k, ok := tx.Recall(postKey(id)).(*Kept); ok && k.post.Version == version {
		return k
	}
	return nil
}

// keep remembers a post with all that it names.
func keep(tx *store.Tx, k *Kept) {
	slices.Sort(k.mentions)
	slices.SortFunc(k.tags, func(a, b Tag) int { return strings.Compare(a.Tag, b.Tag) })
	p := &k.post
	// Twice, for what is drawn of it.
	tx.Remember(postKey(p.ID), k, 1500+2*(len(p.HTML)+len(p.Source)+len(p.Teaser)+len(p.Title)+len(p.Warning))+50*(len(k.mentions)+len(k.tags)))
}

func keepAccount(tx *store.Tx, a Account) *KeptAccount {
	k := &KeptAccount{account: a}
	tx.Remember(accountKey(a.ID), k, 2000+2*len(a.BioHTML))
	return k
}

// keptName is what is remembered of a server: what it is called, by our
// administrator or else by itself, and whether it is blocked. The version is of
// all names together, which a change of any of them moves on.
type keptName struct {
	version int64
	name    string
	blocked bool
}

func nameKey(host string) store.Key { return store.Key{Table: "hosts", Text: host} }

// stub is what is read of a post each time, though it is known.
type stub struct {
	id, version                            int64
	replies, likes, boosts, uses, quotings int64
	author                                 int64
	figures                                *figures // of its author, where that was asked
}

// figures are what is read of an account each time.
type figures struct {
	version int64 // of its row
	names   int64 // of all names
	counts  AccountCounts
}

const (
	stubColumns  = "posts.id, posts.version, posts.replies_count, posts.likes_count, posts.boosts_count, posts.uses_count, posts.quotes_count, posts.author_id"
	namesVersion = "(SELECT names_version FROM site WHERE site.id = 1)"
	figureSQL    = "account_counts.posts, account_counts.followers, account_counts.following, account_counts.last_post_at"
)

// figureColumns are figureSQL as a database reads them fastest; see
// store.Columns.
func figureColumns(d store.Dialect) string {
	if d == store.SQLite {
		return strings.Replace(figureSQL, "account_counts.last_post_at", "+account_counts.last_post_at", 1)
	}
	return figureSQL
}

// readCounts takes figureColumns, the last of a row.
func readCounts(r *store.Row, account int64) AccountCounts {
	c := AccountCounts{AccountID: account}
	if r.Null() {
		return c
	}
	c.Posts, c.Followers, c.Following, c.LastPostAt = r.Int(), r.Int(), r.Int(), r.TimePtr()
	return c
}

func readStub(r *store.Row) stub {
	return stub{id: r.Int(), version: r.Int(), replies: r.Int(), likes: r.Int(), boosts: r.Int(), uses: r.Int(), quotings: r.Int(), author: r.Int()}
}

// stubsOf asks for stubs: from is what stands behind FROM, and names posts. They
// come in no order.
func stubsOf(tx *store.Tx, into *[]stub, from string, args ...any) store.Question {
	sql := "SELECT p.*, accounts.version, " + namesVersion + ", " + figureColumns(tx.Dialect()) + " FROM (SELECT " + stubColumns + " FROM " + from + ") p" +
		" LEFT JOIN accounts ON accounts.id = p.author_id LEFT JOIN account_counts ON account_counts.account_id = p.author_id"
	if tx.Dialect() == store.Postgres { // which might else read all accounts for a few
		sql = "SELECT p.*, author.* FROM (SELECT " + stubColumns + " FROM " + from + ") p" +
			" CROSS JOIN LATERAL (SELECT accounts.version AS of, " + namesVersion + ", " + figureSQL + " FROM accounts LEFT JOIN account_counts ON account_counts.account_id = accounts.id" +
			" WHERE accounts.id = p.author_id LIMIT 1) author"
	}
	return store.Question{SQL: sql, Args: args, Row: func(r *store.Row) {
		s := readStub(r)
		s.figures = &figures{version: r.Int(), names: r.Int(), counts: readCounts(r, s.author)}
		*into = append(*into, s)
	}}
}

// newest puts stubs in the order of lists.
func newest(stubs []stub) {
	slices.SortFunc(stubs, func(a, b stub) int { return cmp.Compare(b.id, a.id) })
}

// whole returns the post of a stub.
func (s stub) whole(k *Kept) Post {
	p := k.post
	p.RepliesCount, p.LikesCount, p.BoostsCount, p.UsesCount, p.QuotesCount = s.replies, s.likes, s.boosts, s.uses, s.quotings
	return p
}

// bring adds the posts of stubs: those that are remembered, and all others read
// whole, in one round.
func (l *loading) bring(tx *store.Tx, stubs []stub) error {
	var missing []int64
	known := make(map[int64]*Kept, len(stubs))
	for _, s := range stubs {
		if k := keptPost(tx, s.id, s.version); k != nil {
			known[s.id] = k
		} else if _, twice := known[s.id]; !twice {
			known[s.id] = nil
			missing = append(missing, s.id)
		}
	}
	if len(missing) > 0 {
		err := tx.Ask(store.Question{
			SQL: "SELECT " + postColumns.In(tx.Dialect()) + " FROM posts WHERE posts.id IN ?", Args: []any{missing},
			Row: func(r *store.Row) {
				k := &Kept{}
				postColumns.Read(r, &k.post)
				known[k.post.ID] = k
			},
		}, store.Question{
			SQL: "SELECT post_id, account_id FROM post_mentions WHERE post_id IN ?", Args: []any{missing},
			Row: func(r *store.Row) { k := known[r.Int()]; k.mentions = append(k.mentions, r.Int()) },
		}, tagsOf(missing, func(post int64, t Tag) { known[post].tags = append(known[post].tags, t) }), store.Question{
			SQL: "SELECT post_id FROM polls WHERE post_id IN ?", Args: []any{missing},
			Row: func(r *store.Row) { known[r.Int()].poll = true },
		})
		if err != nil {
			return err
		}
		for _, id := range missing {
			keep(tx, known[id])
		}
	}
	for _, s := range stubs {
		l.add(s.whole(known[s.id]), known[s.id])
		if s.figures != nil {
			l.authors[s.author], l.names = *s.figures, &s.figures.names
		}
	}
	return nil
}

// tagsOf asks for the hashtags of posts.
func tagsOf(posts []int64, each func(post int64, t Tag)) store.Question {
	return store.Question{SQL: "SELECT post_id, tag, name FROM post_tags WHERE post_id IN ?", Args: []any{posts},
		Row: func(r *store.Row) { each(r.Int(), Tag{Tag: r.Text(), Name: r.Text()}) }}
}
