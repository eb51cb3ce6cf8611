package store

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"math"
	"reflect"
	"slices"
	"sync/atomic"
	"time"
	"unique"
)

// A page is made of a few rounds of questions, each built on the answers of the
// one before, and on PostgreSQL a round costs as much as many answers. Whoever
// reads the same page again mostly asks the same: so what followed upon a first
// round is remembered, and once it was the same twice it is asked along with it.
// A page that asks just this has all its answers, of one state of the database.
// One that asks anything else, because something has changed, is begun again
// without it; on SQLite, where a round costs nothing, it goes on. What is remembered is what to ask and never an answer, so that
// nothing can be stale. Nor can be what was made of a page, which is kept with a
// digest of all its answers: see Reading.

// script is what was asked behind the first round of a transaction.
type script struct {
	asked  []asking
	steady bool // it was the same twice
}

// asking is a question as a database takes it.
type asking struct {
	text unique.Handle[string]
	args []any
	row  func(r *Row)
}

// alone counts how often in a row nothing was asked behind a first round of some
// questions, whatever their values were. Where that is usual nothing is expected
// of values that were not met before, either.
type alone struct{ atomic.Int32 }

// usual is how often that must have been.
const usual = 8

// nowArg stands in a script for the time of the transaction.
type nowArg struct{}

// How much is remembered of one transaction.
const (
	mostAsked = 24   // questions
	mostArgs  = 1000 // their values, those of lists one by one
)

var scriptSeed = maphash.MakeSeed()

// outlook is what a transaction that may be begun again knows of itself.
type outlook struct {
	memo     *memo     // of what to ask
	pages    *memo     // of what was made of it
	as       string    // see DB.ReadPage
	began    time.Time // its time
	now      string    // the same as a value
	key      Key       // of its first round; none: it has asked nothing yet
	alone    *alone    // of its questions
	asked    []asking
	foreign  bool // it did something that cannot be foreseen
	fleeting bool // what is made of it is another in a while

	foreseen *script // what was asked along with the first round
	answers  answers // to all of it
	along    [][]int // where in them the rows begin that answer what was asked along
	sum      [sha256.Size]byte
	kept     any  // of the page, where the answers are the same again
	missed   bool // it asks something else
}

func newOutlook(db *DB, as string, now time.Time) *outlook {
	return &outlook{memo: &db.memo, pages: &db.pages, as: as, began: now, now: plain(now).(string)}
}

// answers are rows one behind the other: which question each answers, and its
// columns with their kinds and lengths.
type answers []byte

func (a *answers) add(question int, r *Row) {
	n := len(r.lite)
	if r.pg != nil {
		n = len(r.pg)
	}
	b := binary.LittleEndian.AppendUint32(*a, uint32(question))
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	text := func(kind byte, s string) {
		b = append(binary.LittleEndian.AppendUint32(append(b, kind), uint32(len(s))), s...)
	}
	number := func(kind byte, n uint64) { b = binary.LittleEndian.AppendUint64(append(b, kind), n) }
	for _, column := range r.pg {
		if column == nil {
			b = append(b, aNull)
			continue
		}
		b = append(binary.LittleEndian.AppendUint32(append(b, aBlob), uint32(len(column))), column...)
	}
	if r.pg != nil {
		*a = b
		return
	}
	for _, column := range r.lite {
		switch v := column.(type) {
		case nil:
			b = append(b, aNull)
		case int64:
			number(aNumber, uint64(v))
		case float64:
			number(aFloat, math.Float64bits(v))
		case bool:
			b = append(b, aFalse)
			if v {
				b[len(b)-1] = aTrue
			}
		case time.Time:
			number(aTime, uint64(v.UnixNano()))
		case string:
			text(aText, v)
		case []byte:
			b = append(binary.LittleEndian.AppendUint32(append(b, aBlob), uint32(len(v))), v...)
		}
	}
	*a = b
}

// The kinds of columns.
const (
	aNull byte = iota
	aNumber
	aFloat
	aFalse
	aTrue
	aTime
	aText
	aBlob
)

