package app

import (
	"regexp"
	"strings"
	"testing"

	"github.com/chalkring/chalkring/internal/store"
)

// Whatever people can be told of has a sentence in the catalogue that a pushed
// notification carries.
func TestPushesCarrySentences(t *testing.T) {
	s, err := New(t.Context(), settings(t, "--host", "oak.test", "--trusted-proxies", "127.0.0.1"), Options{Log: discard(), External: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	var table string
	err = s.db.Read(t.Context(), func(tx *store.Tx) error {
		return tx.Raw("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'notifications'").Scan(&table).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`kind IN \(([^)]*)\)`).FindStringSubmatch(table)
	if list == nil {
		t.Fatalf("the schema lists no kinds: %s", table)
	}
	kinds := regexp.MustCompile(`\w+`).FindAllString(list[1], -1)
	if len(kinds) < 10 {
		t.Fatalf("found only the kinds %v", kinds)
	}
	for _, kind := range kinds {
		said := s.api.Words("en", "notification."+kind, "Name", "Amira Khan", "Host", "elm.test", "Following", "two", "Followers", "three")
		if !strings.Contains(said, " ") || strings.Contains(said, "notification.") || kind != "severed" && kind != "peering" && !strings.Contains(said, "Amira Khan") {
			t.Errorf("%s is pushed as %q", kind, said)
		}
	}
	for _, key := range []string{"push.new", "notification.poll_mine"} {
		if said := s.api.Words("en", key); !strings.Contains(said, " ") {
			t.Errorf("%s says %q", key, said)
		}
	}
}
