package app

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
)

// figures are what /metrics said, by series.
type figures struct {
	values map[string]float64
	kinds  map[string]string // by family
}

// readFigures reads the text format and holds it to its rules: a family has its
// lines in one place, its HELP and TYPE before them, and no series twice.
//
// Prometheus, "Exposition formats", text format 0.0.4.
func readFigures(t *testing.T, page string) figures {
	t.Helper()
	const (
		name  = `[a-zA-Z_:][a-zA-Z0-9_:]*`
		label = `[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"`
	)
	sample := regexp.MustCompile(`^(` + name + `)(\{` + label + `(?:, ?` + label + `)*\})? (\S+)$`)
	about := regexp.MustCompile(`^# (HELP|TYPE) (` + name + `) (.+)$`)
	f := figures{map[string]float64{}, map[string]string{}}
	if !strings.HasSuffix(page, "\n") {
		t.Error("the last line does not end")
	}
	helped, family, ended := map[string]bool{}, "", map[string]bool{}
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		if m := about.FindStringSubmatch(line); m != nil {
			switch m[1] {
			case "HELP":
				helped[m[2]] = true
			case "TYPE":
				if _, again := f.kinds[m[2]]; again || !helped[m[2]] {
					t.Errorf("a second TYPE, or one without HELP: %s", line)
				}
				f.kinds[m[2]] = m[3]
			}
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("no line of the format: %q", line)
			continue
		}
		of := m[1]
		if _, ok := f.kinds[of]; !ok {
			if base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(of, ""); f.kinds[base] == "histogram" || base != of && !strings.HasPrefix(of, "chalkring_") {
				of = base
			}
		}
		if of != family {
			if ended[of] {
				t.Errorf("the lines of %s are in two places: %q", of, line)
			}
			ended[family], family = true, of
		}
		if f.kinds[of] == "" && strings.HasPrefix(of, "chalkring_") {
			t.Errorf("nothing says what this is: %q", line)
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if _, again := f.values[m[1]+m[2]]; again || err != nil {
			t.Errorf("a second time, or no number: %q", line)
		}
		f.values[m[1]+m[2]] = value
	}
	return f
}

func TestMetrics(t *testing.T) {
	s, err := New(t.Context(), settings(t, "--host", "localhost:8080", "--metrics-token", "secret"), Options{Log: discard(), External: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	ask := func(method, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, "http://localhost:8080"+path, nil)
		r.Header.Set("Authorization", "Bearer secret")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	scrape := func() figures {
		w := ask("GET", "/metrics")
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != "text/plain; version=0.0.4; charset=utf-8" {
			t.Fatalf("answered %d, %s", w.Code, got)
		}
		return readFigures(t, w.Body.String())
	}
	before := scrape()
	for range 3 {
		ask("GET", "/healthz")
	}
	ask("BREW", "/healthz")
	err = s.db.Write(t.Context(), func(tx *store.Tx) error {
		return tx.Exec("INSERT INTO lanes (queue, host, next_at, node_until, parked_at) VALUES ('deliveries', 'elm.test', ?, ?, ?)", tx.Now, tx.Now, tx.Now).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	after := scrape()

	const answered = `chalkring_http_request_seconds_count{method="GET",route="/healthz",status="2xx"}`
	for series, moved := range map[string]float64{
		answered: 3,
		strings.NewReplacer("_count", "_bucket", "}", `,le="+Inf"}`).Replace(answered):     3,
		`chalkring_http_request_seconds_count{method="other",route="none",status="4xx"}`:   1,
		`chalkring_http_request_seconds_count{method="GET",route="/metrics",status="2xx"}`: 1,
		`chalkring_lanes_parked`:                              1,
		`chalkring_queue_waiting{queue="pushes"}`:             0,
		`chalkring_federation_decisions_total`:                0,
		`chalkring_federation_spread_total`:                   0,
		`chalkring_federation_visible_seconds_count`:          0,
		`chalkring_database_transactions_total{kind="write"}`: 1,
	} {
		if got, ok := after.values[series]; !ok || got-before.values[series] != moved {
			t.Errorf("%s went from %v to %v, want %v more", series, before.values[series], got, moved)
		}
	}
	var bounds []string
	for series := range maps.Keys(after.values) {
		if le, ok := strings.CutPrefix(series, strings.NewReplacer("_count", "_bucket", "}", `,le="`).Replace(answered)); ok {
			bounds = append(bounds, strings.TrimSuffix(le, `"}`))
		}
	}
	slices.Sort(bounds)
	if want := []string{"+Inf", "0.002", "0.01", "0.05", "0.2", "1", "5"}; !slices.Equal(bounds, want) {
		t.Errorf("the bounds are %v, want %v", bounds, want)
	}
	if after.values["go_goroutines"] < 1 || after.values["go_memstats_sys_bytes"] < 1 {
		t.Error("nothing about Go's runtime")
	}
	for family, kind := range map[string]string{"chalkring_http_request_seconds": "histogram", "chalkring_lanes_parked": "gauge", "chalkring_federation_spread_total": "counter"} {
		if after.kinds[family] != kind {
			t.Errorf("%s is a %q, want a %s", family, after.kinds[family], kind)
		}
	}
	if err := s.db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := ask("GET", "/metrics"); w.Code != http.StatusInternalServerError {
		t.Errorf("without a database: %d", w.Code)
	}
}
