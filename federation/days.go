package federation

import (
	"slices"
	"time"

	"github.com/chalkring/chalkring/internal/store"
)

// How many posts of a peer are taken a day, where that is limited, is counted in
// its row, so that a restart begins no new day. Of other peers nothing is
// counted. Days are UTC's.

// today names the day.
func today(now time.Time) string { return now.UTC().Format(time.DateOnly) }

// untilTomorrow is how long the day lasts.
func untilTomorrow(now time.Time) time.Duration {
	return now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now.UTC())
}

// postsToday returns how many posts of peers were taken today, by main name.
func postsToday(tx *store.Tx, names []string) (map[string]int64, error) {
	taken := make(map[string]int64, len(names))
	err := tx.Ask(store.Question{SQL: "SELECT peer, posts FROM peer_days WHERE peer IN ? AND day = ?", Args: []any{names, today(tx.Now)},
		Row: func(r *store.Row) {
			name := r.Text()
			taken[name] = r.Int()
		}})
	return taken, err
}

// primeDays asks how many posts were taken today of those peers in a round of
// whom no more than so many are.
func (b *book) primeDays(rows []*arrived) error {
	var names []string
	for _, row := range rows {
		if !row.decided && row.reading != nil && row.held == 0 && row.policy.PerDay > 0 && !slices.Contains(names, row.policy.Peer) {
			names = append(names, row.policy.Peer)
		}
	}
	if len(names) == 0 {
		return nil
	}
	days, err := postsToday(b.tx, names)
	b.days = days
	return err
}

// spent reports whether no more posts of whoever sent this one are taken today,
// and counts it otherwise.
func (b *book) spent(row *arrived) bool {
	if row.policy.PerDay <= 0 || row.held != 0 {
		return false
	}
	if b.days == nil {
		b.days = map[string]int64{}
	}
	if b.days[row.policy.Peer] >= row.policy.PerDay {
		return true
	}
	b.days[row.policy.Peer]++
	row.counts = true
	return false
}

// noteDays adds what a round took to the counts of the day.
func noteDays(tx *store.Tx, rows []*arrived) error {
	var counts map[string]int64
	for _, row := range rows {
		if !row.counts {
			continue
		}
		switch row.outcome {
		case "done", "orphan", "held":
			if counts == nil {
				counts = map[string]int64{}
			}
			counts[row.policy.Peer]++
		}
	}
	for name, n := range counts {
		err := tx.Exec(`INSERT INTO peer_days (peer, day, posts) VALUES (?, ?, ?) ON CONFLICT (peer) DO UPDATE SET
			posts = CASE WHEN peer_days.day = excluded.day THEN peer_days.posts + excluded.posts ELSE excluded.posts END, day = excluded.day`,
			name, today(tx.Now), n).Error
		if err != nil {
			return err
		}
	}
	return nil
}
