package web

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/chalkring/chalkring/internal/fault"
	"github.com/chalkring/chalkring/internal/peers"
)

// TestEveryMessageIsThereAndUsed reads the keys off the templates and the Go
// files: a key that is asked for must exist, and a message must be asked for.
func TestEveryMessageIsThereAndUsed(t *testing.T) {
	body, err := os.ReadFile("messages/en.json")
	if err != nil {
		t.Fatal(err)
	}
	messages := make(map[string]any)
	if err := json.Unmarshal(body, &messages); err != nil {
		t.Fatal(err)
	}
	used := make(map[string]bool)
	want := func(where, key string) {
		if _, ok := messages[key]; !ok {
			t.Errorf("%s asks for the message %q, which messages/en.json does not have", where, key)
		}
	}
	asked := regexp.MustCompile(`\bth? "([^"]*)"`)
	quoted := regexp.MustCompile(`"([^"]*)"`)
	action := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	composed := regexp.MustCompile(`\bth? [(.$]`)
	walkTemplates(t, func(name, text string) {
		for _, a := range action.FindAllString(text, -1) {
			for _, m := range asked.FindAllStringSubmatch(a, -1) {
				want(name, m[1])
			}
			for _, m := range quoted.FindAllStringSubmatch(a, -1) {
				used[m[1]] = true
			}
			if m := composed.FindString(a); m != "" && a != "{{t .Entry.Key}}" {
				t.Errorf("%s: %s composes a key; this test cannot follow it", name, a)
			}
		}
	})
	var files []string
	for _, dir := range []string{".", "../federation", "../internal/*"} { // failures carry their keys with them
		found, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); err == nil {
					used[s] = true
				}
			case *ast.CallExpr:
				f, ok := n.Fun.(*ast.SelectorExpr)
				if ok && f.Sel.Name == "say" && name == "../federation/probe.go" {
					for _, key := range probeKeys(t, n) {
						want(name, key)
						used[key], used[key+"_do"] = true, true
					}
				}
				if !ok || len(n.Args) == 0 || f.Sel.Name != "T" {
					break
				}
				if lit, ok := n.Args[0].(*ast.BasicLit); ok {
					if key, err := strconv.Unquote(lit.Value); err == nil {
						want(name, key)
					}
				}
			}
			return true
		})
	}
	for key, message := range messages {
		if !used[key] && !strings.HasPrefix(key, "fault.") {
			t.Errorf("messages/en.json has %q, which nothing asks for", key)
		}
		if b, _ := json.Marshal(message); strings.Contains(string(b), "\\u003c") {
			t.Errorf("message %q holds markup", key)
		}
	}
}

// probeKeys are the messages that a step of a test of a connection asks for: its
// name, and what came of it, as probe.say composes them. What to do about it
// may follow under the second with _do.
func probeKeys(t *testing.T, say *ast.CallExpr) []string {
	t.Helper()
	literal := func(e ast.Expr) string {
		lit, ok := e.(*ast.BasicLit)
		if !ok {
			return ""
		}
		s, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	step, outcome := literal(say.Args[0]), literal(say.Args[2])
	if step == "" {
		t.Fatal("a test of a connection has a step without a name")
	}
	keys := []string{"probe.step_" + step}
	if outcome != "" {
		return append(keys, "probe."+step+"_"+outcome)
	}
	for _, s := range []peers.Standing{peers.Allowed, peers.Paused, peers.Retired, peers.Expired, peers.Blocked} { // the outcome of the policy
		keys = append(keys, "probe."+step+"_"+string(s))
	}
	return keys
}

// TestTemplateNamesAreUnique: a second definition would silently replace the first.
func TestTemplateNamesAreUnique(t *testing.T) {
	define := regexp.MustCompile(`\{\{-? *define "([^"]+)"`)
	first := make(map[string]string)
	walkTemplates(t, func(file, text string) {
		for _, m := range define.FindAllStringSubmatch(text, -1) {
			if other, ok := first[m[1]]; ok {
				t.Errorf("%s and %s both define %q", other, file, m[1])
			}
			first[m[1]] = file
		}
	})
}

// TestIconsAreThereAndUsed: the sprite holds what the pages draw, no more.
func TestIconsAreThereAndUsed(t *testing.T) {
	files, err := filepath.Glob("static/icons/*.svg")
	if err != nil {
		t.Fatal(err)
	}
	unused := make(map[string]bool)
	for _, f := range files {
		unused[strings.TrimSuffix(filepath.Base(f), ".svg")] = true
	}
	have := make(map[string]bool, len(unused))
	for name := range unused {
		have[name] = true
	}
	icon := regexp.MustCompile(`icon "([^"]+)"`)
	walkTemplates(t, func(file, text string) {
		for _, m := range icon.FindAllStringSubmatch(text, -1) {
			if !have[m[1]] {
				t.Errorf("%s draws the icon %q, which static/icons does not have", file, m[1])
			}
			delete(unused, m[1])
		}
	})
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`Icon: +"([^"]+)"`)
	for _, f := range sources {
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(body), -1) {
			if !have[m[1]] {
				t.Errorf("%s draws the icon %q, which static/icons does not have", f, m[1])
			}
		}
		for name := range unused {
			if strings.Contains(string(body), `"`+name+`"`) {
				delete(unused, name)
			}
		}
	}
	for name := range unused {
		t.Errorf("static/icons has %q, which nothing draws", name)
	}
}

