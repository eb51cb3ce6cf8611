package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// beat keeps proxies from closing a silent stream, and is when a stream asks
	// again whether its reader may still read.
	beat = 25 * time.Second
	// sendWithin is how long a reader may take to take one event.
	sendWithin = 15 * time.Second
)

// live sends what arrives, as fragments of the page that listens: server-sent
// events (HTML, section 9.2). What a reader is sent is decided for each post
// anew, by the same rule as on every page.
func (p *Pages) live(h *here, w http.ResponseWriter, r *http.Request) error {
	s, err := p.stream(r.Context(), h, r.URL.Query().Get("stream"))
	if err != nil {
		return err
	}
	news := p.DB.Subscribe(s.topics()...)
	defer news.Close()
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{}) // a stream outlives the time that a request has; not every writer has deadlines
	head := w.Header()
	head.Set("Content-Type", "text/event-stream; charset=utf-8")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no") // nginx would gather the events
	w.WriteHeader(http.StatusOK)
	send := func(event string) error {
		if err := out.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil {
			return err
		}
		if _, err := w.Write([]byte(event)); err != nil {
			return err
		}
		return out.Flush()
	}
	hello := "retry: 3000\n: listening\n\n"
	if s.desk != nil { // what happened since the page was made, or while the line was broken
		now, err := s.parts(r.Context(), true)
		if err != nil {
			p.Log.WarnContext(r.Context(), "live event not made", "stream", s.name, "err", err)
		}
		hello += now
	}
	if send(hello) != nil {
		return nil // the reader left; there is nobody to tell
	}
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		var event string
		select {
		case <-r.Context().Done():
			return nil
		case <-tick.C:
			if !s.still(r) {
				return nil
			}
			event = ": still here\n\n"
			if s.desk != nil && news.Missed() {
				if event, err = s.parts(r.Context(), true); err != nil {
					p.Log.WarnContext(r.Context(), "live event not made", "stream", s.name, "err", err)
					continue
				}
			}
		case n, ok := <-news.C:
			if !ok {
				return nil
			}
			if s.desk != nil && !s.desk.concerns(n, h.me.ID) {
				continue
			}
			if s.desk != nil && !s.still(r) {
				return nil
			}
			if event, err = s.event(r.Context(), n); err != nil {
				p.Log.WarnContext(r.Context(), "live event not made", "stream", s.name, "err", err)
				continue
			}
		}
		if event != "" && send(event) != nil {
			return nil
		}
	}
}

// stream is what one page listens to.
type stream struct {
	p      *Pages
	h      *here
	name   string
	thread int64 // the first post, for a thread
	list   int64 // the reader's own, for a list
	desk   *desk
}

// topics are what a stream has to hear of.
func (s stream) topics() []store.Topic {
	if s.desk != nil {
		return []store.Topic{peers.RequestsChanged, peers.Changed, community.AccountChanged, community.NotificationArrived}
	}
	return []store.Topic{community.PostLanded, community.PostEdited, community.PostReacted, community.PostDeleted, community.NotificationArrived}
}

func (p *Pages) stream(ctx context.Context, h *here, name string) (stream, error) {
	s := stream{p: p, h: h, name: name}
	if o, ok := deskOf(name); ok {
		if !h.user.Role.MayManagePeers() {
			return s, notYourRole()
		}
		s.name, _, _ = strings.Cut(name, ":")
		s.desk = &o
		return s, nil
	}
	if rest, ok := strings.CutPrefix(name, "list:"); ok {
		if s.list, ok = iri.ParseID(rest); ok {
			s.name, h.place = "list", community.FilterHome
			return s, p.DB.Read(ctx, func(tx *store.Tx) error {
				_, err := community.ListOf(tx, h.me.ID, s.list)
				return err
			})
		}
	}
	if rest, ok := strings.CutPrefix(name, "thread:"); ok {
		if s.thread, ok = iri.ParseID(rest); ok {
			s.name, h.place = "thread", community.FilterThread
			return s, nil
		}
	}
	h.place = community.FilterPublic
	if name == "home" {
		h.place = community.FilterHome
	}
	switch name {
	case "home", "school", "connected", "practice", "notifications":
		return s, nil
	}
	return s, fault.New(fault.Invalid, "There is no such stream. Listen to home, school, connected, practice, notifications, list:ID or thread:ID.")
}

