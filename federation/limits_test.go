package federation

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

func TestLimiter(t *testing.T) {
	var l limiter
	now := time.Now()
	if !l.allow("a", now, time.Minute) || l.allow("a", now.Add(time.Second), time.Minute) || !l.recent("a", now.Add(time.Second), time.Minute) {
		t.Error("a key is not let through once")
	}
	if !l.allow("a", now.Add(2*time.Minute), time.Minute) {
		t.Error("a key is not let through again later")
	}
	l.forget("a")
	if l.recent("a", now.Add(2*time.Minute), time.Minute) {
		t.Error("a forgotten key is remembered")
	}
	for i := range mostLimited {
		l.allow(fmt.Sprint(i), now, time.Minute)
	}
	if l.allow("one more", now, time.Minute) {
		t.Error("a flood is let through")
	}
	if !l.allow("one more", now.Add(2*time.Minute), time.Minute) || len(l.last) != 1 {
		t.Errorf("%d keys are remembered after the flood", len(l.last))
	}
}

// Whoever names keys of a connected server that are not there cannot have us
// ask that server without end.
func TestInventedKeys(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.start("oak.localhost"), r.start("elm.localhost")
	r.befriend()
	who := elm.person("bo")
	asked := 0
	elm.tap = func(http.ResponseWriter, *http.Request) bool { asked++; return false }
	for i := range 2 * mostBadKeys {
		res := elm.say(who, oak, elm.note(who, "x"), func(r *http.Request) {
			r.Header.Set("Signature", strings.Replace(r.Header.Get("Signature"), elm.site.KeyID(who.ID), elm.site.KeyID(int64(i+1)), 1))
		})
		if res.Status != http.StatusUnauthorized {
			t.Fatalf("an invented key is answered %d", res.Status)
		}
	}
	if asked > mostBadKeys {
		t.Errorf("elm was asked %d times for keys that are not there", asked)
	}
}

// What cannot be rendered does not hold up the rest for ever.
func TestUnspeakable(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak := r.still("oak.localhost")
	amira := oak.person("amira")
	oak.write(func(tx *store.Tx) error {
		o := community.Outgoing{ID: tx.NewID(), Verb: "Sing", ActorID: amira.ID, State: "waiting", CreatedAt: tx.Now}
		if err := tx.Create(&o).Error; err != nil {
			return err
		}
		_, err := community.Publish(tx, amira, community.Draft{Kind: community.Note, Audience: community.Public, Source: "After it"})
		return err
	})
	for range mostSpreadTries {
		if n, err := oak.spread(t.Context()); n != 0 || err != nil {
			t.Fatalf("%d rows, %v", n, err)
		}
		if n := oak.count("SELECT COUNT(*) FROM outgoing WHERE state = 'spread' AND verb = 'Create'"); n != 0 {
			t.Fatal("a post overtook what was said before it")
		}
	}
	if n, err := oak.spread(t.Context()); n != 1 || err != nil {
		t.Fatalf("afterwards: %d rows, %v", n, err)
	}
	if n := oak.count("SELECT COUNT(*) FROM outgoing WHERE state = 'spread' AND error <> ''"); n != 1 {
		t.Error("the reason is not on record")
	}
}
