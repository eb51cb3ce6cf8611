package federation

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/text"
)

// What is kept of the things that other servers publish besides text.
const (
	maxEmoji     = 40
	maxEmojiURL  = 500 // bytes
	maxFiles     = 8
	maxPlaces    = 4
	maxLanguages = 8
	maxType      = 40
	maxRepliers  = 50
)

// extraOf is what a thing says of itself that is only shown; nil is nothing.
func extraOf(o as2.Object, p community.RemotePost) *community.Extra {
	e := community.Extra{Type: typeOf(o), Link: linkOf(o), Files: filesOf(o), Seconds: int(o.Duration / time.Second)}
	if o.Event != nil {
		e.Event = eventOf(o)
	}
	e.Emoji = emojiOf(o.Tags, append([]string{p.Title, p.Warning, p.HTML, p.Teaser}, optionsOf(o)...)...)
	for _, l := range o.Languages[:min(len(o.Languages), maxLanguages)] {
		if len(l) <= maxWord {
			e.Languages = append(e.Languages, l)
		}
	}
	e.Replies = repliesOf(o)
	if e.Replies == nil && e.Event == nil && e.Type == "" && e.Link == "" && e.Files == nil && e.Seconds == 0 && e.Emoji == nil && e.Languages == nil {
		return nil
	}
	return &e
}

// repliesOf says whom a policy lets answer, or nil where that is everybody. A
// policy that names nobody at all says nothing: its author is always on it.
//
// GoToSocial's documentation, "Interaction Policy".
func repliesOf(o as2.Object) *community.ReplyPolicy {
	if o.InteractionPolicy == nil {
		return nil
	}
	list := func(said []string) (kept []string) {
		for _, who := range said {
			if as2.IsPublic(who) {
				return []string{community.AnyoneMayReply}
			}
			if len(kept) < maxRepliers && webAddress(who) != "" {
				kept = append(kept, who)
			}
		}
		return kept
	}
	may := o.InteractionPolicy.CanReply
	p := community.ReplyPolicy{Automatic: list(may.Automatic), Manual: list(may.Manual)}
	if p.Automatic == nil && p.Manual == nil || slices.Contains(p.Automatic, community.AnyoneMayReply) {
		return nil
	}
	return &p
}

// typeOf is the word for what is more than a text with or without a title.
func typeOf(o as2.Object) string {
	switch o.Type {
	case "Note", "Article", "Question", "Page", "ChatMessage":
		return ""
	}
	return text.PlainLine(o.Type, maxType)
}

func optionsOf(o as2.Object) []string {
	if o.Poll == nil {
		return nil
	}
	var names []string
	for _, option := range o.Poll.Options {
		names = append(names, option.Name)
	}
	return names
}

// linkOf is the page elsewhere that a post is about: what Lemmy and PieFed
// attach to a Page and Mobilizon to an Event, and what Friendica and bridges give
// as its url.
func linkOf(o as2.Object) string {
	if o.Type != "Note" && o.Type != "Question" && o.Type != "ChatMessage" { // theirs are previews of links in the text
		for _, a := range o.Attachments {
			if link := webAddress(a.URL); a.Type == "Link" && link != "" && !isOwnPicture(o, a) {
				return link
			}
		}
	}
	if page := webAddress(o.Page()); page != "" && !iri.SameOrigin(page, o.ID) {
		return page
	}
	return ""
}

// pageOf is the page for people, if it is of the thing's own server: of any
// other it would send readers who mean to see the original somewhere else.
func pageOf(o as2.Object) string {
	if page := webAddress(o.Page()); iri.SameOrigin(page, o.ID) {
		return page
	}
	return ""
}

