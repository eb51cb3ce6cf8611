package as2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what is read at all. They are far above what any server sends, and
// keep a hostile document from costing more than a friendly one.
const (
	MaxBytes    = 1 << 20
	MaxDepth    = 64
	MaxElements = 5000 // of one array or object
)

// The ways in which a document can be refused. What a refusal says names the
// member at fault; errors.Is tells them apart.
var (
	// ErrTooBig is a document beyond MaxBytes, MaxDepth or MaxElements.
	ErrTooBig = errors.New("document too big")
	// ErrMalformed is what is no JSON object, or says a thing twice that must
	// be said once.
	ErrMalformed = errors.New("malformed document")
	// ErrIncomplete is a document without a member that it cannot do without.
	ErrIncomplete = errors.New("incomplete document")
)

// check refuses what the scanner should not walk, and everything that is not
// one JSON object. After it, the scanner may trust the syntax blindly.
func check(body []byte) error {
	if len(body) > MaxBytes {
		return fmt.Errorf("%w: %d bytes, at most %d are read", ErrTooBig, len(body), MaxBytes)
	}
	var commas [MaxDepth + 1]int
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		c := body[i]
		if quoted {
			switch c {
			case '\\':
				i++
			case '"':
				quoted = false
			}
			continue
		}
		switch c {
		case '"':
			quoted = true
		case '{', '[':
			if depth++; depth > MaxDepth {
				return fmt.Errorf("%w: nested deeper than %d", ErrTooBig, MaxDepth)
			}
			commas[depth] = 0
		case '}', ']':
			depth = max(0, depth-1)
		case ',':
			if commas[depth]++; commas[depth] >= MaxElements {
				return fmt.Errorf("%w: a list of more than %d elements", ErrTooBig, MaxElements)
			}
		}
	}
	if !json.Valid(body) {
		return fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	if s := (scanner{b: body}); s.peek() != '{' {
		return fmt.Errorf("%w: not a JSON object", ErrMalformed)
	}
	return nil
}

// scanner walks JSON that check has passed. Every reader consumes exactly one
// value: one of a shape that it cannot use counts as absent, since one odd
// member must not cost the whole document. The first refusal is kept in err.
type scanner struct {
	b   []byte
	i   int
	err error
}

