package main

import "testing"

// What the heap may grow to before the collector runs again: by a fixed room
// while it is small, by a share of itself when it is large.
func TestHeapMayGrow(t *testing.T) {
	for _, tt := range []struct {
		name                string
		live, least, atMost uint64
	}{
		{"after the start", 5 << 20, 26 << 20, 30 << 20},
		{"a small school", 12 << 20, 32 << 20, 37 << 20},
		{"a busy school", 40 << 20, 60 << 20, 66 << 20},
		{"under attack", 120 << 20, 180 << 20, 192 << 20},
	} {
		goal := tt.live + tt.live*uint64(heapPercentAt(tt.live))/100
		if goal < tt.least || goal > tt.atMost {
			t.Errorf("%s: with %d MiB in use it grows to %d MiB", tt.name, tt.live>>20, goal>>20)
		}
	}
}
