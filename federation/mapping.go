package federation

import (
	"html"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// What is kept of another server's words, in runes.
const (
	maxTitle   = 150
	maxName    = 100
	maxWarning = 500
	maxWord    = 100
	maxTags    = 50
	maxPeople  = 200
	maxFields  = 8
)

// recognitionKind is what cr:kind says of an acknowledgement.
const recognitionKind = "recognition"

// usedInMyClass is the kind of thanks that an acknowledgement gives.
const usedInMyClass = "usedInMyClass"

// audienceOf reads an audience off an object's addressing. It is never wider
// than what the sender said: what is not understood is for the people named.
// Public in cc and not in to is Mastodon's "unlisted"; no specification has
// it, everyone expects it.
//
// W3C ActivityPub, section 5.6 (public addressing); FEDERATION.md, "Audiences".
func audienceOf(o as2.Object, author community.Account) (a community.Audience, unlisted bool) {
	all := o.Recipients()
	switch {
	case o.Type == "ChatMessage": // Pleroma's and Lemmy's words to one person
		return community.People, false
	case slices.ContainsFunc(o.To, as2.IsPublic):
		return community.Public, false
	case slices.ContainsFunc(o.Cc, as2.IsPublic):
		return community.Public, true
	case author.NetworkURI != "" && slices.Contains(all, author.NetworkURI):
		return community.Network, false
	case author.FollowersURI != "" && slices.Contains(all, author.FollowersURI):
		return community.Followers, false
	}
	return community.People, false
}

// kindOf says what an object is here: everything that somebody wrote, made or
// announced is a post. Our own term decides, where it fits; otherwise what
// answers is a reply, what has a title a discussion, and the rest a note. What
// is no post comes with the reason.
func kindOf(o as2.Object) (community.Kind, error) {
	switch o.Type {
	case "Tombstone":
		return "", because(reasonDeleted, "%s", o.ID)
	case "Relationship", "Profile", "Place", "Link", "Mention", "Hashtag", "Emoji", "QuoteAuthorization", "ReplyAuthorization",
		"LikeAuthorization", "AnnounceAuthorization", "Key", "Multikey", "DataIntegrityProof":
		return "", because(reasonNoPost, "%s", o.Type)
	}
	switch {
	case o.IsVote():
		return "", because(reasonVote, "%s", o.InReplyTo)
	case o.InReplyTo != "" && o.Recognises != "":
		return community.Acknowledgement, nil
	case o.InReplyTo != "":
		return community.Reply, nil
	case o.Name == "":
		return community.Note, nil
	case o.Kind == string(community.Practice) && o.Type == "Article":
		return community.Practice, nil
	case o.Kind == string(community.Question):
		return community.Question, nil
	}
	return community.Discussion, nil
}

// reading is an object understood as far as it can be without asking the
// tables: see book.complete.
type reading struct {
	object as2.Object
	post   community.RemotePost
}

// readObject turns an object of another server into a post, all but for whom
// it names and answers. It fails on what is no post.
func readObject(o as2.Object) (reading, error) {
	kind, err := kindOf(o)
	switch {
	case err != nil:
		return reading{}, err
	case o.AttributedTo == "":
		return reading{}, because(reasonNoAuthor, "%s %s", o.Type, o.ID)
	case o.AttributedTo == o.ID:
		return reading{}, because(reasonNoPost, "%s is its own author", o.ID)
	case max(len(o.ID), len(o.InReplyTo), len(o.Context), len(o.AttributedTo)) > maxAddress:
		return reading{}, because(reasonAddress, "more than %d bytes", maxAddress)
	}
	p := community.RemotePost{
		URI:               o.ID,
		URL:               pageOf(o),
		Kind:              kind,
		Title:             text.PlainLine(o.Name, maxTitle),
		Sensitive:         o.Sensitive,
		HTML:              contentOf(o),
		Language:          o.Language,
		Level:             text.PlainLine(o.EducationalLevel, maxWord),
		InReplyToURI:      o.InReplyTo,
		ContextURI:        o.Context,
		AcceptedAnswerURI: o.AcceptedAnswer,
		Published:         o.Published,
		Tags:              tagsOf(o),
		Media:             mediaOf(o),
		Poll:              pollOf(o),
	}
	if len(o.About) > 0 {
		p.Subject = text.PlainLine(o.About[0], maxWord)
	}
	if webAddress(o.License) != "" {
		p.Licence = o.License
	}
	for _, c := range o.Contributors {
		if webAddress(c) != "" && len(p.Contributors) < maxFields {
			p.Contributors = append(p.Contributors, c)
		}
	}
	if kind.Answers() {
		p.Title = "" // NodeBB repeats the topic's title on every reply
	}
	// Only a Note's summary is a warning; on longer things it is a teaser
	// (FEP-b2b8), which is shown where the thing itself is not.
	switch {
	case o.Type == "Note" || o.Type == "Question" || o.Type == "ChatMessage" || o.Sensitive:
		p.Warning = text.PlainLine(text.Plain(o.Summary), maxWarning)
	case kind == community.Practice:
		p.Teaser = text.Sanitise(o.Summary)
	}
	if !o.Updated.IsZero() && o.Updated.After(o.Published) {
		p.Edited = &o.Updated
	}
	if p.Published.IsZero() {
		p.Published = o.Updated
	}
	if p.ContextURI == "" && webAddress(o.Conversation) != "" {
		p.ContextURI = o.Conversation
	}
	if o.Replies != nil && iri.SameOrigin(o.Replies.ID, o.ID) && len(o.Replies.ID) <= maxAddress {
		p.RepliesURI = o.Replies.ID
	}
	p.QuoteURI, p.QuoteAuthorization, p.Quotable = webAddress(o.Quote), webAddress(o.QuoteAuthorization), quotable(o)
	p.Extra = extraOf(o, p)
	if p.Title == "" && p.HTML == "" && p.Warning == "" && p.Extra == nil && p.Media == nil && p.Poll == nil && p.QuoteURI == "" {
		return reading{}, because(reasonEmpty, "%s %s", o.Type, o.ID)
	}
	return reading{o, p}, nil
}

// contentOf is an object's text as safe HTML.
func contentOf(o as2.Object) string {
	var b strings.Builder
	switch {
	case o.MediaType == "text/markdown":
		b.WriteString(text.Render(o.Content, text.Links{}).HTML)
	case o.MediaType == "text/plain":
		b.WriteString("<p>" + strings.ReplaceAll(html.EscapeString(o.Content), "\n", "<br>") + "</p>")
	case o.Content == "" && o.Type != "Note" && o.Type != "Question":
		b.WriteString(text.Sanitise(o.Summary))
	default:
		b.WriteString(text.Sanitise(o.Content))
	}
	return b.String()
}

// webAddress returns an address of the web, or "".
func webAddress(s string) string {
	if len(s) > maxAddress {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return ""
	}
	return s
}

// webAddresses returns those that are addresses of the web, the first most of them.
func webAddresses(all []string, most int) []string {
	var out []string
	for _, s := range all {
		if len(out) < most && webAddress(s) != "" {
			out = append(out, s)
		}
	}
	return out
}

func tagsOf(o as2.Object) []community.Tag {
	var tags []community.Tag
	for _, t := range o.Tags {
		name := strings.TrimPrefix(strings.TrimSpace(t.Name), "#")
		if t.Type != "Hashtag" || name == "" || strings.ContainsAny(name, " \t\n") || len(tags) == maxTags {
			continue
		}
		name = text.PlainLine(name, maxWord)
		key := text.TagKey(name)
		if key != "" && !slices.ContainsFunc(tags, func(have community.Tag) bool { return have.Tag == key }) {
			tags = append(tags, community.Tag{Tag: key, Name: name})
		}
	}
	return tags
}

// book answers what a round of activities asks of the tables, each question
// once, and gathers the posts that the round brings, so that they land together.
type book struct {
	tx       *store.Tx
	accounts map[string]*community.Account
	posts    map[string]*community.Post
	landing  []landing
	states   map[string]community.HeldState // of posts that may be held
	authors  map[int64]community.HeldAuthor
	days     map[string]int64 // posts taken today, of peers of whom no more than so many are
}

// landing is a post that waits to be landed, and what brings it.
type landing struct {
	row    *arrived
	remote community.RemotePost
}

func newBook(tx *store.Tx) *book {
	return &book{tx: tx, accounts: map[string]*community.Account{}, posts: map[string]*community.Post{},
		states: map[string]community.HeldState{}, authors: map[int64]community.HeldAuthor{}}
}

// prime asks at once for the accounts and posts that activities name.
func (b *book) prime(actors, objects []string) error {
	accounts, err := community.AccountsByURI(b.tx, actors)
	if err != nil {
		return err
	}
	for _, uri := range actors {
		b.accounts[uri] = nil
		if a, ok := accounts[uri]; ok {
			b.accounts[uri] = &a
		}
	}
	posts, err := community.PostsByURI(b.tx, objects)
	if err != nil {
		return err
	}
	for _, uri := range objects {
		b.posts[uri] = nil
		if p, ok := posts[uri]; ok {
			b.posts[uri] = &p
		}
	}
	return nil
}

// forget drops what was read, after something that was written is undone.
func (b *book) forget() {
	clear(b.posts)
	clear(b.accounts)
	clear(b.states)
	clear(b.authors)
	b.landing = nil
}

// land lands the posts that wait, and says for each activity what came of it.
func (b *book) land() error {
	if len(b.landing) == 0 {
		return nil
	}
	waiting := b.landing
	b.landing = nil
	remotes := make([]community.RemotePost, len(waiting))
	for i, l := range waiting {
		remotes[i] = l.remote
		b.turn(l.remote.URI)
		if l.remote.Parent != nil {
			b.turn(l.remote.InReplyToURI) // its figures change
		}
	}
	all, err := community.ReceiveAll(b.tx, remotes)
	if err != nil {
		return err
	}
	for i, got := range all {
		row, remote := waiting[i].row, &waiting[i].remote
		switch {
		case fault.Is(got.Err, fault.Gone):
			row.outcome = "deleted" // its Delete came first
		case got.Err != nil:
			row.outcome, row.err = "refused", got.Err
		case !got.Fresh:
			row.outcome = "known"
		case remote.InReplyToURI != "" && remote.Parent == nil:
			row.outcome = "orphan"
			if err := community.AwaitQuote(b.tx, got.Post); err != nil {
				return err
			}
		default:
			row.outcome = "done"
			if err := community.AwaitQuote(b.tx, got.Post); err != nil {
				return err
			}
			if err := forward(b.tx, row, got.Post, remote.Parent); err != nil {
				return err
			}
		}
	}
	return nil
}

// meet asks at once for accounts that are not known to the book yet, ours and
// others': a post may name many.
func (b *book) meet(uris []string) error {
	ours := map[int64][]string{} // one may be named in several ways
	var others []string
	for _, uri := range uris {
		if _, known := b.accounts[uri]; known {
			continue
		}
		b.accounts[uri] = nil
		switch ref, local := b.tx.Site.Parse(uri); {
		case !local:
			others = append(others, uri)
		case ref.Kind == iri.Actor:
			ours[ref.ID] = append(ours[ref.ID], uri)
		}
	}
	if len(others) > 0 {
		found, err := community.AccountsByURI(b.tx, others)
		if err != nil {
			return err
		}
		for uri, a := range found {
			b.accounts[uri] = &a
		}
	}
	if len(ours) > 0 {
		found, err := community.AccountsByID(b.tx, slices.Collect(maps.Keys(ours)))
		if err != nil {
			return err
		}
		for id, a := range found {
			for _, uri := range ours[id] {
				if a.Local() {
					b.accounts[uri] = &a
				}
			}
		}
	}
	return nil
}

// account returns the account with an address, or nil.
func (b *book) account(uri string) (*community.Account, error) {
	if known, ok := b.accounts[uri]; ok {
		return known, nil
	}
	a, err := community.AccountByURI(b.tx, uri)
	switch {
	case err == nil:
		b.accounts[uri] = &a
		return &a, nil
	case fault.Is(err, fault.NotFound):
		b.accounts[uri] = nil
		return nil, nil
	}
	return nil, err
}

// post returns the post with an address, or nil.
func (b *book) post(uri string) (*community.Post, error) {
	if slices.ContainsFunc(b.landing, func(l landing) bool { return l.remote.URI == uri }) {
		if err := b.land(); err != nil {
			return nil, err
		}
	}
	if known, ok := b.posts[uri]; ok {
		return known, nil
	}
	p, err := community.PostByURI(b.tx, uri)
	switch {
	case err == nil:
		b.posts[uri] = &p
		return &p, nil
	case fault.Is(err, fault.NotFound):
		b.posts[uri] = nil
		return nil, nil
	}
	return nil, err
}

// turn forgets what is known of a post, since it has changed.
func (b *book) turn(uri string) { delete(b.posts, uri) }

// complete adds to a reading whose it is, who may see it, whom it names and
// what it answers.
func (b *book) complete(r reading, author community.Account) (community.RemotePost, error) {
	p, o := r.post, r.object
	p.Author = author
	p.Audience, p.Unlisted = audienceOf(o, author)
	var named []string
	for _, t := range o.Tags {
		// A mention lets somebody see what is not public, so it counts only
		// together with the address.
		if t.Type == "Mention" && (p.Audience == community.Public || slices.Contains(o.To, t.Href) || slices.Contains(o.Cc, t.Href)) {
			named = append(named, t.Href)
		}
	}
	if p.Audience != community.Public {
		for _, to := range o.Recipients() {
			if to != author.FollowersURI && to != author.NetworkURI && !slices.Contains(named, to) {
				named = append(named, to)
			}
		}
	}
	named = named[:min(len(named), maxPeople)]
	if err := b.meet(named); err != nil {
		return p, err
	}
	for _, uri := range named {
		a, err := b.account(uri)
		if err != nil {
			return p, err
		}
		if a != nil && a.ID != author.ID && !slices.Contains(p.Mentions, a.ID) {
			p.Mentions = append(p.Mentions, a.ID)
		}
	}
	if p.InReplyToURI == "" {
		return p, nil
	}
	parent, err := b.post(p.InReplyToURI)
	if err != nil || parent == nil {
		return p, err
	}
	// Who was not given a post cannot hang something under it.
	if may, err := given(b.tx, author, *parent); err != nil || !may {
		return p, err
	}
	p.Parent = parent
	return p, nil
}

// remoteAccount turns an actor into an account, if it can be one: its key and
// inboxes must be of its own server, whose word it is.
//
// FEP-fe34.
func remoteAccount(a as2.Actor) (community.RemoteAccount, error) {
	host, err := iri.HostOf(a.ID)
	name := userName(a, host)
	switch {
	case err != nil:
		return community.RemoteAccount{}, err
	case max(len(a.ID), len(a.Inbox), len(a.PublicKey.ID)) > maxAddress:
		return community.RemoteAccount{}, because(reasonAddress, "more than %d bytes", maxAddress)
	case name == "":
		return community.RemoteAccount{}, because(reasonNoName, "%q is no user name", text.PlainLine(a.PreferredUsername, maxName))
	case !iri.SameOrigin(a.Inbox, a.ID):
		return community.RemoteAccount{}, because(reasonNoInbox, "its inbox is not on its own server")
	}
	own := func(address string) string {
		if len(address) <= maxAddress && iri.SameOrigin(address, a.ID) {
			return address
		}
		return ""
	}
	uri := a.ID
	account := community.Account{
		Username: name, Host: host, ActorType: actorType(a.Type), URI: &uri, URL: own(webAddress(a.URL)),
		DisplayName: text.PlainLine(a.Name, maxName), BioHTML: text.Sanitise(a.Summary),
		Inbox: a.Inbox, SharedInbox: own(a.SharedInbox), Outbox: own(a.Outbox),
		FollowersURI: own(a.Followers), FollowingURI: own(a.Following), NetworkURI: own(a.Network), FeaturedURI: own(a.Featured),
		Locked: a.ManuallyApprovesFollowers, Discoverable: a.Discoverable, Indexable: a.Indexable,
		MovedTo: webAddress(a.MovedTo), AlsoKnownAs: webAddresses(a.AlsoKnownAs, maxFields),
		CreatedAt: a.Published,
	}
	if !a.Updated.IsZero() {
		account.SaidAt = &a.Updated
	}
	if a.Icon != nil {
		account.Avatar = webAddress(a.Icon.URL)
	}
	if a.Image != nil {
		account.Header = webAddress(a.Image.URL)
	}
	for _, field := range a.Fields[:min(len(a.Fields), maxFields)] {
		account.Fields = append(account.Fields, community.Field{Name: text.PlainLine(field.Name, maxName), Value: text.Sanitise(field.Value)})
	}
	words := []string{account.DisplayName, account.BioHTML}
	for _, field := range account.Fields {
		words = append(words, field.Name, field.Value)
	}
	account.Emoji = emojiOf(a.Tags, words...)
	return community.RemoteAccount{Account: account, Keys: keysIn(a)}, nil
}

// moment is a time as it goes on the wire, or the zero value.
func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
