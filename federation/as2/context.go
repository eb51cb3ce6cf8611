package as2

// Public is the collection of everyone. Only its first spelling is ever
// written.
//
// W3C ActivityPub, section 5.6.
const Public = "https://www.w3.org/ns/activitystreams#Public"

// chalkring is where our own words live.
const chalkring = "https://w3id.org/chalkring/ns#"

// namespace is where ActivityStreams' own words live.
const namespace = "https://www.w3.org/ns/activitystreams#"

// IsPublic reports whether a recipient is the collection of everyone, in any
// of the three spellings that JSON-LD allows.
//
// W3C ActivityPub, section 5.6.
func IsPublic(iri string) bool {
	return iri == Public || iri == "as:Public" || iri == "Public"
}
