// Command suite runs every check the project has and ends with a line that
// counts: gofmt, vet, staticcheck, the bundled assets, and all tests, on SQLite
// and on a PostgreSQL of its own, with a browser. As root on a Debian-like
// machine it installs PostgreSQL and Chromium where they are missing.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// staticcheck is pinned, so that the same tree gets the same verdict tomorrow.
const staticcheck = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var s suite
	flag.BoolVar(&s.install, "install", true, "install PostgreSQL and Chromium when they are missing (as root, with apt-get)")
	flag.BoolVar(&s.checks, "checks", true, "run gofmt, vet, staticcheck and the assets' check")
	flag.StringVar(&s.run, "run", "", "run only tests that match, as go test -run")
	flag.StringVar(&s.tags, "tags", "", "build tags for the tests")
	flag.DurationVar(&s.timeout, "timeout", 15*time.Minute, "longest that the tests of one package may take")
	flag.Parse()
	s.packages = flag.Args()
	if len(s.packages) == 0 {
		s.packages = []string{"./..."}
	}
	if err := s.all(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(1)
	}
}

type suite struct {
	install, checks bool
	run, tags       string
	timeout         time.Duration
	packages        []string
	failed          []string
}

func (s *suite) all(ctx context.Context) error {
	env := append(os.Environ(), "CHALKRING_TEST_BROWSER=1")
	if s.install {
		s.step("install", func() error { return installMissing(ctx) })
	}
	if s.checks {
		s.step("gofmt", func() error { return gofmt(ctx) })
		s.step("vet", func() error { return command(ctx, nil, "go", "vet", "./...") })
		s.step("staticcheck", func() error { return command(ctx, nil, "go", "run", staticcheck, "./...") })
		s.step("assets", func() error { return command(ctx, nil, "go", "run", "./cmd/assets", "-check") })
	}
	if os.Getenv("CHALKRING_TEST_POSTGRES") == "" {
		pg, err := startPostgres(ctx)
		if err != nil {
			fmt.Printf("-- PostgreSQL: %v\n", err)
			s.failed = append(s.failed, "postgres")
		} else {
			defer pg.stop()
			env = append(env, "CHALKRING_TEST_POSTGRES="+pg.url)
			fmt.Printf("-- PostgreSQL for the tests runs in %s\n", pg.dir)
		}
	}
	var total tally
	s.step("tests", func() (err error) {
		total, err = s.tests(ctx, env)
		return err
	})
	if len(s.failed) > 0 {
		fmt.Printf("steps that failed: %s\n", strings.Join(s.failed, ", "))
	}
	fmt.Println(total)
	if len(s.failed) > 0 {
		return fmt.Errorf("%d steps failed", len(s.failed))
	}
	return nil
}

// step runs one check and says how long it took. A failure does not keep the
// others from running: whoever mends one wants to know of all.
func (s *suite) step(name string, run func() error) {
	fmt.Printf("-- %s\n", name)
	start := time.Now()
	err := run()
	took := time.Since(start).Round(100 * time.Millisecond)
	if err != nil {
		s.failed = append(s.failed, name)
		fmt.Printf("-- %s FAILED after %s: %v\n", name, took, err)
		return
	}
	fmt.Printf("-- %s passed in %s\n", name, took)
}

func command(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, os.Stdout, os.Stderr
	return cmd.Run()
}

// gofmt fails when a file is not formatted.
func gofmt(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "gofmt", "-l", ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if len(out) > 0 {
		return fmt.Errorf("run gofmt -w on:\n%s", out)
	}
	return nil
}
