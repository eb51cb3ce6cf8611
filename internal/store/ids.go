package store

import (
	"math/rand/v2"
	"sync"
	"time"
)

// An ID is a time and a counter in one positive int64, so that the primary key
// is also the order in time:
//
//	ID       = milliseconds since 1970 << 16 | counter
//	short ID = milliseconds since 2020 << 12 | counter   (below 2^53 until 2089)
//
// The counter of an ID begins with the microseconds within the millisecond, so
// that what happens on two nodes one after the other sorts like that, and goes
// on at random, as a short one's begins, so that two nodes rarely meet; should
// they, the primary key refuses the second and the transaction fails with
// fault.Conflict.
const (
	idBits     = 16
	microShift = 6 // 1000 microseconds fill the ten bits above
	shortBits  = 12
)

var (
	earliest   = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	shortEpoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
)

type ids struct {
	now func() time.Time

	mu    sync.Mutex
	last  int64
	short int64
	past  int64
}

// next returns an ID above all that it has returned before.
func (g *ids) next() int64 {
	now := g.now()
	micro := int64(now.Nanosecond()/1000) % 1000
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = max(g.last+1, now.UnixMilli()<<idBits|micro<<microShift|rand.Int64N(1<<microShift))
	return g.last
}

func (g *ids) nextAt(t time.Time) int64 {
	ms := max(t.UnixMilli(), earliest.UnixMilli())
	if ms >= g.now().UnixMilli() {
		return g.next()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.past == 0 {
		g.past = rand.Int64N(1 << idBits)
	}
	g.past++
	return ms<<idBits | g.past&(1<<idBits-1)
}

func (g *ids) nextShort() int64 {
	ms := g.now().Sub(shortEpoch).Milliseconds()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.short = max(g.short+1, ms<<shortBits|rand.Int64N(1<<(shortBits-1)))
	return g.short
}

// IDTime returns the time within an ID.
func IDTime(id int64) time.Time { return time.UnixMilli(id >> idBits).UTC() }

// FirstIDAt returns the smallest ID that something at t can have, for asking
// by time where rows are ordered by ID.
func FirstIDAt(t time.Time) int64 { return t.UnixMilli() << idBits }

// FirstShortIDAt is FirstIDAt for IDs made by NewShortID.
func FirstShortIDAt(t time.Time) int64 { return t.Sub(shortEpoch).Milliseconds() << shortBits }

// ShortIDTime returns the time within an ID made by NewShortID.
func ShortIDTime(id int64) time.Time {
	return shortEpoch.Add(time.Duration(id>>shortBits) * time.Millisecond)
}