// filesOf lists what belongs to a thing and is no picture: recordings and
// documents. They stay where they are and are linked.
func filesOf(o as2.Object) []community.ExternalFile {
	var files []community.ExternalFile
	add := func(address, mime, name string) {
		address = webAddress(address)
		if address == "" || len(files) == maxFiles || slices.ContainsFunc(files, func(f community.ExternalFile) bool { return f.URL == address }) {
			return
		}
		if len(mime) > maxWord {
			mime = ""
		}
		files = append(files, community.ExternalFile{URL: address, Mime: mime, Name: text.PlainLine(name, maxTitle)})
	}
	for _, a := range o.Attachments {
		switch {
		case a.Type == "Link" && (a.MediaType == "" || a.MediaType == "text/html"), isPicture(a): // see linkOf and picturesOf
		default:
			add(a.URL, mimeOf(a), a.Name)
		}
	}
	switch o.Type { // whose url is the thing itself; a video comes in many sizes, and one page shows them
	case "Audio", "Document":
		for _, l := range o.URL {
			if l.MediaType != "" && l.MediaType != "text/html" {
				add(l.Href, l.MediaType, l.Name)
			}
		}
	}
	return files
}

// eventOf is when and where an event is.
//
// FEP-8a8e; Mobilizon says status where newer documents say eventStatus.
func eventOf(o as2.Object) *community.Event {
	from := o.Event
	e := community.Event{Start: from.Start, End: from.End, Capacity: from.Capacity, Join: webAddress(from.ExternalParticipationURL)}
	if from.End.Before(from.Start) {
		e.End = time.Time{}
	}
	if _, err := time.LoadLocation(from.Timezone); err == nil && from.Timezone != "" && from.Timezone != "Local" && len(from.Timezone) <= maxWord {
		e.Zone = from.Timezone
	}
	state := strings.ToLower(from.Status + " " + from.EventStatus)
	e.Cancelled = strings.Contains(state, "cancel")
	e.Tentative = strings.Contains(state, "tentative") || strings.Contains(state, "postponed")
	for _, place := range from.Places {
		if len(e.Places) == maxPlaces {
			break
		}
		p := community.Place{Name: text.PlainLine(place.Name, maxTitle), Address: text.PlainLine(place.Address, maxTitle), URL: webAddress(place.URL),
			Online: place.Type == "VirtualLocation"}
		if p != (community.Place{Online: p.Online}) {
			e.Places = append(e.Places, p)
		}
	}
	for _, who := range from.Organizers {
		if webAddress(who) != "" && who != o.AttributedTo && len(e.Organizers) < maxFields {
			e.Organizers = append(e.Organizers, who)
		}
	}
	if from.Attendees != nil && from.Attendees.TotalItems != nil {
		e.Going = *from.Attendees.TotalItems
	}
	return &e
}

