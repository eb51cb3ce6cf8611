package web

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/gorilla/mux"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

func (p *Pages) readingRoutes(r *mux.Router) {
	get := func(path string, h http.HandlerFunc) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	get("/", p.open(p.front))
	get("/home", p.members(p.home))
	get("/practice", p.members(p.practice))
	get("/school", p.members(p.schoolPosts))
	get("/connected", p.members(p.connected))
	get("/saved", p.members(p.saved))
	get("/posts/{id:[0-9]+}", p.open(p.thread))
	get("/posts/{id:[0-9]+}/history", p.open(p.history))
	get("/posts/{id:[0-9]+}/delivery", p.members(p.delivery))
	get("/notifications", p.members(p.notifications))
	get("/live", p.members(p.live))
	r.Handle("/announcements/{id:[0-9]+}/read", p.members(p.putAway)).Methods(http.MethodPost)
}

// front is the first page: home for those who are signed in, and for guests
// what this place is.
func (p *Pages) front(h *here, w http.ResponseWriter, r *http.Request) error {
	if h.signedIn() {
		return seeOther(w, r, "/home")
	}
	return p.about(h, w, r)
}

// pageOf reads which part of a list is asked for.
func pageOf(r *http.Request) store.Page {
	number := func(name string) int64 {
		n, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	return store.Page{MaxID: number("before"), MinID: number("after"), Limit: store.DefaultLimit}
}

// pager links the neighbours of a page of a list: first and last are the
// cursors of its ends, n how many rows it has.
func pager(r *http.Request, page store.Page, n int, first, last int64) Pager {
	to := func(name string, cursor int64) string {
		q := r.URL.Query()
		q.Del("before")
		q.Del("after")
		q.Set(name, digits(cursor))
		return (&url.URL{Path: r.URL.Path, RawQuery: q.Encode()}).String()
	}
	var out Pager
	if n == 0 {
		return out
	}
	if page.MaxID > 0 || page.MinID > 0 {
		out.Newer = to("after", first)
	}
	if n == page.Size() || page.MinID > 0 {
		out.Older = to("before", last)
	}
	return out
}

// feedPage is a page that is a list of posts.
type feedPage struct {
	Head PageHead
	News []News
	Tabs *Tabs
	Feed Feed
	Note *AsideCard
}

// list is what one of the lists asks the community.
type list func(tx *store.Tx, v community.Viewer, page store.Page) ([]community.Post, error)

// feed reads a page of a list. cursors gives the place of each post in the
// list where that is not its own ID.
func (p *Pages) feed(h *here, r *http.Request, ask list) (Feed, error) {
	page := pageOf(r)
	var posts []community.Post
	var views []community.View
	err := p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if posts, err = ask(tx, h.viewer, page); err != nil {
			return err
		}
		if views, err = community.Load(tx, h.viewer, posts); err != nil {
			return err
		}
		return h.lookQuiet(tx, views)
	})
	if err != nil {
		return Feed{}, err
	}
	if h.place == "" {
		h.place = community.FilterPublic
	}
	f := Feed{Posts: p.cards(h, views)}
	if n := len(posts); n > 0 {
		f.Pager = pager(r, page, n, posts[0].ID, posts[n-1].ID)
	}
	return f, nil
}

// lead writes a list's page. Only its first part listens to what arrives.
func (p *Pages) lead(h *here, w http.ResponseWriter, r *http.Request, place Place, live string, view feedPage, ask list) error {
	h.frame.Here = place
	feed, err := p.feed(h, r, ask)
	if err != nil {
		return err
	}
	feed.Empty, view.Feed.Empty = view.Feed.Empty, EmptyState{}
	view.Feed = feed
	if page := pageOf(r); page.MaxID == 0 && page.MinID == 0 {
		h.frame.Live = live
	}
	return p.render(h, w, http.StatusOK, "feed", view.Head.Title, view)
}

func (p *Pages) home(h *here, w http.ResponseWriter, r *http.Request) error {
	l := h.l
	news, err := p.news(h, r)
	if err != nil {
		return err
	}
	h.place = community.FilterHome
	return p.lead(h, w, r, Home, "home", feedPage{
		News: news,
		Head: PageHead{Title: l.T("nav.home"), Lead: l.T("home.lead")},
		Feed: Feed{Empty: EmptyState{Icon: "house", Title: l.T("home.empty_title"), Words: l.T("home.empty"),
			Action: &Action{Words: l.T("home.find_people"), Icon: "users", URL: "/people", Main: true}}},
	}, community.Home)
}

