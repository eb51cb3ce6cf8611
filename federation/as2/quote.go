package as2

import "fmt"

// QuoteAuthorization is a stamp: the quoted author's server says that one post
// may show the other.
//
// FEP-044f, "QuoteAuthorization".
type QuoteAuthorization struct {
	ID           string
	AttributedTo string // the quoted author
	Interacting  string // the post that quotes
	Target       string // the post that is quoted
}

// DecodeQuoteAuthorization reads a stamp. Anything else is refused.
func DecodeQuoteAuthorization(body []byte) (QuoteAuthorization, error) {
	if err := check(body); err != nil {
		return QuoteAuthorization{}, err
	}
	var q QuoteAuthorization
	typ := ""
	s := scanner{b: body}
	s.object(func(key []byte) {
		switch string(key) {
		case "id", "@id":
			q.ID = s.str()
		case "type", "@type":
			typ = s.typ(func(typ string) bool { return typ == "QuoteAuthorization" })
		case "attributedTo":
			q.AttributedTo = s.id()
		case "interactingObject", "gts:interactingObject":
			q.Interacting = s.id()
		case "interactionTarget", "gts:interactionTarget":
			q.Target = s.id()
		}
	})
	switch {
	case s.err != nil:
		return QuoteAuthorization{}, s.err
	case typ != "QuoteAuthorization":
		return QuoteAuthorization{}, fmt.Errorf("%w: %q is no QuoteAuthorization", ErrMalformed, typ)
	case q.ID == "" || q.AttributedTo == "" || q.Interacting == "" || q.Target == "":
		return QuoteAuthorization{}, missing("id, attributedTo, interactingObject or interactionTarget")
	}
	return q, nil
}

// EncodeQuoteAuthorization writes a stamp as we serve it.
func EncodeQuoteAuthorization(q QuoteAuthorization) ([]byte, error) {
	var b builder
	m := b.object(&Object{ID: q.ID, Type: "QuoteAuthorization", AttributedTo: q.AttributedTo})
	m["interactingObject"], m["interactionTarget"] = b.iri(q.Interacting).String(), b.iri(q.Target).String()
	return b.document(m)
}
