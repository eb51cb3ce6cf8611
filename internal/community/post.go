package community

import (
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
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
	ID                 int64
	AuthorID           int64
	AuthorHost         string  // the author's Host, kept here for the lists
	URI                *string `gorm:"column:uri"` // nil for local posts
	URL                string  `gorm:"column:url"`
	Kind               Kind
	Audience           Audience
	Unlisted           bool // public, but kept out of public lists (Mastodon's "unlisted")
	Listed             bool // stands in the school's or the connected schools' list
	GroupID            *int64
	Title              string
	Teaser             string // safe HTML; practice posts
	Warning            string // content warning, plain text
	Sensitive          bool
	Source             string    // Markdown as typed; local posts
	Sections           *Sections `gorm:"serializer:json;not null"`
	HTML               string    `gorm:"column:html"` // safe HTML
	Language           string
	Subject            string
	Level              string
	Licence            string   // IRI of the licence
	Contributors       []string `gorm:"serializer:json;not null"` // actor IRIs or handles of co-authors
	ThreadID           int64    // the thread's first post, itself for an opener
	InReplyToID        *int64
	InReplyToURI       string `gorm:"column:in_reply_to_uri"` // as the author said it, also while the parent is unknown
	InReplyToAuthor    *int64
	BoostOfID          *int64
	AcceptedAnswerID   *int64
	ContextURI         string `gorm:"column:context_uri"`
	QuoteURI           string `gorm:"column:quote_uri"` // what it quotes, as the author said it (FEP-044f)
	QuoteID            *int64
	QuoteState         QuoteState
	QuoteAuthorization string // the stamp that lets it show the quoted post
	QuotesCount        int64
	QuotePolicy        QuotePolicy // who may quote it, where it is public; posts of this server
	Quotable           bool        // remote posts: the author lets somebody quote it
	RepliesURI         string      `gorm:"column:replies_uri"` // where its server lists the replies; remote posts
	Extra              *Extra      `gorm:"serializer:json;not null"`
	RepliesCount       int64
	LikesCount         int64
	BoostsCount        int64
	UsesCount          int64
	MediaCount         int64
	AppID              *int64 // the app that wrote it, where one did
	CreatedAt          time.Time
	EditedAt           *time.Time
	DeletedAt          *time.Time
	Version            int64 // moved on by every change but of the figures
}

// Sections are the parts of a practice post, each in Markdown.
type Sections struct {
	Tried    string `json:"tried,omitempty"`    // What I tried
	Happened string `json:"happened,omitempty"` // What happened
	Evidence string `json:"evidence,omitempty"` // Evidence
	Unsure   string `json:"unsure,omitempty"`   // What I am unsure of
	Next     string `json:"next,omitempty"`     // What next
}

// Section is one part of a practice post under its heading.
type Section struct {
	Name     string // tried, happened, evidence, unsure, next
	Heading  string // as the post's HTML and Markdown have it
	Markdown string
}

// SectionHeadings returns every section that a practice post can have, empty:
// what it is called, in the order they are read.
func SectionHeadings() []Section {
	return []Section{
		{Name: "tried", Heading: "What I tried"},
		{Name: "happened", Heading: "What happened"},
		{Name: "evidence", Heading: "Evidence"},
		{Name: "unsure", Heading: "What I am unsure of"},
		{Name: "next", Heading: "What next"},
	}
}

// List returns the sections that were filled in, in the order they are read.
func (s Sections) List() []Section {
	written := []string{s.Tried, s.Happened, s.Evidence, s.Unsure, s.Next}
	var filled []Section
	for i, part := range SectionHeadings() {
		if part.Markdown = written[i]; part.Markdown != "" {
			filled = append(filled, part)
		}
	}
	return filled
}

// SectionsOf reads sections from one text with headings, as Markdown writes it.
// It reports whether the text has that form: anything before the first heading,
// or a heading twice, has no place.
func SectionsOf(markdown string) (*Sections, bool) {
	var s Sections
	parts := map[string]*string{"What I tried": &s.Tried, "What happened": &s.Happened, "Evidence": &s.Evidence, "What I am unsure of": &s.Unsure, "What next": &s.Next}
	var into *string
	for line := range strings.Lines(strings.ReplaceAll(markdown, "\r\n", "\n")) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			if part, known := parts[strings.TrimSpace(heading)]; known {
				if *part != "" || part == into {
					return nil, false
				}
				into = part
				continue
			}
		}
		if into == nil {
			if strings.TrimSpace(line) != "" {
				return nil, false
			}
			continue
		}
		*into += line
	}
	s = s.tidied()
	return &s, s.Tried != ""
}

// Markdown returns the sections as one text with headings.
func (s Sections) Markdown() string {
	var b strings.Builder
	for i, part := range s.List() {
		if i > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString("## " + part.Heading + "\n\n" + part.Markdown)
	}
	return b.String()
}

