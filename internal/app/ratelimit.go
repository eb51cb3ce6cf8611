package app

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/chalkring/chalkring/internal/fault"
)

// allowance is how many requests an address may make: burst at once, then
// perSecond. What a whole staff room behind one address needs must fit.
type allowance struct {
	name      string
	perSecond rate.Limit
	burst     int
}

// The three allowances. Sign-in and account requests are limited besides by
// counters in the database, which all nodes share.
func allowances() (reading, writing, peers allowance) {
	return allowance{"reading", 30, 600}, allowance{"writing", 5, 120}, allowance{"peers", 200, 4000}
}

type bucketKey struct {
	allowance string
	addr      netip.Addr
}

const (
	// mostBuckets is how many are kept; beyond, those are given up that were
	// not drawn on for longest.
	mostBuckets = 50_000
	// forgetAfter is when an address has a full bucket again, whatever it drew on.
	forgetAfter = 5 * time.Minute
)

// limiter keeps a token bucket for each address and allowance. An address
// that stays away long enough to have a full bucket again is forgotten.
type limiter struct {
	reading, writing, fromPeers allowance

	mu      sync.Mutex
	buckets *simplelru.LRU[bucketKey, *bucket]
}

type bucket struct {
	*rate.Limiter
	drawn time.Time
}

func newLimiter() *limiter {
	l := &limiter{}
	l.buckets, _ = simplelru.NewLRU[bucketKey, *bucket](mostBuckets, nil) // fails for a size below one
	l.reading, l.writing, l.fromPeers = allowances()
	return l
}

// bucket finds an address's bucket, and drops two of those that are forgotten:
// one more than it may add, so that they get fewer without a turn of their own.
func (l *limiter) bucket(a allowance, addr netip.Addr, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range 2 {
		if _, oldest, ok := l.buckets.GetOldest(); !ok || now.Sub(oldest.drawn) < forgetAfter {
			break
		}
		l.buckets.RemoveOldest()
	}
	key := bucketKey{a.name, addr}
	b, ok := l.buckets.Get(key)
	if !ok {
		b = &bucket{Limiter: rate.NewLimiter(a.perSecond, a.burst)}
		l.buckets.Add(key, b)
	}
	b.drawn = now
	return b.Limiter
}

// of returns the allowance that a request draws on; false means it is free:
// static files and probes cost nothing worth guarding.
func (l *limiter) of(r *http.Request) (allowance, bool) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/assets/"), quiet(r.URL.Path):
		return allowance{}, false
	case isInbox(r.URL.Path):
		return l.fromPeers, true
	case r.Method == http.MethodGet, r.Method == http.MethodHead, r.Method == http.MethodOptions:
		if r.Header.Get("Signature") != "" {
			return l.fromPeers, true
		}
		return l.reading, true
	}
	return l.writing, true // whatever else it says of itself: anybody can write a header
}

// take draws one request from the address's bucket. It returns how long to
// wait when the bucket is empty.
func (l *limiter) take(a allowance, addr netip.Addr, now time.Time) (left int, wait time.Duration) {
	b := l.bucket(a, networkOf(addr), now)
	if b.AllowN(now, 1) {
		return int(b.TokensAt(now)), 0
	}
	missing := 1 - b.TokensAt(now)
	return 0, time.Duration(math.Ceil(missing/float64(a.perSecond))) * time.Second
}

// limitRate refuses an address that asks for more than its share. The
// X-RateLimit fields are those that Mastodon's clients read; RFC 6585,
// section 4 and RFC 9110, section 10.2.3 for the refusal.
func (s *Server) limitRate(next http.Handler) http.Handler {
	if s.limiter == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, counted := s.limiter.of(r)
		if !counted {
			next.ServeHTTP(w, r)
			return
		}
		now := time.Now()
		left, wait := s.limiter.take(a, clientAddr(r, s.cfg.TrustedProxies), now)
		h := w.Header()
		if strings.HasPrefix(r.URL.Path, "/api/") {
			say := [3]string{strconv.Itoa(a.burst), strconv.Itoa(left), now.Add(max(wait, time.Second)).UTC().Format(time.RFC3339)}
			h["X-Ratelimit-Limit"], h["X-Ratelimit-Remaining"], h["X-Ratelimit-Reset"] = say[0:1:1], say[1:2:2], say[2:3:3]
		}
		if wait > 0 {
			s.refuse(w, r, fault.New(fault.TooMany, "Too many requests came from your network at once. Please wait a moment and try again.").After(wait))
			return
		}
		next.ServeHTTP(w, r)
	})
}
