package as2

// Public is the collection of everyone. Only this spelling is ever written.
//
// W3C ActivityPub, section 5.6.
const Public = "https://www.w3.org/ns/activitystreams#Public"

const (
	vocabulary = "https://www.w3.org/ns/activitystreams"
	// namespace is where ActivityStreams' own words live.
	namespace = vocabulary + "#"
	// chalkring is where our own words live.
	chalkring = "https://w3id.org/chalkring/ns#"
)

// IsPublic reports whether a recipient is the collection of everyone, in any
// of the three spellings that JSON-LD allows.
//
// W3C ActivityPub, section 5.6.
func IsPublic(iri string) bool {
	return iri == Public || iri == "as:Public" || iri == "Public"
}

// remote returns the contexts that a document refers to by address. Every
// server has these at hand; what others would have to fetch is spelled out by
// term instead.
func remote(used map[string]bool) []any {
	out := []any{vocabulary}
	if used["publicKey"] {
		out = append(out, "https://w3id.org/security/v1")
	}
	if used["Multikey"] {
		out = append(out, "https://w3id.org/security/multikey/v1")
	}
	return out
}

// term defines a word that ActivityStreams lacks: the prefix it rests on, the
// prefix's meaning, and the definition.
func term(word string) (prefix, meaning string, definition any) {
	link := func(id string) any { return map[string]string{"@id": id, "@type": "@id"} }
	switch word {
	case "Hashtag", "sensitive", "manuallyApprovesFollowers":
		return "", "", "as:" + word
	case "alsoKnownAs", "movedTo":
		return "", "", link("as:" + word)
	case "discoverable", "indexable", "suspended", "memorial", "blurhash", "votersCount", "Emoji":
		return "toot", "http://joinmastodon.org/ns#", "toot:" + word
	case "featured", "featuredTags":
		return "toot", "http://joinmastodon.org/ns#", link("toot:" + word)
	case "focalPoint":
		return "toot", "http://joinmastodon.org/ns#", map[string]string{"@id": "toot:focalPoint", "@container": "@list"}
	case "PropertyValue", "value": // as Mastodon spells them: who compares whole addresses looks for these
		return "", "", "http://schema.org#" + word
	case "educationalLevel", "teaches", "learningResourceType", "timeRequired", "about",
		"knowsAbout", "seeks", "VirtualLocation", "maximumAttendeeCapacity", "eventStatus", "category":
		return "schema", "https://schema.org/", "schema:" + word
	case "license", "contributor", "isBasedOn", "acceptedAnswer":
		return "schema", "https://schema.org/", link("schema:" + word)
	case "conversation":
		return "ostatus", "http://ostatus.org#", "ostatus:conversation"
	case "status":
		return "ical", "http://www.w3.org/2002/12/cal/ical#", "ical:status"
	case "timezone", "joinMode", "externalParticipationUrl":
		return "mz", "https://joinmobilizon.org/ns#", "mz:" + word
	case "organizers", "attendees":
		return "", "", link("https://w3id.org/fep/8a8e#" + word)
	case "interactionPolicy", "canReply", "canLike", "canAnnounce", "canQuote", "automaticApproval", "manualApproval":
		return "gts", "https://gotosocial.org/ns#", link("gts:" + word)
	case "searchableBy":
		return "fedibird", "http://fedibird.com/ns#", link("fedibird:searchableBy")
	case "quote", "quoteAuthorization":
		return "", "", link("https://w3id.org/fep/044f#" + word)
	case "quoteUri":
		return "fedibird", "http://fedibird.com/ns#", "fedibird:quoteUri"
	case "_misskey_quote":
		return "misskey", "https://misskey-hub.net/ns#", "misskey:_misskey_quote"
	case "QuoteRequest", "QuoteAuthorization":
		return "", "", "https://w3id.org/fep/044f#" + word
	case "interactingObject", "interactionTarget":
		return "gts", "https://gotosocial.org/ns#", link("gts:" + word)
	case "implements":
		return "", "", link("https://w3id.org/fep/844e#implements")
	case "postingRestrictedToMods", "removeData":
		return "lemmy", "https://join-lemmy.org/ns#", "lemmy:" + word
	case "commentsEnabled":
		return "pt", "https://joinpeertube.org/ns#", "pt:commentsEnabled"
	case "assertionMethod":
		return "sec", "https://w3id.org/security#", map[string]string{"@id": "sec:assertionMethod", "@type": "@id", "@container": "@set"}
	case "digestMultibase":
		return "sec", "https://w3id.org/security#", "sec:digestMultibase"
	case "kind", "phase", "recognition", "contact", "invitation", "ceiling", "hold":
		return "cr", chalkring, "cr:" + word
	case "recognises", "portfolio", "network":
		return "cr", chalkring, link("cr:" + word)
	}
	return "", "", nil
}

// contextOf is the @context of a document: ActivityStreams, and a definition
// of each further word that the document uses.
func contextOf(document map[string]any) any {
	used := make(map[string]bool)
	words(document, used)
	out := remote(used)
	terms := make(map[string]any)
	for word := range used {
		prefix, meaning, definition := term(word)
		if definition == nil {
			continue
		}
		terms[word] = definition
		if prefix != "" {
			terms[prefix] = meaning
		}
	}
	if len(terms) > 0 {
		out = append(out, terms)
	}
	if len(out) == 1 {
		return vocabulary
	}
	return out
}

// words gathers the member names and types of a document. Names of languages
// are no words.
func words(value any, used map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			used[name] = true
			switch name {
			case "contentMap", "nameMap", "summaryMap":
			case "type":
				if t, ok := member.(string); ok {
					used[t] = true
				}
			default:
				words(member, used)
			}
		}
	case []any:
		for _, member := range v {
			words(member, used)
		}
	}
}
