package as2

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func document(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func decoded(t *testing.T, name string) Activity {
	t.Helper()
	a, err := Decode(document(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return a
}

func TestDecodeMastodonCreate(t *testing.T) {
	a := decoded(t, "mastodon-4.4-create-note.json")
	const content = `<p><span class="h-card" translate="no"><a href="https://kauri.example/@amira" class="u-url mention">@<span>amira</span></a></span> We tried it with Year 4 & it worked. <a href="https://social.example/tags/running" class="mention hashtag" rel="tag">#<span>running</span></a></p>`
	const note = "https://social.example/users/hine/statuses/115001"
	want := Activity{
		ID: note + "/activity", Type: "Create", Actor: "https://social.example/users/hine",
		ObjectID:  note,
		Published: time.Date(2026, 11, 20, 4, 10, 0, 0, time.UTC),
		To:        []string{Public},
		Cc:        []string{"https://social.example/users/hine/followers", "https://kauri.example/u/8f3k"},
		Object: &Object{
			ID: note, Type: "Note", AttributedTo: "https://social.example/users/hine",
			Content: content, Language: "en",
			InReplyTo:    "https://kauri.example/o/01JC7Q2KXV",
			Context:      "https://social.example/contexts/9-44",
			Conversation: "https://kauri.example/c/01JC7Q2KXV",
			Published:    time.Date(2026, 11, 20, 4, 10, 0, 0, time.UTC),
			Updated:      time.Date(2026, 11, 20, 4, 12, 31, 0, time.UTC),
			To:           []string{Public},
			Cc:           []string{"https://social.example/users/hine/followers", "https://kauri.example/u/8f3k"},
			URL:          []Link{{Href: "https://social.example/@hine/115001"}},
			Attachments: []Attachment{{Type: "Document", URL: "https://files.social.example/media/115/original/0a1b.jpg", MediaType: "image/jpeg",
				Name: "A reading corner with a tablet on a stand", Width: 1600, Height: 1200,
				Blurhash: "UBL_:rOpGG-oBUNG,qRj2so|=eE1w^n4S5NH", FocalPoint: &[2]float64{-0.25, 0.5}}},
			Tags: []Tag{
				{Type: "Mention", Href: "https://kauri.example/u/8f3k", Name: "@amira@kauri.example"},
				{Type: "Hashtag", Href: "https://social.example/tags/running", Name: "#running"},
				{Type: "Emoji", ID: "https://social.example/emojis/7", Name: ":book:", Icon: "https://files.social.example/emoji/7.png"},
			},
			InteractionPolicy: &InteractionPolicy{CanQuote: Approval{Automatic: []string{Public}}},
			Replies: &Collection{ID: note + "/replies", Type: "Collection", FirstPage: &Collection{Type: "CollectionPage",
				Next: note + "/replies?only_other_accounts=true&page=true", PartOf: note + "/replies",
				Items: []Item{{ID: "https://social.example/users/hine/statuses/115002"}}}},
			Likes:  &Collection{ID: note + "/likes", Type: "Collection", TotalItems: new(3)},
			Shares: &Collection{ID: note + "/shares", Type: "Collection", TotalItems: new(0)},
		},
	}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("got  %+v\n%+v\nwant %+v\n%+v", a, a.Object, want, want.Object)
	}
	if ids := a.Object.Replies.IDs(); len(ids) != 1 {
		t.Errorf("replies' IDs = %v", ids)
	}
	if got := a.Object.Page(); got != "https://social.example/@hine/115001" {
		t.Errorf("Page() = %q", got)
	}
}

func TestDecodeOtherServers(t *testing.T) {
	check := func(name string, ok bool, got any) {
		t.Helper()
		if !ok {
			t.Errorf("%s: got %+v", name, got)
		}
	}

	o := decoded(t, "gotosocial-0.20-create-note.json").Object
	check("GoToSocial: text like an IRI stays text", o.Content == "<p>TODO:buy milk 100%</p>" && o.Summary == "Reminder:20% off" && o.Sensitive, o)
	check("GoToSocial: one value for a list", len(o.To) == 1 && len(o.Cc) == 1 && len(o.Attachments) == 1 && len(o.Tags) == 1, o)
	check("GoToSocial: both words for approval", o.InteractionPolicy.CanAnnounce.Automatic[0] == Public &&
		o.InteractionPolicy.CanReply.Manual[0] == Public && o.Language == "mi", o.InteractionPolicy)
	check("GoToSocial: milliseconds and zone", o.Published.Equal(time.Date(2026, 11, 20, 21, 0, 0, 123e6, time.UTC)), o.Published)

	a := decoded(t, "lemmy-0.19-announce-create-page.json")
	check("Lemmy: Create within Announce", a.Inner != nil && a.Inner.Type == "Create" && a.Inner.Object != nil && a.ObjectID == a.Inner.ID, a)
	o = a.Inner.Object
	check("Lemmy: page", o.Type == "Page" && o.Attachments[0].URL == "https://kauri.example/m/Jq8.pdf" && o.Attachments[0].Type == "Link" &&
		o.CommentsDisabled && o.Language == "en" && o.Image.Type == "Image" && o.Audience == "https://lemmy.example/c/teaching" &&
		o.Source.MediaType == "text/markdown", o)

	a = decoded(t, "lemmy-0.19-announce-undo-block.json")
	block := a.Inner.Inner
	check("Lemmy: three deep", block != nil && block.Type == "Block" && block.RemoveData && block.Target == "https://lemmy.example/c/teaching" &&
		block.EndTime.Year() == 2027 && block.Summary == "spam", block)

	o = decoded(t, "nodebb-4.15-create-article.json").Object
	check("NodeBB", o.Name == "Exit tickets" && o.Context == "https://forum.example/topic/31" && o.Updated.IsZero() &&
		o.Replies.ID == "https://forum.example/post/77/replies" && o.Published.Nanosecond() == 456e6, o)

	a = decoded(t, "mastodon-4.4-flag.json")
	check("Flag: several objects", len(a.Objects) == 2 && a.ObjectID == a.Objects[0] && a.Content == "Rude" && a.To[0] == "https://kauri.example/u/8f3k", a)

	a = decoded(t, "mastodon-4.4-delete.json")
	check("Delete: tombstone", a.Object != nil && a.Object.Type == "Tombstone" && a.ObjectID == a.Object.ID, a)

	a = decoded(t, "misskey-2025-like.json")
	check("reaction", a.Type == "Like" && a.Content == "👍", a)

	a = decoded(t, "pleroma-2.9-undo-follow.json")
	check("Undo of an embedded Follow", a.Inner.Type == "Follow" && a.Inner.ObjectID == "https://kauri.example/u/8f3k", a)

	a = decoded(t, "chalkring-offer.json")
	check("Offer of peering", a.Relationship.Relationship == chalkring+"peer" && a.ObjectID == "" && !a.EndTime.IsZero(), a)
}

// What PeerTube, Mastodon and Mobilizon (FEP-8a8e) publish besides notes.
func TestDecodeObjects(t *testing.T) {
	video, err := DecodeObject(document(t, "peertube-7-video.json"))
	if err != nil {
		t.Fatal(err)
	}
	if video.AttributedTo != "https://tube.example/accounts/ana" || len(video.Contributors) != 1 || video.Language != "fr" ||
		video.Page() != "https://tube.example/videos/watch/9d" || len(video.URL) != 2 || video.Icon.Width != 280 {
		t.Errorf("PeerTube: %+v", video)
	}
	poll, err := DecodeObject(document(t, "mastodon-4.4-question.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := &Poll{Multiple: true, Options: []Option{{"Monday", 2}, {"Friday", 4}}, Voters: 5, Ends: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
	if !reflect.DeepEqual(poll.Poll, want) || poll.To[0] != Public || poll.Language != "en-NZ" {
		t.Errorf("Question: %+v, %+v", poll, poll.Poll)
	}
	event, err := DecodeObject(document(t, "mobilizon-5-event.json"))
	if err != nil {
		t.Fatal(err)
	}
	ev := event.Event
	if ev.Places[0].Address != "1 Wharf Road, 0001, Example Town, NZ" || ev.Status != "CONFIRMED" || ev.JoinMode != "free" ||
		ev.Capacity != 30 || !ev.Start.Equal(time.Date(2026, 12, 3, 2, 45, 0, 0, time.UTC)) || event.AttributedTo != "https://mob.example/@wai" || event.Contributors[0] != "https://mob.example/@harbour" {
		t.Errorf("Event: %+v", ev)
	}
}

// FEP-521a (several keys), FEP-844e (implements).
func TestDecodeActors(t *testing.T) {
	hine, err := DecodeActor(document(t, "mastodon-4.4-person.json"))
	if err != nil {
		t.Fatal(err)
	}
	if hine.PreferredUsername != "hine" || hine.SharedInbox != "https://social.example/inbox" || !hine.ManuallyApprovesFollowers || !hine.Discoverable ||
		hine.PublicKey.Owner != hine.ID || hine.Fields[0].Name != "School" || hine.AlsoKnownAs[0] != "https://old.example/users/hine" || hine.URL != "https://social.example/@hine" {
		t.Errorf("Mastodon: %+v", hine)
	}
	group, err := DecodeActor(document(t, "lemmy-0.19-group.json"))
	if err != nil {
		t.Fatal(err)
	}
	if group.Type != "Group" || group.AttributedTo[0] != "https://lemmy.example/c/teaching/moderators" || !group.PostingRestrictedToMods {
		t.Errorf("Lemmy: %+v", group)
	}
	ben, err := DecodeActor(document(t, "hollo-0.10-person.json"))
	if err != nil {
		t.Fatal(err)
	}
	if ben.PublicKey.ID != "https://hollo.example/@ben#main-key" || len(ben.Multikeys) != 1 || len(ben.Fields) != 1 ||
		!ben.Implements("https://datatracker.ietf.org/doc/html/rfc9421") || ben.Implements("https://w3id.org/chalkring/ns#closed-groups") {
		t.Errorf("Hollo: %+v", ben)
	}
}

func TestDecodeCollections(t *testing.T) {
	box, err := DecodeCollection(document(t, "lemmy-0.19-outbox.json"))
	if err != nil {
		t.Fatal(err)
	}
	if *box.TotalItems != 2 || len(box.Items) != 2 || box.Items[0].Raw == nil || box.Items[1].Raw != nil || box.IDs()[0] != "https://lemmy.example/activities/announce/9" {
		t.Errorf("outbox: %+v", box)
	}
	if _, err := Decode(box.Items[0].Raw); err != nil {
		t.Errorf("an item is a document: %v", err)
	}
	page, err := DecodeCollection(document(t, "gancio-1.2-page.json"))
	if err != nil || page.Next != "https://ev.example/outbox?p=2" {
		t.Errorf("page without id: %+v, %v", page, err)
	}
}

func TestEnvelope(t *testing.T) {
	tests := []struct {
		name, body string
		want       Envelope
		err        error
	}{
		{"bare object", `{"id":"https://a/1","type":"Follow","actor":"https://a/u","object":"https://b/u"}`,
			Envelope{"https://a/1", "Follow", "https://a/u", "https://b/u", ""}, nil},
		{"embedded object and actor", `{"id":"https://a/1","type":["Create"],"actor":{"id":"https://a/u","type":"Person"},"object":{"type":"Note","id":"https://a/n"}}`,
			Envelope{"https://a/1", "Create", "https://a/u", "https://a/n", "Note"}, nil},
		{"escaped name is the name", `{"\u0069d":"https://a/1","type":"Like","actor":"https://a/u","object":"x"}`,
			Envelope{"https://a/1", "Like", "https://a/u", "x", ""}, nil},
		{"other capitals are other names", `{"ID":"https://evil/1","id":"https://a/1","Actor":"https://evil","type":"Like","actor":"https://a/u","object":"x"}`,
			Envelope{"https://a/1", "Like", "https://a/u", "x", ""}, nil},
		{"only other capitals", `{"ID":"https://a/1","type":"Like","actor":"https://a/u"}`, Envelope{}, ErrIncomplete},
		{"two actors", `{"id":"https://a/1","type":"Like","actor":"https://a/u","actor":"https://b/u"}`, Envelope{}, ErrMalformed},
		{"two ids by alias", `{"id":"https://a/1","@id":"https://b/1","type":"Like","actor":"https://a/u"}`, Envelope{}, ErrMalformed},
		{"two ids by escape", `{"id":"https://a/1","i\u0064":"https://b/1","type":"Like","actor":"https://a/u"}`, Envelope{}, ErrMalformed},
		{"two ids in the object", `{"id":"https://a/1","type":"Like","actor":"https://a/u","object":{"id":"1","id":"2"}}`, Envelope{}, ErrMalformed},
		{"no type", `{"id":"https://a/1","actor":"https://a/u"}`, Envelope{}, ErrIncomplete},
		{"number for an id", `{"id":7,"type":"Like","actor":"https://a/u"}`, Envelope{}, ErrIncomplete},
		{"a list", `[{"id":"https://a/1"}]`, Envelope{}, ErrMalformed},
		{"cut off", `{"id":"https://a/1`, Envelope{}, ErrMalformed},
		{"something after", `{"id":"https://a/1"} {}`, Envelope{}, ErrMalformed},
		{"empty", ``, Envelope{}, ErrMalformed},
		{"too deep", strings.Repeat(`{"a":`, 65) + `1` + strings.Repeat(`}`, 65), Envelope{}, ErrTooBig},
		{"too long a list", `{"to":["x"` + strings.Repeat(`,"x"`, 5000) + `]}`, Envelope{}, ErrTooBig},
		{"too large", `{"id":"` + strings.Repeat("x", MaxBytes) + `"}`, Envelope{}, ErrTooBig},
	}
	for _, tt := range tests {
		got, err := ReadEnvelope([]byte(tt.body))
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %+v, %v; want %+v, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

func TestDecodeShapes(t *testing.T) {
	const head = `{"id":"https://a/n","type":"Note",`
	tests := []struct {
		name, body string
		ok         func(o Object) bool
	}{
		{"odd members are dropped", head + `"name":7,"to":[null,3,{"x":1},"https://a/f"],"published":"yesterday","tag":["x",{"type":"Mention"}],"attachment":[null,{"type":"Image"}],"url":{},"sensitive":"perhaps","replies":5,"focalPoint":1}`,
			func(o Object) bool {
				return o.Name == "" && len(o.To) == 1 && o.Published.IsZero() && o.Tags == nil && o.Attachments == nil && o.Replies == nil && !o.Sensitive
			}},
		{"text as a value object", head + `"content":{"@value":"Kia ora","@language":"mi"}}`, func(o Object) bool { return o.Content == "Kia ora" }},
		{"content only in the map", head + `"contentMap":{"de":"Hallo"}}`, func(o Object) bool { return o.Content == "Hallo" && o.Language == "de" }},
		{"the map's entry that is the content", head + `"contentMap":{"de":"Hallo","en":"Hello"},"content":"Hello"}`, func(o Object) bool { return o.Language == "en" }},
		{"no language", head + `"contentMap":{"und":"Hallo","no such language!":"x"}}`, func(o Object) bool { return o.Language == "" && o.Content == "" }},
		{"short public", head + `"to":"Public","cc":["as:Public"]}`, func(o Object) bool { return o.To[0] == Public && o.Cc[0] == Public }},
		{"type by prefix", `{"@id":"https://a/n","@type":["x:Odd","as:Article"]}`, func(o Object) bool { return o.Type == "Article" && o.ID == "https://a/n" }},
		{"links as url", head + `"url":[{"type":"Link","href":"https://a/x.pdf","mediaType":"application/pdf"},"https://a/p"]}`, func(o Object) bool { return o.Page() == "https://a/p" }},
		{"attachment with links", head + `"attachment":{"type":"Image","url":[{"type":"Link","href":"https://a/i.png","mediaType":"image/png","width":9}]}}`,
			func(o Object) bool {
				return o.Attachments[0] == Attachment{Type: "Image", URL: "https://a/i.png", MediaType: "image/png", Width: 9}
			}},
		{"attachment as a string", head + `"attachment":"https://a/i.png"}`, func(o Object) bool { return o.Attachments[0].Type == "Document" }},
		{"NUL and broken UTF-8", head + "\"content\":\"a\\u0000b\xffc\"}", func(o Object) bool { return o.Content == "a\uFFFDb\uFFFDc" }},
		{"our terms by prefix", head + `"cr:kind":"question","https://w3id.org/chalkring/ns#recognition":"https://w3id.org/chalkring/ns#helpedMe","schema:license":"https://l"}`,
			func(o Object) bool {
				return o.Kind == "question" && o.Recognition == "helpedMe" && o.License == "https://l"
			}},
		{"quote in its new spelling wins", head + `"quoteUri":"https://a/old","quote":"https://a/new","_misskey_quote":"https://a/old"}`, func(o Object) bool { return o.Quote == "https://a/new" }},
		{"co-authors", head + `"attributedTo":["https://a/1",{"id":"https://a/2"}],"contributor":["https://a/2","https://a/3"]}`,
			func(o Object) bool {
				return o.AttributedTo == "https://a/1" && reflect.DeepEqual(o.Contributors, []string{"https://a/2", "https://a/3"})
			}},
		{"a vote", head + `"name":"Friday","inReplyTo":"https://b/q"}`, func(o Object) bool { return o.IsVote() }},
		{"a reply from NodeBB is no vote", head + `"name":"Friday","inReplyTo":"https://b/q","content":"<p>Yes</p>"}`, func(o Object) bool { return !o.IsVote() }},
		{"a later type of thing", `{"id":"https://a/n","type":"ChatMessage","content":"x"}`, func(o Object) bool { return o.Type == "ChatMessage" }},
		{"moment without zone", head + `"published":"2026-01-02T03:04:05"}`, func(o Object) bool { return o.Published.Hour() == 3 }},
		{"numbers as strings", head + `"attachment":[{"url":"https://a/i","width":"640","height":480.0}]}`, func(o Object) bool { return o.Attachments[0].Width == 640 && o.Attachments[0].Height == 480 }},
	}
	for _, tt := range tests {
		o, err := DecodeObject([]byte(tt.body))
		if err != nil || !tt.ok(o) {
			t.Errorf("%s: %+v, %v", tt.name, o, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		name, body string
		err        error
	}{
		{"an object without id", `{"id":"https://a/1","type":"Create","actor":"https://a/u","object":{"type":"Note","content":"x"}}`, ErrIncomplete},
		{"no actor", `{"id":"https://a/1","type":"Create"}`, ErrIncomplete},
		{"two recipients' lists", `{"id":"https://a/1","type":"Create","actor":"https://a/u","object":{"id":"https://a/n","type":"Note","to":["https://a/f"],"to":["as:Public"]}}`, ErrMalformed},
		{"two inner actors", `{"id":"https://a/1","type":"Undo","actor":"https://a/u","object":{"type":"Follow","actor":"https://a/u","actor":"https://b/u","object":"https://c"}}`, ErrMalformed},
	}
	for _, tt := range tests {
		if _, err := Decode([]byte(tt.body)); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
	}
	if _, err := DecodeActor([]byte(`{"id":"https://a/u","type":"Person","inbox":"https://a/i","publicKey":{"id":"k","owner":"https://a/u","owner":"https://b/u","publicKeyPem":"x"}}`)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a key of two owners: %v", err)
	}
	if _, err := DecodeActor([]byte(`{"id":"https://a/u","type":"Note"}`)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a note for an actor: %v", err)
	}
}

// TestFixtures reads what real servers have sent, where such a collection
// stands beside the project.
func TestFixtures(t *testing.T) {
	root := filepath.Join("..", "..", "..", "shared", "fixtures", "activitypub")
	if _, err := os.Stat(root); err != nil {
		t.Skip("no fixtures at hand")
	}
	count := 0
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		count++
		switch {
		case strings.Contains(path, "private_message"): // bare or in a Create
			if _, err = Decode(body); err != nil {
				_, err = DecodeObject(body)
			}
		case strings.Contains(path, "activities"):
			if _, err = ReadEnvelope(body); err != nil {
				t.Errorf("%s: envelope: %v", path, err)
			}
			var a Activity
			if a, err = Decode(body); err == nil && a.ObjectID == "" {
				t.Errorf("%s: no object: %+v", path, a)
			}
		case strings.Contains(path, "collections"):
			_, err = DecodeCollection(body)
		case strings.Contains(path, "person"), strings.Contains(path, "group"), strings.Contains(path, "instance"):
			var a Actor
			if a, err = DecodeActor(body); err == nil && (a.Inbox == "" || a.PublicKey.PEM == "") {
				t.Errorf("%s: incomplete: %+v", path, a)
			}
		default:
			_, err = DecodeObject(body)
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
	if err != nil || count == 0 {
		t.Errorf("read %d fixtures: %v", count, err)
	}
}

func BenchmarkDecodeMastodonCreate(b *testing.B) {
	body := document(b, "mastodon-4.4-create-note.json")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadEnvelope(b *testing.B) {
	body := document(b, "mastodon-4.4-create-note.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadEnvelope(body); err != nil {
			b.Fatal(err)
		}
	}
}
