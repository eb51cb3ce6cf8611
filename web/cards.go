package web

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/media"
	"github.com/chalkring/chalkring/internal/text"
)

func queryEscape(s string) string { return url.QueryEscape(s) }

func digits(id int64) string { return strconv.FormatInt(id, 10) }

// personPath is where this server's page about an account is.
func personPath(a community.Account) string {
	if a.Local() {
		return "/@" + url.PathEscape(a.Username)
	}
	return "/@" + url.PathEscape(a.Username) + "@" + url.PathEscape(a.Host)
}

func postPath(id int64) string { return "/posts/" + digits(id) }

// avatarSrc is the address of an account's picture, or "" for its mark.
func avatarSrc(a community.Account) string {
	switch {
	case a.Avatar == "" || a.Gone():
		return ""
	case a.Local():
		return "/media/" + a.Avatar
	}
	return "/media/avatar/" + digits(a.ID)
}

// school is an instance as people know it.
func (p *Pages) school(h *here, host, name string) SchoolView {
	if host == "" {
		return SchoolView{Name: h.school.Title(), Host: p.site.Host, URL: "/about", Mark: MarkOf(h.school.Title(), p.site.Host, ""), Local: true}
	}
	if name == "" {
		name = host
	}
	return SchoolView{Name: name, Host: host, Mark: MarkOf(name, host, ""), Quiet: h.quietWords(host)}
}

func (p *Pages) person(h *here, a community.Account, school string) PersonView {
	handle := a.Handle(p.site.Host)
	return PersonView{Name: a.Name(), Handle: handle, URL: personPath(a), School: p.school(h, a.Host, school),
		Avatar: AvatarOf(a.Name(), handle, avatarSrc(a)), Faces: facesOf("account", a.ID, a.Emoji)}
}

// plainName is somebody's name without emoji, for headings and sentences.
func plainName(a community.Account) string {
	return cmp.Or(facesOf("account", a.ID, a.Emoji).without(a.Name()), a.Username)
}

// cards turns posts into what lists show. What the reader's filters hide on
// this page is left out.
func (p *Pages) cards(h *here, views []community.View) []PostCard {
	out := make([]PostCard, 0, len(views))
	for _, v := range views {
		if !h.hides(v) {
			out = append(out, p.card(h, v))
		}
	}
	return out
}

// hides reports whether a filter of the reader's hides a post on this page.
func (h *here) hides(v community.View) bool {
	action, _ := v.FilteredIn(h.place)
	return action == community.FilterHide
}

func (p *Pages) card(h *here, v community.View) PostCard {
	if v.Boosted != nil {
		c := p.card(h, *v.Boosted)
		by := p.person(h, v.Author, v.School)
		c.ID, c.BoostBy = digits(v.ID), &by
		return c
	}
	post := v.Post
	c := PostCard{
		ID: digits(post.ID), URL: postPath(post.ID), Kind: string(post.Kind), Author: p.person(h, v.Author, v.School),
		At: post.CreatedAt, Title: post.Title, Teaser: text.Plain(post.Teaser), Warning: post.Warning,
		Lang: langUnless(post.Language, h.l), Audience: p.audience(h, v), Answered: post.AcceptedAnswerID != nil,
		Replies: int(post.RepliesCount), UsedBy: int(post.UsesCount), Facts: p.facts(h, post), Pictures: pictures(v.Media),
	}
	if post.EditedAt != nil {
		c.Edited = *post.EditedAt
	}
	_, c.Filtered = v.FilteredIn(h.place)
	c.Faces, c.Thing = facesOfPost(post), p.thing(h, v)
	if post.Kind != community.Practice {
		c.HTML = c.Faces.prose(post.HTML)
	}
	if v.ReplyTo != nil && post.InReplyToID != nil {
		to := p.person(h, *v.ReplyTo, v.Schools[v.ReplyTo.Host])
		c.ReplyTo, c.ReplyURL = &to, postPath(*post.InReplyToID)
	}
	for _, name := range post.Contributors {
		c.With = append(c.With, p.contributor(h, v, name))
	}
	for _, t := range v.Tags {
		c.Tags = append(c.Tags, Link{Words: t.Name, URL: "/tags/" + url.PathEscape(t.Tag)})
	}
	c.Poll, c.Quote = p.poll(h, v), p.quote(h, v)
	c.HTML = withoutQuoteLink(c.HTML, v)
	c.Actions, c.More = p.actions(h, v)
	c.More = append(c.More, p.quoteActions(h, v)...)
	return c
}

// contributor is a co-author: one of the people the post names, or what is
// known of somebody who is not known here.
func (p *Pages) contributor(h *here, v community.View, name string) PersonView {
	for _, a := range v.Mentions {
		if a.IRI(p.site) == name || strings.EqualFold(a.Handle(p.site.Host), "@"+strings.TrimPrefix(name, "@")) {
			return p.person(h, a, v.Schools[a.Host])
		}
	}
	return PersonView{Name: name, Handle: name, URL: "/search?q=" + queryEscape(name), Avatar: AvatarOf(name, name, "")}
}

// langUnless is the language of a text where it is not the page's.
func langUnless(lang string, l *Locale) string {
	if lang == "" || strings.EqualFold(lang, l.Tag.String()) {
		return ""
	}
	return lang
}

