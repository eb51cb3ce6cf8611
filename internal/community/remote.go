package community

import (
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// RemotePost is a post of another server as the federation door understood
// it: addressing turned into an audience, HTML sanitised, references resolved.
type RemotePost struct {
	Author             Account
	URI                string
	URL                string
	Kind               Kind
	Audience           Audience
	Unlisted           bool
	Title              string
	Teaser             string
	Warning            string
	Sensitive          bool
	HTML               string
	Language           string
	Subject            string
	Level              string
	Licence            string
	Contributors       []string
	InReplyToURI       string
	Parent             *Post // nil: an opener, or the parent is unknown
	ContextURI         string
	RepliesURI         string // its replies, a collection of its own server
	QuoteURI           string // what it quotes (FEP-044f)
	QuoteAuthorization string // the stamp that is said to let it
	Quotable           bool   // its policy lets somebody besides its author quote it
	Extra              *Extra // nil where there is nothing to say
	AcceptedAnswerURI  string
	Poll               *Poll
	Mentions           []int64 // accounts known here
	Tags               []Tag
	Media              []media.Attachment // remote_url set
	Published          time.Time
	Edited             *time.Time
	// Found says that it was looked up here, not sent: what is old by then is
	// news for nobody.
	Found bool
}

// newsFor is how old a post may be that was looked up and that people are still
// told of. Mastodon's real-time window (v4.5) is as long.
const newsFor = 6 * time.Hour

// check refuses what no honest server says.
//
// FEP-fe34 (an object's author is of the object's origin).
func (r RemotePost) check() error {
	switch {
	case r.Author.Local() || r.Author.URI == nil || !iri.SameOrigin(r.URI, *r.Author.URI):
		return fault.New(fault.Forbidden, "A post must come from its author's server.")
	case r.Author.Gone():
		return fault.New(fault.Gone, "The author's account is not here any more.")
	case r.Kind == Boost || !r.Kind.Valid() || !r.Audience.Valid() || r.Audience == Me || r.Audience == School:
		return fault.New(fault.Invalid, "A post of another server cannot be a %s for %s.", r.Kind, r.Audience)
	}
	return nil
}

// post returns the row that the remote post becomes. Its ID stands where the
// post was published, and never in the future.
func (r RemotePost) post(tx *store.Tx) Post {
	published := store.Millis(r.Published)
	if published.IsZero() || published.After(tx.Now) {
		published = tx.Now
	}
	edited := r.Edited
	if edited != nil {
		at := store.Millis(*edited)
		if at.After(tx.Now) {
			at = tx.Now
		}
		edited = &at
	}
	p := Post{
		ID: tx.NewIDAt(published), AuthorID: r.Author.ID, AuthorHost: r.Author.Host, URI: &r.URI, URL: r.URL,
		Kind: r.Kind, Audience: r.Audience, Unlisted: r.Unlisted, InReplyToURI: r.InReplyToURI, ContextURI: r.ContextURI, RepliesURI: r.RepliesURI,
		CreatedAt: published, EditedAt: edited, MediaCount: int64(len(r.Media)),
	}
	r.fill(&p)
	return p
}

func (r RemotePost) fill(p *Post) {
	p.Title, p.Teaser, p.Warning, p.Sensitive = r.Title, r.Teaser, r.Warning, r.Sensitive
	p.HTML, p.Language, p.Subject, p.Level = r.HTML, r.Language, r.Subject, r.Level
	p.Licence, p.Contributors = r.Licence, r.Contributors
	p.QuoteURI, p.Quotable, p.Extra = r.QuoteURI, r.Quotable, r.Extra
	if p.Extra.empty() {
		p.Extra = nil
	}
}
