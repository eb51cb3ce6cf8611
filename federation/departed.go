package federation

import (
	"context"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/iri"
	"github.com/chalkring/chalkring/internal/store"
)

// departedEvery is how often at most it is looked up whether an account is
// really gone.
const departedEvery = 10 * time.Minute

// mayHaveDeparted looks up whether an account is gone whose deletion was told
// with a signature that cannot be checked, since the key went with it: its
// server's word at the account's own address counts, and no other. Nothing
// waits for it.
//
// W3C ActivityPub, section 6.4 (410 Gone); FEP-fe34.
func (f *Federation) mayHaveDeparted(actor string, s *sender) {
	if !s.admitted || !iri.SameOrigin(actor, s.claim.KeyID) {
		return
	}
	f.aside(context.Background(), func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, fetchWithin)
		defer cancel()
		var account community.Account
		err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
			account, err = community.AccountByURI(tx, actor)
			return err
		})
		if err != nil || account.Local() || account.DeletedAt != nil || !f.refetched.allow("departed "+actor, f.db.Now(), departedEvery) {
			return
		}
		if _, err := f.actorAt(ctx, actor); !fault.Is(err, fault.Gone) {
			return
		}
		if err := f.db.Batch(ctx, func(tx *store.Tx) error { return community.DeleteRemote(tx, account) }); err != nil {
			f.log.Error("account not deleted", "account", account.ID, "err", err)
		}
	})
}
