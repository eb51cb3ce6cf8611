package as2

import (
	"github.com/go-fed/activity/streams/vocab"
)

// deed is a node that someone does.
type deed interface {
	node
	SetActivityStreamsActor(vocab.ActivityStreamsActorProperty)
	SetActivityStreamsTarget(vocab.ActivityStreamsTargetProperty)
	SetActivityStreamsOrigin(vocab.ActivityStreamsOriginProperty)
}

// newActivity makes the node for an activity's type; one that go-fed does not
// know is a plain Activity.
func newActivity(typ string) deed {
	switch typ {
	case "Accept":
		return makeAccept()
	case "Add":
		return makeAdd()
	case "Announce":
		return makeAnnounce()
	case "Block":
		return makeBlock()
	case "Create":
		return makeCreate()
	case "Delete":
		return makeDelete()
	case "Dislike":
		return makeDislike()
	case "Flag":
		return makeFlag()
	case "Follow":
		return makeFollow()
	case "Join":
		return makeJoin()
	case "Leave":
		return makeLeave()
	case "Like":
		return makeLike()
	case "Move":
		return makeMove()
	case "Offer":
		return makeOffer()
	case "Reject":
		return makeReject()
	case "Remove":
		return makeRemove()
	case "TentativeAccept":
		return makeTentativeAccept()
	case "Undo":
		return makeUndo()
	case "Update":
		return makeUpdate()
	}
	return makeActivity()
}

func (b *builder) activity(a *Activity) map[string]any {
	t := newActivity(a.Type)
	b.setID(t, a.ID)
	setTexts(t, "", a.Summary, a.Content)
	b.setAddresses(t, a.To, a.Cc, a.Audience)
	if a.Actor != "" {
		p := makeActorProperty()
		p.AppendIRI(b.iri(a.Actor))
		t.SetActivityStreamsActor(p)
	}
	if a.Target != "" {
		p := makeTargetProperty()
		p.AppendIRI(b.iri(a.Target))
		t.SetActivityStreamsTarget(p)
	}
	if a.Origin != "" {
		p := makeOriginProperty()
		p.AppendIRI(b.iri(a.Origin))
		t.SetActivityStreamsOrigin(p)
	}
	m := b.serialize(t, a.Type)
	if len(a.To)+len(a.Cc) > 0 {
		list(m, "to")
		list(m, "cc")
	}
	putTime(m, "published", a.Published)
	putTime(m, "updated", a.Updated)
	putTime(m, "endTime", a.EndTime)
	if a.RemoveData {
		m["removeData"] = true
	}
	for name, value := range map[string]string{"contact": a.Contact, "invitation": a.Invitation, "ceiling": a.Ceiling, "hold": a.Hold} {
		if value != "" {
			m[name] = value
		}
	}
	switch {
	case a.Instrument != nil:
		m["instrument"] = b.object(a.Instrument)
	case a.InstrumentID != "":
		m["instrument"] = b.iri(a.InstrumentID).String()
	}
	if a.Result != "" {
		m["result"] = b.iri(a.Result).String()
	}
	if a.Emoji != nil {
		b.tags(m, []Tag{*a.Emoji})
	}
	switch {
	case a.Raw != nil:
		m["object"] = a.Raw
	case a.Object != nil:
		m["object"] = b.object(a.Object)
	case a.Inner != nil:
		m["object"] = b.activity(a.Inner)
	case a.ObjectActor != nil:
		m["object"] = b.actor(a.ObjectActor)
	case a.Relationship != nil:
		m["object"] = b.relationship(a.Relationship)
	case a.Objects != nil:
		objects := make([]any, len(a.Objects))
		for i, id := range a.Objects {
			objects[i] = b.iri(id).String()
		}
		m["object"] = objects
	case a.ObjectID == "":
	case a.Type == "Delete" && a.ObjectID != a.Actor:
		m["object"] = b.object(&Object{ID: a.ObjectID, Type: "Tombstone"})
	default:
		m["object"] = b.iri(a.ObjectID).String()
	}
	return m
}

func (b *builder) relationship(r *Relationship) map[string]any {
	t := makeRelationship()
	if r.Subject != "" {
		p := makeSubjectProperty()
		p.SetIRI(b.iri(r.Subject))
		t.SetActivityStreamsSubject(p)
	}
	if r.Relationship != "" {
		p := makeRelationshipProperty()
		p.AppendIRI(b.iri(r.Relationship))
		t.SetActivityStreamsRelationship(p)
	}
	if r.Object != "" {
		p := makeObjectProperty()
		p.AppendIRI(b.iri(r.Object))
		t.SetActivityStreamsObject(p)
	}
	return b.serialize(t, "Relationship")
}
