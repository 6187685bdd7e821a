package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/fleet/natstest"
	"github.com/mianmi/mianmi/merchant"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
)

// asProgram makes the test binary be the program itself.
const asProgram = "MIANMI_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	natstest.Main()
	hashing.Cost = secret.Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}
	couriers.waits, couriers.lease = slices.Repeat([]time.Duration{200 * time.Millisecond}, 50), 2*time.Second
	if os.Getenv(asProgram) != "" {
		release = releaseOfSelf()
		main()
	}
	os.Exit(m.Run())
}

// program is the real program in a folder of its own, as another process.
func program(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...) //nolint:gosec // this test binary
	cmd.Dir = dir
	cmd.Env = []string{asProgram + "=1", "LANG=en_US.UTF-8", "PATH=" + os.Getenv("PATH")}
	return cmd
}

// The whole story passes on both engines, and again on the same folder, where
// the world of the first run goes on.
func TestDemoTwice(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			args := []string{"demo", "--once", "--listen=127.0.0.1:0"}
			if engine == "postgres" {
				args = append(args, "--db="+pgtest.Open(t))
			}
			for _, want := range []string{"Loading the example world", "goes on: 3 merchants, 12 payers"} {
				out, err := program(t, dir, args...).CombinedOutput()
				if err != nil || !strings.Contains(string(out), want) || !strings.Contains(string(out), "all 48 steps as expected") {
					t.Fatalf("%v, want %q and 48 steps as expected:\n%s", err, want, out)
				}
			}
			if engine == "postgres" {
				return
			}
			for _, file := range []string{"keys.json", "world.json", "env.sh"} {
				info, err := os.Stat(filepath.Join(dir, "mianmi-data", "demo", file))
				if err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v %v, want it there for its owner alone", file, info, err)
				}
			}
		})
	}
}

// Killed while it loads, the demo starts anew on the same folder; it stays up
// after its story, the addresses and tokens of env.sh lead to it, and an interrupt ends it
// with status 0.
func TestDemoSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := program(t, dir, "demo", "--listen=127.0.0.1:0")
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	// The first line comes when loading begins.
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "Loading") {
		t.Fatalf("%q %v", line, err)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // killed

	second := program(t, dir, "demo", "--listen=127.0.0.1:0")
	if out, err = second.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "Ctrl-C") {
		said.WriteString(lines.Text() + "\n")
	}
	text := said.String()
	if !strings.Contains(text, "Loading") || !strings.Contains(text, "all 48 steps as expected") {
		t.Fatalf("the second start:\n%s", text)
	}
	env := readEnv(t, filepath.Join(dir, "mianmi-data", "demo", "env.sh"))
	status, me := getAs(t, env, "/v1/payers/me")
	body, err := io.ReadAll(me)
	if err != nil || status != http.StatusOK || !strings.Contains(string(body), `"state":"open"`) {
		t.Errorf("the guest of env.sh: %d %s %v", status, body, err)
	}
	// A stream that is open does not hold the server when it stops.
	status, events := getAs(t, env, "/v1/payers/me/events")
	if status != http.StatusOK {
		t.Errorf("events: status %d", status)
	}
	if err := second.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { //nolint:revive // to the end, so that the program can write it
	}
	if err := second.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
	if _, err := io.Copy(io.Discard, events); err != nil {
		t.Errorf("the stream was cut off: %v", err)
	}
}

// readEnv reads what a shell would.
func readEnv(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file) //nolint:gosec // of the test's own folder
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if kv, ok := strings.CutPrefix(strings.TrimSpace(line), "export "); ok {
			name, value, _ := strings.Cut(kv, "=")
			env[name] = strings.Trim(value, "'")
		}
	}
	return env
}

