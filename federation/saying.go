package federation

import (
	"slices"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/store"
)

// said is a local post with what its document needs besides.
type said struct {
	post     community.Post
	author   community.Account
	mentions []community.Account
	tags     []community.Tag
	media    []media.Attachment
	answered *community.Account // author of what the post answers
	answer   string             // address of the accepted answer
	with     []string           // addresses of the co-authors that are known here
	poll     *community.Poll
	context  string // address of the conversation; one that began elsewhere may have none
}

// sayingOf collects what a local post's document needs.
func sayingOf(tx *store.Tx, p community.Post) (said, error) {
	all, err := sayingsOf(tx, []community.Post{p})
	if err != nil {
		return said{post: p}, err
	}
	return all[0], nil
}

// sayingsOf is sayingOf for several posts, each question asked once.
func sayingsOf(tx *store.Tx, posts []community.Post) ([]said, error) {
	all := make([]said, len(posts))
	if len(posts) == 0 {
		return all, nil
	}
	var ids, people, withMedia []int64
	var others []int64 // posts that are asked after: what was chosen as the answer, what began the conversation
	for i, p := range posts {
		all[i].post = p
		ids, people = append(ids, p.ID), append(people, p.AuthorID)
		if p.InReplyToAuthor != nil {
			people = append(people, *p.InReplyToAuthor)
		}
		if p.MediaCount > 0 {
			withMedia = append(withMedia, p.ID)
		}
		if p.AcceptedAnswerID != nil {
			others = append(others, *p.AcceptedAnswerID)
		}
		if p.ThreadID != p.ID {
			others = append(others, p.ThreadID)
		}
	}
	var mentions []struct {
		PostID int64
		community.Account
	}
	if err := tx.Raw("SELECT post_mentions.post_id, accounts.* FROM accounts JOIN post_mentions ON post_mentions.account_id = accounts.id WHERE post_mentions.post_id IN ? ORDER BY accounts.id",
		store.Even(ids)).Scan(&mentions).Error; err != nil {
		return nil, err
	}
	var tags []struct {
		PostID int64
		community.Tag
	}
	if err := tx.Raw("SELECT post_id, tag, name FROM post_tags WHERE post_id IN ? ORDER BY tag", store.Even(ids)).Scan(&tags).Error; err != nil {
		return nil, err
	}
	polls, err := community.PollsOf(tx, store.Even(ids))
	if err != nil {
		return nil, err
	}
	accounts, err := community.AccountsByID(tx, people)
	if err != nil {
		return nil, err
	}
	pictures := map[int64][]media.Attachment{}
	if len(withMedia) > 0 {
		if pictures, err = media.OfPosts(tx, withMedia); err != nil {
			return nil, err
		}
	}
	known := map[int64]community.Post{}
	if len(others) > 0 {
		var rows []community.Post
		if err := tx.Select("id", "uri", "author_host", "kind", "in_reply_to_id", "in_reply_to_uri").Where("id IN ?", store.Even(others)).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, p := range rows {
			known[p.ID] = p
		}
	}
	byHandle := map[string]string{}
	for i := range all {
		s := &all[i]
		p := s.post
		author, ok := accounts[p.AuthorID]
		if !ok {
			return nil, fault.New(fault.NotFound, "The author of this post is not here any more.")
		}
		s.author, s.media = author, pictures[p.ID]
		for _, m := range mentions {
			if m.PostID == p.ID {
				s.mentions = append(s.mentions, m.Account)
			}
		}
		for _, t := range tags {
			if t.PostID == p.ID {
				s.tags = append(s.tags, t.Tag)
			}
		}
		if poll, ok := polls[p.ID]; ok {
			s.poll = &poll
		}
		if p.InReplyToAuthor != nil && *p.InReplyToAuthor != p.AuthorID {
			if a, ok := accounts[*p.InReplyToAuthor]; ok {
				s.answered = &a
			}
		}
		if p.AcceptedAnswerID != nil {
			if answer, ok := known[*p.AcceptedAnswerID]; ok {
				s.answer = answer.IRI(tx.Site)
			}
		}
		// A conversation that began here is ours to name, whatever somebody who
		// joined in calls it. Otherwise its name is copied from what is answered.
		// FEP-7888, "Context inheritance"; FEP-11dd.
		s.context = p.ContextURI
		if first, ok := known[p.ThreadID]; p.ThreadID == p.ID && p.Opens() || ok && first.Local() && first.Opens() {
			s.context = tx.Site.Context(p.ThreadID)
		}
		for _, c := range p.Contributors {
			address, asked := byHandle[c]
			if !asked {
				if address, err = addressOf(tx, c); err != nil {
					return nil, err
				}
				byHandle[c] = address
			}
			if address != "" {
				s.with = append(s.with, address)
			}
		}
	}
	return all, nil
}

// addressOf is the address of somebody who is named by handle, if they are
// known here.
func addressOf(tx *store.Tx, handle string) (string, error) {
	h, err := iri.ParseHandle(handle, iri.IsDev(tx.Site.Host))
	if err != nil {
		return "", nil // a name without an address
	}
	a, err := community.AccountByHandle(tx, h.Name, h.Host)
	if fault.Is(err, fault.NotFound) {
		return "", nil
	}
	return a.IRI(tx.Site), err
}

// people lists whom a post names: those mentioned, and whom it answers.
func (s said) people() []community.Account {
	all := s.mentions
	if s.answered != nil && !slices.ContainsFunc(all, func(a community.Account) bool { return a.ID == s.answered.ID }) {
		all = append(slices.Clone(all), *s.answered)
	}
	return all
}
