package operate

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	gateway := func(version string, replace *debug.Module) *debug.Module {
		return &debug.Module{Path: modulePath, Version: version, Replace: replace}
	}
	revision := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.time", Value: "2026-11-28T16:00:00Z"}, {Key: "vcs.modified", Value: "true"},
	}
	for name, test := range map[string]struct {
		build debug.BuildInfo
		want  string
	}{
		"a dependency": {debug.BuildInfo{Main: debug.Module{Path: "caddy"}, Settings: revision, Deps: []*debug.Module{gateway("v1.2.3", nil)}},
			"gateway  v1.2.3\ncaddy    v2.11.0\ngo       go1.26\n"},
		"a dependency in a directory": {debug.BuildInfo{Main: debug.Module{Path: "caddy"}, Deps: []*debug.Module{gateway("v0.0.0", &debug.Module{Path: "/src"})}},
			"gateway  (devel)\ncaddy    v2.11.0\ngo       go1.26\n"},
		"a fork": {debug.BuildInfo{Deps: []*debug.Module{gateway("v1.2.3", &debug.Module{Path: "example.com/fork", Version: "v1.2.4"})}},
			"gateway  v1.2.4\ncaddy    v2.11.0\ngo       go1.26\n"},
		"a clone": {debug.BuildInfo{Main: *gateway("v1.2.4-pre+dirty", nil), Settings: revision},
			"gateway   v1.2.4-pre+dirty\nrevision  0123456789abcdef of 2026-11-28T16:00:00Z, with changes that are not committed\ncaddy     v2.11.0\ngo        go1.26\n"},
		"nothing known": {debug.BuildInfo{}, "gateway  unknown\ncaddy    v2.11.0\ngo       go1.26\n"},
	} {
		t.Run(name, func(t *testing.T) {
			test.build.GoVersion = "go1.26"
			var printed strings.Builder
			if err := newVersionInfo(&test.build, "v2.11.0").print(&printed); err != nil || printed.String() != test.want {
				t.Errorf("printed\n%swant\n%s(%v)", printed.String(), test.want, err)
			}
		})
	}
}