func (s *scanner) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// peek returns the first byte of the next value.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// skip passes over the next value.
func (s *scanner) skip() {
	switch s.peek() {
	case '"':
		s.quoted()
	case '{', '[':
		depth := 0
		for s.i < len(s.b) {
			switch s.b[s.i] {
			case '"':
				s.quoted()
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			s.i++
			if depth == 0 {
				return
			}
		}
	default:
		for s.i < len(s.b) {
			switch s.b[s.i] {
			case ',', '}', ']', ' ', '\t', '\n', '\r':
				return
			}
			s.i++
		}
	}
}

// raw returns the bytes of the next value.
func (s *scanner) raw() []byte {
	s.peek()
	from := s.i
	s.skip()
	return s.b[from:s.i]
}

// quoted passes over a string and returns its bytes between the quotes, and
// whether they hold an escape.
func (s *scanner) quoted() (inner []byte, escaped bool) {
	s.i++
	from := s.i
	for s.i < len(s.b) {
		n := bytes.IndexByte(s.b[s.i:], '"')
		if n < 0 {
			break
		}
		if bytes.IndexByte(s.b[s.i:s.i+n], '\\') < 0 {
			inner = s.b[from : s.i+n]
			s.i += n + 1
			return inner, escaped
		}
		escaped = true
		for end := s.i + n; s.i < end; {
			if s.b[s.i] == '\\' {
				s.i++
			}
			s.i++
		}
		if s.i < len(s.b) && s.b[s.i] == '"' {
			inner = s.b[from:s.i]
			s.i++
			return inner, escaped
		}
	}
	s.i = len(s.b)
	return nil, false
}

// object calls member for each member of an object; what member leaves
// unread is skipped. It reports whether the value was an object.
func (s *scanner) object(member func(key []byte)) bool {
	if s.peek() != '{' {
		s.skip()
		return false
	}
	s.i++
	var seen uint32
	for s.err == nil {
		switch s.peek() {
		case '}':
			s.i++
			return true
		case '"':
		default:
			return true
		}
		key := s.key()
		s.once(&seen, key)
		s.peek()
		at := s.i
		if string(key) == "@context" {
			s.meanings()
		} else {
			member(key)
		}
		if s.i == at {
			s.skip()
		}
	}
	return true
}

// key reads a member's name. An escape in it is undone, or "\u0069d" would be
// an id that only some readers see; and the long spellings of ActivityStreams'
// own words are the short one, so that nothing is said twice in two spellings.
func (s *scanner) key() []byte {
	inner, escaped := s.quoted()
	if escaped {
		inner = []byte(unescape(inner))
	}
	if bytes.IndexByte(inner, ':') > 0 {
		inner = bytes.TrimPrefix(bytes.TrimPrefix(inner, []byte("as:")), []byte(namespace))
	}
	return inner
}

// each calls element for every element of an array, or once for any other
// value but null: in JSON-LD one value and a list of one are the same.
func (s *scanner) each(element func()) {
	switch s.peek() {
	case '[':
	case 'n':
		s.skip()
		return
	default:
		at := s.i
		if element(); s.i == at {
			s.skip()
		}
		return
	}
	s.i++
	for s.err == nil {
		switch s.peek() {
		case ']':
			s.i++
			return
		case 0:
			return
		}
		at := s.i
		if element(); s.i == at {
			s.skip()
		}
	}
}

// str reads a string, or "" for any other value.
func (s *scanner) str() string {
	if s.peek() != '"' {
		s.skip()
		return ""
	}
	inner, escaped := s.quoted()
	if escaped {
		return unescape(inner)
	}
	return clean(string(inner))
}

func unescape(inner []byte) string {
	quoted := make([]byte, 0, len(inner)+2)
	quoted = append(append(append(quoted, '"'), inner...), '"')
	var out string
	if json.Unmarshal(quoted, &out) != nil {
		return ""
	}
	return clean(out)
}

// clean makes text storable: invalid UTF-8 and NUL, which PostgreSQL refuses,
// become U+FFFD.
func clean(text string) string {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	}
	return text
}

// text reads words for people: a string, a JSON-LD value object, a Note that
// holds them, or the first of a list of those.
func (s *scanner) text() string { return s.words(nil) }

// words is text, and gathers the languages of words that are tagged with one.
//
// JSON-LD 1.1, section 4.2.4 (string internationalization).
func (s *scanner) words(in *languages) string {
	var out string
	s.each(func() {
		var one, tag string
		switch s.peek() {
		case '"':
			one = s.str()
		case '{':
			s.object(func(key []byte) {
				switch name := string(key); {
				case name == "@value", name == "content" && one == "":
					one = s.str()
				case name == "@language":
					tag = s.str()
				}
			})
			if in != nil && tag != "" {
				in.add(tag, one)
				one = ""
			}
		}
		if out == "" {
			out = one
		}
	})
	return out
}

// id reads a reference: an IRI, an object with an id or (a Link) an href, or
// the first of a list of those.
func (s *scanner) id() string {
	var out string
	s.each(func() {
		if one := s.oneID(); out == "" {
			out = one
		}
	})
	return out
}

// ids reads all references of a list, or the one.
func (s *scanner) ids() []string {
	var out []string
	s.each(func() {
		if one := s.oneID(); one != "" {
			out = append(out, one)
		}
	})
	return out
}

func (s *scanner) oneID() string {
	switch s.peek() {
	case '"':
		return s.str()
	case '{':
		var id, href string
		s.object(func(key []byte) {
			switch string(key) {
			case "id", "@id":
				id = s.str()
			case "href":
				href = s.str()
			}
		})
		if id == "" {
			id = href
		}
		return id
	}
	return ""
}

