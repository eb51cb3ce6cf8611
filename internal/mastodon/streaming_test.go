package mastodon

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// heard is one event of a stream, or what a WebSocket answers.
type heard struct {
	Stream  []string
	Event   string
	Payload string
	Error   string
	Status  int
}

// id is the id of the status or notification that an event brings.
func (h heard) id() string {
	var s struct{ ID string }
	if json.Unmarshal([]byte(h.Payload), &s) != nil || s.ID == "" {
		return h.Payload
	}
	return s.ID
}

// ear is an open stream. events is closed when the stream ends.
type ear struct {
	w      *world
	events chan heard
	close  func()
	conn   *websocket.Conn
	ended  error // once events is closed
}

// soon is how long a test waits for what must come.
const soon = 20 * time.Second

func (e *ear) next() heard {
	e.w.t.Helper()
	select {
	case h, ok := <-e.events:
		if !ok {
			e.w.t.Fatalf("the stream ended: %v", e.ended)
		}
		return h
	case <-time.After(soon):
		e.w.t.Fatal("nothing was heard")
		return heard{}
	}
}

// want hears one event and returns it.
func (e *ear) want(event, id string) heard {
	e.w.t.Helper()
	h := e.next()
	if h.Event != event || id != "" && h.id() != id {
		e.w.t.Fatalf("heard %q of %s (%s %d), want %q of %s", h.Event, h.id(), h.Error, h.Status, event, id)
	}
	return h
}

// both hears one event of each of two kinds, in whichever order their
// transactions have them told, and returns them in the order of the kinds.
func (e *ear) both(one, other string) (heard, heard) {
	e.w.t.Helper()
	first, second := e.next(), e.next()
	if first.Event == other {
		first, second = second, first
	}
	if first.Event != one || second.Event != other {
		e.w.t.Fatalf("heard %q of %s and %q of %s, want %q and %q", first.Event, first.id(), second.Event, second.id(), one, other)
	}
	return first, second
}

func (e *ear) wantEnd() error {
	e.w.t.Helper()
	for {
		select {
		case _, ok := <-e.events:
			if !ok {
				return e.ended
			}
		case <-time.After(soon):
			e.w.t.Fatal("the stream does not end")
		}
	}
}

// serve puts the API behind a real listener.
func (w *world) serve() *httptest.Server {
	s := httptest.NewServer(w.h)
	w.t.Cleanup(s.Close)
	return s
}

// hear opens a stream of events.
func (c *client) hear(s *httptest.Server, path string) *ear {
	c.w.t.Helper()
	ctx, cancel := context.WithCancel(c.w.t.Context())
	c.w.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/v1/streaming/"+path, nil)
	if err != nil {
		c.w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		c.w.t.Fatal(err)
	}
	h := res.Header
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(h.Get("Content-Type"), "text/event-stream") || h.Get("Content-Encoding") != "" ||
		h.Get("X-Accel-Buffering") != "no" || h.Get("Access-Control-Allow-Origin") != "*" {
		c.w.t.Fatalf("%s is answered %s %v", path, res.Status, h)
	}
	e := &ear{w: c.w, events: make(chan heard, 1000), close: cancel}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() || lines.Text() != ":)" {
		c.w.t.Fatalf("the stream begins with %q", lines.Text())
	}
	go func() {
		defer close(e.events)
		defer res.Body.Close()
		var now heard
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case name == "event":
				now.Event = value
			case name == "data":
				now.Payload = value
			case lines.Text() == "" && now.Event != "":
				e.events <- now
				now = heard{}
			}
		}
		e.ended = lines.Err()
	}()
	return e
}

// socket opens a WebSocket; the token goes in the header unless options say otherwise.
func (c *client) socket(s *httptest.Server, query string) *ear {
	c.w.t.Helper()
	return c.dial(s, query, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + c.token}, "Origin": {"https://phanpy.test"}}})
}

