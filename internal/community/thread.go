package community

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// ThreadSize is how many posts of one thread are shown at once, the newest.
const ThreadSize = 500

// skeletonSize bounds how much of a very large thread is walked to find who
// answered whom.
const skeletonSize = 10 * ThreadSize

// Missing says why a place in a thread is empty.
type Missing string

// Why a place is empty.
const (
	MissingDeleted    Missing = "deleted"    // its author or a moderator deleted it
	MissingHidden     Missing = "hidden"     // it is not for this reader
	MissingUnknown    Missing = "unknown"    // it stands on another server and is not here yet
	MissingStranger   Missing = "stranger"   // it stands on a server that this one is not connected with
	MissingUnreadable Missing = "unreadable" // its server did not give it, or not so that it could be read
)

// Node is one place in a thread, in the order of reading: a post, or what can
// be said of one that is missing and was answered.
type Node struct {
	Post    Post // for a missing one, only its ID, where it has one
	Depth   int  // 0 for the thread's first post
	Missing Missing
	Host    string // of a post that is on another server and not here
	URI     string // of the same
}

// ThreadView is a thread as one reader sees it.
type ThreadView struct {
	Nodes   []Node
	Earlier bool // there are earlier replies than the ones shown
}

// bone is what the order of a thread needs of each of its posts.
type bone struct {
	ID          int64
	InReplyToID *int64
	Deleted     bool
}

// Thread returns the thread that p, which v may see, belongs to: every reply
// under the post it answers, the earlier first.
func Thread(tx *store.Tx, v Viewer, p Post) (ThreadView, error) {
	root := p.ThreadID
	var posts []Post
	var bones []bone
	var ghosts []Ghost
	where, args := visibleSQL("posts", v)
	questions := []store.Question{{
		SQL: "SELECT " + postColumns.In(tx.Dialect()) + " FROM posts WHERE posts.thread_id = ? AND posts.boost_of_id IS NULL AND " + where +
			" ORDER BY posts.id DESC LIMIT " + strconv.Itoa(ThreadSize+1),
		Args: append([]any{root}, args...),
		Row: func(r *store.Row) {
			posts = append(posts, Post{})
			postColumns.Read(r, &posts[len(posts)-1])
		},
	}, {
		SQL: "SELECT id, in_reply_to_id, deleted_at IS NOT NULL FROM posts WHERE thread_id = ? ORDER BY id DESC LIMIT " + strconv.Itoa(skeletonSize), Args: []any{root},
		Row: func(r *store.Row) {
			bones = append(bones, bone{ID: r.Int(), InReplyToID: r.IntPtr(), Deleted: r.Bool()})
		},
	}}
	if v.Local { // what another server tells of is passed on to nobody
		questions = append(questions, ghostsOf(tx, root, &ghosts))
	}
	if err := tx.Ask(questions...); err != nil {
		return ThreadView{}, err
	}
	slices.SortFunc(ghosts, func(a, b Ghost) int { return cmp.Or(cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.URI, b.URI)) })
	var t ThreadView
	if len(posts) > ThreadSize {
		posts, t.Earlier = posts[:ThreadSize], true
	}
	oldest := int64(0)
	if t.Earlier {
		oldest = posts[len(posts)-1].ID
	}
	shown := make(map[int64]Post, len(posts)+2)
	for _, q := range posts {
		shown[q.ID] = q
	}
	if _, ok := shown[root]; !ok {
		first, err := VisiblePost(tx, root, v)
		if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Gone) {
			return ThreadView{}, err
		}
		if err == nil {
			shown[root] = first
		}
	}
	shown[p.ID] = p
	t.Nodes = weave(tx.Site, root, shown, bones, oldest, ghosts)
	return t, estranged(tx, t.Nodes)
}

