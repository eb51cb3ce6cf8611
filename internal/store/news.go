package store

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Topic says what kind of thing news is about. Each package names its own.
type Topic string

// News says that something about a thing changed, not what: look at the rows.
// With neither ID nor Key it means that anything of the topic may have changed,
// because news was lost.
type News struct {
	Topic Topic
	ID    int64
	Key   string
}

// Announce has news about the thing with the ID delivered to every subscriber,
// on every node, when and only when the transaction commits.
func (tx *Tx) Announce(topic Topic, id int64) { tx.tell(News{Topic: topic, ID: id}) }

// AnnounceKey is Announce for things known by a name, such as hosts.
func (tx *Tx) AnnounceKey(topic Topic, key string) { tx.tell(News{Topic: topic, Key: key}) }

func (tx *Tx) tell(n News) {
	for _, have := range tx.news {
		if have == n {
			return
		}
	}
	tx.news = append(tx.news, n)
}

// Subscription receives news. C is closed when the subscription or the
// database is.
type Subscription struct {
	C <-chan News

	hub    *hub
	c      chan News
	topics []Topic
	missed atomic.Bool
}

// waitingNews is how much news a subscription keeps for a slow reader.
const waitingNews = 256

// Subscribe returns news of the topics from now on. Publishing never waits for
// a subscriber: one that does not keep up loses news, and Missed tells it so.
func (db *DB) Subscribe(topics ...Topic) *Subscription {
	c := make(chan News, waitingNews)
	s := &Subscription{C: c, c: c, hub: &db.hub, topics: topics}
	db.hub.add(s)
	return s
}

// Missed reports, once, whether news was lost since it was last asked: then
// everything may have changed.
func (s *Subscription) Missed() bool { return s.missed.Swap(false) }

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() { s.hub.remove(s) }

// hub spreads news within the process.
type hub struct {
	mu     sync.RWMutex
	subs   map[Topic]map[*Subscription]bool
	closed bool
}

func (h *hub) add(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(s.c)
		s.topics = nil
		return
	}
	if h.subs == nil {
		h.subs = map[Topic]map[*Subscription]bool{}
	}
	for _, t := range s.topics {
		if h.subs[t] == nil {
			h.subs[t] = map[*Subscription]bool{}
		}
		h.subs[t][s] = true
	}
}

func (h *hub) remove(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.topics == nil {
		return
	}
	for _, t := range s.topics {
		delete(h.subs[t], s)
		if len(h.subs[t]) == 0 {
			delete(h.subs, t)
		}
	}
	s.topics = nil
	close(s.c)
}

func (h *hub) publish(news []News) {
	if len(news) == 0 {
		return
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, n := range news {
		for s := range h.subs[n.Topic] {
			select {
			case s.c <- n:
			default:
				s.missed.Store(true)
			}
		}
	}
}

// lost tells every subscriber that news of its topics may have been lost.
func (h *hub) lost() {
	h.mu.RLock()
	var all []News
	for t, subs := range h.subs {
		all = append(all, News{Topic: t})
		for s := range subs {
			s.missed.Store(true)
		}
	}
	h.mu.RUnlock()
	h.publish(all)
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	done := map[*Subscription]bool{}
	for _, subs := range h.subs {
		for s := range subs {
			if !done[s] {
				done[s] = true
				s.topics = nil
				close(s.c)
			}
		}
	}
	h.subs = nil
}

func (h *hub) count() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	seen := map[*Subscription]bool{}
	for _, subs := range h.subs {
		for s := range subs {
			seen[s] = true
		}
	}
	return len(seen)
}

// On PostgreSQL news also goes to the other nodes, by NOTIFY in the same
// transaction, so that it too is sent if and only if the transaction commits.
//
// PostgreSQL documentation, NOTIFY: a payload is shorter than 8000 bytes.
const (
	channel     = "chalkring_news"
	mostPayload = 7900
)

// bulletin is what travels between nodes.
type bulletin struct {
	Node string `json:"n"`
	News []wire `json:"w"`
}

type wire struct {
	Topic Topic  `json:"t"`
	ID    int64  `json:"i,omitempty"`
	Key   string `json:"k,omitempty"`
}

// notify sends a transaction's news to the other nodes.
func (db *DB) notify(ctx context.Context, s session, news []News) error {
	if db.dialect != Postgres || len(news) == 0 {
		return nil
	}
	for _, payload := range db.bulletins(news) {
		if _, err := s.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, payload); err != nil {
			return err
		}
	}
	return nil
}

// bulletins packs news into as few payloads as hold it.
func (db *DB) bulletins(news []News) []string {
	var out []string
	pack := func(part []wire) {
		b, err := json.Marshal(bulletin{Node: db.node, News: part})
		if err == nil && len(b) <= mostPayload { // a key too long for any payload is told on this node alone
			out = append(out, string(b))
		}
	}
	var part []wire
	size := 64
	for _, n := range news {
		cost := 48 + len(n.Topic) + 6*len(n.Key) // JSON writes some characters as six
		if size+cost > mostPayload && len(part) > 0 {
			pack(part)
			part, size = nil, 64
		}
		part = append(part, wire(n))
		size += cost
	}
	pack(part)
	return out
}

// tune opens a connection that hears what other nodes announce.
func tune(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		hangUp(conn)
		return nil, err
	}
	return conn, nil
}

func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn.Close(ctx)
}

// listen passes on what other nodes announce, until ctx ends. When its
// connection was lost, so may have been news: then it says so to everyone.
func (db *DB) listen(ctx context.Context, config *pgx.ConnConfig, conn *pgx.Conn) {
	const shortest, longest = 100 * time.Millisecond, 30 * time.Second
	for {
		err := db.passOn(ctx, conn)
		hangUp(conn)
		for wait := shortest; ; wait = min(2*wait, longest) {
			if ctx.Err() != nil {
				return
			}
			db.log.Warn("lost the database's news of other nodes; connecting again", "err", err, "in", wait)
			if pause(ctx, wait) != nil {
				return
			}
			if conn, err = tune(ctx, config); err == nil {
				break
			}
		}
		db.hub.lost()
	}
}

// passOn hands what is heard to the subscribers, until the connection or ctx
// ends.
func (db *DB) passOn(ctx context.Context, conn *pgx.Conn) error {
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		var b bulletin
		if json.Unmarshal([]byte(n.Payload), &b) != nil || b.Node == db.node {
			continue
		}
		news := make([]News, len(b.News))
		for i, w := range b.News {
			news[i] = News(w)
		}
		db.hub.publish(news)
	}
}
