package app

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/chalkring/chalkring/internal/store"
)

// metrics are one server's figures, in a registry of its own. No label names
// a person, a post or an address.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	serve    http.Handler

	mu   sync.RWMutex
	seen map[series]prometheus.Observer // of requests
}

// series names one of the histograms of requests.
type series struct {
	route, method string
	class         int // of the status
}

func newMetrics(db *store.DB) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "chalkring_http_request_seconds",
			Help:    "Time to answer a request, by route, method and class of status.",
			Buckets: []float64{.002, .01, .05, .2, 1, 5},
		}, []string{"route", "method", "status"}),
		seen: make(map[series]prometheus.Observer),
	}
	m.registry.MustRegister(m.requests, newQueueFigures(db),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.serve = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return m
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
	m.of(series{route, method, status / 100}).Observe(took.Seconds())
}

// of finds a histogram without writing its labels anew.
func (m *metrics) of(s series) prometheus.Observer {
	m.mu.RLock()
	o, ok := m.seen[s]
	m.mu.RUnlock()
	if !ok {
		o = m.requests.WithLabelValues(s.route, s.method, strconv.Itoa(s.class)+"xx")
		m.mu.Lock()
		m.seen[s] = o
		m.mu.Unlock()
	}
	return o
}

// queueFigures reads the queues' lengths and the database's counters when
// somebody asks for them.
type queueFigures struct {
	db                        *store.DB
	waiting, parked           *prometheus.Desc
	transactions, connections *prometheus.Desc
}

func newQueueFigures(db *store.DB) *queueFigures {
	return &queueFigures{
		db:           db,
		waiting:      prometheus.NewDesc("chalkring_queue_waiting", "Rows that wait in a queue.", []string{"queue"}, nil),
		parked:       prometheus.NewDesc("chalkring_lanes_parked", "Servers that nothing is sent to until they show signs of life.", nil, nil),
		transactions: prometheus.NewDesc("chalkring_database_transactions_total", "Transactions since the start.", []string{"kind"}, nil),
		connections:  prometheus.NewDesc("chalkring_database_connections", "Connections to the database.", []string{"state"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (q *queueFigures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{q.waiting, q.parked, q.transactions, q.connections} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (q *queueFigures) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s := q.db.Stats()
	for kind, n := range map[string]int64{"read": s.Reads, "write": s.Writes, "retry": s.Retries} {
		ch <- prometheus.MustNewConstMetric(q.transactions, prometheus.CounterValue, float64(n), kind)
	}
	gauge(q.connections, float64(s.InUse), "used")
	gauge(q.connections, float64(s.Open-s.InUse), "idle")

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	lengths, err := queueLengths(ctx, q.db)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(q.waiting, err)
		return
	}
	gauge(q.waiting, float64(lengths.Incoming), "incoming")
	gauge(q.waiting, float64(lengths.Outgoing), "outgoing")
	gauge(q.waiting, float64(lengths.Deliveries), "deliveries")
	gauge(q.waiting, float64(lengths.Pushes), "pushes")
	gauge(q.parked, float64(lengths.Parked))
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
	s.metrics.serve.ServeHTTP(w, r)
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
