package as2

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxContributors is how many co-authors are read: more than anyone shows.
const maxContributors = 50

// objectOf reads an object. It fails the scanner if id or type are missing.
func (s *scanner) objectOf() *Object {
	o := new(Object)
	var content, name, summary languages
	var language, actor, quoted, source string
	var links []Tag // that lead to objects, FEP-e232
	var policy *InteractionPolicy
	var contributors []string
	var ev Event
	var one, any []Option
	var closed time.Time
	var over bool
	var voters int
	var closedToComments bool
	s.object(func(key []byte) {
		switch string(key) {
		case "id", "@id":
			o.ID = s.str()
		case "type", "@type":
			o.Type = s.typ(isObjectType)
		case "attributedTo":
			if ids := s.ids(); len(ids) > 0 {
				o.AttributedTo = ids[0]
				contributors = append(contributors, ids[1:]...)
			}
		case "contributor", "schema:contributor":
			contributors = append(contributors, s.ids()...)
		case "actor": // Mobilizon: who wrote it, where attributedTo is a group
			actor = s.id()
		case "name":
			o.Name = s.words(&name)
		case "summary":
			o.Summary = s.words(&summary)
		case "content":
			o.Content = s.words(&content)
		case "nameMap":
			s.languages(&name)
		case "summaryMap":
			s.languages(&summary)
		case "contentMap":
			s.languages(&content)
		case "description": // Castopod: a Note with the words about a recording
			if text := s.text(); o.Summary == "" {
				o.Summary = text
			}
		case "_misskey_content":
			source = s.str()
		case "inLanguage", "mz:inLanguage", "schema:inLanguage":
			if v := s.text(); language == "" {
				language = v
			}
		case "language": // Lemmy, PieFed, PeerTube: {"identifier": "en"}
			s.each(func() {
				if s.peek() == '"' {
					if v := s.str(); language == "" {
						language = v
					}
					return
				}
				s.object(func(key []byte) {
					if string(key) == "identifier" {
						if v := s.str(); language == "" {
							language = v
						}
					}
				})
			})
		case "mediaType":
			o.MediaType = s.str()
		case "source":
			o.Source = s.source()
		case "sensitive", "as:sensitive":
			o.Sensitive = s.boolean()
		case "published":
			o.Published = s.time()
		case "updated":
			o.Updated = s.time()
		case "deleted":
			o.Deleted = s.time()
		case "formerType":
			o.FormerType = s.typ(nil)
		case "to":
			o.To = s.audience()
		case "cc":
			o.Cc = s.audience()
		case "audience":
			o.Audience = s.id()
		case "context":
			o.Context = s.id()
		case "conversation", "ostatus:conversation":
			o.Conversation = s.id()
		case "inReplyTo":
			o.InReplyTo = s.id()
		case "quote", "quoteUri", "quoteUrl", "quoteURL", "_misskey_quote", "fedibird:quoteUri", "misskey:_misskey_quote", "https://w3id.org/fep/044f#quote":
			id := s.id()
			switch first := string(key) == "quote"; {
			case isAddress(id) && (o.Quote == "" || first):
				o.Quote = id
			case first && !isAddress(id): // BookWyrm: the quoted words themselves
				quoted = id
			}
		case "quoteAuthorization", "https://w3id.org/fep/044f#quoteAuthorization":
			o.QuoteAuthorization = s.id()
		case "duration":
			o.Duration = s.duration()
		case "audio": // Castopod: the recording of an episode
			at := s.i
			if a, ok := s.attachment(); ok {
				o.Attachments = append(o.Attachments, a)
			}
			s.i = at
			s.object(func(key []byte) {
				if string(key) == "duration" {
					o.Duration = s.duration()
				}
			})
		case "url":
			o.URL = s.links()
		case "href": // of a thing that is a Link of an actor's own
			if l := s.links(); len(o.URL) == 0 {
				o.URL = l
			}
		case "attachment":
			s.each(func() {
				if a, ok := s.attachment(); ok {
					o.Attachments = append(o.Attachments, a)
				}
			})
		case "image":
			o.Image = s.picture()
		case "icon":
			o.Icon = s.picture()
		case "tag":
			o.Tags = s.tags()
			for _, t := range o.Tags {
				if t.isObjectLink() {
					links = append(links, t)
				}
			}
		case "replies":
			o.Replies = s.reference()
		case "likes":
			o.Likes = s.reference()
		case "shares":
			o.Shares = s.reference()
		case "interactionPolicy":
			policy = s.policy()
		case "searchableBy":
			o.SearchableBy = s.audience()
		case "oneOf":
			one = s.options()
		case "anyOf":
			any = s.options()
		case "closed":
			over = s.peek() == 't'
			closed = s.time()
		case "votersCount", "toot:votersCount":
			voters = s.number()
		case "startTime":
			ev.Start = s.time()
		case "endTime":
			ev.End = s.time()
		case "timezone":
			ev.Timezone = s.str()
		case "location":
			ev.Places = s.places()
		case "eventStatus":
			ev.EventStatus = s.word()
		case "status", "ical:status":
			ev.Status = s.word()
		case "joinMode", "mz:joinMode":
			ev.JoinMode = s.word()
		case "externalParticipationUrl":
			ev.ExternalParticipationURL = s.id()
		case "maximumAttendeeCapacity":
			ev.Capacity = s.number()
		case "category":
			ev.Category = s.word()
		case "organizers":
			ev.Organizers = s.members()
		case "attendees":
			ev.Attendees = s.reference()
		case "kind", "cr:kind", chalkring + "kind":
			o.Kind = s.word()
		case "phase", "cr:phase", chalkring + "phase":
			o.Phase = s.word()
		case "recognises", "cr:recognises", chalkring + "recognises":
			o.Recognises = s.id()
		case "recognition", "cr:recognition", chalkring + "recognition":
			o.Recognition = s.word()
		case "license", "schema:license":
			o.License = s.id()
		case "educationalLevel", "schema:educationalLevel":
			o.EducationalLevel = s.text()
		case "about", "schema:about":
			o.About = s.ids()
		case "teaches", "schema:teaches":
			o.Teaches = s.text()
		case "learningResourceType", "schema:learningResourceType":
			o.LearningResourceType = s.text()
		case "isBasedOn", "schema:isBasedOn":
			o.IsBasedOn = s.id()
		case "timeRequired", "schema:timeRequired":
			o.TimeRequired = s.str()
		case "acceptedAnswer", "schema:acceptedAnswer":
			o.AcceptedAnswer = s.id()
		case "commentsEnabled", "lemmy:commentsEnabled":
			closedToComments = string(s.raw()) == "false"
		}
	})
	switch {
	case s.err != nil:
		return o
	case o.ID == "":
		s.fail(missing("id"))
	case o.Type == "":
		s.fail(missing("type"))
	}
	o.Language = content.settle(&o.Content, "")
	for _, more := range [...]struct {
		in   languages
		text *string
	}{{name, &o.Name}, {summary, &o.Summary}} {
		if l := more.in.settle(more.text, o.Language); o.Language == "" {
			o.Language = l
		}
	}
	if o.Language != "" {
		o.Languages = content.others(o.Language)
	}
	if o.Language == "" && isLanguage(language) && (o.Content != "" || o.Name != "" || o.Summary != "") {
		o.Language = language
	}
	if o.Content == "" && source != "" {
		o.Content, o.MediaType = source, "text/plain"
	}
	if quoted != "" {
		o.Content = "<blockquote>" + quoted + "</blockquote>" + o.Content
	}
	if actor != "" && actor != o.AttributedTo {
		if o.AttributedTo != "" {
			contributors = append([]string{o.AttributedTo}, contributors...)
		}
		o.AttributedTo = actor
	}
	for _, l := range links {
		if o.Quote == "" && l.quotes() {
			o.Quote = l.Href
		}
	}
	o.InteractionPolicy = policy
	o.CommentsDisabled = closedToComments
	for _, id := range contributors {
		if len(o.Contributors) == maxContributors {
			break
		}
		if id != o.AttributedTo && !slices.Contains(o.Contributors, id) {
			o.Contributors = append(o.Contributors, id)
		}
	}
	if o.Type == "Event" {
		o.Event = &ev
	}
	if o.Type == "Question" || len(one) > 0 || len(any) > 0 {
		o.Poll = &Poll{Options: one, Ends: ev.End, Closed: closed, Over: over, Voters: voters}
		if len(one) == 0 && len(any) > 0 {
			o.Poll.Multiple, o.Poll.Options = true, any
		}
	}
	return o
}

