package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/evidence"
	"github.com/mianmi/mianmi/evidence/witnesstest"
	"github.com/mianmi/mianmi/secret"
	"github.com/mianmi/mianmi/store"
	"github.com/mianmi/mianmi/store/pgtest"
)

// doctor runs the doctor and returns the status of each check.
func (w world) doctor(t *testing.T, args ...string) (statuses map[string]string, code int) {
	t.Helper()
	got := w.run(t, append([]string{"doctor", "--json"}, args...)...)
	var rows []struct{ Check, Status, Found, Remedy string }
	if err := json.Unmarshal([]byte(got.stdout), &rows); err != nil {
		t.Fatalf("%v in %q; %s", err, got.stdout, got.stderr)
	}
	statuses = map[string]string{}
	for _, r := range rows {
		if r.Found == "" || (r.Remedy == "") != (r.Status == "ok") {
			t.Errorf("finding without words or remedy: %+v", r)
		}
		statuses[r.Check] = r.Status
	}
	return statuses, got.code
}

// keys makes the keys file that serve makes at its first start.
func (w world) keys(t *testing.T) string {
	t.Helper()
	file := filepath.Join(w.dir, "data", "keys.json")
	if _, _, err := secret.LoadOrCreate(file, systemRandom); err != nil {
		t.Fatal(err)
	}
	return file
}

// not returns the checks that are not ok.
func not(statuses map[string]string) map[string]string {
	bad := map[string]string{}
	for check, s := range statuses {
		if s != "ok" {
			bad[check] = s
		}
	}
	return bad
}

// A fresh deployment fails for what is missing, and asking makes nothing.
func TestDoctorOfAnEmptyFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	statuses, code := w.doctor(t)
	want := map[string]string{"database.reachable": "fail", "data.folder": "fail", "keys.file": "fail"}
	if d := cmp.Diff(want, not(statuses)); d != "" || code != exitFailed {
		t.Errorf("status %d, findings (-want +got):\n%s", code, d)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "*")); len(left) != 0 {
		t.Errorf("the doctor made %v", left)
	}
}

// A deployment as it should be has nothing to find, on both engines; on a
// PostgreSQL that does not sync, the doctor says so.
func TestDoctorOfAGoodDeployment(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.run(t, "migrate")
		w.keys(t)
		if statuses, code := w.doctor(t); len(not(statuses)) > 0 || code != exitOK || len(statuses) < 10 {
			t.Errorf("status %d, findings %v", code, statuses)
		}
	})
	t.Run("postgres without fsync", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, "MIANMI_DB="+pgtest.Open(t))
		w.run(t, "migrate")
		w.keys(t)
		statuses, code := w.doctor(t)
		want := map[string]string{"durability.fsync": "fail", "durability.full_page_writes": "warn"}
		if d := cmp.Diff(want, not(statuses)); d != "" || code != exitFailed {
			t.Errorf("status %d, findings (-want +got):\n%s", code, d)
		}
	})
}

