package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// installMissing installs what the tests need besides Go. Where it may not or
// cannot, it says what to install; the tests that need it then say that they
// were left out.
func installMissing(ctx context.Context) error {
	var missing []string
	if _, err := postgresBin(); err != nil {
		missing = append(missing, "postgresql")
	}
	if !anyOnPath("chromium", "chromium-browser", "google-chrome", "chrome") {
		missing = append(missing, "chromium")
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		fmt.Printf("missing: %s. Install it, or run this as root on Debian or Ubuntu.\n", strings.Join(missing, ", "))
		return nil
	}
	env := append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if err := command(ctx, env, "apt-get", "update", "-qq"); err != nil {
		fmt.Printf("apt-get update: %v; trying with the lists that are there\n", err)
	}
	args := append([]string{"install", "-y", "-qq", "--no-install-recommends"}, missing...)
	return command(ctx, env, "apt-get", args...)
}

func anyOnPath(names ...string) bool {
	for _, n := range names {
		if _, err := exec.LookPath(n); err == nil {
			return true
		}
	}
	return false
}