// word reads one of a vocabulary's fixed words, written short or as an IRI.
func (s *scanner) word() string {
	w := s.id()
	return w[strings.LastIndexAny(w, "#/:")+1:]
}

func (s *scanner) source() *Source {
	if s.peek() == '"' { // Pleroma: the text alone
		if text := s.str(); text != "" {
			return &Source{Content: text}
		}
		return nil
	}
	var src Source
	s.object(func(key []byte) {
		switch string(key) {
		case "content":
			src.Content = s.text()
		case "mediaType":
			src.MediaType = s.str()
		}
	})
	if src.Content == "" {
		return nil
	}
	return &src
}

func (s *scanner) links() []Link {
	var out []Link
	s.each(func() {
		if l := s.link(); l.Href != "" {
			out = append(out, l)
		}
	})
	return out
}

// link reads a Link, or a plain address.
func (s *scanner) link() Link {
	var l Link
	if s.peek() == '"' {
		l.Href = s.str()
		return l
	}
	s.object(func(key []byte) {
		switch string(key) {
		case "href", "id", "url":
			if v := s.id(); l.Href == "" || string(key) == "href" && v != "" {
				l.Href = v
			}
		case "mediaType":
			l.MediaType = s.str()
		case "rel":
			l.Rel = s.text()
		case "name":
			l.Name = s.text()
		case "width":
			l.Width = s.number()
		case "height":
			l.Height = s.number()
		}
	})
	return l
}