// getAs asks as the guest of env.sh; the body ends with the test.
func getAs(t *testing.T, env map[string]string, path string) (int, io.Reader) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, env["MIANMI_URL"]+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+env["PAYER_TOKEN"])
	res, err := http.DefaultClient.Do(req) //nolint:bodyclose // closed by the clean-up
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() }) // read to the end by the caller
	return res.StatusCode, res.Body
}

// A database that somebody else uses is left alone. A story that fails says
// which step and ends with status 1: here because of an emergency stop that
// the demo did not place.
func TestDemoRefusesAndFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	args := []string{"demo", "--once", "--listen=127.0.0.1:0", "--db=sqlite:" + filepath.Join(w.dir, "theirs.db")}
	if got := w.run(t, args...); got.code != exitOK {
		t.Fatalf("%+v", got)
	}
	// Another data folder knows nothing of that world.
	other := world{dir: w.dir, environ: []string{"LANG=en_US.UTF-8", "MIANMI_DATA=" + filepath.Join(w.dir, "other")}}
	if got := other.run(t, args...); got.code != exitFailed || !strings.Contains(got.stderr, "in use") {
		t.Errorf("%+v, want a refusal", got)
	}
	stopEverything(t, filepath.Join(w.dir, "theirs.db"))
	got := w.run(t, args...)
	if got.code != exitFailed || !strings.Contains(got.stdout, "Step [2] was not as expected") || !strings.Contains(got.stderr, "step [2]") {
		t.Errorf("%+v, want status 1 and step 2", got)
	}
}

// stopEverything places an emergency stop on all payments of a database.
func stopEverything(t *testing.T, file string) {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+file, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the stop is durable when Place returns
	risk := mianmi.Actor{Role: mianmi.RoleRisk, ID: "sf0"}
	order := merchant.StopOrder{Scope: merchant.Everything(), Reason: "a test", For: time.Hour}
	if _, err := merchant.New(db, systemClock{}, systemRandom).Place(t.Context(), risk, order); err != nil {
		t.Fatal(err)
	}
}

// The demo is Chinese unless the locale or --lang says otherwise.
func TestDemoLanguage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		environ []string
		lang    string
		want    mianmi.Lang
	}{
		{nil, "", mianmi.ZH},
		{[]string{"LANG=C.UTF-8"}, "", mianmi.ZH},
		{[]string{"LC_ALL=POSIX", "LANG=en_US.UTF-8"}, "", mianmi.ZH},
		{[]string{"LANG=zh_CN.UTF-8"}, "", mianmi.ZH},
		{[]string{"LANG=en_US.UTF-8"}, "", mianmi.EN},
		{[]string{"LANG=de_DE.UTF-8"}, "", mianmi.EN},
		{[]string{"MIANMI_LANG=en"}, "", mianmi.EN},
		{[]string{"LANG=C"}, "en", mianmi.EN},
	} {
		a := &app{environ: tt.environ, shared: &shared{Lang: tt.lang}, lang: chooseLang(nil, tt.environ)}
		if tt.lang != "" {
			a.lang = mianmi.ParseLang(tt.lang)
		}
		if got := new(demoCmd).lang(a); got != tt.want {
			t.Errorf("%v %q: %v, want %v", tt.environ, tt.lang, got, tt.want)
		}
	}
}

// The demo's clock goes where it is set, runs on from there, and catches up.
func TestShiftedClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 3, 12, 0, 0, 0, time.UTC)
	c := &shiftedClock{machine: mianmi.ClockFunc(func() time.Time { return now })}
	past := now.AddDate(0, 0, -21)
	c.JumpTo(past)
	if got := c.Now(); !got.Equal(past) {
		t.Errorf("after a jump: %v, want %v", got, past)
	}
	now = now.Add(time.Second)
	if got := c.Now(); !got.Equal(past.Add(time.Second)) {
		t.Errorf("a second later: %v, want %v", got, past.Add(time.Second))
	}
	c.CatchUp()
	if got := c.Now(); !got.Equal(now) {
		t.Errorf("caught up: %v, want %v", got, now)
	}
}
