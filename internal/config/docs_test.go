package config

import (
	"os"
	"strings"
	"testing"
)

// The administrator's page of settings is this package's reference.
func TestSettingsPageIsTheReference(t *testing.T) {
	page, err := os.ReadFile("../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), Reference()) {
		t.Errorf("docs/settings.md does not hold the reference any more; its table should be:\n%s", Reference())
	}
}