// shortcode is a name of an emoji that can be told from the words around it.
var shortcode = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_+.@-]{0,63}$`)

// emojiOf lists the pictures that a text names as :name:, of those that its
// document has with it. What no text names is not kept.
func emojiOf(tags []as2.Tag, texts ...string) []community.Emoji {
	var list []community.Emoji
	for _, t := range tags {
		if t.Type != "Emoji" || len(list) == maxEmoji {
			continue
		}
		e := community.Emoji{Name: strings.Trim(t.Name, ":"), URL: webAddress(t.Icon)}
		if e.URL == "" || len(e.URL) > maxEmojiURL || !shortcode.MatchString(e.Name) {
			continue
		}
		if _, twice := community.EmojiNamed(list, e.Name); twice {
			continue
		}
		if slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, ":"+e.Name+":") }) {
			list = append(list, e)
		}
	}
	return list
}

// picturesOf lists what is shown of a thing: the picture that stands for it,
// the pictures attached to it, and what a picture by itself is.
func picturesOf(o as2.Object) []as2.Attachment {
	var list []as2.Attachment
	add := func(a as2.Attachment) {
		if isPicture(a) {
			list = append(list, a)
		}
	}
	if o.Type == "Image" {
		for _, l := range o.URL {
			add(as2.Attachment{Type: "Image", URL: l.Href, MediaType: l.MediaType, Name: o.Name, Width: l.Width, Height: l.Height})
			if len(list) > 0 {
				break // the others are the same in other sizes
			}
		}
	}
	if o.Image != nil {
		image := *o.Image
		if image.Type == "Document" && image.MediaType == "" {
			image.Type = "Image" // an address alone
		}
		add(image)
	}
	switch o.Type {
	case "Note", "Article", "Page", "Question", "ChatMessage", "Image": // their icon is their author's
	default:
		if o.Icon != nil && o.Image == nil {
			icon := *o.Icon
			if icon.MediaType == "" {
				icon.Type = "Image"
			}
			add(icon)
		}
	}
	for _, a := range o.Attachments {
		if a.Type != "Link" || isOwnPicture(o, a) {
			add(a)
		}
	}
	return list
}

// isOwnPicture reports whether a link leads to a picture on the thing's own
// server, which is how Lemmy before 0.19 published pictures.
func isOwnPicture(o as2.Object, a as2.Attachment) bool {
	return a.Type == "Link" && isPicture(a) && iri.SameOrigin(a.URL, o.ID)
}

// isPicture reports whether an attachment can be shown as a picture.
func isPicture(a as2.Attachment) bool { return strings.HasPrefix(mimeOf(a), "image/") }

// mimeOf says what kind of file an attachment is: as its server says, or by
// its type or its name, or "" if nothing tells.
func mimeOf(a as2.Attachment) string {
	switch {
	case a.MediaType != "" && len(a.MediaType) <= maxWord:
		return strings.ToLower(a.MediaType)
	case a.Type == "Image":
		return "image/*"
	case a.Type == "Video":
		return "video/*"
	case a.Type == "Audio":
		return "audio/*"
	}
	name, _, _ := strings.Cut(a.URL, "?")
	switch strings.ToLower(path.Ext(name)) {
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".webp":
		return "image/webp"
	case ".avif":
		return "image/avif"
	case ".mp4":
		return "video/mp4"
	case ".webm":
		return "video/webm"
	case ".mp3":
		return "audio/mpeg"
	case ".ogg", ".oga", ".opus":
		return "audio/ogg"
	case ".flac":
		return "audio/flac"
	case ".pdf":
		return "application/pdf"
	}
	return ""
}

// userName is how people write an actor's name. What has none that can be
// written is called by the last part of its address, and a server by its own.
func userName(a as2.Actor, host string) string {
	if iri.ValidName(a.PreferredUsername) {
		return a.PreferredUsername
	}
	address, _, _ := strings.Cut(a.ID, "?")
	_, rest, _ := strings.Cut(address, "://")
	_, inPath, _ := strings.Cut(rest, "/")
	last := strings.TrimLeft(path.Base("/"+inPath), "@~/")
	if a.Type == "Application" || a.Type == "Service" && last == "" {
		return host
	}
	if iri.ValidName(last) {
		return last
	}
	return ""
}

// actorType is the type that an account has: one of the five of the vocabulary.
func actorType(typ string) string {
	if as2.IsActorType(typ) {
		return typ
	}
	return "Service" // a thing of its server's own that can be followed
}

// mediaOf lists an object's pictures. They stay where they are: this server
// shows them by way of itself, from hosts that belong to the peer.
func mediaOf(o as2.Object) []media.Attachment {
	var list []media.Attachment
	for _, a := range picturesOf(o) {
		address := webAddress(a.URL)
		if address == "" || len(list) == media.MaxForeign || slices.ContainsFunc(list, func(m media.Attachment) bool { return m.RemoteURL == address }) {
			continue
		}
		m := media.Attachment{RemoteURL: address, Mime: mimeOf(a), Alt: a.Name, Width: a.Width, Height: a.Height, Blurhash: a.Blurhash}
		if a.FocalPoint != nil {
			m.FocusX, m.FocusY = a.FocalPoint[0], a.FocalPoint[1]
		}
		list = append(list, m)
	}
	return list
}