func (c *client) dial(s *httptest.Server, query string, options *websocket.DialOptions) *ear {
	c.w.t.Helper()
	ctx, cancel := context.WithCancel(c.w.t.Context())
	c.w.t.Cleanup(cancel)
	conn, res, err := websocket.Dial(ctx, strings.Replace(s.URL, "http", "ws", 1)+"/api/v1/streaming"+query, options)
	if err != nil {
		c.w.t.Fatalf("dial %s: %v %v", query, err, res)
	}
	conn.SetReadLimit(1 << 20)
	e := &ear{w: c.w, events: make(chan heard, 1000), close: cancel, conn: conn}
	go func() {
		defer close(e.events)
		for {
			_, b, err := conn.Read(ctx)
			if err != nil {
				e.ended = err
				return
			}
			var h heard
			if err := json.Unmarshal(b, &h); err != nil {
				e.ended = err
				return
			}
			e.events <- h
		}
	}()
	return e
}

func (e *ear) say(message string) {
	e.w.t.Helper()
	if err := e.conn.Write(e.w.t.Context(), websocket.MessageText, []byte(message)); err != nil {
		e.w.t.Fatal(err)
	}
}

// settle waits until what was said is done: messages are read in their order,
// and nonsense is answered.
func (e *ear) settle() {
	e.w.t.Helper()
	e.say("nonsense")
	if h := e.next(); h.Error == "" {
		e.w.t.Fatalf("heard %+v", h)
	}
}

// left waits until nobody of the person listens any more.
func (w *world) left(who *client, leave func()) {
	w.t.Helper()
	some := w.api.live.those(func(l *listener) bool { return l.account() == who.me.ID })
	leave()
	for _, l := range some {
		select {
		case <-l.gone:
		case <-time.After(soon):
			w.t.Fatal("a stream stays open")
		}
	}
}

func (c *client) follow(other *client) {
	c.w.t.Helper()
	c.w.write(func(tx *store.Tx) error {
		_, err := community.Follow(tx, c.me, other.me)
		return err
	})
}

func TestStreamOfEvents(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s := w.serve()
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		bo.follow(amira)
		home, all, told, tag := bo.hear(s, "user"), bo.hear(s, "public"), bo.hear(s, "user/notification"), bo.hear(s, "hashtag?tag=Ph%C3%B6nix")
		first := amira.post(map[string]any{"status": "Exit tickets with @bo #Phönix", "visibility": "public"})
		arrived, mention := home.both("update", "notification")
		for _, h := range []heard{arrived, all.want("update", ""), tag.want("update", "")} {
			var got said
			if err := json.Unmarshal([]byte(h.Payload), &got); err != nil || got.ID != first.ID || got.Favourited == nil {
				t.Errorf("heard %+v (%v)", h, err)
			}
		}
		var n struct {
			Type   string
			Status said
		}
		h := told.want("notification", mention.id())
		if err := json.Unmarshal([]byte(h.Payload), &n); err != nil || n.Type != "mention" || n.Status.ID != first.ID {
			t.Errorf("told %+v (%v)", n, err)
		}
		if res := amira.json(http.MethodPut, "/api/v1/statuses/"+first.ID, map[string]any{"status": "Exit tickets, again #Phönix"}); res.Code != http.StatusOK {
			t.Fatalf("edit: %d %s", res.Code, res.Body)
		}
		for _, e := range []*ear{home, all, tag} {
			if h := e.want("status.update", first.ID); !strings.Contains(h.Payload, "again") {
				t.Errorf("the edit is told as %s", h.Payload)
			}
		}
		if res := amira.do(http.MethodDelete, "/api/v1/statuses/"+first.ID, "", nil); res.Code != http.StatusOK {
			t.Fatalf("delete: %d %s", res.Code, res.Body)
		}
		for _, e := range []*ear{home, all, tag} {
			if h := e.want("delete", first.ID); h.Payload != first.ID {
				t.Errorf("the deletion is told as %s", h.Payload)
			}
		}
	})
}

