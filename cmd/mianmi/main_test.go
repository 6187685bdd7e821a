package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/store/pgtest"
)

// patience is how long a test waits for what must happen: a bound, not a
// measure, for the machine may be slow and busy.
const patience = 3 * time.Minute

// result is what one run of the program left.
type result struct {
	code           int
	stdout, stderr string
}

// world is a place for the program: a data folder and an environment.
type world struct {
	dir     string
	environ []string
	clock   mianmi.Clock // nil: the machine's
}

func newWorld(t *testing.T, environ ...string) world {
	t.Helper()
	dir := t.TempDir()
	return world{dir: dir, environ: append([]string{"LANG=en_US.UTF-8", asProgram + "=1", "MIANMI_DATA=" + filepath.Join(dir, "data")}, environ...)}
}

func (w world) app() (*app, *bytes.Buffer, *bytes.Buffer) {
	var stdout, stderr bytes.Buffer
	clock := w.clock
	if clock == nil {
		clock = systemClock{}
	}
	return &app{clock: clock, random: systemRandom, stdout: &stdout, stderr: &stderr, environ: w.environ}, &stdout, &stderr
}

func (w world) run(t *testing.T, args ...string) result {
	t.Helper()
	a, stdout, stderr := w.app()
	code := run(t.Context(), args, a)
	return result{code, stdout.String(), stderr.String()}
}

func (w world) file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Bad input of any source ends with status 2 and names the source: the flag,
// the variable, or file and line. No value that may be a secret is quoted.
func TestUsageNamesTheSource(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		file    string
		environ string
		args    []string
		want    []string
	}{
		{name: "an unknown flag", args: []string{"version", "--nope"}, want: []string{"--nope"}},
		{name: "an unknown subcommand", args: []string{"nope"}, want: []string{"nope"}},
		{name: "a flag out of bounds", args: []string{"version", "--db-conns=0"}, want: []string{"--db-conns"}},
		{name: "a variable of the wrong type", environ: "MIANMI_DB_CONNS=many", want: []string{"MIANMI_DB_CONNS"}},
		{name: "a variable out of its list", environ: "MIANMI_LOG_LEVEL=loud", want: []string{"MIANMI_LOG_LEVEL"}},
		{name: "an unknown key", file: "db-conns: 3\n\ndb-con: 4\n", want: []string{"m.yaml:3", "db-con"}},
		{name: "two unknown keys", file: "a: 1\nb: 2\n", want: []string{"m.yaml:1", "m.yaml:2"}},
		{name: "a flag that no file may set", file: "config: x\n", want: []string{"m.yaml:1"}},
		{name: "a key twice", file: "db-conns: 3\ndb-conns: 4\n", want: []string{"m.yaml:2", "db-conns"}},
		{name: "a value of the wrong type", file: "# first\ndb-conns: many\n", want: []string{"m.yaml:2", "--db-conns"}},
		{name: "a value out of bounds", file: "\ntimeout-stop: 9h\n", args: []string{"serve"}, want: []string{"m.yaml:2", "--timeout-stop"}},
		{name: "a key without value", file: "db:\n", want: []string{"m.yaml:1", "db"}},
		{name: "a tree where a value should be", file: "db:\n  password: hunter2\n", want: []string{"m.yaml:1", "db"}},
		{name: "a list in place of keys", file: "- db\n", want: []string{"m.yaml:1"}},
		{name: "no YAML", file: "db: [\n", want: []string{"m.yaml:1"}},
		{name: "two documents", file: "db-conns: 3\n---\ndb-conns: 4\n", want: []string{"m.yaml", "2"}},
		{name: "a file that is not there", args: []string{"version", "--config", "nowhere.yaml"}, want: []string{"--config", "nowhere.yaml"}},
		{name: "half of TLS", args: []string{"serve", "--tls-cert=x"}, want: []string{"--tls-key"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.environ)
			args := tt.args
			if args == nil {
				args = []string{"version"}
			}
			if tt.file != "" {
				args = append(args, "--config="+w.file(t, "m.yaml", tt.file))
			}
			got := w.run(t, args...)
			if got.code != exitUsage {
				t.Errorf("status %d, want %d; %s", got.code, exitUsage, got.stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("told %q, want %q in it", got.stderr, want)
				}
			}
			if strings.Contains(got.stderr, "hunter2") {
				t.Errorf("a value is quoted: %q", got.stderr)
			}
		})
	}
}

