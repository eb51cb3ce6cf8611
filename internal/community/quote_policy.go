package community

import (
	"cmp"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/store"
)

// QuotePolicy says who may quote what somebody here writes for everybody.
// Whatever is for fewer people, its author alone may quote.
//
// FEP-044f, "Interaction policy".
type QuotePolicy string

// The policies. The empty one is QuotedByFollowers.
const (
	QuotedByAnyone    QuotePolicy = "public"
	QuotedByFollowers QuotePolicy = "followers"
	QuotedByNobody    QuotePolicy = "nobody" // but the author
)

// Valid reports whether q is a policy that somebody can choose.
func (q QuotePolicy) Valid() bool {
	return q == QuotedByAnyone || q == QuotedByFollowers || q == QuotedByNobody
}

// Quotes returns who may quote the post, which is of this server.
func (p Post) Quotes() QuotePolicy {
	if p.Audience != Public {
		return QuotedByNobody
	}
	return cmp.Or(p.QuotePolicy, QuotedByFollowers)
}

// Quotes returns who may quote what this person writes, if nothing else is said.
func (u User) Quotes() QuotePolicy { return cmp.Or(u.QuotePolicy, QuotedByFollowers) }

func badQuotePolicy() error {
	return fault.Invalidf("quote_approval_policy", "Choose who may quote this: public, followers or nobody.").WithKey("quote.policy", nil)
}

// SetQuotePolicy changes who may quote a post of me's. What was quoted before
// stays: RevokeQuote takes that back. Other servers are told.
func SetQuotePolicy(tx *store.Tx, me Account, post int64, policy QuotePolicy) (Post, error) {
	if !policy.Valid() {
		return Post{}, badQuotePolicy()
	}
	p, err := mine(tx, me, post)
	if err != nil || p.Quotes() == policy {
		return p, err
	}
	if p.Audience != Public && policy != QuotedByNobody {
		return Post{}, fault.Keyed(fault.Invalid, "quote.policy_closed", "Only public posts can be quoted by others, and this one is not for everybody.", nil)
	}
	p.QuotePolicy = policy
	if err := tx.Exec("UPDATE posts SET quote_policy = ? WHERE id = ?", policy, p.ID).Error; err != nil {
		return Post{}, err
	}
	tx.Announce(PostReacted, p.ID)
	if !p.Audience.Travels() {
		return p, nil
	}
	return p, enqueue(tx, Outgoing{Verb: VerbUpdate, ActorID: me.ID, PostID: &p.ID, Audience: p.Audience, Facts: Facts{Unedited: true}})
}
