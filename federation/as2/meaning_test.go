package as2

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"
)

// A context may add words and say what ActivityStreams' own words mean anyway;
// one that gives a word on which identity or audience hangs another meaning is
// refused (W3C ActivityStreams Core, section 2.1).
func TestContexts(t *testing.T) {
	const rest = `,"id":"https://a/1","type":"Like","actor":"https://a/u","object":"https://b/o","to":["https://b/u"]}`
	tests := []struct {
		name, context string
		ok            bool
	}{
		{"none", `[]`, true},
		{"an address", `"https://www.w3.org/ns/activitystreams"`, true},
		{"further words", `["https://www.w3.org/ns/activitystreams",{"Emoji":"toot:Emoji","toot":"http://joinmastodon.org/ns#","location":{"@id":"sc:location"}}]`, true},
		{"its own meaning", `{"as":"https://www.w3.org/ns/activitystreams#","id":"@id","type":"@type","to":{"@id":"as:to","@type":"@id"},"actor":"https://www.w3.org/ns/activitystreams#actor"}`, true},
		{"another word for a word is passed over", `{"author":"as:actor"}`, true},
		{"actor made object", `{"actor":"as:object"}`, false},
		{"id made something else", `[{"id":"x:id"}]`, false},
		{"a recipient taken away", `{"to":null}`, false},
		{"by the long name", `{"as:attributedTo":{"@type":"@id","@id":"as:actor"}}`, false},
		{"by an escape", `{"\u0061ctor":"as:object"}`, false},
		{"the prefix bent", `{"as":"https://evil.example/ns#"}`, false},
	}
	for _, tt := range tests {
		_, err := Decode([]byte(`{"@context":` + tt.context + rest))
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, again := ReadEnvelope([]byte(`{"@context":` + tt.context + rest)); (again == nil) != tt.ok {
			t.Errorf("%s: the envelope says %v", tt.name, again)
		}
	}
	if _, err := Decode([]byte(`{"id":"https://a/1","type":"Create","actor":"https://a/u","object":{"@context":{"to":"as:bto"},"id":"https://a/n","type":"Note","to":"as:Public"}}`)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a context within: %v", err)
	}
}

func TestLanguages(t *testing.T) {
	const head = `{"id":"https://a/n","type":"Note",`
	tests := []struct {
		name, body, content, language string
		others                        []string
	}{
		{"the entry that is the text", head + `"content":"Hallo","contentMap":{"en":"Hello","de":"Hallo"}}`, "Hallo", "de", []string{"en"}},
		{"English of several", head + `"contentMap":{"de":"Hallo","en-NZ":"Hello","mi":"Kia ora"}}`, "Hello", "en-NZ", []string{"de", "mi"}},
		{"the first of others", head + `"contentMap":{"mi":"Kia ora","de":"Hallo"}}`, "Kia ora", "mi", []string{"de"}},
		{"tagged values", head + `"content":[{"@value":"Hallo","@language":"de"},{"@value":"Hello","@language":"en"}]}`, "Hello", "en", []string{"de"}},
		{"the same with other markup", head + `"content":"<p>Hallo</p>","contentMap":{"de":"Hallo"}}`, "<p>Hallo</p>", "de", nil},
		{"none of them", head + `"content":"Bonjour","contentMap":{"de":"Hallo","en":"Hello"}}`, "Bonjour", "", nil},
		{"Lemmy", head + `"content":"Hallo","language":{"identifier":"de","name":"Deutsch"}}`, "Hallo", "de", nil},
		{"Mobilizon", head + `"content":"Hallo","inLanguage":"de"}`, "Hallo", "de", nil},
	}
	for _, tt := range tests {
		o, err := DecodeObject([]byte(tt.body))
		if err != nil || o.Content != tt.content || o.Language != tt.language || !reflect.DeepEqual(o.Languages, tt.others) {
			t.Errorf("%s: %q in %q, also %q, %v", tt.name, o.Content, o.Language, o.Languages, err)
		}
	}
	o, err := DecodeObject([]byte(head + `"contentMap":{"de":"Hallo","mi":"Kia ora"},"nameMap":{"mi":"Ingoa","de":"Name"},"summaryMap":{"mi":"Poto"}}`))
	if err != nil || o.Language != "de" || o.Name != "Name" || o.Summary != "Poto" {
		t.Errorf("a title in the text's language: %+v, %v", o, err)
	}
}

