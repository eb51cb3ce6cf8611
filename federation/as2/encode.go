package as2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-fed/activity/streams/vocab"
)

// ErrNotIRI is a reference that cannot be said, since it is no absolute IRI.
var ErrNotIRI = errors.New("not an absolute IRI")

// EncodeObject writes an object as we send it. The same value always gives the
// same bytes, so they can be stored once, served and delivered.
func EncodeObject(o Object) ([]byte, error) {
	var b builder
	return b.document(b.object(&o))
}

// EncodeActivity writes an activity as we send it. A Delete of anything but
// the actor itself always embeds a Tombstone, since with a bare id NodeBB 4.15
// keeps a topic that has replies.
func EncodeActivity(a Activity) ([]byte, error) {
	var b builder
	return b.document(b.activity(&a))
}

// EncodeActor writes an actor as we send it.
func EncodeActor(a Actor) ([]byte, error) {
	var b builder
	return b.document(b.actor(&a))
}

// EncodeCollection writes a collection or a page of one.
func EncodeCollection(c Collection) ([]byte, error) {
	var b builder
	if c.Type == "" {
		c.Type = "Collection"
	}
	m, _ := b.collection(&c).(map[string]any)
	return b.document(m)
}

// builder builds each node of a document with go-fed's types, which know what
// ActivityStreams allows where, and serialises it. Lists are assembled here,
// because go-fed writes a list of one as the one, which some servers refuse;
// what it does not know, or writes otherwise, is set beside it: extensions,
// moments (it drops milliseconds), language maps. The first error is kept.
type builder struct {
	err error
}

func (b *builder) document(m map[string]any) ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	m["@context"] = contextOf(m)
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("encode %v: %w", m["id"], err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// iri is a reference as go-fed wants it. The opaque form is written back byte
// by byte, where a parsed one would be escaped anew and no longer be the peer's
// own name for its thing.
func (b *builder) iri(text string) *url.URL {
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok || rest == "" || !isScheme(scheme) {
		if b.err == nil {
			b.err = fmt.Errorf("%w: %q", ErrNotIRI, text)
		}
		return &url.URL{Scheme: "about", Opaque: "blank"}
	}
	return &url.URL{Scheme: scheme, Opaque: rest}
}

// isScheme follows RFC 3986, section 3.1.
func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	return s != ""
}

// serialize writes a node. For an unknown type word a plain node was built; it
// gets its word here.
func (b *builder) serialize(t vocab.Type, typ string) map[string]any {
	m, err := t.Serialize()
	if err != nil {
		if b.err == nil {
			b.err = fmt.Errorf("encode %s: %w", typ, err)
		}
		return map[string]any{}
	}
	m["type"] = typ
	return m
}

// list makes a member a list, whatever go-fed made of it.
func list(m map[string]any, name string) {
	switch v := m[name].(type) {
	case nil:
		m[name] = []any{}
	case []any:
	default:
		m[name] = []any{v}
	}
}

// put sets a member unless the value says nothing.
func put(m map[string]any, name, value string) {
	if value != "" {
		m[name] = value
	}
}

func putNumber(m map[string]any, name string, n int) {
	if n > 0 {
		m[name] = n
	}
}

func putList(m map[string]any, name string, values []string) {
	if len(values) > 0 {
		m[name] = anys(values)
	}
}

func anys(values []string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// putTime writes a moment in UTC with milliseconds: forums sort threads by
// them, and NodeBB takes a reply of the topic's own second for a topic.
func putTime(m map[string]any, name string, t time.Time) {
	if !t.IsZero() {
		m[name] = t.UTC().Format("2006-01-02T15:04:05.000Z")
	}
}

// putLanguage writes the map that tells a text's language.
func putLanguage(m map[string]any, name, language, text string) {
	if language != "" && text != "" {
		m[name+"Map"] = map[string]any{language: text}
	}
}