// weave orders a thread. Posts older than oldest are left out without a trace;
// their replies hang on the nearest post above that is shown. Ghosts stand last
// under the post they answer.
func weave(site iri.Site, root int64, shown map[int64]Post, bones []bone, oldest int64, ghosts []Ghost) []Node {
	skeleton := unknot(root, bones)
	parentOf := func(id int64) int64 {
		for {
			b := skeleton[id]
			if b.InReplyToID == nil {
				return root
			}
			id = *b.InReplyToID
			above, known := skeleton[id]
			if _, ok := shown[id]; ok || id == root || known && (above.Deleted || id >= oldest) {
				return id
			}
		}
	}
	children := map[int64][]int64{}
	placed := map[int64]bool{root: true}
	for id := range shown {
		for !placed[id] { // and the missing posts above it
			placed[id] = true
			up := parentOf(id)
			children[up] = append(children[up], id)
			id = up
		}
	}
	var nodes []Node
	depth := 0
	if first, ok := shown[root]; ok && first.InReplyToURI != "" && first.InReplyToID == nil {
		host, _ := iri.HostOf(first.InReplyToURI)
		above := Node{Missing: MissingUnknown, Host: host, URI: first.InReplyToURI}
		ghosts = slices.DeleteFunc(ghosts, func(g Ghost) bool {
			if g.URI == above.URI {
				above.Missing = g.Reason
			}
			return g.URI == above.URI
		})
		nodes, depth = append(nodes, above), 1
	}
	haunted := map[int64][]Ghost{}
	for _, g := range ghosts {
		if _, ok := shown[g.PostID]; ok {
			haunted[g.PostID] = append(haunted[g.PostID], g)
		}
	}
	type step struct {
		id    int64
		depth int
		ghost *Ghost
	}
	for stack := []step{{root, depth, nil}}; len(stack) > 0; {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if s.ghost != nil {
			nodes = append(nodes, Node{Depth: s.depth, Missing: s.ghost.Reason, Host: s.ghost.Host, URI: s.ghost.URI})
			continue
		}
		node := Node{Post: Post{ID: s.id}, Depth: s.depth}
		if p, ok := shown[s.id]; ok {
			node.Post = p
		} else if skeleton[s.id].Deleted {
			node.Missing = MissingDeleted
		} else {
			node.Missing = MissingHidden
		}
		nodes = append(nodes, node)
		for _, g := range slices.Backward(haunted[s.id]) {
			stack = append(stack, step{ghost: &g, depth: s.depth + 1})
		}
		below := children[s.id]
		slices.SortFunc(below, func(a, b int64) int { return cmp.Compare(b, a) })
		for _, id := range below { // the latest goes onto the stack first, and comes off last
			stack = append(stack, step{id, s.depth + 1, nil})
		}
	}
	return nodes
}

// unknot returns the bones of a thread by their IDs, such that the way up from
// each has an end. Answers may go in a circle where two transactions joined
// threads at the same time: the thread's first post answers nothing here, and
// every other circle is cut where it closes.
func unknot(root int64, bones []bone) map[int64]bone {
	skeleton := make(map[int64]bone, len(bones))
	for _, b := range bones {
		if b.ID == root {
			b.InReplyToID = nil
		}
		skeleton[b.ID] = b
	}
	walked := make(map[int64]int64, len(bones)) // on the way up from which
	for _, from := range bones {
		for at := from.ID; walked[at] == 0; {
			walked[at] = from.ID
			b := skeleton[at]
			if b.InReplyToID == nil {
				break
			}
			if walked[*b.InReplyToID] == from.ID {
				b.InReplyToID = nil
				skeleton[at] = b
				break
			}
			at = *b.InReplyToID
		}
	}
	return skeleton
}

// Above returns the posts above p, the first of the thread first, as far as v
// may see them.
func Above(tx *store.Tx, v Viewer, p Post) ([]Post, error) {
	if p.InReplyToID == nil || p.ID == p.ThreadID { // see unknot
		return nil, nil
	}
	var ids []int64
	ended := false
	err := tx.Ask(store.Question{SQL: `WITH RECURSIVE up (id, parent, height) AS (
			SELECT id, in_reply_to_id, 0 FROM posts WHERE id = ?
			UNION ALL SELECT posts.id, posts.in_reply_to_id, up.height + 1 FROM up JOIN posts ON posts.id = up.parent WHERE up.height < ?)
		SELECT id FROM up WHERE height > 0 ORDER BY height`, Args: []any{p.ID, mostAbove},
		Row: func(r *store.Row) {
			id := r.Int()
			if ended = ended || id == p.ID || slices.Contains(ids, id); !ended {
				ids = append(ids, id)
				ended = id == p.ThreadID
			}
		}})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	found, err := visiblePosts(tx, v, ids)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b Post) int { return slices.Index(ids, b.ID) - slices.Index(ids, a.ID) })
	return found, nil
}

// Around returns the posts above p, the first of the thread first, and those
// below it in the order of reading, as far as v may see them.
func Around(tx *store.Tx, v Viewer, p Post) (above, below []Post, err error) {
	if above, err = Above(tx, v, p); err != nil {
		return nil, nil, err
	}
	t, err := Thread(tx, v, p)
	if err != nil {
		return nil, nil, err
	}
	at := slices.IndexFunc(t.Nodes, func(n Node) bool { return n.Post.ID == p.ID })
	for _, n := range t.Nodes[at+1:] {
		if n.Depth <= t.Nodes[at].Depth {
			break
		}
		if n.Missing == "" {
			below = append(below, n.Post)
		}
	}
	return above, below, nil
}
