package community

import (
	"net/url"
	"strings"
	"time"
)

// Extra is what is only shown of a post, and hardly any post has: what kind of
// thing it is on its own server, and what that kind of thing says of itself.
// It is kept as JSON, and nothing looks posts up by it.
//
// W3C ActivityStreams Vocabulary, section 3.3 (object types).
type Extra struct {
	// Type is what the post is on its own server, where that is more than a
	// text: Event, Video, Audio, Image, Document, Page, or a word of that
	// server's own.
	Type  string         `json:"type,omitempty"`
	Event *Event         `json:"event,omitempty"`
	Link  string         `json:"link,omitempty"` // what the post is about: a page elsewhere
	Files []ExternalFile `json:"files,omitempty"`
	// Seconds is how long a recording lasts.
	Seconds int     `json:"seconds,omitempty"`
	Emoji   []Emoji `json:"emoji,omitempty"`
	// Languages are those that the author wrote the post in besides the one shown.
	Languages []string `json:"languages,omitempty"`
	// Replies says who may answer, where that is not everybody.
	Replies *ReplyPolicy `json:"replies,omitempty"`
}

// Event is when and where something happens.
//
// FEP-8a8e.
type Event struct {
	Start     time.Time `json:"start,omitzero"`
	End       time.Time `json:"end,omitzero"`
	Zone      string    `json:"zone,omitempty"` // IANA name of where it happens
	Places    []Place   `json:"places,omitempty"`
	Cancelled bool      `json:"cancelled,omitempty"`
	Tentative bool      `json:"tentative,omitempty"`
	// Organizers are addresses of actors, the one who announces it not among them.
	Organizers []string `json:"organizers,omitempty"`
	Join       string   `json:"join,omitempty"` // where to take part: a page of the organisers
	Capacity   int      `json:"capacity,omitempty"`
	Going      int      `json:"going,omitempty"`
}

// Place is where an event happens.
type Place struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
	URL     string `json:"url,omitempty"`
	Online  bool   `json:"online,omitempty"`
}

// ExternalFile is a file that stays where it is: a recording, a document.
// Readers are told where it leads; nothing of it is embedded.
type ExternalFile struct {
	URL  string `json:"url"`
	Mime string `json:"mime,omitempty"`
	Name string `json:"name,omitempty"`
}

// Host is the server that the file is at.
func (f ExternalFile) Host() string { return hostOf(f.URL) }

// Emoji is a picture that another server's people write as :name:.
type Emoji struct {
	Name string `json:"name"` // without colons
	URL  string `json:"url"`
}

// EmojiNamed returns the emoji with a name, if it is on the list.
func EmojiNamed(list []Emoji, name string) (Emoji, bool) {
	for _, e := range list {
		if e.Name == name {
			return e, true
		}
	}
	return Emoji{}, false
}

// empty reports whether there is nothing to keep.
func (e *Extra) empty() bool {
	return e == nil || e.Type == "" && e.Event == nil && e.Link == "" && len(e.Files) == 0 && e.Seconds == 0 && len(e.Emoji) == 0 && len(e.Languages) == 0 && e.Replies == nil
}

// Original is the address of a post's page on its own server and that server's
// name; both are empty for local posts.
func (p Post) Original() (address, host string) {
	if p.URI == nil {
		return "", ""
	}
	address = p.URL
	if address == "" {
		address = *p.URI
	}
	return address, hostOf(address)
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}
