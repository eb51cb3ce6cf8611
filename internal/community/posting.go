package community

import (
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// Posting is what counts for somebody's posts when an app says nothing else.
type Posting struct {
	Audience  Audience
	Sensitive bool
	Language  string // BCP 47; empty: the language that they read in
	Quotes    QuotePolicy
}

// SetPosting changes what counts for the posts of me. What the role of me does
// not allow for a post cannot be the usual thing either.
func SetPosting(tx *store.Tx, me int64, p Posting) error {
	u, err := writer(tx, me)
	if err != nil {
		return err
	}
	var c fault.Check
	if p.Audience != u.DefaultAudience { // one that was allowed once may stay: a post is judged anyway
		Draft{Audience: p.Audience}.checkAudience(&c, setting{ceiling: u.Role.Ceiling()})
	}
	if p.Language != "" && !languageTag.MatchString(p.Language) {
		c.Add("language", "draft.language", "Choose a language from the list.", nil)
	}
	if p.Quotes != "" && !p.Quotes.Valid() {
		c.Take(badQuotePolicy())
	}
	if err := c.Err(); err != nil {
		return err
	}
	return tx.Exec("UPDATE users SET default_audience = ?, default_sensitive = ?, default_language = ?, quote_policy = ? WHERE account_id = ?",
		p.Audience, p.Sensitive, p.Language, p.Quotes, me).Error
}
