package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// DefaultFile is read when no other file of settings is named.
const DefaultFile = "chalkring.conf"

// Options returns what kong needs, besides a command line that embeds a Config,
// to read the environment and the file too. The command line wins over the
// environment, the environment over the file, the file over the default.
func Options() []kong.Option {
	return []kong.Option{kong.Resolvers(&file{})}
}

// Parse reads settings from arguments, environment and file, and prepares
// them. The command itself has more on its command line and uses Options and
// Prepare.
func Parse(args []string) (Config, error) {
	var c Config
	parser, err := kong.New(&c, append(Options(), kong.Name("chalkring"), kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))...)
	if err != nil {
		return c, err
	}
	if _, err := parser.Parse(args); err != nil {
		return c, err
	}
	return c, c.Prepare()
}

// file resolves settings from the file of settings.
type file struct {
	read   bool
	values map[string]string
	err    error
}

// Validate does nothing: the file is read, and refused, while settings are
// resolved, since only then is its name known.
func (f *file) Validate(*kong.Application) error { return nil }

// Resolve returns what the file says about a flag, or nil.
func (f *file) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if !f.read {
		f.read = true
		f.values, f.err = readFile(fileName(ctx))
	}
	if f.err != nil {
		return nil, f.err
	}
	for _, env := range flag.Envs {
		if _, set := os.LookupEnv(env); set {
			return nil, nil
		}
	}
	if v, ok := f.values[flag.Name]; ok {
		return v, nil
	}
	return nil, nil
}

func fileName(ctx *kong.Context) string {
	for _, flag := range ctx.Flags() {
		if flag.Name != "config" {
			continue
		}
		if s, _ := ctx.FlagValue(flag).(string); s != "" {
			return s
		}
		return os.Getenv("CHALKRING_CONFIG")
	}
	return ""
}

func readFile(path string) (map[string]string, error) {
	optional := path == ""
	if optional {
		path = DefaultFile
	}
	b, err := os.ReadFile(path)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("file of settings: %w", err)
	}
	values, err := parseFile(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return values, nil
}

// parseFile reads "name = value" lines. Empty lines and lines that begin with #
// say nothing; a value may stand in double quotes, and then keeps its spaces.
func parseFile(text string) (map[string]string, error) {
	var names []string
	known := map[string]bool{}
	for _, s := range Settings() {
		if s.Key != "" {
			names = append(names, s.Key)
			known[s.Key] = true
		}
	}
	values := map[string]string{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !ok:
			return nil, fmt.Errorf("line %d: write it as name = value", i+1)
		case !known[key]:
			return nil, fmt.Errorf("line %d: there is no setting %q%s", i+1, key, nearest(key, names))
		}
		if _, twice := values[key]; twice {
			return nil, fmt.Errorf("line %d: %s is set twice; remove one", i+1, key)
		}
		if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		values[key] = value
	}
	return values, nil
}
