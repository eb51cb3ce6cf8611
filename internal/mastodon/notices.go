package mastodon

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chalkring/chalkring/internal/auth"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// A notice is what an endpoint tells everyone about this server, and to people
// here perhaps more: every app asks for it at every start. It stays up for
// noticeStays at most, and goes with any news of what it may be about. Whatever
// an administrator decides thus shows in the next answer of the same node, on
// other nodes as soon as the database's news is there, and at the latest after
// noticeStays, as do counts.
const noticeStays = time.Second

// noticeTopics are what makes notices worth writing anew.
var noticeTopics = []store.Topic{community.SiteChanged, community.AccountChanged, peers.Changed, auth.TokenEnded}

// notice is an answer as it goes out.
type notice struct {
	body, packed                  []byte // packed is nil where gzip saves nothing
	bodyLength, packedLength, tag []string
	turn                          int64
	until                         time.Time
}

// board is where notices hang, and a list of whose tokens were good when they
// were last looked up: people here are told how large the school is, nobody
// else is, and a token that counts no more is refused.
type board struct {
	mu      sync.Mutex
	news    *store.Subscription
	turn    int64 // grows with whatever was heard
	readers map[[sha256.Size]byte]reader
}

type reader struct {
	place int
	until time.Time
}

// mostReaders bounds how many tokens are remembered.
const mostReaders = 10_000

func newBoard(db *store.DB) *board {
	return &board{news: db.Subscribe(noticeTopics...), readers: map[[sha256.Size]byte]reader{}}
}

// look hears the news, and returns the turn from which on notices count.
func (b *board) look() (turn int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hear()
}

func (b *board) hear() int64 {
	heard := b.news.Missed()
	for waits := true; waits; {
		select {
		case _, open := <-b.news.C:
			heard = true // and for ever, once the database is closed
			waits = open
		default:
			waits = false
		}
	}
	if heard {
		b.turn++
		clear(b.readers)
	}
	return b.turn
}

// The two places that a notice may hang in: for guests, and for people here.
const (
	forGuests = iota
	forPeople
	places
)

// placeOf is where a caller reads.
func placeOf(c *call) int {
	if c.signedIn() {
		return forPeople
	}
	return forGuests
}

// find returns the notice that whoever sends the token would be told, or nil
// where that must be looked up.
func (b *board) find(hung *[places]atomic.Pointer[notice], token string, now time.Time) *notice {
	b.mu.Lock()
	turn, place, known := b.hear(), forGuests, true
	if token != "" {
		who, ok := b.readers[sha256.Sum256([]byte(token))]
		place, known = who.place, ok && now.Before(who.until)
	}
	b.mu.Unlock()
	if n := hung[place].Load(); known && n != nil && n.turn == turn && now.Before(n.until) {
		return n
	}
	return nil
}

// hang puts up a notice about what was looked up since turn, and remembers the
// token that it was looked up for.
func (b *board) hang(hung *[places]atomic.Pointer[notice], place int, token string, body []byte, turn int64, now time.Time) *notice {
	n := &notice{body: body, turn: turn, until: now.Add(noticeStays)}
	if last := hung[place].Load(); last != nil && bytes.Equal(last.body, body) {
		n.body, n.packed, n.bodyLength, n.packedLength, n.tag = last.body, last.packed, last.bodyLength, last.packedLength, last.tag
	} else {
		n.pack()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hear() != turn { // something changed meanwhile: this once, and no more
		return n
	}
	hung[place].Store(n)
	if token != "" {
		if len(b.readers) >= mostReaders {
			clear(b.readers)
		}
		b.readers[sha256.Sum256([]byte(token))] = reader{place: place, until: n.until}
	}
	return n
}

// pack makes what goes with a body: it is packed once and not for each reader.
func (n *notice) pack() {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = z.Write(n.body)                                // a Buffer takes every write
	_ = z.Close()
	if len(n.body) >= minPacked && b.Len() < len(n.body) {
		n.packed, n.packedLength = b.Bytes(), []string{strconv.Itoa(b.Len())}
	}
	n.bodyLength, n.tag = []string{strconv.Itoa(len(n.body))}, []string{tagOf(n.body)}
}

// minPacked is the length of what fits in one packet anyway.
const minPacked = 1400

// packs is a writer in front of which stands whoever takes gzip.
type packs interface{ TakesGzip() bool }

// posted is an endpoint whose answer is a notice. fn may look at nothing of the
// call but whether somebody is signed in.
func (a *API) posted(fn endpoint) http.HandlerFunc {
	hung := new([places]atomic.Pointer[notice])
	return func(w http.ResponseWriter, r *http.Request) {
		token := bearerToken(r)
		now := time.Now()
		if r.URL.RawQuery == "" {
			if n := a.board.find(hung, token, now); n != nil {
				n.answer(w, r)
				return
			}
		}
		turn := a.board.look()
		place, body, err := a.wording(w, r, token, fn)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		a.board.hang(hung, place, token, body, turn, now).answer(w, r)
	}
}

// wording is what an endpoint says to whoever sends the token, and where that
// may hang.
func (a *API) wording(w http.ResponseWriter, r *http.Request, token string, fn endpoint) (place int, body []byte, err error) {
	c := &call{w: w, r: r}
	if token != "" {
		if c.access, err = a.Auth.Bearer(r.Context(), token); err != nil {
			return 0, nil, err
		}
		c.me = c.access.Person.Account
	}
	if c.params, err = paramsOf(w, r); err != nil {
		return 0, nil, err
	}
	answer, err := fn(c)
	if err != nil {
		return 0, nil, err
	}
	body, err = appendEncoded(nil, answer)
	return placeOf(c), body, err
}

// What the headers of notices say. Caches may keep what an endpoint tells
// guests, which is the same for all of them. What it tells somebody who sends a
// token is theirs, and kept nowhere.
//
// RFC 9111, section 5.2.2; RFC 9110, section 12.5.5 (Vary).
var (
	sayJSON    = []string{"application/json; charset=utf-8"}
	sayShared  = []string{"public, max-age=" + strconv.Itoa(int(sharedFor.Seconds()))}
	sayPrivate = []string{"private, no-store"}
	sayGzip    = []string{"gzip"}
)

// answer answers with a notice.
func (n *notice) answer(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Add("Vary", "Authorization")
	if h["Cache-Control"] = sayPrivate; r.Header.Get("Authorization") == "" {
		h["Cache-Control"], h["Etag"] = sayShared, n.tag
		if has(r, n.tag[0]) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h["Content-Type"] = sayJSON
	body := n.body
	h["Content-Length"] = n.bodyLength
	if p, ok := w.(packs); ok && n.packed != nil && p.TakesGzip() {
		h["Content-Encoding"], h["Content-Length"], body = sayGzip, n.packedLength, n.packed
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a client that left is no failure of ours
}
