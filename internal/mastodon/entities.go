package mastodon

import (
	"encoding/json"
	"html"
	"strconv"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
)

// stamp is a moment with exactly three digits of milliseconds and Z, the form
// that Mastodon's clients parse.
type stamp string

func stampOf(t time.Time) stamp {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return stamp(t.Format("2006-01-02T15:04:05.000Z"))
	}
	hour, minute, second := t.Clock()
	b := []byte("0000-00-00T00:00:00.000Z")
	put := func(at, digits, n int) {
		for i := at + digits - 1; i >= at; i-- {
			b[i] = byte('0' + n%10)
			n /= 10
		}
	}
	put(0, 4, year)
	put(5, 2, int(month))
	put(8, 2, day)
	put(11, 2, hour)
	put(14, 2, minute)
	put(17, 2, second)
	put(20, 3, t.Nanosecond()/1e6)
	return stamp(b)
}

func stampOrNull(t *time.Time) *stamp {
	if t == nil {
		return nil
	}
	s := stampOf(*t)
	return &s
}

// Account is Mastodon's Account entity.
type Account struct {
	ID              int64          `json:"id,string"`
	Username        string         `json:"username"`
	Acct            string         `json:"acct"`
	DisplayName     string         `json:"display_name"`
	Locked          bool           `json:"locked"`
	Bot             bool           `json:"bot"`
	Discoverable    bool           `json:"discoverable"`
	Indexable       bool           `json:"indexable"`
	Group           bool           `json:"group"`
	CreatedAt       stamp          `json:"created_at"`
	Note            string         `json:"note"`
	URL             string         `json:"url"`
	URI             string         `json:"uri"`
	Avatar          string         `json:"avatar"`
	AvatarStatic    string         `json:"avatar_static"`
	Header          string         `json:"header"`
	HeaderStatic    string         `json:"header_static"`
	AvatarAlt       string         `json:"avatar_description"`
	HeaderAlt       string         `json:"header_description"`
	FollowersCount  int64          `json:"followers_count"`
	FollowingCount  int64          `json:"following_count"`
	StatusesCount   int64          `json:"statuses_count"`
	LastStatusAt    *string        `json:"last_status_at"`
	HideCollections bool           `json:"hide_collections"`
	Noindex         bool           `json:"noindex"`
	Emojis          []Emoji        `json:"emojis"`
	Fields          []Field        `json:"fields"`
	Roles           []struct{}     `json:"roles"`
	Suspended       bool           `json:"suspended,omitempty"`
	Limited         bool           `json:"limited,omitempty"` // its server is silenced here
	Moved           *Account       `json:"moved,omitempty"`   // the account that took its place
	Source          *AccountSource `json:"source,omitempty"`
	Role            *AccountRole   `json:"role,omitempty"`
	Chalkring       *AccountExtras `json:"chalkring,omitempty"`

	encoded []byte // see kept
}

// Field is a line of a profile.
type Field struct {
	Name       string `json:"name"`
	Value      string `json:"value"`
	VerifiedAt *stamp `json:"verified_at"`
}

// AccountSource is what only the account's owner is told (CredentialAccount).
type AccountSource struct {
	Privacy             string                `json:"privacy"`
	Sensitive           bool                  `json:"sensitive"`
	Language            *string               `json:"language"`
	QuotePolicy         community.QuotePolicy `json:"quote_policy"`
	Note                string                `json:"note"`
	Fields              []Field               `json:"fields"`
	FollowRequestsCount int64                 `json:"follow_requests_count"`
	Discoverable        bool                  `json:"discoverable"`
	Indexable           bool                  `json:"indexable"`
	HideCollections     bool                  `json:"hide_collections"`
	AttributionDomains  []string              `json:"attribution_domains"`
}

// AccountRole is the owner's role on this instance.
type AccountRole struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Color       string `json:"color"`
	Permissions string `json:"permissions"`
	Highlighted bool   `json:"highlighted"`
}

