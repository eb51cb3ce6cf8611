package as2

// Envelope is the little that an inbox must know before it trusts a document:
// who says that they did what to which. It costs a fraction of Decode and reads
// nothing else.
type Envelope struct {
	ID    string
	Type  string
	Actor string

	// ObjectID is "" when the object has no address, as an embedded activity
	// sometimes has not. ObjectType is "" when only the address was given.
	ObjectID   string
	ObjectType string
}

// ReadEnvelope reads who did what to which, and nothing else. Names are exact:
// "ID" is not "id", and a second "actor" is refused.
func ReadEnvelope(body []byte) (Envelope, error) {
	var e Envelope
	if err := check(body); err != nil {
		return e, err
	}
	s := scanner{b: body}
	s.object(func(key []byte) {
		switch string(key) {
		case "id", "@id":
			e.ID = s.str()
		case "type", "@type":
			e.Type = s.typ(isActivityType)
		case "actor":
			e.Actor = s.id()
		case "object":
			e.ObjectID, e.ObjectType = s.stub()
		}
	})
	switch {
	case s.err != nil:
		return Envelope{}, s.err
	case e.ID == "":
		return Envelope{}, missing("id")
	case e.Type == "":
		return Envelope{}, missing("type")
	case e.Actor == "":
		return Envelope{}, missing("actor")
	}
	return e, nil
}
