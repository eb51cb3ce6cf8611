package community

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/text"
)

// Bounds of what a draft may hold, in characters unless it says otherwise.
const (
	MaxTitle        = 150
	MaxBody         = 20_000
	MaxWarning      = 300
	MaxSubject      = 100
	MaxMedia        = 4  // pictures of one post
	MaxContributors = 10 // co-authors of one post
	MaxMentions     = 50 // people named in one post
)

// Draft is what an author wrote, before it is a post.
type Draft struct {
	Kind         Kind
	Audience     Audience
	Unlisted     bool // public, but out of the public lists
	Title        string
	Source       string // Markdown; for practice posts the sections are used instead
	Sections     *Sections
	Warning      string
	Sensitive    bool
	Language     string // BCP 47
	Subject      string
	Level        string
	Licence      string   // IRI of one of Licences, or empty
	Contributors []string // handles
	MediaIDs     []int64
	InReplyToID  int64
	QuoteID      int64       // the post that it quotes; an edit cannot change it
	Poll         *PollDraft  // in an edit nil leaves the poll as it is
	QuotePolicy  QuotePolicy // who may quote it; empty: as its author usually has it
	AppID        int64       // the app that the author wrote it with; 0: on our pages
	To           []int64     // accounts addressed besides those mentioned in the text
	scheduled    int64       // the ScheduledPost that it was, whose pictures it has
	FormID       string      // number of the form or the client's Idempotency-Key: the same one publishes once
}

// Licence is one of the terms that an author can choose for a post.
type Licence struct {
	Name string // the short name, the same in every language
	IRI  string
}

// Licences are the terms that forms offer, the freest first.
func Licences() []Licence {
	return []Licence{
		{"CC0", "https://creativecommons.org/publicdomain/zero/1.0/"},
		{"CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"},
		{"CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0/"},
		{"CC BY-NC 4.0", "https://creativecommons.org/licenses/by-nc/4.0/"},
		{"All rights reserved", "https://rightsstatements.org/vocab/InC/1.0/"},
	}
}

// LicenceName returns the short name of a licence, or "" for one that forms do not offer.
func LicenceName(iri string) string {
	for _, l := range Licences() {
		if l.IRI == iri {
			return l.Name
		}
	}
	return ""
}

// Titled reports whether posts of this kind carry a title.
func (k Kind) Titled() bool { return k == Practice || k == Discussion || k == Question }

// Answers reports whether posts of this kind stand under another post.
func (k Kind) Answers() bool { return k == Reply || k == Acknowledgement }

