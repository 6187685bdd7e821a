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

// version is that of the module, as the build recorded it.
func version() (v, commit string) {
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
