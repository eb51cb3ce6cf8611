package community

import (
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// reach is which servers an entry is about, as a condition on a column of
// hosts: all the names by which the peer is talked to, and for a block or one
// with everything below, what lies below its own.
type reach struct {
	names []string
	below string
	id    int64
	block bool
}

func reachOf(tx *store.Tx, p peers.Peer) (reach, error) {
	r := reach{names: []string{p.Host}, id: p.ID, block: p.Standing == peers.Blocked}
	if p.Subtree || r.block {
		r.below = "%." + p.Host
	}
	var more []string
	err := tx.Raw("SELECT host FROM peer_hosts WHERE peer_id = ? AND confirmed_at IS NOT NULL AND role IN ? AND host <> ?", p.ID,
		[]peers.Role{peers.RoleActor, peers.RoleHandle, peers.RoleFormer}, p.Host).Scan(&more).Error
	r.names = append(r.names, more...)
	return r, err
}

// on is the condition, with its arguments.
func (r reach) on(column string) (string, []any) {
	switch {
	case r.below == "":
		return column + " IN ?", []any{r.names}
	case r.block:
		return "(" + column + " IN ? OR " + column + " LIKE ?)", []any{r.names, r.below}
	}
	// a name below that somebody decided about by itself is another peer
	return "(" + column + " IN ? OR " + column + " LIKE ? AND NOT EXISTS (SELECT 1 FROM peer_hosts other WHERE other.host = " + column +
		" AND other.peer_id <> ? AND other.confirmed_at IS NOT NULL))", []any{r.names, r.below, r.id}
}