// Status is Mastodon's Status entity. The reader's own marks are absent for
// readers without a token.
type Status struct {
	ID                 int64           `json:"id,string"`
	CreatedAt          stamp           `json:"created_at"`
	InReplyToID        *int64          `json:"in_reply_to_id,string"`
	InReplyToAccountID *int64          `json:"in_reply_to_account_id,string"`
	Sensitive          bool            `json:"sensitive"`
	SpoilerText        string          `json:"spoiler_text"`
	Visibility         string          `json:"visibility"`
	LocalOnly          bool            `json:"local_only"`
	Language           *string         `json:"language"`
	URI                string          `json:"uri"`
	URL                *string         `json:"url"`
	RepliesCount       int64           `json:"replies_count"`
	ReblogsCount       int64           `json:"reblogs_count"`
	FavouritesCount    int64           `json:"favourites_count"`
	EditedAt           *stamp          `json:"edited_at"`
	Content            string          `json:"content"`
	Text               *string         `json:"text,omitempty"`
	Reblog             *Status         `json:"reblog"`
	Application        *AppTag         `json:"application"`
	Account            Account         `json:"account"`
	MediaAttachments   []Attachment    `json:"media_attachments"`
	Mentions           []Mention       `json:"mentions"`
	Tags               []StatusTag     `json:"tags"`
	Emojis             []Emoji         `json:"emojis"`
	Card               *PreviewCard    `json:"card"`
	Poll               *Poll           `json:"poll"`
	Quote              any             `json:"quote"` // *Quote, *ShallowQuote or null
	QuotesCount        int64           `json:"quotes_count"`
	QuoteApproval      QuoteApproval   `json:"quote_approval"`
	Favourited         *bool           `json:"favourited,omitempty"`
	Reblogged          *bool           `json:"reblogged,omitempty"`
	Muted              *bool           `json:"muted,omitempty"`
	Bookmarked         *bool           `json:"bookmarked,omitempty"`
	Pinned             *bool           `json:"pinned,omitempty"`
	Filtered           *[]FilterResult `json:"filtered,omitempty"`
	Chalkring          *StatusExtras   `json:"chalkring,omitempty"`

	drawn *drawn // has the bytes of what is the same for everybody
}

// Mention names an account that a status addresses.
type Mention struct {
	ID       int64  `json:"id,string"`
	Username string `json:"username"`
	URL      string `json:"url"`
	Acct     string `json:"acct"`
}

// StatusTag is a hashtag of a status.
type StatusTag struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Attachment is Mastodon's MediaAttachment entity.
type Attachment struct {
	ID          int64           `json:"id,string"`
	Type        string          `json:"type"`
	URL         string          `json:"url"`
	PreviewURL  string          `json:"preview_url"`
	RemoteURL   *string         `json:"remote_url"`
	Meta        json.RawMessage `json:"meta"`
	Description *string         `json:"description"`
	Blurhash    *string         `json:"blurhash"`
}

// Relationship says how the reader stands to an account.
type Relationship struct {
	ID                  int64    `json:"id,string"`
	Following           bool     `json:"following"`
	ShowingReblogs      bool     `json:"showing_reblogs"`
	Notifying           bool     `json:"notifying"`
	Languages           []string `json:"languages"`
	FollowedBy          bool     `json:"followed_by"`
	Blocking            bool     `json:"blocking"`
	BlockedBy           bool     `json:"blocked_by"`
	Muting              bool     `json:"muting"`
	MutingNotifications bool     `json:"muting_notifications"`
	MutingExpiresAt     *stamp   `json:"muting_expires_at"`
	Requested           bool     `json:"requested"`
	RequestedBy         bool     `json:"requested_by"`
	DomainBlocking      bool     `json:"domain_blocking"`
	Endorsed            bool     `json:"endorsed"`
	Note                string   `json:"note"`
}

// Notification is Mastodon's Notification entity.
type Notification struct {
	ID        int64      `json:"id,string"`
	Type      string     `json:"type"`
	CreatedAt stamp      `json:"created_at"`
	GroupKey  string     `json:"group_key"`
	Account   Account    `json:"account"`
	Status    *Status    `json:"status,omitempty"`
	Event     *Severance `json:"event,omitempty"`
	Report    *Report    `json:"report,omitempty"`
	Fallback  *Fallback  `json:"fallback,omitempty"`
	// With what somebody elsewhere reacted, as Pleroma and Akkoma tell it: the
	// emoji or :name:, and the picture of the latter.
	Emoji    string `json:"emoji,omitempty"`
	EmojiURL string `json:"emoji_url,omitempty"`
}

// Severance is what ended when a server was blocked
// (RelationshipSeveranceEvent).
type Severance struct {
	ID             int64  `json:"id,string"`
	Type           string `json:"type"`
	Purged         bool   `json:"purged"`
	TargetName     string `json:"target_name"`
	FollowersCount int64  `json:"followers_count"`
	FollowingCount int64  `json:"following_count"`
	CreatedAt      stamp  `json:"created_at"`
}