func (p *Pages) practice(h *here, w http.ResponseWriter, r *http.Request) error {
	l := h.l
	return p.lead(h, w, r, Practice, "practice", feedPage{
		Head: PageHead{Title: l.T("nav.practice"), Lead: l.T("practice.lead")},
		Feed: Feed{Empty: EmptyState{Icon: "book-open", Title: l.T("practice.empty_title"), Words: l.T("practice.empty"),
			Action: &Action{Words: l.T("practice.write"), Icon: "pen-line", URL: "/write?kind=practice", Main: true}}},
	}, community.PracticeTimeline)
}

func (p *Pages) schoolPosts(h *here, w http.ResponseWriter, r *http.Request) error {
	l := h.l
	return p.lead(h, w, r, School, "school", feedPage{
		Head: PageHead{Title: h.school.Title(), Lead: l.T("school.lead")},
		Feed: Feed{Empty: EmptyState{Icon: "school", Title: l.T("school.empty_title"), Words: l.T("school.empty"),
			Action: &Action{Words: l.T("nav.write"), Icon: "pen-line", URL: "/write", Main: true}}},
	}, community.SchoolTimeline)
}

func (p *Pages) connected(h *here, w http.ResponseWriter, r *http.Request) error {
	l := h.l
	empty := EmptyState{Icon: "waypoints", Title: l.T("connected.empty_title"), Words: l.T("connected.empty")}
	if h.schools == 0 {
		empty.Words = l.T("connected.none")
		if h.user.Role.MayManagePeers() {
			empty.Action = &Action{Words: l.T("connected.connect"), Icon: "plus", URL: "/admin/peers", Main: true}
		}
	}
	return p.lead(h, w, r, Connected, "connected", feedPage{
		Head: PageHead{Title: l.T("nav.connected"), Lead: l.T("connected.lead")},
		Feed: Feed{Empty: empty},
	}, community.ConnectedTimeline)
}

// saved lists what somebody saved for later; nobody else sees it. Its cursors
// are the places in the list, not the posts.
func (p *Pages) saved(h *here, w http.ResponseWriter, r *http.Request) error {
	l, page := h.l, pageOf(r)
	var places []int64
	var views []community.View
	err := p.DB.Read(r.Context(), func(tx *store.Tx) error {
		posts, cursors, err := community.Bookmarks(tx, h.viewer, page)
		if err != nil {
			return err
		}
		places = cursors
		if views, err = community.Load(tx, h.viewer, posts); err != nil {
			return err
		}
		return h.lookQuiet(tx, views)
	})
	if err != nil {
		return err
	}
	view := feedPage{
		Head: PageHead{Title: l.T("saved.title"), Lead: l.T("saved.lead")},
		Feed: Feed{Posts: p.cards(h, views), Empty: EmptyState{Icon: "bookmark", Title: l.T("saved.empty_title"), Words: l.T("saved.empty")}},
	}
	if n := len(places); n > 0 {
		view.Feed.Pager = pager(r, page, n, places[0], places[n-1])
	}
	h.frame.Here = Myself
	return p.render(h, w, http.StatusOK, "feed", view.Head.Title, view)
}

// idOf is the number in the address.
func idOf(r *http.Request) (int64, error) {
	id, ok := iri.ParseID(mux.Vars(r)["id"])
	if !ok {
		return 0, fault.Keyed(fault.NotFound, "error.no_page", "There is no page at this address.", nil)
	}
	return id, nil
}

// threadPage is a post with its conversation.
type threadPage struct {
	Practice *PracticeArticle // the first post, one of these two
	Post     *PostCard
	Above    *ThreadAbove
	Thread   Thread
	Answer   *Composer
	AskIn    *Action // for guests
	About    AsideCard
}

