package mastodon

import (
	"regexp"
	"strings"

	"github.com/chalkring/chalkring/internal/community"
	words "github.com/chalkring/chalkring/internal/text"
)

// StatusExtras is what a post here has and Mastodon's Status has no place for.
// Clients that do not know it pass it over.
type StatusExtras struct {
	Kind             community.Kind     `json:"kind"`
	Audience         community.Audience `json:"audience"`
	AudienceWords    string             `json:"audience_words"`
	School           School             `json:"school"`
	Title            string             `json:"title,omitempty"`
	Subject          string             `json:"subject,omitempty"`
	Level            string             `json:"level,omitempty"`
	Licence          string             `json:"licence,omitempty"` // the licence's address
	Sections         []SectionExtras    `json:"sections,omitempty"`
	AcceptedAnswerID *int64             `json:"accepted_answer_id,string,omitempty"`
	UsesCount        int64              `json:"uses_count,omitempty"`
}

// SectionExtras is one part of a practice post, in Markdown.
type SectionExtras struct {
	Name    string `json:"name"`
	Heading string `json:"heading"`
	Text    string `json:"text"`
}

// School is a server, by what it is called.
type School struct {
	Name string `json:"name"`
	Host string `json:"host"`
}

// AccountExtras is what an account here has besides Mastodon's Account.
type AccountExtras struct {
	School School         `json:"school"`
	Role   community.Role `json:"role,omitempty"` // only one's own
}

// audienceWords says to whom a post is shown.
func audienceWords(p community.Post, school string) string {
	switch p.Audience {
	case community.Me:
		return "Only the author"
	case community.People:
		return "Only the people named"
	case community.Group:
		return "Members of the group"
	case community.School:
		return "Signed-in teachers at " + school
	case community.Followers:
		return "People who follow the author"
	case community.Network:
		return "Teachers at " + school + " and at schools connected with it"
	case community.Public:
		return "Everyone"
	}
	return ""
}

// school is a server as clients are told it.
func (s shape) school(host string) School {
	out := School{Name: s.schools[host], Host: host}
	if host == "" {
		out.Host = s.site.Host
	}
	if out.Name == "" {
		out.Name = out.Host
	}
	return out
}

func (s shape) extras(v community.View) *StatusExtras {
	school := s.school(v.AuthorHost)
	out := &StatusExtras{Kind: v.Kind, Audience: v.Audience, AudienceWords: audienceWords(v.Post, school.Name), School: school, Title: v.Title,
		Subject: v.Subject, Level: v.Level, Licence: v.Licence, AcceptedAnswerID: v.AcceptedAnswerID, UsesCount: v.UsesCount}
	if v.Sections != nil {
		for _, part := range v.Sections.List() {
			out.Sections = append(out.Sections, SectionExtras{Name: part.Name, Heading: part.Heading, Text: part.Markdown})
		}
	}
	return out
}

// AppTag is the app that a status was written with.
type AppTag struct {
	Name    string  `json:"name"`
	Website *string `json:"website"`
}

func appTag(v community.View) *AppTag {
	if v.App == nil {
		return nil
	}
	return &AppTag{Name: v.App.Name, Website: text(v.App.Website)}
}

// PreviewCard is Mastodon's PreviewCard entity.
type PreviewCard struct {
	URL          string       `json:"url"`
	Title        string       `json:"title"`
	Description  string       `json:"description"`
	Language     *string      `json:"language"`
	Type         string       `json:"type"`
	AuthorName   string       `json:"author_name"`
	AuthorURL    string       `json:"author_url"`
	Authors      []CardAuthor `json:"authors"`
	ProviderName string       `json:"provider_name"`
	ProviderURL  string       `json:"provider_url"`
	HTML         string       `json:"html"`
	Width        int64        `json:"width"`
	Height       int64        `json:"height"`
	Image        *string      `json:"image"`
	ImageAlt     string       `json:"image_description"`
	EmbedURL     string       `json:"embed_url"`
	Blurhash     *string      `json:"blurhash"`
	PublishedAt  *stamp       `json:"published_at"`
}

// CardAuthor is who made what a PreviewCard shows.
type CardAuthor struct {
	Name    string   `json:"name"`
	URL     string   `json:"url"`
	Account *Account `json:"account"`
}

// card leads from a practice post to its page, where it stands in its sections:
// clients show the text in one piece. Where there are pictures, a poll or a
// quote they have no room for a card. Other posts have none: this server looks
// up no links, and tells nobody what is read here.
func (s shape) card(v community.View) *PreviewCard {
	if v.Kind != community.Practice || v.Title == "" || len(v.Media) > 0 || v.Poll != nil || v.QuoteURI != "" {
		return nil
	}
	at := stampOf(v.CreatedAt)
	school := s.school(v.AuthorHost)
	author := CardAuthor{Name: v.Author.DisplayName, URL: s.profile(v.Author)}
	if author.Name == "" {
		author.Name = acct(v.Author)
	}
	return &PreviewCard{URL: s.postURL(v.Post), Title: v.Title, Description: words.Teaser(v.Teaser), Language: text(v.Language), Type: "link",
		AuthorName: author.Name, AuthorURL: author.URL, Authors: []CardAuthor{author}, ProviderName: school.Name,
		ProviderURL: "https://" + school.Host + "/", PublishedAt: &at}
}

var headings = regexp.MustCompile(`<(/?)h[1-6](?: [^>]*)?>`)

// flattened is safe HTML whose headings are bold paragraphs, as Mastodon itself
// makes them: many clients run a heading into the text below it.
func flattened(safe string) string {
	if !strings.Contains(safe, "<h") {
		return safe
	}
	return headings.ReplaceAllStringFunc(safe, func(tag string) string {
		switch {
		case strings.HasPrefix(tag, "<hr"):
			return tag
		case strings.HasPrefix(tag, "</"):
			return "</strong></p>"
		}
		return "<p><strong>"
	})
}
