package packs

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mianmi/mianmi"
	"github.com/mianmi/mianmi/pinfree"
)

// TestEmbeddedCompile proves that what is shipped can be put in force, in each
// of its readings, and that every pack stands in the file of its name.
func TestEmbeddedCompile(t *testing.T) {
	t.Parallel()
	all, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pinfree.Compile(all); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Origin.File != p.ID+".yaml" {
			t.Errorf("pack %s is in %s", p.ID, p.Origin.File)
		}
		if len(p.Readings) == 0 {
			t.Errorf("pack %s does not name the reading taken", p.ID)
		}
		for _, r := range p.Readings {
			taken, err := p.Take(r.ID)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := pinfree.Compile([]pinfree.Pack{taken}); err != nil {
				t.Errorf("reading %s: %v", r.ID, err)
			}
		}
		if _, err := p.Take("none"); !errors.Is(err, mianmi.Invalid) {
			t.Errorf("pack %s takes a reading that it does not have", p.ID)
		}
	}
}

// TestParseNamesTheLine proves that a mistake in a file is named with its line.
func TestParseNamesTheLine(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, field, msg string }{
		{"a key that packs do not have", "id: a\nlimit: 3\n", "x.yaml:2", "limit"},
		{"a key of a limit that limits do not have", "limits:\n  - id: a\n    abvoe: refuse\n", "x.yaml:3", "abvoe"},
		{"a key that is there twice", "id: a\nid: b\n", "x.yaml:2", "id"},
		{"text in place of a number", "limits:\n  - amount:\n      below: much\n", "x.yaml:3", "much"},
		{"a fraction of a minor unit", "limits:\n  - amount: {below: 1.5}\n", "x.yaml:2", "1.5"},
		{"a fraction in quotes", "limits:\n  - amount: {at_most: \"1.5\"}\n", "x.yaml:2", "1.5"},
		{"an octal number", "limits:\n  - amount: {below: 010}\n", "x.yaml:2", "plain digits"},
		{"a fraction of a cap", "compensation:\n  - annual_cap: 30000.5\n", "x.yaml:2", "30000.5"},
		{"an octal window", "compensation:\n  - window_hours: 072\n", "x.yaml:2", "plain digits"},
		{"a number with an exponent", "limits:\n  - amount: {below: 1e3}\n", "x.yaml:2", "plain digits"},
		{"a number past 64 bits", "limits:\n  - amount: {below: 99999999999999999999}\n", "x.yaml:2", "plain digits"},
		{"a bracket that is not closed", "id: [\n", "x.yaml:1", "]"},
		{"an alias", "id: &x a\nedition: *x\n", "x.yaml:1", "write it out"},
		{"two packs in one file", "id: a\n---\nid: b\n", "x.yaml", "one pack a file"},
		{"an empty file", "", "x.yaml", "one pack a file"},
		{"a file that is too long", strings.Repeat("#", sizeMax+1), "x.yaml", "at most"},
		{"a file that is nested too deep", "id: " + strings.Repeat("[", 30) + strings.Repeat("]", 30), "x.yaml:1", "nested"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("x.yaml", []byte(tt.text))
			var e *mianmi.Error
			if !errors.As(err, &e) || e.Kind != mianmi.Invalid || e.Field != tt.field || !strings.Contains(e.Msg, tt.msg) {
				t.Errorf("want %q at %q, got %v", tt.msg, tt.field, err)
			}
		})
	}
}

// TestCompileFaultHasALine proves that a fault that Compile finds is traced to
// the line in the file.
func TestCompileFaultHasALine(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("cn-unionpay-2018.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "amount: {at_most: 30000}\n    above: step_up", "amount: {at_most: 30000}\n    above: ask", 1)
	line := 1 + strings.Count(text[:strings.Index(text, "above: ask")], "\n")
	p, err := Parse("mine.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	_, err = pinfree.Compile([]pinfree.Pack{p})
	var e *mianmi.Error
	if !errors.As(err, &e) || !strings.HasSuffix(e.Field, "limits[2].above") || !strings.HasPrefix(e.Field, "mine.yaml:"+itoa(line)+":") {
		t.Errorf("want line %d of mine.yaml, got %v", line, err)
	}
}

func itoa(n int) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }

func TestLoad(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"b.yml": {Data: []byte("id: b")}, "a.yaml": {Data: []byte("id: a")}, "notes.txt": {Data: []byte("id: [")}, "sub/c.yaml": {Data: []byte("id: c")},
	}
	got, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if ids := []string{got[0].ID, got[1].ID}; len(got) != 2 || !slices.Equal(ids, []string{"a", "b"}) {
		t.Errorf("loaded %v", ids)
	}
	fsys["d.yaml"], fsys["e.yaml"] = &fstest.MapFile{Data: []byte("idd: d")}, &fstest.MapFile{Data: []byte("ide: e")}
	if _, err := Load(fsys); err == nil || !strings.Contains(err.Error(), "d.yaml:1") || !strings.Contains(err.Error(), "e.yaml:1") {
		t.Errorf("two bad files: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	names, err := files.ReadDir(".")
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range names {
		b, err := files.ReadFile(n.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("id: {a: [b, {c: d}]}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse("fuzz.yaml", b)
		if err != nil {
			if !errors.Is(err, mianmi.Invalid) {
				t.Fatalf("not an Invalid error: %v", err)
			}
			return
		}
		rs, err := pinfree.Compile([]pinfree.Pack{p})
		if (rs == nil) == (err == nil) {
			t.Fatalf("rule set %v with error %v", rs, err)
		}
	})
}
