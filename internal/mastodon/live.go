package mastodon

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// waitingEvents is how many events a listener may be behind before it is
	// dropped: it comes back and reads what it missed.
	waitingEvents = 64
	// waitingNews is how much news waits while other news is spread.
	waitingNews = 8192
	// newsAtOnce is how much news is looked at in one transaction.
	newsAtOnce = 64
	// lookAgain is how often it is asked whether listeners may still listen. It
	// finds those whose time is over; what else ends access is news.
	lookAgain = time.Minute
	// mostListeners bounds the streams of one person, and mostChannels what is
	// listened to through one of them.
	mostListeners = 32
	mostChannels  = 64
)

// Why a listener is sent away.
const (
	endLeft     = "left"
	endSlow     = "slow"
	endAccess   = "access" // the token or the person may not listen any more
	endMissed   = "missed" // news was lost, so that it has to look for itself
	endStopping = "stopping"
)

// channel is what is listened to: a stream as clients name it, of a tag or list.
type channel struct {
	name string
	tag  string // as the client wrote it
	list int64
}

// label is the channel as an event of a WebSocket names it.
func (ch channel) label() []string {
	switch {
	case ch.list != 0:
		return []string{ch.name, strconv.FormatInt(ch.list, 10)}
	case ch.tag != "":
		return []string{ch.name, ch.tag}
	}
	return []string{ch.name}
}

// feeds are the kinds of list that the streams are of.
var feeds = map[string]community.FeedKind{
	"user": community.FeedHome, "public": community.FeedPublic, "public:local": community.FeedHere, "public:remote": community.FeedElsewhere,
	"public:media": community.FeedPublic, "public:local:media": community.FeedHere, "public:remote:media": community.FeedElsewhere,
	"list": community.FeedList, "hashtag": community.FeedTag, "hashtag:local": community.FeedTagHere,
}

// feed is the list of posts that a channel is of for a reader; none for those
// that bring no posts.
func (ch channel) feed(reader int64) (community.Feed, bool) {
	kind, ok := feeds[ch.name]
	if !ok {
		return community.Feed{}, false
	}
	f := community.Feed{Kind: kind, Reader: reader, List: ch.list}
	switch ch.name {
	case "hashtag", "hashtag:local":
		f = community.TagFeed(reader, ch.tag, kind == community.FeedTagHere)
	case "public:media", "public:local:media", "public:remote:media":
		f.OnlyMedia = true
	}
	return f, true
}

// listener is one open stream. What is sent to it waits in out; gone is closed
// when it is sent away, and why says for what reason.
type listener struct {
	access   auth.Access
	socket   bool // a WebSocket: events name their channel
	out      chan []byte
	gone     chan struct{}
	why      string
	channels map[channel]community.Feed // guarded by live's mutex
}

func (l *listener) account() int64 { return l.access.Person.ID }

// hears reports whether the listener is told of notifications: only an app
// that may read them is, whatever else it listens to.
func (l *listener) hears() bool { return l.access.Scopes.Allow("read:notifications") }

// live spreads news among the listeners of one node. It listens only while
// somebody does. News says that something changed; what each listener is told
// is asked of the community then, once for all who are told the same.
type live struct {
	a *API

	mu        sync.Mutex
	listeners map[*listener]bool
	byAccount map[int64]int
	news      *store.Subscription // nil: nobody listens

	reactions map[int64]map[string]bool // of announcements, as told last; only run uses it
}

func newLive(a *API) *live {
	return &live{a: a, listeners: map[*listener]bool{}, byAccount: map[int64]int{}, reactions: map[int64]map[string]bool{}}
}

// topics are what streams tell of or must know.
var topics = []store.Topic{
	community.PostLanded, community.PostEdited, community.PostDeleted, community.NotificationMade, community.AccountChanged,
	community.FiltersChanged, community.NotificationsMerged, community.ConversationChanged, community.AnnouncementPosted,
	community.AnnouncementReacted, community.AnnouncementGone, auth.TokenEnded,
}