// shape turns what the community holds into what a client is shown.
type shape struct {
	site iri.Site
	// signedIn is whether the reader has a token; only then has a status marks.
	signedIn bool
	schools  map[string]string // what servers are called, by host, where known
	// authors are those of one answer so far; nil where it is about one post.
	authors map[int64]Account
}

// author is who wrote a post, worked out once in each answer.
func (s shape) author(v community.View) Account {
	if v.AuthorKept != nil || s.authors == nil {
		return s.shown(v.AuthorKept, v.Author, v.AuthorCounts)
	}
	a, ok := s.authors[v.Author.ID]
	if !ok {
		a = s.account(v.Author, v.AuthorCounts).kept()
		s.authors[v.Author.ID] = a
	}
	return a
}

func (s shape) account(a community.Account, c community.AccountCounts) Account {
	out := Account{
		ID: a.ID, Username: a.Username, Acct: acct(a), DisplayName: a.DisplayName, Locked: a.Locked,
		Bot: a.ActorType == "Service" || a.ActorType == "Application", Group: a.ActorType == "Group",
		Discoverable: a.Discoverable, Indexable: a.Indexable, Noindex: !a.Indexable, HideCollections: true,
		CreatedAt: stampOf(a.CreatedAt.UTC().Truncate(24 * time.Hour)), Note: a.BioHTML,
		URL: s.profile(a), URI: s.actor(a),
		FollowersCount: c.Followers, FollowingCount: c.Following, StatusesCount: c.Posts,
		Emojis: s.accountEmoji(a), Fields: fields(a.Fields), Roles: []struct{}{}, Chalkring: &AccountExtras{School: s.school(a.Host)},
	}
	if c.LastPostAt != nil {
		day := c.LastPostAt.UTC().Format(time.DateOnly)
		out.LastStatusAt = &day
	}
	out.Avatar = s.picture(a, a.Avatar, "avatar")
	out.Header = s.picture(a, a.Header, "header")
	out.AvatarStatic, out.HeaderStatic = out.Avatar, out.Header
	out.AvatarAlt, out.HeaderAlt = a.AvatarAlt, a.HeaderAlt
	out.Limited = a.Silenced
	if a.Gone() {
		out.Suspended, out.DisplayName, out.Note, out.Fields = true, "", "", []Field{}
	}
	return out
}

// picture is the address of an account's picture: the uploaded one, another
// server's through our proxy, or the mark that the pages draw.
func (s shape) picture(a community.Account, name, which string) string {
	switch {
	case name != "" && a.Local():
		return s.site.Media(name)
	case name != "":
		return s.site.Base() + "/media/" + which + "/" + strconv.FormatInt(a.ID, 10)
	}
	return s.site.Base() + "/mark/" + which + "/" + strconv.FormatInt(a.ID, 10) + ".png"
}

func (s shape) actor(a community.Account) string {
	if a.URI != nil {
		return *a.URI
	}
	return s.site.Actor(a.ID)
}

func (s shape) profile(a community.Account) string {
	switch {
	case a.Local():
		return s.site.Profile(a.Username)
	case a.URL != "":
		return a.URL
	}
	return s.actor(a)
}

func acct(a community.Account) string {
	if a.Local() {
		return a.Username
	}
	return a.Username + "@" + a.Host
}

func fields(from []community.Field) []Field {
	out := make([]Field, 0, len(from))
	for _, f := range from {
		out = append(out, Field{Name: f.Name, Value: f.Value})
	}
	return out
}

// visibility is the nearest of Mastodon's four words. It is never wider than
// the audience (PRODUCT: audiences, column "visibility").
func visibility(p community.Post) string {
	switch p.Audience {
	case community.Public:
		if p.Unlisted {
			return "unlisted"
		}
		return "public"
	case community.Network:
		return "unlisted"
	case community.Followers, community.School, community.Group:
		return "private"
	}
	return "direct"
}

