package app

import (
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	vcs := func(commit, modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: commit}, {Key: "vcs.modified", Value: modified}}
	}
	const commit = "78cdae1a4dffdfdd088a5ca82062f7bdccd0f3d3"
	tests := []struct {
		name, main string
		settings   []debug.BuildSetting
		want       string
	}{
		{"installed by its tag", "v0.2.1", nil, "0.2.1"},
		{"built at a tag", "v0.2.1", vcs(commit, "false"), "0.2.1"},
		{"a candidate", "v0.2.0-rc.1", nil, "0.2.0-rc.1"},
		{"a tag and changes", "v0.2.1+dirty", vcs(commit, "true"), "0.2.1+dirty"},
		{"before the first tag", "v0.0.0-20261125065209-78cdae1a4dff", vcs(commit, "false"), "0.1.0-dev+78cdae1"},
		{"and changes", "v0.0.0-20261125065209-78cdae1a4dff+dirty", vcs(commit, "true"), "0.1.0-dev+78cdae1.dirty"},
		{"after a tag", "v0.2.2-0.20261125065209-78cdae1a4dff", nil, "0.2.2-dev+78cdae1"},
		{"after a candidate", "v0.2.0-rc.1.0.20261125065209-78cdae1a4dff", nil, "0.2.0-dev+78cdae1"},
		{"not stamped", "(devel)", vcs(commit, "true"), "0.1.0-dev+78cdae1.dirty"},
		{"without a repository", "(devel)", nil, "0.1.0-dev"},
		{"a test", "", nil, "0.1.0-dev"},
	}
	for _, tt := range tests {
		info := &debug.BuildInfo{Main: debug.Module{Version: tt.main}, Settings: tt.settings}
		if got := versionOf(info); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
