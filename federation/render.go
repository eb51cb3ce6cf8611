package federation

import (
	"fmt"
	"html"
	"slices"
	"strconv"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/federation/sig"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// closedAudiences is the capability of a server that shows what is not public
// to nobody but those it is for (FEP-844e names capabilities by IRI).
const closedAudiences = "https://w3id.org/chalkring/ns#closed-audiences"

// addressing turns a local post's audience into to and cc. Followers stand in
// to where there is no Public: older Mastodon servers look for them there.
//
// W3C ActivityPub, section 5.6; FEDERATION.md, "Audiences".
func addressing(site iri.Site, s said) (to, cc []string) {
	followers := site.Followers(s.author.ID)
	var people []string
	for _, a := range s.people() {
		people = append(people, a.IRI(site))
	}
	// Who answers in public means those who read what is answered, too. Only its
	// author's server knows them, and passes it on: W3C ActivityPub, section 7.1.2.
	if s.post.Audience == community.Public && s.answered != nil && s.answered.FollowersURI != "" {
		people = append(people, s.answered.FollowersURI)
	}
	switch {
	case s.post.Audience == community.Public && !s.post.Unlisted:
		return []string{as2.Public}, append([]string{followers}, people...)
	case s.post.Audience == community.Public:
		return []string{followers}, append([]string{as2.Public}, people...)
	case s.post.Audience == community.Network:
		return []string{followers, site.Network()}, people
	case s.post.Audience == community.Followers:
		return []string{followers}, people
	}
	return people, nil
}

// objectOf is a local post as others are told it.
//
// FEDERATION.md, "Objects"; FEP-b2b8 (Article), FEP-7888
// (context), FEP-268d (searchableBy), FEP-044f (interaction policies).
func objectOf(site iri.Site, s said) as2.Object {
	p := s.post
	to, cc := addressing(site, s)
	author, id := site.Actor(s.author.ID), site.Post(p.ID)
	public := p.Audience == community.Public
	o := as2.Object{
		ID: id, Type: "Note", AttributedTo: author,
		Content: p.HTML, Language: p.Language, Sensitive: p.Sensitive || p.Warning != "",
		Published: p.CreatedAt, Updated: moment(p.EditedAt),
		To: to, Cc: cc,
		Context: s.context, InReplyTo: p.InReplyToURI,
		URL:              []as2.Link{{Href: site.Page(p.ID), MediaType: "text/html"}},
		Replies:          &as2.Collection{ID: site.PostReplies(p.ID)},
		License:          p.Licence,
		AcceptedAnswer:   s.answer,
		Contributors:     s.with,
		EducationalLevel: p.Level,
	}
	o.Conversation = o.Context
	if p.Subject != "" {
		o.About = []string{p.Subject}
	}
	switch {
	case p.Kind.Titled():
		o.Name, o.Kind = p.Title, string(p.Kind)
	case p.Kind == community.Acknowledgement:
		o.Kind, o.Recognises, o.Recognition = recognitionKind, p.InReplyToURI, usedInMyClass
	}
	if p.Kind == community.Practice {
		o.Type, o.Summary = "Article", articleSummary(p)
	} else {
		o.Summary = p.Warning
	}
	if s.poll != nil {
		o.Type, o.Poll = "Question", pollSaid(*s.poll)
	}
	if public {
		o.Source = sourceOf(p)
		o.Likes, o.Shares = &as2.Collection{ID: site.PostLikes(p.ID)}, &as2.Collection{ID: site.PostShares(p.ID)}
	}
	for _, a := range s.people() {
		o.Tags = append(o.Tags, as2.Tag{Type: "Mention", Href: a.IRI(site), Name: a.Handle(site.Host)})
	}
	if public { // a hashtag of something closed would tell of it
		for _, t := range s.tags {
			o.Tags = append(o.Tags, as2.Tag{Type: "Hashtag", Href: site.Tag(t.Tag), Name: "#" + t.Name})
		}
	}
	for _, m := range s.media {
		o.Attachments = append(o.Attachments, attachmentOf(site, m))
	}
	saidQuote(&o, p)
	o.InteractionPolicy, o.SearchableBy = policyOf(site, s, to, cc)
	return o
}

// articleSummary is the teaser that Mastodon shows between title and link. A
// warning comes before it. It is HTML without a tag where it can be, since most
// servers show it as a line of plain text.
func articleSummary(p community.Post) string {
	if p.Warning == "" {
		return p.Teaser
	}
	teaser := p.Teaser
	if teaser != "" && teaser[0] != '<' {
		teaser = "<p>" + teaser + "</p>"
	}
	return "<p>" + html.EscapeString(p.Warning) + "</p>" + teaser
}

func sourceOf(p community.Post) *as2.Source {
	typed := p.Source
	if p.Sections != nil {
		typed = p.Sections.Markdown()
	}
	if typed == "" {
		return nil
	}
	return &as2.Source{Content: typed, MediaType: "text/markdown"}
}

func attachmentOf(site iri.Site, m media.Attachment) as2.Attachment {
	a := as2.Attachment{Type: "Document", URL: m.RemoteURL, MediaType: m.Mime, Name: m.Alt, Width: m.Width, Height: m.Height, Blurhash: m.Blurhash}
	if m.Local() {
		a.URL = site.Media(m.Name)
	}
	if m.FocusX != 0 || m.FocusY != 0 {
		a.FocalPoint = &[2]float64{m.FocusX, m.FocusY}
	}
	return a
}

// policyOf says what others may do with a post. What is not public is passed
// on and quoted by its author alone.
//
// FEP-044f; FEP-268d.
func policyOf(site iri.Site, s said, to, cc []string) (*as2.InteractionPolicy, []string) {
	author, followers := site.Actor(s.author.ID), site.Followers(s.author.ID)
	if s.post.Audience == community.Public {
		everyone := as2.Approval{Automatic: []string{as2.Public}}
		searchable := []string{followers}
		if s.author.Indexable {
			searchable = []string{as2.Public}
		}
		quoters := map[community.QuotePolicy]string{community.QuotedByAnyone: as2.Public, community.QuotedByFollowers: followers, community.QuotedByNobody: author}
		return &as2.InteractionPolicy{CanReply: everyone, CanLike: everyone, CanAnnounce: everyone,
			CanQuote: as2.Approval{Automatic: []string{quoters[s.post.Quotes()]}}}, searchable
	}
	readers := as2.Approval{Automatic: append(slices.Clone(to), cc...)}
	self := as2.Approval{Automatic: []string{author}}
	if s.post.Audience == community.People {
		return &as2.InteractionPolicy{CanReply: readers, CanLike: readers, CanAnnounce: self, CanQuote: self}, []string{author}
	}
	return &as2.InteractionPolicy{CanReply: readers, CanLike: readers, CanAnnounce: self, CanQuote: self}, []string{followers}
}

// personOf is a local account as others are told it.
//
// W3C ActivityPub, section 4; FEP-5feb (indexable), FEP-844e (implements).
func personOf(site iri.Site, a community.Account, keys []community.AccountKey) as2.Actor {
	id := site.Actor(a.ID)
	rsa, _ := community.KeyOfKind(keys, community.RSA)
	ed, _ := community.KeyOfKind(keys, community.Ed25519)
	actor := as2.Actor{
		ID: id, Type: a.ActorType, PreferredUsername: a.Username, Name: a.Name(), Summary: a.BioHTML,
		URL: site.Profile(a.Username), Inbox: site.Inbox(a.ID), Outbox: site.Outbox(a.ID),
		Followers: site.Followers(a.ID), Following: site.Following(a.ID), Featured: site.Featured(a.ID), FeaturedTags: site.FeaturedTags(a.ID), SharedInbox: site.SharedInbox(),
		PublicKey:                 as2.PublicKey{ID: site.KeyID(a.ID), Owner: id, PEM: rsa.PublicKey},
		Multikeys:                 multikey(site.ProofKeyID(a.ID), id, ed.PublicKey),
		ManuallyApprovesFollowers: a.Locked, Discoverable: a.Discoverable, Indexable: a.Indexable,
		AlsoKnownAs: a.AlsoKnownAs, MovedTo: a.MovedTo,
		Published: a.CreatedAt, Updated: a.UpdatedAt,
		Generator: generatorOf(site),
		Network:   site.Network(),
	}
	if a.Avatar != "" {
		actor.Icon = &as2.Attachment{Type: "Image", URL: site.Media(a.Avatar), MediaType: imageType(a.Avatar)}
	}
	if a.Header != "" {
		actor.Image = &as2.Attachment{Type: "Image", URL: site.Media(a.Header), MediaType: imageType(a.Header)}
	}
	for _, field := range a.Fields {
		actor.Fields = append(actor.Fields, as2.Field{Name: field.Name, Value: field.Value})
	}
	return actor
}

// instanceOf is the actor that speaks for the whole server. It signs our GETs,
// so that anyone may read it.
//
// FEP-d556; FEP-844e.
func instanceOf(site iri.Site, s community.Site) as2.Actor {
	id := site.Instance()
	return as2.Actor{
		ID: id, Type: "Application", PreferredUsername: instanceName(site), Name: s.Title(),
		URL: site.URL("/about"), Inbox: site.InstanceInbox(), Outbox: site.InstanceOutbox(), SharedInbox: site.SharedInbox(),
		PublicKey:                 as2.PublicKey{ID: site.InstanceKeyID(), Owner: id, PEM: s.PublicKey},
		Multikeys:                 multikey(site.InstanceProofKeyID(), id, s.Ed25519PublicKey),
		ManuallyApprovesFollowers: true,
		Published:                 s.CreatedAt,
		Generator:                 generatorOf(site),
		Network:                   site.Network(),
	}
}

func generatorOf(site iri.Site) *as2.Generator {
	return &as2.Generator{ID: site.Instance(), Name: "Chalkring", Implements: []as2.Implementation{
		{Href: closedAudiences, Name: "Chalkring closed audiences"},
		{Href: implementsRFC9421, Name: "RFC-9421: HTTP Message Signatures"},
		{Href: implementsEd25519, Name: "RFC-9421 signatures using the Ed25519 algorithm"},
	}}
}

// instanceName is the user name of the server's own actor: the host without
// its port, as GoToSocial has it.
func instanceName(site iri.Site) string {
	host := site.Host
	for i := range host {
		if host[i] == ':' {
			return host[:i]
		}
	}
	return host
}

// render writes the activity that an outgoing row stands for.
func (f *Federation) render(tx *store.Tx, o community.Outgoing) ([]byte, error) {
	if o.Verb == community.VerbForward { // word for word
		if len(o.Body) == 0 {
			return nil, errNothingToSay
		}
		return o.Body, nil
	}
	a := as2.Activity{ID: f.site.Activity(o.ID), Actor: f.site.Actor(o.ActorID), Published: o.CreatedAt}
	var err error
	switch o.Verb {
	case community.VerbCreate, community.VerbUpdate:
		err = f.renderPost(tx, o, &a)
	case community.VerbDelete:
		a.Type, a.ObjectID = "Delete", o.ObjectURI
		a.Object = &as2.Object{ID: o.ObjectURI, Type: "Tombstone", Deleted: o.CreatedAt}
		if o.Audience == community.Public {
			a.To = []string{as2.Public}
		} else {
			a.To = []string{f.site.Followers(o.ActorID)}
		}
	case community.VerbUpdateActor:
		err = f.renderActor(tx, o, &a)
	case community.VerbMove:
		err = f.renderMove(o, &a)
	case community.VerbDeleteActor:
		a.Type, a.ObjectID, a.To = "Delete", a.Actor, []string{as2.Public}
	case community.VerbAnnounce, community.VerbUndoAnnounce, community.VerbLike, community.VerbUndoLike:
		err = f.renderReaction(tx, o, &a)
	case community.VerbQuoteRequest, community.VerbAcceptQuote, community.VerbRejectQuote, community.VerbRevokeQuote:
		err = f.renderQuote(tx, o, &a)
	case community.VerbPin, community.VerbUnpin:
		err = f.renderPin(tx, o, &a)
	case community.VerbFlag:
		err = f.renderFlag(tx, o, &a)
	case community.VerbVote:
		err = f.renderVote(tx, o, &a)
	case community.VerbFollow, community.VerbUndoFollow, community.VerbAcceptFollow, community.VerbRejectFollow,
		community.VerbBlock, community.VerbUndoBlock:
		err = f.renderRelation(tx, o, &a)
	default:
		err = fmt.Errorf("no such verb: %q", o.Verb)
	}
	if err != nil {
		return nil, err
	}
	body, err := as2.EncodeActivity(a)
	if err != nil || !proves(o) {
		return body, err
	}
	keys, err := f.keysOf(tx, o.ActorID)
	if err != nil || keys.ed.Private == nil {
		return body, err
	}
	return sig.Prove(body, keys.ed, o.CreatedAt)
}

// proves reports whether an activity carries its author's proof, so that those
// who get it by way of another server can believe it. What is for the people
// named is theirs to keep, and nobody else's to show around.
//
// FEP-8b32.
func proves(o community.Outgoing) bool {
	switch o.Verb {
	case community.VerbCreate, community.VerbUpdate, community.VerbDelete, community.VerbAnnounce, community.VerbUpdateActor:
		return o.Audience != community.People
	}
	return false
}

func (f *Federation) renderPost(tx *store.Tx, o community.Outgoing, a *as2.Activity) error {
	if o.PostID == nil {
		return fmt.Errorf("%s without a post", o.Verb)
	}
	p, err := community.PostByID(tx, *o.PostID)
	if err != nil {
		return err
	}
	if p.DeletedAt != nil {
		return errNothingToSay
	}
	s, err := sayingOf(tx, p)
	if err != nil {
		return err
	}
	object := objectOf(f.site, s)
	a.Type, a.ObjectID, a.Object, a.To, a.Cc = string(o.Verb), object.ID, &object, object.To, object.Cc
	if o.Verb == community.VerbUpdate {
		if object.Updated.IsZero() && !o.Facts.Unedited { // an answer was chosen; the words are as they were
			object.Updated = o.CreatedAt
		}
		a.Updated = o.CreatedAt
	}
	return nil
}

func (f *Federation) renderActor(tx *store.Tx, o community.Outgoing, a *as2.Activity) error {
	account, err := community.AccountByID(tx, o.ActorID)
	if err != nil {
		return err
	}
	keys, err := community.KeysOf(tx, o.ActorID)
	if err != nil {
		return err
	}
	person := personOf(f.site, account, keys)
	a.Type, a.ObjectID, a.ObjectActor = "Update", person.ID, &person
	a.To, a.Cc = []string{as2.Public}, []string{f.site.Followers(o.ActorID)}
	return nil
}

// renderReaction writes a boost, a like, or the end of one.
func (f *Federation) renderReaction(tx *store.Tx, o community.Outgoing, a *as2.Activity) error {
	if o.PostID == nil {
		return fmt.Errorf("%s without a post", o.Verb)
	}
	p, err := community.PostByID(tx, *o.PostID)
	if err != nil {
		return err
	}
	author, err := community.AccountByID(tx, p.AuthorID)
	if err != nil {
		return err
	}
	did := as2.Activity{ID: f.site.Activity(o.Facts.ReactionID), Type: "Like", Actor: a.Actor, ObjectID: p.IRI(f.site),
		To: []string{author.IRI(f.site)}}
	if o.Verb == community.VerbAnnounce || o.Verb == community.VerbUndoAnnounce {
		did = f.announceOf(o.Facts.ReactionID, o.ActorID, p, author)
		did.Published = o.CreatedAt
	}
	return f.didOrUndid(o, a, did, o.Verb == community.VerbUndoAnnounce || o.Verb == community.VerbUndoLike)
}

// renderRelation writes what passes between two people: a follow, the answer
// to one, a block, or the end of either.
func (f *Federation) renderRelation(tx *store.Tx, o community.Outgoing, a *as2.Activity) error {
	if o.AccountID == nil {
		return fmt.Errorf("%s without an account", o.Verb)
	}
	other, err := community.AccountByID(tx, *o.AccountID)
	if err != nil {
		return err
	}
	them := other.IRI(f.site)
	switch o.Verb {
	case community.VerbAcceptFollow, community.VerbRejectFollow:
		a.Type = "Accept"
		if o.Verb == community.VerbRejectFollow {
			a.Type = "Reject"
		}
		a.To = []string{them}
		follow := as2.Activity{ID: o.ObjectURI, Type: "Follow", Actor: them, ObjectID: a.Actor}
		a.ObjectID, a.Inner = o.ObjectURI, &follow
		return nil
	case community.VerbBlock, community.VerbUndoBlock:
		did := as2.Activity{ID: f.site.Activity(o.Facts.ReactionID), Type: "Block", Actor: a.Actor, ObjectID: them, To: []string{them}}
		return f.didOrUndid(o, a, did, o.Verb == community.VerbUndoBlock)
	}
	id := o.ObjectURI
	if id == "" {
		id = f.site.Follow(o.Facts.ReactionID)
	}
	did := as2.Activity{ID: id, Type: "Follow", Actor: a.Actor, ObjectID: them, To: []string{them}}
	return f.didOrUndid(o, a, did, o.Verb == community.VerbUndoFollow)
}

// didOrUndid makes a either what was done or the Undo of it. Both name the
// deed alike, since that is how others find what is undone.
func (f *Federation) didOrUndid(o community.Outgoing, a *as2.Activity, did as2.Activity, undone bool) error {
	if did.ID == "" || o.Facts.ReactionID == 0 && did.Type != "Follow" {
		return fmt.Errorf("%s %s without the number of the deed", o.Verb, strconv.FormatInt(o.ID, 10))
	}
	if !undone {
		*a = did
		return nil
	}
	a.Type, a.ObjectID, a.Inner, a.To, a.Cc = "Undo", did.ID, &did, did.To, did.Cc
	return nil
}
