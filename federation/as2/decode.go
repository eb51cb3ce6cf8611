package as2

import (
	"fmt"
)

// maxInner is how many activities deep another is read: Announce{Undo{Block}}
// is what group servers send, and nothing sends more.
const maxInner = 3

// Decode reads an activity. What is embedded is read by what it is, and an
// object that is refused refuses the activity. It needs a type and an actor,
// and an id, though some servers leave it out of an activity within another.
func Decode(body []byte) (Activity, error) {
	if err := check(body); err != nil {
		return Activity{}, err
	}
	s := scanner{b: body}
	a := s.activity(0)
	switch {
	case s.err != nil:
		return Activity{}, s.err
	case a.ID == "":
		return Activity{}, missing("id")
	case a.Type == "":
		return Activity{}, missing("type")
	case a.Actor == "":
		return Activity{}, missing("actor")
	}
	return *a, nil
}

// DecodeObject reads a Note, Article, Page, Question, Event, Tombstone or
// anything else that is neither actor nor activity nor collection; those are
// refused.
func DecodeObject(body []byte) (Object, error) {
	if err := check(body); err != nil {
		return Object{}, err
	}
	s := scanner{b: body}
	o := s.objectOf()
	if s.err != nil {
		return Object{}, s.err
	}
	if isActivityType(o.Type) || IsActorType(o.Type) || IsCollectionType(o.Type) {
		return Object{}, fmt.Errorf("%w: a %s is nothing that somebody says", ErrMalformed, o.Type)
	}
	return *o, nil
}

// DecodeActor reads a Person, Group, Service, Application or Organization, or
// a thing of a type of its server's own that has an inbox and an outbox, as an
// actor must. Anything else is refused.
//
// FEP-2277 (what tells an actor).
func DecodeActor(body []byte) (Actor, error) {
	if err := check(body); err != nil {
		return Actor{}, err
	}
	s := scanner{b: body}
	a := s.actor()
	if s.err != nil {
		return Actor{}, s.err
	}
	if !IsActorType(a.Type) && (a.Inbox == "" || a.Outbox == "" || isObjectType(a.Type) || isActivityType(a.Type) || IsCollectionType(a.Type)) {
		return Actor{}, fmt.Errorf("%w: %q is no actor's type; use Person, Group, Service, Application or Organization", ErrMalformed, a.Type)
	}
	return *a, nil
}

func missing(name string) error {
	return fmt.Errorf("%w: no usable %q", ErrIncomplete, name)
}

// stub reads no more of an object than its address and type.
func (s *scanner) stub() (id, typ string) {
	s.each(func() {
		if id != "" || typ != "" {
			return
		}
		if s.peek() == '"' {
			id = s.str()
			return
		}
		s.object(func(key []byte) {
			switch string(key) {
			case "id", "@id":
				id = s.str()
			case "type", "@type":
				typ = s.typ(nil)
			}
		})
	})
	return id, typ
}

// activity reads an activity; depth says how many stand around it.
func (s *scanner) activity(depth int) *Activity {
	a := new(Activity)
	var object, instrument []byte
	s.object(func(key []byte) {
		switch string(key) {
		case "id", "@id":
			a.ID = s.str()
		case "type", "@type":
			a.Type = s.typ(isActivityType)
		case "actor":
			a.Actor = s.id()
		case "object":
			object = s.raw()
		case "target":
			a.Target = s.id()
		case "instrument":
			instrument = s.raw()
		case "result":
			a.Result = s.id()
		case "tag":
			for _, t := range s.tags() {
				if t.Type == "Emoji" && a.Emoji == nil {
					a.Emoji = &t
				}
			}
		case "origin":
			a.Origin = s.id()
		case "to":
			a.To = s.audience()
		case "cc":
			a.Cc = s.audience()
		case "audience":
			a.Audience = s.id()
		case "summary":
			a.Summary = s.text()
		case "content":
			a.Content = s.text()
		case "_misskey_reaction":
			if v := s.str(); a.Content == "" {
				a.Content = v
			}
		case "published":
			a.Published = s.time()
		case "updated":
			a.Updated = s.time()
		case "endTime", "expires":
			if t := s.time(); !t.IsZero() {
				a.EndTime = t
			}
		case "removeData":
			a.RemoveData = s.boolean()
		case "contact":
			a.Contact = s.str()
		case "invitation":
			a.Invitation = s.str()
		case "ceiling":
			a.Ceiling = s.str()
		case "hold":
			a.Hold = s.str()
		}
	})
	if s.err == nil && object != nil {
		s.about(a, object, depth)
	}
	if s.err == nil && instrument != nil {
		s.with(a, instrument)
	}
	if s.err == nil {
		a.lend()
	}
	return a
}

// about reads what an activity's object is.
func (s *scanner) about(a *Activity, object []byte, depth int) {
	in := scanner{b: object}
	if in.peek() == '[' {
		ids := in.ids()
		if len(ids) > 1 {
			a.ObjectID, a.Objects = ids[0], ids
			if a.Type == "Create" && in.err == nil {
				a.Votes = votes(object)
			}
			s.adopt(in.err)
			return
		}
		in.i = 0
		in.peek()
		in.i++ // a list of one is that one
	}
	if in.peek() != '{' {
		a.ObjectID = in.oneID()
		return
	}
	at := in.i
	id, typ := in.stub()
	a.ObjectID = id
	end := in.i
	in.i = at
	switch {
	case in.err != nil:
	case IsActorType(typ), typ != "" && !isObjectType(typ) && !isActivityType(typ) && !IsCollectionType(typ) && looksLikeActor(object[at:end]):
		a.ObjectActor = in.actor()
	case typ == "Relationship":
		a.Relationship = in.relationship()
	case typ == "" || IsCollectionType(typ) || typ == "Link":
		if id == "" {
			a.ObjectID = in.oneID()
		}
	case isActivityType(typ) || !isObjectType(typ) && looksLikeActivity(object[at:end]):
		if depth < maxInner {
			a.Inner = in.activity(depth + 1)
		}
	default:
		a.Object = in.objectOf()
	}
	s.adopt(in.err)
}