func TestMoments(t *testing.T) {
	want := time.Date(2026, 11, 20, 4, 10, 0, 0, time.UTC)
	for _, text := range []string{`"2026-11-20T04:10:00Z"`, `"2026-11-20T04:10:00.0000001Z"`, `"2026-11-20T17:10:00+13:00"`, `"2026-11-20T17:10:00+1300"`, `"2026-11-20T04:10Z"`,
		`"2026-11-20T04:10:00"`, `"2026-11-20 04:10:00"`, `"2026-11-20 04:10:00Z"`, `"2026-11-20 17:10:00 +1300"`, `"Fri, 20 Nov 2026 04:10:00 GMT"`,
		`{"@type":"xsd:dateTime","@value":"2026-11-20T04:10:00Z"}`, `["2026-11-20T04:10:00Z"]`} {
		s := scanner{b: []byte(text)}
		if got := s.time(); !got.Equal(want) {
			t.Errorf("%s is %v", text, got)
		}
	}
	for _, text := range []string{`"yesterday"`, `"2026-13-40T99:00:00Z"`, `null`, `7`, `""`, `"0000-00-00T00:00:00Z"`, `{}`} {
		s := scanner{b: []byte(text)}
		if got := s.time(); !got.IsZero() {
			t.Errorf("%s is %v", text, got)
		}
	}
}

func TestDurations(t *testing.T) {
	tests := map[string]time.Duration{`"PT754S"`: 754 * time.Second, `"PT1H2M3.5S"`: 3723 * time.Second, `"P1DT1H"`: 25 * time.Hour, `125`: 125 * time.Second, `"30"`: 30 * time.Second,
		`1834.5`: 1834 * time.Second, `"P1Y"`: 0, `"PT"`: 0, `"-PT5S"`: 0, `"30s"`: 0, `null`: 0, `-4`: 0, `1e300`: 0, `"PT99999999999H"`: 0, `"P5M"`: 0}
	for text, want := range tests {
		s := scanner{b: []byte(text)}
		if got := s.duration(); got != want {
			t.Errorf("%s lasts %v, want %v", text, got, want)
		}
	}
}

// The lines of a profile, as Mastodon writes them and as FEP-fb2a has them.
func TestProfileLines(t *testing.T) {
	a, err := DecodeActor([]byte(`{"id":"https://a/u","type":"Person","inbox":"https://a/i","outbox":"https://a/o","attachment":[
		{"type":"PropertyValue","name":"School","value":"<b>Oak</b>"},{"type":"Note","name":"Year","content":"3"},
		{"type":"Link","name":"Page","href":"https://b/?x=1&y=2"},{"type":"Link","name":"Trick","href":"javascript:alert(1)"},
		{"type":"IdentityProof","name":"pgp","signatureValue":"x"},{"type":"Note","content":"nameless"}]}`))
	want := []Field{{"School", "<b>Oak</b>"}, {"Year", "3"}, {"Page", `<a href="https://b/?x=1&amp;y=2">https://b/?x=1&amp;y=2</a>`}}
	if err != nil || !slices.Equal(a.Fields, want) {
		t.Errorf("the lines are %+v, %v", a.Fields, err)
	}
}

// FEP-044f, FEP-e232, and what servers wrote before them: one field.
func TestQuotes(t *testing.T) {
	const head = `{"id":"https://a/n","type":"Note","content":"x",`
	const link = `"mediaType":"application/ld+json; profile=\"https://www.w3.org/ns/activitystreams\""`
	tests := []struct{ name, body, want string }{
		{"FEP-044f", head + `"quote":"https://b/1"}`, "https://b/1"},
		{"embedded", head + `"quote":{"id":"https://b/1","type":"Note"}}`, "https://b/1"},
		{"Fedibird", head + `"quoteUri":"https://b/1"}`, "https://b/1"},
		{"Misskey", head + `"_misskey_quote":"https://b/1"}`, "https://b/1"},
		{"as:quoteUrl", head + `"as:quoteUrl":"https://b/1"}`, "https://b/1"},
		{"an object link", head + `"tag":[{"type":"Link","href":"https://b/1","rel":"https://misskey-hub.net/ns#_misskey_quote",` + link + `}]}`, "https://b/1"},
		{"an object link by its words", head + `"tag":{"type":"Link","href":"https://b/1","name":"RE: https://b/1",` + link + `}}`, "https://b/1"},
		{"an object link that is no quote", head + `"tag":{"type":"Link","href":"https://b/1","name":"See also",` + link + `}}`, ""},
		{"a link to a page", head + `"tag":{"type":"Link","href":"https://b/1","name":"RE: https://b/1","mediaType":"text/html"}}`, ""},
		{"taken away", head + `"quote":null}`, ""},
		{"no address", head + `"quoteUri":"javascript:alert(1)"}`, ""},
	}
	for _, tt := range tests {
		o, err := DecodeObject([]byte(tt.body))
		if err != nil || o.Quote != tt.want {
			t.Errorf("%s: %q, %v", tt.name, o.Quote, err)
		}
	}
	o, err := DecodeObject([]byte(head + `"quote":"<p>The owl was late.</p>"}`)) // BookWyrm's Quotation
	if err != nil || o.Quote != "" || o.Content != "<blockquote><p>The owl was late.</p></blockquote>x" {
		t.Errorf("quoted words: %+v, %v", o, err)
	}
}

