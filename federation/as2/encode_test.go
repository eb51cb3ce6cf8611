package as2

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-fed/activity/streams"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	kauri   = "https://kauri.example"
	harbour = "https://harbour.example"
	amira   = kauri + "/u/8f3k"
	mere    = harbour + "/u/p2zz"
	group   = harbour + "/g/year3-literacy"
)

var noon = time.Date(2026, 11, 20, 4, 10, 0, 7e6, time.UTC)

func article() Object {
	return Object{
		ID: kauri + "/o/01JC7Q2KXV", Type: "Article", AttributedTo: amira, Contributors: []string{mere},
		Name:     "Two readers: one recording & <what> changed",
		Summary:  "<p>I let two children listen back.</p>",
		Content:  "<h2>What I tried</h2><p>Each child recorded one page a day.</p>",
		Language: "en-NZ",
		Source:   &Source{Content: "## What I tried\nEach child recorded one page a day.\n", MediaType: "text/markdown"},

		Published: noon, Updated: noon.Add(time.Hour),
		To:       []string{Public, group},
		Cc:       []string{amira + "/followers"},
		Audience: group, Context: harbour + "/c/01JC7Q2KXV", Conversation: harbour + "/c/01JC7Q2KXV",
		URL: []Link{{Href: kauri + "/p/01JC7Q2KXV", MediaType: "text/html"}, {Href: kauri + "/p/01JC7Q2KXV.pdf", MediaType: "application/pdf", Name: "For printing"}},
		Tags: []Tag{
			{Type: "Mention", Href: mere, Name: "@mere@harbour.example"},
			{Type: "Hashtag", Href: kauri + "/tags/runningrecords", Name: "#RunningRecords"},
			{Type: "Link", Href: "https://curriculum.example/ns/1", Rel: "https://schema.org/teaches", MediaType: "application/ld+json", Name: "Reading aloud"},
		},
		Attachments: []Attachment{
			{Type: "Image", URL: kauri + "/m/9Vt3.webp", MediaType: "image/webp", Name: "A tablet: on a desk", Width: 1200, Height: 800,
				Blurhash: "UBL_:rOpGG-oBUNG", FocalPoint: &[2]float64{0, -0.5}},
			{Type: "Document", URL: kauri + "/m/Jq8.pdf", MediaType: "application/pdf", Name: "Checklist", Digest: "zQmExample"},
		},
		Image:   &Attachment{Type: "Image", URL: kauri + "/m/9Vt3.webp", MediaType: "image/webp", Name: "A tablet"},
		Replies: &Collection{ID: kauri + "/o/01JC7Q2KXV/replies"},
		Likes:   &Collection{ID: kauri + "/o/01JC7Q2KXV/likes", Type: "Collection", TotalItems: new(0)},
		InteractionPolicy: &InteractionPolicy{
			CanReply: Approval{Automatic: []string{amira + "/followers"}, Manual: []string{Public}},
			CanLike:  Approval{Automatic: []string{Public}}, CanAnnounce: Approval{Automatic: []string{Public}}, CanQuote: Approval{Automatic: []string{amira}},
		},
		SearchableBy: []string{Public},
		Kind:         "practice", License: "https://creativecommons.org/licenses/by/4.0/", EducationalLevel: "Year 3",
		About: []string{"reading", "https://curriculum.example/ns/1"},
	}
}

func create(o Object) Activity {
	return Activity{ID: kauri + "/a/01JC7Q2M9W", Type: "Create", Actor: amira, ObjectID: o.ID, Object: &o,
		To: o.To, Cc: o.Cc, Audience: o.Audience, Published: o.Published}
}