// thread is the page of a post: the post itself, set as what it is, and under
// it the conversation. The page of a reply is its place in the conversation.
func (p *Pages) thread(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var post community.Post
	var tree community.ThreadView
	var views []community.View
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if post, err = community.VisiblePost(tx, id, h.viewer); err != nil {
			return err
		}
		if post.BoostOfID != nil {
			return nil
		}
		if tree, err = community.Thread(tx, h.viewer, post); err != nil {
			return err
		}
		var posts []community.Post
		for _, n := range tree.Nodes {
			if n.Missing == "" {
				posts = append(posts, n.Post)
			}
		}
		if views, err = community.Load(tx, h.viewer, posts); err != nil {
			return err
		}
		return h.lookQuiet(tx, views)
	})
	if err != nil {
		return err
	}
	if post.BoostOfID != nil {
		return seeOther(w, r, postPath(*post.BoostOfID))
	}
	byID := make(map[int64]community.View, len(views))
	for _, v := range views {
		byID[v.ID] = v
	}
	first, found := byID[post.ThreadID]
	if !found {
		first = byID[post.ID]
	}
	if first.ID != post.ID && r.URL.Query().Get("answer") == "" && r.URL.Query().Get("at") == "" {
		return seeOther(w, r, postPath(first.ID)+"?at="+digits(post.ID)+"#post-"+digits(post.ID))
	}
	h.place = community.FilterThread
	view := threadPage{Above: p.above(h, tree, first), Thread: p.tree(h, tree, byID, first), About: p.aboutPost(h, first)}
	card := p.card(h, first)
	card.Facts = append(card.Facts, p.licence(h, first.Post)...)
	title := first.Title
	if title == "" {
		title = h.l.T("post.by", "Name", first.Author.Name())
	}
	if first.Kind == community.Practice {
		article := PracticeArticle{PostCard: card}
		article.HTML, article.Sections = sectionsOf(h.l, first.HTML)
		if first.EditedAt != nil {
			article.History = &Link{Words: h.l.T("post.history"), URL: postPath(first.ID) + "/history"}
		}
		view.Practice = &article
	} else {
		view.Post = &card
	}
	if h.signedIn() {
		if !first.Local() {
			p.Lookup.Freshen(r.Context(), first.Post)
		}
		if slices.ContainsFunc(views, func(v community.View) bool { return !v.Local() }) { // others may have been answered where we were not told
			p.Lookup.FillThread(post)
		}
		kind := community.Reply
		if r.URL.Query().Get("answer") == string(community.Acknowledgement) {
			kind = community.Acknowledgement
		}
		if _, quiet := h.quiet[byID[post.ID].AuthorHost]; quiet {
			view.Thread.Empty.Words = ""
		} else {
			composer := p.answerForm(h, byID[post.ID], kind)
			view.Answer = &composer
		}
		h.frame.Live = "thread:" + digits(first.ID)
	} else {
		view.AskIn = &Action{Words: h.l.T("nav.sign_in"), Icon: "log-in", URL: "/sign-in?to=" + queryEscape(r.URL.RequestURI())}
	}
	h.quietBanner()
	h.frame.Links = append(h.frame.Links, HeadLink{Rel: "alternate", Type: "application/activity+json", Href: first.IRI(p.site)})
	if first.Audience != community.Public || first.Unlisted || !first.Author.Indexable {
		h.frame.Robots = "noindex"
	}
	return p.render(h, w, http.StatusOK, "thread", title, view)
}

// tree turns a thread's places into what the page shows below the first post.
func (p *Pages) tree(h *here, t community.ThreadView, byID map[int64]community.View, first community.View) Thread {
	out := Thread{Empty: EmptyState{Icon: "message-circle", Title: h.l.T("thread.empty_title"), Words: h.l.T("thread.empty")}}
	base := 0
	for i := 0; i < len(t.Nodes); i++ {
		n := t.Nodes[i]
		if n.Post.ID == first.ID {
			base = n.Depth
			continue
		}
		node := ThreadNode{Depth: max(1, n.Depth-base)}
		switch {
		case n.Missing == "" && h.hides(byID[n.Post.ID]):
			node.Post, node.Missing = PostCard{ID: digits(n.Post.ID)}, &Missing{"eye", h.l.T("thread.filtered")}
		case n.Missing == "":
			node = p.node(h, byID[n.Post.ID], first, node.Depth)
			out.Count++
		case n.Post.ID == 0 && n.Depth == 0: // what the first post answers: see above
			continue
		default:
			node.Missing = missing(h, n)
			if n.Post.ID != 0 {
				node.Post = PostCard{ID: digits(n.Post.ID)}
				break
			}
			out.Ghosts++
			if alike := ghostsLike(t.Nodes[i:]); alike > mostGhostsApart {
				node.Missing.Words = missingMany(h, n, alike)
				out.Ghosts += alike - 1
				i += alike - 1
			}
		}
		out.Nodes = append(out.Nodes, node)
	}
	return out
}

// mostGhostsApart is how many replies that are missing for the same reason are
// told one by one.
const mostGhostsApart = 3

// ghostsLike counts the places from the first on that are empty for one reason,
// under the same post.
func ghostsLike(nodes []community.Node) int {
	n := 1
	for n < len(nodes) && nodes[n].Post.ID == 0 && nodes[n].Missing == nodes[0].Missing && nodes[n].Depth == nodes[0].Depth {
		n++
	}
	return n
}

func missingMany(h *here, n community.Node, count int) string {
	switch n.Missing {
	case community.MissingStranger:
		return h.l.T("thread.missing_many", "Count", count)
	case community.MissingUnreadable:
		return h.l.T("thread.unreadable_many", "Count", count)
	case community.MissingUnknown:
		return h.l.T("thread.unknown_many", "Count", count)
	}
	return h.l.T("thread.gone_many", "Count", count)
}