func (p *Pages) facts(h *here, post community.Post) []Fact {
	var out []Fact
	if post.Level != "" {
		out = append(out, Fact{Name: h.l.T("fact.level"), Value: post.Level})
	}
	if post.Subject != "" {
		out = append(out, Fact{Name: h.l.T("fact.subject"), Value: post.Subject})
	}
	return out
}

// licence is the licence as a fact of the whole post.
func (p *Pages) licence(h *here, post community.Post) []Fact {
	if post.Licence == "" {
		return nil
	}
	name := community.LicenceName(post.Licence)
	if name == "" {
		name = post.Licence
	}
	return []Fact{{Name: h.l.T("fact.licence"), Value: name, URL: post.Licence}}
}

// audience says who can see a post: in this school's words for local posts,
// and in the author's school's for others.
func (p *Pages) audience(h *here, v community.View) AudienceView {
	school := h.school.Title()
	if v.AuthorHost != "" {
		school = v.School
	}
	a := AudienceOf(h.l, string(v.Audience), Reach{School: school, Connected: h.schools, Named: len(v.Mentions), Followers: -1})
	if v.AuthorHost != "" && v.Audience == community.Network {
		a.Detail = h.l.T("audience.network_theirs", "School", school)
	}
	return a
}

func pictures(from []media.Attachment) []Picture {
	out := make([]Picture, 0, len(from))
	for _, a := range from {
		if !strings.HasPrefix(a.Mime, "image/") {
			continue // a recording or a document: see Thing
		}
		pic := Picture{Alt: a.Alt, Decorative: a.Decorative || a.Alt == "", Width: a.Width, Height: a.Height}
		if a.Local() {
			pic.Src, pic.Full = "/media/"+a.Preview, "/media/"+a.Name
		} else {
			pic.Src, pic.Full = "/media/remote/"+digits(a.ID)+"?size=small", "/media/remote/"+digits(a.ID)
		}
		out = append(out, pic)
	}
	return out
}

// actions are what the reader can do with a post: beside it, and in its menu.
func (p *Pages) actions(h *here, v community.View) (beside, menu []Action) {
	at := postPath(v.ID)
	l := h.l
	if h.signedIn() {
		_, quiet := h.quiet[v.AuthorHost] // nothing that is done to it would arrive
		if !quiet {
			beside = append(beside, Action{Words: l.T("post.reply"), Icon: "reply", URL: at + "?answer=reply#composer", Key: "r"})
		}
		if !v.Mine.Author && (!quiet || v.Mine.Liked) {
			thanks := Action{Words: l.T("post.thank"), Icon: "heart", URL: at + "/like", Post: true, Pressed: v.Mine.Liked}
			if v.Mine.Liked {
				thanks.Words, thanks.URL = l.T("post.thanked"), at+"/unlike"
			}
			beside = append(beside, thanks)
			if v.Kind == community.Practice && !v.Mine.Used && !quiet {
				beside = append(beside, Action{Words: l.T("post.use"), Icon: "hand-heart", URL: at + "?answer=acknowledgement#composer"})
			}
		}
		save := Action{Words: l.T("post.save"), Icon: "bookmark", URL: at + "/bookmark", Post: true}
		if v.Mine.Bookmarked {
			save = Action{Words: l.T("post.saved"), Icon: "bookmark", URL: at + "/unbookmark", Post: true, Pressed: true}
		}
		menu = append(menu, save)
		if v.Audience == community.Public && !v.Mine.Boosted && !quiet {
			menu = append(menu, Action{Words: l.T("post.pass_on"), Icon: "send", URL: at + "/boost", Post: true})
		} else if v.Mine.Boosted {
			menu = append(menu, Action{Words: l.T("post.take_back_boost"), Icon: "send", URL: at + "/unboost", Post: true, Pressed: true})
		}
		if v.Mine.ThreadMuted {
			menu = append(menu, Action{Words: l.T("post.unmute_thread"), Icon: "volume-2", URL: at + "/unmute-thread", Post: true, Pressed: true})
		} else {
			menu = append(menu, Action{Words: l.T("post.mute_thread"), Icon: "volume-x", URL: at + "/mute-thread", Post: true})
		}
	}
	if v.EditedAt != nil {
		menu = append(menu, Action{Words: l.T("post.history"), Icon: "history", URL: at + "/history"})
	}
	if v.URI != nil {
		original := v.URL
		if original == "" {
			original = *v.URI
		}
		menu = append(menu, Action{Words: l.T("post.original", "Host", v.AuthorHost), Icon: "link", URL: original})
	}
	switch {
	case v.Mine.Author:
		menu = append(menu,
			Action{Words: l.T("post.edit"), Icon: "pen-line", URL: at + "/edit"},
			Action{Words: l.T("post.delivery"), Icon: "send", URL: at + "/delivery"},
			Action{Words: l.T("post.delete"), Icon: "trash-2", URL: at + "/delete", Danger: true})
	case h.signedIn():
		menu = append(menu,
			Action{Words: l.T("person.mute", "Name", v.Author.Name()), Icon: "volume-x", URL: "/accounts/" + digits(v.AuthorID) + "/mute", Post: true},
			Action{Words: l.T("person.block", "Name", v.Author.Name()), Icon: "ban", URL: "/accounts/" + digits(v.AuthorID) + "/block", Danger: true})
		if h.user.Role.MayModerate() && v.Local() {
			menu = append(menu, Action{Words: l.T("post.remove"), Icon: "trash-2", URL: at + "/delete", Danger: true})
		}
	}
	return beside, menu
}