func TestSocket(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s := w.serve()
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		bo.follow(amira)
		e := bo.dial(s, "?stream=user", &websocket.DialOptions{Subprotocols: []string{bo.token}})
		if e.conn.Subprotocol() != bo.token {
			t.Error("the token does not come back as the protocol, which browsers take for a failure")
		}
		byQuery := bo.dial(s, "?stream=public:local&access_token="+url.QueryEscape(bo.token), nil)
		e.say(`{"type":"subscribe","stream":"hashtag","tag":"Phonics"}`)
		e.say(`{"type":"subscribe","stream":"hashtag","tag":"Phonics"}`)
		e.settle()
		byQuery.settle()
		p := amira.post(map[string]any{"status": "Blending #phonics", "visibility": "public"})
		seen := map[string]bool{}
		for range 2 {
			h := e.want("update", p.ID)
			seen[strings.Join(h.Stream, " ")] = true
		}
		if !seen["user"] || !seen["hashtag Phonics"] {
			t.Errorf("heard through %v", seen)
		}
		if h := byQuery.want("update", p.ID); !slices.Equal(h.Stream, []string{"public:local"}) {
			t.Errorf("heard through %v", h.Stream)
		}
		for _, tt := range []struct {
			message, error string
			status         int
		}{
			{`{"type":"subscribe","stream":"gossip"}`, "Unknown stream type", 400},
			{`{"type":"subscribe","stream":"hashtag"}`, "Missing tag name parameter", 400},
			{`{"type":"subscribe","stream":"list","list":"77"}`, "Not authorized to stream this list", 401},
			{`{"type":"subscribe","stream":"list","list":77}`, "Not authorized to stream this list", 401},
			{`{"type":"dance"}`, "Unknown message type", 400},
			{`nonsense`, "Invalid JSON message", 400},
		} {
			e.say(tt.message)
			if h := e.next(); h.Error != tt.error || h.Status != tt.status {
				t.Errorf("%s is answered %+v", tt.message, h)
			}
		}
		e.say(`{"type":"unsubscribe","stream":"hashtag","tag":"Phonics"}`)
		e.settle()
		second := amira.post(map[string]any{"status": "Blending more #phonics", "visibility": "public"})
		third := amira.post(map[string]any{"status": "Segmenting #phonics", "visibility": "public"})
		for _, id := range []string{second.ID, third.ID} { // once each: no longer by the tag
			if h := e.want("update", id); !slices.Equal(h.Stream, []string{"user"}) {
				t.Errorf("heard through %v", h.Stream)
			}
		}
		e.say(`{"type":"subscribe","stream":"` + strings.Repeat("x", maxAsk) + `"}`)
		if err := e.wantEnd(); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
			t.Errorf("a message that is too long ends the stream with %v", err)
		}
	})
}

func TestStreamsAreRefused(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bo := w.person("bo", community.Member)
		onlyPosts := &client{w: w, me: bo.me, token: w.signIn(bo.me, "read:statuses")}
		onlyNotes := &client{w: w, me: bo.me, token: w.signIn(bo.me, "read:notifications")}
		none := &client{w: w, me: bo.me, token: w.signIn(bo.me, "write")}
		for _, tt := range []struct {
			c      *client
			path   string
			status int
		}{
			{w.guest(), "/user", 401},
			{w.guest(), "/public", 401},
			{&client{w: w, token: "wrong"}, "/user", 401},
			{none, "/user", 401},
			{none, "/public", 401},
			{onlyPosts, "/user/notification", 401},
			{onlyNotes, "/public", 401},
			{onlyNotes, "/direct", 401},
			{bo, "/hashtag", 400},
			{bo, "/list", 400},
			{bo, "/list?list=9", 401},
			{bo, "", 404},
			{bo, "/nothing", 404},
		} {
			if res := tt.c.get("/api/v1/streaming" + tt.path); res.Code != tt.status || res.text("error") == "" {
				t.Errorf("%s: %d %s, want %d", tt.path, res.Code, res.Body, tt.status)
			}
		}
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/v1/streaming/health", nil))
		if rec.Code != http.StatusOK || rec.Body.String() != "OK" {
			t.Errorf("health: %d %s", rec.Code, rec.Body)
		}
		s := w.serve()
		if _, res, err := websocket.Dial(t.Context(), s.URL+"/api/v1/streaming?stream=user&access_token=wrong", nil); err == nil || res.StatusCode != http.StatusUnauthorized {
			t.Errorf("a wrong token opens a WebSocket: %v %v", res, err)
		}
		// An app that may read notifications only hears of nothing else.
		amira := w.person("amira", community.Member)
		bo.follow(amira)
		e, f := onlyNotes.hear(s, "user"), onlyPosts.hear(s, "user")
		p := amira.post(map[string]any{"status": "Sound buttons, @bo", "visibility": "public"})
		e.want("notification", "")
		f.want("update", p.ID)
		q := amira.post(map[string]any{"status": "Sound mats, @bo", "visibility": "public"})
		e.want("notification", "")
		f.want("update", q.ID)
	})
}

