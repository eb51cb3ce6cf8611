package peers

import "time"

// State is how it stands with a server, in one word: its standing, told apart
// where it is allowed by how far the connection has come. It decides nothing.
type State string

// The states. A server without an entry has none, but may have asked or have
// been asked: see Request.
const (
	StateNone     State = ""
	StateActive   State = "active"
	StateTrial    State = "trial"
	StateOneSided State = "one_sided" // allowed here, and they have not said or shown the same
	StatePaused   State = "paused"
	StateRetired  State = "retired"
	StateExpired  State = "expired"
	StateBlocked  State = "blocked"
)

// States lists the states in the order of pages.
func States() []State {
	return []State{StateActive, StateTrial, StateOneSided, StatePaused, StateRetired, StateExpired, StateBlocked}
}

// State is how it stands with the peer at a moment.
func (p Peer) State(now time.Time) State {
	switch {
	case p.Standing == Allowed && p.over(now):
		return StateExpired
	case p.Standing == Allowed && p.Preset == PresetTrial:
		return StateTrial
	case p.Standing == Allowed && p.TheirView != ViewAllowed:
		return StateOneSided
	case p.Standing == Allowed:
		return StateActive
	}
	return State(p.Standing) // the others are one thing
}

// inState is the condition for it in SQL, for a table peers named p. Standings
// are written out, so that the partial indexes serve it.
func (s State) inState(now time.Time) (where string, args []any) {
	const current = "p.standing = 'allowed' AND (p.expires_at IS NULL OR p.expires_at > ?)"
	switch s {
	case StateActive:
		return "p.standing <> 'blocked' AND p.preset <> 'trial' AND p.their_view = 'allowed' AND " + current, []any{now}
	case StateTrial:
		return "p.standing <> 'blocked' AND p.preset = 'trial' AND " + current, []any{now}
	case StateOneSided:
		return "p.standing <> 'blocked' AND p.preset <> 'trial' AND p.their_view <> 'allowed' AND " + current, []any{now}
	case StatePaused:
		return "p.standing <> 'blocked' AND p.standing = 'paused'", nil
	case StateRetired:
		return "p.standing <> 'blocked' AND p.standing = 'retired'", nil
	case StateExpired:
		return "p.standing <> 'blocked' AND (p.standing = 'expired' OR p.standing = 'allowed' AND p.expires_at <= ?)", []any{now}
	case StateBlocked:
		return "p.standing = 'blocked'", nil
	}
	return "p.standing <> 'blocked'", nil
}