// said is one of each document that this server sends.
func said() map[string]any {
	follow := Activity{ID: kauri + "/a/f1", Type: "Follow", Actor: amira, ObjectID: mere, To: []string{mere}}
	reply := Object{ID: kauri + "/o/r1", Type: "Note", AttributedTo: amira, Content: "<p>TODO:buy milk 100%</p>", Language: "en",
		InReplyTo: "https://odd.example/a b?x=ü#y", Context: harbour + "/c/1", Conversation: harbour + "/c/1", Published: noon,
		To: []string{group}, Cc: []string{}, Kind: "recognition", Recognises: harbour + "/o/1", Recognition: "usedInMyClass",
		Summary: "note: see this", Sensitive: true, Quote: harbour + "/o/2"}
	reply.Cc = nil
	poll := Object{ID: kauri + "/o/q1", Type: "Question", AttributedTo: amira, Content: "<p>Which day?</p>", Published: noon, To: []string{Public},
		Poll: &Poll{Multiple: true, Options: []Option{{"Monday", 2}, {"Friday: late", 0}}, Ends: noon.Add(48 * time.Hour), Voters: 2}}
	event := Object{ID: harbour + "/e/01JCB7", Type: "Event", AttributedTo: group, Name: "Listening walk", Summary: "<p>Thursday</p>", Published: noon,
		To: []string{Public, group}, Cc: []string{group + "/followers"}, Audience: group,
		URL: []Link{{Href: harbour + "/events/01JCB7", MediaType: "text/html"}},
		Event: &Event{Start: noon.Add(time.Hour), End: noon.Add(3 * time.Hour), Timezone: "Pacific/Auckland",
			Places:      []Place{{Type: "Place", Name: "Library", Address: "1 Wharf Road"}, {Type: "VirtualLocation", Name: "Online", URL: harbour + "/events/01JCB7"}},
			EventStatus: "EventScheduled", Status: "CONFIRMED", JoinMode: "free", ExternalParticipationURL: harbour + "/events/01JCB7#rsvp",
			Capacity: 30, Category: "LEARNING", Organizers: []string{mere}, Attendees: &Collection{ID: harbour + "/e/01JCB7/attendees", Type: "Collection", TotalItems: new(11)}}}
	resource := Object{ID: kauri + "/o/01JCD2R8", Type: "Page", AttributedTo: amira, Name: "Self-listening checklist", Summary: "<p>A card.</p>", Published: noon,
		To: []string{Public}, Kind: "resource", License: "https://creativecommons.org/licenses/by-sa/4.0/", EducationalLevel: "Year 2-4",
		LearningResourceType: "checklist", Teaches: "self-monitoring", TimeRequired: "PT15M", IsBasedOn: harbour + "/o/1", AcceptedAnswer: harbour + "/o/9", CommentsDisabled: true}
	tombstone := Object{ID: kauri + "/o/01JC7Q2KXV", Type: "Tombstone", FormerType: "Article", Deleted: noon}
	person := Actor{ID: amira, Type: "Person", PreferredUsername: "amira", Name: "Amira: Year 3", Summary: "<p>Hi</p>", Language: "en", URL: kauri + "/@amira",
		Inbox: amira + "/inbox", Outbox: amira + "/outbox", Followers: amira + "/followers", Following: amira + "/following", Featured: amira + "/featured",
		SharedInbox: kauri + "/inbox", PublicKey: PublicKey{ID: amira + "#main-key", Owner: amira, PEM: "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"},
		Icon: &Attachment{Type: "Image", URL: kauri + "/m/a.webp", MediaType: "image/webp", Name: "A kauri cone"}, Image: &Attachment{Type: "Image", URL: kauri + "/m/h.webp"},
		Fields: []Field{{"School", `<a href="https://kauri.example">Kauri</a>`}}, AlsoKnownAs: []string{"https://old.example/amira"}, MovedTo: "https://new.example/amira",
		ManuallyApprovesFollowers: true, Discoverable: true, Published: noon, Updated: noon, KnowsAbout: []string{"phonics"}, Seeks: []string{"maths"},
		Portfolio: amira + "/portfolio", Source: &Source{Content: "Hi", MediaType: "text/markdown"}}
	class := Actor{ID: group, Type: "Group", PreferredUsername: "year3-literacy", Name: "Year 3 literacy", URL: harbour + "/groups/year3-literacy",
		Inbox: group + "/inbox", Outbox: group + "/outbox", Followers: group + "/followers", SharedInbox: harbour + "/inbox", AttributedTo: []string{group + "/moderators"},
		PublicKey: PublicKey{ID: group + "#main-key", Owner: group, PEM: "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"},
		Multikeys: []Multikey{{ID: group + "#ed25519", Controller: group, Multibase: "z6MkExample"}},
		Generator: &Generator{ID: harbour + "/actor", Name: "Chalkring", Implements: []Implementation{{Href: chalkring + "closed-groups", Name: "Chalkring closed groups"}}}}
	server := Actor{ID: kauri + "/actor", Type: "Application", PreferredUsername: "kauri.example", Inbox: kauri + "/actor/inbox", Network: kauri + "/network"}
	deleted := Activity{ID: kauri + "/a/d1", Type: "Delete", Actor: amira, ObjectID: tombstone.ID, Object: &tombstone, To: []string{Public}}
	return map[string]any{
		"create-article":    create(article()),
		"create-reply":      create(reply),
		"question":          poll,
		"event":             event,
		"page":              resource,
		"tombstone":         tombstone,
		"person":            person,
		"group":             class,
		"application":       server,
		"follow":            follow,
		"accept":            Activity{ID: harbour + "/a/2", Type: "Accept", Actor: mere, ObjectID: follow.ID, Inner: &follow, To: []string{amira}},
		"reject":            Activity{ID: harbour + "/a/3", Type: "Reject", Actor: mere, ObjectID: follow.ID, Inner: &follow, Summary: "Closed: ask first"},
		"undo-follow":       Activity{ID: kauri + "/a/4", Type: "Undo", Actor: amira, ObjectID: follow.ID, Inner: &follow, To: []string{mere}},
		"like":              Activity{ID: kauri + "/a/5", Type: "Like", Actor: amira, ObjectID: harbour + "/o/1", To: []string{mere}},
		"announce":          Activity{ID: kauri + "/a/6", Type: "Announce", Actor: amira, ObjectID: harbour + "/o/1", To: []string{Public}, Cc: []string{mere}, Published: noon},
		"announce-activity": Activity{ID: group + "/a/7", Type: "Announce", Actor: group, ObjectID: deleted.ID, Inner: &deleted, To: []string{group + "/followers"}, Audience: group},
		"delete":            deleted,
		"delete-actor":      Activity{ID: kauri + "/a/8", Type: "Delete", Actor: amira, ObjectID: amira, To: []string{Public}},
		"block":             Activity{ID: kauri + "/a/9", Type: "Block", Actor: group, ObjectID: mere, Target: group, RemoveData: true, EndTime: noon, Summary: "Spam"},
		"add":               Activity{ID: kauri + "/a/10", Type: "Add", Actor: group, ObjectID: mere, Target: group + "/moderators", To: []string{Public}},
		"remove":            Activity{ID: kauri + "/a/11", Type: "Remove", Actor: group, ObjectID: mere, Target: group + "/moderators", Origin: group},
		"flag":              Activity{ID: kauri + "/a/12", Type: "Flag", Actor: kauri + "/actor", ObjectID: mere, Objects: []string{mere, harbour + "/o/1"}, Content: "Rude: see"},
		"move":              Activity{ID: kauri + "/a/13", Type: "Move", Actor: amira, ObjectID: amira, Target: "https://new.example/amira", To: []string{amira + "/followers"}},
		"update-person":     Activity{ID: kauri + "/a/14", Type: "Update", Actor: amira, ObjectID: amira, ObjectActor: &person, To: []string{Public}},
		"offer": Activity{ID: kauri + "/peering/1", Type: "Offer", Actor: kauri + "/actor", To: []string{harbour + "/actor"}, Summary: "14 staff", EndTime: noon,
			Relationship: &Relationship{Subject: kauri + "/actor", Relationship: chalkring + "peer", Object: harbour + "/actor"}},
		"outbox": Collection{ID: amira + "/outbox", Type: "OrderedCollection", TotalItems: new(2), First: amira + "/outbox?page=1", Last: amira + "/outbox?page=2"},
		"outbox-page": Collection{ID: amira + "/outbox?page=1", Type: "OrderedCollectionPage", PartOf: amira + "/outbox", Next: amira + "/outbox?max_id=2", Prev: amira + "/outbox?min_id=9",
			Items: []Item{{ID: kauri + "/o/1"}, {ID: kauri + "/o/2", Raw: json.RawMessage(`{"id":"https://kauri.example/o/2","type":"Note","content":"<p>a & b</p>"}`)}}},
		"replies": Collection{ID: kauri + "/o/1/replies", Type: "Collection", Name: "Replies", AttributedTo: amira,
			FirstPage: &Collection{Type: "CollectionPage", PartOf: kauri + "/o/1/replies", Items: []Item{{ID: kauri + "/o/2"}}}},
	}
}

