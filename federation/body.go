package federation

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// What the bodies of activities may take while they are read and put on disk.
// Hardly any has more than a few kilobytes; those that have wait for one another
// and hold up none of the others.
const (
	smallBody    = 64 << 10
	roomForSmall = 16 << 20
	roomForLarge = 8 << 20
	smallWithin  = 10 * time.Second
	largeWithin  = 30 * time.Second
	// waitForRoom is how long a request waits for its turn.
	waitForRoom = 10 * time.Second
)

// What the bodies may take of those who are not known for who they are before
// their body is read: their key is not on record, or is another than it was.
// Anybody can name any server's key, so each name has a small part of it.
const (
	roomForStrangeSmall = 4 << 20
	roomForStrangeLarge = 4 << 20
	partOfStrangeSmall  = 512 << 10
	partOfStrangeLarge  = 2 * maxInbox
)

// rooms is the memory for bodies: for those whose signature over the head of the
// request is verified, and apart from it for all others, so that who only says
// who they are cannot keep out who is. In none of them is there more for one
// host than its part.
type rooms struct {
	small, large, strangeSmall, strangeLarge *room
}

func newRooms() rooms {
	return rooms{newRoom(roomForSmall, roomForSmall/2), newRoom(roomForLarge, roomForLarge/2),
		newRoom(roomForStrangeSmall, partOfStrangeSmall), newRoom(roomForStrangeLarge, partOfStrangeLarge)}
}

// room is the memory for bodies of one kind.
type room struct {
	all  *semaphore.Weighted
	part int64 // the most for one host

	mu    sync.Mutex
	taken map[string]int64 // by host
}

func newRoom(size, part int64) *room {
	return &room{all: semaphore.NewWeighted(size), part: part, taken: map[string]int64{}}
}

// enter waits for room, and reports whether there was any in time. Of a host
// whose part is full nothing waits.
func (o *room) enter(ctx context.Context, host string, size int64) bool {
	o.mu.Lock()
	full := o.taken[host]+size > o.part
	if !full {
		o.taken[host] += size
	}
	o.mu.Unlock()
	if full {
		return false
	}
	turn, cancel := context.WithTimeout(ctx, waitForRoom)
	defer cancel()
	if o.all.Acquire(turn, size) != nil {
		o.give(host, size)
		return false
	}
	return true
}

func (o *room) leave(host string, size int64) {
	o.all.Release(size)
	o.give(host, size)
}

func (o *room) give(host string, size int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.taken[host] -= size; o.taken[host] <= 0 {
		delete(o.taken, host)
	}
}

// read reads a request's body once there is room for it. proven says that the
// host has signed the request, and most how large it may be, if not as large as
// that of everybody. Call done when the body is no longer needed.
//
// RFC 9110, sections 15.5.9 (408) and 15.5.14 (413); RFC 6585, section 4 (429).
func (o rooms) read(w http.ResponseWriter, r *http.Request, proven bool, host string, most int64) (body []byte, done func(), err error) {
	if most <= 0 || most > maxInbox {
		most = maxInbox
	}
	if r.ContentLength > most {
		return nil, nil, refuse(http.StatusRequestEntityTooLarge, "size", "An activity may have %d bytes at most.", most)
	}
	size, within := r.ContentLength, smallWithin
	large := size < 0 || size > smallBody
	if large {
		within = largeWithin
	}
	if size < 0 {
		size = most
	}
	in := o.strangeSmall
	switch {
	case proven && large:
		in = o.large
	case proven:
		in = o.small
	case large:
		in = o.strangeLarge
	}
	if !in.enter(r.Context(), host, size) {
		w.Header().Set("Retry-After", "60")
		if r.ProtoMajor == 1 {
			w.Header().Set("Connection", "close") // or the answer would wait for the body
		}
		return nil, nil, refuse(http.StatusTooManyRequests, "busy", "There is too much to read just now. Send it again in a minute.")
	}
	leave := func() { in.leave(host, size) }
	defer func() {
		if err != nil {
			leave()
		}
	}()
	// A connection that knows no deadline is a test's.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(within))
	limited := http.MaxBytesReader(w, r.Body, most)
	if r.ContentLength >= 0 {
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(limited, body)
	} else {
		body, err = io.ReadAll(limited)
	}
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return body, leave, nil
	case errors.As(err, &tooLarge):
		return nil, nil, refuse(http.StatusRequestEntityTooLarge, "size", "An activity may have %d bytes at most.", most)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil, refuse(http.StatusRequestTimeout, "slow", "The body did not arrive within %s.", within)
	}
	return nil, nil, refuse(http.StatusBadRequest, "malformed", "The body did not arrive whole.")
}
