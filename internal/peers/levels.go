package peers

import "github.com/chalkring/chalkring/internal/store"

// Levels is how many servers are connected at each ceiling, and how many are
// blocked: what everybody may know of the policy, without names.
type Levels struct {
	ByCeiling map[Ceiling]int
	Connected int
	Blocked   int
}

// LevelsOf counts the entries of the policy. An allowed server below a blocked
// domain counts as neither.
func LevelsOf(tx *store.Tx) (Levels, error) {
	var rows []struct {
		Standing Standing
		Ceiling  Ceiling
		N        int
	}
	l := Levels{ByCeiling: map[Ceiling]int{}}
	err := tx.Raw(`SELECT peers.standing, peers.ceiling, COUNT(*) AS n FROM peers LEFT JOIN hosts ON hosts.host = peers.host
		WHERE peers.standing = ? OR peers.standing = ? AND (peers.expires_at IS NULL OR peers.expires_at > ?) AND (hosts.host IS NULL OR NOT hosts.blocked)
		GROUP BY peers.standing, peers.ceiling`, Blocked, Allowed, tx.Now).Scan(&rows).Error
	for _, r := range rows {
		if r.Standing == Blocked {
			l.Blocked += r.N
			continue
		}
		l.ByCeiling[r.Ceiling] += r.N
		l.Connected += r.N
	}
	return l, err
}
