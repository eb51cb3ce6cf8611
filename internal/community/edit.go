package community

import (
	"reflect"
	"slices"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// Edit changes the words, pictures and labels of a post of the author. What
// kind of post it is, what it answers and who may see it stay as they were; in
// a post for chosen people, those named before stay named. The post as it was
// is kept as a Revision.
func Edit(tx *store.Tx, author Account, id int64, d Draft) (Post, error) {
	p, err := PostByID(tx, id)
	if err != nil || p.AuthorID != author.ID || p.DeletedAt != nil || p.Kind == Boost || !p.Local() {
		if err != nil && !fault.Is(err, fault.NotFound) {
			return Post{}, err
		}
		return Post{}, noSuchPost()
	}
	d.Kind, d.Audience, d.Unlisted, d.InReplyToID = p.Kind, p.Audience, p.Unlisted, 0
	d = d.tidied()
	in, err := settingOf(tx, author, d, p.ID)
	if err != nil {
		return Post{}, err
	}
	poll, err := PollOf(tx, p.ID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Post{}, err
	}
	in.polled = err == nil
	in.ceiling = p.Audience // a role that was narrowed since must not lock mistakes in
	if p.Kind.Answers() {
		in.parent = &Post{Audience: p.Audience}
		if p.InReplyToAuthor != nil {
			in.parent.AuthorID = *p.InReplyToAuthor
		}
	}
	if err := d.check(in); err != nil {
		return Post{}, err
	}
	named, err := mentionsOf(tx, p.ID)
	if err != nil {
		return Post{}, err
	}
	if p.Audience == People {
		d.To = append(slices.Clone(d.To), named...)
	}
	w, err := write(tx, author, d, in.parent)
	if err != nil {
		return Post{}, err
	}
	before := p
	w.fill(&p, d)
	pictures, err := mediaOf(tx, p.ID)
	if err != nil {
		return Post{}, err
	}
	same := sameMedia(pictures, d.MediaIDs)
	polled, err := editPoll(tx, p.ID, d.Poll)
	if err != nil {
		return Post{}, err
	}
	requoted := p.Audience == Public && d.QuotePolicy != "" && d.QuotePolicy != p.Quotes()
	if requoted {
		p.QuotePolicy = d.QuotePolicy
		if err := tx.Exec("UPDATE posts SET quote_policy = ? WHERE id = ?", p.QuotePolicy, p.ID).Error; err != nil {
			return Post{}, err
		}
	}
	if same && !polled && sameWords(before, p) {
		if !requoted || !p.Audience.Travels() {
			return p, nil
		}
		return p, enqueue(tx, Outgoing{Verb: VerbUpdate, ActorID: author.ID, PostID: &p.ID, Audience: p.Audience, Facts: Facts{Unedited: true}})
	}
	p.EditedAt, p.MediaCount = &tx.Now, int64(len(d.MediaIDs))
	if err := rewrite(tx, before, p, pictures, poll.answers(), w.mentions, w.tags); err != nil {
		return Post{}, err
	}
	if !same {
		if err := media.Attach(tx, p.ID, d.MediaIDs); err != nil {
			return Post{}, err
		}
	}
	if err := notifyOfEdit(tx, p, named, w.mentions); err != nil || !p.Audience.Travels() {
		return p, err
	}
	return p, enqueue(tx, Outgoing{Verb: VerbUpdate, ActorID: author.ID, PostID: &p.ID, Audience: p.Audience})
}

// ReceiveEdit takes over what another server changed in its post, if it is
// newer than what is known. A post that is not known is fault.NotFound: it may
// be received as a new one. It may narrow who sees it, and never widen that:
// whoever answered or passed it on did so by what it was. It reports whether
// anything changed.
func ReceiveEdit(tx *store.Tx, r RemotePost) (Post, bool, error) {
	r.Media = media.Foreign(r.Media)
	if err := r.check(); err != nil {
		return Post{}, false, err
	}
	p, err := PostByURI(tx, r.URI)
	switch {
	case err != nil:
		return Post{}, false, err
	case p.AuthorID != r.Author.ID:
		return Post{}, false, fault.New(fault.Forbidden, "Only its author may change a post.")
	case p.DeletedAt != nil || p.Kind == Boost:
		return Post{}, false, fault.Keyed(fault.Gone, "post.deleted", "This post was deleted.", nil)
	}
	edited := tx.Now // some servers say no time of an edit; what differs then counts
	if r.Edited != nil && r.Edited.Before(tx.Now) {
		edited = store.Millis(*r.Edited)
	}
	if p.EditedAt != nil && edited.Before(*p.EditedAt) {
		return p, false, nil
	}
	answered, err := receiveAnswer(tx, &p, r.AcceptedAnswerURI)
	if err != nil {
		return p, answered, err
	}
	poll, err := PollOf(tx, p.ID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return p, answered, err
	}
	polled, err := receivePoll(tx, p, r.Poll)
	if err != nil {
		return p, answered, err
	}
	if p.Quotable != r.Quotable {
		if err := tx.Exec("UPDATE posts SET quotable = ? WHERE id = ?", r.Quotable, p.ID).Error; err != nil {
			return p, answered, err
		}
		p.Quotable = r.Quotable
	}
	quoted, err := receiveQuote(tx, &p, r.QuoteURI, r.QuoteAuthorization)
	answered = answered || polled || quoted
	if err != nil || p.EditedAt != nil && edited.Equal(*p.EditedAt) && edited.Nanosecond() != 0 { // choosing an answer is no edit, nor are votes
		return p, answered, err // of whole seconds there may be two edits in one: what differs counts
	}
	before := p
	r.fill(&p)
	narrowed := r.narrow(&p)
	if r.URL != "" {
		p.URL = r.URL
	}
	pictures, err := mediaOf(tx, p.ID)
	if err != nil {
		return Post{}, false, err
	}
	same := sameRemoteMedia(pictures, r.Media)
	if same && sameWords(before, p) && !narrowed {
		return p, answered, nil
	}
	named, err := mentionsOf(tx, p.ID)
	if err != nil {
		return Post{}, false, err
	}
	if r.Parent != nil && r.Parent.Local() && !r.Audience.Within(p.Audience) && !slices.Contains(r.Mentions, r.Parent.AuthorID) {
		r.Mentions = append(slices.Clone(r.Mentions), r.Parent.AuthorID) // as Receive has it
	}
	p.EditedAt, p.MediaCount = &edited, int64(len(r.Media))
	if err := rewrite(tx, before, p, pictures, poll.answers(), r.Mentions, r.Tags); err != nil {
		return Post{}, false, err
	}
	if narrowed {
		if err := recount(tx, before, p); err != nil {
			return Post{}, false, err
		}
	}
	if !same {
		if err := tx.Exec("DELETE FROM attachments WHERE post_id = ?", p.ID).Error; err != nil {
			return Post{}, false, err
		}
		if err := attachRemote(tx, p, r.Media); err != nil {
			return Post{}, false, err
		}
	}
	return p, true, notifyOfEdit(tx, p, named, r.Mentions)
}

// receiveAnswer takes over which answer a remote asker chose.
func receiveAnswer(tx *store.Tx, p *Post, uri string) (bool, error) {
	var chosen *int64
	var writer int64 // of the answer, if that is somebody here
	if uri != "" {
		answer, err := PostByURI(tx, uri)
		switch {
		case err == nil && answer.ThreadID == p.ThreadID && answer.ID != p.ID && answer.DeletedAt == nil:
			chosen = &answer.ID
			if answer.Local() {
				writer = answer.AuthorID
			}
		case err != nil && !fault.Is(err, fault.NotFound):
			return false, err
		}
	}
	if p.Kind != Question || sameID(chosen, p.AcceptedAnswerID) {
		return false, nil
	}
	p.AcceptedAnswerID = chosen
	tx.Announce(PostReacted, p.ID)
	if err := tx.Exec("UPDATE posts SET accepted_answer_id = ? WHERE id = ?", chosen, p.ID).Error; err != nil || writer == 0 {
		return true, err
	}
	return true, notify(tx, writer, NotifyAnswer, p.AuthorID, *chosen)
}

// narrow takes over who may see the post where that is fewer than before, and
// reports whether it is.
func (r RemotePost) narrow(p *Post) bool {
	if (p.Audience == r.Audience || !r.Audience.Within(p.Audience)) && (p.Audience != r.Audience || !r.Unlisted || p.Unlisted) {
		return false
	}
	p.Audience, p.Unlisted = r.Audience, r.Unlisted
	p.Listed = p.lists()
	return true
}

// NarrowHeld takes over at once that fewer people may see a post, from an edit
// that has to wait for the rest: what its author does not want shown any more
// waits for nobody.
func NarrowHeld(tx *store.Tx, p Post, r RemotePost) error {
	before := p
	if p.AuthorID != r.Author.ID || p.DeletedAt != nil || p.Kind == Boost || r.Edited != nil && p.EditedAt != nil && r.Edited.Before(*p.EditedAt) || !r.narrow(&p) {
		return nil
	}
	if err := tx.Model(&Post{}).Where("id = ?", p.ID).Select("audience", "unlisted", "listed").Updates(&p).Error; err != nil {
		return err
	}
	tx.Announce(PostEdited, p.ID)
	if err := reconverse(tx, before, p); err != nil {
		return err
	}
	return recount(tx, before, p)
}

// recount takes a post that was narrowed out of the figures that tell of it to
// people who do not see it any more.
func recount(tx *store.Tx, before, p Post) error {
	if before.InReplyToID != nil {
		parent, err := PostByID(tx, *before.InReplyToID)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if err == nil && parent.DeletedAt == nil && parent.Audience.Within(before.Audience) && !parent.Audience.Within(p.Audience) {
			uses := 0
			if p.Kind == Acknowledgement {
				uses = 1
			}
			err := tx.Exec("UPDATE posts SET replies_count = replies_count - 1, uses_count = uses_count - ? WHERE id = ? AND replies_count > 0", uses, parent.ID).Error
			if err != nil {
				return err
			}
		}
	}
	if before.counts() && !p.counts() {
		return tx.Exec("UPDATE account_counts SET posts = posts - 1 WHERE account_id = ? AND posts > 0", p.AuthorID).Error
	}
	return nil
}

func sameID(a, b *int64) bool { return a == b || a != nil && b != nil && *a == *b }

// rewrite keeps what the post was and stores what it is now.
func rewrite(tx *store.Tx, before, p Post, pictures []media.Attachment, answers []string, mentions []int64, tags []Tag) error {
	wrote := before.CreatedAt
	if before.EditedAt != nil {
		wrote = *before.EditedAt
	}
	err := tx.Create(&Revision{ID: tx.NewID(), PostID: p.ID, Title: before.Title, Warning: before.Warning, Source: before.Source,
		Sections: before.Sections, HTML: before.HTML, Media: pictures, Sensitive: before.Sensitive, Poll: answers, WrittenAt: wrote}).Error
	if err != nil {
		return err
	}
	err = tx.Model(&Post{}).Where("id = ?", p.ID).
		Select("audience", "unlisted", "listed", "url", "title", "teaser", "warning", "sensitive", "source", "sections", "html", "language", "subject", "level",
			"licence", "contributors", "quote_uri", "extra", "media_count", "edited_at").Updates(&p).Error
	if err != nil {
		return err
	}
	for _, table := range []string{"post_mentions", "post_tags"} {
		if err := tx.Exec("DELETE FROM "+table+" WHERE post_id = ?", p.ID).Error; err != nil {
			return err
		}
	}
	tx.Announce(PostEdited, p.ID)
	if err := nameAll(tx, p.ID, mentions, tags); err != nil {
		return err
	}
	return reconverse(tx, before, p)
}

// notifyOfEdit tells those who are newly named, and those who passed the post on.
func notifyOfEdit(tx *store.Tx, p Post, before, now []int64) error {
	for _, id := range now {
		if !slices.Contains(before, id) && id != p.AuthorID {
			if err := notify(tx, id, NotifyMention, p.AuthorID, p.ID); err != nil {
				return err
			}
		}
	}
	if err := notifyQuoters(tx, p); err != nil || p.BoostsCount == 0 {
		return err
	}
	var boosters []int64
	err := tx.Raw("SELECT author_id FROM posts WHERE boost_of_id = ? AND deleted_at IS NULL AND author_host = '' AND author_id <> ? LIMIT 100",
		p.ID, p.AuthorID).Scan(&boosters).Error
	if err != nil {
		return err
	}
	for _, id := range boosters {
		if err := notify(tx, id, NotifyEdit, p.AuthorID, p.ID); err != nil {
			return err
		}
	}
	return nil
}

func mentionsOf(tx *store.Tx, post int64) ([]int64, error) {
	var ids []int64
	err := tx.Raw("SELECT account_id FROM post_mentions WHERE post_id = ? ORDER BY account_id", post).Scan(&ids).Error
	return ids, err
}

func mediaOf(tx *store.Tx, post int64) ([]media.Attachment, error) {
	var list []media.Attachment
	err := tx.Where("post_id = ?", post).Order("position").Find(&list).Error
	return list, err
}

func sameMedia(have []media.Attachment, want []int64) bool {
	return slices.EqualFunc(have, want, func(a media.Attachment, id int64) bool { return a.ID == id })
}

func sameRemoteMedia(have, want []media.Attachment) bool {
	return slices.EqualFunc(have, want, func(a, b media.Attachment) bool {
		return a.RemoteURL == b.RemoteURL && a.Alt == b.Alt
	})
}

func sameWords(a, b Post) bool {
	return a.Title == b.Title && a.Teaser == b.Teaser && a.Warning == b.Warning && a.Sensitive == b.Sensitive && a.Source == b.Source &&
		a.HTML == b.HTML && a.Language == b.Language && a.Subject == b.Subject && a.Level == b.Level && a.Licence == b.Licence &&
		slices.Equal(a.Contributors, b.Contributors) && a.QuoteURI == b.QuoteURI && reflect.DeepEqual(a.Extra, b.Extra)
}
