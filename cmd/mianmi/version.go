package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCmd struct{}

// Run prints version, commit and Go's version on one line.
func (versionCmd) Run(a *app) error {
	v, commit := version()
	_, err := fmt.Fprintf(a.stdout, "mianmi %s (%s, %s, %s/%s)\n", v, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// release is the version of a build that has no module version, such as a
// maker's own: go build -ldflags "-X main.release=1.4.0".
var release string

// version is that of the module, as the build recorded it.
func version() (v, commit string) {
	defer func() {
		if release != "" {
			v = release
		}
	}()
	v, commit = "unreleased", "unknown commit"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v, commit
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			commit = s.Value[:12]
		}
	}
	return v, commit
}
