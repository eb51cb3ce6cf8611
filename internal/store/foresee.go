package store

import (
	"context"
	"errors"
	"hash/maphash"
	"reflect"
	"time"
	"unique"
)

// A page is made of a few rounds of questions, each built on the answers of the
// one before, and on PostgreSQL a round costs as much as many answers. Whoever
// reads the same page again mostly asks the same: so what followed upon a first
// round is remembered, and once it was the same twice it is asked along with it.
// A page that asks just this has all its answers, of one state of the database.
// One that asks anything else, because something has changed, is begun again
// without it. What is remembered is what to ask and never an answer, so that
// nothing can be stale.

// script is what was asked behind the first round of a transaction.
type script struct {
	asked  []asking
	steady bool // it was the same twice
}

// asking is a question as PostgreSQL takes it.
type asking struct {
	text unique.Handle[string]
	args []any
	row  func(r *Row)
}

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
	memo    *memo
	now     string // its time, as a value
	key     Key    // of its first round; none: it has asked nothing yet
	asked   []asking
	foreign bool // it did something that cannot be foreseen

	foreseen *script      // what was asked along with the first round
	answers  [][][][]byte // to it: rows of columns
	missed   bool         // it asks something else
}

func newOutlook(m *memo, now time.Time) *outlook {
	return &outlook{memo: m, now: plain(now).(string)}
}

// askings are questions as PostgreSQL takes them.
func askings(questions []Question) []asking {
	list := make([]asking, len(questions))
	for i, q := range questions {
		text, args := expand(q, true)
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
	var h maphash.Hash
	h.SetSeed(scriptSeed)
	for _, a := range list {
		a = o.timeless(a)
		h.WriteString(a.text.Value())
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
	s, ok := o.memo.get(o.key).(*script)
	if !ok || !s.steady {
		return nil
	}
	o.foreseen = s
	along := make([]asking, len(s.asked))
	o.answers = make([][][][]byte, len(s.asked))
	for i, a := range s.asked {
		along[i] = o.timed(a)
		along[i].row = func(r *Row) {
			row := make([][]byte, len(r.pg))
			for j, column := range r.pg {
				if column != nil {
					row[j] = append(make([]byte, 0, len(column)), column...)
				}
			}
			o.answers[i] = append(o.answers[i], row)
		}
	}
	return along
}

// errMissed ends a transaction that is begun again.
var errMissed = errors.New("something else was asked than was foreseen")

// later takes what is asked behind the first round. It answers what was
// foreseen, and reports whether it did.
func (o *outlook) later(list []asking) (answered bool, err error) {
	if o.foreseen == nil {
		for _, a := range list {
			o.asked = append(o.asked, o.timeless(a))
		}
		return false, nil
	}
	var row Row
	for _, a := range list {
		i := len(o.asked)
		o.asked = append(o.asked, o.timeless(a))
		if i >= len(o.foreseen.asked) || !same(o.foreseen.asked[i], o.asked[i]) {
			return false, o.miss()
		}
		for _, columns := range o.answers[i] {
			row.pg, row.next = columns, 0
			if a.row != nil && row.err == nil {
				a.row(&row)
			}
		}
	}
	return true, row.err
}

// miss notes that the transaction has to be begun again.
func (o *outlook) miss() error {
	o.missed = true
	return errMissed
}

// answered counts the transaction whose questions were all foreseen.
func (o *outlook) answered() int64 {
	if o.foreseen != nil && !o.missed {
		return 1
	}
	return 0
}

// again is for the transaction that is begun anew.
func (o *outlook) again() {
	o.memo.put(o.key, &script{}, 50)
	*o = outlook{memo: o.memo, now: o.now}
}

// end remembers what was asked.
func (o *outlook) end() {
	if o.key == (Key{}) || o.foreign || o.missed {
		return
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
		if answered, err := o.later(list); answered || err != nil {
			return err
		}
	case !s.begun:
		if along := o.first(list); o.foreseen != nil {
			s.begun = true
			err := pgAsk(ctx, s.conn, true, true, append(list, along...))
			if s.begun = err != nil; err != nil && ctx.Err() == nil {
				return o.miss()
			}
			return err
		}
	}
	return s.send(ctx, list)
}
