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