// What a stream brings is what its timeline holds, for every reader and every
// audience; and of what is deleted hears who could have seen it.
func TestStreamsLeakNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s := w.serve()
		amira := w.person("amira", community.Member)
		readers := map[string]*client{}
		ears := map[string][]*ear{}
		for _, name := range []string{"follower", "stranger", "named", "muter", "blocker", "blocked"} {
			readers[name] = w.person(name, community.Member)
		}
		for _, name := range []string{"follower", "muter"} {
			readers[name].follow(amira)
		}
		w.write(func(tx *store.Tx) error {
			if err := community.Mute(tx, readers["muter"].me, amira.me, false, nil); err != nil {
				return err
			}
			if err := community.Block(tx, readers["blocker"].me, amira.me); err != nil {
				return err
			}
			return community.Block(tx, amira.me, readers["blocked"].me)
		})
		readers["author"] = amira
		paths := map[string]string{"user": "/api/v1/timelines/home", "public": "/api/v1/timelines/public", "public/local": "/api/v1/timelines/public?local=true",
			"hashtag?tag=maths": "/api/v1/timelines/tag/maths"}
		for name, c := range readers {
			for stream := range paths {
				ears[name+" "+stream] = append(ears[name+" "+stream], c.hear(s, stream))
			}
		}
		var all []string
		for _, visibility := range []string{"public", "unlisted", "private", "direct"} {
			for _, text := range []string{"Number lines #maths", "@named Number lines #maths"} {
				all = append(all, amira.post(map[string]any{"status": text, "visibility": visibility}).ID)
			}
		}
		for _, audience := range []community.Audience{community.Me, community.School, community.Network} {
			w.write(func(tx *store.Tx) error {
				p, err := community.Publish(tx, amira.me, community.Draft{Kind: community.Note, Audience: audience, Source: "Bar models #maths"})
				all = append(all, path(p.ID))
				return err
			})
		}
		for name, c := range readers {
			for stream, timeline := range paths {
				want := c.get(timeline).ids()
				slices.Reverse(want)
				e := ears[name+" "+stream][0]
				for _, id := range want {
					h := e.next()
					for h.Event == "notification" {
						h = e.next()
					}
					if h.Event != "update" || h.id() != id {
						t.Fatalf("%s hears %s %s of %s, want %s of %v", name, h.Event, h.id(), stream, id, want)
					}
				}
			}
		}
		seen := map[string][]string{}
		for name, c := range readers {
			for _, id := range all {
				if c.get("/api/v1/statuses/"+id).Code == http.StatusOK {
					seen[name] = append(seen[name], id)
				}
			}
		}
		for _, id := range all {
			if res := amira.do(http.MethodDelete, "/api/v1/statuses/"+id, "", nil); res.Code != http.StatusOK {
				t.Fatalf("delete: %d %s", res.Code, res.Body)
			}
		}
		// Something that everybody hears, to know where the deletions end.
		bell := w.person("bell", community.Member)
		last := bell.post(map[string]any{"status": "Bell work #maths", "visibility": "public"})
		for name := range readers {
			e := ears[name+" public"][0]
			var gone []string
			for h := e.next(); h.Event != "update"; h = e.next() {
				gone = append(gone, h.Payload)
			}
			if name == "muter" { // a mute is no secret kept from the muter
				continue
			}
			if !slices.Equal(gone, seen[name]) {
				t.Errorf("%s hears of the end of %v, and saw %v", name, gone, seen[name])
			}
			if e.ended != nil || last.ID == "" {
				t.Errorf("%s: %v", name, e.ended)
			}
		}
	})
}

