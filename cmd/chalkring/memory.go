package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What the collector lets a small heap grow by before it runs again, and what it
// lets a large one grow by, in percent. Running it costs the same whether there
// is much garbage or little, so that a small heap is not worth it often; a large
// one, as when somebody sends a hundred mebibytes at once, must not grow by its
// own size again.
const (
	heapRoom    = 24 << 20
	heapPercent = 60
)

// tuneMemory keeps a small server small and has the collector run rarely. GOGC
// and GOMEMLIMIT in the environment win.
func tuneMemory() {
	if os.Getenv("GOGC") != "" {
		return
	}
	tuner := &heapTuner{read: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	tuner.tune()
}

// settleAfter is how long a server takes to start and to do what waited for it.
const settleAfter = time.Second

// settle gives back what only starting needed, once the server runs: a server
// that nobody asks anything shall be small.
func settle() (stop func()) {
	due := time.AfterFunc(settleAfter, func() {
		debug.FreeOSMemory()
		forgetCode()
	})
	return func() { due.Stop() }
}

// heapTuner sets the collector's percentage anew after each of its runs, which a
// finalizer notices. The runtime knows no least room for garbage besides a
// percentage, and its limit for memory is none that a server may come near: it
// would then collect without end.
type heapTuner struct {
	read    []metrics.Sample
	percent int
}

func (t *heapTuner) tune() {
	metrics.Read(t.read)
	if percent := heapPercentAt(t.read[0].Value.Uint64()); percent != t.percent {
		debug.SetGCPercent(percent)
		t.percent = percent
	}
	runtime.SetFinalizer(t, (*heapTuner).tune)
}

// heapPercentAt is the percentage for what was in use after the collector's last
// run. It moves in steps, since setting it stops the world for a moment.
func heapPercentAt(live uint64) int {
	const step = 20
	percent := heapRoom * 100 / max(live, 4<<20)
	return max(heapPercent, int(percent)/step*step)
}
