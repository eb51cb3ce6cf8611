// Package meter counts what a server does and writes the figures down in the
// text format that Prometheus reads.
package meter

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/VictoriaMetrics/metrics"
)

// ContentType is that of the text format, version 0.0.4.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Meter holds one server's figures; none are shared in a process.
type Meter struct {
	set *metrics.Set

	mu    sync.RWMutex
	about map[string]string // the lines with HELP and TYPE, by the name of a family
}

// New returns a meter without figures.
func New() *Meter {
	return &Meter{set: metrics.NewSet(), about: map[string]string{}}
}

const (
	mostLabels = 3
	// mostSeries is how many series of a family are told apart. Labels come out
	// of short lists; if one ever should not, its series must not fill the memory.
	mostSeries = 2000
	// longestValue is how much of a label's value is shown.
	longestValue = 200
)

// Family is every series of one name, told apart by the values of its labels.
type Family[M any] struct {
	name   string
	labels []string
	open   func(series string) *M

	mu   sync.RWMutex
	seen map[[mostLabels]string]*M
}

// The kinds of families.
type (
	Counter   = Family[metrics.Counter]
	Gauge     = Family[metrics.Gauge]
	Histogram = Family[metrics.PrometheusHistogram]
)

// Counter adds a family of what only grows. A family without labels is shown
// from the start, others as soon as there is something to show.
func (m *Meter) Counter(name, help string, labels ...string) *Counter {
	return family(m, "counter", name, help, labels, m.set.GetOrCreateCounter)
}

// Gauge adds a family of what grows and shrinks.
func (m *Meter) Gauge(name, help string, labels ...string) *Gauge {
	return family(m, "gauge", name, help, labels, func(series string) *metrics.Gauge { return m.set.GetOrCreateGauge(series, nil) })
}

// Histogram adds a family that counts values by the bounds they stay within.
func (m *Meter) Histogram(name, help string, bounds []float64, labels ...string) *Histogram {
	return family(m, "histogram", name, help, labels, func(series string) *metrics.PrometheusHistogram {
		return m.set.GetOrCreatePrometheusHistogramExt(series, bounds)
	})
}

func family[M any](m *Meter, kind, name, help string, labels []string, open func(string) *M) *Family[M] {
	m.mu.Lock()
	m.about[name] = "# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n"
	m.mu.Unlock()
	f := &Family[M]{name: name, labels: labels, open: open, seen: map[[mostLabels]string]*M{}}
	if len(labels) == 0 {
		f.With()
	}
	return f
}

// With returns the series that has these values, in the order of the labels.
// Its name is written once, not each time.
func (f *Family[M]) With(values ...string) *M {
	var key [mostLabels]string
	copy(key[:], values)
	f.mu.RLock()
	series, ok := f.seen[key]
	f.mu.RUnlock()
	if ok {
		return series
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.labels {
		if len(f.seen) >= mostSeries {
			key[i] = "other"
		}
		key[i] = strings.Clone(key[i]) // of a request's bytes, perhaps
	}
	if series, ok = f.seen[key]; !ok {
		series = f.open(f.series(key))
		f.seen[key] = series
	}
	return series
}

// escape is what the format asks for in a label's value.
var escape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func (f *Family[M]) series(values [mostLabels]string) string {
	if len(f.labels) == 0 {
		return f.name
	}
	var b strings.Builder
	b.WriteString(f.name)
	sep := byte('{')
	for i, label := range f.labels {
		value := values[i]
		value = strings.ToValidUTF8(value[:min(len(value), longestValue)], "")
		b.WriteByte(sep)
		b.WriteString(label + `="` + escape.Replace(value) + `"`)
		sep = ','
	}
	b.WriteByte('}')
	return b.String()
}

// Write writes every family with its type and what it is about.
func (m *Meter) Write(w io.Writer) error {
	var lines, out bytes.Buffer
	m.set.WritePrometheus(&lines) // sorted by family
	m.mu.RLock()
	last := ""
	for line := range bytes.Lines(lines.Bytes()) {
		name := string(line[:max(bytes.IndexAny(line, "{ "), 0)])
		about, ok := m.about[name]
		if !ok { // the buckets of a histogram come before its sum and count
			about, ok = m.about[strings.TrimSuffix(name, "_bucket")]
		}
		if ok && about != last {
			out.WriteString(about)
			last = about
		}
		out.Write(line)
	}
	m.mu.RUnlock()
	_, err := w.Write(out.Bytes())
	return err
}

// WriteProcess writes figures about the process and Go's runtime, which all
// servers in the process have in common. Where the system does not tell, they are left out.
func WriteProcess(w io.Writer) error {
	var out bytes.Buffer
	metrics.WriteGoMetrics(&out)
	metrics.WriteProcMetrics(&out)
	metrics.WriteFDMetrics(&out)
	_, err := w.Write(out.Bytes())
	return err
}