func walkTemplates(t *testing.T, see func(name, text string)) {
	t.Helper()
	err := fs.WalkDir(templateFiles, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(templateFiles, path)
		see(path, string(body))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestProbeSaysWhatToDo: what does not work comes with what to do about it.
func TestProbeSaysWhatToDo(t *testing.T) {
	words, err := LoadCatalogue(time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	step := peers.ProbeStep{Step: "signed", State: peers.ProbeBad, Key: "probe.signed_refused", Args: map[string]any{"Host": "elm.test"}}
	const want = "Most likely this server is not on their list, or they have blocked it. Ask their administrators."
	if name, says, do := ProbeWords(words.For("", ""), step); name != "What they show to us" || says != "They refuse us, and do not say why." || do != want {
		t.Errorf("got %q, %q, %q", name, says, do)
	}
	step.State, step.Key = peers.ProbeOK, "probe.signed_ok"
	if _, _, do := ProbeWords(words.For("", ""), step); do != "" {
		t.Errorf("what works comes with %q", do)
	}
}

func TestLocale(t *testing.T) {
	cat, err := LoadCatalogue(time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	l := cat.For("", "xx, en;q=0.5")
	now := time.Date(2026, time.March, 12, 15, 30, 0, 0, time.UTC)
	tests := []struct{ name, got, want string }{
		{"a plain message", l.T("nav.home"), "Home"},
		{"one", l.T("post.replies", "Count", 1), "One reply"},
		{"many, with separators", l.T("post.replies", "Count", 12345), "12,345 replies"},
		{"an unknown key", l.T("no.such"), "no.such"},
		{"text in markup is escaped", string(l.HTML("post.by", "Name", "<b>")), "A post by &lt;b&gt;"},
		{"a negative number", l.Number(-1234567), "−1,234,567"},
		{"hundreds", l.Number(999), "999"},
		{"a date", l.Date(now), "12 March 2026"},
		{"a moment", l.Moment(now), "12 March 2026, 15:30 UTC"},
		{"from a clock that is ahead", l.Ago(now.Add(time.Minute), now), "just now"},
		{"minutes", l.Ago(now.Add(-90*time.Second), now), "one minute ago"},
		{"hours", l.Ago(now.Add(-5*time.Hour), now), "5 hours ago"},
		{"days", l.Ago(now.Add(-50*time.Hour), now), "2 days ago"},
		{"long ago", l.Ago(now.AddDate(0, -3, 0), now), "12 December 2025"},
		{"a failure the catalogue does not know", l.Fault(fault.New(fault.NotFound, "There is no such post.")), "There is no such post."},
		{"a failure it knows", l.Fault(&fault.Error{Key: "post.by", Message: "no", Args: map[string]any{"Name": "Ana"}}), "A post by Ana"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
	if got := l.When(time.Time{}, now); got != "" {
		t.Errorf("no time is written as %q", got)
	}
}

// TestAddingALanguage: a file is all it takes, and what it lacks is English.
func TestAddingALanguage(t *testing.T) {
	en, err := os.ReadFile("messages/en.json")
	if err != nil {
		t.Fatal(err)
	}
	cat, err := loadCatalogue(fstest.MapFS{
		"en.json": {Data: en},
		"mi.json": {Data: []byte(`{"nav.home": "Kāinga", "post.replies": {"other": "{{.Count}} ngā whakautu"}, "format.thousands": " "}`)},
	}, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, chosen, accept, want string }{
		{"by choice", "mi", "en", "Kāinga"},
		{"by the browser", "", "mi-NZ, en;q=0.8", "Kāinga"},
		{"unknown to us", "", "fr, *", "Home"},
		{"nonsense", "::", ";;q", "Home"},
	}
	for _, tt := range tests {
		if got := cat.For(tt.chosen, tt.accept).T("nav.home"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	mi := cat.For("mi", "")
	if got := mi.T("nav.practice"); got != "Practice" {
		t.Errorf("a missing message is %q, want the English", got)
	}
	if got := mi.T("post.replies", "Count", 1200); got != "1 200 ngā whakautu" {
		t.Errorf("a plural is %q", got)
	}
	for _, bad := range []fstest.MapFS{
		{"mi.json": {Data: []byte(`{}`)}},
		{"en.json": {Data: []byte(`{`)}},
	} {
		if _, err := loadCatalogue(bad, time.UTC); err == nil {
			t.Errorf("loadCatalogue(%v) takes it", bad)
		}
	}
}
