package store

import (
	"database/sql/driver"
	"encoding/binary"
	"math"
	"time"
)

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
			v = append([]byte(nil), bytes()...) // nil where it is empty, as the driver has it
		}
		r.lite = append(r.lite, v)
	}
}
