// Command assets bundles the pages' style sheet, script and icons out of
// web/static/src and web/static/icons into web/static/dist, which is committed
// and embedded in the server. It is a developer's tool: the server itself
// needs neither it nor esbuild.
//
// With -check it writes nothing and fails when the committed files are stale.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", "web/static", "folder that holds src, icons and dist")
	check := flag.Bool("check", false, "only compare; fail when dist is stale")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "assets:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	files, err := Build(root)
	if err != nil {
		return err
	}
	for name, want := range files {
		path := filepath.Join(root, "dist", name)
		if check {
			have, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if !bytes.Equal(have, want) {
				return fmt.Errorf("%s is stale; run: go run ./cmd/assets", path)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			return err
		}
		fmt.Printf("%s: %d bytes\n", path, len(want))
	}
	return nil
}
