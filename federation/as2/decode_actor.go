package as2

import "html"

// actor reads an actor. It fails the scanner if id or type are missing.
func (s *scanner) actor() *Actor {
	a := new(Actor)
	var name, summary languages
	var long string
	s.object(func(key []byte) {
		switch string(key) {
		case "id", "@id":
			a.ID = s.str()
		case "type", "@type":
			a.Type = s.typ(IsActorType)
		case "preferredUsername":
			a.PreferredUsername = s.text()
		case "name":
			a.Name = s.words(&name)
		case "nameMap":
			s.languages(&name)
		case "summary":
			a.Summary = s.words(&summary)
		case "summaryMap":
			s.languages(&summary)
		case "content": // Lemmy's instances: the longer words about themselves
			long = s.text()
		case "source":
			a.Source = s.source()
		case "url":
			a.URL = pageOf(s.links())
		case "inbox":
			a.Inbox = s.id()
		case "outbox":
			a.Outbox = s.id()
		case "followers":
			a.Followers = s.id()
		case "following":
			a.Following = s.id()
		case "featured", "toot:featured":
			a.Featured = s.id()
		case "featuredTags":
			a.FeaturedTags = s.id()
		case "endpoints":
			s.object(func(key []byte) {
				if string(key) == "sharedInbox" {
					a.SharedInbox = s.id()
				}
			})
		case "publicKey":
			if keys := s.publicKeys(); len(keys) > 0 {
				if a.PublicKey = keys[0]; len(keys) > 1 {
					a.MoreKeys = keys[1:]
				}
			}
		case "assertionMethod":
			a.Multikeys = s.multikeys()
		case "icon":
			a.Icon = s.picture()
		case "image":
			a.Image = s.picture()
		case "attachment":
			a.Fields = s.fields()
		case "tag":
			a.Tags = s.tags()
		case "alsoKnownAs", "as:alsoKnownAs":
			a.AlsoKnownAs = s.ids()
		case "movedTo", "as:movedTo":
			a.MovedTo = s.id()
		case "manuallyApprovesFollowers", "as:manuallyApprovesFollowers":
			a.ManuallyApprovesFollowers = s.boolean()
		case "discoverable", "toot:discoverable":
			a.Discoverable = s.boolean()
		case "indexable", "toot:indexable":
			a.Indexable = s.boolean()
		case "suspended", "toot:suspended":
			a.Suspended = s.boolean()
		case "memorial", "toot:memorial":
			a.Memorial = s.boolean()
		case "published":
			a.Published = s.time()
		case "updated":
			a.Updated = s.time()
		case "attributedTo":
			a.AttributedTo = s.ids()
		case "postingRestrictedToMods", "lemmy:postingRestrictedToMods":
			a.PostingRestrictedToMods = s.boolean()
		case "generator":
			a.Generator = s.generator()
		case "knowsAbout", "schema:knowsAbout":
			a.KnowsAbout = s.ids()
		case "seeks", "schema:seeks":
			a.Seeks = s.ids()
		case "portfolio", "cr:portfolio", chalkring + "portfolio":
			a.Portfolio = s.id()
		case "network", "cr:network", chalkring + "network":
			a.Network = s.id()
		}
	})
	switch {
	case s.err != nil:
	case a.ID == "":
		s.fail(missing("id"))
	case a.Type == "":
		s.fail(missing("type"))
	}
	a.Language = summary.settle(&a.Summary, "")
	if l := name.settle(&a.Name, a.Language); l != "" {
		a.Language = l
	}
	if a.Summary == "" {
		a.Summary = long
	}
	return a
}

// mostKeys is how many keys of an actor are read.
const mostKeys = 8

// publicKeys reads the signing keys that have a PEM.
func (s *scanner) publicKeys() []PublicKey {
	var out []PublicKey
	s.each(func() {
		var k PublicKey
		s.object(func(key []byte) {
			switch string(key) {
			case "id", "@id":
				k.ID = s.str()
			case "owner":
				k.Owner = s.id()
			case "publicKeyPem":
				k.PEM = s.str()
			}
		})
		if k.PEM != "" && len(out) < mostKeys {
			out = append(out, k)
		}
	})
	return out
}

func (s *scanner) multikeys() []Multikey {
	var out []Multikey
	s.each(func() {
		var k Multikey
		var typ string
		s.object(func(key []byte) {
			switch string(key) {
			case "id", "@id":
				k.ID = s.str()
			case "type", "@type":
				typ = s.typ(nil)
			case "controller":
				k.Controller = s.id()
			case "publicKeyMultibase":
				k.Multibase = s.str()
			}
		})
		if typ == "Multikey" && k.ID != "" && k.Multibase != "" && len(out) < mostKeys {
			out = append(out, k)
		}
	})
	return out
}

// fields reads the lines of a profile: PropertyValue, as everyone writes them,
// and the Note and Link of FEP-fb2a.
func (s *scanner) fields() []Field {
	var out []Field
	s.each(func() {
		var f Field
		var typ string
		s.object(func(key []byte) {
			switch string(key) {
			case "type", "@type":
				typ = s.typ(nil)
			case "name":
				f.Name = s.text()
			case "value", "schema:value", "content":
				if v := s.text(); f.Value == "" {
					f.Value = v
				}
			case "href":
				if v := s.id(); isAddress(v) && f.Value == "" {
					v = html.EscapeString(v)
					f.Value = `<a href="` + v + `">` + v + `</a>`
				}
			}
		})
		switch typ {
		case "PropertyValue", "Note", "Link":
			if f.Name != "" && f.Value != "" {
				out = append(out, f)
			}
		}
	})
	return out
}

func (s *scanner) generator() *Generator {
	var g Generator
	if s.peek() != '{' {
		if g.ID = s.id(); g.ID == "" {
			return nil
		}
		return &g
	}
	s.object(func(key []byte) {
		switch string(key) {
		case "id", "@id":
			g.ID = s.str()
		case "name":
			g.Name = s.text()
		case "implements":
			for _, l := range s.links() {
				g.Implements = append(g.Implements, Implementation{Href: l.Href, Name: l.Name})
			}
		}
	})
	return &g
}