// Valid reports whether k is one of the kinds.
func (k Kind) Valid() bool {
	switch k {
	case Practice, Discussion, Question, Reply, Acknowledgement, Note, Boost:
		return true
	}
	return false
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$`)

// tidied returns the draft as it will be kept: without stray space, a title on
// one line, a note that answers something as the reply it is.
func (d Draft) tidied() Draft {
	d.Title = strings.Join(strings.Fields(d.Title), " ")
	d.Warning = strings.Join(strings.Fields(d.Warning), " ")
	d.Subject = strings.Join(strings.Fields(d.Subject), " ")
	d.Level = strings.Join(strings.Fields(d.Level), " ")
	d.Language = strings.TrimSpace(d.Language)
	var contributors []string
	for _, handle := range d.Contributors {
		if handle = strings.TrimSpace(handle); handle != "" {
			contributors = append(contributors, "@"+strings.TrimPrefix(handle, "@"))
		}
	}
	d.Contributors = contributors
	if d.Kind == Note && d.InReplyToID != 0 {
		d.Kind = Reply
	}
	if d.Kind == Practice && d.Sections != nil {
		s := d.Sections.tidied()
		d.Sections, d.Source = &s, s.Markdown()
	} else {
		d.Sections, d.Source = nil, strings.TrimSpace(strings.ReplaceAll(d.Source, "\r\n", "\n"))
	}
	d.Poll = d.Poll.tidied()
	d.Sensitive = d.Sensitive || d.Warning != ""
	d.Unlisted = d.Unlisted && d.Audience == Public
	return d
}

// setting is what a draft is judged against.
type setting struct {
	ceiling Audience           // the widest audience the author's role may use
	quotes  QuotePolicy        // who may quote what the author writes, if the draft does not say
	parent  *Post              // what the draft answers
	replies ReplyStanding      // what its author thinks of the answer
	media   []media.Attachment // the pictures it names, those that were found
	polled  bool               // there is a poll already, in an edit
}

// check returns what is wrong with the draft, all of it at once. It does not
// know yet who is named in the text: see checkPeople.
func (d Draft) check(in setting) error {
	var c fault.Check
	d.checkWords(&c)
	d.checkAudience(&c, in)
	d.checkMedia(&c, in.media)
	d.Poll.check(&c, d.Kind, in.polled)
	if d.QuotePolicy != "" && !d.QuotePolicy.Valid() {
		c.Take(badQuotePolicy())
	}
	return c.Err()
}

func (d Draft) checkWords(c *fault.Check) {
	tooLong := func(field, s string, most int) {
		if n := utf8.RuneCountInString(s); n > most || len(s) > text.MaxSource {
			c.Add(field, "draft.too_long", fmt.Sprintf("This is too long: %d characters, and %d is the most.", n, most),
				map[string]any{"Max": most, "Length": n})
		}
	}
	switch {
	case !d.Kind.Valid() || d.Kind == Boost:
		c.Add("kind", "draft.kind", "Choose what you want to write.", nil)
	case d.Kind.Titled() && d.Title == "":
		c.Add("title", "draft.title_missing", "Give it a title, so that others know what it is about.", nil)
	case !d.Kind.Titled() && d.Title != "":
		c.Add("title", "draft.title_extra", "Only practice posts, discussions and questions have a title.", nil)
	}
	tooLong("title", d.Title, MaxTitle)
	switch {
	case d.Kind == Practice:
		if d.Sections == nil || d.Sections.Tried == "" {
			c.Add("tried", "draft.tried_missing", "Say what you tried. A sentence or two is enough.", nil)
		}
		tooLong("tried", d.Source, MaxBody)
	case d.Source == "" && len(d.MediaIDs) == 0:
		c.Add("body", "draft.body_missing", "Write something first.", nil)
	default:
		tooLong("body", d.Source, MaxBody)
	}
	tooLong("warning", d.Warning, MaxWarning)
	tooLong("subject", d.Subject, MaxSubject)
	tooLong("level", d.Level, MaxSubject)
	if d.Language != "" && !languageTag.MatchString(d.Language) {
		c.Add("language", "draft.language", "Choose a language from the list.", nil)
	}
	if d.Licence != "" && LicenceName(d.Licence) == "" {
		c.Add("licence", "draft.licence", "Choose a licence from the list.", nil)
	}
	for _, handle := range d.Contributors {
		if _, err := iri.ParseHandle(handle, true); err != nil {
			c.Add("contributors", "draft.contributor", "Write co-authors as @name or @name@school.example.", map[string]any{"Handle": handle})
			break
		}
	}
	if len(d.Contributors) > MaxContributors {
		c.Add("contributors", "draft.contributors", fmt.Sprintf("Name at most %d co-authors.", MaxContributors), map[string]any{"Max": MaxContributors})
	}
}

func (d Draft) checkAudience(c *fault.Check, in setting) {
	switch {
	case !d.Audience.Valid():
		c.Add("audience", "draft.audience", "Choose who can see this.", nil)
	case d.Audience == Group:
		c.Add("audience", "draft.audience_group", "Groups are not open yet here. Choose another audience.", nil)
	case !d.Audience.Within(in.ceiling):
		c.Add("audience", "draft.audience_ceiling", "Your role here does not allow this audience. Choose a narrower one.",
			map[string]any{"Ceiling": string(in.ceiling)})
	case in.parent != nil && !d.Audience.Within(in.parent.Audience):
		c.Add("audience", "draft.audience_parent", "A reply cannot be seen by more people than the post it answers. Choose a narrower audience.",
			map[string]any{"Parent": string(in.parent.Audience)})
	}
	switch {
	case d.Kind.Answers() && in.parent == nil:
		c.Add("in_reply_to", "draft.parent_missing", "The post you are answering is not there any more.", nil)
	case in.replies == ReplyRefused:
		c.Add("in_reply_to", "draft.reply_refused", "The author of this post has chosen who may reply to it, and you are not one of them.", nil)
	case !d.Kind.Answers() && in.parent != nil:
		c.Add("kind", "draft.kind_reply", "This kind of post opens a thread of its own and cannot be a reply.", nil)
	}
}

func (d Draft) checkMedia(c *fault.Check, found []media.Attachment) {
	switch {
	case len(d.MediaIDs) > MaxMedia:
		c.Add("media", "draft.media_many", fmt.Sprintf("Add at most %d pictures to one post.", MaxMedia), map[string]any{"Max": MaxMedia})
	case len(found) < len(d.MediaIDs):
		c.Add("media", "draft.media_missing", "A picture is no longer there, or belongs to another post. Please add it again.", nil)
	}
	if slices.ContainsFunc(found, func(a media.Attachment) bool { return !a.Described() }) {
		c.Add("media", "draft.alt_missing", "Describe each picture for people who cannot see it, or say that it is only decoration.", nil)
	}
}

// checkPeople judges whom the draft names, once its text has been read.
func (d Draft) checkPeople(named []int64) error {
	var c fault.Check
	if d.Audience == People && len(named) == 0 {
		c.Add("to", "draft.people_missing", "Name at least one person who should see this, or choose “Only me”.", nil)
	}
	if len(named) > MaxMentions {
		c.Add("to", "draft.people_many", fmt.Sprintf("Name at most %d people in one post.", MaxMentions), map[string]any{"Max": MaxMentions})
	}
	return c.Err()
}