// One fault at a time is found, and is the only one.
func TestDoctorFindsFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, w world, keys string) error
		want  map[string]string
		args  []string
	}{
		{
			name:  "keys that others may read",
			spoil: func(_ *testing.T, _ world, keys string) error { return os.Chmod(keys, 0o644) },
			want:  map[string]string{"keys.file": "fail"},
		},
		{
			name:  "keys that are damaged",
			spoil: func(_ *testing.T, _ world, keys string) error { return os.WriteFile(keys, []byte("{}"), 0o600) },
			want:  map[string]string{"keys.file": "fail"},
		},
		{
			name:  "a folder that others may write",
			spoil: func(_ *testing.T, w world, _ string) error { return os.Chmod(filepath.Join(w.dir, "data"), 0o777) },
			want:  map[string]string{"data.folder": "warn"},
		},
		{
			name: "a database without a schema",
			spoil: func(t *testing.T, w world, _ string) error {
				db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(w.dir, "empty.db"), store.Options{})
				if err != nil {
					return err
				}
				return db.Close()
			},
			args: []string{"--db", "sqlite:empty.db"},
			want: map[string]string{"database.schema": "fail"},
		},
		{
			name: "an address that is none",
			args: []string{"--db", "mysql://root:hunter2@h/x"},
			want: map[string]string{"database.reachable": "fail"},
		},
		{
			name: "a server that is away",
			args: []string{"--db", "postgres://u:hunter2@127.0.0.1:1/x"},
			want: map[string]string{"database.reachable": "fail"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run(t, "migrate")
			keys := w.keys(t)
			if tt.spoil != nil {
				if err := tt.spoil(t, w, keys); err != nil {
					t.Fatal(err)
				}
			}
			for i, arg := range tt.args { // addresses are beside the data folder
				tt.args[i] = strings.Replace(arg, "sqlite:", "sqlite:"+w.dir+"/", 1)
			}
			statuses, code := w.doctor(t, tt.args...)
			if d := cmp.Diff(tt.want, not(statuses)); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
			failed := strings.Contains(strings.Join(values(tt.want), " "), "fail")
			if (code == exitFailed) != failed {
				t.Errorf("status %d with %v", code, statuses)
			}
			if got := w.run(t, append([]string{"doctor"}, tt.args...)...); strings.Contains(got.stdout+got.stderr, "hunter2") {
				t.Errorf("the password is shown: %q", got.stdout+got.stderr)
			}
		})
	}
}

func values(m map[string]string) []string {
	var list []string
	for _, v := range m {
		list = append(list, v)
	}
	return list
}

