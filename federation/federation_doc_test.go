package federation

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// FEDERATION.md (FEP-67ff) and the code speak of the same proposals: each that
// the code names has its state there, each that is supported is named by a test,
// and each section that the code refers to is there.
func TestFederationDocument(t *testing.T) {
	const root = ".."
	raw, err := os.ReadFile(filepath.Join(root, "FEDERATION.md"))
	if err != nil {
		t.Fatal(err)
	}
	document := string(raw)
	states := map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| \[FEP-([0-9a-f]{4})\]\((\S+)\)[^|]*\| ([a-z ]+) \|`).FindAllStringSubmatch(document, -1) {
		slug, address, state := row[1], row[2], row[3]
		if _, twice := states[slug]; twice {
			t.Errorf("FEP-%s stands there twice", slug)
		}
		if address != "https://codeberg.org/fediverse/fep/src/branch/main/fep/"+slug+"/fep-"+slug+".md" {
			t.Errorf("FEP-%s leads to %s", slug, address)
		}
		switch state {
		case "yes", "in part", "sent", "read", "no":
		default:
			t.Errorf("FEP-%s has the state %q", slug, state)
		}
		states[slug] = state
	}
	if len(states) < 20 {
		t.Fatalf("%d proposals are listed: the tables are not read", len(states))
	}
	proposal := regexp.MustCompile(`FEP-([0-9a-f]{4})\b|w3id\.org/fep/([0-9a-f]{4})\b`)
	section := regexp.MustCompile(`FEDERATION\.md, "([^"]+)"`)
	named := func(text string) (slugs []string) {
		for _, m := range proposal.FindAllStringSubmatch(text, -1) {
			slugs = append(slugs, m[1]+m[2])
		}
		return slugs
	}
	for _, slug := range named(document) {
		if states[slug] == "" {
			t.Errorf("FEDERATION.md names FEP-%s without a state", slug)
		}
	}
	tried := map[string]bool{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || len(d.Name()) > 2 && d.Name()[0] == '.'):
			return fs.SkipDir
		case filepath.Ext(path) != ".go":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, slug := range named(string(text)) {
			if states[slug] == "" {
				t.Errorf("%s names FEP-%s, which has no state in FEDERATION.md", path, slug)
			}
			tried[slug] = tried[slug] || strings.HasSuffix(path, "_test.go")
		}
		for _, m := range section.FindAllStringSubmatch(string(text), -1) {
			if !regexp.MustCompile(`(?m)^##+ ` + regexp.QuoteMeta(m[1]) + `\b`).MatchString(document) {
				t.Errorf("%s refers to the section %q, which FEDERATION.md has not", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for slug, state := range states {
		if state != "no" && !tried[slug] {
			t.Errorf("FEP-%s is said to be supported (%s), and no test names it", slug, state)
		}
	}
}