// votes reads a list that is nothing but votes in one poll; nil otherwise.
func votes(list []byte) []*Object {
	in, all := scanner{b: list}, true
	var out []*Object
	in.each(func() {
		if !all || in.peek() != '{' {
			in.skip()
			all = false
			return
		}
		o := in.objectOf()
		if all = in.err == nil && o.IsVote() && (len(out) == 0 || o.InReplyTo == out[0].InReplyTo); all {
			out = append(out, o)
		}
	})
	if !all || in.err != nil {
		return nil
	}
	return out
}

// with reads what an activity is done by means of: the post that a QuoteRequest
// asks for, embedded or by its address.
//
// FEP-044f.
func (s *scanner) with(a *Activity, instrument []byte) {
	in := scanner{b: instrument}
	a.InstrumentID = in.id()
	in.i = 0
	if in.peek() == '{' && a.InstrumentID != "" {
		if at := in.i; in.err == nil {
			_, typ := in.stub()
			in.i = at
			if typ != "" && typ != "Link" && !IsActorType(typ) && !isActivityType(typ) && !IsCollectionType(typ) {
				a.Instrument = in.objectOf()
			}
		}
	}
	s.adopt(in.err)
}

// lend gives a new object what it lacks and its activity has: whose it is, and
// whom it is for. Servers that leave it out of the one or the other mean both.
//
// W3C ActivityPub, section 6.2.
func (a *Activity) lend() {
	o := a.Object
	if o == nil || a.Type != "Create" && a.Type != "Update" {
		return
	}
	if o.AttributedTo == "" {
		o.AttributedTo = a.Actor
	}
	if o.To == nil && o.Cc == nil {
		o.To, o.Cc = a.To, a.Cc
		if o.Audience == "" {
			o.Audience = a.Audience
		}
	}
}

// adopt keeps the refusal of an inner scanner, if there was one.
func (s *scanner) adopt(err error) {
	if err != nil {
		s.fail(err)
	}
}

func (s *scanner) relationship() *Relationship {
	r := new(Relationship)
	s.object(func(key []byte) {
		switch string(key) {
		case "subject":
			r.Subject = s.id()
		case "relationship":
			r.Relationship = s.id()
		case "object":
			r.Object = s.id()
		}
	})
	return r
}

// looksLikeActivity tells activities of unknown types from objects of unknown
// types: an activity has both an actor and an object.
func looksLikeActivity(b []byte) bool {
	s := scanner{b: b}
	var actor, object bool
	s.object(func(key []byte) {
		switch string(key) {
		case "actor":
			actor = s.id() != ""
		case "object":
			id, typ := s.stub()
			object = id != "" || typ != "" && !IsCollectionType(typ)
		}
	})
	return actor && object
}

// looksLikeActor tells actors of unknown types from objects of unknown types: an
// actor has an inbox and an outbox.
//
// FEP-2277.
func looksLikeActor(b []byte) bool {
	s := scanner{b: b}
	var inbox, outbox bool
	s.object(func(key []byte) {
		switch string(key) {
		case "inbox":
			inbox = s.id() != ""
		case "outbox":
			outbox = s.id() != ""
		}
	})
	return inbox && outbox
}

// isActivityType knows the activity types of the vocabulary and those that
// servers in use have added.
func isActivityType(typ string) bool {
	switch typ {
	case "Accept", "Add", "Announce", "Arrive", "Block", "Create", "Delete", "Dislike", "Flag", "Follow", "Ignore",
		"Invite", "Join", "Leave", "Like", "Listen", "Move", "Offer", "Read", "Reject", "Remove",
		"TentativeAccept", "TentativeReject", "Travel", "Undo", "Update", "View",
		"EmojiReact", "QuoteRequest", "LikeRequest", "ReplyRequest", "AnnounceRequest",
		"ChooseAnswer", "Lock", "Pin", "Resolve", "Warn", "Rate", "Bite":
		return true
	}
	return false
}

// isObjectType knows the types of the vocabulary that are said, not done.
func isObjectType(typ string) bool {
	switch typ {
	case "Note", "Article", "Page", "Question", "Event", "Tombstone", "Image", "Document", "Audio", "Video",
		"Place", "Profile", "Relationship", "ChatMessage":
		return true
	}
	return false
}

// isLanguage reports whether a tag has the shape of RFC 5646, section 2.1.
func isLanguage(tag string) bool {
	if len(tag) < 2 || len(tag) > 35 || tag == "und" {
		return false
	}
	for i := range len(tag) {
		c := tag[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9' || i == 0) && (c != '-' || i == 0) {
			return false
		}
	}
	return true
}

func join(a, b []string) []string {
	out := make([]string, 0, len(a)+len(b))
	return append(append(out, a...), b...)
}

func pageOf(links []Link) string {
	var plain string
	for _, l := range links {
		switch {
		case l.MediaType == "text/html":
			return l.Href
		case l.MediaType == "" && plain == "":
			plain = l.Href
		}
	}
	return plain
}
