package federation

import (
	"context"
	"sync"
	"time"

	"github.com/chalkring/chalkring/internal/meter"
	"github.com/chalkring/chalkring/internal/peers"
	"github.com/chalkring/chalkring/internal/store"
)

// metrics counts what goes through the door. No label names a host, since
// strangers choose those.
type metrics struct {
	inbox     *meter.Counter // by outcome: accepted, duplicate, ignored, or the reason of refusal
	received  *meter.Counter // by outcome and activity
	delivered *meter.Counter // by outcome: delivered, refused, failed, expired, held
	fetched   *meter.Counter // by outcome
	spread    *meter.Counter
	decisions *meter.Counter
	visible   *meter.Histogram
}

func newMetrics(m *meter.Meter) *metrics {
	if m == nil {
		m = meter.New()
	}
	counter := func(name, help string, labels ...string) *meter.Counter {
		return m.Counter("chalkring_federation_"+name+"_total", help, labels...)
	}
	return &metrics{
		inbox:     counter("inbox", "Activities that other servers sent, by what became of the request.", "outcome"),
		received:  counter("received", "Accepted activities that were worked, by type and result.", "outcome", "type"),
		delivered: counter("deliveries", "Attempts to deliver, by result.", "outcome"),
		fetched:   counter("fetches", "Documents asked of other servers, by result.", "outcome"),
		spread:    counter("spread", "Things that happened here and were rendered for other servers."),
		decisions: counter("decisions", "How often the federation policy was asked, in one question for many hosts or few."),
		visible: m.Histogram("chalkring_federation_visible_seconds", "Time from accepting an activity to its effects being visible.",
			[]float64{.01, .05, .2, 1, 10, 60}),
	}
}

// refusals gathers which hosts were turned away, so that a flood of strangers
// costs a row now and then and not a write each.
type refusals struct {
	mu    sync.Mutex
	hosts map[string]bool
}

// mostRefusals is how many hosts are remembered between two writes. A forger
// can invent names; the rest are only counted in the metrics.
const mostRefusals = 500

func (r *refusals) note(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hosts == nil {
		r.hosts = map[string]bool{}
	}
	if len(r.hosts) < mostRefusals {
		r.hosts[host] = true
	}
}

func (r *refusals) take() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	hosts := r.hosts
	r.hosts = nil
	return hosts
}

// runRefusals writes down who was turned away, every few seconds.
func (f *Federation) runRefusals(ctx context.Context) {
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-tick.C:
		}
		hosts := f.refused.take()
		if len(hosts) == 0 {
			continue
		}
		err := f.db.Batch(context.WithoutCancel(ctx), func(tx *store.Tx) error {
			for host := range hosts {
				if err := peers.NoteRefused(tx, host); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			f.log.Error("refusals not noted", "err", err)
		}
	}
}
