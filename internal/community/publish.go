package community

import (
	"cmp"
	"html"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
	"github.com/chalkring/chalkring/internal/text"
)

// How long a form's number is remembered, and a key that a client sends.
const (
	formKept = 24 * time.Hour
	keyKept  = time.Hour // as Mastodon does: some clients make it of the text
)

// KeyForm is the FormID of what a client sent with an Idempotency-Key.
func KeyForm(key string) string { return "api:" + key }

// Publish stores a local author's draft and all that follows from it: home
// lists, notifications, and the news for peers and open streams. The same
// FormID publishes once: the second time, the post of the first is returned.
//
// People whom the text names must be known here already: whoever calls looks
// up strangers (text.FindMentions) before the transaction.
func Publish(tx *store.Tx, author Account, d Draft) (Post, error) {
	if err := stays(author); err != nil {
		return Post{}, err
	}
	id := tx.NewID()
	if d.FormID != "" {
		first, err := claimForm(tx, author.ID, d.FormID, id)
		if err != nil || first != id {
			return postOrErr(tx, first, err)
		}
	}
	d = d.tidied()
	in, err := settingOf(tx, author, d, 0)
	if err != nil {
		return Post{}, err
	}
	if in.parent != nil {
		d.InReplyToID = in.parent.ID
		if err := answerable(tx, in.parent.AuthorHost); err != nil {
			return Post{}, err
		}
	}
	if err := d.check(in); err != nil {
		return Post{}, err
	}
	quoted, err := quotable(tx, author, d)
	if err != nil {
		return Post{}, err
	}
	w, err := write(tx, author, d, in.parent)
	if err != nil {
		return Post{}, err
	}
	p := Post{ID: id, AuthorID: author.ID, Kind: d.Kind, Audience: d.Audience, Unlisted: d.Unlisted, CreatedAt: tx.Now}
	w.fill(&p, d)
	p.MediaCount = int64(len(in.media))
	if quoted != nil {
		p.QuoteURI = quoted.IRI(tx.Site)
	}
	if p, _, err = land(tx, landing{post: p, author: author, parent: in.parent, mentions: w.mentions, tags: w.tags, poll: d.Poll.poll(tx.Now)}); err != nil {
		return Post{}, err
	}
	if len(d.MediaIDs) > 0 {
		if err := media.Attach(tx, p.ID, d.MediaIDs); err != nil {
			return Post{}, err
		}
	}
	if err := noteApp(tx, &p, d, in); err != nil {
		return Post{}, err
	}
	if err := publishQuote(tx, author, &p, quoted); err != nil {
		return Post{}, err
	}
	if !p.Audience.Travels() {
		return p, nil
	}
	if err := enqueue(tx, Outgoing{Verb: VerbCreate, ActorID: author.ID, PostID: &p.ID, Audience: p.Audience}); err != nil {
		return Post{}, err
	}
	return p, askToQuote(tx, p, quoted)
}

// noteApp records of a new post what hardly any has: the app that it was written
// with, and who else than usual may quote it.
func noteApp(tx *store.Tx, p *Post, d Draft, in setting) error {
	if p.Audience == Public {
		p.QuotePolicy = cmp.Or(d.QuotePolicy, in.quotes)
	}
	if d.AppID != 0 {
		p.AppID = &d.AppID
	}
	if p.AppID == nil && p.QuotePolicy == "" {
		return nil
	}
	return tx.Exec("UPDATE posts SET app_id = ?, quote_policy = ? WHERE id = ?", p.AppID, p.QuotePolicy, p.ID).Error
}

func postOrErr(tx *store.Tx, id int64, err error) (Post, error) {
	if err != nil {
		return Post{}, err
	}
	return PostByID(tx, id)
}

// claimForm remembers that this form becomes the post id, or returns the post
// that it became before. Two tries at once are told apart by the key.
func claimForm(tx *store.Tx, author int64, form string, id int64) (int64, error) {
	last := formKept
	if strings.HasPrefix(form, KeyForm("")) {
		last = keyKept
	}
	var kept []byte
	err := tx.Raw(`INSERT INTO kept (key, value, expires_at) VALUES (?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET
			value = CASE WHEN kept.expires_at < ? THEN excluded.value ELSE kept.value END,
			expires_at = CASE WHEN kept.expires_at < ? THEN excluded.expires_at ELSE kept.expires_at END
		RETURNING value`,
		formKey(author, form), []byte(strconv.FormatInt(id, 10)), tx.Now.Add(last), tx.Now, tx.Now).Row().Scan(&kept)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(kept), 10, 64)
}

func formKey(author int64, form string) string {
	return "form:" + strconv.FormatInt(author, 10) + ":" + form
}

// MadeOf returns the number of what a form became already, or 0: a post, or one
// that is to be published later.
func MadeOf(tx *store.Tx, author int64, form string) (int64, error) {
	var kept [][]byte
	err := tx.Raw("SELECT value FROM kept WHERE key = ? AND expires_at >= ?", formKey(author, form), tx.Now).Scan(&kept).Error
	if err != nil || len(kept) == 0 {
		return 0, err
	}
	return strconv.ParseInt(string(kept[0]), 10, 64)
}

