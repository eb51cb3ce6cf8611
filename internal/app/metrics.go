package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/chalkring/chalkring/internal/meter"
	"github.com/chalkring/chalkring/internal/store"
)

// metrics are one server's figures. No label names a person, a post or an
// address.
type metrics struct {
	meter        *meter.Meter
	requests     *meter.Histogram
	waiting      *meter.Gauge
	parked       *meter.Gauge
	transactions *meter.Counter
	connections  *meter.Gauge
}

func newMetrics() *metrics {
	m := meter.New()
	return &metrics{meter: m,
		requests: m.Histogram("chalkring_http_request_seconds", "Time to answer a request, by route, method and class of status.",
			[]float64{.002, .01, .05, .2, 1, 5}, "method", "route", "status"),
		waiting:      m.Gauge("chalkring_queue_waiting", "Rows that wait in a queue.", "queue"),
		parked:       m.Gauge("chalkring_lanes_parked", "Servers that nothing is sent to until they show signs of life."),
		transactions: m.Counter("chalkring_database_transactions_total", "Transactions since the start.", "kind"),
		connections:  m.Gauge("chalkring_database_connections", "Connections to the database.", "state"),
	}
}

func (m *metrics) observe(route, method string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		method = "other" // a sender may write anything here
	}
	const classes = "1xx2xx3xx4xx5xx"
	class := 3 * (min(max(status/100, 1), 5) - 1)
	m.requests.With(method, route, classes[class:class+3]).Update(took.Seconds())
}

// read brings the queues' lengths and the database's counters up to date, when
// somebody asks for them.
func (m *metrics) read(ctx context.Context, db *store.DB) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	l, err := queueLengths(ctx, db)
	if err != nil {
		return err
	}
	m.waiting.With("incoming").Set(float64(l.Incoming))
	m.waiting.With("outgoing").Set(float64(l.Outgoing))
	m.waiting.With("deliveries").Set(float64(l.Deliveries))
	m.waiting.With("pushes").Set(float64(l.Pushes))
	m.parked.With().Set(float64(l.Parked))
	s := db.Stats()
	m.transactions.With("read").Set(uint64(s.Reads))
	m.transactions.With("write").Set(uint64(s.Writes))
	m.transactions.With("retry").Set(uint64(s.Retries))
	m.transactions.With("foreseen").Set(uint64(s.Foreseen))
	m.transactions.With("missed").Set(uint64(s.Missed))
	m.transactions.With("kept").Set(uint64(s.Kept))
	m.connections.With("used").Set(float64(s.InUse))
	m.connections.With("idle").Set(float64(s.Open - s.InUse))
	return nil
}

type lengths struct{ Incoming, Outgoing, Deliveries, Pushes, Parked int64 }

// queueLengths counts what waits in the queues.
func queueLengths(ctx context.Context, db *store.DB) (lengths, error) {
	var l lengths
	err := db.Read(ctx, func(tx *store.Tx) error {
		return tx.Raw(`SELECT
			(SELECT count(*) FROM incoming WHERE state = 'waiting') AS incoming,
			(SELECT count(*) FROM outgoing WHERE state = 'waiting') AS outgoing,
			(SELECT count(*) FROM deliveries WHERE state = 'waiting') AS deliveries,
			(SELECT count(*) FROM pushes) AS pushes,
			(SELECT count(*) FROM lanes WHERE parked_at IS NOT NULL) AS parked`).Scan(&l).Error
	})
	return l, err
}

// metricsPage answers GET /metrics, with the token where one is set.
func (s *Server) metricsPage(w http.ResponseWriter, r *http.Request) {
	if want := s.cfg.MetricsToken; want != "" {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
		if !ok || subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer") // RFC 6750, section 3
			http.Error(w, "This page needs the token that is set as metrics-token.", http.StatusUnauthorized)
			return
		}
	}
	var page bytes.Buffer
	err := errors.Join(s.metrics.read(r.Context(), s.db), s.metrics.meter.Write(&page), meter.WriteProcess(&page))
	if err != nil {
		s.log.ErrorContext(r.Context(), "figures not read", "err", err)
		http.Error(w, "The figures could not be read. The log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", meter.ContentType)
	_, _ = w.Write(page.Bytes())
}

// metricsHandler is what the address for metrics answers.
func (s *Server) metricsHandler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /metrics", s.metricsPage)
	m.HandleFunc("GET /healthz", healthPage)
	m.HandleFunc("GET /readyz", s.readyPage)
	return m
}

// healthPage answers GET /healthz: the process runs and answers.
func healthPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readyPage answers GET /readyz: the database answers too, and no stop is
// under way, so a proxy may send people here.
func (s *Server) readyPage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	switch err := s.db.Ping(ctx); {
	case s.stopping.Load():
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("stopping\n"))
	case err != nil:
		s.log.Error("not ready: the database does not answer", "err", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("database does not answer\n"))
	default:
		_, _ = w.Write([]byte("ready\n"))
	}
}
