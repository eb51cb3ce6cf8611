package as2

import (
	"github.com/go-fed/activity/streams/vocab"
)

// node is what every object, actor, activity and collection of go-fed can
// hold.
type node interface {
	vocab.Type
	SetActivityStreamsAttributedTo(vocab.ActivityStreamsAttributedToProperty)
	SetActivityStreamsAudience(vocab.ActivityStreamsAudienceProperty)
	SetActivityStreamsCc(vocab.ActivityStreamsCcProperty)
	SetActivityStreamsContent(vocab.ActivityStreamsContentProperty)
	SetActivityStreamsContext(vocab.ActivityStreamsContextProperty)
	SetActivityStreamsInReplyTo(vocab.ActivityStreamsInReplyToProperty)
	SetActivityStreamsMediaType(vocab.ActivityStreamsMediaTypeProperty)
	SetActivityStreamsName(vocab.ActivityStreamsNameProperty)
	SetActivityStreamsSummary(vocab.ActivityStreamsSummaryProperty)
	SetActivityStreamsTo(vocab.ActivityStreamsToProperty)
	SetActivityStreamsUrl(vocab.ActivityStreamsUrlProperty)
}

// newObject makes the node for an object's type; one that go-fed does not know
// is a plain Object.
func newObject(typ string) node {
	switch typ {
	case "Note":
		return makeNote()
	case "Article":
		return makeArticle()
	case "Page":
		return makePage()
	case "Question":
		return makeQuestion()
	case "Event":
		return makeEvent()
	case "Tombstone":
		return makeTombstone()
	case "Image":
		return makeImage()
	case "Document":
		return makeDocument()
	case "Video":
		return makeVideo()
	case "Audio":
		return makeAudio()
	}
	return makeObject()
}

func (b *builder) setID(t vocab.Type, id string) {
	if id == "" {
		return
	}
	p := makeJSONLDIdProperty()
	p.Set(b.iri(id))
	t.SetJSONLDId(p)
}

func setTexts(t node, name, summary, content string) {
	if name != "" {
		p := makeNameProperty()
		p.AppendXMLSchemaString(name)
		t.SetActivityStreamsName(p)
	}
	if summary != "" {
		p := makeSummaryProperty()
		p.AppendXMLSchemaString(summary)
		t.SetActivityStreamsSummary(p)
	}
	if content != "" {
		p := makeContentProperty()
		p.AppendXMLSchemaString(content)
		t.SetActivityStreamsContent(p)
	}
}

func (b *builder) setAddresses(t node, to, cc []string, audience string) {
	if len(to) > 0 {
		p := makeToProperty()
		for _, iri := range to {
			p.AppendIRI(b.iri(iri))
		}
		t.SetActivityStreamsTo(p)
	}
	if len(cc) > 0 {
		p := makeCcProperty()
		for _, iri := range cc {
			p.AppendIRI(b.iri(iri))
		}
		t.SetActivityStreamsCc(p)
	}
	if audience != "" {
		p := makeAudienceProperty()
		p.AppendIRI(b.iri(audience))
		t.SetActivityStreamsAudience(p)
	}
}