// settingOf looks up what the draft is judged against. post is the post being
// edited, or 0.
func settingOf(tx *store.Tx, author Account, d Draft, post int64) (setting, error) {
	var in setting
	user, err := writer(tx, author.ID)
	if err != nil {
		return in, err
	}
	in.ceiling, in.quotes = user.Role.Ceiling(), user.QuotePolicy
	if d.InReplyToID != 0 {
		v, err := ViewerOf(tx, author.ID)
		if err != nil {
			return in, err
		}
		parent, err := VisiblePost(tx, d.InReplyToID, v)
		if err == nil && parent.BoostOfID != nil {
			parent, err = VisiblePost(tx, *parent.BoostOfID, v)
		}
		switch {
		case err == nil:
			in.parent = &parent
			if in.replies, err = ReplyStandingOf(tx, author, parent); err != nil {
				return in, err
			}
		case !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Gone):
			return in, err
		}
	}
	if len(d.MediaIDs) > 0 {
		q := tx.Where("account_id = ? AND id IN ?", author.ID, d.MediaIDs)
		if post != 0 {
			q = q.Where("post_id IS NULL AND scheduled_id IS NULL OR post_id = ?", post)
		} else {
			q = q.Where("post_id IS NULL AND (scheduled_id IS NULL OR scheduled_id = ?)", d.scheduled)
		}
		if err := q.Find(&in.media).Error; err != nil {
			return in, err
		}
	}
	return in, nil
}

// roleOf returns what somebody who may write here now may do.
func roleOf(tx *store.Tx, account int64) (Role, error) {
	u, err := writer(tx, account)
	return u.Role, err
}

// written is a draft's text made ready to keep.
type written struct {
	html, teaser string
	mentions     []int64
	tags         []Tag
}

func (w written) fill(p *Post, d Draft) {
	p.Title, p.Teaser, p.Warning, p.Sensitive = d.Title, w.teaser, d.Warning, d.Sensitive
	p.Source, p.Sections, p.HTML, p.Language = d.Source, d.Sections, w.html, d.Language
	p.Subject, p.Level, p.Licence, p.Contributors = d.Subject, d.Level, d.Licence, d.Contributors
}

// write renders a draft and finds whom it names, co-authors included. A reply for chosen people or
// followers names whom it answers, so that they can read it; a post that stays
// in the school names nobody elsewhere.
func write(tx *store.Tx, author Account, d Draft, parent *Post) (written, error) {
	parts := []Section{{Markdown: d.Source}}
	if d.Sections != nil {
		parts = d.Sections.List()
	}
	contributors := Section{Markdown: strings.Join(d.Contributors, " ")}
	known, err := knownHandles(tx, append(slices.Clone(parts), contributors))
	if err != nil {
		return written{}, err
	}
	links := text.Links{
		Mention: func(user, host string) (string, string, bool) {
			a, ok := known[handleKey(tx, user, host)]
			switch {
			case !ok:
				return "", "", false
			case a.Local():
				return tx.Site.Profile(a.Username), a.Username, true
			case a.URL != "":
				return a.URL, a.Username + "@" + a.Host, true
			}
			return *a.URI, a.Username + "@" + a.Host, true
		},
		Tag: func(tag string) string { return tx.Site.Tag(text.TagKey(tag)) },
	}
	var w written
	var b strings.Builder
	var people []Account
	for _, part := range parts {
		r := text.Render(part.Markdown, links)
		if part.Heading != "" {
			b.WriteString("<h2>" + html.EscapeString(part.Heading) + "</h2>")
		}
		b.WriteString(r.HTML)
		for _, h := range r.Mentions {
			people = append(people, known[handleKey(tx, h.User, h.Host)])
		}
		for _, name := range r.Tags {
			key := text.TagKey(name)
			if !slices.ContainsFunc(w.tags, func(t Tag) bool { return t.Tag == key }) {
				w.tags = append(w.tags, Tag{Tag: key, Name: name})
			}
		}
	}
	for _, handle := range d.Contributors {
		if h, err := iri.ParseHandle(handle, iri.IsDev(tx.Site.Host)); err == nil {
			people = append(people, known[handleKey(tx, h.Name, h.Host)]) // a stranger stays the zero value
		}
	}
	w.html = b.String()
	if d.Kind == Practice {
		w.teaser = html.EscapeString(text.Teaser(w.html))
	}
	extra := slices.Clone(d.To)
	if parent != nil && d.Audience != Me && d.Audience != Public {
		extra = append(extra, parent.AuthorID)
	}
	if len(extra) > 0 {
		more, err := AccountsByID(tx, extra)
		if err != nil {
			return written{}, err
		}
		for _, id := range extra {
			if a, ok := more[id]; ok {
				people = append(people, a)
			}
		}
	}
	for _, a := range people {
		if a.ID == 0 || a.ID == author.ID || a.Gone() || d.Audience == Me || d.Audience == School && !a.Local() || slices.Contains(w.mentions, a.ID) {
			continue
		}
		w.mentions = append(w.mentions, a.ID)
	}
	return w, d.checkPeople(w.mentions)
}

