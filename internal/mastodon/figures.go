package mastodon

import "github.com/prometheus/client_golang/prometheus"

// figures count what goes through open streams and to push services. No label
// names a person, an app or a host.
type figures struct {
	open   *prometheus.GaugeVec   // by transport
	events *prometheus.CounterVec // by event
	ends   *prometheus.CounterVec // by reason
	pushes *prometheus.CounterVec // by outcome
}

func newFigures(r prometheus.Registerer) *figures {
	f := &figures{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "chalkring_streams_open", Help: "Streams that apps listen to, by transport."}, []string{"transport"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chalkring_stream_events_total",
			Help: "Events handed to streams, by kind."}, []string{"event"}),
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chalkring_streams_ended_total",
			Help: "Streams that ended, by reason."}, []string{"reason"}),
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chalkring_pushes_total",
			Help: "Attempts to push a notification, by result."}, []string{"outcome"}),
	}
	if r != nil {
		r.MustRegister(f.open, f.events, f.ends, f.pushes)
	}
	return f
}

func (f *figures) streams(l *listener, change float64) {
	transport := "events"
	if l.socket {
		transport = "websocket"
	}
	f.open.WithLabelValues(transport).Add(change)
}

func (f *figures) sent(event string) { f.events.WithLabelValues(event).Inc() }

func (f *figures) ended(why string) { f.ends.WithLabelValues(why).Inc() }

func (f *figures) pushed(outcome string) { f.pushes.WithLabelValues(outcome).Inc() }
