package mastodon

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/fault"
)

const (
	// thump is how often a stream of events shows that it is alive, and ping
	// the same for a WebSocket, which also has to answer within pongWithin.
	thump      = 15 * time.Second
	ping       = 30 * time.Second
	pongWithin = 10 * time.Second
	// takeWithin is how long a listener may take to take one event.
	takeWithin = 15 * time.Second
	// maxAsk bounds a message to a WebSocket, and maxTag the name of a tag.
	maxAsk = 4 << 10
	maxTag = 200
)

// streamPaths are the streams that have an address of their own.
var streamPaths = map[string]string{
	"user": "user", "user/notification": "user:notification", "public": "public", "public/local": "public:local", "public/remote": "public:remote",
	"hashtag": "hashtag", "hashtag/local": "hashtag:local", "list": "list", "direct": "direct",
}

func (a *API) streamingRoutes(r *routes) {
	r.HandleFunc("/api/v1/streaming/health", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("OK"))
	}).Methods(http.MethodGet, http.MethodHead)
	for path, name := range streamPaths {
		r.HandleFunc("/api/v1/streaming/"+path, a.events(name)).Methods(http.MethodGet)
	}
	r.HandleFunc("/api/v1/streaming", a.socket).Methods(http.MethodGet)
}

// streamToken is the token of a request for a stream. A browser can set no
// header for one, so it stands in the query, or where a WebSocket names its
// protocol, as clients of Mastodon have it.
func streamToken(r *http.Request) (token, protocol string) {
	if token = bearerToken(r); token != "" {
		return token, ""
	}
	if token = r.URL.Query().Get("access_token"); token != "" {
		return token, ""
	}
	protocol = strings.TrimSpace(r.Header.Get("Sec-WebSocket-Protocol"))
	return protocol, protocol
}

// listeningAs returns who wants to listen.
func (a *API) listeningAs(ctx context.Context, token string) (auth.Access, error) {
	if token == "" {
		return auth.Access{}, fault.New(fault.Unauthorized, "Missing access token")
	}
	access, err := a.Auth.Bearer(ctx, token)
	if err == nil && access.Person.ID == 0 {
		err = fault.New(fault.Unauthorized, "Invalid access token")
	}
	return access, err
}

// channelOf is the stream that somebody asks for, if they may listen to it.
func (a *API) channelOf(access auth.Access, name, tag, list string) (channel, error) {
	ch := channel{name: name}
	allowed := access.Scopes.Allow("read:statuses")
	switch name {
	case "user":
		allowed = allowed || access.Scopes.Allow("read:notifications")
	case "user:notification":
		allowed = access.Scopes.Allow("read:notifications")
	case "public", "public:local", "public:remote", "public:media", "public:local:media", "public:remote:media", "direct":
	case "hashtag", "hashtag:local":
		if ch.tag = tag; tag == "" || len(tag) > maxTag {
			return ch, fault.New(fault.Invalid, "Missing tag name parameter")
		}
	case "list":
		if list == "" {
			return ch, fault.New(fault.Invalid, "Missing list name parameter")
		}
		var err error
		if ch.list, err = strconv.ParseInt(list, 10, 64); err != nil || ch.list <= 0 {
			return ch, noSuchList()
		}
	default:
		return ch, fault.New(fault.Invalid, "Unknown stream type")
	}
	if !allowed {
		return ch, fault.New(fault.Unauthorized, "Access token does not have the required scopes")
	}
	return ch, nil
}

func noSuchList() error { return fault.New(fault.Unauthorized, "Not authorized to stream this list") }

// streamStatus is a failure's status as streams have it: what is asked for
// wrongly is 400 there.
func streamStatus(f *fault.Error) int {
	if f.Kind == fault.Invalid {
		return http.StatusBadRequest
	}
	return f.Kind.Status()
}

// refuseStream answers for a stream that does not open.
func (a *API) refuseStream(w http.ResponseWriter, r *http.Request, err error) {
	f := fault.Of(err)
	if f.Kind == fault.Internal {
		a.fail(w, r, err)
		return
	}
	a.write(w, r, streamStatus(f), map[string]string{"error": f.Error()})
}

// events answers for a stream as server-sent events (HTML, section 9.2).
func (a *API) events(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		l, err := a.open1(r, name)
		if err != nil {
			a.refuseStream(w, r, err)
			return
		}
		defer a.live.leave(l)
		out := http.NewResponseController(w)
		_ = out.SetReadDeadline(time.Time{}) // a stream outlives the time that a request has; not every writer has deadlines
		h := w.Header()
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
		h.Set("Cache-Control", "private, no-store, no-transform")
		h.Set("X-Accel-Buffering", "no") // nginx would gather the events
		w.WriteHeader(http.StatusOK)
		send := func(b []byte) bool {
			_ = out.SetWriteDeadline(time.Now().Add(takeWithin)) // the same
			_, err := w.Write(b)
			return err == nil && out.Flush() == nil
		}
		if !send([]byte(":)\n")) {
			return
		}
		beat := time.NewTicker(thump)
		defer beat.Stop()
		for {
			var b []byte
			select {
			case <-r.Context().Done():
				return
			case <-l.gone:
				return
			case <-beat.C:
				b = []byte(":thump\n")
			case b = <-l.out:
			}
			if !send(b) {
				return
			}
		}
	}
}

