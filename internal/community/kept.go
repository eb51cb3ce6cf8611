package community

import (
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

// stub is what is read of a post each time, though it is known.
type stub struct {
	id, version                            int64
	replies, likes, boosts, uses, quotings int64
}

const stubColumns = "posts.id, posts.version, posts.replies_count, posts.likes_count, posts.boosts_count, posts.uses_count, posts.quotes_count"

func readStub(r *store.Row) stub {
	return stub{r.Int(), r.Int(), r.Int(), r.Int(), r.Int(), r.Int(), r.Int()}
}

// stubsOf asks for stubs: from is what stands behind FROM, and names posts.
func stubsOf(into *[]stub, from string, args ...any) store.Question {
	return store.Question{SQL: "SELECT " + stubColumns + " FROM " + from, Args: args, Row: func(r *store.Row) { *into = append(*into, readStub(r)) }}
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
	}
	return nil
}

// tagsOf asks for the hashtags of posts.
func tagsOf(posts []int64, each func(post int64, t Tag)) store.Question {
	return store.Question{SQL: "SELECT post_id, tag, name FROM post_tags WHERE post_id IN ?", Args: []any{posts},
		Row: func(r *store.Row) { each(r.Int(), Tag{Tag: r.Text(), Name: r.Text()}) }}
}
