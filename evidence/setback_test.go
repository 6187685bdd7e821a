package evidence

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mianmi/mianmi"
)

// branch is a log of 8 common entries and some of its own, sequenced up to all
// but the last waiting ones.
func branch(t *testing.T, name string, own, waiting int) (*memory, *Log) {
	t.Helper()
	m, l := newLog(t)
	for i := range 8 + own {
		id := fmt.Sprint("en", i)
		if i >= 8 {
			id = fmt.Sprint("en", name, i)
		}
		m.add(t, id, "payer.pin_free.closed", map[string]any{"version": i}, nil)
		if i == 7+own-waiting {
			sequence(t, l)
		}
	}
	return m, l
}

// A log stands to a checkpoint that was known as grown, behind or forked,
// entries that wait included; and two logs have their common beginning in common.
func TestStands(t *testing.T) {
	t.Parallel()
	_, known := branch(t, "a", 4, 0)
	head, err := known.Head(t.Context())
	if err != nil || head.Size != 12 {
		t.Fatalf("%+v %v", head, err)
	}
	other := head
	other.Origin = "other.example"
	for _, tt := range []struct {
		name          string
		branch        string
		own, waiting  int
		to            Checkpoint
		want          Standing
		commonEntries int64
	}{
		{"the same log", "a", 4, 0, head, Grown, 12},
		{"a longer one", "a", 6, 0, head, Grown, 12},
		{"a shorter one", "a", 3, 0, head, Behind, 11},
		{"one that waits for what is missing", "a", 4, 2, head, Grown, 10},
		{"one that waits for more", "a", 6, 4, head, Grown, 10},
		{"one that waits for too little", "a", 3, 2, head, Behind, 9},
		{"other entries of the same number", "b", 4, 0, head, Forked, 8},
		{"other entries of a greater number", "b", 5, 0, head, Forked, 8},
		{"other entries that wait", "b", 4, 4, head, Forked, 8},
		{"nothing known", "b", 4, 0, Checkpoint{Origin: head.Origin}, Grown, 8},
		{"a log of another name", "a", 4, 0, other, Forked, 12},
	} {
		m, l := branch(t, tt.branch, tt.own, tt.waiting)
		var more [][]byte
		for _, w := range m.waiting {
			more = append(more, w.Bytes)
		}
		got, err := l.Stands(t.Context(), tt.to, more...)
		if err != nil || got != tt.want {
			t.Errorf("%s: %v %v, want %v", tt.name, got, err, tt.want)
		}
		if n, err := Common(t.Context(), known, l); err != nil || n != tt.commonEntries {
			t.Errorf("%s: %d in common, %v, want %d", tt.name, n, err, tt.commonEntries)
		}
	}
}

// What was lost is read back from the entry as it was written.
func TestSetBackEntry(t *testing.T) {
	t.Parallel()
	_, l := branch(t, "a", 4, 0)
	head, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := SetBack{Known: Point{20, head.Root}, Left: Point{head.Size, head.Root}, Lost: 8, AtLeast: true, Repeated: 3}
	e, err := l.NewSetBack(RestoredType, mianmi.System("command-line"), rand.Reader, want)
	if err != nil {
		t.Fatal(err)
	}
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	var got SetBack
	if err := back.ReadBody(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || back.Subject != SubjectOf(l.Name()) || got.None() {
		t.Errorf("%s %s", back.Subject, diff)
	}
}