func (s shape) status(v community.View) Status {
	p := v.Post
	s.schools = v.Schools
	var out Status
	d := s.drawn(v)
	if d != nil {
		if out, out.Chalkring = d.status, &d.extras; p.UsesCount != 0 {
			used := d.extras
			used.UsesCount = p.UsesCount
			out.Chalkring = &used
		}
	} else {
		out = s.unchanging(v)
		out.Chalkring = s.extras(v)
	}
	out.RepliesCount, out.ReblogsCount, out.FavouritesCount = p.RepliesCount, p.BoostsCount, p.LikesCount
	out.Account, out.MediaAttachments, out.Mentions = s.author(v), s.attachments(v.Media), make([]Mention, 0, len(v.Mentions))
	for _, a := range v.Mentions {
		out.Mentions = append(out.Mentions, Mention{ID: a.ID, Username: a.Username, URL: s.profile(a), Acct: acct(a)})
	}
	out.Application, out.Card = appTag(v), s.card(v)
	out.Quote, out.QuotesCount, out.QuoteApproval = s.quote(v), p.QuotesCount, s.approval(v)
	if v.Poll != nil {
		poll := s.poll(*v.Poll)
		poll.Emojis = out.Emojis
		out.Poll = &poll
	}
	mine := v.Mine // which escapes, and the rest need not
	if v.Boosted != nil {
		inner := s.status(*v.Boosted)
		out.Reblog, out.Content, out.Emojis = &inner, inner.Content, inner.Emojis
		out.RepliesCount, out.ReblogsCount, out.FavouritesCount = inner.RepliesCount, inner.ReblogsCount, inner.FavouritesCount
		out.Sensitive, out.SpoilerText, out.Language = inner.Sensitive, inner.SpoilerText, inner.Language
		mine.Liked, mine.Boosted, mine.Bookmarked, mine.ThreadMuted = v.Boosted.Mine.Liked, v.Boosted.Mine.Boosted, v.Boosted.Mine.Bookmarked, v.Boosted.Mine.ThreadMuted
	}
	if s.signedIn {
		found := filtered(v.Filtered)
		out.Favourited, out.Reblogged, out.Bookmarked, out.Muted = &mine.Liked, &mine.Boosted, &mine.Bookmarked, &mine.ThreadMuted
		out.Filtered = &found
		if v.Mine.Author {
			out.Pinned = &mine.Pinned
		}
	}
	return out
}

// content is the post's text. Clients have no place for a title, so that it
// stands above the text.
func content(p community.Post) string {
	if p.Title == "" {
		return flattened(p.HTML) + things(p)
	}
	return "<p><strong>" + html.EscapeString(p.Title) + "</strong></p>" + flattened(p.HTML) + things(p)
}

func (s shape) postURI(p community.Post) string {
	if p.URI != nil {
		return *p.URI
	}
	if p.Kind == community.Boost {
		return s.site.Activity(p.ID)
	}
	return s.site.Post(p.ID)
}

func (s shape) postURL(p community.Post) string {
	switch {
	case p.URI == nil:
		return s.site.Page(p.ID)
	case p.URL != "":
		return p.URL
	}
	return *p.URI
}

func (s shape) attachments(from []media.Attachment) []Attachment {
	out := make([]Attachment, 0, len(from))
	for _, a := range from {
		out = append(out, s.attachment(a))
	}
	return out
}

func (s shape) attachment(a media.Attachment) Attachment {
	out := Attachment{ID: a.ID, Type: "image", Description: text(a.Alt), Blurhash: text(a.Blurhash), RemoteURL: text(a.RemoteURL)}
	if !strings.HasPrefix(a.Mime, "image/") {
		out.Type = "unknown"
	}
	if a.RemoteURL != "" {
		out.URL = s.site.Base() + "/media/remote/" + strconv.FormatInt(a.ID, 10)
		out.PreviewURL = out.URL
	} else {
		out.URL, out.PreviewURL = s.site.Media(a.Name), s.site.Media(a.Preview)
	}
	type size struct {
		Width  int64   `json:"width"`
		Height int64   `json:"height"`
		Size   string  `json:"size"`
		Aspect float64 `json:"aspect"`
	}
	var meta struct {
		Focus struct {
			X float64 `json:"x"`
			Y float64 `json:"y"`
		} `json:"focus"`
		Original *size `json:"original,omitempty"`
		Small    *size `json:"small,omitempty"`
	}
	meta.Focus.X, meta.Focus.Y = a.FocusX, a.FocusY
	if a.Width > 0 && a.Height > 0 {
		sized := func(w, h int64) *size {
			return &size{w, h, strconv.FormatInt(w, 10) + "x" + strconv.FormatInt(h, 10), float64(w) / float64(h)}
		}
		w, h := int64(a.Width), int64(a.Height)
		meta.Original, meta.Small = sized(w, h), sized(w, h)
		if longest, most := max(w, h), int64(media.Pictures().Preview); a.RemoteURL == "" && longest > most {
			meta.Small = sized(max(1, (w*most+longest/2)/longest), max(1, (h*most+longest/2)/longest))
		}
	}
	out.Meta, _ = json.Marshal(meta) // numbers and strings
	return out
}

// text is s, or null where there is none.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