// missing says why a reply is not there.
func missing(h *here, n community.Node) *Missing {
	switch n.Missing {
	case community.MissingStranger:
		return &Missing{"ban", h.l.T("thread.missing", "Host", n.Host)}
	case community.MissingUnreadable:
		return &Missing{"circle-alert", h.l.T("thread.unreadable", "Host", n.Host)}
	case community.MissingUnknown:
		return &Missing{"clock", h.l.T("thread.unknown", "Host", n.Host)}
	case community.MissingDeleted:
		return &Missing{"trash-2", h.l.T("thread.gone")}
	}
	return &Missing{"lock", h.l.T("thread.hidden")}
}

// ThreadAbove is what is said of what the page's first post answers, when that
// is not here: why, or where it is by now.
type ThreadAbove struct {
	Missing
	URL string
}

// above says what the first post answers and why that is not here.
func (p *Pages) above(h *here, t community.ThreadView, first community.View) *ThreadAbove {
	n := t.Nodes[0]
	if n.Missing == "" || n.Post.ID != 0 || first.ID != first.ThreadID {
		return nil
	}
	said := ThreadAbove{Missing{"clock", h.l.T("thread.above_unknown", "Host", n.Host)}, ""}
	switch n.Missing {
	case community.MissingStranger:
		said.Missing = Missing{"ban", h.l.T("thread.above_missing", "Host", n.Host)}
	case community.MissingUnreadable:
		said.Missing = Missing{"circle-alert", h.l.T("thread.above_unreadable", "Host", n.Host)}
	case community.MissingDeleted:
		said.Missing = Missing{"trash-2", h.l.T("thread.above_gone")}
	}
	return &said
}

// node is one reply. The asker of a question can choose it as the answer.
func (p *Pages) node(h *here, v, first community.View, depth int) ThreadNode {
	n := ThreadNode{Post: p.card(h, v), Depth: depth, Away: v.AuthorHost != first.AuthorHost}
	if v.InReplyToID != nil {
		n.Parent = digits(*v.InReplyToID)
	}
	n.Accepted = first.AcceptedAnswerID != nil && *first.AcceptedAnswerID == v.ID
	if first.Kind == community.Question && first.Mine.Author && first.Local() && v.AuthorID != first.AuthorID {
		choose := Action{Words: h.l.T("thread.choose"), Icon: "circle-check", URL: postPath(v.ID) + "/accept", Post: true, Pressed: n.Accepted,
			Fields: map[string]string{"question": digits(first.ID)}}
		if n.Accepted {
			choose.Words = h.l.T("thread.unchoose")
		}
		n.Post.Actions = append(n.Post.Actions, choose)
	}
	return n
}

// aboutPost is the box beside a post: who can see it, and what was made of it.
func (p *Pages) aboutPost(h *here, v community.View) AsideCard {
	a := p.audience(h, v)
	return AsideCard{Title: h.l.T("audience.legend"), Icon: a.Icon, Words: a.Detail}
}

// historyPage shows what a post was before its edits.
type historyPage struct {
	Head     PageHead
	Versions []version
}

type version struct {
	Title   string
	Warning string
	When    string
	HTML    template.HTML
	Now     bool
}

func (p *Pages) history(h *here, w http.ResponseWriter, r *http.Request) error {
	id, err := idOf(r)
	if err != nil {
		return err
	}
	var post community.Post
	var before []community.Revision
	err = p.DB.Read(r.Context(), func(tx *store.Tx) (err error) {
		if post, err = community.VisiblePost(tx, id, h.viewer); err != nil {
			return err
		}
		before, err = community.Revisions(tx, id)
		return err
	})
	if err != nil {
		return err
	}
	at := post.CreatedAt
	if post.EditedAt != nil {
		at = *post.EditedAt
	}
	view := historyPage{Head: PageHead{Title: h.l.T("post.history"), Lead: h.l.T("history.lead"), Back: &Link{Words: h.l.T("history.back"), URL: postPath(id)}}}
	view.Versions = append(view.Versions, version{Title: post.Title, Warning: post.Warning, When: h.l.Moment(at), HTML: safe(post.HTML), Now: true})
	for i := len(before) - 1; i >= 0; i-- {
		b := before[i]
		view.Versions = append(view.Versions, version{Title: b.Title, Warning: b.Warning, When: h.l.Moment(b.WrittenAt), HTML: safe(b.HTML)})
	}
	h.frame.Robots = "noindex"
	return p.render(h, w, http.StatusOK, "history", view.Head.Title, view)
}