// Flags win over the environment, and that over the file.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	at := func(w world, name string) string { return "sqlite:" + filepath.Join(w.dir, name) }
	for _, tt := range []struct {
		name           string
		flag, env, yml bool
		want           string
	}{
		{"the flag wins over all", true, true, true, "flag.db"},
		{"the environment wins over the file", false, true, true, "env.db"},
		{"the file wins over the default", false, false, true, "yml.db"},
		{"the default is in the data folder", false, false, false, "data/mianmi.db"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			args := []string{"migrate"}
			if tt.yml {
				args = append(args, "--config", w.file(t, "m.yaml", "db: "+at(w, "yml.db")+"\n"))
			}
			if tt.env {
				w.environ = append(w.environ, "MIANMI_DB="+at(w, "env.db"))
			}
			if tt.flag {
				args = append(args, "--db", at(w, "flag.db"))
			}
			if got := w.run(t, args...); got.code != exitOK {
				t.Fatalf("status %d: %s", got.code, got.stderr)
			}
			for _, name := range []string{"flag.db", "env.db", "yml.db", "data/mianmi.db"} {
				_, err := os.Stat(filepath.Join(w.dir, name))
				if (err == nil) != (name == tt.want) {
					t.Errorf("%s: %v; want only %s", name, err, tt.want)
				}
			}
		})
	}
}

// Each subcommand has help in both languages, without an untranslated word of
// the other, and help is no failure.
func TestHelpInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, cmd := range []string{"", "serve", "migrate", "doctor", "staff", "staff create", "demo", "rules", "rules list", "rules explain", "rules diff", "case", "case list", "case act", "case decide", "update", "update publish", "version"} {
		w := newWorld(t)
		args := append(strings.Fields(cmd), "--help")
		en, zh := w.run(t, append(args, "--lang=en")...), w.run(t, append(args, "--lang=zh")...)
		if en.code != exitOK || zh.code != exitOK {
			t.Fatalf("%s --help: status %d, %d: %s%s", cmd, en.code, zh.code, en.stderr, zh.stderr)
		}
		if i := strings.IndexFunc(en.stdout, func(r rune) bool { return r >= 0x2e80 }); i >= 0 {
			t.Errorf("%s: English help has %q", cmd, en.stdout[i:])
		}
		for _, word := range []string{"Usage", "Flags:", "Commands:", "Show ", "Longest", "Folder", "default "} {
			if strings.Contains(zh.stdout, word) {
				t.Errorf("%s: Chinese help has %q", cmd, word)
			}
		}
	}
}

// The language is that of --lang, else the locale's; Chinese only where asked.
func TestLanguage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		environ []string
		args    []string
		zh      bool
	}{
		{environ: nil, zh: false},
		{environ: []string{"LANG=zh_CN.UTF-8"}, zh: true},
		{environ: []string{"LANG=C.UTF-8"}, zh: false},
		{environ: []string{"LC_ALL=en_GB.UTF-8", "LANG=zh_CN.UTF-8"}, zh: false},
		{environ: []string{"LANG=en_US.UTF-8", "MIANMI_LANG=zh"}, zh: true},
		{environ: []string{"LANG=zh_CN.UTF-8"}, args: []string{"--lang", "en"}, zh: false},
	} {
		w := world{dir: t.TempDir(), environ: tt.environ}
		got := w.run(t, append(tt.args, "--help")...)
		if strings.Contains(got.stdout, "用法") != tt.zh {
			t.Errorf("%v %v: Chinese %v, want %v", tt.environ, tt.args, !tt.zh, tt.zh)
		}
	}
}

// Migrating twice takes the steps once, on both engines.
func TestMigrateCommand(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if engine == "postgres" {
				w.environ = append(w.environ, "MIANMI_DB="+pgtest.Open(t))
			}
			first, second := w.run(t, "migrate"), w.run(t, "migrate")
			if first.code != exitOK || !strings.Contains(first.stdout, "0001_init.sql") {
				t.Errorf("first: %+v", first)
			}
			if second.code != exitOK || strings.Contains(second.stdout, ".sql") || !strings.Contains(second.stdout, "0 steps") {
				t.Errorf("second: %+v", second)
			}
		})
	}
}
