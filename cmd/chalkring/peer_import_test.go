package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPeerImportAndExport(t *testing.T) {
	c := runner(t)
	file := filepath.Join(t.TempDir(), "domain_blocks.csv")
	list := "\ufeff#domain,#severity,#reject_media,#reject_reports,#public_comment,#obfuscate\r\nbad.example,suspend,false,false,spam,false\r\nelm.example,silence,true,false,,false\r\n" +
		"m***.example,suspend,false,false,,true\r\nbad.example,suspend,,,,\r\n"
	if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	c("", "peer", "allow", "elm.example").want(t, 0)
	c("", "peer", "import", file).want(t, 0, "bad.example", "Part of the name is hidden", "The same as line 2.", "1 new, 1 conflicts, 1 there already, 1 refused.")
	if out := c("", "peer", "export", "--format", "plain-blocks").want(t, 0).out; out != "" {
		t.Errorf("a dry run decided: %s", out)
	}
	c("", "peer", "import", file, "--apply", "--conflicts", "stricter").want(t, 0, "Import 1 is applied: 2 decided, 0 left alone.", "--undo 1")
	if out := c("", "peer", "export", "--format", "mastodon-blocks").want(t, 0).out; out != "#domain,#severity,#reject_media,#reject_reports,#public_comment,#obfuscate\nbad.example,suspend,false,false,spam,false\nelm.example,silence,true,false,,false\n" {
		t.Errorf("exported:\n%s", out)
	}
	c("", "peer", "import", "--list").want(t, 0, "domain_blocks.csv", "applied")
	c("", "peer", "import", "--list", "--json").want(t, 0, `"state": "applied"`)
	c("", "peer", "import", "--undo", "1").want(t, 0, "Import 1 is undone.")
	c("", "peer", "import", "--undo", "1").want(t, exitFailed)
	if out := c("", "peer", "export", "--format", "mastodon-blocks").want(t, 0).out; strings.Count(out, "\n") != 1 {
		t.Errorf("undone, and still there:\n%s", out)
	}
	c("ash.example\nfir.example\n", "peer", "import", "-").want(t, exitFailed, "connected with or refused")
	c("ash.example\nfir.example\n", "peer", "import", "-", "--as", "allow", "--apply").want(t, exitFailed, "how close")
	c("ash.example\nfir.example\n", "peer", "import", "-", "--as", "allow", "--apply", "--preset", "trial", "--json").want(t, 0, `"applied": 2`)
	if out := c("", "peer", "export", "--format", "mastodon-allows").want(t, 0).out; out != "#domain\nash.example\nelm.example\nfir.example\n" {
		t.Errorf("exported:\n%s", out)
	}
	c("", "peer", "import").want(t, exitFailed, "name a file")
}
