package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/update"
)

// An operator's way with the program: init, publish, status, refresh with the
// online keys alone, rotation, and what is refused on the way.
func TestUpdateCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ok := func(want string, args ...string) string {
		t.Helper()
		got := w.run(t, append([]string{"update"}, args...)...)
		if got.code != exitOK || !strings.Contains(got.stdout, want) {
			t.Fatalf("%v: status %d, want %q:\n%s%s", args, got.code, want, got.stdout, got.stderr)
		}
		return got.stdout
	}
	no := func(want string, args ...string) {
		t.Helper()
		got := w.run(t, append([]string{"update"}, args...)...)
		if got.code != exitFailed || !strings.Contains(got.stderr, want) {
			t.Errorf("%v: status %d, want %q:\n%s%s", args, got.code, want, got.stdout, got.stderr)
		}
	}
	no("update init makes one", "status")
	ok("repository begun", "init")
	no("already", "init")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := w.file(t, "program", "#!/bin/sh\n")
	ok("published: linux_countertop 1.4.0 (linux-", "publish", "linux_countertop", "1.4.0", self)
	ok("published: qr_box 2.0 (linux-riscv64, 10 bytes)", "publish", "qr_box", "2.0", script, "--platform=linux-riscv64", "--minimum-os=5.10", "--attest-within=2m")
	no("platform", "publish", "qr_box", "2.1", script)
	no("was built for", "publish", "qr_box", "2.1", self, "--platform=plan9-mips")
	no("linux_countertop", "publish", "toaster", "2.1", script)
	no("never used twice", "publish", "qr_box", "2.0", w.file(t, "other", "#!/bin/bash\n"), "--platform=linux-riscv64")
	status := ok("qr_box", "status")
	for _, want := range []string{"timestamp", "linux-riscv64", "system 5.10, proof within 2m0s", "its key is here"} {
		if !strings.Contains(strings.Join(strings.Fields(status), " "), want) {
			t.Errorf("status without %q:\n%s", want, status)
		}
	}
	keys := filepath.Join(w.dir, "data", "update-keys")
	stick := filepath.Join(w.dir, "stick")
	if err := os.Mkdir(stick, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"root", "targets"} {
		list, err := filepath.Glob(filepath.Join(keys, role+".*"))
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		if err := os.Rename(list[0], filepath.Join(stick, filepath.Base(list[0]))); err != nil {
			t.Fatal(err)
		}
	}
	ok("signed anew: timestamp", "refresh")
	no("the targets key", "publish", "qr_box", "2.2", script, "--platform=linux-riscv64")
	no("the root key", "rotate", "timestamp")
	both := "--update-keys=" + keys + "," + stick
	ok("published", "publish", "qr_box", "2.2", script, "--platform=linux-riscv64", both)
	ok("timestamp has a new key", "rotate", "timestamp", both)
	ok("root has a new key", "rotate", "root", both)
	ok("withdrawn", "withdraw", "qr_box", "2.0", both)
	ok("已签发", "publish", "qr_box", "2.3", script, "--platform=linux-riscv64", both, "--lang=zh")

	a, stdout, _ := w.app() // a week later, and nobody has run refresh
	a.clock = mianmi.ClockFunc(func() time.Time { return time.Now().Add(update.TimestampLife + time.Hour) })
	if code := run(t.Context(), []string{"update", "status"}, a); code != exitFailed || !strings.Contains(strings.Join(strings.Fields(stdout.String()), " "), "expired: terminals take no updates") {
		t.Errorf("status %d a week later:\n%s", code, stdout)
	}
}

// A program is asked for its version where the build has left it: in the
// linker's flags, else in its module.
func TestCallsItself(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]string{"": "v1.2.0", "-w": "v1.2.0", "-w -X main.release=1.4.0 -s": "1.4.0", `-X "main.release=1.4.0"`: "1.4.0"} {
		info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.0"}, Settings: []debug.BuildSetting{
			{Key: "-ldflags", Value: flags}, {Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "arm64"}}}
		if v, platform := callsItself(info); v != want || platform != "linux-arm64" {
			t.Errorf("%q: %s, %s; want %s", flags, v, platform, want)
		}
	}
}
