package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash/maphash"
	"reflect"
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
// without it; on SQLite, where a round costs nothing, it goes on. What is
// remembered is what to ask and never an answer, so that nothing can be stale. Nor
// can be what was made of a page, which is kept with a digest of all its answers:
// see Reading.

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

// nothing is what is asked where questions usually stand alone.
var nothing = &script{}

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
		s = nothing
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
