package app

import (
	"regexp"
	"runtime/debug"
	"strings"
)

// unreleased is what this source becomes: the number of a build that no tag
// and no tag before it names.
const unreleased = "0.1.0"

// Version returns the software's version as Semantic Versioning 2.0.0 writes
// it, without a "v": 0.1.0 for what a tag names, and 0.1.0-dev+78cdae1 for what
// was built between tags, ending in .dirty if the source had changes of its
// own. It names us to other servers, in backups and to administrators.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unreleased + "-dev"
	}
	return versionOf(info)
}

// pseudo is a version that the go command makes up for a commit without a tag:
// the number, then when and which.
var pseudo = regexp.MustCompile(`^(\d+\.\d+\.\d+)-(?:.*\.)?\d{14}-([0-9a-f]{12})$`)

func versionOf(info *debug.BuildInfo) string {
	said, dirt, _ := strings.Cut(strings.TrimPrefix(info.Main.Version, "v"), "+")
	base, commit := unreleased, ""
	switch m := pseudo.FindStringSubmatch(said); {
	case m != nil:
		commit = m[2]
		if m[1] != "0.0.0" {
			base = m[1]
		}
	case said != "" && said != "(devel)":
		if dirt != "" {
			said += "+" + dirt
		}
		return said
	}
	for _, s := range info.Settings { // of a build that was not stamped, or by an older go command
		switch {
		case s.Key == "vcs.revision" && commit == "":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirt = "dirty"
		}
	}
	if commit == "" {
		return base + "-dev"
	}
	out := base + "-dev+" + commit[:min(7, len(commit))]
	if strings.Contains(dirt, "dirty") {
		out += ".dirty"
	}
	return out
}