// join lets somebody listen. From the moment it returns nothing is missed.
func (v *live) join(access auth.Access, socket bool) (*listener, error) {
	l := &listener{access: access, socket: socket, out: make(chan []byte, waitingEvents), gone: make(chan struct{}), channels: map[channel]community.Feed{}}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.byAccount[l.account()] >= mostListeners {
		return nil, fault.New(fault.TooMany, "Too many streams are open at once.")
	}
	if v.news == nil {
		v.news = v.a.DB.Subscribe(topics...)
		go v.run(v.news)
	}
	v.listeners[l] = true
	v.byAccount[l.account()]++
	v.a.figures.streams(l, 1)
	return l, nil
}

// leave is said by a listener that goes. It may be said more than once.
func (v *live) leave(l *listener) { v.end(l, endLeft) }

func (v *live) end(l *listener, why string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.drop(l, why)
}

// drop is end for who holds the mutex.
func (v *live) drop(l *listener, why string) {
	if !v.listeners[l] {
		return
	}
	delete(v.listeners, l)
	if v.byAccount[l.account()]--; v.byAccount[l.account()] == 0 {
		delete(v.byAccount, l.account())
	}
	l.why = why
	close(l.gone)
	v.a.figures.streams(l, -1)
	v.a.figures.ended(why)
	if len(v.listeners) == 0 {
		v.news.Close()
		v.news = nil
	}
}

// endAll sends everybody away: what they missed they find in the lists.
func (v *live) endAll(why string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for l := range v.listeners {
		v.drop(l, why)
	}
}

