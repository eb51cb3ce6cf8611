package federation

import (
	"context"
	"net/http"
	"time"

	"github.com/chalkring/chalkring/internal/community"
	"github.com/chalkring/chalkring/internal/store"
)

const (
	// erasuresEvery is how often it is looked for deletions that were refused.
	erasuresEvery = time.Hour
	// eraseAgainAfter is how long one that was refused waits before it is
	// delivered again.
	eraseAgainAfter = 6 * time.Hour
	// mostErasures is how many are delivered again in one go.
	mostErasures = 500
)

// eraseAgain has deletions delivered again that servers refused, or could not
// take for reasons of their own: what those did not do with anything else is
// their last word, but what people took back is told for as long as a deletion
// is tried. A server that says it does not know them is done with.
func (f *Federation) eraseAgain(ctx context.Context) {
	if !f.refetched.allow("erasures", f.db.Now(), erasuresEvery) {
		return
	}
	var again []struct {
		ID   int64
		Host string
	}
	err := f.db.Write(ctx, func(tx *store.Tx) error {
		again = nil
		err := tx.Raw(`UPDATE deliveries SET state = 'waiting', attempts = 0, done_at = NULL WHERE id IN (
			SELECT d.id FROM deliveries d JOIN outgoing o ON o.id = d.outgoing_id
			WHERE d.state = 'refused' AND d.done_at <= ? AND d.created_at > ? AND d.status IN ? AND o.verb IN ? AND o.body IS NOT NULL
			ORDER BY d.done_at LIMIT ?) RETURNING id, host`,
			tx.Now.Add(-eraseAgainAfter), tx.Now.Add(-max(f.retryFor, eraseFor)),
			[]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError, http.StatusNotImplemented},
			[]community.Verb{community.VerbDelete, community.VerbDeleteActor}, mostErasures).Scan(&again).Error
		if err != nil || len(again) == 0 {
			return err
		}
		hosts := map[string]bool{}
		var all []string
		for _, d := range again {
			if !hosts[d.Host] {
				hosts[d.Host] = true
				all = append(all, d.Host)
			}
		}
		return enter(tx, deliveriesQueue, all...)
	})
	if err != nil && ctx.Err() == nil {
		f.log.Error("deletions not delivered again", "err", err)
	}
	if len(again) == mostErasures {
		f.refetched.forget("erasures")
	}
}
