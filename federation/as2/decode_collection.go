package as2

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// DecodeCollection reads a collection or one page of it. A page needs no id,
// since some servers give it none.
func DecodeCollection(body []byte) (Collection, error) {
	if err := check(body); err != nil {
		return Collection{}, err
	}
	s := scanner{b: body}
	c := s.collection(true)
	switch {
	case s.err != nil:
		return Collection{}, s.err
	case c == nil || c.Type == "":
		return Collection{}, missing("type")
	case !IsCollectionType(c.Type):
		return Collection{}, fmt.Errorf("%w: %q is no collection's type", ErrMalformed, c.Type)
	case c.ID == "" && (c.Type == "Collection" || c.Type == "OrderedCollection"):
		return Collection{}, missing("id")
	}
	return *c, nil
}

// collection reads a collection or its address. What pages say about their
// members is kept raw; an embedded first page is read once, not deeper.
func (s *scanner) collection(withPage bool) *Collection {
	c := new(Collection)
	if s.peek() != '{' {
		if c.ID = s.id(); c.ID == "" {
			return nil
		}
		return c
	}
	s.object(func(key []byte) {
		switch string(key) {
		case "id", "@id":
			c.ID = s.str()
		case "type", "@type":
			c.Type = s.typ(IsCollectionType)
		case "name":
			c.Name = s.text()
		case "attributedTo":
			c.AttributedTo = s.id()
		case "totalItems":
			if n, ok := s.maybeNumber(); ok {
				c.TotalItems = &n
			}
		case "first":
			if withPage && s.peek() == '{' {
				page := s.collection(false)
				c.First = page.ID
				if page.Type == "" && (page.Items != nil || page.Next != "") {
					page.Type = "CollectionPage"
				}
				if page.Type != "" {
					c.FirstPage = page
				}
				return
			}
			c.First = s.id()
		case "last":
			c.Last = s.id()
		case "next":
			c.Next = s.id()
		case "prev":
			c.Prev = s.id()
		case "partOf":
			c.PartOf = s.id()
		case "items", "orderedItems":
			s.each(func() {
				if it, ok := s.item(); ok {
					c.Items = append(c.Items, it)
				}
			})
		}
	})
	return c
}

// reference reads a collection that another document refers to or embeds: its
// address, or what is known of it, or nil.
func (s *scanner) reference() *Collection {
	c := s.collection(true)
	if c == nil || c.Type != "" {
		return c
	}
	switch {
	case c.TotalItems != nil || c.Items != nil || c.First != "" || c.FirstPage != nil:
		c.Type = "Collection"
	case c.ID == "":
		return nil
	default:
		c = &Collection{ID: c.ID}
	}
	return c
}

func (s *scanner) item() (Item, bool) {
	if s.peek() != '{' {
		id := s.str()
		return Item{ID: id}, id != ""
	}
	raw := s.raw()
	in := scanner{b: raw}
	id, _ := in.stub()
	s.adopt(in.err)
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return Item{}, false
	}
	return Item{ID: id, Raw: compact.Bytes()}, true
}
