package federation

import (
	"context"
	"time"

	"github.com/chalkring/chalkring/federation/as2"
	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// departedEvery is how often at most it is looked up whether an account is
// really gone.
const departedEvery = 10 * time.Minute

// mayHaveDeparted takes down that an account was deleted, as somebody tells
// whose signature cannot be checked, since the key went with it. If the account
// is known here, its server is asked, whose word at the account's own address
// counts and no other.
//
// W3C ActivityPub, section 6.4 (410 Gone); FEP-fe34.
func (f *Federation) mayHaveDeparted(ctx context.Context, s *sender, env as2.Envelope, body []byte) error {
	if !s.admitted || !iri.SameOrigin(env.Actor, s.claim.KeyID) || !iri.SameOrigin(env.ID, env.Actor) {
		return nil
	}
	var account community.Account
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		account, err = community.AccountByURI(tx, env.Actor)
		return err
	})
	switch {
	case fault.Is(err, fault.NotFound):
		return nil
	case err != nil:
		return err
	case account.Local() || account.DeletedAt != nil || !f.refetched.allow("departed "+env.Actor, f.db.Now(), departedEvery):
		return nil
	}
	c := &comer{host: s.host, id: s.host + " " + env.ID, actor: env.Actor, kind: env.Type, body: body, unproven: true}
	f.intake.wait(c)
	return c.err
}
