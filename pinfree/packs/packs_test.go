package packs

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
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
		{"a key that packs do not have", "id: a\nlimit: 3\n", "x.yaml:2: limit", "the keys here are id, version, edition"},
		{"a key of a limit that limits do not have", "limits:\n  - id: a\n    abvoe: refuse\n", "x.yaml:3: limits[0].abvoe", "always, above"},
		{"a key with a capital", "when: {Schemes: [visa]}\n", "x.yaml:1: when.Schemes", "schemes"},
		{"a key that is there twice", "id: a\nid: b\n", "x.yaml:2: id", "twice"},
		{"a key twice inside a condition", "when:\n  methods: [atm]\n  methods: [remote]\n", "x.yaml:3: when.methods", "twice"},
		{"a list as a key", "? [a]\n: 3\n", "x.yaml:1", "is not a key"},
		{"a key that merges", "when:\n  <<: {methods: [atm]}\n", "x.yaml:2: when", "is not a key"},
		{"text in place of a number", "limits:\n  - amount:\n      below: much\n", "x.yaml:3: limits[0].amount.below", `"much" is not a whole number`},
		{"a fraction of a minor unit", "limits:\n  - amount: {below: 1.5}\n", "x.yaml:2: limits[0].amount.below", "1.5"},
		{"a fraction in quotes", "limits:\n  - amount: {at_most: \"1.5\"}\n", "x.yaml:2: limits[0].amount.at_most", "1.5"},
		{"a number in quotes", "limits:\n  - amount: {at_most: \"15\"}\n", "x.yaml:2: limits[0].amount.at_most", "plain digits"},
		{"an octal number", "limits:\n  - amount: {below: 010}\n", "x.yaml:2: limits[0].amount.below", "plain digits"},
		{"a number with a sign", "limits:\n  - amount: {below: +10}\n", "x.yaml:2: limits[0].amount.below", "plain digits"},
		{"a fraction of a cap", "compensation:\n  - annual_cap: 30000.5\n", "x.yaml:2: compensation[0].annual_cap", "30000.5"},
		{"an octal window", "compensation:\n  - window_hours: 072\n", "x.yaml:2: compensation[0].window_hours", "plain digits"},
		{"a number with an exponent", "limits:\n  - amount: {below: 1e3}\n", "x.yaml:2: limits[0].amount.below", "plain digits"},
		{"a number past 64 bits", "limits:\n  - amount: {below: 99999999999999999999}\n", "x.yaml:2: limits[0].amount.below", "plain digits"},
		{"a fraction of a version", "version: 1.5\n", "x.yaml:1: version", "plain digits"},
		{"an octal version", "id: a\nversion: 010\n", "x.yaml:2: version", "plain digits"},
		{"a fraction of an attempt", "authentication: {failures_max: 5.9}\n", "x.yaml:1: authentication.failures_max", "plain digits"},
		{"a word that is no truth", "permits: yes\n", "x.yaml:1: permits", "neither true nor false"},
		{"a truth in quotes", "permits: \"true\"\n", "x.yaml:1: permits", "neither true nor false"},
		{"a text in place of a list", "when: {schemes: visa}\n", "x.yaml:1: when.schemes", "is not a list"},
		{"a text in place of keys", "title: Hello\n", "x.yaml:1: title", "write some of zh, en"},
		{"keys in place of a text", "edition: {a: 1}\n", "x.yaml:1: edition", "is not a text"},
		{"a list in place of a pack", "- id: a\n", "x.yaml:1", "write some of id, version"},
		{"nothing where a condition stands", "id: a\nwhen:\n", "x.yaml:2: when", "is empty"},
		{"nothing where a list stands", "when: {schemes: }\n", "x.yaml:1: when.schemes", "is empty"},
		{"a list of nothing, which would mean everything", "when: {schemes: []}\n", "x.yaml:1: when.schemes", "name at least one"},
		{"an expression of nothing", "when: {cel: \" \"}\n", "x.yaml:1: when.cel", "is empty"},
		{"a text of nothing", "title: {zh: 一, en: \"\"}\n", "x.yaml:1: title.en", "is empty"},
		{"a bracket that is not closed", "id: [\n", "x.yaml:1", "is not YAML"},
		{"an anchor", "id: &x a\n", "x.yaml:1: id", "write it out"},
		{"an alias of a list", "beside: &x [a]\nreadings: *x\n", "x.yaml:1: beside", "write it out"},
		{"a tag", "version: !!int \"1\"\n", "x.yaml:1: version", "write it out"},
		{"two packs in one file", "id: a\n---\nid: b\n", "x.yaml:2", "one pack a file"},
		{"an empty file", "", "x.yaml", "one pack a file"},
		{"a file of comments", "# a\n", "x.yaml", "one pack a file"},
		{"a file that is too long", strings.Repeat("#", sizeMax+1), "x.yaml", "at most"},
		{"a file that is not UTF-8", "id: a\nedition: \xff\n", "x.yaml:2", "UTF-8"},
		{"text that turns its direction", "id: a\n# \u202e b\n", "x.yaml:2", "U+202E"},
		{"a control character by its number", "id: a\nedition: \"\\e[2J\"\n", "x.yaml:2: edition", "U+001B"},
		{"conditions that are nested too deep", "when: " + strings.Repeat("{except: [", 30) + strings.Repeat("]}", 30), "x.yaml:1: when" + strings.Repeat(".except[0]", 19) + ".except", "nested"},
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

