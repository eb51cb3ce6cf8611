package federation

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	bo        = "https://elm.test/u/7"
	followers = bo + "/followers"
	network   = "https://elm.test/network"
)

func TestAudienceOf(t *testing.T) {
	author := community.Account{FollowersURI: followers, NetworkURI: network}
	mastodon := community.Account{FollowersURI: followers}
	tests := []struct {
		name     string
		author   community.Account
		to, cc   []string
		want     community.Audience
		unlisted bool
	}{
		{"everyone", author, []string{as2.Public}, []string{followers}, community.Public, false},
		{"everyone, in a short spelling", author, []string{"as:Public"}, nil, community.Public, false},
		{"everyone, quietly", author, []string{followers}, []string{as2.Public}, community.Public, true},
		{"the network and followers", author, []string{followers, network}, nil, community.Network, false},
		{"the network, in cc", author, nil, []string{network}, community.Network, false},
		{"followers", author, []string{followers}, []string{"https://oak.test/u/1"}, community.Followers, false},
		{"followers, in cc", author, []string{"https://oak.test/u/1"}, []string{followers}, community.Followers, false},
		{"two people", author, []string{"https://oak.test/u/1", "https://oak.test/u/2"}, nil, community.People, false},
		{"another's followers", author, []string{"https://oak.test/u/1/followers"}, nil, community.People, false},
		{"a network that its server has not", mastodon, []string{network}, nil, community.People, false},
		{"nobody", author, nil, nil, community.People, false},
		{"nobody, by an author without collections", community.Account{}, []string{""}, nil, community.People, false},
	}
	for _, tt := range tests {
		got, unlisted := audienceOf(as2.Object{To: tt.to, Cc: tt.cc}, tt.author)
		if got != tt.want || unlisted != tt.unlisted {
			t.Errorf("%s: %s (unlisted %v), want %s (%v)", tt.name, got, unlisted, tt.want, tt.unlisted)
		}
	}
}

