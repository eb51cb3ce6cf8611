package federation

import (
	"bufio"
	"context"
	"fmt"
	"net"
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

// Whoever names a key that they have not cannot keep the one who has it, nor
// anybody else, from being heard.
func TestNobodyFillsTheRoomInAnothersName(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm, fir := r.start("oak.localhost"), r.start("elm.localhost"), r.start("fir.localhost")
	r.befriend()
	bo, cy := elm.person("bo"), fir.person("cy")
	oak.seen("@bo@elm.localhost")
	at, _ := r.resolve(t.Context(), "oak.localhost")
	forge := func(keyID string, length int) net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", at[0].String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /inbox HTTP/1.1\r\nHost: oak.localhost\r\nDate: %s\r\nDigest: SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\r\n"+
			"Content-Type: application/activity+json\r\nContent-Length: %d\r\n"+
			"Signature: keyId=%q,algorithm=\"rsa-sha256\",headers=\"(request-target) host date digest\",signature=\"AAAA\"\r\n\r\n",
			time.Now().UTC().Format(http.TimeFormat), length, keyID)
		t.Cleanup(func() { c.Close() })
		return c
	}
	for _, length := range []int{smallBody, maxInbox} {
		answers := make(chan string, 40)
		for range cap(answers) { // far more than there is room for: the rest is answered at once
			c := forge(elm.site.Actor(bo.ID)+"#main-key", length)
			go func() {
				line, _ := bufio.NewReader(c).ReadString('\n')
				answers <- line
			}()
		}
		select {
		case line := <-answers:
			if !strings.Contains(line, " 429 ") {
				t.Fatalf("the first answer to bodies of %d bytes is %q", length, line)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("all bodies of %d bytes are waited for", length)
		}
	}
	for name, who := range map[string]*server{"whose key was named": elm, "somebody else, as yet unknown": fir} {
		as := bo
		if who == fir {
			as = cy
		}
		if res := who.say(as, oak, who.note(as, "heard")); res.Status != http.StatusAccepted {
			t.Errorf("%s is answered %d", name, res.Status)
		}
	}
}

// Of one host nothing fills a room for all.
func TestRoomsHavePartsForHosts(t *testing.T) {
	o := newRoom(100, 40)
	if !o.enter(t.Context(), "elm.test", 40) || o.enter(t.Context(), "elm.test", 1) {
		t.Error("a host may take what is its part, and no more")
	}
	if !o.enter(t.Context(), "fir.test", 40) {
		t.Error("another host finds no room")
	}
	o.leave("elm.test", 40)
	if !o.enter(t.Context(), "elm.test", 40) {
		t.Error("what was left is not there again")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if o.enter(gone, "ash.test", 30) {
		t.Error("there is more room than there is")
	}
	if o.taken["ash.test"] != 0 {
		t.Error("who found no room takes some")
	}
}
