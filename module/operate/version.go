package operate

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"text/tabwriter"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
)

// modulePath is the path of the Go module that this package belongs to.
const modulePath = "github.com/caddy-webhook-gateway/caddy-webhook-gateway"

// VersionInfo says what a program is built from.
type VersionInfo struct {
	Gateway  string `json:"gateway"`            // the version of the gateway's module
	Revision string `json:"revision,omitempty"` // of the repository, where the program was built in a clone
	Time     string `json:"time,omitempty"`     // of that revision
	Modified bool   `json:"modified,omitempty"` // the clone had changes that were not committed
	Caddy    string `json:"caddy"`
	Go       string `json:"go"`
}

// unknownVersion stands for a version that the build does not tell.
const unknownVersion = "unknown"

// newVersionInfo reads versions out of a program's build information. The gateway is
// a dependency of a program that xcaddy built, and the main module of one that was
// built in a clone.
func newVersionInfo(build *debug.BuildInfo, caddyVersion string) *VersionInfo {
	info := &VersionInfo{Gateway: unknownVersion, Caddy: caddyVersion, Go: cmp.Or(build.GoVersion, runtime.Version())}
	if build.Main.Path == modulePath {
		info.Gateway = cmp.Or(build.Main.Version, unknownVersion)
		for _, setting := range build.Settings {
			switch setting.Key {
			case "vcs.revision":
				info.Revision = setting.Value
			case "vcs.time":
				info.Time = setting.Value
			case "vcs.modified":
				info.Modified = setting.Value == "true"
			}
		}
	}
	for _, dep := range build.Deps {
		if dep.Path != modulePath {
			continue
		}
		info.Gateway = dep.Version
		if dep.Replace != nil {
			info.Gateway = cmp.Or(dep.Replace.Version, "(devel)")
		}
	}
	return info
}

func (i *VersionInfo) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "gateway\t%s\n", i.Gateway)
	if i.Revision != "" {
		modified := ""
		if i.Modified {
			modified = ", with changes that are not committed"
		}
		fmt.Fprintf(t, "revision\t%s of %s%s\n", i.Revision, i.Time, modified)
	}
	fmt.Fprintf(t, "caddy\t%s\ngo\t%s\n", i.Caddy, i.Go)
	return t.Flush()
}

func versionCommand() *cobra.Command {
	asJSON := false
	cmd := newCommand("version", "Prints the versions of the gateway, of Caddy and of Go",
		`Prints the versions of the gateway's module, of Caddy and of Go in this program.
A program that was built in a clone of the repository also prints the revision.
This command needs no running gateway: it does not ask which version runs.

  caddy webhook version
  caddy webhook version --json`, 0, 0,
		func(cmd *cobra.Command, _ []string) error {
			build, ok := debug.ReadBuildInfo()
			if !ok {
				build = new(debug.BuildInfo)
			}
			simple, _ := caddy.Version()
			info := newVersionInfo(build, simple)
			if asJSON {
				return printJSON(cmd.OutOrStdout(), info)
			}
			return info.print(cmd.OutOrStdout())
		})
	jsonFlag(cmd, &asJSON)
	return cmd
}
