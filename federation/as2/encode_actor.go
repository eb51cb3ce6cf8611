package as2

import (
	"github.com/go-fed/activity/streams/vocab"
)

// actorNode is one of the five kinds of actor.
type actorNode interface {
	node
	SetActivityStreamsFollowers(vocab.ActivityStreamsFollowersProperty)
	SetActivityStreamsFollowing(vocab.ActivityStreamsFollowingProperty)
	SetActivityStreamsInbox(vocab.ActivityStreamsInboxProperty)
	SetActivityStreamsOutbox(vocab.ActivityStreamsOutboxProperty)
	SetActivityStreamsPreferredUsername(vocab.ActivityStreamsPreferredUsernameProperty)
	SetTootDiscoverable(vocab.TootDiscoverableProperty)
	SetTootFeatured(vocab.TootFeaturedProperty)
	SetW3IDSecurityV1PublicKey(vocab.W3IDSecurityV1PublicKeyProperty)
}

func newActor(typ string) actorNode {
	switch typ {
	case "Group":
		return makeGroup()
	case "Service":
		return makeService()
	case "Application":
		return makeApplication()
	case "Organization":
		return makeOrganization()
	}
	return makePerson()
}

func (b *builder) actor(a *Actor) map[string]any {
	t := newActor(a.Type)
	b.setID(t, a.ID)
	setTexts(t, a.Name, a.Summary, "")
	if a.PreferredUsername != "" {
		p := makePreferredUsernameProperty()
		p.SetXMLSchemaString(a.PreferredUsername)
		t.SetActivityStreamsPreferredUsername(p)
	}
	if a.URL != "" {
		p := makeUrlProperty()
		p.AppendIRI(b.iri(a.URL))
		t.SetActivityStreamsUrl(p)
	}
	b.boxes(t, a)
	b.publicKeys(t, a.PublicKey, a.MoreKeys...)
	d := makeTootDiscoverableProperty()
	d.Set(a.Discoverable)
	t.SetTootDiscoverable(d)

	m := b.serialize(t, a.Type)
	m["indexable"] = a.Indexable
	m["manuallyApprovesFollowers"] = a.ManuallyApprovesFollowers
	putLanguage(m, "name", a.Language, a.Name)
	putLanguage(m, "summary", a.Language, a.Summary)
	putTime(m, "published", a.Published)
	putTime(m, "updated", a.Updated)
	b.source(m, a.Source)
	if a.SharedInbox != "" {
		m["endpoints"] = map[string]any{"sharedInbox": a.SharedInbox}
	}
	b.picture(m, "icon", a.Icon)
	b.picture(m, "image", a.Image)
	b.tags(m, a.Tags)
	if len(a.Fields) > 0 {
		fields := make([]any, len(a.Fields))
		for i, f := range a.Fields {
			fields[i] = map[string]any{"type": "PropertyValue", "name": f.Name, "value": f.Value}
		}
		m["attachment"] = fields
	}
	if len(a.Multikeys) > 0 {
		keys := make([]any, len(a.Multikeys))
		for i, k := range a.Multikeys {
			keys[i] = map[string]any{"id": k.ID, "type": "Multikey", "controller": k.Controller, "publicKeyMultibase": k.Multibase}
		}
		m["assertionMethod"] = keys
	}
	putList(m, "alsoKnownAs", a.AlsoKnownAs)
	put(m, "movedTo", a.MovedTo)
	if a.Suspended {
		m["suspended"] = true
	}
	if a.Memorial {
		m["memorial"] = true
	}
	switch len(a.AttributedTo) {
	case 0:
	case 1: // Lemmy wants the moderators' collection as a string
		m["attributedTo"] = a.AttributedTo[0]
	default:
		m["attributedTo"] = anys(a.AttributedTo)
	}
	if a.Type == "Group" || a.PostingRestrictedToMods {
		m["postingRestrictedToMods"] = a.PostingRestrictedToMods
	}
	b.generator(m, a.Generator)
	putList(m, "knowsAbout", a.KnowsAbout)
	putList(m, "seeks", a.Seeks)
	put(m, "featuredTags", a.FeaturedTags)
	put(m, "portfolio", a.Portfolio)
	put(m, "network", a.Network)
	return m
}

func (b *builder) boxes(t actorNode, a *Actor) {
	if a.Inbox != "" {
		p := makeInboxProperty()
		p.SetIRI(b.iri(a.Inbox))
		t.SetActivityStreamsInbox(p)
	}
	if a.Outbox != "" {
		p := makeOutboxProperty()
		p.SetIRI(b.iri(a.Outbox))
		t.SetActivityStreamsOutbox(p)
	}
	if a.Followers != "" {
		p := makeFollowersProperty()
		p.SetIRI(b.iri(a.Followers))
		t.SetActivityStreamsFollowers(p)
	}
	if a.Following != "" {
		p := makeFollowingProperty()
		p.SetIRI(b.iri(a.Following))
		t.SetActivityStreamsFollowing(p)
	}
	if a.Featured != "" {
		p := makeTootFeaturedProperty()
		p.SetIRI(b.iri(a.Featured))
		t.SetTootFeatured(p)
	}
}

// publicKeys writes the signing key as one object, which is what every server
// reads, and as a list only where there are more.
func (b *builder) publicKeys(t actorNode, first PublicKey, more ...PublicKey) {
	if first.PEM == "" {
		return
	}
	p := makeW3IDSecurityV1PublicKeyProperty()
	for _, k := range append([]PublicKey{first}, more...) {
		key := makeW3IDSecurityV1PublicKey()
		b.setID(key, k.ID)
		if k.Owner != "" {
			owner := makeW3IDSecurityV1OwnerProperty()
			owner.Set(b.iri(k.Owner))
			key.SetW3IDSecurityV1Owner(owner)
		}
		pem := makeW3IDSecurityV1PublicKeyPemProperty()
		pem.Set(k.PEM)
		key.SetW3IDSecurityV1PublicKeyPem(pem)
		p.AppendW3IDSecurityV1PublicKey(key)
	}
	t.SetW3IDSecurityV1PublicKey(p)
}

func (b *builder) generator(m map[string]any, g *Generator) {
	if g == nil {
		return
	}
	t := makeApplication()
	b.setID(t, g.ID)
	setTexts(t, g.Name, "", "")
	generator := b.serialize(t, "Application")
	if len(g.Implements) > 0 {
		all := make([]any, len(g.Implements))
		for i, im := range g.Implements {
			all[i] = map[string]any{"href": im.Href, "name": im.Name}
		}
		generator["implements"] = all
	}
	m["generator"] = generator
}
