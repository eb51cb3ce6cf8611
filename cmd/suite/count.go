package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"strings"
	"time"
)

// event is a line of go test -json (cmd/test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// tally counts tests, subtests included. A package that fails outside its
// tests (it does not build, or it panics) counts as one failure.
type tally struct{ passed, failed, skipped int }

// String is the line that the suite ends with.
func (t tally) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.passed, t.failed, t.skipped)
}

func (s *suite) tests(ctx context.Context, env []string) (tally, error) {
	args := []string{"test", "-json", "-count=1", "-timeout", s.timeout.String()}
	if s.run != "" {
		args = append(args, "-run", s.run)
	}
	if s.tags != "" {
		args = append(args, "-tags", s.tags)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, s.packages...)...)
	cmd.Env, cmd.Stderr = env, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return tally{}, err
	}
	if err := cmd.Start(); err != nil {
		return tally{}, err
	}
	t, readErr := count(out, os.Stdout)
	err = errors.Join(readErr, cmd.Wait())
	if err == nil && t.failed > 0 {
		err = fmt.Errorf("%d tests failed", t.failed)
	}
	if err == nil && t.passed == 0 {
		err = errors.New("no test ran")
	}
	return t, err
}

// count reads events from r, tells w what a person wants to see (a line for
// each package, the output of what failed, why something was skipped) and
// returns the sums.
func count(r io.Reader, w io.Writer) (tally, error) {
	type key struct{ pkg, test string }
	output := map[key]*strings.Builder{}
	failedIn := map[string]int{}
	skips := map[string]int{}
	var t tally
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(w, lines.Text()) // not everything that go test prints is JSON
			continue
		}
		k := key{e.Package, e.Test}
		switch e.Action {
		case "output", "build-output":
			b := output[k]
			if b == nil {
				b = &strings.Builder{}
				output[k] = b
			}
			b.WriteString(e.Output)
			continue
		case "build-fail":
			if b := output[k]; b != nil {
				fmt.Fprint(w, b.String())
			}
		case "pass":
			if e.Test != "" {
				t.passed++
			} else {
				fmt.Fprintf(w, "ok    %-60s %s\n", e.Package, seconds(e.Elapsed))
			}
		case "skip":
			if e.Test != "" {
				t.skipped++
				skips[reason(output[k])]++
			}
		case "fail":
			if e.Test != "" {
				t.failed++
				failedIn[e.Package]++
			} else if failedIn[e.Package] == 0 {
				t.failed++
			}
			if b := output[k]; b != nil {
				fmt.Fprint(w, b.String())
			}
			if e.Test == "" {
				fmt.Fprintf(w, "FAIL  %-60s %s\n", e.Package, seconds(e.Elapsed))
			}
		default:
			continue
		}
		delete(output, k)
	}
	for _, why := range sorted(skips) {
		fmt.Fprintf(w, "skipped %d: %s\n", skips[why], why)
	}
	return t, lines.Err()
}

// reason finds the message of t.Skip in a test's output.
func reason(b *strings.Builder) string {
	if b == nil {
		return "without a reason"
	}
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			if _, message, ok := strings.Cut(line, ".go:"); ok {
				if _, text, ok := strings.Cut(message, ": "); ok {
					return text
				}
			}
			return line
		}
	}
	return "without a reason"
}

func sorted(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(10 * time.Millisecond)
}
