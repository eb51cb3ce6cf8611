package as2

import (
	"bytes"
	"fmt"
	"strings"
)

// Documents are read by the words that ActivityStreams defines, never by the
// meanings that an @context gives them: hardly any server processes JSON-LD, and
// two that disagree about what "actor" is can be played off against each other.
// A @context that adds words is passed over, the words with it. One that makes
// another thing of a word on which identity or audience hangs is refused, since
// to a JSON-LD reader the document says something else than to us.
//
// W3C ActivityStreams Core, section 2.1: "implementations producing ActivityStreams
// documents SHOULD NOT override" its terms.

// meanings looks at a @context.
func (s *scanner) meanings() {
	s.each(func() {
		switch s.peek() {
		case '{':
			in := scanner{b: s.raw()}
			in.terms()
			s.adopt(in.err)
		case '[':
			s.meanings()
		default:
			s.skip() // an address: what it holds cannot override ActivityStreams for those who do not fetch it
		}
	})
}

// terms looks at the definitions of one context.
func (s *scanner) terms() {
	s.i++
	for s.err == nil {
		if s.peek() != '"' {
			return
		}
		inner, escaped := s.quoted()
		if escaped {
			inner = []byte(unescape(inner))
		}
		value := s.raw()
		s.scoped(value)
		word, guarded := guardedWord(inner)
		if !guarded {
			continue
		}
		if means := definition(value); means != "" && !sameWord(means, word) || string(value) == "null" {
			s.fail(fmt.Errorf("%w: its @context makes %q another word, %q", ErrMalformed, word, means))
		}
	}
}

// scoped looks at the @context that a definition may bring for what stands
// below its term.
//
// JSON-LD 1.1, section 4.1.8 (scoped contexts).
func (s *scanner) scoped(definition []byte) {
	in := scanner{b: definition}
	if in.peek() != '{' {
		return
	}
	in.object(func([]byte) {}) // meets the @context, and skips the rest
	s.adopt(in.err)
}

// guardedWord reports whether a context may not give a word another meaning.
func guardedWord(key []byte) (string, bool) {
	if bytes.IndexByte(key, ':') > 0 {
		key = bytes.TrimPrefix(bytes.TrimPrefix(key, []byte("as:")), []byte(namespace))
	}
	for _, word := range guarded {
		if string(key) == word {
			return word, true
		}
	}
	return "", false
}

// guarded are the words that keep their meaning: identity, audience and place
// in a conversation hang on them, and on the prefix that they are written with.
var guarded = [...]string{"as", "id", "type", "actor", "object", "attributedTo", "to", "cc", "bto", "bcc", "audience", "target", "origin",
	"inReplyTo", "instrument", "result"}

// definition is what a term is defined as, or "".
func definition(value []byte) string {
	in := scanner{b: value}
	switch in.peek() {
	case '"':
		return in.str()
	case '{':
		var id string
		in.i++
		for in.peek() == '"' {
			switch name := in.str(); {
			case name == "@id" && in.peek() == '"':
				id = in.str()
			case name == "@id", name == "@reverse": // no word at all, or one that is read backwards
				id = name
				in.skip()
			default:
				in.skip()
			}
		}
		return id
	}
	return ""
}

// sameWord reports whether a definition gives a word its own meaning.
func sameWord(means, word string) bool {
	switch word {
	case "as":
		return strings.TrimSuffix(strings.Replace(means, "http:", "https:", 1), "#") == vocabulary
	case "id", "type":
		return means == "@"+word || means == word
	}
	return means == word || strings.TrimPrefix(means, "as:") == word || strings.TrimPrefix(means, namespace) == word
}

// local is a type's own word: without the prefix or the address of the
// vocabulary that it is of, where that is one in use among servers.
func local(typ string) string {
	if strings.IndexByte(typ, ':') < 0 {
		return typ
	}
	for _, prefix := range [...]string{namespace, "as:", "toot:", "schema:", "sc:", "litepub:", "misskey:", "pt:", "mz:", "lemmy:", "_:",
		"http://schema.org#", "http://schema.org/", "https://schema.org#", "https://schema.org/", "http://joinmastodon.org/ns#",
		"http://litepub.social/ns#", "https://misskey-hub.net/ns#", "https://joinpeertube.org/ns#", "https://w3id.org/fep/044f#"} {
		if rest, ok := strings.CutPrefix(typ, prefix); ok {
			return rest
		}
	}
	return typ
}
