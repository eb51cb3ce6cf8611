package as2

import (
	"github.com/go-fed/activity/streams/vocab"
)

func (b *builder) putCollection(m map[string]any, name string, c *Collection) {
	if c != nil {
		m[name] = b.collection(c)
	}
}

// gathered is a node that holds other things.
type gathered interface {
	node
	SetActivityStreamsFirst(vocab.ActivityStreamsFirstProperty)
	SetActivityStreamsLast(vocab.ActivityStreamsLastProperty)
	SetActivityStreamsTotalItems(vocab.ActivityStreamsTotalItemsProperty)
}

// paged is one page of a collection.
type paged interface {
	SetActivityStreamsNext(vocab.ActivityStreamsNextProperty)
	SetActivityStreamsPrev(vocab.ActivityStreamsPrevProperty)
	SetActivityStreamsPartOf(vocab.ActivityStreamsPartOfProperty)
}

// collection writes a collection, or its address if no more is known.
func (b *builder) collection(c *Collection) any {
	typ := c.Type
	if typ == "" {
		if c.TotalItems == nil && c.Items == nil && c.First == "" && c.FirstPage == nil {
			return b.iri(c.ID).String()
		}
		typ = "Collection"
	}
	var t gathered
	items := "items"
	switch typ {
	case "OrderedCollection":
		t, items = makeOrderedCollection(), "orderedItems"
	case "OrderedCollectionPage":
		t, items = makeOrderedCollectionPage(), "orderedItems"
	case "CollectionPage":
		t = makeCollectionPage()
	default:
		t = makeCollection()
	}
	b.setID(t, c.ID)
	setTexts(t, c.Name, "", "")
	if c.AttributedTo != "" {
		p := makeAttributedToProperty()
		p.AppendIRI(b.iri(c.AttributedTo))
		t.SetActivityStreamsAttributedTo(p)
	}
	if c.TotalItems != nil {
		p := makeTotalItemsProperty()
		p.Set(*c.TotalItems)
		t.SetActivityStreamsTotalItems(p)
	}
	if c.First != "" && c.FirstPage == nil {
		p := makeFirstProperty()
		p.SetIRI(b.iri(c.First))
		t.SetActivityStreamsFirst(p)
	}
	if c.Last != "" {
		p := makeLastProperty()
		p.SetIRI(b.iri(c.Last))
		t.SetActivityStreamsLast(p)
	}
	page, isPage := t.(paged)
	if isPage {
		b.page(page, c)
	}
	m := b.serialize(t, typ)
	if !isPage { // some servers say these of the whole; go-fed knows better
		put(m, "next", c.Next)
		put(m, "prev", c.Prev)
		put(m, "partOf", c.PartOf)
	}
	if c.FirstPage != nil {
		m["first"] = b.collection(c.FirstPage)
	}
	if c.Items != nil {
		all := make([]any, len(c.Items))
		for i, it := range c.Items {
			switch {
			case it.Raw != nil:
				all[i] = it.Raw
			case it.Tag != nil:
				all[i] = b.tag(*it.Tag)
			default:
				all[i] = b.iri(it.ID).String()
			}
		}
		m[items] = all
	}
	return m
}

func (b *builder) page(t paged, c *Collection) {
	if c.Next != "" {
		p := makeNextProperty()
		p.SetIRI(b.iri(c.Next))
		t.SetActivityStreamsNext(p)
	}
	if c.Prev != "" {
		p := makePrevProperty()
		p.SetIRI(b.iri(c.Prev))
		t.SetActivityStreamsPrev(p)
	}
	if c.PartOf != "" {
		p := makePartOfProperty()
		p.SetIRI(b.iri(c.PartOf))
		t.SetActivityStreamsPartOf(p)
	}
}