// open1 lets somebody listen to the one stream of an address.
func (a *API) open1(r *http.Request, name string) (*listener, error) {
	token, _ := streamToken(r)
	access, err := a.listeningAs(r.Context(), token)
	if err != nil {
		return nil, err
	}
	q := params{r.URL.Query()}
	if strings.HasPrefix(name, "public") && q.flag("only_media", false) {
		name += ":media"
	}
	ch, err := a.channelOf(access, name, q.Get("tag"), q.Get("list"))
	if err != nil {
		return nil, err
	}
	l, err := a.live.join(access, false)
	if err != nil {
		return nil, err
	}
	if err := a.live.listen(r.Context(), l, ch); err != nil {
		a.live.leave(l)
		return nil, err
	}
	return l, nil
}

// asked is what a client sends through a WebSocket.
type asked struct {
	Type   string    `json:"type"`
	Stream string    `json:"stream"`
	Tag    string    `json:"tag"`
	List   looseText `json:"list"`
}

// looseText is a text, or a number that a client sends in its place.
type looseText string

func (t *looseText) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(t))
	}
	*t = looseText(b)
	return nil
}

// parseAsked reads a client's message. What is none is a fault.
func parseAsked(message []byte) (asked, error) {
	var q asked
	if err := json.Unmarshal(message, &q); err != nil {
		return q, fault.New(fault.Invalid, "Invalid JSON message")
	}
	if q.Type != "subscribe" && q.Type != "unsubscribe" {
		return q, fault.New(fault.Invalid, "Unknown message type")
	}
	return q, nil
}

// socket answers GET /api/v1/streaming: all streams through one WebSocket.
// Pages of every origin may open it, since no cookie does.
//
// RFC 6455.
func (a *API) socket(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		a.fail(w, r, fault.New(fault.NotFound, "Not found"))
		return
	}
	token, protocol := streamToken(r)
	access, err := a.listeningAs(r.Context(), token)
	if err != nil {
		a.refuseStream(w, r, err)
		return
	}
	l, err := a.live.join(access, true)
	if err != nil {
		a.refuseStream(w, r, err)
		return
	}
	defer a.live.leave(l)
	options := websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled}
	if protocol != "" {
		options.Subprotocols = []string{protocol} // browsers close unless the name that they sent comes back
	}
	conn, err := websocket.Accept(w, r, &options)
	if err != nil {
		return // it was answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxAsk)
	// A context that ends breaks the connection off. The server's stop must
	// leave time to say goodbye.
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	left := make(chan struct{})
	q := r.URL.Query()
	if name := q.Get("stream"); name != "" {
		a.ask(ctx, l, asked{Type: "subscribe", Stream: name, Tag: q.Get("tag"), List: looseText(q.Get("list"))})
	}
	go func() {
		defer close(left)
		for {
			kind, message, err := conn.Read(ctx)
			if err != nil {
				return
			}
			q, err := parseAsked(message)
			if kind != websocket.MessageText {
				err = fault.New(fault.Invalid, "Invalid JSON message")
			}
			if err != nil {
				a.live.answer(l, err)
				continue
			}
			a.ask(ctx, l, q)
		}
	}()
	a.pour(ctx, conn, l, left, r.Context().Done())
}

// pour writes what waits for a listener until it left, is sent away, or the
// server stops.
func (a *API) pour(ctx context.Context, conn *websocket.Conn, l *listener, left, stop <-chan struct{}) {
	beat := time.NewTicker(ping)
	defer beat.Stop()
	for {
		select {
		case <-left:
			return
		case <-stop:
			_ = conn.Close(websocket.StatusGoingAway, "")
			return
		case <-l.gone:
			_ = conn.Close(closeCode(l.why))
			return
		case <-beat.C:
			within, cancel := context.WithTimeout(ctx, pongWithin)
			err := conn.Ping(within)
			cancel()
			if err != nil {
				return
			}
		case b := <-l.out:
			within, cancel := context.WithTimeout(ctx, takeWithin)
			err := conn.Write(within, websocket.MessageText, b)
			cancel()
			if err != nil {
				return
			}
		}
	}
}

// closeCode is how a WebSocket is told why it ends (RFC 6455, section 7.4.1).
func closeCode(why string) (websocket.StatusCode, string) {
	switch why {
	case endAccess:
		return websocket.StatusPolicyViolation, "The access token is not valid any more."
	case endSlow:
		return websocket.StatusTryAgainLater, "Events were not taken in time."
	case endMissed:
		return websocket.StatusTryAgainLater, "Events were lost."
	}
	return websocket.StatusGoingAway, ""
}

// ask does what a client wants of its WebSocket.
func (a *API) ask(ctx context.Context, l *listener, q asked) {
	ch, err := a.channelOf(l.access, q.Stream, q.Tag, string(q.List))
	switch {
	case err != nil:
	case q.Type == "unsubscribe":
		a.live.unlisten(l, ch)
		return
	default:
		err = a.live.listen(ctx, l, ch)
	}
	if err != nil {
		a.live.answer(l, err)
	}
}

// answer tells a WebSocket what went wrong with what it asked.
func (v *live) answer(l *listener, err error) {
	f := fault.Of(err)
	if f.Kind == fault.Internal && !errors.Is(err, context.Canceled) {
		v.a.Log.Error("stream not subscribed to", "err", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.listeners[l] {
		return
	}
	select {
	case l.out <- encoded(map[string]any{"error": f.Error(), "status": streamStatus(f)}):
	default:
		v.drop(l, endSlow)
	}
}