// row makes r the row that begins at a place.
func (a answers) row(at int, r *Row) {
	long := func() uint64 {
		at += 8
		return binary.LittleEndian.Uint64(a[at-8:])
	}
	short := func() int {
		at += 4
		return int(binary.LittleEndian.Uint32(a[at-4:]))
	}
	bytes := func() []byte {
		n := short()
		at += n
		return a[at-n : at : at]
	}
	short()
	onPG := r.pg != nil
	r.pg, r.lite, r.next = r.pg[:0], r.lite[:0], 0
	for range short() {
		kind := a[at]
		at++
		if onPG {
			if kind == aNull {
				r.pg = append(r.pg, nil)
			} else {
				r.pg = append(r.pg, bytes())
			}
			continue
		}
		var v driver.Value
		switch kind {
		case aNumber:
			v = int64(long())
		case aFloat:
			v = math.Float64frombits(long())
		case aFalse, aTrue:
			v = kind == aTrue
		case aTime:
			v = time.Unix(0, int64(long())).UTC()
		case aText:
			v = string(bytes())
		case aBlob:
			v = slices.Clone(bytes())
		}
		r.lite = append(r.lite, v)
	}
}

// askings are questions as a database takes them.
func askings(questions []Question, arrays bool) []asking {
	list := make([]asking, len(questions))
	for i, q := range questions {
		text, args := expand(q, arrays)
		list[i] = asking{unique.Make(text), args, q.Row}
	}
	return list
}

// timeless is a question with the time of the transaction left out, and without
// whoever asks it.
func (o *outlook) timeless(a asking) asking {
	out := asking{text: a.text, args: a.args}
	for i, arg := range a.args {
		if s, ok := arg.(string); ok && s == o.now {
			if &out.args[0] == &a.args[0] {
				out.args = append([]any(nil), a.args...)
			}
			out.args[i] = nowArg{}
		}
	}
	return out
}

// timed is the other way.
func (o *outlook) timed(a asking) asking {
	out := asking{text: a.text, args: append([]any(nil), a.args...)}
	for i, arg := range out.args {
		if _, ok := arg.(nowArg); ok {
			out.args[i] = o.now
		}
	}
	return out
}

// first takes the first round, and returns what is to be asked along.
func (o *outlook) first(list []asking) []asking {
	var h, texts maphash.Hash
	h.SetSeed(scriptSeed)
	texts.SetSeed(scriptSeed)
	for _, a := range list {
		a = o.timeless(a)
		h.WriteString(a.text.Value())
		texts.WriteString(a.text.Value())
		texts.WriteByte(0)
		for _, arg := range a.args {
			if h.WriteByte(0); arg != (any)(nowArg{}) {
				b, _ := arg.([]byte)
				if b == nil && arg != nil {
					b = pgValue(nil, arg)
				}
				h.Write(b)
			}
		}
		h.WriteByte(1)
	}
	o.key = Key{Table: "asked", ID: int64(h.Sum64())}
	key := Key{Table: "alone", ID: int64(texts.Sum64())}
	if o.alone, _ = o.memo.get(key).(*alone); o.alone == nil {
		o.alone = new(alone)
		o.memo.put(key, o.alone, 8)
	}
	s, ok := o.memo.get(o.key).(*script)
	switch {
	case ok && s.steady:
	case !ok && o.alone.Load() >= usual:
		s = &script{}
	default:
		return nil
	}
	o.foreseen = s
	for i := range list {
		told := list[i].row
		list[i].row = func(r *Row) {
			if o.answers.add(i, r); told != nil {
				told(r)
			}
		}
	}
	along := make([]asking, len(s.asked))
	o.along = make([][]int, len(s.asked))
	for i, a := range s.asked {
		along[i] = o.timed(a)
		along[i].row = func(r *Row) {
			o.along[i] = append(o.along[i], len(o.answers))
			o.answers.add(len(list)+i, r)
		}
	}
	return along
}

// errMissed ends a transaction that is begun again.
var errMissed = errors.New("something else was asked than was foreseen")

// later takes what is asked behind the first round. It answers what was foreseen,
// as far as it is that, and returns how many it answered.
func (o *outlook) later(list []asking, row *Row) (answered int, err error) {
	for i, a := range list {
		at := len(o.asked)
		o.asked = append(o.asked, o.timeless(a))
		if o.foreseen == nil {
			continue
		}
		if at >= len(o.foreseen.asked) || !same(o.foreseen.asked[at], o.asked[at]) {
			return i, nil
		}
		for _, place := range o.along[at] {
			o.answers.row(place, row)
			if a.row != nil && row.err == nil {
				a.row(row)
			}
		}
		answered++
	}
	return answered, row.err
}

// turn notes that something is done that cannot be foreseen.
func (o *outlook) turn() {
	if o != nil {
		o.foreign = true
	}
}

// miss notes that the transaction has to be begun again.
func (o *outlook) miss() error {
	o.missed = true
	return errMissed
}

