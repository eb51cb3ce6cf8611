package community

import (
	"time"

	"github.com/chalkring/chalkring/internal/media"
)

// RemotePost is a post of another server as the federation door understood
// it: addressing turned into an audience, HTML sanitised, references resolved.
type RemotePost struct {
	Author            Account
	URI               string
	URL               string
	Kind              Kind
	Audience          Audience
	Unlisted          bool
	Title             string
	Teaser            string
	Warning           string
	Sensitive         bool
	HTML              string
	Language          string
	Subject           string
	Level             string
	Licence           string
	Contributors      []string
	InReplyToURI      string
	Parent            *Post // nil: an opener, or the parent is unknown
	ContextURI        string
	AcceptedAnswerURI string
	Mentions          []int64 // accounts known here
	Tags              []Tag
	Media             []media.Attachment // remote_url set
	Published         time.Time
	Edited            *time.Time
}
