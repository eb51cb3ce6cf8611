package web

import (
	"math"

	"github.com/chalkring/chalkring/internal/peers"
)

// peerMap is the picture of all connections: this server in the middle, the
// others around it on rings, the nearer the more is sent to them, each with a
// mark of its state. The same numbers stand in a table.
type peerMap struct {
	Rings   []mapRing
	Marks   []mapMark
	Per     string // how many servers one mark stands for, if it is more than one
	Legend  []mapSign
	Numbers Table
	Blocked string
	Any     bool
}

// mapRing is one level.
type mapRing struct {
	R     int
	Y     int // of its name
	Words string
}

// mapMark is a place on a ring.
type mapMark struct {
	X, Y  float64
	Shape string
}

// mapSign is a shape with its meaning.
type mapSign struct {
	Shape, Words string
}

// The picture's measures, in the units of its viewBox.
const (
	mapMiddle = 160
	mapStep   = 33
	mapInner  = 46
	mapMarkAt = 14.0 // from one mark to the next on a ring
	mapGap    = math.Pi / 3
)

// mapOf draws the connections. Blocked servers are counted, not drawn.
func mapOf(l *Locale, tallies []peers.Tally) peerMap {
	levels := []peers.Ceiling{peers.CeilingGroup, peers.CeilingNetwork, peers.CeilingPublic, peers.CeilingNone}
	names := []string{l.T("peers.level_group"), l.T("peers.level_network"), l.T("peers.level_public"), l.T("peers.level_none")}
	shown := []peers.State{peers.StateActive, peers.StateTrial, peers.StateOneSided, peers.StatePaused, peers.StateRetired, peers.StateExpired}
	count, blocked := map[peers.Ceiling]map[peers.State]int{}, 0
	totals := map[peers.State]int{}
	var m peerMap
	for _, t := range tallies {
		if t.State == peers.StateBlocked {
			blocked += t.N
			continue
		}
		if count[t.Ceiling] == nil {
			count[t.Ceiling] = map[peers.State]int{}
		}
		count[t.Ceiling][t.State] += t.N
		totals[t.State] += t.N
		m.Any = true
	}
	if blocked > 0 {
		m.Blocked = l.T("peers.map_blocked", "Count", blocked)
	}
	// One scale for all rings, so that twice as many marks are twice as many servers.
	per := 1
	for i, level := range levels {
		sum, room := 0, roomOn(mapInner+i*mapStep)
		for _, n := range count[level] {
			sum += n
		}
		for sum/per+len(shown) > room && sum > room {
			per++
		}
	}
	if per > 1 {
		m.Per = l.T("peers.map_per", "Count", per)
	}
	m.Numbers = Table{Caption: l.T("peers.map_numbers"), Heads: []Head{{Words: l.T("peers.map_level")}}}
	for _, s := range shown {
		if totals[s] > 0 {
			m.Legend = append(m.Legend, mapSign{Shape: string(s), Words: stateWords(l, s)})
		}
		m.Numbers.Heads = append(m.Numbers.Heads, Head{Words: stateWords(l, s), Numeric: true})
	}
	for i, level := range levels {
		r := mapInner + i*mapStep
		m.Rings = append(m.Rings, mapRing{R: r, Y: mapMiddle - r + 4, Words: names[i]})
		row := []Cell{{Words: ceilingWords(l, level)}}
		var shapes []string
		for _, s := range shown {
			n := count[level][s]
			row = append(row, Cell{Words: l.Number(int64(n)), Numeric: true})
			for range (n + per - 1) / per {
				shapes = append(shapes, string(s))
			}
		}
		m.Numbers.Rows = append(m.Numbers.Rows, row)
		// Spread evenly, from the right of the ring's name round to its left.
		for k, shape := range shapes {
			at := -math.Pi/2 + mapGap/2 + (2*math.Pi-mapGap)*(float64(k)+0.5)/float64(len(shapes))
			m.Marks = append(m.Marks, mapMark{X: mapMiddle + float64(r)*math.Cos(at), Y: mapMiddle + float64(r)*math.Sin(at), Shape: shape})
		}
	}
	return m
}

// roomOn is how many marks a ring has room for.
func roomOn(r int) int { return int((2*math.Pi - mapGap) * float64(r) / mapMarkAt) }
