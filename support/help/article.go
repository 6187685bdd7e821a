package help

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/semver"

	"github.com/mianmi/mianmi"
)

// front is the front matter of a file.
type front struct {
	ID       string   `yaml:"id"`
	Title    string   `yaml:"title"`
	Summary  string   `yaml:"summary"`
	Keywords []string `yaml:"keywords"`
	Facts    `yaml:",inline"`
}

// Bounds of what stands above a text: it is shown in lists on phones.
const (
	titleRunesMax   = 80
	summaryRunesMax = 240
	keywordsMax     = 40
	keywordRunesMax = 60
	relatedMax      = 10
)

var (
	idForm     = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	familyForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// nameOf reads the name of a file: stolen-phone.zh.md.
func nameOf(file string) (id string, lang mianmi.Lang, err error) {
	stem := strings.TrimSuffix(file, ".md")
	id, tag, _ := strings.Cut(stem, ".")
	switch {
	case len(id) > 64 || !idForm.MatchString(id):
	case tag == "zh":
		return id, mianmi.ZH, nil
	case tag == "en":
		return id, mianmi.EN, nil
	}
	return "", 0, fmt.Errorf("%s: want a name like stolen-phone.zh.md or stolen-phone.en.md", file)
}

// readFile reads one file and checks all that stands in it alone.
func readFile(dir fs.FS, name string) (Content, Facts, error) {
	fail := func(field, format string, args ...any) (Content, Facts, error) {
		return Content{}, Facts{}, fmt.Errorf("%s: %s: %s", name, field, fmt.Sprintf(format, args...))
	}
	file, err := dir.Open(name)
	if err != nil {
		return Content{}, Facts{}, err
	}
	defer file.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(io.LimitReader(file, fileMax+1))
	switch {
	case err != nil:
		return Content{}, Facts{}, err
	case len(text) > fileMax:
		return fail("file", "is larger than %d KiB", fileMax>>10)
	case !utf8.Valid(text):
		return fail("file", "is not UTF-8")
	}
	text = bytes.TrimPrefix(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\ufeff"))
	head, body, found := strings.Cut(strings.TrimPrefix(string(text), "---\n"), "\n---\n")
	if !found || !bytes.HasPrefix(text, []byte("---\n")) {
		return fail("front matter", "want it first, between two lines ---")
	}
	var f front
	d := yaml.NewDecoder(strings.NewReader(head))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		return fail("front matter", "%v", err)
	}
	id, _, err := nameOf(name)
	if err != nil {
		return Content{}, Facts{}, err
	}
	if f.ID != id {
		return fail("id", "%q is not %q, as the file is named", f.ID, id)
	}
	if field, msg := f.check(); msg != "" {
		return fail(field, "%s", msg)
	}
	if body = strings.TrimSpace(body); body == "" {
		return fail("body", "is empty")
	}
	return Content{Title: f.Title, Summary: f.Summary, Keywords: f.Keywords, Markdown: body + "\n"}, f.Facts, nil
}

// check names the first field at fault, and what is wrong with it.
func (f *front) check() (field, msg string) {
	line := func(s string, runesMax int) bool {
		return s != "" && s == strings.TrimSpace(s) && utf8.RuneCountInString(s) <= runesMax && !strings.ContainsAny(s, "\n\t<>")
	}
	switch {
	case !line(f.Title, titleRunesMax):
		return "title", fmt.Sprintf("want one line of at most %d characters, without < and >", titleRunesMax)
	case !line(f.Summary, summaryRunesMax):
		return "summary", fmt.Sprintf("want one line of at most %d characters, without < and >", summaryRunesMax)
	case len(f.Keywords) > keywordsMax || slices.ContainsFunc(f.Keywords, func(k string) bool { return !line(k, keywordRunesMax) }):
		return "keywords", fmt.Sprintf("want at most %d, each of at most %d characters", keywordsMax, keywordRunesMax)
	case !slices.Contains(kinds, f.Kind):
		return "kind", fmt.Sprintf("%q is none of %v", f.Kind, kinds)
	case len(f.Audience) == 0:
		return "audience", fmt.Sprintf("want some of %v", audiences)
	case len(f.Related) > relatedMax:
		return "related", fmt.Sprintf("want at most %d", relatedMax)
	case !day(f.Reviewed):
		return "reviewed", "want a day like 2026-12-01"
	}
	for _, a := range f.Audience {
		if !slices.Contains(audiences, a) {
			return "audience", fmt.Sprintf("%q is none of %v", a, audiences)
		}
	}
	for _, m := range f.Models {
		if msg := m.check(); msg != "" {
			return "models", msg
		}
	}
	return f.checkValidity()
}

func (f *front) checkValidity() (field, msg string) {
	switch {
	case f.Kind != Notice && f.ValidFrom != "":
		return "valid_from", "is for notices alone"
	case f.Kind != Notice && f.ValidUntil != "":
		return "valid_until", "is for notices alone"
	case f.Kind != Notice:
		return "", ""
	case !day(f.ValidFrom):
		return "valid_from", "a notice needs its first day, like 2026-12-01"
	case !day(f.ValidUntil):
		return "valid_until", "a notice needs its last day, like 2026-12-31"
	case f.ValidUntil < f.ValidFrom:
		return "valid_until", "is before valid_from"
	}
	return "", ""
}

func (m Model) check() string {
	from, before := "v"+m.From, "v"+m.Before
	switch {
	case !familyForm.MatchString(m.Family):
		return fmt.Sprintf("family %q is no name of a family", m.Family)
	case m.From != "" && !semver.IsValid(from):
		return fmt.Sprintf("from %q is no version like 1.4.0", m.From)
	case m.Before != "" && !semver.IsValid(before):
		return fmt.Sprintf("before %q is no version like 1.4.0", m.Before)
	case m.From != "" && m.Before != "" && semver.Compare(from, before) >= 0:
		return fmt.Sprintf("from %s to before %s is no version", m.From, m.Before)
	}
	return ""
}

// day reports whether the text is a day that exists.
func day(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// pair holds the two files of an article against each other.
func (a *Article) pair(id string, facts map[string]Facts) []error {
	zh, en := id+".zh.md", id+".en.md"
	one, hasZH := facts[zh]
	other, hasEN := facts[en]
	switch {
	case !hasZH:
		return []error{fmt.Errorf("%s: %s is missing: every article is in both languages", en, zh)}
	case !hasEN:
		return []error{fmt.Errorf("%s: %s is missing: every article is in both languages", zh, en)}
	}
	var faults []error
	x, y := reflect.ValueOf(one), reflect.ValueOf(other)
	for i := range x.NumField() {
		if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			faults = append(faults, fmt.Errorf("%s: %s: is not that of %s", en, x.Type().Field(i).Tag.Get("yaml"), zh))
		}
	}
	return faults
}
