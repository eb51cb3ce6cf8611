package store

import (
	"crypto/sha256"
	"errors"
	"time"
)

// Reading is what came of a ReadPage, and what was made of it the last time. Who
// reads a page again mostly reads what was there before: then the answers of the
// database are the same, and what was made of them would be, too.
type Reading struct {
	outlook *outlook
	sighted bool // it was so the last time
}

// keptPage is what was made of a page, nil as long as it was seen but once, and
// of what answers to what.
type keptPage struct {
	script *script
	sum    [sha256.Size]byte
	made   any
	at     time.Time
}

func (k *keptPage) same(o *outlook) bool { return k.script == o.foreseen && k.sum == o.sum }

// keptFor is how long it is kept, should somebody have forgotten Tx.Fleeting.
const keptFor = time.Minute

// Kept returns what Keep kept of the page, if all that is read for it has been
// read and is the same; nil else. fn was then not run to its end.
func (r Reading) Kept() any {
	if r.outlook == nil {
		return nil
	}
	return r.outlook.kept
}

// Keeps reports whether Keep is of use: the page was the same twice.
func (r Reading) Keeps() bool { return r.sighted }

// Keep keeps what was made of the page, which takes size bytes. It must be made
// of nothing but what was read in it and what it was read as.
func (r Reading) Keep(made any, size int) {
	if o := r.outlook; r.sighted && size <= pageBound {
		o.pages.put(o.page(), &keptPage{o.foreseen, o.sum, made, o.began}, size+len(o.as))
	}
}

func (o *outlook) page() Key { return Key{Table: "pages", ID: o.key.ID, Text: o.as} }

// compare looks whether the answers are those that a page was made of.
func (o *outlook) compare() {
	if o.as == "" {
		return
	}
	o.sum = sha256.Sum256(o.answers)
	if k, ok := o.pages.get(o.page()).(*keptPage); ok && k.same(o) && o.began.Sub(k.at) < keptFor {
		o.kept = k.made
	}
}

// made is the page once all of it was read.
func (o *outlook) made() Reading {
	if o.kept != nil {
		return Reading{outlook: o}
	}
	if o.as == "" || o.foreseen == nil || o.missed || o.foreign || o.fleeting || len(o.asked) != len(o.foreseen.asked) {
		return Reading{}
	}
	k, ok := o.pages.get(o.page()).(*keptPage)
	r := Reading{outlook: o, sighted: ok && k.same(o)}
	if !r.sighted {
		o.pages.put(o.page(), &keptPage{script: o.foreseen, sum: o.sum, at: o.began}, 100+len(o.as))
	}
	return r
}

// errKept ends a transaction for which there is something Kept.
var errKept = errors.New("what was made of the page is kept")

// Fleeting says that what is made of the answers will be another in a while,
// though they be the same.
func (tx *Tx) Fleeting() {
	if o := tx.outlook(); o != nil {
		o.fleeting = true
	}
}

// outlook is that of a page, nil elsewhere.
func (tx *Tx) outlook() *outlook {
	switch s := tx.Statement.ConnPool.(type) {
	case *pgRead:
		return s.outlook
	case *sqliteTx:
		return s.outlook
	}
	return nil
}
