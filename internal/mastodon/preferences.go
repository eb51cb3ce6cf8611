package mastodon

import (
	"cmp"
	"strings"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// defaultVisibility is the word for what somebody usually writes for.
func defaultVisibility(u community.User) string {
	return visibility(community.Post{Audience: u.DefaultAudience})
}

// defaultLanguage is the language of what somebody writes with an app that does
// not say it.
func defaultLanguage(u community.User) string { return cmp.Or(u.DefaultLanguage, u.Locale) }

// preferences answers GET /api/v1/preferences. How pictures and warnings are
// shown is for each app to say.
func (a *API) preferences(c *call) (any, error) {
	user := c.access.Person.User
	return map[string]any{"posting:default:visibility": defaultVisibility(user), "posting:default:sensitive": user.DefaultSensitive,
		"posting:default:language": text(defaultLanguage(user)), "posting:default:quote_policy": user.Quotes(),
		"reading:expand:media": "default", "reading:expand:spoilers": false, "reading:autoplay:gifs": false}, nil
}

// keepPosting takes over what PATCH /api/v1/accounts/update_credentials says in
// source: what is used when a client says nothing. A word that stands for
// several audiences keeps the one that was chosen on our pages.
func (a *API) keepPosting(tx *store.Tx, c *call) error {
	const privacy, sensitive, language, quotes = "source[privacy]", "source[sensitive]", "source[language]", "source[quote_policy]"
	if !c.Has(privacy) && !c.Has(sensitive) && !c.Has(language) && !c.Has(quotes) {
		return nil
	}
	user := &c.access.Person.User
	p := community.Posting{Audience: user.DefaultAudience, Sensitive: c.flag(sensitive, user.DefaultSensitive), Language: user.DefaultLanguage, Quotes: user.QuotePolicy}
	if word := c.Get(privacy); word != "" && word != defaultVisibility(*user) {
		switch word {
		case "public":
			p.Audience = community.Public
		case "unlisted":
			p.Audience = community.Network
		case "private":
			p.Audience = community.Followers
		default:
			return fault.Invalidf("privacy", "What you usually write for is public, unlisted or private. Choose people for each post.")
		}
	}
	if c.Has(language) {
		p.Language = strings.ReplaceAll(c.Get(language), "_", "-")
	}
	if word := c.Get(quotes); word != "" {
		p.Quotes = community.QuotePolicy(word)
	}
	if err := community.SetPosting(tx, c.me.ID, p); err != nil {
		return err
	}
	user.DefaultAudience, user.DefaultSensitive, user.DefaultLanguage, user.QuotePolicy = p.Audience, p.Sensitive, p.Language, p.Quotes
	return nil
}
