package federation

import (
	"context"
	"maps"
	"slices"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

// silence carries what the policy says of silence to the accounts of servers of
// which it changed, some at a time. What is left undone is seen again from what
// the tables say.
func (f *Federation) silence(ctx context.Context) {
	var due map[string]bool
	err := f.db.Read(ctx, func(tx *store.Tx) (err error) {
		due, err = community.SilenceDue(tx)
		return err
	})
	for _, host := range slices.Sorted(maps.Keys(due)) {
		for more := true; more && err == nil && ctx.Err() == nil; {
			err = f.db.Batch(ctx, func(tx *store.Tx) (err error) {
				more, err = community.MoreSilence(tx, host)
				return err
			})
		}
	}
	if err != nil && ctx.Err() == nil {
		f.log.Error("accounts not marked as silenced", "err", err)
	}
}