// TestParseListsEveryFault proves that an author need not run the program once
// a fault, and that the list has an end.
func TestParseListsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := Parse("x.yaml", []byte("idd: a\nversion: x\nwhen: {methods: remote}\n"))
	want := []string{"x.yaml:1: idd: ", "x.yaml:2: version: ", "x.yaml:3: when.methods: "}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatal(err)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, want[i]) {
			t.Errorf("want %s…, got %s", want[i], line)
		}
	}
	_, err = Parse("x.yaml", []byte(strings.Repeat("a: 1\n", 1000)))
	if n := strings.Count(err.Error(), "\n") + 1; n != faultsMax {
		t.Errorf("%d faults", n)
	}
}

// TestParseTakesTextsAsTheyStand proves that what YAML would turn into a number,
// a truth or a date stays the text that the author sees.
func TestParseTakesTextsAsTheyStand(t *testing.T) {
	t.Parallel()
	p, err := Parse("x.yaml", []byte("edition: 1.10\nzone: NO\neffective: {from: 2026-01-02}\nwhen: {mcc: [0742, 5411], countries: [NO]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{p.Edition, p.Zone, p.Effective.From, p.When.MCC[0], p.When.MCC[1], p.When.Countries[0]}
	if want := []string{"1.10", "NO", "2026-01-02", "0742", "5411", "NO"}; !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

// TestParseIsQuickAboutNonsense proves that no text makes the reader work much
// longer than its length asks for: each of these once took minutes, or the
// memory of the machine.
func TestParseIsQuickAboutNonsense(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"brackets": "id: " + strings.Repeat("[", sizeMax-10), "closed brackets": "id: " + strings.Repeat("[", sizeMax/2-10) + strings.Repeat("]", sizeMax/2-10),
		"dashes": strings.Repeat("- ", sizeMax/2-10), "braces": strings.Repeat("{a: ", sizeMax/4-10), "question marks": strings.Repeat("? ", sizeMax/2-10),
		"a long list": "beside: [" + strings.Repeat("a, ", sizeMax/3-10) + "]", "many keys": strings.Repeat("a:\n", sizeMax/3-10),
		"laughing": "a: &a [x, x, x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\nd: &d [*c, *c, *c, *c]\ne: [*d, *d, *d, *d]\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if p, err := Parse("x.yaml", []byte(text)); err == nil && len(p.Beside) < 80_000 {
				t.Errorf("read %+v", p)
			}
		})
	}
}

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

// TestLoad proves that the packs of a folder are read, one a file, with the
// faults of all of them.
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

// TestTextsRefuse proves that what is no pack is not read: it may have no end.
func TestTextsRefuse(t *testing.T) {
	t.Parallel()
	long := &fstest.MapFile{Data: []byte(strings.Repeat("#", sizeMax+1))}
	many, heavy := fstest.MapFS{}, fstest.MapFS{}
	for i := range filesMax + 1 {
		many[strconv.Itoa(i)+".yaml"] = &fstest.MapFile{}
		if i <= sizeAllMax/sizeMax {
			heavy[strconv.Itoa(i)+".yaml"] = &fstest.MapFile{Data: long.Data[1:]}
		}
	}
	for name, tt := range map[string]struct {
		fsys fstest.MapFS
		want string
	}{
		"a long file":    {fstest.MapFS{"a.yaml": long}, "a.yaml: is longer than"},
		"a folder":       {fstest.MapFS{"a.yaml/b": long}, "a.yaml: is not a file"},
		"a pipe":         {fstest.MapFS{"a.yaml": {Mode: fs.ModeNamedPipe}}, "a.yaml: is not a file"},
		"too many files": {many, "501 files"},
		"too much":       {heavy, "in all"},
	} {
		if _, err := Load(tt.fsys); !errors.Is(err, mianmi.Invalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
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