func (b *builder) object(o *Object) map[string]any {
	t := newObject(o.Type)
	b.setID(t, o.ID)
	setTexts(t, o.Name, o.Summary, o.Content)
	b.setAddresses(t, o.To, o.Cc, o.Audience)
	if o.AttributedTo != "" {
		p := makeAttributedToProperty()
		p.AppendIRI(b.iri(o.AttributedTo))
		t.SetActivityStreamsAttributedTo(p)
	}
	if o.Context != "" {
		p := makeContextProperty()
		p.AppendIRI(b.iri(o.Context))
		t.SetActivityStreamsContext(p)
	}
	if o.InReplyTo != "" {
		p := makeInReplyToProperty()
		p.AppendIRI(b.iri(o.InReplyTo))
		t.SetActivityStreamsInReplyTo(p)
	}
	if o.MediaType != "" {
		p := makeMediaTypeProperty()
		p.Set(o.MediaType)
		t.SetActivityStreamsMediaType(p)
	}
	m := b.serialize(t, o.Type)
	if len(o.To)+len(o.Cc) > 0 {
		list(m, "to")
		list(m, "cc")
	}
	putLanguage(m, "name", o.Language, o.Name)
	putLanguage(m, "summary", o.Language, o.Summary)
	putLanguage(m, "content", o.Language, o.Content)
	putTime(m, "published", o.Published)
	putTime(m, "updated", o.Updated)
	putTime(m, "deleted", o.Deleted)
	put(m, "formerType", o.FormerType)
	if o.Sensitive {
		m["sensitive"] = true
	}
	putList(m, "contributor", o.Contributors)
	put(m, "conversation", o.Conversation)
	put(m, "quote", o.Quote)
	put(m, "quoteUri", o.Quote)
	put(m, "_misskey_quote", o.Quote)
	put(m, "quoteAuthorization", o.QuoteAuthorization)
	b.source(m, o.Source)
	if len(o.URL) > 0 {
		links := make([]any, len(o.URL))
		for i, l := range o.URL {
			links[i] = b.link(l)
		}
		m["url"] = links
	}
	if len(o.Attachments) > 0 {
		files := make([]any, len(o.Attachments))
		for i := range o.Attachments {
			files[i] = b.attachment(&o.Attachments[i])
		}
		m["attachment"] = files
	}
	b.picture(m, "image", o.Image)
	b.picture(m, "icon", o.Icon)
	b.tags(m, o.Tags)
	b.putCollection(m, "replies", o.Replies)
	b.putCollection(m, "likes", o.Likes)
	b.putCollection(m, "shares", o.Shares)
	if p := o.InteractionPolicy; p != nil {
		m["interactionPolicy"] = map[string]any{
			"canReply": approval(p.CanReply), "canLike": approval(p.CanLike),
			"canAnnounce": approval(p.CanAnnounce), "canQuote": approval(p.CanQuote),
		}
	}
	putList(m, "searchableBy", o.SearchableBy)
	put(m, "kind", o.Kind)
	put(m, "phase", o.Phase)
	put(m, "recognises", o.Recognises)
	put(m, "recognition", o.Recognition)
	put(m, "license", o.License)
	put(m, "educationalLevel", o.EducationalLevel)
	putList(m, "about", o.About)
	put(m, "teaches", o.Teaches)
	put(m, "learningResourceType", o.LearningResourceType)
	put(m, "isBasedOn", o.IsBasedOn)
	put(m, "timeRequired", o.TimeRequired)
	put(m, "acceptedAnswer", o.AcceptedAnswer)
	if o.CommentsDisabled {
		m["commentsEnabled"] = false
	}
	b.event(m, o.Event)
	b.poll(m, o.Poll)
	return m
}

func (b *builder) source(m map[string]any, s *Source) {
	if s != nil {
		source := map[string]any{"content": s.Content}
		put(source, "mediaType", s.MediaType)
		m["source"] = source
	}
}

func approval(a Approval) any {
	m := map[string]any{"automaticApproval": anys(a.Automatic)}
	putList(m, "manualApproval", a.Manual)
	return m
}

// link writes an address, as a string if nothing else is known of it.
func (b *builder) link(l Link) any {
	if l == (Link{Href: l.Href}) {
		return b.iri(l.Href).String()
	}
	return b.linkNode(makeLink(), "Link", l)
}

// linkType is a Link or one of its kinds.
type linkType interface {
	vocab.Type
	SetActivityStreamsHref(vocab.ActivityStreamsHrefProperty)
	SetActivityStreamsName(vocab.ActivityStreamsNameProperty)
	SetActivityStreamsMediaType(vocab.ActivityStreamsMediaTypeProperty)
	SetActivityStreamsRel(vocab.ActivityStreamsRelProperty)
	SetActivityStreamsWidth(vocab.ActivityStreamsWidthProperty)
	SetActivityStreamsHeight(vocab.ActivityStreamsHeightProperty)
}

func (b *builder) linkNode(t linkType, typ string, l Link) map[string]any {
	if l.Href != "" {
		p := makeHrefProperty()
		p.Set(b.iri(l.Href))
		t.SetActivityStreamsHref(p)
	}
	if l.Name != "" {
		p := makeNameProperty()
		p.AppendXMLSchemaString(l.Name)
		t.SetActivityStreamsName(p)
	}
	if l.MediaType != "" {
		p := makeMediaTypeProperty()
		p.Set(l.MediaType)
		t.SetActivityStreamsMediaType(p)
	}
	if l.Rel != "" {
		p := makeRelProperty()
		p.AppendRFCRfc5988(l.Rel)
		t.SetActivityStreamsRel(p)
	}
	if l.Width > 0 {
		p := makeWidthProperty()
		p.Set(l.Width)
		t.SetActivityStreamsWidth(p)
	}
	if l.Height > 0 {
		p := makeHeightProperty()
		p.Set(l.Height)
		t.SetActivityStreamsHeight(p)
	}
	return b.serialize(t, typ)
}