func (s Sections) tidied() Sections {
	for _, part := range []*string{&s.Tried, &s.Happened, &s.Evidence, &s.Unsure, &s.Next} {
		*part = strings.TrimSpace(strings.ReplaceAll(*part, "\r\n", "\n"))
	}
	return s
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
	Sections  *Sections          `gorm:"serializer:json;not null"`
	HTML      string             `gorm:"column:html"`
	Media     []media.Attachment `gorm:"serializer:json;not null"`
	Sensitive bool
	Poll      []string `gorm:"serializer:json;not null"` // the answers of its poll
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
	Poll         *PollView
	Quoted       *View             // the quoted post, where it may be shown to the reader
	Schools      map[string]string // what the servers of everyone in the view are called, by host
	Boosted      *View             // the post that this one passes on
	Mentions     []Account
	Tags         []Tag
	Media        []media.Attachment
	ReplyTo      *Account // whom it answers, where known
	ReplyToHost  string   // host of a parent that is not known here
	App          *AppTag  // the app it was written with; of the reader's own
	Mine         Mine
	Filtered     []FilterMatch // the reader's filters that are about it

	Kept       *Kept        // what is remembered of the post, where it is
	AuthorKept *KeptAccount // the same of its author
}

// Mine is what the reader of a View did with the post.
type Mine struct {
	Liked, Boosted, Bookmarked, Muted, Used, Pinned bool
	Author                                          bool
	ThreadMuted                                     bool // the reader is told of nothing more in the thread
	MayQuote                                        bool // of a post of this server
}

// Local reports whether the post was written here.
func (p Post) Local() bool { return p.AuthorHost == "" }

// IRI returns the post's address on the wire: derived for local posts, as its
// author's server said it for others.
func (p Post) IRI(site iri.Site) string {
	if p.URI != nil {
		return *p.URI
	}
	return site.Post(p.ID)
}

// Opens reports whether the post begins a thread of its own.
func (p Post) Opens() bool { return p.Kind != Boost && p.InReplyToID == nil && p.InReplyToURI == "" }

// lists reports whether the post stands in the school's or the connected
// schools' list: openers that are for more than chosen people.
func (p Post) lists() bool {
	return p.Opens() && !p.Unlisted && (p.Audience == School || p.Audience == Network || p.Audience == Public)
}

// counts reports whether the post is one of the posts of its author's profile.
func (p Post) counts() bool { return p.Kind != Boost && p.Audience != Me && p.Audience != People }

// PostByID returns the post, also when it is deleted: see DeletedAt. It says
// nothing of who may see it: see VisiblePost.
func PostByID(tx *store.Tx, id int64) (Post, error) {
	p, known, err := onePost(tx, "posts.id = ?", id)
	if err == nil && !known {
		err = store.Wrap(gorm.ErrRecordNotFound)
	}
	return p, err
}

// PostByURI is PostByID by the post's address, ours or another server's.
func PostByURI(tx *store.Tx, uri string) (Post, error) {
	if ref, ok := tx.Site.Parse(uri); ok && (ref.Kind == iri.Post || ref.Kind == iri.Page) {
		p, err := PostByID(tx, ref.ID)
		if err == nil && !p.Local() {
			return Post{}, noSuchPost()
		}
		return p, err
	}
	if uri == "" || tx.Site.Local(uri) {
		return Post{}, noSuchPost()
	}
	var p Post
	err := tx.Where("uri = ?", uri).Take(&p).Error
	return p, err
}

// PostsByURI returns those of the posts that are known, by their addresses.
func PostsByURI(tx *store.Tx, uris []string) (map[string]Post, error) {
	found := make(map[string]Post, len(uris))
	own := map[int64][]string{}
	var ids []int64
	var others []string
	for _, uri := range uris {
		ref, ok := tx.Site.Parse(uri)
		switch {
		case ok && (ref.Kind == iri.Post || ref.Kind == iri.Page):
			own[ref.ID] = append(own[ref.ID], uri)
			ids = append(ids, ref.ID)
		case uri != "" && !tx.Site.Local(uri):
			others = append(others, uri)
		}
	}
	for part := range slices.Chunk(ids, 400) {
		var rows []Post
		if err := tx.Where("id IN ? AND author_host = ''", store.Even(part)).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, p := range rows {
			for _, uri := range own[p.ID] {
				found[uri] = p
			}
		}
	}
	for part := range slices.Chunk(others, 400) {
		var rows []Post
		if err := tx.Where("uri IN ?", store.Even(part)).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, p := range rows {
			found[*p.URI] = p
		}
	}
	return found, nil
}

func noSuchPost() error {
	return fault.Keyed(fault.NotFound, "post.not_found", "There is no such post, or it is not for you.", nil)
}

// VisiblePost returns the post if v may see it. A deleted post is Gone for
// whoever could have seen it, and everything else NotFound.
func VisiblePost(tx *store.Tx, id int64, v Viewer) (Post, error) {
	where, args := visibleSQL("posts", v)
	p, seen, err := onePost(tx, "posts.id = ? AND "+where, append([]any{id}, args...)...)
	if err != nil || seen {
		return p, err
	}
	p, err = PostByID(tx, id)
	if err == nil && p.DeletedAt != nil && (p.Audience == Public || v.ID != 0 && v.ID == p.AuthorID) {
		return Post{}, fault.Keyed(fault.Gone, "post.deleted", "This post was deleted.", nil)
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Post{}, err
	}
	return Post{}, noSuchPost()
}

// VisiblePosts returns those of the posts that v may see, in the order asked for.
func VisiblePosts(tx *store.Tx, ids []int64, v Viewer) ([]Post, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := visiblePosts(tx, v, ids)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b Post) int { return slices.Index(ids, a.ID) - slices.Index(ids, b.ID) })
	return found, nil
}

// Revisions returns what the post was before each of its edits, oldest first.
func Revisions(tx *store.Tx, post int64) ([]Revision, error) {
	var list []Revision
	err := tx.Where("post_id = ?", post).Order("id").Find(&list).Error
	return list, err
}