// event is what a piece of news means to this stream, or "".
func (s stream) event(ctx context.Context, n store.News) (string, error) {
	if s.desk != nil {
		return s.deskEvent(ctx, n)
	}
	switch n.Topic {
	case community.NotificationArrived:
		if n.ID != s.h.me.ID {
			return "", nil
		}
		return s.notification(ctx)
	case community.PostReacted:
		if n.ID != s.thread || s.thread == 0 {
			return "", nil // figures of a list are fresh when it is read again
		}
	case community.PostDeleted:
		return s.gone(ctx, n.ID)
	}
	if n.ID == 0 || s.name == "notifications" {
		return "", nil
	}
	return s.post(ctx, n.ID)
}

// gone tells of a post that was deleted, those who could have seen it.
func (s stream) gone(ctx context.Context, id int64) (event string, err error) {
	err = s.p.DB.Read(ctx, func(tx *store.Tx) error {
		_, told, err := community.Departed(tx, id, []int64{s.h.me.ID})
		if err == nil && told[s.h.me.ID] {
			event = "event: gone\ndata: " + strconv.FormatInt(id, 10) + "\n\n"
		}
		return err
	})
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	return event, err
}

func (s stream) post(ctx context.Context, id int64) (string, error) {
	var v, first community.View
	var chosen *community.View // the accepted answer, when the first post changed
	depth, above := 0, ""
	err := s.p.DB.Read(ctx, func(tx *store.Tx) error {
		post, err := community.PostByID(tx, id)
		if err != nil {
			return err
		}
		if in, err := s.holds(tx, post); err != nil || !in {
			return orNotFound(err)
		}
		if post, err = community.VisiblePost(tx, id, s.h.viewer); err != nil {
			return err
		}
		posts := []community.Post{post}
		if s.thread != 0 && post.ID == s.thread && post.AcceptedAnswerID != nil {
			chosen, depth, err = s.answer(tx, *post.AcceptedAnswerID)
			if err != nil {
				return err
			}
		}
		if s.thread != 0 && post.ID != s.thread {
			if depth, above, err = s.place(tx, post); err != nil || above != "" {
				return err
			}
			start, err := community.VisiblePost(tx, s.thread, s.h.viewer)
			if err != nil {
				return err
			}
			posts = append(posts, start)
		}
		views, err := community.Load(tx, s.h.viewer, posts)
		if err != nil {
			return err
		}
		v, first = views[0], views[len(views)-1]
		return nil
	})
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if above != "" {
		return s.fragment("thread-above", "above", ThreadAbove{Missing{"arrow-right", s.h.l.T("thread.above_arrived")}, above})
	}
	if s.thread != 0 {
		if v.ID == s.thread {
			return s.opener(v, chosen, depth)
		}
		if s.h.hides(v) {
			return "", nil
		}
		node := s.p.node(s.h, v, first, depth)
		node.Post.Fresh = true
		return s.fragment("thread-node", node.Post.ID, node)
	}
	if s.h.hides(v) {
		return "", nil
	}
	card := s.p.card(s.h, v)
	card.Fresh = true
	return s.fragment("post-item", card.ID, card)
}

// answer brings a reply of the thread with its depth; nil when it is not for
// the reader.
func (s stream) answer(tx *store.Tx, id int64) (*community.View, int, error) {
	post, err := community.VisiblePost(tx, id, s.h.viewer)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	depth, above, err := s.place(tx, post)
	if err != nil || above != "" {
		return nil, 0, err
	}
	v, err := community.LoadOne(tx, s.h.viewer, post)
	return &v, depth, err
}

