package community

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/store/storetest"
)

// world is a database with people in it. Its people are written straight into
// the tables: making real key pairs would take most of the tests' time.
type world struct {
	t  testing.TB
	db *store.DB
	n  int
}

// eachWorld runs a test on each kind of database.
func eachWorld(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *store.DB) { fn(t, &world{t: t, db: db}) })
}

func (w *world) write(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Write(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Read(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) local(name string, role Role) Account {
	w.t.Helper()
	var a Account
	w.write(func(tx *store.Tx) error {
		a = Account{ID: tx.NewID(), Username: name, ActorType: "Person", DisplayName: name, Fields: []Field{}, AlsoKnownAs: []string{}, AttributionDomains: []string{}, CreatedAt: tx.Now, UpdatedAt: tx.Now}
		if err := tx.Create(&a).Error; err != nil {
			return err
		}
		return tx.Create(&User{AccountID: a.ID, PasswordHash: "x", Role: role, State: Active, DefaultAudience: School, CreatedAt: tx.Now}).Error
	})
	return a
}

func (w *world) remote(name, host string) Account {
	w.t.Helper()
	var a Account
	w.write(func(tx *store.Tx) error {
		uri := "https://" + host + "/users/" + name
		a = Account{ID: tx.NewID(), Username: name, Host: host, ActorType: "Person", URI: &uri, Inbox: uri + "/inbox", SharedInbox: "https://" + host + "/inbox",
			Fields: []Field{}, AlsoKnownAs: []string{}, AttributionDomains: []string{}, CreatedAt: tx.Now, UpdatedAt: tx.Now}
		if err := tx.Create(&a).Error; err != nil {
			return err
		}
		return peers.Seen(tx, host)
	})
	return a
}

// peer admits a host, with or without software that keeps closed audiences.
func (w *world) peer(host string, ceiling peers.Ceiling, closed bool) {
	w.t.Helper()
	w.write(func(tx *store.Tx) error {
		if _, err := peers.Allow(tx, 0, host, peers.Entry{Ceiling: ceiling}); err != nil {
			return err
		}
		return peers.Met(tx, host, peers.Meeting{Name: host, ClosedAudiences: closed, SharedInbox: "https://" + host + "/inbox"})
	})
}

func (w *world) follows(follower, target Account) {
	w.t.Helper()
	w.write(func(tx *store.Tx) error {
		return tx.Exec("INSERT INTO follows (id, follower_id, target_id, follower_local, state, created_at) VALUES (?, ?, ?, ?, 'accepted', ?)",
			tx.NewID(), follower.ID, target.ID, follower.Local(), tx.Now).Error
	})
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	w.write(func(tx *store.Tx) error { return tx.Exec(sql, args...).Error })
}

func (w *world) count(sql string, args ...any) int {
	w.t.Helper()
	var n int
	w.read(func(tx *store.Tx) error { return tx.Raw(sql, args...).Scan(&n).Error })
	return n
}

func (w *world) publish(author Account, d Draft) Post {
	w.t.Helper()
	if d.Kind == "" {
		d.Kind = Note
	}
	if d.Audience == "" {
		d.Audience = Public
	}
	if d.Source == "" && d.Sections == nil {
		d.Source = "Exit tickets in five minutes"
	}
	var p Post
	w.write(func(tx *store.Tx) (err error) {
		p, err = Publish(tx, author, d)
		return err
	})
	return p
}

// refuses runs a deed that must fail with the kind.
func (w *world) refuses(kind fault.Kind, fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Write(w.t.Context(), fn); !fault.Is(err, kind) {
		w.t.Errorf("got %v, want a failure of kind %s", err, kind)
	}
}

func (w *world) note(author Account) RemotePost {
	w.n++
	uri := fmt.Sprintf("https://%s/notes/%d", author.Host, w.n)
	return RemotePost{Author: author, URI: uri, URL: uri, Kind: Note, Audience: Public, HTML: "<p>Hello from " + author.Host + "</p>", Language: "en",
		Published: time.Now().Add(-time.Minute)}
}

func (w *world) receive(r RemotePost) Post {
	w.t.Helper()
	var p Post
	w.write(func(tx *store.Tx) error {
		var fresh bool
		var err error
		p, fresh, err = Receive(tx, r)
		if err == nil && !fresh {
			w.t.Errorf("%s was not new", r.URI)
		}
		return err
	})
	return p
}

// stored is the post as the table has it now.
func (w *world) stored(id int64) Post {
	w.t.Helper()
	var p Post
	w.read(func(tx *store.Tx) (err error) {
		p, err = PostByID(tx, id)
		return err
	})
	return p
}

func (w *world) picture(owner Account, alt string) media.Attachment {
	w.t.Helper()
	var a media.Attachment
	w.write(func(tx *store.Tx) error {
		id := tx.NewID()
		a = media.Attachment{ID: id, AccountID: owner.ID, Name: fmt.Sprintf("p%d.jpg", id), Mime: "image/jpeg", Alt: alt, CreatedAt: tx.Now}
		return tx.Create(&a).Error
	})
	return a
}

func (w *world) viewer(a Account) Viewer { return Viewer{ID: a.ID, Local: true} }

func (w *world) home(a Account) []int64 {
	w.t.Helper()
	var posts []Post
	w.read(func(tx *store.Tx) (err error) {
		posts, err = Home(tx, w.viewer(a), store.Page{})
		return err
	})
	return idsOf(posts)
}

// told lists what an account was told, latest first.
func (w *world) told(a Account) []NotificationKind {
	w.t.Helper()
	var kinds []NotificationKind
	w.read(func(tx *store.Tx) error {
		list, err := Notifications(tx, a.ID, store.Page{})
		for _, n := range list {
			kinds = append(kinds, n.Kind)
		}
		return err
	})
	return kinds
}

// queued lists the verbs that wait to go out, earliest first.
func (w *world) queued() []Outgoing {
	w.t.Helper()
	var list []Outgoing
	w.read(func(tx *store.Tx) error { return tx.Order("id").Find(&list).Error })
	return list
}

func (w *world) verbs() []Verb {
	var verbs []Verb
	for _, o := range w.queued() {
		verbs = append(verbs, o.Verb)
	}
	return verbs
}

func idsOf(posts []Post) []int64 {
	ids := make([]int64, len(posts))
	for i, p := range posts {
		ids[i] = p.ID
	}
	return ids
}

func wantIDs(t testing.TB, what string, got []int64, want ...int64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// statements is a gorm log that keeps the SQL it hears of.
type statements struct {
	sql    []string
	rounds int // questions that went out together are one
	begun  time.Time
}

func (s *statements) LogMode(logger.LogLevel) logger.Interface { return s }
func (s *statements) Info(context.Context, string, ...any)     {}
func (s *statements) Warn(context.Context, string, ...any)     {}
func (s *statements) Error(context.Context, string, ...any)    {}
func (s *statements) Trace(_ context.Context, begun time.Time, fc func() (string, int64), _ error) {
	sql, _ := fc()
	if !begun.Equal(s.begun) {
		s.rounds++
	}
	s.begun = begun
	s.sql = append(s.sql, sql)
}

// listening returns tx with its statements heard.
func (s *statements) listening(tx *store.Tx) *store.Tx {
	heard := *tx
	heard.DB = tx.DB.Session(&gorm.Session{Logger: s})
	return &heard
}

// site is the test server.
var site = storetest.Site()
