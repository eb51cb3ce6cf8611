package federation

import (
	"cmp"
	"sync"
	"time"
)

// limiter lets a thing through once in a while for each key. Where there are
// more keys than it remembers, new ones must wait: that is a flood.
type limiter struct {
	mu   sync.Mutex
	last map[string]time.Time
}

const mostLimited = 10_000

func (l *limiter) allow(key string, now time.Time, every time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[string]time.Time{}
	}
	if at, ok := l.last[key]; ok && now.Sub(at) < every {
		return false
	}
	if len(l.last) >= mostLimited {
		for k, at := range l.last {
			if now.Sub(at) >= every {
				delete(l.last, k)
			}
		}
		if len(l.last) >= mostLimited {
			return false
		}
	}
	l.last[key] = now
	return true
}

// forget lets a key through again at once.
func (l *limiter) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.last, key)
}

// recent reports whether a key was let through less than every ago.
func (l *limiter) recent(key string, now time.Time, every time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.last[key]
	return ok && now.Sub(at) < every
}

// quota bounds how often something may go wrong with a host within a minute,
// so that whoever uses its name cannot make us ask it without end.
type quota struct {
	most  int // mostBadKeys if zero
	mu    sync.Mutex
	since time.Time
	count map[string]int
}

// mostBadKeys is how many keys of a host may turn out not to be there in a minute.
const mostBadKeys = 30

func (q *quota) spent(host string, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return now.Sub(q.since) < time.Minute && q.count[host] >= cmp.Or(q.most, mostBadKeys)
}

func (q *quota) spend(host string, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.Sub(q.since) >= time.Minute {
		q.since, q.count = now, map[string]int{}
	}
	q.count[host]++
}

// paces counts what each of those may do in a minute for whom it is limited.
type paces struct {
	mu    sync.Mutex
	since time.Time
	count map[string]int64
}

// take counts one more, unless there were as many as may be in this minute; left
// is how long it lasts.
func (p *paces) take(key string, most int64, now time.Time) (left time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.since) >= time.Minute {
		p.since, p.count = now, map[string]int64{}
	}
	if p.count[key] >= most {
		return p.since.Add(time.Minute).Sub(now), false
	}
	p.count[key]++
	return 0, true
}
