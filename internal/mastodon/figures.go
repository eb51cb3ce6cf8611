package mastodon

import "github.com/chalkring/chalkring/internal/meter"

// figures count what goes through open streams and to push services. No label
// names a person, an app or a host.
type figures struct {
	open   *meter.Gauge   // by transport
	events *meter.Counter // by event
	ends   *meter.Counter // by reason
	pushes *meter.Counter // by outcome
}

func newFigures(m *meter.Meter) *figures {
	if m == nil {
		m = meter.New()
	}
	return &figures{
		open:   m.Gauge("chalkring_streams_open", "Streams that apps listen to, by transport.", "transport"),
		events: m.Counter("chalkring_stream_events_total", "Events handed to streams, by kind.", "event"),
		ends:   m.Counter("chalkring_streams_ended_total", "Streams that ended, by reason.", "reason"),
		pushes: m.Counter("chalkring_pushes_total", "Attempts to push a notification, by result.", "outcome"),
	}
}

func (f *figures) streams(l *listener, change float64) {
	transport := "events"
	if l.socket {
		transport = "websocket"
	}
	f.open.With(transport).Add(change)
}

func (f *figures) sent(event string) { f.events.With(event).Inc() }

func (f *figures) ended(why string) { f.ends.With(why).Inc() }

func (f *figures) pushed(outcome string) { f.pushes.With(outcome).Inc() }