// once refuses a second of the members that identities and audiences hang on.
// Readers disagree on which of two counts, and an attacker lives on that. The
// aliases of JSON-LD count as the same member.
func (s *scanner) once(seen *uint32, key []byte) {
	var bit uint32
	switch string(key) {
	case "id", "@id":
		bit = 1 << 0
	case "type", "@type":
		bit = 1 << 1
	case "actor":
		bit = 1 << 2
	case "object":
		bit = 1 << 3
	case "attributedTo":
		bit = 1 << 4
	case "to":
		bit = 1 << 5
	case "cc":
		bit = 1 << 6
	case "audience":
		bit = 1 << 7
	case "target":
		bit = 1 << 8
	case "origin":
		bit = 1 << 9
	case "inReplyTo":
		bit = 1 << 10
	case "href":
		bit = 1 << 11
	case "publicKey":
		bit = 1 << 12
	case "owner":
		bit = 1 << 13
	case "publicKeyPem":
		bit = 1 << 14
	case "inbox":
		bit = 1 << 15
	case "endpoints":
		bit = 1 << 16
	case "sharedInbox":
		bit = 1 << 17
	case "movedTo":
		bit = 1 << 18
	case "alsoKnownAs":
		bit = 1 << 19
	case "controller":
		bit = 1 << 20
	case "followers":
		bit = 1 << 21
	case "preferredUsername":
		bit = 1 << 22
	case "instrument":
		bit = 1 << 23
	case "result":
		bit = 1 << 24
	case "outbox":
		bit = 1 << 25
	case "publicKeyMultibase":
		bit = 1 << 26
	case "assertionMethod":
		bit = 1 << 27
	case "quote":
		bit = 1 << 28
	default:
		return
	}
	if *seen&bit != 0 {
		s.fail(fmt.Errorf("%w: %q is given twice in one object; give it once", ErrMalformed, key))
	}
	*seen |= bit
}

// typ reads a type: a word, or of a list the first that known likes, or else
// the first.
func (s *scanner) typ(known func(string) bool) string {
	var first, liked string
	s.each(func() {
		t := local(s.str())
		if first == "" || strings.Contains(first, ":") && t != "" && !strings.Contains(t, ":") {
			first = t // rather a plain word than one of a vocabulary that nobody knows
		}
		if liked == "" && known != nil && known(t) {
			liked = t
		}
	})
	if liked != "" {
		return liked
	}
	return first
}

// audience reads to or cc. The short spellings of the public collection become
// the full one.
//
// W3C ActivityPub, section 5.6.
func (s *scanner) audience() []string {
	out := s.ids()
	for i, id := range out {
		if IsPublic(id) {
			out[i] = Public
		}
	}
	return out
}

// number reads a count or a length; a negative or absent one is 0.
func (s *scanner) number() int {
	n, ok := s.maybeNumber()
	if !ok {
		return 0
	}
	return n
}

func (s *scanner) maybeNumber() (int, bool) {
	f, ok := s.float()
	if !ok || f < 0 || f > math.MaxInt32 {
		return 0, false
	}
	return int(f), true
}

// float reads a number, also one that was written as a string.
func (s *scanner) float() (float64, bool) {
	var text string
	switch c := s.peek(); {
	case c == '"':
		text = s.str()
	case c == '-' || c >= '0' && c <= '9':
		text = string(s.raw())
	default:
		s.skip()
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// boolean reads true, also one that was written as a string.
func (s *scanner) boolean() bool {
	switch string(s.raw()) {
	case "true", `"true"`, "1":
		return true
	}
	return false
}

// layouts are the forms in which moments are met, the usual one first. One
// without a zone is taken for UTC.
var layouts = [...]string{time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05", "2006-01-02", time.RFC1123Z, time.RFC1123}

// time reads a moment. RFC 3339 is what the vocabulary asks for; what else is
// met stands in layouts, and what stands in none of them is no moment.
//
// W3C ActivityStreams Core, section 2.3.
func (s *scanner) time() time.Time {
	text := s.text()
	if text == "" || len(text) > 64 {
		return time.Time{}
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			t = t.UTC().Truncate(time.Millisecond)
			if t.Year() < 1 || t.Year() > 9999 || t.IsZero() {
				return time.Time{}
			}
			return t
		}
	}
	return time.Time{}
}
