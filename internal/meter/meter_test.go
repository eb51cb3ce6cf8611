package meter

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func written(t *testing.T, m *Meter) string {
	t.Helper()
	var b strings.Builder
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWrite(t *testing.T) {
	m := New()
	took := m.Histogram("a_seconds", "How long it took.", []float64{.01, 5}, "route")
	m.Gauge("a_seconds_open", "Between two of its name.").With().Add(2)
	m.Counter("b_total", "Nothing happened.")
	c := m.Counter("c_total", "What happened.", "kind", "outcome")
	m.Counter("d_total", "No series yet.", "kind")
	took.With("/{id:[0-9]+}").Update(.005)
	took.With("/{id:[0-9]+}").Update(7)
	took.With("/").Update(1)
	c.With("x", "y").Add(3)
	c.With("a\"b\\c\nd\xff}", strings.Repeat("é", 150)).Inc()
	const want = `# HELP a_seconds How long it took.
# TYPE a_seconds histogram
a_seconds_bucket{route="/",le="0.01"} 0
a_seconds_bucket{route="/",le="5"} 1
a_seconds_bucket{route="/",le="+Inf"} 1
a_seconds_sum{route="/"} 1
a_seconds_count{route="/"} 1
a_seconds_bucket{route="/{id:[0-9]+}",le="0.01"} 1
a_seconds_bucket{route="/{id:[0-9]+}",le="5"} 1
a_seconds_bucket{route="/{id:[0-9]+}",le="+Inf"} 2
a_seconds_sum{route="/{id:[0-9]+}"} 7.005
a_seconds_count{route="/{id:[0-9]+}"} 2
# HELP a_seconds_open Between two of its name.
# TYPE a_seconds_open gauge
a_seconds_open 2
# HELP b_total Nothing happened.
# TYPE b_total counter
b_total 0
# HELP c_total What happened.
# TYPE c_total counter
`
	got := written(t, m)
	rest, ok := strings.CutPrefix(got, want)
	if !ok {
		t.Fatalf("wrote\n%s\nwant\n%s", got, want)
	}
	odd := `c_total{kind="a\"b\\c\nd}",outcome="` + strings.Repeat("é", 100) + `"} 1` + "\n"
	if rest != odd+"c_total{kind=\"x\",outcome=\"y\"} 3\n" {
		t.Errorf("with odd values, wrote\n%s", rest)
	}
}

// However many values there are, a family stays small, and nothing is counted
// twice or not at all.
func TestManySeries(t *testing.T) {
	m := New()
	c := m.Counter("c_total", "What happened.", "kind")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 2 * mostSeries {
				c.With(fmt.Sprint(i)).Inc()
			}
		})
	}
	all.Wait()
	got := written(t, m)
	if n := strings.Count(got, "\n"); n > mostSeries+1+2 {
		t.Errorf("%d lines", n)
	}
	sum := uint64(0)
	for _, series := range c.seen {
		sum += series.Get()
	}
	if sum != 4*2*mostSeries || c.With("new").Get() < 4*(mostSeries-1) {
		t.Errorf("counted %d, of them %d as others", sum, c.With("new").Get())
	}
}

func TestWithAllocatesNothing(t *testing.T) {
	m := New()
	took := m.Histogram("a_seconds", "How long it took.", []float64{1}, "method", "route", "status")
	if n := testing.AllocsPerRun(100, func() { took.With("GET", "/", "2xx").Update(.5) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
