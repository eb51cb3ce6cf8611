package federation

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
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

// rooms is the memory for bodies. Whoever names the key of a server that we
// talk to may send one, and is known for who it is only once it is read.
type rooms struct {
	small, large *semaphore.Weighted
}

func newRooms() rooms {
	return rooms{semaphore.NewWeighted(roomForSmall), semaphore.NewWeighted(roomForLarge)}
}

// read reads a request's body once there is room for it. Call done when the
// body is no longer needed.
//
// RFC 9110, sections 15.5.9 (408) and 15.5.14 (413); RFC 6585, section 4 (429).
func (o rooms) read(w http.ResponseWriter, r *http.Request) (body []byte, done func(), err error) {
	if r.ContentLength > maxInbox {
		return nil, nil, refuse(http.StatusRequestEntityTooLarge, "size", "An activity may have %d bytes at most.", maxInbox)
	}
	room, size, within := o.small, r.ContentLength, smallWithin
	if size < 0 || size > smallBody {
		room, within = o.large, largeWithin
	}
	if size < 0 {
		size = maxInbox
	}
	turn, cancel := context.WithTimeout(r.Context(), waitForRoom)
	defer cancel()
	if room.Acquire(turn, size) != nil {
		w.Header().Set("Retry-After", "60")
		return nil, nil, refuse(http.StatusTooManyRequests, "busy", "There is too much to read just now. Send it again in a minute.")
	}
	leave := func() { room.Release(size) }
	defer func() {
		if err != nil {
			leave()
		}
	}()
	// A connection that knows no deadline is a test's.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(within))
	limited := http.MaxBytesReader(w, r.Body, maxInbox)
	if r.ContentLength >= 0 {
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(limited, body)
	} else {
		body, err = io.ReadAll(limited)
	}
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return body, leave, nil
	case errors.As(err, &large):
		return nil, nil, refuse(http.StatusRequestEntityTooLarge, "size", "An activity may have %d bytes at most.", maxInbox)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil, refuse(http.StatusRequestTimeout, "slow", "The body did not arrive within %s.", within)
	}
	return nil, nil, refuse(http.StatusBadRequest, "malformed", "The body did not arrive whole.")
}