// handleKey is what two spellings of one handle have in common here.
func handleKey(tx *store.Tx, user, host string) text.Handle {
	host = strings.ToLower(host)
	if host == tx.Site.Host {
		host = ""
	}
	return text.Handle{User: strings.ToLower(user), Host: host}
}

// knownHandles looks up those people named in the text that are known here.
func knownHandles(tx *store.Tx, parts []Section) (map[text.Handle]Account, error) {
	known := map[text.Handle]Account{}
	for _, part := range parts {
		if !strings.Contains(part.Markdown, "@") {
			continue
		}
		for _, h := range text.FindMentions(part.Markdown) {
			key := handleKey(tx, h.User, h.Host)
			if _, ok := known[key]; ok || len(known) > MaxMentions {
				continue
			}
			a, err := AccountByHandle(tx, key.User, key.Host)
			switch {
			case err == nil && !a.Gone():
				known[key] = a
			case err != nil && !fault.Is(err, fault.NotFound):
				return nil, err
			}
		}
	}
	return known, nil
}

// Received is what became of another server's post.
type Received struct {
	Post  Post
	Fresh bool  // it is new here
	Err   error // it was refused, or it is Gone: its deletion came before it
}

// Receive stores another server's post and all that follows from it here. It
// reports whether the post is new: one that is known already, or whose
// deletion arrived before it, changes nothing.
func Receive(tx *store.Tx, r RemotePost) (Post, bool, error) {
	all, err := ReceiveAll(tx, []RemotePost{r})
	if err != nil {
		return Post{}, false, err
	}
	return all[0].Post, all[0].Fresh, all[0].Err
}

// ReceiveAll is Receive for posts that came together, in their order. What none
// of them may do is in its Received; an error is of the database, and then
// nothing may be kept.
func ReceiveAll(tx *store.Tx, rs []RemotePost) ([]Received, error) {
	all := make([]Received, len(rs))
	var places []int // in rs, of the landings
	var ls []landing
	for i, r := range rs {
		r.Media = media.Foreign(r.Media)
		if all[i].Err = r.check(); all[i].Err != nil {
			continue
		}
		p := r.post(tx)
		mentions := r.Mentions
		if r.Parent != nil && r.Parent.Local() && !p.Audience.Within(r.Parent.Audience) {
			// Whoever answers one of ours from elsewhere shows it here to no more
			// people than the post it answers.
			p.Audience = r.Parent.Audience
			if !slices.Contains(mentions, r.Parent.AuthorID) {
				mentions = append(slices.Clone(mentions), r.Parent.AuthorID)
			}
		}
		ls = append(ls, landing{post: p, author: r.Author, parent: r.Parent, mentions: mentions, tags: r.Tags, media: r.Media, poll: r.Poll.bounded(tx.Now), stamp: r.QuoteAuthorization,
			quiet: r.Found && tx.Now.Sub(p.CreatedAt) > newsFor})
		places = append(places, i)
	}
	if len(ls) == 0 {
		return all, nil
	}
	down, err := landAll(tx, ls)
	if err != nil {
		return nil, err
	}
	var known []string
	for n, i := range places {
		all[i].Post, all[i].Fresh = down[n].post, down[n].fresh
		if !down[n].fresh {
			known = append(known, rs[i].URI)
		}
	}
	if len(known) == 0 {
		return all, nil
	}
	var rows []Post
	if err := tx.Where("uri IN ?", store.Even(known)).Find(&rows).Error; err != nil {
		return nil, err
	}
	for n, i := range places {
		if down[n].fresh {
			continue
		}
		at := slices.IndexFunc(rows, func(p Post) bool { return p.URI != nil && *p.URI == rs[i].URI })
		if at < 0 {
			all[i].Post, all[i].Err = Post{}, fault.Keyed(fault.Gone, "post.deleted", "This post was deleted.", nil)
			continue
		}
		all[i].Post = rows[at]
	}
	return all, nil
}

// attachRemote stores the pictures of another server's post, unless nothing of
// that server's is shown.
func attachRemote(tx *store.Tx, p Post, pictures []media.Attachment) error {
	if len(pictures) == 0 {
		return nil
	}
	if d, err := peers.DecideOne(tx, p.AuthorHost); err != nil || d.Media == peers.MediaStrip {
		return err
	}
	for i, a := range pictures {
		a.ID, a.AccountID, a.PostID, a.Position, a.CreatedAt = tx.NewID(), p.AuthorID, &p.ID, i, tx.Now
		if err := tx.Create(&a).Error; err != nil {
			return err
		}
	}
	return nil
}
