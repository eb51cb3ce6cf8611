package as2

import "encoding/json"

// Collection is a Collection, OrderedCollection, CollectionPage or
// OrderedCollectionPage, or no more than the address of one: with an ID alone
// it is written as a plain string.
//
// W3C ActivityStreams Vocabulary, section 3.1, Collection.
type Collection struct {
	ID           string
	Type         string
	Name         string
	AttributedTo string

	// TotalItems is nil when the sender does not say, or we will not.
	TotalItems *int

	First  string
	Last   string
	Next   string
	Prev   string
	PartOf string

	// FirstPage is the first page when it was embedded, as Mastodon does with
	// replies; First is then its address.
	FirstPage *Collection

	// Items of items or orderedItems, whichever the document has. When we
	// write one, the type decides the word.
	Items []Item
}

// Item is one member of a collection.
type Item struct {
	ID string
	// Raw is the embedded document, or nil when only the address was given.
	// It is what the collection's owner says about the member, which is to be
	// believed only where ID and collection share an origin (FEP-fe34).
	Raw json.RawMessage
	// Tag is a hashtag, where the collection is one of those. It is written, and
	// read only as Raw.
	Tag *Tag
}

// IsCollectionType reports whether a type word is one of the four collection
// types.
func IsCollectionType(typ string) bool {
	switch typ {
	case "Collection", "OrderedCollection", "CollectionPage", "OrderedCollectionPage":
		return true
	}
	return false
}

// IDs returns the addresses of a collection's members, those of an embedded
// first page included.
func (c *Collection) IDs() []string {
	if c == nil {
		return nil
	}
	var ids []string
	for _, it := range c.Items {
		if it.ID != "" {
			ids = append(ids, it.ID)
		}
	}
	return append(ids, c.FirstPage.IDs()...)
}