// encodeAny and decodeAny pick the function that a value's type asks for.
func encodeAny(value any) ([]byte, error) {
	switch v := value.(type) {
	case Object:
		return EncodeObject(v)
	case Activity:
		return EncodeActivity(v)
	case Actor:
		return EncodeActor(v)
	}
	return EncodeCollection(value.(Collection))
}

func decodeAny(like any, body []byte) (any, error) {
	switch like.(type) {
	case Object:
		return DecodeObject(body)
	case Activity:
		return Decode(body)
	case Actor:
		return DecodeActor(body)
	}
	return DecodeCollection(body)
}

func TestEncodeRoundTrip(t *testing.T) {
	for name, value := range said() {
		body, err := encodeAny(value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		heard, err := decodeAny(value, body)
		if err != nil || !reflect.DeepEqual(heard, value) {
			t.Errorf("%s: %v\nsaid  %s\nheard %s\n%s", name, err, asJSON(value), asJSON(heard), body)
		}
		again, err := encodeAny(heard)
		if err != nil || !bytes.Equal(again, body) {
			t.Errorf("%s: not the same bytes twice (%v)\n%s\n%s", name, err, body, again)
		}
	}
}

func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// TestEncodeParses holds what we send against go-fed, which stands for every
// strict reader, and against the golden files, so that no change of the wire
// goes unseen.
func TestEncodeParses(t *testing.T) {
	for name, value := range said() {
		body, err := encodeAny(value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var m map[string]any
		if err := json.Unmarshal(body, &m); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := streams.ToType(context.Background(), m); err != nil {
			t.Errorf("%s: go-fed refuses it: %v", name, err)
		}
		path := filepath.Join("testdata", "sent", name+".json")
		var pretty bytes.Buffer
		_ = json.Indent(&pretty, body, "", "  ")
		pretty.WriteByte('\n')
		if *update {
			if err := os.WriteFile(path, pretty.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%s: %v; run go test -update", name, err)
		} else if !bytes.Equal(want, pretty.Bytes()) {
			t.Errorf("%s: differs from %s:\n%s", name, path, pretty.Bytes())
		}
	}
}

func TestEncodeWire(t *testing.T) {
	body, err := EncodeActivity(create(article()))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`{"@context":["https://www.w3.org/ns/activitystreams",{`,
		`"name":"Two readers: one recording & <what> changed"`,
		`"contentMap":{"en-NZ":"<h2>`,
		`"nameMap":{"en-NZ":`,
		`"published":"2026-11-20T04:10:00.007Z"`,
		`"cc":["https://kauri.example/u/8f3k/followers"]`,
		`"attributedTo":"https://kauri.example/u/8f3k"`,
		`"audience":"https://harbour.example/g/year3-literacy"`,
		`"focalPoint":[0,-0.5]`,
		`"canReply":{"automaticApproval":["https://kauri.example/u/8f3k/followers"],"manualApproval":["https://www.w3.org/ns/activitystreams#Public"]}`,
		`"kind":"cr:kind"`,
		`"cr":"https://w3id.org/chalkring/ns#"`,
		`"replies":"https://kauri.example/o/01JC7Q2KXV/replies"`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("lacks %s:\n%s", want, body)
		}
	}
	for _, not := range []string{"votersCount", "joinMode", "PropertyValue", `\u003c`, "security/v1"} {
		if strings.Contains(string(body), not) {
			t.Errorf("says %s, which it does not use:\n%s", not, body)
		}
	}

	follow, err := EncodeActivity(Activity{ID: kauri + "/a/f1", Type: "Follow", Actor: amira, ObjectID: mere})
	if err != nil || string(follow) != `{"@context":"https://www.w3.org/ns/activitystreams","actor":"https://kauri.example/u/8f3k","id":"https://kauri.example/a/f1","object":"https://harbour.example/u/p2zz","type":"Follow"}` {
		t.Errorf("%s, %v", follow, err)
	}

	gone, err := EncodeActivity(Activity{ID: kauri + "/a/d", Type: "Delete", Actor: amira, ObjectID: kauri + "/o/1"})
	if err != nil || !strings.Contains(string(gone), `"object":{"id":"https://kauri.example/o/1","type":"Tombstone"}`) {
		t.Errorf("a Delete embeds a Tombstone: %s, %v", gone, err)
	}

	raw, err := EncodeActivity(Activity{ID: group + "/a/1", Type: "Announce", Actor: group, Raw: json.RawMessage(`{"id":"https://x/1","b":"<&>","a":1.0}`)})
	if err != nil || !strings.Contains(string(raw), `"object":{"id":"https://x/1","b":"<&>","a":1.0}`) {
		t.Errorf("what is passed on stays as it was said: %s, %v", raw, err)
	}

	if _, err := EncodeActivity(Activity{ID: "no iri", Type: "Like", Actor: amira}); !errors.Is(err, ErrNotIRI) {
		t.Errorf("an id that is none: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	addDocuments(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = ReadEnvelope(body)
		said, err := Decode(body)
		if err != nil {
			return
		}
		sayAgain(t, said)
	})
}

func FuzzDecodeObject(f *testing.F) {
	addDocuments(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if said, err := DecodeObject(body); err == nil {
			sayAgain(t, said)
		}
	})
}