func TestKindOf(t *testing.T) {
	tests := []struct {
		name string
		o    as2.Object
		want community.Kind // empty: no post
	}{
		{"a practice post of ours", as2.Object{Type: "Article", Name: "A", Kind: "practice"}, community.Practice},
		{"a question of ours", as2.Object{Type: "Note", Name: "A", Kind: "question"}, community.Question},
		{"an article of elsewhere", as2.Object{Type: "Article", Name: "A", Content: "x"}, community.Discussion},
		{"a titled note", as2.Object{Type: "Note", Name: "A", Content: "x"}, community.Discussion},
		{"a note", as2.Object{Type: "Note", Content: "x"}, community.Note},
		{"a link", as2.Object{Type: "Page", Name: "A"}, community.Discussion},
		{"a poll", as2.Object{Type: "Question", Content: "Which?"}, community.Note},
		{"a reply", as2.Object{Type: "Note", Content: "x", InReplyTo: "https://a.test/1"}, community.Reply},
		{"a reply with the topic's title", as2.Object{Type: "Note", Name: "A", Content: "x", InReplyTo: "https://a.test/1"}, community.Reply},
		{"a vote", as2.Object{Type: "Note", Name: "A", InReplyTo: "https://a.test/1"}, ""},
		{"thanks", as2.Object{Type: "Note", Content: "x", InReplyTo: "https://a.test/1", Recognises: "https://a.test/1"}, community.Acknowledgement},
		{"thanks for nothing", as2.Object{Type: "Note", Content: "x", Recognises: "https://a.test/1"}, community.Note},
		{"a practice post that answers", as2.Object{Type: "Article", Name: "A", Kind: "practice", InReplyTo: "https://a.test/1", Content: "x"}, community.Reply},
		{"a practice post without a title", as2.Object{Type: "Note", Kind: "practice", Content: "x"}, community.Note},
		{"an event", as2.Object{Type: "Event", Name: "A"}, community.Discussion},
		{"a picture", as2.Object{Type: "Image"}, community.Note},
		{"a thing of a server's own", as2.Object{Type: "Review", Name: "A"}, community.Discussion},
		{"what is gone", as2.Object{Type: "Tombstone"}, ""},
		{"a place", as2.Object{Type: "Place", Name: "A"}, ""},
	}
	for _, tt := range tests {
		got, err := kindOf(tt.o)
		if (err == nil) != (tt.want != "") || got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FEP-b2b8 (the summary of an article), FEP-eb48 (hashtags), FEP-1311 (pictures).
func TestReadObject(t *testing.T) {
	published := time.Date(2026, 11, 20, 4, 10, 0, 0, time.UTC)
	r, err := readObject(as2.Object{
		ID: "https://nodebb.test/post/1", AttributedTo: "https://nodebb.test/u", Type: "Note", Name: "Topic\u202e  <b>title</b>", Summary: "<p>Blood</p>", Sensitive: true,
		Content: `<p onclick="x()">Hi<script>alert(1)</script> <img src="https://t.test/track.gif" alt="a frog"></p>`, Language: "mi",
		Published: published, Updated: published.Add(time.Hour), License: "https://creativecommons.org/licenses/by/4.0/",
		About: []string{"Reading"}, EducationalLevel: "Year 3", Contributors: []string{"https://elm.test/u/9", "javascript:alert(1)"},
		Tags: []as2.Tag{{Type: "Hashtag", Name: "#RunningRecords"}, {Type: "Hashtag", Name: "#runningrecords"}, {Type: "Mention", Name: "@a"}},
		Attachments: []as2.Attachment{{Type: "Document", URL: "https://m.test/a.png", MediaType: "image/png", Name: "a desk", Width: 4, Height: 3, FocalPoint: &[2]float64{.5, -1}},
			{Type: "Document", URL: "file:///etc/passwd", MediaType: "image/png"}, {Type: "Link", URL: "https://m.test/page"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := r.post
	if p.Kind != community.Discussion || p.Title != "Topic title" || p.Warning != "Blood" || !p.Sensitive || p.Language != "mi" || p.Level != "Year 3" || p.Subject != "Reading" {
		t.Errorf("read %+v", p)
	}
	for _, bad := range []string{"script", "onclick", "<img", "alert"} {
		if strings.Contains(p.HTML, bad) {
			t.Errorf("%q is left in %q", bad, p.HTML)
		}
	}
	if len(p.Tags) != 1 || p.Tags[0] != (community.Tag{Tag: "runningrecords", Name: "RunningRecords"}) {
		t.Errorf("tags %+v", p.Tags)
	}
	if len(p.Media) != 1 || p.Media[0].Alt != "a desk" || p.Media[0].FocusY != -1 || p.Media[0].RemoteURL != "https://m.test/a.png" {
		t.Errorf("media %+v", p.Media)
	}
	if !slices.Equal(p.Contributors, []string{"https://elm.test/u/9"}) || p.Edited == nil || !p.Edited.Equal(published.Add(time.Hour)) {
		t.Errorf("contributors %q, edited %v", p.Contributors, p.Edited)
	}

	article, err := readObject(as2.Object{ID: "https://a.test/1", AttributedTo: "https://a.test/u", Type: "Article", Name: "A", Summary: "<p>In short</p>", Content: "<p>At length</p>"})
	if err != nil || article.post.Warning != "" || article.post.HTML != "<p>At length</p>" {
		t.Errorf("an article's summary is no warning: %+v, %v", article.post, err)
	}
	poll, err := readObject(as2.Object{ID: "https://a.test/2", AttributedTo: "https://a.test/u", Type: "Question", Content: "<p>Which?</p>", Poll: &as2.Poll{Options: []as2.Option{{Name: "<i>This</i>"}, {Name: "That & the other"}}}})
	if err != nil || poll.post.HTML != "<p>Which?</p>" || poll.post.Poll == nil || poll.post.Poll.Options[1].Title != "That & the other" {
		t.Errorf("a poll reads %q, %v", poll.post.HTML, err)
	}
	page, err := readObject(as2.Object{ID: "https://a.test/3", AttributedTo: "https://a.test/u", Type: "Page", Name: "A link", Attachments: []as2.Attachment{{Type: "Link", URL: "https://b.test/?a=1&b=2"}}})
	if err != nil || page.post.Extra == nil || page.post.Extra.Link != "https://b.test/?a=1&b=2" {
		t.Errorf("a link reads %+v, %v", page.post.Extra, err)
	}
	plain, err := readObject(as2.Object{ID: "https://a.test/4", AttributedTo: "https://a.test/u", Type: "Note", MediaType: "text/plain", Content: "1 < 2\n<b>no</b>"})
	if err != nil || plain.post.HTML != "<p>1 &lt; 2<br>&lt;b&gt;no&lt;/b&gt;</p>" {
		t.Errorf("plain text reads %q, %v", plain.post.HTML, err)
	}
}

func TestRemoteAccount(t *testing.T) {
	good := as2.Actor{ID: bo, Type: "Person", PreferredUsername: "bo", Name: "Bo\nKahu", Summary: "<p>Hi<script>x</script></p>", Inbox: bo + "/inbox",
		Followers: followers, Network: network, SharedInbox: "https://elm.test/inbox", PublicKey: as2.PublicKey{ID: bo + "#main-key", Owner: bo, PEM: keyPairs()[0].Public},
		URL: "https://elm.test/@bo", Icon: &as2.Attachment{URL: "https://elm.test/m/1.png"}, Fields: []as2.Field{{Name: "Room", Value: "<b>3</b>"}}}
	a, err := remoteAccount(good)
	if err != nil {
		t.Fatal(err)
	}
	if a.Host != "elm.test" || a.Username != "bo" || a.DisplayName != "Bo Kahu" || a.BioHTML != "<p>Hi</p>" || len(a.Keys) != 1 || a.Keys[0].ID != bo+"#main-key" || a.NetworkURI != network ||
		a.SharedInbox != "https://elm.test/inbox" || a.Avatar != "https://elm.test/m/1.png" || len(a.Fields) != 1 {
		t.Errorf("read %+v", a)
	}
	tests := []struct {
		name   string
		change func(*as2.Actor)
		ok     func(community.RemoteAccount) bool // nil: refused
	}{
		{"inbox elsewhere", func(a *as2.Actor) { a.Inbox = "https://victim.test/inbox" }, nil},
		{"no inbox", func(a *as2.Actor) { a.Inbox = "" }, nil},
		{"a name with a space", func(a *as2.Actor) { a.PreferredUsername = "bo kahu" }, func(a community.RemoteAccount) bool { return a.Username == "7" }},
		{"no name", func(a *as2.Actor) { a.PreferredUsername = "" }, func(a community.RemoteAccount) bool { return a.Username == "7" }},
		{"no name anywhere", func(a *as2.Actor) { a.ID, a.PreferredUsername = "https://elm.test/?author=9", "" }, nil},
		{"a server", func(a *as2.Actor) { a.Type, a.PreferredUsername = "Application", "" }, func(a community.RemoteAccount) bool { return a.Username == "elm.test" }},
		{"a thing of a server's own", func(a *as2.Actor) { a.Type = "Podcast" }, func(a community.RemoteAccount) bool { return a.ActorType == "Service" }},
		{"a page elsewhere", func(a *as2.Actor) { a.URL = "https://victim.test/@bo" }, func(a community.RemoteAccount) bool { return a.URL == "" }},
		{"shared inbox elsewhere", func(a *as2.Actor) { a.SharedInbox = "https://victim.test/inbox" }, func(a community.RemoteAccount) bool { return a.SharedInbox == "" }},
		{"followers elsewhere", func(a *as2.Actor) { a.Followers = "https://oak.test/u/1/followers" }, func(a community.RemoteAccount) bool { return a.FollowersURI == "" }},
		{"another's key", func(a *as2.Actor) { a.PublicKey.Owner = "https://elm.test/u/8" }, func(a community.RemoteAccount) bool { return len(a.Keys) == 0 }},
		{"a key elsewhere", func(a *as2.Actor) { a.PublicKey.ID = "https://victim.test/u/1#main-key" }, func(a community.RemoteAccount) bool { return len(a.Keys) == 0 }},
	}
	for _, tt := range tests {
		actor := good
		tt.change(&actor)
		got, err := remoteAccount(actor)
		if (err == nil) != (tt.ok != nil) || err == nil && !tt.ok(got) {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
}

// What a post says goes over the wire and comes back the same.
//
// FEP-b2b8 (Article), FEP-eb48 (hashtags), FEP-7888 (context), FEP-1311 (pictures).
func TestObjectsSurviveTheWire(t *testing.T) {
	site := iri.Site{Host: "elm.test", Scheme: "https"}
	here := community.Account{ID: 7, Username: "bo"}
	author := community.Account{ID: 70, Host: "elm.test", FollowersURI: site.Followers(7), NetworkURI: site.Network()}
	uri := "https://oak.test/u/1"
	amira := community.Account{ID: 1, Username: "amira", Host: "oak.test", URI: &uri}
	created := time.Date(2026, 11, 20, 4, 10, 0, 123e6, time.UTC)
	parent, three := int64(3), int64(1)
	tests := []struct {
		name string
		post community.Post
		typ  string
		to   []string
	}{
		{"practice", community.Post{Kind: community.Practice, Audience: community.Public, Title: "Two readers", Teaser: "In short &amp; good", HTML: "<h2>What I tried</h2><p>x</p>",
			Sections: &community.Sections{Tried: "x"}, Subject: "Reading", Level: "Year 3", Licence: "https://creativecommons.org/licenses/by/4.0/", Language: "mi"}, "Article", []string{as2.Public}},
		{"discussion for the network", community.Post{Kind: community.Discussion, Audience: community.Network, Title: "Conferences", HTML: "<p>How?</p>", Source: "How?"}, "Note",
			[]string{site.Followers(7), site.Network()}},
		{"question for followers", community.Post{Kind: community.Question, Audience: community.Followers, Title: "Why?", HTML: "<p>How?</p>"}, "Note", []string{site.Followers(7)}},
		{"reply", community.Post{Kind: community.Reply, Audience: community.Public, HTML: "<p>So</p>", InReplyToID: &parent, InReplyToURI: "https://oak.test/o/3", InReplyToAuthor: &three, Warning: "frogs"},
			"Note", []string{as2.Public}},
		{"thanks to one", community.Post{Kind: community.Acknowledgement, Audience: community.People, HTML: "<p>Used it</p>", InReplyToURI: "https://oak.test/o/3", InReplyToAuthor: &three}, "Note", []string{uri}},
		{"note, quietly", community.Post{Kind: community.Note, Audience: community.Public, Unlisted: true, HTML: "<p>psst</p>", Language: "en-NZ"}, "Note", []string{site.Followers(7)}},
	}
	for _, tt := range tests {
		p := tt.post
		p.ID, p.ThreadID, p.AuthorID, p.CreatedAt = 11, 11, 7, created
		s := said{post: p, author: here, context: site.Context(11), tags: []community.Tag{{Tag: "reading", Name: "Reading"}},
			media: []media.Attachment{{Name: "ab12.webp", Mime: "image/webp", Alt: "a desk", Width: 4, Height: 3}}}
		if p.InReplyToAuthor != nil {
			s.answered = &amira
		}
		body, err := as2.EncodeObject(objectOf(site, s))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		o, err := as2.DecodeObject(body)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if o.Type != tt.typ || !slices.Equal(o.To, tt.to) || o.Context != site.Context(11) || o.AttributedTo != site.Actor(7) {
			t.Errorf("%s: is a %s to %q in %s", tt.name, o.Type, o.To, o.Context)
		}
		public := p.Audience == community.Public
		if (o.Source != nil) && !public || slices.ContainsFunc(o.Tags, func(t as2.Tag) bool { return t.Type == "Hashtag" }) != public {
			t.Errorf("%s: says too much or too little: source %v, tags %+v", tt.name, o.Source, o.Tags)
		}
		r, err := readObject(o)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := r.post
		got.Audience, got.Unlisted = audienceOf(o, author)
		if got.Kind != p.Kind || got.Audience != p.Audience || got.Unlisted != p.Unlisted || got.Title != p.Title || got.Warning != p.Warning || got.HTML != p.HTML ||
			got.Language != p.Language || got.Subject != p.Subject || got.Level != p.Level || got.Licence != p.Licence || got.InReplyToURI != p.InReplyToURI ||
			!got.Published.Equal(created) || got.URL != site.Page(11) || len(got.Media) != 1 || got.Media[0].Alt != "a desk" ||
			got.Media[0].Mime != "image/webp" || got.Media[0].Width != 4 || got.Media[0].Height != 3 {
			t.Errorf("%s: came back as %+v", tt.name, got)
		}
		if p.Kind.Answers() && (o.Name != "" || !slices.ContainsFunc(o.Tags, func(t as2.Tag) bool { return t.Type == "Mention" && t.Href == uri && t.Name == "@amira@oak.test" })) {
			t.Errorf("%s: a reply has no title and mentions whom it answers: %q, %+v", tt.name, o.Name, o.Tags)
		}
		if p.Kind == community.Practice && got.Teaser != "In short &amp; good" {
			t.Errorf("%s: teaser %q", tt.name, got.Teaser)
		}
	}
}

// Who is found by a search is for each to say, and what is not public is found
// by nobody whom it is not for.
//
// FEP-5feb (actors); FEP-268d (objects).
func TestSearchConsent(t *testing.T) {
	site := iri.Site{Host: "elm.test", Scheme: "https"}
	shy, open := community.Account{ID: 7, Username: "bo", ActorType: "Person"}, community.Account{ID: 7, Username: "bo", ActorType: "Person", Indexable: true}
	tests := []struct {
		name     string
		author   community.Account
		audience community.Audience
		want     string
	}{
		{"who agreed", open, community.Public, as2.Public},
		{"who did not", shy, community.Public, site.Followers(7)},
		{"for the network", open, community.Network, site.Followers(7)},
		{"for followers", open, community.Followers, site.Followers(7)},
		{"for people", open, community.People, site.Actor(7)},
	}
	for _, tt := range tests {
		body, err := as2.EncodeObject(objectOf(site, said{post: community.Post{ID: 1, Kind: community.Note, Audience: tt.audience, HTML: "x", AuthorID: 7}, author: tt.author}))
		if err != nil {
			t.Fatal(err)
		}
		o, err := as2.DecodeObject(body)
		if err != nil || !slices.Equal(o.SearchableBy, []string{tt.want}) {
			t.Errorf("%s: searchable by %q, %v", tt.name, o.SearchableBy, err)
		}
	}
	for _, author := range []community.Account{shy, open} {
		body, err := as2.EncodeActor(personOf(site, author, nil))
		if err != nil {
			t.Fatal(err)
		}
		actor, err := as2.DecodeActor(body)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := remoteAccount(actor); err != nil || got.Indexable != author.Indexable {
			t.Errorf("indexable %v arrives as %v, %v", author.Indexable, got.Indexable, err)
		}
	}
}

// heard is a gorm log that counts the statements it hears of.
type heard struct{ n int }

func (h *heard) LogMode(logger.LogLevel) logger.Interface                        { return h }
func (h *heard) Info(context.Context, string, ...any)                            {}
func (h *heard) Warn(context.Context, string, ...any)                            {}
func (h *heard) Error(context.Context, string, ...any)                           {}
func (h *heard) Trace(context.Context, time.Time, func() (string, int64), error) { h.n++ }

// Whoever names many people has them looked up in as few questions as whoever
// names two, ours and others'.
func TestThoseNamedAreLookedUpTogether(t *testing.T) {
	r := &ring{t: t, at: map[string]addrPort{}}
	oak, elm := r.still("oak.localhost"), r.still("elm.localhost")
	oak.allow(elm.host)
	elm.allow(oak.host)
	amira, bee := oak.person("amira"), oak.person("bee")
	elm.person("bo")
	author := oak.seen("@bo@elm.localhost")
	questions := func(more int) (asked int, named []int64) {
		note := as2.Object{ID: *author.URI + "/notes/1", Type: "Note", AttributedTo: *author.URI, Content: "<p>Hello</p>", To: []string{as2.Public}}
		add := func(uri string) { note.Tags = append(note.Tags, as2.Tag{Type: "Mention", Href: uri}) }
		add(oak.site.Actor(amira.ID))
		for i := range more {
			add(oak.site.Actor(int64(1000 + i)))
			add(elm.site.Actor(int64(1000 + i)))
		}
		add(oak.site.Actor(bee.ID))
		read, err := readObject(note)
		if err != nil {
			t.Fatal(err)
		}
		oak.read(func(tx *store.Tx) error {
			var h heard
			listening := *tx
			listening.DB = tx.DB.Session(&gorm.Session{Logger: &h})
			remote, err := newBook(&listening).complete(read, author)
			asked, named = h.n, remote.Mentions
			return err
		})
		return asked, named
	}
	few, _ := questions(1)
	many, named := questions(90)
	if few != many || many > 2 {
		t.Errorf("%d questions for 4 people, %d for 182", few, many)
	}
	if !slices.Equal(named, []int64{amira.ID, bee.ID}) {
		t.Errorf("named are %v", named)
	}
}
