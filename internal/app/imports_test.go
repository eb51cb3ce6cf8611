package app

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/chalkring/chalkring/"

// TestArrowsPointDown holds the house to its plan: what may import what.
func TestArrowsPointDown(t *testing.T) {
	imports := importsOf(t, "../..")
	if len(imports) < 10 {
		t.Fatalf("found only %d packages", len(imports))
	}
	doors := []string{"web", "internal/mastodon", "federation"}
	ground := []string{"internal/fault", "internal/webpush", "internal/iri", "internal/text", "internal/egress", "internal/config", "internal/meter", "migrations"}
	store := "internal/store"

	// Who may import these libraries, and nobody else.
	only := map[string][]string{
		"github.com/go-fed/activity":         {"federation/as2"},
		"github.com/VictoriaMetrics/metrics": {"internal/meter"},
		"github.com/go-fed/httpsig":          {"federation/sig"},
		"gorm.io/driver":                     {store},
		"modernc.org/sqlite":                 {store},
		"github.com/jackc/pgx":               {store, "internal/store/storetest"},
		"github.com/gorilla/mux":             append([]string{"internal/app"}, doors...),
	}
	for pkg, list := range imports {
		for _, i := range list {
			own, isOurs := strings.CutPrefix(i, module)
			for library, who := range only {
				if (i == library || strings.HasPrefix(i, library+"/")) && !among(pkg, who) {
					t.Errorf("%s imports %s, which only %v may", pkg, i, who)
				}
			}
			if !isOurs {
				continue
			}
			switch {
			case among(pkg, ground), pkg == "federation/as2", pkg == "federation/sig":
				t.Errorf("%s imports %s, and should know nothing of ours", pkg, own)
			case slices.Contains(doors, own) && !among(pkg, []string{"internal/app", "internal/testnet", "cmd"}):
				t.Errorf("%s imports the door %s; what it needs of it is an interface that app fills in", pkg, own)
			case pkg == store && !among(own, append([]string{store}, ground...)):
				t.Errorf("%s imports %s, which stands above it", pkg, own)
			case own == "internal/app" && !among(pkg, []string{"cmd", "internal/testnet"}):
				t.Errorf("%s imports app, which stands above it", pkg)
			}
		}
	}
}

// among reports whether a package is one of the folders or, for a whole tree
// such as cmd, in one of them. The packages below a door are its parts.
func among(pkg string, folders []string) bool {
	for _, f := range folders {
		if pkg == f || strings.HasPrefix(pkg, f+"/") {
			return true
		}
	}
	return false
}

// importsOf reads what every package of the module imports, tests left out,
// since a test may stand on anything.
func importsOf(t *testing.T, root string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != root || d.Name() == "testdata" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		pkg := path.Clean(filepath.ToSlash(rel))
		out[pkg] = append(out[pkg], []string{}...)
		for _, i := range file.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			out[pkg] = append(out[pkg], p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
