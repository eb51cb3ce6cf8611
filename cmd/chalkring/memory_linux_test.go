package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// resident is how much of the program's files is in memory, in KiB.
func resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssFile:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// The program goes on without what it forgot of itself, and is smaller.
func TestProgramForgetsItself(t *testing.T) {
	before := resident(t)
	forgetCode()
	if after := resident(t); after > before/2 {
		t.Errorf("%d KiB of the program are in memory, of %d before", after, before)
	}
	TestHeapMayGrow(t)
}