// forget forgets what was foreseen wrongly.
func (o *outlook) forget() {
	o.memo.put(o.key, &script{}, 50)
	o.alone.Store(0)
}

// again is for the transaction that is begun anew.
func (o *outlook) again() {
	o.forget()
	*o = outlook{memo: o.memo, pages: o.pages, as: o.as, began: o.began, now: o.now, answers: o.answers[:0]}
}

// end remembers what was asked.
func (o *outlook) end() {
	if o.key == (Key{}) || o.foreign || o.missed {
		return
	}
	if len(o.asked) > 0 {
		o.alone.Store(0)
	} else if o.alone.Load() < usual {
		o.alone.Add(1)
	}
	if o.foreseen != nil && len(o.asked) == len(o.foreseen.asked) {
		return
	}
	size, args := 100, 0
	for _, a := range o.asked {
		size += 100
		for _, arg := range a.args {
			list, _ := arg.([]any)
			args += 1 + len(list)
		}
	}
	if len(o.asked) > mostAsked || args > mostArgs {
		return
	}
	before, _ := o.memo.get(o.key).(*script)
	s := &script{asked: o.asked}
	s.steady = before != nil && len(before.asked) == len(s.asked)
	for i := range s.asked {
		s.steady = s.steady && same(before.asked[i], s.asked[i])
	}
	o.memo.put(o.key, s, size+32*args)
}

func same(a, b asking) bool {
	if a.text != b.text || len(a.args) != len(b.args) {
		return false
	}
	for i := range a.args {
		if !reflect.DeepEqual(a.args[i], b.args[i]) {
			return false
		}
	}
	return true
}

// answer answers questions in a transaction that may be begun again.
func (s *pgRead) answer(ctx context.Context, list []asking) error {
	o := s.outlook
	switch {
	case o.key != (Key{}) && o.foreseen == nil && !s.begun, o.foreign: // behind its end
		o.foreign = true
	case o.key != (Key{}):
		n, err := o.later(list, &Row{pg: [][]byte{}})
		if err != nil {
			return err
		}
		if o.foreseen != nil && n < len(list) {
			return o.miss()
		}
		if o.foreseen != nil {
			return nil
		}
	case !s.begun:
		if along := o.first(list); o.foreseen != nil {
			err := pgAsk(ctx, s.conn, true, true, append(list, along...))
			if err == nil {
				o.compare()
			} else if ctx.Err() == nil {
				return o.miss()
			}
			return err
		}
	}
	return s.send(ctx, list)
}

// answerPage is the same on SQLite, where what was not foreseen is asked now.
func (s *sqliteTx) answerPage(list []asking) error {
	o := s.outlook
	switch {
	case o.foreign:
	case o.key != (Key{}):
		n, err := o.later(list, &Row{})
		if err != nil {
			return err
		}
		if o.foreseen != nil && n < len(list) {
			o.missed, o.foreign = true, true
			o.forget()
		}
		list = list[n:]
	default:
		along := o.first(list)
		if err := s.run(list); err != nil || o.foreseen == nil {
			return err
		}
		if err := s.run(along); err != nil { // it fails again if it is asked
			o.missed, o.foreign = true, true
			o.forget()
			return nil
		}
		o.compare()
		return nil
	}
	return s.run(list)
}

// Reading is what came of a ReadPage, and what was made of it the last time. Who
// reads a page again mostly reads what was there before: then the answers of the
// database are the same, and what was made of them would be, too.
type Reading struct {
	outlook *outlook
	sighted bool // it was so the last time
}

// keptPage is what was made of a page, nil as long as it was seen but once, and
// of what answers.
type keptPage struct {
	sum  [sha256.Size]byte
	made any
	at   time.Time
}

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
		o.pages.put(o.page(), &keptPage{o.sum, made, o.began}, size+len(o.as))
	}
}

func (o *outlook) page() Key { return Key{Table: "pages", ID: o.key.ID, Text: o.as} }

// compare looks whether the answers are those that a page was made of.
func (o *outlook) compare() {
	if o.as == "" {
		return
	}
	o.sum = sha256.Sum256(o.answers)
	if k, ok := o.pages.get(o.page()).(*keptPage); ok && k.sum == o.sum && o.began.Sub(k.at) < keptFor {
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
	r := Reading{outlook: o, sighted: ok && k.sum == o.sum}
	if !r.sighted {
		o.pages.put(o.page(), &keptPage{sum: o.sum, at: o.began}, 100+len(o.as))
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
