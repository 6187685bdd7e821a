package main

import (
	"bufio"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mianmi/mianmi/evidence/witnesstest"
	"github.com/mianmi/mianmi/secret"
)

// A server with a witness has its log cosigned; the receipts of what happened
// before bear it, and whoever believes this witness alone finds it there. A
// server whose database was put back is told by the witness.
func TestServeWithWitness(t *testing.T) {
	t.Parallel()
	w := logged(t)
	keys, err := secret.Load(filepath.Join(w.dir, "data", "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	wit, other := witnesstest.Start(t, "witness.example/a", 1), witnesstest.Start(t, "witness.example/b", 2)
	wit.Know(t, logKey(t, keys))
	older := w.copied(t)
	setting := "MIANMI_WITNESS=" + wit.Key + "=" + wit.URL
	cosigned := w
	cosigned.environ = append(slices.Clone(w.environ), setting)
	if got := cosigned.run(t, "staff", "create", "dora"); got.code != exitOK { // so that the log is longer than the older one
		t.Fatal(got.stderr)
	}
	var checked struct {
		Cosigned []struct {
			Witness string
			Size    int64
		}
	}
	at, stop := cosigned.start(t)
	whole := int64(settled(t, at["metrics"]))
	eventually(t, "what the witness has signed of the whole log is kept", func() bool {
		got := w.run(t, "evidence", "check", "--json")
		err := json.Unmarshal([]byte(got.stdout), &checked)
		return err == nil && len(checked.Cosigned) == 1 && checked.Cosigned[0].Size >= whole
	})
	if code := stop(); code != exitOK {
		t.Fatalf("status %d", code)
	}
	file := filepath.Join(w.dir, "receipt.json")
	if got := w.run(t, "receipt", "get", w.entryOf(t, "staff.created"), "--out", file); got.code != exitOK {
		t.Fatal(got.stderr)
	}
	if got := w.run(t, "receipt", "verify", file, "--key="+logKey(t, keys), "--witness-key="+wit.Key); got.code != exitOK || !strings.Contains(got.stdout, "witness.example/a") {
		t.Errorf("with the witness: %+v", got)
	}
	if got := w.run(t, "receipt", "verify", file, "--key="+logKey(t, keys), "--witness-key="+other.Key); got.code != exitFailed {
		t.Errorf("with another witness: %+v", got)
	}
	got := w.run(t, "evidence", "check", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &checked); err != nil || got.code != exitOK || len(checked.Cosigned) != 1 || checked.Cosigned[0].Size != wit.Size() {
		t.Errorf("check: %+v, %v", got, err)
	}
	older.hearsOfALongerLog(t, setting)
}

// hearsOfALongerLog starts a server, which must say that a witness knows more of
// its log than it does.
func (w world) hearsOfALongerLog(t *testing.T, setting string) {
	t.Helper()
	back := program(t, w.dir, "serve", "--listen=127.0.0.1:0", "--data="+filepath.Join(w.dir, "data"))
	back.Env = append(back.Env, setting)
	said := make(chan string, 1)
	stderr, err := back.StderrPipe()
	if err == nil {
		err = back.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "longer log") {
				said <- lines.Text()
				break
			}
		}
		_, _ = io.Copy(io.Discard, stderr)
	}()
	select {
	case <-said:
	case <-time.After(patience):
		t.Error("the older server says nothing of the longer log")
	}
	_ = back.Process.Kill()
	_ = back.Wait()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(patience)
	defer end.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("waited %v: %s", patience, what)
		}
	}
}
