package web

import (
	"html/template"
	"time"
)

// Table is a table with a caption. On a narrow screen it scrolls by itself.
type Table struct {
	Caption string
	Heads   []Head
	Rows    [][]Cell // the first cell of a row is its heading
	Empty   EmptyState
}

// Head is a column's heading.
type Head struct {
	Words   string
	Numeric bool // right-aligned, numerals that line up
}

// Cell is one cell. What is not set is left out; HTML is markup made here.
type Cell struct {
	Words   string
	Detail  string
	URL     string
	State   *State
	At      time.Time
	Person  *PersonView
	Actions []Action
	HTML    template.HTML
	Numeric bool
}

// State is a state in words and a picture; the colour only repeats it.
type State struct {
	Tone  string // "good", "wait", "bad" or "quiet"
	Icon  string
	Words string
}

// DeliveryPanel tells where a post went, and why not where it did not.
type DeliveryPanel struct {
	Summary []Count
	Rows    []DeliveryRow
	Held    string // why nothing leaves at all: an audience that stays here
}

// Count is a number with its name.
type Count struct {
	N     int
	Words string
	State *State
}

// DeliveryRow is one server the post was for.
type DeliveryRow struct {
	School SchoolView
	State  State
	Reason string
	Tries  int
	At     time.Time // the last try
	Next   time.Time // the next one
}

// PeerCard is one server on the administrator's map of connections.
type PeerCard struct {
	School   SchoolView
	URL      string
	State    State
	Trouble  *State // what is wrong besides
	Kind     string // what it is: a school, a forum
	Software string
	LastIn   time.Time
	LastOut  time.Time
	Queue    int
	Held     int    // messages for it that are held because it is not connected
	Holds    int    // what it sent and a person has to look at
	Names    int    // names of it that wait for a person
	Shares   string // the widest audience that is sent to it, in words
	Preset   string
	Note     string
	Reason   string
	By       string
	Since    time.Time
	Review   time.Time
	Overdue  bool // the review's day has come
	Expires  time.Time
	Request  bool // it has no entry: it asked, or was asked
	Actions  []Action
	Menu     []Action
}

// BarChart is a small chart drawn by the server, with its numbers as a table
// for those who listen or look closely.
type BarChart struct {
	Title string
	Unit  string // what is counted, heading of the table's second column
	Label string // heading of the first: "Week"
	Bars  []Bar
}

// Bar is one bar. Short is what fits below it.
type Bar struct {
	Label, Short string
	Value        int
	Tone         string // "", "signal"
}

// The chart's measures, in the units of its viewBox.
const (
	chartWidth  = 320
	chartHeight = 120
	chartFoot   = 18 // for the labels
	chartHead   = 16 // for the highest value
)

// ChartBar is a Bar with its place in the drawing.
type ChartBar struct {
	Bar
	X, Y, W, H, Mid float64
}

// Drawn places the bars. A value above zero is always at least visible.
func (c BarChart) Drawn() []ChartBar {
	if len(c.Bars) == 0 {
		return nil
	}
	top := 1
	for _, b := range c.Bars {
		top = max(top, b.Value)
	}
	step := float64(chartWidth) / float64(len(c.Bars))
	room := float64(chartHeight - chartFoot - chartHead)
	bars := make([]ChartBar, len(c.Bars))
	for i, b := range c.Bars {
		h := room * float64(b.Value) / float64(top)
		if b.Value > 0 {
			h = max(h, 2)
		}
		w := min(step*0.7, 40)
		x := step*float64(i) + (step-w)/2
		bars[i] = ChartBar{b, x, chartHeight - chartFoot - h, w, h, x + w/2}
	}
	return bars
}

// Base is where the bars stand.
func (c BarChart) Base() int { return chartHeight - chartFoot }