// A stream shows a post as the reader's own request for it would.
func TestStreamsShowWhatReadersDid(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s := w.serve()
		amira, bo, cy := w.person("amira", community.Member), w.person("bo", community.Member), w.person("cy", community.Member)
		bo.follow(amira)
		cy.follow(amira)
		old := w.person("di", community.Member).post(map[string]any{"status": "Talk partners", "visibility": "public",
			"poll": map[string]any{"options": []string{"Yes", "No"}, "expires_in": 3600}})
		bo.act("/api/v1/statuses/" + old.ID + "/favourite")
		bo.act("/api/v1/statuses/" + old.ID + "/bookmark")
		ears := map[*client]*ear{amira: amira.hear(s, "user"), bo: bo.hear(s, "user"), cy: cy.hear(s, "user")}
		if res := amira.act("/api/v1/statuses/" + old.ID + "/reblog"); res.Code != http.StatusOK {
			t.Fatalf("reblog: %d %s", res.Code, res.Body)
		}
		for c, e := range ears {
			h := e.want("update", "")
			res := c.get("/api/v1/statuses/" + h.id())
			if res.Code != http.StatusOK || strings.TrimSpace(res.Body.String()) != h.Payload {
				t.Errorf("%s hears\n%s\nand reads\n%s", c.me.Username, h.Payload, res.Body)
			}
		}
	})
}

func TestStreamsEndWithAccess(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s := w.serve()
		owner := w.person("olga", community.Owner)
		bo, cy, di, el := w.person("bo", community.Member), w.person("cy", community.Member), w.person("di", community.Member), w.person("el", community.Member)
		stays := bo.hear(s, "user")
		other := &client{w: w, me: bo.me, token: w.signIn(bo.me, "read")}
		ends := []*ear{other.hear(s, "user"), other.socket(s, "?stream=user"), cy.hear(s, "public"), di.hear(s, "user"), el.socket(s, "")}
		w.write(func(tx *store.Tx) error {
			tokens, err := auth.Grants(tx, bo.me.ID)
			if err != nil {
				return err
			}
			if err := auth.EndGrant(tx, bo.me.ID, tokens[0].Token.ID); err != nil {
				return err
			}
			if err := community.Disable(tx, owner.me.ID, cy.me.ID, ""); err != nil {
				return err
			}
			if err := community.SetRole(tx, owner.me.ID, di.me.ID, community.Moderator, nil); err != nil {
				return err
			}
			return community.DeleteAccount(tx, owner.me.ID, el.me.ID, "")
		})
		for i, e := range ends {
			err := e.wantEnd()
			if e.conn != nil && websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
				t.Errorf("stream %d ends with %v", i, err)
			}
		}
		p := bo.post(map[string]any{"status": "Still here", "visibility": "public"})
		stays.want("update", p.ID)
	})
}

