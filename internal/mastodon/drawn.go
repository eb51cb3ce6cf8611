package mastodon

import (
	"github.com/chalkring/chalkring/internal/community"
)

// drawn is what of a status is the same for everybody, as long as the post has
// the same version, which community.Kept sees to: the entity, and its bytes but
// for what stands between them.
type drawn struct {
	school string // under what name of its school it was drawn
	status Status
	extras StatusExtras
	opened []byte // from the ID to the address
	told   []byte // when it was edited, and its content
	closed []byte // the extras, as long as nobody used it
}

// drawnAccount is an account as it is shown beside posts, while its figures and
// its school's name are these.
type drawnAccount struct {
	counts  community.AccountCounts
	school  string
	account Account
}

func sameCounts(a, b community.AccountCounts) bool {
	if (a.LastPostAt == nil) != (b.LastPostAt == nil) || a.LastPostAt != nil && !a.LastPostAt.Equal(*b.LastPostAt) {
		return false
	}
	return a.Posts == b.Posts && a.Followers == b.Followers && a.Following == b.Following
}

// shown is how an account is shown beside posts.
func (s shape) shown(kept *community.KeptAccount, a community.Account, c community.AccountCounts) Account {
	if kept == nil {
		return s.account(a, c).kept()
	}
	school := s.schools[a.Host]
	if d, ok := kept.Drawn.Load().(*drawnAccount); ok && d.school == school && sameCounts(d.counts, c) {
		return d.account
	}
	d := &drawnAccount{c, school, s.account(a, c).kept()}
	kept.Drawn.Store(d)
	return d.account
}

// drawn returns what of a status is the same for everybody; nil where too much
// is not, since the post shows another.
func (s shape) drawn(v community.View) *drawn {
	if v.Kept == nil || v.BoostOfID != nil || v.QuoteURI != "" {
		return nil
	}
	school := s.school(v.AuthorHost)
	if d, ok := v.Kept.Drawn.Load().(*drawn); ok && d.school == school.Name {
		return d
	}
	d := &drawn{school: school.Name, status: s.unchanging(v), extras: *s.extras(v)}
	d.extras.UsesCount = 0
	d.opened, d.told, d.closed = d.status.appendOpening(nil), d.status.appendTold(nil), d.extras.appendJSON(nil)
	d.status.drawn = d
	v.Kept.Drawn.Store(d)
	return d
}

// unchanging is what of a status changes only with the post.
func (s shape) unchanging(v community.View) Status {
	p := v.Post
	out := Status{
		ID: p.ID, CreatedAt: stampOf(p.CreatedAt), Sensitive: p.Sensitive, SpoilerText: p.Warning,
		Visibility: visibility(p), LocalOnly: p.Audience == community.School, Language: text(p.Language),
		URI: s.postURI(p), URL: text(s.postURL(p)), EditedAt: stampOrNull(p.EditedAt), Content: withoutQuoteLink(content(p), v),
		InReplyToID: p.InReplyToID, InReplyToAccountID: p.InReplyToAuthor, Emojis: s.postEmoji(p), Tags: make([]StatusTag, 0, len(v.Tags)),
	}
	for _, t := range v.Tags {
		out.Tags = append(out.Tags, StatusTag{Name: t.Tag, URL: s.site.Tag(t.Tag)})
	}
	return out
}