// listen adds a channel. Twice the same is once. A list is only its owner's.
func (v *live) listen(ctx context.Context, l *listener, ch channel) error {
	if ch.list != 0 {
		err := v.a.DB.Read(ctx, func(tx *store.Tx) error {
			mine, err := community.OwnsList(tx, l.account(), ch.list)
			if err == nil && !mine {
				err = noSuchList()
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := l.channels[ch]; !ok && len(l.channels) >= mostChannels {
		return fault.New(fault.TooMany, "Too many streams are subscribed to through one connection.")
	}
	l.channels[ch], _ = ch.feed(l.account())
	return nil
}

func (v *live) unlisten(l *listener, ch channel) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(l.channels, ch)
}

// run spreads news until nobody listens any more, or the database closes.
func (v *live) run(news *store.Subscription) {
	backlog := make(chan store.News, waitingNews)
	go func() {
		defer close(backlog)
		for n := range news.C {
			select {
			case backlog <- n:
			default:
				backlog <- store.News{} // the worst case is waited for: everybody is sent away
			}
		}
	}()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		var batch []store.News
		select {
		case n, ok := <-backlog:
			if !ok {
				if v.mine(news) { // the database closes
					v.endAll(endStopping)
				}
				return
			}
			batch = append(batch, n)
		case <-tick.C:
			v.recheck(func(*listener) bool { return true })
			continue
		}
		for more := true; more && len(batch) < newsAtOnce; {
			select {
			case n, ok := <-backlog:
				if more = ok; ok && !slices.Contains(batch, n) {
					batch = append(batch, n)
				}
			default:
				more = false
			}
		}
		lost := news.Missed() || slices.ContainsFunc(batch, func(n store.News) bool { return n.ID == 0 && n.Key == "" })
		if !lost {
			if err := v.spread(batch); err != nil {
				v.a.Log.Error("news not spread; streams end and come back", "news", len(batch), "err", err)
				lost = true
			}
		}
		if lost && v.mine(news) {
			v.endAll(endMissed)
		}
	}
}

func (v *live) mine(news *store.Subscription) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.news == news
}

// recheck sends those away who may not listen any more. A role that changed
// counts as that: the app asks anew for what it may see now.
func (v *live) recheck(which func(l *listener) bool) {
	some := v.those(which)
	if len(some) == 0 {
		return
	}
	tokens := make([]int64, len(some))
	for i, l := range some {
		tokens[i] = l.access.Token.ID
	}
	var standing map[int64]community.Role
	err := v.a.DB.Read(context.Background(), func(tx *store.Tx) (err error) {
		standing, err = auth.Standing(tx, tokens)
		return err
	})
	if err != nil {
		v.a.Log.Error("open streams not looked at", "err", err)
		standing = nil // who cannot be asked about is sent away
	}
	for _, l := range some {
		if role, ok := standing[l.access.Token.ID]; !ok || role != l.access.Person.User.Role {
			v.end(l, endAccess)
		}
	}
}

// those returns listeners, as they are at this moment.
func (v *live) those(which func(l *listener) bool) []*listener {
	v.mu.Lock()
	defer v.mu.Unlock()
	var some []*listener
	for l := range v.listeners {
		if which(l) {
			some = append(some, l)
		}
	}
	return some
}

// event is one thing that streams tell, in the forms in which it is sent.
type event struct {
	name    string
	payload []byte // JSON or, for a deletion, the ID; nil: none
	sse     []byte
	frames  map[channel][]byte
}

// sent returns the event for a listener to a channel. Each form is made once.
func (e *event) sent(socket bool, ch channel) []byte {
	if !socket {
		if e.sse == nil {
			e.sse = slices.Concat([]byte("event: "+e.name+"\ndata: "), e.payload, []byte("\n\n"))
		}
		return e.sse
	}
	if e.frames == nil {
		e.frames = map[channel][]byte{}
	}
	if e.frames[ch] == nil {
		frame := struct {
			Stream  []string `json:"stream"`
			Event   string   `json:"event"`
			Payload *string  `json:"payload,omitempty"`
		}{Stream: ch.label(), Event: e.name}
		if e.payload != nil {
			text := string(e.payload)
			frame.Payload = &text
		}
		e.frames[ch] = encoded(frame)
	}
	return e.frames[ch]
}

// encoded is v as JSON on one line.
func encoded(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // entities hold nothing that JSON has no form for
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// place is a listener with one of its channels.
type place struct {
	l    *listener
	ch   channel
	feed community.Feed
}

// places returns where posts are listened to, where notifications are, and
// where conversations, by listener.
func (v *live) places() (posts, told, talks map[int64][]place) {
	posts, told, talks = map[int64][]place{}, map[int64][]place{}, map[int64][]place{}
	v.mu.Lock()
	defer v.mu.Unlock()
	for l := range v.listeners {
		me := l.account()
		for ch, feed := range l.channels {
			if feed.Kind != "" && l.access.Scopes.Allow("read:statuses") {
				posts[me] = append(posts[me], place{l, ch, feed})
			}
			if (ch.name == "user" || ch.name == "user:notification") && l.hears() {
				told[me] = append(told[me], place{l: l, ch: ch})
			}
			if ch.name == "direct" && l.access.Scopes.Allow("read:statuses") {
				talks[me] = append(talks[me], place{l: l, ch: ch})
			}
		}
	}
	return posts, told, talks
}

// send puts an event where it waits for its reader. Whoever has not taken what
// came before is dropped, so that nobody waits for them.
func (v *live) send(p place, e *event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, listens := p.l.channels[p.ch]; !listens || !v.listeners[p.l] {
		return
	}
	select {
	case p.l.out <- e.sent(p.l.socket, p.ch):
		v.a.figures.sent(e.name)
	default:
		v.drop(p.l, endSlow)
	}
}

// spread tells the listeners what news means to them.
func (v *live) spread(batch []store.News) error {
	access, tokens := map[int64]bool{}, map[int64]bool{}
	var notifications, conversations []int64
	var posts []store.News
	for _, n := range batch {
		switch n.Topic {
		case community.AccountChanged:
			access[n.ID] = true
		case auth.TokenEnded:
			tokens[n.ID] = true
		case community.NotificationMade:
			notifications = append(notifications, n.ID)
		case community.ConversationChanged:
			conversations = append(conversations, n.ID)
		case community.PostLanded, community.PostEdited, community.PostDeleted:
			posts = append(posts, n)
		}
	}
	if len(access)+len(tokens) > 0 { // first: who may not listen any more hears nothing of the rest
		v.recheck(func(l *listener) bool { return access[l.account()] || tokens[l.access.Token.ID] })
	}
	lists, told, talks := v.places()
	ctx := context.Background()
	ask := func(fn func(tx *store.Tx) ([]part, error)) error {
		var parts []part
		err := v.a.DB.Read(ctx, func(tx *store.Tx) (err error) {
			parts, err = fn(tx)
			return err
		})
		if err == nil {
			v.sendAll(parts)
		}
		return err
	}
	if len(posts) > 0 && len(lists) > 0 {
		for _, n := range posts {
			if err := ask(func(tx *store.Tx) ([]part, error) { return v.post(tx, n, lists) }); err != nil {
				return err
			}
		}
	}
	if len(notifications) > 0 && len(told) > 0 {
		if err := ask(func(tx *store.Tx) ([]part, error) { return v.notifications(tx, notifications, told) }); err != nil {
			return err
		}
	}
	if len(conversations) > 0 && len(talks) > 0 {
		if err := ask(func(tx *store.Tx) ([]part, error) { return v.conversations(tx, conversations, talks) }); err != nil {
			return err
		}
	}
	for _, n := range batch {
		switch n.Topic {
		case community.FiltersChanged:
			v.tellOwner(lists, n.ID, &event{name: "filters_changed"})
		case community.NotificationsMerged:
			v.tellOwner(told, n.ID, &event{name: "notifications_merged", payload: []byte("1")})
		case community.AnnouncementPosted, community.AnnouncementReacted, community.AnnouncementGone:
			if err := ask(func(tx *store.Tx) ([]part, error) { return v.announcement(tx, n, lists) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellOwner tells somebody's own streams.
func (v *live) tellOwner(where map[int64][]place, account int64, e *event) {
	for _, p := range where[account] {
		if p.ch.name == "user" || p.ch.name == "user:notification" && e.name == "notifications_merged" {
			v.send(p, e)
		}
	}
}

// part is an event and who is told it.
type part struct {
	event *event
	to    []place
}

func (v *live) sendAll(parts []part) {
	for _, p := range parts {
		for _, to := range p.to {
			v.send(to, p.event)
		}
	}
}

// post is what the news of a post means: one event for all who are shown the
// same, and others for each who is not.
func (v *live) post(tx *store.Tx, n store.News, lists map[int64][]place) ([]part, error) {
	if n.Topic == community.PostDeleted {
		return v.deleted(tx, n.ID, lists)
	}
	p, err := community.PostByID(tx, n.ID)
	if err != nil || p.DeletedAt != nil {
		return nil, ignoreNotFound(err) // it went meanwhile, which is news of its own
	}
	open := map[community.Feed]bool{}
	for _, places := range lists {
		for _, at := range places {
			open[at.feed] = true
		}
	}
	in, err := community.Holding(tx, p, slices.Collect(maps.Keys(open)))
	if err != nil || len(in) == 0 {
		return nil, err
	}
	holds := make(map[community.Feed]bool, len(in))
	var readers []int64
	for _, f := range in {
		holds[f] = true
		readers = append(readers, f.Reader)
	}
	apart, err := community.ShownApart(tx, p, readers)
	if err != nil {
		return nil, err
	}
	name := "update"
	if n.Topic == community.PostEdited {
		name = "status.update"
	}
	quotable, err := community.QuotableBy(tx, p, unique(readers))
	if err != nil {
		return nil, err
	}
	var parts []part
	shared := map[string]int{} // what all are told who may quote the same
	for reader, places := range lists {
		to := slices.DeleteFunc(slices.Clone(places), func(at place) bool { return !holds[at.feed] })
		if len(to) == 0 {
			continue
		}
		at, told := shared[quotable[reader]]
		if !apart[reader] && told {
			parts[at].to = append(parts[at].to, to...)
			continue
		}
		payload, err := v.status(tx, to[0].l, p)
		if err != nil {
			return nil, err
		}
		if payload == nil { // what it passes on is gone
			continue
		}
		if !apart[reader] {
			shared[quotable[reader]] = len(parts)
		}
		parts = append(parts, part{&event{name: name, payload: payload}, to})
	}
	return parts, nil
}

// as is a call of a listener's, for what shapes answers.
func (v *live) as(l *listener) *call {
	return &call{access: l.access, me: l.access.Person.Account, viewer: community.Viewer{ID: l.account(), Local: true}}
}

// status is a post as the listener's timeline has it.
func (v *live) status(tx *store.Tx, l *listener, p community.Post) ([]byte, error) {
	c := v.as(l)
	views, err := community.Load(tx, c.viewer, []community.Post{p})
	if err != nil {
		return nil, err
	}
	shown := v.a.statuses(c, views)
	if len(shown) == 0 {
		return nil, nil
	}
	return encoded(shown[0]), nil
}

// deleted tells of a post that is gone those who could have seen it.
func (v *live) deleted(tx *store.Tx, id int64, lists map[int64][]place) ([]part, error) {
	readers := make([]int64, 0, len(lists))
	for reader := range lists {
		readers = append(readers, reader)
	}
	p, told, err := community.Departed(tx, id, readers)
	if err != nil {
		return nil, ignoreNotFound(err)
	}
	gone := part{event: &event{name: "delete", payload: []byte(strconv.FormatInt(id, 10))}}
	for _, places := range lists {
		for _, at := range places {
			if at.feed.Held(p, told) {
				gone.to = append(gone.to, at)
			}
		}
	}
	return []part{gone}, nil
}

// notifications tells people what they are notified of.
func (v *live) notifications(tx *store.Tx, ids []int64, told map[int64][]place) ([]part, error) {
	made, err := community.NotificationsMade(tx, ids)
	if err != nil {
		return nil, err
	}
	var parts []part
	for _, n := range made {
		to := told[n.AccountID]
		if len(to) == 0 {
			continue
		}
		n, err := community.NotificationByID(tx, n.AccountID, n.ID) // if they are shown it
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		shown, err := v.a.told(tx, v.as(to[0].l), []community.Notification{n})
		if err != nil {
			return nil, err
		}
		if len(shown) > 0 {
			parts = append(parts, part{&event{name: "notification", payload: encoded(shown[0])}, to})
		}
	}
	return parts, nil
}

func ignoreNotFound(err error) error {
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) {
		return nil
	}
	return err
}

// conversations tells people of what changed in their conversations.
func (v *live) conversations(tx *store.Tx, ids []int64, talks map[int64][]place) ([]part, error) {
	changed, err := community.TalksChanged(tx, ids)
	if err != nil {
		return nil, err
	}
	var parts []part
	for _, t := range changed {
		to := talks[t.AccountID]
		if len(to) == 0 {
			continue
		}
		c := v.as(to[0].l)
		t, err := community.TalkByID(tx, c.viewer, t.ID) // if they are shown it
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		shown, err := v.a.talks(tx, c, []community.Talk{t})
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{&event{name: "conversation", payload: encoded(shown[0])}, to})
	}
	return parts, nil
}

// announcement tells everybody's own streams what became of an announcement.
// All are told the same, so that it says nothing of what each of them read.
func (v *live) announcement(tx *store.Tx, n store.News, lists map[int64][]place) ([]part, error) {
	var to []place
	for _, places := range lists {
		for _, at := range places {
			if at.ch.name == "user" {
				to = append(to, at)
			}
		}
	}
	if len(to) == 0 {
		return nil, nil
	}
	view, err := community.CurrentAnnouncement(tx, 0, n.ID)
	switch {
	case fault.Is(err, fault.NotFound):
		delete(v.reactions, n.ID)
		return []part{{&event{name: "announcement.delete", payload: []byte(strconv.FormatInt(n.ID, 10))}, to}}, nil
	case err != nil:
		return nil, err
	}
	shown := announcement(view)
	now := make(map[string]bool, len(shown.Reactions))
	var parts []part
	for _, r := range shown.Reactions {
		now[r.Name] = true
		parts = append(parts, part{&event{name: "announcement.reaction", payload: reactionEvent(n.ID, r.Name, r.Count)}, to})
	}
	for name := range v.reactions[n.ID] {
		if !now[name] {
			parts = append(parts, part{&event{name: "announcement.reaction", payload: reactionEvent(n.ID, name, 0)}, to})
		}
	}
	v.reactions[n.ID] = now
	if n.Topic == community.AnnouncementPosted {
		parts = []part{{&event{name: "announcement", payload: encoded(shown)}, to}}
	}
	return parts, nil
}

func reactionEvent(announcement int64, name string, count int) []byte {
	return encoded(struct {
		Name         string `json:"name"`
		Count        int    `json:"count"`
		Announcement int64  `json:"announcement_id,string"`
	}{name, count, announcement})
}