// Who does not take what is sent is dropped, and nobody waits for them.
func TestSlowListener(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s := w.serve()
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		access, err := w.a.Bearer(t.Context(), bo.token)
		if err != nil {
			t.Fatal(err)
		}
		slow, err := w.api.live.join(access, false)
		if err == nil {
			err = w.api.live.listen(t.Context(), slow, channel{name: "public"})
		}
		if err != nil {
			t.Fatal(err)
		}
		quick := bo.hear(s, "public")
		for i := range waitingEvents + 1 {
			p := amira.post(map[string]any{"status": "Times tables " + strconv.Itoa(i), "visibility": "public"})
			quick.want("update", p.ID)
		}
		<-slow.gone
		if slow.why != endSlow || len(slow.out) != waitingEvents {
			t.Errorf("the slow listener ended as %q with %d events waiting", slow.why, len(slow.out))
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s := w.serve()
		bo := w.person("bo", community.Member)
		e := bo.socket(s, "")
		for i := range mostChannels {
			e.say(`{"type":"subscribe","stream":"hashtag","tag":"t` + strconv.Itoa(i) + `"}`)
		}
		e.settle()
		e.say(`{"type":"subscribe","stream":"user"}`)
		if h := e.next(); h.Status != http.StatusTooManyRequests {
			t.Errorf("one channel too many is answered %+v", h)
		}
		more := make([]*ear, mostListeners-1)
		for i := range more {
			more[i] = bo.hear(s, "user")
		}
		if res := bo.get("/api/v1/streaming/user"); res.Code != http.StatusTooManyRequests {
			t.Errorf("one stream too many is answered %d %s", res.Code, res.Body)
		}
		w.left(bo, func() {
			e.close()
			for _, e := range more {
				e.close()
			}
		})
		bo.hear(s, "user")
	})
}

// One that disconnects and returns misses nothing: what it did not hear it
// reads from where it stopped.
func TestReturningListenerMissesNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s := w.serve()
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		bo.follow(amira)
		var posts []string
		write := func(n int) {
			for range n {
				posts = append(posts, amira.post(map[string]any{"status": "Plenary " + strconv.Itoa(len(posts)) + " for @bo", "visibility": "private"}).ID)
			}
		}
		var statuses, told []string
		take := func(e *ear, n int) {
			for range 2 * n {
				if h := e.next(); h.Event == "update" {
					statuses = append(statuses, h.id())
				} else {
					told = append(told, h.id())
				}
			}
		}
		catchUp := func(list string, have []string) []string {
			for {
				ids := bo.listIDs("/api/v1/" + list + "?limit=3&min_id=" + have[len(have)-1])
				if len(ids) == 0 {
					return have
				}
				slices.Reverse(ids)
				have = append(have, ids...)
			}
		}
		e := bo.socket(s, "?stream=user")
		e.settle()
		write(3)
		take(e, 3)
		w.left(bo, e.close)
		write(8) // nobody listens
		e = bo.socket(s, "?stream=user")
		e.settle()
		statuses, told = catchUp("timelines/home", statuses), catchUp("notifications", told)
		write(2)
		take(e, 2)
		if !slices.Equal(statuses, posts) {
			t.Errorf("heard and read %v, want %v", statuses, posts)
		}
		every := bo.listIDs("/api/v1/notifications?limit=80")
		slices.Reverse(every)
		if !slices.Equal(told, every) || len(every) != len(posts) {
			t.Errorf("told of %v, want %v", told, every)
		}
	})
}

// listIDs are the ids of a list's items themselves.
func (c *client) listIDs(path string) []string {
	c.w.t.Helper()
	var list []struct{ ID string }
	c.get(path).into(&list)
	var out []string
	for _, i := range list {
		out = append(out, i.ID)
	}
	return out
}

func FuzzAsked(f *testing.F) {
	for _, s := range []string{`{"type":"subscribe","stream":"user"}`, `{"type":"unsubscribe","stream":"list","list":7}`,
		`{"type":"subscribe","stream":"hashtag","tag":"\u0000"}`, `[]`, `{"type":1}`} {
		f.Add([]byte(s))
	}
	a := &API{}
	f.Fuzz(func(t *testing.T, message []byte) {
		q, err := parseAsked(message)
		if err != nil {
			return
		}
		ch, err := a.channelOf(auth.Access{Scopes: auth.Scopes{"read"}}, q.Stream, q.Tag, string(q.List))
		if err != nil {
			return
		}
		if _, err := json.Marshal(ch.label()); err != nil || len(ch.tag) > maxTag || ch.list < 0 {
			t.Errorf("%q is a channel %+v (%v)", message, ch, err)
		}
	})
}

