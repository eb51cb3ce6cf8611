package main

import "testing"

// TestCommittedOutputIsCurrent holds web/static/dist to its sources.
func TestCommittedOutputIsCurrent(t *testing.T) {
	if err := run("../../web/static", true); err != nil {
		t.Error(err)
	}
}
