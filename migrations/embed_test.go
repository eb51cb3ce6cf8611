package migrations

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func names(t *testing.T, files fs.FS) []string {
	t.Helper()
	found, err := fs.Glob(files, "*")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// One number and one name for both databases, so that a version means the same
// schema everywhere.
func TestSameNames(t *testing.T) {
	lite, pg := names(t, SQLite()), names(t, Postgres())
	if len(lite) == 0 || !slices.Equal(lite, pg) {
		t.Errorf("sqlite/ has %v, postgres/ has %v", lite, pg)
	}
	form := regexp.MustCompile(`^[0-9]{4}_[a-z0-9_]+\.sql$`)
	for i, name := range lite {
		if !form.MatchString(name) {
			t.Errorf("%s is not named like 0001_words.sql", name)
		}
		if i > 0 && name[:4] == lite[i-1][:4] {
			t.Errorf("%s and %s share a number", lite[i-1], name)
		}
	}
}

func TestEveryFileGoesBothWays(t *testing.T) {
	for _, files := range []fs.FS{SQLite(), Postgres()} {
		for _, name := range names(t, files) {
			b, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			up, down, ok := strings.Cut(string(b), "-- +goose Down")
			if !ok || !strings.Contains(up, "-- +goose Up") || strings.TrimSpace(down) == "" {
				t.Errorf("%s lacks a way up or a way down", name)
			}
		}
	}
}