// What the machine cannot be made to show is checked on the figures.
func TestDoctorJudgesFigures(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	witness, err := evidence.ParseWitnessAt(witnesstest.Start(t, "witness.example/a", 1).Key + "=https://witness.example")
	if err != nil {
		t.Fatal(err)
	}
	clock := func(now, later time.Duration) finding {
		return checkClock(store.Facts{Now: at.Add(now), Later: at.Add(later)}, at, at.Add(10*time.Millisecond))
	}
	for _, tt := range []struct {
		name string
		got  finding
		want status
	}{
		{"clocks that agree", clock(time.Millisecond, 2*time.Millisecond), ok},
		{"a database 1.9 s ahead", clock(1900*time.Millisecond, 1900*time.Millisecond), ok},
		{"a database 3 s ahead", clock(3*time.Second, 3*time.Second), fail},
		{"a database 3 s behind", clock(-3*time.Second, -3*time.Second), fail},
		{"a database whose clock runs backwards", clock(5*time.Millisecond, 4*time.Millisecond), fail},
		{"our clock runs backwards", checkClock(store.Facts{Now: at, Later: at}, at, at.Add(-1)), fail},
		{"facts are dispatched", checkOutbox(store.OutboxStats{FactAge: time.Second})[0], ok},
		{"facts that nobody dispatches", checkOutbox(store.OutboxStats{FactAge: 2 * time.Minute})[0], warn},
		{"messages that are sent", checkOutbox(store.OutboxStats{Waiting: 3, WaitingAge: time.Minute})[1], ok},
		{"messages that wait for hours", checkOutbox(store.OutboxStats{Waiting: 3, WaitingAge: 2 * time.Hour})[1], warn},
		{"a webhook that fails", checkOutbox(store.OutboxStats{Failing: 1})[1], warn},
		{"no message was given up", checkOutbox(store.OutboxStats{})[2], ok},
		{"messages that were given up", checkOutbox(store.OutboxStats{Dead: 1})[2], warn},
		{"a log that nobody writes", checkLag(evidence.State{Waiting: 1, Oldest: at}, at.Add(lagFail)), fail},
		{"a log that is late", checkLag(evidence.State{Waiting: 1, Oldest: at}, at.Add(lagWarn)), warn},
		{"a log as it should be", checkLag(evidence.State{Size: 9, Waiting: 1, Oldest: at}, at.Add(time.Second)), ok},
		{"a log with nothing to do", checkLag(evidence.State{Size: 9}, at), ok},
		{"a log under another key", checkLogKey(nil, mianmi.Conflicts("log_key_unknown", "x")), fail},
		{"a log of which nothing was noted", checkMemory(view{}, false, nil), ok},
		{"a log that has what was noted", checkMemory(view{known: &seenLog{Size: 9}, stands: evidence.Grown}, false, nil), ok},
		{"a log that went back", checkMemory(view{known: &seenLog{Size: 9}, stands: evidence.Behind}, false, nil), fail},
		{"another log", checkMemory(view{known: &seenLog{Size: 9}}, false, nil), fail},
		{"a log that says so itself", checkMemory(view{known: &seenLog{Size: 9}}, true, nil), ok},
		{"a note that cannot be read", checkMemory(view{}, false, mianmi.InvalidField("x", "x")), fail},
		{"a log that fits", checkTail(evidence.Checked{Entries: 9}, nil), ok},
		{"a log that was changed", checkTail(evidence.Checked{Fault: &evidence.Fault{Kind: evidence.FaultChanged, At: 3, ID: "en3"}}, nil), fail},
		{"a log that cannot be read", checkTail(evidence.Checked{}, mianmi.Missing("hash")), fail},
		{"a log without a name", checkLogKey(nil, mianmi.InvalidField("log_name", "x")), fail},
		{"a wrong witness", checkLogKey(nil, mianmi.InvalidField("witness", "x")), fail},
		{"a witness that never answered", checkWitnesses([]evidence.WitnessAt{witness}, nil, evidence.StoredCheckpoint{Size: 9}, at), warn},
		{"a witness that stays behind", checkWitnesses([]evidence.WitnessAt{witness}, []evidence.StoredCosigned{{Key: witness.Public(), Size: 8, At: at}},
			evidence.StoredCheckpoint{Size: 9}, at.Add(cosignedWarn+1)), warn},
		{"a witness of a log at rest", checkWitnesses([]evidence.WitnessAt{witness}, []evidence.StoredCosigned{{Key: witness.Public(), Size: 9, At: at}},
			evidence.StoredCheckpoint{Size: 9}, at.Add(time.Hour)), ok},
		{"an old schema", checkSchema(store.Facts{Have: 1, Want: 2}), fail},
		{"a schema one ahead", checkSchema(store.Facts{Have: 3, Want: 2}), warn},
		{"a schema two ahead", checkSchema(store.Facts{Have: 4, Want: 2}), fail},
		{"a standby", checkWritable(store.Facts{}), fail},
		{"a full disk", checkDisk("x", diskFail-1), fail},
		{"a disk that fills", checkDisk("x", diskWarn-1), warn},
		{"a roomy disk", checkDisk("x", diskWarn), ok},
		{"a tiny limit of files", checkFiles(filesFail - 1), fail},
		{"a usual limit of files", checkFiles(filesWarn - 1), warn},
		{"a good limit of files", checkFiles(filesWarn), ok},
		{"an old PostgreSQL", checkPostgres(store.Facts{Engine: "postgres", Major: 14, ConnsMax: 100}, 32)[0], fail},
		{"too few connections", checkPostgres(store.Facts{Engine: "postgres", Major: 15, ConnsMax: 20}, 32)[4], warn},
		{"a commit that does not wait", checkPostgres(store.Facts{Engine: "postgres", Settings: map[string]string{"synchronous_commit": "off"}}, 1)[3], fail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.got.status != tt.want {
				t.Errorf("%+v, want status %d", tt.got, tt.want)
			}
			for _, text := range []mianmi.Text{tt.got.found, tt.got.remedy} {
				if (text.ZH == "") != (text.EN == "") || strings.Contains(text.ZH+text.EN, "%!") {
					t.Errorf("words in one language, or badly filled: %+v", text)
				}
			}
		})
	}
}