// What happens on one node is heard on the other, and access that ends there
// ends here.
func TestStreamsOfTwoNodes(t *testing.T) {
	server := os.Getenv("CHALKRING_TEST_POSTGRES")
	if server == "" {
		t.Skip("two nodes need PostgreSQL")
	}
	database := storetest.Postgres(t)
	here, there := worldOn(t, storetest.OpenURL(t, database)), worldOn(t, storetest.OpenURL(t, database))
	here.write(community.EnsureSite)
	amira, bo := there.person("amira", community.Member), here.person("bo", community.Member)
	bo.follow(amira)
	s := here.serve()
	home, ends := bo.hear(s, "user"), (&client{w: here, me: bo.me, token: here.signIn(bo.me, "read")}).socket(s, "?stream=user")
	ends.settle()
	p := amira.post(map[string]any{"status": "From the other node, @bo", "visibility": "private"})
	heard := map[string]bool{home.next().Event: true, home.next().Event: true}
	if !heard["update"] || !heard["notification"] {
		t.Errorf("heard %v of %s", heard, p.ID)
	}
	there.write(func(tx *store.Tx) error {
		tokens, err := auth.Grants(tx, bo.me.ID)
		if err != nil {
			return err
		}
		return auth.EndGrant(tx, bo.me.ID, tokens[0].Token.ID)
	})
	ends.wantEnd()
}

// Conversations are told to those who take part, announcements to everybody.
func TestStreamsOfConversationsAndAnnouncements(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s := w.serve()
		olga := w.person("olga", community.Owner)
		amira, bo := w.person("amira", community.Member), w.person("bo", community.Member)
		direct, other, home := bo.hear(s, "direct"), olga.hear(s, "direct"), olga.hear(s, "user")
		p := amira.post(map[string]any{"status": "@bo about Tom", "visibility": "direct"})
		var talk struct {
			Unread bool
			Last   said `json:"last_status"`
		}
		h := direct.want("conversation", "")
		if err := json.Unmarshal([]byte(h.Payload), &talk); err != nil || !talk.Unread || talk.Last.ID != p.ID {
			t.Errorf("heard %s (%v)", h.Payload, err)
		}
		second := amira.post(map[string]any{"status": "@olga and this", "visibility": "direct"})
		if h := other.want("conversation", ""); !strings.Contains(h.Payload, second.ID) || strings.Contains(h.Payload, p.ID) {
			t.Errorf("somebody else hears %s", h.Payload)
		}
		home.want("notification", "")
		var a community.Announcement
		w.write(func(tx *store.Tx) (err error) {
			a, err = community.WriteAnnouncement(tx, olga.me, 0, community.AnnouncementDraft{Source: "School starts at ten tomorrow"})
			return err
		})
		home.want("announcement", path(a.ID))
		w.write(func(tx *store.Tx) error { return community.ReactToAnnouncement(tx, bo.me.ID, a.ID, "👍") })
		if h := home.want("announcement.reaction", ""); !strings.Contains(h.Payload, `"count":1`) {
			t.Errorf("heard %s", h.Payload)
		}
		w.write(func(tx *store.Tx) error { return community.UnreactToAnnouncement(tx, bo.me.ID, a.ID, "👍") })
		if h := home.want("announcement.reaction", ""); !strings.Contains(h.Payload, `"count":0`) {
			t.Errorf("heard %s", h.Payload)
		}
		w.write(func(tx *store.Tx) error { return community.EndAnnouncement(tx, olga.me, a.ID) })
		if h := home.want("announcement.delete", ""); h.Payload != path(a.ID) {
			t.Errorf("heard %s", h.Payload)
		}
	})
}