func (b *builder) attachment(a *Attachment) map[string]any {
	typ := a.Type
	if typ == "" {
		typ = "Document"
	}
	var m map[string]any
	if typ == "Link" {
		m = b.linkNode(makeLink(), typ, Link{Href: a.URL, MediaType: a.MediaType, Name: a.Name, Width: a.Width, Height: a.Height})
	} else {
		t := newObject(typ)
		setTexts(t, a.Name, "", "")
		p := makeUrlProperty()
		p.AppendIRI(b.iri(a.URL))
		t.SetActivityStreamsUrl(p)
		if a.MediaType != "" {
			p := makeMediaTypeProperty()
			p.Set(a.MediaType)
			t.SetActivityStreamsMediaType(p)
		}
		m = b.serialize(t, typ)
		putNumber(m, "width", a.Width)
		putNumber(m, "height", a.Height)
	}
	put(m, "blurhash", a.Blurhash)
	if a.FocalPoint != nil {
		m["focalPoint"] = []any{a.FocalPoint[0], a.FocalPoint[1]}
	}
	put(m, "digestMultibase", a.Digest)
	if a.Icon != "" {
		b.picture(m, "icon", &Attachment{Type: "Image", URL: a.Icon})
	}
	return m
}

func (b *builder) picture(m map[string]any, name string, a *Attachment) {
	if a == nil {
		return
	}
	image := *a
	if image.Type == "" {
		image.Type = "Image"
	}
	m[name] = b.attachment(&image)
}

func (b *builder) tags(m map[string]any, tags []Tag) {
	if len(tags) == 0 {
		return
	}
	out := make([]any, len(tags))
	for i, t := range tags {
		out[i] = b.tag(t)
	}
	m["tag"] = out
}

func (b *builder) tag(t Tag) map[string]any {
	l := Link{Href: t.Href, Name: t.Name, Rel: t.Rel, MediaType: t.MediaType}
	var tag map[string]any
	switch t.Type {
	case "Mention":
		tag = b.linkNode(makeMention(), t.Type, l)
	default: // a Link, or a Hashtag, which go-fed does not know
		tag = b.linkNode(makeLink(), t.Type, l)
	}
	put(tag, "id", t.ID)
	if t.Icon != "" {
		b.picture(tag, "icon", &Attachment{Type: "Image", URL: t.Icon})
	}
	return tag
}

func (b *builder) poll(m map[string]any, p *Poll) {
	if p == nil {
		return
	}
	options := make([]any, len(p.Options))
	for i, o := range p.Options {
		t := makeNote()
		setTexts(t, o.Name, "", "")
		option := b.serialize(t, "Note")
		option["replies"] = b.collection(&Collection{Type: "Collection", TotalItems: new(o.Votes)})
		options[i] = option
	}
	if len(options) > 0 {
		if p.Multiple {
			m["anyOf"] = options
		} else {
			m["oneOf"] = options
		}
	}
	putTime(m, "endTime", p.Ends)
	putTime(m, "closed", p.Closed)
	if len(options) > 0 {
		m["votersCount"] = p.Voters
	}
}

func (b *builder) event(m map[string]any, e *Event) {
	if e == nil {
		return
	}
	putTime(m, "startTime", e.Start)
	putTime(m, "endTime", e.End)
	put(m, "timezone", e.Timezone)
	if len(e.Places) > 0 {
		places := make([]any, len(e.Places))
		for i, p := range e.Places {
			t := makePlace()
			setTexts(t, p.Name, "", "")
			if p.URL != "" {
				u := makeUrlProperty()
				u.AppendIRI(b.iri(p.URL))
				t.SetActivityStreamsUrl(u)
			}
			if p.Type == "" {
				p.Type = "Place"
			}
			place := b.serialize(t, p.Type)
			put(place, "address", p.Address)
			places[i] = place
		}
		m["location"] = places
	}
	put(m, "eventStatus", e.EventStatus)
	put(m, "status", e.Status)
	put(m, "joinMode", e.JoinMode)
	put(m, "externalParticipationUrl", e.ExternalParticipationURL)
	putNumber(m, "maximumAttendeeCapacity", e.Capacity)
	put(m, "category", e.Category)
	if len(e.Organizers) > 0 {
		c := Collection{Type: "Collection", TotalItems: new(len(e.Organizers))}
		for _, id := range e.Organizers {
			c.Items = append(c.Items, Item{ID: id})
		}
		m["organizers"] = b.collection(&c)
	}
	b.putCollection(m, "attendees", e.Attendees)
}