// attachment reads a file or picture, however its address is given.
func (s *scanner) attachment() (Attachment, bool) {
	var a Attachment
	var link Link
	switch s.peek() {
	case '"':
		a.Type, a.URL = "Document", s.str()
		return a, a.URL != ""
	case '{':
	default:
		return a, false
	}
	s.object(func(key []byte) {
		switch string(key) {
		case "type", "@type":
			a.Type = s.typ(nil)
		case "url", "href":
			for _, l := range s.links() {
				if a.URL == "" {
					a.URL, link = l.Href, l
				}
			}
		case "mediaType":
			a.MediaType = s.str()
		case "name":
			a.Name = s.text()
		case "summary": // Pixelfed and GoToSocial of old put the text here
			if text := s.text(); a.Name == "" {
				a.Name = text
			}
		case "width":
			a.Width = s.number()
		case "height":
			a.Height = s.number()
		case "blurhash", "toot:blurhash":
			a.Blurhash = s.str()
		case "focalPoint", "toot:focalPoint":
			a.FocalPoint = s.focalPoint()
		case "digestMultibase":
			a.Digest = s.str()
		case "icon":
			if p := s.picture(); p != nil {
				a.Icon = p.URL
			}
		}
	})
	if a.Type == "" {
		a.Type = "Document"
	}
	if a.MediaType == "" {
		a.MediaType = link.MediaType
	}
	if a.Width == 0 && a.Height == 0 {
		a.Width, a.Height = link.Width, link.Height
	}
	return a, a.URL != ""
}

// picture reads an icon or image: of several, the widest (PeerTube lists each
// of its sizes), or else the first.
func (s *scanner) picture() *Attachment {
	var out *Attachment
	s.each(func() {
		if a, ok := s.attachment(); ok && (out == nil || a.Width > out.Width) {
			out = &a
		}
	})
	return out
}

func (s *scanner) focalPoint() *[2]float64 {
	var at [2]float64
	n := 0
	s.each(func() {
		f, ok := s.float()
		if ok && n < 2 && f >= -1 && f <= 1 {
			at[n] = f
		} else {
			n = 2
		}
		n++
	})
	if n != 2 {
		return nil
	}
	return &at
}

func (s *scanner) tags() []Tag {
	var out []Tag
	s.each(func() {
		var t Tag
		if !s.object(func(key []byte) {
			switch string(key) {
			case "type", "@type":
				t.Type = s.typ(nil)
			case "id", "@id":
				t.ID = s.str()
			case "href":
				t.Href = s.id()
			case "name":
				t.Name = s.text()
			case "rel":
				t.Rel = s.text()
			case "mediaType":
				t.MediaType = s.str()
			case "icon":
				if p := s.picture(); p != nil {
					t.Icon = p.URL
				}
			}
		}) || t.Type == "" || t.Href == "" && t.Name == "" {
			return
		}
		out = append(out, t)
	})
	return out
}

func (s *scanner) policy() *InteractionPolicy {
	var p InteractionPolicy
	if !s.object(func(key []byte) {
		switch string(key) {
		case "canReply":
			p.CanReply = s.approval()
		case "canLike":
			p.CanLike = s.approval()
		case "canAnnounce":
			p.CanAnnounce = s.approval()
		case "canQuote":
			p.CanQuote = s.approval()
		}
	}) {
		return nil
	}
	return &p
}

// approval also reads the words that GoToSocial used before 0.20: always and
// approvalRequired.
func (s *scanner) approval() Approval {
	var a Approval
	s.object(func(key []byte) {
		switch string(key) {
		case "automaticApproval", "always":
			a.Automatic = append(a.Automatic, s.audience()...)
		case "manualApproval", "approvalRequired":
			a.Manual = append(a.Manual, s.audience()...)
		}
	})
	return a
}