// place is how deep below the page's first post a reply stands. For what turned
// out to stand above that post, it is the address of the whole conversation.
func (s stream) place(tx *store.Tx, post community.Post) (depth int, above string, err error) {
	up, err := community.Above(tx, s.h.viewer, post)
	if err != nil {
		return 0, "", err
	}
	if at := slices.IndexFunc(up, func(p community.Post) bool { return p.ID == s.thread }); at >= 0 {
		return len(up) - at, "", nil
	}
	if post.ThreadID == s.thread { // further down than is looked
		return max(1, len(up)), "", nil
	}
	first, err := community.PostByID(tx, s.thread)
	if err != nil {
		return 0, "", err
	}
	if up, err = community.Above(tx, s.h.viewer, first); err != nil {
		return 0, "", err
	}
	if !slices.ContainsFunc(up, func(p community.Post) bool { return p.ID == post.ID }) {
		return 0, "", orNotFound(nil) // beside it
	}
	return 0, postPath(s.thread), nil
}

// opener is the thread's first post, set as on its page, and the answer that
// its asker chose.
func (s stream) opener(v community.View, chosen *community.View, depth int) (string, error) {
	card := s.p.card(s.h, v)
	card.Facts = append(card.Facts, s.p.licence(s.h, v.Post)...)
	var event string
	var err error
	if v.Kind == community.Practice {
		article := PracticeArticle{PostCard: card}
		article.HTML, article.Sections = sectionsOf(s.h.l, v.HTML)
		event, err = s.fragment("practice-article", card.ID, article)
	} else {
		event, err = s.fragment("post-whole", card.ID, card)
	}
	if err != nil || chosen == nil {
		return event, err
	}
	node := s.p.node(s.h, *chosen, v, depth)
	more, err := s.fragment("thread-node", node.Post.ID, node)
	return event + more, err
}

func orNotFound(err error) error {
	if err != nil {
		return err
	}
	return fault.New(fault.NotFound, "not in this stream")
}

// holds reports whether a post stands in the list that this stream is of.
func (s stream) holds(tx *store.Tx, post community.Post) (bool, error) {
	if kind, ok := map[string]community.FeedKind{"home": community.FeedHome, "school": community.FeedHere, "connected": community.FeedElsewhere,
		"practice": community.FeedPractice}[s.name]; ok {
		return community.Holds(tx, post, community.Feed{Kind: kind, Reader: s.h.me.ID})
	}
	if s.list != 0 {
		return community.Holds(tx, post, community.Feed{Kind: community.FeedList, Reader: s.h.me.ID, List: s.list})
	}
	if post.ThreadID == s.thread || post.BoostOfID != nil {
		return post.BoostOfID == nil, nil
	}
	first, err := community.PostByID(tx, s.thread) // what it answers may have come meanwhile
	return err == nil && first.ThreadID == post.ThreadID, err
}

// notification brings the bell's number, and on the page of notifications the
// newest of them.
func (s stream) notification(ctx context.Context) (string, error) {
	var unread int
	var newest []NotificationItem
	err := s.p.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if unread, err = community.Unread(tx, s.h.me.ID); err != nil || s.name != "notifications" || unread == 0 {
			return err
		}
		list, err := community.Notifications(tx, s.h.me.ID, store.Page{Limit: 1})
		if err != nil {
			return err
		}
		newest, err = s.p.told(tx, s.h, list, 0)
		return err
	})
	if err != nil {
		return "", err
	}
	event := fmt.Sprintf("event: unread\ndata: %d\n\n", unread)
	if len(newest) > 0 {
		item, err := s.fragment("notification", newest[0].ID, newest[0])
		return event + item, err
	}
	return event, nil
}

func (s stream) fragment(template, id string, view any) (string, error) {
	var b bytes.Buffer
	if err := s.p.templates.Fragment(&b, s.h.l, template, view); err != nil {
		return "", err
	}
	return "event: post\nid: " + id + "\n" + data(b.String()) + "\n", nil
}

// data writes what an event brings, a field a line.
func data(html string) string {
	return "data: " + strings.ReplaceAll(strings.ReplaceAll(html, "\r", ""), "\n", "\ndata: ") + "\n"
}
