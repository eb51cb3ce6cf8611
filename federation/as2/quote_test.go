package as2

import (
	"errors"
	"testing"
)

// FEP-044f, "QuoteAuthorization"; the first document is the FEP's own.
func TestDecodeQuoteAuthorization(t *testing.T) {
	want := QuoteAuthorization{ID: "https://example.com/users/alice/stamps/1", AttributedTo: "https://example.com/users/alice",
		Interacting: "https://example.org/users/bob/statuses/1", Target: "https://example.com/users/alice/statuses/1"}
	const body = `"id": "https://example.com/users/alice/stamps/1", "attributedTo": "https://example.com/users/alice",
		"interactingObject": "https://example.org/users/bob/statuses/1", "interactionTarget": "https://example.com/users/alice/statuses/1"}`
	for _, tt := range []struct {
		name, body string
		err        error
	}{
		{"as the FEP has it", `{"@context": ["https://www.w3.org/ns/activitystreams", {"QuoteAuthorization": "https://w3id.org/fep/044f#QuoteAuthorization"}], "type": "QuoteAuthorization", ` + body, nil},
		{"several types", `{"type": ["Object", "QuoteAuthorization"], ` + body, nil},
		{"another type", `{"type": "Note", ` + body, ErrMalformed},
		{"no type", `{` + body, ErrMalformed},
		{"no target", `{"type": "QuoteAuthorization", "id": "https://a.test/1", "attributedTo": "https://a.test/2", "interactingObject": "https://b.test/1"}`, ErrIncomplete},
		{"the target twice", `{"type": "QuoteAuthorization", "id": "https://a.test/0", ` + body, ErrMalformed},
		{"no document", `[]`, ErrMalformed},
	} {
		got, err := DecodeQuoteAuthorization([]byte(tt.body))
		if !errors.Is(err, tt.err) || tt.err == nil && (err != nil || got != want) {
			t.Errorf("%s: %+v, %v; want %v", tt.name, got, err, tt.err)
		}
	}
}

// What is understood can be said again.
func FuzzDecodeQuoteAuthorization(f *testing.F) {
	f.Add([]byte(`{"type": "QuoteAuthorization", "id": "https://a.test/1", "attributedTo": "https://a.test/2", "interactingObject": "https://b.test/1", "interactionTarget": "https://a.test/3"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		said, err := DecodeQuoteAuthorization(body)
		if err != nil {
			return
		}
		again, err := EncodeQuoteAuthorization(said)
		if errors.Is(err, ErrNotIRI) {
			return
		}
		if heard, _ := DecodeQuoteAuthorization(again); err != nil || heard != said {
			t.Errorf("said %+v, heard %+v (%v)", said, heard, err)
		}
	})
}