func (s *scanner) options() []Option {
	var out []Option
	s.each(func() {
		var o Option
		s.object(func(key []byte) {
			switch string(key) {
			case "name":
				o.Name = s.text()
			case "replies":
				if c := s.collection(false); c != nil && c.TotalItems != nil {
					o.Votes = *c.TotalItems
				}
			}
		})
		if o.Name != "" {
			out = append(out, o)
		}
	})
	return out
}

// members reads the addresses in a collection, or in a plain list.
func (s *scanner) members() []string {
	if s.peek() == '{' {
		return s.collection(false).IDs()
	}
	return s.ids()
}

func (s *scanner) places() []Place {
	var out []Place
	s.each(func() {
		p := Place{Type: "Place"}
		if s.peek() == '"' {
			p.Name = s.str()
		} else {
			s.object(func(key []byte) {
				switch string(key) {
				case "type", "@type":
					if typ := s.typ(nil); typ != "" {
						p.Type = typ
					}
				case "name":
					p.Name = s.text()
				case "url":
					p.URL = s.id()
				case "address":
					p.Address = s.address()
				}
			})
		}
		if p.Name != "" || p.Address != "" || p.URL != "" {
			out = append(out, p)
		}
	})
	return out
}

// address reads an address line, or a schema:PostalAddress made into one.
func (s *scanner) address() string {
	if s.peek() != '{' {
		return s.str()
	}
	var parts [5]string
	s.object(func(key []byte) {
		switch string(key) {
		case "streetAddress":
			parts[0] = s.text()
		case "postalCode":
			parts[1] = s.text()
		case "addressLocality":
			parts[2] = s.text()
		case "addressRegion":
			parts[3] = s.text()
		case "addressCountry":
			parts[4] = s.text()
		}
	})
	return strings.Join(slices.DeleteFunc(parts[:], func(p string) bool { return p == "" }), ", ")
}

// isObjectLink reports whether a tag leads to another ActivityStreams object.
//
// FEP-e232.
func (t Tag) isObjectLink() bool {
	if t.Type != "Link" || t.Href == "" {
		return false
	}
	kind := strings.ReplaceAll(t.MediaType, " ", "")
	return kind == "application/activity+json" || strings.HasPrefix(kind, "application/ld+json") && strings.Contains(kind, vocabulary)
}

// quotes reports whether an object link is that of a quote: it says so, or its
// words are those that stand in the text where the quote is not shown.
//
// FEP-e232; FEP-044f.
func (t Tag) quotes() bool {
	if strings.HasSuffix(t.Rel, "_misskey_quote") || strings.HasSuffix(t.Rel, "fep/044f#quote") {
		return true
	}
	return t.Rel == "" && strings.HasPrefix(t.Name, "RE:")
}

// isAddress reports whether a text has the form of a web address.
func isAddress(text string) bool {
	return (strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")) && !strings.ContainsAny(text, " \t\n<>\"")
}

// duration reads how long something lasts: ISO 8601, or a number of seconds, as
// Funkwhale and Castopod have it.
func (s *scanner) duration() time.Duration {
	if s.peek() == '"' || s.peek() == '{' || s.peek() == '[' {
		return duration(s.text())
	}
	seconds, _ := s.float()
	return bounded(seconds)
}

// duration reads ISO 8601 in days, hours, minutes and seconds.
//
// XML Schema Part 2, section 3.2.6, which ActivityStreams rests on.
func duration(text string) time.Duration {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return bounded(seconds)
	}
	rest, ok := strings.CutPrefix(text, "P")
	if !ok || len(rest) > 32 {
		return 0
	}
	var total float64
	timed := false
	for rest != "" {
		if rest[0] == 'T' {
			rest, timed = rest[1:], true
			continue
		}
		n := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n <= 0 {
			return 0
		}
		value, err := strconv.ParseFloat(rest[:n], 64)
		if err != nil {
			return 0
		}
		switch unit := rest[n]; {
		case unit == 'D' && !timed:
			value *= 24 * 3600
		case unit == 'H' && timed:
			value *= 3600
		case unit == 'M' && timed:
			value *= 60
		case unit == 'S' && timed:
		default:
			return 0
		}
		total += value
		rest = rest[n+1:]
	}
	return bounded(total)
}

// bounded is a number of seconds that a recording can last.
func bounded(seconds float64) time.Duration {
	if !(seconds > 0 && seconds < 366*24*3600) {
		return 0
	}
	return time.Duration(seconds * float64(time.Second)).Truncate(time.Second)
}
