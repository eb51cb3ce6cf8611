package store

import (
	"cmp"
	"sync"
)

// Key names what is remembered: a row by its number, or by a text.
type Key struct {
	Table string
	ID    int64
	Text  string
}

// memo keeps what was read, within a bound, and forgets what was not used for
// the longest. It has two halves: what is used moves to the younger, and when
// that is full the older is forgotten.
type memo struct {
	mu         sync.Mutex
	young, old map[Key]remembered
	size       int // of the younger
	bound      int // 0: memoBound
}

type remembered struct {
	value any
	size  int
}

// memoBound is how many bytes are remembered at most, and pagesBound how many of
// answers besides: whoever reads many pages shall not have all else forgotten.
const (
	memoBound  = 8 << 20
	pagesBound = 4 << 20
	pageBound  = 128 << 10 // one answer
)

func (m *memo) get(k Key) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.young[k]; ok {
		return r.value
	}
	r, ok := m.old[k]
	if !ok {
		return nil
	}
	m.keep(k, r)
	return r.value
}

func (m *memo) put(k Key, value any, size int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(k, remembered{value, size + 100}) // and what a map costs
}

func (m *memo) keep(k Key, r remembered) {
	if m.young == nil {
		m.young = map[Key]remembered{}
	}
	m.size += r.size - m.young[k].size
	m.young[k] = r
	if m.size > cmp.Or(m.bound, memoBound)/2 {
		m.old, m.young, m.size = m.young, nil, 0
	}
}

// Recall returns what was remembered under a key, or nil. It is never the truth
// by itself: whoever remembers something keeps with it the version of the row
// that it came from, and uses it only where this transaction sees the row with
// that same version. Only a Read recalls: a writer may see what is never
// committed.
func (tx *Tx) Recall(k Key) any {
	if !tx.reads {
		return nil
	}
	return tx.db.memo.get(k)
}

// Recall is Tx.Recall where what was remembered is still to be proved.
func (db *DB) Recall(k Key) any { return db.memo.get(k) }

// RecallProved is Recall for what is remembered with one version for all of it,
// which one question proves; so an Ask may recall it, too.
func (tx *Tx) RecallProved(k Key) any {
	if !tx.reads && !tx.asks {
		return nil
	}
	return tx.db.memo.get(k)
}

// RememberProved is Remember for it. The value and the version must be of one
// question.
func (tx *Tx) RememberProved(k Key, value any, size int) {
	if tx.reads || tx.asks {
		tx.db.memo.put(k, value, size)
	}
}

// Remember keeps a value that this transaction has read, and that nobody
// changes any more; size is about how many bytes it takes.
func (tx *Tx) Remember(k Key, value any, size int) {
	if tx.reads {
		tx.db.memo.put(k, value, size)
	}
}