// BenchmarkLiveThousand measures what one post costs with a thousand listeners.
func BenchmarkLiveThousand(b *testing.B) {
	w := worldOn(b, storetest.Open(b))
	w.write(community.EnsureSite)
	amira := w.person("amira", community.Member)
	const listeners = 1000
	w.write(func(tx *store.Tx) error {
		for i := range listeners {
			id := tx.NewID()
			for _, row := range []any{
				&community.Account{ID: id, Username: "r" + strconv.Itoa(i), ActorType: "Person", Fields: []community.Field{}, AlsoKnownAs: []string{}, AttributionDomains: []string{}, CreatedAt: tx.Now, UpdatedAt: tx.Now},
				&community.User{AccountID: id, PasswordHash: "x", Role: community.Member, State: community.Active, DefaultAudience: community.School, CreatedAt: tx.Now},
				&community.FollowRow{ID: tx.NewID(), FollowerID: id, TargetID: amira.me.ID, FollowerLocal: true, State: community.FollowAccepted, CreatedAt: tx.Now},
			} {
				if err := tx.Create(row).Error; err != nil {
					return err
				}
			}
			l, err := w.api.live.join(auth.Access{Token: auth.Token{ID: id}, Scopes: auth.Scopes{"read"}, Person: community.Person{Account: community.Account{ID: id}}}, true)
			if err == nil {
				err = w.api.live.listen(context.Background(), l, channel{name: "user"})
			}
			if err != nil {
				return err
			}
			go func() {
				for range l.out {
				}
			}()
		}
		return nil
	})
	p := amira.post(map[string]any{"status": "Exit tickets in five minutes", "visibility": "private"})
	id, _ := strconv.ParseInt(p.ID, 10, 64)
	b.ResetTimer()
	for b.Loop() {
		if err := w.api.live.spread([]store.News{{Topic: community.PostLanded, ID: id}}); err != nil {
			b.Fatal(err)
		}
	}
	if n := len(w.api.live.those(func(*listener) bool { return true })); n != listeners {
		b.Errorf("%d of the listeners are left", n)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/listeners, "us/event")
}

// A stream outlives the time that the server gives a request, and ends when the
// server stops.
func TestStreamsOutliveRequestsAndEndWithTheServer(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const limit = 100 * time.Millisecond
		base, stop := context.WithCancel(t.Context())
		s := httptest.NewUnstartedServer(w.h)
		s.Config.ReadTimeout, s.Config.WriteTimeout = limit, limit
		s.Config.BaseContext = func(net.Listener) context.Context { return base }
		s.Start()
		t.Cleanup(s.Close)
		bo := w.person("bo", community.Member)
		e, f := bo.hear(s, "user"), bo.socket(s, "?stream=user")
		f.settle()
		select {
		case _, open := <-e.events:
			t.Fatalf("heard something, or the stream ended (%v)", open)
		case <-time.After(3 * limit):
		}
		p := bo.post(map[string]any{"status": "Still listening", "visibility": "public"})
		e.want("update", p.ID)
		f.want("update", p.ID)
		stop()
		e.wantEnd()
		if err := f.wantEnd(); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("the WebSocket ends with %v", err)
		}
	})
}

// Only followers may quote what usually only followers may, and each listener
// is told what holds for them.
func TestStreamTellsWhoMayQuote(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		s := w.serve()
		amira, bo, cy, dee := w.person("amira", community.Member), w.person("bo", community.Member), w.person("cy", community.Member), w.person("dee", community.Member)
		bo.follow(amira)
		dee.follow(amira)
		ears := map[string][]*ear{"automatic": {bo.hear(s, "public"), dee.hear(s, "public")}, "denied": {cy.hear(s, "public")}}
		first := amira.post(map[string]any{"status": "Exit tickets", "visibility": "public"})
		for want, listening := range ears {
			for _, e := range listening {
				var got struct {
					Approval struct {
						CurrentUser string `json:"current_user"`
					} `json:"quote_approval"`
				}
				h := e.want("update", first.ID)
				if err := json.Unmarshal([]byte(h.Payload), &got); err != nil || got.Approval.CurrentUser != want {
					t.Errorf("whoever may quote it %q is told %q (%v)", want, got.Approval.CurrentUser, err)
				}
			}
		}
	})
}
