package community

import (
	"time"

	"github.com/chalkring/chalkring/internal/media"
)

// Kind is what a post is for its readers.
type Kind string

const (
	Practice        Kind = "practice"        // a story of practice, with sections
	Discussion      Kind = "discussion"      // a threaded conversation with a title
	Question        Kind = "question"        // a discussion whose asker can choose an answer
	Reply           Kind = "reply"           // an answer in a thread
	Acknowledgement Kind = "acknowledgement" // "I used this": a reply that its author can put in a portfolio
	Note            Kind = "note"            // an untitled post, from a client or another server
	Boost           Kind = "boost"           // somebody passed on another post
)

// Post is a post, ours or another server's, or a boost of one. A deleted post
// leaves its row behind, emptied, so that its address answers 410.
type Post struct {
	ID               int64
	AuthorID         int64
	AuthorHost       string  // the author's Host, kept here for the lists
	URI              *string `gorm:"column:uri"` // nil for local posts
	URL              string  `gorm:"column:url"`
	Kind             Kind
	Audience         Audience
	Unlisted         bool // public, but kept out of public lists (Mastodon's "unlisted")
	Listed           bool // stands in the school's or the connected schools' list
	GroupID          *int64
	Title            string
	Teaser           string // safe HTML; practice posts
	Warning          string // content warning, plain text
	Sensitive        bool
	Source           string    // Markdown as typed; local posts
	Sections         *Sections `gorm:"serializer:json"`
	HTML             string    `gorm:"column:html"` // safe HTML
	Language         string
	Subject          string
	Level            string
	Licence          string   // IRI of the licence
	Contributors     []string `gorm:"serializer:json"` // actor IRIs or handles of co-authors
	ThreadID         int64    // the thread's first post, itself for an opener
	InReplyToID      *int64
	InReplyToURI     string `gorm:"column:in_reply_to_uri"` // as the author said it, also while the parent is unknown
	InReplyToAuthor  *int64
	BoostOfID        *int64
	AcceptedAnswerID *int64
	ContextURI       string `gorm:"column:context_uri"`
	RepliesCount     int64
	LikesCount       int64
	BoostsCount      int64
	UsesCount        int64
	MediaCount       int64
	CreatedAt        time.Time
	EditedAt         *time.Time
	DeletedAt        *time.Time
}

// Sections are the parts of a practice post, each in Markdown.
type Sections struct {
	Tried    string `json:"tried,omitempty"`    // What I tried
	Happened string `json:"happened,omitempty"` // What happened
	Evidence string `json:"evidence,omitempty"` // Evidence
	Unsure   string `json:"unsure,omitempty"`   // What I am unsure of
	Next     string `json:"next,omitempty"`     // What next
}

// Tag is a hashtag of a post: Tag is its key (lower case, NFC), Name as written.
type Tag struct {
	Tag  string
	Name string
}

// Revision is a post as it was before an edit.
type Revision struct {
	ID        int64
	PostID    int64
	Title     string
	Warning   string
	Source    string
	Sections  *Sections          `gorm:"serializer:json"`
	HTML      string             `gorm:"column:html"`
	Media     []media.Attachment `gorm:"serializer:json"`
	WrittenAt time.Time
}

// TableName names the table of revisions.
func (Revision) TableName() string { return "post_revisions" }

// View is a post with all that a page or a client needs to show it to one reader.
type View struct {
	Post
	Author       Account
	AuthorCounts AccountCounts
	School       string // the name of the author's server, for the badge
	Boosted      *View  // the post that this one passes on
	Mentions     []Account
	Tags         []Tag
	Media        []media.Attachment
	ReplyTo      *Account // whom it answers, where known
	ReplyToHost  string   // host of an unknown parent
	Mine         Mine
}

// Mine is what the reader of a View did with the post.
type Mine struct {
	Liked, Boosted, Bookmarked, Muted, Used bool
	Author                                  bool
}