// W3C ActivityPub, section 6.2: what an object lacks and its activity has.
func TestLending(t *testing.T) {
	a, err := Decode([]byte(`{"id":"https://a/1","type":"Create","actor":"https://a/u","to":"as:Public","cc":"https://a/f","object":{"id":"https://a/n","type":"Note","content":"x"}}`))
	if err != nil || a.Object.AttributedTo != "https://a/u" || a.Object.To[0] != Public || a.Object.Cc[0] != "https://a/f" {
		t.Errorf("lent %+v, %v", a.Object, err)
	}
	a, err = Decode([]byte(`{"id":"https://a/1","type":"Create","actor":"https://a/u","to":"as:Public","object":{"id":"https://a/n","type":"Note","attributedTo":"https://a/v","to":"https://a/w","content":"x"}}`))
	if err != nil || a.Object.AttributedTo != "https://a/v" || len(a.Object.To) != 1 || a.Object.To[0] != "https://a/w" {
		t.Errorf("changed %+v, %v", a.Object, err)
	}
	a, err = Decode([]byte(`{"id":"https://a/1","type":"Announce","actor":"https://a/u","to":"as:Public","object":{"id":"https://b/n","type":"Note","content":"x"}}`))
	if err != nil || a.Object.AttributedTo != "" || a.Object.To != nil {
		t.Errorf("an Announce lends %+v, %v", a.Object, err)
	}
}

// What a thing is: FEP-2277 (an actor by its inbox and outbox, a deed by its
// type); FEP-c0e0 (reactions); FEP-044f (requests to quote).
func TestDeedsAreNoObjects(t *testing.T) {
	for _, typ := range []string{"Create", "Like", "Person", "OrderedCollection"} {
		if _, err := DecodeObject([]byte(`{"id":"https://a/1","type":"` + typ + `","attributedTo":"https://a/u","content":"x"}`)); !errors.Is(err, ErrMalformed) {
			t.Errorf("a %s is read as an object: %v", typ, err)
		}
	}
	a, err := Decode([]byte(`{"id":"https://a/1","type":"Update","actor":"https://a/p","object":{"id":"https://a/p","type":"Podcast","inbox":"https://a/i","outbox":"https://a/o","name":"Hall"}}`))
	if err != nil || a.ObjectActor == nil || a.Object != nil {
		t.Errorf("an actor of its server's own type: %+v, %v", a, err)
	}
	a, err = Decode([]byte(`{"id":"https://a/1","type":"EmojiReact","actor":"https://a/u","object":"https://b/n","content":":owl:","tag":[{"type":"Emoji","name":"owl","icon":{"url":"https://a/owl.png"}}]}`))
	if err != nil || a.Content != ":owl:" || a.Emoji == nil || a.Emoji.Icon != "https://a/owl.png" {
		t.Errorf("a reaction: %+v, %v", a, err)
	}
	a, err = Decode([]byte(`{"id":"https://a/1","type":"QuoteRequest","actor":"https://a/u","object":"https://b/n","instrument":{"id":"https://a/q","type":"Note","content":"x","quote":"https://b/n"}}`))
	if err != nil || a.InstrumentID != "https://a/q" || a.Instrument == nil || a.Instrument.Quote != "https://b/n" {
		t.Errorf("a request to quote: %+v, %v", a, err)
	}
}