func FuzzDecodeActor(f *testing.F) {
	addDocuments(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if said, err := DecodeActor(body); err == nil {
			sayAgain(t, said)
		}
		if said, err := DecodeCollection(body); err == nil {
			sayAgain(t, said)
		}
	})
}

func addDocuments(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) == 0 {
		f.Fatal("no documents", err)
	}
	more, _ := filepath.Glob("testdata/sent/*.json")
	peers, _ := filepath.Glob("../testdata/peers/*/*.json")
	for _, path := range slices.Concat(paths, more, peers) {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
}

// sayAgain holds that what was understood can be said, and is heard the same.
// What names no IRI where one is needed cannot be said.
func sayAgain(t *testing.T, said any) {
	said = withoutHeard(said)
	for a, ok := said.(Activity); ok; a = *a.Inner {
		if a.Type == "Delete" && a.Object == nil {
			return // is said again with a Tombstone
		}
		if a.Inner == nil {
			break
		}
	}
	body, err := encodeAny(said)
	if errors.Is(err, ErrNotIRI) {
		return
	}
	if err != nil {
		t.Fatalf("cannot say %+v: %v", said, err)
	}
	if len(body) > MaxBytes/2 { // our own lists and maps may take more room
		return
	}
	heard, err := decodeAny(said, body)
	heard = withoutHeard(heard)
	if err != nil || !reflect.DeepEqual(heard, said) {
		t.Errorf("said  %s\nheard %s\n(%v) %s", asJSON(said), asJSON(heard), err, body)
	}
}

// withoutHeard drops what is read and never written.
func withoutHeard(value any) any {
	quiet := func(o *Object) *Object {
		if o == nil {
			return nil
		}
		c := *o
		c.Languages, c.Duration = nil, 0
		if c.Poll != nil {
			p := *c.Poll
			p.Over = false
			if len(p.Options) == 0 {
				p.Voters = 0 // nobody can have voted
			}
			c.Poll = &p
		}
		return &c
	}
	switch v := value.(type) {
	case Object:
		return *quiet(&v)
	case Activity:
		v.Object, v.Instrument = quiet(v.Object), quiet(v.Instrument)
		if v.Inner != nil {
			inner := withoutHeard(*v.Inner).(Activity)
			v.Inner = &inner
		}
		return v
	}
	return value
}

func BenchmarkEncodeCreate(b *testing.B) {
	a := create(article())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := EncodeActivity(a); err != nil {
			b.Fatal(err)
		}
	}
}
